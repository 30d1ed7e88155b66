"""What the report and the files of a job show of a series."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from omnidose.dosimetry.results import ExposureResult
from omnidose.modalities.nuclear import MODALITY
from omnidose.modalities.nuclear.series.exam import SeriesExam
from omnidose.report import charts, series_words
from omnidose.report.content import ReportContent
from omnidose.report.html import render
from omnidose.report.series import activity_charts, limit_bars, section, therapy_facts


@pytest.fixture(scope="module")
def result(case: Any, series: SeriesExam) -> ExposureResult:
    return MODALITY.estimate(series, case.body, histories=30_000)


def test_the_page_tells_patient_physician_and_physicist(result: ExposureResult) -> None:
    page = render(ReportContent(title="Absorbed doses of this therapy", results=(result,)))
    assert "Dose after a therapy" in page
    assert "In plain words" in page
    assert "For the physician" in page
    assert "Largest contribution" in page
    assert "Three ways to the same doses" in page
    assert "EQD2" in page
    assert "Beside limits of practice" in page
    assert "Effective dose" not in page
    kidneys = result.organ_doses.dose_of("kidneys") / 1000
    assert f"{kidneys:.2g} gray" in page


def test_a_diagnosis_has_neither_effects_nor_patient_words(case: Any, series: SeriesExam) -> None:
    plain = MODALITY.estimate(replace(series, therapy=False), case.body, histories=30_000)
    found = section(plain)
    assert found is not None
    assert (found["effects"], found["limits"], found["patient"]) == ([], [], "")
    page = render(ReportContent(title="Organ doses", results=(plain,)))
    assert "Imaging dose" in page
    assert "EQD2" not in page


def test_charts_have_a_line_and_points_per_outline(result: ExposureResult) -> None:
    figure = next(f for f in result.figures if f.key == "series-activity")
    found = dict(activity_charts(figure))
    assert set(found) == {"Organs and the rest of the body", "Lesions"}
    organs = found["Organs and the rest of the body"]
    assert {line.name for line in organs.chart.lines} == {
        "Left kidney", "Right kidney", "Liver", "Rest of the body",
    }  # fmt: skip
    assert len(organs.marks) == 4 * 4
    for mark in organs.marks:
        assert organs.chart.left <= mark.x <= organs.chart.right
        assert mark.high <= mark.y <= mark.low  # upward is smaller


def test_limits_are_bars_with_their_end(result: ExposureResult) -> None:
    rows = next(f for f in result.figures if f.key == "series-effects").data["limits"]
    bars = limit_bars(rows)
    assert len(bars) == len(rows)
    for bar, row in zip(bars, rows, strict=True):
        assert bar.used / bar.limit_at == pytest.approx(row["used_fraction"])
        assert bar.low <= bar.used <= bar.high <= 100.0


def test_lesions_have_bars_of_their_own(result: ExposureResult) -> None:
    doses = result.organ_doses
    assert all(not bar.name.startswith("Lesion") for bar in charts.organ_bars(doses))
    assert [bar.name for bar in charts.lesion_bars(doses)] == ["Lesion 1"]
    chart = charts.dvh_chart(doses, "mGy")
    assert chart is not None
    assert "Lesion 1" in {line.name for line in chart.lines}


def test_facts_of_a_therapy_are_in_gray(result: ExposureResult) -> None:
    facts = {name: value for name, value, _remark in therapy_facts(result)}
    assert facts["Kidneys"] == f"{result.organ_doses.dose_of('kidneys') / 1000:.3g} Gy"
    assert "Lesion 1" in facts


def test_units_of_exposures_do_not_mix(result: ExposureResult) -> None:
    """A relative CT beside a therapy changes no unit of the therapy."""
    doses = replace(result.organ_doses, relative_to="mGy CTDIvol (32 cm)")
    other = replace(result, organ_doses=doses, figures=(), therapy=False, title="CT helical", quantities={})
    content = ReportContent(title="Both", results=(result, other))
    assert content.unit == "mGy"
    assert content.others_relative == ("CT helical",)
    page = render(content)
    assert "Relative results on this page" in page
    assert "so every dose on this page" not in page


def test_words_for_a_patient_without_lesions_and_kidneys() -> None:
    said = series_words.series_patient([], [])
    assert "gray" not in said
    assert "doctor" in said


def test_the_table_keeps_radiations_apart(result: ExposureResult) -> None:
    for row in result.organ_doses.rows():
        parts = row["photon_mgy"] + row["electron_mgy"] + row["alpha_mgy"]
        assert parts == pytest.approx(row["dose_mgy"])
        assert row["alpha_mgy"] == 0.0
