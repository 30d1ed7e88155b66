"""The patient of a PET without a CT: body, completion beyond the images, and what a reader must know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from omnidose.anatomy.body import BodyModel, BodyRegion, Origin, Person
from omnidose.anatomy.completion import complete_body
from omnidose.dicom.inventory import Series
from omnidose.dicom.pet_series import read_pet_shape
from omnidose.errors import InputError
from omnidose.exams.bodies import PatientBody
from omnidose.exams.body_regions import body_regions
from omnidose.exams.options import EstimateOptions
from omnidose.exams.pet_bodies import PetBody, body_from_pet
from omnidose.exams.plan import StageProgress
from omnidose.volume import Volume


def body_of_pet(
    series: Series, person: Person, options: EstimateOptions, *, progress: StageProgress | None = None
) -> PatientBody:
    """Make a body from a PET series alone.

    Raises
    ------
    DicomError, GeometryError, InputError
        If the series cannot be used, or masks were given (they lie on a CT).
    """
    tell = progress or (lambda _stage, _share, _text: None)
    if options.masks is not None:
        raise InputError(
            "masks were given, but this PET has no CT of its study, and its organs come from a phantom",
            where="--masks",
            todo="add the CT, or leave the masks out",
        )
    image = read_pet_shape(
        series, progress=lambda done, total: tell("Reading images", done / total, f"{done} of {total} slices")
    )
    tell("Finding organs", float("nan"), "fitting a phantom to the outline of the PET")
    return patient_from_pet(image, person, options)


def patient_from_pet(image: Volume, person: Person, options: EstimateOptions) -> PatientBody:
    """Make the patient from a PET that was read already (see :func:`body_of_pet`)."""
    found = body_from_pet(image, person)
    scanned = _without(found, options)
    completion = complete_body(
        scanned, found.phantom, found.affine_to_phantom_mm, body_mask=found.outline, imaged=None
    )
    nz, ny, nx = scanned.grid.shape_zyx
    if options.completion:
        body, box = completion.body, completion.image_box
    else:
        body, box = scanned, (slice(0, nz), slice(0, ny), slice(0, nx))
    regions = body_regions(body, box, found.outline, completion, found.phantom)
    body = replace(body, regions=tuple(_origin_of_bone(region, body) for region in regions))
    hu = np.clip(np.rint(1000 * (scanned.density_g_cm3 - 1)), -1000, 3000).astype(np.int16)
    hu[scanned.labels == 0] = -1000
    frame = image.frame_of_reference_uid
    return PatientBody(
        body=body,
        image=Volume.on_grid(hu, scanned.grid, frame_of_reference_uid=frame),
        image_labels=Volume.on_grid(scanned.labels, scanned.grid, frame_of_reference_uid=frame),
        organ_names={item.label: item.key for item in scanned.organs},
        image_box=box,
        warnings=_warnings(found, person, completion.truncated_slices),
    )


def _origin_of_bone(region: BodyRegion, body: BodyModel) -> BodyRegion:
    """Return marrow and endosteum with the origin of their bone, which a PET does not show."""
    bone = region.key.partition("/")[2]
    own = {item.key: item.origin for item in body.organs}
    return replace(region, origin=own[bone]) if own.get(bone) is Origin.PHANTOM else region


def _without(found: PetBody, options: EstimateOptions) -> BodyModel:
    """Return the body without organs that were removed."""
    body = found.body
    gone = [o for o in body.organs if o.key in options.absent]
    if not gone:
        return body
    labels = body.labels.copy()
    labels[np.isin(labels, [o.label for o in gone])] = body.organ("soft-tissue").label
    return replace(
        body,
        labels=labels,
        organs=tuple(o for o in body.organs if o not in gone),
        absent=options.absent,
    )


def _warnings(found: PetBody, person: Person, truncated_slices: int) -> tuple[str, ...]:
    said = [
        "There is no CT: the outline of the body comes from the PET, organs and densities from a phantom "
        "fitted to it. Organs that the PET does not show lie some centimetres from their true place.",
    ]
    if found.shaved_mm > 0:
        said.append(
            f"The outline, which blur widens, was taken in by {found.shaved_mm:.1f} mm to have the person's "
            "weight."
        )
    if found.seen:
        said.append(f"Seen in the PET itself: {', '.join(found.seen)}.")
    if not person.sex:
        said.append("The sex is unknown: a female phantom was fitted (say --sex F or --sex M).")
    if not found.place_is_sure:
        said.append(
            "It is not certain which part of the body was scanned: another place along the phantom would fit "
            "nearly as well."
        )
    if truncated_slices:
        said.append(f"{truncated_slices} slices cut the body at the side: the rest comes from the phantom.")
    return tuple(said)
