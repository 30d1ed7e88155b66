"""Macro cells, shapes and layers: closed forms and bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.physics.material_library import material
from omnidose.transport.geometry import (
    MAX_CLASSES,
    macro_grid,
    majorants,
    scene_materials,
)
from omnidose.transport.scene import Box, Cylinder, Scene, VoxelGrid
from omnidose.transport.shapes import visible_volumes_cm3
from omnidose.volume import Grid

WATER = material("water")
LEAD = material("lead")


def random_voxels(shape: tuple[int, int, int], seed: int) -> VoxelGrid:
    rng = np.random.default_rng(seed)
    return VoxelGrid(
        grid=Grid.centred(shape, (3.0, 4.0, 5.0)),
        materials=(WATER, LEAD),
        material_index=rng.integers(0, 2, shape).astype(np.uint8),
        density_g_cm3=rng.uniform(0.1, 12, shape).astype(np.float32),
    )


def test_nested_shapes_have_exact_volumes() -> None:
    shapes = (
        Cylinder(key="a", material=WATER, centre_mm=(0, 0, 0), radius_mm=160, length_mm=300),
        Cylinder(key="b", material=WATER, centre_mm=(150, 0, 0), radius_mm=5, length_mm=100),
        Box(key="c", material=WATER, lower_mm=(-10, -10, -10), upper_mm=(10, 10, 10)),
    )
    volumes = visible_volumes_cm3(shapes)
    small = np.pi * 0.5**2 * 10
    assert volumes == pytest.approx([np.pi * 16**2 * 30 - small - 8, small, 8])


def test_overlapping_shapes_have_sampled_volumes() -> None:
    shapes = (
        Box(key="a", material=WATER, lower_mm=(0, 0, 0), upper_mm=(10, 10, 10)),
        Box(key="b", material=WATER, lower_mm=(5, 0, 0), upper_mm=(20, 10, 10)),
    )
    assert visible_volumes_cm3(shapes) == pytest.approx([0.5, 1.5], rel=2e-3)


@settings(deadline=None)  # the first example compiles
@given(
    nz=st.integers(1, 9), ny=st.integers(1, 12), nx=st.integers(1, 14), seed=st.integers(0, 9),
    reach=st.floats(-40, 40),
)  # fmt: skip
def test_every_voxel_and_shape_is_bounded(nz: int, ny: int, nx: int, seed: int, reach: float) -> None:
    voxels = random_voxels((nz, ny, nx), seed)
    box = Box(key="s", material=LEAD, lower_mm=(reach, -3, -4), upper_mm=(reach + 5, 8, 9))
    scene = Scene(voxels=voxels, shapes=(box,))
    mu = np.array([[0.2, 1.0], [5.0, 0.7], [5.0, 0.7], [0.2, 1.0]])
    assert len(scene_materials(scene)) == 4
    major = majorants(scene, macro_grid(scene), mu, [])
    macro = major.macro
    bound = (major.class_density[:, :, None] * mu[None]).max(axis=1)[major.cell_class]
    assert len(major.class_density) <= MAX_CLASSES
    mx, my, _mz = (int(n) for n in macro.n_cell)
    for k, j, i in np.ndindex(nz, ny, nx):
        point = voxels.grid.lower_mm + np.array([i + 0.5, j + 0.5, k + 0.5]) * voxels.grid.spacing_mm
        cell = np.floor((point - macro.lower_mm) / macro.cell_mm).astype(int)
        flat = (cell[2] * my + cell[1]) * mx + cell[0]
        own = voxels.density_g_cm3[k, j, i] * mu[voxels.material_index[k, j, i]]
        assert np.all(bound[flat] >= own * (1 - 1e-6))
    for corner in (np.array(box.lower_mm) + 1e-3, np.array(box.upper_mm) - 1e-3):
        cell = np.floor((corner - macro.lower_mm) / macro.cell_mm).astype(int)
        assert np.all(cell >= 0)
        assert np.all(cell < macro.n_cell)
        flat = (cell[2] * my + cell[1]) * mx + cell[0]
        assert major.shape_list[major.shape_first[flat] : major.shape_first[flat + 1]].tolist() == [0]
        assert np.all(bound[flat] >= LEAD.density_g_cm3 * mu[2] * (1 - 1e-6))
