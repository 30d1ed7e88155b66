"""The catalogue: every nuclide that was promised, routes that balance, partners, generators, equilibrium."""

from __future__ import annotations

import math

import numpy as np
import pytest

from omnidose.data import load
from omnidose.errors import InputError
from omnidose.physics.decay import DecayNetwork, Species, chain
from omnidose.physics.decay_equilibrium import equilibria
from omnidose.physics.nuclides import Daughter, nuclide
from omnidose.physics.nuclides_catalogue import entries, entry, generators, reaction_product
from omnidose.physics.nuclides_names import atomic_number

PROMISED = "11C 13N 15O 18F 67Ga 82Rb 89Sr 123I 124I 125I 131I 131mXe 133Xe 177mLu 201Tl 211At 212Bi 226Ra"


def test_every_promised_nuclide_is_there() -> None:
    printed = set(load("nuclides_sinfonia")["nuclide"].tolist())
    wanted = printed | {nuclide(name).name for name in PROMISED.split(" ")}
    assert len(printed) == 33
    assert wanted <= {item.name for item in entries()}
    for item in entries():
        assert item.use
        assert item.routes
        assert item.source
        assert item.modality


def test_every_route_balances_or_is_called_doubtful() -> None:
    checked = 0
    for item in entries():
        for route in item.routes:
            made = reaction_product(route, item.name)
            if made is None:
                continue
            checked += 1
            doubtful = f"{route}:" in item.doubt
            assert (made == item.name) != doubtful, (item.name, route, made)
    assert checked > 60


@pytest.mark.parametrize(
    ("route", "wanted", "made"),
    [
        ("68Zn(p,n)", "Ga-68", "Ga-68"),
        ("67Zn(p,n)", "Y-86", "Ga-67"),
        ("209Bi(a,2n)", "Bi-213", "At-211"),
        ("235U(n,f)", "Ra-223", ""),
        ("235U(n,f)", "I-131", "I-131"),
        ("natBa(p,xn)", "La-135", "La-135"),
        ("natBa(p,xn)", "Ce-135", "La-135"),
        ("176Yb(n,g)177Yb", "Lu-177", "Lu-177"),
        ("175Yb(n,g)177Yb", "Lu-177", "Yb-176"),
        ("181Ta(p,spallation)", "Tb-149", None),
        ("155Dy decay", "Tb-155", None),
    ],
)
def test_reactions_are_balanced(route: str, wanted: str, made: str | None) -> None:
    assert reaction_product(route, wanted) == made


def test_unknown_particles_and_elements_are_refused() -> None:
    with pytest.raises(InputError, match="no reaction"):
        reaction_product("68Zn(z,n)", "Ga-68")
    with pytest.raises(InputError, match="no element"):
        atomic_number("Xx")


def test_partners_are_mutual() -> None:
    for item in entries():
        for partner in item.partners:
            other = entry(partner.name)
            assert other is not None
            assert item.name in {p.name for p in other.partners}
            assert partner.role in ("imaging", "therapy")


def test_what_has_no_use_has_no_entry() -> None:
    assert entry("Po-213") is None


def test_generators_grow_in() -> None:
    for item in generators():
        network = item.network()
        place = network.index(item.daughter)
        assert network.species[0].name == item.parent
        grown = network.activity_mbq(20 * nuclide(item.daughter).half_life_h)[place]
        assert grown > 0, item
    tc = next(g for g in generators() if g.daughter == "Tc-99m")
    assert [s.nuclide for s in tc.network().states] == ["Mo-99", "Tc-99m"]
    bi = next(g for g in generators() if g.daughter == "Bi-213")
    assert [s.nuclide for s in bi.network().states] == ["Ac-225", "Fr-221", "At-217", "Bi-213"]


def test_the_technetium_generator_is_best_after_a_day() -> None:
    """Closed forms of two nuclides: ln(l2/l1) / (l2 - l1), and the ratio br l2 / (l2 - l1)."""
    tc = equilibria(chain("Mo-99"))[0]
    l1 = nuclide("Mo-99").decay_constant_per_s * 3600
    l2 = nuclide("Tc-99m").decay_constant_per_s * 3600
    assert tc.kind == "transient"
    assert tc.highest_h == pytest.approx(math.log(l2 / l1) / (l2 - l1), rel=1e-5)
    assert tc.ratio == pytest.approx(0.8773 * l2 / (l2 - l1), rel=1e-9)
    assert tc.reached_h == pytest.approx(math.log(100) / (l2 - l1), rel=1e-5)


def test_kinds_of_equilibrium() -> None:
    kinds = {e.name: e.kind for e in equilibria(chain("Ac-225"))}
    assert kinds["Bi-213"] == kinds["Fr-221"] == "secular"
    assert kinds["Pb-209"] == "transient"
    at = {e.name: e for e in equilibria(chain("At-211"))}
    assert at["Bi-207"].kind == "none"
    assert math.isnan(at["Bi-207"].ratio)
    assert math.isinf(at["Bi-207"].reached_h)


def test_the_highest_activity_is_where_it_is_found() -> None:
    network = chain("Ra-226", stop=["Pb-210"])
    found = {e.name: e for e in equilibria(network)}
    time_h = found["Po-214"].highest_h
    near = network.activity_mbq(time_h * np.array([0.5, 1.0, 2.0]))[:, network.index("Po-214")]
    assert near[1] == near.max()
    assert time_h == pytest.approx(found["Bi-214"].highest_h, rel=1e-4)


def test_a_long_lived_side_branch_spoils_no_equilibrium() -> None:
    """Tl-206 comes from Bi-210 itself as well as from Po-210, which outlives it and has no equilibrium."""
    names = ("long", "short")
    steps = tuple(Daughter(name=name, branching_fraction=0.5, mode="") for name in names)
    network = DecayNetwork(
        species=(
            Species(name="A", half_life_s=3600.0, progeny=steps),
            Species(name="long", half_life_s=36000.0),
            Species(name="short", half_life_s=36.0),
        )
    )
    held, quick = equilibria(network)
    assert math.isnan(held.ratio)
    assert quick.ratio == pytest.approx(0.5 * 100 / 99, rel=1e-12)
    assert quick.kind == "transient"


def test_the_highest_activity_may_come_long_after_the_parent() -> None:
    """Po-218 (3 min) leaves Pb-210 (22 a); its Po-210 is highest after years, as that of pure Pb-210."""
    late = {e.name: e.highest_h for e in equilibria(chain("Po-218"))}
    pure = {e.name: e.highest_h for e in equilibria(chain("Pb-210"))}
    assert late["Po-210"] == pytest.approx(pure["Po-210"], rel=1e-3)


def test_equal_half_lives_have_no_equilibrium() -> None:
    step = Daughter(name="B", branching_fraction=1.0, mode="")
    network = DecayNetwork(
        species=(
            Species(name="A", half_life_s=3600.0, progeny=(step,)),
            Species(name="B", half_life_s=3600.0),
        )
    )
    (b,) = equilibria(network)
    assert b.kind == "none"
    assert b.highest_h == pytest.approx(1 / math.log(2), rel=1e-5)
