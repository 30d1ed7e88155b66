"""What a person says about exposures: keys, pairs, and the words of refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnidose.errors import InputError
from omnidose.exams.options import EstimateOptions
from omnidose.exams.plan import plan, survey
from omnidose.exams.said import check_keys, known_fields, pairs


def test_pairs_keep_what_was_typed() -> None:
    said = pairs(["injected_mbq=250", "injection-time = 2026-03-04 09:30", "time_zone=Europe/Berlin"])
    assert said == {
        "injected_mbq": "250",
        "injection_time": "2026-03-04 09:30",
        "time_zone": "Europe/Berlin",
    }


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["injected_mbq"], "no pair"),
        (["=3"], "no pair"),
        (["injected_mbq="], "no pair"),
        (["activity=3"], "allowed: nuclide, injected_mbq"),
        (["unseen=body", "unseen=tissue"], "twice"),
    ],
)
def test_what_is_no_pair_is_refused(texts: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        pairs(texts)


def test_keys_are_those_of_the_forms() -> None:
    from omnidose.modalities.nuclear.form import FIELDS

    assert list(known_fields()) == [item.key for item in FIELDS]
    check_keys({item.key: None for item in FIELDS})


def test_python_and_command_line_refuse_the_same_keys() -> None:
    with pytest.raises(InputError, match="nothing to be said as 'dose'"):
        EstimateOptions(given={"dose": 3})


def test_a_refusal_names_the_flag_that_helps(tmp_path: Path) -> None:
    from omnidose.modalities.nuclear.proofs._small_exam import write_small

    def silent(item: object, _number: int) -> None:
        item.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = ""  # type: ignore[attr-defined]

    write_small(tmp_path, silent)
    with survey(tmp_path) as inventory:
        with pytest.raises(InputError, match="--given injected_mbq=MBQ"):
            plan(inventory)
        given = pairs(["injected_mbq=200", "residual_mbq=2.5"])
        exam = plan(inventory, EstimateOptions(given=given)).exposures[0].exposure
        assert exam.administration.net_mbq == pytest.approx(197.5)  # type: ignore[attr-defined]
        assert exam.entered == ("injected_mbq",)  # type: ignore[attr-defined]
        with pytest.raises(InputError, match="weight was said twice"):
            plan(inventory, EstimateOptions(weight_kg=60, given={**given, "weight_kg": 60}))


def test_one_activity_does_not_fit_two_administrations(tmp_path: Path) -> None:
    from omnidose.modalities.nuclear.proofs._small_exam import write_small

    def another(item: object, _number: int) -> None:
        given = item.RadiopharmaceuticalInformationSequence[0]  # type: ignore[attr-defined]
        given.RadiopharmaceuticalStartTime, given.RadiopharmaceuticalStartDateTime = (
            "090000",
            "20260304090000",
        )
        item.SeriesInstanceUID += ".9"  # type: ignore[attr-defined]
        item.SOPInstanceUID += ".9"  # type: ignore[attr-defined]
        item.StudyInstanceUID += ".9"  # type: ignore[attr-defined]

    write_small(tmp_path / "one")
    write_small(tmp_path / "two", another)
    with survey(tmp_path) as inventory:
        assert len(plan(inventory).exposures) == 2
        with pytest.raises(InputError, match="2 administrations"):
            plan(inventory, EstimateOptions(given={"injected_mbq": 200}))
