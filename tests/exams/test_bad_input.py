"""Every mistake gets one clear sentence, and nothing half-written stays behind."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from omnidose.dicom.synthetic_ct import SyntheticStudy
from omnidose.exams.bad_input import (
    GRID,
    MOST_LETTERS,
    Attempt,
    BadInput,
    Outcome,
    attempt,
    is_one_sentence,
    try_case,
    write_trunk,
)
from omnidose.exams.bad_input_cases import CASES

#: What the project promised to answer, by the names of the cases.
PROMISED = {
    "no-images", "two-patients", "sex", "age", "localizer", "no-kv", "no-hounsfield", "truncated", "no-sex",
    "no-age", "foreign-masks", "foreign-report", "two-issuers", "read-only", "ctrl-c-photons",
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_one_sentence_and_nothing_left_behind(case: BadInput, tmp_path: Path, organs_once: None) -> None:
    outcome = try_case(case, tmp_path)
    assert outcome.faults(case) == [], outcome.answer(case)


def test_all_that_was_promised_is_there() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert set(names) >= PROMISED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the folder is empty (in X); give another, e.g. A or B.", True),
        ("No full stop", False),
        ("Two. Sentences.", False),
        ("two\nlines.", False),
        ("x" * MOST_LETTERS + ".", False),
    ],
)
def test_what_one_sentence_is(text: str, expected: bool) -> None:
    assert is_one_sentence(text) is expected


CASE = BadInput(name="x", text="x", prepare=lambda folder: pytest.fail(str(folder)), says=("kV", "--kv"))
GOES_ON = BadInput(name="x", text="x", prepare=CASE.prepare, says=("kV", "--kv"), goes_on=True)


@pytest.mark.parametrize(
    ("case", "outcome", "fault"),
    [
        (CASE, Outcome(results=("out/report.html",)), "it was accepted"),
        (CASE, Outcome(), "it does not say 'kV', '--kv'"),
        (CASE, Outcome(sentence="the kV is missing."), "it does not say '--kv'"),
        (CASE, Outcome(sentence="The kV is missing. Give --kv."), "the answer is not one sentence"),
        (CASE, Outcome(sentence="no kV; give --kv.", leftovers=(".out.partial-1",)), "left behind"),
        (GOES_ON, Outcome(sentence="no kV; give --kv."), "it was refused"),
        (GOES_ON, Outcome(remarks=("no kV; give --kv.",)), "there is no result"),
        (GOES_ON, Outcome(remarks=("all is well.",), results=("out/x",)), "it does not say"),
    ],
)
def test_a_wrong_answer_is_a_fault(case: BadInput, outcome: Outcome, fault: str) -> None:
    assert any(fault in found for found in outcome.faults(case))


def test_a_right_answer_is_none() -> None:
    assert Outcome(sentence="no kV; give --kv.").faults(CASE) == []
    assert Outcome(remarks=("x.", "no kV; give --kv."), results=("out/x",)).faults(GOES_ON) == []


def test_many_patients_are_still_one_sentence(tmp_path: Path) -> None:
    slab = replace(GRID, shape_zyx=(1, 48, 64))
    for number in range(9):
        who = SyntheticStudy(key=str(number), patient_id=f"P{number}", patient_name=f"Name^{number}")
        write_trunk(tmp_path / "exam" / str(number), grid=slab, study=who)
    sentence = attempt(Attempt(exam=tmp_path / "exam", out=tmp_path / "out"), tmp_path).sentence
    assert is_one_sentence(sentence)
    assert "9 patients" in sentence
    assert "and 5 more" in sentence
    assert "P3" not in sentence


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX folders")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_rights(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "read-only")
    given = case.prepare(tmp_path)
    assert given.out.parent.parent.is_dir()
    assert "Permission denied" in attempt(given, tmp_path).sentence
