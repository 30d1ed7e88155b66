"""The record of a series: what it refuses, and what it says of itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from omnidose.errors import ContradictionError, InputError
from omnidose.modalities.nuclear.series.blur import ASSUMED_MM, blur_of, is_assumed
from omnidose.modalities.nuclear.series.exam import SeriesExam


def test_it_says_what_it_is(series: SeriesExam) -> None:
    assert series.title == "SPECT, 177Lu-TEST (Lu-177), 800 MBq, 4 time points"
    assert series.times_h == pytest.approx((4.0, 24.0, 72.0, 168.0))
    assert series.hours_to(series.points[2]) == pytest.approx(72.0)
    first = series.points[0]
    assert series.left_mbq(first) == pytest.approx(800 * 2 ** (-4 / series.half_life_h))
    assert series.seen_fraction(first) == pytest.approx(first.seen_mbq / series.left_mbq(first))
    assert series.device == "camera A"
    assert replace(series, manufacturer="Maker", model="One").device == "Maker One"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"points": ()}, "no scan"),
        ({"reference": 4}, "no scan number 4"),
        ({"half_life_h": 0.0}, "half-life is not"),
        ({"effective_half_life_h": 200.0}, "longer than the physical one of Lu-177"),
        ({"effective_half_life_h": -1.0}, "effective half-life of -1 h"),
        ({"image_fwhm_mm": 50.0}, "blurred by 50 mm"),
    ],
)
def test_refusals(series: SeriesExam, change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(series, **change)


def test_times_must_make_sense(series: SeriesExam) -> None:
    early, late = series.points[:2]
    with pytest.raises(InputError, match="not in order"):
        replace(series, points=(late, early))
    twin = replace(early, start=early.start + timedelta(minutes=5))
    with pytest.raises(InputError, match="two scans begin 5 minutes apart"):
        replace(series, points=(early, twin), reference=0)
    before = replace(early, start=early.start - timedelta(hours=10))
    with pytest.raises(InputError, match=r"begins 6\.00 h before the injection"):
        replace(series, points=(before, late))


def test_more_than_was_given_is_refused(series: SeriesExam) -> None:
    point = series.points[0]
    more = replace(point, activity=replace(point.activity, array=point.activity.array * 10))
    with pytest.raises(ContradictionError, match="% of what can be left"):
        replace(series, points=(more, *series.points[1:]))


def test_another_nuclide_than_was_given(series: SeriesExam) -> None:
    given = replace(series.administration, nuclide="I-131")
    with pytest.raises(ContradictionError, match="show Lu-177, but I-131 was given"):
        replace(series, administration=given)


def test_a_scan_needs_activity_time_zone_and_kind(series: SeriesExam) -> None:
    point = series.points[0]
    with pytest.raises(InputError, match="hold no activity"):
        replace(point, activity=replace(point.activity, array=np.zeros_like(point.activity.array)))
    with pytest.raises(InputError, match="time zone"):
        replace(point, start=point.start.replace(tzinfo=None))
    with pytest.raises(InputError, match="images of 'CT'"):
        replace(point, modality="CT")
    with pytest.raises(InputError, match="scan of -1 s"):
        replace(point, duration_s=-1.0)


def test_a_blur_that_nobody_said_is_wide_and_said(series: SeriesExam) -> None:
    said, words = blur_of(series)
    assert (said.fwhm_mm, is_assumed(series)) == (9.0, False)
    assert "as was said" in words
    silent = replace(series, image_fwhm_mm=None)
    assumed, words = blur_of(silent)
    assert (assumed.fwhm_mm, assumed.std_mm) == ASSUMED_MM["NM"]
    assert assumed.std_mm > said.std_mm
    assert is_assumed(silent)
    assert "Nobody said" in words
