"""Flight through a room: what lies around the macro grid of the body, in macro cells of its own.

Delta tracking as in the body's grid. A photon that reaches the body's grid begins there anew: its flight has
no memory.
"""

import numpy as np

from ._target import jit, jit_apart, log
from .geometry import box_entry, find_shape, voxel_at, voxel_content
from .interactions import mass_coefficient
from .outputs import score_spectrum
from .random import four
from .scoring import score
from .tracking import (
    BORN,
    ESCAPED,
    EXPECTED,
    EXPECTED_KEV,
    IN_ROOM,
    IN_WORLD,
    TENTATIVE,
    first_wall,
    in_world,
    inverse,
    walk,
    world_cross_section,
)

i32 = np.int32
i64 = np.int64
f32 = np.float32
f64 = np.float64
_ZERO = np.float32(0.0)
_BIG = np.float32(1e30)
_NONE = np.int32(0)
_CELL = np.int32(1)


@jit
def in_body_grid(geo, x, y, z):
    """Return whether a point lies in the macro grid of the body."""
    hx = geo.cell_cm[0] * f32(geo.n_cell[0])
    hy = geo.cell_cm[1] * f32(geo.n_cell[1])
    hz = geo.cell_cm[2] * f32(geo.n_cell[2])
    return _ZERO <= x <= hx and _ZERO <= y <= hy and _ZERO <= z <= hz


@jit
def room_cell(x, lower, inv_cell, n_cell):
    """Return the room's macro cell at a coordinate (the last one at the upper face)."""
    return i32(min(max(i32((x - lower) * inv_cell), _NONE), i32(n_cell - _CELL)))


@jit
def room_content(geo, room, x, y, z):
    """Return (voxel, shape, kind, density) and the material at a point of the room."""
    if geo.shape_kind.shape[0] > 0:
        cx = room_cell(x, room.cell_lower[0], room.inv_cell[0], room.n_cell[0])
        cy = room_cell(y, room.cell_lower[1], room.inv_cell[1], room.n_cell[1])
        cz = room_cell(z, room.cell_lower[2], room.inv_cell[2], room.n_cell[2])
        cell = (cz * room.n_cell[1] + cy) * room.n_cell[0] + cx
        shape = find_shape(geo, room.first_cell + cell, x, y, z)
        if shape >= 0:
            return (i64(-1), shape, i32(0), geo.shape_density[shape]), geo.shape_material[shape]
    voxel = voxel_at(geo, x, y, z)
    if voxel >= 0:
        kind, density, material = voxel_content(geo, voxel)
        return (voxel, i32(-1), kind, density), material
    return in_world(geo)


@jit
def through_world(geo, phys, i, a, x, y, z, u, v, w, tau):
    """Carry a photon to the end of the world: return (where, x, y, z)."""
    low = geo.world_lower
    high = geo.world_upper
    _near, far = box_entry(x, y, z, u, v, w, low[0], low[1], low[2], high[0], high[1], high[2])
    sigma = world_cross_section(geo, phys, i, a)
    if sigma * max(far, _ZERO) > tau:
        t = tau / sigma
        return i32(IN_WORLD), x + u * t, y + v * t, z + w * t
    return i32(ESCAPED), x, y, z


