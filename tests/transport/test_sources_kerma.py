"""Where kerma is not dose: what is said, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.physics.material_library import material
from omnidose.physics.spectra import Spectrum
from omnidose.transport.emission import EmissionSpectrum, Positrons
from omnidose.transport.kerma import electron_kev, judged_energy_kev, kerma_warnings, strata
from omnidose.transport.scene import AIR, Box, Cylinder, Scene, VoxelGrid
from omnidose.transport.sources import Emission, FanSource, IsotropicSource
from omnidose.volume import Grid

WATER = material("water")


def voxels(voxel_mm: float = 3.0, lung: bool = True) -> VoxelGrid:
    """Water with a layer of lung and a layer of air."""
    shape = (6, 6, 6)
    density = np.ones(shape, dtype=np.float32)
    index = np.zeros(shape, dtype=np.uint8)
    if lung:
        density[2] = 0.26
    density[4], index[4] = 0.0012, 1
    return VoxelGrid(
        grid=Grid.centred(shape, (voxel_mm,) * 3), materials=(WATER, AIR), material_index=index,
        density_g_cm3=density,
    )  # fmt: skip


def said(spectrum: Emission, scene: Scene | None = None) -> str:
    source = IsotropicSource(centre_mm=(0, 0, 0), spectrum=spectrum)
    return " ".join(kerma_warnings(scene or Scene(voxels=voxels()), source))


def test_diagnostic_photons_need_no_word() -> None:
    for kev in (30.0, 80.0, 140.5):
        assert said(Spectrum.line(kev)) == ""


def test_words_come_with_the_range() -> None:
    at_511 = said(Spectrum.line(511.0))
    assert "below surfaces" in at_511
    assert "In lung" in at_511
    assert "Air in the body" in at_511
    assert "Single voxels" not in at_511  # 1 mm range, 3 mm voxels
    assert "Single voxels of 0.5 mm" in said(Spectrum.line(511.0), Scene(voxels=voxels(0.5)))
    assert "In lung" not in said(Spectrum.line(511.0), Scene(voxels=voxels(lung=False)))
    megavolts = said(Spectrum.line(6000.0))
    assert "Single voxels of 3 mm" in megavolts
    assert "bremsstrahlung" in megavolts
    assert "bremsstrahlung" not in at_511
    assert "Positrons annihilate" in said(Positrons())


def test_range_is_that_of_water() -> None:
    """ESTAR: 0.4367 g/cm2 at 1 MeV; the Compton edge is 1 MeV at 1.2071 MeV."""
    edge = electron_kev(1207.1)
    assert edge == pytest.approx(1000, abs=8)
    assert strata(voxels())["tissue"].range_mm(1000.0) == pytest.approx(4.367, rel=0.005)
    assert strata(voxels())["lung"].range_mm(1000.0) == pytest.approx(4.367 / 0.26, rel=0.005)
    assert set(strata(voxels())) == {"gas", "lung", "tissue"}


def test_rare_lines_do_not_decide() -> None:
    lines = EmissionSpectrum(line_kev=np.array([140.0, 900.0]), line_per_decay=np.array([1.0, 0.005]))
    assert judged_energy_kev(IsotropicSource(centre_mm=(0, 0, 0), spectrum=lines)) == 140.0
    often = EmissionSpectrum(line_kev=np.array([140.0, 900.0]), line_per_decay=np.array([1.0, 0.05]))
    assert judged_energy_kev(IsotropicSource(centre_mm=(0, 0, 0), spectrum=often)) == 900.0
    fan = FanSource(
        position_mm=(0, 0, 0), direction=(0, 0, 1), up=(0, 1, 0), half_tangents=(-0.1, 0.1, -0.1, 0.1),
        spectra=(
            Spectrum(energy_kev=np.array([50.0, 100.0]), weight=np.array([1.0, 0.0])),
            Spectrum(energy_kev=np.array([50.0, 100.0]), weight=np.array([1.0, 1.0])),
        ),
        transmission=np.ones((2, 1)),
    )  # fmt: skip
    assert judged_energy_kev(fan) == 100.0


def test_thin_shapes_are_named() -> None:
    foil = Box(key="foil", material=WATER, lower_mm=(0, 0, 0), upper_mm=(50, 50, 1))
    rods = tuple(
        Cylinder(key=f"rod {k}", material=WATER, centre_mm=(0, 0, 0), radius_mm=1, length_mm=50)
        for k in range(4)
    )
    words = said(Spectrum.line(1250.0), Scene(shapes=(foil, *rods)))
    assert "'foil' (1 mm thick" in words
    assert "and 2 more" in words
    assert said(Spectrum.line(60.0), Scene(shapes=(foil,))) == ""
