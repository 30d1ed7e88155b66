"""Rigid motion between scans is found, and activity is moved without loss."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.errors import InputError
from omnidose.modalities.nuclear.imaging.patients import Lie
from omnidose.modalities.nuclear.imaging.scans import lying
from omnidose.modalities.nuclear.series.registration import RigidMotion, bring, register_rigid
from omnidose.volume import Grid, Volume

GRID = Grid.centred((30, 36, 40), (6.0, 6.0, 6.0))


def body() -> np.ndarray:
    z, y, x = np.meshgrid(*(GRID.axis_mm(axis) for axis in (2, 1, 0)), indexing="ij")
    inside = ((x / 100) ** 2 + (y / 75) ** 2 < 1) * 0.14
    inside += (((x - 30) / 25) ** 2 + ((y - 20) / 20) ** 2 + ((z - 15) / 40) ** 2 < 1) * 0.08
    inside -= (((x + 40) / 30) ** 2 + (y / 30) ** 2 + ((z - 50) / 45) ** 2 < 1) * 0.10
    return inside.astype(np.float32)


def test_a_motion_is_found_and_undone() -> None:
    lie = Lie(shift_mm=(3.0, -2.0, 2.5), turn_deg=1.5)
    moved = lying(body(), GRID, lie)
    motion = register_rigid(Volume.on_grid(body(), GRID), Volume.on_grid(moved, GRID))
    assert motion.moved_mm(np.zeros((1, 3)))[0] == pytest.approx(lie.shift_mm, abs=0.4)
    assert np.rad2deg(motion.turns_rad[2]) == pytest.approx(1.5, abs=0.2)

    activity = np.zeros(GRID.shape_zyx, np.float32)
    activity[12:18, 14:22, 18:26] = 1.0
    back = bring(Volume.on_grid(lying(activity, GRID, lie), GRID), motion, Volume.on_grid(body(), GRID))
    assert back.array.sum() == pytest.approx(activity.sum(), rel=0.005)
    assert back.array[13:17, 15:21, 19:25].mean() == pytest.approx(1.0, abs=0.03)


def test_activity_is_kept_on_other_voxels() -> None:
    activity = np.zeros(GRID.shape_zyx, np.float32)
    activity[12:18, 14:22, 18:26] = 1.0
    fine = Grid.centred((60, 72, 80), (3.0, 3.0, 3.0))
    still = RigidMotion(turns_rad=(0, 0, 0), shift_mm=(0, 0, 0), centre_mm=(0, 0, 0), misfit=0)
    onto = Volume.on_grid(np.zeros(fine.shape_zyx, np.float32), fine)
    found = bring(Volume.on_grid(activity, GRID), still, onto)
    assert found.array.shape == fine.shape_zyx
    assert found.array.sum() == pytest.approx(activity.sum(), rel=0.01)


def test_an_image_without_contrast_is_refused() -> None:
    flat = Volume.on_grid(np.ones(GRID.shape_zyx, np.float32), GRID)
    with pytest.raises(InputError, match="contrast"):
        register_rigid(flat, Volume.on_grid(body(), GRID))
