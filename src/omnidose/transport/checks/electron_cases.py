"""Spectra and scenes of the checks on electrons."""

from __future__ import annotations

import math

import numpy as np

from omnidose.physics.beta import BetaBranch, beta_continuum
from omnidose.physics.electron_stopping import MC2_KEV, csda_range_g_cm2
from omnidose.physics.materials import Material
from omnidose.physics.spectra import Spectrum
from omnidose.transport.electrons.simulate import ElectronOptions, simulate_electrons
from omnidose.transport.electrons.sources import ElectronRectangle
from omnidose.transport.electrons.tally import ElectronTally
from omnidose.transport.emission import EmissionSpectrum
from omnidose.transport.scene import VoxelGrid
from omnidose.volume import Grid

#: Soft tissue of the published voxel tables: ICRU four components at 1.04 g/cm3.
SOFT = Material(
    name="soft tissue",
    weight_fractions={1: 0.101174, 6: 0.111, 7: 0.026, 8: 0.761826},
    density_g_cm3=1.04,
)


def emission(name: str) -> EmissionSpectrum:
    """Electrons of Y-90, Lu-177 or I-131: beta branches and lines per decay of UKAEA's decay_2012."""
    if name == "Y-90":
        branches: tuple[BetaBranch, ...] = (BetaBranch(endpoint_kev=2279.8, shape="unique first"),)
        z, a, lines = 40, 90, np.zeros((0, 2))
    elif name == "Lu-177":
        branches = tuple(
            BetaBranch(endpoint_kev=e, intensity_rel=n)
            for e, n in ((176.983, 0.1164), (385.349, 0.091), (498.298, 0.793))
        )
        z, a = 72, 177
        lines = np.array(
            [
                (6.18, 0.0863311), (6.291, 0.00123409), (44.8, 0.00267594), (47.599, 0.050654),
                (101.679, 0.068448), (110.349, 0.017081), (143.015, 0.005709), (197.096, 0.00097572),
            ]
        )  # fmt: skip
    elif name == "I-131":
        branches = tuple(
            BetaBranch(endpoint_kev=e, intensity_rel=n)
            for e, n in (
                (247.889, 0.02114),
                (303.864, 0.00643),
                (333.806, 0.0736),
                (606.305, 0.894),
                (806.865, 0.00396),
            )
        )
        z, a = 54, 131
        lines = np.array(
            [
                (3.43, 0.0591918), (24.6, 0.00676206), (45.6236, 0.0352727), (74.7322, 0.0046926),
                (129.369, 0.006622), (158.477, 0.0031519), (249.744, 0.00247854), (329.928, 0.0155011),
                (359.036, 0.00246848), (602.428, 0.000293304),
            ]
        )  # fmt: skip
    else:
        raise ValueError(name)
    edges, number = beta_continuum(branches, daughter_z=z, mass_number=a)
    return EmissionSpectrum(
        line_kev=lines[:, 0], line_per_decay=lines[:, 1], edges_kev=edges, bin_per_decay=number, name=name
    )


def cube(mass_source: Material, side_mm: float, count: int) -> VoxelGrid:
    """Make a cube of equal voxels around the origin."""
    shape = (count, count, count)
    return VoxelGrid(
        grid=Grid.centred(shape, (side_mm, side_mm, side_mm)),
        materials=(mass_source,),
        material_index=np.zeros(shape, np.uint8),
        density_g_cm3=np.full(shape, mass_source.density_g_cm3, np.float32),
    )


def slab(
    medium: Material, energy_kev: float, histories: int, *, layers: int, options: ElectronOptions, seed: int
) -> tuple[ElectronTally, float]:
    """Run a pencil beam into a thick, wide slab; return the tally and the thickness of a layer in cm."""
    range_cm = float(csda_range_g_cm2(medium, energy_kev)) / medium.density_g_cm3
    thick, wide = 12 * range_cm / layers, 80 * range_cm
    shape = (layers, 1, 1)
    scene = VoxelGrid(
        grid=Grid(shape_zyx=shape, spacing_mm=(wide, wide, thick), origin_mm=(0.0, 0.0, thick / 2)),
        materials=(medium,),
        material_index=np.zeros(shape, np.uint8),
        density_g_cm3=np.full(shape, medium.density_g_cm3, np.float32),
    )
    source = ElectronRectangle(
        centre_mm=(0.0, 0.0, 0.0),
        normal=(0.0, 0.0, 1.0),
        up=(0.0, 1.0, 0.0),
        half_widths_mm=(0.0, 0.0),
        spectrum=Spectrum.line(energy_kev),
        directions="parallel",
    )
    return simulate_electrons(scene, source, histories=histories, seed=seed, options=options), thick / 10


def tabata_backscatter(z: int, energy_kev: float) -> float:
    """Share of electrons thrown back by a thick layer at normal incidence, Tabata, Ito and Okabe's fit."""
    a1 = 1.15 * math.exp(-8.35 * z**-0.525)
    a2 = 0.0185 + 15.7 * z**-1.59
    return float(a1 / (1 + a2 * (energy_kev / MC2_KEV) ** (1.56 - 4.42 / z)))
