"""SPECT/CT at several times -> one record: grouping, units, times, what is asked for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.dicom.inventory import Inventory, read_inventory
from omnidose.dicom.nm_times import Corrections
from omnidose.dicom.radiopharmaceutical import Radiopharmaceutical
from omnidose.errors import ContradictionError, DicomError, InputError
from omnidose.modalities import Claim, ClaimKind
from omnidose.modalities.nuclear import MODALITY
from omnidose.modalities.nuclear.claims import SeriesPayload
from omnidose.modalities.nuclear.exposure import NuclearExam
from omnidose.modalities.nuclear.form import FIELDS, SERIES_KEYS, DecayMoment
from omnidose.modalities.nuclear.imaging.objects import HEADS
from omnidose.modalities.nuclear.ingest_spect import decay_moment
from omnidose.modalities.nuclear.ingest_values import Notes
from omnidose.modalities.nuclear.proofs._small_exam import write_small
from omnidose.modalities.nuclear.proofs._small_series import (
    ASSAY_MBQ,
    CAMERA,
    GIVEN,
    INJECTED,
    TIMES_H,
    SmallSeries,
    seen_mbq,
    with_dead_time,
    write_small_series,
)
from omnidose.modalities.nuclear.scans import EmissionScan, emission_scan, same_administration
from omnidose.modalities.nuclear.series.exam import SeriesExam


def exposures(inventory: Inventory) -> list[Claim]:
    return [c for c in MODALITY.claims(inventory) if c.kind is ClaimKind.EXPOSURE]


def ingested(folder: Path, given: Mapping[str, Any] = GIVEN) -> SeriesExam:
    with read_inventory(folder) as inventory:
        (claim,) = (c for c in exposures(inventory) if c.estimable)
        exam = MODALITY.ingest(claim, given)
    assert isinstance(exam, SeriesExam)
    return exam


@pytest.fixture
def series(tmp_path: Path) -> Callable[..., SeriesExam]:
    """Return a function that writes the small series and returns its record."""

    def make(given: Mapping[str, Any] = GIVEN, **wanted: Any) -> SeriesExam:
        write_small_series(tmp_path / "exam", SmallSeries(**wanted))
        return ingested(tmp_path / "exam", given)

    return make


def words(exam: SeriesExam) -> str:
    return " ".join((*(a.text for a in exam.assumptions), *exam.warnings))


def test_counts_become_the_activity_that_was_there(series: Callable[..., SeriesExam]) -> None:
    exam = series(with_dead_time())
    assert exam.times_h == TIMES_H
    # 16 bits and a hot ball: rounding of the body's voxels is 2e-4 of the whole
    assert [p.seen_mbq for p in exam.points] == pytest.approx([seen_mbq(t) for t in TIMES_H], rel=3e-4)
    assert exam.reference == 1
    assert [p.ct_hu is None for p in exam.points] == [False, True, False]
    assert (exam.nuclide, exam.administration.assay_mbq, exam.therapy) == ("Lu-177", ASSAY_MBQ, True)
    assert exam.administration.injection_time == INJECTED
    assert exam.calibration.cps_per_mbq == CAMERA.cps_per_mbq
    assert exam.calibration.std_rel == 0.05
    assert set(exam.entered) == {"calibration_cps_per_mbq", "dead_time_s", "detector_heads"}
    assert "entered by a person" in words(exam)
    assert not exam.warnings


def test_without_a_dead_time_early_scans_show_less(series: Callable[..., SeriesExam]) -> None:
    exam = series()
    shown = [p.seen_mbq / seen_mbq(t) for p, t in zip(exam.points, TIMES_H, strict=True)]
    assert shown[0] < shown[1] < shown[2] < 1
    assert shown[0] == pytest.approx(
        np.exp(-CAMERA.dead_time_s * CAMERA.cps_per_mbq * seen_mbq(4.0)), rel=2e-3
    )
    assert "dead time of the camera is not corrected" in words(exam)


def test_calibrated_images_need_nothing_said(series: Callable[..., SeriesExam]) -> None:
    exam = series({}, calibrated=True)
    assert [p.seen_mbq for p in exam.points] == pytest.approx([seen_mbq(t) for t in TIMES_H], rel=3e-4)
    assert exam.entered == ()
    assert exam.calibration.cps_per_mbq == 1.0
    with pytest.raises(ContradictionError, match="in Bq/mL already"):
        series(GIVEN, calibrated=True)
    with pytest.raises(ContradictionError, match=r"corrected for it \(DTIM\)"):
        series({"dead_time_s": 1e-6}, calibrated=True)


def test_one_spect_is_a_series_of_one(series: Callable[..., SeriesExam]) -> None:
    exam = series(
        {**GIVEN, "effective_half_life_h": 60, "purpose": "diagnosis", "image_fwhm_mm": 12}, points=(1,)
    )
    assert len(exam.points) == 1
    assert (exam.reference, exam.effective_half_life_h, exam.therapy, exam.image_fwhm_mm) == (
        0,
        60,
        False,
        12,
    )


def test_everything_that_is_left_in_is_one_exposure(tmp_path: Path) -> None:
    write_small_series(tmp_path)
    with read_inventory(tmp_path) as inventory:
        (claim,) = exposures(inventory)
        assert isinstance(claim.payload, SeriesPayload)
        assert claim.title == "SPECT, 177Lu-DOTATATE, 7400 MBq, 3 time points"
        assert len(claim.series_uids) == 4
        assert claim.payload.series.modality == "CT"
        anatomy = [c for c in MODALITY.claims(inventory) if c.kind is ClaimKind.ANATOMY]
        assert [c.series_uids for c in anatomy] == [claim.series_uids[:1]]


def change_spect(edit: Callable[[Any, int], None]) -> Callable[[Any, int, int], None]:
    def change(item: Any, scan: int, position: int) -> None:
        if position == 0:
            edit(item, scan)

    return change


def pharmaceutical(**values: Any) -> Callable[[Any, int], None]:
    def edit(item: Any, _scan: int) -> None:
        for key, value in values.items():
            setattr(item.RadiopharmaceuticalInformationSequence[0], key, value)

    return edit


def test_several_reconstructions_are_one_time_point(tmp_path: Path) -> None:
    write_small_series(tmp_path)
    other = pydicom.dcmread(tmp_path / "scan1" / "NM01")
    other.SeriesInstanceUID = "2.25.55"
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = "2.25.56"
    other.CorrectedImage = ["UNIF"]
    other.SeriesDescription = "no correction"
    other.save_as(tmp_path / "scan1" / "NM01b")
    exam = ingested(tmp_path)
    assert len(exam.points) == 3
    assert "has 2 reconstructions: 'SPECT, OSEM, AC, SC, counts'" in words(exam)


@pytest.mark.parametrize("factor", [1.0, 1.04, 3.0])
def test_reconstructions_that_headers_do_not_tell_apart(factor: float, tmp_path: Path) -> None:
    """A map of attenuation may be among them."""
    write_small_series(tmp_path)
    other = pydicom.dcmread(tmp_path / "scan1" / "NM01")
    other.SeriesInstanceUID = "2.25.55"
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = "2.25.56"
    other.RescaleSlope = f"{factor * float(other.RescaleSlope):.9e}"
    other.save_as(tmp_path / "scan1" / "NM01b")
    if factor < 1.05:
        assert len(ingested(tmp_path).points) == 3
        return
    with pytest.raises(DicomError, match="do not tell apart"):
        ingested(tmp_path)


def test_two_parts_of_the_body_are_not_joined(tmp_path: Path) -> None:
    write_small_series(tmp_path, SmallSeries(points=(1,)))
    other = pydicom.dcmread(tmp_path / "scan2" / "NM02")
    other.SeriesInstanceUID = "2.25.55"
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = "2.25.56"
    other.DetectorInformationSequence[0].ImagePositionPatient = [-88, -88, 60]
    other.AcquisitionTime = "101000"
    other.save_as(tmp_path / "scan2" / "NM02b")
    with pytest.raises(DicomError, match="2 SPECT series of different parts"):
        ingested(tmp_path)


def test_two_cycles_are_two_exposures(tmp_path: Path) -> None:
    write_small_series(tmp_path / "a")
    write_small_series(
        tmp_path / "b",
        SmallSeries(injected=INJECTED + timedelta(days=56), change=new_uids("cycle 2")),
    )
    with read_inventory(tmp_path) as inventory:
        assert sorted(len(c.payload.points) for c in exposures(inventory)) == [3, 3]


def new_uids(name: str) -> Callable[[Any, int, int], None]:
    from omnidose.dicom.files import make_uid

    def change(item: Any, _scan: int, _position: int) -> None:
        for key in ("SeriesInstanceUID", "SOPInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
            setattr(item, key, make_uid(name, str(getattr(item, key))))
        item.file_meta.MediaStorageSOPInstanceUID = item.SOPInstanceUID

    return change


def test_the_anatomy_is_the_ct_nearest_to_a_day(tmp_path: Path) -> None:
    write_small_series(tmp_path)
    for path in (tmp_path / "scan2").glob("IM*"):
        path.unlink()
    exam = ingested(tmp_path)
    assert exam.reference == 0
    assert [p.ct_hu is None for p in exam.points] == [True, True, False]
    for folder in ("scan1", "scan3"):
        for path in (tmp_path / folder).glob("IM*"):
            path.unlink()
    with pytest.raises(DicomError, match="no CT shows the anatomy of any of the 3 scans"):
        ingested(tmp_path)


def test_activity_beyond_the_ct_is_said(tmp_path: Path) -> None:
    write_small_series(tmp_path, SmallSeries(points=(1,)))
    for path in sorted((tmp_path / "scan2").glob("IM*"))[:6]:  # from the head down
        path.unlink()
    assert "of the activity in the images of the reference scan lies beyond its CT" in words(
        ingested(tmp_path)
    )


def test_clocks_that_change_between_the_scans(series: Callable[..., SeriesExam]) -> None:
    """Injected the evening before summer time begins: the wall clock of the second scan is an hour late."""
    berlin = ZoneInfo("Europe/Berlin")
    exam = series(injected=datetime(2026, 3, 28, 21, 0, tzinfo=berlin))
    assert exam.times_h == TIMES_H
    assert "clocks were changed between the scans" in words(exam)
    settled = series(
        {**GIVEN, "time_zone": "Europe/Berlin"}, injected=datetime(2026, 3, 28, 21, tzinfo=berlin)
    )
    assert settled.times_h == TIMES_H
    assert "clocks were changed" not in words(settled)


def test_clocks_that_changed_before_the_first_scan(series: Callable[..., SeriesExam]) -> None:
    """All objects have the offset of summer; the wall clock of the injection was that of winter."""
    injected = datetime(2026, 3, 28, 21, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    exam = series(injected=injected, points=(1, 2))
    assert exam.times_h == (25.0, 97.0)
    assert "Clocks may have been changed" in words(exam)
    settled = series({**GIVEN, "time_zone": "Europe/Berlin"}, injected=injected, points=(1, 2))
    assert settled.times_h == TIMES_H[1:]
    assert not settled.warnings


def test_clocks_without_a_zone(series: Callable[..., SeriesExam]) -> None:
    def no_zone(item: Any, _scan: int) -> None:
        del item.TimezoneOffsetFromUTC

    exam = series(
        change=change_spect(no_zone), injected=datetime(2026, 3, 28, 21, tzinfo=ZoneInfo("Europe/Berlin"))
    )
    # nothing tells that the second scan's clock had been put forward
    assert exam.times_h[1] == pytest.approx(TIMES_H[1] + 1)
    assert "The time zone is unknown" in words(exam)
    known = series(
        {**GIVEN, "time_zone": "Europe/Berlin"},
        change=change_spect(no_zone),
        injected=datetime(2026, 3, 28, 21, tzinfo=ZoneInfo("Europe/Berlin")),
    )
    assert known.times_h == TIMES_H


def test_an_offset_in_the_time_of_injection_counts(series: Callable[..., SeriesExam]) -> None:
    exam = series(change=change_spect(pharmaceutical(RadiopharmaceuticalStartDateTime="20260304083000+0000")))
    assert exam.times_h == TIMES_H


def test_over_midnight(series: Callable[..., SeriesExam]) -> None:
    late = INJECTED.replace(hour=23, minute=40)
    exam = series(injected=late)
    assert exam.times_h == TIMES_H
    assert exam.points[0].start.date() == late.date() + timedelta(days=1)


def test_injection_said_by_a_person(series: Callable[..., SeriesExam]) -> None:
    silent = change_spect(
        pharmaceutical(
            RadiopharmaceuticalStartDateTime="", RadiopharmaceuticalStartTime="", RadionuclideTotalDose=""
        )
    )
    with pytest.raises(DicomError, match="injection_time"):
        series(change=silent)
    exam = series(
        {**GIVEN, "injection_time": "2026-03-04 09:30", "injected_mbq": 7300, "residual_mbq": 30},
        change=silent,
    )
    assert exam.times_h == TIMES_H
    assert exam.administration.net_mbq == pytest.approx(7270)
    assert {"injection_time", "injected_mbq"} <= set(exam.entered)
    with pytest.raises(ContradictionError, match="was said, but the data give"):
        series({**GIVEN, "injection_time": "2026-03-04 12:30"})


def test_views_that_cover_the_turn_ask_for_the_heads(series: Callable[..., SeriesExam]) -> None:
    def together(item: Any, _scan: int) -> None:
        turn = item.RotationInformationSequence[0]
        turn.NumberOfFramesInRotation, turn.ScanArc = 60, "360"

    with pytest.raises(DicomError, match="detector_heads"):
        series(change=change_spect(together))
    exam = series({**GIVEN, "detector_heads": HEADS}, change=change_spect(together))
    assert [p.duration_s for p in exam.points] == [1200.0] * 3
    assert "60 views, shared by 2 heads lasts 1200 s" in words(exam)


def test_durations_that_nobody_wrote(series: Callable[..., SeriesExam]) -> None:
    def silent(item: Any, _scan: int) -> None:
        del item.RotationInformationSequence

    with pytest.raises(DicomError, match="scan_duration_s"):
        series(change=change_spect(silent))
    exam = series({**with_dead_time(), "scan_duration_s": 1200}, change=change_spect(silent))
    assert exam.points[2].seen_mbq == pytest.approx(seen_mbq(TIMES_H[2]), rel=3e-4)
    with pytest.raises(ContradictionError, match="600 s was said"):
        series({**GIVEN, "scan_duration_s": 600})


STATED = Corrections(stated=True, decay=False, dead_time=False, attenuation=True, scatter=True)


@pytest.mark.parametrize(
    ("change", "said", "expected"),
    [
        ({}, None, "none"),
        ({}, "none", "none"),
        ({}, "injection", "corrected twice"),
        ({"decay": True}, None, "to which moment"),
        ({"decay": True}, "scan start", "scan start"),
        ({"decay": True}, "none", "corrected twice"),
        ({"decay": True, "decay_moment": "START"}, None, "scan start"),
        ({"decay": True, "decay_moment": "ADMIN"}, None, "injection"),
        ({"decay": True, "decay_moment": "ADMIN"}, "scan start", "corrected twice"),
        ({"decay": True, "decay_moment": "NONE"}, None, "two things about decay"),
        ({"decay_moment": "START"}, None, "two things about decay"),
        ({"stated": False}, None, "whether the images are corrected"),
        ({"stated": False}, "injection", "injection"),
        ({"stated": False, "decay_moment": "START"}, None, "scan start"),
    ],
)
def test_moments_of_decay(change: dict[str, Any], said: str | None, expected: str) -> None:
    done = replace(STATED, **change)
    if expected in set(DecayMoment):
        assert decay_moment(done, said, Notes()) == expected
        return
    with pytest.raises(InputError, match=expected):
        decay_moment(done, said, Notes())


@pytest.mark.parametrize("moment", ["scan start", "injection"])
def test_counts_corrected_for_decay(moment: str, series: Callable[..., SeriesExam]) -> None:
    def corrected(item: Any, scan: int) -> None:
        hours = {"scan start": 0.0, "injection": TIMES_H[scan]}[moment]
        half_life_h = 6.647 * 24
        factor = 2 ** (hours / half_life_h)
        item.RescaleSlope = f"{float(item.RescaleSlope) * factor:.9e}"
        item.CorrectedImage = ["UNIF", "ATTN", "SCAT", "DECY"]

    plain = series(with_dead_time())
    exam = series({**with_dead_time(), "decay_corrected_to": moment}, change=change_spect(corrected))
    during = plain.points[0].seen_mbq / exam.points[0].seen_mbq
    # the mean over 20 minutes, taken for the value at the begin
    assert during == pytest.approx(1 + 0.5 * np.log(2) * (1 / 3) / 159.5, rel=1e-4)
    assert exam.points[2].seen_mbq * during == pytest.approx(plain.points[2].seen_mbq, rel=1e-3)
    assert "decay_corrected_to" in exam.entered


def test_attenuation_that_is_not_listed(series: Callable[..., SeriesExam]) -> None:
    def bare(item: Any, _scan: int) -> None:
        item.CorrectedImage = ["UNIF"]

    with pytest.raises(DicomError, match="attenuation_corrected=yes"):
        series(change=change_spect(bare))
    exam = series({**GIVEN, "attenuation_corrected": "yes"}, change=change_spect(bare))
    assert "attenuation_corrected" in exam.entered
    assert "corrected for scatter" in words(exam)


def test_a_maker_that_may_write_the_end_of_the_scan(series: Callable[..., SeriesExam]) -> None:
    from omnidose.dicom.nm_series import NmFacts
    from omnidose.modalities.nuclear.ingest_spect import say_start

    def maker(item: Any, _scan: int) -> None:
        item.Manufacturer = "GE MEDICAL SYSTEMS"

    exam = series(change=change_spect(maker))
    effects = [a.effect for a in exam.assumptions if a.key == "nuclear.scan_start"]
    assert effects == ["if it is the end, activities are 0.14 % too high"]
    assert not exam.warnings
    facts, notes = NmFacts.__new__(NmFacts), Notes()
    object.__setattr__(facts, "manufacturer", "GE")
    say_start(facts, 1800.0, 6.0, notes)  # half an hour of Tc-99m
    assert "5.9 % too high" in notes.warnings[0]


def test_amounts_that_cannot_be(series: Callable[..., SeriesExam]) -> None:
    curie = change_spect(pharmaceutical(RadionuclideTotalDose="200"))
    with pytest.raises(ContradictionError, match="of what can be left of the 200 MBq"):
        series(change=curie)
    bq = change_spect(pharmaceutical(RadionuclideTotalDose="7.4e9"))
    with pytest.raises(DicomError, match="not possible"):
        series(change=bq)
    exam = series({**GIVEN, "injected_mbq": 7400}, change=bq)
    assert "impossible in its unit" in words(exam)

    def different(item: Any, scan: int) -> None:
        pharmaceutical(RadionuclideTotalDose=str(7400 - 500 * scan))(item, scan)

    with pytest.raises(ContradictionError, match="different activities: 7400, 6900, 6400 MBq"):
        series(change=change_spect(different))


def test_pet_at_two_times_with_a_ct(tmp_path: Path) -> None:
    from omnidose.dicom.synthetic_ct import SyntheticStudy, write_ct_series
    from omnidose.modalities.nuclear.proofs._small_exam import small_body, small_exam
    from omnidose.modalities.nuclear.synthetic import activity_of, write_exam

    body = small_body()
    first = small_exam(activity=activity_of(body, 100.0, {"liver": 0.3}))
    hours = timedelta(hours=1)
    moved = replace(
        first.scan, first=first.scan.first + hours, last=first.scan.last + hours,
        reference=first.scan.reference + hours,
    )  # fmt: skip
    second = small_exam(activity=activity_of(body, 60.0, {"liver": 0.3}), scan=moved, seen_mbq=60.0)
    studies = [SyntheticStudy(key=f"petct {n}", date="20260304", time=f"1{n}3000") for n in (0, 1)]
    for number, exam in enumerate((first, second)):
        write_exam(exam, body, tmp_path / f"pet{number}", study=studies[number])
    with read_inventory(tmp_path) as inventory:  # without a CT: one of them, as before
        (claim,) = exposures(inventory)
        found = MODALITY.ingest(claim)
        assert isinstance(found, NuclearExam)
        assert any("2 PET series" in a.text for a in found.assumptions)
    hu = np.where(body.labels > 0, 0, -1000)
    write_ct_series(tmp_path / "ct", hu, body.grid, study=studies[1])
    series_exam = ingested(tmp_path, {})
    assert [p.modality for p in series_exam.points] == ["PT", "PT"]
    assert [p.seen_mbq for p in series_exam.points] == pytest.approx([100.0, 60.0], rel=1e-3)
    assert (series_exam.reference, series_exam.therapy) == (1, False)
    with pytest.raises(ContradictionError, match="in Bq/mL already"):
        ingested(tmp_path, GIVEN)
    for path in sorted((tmp_path / "pet1").iterdir())[:5]:  # a late scan of a part is no time point
        path.unlink()
    with read_inventory(tmp_path) as inventory:
        (claim,) = exposures(inventory)
        assert isinstance(MODALITY.ingest(claim), NuclearExam)


def test_what_is_said_of_the_wrong_exam_is_refused(tmp_path: Path, series: Callable[..., SeriesExam]) -> None:
    with pytest.raises(InputError, match="'unseen' was said"):
        series({**GIVEN, "unseen": "body"})
    write_small(tmp_path / "pet")
    with (
        read_inventory(tmp_path / "pet") as inventory,
        pytest.raises(InputError, match="'dead_time_s' was said"),
    ):
        MODALITY.ingest(exposures(inventory)[0], {"dead_time_s": 1e-6})
    assert set(SERIES_KEYS) <= {f.key for f in FIELDS}


def test_a_damaged_spect_says_why_when_it_is_used(tmp_path: Path) -> None:
    def no_place(item: Any, scan: int) -> None:
        if scan == 1:
            del item.DetectorInformationSequence

    write_small_series(tmp_path, SmallSeries(change=change_spect(no_place)))
    with read_inventory(tmp_path) as inventory:
        claims = exposures(inventory)
        assert [len(c.payload.points) for c in claims] == [2, 1]
        with pytest.raises(DicomError, match="where they lie"):
            MODALITY.ingest(claims[1], GIVEN)


def test_projections_beside_it_are_listed(tmp_path: Path) -> None:
    write_small_series(tmp_path)
    views = pydicom.dcmread(tmp_path / "scan1" / "NM01")
    views.ImageType = ["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]
    views.SeriesInstanceUID = "2.25.55"
    views.SOPInstanceUID = views.file_meta.MediaStorageSOPInstanceUID = "2.25.56"
    views.save_as(tmp_path / "scan1" / "views")
    with read_inventory(tmp_path) as inventory:
        listed = [c for c in exposures(inventory) if not c.estimable]
        assert [c.reason for c in listed] == ["projections of a SPECT: the reconstructed images are needed"]
        assert len([c for c in exposures(inventory) if c.estimable]) == 1


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> list[EmissionScan]:
    folder = tmp_path_factory.mktemp("scans")
    write_small_series(folder)
    with read_inventory(folder) as inventory:
        found = [emission_scan(s) for s in inventory.series if s.modality == "NM"]
    shutil.rmtree(folder)
    return sorted(found, key=lambda s: s.start)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ({"event_uid": "1"}, {"event_uid": "1", "nuclide": "I-131"}, True),
        ({"event_uid": "1"}, {"event_uid": "2"}, False),
        ({}, {"nuclide": "I-131"}, False),
        ({}, {"agent": "DOTATATE", "total_mbq": None}, True),
        ({}, {"start": "20260304093500"}, True),
        ({}, {"start": "20260305093000"}, False),
        ({"start": "", "has_date": False}, {"start": "", "has_date": False}, True),
        ({"start": "", "has_date": False, "agent": "x"}, {"start": "", "has_date": False}, False),
        ({"start": "", "has_date": False, "total_mbq": 3700.0}, {}, False),
        ({"start": "093000", "has_date": False}, {}, True),
        ({"start": "113000", "has_date": False}, {}, False),
    ],
)
def test_what_makes_one_administration(
    one: dict[str, Any], two: dict[str, Any], same: bool, scans: list[EmissionScan]
) -> None:
    a = replace(scans[0], given=replace(scans[0].given, **one))
    b = replace(scans[2], given=replace(scans[2].given, **two))
    assert same_administration(a, b) == same
    assert same_administration(b, a) == same


@given(minutes=st.integers(-2000, 2000))
def test_moments_within_ten_minutes_are_one(minutes: int) -> None:
    moment = INJECTED + timedelta(minutes=minutes)
    item = Radiopharmaceutical(nuclide="Lu-177", start=f"{moment:%Y%m%d%H%M%S}", has_date=True)
    base = Radiopharmaceutical(nuclide="Lu-177", start=f"{INJECTED:%Y%m%d%H%M%S}", has_date=True)
    a, b = (EmissionScan.__new__(EmissionScan) for _ in range(2))
    for scan, value in ((a, item), (b, base)):
        object.__setattr__(scan, "given", value)
        object.__setattr__(scan, "facts", None)
    assert same_administration(a, b) == (abs(minutes) <= 10)
