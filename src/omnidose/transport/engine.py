"""``simulate(scene, source) -> Tally``: photon Monte Carlo with honest errors."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError, RangeError
from omnidose.transport._records import Geometry, Physics
from omnidose.transport.geometry import (
    MacroGrid,
    Majorants,
    macro_grid,
    majorants,
    pack_layers,
    scene_materials,
    shape_bounds_mm,
    visible_volumes_cm3,
)
from omnidose.transport.physics_tables import compile_physics
from omnidose.transport.scene import Box, Cylinder, Scene, Sphere
from omnidose.transport.source_tables import compile_source, source_bounds_mm, source_spectra
from omnidose.transport.sources import Source
from omnidose.transport.tally import Region, Tally

ArrayF8 = npt.NDArray[np.float64]

#: Batches of a run with a fixed number of histories.
BATCHES = 40
#: Histories per batch when the run stops at a precision.
BATCH_HISTORIES = 20_000
#: A run that stops at a precision stops here at the latest.
MAX_HISTORIES = 2_000_000_000
CUTOFF_KEV = 1.0
#: Stored value of one count in the voxel map: keV/(g/cm3) per count.
VOXEL_COUNT = 2.0**-20


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    fraction
        Share of the work done, 0 to 1 (an estimate when the run stops at a precision).
    seconds_left_s
        Estimated time to the end; NaN in the first moments.
    """

    histories: int
    fraction: float
    seconds_left_s: float
    text: str = ""


ProgressCallback = Callable[[Progress], None]


