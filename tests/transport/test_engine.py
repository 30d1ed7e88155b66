"""The engine against closed forms, its own balance, and itself with other threads."""

from __future__ import annotations

import math

import numpy as np
import pytest

from omnidose.errors import InputError, RangeError
from omnidose.physics.material_library import material as library_material
from omnidose.physics.materials import Material
from omnidose.physics.spectra import Spectrum
from omnidose.transport.checks.small_scenes import IODINE_WATER, WATER
from omnidose.transport.engine import Progress, simulate
from omnidose.transport.kernels.random import philox
from omnidose.transport.scene import VACUUM, Box, Cylinder, Scene, VoxelGrid
from omnidose.transport.sources import IsotropicSource, ParallelSource, PyramidSource, RotatingSource
from omnidose.transport.tally import Region
from omnidose.volume import Grid

LEAD = library_material("lead")


def beam(energy_kev: float = 60.0, half_mm: float = 10.0) -> ParallelSource:
    return ParallelSource(
        centre_mm=(0, 0, -200),
        direction=(0, 0, 1),
        up=(0, 1, 0),
        half_widths_mm=(half_mm, half_mm),
        spectrum=Spectrum.line(energy_kev),
    )


def water_grid(n: int = 20, voxel_mm: float = 10.0) -> VoxelGrid:
    shape = (n, n, n)
    return VoxelGrid(
        grid=Grid.centred(shape, (voxel_mm,) * 3),
        materials=(WATER,),
        material_index=np.zeros(shape, np.uint8),
        density_g_cm3=np.ones(shape, np.float32),
    )


def test_philox_known_answer() -> None:
    """Published known answer of Philox4x32-10 for zero counter and key (Random123)."""
    zero = np.uint32(0)
    words = philox(zero, zero, zero, zero, zero, zero)
    assert [int(w) for w in words] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


def test_same_bits_for_any_number_of_threads() -> None:
    scene = Scene(voxels=water_grid())
    regions = [Region(key="all", voxels=np.arange(8000)), Region(key="half", voxels=np.arange(4000))]
    one, two = (
        simulate(scene, beam(), regions=regions, histories=8000, seed=7, voxel_map=True, threads=n)
        for n in (1, 2)
    )
    assert np.array_equal(one.batch_energy_kev, two.batch_energy_kev)
    assert one.voxel_dose_kev_g is not None
    assert two.voxel_dose_kev_g is not None
    assert np.array_equal(one.voxel_dose_kev_g, two.voxel_dose_kev_g)
    other = simulate(scene, beam(), regions=regions, histories=8000, seed=8)
    assert not np.array_equal(one.batch_energy_kev, other.batch_energy_kev)


@pytest.mark.parametrize(
    ("material", "energy_kev"),
    [(WATER, 20.0), (WATER, 60.0), (WATER, 1250.0), (IODINE_WATER, 40.0), (LEAD, 100.0), (LEAD, 5000.0)],
)
def test_energy_balance_and_estimators_agree(material: Material, energy_kev: float) -> None:
    block = Box(key="block", material=material, lower_mm=(-50, -50, -50), upper_mm=(50, 50, 50))
    tally = simulate(Scene(shapes=(block,)), beam(energy_kev), histories=60_000, seed=3)
    emitted, deposited, escaped, expected = tally.batch_analog_kev.T
    assert deposited + escaped == pytest.approx(emitted, rel=1e-6)
    difference = expected - deposited
    assert abs(difference.mean()) < 4 * difference.std(ddof=1) / math.sqrt(difference.size)
    assert deposited.mean() > 0.01 * energy_kev


def test_the_largest_energy_of_the_data_runs() -> None:
    tally = simulate(
        Scene(voxels=water_grid()), beam(20_000.0), regions=[Region(key="all", voxels=np.arange(8000))],
        histories=40_000,
    )  # fmt: skip
    emitted, deposited, escaped, expected = tally.batch_analog_kev.mean(axis=0)
    assert emitted == pytest.approx(20_000.0)
    assert deposited + escaped == pytest.approx(emitted, rel=1e-6)
    assert expected == pytest.approx(deposited, rel=0.05)
    with pytest.raises(RangeError, match="cannot be simulated"):
        simulate(Scene(voxels=water_grid(4)), beam(20_001.0), histories=100)


