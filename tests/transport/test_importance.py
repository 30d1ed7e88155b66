"""Importance, traced primaries and tables side by side: means stay, the errors far away shrink, refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from omnidose.errors import InputError
from omnidose.physics.materials import Material
from omnidose.physics.spectra import Spectrum
from omnidose.transport.engine import simulate
from omnidose.transport.importance import with_importance
from omnidose.transport.placement import side_by_side
from omnidose.transport.problem import compile_problem
from omnidose.transport.runner import LocalRunner
from omnidose.transport.scene import Box, Scene, VoxelGrid
from omnidose.transport.sources import ParallelSource
from omnidose.transport.tally import Region, Tally
from omnidose.volume import Grid

WATER = Material(name="water", weight_fractions={1: 0.111898, 8: 0.888102}, density_g_cm3=1.0)
SHAPE_ZYX = (60, 20, 20)


def rod() -> tuple[Scene, ParallelSource, list[Region]]:
    """A rod of water of 10 x 10 x 60 cm, its first 10 cm in a beam from the side; regions near and far."""
    voxels = VoxelGrid(
        grid=Grid.centred(SHAPE_ZYX, (5.0, 5.0, 10.0)),
        materials=(WATER,),
        material_index=np.zeros(SHAPE_ZYX, np.uint8),
        density_g_cm3=np.ones(SHAPE_ZYX, np.float32),
    )
    source = ParallelSource(
        centre_mm=(0, -100, -250), direction=(0, 1, 0), up=(0, 0, 1), half_widths_mm=(50, 50),
        spectrum=Spectrum.line(80.0),
    )  # fmt: skip
    per_slice = SHAPE_ZYX[1] * SHAPE_ZYX[2]
    slices = {"beam": (0, 10), "middle": (20, 30), "far": (40, 50)}
    regions = [Region(key=k, voxels=np.arange(a * per_slice, b * per_slice)) for k, (a, b) in slices.items()]
    return Scene(voxels=voxels), source, regions


def run(seed: int, **options: Any) -> Tally:
    scene, source, regions = rod()
    options = {"histories": 40_000, **options}
    return simulate(scene, source, regions=regions, seed=seed, backend="cpu", **options)


def test_importance_keeps_means_and_sees_far_regions_better() -> None:
    plain, split = run(1, histories=400_000), run(2, histories=400_000, importance_keys=["far"])
    z = (plain.energy_kev - split.energy_kev) / np.hypot(plain.std_kev, split.std_kev)
    middle, far = plain.index("middle"), plain.index("far")
    assert np.abs(z[:far]).max() < 4  # the far region itself is too rarely seen without importance
    assert split.std_rel[middle] < 0.7 * plain.std_rel[middle]
    assert split.std_rel[far] < 0.5 * plain.std_rel[far]
    emitted, deposited, escaped, _expected = split.batch_analog_kev.T
    rest = emitted - deposited - escaped  # holds on average only
    assert abs(rest.mean()) < 4 * rest.std(ddof=1) / np.sqrt(rest.size)


def test_importance_rises_towards_the_target_and_not_beyond() -> None:
    """The rod is uniform: its macro cell for tracking is one, the cells of importance are not."""
    scene, source, regions = rod()
    found = with_importance(compile_problem(scene, source, regions=regions), ["middle"], 1)
    assert found.importance is not None
    nx, ny, nz = found.importance.n_cell
    # the rod fills a part of the grid
    along = np.log2(found.importance.photons.reshape(nz, ny, nx)).max(axis=(1, 2))
    top = np.flatnonzero(along == along.max())
    target = range(int(200 / 600 * nz), int(300 / 600 * nz) + 1)  # its slices
    assert along.max() > along[0] + 4
    assert set(top) <= set(target)
    assert np.all(np.diff(along[top[-1] :]) <= 0)
    assert along[-1] < 0.5


def test_importance_is_refused_where_it_cannot_be() -> None:
    box = Box(key="box", material=WATER, lower_mm=(-50,) * 3, upper_mm=(50,) * 3)
    scene, source, _regions = rod()
    with pytest.raises(InputError, match="needs a scene with voxels"):
        with_importance(compile_problem(Scene(shapes=(box,)), source), ["box"])
    with pytest.raises(InputError, match="no region called"):
        run(1, importance_keys=["nobody"])
    with pytest.raises(InputError, match="importance gives them weights"):
        run(1, importance_keys=["far"], phase_space=10)
    with pytest.raises(InputError, match="is no region of voxels"):
        with_importance(compile_problem(replace(scene, shapes=(box,)), source), ["box"])


@pytest.mark.parametrize("estimator", ["traced", "analog"])
def test_estimators_agree(estimator: str) -> None:
    expected, other = run(3), run(4, estimator=estimator)
    assert abs(expected.energy_kev[0] - other.energy_kev[0]) < 4 * np.hypot(
        expected.std_kev[0], other.std_kev[0]
    )
    primary = [t.batch_primary_kev[:, 0] for t in (expected, other)]
    error = np.hypot(*[p.std(ddof=1) / np.sqrt(p.size) for p in primary])
    assert abs(primary[0].mean() - primary[1].mean()) < 4 * error
    if estimator == "traced":  # along a ray nothing is left to chance but where it begins
        assert primary[1].std() < 0.2 * primary[0].std()
    with pytest.raises(InputError, match="there is no estimator 'best'"):
        run(1, estimator="best")


def test_tables_side_by_side_change_no_bit() -> None:
    scene, source, regions = rod()
    problem = compile_problem(scene, source, regions=regions)
    moved = side_by_side(problem)
    assert np.array_equal(moved.physics.rows, problem.physics.rows)
    assert moved.physics.rows.ctypes.data % 64 == 0
    assert moved.geometry.word is problem.geometry.word
    sums = [LocalRunner(p, 1).run(0, 2, 500).energies_kev for p in (problem, moved)]
    assert np.array_equal(*sums)


def test_small_targets_get_balls_that_do_not_meet() -> None:
    scene, source, _regions = rod()
    place = np.arange(np.prod(SHAPE_ZYX)).reshape(SHAPE_ZYX)
    regions = [
        Region(key="left", voxels=place[30:31, 8:12, 2:4].ravel()),
        Region(key="beside it", voxels=place[30:31, 8:12, 4:6].ravel()),
        Region(key="right", voxels=place[45:46, 8:12, 16:18].ravel()),
        Region(key="too large", voxels=place[20:40].ravel()),
    ]
    problem = compile_problem(scene, source, regions=regions)
    found = with_importance(problem, [region.key for region in regions])
    assert found.importance is not None
    ball = found.importance.ball
    assert ball.shape == (2, 5)
    corner_cm = problem.geometry.voxel_lower[0]
    # left: voxels 2 to 3 along x (5 mm), 8 to 11 along y, 30 along z (10 mm); half its diagonal and a margin
    assert ball[0, :3] - corner_cm == pytest.approx([1.5, 5.0, 30.5])
    assert np.sqrt(ball[0, 3]) == pytest.approx(0.5 * np.sqrt(1 + 4 + 1) + 1)
    assert np.all(ball[:, 4] >= 1)


def test_aimed_photons_see_a_small_target_and_keep_its_mean() -> None:
    scene, source, _regions = rod()
    place = np.arange(np.prod(SHAPE_ZYX)).reshape(SHAPE_ZYX)
    regions = [Region(key="spot", voxels=place[15:16, 9:11, 9:11].ravel())]
    tallies = [
        simulate(
            scene, source, regions=regions, histories=histories, seed=seed, backend="cpu",
            sampling_per_cm={"spot": 5.0}, importance_keys=keys,
        )
        for seed, histories, keys in ((1, 400_000, []), (2, 40_000, ["spot"]))
    ]  # fmt: skip
    plain, aimed = tallies
    z = (plain.energy_kev[0] - aimed.energy_kev[0]) / np.hypot(plain.std_kev[0], aimed.std_kev[0])
    assert abs(z) < 4
    assert aimed.std_rel[0] < plain.std_rel[0]  # of a tenth of the histories
