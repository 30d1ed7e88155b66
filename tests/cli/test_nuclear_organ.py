"""``omnidose nuclear organ``: what it prints, its JSON, its errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from omnidose.cli.nuclear_organ import asked_for, pairs
from omnidose.errors import InputError

LUTETIUM = ("nuclear", "organ", "Lu-177", "--source", "kidneys=1.2", "--source", "liver=3.1")


def as_json(cli: Callable[..., Any], *options: object) -> dict[str, Any]:
    """Return what a command prints as JSON."""
    said = cli(*options, "--json")
    assert said.code == 0, said.err
    content: dict[str, Any] = json.loads(said.out)
    return content


def dose(content: dict[str, Any], phantom: str, organ: str) -> float:
    """Return one dose."""
    return float(next(row["dose"] for row in content["doses"][phantom] if row["organ"] == organ))


def test_doses_of_both_adults(cli: Callable[..., Any]) -> None:
    text = " ".join(cli(*LUTETIUM).out.split())
    for words in ("Lu-177: organ doses (mGy/MBq)", "adult-male", "adult-female", "kidneys", "ovaries"):
        assert words in text, words


def test_activity_phantom_and_mass(cli: Callable[..., Any]) -> None:
    per_mbq = as_json(cli, *LUTETIUM, "--phantom", "adult-male")
    absolute = as_json(cli, *LUTETIUM, "--phantom", "adult-male", "--activity", "7400")
    heavier = as_json(cli, *LUTETIUM, "--phantom", "adult-male", "--mass", "kidneys=598.2")
    assert absolute["unit"] == "mGy"
    kidneys = dose(per_mbq, "adult-male", "kidneys")
    assert dose(absolute, "adult-male", "kidneys") == pytest.approx(7400 * kidneys)
    assert dose(heavier, "adult-male", "kidneys") == pytest.approx(kidneys / 2, rel=0.02)


def test_fdg_by_its_model(cli: Callable[..., Any]) -> None:
    content = as_json(cli, "nuclear", "organ", "--agent", "FDG", "--effective-dose")
    assert content["nuclide"] == "F-18"
    assert content["coefficients_h"]["brain"] == pytest.approx(0.21, abs=0.005)
    assert any("from memory" in note for note in content["notes"])
    assert any("emptied every 3.5 h" in note for note in content["notes"])
    assert 0.01 < content["effective_dose"]["value_msv"] < 0.03
    often = as_json(cli, "nuclear", "organ", "F-18", "--agent", "18F-FDG", "--void", "1")
    assert dose(often, "adult-male", "bladder") < dose(content, "adult-male", "bladder")


def test_published_coefficients_by_sex(cli: Callable[..., Any]) -> None:
    both = as_json(cli, "nuclear", "organ", "--agent", "AH113804")
    assert set(both["coefficients_h"]) == {"M", "F"}
    said = cli("nuclear", "organ", "--agent", "68Ga-NODAGA-MJ9", "--phantom", "adult-female")
    assert said.code == 2
    assert "coefficients are of M persons" in said.err


def test_progeny_are_told(cli: Callable[..., Any]) -> None:
    content = as_json(cli, "nuclear", "organ", "Ac-225", "--source", "kidneys=1", "--phantom", "adult-male")
    assert content["progeny_per_decay"]["Bi-213"] == pytest.approx(1, rel=1e-3)
    assert any("progeny decay where they are made" in note for note in content["notes"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("Lu-177",), "either --source or --agent"),
        (("Lu-177", "--source", "kidneys=1", "--agent", "FDG"), "either --source or --agent"),
        (("--source", "kidneys=1"), "sources need a nuclide"),
        (("Lu-177", "--agent", "FDG"), "carries F-18"),
        (("--agent", "elixir"), "no agent 'elixir'"),
        (("Lu-177", "--source", "kidneys"), "no pair of a name and a number"),
        (("Lu-177", "--source", "tail=1"), "no source region 'tail'"),
        (("Lu-177", "--source", "liver=200", "--source", "kidneys=100"), "more than all of it has"),
        (("Lu-177", "--source", "liver=1", "--phantom", "giant"), "no phantom 'giant'"),
        (("Lu-177", "--source", "liver=1", "--mass", "liver=1500"), "one patient in two phantoms"),
        (
            ("F-18", "--source", "liver=1", "--phantom", "adult-male", "--effective-dose"),
            "one man and one woman",
        ),
    ],
)
def test_errors_are_one_sentence(cli: Callable[..., Any], options: tuple[str, ...], words: str) -> None:
    said = cli("nuclear", "organ", *options)
    assert said.code == 2
    assert words in " ".join(said.err.split())
    assert "Traceback" not in said.err


def test_pairs() -> None:
    assert pairs(["Urinary Bladder=1e1", "left_kidney=2"], "--mass", "a=1") == {
        "urinary-bladder": 10.0,
        "left-kidney": 2.0,
    }
    for wrong in (["liver=nan"], ["=1"], ["liver=1", "liver=2"]):
        with pytest.raises(InputError, match="no pair"):
            pairs(wrong, "--mass", "a=1")


def test_nuclide_is_written_as_the_library_does() -> None:
    assert asked_for("177Lu", ["liver=1"], "", 3.5).nuclide == "Lu-177"


def test_alpha_particles_have_their_own_column_and_a_word(cli: Callable[..., Any]) -> None:
    said = cli("nuclear", "organ", "Ra-223", "--source", "liver=1", "--phantom", "adult-male")
    assert said.code == 0
    assert "alphas" in said.out
    assert "without a factor for their effect" in " ".join(said.out.split())
    beta = cli("nuclear", "organ", "Lu-177", "--source", "liver=1", "--phantom", "adult-male")
    assert "alphas" not in beta.out


def test_progeny_that_is_left_out_is_named(cli: Callable[..., Any]) -> None:
    options = ("--source", "liver=1", "--phantom", "adult-male", "--json")
    notes = json.loads(cli("nuclear", "organ", "Tb-149", *options).out)["notes"]
    assert any("not counted" in note and "Gd-149" in note for note in notes)
    notes = json.loads(cli("nuclear", "organ", "Lu-177", *options).out)["notes"]
    assert not any("not counted" in note for note in notes)


def test_marrow_from_blood(cli: Callable[..., Any]) -> None:
    with_blood = (*LUTETIUM, "--phantom", "adult-male", "--blood", "0.001", "--marrow-ratio", "1")
    content = as_json(cli, *with_blood)
    without = as_json(cli, *LUTETIUM, "--phantom", "adult-male")
    more = dose(content, "adult-male", "red-marrow") - dose(without, "adult-male", "red-marrow")
    # 147 keV per decay, 0.56 of it in marrow, of 0.001 MBq h per 1.06 g
    assert more == pytest.approx(0.001 / 1.06 * 1000 * 147.3 * 0.56 * 1.602e-16 * 3.6e12, rel=0.1)
    assert any("red marrow from blood" in note for note in content["notes"])
    alone = cli(*LUTETIUM, "--blood", "0.001")
    assert alone.code != 0
    assert "ratio of marrow to blood" in alone.err
    twice = cli(*with_blood, "--source", "red-marrow=0.1")
    assert twice.code != 0
    assert "already" in twice.err


def test_bone_seekers_say_what_they_assume(cli: Callable[..., Any]) -> None:
    content = as_json(
        cli, "nuclear", "organ", "Ra-223", "--source", "trabecular-bone-surface=80", "--phantom", "adult-male"
    )
    rows = {row["organ"]: row for row in content["doses"]["adult-male"]}
    for organ in ("endosteum", "red-marrow"):
        assert 0.9 < rows[organ]["alpha"] / rows[organ]["dose"] < 1
    assert any("50 micrometres" in note for note in content["notes"])
