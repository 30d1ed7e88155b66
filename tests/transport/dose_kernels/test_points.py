"""Kernels of one energy, bremsstrahlung, and nuclides around a point."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.errors import InputError
from omnidose.physics.electrons import radiation_yield
from omnidose.physics.material_library import material
from omnidose.physics.photons import mass_attenuation_cm2_g, mass_energy_absorption_cm2_g
from omnidose.transport.dose_kernels.bremsstrahlung import bremsstrahlung
from omnidose.transport.dose_kernels.emissions import RadiationYield
from omnidose.transport.dose_kernels.media import Medium, medium_of
from omnidose.transport.dose_kernels.monoenergetic import (
    bone_share,
    electron_enclosed,
    electron_reach_g_cm2,
    photon_absorbed_share,
    photon_enclosed,
    radiated_share,
)
from omnidose.transport.dose_kernels.monte_carlo import photon_voxels
from omnidose.transport.dose_kernels.nuclide_yields import yield_of
from omnidose.transport.dose_kernels.radial import radial_kernel
from omnidose.transport.dose_kernels.voxels import voxel_s
from omnidose.transport.electrons.point_kernel import point_kernel

WATER = material("water")


@given(st.floats(1.0, 4000.0))
def test_an_electron_leaves_all_its_energy_inside_its_reach(energy_kev: float) -> None:
    reach = electron_reach_g_cm2(energy_kev)
    inside = electron_enclosed(energy_kev, np.linspace(0.0, max(reach, 1e-9), 50))[0]
    assert np.all(np.diff(inside) >= 0)
    assert inside[-1] == 1.0
    assert inside[0] == (1.0 if energy_kev < 10 else 0.0)


@given(st.floats(10.0, 4000.0))
def test_ninety_percent_lies_inside_x90(energy_kev: float) -> None:
    radius = np.linspace(0.0, electron_reach_g_cm2(energy_kev), 2001)
    inside = electron_enclosed(energy_kev, radius)[0]
    x90 = electron_reach_g_cm2(energy_kev) / 1.01 / 1.5
    assert np.interp(x90, radius, inside) == pytest.approx(0.9, abs=0.002)


def test_a_fresh_monte_carlo_kernel_between_the_energies_of_the_table() -> None:
    kernel = point_kernel(760.0, histories=10_000, shells=60, seed=77)
    inside = np.concatenate([[0.0], np.cumsum(kernel.energy_kev)]) / kernel.energy_kev.sum()
    ours = electron_enclosed(760.0, kernel.edge_g_cm2)[0]
    assert np.max(np.abs(ours - inside)) < 0.008  # three standard errors


@given(st.floats(1.0, 5000.0), st.sampled_from(["water", "cortical bone"]))
def test_a_photon_is_absorbed_in_an_endless_medium(energy_kev: float, name: str) -> None:
    medium = material(name)
    radius = np.concatenate([[0.0], np.geomspace(1e-3, 1e4, 60)])
    inside = photon_enclosed(medium, energy_kev, radius)[0]
    assert np.all(np.diff(inside) >= 0)
    assert inside[-1] == pytest.approx(photon_absorbed_share(medium, energy_kev)[0], rel=1e-9)
    # positrons of pairs annihilate: their photons are followed as scattered ones, nothing is lost but
    # bremsstrahlung
    assert 0.9 < inside[-1] <= 1.0


def test_near_the_point_a_photon_dose_is_the_unscattered_one() -> None:
    energy, radius = 140.5, 0.01
    mu_en = float(mass_energy_absorption_cm2_g(WATER, energy))
    near = photon_enclosed(WATER, energy, radius)[0, 0]
    assert near == pytest.approx(mu_en * radius, rel=0.01)


def test_photons_in_water_have_the_known_buildup() -> None:
    # energy-absorption buildup of a point in water at one mean free path, ANSI/ANS-6.4.3 (1991), recalled:
    # 2.08 to 2.13 at 1 MeV
    energy = 1000.0
    mu = float(mass_attenuation_cm2_g(WATER, energy))
    mu_en = float(mass_energy_absorption_cm2_g(WATER, energy))
    radius = np.array([0.98, 1.02]) / mu
    inside = photon_enclosed(WATER, energy, radius)[0]
    unscattered = mu_en * np.diff(radius)[0] * np.exp(-1.0)
    assert np.diff(inside)[0] / unscattered == pytest.approx(2.1, abs=0.05)


def test_radiated_shares_agree_with_the_other_stopping_powers() -> None:
    for energy in (100.0, 1000.0, 2000.0):
        other = float(radiation_yield(WATER, energy))
        assert float(radiated_share(WATER, energy)) == pytest.approx(other, rel=0.05)
    assert radiated_share(WATER, 5.0) == 0.0


def test_bremsstrahlung_carries_the_radiated_energy_and_is_soft() -> None:
    energy, number = np.array([500.0, 2000.0]), np.array([0.3, 0.7])
    kev, photons = bremsstrahlung(WATER, energy, number)
    radiated = float(energy @ (number * radiated_share(WATER, energy)))
    assert kev @ photons == pytest.approx(radiated, rel=1e-12)
    assert np.all(photons >= 0)
    assert kev.max() < 2000.0
    assert kev @ photons / photons.sum() < 200.0
    none = bremsstrahlung(WATER, np.array([5.0]), np.array([1.0]))
    assert none[0].size == 0


@pytest.mark.parametrize("name", ["Y-90", "Lu-177", "I-131", "F-18", "Ra-223"])
def test_a_nuclide_keeps_its_energy(name: str) -> None:
    emitted = yield_of(name)
    kernel = radial_kernel(emitted, medium_of("soft tissue"))
    electrons = kernel.electron.total_kev + kernel.radiated_kev
    assert electrons == pytest.approx(emitted.emitted_electron_kev, rel=1e-9)
    emitted_photons = emitted.emitted_photon_kev + kernel.radiated_kev
    assert 0.97 * emitted_photons < kernel.photon.total_kev <= emitted_photons * (1 + 1e-9)


def test_yields_of_progeny_are_added_by_decays() -> None:
    zirconium, yttrium = yield_of("Zr-89"), yield_of("Y-89m")
    both = yield_of("Zr-89", progeny={"Y-89m": 0.9})
    for part in ("emitted_electron_kev", "emitted_photon_kev"):
        expected = getattr(zirconium, part) + 0.9 * getattr(yttrium, part)
        assert getattr(both, part) == pytest.approx(expected, rel=1e-9)
    assert both.name == "Zr-89 + Y-89m"


def test_betas_and_positrons_share_edges_without_losing_any() -> None:
    copper = yield_of("Cu-64")
    assert copper.beta_per_decay.sum() == pytest.approx(0.385 + 0.175, abs=0.01)


def test_alphas_and_recoils_are_counted_apart() -> None:
    radium = yield_of("Ra-223")
    assert 5500 < radium.alpha_kev < 6000
    assert radial_kernel(radium, medium_of("water")).alpha_kev == radium.alpha_kev


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"electron_kev": [10.0], "electron_per_decay": []}, "do not fit"),
        ({"beta_edges_kev": [0.0, 10.0, 5.0], "beta_per_decay": [0.1, 0.1]}, "must rise"),
        ({"photon_kev": [np.nan], "photon_per_decay": [1.0]}, "not finite"),
        ({"photon_kev": [100.0], "photon_per_decay": [-1.0]}, "below 0"),
        ({"photon_kev": [6130.0], "photon_per_decay": [0.7]}, "beyond the dose kernels"),
        ({}, "emits nothing"),
    ],
)
def test_bad_radiations_are_refused(wrong: dict[str, list[float]], words: str) -> None:
    with pytest.raises(InputError, match=words):
        RadiationYield(name="wrong", **wrong)  # type: ignore[arg-type]


def test_bad_media_and_progeny_are_refused() -> None:
    with pytest.raises(InputError, match="no medium 'jelly'"):
        medium_of("jelly")
    with pytest.raises(InputError, match="density"):
        Medium(name="x", density_g_cm3=0.0)
    with pytest.raises(InputError, match="scaled by"):
        Medium(name="x", density_g_cm3=1.0, scale=9.0)
    with pytest.raises(InputError, match="decays of Y-89m"):
        yield_of("Zr-89", progeny={"Y-89m": float("nan")})


def test_media_lie_between_water_and_bone() -> None:
    assert bone_share(material("water")) == 0.0
    assert bone_share(material("cortical bone")) == 1.0
    assert bone_share(material("soft tissue, four components")) == 0.0
    assert 0.4 < bone_share(material("spongiosa")) < 0.8
    for name in ("lung tissue", "skeletal muscle", "adipose tissue", "red marrow"):
        assert bone_share(material(name)) < 0.06


@pytest.mark.parametrize("energy_kev", [30.0, 60.0, 140.0])
def test_scattered_photons_of_bone_are_its_own(energy_kev: float) -> None:
    """Against photons followed in bone: with water's scatter 60 keV was 20 % low three voxels away."""
    line = RadiationYield(name="line", photon_kev=np.array([energy_kev]), photon_per_decay=np.ones(1))
    offsets = ((0, 0, 0), (0, 0, 1), (0, 1, 2))
    side = 2.0 if energy_kev < 50 else 5.0
    kernel = voxel_s(line, (side, side, side), medium="bone", reach_mm=15.0, use_cache=False)
    found = photon_voxels(line, kernel.spacing_mm, kernel.medium, offsets, 200_000)
    for offset, (dose, std) in zip(offsets, found, strict=True):
        assert kernel.photon_octant[offset] == pytest.approx(dose, rel=0.01, abs=4 * std)
