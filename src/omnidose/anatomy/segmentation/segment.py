"""``segment``: every organ that a CT shows, without masks and without a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel, Organ, Origin
from omnidose.anatomy.segmentation.classical import Tissues, find_tissues
from omnidose.anatomy.segmentation.expected import expected_dice
from omnidose.anatomy.segmentation.eyes import find_eyes
from omnidose.anatomy.segmentation.grids import (
    enlarge,
    factors_for,
    reduce_labels,
    reduce_mean,
    reduced_grid,
)
from omnidose.anatomy.segmentation.location import ARM_KEYS, LUNG_KEYS, bone_keys, tissue_classes
from omnidose.anatomy.segmentation.placement import (
    APART,
    APART_MM,
    moved,
    piece_for,
    pieces_apart,
    place,
)
from omnidose.anatomy.segmentation.refine import fill_skull, nearest_label, refine
from omnidose.anatomy.segmentation.registration import Registration, register
from omnidose.volume import Grid, Volume

Mask = npt.NDArray[np.bool_]
#: Voxels of the classical masks and of the fitted organs, mm.
FINE_MM, COARSE_MM = 2.6, 4.2
#: All parts of the colon are found together.
COLON = (
    "ascending-colon",
    "transverse-colon",
    "descending-colon",
    "sigmoid-colon",
    "rectum",
    "colon-contents",
)
SMALL_BOWEL = ("small-intestine", "small-intestine-contents")
#: Wall and contents of one organ are found together and divided afterwards.
TOGETHER = (
    ("heart", "heart-contents"),
    ("stomach", "stomach-contents"),
    ("bladder", "bladder-contents"),
    ("gall-bladder", "gall-bladder-contents"),
    COLON,
    SMALL_BOWEL,
)
#: Hollow organs that take the gas that is neither lung nor airway.
HOLLOW = ("stomach-contents", "colon-contents", "small-intestine", "small-intestine-contents")
#: Labels that are no organ with a border of its own.
REST = frozenset({"soft-tissue", "muscle", "adipose-tissue", "skin", "air-in-body", "blood-vessels"})
#: Overlap of eyeballs that the image shows: mean of four eyes of the ICRP 110 phantoms (0.82 to 0.90).
SEEN_EYES_DICE = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """Organs on the grid of a CT.

    Attributes
    ----------
    labels
        uint8 [z, y, x] on the CT's grid; 0 means no organ.
    body, couch, bone
        Masks on the same grid: inside the skin (with its air); solid things outside; bone with marrow.
    expected_dice
        Organ -> overlap to be expected (0 to 1), a measure of how sure its shape is.
    phantom
        The phantom that was fitted, for completion beyond the scan.
    affine_to_phantom_mm
        4x4, patient point (LPS mm) -> phantom point.
    place_is_sure
        False if another part of the body would fit the scan nearly as well.
    """

    labels: npt.NDArray[np.uint8]
    organs: tuple[Organ, ...]
    body: Mask
    couch: Mask
    bone: Mask
    expected_dice: dict[str, float] = field(default_factory=dict)
    phantom: BodyModel
    affine_to_phantom_mm: npt.NDArray[np.float64]
    place_is_sure: bool = True
    notes: tuple[str, ...] = ()

    def mask(self, key: str) -> Mask:
        """Return one organ's voxels (KeyError if the segmentation has none)."""
        for organ in self.organs:
            if organ.key == key:
                return np.asarray(self.labels == organ.label)
        raise KeyError(key)


