"""Checks of speed: rates in units of the peer's figures, a chest CT against the clock, the start."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import numpy as np

from omnidose.transport.checks.anchors import SMALL_ORGANS, Anchor, chest_ct, icrp_chest, plain_box
from omnidose.transport.engine import simulate
from omnidose.transport.plain_engine import run_plain
from omnidose.transport.problem import compile_problem
from omnidose.transport.runner import BatchSums, LocalRunner
from omnidose.validation import Context, Row, within

#: XRayMClib 1.0 over our plain engine (histories per CPU-second), both measured on a core of one class: the
#: peer 0.81 and 0.11 million in case 2 and in its chest, the plain engine 0.36 and 0.13 million in the
#: anchor scenes.
PEER_OVER_PLAIN = {"case 2": 0.81 / 0.36, "chest": 0.11 / 0.13}
_SOURCE = "XRayMClib 1.0, measured for the project (docs/methods/engine.md); ratio through the plain engine"
TURNS = 3
_FIRST_RESULT = """
import numpy as np
from omnidose.physics.spectra import Spectrum
from omnidose.transport.checks.small_scenes import WATER
from omnidose.transport.engine import simulate
from omnidose.transport.scene import Scene, VoxelGrid
from omnidose.transport.sources import IsotropicSource
from omnidose.transport.tally import Region
from omnidose.volume import Grid
voxels = VoxelGrid(
    grid=Grid.centred((64, 64, 64), (5.0, 5.0, 5.0)), materials=(WATER,),
    material_index=np.zeros((64, 64, 64), np.uint8), density_g_cm3=np.ones((64, 64, 64), np.float32),
)
source = IsotropicSource(centre_mm=(0, 0, 0), spectrum=Spectrum.line(60.0))
region = Region(key="all", voxels=np.arange(64**3))
scene = Scene(voxels=voxels)
tally = simulate(scene, source, regions=[region], histories=10_000, voxel_map=True, backend="cpu")
assert tally.energy_kev[0] > 0
"""


def _batches(runner: LocalRunner, first: int, histories: int) -> tuple[BatchSums, float]:
    """Run 100 batches; return them and the CPU seconds."""
    start = time.process_time()
    sums = runner.run(first, 100, histories // 100)
    return sums, time.process_time() - start


def rate_over_plain(anchor: Anchor, histories: int, plain_histories: int) -> tuple[float, float, float]:
    """Return (ours over plain, our rate, the plain rate): medians of runs in alternation, one thread."""
    problem = compile_problem(anchor.scene, anchor.source, regions=anchor.regions)
    runner = LocalRunner(problem, threads=1)
    _batches(runner, 0, 1000)
    ratios, ours, plain = [], [], []
    for turn in range(TURNS):
        tally = run_plain(
            anchor.scene, anchor.source, regions=anchor.regions, histories=plain_histories, seed=turn + 1
        )
        plain.append(tally.histories / tally.cpu_s)
        _sums, cpu_s = _batches(runner, 100 * (turn + 1), histories)
        ours.append(histories / cpu_s)
        ratios.append(ours[-1] / plain[-1])
    return float(np.median(ratios)), float(np.median(ours)), float(np.median(plain))


def _rate_row(name: str, scene: str, measured: tuple[float, float, float], wanted: float) -> Row:
    ratio, ours, plain = measured
    return within(
        name,
        ratio / PEER_OVER_PLAIN[scene],
        wanted,
        unit="times the peer's rate",
        source=_SOURCE,
        bounds=(wanted, 1e9),
        note=(
            f"ours {ours / 1e6:.3g}, plain {plain / 1e6:.3g} million histories per CPU-second; ours over "
            f"plain {ratio:.2f}, the peer over plain {PEER_OVER_PLAIN[scene]:.2f}"
        ),
    )


def check_case2(context: Context) -> Iterator[Row]:
    """Raw rate in TG-195 case 2."""
    measured = rate_over_plain(plain_box(), 2_000_000, 300_000)
    yield _rate_row("case 2, 120 kVp: raw rate", "case 2", measured, 3.0)


def variance_ratios(anchor: Anchor, histories: int) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the organs, and the variance of analog over expected-value results at equal histories."""
    variances = {}
    for estimator in ("analog", "expected"):
        problem = compile_problem(anchor.scene, anchor.source, regions=anchor.regions, estimator=estimator)
        sums, _cpu_s = _batches(LocalRunner(problem), 1000, histories)
        variances[estimator] = sums.energies_kev.var(axis=0, ddof=1)
    return problem.keys, variances["analog"] / variances["expected"]


