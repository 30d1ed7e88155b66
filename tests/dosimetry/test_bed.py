"""Protraction, BED and EQD2: closed forms, limits, kinds that do not mix."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import dblquad

from omnidose.dosimetry.bed import DoseRate, Rbe, Repair, alpha_bed, bed, eqd2, lea_catcheside, total_bed
from omnidose.errors import InputError, QuantityKindError
from omnidose.quantities import AbsorbedDose, BiologicallyEffectiveDose, EquivalentDose2Gy, RbeWeightedDose

KIDNEY = Repair(half_times_h=(2.8,), source="kidney")
FALLING = DoseRate(amplitudes=(1.0,), half_lives_h=(51.6,))
RBE5 = Rbe(ratio=5.0, endpoint="cell death", source="assumed")


@given(half_life_h=st.floats(0.01, 1e4), repair_h=st.floats(0.01, 100.0))
def test_one_exponential(half_life_h: float, repair_h: float) -> None:
    found = lea_catcheside(
        DoseRate(amplitudes=(3.0,), half_lives_h=(half_life_h,)), Repair(half_times_h=(repair_h,))
    )
    assert found == pytest.approx(repair_h / (repair_h + half_life_h))  # l / (l + m)


@given(
    half_lives=st.lists(st.floats(0.5, 200.0), min_size=1, max_size=4),
    amplitudes=st.lists(st.floats(0.01, 10.0), min_size=4, max_size=4),
    fast=st.floats(0.1, 2.0),
    slow=st.floats(2.0, 20.0),
    weight=st.floats(0.0, 1.0),
)
def test_protraction_lies_between_none_and_all(
    half_lives: list[float], amplitudes: list[float], fast: float, slow: float, weight: float
) -> None:
    rate = DoseRate(amplitudes=tuple(amplitudes[: len(half_lives)]), half_lives_h=tuple(half_lives))
    both = Repair(half_times_h=(fast, slow), weights=(weight, 1 - weight))
    found = lea_catcheside(rate, both)
    assert 0 < found < 1
    quick, lazy = (lea_catcheside(rate, Repair(half_times_h=(t,))) for t in (fast, slow))
    assert quick <= found * (1 + 1e-9)
    assert found <= lazy * (1 + 1e-9)


def test_limits() -> None:
    acute = DoseRate(amplitudes=(1.0,), half_lives_h=(1e-6,))
    assert lea_catcheside(acute, KIDNEY) == pytest.approx(1.0, abs=1e-5)
    endless = DoseRate(amplitudes=(1.0,), half_lives_h=(1e9,))
    assert lea_catcheside(endless, KIDNEY) == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize(
    ("amplitudes", "half_lives", "repair"),
    [
        ((1.0, -1.0), (20.0, 3.0), Repair(half_times_h=(1.5,))),
        ((0.7, 0.3), (4.0, 15.0), Repair(half_times_h=(0.5, 4.0), weights=(0.4, 0.6))),
    ],
)
def test_double_integral(
    amplitudes: tuple[float, ...], half_lives: tuple[float, ...], repair: Repair
) -> None:
    """G = (2 / D^2) int R(t) int_(w < t) R(w) left(t - w), integrated numerically."""
    rate = DoseRate(amplitudes=amplitudes, half_lives_h=half_lives)

    def at(t: float) -> float:
        return sum(a * 2 ** (-t / h) for a, h in zip(amplitudes, half_lives, strict=True))

    def left(t: float) -> float:
        return sum(w * 2 ** (-t / h) for w, h in zip(repair.weights, repair.half_times_h, strict=True))

    end = 12 * max(half_lives)
    total, _ = dblquad(lambda w, t: at(t) * at(w) * left(t - w), 0, end, 0, lambda t: t, epsrel=1e-5)
    dose = sum(a * h / log(2) for a, h in zip(amplitudes, half_lives, strict=True))
    assert lea_catcheside(rate, repair) == pytest.approx(2 * total / dose**2, rel=2e-3)


def test_bed_and_eqd2_by_hand() -> None:
    effect = bed(AbsorbedDose(6500.0), alpha_beta_gy=2.5, rate=FALLING, repair=KIDNEY)
    assert effect.value == pytest.approx(6500 * (1 + 2.8 / 54.4 * 6.5 / 2.5))
    assert eqd2(effect).value == pytest.approx(effect.value / 1.8)
    assert isinstance(eqd2(effect), EquivalentDose2Gy)


@given(dose=st.floats(0.0, 1e5), alpha_beta=st.floats(0.5, 30.0))
def test_bed_is_never_below_the_dose(dose: float, alpha_beta: float) -> None:
    effect = bed(AbsorbedDose(dose), alpha_beta_gy=alpha_beta, rate=FALLING, repair=KIDNEY)
    assert effect.value >= dose
    assert effect.alpha_beta_gy == alpha_beta


def test_voxels() -> None:
    doses = np.array([[0.0, 1000.0], [2000.0, 3000.0]])
    effect = bed(AbsorbedDose(doses), alpha_beta_gy=10.0, rate=FALLING, repair=KIDNEY)
    assert effect.value.shape == (2, 2)
    assert effect.value[0, 0] == 0


def test_kinds_do_not_mix() -> None:
    dose = AbsorbedDose(1000.0)
    effect = bed(dose, alpha_beta_gy=2.5, rate=FALLING, repair=KIDNEY)
    with pytest.raises(QuantityKindError):
        _ = dose + effect
    other = bed(dose, alpha_beta_gy=10.0, rate=FALLING, repair=KIDNEY)
    with pytest.raises(QuantityKindError, match="qualifiers"):
        total_bed([effect, other])
    with pytest.raises(QuantityKindError, match="RbeWeightedDose"):
        bed(RbeWeightedDose(1000.0), alpha_beta_gy=2.5, rate=FALLING, repair=KIDNEY)  # type: ignore[arg-type]
    with pytest.raises(QuantityKindError, match="AbsorbedDose"):
        eqd2(dose)  # type: ignore[arg-type]


def test_cycles_add_in_effect_not_in_dose() -> None:
    once = bed(AbsorbedDose(6000.0), alpha_beta_gy=2.5, rate=FALLING, repair=KIDNEY)
    four = total_bed([once] * 4)
    assert four.value == pytest.approx(4 * once.value)
    together = bed(AbsorbedDose(24_000.0), alpha_beta_gy=2.5, rate=FALLING, repair=KIDNEY)
    assert together.value > four.value
    with pytest.raises(InputError, match="no cycle"):
        total_bed([])


def test_alpha_keeps_the_physical_dose() -> None:
    found = alpha_bed(
        AbsorbedDose(100.0), AbsorbedDose(20.0), rbe=RBE5, alpha_beta_gy=10.0, rate=FALLING, repair=KIDNEY
    )
    low = bed(AbsorbedDose(20.0), alpha_beta_gy=10.0, rate=FALLING, repair=KIDNEY)
    assert found.effect.value == pytest.approx(500.0 + low.value)
    assert isinstance(found.effect, BiologicallyEffectiveDose)
    assert found.absorbed_dose == AbsorbedDose(120.0)
    assert found.alpha_dose == AbsorbedDose(100.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DoseRate(amplitudes=(), half_lives_h=()), "one half-life per amplitude"),
        (lambda: DoseRate(amplitudes=(1.0,), half_lives_h=(1.0, 2.0)), "one half-life per amplitude"),
        (lambda: DoseRate(amplitudes=(1.0,), half_lives_h=(0.0,)), "not positive"),
        (lambda: DoseRate(amplitudes=(1.0,), half_lives_h=(inf,)), "not positive"),
        (lambda: DoseRate(amplitudes=(-1.0,), half_lives_h=(1.0,)), "no dose"),
        (lambda: DoseRate(amplitudes=(inf,), half_lives_h=(1.0,)), "no dose"),
        (lambda: Repair(half_times_h=()), "one share"),
        (lambda: Repair(half_times_h=(0.0,)), "not positive"),
        (lambda: Repair(half_times_h=(1.0, 2.0), weights=(0.5, 0.6)), "add up to 1"),
        (lambda: Repair(half_times_h=(1.0, 2.0), weights=(-0.5, 1.5)), "add up to 1"),
        (lambda: Rbe(ratio=0.5, endpoint="x", source="x"), "RBE of 0.5"),
        (lambda: Rbe(ratio=5.0, endpoint="", source="x"), "means nothing"),
        (lambda: bed(AbsorbedDose(-1.0), alpha_beta_gy=3.0, rate=FALLING, repair=KIDNEY), "negative"),
        (lambda: bed(AbsorbedDose(1.0), alpha_beta_gy=0.0, rate=FALLING, repair=KIDNEY), "alpha/beta of 0"),
    ],
)
def test_impossible(make: Callable[[], object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


@pytest.mark.parametrize("apart", [1e-4, 1e-8, 1e-12])
def test_uptake_almost_as_slow_as_clearance(apart: float) -> None:
    """The rate is then nearly t exp(-l t): floating point would leave nothing of the difference."""
    rate = DoseRate(amplitudes=(1.0, -1.0), half_lives_h=(50.0, 50.0 * (1 - apart)))
    decay, repair = log(2) / 50.0, log(2) / 2.8

    def inner(late: float, early: float) -> float:
        return late * early * float(np.exp(-decay * (late + early) - repair * (late - early)))

    pairs, _error = dblquad(lambda early, late: inner(late, early), 0, 4000, 0, lambda late: late)
    exact = 2 * pairs * decay**4
    assert lea_catcheside(rate, Repair(half_times_h=(2.8,))) == pytest.approx(exact, rel=3e-4)


@pytest.mark.parametrize(
    ("amplitudes", "half_lives_h"), [((3.0, -1.0), (1.0, 2.0)), ((1.0, -2.0), (50.0, 1.0))]
)
def test_a_rate_below_zero_is_refused(amplitudes: tuple[float, ...], half_lives_h: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="falls below 0"):
        DoseRate(amplitudes=amplitudes, half_lives_h=half_lives_h)
