"""Partial volume in one PET: what organs lost to their surroundings goes back into them, voxel by voxel.

The shares that every outline sees of every region in a blurred image give the regions' true means (Rousset,
Ma and Evans 1998 *J Nucl Med* 39:904); the image is then multiplied with those means over the blurred means
(Thomas et al. 2011 *Eur J Nucl Med Mol Imaging* 38:1104), so that what varies inside an organ is kept. It
needs outlines that the patient's own CT shows, and holds as far as these outlines and the PET fit each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel, Origin
from omnidose.anatomy.organs import combined_organs
from omnidose.anatomy.segmentation.location import bone_keys
from omnidose.errors import InputError
from omnidose.modalities.nuclear.series.recovery import FWHM_PER_STD, ImageBlur
from omnidose.volume import Grid

ArrayF4 = npt.NDArray[np.float32]
ArrayF8 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: All bones are one region, and so is what is no organ with an outline of its own.
BONES, REST = "bones", "other tissue"
#: Tissue that is no organ with an uptake of its own.
NO_ORGAN = frozenset({"soft-tissue", "muscle", "adipose-tissue", "skin"})
#: A region that sees less of itself is too thin or too small to be solved for: it joins the rest.
LEAST_OWN_FRACTION = 0.35
#: Voxels change by no more than these factors.
LEAST_FACTOR, MOST_FACTOR = 0.1, 4.0
#: Standard uncertainty of the blur that a person says, FWHM (expert judgement, grade D), and the step of the
#: derivative by it.
FWHM_STD_MM, STEP_MM = 1.0, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialVolume:
    """What the correction did.

    Attributes
    ----------
    recovery_fraction
        Region -> share of its true mean that the image shows (above 1: its neighbours shine in).
    blur_rel_per_mm
        Region -> relative change of its activity when the blur is taken 1 mm wider.
    left_out
        Regions too thin or too small, which joined the rest.
    fitted
        Organs whose outlines were fitted to the CT and not drawn: their correction is partial.
    total_rel
        Activity after the correction over that of the image.
    """

    fwhm_mm: float
    recovery_fraction: dict[str, float]
    blur_rel_per_mm: dict[str, float]
    total_rel: float
    left_out: tuple[str, ...] = ()
    fitted: tuple[str, ...] = ()

    def std_rel(self, organ: str) -> float:
        """Return what an uncertain blur adds to the dose of an organ, relative; 0 for what is no region."""
        members = combined_organs().get(organ, ())
        known = [self.blur_rel_per_mm[k] for k in (organ, *members) if k in self.blur_rel_per_mm]
        if not known and organ in bone_keys():
            known = [self.blur_rel_per_mm.get(BONES, 0.0)]
        return FWHM_STD_MM * float(np.mean(np.abs(known))) if known else 0.0

    @property
    def note(self) -> str:
        """What was done, for a reader."""
        shown = sorted(
            ((k, v) for k, v in self.recovery_fraction.items() if k not in (REST, BONES)), key=lambda p: p[1]
        )
        lowest = ", ".join(f"{key} {100 * value:.0f} %" for key, value in shown[:4])
        return (
            f"Partial volume is corrected for a blur of {self.fwhm_mm:g} mm (FWHM) by the organs' outlines, "
            f"lowest recoveries {lowest}. Small hot structures inside an organ are not."
            + (
                f" {len(self.fitted)} outlines were fitted to the CT and not drawn: there the correction is "
                "partial (give masks of the organs that matter)."
                if self.fitted
                else ""
            )
        )


def correct(now: ArrayF4, body: BodyModel, fwhm_mm: float) -> tuple[ArrayF4, PartialVolume]:
    """Return an image with the partial volume of organs corrected, and what was done.

    Parameters
    ----------
    now
        [z, y, x] activity per voxel of the body's grid.
    fwhm_mm
        Blur of the image.

    Returns
    -------
    array, PartialVolume
        Activity outside of tissue is 0: tissue has it back.

    Raises
    ------
    InputError
        If no organ of the body was seen in the patient's own images.
    """
    tissue = body.labels > 0
    if body.completed is not None:  # beyond the ends of the images nothing is seen; beside a CT it may be
        imaged = np.asarray((tissue & ~body.completed).any(axis=(1, 2)))
        tissue &= imaged[:, None, None]
    box = _box(tissue, body.grid, fwhm_mm)
    own, inside = now[box], tissue[box]
    regions = _regions(body, box, inside)
    if len(regions) < 2:
        raise InputError(
            "the partial volume cannot be corrected: no organ has an outline in the patient's own images",
            where="image_fwhm_mm",
            todo="add the CT of the study, or leave image_fwhm_mm out",
        )
    blur = ImageBlur(fwhm_mm=fwhm_mm, std_mm=FWHM_STD_MM)
    spacing = body.grid.spacing_mm
    means, regions, left_out = _solved(own, regions, blur, spacing)
    wide = _means(own, regions, blur, spacing, STEP_MM)[0]
    narrow = _means(own, regions, blur, spacing, -STEP_MM)[0]
    slope = np.log(np.maximum(wide, 1e-12) / np.maximum(narrow, 1e-12)) / (2 * STEP_MM)
    shown = np.array([float(own[mask].mean()) for mask in regions.values()])
    sharp = np.zeros(own.shape, dtype=np.float32)
    for mean, mask in zip(means, regions.values(), strict=True):
        sharp[mask] = mean
    soft = blur.applied(sharp, spacing, goes_on=True)
    factor = np.clip(
        np.divide(sharp, soft, out=np.ones_like(sharp), where=soft > 0), LEAST_FACTOR, MOST_FACTOR
    )
    out = now.copy()
    out[box] = np.where(inside, own * factor, np.float32(0.0))
    return out, PartialVolume(
        fwhm_mm=fwhm_mm,
        recovery_fraction=dict(zip(regions, (shown / means).tolist(), strict=True)),
        blur_rel_per_mm=dict(zip(regions, slope.tolist(), strict=True)),
        total_rel=float(out.sum(dtype=np.float64) / now.sum(dtype=np.float64)),
        left_out=left_out,
        fitted=tuple(o.key for o in body.organs if o.key in regions and o.origin is Origin.ATLAS),
    )


def _box(tissue: Mask, grid: Grid, fwhm_mm: float) -> tuple[slice, slice, slice]:
    """Return the part of the grid that holds what is seen: with a margin at the sides, none at the ends."""
    from scipy import ndimage

    found = ndimage.find_objects(tissue.view(np.uint8))
    if not found:
        raise InputError("the body has no tissue in the images", where="image_fwhm_mm")
    z, y, x = found[0]
    my, mx = (int(np.ceil(2 * fwhm_mm / d)) for d in grid.spacing_mm[1::-1])
    return z, slice(max(0, y.start - my), y.stop + my), slice(max(0, x.start - mx), x.stop + mx)


def _regions(body: BodyModel, box: tuple[slice, slice, slice], inside: Mask) -> dict[str, Mask]:
    """Return disjoint masks: organs that were seen, all bones, the rest."""
    labels = np.where(inside, body.labels[box], 0)
    skeleton = bone_keys()
    out: dict[str, Mask] = {}
    rest, bone = inside.copy(), np.zeros(inside.shape, dtype=bool)
    for organ in body.organs:
        mask = labels == organ.label
        if not mask.any():
            continue
        if organ.key in skeleton:
            bone |= mask
        elif organ.origin in (Origin.SEGMENTED, Origin.ATLAS) and organ.key not in NO_ORGAN:
            out[organ.key] = mask
        else:
            continue
        rest &= ~mask
    if bone.any():
        out[BONES] = bone
    if rest.any():
        out[REST] = rest
    return out


def _means(
    own: ArrayF4,
    regions: Mapping[str, Mask],
    blur: ImageBlur,
    spacing_mm: tuple[float, float, float],
    more_mm: float,
) -> tuple[ArrayF8, ArrayF8]:
    """[regions] true means per voxel, and [outlines, regions] what outlines show of a region of mean 1."""
    names = np.zeros(own.shape, dtype=np.int16)
    for number, mask in enumerate(regions.values(), 1):
        names[mask] = number
    count = len(regions)
    sizes = np.bincount(names.ravel(), minlength=count + 1)[1:].astype(np.float64)
    shown = np.bincount(names.ravel(), weights=own.ravel(), minlength=count + 1)[1:] / sizes
    matrix = np.empty((count, count))
    reach = [int(np.ceil(3.5 * (blur.fwhm_mm + more_mm) / FWHM_PER_STD / s)) + 1 for s in spacing_mm[::-1]]
    for column, mask in enumerate(regions.values()):
        part = _grown(mask, reach)
        soft = blur.applied(mask[part].astype(np.float32), spacing_mm, more_mm, goes_on=True)
        sums = np.bincount(names[part].ravel(), weights=soft.ravel(), minlength=count + 1)[1:]
        matrix[:, column] = sums / sizes
    return np.asarray(np.linalg.solve(matrix, shown), dtype=np.float64), matrix


def _grown(mask: Mask, reach: list[int]) -> tuple[slice, ...]:
    from scipy import ndimage

    found = ndimage.find_objects(mask.view(np.uint8))[0]
    return tuple(slice(max(0, part.start - r), part.stop + r) for part, r in zip(found, reach, strict=True))


def _solved(
    own: ArrayF4, regions: dict[str, Mask], blur: ImageBlur, spacing_mm: tuple[float, float, float]
) -> tuple[ArrayF8, dict[str, Mask], tuple[str, ...]]:
    """Return means, regions that can be solved for, and the others, which joined the rest."""
    left_out: list[str] = []
    while True:
        means, matrix = _means(own, regions, blur, spacing_mm, 0.0)
        names = list(regions)
        bad = [
            name
            for i, name in enumerate(names)
            if name != REST and (matrix[i, i] < LEAST_OWN_FRACTION or not means[i] > 0)
        ]
        if not bad:
            if not (means > 0).all():
                raise InputError(
                    "the partial volume cannot be corrected: tissue around the organs would hold no activity",
                    where="image_fwhm_mm",
                    todo="say a smaller blur, or leave image_fwhm_mm out",
                )
            return means, regions, tuple(left_out)
        left_out += bad
        rest = np.logical_or.reduce([regions[name] for name in (*bad, *([REST] if REST in regions else []))])
        regions = {name: mask for name, mask in regions.items() if name not in bad and name != REST}
        regions[REST] = rest
