"""What goes out: NIfTI, SEG and RT Dose of the source study; the one-sided marker through all of them."""

from __future__ import annotations

import os

import nibabel as nib
import numpy as np
import pydicom
import pytest

from omnidose.anatomy.body import Person
from omnidose.dicom.ct_series import read_ct_series
from omnidose.dicom.files import make_uid, whole_file
from omnidose.dicom.inventory import read_inventory
from omnidose.dicom.masks import MaskSet, read_masks
from omnidose.dicom.nifti import read_nifti, write_nifti
from omnidose.dicom.synthetic_ct import age_string, write_ct_series
from omnidose.dicom.writers import LABEL, read_rt_dose, write_rt_dose, write_seg
from omnidose.errors import InputError, OutputError
from omnidose.volume import Grid, Volume

#: The marker of the fixture in LPS mm: left, in front, near the head.
MARKER_MM = (-70.5 + 40 * 4.0, -30.0 + 10 * 3.0, 100.0 + 4 * 2.0)


def place_mm(volume, mask):
    k, j, i = np.argwhere(mask)[0]
    return (volume.affine_lps_mm @ (i, j, k, 1.0))[:3]


@pytest.fixture
def series(tmp_path, marker_hu, marker_grid):
    write_ct_series(tmp_path / "ct", marker_hu, marker_grid, person=Person(sex="F", age_y=40.0))
    return read_inventory(tmp_path / "ct").series[0]


@pytest.mark.parametrize("position", ["HFS", "FFS", "HFP", "FFP", "HFDL", "FFDR"])
def test_a_one_sided_marker_survives_every_format(tmp_path, marker_hu, marker_grid, position):
    write_ct_series(tmp_path / "ct", marker_hu, marker_grid, patient_position=position)
    (series,) = read_inventory(tmp_path / "ct").series
    ct = read_ct_series(series)
    marker = ct.volume.array == 1000
    assert marker.sum() == 1
    np.testing.assert_allclose(place_mm(ct.volume, marker), MARKER_MM)
    grid = ct.volume.grid

    write_nifti(tmp_path / "dose.nii.gz", Volume.on_grid(marker * 2.5, grid))
    image = nib.load(tmp_path / "dose.nii.gz")  # an independent reader: RAS millimetres
    index = np.argwhere(np.asarray(image.dataobj) == 2.5)[0]
    right_anterior = nib.affines.apply_affine(image.affine, index)
    np.testing.assert_allclose(right_anterior, np.multiply(MARKER_MM, (-1, -1, 1)), atol=1e-4)
    assert nib.aff2axcodes(image.affine) == ("L", "P", "S")

    labels = np.where(marker, 2, np.where(ct.volume.array == 40, 1, 0)).astype(np.uint8)
    masks = MaskSet(labels=labels, grid=grid, names={1: "body", 2: "marker"}, kind="SEG")
    write_seg(tmp_path / "seg.dcm", masks, series)
    back = read_masks(tmp_path / "seg.dcm", grid, frame_of_reference_uid=series.frame_of_reference_uid)
    np.testing.assert_array_equal(back.mask("marker"), marker)
    np.testing.assert_array_equal(back.mask("body"), labels == 1)

    write_rt_dose(tmp_path / "dose.dcm", Volume.on_grid(marker * 2.5 + 0.01, grid), series)
    dose = read_rt_dose(tmp_path / "dose.dcm")
    np.testing.assert_allclose(place_mm(dose, dose.array > 1), MARKER_MM)
    np.testing.assert_allclose(dose.array[marker], 2.51, rtol=1e-6)


def test_sitk_sees_the_marker_where_we_do(tmp_path, series, marker_grid):
    """SimpleITK (LPS) reads our RT Dose and NIfTI with its own code."""
    sitk = pytest.importorskip("SimpleITK")
    array = np.zeros(marker_grid.shape_zyx)
    array[4, 10, 40] = 2.5
    write_rt_dose(tmp_path / "d.dcm", Volume.on_grid(array, marker_grid), series)
    write_nifti(tmp_path / "d.nii.gz", Volume.on_grid(array, marker_grid))
    for name in ("d.dcm", "d.nii.gz"):
        image = sitk.ReadImage(str(tmp_path / name))
        pixels = sitk.GetArrayFromImage(image)
        k, j, i = (int(v) for v in np.unravel_index(np.argmax(pixels), pixels.shape))
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((i, j, k)), MARKER_MM, atol=1e-3)


