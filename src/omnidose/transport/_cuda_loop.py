"""The loop around the kernels on CUDA: every thread runs histories of one batch."""

from __future__ import annotations

import importlib

import numpy as np
from numba import cuda

from omnidose.transport import _cuda_target
from omnidose.transport._records import Sums

i64 = np.int64
u64 = np.uint64

# the kernels' second life; ``omnidose.transport.cuda`` made this package before it imported this module
_history = importlib.import_module("omnidose.transport.kernels_cuda.history")
begin, step = _history.begin, _history.step
REALS, WHOLES, SUMS = _history.REALS, _history.WHOLES, _history.SUMS
STACK, STACK_COLUMNS = _history.STACK, _history.STACK_COLUMNS


@_cuda_target.kernel
def run_batches(  # type: ignore[no-untyped-def]
    first_batch,
    per_batch,
    start,
    stop,
    seed,
    method,
    beam,
    geo,
    phys,
    energies,
    primaries,
    balance,
    voxels,
):
    """Run histories ``start`` to ``stop - 1`` of every batch ``first_batch …``.

    ``energies``, ``primaries`` [n_batches, n_region] and ``balance`` [n_batches, 6] are integers: counts of
    2^-30 keV (and of 2^-30 collisions). ``voxels`` [n_voxels or 0].

    The arrays of the records are the kernel's parameters: 3.9 kB of them, of the 32 kB that CUDA allows
    since 12.1 (4 kB before).
    """
    n_batches = energies.shape[0]
    thread = cuda.grid(1)
    batch = thread % n_batches  # neighbours add to sums of different batches
    lane = thread // n_batches
    lanes = cuda.gridsize(1) // n_batches
    if lane >= lanes:
        return
    reals = cuda.local.array(REALS, np.float32)
    wholes = cuda.local.array(WHOLES, np.int64)
    sums = cuda.local.array(SUMS, np.float64)
    stack = cuda.local.array((STACK, STACK_COLUMNS), np.float32)
    none = voxels[:0]  # spectra, image and exits are not made here yet
    tally = Sums(energies[batch], primaries[batch], balance[batch], voxels, none, none, none, sums[:0])
    first = i64(first_batch + batch) * i64(per_batch)
    for k in range(start + lane, stop, lanes):
        begin(u64(first + k), seed, beam, reals, wholes, sums, stack)
        step(False, seed, method, geo, None, None, None, phys, tally, reals, wholes, sums, stack)
