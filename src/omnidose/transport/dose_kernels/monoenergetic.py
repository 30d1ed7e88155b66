"""Energy inside a radius around a point, for electrons and photons of one energy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.data import load
from omnidose.physics.electron_stopping import range_and_yield
from omnidose.physics.material_library import material
from omnidose.physics.materials import Material
from omnidose.physics.photons import (
    mass_attenuation_cm2_g,
    mass_energy_absorption_cm2_g,
    mass_energy_transfer_cm2_g,
)
from omnidose.transport.dose_kernels.media import (
    HIGHEST_ELECTRON_KEV,
    HIGHEST_PHOTON_KEV,
    LOWEST_ELECTRON_KEV,
    LOWEST_PHOTON_KEV,
)

ArrayF8 = npt.NDArray[np.float64]

#: Beyond so many mean free paths nothing is left (exp(-30)); the table ends at 16, its ratio is held.
_FAR = 30.0
#: Energy at which media are told apart by what they leave of a photon.
_JUDGED_KEV = 30.0
#: Points for the integral over scattered photons.
_X = np.concatenate([[0.0], np.geomspace(1e-3, _FAR, 500)])


def radiated_share(medium: Material, energy_kev: npt.ArrayLike) -> ArrayF8:
    """Return the share of an electron's energy that becomes bremsstrahlung in a medium; 0 below 10 keV.

    Continuous slowing down with the radiative stopping powers of ESTAR.
    """
    energy = np.asarray(energy_kev, dtype=np.float64)
    grid, _, share = range_and_yield(medium)
    value = np.interp(np.log(np.maximum(energy, LOWEST_ELECTRON_KEV)), np.log(grid), share)
    return np.where(energy < LOWEST_ELECTRON_KEV, 0.0, value)


def electron_reach_g_cm2(energy_kev: float) -> float:
    """Return the radius beyond which an electron leaves nothing in water."""
    if energy_kev < LOWEST_ELECTRON_KEV:
        return 0.0
    table = load("dose_kernel_electrons")
    return float(table["r_over_x90"][-1] * _x90(np.array([min(energy_kev, HIGHEST_ELECTRON_KEV)]))[0] * 1.01)


def electron_enclosed(energy_kev: npt.ArrayLike, radius_g_cm2: npt.ArrayLike) -> ArrayF8:
    """Return the share of the energy an electron leaves in water inside a radius.

    Parameters
    ----------
    energy_kev
        [n] at most 4 MeV; below 10 keV everything stays at the point.
    radius_g_cm2
        [m] rising.

    Returns
    -------
    array
        [n, m] from 0 at the point to 1 at the end of the range.

    Notes
    -----
    Shares at equal r/X90 are linear between the energies of the table in ln E, X90 in both logarithms: a
    mixture of two rising curves from 0 to 1 is one, so that energy is kept exactly.
    """
    energy = np.atleast_1d(np.asarray(energy_kev, dtype=np.float64))
    radius = np.atleast_1d(np.asarray(radius_g_cm2, dtype=np.float64))
    table = load("dose_kernel_electrons")
    grid, inside = np.log(table["energy_kev"]), table["enclosed"].astype(np.float64)
    x = np.log(np.maximum(energy, LOWEST_ELECTRON_KEV))
    k = np.clip(np.searchsorted(grid, x, side="right") - 1, 0, grid.size - 2)
    upper = np.clip((x - grid[k]) / (grid[k + 1] - grid[k]), 0.0, 1.0)
    ratio = radius[None, :] / _x90(energy)[:, None]
    out = np.empty(ratio.shape)
    for i in range(energy.size):
        curve = (1 - upper[i]) * inside[k[i]] + upper[i] * inside[k[i] + 1]
        out[i] = np.interp(ratio[i], table["r_over_x90"], curve / curve[-1])
    out[energy < LOWEST_ELECTRON_KEV] = 1.0
    return out


def _x90(energy_kev: ArrayF8) -> ArrayF8:
    table = load("dose_kernel_electrons")
    x = np.log(np.maximum(energy_kev, LOWEST_ELECTRON_KEV))
    return np.asarray(np.exp(np.interp(x, np.log(table["energy_kev"]), np.log(table["x90_g_cm2"]))))


def photon_absorbed_share(medium: Material, energy_kev: npt.ArrayLike) -> ArrayF8:
    """Return the share of a photon's energy that an endless medium absorbs: the rest is bremsstrahlung.

    Of the unscattered photons by mu_en / mu_tr at their energy, of the scattered at the mean energy after
    one interaction (below 1 MeV the difference is less than 0.1 %).
    """
    energy = np.atleast_1d(np.asarray(energy_kev, dtype=np.float64))
    first = _first(medium, energy)
    share = first.unscattered * first.kept + (1 - first.unscattered) * first.kept_scattered
    return np.where(energy < LOWEST_PHOTON_KEV, 1.0, share)


def photon_enclosed(medium: Material, energy_kev: npt.ArrayLike, radius_g_cm2: npt.ArrayLike) -> ArrayF8:
    """Return the share of a photon's energy absorbed inside a radius around its origin.

    Parameters
    ----------
    energy_kev
        [n] at most 5 MeV; below 2 keV everything stays at the point.
    radius_g_cm2
        [m].

    Returns
    -------
    array
        [n, m]; in an endless medium :func:`photon_absorbed_share`.

    Notes
    -----
    Unscattered photons in closed form with the medium's coefficients; scattered as the ratio to them in water
    or cortical bone (Monte Carlo) at equal numbers of mean free paths, linear in ln E, times what makes the
    kerma of the endless medium the emitted energy. Other media lie between the two (:func:`bone_share`).
    """
    energy = np.atleast_1d(np.asarray(energy_kev, dtype=np.float64))
    radius = np.atleast_1d(np.asarray(radius_g_cm2, dtype=np.float64))
    first = _first(medium, energy)
    bone = bone_share(medium)
    out = np.empty((energy.size, radius.size))
    for i in range(energy.size):
        x = np.minimum(first.mu_cm2_g[i] * radius, _FAR)
        share = first.unscattered[i]
        scattered = (1 - share) * first.kept_scattered[i] * np.interp(x, _X, _scattered(energy[i], bone))
        out[i] = share * first.kept[i] * -np.expm1(-x) + scattered
    out[energy < LOWEST_PHOTON_KEV] = 1.0
    return out


def bone_share(medium: Material) -> float:
    """Return how far a medium's scattered photons are those of cortical bone: 0 as in water, 1 as in bone.

    By the share of its energy that a photon of 30 keV leaves in its first interaction, which is what light
    and heavy elements differ in.
    """
    water, bone, own = (
        float(mass_energy_transfer_cm2_g(m, _JUDGED_KEV) / mass_attenuation_cm2_g(m, _JUDGED_KEV))
        for m in (material("water"), material("cortical bone"), medium)
    )
    return float(np.clip((own - water) / (bone - water), 0.0, 1.0))


def _scattered(energy_kev: float, bone: float) -> ArrayF8:
    """Return the share of the scattered photons' kerma inside _X mean free paths."""
    out = np.zeros_like(_X)
    for name, weight in (("dose_kernel_photons", 1 - bone), ("dose_kernel_photons_bone", bone)):
        if weight > 0:
            out += weight * _scattered_in(name, energy_kev)
    return out


