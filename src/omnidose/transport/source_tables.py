"""Sources as flat tables for the kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.physics.spectra import Spectrum
from omnidose.transport._records import Beam
from omnidose.transport.sources import (
    IsotropicSource,
    ParallelSource,
    PyramidSource,
    RotatingSource,
    Source,
)

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


def _frame(direction: Sequence[float], up: Sequence[float]) -> tuple[ArrayF8, ArrayF8, ArrayF8]:
    """Return unit vectors (u, v, w): w along the direction, v along up, u = v x w."""
    w = np.asarray(direction, dtype=np.float64)
    v = np.asarray(up, dtype=np.float64)
    if np.linalg.norm(w) == 0:
        raise InputError(
            "the direction of a source has no length", todo="give a vector that is not (0, 0, 0)"
        )
    w = w / np.linalg.norm(w)
    v = v - (v @ w) * w
    if np.linalg.norm(v) < 1e-9:
        raise InputError("the 'up' vector of a source is parallel to its direction", todo="give another one")
    v = v / np.linalg.norm(v)
    return np.cross(v, w), v, w


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


def _energy_tables(spectra: Sequence[Spectrum]) -> tuple[ArrayF8, ArrayF8, F4, I4]:
    first = spectra[0]
    for spectrum in spectra[1:]:
        if not np.array_equal(spectrum.energy_kev, first.energy_kev):
            raise InputError("all spectra of a fan must share the same energies")
    width = np.full(first.energy_kev.size, first.bin_width_kev)
    return first.energy_kev - 0.5 * width, width, *cumulative_table(np.stack([s.weight for s in spectra]))


def source_bounds_mm(source: Source) -> tuple[ArrayF8, ArrayF8]:
    """Return a box that holds every point photons start from."""
    if isinstance(source, PyramidSource):
        point = np.asarray(source.position_mm, dtype=np.float64)
        return point, point
    if isinstance(source, IsotropicSource):
        centre = np.asarray(source.centre_mm, dtype=np.float64)
        return centre - source.radius_mm, centre + source.radius_mm
    if isinstance(source, ParallelSource):
        u, v, _w = _frame(source.direction, source.up)
        reach = np.abs(u) * source.half_widths_mm[0] + np.abs(v) * source.half_widths_mm[1]
        centre = np.asarray(source.centre_mm, dtype=np.float64)
        return centre - reach, centre + reach
    z = source.segments[:, 2:4]
    x, y = source.isocentre_mm
    f = source.focus_mm
    return np.array([x - f, y - f, z.min()]), np.array([x + f, y + f, z.max()])


def source_spectra(source: Source) -> tuple[Spectrum, ...]:
    """Return the spectra of any source."""
    return source.spectra if isinstance(source, RotatingSource) else (source.spectrum,)


def compile_source(source: Source, origin_mm: ArrayF8) -> Beam:
    """Turn a source into flat tables; ``origin_mm`` is the lower corner of the macro grid."""
    vectors = np.zeros((4, 3))
    aperture = np.zeros(5)
    path = np.zeros((1, 4))
    path_weights = np.ones(1)
    transmission = None
    slopes = np.ones(1)
    if isinstance(source, PyramidSource):
        kind = 0
        vectors[0] = (np.asarray(source.position_mm) - origin_mm) / 10
        vectors[1:] = _frame(source.direction, source.up)
        aperture[:4] = source.half_tangents
    elif isinstance(source, ParallelSource):
        kind = 1
        vectors[0] = (np.asarray(source.centre_mm) - origin_mm) / 10
        vectors[1:] = _frame(source.direction, source.up)
        half_u, half_v = source.half_widths_mm
        aperture[:4] = np.array([-half_u, half_u, -half_v, half_v]) / 10
    elif isinstance(source, IsotropicSource):
        kind = 2
        vectors[0] = (np.asarray(source.centre_mm) - origin_mm) / 10
        aperture[0] = source.radius_mm / 10
    else:
        kind = 3
        vectors[0] = (np.array([*source.isocentre_mm, 0.0]) - origin_mm) / 10
        vectors[1:] = np.eye(3)
        aperture[:4] = source.half_tangents
        aperture[4] = source.focus_mm / 10
        path = source.segments[:, :4] * [1, 1, 0.1, 0.1]
        path_weights = source.segments[:, 4]
        transmission = source.transmission
    if kind in (0, 1, 3) and not (aperture[0] < aperture[1] and aperture[2] < aperture[3]):
        raise InputError(
            f"the aperture {aperture[:4].tolist()} of a source is empty",
            allowed="lower limits below upper limits",
        )
    if kind in (0, 3):
        slopes = slope_weights(aperture[:4].tolist(), transmission)
    energy_low, energy_width, energy_cumulative, energy_guide = _energy_tables(source_spectra(source))
    slope_cumulative, slope_guide = cumulative_table(slopes)
    path_cumulative, path_guide = cumulative_table(path_weights)
    table = _without_constant_v(transmission)
    return Beam(
        kind=kind,
        vectors=vectors.astype(np.float32),
        aperture=aperture.astype(np.float32),
        slope_cumulative=slope_cumulative,
        slope_guide=slope_guide,
        path=path.astype(np.float32),
        path_cumulative=path_cumulative,
        path_guide=path_guide,
        transmission=table,
        transmission_top=table.max(axis=1),
        energy_low=energy_low.astype(np.float32),
        energy_width=energy_width.astype(np.float32),
        energy_cumulative=energy_cumulative,
        energy_guide=energy_guide,
    )


def _without_constant_v(transmission: ArrayF8 | None) -> F4:
    """Return the table over its maximum, with one column if all columns are equal."""
    if transmission is None:
        return np.ones((1, 1), dtype=np.float32)
    if np.all(transmission == transmission[:, :1]):
        transmission = transmission[:, :1]
    return np.ascontiguousarray(transmission / transmission.max(), dtype=np.float32)
