from __future__ import annotations

import zipfile

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from omnidose.dicom.inventory import read_inventory
from omnidose.dicom.masks import read_masks
from omnidose.dicom.nifti import read_nifti, write_nifti
from omnidose.dicom.resampling import resample_labels
from omnidose.dicom.rtstruct import RoiContours, fill, read_contours
from omnidose.dicom.synthetic_ct import write_ct_series
from omnidose.dicom.writers import write_seg
from omnidose.errors import GeometryError, InputError
from omnidose.validation import reference_dir
from omnidose.volume import Grid, Volume


@pytest.fixture(scope="module")
def labels(marker_grid):
    out = np.zeros(marker_grid.shape_zyx, dtype=np.uint8)
    out[1:5, 8:30, 8:25] = 3
    out[2:4, 12:20, 30:44] = 7
    return out


NAMES = {3: "liver", 7: "spleen"}


def circle(x, y, radius, n=400):
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)


# --- NIfTI --------------------------------------------------------------------------------------------


def test_a_label_map_with_names(tmp_path, labels, marker_grid):
    write_nifti(tmp_path / "seg.nii.gz", Volume.on_grid(labels, marker_grid))
    masks = read_masks(tmp_path / "seg.nii.gz", marker_grid, label_names=NAMES)
    assert masks.kind == "NIfTI"
    for value, name in NAMES.items():
        np.testing.assert_array_equal(masks.mask(name), labels == value)
    assert masks.labels.dtype == np.uint8
    assert not masks.warnings


def test_a_label_map_without_names_is_refused(tmp_path, labels, marker_grid):
    write_nifti(tmp_path / "seg.nii.gz", Volume.on_grid(labels, marker_grid))
    with pytest.raises(InputError, match=r"labels without a name \(3, 7\)"):
        read_masks(tmp_path / "seg.nii.gz", marker_grid)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_of_masks_named_by_organ(tmp_path, labels, marker_grid, zipped):
    folder = tmp_path / "masks"
    folder.mkdir()
    for value, name in NAMES.items():
        write_nifti(folder / f"{name}.nii.gz", Volume.on_grid(labels == value, marker_grid))
    ct = np.where(labels > 0, 40.5, -1000.0).astype(np.float32)
    write_nifti(folder / "ct.nii.gz", Volume.on_grid(ct, marker_grid))
    path = folder
    if zipped:
        path = tmp_path / "masks.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, f"segmentations/{file.name}")
    masks = read_masks(path, marker_grid)
    assert set(masks.names.values()) == {"liver", "spleen"}
    np.testing.assert_array_equal(masks.mask("spleen"), labels == 7)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    permutation=st.permutations([0, 1, 2]),
    signs=st.tuples(*[st.sampled_from([1.0, -1.0])] * 3),
    spacing=st.tuples(*[st.floats(0.5, 5.0)] * 3),
    origin=st.tuples(*[st.floats(-300.0, 300.0)] * 3),
)
def test_any_orientation_survives_nifti(tmp_path_factory, permutation, signs, spacing, origin):
    array = np.zeros((3, 4, 5), dtype=np.uint8)
    array[2, 1, 4] = 9
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3)[list(permutation)] * np.array(signs)[:, None]).T * np.array(spacing)
    affine[:3, 3] = origin
    volume = Volume(array=array, affine_lps_mm=affine)
    path = tmp_path_factory.mktemp("nifti") / "v.nii"
    write_nifti(path, volume)
    back, _ = read_nifti(path)
    np.testing.assert_array_equal(back.array, array)
    np.testing.assert_allclose(back.affine_lps_mm, affine, atol=1e-3)
    there, here = (np.argwhere(v.to_lps().array == 9)[0] for v in (volume, back))
    np.testing.assert_array_equal(there, here)


def test_a_damaged_nifti_is_refused(tmp_path, labels, marker_grid):
    write_nifti(tmp_path / "seg.nii.gz", Volume.on_grid(labels, marker_grid))
    raw = (tmp_path / "seg.nii.gz").read_bytes()
    (tmp_path / "seg.nii.gz").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(InputError, match="damaged"):
        read_masks(tmp_path / "seg.nii.gz", marker_grid)


def test_masks_that_touch_nothing_are_refused(tmp_path, labels, marker_grid):
    far = Grid(
        shape_zyx=marker_grid.shape_zyx, spacing_mm=marker_grid.spacing_mm, origin_mm=(900.0, 0.0, 0.0)
    )
    write_nifti(tmp_path / "seg.nii.gz", Volume.on_grid(labels, far))
    with pytest.raises(GeometryError, match="no mask touches the images"):
        read_masks(tmp_path / "seg.nii.gz", marker_grid, label_names=NAMES)


