"""What the rows of kinetics share."""

from __future__ import annotations

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
