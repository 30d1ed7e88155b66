"""Curves and their fits: known curves come back, bounds are found, bad curves are refused."""

from __future__ import annotations

from math import inf, isnan, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.errors import InputError
from omnidose.kinetics import exponentials
from omnidose.kinetics.choice import choose_shape
from omnidose.kinetics.curves import TimeActivityCurve, TimeIntegratedActivity
from omnidose.kinetics.exponentials import Shape
from omnidose.kinetics.fits import Weights, fit_curve

TIMES = np.array([1.0, 4.0, 24.0, 72.0, 120.0, 168.0])
LU177_H = 159.53
PHYSICAL = log(2) / LU177_H
#: Free parameters of one curve of each shape: amplitudes, then differences of constants.
TRUE = {
    Shape.RETAINED: [50.0],
    Shape.MONO: [100.0, 0.006],
    Shape.UPTAKE_RETAINED: [120.0, 0.05],
    Shape.UPTAKE: [120.0, 0.006, 0.2],
    Shape.BI: [60.0, 40.0, 0.004, 0.15],
}


def made(shape: Shape, noise_rel: float = 0.0, seed: int = 0) -> TimeActivityCurve:
    rng = np.random.default_rng(seed)
    exact = exponentials.activity_mbq(shape, np.array(TRUE[shape]), TIMES, PHYSICAL)
    return TimeActivityCurve(
        time_h=TIMES,
        activity_mbq=np.maximum(exact * (1 + noise_rel * rng.standard_normal(TIMES.size)), 0.0),
        std_mbq=0.03 * exact,
        name=shape.value,
    )


@pytest.mark.parametrize("shape", list(Shape))
def test_a_known_curve_comes_back(shape: Shape) -> None:
    fit = fit_curve(made(shape), shape, half_life_h=LU177_H)
    assert fit.accepted
    assert fit.free == pytest.approx(TRUE[shape], rel=1e-5)
    exact = exponentials.integral_mbq_h(shape, np.array(TRUE[shape]), PHYSICAL)
    assert fit.integral.value_mbq_h == pytest.approx(exact, rel=1e-7)
    assert fit.chi2 == pytest.approx(0.0, abs=1e-8)
    assert fit.r_squared == pytest.approx(1.0)
    assert fit.residuals_mbq == pytest.approx(np.zeros(6), abs=1e-4)


@pytest.mark.parametrize("shape", list(Shape))
def test_derivatives_are_those_of_the_curve(shape: Shape) -> None:
    free = np.array(TRUE[shape])
    slope = exponentials.jacobian(shape, free, TIMES, PHYSICAL)
    gradient = exponentials.integral_gradient(shape, free, PHYSICAL)
    for i in range(free.size):
        step = np.zeros(free.size)
        step[i] = 1e-6 * free[i]
        up, down = free + step, free - step
        change = exponentials.activity_mbq(shape, up, TIMES, PHYSICAL) - exponentials.activity_mbq(
            shape, down, TIMES, PHYSICAL
        )
        assert slope[:, i] == pytest.approx(change / (2 * step[i]), rel=1e-5, abs=1e-8)
        integral = exponentials.integral_mbq_h(shape, up, PHYSICAL) - exponentials.integral_mbq_h(
            shape, down, PHYSICAL
        )
        assert gradient[i] == pytest.approx(integral / (2 * step[i]), rel=1e-5)


