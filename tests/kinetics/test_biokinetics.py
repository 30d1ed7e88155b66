"""Biokinetic models: conservation of activity, packaged data, and what a report must say."""

from __future__ import annotations

from math import inf, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.data import load, table_names
from omnidose.dosimetry.internal.bone import BONE_SOURCES
from omnidose.errors import DataError, InputError
from omnidose.kinetics.biokinetics import (
    BLADDER,
    RECALLED_MODELS,
    REMAINDER,
    RENAL_TRANSIT_H,
    RENAL_URINE,
    BiokineticModel,
    Excretion,
    Retention,
    biokinetic_model,
    measured_coefficients,
    model_names,
    remainder_coefficient_h,
    time_integrated_coefficients_h,
)
from omnidose.kinetics.bladder import ICRP_ADULT_VOIDING, NEVER, contents_fraction

F18_H = 109.77 / 60
TC99M_H = 6.0072


def fdg(grade: str = "C") -> BiokineticModel:
    """Return FDG as ICRP 106 is remembered: four organs hold 20 %, 30 % of the rest are excreted."""
    organs = {"brain": 0.08, "heart": 0.04, "lungs": 0.03, "liver": 0.05}
    held = [Retention(region=r, fraction=f, grade=grade) for r, f in organs.items()]
    rest = [
        Retention(region=REMAINDER, fraction=0.06, half_life_h=0.2, excretion=Excretion.URINE, grade=grade),
        Retention(region=REMAINDER, fraction=0.18, half_life_h=1.5, excretion=Excretion.URINE, grade=grade),
        Retention(region=REMAINDER, fraction=0.56, grade=grade),
    ]
    return BiokineticModel(name="FDG", retentions=(*held, *rest), source="memory")


def test_shares_and_coefficients_of_fdg_agree() -> None:
    """Both are remembered, apart from each other: that one follows from the other speaks for both."""
    found = time_integrated_coefficients_h(fdg(), F18_H, voiding=ICRP_ADULT_VOIDING)
    remembered = {"brain": 0.21, "heart": 0.11, "lungs": 0.079, "liver": 0.13, BLADDER: 0.26, REMAINDER: 1.7}
    assert set(found) == set(remembered)
    for region, value in remembered.items():
        digits = 3 if region == "lungs" else (1 if value > 1 else 2)
        assert round(found[region], digits) == pytest.approx(value), region


@given(
    fraction=st.floats(0.05, 0.95),
    uptake_h=st.floats(0.0, 3.0),
    leaving_h=st.floats(0.2, 30.0),
    half_life_h=st.floats(0.5, 200.0),
)
@settings(max_examples=50, deadline=None)
def test_activity_is_conserved_without_voids(
    fraction: float, uptake_h: float, leaving_h: float, half_life_h: float
) -> None:
    """Every decay is somewhere: what has not arrived yet decays in the remainder."""
    model = BiokineticModel(
        name="x",
        source="x",
        retentions=(
            Retention(
                region="kidneys",
                fraction=fraction,
                half_life_h=leaving_h,
                uptake_half_time_h=uptake_h,
                excretion=Excretion.URINE,
            ),
            Retention(region=REMAINDER, fraction=1 - fraction),
        ),
    )
    for transit_h in (0.0, RENAL_TRANSIT_H):
        found = time_integrated_coefficients_h(model, half_life_h, voiding=NEVER, renal_transit_h=transit_h)
        physical = log(2) / half_life_h
        assert sum(found.values()) == pytest.approx(1 / physical, rel=1e-5)
        assert all(v >= 0 for v in found.values())


def test_urine_on_its_way_is_what_leaves_times_the_transit() -> None:
    """FDG: 0.06 and 0.18 leave with 0.2 and 1.5 h, as far as they do not decay before."""
    without = time_integrated_coefficients_h(fdg(), F18_H, voiding=ICRP_ADULT_VOIDING)
    found = time_integrated_coefficients_h(
        fdg(), F18_H, voiding=ICRP_ADULT_VOIDING, renal_transit_h=RENAL_TRANSIT_H
    )
    leaves = 0.06 * F18_H / (F18_H + 0.2) + 0.18 * F18_H / (F18_H + 1.5)
    assert found[RENAL_URINE] == pytest.approx(leaves / 12)
    assert found[REMAINDER] == pytest.approx(without[REMAINDER] - leaves / 12)
    assert found[BLADDER] == without[BLADDER]
    with pytest.raises(InputError, match="transit of -1 h"):
        time_integrated_coefficients_h(fdg(), F18_H, voiding=NEVER, renal_transit_h=-1.0)


def test_phosphonates_give_the_coefficients_that_are_remembered() -> None:
    """Shares and coefficients are remembered apart from each other."""
    if RECALLED_MODELS not in table_names():
        pytest.skip("no table of recalled models")
    model = biokinetic_model("99mTc-phosphonates", recalled=True)
    found = time_integrated_coefficients_h(
        model, TC99M_H, voiding=ICRP_ADULT_VOIDING, renal_transit_h=RENAL_TRANSIT_H
    )
    bone = sum(value for region, value in found.items() if region.endswith("bone-surface"))
    assert bone == pytest.approx(3.01, rel=0.005)
    assert found["kidneys"] + found[RENAL_URINE] == pytest.approx(0.12, abs=0.005)
    assert found[BLADDER] == pytest.approx(1.15, rel=0.03)


