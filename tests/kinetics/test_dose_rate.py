"""A curve as a dose rate."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.dosimetry.bed import Repair, lea_catcheside
from omnidose.errors import InputError
from omnidose.kinetics.curves import TimeActivityCurve
from omnidose.kinetics.dose_rate import dose_rate
from omnidose.kinetics.exponentials import Shape
from omnidose.kinetics.fits import fit_curve

TIMES = np.array([1.0, 4.0, 24.0, 96.0, 168.0])


def test_a_curve_has_the_protraction_of_its_constants() -> None:
    curve = TimeActivityCurve.with_relative_std(TIMES, 90 * 2 ** (-TIMES / 51.6), std_rel=0.03)
    fit = fit_curve(curve, Shape.MONO, half_life_h=159.53)
    found = lea_catcheside(dose_rate(fit), Repair(half_times_h=(2.8,)))
    assert found == pytest.approx(2.8 / (2.8 + 51.6))


def test_an_uptake_is_kept() -> None:
    activity = 90 * (2 ** (-TIMES / 60.0) - 2 ** (-TIMES / 2.0))
    curve = TimeActivityCurve.with_relative_std(TIMES, activity, std_rel=0.03)
    rate = dose_rate(fit_curve(curve, Shape.UPTAKE, half_life_h=159.53))
    assert rate.amplitudes == pytest.approx((90.0, -90.0), rel=1e-4)
    assert rate.half_lives_h == pytest.approx((60.0, 2.0), rel=1e-4)


def test_a_rejected_fit_is_no_dose_rate() -> None:
    flat = TimeActivityCurve.with_relative_std(TIMES, np.ones(5), std_rel=0.03)
    with pytest.raises(InputError, match="rejected"):
        dose_rate(fit_curve(flat, Shape.MONO, half_life_h=159.53))