@given(amplitude=st.floats(0.1, 1e4), half_life_h=st.floats(10.0, 150.0), factor=st.floats(1e-3, 1e3))
@settings(max_examples=20, deadline=None)
def test_the_unit_of_the_activity_does_not_matter(
    amplitude: float, half_life_h: float, factor: float
) -> None:
    activity = amplitude * np.exp(-log(2) / half_life_h * TIMES)
    one = TimeActivityCurve.with_relative_std(TIMES, activity, std_rel=0.05)
    other = TimeActivityCurve.with_relative_std(TIMES, factor * activity, std_rel=0.05)
    first = fit_curve(one, Shape.MONO, half_life_h=LU177_H).integral
    second = fit_curve(other, Shape.MONO, half_life_h=LU177_H).integral
    assert first.value_mbq_h == pytest.approx(amplitude * half_life_h / log(2), rel=1e-5)
    assert second.value_mbq_h == pytest.approx(factor * first.value_mbq_h, rel=1e-5)
    assert second.std_mbq_h == pytest.approx(factor * first.std_mbq_h, rel=1e-3)
    assert 0 <= first.head_fraction <= 1
    assert 0 <= first.tail_fraction <= 1


@given(values=st.lists(st.floats(0.0, 100.0), min_size=4, max_size=6), shape=st.sampled_from(list(Shape)))
@settings(max_examples=30, deadline=None)
def test_no_curve_falls_slower_than_it_decays(values: list[float], shape: Shape) -> None:
    curve = TimeActivityCurve(
        time_h=TIMES[: len(values)], activity_mbq=np.array(values), std_mbq=np.ones(len(values))
    )
    if not curve.activity_mbq.any():
        with pytest.raises(InputError, match="any activity"):
            fit_curve(curve, shape, half_life_h=LU177_H)
        return
    fit = fit_curve(curve, shape, half_life_h=LU177_H)
    assert (fit.constants_per_h >= PHYSICAL).all()
    assert fit.integral.value_mbq_h >= 0
    assert (fit.free >= 0).all()


def test_uncertainty_is_the_scatter_of_many_fits() -> None:
    found = [
        fit_curve(made(Shape.MONO, 0.03, seed), Shape.MONO, half_life_h=LU177_H).integral
        for seed in range(200)
    ]
    scatter = np.std([i.value_mbq_h for i in found])
    assert np.mean([i.std_mbq_h for i in found]) == pytest.approx(scatter, rel=0.15)


def test_uncertainty_of_constants() -> None:
    found = [fit_curve(made(Shape.BI, 0.03, s), Shape.BI, half_life_h=LU177_H) for s in range(60)]
    scatter = np.std([f.constants_per_h for f in found], axis=0)
    assert np.median([f.constants_std_per_h for f in found], axis=0) == pytest.approx(scatter, rel=0.35)
    held = fit_curve(made(Shape.RETAINED), Shape.RETAINED, half_life_h=LU177_H)
    assert held.constants_std_per_h.tolist() == [0.0]


def test_sampled_integrals_agree_where_the_curve_is_well_known() -> None:
    fit = fit_curve(made(Shape.MONO, 0.03), Shape.MONO, half_life_h=LU177_H)
    sampled = fit.sampled_integrals_mbq_h()
    assert sampled.std() == pytest.approx(fit.integral.std_mbq_h, rel=0.1)
    assert np.median(sampled) == pytest.approx(fit.integral.value_mbq_h, rel=0.01)


def test_relative_weights_take_the_scale_from_the_scatter() -> None:
    curve = made(Shape.MONO, 0.03, 4)
    wrong = TimeActivityCurve(
        time_h=curve.time_h, activity_mbq=curve.activity_mbq, std_mbq=10 * curve.std_mbq
    )
    plain = fit_curve(curve, Shape.MONO, half_life_h=LU177_H, weights=Weights.RELATIVE)
    scaled = fit_curve(wrong, Shape.MONO, half_life_h=LU177_H, weights=Weights.RELATIVE)
    assert scaled.integral.std_mbq_h == pytest.approx(plain.integral.std_mbq_h, rel=1e-6)
    absolute = fit_curve(wrong, Shape.MONO, half_life_h=LU177_H)
    assert absolute.integral.std_mbq_h > 5 * plain.integral.std_mbq_h


