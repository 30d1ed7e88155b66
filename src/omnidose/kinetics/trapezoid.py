"""Integration without a shape: trapezoids between the points, physical decay after the last."""

from __future__ import annotations

from enum import StrEnum
from math import nan

import numpy as np

from omnidose.errors import InputError
from omnidose.kinetics.curves import (
    MOST_HALF_LIVES,
    ArrayF8,
    TimeActivityCurve,
    TimeIntegratedActivity,
    decay_constant_per_h,
)


class Start(StrEnum):
    """What is taken for the time before the first point."""

    FROM_ZERO = "from zero"  # rises on a line from 0 at the injection
    CONSTANT = "constant"  # as at the first point
    DECAY = "decay"  # as at the first point, grown back by physical decay: instant uptake


def integrate_trapezoids(
    curve: TimeActivityCurve, *, half_life_h: float, start: Start
) -> TimeIntegratedActivity:
    """Integrate a curve by trapezoids, with physical decay alone after the last point.

    Nothing decays slower than physically, so the tail is an upper bound: the conservative choice. The
    integral is a sum of weighted activities, so that its uncertainty is exact for independent points.

    Parameters
    ----------
    half_life_h
        Physical half-life; must be finite, else the tail has no end.
    start
        What is taken before the first point: no default, because it matters.

    Raises
    ------
    InputError
        For an infinite half-life, or a first point too late to be grown back by decay.
    """
    physical = decay_constant_per_h(half_life_h)
    if physical == 0:
        raise InputError(
            "the tail after the last point needs a physical half-life", where="half_life_h", allowed="finite"
        )
    time = curve.time_h
    inner = np.zeros(len(curve))
    steps = np.diff(time)
    inner[:-1] += steps / 2
    inner[1:] += steps / 2
    head, tail = np.zeros(len(curve)), np.zeros(len(curve))
    head[0] = _head_h(float(time[0]), physical, start)
    tail[-1] = 1.0 / physical
    return _weighted(curve, head, inner, tail, start)


def _head_h(first_h: float, physical: float, start: Start) -> float:
    if start is Start.FROM_ZERO:
        return first_h / 2
    if start is Start.CONSTANT:
        return first_h
    if physical * first_h > MOST_HALF_LIVES * np.log(2):
        raise InputError(
            f"the first point is {physical * first_h / np.log(2):.3g} half-lives after the injection",
            where="start",
            allowed=f"up to {MOST_HALF_LIVES:g} to grow it back by decay",
            todo="check times and half-life",
        )
    return float(np.expm1(physical * first_h)) / physical


def _weighted(
    curve: TimeActivityCurve, head: ArrayF8, inner: ArrayF8, tail: ArrayF8, start: Start
) -> TimeIntegratedActivity:
    weight_h = head + inner + tail
    value = float(weight_h @ curve.activity_mbq)
    return TimeIntegratedActivity(
        value_mbq_h=value,
        std_mbq_h=float(np.sqrt(((weight_h * curve.std_mbq) ** 2).sum())),
        tail_fraction=float(tail @ curve.activity_mbq) / value if value > 0 else nan,
        head_fraction=float(head @ curve.activity_mbq) / value if value > 0 else nan,
        method=f"trapezoids, {start.value} before the first point, physical decay after the last",
    )
