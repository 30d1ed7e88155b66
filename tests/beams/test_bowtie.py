"""Equivalent bow-tie filters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.beams.bowtie import MAX_THICKNESS_MM, NO_BOWTIE, Bowtie
from omnidose.errors import InputError, RangeError


def test_no_bowtie_is_empty() -> None:
    assert np.all(NO_BOWTIE.thickness_mm(np.linspace(-0.5, 0.5, 11), 570.0) == 0)


def test_compensator_by_hand() -> None:
    """At 60 mm from the axis a cylinder of 100 mm radius is 160 mm thick: 40 mm are missing."""
    bowtie = Bowtie(name="x", radius_mm=100.0, strength_mm_per_mm=0.25)
    slope = np.tan(np.arcsin(60.0 / 500.0))
    assert float(bowtie.thickness_mm(slope, 500.0)) == pytest.approx(10.0)
    assert float(bowtie.thickness_mm(0.4, 500.0)) == pytest.approx(50.0)  # beyond the cylinder: all 200 mm


@given(strength=st.floats(0.0, 2.0), radius=st.floats(50.0, 300.0), focus=st.floats(500.0, 700.0))
def test_thickness_is_symmetric_rising_and_bounded(strength: float, radius: float, focus: float) -> None:
    bowtie = Bowtie(name="x", radius_mm=radius, strength_mm_per_mm=strength)
    slope = np.linspace(0.0, 0.5, 50)
    thickness = bowtie.thickness_mm(slope, focus)
    assert np.all(np.diff(thickness) >= -1e-9)
    assert np.allclose(thickness, bowtie.thickness_mm(-slope, focus))
    assert thickness[0] == pytest.approx(0.0, abs=1e-9)
    assert thickness.max() <= MAX_THICKNESS_MM


def test_measured_profile_is_interpolated_in_angle() -> None:
    bowtie = Bowtie(name="x", profile_deg=(0.0, 10.0, 20.0), profile_mm=(1.0, 3.0, 9.0))
    angle = np.deg2rad([0.0, 5.0, -15.0, 25.0])
    assert bowtie.thickness_mm(np.tan(angle), 570.0) == pytest.approx([1.0, 2.0, 6.0, 9.0])


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"material": "cheese"}, InputError),
        ({"radius_mm": 0.0}, RangeError),
        ({"strength_mm_per_mm": -1.0}, RangeError),
        ({"profile_deg": (0.0, 0.0), "profile_mm": (1.0, 1.0)}, InputError),
        ({"profile_deg": (0.0, 1.0), "profile_mm": (1.0,)}, InputError),
        ({"profile_deg": (0.0, 1.0), "profile_mm": (1.0, -1.0)}, InputError),
    ],
)
def test_impossible_filters_are_refused(wrong: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        Bowtie(name="x", **wrong)  # type: ignore[arg-type]
