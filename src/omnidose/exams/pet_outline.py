"""What a PET shows of the body itself: its outline, and organs that are hot enough to be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.volume import Grid

Mask = npt.NDArray[np.bool_]
ArrayF4 = npt.NDArray[np.float32]

#: The outline is looked for in an image blurred by this much (noise is none), mm.
BLUR_MM = 5.0
#: Tissue holds at least this share of the body's median concentration.
OUTSIDE_SHARE = 0.25
#: Blur puts the outline this far outside of the skin at most, mm.
MOST_SHAVED_MM = 8.0
#: What an erosion by this much separates from the trunk are arms if they are this much smaller, mm, share.
ARM_MM, ARM_SHARE = 12.0, 0.35


def see_body(concentration: ArrayF4, grid: Grid) -> Mask:
    """Return what is inside the skin, bool [z, y, x].

    Parameters
    ----------
    concentration
        Activity per volume [z, y, x], any unit, >= 0.

    Raises
    ------
    InputError
        If there is no body in it.
    """
    from scipy import ndimage

    spacing = np.array(grid.spacing_mm[::-1])
    smooth = ndimage.gaussian_filter(concentration, BLUR_MM / spacing)
    level = float(np.percentile(smooth, 99.0)) * 0.02
    for _round in range(4):  # the median of the body, and what is above a share of it, settle together
        inside = smooth > level
        if not inside.any():
            raise InputError("no body stands out in the PET", todo="check that the images show a patient")
        level = OUTSIDE_SHARE * float(np.median(smooth[inside]))
    body = _largest(smooth > level, ndimage)
    body = np.stack([ndimage.binary_fill_holes(layer) for layer in body])
    volume = float(body.sum()) * grid.voxel_volume_cm3
    if volume < 500:
        raise InputError(
            f"what stands out in the PET is {volume:.0f} cm3: no part of a body",
            todo="give a CT of the same study",
        )
    return body


def _largest(mask: Mask, ndimage: Any) -> Mask:
    label, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(label.ravel())
    sizes[0] = 0
    keep = sizes >= 0.05 * sizes.max()  # arms may hang on by nothing
    return np.asarray(keep[label])


def shaved(body: Mask, grid: Grid, wanted_cm3: float) -> tuple[Mask, float]:
    """Take off what blur has added to an outline, until it has a volume.

    Parameters
    ----------
    wanted_cm3
        Volume of this part of the body, from the person's weight.

    Returns
    -------
    tuple
        The outline, and what was taken off (mm, at most :data:`MOST_SHAVED_MM`; nothing is ever added).
    """
    from scipy import ndimage

    padded = np.pad(body, ((1, 1), (0, 0), (0, 0)), mode="edge")  # the images end there, not the body
    depth = ndimage.distance_transform_edt(padded, sampling=grid.spacing_mm[::-1])[1:-1]
    inside = np.sort(depth[body])
    surplus = inside.size - round(wanted_cm3 / grid.voxel_volume_cm3)
    if surplus <= 0:
        return body, 0.0
    level = min(float(inside[min(surplus, inside.size - 1)]), MOST_SHAVED_MM)
    thinnest = min(grid.spacing_mm)
    return np.asarray(depth > level), max(0.0, level - 0.5 * thinnest)


def trunk_of(body: Mask, grid: Grid) -> Mask:
    """Return head, trunk and legs: slice by slice, without arms that lie beside them."""
    from scipy import ndimage

    spacing = grid.spacing_mm[1::-1]
    out = np.zeros_like(body)
    for k, layer in enumerate(body):
        if not layer.any():
            continue
        depth = ndimage.distance_transform_edt(layer, sampling=spacing)
        label, count = ndimage.label(depth > ARM_MM)
        if count < 2:
            out[k] = layer
            continue
        sizes = np.bincount(label.ravel())
        sizes[0] = 0
        index = ndimage.distance_transform_edt(label == 0, return_distances=False, return_indices=True)
        keep = sizes >= ARM_SHARE * sizes.max()
        out[k] = layer & keep[label[tuple(index)]]
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class HotOrgan:
    """How an organ that takes up much is recognised.

    Attributes
    ----------
    level_rel
        Share of its own 95 % quantile that bounds it.
    contrast_rel
        Least ratio of its mean to the median of the body.
    volume_cm3
        Lowest and highest volume.
    reach_mm
        How far from the fitted phantom's organ its middle may be.
    """

    level_rel: float
    contrast_rel: float
    volume_cm3: tuple[float, float]
    reach_mm: float


#: Levels as usual in PET (41 % of the maximum for small hot volumes, Boellaard et al. 2015, EJNMMI 42:328);
#: volumes from small women to full bladders. Contrasts are our choice.
HOT = {
    "brain": HotOrgan(level_rel=0.41, contrast_rel=2.5, volume_cm3=(700.0, 1900.0), reach_mm=80.0),
    "bladder-contents": HotOrgan(level_rel=0.41, contrast_rel=3.0, volume_cm3=(20.0, 900.0), reach_mm=120.0),
    "heart": HotOrgan(level_rel=0.41, contrast_rel=3.0, volume_cm3=(60.0, 600.0), reach_mm=80.0),
}


#: The hottest voxel exceeds the mean that an organ must have by this much.
PEAK_CONTRAST = 1.4


def see_hot_organ(key: str, concentration: ArrayF4, body: Mask, expected: Mask, grid: Grid) -> Mask | None:
    """Return the voxels of a hot organ near where the phantom has it; None if it does not stand out.

    Parameters
    ----------
    key
        One of :data:`HOT`.
    expected
        The organ of the fitted phantom.
    """
    from scipy import ndimage

    rule = HOT[key]
    if not expected.any():
        return None
    spacing = np.array(grid.spacing_mm[::-1])
    middle = np.argwhere(expected).mean(axis=0) * spacing
    away = ndimage.distance_transform_edt(~expected, sampling=spacing)
    near = body & (away <= rule.reach_mm)
    smooth = ndimage.gaussian_filter(concentration, 2.0 / spacing)
    typical = float(np.median(concentration[body]))
    top = float(smooth[near].max(initial=0.0))
    if top < PEAK_CONTRAST * rule.contrast_rel * typical:
        return None
    for level in (rule.level_rel * top, 0.5 * rule.level_rel * top):
        label, count = ndimage.label(near & (smooth > level))
        best: tuple[float, Mask] | None = None
        for number in range(1, count + 1):
            piece = label == number
            volume = float(piece.sum()) * grid.voxel_volume_cm3
            off = float(np.linalg.norm(np.argwhere(piece).mean(axis=0) * spacing - middle))
            bright = float(concentration[piece].mean()) >= rule.contrast_rel * typical
            inside = rule.volume_cm3[0] <= volume <= rule.volume_cm3[1]
            if bright and inside and off <= rule.reach_mm and (best is None or off < best[0]):
                best = (off, piece)
        if best is not None:
            return best[1]
    return None
