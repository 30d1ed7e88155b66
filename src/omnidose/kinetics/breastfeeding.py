"""Advice on breast-feeding after a radiopharmaceutical, as published: every source by itself.

The table is packaged (``breastfeeding``). Sources differ, because they allow an infant different doses, count
the mother's own radiation or not, and round for the ease of use. Nothing is averaged here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf, isnan

from omnidose.data import load
from omnidose.errors import InputError
from omnidose.kinetics.agents import find_agent

TABLE = "breastfeeding"
#: Interruptions that differ by more than this are a disagreement, h.
SAME_H = 1.0


class Advice(StrEnum):
    """What a source says."""

    NONE = "none"
    INTERRUPT = "interrupt"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreastfeedingAdvice:
    """What one source says about one agent.

    Attributes
    ----------
    activity_low_mbq, activity_high_mbq, activity_mbq_per_kg
        Administered activities that the advice is for; None where none is said.
    interruption_low_h, interruption_high_h
        Shortest and longest interruption; infinite: stop, or no end is said.
    grade
        A: read in the source; B: quoted by another.
    """

    agent: str
    nuclide: str
    activity_low_mbq: float | None
    activity_high_mbq: float | None
    activity_mbq_per_kg: float | None
    advice: Advice
    interruption_low_h: float
    interruption_high_h: float
    source_key: str
    source: str
    grade: str

    @property
    def text(self) -> str:
        """The advice in words."""
        if self.advice is Advice.NONE:
            return "no interruption"
        if self.advice is Advice.STOP:
            return "stop"
        low, high = self.interruption_low_h, self.interruption_high_h
        if high == inf:
            return f"more than {_span(low)}"
        return _span(low) if low == high else f"{_span(low)} to {_span(high)}"

    @property
    def activity_text(self) -> str:
        """The activity in words; empty if none is said."""
        if self.activity_mbq_per_kg is not None:
            return f"{self.activity_mbq_per_kg:g} MBq/kg"
        if self.activity_low_mbq is None or self.activity_high_mbq is None:
            return ""
        if self.activity_low_mbq == self.activity_high_mbq:
            return f"{self.activity_low_mbq:g} MBq"
        return f"{self.activity_low_mbq:g} to {self.activity_high_mbq:g} MBq"


def agents() -> tuple[str, ...]:
    """Return the agents of the table."""
    return tuple(dict.fromkeys(map(str, load(TABLE)["agent"])))


def breastfeeding_advice(agent: str) -> tuple[BreastfeedingAdvice, ...]:
    """Return what every source says about an agent.

    Parameters
    ----------
    agent
        ``99mTc-pertechnetate``, ``FDG``, ``I-131 iodide``, …

    Returns
    -------
    tuple of BreastfeedingAdvice
        Sources in the table's order; one source may say different things for different activities.

    Raises
    ------
    InputError
        If the table has no such agent, or several.
    """
    name = find_agent(agent, agents())
    return tuple(_advice(row) for row in load(TABLE).rows() if row["agent"] == name)


def sources_disagree(advice: tuple[BreastfeedingAdvice, ...]) -> bool:
    """Return whether sources say something different of one agent.

    Raises
    ------
    InputError
        If no advice is given.
    """
    if not advice:
        raise InputError("there is no advice to compare")
    shortest = [item.interruption_low_h for item in advice]
    longest = [item.interruption_high_h for item in advice]
    return max(shortest) > min(shortest) + SAME_H or max(longest) > min(longest) + SAME_H


def longest_interruption(advice: tuple[BreastfeedingAdvice, ...]) -> BreastfeedingAdvice:
    """Return the most careful advice: stop before any interruption, else the longest.

    Raises
    ------
    InputError
        If no advice is given.
    """
    if not advice:
        raise InputError("there is no advice to compare")
    return max(
        advice,
        key=lambda a: (a.advice is Advice.STOP, a.interruption_high_h, a.interruption_low_h),
    )


def _advice(row: dict[str, object]) -> BreastfeedingAdvice:
    def number(key: str) -> float | None:
        value = float(str(row[key]))
        return None if isnan(value) else value

    return BreastfeedingAdvice(
        agent=str(row["agent"]),
        nuclide=str(row["nuclide"]),
        activity_low_mbq=number("activity_low_mbq"),
        activity_high_mbq=number("activity_high_mbq"),
        activity_mbq_per_kg=number("activity_mbq_per_kg"),
        advice=Advice(str(row["advice"])),
        interruption_low_h=float(str(row["interruption_low_h"])),
        interruption_high_h=float(str(row["interruption_high_h"])),
        source_key=str(row["source_key"]),
        source=str(row["source"]),
        grade=str(row["grade"]),
    )


def _span(hours_h: float) -> str:
    """Write a time as a person would say it."""
    if hours_h <= 96:
        return f"{hours_h:g} h"
    if hours_h % 168:
        return f"{hours_h / 24:.0f} days"
    weeks = hours_h / 168
    return f"{weeks:g} week{'s' if weeks != 1 else ''}"