def test_two_points_have_no_scatter() -> None:
    curve = TimeActivityCurve.with_relative_std([4.0, 96.0], [100.0, 40.0], std_rel=0.05)
    relative = fit_curve(curve, Shape.MONO, half_life_h=LU177_H, weights=Weights.RELATIVE)
    assert isnan(relative.integral.std_mbq_h)
    assert relative.integral.flags[-1].startswith("the uncertainty")
    with pytest.raises(InputError, match="covariance"):
        relative.sampled_integrals_mbq_h()
    assert fit_curve(curve, Shape.MONO, half_life_h=LU177_H).integral.std_mbq_h > 0
    assert isnan(relative.aicc)


def test_a_flat_curve_is_rejected_with_a_reason() -> None:
    flat = TimeActivityCurve.with_relative_std(TIMES, np.full(6, 10.0), std_rel=0.05)
    held = fit_curve(flat, Shape.MONO, half_life_h=LU177_H)
    assert "physical" in held.rejection
    free = fit_curve(flat, Shape.MONO, half_life_h=inf)
    assert "never falls" in free.rejection


def test_what_one_exponential_says_two_need_not() -> None:
    fit = fit_curve(made(Shape.MONO), Shape.BI, half_life_h=LU177_H)
    assert not fit.accepted


def test_pure_decay_is_found_by_retention() -> None:
    choice = choose_shape(made(Shape.RETAINED), half_life_h=LU177_H)
    assert choice.best.shape is Shape.RETAINED
    assert choice.best.effective_half_lives_h == pytest.approx([LU177_H])
    # what may have left unseen stays in the uncertainty: that of the exponential which ended on its bound
    mono = fit_curve(made(Shape.RETAINED), Shape.MONO, half_life_h=LU177_H)
    assert choice.integral.std_mbq_h == pytest.approx(mono.integral.std_mbq_h)
    said = {f.shape: choice.why_not(f) for f in choice.fits}
    assert "physical" in said[Shape.MONO]
    assert said[Shape.RETAINED] == ""
    falling = choose_shape(made(Shape.MONO), half_life_h=LU177_H)
    assert "a bound of mono" in falling.why_not(falling.fits[0])
    asked = fit_curve(made(Shape.RETAINED), Shape.RETAINED, half_life_h=LU177_H)
    assert asked.integral.std_mbq_h < 0.7 * choice.integral.std_mbq_h


@given(
    half_life=st.floats(8.0, 150.0), factor=st.floats(1e-3, 1e3), seed=st.integers(0, 30),
    n=st.integers(2, 6),
)  # fmt: skip
@settings(max_examples=12, deadline=None)
def test_a_choice_does_not_hang_on_the_unit(half_life: float, factor: float, seed: int, n: int) -> None:
    """kBq or MBq: same shape, decays and uncertainty go with the factor; never above what physics allows."""
    time = np.array([2.0, 6.0, 24.0, 72.0, 120.0, 168.0])[-n:]
    noise = 1 + 0.05 * np.random.default_rng(seed).standard_normal(n)
    activity = 100 * 2 ** (-time / half_life) * noise
    first, second = (
        choose_shape(
            TimeActivityCurve.with_relative_std(time, f * activity, std_rel=0.05), half_life_h=LU177_H
        )
        for f in (1.0, factor)
    )
    assert second.best.shape is first.best.shape
    assert second.integral.value_mbq_h == pytest.approx(factor * first.integral.value_mbq_h, rel=1e-5)
    assert second.integral.std_mbq_h == pytest.approx(factor * first.integral.std_mbq_h, rel=1e-3)
    assert (first.best.constants_per_h >= PHYSICAL * (1 - 1e-9)).all()


