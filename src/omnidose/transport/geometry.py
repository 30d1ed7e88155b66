"""Macro cells over a scene, and what bounds the attenuation in them.

The macro grid covers voxel grid and shapes. With a voxel grid its cells are whole blocks of voxels,
so that stepping from cell to cell is integer arithmetic and no cell is crossed by a block border.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.errors import GeometryError
from omnidose.physics.materials import Material
from omnidose.transport.scene import Scene, Shape
from omnidose.transport.shapes import inside_shape, shape_bounds_mm

ArrayF8 = npt.NDArray[np.float64]

#: Smallest edge of a macro cell.
CELL_MM = 8.0
#: Several cells along an edge may become one, where that makes photons cheaper.
FACTORS = (1, 2, 3, 4, 6, 8, 16, 32, 64)
#: Cost of a tentative collision and of a step from cell to cell (ns; only their ratio matters).
COLLISION_NS = 80.0
STEP_NS = 6.0
#: Largest number of macro cells along an axis when there is no voxel grid to follow.
CELLS_WITHOUT_GRID = 64
MAX_CLASSES = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroGrid:
    """Regular cells that cover everything.

    Attributes
    ----------
    lower_mm, cell_mm
        [3] corner and cell size (x, y, z).
    n_cell
        [3] number of cells (x, y, z).
    offset_voxels
        [3] voxels by which the first cell starts before the voxel grid (x, y, z).
    voxels_per_cell
        [3], zeros without a voxel grid.
    """

    lower_mm: ArrayF8
    cell_mm: ArrayF8
    n_cell: npt.NDArray[np.int32]
    offset_voxels: npt.NDArray[np.int64]
    voxels_per_cell: npt.NDArray[np.int64]


def macro_grid(scene: Scene) -> MacroGrid:
    """Lay macro cells over the voxel grid and all shapes."""
    bounds = [shape_bounds_mm(shape) for shape in scene.shapes]
    if scene.voxels is None:
        lower = np.min([b[0] for b in bounds], axis=0)
        upper = np.max([b[1] for b in bounds], axis=0)
        size = np.maximum(upper - lower, 1e-3)
        pad = 1e-4 * size
        lower, size = lower - pad, size + 2 * pad
        # a power of two and the same along all axes: a uniform scene can then become one cell
        power = int(np.ceil(np.log2(max(float(size.max()) / CELL_MM, 1))))
        n = np.full(3, min(2**power, CELLS_WITHOUT_GRID), dtype=np.int32)
        zeros = np.zeros(3, dtype=np.int64)
        return MacroGrid(
            lower_mm=lower, cell_mm=size / n, n_cell=n, offset_voxels=zeros, voxels_per_cell=zeros
        )
    grid = scene.voxels.grid
    spacing = np.asarray(grid.spacing_mm)
    per_cell = np.maximum(1, np.round(CELL_MM / spacing)).astype(np.int64)
    cell = per_cell * spacing
    n_voxel = np.asarray(grid.shape_zyx[::-1])
    before = np.zeros(3, dtype=np.int64)
    after = np.zeros(3, dtype=np.int64)
    n_grid = -(-n_voxel // per_cell)
    for shape_lower, shape_upper in bounds:
        before = np.maximum(before, np.ceil((grid.lower_mm - shape_lower) / cell - 1e-9).astype(np.int64))
        covered = grid.lower_mm + n_grid * cell
        after = np.maximum(after, np.ceil((shape_upper - covered) / cell - 1e-9).astype(np.int64))
    n = n_grid + before + after
    if np.prod(n) > 20_000_000:
        raise GeometryError(
            f"shapes reach so far beyond the voxel grid that {np.prod(n)} macro cells would be needed",
            todo="leave out shapes far from the body",
        )
    return MacroGrid(
        lower_mm=grid.lower_mm - before * cell,
        cell_mm=cell,
        n_cell=n.astype(np.int32),
        offset_voxels=before * per_cell,
        voxels_per_cell=per_cell,
    )


def scene_materials(scene: Scene) -> tuple[Material, ...]:
    """Return every material of the scene: the voxels' (same indices), room's, shapes', the world's."""
    voxel = scene.voxels.materials if scene.voxels is not None else ()
    room = scene.room.materials if scene.room is not None else ()
    return (*voxel, *room, *(shape.material for shape in scene.shapes), scene.world)


def cells_touched(macro: MacroGrid, lower_mm: ArrayF8, upper_mm: ArrayF8) -> tuple[slice, slice, slice]:
    """Return the (z, y, x) slices of the cells that a box may touch, empty where there are none."""
    first = np.floor((lower_mm - macro.lower_mm) / macro.cell_mm - 1e-6).astype(int)
    last = np.floor((upper_mm - macro.lower_mm) / macro.cell_mm + 1e-6).astype(int)
    first = np.clip(first, 0, macro.n_cell)
    stop = np.clip(last + 1, first, macro.n_cell)
    return slice(first[2], stop[2]), slice(first[1], stop[1]), slice(first[0], stop[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Majorants:
    """Class of every cell and what bounds it.

    Attributes
    ----------
    macro
        The cells: those given, or several of them along every axis made one.
    cell_class
        uint8 [n_cells], x fastest.
    class_density
        [n_class, n_material] largest density of each material in any cell of the class.
    class_floor_per_cm
        [n_class] lower bound of the majorant (denser virtual collisions where asked for).
    shape_first, shape_list
        Shapes that may be met in cell c, last (winning) first:
        ``shape_list[shape_first[c]:shape_first[c + 1]]``.
    """

    macro: MacroGrid
    cell_class: npt.NDArray[np.uint8]
    class_density: ArrayF8
    class_floor_per_cm: ArrayF8
    shape_first: npt.NDArray[np.int32]
    shape_list: npt.NDArray[np.int32]


def majorants(
    scene: Scene,
    macro: MacroGrid,
    mu_cm2_g: ArrayF8,
    floors: Sequence[tuple[ArrayF8, ArrayF8, float]],
    typical_probe: int = 0,
    around: ArrayF8 | None = None,
) -> Majorants:
    """Choose the size of the macro cells and group them into classes by what bounds their attenuation.

    Parameters
    ----------
    mu_cm2_g
        [n_material, n_probe] attenuation at a few energies: cells are alike if their bounds agree
        within 10 % at all of them.
    floors
        (lower_mm, upper_mm, per_cm): boxes in which the majorant must be at least ``per_cm``.
    typical_probe
        Index of the energy for which the size is chosen.
    around
        [n_material] largest densities of what may lie in cells that voxels do not fill (a room).
    """
    from omnidose.transport.cpu import cell_densities

    nx, ny, nz = (int(v) for v in macro.n_cell)
    materials = scene_materials(scene)
    density = np.zeros((nz, ny, nx, len(materials)), dtype=np.float32)
    if scene.voxels is not None:
        cell_densities(
            scene.voxels.material_index,
            scene.voxels.density_g_cm3,
            macro.offset_voxels,
            macro.voxels_per_cell,
            density,
        )
    if around is not None and scene.voxels is not None:
        first = macro.offset_voxels // macro.voxels_per_cell
        stop = (macro.offset_voxels + scene.voxels.grid.shape_zyx[::-1]) // macro.voxels_per_cell
        open_cells = np.ones((nz, ny, nx), dtype=bool)
        open_cells[first[2] : stop[2], first[1] : stop[1], first[0] : stop[0]] = False
        density[open_cells] = np.maximum(density[open_cells], around.astype(np.float32))
    density[..., -1] = np.maximum(density[..., -1], scene.world.density_g_cm3)
    shape_first, shape_list = _shapes_by_cell(scene.shapes, macro)
    owner = np.repeat(np.arange(nx * ny * nz), np.diff(shape_first))
    material = len(materials) - 1 - len(scene.shapes) + shape_list
    own_density = np.array([shape.material.density_g_cm3 for shape in scene.shapes], dtype=np.float32)
    density.reshape(-1, len(materials))[owner, material] = own_density[shape_list]
    floor = np.zeros((nz, ny, nx))
    for lower, upper, per_cm in floors:
        where = cells_touched(macro, lower, upper)
        floor[where] = np.maximum(floor[where], per_cm)
    factor = _best_factor(density, floor, mu_cm2_g[:, typical_probe], macro.cell_mm / 10)
    if factor > 1:
        macro = replace(
            macro,
            cell_mm=macro.cell_mm * factor,
            n_cell=-(-macro.n_cell // factor),
            voxels_per_cell=macro.voxels_per_cell * factor,
        )
        density = _coarsen(density, factor)
        floor = _coarsen(floor, factor)
        shape_first, shape_list = _shapes_by_cell(scene.shapes, macro)
    flat = density.reshape(-1, len(materials)).astype(np.float64)
    floor_flat = floor.reshape(-1)
    cell_class, n_class = _classify(flat, floor_flat, mu_cm2_g)
    class_density = np.zeros((n_class, len(materials)))
    np.maximum.at(class_density, cell_class, flat)
    class_floor = np.zeros(n_class)
    np.maximum.at(class_floor, cell_class, floor_flat)
    return Majorants(
        macro=macro,
        cell_class=cell_class.astype(np.uint8),
        class_density=class_density,
        class_floor_per_cm=class_floor,
        shape_first=shape_first,
        shape_list=shape_list,
    )


def _shapes_by_cell(
    shapes: Sequence[Shape], macro: MacroGrid
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return, for every cell, the shapes that a point in it may belong to, last (winning) first.

    A cell that lies wholly in a shape is closed to all earlier ones.
    """
    nx, ny, nz = (int(n) for n in macro.n_cell)
    closed = np.zeros((nz, ny, nx), dtype=bool)
    cells: list[npt.NDArray[np.intp]] = []
    members: list[npt.NDArray[np.int32]] = []
    for index in range(len(shapes) - 1, -1, -1):
        where = cells_touched(macro, *shape_bounds_mm(shapes[index]))
        k, j, i = np.nonzero(~closed[where])
        flat = ((k + where[0].start) * ny + j + where[1].start) * nx + i + where[2].start
        cells.append(flat)
        members.append(np.full(flat.size, index, dtype=np.int32))
        closed[where] |= _cells_inside(shapes[index], macro, where)
    all_cells = np.concatenate(cells) if cells else np.zeros(0, dtype=np.intp)
    order = np.argsort(all_cells, kind="stable")
    counts = np.bincount(all_cells, minlength=nx * ny * nz)
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    listed = np.concatenate(members)[order] if members else np.zeros(0, dtype=np.int32)
    return first, listed


