"""Label maps from any grid to a straight one: nearest, or the label that fills most of a voxel."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from omnidose.volume import Grid, Volume

Method = Literal["nearest", "majority"]


def resample_labels(volume: Volume, grid: Grid, method: Method = "nearest") -> npt.NDArray[Any]:
    """Put a label volume on a grid; what lies outside the volume becomes 0.

    Parameters
    ----------
    volume
        Labels [k, j, i] with any affine (oblique too).
    method
        ``nearest``, or ``majority`` (up to 4 x 4 x 4 points per voxel vote; a tie goes to the smaller label).

    Returns
    -------
    numpy.ndarray
        [z, y, x], the dtype of the volume.
    """
    if method == "nearest":
        return _sample(volume, grid)
    source = (
        np.abs(np.diag(volume.to_lps().affine_lps_mm)[:3]) if volume.is_axis_aligned else volume.spacing_mm
    )
    votes = [int(np.clip(np.ceil(t / s - 1e-6), 1, 4)) for t, s in zip(grid.spacing_mm, source, strict=True)]
    if max(votes) == 1:
        return _sample(volume, grid)
    nz, ny, nx = grid.shape_zyx
    vx, vy, vz = votes
    dx, dy, dz = grid.spacing_mm
    fine = Grid(
        shape_zyx=(vz, ny * vy, nx * vx),
        spacing_mm=(dx / vx, dy / vy, dz / vz),
        origin_mm=(
            grid.origin_mm[0] - dx / 2 + dx / vx / 2,
            grid.origin_mm[1] - dy / 2 + dy / vy / 2,
            0.0,
        ),
    )
    out = np.empty(grid.shape_zyx, dtype=volume.array.dtype)
    for layer in range(nz):
        z = grid.origin_mm[2] + layer * dz - dz / 2 + dz / vz / 2
        slab = Grid(shape_zyx=fine.shape_zyx, spacing_mm=fine.spacing_mm, origin_mm=(*fine.origin_mm[:2], z))
        points = _sample(volume, slab).reshape(vz, ny, vy, nx, vx).transpose(1, 3, 0, 2, 4)
        out[layer] = _mode(points.reshape(ny * nx, vz * vy * vx)).reshape(ny, nx)
    return out


def _mode(points: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the most frequent value of every row."""
    best = points[:, 0].copy()
    mixed = np.flatnonzero(np.any(points != points[:, :1], axis=1))
    if mixed.size:
        ordered = np.sort(points[mixed], axis=1)
        run = np.ones(len(mixed), dtype=np.int32)
        longest = run.copy()
        value = ordered[:, 0].copy()
        for column in range(1, ordered.shape[1]):
            run = np.where(ordered[:, column] == ordered[:, column - 1], run + 1, 1)
            better = run > longest
            longest[better] = run[better]
            value[better] = ordered[better, column]
        best[mixed] = value
    return best


def _sample(volume: Volume, grid: Grid) -> npt.NDArray[Any]:
    """Take the value at the centre of every voxel of the grid."""
    if volume.is_axis_aligned:
        straight = volume.to_lps()
        out = np.zeros(grid.shape_zyx, dtype=volume.array.dtype)
        picks, targets = [], []
        for axis in range(3):
            step, start = straight.affine_lps_mm[axis, axis], straight.affine_lps_mm[axis, 3]
            index = np.floor((grid.axis_mm(axis) - start) / step + 0.5 + 1e-6).astype(np.intp)
            inside = np.flatnonzero((index >= 0) & (index < straight.array.shape[2 - axis]))
            picks.append(index[inside])
            targets.append(inside)
        out[np.ix_(targets[2], targets[1], targets[0])] = straight.array[np.ix_(picks[2], picks[1], picks[0])]
        return out
    return _sample_oblique(volume, grid)


def _sample_oblique(volume: Volume, grid: Grid) -> npt.NDArray[Any]:
    inverse = np.linalg.inv(volume.affine_lps_mm)
    out = np.zeros(grid.shape_zyx, dtype=volume.array.dtype)
    x, y = grid.axis_mm(0)[None, :], grid.axis_mm(1)[:, None]
    limits = volume.array.shape[::-1]
    for layer, z in enumerate(grid.axis_mm(2)):
        index = [
            np.rint(inverse[a, 0] * x + inverse[a, 1] * y + inverse[a, 2] * z + inverse[a, 3]).astype(np.intp)
            for a in range(3)
        ]
        inside = np.ones(np.broadcast(x, y).shape, dtype=bool)
        for a in range(3):
            inside &= (index[a] >= 0) & (index[a] < limits[a])
        out[layer][inside] = volume.array[index[2][inside], index[1][inside], index[0][inside]]
    return out
