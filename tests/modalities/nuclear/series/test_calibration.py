"""Counts to activity: dead time, decay during the scan, the camera's factor."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.dosimetry.internal_uncertainty import Calibration
from omnidose.errors import InputError, RangeError
from omnidose.modalities.nuclear.series.calibration import activity_at_start, start_over_mean, true_rate_per_s
from omnidose.volume import Grid, Volume

CAMERA = Calibration(cps_per_mbq=10.0, std_rel=0.05, camera="a")


@given(true_per_s=st.floats(1.0, 9e5), dead_time_s=st.floats(0, 1e-6))
def test_dead_time_comes_out_again(true_per_s: float, dead_time_s: float) -> None:
    recorded = true_per_s * exp(-true_per_s * dead_time_s)
    assert true_rate_per_s(recorded, dead_time_s) == pytest.approx(true_per_s, rel=1e-6)


def test_rates_that_no_true_rate_explains_are_refused() -> None:
    with pytest.raises(RangeError, match="cannot record"):
        true_rate_per_s(4e5, 1e-6)
    with pytest.raises(InputError):
        true_rate_per_s(-1.0, 1e-6)


@given(half_life_h=st.floats(0.1, 1e4), duration_s=st.floats(1, 1e5))
def test_the_start_holds_more_than_the_mean(half_life_h: float, duration_s: float) -> None:
    decay = log(2) / half_life_h / 3600
    time = np.linspace(0, duration_s, 20_001)
    mean = np.trapezoid(np.exp(-decay * time), time) / duration_s
    assert start_over_mean(half_life_h, duration_s) * mean == pytest.approx(1.0, rel=1e-4)


def test_counts_become_activity() -> None:
    image = Volume.on_grid(np.full((2, 2, 2), 5.0, np.float32), Grid.centred((2, 2, 2), (6.0,) * 3))
    found = activity_at_start(
        image, CAMERA, rate_per_s=1e5 * exp(-0.1), dead_time_s=1e-6, duration_s=3600, half_life_h=1.0
    )
    assert found.array == pytest.approx(0.5 * exp(0.1) * log(2) / 0.5)
    with pytest.raises(InputError, match="duration_s"):
        activity_at_start(image, CAMERA, rate_per_s=1, dead_time_s=0, duration_s=0, half_life_h=1)
