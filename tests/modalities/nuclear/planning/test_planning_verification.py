"""After a therapy: dose from a measured curve, and what a change is made of."""

from __future__ import annotations

from math import hypot, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.errors import InputError
from omnidose.kinetics.curves import TimeActivityCurve
from omnidose.modalities.nuclear.planning.confidence import DosePerActivity
from omnidose.modalities.nuclear.planning.verification import (
    delivered_dose,
    split_change,
    verify,
)

TIMES = np.array([4.0, 24.0, 72.0, 144.0])
CURVE = TimeActivityCurve.with_relative_std(
    TIMES, 100 * 2 ** (-TIMES / 50.0), std_rel=0.04, name="left kidney"
)
PHYSICAL_H = 159.5


def test_the_dose_of_a_curve_is_energy_over_mass() -> None:
    """Electrons of 177Lu (147.3 keV per decay) stay in 150 g; photons of its own add 1 to 3 %."""
    found = delivered_dose(CURVE, nuclide="Lu-177", mass_g=150.0, mass_std_rel=0.1, calibration_std_rel=0.05)
    decays = 100e6 * 3600 * 50 / log(2)
    electrons_mgy = decays * 147.3 * 1.602176634e-16 / 0.150 * 1000
    assert 1.005 < found.dose_mgy / electrons_mgy < 1.03
    assert found.half_life_h == pytest.approx(50.0, rel=1e-4)
    assert found.std_rel == pytest.approx(hypot(0.1, 0.05, found.integral.std_rel))
    assert any("sphere" in text for text in found.assumptions)


def test_alpha_emitters_are_refused() -> None:
    with pytest.raises(InputError, match="alpha particles"):
        delivered_dose(CURVE, nuclide="Ac-225", mass_g=150.0, mass_std_rel=0.1, calibration_std_rel=0.05)


@given(
    half_life=st.floats(10.0, 150.0), planned=st.floats(10.0, 150.0), dose=st.floats(100.0, 1e5),
    activity=st.floats(0.5, 2.0),
)  # fmt: skip
def test_the_parts_of_a_change_make_the_whole(
    half_life: float, planned: float, dose: float, activity: float
) -> None:
    found = verify(
        DosePerActivity(name="kidneys", median_mgy_per_mbq=0.4, std_rel=0.2),
        administered_mbq=7400.0,
        achieved_mgy=dose,
        achieved_std_rel=0.1,
        correlation_fraction=0.0,
    )
    change = split_change(
        found,
        planned_half_life_h=planned,
        half_life_h=half_life,
        physical_half_life_h=PHYSICAL_H,
        activity_rel=activity,
    )
    assert change.half_life_rel * change.uptake_rel == pytest.approx(found.ratio)
    # beside the dose that was planned for the planned activity
    planned_dose = 0.4 * 7400.0 / activity
    parts = change.activity_rel * change.half_life_rel * change.uptake_rel
    assert parts == pytest.approx(dose / planned_dose)
    assert "effective half-life" in change.sentence


def test_a_half_life_longer_than_the_physical_one() -> None:
    found = verify(
        DosePerActivity(name="kidneys", median_mgy_per_mbq=0.4, std_rel=0.2),
        administered_mbq=7400.0,
        achieved_mgy=3000.0,
        achieved_std_rel=0.1,
        correlation_fraction=0.0,
    )
    with pytest.raises(InputError, match="longer than the physical"):
        split_change(found, planned_half_life_h=50.0, half_life_h=200.0, physical_half_life_h=PHYSICAL_H)
