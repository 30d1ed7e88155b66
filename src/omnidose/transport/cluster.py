"""Many machines: batches as tasks of a Dask cluster, the same result to the last bit.

Nothing here looks for a cluster: a client is given, or an address that the user wrote. Dask sends pickles,
which are programs: see docs/howto/cluster.md for what that means.
"""

from __future__ import annotations

import math
import queue
import time
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from omnidose.errors import InputError, OmnidoseError
from omnidose.transport import workers
from omnidose.transport.problem import Problem
from omnidose.transport.runner import ArrayI8, BatchSums, LocalRunner, join
from omnidose.transport.workers import difference, identity

if TYPE_CHECKING:
    from distributed import Client, Future

#: A task is worth so many seconds: the scheduler needs about a millisecond for it, and a lost worker loses
#: it. A task that brings a dose map should last longer, for the map is added up after it.
TASK_S, MAP_TASK_S = 2.0, 8.0
#: Scheduler and client take 4 ms of a core for a task (measured); with tasks longer than this times the
#: number of threads they are busy for half of the time.
TASK_S_PER_THREAD = 0.008
#: Making, adding and freeing a map goes at about so many bytes per second: a task is not shorter than that.
MAP_BYTES_PER_S = 1e8
#: Tasks for each thread of the workers: one that runs, and one that waits so that none idles.
WAITING = 2
#: Maps of different workers that are added in one task.
FAN_IN = 8
#: Topic of the scheduler's log under which each task says that it begins (``client.get_events``).
TOPIC = "omnidose"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """What one task brings.

    Attributes
    ----------
    seconds_s
        Time that the batches took.
    voxel_counts
        Sums of the dose map over these batches, or None.
    """

    sums: BatchSums
    worker: str
    seconds_s: float
    voxel_counts: ArrayI8 | None


def run_piece(
    problem: Problem, first_batch: int, n_batches: int, per_batch: int, expected: dict[str, str]
) -> Piece:
    """Run some batches on one thread of a worker (runs there, as a task).

    Raises
    ------
    InputError
        If the worker joined later and has another version.
    """
    from distributed import get_worker

    worker = get_worker()
    if found := difference(expected, identity()):
        raise InputError(f"worker {worker.address} has {found}", where="cluster")
    about = {"key": str(worker.get_current_task()), "n_batches": n_batches, "worker": worker.address}
    worker.log_event(TOPIC, about)
    runner = LocalRunner(problem, threads=1)
    tick = time.perf_counter()
    sums = runner.run(first_batch, n_batches, per_batch)
    return Piece(
        sums=sums,
        worker=worker.address,
        seconds_s=time.perf_counter() - tick,
        voxel_counts=runner.voxel_counts(),
    )


def _without_map(piece: Piece) -> Piece:
    return Piece(sums=piece.sums, worker=piece.worker, seconds_s=piece.seconds_s, voxel_counts=None)


def _add_maps(*parts: Piece | ArrayI8) -> ArrayI8:
    """Return the sum of dose maps; integers, so their order does not matter."""
    maps = [part.voxel_counts if isinstance(part, Piece) else part for part in parts]
    total = np.array(maps[0], dtype=np.int64)
    for counts in maps[1:]:
        assert counts is not None
        total += counts
    return total


@dataclass(slots=True, kw_only=True, eq=False)
class _Span:
    """A task under way: batches ``begin`` to ``begin + size - 1``.

    Attributes
    ----------
    whole, part
        Futures of all that the task brings, and of what of it comes back to the client.
    sending
        Number of the sending of the problem that it depends on.
    """

    begin: int
    size: int
    whole: Future
    part: Future
    sending: int


@dataclass(slots=True, kw_only=True, eq=False)
class _WorkerMap:
    """The sum of the dose maps that one worker made, and which batches are in it, as (begin, size)."""

    total: Future
    spans: list[tuple[int, int]]


