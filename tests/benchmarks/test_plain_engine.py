"""The engine against the plain oracle: another tracking, sampling, estimator and generator, one answer."""

from __future__ import annotations

import importlib.util
import math
import platform
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("omnidose_bench", BENCHMARKS / "run.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


def test_the_engine_agrees_with_the_plain_one(bench: ModuleType) -> None:
    plain = bench.run_plain(bench.plain_box(), 120_000, seed=3)
    tally = bench.run_engine(600_000, seed=3)
    ours, std = float(tally.energy_kev[0]), float(tally.std_kev[0])
    theirs, their_std = float(plain.energy_kev[0]), float(plain.std_kev[0])
    assert their_std / theirs < 0.004  # else the comparison says nothing
    assert std / ours < 0.002
    assert abs(ours - theirs) < 3 * math.hypot(std, their_std)


def test_the_anchor_chest_is_what_it_says(bench: ModuleType) -> None:
    """Resampled from a coarse stylised man: organs keep their mass, the fan turns around the middle."""
    import numpy as np
    from scenes import ANCHOR_SHAPE_ZYX, anchor_chest

    from omnidose.anatomy.stylised.make import make_phantom

    body = make_phantom("M", voxel_mm=6.0, arms="down")
    anchor = anchor_chest(body, "chest")
    voxels = anchor.scene.voxels
    assert voxels.grid.shape_zyx == ANCHOR_SHAPE_ZYX
    assert voxels.grid.spacing_mm == (1.0, 1.0, 1.0)
    for key in ("left-lung", "heart"):
        region = next(r for r in anchor.regions if r.key == key)
        mass_g = float(voxels.density_g_cm3.ravel()[region.voxels].sum(dtype=np.float64)) / 1000
        assert math.isclose(mass_g, body.organ_mass_g[key], rel_tol=0.03)
    assert sum(r.voxels.size for r in anchor.regions) == np.count_nonzero(voxels.material_index)
    middle = 0.5 * (voxels.grid.lower_mm + voxels.grid.upper_mm)
    assert np.allclose(middle[:2], anchor.source.isocentre_mm)
    assert np.allclose(middle[2], anchor.source.segments[0, 2:4])


def test_the_machine_is_described_without_names(bench: ModuleType) -> None:
    text = str(bench.machine())
    assert not platform.node() or not re.search(rf"\b{re.escape(platform.node())}\b", text)
    assert str(Path.home()) not in text


def test_work_per_history_does_not_grow(bench: ModuleType) -> None:
    """CI has no use for times; the number of collisions tried is the same everywhere."""
    block = bench.run_engine(40_000)
    tentative = block.counters["tentative"] / block.histories
    real = block.counters["collisions"] / block.histories
    assert 3.1 < real < 3.4
    assert tentative < 1.05 * real  # one material: nearly every attempt is a collision


def test_the_chest_wastes_few_attempts(bench: ModuleType) -> None:
    """Macro cells keep the attempts near the collisions although bone is in the same body as lung."""
    scan = bench.Chest.make(voxel_mm=6.0)
    tally = scan.run(40_000)
    ratio = tally.counters["tentative"] / tally.counters["collisions"]
    assert ratio < 2.0


def test_stages_of_a_command_are_timed(bench: ModuleType) -> None:
    say = "print('{} …', file=sys.stderr, flush=True)"
    code = f"import sys, time; {say.format('A')}; time.sleep(0.05); {say.format('B')}"
    seconds = bench.stages_s([sys.executable, "-c", code])
    assert list(seconds) == ["all", "all, CPU time", "Starting", "A", "B"]
    assert seconds["A"] > 0.04
    assert seconds["all, CPU time"] >= 0
    assert math.isclose(seconds["all"], sum(seconds[k] for k in ("Starting", "A", "B")), rel_tol=1e-6)
    with pytest.raises(RuntimeError, match="failed"):
        bench.stages_s([sys.executable, "-c", "import sys; sys.exit(3)"])
