"""Nuclides: names, half-lives that others get wrong, energies, no double counting."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.errors import DataError, InputError
from omnidose.physics.beta import BetaBranch
from omnidose.physics.nuclides import RADIATION_TYPES, nuclide, nuclide_names
from omnidose.physics.nuclides_names import SYMBOLS, parse, standard, standard_name
from omnidose.physics.nuclides_spectra import continuum, split_positrons


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Lu-177", "Lu-177"),
        ("177Lu", "Lu-177"),
        ("Lu177", "Lu-177"),
        ("lu 177", "Lu-177"),
        ("^177Lu", "Lu-177"),
        ("¹⁷⁷Lu", "Lu-177"),
        ("lutetium-177", "Lu-177"),
        ("177mLu", "Lu-177m"),
        ("Lu-177m", "Lu-177m"),
        ("Tc-99m", "Tc-99m"),
        ("99mTc", "Tc-99m"),
        ("99m-Tc", "Tc-99m"),
        ("99Mo", "Mo-99"),
        ("52Mn", "Mn-52"),
        ("52 mn", "Mn-52"),
        ("technetium 99m", "Tc-99m"),
        ("cesium-137", "Cs-137"),
        ("Hf-177m1", "Hf-177m"),
        ("Lu\u2013177", "Lu-177"),  # en dash
        ("Lu\u2011177", "Lu-177"),  # hyphen that does not break
        ("Tc\u221299m", "Tc-99m"),  # minus sign
        ("99Tcm", "Tc-99m"),
        ("113Inm", "In-113m"),
        ("153Sm", "Sm-153"),
        ("147Pm", "Pm-147"),
    ],
)
def test_every_spelling_is_understood(text: str, name: str) -> None:
    assert standard(text) == name


@given(st.integers(1, len(SYMBOLS)), st.integers(0, 100), st.sampled_from(["", "m"]))
def test_names_come_back(z: int, neutrons: int, isomer: str) -> None:
    a = min(z + neutrons, 3 * z + 3)
    text = standard_name(z, a, isomer)
    assert parse(text) == (z, a, isomer)
    assert parse(f"{a}{isomer}{SYMBOLS[z - 1]}") == (z, a, isomer)


@pytest.mark.parametrize("text", ["", "Lu", "177", "Xx-177", "Lu-17", "Lu-999", "Lu-177x", "H-0"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no name of a nuclide"):
        parse(text)


def test_a_nuclide_that_is_missing_names_near_ones() -> None:
    with pytest.raises(InputError, match=r"Lu-177, Lu-177m"):
        nuclide("Lu-176")


@pytest.mark.parametrize(
    ("name", "half_life_s"),
    [
        ("Tc-99m", 6.0072 * 3600),
        ("Lu-177", 6.647 * 86400),
        ("Re-186", 3.7183 * 86400),
        ("F-18", 109.73 * 60),
        ("I-131", 8.0233 * 86400),
        ("Y-90", 64.0 * 3600),
        ("Ra-226", 1600 * 365.2422 * 86400),
    ],
)
def test_half_lives_are_pinned(name: str, half_life_s: float) -> None:
    item = nuclide(name)
    assert item.half_life_s == pytest.approx(half_life_s, rel=1e-4)
    assert item.decay_constant_per_s * item.half_life_s == pytest.approx(math.log(2))


def test_the_library_is_sound() -> None:
    names = nuclide_names()
    assert len(names) == len(set(names)) == 95
    for name in names:
        item = nuclide(name)
        assert item.name == name == standard_name(item.z, item.a, item.isomer)
        assert math.fsum(d.branching_fraction for d in item.progeny) == pytest.approx(1.0, abs=1e-9)
        for lines in (item.gamma_lines, item.x_lines, item.electron_lines, item.alpha_lines):
            assert np.all(np.diff(lines.energy_kev) >= 0)
            assert np.all(lines.per_decay > 0)
            assert np.all(lines.energy_kev > 0)
        shares = {
            mode: sum(d.branching_fraction for d in item.progeny if d.mode == mode)
            for mode in ("beta-", "alpha")
        }
        assert item.beta_spectrum.number_per_decay == pytest.approx(shares["beta-"], abs=1e-9)
        if shares["alpha"] > 1e-8:  # Pm-145's 2.8e-9 has no line
            assert item.alpha_lines.number_per_decay == pytest.approx(shares["alpha"], rel=1e-6)
        # two photons per positron: nothing is said twice, nothing is lost
        assert item.annihilation_lines.number_per_decay == pytest.approx(
            2 * item.positron_spectrum.number_per_decay, rel=1e-5
        )
        assert set(item.energy_per_decay_kev) == set(RADIATION_TYPES)


def test_no_daughter_sends_more_than_there_is_energy_for() -> None:
    # decay energies (AME2020, keV) of ground state to ground state, progeny in equilibrium included
    for name, parts, q_kev in (
        ("Lu-177", ("Lu-177",), 496.8),
        ("Zr-89", ("Zr-89", "Y-89m"), 2833.0),
        ("I-131", ("I-131",), 970.8),
        ("Y-90", ("Y-90",), 2280.0),
        ("At-211", ("At-211",), 5982.0),
        ("Po-212", ("Po-212",), 8954.2),
        ("Ra-223", ("Ra-223",), 5979.0),
    ):
        total = sum(sum(nuclide(part).energy_per_decay_kev.values()) for part in parts)
        assert total < 1.003 * q_kev, name


def test_alphas_carry_their_own_energy_and_recoil_the_rest() -> None:
    item = nuclide("Po-212")
    assert item.alpha_lines.energy_kev == pytest.approx([8785.06])
    assert item.energy_per_decay_kev["recoil"] == pytest.approx(8785.06 * 4 / 208)
    assert sum(item.energy_per_decay_kev.values()) == pytest.approx(8954.2, rel=1e-3)


def test_isomers_are_daughters_and_not_counted_twice() -> None:
    zr = nuclide("Zr-89")
    assert not np.any(np.abs(zr.gamma_lines.energy_kev - 909) < 1)
    assert {d.name for d in zr.progeny} == {"Y-89m", "Y-89"}
    prompt = nuclide("Mo-99").gamma_lines
    line = prompt.per_decay[np.abs(prompt.energy_kev - 140.5) < 0.2]
    assert line.sum() < 0.06  # past the isomer; with Tc-99m it would be 0.82
    assert {d.name for d in nuclide("Lu-177m").progeny} == {"Hf-177m", "Lu-177"}


def test_captures_and_positrons_are_told_apart() -> None:
    # I. positron branches of I-124 by ENSDF: 11.7 and 10.7 per 100 decays
    spectrum = nuclide("I-124").positron_spectrum
    assert spectrum.max_kev == pytest.approx(2138, abs=1.5)
    assert spectrum.number_per_decay == pytest.approx(0.228, abs=1e-3)
    q = [1680.5, 2556.8, 3159.5]
    each = split_positrons(
        q, [0.0583, 0.368, 0.349], [False, False, True], 0.228, daughter_z=52, mass_number=124
    )
    assert each.sum() == pytest.approx(0.228)
    assert each[1:] == pytest.approx([0.117, 0.107], rel=0.03)


def test_a_split_without_enough_transitions_is_refused() -> None:
    with pytest.raises(DataError, match="positrons per decay"):
        split_positrons([1200.0, 900.0], [0.2, 0.8], [False, False], 0.3, daughter_z=30, mass_number=68)
    assert split_positrons([900.0], [1.0], [False], 0.0, daughter_z=30, mass_number=68).tolist() == [0.0]


@pytest.mark.parametrize(
    ("name", "mean_kev"), [("Y-90", 930.7), ("Lu-177", 134.2), ("F-18", 249.8), ("P-32", 692.9)]
)
def test_spectra_have_the_evaluated_mean(name: str, mean_kev: float) -> None:
    item = nuclide(name)
    spectrum = item.beta_spectrum or item.positron_spectrum
    assert spectrum.mean_kev == pytest.approx(mean_kev, rel=1e-3)
    assert np.all(spectrum.per_decay >= 0)


def test_the_decay_energy_of_cu_67_is_todays() -> None:
    """ICRP 107 rests on nearly the same decay energy, 561.7 keV, and has a mean of 135.9 keV."""
    item = nuclide("Cu-67")
    assert item.beta_spectrum.max_kev == pytest.approx(560.8)
    assert item.beta_spectrum.mean_kev == pytest.approx(135.9, rel=0.01)


def test_shapes_need_hardly_any_help() -> None:
    """Without the evaluated mean the shapes themselves are right to 1 % for the nuclides of therapy."""
    for name, endpoint_kev, shape, z, a in (
        ("Y-90", 2279.8, "unique first", 40, 90),
        ("Sr-89", 1495.1, "unique first", 39, 89),
        ("P-32", 1710.7, "allowed", 16, 32),
    ):
        branch = BetaBranch(endpoint_kev=endpoint_kev, shape=shape)  # type: ignore[arg-type]
        free = continuum([branch], daughter_z=z, mass_number=a, mean_kev=0.0)
        assert free.mean_kev == pytest.approx(nuclide(name).beta_spectrum.mean_kev, rel=0.01)


def test_an_impossible_mean_is_refused() -> None:
    with pytest.raises(DataError, match="has the mean"):
        continuum([BetaBranch(endpoint_kev=100.0)], daughter_z=40, mass_number=90, mean_kev=150.0)


def test_records_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        nuclide("Lu-177").gamma_lines.per_decay[0] = 0.0