def test_the_dose_object_cannot_be_taken_for_a_treatment(tmp_path, series, marker_grid):
    dose = Volume.on_grid(np.full(marker_grid.shape_zyx, 12.5), marker_grid)
    write_rt_dose(tmp_path / "d.dcm", dose, series, comment="seed 1")
    dataset = pydicom.dcmread(tmp_path / "d.dcm")
    assert dataset.SeriesDescription == LABEL == "IMAGING DOSE - NOT FOR TREATMENT"
    assert dataset.DoseComment.startswith(LABEL)
    assert dataset.ImageComments.startswith(LABEL)
    assert dataset.ImageComments.endswith("seed 1")
    assert "ReferencedRTPlanSequence" not in dataset
    assert "ReferencedStructureSetSequence" not in dataset
    treatment_terms = {
        "PLAN",
        "MULTI_PLAN",
        "PLAN_OVERVIEW",
        "FRACTION",
        "BEAM",
        "BRACHY",
        "CONTROL_POINT",
        "RECORD",
    }
    assert dataset.DoseSummationType not in treatment_terms
    assert (dataset.DoseUnits, dataset.Modality) == ("GY", "RTDOSE")
    assert float(dataset.pixel_array[0, 0, 0]) * float(dataset.DoseGridScaling) == pytest.approx(0.0125)
    assert dataset.StudyInstanceUID == series.study_uid
    assert dataset.FrameOfReferenceUID == series.frame_of_reference_uid
    assert dataset.SeriesInstanceUID != series.series_uid
    assert dataset.PatientID == series.header.PatientID


def test_a_relative_dose_is_written_as_relative(tmp_path, series, marker_grid):
    array = np.random.default_rng(1).random(marker_grid.shape_zyx)
    array[0, 0, 0] = np.nan
    write_rt_dose(
        tmp_path / "d.dcm", Volume.on_grid(array, marker_grid), series, relative_to="mGy CTDIvol (32 cm)"
    )
    dataset = pydicom.dcmread(tmp_path / "d.dcm")
    assert dataset.DoseUnits == "RELATIVE"
    assert "mGy per mGy CTDIvol (32 cm)" in dataset.DoseComment
    np.testing.assert_allclose(read_rt_dose(tmp_path / "d.dcm").array, np.nan_to_num(array), atol=1e-9)


def test_an_empty_dose_can_be_written(tmp_path, series, marker_grid):
    write_rt_dose(tmp_path / "d.dcm", Volume.on_grid(np.zeros(marker_grid.shape_zyx), marker_grid), series)
    assert read_rt_dose(tmp_path / "d.dcm").array.max() == 0


def test_a_ct_is_no_dose(series):
    with pytest.raises(InputError, match="no RT Dose"):
        read_rt_dose(series.instances[0].path)


def test_headers_without_uids_still_give_valid_objects(tmp_path, marker_hu, marker_grid):
    for path in write_ct_series(tmp_path / "ct", marker_hu, marker_grid):
        dataset = pydicom.dcmread(path)
        for keyword in (
            "SeriesInstanceUID",
            "StudyInstanceUID",
            "SOPInstanceUID",
            "FrameOfReferenceUID",
            "SOPClassUID",
        ):
            setattr(dataset, keyword, "")
        dataset.save_as(path)
    (series,) = read_inventory(tmp_path / "ct").series
    assert len(series.instances) == 6
    labels = np.ones(marker_grid.shape_zyx, dtype=np.uint8)
    masks = MaskSet(labels=labels, grid=marker_grid, names={1: "body"}, kind="SEG")
    write_seg(tmp_path / "seg.dcm", masks, series)
    write_rt_dose(tmp_path / "d.dcm", Volume.on_grid(labels.astype(float), marker_grid), series)
    frames = {pydicom.dcmread(tmp_path / n).FrameOfReferenceUID for n in ("seg.dcm", "d.dcm")}
    assert len(frames) == 1
    assert frames != {""}


def test_no_organ_is_said(tmp_path, series, marker_grid):
    empty = MaskSet(
        labels=np.zeros(marker_grid.shape_zyx, dtype=np.uint8), grid=marker_grid, names={1: "x"}, kind="SEG"
    )
    with pytest.raises(InputError, match="no organ"):
        write_seg(tmp_path / "seg.dcm", empty, series)


def test_a_failed_write_leaves_nothing_and_keeps_the_old_file(tmp_path):
    target = tmp_path / "dose.nii.gz"
    target.write_bytes(b"old")

    def write_and_fail():
        with whole_file(target) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_fail()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["dose.nii.gz"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    grid = Grid.centred((2, 2, 2), (1.0, 1.0, 1.0))
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"cannot be written.*file/dose\.nii"):
        write_nifti(tmp_path / "file" / "dose.nii", Volume.on_grid(np.zeros((2, 2, 2)), grid))


def test_nifti_keeps_values_types_and_place(tmp_path, marker_grid):
    array = np.random.default_rng(2).random(marker_grid.shape_zyx)
    volume = Volume.on_grid(array, marker_grid)
    write_nifti(tmp_path / "v.nii.gz", volume, description="absorbed dose, mGy")
    back, names = read_nifti(tmp_path / "v.nii.gz")
    assert names == {}
    assert back.array.dtype == np.float32
    np.testing.assert_allclose(back.array, array, rtol=1e-6)
    assert back.to_lps().grid.origin_mm == pytest.approx(marker_grid.origin_mm, abs=1e-4)


def test_uids_are_valid_and_repeatable():
    assert make_uid("a", "b") == make_uid("a", "b") != make_uid("ab")
    for uid in (make_uid(), make_uid("x")):
        assert pydicom.uid.UID(uid).is_valid


@pytest.mark.parametrize(("age_y", "text"), [(43.9, "043Y"), (0.5, "006M"), (0.01, "003D")])
def test_ages_are_written_as_dicom_does(age_y, text):
    assert age_string(age_y) == text
