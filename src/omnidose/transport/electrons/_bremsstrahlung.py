"""Shape of the bremsstrahlung spectrum of one electron; its size comes from the radiative stopping power."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnidose.physics.electron_stopping import ALPHA, MC2_KEV

ArrayF8 = npt.NDArray[np.float64]

#: Points of the tabulated inverse distribution of photon energies.
QUANTILES = 65
_LOWEST = 1e-4
_X = np.geomspace(_LOWEST, 1.0, 801)
_MIDDLE = np.sqrt(_X[1:] * _X[:-1])
_WIDTH = np.diff(_X)


def photon_shape(energy_kev: float, z: float) -> tuple[ArrayF8, ArrayF8, ArrayF8]:
    """Return (x, shape, width): k d(sigma)/dk at x = photon energy / electron energy, not normalised.

    Bethe and Heitler's formula in Born approximation (Koch and Motz, Rev. Mod. Phys. 31 (1959) 920, formula
    3BN) with Elwert's factor, which lifts the tip, and Schiff's screening (their formula 3BS(b)) put
    into its logarithm through the smallest momentum transfer.
    """
    e0 = 1 + energy_kev / MC2_KEV
    k = _MIDDLE * (e0 - 1)
    e1 = np.maximum(e0 - k, 1 + 1e-9)
    p0, p1 = np.sqrt(e0**2 - 1), np.sqrt(e1**2 - 1)
    l0, l1 = 2 * np.log(e0 + p0), 2 * np.log(e1 + p1)
    transfer = np.maximum(p0 - p1 - k, 1e-12)
    big = 2 * np.log((e0 * e1 + p0 * p1 - 1) / k)
    big = np.maximum(big - np.log1p((z ** (1 / 3) / 111 / transfer) ** 2), 0.0)
    inner = (
        4 / 3
        - 2 * e0 * e1 * (p1**2 + p0**2) / (p0**2 * p1**2)
        + l0 * e1 / p0**3
        + l1 * e0 / p1**3
        - l0 * l1 / (p0 * p1)
        + big
        * (
            8 / 3 * e0 * e1 / (p0 * p1)
            + k**2 * (e0**2 * e1**2 + p0**2 * p1**2) / (p0**3 * p1**3)
            + k
            / (2 * p0 * p1)
            * (
                (e0 * e1 + p0**2) / p0**3 * l0
                - (e0 * e1 + p1**2) / p1**3 * l1
                + 2 * k * e0 * e1 / (p0**2 * p1**2)
            )
        )
    )
    b0, b1 = p0 / e0, p1 / e1
    elwert = b0 * -np.expm1(-2 * np.pi * ALPHA * z / b0) / (b1 * -np.expm1(-2 * np.pi * ALPHA * z / b1))
    born = p1 / p0 * inner * elwert
    return _MIDDLE, np.maximum(born, 0.0), _WIDTH
