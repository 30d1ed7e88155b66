"""The loops around the kernels on the CPU: batches of histories, and passes over voxels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnidose.transport._records import Sums
from omnidose.transport.kernels._target import jit, loop_jit
from omnidose.transport.kernels.history import REALS, STACK_COLUMNS, SUMS, WHOLES, begin, step
from omnidose.transport.kernels.importance import STACK

#: Histories that one thread has under way: while a voxel of one comes from memory, the others go on.
UNDER_WAY = 16
#: Voxels (of 4 bytes) up to which one history after the other is faster.
CACHED_VOXELS = 250_000


@loop_jit
def run_batches(  # type: ignore[no-untyped-def]
    first_batch,
    n_batches,
    per_batch,
    seed,
    method,
    beam,
    geo,
    room,
    tracing,
    importance,
    phys,
    energies,
    primaries,
    balance,
    voxels,
    spectra,
    image,
    exit_count,
    exits,
):
    """Run batches ``first_batch …`` on this thread; histories have numbers: any split gives the same bits.

    ``energies``, ``primaries`` [n_batches, n_region] and ``balance`` [n_batches, 6] belong to one
    batch each; ``voxels``, ``spectra`` and ``image`` are integers, so that sums over threads have no order.
    ``exits`` is filled in the order of the histories.
    """
    slots = np.empty(UNDER_WAY, dtype=np.int64)
    reals = np.empty((UNDER_WAY, REALS), dtype=np.float32)
    wholes = np.zeros((UNDER_WAY, WHOLES), dtype=np.int64)
    sums = np.empty((UNDER_WAY, SUMS), dtype=np.float64)
    stack = np.empty((UNDER_WAY, STACK, STACK_COLUMNS), dtype=np.float32)
    for b in range(n_batches):
        tally = Sums(energies[b], primaries[b], balance[b], voxels, spectra, image, exit_count, exits)
        start = np.int64(first_batch + b) * np.int64(per_batch)
        pause = geo.word.size > CACHED_VOXELS and tally.exit_count.size == 0
        n_slots = min(UNDER_WAY if pause else 1, per_batch)
        for k in range(n_slots):
            slots[k] = k
            begin(np.uint64(start + k), seed, beam, reals[k], wholes[k], sums[k], stack[k])
        begun = n_slots
        while n_slots > 0:  # one step of each in turn
            turn = 0
            while turn < n_slots:
                k = slots[turn]
                if step(
                    pause,
                    seed,
                    method,
                    geo,
                    room,
                    tracing,
                    importance,
                    phys,
                    tally,
                    reals[k],
                    wholes[k],
                    sums[k],
                    stack[k],
                ):
                    turn += 1
                    continue
                if begun == per_batch:  # no more to begin
                    n_slots -= 1
                    k = slots[n_slots]
                    slots[turn] = k
                    continue
                begin(np.uint64(start + begun), seed, beam, reals[k], wholes[k], sums[k], stack[k])
                begun += 1


@jit
def _cell_densities(material, density, offset, per_cell, out):  # type: ignore[no-untyped-def]
    nz, ny, nx = material.shape
    for k in range(nz):
        c = (k + offset[2]) // per_cell[2]
        for j in range(ny):
            b = (j + offset[1]) // per_cell[1]
            for i in range(nx):
                a = (i + offset[0]) // per_cell[0]
                m = material[k, j, i]
                if density[k, j, i] > out[c, b, a, m]:
                    out[c, b, a, m] = density[k, j, i]


def cell_densities(
    material: npt.NDArray[np.uint8],
    density: npt.NDArray[np.float32],
    offset: npt.NDArray[np.int64],
    per_cell: npt.NDArray[np.int64],
    out: npt.NDArray[np.float32],
) -> None:
    """Raise ``out`` [nz, ny, nx, n_material] to the largest density of each material in each cell."""
    _cell_densities(material, density, offset, per_cell, out)
