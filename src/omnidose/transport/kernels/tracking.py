"""Flight to the next tentative collision: delta tracking with a majorant for each block of cells.

Reference: Woodcock et al., ANL-7050 (1965) 557.
"""

import numpy as np

from ._target import jit
from .geometry import box_entry, find_shape, voxel_content
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

#: Estimators (``Method.estimator``).
EXPECTED, ANALOG, TRACED = 0, 1, 2
#: Where a photon is: outside the world, in the world's material, at a point of the macro grid, before its
#: first flight (or at the border of the grid, where its flight begins anew), at a point of the room.
ESCAPED, IN_WORLD, IN_GRID, BORN, IN_ROOM = 0, 1, 2, 3, 4
#: What a history sums for itself.
EMITTED, DEPOSITED, ESCAPED_KEV, EXPECTED_KEV, TENTATIVE, COLLISIONS = range(6)


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
            return (i64(-1), shape, i32(0), geo.shape_density[u32(shape)]), geo.shape_material[u32(shape)]
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
def first_wall(c, ahead, cell_cm, x, inv_u):
    """Return the distance along a ray to the first wall of its cell on one axis."""
    if inv_u == _BIG:
        return _BIG
    return max((f32(c + _CELL if ahead else c) * cell_cm - x) * inv_u, _ZERO)


@jit
def walk(geo, i, u, v, w, dx, dy, dz, t, tx, ty, tz, tau, cx, cy, cz):
    """Walk from cell to cell until ``tau`` mean free paths of the majorants are used up.

    ``t`` is the distance flown; ``tx, ty, tz`` the distances at which the next wall of each axis is met, and
    ``dx, dy, dz`` those between walls. Returns (still inside the grid, t, tx, ty, tz, cx, cy, cz,
    majorant); outside the last is the tau that is left. Cells are integers, so that rounding cannot trap a
    photon at a wall.
    """
    nx = geo.n_cell[0]
    ny = geo.n_cell[1]
    nz = geo.n_cell[2]
    while True:
        majorant = geo.majorant[u32(i), geo.cell_class[u32((cz * ny + cy) * nx + cx)]]
        t_next = min(tx, min(ty, tz))
        cost = (t_next - t) * majorant
        if tau <= cost:
            return True, t + tau / majorant, tx, ty, tz, cx, cy, cz, majorant
        tau -= cost
        t = t_next
        if tx <= ty and tx <= tz:
            cx = i32(cx + (_CELL if u > _ZERO else -_CELL))
            tx += dx
            if u32(cx) >= u32(nx):
                break
        elif ty <= tz:
            cy = i32(cy + (_CELL if v > _ZERO else -_CELL))
            ty += dy
            if u32(cy) >= u32(ny):
                break
        else:
            cz = i32(cz + (_CELL if w > _ZERO else -_CELL))
            tz += dz
            if u32(cz) >= u32(nz):
                break
    return False, t, tx, ty, tz, cx, cy, cz, tau


@jit
def world_cross_section(geo, phys, i, a):
    """Return 1/cm of the world's material."""
    return mass_coefficient(phys, i32(geo.world_material), i, a, 0) * f32(geo.world_density)


@jit
def enter(geo, phys, i, a, x, y, z, u, v, w, tau):
    """Carry a photon from anywhere into the macro grid: return (where, x, y, z, tau left).

    In the world, which is one material, the free path is sampled directly.
    """
    hx = geo.cell_cm[0] * f32(geo.n_cell[0])
    hy = geo.cell_cm[1] * f32(geo.n_cell[1])
    hz = geo.cell_cm[2] * f32(geo.n_cell[2])
    if _ZERO <= x <= hx and _ZERO <= y <= hy and _ZERO <= z <= hz:
        return i32(IN_GRID), x, y, z, tau
    sigma = world_cross_section(geo, phys, i, a)
    path, enters = cross_world(geo, x, y, z, u, v, w, False)
    if sigma * path > tau:
        t = tau / sigma
        return i32(IN_WORLD), x + u * t, y + v * t, z + w * t, _ZERO
    if not enters:
        return i32(ESCAPED), x, y, z, _ZERO
    x = min(max(x + u * path, _ZERO), hx)
    y = min(max(y + v * path, _ZERO), hy)
    z = min(max(z + w * path, _ZERO), hz)
    return i32(IN_GRID), x, y, z, tau - sigma * path


@jit
def leave(geo, phys, i, a, x, y, z, u, v, w, tau):
    """Carry a photon that has left the macro grid through the world: return (where, x, y, z)."""
    sigma = world_cross_section(geo, phys, i, a)
    path, _enters = cross_world(geo, x, y, z, u, v, w, True)
    if sigma * path > tau:
        t = tau / sigma
        return i32(IN_WORLD), x + u * t, y + v * t, z + w * t
    return i32(ESCAPED), x, y, z