def segment(
    ct: Volume,
    *,
    sex: str = "",
    age_y: float | None = None,
    height_cm: float | None = None,
    weight_kg: float | None = None,
    atlas: BodyModel | None = None,
    progress: Callable[[str], None] = lambda _text: None,
) -> Segmentation:
    """Segment a CT of any part of the body.

    Parameters
    ----------
    ct
        CT numbers, along +L, +P, +S (see :meth:`Volume.to_lps`), int16 or float.
    sex, age_y, height_cm, weight_kg
        Choose the phantom; ``sex`` empty takes the female one for a chest's breasts and says so.
    atlas
        Another body to fit instead of the stylised phantom, for example an imported ICRP 110 phantom.

    Returns
    -------
    Segmentation
        Lungs, airway, bone and body from the CT numbers themselves (origin *segmented*); the sites of the
        bones, and all other organs, from the fitted phantom refined with the CT numbers (origin *atlas*).

    Raises
    ------
    InputError
        If no body is found.
    """
    progress("finding body, lungs and bone")
    grid = ct.grid
    fine = factors_for(grid, FINE_MM)
    fine_grid = reduced_grid(grid, fine)
    hu = reduce_mean(ct.array, fine)
    tissues = find_tissues(hu, fine_grid)
    notes: list[str] = []
    own_atlas = atlas is None
    if atlas is None:
        down = _arms_down(tissues)
        if not down:
            tissues = replace(tissues, limbs=np.zeros_like(tissues.body))
        atlas = _phantom(down, sex, age_y, height_cm, weight_kg, notes)
    else:
        tissues = replace(tissues, limbs=np.zeros_like(tissues.body))
    classes = tissue_classes(tissues)
    coarse = factors_for(fine_grid, COARSE_MM)
    coarse_grid = reduced_grid(fine_grid, coarse)
    fitted = register(
        reduce_labels(classes, coarse), coarse_grid, atlas, arms=not tissues.limbs.any(), progress=progress
    )
    progress("refining organs with the CT numbers")
    labels = _merge(hu, tissues, fine_grid, coarse, fitted, atlas, typical=own_atlas)
    seen = _see_eyes(labels, hu, tissues, fine_grid, atlas)
    if not fitted.location.is_sure:
        notes.append(
            "the scanned part of the body was not certain: another place along the body fits nearly as well"
        )
    organs, dice = _describe(labels, atlas, seen)
    shape = grid.shape_zyx
    return Segmentation(
        labels=enlarge(labels, fine, shape),
        organs=organs,
        body=enlarge(tissues.body, fine, shape),
        couch=enlarge(tissues.couch, fine, shape),
        bone=enlarge(tissues.bone, fine, shape),
        expected_dice=dice,
        phantom=atlas,
        affine_to_phantom_mm=fitted.affine_to_atlas_mm,
        place_is_sure=fitted.location.is_sure,
        notes=(f"organs fitted from: {atlas.name}", *notes),
    )


def _see_eyes(
    labels: npt.NDArray[np.uint8], hu: npt.NDArray[np.float32], tissues: Tissues, grid: Grid, atlas: BodyModel
) -> frozenset[str]:
    """Put eyeballs that the image shows in the place of the fitted ones; return the organs found so."""
    label_of = {organ.key: organ.label for organ in atlas.organs}
    if not {"brain", "left-eye", "right-eye", "soft-tissue"} <= set(label_of):
        return frozenset()
    eyes = find_eyes(hu, tissues.body, labels == label_of["brain"], grid)
    if eyes is None:
        return frozenset()
    for key, mask in zip(("left-eye", "right-eye"), eyes, strict=True):
        labels[labels == label_of[key]] = label_of["soft-tissue"]
        labels[mask & tissues.body & ~tissues.bone] = label_of[key]
    return frozenset({"left-eye", "right-eye"})


def _phantom(
    arms_down: bool,
    sex: str,
    age_y: float | None,
    height_cm: float | None,
    weight_kg: float | None,
    notes: list[str],
) -> BodyModel:
    """Make the phantom of the patient's sex and size, arms as they seem to lie."""
    if sex not in ("M", "F"):
        notes.append("sex unknown: the female phantom was fitted")
    arms = "down" if arms_down else "up"
    notes.append(f"arms taken as {arms}")
    return _made(sex if sex in ("M", "F") else "F", age_y, height_cm, weight_kg, arms)


@lru_cache(maxsize=2)
def _made(
    sex: str, age_y: float | None, height_cm: float | None, weight_kg: float | None, arms: str
) -> BodyModel:
    """Make a phantom once for all scans of one person."""
    from omnidose.anatomy.stylised import make_phantom

    return make_phantom(
        sex, age_y=age_y, height_cm=height_cm, weight_kg=weight_kg, voxel_mm=4.0, arms=arms, ct_like=True
    )


def _arms_down(tissues: Tissues) -> bool:
    """Tell whether arms lie beside the trunk, in a quarter of the layers below the middle of the lungs.

    Raised arms lie above it. A scan without lungs (head, pelvis, legs) counts as arms down.
    """
    with_lung = np.flatnonzero(tissues.lungs.any(axis=(1, 2)))
    if with_lung.size == 0:
        return True
    middle = int(with_lung.mean()) + 1
    return bool(tissues.limbs[:middle].any(axis=(1, 2)).mean() > 0.25)


