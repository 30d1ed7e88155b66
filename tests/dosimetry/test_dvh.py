"""Histograms and hot spots against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.dosimetry.dvh import (
    cumulative_histogram,
    dose_at_volume_mgy,
    hot_spot_mgy,
    mean_of_histogram_mgy,
)
from omnidose.errors import InputError
from omnidose.volume import Grid


def test_uniform_dose_is_a_step() -> None:
    histogram = cumulative_histogram(np.full(50, 3.0), bins=30)
    assert np.all(histogram.volume_fraction == 1)
    assert histogram.dose_mgy[-1] == 3
    assert mean_of_histogram_mgy(histogram) == pytest.approx(3)
    assert dose_at_volume_mgy(np.full(50, 3.0), 0.02) == 3


def test_linear_ramp() -> None:
    """Doses evenly spread over 0 to 10: V(D) = 1 - D/10, mean 5, D2 % = 9.8."""
    dose = (np.arange(10_000) + 0.5) / 1000
    histogram = cumulative_histogram(dose, bins=100)
    assert histogram.volume_fraction == pytest.approx(1 - histogram.dose_mgy / 10, abs=2e-4)
    assert mean_of_histogram_mgy(histogram) == pytest.approx(5, rel=1e-4)
    assert dose_at_volume_mgy(dose, 0.02) == pytest.approx(9.8, abs=2e-3)
    assert dose_at_volume_mgy(dose, 1.0) == pytest.approx(0, abs=1e-3)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 5)), min_size=1, max_size=40))
def test_mean_of_the_histogram_is_the_weighted_mean(pairs: list[tuple[float, float]]) -> None:
    dose = np.array([d for d, _w in pairs])
    weights = np.array([w for _d, w in pairs])
    histogram = cumulative_histogram(dose, weights=weights, bins=4000)
    assert histogram.volume_fraction[0] == pytest.approx(1)
    assert np.all(np.diff(histogram.volume_fraction) <= 1e-12)
    mean = float(dose @ weights / weights.sum())
    assert mean_of_histogram_mgy(histogram) == pytest.approx(mean, abs=max(dose.max(), 1) / 4000)


def test_weights_count() -> None:
    assert dose_at_volume_mgy([1.0, 9.0], 0.3, weights=[3.0, 1.0]) == 1.0
    assert dose_at_volume_mgy([1.0, 9.0], 0.25, weights=[3.0, 1.0]) == 9.0


def test_hot_spot_of_a_ramp() -> None:
    """1 cm3 at the hot end of a ramp along x: the mean of its last five voxels of 2 mm."""
    grid = Grid(shape_zyx=(10, 20, 30), spacing_mm=(2.0, 2.0, 2.0), origin_mm=(0, 0, 0))
    dose = np.broadcast_to(np.arange(30.0), grid.shape_zyx).astype(np.float32)
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    mask[:, :, :20] = True
    assert hot_spot_mgy(dose, np.flatnonzero(mask), grid) == pytest.approx(np.mean([15, 16, 17, 18, 19]))


def test_hot_spot_ignores_a_single_hot_voxel_and_what_is_outside() -> None:
    grid = Grid(shape_zyx=(10, 10, 10), spacing_mm=(2.0, 2.0, 2.0), origin_mm=(0, 0, 0))
    dose = np.ones(grid.shape_zyx, dtype=np.float32)
    dose[5, 5, 5] = 126.0
    assert hot_spot_mgy(dose, np.arange(grid.voxel_count), grid) == pytest.approx(2.0)
    mask = np.ones(grid.shape_zyx, dtype=bool)
    mask[5, 5, 5] = False
    assert hot_spot_mgy(dose, np.flatnonzero(mask), grid) == pytest.approx(1.0)


def test_small_organ_gives_its_mean() -> None:
    grid = Grid(shape_zyx=(4, 4, 4), spacing_mm=(2.0, 2.0, 2.0), origin_mm=(0, 0, 0))
    dose = np.arange(64.0).reshape(4, 4, 4)
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    mask[0, 0, :2] = True
    assert hot_spot_mgy(dose, np.flatnonzero(mask), grid) == pytest.approx(0.5)
    assert np.isnan(hot_spot_mgy(dose, np.flatnonzero(np.zeros_like(mask)), grid))


def test_bad_input() -> None:
    with pytest.raises(InputError):
        cumulative_histogram([])
    with pytest.raises(InputError):
        cumulative_histogram([1.0], weights=[-1.0])
    with pytest.raises(InputError):
        dose_at_volume_mgy([1.0], 0.0)
