"""Many machines: batches as tasks of a Dask cluster, the same result to the last bit.

Nothing here looks for a cluster: a client is given, or an address that the user wrote. Dask sends pickles,
which are programs: see docs/howto/cluster.md for what that means.
"""

from __future__ import annotations

import hashlib
import math
import pickle
import queue
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from omnidose.errors import DependencyError, InputError, OmnidoseError
from omnidose.transport.problem import Problem
from omnidose.transport.runner import ArrayI8, BatchSums, LocalRunner, join

if TYPE_CHECKING:
    from distributed import Client, Future

INSTALL = "pip install 'omnidose[cluster]'"
SCHEMES = ("tcp://", "tls://")
#: A task is worth so many seconds: the scheduler needs about a millisecond for it, and a lost worker loses
#: it. A task that brings a dose map should last longer, for the map is added up after it.
TASK_S, MAP_TASK_S = 2.0, 8.0
#: Tasks for each thread of the workers: one that runs, and one that waits so that none idles.
WAITING = 2
#: Maps of different workers that are added in one task.
FAN_IN = 8
#: Topic of the scheduler's log under which each task says that it begins (``client.get_events``).
TOPIC = "omnidose"
#: How long a run waits for a first or a new worker, and for a scheduler.
PATIENCE_S = 60.0
CONNECT_S = 10.0


@cache
def _kernel_hash() -> str:
    """Return a hash of everything that a worker computes with."""
    here = Path(__file__).parent
    files = [*sorted((here / "kernels").glob("*.py")), here / "_records.py", here / "cpu.py"]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def identity() -> dict[str, str]:
    """Return what must be equal on all machines, and what should be (``processor``)."""
    import numba
    from llvmlite.binding import get_host_cpu_name

    import omnidose

    return {
        "omnidose": omnidose.__version__,
        "kernels": _kernel_hash(),
        "numba": numba.__version__,
        "numpy": np.__version__,
        "processor": str(numba.config.CPU_NAME or get_host_cpu_name()),
    }


def _question() -> Callable[[], dict[str, str]]:
    """Return a function that answers even where omnidose is another version or absent.

    Defined inside a function, it travels by value: the worker needs no module of ours to read it.
    """

    def answer() -> dict[str, str]:
        try:
            import omnidose
        except ImportError:
            return {"omnidose": "not installed"}
        try:
            from omnidose.transport.cluster import identity
        except ImportError:
            return {"omnidose": str(getattr(omnidose, "__version__", "unknown"))}
        return identity()

    return answer


def difference(ours: dict[str, str], theirs: dict[str, str]) -> str:
    """Return in words what differs between two identities, without the processor; empty if nothing does."""
    words = {"kernels": "kernel source"}
    return ", ".join(
        f"{words.get(key, key)} {theirs.get(key, 'unknown')} instead of {value}"
        for key, value in ours.items()
        if key != "processor" and theirs.get(key) != value
    )


def check_workers(client: Client) -> int:
    """Refuse a cluster whose workers would give other numbers; return the number of workers.

    Raises
    ------
    InputError
        If there is no worker, or one has another omnidose, other kernels, another numba or numpy. The message
        names the worker and both versions.

    Notes
    -----
    Other processors are warned about: compiled for another instruction set, sums may differ in the last bits.
    """
    if not hasattr(client, "submit") or not hasattr(client, "run"):
        raise InputError("cluster is no client", where="cluster", allowed="a connected distributed.Client")
    deadline_s = time.monotonic() + PATIENCE_S
    while not client.nthreads():
        if time.monotonic() > deadline_s:
            raise InputError(
                f"the cluster had no worker for {PATIENCE_S:.0f} s",
                where="cluster",
                todo="start some: dask worker ADDRESS --nthreads 1",
            )
        time.sleep(0.1)
    ours = identity()
    answers: dict[str, Any] = client.run(_question(), on_error="return")
    for worker, theirs in sorted(answers.items()):
        if isinstance(theirs, BaseException):
            what = f"worker {worker} cannot say what it runs: {theirs}"
            raise InputError(what, where="cluster") from theirs
        if found := difference(ours, theirs):
            raise InputError(
                f"worker {worker} has {found}",
                where="cluster",
                todo="install the same omnidose, numba and numpy on all machines and start the worker again",
            )
    processors = {answer["processor"] for answer in answers.values()} | {ours["processor"]}
    if len(processors) > 1:
        warnings.warn(
            f"machines with different processors ({', '.join(sorted(processors))}): results may differ in "
            "the last bits with the worker that ran a batch; NUMBA_CPU_NAME=generic everywhere prevents it",
            stacklevel=4,
        )
    return len(answers)


@contextmanager
def connect(address: str) -> Iterator[Client]:
    """Connect to the scheduler that the user named, and leave it at the end.

    Raises
    ------
    DependencyError
        If the extra is not installed.
    InputError
        If the address is none, or no scheduler answers there.
    """
    check_address(address)
    try:
        from distributed import Client
    except ImportError as error:
        raise DependencyError(
            f"a cluster needs the package distributed ({error})", where="--cluster", todo=INSTALL
        ) from None
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise InputError(
            f"no scheduler answers at {address} ({type(error).__name__})",
            where="--cluster",
            todo="start one: dask scheduler",
        ) from error
    try:
        yield client
    finally:
        client.close()


