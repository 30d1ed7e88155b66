"""Several cycles: what was used of an organ's limit, the next activity, and how many cycles remain.

Everything is drawn once, and the question is turned round: in each draw the activity is solved that just
fills the limit (a quadratic for BED). The activity that keeps the limit with the probability p is then a
quantile of those activities, without any search:

    P(used + effect(A f) <= L) = P(A <= A_i)   ->   A_p = quantile (1 - p) of the A_i.

Cycles share what is common to them (calibration, volume), and each has an uncertainty of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from omnidose.dosimetry.bed import bed, total_bed
from omnidose.errors import InputError
from omnidose.modalities.nuclear.planning.confidence import (
    PROBABILITY,
    DosePerActivity,
    check_positive,
    check_probability,
    check_std,
)
from omnidose.modalities.nuclear.planning.limits import Limit
from omnidose.quantities import AbsorbedDose, BiologicallyEffectiveDose

ArrayF8 = npt.NDArray[np.float64]

#: Draws of every plan: the quantile of 90 % is then good to 0.6 % of the spread.
DRAWS = 100_000
_ROUNDING = 1e-9
#: Doses per activity outside this (mGy/MBq, the same numbers in Gy/GBq) are flagged: a mix-up of units is
#: likely. Organs in therapies with 177Lu get some 0.01 to 2.
USUAL_MGY_PER_MBQ = (0.001, 20.0)
#: Cycles that are looked ahead.
MOST_CYCLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenCycle:
    """A cycle that was given and measured.

    Attributes
    ----------
    activity_mbq
        Administered.
    dose_mgy
        Best estimate of the organ's absorbed dose.
    own_std_rel
        Its relative standard uncertainty that other cycles do not share (curve fit, registration).
    """

    activity_mbq: float
    dose_mgy: float
    own_std_rel: float

    def __post_init__(self) -> None:
        check_positive(activity_mbq=self.activity_mbq, dose_mgy=self.dose_mgy)
        check_std(own_std_rel=self.own_std_rel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The cycles of one organ.

    Attributes
    ----------
    limit
        For all cycles together.
    given
        Earlier cycles; none before the first.
    common_std_rel
        Relative standard uncertainty that all measured cycles share (camera, volume, dose factor).
    change_std_rel
        How much the dose per activity of a cycle to come differs from the mean of earlier ones, beyond what
        is measured: stated, not guessed.
    expected
        Dose per activity before anything was measured (a cohort, a tracer study). With given cycles it is not
        used: their geometric mean is.

    Raises
    ------
    InputError
        Without given cycles and without an expectation.
    """

    limit: Limit
    given: tuple[GivenCycle, ...] = ()
    common_std_rel: float = 0.0
    change_std_rel: float = 0.0
    expected: DosePerActivity | None = None

    def __post_init__(self) -> None:
        check_std(common_std_rel=self.common_std_rel, change_std_rel=self.change_std_rel)
        if not self.given and self.expected is None:
            raise InputError(
                f"nothing says what {self.limit.organ} gets from the first cycle",
                where="expected",
                todo="give a dose per activity with its uncertainty",
            )

    @property
    def used_mgy(self) -> float:
        """Best estimate of what the given cycles used, in the kind of the limit: BED are added as BED."""
        value, rate, repair = self.limit.value, self.limit.rate, self.limit.repair
        if not self.given:
            return 0.0
        doses = [AbsorbedDose(cycle.dose_mgy) for cycle in self.given]
        if not isinstance(value, BiologicallyEffectiveDose) or rate is None or repair is None:
            return float(sum(float(dose) for dose in doses))
        effects = [bed(d, alpha_beta_gy=value.alpha_beta_gy, rate=rate, repair=repair) for d in doses]
        return float(total_bed(effects))

    @property
    def next_mgy_per_mbq(self) -> float:
        """Best estimate of the dose per activity of the next cycle."""
        if not self.given:
            assert self.expected is not None  # checked when made
            return self.expected.median_mgy_per_mbq
        ratios = [cycle.dose_mgy / cycle.activity_mbq for cycle in self.given]
        return float(np.exp(np.mean(np.log(ratios))))

    def used_interval_mgy(self, coverage_fraction: float = 0.95) -> tuple[float, float]:
        """Return the central interval of what was used."""
        check_probability(coverage_fraction)
        low, high = np.quantile(_drawn(self)[0], [(1 - coverage_fraction) / 2, (1 + coverage_fraction) / 2])
        return float(low), float(high)

    def largest_mbq(self, probability_fraction: float = PROBABILITY) -> float:
        """Return the largest activity of one more cycle with which the limit is kept with a probability."""
        return self._filling_mbq(1 - probability_fraction)

    def least_mbq(self, probability_fraction: float = PROBABILITY) -> float:
        """Return the least activity of one more cycle that reaches the value, taken as a goal, with a
        probability; 0 if the given cycles do so already."""
        return self._filling_mbq(probability_fraction)

    @property
    def reached_fraction(self) -> float:
        """Probability that the given cycles have reached the value already."""
        return float((_drawn(self)[0] >= self.limit.value_mgy).mean())

    def _filling_mbq(self, share_fraction: float) -> float:
        """Return the activity that fills the value, or less than that does, in a share of the draws."""
        check_probability(share_fraction)
        used, per_activity = _drawn(self)
        filling = self.limit.dose_mgy(self.limit.value_mgy - used) / per_activity[:, 0]
        return float(np.quantile(filling, share_fraction))

    def kept_fractions(self, activity_mbq: float) -> ArrayF8:
        """[cycles] probability that the limit is kept after 1, 2, … more cycles of an activity."""
        check_positive(activity_mbq=activity_mbq)
        used, per_activity = _drawn(self)
        total = used[:, None] + np.cumsum(self.limit.effect_mgy(activity_mbq * per_activity), axis=1)
        kept = total <= self.limit.value_mgy * (1 + _ROUNDING)
        return np.asarray(kept.mean(axis=0))

    def remaining_cycles(self, activity_mbq: float, probability_fraction: float = PROBABILITY) -> int:
        """Return how many more cycles of an activity keep the limit with a probability (20 at most)."""
        check_probability(probability_fraction)
        if not activity_mbq > 0:
            return 0
        # at the largest activity itself one draw more or less decides between a cycle and none: count it
        return int((self.kept_fractions(activity_mbq) >= probability_fraction - 1.5 / DRAWS).sum())


