"""Checks of what a run costs: memory of a large body, time against histories and voxels."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

from omnidose.physics.spectra import Spectrum
from omnidose.transport import tg195
from omnidose.transport.problem import Problem, compile_problem
from omnidose.transport.runner import LocalRunner
from omnidose.transport.scene import AIR, Scene, VoxelGrid
from omnidose.transport.sources import ParallelSource
from omnidose.transport.tally import Region
from omnidose.validation import Context, Row, within
from omnidose.volume import Grid

_SOURCE = "the issue"
LARGE_SHAPE_ZYX = (1000, 512, 512)
LIMIT_GB = 4.0
#: A cylinder of tissue with four regions, each a quarter of its slices; peak memory of the process in the
#: end.
_LARGE_BODY = """
import json, resource, sys
import numpy as np
from omnidose.transport.checks.scaling import LARGE_SHAPE_ZYX, cylinder
from omnidose.transport.engine import simulate
scene, source, regions = cylinder(LARGE_SHAPE_ZYX, 1.0)
tally = simulate(scene, source, regions=regions, histories=20_000, backend="cpu")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
print(json.dumps({"peak_gb": peak, "kev": float(tally.energy_kev.sum())}))
"""


def cylinder(
    shape_zyx: tuple[int, int, int], voxel_mm: float
) -> tuple[Scene, ParallelSource, tuple[Region, ...]]:
    """Return an elliptic cylinder of tissue in air with four regions, and a beam of 60 keV from the front."""
    nz, ny, nx = shape_zyx
    y, x = np.ogrid[:ny, :nx]
    inside = ((x - nx / 2) / (0.45 * nx)) ** 2 + ((y - ny / 2) / (0.3 * ny)) ** 2 < 1
    index = np.zeros(shape_zyx, dtype=np.uint8)
    index[:, inside] = 1
    density = np.where(inside, np.float32(1.03), np.float32(AIR.density_g_cm3))
    grid = Grid.centred(shape_zyx, (voxel_mm,) * 3)
    voxels = VoxelGrid(
        grid=grid,
        materials=(AIR, tg195.SOFT_TISSUE),
        material_index=index,
        density_g_cm3=np.broadcast_to(density.astype(np.float32), shape_zyx),
    )
    slice_voxels = np.flatnonzero(inside.ravel()).astype(np.int32)
    quarters = np.array_split(np.arange(nz, dtype=np.int32), 4)
    regions = tuple(
        Region(key=f"quarter {n}", voxels=(part[:, None] * np.int32(ny * nx) + slice_voxels).ravel())
        for n, part in enumerate(quarters)
    )
    source = ParallelSource(
        centre_mm=(0, -ny * voxel_mm, 0), direction=(0, 1, 0), up=(0, 0, 1),
        half_widths_mm=(0.3 * nx * voxel_mm, 0.3 * nz * voxel_mm), spectrum=Spectrum.line(60.0),
    )  # fmt: skip
    return Scene(voxels=voxels), source, regions


def check_memory(context: Context) -> Iterator[Row]:
    """Peak memory of a process that runs 512x512x1000 voxels."""
    said = subprocess.run([sys.executable, "-c", _LARGE_BODY], check=True, capture_output=True, text=True)
    found = json.loads(said.stdout)
    yield within(
        "512x512x1000 voxels, four regions: peak memory of the process",
        found["peak_gb"], LIMIT_GB, unit="GB", source=_SOURCE, bounds=(0.0, LIMIT_GB),
        note="the scene's own arrays and lists of regions included, no dose map",
    )  # fmt: skip


def _seconds(problem: Problem, histories: int) -> float:
    """Return the CPU seconds of a run on one thread, best of three."""
    runner = LocalRunner(problem, threads=1)
    runner.run(0, 10, 100)
    times = []
    for turn in range(3):
        start = time.process_time()
        runner.run(100 * (turn + 1), 20, histories // 20)
        times.append(time.process_time() - start)
    return min(times)


def time_over_histories() -> float:
    """Return the time of 16 times the histories over 16 times the time."""
    problem = compile_problem(*cylinder((100, 128, 128), 4.0)[:2])
    few, many = 200_000, 3_200_000
    return _seconds(problem, many) / _seconds(problem, few) / (many / few)


def time_over_voxels() -> dict[int, float]:
    """Return the time of a history (us) in one body at voxels of 8, 4, 2 and 1 mm, by number of voxels."""
    out = {}
    for factor in (1, 2, 4, 8):
        shape_zyx = (40 * factor, 64 * factor, 64 * factor)
        scene, source, regions = cylinder(shape_zyx, 8.0 / factor)
        problem = compile_problem(scene, source, regions=regions)
        out[math.prod(shape_zyx)] = _seconds(problem, 1_000_000)  # of a million histories: us of one
    return out


def check_scaling(context: Context) -> Iterator[Row]:
    """Time against the number of histories, and against the number of voxels of one body."""
    yield within(
        "time of 16 times the histories / 16 times the time", time_over_histories(), 1.0, unit="1",
        source=_SOURCE, bounds=(0.0, 1.15), note="one thread, CPU time, best of three",
    )  # fmt: skip
    found = time_over_voxels()
    (few, first), *_between, (many, last) = found.items()
    curve = ", ".join(f"{n / 1e6:.3g} million voxels {us:.2f} us" for n, us in found.items())
    yield within(
        "exponent of the time of a history in the number of voxels",
        math.log(last / first) / math.log(many / few), 1 / 3, unit="1", source=_SOURCE,
        bounds=(-1.0, 1 / 3), note=f"one body at voxels of 8 to 1 mm: {curve}",
    )  # fmt: skip