def _merge(
    hu: npt.NDArray[np.float32],
    tissues: Tissues,
    grid: Grid,
    coarse: tuple[int, int, int],
    fitted: Registration,
    atlas: BodyModel,
    *,
    typical: bool,
) -> npt.NDArray[np.uint8]:
    """Return the labels on the fine grid: classical masks first, then organs of the fitted atlas."""
    label_of = {organ.key: organ.label for organ in atlas.organs}
    coarse_grid = reduced_grid(grid, coarse)
    coarse_hu = reduce_mean(hu, coarse)
    masks = (tissues.body, tissues.lungs, tissues.bone, tissues.gas, tissues.airway, tissues.limbs)
    body, lungs, bone, gas, airway, limbs = (reduce_labels(m, coarse) for m in masks)
    soft = body & ~lungs & ~bone & ~gas & ~airway & ~limbs
    groups = _groups(atlas)
    key_of = {label: key for key, label in label_of.items()}
    keys = [key_of[group[0]] for group in groups]
    shifts = place(coarse_hu, soft, fitted.labels, groups, keys, coarse_grid, typical=typical)
    wide = {i for i, key in enumerate(keys) if key in COLON or key in SMALL_BOWEL}
    deep = _deep(body & ~limbs, bone, coarse_grid)
    atlas_shapes = [
        moved(fitted.labels_beyond, group, shift, fitted.margin)
        for group, shift in zip(groups, shifts, strict=True)
    ]
    shapes = [shape > 0 for shape in atlas_shapes]
    for i, mask in _organs_apart(coarse_hu, soft, shapes, keys, coarse_grid).items():
        shapes[i] = mask
    fatty = {i for i, key in enumerate(keys) if key.endswith("breast")}
    refined = refine(coarse_hu, soft, deep, shapes, wide, fatty, coarse_grid)
    organs = np.zeros_like(fitted.labels)
    for i, group in enumerate(groups):
        where = refined == i + 1
        if len(group) == 1:
            organs[where] = group[0]
        elif where.any():
            organs += nearest_label(atlas_shapes[i], group, where, coarse_grid)
    if "brain" in label_of:
        brain = fill_skull(organs == label_of["brain"], coarse_hu, soft, coarse_grid)
        organs[brain] = label_of["brain"]
    hollow = tuple(label_of[key] for key in HOLLOW if key in label_of)
    organs = np.where(gas, nearest_label(fitted.labels, hollow, gas, coarse_grid), organs)
    bones = tuple(o.label for o in atlas.organs if o.key in bone_keys())
    site = nearest_label(fitted.labels, bones, bone, coarse_grid)
    site = _arm_sites(site, bone & limbs, coarse_grid, fitted, atlas)
    shape = hu.shape
    fine = enlarge(organs, coarse, (shape[0], shape[1], shape[2]))
    fine_site = enlarge(_spread(site, coarse_grid), coarse, (shape[0], shape[1], shape[2]))
    return _paint(fine, fine_site, tissues, label_of)


def _organs_apart(
    hu: npt.NDArray[np.float32], soft: Mask, shapes: list[Mask], keys: list[str], grid: Grid
) -> dict[int, Mask]:
    """Return the organs that fat sets apart, by the index of their group."""
    wanted = [i for i, key in enumerate(keys) if key in APART and shapes[i].any()]
    found: dict[int, Mask] = {}
    for erosion_mm in APART_MM:
        missing = [i for i in wanted if i not in found]
        if not missing:
            break
        pieces = pieces_apart(hu, soft, grid, erosion_mm)
        for i in missing:
            mask = piece_for(keys[i], shapes[i], pieces, grid)
            if mask is not None and not any((mask & other).any() for other in found.values()):
                found[i] = mask
    return found


def _arm_sites(
    site: npt.NDArray[np.uint8], bone: Mask, grid: Grid, fitted: Registration, atlas: BodyModel
) -> npt.NDArray[np.uint8]:
    """Give the bones of arms beside the trunk the site that the atlas has at their height."""
    if not bone.any():
        return site
    label_of = {organ.key: organ.label for organ in atlas.organs}
    lowest = {}
    for key in ARM_KEYS:
        rows = np.flatnonzero((atlas.labels == label_of.get(key, 255)).any(axis=(1, 2)))
        if rows.size:
            lowest[label_of[key]] = float(atlas.grid.axis_mm(2)[rows[0]])
    if not lowest:
        return site
    affine = fitted.affine_to_atlas_mm
    height = affine[2, 2] * grid.axis_mm(2) + affine[2, 3]
    out = site.copy()
    for k in np.flatnonzero(bone.any(axis=(1, 2))):
        below = {label: z for label, z in lowest.items() if z <= height[k]}
        label = max(below, key=lambda n: below[n]) if below else min(lowest, key=lambda n: lowest[n])
        out[k][bone[k]] = label
    return out


