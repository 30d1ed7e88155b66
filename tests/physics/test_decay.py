"""Decay chains: against Bateman's sum in 80 digits, conservation, positivity, two steps as one."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from omnidose.errors import InputError
from omnidose.physics.decay import DecayNetwork, Move, Removal, Species, State, chain
from omnidose.physics.decay_exponential import exponential
from omnidose.physics.nuclides import Daughter, nuclide

LONG = ("Ac-225", "Ra-223", "Th-227", "Ra-226", "Mo-99", "Lu-177m", "At-211", "Pb-212", "Tb-149")


def species(name: str, half_life_s: float, *daughters: tuple[str, float]) -> Species:
    progeny = tuple(Daughter(name=n, branching_fraction=b, mode="beta-") for n, b in daughters)
    return Species(name=name, half_life_s=half_life_s, progeny=progeny)


def bateman(network: DecayNetwork, time_s: float) -> list[Decimal]:
    """Atoms of every state for one atom of the first: sums over all paths, constants distinct, 80 digits."""
    with localcontext() as context:
        context.prec = 80
        ln2 = Decimal(2).ln()
        if len(network.regions) != 1:
            raise ValueError("one region only")
        names = [item.name for item in network.species]
        rate = {item.name: ln2 / Decimal(item.half_life_s) for item in network.species}
        out = [Decimal(0)] * len(names)

        def follow(path: tuple[str, ...], weight: Decimal) -> None:
            last = path[-1]
            total = Decimal(0)
            for one in path:
                below = Decimal(1)
                for other in path:
                    if other != one:
                        below *= rate[other] - rate[one]
                total += (-rate[one] * Decimal(time_s)).exp() / below
            out[names.index(last)] += weight * total
            item = next(s for s in network.species if s.name == last)
            for daughter in item.progeny:
                if daughter.name in names:
                    follow((*path, daughter.name), weight * rate[last] * Decimal(daughter.branching_fraction))

        follow((names[0],), Decimal(1))
        return out


@pytest.mark.parametrize("parent", LONG)
@pytest.mark.parametrize("time_h", [1e-4, 1.0, 240.0, 24000.0])
def test_chains_agree_with_batemans_sum_in_80_digits(parent: str, time_h: float) -> None:
    network = chain(parent)
    start_atoms = 1e6 * network.species[0].half_life_s / math.log(2)
    ours = network.atoms(time_h)
    for mine, exact in zip(ours, bateman(network, time_h * 3600), strict=True):
        if float(exact) > 1e-290:
            assert mine == pytest.approx(float(exact) * start_atoms, rel=2e-12)


@pytest.mark.parametrize("parent", LONG)
def test_the_endless_integral_is_the_limit_of_the_finite_one(parent: str) -> None:
    network = chain(parent)
    longest_h = max(item.half_life_s for item in network.species) / 3600
    np.testing.assert_allclose(network.cumulated_mbq_h(60 * longest_h), network.cumulated_mbq_h(), rtol=1e-11)


def test_the_integral_is_the_decayed_number() -> None:
    # what went through Bi-213 in a day went into its daughters, or is still there
    network = chain("Ac-225")
    integral = network.cumulated_mbq_h(24.0) * 3600 * 1e6
    atoms = network.atoms(24.0)
    place = network.index("Bi-213")
    into = network.gain_per_s[place] / network.decay_per_s @ integral
    assert atoms[place] + integral[place] == pytest.approx(into, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    half_lives=st.lists(st.floats(1e-7, 1e11), min_size=2, max_size=7),
    near=st.floats(0.0, 1e-6),
    time_s=st.floats(1e-6, 1e11),
    data=st.data(),
)
def test_atoms_are_positive_and_conserved_for_any_half_lives(
    half_lives: list[float], near: float, time_s: float, data: st.DataObject
) -> None:
    # a pair of equal or nearly equal constants, and a stable end
    half_lives.insert(1, half_lives[0] * (1 + near))
    names = [f"X-{i}" for i in range(len(half_lives))]
    items = []
    for i, half_life in enumerate(half_lives):
        first = data.draw(st.floats(0.0, 1.0))
        below = names[i + 1 : i + 3] or ["end"]
        shares = [1.0] if len(below) == 1 else [first, 1 - first]
        items.append(species(names[i], half_life, *zip(below, shares, strict=True)))
    network = DecayNetwork(species=(*items, species("end", math.inf)))
    matrix = exponential(network.loss_per_s, network.gain_per_s, time_s)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(axis=0), 1.0, rtol=1e-12)
    half = exponential(network.loss_per_s, network.gain_per_s, time_s / 2)
    np.testing.assert_allclose(half @ half, matrix, rtol=1e-11, atol=1e-300)


@settings(max_examples=40, deadline=None)
@given(
    loss_percent=st.lists(st.integers(0, 300), min_size=3, max_size=3),
    gain=st.lists(st.floats(0.0, 3.0), min_size=3, max_size=3),
    time_s=st.floats(0.0, 3.0),
)
def test_tame_matrices_agree_with_scipy(loss_percent: list[int], gain: list[float], time_s: float) -> None:
    # losses on a grid: for two that differ by 1e-131 scipy's expm loses the entry between them
    loss = np.array(loss_percent) / 100
    below = np.array([[0, 0, 0], [gain[0], 0, 0], [gain[1], gain[2], 0]])
    np.testing.assert_allclose(
        exponential(loss, below, time_s),
        expm((below - np.diag(loss)) * time_s),
        rtol=1e-11,
        atol=1e-12,
    )


def test_equal_half_lives_give_t_times_the_exponential() -> None:
    network = DecayNetwork(species=(species("A", 3600.0, ("B", 1.0)), species("B", 3600.0)))
    activity = network.activity_mbq([0.0, 1.0, 2.0], {State(nuclide="A"): 1.0})
    np.testing.assert_allclose(activity[:, 1], [0.0, math.log(2) / 2, math.log(2) / 2], rtol=1e-13)


def test_constant_production_comes_to_saturation() -> None:
    network = chain("Mo-99", stop=["Tc-99"])
    mo = State(nuclide="Mo-99")
    activity = network.activity_mbq([0.0, 66.0, 5000.0], produced_per_s={mo: 1e6})
    assert activity[0].tolist() == [0.0, 0.0]
    rate = network.decay_per_s[0]
    assert activity[1, 0] == pytest.approx(1 - math.exp(-rate * 66 * 3600), rel=1e-12)
    assert activity[2] == pytest.approx([1.0, 0.8773], rel=1e-9)
    # the integral: production over 100 h is what decayed and what is left
    decayed = network.cumulated_mbq_h(100.0, produced_per_s={mo: 1e6})[0] * 3600e6
    left = network.atoms(100.0, produced_per_s={mo: 1e6})[0]
    assert decayed + left == pytest.approx(1e6 * 360000, rel=1e-12)
    with pytest.raises(InputError, match="never ends"):
        network.cumulated_mbq_h(produced_per_s={mo: 1.0})


def test_daughters_move_and_are_removed_as_told() -> None:
    """Bi-213 set free from the tumour goes to the kidneys, is cleared there, or leaves."""
    network = chain(
        "Ac-225",
        regions=("tumour", "kidneys"),
        removals=[Removal(nuclide="Bi-213", region="kidneys", half_life_h=1.0)],
        moves=[Move(daughter="Bi-213", region="tumour", shares={"tumour": 0.6, "kidneys": 0.3})],
    )
    stays = chain("Ac-225")
    tia, all_ = network.cumulated_mbq_h(), stays.cumulated_mbq_h()
    at = stays.index("Bi-213")
    assert tia[network.index("Bi-213", "tumour")] == pytest.approx(0.6 * all_[at], rel=1e-12)
    physical = nuclide("Bi-213").half_life_h
    kept = 0.3 * all_[at] / (1 + physical / 1.0)
    assert tia[network.index("Bi-213", "kidneys")] == pytest.approx(kept, rel=1e-12)
    # what decays in the kidneys stays there
    assert tia[network.index("Po-213", "kidneys")] == pytest.approx(
        kept * nuclide("Bi-213").progeny[0].branching_fraction, rel=1e-9
    )
    np.testing.assert_allclose(network.cumulated_mbq_h(1e5), tia, rtol=1e-11)


def test_removal_of_everything_shortens_every_half_life() -> None:
    network = chain("F-18", removals=[Removal(nuclide="*", region="whole", half_life_h=2.0)])
    physical = nuclide("F-18").half_life_h
    effective = 1 / (1 / physical + 1 / 2.0)
    assert network.activity_mbq(effective)[0] == pytest.approx(0.5, rel=1e-13)
    assert network.cumulated_mbq_h()[0] == pytest.approx(effective / math.log(2), rel=1e-13)


def test_parts_of_a_start_add_up() -> None:
    network = chain("Ra-223")
    both = network.atoms(30.0, {"223Ra": 2.0, "Pb-211": 3.0})
    apart = 2 * network.atoms(30.0, {"Ra-223": 1.0}) + 3 * network.atoms(30.0, {"Pb-211": 1.0})
    np.testing.assert_allclose(both, apart, rtol=1e-13)


def test_times_keep_their_shape() -> None:
    network = chain("Tc-99m")
    assert network.atoms(1.0).shape == (2,)
    assert network.atoms([[1.0, 2.0, 3.0]]).shape == (1, 3, 2)


def test_stop_leaves_a_nuclide_and_its_own_daughters_out() -> None:
    assert "Bi-207" in {s.nuclide for s in chain("At-211").states}
    assert {s.nuclide for s in chain("At-211", stop=["207Bi"]).states} == {"At-211", "Po-211"}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: chain("Ac-225", regions=("a", "a")), "none twice"),
        (lambda: chain("Ac-225", regions=()), "at least one"),
        (lambda: chain("F-18", moves=[Move(daughter="*", region="x", shares={})]), "no region 'x'"),
        (lambda: Move(daughter="*", region="a", shares={"a": 0.7, "b": 0.7}), "at most 1"),
        (lambda: Removal(nuclide="*", region="a", half_life_h=0.0), "biological half-life"),
        (lambda: chain("F-18").atoms(-1.0), "negative"),
        (lambda: chain("F-18").atoms(math.nan), "negative or no number"),
        (lambda: chain("F-18").atoms(1.0, {"Lu-177": 1.0}), "not in this network"),
        (lambda: chain("F-18").atoms(1.0, {"F-18": -1.0}), "finite number"),
        (
            lambda: chain("F-18", removals=[Removal(nuclide="Lu-177", region="whole", half_life_h=1.0)]),
            "not in this network",
        ),
        (lambda: Species(name="A", half_life_s=1.0, progeny=(_share("B", -0.5),)), "shares of -0.5"),
        (lambda: Species(name="A", half_life_s=1.0, progeny=(_share("B", 0.7),) * 2), "at most 1 together"),
        (lambda: Species(name="A", half_life_s=1.0, progeny=(_share("B", math.nan),)), "shares of nan"),
    ],
)
def test_what_cannot_be_is_refused(make, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=words):
        make()


def test_a_daughter_before_its_parent_is_refused() -> None:
    with pytest.raises(InputError, match="parents first"):
        DecayNetwork(species=(species("B", 1.0), species("A", 1.0, ("B", 1.0))))


def test_removals_and_moves_take_any_spelling() -> None:
    spelt = [
        chain(
            "225Ac",
            regions=("a", "b"),
            removals=[Removal(nuclide=name, region="b", half_life_h=2.0)],
            moves=[Move(daughter=name, region="a", shares={"b": 1.0})],
        ).cumulated_mbq_h()
        for name in ("Bi-213", "213Bi")
    ]
    np.testing.assert_array_equal(*spelt)


def _share(name: str, fraction: float) -> Daughter:
    return Daughter(name=name, branching_fraction=fraction, mode="")
