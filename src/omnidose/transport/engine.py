"""``simulate(scene, source) -> Tally``: photon Monte Carlo with honest errors."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from omnidose.errors import InputError
from omnidose.transport.problem import CUTOFF_KEV, Problem, compile_problem
from omnidose.transport.runner import BatchSums, LocalRunner, Runner, collect
from omnidose.transport.scene import Scene
from omnidose.transport.sources import Source
from omnidose.transport.tally import Region, Tally

#: Batches of a run with a fixed number of histories.
BATCHES = 40
#: Histories per batch when the run stops at a precision.
BATCH_HISTORIES = 20_000
#: A run that stops at a precision stops here at the latest.
MAX_HISTORIES = 2_000_000_000


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
    if histories is not None and histories < BATCHES:
        raise InputError(f"{histories:g} histories are too few", allowed=f"at least {BATCHES}")
    if precision is not None and not 0 < precision < 1:
        raise InputError(f"precision {precision:g} is no relative error", allowed="between 0 and 1")
    problem = compile_problem(
        scene,
        source,
        regions=regions,
        seed=seed,
        voxel_map=voxel_map,
        sampling_per_cm=sampling_per_cm,
        cutoff_kev=cutoff_kev,
    )
    run = Run(problem, LocalRunner(problem, threads))
    if histories is not None:
        run.to_histories(int(histories), progress)
    else:
        assert precision is not None
        run.to_precision(precision, precision_keys, int(max_histories), progress, int(min_histories))
    return run.tally()


class Run:
    """The batches of one problem collected so far, and the rules that ask for more."""

    def __init__(self, problem: Problem, runner: Runner) -> None:
        self.problem = problem
        self.runner = runner
        self.sums: list[BatchSums] = []
        self.per_batch = 0
        self.n_done = 0

    def to_histories(self, histories: int, progress: ProgressCallback | None) -> None:
        """Run a fixed number of histories in BATCHES batches."""
        self.per_batch = math.ceil(histories / BATCHES)
        self._run_until(BATCHES, progress)

    def _run_until(
        self, n_batches: int, progress: ProgressCallback | None, total: float | None = None
    ) -> None:
        start, begun_with = time.perf_counter(), self.n_done
        group = self.runner.width
        while self.n_done < n_batches:
            tick = time.perf_counter()
            self._run_group(min(group, n_batches - self.n_done))
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

    def to_precision(
        self,
        precision: float,
        keys: Sequence[str] | None,
        max_histories: int,
        progress: ProgressCallback | None,
        min_histories: int = 0,
    ) -> None:
        """Run until the error of every key stays below ``precision`` over two looks."""
        self.per_batch = BATCH_HISTORIES
        wanted = list(keys) if keys is not None else list(self.problem.keys)
        unknown = [k for k in wanted if k not in self.problem.keys]
        if unknown or not wanted:
            raise InputError(f"no region called {unknown}", allowed=", ".join(self.problem.keys))
        columns = [self.problem.keys.index(k) for k in wanted]
        limit = max(BATCHES, math.ceil(max_histories / self.per_batch))
        least = min(max(BATCHES, math.ceil(min_histories / self.per_batch)), limit)
        goal, met, need = least, False, float(least)
        while True:
            self._run_until(min(goal, limit), progress, max(need, goal))
            batches = np.concatenate([s.energies_kev for s in self.sums])[:, columns]
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
            goal = max(goal, self.n_done + self.runner.width)

    def _run_group(self, n_batches: int) -> None:
        self.sums.append(self.runner.run(self.n_done, n_batches, self.per_batch))
        self.n_done += n_batches

    def tally(self) -> Tally:
        """Collect the batches, in order, into a tally."""
        return collect(self.problem, self.sums, self.per_batch, self.runner.voxel_counts())