#: Depth under the skin at which the body cavities begin, mm.
CAVITY_MM = 28.0


def _deep(body: Mask, bone: Mask, grid: Grid) -> Mask:
    """Return the voxels in front of the spine that lie well under the skin: the body cavities, roughly."""
    from scipy import ndimage

    spacing = grid.spacing_mm[::-1]
    padded = np.pad(body, ((1, 1), (0, 0), (0, 0)), mode="edge")
    depth = ndimage.distance_transform_edt(padded, sampling=spacing)[1:-1]
    deep = np.asarray(depth > CAVITY_MM)
    rows = np.arange(body.shape[1])
    for k in range(body.shape[0]):
        columns = np.flatnonzero(body[k].any(axis=0))
        if columns.size == 0:
            continue
        middle = int(columns.mean())
        reach = max(1, int(20 / grid.spacing_mm[0]))
        spine = bone[k][:, max(0, middle - reach) : middle + reach].any(axis=1)
        behind = np.flatnonzero(spine & (rows > np.flatnonzero(body[k].any(axis=1)).mean()))
        if behind.size:
            deep[k, int(behind[0]) + max(1, int(15 / grid.spacing_mm[1])) :] = False
    return deep


def _groups(atlas: BodyModel) -> list[tuple[int, ...]]:
    """Return the labels of each organ that is looked for in soft tissue."""
    label_of = {organ.key: organ.label for organ in atlas.organs}
    skip = REST | LUNG_KEYS | bone_keys()
    groups: list[tuple[int, ...]] = []
    used: set[str] = set()
    for pair in TOGETHER:
        present = tuple(label_of[key] for key in pair if key in label_of)  # the wall comes first
        if present:
            groups.append(present)
            used |= set(pair)
    groups += [(o.label,) for o in atlas.organs if o.key not in skip and o.key not in used]
    return groups


def _spread(site: npt.NDArray[np.uint8], grid: Grid) -> npt.NDArray[np.uint8]:
    """Return the site of the nearest bone for every voxel, so that fine bone voxels always find one."""
    known = tuple(int(v) for v in np.unique(site) if v)
    return nearest_label(site, known, np.ones(site.shape, dtype=np.bool_), grid)


def _paint(
    organs: npt.NDArray[np.uint8],
    site: npt.NDArray[np.uint8],
    tissues: Tissues,
    label_of: dict[str, int],
) -> npt.NDArray[np.uint8]:
    """Put the classical masks over the organs."""
    labels = organs
    rest = label_of.get("soft-tissue", label_of.get("muscle", 0))
    labels[tissues.body & (labels == 0)] = rest
    labels[~tissues.body] = 0
    for key, mask in (("left-lung", tissues.left_lung), ("right-lung", tissues.right_lung)):
        if key in label_of:
            labels[mask] = label_of[key]
    if "air-in-body" in label_of:
        labels[tissues.airway] = label_of["air-in-body"]
    labels[tissues.bone] = site[tissues.bone]
    return labels


def _describe(
    labels: npt.NDArray[np.uint8], atlas: BodyModel, seen: frozenset[str]
) -> tuple[tuple[Organ, ...], dict[str, float]]:
    """Return the organs that are present, with their origin and expected overlap."""
    present = np.bincount(labels.ravel(), minlength=256) > 0
    found, dice = [], {}
    for organ in atlas.organs:
        if not present[organ.label]:
            continue
        kind = "lung" if organ.key in LUNG_KEYS else "bone" if organ.key in bone_keys() else ""
        kind = kind or ("rest" if organ.key in REST else "")
        origin = Origin.SEGMENTED if kind or organ.key in seen else Origin.ATLAS
        group = "colon" if organ.key in COLON else organ.key.removesuffix("-contents")
        dice[organ.key] = SEEN_EYES_DICE if organ.key in seen else expected_dice(kind or group)
        found.append(Organ(key=organ.key, label=organ.label, origin=origin))
    return tuple(found), dice


def dice_coefficient(one: npt.NDArray[Any], two: npt.NDArray[Any]) -> float:
    """Return the overlap 2 |A and B| / (|A| + |B|) of two masks (nan if both are empty)."""
    total = int(one.sum()) + int(two.sum())
    return 2.0 * int((one & two).sum()) / total if total else float("nan")