def _scattered_in(name: str, energy_kev: float) -> ArrayF8:
    table = load(name)
    grid = np.log(table["energy_kev"])
    ratio = table["scattered_over_unscattered"].astype(np.float64)
    k = int(np.clip(np.searchsorted(grid, np.log(energy_kev), side="right") - 1, 0, grid.size - 2))
    upper = float(np.clip((np.log(energy_kev) - grid[k]) / (grid[k + 1] - grid[k]), 0.0, 1.0))
    mixed = (1 - upper) * ratio[k] + upper * ratio[k + 1]
    density = np.interp(_X, table["mean_free_paths"], mixed) * np.exp(-_X)
    inside = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(_X))])
    return np.asarray(inside / inside[-1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _First:
    """First interactions: mu/rho, mu_tr/mu, and mu_en/mu_tr of unscattered and of scattered photons."""

    mu_cm2_g: ArrayF8
    unscattered: ArrayF8
    kept: ArrayF8
    kept_scattered: ArrayF8


def _first(medium: Material, energy_kev: ArrayF8) -> _First:
    energy = np.clip(energy_kev, LOWEST_PHOTON_KEV, HIGHEST_PHOTON_KEV)
    mu = mass_attenuation_cm2_g(medium, energy)
    transfer = mass_energy_transfer_cm2_g(medium, energy)
    after = np.maximum(energy * (1 - transfer / mu), LOWEST_PHOTON_KEV)
    return _First(
        mu_cm2_g=mu,
        unscattered=transfer / mu,
        kept=mass_energy_absorption_cm2_g(medium, energy) / transfer,
        kept_scattered=mass_energy_absorption_cm2_g(medium, after)
        / mass_energy_transfer_cm2_g(medium, after),
    )
