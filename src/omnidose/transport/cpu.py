"""The loops around the kernels on the CPU: batches of histories, and passes over voxels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnidose.transport.kernels._target import jit, loop_jit
from omnidose.transport.kernels.history import follow


@loop_jit
def run_batches(  # type: ignore[no-untyped-def]
    first_batch, n_batches, per_batch, seed, beam, geo, phys, energies, primaries, analog, voxels
):
    """Run batches ``first_batch …`` on this thread; histories have numbers: any split gives the same bits.

    ``energies``, ``primaries`` [n_batches, n_region] and ``analog`` [n_batches, 6] belong to one
    batch each; ``voxels`` [n_voxels] are integers, so that sums over threads have no order.
    """
    stack = np.empty((8, 7), dtype=np.float32)
    for b in range(n_batches):
        start = np.int64(first_batch + b) * np.int64(per_batch)
        for k in range(per_batch):
            history = np.uint64(start + k)
            follow(history, seed, beam, geo, phys, energies[b], primaries[b], analog[b], voxels, stack)


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
