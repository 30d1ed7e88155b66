# mypy: ignore-errors
"""What happens to an electron: lumped losses and deflections, and the single events. Scalar kernels."""

import math

import numpy as np

from omnidose.transport.kernels._target import jit
from omnidose.transport.kernels.directions import rotate
from omnidose.transport.kernels.random import four

f64 = np.float64
i64 = np.int64

_MC2 = 510.99895
_TWO_PI = 6.283185307179586

# columns of ElectronPhysics.rows as in _records.py, of which the compile cache does not know when it changes
_SOFT_STOPPING = 0
_SOFT_RADIATED = 1
_STRAGGLING = 2
_TOTAL_BOUND = 3
_ELASTIC = 4
_KNOCK_ON = 5
_PHOTON = 6
_SOFT_FIRST = 7
_SOFT_SECOND = 8
RANGE = 9
YIELD = 10
_ANGLE_CUT = 11
_SCREENING = 12
_MOTT = 13
_MOTT_BOUND = 18


@jit
def energy_bin(phys, energy):
    """Return the row and the fraction behind it on the logarithmic energy grid."""
    a = (math.log(energy) - phys.ln_energy_0) * phys.inv_d_ln_energy
    i = min(max(i64(a), 0), phys.n_energy - 2)
    return i, min(max(a - i, 0.0), 1.0)


@jit
def value(phys, m, i, a, column):
    """Return a column by linear interpolation in ln E."""
    return phys.rows[m, i, column] * (1.0 - a) + phys.rows[m, i + 1, column] * a


@jit
def lumped_loss(mean, variance, r):
    """Return a random loss with the mean and the variance of many small losses, never negative.

    Uniform where that can have the variance, else nothing or uniform (F. Salvat, PENELOPE, NEA/MBDAV/R
    (2019), section 4.2.1): the sums over steps tend to a normal distribution in either case.
    """
    if variance * 3.0 <= mean * mean:
        return mean + math.sqrt(3.0 * variance) * (2.0 * r - 1.0)
    square = mean * mean
    none = (3.0 * variance - square) / (3.0 * variance + 3.0 * square)
    if r < none:
        return 0.0
    return (r - none) / (1.0 - none) * (3.0 * variance + 3.0 * square) / (2.0 * mean)


@jit
def lumped_cosine(first, second, length, r):
    """Return the cosine of the deflection by many small ones, with the right first two moments.

    The moments are exact for any length (Goudsmit and Saunderson, Phys. Rev. 57 (1940) 24; Lewis, Phys. Rev.
    78 (1950) 526); the distribution that has them consists of two uniform pieces in (1 - cos)/2.
    """
    mean = 0.5 * (1.0 - math.exp(-length * first))
    square = mean - (1.0 - math.exp(-length * second)) / 6.0
    middle = 1.0 - 2.0 * mean
    if middle < 1e-6:
        return 1.0 - 2.0 * r
    edge = max(2.0 * mean - 3.0 * square, 0.0) / middle
    edge = min(edge, 1.0)
    share = middle + edge
    if r < share:
        mu = edge * r / share
    else:
        mu = edge + (1.0 - edge) * (r - share) / (1.0 - share)
    return 1.0 - 2.0 * min(mu, 1.0)


@jit
def large_deflection(phys, m, i, a, r, history, block, seed):
    """Return the cosine of a single large deflection (screened Mott) and the next block."""
    low = value(phys, m, i, a, _ANGLE_CUT)
    shield = value(phys, m, i, a, _SCREENING)
    bound = value(phys, m, i, a, _MOTT_BOUND)
    c1 = value(phys, m, i, a, _MOTT)
    c2 = value(phys, m, i, a, _MOTT + 1)
    c3 = value(phys, m, i, a, _MOTT + 2)
    c4 = value(phys, m, i, a, _MOTT + 3)
    c5 = value(phys, m, i, a, _MOTT + 4)
    mu = low
    test = -1.0
    for attempt in range(1000):
        if attempt & 1 == 0:
            q1, q2, q3, q4 = four(history, block, seed)
            block += 1
            if attempt == 0:
                q3 = q1
                test = f64(q2)
                q1 = r
            else:
                test = f64(q2)
        else:
            q1 = q3
            test = f64(q4)
        mu = 1.0 / ((1.0 - f64(q1)) / (low + shield) + f64(q1) / (1.0 + shield)) - shield
        mu = min(max(mu, 0.0), 1.0)
        root = math.sqrt(2.0 * mu)
        ratio = 1.0 + root * (c1 + root * (c2 + root * (c3 + root * (c4 + root * c5))))
        if test * bound < ratio:
            break
    return 1.0 - 2.0 * mu, block


