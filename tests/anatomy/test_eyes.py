"""Eyeballs in a head drawn with balls: found where they are, and not where there are none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from omnidose.anatomy.segmentation.eyes import find_eyes
from omnidose.volume import Grid

GRID = Grid(shape_zyx=(60, 90, 80), spacing_mm=(2.5, 2.5, 2.5), origin_mm=(0.0, 0.0, 0.0))
#: Middles of the eyes, mm (x, y, z): the left eye has the larger x.
RIGHT, LEFT = (67.0, 40.0, 60.0), (131.0, 41.0, 63.0)


def distance(centre: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    z, y, x = (GRID.axis_mm(axis) - centre[axis] for axis in (2, 1, 0))
    return np.sqrt(z[:, None, None] ** 2 + y[None, :, None] ** 2 + x[None, None, :] ** 2)


def head(*, eyes: bool) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    x, y = GRID.axis_mm(0) - 100, GRID.axis_mm(1) - 112
    inside = (x[None, :] / 75) ** 2 + (y[:, None] / 92) ** 2 <= 1
    body = np.broadcast_to(inside, GRID.shape_zyx).copy()
    hu = np.where(body, 40.0, -1000.0)
    brain = body & (distance((100.0, 125.0, 110.0)) < 60)
    for middle in (RIGHT, LEFT):
        orbit = distance((middle[0], middle[1] + 6, middle[2])) < 21
        hu[orbit & body] = -90.0
        if eyes:
            hu[distance(middle) < 12] = 10.0
    noise = np.random.default_rng(3).normal(0, 20, hu.shape)
    return (hu + noise).astype(np.float32), body, brain


def test_two_eyes_on_their_sides() -> None:
    found = find_eyes(*head(eyes=True), GRID)
    assert found is not None
    for mask, middle in zip(found, (LEFT, RIGHT), strict=True):
        centre = np.argwhere(mask).mean(axis=0)[::-1] * 2.5
        assert np.linalg.norm(centre - np.array(middle)) < 4
        assert mask.sum() * GRID.voxel_volume_cm3 == pytest.approx(7.2, rel=0.1)


def test_a_face_without_eyes_has_none() -> None:
    assert find_eyes(*head(eyes=False), GRID) is None


def test_no_brain_no_eyes() -> None:
    hu, body, brain = head(eyes=True)
    assert find_eyes(hu, body, np.zeros_like(brain), GRID) is None


def test_one_eye_is_no_pair() -> None:
    hu, body, brain = head(eyes=True)
    hu[distance(LEFT) < 14] = -90.0
    assert find_eyes(hu, body, brain, GRID) is None
