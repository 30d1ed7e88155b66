"""Electrons in voxels and point kernels: balance, geometry, sources, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from omnidose.errors import GeometryError, InputError, RangeError
from omnidose.physics.electron_stopping import csda_range_g_cm2
from omnidose.physics.material_library import material
from omnidose.physics.spectra import Spectrum
from omnidose.transport.checks.electrons import EGSNRC, kernels
from omnidose.transport.electrons.point_kernel import point_kernel
from omnidose.transport.electrons.simulate import ElectronOptions, simulate_electrons
from omnidose.transport.electrons.sources import (
    ElectronFaces,
    ElectronPoint,
    ElectronRectangle,
    ElectronVolume,
    exposed_faces,
)
from omnidose.transport.electrons.tally import ElectronTally
from omnidose.transport.emission import EmissionSpectrum, Positrons
from omnidose.transport.scene import AIR, VACUUM, Scene, Sphere, VoxelGrid
from omnidose.transport.tally import Region
from omnidose.validation import State
from omnidose.volume import Grid

WATER = material("water")
LINE = Spectrum.line(500.0)
MATERIALS = (WATER, AIR, VACUUM)


def scene(shape: tuple[int, int, int] = (7, 7, 7), side_mm: float = 2.0) -> VoxelGrid:
    return VoxelGrid(
        grid=Grid.centred(shape, (side_mm, side_mm, side_mm)),
        materials=MATERIALS,
        material_index=np.zeros(shape, np.uint8),
        density_g_cm3=np.ones(shape, np.float32),
    )


def middle(voxels: VoxelGrid) -> np.ndarray:
    activity = np.zeros(voxels.grid.shape_zyx)
    activity[tuple(n // 2 for n in activity.shape)] = 1.0
    return activity


@pytest.fixture(scope="module")
def tally() -> ElectronTally:
    voxels = scene()
    regions = [
        Region(key="core", voxels=np.flatnonzero(middle(voxels))),
        Region(key="half", voxels=np.arange(7**3), weights=np.full(7**3, 0.5, np.float32)),
    ]
    source = ElectronVolume(activity=middle(voxels), spectrum=Spectrum.line(2000.0))
    return simulate_electrons(
        voxels, source, regions=regions, histories=4000, voxel_std=True, photons=True, stops=True, threads=1
    )


def test_energy_is_conserved(tally: ElectronTally) -> None:
    assert tally.emitted_kev == pytest.approx(2000.0)
    assert tally.imbalance_rel < 1e-12
    assert tally.escaped_kev > 0
    assert tally.bremsstrahlung_kev > 0


def test_regions_and_maps_agree(tally: ElectronTally) -> None:
    assert tally.voxel_dose_kev_g is not None
    assert tally.voxel_std_kev_g is not None
    mass = 0.008
    total = float(tally.voxel_dose_kev_g.astype(np.float64).sum()) * mass
    assert total == pytest.approx(tally.deposited_kev, rel=1e-6)
    core = tally.index("core")
    assert tally.energy_kev[core] == pytest.approx(tally.voxel_dose_kev_g[3, 3, 3] * mass, rel=1e-5)
    assert tally.std_kev[core] == pytest.approx(tally.voxel_std_kev_g[3, 3, 3] * mass, rel=1e-3)
    assert tally.energy_kev[tally.index("half")] == pytest.approx(0.5 * tally.deposited_kev)
    assert tally.mass_g[tally.index("half")] == pytest.approx(0.5 * 7**3 * mass)


def test_radiated_energy_and_stops(tally: ElectronTally) -> None:
    assert tally.radiated_kev is not None
    assert tally.photons is not None
    assert tally.stops is not None
    assert float(tally.radiated_kev.sum()) == pytest.approx(tally.bremsstrahlung_kev, rel=1e-4)
    above = tally.photons_per_electron * tally.photons.mean_kev
    assert 0.7 * tally.bremsstrahlung_kev < above < 1.03 * tally.bremsstrahlung_kev
    assert 0.5 < float(tally.stops.sum()) <= 1.0


def test_same_bits_for_any_number_of_threads() -> None:
    voxels = scene((3, 3, 3))
    source = ElectronVolume(activity=middle(voxels), spectrum=LINE)
    regions = [Region(key="all", voxels=np.arange(27))]
    runs = [
        simulate_electrons(voxels, source, regions=regions, histories=800, threads=n, voxel_std=True)
        for n in (1, 2, 3)
    ]
    for name in ("batch_energy_kev", "batch_balance_kev", "voxel_dose_kev_g", "voxel_std_kev_g"):
        for run in runs[1:]:
            assert np.array_equal(getattr(runs[0], name), getattr(run, name)), name


def test_kernels_have_the_same_bits_for_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    energies = []
    for threads in ("1", "2"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        energies.append(point_kernel(100.0, histories=800).batch_kev)
    assert np.array_equal(*energies)


def test_density_alone_changes_nothing() -> None:
    """The same g/cm2 at another density: the same histories, voxel for voxel."""
    voxels = scene()
    source = ElectronVolume(activity=middle(voxels), spectrum=LINE)
    options = ElectronOptions(absorb_kev=5.0, knock_on_cut_kev=10.0, step_mm=0.5)
    thin = VoxelGrid(
        grid=Grid.centred((7, 7, 7), (8.0, 8.0, 8.0)),
        materials=MATERIALS,
        material_index=voxels.material_index,
        density_g_cm3=np.full((7, 7, 7), 0.25, np.float32),
    )
    a = simulate_electrons(voxels, source, histories=400, options=options)
    b = simulate_electrons(thin, source, histories=400, options=options)
    assert a.voxel_dose_kev_g is not None
    assert b.voxel_dose_kev_g is not None
    np.testing.assert_allclose(
        a.voxel_dose_kev_g * 0.008, b.voxel_dose_kev_g * 0.25 * 0.512, rtol=1e-3, atol=0.05
    )


def test_fano_at_random_densities() -> None:
    count = 16
    shape = (count, count, count)
    density = np.random.default_rng(1).choice([0.26, 1.0, 1.8], size=shape).astype(np.float32)
    voxels = VoxelGrid(
        grid=Grid.centred(shape, (1.0, 1.0, 1.0)),
        materials=(WATER,),
        material_index=np.zeros(shape, np.uint8),
        density_g_cm3=density,
    )
    core = np.zeros(shape, dtype=bool)
    core[3:-3, 3:-3, 3:-3] = True
    regions = [
        Region(key=f"{r}", voxels=np.flatnonzero(core & (abs(density - r) < 0.01))) for r in (0.26, 1.0, 1.8)
    ]
    source = ElectronVolume(activity=density, spectrum=Spectrum.line(100.0))
    out = simulate_electrons(voxels, source, regions=regions, histories=80_000, seed=3, voxel_map=False)
    per_mass = out.emitted_kev / (float(density.astype(np.float64).sum()) * 1e-3)
    z = (out.dose_kev_g / per_mass / 0.99943 - 1) / out.std_rel
    assert np.all(np.abs(z) < 4.5), z


def test_materials_and_vacuum_in_the_way() -> None:
    """An electron crosses a vacuum gap undisturbed and stops behind it; air takes a little."""
    shape = (40, 1, 1)
    index = np.zeros(shape, np.uint8)
    density = np.ones(shape, np.float32)
    index[:10], density[:10] = 2, 0.0
    index[10:20], density[10:20] = 1, AIR.density_g_cm3
    voxels = VoxelGrid(
        grid=Grid.centred(shape, (400.0, 400.0, 1.0)), materials=MATERIALS, material_index=index,
        density_g_cm3=density,
    )  # fmt: skip
    source = ElectronRectangle(
        centre_mm=(0, 0, -25.0), normal=(0, 0, 1), up=(0, 1, 0), half_widths_mm=(0, 0), spectrum=LINE,
        directions="parallel",
    )  # fmt: skip
    out = simulate_electrons(voxels, source, histories=400)
    assert out.voxel_dose_kev_g is not None
    dose = out.voxel_dose_kev_g[:, 0, 0] * density[:, 0, 0] * 16.0 * 10  # keV per layer of 1 mm (160 cm3)
    assert not dose[:10].any()
    assert 2.0 < dose[10:20].sum() < 5.0  # 12 mg/cm2 x 2.03 keV cm2/mg, and what comes back
    assert dose[20:23].sum() > 350
    assert not dose[24:].any()
    assert out.imbalance_rel < 1e-12


def test_surface_sources() -> None:
    """Half of an isotropic surface source flies away from the body; faces find their voxels."""
    mask = np.zeros((5, 5, 5), dtype=bool)
    mask[1:4, 1:4, 1:4] = True
    grid = Grid.centred((5, 5, 5), (2.0, 3.0, 4.0))
    voxels = VoxelGrid(
        grid=grid,
        materials=MATERIALS,
        material_index=np.where(mask, 0, 2).astype(np.uint8),
        density_g_cm3=mask.astype(np.float32),
    )
    faces, area = exposed_faces(mask, grid)
    assert len(faces) == 54
    assert area.sum() == pytest.approx(2 * (6 * 9 + 6 * 12 + 9 * 12))
    line = Spectrum.line(50.0)
    both = simulate_electrons(
        voxels, ElectronFaces(faces=faces, weights=area, spectrum=line), histories=4000, voxel_map=False
    )
    inward = simulate_electrons(
        voxels,
        ElectronFaces(faces=faces, weights=area, spectrum=line, directions="inward"),
        histories=4000,
        voxel_map=False,
    )
    thrown_back = inward.escaped_kev / 50.0
    assert 0.1 < thrown_back < 0.35  # much at grazing incidence; 0.07 head-on
    assert both.deposited_kev / 50.0 == pytest.approx(0.5 * (1 - thrown_back), abs=0.03)
    plane = ElectronRectangle(
        centre_mm=(0, 0, -6.0), normal=(0, 0, 1), up=(0, 1, 0), half_widths_mm=(2.0, 3.0), spectrum=line,
        directions="inward",
    )  # fmt: skip
    flat = simulate_electrons(voxels, plane, histories=4000)
    assert flat.voxel_dose_kev_g is not None
    assert flat.voxel_dose_kev_g[1].sum() > 0
    assert not flat.voxel_dose_kev_g[3].any()  # 50 keV reach 43 um


def test_lines_and_continuum() -> None:
    """Emissions of a nuclide per decay: the mean energy is that of the spectrum."""
    spectrum = EmissionSpectrum(
        line_kev=[100.0], line_per_decay=[0.2], edges_kev=[0.0, 100.0, 300.0], bin_per_decay=[0.5, 0.3]
    )
    voxels = scene((3, 3, 3))
    source = ElectronPoint(position_mm=(0, 0, 0), spectrum=spectrum)
    out = simulate_electrons(voxels, source, histories=20_000)
    assert out.emitted_kev == pytest.approx(spectrum.mean_kev, rel=0.02)


@pytest.fixture(scope="module")
def kernel():  # type: ignore[no-untyped-def]
    return point_kernel(200.0, histories=4000, seed=2)


def test_point_kernel(kernel) -> None:  # type: ignore[no-untyped-def]
    assert kernel.csda_g_cm2 == pytest.approx(float(csda_range_g_cm2(WATER, 200.0)))
    assert kernel.energy_kev.sum() + kernel.bremsstrahlung_kev == pytest.approx(200.0)
    assert 0.78 < kernel.x90_g_cm2 / kernel.csda_g_cm2 < 0.83
    r = np.linspace(0, 1.5, 3001)
    assert np.trapezoid(kernel.shape(r), r) == pytest.approx(1.0, abs=0.01)
    radius = np.linspace(1e-4, 0.6, 60_001)
    dose = kernel.dose_kev_g(radius)
    total = np.trapezoid(dose * 4 * np.pi * (radius / 10) ** 2, radius / 10)
    assert total == pytest.approx(kernel.energy_kev.sum(), rel=0.01)


def test_the_kernel_that_fails_is_named_in_the_quick_run() -> None:
    rows = {row.name: row for row in kernels(400, full=False)}
    assert len(rows) == len(EGSNRC)
    assert rows["point kernel in water, 15 keV"].state is State.NOT_RUN
    assert "--full" in rows["point kernel in water, 15 keV"].note


def test_absorbed_fraction_of_spheres(kernel) -> None:  # type: ignore[no-untyped-def]
    small, large = (kernel.absorbed_fraction_of_sphere(radius) for radius in (0.01, 1000.0))
    assert large == pytest.approx(1.0, abs=0.002)
    assert small < 0.05
    # a sphere much larger than the range loses through a thin skin: 1 - 3 <r> / (4 R)
    mean = float((kernel.energy_kev * 0.5 * (kernel.edge_g_cm2[1:] + kernel.edge_g_cm2[:-1])).sum())
    mean /= kernel.energy_kev.sum()
    assert kernel.absorbed_fraction_of_sphere(50.0) == pytest.approx(large - 0.75 * mean / 5.0, abs=2e-3)


def test_bad_input_is_refused() -> None:
    voxels = scene((3, 3, 3))
    good = ElectronPoint(position_mm=(0, 0, 0), spectrum=LINE)
    with pytest.raises(InputError, match="too few"):
        simulate_electrons(voxels, good, histories=0)
    with pytest.raises(RangeError, match="1 keV to 20 MeV"):
        simulate_electrons(voxels, ElectronPoint(position_mm=(0, 0, 0), spectrum=Spectrum.line(30_000.0)))
    with pytest.raises(InputError, match="none of electrons"):
        simulate_electrons(voxels, ElectronPoint(position_mm=(0, 0, 0), spectrum=Positrons()))  # type: ignore[arg-type]
    with pytest.raises(GeometryError, match="does not fit"):
        simulate_electrons(voxels, ElectronVolume(activity=np.ones((2, 2, 2)), spectrum=LINE))
    with pytest.raises(InputError, match="somewhere positive"):
        simulate_electrons(voxels, ElectronVolume(activity=np.zeros((3, 3, 3)), spectrum=LINE))
    ball = Sphere(key="ball", material=WATER, centre_mm=(0, 0, 0), radius_mm=1.0)
    with pytest.raises(GeometryError, match="voxels only"):
        simulate_electrons(Scene(voxels=voxels, shapes=(ball,)), good)
    region = Region(key="a", voxels=np.array([99]))
    with pytest.raises(GeometryError, match="outside the grid"):
        simulate_electrons(voxels, good, regions=[region])
    with pytest.raises(InputError, match="share a name"):
        simulate_electrons(voxels, good, regions=[Region(key="a", voxels=np.array([1]))] * 2)
    with pytest.raises(GeometryError, match="a room"):
        simulate_electrons(Scene(voxels=voxels, room=scene((9, 9, 9), 4.0)), good)
    with pytest.raises(InputError, match="seed -1"):
        simulate_electrons(voxels, good, seed=-1)
    with pytest.raises(RangeError, match="2 keV to 20 MeV"):
        point_kernel(1.0)
    with pytest.raises(InputError, match="too few"):
        point_kernel(100.0, histories=0)
    with pytest.raises(InputError, match="finite"):
        point_kernel(100.0, histories=math.inf)
    with pytest.raises(InputError, match="parallel to its"):
        simulate_electrons(
            voxels,
            ElectronRectangle(
                centre_mm=(0, 0, 0), normal=(0, 0, 1), up=(0, 0, 1), half_widths_mm=(1, 1), spectrum=LINE
            ),
        )


def test_a_source_beside_the_grid_escapes() -> None:
    away = ElectronRectangle(
        centre_mm=(0, 0, 50.0), normal=(0, 0, 1), up=(0, 1, 0), half_widths_mm=(1, 1), spectrum=LINE,
        directions="parallel",
    )  # fmt: skip
    out = simulate_electrons(scene((3, 3, 3)), away, histories=80)
    assert out.escaped_kev == pytest.approx(500.0)
    assert out.deposited_kev == 0
