"""Skin shell and lens as sub-voxel regions."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.anatomy.skin import body_surface_m2, lens_region, skin_region, with_whole_skin
from omnidose.errors import InputError
from omnidose.volume import Grid


def test_skin_of_a_box_has_the_exact_volume() -> None:
    grid = Grid(shape_zyx=(20, 24, 30), spacing_mm=(2.0, 3.0, 5.0), origin_mm=(0, 0, 0))
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    mask[4:14, 5:17, 6:26] = True
    region = skin_region(mask, grid, thickness_mm=1.2)
    size = np.array([20 * 2.0, 12 * 3.0, 10 * 5.0])
    exact = np.prod(size) - np.prod(size - 2.4)
    assert region.weights is not None
    assert float(region.weights.sum()) * 2 * 3 * 5 == pytest.approx(exact, rel=1e-5)
    assert mask.ravel()[region.voxels].all()


def test_skin_thicker_than_a_voxel_takes_whole_voxels() -> None:
    grid = Grid(shape_zyx=(5, 5, 5), spacing_mm=(1.0, 1.0, 1.0), origin_mm=(0, 0, 0))
    mask = np.ones(grid.shape_zyx, dtype=bool)
    region = skin_region(mask, grid, thickness_mm=1.5, cut_faces=(False,) * 6)
    assert region.weights is not None
    assert region.voxels.size == 125 - 27
    assert np.all(region.weights == 1)


def test_cut_faces_are_not_skin() -> None:
    grid = Grid(shape_zyx=(4, 4, 4), spacing_mm=(2.0, 2.0, 2.0), origin_mm=(0, 0, 0))
    mask = np.ones(grid.shape_zyx, dtype=bool)
    assert skin_region(mask, grid, thickness_mm=1.0, cut_faces=(True,) * 6).voxels.size == 0
    side = skin_region(mask, grid, thickness_mm=1.0, cut_faces=(True, True, True, True, False, True))
    assert set(side.voxels.tolist()) == set(range(16))
    assert side.weights is not None
    assert side.weights == pytest.approx(0.5)


def test_skin_refuses_nonsense() -> None:
    grid = Grid(shape_zyx=(2, 2, 2), spacing_mm=(1, 1, 1), origin_mm=(0, 0, 0))
    with pytest.raises(InputError, match="empty"):
        skin_region(np.zeros((2, 2, 2), bool), grid)
    with pytest.raises(InputError, match="positive"):
        skin_region(np.ones((2, 2, 2), bool), grid, thickness_mm=0)


def test_lens_lies_at_the_front_of_the_eye_with_its_volume() -> None:
    grid = Grid(shape_zyx=(14, 40, 40), spacing_mm=(0.8, 0.8, 2.5), origin_mm=(10, -20, 5))
    z, y, x = np.meshgrid(*(grid.axis_mm(a) for a in (2, 1, 0)), indexing="ij")
    centre = (26.0, -4.0, 21.0)
    eye = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2 <= 12.0**2
    lens = lens_region(eye, grid, key="left-lens")
    assert lens.weights is not None
    volume = float(lens.weights.sum()) * grid.voxel_volume_cm3 * 1000
    assert volume == pytest.approx(4 / 3 * np.pi * 4.8 * 4.8 * 2.0, rel=0.05)
    mean_y = np.average(y.ravel()[lens.voxels], weights=lens.weights)
    assert mean_y == pytest.approx(centre[1] - 12 + 3 + 2, abs=0.6)
    assert np.average(x.ravel()[lens.voxels], weights=lens.weights) == pytest.approx(centre[0], abs=0.3)
    assert eye.ravel()[lens.voxels].mean() > 0.95


def test_body_surface() -> None:
    # ICRP 89, table 2.9: 1.90 m2 (176 cm, 73 kg) and 1.66 m2 (163 cm, 60 kg).
    assert body_surface_m2(176, 73) == pytest.approx(1.90, abs=0.02)
    assert body_surface_m2(163, 60) == pytest.approx(1.66, abs=0.02)


def test_the_completed_part_makes_up_the_whole_skin() -> None:
    grid = Grid(shape_zyx=(10, 12, 12), spacing_mm=(10.0, 10.0, 10.0), origin_mm=(0.0, 0.0, 0.0))
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    mask[:, 2:-2, 2:-2] = True
    skin = skin_region(mask, grid, thickness_mm=1.0)
    completed = np.zeros(grid.shape_zyx, dtype=bool)
    completed[5:] = True
    density = np.ones(grid.shape_zyx, dtype=np.float32)
    assert skin.weights is not None
    own = float(skin.weights.sum())
    whole = with_whole_skin(skin, completed, density, 1.0, mass_g=1.5 * own)
    assert whole.weights is not None
    beyond = completed.ravel()[skin.voxels]
    assert float(whole.weights.sum()) == pytest.approx(1.5 * own, rel=1e-5)
    assert np.array_equal(whole.weights[~beyond], skin.weights[~beyond])
    small = with_whole_skin(skin, completed, density, 1.0, mass_g=0.1 * own)
    assert small is skin
