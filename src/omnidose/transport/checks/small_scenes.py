"""Problems small enough for a simulated GPU, that lead through every kernel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from omnidose.physics.material_library import material
from omnidose.physics.materials import Material
from omnidose.physics.spectra import Spectrum
from omnidose.transport import tg195
from omnidose.transport.emission import Positrons
from omnidose.transport.problem import Problem, compile_problem
from omnidose.transport.scene import Box, Capsule, Cylinder, Scene, Sphere, VoxelGrid
from omnidose.transport.sources import (
    ActivitySource,
    ConeSource,
    EmissionLaw,
    IsotropicSource,
    ParallelSource,
    PyramidSource,
    RotatingSource,
    Side,
    Source,
    SurfaceSource,
)
from omnidose.transport.tally import Region
from omnidose.volume import Grid

#: Histories of each problem, and the batches they can be run in.
HISTORIES = 160
BATCHES = 4

WATER = material("water")
#: Cortical bone, nearly: sodium and sulphur of the table counted as magnesium.
BONE = Material(
    name="bone",
    weight_fractions={1: 0.034, 6: 0.155, 7: 0.042, 8: 0.435, 12: 0.006, 15: 0.103, 20: 0.225},
    density_g_cm3=1.92,
)
IODINE_WATER = Material(
    name="water with iodine", weight_fractions={1: 0.11, 8: 0.87, 53: 0.02}, density_g_cm3=1.0
)


def small_scene() -> tuple[Scene, tuple[Region, ...]]:
    """Return 8x8x8 voxels of water with bone in them, iodine in a sphere, shapes beside; and regions."""
    random = np.random.default_rng(1)
    index = np.zeros((8, 8, 8), np.uint8)
    index[2:5, 3:6, 2:6] = 1
    density = np.where(index == 1, 1.92, 1.0) * random.uniform(0.8, 1.2, index.shape)
    voxels = VoxelGrid(
        grid=Grid.centred((8, 8, 8), (10.0, 10.0, 10.0)),
        materials=(WATER, BONE),
        material_index=index,
        density_g_cm3=density.astype(np.float32),
    )
    sphere = Sphere(key="iodine", material=IODINE_WATER, centre_mm=(5, -5, 10), radius_mm=15)
    rod = Cylinder(key="rod", material=BONE, centre_mm=(0, 50, 0), radius_mm=6, length_mm=80, axis=0)
    finger = Capsule(
        key="finger", material=WATER, start_mm=(-50, -20, -10), end_mm=(-50, 20, 15), radius_mm=8
    )
    plate = Box(key="plate", material=BONE, lower_mm=(-40, -40, 42), upper_mm=(40, 40, 46))
    every = np.arange(index.size)
    half = Region(key="half", voxels=every[:256], weights=random.uniform(0.2, 1.0, 256).astype(np.float32))
    regions = (
        Region(key="bone", voxels=every[index.ravel() == 1], medium=WATER),
        Region(key="all", voxels=every),
        half,
    )
    return Scene(voxels=voxels, shapes=(sphere, rod, finger, plate)), regions


def small_sources() -> dict[str, Source]:
    """Return sources by name: iodine's lines, a fan with bow-tie and heel, pairs, and every other kind."""
    tube = tg195.spectrum("120 kVp")
    angles = np.linspace(0, 2 * math.pi, 13)
    z = -20 + 3 * angles
    bow_tie = np.outer(1 / (1 + np.linspace(-1, 1, 9) ** 2), np.linspace(1.0, 0.7, 3))
    above: dict[str, Any] = {"position_mm": (0, 0, -150), "direction": (0.1, 0, 1)}
    map_grid = Grid.centred((4, 4, 4), (15.0, 15.0, 15.0))
    return {
        "60 keV": ParallelSource(
            centre_mm=(0, 0, -100),
            direction=(0.1, 0, 1),
            up=(0, 1, 0),
            half_widths_mm=(40, 40),
            spectrum=Spectrum.line(60.0),
        ),
        "turning fan of 120 kVp": RotatingSource(
            isocentre_mm=(0, 0),
            focus_mm=300.0,
            segments=np.stack([angles[:-1], angles[1:], z[:-1], z[1:], angles[1:]], axis=1),
            half_tangents=(-0.2, 0.2, -0.1, 0.1),
            spectra=(tube,),
            transmission=bow_tie,
        ),
        "8 MeV": IsotropicSource(centre_mm=(0, 0, 0), radius_mm=20.0, spectrum=Spectrum.line(8000.0)),
        "pyramid": PyramidSource(**above, up=(0, 1, 0), half_tangents=(-0.3, 0.2, -0.1, 0.2), spectrum=tube),
        "cone with heel": ConeSource(
            **above, up=(0, 1, 0), half_angle_deg=15.0, spectrum=tube, transmission=bow_tie
        ),
        "positrons in a map": ActivitySource(
            grid=map_grid,
            activity=np.random.default_rng(2).uniform(size=(4, 4, 4)),
            spectrum=Positrons(per_decay=1.0),
        ),
        "surface of a sphere": SurfaceSource(
            surface=Sphere(key="", material=WATER, centre_mm=(10, 0, 0), radius_mm=35),
            law=EmissionLaw.COSINE,
            side=Side.IN,
            spectrum=tube,
        ),
    }


def small_problems() -> dict[str, Problem]:
    """Return the small scene compiled with every small source, by the source's name; one also analog."""
    scene, regions = small_scene()
    sources = small_sources()
    estimators = dict.fromkeys(sources, "expected") | {"60 keV, analog": "analog"}
    return {
        name: compile_problem(
            scene,
            sources[name.removesuffix(", analog")],
            regions=regions,
            seed=3,
            voxel_map=True,
            estimator=estimator,
        )
        for name, estimator in estimators.items()
    }
