"""The camera: what it sees, exactly; projection and its transpose; noise; reconstruction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.errors import InputError
from omnidose.modalities.nuclear.imaging.camera import FWHM_PER_STD, Camera
from omnidose.modalities.nuclear.imaging.noise import Projections, acquire, recorded_share
from omnidose.modalities.nuclear.imaging.osem import reconstruct
from omnidose.modalities.nuclear.imaging.projector import Projector, project_once
from omnidose.volume import Grid

GRID = Grid.centred((12, 24, 24), (8.0, 8.0, 8.0))
CAMERA = Camera(views=12)
RADIUS = np.full(12, 120.0)


def body(mu_per_cm: float = 0.13) -> np.ndarray:
    x, y = np.meshgrid(GRID.axis_mm(0), GRID.axis_mm(1))
    return np.broadcast_to(np.where(np.hypot(x, y) < 70, mu_per_cm, 0), GRID.shape_zyx).astype(np.float32)


def point() -> np.ndarray:
    array = np.zeros(GRID.shape_zyx, np.float32)
    array[6, 12, 15] = 1.0
    return array


def test_resolution_of_crystal_and_holes_in_quadrature() -> None:
    assert CAMERA.fwhm_mm(0.0) == pytest.approx(np.hypot(3.8, 2.94))
    assert CAMERA.fwhm_mm(100.0) == pytest.approx(np.hypot(3.8, 2.94 * 136 / 36))
    assert CAMERA.wrong_by(-1.5).fwhm_mm(100.0) == pytest.approx(float(CAMERA.fwhm_mm(100.0)) - 1.5)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_back_projection_is_the_transpose(seed: int) -> None:
    rng = np.random.default_rng(seed)
    projector = Projector.around(CAMERA, GRID, body())
    image = rng.random(GRID.shape_zyx, dtype=np.float32)
    seen = rng.random((4, 24, 12), dtype=np.float32)
    views = slice(1, None, 3)
    forward = np.vdot(projector.forward(image, views).astype(np.float64), seen)
    assert forward == pytest.approx(
        np.vdot(image.astype(np.float64), projector.backward(seen, views)), rel=1e-5
    )


def test_nothing_is_lost_without_attenuation() -> None:
    projector = Projector.around(CAMERA, GRID, body(0.0), radius_mm=RADIUS)
    x, y = np.meshgrid(GRID.axis_mm(0), GRID.axis_mm(1))
    blob = np.zeros(GRID.shape_zyx, np.float32)
    blob[6] = np.exp(-((x - 20) ** 2 + y**2) / 2 / 16**2)
    assert projector.forward(blob).sum(axis=(1, 2)) == pytest.approx(blob.sum() * np.ones(12), rel=2e-3)


def test_a_point_in_the_middle_of_water_is_absorbed_by_its_depth() -> None:
    array = np.zeros(GRID.shape_zyx, np.float32)
    array[6, 11:13, 11:13] = 0.25
    total = Projector.around(CAMERA, GRID, body()).forward(array).sum(axis=(1, 2))
    assert total == pytest.approx(np.exp(-0.13 * 7.0) * np.ones(12), rel=0.06)  # the border follows voxels


def test_a_point_is_as_wide_as_the_camera_says() -> None:
    projector = Projector.around(CAMERA, GRID, body(0.0), radius_mm=RADIUS)
    seen = projector.forward(point())[0].astype(np.float64)
    u, z = (np.arange(n) for n in seen.shape)
    x_mm = GRID.axis_mm(0)[15]
    expected = (float(CAMERA.fwhm_mm(120.0 - x_mm)) / FWHM_PER_STD / 8.0) ** 2
    along_z = seen.sum(axis=0)
    variance = (along_z * z**2).sum() - (along_z * z).sum() ** 2
    assert variance == pytest.approx(expected - 1 / 6, rel=0.03)  # z is not looked up between voxels
    assert (seen.sum(axis=1) * u).sum() == pytest.approx(12, abs=0.51)


def test_projecting_once_gives_the_same() -> None:
    array = point() + body()
    both = Projector.around(CAMERA, GRID, body()).forward(array), project_once(array, CAMERA, GRID, body())
    assert both[1] == pytest.approx(both[0], rel=1e-6)


def test_counts_scatter_and_dead_time() -> None:
    primary = np.full((4, 40, 40), 20.0, np.float32)
    camera = Camera(views=4, dead_time_s=2e-6)
    seen = acquire(primary, camera, pixel_mm=10.0, view_s=50.0, rng=np.random.default_rng(1))
    inner = (slice(None), slice(12, 28), slice(12, 28))
    rate = seen.counts[inner].mean() / 50
    alive = recorded_share(1.25 * 20 * 1600, 2e-6)  # at most: scatter leaves at the edges
    assert 20 * 1.2 * alive < rate < 20 * 1.26
    assert seen.scatter_counts[inner].mean() / 50 == pytest.approx(0.25 * 20 * alive, rel=0.06)
    assert seen.rate_per_s == pytest.approx(float(seen.counts.sum()) / 4 / 50)


def test_reconstruction_returns_the_activity() -> None:
    projector = Projector.around(CAMERA, GRID, body())
    true = np.where(body() > 0, 1.0, 0.0).astype(np.float32)
    true[4:8, 10:14, 10:14] = 4.0
    counts = projector.forward(true) * np.float32(100)
    seen = Projections(counts=counts, scatter_counts=np.zeros_like(counts), view_s=100.0, rate_per_s=0.0)
    image = reconstruct(seen, projector, iterations=12, subsets=4)
    assert image.sum() == pytest.approx(true.sum(), rel=0.01)
    assert image[4:8, 10:14, 10:14].mean() == pytest.approx(4.0, rel=0.12)


def test_refusals() -> None:
    with pytest.raises(InputError, match="cubic"):
        Projector.around(CAMERA, Grid.centred((4, 4, 4), (2.0, 2.0, 3.0)), np.zeros((4, 4, 4), np.float32))
    with pytest.raises(InputError, match="does not fit"):
        Projector.around(CAMERA, GRID, np.zeros((4, 4, 4), np.float32))
    empty, projector = np.zeros((12, 24, 12), np.float32), Projector.around(CAMERA, GRID, body())
    seen = Projections(counts=empty, scatter_counts=empty, view_s=1.0, rate_per_s=0.0)
    with pytest.raises(InputError, match="subsets"):
        reconstruct(seen, projector, subsets=5)
    with pytest.raises(InputError, match="view"):
        acquire(np.ones((4, 4, 4), np.float32), CAMERA, pixel_mm=5, view_s=0, rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="hole_mm"):
        Camera(hole_mm=0)
