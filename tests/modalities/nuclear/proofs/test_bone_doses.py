"""Rows of doses from bone: what they compare, and that they hold without the reference files."""

from __future__ import annotations

import pytest

from omnidose.modalities.nuclear.proofs import bone_doses
from omnidose.validation import Context, State


def test_three_fifths_of_the_bone_hold_red_marrow() -> None:
    """From the masses of ICRP 116, added up by hand: 320 g of 537 g; limbs below elbow and knee have none."""
    assert bone_doses.active_share() == pytest.approx(319.9 / 537.3, abs=0.002)
    assert bone_doses.red_in_active_sites() == pytest.approx(0.49, abs=0.01)


def test_all_rows_hold() -> None:
    rows = list(bone_doses.check(Context(reference=None)))
    assert len(rows) == 21
    assert {row.state for row in rows} == {State.PASSED}
    (radium,) = [row for row in rows if row.name.startswith("Ra-223, equal parts")]
    assert "ICRP 30 it is 12.5" in radium.note
