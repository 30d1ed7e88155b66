"""What ``jit`` and ``tally_add`` mean on the CPU.

Numba's cache key knows the file of a function but not the functions it calls in other files: the cache
therefore lives in a folder named after a hash of all jitted source.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

from omnidose.data import user_cache_dir

_KERNELS = Path(__file__).parent
_TRANSPORT = _KERNELS.parent


def _jitted_files(folder: Path) -> list[Path]:
    """Return the files whose compiled code depends on each other, for functions of one folder."""
    files = [*_KERNELS.glob("*.py"), _TRANSPORT / "_records.py"]
    return sorted({*files, *folder.glob("*.py")} if folder != _TRANSPORT else {*files, _TRANSPORT / "cpu.py"})


@cache
def _cache_folder(folder: Path) -> Path | None:
    """Return the compile cache for functions of one folder; None where it cannot be written."""
    digest = hashlib.sha256(numba.__version__.encode())
    for path in _jitted_files(folder):
        digest.update(path.read_bytes())
    where = user_cache_dir() / "kernels" / f"cpu-{digest.hexdigest()[:12]}"
    try:
        where.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return where


def _compile(function: Callable[..., Any], **options: Any) -> Any:
    where = _cache_folder(Path(function.__code__.co_filename).parent)
    if where is not None:
        numba.config.CACHE_DIR = str(where)
    return numba.njit(function, cache=where is not None, nogil=True, error_model="numpy", **options)


def jit(function: Callable[..., Any]) -> Any:
    """Compile a scalar function (typed wrapper around numba.njit).

    The kernels allocate nothing: without numba's reference counting (an atomic increment for every
    array of every record at every call) and with all calls inlined they run 2.6 times faster.
    """
    return _compile(
        function, forceinline=True, _nrt=False, fastmath={"contract", "reassoc", "nsz", "arcp", "afn"}
    )


def loop_jit(function: Callable[..., Any]) -> Any:
    """Compile a loop over histories for one thread, which calls it without Python's global lock.

    Threads of Python, not a parallel loop of numba's: that compiles the kernels twice, and the process that
    compiled them then runs another copy than those that load the cache: one history in 800 000 rounded
    differently.
    """
    return _compile(function)


def parallel_jit(function: Callable[..., Any]) -> Any:
    """Compile a function with a prange loop."""
    return _compile(function, parallel=True)


@jit
def tally_add(array, index, value):  # type: ignore[no-untyped-def]
    """Add to a sum that only this thread writes."""
    array[index] += value
