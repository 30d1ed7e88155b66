"""Rows of bad input of SPECT and time series: each mistake gets one clear sentence, or the right number."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from omnidose.modalities import ClaimKind
from omnidose.modalities.nuclear.proofs._small_series import (
    GIVEN,
    INJECTED,
    TIMES_H,
    SmallSeries,
    seen_mbq,
    with_dead_time,
    write_small_series,
)
from omnidose.modalities.nuclear.proofs.rows import answer_of, refusal_row, said_row
from omnidose.modalities.nuclear.series.exam import SeriesExam
from omnidose.validation import Context, Row, within

Edit = Callable[[Any, int], None]
BERLIN = ZoneInfo("Europe/Berlin")


@dataclass(frozen=True, slots=True, kw_only=True)
class BadSeries:
    """A mistake in a series of SPECT/CT, and words that its sentence must hold.

    Attributes
    ----------
    edit
        Changes the SPECT of a scan: (object, number of the scan from 0).
    every
        Changes all objects of a scan, the CT's too.
    """

    text: str
    says: tuple[str, ...]
    edit: Edit | None = None
    every: Edit | None = None
    given: Mapping[str, Any] = field(default_factory=lambda: dict(GIVEN))
    series: SmallSeries = field(default_factory=SmallSeries)
    without_ct: bool = False


def _set(**values: Any) -> Edit:
    def edit(item: Any, _scan: int) -> None:
        for key, value in values.items():
            setattr(item, key, value)

    return edit


def _given(**values: Any) -> Edit:
    def edit(item: Any, _scan: int) -> None:
        for key, value in values.items():
            setattr(item.RadiopharmaceuticalInformationSequence[0], key, value)

    return edit


def _one(edit: Edit, scan: int = 1) -> Edit:
    def only(item: Any, number: int) -> None:
        if number == scan:
            edit(item, number)

    return only


def _negative(item: Any, _scan: int) -> None:
    item.RescaleIntercept = f"{-1500 * float(item.RescaleSlope):.9g}"


def _other_nuclide(item: Any, _scan: int) -> None:
    from omnidose.dicom.synthetic_ct import code_item

    inside = item.RadiopharmaceuticalInformationSequence[0]
    inside.RadionuclideCodeSequence = [code_item("I-131", "99OMNIDOSE", "I-131")]
    inside.RadionuclideHalfLife = "692988"


def _event_of_all(item: Any, scan: int) -> None:
    _given(RadiopharmaceuticalAdministrationEventUID="2.25.9")(item, scan)
    if scan == 2:
        _other_nuclide(item, scan)


def _two_agents(item: Any, _scan: int) -> None:
    inside = item.RadiopharmaceuticalInformationSequence
    item.RadiopharmaceuticalInformationSequence = [inside[0], inside[0]]


def _whole_turn(item: Any, _scan: int) -> None:
    item.RotationInformationSequence[0].NumberOfFramesInRotation = 60


def _other_amount(item: Any, scan: int) -> None:
    _given(RadionuclideTotalDose=str(7400 - 400 * scan))(item, scan)


CASES = (
    BadSeries(
        text="SPECT in counts without a calibration",
        says=("no header tells", "calibration_cps_per_mbq"),
        given={},
    ),
    BadSeries(
        text="Units mixed between time points",
        says=("different units", "time point 2 in Bq/mL"),
        edit=_one(_set(Units="BQML")),
    ),
    BadSeries(text="A unit nobody knows", says=("unit of the images", "PROPCPS"), edit=_set(Units="PROPCPS")),
    BadSeries(
        text="A calibration said of images in Bq/mL",
        says=("in Bq/mL already", "calibration_cps_per_mbq"),
        series=SmallSeries(calibrated=True),
    ),
    BadSeries(
        text="Decay corrected twice: said, but the images are not",
        says=("corrected twice", "decay_corrected_to"),
        given={**GIVEN, "decay_corrected_to": "injection"},
    ),
    BadSeries(
        text="Decay corrected twice: said not to be, but it is listed",
        says=("corrected twice", "DECY"),
        edit=_set(CorrectedImage=["ATTN", "SCAT", "DECY"]),
        given={**GIVEN, "decay_corrected_to": "none"},
    ),
    BadSeries(
        text="Corrected for decay to a moment that nobody names",
        says=("to which moment", "decay_corrected_to"),
        edit=_set(CorrectedImage=["ATTN", "SCAT", "DECY"]),
    ),
    BadSeries(
        text="No list of corrections at all",
        says=("whether the images are corrected for decay", "decay_corrected_to"),
        edit=_set(CorrectedImage=[]),
    ),
    BadSeries(
        text="Dead time corrected twice",
        says=("DTIM", "twice"),
        edit=_set(CorrectedImage=["ATTN", "SCAT", "DTIM"]),
        given=with_dead_time(),
    ),
    BadSeries(
        text="Not corrected for attenuation",
        says=("attenuation is not among them", "attenuation_corrected"),
        edit=_set(CorrectedImage=["UNIF", "SCAT"]),
    ),
    BadSeries(
        text="Injection after the first scan, same day",
        says=("after the first scan", "injection_time"),
        edit=_given(RadiopharmaceuticalStartDateTime="20260304150000"),
    ),
    BadSeries(
        text="Injection on a later day than the scans",
        says=("2026-03-09", "after the first scan", "injection_time"),
        edit=_given(RadiopharmaceuticalStartDateTime="20260309093000"),
    ),
    BadSeries(
        text="A time of day without a date, and a half-life of days",
        says=("no date", "injection_time"),
        edit=_given(RadiopharmaceuticalStartDateTime="", RadiopharmaceuticalStartTime="093000"),
    ),
    BadSeries(
        text="Another moment of injection than the data give",
        says=("was said, but the data give", "injection_time"),
        given={**GIVEN, "injection_time": "2026-03-04 07:30"},
    ),
    BadSeries(
        text="200 mCi in Radionuclide Total Dose",
        says=("of what can be left of the 200 MBq", "0018,1074"),
        edit=_given(RadionuclideTotalDose="200"),
    ),
    BadSeries(
        text="7.4 GBq in becquerel in Radionuclide Total Dose",
        says=("not possible", "injected_mbq"),
        edit=_given(RadionuclideTotalDose="7400000000"),
    ),
    BadSeries(
        text="Another activity at every time point",
        says=("different activities", "injected_mbq"),
        edit=_other_amount,
    ),
    BadSeries(
        text="A time point of another patient",
        says=("2 patients",),
        every=_one(_set(PatientID="OTHER", PatientName="Other", PatientBirthDate="19500101")),
    ),
    BadSeries(
        text="Two nuclides in one administration",
        says=("2 radionuclides", "I-131"),
        edit=_event_of_all,
    ),
    BadSeries(
        text="Two radiopharmaceuticals in one image",
        says=("2 radiopharmaceuticals",),
        edit=_two_agents,
    ),
    BadSeries(
        text="Two scans eight minutes apart",
        says=("8 minutes apart", "reconstruction"),
        series=SmallSeries(times_h={1: 4.0 + 8 / 60}),
    ),
    BadSeries(
        text="Projections instead of a reconstruction",
        says=("projections",),
        edit=_set(ImageType=["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]),
    ),
    BadSeries(
        text="Gated images",
        says=("gated",),
        edit=_set(ImageType=["ORIGINAL", "PRIMARY", "RECON GATED TOMO", "EMISSION"]),
    ),
    BadSeries(
        text="Two energy windows in one object",
        says=("2 energy windows",),
        edit=_set(EnergyWindowVector=[1] * 4 + [2] * 4),
        series=SmallSeries(points=(1,)),
    ),
    BadSeries(text="Voxels below 0", says=("below 0", "%"), edit=_negative),
    BadSeries(text="No CT at any time", says=("no CT shows the anatomy", "add the CT"), without_ct=True),
    BadSeries(
        text="A SPECT upside down (sign of the spacing)",
        says=("no CT shows the anatomy", "SpacingBetweenSlices"),
        edit=_set(SpacingBetweenSlices="-16"),
        series=SmallSeries(points=(1,)),
    ),
    BadSeries(
        text="Views that cover the turn, and nobody says how many heads",
        says=("cover the whole turn", "detector_heads"),
        edit=_whole_turn,
    ),
    BadSeries(
        text="Seconds where milliseconds belong",
        says=("is not possible", "ms"),
        edit=lambda item, _n: setattr(item.RotationInformationSequence[0], "ActualFrameDuration", 40),
        series=SmallSeries(points=(1,)),
    ),
    BadSeries(
        text="A dead time that no count rate explains",
        says=("cannot record", "dead time"),
        given={**with_dead_time(), "dead_time_s": 5e-5},
    ),
)


def exam_of(folder: Path, given: Mapping[str, Any]) -> SeriesExam:
    """Survey a folder as a job does and return the record of the first administration.

    Raises
    ------
    OmnidoseError
        For an exposure that cannot be estimated: its reason.
    """
    from omnidose.dicom.inventory import read_inventory
    from omnidose.dicom.patient import single_patient
    from omnidose.modalities.nuclear import MODALITY

    with read_inventory(folder) as inventory:
        single_patient(inventory)
        claims = [c for c in MODALITY.claims(inventory) if c.kind is ClaimKind.EXPOSURE]
        claim = next((c for c in claims if c.estimable), claims[0])
        found = MODALITY.ingest(claim, given)
    if not isinstance(found, SeriesExam):
        raise TypeError("the small series is no single PET")
    return found


def written(folder: Path, case: BadSeries) -> None:
    """Write the series of a case."""

    def change(item: Any, scan: int, position: int) -> None:
        if case.every is not None:
            case.every(item, scan)
        if case.edit is not None and position == 0:
            case.edit(item, scan)

    write_small_series(folder, replace(case.series, change=change))
    if case.without_ct:
        for path in folder.glob("scan*/IM*"):
            path.unlink()


def sentence_of(case: BadSeries, folder: Path) -> str:
    """Return what is said about a bad series; empty if it is taken."""
    written(folder, case)
    return answer_of(lambda: exam_of(folder, case.given))


def check(context: Context) -> Iterator[Row]:
    """Yield one row per mistake, then what is taken: clocks, copies, activities."""
    for case in CASES:
        context.progress(f"bad series: {case.text}")
        with tempfile.TemporaryDirectory() as name:
            yield refusal_row(case.text, sentence_of(case, Path(name)), case.says)
    context.progress("bad series: clocks")
    yield from _clocks()
    yield from _copies()


def _taken(series: SmallSeries, given: Mapping[str, Any]) -> SeriesExam:
    with tempfile.TemporaryDirectory() as name:
        write_small_series(Path(name), series)
        return exam_of(Path(name), given)


def _clocks() -> Iterator[Row]:
    """Midnight, and clocks put forward between, before and after the scans."""
    evening = INJECTED.replace(hour=23, minute=40)
    changed = datetime(2026, 3, 28, 21, 0, tzinfo=BERLIN)
    autumn = datetime(2026, 10, 24, 21, 0, tzinfo=BERLIN)
    zone = {**GIVEN, "time_zone": "Europe/Berlin"}
    for text, series, given, last in (
        ("Injection before midnight, scans after it", SmallSeries(injected=evening), GIVEN, 2),
        ("Clocks put forward between the scans", SmallSeries(injected=changed), GIVEN, 2),
        ("Clocks put back between the scans", SmallSeries(injected=autumn), GIVEN, 2),
        (
            "Clocks put forward before the first scan, time zone said",
            SmallSeries(injected=changed, points=(1, 2)),
            zone,
            1,
        ),
    ):
        exam = _taken(series, given)
        yield within(
            f"{text}: hours to the last scan",
            exam.times_h[last],
            TIMES_H[2],
            unit="h",
            source="the moments at which the scans were made",
            tolerance_rel=1e-9,
        )
    exam = _taken(SmallSeries(injected=changed, points=(1, 2)), GIVEN)
    said = any("Clocks may have been changed" in warning for warning in exam.warnings)
    yield said_row(
        "Clocks put forward before the first scan, nothing said: a warning",
        str(said),
        "True",
        source="all objects give one offset from UTC, and the wall clock of the injection was another",
    )


def _with_copy(factor: float) -> SeriesExam:
    """Return the record of a folder in which the second scan lies twice, the copy times a factor."""
    import pydicom

    with tempfile.TemporaryDirectory() as name:
        write_small_series(Path(name))
        copy = pydicom.dcmread(Path(name) / "scan2" / "NM02")
        copy.SeriesInstanceUID = "2.25.55"
        copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = "2.25.56"
        copy.RescaleSlope = f"{factor * float(copy.RescaleSlope):.9e}"
        copy.save_as(Path(name) / "scan2" / "copy")
        return exam_of(Path(name), with_dead_time())


def _copies() -> Iterator[Row]:
    """A scan that was sent twice counts once; counts and Bq/mL of one scan give one activity."""
    yield refusal_row(
        "Two reconstructions of one scan that no header tells apart",
        answer_of(lambda: _with_copy(0.1)),
        ("do not tell apart", "give one of them"),
    )
    exam = _with_copy(1.0)
    yield within(
        "The same scan under other UIDs: time points",
        float(len(exam.points)),
        3.0,
        unit="",
        source="three scans were written",
        bounds=(3.0, 3.0),
    )
    calibrated = _taken(SmallSeries(calibrated=True), {})
    for position, hours in enumerate(TIMES_H):
        for text, found in (("counts", exam), ("Bq/mL", calibrated)):
            yield within(
                f"Activity in {text}, {hours:g} h",
                found.points[position].seen_mbq,
                seen_mbq(hours),
                unit="MBq",
                source="what was written; 16 bits per voxel round by 2e-4",
                tolerance_rel=1e-3,
            )
