"""``CudaRunner``: the same kernels on an NVIDIA GPU.

The kernel modules import each other and ``_target`` by relative names. Here they are loaded a second time, as
``omnidose.transport.kernels_cuda``, beside a ``_target`` whose ``jit`` and sums mean CUDA.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import time
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from omnidose.data import user_cache_dir
from omnidose.errors import DependencyError, RangeError
from omnidose.transport import kernels
from omnidose.transport.problem import Problem
from omnidose.transport.runner import ArrayI8, BatchSums

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
#: Room left on the card for local memory of threads, code and other programs.
RESERVE_BYTES = 512 << 20
GB = 1e9


@cache
def missing() -> str:
    """Return why no GPU can be used, in words; empty if one can."""
    try:
        from numba import config, cuda
    except ImportError:
        return f"numba.cuda is not installed; {INSTALL}"
    if config.ENABLE_CUDASIM:
        return "the CUDA simulator is switched on"
    if not cuda.is_available():
        return "no NVIDIA GPU with a working driver"
    try:
        from numba.cuda.cudadrv import nvvm

        compiler = bool(nvvm.is_available())
    except (ImportError, OSError):
        compiler = False
    return "" if compiler else f"the CUDA compiler is not installed; {INSTALL}"


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


def cache_folder() -> Path | None:
    """Return the folder for compiled code, named after all that goes into it; None if it cannot be written.

    The compiler's own key knows the outer function only, not the functions that it calls.
    """
    import numba
    from numba import cuda

    digest = hashlib.sha256(f"{numba.__version__} {cuda.__file__}".encode())
    folder = Path(__file__).parent
    for path in sorted([*Path(kernels.__path__[0]).glob("*.py"), *folder.glob("_*.py")]):
        digest.update(path.read_bytes())
    where = user_cache_dir() / "kernels" / f"cuda-{digest.hexdigest()[:12]}"
    try:
        where.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return where


def bytes_needed(problem: Problem, n_batches: int) -> int:
    """Return the memory on the card that a problem takes, with what is kept free (bytes)."""
    records = (problem.geometry, problem.beam, problem.physics)
    arrays = sum(a.nbytes for record in records for a in record if isinstance(a, np.ndarray))
    cells = int(np.prod(problem.voxel_shape)) if problem.voxel_shape is not None else 0
    return arrays + 8 * cells + 8 * n_batches * (2 * len(problem.keys) + 6) + RESERVE_BYTES


def free_bytes() -> float:
    """Return the free memory of the current GPU (bytes)."""
    from numba import cuda

    return float(cuda.current_context().get_memory_info().free)


def multiprocessors() -> int:
    """Return the number of multiprocessors of the current GPU."""
    from numba import config, cuda

    return 1 if config.ENABLE_CUDASIM else int(cuda.get_current_device().MULTIPROCESSOR_COUNT)


def upload(record: Any) -> Any:
    """Return a record with its arrays on the card."""
    from numba import cuda

    return type(record)(*(cuda.to_device(a) if isinstance(a, np.ndarray) else a for a in record))


class _Sums(NamedTuple):
    """Exact sums of a run, as Python integers."""

    energies: Any
    primaries: Any
    balance: Any


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
    """

    def __init__(self, problem: Problem) -> None:
        from numba import config, cuda

        if missing() and not config.ENABLE_CUDASIM:
            raise DependencyError(f"no histories can run on a GPU here: {missing()}", todo="use backend='cpu'")
        need, free = bytes_needed(problem, self.width), free_bytes()
        if need > free:
            raise RangeError(
                f"the problem needs {need / GB:.2f} GB on the GPU, {free / GB:.2f} GB are free",
                todo="use backend='cpu' or larger voxels",
            )
        self._problem = problem
        self._kernel = load_kernel()
        self._multiprocessors = multiprocessors()
        self._records = tuple(upload(r) for r in (problem.beam, problem.geometry, problem.physics))
        cells = int(np.prod(problem.voxel_shape)) if problem.voxel_shape is not None else 0
        self._voxels = cuda.to_device(np.zeros(cells, dtype=np.int64))
        self._launch = FIRST_LAUNCH

    @property
    def width(self) -> int:
        """Number of batches that run side by side: enough to fill the card at 20 000 histories each."""
        return 64

    def run(self, first_batch: int, n_batches: int, per_batch: int) -> BatchSums:
        """Run some batches, in launches of about a second."""
        from omnidose.transport._cuda_target import COUNTS_PER_KEV

        n = len(self._problem.keys)
        total = _Sums(*(np.zeros((n_batches, m), dtype=object) for m in (n, n, 6)))
        begin, bound = 0, self._histories_without_overflow()
        while begin < per_batch:
            step = max(1, min(self._launch // n_batches, bound, per_batch - begin))
            tick = time.perf_counter()
            sums = self._run_launch(first_batch, n_batches, per_batch, begin, begin + step)
            seconds = max(time.perf_counter() - tick, 1e-4)
            for whole, part in zip(total, sums, strict=True):
                whole += part.astype(object)
            begin += step
            # the first launch may have compiled: never shrink below it, and grow gently
            rate = step * n_batches / seconds
            self._launch = int(min(max(FIRST_LAUNCH, rate * LAUNCH_S), 8 * self._launch))
        per_kev = COUNTS_PER_KEV * per_batch
        balance = total.balance.astype(np.float64) / per_batch
        balance[:, :4] /= COUNTS_PER_KEV
        return BatchSums(
            energies_kev=total.energies.astype(np.float64) / per_kev,
            primaries_kev=total.primaries.astype(np.float64) / per_kev,
            balance=balance,
        )

    def _histories_without_overflow(self) -> int:
        """Return the histories of one batch in a launch that cannot overflow its sums, with room of 64."""
        from omnidose.transport._cuda_target import COUNTS_PER_KEV

        physics = self._problem.physics
        max_kev = float(np.exp(physics.ln_energy_0 + (physics.n_energy - 1) / physics.inv_d_ln_energy))
        return max(1, int(2.0**63 / COUNTS_PER_KEV / max_kev / 64))

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
