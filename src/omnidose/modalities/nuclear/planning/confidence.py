"""Log-normal doses per activity: probabilities, intervals, and the activities that keep or reach a dose."""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, exp, inf, isfinite, log, sqrt
from statistics import NormalDist

from omnidose.errors import InputError

#: Probability with which a limit is kept or a goal reached, unless asked otherwise.
PROBABILITY = 0.9
#: A log-normal dose with more spans five powers of ten: percent were given, or nothing is known.
MOST_STD_REL = 2.0


def check_probability(probability_fraction: float) -> None:
    """Refuse a probability outside (0, 1)."""
    if not 0 < probability_fraction < 1:
        raise InputError(
            f"a probability of {probability_fraction:g} cannot be planned with",
            where="probability",
            allowed="between 0 and 1, without them (0.9 is usual)",
        )


def check_positive(**values: float) -> None:
    """Refuse numbers that are not finite or not above 0."""
    for name, value in values.items():
        if not (isfinite(value) and value > 0):
            raise InputError(f"{value:g} cannot be used", where=name, allowed="more than 0")


def check_std(**values: float) -> None:
    """Refuse relative uncertainties that are not finite, below 0 or above :data:`MOST_STD_REL`."""
    for name, value in values.items():
        if not (isfinite(value) and 0 <= value <= MOST_STD_REL):
            raise InputError(
                f"a relative uncertainty of {value:g} cannot be used",
                where=name,
                allowed=f"0 to {MOST_STD_REL:g} (0.08 for 8 %)",
            )


def factor_at(probability_fraction: float, std_rel: float) -> float:
    """Return exp(z s): what a log-normal quantity over its median stays below with a probability."""
    return exp(NormalDist().inv_cdf(probability_fraction) * std_rel)


@dataclass(frozen=True, slots=True, kw_only=True)
class DosePerActivity:
    """Absorbed dose of one tissue per administered activity.

    Attributes
    ----------
    name
        Organ or lesion.
    median_mgy_per_mbq
        Best estimate (mGy/MBq, the same number in Gy/GBq).
    std_rel
        Standard deviation of its logarithm; to first order the relative standard uncertainty.
    source
        Where it comes from.
    """

    name: str
    median_mgy_per_mbq: float
    std_rel: float
    source: str = ""

    def __post_init__(self) -> None:
        check_positive(**{f"dose per activity of {self.name}": self.median_mgy_per_mbq})
        check_std(**{f"dose per activity of {self.name}": self.std_rel})

    def dose_mgy(self, activity_mbq: float) -> float:
        """Return the median dose."""
        return self.median_mgy_per_mbq * activity_mbq

    def interval_mgy(self, activity_mbq: float, coverage_fraction: float = 0.95) -> tuple[float, float]:
        """Return the central interval of the dose that holds a share of the probability."""
        check_probability(coverage_fraction)
        factor = factor_at(0.5 + coverage_fraction / 2, self.std_rel)
        return self.dose_mgy(activity_mbq) / factor, self.dose_mgy(activity_mbq) * factor

    def probability_below_fraction(self, activity_mbq: float, dose_mgy: float) -> float:
        """Return the probability that the dose is not above ``dose_mgy``."""
        if dose_mgy <= 0:
            return 0.0
        if activity_mbq <= 0:
            return 1.0
        distance = log(dose_mgy / self.dose_mgy(activity_mbq))
        if self.std_rel == 0:
            return 1.0 if distance >= 0 else 0.0
        return 0.5 * (1 + erf(distance / self.std_rel / sqrt(2)))

    def largest_mbq(self, limit_mgy: float, probability_fraction: float = PROBABILITY) -> float:
        """Return the largest activity whose dose keeps a limit with a probability: L / (f exp(z s))."""
        check_probability(probability_fraction)
        if not limit_mgy > 0:
            return 0.0
        return limit_mgy / (self.median_mgy_per_mbq * factor_at(probability_fraction, self.std_rel))

    def least_mbq(self, goal_mgy: float, probability_fraction: float = PROBABILITY) -> float:
        """Return the least activity whose dose reaches a goal with a probability: G exp(z s) / f."""
        check_probability(probability_fraction)
        if not goal_mgy > 0:
            return 0.0
        return goal_mgy * factor_at(probability_fraction, self.std_rel) / self.median_mgy_per_mbq


#: No limit at all.
UNLIMITED_MBQ = inf
