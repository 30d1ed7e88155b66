"""Simulated patients: the same from the same seed, their parts disjoint, their truth consistent."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from omnidose.errors import InputError
from omnidose.modalities.nuclear.imaging.bodies import Sphere, sphere_shares, stretched
from omnidose.modalities.nuclear.imaging.patients import Clearance, Lie, draw_kinetics, draw_lesion
from omnidose.modalities.nuclear.imaging.scans import coarse_grid, lying, pooled, wandered
from omnidose.volume import Grid

GRID = Grid.centred((20, 20, 20), (3.0, 3.0, 3.0))


def test_activity_and_its_integral_agree() -> None:
    clearance = Clearance(amplitude_mbq=(100.0, 50.0), half_life_h=(50.0, 3.0), uptake_h=0.5)
    time = np.linspace(0, 900, 300_001)
    activity = [clearance.activity_mbq(float(t)) for t in time]
    assert activity[0] == pytest.approx(0, abs=1e-9)
    assert np.trapezoid(activity, time) == pytest.approx(clearance.integral_mbq_h, rel=1e-4)
    assert Clearance(amplitude_mbq=(1.0,), half_life_h=(log(2),)).integral_mbq_h == pytest.approx(1.0)


def test_kinetics_come_from_the_seed_and_stay_below_physical() -> None:
    first, second = (draw_kinetics(np.random.default_rng(5), 7400, scale=1.0) for _ in range(2))
    assert first == second
    for seed in range(50):
        rng = np.random.default_rng(seed)
        parts = [*draw_kinetics(rng, 7400, scale=1.0).values(), draw_lesion(rng, 7400, 10.0)]
        assert all(max(part.half_life_h) < 159.6 for part in parts)
        assert sum(part.activity_mbq(4.0) for part in parts) < 7400


@pytest.mark.parametrize("volume", [2.0, 10.0, 40.0])
def test_spheres_have_their_volume(volume: float) -> None:
    sphere = Sphere(name="a", centre_mm=(0.7, -0.4, 0.2), volume_cm3=volume, host="")
    _flat, share = sphere_shares(sphere, GRID)
    assert share.sum() * GRID.voxel_volume_cm3 == pytest.approx(volume, rel=0.02)
    assert (sphere.depth_mm(GRID) > 0).sum() * GRID.voxel_volume_cm3 == pytest.approx(volume, rel=0.1)


def test_pooling_keeps_sums_and_places() -> None:
    rng = np.random.default_rng(3)
    fine = rng.random(GRID.shape_zyx, dtype=np.float32)
    grid = coarse_grid(GRID)
    assert pooled(fine).shape == grid.shape_zyx
    assert pooled(fine).sum() == pytest.approx(fine.sum(), rel=1e-5)
    assert grid.lower_mm == pytest.approx(GRID.lower_mm)
    assert grid.upper_mm == pytest.approx(GRID.upper_mm)
    with pytest.raises(InputError, match="multiples"):
        coarse_grid(Grid.centred((3, 4, 4), (1.0, 1.0, 1.0)))


def test_lying_moves_as_it_says() -> None:
    array = np.zeros(GRID.shape_zyx, np.float32)
    array[8:11, 9:12, 12:15] = 1.0
    moved = lying(array, GRID, Lie(shift_mm=(3.0, -6.0, 4.5), turn_deg=0.0))

    def middle(a: np.ndarray) -> np.ndarray:
        return np.array([np.average(i, weights=a) for i in np.indices(a.shape)[::-1]])

    assert (middle(moved) - middle(array)) * 3 == pytest.approx([3.0, -6.0, 4.5], abs=0.01)
    wander = wandered(array, (1.0, -2.0, 1.5), GRID)
    assert (middle(wander) - middle(array)) * 3 == pytest.approx([1.0, -2.0, 1.5], abs=0.01)
    assert wander.sum() == pytest.approx(array.sum(), rel=1e-5)
    turned = lying(array, GRID, Lie(shift_mm=(0.0, 0.0, 0.0), turn_deg=90.0))
    x, y, _z = middle(array) - 9.5
    assert middle(turned)[:2] - 9.5 == pytest.approx([-y, x], abs=0.05)


def test_refused_factor() -> None:
    with pytest.raises(InputError, match="factors"):
        stretched("M", factors=(2.0, 1.0), grid=GRID, middle_z_mm=300)
