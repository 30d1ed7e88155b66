from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnidose.dicom.ct_geometry import Stack, straighten
from omnidose.dicom.ct_reconstructions import kernel_sharpness
from omnidose.dicom.ct_series import (
    choose_reconstructions,
    is_ct_image,
    is_dose_screen,
    is_localizer,
    read_ct_series,
    reduce_volume,
    split_series,
)
from omnidose.dicom.headers import header_value
from omnidose.dicom.inventory import read_inventory
from omnidose.dicom.synthetic_ct import ORIENTATIONS, CtTechnique, SyntheticStudy, write_ct_series
from omnidose.errors import DicomError
from omnidose.volume import Grid


def change(path, **values):
    dataset = pydicom.dcmread(path)
    for keyword, value in values.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path)


def read(folder, **options):
    (series,) = read_inventory(folder).series
    return read_ct_series(series, **options)


@pytest.mark.parametrize("position", ORIENTATIONS)
def test_every_patient_position_comes_back_in_lps(tmp_path, marker_hu, marker_grid, position):
    technique = CtTechnique(tube_current_ma=[100 + 10 * k for k in range(6)], ctdivol_mgy=7.5, pitch=0.8)
    write_ct_series(tmp_path, marker_hu, marker_grid, technique=technique, patient_position=position)
    ct = read(tmp_path)
    assert ct.volume.grid == marker_grid
    np.testing.assert_array_equal(ct.volume.array, marker_hu)
    assert [s.tube_current_ma for s in ct.slices] == [100, 110, 120, 130, 140, 150]
    np.testing.assert_allclose([s.z_mm for s in ct.slices], marker_grid.axis_mm(2))
    assert {(s.ctdivol_mgy, s.ctdi_phantom, s.pitch, s.kvp_kv) for s in ct.slices} == {
        (7.5, "32", 0.8, 120.0)
    }
    assert ct.patient_position == position
    assert ct.imaged_mask().all()
    assert not ct.warnings


def test_in_plane_reduction_averages(tmp_path, marker_hu, marker_grid):
    write_ct_series(tmp_path, marker_hu, marker_grid)
    ct = read(tmp_path, in_plane_reduction=2)
    blocks = marker_hu.reshape(6, 20, 2, 25, 2).mean(axis=(2, 4))
    assert np.abs(ct.volume.array - blocks).max() <= 0.5
    assert ct.volume.spacing_mm == pytest.approx((8.0, 6.0, 2.0))
    assert ct.volume.grid.lower_mm == pytest.approx(marker_grid.lower_mm)


def test_an_odd_matrix_is_reduced_with_its_last_pixels(tmp_path, marker_hu, marker_grid):
    write_ct_series(tmp_path, marker_hu, marker_grid)
    ct = read(tmp_path, in_plane_reduction=3)
    assert ct.volume.array.shape == (6, 14, 17)
    np.testing.assert_allclose(ct.volume.array[:, -1, -1], -1000)


def test_target_spacing_reduces_along_z_too(tmp_path, marker_hu, marker_grid):
    write_ct_series(tmp_path, marker_hu, marker_grid)
    ct = read(tmp_path, target_spacing_mm=8.0)
    assert ct.volume.spacing_mm == pytest.approx((8.0, 6.0, 8.0))
    assert ct.volume.array.shape == (2, 20, 25)
    assert len(ct.slices) == 6
    whole = read(tmp_path)
    np.testing.assert_allclose(reduce_volume(whole.volume, (4, 2, 2)).array, ct.volume.array, atol=1)


def test_max_voxels_bounds_the_stack(tmp_path, marker_hu, marker_grid):
    write_ct_series(tmp_path, marker_hu, marker_grid)
    assert read(tmp_path, max_voxels=3000).volume.array.size <= 3600


def test_missing_slices_are_interpolated_and_said(tmp_path, marker_grid):
    grid = Grid(shape_zyx=(12, 40, 50), spacing_mm=(4.0, 3.0, 2.0), origin_mm=(0.0, 0.0, 0.0))
    hu = np.full(grid.shape_zyx, -1000, dtype=np.int16)
    hu[:, 10:30, 10:40] = np.arange(12)[:, None, None] * 10
    paths = write_ct_series(tmp_path, hu, grid)
    paths[4].unlink()
    ct = read(tmp_path)
    assert ct.volume.grid == grid
    np.testing.assert_allclose(ct.volume.array, hu, atol=1)
    assert any("1 slices are missing" in w for w in ct.warnings)


