"""One history, from birth to the last deposit, in steps from one tentative collision to the next.

A history lies in a slot of small arrays between its steps. Where voxels fill more than the caches, the CPU
turns to another slot while the voxel that the photon has reached is fetched from memory; else, and on CUDA, a
history goes on to its end.
"""

import numpy as np

from ._target import energy_add, fetch, jit, log
from .directions import deflect, isotropic
from .geometry import voxel_at
from .importance import AIMED, KEPT_FREE, MOST_AIMED, STACK, STOPPED, aim, next_ball, scatters, split
from .interactions import compton, energy_bin, fluorescence, mass_coefficient, rayleigh
from .outputs import leave_world, score_spectrum, trail
from .random import four
from .room import in_body_grid, room_content, through_room
from .scoring import score
from .sources import emit
from .tracing import trace
from .tracking import (
    ANALOG,
    BORN,
    COLLISIONS,
    DEPOSITED,
    EMITTED,
    ESCAPED,
    ESCAPED_KEV,
    EXPECTED_KEV,
    IN_GRID,
    IN_ROOM,
    IN_WORLD,
    TENTATIVE,
    cell_of,
    content,
    enter,
    first_wall,
    in_world,
    inverse,
    leave,
    walk,
    world_cross_section,
)

i32 = np.int32
u32 = np.uint32
i64 = np.int64
u64 = np.uint64
f32 = np.float32
f64 = np.float64
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_HALF = np.float32(0.5)
_BIG = np.float32(1e30)
_TWO = np.float32(2.0)
_BELOW_ONE = np.float32(0.9999999)
_NOTHING = np.int32(0)
_SOMETHING = np.int32(1)
_MEC2 = np.float32(510.99895)
_TWO_MEC2 = np.float32(1021.9979)


#: Columns of a slot: real numbers [21], whole numbers [10], sums (float64) [6]; and of a photon that waits.
X, Y, Z, U, V, W, DX, DY, DZ, T, TX, TY, TZ, ENERGY, FRACTION, MAJORANT, R2, R3, R4, WEIGHT, BALL = range(21)
HISTORY, BLOCK, BIN, CX, CY, CZ, VOXEL, WHERE, PAST, WAITING = range(10)
REALS, WHOLES, SUMS = 21, 10, 6
STACK_COLUMNS = 9


@jit
def push(stack, waiting, x, y, z, u, v, w, energy, past, weight):
    """Keep a photon for later; ``past`` says what it has been through (0: nothing yet)."""
    stack[waiting, 0] = x
    stack[waiting, 1] = y
    stack[waiting, 2] = z
    stack[waiting, 3] = u
    stack[waiting, 4] = v
    stack[waiting, 5] = w
    stack[waiting, 6] = energy
    stack[waiting, 7] = f32(past)
    stack[waiting, 8] = weight
    return waiting + 1


@jit
def begin(history, seed, beam, reals, wholes, sums, stack):
    """Put a new history into a slot: its photon is born but has not moved."""
    x, y, z, u, v, w, energy, block = emit(beam, history, seed)
    for k in range(SUMS):
        sums[k] = 0.0
    sums[EMITTED] = f64(energy)
    waiting = i32(0)
    if beam.pair != 0:  # the second photon of an annihilation
        sums[EMITTED] += f64(energy)
        waiting = push(stack, waiting, x, y, z, -u, -v, -w, energy, _NOTHING, _ONE)
    reals[X] = x
    reals[Y] = y
    reals[Z] = z
    reals[U] = u
    reals[V] = v
    reals[W] = w
    reals[ENERGY] = energy
    reals[WEIGHT] = _ONE
    wholes[HISTORY] = i64(history)
    wholes[BLOCK] = block
    wholes[PAST] = 0
    wholes[WAITING] = waiting
    wholes[WHERE] = BORN


