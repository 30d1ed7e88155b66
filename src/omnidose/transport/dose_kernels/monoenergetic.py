"""Energy inside a radius around a point in water, for electrons and photons of one energy."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from omnidose.data import load
from omnidose.transport.dose_kernels.media import (
    HIGHEST_ELECTRON_KEV,
    HIGHEST_PHOTON_KEV,
    LOWEST_ELECTRON_KEV,
    LOWEST_PHOTON_KEV,
)

ArrayF8 = npt.NDArray[np.float64]

#: Beyond so many mean free paths nothing is left (exp(-30)); the table ends at 16, its ratio is held.
_FAR = 30.0
#: Points for the integral over scattered photons.
_X = np.concatenate([[0.0], np.geomspace(1e-3, _FAR, 500)])


def radiated_share(energy_kev: npt.ArrayLike) -> ArrayF8:
    """Return the share of an electron's energy that becomes bremsstrahlung in water; 0 below 10 keV."""
    energy = np.asarray(energy_kev, dtype=np.float64)
    table = load("dose_kernel_electrons")
    grid, share = np.log(table["energy_kev"]), np.log(table["radiated_share"])
    value = np.exp(np.interp(np.log(np.maximum(energy, LOWEST_ELECTRON_KEV)), grid, share))
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


def photon_absorbed_share(energy_kev: npt.ArrayLike) -> ArrayF8:
    """Return the share of a photon's energy that an endless water absorbs: the rest is bremsstrahlung.

    Of the unscattered photons by (mu_en / mu_tr) at their energy, of the scattered at the mean energy after
    one interaction (below 1 MeV the difference is less than 0.1 %).
    """
    energy = np.atleast_1d(np.asarray(energy_kev, dtype=np.float64))
    unscattered, kept, kept_scattered = _first(energy)
    share = unscattered * kept + (1 - unscattered) * kept_scattered
    return np.where(energy < LOWEST_PHOTON_KEV, 1.0, share)


def photon_enclosed(energy_kev: npt.ArrayLike, radius_g_cm2: npt.ArrayLike) -> ArrayF8:
    """Return the share of a photon's energy absorbed in water inside a radius around its origin.

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
    Unscattered photons in closed form; scattered as the table's ratio to them (Monte Carlo) at equal numbers
    of mean free paths, linear in ln E, times what makes the kerma of the endless medium the emitted energy.
    """
    energy = np.atleast_1d(np.asarray(energy_kev, dtype=np.float64))
    radius = np.atleast_1d(np.asarray(radius_g_cm2, dtype=np.float64))
    mu = _coefficient("mu_cm2_g", energy)
    unscattered, kept, kept_scattered = _first(energy)
    out = np.empty((energy.size, radius.size))
    for i in range(energy.size):
        x = np.minimum(mu[i] * radius, _FAR)
        scattered = (1 - unscattered[i]) * kept_scattered[i] * np.interp(x, _X, _scattered(energy[i]))
        out[i] = unscattered[i] * kept[i] * -np.expm1(-x) + scattered
    out[energy < LOWEST_PHOTON_KEV] = 1.0
    return out


def _scattered(energy_kev: float) -> ArrayF8:
    """Return the share of the scattered photons' kerma inside _X mean free paths."""
    table = load("dose_kernel_photons")
    grid = np.log(table["energy_kev"])
    ratio = table["scattered_over_unscattered"].astype(np.float64)
    k = int(np.clip(np.searchsorted(grid, np.log(energy_kev), side="right") - 1, 0, grid.size - 2))
    upper = float(np.clip((np.log(energy_kev) - grid[k]) / (grid[k + 1] - grid[k]), 0.0, 1.0))
    mixed = (1 - upper) * ratio[k] + upper * ratio[k + 1]
    density = np.interp(_X, table["mean_free_paths"], mixed) * np.exp(-_X)
    inside = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(_X))])
    return np.asarray(inside / inside[-1])


def _first(energy_kev: ArrayF8) -> tuple[ArrayF8, ArrayF8, ArrayF8]:
    """Return mu_tr/mu, and mu_en/mu_tr of unscattered and of scattered photons."""
    mu, transfer, absorbed = (
        _coefficient(key, energy_kev) for key in ("mu_cm2_g", "mu_tr_cm2_g", "mu_en_cm2_g")
    )
    unscattered = transfer / mu
    after = np.maximum(energy_kev * (1 - unscattered), LOWEST_PHOTON_KEV)
    kept = _coefficient("mu_en_cm2_g", after) / _coefficient("mu_tr_cm2_g", after)
    return unscattered, absorbed / transfer, kept


def _coefficient(key: str, energy_kev: ArrayF8) -> ArrayF8:
    clipped = np.clip(energy_kev, LOWEST_PHOTON_KEV, HIGHEST_PHOTON_KEV)
    return np.asarray(np.exp(_curve(key)(np.log(clipped))))


@cache
def _curve(key: str) -> PchipInterpolator:
    """Coefficients of water have no edges above 1 keV: a smooth curve through their logarithms."""
    table = load("dose_kernel_photons")
    return PchipInterpolator(np.log(table["energy_kev"]), np.log(table[key]))