def test_two_phases_in_one_series_are_split(tmp_path, marker_hu, marker_grid):
    first = write_ct_series(tmp_path, marker_hu, marker_grid)
    second = write_ct_series(tmp_path, marker_hu + 50, marker_grid, series_number=3)
    for number, path in enumerate(second):
        change(path, SeriesInstanceUID=pydicom.dcmread(first[0]).SeriesInstanceUID, AcquisitionNumber=2,
               InstanceNumber=100 + number)  # fmt: skip
    (series,) = read_inventory(tmp_path).series
    parts = split_series(series)
    assert [len(p.instances) for p in parts] == [6, 6]
    assert {str(i.header.AcquisitionNumber) for i in parts[1].instances} == {"2"}
    ct = read_ct_series(series)
    assert len(ct.slices) == 6
    assert any("several stacks" in w for w in ct.warnings)


def test_a_repeated_slice_is_left_out(tmp_path, marker_hu, marker_grid):
    paths = write_ct_series(tmp_path, marker_hu, marker_grid)
    dataset = pydicom.dcmread(paths[2])
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.InstanceNumber = 77
    dataset.save_as(tmp_path / "again")
    ct = read(tmp_path)
    assert ct.volume.grid == marker_grid
    assert len(ct.slices) == 6


def test_ranges_far_apart_are_split(tmp_path, marker_hu, marker_grid):
    write_ct_series(tmp_path, marker_hu, marker_grid)
    far = Grid(
        shape_zyx=marker_grid.shape_zyx, spacing_mm=marker_grid.spacing_mm, origin_mm=(-70.5, -30.0, 400.0)
    )
    for path in write_ct_series(tmp_path, marker_hu, far, series_number=3):
        change(path, SeriesInstanceUID=pydicom.dcmread(tmp_path / "IM0200001").SeriesInstanceUID)
    (series,) = read_inventory(tmp_path).series
    assert [len(p.instances) for p in split_series(series)] == [6, 6]


def test_rescaling_is_per_slice(tmp_path, marker_hu, marker_grid):
    paths = write_ct_series(tmp_path, marker_hu, marker_grid)
    dataset = pydicom.dcmread(paths[1])
    stored = np.frombuffer(dataset.PixelData, dtype="<u2")
    dataset.PixelData = (stored * 2).astype("<u2").tobytes()
    dataset.RescaleSlope, dataset.BitsStored, dataset.HighBit = "0.5", 16, 15
    dataset.save_as(paths[1])
    np.testing.assert_array_equal(read(tmp_path).volume.array, marker_hu)


@pytest.mark.parametrize(("padding", "stored_as"), [(63536, -2000), (-2000, -2000), (-1100, -1100)])
def test_padding_becomes_air_that_is_not_imaged(tmp_path, marker_hu, marker_grid, padding, stored_as):
    hu = marker_hu.copy()
    paths = write_ct_series(tmp_path, hu, marker_grid)
    for path in paths:
        dataset = pydicom.dcmread(path)
        stored = np.frombuffer(dataset.PixelData, dtype="<u2").astype("<i2").reshape(40, 50) - 1024
        stored[:3, :] = stored_as
        dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit = 1, 16, 15
        dataset.RescaleIntercept = 0
        dataset.add_new("PixelPaddingValue", "US" if padding > 0 else "SS", padding)
        dataset.PixelData = stored.tobytes()
        dataset.save_as(path)
    ct = read(tmp_path)
    assert (ct.volume.array[:, :3] == -1024).all()
    assert not ct.imaged_mask()[:, :3].any()
    assert ct.imaged_mask()[:, 3:].all()
    np.testing.assert_array_equal(ct.volume.array[:, 3:], hu[:, 3:])


def test_a_circular_field_of_view_is_found_by_its_constant_corners(tmp_path):
    grid = Grid.centred((3, 64, 64), (5.0, 5.0, 5.0))
    rng = np.random.default_rng(3)
    hu = rng.normal(-1000, 8, grid.shape_zyx)
    hu[:, 20:44, 20:44] = 30
    y, x = np.meshgrid(grid.axis_mm(1), grid.axis_mm(0), indexing="ij")
    hu[:, np.hypot(x, y) > 158] = -1024
    write_ct_series(tmp_path, hu, grid)
    imaged = read(tmp_path).imaged_mask()
    assert not imaged[:, 0, 0].any()
    assert imaged[:, 32, 32].all()
    assert imaged[0].mean() == pytest.approx(np.pi / 4, abs=0.03)


