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
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from omnidose.data import user_cache_dir

_ONE = np.float32(1.0)
_LN2 = np.float32(0.6931471805599453)
_SQRT_HALF_BITS = np.int32(0x3F3504F3)
_MANTISSA_BITS = np.int32(23)
_L2 = np.float32(-0.4999999766185066)
_L3 = np.float32(0.333333214591089)
_L4 = np.float32(-0.2500077220697049)
_L5 = np.float32(0.20001968901095024)
_L6 = np.float32(-0.16627600037980886)
_L7 = np.float32(0.14189000304707527)
_L8 = np.float32(-0.13101633823211592)
_L9 = np.float32(0.12821749385382483)
_L10 = np.float32(-0.07866667599907452)

_KERNELS = Path(__file__).parent
_TRANSPORT = _KERNELS.parent


def _jitted_files(folder: Path) -> list[Path]:
    """Return the files whose compiled code depends on each other, for functions of one folder."""
    own = [path for path in folder.glob("*.py") if b"kernels._target import" in path.read_bytes()]
    return sorted({*_KERNELS.glob("*.py"), _TRANSPORT / "_records.py", *own})


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


def jit_apart(function: Callable[..., Any]) -> Any:
    """Compile a scalar function that stays a call: a long one would be compiled again in each caller."""
    return _compile(function, _nrt=False, fastmath={"contract", "reassoc", "nsz", "arcp", "afn"})


def loop_jit(function: Callable[..., Any]) -> Any:
    """Compile a loop over histories for one thread, which calls it without Python's global lock.

    Threads of Python, not a parallel loop of numba's: that compiles the kernels twice, and the process that
    compiled them then runs another copy than those that load the cache: one history in 800 000 rounded
    differently.
    """
    return _compile(function)


@jit
def log(x):  # type: ignore[no-untyped-def]
    """Return the natural logarithm of a positive normal float32 to 1e-7, without a call.

    The library's function would cost more for saving registers around it than for its own work. A polynomial
    for log(1 + m) on [sqrt(1/2) - 1, sqrt(2) - 1], fitted by us, summed in pairs.
    """
    bits = np.float32(x).view(np.int32)
    exponent = np.int32(np.int32(bits - _SQRT_HALF_BITS) >> _MANTISSA_BITS)
    m = np.int32(bits - np.int32(exponent << _MANTISSA_BITS)).view(np.float32) - _ONE
    m2 = m * m
    m4 = m2 * m2
    low = (_L3 + m * _L4) + m2 * (_L5 + m * _L6)
    high = (_L7 + m * _L8) + m2 * (_L9 + m * _L10)
    return m + m2 * (_L2 + m * (low + m4 * high)) + np.float32(exponent) * _LN2


@jit
def tally_add(array, index, count):  # type: ignore[no-untyped-def]
    """Add an integer to a sum that only this thread writes; return what it was."""
    before = array[index]
    array[index] = before + count
    return before


@jit
def energy_add(array, index, kev):  # type: ignore[no-untyped-def]
    """Add an energy to a sum that only this thread writes."""
    array[index] += np.float64(kev)


@intrinsic  # type: ignore[untyped-decorator]
def fetch(typing_context, array, index):  # type: ignore[no-untyped-def]
    """Ask for an element of an array that will be read soon (the processor's prefetch); changes nothing."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array_type = signature.args[0]
        view = context.make_array(array_type)(context, builder, arguments[0])
        position = context.cast(builder, arguments[1], signature.args[1], types.intp)
        place = builder.bitcast(builder.gep(view.data, [position]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
        builder.call(prefetch, [place, number(0), number(3), number(1)])  # to read, to all caches, data
        return context.get_dummy_value()

    return types.void(array, index), generate