def check_chest(context: Context) -> Iterator[Row]:
    """Raw rate and efficiency in the chest of 1 mm."""
    anchor = icrp_chest()
    measured = rate_over_plain(anchor, 2_000_000, 150_000)
    yield _rate_row("chest of 1 mm, 120 kVp: raw rate", "chest", measured, 8.0)
    keys, gains = variance_ratios(anchor, 4_000_000)
    raw = measured[0] / PEER_OVER_PLAIN["chest"]
    lowest = int(np.argmin(gains))
    yield within(
        "chest of 1 mm: efficiency, median organ",
        raw * float(np.median(gains)),
        15.0,
        unit="times the peer's 1/(sigma^2 T)",
        source=f"{_SOURCE}; the peer scores analog deposits",
        bounds=(15.0, 1e9),
        note=(
            f"{len(keys)} organs; variance of analog over expected values: median {np.median(gains):.2f}, "
            f"lowest {gains[lowest]:.2f} ({keys[lowest]}), highest {gains.max():.2f}; each known to a fifth"
        ),
    )


def check_chest_ct(context: Context) -> Iterator[Row]:
    """A chest CT against the clock, with two threads."""
    anchor = chest_ct()
    simulate(anchor.scene, anchor.source, regions=anchor.regions, histories=1000, threads=2, backend="cpu")
    tasks: list[tuple[str, list[str], float, float]] = [
        ("organs of at least 50 g wholly in the scan to 1 %", inside_scan(anchor), 0.01, 15.0),
        ("small organs to 5 %", list(SMALL_ORGANS), 0.05, 60.0),
    ]
    for name, keys, goal, limit_s in tasks:
        far = [key for key in keys if key in SMALL_ORGANS and ("lens" in key or "ovary" in key)]
        start = time.perf_counter()
        tally = simulate(
            anchor.scene,
            anchor.source,
            regions=anchor.regions,
            precision=goal,
            precision_keys=keys,
            importance_keys=far,
            sampling_per_cm=dict.fromkeys(far, 10.0),
            threads=2,
            max_histories=3e8,
            backend="cpu",
        )
        seconds = time.perf_counter() - start
        worst = max(keys, key=lambda key: float(tally.std_rel[tally.index(key)]))
        yield within(
            name,
            seconds if tally.stopped == "precision" else float("inf"),
            limit_s,
            unit="s, wall clock",
            source="the issue; two threads, set-up and pilot runs included",
            bounds=(0.0, limit_s),
            note=(
                f"{tally.histories / 1e6:.1f} million histories; largest error {worst} "
                f"{100 * tally.std_rel[tally.index(worst)]:.2f} %; {len(keys)} organs"
            ),
        )


def inside_scan(anchor: Anchor) -> list[str]:
    """Return the organs of at least 50 g that lie between the ends of a helical scan."""
    voxels = anchor.scene.voxels
    assert voxels is not None
    segments = anchor.source.segments  # type: ignore[union-attr]
    low, high = segments[:, 2:4].min(), segments[:, 2:4].max()
    z = voxels.grid.axis_mm(2)
    per_slice = voxels.grid.shape_zyx[1] * voxels.grid.shape_zyx[2]
    density = voxels.density_g_cm3.ravel()
    out = []
    for region in anchor.regions:
        place = z[region.voxels // per_slice]
        mass_g = float(density[region.voxels].sum(dtype=np.float64)) * voxels.grid.voxel_volume_cm3
        if mass_g >= 50 and place.min() >= low and place.max() <= high:
            out.append(region.key)
    return out


def check_start(context: Context) -> Iterator[Row]:
    """First result of a new process with an empty and with a full compile cache."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "OMNIDOSE_CACHE_DIR": folder}
        for name, limit_s in (("cold: empty compile cache", 30.0), ("warm", 3.0)):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", _FIRST_RESULT], check=True, env=environment)
            seconds = time.perf_counter() - start
            yield within(
                name, seconds, limit_s, unit="s", source="the issue", bounds=(0.0, limit_s),
                note="interpreter, imports, compilation, tables and 10 000 histories in 64^3 voxels",
            )  # fmt: skip
