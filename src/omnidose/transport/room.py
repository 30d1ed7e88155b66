"""Two grids of voxels in one scene: a fine body inside a coarser room, each with macro cells of its own.

The kernels see one list of voxels, the body's first. Macro cells of 8 mm would be tens of millions in a room:
it has its own, larger ones; see ``kernels/room.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.errors import GeometryError
from omnidose.transport.geometry import MacroGrid, Majorants, macro_grid, majorants
from omnidose.transport.scene import Scene, Shape, VoxelGrid
from omnidose.transport.shapes import shape_bounds_mm
from omnidose.transport.tally import Region
from omnidose.volume import Grid

ArrayF8 = npt.NDArray[np.float64]

#: Shapes that reach farther from the body than this do not enlarge its own macro grid if there is a room.
NEAR_MM = 300.0


def voxel_grids(scene: Scene) -> tuple[VoxelGrid, ...]:
    """Return the grids of a scene, the one that wins first."""
    return tuple(grid for grid in (scene.voxels, scene.room) if grid is not None)


def all_voxels(scene: Scene) -> VoxelGrid | None:
    """Return the voxels of body and room in one row, with the materials' numbers of the whole scene."""
    if scene.voxels is None or scene.room is None:
        return scene.voxels
    body, room = scene.voxels, _renumbered(scene)
    count = body.grid.voxel_count + room.grid.voxel_count
    return VoxelGrid(
        grid=Grid(shape_zyx=(1, 1, count), spacing_mm=(1.0, 1.0, 1.0), origin_mm=(0.0, 0.0, 0.0)),
        materials=room.materials,
        material_index=_in_a_row(body.material_index, room.material_index),
        density_g_cm3=_in_a_row(body.density_g_cm3, room.density_g_cm3),
    )


def regions_in_row(scene: Scene, regions: Sequence[Region]) -> list[Region]:
    """Return the regions with indices into :func:`all_voxels`.

    Raises
    ------
    GeometryError
        If a region names a room that is not there or voxels outside its grid.
    """
    out = []
    for region in regions:
        grid = scene.room if region.grid == "room" else scene.voxels
        if grid is None:
            raise GeometryError(f"region '{region.key}' lies in the {region.grid}, which the scene has not")
        count = grid.grid.voxel_count
        if region.voxels.size and not 0 <= int(region.voxels.min()) <= int(region.voxels.max()) < count:
            raise GeometryError(f"region '{region.key}' names voxels outside the grid of {count}")
        if region.grid == "room" and scene.voxels is not None:
            region = replace(region, voxels=region.voxels + scene.voxels.grid.voxel_count)
        out.append(region)
    return out


def scene_bounds_mm(scene: Scene) -> tuple[ArrayF8, ArrayF8]:
    """Return the corners of the box that holds voxels, room and shapes."""
    boxes = [shape_bounds_mm(shape) for shape in scene.shapes]
    boxes += [(grid.grid.lower_mm, grid.grid.upper_mm) for grid in voxel_grids(scene)]
    return np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)


def nested_cells(
    scene: Scene,
    mu_cm2_g: ArrayF8,
    floors: Sequence[tuple[ArrayF8, ArrayF8, float]],
    typical_probe: int,
) -> tuple[Majorants, Majorants | None]:
    """Lay macro cells over body and room (None without one); parameters as in :func:`majorants`."""
    if scene.voxels is None or scene.room is None:
        return majorants(scene, macro_grid(scene), mu_cm2_g, floors, typical_probe), None
    room = _renumbered(scene)
    body = replace(scene, voxels=replace(scene.voxels, materials=room.materials), room=None)
    inner = macro_grid(replace(body, shapes=_near(scene.voxels, scene.shapes)))
    around = np.zeros(mu_cm2_g.shape[0])
    overlap = _overlap(room, inner)
    for m in np.unique(room.material_index[overlap]):
        own = room.material_index[overlap] == m
        around[m] = float(room.density_g_cm3[overlap][own].max())
    outside = replace(scene, voxels=room, room=None)
    return (
        majorants(body, inner, mu_cm2_g, floors, typical_probe, around),
        majorants(outside, macro_grid(outside), mu_cm2_g, floors, typical_probe),
    )


def _renumbered(scene: Scene) -> VoxelGrid:
    """Return the room with the materials of body and room, in the scene's numbering."""
    assert scene.voxels is not None
    assert scene.room is not None
    offset = len(scene.voxels.materials)
    return replace(
        scene.room,
        materials=(*scene.voxels.materials, *scene.room.materials),
        material_index=(scene.room.material_index + np.uint8(offset)).astype(np.uint8),
    )


def _in_a_row(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate([first.ravel(), second.ravel()])[None, None]


def _near(voxels: VoxelGrid, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    lower, upper = voxels.grid.lower_mm - NEAR_MM, voxels.grid.upper_mm + NEAR_MM
    bounds = [(shape, *shape_bounds_mm(shape)) for shape in shapes]
    return tuple(shape for shape, low, high in bounds if np.all(low >= lower) and np.all(high <= upper))


def _overlap(room: VoxelGrid, macro: MacroGrid) -> tuple[slice, slice, slice]:
    """Return the (z, y, x) slices of the room's voxels that may touch a macro grid."""
    spacing, n = np.asarray(room.grid.spacing_mm), np.asarray(room.grid.shape_zyx[::-1])
    lower = (macro.lower_mm - room.grid.lower_mm) / spacing
    upper = lower + macro.n_cell * macro.cell_mm / spacing
    first = np.clip(np.floor(lower - 1e-6).astype(int), 0, n)
    stop = np.clip(np.ceil(upper + 1e-6).astype(int), first, n)
    return slice(first[2], stop[2]), slice(first[1], stop[1]), slice(first[0], stop[0])