@jit
def collide(
    phys, m, i, a, r, r3, r4, x, y, z, u, v, w, energy, history, block, seed, waiting, stack, past, weight
):
    """Let a photon interact; return (alive, u, v, w, energy, energy left here, block, waiting).

    ``r`` chooses the process, ``r3`` the polar angle, ``r4`` the azimuth; ``past`` and ``weight`` go to
    new photons.
    """
    if r < mass_coefficient(phys, m, i, a, 2):
        if phys.vacancy_first[m] == phys.vacancy_first[m + 1]:
            return False, u, v, w, energy, energy, block, waiting
        q1, q2, q3, _q4 = four(history, block, seed)
        block += 1
        line1, line2 = fluorescence(phys, m, i, a, energy, q1, q2, q3)
        if line2 > _ZERO:
            q1, q2, _q3, _q4 = four(history, block, seed)
            block += 1
            su, sv, sw = isotropic(q1, q2)
            waiting = push(stack, waiting, x, y, z, su, sv, sw, line2, past, weight)
        u, v, w = isotropic(r3, r4)
        return line1 > _ZERO, u, v, w, line1, energy - line1 - line2, block, waiting
    if r < mass_coefficient(phys, m, i, a, 3):
        scattered, t = compton(phys, m, i, a, energy, r3)
        u, v, w = deflect(u, v, w, t, r4)
        return scattered >= phys.cutoff, u, v, w, scattered, energy - scattered, block, waiting
    if r < mass_coefficient(phys, m, i, a, 4) or energy <= _TWO_MEC2:
        u, v, w = deflect(u, v, w, rayleigh(phys, m, i, a, r3), r4)
        return True, u, v, w, energy, _ZERO, block, waiting
    u, v, w = isotropic(r3, r4)  # a pair: two photons back to back, from here
    waiting = push(stack, waiting, x, y, z, -u, -v, -w, _MEC2, past, weight)
    return True, u, v, w, _MEC2, energy - _TWO_MEC2, block, waiting


