"""``simulate_electrons(scene, source) -> ElectronTally``: electrons in voxels, with honest errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.errors import GeometryError, InputError, RangeError
from omnidose.physics.electron_stopping import energy_of_range_kev
from omnidose.physics.material_library import material
from omnidose.physics.spectra import Spectrum
from omnidose.transport.electrons._records import ElectronGeometry
from omnidose.transport.electrons.sources import ElectronSource, compile_beam
from omnidose.transport.electrons.tables import ELASTIC_SHARE, LOSS_SHARE, build_physics
from omnidose.transport.electrons.tally import ElectronTally
from omnidose.transport.room import regions_in_row
from omnidose.transport.scene import Scene, VoxelGrid
from omnidose.transport.tally import Region
from omnidose.transport.threads import share_out, thread_count
from omnidose.transport.validity import check_seed

ArrayF8 = npt.NDArray[np.float64]

#: Batches of a run: the standard errors from their spread are good to 11 % (1/sqrt(2 x 39)).
BATCHES = 40
MAX_ENERGY_KEV = 20_000.0
#: Bins of the bremsstrahlung spectrum per unit of ln E (as in the kernel), and their number.
_PHOTON_BINS_PER_LN, _PHOTON_BINS = 20, 240
_COUNTS_PER_KEV = 2.0**20
_COUNTERS = ("steps", "events", "escaped")


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectronOptions:
    """Fineness of an electron simulation; None means chosen from the voxels.

    Attributes
    ----------
    absorb_kev
        Electrons below stay where they are. Default: a range of 1 % of the smallest voxel side at the
        lowest density (above vacuum), at least 1 and at most 20 keV.
    knock_on_cut_kev
        Electrons set free with more are followed. Default: a range of 2 % of the smallest voxel side in
        water, at most 50 keV and 5 % of the largest energy (so that straggling is right).
    photon_cut_kev
        Bremsstrahlung photons above are single events.
    step_mm
        Longest step, at the density that belongs to the material. Default: 30 % of the smallest voxel side.
    elastic_rel, loss_rel
        Largest part of the transport mean free path, and of the energy, in one step.
    """

    absorb_kev: float | None = None
    knock_on_cut_kev: float | None = None
    photon_cut_kev: float = 10.0
    step_mm: float | None = None
    elastic_rel: float = ELASTIC_SHARE
    loss_rel: float = LOSS_SHARE


def simulate_electrons(
    scene: Scene | VoxelGrid,
    source: ElectronSource,
    *,
    regions: Sequence[Region] = (),
    histories: float = 100_000,
    seed: int = 1,
    voxel_map: bool = True,
    voxel_std: bool = False,
    photons: bool = False,
    stops: bool = False,
    options: ElectronOptions | None = None,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> ElectronTally:
    """Run electrons through voxels until they rest or leave the grid.

    Parameters
    ----------
    scene
        A voxel grid, or a scene with one and without shapes and room. Outside the grid electrons escape.
    regions
        What to score besides the map; their ``medium`` must be None.
    histories
        Number of emitted electrons (rounded up to whole batches).
    voxel_std
        Also the standard error of the map, from the batches.
    photons
        Also where bremsstrahlung is set free and its spectrum (costs time: electrons are then followed
        to the photon cut-off). Its energy is counted in either case.
    stops
        Also where the emitted electrons come to rest.
    threads
        Default: all cores (``NUMBA_NUM_THREADS``). Same seed, same bits, for any number.
    progress
        Called with the share done after each group of batches. May raise to stop the run.

    Raises
    ------
    InputError, RangeError, GeometryError
        If something in the input cannot be simulated, with the reason.
    """
    voxels = _voxels_of(scene)
    if voxel_std and not voxel_map:
        raise InputError("the error of a voxel map needs the map", todo="set voxel_map=True")
    check_run(histories, seed)
    max_kev = source.spectrum.max_kev
    if not 1.0 <= max_kev <= MAX_ENERGY_KEV:
        raise RangeError(
            f"a source of electrons up to {max_kev:g} keV cannot be simulated", allowed="1 keV to 20 MeV"
        )
    beam = compile_beam(source, voxels.grid)
    geometry, masses = _geometry(voxels, regions)
    chosen = options or ElectronOptions()
    absorb, knock_on, step = _fineness(voxels, max_kev, chosen)
    physics = build_physics(
        voxels.materials,
        max_kev,
        absorb_kev=absorb,
        knock_on_cut_kev=knock_on,
        photon_cut_kev=chosen.photon_cut_kev,
        step_g_cm2=step,
        reject_below_kev=chosen.photon_cut_kev if photons else math.inf,
        elastic_rel=chosen.elastic_rel,
        loss_rel=chosen.loss_rel,
    )
    from omnidose.transport.electrons._tracking import run_batch

    group = min(thread_count(threads), BATCHES)
    per_batch = math.ceil(histories / BATCHES)
    sums = _Sums(voxels.grid.voxel_count, group, len(regions), voxel_map, voxel_std, photons, stops)

    def run_group(first: int, n: int) -> None:
        # a slot for each batch, not for each thread: `end` adds them in the order of the batches
        def work(slot: int, _thread: int) -> None:
            batch = first + slot
            run_batch(
                batch, per_batch, np.uint64(seed), beam, geometry, physics,
                sums.regions[batch], sums.balance[batch], sums.photons[batch],
                sums.dose[slot], sums.glow[slot], sums.stops[slot],
            )  # fmt: skip

        share_out(n, group, work)

    for first in range(0, BATCHES, group):
        n = min(group, BATCHES - first)
        sums.begin()
        run_group(first, n)
        sums.end(n)
        if progress is not None:
            progress((first + n) / BATCHES)
    return _tally(sums, voxels, regions, masses, per_batch, seed, chosen.photon_cut_kev)


def check_run(histories: float, seed: int) -> None:
    """Refuse numbers of histories and seeds that cannot be run."""
    if not (math.isfinite(histories) and histories >= BATCHES):
        raise InputError(f"{histories:g} histories are too few", allowed=f"at least {BATCHES}, finite")
    check_seed(seed)


class _Sums:
    """Arrays that the kernels add to; maps hold one slot per batch of a group (integers: in any order)."""

    def __init__(
        self, n_voxels: int, slots: int, n_regions: int, dose: bool, std: bool, photons: bool, stops: bool
    ) -> None:
        self.regions = np.zeros((BATCHES, n_regions))
        self.balance = np.zeros((BATCHES, 7))
        self.photons = np.zeros((BATCHES, _PHOTON_BINS if photons else 0))
        self.dose = np.zeros((slots, n_voxels if dose else 0), dtype=np.int64)
        self.glow = np.zeros((slots, n_voxels if photons else 0), dtype=np.int64)
        self.stops = np.zeros((slots, n_voxels if stops else 0), dtype=np.int64)
        self.total = np.zeros(n_voxels if std else 0, dtype=np.int64)
        self.square = np.zeros(n_voxels if std else 0)

    def begin(self) -> None:
        """Empty the map before a group of batches whose spread is wanted."""
        if self.total.size:
            self.dose[:] = 0

    def end(self, n: int) -> None:
        """Add the batches of a group, in order, to the sums that give the spread."""
        if self.total.size:
            for slot in range(n):
                self.total += self.dose[slot]
                self.square += (self.dose[slot] / _COUNTS_PER_KEV) ** 2


def _voxels_of(scene: Scene | VoxelGrid) -> VoxelGrid:
    voxels = scene if isinstance(scene, VoxelGrid) else scene.voxels
    if voxels is None or (isinstance(scene, Scene) and (scene.shapes or scene.room is not None)):
        raise GeometryError(
            "electrons are followed in voxels only, and the scene has shapes, a room or no voxels",
            todo="write the shapes into the voxel grid, leave the room out",
        )
    return voxels


def _fineness(voxels: VoxelGrid, max_kev: float, options: ElectronOptions) -> tuple[float, float, ArrayF8]:
    side_cm = min(voxels.grid.spacing_mm) / 10
    water = material("water")
    density = voxels.density_g_cm3[voxels.density_g_cm3 > 1e-5]
    lowest = float(density.min()) if density.size else 1.0
    absorb, knock_on = options.absorb_kev, options.knock_on_cut_kev
    if absorb is None:
        absorb = min(energy_of_range_kev(water, 0.01 * side_cm * lowest), 20.0)
    if knock_on is None:
        knock_on = max(min(energy_of_range_kev(water, 0.02 * side_cm), 50.0, 0.05 * max_kev), 1.0)
    cuts = (absorb, knock_on, options.photon_cut_kev)
    if not all(math.isfinite(c) and c >= 1 for c in cuts) or not 0 < options.loss_rel <= 0.2:
        raise InputError("a cut-off or step of the electron simulation is out of range", allowed="from 1 keV")
    step_cm = 0.3 * side_cm if options.step_mm is None else options.step_mm / 10
    if not step_cm > 0:
        raise InputError("the longest step of electrons is not positive", where="step_mm")
    step = [step_cm * m.density_g_cm3 if m.density_g_cm3 > 0 else math.inf for m in voxels.materials]
    return absorb, knock_on, np.array(step)


def _geometry(voxels: VoxelGrid, regions: Sequence[Region]) -> tuple[ElectronGeometry, ArrayF8]:
    n = voxels.grid.voxel_count
    keys = [region.key for region in regions]
    if len(set(keys)) != len(keys):
        twice = sorted({k for k in keys if keys.count(k) > 1})
        raise InputError(f"two regions share a name: {', '.join(twice)}", todo="rename one of them")
    density = np.ascontiguousarray(voxels.density_g_cm3, dtype=np.float32).ravel()
    volume = voxels.grid.voxel_volume_cm3
    members, numbers, weights, masses = [], [], [], []
    for k, region in enumerate(regions_in_row(Scene(voxels=voxels), regions)):
        if region.medium is not None:
            raise InputError(
                f"region '{region.key}' asks for a medium", todo="score electrons in the voxels themselves"
            )
        index = np.asarray(region.voxels, dtype=np.int64)
        weight = np.ones(index.size) if region.weights is None else np.asarray(region.weights, np.float64)
        members.append(index)
        numbers.append(np.full(index.size, k, dtype=np.int32))
        weights.append(weight)
        masses.append(float((density[index].astype(np.float64) * weight).sum()) * volume)
    index = np.concatenate(members) if members else np.zeros(0, dtype=np.int64)
    number = np.concatenate(numbers) if numbers else np.zeros(0, dtype=np.int32)
    weight = np.concatenate(weights) if weights else np.zeros(0)
    order = np.argsort(index, kind="stable")
    first = np.zeros(n + 1, dtype=np.int32)
    np.cumsum(np.bincount(index, minlength=n), out=first[1:])
    geometry = ElectronGeometry(
        n_voxel=np.array(voxels.grid.shape_zyx[::-1], dtype=np.int32),
        size=np.asarray(voxels.grid.spacing_mm, dtype=np.float64) / 10,
        material=np.ascontiguousarray(voxels.material_index, dtype=np.uint8).ravel(),
        density=density,
        region_first=first,
        region_index=number[order] if order.size else np.zeros(1, dtype=np.int32),
        region_weight=weight[order] if order.size else np.zeros(1),
    )
    return geometry, np.array(masses)


def _tally(
    sums: _Sums,
    voxels: VoxelGrid,
    regions: Sequence[Region],
    masses: ArrayF8,
    per_batch: int,
    seed: int,
    photon_cut_kev: float,
) -> ElectronTally:
    histories = BATCHES * per_batch
    shape = voxels.grid.shape_zyx
    mass = voxels.density_g_cm3.astype(np.float64) * voxels.grid.voxel_volume_cm3
    per_gram = np.divide(1.0, mass, out=np.zeros(shape), where=mass > 0)
    dose = std = glow = stops = None
    if sums.dose.shape[1]:
        counts = sums.total if sums.total.size else sums.dose.sum(axis=0, dtype=np.int64)
        kev = (counts / _COUNTS_PER_KEV / histories).reshape(shape)
        dose = (kev * per_gram).astype(np.float32)
        if sums.total.size:
            spread = np.maximum(sums.square.reshape(shape) / per_batch**2 / BATCHES - kev**2, 0.0)
            std = (np.sqrt(spread / (BATCHES - 1)) * per_gram).astype(np.float32)
    if sums.glow.shape[1]:
        total = sums.glow.sum(axis=0, dtype=np.int64) / _COUNTS_PER_KEV / histories
        glow = total.reshape(shape).astype(np.float32)
    if sums.stops.shape[1]:
        stops = (sums.stops.sum(axis=0) / histories).reshape(shape).astype(np.float32)
    counts_of_photons = sums.photons.sum(axis=0)
    spectrum = None
    if counts_of_photons.sum() > 0:
        edges = photon_cut_kev * np.exp(np.arange(counts_of_photons.size + 1) / _PHOTON_BINS_PER_LN)
        keep = np.nonzero(counts_of_photons)[0][-1] + 1
        middle = np.sqrt(edges[:-1] * edges[1:])
        spectrum = Spectrum(energy_kev=middle[:keep], weight=counts_of_photons[:keep], name="bremsstrahlung")
    balance = sums.balance / per_batch
    return ElectronTally(
        keys=tuple(region.key for region in regions),
        mass_g=masses,
        histories=histories,
        batch_energy_kev=sums.regions / per_batch,
        batch_balance_kev=balance[:, :4],
        voxel_dose_kev_g=dose,
        voxel_std_kev_g=std,
        radiated_kev=glow,
        photons=spectrum,
        photon_count=int(counts_of_photons.sum()),
        photon_cut_kev=photon_cut_kev,
        stops=stops,
        seed=seed,
        counters=dict(zip(_COUNTERS, sums.balance[:, 4:].sum(axis=0).tolist(), strict=True)),
    )
