"""The quick validation rows, and the real series that every developer has."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from omnidose.dicom.inventory import read_inventory
from omnidose.errors import InputError
from omnidose.modalities import ClaimKind
from omnidose.modalities.ct import MODALITY
from omnidose.modalities.ct.exposure import CtScan, ScaleSource, ScanType
from omnidose.modalities.ct.validation import SUITE, check_linear, organ_range_mm, water_body
from omnidose.validation import Context, reference_dir

REFERENCE = reference_dir()
needs_reference = pytest.mark.skipif(REFERENCE is None, reason="the folder of reference files is absent")


def test_every_claim_of_the_suite_is_built() -> None:
    assert [c.name for c in SUITE.claims if c.check is None] == []


def test_linear_rows_pass() -> None:
    rows = list(check_linear(Context()))
    assert len(rows) == 2
    assert all(row.passed for row in rows)


def test_organ_range() -> None:
    body = water_body()
    low, high = organ_range_mm(body, ("soft-tissue",))
    assert (low, high) == pytest.approx((-97.5, 97.5))


def scan_of(name: str, folder: Path, **given: float) -> CtScan:
    assert REFERENCE is not None
    with tarfile.open(REFERENCE / "dicom" / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    with read_inventory(folder) as inventory:
        (claim,) = [c for c in MODALITY.claims(inventory) if c.kind is ClaimKind.EXPOSURE and c.estimable]
        return MODALITY.ingest(claim, given)


@needs_reference
@pytest.mark.reference
def test_chest_without_ctdivol_is_relative(tmp_path: Path) -> None:
    scan = scan_of("ct_chest_lidc_idri_0314_2mm", tmp_path)
    assert (scan.scan_type, scan.kv, scan.phantom_cm) == (ScanType.HELICAL, 120.0, 32)
    assert (scan.ctdivol_mgy, scan.scale) == (None, ScaleSource.NONE)
    assert scan.imaged_z_mm[1] - scan.imaged_z_mm[0] == pytest.approx(275.0)
    assert {a.key for a in scan.assumptions} >= {"ct.collimation", "ct.pitch", "ct.overscan", "ct.phantom"}


@needs_reference
@pytest.mark.reference
def test_tilted_axial_head(tmp_path: Path) -> None:
    scan = scan_of("ct_head_ge_hispeed_tilt", tmp_path, ctdivol_mgy=50.0)
    assert (scan.scan_type, scan.phantom_cm, scan.bowtie) == (ScanType.AXIAL, 16, "head")
    assert scan.tilt_deg == pytest.approx(18.5, abs=0.1)
    assert len(scan.rotation_z_mm) == 28
    assert (scan.ctdivol_mgy, scan.scale) == (50.0, ScaleSource.USER)
    assert scan.focus_mm == 541.0
    assert scan.isocentre_mm == (0.0, 0.0)


@needs_reference
@pytest.mark.reference
def test_philips_head_phantom_with_modulation(tmp_path: Path) -> None:
    scan = scan_of("ct_headphantom_philips_ingenuity_helical", tmp_path)
    assert (scan.pitch, scan.collimation_mm, scan.rotation_s) == (0.391, 40.0, 0.5)
    assert scan.scale is ScaleSource.IMAGE_HEADER
    assert scan.ctdivol_mgy == pytest.approx(14.53, abs=0.01)
    assert np.mean(scan.current_rel) == pytest.approx(1.0)
    assert max(scan.current_rel) > 1.3


@needs_reference
@pytest.mark.reference
def test_siemens_pet_ct(tmp_path: Path) -> None:
    scan = scan_of("ct_body_siemens_mct_20sl", tmp_path)
    assert scan.isocentre_mm == (0.0, -188.0)
    assert (scan.focus_mm, scan.phantom_cm, scan.pitch) == (595.0, 32, 0.8)
    assert scan.event_uid == scan.key


@needs_reference
@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("CT-RDSR-Siemens_Flash-TAP-SS.dcm", 4),
        ("CT-RDSR-Toshiba_DoseCheck.dcm", 2),
        ("CT-RDSR-Philips_BigBore4DCT.dcm", 1),
        ("ESR_non-dose.dcm", 0),
    ],
)
def test_reports_without_images_are_listed(name: str, events: int) -> None:
    assert REFERENCE is not None
    with read_inventory(REFERENCE / "dicom" / "rdsr" / name) as inventory:
        claims = MODALITY.claims(inventory)
    assert len(claims) == events
    for claim in claims:
        assert claim.reason
        with pytest.raises(InputError):
            MODALITY.ingest(claim)
