"""Convolution with a map of activity, local deposition, spheres."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.errors import InputError
from omnidose.physics.alpha_stopping import alpha_range_g_cm2
from omnidose.physics.nuclides import nuclide
from omnidose.transport.dose_kernels.convolution import convolve, local_deposition
from omnidose.transport.dose_kernels.nuclide_yields import yield_of
from omnidose.transport.dose_kernels.spheres import sphere_s
from omnidose.transport.dose_kernels.voxels import VoxelKernel, voxel_s
from omnidose.transport.tally import MGY_PER_KEV_G
from omnidose.volume import Grid, Volume

SPACING = (2.0, 3.0, 4.0)
SHAPE = (7, 9, 12)


@pytest.fixture(scope="module")
def kernel() -> VoxelKernel:
    return voxel_s("I-131", SPACING, reach_mm=16.0, use_cache=False)


def volume(array: npt.NDArray[np.floating], spacing: tuple[float, float, float] = SPACING) -> Volume:
    return Volume.on_grid(array, Grid.centred(array.shape, spacing))  # type: ignore[arg-type]


def point(place: tuple[int, int, int] = (3, 4, 5), shape: tuple[int, int, int] = SHAPE) -> Volume:
    array = np.zeros(shape, np.float32)
    array[place] = 2.0
    return volume(array)


@pytest.mark.parametrize("place", [(3, 4, 5), (0, 0, 0), (6, 8, 11), (0, 8, 3)])
def test_one_source_voxel_gives_the_kernel_and_nothing_wraps(
    kernel: VoxelKernel, place: tuple[int, int, int]
) -> None:
    dose = convolve(point(place), kernel)
    for target in itertools.product((0, 3, 6), (0, 4, 8), (0, 5, 11)):
        offset = tuple(t - p for t, p in zip(target, place, strict=True))
        expected = 2.0 * kernel.total_mgy((offset[0], offset[1], offset[2]))
        found = float(dose.total.array[target])
        assert found == pytest.approx(expected, rel=2e-5, abs=2e-7 * kernel.total_mgy((0, 0, 0)))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_dose_adds_up(seed: int) -> None:
    made = voxel_s("Lu-177", (4.0,) * 3, reach_mm=12.0)
    rng = np.random.default_rng(seed)
    a, b = (rng.random((6, 6, 6)).astype(np.float32) for _ in range(2))
    both = convolve(volume(a + b, (4.0,) * 3), made).total.array
    apart = sum(convolve(volume(x, (4.0,) * 3), made).total.array for x in (a, b))
    assert np.allclose(both, apart, rtol=1e-5)


def test_a_uniform_map_has_the_equilibrium_dose_inside() -> None:
    made = voxel_s("Y-90", (4.0,) * 3, reach_mm=20.0)
    dose = convolve(volume(np.ones((11, 11, 11), np.float32), (4.0,) * 3), made)
    unit = 1e6 * 1.602176634e-10 / made.voxel_g
    assert dose.electron[5, 5, 5] == pytest.approx(made.electron_kev * unit, rel=1e-5)
    assert dose.photon[5, 5, 5] == pytest.approx(made.photon_kev * unit, rel=1e-4)
    assert 0.125 < float(dose.electron[0, 0, 0] / dose.electron[5, 5, 5]) < 0.9


def test_density_divides_electrons_keeps_photons_and_clears_air(kernel: VoxelKernel) -> None:
    density = np.full(SHAPE, 1.04, np.float32)
    density[3, 4, 6] = 0.26
    density[3, 4, 4] = 0.0012
    plain, dense = convolve(point(), kernel), convolve(point(), kernel, density=volume(density))
    assert dense.electron[3, 4, 6] == pytest.approx(4 * plain.electron[3, 4, 6], rel=1e-5)
    assert dense.photon[3, 4, 6] == plain.photon[3, 4, 6]
    assert dense.total.array[3, 4, 4] == 0
    assert dense.cleared_voxels == 1
    assert any("1 voxels below 0.1 g/cm3" in note for note in dense.notes)
    rest = np.ones(SHAPE, bool)
    rest[3, 4, [4, 6]] = False
    assert np.allclose(dense.total.array[rest], plain.total.array[rest], rtol=1e-6)


def test_the_place_of_the_activity_is_kept(kernel: VoxelKernel) -> None:
    given_map = point()
    dose = convolve(given_map, kernel)
    assert np.array_equal(dose.total.affine_lps_mm, given_map.affine_lps_mm)


def test_local_deposition_is_energy_over_mass() -> None:
    emitted = yield_of("Ra-223")
    dose = local_deposition(point(), emitted)
    unit = 1e6 * 1.602176634e-10 / (0.024 * 1.04)
    assert dose.alpha[3, 4, 5] == pytest.approx(2 * emitted.alpha_kev * unit, rel=1e-5)
    assert dose.electron[3, 4, 5] == pytest.approx(2 * emitted.emitted_electron_kev * unit, rel=2e-3)
    assert dose.photon.max() == 0
    assert np.count_nonzero(dose.total.array) == 1
    thin = local_deposition(point(), emitted, density=volume(np.full(SHAPE, 0.52, np.float32)))
    assert thin.total.array[3, 4, 5] == pytest.approx(2 * dose.total.array[3, 4, 5], rel=1e-5)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full(SHAPE, -1.0), "goes down to -1"),
        (np.full(SHAPE, np.nan), "not finite"),
        (np.full(SHAPE, 1e30, np.float32), "goes up to 1e.30 MBq"),
        (np.full(SHAPE, 1e300), "goes up to 1e.300 MBq"),
        (np.full(SHAPE, "x"), "no numbers"),
    ],
)
def test_bad_activities_are_refused(kernel: VoxelKernel, array: npt.NDArray[np.floating], words: str) -> None:
    with pytest.raises(InputError, match=words):
        convolve(volume(array), kernel)
    with pytest.raises(InputError, match=words):
        local_deposition(volume(array), "Y-90")


def test_maps_that_do_not_fit_are_refused(kernel: VoxelKernel) -> None:
    with pytest.raises(InputError, match="the kernel's 2 x 3 x 4 mm"):
        convolve(volume(np.ones((4, 4, 4)), (3.0, 3.0, 3.0)), kernel)
    tilted = point().affine_lps_mm.copy()
    tilted[1, 2] = 0.8  # a tilted gantry: slices are shifted against each other
    with pytest.raises(InputError, match="right angles"):
        convolve(Volume(array=np.ones(SHAPE), affine_lps_mm=tilted), kernel)
    with pytest.raises(InputError, match="do not lie on the grid"):
        convolve(point(), kernel, density=volume(np.ones((4, 4, 4))))
    shifted = Volume(array=np.ones(SHAPE), affine_lps_mm=point().affine_lps_mm + np.eye(4, k=3))
    with pytest.raises(InputError, match="do not lie on the grid"):
        convolve(point(), kernel, density=shifted)
    with pytest.raises(InputError, match="below 0"):
        convolve(point(), kernel, density=volume(np.full(SHAPE, -1.0)))
    for wrong in (1040.0, 60.0):  # kg/m3, CT numbers: a thousandth of the dose, in silence
        with pytest.raises(InputError, match="not kg/m3 and not CT numbers"):
            local_deposition(point(), "Y-90", density=volume(np.full(SHAPE, wrong)))


@given(st.floats(1e-3, 500.0))
@settings(max_examples=10, deadline=None)
def test_a_sphere_absorbs_less_than_is_emitted(mass_g: float) -> None:
    emitted = yield_of("Lu-177")
    found = sphere_s(emitted, mass_g)
    unit = 1e6 * 1.602176634e-10 / mass_g
    assert 0 < found.electron_mgy < unit * emitted.emitted_electron_kev
    assert 0 < found.photon_mgy < unit * emitted.emitted_photon_kev


def test_a_sphere_against_voxels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sphere of many voxels, convolved, and in closed form."""
    monkeypatch.setenv("OMNIDOSE_CACHE_DIR", str(tmp_path))
    side, radius = 1.0, 9.5
    made = voxel_s("Y-90", (side,) * 3, reach_mm=20.0)
    axis = (np.arange(21) - 10.0) * side
    inside = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2 < radius**2
    dose = convolve(volume(inside.astype(np.float32), (side,) * 3), made)
    mass = float(inside.sum()) * made.voxel_g
    mean = float(dose.electron[inside].mean()) / float(inside.sum())
    assert mean == pytest.approx(sphere_s("Y-90", mass).electron_mgy, rel=0.01)


