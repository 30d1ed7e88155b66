"""Reconstructed SPECT as NM objects: place, unit, times and corrections."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from omnidose.dicom.files import make_uid
from omnidose.dicom.inventory import Series, read_inventory
from omnidose.dicom.nm_series import NmVolume, read_nm_facts, read_nm_series, why_not
from omnidose.dicom.nm_times import Rotations, read_corrections, read_rotations
from omnidose.dicom.nm_units import NmUnit, read_scale
from omnidose.dicom.radiopharmaceutical import read_radiopharmaceutical
from omnidose.dicom.synthetic_ct import code_item
from omnidose.errors import ContradictionError, DicomError, GeometryError
from omnidose.modalities.nuclear.proofs._small_series import (
    DURATION_S,
    SmallSeries,
    exact_scan,
    true_map,
    write_small_series,
)
from omnidose.validation import reference_dir

Edit = Callable[[Any], None]


@pytest.fixture
def spect(tmp_path: Path) -> Callable[..., Series]:
    """Return a function that writes one SPECT, changed, and surveys it."""

    def make(edit: Edit | None = None, *, calibrated: bool = False) -> Series:
        def change(item: Any, _scan: int, position: int) -> None:
            if position == 0 and edit is not None:
                edit(item)

        write_small_series(tmp_path / "exam", SmallSeries(points=(0,), calibrated=calibrated, change=change))
        return next(s for s in read_inventory(tmp_path / "exam").series if s.modality == "NM")

    return make


def hot_mm(image: NmVolume) -> tuple[float, ...]:
    """Centre of the hot voxels, (x, y, z)."""
    grid, array = image.volume.grid, image.volume.array
    where = np.argwhere(array > 0.5 * array.max()).mean(axis=0)
    return tuple(grid.origin_mm[a] + grid.spacing_mm[a] * float(where[2 - a]) for a in range(3))


def expected_mm() -> tuple[float, ...]:
    where = np.argwhere(true_map() > 0.5 * true_map().max()).mean(axis=0)
    return tuple(o + 16 * float(w) for o, w in zip((-88.0, -88.0, -56.0), where[::-1], strict=True))


def test_counts_place_and_times_come_back(spect: Callable[..., Series]) -> None:
    image = read_nm_series(spect())
    assert image.volume.array == pytest.approx(DURATION_S * exact_scan(4.0).image.array, rel=0.03, abs=40)
    assert image.volume.grid.shape_zyx == (8, 12, 12)
    assert image.volume.grid.origin_mm == pytest.approx((-88.0, -88.0, -56.0))
    assert hot_mm(image) == pytest.approx(expected_mm())
    facts = image.facts
    assert (facts.unit, facts.unit_said_by) == (NmUnit.COUNTS, "")
    assert facts.start == datetime(2026, 3, 4, 13, 30)
    assert facts.rotations is not None
    assert facts.rotations.duration_s(2) == facts.rotations.duration_s(1) == DURATION_S
    assert facts.time_zone == "+0100"
    assert facts.heads is None
    assert facts.counts_accumulated == round(2 * exact_scan(4.0).rate_per_s * DURATION_S)
    assert (facts.corrections.decay, facts.corrections.attenuation, facts.corrections.scatter) == (
        False, True, True,
    )  # fmt: skip
    assert facts.camera == "omnidose synthetic SPECT/CT 0"


def test_slices_in_front_of_the_first_have_a_negative_spacing(spect: Callable[..., Series]) -> None:
    def from_the_head(item: Any) -> None:
        stored = item.pixel_array[::-1]
        item.PixelData = np.ascontiguousarray(stored).tobytes()
        item.DetectorInformationSequence[0].ImagePositionPatient = [-88, -88, 56]
        item.SpacingBetweenSlices = "-16"

    image = read_nm_series(spect(from_the_head))
    assert image.volume.grid.origin_mm == pytest.approx((-88.0, -88.0, -56.0))
    assert hot_mm(image) == pytest.approx(expected_mm())


def test_rows_to_the_right_turn_the_normal_too(spect: Callable[..., Series]) -> None:
    """Feet first: rows run to the patient's right, so the normal points to the feet."""

    def feet_first(item: Any) -> None:
        item.PixelData = np.ascontiguousarray(item.pixel_array[::-1, :, ::-1]).tobytes()
        first = item.DetectorInformationSequence[0]
        first.ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]
        first.ImagePositionPatient = [88, -88, 56]

    assert hot_mm(read_nm_series(spect(feet_first))) == pytest.approx(expected_mm())