def test_saturated_metal_is_said(tmp_path, marker_hu, marker_grid):
    hu = marker_hu.copy()
    hu[2, 20, 20:24] = 9000
    write_ct_series(tmp_path, hu, marker_grid)
    ct = read(tmp_path)
    assert ct.volume.array.max() == 3071
    assert ct.saturated_fraction == pytest.approx(4 / hu.size)
    assert any("4 pixels stand at 3071 HU" in w for w in ct.warnings)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"RescaleIntercept": 0}, "stored values without their rescale intercept"),
        ({"RescaleType": "Z_EFF"}, "'Z_EFF', not Hounsfield units"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "MONOCHROME1"),
        ({"RescaleSlope": "0.0001", "RescaleIntercept": 0}, "all values are equal"),
        ({"RescaleSlope": 1, "RescaleIntercept": -20000}, "between -200 and 250|all values are equal"),
        ({"ImagePositionPatient": None}, "where it lies in the patient"),
        ({"PixelSpacing": None}, "pixel size"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "perpendicular unit vectors"),
        ({"PixelData": None}, "no pixel data"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
    ],
)
def test_what_is_no_ct_is_refused_in_one_sentence(tmp_path, marker_hu, marker_grid, values, sentence):
    for path in write_ct_series(tmp_path, marker_hu, marker_grid):
        change(path, **values)
    with pytest.raises(DicomError, match=sentence) as error:
        read(tmp_path)
    assert "\n" not in str(error.value)


def test_a_missing_voltage_is_named_with_its_tag(tmp_path, marker_hu, marker_grid):
    write_ct_series(tmp_path, marker_hu, marker_grid, technique=CtTechnique(kvp_kv=None))
    (series,) = read_inventory(tmp_path).series
    assert read_ct_series(series).slices[0].kvp_kv is None
    with pytest.raises(DicomError, match=r"'KVP'.*KVP \(0018,0060\)"):
        header_value(series.header, "KVP", needed_for="the X-ray spectrum")


def test_a_damaged_slice_is_interpolated_but_many_are_refused(tmp_path):
    grid = Grid(shape_zyx=(30, 16, 16), spacing_mm=(4.0, 4.0, 2.0), origin_mm=(0.0, 0.0, 0.0))
    hu = np.full(grid.shape_zyx, -1000)
    hu[:, 4:12, 4:12] = 20
    paths = write_ct_series(tmp_path, hu, grid)
    (series,) = read_inventory(tmp_path).series
    change(paths[9], PixelData=None)
    ct = read_ct_series(series)
    np.testing.assert_array_equal(ct.volume.array, hu)
    assert any("damaged" in w for w in ct.warnings)
    for path in paths[10:20]:
        change(path, PixelData=None)
    with pytest.raises(DicomError):
        read_ct_series(series)


@pytest.mark.parametrize("codec", ["jpeg2000", "jpeg lossless", "rle"])
def test_compressed_pixels(tmp_path, marker_hu, marker_grid, codec):
    paths = write_ct_series(tmp_path / "plain", marker_hu, marker_grid)
    if codec == "jpeg lossless":
        sitk = pytest.importorskip("SimpleITK")
        (tmp_path / "packed").mkdir()
        for path in paths:
            image = sitk.ReadImage(str(path), imageIO="GDCMImageIO")
            image.SetMetaData("0020|000e", "1.2.3")
            writer = sitk.ImageFileWriter()
            writer.SetImageIO("GDCMImageIO")
            writer.KeepOriginalImageUIDOn()
            writer.SetCompressor("JPEG")
            writer.UseCompressionOn()
            writer.SetFileName(str(tmp_path / "packed" / f"{path.name}.dcm"))
            writer.Execute(image)
        packed = pydicom.dcmread(next((tmp_path / "packed").iterdir()))
        assert packed.file_meta.TransferSyntaxUID.is_compressed
        folder = tmp_path / "packed"
    else:
        uid = pydicom.uid.JPEG2000Lossless if codec == "jpeg2000" else pydicom.uid.RLELossless
        for path in paths:
            dataset = pydicom.dcmread(path)
            dataset.compress(uid, generate_instance_uid=False)
            dataset.save_as(path)
        folder = tmp_path / "plain"
    np.testing.assert_array_equal(read(folder).volume.array, marker_hu)


