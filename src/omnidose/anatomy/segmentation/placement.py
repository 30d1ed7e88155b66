"""Where single organs lie, after the whole phantom was fitted: shifts of a few centimetres.

The stylised phantom is simple: its pancreas lies lower in front of the spine than a real one, its kidneys
further back. Each organ is therefore moved by what adults typically need, and organs that fat or lung
surrounds are then moved to where their outline fits best.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.signal import fftconvolve

from omnidose.volume import Grid

Mask = npt.NDArray[np.bool_]
Shift = tuple[int, int, int]

#: Typical displacement of adult organs against the fitted stylised phantom, (x to the left, y to the back, z
#: to the head) in mm: rounded means over the scans of the two ICRP 110 phantoms of the validation (pelvic
#: organs of one sex: one phantom). The real CT of the validation had no part in them.
TYPICAL_MM: dict[str, tuple[float, float, float]] = {
    "left-kidney": (10.0, -25.0, -10.0),
    "right-kidney": (-10.0, -25.0, -25.0),
    "spleen": (-15.0, 10.0, 15.0),
    "stomach": (-10.0, 15.0, 15.0),
    "pancreas": (-35.0, -20.0, -50.0),
    "gall-bladder": (0.0, 10.0, 35.0),
    "left-adrenal": (10.0, -15.0, -30.0),
    "right-adrenal": (-10.0, -10.0, -45.0),
    "liver": (15.0, 5.0, 0.0),
    "heart": (10.0, 15.0, 0.0),
    "oesophagus": (10.0, -15.0, 0.0),
    "thymus": (0.0, 35.0, 40.0),
    "thyroid": (0.0, 20.0, 0.0),
    "bladder": (0.0, 10.0, -50.0),
    "prostate": (0.0, 45.0, -50.0),
    "uterus": (0.0, 10.0, -115.0),
    "left-ovary": (-20.0, 10.0, -135.0),
    "right-ovary": (10.0, 15.0, -115.0),
}
#: Organs that are searched by their outline, with the standard deviation of their place (mm).
SEARCHED_MM = {"bladder": 20.0}
#: How far an organ may move, thickness of the shell that should not be soft tissue, weight of the prior.
REACH_MM, SHELL_MM, PRIOR_WEIGHT = 45.0, 7.0, 0.06
#: Soft tissue that may be an organ, HU.
ORGAN_HU = (-10.0, 250.0)
#: Organs that fat sets apart: volume (cm3, lowest and highest) and standard deviation of the place (mm).
APART: dict[str, tuple[float, float, float]] = {
    "left-kidney": (40.0, 350.0, 20.0),
    "right-kidney": (40.0, 350.0, 20.0),
    "spleen": (60.0, 700.0, 25.0),
}
#: What an erosion by one of these separates counts as apart, mm; the first that does is taken.
APART_MM = (5.0, 8.0)


def moved(
    labels: npt.NDArray[np.uint8], wanted: tuple[int, ...], shift: Shift, margin: int
) -> npt.NDArray[np.uint8]:
    """Return the wanted labels alone, moved by whole voxels (z, y, x), without the margin in z."""
    out = np.zeros_like(labels)
    source, target = [], []
    for n, d in zip(labels.shape, shift, strict=True):
        step = int(np.clip(d, -n, n))
        source.append(slice(max(0, -step), min(n, n - step)))
        target.append(slice(max(0, step), min(n, n + step)))
    part = labels[tuple(source)]
    out[tuple(target)] = np.where(np.isin(part, wanted), part, 0)
    return out[margin : out.shape[0] - margin]


def typical_shift(key: str, grid: Grid) -> Shift:
    """Return the typical displacement of an organ in voxels (z, y, x)."""
    x, y, z = TYPICAL_MM.get(key, (0.0, 0.0, 0.0))
    dx, dy, dz = grid.spacing_mm
    return (round(z / dz), round(y / dy), round(x / dx))


def pieces_apart(
    hu: npt.NDArray[np.float32], soft: Mask, grid: Grid, erosion_mm: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return pieces of soft tissue that fat or lung sets apart: labels, volumes (cm3), centres (mm, z y x).

    Cores are what an erosion leaves; each core takes back the voxels that are nearest to it.
    """
    spacing = np.array(grid.spacing_mm[::-1])
    tissue = (ndimage.gaussian_filter(hu, 4.0 / spacing) > 0.0) & soft & (hu < ORGAN_HU[1])
    depth = ndimage.distance_transform_edt(
        np.pad(tissue, ((1, 1), (0, 0), (0, 0)), mode="edge"), sampling=spacing
    )
    core, count = ndimage.label(depth[1:-1] > erosion_mm)
    if count == 0:
        return core.astype(np.int32), np.zeros(0), np.zeros((0, 3))
    away, index = ndimage.distance_transform_edt(core == 0, sampling=spacing, return_indices=True)
    full = np.where((away < 1.6 * erosion_mm) & tissue, core[tuple(index)], 0).astype(np.int32)
    numbers = np.arange(1, count + 1)
    volume = ndimage.sum_labels(full > 0, full, numbers) * grid.voxel_volume_cm3
    centres = np.array(ndimage.center_of_mass(full > 0, full, numbers)).reshape(-1, 3) * spacing
    return full, np.asarray(volume), centres


