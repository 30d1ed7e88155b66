"""The demo exam: a chest CT of an equation-based woman with its dose report. Nobody's data."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

from omnidose.anatomy.stylised.make import make_phantom
from omnidose.modalities import modalities
from omnidose.modalities.ct.exposure import CtScan, ScaleSource, ScanType
from omnidose.modalities.ct.ssde import water_equivalent_diameter_cm

AGE_Y, HEIGHT_CM, WEIGHT_KG = 52.0, 166.0, 71.0
#: Imaged range in the phantom's coordinates (0 is the base of the trunk).
LOW_MM, HIGH_MM = 320.0, 640.0
COLLIMATION_MM, PITCH, OVERSCAN_MM = 38.4, 1.2, 25.0
CTDIVOL_MGY = 7.2


def demo_scan() -> CtScan:
    """Return the scan: chest, 120 kV, helical, tube current following the patient's size."""
    body = make_phantom("F", height_cm=HEIGHT_CM, weight_kg=WEIGHT_KG, voxel_mm=8.0, arms="up", ct_like=True)
    z = body.grid.axis_mm(2)
    inside = (z >= LOW_MM) & (z <= HIGH_MM)
    diameter = water_equivalent_diameter_cm(body)[inside]
    # an automatic exposure control asks for exp(mu d / 2) or so; mu of water at 120 kV about 0.2 / cm
    current = np.exp(0.2 * 0.5 * (diameter - diameter.mean()))
    return CtScan(
        key="2.25.1",
        scan_type=ScanType.HELICAL,
        kv=120.0,
        collimation_mm=COLLIMATION_MM,
        pitch=PITCH,
        z_start_mm=LOW_MM - OVERSCAN_MM,
        z_end_mm=HIGH_MM + OVERSCAN_MM,
        current_z_mm=tuple(float(v) for v in z[inside]),
        current_rel=tuple(float(v) for v in current / current.mean()),
        mean_current_ma=180.0,
        rotation_s=0.5,
        phantom_cm=32,
        ctdivol_mgy=CTDIVOL_MGY,
        scale=ScaleSource.DOSE_REPORT,
        scale_std_rel=0.1,
        dlp_mgy_cm=CTDIVOL_MGY * (HIGH_MM - LOW_MM + 2 * OVERSCAN_MM) / 10,
        focus_mm=595.0,
        imaged_z_mm=(LOW_MM, HIGH_MM),
        manufacturer="SIEMENS",
        model="omnidose demo",
        protocol="Demo chest",
    )


def write_demo_exam(folder: Path) -> tuple[Path, ...]:
    """Write the demo exam; an earlier one in ``folder`` is replaced only when the new one is whole."""
    body = make_phantom(
        "F", age_y=AGE_Y, height_cm=HEIGHT_CM, weight_kg=WEIGHT_KG, voxel_mm=2.0, arms="up", ct_like=True
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".demo-", dir=folder.parent))
    try:
        written = modalities()["ct"].synthetic(demo_scan(), body, scratch)
        if folder.exists():
            shutil.rmtree(folder)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return tuple(folder / path.relative_to(scratch) for path in written)
