"""A clinic that knows nothing of the truth: scans simulated patients and computes their doses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from omnidose.dosimetry.internal_uncertainty import Calibration, SeenVolume
from omnidose.modalities.nuclear.imaging.camera import Camera
from omnidose.modalities.nuclear.imaging.clinic import (
    Setting,
    activity,
    blur_of,
    wrong_calibration,
)
from omnidose.modalities.nuclear.imaging.drawn import drawn_outlines, true_outlines
from omnidose.modalities.nuclear.imaging.patients import (
    NUCLIDE,
    Patient,
    draw_patient,
)
from omnidose.modalities.nuclear.imaging.scans import FINER, Scan, coarse_grid, pooled, scan_patient
from omnidose.modalities.nuclear.imaging.truth import Truth, truth_of
from omnidose.modalities.nuclear.series.doses import series_doses
from omnidose.modalities.nuclear.series.outlines import outlines
from omnidose.modalities.nuclear.series.registration import bring, register_rigid
from omnidose.modalities.nuclear.series.results import OutlineDose
from omnidose.modalities.nuclear.series.sight import Errors

ArrayF4 = npt.NDArray[np.float32]
ArrayF8 = npt.NDArray[np.float64]

ERRORS = Errors()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One patient: truth beside what was found with true and with drawn outlines.

    Attributes
    ----------
    factor
        Wrong over true calibration: what doses are multiplied with to take its error out.
    """

    patient: Patient
    truth: dict[str, Truth]
    known: dict[str, OutlineDose]
    drawn: dict[str, OutlineDose]
    factor: float


def registered(scans: list[Scan], camera: Camera, calibration: Calibration, fixed: int = 1) -> ArrayF4:
    """[times, z, y, x] MBq per voxel, all brought onto one scan by their CTs."""
    maps = []
    for number, scan in enumerate(scans):
        found = activity(scan, camera, calibration)
        if number != fixed:
            motion = register_rigid(scans[fixed].attenuation, scan.attenuation)
            found = bring(found, motion, found)
        maps.append(found.array)
    return np.asarray(maps, dtype=np.float32)


def run_case(seed: int, setting: Setting) -> Case:
    """Scan one patient and compute its doses."""
    grid, camera = setting.grid, setting.camera
    patient = draw_patient(seed, grid=grid, phantom_voxel_mm=setting.phantom_mm)
    density = patient.anatomy.density_g_cm3
    shares = patient.shares(grid, patient.anatomy.labels, density)
    scans = [scan_patient(patient, shares, n, camera=camera) for n in range(len(patient.scans_h))]
    calibration = wrong_calibration(camera, patient.calibration_error_rel)
    maps = registered(scans, camera, calibration)
    seen = SeenVolume(diameter_mm=50, voxel_mm=ERRORS.drawn_voxel_mm, fwhm_mm=ERRORS.drawn_fwhm_mm)
    wrong = drawn_outlines(
        patient,
        shares,
        border_std_mm=0.5 * seen.diameter_std_mm,
        beside_std_mm=seen.diameter_std_mm / sqrt(12),
    )
    found = [
        series_doses(
            maps,
            np.array(patient.scans_h),
            outlines(
                coarse_grid(grid),
                given.share,
                pooled(density) / np.float32(FINER**3),
                larger=given.larger,
                smaller=given.smaller,
                step_mm=given.step_mm,
            ),
            emitter=NUCLIDE,
            blur=blur_of(setting)[0],
            calibration=calibration,
        ).outlines
        for given in (true_outlines(patient, shares), wrong)
    ]
    return Case(
        patient=patient,
        truth=truth_of(patient, shares),
        known=found[0],
        drawn=found[1],
        factor=1 + patient.calibration_error_rel,
    )


def cases(seeds: range, setting: Setting, progress: Callable[[str], None]) -> list[Case]:
    """Return several patients."""
    out = []
    for seed in seeds:
        progress(f"simulated patient {seed - seeds.start + 1} of {len(seeds)}")
        out.append(run_case(seed, setting))
    return out
