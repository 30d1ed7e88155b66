"""Eyeballs in a head CT: two balls of water in fat, side by side behind the face.

An eye is 24 mm wide: a fitted phantom misses it by its own width. Its contrast is good: vitreous body
(0 to 20 HU) in the fat of the orbit (-100 HU).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from omnidose.volume import Grid

Mask = npt.NDArray[np.bool_]
Field = npt.NDArray[np.float32]

#: Radius of an eyeball, of the part looked at for water, of the shell looked at for fat, mm.
RADIUS_MM, INNER_MM, SHELL_MM = 12.0, 9.0, (13.5, 19.0)
#: CT numbers of vitreous body with lens and noise, and of orbital fat.
WATER_HU, FAT_HU = (-15.0, 60.0), (-160.0, -25.0)
#: Least share of water inside, least share of fat and largest share of water around (lid, muscles, nerve).
LEAST_WATER, LEAST_FAT, MOST_AROUND = 0.85, 0.15, 0.6
#: Least product of the three: real eyes reach 0.17 and more, a cheek beside fat 0.11.
LEAST_SCORE = 0.13
#: Distance of the eyes' middles; how far one may lie higher or deeper (a turned or tilted head), mm.
APART_MM, LEVEL_MM = (48.0, 82.0), 20.0
#: Eyes' middles lie at most so far behind the foremost skin at their side of the face, mm.
DEPTH_MM = 32.0
#: How far below and above the brain's lowest voxel they are looked for, mm.
BELOW_MM, ABOVE_MM = 60.0, 70.0
CANDIDATES = 40


def find_eyes(hu: Field, body: Mask, brain: Mask, grid: Grid) -> tuple[Mask, Mask] | None:
    """Return masks of the left and the right eyeball, or None where no pair is found.

    Parameters
    ----------
    hu
        CT numbers [z, y, x] on a grid of at most about 3 mm, along +L, +P, +S.
    body, brain
        Inside of the skin; the brain as found so far.
    """
    if not brain.any():
        return None
    score = _score(hu, body, brain, grid)
    if not score.any():
        return None
    peaks = (score == ndimage.maximum_filter(score, size=3)) & (score > 0)
    index = np.argwhere(peaks)
    value = score[peaks]
    order = np.argsort(value)[::-1][:CANDIDATES]
    spacing = np.array(grid.spacing_mm[::-1])
    pair = _best_pair(index[order] * spacing, value[order])
    if pair is None:
        return None
    first, second = sorted(pair, key=lambda i: index[order[i]][2])
    water = (hu > WATER_HU[0]) & (hu < WATER_HU[1])
    left, right = (_centred(index[order[i]], water, grid) for i in (second, first))
    return _ball(left, grid), _ball(right, grid)


def _centred(centre: npt.NDArray[Any], water: Mask, grid: Grid) -> npt.NDArray[np.float64]:
    """Return the middle of the water within a ball around a first guess: the score leans towards the fat."""
    for _round in range(3):
        inside = np.argwhere(_ball(centre, grid) & water)
        if inside.size:
            centre = inside.mean(axis=0)
    return np.asarray(centre, dtype=np.float64)


def _score(hu: Field, body: Mask, brain: Mask, grid: Grid) -> npt.NDArray[np.float64]:
    """Return water inside x fat around x no water around, where the middle of an eye may be."""
    spacing = grid.spacing_mm[::-1]
    smooth = ndimage.gaussian_filter(hu, [1.5 / d for d in spacing])
    water = (smooth > WATER_HU[0]) & (smooth < WATER_HU[1])
    fat = (smooth > FAT_HU[0]) & (smooth < FAT_HU[1])
    inner, shell = _kernel(0.0, INNER_MM, grid), _kernel(*SHELL_MM, grid)
    where = _search_box(brain, grid)
    out = np.zeros(hu.shape)
    reach = tuple(n // 2 + 1 for n in shell.shape)
    wide = tuple(
        slice(max(0, s.start - r), min(n, s.stop + r)) for s, r, n in zip(where, reach, hu.shape, strict=True)
    )
    share_water = ndimage.convolve(water[wide].astype(np.float32), inner, mode="constant")
    share_fat = ndimage.convolve(fat[wide].astype(np.float32), shell, mode="constant")
    around = ndimage.convolve(water[wide].astype(np.float32), shell, mode="constant")
    good = (share_water >= LEAST_WATER) & (share_fat >= LEAST_FAT) & (around <= MOST_AROUND)
    part = np.where(good, share_water * share_fat * (1 - around), 0.0)
    part[part < LEAST_SCORE] = 0.0
    part[~_near_the_face(body[wide], grid)] = 0.0
    out[wide] = part
    kept = np.zeros_like(out)
    kept[where] = out[where]
    return kept


def _search_box(brain: Mask, grid: Grid) -> tuple[slice, slice, slice]:
    """Return the layers around the base of the brain, and the half of the head in front of its middle."""
    z, y, _x = np.nonzero(brain)
    lowest = int(z.min())
    dz = grid.spacing_mm[2]
    layers = slice(max(0, lowest - round(BELOW_MM / dz)), min(brain.shape[0], lowest + round(ABOVE_MM / dz)))
    return layers, slice(0, int(y.mean()) + 1), slice(0, brain.shape[2])


def _near_the_face(body: Mask, grid: Grid) -> Mask:
    """Return the voxels at most ``DEPTH_MM`` behind the foremost skin of their column along y."""
    first = np.argmax(body, axis=1)
    rows = np.arange(body.shape[1])[None, :, None]
    depth = (rows - first[:, None, :]) * grid.spacing_mm[1]
    return np.asarray(body & (depth <= DEPTH_MM) & (depth >= 0))


def _kernel(low_mm: float, high_mm: float, grid: Grid) -> Field:
    """Return a normalised shell of radii in mm (a ball from radius 0)."""
    size = [int(np.ceil(high_mm / d)) for d in grid.spacing_mm[::-1]]
    axes = [np.arange(-n, n + 1) * d for n, d in zip(size, grid.spacing_mm[::-1], strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    r = np.sqrt(x * x + y * y + z * z)
    inside = (r >= low_mm) & (r <= high_mm)
    kernel: Field = (inside / inside.sum()).astype(np.float32)
    return kernel


def _best_pair(places: npt.NDArray[Any], values: npt.NDArray[Any]) -> tuple[int, int] | None:
    best, found = 0.0, None
    for i in range(len(places)):
        for j in range(i):
            dz, dy, dx = np.abs(places[i] - places[j])
            if APART_MM[0] <= dx <= APART_MM[1] and dz <= LEVEL_MM and dy <= LEVEL_MM:
                both = float(values[i] + values[j])
                if both > best:
                    best, found = both, (i, j)
    return found


def _ball(centre: npt.NDArray[Any], grid: Grid) -> Mask:
    out = np.zeros(grid.shape_zyx, dtype=np.bool_)
    axes = [
        (np.arange(n) - c) * d
        for n, c, d in zip(grid.shape_zyx, centre.tolist(), grid.spacing_mm[::-1], strict=True)
    ]
    z, y, x = np.ix_(*axes)
    out[z * z + y * y + x * x <= RADIUS_MM**2] = True
    return out
