"""The bladder with voids: limits, conservation, sums over time."""

from __future__ import annotations

from math import inf, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.errors import InputError
from omnidose.kinetics.bladder import (
    ICRP_ADULT_VOIDING,
    NEVER,
    Filling,
    Voiding,
    contents_fraction,
    time_integrated_coefficient_h,
)

F18_H = 109.77 / 60


def test_never_emptied_it_holds_what_came() -> None:
    filling = [Filling(fraction=0.4, half_life_h=1.5)]
    leaving, physical = log(2) / 1.5, log(2) / F18_H
    expected = 0.4 * (1 / physical - 1 / (physical + leaving))
    assert time_integrated_coefficient_h(filling, NEVER, F18_H) == pytest.approx(expected)


@given(
    fraction=st.floats(0.01, 1.0),
    leaving_h=st.floats(0.05, 500.0),
    first_h=st.floats(0.2, 10.0),
    interval_h=st.floats(0.2, 10.0),
    half_life_h=st.floats(0.5, 20.0),
)
@settings(max_examples=30, deadline=None)
def test_the_closed_form_is_the_sum_over_time(
    fraction: float, leaving_h: float, first_h: float, interval_h: float, half_life_h: float
) -> None:
    filling = [Filling(fraction=fraction, half_life_h=leaving_h)]
    voiding = Voiding(first_h=first_h, interval_h=interval_h)
    voids_h = np.append(0.0, np.arange(first_h, 40 * half_life_h, interval_h))
    length_h = np.diff(voids_h)[:, None]
    x, weight = np.polynomial.legendre.leggauss(24)  # between voids the contents are smooth
    time_h = voids_h[:-1, None] + 0.5 * length_h * (x + 1)
    held = contents_fraction(filling, voiding, half_life_h, time_h.ravel()).reshape(time_h.shape)
    summed = float((held * weight * 0.5 * length_h).sum())
    found = time_integrated_coefficient_h(filling, voiding, half_life_h)
    assert found == pytest.approx(summed, rel=1e-7)
    assert 0 < found < time_integrated_coefficient_h(filling, NEVER, half_life_h) * (1 + 1e-9)


def test_more_voids_less_dose() -> None:
    filling = [Filling(fraction=0.3, half_life_h=2.0)]
    found = [
        time_integrated_coefficient_h(filling, Voiding(first_h=t, interval_h=t), F18_H)
        for t in (0.5, 1.0, 2.0, 4.0)
    ]
    assert found == sorted(found)


def test_contents_after_a_void_begin_at_nothing() -> None:
    filling = [Filling(fraction=0.3, half_life_h=2.0)]
    found = contents_fraction(filling, ICRP_ADULT_VOIDING, F18_H, np.array([0.0, 3.499, 3.5, 7.0, 8.0]))
    assert found[0] == 0
    assert found[1] > 0.05
    assert found[2] == pytest.approx(0.0, abs=1e-12)
    assert found[3] == pytest.approx(0.0, abs=1e-12)
    assert found[4] > 0


def test_one_void_only() -> None:
    filling = [Filling(fraction=0.3, half_life_h=2.0)]
    once = Voiding(first_h=2.0, interval_h=inf)
    assert contents_fraction(filling, once, F18_H, np.array([10.0]))[0] > 0
    more = time_integrated_coefficient_h(filling, Voiding(first_h=2.0, interval_h=1e6), F18_H)
    assert time_integrated_coefficient_h(filling, once, F18_H) == pytest.approx(more)


def test_a_delay_is_a_difference() -> None:
    late = [Filling(fraction=0.6, half_life_h=2.0), Filling(fraction=-0.3, half_life_h=1.0)]
    assert time_integrated_coefficient_h(late, NEVER, F18_H) > 0


@pytest.mark.parametrize(("fraction", "half_life"), [(float("nan"), 1.0), (0.1, 0.0), (0.1, inf)])
def test_impossible_fillings(fraction: float, half_life: float) -> None:
    with pytest.raises(InputError):
        Filling(fraction=fraction, half_life_h=half_life)


def test_impossible_bladders() -> None:
    with pytest.raises(InputError, match="not positive"):
        Voiding(first_h=0.0, interval_h=1.0)
    part = Filling(fraction=0.7, half_life_h=1.0)
    with pytest.raises(InputError, match="140 %"):
        time_integrated_coefficient_h([part, part], NEVER, F18_H)
    with pytest.raises(InputError, match="never decays"):
        time_integrated_coefficient_h([part], NEVER, inf)


def test_rounded_shares_may_be_a_little_above_one() -> None:
    third = Filling(fraction=0.334, half_life_h=2.0)
    one = Filling(fraction=1.0, half_life_h=2.0)
    found = time_integrated_coefficient_h([third] * 3, ICRP_ADULT_VOIDING, F18_H)
    assert found == pytest.approx(1.002 * time_integrated_coefficient_h([one], ICRP_ADULT_VOIDING, F18_H))


def test_a_void_is_a_void_whatever_rounding_does() -> None:
    """0.3 - 0.1 is less than twice 0.1 in binary numbers."""
    often = Voiding(first_h=0.1, interval_h=0.1)
    at_voids = np.arange(1, 200) * 0.1
    left = contents_fraction([Filling(fraction=0.24, half_life_h=2.0)], often, F18_H, at_voids)
    assert np.abs(left).max() < 1e-12
    just_before = contents_fraction([Filling(fraction=0.24, half_life_h=2.0)], often, F18_H, at_voids - 1e-6)
    assert just_before.min() > 0


def test_a_filling_that_runs_backwards_is_refused() -> None:
    """Shares over half-lives are flows at 0: 0.06 and -0.06 per hour are a delay, -0.5 is none."""
    slow = Filling(fraction=0.6, half_life_h=10.0)
    delay = [slow, Filling(fraction=-0.06, half_life_h=1.0)]
    assert time_integrated_coefficient_h(delay, ICRP_ADULT_VOIDING, F18_H) > 0
    with pytest.raises(InputError, match="flows out of the bladder"):
        time_integrated_coefficient_h(
            [slow, Filling(fraction=-0.5, half_life_h=1.0)], ICRP_ADULT_VOIDING, F18_H
        )


@pytest.mark.parametrize("time_h", [-1.0, float("nan"), inf])
def test_times_without_a_bladder(time_h: float) -> None:
    with pytest.raises(InputError, match="before the injection, or no number"):
        contents_fraction([Filling(fraction=0.24, half_life_h=2.0)], NEVER, F18_H, np.array([time_h]))
