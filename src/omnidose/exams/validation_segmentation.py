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
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel, Origin
from omnidose.anatomy.segmentation import Segmentation, dice_coefficient, segment
from omnidose.anatomy.segmentation.location import bone_keys
from omnidose.dosimetry.anatomy_uncertainty import LARGE_G, OUTLINE_STD_REL, place_std_rel
from omnidose.validation import Context, Row, within
from omnidose.volume import Grid, Volume

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
ICRP110 = "icrp110"
REAL_CT, REAL_LABELS = "dicom/ts_example_ct_3mm.nii.gz", "dicom/ts_example_seg_3mm.nii.gz"
QUICK_HISTORIES, FULL_HISTORIES = 1e6, 4e6
#: What must be known about a group of cases.
NOTES = {
    "synthetic": "; bodies of the fitted phantom's own family, without its typical displacements",
    "icrp110": "; these two phantoms gave the typical displacements",
    "real": "; n = 1 patient, the labels are TotalSegmentator's",
}
_SOURCE = "the same dose map over reference masks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A CT with known organs.

    Attributes
    ----------
    ct
        int16, along +L, +P, +S.
    reference
        Labels on the CT's grid; ``names``: label -> canonical organ.
    first_layer
        The reference covers this slice and all above it.
    group
        ``synthetic``, ``icrp110`` or ``real``.
    """

    name: str
    group: str
    sex: str
    ct: Volume = field(repr=False)
    reference: npt.NDArray[np.uint8] = field(repr=False)
    names: dict[int, str] = field(repr=False)
    first_layer: int = 0
    head: bool = False

    @property
    def layers(self) -> slice:
        """Slices that are compared."""
        return slice(self.first_layer, None)


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


def case_of_body(
    body: BodyModel,
    name: str,
    group: str,
    low_mm: float,
    high_mm: float,
    *,
    head: bool = False,
    repeat_z: int = 1,
    noise_hu: float = 15.0,
) -> Case:
    """Return a noisy CT of a part of a body, on a couch, with the body's labels.

    Parameters
    ----------
    low_mm, high_mm
        Range along the body.
    repeat_z
        Repeat every layer, for phantoms with voxels much higher than wide.
    """
    from omnidose.anatomy.stylised import stylised_to_hu

    z = body.grid.axis_mm(2)
    rows = slice(int(np.searchsorted(z, low_mm)), int(np.searchsorted(z, high_mm)))
    hu = np.repeat(stylised_to_hu(body)[rows], repeat_z, axis=0).astype(np.float32)
    labels = np.repeat(body.labels[rows], repeat_z, axis=0)
    dx, dy, dz = body.grid.spacing_mm
    dz /= repeat_z
    sides, behind = round(20 / dx), round(30 / dy)
    pad = ((0, 0), (sides, behind), (sides, sides))
    hu = np.pad(hu, pad, constant_values=-1000.0)
    labels = np.pad(labels, pad)
    lowest = int(np.flatnonzero((labels > 0).any(axis=(0, 2)))[-1])
    plate = lowest + 2
    hu[:, plate : plate + max(1, round(4 / dy)), sides:-sides] = 0.0
    hu += noise_hu * np.random.default_rng(7).standard_normal(hu.shape, dtype=np.float32)
    ct = np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
    grid = Grid(shape_zyx=ct.shape, spacing_mm=(dx, dy, dz), origin_mm=(-150.0, -120.0, -800.0))
    names = {organ.label: organ.key for organ in body.organs}
    sex = body.person.sex or name[:1]
    return Case(
        name=name, group=group, sex=sex, ct=Volume.on_grid(ct, grid), reference=labels, names=names, head=head
    )


def ranges_mm(body: BodyModel) -> dict[str, tuple[float, float]]:
    """Return realistic scan ranges of a body: 10 to 20 mm beyond their landmarks."""
    from omnidose.modalities.ct.validation import organ_range_mm

    lungs = organ_range_mm(body, ("left-lung", "right-lung"))
    belly = organ_range_mm(body, ("liver", "spleen", "left-kidney", "right-kidney"))
    pelvis = organ_range_mm(body, ("pelvis",))
    brain = organ_range_mm(body, ("brain",))
    eyes = organ_range_mm(body, ("left-eye", "right-eye"))
    return {
        "chest": (lungs[0] - 20, lungs[1] + 20),
        "abdomen": (belly[0] - 20, belly[1] + 20),
        "abdomen and pelvis": (pelvis[0] - 20, belly[1] + 20),
        "head": (min(eyes[0], brain[0]) - 20, brain[1] + 20),
    }


#: Synthetic bodies: sex, height (cm), weight (kg), scan range. The segmenter is told the sex only, and fits
#: the adult of the family's own size (M 179 cm, 73.6 kg).
SYNTHETIC: tuple[tuple[str, float, float, str], ...] = (
    ("M", 185.0, 92.0, "chest"),
    ("F", 158.0, 75.0, "chest"),
    ("M", 168.0, 62.0, "abdomen and pelvis"),
    ("F", 172.0, 85.0, "abdomen"),
    ("F", 160.0, 52.0, "head"),
)


def synthetic_case(sex: str, height_cm: float, weight_kg: float, part: str, voxel_mm: float = 4.0) -> Case:
    """Return a part of a phantom from equations of a given size."""
    from omnidose.anatomy.stylised import make_phantom

    arms = "down" if part == "head" else "up"
    body = make_phantom(
        sex, height_cm=height_cm, weight_kg=weight_kg, voxel_mm=voxel_mm, arms=arms, ct_like=True
    )
    name = f"{sex} {height_cm:.0f} cm {weight_kg:.0f} kg, {part}"
    return case_of_body(body, name, "synthetic", *ranges_mm(body)[part], head=part == "head")


def icrp110_cases() -> Iterator[Case]:
    """Yield chest, abdomen with pelvis, and head of both ICRP 110 phantoms (arms beside the trunk)."""
    from omnidose.anatomy.icrp110 import load_reference_phantom

    for name, sex, repeat_z in (("AM", "M", 2), ("AF", "F", 1)):
        body = load_reference_phantom(name)
        for part in ("chest", "abdomen", "abdomen and pelvis", "head"):
            case = case_of_body(
                body,
                f"ICRP 110 {name}, {part}",
                "icrp110",
                *ranges_mm(body)[part],
                head=part == "head",
                repeat_z=repeat_z,
            )
            assert case.sex == sex
            yield case


def real_case(reference: Path) -> Case:
    """Return the real abdomen and pelvis whose top 30 of 112 slices have a label map.

    The labels are TotalSegmentator's own (its example), so they are a good segmentation, not a truth.
    """
    import nibabel

    from omnidose import data
    from omnidose.anatomy.organs import from_totalsegmentator

    volumes = []
    for name in (REAL_CT, REAL_LABELS):
        image: Any = nibabel.load(reference / name)
        array = np.ascontiguousarray(np.asarray(image.dataobj).transpose(2, 1, 0))
        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
        volumes.append(Volume(array=array, affine_lps_mm=affine).to_lps())
    ct, labelled = volumes
    n = labelled.array.shape[0]
    first = ct.array.shape[0] - n
    table = data.load("totalsegmentator_labels")
    named = {int(v): str(t) for v, t in zip(table["label"], table["name"], strict=True)}
    keys = {value: key for value, text in named.items() if (key := from_totalsegmentator(text))}
    labels = np.zeros(ct.array.shape, dtype=np.uint8)
    labels[first:] = labelled.array
    whole = Volume.on_grid(np.clip(ct.array, -1024, 3071).astype(np.int16), ct.grid)
    return Case(
        name="real abdomen, 30 labelled slices",
        group="real",
        sex="M",
        ct=whole,
        reference=labels,
        names=keys,
        first_layer=first,
    )


def run_case(case: Case, histories: float) -> list[OrganComparison]:
    """Segment a case, simulate its scan, and compare."""
    found = segment(case.ct, sex=case.sex)
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


def all_cases(reference: Path | None) -> Iterator[Case]:
    """Yield every case whose data are there."""
    for fields in SYNTHETIC:
        yield synthetic_case(*fields)
    from omnidose.anatomy.icrp110 import has_reference_phantom

    if has_reference_phantom("AM") and has_reference_phantom("AF"):
        yield from icrp110_cases()
    if reference is not None and (reference / REAL_CT).exists():
        yield real_case(reference)
