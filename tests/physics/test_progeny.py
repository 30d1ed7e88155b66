"""Progeny that decays with its parent, and progeny that comes later."""

from __future__ import annotations

import pytest

from omnidose.errors import InputError
from omnidose.physics.decay import chain
from omnidose.physics.nuclides import nuclide, nuclide_names
from omnidose.physics.progeny import (
    PROMPT_H,
    PROMPT_REL,
    alpha_kev,
    late_progeny,
    local_kev,
    prompt_progeny,
    together,
)


def test_daughters_of_seconds_decay_with_their_parent() -> None:
    assert prompt_progeny("F-18") == {}
    assert prompt_progeny("177Lu") == {}
    assert prompt_progeny("Zr-89") == pytest.approx({"Y-89m": 0.9987}, rel=1e-3)
    assert set(prompt_progeny("Ra-223")) >= {"Rn-219", "Po-215", "Pb-211", "Bi-211", "Tl-207"}


@pytest.mark.parametrize("name", ["Ra-223", "Ac-225", "At-211"])
def test_they_are_the_whole_chain_but_what_the_rule_calls_late(name: str) -> None:
    """Decays per decay are those of the network in equilibrium, and all energy is in one or the other."""
    network = chain(name)
    horizon_h = 10 * nuclide(name).half_life_h
    cumulated = network.cumulated_mbq_h(horizon_h)
    own = cumulated[network.index(name)]
    for daughter, number in prompt_progeny(name).items():
        assert cumulated[network.index(daughter)] / own == pytest.approx(number, rel=2e-3)
    missing = {d for d, _ in late_progeny(name).decays} & set(prompt_progeny(name))
    assert not missing
    assert not late_progeny(name).notable


def test_alpha_energy_of_chains() -> None:
    """Chains in equilibrium, alphas with recoils: shared notes, ICRP 107 (26.38 + 0.50, 27.48 + 0.51 MeV)."""
    for name, mev in (("Ra-223", 26.88), ("Ac-225", 27.99)):
        ours = sum(number * alpha_kev(item) for item, number in together(name)) / 1000
        assert ours == pytest.approx(mev, rel=0.005)


@pytest.mark.parametrize(
    ("name", "daughter"),
    [("Pb-212", "Bi-212"), ("Th-227", "Ra-223"), ("Mo-99", "Tc-99m"), ("Lu-177m", "Lu-177")],
)
def test_what_comes_later_is_named_with_its_energy(name: str, daughter: str) -> None:
    late = late_progeny(name)
    assert late.notable
    assert daughter in dict(late.decays)
    assert daughter in late.sentence
    assert daughter not in prompt_progeny(name)


def test_bismuth_carries_what_lead_does_not() -> None:
    late = late_progeny("Pb-212")
    heavy = sum(number * local_kev(nuclide(name)) for name, number in late.decays)
    assert late.local_fraction == pytest.approx(heavy / local_kev(nuclide("Pb-212")), rel=1e-9)
    assert late.local_fraction > 40


@pytest.mark.parametrize("name", ["Tc-99m", "I-131", "At-211", "Ac-225", "Y-90", "Sm-153", "Zr-89"])
def test_small_or_far_progeny_is_no_matter(name: str) -> None:
    assert not late_progeny(name).notable


def test_nothing_is_counted_twice_or_lost() -> None:
    for name in nuclide_names():
        parent = nuclide(name)
        for daughter in prompt_progeny(name):
            assert nuclide(daughter).half_life_h <= min(PROMPT_REL * parent.half_life_h, PROMPT_H)
        assert all(number > 0 for _, number in late_progeny(name).decays)


def test_an_unknown_nuclide() -> None:
    with pytest.raises(InputError):
        late_progeny("Xx-1")
