"""What a shape is: its bounds, its inside, its volume, and what later shapes leave of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from omnidose.transport.scene import Box, Capsule, Cylinder, Shape, Sphere

ArrayF8 = npt.NDArray[np.float64]

#: Corners of the polygon around a rim that stands for it where a cylinder may lie in another shape.
_RIM_CORNERS = 64
#: Points along each axis of the lattice that measures what is left of a shape.
_LATTICE = 64


def shape_bounds_mm(shape: Shape) -> tuple[ArrayF8, ArrayF8]:
    """Return the lower and upper corner of the box around a shape."""
    if isinstance(shape, Box):
        return np.asarray(shape.lower_mm, dtype=np.float64), np.asarray(shape.upper_mm, dtype=np.float64)
    half = np.full(3, shape.radius_mm, dtype=np.float64)  # radius_mm=30 must not make integers
    if isinstance(shape, Cylinder):
        axis = shape.unit_axis
        half = half * np.sqrt(np.maximum(1 - axis**2, 0)) + 0.5 * shape.length_mm * np.abs(axis)
    elif isinstance(shape, Capsule):
        half = half + 0.5 * shape.length_mm * np.abs(shape.unit_axis)
    centre = np.asarray(shape.centre_mm, dtype=np.float64)
    return centre - half, centre + half


def inside_shape(shape: Shape, points_mm: ArrayF8) -> npt.NDArray[np.bool_]:
    """Return which of the points [n, 3] lie in a shape."""
    if isinstance(shape, Box):
        return np.asarray(np.all((points_mm >= shape.lower_mm) & (points_mm <= shape.upper_mm), axis=1))
    delta = points_mm - np.asarray(shape.centre_mm)
    distance2 = np.sum(delta**2, axis=1)
    if isinstance(shape, Sphere):
        return np.asarray(distance2 <= shape.radius_mm**2)
    along = delta @ shape.unit_axis
    half = 0.5 * shape.length_mm
    if isinstance(shape, Capsule):
        nearest = np.clip(along, -half, half)
        return np.asarray(distance2 + nearest * (nearest - 2 * along) <= shape.radius_mm**2)
    return np.asarray((np.abs(along) <= half) & (distance2 - along**2 <= shape.radius_mm**2))


def shape_volume_cm3(shape: Shape) -> float:
    """Return the full volume of a shape."""
    if isinstance(shape, Box):
        lower, upper = shape_bounds_mm(shape)
        return float(np.prod(upper - lower)) / 1000
    ball = 4 / 3 * np.pi * shape.radius_mm**3
    if isinstance(shape, Sphere):
        return float(ball) / 1000
    barrel = np.pi * shape.radius_mm**2 * shape.length_mm
    return float(barrel + (ball if isinstance(shape, Capsule) else 0)) / 1000


def mean_chord_cm(shape: Shape) -> float:
    """Return the mean length of isotropic rays in a shape: 4 V / S (A. Cauchy, 1850)."""
    if isinstance(shape, Box):
        x, y, z = np.subtract(shape.upper_mm, shape.lower_mm) / 10
        surface = 2 * (x * y + y * z + z * x)
    else:
        r = shape.radius_mm / 10
        ends = 2 * np.pi * r**2 if isinstance(shape, Cylinder) else 4 * np.pi * r**2
        barrel = 0.0 if isinstance(shape, Sphere) else 2 * np.pi * r * shape.length_mm / 10
        surface = ends + barrel
    return float(4 * shape_volume_cm3(shape) / surface)


def visible_volumes_cm3(shapes: Sequence[Shape]) -> list[float]:
    """Return each shape's volume less what later shapes take from it.

    Exact where later shapes are disjoint or lie wholly inside (and not in each other); else from
    2^18 points of a regular lattice over the shape, good to about 0.1 % of it.
    """
    volumes = []
    for index, shape in enumerate(shapes):
        later = [other for other in shapes[index + 1 :] if _boxes_overlap(shape, other)]
        nested = all(contains(shape, other) for other in later)
        apart = all(not _boxes_overlap(a, b) for i, a in enumerate(later) for b in later[i + 1 :])
        if nested and apart:
            volumes.append(shape_volume_cm3(shape) - sum(shape_volume_cm3(other) for other in later))
            continue
        own = _points_in(shape)
        seen = np.ones(len(own), dtype=bool)
        for other in later:
            seen &= ~inside_shape(other, own)
        volumes.append(shape_volume_cm3(shape) * float(seen.mean()))
    return volumes


def _points_in(shape: Shape) -> ArrayF8:
    """Return the points of a lattice, laid along the shape's own axis, that lie in it [n, 3]."""
    if isinstance(shape, Box):
        half = 0.5 * np.subtract(shape.upper_mm, shape.lower_mm)
        centre, frame = np.add(shape.lower_mm, half), np.eye(3)
    else:
        half = np.full(3, float(shape.radius_mm))
        centre, frame = np.asarray(shape.centre_mm, dtype=np.float64), np.eye(3)
        if isinstance(shape, Cylinder):
            half[2] = 0.5 * shape.length_mm
        elif isinstance(shape, Capsule):
            half[2] += 0.5 * shape.length_mm
        if not isinstance(shape, Sphere):
            frame = axis_frame(shape.unit_axis)
    step = (2 * np.arange(_LATTICE) + 1) / _LATTICE - 1
    lattice = np.stack(np.meshgrid(step, step, step, indexing="ij"), axis=-1).reshape(-1, 3)
    points = centre + (lattice * half) @ frame
    return np.asarray(points[inside_shape(shape, points)])


