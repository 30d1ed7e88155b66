"""Surfaces that photons can start from, as patches of four simple kinds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from omnidose.errors import GeometryError
from omnidose.transport.scene import Box, Capsule, Cylinder, Sphere, Vector
from omnidose.transport.shapes import axis_frame
from omnidose.volume import Grid

ArrayF8 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disc:
    """A flat round surface; ``normal`` points outwards."""

    centre_mm: Vector
    normal: Vector
    radius_mm: float

    def __post_init__(self) -> None:
        _check_flat("disc", self.centre_mm, self.normal, (self.radius_mm,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    """A flat rectangle; ``normal`` points outwards, sides along ``up x normal`` and ``up``."""

    centre_mm: Vector
    normal: Vector
    up: Vector
    half_widths_mm: tuple[float, float]

    def __post_init__(self) -> None:
        _check_flat("rectangle", self.centre_mm, self.normal, self.half_widths_mm)
        across = np.cross(self.up, self.normal)
        if not np.linalg.norm(across) > 1e-9 * np.linalg.norm(self.normal):
            raise GeometryError("the 'up' vector of a rectangle is parallel to its normal or has no length")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoxelSurface:
    """All faces between voxels that are inside and their neighbours that are not (or the grid's end).

    A staircase: its area exceeds that of the smooth body (a sphere's by half). The *distribution* over it
    is uniform per face area.

    Attributes
    ----------
    inside
        bool [z, y, x].
    """

    grid: Grid
    inside: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.inside.shape != self.grid.shape_zyx or self.inside.dtype != np.bool_:
            raise GeometryError(
                f"a mask of shape {self.inside.shape} and type {self.inside.dtype} does not fit the grid",
                allowed=f"booleans of shape {self.grid.shape_zyx}",
            )
        if not self.inside.any():
            raise GeometryError("no voxel is inside, so there is no surface", where="inside")


Surface = Disc | Rectangle | VoxelSurface | Box | Cylinder | Capsule | Sphere


def _check_flat(what: str, centre_mm: Vector, normal: Vector, sizes_mm: tuple[float, ...]) -> None:
    numbers = [*centre_mm, *normal, *sizes_mm]
    if not np.all(np.isfinite(numbers)) or min(sizes_mm) <= 0 or not np.any(normal):
        raise GeometryError(
            f"a {what} at {centre_mm} mm with normal {normal} and sizes {sizes_mm} mm has no area",
            allowed="finite numbers, sizes above 0, a normal that is not (0, 0, 0)",
        )


class PatchKind(IntEnum):
    """Kinds of patch; the same numbers stand in ``kernels/sources.py``."""

    FLAT = 0
    ROUND = 1
    BARREL = 2
    DOME = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Patches:
    """Pieces of a surface.

    Attributes
    ----------
    kind
        int32 [n], see :class:`PatchKind`.
    vectors_mm
        float64 [n, 4, 3] a place o and three vectors. Flat: a corner, both sides, the unit normal. Round:
        centre, two radii, the unit normal. Barrel: centre of one end, two radii, the way to the
        other end. Dome: centre of the ball, two radii, the radius to the pole.
    area_mm2
        float64 [n].
    """

    kind: npt.NDArray[np.int32]
    vectors_mm: ArrayF8
    area_mm2: ArrayF8

    def bounds_mm(self) -> tuple[ArrayF8, ArrayF8]:
        """Return corners of a box that holds every patch (not the smallest one)."""
        reach = np.abs(self.vectors_mm[:, 1:3]).sum(axis=1)
        solid = (self.kind == PatchKind.BARREL) | (self.kind == PatchKind.DOME)
        reach = reach + np.abs(self.vectors_mm[:, 3]) * solid[:, None]
        place = self.vectors_mm[:, 0]
        return (place - reach).min(axis=0), (place + reach).max(axis=0)


def patches(surface: Surface) -> Patches:
    """Cut a surface into patches."""
    if isinstance(surface, VoxelSurface):
        return _voxel_faces(surface)
    parts: list[tuple[PatchKind, ArrayF8]] = []
    if isinstance(surface, Box):
        parts = _box_faces(surface)
    elif isinstance(surface, Rectangle):
        normal = np.asarray(surface.normal, dtype=np.float64) / np.linalg.norm(surface.normal)
        across = np.cross(surface.up, normal)
        across /= np.linalg.norm(across)
        up = np.cross(normal, across)
        half_u, half_v = surface.half_widths_mm
        corner = np.asarray(surface.centre_mm) - half_u * across - half_v * up
        parts = [(PatchKind.FLAT, np.stack([corner, 2 * half_u * across, 2 * half_v * up, normal]))]
    elif isinstance(surface, Disc):
        axis = np.asarray(surface.normal, dtype=np.float64) / np.linalg.norm(surface.normal)
        parts = [(PatchKind.ROUND, _round(surface.centre_mm, surface.radius_mm, axis, 1.0))]
    elif isinstance(surface, Sphere):
        axis = np.array([0.0, 0.0, 1.0])
        for sign in (-1.0, 1.0):
            dome = _round(surface.centre_mm, surface.radius_mm, sign * axis, surface.radius_mm)
            parts.append((PatchKind.DOME, dome))
    else:
        parts = _round_shape(surface)
    kind = np.array([k for k, _v in parts], dtype=np.int32)
    vectors = np.stack([v for _k, v in parts])
    return Patches(kind=kind, vectors_mm=vectors, area_mm2=_areas_mm2(kind, vectors))


def _round(centre_mm: npt.ArrayLike, radius_mm: float, axis: ArrayF8, length_mm: float) -> ArrayF8:
    frame = axis_frame(axis)
    radii = radius_mm * frame[:2]
    return np.stack([np.asarray(centre_mm, dtype=np.float64), *radii, length_mm * axis])


def _round_shape(shape: Cylinder | Capsule) -> list[tuple[PatchKind, ArrayF8]]:
    axis = shape.unit_axis
    half = 0.5 * shape.length_mm * axis
    ends = [(np.asarray(shape.centre_mm) + sign * half, sign * axis) for sign in (-1.0, 1.0)]
    barrel = _round(ends[0][0], shape.radius_mm, axis, shape.length_mm)
    kind = PatchKind.DOME if isinstance(shape, Capsule) else PatchKind.ROUND
    reach = shape.radius_mm if isinstance(shape, Capsule) else 1.0
    caps = [(kind, _round(centre, shape.radius_mm, outwards, reach)) for centre, outwards in ends]
    return [(PatchKind.BARREL, barrel), *caps]


def _box_faces(box: Box) -> list[tuple[PatchKind, ArrayF8]]:
    lower, size = np.asarray(box.lower_mm, dtype=np.float64), np.subtract(box.upper_mm, box.lower_mm)
    out = []
    for axis in range(3):
        one, two = np.eye(3)[(axis + 1) % 3] * size, np.eye(3)[(axis + 2) % 3] * size
        for sign in (-1.0, 1.0):
            corner = lower + (np.eye(3)[axis] * size if sign > 0 else 0.0)
            out.append((PatchKind.FLAT, np.stack([corner, one, two, sign * np.eye(3)[axis]])))
    return out


def _areas_mm2(kind: npt.NDArray[np.int32], vectors: ArrayF8) -> ArrayF8:
    area = np.linalg.norm(np.cross(vectors[:, 1], vectors[:, 2]), axis=1)  # radius^2 if round
    length = np.linalg.norm(vectors[:, 3], axis=1)
    factor = np.array([1.0, np.pi, 2 * np.pi, 2 * np.pi])[kind]
    radius = np.sqrt(area)
    return np.asarray(factor * np.where(kind == PatchKind.BARREL, radius * length, area))


def _voxel_faces(surface: VoxelSurface) -> Patches:
    grid, inside = surface.grid, surface.inside
    spacing = np.asarray(grid.spacing_mm)
    padded = np.pad(inside, 1)
    found = []
    for axis in range(3):  # x, y, z
        one, two = np.eye(3)[(axis + 1) % 3] * spacing, np.eye(3)[(axis + 2) % 3] * spacing
        for sign in (-1, 1):
            neighbour = np.roll(padded, -sign, axis=2 - axis)[1:-1, 1:-1, 1:-1]
            k, j, i = np.nonzero(inside & ~neighbour)
            corner = np.stack([i, j, k], axis=1).astype(np.float64)
            corner[:, axis] += sign > 0
            vectors = np.empty((k.size, 4, 3))
            vectors[:, 0] = grid.lower_mm + corner * spacing
            vectors[:, 1], vectors[:, 2], vectors[:, 3] = one, two, sign * np.eye(3)[axis]
            found.append(vectors)
    vectors = np.concatenate(found)
    kind = np.full(len(vectors), PatchKind.FLAT, dtype=np.int32)
    return Patches(kind=kind, vectors_mm=vectors, area_mm2=_areas_mm2(kind, vectors))
