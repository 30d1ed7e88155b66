"""What ``jit``, ``tally_add`` and ``energy_add`` mean on CUDA (see ``omnidose.transport.cuda``).

Energies are summed as 64-bit integers: integer sums have no order, so the same batch has the same bits for
any number of threads and for any split into launches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda

i64 = np.int64

#: Counts per keV in the sums of regions. A float32 times a power of two is exact.
COUNTS_PER_KEV = 2.0**30
_SCALE = np.float32(COUNTS_PER_KEV)
_HALF = np.float32(0.5)


def jit(function: Callable[..., Any]) -> Any:
    """Compile a scalar function for the device (typed wrapper around numba.cuda.jit)."""
    return cuda.jit(function, device=True, fastmath=True)


@jit
def tally_add(array, index, count):  # type: ignore[no-untyped-def]
    """Add an integer to a sum that all threads share."""
    cuda.atomic.add(array, index, count)


@jit
def energy_add(sums, index, kev):  # type: ignore[no-untyped-def]
    """Add an energy (float32, keV) to a sum that all threads share."""
    cuda.atomic.add(sums, index, i64(kev * _SCALE + _HALF))