def piece_for(
    key: str,
    organ: Mask,
    pieces: tuple[npt.NDArray[np.int32], npt.NDArray[np.float64], npt.NDArray[np.float64]],
    grid: Grid,
) -> Mask | None:
    """Return the piece that is most probably an organ, given where the fitted phantom has it."""
    full, volume, centres = pieces
    low, high, sigma_mm = APART[key]
    usable = (volume > low) & (volume < high)
    if not usable.any() or not organ.any():
        return None
    expected = np.argwhere(organ).mean(axis=0) * np.array(grid.spacing_mm[::-1])
    away = np.sqrt(((centres - expected) ** 2).sum(axis=1)) / sigma_mm
    away[~usable] = np.inf
    best = int(np.argmin(away))
    return np.asarray(full == best + 1) if away[best] < 2.5 else None


def best_shift(
    hu: npt.NDArray[np.float32], soft: Mask, organ: Mask, start: Shift, sigma_mm: float, grid: Grid
) -> Shift:
    """Return the shift (z, y, x in voxels) that puts an organ on soft tissue inside other tissue.

    The score is the share of soft tissue inside the organ minus that in a shell around it, minus a
    Gaussian prior around ``start``.
    """
    spacing = np.array(grid.spacing_mm[::-1])
    room = np.ceil(REACH_MM / spacing).astype(int)
    rim = int(np.ceil(SHELL_MM / spacing.min())) + 1
    where = np.argwhere(organ)
    low, high = where.min(axis=0), where.max(axis=0) + 1
    template = np.pad(organ[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], rim)
    near = ndimage.distance_transform_edt(~template, sampling=spacing) <= SHELL_MM
    shell = near & ~template
    kernel = template / template.sum() - shell / shell.sum()
    first = low - rim + np.array(start) - room
    last = high + rim + np.array(start) + room
    fits = _window((hu > ORGAN_HU[0]) & (hu < ORGAN_HU[1]) & soft, first, last)
    score = fftconvolve(fits.astype(np.float32), kernel[::-1, ::-1, ::-1].astype(np.float32), mode="valid")
    axes = [np.arange(-r, r + 1) * d for r, d in zip(room, spacing, strict=True)]
    away = sum(a**2 for a in np.meshgrid(*axes, indexing="ij"))
    best = np.unravel_index(int(np.argmax(score - PRIOR_WEIGHT * away / sigma_mm**2)), score.shape)
    z, y, x = (int(s + b - r) for s, b, r in zip(start, best, room, strict=True))
    return (z, y, x)


def _window(array: Mask, first: npt.NDArray[Any], last: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return a part of an array; beyond its ends the nearest layer repeats."""
    index = [np.clip(np.arange(a, b), 0, n - 1) for a, b, n in zip(first, last, array.shape, strict=True)]
    return np.asarray(array[np.ix_(*index)], dtype=np.float32)


def place(
    hu: npt.NDArray[np.float32],
    soft: Mask,
    labels: npt.NDArray[np.uint8],
    groups: list[tuple[int, ...]],
    keys: list[str],
    grid: Grid,
    *,
    typical: bool,
) -> list[Shift]:
    """Return one shift per group of labels.

    Parameters
    ----------
    keys
        Canonical name of each group's first organ.
    typical
        Apply ``TYPICAL_MM`` (for the stylised phantom only).
    """
    shifts = []
    for key, wanted in zip(keys, groups, strict=True):
        start = typical_shift(key, grid) if typical else (0, 0, 0)
        if key in SEARCHED_MM and typical:
            organ = np.isin(labels, wanted)
            if organ.sum() * grid.voxel_volume_cm3 > 20:
                start = best_shift(hu, soft, organ, start, SEARCHED_MM[key], grid)
        shifts.append(start)
    return shifts
