"""Who runs the batches of a problem: threads of this process here; other backends have the same face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from omnidose.transport.problem import TRACED, Problem
from omnidose.transport.tally import Tally
from omnidose.transport.threads import share_out, thread_count

ArrayF8 = npt.NDArray[np.float64]
ArrayI8 = npt.NDArray[np.int64]

#: Stored value of one count in the voxel map: keV/(g/cm3) per count.
VOXEL_COUNT = 2.0**-20
_NONE = np.zeros(0, dtype=np.int64)
_NO_EXITS = np.zeros(0, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchSums:
    """What some batches in a row brought: means per history in each batch.

    Attributes
    ----------
    energies_kev, primaries_kev
        [n_batches, n_region].
    balance
        [n_batches, 6] emitted, deposited, escaped, expected-value total (keV), tentative and real collisions.
    """

    energies_kev: ArrayF8
    primaries_kev: ArrayF8
    balance: ArrayF8


class Runner(Protocol):
    """Runs batches by number. The same batch has the same bits wherever it runs."""

    @property
    def width(self) -> int:
        """Number of batches that run side by side."""

    def run(self, first_batch: int, n_batches: int, per_batch: int) -> BatchSums:
        """Run batches ``first_batch`` to ``first_batch + n_batches - 1``."""

    def voxel_counts(self) -> ArrayI8 | None:
        """Return the sums of the dose map over all batches so far, flat, or None if there is no map."""


@runtime_checkable
class TellingRunner(Runner, Protocol):
    """A runner that divides the work itself and tells how far it is."""

    def run_telling(
        self, first_batch: int, n_batches: int, per_batch: int, tell: Callable[[int], None]
    ) -> BatchSums:
        """Run batches like ``run``; ``tell`` is called with the number of them that are done."""


class LocalRunner:
    """Threads of this process: one batch after the other on each."""

    def __init__(self, problem: Problem, threads: int | None = None, *, maps: bool = True) -> None:
        from omnidose.transport import cpu
        from omnidose.transport.placement import side_by_side

        self._problem = side_by_side(problem)
        self._run = cpu.run_batches
        self._threads = thread_count(threads)
        cells = int(np.prod(problem.voxel_shape)) if maps and problem.voxel_shape is not None else 0
        self._voxels = np.zeros((self._threads, cells), dtype=np.int64)

    @property
    def width(self) -> int:
        """Number of threads."""
        return self._threads

    def run(self, first_batch: int, n_batches: int, per_batch: int) -> BatchSums:
        """Run some batches."""
        energies = np.zeros((n_batches, len(self._problem.keys)))
        primaries = np.zeros((n_batches, len(self._problem.keys)))
        balance = np.zeros((n_batches, 6))

        def work(b: int, thread: int) -> None:
            self._run_batch(
                first_batch + b, per_batch, energies[b : b + 1], primaries[b : b + 1], balance[b : b + 1],
                self._voxels[thread],
            )  # fmt: skip

        share_out(n_batches, self._threads, work)
        return BatchSums(
            energies_kev=energies / per_batch,
            primaries_kev=primaries / per_batch,
            balance=balance / per_batch,
        )

    def _run_batch(
        self,
        batch: int,
        per_batch: int,
        energies: ArrayF8,
        primaries: ArrayF8,
        balance: ArrayF8,
        voxels: ArrayI8,
        spectra: ArrayI8 = _NONE,
        image: ArrayI8 = _NONE,
        exit_count: ArrayI8 = _NONE,
        exits: ArrayF8 = _NO_EXITS,
    ) -> None:
        problem = self._problem
        self._run(
            batch,
            1,
            per_batch,
            np.uint64(problem.seed),
            problem.method,
            problem.beam,
            problem.geometry,
            problem.room,
            1 if problem.method.estimator == TRACED else None,
            problem.importance,
            problem.physics,
            energies,
            primaries,
            balance,
            voxels,
            spectra,
            image,
            exit_count,
            exits,
        )

    def voxel_counts(self) -> ArrayI8 | None:
        """Return the sums over all threads (integers: the order does not matter)."""
        if self._problem.voxel_shape is None:
            return None
        if self._threads == 1:
            return np.asarray(self._voxels[0])
        return np.asarray(self._voxels.sum(axis=0, dtype=np.int64))


def join(sums: Sequence[BatchSums]) -> BatchSums:
    """Return the batches of several runs in a row as one."""
    return BatchSums(
        energies_kev=np.concatenate([s.energies_kev for s in sums]),
        primaries_kev=np.concatenate([s.primaries_kev for s in sums]),
        balance=np.concatenate([s.balance for s in sums]),
    )


def collect(
    problem: Problem,
    sums: Sequence[BatchSums],
    per_batch: int,
    counts: ArrayI8 | None,
    *,
    stopped: str = "histories",
    message: str = "",
) -> Tally:
    """Put batches, in order, into a tally."""
    balance = np.concatenate([s.balance for s in sums])
    histories = balance.shape[0] * per_batch
    voxel_dose = None
    if counts is not None and problem.voxel_shape is not None:
        scale = VOXEL_COUNT / histories / problem.voxel_volume_cm3
        # rounded once, as product in double precision, but without an array of doubles
        voxel_dose = np.empty(problem.voxel_shape, dtype=np.float32)
        np.multiply(counts.reshape(problem.voxel_shape), scale, out=voxel_dose, casting="unsafe")
    totals = balance.sum(axis=0) * per_batch
    return Tally(
        keys=problem.keys,
        mass_g=problem.mass_g,
        histories=histories,
        batch_energy_kev=np.concatenate([s.energies_kev for s in sums]),
        batch_primary_kev=np.concatenate([s.primaries_kev for s in sums]),
        batch_analog_kev=balance[:, :4],
        voxel_dose_kev_g=voxel_dose,
        seed=problem.seed,
        counters={"tentative": float(totals[4]), "collisions": float(totals[5])},
        stopped=stopped,
        message=message,
    )
