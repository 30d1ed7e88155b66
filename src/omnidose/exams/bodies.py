"""The body of an exam: from a CT series, and masks or our own segmentation, to a ``BodyModel``."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from omnidose import data
from omnidose.anatomy.body import BodyModel, BodyRegion, Organ, Origin, Person
from omnidose.anatomy.ct_numbers import media_from_ct
from omnidose.anatomy.organs import from_totalsegmentator, organ
from omnidose.anatomy.segmentation.classical import Tissues, find_tissues
from omnidose.anatomy.skin import THICKNESS_MM, skin_region
from omnidose.dicom.ct_series import CtVolume, read_ct_series
from omnidose.dicom.inventory import Series
from omnidose.dicom.masks import MaskSet, read_masks
from omnidose.errors import InputError
from omnidose.exams.options import EstimateOptions
from omnidose.exams.plan import StageProgress
from omnidose.volume import Grid, Volume

#: Largest voxel edge of the transport grid. 2.5 mm keeps a chest below 10 million voxels.
TRANSPORT_MM = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientBody:
    """A body and the images it came from.

    Attributes
    ----------
    image
        CT numbers on the grid of the images (reduced to the transport's spacing).
    image_labels
        Organ labels on the same grid, with ``organ_names`` (label -> canonical name).
    """

    body: BodyModel = field(repr=False)
    image: Volume = field(repr=False)
    image_labels: Volume = field(repr=False)
    organ_names: dict[int, str]
    warnings: tuple[str, ...] = ()


def body_of(
    series: Series, person: Person, options: EstimateOptions, *, progress: StageProgress | None = None
) -> PatientBody:
    """Read a series and make the body that its photons will meet."""
    tell = progress or (lambda _stage, _share, _text: None)
    ct = read_ct_series(
        series,
        target_spacing_mm=TRANSPORT_MM,
        progress=lambda done, total: tell("Reading images", done / total, f"{done} of {total} slices"),
    )
    tell("Finding organs", float("nan"), "body, lungs, bones")
    grid = ct.volume.grid
    tissues = find_tissues(ct.volume.array.astype(np.float32), grid)
    names: dict[int, str] = {}
    labels = np.zeros(grid.shape_zyx, dtype=np.uint8)
    warnings = list(ct.warnings)
    if options.masks is not None:
        tell("Finding organs", float("nan"), "reading the given masks")
        masks = read_masks(
            options.masks,
            grid,
            frame_of_reference_uid=ct.volume.frame_of_reference_uid,
            label_names=class_map(),
            method="majority",
        )
        labels, names, notes = canonical_labels(masks)
        warnings += [*masks.warnings, *notes]
    _fill_from_tissues(labels, names, tissues)
    body = _assemble(ct, tissues, labels, names, person, options)
    return PatientBody(
        body=body,
        image=ct.volume,
        image_labels=Volume.on_grid(labels, grid, frame_of_reference_uid=ct.volume.frame_of_reference_uid),
        organ_names=names,
        warnings=tuple(warnings),
    )


def class_map() -> dict[int, str]:
    """Return TotalSegmentator's names by label, for a label map without names in its header."""
    table = data.load("totalsegmentator_labels")
    return {int(label): str(name) for label, name in zip(table["label"], table["name"], strict=True)}


def canonical_labels(masks: MaskSet) -> tuple[npt.NDArray[np.uint8], dict[int, str], list[str]]:
    """Return exclusive labels under canonical organ names.

    Masks that share a canonical name (the lobes of a lung) become one organ. Names that are neither
    ours nor TotalSegmentator's are reported and left to the soft tissue.
    """
    labels = np.zeros(masks.labels.shape, dtype=np.uint8)
    names: dict[int, str] = {}
    unknown = []
    for label, name in masks.names.items():
        key = from_totalsegmentator(name)
        if key is None:
            try:
                key = organ(name).key
            except InputError:
                unknown.append(name)
                continue
        if key not in names.values():
            names[len(names) + 1] = key
        number = next(n for n, k in names.items() if k == key)
        labels[masks.labels == label] = number
    notes = []
    if unknown:
        shown = ", ".join(unknown[:6]) + (f" and {len(unknown) - 6} more" if len(unknown) > 6 else "")
        notes.append(f"{len(unknown)} masks have names that no organ has ({shown}) and are not used")
    if not names:
        raise InputError(
            "none of the given masks has the name of an organ",
            where="--masks",
            allowed="TotalSegmentator's names (liver, kidney_left, …) or ours (liver, left-kidney, …)",
        )
    return labels, names, notes


def _fill_from_tissues(labels: npt.NDArray[np.uint8], names: dict[int, str], tissues: Tissues) -> None:
    """Give what no mask covers to lungs, skeleton and soft tissue found in the image."""

    def add(key: str, where: npt.NDArray[np.bool_]) -> None:
        free = where & (labels == 0)
        if not free.any():
            return
        number = next((n for n, k in names.items() if k == key), max(names, default=0) + 1)
        names[number] = key
        labels[free] = number

    given = set(names.values())
    if not given & {"lungs", "left-lung", "right-lung"}:
        add("left-lung", tissues.left_lung)
        add("right-lung", tissues.right_lung)
    add("skeleton", tissues.bone)
    add("soft-tissue", tissues.body)


def _assemble(
    ct: CtVolume,
    tissues: Tissues,
    labels: npt.NDArray[np.uint8],
    names: dict[int, str],
    person: Person,
    options: EstimateOptions,
) -> BodyModel:
    grid: Grid = ct.volume.grid
    media = media_from_ct(ct.volume.array, body_mask=tissues.body | tissues.couch)
    organs = tuple(
        Organ(key=key, label=number, origin=Origin.SEGMENTED) for number, key in sorted(names.items())
    )
    regions: list[BodyRegion] = [skin_region(tissues.body, grid, thickness_mm=THICKNESS_MM[person.sex])]
    return BodyModel(
        name="patient",
        grid=grid,
        materials=media.materials,
        material_index=media.material_index,
        density_g_cm3=media.density_g_cm3,
        labels=labels,
        organs=organs,
        regions=tuple(regions),
        absent=options.absent,
        person=person,
        frame_of_reference_uid=ct.volume.frame_of_reference_uid,
        notes=media.notes,
    )