def test_contents_integrate_to_the_coefficient() -> None:
    part = Retention(
        region="liver",
        fraction=0.3,
        half_life_h=8.0,
        uptake_half_time_h=0.5,
        excretion=Excretion.NOT_FOLLOWED,
    )
    time = (np.arange(200_000) + 0.5) * 1e-3
    assert part.contents_fraction(time, 6.0).sum() * 1e-3 == pytest.approx(part.coefficient_h(6.0), rel=1e-6)
    assert part.fillings() == []


def test_what_left_is_in_the_bladder() -> None:
    part = Retention(
        region="kidneys", fraction=0.5, half_life_h=2.0, uptake_half_time_h=0.5, excretion=Excretion.URINE
    )
    time, stable = np.array([0.5, 3.0, 50.0]), 1e12
    waiting = 0.5 * np.exp(-log(2) / 0.5 * time)
    inside = part.contents_fraction(time, stable) + contents_fraction(part.fillings(), NEVER, stable, time)
    assert inside + waiting == pytest.approx(np.full(3, 0.5))


def test_equal_half_times_are_a_limit() -> None:
    same = Retention(
        region="liver", fraction=1.0, half_life_h=2.0, uptake_half_time_h=2.0, excretion=Excretion.URINE
    )
    # A = l t exp(-l t): the integral is l / (l + p)^2
    rate, physical = log(2) / 2, log(2) / 6
    assert same.coefficient_h(6.0) == pytest.approx(rate / (rate + physical) ** 2, rel=1e-5)
    assert sum(f.fraction for f in same.fillings()) == pytest.approx(1.0)


def test_packaged_models_hold_together() -> None:
    assert "99mTc-MDP" in model_names()
    for name in model_names():
        model = biokinetic_model(name)
        assert model.source
        assert model.grade != "C"
        found = time_integrated_coefficients_h(model, TC99M_H, voiding=ICRP_ADULT_VOIDING)
        assert all(v >= 0 for v in found.values())
        assert sum(found.values()) < TC99M_H / log(2)


def test_retention_of_mdp_at_one_day() -> None:
    parts = biokinetic_model("99mTc-MDP").retentions
    left = sum(p.contents_fraction(np.array([24.0]), 1e12)[0] for p in parts)
    assert left == pytest.approx(0.310, abs=0.001)  # what the model was made from


def test_regions_are_those_of_the_vocabulary() -> None:
    known = {*map(str, load("organs")["key"]), REMAINDER, *BONE_SOURCES}
    for table in ("kinetics_models", "kinetics_coefficients"):
        assert set(map(str, load(table)["region"])) <= known


def test_what_is_remembered_must_be_asked_for_and_says_so() -> None:
    with pytest.raises(InputError, match="no biokinetic model"):
        biokinetic_model("18F-FDG")
    if RECALLED_MODELS in table_names():
        assert biokinetic_model("18F-FDG", recalled=True).grade == "C"
    else:
        with pytest.raises(DataError, match="kinetics_models_recalled"):
            biokinetic_model("18F-FDG", recalled=True)
    assert "from memory" in fdg().flags[0]
    assert fdg("A").flags == ()
    assert fdg("A").grade == "A"


def test_ways_that_are_not_followed_are_said() -> None:
    breath = Retention(region="lungs", fraction=1.0, half_life_h=1.0, excretion=Excretion.NOT_FOLLOWED)
    model = BiokineticModel(name="gas", retentions=(breath,), source="x", note="a note")
    assert model.flags[0] == "a note"
    assert "not followed" in model.flags[1]


def test_measured_coefficients() -> None:
    known = measured_coefficients("68Ga-NODAGA-MJ9", "male")
    assert known.coefficients_h["pancreas"] == pytest.approx(0.0813)
    assert known.std_h["pancreas"] == pytest.approx(0.0195)
    assert not known.complete
    assert measured_coefficients("18F-AH113804", "female").complete
    with pytest.raises(InputError, match=r"68Ga-NODAGA-MJ9 \(male\)"):
        measured_coefficients("68Ga-NODAGA-MJ9", "female")


def test_remainder_is_what_the_regions_leave() -> None:
    assert remainder_coefficient_h(2.5, {"liver": 0.5, "kidneys": 0.25}) == pytest.approx(1.75)
    with pytest.raises(InputError, match="whole body 1 h"):
        remainder_coefficient_h(1.0, {"liver": 0.8, "left-kidney": 0.2, "kidneys": 0.3})
    with pytest.raises(InputError, match="already"):
        remainder_coefficient_h(1.0, {REMAINDER: 0.5})


def test_impossible_models() -> None:
    with pytest.raises(InputError, match="60 % of the administered"):
        BiokineticModel(name="x", retentions=(Retention(region="liver", fraction=0.6),), source="x")
    with pytest.raises(InputError, match=r"share of 1\.2"):
        Retention(region="liver", fraction=1.2)
    with pytest.raises(InputError, match="must say where to"):
        Retention(region="liver", fraction=0.2, half_life_h=2.0)
    with pytest.raises(InputError, match="must say where to"):
        Retention(region="liver", fraction=0.2, excretion=Excretion.URINE)
    with pytest.raises(InputError, match="not positive"):
        Retention(region="liver", fraction=0.2, half_life_h=-1.0)
    with pytest.raises(InputError, match="uptake is negative"):
        Retention(region="liver", fraction=0.2, uptake_half_time_h=-1.0)
    with pytest.raises(InputError, match="never decays"):
        time_integrated_coefficients_h(fdg(), inf, voiding=NEVER)
