"""The chain of EANM 2018: every derivative by differences, correlations, components, refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log, pi, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.dosimetry.internal_uncertainty import (
    Calibration,
    DoseChain,
    DoseFactor,
    RecoveryCurve,
    SeenVolume,
)
from omnidose.errors import InputError

VOLUME = SeenVolume(diameter_mm=40.0, voxel_mm=4.0, fwhm_mm=6.0)
RECOVERY = RecoveryCurve(
    half_volume_cm3=1.6, half_volume_std_rel=0.05, slope=0.95, slope_std_rel=0.05, correlation_fraction=0.3
)
CAMERA = Calibration(cps_per_mbq=9.4, std_rel=0.03, camera="A")
FACTOR = DoseFactor(one_cm3_mgy_per_mbq_h=85.3, slope=0.98, std_rel=0.01)
CHAIN = DoseChain(
    name="lesion", volume=VOLUME, recovery=RECOVERY, calibration=CAMERA, dose_factor=FACTOR,
    counts_cps_h=28_000.0, counts_std_rel=0.02,
)  # fmt: skip


def test_a_volume_and_its_diameter() -> None:
    assert VOLUME.volume_cm3 == pytest.approx(pi / 6 * 64)
    same = SeenVolume.from_volume(VOLUME.volume_cm3, voxel_mm=4.0, fwhm_mm=6.0)
    assert same.diameter_mm == pytest.approx(40.0)
    assert VOLUME.diameter_std_mm == pytest.approx(sqrt(16 / 6 + 36 / (4 * log(2))))
    assert VOLUME.std_rel == pytest.approx(3 * VOLUME.diameter_std_mm / 40)


def test_dose_by_hand() -> None:
    recovery = 1 - 1 / (1 + (VOLUME.volume_cm3 / 1.6) ** 0.95)
    expected = 28_000 / 9.4 / recovery * 85.3 * VOLUME.volume_cm3**-0.98
    assert CHAIN.dose.value == pytest.approx(expected)
    assert CHAIN.integral_mbq_h == pytest.approx(28_000 / 9.4 / recovery)


def test_volume_enters_once_through_recovery_and_mass() -> None:
    step = 1e-5
    larger = replace(CHAIN, volume=replace(VOLUME, diameter_mm=40.0 * (1 + step)))
    by_volume = log(larger.dose.value / CHAIN.dose.value) / (3 * log(1 + step))
    assert CHAIN.contributions_rel["volume"] == pytest.approx(-by_volume * VOLUME.std_rel, rel=1e-4)


def test_parameters_of_the_recovery() -> None:
    step = 1e-6
    size = VOLUME.volume_cm3
    base = log(RECOVERY.recovery_fraction(size))
    half = replace(RECOVERY, half_volume_cm3=1.6 * (1 + step))
    steep = replace(RECOVERY, slope=0.95 * (1 + step))
    by_half = (log(half.recovery_fraction(size)) - base) / step * 0.05
    by_slope = (log(steep.recovery_fraction(size)) - base) / step * 0.05
    expected = sqrt(by_half**2 + by_slope**2 + 2 * 0.3 * by_half * by_slope)
    assert RECOVERY.parameters_std_rel(size) == pytest.approx(expected, rel=1e-4)


@given(
    diameter=st.floats(30.0, 120.0),
    voxel=st.floats(0.5, 5.0),
    fwhm=st.floats(0.0, 5.0),
    counts=st.floats(0.0, 0.1),
)
@settings(max_examples=20, deadline=None)
def test_first_order_agrees_with_draws_where_it_may(
    diameter: float, voxel: float, fwhm: float, counts: float
) -> None:
    chain = replace(
        CHAIN,
        volume=SeenVolume(diameter_mm=diameter, voxel_mm=voxel, fwhm_mm=fwhm),
        counts_std_rel=counts,
    )
    drawn = float(np.log(chain.sampled_doses_mgy(draws=20_000)).std())
    assert chain.std_rel == pytest.approx(drawn, rel=0.06)


def test_given_integrals_are_used() -> None:
    wide = 28_000.0 * np.exp(0.5 * np.random.default_rng(0).standard_normal(10_000))
    assert np.log(CHAIN.sampled_doses_mgy(draws=10_000, counts_cps_h=wide)).std() > 0.5
    with pytest.raises(InputError, match="one integral per draw"):
        CHAIN.sampled_doses_mgy(draws=10, counts_cps_h=wide)


def test_draws_are_positive_even_for_a_volume_that_is_hardly_seen() -> None:
    tiny = replace(CHAIN, volume=SeenVolume(diameter_mm=8.0, voxel_mm=4.4, fwhm_mm=11.0))
    assert (tiny.sampled_doses_mgy(draws=10_000) > 0).all()


def test_the_largest_is_named() -> None:
    assert CHAIN.largest == "volume"
    sharp = replace(CHAIN, volume=SeenVolume(diameter_mm=80.0, voxel_mm=0.1, fwhm_mm=0.1))
    assert sharp.largest == "calibration"


def test_components_of_one_camera_are_common() -> None:
    first = {c.key for c in CHAIN.components()}
    second = {c.key for c in replace(CHAIN, name="other").components()}
    assert first & second == {"calibration:A", "recovery:A", "dose-factor:sphere-fit"}
    total = sqrt(sum(float(np.asarray(c.std_rel)) ** 2 for c in CHAIN.components()))
    assert total == pytest.approx(CHAIN.std_rel)


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: SeenVolume(diameter_mm=0.0, voxel_mm=1.0, fwhm_mm=1.0), "diameter_mm"),
        (lambda: SeenVolume(diameter_mm=1.0, voxel_mm=1.0, fwhm_mm=-1.0), "fwhm_mm"),
        (lambda: SeenVolume.from_volume(-1.0, voxel_mm=1.0, fwhm_mm=1.0), "volume_cm3"),
        (lambda: replace(RECOVERY, slope=0.0), "slope"),
        (lambda: replace(RECOVERY, slope_std_rel=-0.1), "slope_std_rel"),
        (lambda: replace(RECOVERY, correlation_fraction=1.2), "correlation"),
        (lambda: RECOVERY.recovery_fraction(0.0), "volume_cm3"),
        (lambda: replace(CAMERA, cps_per_mbq=0.0), "cps_per_mbq"),
        (lambda: replace(FACTOR, std_rel=float("nan")), "std_rel"),
        (lambda: replace(CHAIN, counts_cps_h=0.0), "counts_cps_h"),
    ],
)
def test_impossible(make: Callable[[], object], where: str) -> None:
    with pytest.raises(InputError, match=where):
        make()


@pytest.mark.parametrize("volume_cm3", [1e-30, 1e-12, 1e-3])
def test_recovery_of_what_is_hardly_there(volume_cm3: float) -> None:
    """Far below the half volume R is (v / half)^slope, and never 0."""
    curve = RecoveryCurve(half_volume_cm3=1.6, half_volume_std_rel=0.1, slope=0.95, slope_std_rel=0.05)
    expected = (volume_cm3 / 1.6) ** 0.95
    assert curve.recovery_fraction(volume_cm3) == pytest.approx(expected / (1 + expected), rel=1e-12)


def test_two_volumes_without_a_name_are_not_one_error() -> None:
    with pytest.raises(InputError, match="without a name"):
        replace(CHAIN, name="").components()


def test_a_speck_is_beyond_first_order_and_says_so() -> None:
    seen = replace(CHAIN, volume=SeenVolume(diameter_mm=80.0, voxel_mm=2.0, fwhm_mm=2.0))
    assert seen.flags == ()
    speck = replace(CHAIN, volume=SeenVolume(diameter_mm=4.0, voxel_mm=4.0, fwhm_mm=11.0))
    assert any("first order does not hold" in flag for flag in speck.flags)
