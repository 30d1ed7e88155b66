"""The bow-tie filter as an *equivalent* filter: thickness against fan angle.

Method of Turner et al. 2009 (Med. Phys. 36:2154): a filter of one material whose thickness along
each ray reproduces the attenuation across the fan; what the real filter is made of stays with its
maker. Without a measured profile the shape is that of a *compensator*: proportional to the water
path that a ray misses in a cylinder around the isocentre; its strength is fitted so that the CTDI
phantom's centre/periphery ratio meets a stated target (:mod:`omnidose.beams.ctdi`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.beams.materials import FILTERS
from omnidose.errors import InputError, RangeError

ArrayF8 = npt.NDArray[np.float64]

#: Largest equivalent thickness; 100 mm Al pass less than 1 % of any diagnostic beam.
MAX_THICKNESS_MM = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bowtie:
    """An equivalent bow-tie filter.

    Attributes
    ----------
    name
        ``body``, ``head``, ``none`` or the name of a measured profile.
    material
        Name of the equivalent material (``aluminium`` or ``PMMA``).
    radius_mm
        Radius of the cylinder around the isocentre that the compensator flattens.
    strength_mm_per_mm
        Equivalent thickness per missing path in that cylinder; 0 is no bow-tie.
    profile_deg, profile_mm
        A measured profile instead: fan angles (from 0, rising) and thicknesses. Symmetric.
    """

    name: str
    material: str = "aluminium"
    radius_mm: float = 250.0
    strength_mm_per_mm: float = 0.0
    profile_deg: tuple[float, ...] = ()
    profile_mm: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.material not in FILTERS:
            raise InputError(f"a bow-tie of '{self.material}' is unknown", allowed=", ".join(sorted(FILTERS)))
        if self.radius_mm <= 0 or self.strength_mm_per_mm < 0:
            raise RangeError(
                f"bow-tie radius {self.radius_mm} mm or strength {self.strength_mm_per_mm} is impossible",
                allowed="radius > 0, strength >= 0",
            )
        if len(self.profile_deg) != len(self.profile_mm) or np.any(np.diff(self.profile_deg) <= 0):
            raise InputError("a bow-tie profile needs rising fan angles and as many thicknesses")
        if any(value < 0 for value in self.profile_mm) or any(value < 0 for value in self.profile_deg):
            raise InputError("fan angles and thicknesses of a bow-tie profile must be >= 0")

    def thickness_mm(self, slope: npt.ArrayLike, focus_mm: float) -> ArrayF8:
        """Return the equivalent thickness along rays.

        Parameters
        ----------
        slope
            Tangent of the fan angle, any shape.
        focus_mm
            Distance from focal spot to isocentre.

        Returns
        -------
        numpy.ndarray
            Thickness in mm, shape of ``slope``.
        """
        tangent = np.abs(np.asarray(slope, dtype=np.float64))
        angle = np.arctan(tangent)
        if self.profile_deg:
            return np.asarray(np.interp(np.rad2deg(angle), self.profile_deg, self.profile_mm))
        distance_mm = focus_mm * np.sin(angle)
        chord_mm = 2 * np.sqrt(np.clip(self.radius_mm**2 - distance_mm**2, 0.0, None))
        missing_mm = 2 * self.radius_mm - chord_mm
        return np.asarray(np.minimum(self.strength_mm_per_mm * missing_mm, MAX_THICKNESS_MM))


#: No bow-tie at all.
NO_BOWTIE = Bowtie(name="none")
