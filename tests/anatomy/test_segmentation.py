"""Built-in segmentation on synthetic bodies (truth known) and, where it is there, the small real CT."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from omnidose.anatomy.body import BodyModel, Origin
from omnidose.anatomy.segmentation import Segmentation, dice_coefficient, segment
from omnidose.anatomy.segmentation.classical import find_body
from omnidose.anatomy.segmentation.grids import enlarge, factors_for, reduce_labels, reduce_mean, reduced_grid
from omnidose.anatomy.segmentation.location import class_image, locate
from omnidose.anatomy.segmentation.totalsegmentator import (
    is_installed,
    masks_of_classes,
    segment_with_totalsegmentator,
)
from omnidose.anatomy.stylised import make_phantom, stylised_to_hu
from omnidose.errors import DependencyError, InputError
from omnidose.validation import reference_dir
from omnidose.volume import Grid, Volume


def scan(body: BodyModel, low_mm: float, high_mm: float, *, couch: bool = True) -> tuple[Volume, BodyModel]:
    """Return a synthetic CT of a part of a body and the part itself; the scan has its own origin."""
    z = body.grid.axis_mm(2)
    part = slice(int(np.searchsorted(z, low_mm)), int(np.searchsorted(z, high_mm)))
    hu = stylised_to_hu(body, noise_hu=20.0)[part]
    pad = 8
    hu = np.pad(hu, ((0, 0), (pad, pad), (pad, pad)), constant_values=-1000)
    if couch:
        hu[:, -4, 6:-6] = 100  # a plate behind the patient
    labels = np.pad(body.labels[part], ((0, 0), (pad, pad), (pad, pad)))
    grid = Grid(shape_zyx=hu.shape, spacing_mm=body.grid.spacing_mm, origin_mm=(12.0, -7.0, -300.0))
    cropped = replace(
        body,
        grid=grid,
        labels=labels,
        material_index=np.zeros(labels.shape, np.uint8),
        density_g_cm3=np.zeros(labels.shape, np.float32),
        regions=(),
    )
    return Volume.on_grid(hu, grid), cropped


@pytest.fixture(scope="module")
def chest() -> tuple[Volume, BodyModel, Segmentation]:
    body = make_phantom("M", height_cm=183, weight_kg=88, voxel_mm=4.0, arms="up", ct_like=True)
    ct, truth = scan(body, 300, 730)
    return ct, truth, segment(ct, sex="M")  # size unknown to the segmenter


def dice(found: tuple[Volume, BodyModel, Segmentation], *keys: str) -> float:
    """Overlap of the union of some organs."""
    _ct, truth, ours = found
    names = {organ.key for organ in ours.organs}
    one = np.logical_or.reduce([ours.mask(key) for key in keys if key in names])
    return dice_coefficient(one, np.logical_or.reduce([truth.mask(key) for key in keys]))


def test_lungs_are_found_on_their_own_sides(chest: tuple[Volume, BodyModel, Segmentation]) -> None:
    assert dice(chest, "left-lung") > 0.95
    assert dice(chest, "right-lung") > 0.95


def test_large_organs_are_found_in_a_body_of_another_size(
    chest: tuple[Volume, BodyModel, Segmentation],
) -> None:
    assert dice(chest, "liver") > 0.75
    assert dice(chest, "heart", "heart-contents") > 0.75
    assert dice(chest, "spleen") > 0.5


def test_the_couch_is_apart_from_the_body(chest: tuple[Volume, BodyModel, Segmentation]) -> None:
    ct, truth, ours = chest
    assert dice_coefficient(ours.body, truth.labels > 0) > 0.98
    assert ours.couch[:, -4, 6:-6].mean() > 0.95
    assert not (ours.couch & ours.body).any()
    assert ours.labels.shape == ct.array.shape
    assert not ours.labels[~ours.body].any()


def test_origins_say_how_an_organ_was_found(chest: tuple[Volume, BodyModel, Segmentation]) -> None:
    origin = {organ.key: organ.origin for organ in chest[2].organs}
    assert origin["left-lung"] is Origin.SEGMENTED
    assert origin["ribs"] is Origin.SEGMENTED
    assert origin["liver"] is Origin.ATLAS
    assert set(origin) == set(chest[2].expected_dice)
    assert chest[2].place_is_sure


def test_the_fitted_affine_finds_the_place_along_the_body(
    chest: tuple[Volume, BodyModel, Segmentation],
) -> None:
    _ct, truth, ours = chest
    z = truth.grid.axis_mm(2)[np.argwhere(truth.mask("heart"))[:, 0]].mean()
    index = np.argwhere(ours.phantom.mask("heart"))
    there = ours.phantom.grid.axis_mm(2)[index[:, 0]].mean()
    assert ours.affine_to_phantom_mm[2, 2] * z + ours.affine_to_phantom_mm[2, 3] == pytest.approx(
        there, abs=30
    )


def test_a_head_gets_its_brain_and_no_trunk_organs() -> None:
    body = make_phantom("F", voxel_mm=4.0)
    ct, truth = scan(body, 690, 870, couch=False)
    ours = segment(ct, sex="F")
    assert dice_coefficient(ours.mask("brain"), truth.mask("brain")) > 0.9
    keys = {organ.key for organ in ours.organs}
    assert not {"liver", "left-lung", "left-kidney"} & keys


def test_air_alone_is_no_body() -> None:
    grid = Grid.centred((10, 40, 40), (4.0, 4.0, 4.0))
    with pytest.raises(InputError, match="no body"):
        segment(Volume.on_grid(np.full(grid.shape_zyx, -1000, np.int16), grid))


def test_a_cavity_that_opens_to_the_outside_stays_inside_the_body() -> None:
    grid = Grid.centred((6, 60, 60), (3.0, 3.0, 3.0))
    y, x = np.ogrid[-30:30, -30:30]
    hu = np.where(x * x + y * y < 22**2, 40.0, -1000.0)[None].repeat(6, 0).astype(np.float32)
    hu[:, 24:36, 24:36] = -1000  # a cavity of 36 mm
    hu[:, 5:25, 29:31] = -1000  # its opening of 6 mm
    body, _couch = find_body(hu, grid)
    assert body[3, 25:35, 25:35].all()
    assert not body[3, 3, 29]


def test_blocks_keep_their_place() -> None:
    grid = Grid(shape_zyx=(7, 9, 10), spacing_mm=(1.0, 1.5, 2.0), origin_mm=(5.0, 6.0, 7.0))
    factors = factors_for(grid, 3.0)
    assert factors == (1, 2, 3)
    small = reduced_grid(grid, factors)
    ramp = np.broadcast_to(grid.axis_mm(0), grid.shape_zyx).astype(np.float32)
    means = reduce_mean(ramp, factors)
    assert means.shape == small.shape_zyx
    assert np.allclose(means[0, 0, :3], small.axis_mm(0)[:3])
    coarse = np.random.default_rng(4).integers(0, 9, small.shape_zyx)
    fine = enlarge(coarse, factors, grid.shape_zyx)
    assert fine.shape == grid.shape_zyx
    assert np.array_equal(enlarge(reduce_labels(fine, factors), factors, grid.shape_zyx), fine)


def test_the_place_of_a_pelvis_scan_is_below_the_lungs() -> None:
    body = make_phantom("F", voxel_mm=6.0)
    z = body.grid.axis_mm(2)
    part = (z > 150) & (z < 520)
    classes = class_image(body.labels, body)
    grid = replace(body.grid, shape_zyx=classes[part].shape, origin_mm=(0.0, 0.0, 1000.0))
    found = locate(classes[part], grid, classes, body.grid)
    assert (1000 - found.offset_mm) / found.scale == pytest.approx(z[part][0], abs=30)


def test_totalsegmentator_is_asked_for_politely() -> None:
    if is_installed():
        pytest.skip("TotalSegmentator is installed here")
    ct = Volume.on_grid(np.zeros((2, 2, 2), np.int16), Grid.centred((2, 2, 2), (1.0, 1.0, 1.0)))
    with pytest.raises(DependencyError, match="pip install"):
        segment_with_totalsegmentator(ct)


def test_totalsegmentator_classes_join_by_our_names() -> None:
    labels = np.array([[[0, 1, 2, 3, 4]]])
    classes = {1: "lung_upper_lobe_left", 2: "lung_lower_lobe_left", 3: "liver", 4: "not_an_organ"}
    masks = masks_of_classes(labels, classes)
    assert set(masks) == {"left-lung", "liver"}
    assert masks["left-lung"].sum() == 2


@pytest.mark.reference
def test_the_small_real_ct_against_its_label_map() -> None:
    folder = reference_dir()
    if folder is None:
        pytest.skip("needs the reference folder (OMNIDOSE_REFERENCE_DIR)")
    import nibabel

    volumes = []
    for name in ("ts_example_ct_sm_3mm", "ts_example_seg_3mm"):
        image = nibabel.load(folder / "dicom" / f"{name}.nii.gz")
        array = np.ascontiguousarray(np.asarray(image.dataobj).transpose(2, 1, 0))
        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
        volumes.append(Volume(array=array, affine_lps_mm=affine).to_lps())
    ours = segment(volumes[0], sex="M")
    reference = volumes[1].array
    # TotalSegmentator's task total: 5 = liver, 10 and 11 = left lung, 12 to 14 = right lung.
    assert dice_coefficient(ours.mask("liver"), reference == 5) > 0.85
    assert dice_coefficient(ours.mask("left-lung"), (reference == 10) | (reference == 11)) > 0.9
    assert dice_coefficient(ours.mask("right-lung"), (reference >= 12) & (reference <= 14)) > 0.9
