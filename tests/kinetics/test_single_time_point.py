"""One measurement: exact where the methods are, honest elsewhere."""

from __future__ import annotations

from math import inf, isnan, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.errors import InputError
from omnidose.kinetics.curves import TimeActivityCurve
from omnidose.kinetics.exponentials import Shape
from omnidose.kinetics.fits import Weights, fit_curve
from omnidose.kinetics.single_time_point import (
    HalfLifePopulation,
    haenscheid,
    haenscheid_mbq_h,
    population_half_life,
    population_mbq_h,
    prior_cycle,
    relative_errors,
)

LU177_H = 159.53
KIDNEYS = HalfLifePopulation(median_h=50.0, spread_rel=0.2, half_life_h=LU177_H)


@given(half_life_h=st.floats(5.0, 150.0))
def test_haenscheid_is_exact_at_one_and_two_half_lives(half_life_h: float) -> None:
    for times in (1, 2):
        activity = 100 * 2.0**-times
        assert haenscheid_mbq_h(activity, times * half_life_h) == pytest.approx(100 * half_life_h / log(2))


@given(half_life_h=st.floats(5.0, 150.0), time_h=st.floats(1.0, 300.0))
def test_the_right_half_life_is_exact(half_life_h: float, time_h: float) -> None:
    activity = 100 * 2 ** (-time_h / half_life_h)
    assert population_mbq_h(activity, time_h, half_life_h) == pytest.approx(100 * half_life_h / log(2))


def test_no_spread_leaves_the_measurement() -> None:
    sharp = HalfLifePopulation(median_h=50.0, spread_rel=0.0, half_life_h=LU177_H)
    found = population_half_life(10.0, 72.0, std_rel=0.07, population=sharp)
    assert found.std_rel == pytest.approx(0.07)


def test_first_order_would_say_nothing_where_the_error_is_one_sided() -> None:
    at = 50.0 / log(2)  # there d ln integral / d ln T is 0
    found = population_half_life(10.0, at, std_rel=0.0, population=KIDNEYS)
    assert 0.005 < found.std_rel < 0.05
    errors = relative_errors(found.value_mbq_h / 10.0, at, KIDNEYS)
    assert errors.min() > -1e-6


def test_a_scan_too_early_or_too_late_is_uncertain() -> None:
    spread = [
        population_half_life(1.0, t, std_rel=0.0, population=KIDNEYS).std_rel for t in (4.0, 72.0, 168.0)
    ]
    assert spread[0] > 0.15
    assert spread[1] < 0.05
    assert spread[2] > 0.15
    bias = haenscheid(1.0, 24.0, std_rel=0.0, population=KIDNEYS)
    assert bias.std_rel > 0.4  # at half a half-life it is 31 % too low, and that counts


def test_no_population_no_uncertainty() -> None:
    found = haenscheid(10.0, 96.0, std_rel=0.05)
    assert isnan(found.std_mbq_h)
    assert found.flags


def test_no_half_life_of_the_population_is_longer_than_the_physical() -> None:
    slow = HalfLifePopulation(median_h=150.0, spread_rel=0.5, half_life_h=LU177_H)
    assert slow.equally_likely_h().max() <= LU177_H
    free = HalfLifePopulation(median_h=150.0, spread_rel=0.5, half_life_h=inf)
    assert np.median(free.equally_likely_h()) == pytest.approx(150.0)


def test_no_activity_is_no_integral() -> None:
    assert haenscheid(0.0, 96.0, std_rel=0.05, population=KIDNEYS).value_mbq_h == 0


@pytest.fixture
def prior_curve() -> TimeActivityCurve:
    time = np.array([4.0, 24.0, 96.0, 168.0])
    return TimeActivityCurve.with_relative_std(time, 200 * 2 ** (-time / 60.0), std_rel=0.05)


def test_prior_cycle_scales_the_curve(prior_curve: TimeActivityCurve) -> None:
    prior = fit_curve(prior_curve, Shape.MONO, half_life_h=LU177_H)
    activity = 0.7 * float(prior.activity_mbq(np.array([24.0]))[0])
    found = prior_cycle(activity, 24.0, std_rel=0.05, prior=prior, change_std_rel=0.1)
    assert found.value_mbq_h == pytest.approx(0.7 * prior.integral.value_mbq_h)
    assert found.std_rel > (0.05**2 + 0.1**2) ** 0.5
    # of integral / activity, l t - ln l, only the constant is uncertain: (t - 1 / l) times its deviation
    constant, std = float(prior.constants_per_h[0]), float(np.sqrt(prior.covariance[1, 1]))
    alone = prior_cycle(activity, 24.0, std_rel=0.0, prior=prior, change_std_rel=0.0)
    assert alone.std_rel == pytest.approx(abs(24.0 - 1 / constant) * std, rel=1e-6)


def test_a_rejected_prior_is_refused(prior_curve: TimeActivityCurve) -> None:
    flat = TimeActivityCurve.with_relative_std(prior_curve.time_h, np.ones(4), std_rel=0.05)
    prior = fit_curve(flat, Shape.MONO, half_life_h=LU177_H)
    with pytest.raises(InputError, match="rejected"):
        prior_cycle(1.0, 24.0, std_rel=0.05, prior=prior, change_std_rel=0.1)


def test_a_prior_without_activity_is_refused(prior_curve: TimeActivityCurve) -> None:
    time = np.array([1.0, 4.0, 24.0, 96.0, 168.0])
    rising = TimeActivityCurve.with_relative_std(
        time, 100 * (np.exp(-0.01 * time) - np.exp(-0.3 * time)), std_rel=0.05
    )
    prior = fit_curve(rising, Shape.UPTAKE, half_life_h=LU177_H)
    with pytest.raises(InputError, match="0 h cannot be used"):
        prior_cycle(1.0, 0.0, std_rel=0.05, prior=prior, change_std_rel=0.1)


@pytest.mark.parametrize(
    ("median", "spread", "physical", "words"),
    [
        (0.0, 0.1, 100.0, "median"),
        (50.0, -0.1, 100.0, "spread"),
        (50.0, 0.1, 0.0, "half-life"),
        (120.0, 0.1, 100.0, "longer than the physical"),
    ],
)
def test_impossible_populations(median: float, spread: float, physical: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        HalfLifePopulation(median_h=median, spread_rel=spread, half_life_h=physical)


@pytest.mark.parametrize(("activity", "time", "std"), [(-1.0, 24.0, 0.1), (1.0, 0.0, 0.1), (1.0, 24.0, -1.0)])
def test_impossible_measurements(activity: float, time: float, std: float) -> None:
    with pytest.raises(InputError):
        haenscheid(activity, time, std_rel=std)


def test_a_prior_of_unknown_shape_says_so() -> None:
    """Two points with relative weights leave no scatter: the shape's uncertainty is unknown, not 0."""
    pair = TimeActivityCurve.with_relative_std([4.0, 96.0], [100.0, 40.0], std_rel=0.05)
    prior = fit_curve(pair, Shape.MONO, half_life_h=LU177_H, weights=Weights.RELATIVE)
    found = prior_cycle(50.0, 24.0, std_rel=0.05, prior=prior, change_std_rel=0.1)
    assert isnan(found.std_mbq_h)
    assert any("cannot be told" in flag for flag in found.flags)
