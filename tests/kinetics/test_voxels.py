"""Integrals of voxels: as single fits, robust for noise, refused where impossible."""

from __future__ import annotations

from math import inf, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.errors import InputError
from omnidose.kinetics.curves import TimeActivityCurve
from omnidose.kinetics.exponentials import Shape
from omnidose.kinetics.fits import fit_curve
from omnidose.kinetics.voxels import fit_voxels, scale_shape

TIMES = np.array([4.0, 24.0, 96.0, 168.0])
LU177_H = 159.53


def decay(half_life_h: np.ndarray) -> np.ndarray:
    return np.exp(-log(2) / half_life_h * TIMES.reshape(-1, *[1] * np.ndim(half_life_h)))


def test_known_voxels_come_back_in_their_shape() -> None:
    half_life = np.linspace(4.0, 158.0, 24).reshape(2, 3, 4)
    found = fit_voxels(5.0 * decay(half_life), TIMES, half_life_h=LU177_H)
    assert found.integral_mbq_h == pytest.approx(5.0 * half_life / log(2), rel=1e-6)
    assert found.constant_per_h == pytest.approx(log(2) / half_life, rel=1e-6)
    assert not found.physical.any()
    assert not found.empty.any()


@given(
    values=st.lists(st.floats(0.1, 100.0), min_size=4, max_size=4),
    std=st.lists(st.floats(0.5, 2.0), min_size=4, max_size=4),
)
@settings(max_examples=40, deadline=None)
def test_a_voxel_is_fitted_as_a_curve(values: list[float], std: list[float]) -> None:
    curve = TimeActivityCurve(time_h=TIMES, activity_mbq=np.array(values), std_mbq=np.array(std))
    images = np.array(values)[:, None]
    voxel = fit_voxels(images, TIMES, half_life_h=LU177_H, std_mbq=np.array(std))
    single = fit_curve(curve, Shape.MONO, half_life_h=LU177_H)
    amplitude = voxel.integral_mbq_h[0] * voxel.constant_per_h[0]
    fitted = amplitude * np.exp(-voxel.constant_per_h[0] * TIMES)
    chi2 = float((((fitted - np.array(values)) / np.array(std)) ** 2).sum())
    # a curve that falls at once may have no least squares at a finite constant: the table ends there
    if single.constants_per_h[0] < 0.1:
        assert chi2 <= single.chi2 * (1 + 1e-6) + 1e-9


def test_what_does_not_fall_is_held_at_the_physical_constant() -> None:
    images = np.ones((4, 3))
    found = fit_voxels(images, TIMES, half_life_h=LU177_H)
    assert found.physical.all()
    assert found.constant_per_h == pytest.approx(log(2) / LU177_H)


def test_empty_and_negative_voxels_are_zero_and_said() -> None:
    images = np.array([[0.0, -1.0], [0.0, -2.0], [0.0, -1.0], [0.0, 0.5]])
    found = fit_voxels(images, TIMES, half_life_h=LU177_H)
    assert found.empty[0]
    assert found.integral_mbq_h[0] == 0
    assert (found.integral_mbq_h >= 0).all()


def test_what_is_gone_at_the_second_scan_is_said() -> None:
    images = np.array([[1.0, 1.0], [0.0, 0.5], [0.0, 0.1], [0.0, 0.02]])
    found = fit_voxels(images, TIMES, half_life_h=LU177_H)
    assert found.fastest.tolist() == [True, False]


def test_noise_hardly_biases_a_shape() -> None:
    rng = np.random.default_rng(1)
    true = 80.0 / log(2)
    clean = decay(np.full(20_000, 80.0))
    noisy = clean + 0.4 * rng.standard_normal(clean.shape)
    organ = TimeActivityCurve.with_relative_std(TIMES, clean[:, 0], std_rel=0.02)
    fit = fit_curve(organ, Shape.MONO, half_life_h=LU177_H)
    shaped = scale_shape(noisy, TIMES, fit=fit)
    assert shaped.integral_mbq_h.mean() == pytest.approx(true, rel=0.01)
    own = fit_voxels(noisy, TIMES, half_life_h=LU177_H)
    # each with a constant of its own is wider
    assert own.integral_mbq_h.std() > 1.2 * shaped.integral_mbq_h.std()


def test_a_shape_gives_each_voxel_its_share() -> None:
    organ = TimeActivityCurve.with_relative_std(TIMES, 100 * decay(np.array(60.0)), std_rel=0.03)
    fit = fit_curve(organ, Shape.MONO, half_life_h=LU177_H)
    share = np.array([0.2, 0.3, 0.5])
    found = scale_shape(fit.activity_mbq(TIMES)[:, None] * share, TIMES, fit=fit, std_mbq=np.arange(1.0, 5.0))
    assert found.integral_mbq_h == pytest.approx(share * fit.integral.value_mbq_h)


def test_what_is_refused() -> None:
    images = np.ones((4, 2))
    with pytest.raises(InputError, match="do not fit"):
        fit_voxels(images[:3], TIMES, half_life_h=LU177_H)
    with pytest.raises(InputError, match="must rise"):
        fit_voxels(images, TIMES[::-1], half_life_h=LU177_H)
    with pytest.raises(InputError, match="not finite"):
        fit_voxels(images * np.nan, TIMES, half_life_h=LU177_H)
    with pytest.raises(InputError, match="one positive uncertainty"):
        fit_voxels(images, TIMES, half_life_h=LU177_H, std_mbq=np.zeros(4))
    with pytest.raises(InputError, match="two images"):
        fit_voxels(images[:1], TIMES[:1], half_life_h=LU177_H)
    with pytest.raises(InputError, match="bound"):
        fit_voxels(images, TIMES, half_life_h=inf)
    flat = TimeActivityCurve.with_relative_std(TIMES, np.ones(4), std_rel=0.03)
    with pytest.raises(InputError, match="rejected"):
        scale_shape(images, TIMES, fit=fit_curve(flat, Shape.MONO, half_life_h=LU177_H))
