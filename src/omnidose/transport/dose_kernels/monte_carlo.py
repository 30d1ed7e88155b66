"""The same voxels by Monte Carlo: slow, without any kernel, for checks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from omnidose.physics.material_library import material
from omnidose.physics.materials import Material
from omnidose.transport.dose_kernels.emissions import RadiationYield
from omnidose.transport.dose_kernels.media import LOWEST_PHOTON_KEV, Medium
from omnidose.transport.electrons.simulate import simulate_electrons
from omnidose.transport.electrons.sources import ElectronVolume
from omnidose.transport.emission import EmissionSpectrum
from omnidose.transport.engine import simulate
from omnidose.transport.scene import Box, Scene, VoxelGrid
from omnidose.transport.sources import ActivitySource
from omnidose.transport.tally import MGY_PER_KEV_G, Region, RegionTally
from omnidose.volume import Grid

Offset = tuple[int, int, int]
#: Of medium around a box: photons that leave it may come back.
_AROUND_MM = 300.0


def absorbed_in_box(
    emitted: RadiationYield,
    spacing_mm: tuple[float, float, float],
    half_mm: tuple[float, float, float],
    medium: Medium,
    histories: float,
) -> tuple[float, float]:
    """Return the photon energy absorbed in a box around a voxel with activity, keV per decay, and its std.

    In 30 cm more of the same medium. Photons below 2 keV are taken as absorbed.
    """
    made_of = _material(medium)
    photons, soft_kev = _photons(emitted)
    x, y, z = half_mm
    tally = simulate(
        Scene(
            shapes=(Box(key="box", material=made_of, lower_mm=(-x, -y, -z), upper_mm=half_mm),),
            world=made_of,
            world_margin_mm=_AROUND_MM,
        ),
        _voxel_source(spacing_mm, photons),
        histories=histories,
        seed=41,
        cutoff_kev=LOWEST_PHOTON_KEV,
        backend="cpu",
    )
    per_decay = photons.histories_per_decay
    return float(tally.energy_kev[0]) * per_decay + soft_kev, float(tally.std_kev[0]) * per_decay


def photon_voxels(
    emitted: RadiationYield,
    spacing_mm: tuple[float, float, float],
    medium: Medium,
    offsets: Sequence[Offset],
    histories: float,
) -> list[tuple[float, float]]:
    """Return (dose, standard error) of photons in mGy per MBq s at offsets (z, y, x) from the source voxel.

    Voxels at equal distances along each axis are taken together.
    """
    photons, soft_kev = _photons(emitted)
    voxels, regions = _grid_and_regions(spacing_mm, medium, offsets)
    made_of = _material(medium)
    tally = simulate(
        Scene(voxels=voxels, world=made_of, world_margin_mm=_AROUND_MM),
        _voxel_source(spacing_mm, photons),
        regions=regions,
        histories=histories,
        seed=42,
        cutoff_kev=LOWEST_PHOTON_KEV,
        backend="cpu",
    )
    found = _doses(tally, regions, photons.histories_per_decay)
    soft = soft_kev * 1e6 * MGY_PER_KEV_G / (voxels.grid.voxel_volume_cm3 * medium.density_g_cm3)
    return [(d + soft * (not any(o)), s) for (d, s), o in zip(found, offsets, strict=True)]


def electron_voxels(
    emitted: RadiationYield,
    spacing_mm: tuple[float, float, float],
    medium: Medium,
    offsets: Sequence[Offset],
    histories: float,
) -> list[tuple[float, float]]:
    """Return (dose, standard error) of electrons in mGy per MBq s, as :func:`photon_voxels`."""
    voxels, regions = _grid_and_regions(spacing_mm, medium, offsets)
    activity = np.zeros(voxels.grid.shape_zyx)
    activity[tuple(n // 2 for n in activity.shape)] = 1.0
    spectrum = EmissionSpectrum(
        line_kev=emitted.electron_kev,
        line_per_decay=emitted.electron_per_decay,
        edges_kev=emitted.beta_edges_kev,
        bin_per_decay=emitted.beta_per_decay,
    )
    tally = simulate_electrons(
        voxels,
        ElectronVolume(activity=activity, spectrum=spectrum),
        regions=regions,
        histories=histories,
        seed=43,
        voxel_map=False,
    )
    return _doses(tally, regions, spectrum.histories_per_decay)


def _photons(emitted: RadiationYield) -> tuple[EmissionSpectrum, float]:
    """Return the photons that are followed, and the energy of those that are not."""
    followed = emitted.photon_kev >= LOWEST_PHOTON_KEV
    soft_kev = float(emitted.photon_kev[~followed] @ emitted.photon_per_decay[~followed])
    spectrum = EmissionSpectrum(
        line_kev=emitted.photon_kev[followed], line_per_decay=emitted.photon_per_decay[followed]
    )
    return spectrum, soft_kev


def _material(medium: Medium) -> Material:
    return replace(material(medium.composition), density_g_cm3=medium.density_g_cm3)


def _voxel_source(spacing_mm: tuple[float, float, float], photons: EmissionSpectrum) -> ActivitySource:
    return ActivitySource(
        grid=Grid.centred((1, 1, 1), spacing_mm), activity=np.ones((1, 1, 1)), spectrum=photons
    )


def _grid_and_regions(
    spacing_mm: tuple[float, float, float], medium: Medium, offsets: Sequence[Offset]
) -> tuple[VoxelGrid, list[Region]]:
    """Make voxels that hold all offsets, and a region for each with its mirror images."""
    half = [max(o[axis] for o in offsets) + 1 for axis in range(3)]
    shape = (2 * half[0] + 1, 2 * half[1] + 1, 2 * half[2] + 1)
    voxels = VoxelGrid(
        grid=Grid.centred(shape, spacing_mm),
        materials=(_material(medium),),
        material_index=np.zeros(shape, np.uint8),
        density_g_cm3=np.full(shape, medium.density_g_cm3, np.float32),
    )
    regions = []
    for offset in offsets:
        images = {
            tuple(h + s * o for h, s, o in zip(half, signs, offset, strict=True))
            for signs in itertools.product((-1, 1), repeat=3)
        }
        flat = np.sort([int(np.ravel_multi_index(place, shape)) for place in images])
        regions.append(Region(key=str(offset), voxels=flat.astype(np.int64)))
    return voxels, regions


def _doses(tally: RegionTally, regions: Sequence[Region], per_decay: float) -> list[tuple[float, float]]:
    unit = 1e6 * MGY_PER_KEV_G * per_decay
    index = [tally.index(region.key) for region in regions]
    return [
        (
            float(tally.energy_kev[i] / tally.mass_g[i]) * unit,
            float(tally.std_kev[i] / tally.mass_g[i]) * unit,
        )
        for i in index
    ]
