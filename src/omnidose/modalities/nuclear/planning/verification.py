"""After the therapy: what was planned beside what was reached."""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, exp, isfinite, log, sqrt

from omnidose.errors import InputError
from omnidose.modalities.nuclear.planning.confidence import (
    DosePerActivity,
    check_positive,
    check_std,
    factor_at,
)

#: A difference is said to be one beyond this many standard deviations (95 %).
_NOTABLE = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Planned and achieved dose of one tissue.

    Attributes
    ----------
    planned_mgy, achieved_mgy
        Best estimates (medians).
    planned_low95_mgy, planned_high95_mgy, achieved_low95_mgy, achieved_high95_mgy
        95 % intervals.
    ratio_std_rel
        Standard deviation of the logarithm of the ratio: what both share cancels.
    reached_fraction
        Probability that the achieved dose reaches the prescription; None without one.
    """

    name: str
    planned_mgy: float
    planned_low95_mgy: float
    planned_high95_mgy: float
    achieved_mgy: float
    achieved_low95_mgy: float
    achieved_high95_mgy: float
    ratio_std_rel: float
    reached_fraction: float | None

    @property
    def ratio(self) -> float:
        """Achieved over planned."""
        return self.achieved_mgy / self.planned_mgy

    @property
    def deviations(self) -> float:
        """Difference in standard deviations of the ratio; infinite if both are certain and differ."""
        difference = log(self.ratio)
        if self.ratio_std_rel == 0:
            return 0.0 if difference == 0 else float("inf") * (1 if difference > 0 else -1)
        return difference / self.ratio_std_rel

    @property
    def sentence(self) -> str:
        """What to make of it."""
        change = f"{100 * (self.ratio - 1):+.0f} %"
        if abs(self.deviations) > _NOTABLE:
            return (
                f"{self.name}: {change} against the plan, more than the uncertainties explain "
                f"({abs(self.deviations):.1f} standard deviations): look for the cause before the next cycle"
            )
        return f"{self.name}: {change} against the plan, within what the uncertainties explain"


def verify(
    planned: DosePerActivity,
    *,
    administered_mbq: float,
    achieved_mgy: float,
    achieved_std_rel: float,
    correlation_fraction: float,
    prescription_mgy: float | None = None,
) -> Verification:
    """Compare a plan with the dose measured after the therapy.

    Parameters
    ----------
    planned
        Dose per activity of the plan.
    administered_mbq
        What was given (not what was planned).
    correlation_fraction
        Correlation of the two errors, 0 to below 1: the same camera, calibration and outlined volume make
        both wrong together. 0 takes them as independent.
    prescription_mgy
        Dose that should be reached.

    Raises
    ------
    InputError
        For numbers out of range.
    """
    check_positive(administered_mbq=administered_mbq, achieved_mgy=achieved_mgy)
    check_std(achieved_std_rel=achieved_std_rel)
    if not (isfinite(correlation_fraction) and 0 <= correlation_fraction < 1):
        raise InputError(
            f"a correlation of {correlation_fraction:g} cannot be used",
            where="correlation",
            allowed="0 to below 1",
        )
    u, v = planned.std_rel, achieved_std_rel
    low, high = planned.interval_mgy(administered_mbq)
    factor = factor_at(0.975, achieved_std_rel)
    reached = None
    if prescription_mgy is not None:
        check_positive(prescription_mgy=prescription_mgy)
        distance = log(achieved_mgy / prescription_mgy)
        reached = 0.5 * (1 + erf(distance / v / sqrt(2))) if v > 0 else float(distance >= 0)
    return Verification(
        name=planned.name,
        planned_mgy=planned.dose_mgy(administered_mbq),
        planned_low95_mgy=low,
        planned_high95_mgy=high,
        achieved_mgy=achieved_mgy,
        achieved_low95_mgy=achieved_mgy / factor,
        achieved_high95_mgy=achieved_mgy * factor,
        ratio_std_rel=sqrt(max(u * u + v * v - 2 * correlation_fraction * u * v, 0.0)),
        reached_fraction=reached,
    )


def dose_rate_mgy_per_h(dose_mgy: float, effective_half_life_h: float, time_h: float = 0.0) -> float:
    """Return the dose rate of one exponential at a time after the administration."""
    check_positive(dose_mgy=dose_mgy, effective_half_life_h=effective_half_life_h)
    decay = log(2) / effective_half_life_h
    return dose_mgy * decay * exp(-decay * time_h)
