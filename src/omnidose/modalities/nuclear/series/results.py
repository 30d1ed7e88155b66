"""What a time series gives for one outline: activity, dose, interval, and what makes it uncertain."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt

from omnidose.quantities import AbsorbedDose

#: Of a normal distribution: the central 95 %.
COVERAGE_FACTOR = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One contribution to the relative standard uncertainty of a dose."""

    name: str
    std_rel: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineDose:
    """Dose of one organ or lesion.

    Attributes
    ----------
    integral_mbq_h
        Time-integrated activity, corrected for partial volume once.
    recovery_fraction
        Share of its own activity that the outline shows.
    spill_in_fraction
        Share of what the outline shows that belongs to others and was taken off.
    electron_mgy, photon_mgy, alpha_mgy
        Own electrons; photons of the whole map; own alpha particles with recoil, without weight.
    parts
        Contributions, independent of each other, to the relative standard uncertainty.
    without
        Outlines inside this one that were taken out of it.
    flags
        Sentences that a report must show.
    """

    name: str
    integral_mbq_h: float
    volume_cm3: float
    mass_g: float
    recovery_fraction: float
    spill_in_fraction: float
    electron_mgy: float
    photon_mgy: float
    parts: tuple[Part, ...]
    curve: str
    alpha_mgy: float = 0.0
    without: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def dose(self) -> AbsorbedDose:
        """Absorbed dose of all radiations, without weights."""
        return AbsorbedDose(self.electron_mgy + self.photon_mgy + self.alpha_mgy)

    def part(self, name: str) -> float:
        """Relative standard uncertainty from one contribution; 0 if there is none of this name."""
        return next((part.std_rel for part in self.parts if part.name == name), 0.0)

    @property
    def std_rel(self) -> float:
        """Relative standard uncertainty of the dose."""
        return sqrt(sum(part.std_rel**2 for part in self.parts))

    @property
    def interval_mgy(self) -> tuple[float, float]:
        """Central 95 % interval, log-normal about the dose."""
        factor = exp(COVERAGE_FACTOR * self.std_rel)
        value = float(self.dose.value)
        return value / factor, value * factor

    @property
    def largest(self) -> str:
        """Name of the contribution that is largest."""
        return max(self.parts, key=lambda part: part.std_rel).name
