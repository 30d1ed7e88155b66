"""Check that the three estimators and importance have one mean, on every validation scene."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.icrp110 import has_reference_phantom
from omnidose.physics.spectra import Spectrum
from omnidose.transport import iodine_sphere, tg195
from omnidose.transport.checks.anchors import Anchor, chest, chest_ct
from omnidose.transport.checks.oracle import random_scene
from omnidose.transport.checks.small_scenes import BONE
from omnidose.transport.engine import simulate
from omnidose.transport.scene import Box, Scene, Sphere, VoxelGrid
from omnidose.transport.sources import ParallelSource
from omnidose.transport.tally import Region, Tally
from omnidose.validation import Context, Row, within
from omnidose.volume import Grid

#: Regions whose stated error is larger are left out: too few events for a normal distribution.
WORST_ERROR = 0.05
SIGMA_LIMIT = 4.0
ROD = "rod beside a beam, 80 keV"
#: Small targets in it, at which photons can be aimed.
SPOTS = ("spot", "spot at the edge")
IN_SCENE = "two estimators of one quantity"


def _thyroid() -> Anchor:
    """A sphere with 0.1 % iodine in soft tissue, 40 keV: fluorescence leaves it."""
    iodine = iodine_sphere.with_iodine(0.001)
    body = Box(key="body", material=tg195.SOFT_TISSUE, lower_mm=(-60, -60, -60), upper_mm=(60, 60, 60))
    thyroid = Sphere(key="thyroid", material=iodine, centre_mm=(0, 0, -40), radius_mm=13.4)
    return Anchor(name="iodine thyroid", scene=Scene(shapes=(body, thyroid)), source=_beam(40.0))


def _beam(energy_kev: float) -> ParallelSource:
    return ParallelSource(
        centre_mm=(0, 0, -150), direction=(0, 0, 1), up=(0, 1, 0), half_widths_mm=(40, 40),
        spectrum=Spectrum.line(energy_kev),
    )  # fmt: skip


def _voxel_slices(name: str, densities: list[float], energy_kev: float) -> Anchor:
    """Slices of 2 mm of one material and different densities: skin, lung, bone and their edges."""
    n = len(densities)
    shape = (n, 40, 40)
    density = np.broadcast_to(np.array(densities, np.float32)[:, None, None], shape).copy()
    grid = Grid.centred(shape, (2.0, 2.0, 2.0))
    index = (density > 1.5).astype(np.uint8)
    flat = np.arange(n * 1600).reshape(n, 1600)
    return Anchor(
        name=name,
        scene=Scene(
            voxels=VoxelGrid(
                grid=grid, materials=(tg195.SOFT_TISSUE, BONE), material_index=index, density_g_cm3=density
            )
        ),
        source=_beam(energy_kev),
        regions=tuple(Region(key=f"slice {k}", voxels=flat[k]) for k in range(n)),
    )


def _rod() -> Anchor:
    """A rod of tissue, 10 x 10 x 40 cm, with one end in a beam from the side: most of it is far away."""
    shape = (40, 10, 10)
    grid = Grid.centred(shape, (10.0, 10.0, 10.0))
    source = ParallelSource(
        centre_mm=(0, -100, -150), direction=(0, 1, 0), up=(0, 0, 1), half_widths_mm=(50, 50),
        spectrum=Spectrum.line(80.0),
    )  # fmt: skip
    flat = np.arange(4000).reshape(8, 500)
    place = np.arange(4000).reshape(shape)
    spots = {SPOTS[0]: place[13:15, 7:9, 4:6], SPOTS[1]: place[12:13, 0:2, 1:3]}
    return Anchor(
        name=ROD,
        scene=Scene(
            voxels=VoxelGrid(
                grid=grid, materials=(tg195.SOFT_TISSUE,), material_index=np.zeros(shape, np.uint8),
                density_g_cm3=np.full(shape, 1.03, np.float32),
            )
        ),
        source=source,
        regions=(
            *(Region(key=key, voxels=voxels.ravel()) for key, voxels in spots.items()),
            *(Region(key=f"part {k}", voxels=flat[k]) for k in range(8)),
        ),
    )  # fmt: skip


def scenes(context: Context) -> Iterator[tuple[Anchor, float]]:
    """Yield every scene and the number of histories."""
    scale = 10.0 if context.full else 1.0
    body, beam, _dense = tg195.case2("120 kVp", 15.0)
    yield Anchor(name="TG-195 case 2, 15 degrees", scene=body, source=beam), 2e5 * scale
    slabs, fan = tg195.case4_part1("120 kVp", 10)
    yield Anchor(name="TG-195 case 4.1", scene=slabs, source=fan), 1e5 * scale
    if context.full:
        rods, fan, _dense = tg195.case4_part2("120 kVp", 80)
        yield Anchor(name="TG-195 case 4.2", scene=rods, source=fan), 1e6
    yield _thyroid(), 2e5 * scale
    yield _voxel_slices("breast skin, 25 keV", [1.09] + [0.93] * 20 + [1.09], 25.0), 1e5 * scale
    edges = [1.05, 0.26, 0.26, 1.92, 1.92, 0.26, 0.26, 1.05]
    yield _voxel_slices("lung, bone and their edges, 60 keV", edges, 60.0), 1e5 * scale
    yield _rod(), 4e5 * scale
    for number in range(10 if context.full else 3):
        scene = random_scene(number)
        name = f"random scene {number}"
        yield Anchor(name=name, scene=scene.scene, source=scene.source, regions=scene.regions), 5e4 * scale
    if context.full:
        yield chest(), 4e5
        if has_reference_phantom("AF"):
            yield chest_ct(), 1e6


def deviations(first: Tally, second: Tally) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the differences in standard errors [n], and which regions have enough events to judge."""
    error = np.hypot(first.std_kev, second.std_kev)
    judged = (first.std_rel < WORST_ERROR) & (second.std_rel < WORST_ERROR) & (error > 0)
    difference = first.energy_kev - second.energy_kev
    return np.where(judged, difference / np.where(error > 0, error, 1), 0.0), judged


