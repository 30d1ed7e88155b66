"""``Problem``: a scene, a source and what is scored, compiled to the flat arrays that kernels read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError, RangeError
from omnidose.transport._records import Beam, Geometry, Importance, Method, Physics, Room
from omnidose.transport.geometry import Majorants, scene_materials
from omnidose.transport.outputs import Asked, region_volumes_cm3
from omnidose.transport.physics_tables import compile_physics
from omnidose.transport.room import all_voxels, nested_cells, regions_in_row, voxel_grids
from omnidose.transport.scene import Scene
from omnidose.transport.shapes import (
    mean_chord_cm,
    shape_bounds_mm,
    shape_kind,
    shape_sizes_cm,
    visible_volumes_cm3,
)
from omnidose.transport.source_tables import compile_source, source_bounds_mm, source_spectra
from omnidose.transport.sources import Source
from omnidose.transport.tally import Region
from omnidose.transport.voxels import PackedVoxels, pack_voxels

ArrayF8 = npt.NDArray[np.float64]

CUTOFF_KEV = 1.0
MAX_KEV = 20_000.0
#: Tentative collisions at least for each mean chord of a shape, and at most per cm: for gases and foils.
SEEN_SHARE = 0.1
MOST_SAMPLING_PER_CM = 1.0
#: How deposits are scored; see ``simulate``.
ESTIMATORS = ("expected", "analog", "traced")
TRACED = ESTIMATORS.index("traced")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """Everything that a batch of histories needs, wherever it runs.

    Batch b of a problem is the same numbers on any machine and any thread: its histories are counted from
    ``b * per_batch``, and every history has its own random stream.

    Attributes
    ----------
    keys, mass_g
        Names [n] and masses [n] of what is scored: shapes' keys first, then regions.
    voxel_shape
        (z, y, x) of the dose map, or None if none is wanted.
    room
        Macro cells around those of the geometry, or None.
    importance
        Photons that places want; None: one everywhere.
    asked
        Outputs besides.
    """

    keys: tuple[str, ...]
    mass_g: ArrayF8
    seed: int
    method: Method
    geometry: Geometry
    beam: Beam
    physics: Physics
    voxel_shape: tuple[int, int, int] | None
    room: Room | None = None
    importance: Importance | None = None
    asked: Asked = field(default_factory=Asked)

    @property
    def voxel_volume_cm3(self) -> float:
        """Volume of one voxel of the scene's grid."""
        return float(np.prod(1.0 / self.geometry.inv_voxel[0].astype(np.float64)))


def compile_problem(
    scene: Scene,
    source: Source,
    *,
    regions: Sequence[Region] = (),
    seed: int = 1,
    voxel_map: bool = False,
    sampling_per_cm: dict[str, float] | None = None,
    cutoff_kev: float = CUTOFF_KEV,
    estimator: str = "expected",
    asked: Asked | None = None,
) -> Problem:
    """Compile a scene and a source; parameters and errors as in ``omnidose.transport.engine.simulate``.

    ``asked``: outputs besides the energies of regions and the map.
    """
    asked = asked or Asked()
    if asked.voxel_error and not voxel_map:
        raise InputError("errors of voxels need the voxel map", where="voxel_error", todo="voxel_map=True")
    if regions and scene.voxels is None:
        raise InputError("regions are voxels, but the scene has no voxel grid", todo="use shapes")
    if voxel_map and scene.voxels is None:
        raise InputError("a voxel map needs a scene with a voxel grid")
    max_kev = max(s.max_kev for s in source_spectra(source))
    if not cutoff_kev < max_kev <= MAX_KEV or cutoff_kev < 1:
        raise RangeError(
            f"a source up to {max_kev:g} keV with a cut-off of {cutoff_kev:g} keV cannot be simulated",
            allowed="photons of 1 keV to 20 MeV, cut-off at least 1 keV",
        )
    if scene.room is not None and estimator == "traced":
        raise InputError("rays are not traced through a room", where="estimator", allowed="expected, analog")
    if estimator not in ESTIMATORS:
        raise InputError(f"there is no estimator '{estimator}'", allowed=", ".join(ESTIMATORS))
    media = [region.medium for region in regions]
    responses = [m for i, m in enumerate(media) if m is not None and m not in media[:i]]
    physics = compile_physics(scene_materials(scene), responses, max_kev, cutoff_kev)
    shape_keys = list(dict.fromkeys(shape.key for shape in scene.shapes))
    packed = pack_voxels(all_voxels(scene), regions_in_row(scene, regions), len(shape_keys))
    ordered = [regions[i] for i in packed.order]
    keys = (*shape_keys, *(region.key for region in ordered))
    if len(set(keys)) != len(keys):
        twice = sorted({k for k in keys if keys.count(k) > 1})
        raise InputError(f"two regions share a name: {', '.join(twice)}", todo="rename one of them")
    response_index = np.full(len(keys), -1, dtype=np.int32)
    for k, region in enumerate(ordered):
        if region.medium is not None:
            response_index[len(shape_keys) + k] = responses.index(region.medium)
    floors = _floors(scene, regions, sampling_per_cm or {})
    probe = np.linspace(0, physics.n_energy - 1, 12).astype(int)
    mean_kev = float(np.mean([s.mean_kev for s in source_spectra(source)]))
    nodes_kev = np.exp(physics.ln_energy_0 + probe / physics.inv_d_ln_energy)
    major, outer = nested_cells(
        scene,
        physics.rows[:, probe, 0].astype(np.float64),
        floors,
        typical_probe=int(np.argmin(np.abs(nodes_kev - mean_kev))),
    )
    return Problem(
        keys=keys,
        mass_g=_masses(scene, shape_keys, ordered),
        seed=seed,
        method=asked.method(ESTIMATORS.index(estimator), major.macro.lower_mm),
        geometry=_geometry(scene, source, major, outer, physics, packed, response_index),
        room=_room(outer, physics, major.macro.lower_mm, major.cell_class.size),
        beam=compile_source(source, major.macro.lower_mm),
        physics=physics,
        voxel_shape=scene.voxels.grid.shape_zyx if scene.voxels is not None and voxel_map else None,
        asked=replace(
            asked,
            origin_mm=major.macro.lower_mm,
            volume_cm3=region_volumes_cm3(scene, shape_keys, ordered) if asked.spectra is not None else None,
        ),
    )


