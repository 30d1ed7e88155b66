"""Cycles: what was used, what remains, and that certainty and correlation do what they must."""

from __future__ import annotations

from math import exp, log
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.dosimetry.bed import DoseRate, Repair
from omnidose.errors import InputError
from omnidose.modalities.nuclear.planning.confidence import DosePerActivity
from omnidose.modalities.nuclear.planning.cycles import (
    MOST_CYCLES,
    Course,
    GivenCycle,
    plan_next_cycle,
)
from omnidose.modalities.nuclear.planning.limits import Limit
from omnidose.quantities import AbsorbedDose, BiologicallyEffectiveDose

MARROW = Limit(organ="red-marrow", value=AbsorbedDose(2000.0))
KIDNEYS = Limit(
    organ="kidneys",
    value=BiologicallyEffectiveDose(40_000.0, 2.6),
    rate=DoseRate(amplitudes=(1.0,), half_lives_h=(50.0,)),
    repair=Repair(half_times_h=(2.8,)),
)


def cycles(*doses_mgy: float, std: float = 0.0) -> tuple[GivenCycle, ...]:
    return tuple(GivenCycle(activity_mbq=7400.0, dose_mgy=d, own_std_rel=std) for d in doses_mgy)


@given(n=st.integers(1, 5), dose=st.floats(100.0, 390.0))
@settings(max_examples=8, deadline=None)
def test_without_uncertainty_it_is_arithmetic(n: int, dose: float) -> None:
    course = Course(limit=MARROW, given=cycles(*[dose] * n))
    left = max(2000.0 - n * dose, 0.0)
    assert course.used_mgy == pytest.approx(n * dose)
    assert course.largest_mbq() == pytest.approx(left / (dose / 7400.0))
    assert course.remaining_cycles(7400.0) == min(int(left / dose + 1e-9), MOST_CYCLES)


def test_bed_of_cycles_is_added_as_bed() -> None:
    course = Course(limit=KIDNEYS, given=cycles(3000.0, 3000.0))
    one = Course(limit=KIDNEYS, given=cycles(3000.0))
    assert course.used_mgy == pytest.approx(2 * one.used_mgy)
    assert one.used_mgy > 3000.0
    whole = Course(limit=KIDNEYS, given=cycles(6000.0))
    assert course.used_mgy < whole.used_mgy  # two cycles spare


def test_what_is_common_scales_all() -> None:
    course = Course(limit=MARROW, given=cycles(250.0, 250.0), common_std_rel=0.2)
    z = NormalDist().inv_cdf(0.9)
    expected = 2000.0 / (250.0 / 7400.0 * exp(0.2 * z)) - 2 * 7400.0
    assert course.largest_mbq(0.9) == pytest.approx(expected, rel=0.005)


def test_correlated_errors_leave_less_than_independent_ones() -> None:
    common = Course(limit=MARROW, given=cycles(400.0, 400.0, 400.0), common_std_rel=0.2)
    own = Course(limit=MARROW, given=cycles(400.0, 400.0, 400.0, std=0.2))
    assert common.largest_mbq(0.9) < 0.9 * own.largest_mbq(0.9)
    low, high = common.used_interval_mgy()
    own_low, own_high = own.used_interval_mgy()
    assert high - low > 1.5 * (own_high - own_low)


def test_before_the_first_cycle_a_cohort_stands_in() -> None:
    cohort = DosePerActivity(name="kidneys", median_mgy_per_mbq=0.43, std_rel=0.3)
    limit = Limit(organ="kidneys", value=AbsorbedDose(23_000.0))
    course = Course(limit=limit, expected=cohort)
    assert course.used_mgy == 0.0
    assert course.largest_mbq(0.9) == pytest.approx(cohort.largest_mbq(23_000.0, 0.9), rel=0.01)
    measured = Course(limit=limit, expected=cohort, given=cycles(2000.0))
    assert measured.next_mgy_per_mbq == pytest.approx(2000.0 / 7400.0)