@pytest.mark.parametrize(
    ("mass_g", "least", "most"), [(4.3e-9, 0.1, 0.2), (4.3e-6, 0.7, 0.9), (1.0, 0.99, 1.0)]
)
def test_alphas_leave_small_spheres(mass_g: float, least: float, most: float) -> None:
    """Against straight tracks from random points in random directions."""
    emitter = nuclide("At-211")
    emitted = emitter.energy_per_decay_kev["alpha"] + emitter.energy_per_decay_kev["recoil"]
    found = sphere_s(emitter, mass_g)
    share = found.alpha_mgy * mass_g / (1e6 * MGY_PER_KEV_G) / emitted
    assert least < share < most
    rng = np.random.default_rng(1)
    radius = found.radius_mm / 10 * 1.04
    place, cosine = radius * rng.random(40_000) ** (1 / 3), rng.uniform(-1, 1, 40_000)
    path = np.sqrt(radius**2 - place**2 * (1 - cosine**2)) - place * cosine
    grid = np.geomspace(1.0, 9999.0, 4000)
    kept = emitter.recoil_lines.energy_per_decay_kev
    for kev, number in zip(emitter.alpha_lines.energy_kev, emitter.alpha_lines.per_decay, strict=True):
        rest = np.interp(alpha_range_g_cm2(kev) - path, alpha_range_g_cm2(grid), grid, left=0.0)
        kept += number * float((kev - rest).mean())
    assert share == pytest.approx(kept / emitted, rel=0.015)


def test_bad_spheres_are_refused() -> None:
    for mass in (0.0, -1.0, float("nan"), 1e9):
        with pytest.raises(InputError, match="a sphere of"):
            sphere_s("Y-90", mass)
