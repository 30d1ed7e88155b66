"""Tables whose inverse turns uniform numbers into slopes, places and energies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

ArrayF8 = npt.NDArray[np.float64]
F4 = npt.NDArray[np.float32]
I4 = npt.NDArray[np.int32]

#: Least number of steps in the table of slopes along u: its cumulative is good to 1e-6.
SLOPE_STEPS = 1024


def cumulative_table(weights: ArrayF8) -> tuple[F4, I4]:
    """Return the cumulative of relative weights and its guide (indexed search).

    Parameters
    ----------
    weights
        float64 [..., n], >= 0; every row has a positive sum.

    Returns
    -------
    tuple
        float32 [..., n] upper values, exactly 1 from the last entry of weight on, and int32 [..., m] with m
        the power of two at or above n: the first entry whose cumulative exceeds j / m.

    Notes
    -----
    Source: H.-C. Chen and Y. Asau, AIIE Transactions 6 (1974) 163 (indexed search).
    """
    rows = weights.reshape(-1, weights.shape[-1])
    n = rows.shape[1]
    size = 1 << max(0, int(n - 1).bit_length())
    total = np.cumsum(rows, axis=1)
    cumulative = (total / total[:, -1:]).astype(np.float32)
    starts = (np.arange(size) / size).astype(np.float32)
    guide = np.empty((rows.shape[0], size), dtype=np.int32)
    for row, own in enumerate(cumulative):
        own[int(np.flatnonzero(rows[row])[-1]) :] = 1.0
        guide[row] = np.searchsorted(own, starts, side="right")
    return cumulative.reshape(weights.shape), guide.reshape(*weights.shape[:-1], size)


def nested_table(weights: npt.NDArray[np.floating]) -> tuple[F4, F4, F4]:
    """Return the cumulatives of a map: over its slices, the rows of each slice, the voxels of each row.

    float32 alone could not tell 512^3 voxels apart; three cumulatives of 512 can, and every one leaves the
    place inside its entry as a further uniform number.

    Parameters
    ----------
    weights
        [n1, n2, n3], >= 0, not all 0.

    Returns
    -------
    tuple
        float32 [n1], [n1, n2], [n1, n2, n3] upper values; 1 throughout in rows without weight.
    """
    n1, n2, n3 = weights.shape
    rows = np.empty((n1, n2))
    third = np.empty((n1, n2, n3), dtype=np.float32)
    for k in range(n1):  # one slice in double precision at a time
        total = np.cumsum(weights[k], axis=1, dtype=np.float64)
        rows[k] = total[:, -1]
        third[k] = _closed(total)
    second = np.cumsum(rows, axis=1)
    return _closed(np.cumsum(second[:, -1])[None])[0], _closed(second), third


def _closed(total: ArrayF8) -> F4:
    """Return sums [n, m] over their last, exactly 1 where the last is reached."""
    last = total[:, -1:]
    shares = np.divide(total, last, out=np.ones_like(total), where=last > 0).astype(np.float32)
    shares[total >= last] = 1.0
    return shares


def slope_weights(limits: Sequence[float], transmission: ArrayF8 | None) -> ArrayF8:
    """Return the share of photons in equal steps of the slope u of a rectangular aperture.

    The fluence per solid angle times dOmega = ds dt (1 + s^2 + t^2)^(-3/2), integrated over t in closed form
    (the transmission is linear between knots) and over every step of s with four Gauss points.

    Parameters
    ----------
    limits
        (u_lower, u_upper, v_lower, v_upper) slopes.
    transmission
        [n_u, n_v] at bin centres, bilinear in between and constant beyond the outermost; None is uniform.

    Returns
    -------
    ndarray
        [n] of at least SLOPE_STEPS steps, an even number in every bin: the table's kinks lie on their ends.
    """
    a_u, b_u, a_v, b_v = limits
    table = np.ones((1, 1)) if transmission is None else transmission
    n_u, n_v = table.shape
    steps = 2 * n_u * math.ceil(SLOPE_STEPS / (2 * n_u))
    node, weight = np.polynomial.legendre.leggauss(4)
    fraction = ((np.arange(steps)[:, None] + 0.5 * (node + 1)) / steps).ravel()
    place = np.clip(fraction * n_u - 0.5, 0, n_u - 1)
    low = np.minimum(place.astype(int), max(n_u - 2, 0))
    part = (place - low)[:, None]
    rows = table[low] * (1 - part) + table[np.minimum(low + 1, n_u - 1)] * part  # [steps * 4, n_v]
    knots = a_v + (b_v - a_v) * np.concatenate([[0.0], (np.arange(n_v) + 0.5) / n_v, [1.0]])
    values = np.concatenate([rows[:, :1], rows, rows[:, -1:]], axis=1)
    slope = np.diff(values, axis=1) / np.diff(knots)
    offset = values[:, :-1] - slope * knots[:-1]
    c2 = 1 + (a_u + (b_u - a_u) * fraction[:, None]) ** 2
    root = np.sqrt(c2 + knots**2)
    integral = np.sum(offset * np.diff(knots / root, axis=1) / c2 - slope * np.diff(1 / root, axis=1), axis=1)
    return np.asarray((np.maximum(integral, 0).reshape(steps, 4) * weight).sum(axis=1))