@jit_apart
def through_room(
    geo, room, phys, method, tally, sums, i, a, energy, weight, first, x, y, z, u, v, w, tau, r2, r3, r4,
    left, history, block, seed,
):  # fmt: skip
    """Carry a photon outside the body's grid on; ``left`` if it comes from there and cannot meet it again.

    Returns (where, x, y, z, majorant, r2, r3, r4, block). ``where`` is IN_ROOM at a real collision that is
    not yet scored, BORN at the border of the body's grid, IN_WORLD or ESCAPED. Virtual collisions are scored
    here.
    """
    lx = room.cell_lower[0]
    ly = room.cell_lower[1]
    lz = room.cell_lower[2]
    hx = lx + room.cell_cm[0] * f32(room.n_cell[0])
    hy = ly + room.cell_cm[1] * f32(room.n_cell[1])
    hz = lz + room.cell_cm[2] * f32(room.n_cell[2])
    world = world_cross_section(geo, phys, i, a)
    if not (lx <= x <= hx and ly <= y <= hy and lz <= z <= hz):
        path, far = box_entry(x, y, z, u, v, w, lx, ly, lz, hx, hy, hz)
        if path >= far or far <= _ZERO:
            where, x, y, z = through_world(geo, phys, i, a, x, y, z, u, v, w, tau)
            return where, x, y, z, world, r2, r3, r4, block
        path = max(path, _ZERO)
        if world * path > tau:
            t = tau / world
            return i32(IN_WORLD), x + u * t, y + v * t, z + w * t, world, r2, r3, r4, block
        tau -= world * path
        x = min(max(x + u * path, lx), hx)
        y = min(max(y + v * path, ly), hy)
        z = min(max(z + w * path, lz), hz)
    bx = geo.cell_cm[0] * f32(geo.n_cell[0])
    by = geo.cell_cm[1] * f32(geo.n_cell[1])
    bz = geo.cell_cm[2] * f32(geo.n_cell[2])
    stop = _BIG
    if not left:
        t_in, t_out = box_entry(x, y, z, u, v, w, _ZERO, _ZERO, _ZERO, bx, by, bz)
        if t_in < t_out and t_out > _ZERO:
            stop = max(t_in, _ZERO)
    cx = room_cell(x, lx, room.inv_cell[0], room.n_cell[0])
    cy = room_cell(y, ly, room.inv_cell[1], room.n_cell[1])
    cz = room_cell(z, lz, room.inv_cell[2], room.n_cell[2])
    iu = inverse(u)
    iv = inverse(v)
    iw = inverse(w)
    dx = room.cell_cm[0] * abs(iu)
    dy = room.cell_cm[1] * abs(iv)
    dz = room.cell_cm[2] * abs(iw)
    tx = first_wall(cx, u > _ZERO, room.cell_cm[0], x - lx, iu)
    ty = first_wall(cy, v > _ZERO, room.cell_cm[1], y - ly, iv)
    tz = first_wall(cz, w > _ZERO, room.cell_cm[2], z - lz, iw)
    t = _ZERO
    while True:
        inside, t, tx, ty, tz, cx, cy, cz, majorant = walk(
            room, i, u, v, w, dx, dy, dz, t, tx, ty, tz, tau, cx, cy, cz
        )
        if t >= stop:
            x = min(max(x + u * stop, _ZERO), bx)
            y = min(max(y + v * stop, _ZERO), by)
            z = min(max(z + w * stop, _ZERO), bz)
            return i32(BORN), x, y, z, world, r2, r3, r4, block
        px = x + u * t
        py = y + v * t
        pz = z + w * t
        if not inside:
            where, px, py, pz = through_world(geo, phys, i, a, px, py, pz, u, v, w, majorant)
            return where, px, py, pz, world, r2, r3, r4, block
        place, m = room_content(geo, room, px, py, pz)
        if r2 * majorant < mass_coefficient(phys, m, i, a, 0) * place[3]:
            return i32(IN_ROOM), px, py, pz, majorant, r2, r3, r4, block
        flux = weight * energy / majorant
        expected = flux * place[3] * mass_coefficient(phys, m, i, a, 1)
        sums[TENTATIVE] += 1.0
        sums[EXPECTED_KEV] += f64(expected)
        if method.estimator == EXPECTED:
            score(geo, phys, place, i, a, flux, expected, first, tally)
        if tally.spectra.size > 0:
            score_spectrum(geo, method, place, energy, weight / majorant, first, tally)
        r1, r2, r3, r4 = four(history, block, seed)
        block += 1
        tau = -log(r1)