def _run(anchor: Anchor, histories: float, seed: int, **options: Any) -> Tally:
    return simulate(
        anchor.scene, anchor.source, regions=anchor.regions, histories=histories, seed=seed, backend="cpu",
        **options,
    )  # fmt: skip


def check(context: Context) -> Iterator[Row]:
    """Analog and traced against expected values, independent seeds; importance where there are voxels."""
    pooled: list[float] = []
    for anchor, histories in scenes(context):
        context.progress(anchor.name)
        dense = dict.fromkeys(SPOTS, 5.0) if anchor.name == ROD else None
        run = partial(_run, anchor, histories, sampling_per_cm=dense)
        plain = run(1)
        others = {"analog": run(2, estimator="analog"), "traced": run(3, estimator="traced")}
        if anchor.name == ROD:
            others["importance"] = run(4, importance_keys=[anchor.regions[-1].key])
            others["aimed photons"] = run(5, importance_keys=SPOTS)
        elif "CT" in anchor.name:
            others["importance"] = run(4, importance_keys=["left-ovary"])
        for name, other in others.items():
            z, judged = deviations(plain, other)
            pooled += (z[judged] ** 2).tolist()
            worst = int(np.argmax(np.abs(z)))
            yield within(
                f"{anchor.name}: {name} against expected values, largest deviation",
                float(z[worst]), 0.0, unit="standard errors", source=IN_SCENE,
                bounds=(-SIGMA_LIMIT, SIGMA_LIMIT),
                note=f"{plain.keys[worst]}; {int(judged.sum())} of {judged.size} judged (errors below 5 %)",
            )  # fmt: skip
    mean, spread = float(np.mean(pooled)), math.sqrt(2 / len(pooled))
    yield within(
        "all scenes and regions: reduced chi-square", mean, 1.0, unit="1", source=IN_SCENE,
        bounds=(0.0, 1.04 + 5 * spread), note=f"{len(pooled)} differences; regions of a scene share photons",
    )  # fmt: skip
