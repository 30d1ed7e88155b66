"""Electron stopping powers of mixtures, Mott's ratio, beta spectra."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.data import load
from omnidose.errors import InputError, RangeError
from omnidose.physics.beta import BetaBranch, beta_continuum, beta_spectrum
from omnidose.physics.electron_stopping import (
    collision_mev_cm2_g,
    csda_range_g_cm2,
    density_effect,
    mean_excitation_ev,
    radiative_mev_cm2_g,
    range_and_yield,
)
from omnidose.physics.material_library import material, weights_from_text
from omnidose.physics.materials import Material

ESTAR = load("estar_checks")
NAMES = list(dict.fromkeys(ESTAR["material"].tolist()))


@pytest.mark.parametrize("name", NAMES)
def test_estar(name: str) -> None:
    """Collision within 0.1 % (PMMA, whose excitation energy was measured: 0.9 %), ranges likewise."""
    pmma = name == "pmma"
    rows = ESTAR["material"] == name
    made = Material(
        name=name,
        weight_fractions=weights_from_text(str(ESTAR["weights_percent"][rows][0])),
        density_g_cm3=float(ESTAR["density_g_cm3"][rows][0]),
    )
    excitation_ev = float(ESTAR["excitation_ev"][rows][0])
    assert mean_excitation_ev(made) == pytest.approx(excitation_ev, rel=0.05 if pmma else 0.005)
    energy = ESTAR["energy_kev"][rows]
    tolerance = 0.01 if pmma else 0.0012
    for function, column in (
        (collision_mev_cm2_g, "collision_mev_cm2_g"),
        (radiative_mev_cm2_g, "radiative_mev_cm2_g"),
        (csda_range_g_cm2, "csda_g_cm2"),
    ):
        np.testing.assert_allclose(function(made, energy), ESTAR[column][rows], rtol=tolerance)
    np.testing.assert_allclose(
        density_effect(made, energy), ESTAR["density_effect"][rows], atol=0.08 if pmma else 0.01
    )
    fine, _csda, share = range_and_yield(made)
    np.testing.assert_allclose(np.interp(energy, fine, share), ESTAR["radiation_yield"][rows], rtol=0.02)


def test_excitation_energies() -> None:
    assert mean_excitation_ev(material("water")) == pytest.approx(75.3, abs=0.1)
    assert mean_excitation_ev(material("air")) == pytest.approx(85.7, abs=0.5)
    assert mean_excitation_ev(Material(name="Al", weight_fractions={13: 1.0}, density_g_cm3=2.7)) == 166.0


def test_density_effect_rises_and_is_small_in_gases() -> None:
    energy = np.geomspace(1, 30_000, 300)
    delta = density_effect(material("cortical bone"), energy)
    assert np.all(np.diff(delta) >= 0)
    assert density_effect(material("air"), 1000.0) == 0
    vacuum = Material(name="vacuum", weight_fractions={1: 1.0}, density_g_cm3=0.0)
    assert not density_effect(vacuum, energy).any()


@pytest.mark.parametrize("z", [1, 8, 53, 79, 98])
def test_every_element_stops_from_1_kev(z: int) -> None:
    element = Material(name="element", weight_fractions={z: 1.0}, density_g_cm3=10.0)
    assert np.all(collision_mev_cm2_g(element, np.geomspace(1, 30_000, 200)) > 0)


def test_energies_outside_are_refused() -> None:
    with pytest.raises(RangeError, match="1 to 30000 keV"):
        collision_mev_cm2_g(material("water"), 0.5)


@pytest.mark.parametrize(("z", "kev"), [(1, 1000.0), (6, 100.0), (6, 1000.0), (8, 10_000.0)])
def test_mott_of_light_elements(z: int, kev: float) -> None:
    """McKinley and Feshbach's second Born approximation (Phys. Rev. 74 (1948) 1759)."""
    table = load("electron_mott")
    (i,) = np.nonzero(table["energy_kev"] == kev)[0]
    mu = np.linspace(0.01, 1, 50)
    ours = 1 + sum(table["coefficient"][z - 1, i, j] * (2 * mu) ** ((j + 1) / 2) for j in range(5))
    gamma = 1 + kev / 510.99895
    beta = np.sqrt(1 - 1 / gamma**2)
    s = np.sqrt(mu)
    born = 1 - beta**2 * mu + np.pi * z / 137.036 * beta * s * (1 - s)
    np.testing.assert_allclose(ours, born, atol=0.15 * (z / 137.036) + 0.001)


@pytest.mark.parametrize(
    ("daughter_z", "mass_number", "endpoint_kev", "shape", "mean_kev"),
    [
        (40, 90, 2279.8, "unique first", 932.99),
        (39, 89, 1495.1, "unique first", 584.5),
        (72, 177, 498.3, "allowed", 149.35),
        (54, 131, 606.3, "allowed", 191.6),
        (16, 32, 1710.7, "allowed", 694.9),
    ],
)
def test_mean_beta_energies(
    daughter_z: int, mass_number: int, endpoint_kev: float, shape: str, mean_kev: float
) -> None:
    """ICRP Publication 107 (Lu-177, I-131: the main branch)."""
    branch = BetaBranch(endpoint_kev=endpoint_kev, shape=shape)  # type: ignore[arg-type]
    spectrum = beta_spectrum(branch, daughter_z=daughter_z, mass_number=mass_number)
    assert spectrum.mean_kev == pytest.approx(mean_kev, rel=0.002)


def test_beta_plus_is_harder_and_branches_add() -> None:
    branch = BetaBranch(endpoint_kev=633.5)
    minus = beta_spectrum(branch, daughter_z=8, mass_number=18)
    plus = beta_spectrum(branch, daughter_z=8, mass_number=18, positron=True)
    assert plus.mean_kev == pytest.approx(249.8, rel=0.003)  # ICRP 107, F-18
    assert minus.mean_kev < plus.mean_kev
    edges, number = beta_continuum(
        (
            BetaBranch(endpoint_kev=100.0, intensity_rel=0.3),
            BetaBranch(endpoint_kev=333.3, intensity_rel=0.7),
        ),
        daughter_z=54,
        mass_number=131,
    )
    assert number.sum() == pytest.approx(1.0)
    assert edges[-1] == 333.3


def test_bad_branches_are_refused() -> None:
    with pytest.raises(InputError, match="end point -1"):
        BetaBranch(endpoint_kev=-1.0)
    with pytest.raises(InputError, match="unknown shape"):
        BetaBranch(endpoint_kev=100.0, shape="second")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no beta decay"):
        beta_continuum((), daughter_z=8, mass_number=18)