def test_coronal_slices_are_laid_straight(spect: Callable[..., Series]) -> None:
    """Rows to the left, columns to the feet: the normal points to the back."""

    def coronal(item: Any) -> None:
        stored = item.pixel_array  # [z, y, x] -> [y, -z, x]
        turned = np.ascontiguousarray(stored[::-1].transpose(1, 0, 2))
        item.PixelData = turned.tobytes()
        item.NumberOfFrames, item.Rows, item.Columns = turned.shape
        item.SliceVector = list(range(1, turned.shape[0] + 1))
        first = item.DetectorInformationSequence[0]
        first.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        first.ImagePositionPatient = [-88, -88, 56]

    made = spect(coronal)
    image = read_nm_series(made)
    assert image.volume.grid.shape_zyx == (8, 12, 12)
    assert hot_mm(image) == pytest.approx(expected_mm())
    assert image.facts.z_mm == pytest.approx((-56.0, 56.0))


def test_one_object_per_slice(spect: Callable[..., Series], tmp_path: Path) -> None:
    whole = spect()
    item = pydicom.dcmread(whole.instances[0].path)
    folder = tmp_path / "slices"
    folder.mkdir()
    for number, plane in enumerate(item.pixel_array):
        one = pydicom.dcmread(whole.instances[0].path)
        one.NumberOfFrames, one.SliceVector = 1, [1]
        one.PixelData = plane.tobytes()
        one.InstanceNumber = 8 - number
        one.DetectorInformationSequence[0].ImagePositionPatient = [-88, -88, -56 + 16 * number]
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = make_uid("slice", str(number))
        one.save_as(folder / f"S{number}")
    image = read_nm_series(read_inventory(folder).series[0])
    assert image.volume.array == pytest.approx(read_nm_series(whole).volume.array)
    assert image.volume.grid == read_nm_series(whole).volume.grid
    assert image.facts.counts_accumulated is None


def test_calibrated_images_give_their_unit_in_either_way(spect: Callable[..., Series]) -> None:
    both = read_nm_series(spect(calibrated=True))
    assert both.facts.unit is NmUnit.CONCENTRATION
    assert both.facts.corrections.decay_moment == "START"

    def only_units(item: Any) -> None:
        del item.RealWorldValueMappingSequence

    def only_mapping(item: Any) -> None:
        del item.Units
        slope = item.RealWorldValueMappingSequence[0]
        slope.RealWorldValueSlope /= 1000
        slope.MeasurementUnitsCodeSequence = [code_item("kBq/ml", "UCUM", "kBq/ml")]
        item.RescaleSlope = 1

    for edit in (only_units, only_mapping):
        image = read_nm_series(spect(edit, calibrated=True))
        assert image.facts.unit is NmUnit.CONCENTRATION
        assert image.volume.array == pytest.approx(both.volume.array, rel=1e-5)


def header(**values: Any) -> Dataset:
    item = Dataset()
    for key, value in values.items():
        setattr(item, key, value)
    return item


def mapping(unit: str, slope: float | None = 2.0) -> Dataset:
    item = header(
        MeasurementUnitsCodeSequence=[code_item(unit, "UCUM", unit)],
        RealWorldValueFirstValueMapped=0,
        RealWorldValueLastValueMapped=100,
        RealWorldValueIntercept=0.5,
    )
    if slope is not None:
        item.RealWorldValueSlope = slope
    return item


def test_units_that_are_found() -> None:
    assert read_scale(header()).unit is NmUnit.COUNTS
    assert read_scale(header(RescaleSlope="3")).slope == 3
    assert read_scale(header(Units="CPS")).unit is NmUnit.RATE
    suv = header(Units="BQML", RescaleSlope="3", RealWorldValueMappingSequence=[mapping("g/ml{SUVbw}")])
    assert (read_scale(suv).unit, read_scale(suv).slope) == (NmUnit.CONCENTRATION, 3)
    found = read_scale(header(RescaleSlope="3", RealWorldValueMappingSequence=[mapping("MBq/mL")]))
    assert (found.unit, found.slope, found.intercept) == (NmUnit.CONCENTRATION, 2e6, 5e5)
    assert found.limits == (0, 100)


@pytest.mark.parametrize(
    ("made", "says", "kind"),
    [
        (header(Units="GML"), "unit of the images is 'GML'", DicomError),
        (header(RealWorldValueMappingSequence=[mapping("Bq/ml", None)]), "no usable slope", DicomError),
        (header(RealWorldValueMappingSequence=[mapping("Bq/ml"), mapping("kBq/ml")]), "2 mapp", DicomError),
        (
            header(Units="BQML", RescaleSlope="3", RealWorldValueMappingSequence=[mapping("Bq/ml")]),
            "Bq/mL twice",
            ContradictionError,
        ),
    ],
)
def test_units_that_are_refused(made: Dataset, says: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=says):
        read_scale(made)


