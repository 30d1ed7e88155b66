"""Built-in segmentation on synthetic bodies (truth known) and, where it is there, the small real CT."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from omnidose.anatomy.body import BodyModel, Origin
from omnidose.anatomy.segmentation import Segmentation, dice_coefficient, segment
from omnidose.anatomy.segmentation.classical import find_body, find_bone, find_limbs
from omnidose.anatomy.segmentation.grids import enlarge, factors_for, reduce_labels, reduce_mean, reduced_grid
from omnidose.anatomy.segmentation.location import class_image, locate
from omnidose.anatomy.segmentation.placement import best_shift, moved, piece_for, pieces_apart
from omnidose.anatomy.segmentation.segment import HOLLOW
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
    pad = 6
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
def atlas() -> BodyModel:
    """A coarse phantom to fit: quicker to make than the default one."""
    return make_phantom("M", voxel_mm=8.0, arms="up", ct_like=True)


def scaled(body: BodyModel) -> BodyModel:
    """Return a body 6 % wider and 3 % taller."""
    (dx, dy, dz), (x, y, z) = body.grid.spacing_mm, body.grid.origin_mm
    spacing, origin = (1.06 * dx, 1.06 * dy, 1.03 * dz), (1.06 * x, 1.06 * y, 1.03 * z)
    return replace(body, grid=replace(body.grid, spacing_mm=spacing, origin_mm=origin))


@pytest.fixture(scope="module")
def chest(atlas: BodyModel) -> tuple[Volume, BodyModel, Segmentation]:
    ct, truth = scan(scaled(atlas), 310, 750)
    return ct, truth, segment(ct, sex="M", atlas=atlas)  # the atlas is of another size


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


def test_a_head_gets_its_brain_and_no_trunk_organs(atlas: BodyModel) -> None:
    ct, truth = scan(atlas, 690, 870, couch=False)
    ours = segment(ct, sex="M", height_cm=175)  # with the default atlas
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


def test_the_place_of_a_pelvis_scan_is_below_the_lungs(atlas: BodyModel) -> None:
    body = atlas
    z = body.grid.axis_mm(2)
    part = (z > 150) & (z < 520)
    classes = class_image(body.labels, body)
    grid = replace(body.grid, shape_zyx=classes[part].shape, origin_mm=(0.0, 0.0, 1000.0))
    found = locate(classes[part], grid, classes, body.grid)
    assert (1000 - found.offset_mm) / found.scale == pytest.approx(z[part][0], abs=30)


def disc(nz: int, n: int, radius: float, centre: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Return a cylinder along z on an n x n grid; centre (y, x) against the middle, voxels."""
    y, x = np.ogrid[:n, :n]
    middle = (n - 1) / 2
    inside = (y - middle - centre[0]) ** 2 + (x - middle - centre[1]) ** 2 <= radius**2
    return np.broadcast_to(inside, (nz, n, n)).copy()


def test_arms_beside_the_trunk_are_limbs_and_legs_are_not() -> None:
    grid = Grid.centred((4, 100, 100), (4.0, 4.0, 4.0))
    trunk, arm = disc(4, 100, 28), disc(4, 100, 8, (0, 41))  # 5 voxels of gap
    limbs = find_limbs(trunk | arm, grid)
    assert np.array_equal(limbs, arm)
    touching = trunk | arm
    touching[:, 48:52, 75:85] = True  # a bridge of 16 mm
    assert 0.9 < find_limbs(touching, grid).sum() / arm.sum() < 1.1
    assert not find_limbs(disc(4, 100, 15, (0, 20)) | disc(4, 100, 15, (0, -20)), grid).any()


def test_marrow_is_filled_and_the_spinal_canal_is_not() -> None:
    grid = Grid.centred((5, 100, 100), (3.0, 3.0, 3.0))
    hu = np.where(disc(5, 100, 48), 40.0, -1000.0).astype(np.float32)
    for centre in ((20, 0), (0, 25)):  # a vertebra with its canal, a long bone with its cavity
        hu[disc(5, 100, 7, centre)] = 800
    hu[disc(5, 100, 3, (20, 0))] = 30
    hu[disc(5, 100, 4, (0, 25))] = -80
    bone = find_bone(hu, disc(5, 100, 48), grid)
    assert bone[disc(5, 100, 4, (0, 25))].all()
    assert not bone[disc(5, 100, 2, (20, 0))].any()


def test_organs_move_by_whole_voxels_and_come_in_from_beyond() -> None:
    labels = np.zeros((8, 5, 5), np.uint8)
    labels[1, 2, 2] = 3  # in the margin of two layers
    labels[4, 1, 1] = 4
    found = moved(labels, (3,), (2, 1, -1), 2)
    assert found.shape == (4, 5, 5)
    assert np.argwhere(found).tolist() == [[1, 3, 1]]
    assert not moved(labels, (4,), (99, 0, 0), 2).any()


def test_a_bladder_is_searched_where_its_outline_fits() -> None:
    grid = Grid.centred((40, 40, 40), (4.0, 4.0, 4.0))
    z, y, x = np.ogrid[:40, :40, :40]
    ball = ((z - 20) ** 2 + (y - 20) ** 2 + (x - 20) ** 2) <= 49
    hu = np.full(grid.shape_zyx, -100, np.float32)
    hu[np.roll(ball, (4, -3, 2), (0, 1, 2))] = 20
    soft = np.ones(grid.shape_zyx, np.bool_)
    assert best_shift(hu, soft, ball, (0, 0, 0), 30.0, grid) == (4, -3, 2)


