"""PET series and radiopharmaceuticals, as makers write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from omnidose.dicom.inventory import Series, read_inventory
from omnidose.dicom.pet_series import read_pet_series, read_pet_shape, why_not
from omnidose.dicom.radiopharmaceutical import (
    NM_IMAGE,
    PET_IMAGE,
    nuclide_of_agent,
    nuclides_near,
    read_radiopharmaceutical,
)
from omnidose.dicom.synthetic_ct import code_item
from omnidose.errors import ContradictionError, DicomError, GeometryError
from omnidose.modalities.nuclear.proofs._small_exam import F18_H, write_small

SCAN = datetime(2026, 3, 4, 10, 30)
INJECTION = datetime(2026, 3, 4, 9, 30)


@pytest.fixture
def series(tmp_path: Path) -> Callable[..., Series]:
    """Return a function that writes the small series, changed, and surveys it."""

    def make(change: Callable[[Any, int], None] | None = None) -> Series:
        write_small(tmp_path / "exam", change)
        return read_inventory(tmp_path / "exam").series[0]

    return make


def total_mbq(image: Any) -> float:
    return float(image.volume.array.sum(dtype=np.float64)) * image.volume.grid.voxel_volume_cm3 * 1e-6


def test_activity_place_and_moment_come_back(series: Callable[..., Series]) -> None:
    image = read_pet_series(series(), half_life_h=F18_H)
    assert total_mbq(image) == pytest.approx(100.0, rel=1e-3)
    assert image.volume.grid.shape_zyx == (12, 24, 24)
    assert image.volume.grid.origin_mm == pytest.approx((-92.0, -92.0, -44.0))
    assert image.reference == SCAN
    assert image.facts.bed_count == 2
    assert image.facts.dates_agree


def test_slices_written_from_the_head_down_are_turned(series: Callable[..., Series]) -> None:
    def flip(item: Any, number: int) -> None:
        item.InstanceNumber = 12 - number

    plain = read_pet_series(series(flip), half_life_h=F18_H)
    assert total_mbq(plain) == pytest.approx(100.0, rel=1e-3)
    assert plain.volume.grid.origin_mm[2] == pytest.approx(-44.0)


def test_suv_needs_activity_time_and_weight(series: Callable[..., Series]) -> None:
    left_bq = 200e6 * 0.5 ** (1 / F18_H)

    def to_suv(item: Any, _number: int) -> None:
        item.Units = "GML"
        item.RescaleSlope = f"{float(item.RescaleSlope) * 60000 / left_bq:.9g}"

    made = series(to_suv)
    image = read_pet_series(made, half_life_h=F18_H, injection=INJECTION, net_mbq=200.0, weight_kg=60.0)
    assert total_mbq(image) == pytest.approx(100.0, rel=1e-3)
    with pytest.raises(DicomError, match="SUV"):
        read_pet_series(made, half_life_h=F18_H, injection=INJECTION)


def test_counts_of_one_maker_are_calibrated(series: Callable[..., Series]) -> None:
    def to_counts(item: Any, _number: int) -> None:
        item.Units = "CNTS"
        item.RescaleSlope = f"{float(item.RescaleSlope) / 4:.9g}"
        item.add_new((0x7053, 0x0010), "LO", "Philips PET Private Group")
        item.add_new((0x7053, 0x1009), "DS", "4")

    image = read_pet_series(series(to_counts), half_life_h=F18_H)
    assert total_mbq(image) == pytest.approx(100.0, rel=1e-3)
    assert "maker's factor" in image.notes[0]


def test_a_few_values_below_zero_are_set_to_zero(series: Callable[..., Series]) -> None:
    def dip(item: Any, _number: int) -> None:
        stored = np.frombuffer(item.PixelData, dtype="<i2").copy()
        stored[0] = -40
        item.PixelData = stored.tobytes()

    made = series(dip)
    image = read_pet_series(made, half_life_h=F18_H)
    assert 0 < image.negative_fraction < 0.01
    assert float(image.volume.array.min()) == 0.0
    assert float(read_pet_shape(made).array.min()) == 0.0


def test_what_cannot_give_activities_is_named(series: Callable[..., Series]) -> None:
    def dynamic(item: Any, _number: int) -> None:
        item.SeriesType = ["DYNAMIC", "IMAGE"]

    made = series(dynamic)
    assert "dynamic" in why_not(made)
    with pytest.raises(DicomError, match="dynamic"):
        read_pet_series(made, half_life_h=F18_H)


def test_a_gap_is_refused(series: Callable[..., Series]) -> None:
    def gap(item: Any, number: int) -> None:
        if number == 11:
            item.ImagePositionPatient = [-92.0, -92.0, 60.0]

    with pytest.raises(GeometryError, match="not evenly spaced"):
        read_pet_series(series(gap), half_life_h=F18_H)


def header(sop_class: str = PET_IMAGE, modality: str = "PT", **values: Any) -> Dataset:
    """Return a header with one radiopharmaceutical."""
    item = Dataset()
    for key, value in values.items():
        setattr(item, key, value)
    whole = Dataset()
    whole.SOPClassUID, whole.Modality = sop_class, modality
    whole.RadiopharmaceuticalInformationSequence = [item]
    return whole


def test_becquerel_in_pet_and_megabecquerel_in_nm() -> None:
    assert read_radiopharmaceutical(header(RadionuclideTotalDose="381470000")).total_mbq == pytest.approx(
        381.47
    )
    nm = header(NM_IMAGE, "NM", RadionuclideTotalDose="764")
    assert read_radiopharmaceutical(nm).total_mbq == pytest.approx(764)
    with pytest.raises(DicomError, match="another unit"):
        read_radiopharmaceutical(header(RadionuclideTotalDose="381.47"))
    with pytest.raises(DicomError, match="another unit"):
        read_radiopharmaceutical(header(NM_IMAGE, "NM", RadionuclideTotalDose="764000000"))


@pytest.mark.parametrize(
    ("code", "nuclide"),
    [
        (("C-111A1", "SRT", "^18^Fluorine"), "F-18"),
        (("C-111A1", "SRT", ""), "F-18"),
        (("77004003", "SCT", ""), "F-18"),
        (("C-163A8", "99SDM", "99m Technetium"), "Tc-99m"),
        (("35337001", "SCT", "Gallium-68"), "Ga-68"),
    ],
)
def test_codes_of_nuclides(code: tuple[str, str, str], nuclide: str) -> None:
    assert read_radiopharmaceutical(header(RadionuclideCodeSequence=[code_item(*code)])).nuclide == nuclide


def test_a_nuclide_without_a_code_is_found_and_said() -> None:
    found = read_radiopharmaceutical(
        header(RadionuclideHalfLife="6586.2", RadionuclidePositronFraction="0.97")
    )
    assert found.nuclide == "F-18"
    assert "only one of the library" in found.notes[0]
    found = read_radiopharmaceutical(header(Radiopharmaceutical="[68Ga]Ga-PSMA-11"))
    assert found.nuclide == "Ga-68"
    assert read_radiopharmaceutical(header(RadionuclideHalfLife="50000")).nuclide == ""
    assert read_radiopharmaceutical(Dataset()).nuclide == ""


def test_two_radiopharmaceuticals_and_wrong_half_lives_are_refused() -> None:
    two = header()
    two.RadiopharmaceuticalInformationSequence = [Dataset(), Dataset()]
    with pytest.raises(DicomError, match="2 radiopharmaceuticals"):
        read_radiopharmaceutical(two)
    with pytest.raises(ContradictionError, match="not that of F-18"):
        read_radiopharmaceutical(
            header(
                RadionuclideCodeSequence=[code_item("77004003", "SCT", "F-18")], RadionuclideHalfLife="4062"
            )
        )


@pytest.mark.parametrize(
    ("agent", "nuclide"),
    [("FDG", "F-18"), ("Fluorodeoxyglucose F^18^", "F-18"), ("177Lu-DOTATATE", "Lu-177"), ("tracer 5", "")],
)
def test_nuclides_in_names_of_agents(agent: str, nuclide: str) -> None:
    assert nuclide_of_agent(agent) == nuclide


def test_near_half_lives_need_positrons_for_pet() -> None:
    assert nuclides_near(6586.2) == ("F-18",)
    assert nuclides_near(None) == ()
    assert nuclides_near(6.006 * 3600, pet=True) == ()
    assert "Tc-99m" in nuclides_near(6.006 * 3600, pet=False)
