"""Organ doses with the built-in segmentation beside reference masks: the same dose map, two sets of masks.

A case is a CT whose organs are known: a phantom from equations of another size than the fitted one, an
ICRP 110 phantom turned into CT numbers, or the one real CT with a label map. One CT scan of the whole
image is simulated in the media that its CT numbers give; the mean dose of each organ is taken over the
built-in and over the reference mask.

Definitions, fixed before the first figures were looked at:

- An organ is what ``ORGANS`` lists: wall with contents, all parts of the colon, the whole skeleton. Soft
  tissue, fat, muscle, skin and vessels are not organs here.
- *Large*: more than 100 cm3 of the reference mask inside the compared slices. *Small*: 1 to 100 cm3.
- An organ that the built-in segmentation does not find counts as a difference of 100 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel, Origin
from omnidose.dosimetry.anatomy_uncertainty import LARGE_G, OUTLINE_STD_REL, place_std_rel
from omnidose.exams.segmentation_cases import SYNTHETIC, Case, all_cases, synthetic_case
from omnidose.validation import Context, Row, within

if TYPE_CHECKING:
    from omnidose.anatomy.segmentation import Segmentation

Mask = npt.NDArray[np.bool_]
Dose = npt.NDArray[np.float32]
#: Compared organ -> canonical names whose masks are joined. ``skeleton`` takes every bone.
ORGANS: dict[str, tuple[str, ...]] = {
    "left-lung": ("left-lung",),
    "right-lung": ("right-lung",),
    "heart": ("heart", "heart-contents"),
    "liver": ("liver",),
    "spleen": ("spleen",),
    "left-kidney": ("left-kidney",),
    "right-kidney": ("right-kidney",),
    "stomach": ("stomach", "stomach-contents"),
    "small-intestine": ("small-intestine", "small-intestine-contents"),
    "colon": (
        "colon",
        "ascending-colon",
        "transverse-colon",
        "descending-colon",
        "sigmoid-colon",
        "rectum",
        "colon-contents",
    ),
    "brain": ("brain",),
    "bladder": ("bladder", "bladder-contents"),
    "breasts": ("left-breast", "right-breast", "breasts"),
    "skeleton": (),
    "pancreas": ("pancreas",),
    "gall-bladder": ("gall-bladder", "gall-bladder-contents"),
    "left-adrenal": ("left-adrenal",),
    "right-adrenal": ("right-adrenal",),
    "thyroid": ("thyroid",),
    "thymus": ("thymus",),
    "oesophagus": ("oesophagus",),
    "salivary-glands": ("salivary-glands", "left-salivary-glands", "right-salivary-glands"),
    "left-eye": ("left-eye",),
    "right-eye": ("right-eye",),
    "uterus": ("uterus",),
    "left-ovary": ("left-ovary",),
    "right-ovary": ("right-ovary",),
    "prostate": ("prostate",),
    "left-testis": ("left-testis",),
    "right-testis": ("right-testis",),
}
LARGE_CM3, SMALLEST_CM3 = 100.0, 1.0
#: Promised medians of the absolute relative difference: large, small organs.
LARGE_REL, SMALL_REL = 0.05, 0.15
#: Share of organs that a 95 % interval should hold; what we ask of the stated ones.
INSIDE_SHARE = 0.9
QUICK_HISTORIES, FULL_HISTORIES = 1e6, 4e6
#: What must be known about a group of cases.
NOTES = {
    "synthetic": "; bodies of the fitted phantom's own family",
    "icrp110": "; these two phantoms gave the typical displacements",
    "real": "; n = 1 patient, the labels are TotalSegmentator's",
}
_SOURCE = "the same dose map over reference masks"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganComparison:
    """One organ of one case.

    Attributes
    ----------
    dice
        Overlap of the masks in the compared slices.
    difference_rel
        Dose over the built-in mask / dose over the reference mask - 1; -1 if the organ was not found.
    noise_rel
        Statistical standard error of that difference, from two independent halves of the run.
    stated_std_rel
        Standard uncertainty that a result states for the organ's outline and place.
    """

    case: str
    group: str
    organ: str
    volume_cm3: float
    found_cm3: float
    dice: float
    difference_rel: float
    noise_rel: float
    stated_std_rel: float

    @property
    def is_large(self) -> bool:
        """Whether the organ counts as large."""
        return self.volume_cm3 > LARGE_CM3

    @property
    def is_inside(self) -> bool:
        """Whether the difference lies inside the stated 95 % interval, plus its own noise."""
        bound = 1.96 * float(np.hypot(self.stated_std_rel, self.noise_rel))
        return abs(self.difference_rel) <= bound


def _keys_of(organ: str) -> frozenset[str]:
    """Return the canonical names that make up a compared organ."""
    from omnidose.anatomy.segmentation.location import bone_keys

    return bone_keys() if organ == "skeleton" else frozenset(ORGANS[organ])


def joined_masks(labels: npt.NDArray[np.uint8], names: dict[int, str]) -> dict[str, Mask]:
    """Return the compared organs' masks, those without voxels left out."""
    present = np.bincount(labels.ravel(), minlength=256) > 0
    found = {}
    for organ in ORGANS:
        wanted = _keys_of(organ)
        table = np.zeros(256, dtype=np.bool_)
        table[[label for label, key in names.items() if key in wanted and present[label]]] = True
        if table.any():
            found[organ] = table[labels]
    return found