def test_primary_energy_in_a_slab_is_exponential() -> None:
    """Unscattered photons deposit mu_dep/mu (1 - exp(-mu t)) E in a slab."""
    from omnidose.physics.photons import mass_attenuation_cm2_g

    slab = Box(key="slab", material=WATER, lower_mm=(-300, -300, 0), upper_mm=(300, 300, 50))
    tally = simulate(Scene(shapes=(slab,), world=VACUUM), beam(), histories=200_000, seed=5)
    mu = float(mass_attenuation_cm2_g(WATER, np.array([60.0]))[0])
    primary = tally.batch_primary_kev[:, 0]
    # ratio of the first 5 cm to an infinitely thick slab needs no mu_dep
    thick = Box(key="slab", material=WATER, lower_mm=(-300, -300, 0), upper_mm=(300, 300, 3000))
    whole = simulate(Scene(shapes=(thick,), world=VACUUM), beam(), histories=200_000, seed=6)
    ratio = primary.mean() / whole.batch_primary_kev[:, 0].mean()
    std = ratio * math.hypot(
        primary.std(ddof=1) / primary.mean(),
        whole.batch_primary_kev[:, 0].std(ddof=1) / whole.batch_primary_kev[:, 0].mean(),
    ) / math.sqrt(40)  # fmt: skip
    assert abs(ratio - (1 - math.exp(-5 * mu))) < 4 * std
    assert std < 0.01


def test_voxels_and_shapes_agree() -> None:
    """The same water cube as voxels and as a box gives the same energy within statistics."""
    voxels = simulate(
        Scene(voxels=water_grid()), beam(), regions=[Region(key="all", voxels=np.arange(8000))],
        histories=100_000, seed=1,
    )  # fmt: skip
    box = Box(key="all", material=WATER, lower_mm=(-100,) * 3, upper_mm=(100,) * 3)
    shapes = simulate(Scene(shapes=(box,)), beam(), histories=100_000, seed=2)
    assert voxels.mass_g[0] == pytest.approx(8000)
    assert shapes.mass_g[0] == pytest.approx(8000)
    difference = voxels.energy_kev[0] - shapes.energy_kev[0]
    assert abs(difference) < 4 * math.hypot(voxels.std_kev[0], shapes.std_kev[0])


def test_voxel_map_sums_to_region() -> None:
    tally = simulate(
        Scene(voxels=water_grid()), beam(), regions=[Region(key="all", voxels=np.arange(8000))],
        histories=20_000, voxel_map=True,
    )  # fmt: skip
    assert tally.voxel_dose_kev_g is not None
    # density 1, voxels of 1 cm3: the sum of keV/g is the energy in keV
    assert float(tally.voxel_dose_kev_g.sum(dtype=np.float64)) == pytest.approx(tally.energy_kev[0], rel=1e-4)


def test_weights_and_media_score_shares() -> None:
    """A weight of 0.3 scores 0.3 of the energy; water as medium in water gives nearly its own dose."""
    voxels = np.arange(8000)
    regions = [
        Region(key="all", voxels=voxels),
        Region(key="share", voxels=voxels, weights=np.full(8000, 0.3, np.float32)),
        Region(key="water", voxels=voxels, medium=WATER),
    ]
    tally = simulate(Scene(voxels=water_grid()), beam(), regions=regions, histories=20_000)
    energy = dict(zip(tally.keys, tally.energy_kev, strict=True))
    assert energy["share"] == pytest.approx(0.3 * energy["all"], rel=1e-5)
    assert energy["water"] == pytest.approx(energy["all"], rel=5e-3)


def test_denser_sampling_is_unbiased() -> None:
    rod = Cylinder(key="rod", material=WATER, centre_mm=(0, 0, 0), radius_mm=5, length_mm=20)
    block = Box(key="block", material=WATER, lower_mm=(-50,) * 3, upper_mm=(50,) * 3)
    scene = Scene(shapes=(block, rod))
    plain = simulate(scene, beam(), histories=100_000, seed=1)
    dense = simulate(scene, beam(), histories=100_000, seed=2, sampling_per_cm={"rod": 5.0})
    k = plain.index("rod")
    assert abs(plain.energy_kev[k] - dense.energy_kev[k]) < 4 * math.hypot(plain.std_kev[k], dense.std_kev[k])
    assert dense.std_kev[k] < 0.7 * plain.std_kev[k]