def _cells_inside(shape: Shape, macro: MacroGrid, where: tuple[slice, slice, slice]) -> npt.NDArray[np.bool_]:
    """Return which of some cells [z, y, x] have all their corners in a shape (all are convex)."""
    axes = [
        macro.lower_mm[2 - a] + np.arange(where[a].start, where[a].stop + 1) * macro.cell_mm[2 - a]
        for a in range(3)
    ]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    corner = inside_shape(shape, np.stack([x, y, z], axis=-1).reshape(-1, 3)).reshape(x.shape)
    for axis in range(3):
        low, high = [slice(None)] * 3, [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        corner = corner[tuple(low)] & corner[tuple(high)]
    return corner


def _classify(density: ArrayF8, floor: ArrayF8, mu_cm2_g: ArrayF8) -> tuple[npt.NDArray[np.intp], int]:
    """Return the class of each cell and the number of classes, at most MAX_CLASSES."""
    bound = np.zeros((density.shape[0], mu_cm2_g.shape[1]))
    for m in range(density.shape[1]):
        bound = np.maximum(bound, density[:, m, None] * mu_cm2_g[m])
    bound = np.maximum(bound, floor[:, None])
    step = np.log(1.1)
    while True:
        key = np.ceil(np.log(np.maximum(bound, 1e-6)) / step).astype(np.int64)
        unique, inverse = np.unique(key, axis=0, return_inverse=True)
        if len(unique) <= MAX_CLASSES:
            return inverse.reshape(-1), len(unique)
        step *= 1.5


def _coarsen(values: npt.NDArray[Any], factor: int) -> npt.NDArray[Any]:
    """Return the largest value in cubes of ``factor`` cells, [z, y, x, ...]; the last cubes may be cut."""
    for axis in range(3):
        values = np.maximum.reduceat(values, np.arange(0, values.shape[axis], factor), axis=axis)
    return values


def _best_factor(
    density: npt.NDArray[np.float32], floor: ArrayF8, mu_cm2_g: ArrayF8, cell_cm: ArrayF8
) -> int:
    """Return how many cells along an edge should be one: few virtual collisions against few walls.

    An isotropic ray crosses (1/a + 1/b + 1/c) / 2 walls per length in cells of edges a, b, c.
    """
    bound = floor.copy()
    for m in range(density.shape[3]):
        bound = np.maximum(bound, density[..., m] * mu_cm2_g[m])
    walls_per_cm = 0.5 * float(np.sum(1 / cell_cm))
    best, cost_of_best = 1, np.inf
    for factor in FACTORS:
        coarse = _coarsen(bound, factor)
        cost = COLLISION_NS * float(coarse.mean()) + STEP_NS * walls_per_cm / factor
        if cost < cost_of_best:
            best, cost_of_best = factor, cost
        if max(coarse.shape) == 1:
            break
    return best
