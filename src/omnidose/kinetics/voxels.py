"""Time-integrated activity of every voxel of registered images.

Two ways. :func:`scale_shape` gives each voxel the *shape* of its organ's curve and fits the amplitude alone:
linear, without bias, good for noisy voxels. :func:`fit_voxels` fits an exponential of its own to each voxel;
noise biases it, because decays are a bent function of the constant. All voxels share the times and the
weights, so that one table of constants serves all, and matrix products do the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.kinetics.curves import ArrayF8, decay_constant_per_h
from omnidose.kinetics.fits import Fit

#: Constants tried for each voxel before the last steps.
_TABLE = 96
#: Fastest constant: so many half-lives in the shortest time from injection to scan or between two scans.
_FASTEST = 2.0
_STEPS = 4
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class VoxelIntegrals:
    """Integrals of voxels, in the shape of one image.

    Attributes
    ----------
    integral_mbq_h
        Decays per voxel; unit of the images times h.
    constant_per_h
        Effective constant of each voxel (of the organ's shape, it is NaN).
    physical
        Voxels whose constant ended on the physical one: they are taken to retain all.
    fastest
        Voxels whose constant ended on the fastest one that is tried, as nothing is left at the second scan.
    empty
        Voxels without a positive amplitude: their integral is 0 (:func:`fit_voxels`; a shape keeps
        negatives).
    """

    integral_mbq_h: ArrayF8
    constant_per_h: ArrayF8
    physical: npt.NDArray[np.bool_]
    fastest: npt.NDArray[np.bool_]
    empty: npt.NDArray[np.bool_]


def _checked(
    activity_mbq: npt.NDArray[np.floating], time_h: ArrayF8, std_mbq: ArrayF8 | None
) -> tuple[ArrayF8, ArrayF8]:
    """Return times and weights; refuse what does not fit together."""
    time = np.asarray(time_h, dtype=np.float64)
    if time.ndim != 1 or activity_mbq.ndim < 2 or activity_mbq.shape[0] != time.size:
        raise InputError(
            f"images of shape {activity_mbq.shape} do not fit {time.shape} times",
            where="activity_mbq",
            allowed="[times, voxels] or [times, z, y, x]",
        )
    if time[0] < 0 or (np.diff(time) <= 0).any():
        raise InputError("the times of images must rise, from 0 or later", where="time_h")
    if not np.isfinite(activity_mbq).all():
        raise InputError("an image holds values that are not finite", where="activity_mbq")
    std = np.ones(time.size) if std_mbq is None else np.asarray(std_mbq, dtype=np.float64)
    if std.shape != time.shape or not (std > 0).all():
        raise InputError("one positive uncertainty per image is needed", where="std_mbq")
    return time, 1.0 / std**2


def scale_shape(
    activity_mbq: npt.NDArray[np.floating], time_h: ArrayF8, *, fit: Fit, std_mbq: ArrayF8 | None = None
) -> VoxelIntegrals:
    """Give every voxel the shape of an organ's fitted curve.

    Parameters
    ----------
    activity_mbq
        [times, ...] registered images, not corrected for decay.
    fit
        Accepted fit of the organ.
    std_mbq
        [times] uncertainty of a voxel in each image; None takes all images as equally certain.

    Raises
    ------
    InputError
        For shapes or times that do not fit, or a rejected fit.
    """
    time, weight = _checked(activity_mbq, time_h, std_mbq)
    if not fit.accepted:
        raise InputError(f"the fit of the organ was rejected: {fit.rejection}", where=fit.curve.name)
    shape = fit.activity_mbq(time)
    combine = weight * shape / (weight * shape**2).sum()
    amplitude = np.tensordot(combine, activity_mbq, axes=1)
    nothing = np.zeros(amplitude.shape, dtype=bool)
    return VoxelIntegrals(
        integral_mbq_h=amplitude * fit.integral.value_mbq_h,
        constant_per_h=np.full(amplitude.shape, np.nan),
        physical=nothing,
        fastest=nothing,
        empty=nothing,
    )


def fit_voxels(
    activity_mbq: npt.NDArray[np.floating],
    time_h: ArrayF8,
    *,
    half_life_h: float,
    std_mbq: ArrayF8 | None = None,
) -> VoxelIntegrals:
    """Fit A exp(-l t), l not below the physical constant, to every voxel by weighted least squares.

    The amplitude is eliminated: for each l the best one is linear, and what is left is the height of one
    curve over l. A table of constants finds its top, Newton steps (kept between the neighbours in the table)
    finish it.

    Parameters
    ----------
    activity_mbq
        [times, ...] registered images, not corrected for decay; negative noise is allowed.
    half_life_h
        Physical half-life, finite.
    std_mbq
        [times] uncertainty of a voxel in each image; None takes all images as equally certain.

    Raises
    ------
    InputError
        For fewer than two images, shapes or times that do not fit, or an infinite half-life.
    """
    time, weight = _checked(activity_mbq, time_h, std_mbq)
    if time.size < 2:
        raise InputError("one image cannot tell a half-life", where="time_h", allowed="two images or more")
    if half_life_h == inf:
        raise InputError("voxels need the physical half-life as a bound", where="half_life_h")
    physical = decay_constant_per_h(half_life_h)
    flat = activity_mbq.reshape(time.size, -1)
    count = flat.shape[1]
    amplitude, constant = np.empty(count), np.empty(count)
    table = _table(time, physical)
    for part in _chunks(count):
        amplitude[part], constant[part] = _fit_chunk(flat[:, part], time, weight, table)
    empty = amplitude <= 0
    integral = np.where(empty, 0.0, amplitude / constant)
    shape = activity_mbq.shape[1:]
    return VoxelIntegrals(
        integral_mbq_h=integral.reshape(shape),
        constant_per_h=np.where(empty, np.nan, constant).reshape(shape),
        physical=((constant <= physical) & ~empty).reshape(shape),
        fastest=((constant >= table[-1]) & ~empty).reshape(shape),
        empty=empty.reshape(shape),
    )


def _chunks(count: int) -> Iterator[slice]:
    for start in range(0, count, _CHUNK):
        yield slice(start, min(start + _CHUNK, count))


def _table(time: ArrayF8, physical: float) -> ArrayF8:
    """[table] constants from the physical one up, dense where they differ little."""
    shortest = float(np.diff(time, prepend=0.0)[time > 0].min())
    fastest = max(_FASTEST * np.log(2) / shortest, 10 * physical)
    slowest = min(0.01 / float(time[-1]), 0.1 * physical)
    return np.asarray(physical + np.concatenate([[0.0], np.geomspace(slowest, fastest, _TABLE - 1)]))


def _fit_chunk(
    measured: npt.NDArray[np.floating], time: ArrayF8, weight: ArrayF8, table: ArrayF8
) -> tuple[ArrayF8, ArrayF8]:
    """Return amplitude and constant of [times, voxels]."""
    y = np.asarray(measured, dtype=np.float64)
    falling = np.exp(-np.outer(time, table))
    norm = np.sqrt((weight[:, None] * falling**2).sum(axis=0))
    # the best amplitude for l leaves sum w y^2 - height^2; only positive amplitudes count
    height = (weight[:, None] * falling / norm).T @ y
    at = height.argmax(axis=0)
    constant = table[at]
    low, high = table[np.maximum(at - 1, 0)], table[np.minimum(at + 1, table.size - 1)]
    for _ in range(_STEPS):
        constant = np.clip(constant + _newton_step(y, time, weight, constant), low, high)
    falling = np.exp(-time[:, None] * constant)
    weighted = weight[:, None] * falling
    return (weighted * y).sum(axis=0) / (weighted * falling).sum(axis=0), constant


def _newton_step(y: ArrayF8, time: ArrayF8, weight: ArrayF8, constant: ArrayF8) -> ArrayF8:
    """Step towards the top of the logarithm of the height: ln(sum w y e) - ln(sum w e^2) / 2."""
    falling = np.exp(-time[:, None] * constant)
    by, ce = weight[:, None] * y * falling, weight[:, None] * falling**2
    t = time[:, None]
    b, b1, b2 = by.sum(axis=0), -(t * by).sum(axis=0), (t**2 * by).sum(axis=0)
    c, c1, c2 = ce.sum(axis=0), -2 * (t * ce).sum(axis=0), 4 * (t**2 * ce).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = b1 / b - c1 / c / 2
        bend = b2 / b - (b1 / b) ** 2 - (c2 / c - (c1 / c) ** 2) / 2
        step = -slope / bend
    # away from a top a Newton step leads to a valley: then the table's own value stands
    return np.where((b > 0) & (bend < 0) & np.isfinite(step), step, 0.0)
