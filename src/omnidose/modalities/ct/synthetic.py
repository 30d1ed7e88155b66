"""A CT exam as a machine would write it: images with tube current per slice, and the dose report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.stylised.ct_numbers import stylised_to_hu
from omnidose.dicom.dose_report import AcquisitionType, IrradiationEvent, TubeSource
from omnidose.dicom.files import make_uid
from omnidose.dicom.synthetic_ct import CtTechnique, SyntheticStudy, write_ct_series
from omnidose.dicom.synthetic_rdsr import write_ct_rdsr
from omnidose.errors import GeometryError, InputError
from omnidose.modalities.ct.exposure import CtScan, ScanType
from omnidose.modalities.ct.quirks import quirk_of
from omnidose.volume import Grid

if TYPE_CHECKING:
    from omnidose.anatomy.body import BodyModel

#: Tube current and rotation time written where the record does not know them.
DEFAULT_CURRENT_MA = 200.0
DEFAULT_ROTATION_S = 0.5
NOISE_HU = 10.0
AIR_HU = -1000
#: A table top below the back: width, thickness, skin, and CT numbers of skin and foam.
COUCH_WIDTH_MM, COUCH_THICKNESS_MM, COUCH_SKIN_MM = 420.0, 40.0, 4.0
COUCH_SKIN_HU, COUCH_FOAM_HU = 30, -920
MARGIN_MM = 20.0
#: Scout view of the dose report: mGy per scout in the 32 cm phantom.
SCOUT_CTDIVOL_MGY = 0.1
_TYPES = {
    ScanType.HELICAL: (AcquisitionType.SPIRAL, "SPIRAL", "HELIX"),
    ScanType.AXIAL: (AcquisitionType.SEQUENCED, "SEQUENCED", "AXIAL"),
    ScanType.VOLUME: (AcquisitionType.STATIONARY, "STATIONARY", "VOLUME SCAN"),
}


def write_exam(
    scan: CtScan, body: BodyModel, folder: Path, *, couch: bool = True, seed: int = 1, key: str = ""
) -> tuple[Path, ...]:
    """Write the images of a scan of a body, and its dose report if the scan has a CTDIvol.

    Parameters
    ----------
    folder
        Gets ``images/`` and ``dose_report.dcm``; made if it does not exist.
    couch
        Put a table top under the body.
    seed
        Of the image noise.
    key
        Equal keys give equal UIDs; default: the scan's key.

    Returns
    -------
    tuple of Path
        Images, then the dose report.

    Raises
    ------
    InputError
        For a tilted gantry, which is not written.
    GeometryError
        If no slice of the body lies in the imaged range.
    """
    if scan.tilt_deg:
        raise InputError("synthetic exams are written without gantry tilt", where="tilt_deg", allowed="0")
    study = SyntheticStudy(
        key=key or f"ct-{scan.key}",
        manufacturer=scan.manufacturer or "omnidose",
        model=scan.model or "synthetic CT",
    )
    hu, grid = _imaged_numbers(scan, body, couch=couch, seed=seed)
    paths = list(
        write_ct_series(
            Path(folder) / "images",
            hu,
            grid,
            person=body.person,
            technique=_technique(scan, grid),
            study=study,
            description=scan.protocol or "synthetic CT",
            event="scan",
        )
    )
    if scan.ctdivol_mgy is not None:
        report = Path(folder) / "dose_report.dcm"
        events = (_scout(scan, study), _event(scan, study))
        write_ct_rdsr(report, events, study=study, person=body.person)
        paths.append(report)
    return tuple(paths)


def _imaged_numbers(
    scan: CtScan, body: BodyModel, *, couch: bool, seed: int
) -> tuple[npt.NDArray[np.float32], Grid]:
    """Return the CT numbers of the imaged slices, with air around the body, couch and noise."""
    grid = body.grid
    low, high = scan.imaged_z_mm if scan.imaged_z_mm[1] > scan.imaged_z_mm[0] else scan.irradiated_z_mm
    z = grid.axis_mm(2)
    rows = np.flatnonzero((z > low) & (z < high))
    if rows.size == 0:
        raise GeometryError(
            "no slice of the body lies in the imaged range", where=f"z {low:g} to {high:g} mm"
        )
    dx, dy, _ = grid.spacing_mm
    pad_x = int(np.ceil(max(MARGIN_MM, 0.5 * (COUCH_WIDTH_MM - dx * grid.shape_zyx[2]) + MARGIN_MM) / dx))
    pad_y = int(np.ceil((COUCH_THICKNESS_MM + MARGIN_MM) / dy))
    inner = stylised_to_hu(body, scan.kv)[rows[0] : rows[-1] + 1]
    hu = np.full(
        (rows.size, inner.shape[1] + 2 * pad_y, inner.shape[2] + 2 * pad_x), AIR_HU, dtype=np.float32
    )
    hu[:, pad_y : pad_y + inner.shape[1], pad_x : pad_x + inner.shape[2]] = inner
    padded = Grid(
        shape_zyx=hu.shape,
        spacing_mm=grid.spacing_mm,
        origin_mm=(grid.origin_mm[0] - pad_x * dx, grid.origin_mm[1] - pad_y * dy, float(z[rows[0]])),
    )
    if couch:
        _add_couch(hu, padded)
    hu += np.float32(NOISE_HU) * np.random.default_rng(seed).standard_normal(hu.shape, dtype=np.float32)
    return hu, padded


def _add_couch(hu: npt.NDArray[np.float32], grid: Grid) -> None:
    """Put a table top under the lowest part of the body (the back, +y)."""
    body = np.flatnonzero((hu > -500).any(axis=(0, 2)))
    if body.size == 0:
        return
    y, x = grid.axis_mm(1), grid.axis_mm(0)
    top = y[body[-1]] + 0.5 * grid.spacing_mm[1]
    middle = float(0.5 * (x[0] + x[-1]))
    wide = np.abs(x - middle) <= 0.5 * COUCH_WIDTH_MM
    deep = (y > top) & (y <= top + COUCH_THICKNESS_MM)
    skin_y = deep & ((y <= top + COUCH_SKIN_MM) | (y > top + COUCH_THICKNESS_MM - COUCH_SKIN_MM))
    skin_x = wide & (np.abs(x - middle) > 0.5 * COUCH_WIDTH_MM - COUCH_SKIN_MM)
    hu[:, deep[:, None] & wide[None, :]] = COUCH_FOAM_HU
    hu[:, skin_y[:, None] & wide[None, :]] = COUCH_SKIN_HU
    hu[:, deep[:, None] & skin_x[None, :]] = COUCH_SKIN_HU


def _technique(scan: CtScan, grid: Grid) -> CtTechnique:
    """Return the tags of the images with this maker's meaning of exposure and time."""
    quirk = quirk_of(scan.manufacturer)
    rotation_s = scan.rotation_s or DEFAULT_ROTATION_S
    relative = scan.current_at(grid.axis_mm(2))
    current = (scan.mean_current_ma or DEFAULT_CURRENT_MA) * relative
    pitch = scan.pitch or 1.0
    mas = current * rotation_s / (pitch if quirk.exposure_is_effective else 1.0)
    _, acquisition, options = _TYPES[scan.scan_type]
    extra: dict[str, Any] = {
        "AcquisitionType": acquisition,
        "ScanOptions": options,
        "DistanceSourceToPatient": f"{scan.focus_mm:g}",
        "ProtocolName": scan.protocol or "synthetic",
        "BodyPartExamined": "HEAD" if scan.bowtie == "head" else "CHEST",
    }
    if scan.isocentre_mm is not None:
        middle = float(np.mean(grid.axis_mm(2)))
        extra["DataCollectionCenterPatient"] = [*scan.isocentre_mm, middle]
    if scan.tin_mm:
        extra["FilterMaterial"] = ["TIN"]
        extra["FilterThicknessMaximum"] = f"{scan.tin_mm:g}"
    ctdivol = None
    if scan.ctdivol_mgy is not None:
        ctdivol = [float(v) for v in scan.ctdivol_mgy / scan.repeats * relative]
    return CtTechnique(
        kvp_kv=scan.kv,
        tube_current_ma=[float(v) for v in current],
        exposure_mas=[float(v) for v in mas],
        exposure_time_s=rotation_s / (pitch if quirk.time_is_effective else 1.0),
        revolution_time_s=rotation_s,
        ctdivol_mgy=ctdivol,
        ctdi_phantom=str(scan.phantom_cm),
        pitch=scan.pitch or None,
        total_collimation_mm=scan.collimation_mm,
        filter_type="" if scan.bowtie == "none" else f"{scan.bowtie.upper()} FILTER",
        modulation="Z_EC" if scan.current_rel else "NONE",
        extra=extra,
    )


