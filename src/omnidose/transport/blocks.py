"""Blocks of macro cells that share a majorant: large where the body is uniform, small where it is not.

A photon pays for every wall that it crosses and for every virtual collision. Cells are merged in cubes of 2, 4, 8 …
cells along an edge where that makes the sum of both cheaper.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F8 = npt.NDArray[np.float64]

#: Cost of a tentative collision and of a step from block to block (ns on the machine of docs/methods/engine.md).
COLLISION_NS = 80.0
STEP_NS = 20.0
MAX_LEVEL = 7


def _coarsen(values: F8, reduce: np.ufunc) -> F8:
    """Reduce an array [z, y, x] over 2x2x2 cells; what is missing at the edge counts as 0."""
    pad = [(0, n % 2) for n in values.shape]
    nz, ny, nx = (n + n % 2 for n in values.shape)
    blocks = np.pad(values, pad).reshape(nz // 2, 2, ny // 2, 2, nx // 2, 2)
    return np.asarray(reduce.reduce(blocks, axis=(1, 3, 5)))


def _refine(values: npt.NDArray[np.uint8], shape: tuple[int, ...], factor: int) -> npt.NDArray[np.uint8]:
    """Repeat an array [z, y, x] ``factor`` times along every axis and cut it to ``shape``."""
    for axis in range(3):
        values = np.repeat(values, factor, axis=axis)
    return values[: shape[0], : shape[1], : shape[2]]


def merge_cells(bound_per_cm: F8, cell_cm: F8) -> npt.NDArray[np.uint8]:
    """Return the level of the block that each cell belongs to: its edge is 2^level cells.

    Parameters
    ----------
    bound_per_cm
        [z, y, x] majorant of every cell at a typical energy.
    cell_cm
        [3] cell size (x, y, z).

    Notes
    -----
    An isotropic ray crosses (1/a + 1/b + 1/c) / 2 walls per length in cells of edges a, b, c. Merging goes from small
    to large: a cube is merged if it is cheaper as one block than its eight parts at their best.
    """
    volume = np.ones(bound_per_cm.shape)
    walls_per_cm = 0.5 * float(np.sum(1 / cell_cm))
    bound = bound_per_cm
    best = volume * (COLLISION_NS * bound + STEP_NS * walls_per_cm)
    level = np.zeros(bound.shape, dtype=np.uint8)
    for n in range(1, MAX_LEVEL + 1):
        bound = _coarsen(bound, np.maximum)
        volume = _coarsen(volume, np.add)
        parts = _coarsen(best, np.add)
        merged = volume * (COLLISION_NS * bound + STEP_NS * walls_per_cm / 2**n)
        wanted = (merged <= parts) & (volume == 8**n)  # whole cubes only
        best = np.where(wanted, merged, parts)
        spread = _refine(wanted.astype(np.uint8), level.shape, 2**n).astype(bool)
        level[spread] = n
    return level


def block_numbers(level: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.intp], int]:
    """Return the number of its block for every cell [z, y, x], flat, and how many blocks there are."""
    nz, ny, nx = level.shape
    k, j, i = np.indices(level.shape, dtype=np.int64, sparse=True)
    corner = ((k >> level << level) * ny + (j >> level << level)) * nx + (i >> level << level)
    unique, number = np.unique(corner, return_inverse=True)
    return number.reshape(-1), unique.size