def _masses(scene: Scene, shape_keys: Sequence[str], regions: Sequence[Region]) -> ArrayF8:
    """Return the mass of every scored region in g."""
    masses = dict.fromkeys(shape_keys, 0.0)
    for shape, volume in zip(scene.shapes, visible_volumes_cm3(scene.shapes), strict=True):
        masses[shape.key] += volume * shape.material.density_g_cm3
    out = list(masses.values())
    for region in regions:
        voxels = scene.room if region.grid == "room" else scene.voxels
        assert voxels is not None
        mass = voxels.density_g_cm3.ravel()[region.voxels].astype(np.float64)
        if region.weights is not None:
            mass = mass * region.weights
        out.append(float(mass.sum()) * voxels.grid.voxel_volume_cm3)
    return np.array(out)


def _floors(
    scene: Scene, regions: Sequence[Region], sampling_per_cm: dict[str, float]
) -> list[tuple[ArrayF8, ArrayF8, float]]:
    """Return the boxes in which tentative collisions must be dense."""
    known = {region.key for region in regions} | {shape.key for shape in scene.shapes}
    unknown = set(sampling_per_cm) - known
    if unknown:
        raise InputError(f"no region or shape called {sorted(unknown)}", where="sampling_per_cm")
    floors = []
    for shape in scene.shapes:
        # a gas would score once in thousands of crossings: few large deposits, whose error batches miss
        seen = min(SEEN_SHARE / mean_chord_cm(shape), MOST_SAMPLING_PER_CM)
        density = seen if shape.material.density_g_cm3 > 0 else 0.0
        floors.append((*shape_bounds_mm(shape), sampling_per_cm.get(shape.key, density)))
    for region in regions:
        voxels = scene.room if region.grid == "room" else scene.voxels
        if region.key in sampling_per_cm and region.voxels.size and voxels is not None:
            grid = voxels.grid
            k, j, i = np.unravel_index(region.voxels, grid.shape_zyx)
            spacing = np.asarray(grid.spacing_mm)
            low = grid.lower_mm + spacing * np.array([i.min(), j.min(), k.min()])
            high = grid.lower_mm + spacing * (np.array([i.max(), j.max(), k.max()]) + 1)
            floors.append((low, high, sampling_per_cm[region.key]))
    return floors


