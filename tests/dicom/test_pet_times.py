"""Clocks of a PET: which moment values belong to, and when the injection was."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.dicom.pet_times import SliceClock, frame_factor, injection_moment, to_one_moment
from omnidose.errors import ContradictionError, DicomError

F18_H = 1.8288
FIRST = datetime(2026, 3, 4, 10, 30)
CONSTANT = math.log(2) / (3600 * F18_H)


def clocks(reference: datetime | None, beds: int = 4, duration_s: float = 120.0) -> list[SliceClock]:
    """Beds of 3 minutes, two slices each, with the decay factor that leads to a moment (None: no factor)."""
    out = []
    for bed in range(beds):
        acquired = FIRST + timedelta(seconds=180 * bed)
        factor = None
        if reference is not None:
            factor = math.exp(CONSTANT * (acquired - reference).total_seconds())
            factor *= frame_factor(duration_s, F18_H)
        out += [SliceClock(acquired=acquired, duration_s=duration_s, decay_rel=factor)] * 2
    return out


def test_frames_are_averages_over_their_time() -> None:
    x = CONSTANT * 180.0
    assert frame_factor(180.0, F18_H) == pytest.approx(x / (1 - math.exp(-x)), rel=1e-12)
    assert frame_factor(None, F18_H) == 1.0


def test_factors_of_a_real_scanner_lead_to_the_first_bed() -> None:
    # beds 1 and 8 of the whole-body FDG PET of the validation
    beds = [
        SliceClock(acquired=datetime(1986, 8, 10, 13, 2, 44, 678000), duration_s=180, decay_rel=1.0095017),
        SliceClock(acquired=datetime(1986, 8, 10, 13, 24, 10, 647000), duration_s=180, decay_rel=1.1558029),
    ]
    found = to_one_moment(beds, half_life_h=6586.2 / 3600, decay_correction="START", series=beds[0].acquired)
    assert found.reference == beds[0].acquired
    assert (found.factors == 1).all()


@given(minutes=st.floats(0, 59), beds=st.integers(2, 9))
def test_what_decayed_before_it_was_measured_comes_back(minutes: float, beds: int) -> None:
    """Uncorrected values of a constant source, brought to the start, are all equal."""
    all_clocks = clocks(None, beds)
    start = 1000.0 * math.exp(-CONSTANT * 60 * minutes)
    measured = np.array(
        [
            start
            * math.exp(-CONSTANT * (c.acquired - FIRST).total_seconds())
            / frame_factor(c.duration_s, F18_H)
            for c in all_clocks
        ]
    )
    found = to_one_moment(all_clocks, half_life_h=F18_H, decay_correction="NONE")
    assert found.reference == FIRST
    assert measured * found.factors == pytest.approx(np.full(2 * beds, start), rel=1e-9)


def test_beds_corrected_to_their_own_start_are_brought_to_the_first() -> None:
    own = [
        SliceClock(acquired=c.acquired, duration_s=120.0, decay_rel=frame_factor(120.0, F18_H))
        for c in clocks(None)
    ]
    found = to_one_moment(own, half_life_h=F18_H, decay_correction="START")
    assert found.reference == FIRST
    assert found.factors[-1] == pytest.approx(math.exp(CONSTANT * 540), rel=1e-9)
    assert "own start" in found.notes[0]


def test_corrected_to_the_injection() -> None:
    injection = FIRST - timedelta(hours=1)
    found = to_one_moment(clocks(injection), half_life_h=F18_H, decay_correction="ADMIN", injection=injection)
    assert found.reference == injection
    with pytest.raises(ContradictionError, match="do not lead to the injection"):
        to_one_moment(clocks(FIRST), half_life_h=F18_H, decay_correction="ADMIN", injection=injection)
    with pytest.raises(DicomError, match="nothing tells when"):
        to_one_moment(clocks(FIRST), half_life_h=F18_H, decay_correction="ADMIN")
    with pytest.raises(ContradictionError, match="lead to the injection"):
        to_one_moment(clocks(injection), half_life_h=F18_H, decay_correction="START", injection=injection)


def test_decay_corrected_twice_is_refused() -> None:
    with pytest.raises(ContradictionError, match="twice"):
        to_one_moment(clocks(FIRST), half_life_h=F18_H, decay_correction="NONE")
    with pytest.raises(ContradictionError, match="DECY"):
        to_one_moment(
            clocks(None), half_life_h=F18_H, decay_correction="NONE", corrected_image=["ATTN", "DECY"]
        )
    with pytest.raises(ContradictionError, match="twice"):
        to_one_moment(clocks(FIRST - timedelta(hours=3)), half_life_h=F18_H, decay_correction="START")


def test_what_nobody_says_is_refused_or_assumed() -> None:
    with pytest.raises(DicomError, match="do not say whether decay"):
        to_one_moment(clocks(None), half_life_h=F18_H, decay_correction="")
    found = to_one_moment(clocks(FIRST), half_life_h=F18_H, decay_correction="", corrected_image=["DECY"])
    assert "START is taken" in found.assumed[0]
    found = to_one_moment(clocks(None), half_life_h=F18_H, decay_correction="START")
    assert "no decay factors" in found.assumed[0]


def injected(
    start: str, *, half_life_h: float = F18_H, agree: bool = True
) -> tuple[datetime, tuple[str, ...]]:
    """Return the injection before the scan at 10:30 on 4 March 2026."""
    return injection_moment(
        start, has_date=len(start) > 8, scan=FIRST, half_life_h=half_life_h, dates_agree=agree
    )


def test_injection_on_the_day_of_the_scan() -> None:
    assert injected("093000") == (datetime(2026, 3, 4, 9, 30), ())
    assert injected("20260304093000.5")[0] == datetime(2026, 3, 4, 9, 30, 0, 500000)


def test_injection_before_midnight() -> None:
    found, said = injection_moment(
        "233000", has_date=False, scan=datetime(2026, 3, 5, 0, 40), half_life_h=F18_H
    )
    assert found == datetime(2026, 3, 4, 23, 30)
    assert "evening before" in said[0]


def test_shifted_dates_count_only_where_the_series_agrees() -> None:
    found, said = injected("20190703093000")
    assert found == datetime(2026, 3, 4, 9, 30)
    assert "times of day" in said[0]
    with pytest.raises(DicomError, match="cannot both be right"):
        injected("20190703093000", agree=False)


def test_a_scan_before_the_injection_or_far_after_it_is_refused() -> None:
    for start in ("110000", "20260304110000"):
        with pytest.raises(DicomError, match="after the start of the scan"):
            injected(start)
    with pytest.raises(DicomError, match="half-lives"):
        injection_moment("003000", has_date=False, scan=datetime(2026, 3, 4, 23, 0), half_life_h=F18_H)


def test_long_lived_nuclides_need_a_date() -> None:
    with pytest.raises(DicomError, match="no date"):
        injected("093000", half_life_h=78.4)
    assert injected("20260228093000", half_life_h=78.4)[0].day == 28


@pytest.mark.parametrize("start", ["", "noon", "09"])
def test_no_time_is_asked_for(start: str) -> None:
    with pytest.raises(DicomError, match="injection_time"):
        injected(start)