def enhanced(paths, target):
    """Write the slices of a series as one Enhanced CT object."""
    from pydicom.dataset import Dataset

    slices = [pydicom.dcmread(p) for p in paths]
    out = slices[0]
    out.SOPClassUID = out.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    out.NumberOfFrames = len(slices)
    groups = []
    for s in slices:
        group = Dataset()
        for name, keywords in {
            "PlanePositionSequence": ["ImagePositionPatient"],
            "CTExposureSequence": ["CTDIvol"],
            "CTXRayDetailsSequence": ["KVP"],
        }.items():
            item = Dataset()
            for keyword in keywords:
                item[keyword] = s[keyword]
            setattr(group, name, [item])
        group.CTExposureSequence[0].XRayTubeCurrentInmA = float(s.XRayTubeCurrent)
        groups.append(group)
    shared = Dataset()
    for name, keywords in {
        "PlaneOrientationSequence": ["ImageOrientationPatient"],
        "PixelMeasuresSequence": ["PixelSpacing", "SliceThickness"],
        "PixelValueTransformationSequence": ["RescaleSlope", "RescaleIntercept", "RescaleType"],
    }.items():
        item = Dataset()
        for keyword in keywords:
            item[keyword] = out[keyword]
            del out[keyword]
        setattr(shared, name, [item])
    out.PixelData = b"".join(s.PixelData for s in slices)
    del out.ImagePositionPatient, out.CTDIvol, out.XRayTubeCurrent
    out.PerFrameFunctionalGroupsSequence, out.SharedFunctionalGroupsSequence = groups, [shared]
    out.save_as(target)


def test_enhanced_ct_is_read_frame_by_frame(tmp_path, marker_hu, marker_grid):
    technique = CtTechnique(tube_current_ma=[100 + 10 * k for k in range(6)], ctdivol_mgy=7.5)
    paths = write_ct_series(tmp_path / "plain", marker_hu, marker_grid, technique=technique)
    (tmp_path / "multi").mkdir()
    enhanced(paths, tmp_path / "multi" / "one")
    ct = read(tmp_path / "multi")
    assert ct.volume.grid == marker_grid
    np.testing.assert_array_equal(ct.volume.array, marker_hu)
    assert [s.tube_current_ma for s in ct.slices] == [100, 110, 120, 130, 140, 150]
    assert ct.slices[0].kvp_kv == 120.0


def test_memory_stays_at_one_volume_and_a_few_slices(tmp_path):
    grid = Grid(shape_zyx=(40, 256, 256), spacing_mm=(1.0, 1.0, 1.0), origin_mm=(0.0, 0.0, 0.0))
    hu = np.full(grid.shape_zyx, -1000, dtype=np.int16)
    hu[:, 50:200, 50:200] = 40
    write_ct_series(tmp_path, hu, grid)
    (series,) = read_inventory(tmp_path).series
    read_ct_series(series)  # imports and caches
    tracemalloc.start()
    ct = read_ct_series(series)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * ct.volume.array.nbytes + 8e6


# --- tilt, gaps, oblique planes -----------------------------------------------------------------------


def scene(x, y, z):
    """A linear field of HU: linear interpolation must reproduce it."""
    return np.rint(100 + 2.0 * x - 1.5 * y + 3.0 * z).astype(np.int16)


def stack_of(row, column, positions, shape, spacing):
    stack = Stack(
        origins_mm=np.asarray(positions, dtype=float),
        row_direction=np.asarray(row, dtype=float),
        column_direction=np.asarray(column, dtype=float),
        spacing_mm=spacing,
    )
    j, i = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    planes = []
    for origin in stack.origins_mm:
        p = (
            origin
            + i[..., None] * spacing[0] * stack.row_direction
            + j[..., None] * spacing[1] * stack.column_direction
        )
        planes.append(scene(p[..., 0], p[..., 1], p[..., 2]))
    return np.stack(planes), stack