def _event(scan: CtScan, study: SyntheticStudy) -> IrradiationEvent:
    assert scan.ctdivol_mgy is not None
    current = scan.mean_current_ma or DEFAULT_CURRENT_MA
    rotation_s = scan.rotation_s or DEFAULT_ROTATION_S
    low, high = scan.z_start_mm, scan.z_end_mm
    if scan.scan_type is not ScanType.HELICAL:
        low, high = low - 0.5 * scan.collimation_mm, high + 0.5 * scan.collimation_mm
    rotations = (
        scan.length_mm / scan.feed_mm if scan.scan_type is ScanType.HELICAL else len(scan.rotation_z_mm)
    )
    return IrradiationEvent(
        uid=study.event_uid("scan"),
        acquisition_type=_TYPES[scan.scan_type][0],
        protocol=scan.protocol or "synthetic",
        sources=(
            TubeSource(
                label="A",
                kvp_kv=scan.kv,
                mean_tube_current_ma=current,
                max_tube_current_ma=current * max(scan.current_rel, default=1.0),
                rotation_time_s=rotation_s,
            ),
        ),
        exposure_time_s=rotations * rotation_s * scan.repeats,
        total_collimation_mm=scan.collimation_mm,
        pitch=scan.pitch or None,
        scanning_length_mm=scan.length_mm,
        exposed_range_mm=scan.irradiated_z_mm[1] - scan.irradiated_z_mm[0],
        scan_top_z_mm=high,
        scan_bottom_z_mm=low,
        frame_of_reference_uid=study.frame_of_reference_uid,
        ctdivol_mgy=scan.ctdivol_mgy,
        ctdi_phantom=str(scan.phantom_cm),
        dlp_mgy_cm=scan.dlp_mgy_cm or scan.ctdivol_mgy * scan.length_mm / 10,
        modulation="Z_EC" if scan.current_rel else "NONE",
    )


def _scout(scan: CtScan, study: SyntheticStudy) -> IrradiationEvent:
    """Return the localizer every exam begins with; it has no images here."""
    length_mm = scan.length_mm + 40.0
    return IrradiationEvent(
        uid=make_uid(study.key, "event", "localizer"),
        acquisition_type=AcquisitionType.CONSTANT_ANGLE,
        protocol="Localizer",
        sources=(TubeSource(label="A", kvp_kv=120.0, mean_tube_current_ma=30.0),),
        scanning_length_mm=length_mm,
        ctdivol_mgy=SCOUT_CTDIVOL_MGY,
        ctdi_phantom="32",
        dlp_mgy_cm=SCOUT_CTDIVOL_MGY * length_mm / 10,
    )