def test_two_points_that_hardly_fall_keep_the_doubt() -> None:
    """An uptake that stays would pass through both, and call itself certain."""
    time = np.array([24.0, 96.0])
    curve = TimeActivityCurve.with_relative_std(time, [0.5, 0.40], std_rel=0.05)
    choice = choose_shape(curve, half_life_h=LU177_H)
    assert choice.best.shape is Shape.RETAINED
    assert set(choice.not_tried) == {Shape.UPTAKE_RETAINED, Shape.UPTAKE, Shape.BI}
    assert choice.integral.std_rel > 0.1
    one = TimeActivityCurve.with_relative_std([24.0], [0.5], std_rel=0.05)
    with pytest.raises(InputError, match="1 point is too few"):
        choose_shape(one, half_life_h=LU177_H)


def test_slow_loss_is_not_taken_for_none() -> None:
    """Four points of 5 %: AICc alone would take retention nine times of ten, for 9 % too many decays."""
    time = np.array([4.0, 24.0, 72.0, 168.0])
    true = 2 ** (-time / 140.0)
    rng = np.random.default_rng(4)
    off, inside = [], 0
    for _ in range(60):
        curve = TimeActivityCurve.with_relative_std(
            time, true * (1 + 0.05 * rng.standard_normal(4)), std_rel=0.05
        )
        found = choose_shape(curve, half_life_h=LU177_H, shapes=(Shape.RETAINED, Shape.MONO)).integral
        off.append(found.value_mbq_h * log(2) / 140.0 - 1)
        inside += abs(off[-1]) < 1.96 * found.std_mbq_h * log(2) / 140.0
    assert abs(np.median(off)) < 0.03
    assert inside >= 52  # of 60; 95 % would be 57


def test_points_that_scatter_more_than_they_say_make_it_less_certain() -> None:
    scatter = np.array([1.08, 0.93, 1.09, 0.91, 1.07, 0.94])
    curve = TimeActivityCurve.with_relative_std(TIMES, 50 * np.exp(-0.02 * TIMES) * scatter, std_rel=0.04)
    choice = choose_shape(curve, half_life_h=LU177_H, shapes=(Shape.MONO,))
    fit = choice.best
    assert fit.chi2 / fit.degrees_of_freedom > 2
    grown = fit.integral.std_mbq_h * (fit.chi2 / fit.degrees_of_freedom) ** 0.5
    assert choice.integral.std_mbq_h == pytest.approx(grown)
    calm = choose_shape(made(Shape.MONO), half_life_h=LU177_H)
    assert calm.integral.std_mbq_h == pytest.approx(calm.best.integral.std_mbq_h)


def test_an_average_keeps_what_was_said() -> None:
    wild = TimeActivityCurve.with_relative_std(
        TIMES, np.array([50.0, 10.0, 40.0, 5.0, 20.0, 1.0]), std_rel=0.05
    )
    choice = choose_shape(wild, half_life_h=LU177_H)
    assert "further from" in choice.averaged.remark
    assert "further from" in choice.integral.remark


def test_the_right_shape_is_chosen_and_averaging_follows_it() -> None:
    choice = choose_shape(made(Shape.UPTAKE, 0.03, 2), half_life_h=LU177_H)
    assert choice.best.shape is Shape.UPTAKE
    assert choice.akaike_weights.sum() == pytest.approx(1.0)
    assert choice.averaged.value_mbq_h == pytest.approx(choice.best.integral.value_mbq_h, rel=0.02)
    assert "uptake" in choice.averaged.method


def test_few_points_fall_back_to_one_exponential() -> None:
    curve = TimeActivityCurve.with_relative_std([24.0, 72.0, 168.0], [34.7, 24.9, 12.8], std_rel=0.03)
    choice = choose_shape(curve, half_life_h=LU177_H, shapes=(Shape.MONO, Shape.UPTAKE, Shape.BI))
    assert choice.best.shape is Shape.MONO
    assert choice.not_tried == (Shape.BI,)
    assert "too few" in choice.reason
    assert any("too few to test the shape" in flag for flag in choice.integral.flags)
    assert choice.averaged.value_mbq_h == pytest.approx(choice.best.integral.value_mbq_h)
    pair = TimeActivityCurve.with_relative_std([4.0, 96.0], [100.0, 40.0], std_rel=0.05)
    assert choose_shape(pair, half_life_h=LU177_H).best.shape is Shape.MONO


