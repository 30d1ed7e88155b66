"""The body of an exam: from a CT series, and masks or our own segmentation, to a ``BodyModel``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel, Organ, Person
from omnidose.anatomy.completion import NO_ORGANS, Completion, complete_body
from omnidose.anatomy.ct_numbers import CONTRAST_HU, CtMedia, media_from_ct
from omnidose.anatomy.organs import CONTENTS
from omnidose.anatomy.segmentation import Segmentation, segment
from omnidose.anatomy.stylised.make import ADULT_Y
from omnidose.dicom.ct_series import CtVolume, read_ct_series
from omnidose.dicom.inventory import Series
from omnidose.dicom.masks import read_masks
from omnidose.exams.body_regions import body_regions, lesion_regions
from omnidose.exams.given_masks import (
    NamedLabels,
    canonical_labels,
    class_map,
    combine,
    from_masks,
    into_hosts,
    with_lesions,
)
from omnidose.exams.options import EstimateOptions
from omnidose.exams.plan import StageProgress
from omnidose.exams.segmenters import BUILT_IN, segmenter
from omnidose.volume import Grid, Volume

Mask = npt.NDArray[np.bool_]
#: Largest voxel edge of the transport grid. 2.5 mm keeps a chest below 10 million voxels.
TRANSPORT_MM = 2.5
#: Organs in whose soft tissue contrast medium is looked for.
ENHANCING = frozenset(
    {
        "blood-vessels",
        "bladder",
        "bladder-contents",
        "ascending-colon",
        "colon",
        "colon-contents",
        "descending-colon",
        "gall-bladder",
        "gall-bladder-contents",
        "heart",
        "heart-contents",
        "kidneys",
        "left-kidney",
        "right-kidney",
        "liver",
        "rectum",
        "sigmoid-colon",
        "small-intestine",
        "small-intestine-contents",
        "spleen",
        "stomach",
        "stomach-contents",
        "transverse-colon",
    }
)
#: Contrast medium is looked for in an image blurred by this much (noise is none), mm. Less than so much in
#: all, or in one piece, is calcification, cm3.
CONTRAST_BLUR_MM, CONTRAST_CM3, CONTRAST_PIECE_CM3 = 4.0, 10.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientBody:
    """A body and the images it came from.

    Attributes
    ----------
    body
        The whole person: the scanned part, completed with a phantom (unless that was declined).
    image
        CT numbers on the grid of the images (reduced to the transport's spacing).
    image_labels
        Labels of organs and lesions on the same grid, with ``organ_names`` (label -> name).
    image_box
        Slices [z, y, x] of the images in the body's grid.
    without_contrast
        The same body with plain tissue where there is contrast medium; None if there is none, or if only
        one of the two was asked for.
    """

    body: BodyModel = field(repr=False)
    image: Volume = field(repr=False)
    image_labels: Volume = field(repr=False)
    organ_names: dict[int, str]
    image_box: tuple[slice, slice, slice]
    without_contrast: BodyModel | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()


def body_of(
    series: Series, person: Person, options: EstimateOptions, *, progress: StageProgress | None = None
) -> PatientBody:
    """Read a series and make the body that its photons will meet.

    Raises
    ------
    DicomError, GeometryError, InputError
        If the series or the masks cannot be used.
    """
    tell = progress or (lambda _stage, _share, _text: None)
    if series.modality == "PT":
        from omnidose.exams.pet_patients import body_of_pet

        return body_of_pet(series, person, options, progress=progress)
    ct = read_ct_series(
        series,
        target_spacing_mm=TRANSPORT_MM,
        progress=lambda done, total: tell("Reading images", done / total, f"{done} of {total} slices"),
    )
    return body_from_ct(ct, person, options, progress=progress)


def body_from_ct(
    ct: CtVolume, person: Person, options: EstimateOptions, *, progress: StageProgress | None = None
) -> PatientBody:
    """Make the body from CT numbers that were read already (see :func:`body_of`)."""
    tell = progress or (lambda _stage, _share, _text: None)
    given, mask_notes = _given(ct, options, tell)
    found = segment(
        ct.volume,
        sex=person.sex,
        age_y=person.age_y,
        height_cm=person.height_cm,
        weight_kg=person.weight_kg,
        progress=lambda text: tell("Finding organs", float("nan"), text),
    )
    labels, organs, whole = _labels(found, given, ct.volume.grid)
    labels, organs = _without(labels, organs, options.absent | NO_ORGANS)
    lesions = given.lesions if given is not None else {}
    labels = into_hosts(labels, lesions)
    media, plain = _media(ct, found, labels, organs, options)
    scanned = BodyModel(
        name="patient",
        grid=ct.volume.grid,
        materials=media.materials,
        material_index=media.material_index,
        density_g_cm3=media.density_g_cm3,
        labels=labels,
        organs=organs,
        absent=options.absent,
        person=person,
        frame_of_reference_uid=ct.volume.frame_of_reference_uid,
        notes=(*media.notes, *found.notes, *found.phantom.notes),
    )
    tell("Finding organs", float("nan"), "completing the body beyond the images")
    completion = complete_body(
        scanned,
        found.phantom,
        found.affine_to_phantom_mm,
        body_mask=found.body,
        imaged=ct.imaged,
        whole_organs=whole,
    )
    body, box = _chosen(scanned, completion, options)
    shown, names = with_lesions(labels, {item.label: item.key for item in organs}, lesions)
    own = body_regions(body, box, found.body, completion, found.phantom)
    body = replace(body, regions=(*own, *lesion_regions(body, box, lesions)))
    return PatientBody(
        body=body,
        image=ct.volume,
        image_labels=Volume.on_grid(
            shown, ct.volume.grid, frame_of_reference_uid=ct.volume.frame_of_reference_uid
        ),
        organ_names=names,
        image_box=box,
        without_contrast=None if plain is None else _with_media(body, box, plain),
        warnings=(
            *ct.warnings,
            *mask_notes,
            *(media.notes if plain is None else ()),  # else the doses with and without are compared
            *_doubts(person, found, completion, options),
        ),
    )


def _doubts(
    person: Person, found: Segmentation, completion: Completion, options: EstimateOptions
) -> list[str]:
    """Return what a reader must know about the body; how it was made stands among the assumptions."""
    said = []
    if not person.sex:
        said.append("The sex is unknown: a female phantom was fitted (say --sex F or --sex M).")
    if not found.place_is_sure:
        said.append(
            "It is not certain which part of the body was scanned: another place along the fitted phantom "
            "would fit nearly as well, so organs may be misplaced (look at the pictures, give --masks)."
        )
    if person.age_y is not None and person.age_y < ADULT_Y:
        said.append(
            "A child: the phantom of this age is unverified, and marrow has the masses and sites of an adult."
        )
    if not options.completion:
        said.append(
            "Only what the images show is counted (--no-completion): doses of organs that the scan cuts are "
            "those of their imaged part."
        )
    if completion.truncated_slices and options.completion:
        said.append(
            f"{completion.truncated_slices} of {found.labels.shape[0]} slices cut the body at the side: the "
            "rest comes from the phantom."
        )
    elif completion.truncated_slices:
        said.append(f"{completion.truncated_slices} slices cut the body at the side: the rest is missing.")
    return said


def _given(
    ct: CtVolume, options: EstimateOptions, tell: StageProgress
) -> tuple[NamedLabels | None, tuple[str, ...]]:
    """Return the organs that a user's masks or another segmenter give, and remarks."""
    if options.masks is not None:
        tell("Finding organs", float("nan"), "reading the given masks")
        masks = read_masks(
            options.masks,
            ct.volume.grid,
            frame_of_reference_uid=ct.volume.frame_of_reference_uid,
            label_names=class_map(),
            method="majority",
        )
        given = canonical_labels(masks)
        return given, (*masks.warnings, *given.notes)
    if options.segmenter == BUILT_IN:
        return None, ()
    tell("Finding organs", float("nan"), options.segmenter)
    return from_masks(segmenter(options.segmenter)(ct.volume)), ()


def _labels(
    found: Segmentation, given: NamedLabels | None, grid: Grid
) -> tuple[npt.NDArray[np.uint8], tuple[Organ, ...], set[str]]:
    """Return labels, organs, and the organs that were given as a whole with their contents."""
    if given is None:
        return found.labels, found.organs, set()
    labels, organs = combine(given, found.labels, found.organs, grid)
    names = set(given.names.values())
    whole = {wall for contents, wall in CONTENTS.items() if wall in names and contents not in names}
    return labels, organs, whole


def _without(
    labels: npt.NDArray[np.uint8], organs: tuple[Organ, ...], keys: frozenset[str]
) -> tuple[npt.NDArray[np.uint8], tuple[Organ, ...]]:
    """Give the place of removed organs (something else fills it now) and of air to soft tissue."""
    gone = [item for item in organs if item.key in keys]
    rest = next((item for item in organs if item.key == "soft-tissue"), None)
    if not gone or rest is None:
        return labels, organs
    labels = labels.copy()
    labels[np.isin(labels, [item.label for item in gone])] = rest.label
    return labels, tuple(item for item in organs if item not in gone)


def _media(
    ct: CtVolume,
    found: Segmentation,
    labels: npt.NDArray[np.uint8],
    organs: tuple[Organ, ...],
    options: EstimateOptions,
) -> tuple[CtMedia, CtMedia | None]:
    """Return what the voxels are made of, and the same without contrast medium if both are wanted.

    Soft tissue that is brighter than it can be holds iodine.
    """
    from omnidose.beams.fan import GENERIC_ANODE_ANGLE_DEG, GENERIC_HVL_120KV_MM, central_spectrum

    inside = found.body | found.couch
    soft = np.isin(labels, [item.label for item in organs if item.key in ENHANCING])
    medium = _enhanced(ct.volume.array, soft, ct.volume.grid)
    if medium is None:
        return media_from_ct(ct.volume.array, body_mask=inside), None
    plain = media_from_ct(ct.volume.array, body_mask=inside, contrast_mask=medium, contrast="without")
    if options.contrast == "without":
        return plain, None
    kv = next((s.kvp_kv for s in ct.slices if s.kvp_kv), None) or options.kv or 120.0
    spectrum = central_spectrum(kv, GENERIC_HVL_120KV_MM, 0.0, GENERIC_ANODE_ANGLE_DEG)
    media = media_from_ct(ct.volume.array, body_mask=inside, contrast_mask=medium, spectrum=spectrum)
    return media, plain if options.contrast == "both" else None


def _enhanced(hu: npt.NDArray[np.int16], soft: Mask, grid: Grid) -> Mask | None:
    """Return the soft tissue that holds contrast medium, None if there is not enough of it to believe in."""
    from scipy import ndimage

    if not soft.any():
        return None
    where = ndimage.find_objects(soft.view(np.uint8))[0]
    sigma = [CONTRAST_BLUR_MM / d for d in grid.spacing_mm[::-1]]
    # Bone beside an organ must not shine into it: the mean is taken over the organs' own voxels.
    own = soft[where].astype(np.float32)
    value = ndimage.gaussian_filter(np.clip(hu[where], -200, 3000) * own, sigma)
    mean = value / np.maximum(ndimage.gaussian_filter(own, sigma), 1e-3)
    bright = soft[where] & (mean >= CONTRAST_HU[0]) & (hu[where] <= 3000)
    label, count = ndimage.label(bright)
    if not count:
        return None
    sizes_cm3 = np.bincount(label.ravel()) * grid.voxel_volume_cm3
    sizes_cm3[0] = 0.0
    large = sizes_cm3 >= CONTRAST_PIECE_CM3
    if sizes_cm3[large].sum() < CONTRAST_CM3:
        return None
    out = np.zeros_like(soft)
    out[where] = large[label]
    return out


def _with_media(body: BodyModel, box: tuple[slice, slice, slice], media: CtMedia) -> BodyModel:
    """Return the body with other contents in its imaged voxels."""
    own = slice(None) if body.completed is None else ~body.completed[box]
    material, density = body.material_index.copy(), body.density_g_cm3.copy()
    material[box][own] = media.material_index[own]
    density[box][own] = media.density_g_cm3[own]
    return replace(body, material_index=material, density_g_cm3=density)


def _chosen(
    scanned: BodyModel, completion: Completion, options: EstimateOptions
) -> tuple[BodyModel, tuple[slice, slice, slice]]:
    """Return the completed body, or the scanned part with the completion's imaged fractions."""
    if options.completion:
        return completion.body, completion.image_box
    share = {item.key: item.imaged_fraction for item in completion.body.organs}
    organs = tuple(
        replace(item, imaged_fraction=share.get(item.key, item.imaged_fraction)) for item in scanned.organs
    )
    nz, ny, nx = scanned.grid.shape_zyx
    return replace(scanned, organs=organs), (slice(0, nz), slice(0, ny), slice(0, nx))
