"""Claims and ingest: makers' tags, the chain of the scale, contradictions, events without images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnidose.anatomy.body import BodyModel
from omnidose.dicom.dose_report import AcquisitionType, IrradiationEvent, TubeSource
from omnidose.dicom.inventory import Inventory, read_inventory
from omnidose.dicom.synthetic_ct import CtTechnique, SyntheticStudy, write_ct_series
from omnidose.dicom.synthetic_rdsr import write_ct_rdsr
from omnidose.errors import ContradictionError, DicomError, InputError
from omnidose.modalities import Claim, ClaimKind
from omnidose.modalities.ct import MODALITY
from omnidose.modalities.ct.checks import consistency_warning
from omnidose.modalities.ct.exposure import CtScan, ScaleSource, ScanType
from omnidose.modalities.ct.ingest import with_ctdivol
from omnidose.modalities.ct.source import scan_segments
from omnidose.testing import check_modality
from omnidose.volume import Grid

Maker = Callable[..., CtScan]
GRID = Grid(shape_zyx=(30, 8, 8), spacing_mm=(18.0, 18.0, 5.0), origin_mm=(-63.0, -63.0, 102.5))
HU = np.zeros(GRID.shape_zyx, dtype=np.int16)


def exposures(inventory: Inventory) -> list[Claim]:
    return [c for c in MODALITY.claims(inventory) if c.kind is ClaimKind.EXPOSURE]


def ingest_one(folder: Path, given: dict[str, Any] | None = None) -> CtScan:
    with read_inventory(folder) as inventory:
        (claim,) = [c for c in exposures(inventory) if c.estimable]
        return MODALITY.ingest(claim, given)


def write(folder: Path, technique: CtTechnique, **study: str) -> SyntheticStudy:
    made = SyntheticStudy(key="ingest", **study)
    write_ct_series(folder, HU, GRID, technique=technique, study=made)
    return made


HELIX = {"ScanOptions": "HELIX"}


@pytest.mark.parametrize(
    ("maker", "exposure_mas", "time_s"),
    [("SIEMENS", 125.0, 0.5), ("Philips", 125.0, 0.625), ("GE MEDICAL SYSTEMS", 100.0, 0.5)],
)
def test_makers_meaning_of_exposure_and_time(
    tmp_path: Path, maker: str, exposure_mas: float, time_s: float
) -> None:
    """The same 200 mA x 0.5 s at pitch 0.8 is written differently; one pitch division, for everybody."""
    model = {"SIEMENS": "SOMATOM Confidence", "Philips": "Brilliance Big Bore"}.get(maker, "Optima CT660")
    write(
        tmp_path,
        CtTechnique(
            tube_current_ma=200.0, exposure_mas=exposure_mas, exposure_time_s=time_s, pitch=0.8,
            total_collimation_mm=24.0, extra=HELIX,
        ),
        manufacturer=maker, model=model,
    )  # fmt: skip
    scan = ingest_one(tmp_path)
    nctdiw = {"SIEMENS": 6.65, "Philips": 5.86}.get(maker, (8.74 + 8.66) / 2)
    assert scan.rotation_s == pytest.approx(0.5)
    assert scan.scale is ScaleSource.SCANNER_TABLE
    assert scan.scale_std_rel == pytest.approx(0.20)
    assert scan.ctdivol_mgy == pytest.approx(nctdiw * 1.25, rel=1e-6)


def test_exposure_alone_is_enough_for_the_table(tmp_path: Path) -> None:
    write(
        tmp_path,
        CtTechnique(exposure_mas=125.0, pitch=0.8, total_collimation_mm=24.0, extra=HELIX),
        manufacturer="SIEMENS", model="SOMATOM Confidence",
    )  # fmt: skip
    assert ingest_one(tmp_path).ctdivol_mgy == pytest.approx(6.65 * 1.25, rel=1e-6)


def test_no_scale_is_relative_and_a_person_can_give_it(tmp_path: Path) -> None:
    write(tmp_path, CtTechnique(tube_current_ma=200.0, extra=HELIX), manufacturer="Unknown")
    scan = ingest_one(tmp_path)
    assert scan.ctdivol_mgy is None
    assert any("--ctdivol-mgy" in w for w in scan.warnings)
    given = ingest_one(tmp_path, {"ctdivol_mgy": 7.5})
    assert (given.ctdivol_mgy, given.scale) == (7.5, ScaleSource.USER)
    assert with_ctdivol(scan, 7.5).ctdivol_mgy == 7.5
    with pytest.raises(ContradictionError):
        with_ctdivol(given, 8.0)


def test_missing_kv_names_the_option(tmp_path: Path) -> None:
    write(tmp_path, CtTechnique(kvp_kv=None, extra=HELIX))
    with pytest.raises(DicomError, match="--kv"):
        ingest_one(tmp_path)
    assert ingest_one(tmp_path, {"kv": 100}).kv == 100.0


def test_what_a_person_says_may_not_contradict(tmp_path: Path) -> None:
    write(tmp_path, CtTechnique(ctdivol_mgy=5.0, pitch=1.0, total_collimation_mm=20.0))
    with pytest.raises(ContradictionError, match="100 kV but the data say 120 kV"):
        ingest_one(tmp_path, {"kv": 100})
    with pytest.raises(ContradictionError, match="CTDIvol"):
        ingest_one(tmp_path, {"ctdivol_mgy": 6.0})
    with pytest.raises(ContradictionError, match="phantom"):
        ingest_one(tmp_path, {"phantom_cm": 16})
    assert ingest_one(tmp_path, {"ctdivol_mgy": 5.0}).scale is ScaleSource.IMAGE_HEADER


def test_tube_current_profile_is_a_shape(tmp_path: Path) -> None:
    current = [float(100 + 10 * i) for i in range(30)]
    write(tmp_path, CtTechnique(tube_current_ma=current, ctdivol_mgy=5.0, pitch=1.0, extra=HELIX))
    scan = ingest_one(tmp_path)
    assert np.mean(scan.current_rel) == pytest.approx(1.0)
    assert scan.current_rel[0] / scan.current_rel[-1] == pytest.approx(100 / 390)
    assert scan.ctdivol_mgy == pytest.approx(5.0)
    assert scan.mean_current_ma == pytest.approx(245.0)


def test_report_gives_scale_range_and_the_events_without_images(tmp_path: Path) -> None:
    study = write(tmp_path, CtTechnique(tube_current_ma=200.0, pitch=1.0, ctdivol_mgy=5.0, extra=HELIX))
    tube = (TubeSource(kvp_kv=120.0, mean_tube_current_ma=200.0, rotation_time_s=0.5),)
    spiral = IrradiationEvent(
        uid=study.event_uid("scan"), acquisition_type=AcquisitionType.SPIRAL, sources=tube, pitch=1.0,
        total_collimation_mm=20.0, ctdivol_mgy=8.0, ctdi_phantom="32", dlp_mgy_cm=8.0 * 18.0,
    )  # fmt: skip
    scout = IrradiationEvent(
        uid=study.event_uid("scout"), acquisition_type=AcquisitionType.CONSTANT_ANGLE, ctdivol_mgy=0.1,
        ctdi_phantom="32",
    )  # fmt: skip
    bolus = IrradiationEvent(
        uid=study.event_uid("bolus"), acquisition_type=AcquisitionType.STATIONARY, protocol="Monitoring",
        sources=tube, total_collimation_mm=10.0, ctdivol_mgy=3.0, ctdi_phantom="32", dlp_mgy_cm=3.0,
    )  # fmt: skip
    placed = replace(
        bolus, uid=study.event_uid("bolus 2"), scan_top_z_mm=185.0, scan_bottom_z_mm=175.0,
        frame_of_reference_uid=study.frame_of_reference_uid,
    )  # fmt: skip
    nowhere = replace(placed, uid=study.event_uid("far"), scan_top_z_mm=900.0, scan_bottom_z_mm=890.0)
    write_ct_rdsr(tmp_path / "sr.dcm", (scout, bolus, placed, nowhere, spiral), study=study)
    with read_inventory(tmp_path) as inventory:
        found = {c.key: c for c in exposures(inventory)}
        assert len(found) == 5
        scan = MODALITY.ingest(found[spiral.uid])
        assert (scan.ctdivol_mgy, scan.scale) == (8.0, ScaleSource.DOSE_REPORT)
        # 15 cm of images, 18 cm of DLP / CTDIvol: 1.5 cm of over-scan at each end
        assert (scan.z_start_mm, scan.z_end_mm) == pytest.approx((85.0, 265.0))
        assert not found[scout.uid].estimable
        assert "where along the patient" in found[scout.uid].reason
        assert found[scout.uid].facts["ctdivol_mgy"] == 0.1
        assert "where along the patient" in found[bolus.uid].reason
        assert "no images show" in found[nowhere.uid].reason
        borrowed = found[placed.uid]
        assert borrowed.estimable
        assert borrowed.borrowed
        tracked = MODALITY.ingest(borrowed)
        assert tracked.scan_type is ScanType.VOLUME
        assert tracked.rotation_z_mm == (180.0,)
        assert tracked.ctdivol_mgy == 3.0
        with pytest.raises(InputError, match="cannot be estimated"):
            MODALITY.ingest(found[scout.uid])


def test_localizers_of_the_report_count(tmp_path: Path) -> None:
    study = write(tmp_path, CtTechnique(tube_current_ma=200.0, pitch=1.0, ctdivol_mgy=5.0, extra=HELIX))
    placed = IrradiationEvent(
        uid=study.event_uid("scout"), acquisition_type=AcquisitionType.CONSTANT_ANGLE, ctdivol_mgy=0.1,
        ctdi_phantom="32", dlp_mgy_cm=0.1 * 30.0, total_collimation_mm=5.0,
        sources=(TubeSource(kvp_kv=100.0),), scan_top_z_mm=300.0, scan_bottom_z_mm=0.0,
        frame_of_reference_uid=study.frame_of_reference_uid,
    )  # fmt: skip
    somewhere = replace(placed, uid=study.event_uid("scout 2"), scan_top_z_mm=None, scan_bottom_z_mm=None)
    write_ct_rdsr(tmp_path / "sr.dcm", (placed, somewhere), study=study)
    with read_inventory(tmp_path) as inventory:
        found = {c.key: c for c in exposures(inventory)}
        scan = MODALITY.ingest(found[placed.uid])
        assert scan.scan_type is ScanType.LOCALIZER
        assert (scan.z_start_mm, scan.z_end_mm, scan.length_mm) == (0.0, 300.0, 300.0)
        assert scan.kv == 100.0  # the report's, not that of the borrowed images
        assert "localizer" in scan.title
        around = MODALITY.ingest(found[somewhere.uid])
        assert around.length_mm == pytest.approx(300.0)
        assert around.z_start_mm + around.z_end_mm == pytest.approx(scan_middle(found) * 2)
        assert any("centred on the images" in a.text for a in around.assumptions)
    segments = scan_segments(scan, 1.0)
    assert segments.shape == (1, 5)
    assert segments[0, 0] == segments[0, 1] == pytest.approx(-np.pi / 2)
    assert tuple(segments[0, 2:4]) == (0.0, 300.0)


def scan_middle(found: dict[str, Any]) -> float:
    (low, high), *_ = {c.payload.facts.imaged_z_mm for c in found.values() if c.payload.facts is not None}
    return 0.5 * (low + high)


def test_two_reconstructions_are_one_exposure(tmp_path: Path) -> None:
    study = SyntheticStudy(key="two")
    for number, kernel in ((2, "Br40"), (3, "Br60")):
        write_ct_series(
            tmp_path, HU, GRID, study=study, series_number=number, event="scan",
            technique=CtTechnique(ctdivol_mgy=5.0, kernel=kernel, pitch=1.0),
        )  # fmt: skip
    with read_inventory(tmp_path) as inventory:
        (claim,) = exposures(inventory)
        assert len(claim.series_uids) == 2


def test_passes_over_one_range_are_repeats(tmp_path: Path) -> None:
    """Three passes in one series without event UIDs: one exposure, CTDIvol of the headers per pass."""
    from pydicom import dcmread

    for number in range(3):
        folder = tmp_path / f"pass{number}"
        paths = write_ct_series(
            folder, HU, GRID, study=SyntheticStudy(key="perfusion"),
            technique=CtTechnique(ctdivol_mgy=5.0, tube_current_ma=100.0, extra={"ScanOptions": "AXIAL"}),
        )  # fmt: skip
        for path in paths:
            dataset = dcmread(path)
            del dataset.IrradiationEventUID
            dataset.AcquisitionNumber = number + 1
            dataset.AcquisitionTime = dataset.ContentTime = f"10{10 * number:02d}00"
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = (
                f"{dataset.SOPInstanceUID[:50]}.{number}"
            )
            dataset.save_as(path)
    scan = ingest_one(tmp_path)
    assert scan.repeats == 3
    assert scan.ctdivol_mgy == pytest.approx(15.0)
    assert any("3 passes" in a.text for a in scan.assumptions)


def test_consistency_check_warns_beyond_30_percent(make_scan: Maker) -> None:
    good = make_scan(model="SOMATOM Confidence", ctdivol_mgy=6.65)
    assert consistency_warning(good) == ""
    assert "+100 %" in consistency_warning(replace(good, ctdivol_mgy=13.3))
    assert consistency_warning(replace(good, model="Unknown", ctdivol_mgy=13.3)) == ""


def axial_scan(make_scan: Maker) -> CtScan:
    z = tuple(float(v) for v in np.arange(1110.0, 1340.0, 20.0))
    return make_scan(
        scan_type=ScanType.AXIAL, pitch=0.0, rotation_z_mm=z, step_mm=20.0, z_start_mm=z[0], z_end_mm=z[-1],
        manufacturer="GE MEDICAL SYSTEMS",
    )  # fmt: skip


def volume_scan(make_scan: Maker) -> CtScan:
    return make_scan(
        scan_type=ScanType.VOLUME, pitch=0.0, rotation_z_mm=(1220.0,), z_start_mm=1220.0, z_end_mm=1220.0,
        collimation_mm=160.0, imaged_z_mm=(1140.0, 1300.0), manufacturer="CANON",
    )  # fmt: skip


def modulated_scan(make_scan: Maker) -> CtScan:
    z = np.arange(1102.0, 1339.0, 4.0)
    relative = 1 + 0.4 * np.sin((z - 1102.0) / 60.0)
    relative /= relative.mean()
    return make_scan(
        pitch=0.8,
        current_z_mm=tuple(z.tolist()),
        current_rel=tuple(relative.tolist()),
        manufacturer="Philips",
    )


@pytest.mark.parametrize("kind", [axial_scan, volume_scan, modulated_scan])
def test_contract(
    tmp_path: Path, make_scan: Maker, torso: BodyModel, kind: Callable[[Maker], CtScan]
) -> None:
    scan = kind(make_scan)
    found = check_modality(MODALITY, scan, torso, tmp_path, tolerance_rel=0.01)
    assert found.scale is ScaleSource.DOSE_REPORT


def test_contract_of_a_head_in_the_small_phantom(tmp_path: Path, make_scan: Maker, torso: BodyModel) -> None:
    scan = make_scan(phantom_cm=16, bowtie="head", protocol="Head routine", kv=100.0, tin_mm=0.4)
    found = check_modality(MODALITY, scan, torso, tmp_path, tolerance_rel=0.01)
    assert found.bowtie == "head"


def test_other_things_are_not_claimed(tmp_path: Path, make_scan: Maker) -> None:
    with pytest.raises(InputError, match="no CT exposure"):
        MODALITY.ingest(Claim(modality="mr", kind=ClaimKind.EXPOSURE, key="a", title="b"))