class ClusterRunner:
    """The workers of a Dask cluster.

    The problem is sent to every worker once. All tasks are pure: what a lost worker held Dask runs again
    elsewhere, and nothing else. Dose maps stay on the workers, added up worker by worker, and only their sum
    comes back. If all workers are lost, the problem is sent again to those that come.

    Parameters
    ----------
    problem
        What to run.
    client
        A connected client whose workers were checked (:func:`omnidose.transport.workers.check_workers`).
    task_s
        Seconds that a task should take; None: ``TASK_S``, or ``MAP_TASK_S`` with a dose map. No result
        depends on it.
    """

    def __init__(self, problem: Problem, client: Client, *, task_s: float | None = None) -> None:
        self._client = client
        self._problem = problem
        self._has_map = problem.voxel_shape is not None
        self._task_s = task_s if task_s is not None else (MAP_TASK_S if self._has_map else TASK_S)
        self._run_key = f"omnidose-{uuid.uuid4().hex[:8]}"
        self._expected = identity()
        self._batch_s = 0.0
        self._per_batch = 0
        self._threads: dict[str, int] = {}
        self._asked_s = -math.inf
        self._maps: dict[str, _WorkerMap] = {}
        #: Batches whose dose map went down with all workers.
        self._lost: list[tuple[int, int]] = []
        self._sent: Future | None = None
        self._sending = 0

    @property
    def width(self) -> int:
        """Number of threads of all workers."""
        return max(1, sum(self._workers().values()))

    def _workers(self) -> dict[str, int]:
        """Return the workers and their threads, asking the scheduler about once per second."""
        if time.monotonic() - self._asked_s > 1.0:
            self._threads, self._asked_s = dict(self._client.nthreads()), time.monotonic()
        return self._threads

    def run(self, first_batch: int, n_batches: int, per_batch: int) -> BatchSums:
        """Run some batches."""
        return self.run_telling(first_batch, n_batches, per_batch, lambda _done: None)

    def run_telling(
        self, first_batch: int, n_batches: int, per_batch: int, tell: Callable[[int], None]
    ) -> BatchSums:
        """Run some batches; ``tell`` is called with the number that is done whenever a task ends.

        Raises
        ------
        OmnidoseError
            If Dask gave up on a task, or all workers were lost and no new one came.
        """
        begin, end = first_batch, first_batch + n_batches
        self._per_batch = per_batch

        def take() -> tuple[int, int] | None:
            nonlocal begin
            if begin == end:
                return None
            size = self._size(end - begin)
            begin += size
            return begin - size, size

        pieces = self._drive(take, tell)
        return join([pieces[key] for key in sorted(pieces)])

    def _drive(
        self, take: Callable[[], tuple[int, int] | None], tell: Callable[[int], None]
    ) -> dict[int, BatchSums]:
        """Run the spans that ``take`` gives until it gives None; return their sums by first batch."""
        pieces: dict[int, BatchSums] = {}
        waiting: dict[int, _Span] = {}
        ended: queue.SimpleQueue[int] = queue.SimpleQueue()
        done, more = 0, True
        try:
            while more or waiting:
                while more and len(waiting) < WAITING * self.width:
                    span = take()
                    more = span is not None
                    if span is not None:
                        waiting[span[0]] = self._submit(*span, ended)
                if not waiting:
                    break
                span_ = waiting.pop(self._next(ended))
                piece = self._result(span_.part)
                if piece is None:
                    if span_.sending == self._sending:  # the problem is gone, and with it all that needs it
                        self._sent = None
                    waiting[span_.begin] = self._submit(span_.begin, span_.size, ended)
                    continue
                pieces[span_.begin] = piece.sums
                self._batch_s = piece.seconds_s / span_.size
                if self._has_map:
                    self._keep_map(piece.worker, span_)
                done += span_.size
                tell(done)
        finally:
            if waiting:
                self._client.cancel([f for span in waiting.values() for f in (span.whole, span.part)])
        return pieces

    def _size(self, left: int) -> int:
        """Return the batches of the next task: ``task_s`` long, shorter at the end; at first it is 1."""
        if self._batch_s <= 0:
            return 1
        task_s = max(self._task_s, TASK_S_PER_THREAD * self.width)
        wanted = min(task_s / self._batch_s, left / (WAITING * self.width))
        if self._problem.voxel_shape is not None:
            wanted = max(wanted, 8 * math.prod(self._problem.voxel_shape) / MAP_BYTES_PER_S / self._batch_s)
        return max(1, min(left, math.floor(wanted)))

    def _submit(self, begin: int, size: int, ended: queue.SimpleQueue[int]) -> _Span:
        """Send a task, after the problem where it is not on the workers."""
        if self._sent is None:
            self._wait_for_workers()
            self._sent = self._client.scatter(self._problem, broadcast=True, hash=False)
            self._sending += 1
        key = f"{self._run_key}-{self._sending}-{begin}"
        whole = self._client.submit(
            run_piece, self._sent, begin, size, self._per_batch, self._expected, key=key, pure=False
        )
        part = whole
        if self._has_map:
            part = self._client.submit(_without_map, whole, key=f"{key}-sums", pure=False, priority=10)
        part.add_done_callback(lambda _future: ended.put(begin))
        return _Span(begin=begin, size=size, whole=whole, part=part, sending=self._sending)

    def _keep_map(self, worker: str, span: _Span) -> None:
        """Add a task's map to those that the same worker made: if it is lost, only its own are run again."""
        parts, spans = [span.whole], [(span.begin, span.size)]
        before = self._maps.get(worker)
        if before is not None and before.total.status == "cancelled":
            self._lost += before.spans
        elif before is not None:
            parts.insert(0, before.total)
            spans = before.spans + spans
        total = self._client.submit(_add_maps, *parts, key=f"{span.whole.key}-map", pure=False, priority=10)
        self._maps[worker] = _WorkerMap(total=total, spans=spans)

    def _wait_for_workers(self) -> None:
        deadline_s = time.monotonic() + workers.PATIENCE_S
        while not self._client.nthreads():
            if time.monotonic() > deadline_s:
                raise OmnidoseError(
                    f"the cluster lost all its workers, and none came back within {workers.PATIENCE_S:.0f} s",
                    where="cluster",
                    todo="start workers and run again",
                )
            time.sleep(0.1)

    def _next(self, ended: queue.SimpleQueue[int]) -> int:
        """Wait for a task to end; give up if there is no worker left for a while."""
        while True:
            try:
                return ended.get(timeout=1.0)
            except queue.Empty:
                self._wait_for_workers()

    def _result(self, future: Future) -> Any:
        """Return a result, or None if what it needs went down with all workers.

        Errors of omnidose are raised as they are, others in a sentence.
        """
        try:
            return future.result()
        except OmnidoseError:
            raise
        except CancelledError:
            return None
        except Exception as error:
            raise OmnidoseError(
                f"a task of the cluster failed: {type(error).__name__}: {error}",
                where="cluster",
                todo="look at the workers' logs; a worker without enough memory is a common cause",
            ) from error

    def voxel_counts(self) -> ArrayI8 | None:
        """Return the sums of the dose map over all batches so far, added up by the workers."""
        if not self._has_map:
            return None
        while True:
            for worker, kept in list(self._maps.items()):
                if kept.total.status == "cancelled":
                    self._lost += self._maps.pop(worker).spans
            if self._lost:
                again, self._lost = iter(self._lost), []
                self._drive(lambda again=again: next(again, None), lambda _done: None)  # type: ignore[misc]
                continue
            level = [kept.total for kept in self._maps.values()]
            while len(level) > 1:
                level = [
                    self._client.submit(_add_maps, *level[i : i + FAN_IN], pure=False)
                    for i in range(0, len(level), FAN_IN)
                ]
            while not level[0].done():
                self._wait_for_workers()
                time.sleep(0.02)
            counts = self._result(level[0])
            if counts is not None:
                return np.asarray(counts, dtype=np.int64)
