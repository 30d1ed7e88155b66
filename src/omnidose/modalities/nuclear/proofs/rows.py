"""Rows that several claims make: words beside words, and refusals."""

from __future__ import annotations

from collections.abc import Callable

from omnidose.errors import OmnidoseError
from omnidose.validation import Row, State

#: Physical half-life of 177Lu: ICRP 107, 6.647 d.
LU177_H = 159.53


def said_row(
    name: str, ours: str, reference: str, *, source: str, tolerance: str = "the same", note: str = ""
) -> Row:
    """Compare two words."""
    return Row(
        name=name,
        ours=ours,
        unit="",
        reference=reference,
        source=source,
        tolerance=tolerance,
        state=State.PASSED if ours == reference else State.FAILED,
        note=note,
    )


def answer_of(act: Callable[[], object]) -> str:
    """Return what is said when something is done; empty if it is taken."""
    try:
        act()
    except OmnidoseError as error:
        return str(error)
    return ""


def refusal_row(text: str, answer: str, says: tuple[str, ...]) -> Row:
    """Judge what was said of bad input: one clear sentence that holds certain words."""
    clear = bool(answer) and "\n" not in answer and answer.endswith(".") and len(answer) < 500
    missing = [word for word in says if word not in answer]
    return Row(
        name=text,
        ours=answer or "taken without a word",
        unit="",
        reference="stops and says " + ", ".join(says),
        source="the sentence must say what, where and what to do",
        tolerance="one sentence with these words",
        state=State.PASSED if clear and not missing else State.FAILED,
        note=f"missing: {', '.join(missing)}" if missing else "",
    )
