"""``CudaRunner``: the same kernels on an NVIDIA GPU.

The kernel modules import each other and ``_target`` by relative names. Here they are loaded a second time, as
``omnidose.transport.kernels_cuda``, beside a ``_target`` whose ``jit`` and sums mean CUDA.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
import warnings
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from omnidose.errors import DependencyError, InputError, RangeError
from omnidose.transport import kernels
from omnidose.transport.problem import TRACED, Problem
from omnidose.transport.runner import ArrayI8, BatchSums, join

ALIAS = "omnidose.transport.kernels_cuda"
INSTALL = "install it with: pip install omnidose[cuda]"
#: Threads in a block, and blocks for every multiprocessor that a launch may have.
BLOCK = 128
BLOCKS_PER_MULTIPROCESSOR = 32
#: Every thread should have at least so many histories before more threads are started.
HISTORIES_PER_THREAD = 4
#: A launch should take about so long: progress, interrupts, and systems that end long launches.
LAUNCH_S = 1.0
FIRST_LAUNCH = 1 << 18
#: Batches in a launch: few would let many threads add to the same sums, many take memory.
LEAST_ROWS, MOST_ROWS = 64, 4096
#: Counts per keV in the sums of regions. A float32 times a power of two is exact.
COUNTS_PER_KEV = 2.0**30
#: Room left on the card for local memory of threads, code and other programs.
RESERVE_BYTES = 512 << 20
GB = 1e9


@cache
def missing() -> str:
    """Return why no GPU can be used, in words; empty if one can."""
    from numba import config

    if config.ENABLE_CUDASIM:
        return "the CUDA simulator is switched on"
    if importlib.util.find_spec("numba_cuda") is None:  # before anything is imported that takes time
        return f"numba-cuda is not installed; {INSTALL}"
    from numba import cuda

    if not cuda.is_available():
        return "there is no NVIDIA GPU with a working driver"
    return missing_compiler()


def missing_compiler() -> str:
    """Return what the compiler for CUDA lacks, in words; empty if it is complete. Needs no GPU."""
    from numba import cuda

    if getattr(cuda, "implementation", "") != "NVIDIA":  # numba's own cuda is no longer developed
        return f"numba-cuda is not installed; {INSTALL}"
    try:
        from numba.cuda.cudadrv import nvvm

        return "" if nvvm.is_available() else f"the compiler NVVM is not installed; {INSTALL}"
    except (ImportError, OSError) as error:
        return f"the compiler NVVM cannot be loaded ({error}); {INSTALL}"


def available() -> bool:
    """Return whether this process can run histories on an NVIDIA GPU."""
    return not missing()


def load_kernel() -> Any:
    """Return the outer kernel; the kernel modules are loaded for CUDA at the first call."""
    from omnidose.transport import _cuda_target

    if ALIAS not in sys.modules:
        package = ModuleType(ALIAS, "The kernel modules, loaded again for CUDA.")
        package.__path__ = list(kernels.__path__)
        sys.modules[ALIAS] = package
        sys.modules[f"{ALIAS}._target"] = _cuda_target
        package._target = _cuda_target  # type: ignore[attr-defined]
    return importlib.import_module("omnidose.transport._cuda_loop").run_batches


def bytes_needed(problem: Problem) -> int:
    """Return the memory on the card that a problem takes, with what is kept free (bytes)."""
    records = (problem.method, problem.beam, problem.geometry, problem.physics)
    arrays = sum(a.nbytes for record in records for a in record if isinstance(a, np.ndarray))
    cells = int(np.prod(problem.voxel_shape)) if problem.voxel_shape is not None else 0
    return arrays + 8 * cells + 8 * MOST_ROWS * (2 * len(problem.keys) + 6) + RESERVE_BYTES


def free_bytes() -> float:
    """Return the free memory of the current GPU (bytes)."""
    from numba import cuda

    return float(cuda.current_context().get_memory_info().free)


def multiprocessors() -> int:
    """Return the number of multiprocessors of the current GPU."""
    from numba import config, cuda

    return 1 if config.ENABLE_CUDASIM else int(cuda.get_current_device().MULTIPROCESSOR_COUNT)


def device_name() -> str:
    """Return the name of the current GPU."""
    from numba import cuda

    name = cuda.get_current_device().name
    return name.decode() if isinstance(name, bytes) else str(name)


def upload(record: Any) -> Any:
    """Return a record with its arrays on the card."""
    from numba import cuda

    return type(record)(*(cuda.to_device(a) if isinstance(a, np.ndarray) else a for a in record))


class CudaRunner:
    """One NVIDIA GPU.

    Parameters
    ----------
    problem
        What to run; its arrays are copied to the card once.

    Raises
    ------
    DependencyError
        If there is no GPU, no driver or no compiler.
    RangeError
        If the problem does not fit in the free memory of the card.
    InputError
        If the problem asks for more than energies of regions and a dose map.
    """

    def __init__(self, problem: Problem) -> None:
        from numba import config, cuda

        reason = "" if config.ENABLE_CUDASIM else missing()
        if reason:
            raise DependencyError(f"nothing can run on a GPU here: {reason}", todo="use backend='cpu'")
        if problem.asked.anything:
            raise InputError(
                "errors of voxels, spectra, images and phase spaces are not made on a GPU",
                todo="use backend='cpu', or leave them out",
            )
        if problem.room is not None or problem.importance is not None or problem.method.estimator == TRACED:
            raise InputError(
                "rooms, importance and traced primaries are not made on a GPU",
                todo="use backend='cpu', or leave them out",
            )
        need, free = bytes_needed(problem), free_bytes()
        if need > free:
            raise RangeError(
                f"the problem needs {need / GB:.2f} GB on the GPU, {free / GB:.2f} GB are free",
                todo="use backend='cpu' or larger voxels",
            )
        self._problem = problem
        self._kernel = load_kernel()
        self._multiprocessors = multiprocessors()
        self._records = tuple(
            upload(r) for r in (problem.method, problem.beam, problem.geometry, problem.physics)
        )
        cells = int(np.prod(problem.voxel_shape)) if problem.voxel_shape is not None else 0
        self._voxels = cuda.to_device(np.zeros(cells, dtype=np.int64))
        self._launch = FIRST_LAUNCH

    @property
    def width(self) -> int:
        """Number of batches that run side by side at least."""
        return LEAST_ROWS

    def run(self, first_batch: int, n_batches: int, per_batch: int) -> BatchSums:
        """Run some batches, in launches of about a second."""
        return self.run_telling(first_batch, n_batches, per_batch, lambda _done: None)

    def run_telling(
        self, first_batch: int, n_batches: int, per_batch: int, tell: Callable[[int], None]
    ) -> BatchSums:
        """Run some batches; ``tell`` is called after every launch with the number of batches done."""
        done, parts = 0, []
        while done < n_batches:
            rows = min(max(self._launch // per_batch, LEAST_ROWS), MOST_ROWS, n_batches - done)
            parts.append(self._run_rows(first_batch + done, rows, per_batch, tell, done))
            done += rows
        return join(parts)

    def _run_rows(
        self, first_batch: int, rows: int, per_batch: int, tell: Callable[[int], None], done: int
    ) -> BatchSums:
        """Run batches side by side, in as many launches as they need."""
        n = len(self._problem.keys)
        # Python's integers: the sums of all launches are exact and never overflow
        total = [np.zeros((rows, m), dtype=object) for m in (n, n, 6)]
        begin, bound = 0, self._histories_without_overflow()
        while begin < per_batch:
            step = max(1, min(self._launch // rows, bound, per_batch - begin))
            tick = time.perf_counter()
            sums = self._run_launch(first_batch, rows, per_batch, begin, begin + step)
            rate = step * rows / max(time.perf_counter() - tick, 1e-4)
            # the first launch may have compiled: never below it, and no leaps above
            self._launch = int(min(max(FIRST_LAUNCH, rate * LAUNCH_S), 8 * self._launch))
            for whole, part in zip(total, sums, strict=True):
                whole += part.astype(object)
            begin += step
            tell(done + rows * begin // per_batch)
        energies, primaries, balance = (t.astype(np.float64) / per_batch for t in total)
        return BatchSums(
            energies_kev=energies / COUNTS_PER_KEV,
            primaries_kev=primaries / COUNTS_PER_KEV,
            balance=balance / COUNTS_PER_KEV,
        )

    def _histories_without_overflow(self) -> int:
        """Return the histories of one batch in a launch that cannot overflow its sums.

        A region takes up a photon's energy at most, on average; a medium may take up several times more
        than the voxels do: room of 64. Collisions are counted in the same units; ten thousand of
        them per history do not occur.
        """
        physics = self._problem.physics
        max_kev = float(np.exp(physics.ln_energy_0 + (physics.n_energy - 1) / physics.inv_d_ln_energy))
        return max(1, int(2.0**63 / COUNTS_PER_KEV / max(64 * max_kev, 1e4)))

    def _run_launch(
        self, first_batch: int, n_batches: int, per_batch: int, begin: int, end: int
    ) -> tuple[ArrayI8, ArrayI8, ArrayI8]:
        """Run histories ``begin`` to ``end - 1`` of every batch; return integer sums."""
        from numba import cuda

        n = len(self._problem.keys)
        sums = [cuda.to_device(np.zeros((n_batches, m), dtype=np.int64)) for m in (n, n, 6)]
        wanted = -(-(end - begin) * n_batches // HISTORIES_PER_THREAD)
        blocks = min(-(-max(wanted, n_batches) // BLOCK), self._multiprocessors * BLOCKS_PER_MULTIPROCESSOR)
        blocks = max(blocks, -(-n_batches // BLOCK))
        with warnings.catch_warnings():
            # a small run leaves most of the card idle; numba would tell the user how to launch kernels
            warnings.filterwarnings("ignore", "Grid size")
            self._kernel[blocks, BLOCK](
                np.int64(first_batch),
                np.int64(per_batch),
                np.int64(begin),
                np.int64(end),
                np.uint64(self._problem.seed),
                *self._records,
                *sums,
                self._voxels,
            )
        energies, primaries, balance = (s.copy_to_host() for s in sums)
        return energies, primaries, balance

    def voxel_counts(self) -> ArrayI8 | None:
        """Return the sums of the dose map."""
        if self._problem.voxel_shape is None:
            return None
        return np.asarray(self._voxels.copy_to_host())