@given(p=st.floats(0.55, 0.98))
@settings(max_examples=8, deadline=None)
def test_the_probability_is_kept(p: float) -> None:
    course = Course(
        limit=KIDNEYS, given=cycles(3000.0, 3400.0, std=0.1), common_std_rel=0.1, change_std_rel=0.2
    )
    largest = course.largest_mbq(p)
    assert course.kept_fractions(largest)[0] == pytest.approx(p, abs=1e-4)
    kept = course.kept_fractions(7400.0)
    assert (kept[1:] <= kept[:-1]).all()


def test_the_plan_takes_the_organ_that_allows_least() -> None:
    kidneys = Course(limit=KIDNEYS, given=cycles(3000.0, std=0.1), common_std_rel=0.1)
    marrow = Course(limit=MARROW, given=cycles(1500.0, std=0.1), common_std_rel=0.1)
    plan = plan_next_cycle([kidneys, marrow], planned_mbq=7400.0)
    assert plan.by == "red-marrow"
    assert plan.limited
    assert plan.activity_mbq == pytest.approx(marrow.largest_mbq(0.9))
    assert plan.remaining == 1
    assert plan.organs[1].kept_fraction == pytest.approx(0.9, abs=1e-4)
    free = plan_next_cycle([kidneys], planned_mbq=7400.0)
    assert (free.activity_mbq, free.limited) == (7400.0, False)
    assert free.remaining == kidneys.remaining_cycles(7400.0) > 3


def test_nothing_remains_of_a_limit_that_is_used_up() -> None:
    course = Course(limit=MARROW, given=cycles(1500.0, 1000.0))
    plan = plan_next_cycle([course], planned_mbq=7400.0)
    assert (plan.activity_mbq, plan.remaining) == (0.0, 0)


def test_refusals() -> None:
    with pytest.raises(InputError, match="from the first cycle"):
        Course(limit=MARROW)
    with pytest.raises(InputError, match="no organ with a limit"):
        plan_next_cycle([], planned_mbq=7400.0)
    with pytest.raises(InputError, match="planned_mbq"):
        plan_next_cycle([Course(limit=MARROW, given=cycles(100.0))], planned_mbq=0.0)
    with pytest.raises(InputError, match="own_std_rel"):
        GivenCycle(activity_mbq=1.0, dose_mgy=1.0, own_std_rel=-0.1)
    with pytest.raises(InputError, match="dose_mgy"):
        GivenCycle(activity_mbq=1.0, dose_mgy=0.0, own_std_rel=0.1)
    with pytest.raises(InputError, match="probability"):
        Course(limit=MARROW, given=cycles(100.0)).largest_mbq(1.0)


def test_the_least_activity_reaches_the_goal_with_the_probability() -> None:
    """One measured cycle, nothing common: the total is D (1 + A / A1), with one log-normal error."""
    lesion = Limit(organ="lesion", value=AbsorbedDose(60_000.0))
    given = (GivenCycle(activity_mbq=7400.0, dose_mgy=25_000.0, own_std_rel=0.15),)
    course = Course(limit=lesion, given=given)
    z = NormalDist().inv_cdf(0.9)
    expected = 7400.0 * (60_000.0 * exp(0.15 * z) / 25_000.0 - 1)
    assert course.least_mbq(0.9) == pytest.approx(expected, rel=0.01)
    assert course.least_mbq(0.5) < course.least_mbq(0.9)
    assert course.largest_mbq(0.9) < course.least_mbq(0.5)  # the same number as a limit
    assert course.reached_fraction < 1e-3
    done = Course(limit=Limit(organ="lesion", value=AbsorbedDose(20_000.0)), given=given)
    assert done.least_mbq(0.9) == 0.0
    from_log = NormalDist().cdf(log(25 / 20) / 0.15)
    assert done.reached_fraction == pytest.approx(from_log, abs=0.005)
