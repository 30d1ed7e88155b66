"""What the kernels' ``_target`` means on CUDA (see ``omnidose.transport.cuda``).

Energies are summed as 64-bit integers: integer sums have no order, so the same batch has the same bits for
any number of threads and for any split into launches.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import cuda

from omnidose.data import user_cache_dir
from omnidose.transport import kernels
from omnidose.transport.cuda import COUNTS_PER_KEV

i64 = np.int64

_SCALE = np.float32(COUNTS_PER_KEV)
_HALF = np.float32(0.5)
#: Registers of a thread. Unbound the history takes 120 to 128, which leaves four blocks of 128 threads on a
#: multiprocessor; with this bound it is six, for 116 to 256 bytes of spilled registers. Not tuned yet.
MAX_REGISTERS = 80


def cache_folder() -> Path | None:
    """Return the folder for compiled code, named after all that goes into it; None if it cannot be written.

    The compiler's own key knows the file of the outer function only, not the functions that it calls.
    """
    digest = hashlib.sha256(f"{numba.__version__} {cuda.__file__} {MAX_REGISTERS}".encode())
    folder = Path(__file__).parent
    for path in sorted([*Path(kernels.__path__[0]).glob("*.py"), *folder.glob("_*.py")]):
        digest.update(path.read_bytes())
    where = user_cache_dir() / "kernels" / f"cuda-{digest.hexdigest()[:12]}"
    try:
        where.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return where


def kernel(function: Callable[..., Any]) -> Any:
    """Compile an outer function, that which a launch starts."""
    if numba.config.ENABLE_CUDASIM:
        return cuda.jit(function)
    where = cache_folder()
    if where is not None:
        from numba.cuda.core import config

        config.CACHE_DIR = str(where)
    return cuda.jit(function, fastmath=True, max_registers=MAX_REGISTERS, cache=where is not None)


def jit(function: Callable[..., Any]) -> Any:
    """Compile a scalar function for the device (typed wrapper around numba.cuda.jit)."""
    return cuda.jit(function, device=True, fastmath=True)


jit_apart = jit


@jit
def log(x):  # type: ignore[no-untyped-def]
    """Return the natural logarithm of a positive float32: the card computes it in a few instructions."""
    return math.log(x)


@jit
def tally_add(array, index, count):  # type: ignore[no-untyped-def]
    """Add an integer to a sum that all threads share; return what it was."""
    return cuda.atomic.add(array, index, count)


@jit
def energy_add(array, index, kev):  # type: ignore[no-untyped-def]
    """Add an energy to a sum that all threads share, as whole counts of 2^-30 keV."""
    cuda.atomic.add(array, index, i64(kev * _SCALE + _HALF))


@jit
def fetch(array, index):  # type: ignore[no-untyped-def]
    """Do nothing: a card hides the way to memory behind its other threads."""
