"""A small scene for checks that ask how a run is done, not what comes out."""

from __future__ import annotations

import numpy as np

from omnidose.physics.material_library import material
from omnidose.physics.spectra import Spectrum
from omnidose.transport.scene import Scene, VoxelGrid
from omnidose.transport.sources import ParallelSource
from omnidose.transport.tally import Region
from omnidose.volume import Grid

WATER = material("water")


def small_cube() -> tuple[Scene, ParallelSource, list[Region]]:
    """Return a water cube of 20 cm in voxels of 1 cm, a 60 keV beam of 4 cm^2 on its middle, and regions.

    ``all`` and ``half`` are large; ``corner`` is 125 voxels far from the beam.
    """
    shape = (20, 20, 20)
    voxels = VoxelGrid(
        grid=Grid.centred(shape, (10.0, 10.0, 10.0)),
        materials=(WATER,),
        material_index=np.zeros(shape, dtype=np.uint8),
        density_g_cm3=np.ones(shape, dtype=np.float32),
    )
    beam = ParallelSource(
        centre_mm=(0.0, 0.0, -200.0),
        direction=(0.0, 0.0, 1.0),
        up=(0.0, 1.0, 0.0),
        half_widths_mm=(10.0, 10.0),
        spectrum=Spectrum.line(60.0),
    )
    regions = [
        Region(key="all", voxels=np.arange(8000)),
        Region(key="half", voxels=np.arange(4000)),
        Region(key="corner", voxels=np.arange(8000).reshape(shape)[:5, :5, :5].ravel()),
    ]
    return Scene(voxels=voxels), beam, regions
