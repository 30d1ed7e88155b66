"""``omnidose nuclear conceptus`` and ``breastfeeding``: words, JSON, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Cli = Callable[..., Any]


def test_agents_are_listed(cli: Cli) -> None:
    assert "99mTc-pertechnetate" in cli("nuclear", "conceptus").out.splitlines()
    assert "18F-FDG" in json.loads(cli("nuclear", "breastfeeding", "--json").out)


def test_published_and_computed_stand_side_by_side(cli: Cli) -> None:
    said = cli("nuclear", "conceptus", "MDP", "--activity", "500", "--weeks", "8", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert [row["computed"] for row in found["doses"]] == [False, True]
    assert found["doses"][0]["dose"] == pytest.approx(2.3)
    assert found["unit"] == "mGy"
    assert any("bladder is emptied" in note for note in found["notes"])


def test_fetal_thyroid_is_told_even_without_a_dose_of_the_conceptus(cli: Cli) -> None:
    said = cli("nuclear", "conceptus", "131I-iodide", "--weeks", "20")
    assert said.code == 0, said.err
    assert "fetal thyroid: 430 mGy/MBq" in said.out
    assert "no dose of the conceptus is published" in said.out.replace("\n", " ")
    early = cli("nuclear", "conceptus", "131I-iodide", "--weeks", "6")
    assert "fetal thyroid: 430" not in early.out


def test_published_coefficients_of_women_are_used(cli: Cli) -> None:
    found = json.loads(cli("nuclear", "conceptus", "AH113804", "--weeks", "5", "--json").out)
    assert found["doses"][0]["dose"] == pytest.approx(0.031, rel=0.15)  # uterus of the paper, another phantom
    assert cli("nuclear", "conceptus", "NODAGA-MJ9", "--weeks", "5").code == 2  # of men alone


def test_coefficients_of_ones_own(cli: Cli) -> None:
    said = cli(
        "nuclear", "conceptus", "--nuclide", "Tc-99m", "--source", "remainder=8", "--source",
        "bladder-contents=1", "--json",
    )  # fmt: skip
    assert json.loads(said.out)["doses"][0]["computed"] is True
    late = cli("nuclear", "conceptus", "--nuclide", "Tc-99m", "--source", "remainder=8", "--weeks", "20")
    assert late.code == 2
    assert "10th week" in late.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("conceptus", "FDG", "--weeks", "50"), "0 to 42"),
        (("conceptus", "FDG", "--stage", "late"), "early, 3-months"),
        (("conceptus", "FDG", "--stage", "early", "--weeks", "5"), "give one of them"),
        (("conceptus", "water"), "no agent 'water'"),
        (("conceptus", "FDG", "--activity", "-3"), "activity"),
        (("breastfeeding", "iodide"), "131I-iodide"),
    ],
)
def test_refusals_are_one_sentence(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    said = cli("nuclear", *arguments)
    assert said.code == 2
    assert said.err.startswith("Error: ")
    assert words in said.err


def test_breast_feeding_lists_sources_and_their_quarrel(cli: Cli) -> None:
    said = cli("nuclear", "breastfeeding", "FDG")
    assert "The sources disagree. The most careful: 12 h to 24 h (snmmi-eanm)." in said.out
    assert "icrp106" in said.out
    found = json.loads(cli("nuclear", "breastfeeding", "131I-iodide", "--json").out)
    assert found["most_careful"]["text"] == "stop"
    assert found["advice"][0]["interruption_high_h"] is None
