"""Claim ``gpu``: speed on a GPU, and the same organs as on the CPU."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from omnidose.transport import cuda
from omnidose.transport.checks._rows import SIGMAS, judged_row, not_run_row
from omnidose.transport.checks.anchors import chest
from omnidose.transport.problem import compile_problem
from omnidose.transport.runner import BatchSums, LocalRunner
from omnidose.validation import Context, Row

RATE_PER_S = 0.3e9
BATCH = 20_000
#: Organs whose energy the CPU knows worse than this are left out.
WORST_REL = 0.1
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
    yield judged_row(
        "organs of the chest, GPU and CPU: pooled chi-square",
        found.chi_square / found.n,
        found.p > LEAST_P,
        tolerance=f"p above {LEAST_P:g}",
        unit="per degree of freedom",
        reference=1.0,
        source="own CPU run",
        note=f"{found.n} organs, p = {found.p:.3f}",
    )
    yield judged_row(
        "organs of the chest, GPU and CPU: largest difference",
        found.sigma,
        found.sigma < SIGMAS,
        tolerance=f"below {SIGMAS:g}",
        unit="standard errors",
        reference=0.0,
        source="own CPU run",
        note=found.worst,
    )


def rate_row(scene: str, runner: cuda.CudaRunner, seconds_s: float) -> Row:
    """Time the card in a scene of this name, without the compilation of the kernel."""
    runner.run(0, cuda.LEAST_ROWS, BATCH)  # compiles
    histories, first, count = 0, cuda.LEAST_ROWS, 4096
    start = time.perf_counter()
    while time.perf_counter() - start < seconds_s:
        runner.run(first, count, BATCH)
        histories, first = histories + count * BATCH, first + count
    rate = histories / (time.perf_counter() - start)
    return judged_row(
        f"{scene}, 120 kVp fan: raw rate",
        rate / 1e9,
        rate >= RATE_PER_S,
        tolerance="at least",
        unit="1e9 histories/s",
        reference=RATE_PER_S / 1e9,
        source="the issue",
        note=f"{histories:.2g} histories on {cuda.device_name()}",
    )


def check(context: Context) -> Iterator[Row]:
    """Rate, bits and organs on a GPU; not run where there is none."""
    if reason := cuda.missing():
        yield not_run_row("chest on a GPU: rate, and organs as on the CPU", reason)
        return
    anchor = chest()
    problem = compile_problem(anchor.scene, anchor.source, regions=anchor.regions)
    runner = cuda.CudaRunner(problem)
    yield rate_row(anchor.name, runner, 10.0 if context.full else 2.0)
    n_batches = 1000 if context.full else 200
    gpu = runner.run(0, n_batches, BATCH)
    again = cuda.CudaRunner(problem).run(0, n_batches, BATCH)
    same = np.array_equal(gpu.energies_kev, again.energies_kev) and np.array_equal(gpu.balance, again.balance)
    yield judged_row(
        "two runs of one seed on the GPU",
        "equal" if same else "different",
        same,
        tolerance="bits",
        reference="equal",
        source="integer sums",
    )
    cpu = LocalRunner(problem).run(n_batches, n_batches, BATCH)  # other histories: independent
    yield from agreement_rows(agreement(problem.keys, cpu, gpu))
