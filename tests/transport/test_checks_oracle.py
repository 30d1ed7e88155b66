"""The ten random scenes: always the same, and both engines agree on some of them."""

from __future__ import annotations

import numpy as np

from omnidose.transport.checks import oracle
from omnidose.transport.scene import VACUUM
from omnidose.transport.sources import IsotropicSource, ParallelSource, PyramidSource, RotatingSource


def test_scenes_are_fixed_and_cover_what_they_say() -> None:
    scenes = [oracle.random_scene(k) for k in range(oracle.SCENES)]
    again = oracle.random_scene(3)
    assert again.scene.shapes == scenes[3].scene.shapes
    assert np.array_equal(again.scene.voxels.density_g_cm3, scenes[3].scene.voxels.density_g_cm3)
    assert {type(s.source) for s in scenes} == {
        ParallelSource, PyramidSource, IsotropicSource, RotatingSource
    }  # fmt: skip
    assert {type(shape).__name__ for s in scenes for shape in s.scene.shapes} == {
        "Box", "Sphere", "Cylinder", "Capsule"
    }  # fmt: skip
    names = {shape.material.name for s in scenes for shape in s.scene.shapes}
    assert {"lead", "aluminium", "water", "cortical bone", "inflated lung", "air"} <= names
    assert any("iodine" in name for name in names)
    assert any(s.scene.world is VACUUM for s in scenes)
    assert any(s.scene.voxels is None for s in scenes)
    energies = [
        getattr(s.source, "spectra", (getattr(s.source, "spectrum", None),))[0].energy_kev for s in scenes
    ]
    assert 15 <= min(e.min() for e in energies) < 20
    assert max(e.max() for e in energies) == 2000.0


def test_engines_agree() -> None:
    for number in (3, 8):
        one = oracle.compare(number, histories=8000, seed=3)
        assert one.z.size >= 3
        assert np.all(np.abs(one.z) < 4)
        assert one.variance >= 2 * one.z.size * 0.999