@lru_cache(maxsize=4)
def _drawn(course: Course) -> tuple[ArrayF8, ArrayF8]:
    """[draws] what was used, and [draws, cycles] doses per activity to come."""
    rng = np.random.default_rng(1)
    change = np.exp(course.change_std_rel * rng.standard_normal((DRAWS, MOST_CYCLES)))
    if not course.given:
        assert course.expected is not None  # checked when made
        spread = np.exp(course.expected.std_rel * rng.standard_normal((DRAWS, 1)))
        return np.zeros(DRAWS), np.asarray(course.expected.median_mgy_per_mbq * spread * change)
    common = course.common_std_rel * rng.standard_normal((DRAWS, 1))
    own = np.array([c.own_std_rel for c in course.given]) * rng.standard_normal((DRAWS, len(course.given)))
    doses = np.array([c.dose_mgy for c in course.given]) * np.exp(common + own)
    per_activity = doses / np.array([c.activity_mbq for c in course.given])
    mean = np.exp(np.log(per_activity).mean(axis=1, keepdims=True))
    return course.limit.effect_mgy(doses).sum(axis=1), np.asarray(mean * change)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganOutlook:
    """One organ's part of the plan.

    Attributes
    ----------
    used_mgy, used_low95_mgy, used_high95_mgy
        By the given cycles, in the kind of the limit.
    next_mgy_per_mbq
        Best estimate of dose per activity.
    largest_mbq
        Of one more cycle.
    remaining
        Cycles of the planned activity.
    kept_fraction
        Probability that the limit is kept after one cycle of the planned activity.
    protraction_fraction
        Protraction factor G of one cycle, where BED counts; else None.
    """

    organ: str
    limit_mgy: float
    unit: str
    used_mgy: float
    used_low95_mgy: float
    used_high95_mgy: float
    next_mgy_per_mbq: float
    largest_mbq: float
    remaining: int
    kept_fraction: float
    protraction_fraction: float | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CyclePlan:
    """The next cycle.

    Attributes
    ----------
    activity_mbq
        What was planned for a cycle, or less if an organ does not allow it.
    by
        The organ that allows the fewest cycles.
    limited
        Whether an organ made it less than planned.
    remaining
        Cycles of that activity that keep every limit, this one counted.
    """

    planned_mbq: float
    activity_mbq: float
    by: str
    limited: bool
    remaining: int
    probability_fraction: float
    organs: tuple[OrganOutlook, ...]

    @property
    def flags(self) -> tuple[str, ...]:
        """Sentences that a report must show."""
        low, high = USUAL_MGY_PER_MBQ
        return tuple(
            dict.fromkeys(
                f"{organ.organ}: {organ.next_mgy_per_mbq:.3g} Gy/GBq is far from what organs get ({low:g} to "
                f"{high:g}): check MBq against GBq, and mGy against Gy"
                for organ in self.organs
                if not low <= organ.next_mgy_per_mbq <= high
            )
        )


def plan_next_cycle(
    courses: Sequence[Course], *, planned_mbq: float, probability_fraction: float = PROBABILITY
) -> CyclePlan:
    """Plan the next cycle and count those that remain.

    Parameters
    ----------
    courses
        One for each limit; several for one organ if it has several.
    planned_mbq
        Usual activity of a cycle.
    probability_fraction
        With which each limit is kept, by itself.

    Raises
    ------
    InputError
        Without courses, or for numbers out of range.
    """
    check_probability(probability_fraction)
    check_positive(planned_mbq=planned_mbq)
    if not courses:
        raise InputError("there is no organ with a limit", where="courses", todo="give at least one")
    largest = [course.largest_mbq(probability_fraction) for course in courses]
    least = min(largest)
    activity_mbq = min(planned_mbq, least)
    outlooks = tuple(
        _outlook(course, most, activity_mbq, probability_fraction)
        for course, most in zip(courses, largest, strict=True)
    )
    return CyclePlan(
        planned_mbq=planned_mbq,
        activity_mbq=activity_mbq,
        by=min(outlooks, key=lambda outlook: (outlook.remaining, outlook.largest_mbq)).organ,
        limited=least < planned_mbq,
        remaining=min(outlook.remaining for outlook in outlooks),
        probability_fraction=probability_fraction,
        organs=outlooks,
    )


def _outlook(
    course: Course, largest_mbq: float, activity_mbq: float, probability_fraction: float
) -> OrganOutlook:
    low, high = course.used_interval_mgy()
    kept = float(course.kept_fractions(activity_mbq)[0]) if activity_mbq > 0 else 0.0
    return OrganOutlook(
        organ=course.limit.organ,
        limit_mgy=course.limit.value_mgy,
        unit=course.limit.unit,
        used_mgy=course.used_mgy,
        used_low95_mgy=low,
        used_high95_mgy=high,
        next_mgy_per_mbq=course.next_mgy_per_mbq,
        largest_mbq=largest_mbq,
        remaining=course.remaining_cycles(activity_mbq, probability_fraction),
        kept_fraction=kept,
        protraction_fraction=course.limit.protraction,
        source=course.limit.source,
    )
