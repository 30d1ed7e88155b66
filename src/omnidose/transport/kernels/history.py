"""One history, from birth to the last deposit."""

import numpy as np

from ._target import jit, tally_add
from .directions import isotropic, rotate
from .interactions import compton, energy_bin, fluorescence, mass_coefficient, rayleigh
from .random import four
from .scoring import score
from .sources import emit
from .tracking import ANALOG, fly

f32 = np.float32
f64 = np.float64
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
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
def follow(history, seed, method, beam, geo, phys, tally, stack):
    """Run one history: emit a photon and follow it and its secondaries to the end."""
    x, y, z, u, v, w, energy, block = emit(beam, history, seed)
    emitted = f64(energy)
    deposited = f64(0.0)
    escaped = f64(0.0)
    expected = f64(0.0)
    tentative = 0
    collisions = 0
    first = True
    waiting = 0
    alive = energy >= phys.cutoff
    if not alive:
        escaped = emitted
    while alive:
        i, a = energy_bin(phys, energy)
        hit, x, y, z, place, m, r, r3, r4, block, scored, tries = fly(
            method, geo, phys, x, y, z, u, v, w, i, a, energy, first, history, block, seed, tally
        )
        expected += scored
        tentative += tries
        alive = False
        if hit == 0:
            escaped += f64(energy)
        else:
            collisions += 1
            local = energy
            soft = _ZERO  # a photon below the cut-off: the expected values do not know its deposit
            before = energy
            if r < mass_coefficient(phys, m, i, a, 2):
                if phys.vacancy_first[m] < phys.vacancy_first[m + 1]:
                    q1, q2, q3, _q4 = four(history, block, seed)
                    block += 1
                    line1, line2 = fluorescence(phys, m, i, a, energy, q1, q2, q3)
                    local = energy - line1 - line2
                    if line1 > _ZERO:
                        if line2 > _ZERO:
                            q1, q2, _q3, _q4 = four(history, block, seed)
                            block += 1
                            su, sv, sw = isotropic(q1, q2)
                            waiting = push(stack, waiting, x, y, z, su, sv, sw, line2)
                        u, v, w = isotropic(r3, r4)
                        energy = line1
                        alive = True
            elif r < mass_coefficient(phys, m, i, a, 3):
                scattered, t = compton(phys, m, i, a, energy, r3)
                u, v, w = rotate(u, v, w, t, r4)
                local = energy - scattered
                energy = scattered
                alive = scattered >= phys.cutoff
                if not alive:
                    soft = scattered
            elif r < mass_coefficient(phys, m, i, a, 4) or energy <= _TWO_MEC2:
                u, v, w = rotate(u, v, w, rayleigh(phys, m, i, a, r3), r4)
                local = _ZERO
                alive = True
            else:
                u, v, w = isotropic(r3, r4)
                waiting = push(stack, waiting, x, y, z, -u, -v, -w, _MEC2)
                local = energy - _TWO_MEC2
                energy = _MEC2
                alive = True
            deposited += f64(local) + f64(soft)
            if method.estimator == ANALOG:
                path = before / (mass_coefficient(phys, m, i, a, 0) * place[3])
                score(geo, phys, place, i, a, path, local + soft, first, tally)
            elif soft > _ZERO:
                expected += f64(soft)
                score(geo, phys, place, i, a, _ZERO, soft, False, tally)
            first = False
        if not alive and waiting > 0:
            waiting -= 1
            x = stack[waiting, 0]
            y = stack[waiting, 1]
            z = stack[waiting, 2]
            u = stack[waiting, 3]
            v = stack[waiting, 4]
            w = stack[waiting, 5]
            energy = stack[waiting, 6]
            alive = True
    tally_add(tally.balance, 0, emitted)
    tally_add(tally.balance, 1, deposited)
    tally_add(tally.balance, 2, escaped)
    tally_add(tally.balance, 3, expected)
    tally_add(tally.balance, 4, f64(tentative))
    tally_add(tally.balance, 5, f64(collisions))