def test_three_falling_points_are_not_taken_for_pure_retention() -> None:
    """AICc is defined for one parameter alone there: it compares nothing."""
    time = np.array([4.0, 24.0, 72.0])
    curve = TimeActivityCurve(time_h=time, activity_mbq=100 * np.exp(-time / 40), std_mbq=np.full(3, 1.0))
    choice = choose_shape(curve, half_life_h=LU177_H)
    assert choice.best.shape is Shape.MONO
    assert choice.averaged.value_mbq_h == pytest.approx(4000, rel=1e-3)


@pytest.mark.parametrize("uptake_half_time_h", [2.0, 24.0])
def test_what_comes_slowly_and_stays(uptake_half_time_h: float) -> None:
    """Taken for activity that was there from the start, its integral would be half or a twentieth."""
    rate = log(2) / uptake_half_time_h
    activity = 100 * np.exp(-PHYSICAL * TIMES) * -np.expm1(-rate * TIMES)
    curve = TimeActivityCurve.with_relative_std(TIMES, activity, std_rel=0.05)
    choice = choose_shape(curve, half_life_h=LU177_H)
    assert choice.best.shape is Shape.UPTAKE_RETAINED
    assert choice.best.integral.value_mbq_h == pytest.approx(
        100 / PHYSICAL - 100 / (PHYSICAL + rate), rel=1e-5
    )


@pytest.mark.parametrize("weights", list(Weights))
def test_three_or_four_points_that_rise_are_not_taken_for_a_falling_curve(weights: Weights) -> None:
    time = np.array([4.0, 24.0, 72.0])
    exact = 100 * (np.exp(-0.012 * time) - np.exp(-0.12 * time))
    curve = TimeActivityCurve.with_relative_std(time, exact, std_rel=0.05)
    choice = choose_shape(curve, half_life_h=LU177_H, weights=weights)
    assert choice.best.shape is Shape.UPTAKE
    assert choice.best.integral.value_mbq_h == pytest.approx(100 / 0.012 - 100 / 0.12, rel=1e-4)
    four = np.array([4.0, 24.0, 72.0, 168.0])
    exact = 100 * (np.exp(-0.012 * four) - np.exp(-0.12 * four))
    curve = TimeActivityCurve.with_relative_std(four, exact, std_rel=0.02)
    assert choose_shape(curve, half_life_h=LU177_H).best.shape is Shape.UPTAKE


def test_slow_loss_after_uptake_is_not_taken_for_none() -> None:
    """AICc of five points would keep pure retention until chi^2 is higher by 20: 15 % of the integral."""
    time = np.array([1.0, 4.0, 24.0, 72.0, 168.0])
    slow, fast = 1.3 * PHYSICAL, 1.3 * PHYSICAL + log(2) / 24
    curve = TimeActivityCurve.with_relative_std(
        time, 100 * (np.exp(-slow * time) - np.exp(-fast * time)), std_rel=0.05
    )
    choice = choose_shape(curve, half_life_h=LU177_H)
    assert choice.best.shape is Shape.UPTAKE
    assert choice.averaged.value_mbq_h == pytest.approx(100 / slow - 100 / fast, rel=1e-4)


def test_relative_weights_judge_no_constant_without_scatter() -> None:
    """Three points through three parameters: the uncertainty is unknown, which speaks against nothing."""
    time = np.array([4.0, 24.0, 72.0])
    exact = 100 * (np.exp(-0.012 * time) - np.exp(-0.12 * time))
    curve = TimeActivityCurve.with_relative_std(time, exact, std_rel=0.05)
    fit = fit_curve(curve, Shape.UPTAKE, half_life_h=LU177_H, weights=Weights.RELATIVE)
    assert fit.accepted
    assert isnan(fit.integral.std_mbq_h)


