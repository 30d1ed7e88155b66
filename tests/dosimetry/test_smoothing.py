"""Smoothing of dose maps keeps energy and the contrast of materials, and measures noise rightly."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.anatomy.body import BodyModel
from omnidose.dosimetry.results import DoseMap
from omnidose.dosimetry.smoothing import TARGET_NOISE_REL, WIDEST_MM, noise_rel, smooth
from omnidose.physics.material_library import material
from omnidose.physics.photons import mass_energy_absorption_cm2_g
from omnidose.volume import Grid, Volume

SHAPE = (30, 40, 40)


def two_materials() -> BodyModel:
    index = np.zeros(SHAPE, np.uint8)
    index[:, :, 20:] = 1
    tissue, bone = material("soft tissue, four components"), material("cortical bone")
    return BodyModel(
        name="test",
        grid=Grid.centred(SHAPE, (2.5, 2.5, 2.5)),
        materials=(tissue, bone),
        material_index=index,
        density_g_cm3=np.where(index == 0, 1.0, 1.9).astype(np.float32),
        labels=np.zeros(SHAPE, np.uint8),
        organs=(),
    )


def truth(body: BodyModel) -> np.ndarray:
    coefficient = np.array([float(mass_energy_absorption_cm2_g(m, 60.0)) for m in body.materials])
    return np.asarray(1000 * coefficient[body.material_index])


@pytest.mark.parametrize("noise", [0.1, 0.4, 1.0])
def test_noise_is_measured_and_reduced(noise: float) -> None:
    body = two_materials()
    exact = truth(body)
    rng = np.random.default_rng(1)
    noisy = exact * rng.gamma(1 / noise**2, noise**2, SHAPE)  # mean 1, relative standard deviation noise
    assert noise_rel(noisy.astype(np.float32), body) == pytest.approx(noise, rel=0.08)
    map_ = DoseMap(volume=Volume.on_grid(noisy.astype(np.float32), body.grid))
    smoothed, done = smooth(map_, body, energy_kev=60.0)
    assert done.noise_before_rel == pytest.approx(noise, rel=0.08)
    left = smoothed.volume.array[:, :, :20] / exact[:, :, :20]
    right = smoothed.volume.array[:, :, 20:] / exact[:, :, 20:]
    # no blur across the border of the materials, no bias, and the noise that was promised
    assert left.mean() == pytest.approx(1, abs=0.01)
    assert right[:, :, :2].mean() == pytest.approx(1, abs=0.05)
    inner = left[6:-6, 8:-8, 8:-6]
    assert inner.std() < 1.4 * max(TARGET_NOISE_REL, done.noise_after_rel)
    assert done.sigma_mm <= WIDEST_MM
    mass = body.density_g_cm3
    assert (smoothed.volume.array * mass).sum() == pytest.approx((noisy * mass).sum(), rel=0.01)


def test_quiet_map_is_left_alone() -> None:
    body = two_materials()
    map_ = DoseMap(volume=Volume.on_grid(truth(body).astype(np.float32), body.grid))
    smoothed, done = smooth(map_, body, energy_kev=60.0)
    assert smoothed is map_
    assert done.sigma_mm == 0