def simulate(
    scene: Scene,
    source: Source,
    *,
    regions: Sequence[Region] = (),
    histories: float | None = None,
    precision: float | None = None,
    precision_keys: Sequence[str] | None = None,
    max_histories: float = MAX_HISTORIES,
    min_histories: float = 0,
    seed: int = 1,
    voxel_map: bool = False,
    sampling_per_cm: dict[str, float] | None = None,
    cutoff_kev: float = CUTOFF_KEV,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Tally:
    """Run photon histories through a scene.

    Parameters
    ----------
    regions
        What to score besides the scene's shapes (which always score under their keys).
    histories
        Number of photons (rounded up to whole batches). Exactly one of ``histories`` and
        ``precision`` is given.
    precision
        Relative standard error at which to stop, for all ``precision_keys`` (default: all regions
        and shapes). The error must stay below it over two looks in a row, the second with 1.5 times
        the histories of the first, so that a lucky estimate does not end the run.
    max_histories, min_histories
        A run to a precision does not stop before the second and stops at the first.
    seed
        Same seed, same bits, whatever the number of threads.
    voxel_map
        Also keep the dose in every voxel.
    sampling_per_cm
        Region or shape key -> least number of tentative collisions per cm in and next to it: more
        scores, at some cost, in small or thin regions. Unbiased.
    cutoff_kev
        Photons below are absorbed where they are.
    threads
        Default: all cores (``NUMBA_NUM_THREADS``).
    progress
        Called about twice per second. May raise to stop the run.

    Returns
    -------
    Tally

    Raises
    ------
    InputError, RangeError, GeometryError
        If something in the input cannot be simulated, with the reason.
    """
    if (histories is None) == (precision is None):
        raise InputError("give either histories or precision", todo="for example histories=1e6")
    job = Job(
        scene,
        source,
        regions=regions,
        seed=seed,
        voxel_map=voxel_map,
        sampling_per_cm=sampling_per_cm,
        cutoff_kev=cutoff_kev,
        threads=threads,
    )
    if histories is not None:
        if histories < BATCHES:
            raise InputError(f"{histories:g} histories are too few", allowed=f"at least {BATCHES}")
        job.run_fixed(int(histories), progress)
    else:
        assert precision is not None
        if not 0 < precision < 1:
            raise InputError(f"precision {precision:g} is no relative error", allowed="between 0 and 1")
        job.run_to_precision(precision, precision_keys, int(max_histories), progress, int(min_histories))
    return job.tally()


class Job:
    """Everything compiled for one run, and the batches collected so far."""

    def __init__(
        self,
        scene: Scene,
        source: Source,
        *,
        regions: Sequence[Region] = (),
        seed: int = 1,
        voxel_map: bool = False,
        sampling_per_cm: dict[str, float] | None = None,
        cutoff_kev: float = CUTOFF_KEV,
        threads: int | None = None,
    ) -> None:
        if regions and scene.voxels is None:
            raise InputError("regions are voxels, but the scene has no voxel grid", todo="use shapes")
        if voxel_map and scene.voxels is None:
            raise InputError("a voxel map needs a scene with a voxel grid")
        self.seed = seed
        max_kev = max(s.max_kev for s in source_spectra(source))
        if not cutoff_kev < max_kev <= 20_000 or cutoff_kev < 1:
            raise RangeError(
                f"a source up to {max_kev:g} keV with a cut-off of {cutoff_kev:g} keV cannot be simulated",
                allowed="photons of 1 keV to 20 MeV, cut-off at least 1 keV",
            )
        macro = macro_grid(scene)
        self.macro = macro
        media = [region.medium for region in regions]
        responses = [m for i, m in enumerate(media) if m is not None and m not in media[:i]]
        self.materials = scene_materials(scene)
        self.physics: Physics = compile_physics(self.materials, responses, max_kev, cutoff_kev)
        shape_keys = list(dict.fromkeys(shape.key for shape in scene.shapes))
        n_voxels = scene.voxels.grid.voxel_count if scene.voxels is not None else 0
        layers = pack_layers(regions, n_voxels, len(shape_keys))
        ordered = [regions[i] for i in layers.order]
        self.keys = (*shape_keys, *(region.key for region in ordered))
        if len(set(self.keys)) != len(self.keys):
            twice = sorted({k for k in self.keys if self.keys.count(k) > 1})
            raise InputError(f"two regions share a name: {', '.join(twice)}", todo="rename one of them")
        self.mass_g = _masses(scene, shape_keys, ordered)
        response_index = np.full(len(self.keys), -1, dtype=np.int32)
        for k, region in enumerate(ordered):
            if region.medium is not None:
                response_index[len(shape_keys) + k] = responses.index(region.medium)
        floors = _floors(scene, regions, sampling_per_cm or {})
        probe = np.linspace(0, self.physics.n_energy - 1, 12).astype(int)
        major = majorants(scene, macro, self.physics.rows[:, probe, 0].astype(np.float64), floors)
        self.geometry = _geometry(scene, source, macro, major, self.physics, layers, response_index)
        self.beam = compile_source(source, macro.lower_mm)
        self.voxel_shape = scene.voxels.grid.shape_zyx if scene.voxels is not None else None
        self.energies: list[ArrayF8] = []
        self.primaries: list[ArrayF8] = []
        self.analog: list[ArrayF8] = []
        self.per_batch = 0
        self.n_done = 0
        from omnidose.transport import _jit

        self._run = _jit.run_batches
        wanted = threads or int(os.environ.get("NUMBA_NUM_THREADS", "0")) or os.cpu_count() or 1
        import numba

        self.threads = max(1, min(wanted, numba.config.NUMBA_NUM_THREADS))
        numba.set_num_threads(self.threads)
        cells = n_voxels if voxel_map else 0
        self.voxels = np.zeros((numba.config.NUMBA_NUM_THREADS, cells), dtype=np.int64)

    def run(self, n_batches: int) -> None:
        """Run the next ``n_batches`` batches."""
        n = len(self.keys)
        energies = np.zeros((n_batches, n))
        primaries = np.zeros((n_batches, n))
        analog = np.zeros((n_batches, 6))
        self._run(
            self.n_done,
            n_batches,
            self.per_batch,
            np.uint64(self.seed),
            self.beam,
            self.geometry,
            self.physics,
            energies,
            primaries,
            analog,
            self.voxels,
        )
        self.n_done += n_batches
        self.energies.append(energies / self.per_batch)
        self.primaries.append(primaries / self.per_batch)
        self.analog.append(analog / self.per_batch)

    def run_fixed(self, histories: int, progress: ProgressCallback | None) -> None:
        """Run a fixed number of histories in BATCHES batches."""
        self.per_batch = math.ceil(histories / BATCHES)
        self._run_until(BATCHES, progress)

    def _run_until(
        self, n_batches: int, progress: ProgressCallback | None, total: float | None = None
    ) -> None:
        start, begun_with = time.perf_counter(), self.n_done
        group = self.threads
        while self.n_done < n_batches:
            tick = time.perf_counter()
            self.run(min(group, n_batches - self.n_done))
            now = time.perf_counter()
            if now - tick < 0.25:  # fewer calls when batches are short; results do not depend on it
                group = min(4 * group, 64)
            if progress is not None:
                goal = total or n_batches
                rate = (self.n_done - begun_with) / (now - start)
                left = max(goal - self.n_done, 0) / rate if rate > 0 else math.nan
                progress(
                    Progress(
                        histories=self.n_done * self.per_batch,
                        fraction=min(self.n_done / goal, 1.0),
                        seconds_left_s=left,
                    )
                )

    def run_to_precision(
        self,
        precision: float,
        keys: Sequence[str] | None,
        max_histories: int,
        progress: ProgressCallback | None,
        min_histories: int = 0,
    ) -> None:
        """Run until the error of every key stays below ``precision`` over two looks."""
        self.per_batch = BATCH_HISTORIES
        wanted = list(keys) if keys is not None else list(self.keys)
        unknown = [k for k in wanted if k not in self.keys]
        if unknown or not wanted:
            raise InputError(f"no region called {unknown}", allowed=", ".join(self.keys))
        columns = [self.keys.index(k) for k in wanted]
        limit = max(BATCHES, math.ceil(max_histories / self.per_batch))
        least = min(max(BATCHES, math.ceil(min_histories / self.per_batch)), limit)
        goal, met, need = least, False, float(least)
        while True:
            self._run_until(min(goal, limit), progress, max(need, goal))
            batches = np.concatenate(self.energies)[:, columns]
            mean = batches.mean(axis=0)
            std = batches.std(axis=0, ddof=1) / math.sqrt(self.n_done)
            worst = float(np.max(np.where(mean > 0, std / np.where(mean > 0, mean, 1), np.inf)))
            if worst <= precision and met:
                return
            if self.n_done >= limit:
                return
            met = worst <= precision
            need = self.n_done * (1.5 if met or not math.isfinite(worst) else 1.5 * (worst / precision) ** 2)
            goal = math.ceil(self.n_done * 1.5) if met else math.ceil(min(need / 1.5 * 1.05, 8 * self.n_done))
            goal = max(goal, self.n_done + self.threads)

    def tally(self) -> Tally:
        """Collect the batches, in order, into a tally."""
        analog = np.concatenate(self.analog)
        histories = self.n_done * self.per_batch
        voxel = None
        if self.voxels.shape[1]:
            assert self.voxel_shape is not None
            total = self.voxels.sum(axis=0, dtype=np.int64).reshape(self.voxel_shape)
            assert self._voxel_volume_cm3 is not None
            voxel = (total * (VOXEL_COUNT / histories / self._voxel_volume_cm3)).astype(np.float32)
        sums = analog.sum(axis=0) * self.per_batch
        return Tally(
            keys=self.keys,
            mass_g=self.mass_g,
            histories=histories,
            batch_energy_kev=np.concatenate(self.energies),
            batch_primary_kev=np.concatenate(self.primaries),
            batch_analog_kev=analog[:, :4],
            voxel_dose_kev_g=voxel,
            seed=self.seed,
            counters={"tentative": float(sums[4]), "collisions": float(sums[5])},
        )

    @property
    def _voxel_volume_cm3(self) -> float | None:
        if self.voxel_shape is None:
            return None
        cell = 1.0 / self.geometry.inv_voxel.astype(np.float64)
        return float(np.prod(cell))


def _masses(scene: Scene, shape_keys: Sequence[str], regions: Sequence[Region]) -> ArrayF8:
    """Return the mass of every scored region in g."""
    masses = dict.fromkeys(shape_keys, 0.0)
    for shape, volume in zip(scene.shapes, visible_volumes_cm3(scene.shapes), strict=True):
        masses[shape.key] += volume * shape.material.density_g_cm3
    out = list(masses.values())
    if scene.voxels is not None:
        density = scene.voxels.density_g_cm3.ravel()
        volume = scene.voxels.grid.voxel_volume_cm3
        for region in regions:
            mass = density[region.voxels].astype(np.float64)
            if region.weights is not None:
                mass = mass * region.weights
            out.append(float(mass.sum()) * volume)
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
        if shape.key in sampling_per_cm:
            floors.append((*shape_bounds_mm(shape), sampling_per_cm[shape.key]))
    if scene.voxels is not None:
        grid = scene.voxels.grid
        nz, ny, nx = grid.shape_zyx
        for region in regions:
            if region.key in sampling_per_cm and region.voxels.size:
                k, j, i = np.unravel_index(region.voxels, (nz, ny, nx))
                spacing = np.asarray(grid.spacing_mm)
                low = grid.lower_mm + spacing * np.array([i.min(), j.min(), k.min()])
                high = grid.lower_mm + spacing * (np.array([i.max(), j.max(), k.max()]) + 1)
                floors.append((low, high, sampling_per_cm[region.key]))
    return floors


def _geometry(
    scene: Scene,
    source: Source,
    macro: MacroGrid,
    major: Majorants,
    physics: Physics,
    layers: Any,
    response_index: npt.NDArray[np.int32],
) -> Geometry:
    """Assemble the flat record that the kernels read (lengths in cm from the macro corner)."""
    origin = macro.lower_mm
    mu = physics.rows[:, :, 0].astype(np.float64)
    upper = np.maximum(mu, np.roll(mu, -1, axis=1))
    bound = np.max(major.class_density[:, :, None] * upper[None], axis=1)
    bound = np.maximum(bound, major.class_floor_per_cm[:, None]) * (1 + 1e-5)
    bound = np.maximum(bound, 1e-9)  # a vacuum cell still needs a finite free path
    n_shapes = len(scene.shapes)
    size = np.zeros((n_shapes, 6))
    for k, shape in enumerate(scene.shapes):
        if isinstance(shape, Box):
            size[k] = np.concatenate(
                [np.subtract(shape.lower_mm, origin), np.subtract(shape.upper_mm, origin)]
            )
        else:
            size[k, :3] = np.subtract(shape.centre_mm, origin)
            size[k, 3] = shape.radius_mm
            size[k, 4] = shape.length_mm / 2 if isinstance(shape, Cylinder) else shape.radius_mm
    keys = list(dict.fromkeys(shape.key for shape in scene.shapes))
    materials = scene_materials(scene)
    first_shape = len(materials) - 1 - n_shapes
    if scene.voxels is not None:
        grid = scene.voxels.grid
        n_voxel = np.array(grid.shape_zyx[::-1])
        voxel_lower = (grid.lower_mm - origin) / 10
        inv_voxel = 10 / np.asarray(grid.spacing_mm)
        material = np.ascontiguousarray(scene.voxels.material_index, dtype=np.uint8).ravel()
        density = np.ascontiguousarray(scene.voxels.density_g_cm3, dtype=np.float32).ravel()
    else:
        n_voxel, voxel_lower, inv_voxel = np.zeros(3), np.zeros(3), np.ones(3)
        material, density = np.zeros(1, dtype=np.uint8), np.zeros(1, dtype=np.float32)
    source_lower, source_upper = source_bounds_mm(source)
    macro_upper = origin + macro.n_cell * macro.cell_mm
    world_lower = np.minimum(origin, source_lower) - scene.world_margin_mm
    world_upper = np.maximum(macro_upper, source_upper) + scene.world_margin_mm
    return Geometry(
        cell_cm=(macro.cell_mm / 10).astype(np.float32),
        inv_cell=(10 / macro.cell_mm).astype(np.float32),
        n_cell=macro.n_cell.astype(np.int32),
        cell_class=major.cell_class,
        cell_shape_first=major.shape_first,
        cell_shape_list=major.shape_list if major.shape_list.size else np.zeros(1, dtype=np.int32),
        majorant=bound.astype(np.float32),
        voxel_lower=voxel_lower.astype(np.float32),
        inv_voxel=inv_voxel.astype(np.float32),
        n_voxel=n_voxel.astype(np.int32),
        material=material,
        density=density,
        layers=layers.labels,
        layer_base=layers.base,
        layer_weight=layers.weight_column,
        weights=layers.weights,
        region_response=response_index if response_index.size else np.full(1, -1, dtype=np.int32),
        shape_kind=np.array([(Box, Cylinder, Sphere).index(type(s)) for s in scene.shapes], dtype=np.int32),
        shape_axis=np.array([getattr(s, "axis", 2) for s in scene.shapes], dtype=np.int32),
        shape_region=np.array([keys.index(s.key) for s in scene.shapes], dtype=np.int32),
        shape_material=np.arange(first_shape, first_shape + n_shapes, dtype=np.int32),
        shape_density=np.array([s.material.density_g_cm3 for s in scene.shapes], dtype=np.float32),
        shape_size=(size / 10).astype(np.float32),
        world_lower=((world_lower - origin) / 10).astype(np.float32),
        world_upper=((world_upper - origin) / 10).astype(np.float32),
        world_material=len(materials) - 1,
        world_density=np.float32(scene.world.density_g_cm3),
    )
