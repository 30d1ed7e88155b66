"""Alpha particles: ASTAR in water against ICRU 49, and its ranges against its own stopping powers."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.data import load
from omnidose.errors import InputError, RangeError
from omnidose.physics.alpha_stopping import (
    alpha_let_kev_um,
    alpha_materials,
    alpha_range_g_cm2,
    alpha_stopping_mev_cm2_g,
    mean_alpha_let_kev_um,
)


def test_values_between_the_nodes_of_astar() -> None:
    # ASTAR for liquid water: 5.5 MeV 826.9 MeV cm2/g and 4.344e-3 g/cm2
    assert alpha_stopping_mev_cm2_g(5500.0) == pytest.approx(826.9, rel=1e-3)
    assert alpha_range_g_cm2(5500.0) == pytest.approx(4.344e-3, rel=1e-3)
    assert alpha_let_kev_um(5500.0) == pytest.approx(82.69, rel=1e-3)
    assert mean_alpha_let_kev_um(5500.0) == pytest.approx(5500 / 43.44, rel=1e-3)


@pytest.mark.parametrize("material", alpha_materials())
def test_ranges_are_the_integral_of_one_over_stopping(material: str) -> None:
    table = load("decay_alpha_stopping")
    rows = table["material"] == material
    energy = table["energy_kev"][rows]
    stopping = 1000 * (table["electronic_mev_cm2_g"][rows] + table["nuclear_mev_cm2_g"][rows])
    fine = np.geomspace(1000.0, 8000.0, 500)
    inverse = 1 / np.exp(np.interp(np.log(fine), np.log(energy), np.log(stopping)))
    gained = np.sum(0.5 * (inverse[1:] + inverse[:-1]) * np.diff(fine))
    assert alpha_range_g_cm2(8000.0, material) - alpha_range_g_cm2(1000.0, material) == pytest.approx(
        gained, rel=2e-3
    )


def test_what_is_outside_is_refused() -> None:
    with pytest.raises(RangeError, match="outside"):
        alpha_range_g_cm2(20_000.0)
    with pytest.raises(InputError, match="cheese"):
        alpha_range_g_cm2(5000.0, "cheese")
