"""Organs from the fitted atlas and the patient's own CT numbers together.

The fitted phantom says where an organ is likely (within centimetres); the CT number says which tissue a
voxel is. Each voxel of soft tissue takes the organ with the largest product of the two; the mean and
spread of each organ's CT numbers are learnt from its own inner voxels (two rounds).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from omnidose.volume import Grid

Mask = npt.NDArray[np.bool_]
#: Width of the border zone of the prior, mm, and how far outside the atlas an organ may reach.
BORDER_MM, REACH_MM = 6.0, 24.0
#: The same for bowel.
WIDE_BORDER_MM, WIDE_REACH_MM = 15.0, 45.0
#: CT numbers: soft tissue that can be an organ; organ with fat in it; fat.
SOFT_HU, FATTY_HU, FAT_HU, FAT_SPREAD_HU = (-30.0, 300.0), (-150.0, 150.0), -100.0, 30.0
#: Least spread of an organ's CT numbers after smoothing.
LEAST_SPREAD_HU = 12.0
ROUNDS = 2
#: How much less likely muscle or connective tissue is deep inside the trunk (logarithm).
DEEP_LOG = -1.5
#: Only organs larger than this profit from that: small ones would swell.
LARGE_CM3 = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """One class: an organ, or organs that belong together (wall and contents).

    Attributes
    ----------
    window
        Slices of the grid.
    distance_mm
        Signed distance to the atlas organ's surface, negative inside.
    border_mm, reach_mm
        Width of its border zone, and how far outside the organ may reach.
    """

    window: tuple[slice, slice, slice]
    distance_mm: npt.NDArray[np.float32]
    border_mm: float
    reach_mm: float


def prior_of(mask: Mask, grid: Grid, *, wide: bool = False) -> Prior | None:
    """Return the prior of an organ, or None if the fitted atlas does not have it in this image.

    Parameters
    ----------
    wide
        For bowel, whose place is hardly known.
    """
    boxes = ndimage.find_objects(mask.view(np.uint8))
    if not boxes or boxes[0] is None:
        return None
    border_mm, reach_mm = (WIDE_BORDER_MM, WIDE_REACH_MM) if wide else (BORDER_MM, REACH_MM)
    pads = [int(np.ceil(reach_mm / d)) + 1 for d in grid.spacing_mm[::-1]]
    window = tuple(
        slice(max(0, b.start - p), min(n, b.stop + p))
        for b, p, n in zip(boxes[0], pads, mask.shape, strict=True)
    )
    part = mask[window]
    sampling = grid.spacing_mm[::-1]
    outside = ndimage.distance_transform_edt(~part, sampling=sampling)
    inside = ndimage.distance_transform_edt(part, sampling=sampling)
    distance = (outside - inside).astype(np.float32)
    return Prior(
        window=(window[0], window[1], window[2]),
        distance_mm=distance,
        border_mm=border_mm,
        reach_mm=reach_mm,
    )


def refine(
    hu: npt.NDArray[np.float32],
    soft: Mask,
    deep: Mask,
    shapes: list[Mask],
    wide: set[int],
    fatty: set[int],
    grid: Grid,
) -> npt.NDArray[np.int16]:
    """Return for every voxel the index of its group + 1, or 0 for none.

    Parameters
    ----------
    soft
        Voxels that may belong to an organ (in the body; no lung, bone or gas).
    deep
        Voxels deep inside the trunk, where soft tissue of no organ is less likely.
    shapes
        Where each group of organs is expected.
    wide
        Groups whose place is hardly known: they fill what is left in the body cavities.
    fatty
        Groups that hold fat (breasts).
    """
    priors = [(i, prior_of(shape, grid, wide=i in wide)) for i, shape in enumerate(shapes)]
    smooth = ndimage.gaussian_filter(hu, 0.8)
    result = np.zeros(hu.shape, dtype=np.int16)
    for round_ in range(ROUNDS):
        best = np.full(hu.shape, -np.inf, dtype=np.float32)
        inside_any = np.zeros(hu.shape, dtype=np.float32)
        others = np.zeros(hu.shape, dtype=np.float32)
        update = np.zeros(hu.shape, dtype=np.int16)
        for i, prior in sorted(priors, key=lambda item: item[0] in wide):
            if prior is None:
                continue
            w = prior.window
            limits = FATTY_HU if i in fatty else SOFT_HU
            current = result[w] == i + 1 if round_ else None
            mean, spread = _statistics(smooth[w], soft[w], prior, current, limits)
            chance = 1.0 / (1.0 + np.exp(np.clip(prior.distance_mm / prior.border_mm, -30, 30)))
            score = np.log(chance + 1e-9) + _likelihood(smooth[w], mean, spread)
            if i in wide:  # bowel takes what is left between organs with a place of their own
                score += np.log(np.maximum(0.02, 1.0 - others[w]))
            if (prior.distance_mm < 0).sum() * grid.voxel_volume_cm3 < LARGE_CM3:
                score = score + np.float32(DEEP_LOG) * deep[w]
            allowed = soft[w] & (smooth[w] > limits[0]) & (prior.distance_mm < prior.reach_mm)
            if i in wide:
                allowed &= deep[w] | (prior.distance_mm < 0)
            better = allowed & (score > best[w])
            best[w][better] = score[better]
            update[w][better] = i + 1
            inside_any[w] = np.maximum(inside_any[w], chance)
            if i not in wide:
                others[w] = inside_any[w]
        none = np.log(np.maximum(0.02, 1.0 - inside_any))
        none = np.where(deep, none + np.float32(DEEP_LOG), none)
        muscle = none + _likelihood(smooth, 50.0, 30.0)
        fat = none + _likelihood(smooth, FAT_HU, FAT_SPREAD_HU)
        update[np.maximum(muscle, fat) > best] = 0
        result = update
    return _tidy(result, len(shapes))


def _statistics(
    smooth: npt.NDArray[np.float32],
    soft: Mask,
    prior: Prior,
    current: Mask | None,
    limits: tuple[float, float],
) -> tuple[float, float]:
    """Return centre and spread of an organ's CT numbers, from its inner voxels."""
    usable = soft & (smooth > limits[0]) & (smooth < limits[1])
    depth = float(prior.distance_mm.min())
    inner = usable & (prior.distance_mm < min(-2.0, 0.3 * depth))
    if current is not None and current.sum() > 50:
        inner = usable & current & (prior.distance_mm < 4.0)
    values = smooth[inner]
    if values.size < 30:
        return 45.0, 35.0
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    return middle, max(LEAST_SPREAD_HU, spread)


