"""The rows of kinetics pass, and fail for a program that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from omnidose.kinetics import choice, single_time_point
from omnidose.kinetics.bladder import Voiding
from omnidose.modalities.nuclear.proofs import (
    _kinetics_choice,
    kinetics,
    kinetics_models,
    kinetics_uncertainty,
)
from omnidose.validation import Context, Row, State

CHECKS = (
    kinetics.check_fits,
    kinetics.check_biokinetics,
    kinetics.check_single_time_point,
    kinetics.check_bed,
    kinetics.check_uncertainty,
)


@pytest.mark.parametrize("check", CHECKS)
def test_rows_pass_without_the_reference_folder(check: Callable[[Context], Iterable[Row]]) -> None:
    rows = list(check(Context()))
    assert rows
    assert [row.name for row in rows if row.state is not State.PASSED] == []
    assert len({row.name for row in rows}) == len(rows)


def failed(check: Callable[[Context], Iterable[Row]]) -> list[str]:
    return [row.name for row in check(Context()) if row.state is State.FAILED]


def test_a_protraction_one_per_cent_off_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = kinetics.lea_catcheside
    monkeypatch.setattr(kinetics, "lea_catcheside", lambda rate, repair: 1.01 * right(rate, repair))
    assert len(failed(kinetics.check_bed)) == 6


def test_an_integral_one_per_cent_off_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from omnidose.kinetics import exponentials

    right = exponentials.integral_mbq_h
    monkeypatch.setattr(exponentials, "integral_mbq_h", lambda *a: 1.01 * right(*a))
    assert len([name for name in failed(kinetics.check_fits) if name.endswith("integral")]) == 7


def test_a_bladder_that_is_never_emptied_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = kinetics_models.time_integrated_coefficient_h

    def never(filling: Any, voiding: Voiding, half_life_h: float) -> float:
        return right(filling, Voiding(first_h=1e9, interval_h=1e9), half_life_h)

    monkeypatch.setattr(kinetics_models, "time_integrated_coefficient_h", never)
    assert len(failed(kinetics.check_biokinetics)) == 3


def test_a_forgotten_ln_2_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinetics, "haenscheid_mbq_h", lambda activity, time: activity * 2 * time)
    assert len(failed(kinetics.check_single_time_point)) == 1
    assert single_time_point.haenscheid_mbq_h(1.0, 1.0) > 2


def test_a_volume_counted_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinetics_uncertainty.RecoveryCurve, "volume_exponent", lambda _self, _volume_cm3: 1.0)
    assert any("first order" in name for name in failed(kinetics.check_uncertainty))


def test_retention_that_competes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_PARENT", {})
    failed = [row.name for row in _kinetics_choice.choice_rows(20) if row.state is not State.PASSED]
    assert any("140 h, near the physical" in name for name in failed)
    assert any("95 % intervals" in name for name in failed)