def body_of_case(case: Case, segmentation: Segmentation) -> BodyModel:
    """Return the body that the CT numbers give, with the built-in masks as its organs."""
    from omnidose.anatomy.ct_numbers import media_from_ct

    media = media_from_ct(case.ct.array, body_mask=segmentation.body | segmentation.couch, contrast="without")
    return BodyModel(
        name=case.name,
        grid=case.ct.grid,
        materials=media.materials,
        material_index=media.material_index,
        density_g_cm3=media.density_g_cm3,
        labels=segmentation.labels,
        organs=segmentation.organs,
    )


def dose_maps(case: Case, body: BodyModel, histories: float) -> list[Dose]:
    """Return two independent maps of the dose (keV/g per photon) of a scan of the whole image.

    Parameters
    ----------
    histories
        Photons of both maps together.
    """
    from omnidose.modalities.ct.source import ct_source
    from omnidose.modalities.ct.validation import helical_scan
    from omnidose.transport.engine import simulate
    from omnidose.transport.scene import Scene

    grid = case.ct.grid
    options: dict[str, Any] = {"bowtie": "head", "phantom_cm": 16} if case.head else {}
    scan = helical_scan(float(grid.lower_mm[2]), float(grid.upper_mm[2]), **options)
    source = ct_source(scan, body)
    maps = []
    for seed in (11, 12):
        tally = simulate(Scene.from_body(body), source, histories=histories / 2, seed=seed, voxel_map=True)
        assert tally.voxel_dose_kev_g is not None
        maps.append(tally.voxel_dose_kev_g)
    return maps


def stated_std_rel(body: BodyModel, maps: list[Dose]) -> dict[str, float]:
    """Return the standard uncertainty that a result states for outline and place of each compared organ."""
    dose = 0.5 * (maps[0] + maps[1])
    place = dict(zip(ORGANS, place_std_rel(body, tuple(ORGANS), dose), strict=True))
    mass = body.organ_mass_g
    out = {}
    for organ in ORGANS:
        keys = _keys_of(organ)
        members = [item for item in body.organs if item.key in keys]
        if members:
            weak = any(item.origin is Origin.ATLAS for item in members)
            large = sum(mass[item.key] for item in members) >= LARGE_G
            outline = OUTLINE_STD_REL[Origin.ATLAS if weak else Origin.SEGMENTED][0 if large else 1]
            out[organ] = float(np.hypot(outline, place[organ]))
    return out


