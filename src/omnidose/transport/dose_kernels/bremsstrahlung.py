"""Bremsstrahlung of electrons that stop in a medium, as photons per decay."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnidose.physics.electron_stopping import collision_mev_cm2_g, radiative_mev_cm2_g
from omnidose.physics.materials import Material
from omnidose.transport.dose_kernels.media import LOWEST_ELECTRON_KEV, LOWEST_PHOTON_KEV
from omnidose.transport.dose_kernels.monoenergetic import radiated_share
from omnidose.transport.electrons._bremsstrahlung import photon_shape

ArrayF8 = npt.NDArray[np.float64]

#: The shape of the spectrum is oxygen's, which makes 97 % of water's bremsstrahlung (weight x Z^2 / A).
_Z = 8
_PHOTON_BINS, _SLOWING_STEPS = 48, 120


def bremsstrahlung(medium: Material, energy_kev: ArrayF8, per_decay: ArrayF8) -> tuple[ArrayF8, ArrayF8]:
    """Return photon energies and photons per decay while electrons stop in a medium.

    Parameters
    ----------
    energy_kev, per_decay
        [n] energies and numbers of the electrons.

    Returns
    -------
    photon_kev, per_decay
        [48] mean energies of geometric bins from 2 keV to the largest electron energy; their energy is the
        electrons' radiated share (what lies below 2 keV is added in proportion: it is 0.1 to 1 % of it).
        Empty without electrons of 10 keV or more.

    Notes
    -----
    Thick target in continuous slowing down: every electron passes all energies below its own, and radiates
    S_rad / S_tot of what it loses there, with the spectrum of Bethe and Heitler's formula with Elwert's
    factor and Schiff's screening (as the electron Monte Carlo). Photons are taken as isotropic from the point
    of decay, though they are born along the track, mostly forwards.
    """
    used = (energy_kev >= LOWEST_ELECTRON_KEV) & (per_decay > 0)
    energy, number = energy_kev[used], per_decay[used]
    radiated = float(energy @ (number * radiated_share(medium, energy)))
    if not radiated > 0:
        return np.zeros(0), np.zeros(0)
    top = float(energy.max())
    slowing = np.geomspace(LOWEST_PHOTON_KEV, top, _SLOWING_STEPS + 1)
    middle = np.sqrt(slowing[1:] * slowing[:-1])
    order = np.argsort(energy)
    above = np.concatenate([np.cumsum(number[order][::-1])[::-1], [0.0]])
    passing = above[np.searchsorted(energy[order], middle)]
    radiative = radiative_mev_cm2_g(medium, middle)
    share = radiative / (radiative + collision_mev_cm2_g(medium, middle))
    edges = np.geomspace(LOWEST_PHOTON_KEV, top, _PHOTON_BINS + 1)
    in_bins = np.zeros(_PHOTON_BINS)
    for kev, lost in zip(middle, passing * share * np.diff(slowing), strict=True):
        x, shape, width = photon_shape(float(kev), _Z)
        weight = shape * width
        in_bins += np.histogram(x * kev, bins=edges, weights=lost * weight / weight.sum())[0]
    mean = np.sqrt(edges[1:] * edges[:-1])
    return mean, in_bins * radiated / in_bins.sum() / mean
