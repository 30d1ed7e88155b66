"""Coarser copies of an image by block averaging, and labels back onto the fine grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.volume import Grid

Factors = tuple[int, int, int]


def factors_for(grid: Grid, voxel_mm: float) -> Factors:
    """Return block sizes (z, y, x) that give voxels of at most about ``voxel_mm``."""
    dx, dy, dz = grid.spacing_mm
    fz, fy, fx = (max(1, int(voxel_mm / d + 0.25)) for d in (dz, dy, dx))
    return fz, fy, fx


def reduced_grid(grid: Grid, factors: Factors) -> Grid:
    """Return the grid of blocks; the last block may reach beyond the image."""
    shape = tuple(-(-n // f) for n, f in zip(grid.shape_zyx, factors, strict=True))
    spacing = tuple(d * f for d, f in zip(grid.spacing_mm, factors[::-1], strict=True))
    origin = tuple(
        o + 0.5 * d * (f - 1) for o, d, f in zip(grid.origin_mm, grid.spacing_mm, factors[::-1], strict=True)
    )
    return Grid(
        shape_zyx=(shape[0], shape[1], shape[2]),
        spacing_mm=(spacing[0], spacing[1], spacing[2]),
        origin_mm=(origin[0], origin[1], origin[2]),
    )


def reduce_mean(array: npt.NDArray[Any], factors: Factors) -> npt.NDArray[np.float32]:
    """Return block means; the image's last rows are repeated to fill the last blocks."""
    if factors == (1, 1, 1):
        return array.astype(np.float32)
    pad = [(0, -n % f) for n, f in zip(array.shape, factors, strict=True)]
    fz, fy, fx = factors
    nz, ny, nx = ((n + p[1]) // f for n, p, f in zip(array.shape, pad, factors, strict=True))
    out = np.empty((nz, ny, nx), dtype=np.float32)
    for k in range(nz):
        slab = np.asarray(array[k * fz : (k + 1) * fz], dtype=np.float32).mean(axis=0)
        slab = np.pad(slab, pad[1:], mode="edge")
        out[k] = slab.reshape(ny, fy, nx, fx).mean(axis=(1, 3))
    return out


def enlarge(array: npt.NDArray[Any], factors: Factors, shape: tuple[int, int, int]) -> npt.NDArray[Any]:
    """Return the array with each voxel repeated, cropped to ``shape``."""
    for axis, factor in enumerate(factors):
        if factor > 1:
            array = np.repeat(array, factor, axis=axis)
    return np.ascontiguousarray(array[: shape[0], : shape[1], : shape[2]])


def reduce_labels(array: npt.NDArray[Any], factors: Factors) -> npt.NDArray[Any]:
    """Return the label in the middle of each block (of an incomplete last block: its last label)."""
    picked = array
    for axis, (n, factor) in enumerate(zip(array.shape, factors, strict=True)):
        middles = np.minimum(np.arange(-(-n // factor)) * factor + factor // 2, n - 1)
        picked = picked.take(middles, axis=axis)
    return np.ascontiguousarray(picked)
