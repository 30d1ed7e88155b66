# mypy: ignore-errors
"""Birth of an electron: place, direction, energy, voxel. Scalar kernels."""

import math

import numpy as np

from omnidose.transport.kernels._target import jit
from omnidose.transport.kernels.directions import isotropic
from omnidose.transport.kernels.geometry import box_entry
from omnidose.transport.kernels.random import four

f64 = np.float64
i64 = np.int64


@jit
def pick(prob, alias, r):
    """Return an index from Walker's alias table with one uniform."""
    n = prob.shape[0]
    scaled = f64(r) * n
    i = min(i64(scaled), i64(n - 1))
    if scaled - i < prob[i]:
        return i
    return i64(alias[i])


@jit
def draw_energy(beam, r1, r2):
    """Return an energy from the spectrum (bins are uniform, lines have no width)."""
    k = pick(beam.energy_prob, beam.energy_alias, r1)
    return beam.energy[k] + beam.half_width[k] * (2.0 * f64(r2) - 1.0)


@jit
def voxel_of(position, direction, n, size):
    """Return the voxel along one axis; a point on a face belongs to the voxel ahead."""
    i = i64(math.floor(position / size))
    if direction < 0.0 and position <= i * size:
        i -= 1
    return min(max(i, 0), i64(n - 1))


@jit
def emit(beam, geo, history, seed):
    """Return place, direction, voxel, energy and the next block; the voxel is -1 if the grid is missed."""
    r1, r2, r3, r4 = four(history, 0, seed)
    q1, q2, q3, q4 = four(history, 1, seed)
    block = 2
    energy = draw_energy(beam, r3, r4)
    u, v, w = isotropic(f64(r1), f64(r2))
    sx = geo.size[0]
    sy = geo.size[1]
    sz = geo.size[2]
    nx = geo.n_voxel[0]
    ny = geo.n_voxel[1]
    if beam.kind == 1 or beam.kind == 3:
        k = pick(beam.place_prob, beam.place_alias, q4)
        voxel = beam.place[k, 0]
        face = beam.place[k, 1]
        ix = i64(voxel % nx)
        iy = i64((voxel // nx) % ny)
        iz = i64(voxel // (i64(nx) * ny))
        fx = f64(q1)
        fy = f64(q2)
        fz = f64(q3)
        if beam.kind == 3:
            # the voxel is the one behind the face as seen from outside; outwards the neighbour is entered
            inward = 1.0 if face % 2 == 0 else -1.0
            edge = 0.0 if face % 2 == 0 else 1.0
            if face < 2:
                fx = edge
                if beam.direction > 0:
                    u = inward * abs(u)
                if u * inward < 0.0:
                    ix -= i64(inward)
                    fx = 1.0 - edge
            elif face < 4:
                fy = edge
                if beam.direction > 0:
                    v = inward * abs(v)
                if v * inward < 0.0:
                    iy -= i64(inward)
                    fy = 1.0 - edge
            else:
                fz = edge
                if beam.direction > 0:
                    w = inward * abs(w)
                if w * inward < 0.0:
                    iz -= i64(inward)
                    fz = 1.0 - edge
        x = (ix + fx) * sx
        y = (iy + fy) * sy
        z = (iz + fz) * sz
        if ix < 0 or iy < 0 or iz < 0 or ix >= nx or iy >= ny or iz >= geo.n_voxel[2]:
            ix = i64(-1)
        return x, y, z, u, v, w, ix, iy, iz, energy, block
    x = beam.frame[0, 0]
    y = beam.frame[0, 1]
    z = beam.frame[0, 2]
    if beam.kind == 2:
        s = 2.0 * f64(q1) - 1.0
        t = 2.0 * f64(q2) - 1.0
        x += s * beam.frame[1, 0] + t * beam.frame[2, 0]
        y += s * beam.frame[1, 1] + t * beam.frame[2, 1]
        z += s * beam.frame[1, 2] + t * beam.frame[2, 2]
    if beam.direction == 1:
        across = u * beam.frame[3, 0] + v * beam.frame[3, 1] + w * beam.frame[3, 2]
        if across < 0.0:
            u = -u
            v = -v
            w = -w
    elif beam.direction == 2:
        u = beam.frame[3, 0]
        v = beam.frame[3, 1]
        w = beam.frame[3, 2]
    # from outside through nothing to the grid
    start, end = box_entry(x, y, z, u, v, w, 0.0, 0.0, 0.0, nx * sx, ny * sy, geo.n_voxel[2] * sz)
    if end <= max(start, 0.0):
        return x, y, z, u, v, w, i64(-1), i64(0), i64(0), energy, block
    if start > 0.0:
        x = min(max(x + start * u, 0.0), nx * sx)
        y = min(max(y + start * v, 0.0), ny * sy)
        z = min(max(z + start * w, 0.0), geo.n_voxel[2] * sz)
    ix = voxel_of(x, u, nx, sx)
    iy = voxel_of(y, v, ny, sy)
    iz = voxel_of(z, w, geo.n_voxel[2], sz)
    return x, y, z, u, v, w, ix, iy, iz, energy, block
