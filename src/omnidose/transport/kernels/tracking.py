"""Flight to the next collision: delta tracking with macro-cell majorants, scoring on the way.

At *every* tentative collision, real or virtual, the expected deposit (E mu_dep / majorant) is scored.

Reference: Woodcock et al., ANL-7050 (1965) 557.
"""

import math

import numpy as np

from ._target import jit
from .geometry import box_entry, find_shape, voxel_at, voxel_content
from .interactions import mass_coefficient
from .random import four
from .scoring import score

i32 = np.int32
u32 = np.uint32
i64 = np.int64
f32 = np.float32
f64 = np.float64
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_BIG = np.float32(1e30)
_TINY = np.float32(1e-20)
_NONE = np.int32(0)
_ONWARDS = np.int32(1)
_BYTE = np.int32(8)
_CLASS = np.int32(255)
_BELOW_ONE = np.float32(0.9999999)

#: Estimators (``Method.estimator``).
EXPECTED, ANALOG = 0, 1


@jit
def block_wall(c, level, n, forward):
    """Return the cell coordinate of the wall ahead of cell ``c`` in its block of 2^level cells."""
    low = i32(c >> level) << level
    return i32(min(low + (_ONWARDS << level), n)) if forward else i32(low)


@jit
def behind_wall(c, level, n, crossed, forward, place):
    """Return the cell coordinate after a step: behind the wall, or where ``place`` (in cells) lies in the block."""
    low = i32(c >> level) << level
    high = i32(min(low + (_ONWARDS << level), n))
    if crossed:
        return i32(high) if forward else i32(low - _ONWARDS)
    return i32(min(max(i32(place), low), high - _ONWARDS))


@jit
def content(geo, x, y, z):
    """Return (voxel, shape, kind, density) and the material at a point of the macro grid."""
    if geo.shape_kind.shape[0] > 0:
        cx = i32(min(max(i32(x * geo.inv_cell[0]), _NONE), i32(geo.n_cell[0] - 1)))
        cy = i32(min(max(i32(y * geo.inv_cell[1]), _NONE), i32(geo.n_cell[1] - 1)))
        cz = i32(min(max(i32(z * geo.inv_cell[2]), _NONE), i32(geo.n_cell[2] - 1)))
        shape = find_shape(geo, (cz * geo.n_cell[1] + cy) * geo.n_cell[0] + cx, x, y, z)
        if shape >= 0:
            return (i64(-1), shape, i32(0), geo.shape_density[shape]), geo.shape_material[shape]
    voxel = voxel_at(geo, x, y, z)
    if voxel >= 0:
        kind, density, material = voxel_content(geo, voxel)
        return (voxel, i32(-1), kind, density), material
    return (i64(-1), i32(-1), i32(0), geo.world_density), i32(geo.world_material)


@jit
def cross_world(geo, x, y, z, u, v, w, left):
    """Return (distance through the world, whether the macro grid follows) for a point outside the grid."""
    hx = geo.cell_cm[0] * f32(geo.n_cell[0])
    hy = geo.cell_cm[1] * f32(geo.n_cell[1])
    hz = geo.cell_cm[2] * f32(geo.n_cell[2])
    t_in, t_out = box_entry(x, y, z, u, v, w, _ZERO, _ZERO, _ZERO, hx, hy, hz)
    if (not left) and t_in < t_out and t_out > _ZERO:
        return max(t_in, _ZERO), True
    low = geo.world_lower
    high = geo.world_upper
    _near, far = box_entry(x, y, z, u, v, w, low[0], low[1], low[2], high[0], high[1], high[2])
    return max(far, _ZERO), False


