"""Electron stopping powers of mixtures and what follows from them without transport."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnidose.data import load
from omnidose.errors import RangeError
from omnidose.physics.materials import Material

ArrayF8 = npt.NDArray[np.float64]


def stopping_power_mev_cm2_g(material: Material) -> tuple[ArrayF8, ArrayF8, ArrayF8]:
    """Return (energy_kev, collision, radiative) of a mixture on the table's grid, 1 keV to 30 MeV.

    Bragg additivity of the elements' ESTAR values: bonds and the density effect of compounds are left
    out (collision of water about 2 % high).
    """
    table = load("electron_stopping")
    collision = np.zeros(table["energy_kev"].size)
    radiative = np.zeros_like(collision)
    for z, weight in material.weight_fractions.items():
        collision += weight * table["collision_mev_cm2_g"][z - 1]
        radiative += weight * table["radiative_mev_cm2_g"][z - 1]
    return table["energy_kev"], collision, radiative


def radiation_yield(material: Material, energy_kev: npt.ArrayLike) -> ArrayF8:
    """Fraction of an electron's energy that becomes bremsstrahlung while it stops in the material.

    Continuous slowing down: Y(T) = 1/T integral of S_rad / S_tot dT. Below 1 keV it is taken as 0.

    Raises
    ------
    RangeError
        For an energy above 30 MeV or below 0.
    """
    energy = np.asarray(energy_kev, dtype=np.float64)
    grid, collision, radiative = stopping_power_mev_cm2_g(material)
    if not np.all((energy >= 0) & (energy <= grid[-1])):
        raise RangeError(
            "an electron energy is outside the stopping powers", allowed=f"0 to {grid[-1]:g} keV"
        )
    ratio = radiative / (radiative + collision)
    lost = np.concatenate([[0.0], np.cumsum(0.5 * (ratio[1:] + ratio[:-1]) * np.diff(grid))])
    return np.asarray(np.interp(energy, grid, lost / grid))
