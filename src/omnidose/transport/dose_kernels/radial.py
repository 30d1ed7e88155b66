"""A nuclide's point kernel: the energy of its electrons and photons in shells around a decay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from omnidose.physics.material_library import material
from omnidose.transport.dose_kernels.bremsstrahlung import bremsstrahlung
from omnidose.transport.dose_kernels.emissions import RadiationYield
from omnidose.transport.dose_kernels.media import Medium
from omnidose.transport.dose_kernels.monoenergetic import (
    electron_enclosed,
    electron_reach_g_cm2,
    photon_enclosed,
    radiated_share,
)

ArrayF8 = npt.NDArray[np.float64]

#: Photons are followed to the corners of a box of twice this width.
PHOTON_REACH_MM = 400.0
_ELECTRON_SHELLS, _PHOTON_SHELLS = 480, 480


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shells:
    """Energy per decay in spherical shells, spread evenly over the radius inside each.

    Attributes
    ----------
    edge_g_cm2
        [n + 1] rising radii times density, from 0.
    energy_kev
        [n] energy absorbed per decay.
    """

    edge_g_cm2: ArrayF8
    energy_kev: ArrayF8

    @property
    def total_kev(self) -> float:
        """Energy in all shells."""
        return float(self.energy_kev.sum())

    def inside_sphere_kev(self, radius_g_cm2: float) -> float:
        """Return the energy per decay absorbed in a sphere with uniform activity, in an endless medium.

        Of pairs of points at a distance r, one of them uniform in the sphere of radius R, the share
        1 - 3r/(4R) + r^3/(16 R^3) has the other one inside; integrated over each shell in closed form.
        """
        edge = np.minimum(self.edge_g_cm2, 2 * radius_g_cm2) / radius_g_cm2
        integral = edge - 3 / 8 * edge**2 + edge**4 / 64
        share = np.diff(integral) * radius_g_cm2 / np.diff(self.edge_g_cm2)
        return float(self.energy_kev @ share)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RadialKernel:
    """Point kernel of a nuclide; electrons on the scale of water, photons on that of the medium.

    Attributes
    ----------
    electron, photon
        Energy in shells; bremsstrahlung is among the photons.
    alpha_kev
        Energy of alphas and recoil nuclei, at the point.
    emitted_electron_kev, emitted_photon_kev
        Per decay, without bremsstrahlung.
    radiated_kev
        What electrons turn into bremsstrahlung.
    """

    name: str
    electron: Shells
    photon: Shells
    alpha_kev: float
    emitted_electron_kev: float
    emitted_photon_kev: float
    radiated_kev: float


def radial_kernel(emitted: RadiationYield, medium: Medium) -> RadialKernel:
    """Sum the kernels of all electrons and photons of a decay.

    Electrons below 10 keV and photons below 2 keV stay at the point (in the first shell).
    """
    composition = material(medium.composition)
    energy, number = emitted.electrons()
    kept = energy * number * (1 - radiated_share(composition, energy))
    brems_kev, brems = bremsstrahlung(composition, energy, number)
    photon_kev = np.concatenate([emitted.photon_kev, brems_kev])
    photons = photon_kev * np.concatenate([emitted.photon_per_decay, brems])
    reach = max(electron_reach_g_cm2(float(energy.max())) if energy.size else 0.0, 1e-3)
    return RadialKernel(
        name=emitted.name,
        electron=_shells(energy, kept, reach, _ELECTRON_SHELLS, electron_enclosed),
        photon=_shells(
            photon_kev,
            photons,
            _photon_reach_g_cm2(medium),
            _PHOTON_SHELLS,
            partial(photon_enclosed, composition),
        ),
        alpha_kev=emitted.alpha_kev,
        emitted_electron_kev=emitted.emitted_electron_kev,
        emitted_photon_kev=emitted.emitted_photon_kev,
        radiated_kev=float(brems_kev @ brems),
    )


def _photon_reach_g_cm2(medium: Medium) -> float:
    return 1.8 * PHOTON_REACH_MM / 10 * medium.density_g_cm3


def _shells(
    energy_kev: ArrayF8,
    weight_kev: ArrayF8,
    reach: float,
    count: int,
    enclosed: Callable[[ArrayF8, ArrayF8], ArrayF8],
) -> Shells:
    edge = np.concatenate([[0.0], np.geomspace(1e-4, reach, count)])
    inside = np.zeros(edge.size)
    used = weight_kev > 0
    if used.any():
        inside = weight_kev[used] @ enclosed(energy_kev[used], edge)
    inside[0] = 0.0  # what never leaves the point is in the first shell
    return Shells(edge_g_cm2=edge, energy_kev=np.diff(inside))
