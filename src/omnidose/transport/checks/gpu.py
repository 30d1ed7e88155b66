"""Claim ``gpu``: speed on a GPU, and the same organs as on the CPU."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from omnidose.transport import cuda, tg195
from omnidose.transport.problem import Problem, compile_problem
from omnidose.transport.runner import BatchSums, LocalRunner
from omnidose.transport.scene import Scene, VoxelGrid
from omnidose.transport.sources import RotatingSource
from omnidose.transport.tally import Region
from omnidose.validation import Context, Row, State
from omnidose.volume import Grid

ArrayF8 = npt.NDArray[np.float64]

RATE_PER_S = 0.3e9
#: Voxels of the chest: blocks of 3x3x3 equal ones, as a phantom of 3 mm gives them.
COARSE_MM, FINE_MM, LENGTH_MM = 3.0, 1.0, 300.0
FOCUS_MM, FAN_RADIUS_MM, COLLIMATION_MM = 600.0, 250.0, 10.0
BATCH = 20_000
#: Organs whose energy the CPU knows worse than this are left out.
WORST_REL = 0.1
WORST_SIGMA = 4.0
LEAST_P = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Agreement:
    """How two independent runs agree.

    Attributes
    ----------
    chi_square
        Hotelling's statistic over the covariance of all regions.
    p
        Probability of a larger one.
    worst
        Region with the largest difference, ``sigma`` standard errors of the difference.
    """

    chi_square: float
    p: float
    n: int
    worst: str
    sigma: float


def chest() -> Problem:
    """Return the chest of the stylised man in voxels of 1 mm under a turning fan of 120 kVp."""
    from omnidose.anatomy.stylised.make import make_phantom

    body = make_phantom("M", voxel_mm=COARSE_MM, arms="down")
    lungs = np.isin(body.labels, [body.organ(f"{side}-lung").label for side in ("left", "right")])
    slices = np.flatnonzero(lungs.any(axis=(1, 2)))
    middle, half = int(slices.mean()), round(LENGTH_MM / COARSE_MM / 2)
    crop = slice(max(middle - half, 0), middle + half)
    fold = round(COARSE_MM / FINE_MM)

    def fine(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return np.kron(array[crop], np.ones((fold, fold, fold), dtype=array.dtype))

    material, density, labels = (fine(a) for a in (body.material_index, body.density_g_cm3, body.labels))
    grid = Grid.centred(material.shape, (FINE_MM,) * 3)
    voxels = VoxelGrid(
        grid=grid,
        materials=body.materials,
        material_index=material.astype(np.uint8),
        density_g_cm3=density.astype(np.float32),
    )
    across, along = FAN_RADIUS_MM / FOCUS_MM, COLLIMATION_MM / 2 / FOCUS_MM
    source = RotatingSource(
        isocentre_mm=(0.0, 0.0),
        focus_mm=FOCUS_MM,
        segments=np.array([[0.0, 2 * math.pi, 0.0, 0.0, 1.0]]),
        half_tangents=(-across, across, -along, along),
        spectra=(tg195.spectrum("120 kVp"),),
    )
    regions = []
    for organ in body.organs:
        places = np.flatnonzero(labels == organ.label)
        if places.size:
            regions.append(Region(key=organ.key, voxels=places))
    return compile_problem(Scene(voxels=voxels), source, regions=regions, seed=1)


def agreement(keys: tuple[str, ...], first: BatchSums, second: BatchSums) -> _Agreement:
    """Compare the energies of two independent runs, region by region and all together."""
    runs = [s.energies_kev for s in (first, second)]
    means = [run.mean(axis=0) for run in runs]
    errors = [run.std(axis=0, ddof=1) / math.sqrt(run.shape[0]) for run in runs]
    known = np.flatnonzero((means[0] > 0) & (errors[0] < WORST_REL * means[0]))
    difference = (means[1] - means[0])[known]
    sigma = np.abs(difference) / np.hypot(errors[0], errors[1])[known]
    covariance = sum(np.atleast_2d(np.cov(run[:, known], rowvar=False)) / run.shape[0] for run in runs)
    chi_square = float(difference @ np.linalg.solve(covariance, difference))
    n, dof = known.size, min(run.shape[0] for run in runs) - 1
    p = float(stats.f.sf(chi_square * (dof - n + 1) / (dof * n), n, dof - n + 1))
    worst = int(np.argmax(sigma))
    return _Agreement(chi_square=chi_square, p=p, n=n, worst=keys[known[worst]], sigma=float(sigma[worst]))


def agreement_rows(found: _Agreement) -> Iterator[Row]:
    """Yield the rows of an agreement."""
    yield Row(
        name="organs of the chest, GPU and CPU: pooled chi-square",
        ours=found.chi_square / found.n,
        unit="per degree of freedom",
        reference=1.0,
        source="own CPU run",
        tolerance=f"p above {LEAST_P:g}",
        state=State.PASSED if found.p > LEAST_P else State.FAILED,
        note=f"{found.n} organs, p = {found.p:.3f}",
    )
    yield Row(
        name="organs of the chest, GPU and CPU: largest difference",
        ours=found.sigma,
        unit="standard errors",
        reference=0.0,
        source="own CPU run",
        tolerance=f"below {WORST_SIGMA:g}",
        state=State.PASSED if found.sigma < WORST_SIGMA else State.FAILED,
        note=found.worst,
    )


def rate_row(runner: cuda.CudaRunner, seconds_s: float) -> Row:
    """Time the card, without the compilation of the kernel."""
    runner.run(0, cuda.LEAST_ROWS, BATCH)  # compiles
    histories, first = 0, cuda.LEAST_ROWS
    start = time.perf_counter()
    while time.perf_counter() - start < seconds_s:
        count = 4096
        runner.run(first, count, BATCH)
        histories, first = histories + count * BATCH, first + count
    rate = histories / (time.perf_counter() - start)
    return Row(
        name="chest of 1 mm, 120 kVp fan: raw rate",
        ours=rate / 1e9,
        unit="1e9 histories/s",
        reference=RATE_PER_S / 1e9,
        source="promised",
        tolerance="at least",
        state=State.PASSED if rate >= RATE_PER_S else State.FAILED,
        note=f"{histories:.2g} histories on {cuda.device_name()}",
    )


def check(context: Context) -> Iterator[Row]:
    """Rate, bits and organs on a GPU; not run where there is none."""
    if reason := cuda.missing():
        yield Row(
            name="chest on a GPU: rate, and organs as on the CPU", ours=None, unit="", reference=None,
            source="", tolerance="", state=State.NOT_RUN, note=reason,
        )  # fmt: skip
        return
    problem = chest()
    runner = cuda.CudaRunner(problem)
    yield rate_row(runner, 10.0 if context.full else 2.0)
    n_batches = 1000 if context.full else 200
    gpu = runner.run(0, n_batches, BATCH)
    again = cuda.CudaRunner(problem).run(0, n_batches, BATCH)
    same = np.array_equal(gpu.energies_kev, again.energies_kev) and np.array_equal(gpu.balance, again.balance)
    yield Row(
        name="two runs of one seed on the GPU",
        ours="equal" if same else "different",
        unit="",
        reference="equal",
        source="integer sums",
        tolerance="bits",
        state=State.PASSED if same else State.FAILED,
    )
    cpu = LocalRunner(problem).run(n_batches, n_batches, BATCH)  # other histories: independent
    yield from agreement_rows(agreement(problem.keys, cpu, gpu))
