"""Trapezoids: exact for what is straight, conservative in the tail, exact in their uncertainty."""

from __future__ import annotations

from math import exp, inf, log

import numpy as np
import pytest

from omnidose.errors import InputError
from omnidose.kinetics.curves import TimeActivityCurve
from omnidose.kinetics.trapezoid import Start, integrate_trapezoids

CURVE = TimeActivityCurve(
    time_h=np.array([2.0, 6.0]), activity_mbq=np.array([10.0, 4.0]), std_mbq=np.array([1.0, 0.5])
)


@pytest.mark.parametrize(
    ("start", "head"),
    [
        (Start.FROM_ZERO, 10.0),
        (Start.CONSTANT, 20.0),
        (Start.DECAY, 10.0 * (exp(2 * log(2) / 8) - 1) * 8 / log(2)),
    ],
)
def test_by_hand(start: Start, head: float) -> None:
    found = integrate_trapezoids(CURVE, half_life_h=8.0, start=start)
    tail = 4.0 * 8.0 / log(2)
    total = head + 28.0 + tail
    assert found.value_mbq_h == pytest.approx(total)
    assert found.tail_fraction == pytest.approx(tail / total)
    assert found.head_fraction == pytest.approx(head / total)
    assert found.flags  # this tail is more than a fifth
    weights = np.array([head / 10 + 2.0, 2.0 + 8.0 / log(2)])
    assert found.std_mbq_h == pytest.approx(float(np.hypot(*(weights * CURVE.std_mbq))))


def test_the_tail_is_an_upper_bound() -> None:
    time = np.linspace(0.0, 100.0, 2001)
    curve = TimeActivityCurve(
        time_h=time, activity_mbq=np.exp(-log(2) / 20 * time), std_mbq=np.full(time.size, 0.01)
    )
    true = 20 / log(2)
    found = integrate_trapezoids(curve, half_life_h=60.0, start=Start.CONSTANT).value_mbq_h
    assert true < found < 1.1 * true
    physical = integrate_trapezoids(curve, half_life_h=20.0, start=Start.DECAY).value_mbq_h
    assert physical == pytest.approx(true, rel=1e-5)


def test_a_curve_of_zeros_has_no_shares() -> None:
    zero = TimeActivityCurve(time_h=np.array([1.0]), activity_mbq=np.zeros(1), std_mbq=np.ones(1))
    found = integrate_trapezoids(zero, half_life_h=8.0, start=Start.CONSTANT)
    assert found.value_mbq_h == 0
    assert np.isnan(found.tail_fraction)
    assert np.isnan(found.std_rel)


def test_no_half_life_no_tail() -> None:
    with pytest.raises(InputError, match="finite"):
        integrate_trapezoids(CURVE, half_life_h=inf, start=Start.CONSTANT)


def test_a_point_a_thousand_half_lives_late_is_not_grown_back() -> None:
    late = TimeActivityCurve(time_h=np.array([2000.0]), activity_mbq=np.ones(1), std_mbq=np.ones(1))
    with pytest.raises(InputError, match="half-lives after the injection"):
        integrate_trapezoids(late, half_life_h=1.83, start=Start.DECAY)
