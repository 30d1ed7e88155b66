"""Spheres with uniform activity: their S values from the point kernel, without Monte Carlo."""

from __future__ import annotations

import math
from dataclasses import dataclass

from omnidose.errors import InputError
from omnidose.physics.nuclides import Nuclide
from omnidose.transport.dose_kernels.emissions import RadiationYield
from omnidose.transport.dose_kernels.media import Medium, medium_of
from omnidose.transport.dose_kernels.nuclide_yields import yield_of
from omnidose.transport.dose_kernels.radial import RadialKernel, radial_kernel
from omnidose.transport.tally import MGY_PER_KEV_G


@dataclass(frozen=True, slots=True, kw_only=True)
class SphereS:
    """Mean dose in a sphere per MBq s spread evenly in it, in an endless medium of the same kind.

    Attributes
    ----------
    electron_mgy, photon_mgy, alpha_mgy
        Per MBq s; bremsstrahlung is among the photons, recoil nuclei among the alphas.
    """

    mass_g: float
    radius_mm: float
    electron_mgy: float
    photon_mgy: float
    alpha_mgy: float

    @property
    def total_mgy(self) -> float:
        """Sum of absorbed doses per MBq s, without weights."""
        return self.electron_mgy + self.photon_mgy + self.alpha_mgy


def sphere_s(
    emitted: RadiationYield | Nuclide | str,
    mass_g: float,
    *,
    medium: Medium | str = "soft tissue",
    kernel: RadialKernel | None = None,
) -> SphereS:
    """Compute the S value of a sphere.

    Parameters
    ----------
    emitted
        Radiations per decay, or a nuclide (without progeny).
    mass_g
        Mass of the sphere: its radius follows from the density of the medium. Up to a radius of 360 mm.
    kernel
        The nuclide's point kernel in this medium, if it has been made already.

    Raises
    ------
    InputError
        For a mass that is no mass, or too large.

    Notes
    -----
    The share of pairs of points at a distance r that lie in a sphere of radius R is
    1 - 3r/(4R) + r^3/(16 R^3) (A. M. Kellerer, Radiat. Res. 98 (1984) 425).
    """
    made_of = medium_of(medium)
    if isinstance(emitted, Nuclide | str):
        emitted = yield_of(emitted)
    radius_mm = 10 * (3 * mass_g / (4 * math.pi * made_of.density_g_cm3)) ** (1 / 3) if mass_g > 0 else 0.0
    if not 0 < radius_mm <= _LARGEST_MM:  # NaN too
        raise InputError(
            f"a sphere of {mass_g:g} g",
            where="mass_g",
            allowed=f"above 0, up to a radius of {_LARGEST_MM:g} mm",
        )
    kernel = kernel or radial_kernel(emitted, made_of)
    radius_g_cm2 = radius_mm / 10 * made_of.density_g_cm3
    unit = 1e6 * MGY_PER_KEV_G / mass_g
    return SphereS(
        mass_g=mass_g,
        radius_mm=radius_mm,
        electron_mgy=unit * kernel.electron.inside_sphere_kev(radius_g_cm2 * made_of.scale),
        photon_mgy=unit * kernel.photon.inside_sphere_kev(radius_g_cm2),
        alpha_mgy=unit * kernel.alpha_kev,
    )


#: The photon kernel reaches 720 mm.
_LARGEST_MM = 360.0
