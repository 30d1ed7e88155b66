"""Errors of voxels, covariances of regions, fluence spectra, exit photons and the balance of energy.

Stated errors are held against the spread of runs with other seeds: for S seeds the mean square deviation from
their mean, over the mean stated variance, is 1 for honest errors. How well S seeds know that is taken from
the spread of the seeds' own contributions, correlations between voxels and long tails included.
"""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from omnidose.errors import RangeError
from omnidose.physics.material_library import material
from omnidose.physics.materials import Material
from omnidose.physics.photons import mass_attenuation_cm2_g, mass_energy_absorption_cm2_g
from omnidose.physics.spectra import Spectrum
from omnidose.transport import folding, tg195
from omnidose.transport.checks._rows import SIGMAS, TABLE_REL, known_row
from omnidose.transport.checks.cube import small_cube
from omnidose.transport.checks.exits import GROUPS, WATER, check_exits, chi_square
from omnidose.transport.engine import Run, simulate
from omnidose.transport.folding import FoldingRunner
from omnidose.transport.outputs import Asked, EnergyBins
from omnidose.transport.problem import Problem, compile_problem
from omnidose.transport.runner import LocalRunner
from omnidose.transport.scene import VACUUM, Box, Scene, VoxelGrid
from omnidose.transport.sources import ParallelSource, PyramidSource
from omnidose.transport.tally import MGY_PER_KEV_G, Region, Tally
from omnidose.validation import Context, Row, within
from omnidose.volume import Grid

ArrayF8 = npt.NDArray[np.float64]

