"""Decay chains solved by hand: a milked generator, equal half-lives, atoms that are all somewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator

from omnidose.physics.decay import DecayNetwork, Move, Removal, Species, State, chain
from omnidose.physics.nuclides import Daughter, nuclide
from omnidose.validation import Row, within


def closed_chains() -> Iterator[Row]:
    """Cases with a solution by hand: a milked generator, equal half-lives, atoms that are all somewhere."""
    yield within(
        "Tc-99m 24 h after 85 % of it were milked from a generator a day old",
        _milked_mbq(left=0.15, day_h=24.0),
        _milked_by_hand_mbq(left=0.15, day_h=24.0),
        unit="MBq per MBq of Mo-99 at first",
        source="Bateman's solution for two nuclides",
        tolerance_rel=1e-9,
    )
    same = DecayNetwork(
        species=tuple(
            Species(name=n, half_life_s=3600.0, progeny=(Daughter(name=d, branching_fraction=1.0, mode=""),))
            for n, d in (("Ac-225", "Fr-221"), ("Fr-221", "At-217"), ("At-217", "Bi-213"))
        )
    )
    elapsed = 5.0 * math.log(2)
    yield within(
        "third of three nuclides of one half-life, after five of them",
        float(same.activity_mbq(5.0)[-1]),
        elapsed**2 / 2 * math.exp(-elapsed),
        unit="MBq per MBq of the first",
        source="(lambda t)^2 / 2 exp(-lambda t)",
        tolerance_rel=1e-12,
    )
    counted, start = _atoms_of_bismuth()
    yield within(
        "Ac-225 in three regions with moves and removals: atoms that decayed as Bi-213, or left before",
        counted,
        start,
        unit="atoms",
        source="atoms of Ac-225 at the start",
        tolerance_rel=1e-12,
    )


def _milked_mbq(*, left: float, day_h: float) -> float:
    network = chain("Mo-99", stop=["Tc-99"])
    before = network.activity_mbq(day_h)
    return float(network.activity_mbq(day_h, {"Mo-99": before[0], "Tc-99m": left * before[1]})[1])


def _milked_by_hand_mbq(*, left: float, day_h: float) -> float:
    parent, daughter = nuclide("Mo-99"), nuclide("Tc-99m")
    share = next(d.branching_fraction for d in parent.progeny if d.name == "Tc-99m")
    slow, fast = (math.exp(-math.log(2) * day_h / n.half_life_h) for n in (parent, daughter))
    grown = share * parent.half_life_h / (parent.half_life_h - daughter.half_life_h) * (slow - fast)
    return slow * grown + left * grown * fast


def _atoms_of_bismuth() -> tuple[float, float]:
    """Count what becomes of Ac-225 up to Bi-213: decays of the latter, and all losses on the way."""
    regions = ("tumour", "blood", "kidneys")
    network = chain(
        "Ac-225",
        regions=regions,
        stop=["Po-213", "Tl-209"],
        removals=[
            Removal(nuclide="*", region="blood", half_life_h=0.4),
            Removal(nuclide="Ac-225", region="tumour", half_life_h=300.0),
            Removal(nuclide="Bi-213", region="kidneys", half_life_h=6.0),
        ],
        moves=[
            Move(daughter="*", region="tumour", shares={"tumour": 0.7, "blood": 0.25}),
            Move(daughter="Bi-213", region="blood", shares={"kidneys": 0.8, "blood": 0.2}),
        ],
    )
    begin = {State(nuclide="Ac-225", region="tumour"): 1.0, State(nuclide="Ac-225", region="blood"): 3.0}
    decays = network.cumulated_mbq_h(start_mbq=begin) * 3.6e9
    removed = decays / network.decay_per_s * (network.loss_per_s - network.decay_per_s)
    place = {(s.nuclide, s.region): i for i, s in enumerate(network.states)}
    # of the daughters of what decays in the tumour 5 % leave at once, three times on the way to Bi-213
    lost = 0.05 * sum(decays[place[n, "tumour"]] for n in ("Ac-225", "Fr-221"))
    into_bismuth = next(d.branching_fraction for d in nuclide("At-217").progeny if d.name == "Bi-213")
    at_decays = sum(decays[place["At-217", r]] for r in regions)
    lost += (1 - into_bismuth) * at_decays + 0.05 * into_bismuth * decays[place["At-217", "tumour"]]
    ended = sum(decays[place["Bi-213", r]] for r in regions)
    start = float(network.atoms(0.0, begin).sum())
    return float(ended + lost + removed.sum()), start