def test_values_beyond_their_mapping_are_refused(spect: Callable[..., Series]) -> None:
    def short(item: Any) -> None:
        item.RealWorldValueMappingSequence[0].RealWorldValueLastValueMapped = 4095

    with pytest.raises(DicomError, match="outside the range"):
        read_nm_series(spect(short, calibrated=True))


def rotation(views: int, frame_ms: int, step: float, **values: Any) -> Dataset:
    return header(
        NumberOfFramesInRotation=views, ActualFrameDuration=frame_ms, AngularStep=str(step), **values
    )


@given(views=st.integers(15, 128), frame_s=st.integers(5, 60), heads=st.integers(1, 3))
def test_views_of_all_heads_share_the_turn(views: int, frame_s: int, heads: int) -> None:
    """However the maker counts, the camera turned for the same time."""
    apart = Rotations(
        views=views, views_s=views * frame_s, covered_deg=360 / heads, step_deg=360 / heads / views
    )
    together = Rotations(
        views=views * heads, views_s=heads * views * frame_s, covered_deg=360, step_deg=360 / heads / views
    )
    assert apart.duration_s(heads) == pytest.approx(views * frame_s)
    assert together.duration_s(heads) == pytest.approx(views * frame_s)


def test_rotations() -> None:
    assert read_rotations(header()) is None
    assert read_rotations(header(RotationInformationSequence=[header()])) is None
    two = header(
        RotationInformationSequence=[
            rotation(60, 10000, 6, TableTraverse="100"),
            rotation(60, 10000, 6, TableTraverse="500"),
        ]
    )
    found = read_rotations(two)
    assert found is not None
    assert (found.views, found.views_s, found.beds, found.covered_deg) == (120, 1200, 2, 360)
    with pytest.raises(DicomError, match="not possible"):
        read_rotations(header(RotationInformationSequence=[rotation(60, 20, 6)]))  # s instead of ms


def test_corrections_that_nobody_lists_are_unknown() -> None:
    assert not read_corrections(header()).stated
    found = read_corrections(header(CorrectedImage=["DECY", "ATTN"], DecayCorrection="ADMIN"))
    assert (found.stated, found.decay, found.dead_time, found.decay_moment) == (True, True, False, "ADMIN")


def several_windows(item: Any) -> None:
    item.EnergyWindowVector = [1] * 4 + [2] * 4


def gated(item: Any) -> None:
    item.TimeSlotVector = [1] * 4 + [2] * 4


def out_of_order(item: Any) -> None:
    item.SliceVector = [2, 1, 3, 4, 5, 6, 7, 8]


def no_spacing(item: Any) -> None:
    item.SpacingBetweenSlices = ""


def no_place(item: Any) -> None:
    del item.DetectorInformationSequence[0].ImagePositionPatient


def oblique(item: Any) -> None:
    item.DetectorInformationSequence[0].ImageOrientationPatient = [0.9, 0.43589, 0, -0.43589, 0.9, 0]


def no_time(item: Any) -> None:
    del item.AcquisitionTime


def below_zero(item: Any) -> None:
    item.RescaleIntercept = f"{-1500 * float(item.RescaleSlope):.9g}"


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (several_windows, "2 energy windows"),
        (gated, "2 time slots"),
        (out_of_order, "in order"),
        (no_spacing, "how far their slices"),
        (no_place, "where they lie"),
        (oblique, "oblique"),
        (no_time, "when they were acquired"),
        (below_zero, "below 0"),
    ],
)
def test_what_cannot_be_read_is_said(edit: Edit, says: str, spect: Callable[..., Series]) -> None:
    with pytest.raises((DicomError, GeometryError), match=says):
        read_nm_series(spect(edit))


def test_two_volumes_in_one_series_are_refused(spect: Callable[..., Series], tmp_path: Path) -> None:
    first = spect()
    other = pydicom.dcmread(first.instances[0].path)
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = "2.25.7"
    other.save_as(tmp_path / "exam" / "other")
    both = next(s for s in read_inventory(tmp_path / "exam").series if s.modality == "NM")
    with pytest.raises(GeometryError, match="2 of them whole volumes"):
        read_nm_facts(both)