def _likelihood(hu: npt.NDArray[np.float32], mean: float, spread: float) -> npt.NDArray[np.float32]:
    out: npt.NDArray[np.float32] = (
        -0.5 * np.minimum(((hu - mean) / spread) ** 2, 25.0) - np.float32(np.log(spread))
    ).astype(np.float32)
    return out


#: A piece of at least this share of the largest is a lobe of its own, not a mistake.
LOBE_SHARE = 0.5


def _tidy(groups: npt.NDArray[np.int16], count: int) -> npt.NDArray[np.int16]:
    """Smooth every organ; keep its largest piece and others of nearly its size (lobes of the thyroid)."""
    out = np.zeros_like(groups)
    for i in range(1, count + 1):
        boxes = ndimage.find_objects((groups == i).view(np.uint8))
        if not boxes or boxes[0] is None:
            continue
        box = boxes[0]
        mask = ndimage.uniform_filter((groups[box] == i).astype(np.float32), 3) > 0.5
        label, n = ndimage.label(mask)
        if n == 0:
            mask = groups[box] == i
        elif n > 1:
            sizes = np.bincount(label.ravel())[1:]
            mask = np.isin(label, 1 + np.flatnonzero(sizes >= LOBE_SHARE * sizes.max()))
        view = out[box]
        view[mask & (view == 0)] = i
    return out


def nearest_label(
    labels: npt.NDArray[np.uint8], wanted: tuple[int, ...], where: Mask, grid: Grid
) -> npt.NDArray[np.uint8]:
    """Return for the voxels of ``where`` the nearest of the wanted labels (else 0)."""
    out = np.zeros_like(labels)
    known = np.isin(labels, wanted)
    if not known.any() or not where.any():
        return out
    index: Any = ndimage.distance_transform_edt(
        ~known, sampling=grid.spacing_mm[::-1], return_distances=False, return_indices=True
    )
    out[where] = labels[tuple(axis[where] for axis in index)]
    return out


#: CT numbers of brain with cerebrospinal fluid and blood; how far it may grow from its first shape, mm.
BRAIN_HU, BRAIN_GROWS_MM = (-15.0, 110.0), 40.0


def fill_skull(brain: Mask, hu: npt.NDArray[np.float32], soft: Mask, grid: Grid) -> Mask:
    """Grow the brain to the inner side of the skull, which bone separates from the scalp.

    It grows through what an erosion leaves (not through thin gaps to the orbits) and not below its first
    shape (the foramen magnum).
    """
    if brain.sum() * grid.voxel_volume_cm3 < 200:
        return brain
    room = soft & (hu > BRAIN_HU[0]) & (hu < BRAIN_HU[1])
    lowest = int(np.flatnonzero(brain.any(axis=(1, 2)))[0])
    room[:lowest] = False
    core = ndimage.binary_erosion(room, iterations=1, border_value=1)
    seeds = core & ndimage.binary_erosion(brain, iterations=1)
    rounds = max(1, round(BRAIN_GROWS_MM / grid.spacing_mm[0]))
    grown = ndimage.binary_dilation(seeds, mask=core, iterations=rounds)
    return np.asarray((ndimage.binary_dilation(grown, iterations=1) & room) | (brain & room))