def check_scene(volume, mask, tolerance=2.0):
    grid = volume.grid
    z, y, x = np.meshgrid(grid.axis_mm(2), grid.axis_mm(1), grid.axis_mm(0), indexing="ij")
    inner = np.ones(volume.array.shape, dtype=bool) if mask is None else mask.copy()
    if mask is not None:  # the outermost half slice holds the nearest value
        inner[1:] &= mask[:-1]
        inner[:-1] &= mask[1:]
        inner[[0, -1]] = False
    assert inner.sum() > 100  # a short, steep stack covers little of its box
    assert np.abs(volume.array[inner] - scene(x, y, z)[inner]).max() <= tolerance


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    tilt=st.floats(-30, 30),
    gaps=st.lists(st.sampled_from([1.1, 2.5, 4.2, 7.0]), min_size=6, max_size=12),
    row_sign=st.sampled_from([1, -1]),
)
def test_tilt_and_variable_gaps_keep_a_linear_field(tilt, gaps, row_sign):
    t = np.radians(tilt)
    z = np.concatenate([[0.0], np.cumsum(gaps)])
    row, column = (row_sign, 0, 0), (0, np.cos(t), -np.sin(t))
    positions = [(-20.0 * row_sign, -30.0, v) for v in z]
    if np.dot(np.cross(row, column), (0, 0, 1)) < 0:
        positions = positions[::-1]
    array, stack = stack_of(row, column, positions, (20, 16), (2.0, 2.5))
    volume, mask, note = straighten(array, stack, 1.0)  # nearest values reach 0.5 mm beyond the stack
    if note and mask is None:  # all covered: the outermost planes still hold nearest values
        mask = np.ones(volume.array.shape, dtype=bool)
    # a tilt that moves no voxel by more than half a pixel (1 mm here, at 3 HU per mm) is left as it is
    check_scene(volume, mask, tolerance=2.0 if note else 2.0 + 3.0 * 0.5 * 2.0)
    if abs(tilt) > 5:
        assert f"tilt of {abs(tilt):.1f} deg" in note


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(yaw=st.floats(3, 40), roll=st.floats(3, 40))
def test_oblique_planes_keep_a_linear_field(yaw, roll):
    from scipy.spatial.transform import Rotation

    axes = Rotation.from_euler("zx", [yaw, roll], degrees=True).as_matrix()
    row, column, normal = axes[:, 0], axes[:, 1], axes[:, 2]
    positions = [np.array([-20.0, -30.0, 5.0]) + k * 2.0 * normal for k in range(16)]
    array, stack = stack_of(row, column, positions, (24, 20), (2.0, 2.0))
    volume, mask, note = straighten(array, stack, 2.0)
    assert "oblique" in note
    grid = volume.grid
    z, y, x = np.meshgrid(grid.axis_mm(2), grid.axis_mm(1), grid.axis_mm(0), indexing="ij")
    deep = mask & (volume.array != -1024)
    for axis in range(3):
        deep = deep & np.roll(mask, 1, axis) & np.roll(mask, -1, axis)
    assert np.abs(volume.array[deep] - scene(x, y, z)[deep]).max() <= 2.0


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    permutation=st.permutations([0, 1, 2]),
    signs=st.tuples(*[st.sampled_from([1, -1])] * 2),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
)
def test_any_axis_aligned_stack_is_only_permuted(permutation, signs, origin):
    axes = np.eye(3)[list(permutation)]
    row, column = signs[0] * axes[0], signs[1] * axes[1]
    normal = np.cross(row, column)
    positions = [np.asarray(origin) + 3.0 * k * normal for k in range(4)]
    array, stack = stack_of(row, column, positions, (5, 6), (1.5, 2.0))
    volume, mask, note = straighten(array, stack, 3.0)
    assert (mask, note) == (None, "")
    assert sorted(volume.array.ravel()) == sorted(array.ravel())
    check_scene(volume, None, tolerance=1.0)


# --- several series -----------------------------------------------------------------------------------


def test_reconstructions_of_one_acquisition_count_once(tmp_path, marker_hu, marker_grid):
    narrow = Grid(shape_zyx=(6, 20, 20), spacing_mm=(4.0, 3.0, 2.0), origin_mm=(-40.0, -20.0, 100.0))
    for number, kernel in ((2, "Br64f"), (3, "Br38f")):
        write_ct_series(
            tmp_path, marker_hu, marker_grid, series_number=number, technique=CtTechnique(kernel=kernel),
            description=kernel,
        )  # fmt: skip
    write_ct_series(tmp_path, marker_hu[:, 5:25, 5:25], narrow, series_number=4, description="narrow")
    write_ct_series(
        tmp_path, marker_hu, marker_grid, series_number=5, event="second phase", description="phase 2"
    )
    groups = choose_reconstructions(read_inventory(tmp_path).series)
    assert sorted(len(g.others) for g in groups) == [0, 2]
    big = max(groups, key=lambda g: len(g.others))
    assert big.chosen.description == "Br38f"
    assert "3 series show one acquisition and count once" in big.reason


