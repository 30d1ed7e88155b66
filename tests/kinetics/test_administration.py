"""Net activity at injection: clocks, residues, and every way to say it wrongly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.errors import ContradictionError, InputError
from omnidose.kinetics.administration import (
    CLOCK_TOLERANCE_H,
    Administration,
    Route,
    from_mci,
    hours_between,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def given_dose(**changes: Any) -> Administration:
    what: dict[str, Any] = {
        "nuclide": "F-18",
        "half_life_h": 2.0,
        "assay_mbq": 400.0,
        "assay_time": NOON,
        "injection_time": NOON + timedelta(hours=2),
        "residual_mbq": 10.0,
        "residual_time": NOON + timedelta(hours=4),
    }
    return Administration(**(what | changes))


def test_assay_and_residue_meet_at_the_injection() -> None:
    dose = given_dose()
    assert dose.assay_at_injection_mbq == pytest.approx(200.0)
    assert dose.residual_at_injection_mbq == pytest.approx(20.0)
    assert dose.net_mbq == pytest.approx(180.0)
    assert dose.route is Route.INTRAVENOUS
    assert dose.flags == ()


def test_a_calibrator_common_to_both_cancels_in_part() -> None:
    common = given_dose(assay_std_rel=0.05, residual_std_rel=0.05)
    assert common.net_std_rel == pytest.approx(0.05)
    apart = given_dose(assay_std_rel=0.05, residual_std_rel=0.05, calibrator_correlated=False)
    assert apart.net_std_rel == pytest.approx((10.0**2 + 1.0**2) ** 0.5 / 180.0)


def test_an_uncertain_residue_makes_no_certain_net_activity() -> None:
    """5 % of 200 MBq and 50 % of 20 MBq must not cancel: beyond the calibrator's 5 % they are independent."""
    dose = given_dose(assay_std_rel=0.05, residual_std_rel=0.5)
    left_mbq = 20.0 * (0.5**2 - 0.05**2) ** 0.5
    assert dose.net_std_rel == pytest.approx((0.05**2 + (left_mbq / 180.0) ** 2) ** 0.5)


def test_extravasation_is_flagged_and_taken_off() -> None:
    dose = given_dose(extravasated_fraction=0.25)
    assert dose.systemic_mbq == pytest.approx(135.0)
    assert "25 %" in dose.flags[0]
    assert given_dose(extravasated_fraction=None).systemic_mbq == pytest.approx(180.0)


def test_a_missing_residue_is_said() -> None:
    dose = given_dose(residual_mbq=0.0, residual_time=None)
    assert dose.net_mbq == pytest.approx(200.0)
    assert "no residue" in dose.flags[0]


def test_midnight_and_daylight_saving() -> None:
    zone = ZoneInfo("Europe/Berlin")
    # the clock jumps from 02:00 to 03:00 on 29 March 2026: one hour less than the wall clock says
    evening, morning = datetime(2026, 3, 28, 22, 0, tzinfo=zone), datetime(2026, 3, 29, 8, 0, tzinfo=zone)
    assert hours_between(evening, morning) == pytest.approx(9.0)
    assert (morning - evening) == timedelta(hours=10)  # what plain subtraction says
    autumn = datetime(2026, 10, 24, 22, 0, tzinfo=zone), datetime(2026, 10, 25, 8, 0, tzinfo=zone)
    assert hours_between(*autumn) == pytest.approx(11.0)


@given(
    first=st.integers(-12 * 60, 14 * 60), second=st.integers(-12 * 60, 14 * 60), hours=st.floats(-1e4, 1e4)
)
def test_the_zone_in_which_a_time_is_written_does_not_matter(first: int, second: int, hours: float) -> None:
    from datetime import timezone

    start = NOON.astimezone(timezone(timedelta(minutes=first)))
    end = (NOON + timedelta(hours=hours)).astimezone(timezone(timedelta(minutes=second)))
    assert hours_between(start, end) == pytest.approx(hours, abs=1e-8)


def test_hours_after_injection() -> None:
    dose = given_dose()
    assert dose.hours_after_injection(NOON) == pytest.approx(-2.0)
    assert dose.hours_after_injection(NOON + timedelta(days=1)) == pytest.approx(22.0)


def test_millicurie_only_by_name() -> None:
    assert from_mci(10) == pytest.approx(370.0)
    with pytest.raises(TypeError):
        given_dose(assay_mci=10)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"assay_time": datetime(2026, 3, 2, 12)}, "time zone"),
        ({"injection_time": datetime(2026, 3, 2, 12)}, "time zone"),
        ({"assay_mbq": 0.0}, "assay of 0.0"),
        ({"assay_mbq": float("nan")}, "assay of nan"),
        ({"half_life_h": 0.0}, "half-life"),
        ({"residual_mbq": -1.0}, "residual_mbq"),
        ({"assay_std_rel": -0.1}, "assay_std_rel"),
        ({"residual_time": None}, "not when"),
        ({"residual_time": NOON}, "before the injection"),
        ({"extravasated_fraction": 1.5}, "extravasated"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        given_dose(**changes)


def test_a_residue_above_the_assay_is_a_contradiction() -> None:
    # 150 MBq two hours after the injection were 300 at the injection; the assay was 200
    with pytest.raises(ContradictionError, match="not below the assay"):
        given_dose(residual_mbq=150.0)


def test_an_assay_after_the_injection_must_be_said() -> None:
    late = NOON + timedelta(hours=3)
    with pytest.raises(InputError, match="after the injection"):
        given_dose(assay_time=late, residual_mbq=0.0, residual_time=None)
    said = given_dose(assay_time=late, residual_mbq=0.0, residual_time=None, assay_after_injection=True)
    assert said.net_mbq == pytest.approx(400 * 2**0.5)
    clocks = NOON + timedelta(hours=2 + 0.9 * CLOCK_TOLERANCE_H)
    assert given_dose(assay_time=clocks).net_mbq > 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"assay_mbq": "10 mCi"}, "'10 mCi' is no number"),
        ({"assay_mbq": True}, "True is no number"),
        ({"residual_mbq": None}, "None is no number"),
        ({"assay_time": NOON.replace(year=2025)}, "half-lives .in assay_time"),
        ({"assay_time": NOON.replace(year=2027), "assay_after_injection": True}, "half-lives .in assay_time"),
        ({"residual_time": NOON.replace(year=2027)}, "half-lives .in residual_time"),
    ],
)
def test_units_in_words_and_wrong_years_are_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        given_dose(**changes)


@pytest.mark.parametrize("activity", ["10 mCi", -1.0, float("nan"), None])
def test_what_is_no_activity_in_millicurie(activity: Any) -> None:
    with pytest.raises(InputError, match="no activity in mCi"):
        from_mci(activity)


def test_a_small_share_at_the_injection_site_is_not_told_as_none() -> None:
    assert any("0.4 % of the activity" in flag for flag in given_dose(extravasated_fraction=0.004).flags)