def test_an_organ_cut_by_the_images_is_said(tmp_path, labels, marker_grid):
    write_nifti(tmp_path / "seg.nii.gz", Volume.on_grid(labels, marker_grid))
    half = Grid(shape_zyx=(3, 40, 50), spacing_mm=marker_grid.spacing_mm, origin_mm=marker_grid.origin_mm)
    masks = read_masks(tmp_path / "seg.nii.gz", half, label_names=NAMES)
    assert "Mask 'liver' lies outside the images with 50 % of its volume." in masks.warnings


def test_a_mask_that_others_cover_wholly_is_said(tmp_path, labels, marker_grid):
    for name, value in (("liver", 3), ("lesion-1", 7), ("lesion-2", 7)):
        mask = Volume.on_grid((labels == value).astype(np.uint8), marker_grid)
        write_nifti(tmp_path / f"{name}.nii.gz", mask)
    masks = read_masks(tmp_path, marker_grid)
    assert masks.mask("liver").any()
    gone = [name for name in ("lesion-1", "lesion-2") if not masks.mask(name).any()]
    assert masks.warnings == (f"Mask '{gone[0]}' lies wholly under others: nothing of it is left.",)


def test_no_masks_and_masks_of_two_kinds_are_refused(tmp_path, labels, marker_grid, marker_hu):
    with pytest.raises(InputError, match="no masks were found"):
        read_masks(tmp_path, marker_grid)
    write_ct_series(tmp_path / "ct", marker_hu, marker_grid)
    (series,) = read_inventory(tmp_path / "ct").series
    write_nifti(tmp_path / "seg.nii.gz", Volume.on_grid(labels, marker_grid))
    masks = read_masks(tmp_path / "seg.nii.gz", marker_grid, label_names=NAMES)
    write_seg(tmp_path / "seg.dcm", masks, series)
    with pytest.raises(InputError, match="several kinds"):
        read_masks(tmp_path, marker_grid, label_names=NAMES)


# --- resampling ---------------------------------------------------------------------------------------


def test_nearest_and_majority_on_a_coarser_grid():
    fine = np.zeros((4, 4, 4), dtype=np.uint8)
    fine[:, :, :2] = 1
    fine[0, 0, 2] = 2
    fine[2:, 2:, 2:] = 3
    fine[2, 2, 2] = 0
    source = Volume.on_grid(fine, Grid(shape_zyx=(4, 4, 4), spacing_mm=(1, 1, 1), origin_mm=(0.5, 0.5, 0.5)))
    coarse = Grid(shape_zyx=(2, 2, 2), spacing_mm=(2, 2, 2), origin_mm=(1.0, 1.0, 1.0))
    majority = resample_labels(source, coarse, "majority")
    np.testing.assert_array_equal(majority[:, :, 0], 1)
    assert (majority[0, 0, 1], majority[1, 1, 1], majority[0, 1, 1]) == (0, 3, 0)


def test_an_oblique_map_is_sampled_where_it_lies():
    turn = np.radians(30)
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    array = np.zeros((5, 41, 41), dtype=np.uint8)
    array[:, 10:21, 20:41] = 1  # index i from 20: +x half; j 10..20
    affine = np.eye(4)
    affine[:3, :3] = rotation
    affine[:3, 3] = -rotation @ np.array([20.0, 20.0, 2.0])
    grid = Grid.centred((5, 61, 61), (1.0, 1.0, 1.0))
    out = resample_labels(Volume(array=array, affine_lps_mm=affine), grid)
    y, x = np.meshgrid(grid.axis_mm(1), grid.axis_mm(0), indexing="ij")
    u, v = np.cos(turn) * x + np.sin(turn) * y, -np.sin(turn) * x + np.cos(turn) * y
    inside = (u > -0.45) & (u < 20.45) & (v > -10.45) & (v < 0.45)
    assert (out[2][inside] == 1).all()
    assert int(out[2].sum()) == pytest.approx(21 * 11, rel=0.05)


# --- RTSTRUCT -----------------------------------------------------------------------------------------


