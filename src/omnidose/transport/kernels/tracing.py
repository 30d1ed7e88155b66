"""Primary photons without chance: the deposit along a ray, voxel by voxel and shape by shape.

From one wall to the next the material is the same; the expected deposit there is E exp(-tau) (1 - exp(-sigma
s)) mu_dep / sigma. Only where photons are born and which way they fly is left to chance.
"""

import math

import numpy as np

from ._target import jit, jit_apart
from .geometry import BOX, CAPSULE, CYLINDER, SPHERE, box_entry, voxel_at
from .interactions import mass_coefficient
from .scoring import score
from .tracking import content, world_cross_section

i32 = np.int32
u32 = np.uint32
f32 = np.float32
f64 = np.float64
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_HALF = np.float32(0.5)
_BIG = np.float32(1e30)
_TINY = np.float32(1e-20)
#: Walls closer than this (cm) are one: float32 does not tell them apart in a room.
_CLOSE = np.float32(2e-5)
_THIN = np.float32(1e-4)
#: Optical depth behind which nothing is left (exp(-25) = 1e-11).
_OPAQUE = np.float32(25.0)


@jit
def nearer(best, found, t):
    """Return the smaller of two distances, the new one only if it lies ahead of ``t``."""
    return found if t < found < best else best


@jit
def next_plane(best, t, x, u, lower, size, n):
    """Return the nearer of ``best`` and the next of n + 1 planes on one axis."""
    if abs(u) < _TINY:
        return best
    k = (x + u * t - lower) / size
    k = math.floor(k) + _ONE if u > _ZERO else math.ceil(k) - _ONE
    k = max(k, _ZERO) if u > _ZERO else min(k, f32(n))
    if k > f32(n) or k < _ZERO:
        return best
    return nearer(best, (lower + k * size - x) / u, t)


@jit
def next_roots(best, t, a, b, c):
    """Return the nearer of ``best`` and the roots of a t^2 + 2 b t + c."""
    d = b * b - a * c
    if d <= _ZERO or a < _TINY:
        return best
    root = math.sqrt(d)
    return nearer(nearer(best, (-b - root) / a, t), (-b + root) / a, t)


@jit
def next_surface(geo, k, best, t, x, y, z, u, v, w):
    """Return the nearer of ``best`` and the surfaces of shape ``k``; of more surfaces than it shows."""
    size = geo.shape_size
    kind = geo.shape_kind[k]
    if kind == BOX:
        for axis in range(3):
            p, d = (x, u) if axis == 0 else ((y, v) if axis == 1 else (z, w))
            if abs(d) > _TINY:
                best = nearer(best, (size[k, axis] - p) / d, t)
                best = nearer(best, (size[k, axis + 3] - p) / d, t)
        return best
    dx = x - size[k, 0]
    dy = y - size[k, 1]
    dz = z - size[k, 2]
    r2 = dx * dx + dy * dy + dz * dz
    forward = dx * u + dy * v + dz * w
    if kind == SPHERE:
        return next_roots(best, t, _ONE, forward, r2 - size[k, 3])
    along = dx * size[k, 5] + dy * size[k, 6] + dz * size[k, 7]
    slope = u * size[k, 5] + v * size[k, 6] + w * size[k, 7]
    half = size[k, 4]
    best = next_roots(best, t, _ONE - slope * slope, forward - along * slope, r2 - along * along - size[k, 3])
    for end in range(2):
        shift = along - half if end == 0 else along + half
        if kind == CYLINDER:
            if abs(slope) > _TINY:
                best = nearer(best, -shift / slope, t)
        elif kind == CAPSULE:
            offset = half if end == 0 else -half
            centre2 = r2 - (along + along) * offset + offset * offset
            best = next_roots(best, t, _ONE, forward - slope * offset, centre2 - size[k, 3])
    return best


@jit_apart
def trace(geo, phys, i, a, energy, x, y, z, u, v, w, tally):
    """Score the expected primary deposits along a ray from (x, y, z); return their sum (keV)."""
    hx = geo.cell_cm[0] * f32(geo.n_cell[0])
    hy = geo.cell_cm[1] * f32(geo.n_cell[1])
    hz = geo.cell_cm[2] * f32(geo.n_cell[2])
    low = geo.world_lower
    high = geo.world_upper
    world = world_cross_section(geo, phys, i, a)
    in_world = energy * geo.world_density * mass_coefficient(phys, i32(geo.world_material), i, a, 1)
    _near, far = box_entry(x, y, z, u, v, w, low[0], low[1], low[2], high[0], high[1], high[2])
    far = max(far, _ZERO)
    t, end = box_entry(x, y, z, u, v, w, _ZERO, _ZERO, _ZERO, hx, hy, hz)
    t = max(t, _ZERO)
    if end <= t:
        return f64(in_world * track(world, far))
    total = f64(in_world * track(world, t))
    tau = world * t
    voxels = geo.n_voxel[0, 0] > 0
    while t < end and tau < _OPAQUE:
        t_next = end
        if voxels:
            for axis in range(3):
                p, d = (x, u) if axis == 0 else ((y, v) if axis == 1 else (z, w))
                size = _ONE / geo.inv_voxel[0, axis]
                low_face = geo.voxel_lower[0, axis]
                t_next = next_plane(t_next, t + _CLOSE, p, d, low_face, size, geo.n_voxel[0, axis])
        for k in range(geo.shape_kind.shape[0]):
            t_next = next_surface(geo, u32(k), t_next, t + _CLOSE, x, y, z, u, v, w)
        s = t_next - t
        middle = t + _HALF * s
        px = x + u * middle
        py = y + v * middle
        pz = z + w * middle
        place, m = content(geo, voxel_at(geo, px, py, pz), px, py, pz)
        sigma = mass_coefficient(phys, m, i, a, 0) * place[3]
        flux = energy * math.exp(-tau) * track(sigma, s)
        deposit = flux * place[3] * mass_coefficient(phys, m, i, a, 1)
        score(geo, phys, place, i, a, flux, deposit, True, tally)
        total += f64(deposit)
        tau += sigma * s
        t = t_next
    return total + f64(in_world * math.exp(-tau) * track(world, max(far - t, _ZERO)))


@jit
def track(sigma, s):
    """Return the expected path (cm) before a collision or the end of a way ``s``."""
    tau = sigma * s
    if tau < _THIN:
        return s * (_ONE - _HALF * tau)
    return (_ONE - math.exp(-tau)) / sigma
