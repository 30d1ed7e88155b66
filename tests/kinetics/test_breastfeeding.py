"""Advice on breast-feeding: the table, names of agents, and what is said of disagreements."""

from __future__ import annotations

from math import inf, isinf

import pytest

from omnidose.data import load
from omnidose.errors import InputError
from omnidose.kinetics.agents import find_agent
from omnidose.kinetics.breastfeeding import (
    TABLE,
    Advice,
    agents,
    breastfeeding_advice,
    longest_interruption,
    sources_disagree,
)

NAMES = ("18F-FDG", "99mTc-MDP", "123I-iodide", "131I-MIBG", "82Rb-chloride", "201Tl-chloride")


@pytest.mark.parametrize("text", ["18F-FDG", "F-18 FDG", "fdg", "18f fdg", "F18-FDG"])
def test_an_agent_has_many_spellings(text: str) -> None:
    assert find_agent(text, NAMES) == "18F-FDG"


@pytest.mark.parametrize("text", ["iodide", "MIBG", "chloride", "F-18", "tc", "", "water"])
def test_what_is_not_sure_is_not_guessed(text: str) -> None:
    with pytest.raises(InputError):
        find_agent(text, NAMES)


def test_iodine_needs_its_nuclide_even_if_one_alone_is_known() -> None:
    with pytest.raises(InputError, match="131I-MIBG"):
        find_agent("MIBG", ["131I-MIBG"])
    assert find_agent("I-131 MIBG", ["131I-MIBG"]) == "131I-MIBG"


def test_every_row_is_possible() -> None:
    from omnidose.physics.nuclides import nuclide

    rows = load(TABLE).rows()
    assert len(rows) > 200
    for row in rows:
        if str(row["nuclide"]) not in ("Se-75", "C-14", "Kr-81m"):  # not in the library
            assert nuclide(str(row["nuclide"])).name == row["nuclide"]
        element, _, mass = str(row["nuclide"]).partition("-")
        assert str(row["agent"]).startswith(f"{mass}{element}-")
        assert str(row["grade"]) in ("A", "B")
        assert str(row["source"])
    for name in agents():
        for item in breastfeeding_advice(name):
            assert 0 <= item.interruption_low_h <= item.interruption_high_h
            assert (item.advice is Advice.NONE) == (item.interruption_high_h == 0)
            assert (item.advice is Advice.STOP) <= isinf(item.interruption_low_h)
            if item.activity_low_mbq is not None:
                assert item.activity_high_mbq is not None
                assert 0 < item.activity_low_mbq <= item.activity_high_mbq < 10_000


def test_disagreements_are_told() -> None:
    fdg = breastfeeding_advice("FDG")
    assert sources_disagree(fdg)
    assert {a.text for a in fdg} == {"no interruption", "4 h", "12 h", "12 h to 24 h"}
    assert longest_interruption(fdg).source_key == "snmmi-eanm"
    assert not sources_disagree(breastfeeding_advice("75Se-SeHCAT"))
    assert not sources_disagree(breastfeeding_advice("florbetaben"))


def test_iodine_therapy_ends_breast_feeding() -> None:
    iodide = breastfeeding_advice("131I-iodide")
    assert longest_interruption(iodide).advice is Advice.STOP
    for item in iodide:
        assert item.interruption_high_h == inf
        assert item.text in ("stop", "more than 3 weeks")


def test_words_of_times_and_activities() -> None:
    gallium = {a.source_key: a for a in breastfeeding_advice("Ga-67 citrate")}
    assert gallium["snmmi-eanm"].text == "2 weeks to 4 weeks"
    assert gallium["acmui"].text == "4 weeks"
    assert gallium["aap2013"].text == "1 week to 30 days"
    assert gallium["aap2013"].activity_text == ""
    assert gallium["ottawa"].activity_text == "148 to 333 MBq"
    assert breastfeeding_advice("FDG")[0].activity_text == "4.9 MBq/kg"
    assert {a.text for a in breastfeeding_advice("123I-ioflupane")} == {"72 h", "24 h to 6 days"}


def test_nothing_cannot_be_compared() -> None:
    for function in (sources_disagree, longest_interruption):
        with pytest.raises(InputError):
            function(())
