"""The plain engine itself, against formulas: everything else is measured with it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numba import njit

from omnidose.errors import InputError, RangeError
from omnidose.physics.elements import Process
from omnidose.physics.material_library import material
from omnidose.physics.photons import (
    HC_KEV_ANGSTROM,
    mass_attenuation_cm2_g,
    mean_compton_electron_kev,
    mean_fluorescence_kev,
    mixture_form_factor_squared,
)
from omnidose.physics.spectra import Spectrum
from omnidose.transport import plain_engine
from omnidose.transport._plain_kernels import (
    born,
    compton_cosine,
    fluorescence,
    look_around,
    rayleigh_cosine,
)
from omnidose.transport.checks.sources import rectangle_shares
from omnidose.transport.plain_engine import run_plain
from omnidose.transport.scene import VACUUM, Box, Capsule, Cylinder, Scene, Sphere, VoxelGrid
from omnidose.transport.shapes import inside_shape
from omnidose.transport.sources import IsotropicSource, ParallelSource, PyramidSource, RotatingSource, Source
from omnidose.transport.tally import Region
from omnidose.volume import Grid

N = 40_000


@njit
def seed_generator(seed: int) -> None:
    """Seed the generator of compiled code: the interpreter's is another."""
    np.random.seed(seed)  # noqa: NPY002


def beam(energy_kev: float, half_width_mm: float = 10.0) -> ParallelSource:
    return ParallelSource(
        centre_mm=(0, 0, -100),
        direction=(0, 0, 1),
        up=(0, 1, 0),
        half_widths_mm=(half_width_mm, half_width_mm),
        spectrum=Spectrum.line(energy_kev),
    )


def block(name: str, thickness_mm: float, half_mm: float = 500.0) -> Box:
    half = (half_mm, half_mm)
    return Box(
        key="block", material=material(name), lower_mm=(-half[0], -half[1], 0), upper_mm=(*half, thickness_mm)
    )


def births(source: Source, n: int = N) -> np.ndarray:
    flat = plain_engine._beam(source)
    seed_generator(7)
    return np.array([born(flat) for _ in range(n)])


@pytest.mark.parametrize(("name", "energy_kev"), [("water", 3.0), ("lead", 12.0)])
def test_absorption_is_exponential(name: str, energy_kev: float) -> None:
    """Where nearly nothing scatters, what is kept is E (1 - exp(-mu t))."""
    of = material(name)
    mu = float(mass_attenuation_cm2_g(of, energy_kev, Process.PHOTOELECTRIC)) * of.density_g_cm3
    slab = block(name, 10 * 0.7 / mu, 50.0)
    near = replace(beam(energy_kev), centre_mm=(0, 0, -1e-3))  # a global majorant makes long ways dear
    tally = run_plain(Scene(shapes=(slab,), world=VACUUM, world_margin_mm=0.1), near, histories=N)
    expected = energy_kev * (1 - math.exp(-0.7))
    scattered = float(mass_attenuation_cm2_g(of, energy_kev)) * of.density_g_cm3 / mu - 1
    assert abs(tally.energy_kev[0] - expected) < 4 * tally.std_kev[0] + expected * 0.5 * scattered
    emitted, kept, escaped = tally.batch_balance_kev.mean(axis=0)
    assert math.isclose(emitted, kept + escaped, rel_tol=1e-12)


def test_pair_production_conserves_energy() -> None:
    tally = run_plain(Scene(shapes=(block("lead", 30.0),)), beam(10_000.0), histories=4000)
    emitted, kept, escaped = tally.batch_balance_kev.mean(axis=0)
    assert math.isclose(emitted, kept + escaped, rel_tol=1e-9)
    assert kept > 0.5 * emitted


def test_pyramid_is_uniform_in_solid_angle() -> None:
    source = PyramidSource(
        position_mm=(10, 20, 30),
        direction=(1, 0, 0),
        up=(0, 0, 1),
        half_tangents=(-0.5, 1.0, -0.2, 2.0),
        spectrum=Spectrum.line(50.0),
    )
    photons = births(source)
    assert np.allclose(photons[:, :3], (1, 2, 3))
    u, v, w = photons[:, 3:6].T
    s, t = v / u, w / u  # up x direction = z x x = y
    assert s.min() >= -0.5
    assert s.max() <= 1.0
    assert t.min() >= -0.2
    assert t.max() <= 2.0
    # a quarter of the pyramid holds its share of the solid angle
    solid = rectangle_shares(np.array([-0.5, 0.25, 1.0]), np.array([-0.2, 0.9, 2.0]))
    share = solid[0, 0] / solid.sum()
    found = np.mean((s < 0.25) & (t < 0.9))
    assert abs(found - share) < 4 * math.sqrt(share * (1 - share) / N)


