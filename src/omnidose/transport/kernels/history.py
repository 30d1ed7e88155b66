"""One history, from birth to the last deposit."""

import numpy as np

from ._target import jit
from .directions import isotropic, rotate
from .interactions import compton, energy_bin, fluorescence, mass_coefficient, rayleigh
from .random import four
from .scoring import deposit_here
from .sources import emit
from .tracking import fly

f64 = np.float64
_ZERO = np.float32(0.0)
_TWO_PI = np.float32(6.283185307179586)
_MEC2 = np.float32(510.99895)
_TWO_MEC2 = np.float32(1021.9979)


@jit
def push(stack, waiting, x, y, z, u, v, w, energy):
    """Keep a secondary photon for later; the stack holds what any cascade here can make."""
    stack[waiting, 0] = x
    stack[waiting, 1] = y
    stack[waiting, 2] = z
    stack[waiting, 3] = u
    stack[waiting, 4] = v
    stack[waiting, 5] = w
    stack[waiting, 6] = energy
    return waiting + 1


@jit
def follow(history, seed, beam, geo, phys, energies, primaries, analog, voxels, stack):
    """Run one history: emit a photon and follow it and its secondaries to the end."""
    x, y, z, u, v, w, energy, block = emit(beam, history, seed)
    analog[0] += f64(energy)
    first = True
    waiting = 0
    alive = energy >= phys.cutoff
    if not alive:
        analog[2] += f64(energy)
        return
    twin = beam.pair != 0  # the second photon of an annihilation waits at the bottom of the stack
    if twin:
        analog[0] += f64(energy)
        waiting = push(stack, waiting, x, y, z, -u, -v, -w, energy)
    while True:
        i, a = energy_bin(phys, energy)
        hit, x, y, z, voxel, shape, m, density, r, block = fly(
            geo,
            phys,
            x,
            y,
            z,
            u,
            v,
            w,
            i,
            a,
            energy,
            first,
            history,
            block,
            seed,
            energies,
            primaries,
            analog,
            voxels,
        )
        alive = False
        if hit == 0:
            analog[2] += f64(energy)
        else:
            analog[5] += 1.0
            first = False
            local = energy
            extra = _ZERO  # deposits that the expected values do not hold
            if r < mass_coefficient(phys, m, i, a, 2):
                r1, r2, r3, _r4 = four(history, block, seed)
                block += 1
                line1, line2 = fluorescence(phys, m, i, a, energy, r1, r2, r3)
                local = energy - line1 - line2
                if line1 > _ZERO:
                    q1, q2, q3, q4 = four(history, block, seed)
                    block += 1
                    if line2 > _ZERO:
                        su, sv, sw = isotropic(q3, q4)
                        waiting = push(stack, waiting, x, y, z, su, sv, sw, line2)
                    u, v, w = isotropic(q1, q2)
                    energy = line1
                    alive = True
            elif r < mass_coefficient(phys, m, i, a, 3):
                scattered, cosine, block = compton(phys, m, energy, history, block, seed)
                r1, _r2, _r3, _r4 = four(history, block, seed)
                block += 1
                u, v, w = rotate(u, v, w, cosine, _TWO_PI * r1)
                local = energy - scattered
                energy = scattered
                alive = scattered >= phys.cutoff
                if not alive:
                    extra = scattered
            elif r < mass_coefficient(phys, m, i, a, 4) or energy <= _TWO_MEC2:
                cosine, block = rayleigh(phys, m, energy, history, block, seed)
                r1, _r2, _r3, _r4 = four(history, block, seed)
                block += 1
                u, v, w = rotate(u, v, w, cosine, _TWO_PI * r1)
                local = _ZERO
                alive = True
            else:
                r1, r2, _r3, _r4 = four(history, block, seed)
                block += 1
                u, v, w = isotropic(r1, r2)
                waiting = push(stack, waiting, x, y, z, -u, -v, -w, _MEC2)
                local = energy - _TWO_MEC2
                energy = _MEC2
                alive = True
            analog[1] += f64(local) + f64(extra)
            if extra > _ZERO:
                analog[3] += f64(extra)
                deposit_here(geo, voxel, shape, extra, energies, voxels, density)
        if not alive:
            if waiting == 0:
                return
            waiting -= 1
            first = twin and waiting == 0
            twin = twin and waiting > 0
            x = stack[waiting, 0]
            y = stack[waiting, 1]
            z = stack[waiting, 2]
            u = stack[waiting, 3]
            v = stack[waiting, 4]
            w = stack[waiting, 5]
            energy = stack[waiting, 6]
