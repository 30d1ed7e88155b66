"""The library of named materials."""

from __future__ import annotations

import pytest

from omnidose.data import load
from omnidose.errors import InputError
from omnidose.physics.material_library import material, material_names, material_source, weights_from_text


@pytest.mark.parametrize("name", material_names())
def test_every_row_is_a_material_with_a_source(name: str) -> None:
    item = material(name)
    assert sum(item.weight_fractions.values()) == pytest.approx(1)
    assert 0.001 < item.density_g_cm3 < 20
    assert len(material_source(name)) > 10
    row = next(r for r in load("materials").rows() if r["name"] == name)
    assert sum(weights_from_text(row["weights_percent"]).values()) == pytest.approx(1, abs=1e-3)
    assert row["verified"] in ("A", "B", "D")


def test_other_names_and_case() -> None:
    assert material("Al") == material("aluminum") == material(" Aluminium ")
    assert material("PMMA") is material("lucite")


def test_water_is_h2o() -> None:
    hydrogen = 2 * 1.00794 / (2 * 1.00794 + 15.9994)
    assert material("water").weight_fractions[1] == pytest.approx(hydrogen, rel=1e-3)


def test_names_are_unique() -> None:
    names = list(material_names())
    for row in load("materials").rows():
        names += [other for other in str(row["also"]).split(";") if other]
    assert len(names) == len(set(names))


def test_an_unknown_material_is_refused_with_the_list() -> None:
    with pytest.raises(InputError, match=r"'kryptonite'.*water.*Material"):
        material("kryptonite")
