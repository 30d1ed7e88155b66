"""Sources as flat tables for the kernels."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.transport._records import Beam
from omnidose.transport.cumulatives import cumulative_table, nested_table, slope_weights
from omnidose.transport.emission import Emission, Positrons, energy_bins
from omnidose.transport.scene import Vector
from omnidose.transport.shapes import axis_frame, upright_frame
from omnidose.transport.sources import (
    ActivitySource,
    ConeSource,
    EmissionLaw,
    FanSource,
    IsotropicSource,
    ParallelSource,
    PyramidSource,
    RotatingSource,
    Side,
    Source,
    SurfaceSource,
)
from omnidose.transport.surfaces import patches

ArrayF8 = npt.NDArray[np.float64]
F4 = npt.NDArray[np.float32]


class Kind(IntEnum):
    """Kinds of source; the same numbers stand in ``kernels/sources.py``."""

    PYRAMID = 0
    PARALLEL = 1
    BALL = 2
    ROTATING = 3
    CONE = 4
    MAP = 5
    SURFACE = 6


def _unit(direction: Vector) -> ArrayF8:
    vector = np.asarray(direction, dtype=np.float64)
    if np.linalg.norm(vector) == 0:
        raise InputError(
            "the direction of a source has no length", todo="give a vector that is not (0, 0, 0)"
        )
    return np.asarray(vector / np.linalg.norm(vector))


def beam_frame(direction: Vector, up: Vector) -> ArrayF8:
    """Return the :func:`upright_frame` of a source.

    Raises
    ------
    InputError
        If there is none.
    """
    if np.linalg.norm(np.cross(_unit(direction), up)) < 1e-9:
        raise InputError("the 'up' vector of a source is parallel to its direction", todo="give another one")
    return upright_frame(direction, up)


def source_spectra(source: Source) -> tuple[Emission, ...]:
    """Return the spectra of any source."""
    return source.spectra if isinstance(source, (RotatingSource, FanSource)) else (source.spectrum,)


def source_bounds_mm(source: Source) -> tuple[ArrayF8, ArrayF8]:
    """Return a box that holds every point photons start from."""
    if isinstance(source, (PyramidSource, FanSource, ConeSource)):
        point = np.asarray(source.position_mm, dtype=np.float64)
        return point, point
    if isinstance(source, IsotropicSource):
        centre = np.asarray(source.centre_mm, dtype=np.float64)
        return centre - source.radius_mm, centre + source.radius_mm
    if isinstance(source, ParallelSource):
        u, v, _w = beam_frame(source.direction, source.up)
        reach = np.abs(u) * source.half_widths_mm[0] + np.abs(v) * source.half_widths_mm[1]
        centre = np.asarray(source.centre_mm, dtype=np.float64)
        return centre - reach, centre + reach
    if isinstance(source, ActivitySource):
        return source.grid.lower_mm, source.grid.upper_mm
    if isinstance(source, SurfaceSource):
        return patches(source.surface).bounds_mm()
    axis = rotation_frame(source)[2]
    ends = np.outer([source.segments[:, 2:4].min(), source.segments[:, 2:4].max()], axis)
    centre = np.array([*source.isocentre_mm, source.isocentre_z_mm])
    reach = source.focus_mm * np.sqrt(np.maximum(1 - axis**2, 0))
    return centre + ends.min(axis=0) - reach, centre + ends.max(axis=0) + reach


def rotation_frame(source: RotatingSource) -> ArrayF8:
    """Return unit vectors as rows: to the focus at 0 and at 90 degrees, and along the axis of rotation."""
    _u, first, axis = beam_frame(source.axis, source.zero)
    return np.stack([first, np.cross(axis, first), axis])


def compile_source(source: Source, origin_mm: ArrayF8) -> Beam:
    """Turn a source into flat tables; ``origin_mm`` is the lower corner of the macro grid."""
    beam = _COMPILERS[type(source)](source, _empty_beam(source), origin_mm)
    finite = all(np.all(np.isfinite(a)) for a in (beam.vectors, beam.aperture, beam.patch_vectors))
    if not finite:
        raise InputError(f"a number of the {type(source).__name__} is not finite", allowed="finite numbers")
    return beam


def _empty_beam(source: Source) -> Beam:
    """Return the record with the energies of a source and nothing else."""
    spectra = source_spectra(source)
    low, width, _weight = energy_bins(spectra[0])
    cumulative, guide = cumulative_table(np.stack([energy_bins(s)[2] for s in spectra]))
    one, start = np.ones(1, dtype=np.float32), np.zeros(1, dtype=np.int32)
    return Beam(
        kind=0,
        pair=int(isinstance(spectra[0], Positrons)),
        law=0,
        side=0,
        vectors=np.zeros((4, 3), dtype=np.float32),
        aperture=np.zeros(5, dtype=np.float32),
        slope_cumulative=one,
        slope_guide=start,
        path=np.zeros((1, 4), dtype=np.float32),
        path_cumulative=one,
        path_guide=start,
        transmission=np.ones((1, 1), dtype=np.float32),
        transmission_top=one,
        place_1=one,
        place_2=np.ones((1, 1), dtype=np.float32),
        place_3=np.ones((1, 1, 1), dtype=np.float32),
        patch_kind=start,
        patch_vectors=np.zeros((1, 4, 3), dtype=np.float32),
        energy_low=low.astype(np.float32),
        energy_width=width.astype(np.float32),
        energy_cumulative=cumulative,
        energy_guide=guide,
    )


def _vectors(place_mm: npt.ArrayLike, frame: ArrayF8, origin_mm: ArrayF8) -> F4:
    place = (np.asarray(place_mm, dtype=np.float64) - origin_mm) / 10
    return np.stack([place, *frame]).astype(np.float32)


def _aperture(*numbers: float) -> F4:
    return np.array([*numbers, 0, 0, 0, 0, 0][:5], dtype=np.float32)


def _rectangle(limits: tuple[float, float, float, float], transmission: ArrayF8 | None) -> dict[str, Any]:
    """Return the tables of a rectangular aperture; one column of transmission if all columns are equal."""
    cumulative, guide = cumulative_table(slope_weights(limits, transmission))
    if transmission is not None and np.all(transmission == transmission[:, :1]):
        transmission = transmission[:, :1]
    table = _relative(transmission)
    return {
        "slope_cumulative": cumulative,
        "slope_guide": guide,
        "transmission": table,
        "transmission_top": table.max(axis=1),
    }


def _relative(transmission: ArrayF8 | None) -> F4:
    """Return the table over its maximum."""
    if transmission is None:
        return np.ones((1, 1), dtype=np.float32)
    return np.ascontiguousarray(transmission / transmission.max(), dtype=np.float32)


def _pyramid(source: PyramidSource | FanSource, beam: Beam, origin_mm: ArrayF8) -> Beam:
    return beam._replace(
        kind=int(Kind.PYRAMID),
        vectors=_vectors(source.position_mm, beam_frame(source.direction, source.up), origin_mm),
        aperture=_aperture(*source.half_tangents),
        **_rectangle(source.half_tangents, source.transmission if isinstance(source, FanSource) else None),
    )


def _parallel(source: ParallelSource, beam: Beam, origin_mm: ArrayF8) -> Beam:
    half_u, half_v = source.half_widths_mm
    return beam._replace(
        kind=int(Kind.PARALLEL),
        vectors=_vectors(source.centre_mm, beam_frame(source.direction, source.up), origin_mm),
        aperture=_aperture(-half_u / 10, half_u / 10, -half_v / 10, half_v / 10),
    )


def _ball(source: IsotropicSource, beam: Beam, origin_mm: ArrayF8) -> Beam:
    return beam._replace(
        kind=int(Kind.BALL),
        vectors=_vectors(source.centre_mm, np.eye(3), origin_mm),
        aperture=_aperture(source.radius_mm / 10),
    )


def _cone(source: ConeSource, beam: Beam, origin_mm: ArrayF8) -> Beam:
    if source.up is not None:
        frame = beam_frame(source.direction, source.up)
    else:
        frame = axis_frame(_unit(source.direction))
    table = _relative(source.transmission)
    slope = 0.0 if source.transmission is None else math.tan(math.radians(source.half_angle_deg))
    return beam._replace(
        kind=int(Kind.CONE),
        vectors=_vectors(source.position_mm, frame, origin_mm),
        aperture=_aperture(2 * math.sin(0.5 * math.radians(source.half_angle_deg)) ** 2, slope),
        transmission=table,
        transmission_top=np.ones(table.shape[0], dtype=np.float32),
    )


def _map(source: ActivitySource, beam: Beam, origin_mm: ArrayF8) -> Beam:
    """Only the box around what is not 0 is tabulated."""
    used = [np.flatnonzero(np.any(source.activity != 0, axis=tuple({0, 1, 2} - {a}))) for a in range(3)]
    first = [int(u[0]) for u in used]
    box = source.activity[tuple(slice(int(u[0]), int(u[-1]) + 1) for u in used)]
    place_1, place_2, place_3 = nested_table(box)
    spacing = np.asarray(source.grid.spacing_mm)
    return beam._replace(
        kind=int(Kind.MAP),
        vectors=_vectors(source.grid.lower_mm + first[::-1] * spacing, np.diag(spacing / 10), origin_mm),
        place_1=place_1,
        place_2=place_2,
        place_3=place_3,
    )


def _surface(source: SurfaceSource, beam: Beam, origin_mm: ArrayF8) -> Beam:
    """Patches in groups of about as many as there are groups."""
    found = patches(source.surface)
    per_group = math.ceil(math.sqrt(found.kind.size))
    groups = -(-found.kind.size // per_group)
    area = np.zeros((1, groups, per_group))
    area.reshape(-1)[: found.kind.size] = found.area_mm2
    _one, place_1, place_2 = nested_table(area)
    scale = np.full((found.kind.size, 4, 1), 0.1)
    scale[found.kind <= 1, 3] = 1.0  # the unit normals of flat and round patches
    vectors = found.vectors_mm.copy()
    vectors[:, 0] -= origin_mm
    return beam._replace(
        kind=int(Kind.SURFACE),
        law=list(EmissionLaw).index(source.law),
        side={Side.OUT: 1, Side.IN: -1, Side.BOTH: 0}[source.side],
        place_1=place_1[0],
        place_2=place_2[0],
        patch_kind=found.kind,
        patch_vectors=(vectors * scale).astype(np.float32),
    )


def _rotating(source: RotatingSource, beam: Beam, origin_mm: ArrayF8) -> Beam:
    centre = np.array([*source.isocentre_mm, source.isocentre_z_mm])
    cumulative, guide = cumulative_table(source.segments[:, 4])
    return beam._replace(
        kind=int(Kind.ROTATING),
        vectors=_vectors(centre, rotation_frame(source), origin_mm),
        aperture=_aperture(*source.half_tangents, source.focus_mm / 10),
        path=(source.segments[:, :4] * [1, 1, 0.1, 0.1]).astype(np.float32),
        path_cumulative=cumulative,
        path_guide=guide,
        **_rectangle(source.half_tangents, source.transmission),
    )


_COMPILERS: dict[type, Callable[[Any, Beam, ArrayF8], Beam]] = {
    PyramidSource: _pyramid,
    FanSource: _pyramid,
    ConeSource: _cone,
    ParallelSource: _parallel,
    IsotropicSource: _ball,
    ActivitySource: _map,
    SurfaceSource: _surface,
    RotatingSource: _rotating,
}
