"""Where a point is: shapes, voxels, and the box around them."""

import numpy as np

from ._target import jit

i32 = np.int32
u32 = np.uint32
u64 = np.uint64
i64 = np.int64
f32 = np.float32
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_BIG = np.float32(1e30)
_TINY = np.float32(1e-20)
_HALF_WORD = np.uint32(16)
_NEXT = np.uint32(1)
_LOW_HALF = np.uint32(0xFFFF)

#: Kinds of shape (``Geometry.shape_kind``).
BOX, CYLINDER, SPHERE, CAPSULE = 0, 1, 2, 3


@jit
def box_entry(x, y, z, u, v, w, lx, ly, lz, hx, hy, hz):
    """Return the distances to enter and to leave a box along a ray (entry > exit: missed)."""
    t_in = -_BIG
    t_out = _BIG
    for axis in range(3):
        p, d, lo, hi = (x, u, lx, hx) if axis == 0 else ((y, v, ly, hy) if axis == 1 else (z, w, lz, hz))
        if abs(d) < _TINY:
            if p < lo or p > hi:
                return _BIG, -_BIG
        else:
            inv = _ONE / d
            t1 = (lo - p) * inv
            t2 = (hi - p) * inv
            t_in = max(t_in, min(t1, t2))
            t_out = min(t_out, max(t1, t2))
    return t_in, t_out


@jit
def in_shape(geo, k, x, y, z):
    """Return whether a point lies in shape ``k``."""
    size = geo.shape_size
    kind = geo.shape_kind[k]
    if kind == BOX:
        return (
            size[k, 0] <= x <= size[k, 3] and size[k, 1] <= y <= size[k, 4] and size[k, 2] <= z <= size[k, 5]
        )
    dx = x - size[k, 0]
    dy = y - size[k, 1]
    dz = z - size[k, 2]
    distance2 = dx * dx + dy * dy + dz * dz
    if kind == SPHERE:
        return distance2 <= size[k, 3]
    along = dx * size[k, 5] + dy * size[k, 6] + dz * size[k, 7]
    half = size[k, 4]
    if kind == CYLINDER:
        return abs(along) <= half and distance2 - along * along <= size[k, 3]
    # a capsule: distance from the nearest point of its axis
    nearest = min(max(along, -half), half)
    return distance2 + nearest * (nearest - along - along) <= size[k, 3]


@jit
def find_shape(geo, cell, x, y, z):
    """Return the index of the last shape that holds a point of a macro cell, or -1."""
    for entry in range(geo.cell_shape_first[u32(cell)], geo.cell_shape_first[u32(cell) + _NEXT]):
        k = u32(geo.cell_shape_list[u32(entry)])
        if in_shape(geo, k, x, y, z):
            return i32(k)
    return i32(-1)


@jit
def voxel_in(geo, g, x, y, z):
    """Return the flat index of the voxel of grid ``g`` at a point, or -1 outside."""
    nx = geo.n_voxel[g, 0]
    if nx == 0:
        return i64(-1)
    fx = (x - geo.voxel_lower[g, 0]) * geo.inv_voxel[g, 0]
    fy = (y - geo.voxel_lower[g, 1]) * geo.inv_voxel[g, 1]
    fz = (z - geo.voxel_lower[g, 2]) * geo.inv_voxel[g, 2]
    ny = geo.n_voxel[g, 1]
    nz = geo.n_voxel[g, 2]
    if fx < _ZERO or fy < _ZERO or fz < _ZERO or fx > f32(nx) or fy > f32(ny) or fz > f32(nz):
        return i64(-1)
    # a point may round onto the upper face
    ix = min(i32(fx), i32(nx - 1))
    iy = min(i32(fy), i32(ny - 1))
    iz = min(i32(fz), i32(nz - 1))
    return (i64(iz) * i64(ny) + i64(iy)) * i64(nx) + i64(ix)


@jit
def voxel_at(geo, x, y, z):
    """Return the index of the voxel at a point (the body's, else the room's), or -1 outside both."""
    voxel = voxel_in(geo, 0, x, y, z)
    if voxel < 0 and geo.n_voxel.shape[0] > 1:
        voxel = voxel_in(geo, 1, x, y, z)
        if voxel >= 0:
            voxel += i64(geo.n_voxel[0, 0]) * i64(geo.n_voxel[0, 1]) * i64(geo.n_voxel[0, 2])
    return voxel


@jit
def voxel_content(geo, voxel):
    """Return (kind, density, material) of a voxel, from one word of memory.

    Low half: density in steps of its kind; high half: the kind, which stands for a material and the
    regions that score there.
    """
    word = geo.word[u64(voxel)]
    kind = u32(word >> _HALF_WORD)
    return i32(kind), f32(u32(word & _LOW_HALF)) * geo.kind_step[kind], geo.kind_material[kind]
