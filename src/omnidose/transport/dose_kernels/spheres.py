"""Spheres with uniform activity: their S values from the point kernel, without Monte Carlo."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from omnidose.errors import InputError
from omnidose.physics.alpha_stopping import alpha_range_g_cm2
from omnidose.physics.nuclides import Nuclide
from omnidose.transport.dose_kernels.emissions import RadiationYield
from omnidose.transport.dose_kernels.media import MEDIA, Medium, medium_of
from omnidose.transport.dose_kernels.nuclide_yields import yield_of
from omnidose.transport.dose_kernels.radial import RadialKernel, Shells, radial_kernel
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
    1 - 3r/(4R) + r^3/(16 R^3) (A. M. Kellerer, Radiat. Res. 98 (1984) 425). Alphas fly straight and slow down
    as ASTAR has it (water, or cortical bone): of At-211's, 2 % of the energy leaves a sphere of 1 mm radius
    and 20 % one of 0.1 mm. Recoil nuclei stay.
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
        alpha_mgy=unit * _alpha_kev(emitted, made_of, radius_g_cm2),
    )


def _alpha_kev(emitted: RadiationYield, medium: Medium, radius_g_cm2: float) -> float:
    """Return the energy of alphas and recoil nuclei per decay that stays in the sphere."""
    table = "cortical bone ICRP" if medium.composition == MEDIA["bone"].composition else "water"
    held = emitted.alpha_kev - float(emitted.alpha_line_kev @ emitted.alpha_per_decay)
    for energy_kev, number in zip(emitted.alpha_line_kev, emitted.alpha_per_decay, strict=True):
        left_kev = np.linspace(energy_kev, _LEAST_ALPHA_KEV, _ALPHA_STEPS)
        path_g_cm2 = alpha_range_g_cm2(energy_kev, table) - alpha_range_g_cm2(left_kev, table)
        lost_kev = -np.diff(left_kev)
        lost_kev[-1] += _LEAST_ALPHA_KEV
        held += number * Shells(edge_g_cm2=path_g_cm2, energy_kev=lost_kev).inside_sphere_kev(radius_g_cm2)
    return float(held)


#: Alphas are followed to this energy, 0.1 micrometre before their end, in so many steps of energy.
_LEAST_ALPHA_KEV, _ALPHA_STEPS = 10.0, 300


#: The photon kernel reaches 720 mm.
_LARGEST_MM = 360.0
