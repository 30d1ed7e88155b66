# mypy: ignore-errors
"""The way of an electron through voxels: one history from birth to rest. Scalar kernels.

Steps are planned in g/cm2, without looking at voxels; only then they are laid through the voxels, face by
face. Where density alone changes from voxel to voxel nothing else does: Fano's theorem then holds to
rounding. Where the material changes the step ends and a new one is planned.
"""

import math

import numpy as np

from omnidose.transport.electrons._interactions import (
    RANGE,
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
from omnidose.transport.electrons._source import emit
from omnidose.transport.kernels._target import jit, loop_jit
from omnidose.transport.kernels.directions import rotate
from omnidose.transport.kernels.random import four

f64 = np.float64
i64 = np.int64

_TWO_PI = 6.283185307179586
_FIXED = 1048576.0  # 2^20 counts per keV in the maps
_BIG = 1e30
_PHOTON_BINS_PER_LN = 20.0

# places in the balance
_EMITTED = 0
_DEPOSITED = 1
_ESCAPED = 2
_RADIATED = 3
_STEPS = 4
_EVENTS = 5
_ESCAPES = 6


@jit
def deposit(geo, voxel, energy, regions, balance, dose):
    """Add energy to a voxel's regions, to the balance and to the map."""
    balance[_DEPOSITED] += energy
    for entry in range(geo.region_first[voxel], geo.region_first[voxel + 1]):
        regions[geo.region_index[entry]] += energy * geo.region_weight[entry]
    if dose.shape[0] > 0:
        dose[voxel] += i64(energy * _FIXED + 0.5)


@jit
def radiate(voxel, energy, balance, glow):
    """Add the energy of photons that leave a voxel's electrons."""
    balance[_RADIATED] += energy
    if glow.shape[0] > 0:
        glow[voxel] += i64(energy * _FIXED + 0.5)


@jit
def face_distance(position, direction, index, size):
    """Return the distance to the face ahead along one axis."""
    if direction > 0.0:
        return max(((index + 1) * size - position) / direction, 0.0)
    if direction < 0.0:
        return max((index * size - position) / direction, 0.0)
    return _BIG


@jit
def cross(direction, index, size):
    """Return the position of the face ahead along one axis, and the voxel behind it."""
    if direction > 0.0:
        return (index + 1) * size, index + 1
    return index * size, index - 1


@jit
def nearest_face(x, y, z, ix, iy, iz, size):
    """Return the distance to the nearest face of the voxel."""
    dx = min(x - ix * size[0], (ix + 1) * size[0] - x)
    dy = min(y - iy * size[1], (iy + 1) * size[1] - y)
    dz = min(z - iz * size[2], (iz + 1) * size[2] - z)
    return min(dx, min(dy, dz))


@jit
def stays(geo, phys, m, voxel, x, y, z, ix, iy, iz, energy):
    """Return whether an electron ends where it is: below the cut-off, or unable to leave its voxel."""
    if energy <= phys.absorb:
        return True
    if energy >= phys.reject_below:
        return False
    i, a = energy_bin(phys, energy)
    near = nearest_face(x, y, z, ix, iy, iz, geo.size) * f64(geo.density[voxel])
    return value(phys, m, i, a, RANGE) <= near


@jit
def end(geo, phys, m, voxel, energy, regions, balance, dose, glow):
    """Leave all energy of an electron in its voxel, but for the bremsstrahlung that it would still emit."""
    i, a = energy_bin(phys, max(energy, 1e-3))
    gone = energy * value(phys, m, i, a, YIELD)
    deposit(geo, voxel, energy - gone, regions, balance, dose)
    radiate(voxel, gone, balance, glow)


@jit
def fly(geo, x, y, z, u, v, w, ix, iy, iz, length, loss, radiated, material, regions, balance, dose, glow):
    """Fly straight through ``length`` g/cm2 and leave ``loss`` keV per g/cm2 on the way.

    Returns the place, the voxel, the g/cm2 flown, and 0 at the end, 1 outside, 2 in another material.
    """
    nx = geo.n_voxel[0]
    ny = geo.n_voxel[1]
    nz = geo.n_voxel[2]
    flown = 0.0
    kept = loss * (1.0 - radiated)
    gone = loss * radiated
    while True:
        voxel = (i64(iz) * ny + iy) * nx + ix
        density = f64(geo.density[voxel])
        tx = face_distance(x, u, ix, geo.size[0])
        ty = face_distance(y, v, iy, geo.size[1])
        tz = face_distance(z, w, iz, geo.size[2])
        path = min(tx, min(ty, tz))
        mass = path * density
        if flown + mass >= length:
            mass = length - flown
            if mass > 0.0:
                path = mass / density
                deposit(geo, voxel, mass * kept, regions, balance, dose)
                radiate(voxel, mass * gone, balance, glow)
                x += u * path
                y += v * path
                z += w * path
            return x, y, z, ix, iy, iz, length, 0
        if mass > 0.0:
            deposit(geo, voxel, mass * kept, regions, balance, dose)
            radiate(voxel, mass * gone, balance, glow)
            flown += mass
        x += u * path
        y += v * path
        z += w * path
        if tx <= ty and tx <= tz:
            x, ix = cross(u, ix, geo.size[0])
            outside = ix < 0 or ix >= nx
        elif ty <= tz:
            y, iy = cross(v, iy, geo.size[1])
            outside = iy < 0 or iy >= ny
        else:
            z, iz = cross(w, iz, geo.size[2])
            outside = iz < 0 or iz >= nz
        if outside:
            return x, y, z, ix, iy, iz, flown, 1
        voxel = (i64(iz) * ny + iy) * nx + ix
        if geo.material[voxel] != material:
            return x, y, z, ix, iy, iz, flown, 2


@jit
def follow(history, seed, beam, geo, phys, regions, balance, photons, dose, glow, stops, stack):
    """Follow one emitted electron and all electrons that it sets free."""
    x, y, z, u, v, w, ix, iy, iz, energy, block = emit(beam, geo, history, seed)
    balance[_EMITTED] += energy
    if ix < 0:  # started outside the grid and never meets it
        balance[_ESCAPED] += energy
        return
    nx = geo.n_voxel[0]
    ny = geo.n_voxel[1]
    waiting = 0
    primary = True
    while True:
        while True:
            voxel = (i64(iz) * ny + iy) * nx + ix
            m = i64(geo.material[voxel])
            if stays(geo, phys, m, voxel, x, y, z, ix, iy, iz, energy):
                end(geo, phys, m, voxel, energy, regions, balance, dose, glow)
                if primary and stops.shape[0] > 0:
                    stops[voxel] += 1
                break
            balance[_STEPS] += 1.0
            r1, r2, r3, r4 = four(history, block, seed)
            q1, q2, q3, q4 = four(history, block + 1, seed)
            block += 2
            length, event, loss, radiated, first, second, bound = plan_step(phys, m, energy, f64(r1), f64(r3))
            per_mass = loss / length
            # straight to a random place, there the deflection of the whole step, straight to its end
            piece = f64(r2) * length
            flown = 0.0
            state = 0
            for half in range(2):
                x, y, z, ix, iy, iz, further, state = fly(
                    geo, x, y, z, u, v, w, ix, iy, iz, piece, per_mass, radiated, m,
                    regions, balance, dose, glow,
                )  # fmt: skip
                flown += further
                if state != 0:
                    break
                if half == 0:
                    cosine = lumped_cosine(first, second, length, f64(r4))
                    u, v, w = rotate(u, v, w, cosine, _TWO_PI * f64(q1))
                    piece = length - piece
            if state == 0:
                energy -= loss
            else:
                energy -= per_mass * flown
            energy = max(energy, 0.0)
            if state == 1:
                balance[_ESCAPED] += energy
                balance[_ESCAPES] += 1.0
                break
            if state == 2 or not event or energy <= phys.absorb:
                continue
            i, a = energy_bin(phys, energy)
            kind = choose_event(phys, m, i, a, energy, bound, f64(q2))
            if kind == 0:
                continue
            balance[_EVENTS] += 1.0
            if kind == 1:
                cosine, block = large_deflection(phys, m, i, a, f64(q3), history, block, seed)
                u, v, w = rotate(u, v, w, cosine, _TWO_PI * f64(q4))
            elif kind == 3:
                k = photon_energy(phys, m, energy, f64(q3), f64(q4))
                energy -= k
                voxel = (i64(iz) * ny + iy) * nx + ix
                radiate(voxel, k, balance, glow)
                n_bins = photons.shape[0]
                if n_bins > 0:
                    place = i64(math.log(k / phys.photon_cut) * _PHOTON_BINS_PER_LN)
                    photons[min(max(place, 0), n_bins - 1)] += 1.0
            else:
                free, block = knock_on(energy, phys.knock_on_cut, history, block, seed)
                su, sv, sw, u, v, w = knock_apart(energy, free, u, v, w, q4)
                # the slower one goes first: then few wait at any time
                voxel = (i64(iz) * ny + iy) * nx + ix
                if stays(geo, phys, m, voxel, x, y, z, ix, iy, iz, free):
                    end(geo, phys, m, voxel, free, regions, balance, dose, glow)
                    energy -= free
                else:
                    put_aside(stack[waiting], x, y, z, u, v, w, energy - free)
                    stack[waiting, 7] = ix
                    stack[waiting, 8] = iy
                    stack[waiting, 9] = iz
                    stack[waiting, 10] = 1.0 if primary else 0.0
                    waiting += 1
                    primary = False
                    u = su
                    v = sv
                    w = sw
                    energy = free
        if waiting == 0:
            return
        waiting -= 1
        x, y, z, u, v, w, energy = take_up(stack[waiting])
        ix = i64(stack[waiting, 7])
        iy = i64(stack[waiting, 8])
        iz = i64(stack[waiting, 9])
        primary = stack[waiting, 10] > 0.5


@loop_jit
def run_batch(batch, per_batch, seed, beam, geo, phys, regions, balance, photons, dose, glow, stops):
    """Run one batch on this thread, which alone writes the arrays; histories have numbers."""
    stack = np.empty((64, 11), dtype=np.float64)
    start = np.int64(batch) * np.int64(per_batch)
    for k in range(per_batch):
        follow(
            np.uint64(start + k), seed, beam, geo, phys, regions, balance, photons, dose, glow, stops, stack
        )
