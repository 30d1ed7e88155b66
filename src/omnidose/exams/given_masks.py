"""Masks that a user gave: their names, and how they and our own segmentation fit together."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from omnidose import data
from omnidose.anatomy.body import LESION, Organ, Origin
from omnidose.anatomy.completion import WHOLE_BONES
from omnidose.anatomy.organs import CONTENTS, from_totalsegmentator, organ, organs
from omnidose.anatomy.segmentation.location import bone_keys
from omnidose.anatomy.segmentation.refine import nearest_label
from omnidose.dicom.masks import MaskSet
from omnidose.errors import InputError
from omnidose.volume import Grid

#: Organs that are always made from body, bones and eyes; a mask of that name is often an outline of the body.
OWN_REGIONS = frozenset({"skin", "red-marrow", "endosteum"})
Labels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
#: What the name of a lesion's mask begins with, or holds as a word of its own.
_LESION_WORDS = re.compile(r"(^|[^a-z])(lesions?|tumou?rs?|metastas[ei]s|mets?|nodules?|gtv)([^a-z]|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedLabels:
    """Exclusive labels [z, y, x] under canonical names.

    Attributes
    ----------
    lesions
        ``lesion-<name>`` -> voxels; a lesion is no organ and lies in one.
    """

    labels: Labels
    names: dict[int, str]
    notes: tuple[str, ...] = ()
    lesions: dict[str, Mask] = field(default_factory=dict)


def lesion_key(name: str) -> str:
    """Return the key of a lesion's mask (``Lesion 1``: ``lesion-1``), or an empty text for other names."""
    words = name.strip().lower()
    if not _LESION_WORDS.search(words):
        return ""
    slug = re.sub(r"[^a-z0-9]+", "-", words).strip("-")
    return slug if slug.startswith(LESION) else f"{LESION}{slug}"


def class_map() -> dict[int, str]:
    """Return TotalSegmentator's names by label, for a label map without names in its header."""
    table = data.load("totalsegmentator_labels")
    return {int(label): str(name) for label, name in zip(table["label"], table["name"], strict=True)}


def canonical_labels(masks: MaskSet) -> NamedLabels:
    """Return exclusive labels under canonical organ names.

    Masks that share a canonical name (the lobes of a lung) become one organ. A name with the word lesion,
    tumour, metastasis, nodule or GTV is a lesion. Other names that are neither ours nor TotalSegmentator's
    are reported and left to the soft tissue.

    Raises
    ------
    InputError
        If no mask has the name of an organ or lesion.
    """
    labels = np.zeros(masks.labels.shape, dtype=np.uint8)
    names: dict[int, str] = {}
    lesions: dict[str, Mask] = {}
    unknown, empty, own = [], 0, []
    for label, name in masks.names.items():
        key = from_totalsegmentator(name)
        if key is None:
            try:
                key = organ(name).key
            except InputError:
                key = lesion_key(name)
        if not key:
            unknown.append(name)
            continue
        where = masks.labels == label
        if key.startswith(LESION):
            if where.any():
                lesions[key] = lesions[key] | where if key in lesions else where
            else:
                empty += 1
            continue
        if key in OWN_REGIONS:
            own.append(name)
            continue
        if not where.any():
            empty += 1
            continue
        if key not in names.values():
            names[len(names) + 1] = key
        number = next(n for n, k in names.items() if k == key)
        labels[where] = number
    notes = []
    if own:
        notes.append(f"masks of {', '.join(own)} are not used: skin and marrow are made from body and bones")
    if empty:
        notes.append(
            f"{empty} masks hold no voxel of this image and are not used: their organs are looked for "
            "(name removed organs with --absent)"
        )
    if unknown:
        shown = ", ".join(unknown[:6]) + (f" and {len(unknown) - 6} more" if len(unknown) > 6 else "")
        notes.append(
            f"{len(unknown)} masks have names that no organ has ({shown}) and are not used (a lesion has the "
            "word lesion, tumour, metastasis, nodule or GTV in its name)"
        )
    if not names and not lesions:
        raise InputError(
            "none of the given masks holds an organ or a lesion",
            where="--masks",
            allowed="TotalSegmentator's names (liver, kidney_left, …), ours (liver, left-kidney), lesion 1",
        )
    return NamedLabels(labels=labels, names=names, notes=tuple(notes), lesions=lesions)