def test_ball_source_is_uniform_and_isotropic() -> None:
    photons = births(IsotropicSource(centre_mm=(0, 0, 50), spectrum=Spectrum.line(50.0), radius_mm=20.0))
    r = np.linalg.norm(photons[:, :3] - (0, 0, 5), axis=1)
    assert abs(np.mean((r / 2) ** 3) - 0.5) < 4 * math.sqrt(1 / 12 / N)
    assert np.all(np.abs(photons[:, 3:6].mean(axis=0)) < 4 * math.sqrt(1 / 3 / N))
    assert np.all(np.abs((photons[:, 3:6] ** 2).mean(axis=0) - 1 / 3) < 4 * math.sqrt(4 / 45 / N))


def test_turning_fan_follows_its_transmission_and_spectra() -> None:
    soft, hard = (Spectrum(energy_kev=np.array([40.0, 80.0]), weight=np.array(w)) for w in ((1, 0), (0, 1.0)))
    source = RotatingSource(
        isocentre_mm=(5, -5),
        focus_mm=600.0,
        segments=np.array([[0.0, math.pi, 0.0, 10.0, 1.0], [math.pi, 2 * math.pi, 10.0, 40.0, 3.0]]),
        half_tangents=(-0.02, 0.02, -0.01, 0.01),
        spectra=(soft, hard),
        transmission=np.array([[0.25], [0.75]]),
    )
    photons = births(source)
    x, y, z = photons[:, :3].T
    assert np.allclose(np.hypot(x - 0.5, y + 0.5), 60.0)
    assert abs(np.mean(y < -0.5) - 0.75) < 4 * math.sqrt(3 / 16 / N)
    assert abs(np.mean(z) - (0.25 * 0.5 + 0.75 * 2.5)) < 0.03
    tangent = np.stack([-(y + 0.5), x - 0.5], axis=1) / 60.0
    side = np.sum(photons[:, 3:5] * tangent, axis=1) > 0
    assert np.all((photons[:, 6] > 60) == side)  # u positive towards rising angle
    mean_low, mean_high = (0.25 * 0.5 + 0.375 * 0.5), (0.75 * 0.5 + 0.625 * 0.5)
    share = mean_high / (mean_low + mean_high)
    assert abs(side.mean() - share) < 4 * math.sqrt(share * (1 - share) / N) + 1e-3


def test_another_axis_of_rotation_turns_everything() -> None:
    source = RotatingSource(
        isocentre_mm=(1, 2),
        focus_mm=100,
        segments=np.array([[0.0, 1e-9, 20.0, 20.0, 1.0]]),
        half_tangents=(0.1, 0.1001, 0.2, 0.2001),
        spectra=(Spectrum.line(50.0),),
        axis=(0, 3, 0),
        zero=(0, 1, 1),
        isocentre_z_mm=3.0,
    )
    photon = births(source, 1)[0]
    assert np.allclose(photon[:3], (0.1, 0.2 + 2.0, 0.3 + 10.0))  # angle 0 along z, the way along y
    # away from the focus -z, rising angle y x z = x, along the axis y
    expected = np.array([0.1, 0.2, -1.0]) / math.sqrt(1.05)
    assert np.allclose(photon[3:6], expected, atol=2e-4)


def test_the_last_shape_wins() -> None:
    of = {name: material(name) for name in ("water", "lead", "aluminium", "copper", "pmma")}
    grid = Grid(shape_zyx=(4, 5, 6), spacing_mm=(10, 12, 14), origin_mm=(-25, -24, -21))
    rng = np.random.default_rng(3)
    voxels = VoxelGrid(
        grid=grid,
        materials=(of["water"], of["pmma"]),
        material_index=rng.integers(0, 2, grid.shape_zyx).astype(np.uint8),
        density_g_cm3=rng.random(grid.shape_zyx).astype(np.float32),
    )
    shapes = (
        Box(key="a", material=of["lead"], lower_mm=(-40, -5, -5), upper_mm=(5, 40, 10)),
        Cylinder(key="b", material=of["copper"], centre_mm=(0, 0, 5), radius_mm=9, length_mm=50, axis=0),
        Cylinder(
            key="c", material=of["pmma"], centre_mm=(5, 5, 5), radius_mm=6, length_mm=40, direction=(1, 2, -1)
        ),
        Sphere(key="a", material=of["aluminium"], centre_mm=(10, 0, 0), radius_mm=12),
        Capsule(key="d", material=of["water"], start_mm=(-20, -20, 0), end_mm=(10, 10, 20), radius_mm=5),
    )
    scene = Scene(voxels=voxels, shapes=shapes)
    region = Region(key="some", voxels=np.arange(0, 120, 2))
    keys = ("a", "b", "c", "d", "some")
    flat = plain_engine._geometry(scene, keys, (region,), plain_engine._beam(beam(50)))
    points = rng.uniform((-45, -45, -40), (40, 45, 45), (3000, 3))
    hits = np.array([inside_shape(shape, points) for shape in shapes])
    for point, hit in zip(points, hits.T, strict=True):
        found = look_around(flat, *(point / 10))
        if hit.any():
            k = int(np.flatnonzero(hit)[-1])
            expected = (2 + k, shapes[k].material.density_g_cm3, 1 + keys.index(shapes[k].key))
        else:
            index = np.floor((point - grid.lower_mm) / grid.spacing_mm).astype(int)
            if np.all(index >= 0) and np.all(index < (6, 5, 4)):
                i, j, k = index
                flat_index = (k * 5 + j) * 6 + i
                density = float(voxels.density_g_cm3[k, j, i])
                expected = (int(voxels.material_index[k, j, i]), density, 5 if flat_index % 2 == 0 else 0)
            else:
                expected = (7, scene.world.density_g_cm3, 0)
        assert found == expected


