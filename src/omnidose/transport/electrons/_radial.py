# mypy: ignore-errors
"""Electrons from a point in an endless medium, scored in spherical shells. Scalar kernels.

Lengths are masses per area (g/cm2) from the source: the density does not matter.
"""

import math

import numpy as np

from omnidose.transport.electrons._interactions import (
    YIELD,
    choose_event,
    energy_bin,
    knock_apart,
    knock_on,
    large_deflection,
    lumped_cosine,
    photon_energy,
    plan_step,
    put_aside,
    take_up,
    value,
)
from omnidose.transport.electrons._source import draw_energy
from omnidose.transport.kernels._target import jit, loop_jit
from omnidose.transport.kernels.directions import isotropic, rotate
from omnidose.transport.kernels.random import four

f64 = np.float64
i64 = np.int64

_TWO_PI = 6.283185307179586


@jit
def leave(shells, inverse_width, x, y, z, energy):
    """Add energy to the shell of a place; the last shell holds everything beyond."""
    k = i64(math.sqrt(x * x + y * y + z * z) * inverse_width)
    shells[min(k, shells.shape[0] - 1)] += energy


@jit
def follow_radial(history, seed, beam, phys, inverse_width, shells, balance, stack):
    """Follow one electron from the origin and all that it sets free.

    What a straight flight leaves is put at a random place on it: the mean is the same as if it were spread.
    """
    r1, r2, r3, r4 = four(history, 0, seed)
    block = 1
    energy = draw_energy(beam, r3, r4)
    u, v, w = isotropic(f64(r1), f64(r2))
    x = 0.0
    y = 0.0
    z = 0.0
    balance[0] += energy
    waiting = 0
    while True:
        while True:
            if energy <= phys.absorb:
                i, a = energy_bin(phys, max(energy, 1e-3))
                gone = energy * value(phys, 0, i, a, YIELD)
                leave(shells, inverse_width, x, y, z, energy - gone)
                balance[1] += energy - gone
                balance[2] += gone
                break
            r1, r2, r3, r4 = four(history, block, seed)
            q1, q2, q3, q4 = four(history, block + 1, seed)
            p1, p2, _p3, _p4 = four(history, block + 2, seed)
            block += 3
            length, event, loss, radiated, first, second, bound = plan_step(phys, 0, energy, f64(r1), f64(r3))
            hinge = f64(r2) * length
            kept = loss * (1.0 - radiated)
            balance[1] += kept
            balance[2] += loss - kept
            t = f64(p1) * hinge
            leave(shells, inverse_width, x + u * t, y + v * t, z + w * t, kept * f64(r2))
            x += u * hinge
            y += v * hinge
            z += w * hinge
            cosine = lumped_cosine(first, second, length, f64(r4))
            u, v, w = rotate(u, v, w, cosine, _TWO_PI * f64(q1))
            rest = length - hinge
            t = f64(p2) * rest
            leave(shells, inverse_width, x + u * t, y + v * t, z + w * t, kept * (1.0 - f64(r2)))
            x += u * rest
            y += v * rest
            z += w * rest
            energy = max(energy - loss, 0.0)
            if not event or energy <= phys.absorb:
                continue
            i, a = energy_bin(phys, energy)
            kind = choose_event(phys, 0, i, a, energy, bound, f64(q2))
            if kind == 1:
                cosine, block = large_deflection(phys, 0, i, a, f64(q3), history, block, seed)
                u, v, w = rotate(u, v, w, cosine, _TWO_PI * f64(q4))
            elif kind == 3:
                k = photon_energy(phys, 0, energy, f64(q3), f64(q4))
                energy -= k
                balance[2] += k
            elif kind == 2:
                free, block = knock_on(energy, phys.knock_on_cut, history, block, seed)
                su, sv, sw, u, v, w = knock_apart(energy, free, u, v, w, q4)
                put_aside(stack[waiting], x, y, z, u, v, w, energy - free)
                waiting += 1
                u = su
                v = sv
                w = sw
                energy = free
        if waiting == 0:
            return
        waiting -= 1
        x, y, z, u, v, w, energy = take_up(stack[waiting])


@loop_jit
def run_radial(batch, per_batch, seed, beam, phys, inverse_width, shells, balance):
    """Run one batch on this thread; ``shells`` [n_shell] and ``balance`` [3] belong to it alone."""
    stack = np.empty((64, 7), dtype=np.float64)
    start = np.int64(batch) * np.int64(per_batch)
    for k in range(per_batch):
        follow_radial(np.uint64(start + k), seed, beam, phys, inverse_width, shells, balance, stack)