@pytest.mark.parametrize(("moved_s", "groups"), [(0, 1), (90, 2)])
def test_without_event_uids_the_acquisition_times_decide(tmp_path, marker_hu, marker_grid, moved_s, groups):
    for number, study in (
        (2, SyntheticStudy()),
        (3, replace(SyntheticStudy(), time=f"10{15 + moved_s // 60}30")),
    ):
        time_matters = study if moved_s or number == 2 else SyntheticStudy()
        for path in write_ct_series(
            tmp_path, marker_hu, marker_grid, series_number=number, study=time_matters
        ):
            change(path, IrradiationEventUID=None)
    assert len(choose_reconstructions(read_inventory(tmp_path).series)) == groups


def test_kernels_are_ranked_by_vendor():
    assert kernel_sharpness("SIEMENS", "Br38f\\3") < kernel_sharpness("SIEMENS", "Br64f\\3")
    assert kernel_sharpness("GE MEDICAL SYSTEMS", "STANDARD") < kernel_sharpness(
        "GE MEDICAL SYSTEMS", "BONEPLUS"
    )
    assert kernel_sharpness("TOSHIBA", "FC08") < kernel_sharpness("TOSHIBA", "FC30")
    assert kernel_sharpness("Philips", "B") < kernel_sharpness("Philips", "D")
    assert kernel_sharpness("somebody", "") == 0.5


# --- real series --------------------------------------------------------------------------------------


@pytest.mark.reference
def test_the_tilted_head_is_straightened(reference_dicom):
    (series,) = read_inventory(reference_dicom("ct_head_ge_hispeed_tilt")).series
    ct = read_ct_series(series, in_plane_reduction=4)
    assert any("tilt of 18.5 deg and gaps of 1.14 to 7.38 mm" in w for w in ct.warnings)
    assert ct.resampled
    height_mm = ct.volume.array.shape[0] * ct.volume.spacing_mm[2]
    assert height_mm == pytest.approx(151.9 + 250 * np.sin(np.radians(18.5)), abs=4)
    assert ct.volume.spacing_mm[1] == pytest.approx(4 * 0.4882812 * np.cos(np.radians(18.5)), rel=1e-4)
    assert 0.4 < ct.imaged_mask().mean() < 0.7
    assert len(ct.slices) == 28
    assert ct.volume.array.min() == -1024  # padding -1500 is gone


@pytest.mark.reference
def test_the_siemens_abdomen_in_jpeg_2000(reference_dicom):
    (series,) = read_inventory(reference_dicom("ct_body_siemens_mct_20sl")).series
    ct = read_ct_series(series, in_plane_reduction=4)
    assert ct.volume.array.shape == (20, 128, 128)
    assert ct.volume.spacing_mm[2] == pytest.approx(2.0)
    assert {s.tube_current_ma for s in ct.slices} <= {614.0, 615.0, 616.0}
    assert all(18.5 < s.ctdivol_mgy < 18.6 and s.exposure_time_s == 0.33 for s in ct.slices)
    soft = ct.volume.array[10, 64, 40:90]
    assert -150 < np.median(soft) < 150


@pytest.mark.reference
def test_phantom_localizer_and_dose_screen_are_told_apart(reference_dicom):
    inventory = read_inventory(reference_dicom("ct_headphantom_philips_ingenuity_helical"))
    kinds = {
        len(s.instances): (is_ct_image(s), is_localizer(s), is_dose_screen(s))
        for s in inventory.series
        if len(s.instances) > 1
    }
    assert kinds == {28: (True, False, False)}
    singles = [s for s in inventory.series if len(s.instances) == 1]
    assert sum(is_localizer(s) for s in singles) == 2
    assert not any(is_ct_image(s) for s in singles)
    big = next(s for s in inventory.series if len(s.instances) == 28)
    ct = read_ct_series(big, in_plane_reduction=8)
    assert [s.tube_current_ma for s in ct.slices][:5] == [112, 112, 112, 116, 118]


@pytest.mark.reference
def test_the_chest_keeps_its_two_millimetre_steps(reference_dicom):
    (series,) = read_inventory(reference_dicom("ct_chest_lidc_idri_0314_2mm")).series
    ct = read_ct_series(series, in_plane_reduction=8)
    assert ct.volume.array.shape == (138, 64, 64)
    assert ct.volume.spacing_mm[2] == pytest.approx(2.0)
    assert ct.slices[0].slice_thickness_mm == 1.0
    lungs = np.mean((ct.volume.array > -950) & (ct.volume.array < -600), axis=(1, 2))
    assert lungs[100] > lungs[0]  # lungs towards the head, abdomen at the feet
