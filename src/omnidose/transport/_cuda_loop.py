"""The loop around the kernels on CUDA: every thread runs histories of one batch."""

from __future__ import annotations

import importlib

import numpy as np
from numba import cuda

from omnidose.transport import _cuda_target
from omnidose.transport.cuda import COUNTS_PER_KEV

i64 = np.int64
u64 = np.uint64
f64 = np.float64
_COUNTS = np.float64(COUNTS_PER_KEV)
_HALF = np.float64(0.5)
_ONE = np.float64(1.0)
_ZERO = np.float64(0.0)

# the kernels' second life; ``omnidose.transport.cuda`` made this package before it imported this module
follow = importlib.import_module("omnidose.transport.kernels_cuda.history").follow


@_cuda_target.kernel
def run_batches(  # type: ignore[no-untyped-def]
    first_batch, per_batch, begin, end, seed, beam, geo, phys, energies, primaries, balance, voxels
):
    """Run histories ``begin`` to ``end - 1`` of every batch ``first_batch …``.

    ``energies``, ``primaries`` [n_batches, n_region] and ``balance`` [n_batches, 6] are integers: counts of
    2^-30 keV, in the last two columns of ``balance`` plain counts. ``voxels`` [n_voxels or 0].
    """
    n_batches = energies.shape[0]
    thread = cuda.grid(1)
    batch = thread % n_batches  # neighbours add to sums of different batches
    lane = thread // n_batches
    lanes = cuda.gridsize(1) // n_batches
    if lane >= lanes:
        return
    stack = cuda.local.array((8, 7), np.float32)
    analog = cuda.local.array(6, np.float64)
    sums = cuda.local.array(6, np.int64)
    for q in range(6):
        sums[q] = i64(0)
    start = i64(first_batch + batch) * i64(per_batch)
    for k in range(begin + lane, end, lanes):
        for q in range(6):
            analog[q] = _ZERO
        follow(
            u64(start + k),
            seed,
            beam,
            geo,
            phys,
            energies[batch],
            primaries[batch],
            analog,
            voxels,
            stack,
        )
        # in integers history by history: which thread ran it must not matter
        for q in range(6):
            sums[q] += i64(analog[q] * (_COUNTS if q < 4 else _ONE) + _HALF)
    for q in range(6):
        cuda.atomic.add(balance, (batch, q), sums[q])
