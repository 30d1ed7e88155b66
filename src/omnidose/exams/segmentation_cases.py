"""The cases of ``validation_segmentation``: CTs whose organs are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel
from omnidose.volume import Grid, Volume

REAL_CT, REAL_LABELS = "dicom/ts_example_ct_3mm.nii.gz", "dicom/ts_example_seg_3mm.nii.gz"


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


#: Synthetic bodies: sex, height (cm), weight (kg), scan range. Fitted with the adult of the family's own size
#: (M 179 cm, 73.6 kg).
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


def all_cases(reference: Path | None) -> Iterator[Case]:
    """Yield every case whose data are there."""
    for fields in SYNTHETIC:
        yield synthetic_case(*fields)
    from omnidose.anatomy.icrp110 import has_reference_phantom

    if has_reference_phantom("AM") and has_reference_phantom("AF"):
        yield from icrp110_cases()
    if reference is not None and (reference / REAL_CT).exists():
        yield real_case(reference)