def test_a_curve_that_the_points_contradict_is_flagged() -> None:
    rising = TimeActivityCurve.with_relative_std(TIMES, TIMES, std_rel=0.05)
    held = fit_curve(rising, Shape.RETAINED, half_life_h=LU177_H)
    assert held.contradicted
    assert any("further from the retained curve" in flag for flag in held.integral.flags)
    good = fit_curve(made(Shape.MONO, 0.03, 1), Shape.MONO, half_life_h=LU177_H)
    assert not good.contradicted
    assert good.integral.remark == ""


def test_nothing_fits() -> None:
    rising = TimeActivityCurve.with_relative_std(TIMES, TIMES, std_rel=0.05)
    with pytest.raises(InputError, match="no shape describes"):
        choose_shape(rising, half_life_h=LU177_H, shapes=(Shape.MONO,))
    one = TimeActivityCurve.with_relative_std([24.0], [10.0], std_rel=0.05)
    with pytest.raises(InputError, match="single time point"):
        choose_shape(one, half_life_h=inf)


def test_too_few_points() -> None:
    curve = TimeActivityCurve.with_relative_std([24.0, 72.0], [10.0, 5.0], std_rel=0.05)
    with pytest.raises(InputError, match="3 parameters of a uptake"):
        fit_curve(curve, Shape.UPTAKE, half_life_h=LU177_H)
    with pytest.raises(InputError, match="half-life of -1"):
        fit_curve(curve, Shape.MONO, half_life_h=-1.0)


@pytest.mark.parametrize(
    ("time", "activity", "std", "words"),
    [
        ([], [], [], "at least one"),
        ([1, 2], [1], [1], "do not belong"),
        ([2, 1], [1, 1], [1, 1], "must rise"),
        ([-1, 1], [1, 1], [1, 1], "must rise"),
        ([1, 1], [1, 1], [1, 1], "must rise"),
        ([1, 2], [1, -1], [1, 1], "negative"),
        ([1, 2], [1, np.nan], [1, 1], "not finite"),
        ([1, 2], [1, 0], [1, 0], "not positive"),
        ([[1, 2]], [[1, 0]], [[1, 1]], "one value per time"),
    ],
)
def test_bad_curves(time: list[float], activity: list[float], std: list[float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        TimeActivityCurve(
            time_h=np.array(time), activity_mbq=np.array(activity), std_mbq=np.array(std), name="liver"
        )


def test_a_decay_correction_is_taken_out() -> None:
    measured = np.array([80.0, 30.0])
    time = np.array([24.0, 96.0])
    for reference_h in (0.0, 24.0):
        grown = 2 ** ((time - reference_h) / LU177_H)
        curve = TimeActivityCurve.from_decay_corrected(
            time, measured * grown, 0.05 * measured * grown, half_life_h=LU177_H, corrected_to_h=reference_h
        )
        assert curve.activity_mbq == pytest.approx(measured)
        assert curve.std_mbq == pytest.approx(0.05 * measured)


def test_a_curve_cannot_be_changed() -> None:
    time = np.array([1.0, 2.0])
    curve = TimeActivityCurve(time_h=time, activity_mbq=np.ones(2), std_mbq=np.ones(2))
    time[0] = 5.0
    assert curve.time_h[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        curve.activity_mbq[0] = 3.0


def test_a_large_tail_is_flagged() -> None:
    integral = TimeIntegratedActivity(
        value_mbq_h=100.0, std_mbq_h=5.0, tail_fraction=0.3, head_fraction=0.1, method="x"
    )
    assert integral.flags[0].startswith("30 %")
    assert integral.std_rel == pytest.approx(0.05)
    assert integral.coefficient_h(50.0) == pytest.approx(2.0)
    with pytest.raises(InputError, match="not positive"):
        integral.coefficient_h(0.0)
