"""What misplaced and completed organs add to the uncertainty, against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from omnidose.anatomy.body import BodyModel, BodyRegion, Organ, Origin
from omnidose.dosimetry.anatomy_uncertainty import (
    PLACE_MM,
    PLACE_PER_MM,
    place_std_rel,
)
from omnidose.physics.materials import Material
from omnidose.volume import Grid

WATER = Material(name="water", weight_fractions={1: 0.111894, 8: 0.888106}, density_g_cm3=1.0)
FALL_MM = 60.0


def column() -> BodyModel:
    """A column of water, 1 m high; a fitted organ, a phantom's, a segmented one, each one layer."""
    grid = Grid(shape_zyx=(250, 4, 4), spacing_mm=(10.0, 10.0, 4.0), origin_mm=(0.0, 0.0, 0.0))
    labels = np.ones(grid.shape_zyx, dtype=np.uint8)
    labels[100, :2], labels[100, 2:], labels[110] = 2, 3, 4
    return BodyModel(
        name="column",
        grid=grid,
        materials=(WATER,),
        material_index=np.zeros(grid.shape_zyx, dtype=np.uint8),
        density_g_cm3=np.ones(grid.shape_zyx, dtype=np.float32),
        labels=labels,
        organs=(
            Organ(key="soft-tissue", label=1, origin=Origin.SEGMENTED),
            Organ(key="left-lung", label=2, origin=Origin.ATLAS),
            Organ(key="right-lung", label=3, origin=Origin.PHANTOM),
            Organ(key="liver", label=4, origin=Origin.SEGMENTED),
        ),
    )


def falling_dose(body: BodyModel) -> np.ndarray:
    fall = np.exp(-body.grid.axis_mm(2) / FALL_MM)
    return np.broadcast_to(fall[:, None, None], body.grid.shape_zyx).astype(np.float32)


def spread(place_mm: float) -> float:
    """Relative standard deviation of a lognormal exp(d / fall) for a normal d of this spread."""
    return float(np.sqrt(np.expm1((place_mm / FALL_MM) ** 2)))


def test_a_displaced_organ_in_a_falling_dose() -> None:
    body = column()
    keys = ("left-lung", "right-lung", "liver", "lungs")
    std = dict(zip(keys, place_std_rel(body, keys, falling_dose(body)), strict=True))
    assert std["left-lung"] == pytest.approx(spread(PLACE_MM), rel=0.01)
    assert std["right-lung"] == pytest.approx(spread(PLACE_MM), rel=0.01)
    assert std["liver"] == 0
    # Equal doses and masses, moving together: the mean of the two.
    assert std["lungs"] == pytest.approx(0.5 * (spread(PLACE_MM) + spread(PLACE_MM)), rel=0.02)


def test_place_does_not_matter_in_an_even_dose() -> None:
    body = column()
    even = np.ones(body.grid.shape_zyx, dtype=np.float32)
    assert place_std_rel(body, ("left-lung", "right-lung"), even) == pytest.approx(0.0, abs=1e-12)


def test_only_the_completed_part_of_a_segmented_organ_moves() -> None:
    body = column()
    labels = body.labels.copy()
    labels[111] = 4
    completed = np.zeros(labels.shape, dtype=np.bool_)
    completed[111] = True
    half = replace(body, labels=labels, completed=completed)
    (std,) = place_std_rel(half, ("liver",), falling_dose(half))
    d = np.exp(-4.0 / FALL_MM)
    first_order = PLACE_MM / FALL_MM * d / (1 + d)
    assert std == pytest.approx(np.sqrt(np.expm1(first_order**2)), rel=0.03)


def test_the_farther_beyond_the_images_the_less_is_known() -> None:
    body = column()
    completed = np.zeros(body.labels.shape, dtype=np.bool_)
    completed[:125] = True  # 25 layers of 4 mm from the images to the phantom's organ
    far = replace(body, completed=completed)
    (std,) = place_std_rel(far, ("right-lung",), falling_dose(far))
    assert std == pytest.approx(spread(PLACE_MM + PLACE_PER_MM * 25 * 4.0), rel=0.02)


def test_weights_of_a_region_count() -> None:
    body = column()
    voxels = np.array([100 * 16, 130 * 16], dtype=np.int64)
    region = BodyRegion(
        key="left-lens", voxels=voxels, weights=np.array([1.0, 0.0], dtype=np.float32), origin=Origin.PHANTOM
    )
    (std,) = place_std_rel(replace(body, regions=(region,)), ("left-lens",), falling_dose(body))
    assert std == pytest.approx(spread(PLACE_MM), rel=0.01)
