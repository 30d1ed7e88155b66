"""Sums of exponentials as shapes of time-activity curves, all through one formula.

A curve is sum_i a_i exp(-l_i t). Free are its amplitudes x and *differences* of its constants r, all 0 or
more: a = amplitude @ x and l = l_physical + rate @ r. So no constant can fall below the physical one, the
constants keep their order, and two ways to write one curve are one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from omnidose.kinetics.curves import ArrayF8


class Shape(StrEnum):
    """Shape of a time-activity curve."""

    RETAINED = "retained"  # A exp(-l_physical t): what came stays
    MONO = "mono"  # A exp(-l t)
    UPTAKE_RETAINED = "uptake retained"  # A (exp(-l_physical t) - exp(-l t)): what comes slowly stays
    UPTAKE = "uptake"  # A (exp(-l1 t) - exp(-l2 t)), l2 > l1
    BI = "bi"  # A1 exp(-l1 t) + A2 exp(-l2 t), l2 > l1


@dataclass(frozen=True, slots=True)
class _Terms:
    amplitude: ArrayF8  # [terms, free amplitudes]
    rate: ArrayF8  # [terms, free differences]


_TERMS = {
    Shape.RETAINED: _Terms(np.array([[1.0]]), np.zeros((1, 0))),
    Shape.MONO: _Terms(np.array([[1.0]]), np.array([[1.0]])),
    Shape.UPTAKE_RETAINED: _Terms(np.array([[1.0], [-1.0]]), np.array([[0.0], [1.0]])),
    Shape.UPTAKE: _Terms(np.array([[1.0], [-1.0]]), np.array([[1.0, 0.0], [1.0, 1.0]])),
    Shape.BI: _Terms(np.eye(2), np.array([[1.0, 0.0], [1.0, 1.0]])),
}


def stays(shape: Shape) -> bool:
    """Whether the slowest term falls by physical decay alone."""
    return not _TERMS[shape].rate[0].any()


def term_count(shape: Shape) -> int:
    """Number of exponentials."""
    return len(_TERMS[shape].rate)


def amplitude_count(shape: Shape) -> int:
    """Number of free amplitudes."""
    return int(_TERMS[shape].amplitude.shape[1])


def rate_count(shape: Shape) -> int:
    """Number of free constants."""
    return int(_TERMS[shape].rate.shape[1])


def parameter_count(shape: Shape) -> int:
    """Number of free parameters k."""
    return amplitude_count(shape) + rate_count(shape)


def split(shape: Shape, free: ArrayF8) -> tuple[ArrayF8, ArrayF8]:
    """Return the free amplitudes and the free differences of constants."""
    count = amplitude_count(shape)
    return free[:count], free[count:]


def constants_per_h(shape: Shape, free: ArrayF8, physical_per_h: float) -> ArrayF8:
    """[terms] effective constants l_i."""
    return np.asarray(physical_per_h + _TERMS[shape].rate @ split(shape, free)[1])


def constant_gradient(shape: Shape) -> ArrayF8:
    """[terms, parameters] derivatives of the constants."""
    rate = _TERMS[shape].rate
    return np.hstack([np.zeros((rate.shape[0], amplitude_count(shape))), rate])


def amplitudes_mbq(shape: Shape, free: ArrayF8) -> ArrayF8:
    """[terms] amplitudes a_i, of either sign."""
    return np.asarray(_TERMS[shape].amplitude @ split(shape, free)[0])


def basis(shape: Shape, rates: ArrayF8, time_h: ArrayF8, physical_per_h: float) -> ArrayF8:
    """[times, free amplitudes] the curve of each free amplitude of 1."""
    terms = _TERMS[shape]
    falling = np.exp(-np.outer(time_h, physical_per_h + terms.rate @ rates))
    return np.asarray(falling @ terms.amplitude)


def activity_mbq(shape: Shape, free: ArrayF8, time_h: ArrayF8, physical_per_h: float) -> ArrayF8:
    """[times] the curve."""
    amplitudes, rates = split(shape, free)
    return np.asarray(basis(shape, rates, time_h, physical_per_h) @ amplitudes)


def jacobian(shape: Shape, free: ArrayF8, time_h: ArrayF8, physical_per_h: float) -> ArrayF8:
    """[times, parameters] derivatives of the curve."""
    terms = _TERMS[shape]
    amplitudes, rates = split(shape, free)
    falling = np.exp(-np.outer(time_h, physical_per_h + terms.rate @ rates))
    by_rate = (-time_h[:, None] * falling * (terms.amplitude @ amplitudes)) @ terms.rate
    return np.hstack([falling @ terms.amplitude, by_rate])


def integral_mbq_h(shape: Shape, free: ArrayF8, physical_per_h: float, from_h: float = 0.0) -> float:
    """Integral from a time to infinity; infinite if a constant is 0."""
    constants = constants_per_h(shape, free, physical_per_h)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = amplitudes_mbq(shape, free) * np.exp(-constants * from_h) / constants
    return float(parts.sum())


def integral_gradient(shape: Shape, free: ArrayF8, physical_per_h: float) -> ArrayF8:
    """[parameters] derivatives of the integral from 0 to infinity."""
    terms = _TERMS[shape]
    constants = constants_per_h(shape, free, physical_per_h)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_rate = (-amplitudes_mbq(shape, free) / constants**2) @ terms.rate
        return np.concatenate([(1.0 / constants) @ terms.amplitude, by_rate])