def axis_frame(axis: ArrayF8) -> ArrayF8:
    """Return three perpendicular unit vectors as rows, the last along ``axis`` (right-handed)."""
    helper = np.eye(3)[int(np.argmin(np.abs(axis)))]
    first = np.cross(helper, axis)
    first = first / np.linalg.norm(first)
    return np.stack([first, np.cross(axis, first), axis])


def upright_frame(direction: npt.ArrayLike, up: npt.ArrayLike) -> ArrayF8:
    """Return unit vectors (u, v, w) as rows: w along ``direction``, v towards ``up``, u = v x w."""
    w = np.asarray(direction, dtype=np.float64)
    w = w / np.linalg.norm(w)
    v = np.asarray(up, dtype=np.float64)
    v = v - (v @ w) * w
    v = v / np.linalg.norm(v)
    return np.stack([np.cross(v, w), v, w])


def box_corners(lower_mm: ArrayF8, upper_mm: ArrayF8) -> ArrayF8:
    """Return the eight corners of a box, [8, 3]."""
    return np.where(list(np.ndindex(2, 2, 2)), upper_mm, lower_mm)


def _boxes_overlap(a: Shape, b: Shape) -> bool:
    (al, au), (bl, bu) = shape_bounds_mm(a), shape_bounds_mm(b)
    return bool(np.all(al < bu) and np.all(bl < au))


def contains(outer: Shape, inner: Shape) -> bool:
    """Return True only if all of ``inner`` lies in ``outer``.

    All shapes are convex: it is enough that balls lie in ``outer`` whose convex hull holds ``inner``. Exact
    but for a cylinder whose rims touch the outer shape within 0.12 % of its radius.
    """
    if isinstance(inner, Cylinder) and isinstance(outer, Cylinder):
        axis = outer.unit_axis
        if abs(float(axis @ inner.unit_axis)) > 1 - 1e-12:
            delta = np.subtract(inner.centre_mm, outer.centre_mm)
            along = float(delta @ axis)
            radial = float(np.linalg.norm(delta - along * axis))
            return (
                radial + inner.radius_mm <= outer.radius_mm
                and abs(along) + inner.length_mm / 2 <= outer.length_mm / 2
            )
    centres, radius = _hull(inner)
    return all(_ball_inside(outer, centre, radius) for centre in centres)


def _hull(shape: Shape) -> tuple[ArrayF8, float]:
    """Return the centres [n, 3] and the radius of balls whose convex hull is or holds a shape."""
    if isinstance(shape, Box):
        return box_corners(*shape_bounds_mm(shape)), 0.0
    if isinstance(shape, Sphere):
        return np.asarray([shape.centre_mm], dtype=np.float64), shape.radius_mm
    if isinstance(shape, Capsule):
        return np.asarray([shape.start_mm, shape.end_mm], dtype=np.float64), shape.radius_mm
    frame = axis_frame(shape.unit_axis)
    angle = 2 * np.pi * np.arange(_RIM_CORNERS) / _RIM_CORNERS
    reach = shape.radius_mm / np.cos(np.pi / _RIM_CORNERS)
    rim = np.asarray(shape.centre_mm) + reach * (
        np.cos(angle)[:, None] * frame[0] + np.sin(angle)[:, None] * frame[1]
    )
    end = 0.5 * shape.length_mm * frame[2]
    return np.concatenate([rim - end, rim + end]), 0.0


def _ball_inside(shape: Shape, centre_mm: ArrayF8, radius_mm: float) -> bool:
    if isinstance(shape, Box):
        lower, upper = shape_bounds_mm(shape)
        return bool(np.all(centre_mm - radius_mm >= lower) and np.all(centre_mm + radius_mm <= upper))
    delta = centre_mm - np.asarray(shape.centre_mm)
    if isinstance(shape, Sphere):
        return float(np.linalg.norm(delta)) + radius_mm <= shape.radius_mm
    along = float(delta @ shape.unit_axis)
    half = 0.5 * shape.length_mm
    if isinstance(shape, Capsule):
        nearest = min(max(along, -half), half)
        return float(np.linalg.norm(delta - nearest * shape.unit_axis)) + radius_mm <= shape.radius_mm
    radial = float(np.linalg.norm(delta - along * shape.unit_axis))
    return abs(along) + radius_mm <= half and radial + radius_mm <= shape.radius_mm


def shape_kind(shape: Shape) -> int:
    """Return the kernels' number of a shape's kind."""
    return (Box, Cylinder, Sphere, Capsule).index(type(shape))


def shape_sizes_cm(shapes: Sequence[Shape], origin_mm: ArrayF8) -> ArrayF8:
    """Return the sizes of shapes as the kernels read them (``Geometry.shape_size``), float64 [n, 8]."""
    size = np.zeros((len(shapes), 8))
    for row, shape in zip(size, shapes, strict=True):
        if isinstance(shape, Box):
            row[:3] = np.subtract(shape.lower_mm, origin_mm) / 10
            row[3:6] = np.subtract(shape.upper_mm, origin_mm) / 10
            continue
        row[:3] = np.subtract(shape.centre_mm, origin_mm) / 10
        row[3] = (shape.radius_mm / 10) ** 2
        if not isinstance(shape, Sphere):
            row[4] = shape.length_mm / 20
            row[5:] = shape.unit_axis
    return size