SEEDS, MANY_SEEDS = 40, 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Variance over seeds as a multiple of the stated one, and its standard error."""

    ratio: float
    std_rel: float

    @classmethod
    def of(cls, values: ArrayF8, variances: ArrayF8) -> Spread:
        """Compare [n_seed, n] values with their stated variances; mean over the n."""
        stated = variances.mean(axis=0)
        seen = stated > 0
        deviations = (values - values.mean(axis=0))[:, seen] ** 2 / stated[seen]
        by_seed = deviations.mean(axis=1)
        n = by_seed.size
        return cls(
            ratio=float(by_seed.sum() / (n - 1)), std_rel=float(by_seed.std(ddof=1) * math.sqrt(n) / (n - 1))
        )

    def row(self, name: str, note: str = "") -> Row:
        """Pass within four of its standard errors."""
        return within(
            name,
            self.ratio,
            1.0,
            unit="1",
            source="statistics",
            bounds=(1 - SIGMAS * self.std_rel, 1 + SIGMAS * self.std_rel),
            note=f"known to {self.std_rel:.3f}{'; ' if note else ''}{note}",
        )


def _tally(problem: Problem, seed: int, histories: int, threads: int = 1) -> Tally:
    seeded = replace(problem, seed=seed)
    runner = FoldingRunner(seeded, threads) if seeded.asked.anything else LocalRunner(seeded, threads)
    run = Run(seeded, runner)
    run.to_histories(histories, None)
    return run.tally()


def check_voxels(histories: int) -> Iterator[Row]:
    """Errors of voxels over seeds, sums of voxels, threads, and what does not fit."""
    scene, beam, regions = small_cube()
    problem = compile_problem(scene, beam, regions=regions, voxel_map=True, asked=Asked(voxel_error=True))
    tallies = [_tally(problem, seed, histories) for seed in range(1, SEEDS + 1)]
    maps, errors = [], []
    for tally in tallies:
        assert tally.voxel_dose_kev_g is not None
        assert tally.voxel_std_kev_g is not None
        maps.append(tally.voxel_dose_kev_g.ravel().astype(float))
        errors.append(tally.voxel_std_kev_g.ravel().astype(float))
    dose, variance = np.array(maps), np.array(errors) ** 2
    beam_voxels = np.argsort(dose.mean(axis=0))[-80:]  # 4 columns of 20
    for where, chosen in (("all voxels", slice(None)), ("the 80 voxels of the beam", beam_voxels)):
        rel = np.sqrt(variance[:, chosen].mean(axis=0)) / np.maximum(dose[:, chosen].mean(axis=0), 1e-300)
        yield Spread.of(dose[:, chosen], variance[:, chosen]).row(
            f"variance of voxel doses over {SEEDS} seeds / stated variance, {where}",
            f"stated errors: median {100 * float(np.median(rel[np.isfinite(rel)])):.2g} %",
        )
    tally = tallies[0]
    volume_cm3 = problem.voxel_volume_cm3
    for region in regions:
        energy_kev = float(maps[0][region.voxels].sum()) * volume_cm3  # 1 g/cm3
        scored_kev = float(tally.energy_kev[tally.index(region.key)])
        yield within(
            f"sum of the voxels of region '{region.key}'",
            energy_kev,
            scored_kev,
            unit="keV/history",
            source="the region as scored",
            tolerance_rel=1e-5,
        )
    three = _tally(problem, 1, histories, threads=3)
    assert three.voxel_dose_kev_g is not None
    assert three.voxel_std_kev_g is not None
    same = np.array_equal(three.voxel_dose_kev_g.ravel(), maps[0]) and np.array_equal(
        three.voxel_std_kev_g.ravel(), errors[0]
    )
    yield within(
        "doses and errors of voxels have the same bits with 1 and 3 threads",
        float(same),
        1.0,
        unit="1",
        source="reproducibility",
        bounds=(1.0, 1.0),
    )
    yield from _check_memory(problem)


def _check_memory(problem: Problem) -> Iterator[Row]:
    """Memory of a map with errors, measured; what that makes of a body; what does not fit is refused."""
    side = 100
    grid = Grid.centred((side,) * 3, (2.0, 2.0, 2.0))
    voxels = VoxelGrid(
        grid=grid,
        materials=(WATER,),
        material_index=np.zeros(grid.shape_zyx, dtype=np.uint8),
        density_g_cm3=np.ones(grid.shape_zyx, dtype=np.float32),
    )
    scene, beam, _regions = small_cube()
    measured = compile_problem(replace(scene, voxels=voxels), beam, voxel_map=True, asked=problem.asked)
    tracemalloc.start()
    _tally(measured, 1, 400)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    said = folding.bytes_needed(measured, 1)
    body = folding.bytes_needed(replace(problem, voxel_shape=(1000, 512, 512)), 1)
    yield within(
        "memory of a map with errors on one thread, beside the scene",
        peak / side**3,
        said / side**3,
        unit="bytes/voxel",
        source="what is asked for before a run",
        bounds=(0.7 * said / side**3, 1.02 * said / side**3),
        note=f"512x512x1000 voxels: {body / 2**30:.1f} GiB, 2 GiB more for every further thread",
    )
    try:
        FoldingRunner(replace(problem, voxel_shape=(8000, 8000, 8000)), 1)
        refused = ""
    except RangeError as error:
        refused = str(error.what)
    yield within(
        "a map with errors that does not fit is refused before it begins",
        float(bool(refused)),
        1.0,
        unit="1",
        source="8000x8000x8000 voxels",
        bounds=(1.0, 1.0),
        note=refused,
    )


def check_covariances(histories: int) -> Iterator[Row]:
    """Sum and difference of two regions that share histories."""
    scene, beam, _regions = small_cube()
    number = np.arange(8000).reshape(20, 20, 20)
    regions = [
        Region(key="front", voxels=number[:5].ravel()),
        Region(key="back", voxels=number[5:].ravel()),
        Region(key="middle", voxels=number[3:9].ravel()),
    ]
    problem = compile_problem(scene, beam, regions=regions)
    tallies = [_tally(problem, 1000 + seed, histories) for seed in range(MANY_SEEDS)]
    energy = np.array([tally.energy_kev for tally in tallies])
    covariance = np.array([tally.covariance_kev2 for tally in tallies])
    mean = covariance.mean(axis=0)
    for a, b, sign in (
        ("front", "back", 1),
        ("front", "back", -1),
        ("front", "middle", 1),
        ("back", "middle", 1),
    ):
        i, j = problem.keys.index(a), problem.keys.index(b)
        weights = np.zeros(3)
        weights[i], weights[j] = 1, sign
        stated = np.einsum("i,sij,j->s", weights, covariance, weights)
        without = mean[i, i] + mean[j, j]
        yield Spread.of((energy @ weights)[:, None], stated[:, None]).row(
            f"variance of {a} {'+' if sign > 0 else '-'} {b} over {MANY_SEEDS} seeds / stated variance",
            f"correlation {mean[i, j] / math.sqrt(mean[i, i] * mean[j, j]):+.2f}; without the covariance it "
            f"would be {float(stated.mean()) / without:.2f} of the sum of variances",
        )


def check_spectra(histories: float) -> Iterator[Row]:
    """Spectra against kerma scored in the same run, and behind a filter."""
    grid = Grid.centred((10, 10, 10), (20.0, 20.0, 20.0))
    index = np.zeros(grid.shape_zyx, dtype=np.uint8)
    index[4:6, 3:7, 3:7] = 1
    bone = material("cortical bone")
    density = np.where(index == 1, bone.density_g_cm3, 1.0).astype(np.float32)
    voxels = VoxelGrid(grid=grid, materials=(WATER, bone), material_index=index, density_g_cm3=density)
    every = np.arange(1000)
    asked_in: dict[str, Material] = {"bone": WATER, "front": WATER, "back": bone}
    places = {"bone": every[index.ravel() == 1], "front": every[:200], "back": every[800:]}
    shares = np.linspace(0.2, 1.0, 200).astype(np.float32)
    regions = [
        Region(key=key, voxels=places[key], medium=medium, weights=shares if key == "back" else None)
        for key, medium in asked_in.items()
    ]
    tube = tg195.spectrum("120 kVp")
    beam = PyramidSource(
        position_mm=(0, 0, -600), direction=(0, 0, 1), up=(0, 1, 0),
        half_tangents=(-0.15, 0.15, -0.15, 0.15), spectrum=tube,
    )  # fmt: skip
    # narrow: the middle of a bin stands for fluorescence lines of calcium, whose kerma goes as 1/E^2
    bins = EnergyBins(edges_kev=np.arange(1.0, 121.0, 0.05))
    tally = simulate(
        Scene(voxels=voxels),
        beam,
        regions=regions,
        histories=histories,
        spectra=bins,
        threads=1,
        backend="cpu",
    )
    assert tally.spectra is not None
    middle = 0.5 * (bins.edges[1:] + bins.edges[:-1])
    for key, medium in asked_in.items():
        k = tally.index(key)
        kerma_kev_g = float(
            tally.spectra.fluence_per_cm2[k] @ (middle * mass_energy_absorption_cm2_g(medium, middle))
        )
        yield within(
            f"kerma of {medium.name} in '{key}' from its fluence spectrum (120 kVp, bins of 0.05 keV)",
            kerma_kev_g * MGY_PER_KEV_G,
            float(tally.dose_kev_g[k]) * MGY_PER_KEV_G,
            unit="mGy/history",
            source="the region as scored, same run",
            tolerance_rel=3e-4,
            note="middle of each bin for its mean energy",
        )
    yield from _check_filter(histories, tube)


def _check_filter(histories: float, tube: Spectrum) -> Iterator[Row]:
    """Primary photons behind aluminium, bin by bin."""
    aluminium, length_cm, thickness_cm = material("aluminium"), 1.0, 0.5
    filter_ = Box(key="filter", material=aluminium, lower_mm=(-50, -50, 0), upper_mm=(50, 50, 5))
    detector = Box(key="detector", material=material("air"), lower_mm=(-50, -50, 20), upper_mm=(50, 50, 30))
    beam = ParallelSource(
        centre_mm=(0, 0, -5), direction=(0, 0, 1), up=(0, 1, 0), half_widths_mm=(40, 40), spectrum=tube
    )
    half = 0.5 * tube.bin_width_kev
    edges = np.append(tube.energy_kev - half, tube.energy_kev[-1] + half)
    tally = simulate(
        Scene(shapes=(filter_, detector), world=VACUUM),
        beam,
        histories=histories,
        spectra=EnergyBins(edges_kev=edges, primary=True),
        sampling_per_cm={"detector": 2.0},
        threads=1,
        backend="cpu",
    )
    spectra = tally.spectra
    assert spectra is not None
    assert spectra.primary_per_cm2 is not None
    assert spectra.primary_std_per_cm2 is not None
    k = tally.index("detector")
    node, weight = np.polynomial.legendre.leggauss(5)
    energies = np.maximum(tube.energy_kev[:, None] + half * node, 1.0)
    mu = aluminium.density_g_cm3 * mass_attenuation_cm2_g(aluminium, energies)
    air = material("air")
    mu_air = air.density_g_cm3 * mass_attenuation_cm2_g(air, energies)
    reach = np.exp(-mu * thickness_cm) * -np.expm1(-mu_air * length_cm) / (mu_air * length_cm)
    # one photon per history, its track over the volume of the detector (100 cm2 x length)
    expected = tube.weight * (reach @ weight) / 2 / 100.0
    seen = expected * histories * 100.0 > 200  # enough photons for an error to mean something
    ours, std = spectra.primary_per_cm2[k][seen], spectra.primary_std_per_cm2[k][seen]
    yield chi_square(
        "primary fluence spectrum behind 5 mm of aluminium (120 kVp) / exp(-mu t), chi-square of its bins",
        ours,
        std,
        expected[seen],
        groups_behind=GROUPS,
    )
    total, error = float(ours.sum()), float(np.sqrt((std**2).sum()))
    reference = float(expected[seen].sum())
    yield known_row(
        "primary fluence behind 5 mm of aluminium, all bins",
        total,
        error,
        reference,
        unit="1/cm2/history",
        source="closed form",
        table_rel=TABLE_REL,
        note=f"own standard error {100 * error / reference:.2f} %",
    )


def check(context: Context) -> Iterator[Row]:
    """All outputs; ``--full`` with ten times the histories."""
    many = 10 if context.full else 1
    context.progress("errors of voxels")
    yield from check_voxels(20_000 * many)
    context.progress("covariances")
    yield from check_covariances(2000)
    context.progress("fluence spectra")
    yield from check_spectra(2e5 * many)
    context.progress("exit photons")
    yield from check_exits(2e5 * many)
