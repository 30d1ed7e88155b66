"""From masks on a body's grid to outlines on the images': shares of voxels, drawn larger and smaller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel
from omnidose.errors import GeometryError
from omnidose.modalities.nuclear.series.outlines import Outlines, outlines
from omnidose.volume import Grid

ArrayF4 = npt.NDArray[np.float32]
ArrayF8 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Step by which a border is moved to see what follows from it, and how far from it distances are kept, mm.
STEP_MM, REACH_MM = 0.5, 8.0
AIR_G_CM3 = 0.0012


def cropped_grid(grid: Grid, body: BodyModel, margin_mm: float = 30.0) -> tuple[Grid, tuple[slice, ...]]:
    """Return the part of an image's grid that lies in and around the body, and its slices [z, y, x].

    Raises
    ------
    GeometryError
        If image and body do not meet.
    """
    inside = body.labels > 0
    slices, origin, shape = [], list(grid.origin_mm), list(grid.shape_zyx)
    for axis in range(3):
        other = tuple(a for a in range(3) if a != 2 - axis)
        where = np.flatnonzero(inside.any(axis=other))
        centres = grid.axis_mm(axis)
        ends = body.grid.axis_mm(axis)[where[[0, -1]]] if where.size else np.array([np.inf, -np.inf])
        near = np.flatnonzero((centres >= ends[0] - margin_mm) & (centres <= ends[1] + margin_mm))
        if near.size < 2:
            raise GeometryError(
                "the images of the activity and the body do not overlap",
                where="FrameOfReferenceUID, ImagePositionPatient",
                todo="check that the CT belongs to the images",
            )
        slices.append(slice(int(near[0]), int(near[-1]) + 1))
        origin[axis], shape[2 - axis] = float(centres[near[0]]), near.size
    part = Grid(
        shape_zyx=(shape[0], shape[1], shape[2]),
        spacing_mm=grid.spacing_mm,
        origin_mm=(origin[0], origin[1], origin[2]),
    )
    return part, (slices[2], slices[1], slices[0])


def nearest(
    array: npt.NDArray[Any], own: Grid, places_mm: Sequence[ArrayF8], outside: Any
) -> npt.NDArray[Any]:
    """[z, y, x] values of the voxels of ``own`` nearest to places along z, y, x; ``outside`` beyond it."""
    index = []
    for axis, place in zip((2, 1, 0), places_mm, strict=True):
        number = np.rint((place - own.origin_mm[axis]) / own.spacing_mm[axis]).astype(np.intp)
        number[(number < 0) | (number >= own.shape_zyx[2 - axis])] = -1
        index.append(number)
    out = array[np.ix_(*index)]
    out[index[0] < 0], out[:, index[1] < 0], out[:, :, index[2] < 0] = outside, outside, outside
    return out


def density_on(grid: Grid, body: BodyModel) -> ArrayF4:
    """[z, y, x] g/cm3 of the body (air outside of it) averaged over the voxels of an image."""
    tissue = np.where(body.labels > 0, body.density_g_cm3, np.float32(AIR_G_CM3))
    places = [_points(grid, body.grid, axis) for axis in (2, 1, 0)]
    fine = nearest(tissue, body.grid, [place for place, _count in places], AIR_G_CM3)
    return _pooled(fine, (places[0][1], places[1][1], places[2][1]))


def labels_on(grid: Grid, body: BodyModel) -> npt.NDArray[np.uint8]:
    """[z, y, x] label of the body at the middle of every voxel of an image; 0 outside of the body's grid."""
    return nearest(body.labels, body.grid, [grid.axis_mm(axis) for axis in (2, 1, 0)], 0)


def outlines_on(grid: Grid, body: BodyModel, masks: Mapping[str, Mask]) -> Outlines:
    """Return disjoint outlines on the grid of the images.

    Parameters
    ----------
    masks
        Name -> [z, y, x] on the body's grid; an organ with the lesions in it.
    """
    shares = {name: _drawn(grid, body.grid, mask) for name, mask in masks.items()}
    return outlines(
        grid,
        {name: drawn[0] for name, drawn in shares.items()},
        density_on(grid, body),
        larger={name: drawn[1] for name, drawn in shares.items()},
        smaller={name: drawn[2] for name, drawn in shares.items()},
        step_mm=STEP_MM,
    )


