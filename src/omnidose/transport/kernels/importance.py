"""Importance of places: photons are split or thinned out where they collide, and aimed at small, far targets.

What of a scattering goes straight into a ball around a target is aimed there.
From every Compton or coherent scattering outside a ball, photons of small weight are sent into it; the
scattered photon itself ends where it would enter. An aimed photon counts from the ball on, and ends where it
collides before. So no photon of large weight appears in the ball, and the mean stays.

Reference: the DXTRAN sphere of MCNP, here without the attenuation to the ball, which chance decides.
"""

import math

import numpy as np

from ._target import jit
from .directions import deflect
from .interactions import compton, mass_coefficient, rayleigh
from .random import four
from .tracking import cell_of

i32 = np.int32
u32 = np.uint32
f32 = np.float32
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_TWO = np.float32(2.0)
_PI = np.float32(math.pi)
_BIG = np.float32(1e30)
_HALF = np.float32(0.5)
_SMALL = np.float32(1e-4)
_TWO_MEC2 = np.float32(1021.9979)

#: ``past`` of a photon that ends at the next ball, and of one that counts from it on.
STOPPED, AIMED = 2, 3
#: Photons that wait at most: cascades make two lines and a pair, a positron two photons, and importance
#: copies and aimed ones, which leave some places free.
STACK = 64
KEPT_FREE = np.int32(8)
#: A photon is split into this many at most at one collision.
_MOST_COPIES = np.float32(16.0)
#: Aimed photons of one scattering and one ball at most.
MOST_AIMED = 8


@jit
def split(importance, x, y, z, weight, waiting, history, block, seed):
    """Return (copies, weight of each, block) of a photon that collides at a place of some importance.

    Heavier than the place wants: copies that share the weight, and collide each on its own. Much lighter:
    roulette.
    """
    cx = cell_of(importance, 0, x)
    cy = cell_of(importance, 1, y)
    cz = cell_of(importance, 2, z)
    wanted = importance.photons[u32((cz * importance.n_cell[1] + cy) * importance.n_cell[0] + cx)]
    ratio = weight * wanted
    if ratio >= _TWO:
        places = f32(STACK - waiting - KEPT_FREE)
        copies = i32(max(min(min(ratio, _MOST_COPIES), places), _ONE))
        return copies, weight / f32(copies), block
    if ratio > _HALF:
        return i32(1), weight, block
    r1, _r2, _r3, _r4 = four(history, block, seed)
    block += 1
    if r1 < ratio:
        return i32(1), weight / ratio, block
    return i32(0), weight, block


@jit
def next_ball(importance, x, y, z, u, v, w):
    """Return the first ball ahead (of those that the point is not in; -1: none) and the distance to it."""
    best = _BIG
    found = i32(-1)
    for k in range(importance.ball.shape[0]):
        dx = importance.ball[k, 0] - x
        dy = importance.ball[k, 1] - y
        dz = importance.ball[k, 2] - z
        forward = dx * u + dy * v + dz * w
        if forward > _ZERO:
            # from the point of closest approach: differences of squares of far points lose digits
            ex = dx - forward * u
            ey = dy - forward * v
            ez = dz - forward * w
            root = importance.ball[k, 3] - (ex * ex + ey * ey + ez * ez)
            if root > _ZERO:
                t = forward - math.sqrt(root)
                if _ZERO < t < best:
                    best = t
                    found = i32(k)
    return found, best


@jit
def scatters(phys, m, i, a, energy, r):
    """Return whether the random number of a collision means Compton or coherent scattering."""
    if r < mass_coefficient(phys, m, i, a, 2):
        return False
    return energy <= _TWO_MEC2 or r < mass_coefficient(phys, m, i, a, 4)


@jit
def towards(u, v, w, cosine, dx, dy, dz, distance, cos_ball, r):
    """Return a direction at a polar angle from (u, v, w) in the cone of a ball, and its share of azimuths.

    A share of 0: no azimuth of this polar angle leads into the cone.
    """
    axis = (dx * u + dy * v + dz * w) / distance
    axis = min(max(axis, -_ONE), _ONE)
    sine = math.sqrt(max(_ZERO, _ONE - cosine * cosine))
    sine_axis = math.sqrt(max(_ZERO, _ONE - axis * axis))
    product = sine * sine_axis
    if product < _SMALL:  # straight on, or the ball lies straight ahead or behind: all azimuths or none
        if cosine * axis < cos_ball:
            return _ZERO, u, v, w
        nu, nv, nw = deflect(u, v, w, _ONE - cosine, r)
        return _ONE, nu, nv, nw
    need = (cos_ball - cosine * axis) / product
    if need >= _ONE:
        return _ZERO, u, v, w
    half = _PI if need <= -_ONE else f32(math.acos(need))
    phi = (_TWO * r - _ONE) * half
    across = sine * math.cos(phi) / sine_axis
    up = sine * math.sin(phi) / sine_axis
    tu = dx / distance
    tv = dy / distance
    tw = dz / distance
    nu = cosine * u + across * (tu - axis * u) + up * (v * tw - w * tv)
    nv = cosine * v + across * (tv - axis * v) + up * (w * tu - u * tw)
    nw = cosine * w + across * (tw - axis * w) + up * (u * tv - v * tu)
    norm = _ONE / math.sqrt(nu * nu + nv * nv + nw * nw)
    return half / _PI, nu * norm, nv * norm, nw * norm


@jit
def aim(
    importance, phys, m, i, a, process, x, y, z, u, v, w, energy, weight, waiting, stack, history, block, seed
):
    """Put aimed photons of one scattering on the stack; return (waiting, block).

    ``process`` is the random number that chose the scattering, (u, v, w) and ``energy`` are those before it.
    """
    for k in range(importance.ball.shape[0]):
        dx = importance.ball[k, 0] - x
        dy = importance.ball[k, 1] - y
        dz = importance.ball[k, 2] - z
        radius2 = importance.ball[k, 3]
        distance2 = dx * dx + dy * dy + dz * dz
        if distance2 <= radius2:
            continue
        distance = math.sqrt(distance2)
        wanted = importance.ball[k, 4]
        number = weight * wanted * math.sqrt(radius2) / (distance * _PI)
        number = i32(min(number, f32(MOST_AIMED - 1))) + 1
        share = weight / f32(number)
        cos_ball = math.sqrt(_ONE - radius2 / distance2)
        for _photon in range(number):
            q1, q2, q3, _q4 = four(history, block, seed)
            block += 1
            if process < mass_coefficient(phys, m, i, a, 3):
                after, t = compton(phys, m, i, a, energy, q1)
            else:
                after, t = energy, rayleigh(phys, m, i, a, q1)
            if after < phys.cutoff:
                continue
            part, nu, nv, nw = towards(u, v, w, _ONE - t, dx, dy, dz, distance, cos_ball, q2)
            light = max(share * part, _ONE / wanted)
            if q3 * light < share * part:
                first, _t = next_ball(importance, x, y, z, nu, nv, nw)
                if first == k:
                    stack[waiting, 0] = x
                    stack[waiting, 1] = y
                    stack[waiting, 2] = z
                    stack[waiting, 3] = nu
                    stack[waiting, 4] = nv
                    stack[waiting, 5] = nw
                    stack[waiting, 6] = after
                    stack[waiting, 7] = f32(AIMED)
                    stack[waiting, 8] = light
                    waiting += 1
    return waiting, block
