"""Where activity can be: source regions of a body, each with the mass that carries the activity."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel
from omnidose.anatomy.organs import CONTENTS, organs
from omnidose.dosimetry.organ_doses import parts_of
from omnidose.errors import InputError

#: The whole body, contents included, and its tissues without the regions that are named beside it.
TOTAL_BODY, REMAINDER = "total-body", "remainder"
#: Not tissue: what fills hollow organs, and leaves. The blood of the heart and the lungs is tissue.
_NOT_TISSUE = {*CONTENTS, "air-in-body", "kidneys-urine"} - {"heart-contents"}
#: Contents whose electrons the ICRP follows in the voxels of its phantoms. Alimentary and respiratory tract
#: have models of their own with target cells at a depth (abstract of ICRP Publication 155 (2023), whose adult
#: values are those of ICRP 133).
WALLS_OF_VOXELS = ("bladder-contents", "gall-bladder-contents", "heart-contents")
#: Source regions that a body may not draw -> the drawn region where their photons start.
DRAWN = {
    "small-intestine-contents": "small-intestine",
    "cortical-bone": "skeleton",
    "trabecular-bone": "skeleton",
    "cortical-bone-surface": "skeleton",
    "trabecular-bone-surface": "skeleton",
    "muscle": "soft-tissue",
    "kidneys-urine": "kidneys",
}


class Kind(StrEnum):
    """How a source region is related to the others."""

    TISSUE = "tissue"  # belongs to no other region
    CONTENTS = "contents"  # belongs to no other region, and is no tissue
    OVERLAPPING = "overlapping"  # lies in others: marrow in bones, the whole body


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceRegion:
    """A region that can hold activity, uniform per mass.

    Attributes
    ----------
    voxels
        Flat indices into the body's [z, y, x] arrays.
    mass_g
        float32 mass of the region in each of these voxels.
    """

    key: str
    kind: Kind
    voxels: npt.NDArray[np.int64]
    mass_g: npt.NDArray[np.float32]

    @property
    def total_g(self) -> float:
        """Mass of the region."""
        return float(self.mass_g.sum(dtype=np.float64))


def group_of(key: str) -> str:
    """Return the outermost combined organ that an organ belongs to: ``left-kidney`` -> ``kidneys``."""
    vocabulary = organs()
    while key in vocabulary and vocabulary[key].parent:
        key = vocabulary[key].parent
    return key


def source_regions(body: BodyModel) -> dict[str, SourceRegion]:
    """Return everything that can hold activity in a body.

    Paired and divided organs are one region. The tissues and contents together fill the body without
    overlap; the marrow, the endosteum and the whole body overlap them.
    """
    flat = body.labels.ravel()
    density = body.density_g_cm3.ravel()
    volume_cm3 = body.grid.voxel_volume_cm3
    labels: dict[str, list[int]] = {}
    for organ in body.organs:
        if organ.key not in body.absent:
            labels.setdefault(group_of(organ.key), []).append(organ.label)
    found = {}
    for key, numbers in labels.items():
        voxels = np.flatnonzero(np.isin(flat, numbers)).astype(np.int64)
        if voxels.size:
            kind = Kind.CONTENTS if key in _NOT_TISSUE else Kind.TISSUE
            mass_g = (density[voxels] * volume_cm3).astype(np.float32)
            found[key] = SourceRegion(key=key, kind=kind, voxels=voxels, mass_g=mass_g)
    for key in ("red-marrow", "endosteum"):
        parts = [p for p in parts_of(body) if group_of(p.key.split("/")[0]) == key and p.weights is not None]
        if parts:
            voxels = np.concatenate([p.voxels for p in parts])
            share = np.concatenate([np.asarray(p.weights, dtype=np.float32) for p in parts])
            mass_g = (share * density[voxels] * volume_cm3).astype(np.float32)
            found[key] = SourceRegion(key=key, kind=Kind.OVERLAPPING, voxels=voxels, mass_g=mass_g)
    found[TOTAL_BODY] = joined(TOTAL_BODY, [r for r in found.values() if r.kind is not Kind.OVERLAPPING])
    return found


def drawn_source(key: str, known: Collection[str], where: str) -> str:
    """Return the drawn region where the photons of a named region start.

    Raises
    ------
    InputError
        If there is none.
    """
    drawn = key if key in known else DRAWN.get(key, key)
    if drawn not in known:
        raise InputError(f"there is no source region '{key}'", where=where, allowed=", ".join(known))
    return drawn


def unnamed_tissues(tissues: Sequence[str], named: Collection[str]) -> list[str]:
    """Return the tissues of the remainder: those of a body in which no named region lies.

    Activity in the contents of an organ leaves its wall to the remainder.
    """
    taken = {key if key in tissues else DRAWN.get(key, key) for key in named if key not in _NOT_TISSUE}
    return [key for key in tissues if key not in taken]


def remainder_region(regions: dict[str, SourceRegion], named: Collection[str]) -> SourceRegion:
    """Return the tissues of a body without the named regions; contents of hollow organs are no tissue.

    Raises
    ------
    InputError
        If nothing is left.
    """
    tissues = [key for key, region in regions.items() if region.kind is Kind.TISSUE]
    left = [regions[key] for key in unnamed_tissues(tissues, named)]
    if not left:
        raise InputError("no tissue is left for the remainder of the body", where=REMAINDER)
    return joined(REMAINDER, left)


def joined(key: str, parts: Sequence[SourceRegion]) -> SourceRegion:
    """Return one overlapping region made of several that do not overlap each other."""
    return SourceRegion(
        key=key,
        kind=Kind.OVERLAPPING,
        voxels=np.concatenate([p.voxels for p in parts]),
        mass_g=np.concatenate([p.mass_g for p in parts]),
    )