def test_a_kidney_in_fat_is_the_piece_nearest_to_its_place() -> None:
    grid = Grid.centred((50, 60, 60), (4.0, 4.0, 4.0))
    z, y, x = np.ogrid[:50, :60, :60]

    def ball(cz: int, cy: int, cx: int, r: int) -> np.ndarray:
        return np.asarray((z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 <= r * r)

    kidney, spleen = ball(20, 40, 40, 8), ball(30, 36, 22, 9)
    hu = np.where(kidney | spleen, 35.0, -100.0).astype(np.float32)
    hu[ball(20, 52, 40, 3)] = 35  # a vessel: too small
    soft = np.ones(grid.shape_zyx, np.bool_)
    pieces = pieces_apart(hu, soft, grid, 5.0)
    found = piece_for("left-kidney", ball(23, 44, 42, 8), pieces, grid)
    assert found is not None
    assert dice_coefficient(found, kidney) > 0.8
    assert not (found & spleen).any()
    assert piece_for("left-kidney", ball(5, 10, 10, 4), pieces, grid) is None


def test_a_scan_of_one_slice_is_segmented(
    chest: tuple[Volume, BodyModel, Segmentation], atlas: BodyModel
) -> None:
    ct, truth, _ours = chest
    part = slice(30, 31)
    volume = Volume(array=ct.array[part], affine_lps_mm=ct.affine_lps_mm)
    ours = segment(volume, atlas=atlas)
    assert ours.labels.shape == volume.array.shape
    lungs = ours.mask("left-lung") | ours.mask("right-lung")
    assert dice_coefficient(lungs, (truth.mask("left-lung") | truth.mask("right-lung"))[part]) > 0.8


def test_contrast_medium_metal_and_gas(
    chest: tuple[Volume, BodyModel, Segmentation], atlas: BodyModel
) -> None:
    ct, truth, plain = chest
    array = ct.array.copy()
    array[truth.mask("heart-contents")] = 280
    tissue = array[36:38] > -300
    array[36:38, 20][tissue[:, 20]] = 600  # a streak
    array[36:38, 19:21, 28:30] = 3071
    z, y, x = np.argwhere(truth.mask("stomach-contents")).mean(axis=0).astype(int)
    bubble = (slice(z - 1, z + 2), slice(y - 2, y + 2), slice(x - 2, x + 2))
    array[bubble] = -1000
    ours = segment(replace(ct, array=array), atlas=atlas)
    found = (ct, truth, ours)
    assert dice(found, "heart", "heart-contents") > 0.7
    assert dice(found, "left-lung") > 0.9
    assert ours.bone.sum() < 1.15 * plain.bone.sum()
    key_of = {organ.label: organ.key for organ in ours.organs}
    assert {key_of[int(v)] for v in np.unique(ours.labels[z, y - 1 : y + 1, x - 1 : x + 1])} <= set(HOLLOW)


def test_legs_alone_get_bones_of_legs_only(atlas: BodyModel) -> None:
    ct, truth = scan(atlas, -620, -250)
    ours = segment(ct, atlas=atlas)
    keys = {organ.key for organ in ours.organs}
    assert keys <= {"femora-upper", "femora-lower", "lower-leg-bones", "foot-bones", "soft-tissue"}
    assert dice_coefficient(ours.mask("lower-leg-bones"), truth.mask("lower-leg-bones")) > 0.8


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


def fake_totalsegmentator(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    """Put modules with TotalSegmentator's names in place; ``answer`` gets the image and the options."""
    for name in ("totalsegmentator", "totalsegmentator.map_to_binary", "totalsegmentator.python_api"):
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, module)
    classes = {"total": {1: "liver", 2: "kidney_left"}}
    monkeypatch.setattr(sys.modules["totalsegmentator.map_to_binary"], "class_map", classes, raising=False)
    monkeypatch.setattr(sys.modules["totalsegmentator.python_api"], "totalsegmentator", answer, raising=False)


def test_totalsegmentator_gets_the_ct_and_its_masks_come_back_in_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import nibabel

    asked: list[dict[str, Any]] = []

    def answer(image: Any, output: Any, **options: Any) -> Any:
        asked.append(options)
        data = np.asarray(image.dataobj)
        assert output is None
        found = np.where(data == 60, 1, np.where(data == 30, 2, 0)).astype(np.uint8)
        return nibabel.Nifti1Image(found, image.affine)

    fake_totalsegmentator(monkeypatch, answer)
    array = np.zeros((3, 4, 5), np.int16)
    array[1, 2, 3], array[2, 0, 1] = 30, 60
    grid = Grid(shape_zyx=array.shape, spacing_mm=(1.0, 2.0, 3.0), origin_mm=(5.0, 6.0, 7.0))
    masks = segment_with_totalsegmentator(Volume.on_grid(array, grid), fast=True)
    assert set(masks) == {"left-kidney", "liver"}
    assert np.argwhere(masks["left-kidney"]).tolist() == [[1, 2, 3]]
    assert np.argwhere(masks["liver"]).tolist() == [[2, 0, 1]]
    assert asked == [{"task": "total", "fast": True, "ml": True, "quiet": True}]


def test_missing_weights_are_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_args: Any, **_options: Any) -> Any:
        raise OSError("no route to host")

    fake_totalsegmentator(monkeypatch, answer)
    ct = Volume.on_grid(np.zeros((2, 2, 2), np.int16), Grid.centred((2, 2, 2), (1.0, 1.0, 1.0)))
    with pytest.raises(DependencyError, match="totalseg_download_weights"):
        segment_with_totalsegmentator(ct)


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
