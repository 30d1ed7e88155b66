"""Sources as flat tables for the kernels."""

from __future__ import annotations

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


def alias_table(weights: ArrayF8) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Return Walker's alias table (probability to stay, alias) for relative weights.

    Source: A. J. Walker, Electronics Letters 10 (1974) 127; M. D. Vose's construction (1991).
    """
    n = weights.size
    scaled = weights * (n / weights.sum())
    prob = np.ones(n)
    alias = np.arange(n)
    small = [i for i in range(n) if scaled[i] < 1]
    large = [i for i in range(n) if scaled[i] >= 1]
    while small and large:
        low, high = small.pop(), large.pop()
        prob[low], alias[low] = scaled[low], high
        scaled[high] -= 1 - scaled[low]
        (small if scaled[high] < 1 else large).append(high)
    return prob.astype(np.float32), alias.astype(np.int32)


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


def _energy_tables(
    spectra: Sequence[Spectrum],
) -> tuple[npt.NDArray[np.float32], float, npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    first = spectra[0]
    for spectrum in spectra[1:]:
        if not np.array_equal(spectrum.energy_kev, first.energy_kev):
            raise InputError("all spectra of a fan must share the same energies")
    tables = [alias_table(s.weight) for s in spectra]
    prob = np.stack([t[0] for t in tables])
    alias = np.stack([t[1] for t in tables])
    return first.energy_kev.astype(np.float32), 0.5 * first.bin_width_kev, prob, alias


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
    aperture = np.zeros(4)
    segments = np.zeros((1, 4))
    weights = np.ones(1)
    transmission = np.ones((1, 1))
    if isinstance(source, PyramidSource):
        kind = 0
        vectors[0] = (np.asarray(source.position_mm) - origin_mm) / 10
        vectors[1:] = _frame(source.direction, source.up)
        aperture[:] = source.half_tangents
    elif isinstance(source, ParallelSource):
        kind = 1
        vectors[0] = (np.asarray(source.centre_mm) - origin_mm) / 10
        vectors[1:] = _frame(source.direction, source.up)
        half_u, half_v = source.half_widths_mm
        aperture[:] = np.array([-half_u, half_u, -half_v, half_v]) / 10
    elif isinstance(source, IsotropicSource):
        kind = 2
        vectors[0] = (np.asarray(source.centre_mm) - origin_mm) / 10
        aperture[0] = source.radius_mm / 10
    else:
        kind = 3
        x, y = (np.asarray(source.isocentre_mm) - origin_mm[:2]) / 10
        vectors[0] = (x, y, source.focus_mm / 10)
        aperture[:] = source.half_tangents
        segments = source.segments[:, :4].copy()
        segments[:, 2:4] = (segments[:, 2:4] - origin_mm[2]) / 10
        weights = source.segments[:, 4]
        if source.transmission is not None:
            transmission = source.transmission / source.transmission.max()
    if kind in (0, 1, 3) and (aperture[0] >= aperture[1] or aperture[2] >= aperture[3]):
        raise InputError(
            f"the aperture {aperture.tolist()} of a source is empty",
            allowed="lower limits below upper limits",
        )
    energy, half_width, prob, alias = _energy_tables(source_spectra(source))
    segment_prob, segment_alias = alias_table(weights)
    return Beam(
        kind=kind,
        vectors=vectors.astype(np.float32),
        aperture=aperture.astype(np.float32),
        segments=segments.astype(np.float32),
        segment_prob=segment_prob,
        segment_alias=segment_alias,
        transmission=np.ascontiguousarray(transmission, dtype=np.float32),
        energy=energy,
        energy_half_width=np.float32(half_width),
        energy_prob=prob,
        energy_alias=alias,
    )
