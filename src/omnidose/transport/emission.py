"""What a nuclide sends out, as sources need it: lines and continua per decay, or positrons."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.physics.spectra import Spectrum

ArrayF8 = npt.NDArray[np.float64]

#: Energy of each photon of an annihilation at rest (CODATA 2018: m c^2 of the electron).
ANNIHILATION_KEV = 510.99895


def _empty() -> ArrayF8:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmissionSpectrum:
    """Photons of one decay: lines, and bins of a continuum beside them.

    Attributes
    ----------
    line_kev, line_per_decay
        [n] energies and photons per decay of the lines, in any order.
    edges_kev, bin_per_decay
        [m + 1] rising edges and [m] photons per decay of the continuum's bins (bremsstrahlung); energies
        are uniform inside a bin.
    """

    line_kev: ArrayF8 = field(default_factory=_empty)
    line_per_decay: ArrayF8 = field(default_factory=_empty)
    edges_kev: ArrayF8 = field(default_factory=_empty)
    bin_per_decay: ArrayF8 = field(default_factory=_empty)
    name: str = ""

    def __post_init__(self) -> None:
        for key in ("line_kev", "line_per_decay", "edges_kev", "bin_per_decay"):
            object.__setattr__(self, key, np.array(getattr(self, key), dtype=np.float64, ndmin=1))
        lines, edges = self.line_kev, self.edges_kev
        if lines.shape != self.line_per_decay.shape or edges.size != self.bin_per_decay.size + (
            self.bin_per_decay.size > 0
        ):
            raise InputError(
                f"{lines.size} lines with {self.line_per_decay.size} intensities, {edges.size} edges "
                f"with {self.bin_per_decay.size} bins",
                where=f"emission spectrum {self.name}".strip(),
                allowed="as many intensities as lines, one edge more than bins",
            )
        numbers = np.concatenate([lines, edges, self.line_per_decay, self.bin_per_decay])
        if not np.all(np.isfinite(numbers)) or np.any(numbers < 0) or np.any(lines == 0):
            raise InputError(
                "an emission spectrum holds numbers that are no energies or intensities",
                where=f"emission spectrum {self.name}".strip(),
                allowed="finite energies above 0, finite intensities >= 0",
            )
        if np.any(np.diff(edges) <= 0):
            raise InputError("the edges of a continuum must rise", where=f"emission spectrum {self.name}")
        if not self.photons_per_decay > 0:
            raise InputError(
                "an emission spectrum without photons has nothing to emit",
                where=f"emission spectrum {self.name}".strip(),
                todo="leave this source out",
            )

    @property
    def photons_per_decay(self) -> float:
        """Photons per decay, all lines and bins."""
        return float(self.line_per_decay.sum() + self.bin_per_decay.sum())

    @property
    def histories_per_decay(self) -> float:
        """Histories of a source that stand for one decay: every history is one photon."""
        return self.photons_per_decay

    @property
    def energy_per_decay_kev(self) -> float:
        """Photon energy per decay."""
        middle = 0.5 * (self.edges_kev[1:] + self.edges_kev[:-1])
        return float(self.line_kev @ self.line_per_decay + middle @ self.bin_per_decay)

    @property
    def mean_kev(self) -> float:
        """Mean photon energy."""
        return self.energy_per_decay_kev / self.photons_per_decay

    @property
    def max_kev(self) -> float:
        """Largest energy with an intensity."""
        return float(max(np.concatenate([self.line_kev, self.edges_kev[1:]])[self._weights() > 0]))

    def _weights(self) -> ArrayF8:
        return np.concatenate([self.line_per_decay, self.bin_per_decay])

    def above(self, cutoff_kev: float) -> EmissionSpectrum:
        """Return the spectrum without lines below an energy, and without the part of the continuum below it.

        Raises
        ------
        InputError
            If nothing is left.
        """
        keep = self.line_kev >= cutoff_kev
        edges = np.maximum(self.edges_kev, cutoff_kev)
        share = np.diff(edges) / np.diff(self.edges_kev)
        used = share > 0
        return replace(
            self,
            line_kev=self.line_kev[keep],
            line_per_decay=self.line_per_decay[keep],
            edges_kev=np.append(edges[:-1][used], edges[-1:]) if used.any() else _empty(),
            bin_per_decay=(self.bin_per_decay * share)[used],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Positrons:
    """Positrons that annihilate where they are born: two photons of 511 keV, back to back.

    One history is one annihilation and follows both photons; results are per annihilation. The range of the
    positron (mean 0.6 mm for F-18, 3 mm for Rb-82 in water) and its own energy are not in it.

    Attributes
    ----------
    per_decay
        Positrons per decay.
    """

    per_decay: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.per_decay <= 1:
            raise InputError(
                f"{self.per_decay} positrons per decay", where="per_decay", allowed="above 0, at most 1"
            )

    @property
    def photons_per_decay(self) -> float:
        """Annihilation photons per decay."""
        return 2 * self.per_decay

    @property
    def histories_per_decay(self) -> float:
        """Histories of a source that stand for one decay: every history is one annihilation."""
        return self.per_decay

    @property
    def mean_kev(self) -> float:
        """Energy of each photon."""
        return ANNIHILATION_KEV

    @property
    def max_kev(self) -> float:
        """Energy of each photon."""
        return ANNIHILATION_KEV


Emission = Spectrum | EmissionSpectrum | Positrons


def energy_bins(emission: Emission) -> tuple[ArrayF8, ArrayF8, ArrayF8]:
    """Return lower edges (keV), widths (keV; 0 for lines) and relative numbers, ordered by energy."""
    if isinstance(emission, Positrons):
        return np.array([ANNIHILATION_KEV]), np.zeros(1), np.ones(1)
    if isinstance(emission, Spectrum):
        width = np.full(emission.energy_kev.size, emission.bin_width_kev)
        return emission.energy_kev - 0.5 * width, width, emission.weight
    low = np.concatenate([emission.line_kev, emission.edges_kev[:-1]])
    width = np.concatenate([np.zeros(emission.line_kev.size), np.diff(emission.edges_kev)])
    weight = np.concatenate([emission.line_per_decay, emission.bin_per_decay])
    order = np.argsort(low, kind="stable")
    return low[order], width[order], weight[order]
