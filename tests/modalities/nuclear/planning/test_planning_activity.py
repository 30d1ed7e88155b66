"""One administration: probabilities, limits, what decides, what is refused."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.dosimetry.bed import DoseRate, Repair, bed
from omnidose.errors import InputError
from omnidose.modalities.nuclear.planning.activity import Decides, Goal, OrganAtRisk, plan_activity
from omnidose.modalities.nuclear.planning.confidence import DosePerActivity, factor_at
from omnidose.modalities.nuclear.planning.limits import Limit, limit_keys, usual_limit
from omnidose.modalities.nuclear.planning.refusals import effective_dose
from omnidose.quantities import AbsorbedDose, BiologicallyEffectiveDose

POSITIVE = st.floats(1e-3, 1e3)
STD = st.floats(0.0, 0.8)
PROBABILITY = st.floats(0.05, 0.95)


def per_activity(name: str = "kidneys", median: float = 0.5, std: float = 0.3) -> DosePerActivity:
    return DosePerActivity(name=name, median_mgy_per_mbq=median, std_rel=std)


def bed_limit(value_gy: float = 40.0) -> Limit:
    return Limit(
        organ="kidneys",
        value=BiologicallyEffectiveDose(1000 * value_gy, 2.6),
        rate=DoseRate(amplitudes=(1.0,), half_lives_h=(50.0,)),
        repair=Repair(half_times_h=(2.8,)),
    )


@given(median=POSITIVE, std=STD, limit=POSITIVE, p=PROBABILITY)
def test_the_largest_activity_has_the_probability_asked_for(
    median: float, std: float, limit: float, p: float
) -> None:
    dose = per_activity(median=median, std=std + 1e-3)
    assert dose.probability_below_fraction(dose.largest_mbq(limit, p), limit) == pytest.approx(p, abs=1e-9)
    assert 1 - dose.probability_below_fraction(dose.least_mbq(limit, p), limit) == pytest.approx(p, abs=1e-9)


@given(std=st.floats(0.01, 0.8), p=st.floats(0.5, 0.95))
def test_more_certainty_never_allows_more(std: float, p: float) -> None:
    dose = per_activity(std=std)
    assert dose.largest_mbq(1.0, p) <= dose.largest_mbq(1.0, 0.5) <= dose.least_mbq(1.0, p)
    assert dose.largest_mbq(1.0, p) >= per_activity(std=std + 0.1).largest_mbq(1.0, p)


def test_the_interval_holds_its_share() -> None:
    dose = per_activity()
    low, high = dose.interval_mgy(100.0)
    drawn = 50.0 * np.exp(0.3 * np.random.default_rng(1).standard_normal(200_000))
    assert ((drawn >= low) & (drawn <= high)).mean() == pytest.approx(0.95, abs=0.002)


@given(dose_mgy=st.floats(0.0, 1e5))
def test_effect_and_its_inverse(dose_mgy: float) -> None:
    for limit in (bed_limit(), Limit(organ="x", value=AbsorbedDose(1.0))):
        effect = limit.effect_mgy(np.array([dose_mgy]))
        assert limit.dose_mgy(effect)[0] == pytest.approx(dose_mgy, rel=1e-9, abs=1e-9)


def test_a_bed_counts_as_the_dosimetry_room_says() -> None:
    limit = bed_limit()
    assert limit.rate is not None
    assert limit.repair is not None
    theirs = bed(AbsorbedDose(6500.0), alpha_beta_gy=2.6, rate=limit.rate, repair=limit.repair)
    assert limit.effect_mgy(np.array([6500.0]))[0] == pytest.approx(float(theirs))
    assert limit.effect_mgy(limit.dose_mgy(np.array([40_000.0])))[0] == pytest.approx(40_000.0)
    assert limit.dose_mgy(np.array([-5.0]))[0] == 0.0


@pytest.mark.parametrize("key", limit_keys())
def test_usual_limits_can_be_used(key: str) -> None:
    limit = usual_limit(key, effective_half_life_h=50.0)
    assert limit.value_mgy > 0
    assert limit.source
    assert limit.meaning
    assert limit.is_bed == ("bed" in key)
    assert ("BED" in limit.unit) == limit.is_bed


def test_the_goal_decides_if_the_organs_allow_it() -> None:
    goal = Goal(dose=per_activity("tumour", 5.0, 0.1), prescription_mgy=10_000.0)
    organ = OrganAtRisk(dose=per_activity(), limit=Limit(organ="kidneys", value=AbsorbedDose(23_000.0)))
    plan = plan_activity([goal], [organ])
    assert (plan.decides, plan.by, plan.flags) == (Decides.GOAL, "tumour", ())
    assert plan.activity_mbq == pytest.approx(10_000 / 5 * factor_at(0.9, 0.1))
    assert plan.arms[0].probability_fraction == pytest.approx(0.9)
    assert plan.arms[1].probability_fraction > 0.99


def test_an_organ_decides_if_it_must_and_says_what_is_missed() -> None:
    goals = [Goal(dose=per_activity("tumour", 1.0, 0.2), prescription_mgy=100_000.0)]
    limits = [Limit(organ="kidneys", value=AbsorbedDose(v)) for v in (23_000.0, 20_000.0)]
    organs = [OrganAtRisk(dose=per_activity(), limit=limit) for limit in limits]
    plan = plan_activity(goals, organs)
    assert (plan.decides, plan.by) == (Decides.LIMIT, "kidneys")
    assert plan.activity_mbq == pytest.approx(20_000 / 0.5 / factor_at(0.9, 0.3))
    assert [arm.probability_fraction for arm in plan.arms[1:]] == [
        pytest.approx(0.954, abs=0.01),
        pytest.approx(0.9),
    ]
    assert plan.arms[0].probability_fraction < 0.01
    assert "tumour: 100 Gy need" in plan.flags[0]


def test_what_was_used_counts() -> None:
    organ = OrganAtRisk(
        dose=per_activity(), limit=Limit(organ="lungs", value=AbsorbedDose(50_000.0)), used_mgy=30_000.0
    )
    assert organ.left_mgy == pytest.approx(20_000.0)
    full = OrganAtRisk(
        dose=per_activity(), limit=Limit(organ="lungs", value=AbsorbedDose(50_000.0)), used_mgy=60_000.0
    )
    plan = plan_activity([], [full])
    assert plan.activity_mbq == 0.0
    assert plan.flags == ("kidneys: nothing is left of its limit",)
    bed_organ = OrganAtRisk(dose=per_activity(), limit=bed_limit(), used_mgy=10_000.0)
    assert float(bed_limit().effect_mgy(np.array([bed_organ.left_mgy]))[0]) == pytest.approx(30_000.0)


@pytest.mark.parametrize("p", [0.0, 1.0, -1.0, nan])
def test_a_probability_is_one(p: float) -> None:
    with pytest.raises(InputError, match="probability"):
        per_activity().largest_mbq(1.0, p)


@pytest.mark.parametrize(
    ("median", "std"), [(0.0, 0.1), (-1.0, 0.1), (nan, 0.1), (inf, 0.1), (1.0, -0.1), (1.0, nan)]
)
def test_doses_per_activity_that_are_none(median: float, std: float) -> None:
    with pytest.raises(InputError, match="kidneys"):
        per_activity(median=median, std=std)


def test_what_a_limit_needs() -> None:
    with pytest.raises(InputError, match="needs dose rate and repair"):
        Limit(organ="kidneys", value=BiologicallyEffectiveDose(1.0, 2.6))
    with pytest.raises(InputError, match="limit of kidneys"):
        Limit(organ="kidneys", value=AbsorbedDose(0.0))
    with pytest.raises(InputError, match="no limit 'heart'"):
        usual_limit("heart")
    with pytest.raises(InputError, match="needs dose rate"):
        usual_limit("kidneys-bed")
    with pytest.raises(InputError, match="neither a goal nor an organ"):
        plan_activity([], [])


def test_effective_dose_is_refused() -> None:
    with pytest.raises(InputError, match="a therapy has no effective dose"):
        effective_dose({"kidneys": 23.0})


@given(
    wanted=st.floats(1.0, 1e6),
    limits=st.lists(st.tuples(POSITIVE, st.floats(0.01, 0.6), st.floats(1.0, 1e6)), min_size=1, max_size=3),
    p=st.floats(0.5, 0.95),
)
def test_no_limit_is_ever_overrun(wanted: float, limits: list[tuple[float, float, float]], p: float) -> None:
    organs = [
        OrganAtRisk(dose=per_activity(median=m, std=s), limit=Limit(organ="x", value=AbsorbedDose(value)))
        for m, s, value in limits
    ]
    goal = Goal(dose=per_activity("tumour", 2.0, 0.2), prescription_mgy=wanted)
    plan = plan_activity([goal], organs, probability_fraction=p)
    assert all(arm.probability_fraction >= p - 1e-9 for arm in plan.arms[1:])
    reached = plan.arms[0].probability_fraction >= p - 1e-9
    assert reached == (plan.decides is Decides.GOAL) or plan.activity_mbq == pytest.approx(
        plan.arms[0].activity_mbq
    )
    assert bool(plan.flags) == (plan.activity_mbq < plan.arms[0].activity_mbq * (1 - 1e-9))
