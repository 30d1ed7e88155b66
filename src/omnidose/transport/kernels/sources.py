"""Birth of a photon: position, direction and energy from a source's flat record."""

import math

import numpy as np

from ._target import jit
from .directions import isotropic
from .random import four

i32 = np.int32
f32 = np.float32
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_TWO = np.float32(2.0)


@jit
def pick(prob, alias, r):
    """Return an index from Walker's alias table with one uniform."""
    n = prob.shape[0]
    scaled = r * f32(n)
    i = min(i32(scaled), i32(n - 1))
    if scaled - f32(i) < prob[i]:
        return i
    return alias[i]


@jit
def fan_transmission(table, fu, fv):
    """Return the bilinear relative fluence at the fractions (fu, fv) of the aperture."""
    nu, nv = table.shape
    a = min(max(fu * f32(nu) - _HALF, _ZERO), f32(nu - 1))
    b = min(max(fv * f32(nv) - _HALF, _ZERO), f32(nv - 1))
    i = i32(a)
    j = i32(b)
    i2 = min(i + 1, nu - 1)
    j2 = min(j + 1, nv - 1)
    a -= f32(i)
    b -= f32(j)
    low = table[i, j] * (_ONE - a) + table[i2, j] * a
    high = table[i, j2] * (_ONE - a) + table[i2, j2] * a
    return low * (_ONE - b) + high * b


@jit
def emit(beam, history, seed):
    """Return position, direction, energy of a new photon and the number of random blocks used."""
    block = i32(0)
    r1, r2, r3, r4 = four(history, block, seed)
    block += 1
    vectors = beam.vectors
    px = vectors[0, 0]
    py = vectors[0, 1]
    pz = vectors[0, 2]
    row = i32(0)
    if beam.kind == 2:
        u, v, w = isotropic(r1, r2)
        radius = beam.aperture[0]
        if radius > _ZERO:
            q1, q2, q3, _q4 = four(history, block, seed)
            block += 1
            ru, rv, rw = isotropic(q1, q2)
            radius *= math.pow(q3, f32(1.0 / 3.0))
            px += ru * radius
            py += rv * radius
            pz += rw * radius
    else:
        ux = vectors[1, 0]
        uy = vectors[1, 1]
        uz = vectors[1, 2]
        vx = vectors[2, 0]
        vy = vectors[2, 1]
        vz = vectors[2, 2]
        wx = vectors[3, 0]
        wy = vectors[3, 1]
        wz = vectors[3, 2]
        a_u = beam.aperture[0]
        b_u = beam.aperture[1]
        a_v = beam.aperture[2]
        b_v = beam.aperture[3]
        if beam.kind == 1:
            s = a_u + (b_u - a_u) * r1
            t = a_v + (b_v - a_v) * r2
            px += ux * s + vx * t
            py += uy * s + vy * t
            pz += uz * s + vz * t
            u = wx
            v = wy
            w = wz
        else:
            if beam.kind == 3:
                k = pick(beam.segment_prob, beam.segment_alias, r1)
                angle = beam.segments[k, 0] + (beam.segments[k, 1] - beam.segments[k, 0]) * r2
                ca = math.cos(angle)
                sa = math.sin(angle)
                focus = pz
                px += focus * ca
                py += focus * sa
                pz = beam.segments[k, 2] + (beam.segments[k, 3] - beam.segments[k, 2]) * r2
                ux = -sa
                uy = ca
                uz = _ZERO
                vx = _ZERO
                vy = _ZERO
                vz = _ONE
                wx = -ca
                wy = -sa
                wz = _ZERO
            # uniform in solid angle times bow-tie transmission, by rejection on the slope plane
            close_u = _ZERO if a_u <= _ZERO <= b_u else min(abs(a_u), abs(b_u))
            close_v = _ZERO if a_v <= _ZERO <= b_v else min(abs(a_v), abs(b_v))
            near = _ONE + close_u * close_u + close_v * close_v
            s = _ZERO
            t = _ZERO
            n2 = _ONE
            for _ in range(10000):
                q1, q2, q3, _q4 = four(history, block, seed)
                block += 1
                s = a_u + (b_u - a_u) * q1
                t = a_v + (b_v - a_v) * q2
                n2 = _ONE + s * s + t * t
                ratio = near / n2
                accept = ratio * math.sqrt(ratio)
                if beam.transmission.size > 1:
                    accept *= fan_transmission(beam.transmission, q1, q2)
                if q3 < accept:
                    if beam.energy_prob.shape[0] > 1:
                        rows = beam.energy_prob.shape[0]
                        row = min(i32(q1 * f32(rows)), i32(rows - 1))
                    break
            norm = _ONE / math.sqrt(n2)
            u = (wx + ux * s + vx * t) * norm
            v = (wy + uy * s + vy * t) * norm
            w = (wz + uz * s + vz * t) * norm
    k = pick(beam.energy_prob[row], beam.energy_alias[row], r3)
    energy = beam.energy[k] + beam.energy_half_width * (_TWO * r4 - _ONE)
    return px, py, pz, u, v, w, energy, block
