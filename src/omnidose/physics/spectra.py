"""Photon energy spectra: bins or lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """Relative number of photons per energy bin or line.

    Attributes
    ----------
    energy_kev
        Bin centres or line energies, rising, length n.
    weight
        Relative number of photons per bin (not per keV), sum 1 after construction.
    bin_width_kev
        Full width of every bin; 0 means lines. Energies are uniform inside a bin.
    """

    energy_kev: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    bin_width_kev: float = 0.0
    name: str = ""

    def __post_init__(self) -> None:
        energy = np.asarray(self.energy_kev, dtype=np.float64)
        weight = np.asarray(self.weight, dtype=np.float64)
        if energy.ndim != 1 or energy.shape != weight.shape or energy.size == 0:
            raise InputError("a spectrum needs as many weights as energies, at least one")
        if np.any(np.diff(energy) <= 0) or np.any(weight < 0) or not weight.sum() > 0:
            raise InputError("a spectrum needs rising energies and weights >= 0 with a positive sum")
        object.__setattr__(self, "energy_kev", energy)
        object.__setattr__(self, "weight", weight / weight.sum())

    @property
    def mean_kev(self) -> float:
        """Mean photon energy."""
        return float(self.energy_kev @ self.weight)

    @property
    def max_kev(self) -> float:
        """Largest photon energy, upper edge of the last bin that is not empty."""
        last = np.nonzero(self.weight)[0][-1]
        return float(self.energy_kev[last] + 0.5 * self.bin_width_kev)

    @classmethod
    def line(cls, energy_kev: float) -> Spectrum:
        """Make a single line."""
        return cls(energy_kev=np.array([energy_kev]), weight=np.array([1.0]), name=f"{energy_kev:g} keV")
