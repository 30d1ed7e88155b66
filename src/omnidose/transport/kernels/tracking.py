"""Flight to the next tentative collision: delta tracking with a majorant for each block of cells.

Reference: Woodcock et al., ANL-7050 (1965) 557.
"""

import numpy as np

from ._target import jit
from .geometry import box_entry, find_shape, voxel_at, voxel_content
from .interactions import mass_coefficient

i32 = np.int32
u32 = np.uint32
i64 = np.int64
f32 = np.float32
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_BIG = np.float32(1e30)
_TINY = np.float32(1e-20)
_NONE = np.int32(0)
_CELL = np.int32(1)
_BYTE = np.int32(8)
_CLASS = np.int32(255)

#: Where a flight ends: outside the world, in the world's material, or at a point of the macro grid.
ESCAPED, IN_WORLD, IN_GRID = 0, 1, 2


@jit
def inverse(u):
    """Return 1/u, or a huge number where a photon flies parallel to the walls."""
    return _ONE / u if abs(u) > _TINY else _BIG


@jit
def cell_of(geo, axis, x):
    """Return the macro cell of a coordinate inside the grid (the last cell at the upper face)."""
    return i32(min(max(i32(x * geo.inv_cell[axis]), _NONE), i32(geo.n_cell[axis] - _CELL)))


@jit
def content(geo, voxel, x, y, z):
    """Return (voxel, shape, kind, density) and the material at a point of the macro grid."""
    if geo.shape_kind.shape[0] > 0:
        cell = (cell_of(geo, 2, z) * geo.n_cell[1] + cell_of(geo, 1, y)) * geo.n_cell[0] + cell_of(geo, 0, x)
        shape = find_shape(geo, cell, x, y, z)
        if shape >= 0:
            return (i64(-1), shape, i32(0), geo.shape_density[shape]), geo.shape_material[shape]
    if voxel >= 0:
        kind, density, material = voxel_content(geo, voxel)
        return (voxel, i32(-1), kind, density), material
    return in_world(geo)


@jit
def in_world(geo):
    """Return (voxel, shape, kind, density) and the material outside voxels and shapes."""
    return (i64(-1), i32(-1), i32(0), f32(geo.world_density)), i32(geo.world_material)


@jit
def cross_world(geo, x, y, z, u, v, w, left):
    """Return (distance through the world, whether the macro grid follows) for a point outside the grid."""
    if not left:
        hx = geo.cell_cm[0] * f32(geo.n_cell[0])
        hy = geo.cell_cm[1] * f32(geo.n_cell[1])
        hz = geo.cell_cm[2] * f32(geo.n_cell[2])
        t_in, t_out = box_entry(x, y, z, u, v, w, _ZERO, _ZERO, _ZERO, hx, hy, hz)
        if t_in < t_out and t_out > _ZERO:
            return max(t_in, _ZERO), True
    low = geo.world_lower
    high = geo.world_upper
    _near, far = box_entry(x, y, z, u, v, w, low[0], low[1], low[2], high[0], high[1], high[2])
    return max(far, _ZERO), False


@jit
def distance_to_wall(c, size, ahead, cell_cm, x, inv_u):
    """Return the distance along a ray to the wall of a block (``size`` cells, a power of two) on one axis."""
    if inv_u == _BIG:
        return _BIG
    wall = (c & -size) + (size if ahead else _NONE)
    return (f32(wall) * cell_cm - x) * inv_u


@jit
def step_axis(c, size, ahead, crossed, place):
    """Return the cell on one axis after a step: behind the wall, or in the block where ``place`` (cells) is."""
    low = c & -size
    if crossed:
        return i32(low + size) if ahead else i32(low - _CELL)
    return i32(min(max(i32(place), low), low + size - _CELL))


@jit
def walk(geo, i, x, y, z, u, v, w, iu, iv, iw, tau, cx, cy, cz):
    """Walk from block to block until ``tau`` mean free paths of the majorants are used up.

    Returns (still inside the grid, x, y, z, cx, cy, cz, majorant). Cells are integers, so that rounding cannot trap
    a photon at a wall.
    """
    nx = geo.n_cell[0]
    ny = geo.n_cell[1]
    nz = geo.n_cell[2]
    while True:
        code = i32(geo.cell[(cz * ny + cy) * nx + cx])
        size = _CELL << (code >> _BYTE)
        majorant = geo.majorant[i, code & _CLASS]
        tx = distance_to_wall(cx, size, u > _ZERO, geo.cell_cm[0], x, iu)
        ty = distance_to_wall(cy, size, v > _ZERO, geo.cell_cm[1], y, iv)
        tz = distance_to_wall(cz, size, w > _ZERO, geo.cell_cm[2], z, iw)
        t = max(min(tx, min(ty, tz)), _ZERO)  # rounding may have put the point a little behind the wall
        if tau <= t * majorant:
            t = tau / majorant
            return True, x + u * t, y + v * t, z + w * t, cx, cy, cz, majorant
        tau -= t * majorant
        x += u * t
        y += v * t
        z += w * t
        cx = step_axis(cx, size, u > _ZERO, tx <= t, x * geo.inv_cell[0])
        cy = step_axis(cy, size, v > _ZERO, ty <= t, y * geo.inv_cell[1])
        cz = step_axis(cz, size, w > _ZERO, tz <= t, z * geo.inv_cell[2])
        if (u32(cx) >= u32(nx)) | (u32(cy) >= u32(ny)) | (u32(cz) >= u32(nz)):
            return False, x, y, z, cx, cy, cz, tau


@jit
def travel(geo, phys, i, a, x, y, z, u, v, w, iu, iv, iw, tau, cx, cy, cz, fresh):
    """Carry a photon on to the next tentative collision.

    ``fresh``: it starts anywhere; else it is in the grid, in cell (cx, cy, cz). Returns (where, x, y, z, cx, cy, cz,
    majorant); in the world, where the free path is sampled directly, the last is the cross section.
    """
    sigma = mass_coefficient(phys, i32(geo.world_material), i, a, 0) * geo.world_density
    if fresh:
        hx = geo.cell_cm[0] * f32(geo.n_cell[0])
        hy = geo.cell_cm[1] * f32(geo.n_cell[1])
        hz = geo.cell_cm[2] * f32(geo.n_cell[2])
        if not (_ZERO <= x <= hx and _ZERO <= y <= hy and _ZERO <= z <= hz):
            path, enters = cross_world(geo, x, y, z, u, v, w, False)
            if sigma * path > tau:
                t = tau / sigma
                return IN_WORLD, x + u * t, y + v * t, z + w * t, cx, cy, cz, sigma
            if not enters:
                return ESCAPED, x, y, z, cx, cy, cz, sigma
            tau -= sigma * path
            x = min(max(x + u * path, _ZERO), hx)
            y = min(max(y + v * path, _ZERO), hy)
            z = min(max(z + w * path, _ZERO), hz)
        cx = cell_of(geo, 0, x)
        cy = cell_of(geo, 1, y)
        cz = cell_of(geo, 2, z)
    inside, x, y, z, cx, cy, cz, rest = walk(geo, i, x, y, z, u, v, w, iu, iv, iw, tau, cx, cy, cz)
    if inside:
        return IN_GRID, x, y, z, cx, cy, cz, rest
    path, _enters = cross_world(geo, x, y, z, u, v, w, True)
    if sigma * path > rest:
        t = rest / sigma
        return IN_WORLD, x + u * t, y + v * t, z + w * t, cx, cy, cz, sigma
    return ESCAPED, x, y, z, cx, cy, cz, sigma