def from_masks(masks: dict[str, npt.NDArray[np.bool_]]) -> NamedLabels:
    """Return exclusive labels from masks by canonical name; the first mask of a voxel keeps it.

    Raises
    ------
    InputError
        If there is no mask.
    """
    if not masks:
        raise InputError("no organ was found", todo="use the built-in segmentation")
    labels = np.zeros(next(iter(masks.values())).shape, dtype=np.uint8)
    names = {}
    for number, (key, mask) in enumerate(masks.items(), start=1):
        if key in OWN_REGIONS or not mask.any():
            continue
        labels[mask & (labels == 0)] = number
        names[number] = key
    return NamedLabels(labels=labels, names=names)


def combine(
    given: NamedLabels, own: Labels, organs_own: tuple[Organ, ...], grid: Grid
) -> tuple[Labels, tuple[Organ, ...]]:
    """Put given masks over our own segmentation.

    An organ that was given (or its whole, its part, or the wall of its contents) is taken from the given
    masks alone; what our own segmentation would add to it becomes soft tissue. Bones are joined instead:
    a voxel of bone that no mask covers is still bone, and a mask of several bones (skeleton, femora) leaves
    each of its voxels to the nearest single bone that we know, because marrow needs its site.

    Parameters
    ----------
    own, organs_own
        Our own segmentation of the same image.

    Returns
    -------
    labels, organs
        Given organs have the origin *segmented*.
    """
    known = set(given.names.values())
    replaced = {key for key in (o.key for o in organs_own) if _is_replaced(key, known)}
    rest = next((o.key for o in organs_own if o.key in ("soft-tissue", "muscle")), "soft-tissue")
    label_of: dict[str, int] = {}
    origin_of: dict[str, Origin] = {}
    table = np.zeros(256, dtype=np.uint8)
    for item in organs_own:
        key = rest if item.key in replaced else item.key
        table[item.label] = label_of.setdefault(key, len(label_of) + 1)
        origin_of.setdefault(key, Origin.SEGMENTED if item.key in replaced else item.origin)
    labels = table[own]
    for number, key in given.names.items():
        where = given.labels == number
        if key in WHOLE_BONES:
            sites = tuple(n for k, n in label_of.items() if k in bone_keys() and _is_under(k, key))
            site = nearest_label(labels, sites, where, grid) if sites else np.zeros_like(labels)
            labels[site > 0] = site[site > 0]
            where = where & (site == 0)
        if where.any():
            labels[where] = label_of.setdefault(key, len(label_of) + 1)
            origin_of[key] = Origin.SEGMENTED
    found = [
        Organ(key=key, label=label, origin=origin_of[key])
        for key, label in label_of.items()
        if bool((labels == label).any())
    ]
    return labels, tuple(found)


def _is_under(key: str, whole: str) -> bool:
    known = organs()
    while key and key != whole:
        key = known[key].parent if key in known else ""
    return bool(key)


def _is_replaced(key: str, given: set[str]) -> bool:
    """Tell whether a given mask speaks for one of our organs."""
    if key in bone_keys() or key in ("soft-tissue", "muscle", "adipose-tissue", "skin"):
        return False
    if CONTENTS.get(key) in given:
        return True
    known = organs()
    name = key
    while name:
        if name in given:
            return True
        name = known[name].parent if name in known else ""
    return any(known[g].parent == key for g in given if g in known)


def into_hosts(labels: Labels, lesions: dict[str, Mask]) -> Labels:
    """Return labels in which every lesion belongs to the organ around it: the nearest one outside of it."""
    from scipy import ndimage

    every = np.zeros(labels.shape, dtype=np.bool_)
    for mask in lesions.values():
        every |= mask
    if not every.any():
        return labels
    found = ndimage.find_objects(every.view(np.uint8))[0]
    box = tuple(slice(max(0, part.start - 4), part.stop + 4) for part in found)
    outside = ~every[box] & (labels[box] > 0)
    if not outside.any():
        return labels
    nearest = ndimage.distance_transform_edt(~outside, return_distances=False, return_indices=True)
    out = labels.copy()
    inside = every[box]
    out[box][inside] = labels[box][tuple(axis[inside] for axis in nearest)]
    return out


def with_lesions(
    labels: Labels, names: dict[int, str], lesions: dict[str, Mask]
) -> tuple[Labels, dict[int, str]]:
    """Return labels and names with lesions over their organs, as far as eight bits hold them."""
    if not lesions:
        return labels, names
    out, known = labels.copy(), dict(names)
    for key, mask in lesions.items():
        label = max(known, default=0) + 1
        if label > 255:
            break
        known[label] = key
        out[mask] = label
    return out, known
