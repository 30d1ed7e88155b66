"""Alpha particles in tissue: stopping power, LET and range of ASTAR (table ``decay_alpha_stopping``)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnidose.data import load
from omnidose.errors import InputError, RangeError

ArrayF8 = npt.NDArray[np.float64]


def alpha_materials() -> tuple[str, ...]:
    """Return the materials of the table."""
    return tuple(dict.fromkeys(load("decay_alpha_stopping")["material"].tolist()))


def alpha_range_g_cm2(energy_kev: npt.ArrayLike, material: str = "water") -> ArrayF8:
    """Return the range in continuous slowing down (g/cm2; in water 0.001 of it is 10 um).

    Raises
    ------
    RangeError
        For energies outside 1 keV to 10 MeV.
    InputError
        For a material that is not in :func:`alpha_materials`.
    """
    return _interpolate(energy_kev, material, "csda_g_cm2")


def alpha_stopping_mev_cm2_g(energy_kev: npt.ArrayLike, material: str = "water") -> ArrayF8:
    """Return the electronic stopping power (errors as :func:`alpha_range_g_cm2`)."""
    return _interpolate(energy_kev, material, "electronic_mev_cm2_g")


def alpha_let_kev_um(energy_kev: npt.ArrayLike) -> ArrayF8:
    """Return the LET in water at an energy: 1 MeV cm2/g is 0.1 keV/um at 1 g/cm3."""
    return alpha_stopping_mev_cm2_g(energy_kev) / 10


def mean_alpha_let_kev_um(energy_kev: float) -> float:
    """Return the mean LET along the whole track in water: energy over range."""
    return float(energy_kev / (alpha_range_g_cm2(energy_kev) * 1e4))


def _interpolate(energy_kev: npt.ArrayLike, material: str, column: str) -> ArrayF8:
    if material not in alpha_materials():
        raise InputError(
            f"no stopping powers of alpha particles in '{material}'", allowed=", ".join(alpha_materials())
        )
    table = load("decay_alpha_stopping")
    rows = table["material"] == material
    grid, values = table["energy_kev"][rows], table[column][rows]
    energy = np.asarray(energy_kev, dtype=np.float64)
    if not np.all((energy >= grid[0]) & (energy <= grid[-1])):
        raise RangeError(
            "an alpha energy is outside the stopping powers", allowed=f"{grid[0]:g} to {grid[-1]:g} keV"
        )
    return np.asarray(np.exp(np.interp(np.log(energy), np.log(grid), np.log(values))))
