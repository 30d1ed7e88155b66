"""Urinary bladder contents with voids: filling by exponentials, a first void, then one every so often.

The integral over all time is closed: between two voids the contents are what has come since, and the
intervals after the first form a geometric series. This is the dynamic bladder model in use since Cloutier et
al. 1973 *Health Phys* 25:147, with complete voids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, expm1, inf, isfinite

import numpy as np

from omnidose.errors import InputError
from omnidose.kinetics.curves import ArrayF8, decay_constant_per_h


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """One way in which activity reaches the bladder.

    Attributes
    ----------
    fraction
        Share of the administered activity that takes this way in the end, if it did not decay. Negative where
        a delay is written as the difference of two exponentials.
    half_life_h
        Biological half-life of leaving the body this way.
    """

    fraction: float
    half_life_h: float

    def __post_init__(self) -> None:
        if not isfinite(self.fraction):
            raise InputError(f"a share of {self.fraction} cannot fill a bladder", where="fraction")
        if not (isfinite(self.half_life_h) and self.half_life_h > 0):
            raise InputError(
                f"a biological half-life of {self.half_life_h} h cannot fill a bladder",
                where="half_life_h",
                allowed="finite, more than 0 h",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Voiding:
    """When the bladder is emptied.

    Attributes
    ----------
    first_h
        Hours after the injection of the first void.
    interval_h
        Hours between voids afterwards; infinite for none.
    """

    first_h: float
    interval_h: float

    def __post_init__(self) -> None:
        for name in ("first_h", "interval_h"):
            if not getattr(self, name) > 0:
                raise InputError("the time between voids is not positive", where=name)


#: Times that differ by less than this share are the same.
_ROUNDING = 1e-12
#: Half-lives that are looked ahead for a filling that runs backwards, and points.
_AHEAD, _POINTS = 50.0, 400
#: Printed shares are rounded: together they may be above 1 by this.
_PRINTED = 0.005
#: The interval of the ICRP models of radiopharmaceuticals, first void included (ICRP 53, section A.3; ICRP
#: 128).
ICRP_ADULT_VOIDING = Voiding(first_h=3.5, interval_h=3.5)
#: No void at all: an upper limit.
NEVER = Voiding(first_h=inf, interval_h=inf)


def contents_fraction(
    filling: Sequence[Filling], voiding: Voiding, half_life_h: float, time_h: ArrayF8
) -> ArrayF8:
    """[times] share of the administered activity in the bladder; at a void the value is the one after it.

    Raises
    ------
    InputError
        For times that are no numbers or before the injection.
    """
    physical = decay_constant_per_h(half_life_h)
    time = np.atleast_1d(np.asarray(time_h, dtype=np.float64))
    if not (np.isfinite(time) & (time >= 0)).all():
        raise InputError("a time before the injection, or no number", where="time_h", allowed="0 h or more")
    since = np.zeros_like(time)  # time of the last void, 0 before the first
    if isfinite(voiding.first_h):
        after = time >= voiding.first_h
        since[after] = voiding.first_h
        if isfinite(voiding.interval_h):
            # 0.3 h is the third void of one every 0.1 h, whatever rounding makes of the difference
            done = np.floor((time[after] - voiding.first_h) / voiding.interval_h * (1 + _ROUNDING))
            since[after] = np.minimum(since[after] + done * voiding.interval_h, time[after])
    total = np.zeros_like(time)
    for part in filling:
        leaving = decay_constant_per_h(part.half_life_h)
        total += part.fraction * (np.exp(-leaving * since) - np.exp(-leaving * time))
    return np.asarray(np.exp(-physical * time) * total)


def time_integrated_coefficient_h(filling: Sequence[Filling], voiding: Voiding, half_life_h: float) -> float:
    """Return the decays in the bladder per administered activity, hours.

    Parameters
    ----------
    half_life_h
        Physical half-life, finite.

    Raises
    ------
    InputError
        For an infinite physical half-life, shares that add up to more than 1, or a filling that takes
        activity out of the bladder (signs of a delay the wrong way round).
    """
    physical = decay_constant_per_h(half_life_h)
    if physical == 0:
        raise InputError("a bladder that never decays has no integral", where="half_life_h", allowed="finite")
    share = sum(part.fraction for part in filling)
    if not -1e-9 <= share <= 1 + _PRINTED:
        raise InputError(
            f"{100 * share:.4g} % of the administered activity reach the bladder",
            where="fraction",
            allowed="0 to 100 %",
        )
    _check_flow(filling)
    total = 0.0
    for part in filling:
        leaving = decay_constant_per_h(part.half_life_h)
        total += part.fraction * _interval(physical, leaving, voiding.first_h)
        if isfinite(voiding.first_h):
            total += part.fraction * _later(physical, leaving, voiding)
    return total


def _check_flow(filling: Sequence[Filling]) -> None:
    """Refuse a filling that runs backwards at any time."""
    if not filling or min(part.fraction for part in filling) >= 0:
        return
    half_life = np.array([part.half_life_h for part in filling])
    rate = np.array([part.fraction for part in filling]) / half_life
    time_h = np.append(0.0, np.geomspace(1e-3 * half_life.min(), _AHEAD * half_life.max(), _POINTS))
    parts = rate * np.exp2(-time_h[:, None] / half_life)
    if (parts.sum(axis=1) < -1e-9 * np.abs(rate).max()).any():
        raise InputError(
            "activity flows out of the bladder between voids",
            where="fraction",
            allowed="shares whose flow is 0 or more at all times",
            todo="check signs: of a delay, the faster exponential is the one that is taken off",
        )


def _interval(physical: float, leaving: float, length_h: float) -> float:
    """Integral of (1 - exp(-leaving s)) exp(-physical s) over one interval."""
    both = physical + leaving
    return -expm1(-physical * length_h) / physical + expm1(-both * length_h) / both


def _later(physical: float, leaving: float, voiding: Voiding) -> float:
    """Sum of the intervals that begin at the first void, the second, and so on."""
    both = physical + leaving
    start = exp(-both * voiding.first_h)
    return start * _interval(physical, leaving, voiding.interval_h) / -expm1(-both * voiding.interval_h)