def _drawn(grid: Grid, own: Grid, mask: Mask) -> tuple[ArrayF4, ArrayF4, ArrayF4]:
    """Return the share of every voxel of ``grid`` inside a mask, and inside its border a step out and in."""
    pad = [ceil(REACH_MM / step) + 2 for step in own.spacing_mm[::-1]]
    window = tuple(
        slice(max(0, int(w.min()) - p), int(w.max()) + p + 1)
        for w, p in zip(np.nonzero(mask), pad, strict=True)
    )
    depth = signed_depth_mm(mask[window], own.spacing_mm)
    first = [part.start for part in window]
    target, place, counts = [], [], []
    for axis in (2, 1, 0):
        points, n = _points(grid, own, axis)
        where = (points - own.origin_mm[axis]) / own.spacing_mm[axis] - first[2 - axis]
        size = depth.shape[2 - axis]
        touched = ((where > -0.5) & (where < size - 0.5)).reshape(-1, n).any(axis=1)
        near = np.flatnonzero(touched)
        low, high = (int(near[0]), int(near[-1]) + 1) if near.size else (0, 0)
        target.append(slice(low, high))
        place.append(where[low * n : high * n])
        counts.append(n)
    out = tuple(np.zeros(grid.shape_zyx, np.float32) for _ in range(3))
    if any(part.stop <= part.start for part in target):
        return out[0], out[1], out[2]
    fine = _interpolated(depth, place)
    edge = np.float32(float(np.mean(own.spacing_mm)))
    box = (target[0], target[1], target[2])
    for array, border in zip(out, (0.0, STEP_MM, -STEP_MM), strict=True):
        inside = np.clip(0.5 + (fine + np.float32(border)) / edge, 0, 1)
        array[box] = _pooled(inside, (counts[0], counts[1], counts[2]))
    return out[0], out[1], out[2]


def signed_depth_mm(mask: Mask, spacing_mm: tuple[float, float, float]) -> ArrayF4:
    """[z, y, x] distance from the border, inside positive, cut off at :data:`REACH_MM`."""
    from scipy.ndimage import distance_transform_edt

    step, half = spacing_mm[::-1], 0.5 * float(np.mean(spacing_mm))
    inside = distance_transform_edt(mask, step) - half
    outside = half - distance_transform_edt(~mask, step)
    found = np.where(mask, inside, outside)
    return np.asarray(np.clip(found, -REACH_MM, REACH_MM), dtype=np.float32)


def _points(grid: Grid, own: Grid, axis: int) -> tuple[ArrayF8, int]:
    """Return places along an axis, and how many per voxel: as many as voxels of ``own`` fit in."""
    n = max(2, ceil(grid.spacing_mm[axis] / own.spacing_mm[axis] - 1e-6))
    offset = ((np.arange(n) + 0.5) / n - 0.5) * grid.spacing_mm[axis]
    return (grid.axis_mm(axis)[:, None] + offset).ravel(), n


def _interpolated(depth: ArrayF4, place: list[ArrayF8]) -> ArrayF4:
    """Look up along one axis after the other (trilinear); beyond the window the border's value."""
    out = depth
    for axis, where in enumerate(place):
        size = out.shape[axis]
        clipped = np.clip(where, 0, size - 1)
        low = np.minimum(clipped.astype(np.intp), max(size - 2, 0))
        share = (clipped - low).astype(np.float32)
        shape = [1, 1, 1]
        shape[axis] = share.size
        weight = share.reshape(shape)
        high = np.minimum(low + 1, size - 1)
        out = np.take(out, low, axis=axis) * (1 - weight) + np.take(out, high, axis=axis) * weight
    return np.asarray(out, dtype=np.float32)


def _pooled(fine: ArrayF4, count: tuple[int, int, int]) -> ArrayF4:
    nz, ny, nx = (n // c for n, c in zip(fine.shape, count, strict=True))
    blocks = fine.reshape(nz, count[0], ny, count[1], nx, count[2])
    return np.asarray(blocks.mean(axis=(1, 3, 5)), dtype=np.float32)