def compare(
    case: Case, segmentation: Segmentation, body: BodyModel, maps: list[Dose]
) -> list[OrganComparison]:
    """Return every organ of at least 1 cm3 of a case."""
    from omnidose.anatomy.segmentation import dice_coefficient

    reference = joined_masks(case.reference, case.names)
    ours = joined_masks(segmentation.labels, {organ.label: organ.key for organ in segmentation.organs})
    stated = stated_std_rel(body, maps)
    cm3 = case.ct.grid.voxel_volume_cm3
    part = case.layers
    out = []
    for organ, mask in reference.items():
        theirs = mask[part]
        volume = float(np.count_nonzero(theirs)) * cm3
        if volume < SMALLEST_CM3:
            continue
        found = ours[organ][part] if organ in ours else np.zeros_like(theirs)
        changes = [_difference(m[part], body.density_g_cm3[part], found, theirs) for m in maps]
        out.append(
            OrganComparison(
                case=case.name,
                group=case.group,
                organ=organ,
                volume_cm3=volume,
                found_cm3=float(np.count_nonzero(found)) * cm3,
                dice=dice_coefficient(found, theirs),
                difference_rel=float(np.mean(changes)),
                noise_rel=abs(changes[0] - changes[1]) / 2,
                stated_std_rel=stated.get(organ, 0.0),
            )
        )
    return out


def _difference(dose: Dose, density: Dose, found: Mask, reference: Mask) -> float:
    """Return the relative difference of two mass-weighted means (-1 without a mask)."""
    if not found.any():
        return -1.0
    ours, theirs = (
        float(np.average(dose[mask], weights=density[mask].astype(np.float64))) for mask in (found, reference)
    )
    return ours / theirs - 1.0


def run_case(case: Case, histories: float) -> list[OrganComparison]:
    """Segment a case, simulate its scan, and compare.

    A synthetic body is fitted with a phantom of its own family as the atlas, so without the typical
    displacements of real organs against that phantom.
    """
    from omnidose.anatomy.segmentation import segment
    from omnidose.anatomy.stylised import make_phantom

    atlas = None
    if case.group == "synthetic":
        arms = "down" if case.head else "up"
        atlas = make_phantom(case.sex, voxel_mm=4.0, arms=arms, ct_like=True)
    found = segment(case.ct, sex=case.sex, atlas=atlas)
    body = body_of_case(case, found)
    return compare(case, found, body, dose_maps(case, body, histories))


def summary_rows(group: str, found: list[OrganComparison], note: str) -> Iterator[Row]:
    """Yield the medians of large and of small organs, and the share inside the stated interval."""
    for kind, limit in (("large", LARGE_REL), ("small", SMALL_REL)):
        part = [c for c in found if c.is_large == (kind == "large")]
        if not part:
            continue
        noise = float(np.sqrt(np.mean([c.noise_rel**2 for c in part])))
        missed = sum(c.found_cm3 == 0 for c in part)
        yield within(
            f"{group}: median dose difference, {kind} organs",
            100 * median(abs(c.difference_rel) for c in part),
            0.0,
            unit="%",
            source=_SOURCE,
            bounds=(0.0, 100 * limit),
            note=f"{len(part)} organs, {missed} of them not found; noise {100 * noise:.1f} %{note}",
        )
    inside = sum(c.is_inside for c in found)
    yield within(
        f"{group}: organs inside the stated 95 % interval of outline and place",
        100 * inside / len(found),
        95.0,
        unit="%",
        source=_SOURCE,
        bounds=(100 * INSIDE_SHARE, 100.0),
        note=f"{inside} of {len(found)} organs",
    )


def check_segmentation(context: Context) -> Iterator[Row]:
    """Yield the rows of one quick synthetic case, or of all cases with ``--full``.

    The quick case is a body of another size than the phantom that is fitted to it.
    """
    if not context.full:
        case = synthetic_case(*SYNTHETIC[0])
        yield from summary_rows(case.name, run_case(case, QUICK_HISTORIES), "; --full runs all cases")
        return
    groups: dict[str, list[OrganComparison]] = {}
    for case in all_cases(context.reference):
        context.progress(f"segmentation: {case.name}")
        groups.setdefault(case.group, []).extend(run_case(case, FULL_HISTORIES))
    for group, found in groups.items():
        yield from summary_rows(group, found, NOTES[group])
