"""What happens at a collision: photoelectric absorption, Compton and Rayleigh scattering.

Angles come from quantile tables; the physics behind them is in :mod:`omnidose.transport.angles`.
"""

import math

import numpy as np

from ._target import jit, log

i32 = np.int32
u32 = np.uint32  # of indices: a signed one would cost a test for negative values
f32 = np.float32
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_TWO = np.float32(2.0)
_NEXT = np.uint32(1)
_MEC2 = np.float32(510.99895)
_TO_COARSE = np.int32(4)  # angles.STRIDE = 2^4 energy steps
_IN_COARSE = np.int32(15)
_PER_STRIDE = np.float32(0.0625)


@jit
def energy_bin(phys, energy):
    """Return the bin and the fraction inside it on the logarithmic energy grid."""
    a = (log(energy) - phys.ln_energy_0) * phys.inv_d_ln_energy
    last = i32(phys.n_energy - 2)
    i = min(max(i32(a), i32(0)), last)
    return i, min(max(a - f32(i), _ZERO), _ONE)


@jit
def mass_coefficient(phys, m, i, a, column):
    """Return a column of the photon table by linear interpolation in ln E."""
    return phys.rows[u32(m), u32(i), column] * (_ONE - a) + phys.rows[u32(m), u32(i) + _NEXT, column] * a


@jit
def quantile(table, m, i, a, r):
    """Return t = 1 - cos(theta) from a table equidistant in the square root of the probability.

    Linear between quantiles, and between the coarse energies around the fine bin ``i`` with fraction ``a``.
    """
    n = i32(table.shape[2] - 1)
    s = math.sqrt(r) * f32(n)
    q = u32(min(i32(s), i32(n - 1)))
    s -= f32(q)
    k = u32(m)
    e = u32(i >> _TO_COARSE)
    f = (f32(i & _IN_COARSE) + a) * _PER_STRIDE
    low = table[k, e, q] * (_ONE - s) + table[k, e, q + _NEXT] * s
    high = table[k, e + _NEXT, q] * (_ONE - s) + table[k, e + _NEXT, q + _NEXT] * s
    return low * (_ONE - f) + high * f


@jit
def compton(phys, m, i, a, energy, r):
    """Return the scattered energy and t = 1 - cos(theta): Klein-Nishina times S(x), electron at rest."""
    t = quantile(phys.compton, m, i, a, r)
    return energy / (_ONE + energy / _MEC2 * t), t


@jit
def rayleigh(phys, m, i, a, r):
    """Return t = 1 - cos(theta) of coherent scattering: Thomson times F^2."""
    return quantile(phys.rayleigh, m, i, a, r)


@jit
def vacancy(phys, k, i, a):
    """Return the cumulative probability of the vacancy entry ``k`` of a material."""
    return (
        phys.vacancy_cumulative[u32(k), u32(i)] * (_ONE - a)
        + phys.vacancy_cumulative[u32(k), u32(i) + _NEXT] * a
    )


@jit
def pick_line(phys, line_set, r):
    """Return the index of the line emitted after a vacancy, or -1 (none that is transported)."""
    for k in range(phys.line_kev.shape[1]):
        if r < phys.line_cumulative[line_set, k]:
            return i32(k)
    return i32(-1)


@jit
def fluorescence(phys, m, i, a, energy, r1, r2, r3):
    """Return the energies of up to two fluorescence photons after a photoelectric event (0 = none)."""
    line_set = i32(-1)
    last = phys.vacancy_first[m + 1] - 1
    if r1 >= vacancy(phys, last, i, a):  # most often none of them
        return _ZERO, _ZERO
    for k in range(phys.vacancy_first[m], last + 1):
        if r1 < vacancy(phys, k, i, a):
            line_set = phys.vacancy_set[k]
            break
    line = pick_line(phys, line_set, r2)
    if line < 0:
        return _ZERO, _ZERO
    first = phys.line_kev[line_set, line]
    second = _ZERO
    line_set = phys.line_next[line_set, line]
    if line_set >= 0:
        line = pick_line(phys, line_set, r3)
        if line >= 0:
            second = phys.line_kev[line_set, line]
    if first + second > energy:  # only inside the bin that holds an edge
        return _ZERO, _ZERO
    return first, second
