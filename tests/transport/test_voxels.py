"""Voxels packed into words: nothing is lost, overlaps and weights are kept apart."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.errors import GeometryError
from omnidose.physics.material_library import material
from omnidose.transport.scene import VoxelGrid
from omnidose.transport.tally import Region
from omnidose.transport.voxels import DENSITY_STEPS, PackedVoxels, pack_voxels
from omnidose.volume import Grid

WATER = material("water")
LEAD = material("lead")


def voxels(shape: tuple[int, int, int] = (3, 4, 5), seed: int = 1) -> VoxelGrid:
    rng = np.random.default_rng(seed)
    return VoxelGrid(
        grid=Grid.centred(shape, (3.0, 4.0, 5.0)),
        materials=(WATER, LEAD),
        material_index=rng.integers(0, 2, shape).astype(np.uint8),
        density_g_cm3=rng.uniform(0, 12, shape).astype(np.float32),
    )


def scored(packed: PackedVoxels, voxel: int) -> dict[int, float]:
    kind = int(packed.word[voxel] >> 16)
    return {
        int(packed.kind_region[e]): 1.0
        if packed.kind_weight[e] < 0
        else float(packed.weights[voxel, packed.kind_weight[e]])
        for e in range(packed.kind_first[kind], packed.kind_first[kind + 1])
    }


def test_words_hold_material_and_density() -> None:
    grid = voxels()
    packed = pack_voxels(grid, [], 0)
    kind = packed.word >> 16
    density = (packed.word & 0xFFFF) * packed.kind_step[kind]
    assert packed.kind_material[kind].tolist() == grid.material_index.ravel().tolist()
    assert np.abs(density - grid.density_g_cm3.ravel()).max() <= 12 / DENSITY_STEPS / 2 * 1.01


def test_regions_overlap_and_have_weights() -> None:
    regions = [
        Region(key="a", voxels=np.array([0, 1, 2])),
        Region(key="b", voxels=np.array([3, 4])),
        Region(key="c", voxels=np.array([2, 3]), weights=np.array([0.5, 0.25], np.float32)),
        Region(key="d", voxels=np.array([0, 4])),
    ]
    packed = pack_voxels(voxels(), regions, 10)
    place = {regions[i].key: 10 + n for n, i in enumerate(packed.order)}
    expected = {0: {"a": 1, "d": 1}, 1: {"a": 1}, 2: {"a": 1, "c": 0.5}, 3: {"b": 1, "c": 0.25}, 5: {}}
    for voxel, wanted in expected.items():
        assert scored(packed, voxel) == {place[key]: share for key, share in wanted.items()}


def test_region_outside_grid_is_refused() -> None:
    with pytest.raises(GeometryError, match="outside the grid"):
        pack_voxels(voxels(), [Region(key="a", voxels=np.array([70]))], 0)


def test_too_many_ways_to_overlap_are_refused() -> None:
    rng = np.random.default_rng(2)
    shape = (50, 60, 60)
    labels = [rng.integers(0, 200, 180_000) for _ in range(3)]
    regions = [
        Region(key=f"{n} {value}", voxels=np.flatnonzero(layer == value))
        for n, layer in enumerate(labels)
        for value in range(200)
    ]
    with pytest.raises(GeometryError, match="overlap in"):
        pack_voxels(voxels(shape), regions, 0)
