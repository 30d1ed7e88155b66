"""The kinds of rows that several checks yield."""

from __future__ import annotations

from omnidose.validation import Row, State, within

#: A right program fails a row about once in 16 000 times; seeds are fixed.
SIGMAS = 4.0
#: Tables in single precision, linear between nodes 0.25 % apart: what a formula may differ without any noise.
TABLE_REL = 2e-4


def known_row(
    name: str,
    ours: float,
    std: float,
    expected: float,
    *,
    unit: str,
    source: str,
    table_rel: float = 0.0,
    note: str = "",
) -> Row:
    """Compare a number of known standard error: ``SIGMAS`` of them, and what the tables cannot resolve."""
    reach = SIGMAS * std + table_rel * abs(expected)
    bounds = (expected - reach, expected + reach)
    return within(name, ours, expected, unit=unit, source=source, bounds=bounds, note=note)


def judged_row(
    name: str,
    ours: float | str,
    passed: bool,
    *,
    tolerance: str,
    unit: str = "",
    reference: float | str | None = None,
    source: str = "",
    note: str = "",
) -> Row:
    """Say in words what is tolerated, where that is no interval of numbers."""
    return Row(
        name=name,
        ours=ours,
        unit=unit,
        reference=reference,
        source=source,
        tolerance=tolerance,
        state=State.PASSED if passed else State.FAILED,
        note=note,
    )


def not_run_row(name: str, reason: str) -> Row:
    """Say why there is no number."""
    return Row(
        name=name, ours=None, unit="", reference=None, source="", tolerance="", state=State.NOT_RUN,
        note=reason,
    )  # fmt: skip