@jit
def knock_on(energy, cut, history, block, seed):
    """Return the energy of the electron set free in a single collision, and the next block (Moller)."""
    gamma = energy / _MC2 + 1.0
    a = (gamma - 1.0) / gamma
    a *= a
    low = cut / energy
    k = low
    for _ in range(1000):
        q1, q2, q3, q4 = four(history, block, seed)
        block += 1
        k = 1.0 / ((1.0 - f64(q1)) / low + f64(q1) * 2.0)
        t = k / (1.0 - k)
        if f64(q2) * (1.0 + 1.25 * a) < 1.0 + t * t - t + a * (k * k + t):
            break
        k = 1.0 / ((1.0 - f64(q3)) / low + f64(q3) * 2.0)
        t = k / (1.0 - k)
        if f64(q4) * (1.0 + 1.25 * a) < 1.0 + t * t - t + a * (k * k + t):
            break
    return k * energy, block


@jit
def slower_cosine(energy, w):
    """Return the cosine between the incoming electron and the one set free with energy w."""
    return math.sqrt(min(w * (energy + 2.0 * _MC2) / (energy * (w + 2.0 * _MC2)), 1.0))


@jit
def faster_cosine(energy, w):
    """Return the cosine between the incoming electron and itself after losing w."""
    rest = energy - w
    return math.sqrt(min(rest * (energy + 2.0 * _MC2) / (energy * (rest + 2.0 * _MC2)), 1.0))


@jit
def knock_apart(energy, free, u, v, w, r):
    """Return the directions of the electron set free with an energy, and of the one that hit it."""
    azimuth = _TWO_PI * f64(r)
    su, sv, sw = rotate(u, v, w, slower_cosine(energy, free), azimuth)
    u, v, w = rotate(u, v, w, faster_cosine(energy, free), azimuth + 0.5 * _TWO_PI)
    return su, sv, sw, u, v, w


@jit
def put_aside(electron, x, y, z, u, v, w, energy):
    """Write an electron into its row of the stack."""
    electron[0] = x
    electron[1] = y
    electron[2] = z
    electron[3] = u
    electron[4] = v
    electron[5] = w
    electron[6] = energy


@jit
def take_up(electron):
    """Read an electron from its row of the stack."""
    return electron[0], electron[1], electron[2], electron[3], electron[4], electron[5], electron[6]


@jit
def photon_energy(phys, m, energy, r1, r2):
    """Return the energy of a bremsstrahlung photon above the cut-off."""
    a = (math.log(energy) - phys.photon_ln_0) * phys.photon_inv_d_ln
    n_row = phys.photon_table.shape[1]
    i = min(max(i64(a), 0), n_row - 2)
    a = min(max(a - i, 0.0), 1.0)
    last = phys.photon_table.shape[2] - 1
    place = r1 * last
    k = min(i64(place), last - 1)
    b = place - k
    low = phys.photon_table[m, i, k] * (1.0 - b) + phys.photon_table[m, i, k + 1] * b
    high = phys.photon_table[m, i + 1, k] * (1.0 - b) + phys.photon_table[m, i + 1, k + 1] * b
    u = low * (1.0 - a) + high * a
    return min(energy * math.exp(u * math.log(phys.photon_cut / energy)), energy)


@jit
def plan_step(phys, m, energy, r1, r3):
    """Plan a step that starts with an energy.

    Returns the length (g/cm2), whether a single event may end it, the loss, its radiated share, the first
    and second coefficient of the lumped deflection (taken half-way), and the bound of single events.
    """
    i, a = energy_bin(phys, energy)
    stopping = value(phys, m, i, a, _SOFT_STOPPING)
    bound = value(phys, m, i, a, _TOTAL_BOUND)
    limit = min(phys.loss * energy / stopping, phys.step[m])
    length = -math.log(r1) / bound
    event = length < limit
    if not event:
        length = limit
    # a very fast first guess may lose more than there is: the table's lowest energy then
    i, a = energy_bin(phys, max(energy - 0.5 * stopping * length, 1e-3))
    mean = value(phys, m, i, a, _SOFT_STOPPING) * length
    loss = min(lumped_loss(mean, value(phys, m, i, a, _STRAGGLING) * length, r3), energy)
    return (
        length,
        event,
        loss,
        value(phys, m, i, a, _SOFT_RADIATED),
        value(phys, m, i, a, _SOFT_FIRST),
        value(phys, m, i, a, _SOFT_SECOND),
        bound,
    )


@jit
def choose_event(phys, m, i, a, energy, bound, r):
    """Return 1 elastic, 2 collision, 3 photon, or 0 none (the bound was too high)."""
    chosen = r * bound
    elastic = value(phys, m, i, a, _ELASTIC)
    if chosen < elastic:
        return 1
    chosen -= elastic
    collision = value(phys, m, i, a, _KNOCK_ON)
    if chosen < collision:
        if energy > 2.0 * phys.knock_on_cut:
            return 2
        return 0
    chosen -= collision
    if chosen < value(phys, m, i, a, _PHOTON) and energy > phys.photon_cut:
        return 3
    return 0
