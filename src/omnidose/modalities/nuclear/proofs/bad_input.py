"""Rows of bad input of nuclear medicine: each mistake gets one clear sentence, or the right number."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from omnidose.kinetics.administration import hours_between
from omnidose.modalities.nuclear.proofs._small_exam import (
    Change,
    ingest_folder,
    small_body,
    small_exam,
    write_small,
)
from omnidose.modalities.nuclear.proofs.rows import answer_of, refusal_row, said_row
from omnidose.validation import Context, Row, within
from omnidose.volume import Grid, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class BadSeries:
    """A mistake in a series, and words that its sentence must hold."""

    text: str
    says: tuple[str, ...]
    change: Change | None = None
    given: Mapping[str, Any] = field(default_factory=dict)


def _pharmaceutical(**values: Any) -> Change:
    def change(item: Any, _number: int) -> None:
        for key, value in values.items():
            setattr(item.RadiopharmaceuticalInformationSequence[0], key, value)

    return change


def _header(**values: Any) -> Change:
    def change(item: Any, _number: int) -> None:
        for key, value in values.items():
            setattr(item, key, value)

    return change


def _one_of(**values: Any) -> Change:
    def change(item: Any, number: int) -> None:
        for key, value in values.items() if number == 3 else ():
            setattr(item, key, value)

    return change


def _negative(item: Any, _number: int) -> None:
    stored = np.frombuffer(item.PixelData, dtype="<i2").copy()
    stored[: stored.size // 2] = -3000
    item.PixelData = stored.tobytes()


def _dates_apart(item: Any, number: int) -> None:
    _pharmaceutical(RadiopharmaceuticalStartDateTime="20190101093000")(item, number)
    item.StudyDate = "20260101"


def _other_patient(item: Any, _number: int) -> None:
    item.PatientID, item.PatientName = "OTHER", "Other"


def _no_nuclide(item: Any, _number: int) -> None:
    inside = item.RadiopharmaceuticalInformationSequence[0]
    inside.RadionuclideCodeSequence, inside.Radiopharmaceutical, inside.RadionuclideHalfLife = (
        [],
        "tracer",
        "50000",
    )


SERIES = (
    BadSeries(
        text="Units mixed in one series", says=("different units", "CNTS"), change=_one_of(Units="CNTS")
    ),
    BadSeries(
        text="Counts without a calibration", says=("no calibration", "Bq/mL"), change=_header(Units="CNTS")
    ),
    BadSeries(
        text="A unit nobody knows", says=("unit of the images", "PROPCPS"), change=_header(Units="PROPCPS")
    ),
    BadSeries(
        text="Corrected for decay, and said not to be",
        says=("would do it twice", "not corrected"),
        change=_header(DecayCorrection="NONE"),
    ),
    BadSeries(
        text="Decay factors that lead to another moment",
        says=("twice", "decay factors"),
        change=lambda item, _n: setattr(item, "DecayFactor", f"{1.9 * float(item.DecayFactor):.9g}"),
    ),
    BadSeries(
        text="Injection after the scan",
        says=("after the start of the scan", "injection_time"),
        change=_pharmaceutical(RadiopharmaceuticalStartDateTime="20260304120000"),
    ),
    BadSeries(
        text="No time of injection",
        says=("nothing tells when", "injection_time"),
        change=_pharmaceutical(RadiopharmaceuticalStartDateTime="", RadiopharmaceuticalStartTime=""),
    ),
    BadSeries(
        text="Another date, and the dates of the series disagree",
        says=("cannot both be right", "injection_time"),
        change=_dates_apart,
    ),
    BadSeries(
        text="An activity in millicurie in the header",
        says=("not possible", "mCi", "injected_mbq"),
        change=_pharmaceutical(RadionuclideTotalDose="5.4"),
    ),
    BadSeries(
        text="An activity typed in millicurie",
        says=("curie", "37"),
        given={"injected_mbq": "5.4 mCi"},
    ),
    BadSeries(
        text="Another activity than the data give",
        says=("were said", "the data give"),
        given={"injected_mbq": 300.0},
    ),
    BadSeries(
        text="Less given than the images hold",
        says=("of what can be left", "twice"),
        change=_pharmaceutical(RadionuclideTotalDose="60000000"),
    ),
    BadSeries(
        text="No activity given",
        says=("how much activity", "injected_mbq"),
        change=_pharmaceutical(RadionuclideTotalDose=""),
    ),
    BadSeries(text="Nothing names the nuclide", says=("which radionuclide", "nuclide"), change=_no_nuclide),
    BadSeries(
        text="A half-life of another nuclide",
        says=("half-life", "F-18"),
        change=_pharmaceutical(RadionuclideHalfLife="4062.6"),
    ),
    BadSeries(
        text="A slice of another patient",
        says=("patients",),
        change=_one_of(PatientID="OTHER", PatientName="Other"),
    ),
    BadSeries(
        text="Not corrected for attenuation",
        says=("not corrected for attenuation",),
        change=_header(CorrectedImage=["DECY"], AttenuationCorrectionMethod=""),
    ),
    BadSeries(text="Values below 0", says=("below 0", "%"), change=_negative),
    BadSeries(
        text="A slice is missing",
        says=("not evenly spaced",),
        change=_one_of(ImagePositionPatient=[-92.0, -92.0, -500.0]),
    ),
    BadSeries(
        text="An effective half-life longer than the physical one",
        says=("longer than the physical", "effective_half_life_h"),
        given={"effective_half_life_h": 5.0},
    ),
    BadSeries(
        text="An unknown answer of the form",
        says=("said as 'injected'", "injected_mbq"),
        given={"injected": 5},
    ),
)


def sentence_of(case: BadSeries, folder: Path) -> str:
    """Return what is said about a bad series; empty if it is taken."""
    write_small(folder, case.change)
    return answer_of(lambda: ingest_folder(folder, case.given))


def check_bad_input(context: Context) -> Iterator[Row]:
    """Yield one row per mistake, then clocks and voxels."""
    for case in SERIES:
        context.progress(f"bad input: {case.text}")
        with tempfile.TemporaryDirectory() as name:
            yield refusal_row(case.text, sentence_of(case, Path(name) / "exam"), case.says)
    for text, says, act in CALLS:
        yield refusal_row(text, answer_of(act), says)
    yield from _clocks()
    yield from _air()


def _too_few_points() -> None:
    from omnidose.kinetics.curves import TimeActivityCurve
    from omnidose.kinetics.exponentials import Shape
    from omnidose.kinetics.fits import fit_curve

    curve = TimeActivityCurve.with_relative_std([1.0, 24.0, 72.0], [3.0, 2.0, 1.0], std_rel=0.1)
    fit_curve(curve, Shape.BI, half_life_h=159.5)


def _negative_voxels() -> None:
    from omnidose.transport.dose_kernels.convolution import local_deposition

    local_deposition(
        Volume.on_grid(np.full((2, 2, 2), -1.0), Grid.centred((2, 2, 2), (4.0, 4.0, 4.0))), "F-18"
    )


def _other_patients_time_point() -> None:
    from omnidose.dicom.emission_slices import check_same_patient
    from omnidose.dicom.inventory import read_inventory

    with tempfile.TemporaryDirectory() as name:
        write_small(Path(name) / "one")
        write_small(Path(name) / "two", _other_patient)
        with read_inventory(Path(name) / "one") as one, read_inventory(Path(name) / "two") as two:
            check_same_patient((one.series[0], two.series[0]))


CALLS: tuple[tuple[str, tuple[str, ...], Callable[[], None]], ...] = (
    ("Fewer points than parameters", ("3 points cannot determine", "4 parameters"), _too_few_points),
    ("Voxels below 0 in a map of activity", ("-1", "clipped on purpose"), _negative_voxels),
    ("A time point of another patient", ("another patient",), _other_patients_time_point),
    (
        "A residue above the assay",
        ("residue", "not below the assay"),
        lambda: (
            replace(
                small_exam().administration,
                residual_mbq=300.0,
                residual_time=datetime(2026, 3, 4, 9, 35, tzinfo=UTC),
            ),
            None,
        )[1],
    ),
    (
        "A clock without a time zone",
        ("time zone",),
        lambda: (hours_between(datetime(2026, 3, 4, 9), datetime(2026, 3, 4, 10)), None)[1],
    ),
)


def _clocks() -> Iterator[Row]:
    berlin = ZoneInfo("Europe/Berlin")
    spring = hours_between(
        datetime(2026, 3, 29, 0, 30, tzinfo=berlin), datetime(2026, 3, 29, 4, 0, tzinfo=berlin)
    )
    yield within(
        "Clocks put forward between injection (0:30) and scan (4:00)",
        spring,
        2.5,
        unit="h",
        source="29 March 2026, Europe/Berlin: 2:00 becomes 3:00",
        tolerance_rel=1e-9,
    )

    def midnight(item: Any, number: int) -> None:
        item.AcquisitionDate = item.SeriesDate = item.StudyDate = "20260305"
        item.AcquisitionTime = "003000" if number < 6 else "003300"
        item.SeriesTime = "003000"
        inside = item.RadiopharmaceuticalInformationSequence[0]
        inside.RadiopharmaceuticalStartDateTime, inside.RadiopharmaceuticalStartTime = "", "234500"

    def shifted(item: Any, number: int) -> None:
        _pharmaceutical(RadiopharmaceuticalStartDateTime="20260811093000")(item, number)

    for text, change, hours, words in (
        ("Injection 23:45 without a date, scan 0:30", midnight, 0.75, "evening before"),
        ("Date of the injection shifted by the de-identification", shifted, 1.0, "times of day"),
    ):
        with tempfile.TemporaryDirectory() as name:
            write_small(Path(name) / "exam", change)
            exam = ingest_folder(Path(name) / "exam")
        yield within(
            text, exam.hours_to_reference, hours, unit="h", source="the two times of day", tolerance_rel=1e-6
        )
        said = any(words in warning for warning in exam.warnings)
        yield said_row(f"{text}: it is said", str(said), "True", source=f"a warning with '{words}'")


def _air() -> Iterator[Row]:
    """Activity in air must give no dose spikes."""
    from omnidose.modalities.nuclear.doses import voxel_doses
    from omnidose.modalities.nuclear.exposure import DoseMethod

    body = small_body()
    activity = np.ones(body.grid.shape_zyx, dtype=np.float32)
    found = voxel_doses(DoseMethod.LOCAL, Volume.on_grid(activity, body.grid), "F-18", body)
    air = body.labels == 0
    yield within(
        "Dose in voxels of air that hold as much activity as tissue",
        float(found.electron[air].max()),
        0.0,
        unit="mGy",
        source="energy over the mass of air is no dose to anybody",
        bounds=(0.0, 0.0),
    )
