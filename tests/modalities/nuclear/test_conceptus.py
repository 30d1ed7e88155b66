"""Dose of the conceptus: published values, the uterus early on, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.errors import InputError
from omnidose.modalities.nuclear.conceptus import (
    FACTOR_95,
    Stage,
    Target,
    conceptus_dose,
    published_agents,
    published_doses,
    stage_of,
    uterus_dose,
)


def test_published_values_are_those_of_the_source() -> None:
    for stage, mgy_per_mbq in (
        ("early", 0.011),
        ("3-months", 0.022),
        ("6-months", 0.014),
        ("9-months", 0.0093),
    ):
        found = conceptus_dose("Tc-99m pertechnetate", 200.0, stage)
        assert found.dose_mgy == pytest.approx(200 * mgy_per_mbq)
        assert (found.grade, found.computed) == ("B", False)
        assert found.low95_mgy == pytest.approx(found.dose_mgy / FACTOR_95)
        assert found.high95_mgy == pytest.approx(found.dose_mgy * FACTOR_95)


@given(st.floats(0.01, 1e5), st.sampled_from(list(Stage)))
def test_dose_goes_with_the_activity_and_lies_in_its_interval(activity_mbq: float, stage: Stage) -> None:
    found = conceptus_dose("FDG", activity_mbq, stage)
    assert found.dose_mgy / activity_mbq == pytest.approx(conceptus_dose("FDG", 1.0, stage).dose_mgy)
    assert 0 < found.low95_mgy < found.dose_mgy < found.high95_mgy
    for other in found.others:
        assert found.low95_mgy < activity_mbq * other.dose_mgy_per_mbq < found.high95_mgy


def test_every_published_value_is_possible() -> None:
    from omnidose.physics.nuclides import nuclide

    for agent in published_agents():
        for item in published_doses(agent):
            assert nuclide(item.nuclide).name == item.nuclide
            assert item.grade in ("A", "B", "D")
            low, high = (1e-4, 0.5) if item.target is Target.CONCEPTUS else (10, 2000)
            assert low < item.dose_mgy_per_mbq < high


@pytest.mark.parametrize(
    ("weeks", "stage"),
    [(0, "early"), (10, "early"), (10.1, "3-months"), (19, "3-months"), (20, "6-months"), (33, "9-months")],
)
def test_stages_by_weeks(weeks: float, stage: str) -> None:
    assert stage_of(weeks) == stage


@pytest.mark.parametrize("weeks", [-1.0, 43.0, float("nan"), float("inf")])
def test_there_are_no_other_weeks(weeks: float) -> None:
    with pytest.raises(InputError, match="0 to 42"):
        stage_of(weeks)


def test_early_conceptus_is_the_uterus() -> None:
    from omnidose.dosimetry.internal.doses import organ_doses_of_activity
    from omnidose.dosimetry.internal.fractions import adult

    hours = {"bladder-contents": 0.9, "remainder": 4.0}
    found = uterus_dose(hours, "Tc-99m", 500.0)
    doses = organ_doses_of_activity(adult("adult-female"), hours, "Tc-99m", activity_mbq=500.0)
    assert found.computed
    assert found.grade == "D"
    assert found.dose_mgy == pytest.approx(doses.dose_of("uterus"))
    assert found.low95_mgy == pytest.approx(found.dose_mgy / FACTOR_95)
    beside = uterus_dose(hours, "Tc-99m", 500.0, agent="99mTc-MDP")
    assert beside.others[0].dose_mgy_per_mbq == 0.0046
    assert beside.low95_mgy == pytest.approx(min(found.dose_mgy, 2.3) / FACTOR_95)


def test_iodine_warns_of_the_thyroid() -> None:
    early = conceptus_dose("131I-iodide", 1.0, "early")
    assert any("before the 11th week" in note for note in early.notes)
    assert {item.dose_mgy_per_mbq for item in early.thyroid} == {430.0, 582.0}
    assert any("fetal thyroid" in n for n in uterus_dose({"remainder": 5.0}, "I-123", 10.0).notes)
    assert not any("thyroid" in n for n in conceptus_dose("FDG", 1.0, "6-months").notes)


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(InputError, match="allowed: 3-months"):
        conceptus_dose("99mTc-MAA", 100.0, Stage.EARLY)
    with pytest.raises(InputError, match="there is no stage"):
        conceptus_dose("FDG", 100.0, "second")
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="activity"):
            conceptus_dose("FDG", bad, "early")
    with pytest.raises(InputError, match="no agent"):
        conceptus_dose("water", 1.0, "early")


def test_what_two_sources_say_agrees_as_told() -> None:
    from omnidose.modalities.nuclear.proofs.advice import check
    from omnidose.validation import Context

    rows = list(check(Context(full=False, reference=None, progress=lambda _text: None)))
    assert len(rows) >= 15
    assert [row.name for row in rows if not row.passed] == []