@jit
def fly(method, geo, phys, x, y, z, u, v, w, i, a, energy, first, history, block, seed, tally):
    """Carry a photon to its next real collision, scoring on the way.

    Returns (hit, x, y, z, place, material, r, r3, r4, block, expected, tentative): ``hit`` 0 means escaped;
    ``r`` is a uniform left over from the choice between real and virtual collision, ``r3`` and ``r4`` are not
    used yet; ``expected`` is the sum of expected deposits (keV), ``tentative`` the number of collisions tried.
    """
    hx = geo.cell_cm[0] * f32(geo.n_cell[0])
    hy = geo.cell_cm[1] * f32(geo.n_cell[1])
    hz = geo.cell_cm[2] * f32(geo.n_cell[2])
    nowhere = (i64(-1), i32(-1), i32(0), geo.world_density)
    expected = f64(0.0)
    tentative = i32(0)
    left = False
    r1, r2, r3, r4 = four(history, block, seed)
    block += 1
    tau = -math.log(r1)
    while True:
        if left or not (_ZERO <= x <= hx and _ZERO <= y <= hy and _ZERO <= z <= hz):
            path, enters = cross_world(geo, x, y, z, u, v, w, left)
            m = i32(geo.world_material)
            sigma = mass_coefficient(phys, m, i, a, 0) * geo.world_density
            if sigma * path > tau:
                step = tau / sigma
                expected += f64(energy / sigma * geo.world_density * mass_coefficient(phys, m, i, a, 1))
                x += u * step
                y += v * step
                z += w * step
                return 1, x, y, z, nowhere, m, r2, r3, r4, block, expected, tentative
            if not enters:
                return 0, x, y, z, nowhere, m, r2, r3, r4, block, expected, tentative
            tau -= sigma * path
            x = min(max(x + u * path, _ZERO), hx)
            y = min(max(y + v * path, _ZERO), hy)
            z = min(max(z + w * path, _ZERO), hz)

        # walk from block to block in whole cells; t is the distance from (x, y, z)
        nx = geo.n_cell[0]
        ny = geo.n_cell[1]
        nz = geo.n_cell[2]
        cx = i32(min(i32(x * geo.inv_cell[0]), i32(nx - 1)))
        cy = i32(min(i32(y * geo.inv_cell[1]), i32(ny - 1)))
        cz = i32(min(i32(z * geo.inv_cell[2]), i32(nz - 1)))
        iu = _ONE / u if abs(u) > _TINY else _BIG
        iv = _ONE / v if abs(v) > _TINY else _BIG
        iw = _ONE / w if abs(w) > _TINY else _BIG
        t = _ZERO
        while True:
            code = i32(geo.cell[(cz * ny + cy) * nx + cx])
            level = code >> _BYTE
            majorant = geo.majorant[i, code & _CLASS]
            tx = _BIG
            ty = _BIG
            tz = _BIG
            if abs(u) > _TINY:
                tx = (f32(block_wall(cx, level, nx, u > _ZERO)) * geo.cell_cm[0] - x) * iu
            if abs(v) > _TINY:
                ty = (f32(block_wall(cy, level, ny, v > _ZERO)) * geo.cell_cm[1] - y) * iv
            if abs(w) > _TINY:
                tz = (f32(block_wall(cz, level, nz, w > _ZERO)) * geo.cell_cm[2] - z) * iw
            t_next = min(tx, min(ty, tz))
            cost = max(t_next - t, _ZERO) * majorant  # rounding may put t a little behind the wall
            if tau > cost:
                tau -= cost
                t = max(t, t_next)
                cx = behind_wall(cx, level, nx, tx <= t_next, u > _ZERO, (x + u * t) * geo.inv_cell[0])
                cy = behind_wall(cy, level, ny, ty <= t_next, v > _ZERO, (y + v * t) * geo.inv_cell[1])
                cz = behind_wall(cz, level, nz, tz <= t_next, w > _ZERO, (z + w * t) * geo.inv_cell[2])
                if (u32(cx) >= u32(nx)) | (u32(cy) >= u32(ny)) | (u32(cz) >= u32(nz)):
                    break
                continue
            # a tentative collision in this cell
            t += tau / majorant
            px = x + u * t
            py = y + v * t
            pz = z + w * t
            tentative += i32(1)
            place, m = content(geo, px, py, pz)
            density = place[3]
            sigma = mass_coefficient(phys, m, i, a, 0) * density
            flux = energy / majorant
            deposit = flux * density * mass_coefficient(phys, m, i, a, 1)
            expected += f64(deposit)
            if method.estimator == EXPECTED:
                score(geo, phys, place, i, a, flux, deposit, first, tally)
            threshold = r2 * majorant
            if threshold < sigma:
                r2 = min(threshold / sigma, _BELOW_ONE)
                return 1, px, py, pz, place, m, r2, r3, r4, block, expected, tentative
            r1, r2, r3, r4 = four(history, block, seed)
            block += 1
            tau = -math.log(r1)
        # left the macro grid: the rest of the way is world
        x += u * t
        y += v * t
        z += w * t
        left = True
