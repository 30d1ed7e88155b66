"""A SPECT camera with parallel holes: what it sees of an activity, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log, sqrt

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError

ArrayF8 = npt.NDArray[np.float64]
FWHM_PER_STD = 2 * sqrt(2 * log(2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """Two heads that turn around a body.

    Attributes
    ----------
    views
        Projections over 360 degrees, those of both heads together.
    intrinsic_mm
        FWHM of the crystal.
    hole_mm, hole_length_mm
        Diameter and effective length of the holes: a source at distance d is seen with the FWHM
        hole (length + d) / length, in quadrature with the crystal's.
    fwhm_error_mm
        Added to the FWHM at every distance: a model of the camera that is wrong by this much.
    cps_per_mbq
        Counts per second and head for 1 MBq that nothing absorbs, in the photopeak window.
    photopeak_kev
        At which the body absorbs.
    window_share_fraction
        Width of one side window over the width of the photopeak window.
    dead_time_s
        Of a system that every event paralyses; 0 for none.
    name
        Equal for all doses that share its calibration.
    """

    views: int = 60
    intrinsic_mm: float = 3.8
    hole_mm: float = 2.94
    hole_length_mm: float = 36.0
    fwhm_error_mm: float = 0.0
    cps_per_mbq: float = 10.0
    photopeak_kev: float = 208.4
    window_share_fraction: float = 0.3
    dead_time_s: float = 0.6e-6
    name: str = "camera"

    def __post_init__(self) -> None:
        for name in ("intrinsic_mm", "hole_mm", "hole_length_mm", "cps_per_mbq", "window_share_fraction"):
            if not getattr(self, name) > 0:
                raise InputError(f"{getattr(self, name)} cannot be used", where=name, allowed="more than 0")
        if self.views < 4 or self.dead_time_s < 0:
            raise InputError("a camera needs at least 4 views and a dead time of 0 or more", where=self.name)

    @property
    def angles_rad(self) -> ArrayF8:
        """[views] direction of each head from the axis, from +x towards +y."""
        return np.asarray(2 * np.pi * np.arange(self.views) / self.views)

    def fwhm_mm(self, distance_mm: npt.ArrayLike) -> ArrayF8:
        """Return the resolution at distances from the collimator's face, mm."""
        away = np.maximum(np.asarray(distance_mm, dtype=np.float64), 0.0)
        collimator = self.hole_mm * (self.hole_length_mm + away) / self.hole_length_mm
        return np.maximum(np.hypot(self.intrinsic_mm, collimator) + self.fwhm_error_mm, 0.5)

    def wrong_by(self, error_mm: float) -> Camera:
        """Return a model of this camera whose FWHM is wrong."""
        return replace(self, fwhm_error_mm=self.fwhm_error_mm + error_mm)
