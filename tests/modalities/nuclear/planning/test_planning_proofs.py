"""The rows of therapy planning pass, and fail for a program that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from omnidose.modalities.nuclear.planning import blood, confidence, cycles, microspheres
from omnidose.modalities.nuclear.planning.limits import Limit
from omnidose.modalities.nuclear.proofs import planning
from omnidose.validation import Context, State


@pytest.fixture(autouse=True)
def drawn_anew() -> Iterator[None]:
    """Draws of a wrong program must not be kept, nor those of a right one be used for it."""
    keep = cycles._drawn
    keep.cache_clear()
    yield
    keep.cache_clear()


def failed() -> list[str]:
    return [row.name for row in planning.check(Context()) if row.state is State.FAILED]


def test_rows_pass() -> None:
    rows = list(planning.check(Context()))
    assert [row.name for row in rows if row.state is not State.PASSED] == []
    assert len({row.name for row in rows}) == len(rows) > 25


def test_the_other_side_of_a_probability_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = confidence.factor_at
    monkeypatch.setattr(confidence, "factor_at", lambda p, std_rel: 1 / right(p, std_rel))
    assert len([name for name in failed() if "share of draws" in name]) == 3


def test_cycles_taken_as_independent_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = cycles._drawn.__wrapped__

    def apart(course: Any) -> Any:
        own = tuple(
            replace(c, own_std_rel=(c.own_std_rel**2 + course.common_std_rel**2) ** 0.5) for c in course.given
        )
        return right(replace(course, given=own, common_std_rel=0.0))

    monkeypatch.setattr(cycles, "_drawn", apart)
    assert len([name for name in failed() if "third cycle" in name]) == 2


def test_bed_added_as_dose_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Limit, "effect_mgy", lambda self, dose_mgy: dose_mgy)
    assert any("40 Gy BED, nothing uncertain" in name for name in failed())


def test_two_per_cent_more_energy_of_a_decay_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = microspheres.complete_decay_mgy_g_per_mbq
    monkeypatch.setattr(microspheres, "complete_decay_mgy_g_per_mbq", lambda name="Y-90": 1.02 * right(name))
    names = failed()
    assert "90Y, electron energy of complete decay" in names


def test_a_body_that_keeps_all_photons_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blood, "body_absorbs", lambda energy_kev, sex: 0 * energy_kev + 1.0)
    assert len([name for name in failed() if "photons of the whole body" in name]) == 2