@pytest.mark.parametrize(("name", "energy_kev"), [("water", 20.0), ("lead", 60.0), ("water", 1000.0)])
def test_scattering_angles_have_the_right_means(name: str, energy_kev: float) -> None:
    of = material(name)
    scene = Scene(shapes=(block(name, 1.0),))
    phys = plain_engine._physics(scene, energy_kev)
    seed_generator(8)
    cosines = np.array([compton_cosine(phys, 0, energy_kev) for _ in range(N)])
    electron = energy_kev * (1 - 1 / (1 + energy_kev / 510.99895 * (1 - cosines)))
    expected = float(mean_compton_electron_kev(of, energy_kev))
    assert abs(electron.mean() - expected) < 4 * electron.std() / math.sqrt(N) + 2e-4 * expected
    cosines = np.array([rayleigh_cosine(energy_kev, phys.x2, phys.rayleigh[0]) for _ in range(N)])
    grid = np.linspace(-1, 1, 2_000_001)
    x = energy_kev / HC_KEV_ANGSTROM * np.sqrt(0.5 * (1 - grid))
    density = (1 + grid**2) * mixture_form_factor_squared(of, x)
    expected = float(np.sum(grid * density) / np.sum(density))
    assert abs(cosines.mean() - expected) < 4 * cosines.std() / math.sqrt(N) + 2e-4


@pytest.mark.parametrize(("name", "energy_kev"), [("iodine", 40.0), ("lead", 100.0), ("tungsten", 50.0)])
def test_fluorescence_has_the_right_mean(name: str, energy_kev: float) -> None:
    phys = plain_engine._physics(Scene(shapes=(block(name, 1.0),)), energy_kev)
    seed_generator(9)
    t = (math.log(energy_kev) - phys.ln_e0) * phys.per_ln_e
    emitted = np.array([sum(fluorescence(phys, 0, t, energy_kev)) for _ in range(N)])
    expected = float(mean_fluorescence_kev(material(name), energy_kev, 1.0))
    assert abs(emitted.mean() - expected) < 4 * emitted.std() / math.sqrt(N) + 1e-3 * expected


def test_seeds_and_batches() -> None:
    scene = Scene(shapes=(block("water", 50.0),))
    one, same, other = (run_plain(scene, beam(60.0), histories=2000, seed=s, batches=5) for s in (1, 1, 2))
    assert one.batch_energy_kev.shape == (5, 1)
    assert np.array_equal(one.batch_energy_kev, same.batch_energy_kev)
    assert not np.any(one.batch_energy_kev == other.batch_energy_kev)


def test_what_it_does_not_know_is_refused() -> None:
    grid = Grid.centred((2, 2, 2), (10, 10, 10))
    voxels = VoxelGrid(
        grid=grid,
        materials=(material("water"),),
        material_index=np.zeros((2, 2, 2), np.uint8),
        density_g_cm3=np.ones((2, 2, 2), np.float32),
    )
    scene = Scene(voxels=voxels)
    first, second = (Region(key=k, voxels=np.arange(4)) for k in ("first", "second"))
    weighted = Region(key="w", voxels=np.arange(2), weights=np.ones(2, np.float32))
    for regions in ((first, second), (weighted,)):
        with pytest.raises(InputError, match="whole, separate voxels"):
            run_plain(scene, beam(50.0), regions=regions, histories=100)
    with pytest.raises(InputError, match="different names"):
        run_plain(scene, beam(50.0), regions=(first, first), histories=100)
    with pytest.raises(RangeError, match="cut-off"):
        run_plain(scene, beam(0.9), regions=(first,), histories=100)
    with pytest.raises(InputError, match="knows no str of such photons"):
        run_plain(scene, "a source", histories=100)  # type: ignore[arg-type]