def _geometry(
    scene: Scene,
    source: Source,
    major: Majorants,
    outer: Majorants | None,
    physics: Physics,
    packed: PackedVoxels,
    response_index: npt.NDArray[np.int32],
) -> Geometry:
    """Assemble the flat record that the kernels read (lengths in cm from the macro corner)."""
    macro = major.macro
    origin = macro.lower_mm
    n_shapes = len(scene.shapes)
    keys = list(dict.fromkeys(shape.key for shape in scene.shapes))
    materials = scene_materials(scene)
    first_shape = len(materials) - 1 - n_shapes
    grids = [voxels.grid for voxels in voxel_grids(scene)]
    source_lower, source_upper = source_bounds_mm(source)
    corners = [m.macro.lower_mm for m in (major, outer) if m is not None]
    ends = [m.macro.lower_mm + m.macro.n_cell * m.macro.cell_mm for m in (major, outer) if m is not None]
    world_lower = np.min([*corners, source_lower], axis=0) - scene.world_margin_mm
    world_upper = np.max([*ends, source_upper], axis=0) + scene.world_margin_mm
    shape_first, shape_list = major.shape_first, major.shape_list
    if outer is not None:
        shape_first = np.concatenate([shape_first[:-1], outer.shape_first + np.int32(shape_list.size)])
        shape_list = np.concatenate([shape_list, outer.shape_list])
    return Geometry(
        cell_cm=_three(macro.cell_mm / 10, np.float32),
        inv_cell=_three(10 / macro.cell_mm, np.float32),
        n_cell=_three(macro.n_cell, np.int32),
        cell_class=major.cell_class,
        cell_shape_first=shape_first,
        cell_shape_list=shape_list if shape_list.size else np.zeros(1, dtype=np.int32),
        majorant=_bound_per_cm(major, physics),
        voxel_lower=_rows([(grid.lower_mm - origin) / 10 for grid in grids], np.float32),
        inv_voxel=_rows([10 / np.asarray(grid.spacing_mm) for grid in grids], np.float32),
        n_voxel=_rows([grid.shape_zyx[::-1] for grid in grids], np.int32),
        word=packed.word,
        kind_step=packed.kind_step,
        kind_material=packed.kind_material,
        kind_first=packed.kind_first,
        kind_region=packed.kind_region,
        kind_weight=packed.kind_weight,
        weights=packed.weights,
        region_response=response_index if response_index.size else np.full(1, -1, dtype=np.int32),
        shape_kind=np.array([shape_kind(shape) for shape in scene.shapes], dtype=np.int32),
        shape_region=np.array([keys.index(s.key) for s in scene.shapes], dtype=np.int32),
        shape_material=np.arange(first_shape, first_shape + n_shapes, dtype=np.int32),
        shape_density=np.array([s.material.density_g_cm3 for s in scene.shapes], dtype=np.float32),
        shape_size=shape_sizes_cm(scene.shapes, origin).astype(np.float32),
        world_lower=_three((world_lower - origin) / 10, np.float32),
        world_upper=_three((world_upper - origin) / 10, np.float32),
        world_material=len(materials) - 1,
        world_density=np.float32(scene.world.density_g_cm3),
    )


def _three(values: npt.ArrayLike, kind: type[Any]) -> tuple[Any, Any, Any]:
    """Return three numbers as a tuple: kernels get them by value, not by an address."""
    x, y, z = np.asarray(values, dtype=kind)
    return x, y, z


def _bound_per_cm(major: Majorants, physics: Physics) -> npt.NDArray[np.float32]:
    """Return the majorants [n_energy, n_class]."""
    mu = physics.rows[:, :, 0].astype(np.float64)
    upper = np.maximum(mu, np.roll(mu, -1, axis=1))
    bound = np.max(major.class_density[:, :, None] * upper[None], axis=1)
    bound = np.maximum(bound, major.class_floor_per_cm[:, None]) * (1 + 1e-5)
    bound = np.maximum(bound, 1e-9)  # a vacuum cell still needs a finite free path
    return np.ascontiguousarray(bound.T, dtype=np.float32)


def _room(outer: Majorants | None, physics: Physics, origin_mm: ArrayF8, first_cell: int) -> Room | None:
    """Return the macro cells of a room, if there is one."""
    if outer is None:
        return None
    macro = outer.macro
    return Room(
        cell_lower=((macro.lower_mm - origin_mm) / 10).astype(np.float32),
        cell_cm=(macro.cell_mm / 10).astype(np.float32),
        inv_cell=(10 / macro.cell_mm).astype(np.float32),
        n_cell=macro.n_cell.astype(np.int32),
        cell_class=outer.cell_class,
        majorant=_bound_per_cm(outer, physics),
        first_cell=first_cell,
    )


def _rows(vectors: Sequence[npt.ArrayLike], dtype: type[Any]) -> npt.NDArray[Any]:
    """Return vectors as rows; one of zeros if there are none."""
    return np.array(vectors or [np.zeros(3)], dtype=dtype)
