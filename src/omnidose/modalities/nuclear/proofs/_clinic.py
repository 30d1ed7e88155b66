"""A clinic that knows nothing of the truth: scans simulated patients and computes their doses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from math import sqrt

import numpy as np
import numpy.typing as npt

from omnidose.dosimetry.internal_uncertainty import Calibration, SeenVolume
from omnidose.modalities.nuclear.imaging.camera import Camera
from omnidose.modalities.nuclear.imaging.drawn import drawn_outlines, true_outlines
from omnidose.modalities.nuclear.imaging.patients import (
    CALIBRATION_STD_REL,
    NUCLIDE,
    Patient,
    draw_patient,
)
from omnidose.modalities.nuclear.imaging.scans import FINER, Scan, coarse_grid, pooled, scan_patient
from omnidose.modalities.nuclear.imaging.sphere_phantom import VOLUMES_CM3, scan_spheres
from omnidose.modalities.nuclear.imaging.truth import Truth, truth_of
from omnidose.modalities.nuclear.series.calibration import activity_at_start
from omnidose.modalities.nuclear.series.doses import series_doses
from omnidose.modalities.nuclear.series.outlines import outlines
from omnidose.modalities.nuclear.series.recovery import ImageBlur, fit_blur
from omnidose.modalities.nuclear.series.registration import bring, register_rigid
from omnidose.modalities.nuclear.series.results import OutlineDose
from omnidose.modalities.nuclear.series.sight import Errors
from omnidose.physics.nuclides import nuclide
from omnidose.volume import Grid, Volume

ArrayF4 = npt.NDArray[np.float32]
ArrayF8 = npt.NDArray[np.float64]

ERRORS = Errors()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Camera and grids.

    Attributes
    ----------
    fine_shape_zyx, fine_mm
        Grid of the truth; the image has half as many voxels along each axis.
    """

    camera: Camera = field(default_factory=Camera)
    fine_shape_zyx: tuple[int, int, int] = (128, 160, 160)
    fine_mm: float = 3.0
    phantom_mm: float = 3.0

    @property
    def grid(self) -> Grid:
        """The fine grid."""
        return Grid.centred(self.fine_shape_zyx, (self.fine_mm,) * 3)


#: As in a clinic, and as small as still makes sense.
FULL = Setting()
SMALL = Setting(camera=Camera(views=30), fine_shape_zyx=(80, 108, 108), fine_mm=4.0, phantom_mm=6.0)


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


@cache
def blur_of(setting: Setting) -> tuple[ImageBlur, ArrayF8]:
    """Return the image's blur and the spheres' recoveries, measured with the setting's own camera."""
    scan, cells, given = scan_spheres(setting.grid, setting.camera)
    image = activity(scan, setting.camera, _calibration(setting.camera, 0.0)).array
    spheres = tuple(f"{volume:g} mL" for volume in VOLUMES_CM3)
    return fit_blur(image, cells, given, coarse_grid(setting.grid).spacing_mm, spheres=spheres)


def _calibration(camera: Camera, error_rel: float) -> Calibration:
    return Calibration(
        cps_per_mbq=camera.cps_per_mbq * (1 + error_rel), std_rel=CALIBRATION_STD_REL, camera=camera.name
    )


def activity(scan: Scan, camera: Camera, calibration: Calibration) -> Volume:
    """Return MBq per voxel at the start of a scan."""
    return activity_at_start(
        scan.image,
        calibration,
        rate_per_s=scan.rate_per_s,
        dead_time_s=camera.dead_time_s,
        duration_s=scan.duration_s,
        half_life_h=nuclide(NUCLIDE).half_life_h,
    )


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


@cache
def run_case(seed: int, setting: Setting) -> Case:
    """Scan one patient and compute its doses; kept, because two claims look at the same patients."""
    grid, camera = setting.grid, setting.camera
    patient = draw_patient(seed, grid=grid, phantom_voxel_mm=setting.phantom_mm)
    density = patient.anatomy.density_g_cm3
    shares = patient.shares(grid, patient.anatomy.labels, density)
    scans = [scan_patient(patient, shares, n, camera=camera) for n in range(len(patient.scans_h))]
    calibration = _calibration(camera, patient.calibration_error_rel)
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
