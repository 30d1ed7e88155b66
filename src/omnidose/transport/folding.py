"""``FoldingRunner``: threads of this process for runs whose maps, spectra or images have errors of their own.

A map is one sum over all batches, and its error needs its spread: groups of batches, in the order of their
numbers, are folded one after the other into a total and a sum of squares,

    c_g: sum of group g of n_g batches;  C, N: sum and number of all batches before it
    S <- S + (c_g / n_g - C / N)^2 n_g N / (n_g + N),      variance of one batch = S / (groups - 1)

which is exact for groups of any sizes (Chan, Golub and LeVeque, COMPSTAT 1982, p. 30) and adds only positive
terms, so that S may be float32. All photons of a history lie in one group, and so do their correlations.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from omnidose.errors import RangeError
from omnidose.transport.kernels._target import jit
from omnidose.transport.kernels.outputs import EXIT_NUMBERS
from omnidose.transport.outputs import ArrayF4, ArrayF8, ExitImage, FluenceSpectra
from omnidose.transport.phase_space import PhaseSpace, exit_bytes
from omnidose.transport.problem import Problem
from omnidose.transport.runner import VOXEL_COUNT, ArrayI8, BatchSums, LocalRunner
from omnidose.transport.tally import Tally
from omnidose.transport.threads import share_out

#: Batches in the first groups, and share of all batches before it that a later group has: 42 groups in a run
#: of 100 batches, 139 in one of 10 000.
FIRST_GROUP, GROUP_SHARE = 2, 1 / 20
#: Photons that leave, of which a batch can keep so many for each of its histories.
EXITS_PER_HISTORY = 8
#: The main thread looks so often at what the others have done.
LOOK_S = 0.2
GB = 1e9


@jit
def _fold(group, total, squares, before, size, scale):  # type: ignore[no-untyped-def]
    """Fold the sums of a group of ``size`` batches into totals of ``before`` batches; empty the group."""
    weight = 0.0 if before == 0 else size * before / (size + before) * scale * scale
    of_one = 0.0 if before == 0 else 1.0 / before
    for v in range(group.shape[0]):
        c = group[v]
        t = total[v]
        if c != 0 or t != 0:
            d = c / size - t * of_one
            squares[v] += np.float32(d * d * weight)
            total[v] = t + c
            group[v] = 0


def groups(first_batch: int, n_batches: int) -> Iterator[tuple[int, int]]:
    """Return (begin, end) of the groups of some batches; they depend on the numbers of the batches alone."""
    begin, end = first_batch, first_batch + n_batches
    while begin < end:
        stop = min(begin + max(FIRST_GROUP, int(begin * GROUP_SHARE)), end)
        yield begin, stop
        begin = stop


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sections:
    """Where the parts of a flat map lie: voxels, spectra, image; those from ``fold`` on have errors."""

    voxels: int
    spectra: int
    image: int
    fold: int

    @classmethod
    def of(cls, problem: Problem) -> _Sections:
        cells = int(np.prod(problem.voxel_shape)) if problem.voxel_shape is not None else 0
        return cls(
            voxels=cells,
            spectra=cells + problem.asked.n_spectra(len(problem.keys)),
            image=cells + problem.asked.n_spectra(len(problem.keys)) + problem.asked.n_image,
            fold=0 if problem.asked.voxel_error else cells,
        )


def bytes_needed(problem: Problem, threads: int) -> int:
    """Return the memory that the outputs of a problem take on some threads (bytes), without the scene.

    Eight bytes per voxel, bin and pixel for each thread, 12 more where errors are asked for, 8 while the
    result is made.
    """
    part = _Sections.of(problem)
    return 8 * threads * part.image + 12 * (part.image - part.fold) + 8 * part.image + exit_bytes(
        problem.asked.exits
    )  # fmt: skip


def free_bytes() -> float:
    """Return the memory that this process may still take (bytes); infinity where that is not known."""
    free = np.inf
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free = 1024.0 * int(line.split()[1])
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit != "max":
            used = int(Path("/sys/fs/cgroup/memory.current").read_text())
            free = min(free, float(int(limit) - used))
    except (OSError, ValueError, IndexError):
        pass
    return float(free)


class FoldingRunner(LocalRunner):
    """Threads of this process, each with a group of batches; groups are folded in the order of their numbers.

    Raises
    ------
    RangeError
        If the memory does not suffice.
    """

    def __init__(self, problem: Problem, threads: int | None = None) -> None:
        super().__init__(problem, threads, maps=False)
        need, free = bytes_needed(problem, self._threads), free_bytes()
        if need > free:
            raise RangeError(
                f"errors of voxels, spectra and images need {need / GB:.2f} GB on {self._threads} threads, "
                f"{free / GB:.2f} GB are free",
                todo="use fewer threads, larger voxels or pixels, or leave voxel_error out",
            )
        self._part = _Sections.of(problem)
        folded = self._part.image - self._part.fold
        self._maps = np.zeros((self._threads, self._part.image), dtype=np.int64)
        self._total = np.zeros(folded, dtype=np.int64)
        self._squares = np.zeros(folded, dtype=np.float32)
        self._n_batches = self._n_groups = 0
        self._kept: list[ArrayF8] = []
        self._n_kept = self._left = 0

    def run(self, first_batch: int, n_batches: int, per_batch: int) -> BatchSums:
        """Run some batches."""
        return self.run_telling(first_batch, n_batches, per_batch, lambda _done: None)

    def run_telling(
        self, first_batch: int, n_batches: int, per_batch: int, tell: Callable[[int], None]
    ) -> BatchSums:
        """Run batches; ``tell`` is called with the number of them that are done, a few times per second."""
        n = len(self._problem.keys)
        energies, primaries, balance = (np.zeros((n_batches, m)) for m in (n, n, 6))
        spans = list(groups(first_batch, n_batches))
        turn = threading.Condition()
        folded, done, stopped = 0, 0, False

        @contextmanager
        def stopping_all() -> Iterator[None]:
            nonlocal stopped
            try:
                yield
            except BaseException:
                with turn:
                    stopped = True
                    turn.notify_all()
                raise

        def work(number: int, thread: int) -> None:
            nonlocal folded, done
            begin, end = spans[number]
            exits: list[ArrayF8] = []
            left = 0
            with stopping_all():
                for batch in range(begin, end):
                    if stopped:
                        return
                    b = slice(batch - first_batch, batch - first_batch + 1)
                    left += self._run_one(
                        thread, batch, per_batch, (energies[b], primaries[b], balance[b]), exits
                    )
                    with turn:
                        done += 1
                with turn:
                    turn.wait_for(lambda: folded == number or stopped)
                    if stopped:
                        return
                    self._fold_group(thread, end - begin, exits, left)
                    folded += 1
                    turn.notify_all()

        # a thread of its own waits for the others, so that this one can tell
        with ThreadPoolExecutor(1) as pool, stopping_all():
            sharing = pool.submit(share_out, len(spans), self._threads, work)
            while wait([sharing], timeout=LOOK_S).not_done:
                tell(done)
            sharing.result()
        tell(n_batches)
        return BatchSums(
            energies_kev=energies / per_batch,
            primaries_kev=primaries / per_batch,
            balance=balance / per_batch,
        )

    def _run_one(
        self,
        thread: int,
        batch: int,
        per_batch: int,
        sums: tuple[ArrayF8, ArrayF8, ArrayF8],
        exits: list[ArrayF8],
    ) -> int:
        """Run one batch; keep its photons that left in ``exits`` and return their number."""
        part, maps = self._part, self._maps[thread]
        asked = self._problem.asked.exits
        count = np.zeros(1 if asked else 0, dtype=np.int64)
        # more than cascades of 20 MeV make; what is not touched takes no memory
        room = min(asked - self._n_kept, EXITS_PER_HISTORY * per_batch + 64)
        rows = np.empty(max(room, 0) * EXIT_NUMBERS)
        self._run_batch(
            batch,
            per_batch,
            *sums,
            maps[: part.voxels],
            maps[part.voxels : part.spectra],
            maps[part.spectra :],
            count,
            rows,
        )
        if not asked:
            return 0
        used = rows[: EXIT_NUMBERS * min(int(count[0]), max(room, 0))]
        exits.append(used.reshape(-1, EXIT_NUMBERS).copy())
        return int(count[0])

    def _fold_group(self, thread: int, size: int, exits: list[ArrayF8], left: int) -> None:
        """Fold a group that is complete; groups come in the order of their numbers."""
        group = self._maps[thread, self._part.fold :]
        _fold(group, self._total, self._squares, float(self._n_batches), float(size), VOXEL_COUNT)
        self._n_batches += size
        self._n_groups += 1
        self._left += left
        for rows in exits:
            kept = rows[: self._problem.asked.exits - self._n_kept]
            self._n_kept += kept.shape[0]
            if kept.size:
                self._kept.append(kept)

    def voxel_counts(self) -> ArrayI8 | None:
        """Return the sums of the dose map over all batches so far, flat, or None if there is no map."""
        n = self._part.voxels
        if n == 0:
            return None
        if self._part.fold == 0:
            return self._total[:n]
        return np.asarray(self._maps[:, :n].sum(axis=0, dtype=np.int64))

    def _std(self, begin: int, end: int, histories: int) -> ArrayF4:
        """Return standard errors per history, flat, of part of the map; NaN from one group."""
        squares = self._squares[begin - self._part.fold : end - self._part.fold]
        degrees = self._n_groups - 1
        factor = math.sqrt(self._n_batches / degrees) / histories if degrees > 0 else math.nan
        out = np.sqrt(squares)
        out *= np.float32(factor)
        return np.asarray(out)

    def _mean(self, begin: int, end: int, histories: int) -> ArrayF8:
        total = self._total[begin - self._part.fold : end - self._part.fold]
        return np.asarray(total * (VOXEL_COUNT / histories))

    def complete(self, tally: Tally) -> Tally:
        """Return the tally with the outputs that were asked for."""
        problem, part, n = self._problem, self._part, tally.histories
        asked = problem.asked
        std_map = spectra = image = space = None
        if asked.voxel_error and problem.voxel_shape is not None:
            std_map = self._std(0, part.voxels, n).reshape(problem.voxel_shape)
            std_map /= np.float32(problem.voxel_volume_cm3)
        if asked.spectra is not None:
            spectra = self._spectra(n)
        if asked.image is not None:
            columns, rows = asked.image.pixels
            # one photon is one count, not 2^20 of them
            unit = 1.0 if asked.image.weigh == "energy" else 1 / VOXEL_COUNT
            image = ExitImage(
                plane=asked.image,
                mean=unit * self._mean(part.spectra, part.image, n).reshape(-1, rows, columns),
                std=unit * self._std(part.spectra, part.image, n).astype(float).reshape(-1, rows, columns),
            )
        if asked.exits and asked.origin_mm is not None:
            listed = np.concatenate([np.zeros((0, EXIT_NUMBERS)), *self._kept])
            space = PhaseSpace.from_rows(
                listed, asked.origin_mm, left=self._left, histories=n, seed=problem.seed
            )
        return replace(tally, voxel_std_kev_g=std_map, spectra=spectra, image=image, phase_space=space)

    def _spectra(self, histories: int) -> FluenceSpectra:
        """Return track lengths over volumes."""
        problem, part = self._problem, self._part
        assert problem.asked.spectra is not None
        assert problem.asked.volume_cm3 is not None
        edges = problem.asked.spectra.edges
        shape = (-1, len(problem.keys), edges.size - 1)
        volume = problem.asked.volume_cm3[None, :, None]
        mean = self._mean(part.voxels, part.spectra, histories).reshape(shape) / volume
        std = self._std(part.voxels, part.spectra, histories).astype(float).reshape(shape) / volume
        both = problem.asked.spectra.primary
        return FluenceSpectra(
            keys=problem.keys,
            edges_kev=edges,
            fluence_per_cm2=mean[0],
            std_per_cm2=std[0],
            primary_per_cm2=mean[1] if both else None,
            primary_std_per_cm2=std[1] if both else None,
        )