def structure_set(path, rois, frame="1.2.3"):
    """Write a minimal RT Structure Set: name -> list of (geometric type, [n, 3] points)."""
    dataset = Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    dataset.Modality = "RTSTRUCT"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.PatientID = "1.2", "1.3", "x"
    dataset.StructureSetROISequence, dataset.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(rois.items(), start=1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, frame
        drawn.ReferencedROINumber, drawn.ContourSequence = number, []
        for kind, points in contours:
            item = Dataset()
            item.ContourGeometricType, item.NumberOfContourPoints = kind, len(points)
            item.ContourData = [f"{v:.5f}" for v in np.asarray(points).ravel()]
            drawn.ContourSequence.append(item)
        dataset.StructureSetROISequence.append(roi)
        dataset.ROIContourSequence.append(drawn)
    dataset.save_as(path, enforce_file_format=True)


def planes(contours, zs, kind="CLOSED_PLANAR"):
    return [(kind, np.c_[c, np.full(len(c), z)]) for z in zs for c in contours]


GRID = Grid.centred((20, 100, 120), (1.0, 1.0, 2.0))


def test_a_ring_has_its_hole_and_its_volume(tmp_path):
    zs = GRID.axis_mm(2)[4:14]
    structure_set(tmp_path / "rs", {"ring": planes([circle(5, -8, 30), circle(5, -8, 12)], zs)})
    masks = read_masks(tmp_path / "rs", GRID, frame_of_reference_uid="1.2.3", method="majority")
    mask = masks.mask("ring")
    assert mask.any(axis=(1, 2)).nonzero()[0].tolist() == list(range(4, 14))
    assert not mask[8, 42, 64]  # centre of the hole: x 4.5, y -7.5
    expected = np.pi * (30**2 - 12**2) * 10 * 2
    assert mask.sum() * 2.0 == pytest.approx(expected, rel=0.01)
    (roi,) = read_contours(tmp_path / "rs")
    assert roi.volume_mm3() == pytest.approx(expected, rel=1e-3)


def test_keyholes_and_xor_contours_give_the_same_mask():
    outer, inner = circle(0, 0, 30), circle(0, 0, 10)
    keyhole = np.vstack([outer, outer[:1], inner[:1], inner[::-1]])
    np.testing.assert_array_equal(fill([keyhole], GRID), fill([outer, inner], GRID))


def winding_inside(polygon, x, y):
    """Return whether points lie inside a convex polygon (surely, perhaps), from its sides."""
    edges = np.roll(polygon, -1, axis=0) - polygon
    sides = [e[0] * (y - p[1]) - e[1] * (x - p[0]) for p, e in zip(polygon, edges, strict=True)]
    return np.all(np.array(sides) > 1e-9, axis=0), np.all(np.array(sides) > -1e-9, axis=0)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(x=st.floats(-20, 20), y=st.floats(-15, 15), radius=st.floats(3, 25), n=st.integers(3, 60))
def test_scan_conversion_agrees_with_the_sides_of_a_convex_polygon(x, y, radius, n):
    polygon = circle(x, y, radius, n)
    yy, xx = np.meshgrid(GRID.axis_mm(1), GRID.axis_mm(0), indexing="ij")
    surely, perhaps = winding_inside(polygon, xx, yy)
    mask = fill([polygon], GRID)
    assert (mask[surely]).all()
    assert not mask[~perhaps].any()


def test_points_open_and_slanted_contours(tmp_path):
    ring = circle(0, 0, 20)
    structure_set(
        tmp_path / "rs",
        {
            "body": planes([ring], [0.0, 2.0]),
            "point": [("POINT", [[0, 0, 0]])],
            "line": planes([ring], [0.0], kind="OPEN_PLANAR"),
        },
    )
    assert [r.name for r in read_contours(tmp_path / "rs")] == ["body"]
    slanted = np.c_[ring, ring[:, 0] * 0.3]
    structure_set(tmp_path / "slanted", {"body": [("CLOSED_PLANAR", slanted)]})
    with pytest.raises(GeometryError, match="do not lie in axial planes"):
        read_contours(tmp_path / "slanted")


def test_small_structures_inside_large_ones_stay(tmp_path):
    zs = GRID.axis_mm(2)
    structure_set(
        tmp_path / "rs", {"heart": planes([circle(0, 0, 8)], zs[5:9]), "BODY": planes([circle(0, 0, 40)], zs)}
    )
    masks = read_masks(tmp_path / "rs", GRID, frame_of_reference_uid="1.2.3")
    assert masks.mask("heart").sum() == pytest.approx(np.pi * 64 * 4, rel=0.05)
    assert not masks.warnings


def test_structures_of_another_frame_of_reference_are_refused(tmp_path):
    structure_set(tmp_path / "rs", {"BODY": planes([circle(0, 0, 40)], GRID.axis_mm(2))})
    with pytest.raises(GeometryError, match="another frame of reference"):
        read_masks(tmp_path / "rs", GRID, frame_of_reference_uid="9.9.9")


def test_a_gap_between_planes_stays_empty():
    roi = RoiContours("two", "", {z: [circle(0, 0, 10)] for z in (-15.0, -13.0, -11.0, 11.0, 13.0)})
    filled = roi.to_mask(GRID).any(axis=(1, 2))
    assert [float(z) for z, f in zip(GRID.axis_mm(2), filled, strict=True) if f] == [-15, -13, -11, 11, 13]


# --- SEG ----------------------------------------------------------------------------------------------


def test_seg_of_another_frame_of_reference_is_refused(tmp_path, labels, marker_grid, marker_hu):
    write_ct_series(tmp_path / "ct", marker_hu, marker_grid)
    (series,) = read_inventory(tmp_path / "ct").series
    write_nifti(tmp_path / "seg.nii.gz", Volume.on_grid(labels, marker_grid))
    masks = read_masks(tmp_path / "seg.nii.gz", marker_grid, label_names=NAMES)
    write_seg(tmp_path / "seg.dcm", masks, series, codes={"liver": ("10200004", "SCT", "Liver")})
    back = read_masks(tmp_path / "seg.dcm", marker_grid, frame_of_reference_uid=series.frame_of_reference_uid)
    np.testing.assert_array_equal(back.mask("liver"), labels == 3)
    np.testing.assert_array_equal(back.mask("spleen"), labels == 7)
    segments = pydicom.dcmread(tmp_path / "seg.dcm").SegmentSequence
    types = {s.SegmentLabel: s.SegmentedPropertyTypeCodeSequence[0].CodeValue for s in segments}
    assert types == {"liver": "10200004", "spleen": "113343008"}
    with pytest.raises(GeometryError, match="another frame of reference"):
        read_masks(tmp_path / "seg.dcm", marker_grid, frame_of_reference_uid="9.9.9")


def test_a_truncated_seg_is_refused(tmp_path, labels, marker_grid, marker_hu):
    write_ct_series(tmp_path / "ct", marker_hu, marker_grid)
    (series,) = read_inventory(tmp_path / "ct").series
    write_nifti(tmp_path / "seg.nii.gz", Volume.on_grid(labels, marker_grid))
    masks = read_masks(tmp_path / "seg.nii.gz", marker_grid, label_names=NAMES)
    write_seg(tmp_path / "seg.dcm", masks, series)
    raw = (tmp_path / "seg.dcm").read_bytes()
    (tmp_path / "seg.dcm").write_bytes(raw[:-300])
    with pytest.raises(InputError, match="segmentation cannot be read"):
        read_masks(tmp_path / "seg.dcm", marker_grid)


# --- real masks ---------------------------------------------------------------------------------------


@pytest.mark.reference
def test_the_breast_structures_keep_their_volumes(reference_dicom):
    inventory = read_inventory(reference_dicom("rt_breast_dicompyler"))
    grid = Grid(shape_zyx=(110, 96, 114), spacing_mm=(5.0, 5.0, 3.0), origin_mm=(-280.0, -540.0, -140.0))
    frame = next(s.frame_of_reference_uid for s in inventory.series if s.modality == "CT")
    masks = read_masks(inventory, grid, frame_of_reference_uid=frame, method="majority")
    (structures,) = [s for s in inventory.series if s.modality == "RTSTRUCT"]
    own = {r.name: r.volume_mm3() / 1000 for r in read_contours(structures.instances[0].path)}
    heart = np.count_nonzero(masks.mask("Heart")) * grid.voxel_volume_cm3
    assert heart == pytest.approx(own["Heart"], rel=0.03)
    assert own["BODY"] == pytest.approx(14880, rel=0.01)


@pytest.mark.reference
def test_the_totalsegmentator_map_names_itself():
    root = reference_dir()
    if root is None or not (root / "dicom" / "ts_example_seg_3mm.nii.gz").exists():
        pytest.skip("needs the folder of published reference files")
    image, _ = read_nifti(root / "dicom" / "ts_example_ct_sm_3mm.nii.gz")
    grid = image.to_lps().grid
    masks = read_masks(root / "dicom" / "ts_example_seg_3mm.nii.gz", grid)
    hu = image.to_lps().array
    stored, _ = read_nifti(root / "dicom" / "ts_example_seg_3mm.nii.gz")
    assert len(masks.names) == len(np.unique(stored.array)) - 1 == 41
    liver, right = masks.mask("liver"), np.argwhere(masks.mask("kidney_right"))
    assert 0 < np.median(hu[liver]) < 200
    left = np.argwhere(masks.mask("kidney_left"))
    assert left[:, 2].mean() > right[:, 2].mean()  # LPS: the left kidney has the larger x