def kind(words: list[str]) -> Edit:
    def edit(item: Any) -> None:
        item.ImageType = words

    return edit


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"], "projections"),
        (["ORIGINAL", "PRIMARY", "RECON GATED TOMO", "EMISSION"], "gated"),
        (["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"], "planar"),
        (["ORIGINAL", "PRIMARY", "RECON TOMO", "TRANSMISSION"], "transmission"),
        (["DERIVED", "SECONDARY", "RECON TOMO", "EMISSION"], ""),
    ],
)
def test_kinds_of_images(words: list[str], says: str, spect: Callable[..., Series]) -> None:
    made = spect(kind(words))
    assert says in why_not(made)
    assert bool(why_not(made)) == bool(says)
    if says:
        with pytest.raises(DicomError, match=says):
            read_nm_series(made)


@pytest.mark.parametrize(
    ("name", "says", "nuclide", "mbq"),
    [
        ("NM-NmIm-Siemens-s1-1.dcm", "projections", "Tc-99m", 320.0),
        ("NM-NmIm-Siemens.dcm", "planar", "Tc-99m", None),
    ],
)
def test_real_objects_are_told_apart(name: str, says: str, nuclide: str, mbq: float | None) -> None:
    root = reference_dir()
    if root is None or not (root / "dicom" / "rdsr" / name).is_file():
        pytest.skip("needs the folder of published reference files")
    found = read_inventory(root / "dicom" / "rdsr" / name).series[0]
    assert says in why_not(found)
    item = read_radiopharmaceutical(found.header, sop_class=found.sop_class)
    assert item.nuclide == nuclide
    assert item.total_mbq is not None
    if mbq is not None:
        assert item.total_mbq == mbq
    rotations = read_rotations(found.header)
    if says == "projections":  # 17 views of 14.7 s, of each of two heads
        assert rotations is not None
        assert (rotations.views, rotations.beds) == (17, 1)
        assert rotations.duration_s(2) == pytest.approx(17 * 14.695)


def test_every_way_to_lay_slices(spect: Callable[..., Series], tmp_path: Path) -> None:
    """48: three axes for the rows, two for the columns, every sign, either side of the first slice."""
    plain = spect()
    stored = pydicom.dcmread(plain.instances[0].path).pixel_array  # [z, y, x] along +S, +P, +L
    origin, axes = np.array([-88.0, -88.0, -56.0]), np.eye(3)
    shape_xyz = stored.shape[::-1]
    folder = tmp_path / "turned"
    folder.mkdir()
    seen = 0
    for row_axis in range(3):
        for column_axis in {0, 1, 2} - {row_axis}:
            for signs in np.ndindex(2, 2, 2):
                row, column = ((-1) ** signs[n] * axes[a] for n, a in enumerate((row_axis, column_axis)))
                step = (-1) ** signs[2] * np.cross(row, column)
                frame_axis = 3 - row_axis - column_axis
                array = stored.transpose([2 - frame_axis, 2 - column_axis, 2 - row_axis])
                first = origin.copy()
                for index, direction in enumerate((step, column, row)):
                    axis = int(np.argmax(np.abs(direction)))
                    if direction[axis] < 0:
                        array = np.flip(array, index)
                        first[axis] += 16 * (shape_xyz[axis] - 1)
                item = pydicom.dcmread(plain.instances[0].path)
                item.PixelData = np.ascontiguousarray(array).tobytes()
                item.NumberOfFrames, item.Rows, item.Columns = array.shape
                item.SliceVector = list(range(1, array.shape[0] + 1))
                item.SpacingBetweenSlices = "16" if signs[2] == 0 else "-16"
                place = item.DetectorInformationSequence[0]
                place.ImageOrientationPatient = [float(v) for v in (*row, *column)]
                place.ImagePositionPatient = [float(v) for v in first]
                item.save_as(folder / "one")
                image = read_nm_series(read_inventory(folder).series[0])
                assert image.volume.grid == read_nm_series(plain).volume.grid
                assert image.volume.array == pytest.approx(read_nm_series(plain).volume.array)
                seen += 1
    assert seen == 48


def test_counts_per_second_stay_a_rate(spect: Callable[..., Series]) -> None:
    def per_second(item: Any) -> None:
        item.Units = "CPS"
        item.RescaleSlope = f"{float(item.RescaleSlope) / DURATION_S:.9e}"

    image = read_nm_series(spect(per_second))
    assert image.facts.unit is NmUnit.RATE
    assert image.volume.array == pytest.approx(exact_scan(4.0).image.array, rel=0.03, abs=0.04)
