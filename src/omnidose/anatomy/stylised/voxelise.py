"""Shapes to voxels that keep every organ's volume, with sub-voxels and little memory.

For each shape the share of every voxel inside it is counted on sub-voxels. The voxels with the largest
shares become the organ, as many as its volume needs: the volume is right to half a voxel even for
shells thinner than a voxel (ribs, walls of hollow organs).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.stylised.shapes import Array, Inside, Shape, Triple
from omnidose.volume import Grid

#: At most this many sub-voxels are evaluated at once (memory).
CHUNK = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Share of each voxel of a box of the grid that lies inside a shape, in sub-voxels.

    Attributes
    ----------
    window
        Slices of the grid's arrays [z, y, x] that the box covers.
    count
        uint16 sub-voxels inside.
    total
        Sub-voxels of a whole voxel.
    """

    window: tuple[slice, slice, slice]
    count: npt.NDArray[np.uint16]
    total: int

    @property
    def voxels(self) -> float:
        """Volume in voxels."""
        return float(self.count.sum(dtype=np.int64)) / self.total


def sub_voxels(grid: Grid, finest_mm: float) -> int:
    """Return how many sub-voxels per axis give steps of about ``finest_mm``."""
    return int(np.clip(np.ceil(max(grid.spacing_mm) / finest_mm), 1, 4))


def share_of(grid: Grid, shape: Shape, samples: int) -> Share | None:
    """Return the share of each voxel inside a shape, or None if it misses the grid."""
    low = [s * v + o for v, s, o in zip(shape.lower_cm, shape.scale, shape.offset_cm, strict=True)]
    high = [s * v + o for v, s, o in zip(shape.upper_cm, shape.scale, shape.offset_cm, strict=True)]
    (sx, sy, sz), (ox, oy, oz) = shape.scale, shape.offset_cm

    def inside(x: Array, y: Array, z: Array) -> Array:
        return shape.inside((x - ox) / sx, (y - oy) / sy, (z - oz) / sz)

    return share_inside(grid, inside, (low[0], low[1], low[2]), (high[0], high[1], high[2]), samples)


def share_inside(
    grid: Grid, inside: Inside, lower_cm: Triple, upper_cm: Triple, samples: int
) -> Share | None:
    """Return the share of each voxel inside a function, within a box in scaled cm."""
    first, last = [], []
    for axis in range(3):
        start, step = grid.lower_mm[axis], grid.spacing_mm[axis]
        n = grid.shape_zyx[2 - axis]
        first.append(max(0, int(np.floor((10 * lower_cm[axis] - start) / step))))
        last.append(min(n, int(np.ceil((10 * upper_cm[axis] - start) / step))))
    if any(b <= a for a, b in zip(first, last, strict=True)):
        return None
    window = (slice(first[2], last[2]), slice(first[1], last[1]), slice(first[0], last[0]))
    size = [b - a for a, b in zip(first, last, strict=True)]
    x, y = (_positions(grid, axis, first[axis], last[axis], samples) for axis in (0, 1))
    count = np.zeros((size[2], size[1], size[0]), dtype=np.uint16)
    layers = max(1, CHUNK // (size[0] * size[1] * samples**3))
    for start in range(0, size[2], layers):
        stop = min(size[2], start + layers)
        z = _positions(grid, 2, first[2] + start, first[2] + stop, samples)
        hit = np.broadcast_to(
            inside(x[None, None, :], y[None, :, None], z[:, None, None]), (z.size, y.size, x.size)
        )
        count[start:stop] = _pool(hit, samples)
    return Share(window=window, count=count, total=samples**3)


def _positions(grid: Grid, axis: int, first: int, last: int, samples: int) -> npt.NDArray[np.float32]:
    """Return sub-voxel centres in cm."""
    step = grid.spacing_mm[axis]
    offsets = (np.arange(samples) + 0.5) / samples
    where = grid.lower_mm[axis] + step * (np.arange(first, last)[:, None] + offsets).ravel()
    return np.asarray(where / 10.0, dtype=np.float32)


def _pool(hit: Array, samples: int) -> npt.NDArray[np.uint16]:
    """Sum bools over blocks of samples^3."""
    if samples == 1:
        return hit.astype(np.uint16)
    nz, ny, nx = (n // samples for n in hit.shape)
    data = np.ascontiguousarray(hit).view(np.uint8)
    rows = data.reshape(nz, samples, ny, samples, nx * samples).sum(axis=(1, 3), dtype=np.uint8)
    pooled: npt.NDArray[np.uint16] = rows.reshape(nz, ny, nx, samples).sum(axis=3, dtype=np.uint16)
    return pooled


def best_voxels(share: Share, free: npt.NDArray[np.bool_], voxels: float) -> npt.NDArray[np.bool_]:
    """Return the free voxels with the largest shares, as many as ``voxels`` (rounded).

    Ties are broken by a fixed random order so that no side is preferred.
    """
    chosen = np.zeros(share.count.shape, dtype=np.bool_)
    wanted = round(voxels)
    candidates = np.flatnonzero((share.count > 0) & free)
    if wanted == 0 or candidates.size == 0:
        return chosen
    if candidates.size <= wanted:
        chosen.ravel()[candidates] = True
        return chosen
    order = np.random.default_rng(195).random(candidates.size, dtype=np.float32)
    rank = share.count.ravel()[candidates] + 0.5 * order
    cut = np.partition(rank, candidates.size - wanted)[candidates.size - wanted]
    chosen.ravel()[candidates[rank >= cut]] = True
    return chosen


def shares(grid: Grid, shapes: list[Shape], samples: int) -> Iterator[tuple[Shape, Share]]:
    """Yield each shape that touches the grid with its share."""
    for shape in shapes:
        share = share_of(grid, shape, samples)
        if share is not None:
            yield shape, share
