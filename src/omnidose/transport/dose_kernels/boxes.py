"""From shells around a point to voxels: the mean over a source voxel and over a target voxel.

The vector between a uniform point of a box and a uniform point of another, n voxels away, has the density
of two boxes convolved: a triangle along each axis. The energy that a shell of radius r gives to a voxel is
therefore the mean over the sphere of the product of three triangles at its points - each point is shared out
to the eight voxels around it, as a cloud is to the cells of a mesh. The triangles of all voxels add up to 1
everywhere: energy is kept exactly, and the 1/r^2 of the point kernel never appears.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from omnidose.transport.dose_kernels.radial import Shells

ArrayF8 = npt.NDArray[np.float64]
Octant = tuple[int, int, int]

#: Directions per face of the octant and axis: at least, per radius in voxels, at most.
_LEAST, _PER_VOXEL, _MOST = 8, 6.0, 72
#: Widest step of the radius, in voxels: triangles have kinks.
_STEP = 0.05
_POINTS = 60_000
#: Photons, in largest sides: voxels nearer than the first distance are made from shells, nearer than the
#: second from 27 points per voxel, further ones from the dose at centres.
_NEAR, _MIDDLE = 3.0, 10.0
#: Points and weights of Gauss's rule for a triangle of half width 1.
_NODES, _WEIGHTS = (-math.sqrt(0.4), 0.0, math.sqrt(0.4)), (5 / 24, 7 / 12, 5 / 24)
#: Weights at -1, 0, 1 voxel that have the second moment of a triangle of half width 1 (1/6).
_STENCIL = (1 / 12, 5 / 6, 1 / 12)


def voxels_kev(shells: Shells, voxel_g_cm2: tuple[float, float, float], last: Octant) -> ArrayF8:
    """Energy per decay in voxels near and far, for kernels without an end (photons).

    Parameters, Returns
        As :func:`near_voxels_kev`.
    """
    out = far_voxels_kev(shells, voxel_g_cm2, last)
    for make, sides in ((middle_voxels_kev, _MIDDLE), (near_voxels_kev, _NEAR)):
        reach = sides * max(voxel_g_cm2)
        nz, ny, nx = (
            min(math.ceil(reach / side - 1e-9) - 1, n)
            for side, n in zip(voxel_g_cm2[::-1], last, strict=True)
        )
        out[: nz + 1, : ny + 1, : nx + 1] = make(shells, voxel_g_cm2, (nz, ny, nx))
    return out


def octant_directions(count: int) -> tuple[ArrayF8, ArrayF8]:
    """Return unit vectors of the octant x, y, z > 0 [n, 3] and weights (sum 1), alike under permutations.

    Gauss's points on the three faces of the unit cube that look that way: first all of the x face.
    """
    node, weight = np.polynomial.legendre.leggauss(count)
    u, v = np.meshgrid(0.5 * (node + 1), 0.5 * (node + 1), indexing="ij")
    w = np.outer(weight, weight) / 4 * (1 + u**2 + v**2) ** -1.5
    one = np.stack([np.ones_like(u), u, v], axis=-1).reshape(-1, 3)
    one /= np.linalg.norm(one, axis=1)[:, None]
    points = np.concatenate([one, np.roll(one, 1, axis=1), np.roll(one, 2, axis=1)])
    weights = np.tile(w.ravel(), 3)
    return points, weights / weights.sum()


def near_voxels_kev(shells: Shells, voxel_g_cm2: tuple[float, float, float], last: Octant) -> ArrayF8:
    """Energy per decay in voxels around the source voxel, from shells.

    Parameters
    ----------
    voxel_g_cm2
        Sides of the voxel (x, y, z) times density, on the scale of the shells.
    last
        Largest offset along z, y, x.

    Returns
    -------
    array
        [nz + 1, ny + 1, nx + 1] offsets from 0: one octant, all voxels of it alike for the others.
    """
    side = np.asarray(voxel_g_cm2)
    cubic = bool(np.all(side == side[0])) and last[0] == last[1] == last[2]
    shape = (last[0] + 2, last[1] + 2, last[2] + 2)
    total = np.zeros(int(np.prod(shape)))
    farthest = float(np.linalg.norm((np.asarray(last[::-1]) + 1) * side))
    radius, energy = _nodes(shells, farthest, _STEP * float(side.min()))
    wanted = np.clip(np.ceil(_LEAST + _PER_VOXEL * radius / side.min()), _LEAST, _MOST).astype(int)
    wanted += wanted % 2
    for count in np.unique(wanted):
        points, weights = octant_directions(int(count))
        if cubic:  # the other faces are turned copies of the first
            points, weights = points[: count**2], 3 * weights[: count**2]
        chosen = wanted == count
        for r, kev in _chunks(radius[chosen], energy[chosen], weights.size):
            place = (r[:, None, None] * (points / side)).reshape(-1, 3)
            _share_out(place, (kev[:, None] * weights).ravel(), shape, total)
    octant = total.reshape(shape)[:-1, :-1, :-1]
    if cubic:
        octant = (octant + octant.transpose(1, 2, 0) + octant.transpose(2, 0, 1)) / 3
    return np.ascontiguousarray(octant / _images(octant.shape))


def _chunks(radius: ArrayF8, energy: ArrayF8, directions: int) -> Iterator[tuple[ArrayF8, ArrayF8]]:
    """Yield radii and energies in parts that make at most so many points, for the processor's cache."""
    size = max(_POINTS // directions, 1)
    for start in range(0, radius.size, size):
        yield radius[start : start + size], energy[start : start + size]


def _nodes(shells: Shells, farthest: float, step: float) -> tuple[ArrayF8, ArrayF8]:
    """Radii and energies: shells in equal parts of at most ``step``, two Gauss points in each.

    Shells beyond ``farthest`` are left out.
    """
    used = (shells.energy_kev > 0) & (shells.edge_g_cm2[:-1] < farthest)
    low, width = shells.edge_g_cm2[:-1][used], np.diff(shells.edge_g_cm2)[used]
    parts = np.maximum(np.ceil(width / step), 1).astype(int)
    part = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
    width = np.repeat(width / parts, parts)
    middle = np.repeat(low, parts) + (part + 0.5) * width
    energy = np.repeat(shells.energy_kev[used] / parts, parts)
    node = 0.5 / math.sqrt(3)
    return np.concatenate([middle - node * width, middle + node * width]), np.tile(0.5 * energy, 2)


def _share_out(place: ArrayF8, share: ArrayF8, shape: Octant, total: ArrayF8) -> None:
    """Add energies at points (x, y, z in voxels) to the eight voxels around each; drop points beyond."""
    whole = place.astype(np.int64)  # places are positive
    inside = np.all(whole < np.array(shape[::-1]) - 1, axis=1)
    whole, rest, share = whole[inside], (place - whole)[inside], share[inside]
    flat = (whole[:, 2] * shape[1] + whole[:, 1]) * shape[2] + whole[:, 0]
    for step_z, z in ((0, share * (1 - rest[:, 2])), (shape[1] * shape[2], share * rest[:, 2])):
        for step_y, y in ((0, z * (1 - rest[:, 1])), (shape[2], z * rest[:, 1])):
            for step, weight in ((0, y * (1 - rest[:, 0])), (1, y * rest[:, 0])):
                total += np.bincount(flat + (step_z + step_y + step), weights=weight, minlength=total.size)


def _images(shape: tuple[int, ...]) -> ArrayF8:
    """How many voxels of the whole kernel an octant's voxel stands for."""
    per_axis = [np.where(np.arange(n) == 0, 1.0, 2.0) for n in shape]
    return np.asarray(per_axis[0][:, None, None] * per_axis[1][:, None] * per_axis[2])


def octant_sum_kev(octant_kev: npt.NDArray[np.floating]) -> float:
    """Return the energy in the whole kernel of an octant."""
    return float(np.sum(octant_kev * _images(octant_kev.shape), dtype=np.float64))


def middle_voxels_kev(shells: Shells, voxel_g_cm2: tuple[float, float, float], last: Octant) -> ArrayF8:
    """Energy per decay in voxels, from the dose at 27 points (Gauss's rule for triangles).

    Parameters, Returns
        As :func:`near_voxels_kev`. The source voxel and its neighbours are meaningless: for 1/r^2 the error
        is 0.06 (side/distance)^6, 0.01 % from three voxels on.
    """
    side = np.asarray(voxel_g_cm2)
    dose = _LogDose(shells)
    axes = [np.arange(n + 1)[:, None] + np.asarray(_NODES) for n in last]
    z, y, x = (a * s for a, s in zip(axes, side[::-1], strict=True))
    out = np.zeros(tuple(n + 1 for n in last))
    for i, j, k in itertools.product(range(3), repeat=3):
        weight = _WEIGHTS[i] * _WEIGHTS[j] * _WEIGHTS[k]
        out += weight * dose(z[:, None, None, i] ** 2 + y[:, None, j] ** 2 + x[:, k] ** 2)
    return np.asarray(out * float(np.prod(side)))


class _LogDose:
    """Energy per volume at squared distances, linear in the logarithms between the middles of shells."""

    def __init__(self, shells: Shells) -> None:
        low, high = np.maximum(shells.edge_g_cm2[:-1], 1e-6), shells.edge_g_cm2[1:]
        middle = np.sqrt(low * high)
        density = shells.energy_kev / np.diff(shells.edge_g_cm2) / (4 * np.pi * middle**2)
        self.ln_r = np.log(middle)
        self.ln_dose = np.log(np.maximum(density, 1e-300))

    def __call__(self, distance2: ArrayF8) -> ArrayF8:
        ln_r = 0.5 * np.log(np.maximum(distance2, 1e-12))
        return np.asarray(np.exp(np.interp(ln_r, self.ln_r, self.ln_dose, right=-690.0)))


def far_voxels_kev(shells: Shells, voxel_g_cm2: tuple[float, float, float], last: Octant) -> ArrayF8:
    """Energy per decay in voxels far from the source voxel, from the dose at their centres.

    Parameters, Returns
        As :func:`near_voxels_kev`. The source voxel and its neighbours are meaningless.

    Notes
    -----
    The mean over the triangles is that of a stencil of 27 centres with the same second moments: the error is
    of fourth order, (1/2)(side/distance)^4 for 1/r^2, 0.005 % beyond ten voxels.
    """
    side = np.asarray(voxel_g_cm2)
    dose = _LogDose(shells)
    axes = [np.arange(-1, n + 2) * s for n, s in zip(last, side[::-1], strict=True)]
    out = np.empty(tuple(n + 1 for n in last))
    in_plane = axes[1][:, None] ** 2 + axes[2] ** 2
    planes: list[ArrayF8] = []
    for k, z in enumerate(axes[0]):
        value = dose(in_plane + z**2)
        value = _STENCIL[1] * value[:, 1:-1] + _STENCIL[0] * (value[:, :-2] + value[:, 2:])
        value = _STENCIL[1] * value[1:-1] + _STENCIL[0] * (value[:-2] + value[2:])
        planes = [*planes[-2:], value]
        if k >= 2:
            out[k - 2] = _STENCIL[1] * planes[1] + _STENCIL[0] * (planes[0] + planes[2])
    return np.asarray(out * float(np.prod(side)))
