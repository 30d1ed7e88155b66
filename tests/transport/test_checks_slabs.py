"""The closed forms behind the checks of slabs and foils."""

from __future__ import annotations

import math

import numpy as np
import pytest

from omnidose.physics.material_library import material
from omnidose.physics.photons import mass_energy_transfer_cm2_g, mean_compton_electron_kev
from omnidose.transport.checks import slabs
from omnidose.validation import State


@pytest.mark.parametrize("energy_kev", [30.0, 511.0, 3000.0])
def test_klein_nishina_transfer_is_the_integral(energy_kev: float) -> None:
    cosine, weight = np.polynomial.legendre.leggauss(200)
    ratio = 1 / (1 + energy_kev / 510.99895 * (1 - cosine))
    density = weight * ratio**2 * (ratio + 1 / ratio - (1 - cosine**2))
    mean = energy_kev * float(np.sum(density * (1 - ratio)) / np.sum(density))
    assert math.isclose(slabs.klein_nishina_transfer_kev(energy_kev), mean, rel_tol=1e-9)


def test_hydrogen_is_nearly_free_electrons() -> None:
    bound = float(mean_compton_electron_kev(slabs.HYDROGEN, 500.0))
    assert math.isclose(bound, slabs.klein_nishina_transfer_kev(500.0), rel_tol=1e-3)


def test_a_collision_keeps_what_the_transfer_coefficient_says() -> None:
    """Where no line is softer than the cut-off, kept energy x attenuation is the transfer coefficient."""
    lead = material("lead")
    kept = float(slabs.kept_per_collision_kev(lead, 5000.0)) * slabs.attenuation_per_cm(lead, 5000.0)
    transfer = 5000.0 * float(mass_energy_transfer_cm2_g(lead, 5000.0)) * lead.density_g_cm3
    assert math.isclose(kept, transfer, rel_tol=1e-3)


def test_a_thin_foil_keeps_first_collisions_and_few_second_ones() -> None:
    water = material("water")
    for energy_kev in (30.0, 200.0):
        thickness_cm = 1e-4 / slabs.attenuation_per_cm(water, energy_kev)
        first = 1e-4 * float(slabs.kept_per_collision_kev(water, energy_kev))
        all_kev = slabs.foil_deposit_kev(water, energy_kev, thickness_cm)
        assert first < all_kev < 1.01 * first


def test_photons_along_the_foil_are_counted() -> None:
    """The share of isotropic photons that collide again, against its series for thin foils."""
    cosine, weight = slabs._cosines()
    assert math.isclose(weight.sum(), 2.0, rel_tol=1e-12)
    mfp = 0.004
    share = 0.5 * float(np.sum(weight * (1 + np.expm1(-mfp / np.abs(cosine)) * np.abs(cosine) / mfp)))
    # (1/2 - E3(0) + E3(t)) / t at small t, with Euler's constant
    series = mfp / 2 * (1.5 - 0.5772156649 - math.log(mfp)) + mfp**2 / 6
    assert math.isclose(share, series, rel_tol=1e-3)


def test_the_quick_slabs_pass() -> None:
    rows = [*slabs.check_transmission(1e5), *slabs.check_layers(1e5), *slabs.check_foils(2e5)]
    assert [row.name for row in rows if row.state is not State.PASSED] == []
    assert len(rows) == 6 + 2 + 11


def test_a_wrong_answer_fails() -> None:
    row = slabs._row("name", 1.01, 0.001, 1.0)
    assert row.state is State.FAILED
