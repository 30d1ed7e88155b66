"""What happens at a collision: Compton, Rayleigh, photoelectric absorption with fluorescence.

References: Kahn/Butcher-Messel composition for Klein-Nishina as in EGS4, SLAC-265 (1985).
"""

import math

import numpy as np

from ._target import jit
from .random import four

i32 = np.int32
f32 = np.float32
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_TWO = np.float32(2.0)
_TINY = np.float32(1e-20)
_MEC2 = np.float32(510.99895)
_INV_HC = np.float32(1.0 / 12.398419843)  # 1/(keV Angstrom)


@jit
def energy_bin(phys, energy):
    """Return the bin and the fraction inside it on the logarithmic energy grid."""
    a = (math.log(energy) - phys.ln_energy_0) * phys.inv_d_ln_energy
    last = i32(phys.n_energy - 2)
    i = min(max(i32(a), i32(0)), last)
    return i, min(max(a - f32(i), _ZERO), _ONE)


@jit
def mass_coefficient(phys, m, i, a, column):
    """Return a column of the photon table by linear interpolation in ln E."""
    return phys.rows[m, i, column] * (_ONE - a) + phys.rows[m, i + 1, column] * a


@jit
def scattering_function(phys, m, x):
    """Return S(x)/S_max of a material by interpolation in ln x."""
    if x < _TINY:
        return _ZERO
    a = (math.log(x) - phys.incoherent_ln_x0) * phys.incoherent_inv_d_ln_x
    if a < _ZERO:
        # S rises as x^2 near 0
        return phys.incoherent[m, 0] * math.exp(_TWO * a / phys.incoherent_inv_d_ln_x)
    n = phys.incoherent.shape[1]
    i = min(i32(a), i32(n - 2))
    a = min(a - f32(i), _ONE)
    return phys.incoherent[m, i] * (_ONE - a) + phys.incoherent[m, i + 1] * a


@jit
def compton(phys, m, energy, history, block, seed):
    """Return the scattered energy, the polar cosine and the next block (Klein-Nishina x S(x))."""
    k = energy / _MEC2
    eps0 = _ONE / (_ONE + _TWO * k)
    eps0sq = eps0 * eps0
    alpha1 = -math.log(eps0)
    alpha2 = _HALF * (_ONE - eps0sq)
    share = alpha1 / (alpha1 + alpha2)
    eps = _ONE
    t = _ZERO
    s_max = scattering_function(phys, m, energy * _INV_HC)  # S rises with x: largest at 180 degrees
    for _ in range(100000):
        r1, r2, r3, _r4 = four(history, block, seed)
        block += 1
        if r1 < share:
            eps = math.exp(-alpha1 * r2)
        else:
            eps = math.sqrt(eps0sq + (_ONE - eps0sq) * r2)
        t = min(max((_ONE - eps) / (k * eps), _ZERO), _TWO)
        sin2 = t * (_TWO - t)
        g = _ONE - eps * sin2 / (_ONE + eps * eps)
        if r3 < g:
            x = energy * _INV_HC * math.sqrt(_HALF * t)
            if r3 * s_max < g * scattering_function(phys, m, x):
                break
    return energy * eps, _ONE - t, block


@jit
def rayleigh(phys, m, energy, history, block, seed):
    """Return the polar cosine of coherent scattering (F^2 times Thomson) and the next block."""
    x2_max = energy * _INV_HC
    x2_max *= x2_max
    grid = phys.coherent_x2
    cumulative = phys.coherent_cumulative[m]
    top_bin = i32(0)
    if x2_max > grid[1]:
        top_bin = i32((math.log(x2_max) - phys.coherent_ln_x2_1) * phys.coherent_inv_d_ln_x2) + i32(1)
        top_bin = min(top_bin, i32(grid.shape[0] - 2))
    a = min((x2_max - grid[top_bin]) / (grid[top_bin + 1] - grid[top_bin]), _ONE)
    top = cumulative[top_bin] * (_ONE - a) + cumulative[top_bin + 1] * a
    cosine = _ONE
    for _ in range(10000):
        r1, r2, _r3, _r4 = four(history, block, seed)
        block += 1
        wanted = r1 * top
        low = i32(0)
        high = i32(top_bin + 1)
        while high - low > 1:
            middle = (low + high) >> 1
            if cumulative[middle] <= wanted:
                low = i32(middle)
            else:
                high = i32(middle)
        step = cumulative[low + 1] - cumulative[low]
        a = (wanted - cumulative[low]) / step if step > _ZERO else _ZERO
        x2 = grid[low] + a * (grid[low + 1] - grid[low])
        cosine = max(_ONE - _TWO * x2 / x2_max, -_ONE)
        if _TWO * r2 < _ONE + cosine * cosine:
            break
    return cosine, block


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
    for k in range(phys.vacancy_first[m], phys.vacancy_first[m + 1]):
        if r1 < phys.vacancy_cumulative[k, i] * (_ONE - a) + phys.vacancy_cumulative[k, i + 1] * a:
            line_set = phys.vacancy_set[k]
            break
    if line_set < 0:
        return _ZERO, _ZERO
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