def test_isotropic_point_in_vacuum_sees_the_solid_angle() -> None:
    """A disc of lead stops what its solid angle says."""
    disc = Cylinder(key="disc", material=LEAD, centre_mm=(0, 0, 105), radius_mm=50, length_mm=10)
    tally = simulate(
        Scene(shapes=(disc,), world=VACUUM),
        IsotropicSource(centre_mm=(0, 0, 0), spectrum=Spectrum.line(30.0)),
        histories=200_000,
    )
    share = 0.5 * (1 - 100 / math.hypot(100, 50))
    interacting = tally.batch_analog_kev[:, 1] / 30.0
    # 1 cm of lead lets nothing through at 30 keV; a few per cent leave as L fluorescence
    assert interacting.mean() < share * 1.02
    assert interacting.mean() > share * 0.90


def test_rotating_source_is_symmetric() -> None:
    rods = tuple(
        Cylinder(
            key=f"{k}",
            material=WATER,
            centre_mm=(60 * math.cos(a), 60 * math.sin(a), 0),
            radius_mm=8,
            length_mm=60,
        )
        for k, a in enumerate(np.arange(4) * math.pi / 2)
    )
    block = Cylinder(key="block", material=WATER, centre_mm=(0, 0, 0), radius_mm=80, length_mm=100)
    source = RotatingSource(
        isocentre_mm=(0, 0),
        focus_mm=500,
        segments=np.array([[0, 2 * math.pi, -20, 20, 1.0]]),
        half_tangents=(-0.2, 0.2, -0.02, 0.02),
        spectra=(Spectrum.line(60.0),),
    )
    tally = simulate(Scene(shapes=(block, *rods)), source, histories=200_000, sampling_per_cm={"0": 2.0})
    energy = np.array([tally.energy_kev[tally.index(f"{k}")] for k in range(4)])
    std = np.array([tally.std_kev[tally.index(f"{k}")] for k in range(4)])
    assert np.sum(((energy - energy.mean()) / std) ** 2) < 16  # chi-square, 3 degrees of freedom


def test_pyramid_is_uniform_in_solid_angle() -> None:
    """Thin black plates in vacuum on and off the axis: the energy goes with cos^3 over distance."""
    plates = tuple(
        Box(key=k, material=LEAD, lower_mm=(x - 20, -20, 500), upper_mm=(x + 20, 20, 500.2))
        for k, x in (("axis", 0.0), ("off", 400.0))
    )
    source = PyramidSource(
        position_mm=(0, 0, 0), direction=(0, 0, 1), up=(0, 1, 0),
        half_tangents=(-1, 1, -0.1, 0.1), spectrum=Spectrum.line(10.0),
    )  # fmt: skip
    tally = simulate(Scene(shapes=plates, world=VACUUM), source, histories=400_000)
    ratio = tally.energy_kev[1] / tally.energy_kev[0]
    std = ratio * math.hypot(tally.std_rel[0], tally.std_rel[1])
    assert abs(ratio - (1 + (400 / 500) ** 2) ** -1.5) < 4 * std
    assert std < 0.02


def test_precision_is_reached_and_progress_told() -> None:
    seen: list[Progress] = []
    tally = simulate(
        Scene(voxels=water_grid()), beam(), regions=[Region(key="all", voxels=np.arange(8000))],
        precision=0.002, progress=seen.append,
    )  # fmt: skip
    assert tally.std_rel[0] < 0.002
    assert seen
    assert all(0 <= p.fraction <= 1 for p in seen)


def test_progress_can_stop_the_run() -> None:
    def stop(_progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(Scene(voxels=water_grid()), beam(), histories=1e6, progress=stop)


def test_bad_requests_are_refused() -> None:
    scene = Scene(voxels=water_grid(4))
    with pytest.raises(InputError, match="either histories or precision"):
        simulate(scene, beam())
    with pytest.raises(RangeError, match="cannot be simulated"):
        simulate(scene, beam(30_000.0), histories=100)
    region = Region(key="a", voxels=np.arange(3))
    with pytest.raises(InputError, match="share a name"):
        simulate(scene, beam(), regions=[region, region], histories=100)
    with pytest.raises(InputError, match="no region or shape"):
        simulate(scene, beam(), histories=100, sampling_per_cm={"nothing": 1.0})
