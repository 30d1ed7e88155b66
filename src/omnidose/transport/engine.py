"""``simulate(scene, source) -> Tally``: photon Monte Carlo with honest errors."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from omnidose.errors import InputError
from omnidose.transport.folding import FoldingRunner
from omnidose.transport.kerma import kerma_warnings
from omnidose.transport.outputs import Asked, EnergyBins, ImagePlane
from omnidose.transport.problem import CUTOFF_KEV, Problem, compile_problem
from omnidose.transport.runner import BatchSums, LocalRunner, Runner, TellingRunner, collect
from omnidose.transport.scene import Scene
from omnidose.transport.sources import Source
from omnidose.transport.stopping import Precision, Targets, cap_message, next_look, ratios, targets
from omnidose.transport.tally import Region, Tally
from omnidose.transport.validity import check_counts, check_sampling, check_scene, check_seed, check_source

if TYPE_CHECKING:
    from distributed import Client

#: Batches of a run with a fixed number of histories: at least so many, more where they would grow larger
#: than ``LARGEST_BATCH``, so that many machines have something to do.
BATCHES = 100
MOST_BATCHES = 10000
LARGEST_BATCH = 250_000
#: Histories per batch when the run stops at a precision.
BATCH_HISTORIES = 10_000
#: A run that stops at a precision stops here at the latest.
MAX_HISTORIES = 2_000_000_000
#: Progress is told about so often.
TELL_EVERY_S = 0.5

#: Who follows the photons of a local run.
Backend = Literal["auto", "cpu", "cuda"]


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
    precision: Precision | None = None,
    precision_keys: Sequence[str] | None = None,
    max_histories: float = MAX_HISTORIES,
    min_histories: float = 0,
    seed: int = 1,
    voxel_map: bool = False,
    voxel_error: bool = False,
    spectra: EnergyBins | None = None,
    image: ImagePlane | None = None,
    phase_space: int = 0,
    sampling_per_cm: dict[str, float] | None = None,
    cutoff_kev: float = CUTOFF_KEV,
    estimator: str = "expected",
    importance_keys: Sequence[str] = (),
    threads: int | None = None,
    backend: Backend = "auto",
    cluster: Client | None = None,
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
        Relative standard error at which to stop: a number for all ``precision_keys`` (default: all regions
        and shapes), or by organ group, ``{"heart": 0.01, ("left-lens", "right-lens"): 0.05}``: each member of
        a group must reach it. What has to be below it is the upper 95 % bound of the standard error, so that
        a lucky estimate does not end the run.
    max_histories, min_histories
        A run to a precision does not stop before the second and stops at the first; the tally then says
        ``stopped == "cap"`` and its ``message`` which regions fell short.
    seed
        Same seed, same bits, whatever the number of threads or machines.
    voxel_map
        Also keep the dose in every voxel (8 bytes per voxel and thread).
    voxel_error
        Also the standard error of every voxel's dose, at 12 to 20 bytes more per voxel.
    spectra
        Energy bins in which the photon fluence of every shape and region is kept.
    image
        A plane behind the world, on which the photons that leave make an image.
    phase_space
        How many of the photons that leave are listed, the first by history.
    sampling_per_cm
        Region or shape key -> least number of tentative collisions per cm in and next to it: more
        scores, at some cost, in small or thin regions, and in voxels of gas. Unbiased. Shapes that are not
        named have a tenth for every mean chord (at most 1 per cm).
    cutoff_kev
        Photons below are absorbed where they are.
    estimator
        How deposits are scored, with one mean: ``expected`` deposits at every tentative collision (the best
        for most), ``traced`` (those of primary photons along the whole ray; slow), ``analog`` (real deposits;
        the plain truth, noisy).
    importance_keys
        Regions far from the beam towards which photons are split (after two short runs that show how the dose
        falls): several to a hundred times less time for them, up to three times more for organs in the beam.
        Unbiased; see :func:`omnidose.transport.importance.with_importance`.
    threads
        Default: all cores (``NUMBA_NUM_THREADS``).
    backend
        ``cpu``, ``cuda``, or ``auto``: an NVIDIA GPU if there is one that holds the problem, else the CPU.
    cluster
        A connected ``distributed.Client``: its workers follow the photons (on their CPUs) instead of this
        machine, with the same result to the last bit. See docs/howto/cluster.md.
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
    check_counts(histories=histories, max_histories=max_histories, min_histories=min_histories or None)
    if histories is not None and histories < BATCHES:
        raise InputError(f"{histories:g} histories are too few", allowed=f"at least {BATCHES}")
    if threads is not None and threads < 1:
        raise InputError(f"{threads} threads", where="threads", allowed="1 or more")
    if backend not in get_args(Backend):
        raise InputError(f"backend '{backend}'", where="backend", allowed=", ".join(get_args(Backend)))
    if cluster is not None and backend == "cuda":
        raise InputError("workers of a cluster run on their CPUs", where="backend", allowed="auto, cpu")
    asked = Asked(voxel_error=voxel_error, spectra=spectra, image=image, exits=phase_space)
    if asked.anything and (cluster is not None or backend == "cuda"):
        raise InputError(
            "errors of voxels, spectra, images and phase spaces are made on this machine's CPU only",
            where="cluster" if cluster is not None else "backend",
            todo="leave it out",
        )
    if importance_keys and (image is not None or phase_space):
        raise InputError(
            "an image or a phase space counts photons, importance gives them weights",
            todo="leave importance_keys out",
        )
    if backend == "cuda" and (importance_keys or scene.room is not None or estimator == "traced"):
        raise InputError(  # CudaRunner refuses them too, but after time is spent
            "rooms, importance and traced primaries are not made on a GPU",
            where="backend",
            todo="use backend='cpu', or leave them out",
        )
    check_seed(seed)
    check_sampling(sampling_per_cm or {})
    check_scene(scene)
    check_source(scene, source)
    if cluster is not None:
        from omnidose.transport.workers import check_workers

        check_workers(cluster)
    if precision is not None:  # refused before any time is spent; the problem may order its regions otherwise
        targets(precision, precision_keys, [*(s.key for s in scene.shapes), *(r.key for r in regions)])
    problem = compile_problem(
        scene,
        source,
        regions=regions,
        seed=seed,
        voxel_map=voxel_map,
        sampling_per_cm=sampling_per_cm,
        cutoff_kev=cutoff_kev,
        estimator=estimator,
        asked=asked,
    )
    if importance_keys:
        from omnidose.transport.importance import with_importance

        problem = with_importance(problem, importance_keys, threads)
    run = Run(problem, _runner(problem, backend, threads, cluster))
    if histories is not None:
        run.to_histories(int(histories), progress)
    else:
        assert precision is not None
        wanted = targets(precision, precision_keys, problem.keys)
        run.to_precision(wanted, int(max_histories), progress, int(min_histories))
    return replace(run.tally(), warnings=kerma_warnings(scene, source))


def _runner(problem: Problem, backend: Backend, threads: int | None, cluster: Client | None) -> Runner:
    """Return who follows the photons."""
    if problem.asked.anything:
        return FoldingRunner(problem, threads)
    if cluster is not None:
        from omnidose.transport.cluster import ClusterRunner

        return ClusterRunner(problem, cluster)
    if backend != "cpu":
        from omnidose.transport.cuda import CudaRunner, available

        if backend == "cuda":
            return CudaRunner(problem)
        if available():
            try:
                return CudaRunner(problem)
            except InputError as error:  # not made on a GPU, or too large for this one
                warnings.warn(f"{error.what}: running on the CPU instead", stacklevel=3)
    return LocalRunner(problem, threads)


class Run:
    """The batches of one problem collected so far, and the rules that ask for more."""

    def __init__(self, problem: Problem, runner: Runner) -> None:
        self.problem = problem
        self.runner = runner
        self.sums: list[BatchSums] = []
        self.per_batch = 0
        self.n_done = 0
        self.stopped = "histories"
        self.message = ""

    def to_histories(self, histories: int, progress: ProgressCallback | None) -> None:
        """Run a fixed number of histories, in a number of batches that depends on nothing else."""
        n_batches = min(max(BATCHES, math.ceil(histories / LARGEST_BATCH)), MOST_BATCHES)
        self.per_batch = math.ceil(histories / n_batches)
        self._run_until(n_batches, progress)

    def to_precision(
        self,
        wanted: Targets,
        max_histories: int,
        progress: ProgressCallback | None,
        min_histories: int = 0,
    ) -> None:
        """Run until the upper bound of every standard error meets its target, or to the cap.

        The looks depend on the batches alone, not on who ran them.
        """
        self.per_batch = max(min(BATCH_HISTORIES, max_histories // BATCHES), 1)  # no cap is overrun
        limit = max(BATCHES, math.ceil(max_histories / self.per_batch))
        goal = min(max(BATCHES, math.ceil(min_histories / self.per_batch)), limit)
        need = goal
        while True:
            self._run_until(goal, progress, need)
            batches = np.concatenate([s.energies_kev for s in self.sums])
            std_rel, ratio = ratios(batches, wanted)
            worst = float(ratio.max())
            if worst <= 1:
                self.stopped = "precision"
                return
            if self.n_done >= limit:
                self.stopped = "cap"
                self.message = cap_message(wanted, std_rel, ratio, self.n_done * self.per_batch)
                return
            goal = min(next_look(self.n_done, worst), limit)
            need = min(max(goal, math.ceil(self.n_done * worst**2)) if math.isfinite(worst) else limit, limit)

    def _run_until(
        self, n_batches: int, progress: ProgressCallback | None, total: float | None = None
    ) -> None:
        """Run batches up to ``n_batches``; ``total`` is the number that the whole run may need."""
        start, begun_with = time.perf_counter(), self.n_done

        def tell(done: int) -> None:
            if progress is None:
                return
            goal = total or n_batches
            rate = (done - begun_with) / max(time.perf_counter() - start, 1e-9)
            progress(
                Progress(
                    histories=done * self.per_batch,
                    fraction=min(done / goal, 1.0),
                    seconds_left_s=max(goal - done, 0) / rate if rate > 0 else math.nan,
                )
            )

        if isinstance(self.runner, TellingRunner):
            wanted = n_batches - self.n_done
            if wanted > 0:
                sums = self.runner.run_telling(
                    self.n_done, wanted, self.per_batch, lambda done: tell(begun_with + done)
                )
                self._add(sums, wanted)
            return
        group = self.runner.width
        while self.n_done < n_batches:
            tick = time.perf_counter()
            count = min(group, n_batches - self.n_done)
            self._add(self.runner.run(self.n_done, count, self.per_batch), count)
            if time.perf_counter() - tick < 0.5 * TELL_EVERY_S:  # results do not depend on it
                group *= 2
            tell(self.n_done)

    def _add(self, sums: BatchSums, count: int) -> None:
        self.sums.append(sums)
        self.n_done += count

    def tally(self) -> Tally:
        """Collect the batches, in order, into a tally."""
        tally = collect(
            self.problem,
            self.sums,
            self.per_batch,
            self.runner.voxel_counts(),
            stopped=self.stopped,
            message=self.message,
        )
        return self.runner.complete(tally) if isinstance(self.runner, FoldingRunner) else tally
