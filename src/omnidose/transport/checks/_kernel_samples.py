"""The engine's sampling kernels called on their own: the one place that knows their signatures."""

import numpy as np

from omnidose.transport.kernels._target import jit
from omnidose.transport.kernels.interactions import compton, energy_bin, fluorescence, rayleigh
from omnidose.transport.kernels.random import four

f32 = np.float32
f64 = np.float64
i32 = np.int32
u64 = np.uint64


@jit
def _count(edges, counts, value):  # type: ignore[no-untyped-def]
    """Add one to the bin that holds a value; the edges rise."""
    low = 0
    high = edges.shape[0] - 1
    while high - low > 1:
        middle = (low + high) // 2
        if edges[middle] <= value:
            low = middle
        else:
            high = middle
    counts[low] += 1


@jit
def count_compton(phys, m, energy, n, seed, edges, counts, sums):  # type: ignore[no-untyped-def]
    """Count 1 - cosine of n Compton scatterings; ``sums``: energy given to the electron, and its square."""
    i, a = energy_bin(phys, f32(energy))
    for k in range(n):
        _r1, _r2, r3, _r4 = four(u64(k), i32(0), u64(seed))
        scattered, t = compton(phys, i32(m), i, a, f32(energy), r3)
        _count(edges, counts, f64(t))
        given = f64(f32(energy)) - f64(scattered)
        sums[0] += given
        sums[1] += given * given


@jit
def count_rayleigh(phys, m, energy, n, seed, edges, counts):  # type: ignore[no-untyped-def]
    """Count 1 - cosine of n coherent scatterings."""
    i, a = energy_bin(phys, f32(energy))
    for k in range(n):
        _r1, _r2, r3, _r4 = four(u64(k), i32(0), u64(seed))
        _count(edges, counts, f64(rayleigh(phys, i32(m), i, a, r3)))


@jit
def sample_lines(phys, m, energy, seed, first, second):  # type: ignore[no-untyped-def]
    """Fill two arrays with the energies of the lines after photoelectric events; 0 is none."""
    i, a = energy_bin(phys, f32(energy))
    for k in range(first.shape[0]):
        r1, r2, r3, _r4 = four(u64(k), i32(0), u64(seed))
        line1, line2 = fluorescence(phys, i32(m), i, a, f32(energy), r1, r2, r3)
        first[k] = line1
        second[k] = line2