def check_address(address: str) -> None:
    """Refuse what is no address of a scheduler.

    Raises
    ------
    InputError
        With what is allowed.
    """
    host, colon, port = address.partition("://")[2].rpartition(":")
    if not address.startswith(SCHEMES) or not host or not colon or not port.isdigit():
        raise InputError(
            f"'{address}' is no address of a scheduler",
            where="--cluster",
            allowed="tcp://HOST:PORT or, encrypted, tls://HOST:PORT",
        )


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


class ClusterRunner:
    """The workers of a Dask cluster.

    The problem is sent to the scheduler once and from there from worker to worker. All tasks are pure: what a
    lost worker held is run again elsewhere by Dask, and nothing else. Dose maps stay on the workers, added up
    worker by worker, and only their sum comes back.

    Parameters
    ----------
    problem
        What to run.
    client
        A connected client whose workers were checked (:func:`check_workers`).
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
        self._threads: dict[str, int] = {}
        self._asked_s = -math.inf
        #: Future of the sum of the dose maps that each worker made.
        self._maps: dict[str, Future] = {}
        # As the input of a task, not scattered: what is scattered is lost with the last worker that holds it.
        blob = pickle.dumps(problem, protocol=pickle.HIGHEST_PROTOCOL)
        self.problem_bytes = len(blob)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            self._sent = client.submit(pickle.loads, blob, key=f"{self._run_key}-problem", pure=False)

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
        pieces: dict[int, BatchSums] = {}
        waiting: dict[int, tuple[Future, Future]] = {}
        ended: queue.SimpleQueue[int] = queue.SimpleQueue()
        begin, end, done = first_batch, first_batch + n_batches, 0
        try:
            while done < n_batches:
                while begin < end and len(waiting) < WAITING * self.width:
                    size = self._size(end - begin)
                    whole, part = self._submit(begin, size, per_batch)
                    waiting[begin] = (whole, part)
                    part.add_done_callback(lambda _f, key=begin: ended.put(key))
                    begin += size
                key = self._next(ended)
                whole, part = waiting.pop(key)
                piece = self._result(part)
                pieces[key] = piece.sums
                count = piece.sums.balance.shape[0]
                self._batch_s = piece.seconds_s / count
                if self._has_map:
                    self._keep_map(piece.worker, whole)
                done += count
                tell(done)
        finally:
            if waiting:
                self._client.cancel([f for pair in waiting.values() for f in pair])
        return join([pieces[key] for key in sorted(pieces)])

    def _size(self, left: int) -> int:
        """Return the batches of the next task: ``task_s`` long, shorter at the end; at first it is 1."""
        wanted = self._task_s / self._batch_s if self._batch_s > 0 else 1
        return max(1, min(left, math.floor(min(wanted, left / (WAITING * self.width)))))

    def _submit(self, begin: int, size: int, per_batch: int) -> tuple[Future, Future]:
        """Return the futures of a task and of what of it comes back to the client."""
        key = f"{self._run_key}-{begin}"
        whole = self._client.submit(
            run_piece, self._sent, begin, size, per_batch, self._expected, key=key, pure=False
        )
        if not self._has_map:
            return whole, whole
        return whole, self._client.submit(_without_map, whole, key=f"{key}-sums", pure=False, priority=10)

    def _keep_map(self, worker: str, whole: Future) -> None:
        """Add a task's map to those that the same worker made: if it is lost, only its own are run again."""
        parts = [whole] if worker not in self._maps else [self._maps[worker], whole]
        self._maps[worker] = self._client.submit(
            _add_maps, *parts, key=f"{whole.key}-map", pure=False, priority=10
        )

    def _next(self, ended: queue.SimpleQueue[int]) -> int:
        """Wait for a task to end; give up if there is no worker left for a while."""
        alone_s = 0.0
        while True:
            try:
                return ended.get(timeout=1.0)
            except queue.Empty:
                alone_s = 0.0 if self._workers() else alone_s + 1.0
                if alone_s >= PATIENCE_S:
                    raise OmnidoseError(
                        f"the cluster lost all its workers, and none came back within {PATIENCE_S:.0f} s",
                        where="cluster",
                        todo="start workers and run again",
                    ) from None

    def _result(self, future: Future) -> Any:
        """Return a result; errors of omnidose as they are, others in a sentence."""
        try:
            return future.result()
        except OmnidoseError:
            raise
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
        level, round_ = list(self._maps.values()), 0
        while len(level) > 1:
            round_ += 1
            level = [
                self._client.submit(
                    _add_maps,
                    *level[i : i + FAN_IN],
                    key=f"{self._run_key}-total-{uuid.uuid4().hex[:8]}",
                    pure=False,
                )
                for i in range(0, len(level), FAN_IN)
            ]
        return np.asarray(self._result(level[0]), dtype=np.int64)
