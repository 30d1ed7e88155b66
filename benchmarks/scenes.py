"""What is timed: the block of TG-195 case 2, and a chest of voxels under a turning tube."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from plain_engine import PlainBox

from omnidose.transport import tg195
from omnidose.transport.engine import simulate
from omnidose.transport.scene import Box, Scene
from omnidose.transport.sources import PyramidSource, RotatingSource
from omnidose.transport.tally import Region, Tally

BEAM = "120 kVp"
SLOPE = 195 / 1800
LOWER_MM, UPPER_MM = (-195.0, -195.0, 1550.0), (195.0, 195.0, 1750.0)
#: Scan of the chest: height of the lungs in the family's adult (trunk base at 0), 40 mm collimation.
CHEST_Z_MM = (400.0, 680.0)
FOCUS_MM, FAN_RADIUS_MM, COLLIMATION_MM = 600.0, 250.0, 40.0


def plain_box() -> PlainBox:
    """The block of TG-195 case 2, radiography."""
    return PlainBox(
        material=tg195.SOFT_TISSUE,
        lower_cm=(LOWER_MM[0] / 10, LOWER_MM[1] / 10, LOWER_MM[2] / 10),
        upper_cm=(UPPER_MM[0] / 10, UPPER_MM[1] / 10, UPPER_MM[2] / 10),
        slopes=(-SLOPE, SLOPE, -SLOPE, SLOPE),
        spectrum=tg195.spectrum(BEAM),
    )


def run_engine(histories: float, *, seed: int = 1, threads: int | None = None) -> Tally:
    """The same block and beam in omnidose's engine."""
    block = Box(key="body", material=tg195.SOFT_TISSUE, lower_mm=LOWER_MM, upper_mm=UPPER_MM)
    source = PyramidSource(
        position_mm=(0, 0, 0),
        direction=(0, 0, 1),
        up=(0, 1, 0),
        half_tangents=(-SLOPE, SLOPE, -SLOPE, SLOPE),
        spectrum=tg195.spectrum(BEAM),
    )
    return simulate(Scene(shapes=(block,)), source, histories=histories, seed=seed, threads=threads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chest:
    """A stylised adult in voxels, scanned from the lower to the upper end of the lungs."""

    scene: Scene
    source: RotatingSource
    regions: tuple[Region, ...]

    @classmethod
    def make(cls, voxel_mm: float = 3.0) -> Chest:
        """Make body, source and one region per organ."""
        from omnidose.anatomy.stylised.make import make_phantom

        body = make_phantom("F", voxel_mm=voxel_mm, arms="up")
        turns = (CHEST_Z_MM[1] - CHEST_Z_MM[0]) / COLLIMATION_MM
        angles = np.linspace(0, 2 * math.pi * turns, math.ceil(36 * turns) + 1)
        z = np.linspace(*CHEST_Z_MM, angles.size)
        segments = np.stack([angles[:-1], angles[1:], z[:-1], z[1:], np.ones(angles.size - 1)], axis=1)
        across, along = FAN_RADIUS_MM / FOCUS_MM, COLLIMATION_MM / 2 / FOCUS_MM
        labels = body.labels.ravel()
        return cls(
            scene=Scene.from_body(body),
            source=RotatingSource(
                isocentre_mm=(0, 0),
                focus_mm=FOCUS_MM,
                segments=segments,
                half_tangents=(-across, across, -along, along),
                spectra=(tg195.spectrum(BEAM),),
            ),
            regions=tuple(Region(key=o.key, voxels=np.flatnonzero(labels == o.label)) for o in body.organs),
        )

    def run(
        self, histories: float, *, seed: int = 1, threads: int | None = None, voxel_map: bool = False
    ) -> Tally:
        """Scan the chest."""
        return simulate(
            self.scene,
            self.source,
            regions=self.regions,
            histories=histories,
            seed=seed,
            threads=threads,
            voxel_map=voxel_map,
        )
