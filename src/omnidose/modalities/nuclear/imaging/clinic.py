"""The clinic of simulated patients: its camera and grids, its calibration, the blur of its images."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt

from omnidose.dosimetry.internal_uncertainty import Calibration
from omnidose.modalities.nuclear.imaging.camera import Camera
from omnidose.modalities.nuclear.imaging.patients import CALIBRATION_STD_REL, NUCLIDE
from omnidose.modalities.nuclear.imaging.scans import Scan, coarse_grid
from omnidose.modalities.nuclear.imaging.sphere_phantom import VOLUMES_CM3, scan_spheres
from omnidose.modalities.nuclear.series.calibration import activity_at_start
from omnidose.modalities.nuclear.series.recovery import ImageBlur, fit_blur
from omnidose.physics.nuclides import nuclide
from omnidose.volume import Grid, Volume

ArrayF8 = npt.NDArray[np.float64]


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


@cache
def blur_of(setting: Setting) -> tuple[ImageBlur, ArrayF8]:
    """Return the image's blur and the spheres' recoveries, measured with the setting's own camera."""
    scan, cells, given = scan_spheres(setting.grid, setting.camera)
    image = activity(scan, setting.camera, wrong_calibration(setting.camera, 0.0)).array
    spheres = tuple(f"{volume:g} mL" for volume in VOLUMES_CM3)
    return fit_blur(image, cells, given, coarse_grid(setting.grid).spacing_mm, spheres=spheres)


def wrong_calibration(camera: Camera, error_rel: float) -> Calibration:
    """Return what a clinic takes for the factor of its camera."""
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