@jit
def step(pause, seed, method, geo, room, tracing, importance, phys, tally, reals, wholes, sums, stack):
    """Carry the history of a slot on, to its next tentative collision in the grid; False when it has ended.

    Without ``pause`` it goes on to its end at once. ``room``, ``tracing`` and
    ``importance`` are None where there is none: what
    they need is then not even compiled.

    At *every* tentative collision, real or virtual, the expected deposit (E mu_dep / majorant) is scored.
    """
    x = reals[X]
    y = reals[Y]
    z = reals[Z]
    u = reals[U]
    v = reals[V]
    w = reals[W]
    dx = reals[DX]
    dy = reals[DY]
    dz = reals[DZ]
    t = reals[T]
    tx = reals[TX]
    ty = reals[TY]
    tz = reals[TZ]
    energy = reals[ENERGY]
    weight = reals[WEIGHT]
    a = reals[FRACTION]
    majorant = reals[MAJORANT]
    r2 = reals[R2]
    r3 = reals[R3]
    r4 = reals[R4]
    to_ball = reals[BALL]
    history = u64(wholes[HISTORY])
    block = i32(wholes[BLOCK])
    i = i32(wholes[BIN])
    voxel = i64(wholes[VOXEL])
    cx = i32(wholes[CX])
    cy = i32(wholes[CY])
    cz = i32(wholes[CZ])
    where = i32(wholes[WHERE])
    past = i32(wholes[PAST])
    waiting = i32(wholes[WAITING])
    while True:
        # what happens here
        fresh = where != IN_GRID
        alive = True
        unseen = False  # an aimed photon before its ball
        ended = False  # a photon that aimed ones stand for from here on
        if importance is not None:
            ended = past == STOPPED and to_ball < _BIG and t >= to_ball
            unseen = past == AIMED and t < to_ball
        if ended:
            fresh = True
            alive = False
        elif where == ESCAPED:
            sums[ESCAPED_KEV] += f64(weight * energy)
            if method.follow != 0 and energy >= phys.cutoff:
                leave_world(geo, method, x, y, z, u, v, w, energy, past, history, tally)
            alive = False
        elif where != BORN:
            if where == IN_GRID:
                px = x + u * t
                py = y + v * t
                pz = z + w * t
                place, m = content(geo, voxel, px, py, pz)
                sums[TENTATIVE] += 1.0
            else:
                place, m = in_world(geo)
                if room is not None:
                    if where == IN_ROOM:
                        place, m = room_content(geo, room, x, y, z)
                        sums[TENTATIVE] += 1.0
            sigma = mass_coefficient(phys, m, i, a, 0) * place[3]
            flux = weight * energy / majorant
            expected = flux * place[3] * mass_coefficient(phys, m, i, a, 1)
            traced = False
            if tracing is not None:
                traced = past == 0
            if not traced and not unseen:
                sums[EXPECTED_KEV] += f64(expected)
            if method.estimator != ANALOG and not traced and not unseen:
                score(geo, phys, place, i, a, flux, expected, past == 0, tally)
            if tally.spectra.size > 0 and not unseen:
                score_spectrum(geo, method, place, energy, weight / majorant, past == 0, tally)
            threshold = r2 * majorant
            if unseen and threshold < sigma:
                fresh = True
                alive = False
            elif threshold < sigma or where != IN_GRID:
                fresh = True
                if where == IN_GRID:
                    x = px
                    y = py
                    z = pz
                r = r2 if where == IN_WORLD else min(threshold / sigma, _BELOW_ONE)
                copies = i32(1)
                if importance is not None:
                    if where == IN_GRID:
                        copies, weight, block = split(
                            importance, x, y, z, weight, waiting, history, block, seed
                        )
                unscattered = past == 0
                before = past
                alive = False
                for copy in range(copies):
                    if copy > 0:
                        _r1, r, r3, r4 = four(history, block, seed)
                        block += 1
                    past = trail(phys, m, i, a, energy, r, before) if method.follow != 0 else _SOMETHING
                    if importance is not None:
                        if scatters(phys, m, i, a, energy, r):
                            if waiting + importance.ball.shape[0] * MOST_AIMED + KEPT_FREE <= STACK:
                                past = i32(STOPPED)
                                waiting, block = aim(
                                    importance, phys, m, i, a, r, x, y, z, u, v, w, energy, weight, waiting,
                                    stack, history, block, seed,
                                )  # fmt: skip
                    lives, nu, nv, nw, after, local, block, waiting = collide(
                        phys, m, i, a, r, r3, r4, x, y, z, u, v, w, energy, history, block, seed, waiting,
                        stack, past, weight,
                    )  # fmt: skip
                    soft = _ZERO if lives else max(energy - local, _ZERO)  # below the cut-off: stays here
                    sums[COLLISIONS] += 1.0
                    sums[DEPOSITED] += f64(weight * (local + soft))
                    if method.estimator == ANALOG:
                        path = weight * energy / sigma
                        score(geo, phys, place, i, a, path, weight * (local + soft), unscattered, tally)
                    elif soft > _ZERO:  # expected values do not know it
                        sums[EXPECTED_KEV] += f64(weight * soft)
                        score(geo, phys, place, i, a, _ZERO, weight * soft, False, tally)
                    if lives and copy < copies - 1:
                        waiting = push(stack, waiting, x, y, z, nu, nv, nw, after, past, weight)
                    elif lives:
                        alive = True
                        u = nu
                        v = nv
                        w = nw
                        energy = after
        if not alive:
            if waiting == 0:
                for k in range(SUMS):
                    energy_add(tally.balance, k, sums[k])
                return False
            waiting -= 1
            x = stack[waiting, 0]
            y = stack[waiting, 1]
            z = stack[waiting, 2]
            u = stack[waiting, 3]
            v = stack[waiting, 4]
            w = stack[waiting, 5]
            energy = stack[waiting, 6]
            past = i32(stack[waiting, 7])
            weight = stack[waiting, 8]
            if energy < phys.cutoff:
                where = i32(ESCAPED)
                continue
        elif where == BORN and energy < phys.cutoff:
            where = i32(ESCAPED)
            continue
        # on to the next place
        r1, r2, r3, r4 = four(history, block, seed)
        block += 1
        tau = -log(r1)
        outside = False
        if fresh:
            i, a = energy_bin(phys, energy)
            if importance is not None:
                to_ball = _BIG
                if past >= STOPPED:
                    _ball, to_ball = next_ball(importance, x, y, z, u, v, w)
            if tracing is not None:
                if past == 0:
                    sums[EXPECTED_KEV] += trace(geo, phys, i, a, weight * energy, x, y, z, u, v, w, tally)
            if room is not None:
                outside = not in_body_grid(geo, x, y, z)
        if fresh and not outside:
            where, ex, ey, ez, tau = enter(geo, phys, i, a, x, y, z, u, v, w, tau)
            if importance is not None:
                t = _ZERO
                to_ball -= (ex - x) * u + (ey - y) * v + (ez - z) * w
            x = ex
            y = ey
            z = ez
            if where != IN_GRID:
                majorant = world_cross_section(geo, phys, i, a)
                continue
            t = _ZERO
            cx = cell_of(geo, 0, x)
            cy = cell_of(geo, 1, y)
            cz = cell_of(geo, 2, z)
            iu = inverse(u)
            iv = inverse(v)
            iw = inverse(w)
            dx = geo.cell_cm[0] * abs(iu)
            dy = geo.cell_cm[1] * abs(iv)
            dz = geo.cell_cm[2] * abs(iw)
            tx = first_wall(cx, u > _ZERO, geo.cell_cm[0], x, iu)
            ty = first_wall(cy, v > _ZERO, geo.cell_cm[1], y, iv)
            tz = first_wall(cz, w > _ZERO, geo.cell_cm[2], z, iw)
        if not outside:
            inside, t, tx, ty, tz, cx, cy, cz, majorant = walk(
                geo, i, u, v, w, dx, dy, dz, t, tx, ty, tz, tau, cx, cy, cz
            )
            if inside:
                where = i32(IN_GRID)
                voxel = voxel_at(geo, x + u * t, y + v * t, z + w * t)
                if pause:
                    break
                continue
            x += u * t
            y += v * t
            z += w * t
            tau = majorant
            if room is None:
                where, x, y, z = leave(geo, phys, i, a, x, y, z, u, v, w, tau)
                if importance is not None:
                    t = _BIG  # behind all balls
                majorant = world_cross_section(geo, phys, i, a)
        if room is not None:
            where, x, y, z, majorant, r2, r3, r4, block = through_room(
                geo, room, phys, method, tally, sums, i, a, energy, weight, past == 0, x, y, z, u, v, w, tau,
                r2, r3, r4, not outside, history, block, seed,
            )  # fmt: skip
    if voxel >= 0:
        fetch(geo.word, voxel)
        if voxel < tally.voxels.size:
            fetch(tally.voxels, voxel)
    reals[X] = x
    reals[Y] = y
    reals[Z] = z
    reals[U] = u
    reals[V] = v
    reals[W] = w
    reals[DX] = dx
    reals[DY] = dy
    reals[DZ] = dz
    reals[T] = t
    reals[TX] = tx
    reals[TY] = ty
    reals[TZ] = tz
    reals[ENERGY] = energy
    reals[WEIGHT] = weight
    reals[FRACTION] = a
    reals[MAJORANT] = majorant
    reals[R2] = r2
    reals[R3] = r3
    reals[R4] = r4
    reals[BALL] = to_ball
    wholes[BLOCK] = block
    wholes[BIN] = i
    wholes[CX] = cx
    wholes[CY] = cy
    wholes[CZ] = cz
    wholes[VOXEL] = voxel
    wholes[WHERE] = where
    wholes[PAST] = past
    wholes[WAITING] = waiting
    return True
