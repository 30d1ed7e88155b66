"""Flight to the next collision: delta tracking with macro-cell majorants.

Reference: Woodcock et al., ANL-7050 (1965) 557.
"""

import math

import numpy as np

from ._target import jit
from .geometry import box_entry, find_shape, voxel_at
from .interactions import mass_coefficient
from .random import four
from .scoring import score

i32 = np.int32
i64 = np.int64
f32 = np.float32
f64 = np.float64
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_BIG = np.float32(1e30)
_TINY = np.float32(1e-20)


@jit
def fly(
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
):
    """Carry a photon to its next real collision, scoring on the way.

    Returns (hit, x, y, z, voxel, shape, material, density, r, block); ``hit`` 0 means escaped and
    ``r`` is a uniform left over from the choice between real and virtual collision.
    """
    nothing = i64(-1)
    none = i32(-1)
    hx = geo.cell_cm[0] * f32(geo.n_cell[0])
    hy = geo.cell_cm[1] * f32(geo.n_cell[1])
    hz = geo.cell_cm[2] * f32(geo.n_cell[2])
    left = False
    tau = _ZERO
    have_tau = False
    r_accept = _ZERO
    while True:
        inside = (not left) and _ZERO <= x <= hx and _ZERO <= y <= hy and _ZERO <= z <= hz
        if not inside:
            t_in, t_out = box_entry(x, y, z, u, v, w, _ZERO, _ZERO, _ZERO, hx, hy, hz)
            enters = (not left) and t_in < t_out and t_out > _ZERO
            if enters:
                path = max(t_in, _ZERO)
            else:
                _near, path = box_entry(
                    x,
                    y,
                    z,
                    u,
                    v,
                    w,
                    geo.world_lower[0],
                    geo.world_lower[1],
                    geo.world_lower[2],
                    geo.world_upper[0],
                    geo.world_upper[1],
                    geo.world_upper[2],
                )
                path = max(path, _ZERO)
            m = i32(geo.world_material)
            sigma = mass_coefficient(phys, m, i, a, 0) * geo.world_density
            if not have_tau:
                r1, r_accept, _r3, _r4 = four(history, block, seed)
                block += 1
                tau = -math.log(r1)
                have_tau = True
            if sigma * path > tau:
                step = tau / sigma
                flux = energy / sigma
                deposit = flux * geo.world_density * mass_coefficient(phys, m, i, a, 1)
                analog[3] += f64(deposit)
                return (
                    1,
                    x + u * step,
                    y + v * step,
                    z + w * step,
                    nothing,
                    none,
                    m,
                    geo.world_density,
                    r_accept,
                    block,
                )
            if not enters:
                return 0, x, y, z, nothing, none, none, _ZERO, _ZERO, block
            tau -= sigma * path
            x = min(max(x + u * path, _ZERO), hx)
            y = min(max(y + v * path, _ZERO), hy)
            z = min(max(z + w * path, _ZERO), hz)

        # integer walk through the macro cells
        nx = geo.n_cell[0]
        ny = geo.n_cell[1]
        nz = geo.n_cell[2]
        cx = min(i32(x * geo.inv_cell[0]), i32(nx - 1))
        cy = min(i32(y * geo.inv_cell[1]), i32(ny - 1))
        cz = min(i32(z * geo.inv_cell[2]), i32(nz - 1))
        iu = _ONE / u if abs(u) > _TINY else _BIG
        iv = _ONE / v if abs(v) > _TINY else _BIG
        iw = _ONE / w if abs(w) > _TINY else _BIG
        dx = geo.cell_cm[0] * abs(iu)
        dy = geo.cell_cm[1] * abs(iv)
        dz = geo.cell_cm[2] * abs(iw)
        tx = _BIG
        ty = _BIG
        tz = _BIG
        if abs(u) > _TINY:
            tx = max((f32(cx + 1 if u > _ZERO else cx) * geo.cell_cm[0] - x) * iu, _ZERO)
        if abs(v) > _TINY:
            ty = max((f32(cy + 1 if v > _ZERO else cy) * geo.cell_cm[1] - y) * iv, _ZERO)
        if abs(w) > _TINY:
            tz = max((f32(cz + 1 if w > _ZERO else cz) * geo.cell_cm[2] - z) * iw, _ZERO)
        t = _ZERO
        cell = (cz * ny + cy) * nx + cx
        majorant = geo.majorant[geo.cell_class[cell], i]
        if not have_tau:
            r1, r_accept, _r3, _r4 = four(history, block, seed)
            block += 1
            tau = -math.log(r1)
            have_tau = True
        while True:
            t_next = min(tx, min(ty, tz))
            cost = (t_next - t) * majorant
            if tau > cost:
                tau -= cost
                t = t_next
                if tx <= ty and tx <= tz:
                    cx += 1 if u > _ZERO else -1
                    tx += dx
                    if cx < 0 or cx >= nx:
                        break
                elif ty <= tz:
                    cy += 1 if v > _ZERO else -1
                    ty += dy
                    if cy < 0 or cy >= ny:
                        break
                else:
                    cz += 1 if w > _ZERO else -1
                    tz += dz
                    if cz < 0 or cz >= nz:
                        break
                cell = (cz * ny + cy) * nx + cx
                majorant = geo.majorant[geo.cell_class[cell], i]
                continue
            # a tentative collision in this cell
            t += tau / majorant
            px = x + u * t
            py = y + v * t
            pz = z + w * t
            analog[4] += 1.0
            shape = find_shape(geo, cell, px, py, pz)
            voxel = nothing
            if shape >= 0:
                m = geo.shape_material[shape]
                density = geo.shape_density[shape]
            else:
                voxel = voxel_at(geo, px, py, pz)
                if voxel >= 0:
                    m = i32(geo.material[voxel])
                    density = geo.density[voxel]
                else:
                    m = i32(geo.world_material)
                    density = geo.world_density
            sigma = mass_coefficient(phys, m, i, a, 0) * density
            flux = energy / majorant
            deposit = flux * density * mass_coefficient(phys, m, i, a, 1)
            analog[3] += f64(deposit)
            score(geo, phys, voxel, shape, i, a, flux, deposit, density, first, energies, primaries, voxels)
            threshold = r_accept * majorant
            if threshold < sigma:
                return 1, px, py, pz, voxel, shape, m, density, min(threshold / sigma, f32(0.9999999)), block
            r1, r_accept, _r3, _r4 = four(history, block, seed)
            block += 1
            tau = -math.log(r1)
        # left the macro grid: the rest of the way is world
        x = x + u * t
        y = y + v * t
        z = z + w * t
        left = True
