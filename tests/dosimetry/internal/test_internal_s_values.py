"""Electrons and alpha particles, S values, organ doses and effective dose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.dosimetry.internal import bone
from omnidose.dosimetry.internal.bone import BONE_SOURCES, GEOMETRY_STD_REL, bone_fractions
from omnidose.dosimetry.internal.charged import (
    SMALL_INTESTINE_WALL_SHARE,
    all_targets,
    charged_saf_per_kg,
)
from omnidose.dosimetry.internal.doses import (
    ICRP60_WEIGHTS,
    effective_dose_icrp60_msv,
    effective_dose_of_activity,
    organ_doses_of_activity,
)
from omnidose.dosimetry.internal.fractions import adult
from omnidose.dosimetry.internal.marrow import (
    BLOOD_G_CM3,
    marrow_hours_from_blood,
    marrow_hours_from_image,
    own_fraction,
    plasma_ratio,
)
from omnidose.dosimetry.internal.s_values import MGY_PER_MBQ_H, decays_in_place, s_values
from omnidose.errors import InputError, RangeError
from omnidose.physics.nuclides import nuclide
from omnidose.transport.dose_kernels.bone import Particle, Place, TrabecularBone, absorbed_fractions

MAN = adult("adult-male")
TARGETS = all_targets(MAN)


def charged(source: str, target: str, **how: object) -> float:
    """Return one SAF of the man."""
    return float(charged_saf_per_kg(MAN, source, **how)[TARGETS.index(target)])  # type: ignore[arg-type]


def mass_kg(key: str) -> float:
    """Return the mass of a region of the man."""
    return float(MAN.source_mass_g[MAN.source(key)]) / 1000


def test_electrons_stay_in_the_organ() -> None:
    assert charged("liver", "liver") == pytest.approx(1 / mass_kg("liver"))
    assert charged("liver", "kidneys") == 0
    assert charged("liver", "total-body") == pytest.approx(1 / mass_kg("total-body"))


@pytest.mark.parametrize("wall", ["bladder", "stomach", "heart", "colon", "gall-bladder"])
def test_walls_get_half_of_their_contents(wall: str) -> None:
    contents = f"{wall}-contents"
    assert charged(contents, wall) == pytest.approx(0.5 / mass_kg(contents))
    assert charged(contents, wall, particle="alpha") == 0
    assert charged(contents, contents) == pytest.approx(1 / mass_kg(contents))


def test_small_intestine_drawn_with_its_contents() -> None:
    whole = mass_kg("small-intestine")
    assert charged("small-intestine", "small-intestine") == pytest.approx(
        1 / (whole * SMALL_INTESTINE_WALL_SHARE)
    )
    assert charged("small-intestine-contents", "small-intestine") == pytest.approx(
        0.5 / (whole * (1 - SMALL_INTESTINE_WALL_SHARE))
    )


def test_marrow_keeps_less_of_what_flies_further() -> None:
    for particle, energy_kev, least, most in (
        ("electron", 0.0, 1.0, 1.0),
        ("electron", 200.0, 0.45, 0.58),
        ("alpha", 0.0, 1.0, 1.0),
        ("alpha", 6000.0, 0.65, 0.75),
    ):
        own = charged("red-marrow", "red-marrow", particle=particle, energy_kev=energy_kev)
        assert least <= own * mass_kg("red-marrow") * (1 + 1e-9) <= most + 1e-6


def test_bone_leaves_shares_over_masses() -> None:
    endosteum_kg = float(MAN.target_mass_g[MAN.target("endosteum")]) / 1000
    for source in BONE_SOURCES:
        for particle, energy_kev in (("electron", 20.0), ("electron", 600.0), ("alpha", 6000.0)):
            red, endosteum = bone_fractions(source, particle, energy_kev, "M")
            how = {"particle": particle, "energy_kev": energy_kev}
            assert charged(source, "red-marrow", **how) == pytest.approx(red / mass_kg("red-marrow"))
            assert charged(source, "endosteum", **how) == pytest.approx(endosteum / endosteum_kg)
            assert charged(source, "skeleton", **how) == pytest.approx(1 / mass_kg("skeleton"))
            assert charged(source, "liver", **how) == 0
    assert charged("skeleton", "red-marrow") == pytest.approx(1 / mass_kg("skeleton"))


@pytest.mark.parametrize("place", [("trabecular-bone", "bone"), ("trabecular-bone-surface", "surface")])
@pytest.mark.parametrize(
    ("particle", "energy_kev"), [("electron", 85.0), ("electron", 1250.0), ("alpha", 6550.0)]
)
def test_packaged_bone_is_the_kernel_between_its_energies(
    place: tuple[str, Place], particle: Particle, energy_kev: float
) -> None:
    source, where = place
    direct = absorbed_fractions(particle, energy_kev, where)
    red, endosteum = bone_fractions(source, particle, energy_kev, "M")
    assert endosteum == pytest.approx(direct.endosteum_fraction, abs=0.002)
    _low, endosteum_low = bone_fractions(source, particle, 0.0, "M")
    assert endosteum_low == pytest.approx(0.52 if where == "surface" else 0.0, abs=0.025)
    # red marrow: by cellularity (0.25 to 0.7), in three fifths of the bone
    assert 0.25 < red / direct.marrow_fraction < 0.35


def test_shape_of_bone_is_a_component() -> None:
    doses = organ_doses_of_activity(MAN, {"trabecular-bone-surface": 1.0, "liver": 1.0}, "Ra-223")
    (component,) = doses.components
    assert component.key == "bone-geometry"
    by_organ = dict(zip(doses.organs, component.std_rel, strict=True))
    assert by_organ["endosteum"] == pytest.approx(GEOMETRY_STD_REL, rel=0.01)
    assert 0.9 * GEOMETRY_STD_REL < by_organ["red-marrow"] < GEOMETRY_STD_REL
    assert by_organ["liver"] == 0
    assert organ_doses_of_activity(MAN, {"liver": 1.0}, "Ra-223").components == ()


def test_compact_bone_reaches_medullary_cavities_alone() -> None:
    red, endosteum = bone_fractions("cortical-bone-surface", "alpha", 6000.0, "M")
    assert red == 0
    assert 0.005 < endosteum < 0.02  # one fiftieth of the surface, half of the energy
    assert bone_fractions("cortical-bone", "alpha", 6000.0, "F")[1] < 0.001
    # the chord that scales the packaged table is the one that it was made with
    assert TrabecularBone().bone_chord_mm == bone._BONE_CHORD_MM


def test_bone_refuses_what_it_does_not_have() -> None:
    with pytest.raises(InputError, match="'teeth' is no source in bone"):
        bone_fractions("teeth", "alpha", 6000.0, "M")
    with pytest.raises(RangeError, match="alpha of 11000 keV"):
        bone_fractions("trabecular-bone", "alpha", 11_000.0, "M")
    with pytest.raises(InputError, match="no share of marrow for 'proton'"):
        own_fraction(1.0, "M", particle="proton")


def test_radium_on_bone_gives_alphas_to_marrow_and_endosteum() -> None:
    table = s_values(MAN, "Ra-223", ["trabecular-bone-surface", "red-marrow"])
    alpha = table.s_mgy_per_mbq_h[:, :, 2]
    endosteum, marrow = TARGETS.index("endosteum"), TARGETS.index("red-marrow")
    emitted = 26_900.0 * MGY_PER_MBQ_H  # keV per decay of Ra-223 with its progeny, alphas and recoils
    endosteum_kg = float(MAN.target_mass_g[MAN.target("endosteum")]) / 1000
    assert alpha[0, endosteum] * endosteum_kg / emitted == pytest.approx(0.522, abs=0.01)
    assert alpha[0, marrow] * mass_kg("red-marrow") / emitted == pytest.approx(0.531 * 0.293, abs=0.01)
    assert 0.6 < alpha[1, marrow] * mass_kg("red-marrow") / emitted < 0.75


@given(st.floats(0.0, 4000.0), st.floats(0.0, 4000.0))
def test_fast_electrons_leave_more_to_the_fat(one_kev: float, other_kev: float) -> None:
    slow, fast = own_fraction(np.sort([one_kev, other_kev]), "F")
    assert 1 >= slow >= fast - 1e-9 >= 0.4


def test_marrow_from_blood_does_not_hang_on_its_mass() -> None:
    """The dose to itself by hand: concentration times energy that stays; the same with half the mass."""
    whole_g = 1000 * mass_kg("red-marrow")
    for name in ("Lu-177", "Ac-225"):
        doses = []
        for marrow_g in (whole_g, whole_g / 2):
            hours = marrow_hours_from_blood(0.002, 0.5, marrow_g)
            masses = {"red-marrow": marrow_g}
            table = s_values(MAN, name, ["red-marrow"], masses_g=masses)
            charged_mgy = table.s_mgy_per_mbq_h[0, TARGETS.index("red-marrow"), 1:].sum()
            doses.append(hours * charged_mgy)
        assert doses[0] == pytest.approx(doses[1])
        emitted = sum(
            n * (nuclide(k).electron_energy_per_decay_kev + nuclide(k).energy_per_decay_kev["alpha"])
            for k, n in decays_in_place(name).items()
        )
        local = 0.002 * 0.5 / BLOOD_G_CM3 * 1000 * emitted * MGY_PER_MBQ_H
        assert 0.5 < doses[0] / local < 0.8
    assert plasma_ratio(0.47) == pytest.approx(0.36, abs=0.002)
    with pytest.raises(InputError, match="haematocrit of 45"):
        plasma_ratio(45.0)
    with pytest.raises(InputError, match="above 0"):
        marrow_hours_from_blood(0.002, 0.0, whole_g)


def test_marrow_from_bones_in_an_image() -> None:
    assert marrow_hours_from_image({"lumbar-spine": 0.123}, "M") == pytest.approx(1.0, rel=0.001)
    both = marrow_hours_from_image({"lumbar-spine": 0.123, "sacrum": 0.099}, "M")
    assert both == pytest.approx(1.0, rel=0.002)
    with pytest.raises(InputError, match="no red marrow in 'foot-bones'"):
        marrow_hours_from_image({"foot-bones": 1.0}, "M")
    with pytest.raises(InputError, match="no bone"):
        marrow_hours_from_image({}, "F")


def test_marrow_of_iodine_125_and_yttrium_90() -> None:
    """The share of the whole spectrum lies between those of its ends."""
    t = TARGETS.index("red-marrow")
    for name, least, most in (("I-125", 0.8, 1.0), ("Y-90", 0.42, 0.5)):
        table = s_values(MAN, {name: 1.0}, ["red-marrow"])
        full = nuclide(name).electron_energy_per_decay_kev * MGY_PER_MBQ_H / mass_kg("red-marrow")
        assert least < table.s_mgy_per_mbq_h[0, t, 1] / full < most


def test_urine_in_the_kidneys_leaves_their_tissue_in_the_remainder() -> None:
    hours = {"kidneys-urine": 0.1, "remainder": 2.0}
    rest = organ_doses_of_activity(MAN, {"remainder": 2.0}, "F-18").dose_of("kidneys")
    urine = organ_doses_of_activity(MAN, {"kidneys": 0.1}, "F-18").dose_of("kidneys")
    assert organ_doses_of_activity(MAN, hours, "F-18").dose_of("kidneys") == pytest.approx(rest + urine)
    half = s_values(MAN, "F-18", ["kidneys-urine"], masses_g={"kidneys": 500 * mass_kg("kidneys")})
    whole = s_values(MAN, "F-18", ["kidneys-urine"])
    t = TARGETS.index("kidneys")
    assert half.s_mgy_per_mbq_h[0, t, 1] == pytest.approx(2 * whole.s_mgy_per_mbq_h[0, t, 1])


def test_soft_tissue_stands_for_muscle_and_holds_the_skin() -> None:
    for target in ("muscle", "skin", "soft-tissue"):
        assert charged("soft-tissue", target) == pytest.approx(1 / mass_kg("soft-tissue"))


def test_unknown_particle() -> None:
    with pytest.raises(InputError, match="'proton'"):
        charged("liver", "liver", particle="proton")


@pytest.mark.parametrize("named", [["liver"], ["liver", "kidneys", "bladder-contents"], ["red-marrow"]])
def test_remainder_gives_nothing_to_what_is_named(named: list[str]) -> None:
    table = s_values(MAN, {"Y-90": 1.0}, [*named, "remainder"])
    electrons = table.s_mgy_per_mbq_h[-1, :, 1]
    for key in named:
        assert electrons[TARGETS.index(key)] == 0
    assert electrons[TARGETS.index("spleen")] > 0
    assert electrons[TARGETS.index("stomach-contents")] == 0


def test_energy_of_the_remainder_is_all_there() -> None:
    """Sum over tissues of dose x mass is the energy of the electrons: nothing lost, nothing twice."""
    named = ["liver", "brain", "bladder-contents"]
    table = s_values(MAN, {"Y-90": 1.0}, [*named, "remainder"])
    dose = table.s_mgy_per_mbq_h[-1, :, 1]
    energy = sum(dose[TARGETS.index(k)] * MAN.target_mass_g[TARGETS.index(k)] / 1000 for k in MAN.tissues)
    emitted = nuclide("Y-90").electron_energy_per_decay_kev * MGY_PER_MBQ_H
    assert energy == pytest.approx(emitted, rel=1e-6)


def test_remainder_photons_are_the_body_less_the_named() -> None:
    """The classic subtraction from the whole body, here as the check of the sum over tissues."""
    named = ["liver", "lungs"]
    rest, error, mass_g = MAN.remainder(named)
    contents = [k for k, kind in zip(MAN.sources, MAN.kinds, strict=True) if kind == "contents"]
    whole = MAN.source("total-body")
    less = MAN.source_mass_g[whole] * MAN.saf_per_kg[whole]
    for key in [*named, *contents]:
        less = less - MAN.source_mass_g[MAN.source(key)] * MAN.saf_per_kg[MAN.source(key)]
    t = MAN.target("spleen")
    high = MAN.energies_kev >= 100
    np.testing.assert_allclose(rest[high, t], less[high, t] / mass_g, rtol=0.05)
    assert np.all(error[high, t] < 0.02)


def test_whole_body_beside_its_parts_is_refused() -> None:
    with pytest.raises(InputError, match="would count twice"):
        s_values(MAN, "F-18", ["total-body", "liver"])
    with pytest.raises(InputError, match="named twice"):
        s_values(MAN, "F-18", ["muscle", "soft-tissue"])
    with pytest.raises(InputError, match="cortical and trabecular"):
        s_values(MAN, "F-18", ["skeleton", "cortical-bone"])


def test_progeny_decay_in_place() -> None:
    actinium = decays_in_place("Ac-225")
    assert actinium["Fr-221"] == pytest.approx(1.0, rel=1e-6)
    assert actinium["Tl-209"] == pytest.approx(0.0209, rel=0.05)
    assert "Bi-207" not in decays_in_place("At-211")
    assert list(decays_in_place("Tc-99m")) == ["Tc-99m"]


def test_alpha_chain_in_the_kidneys() -> None:
    table = s_values(MAN, "Ac-225", ["kidneys"])
    alpha = table.s_mgy_per_mbq_h[0, TARGETS.index("kidneys"), 2]
    assert alpha == pytest.approx(27.98e3 * MGY_PER_MBQ_H / mass_kg("kidneys"), rel=0.02)


@given(st.floats(50.0, 800.0))
def test_mass_scaling(mass_g: float) -> None:
    plain = s_values(MAN, {"Lu-177": 1.0}, ["kidneys", "liver"])
    own = s_values(MAN, {"Lu-177": 1.0}, ["kidneys", "liver"], masses_g={"kidneys": mass_g})
    ratio = 1000 * mass_kg("kidneys") / mass_g
    t = TARGETS.index("kidneys")
    before, after = plain.s_mgy_per_mbq_h, own.s_mgy_per_mbq_h
    assert after[0, t, 1] == pytest.approx(before[0, t, 1] * ratio)
    assert after[0, t, 0] == pytest.approx(before[0, t, 0] * ratio ** (2 / 3))
    np.testing.assert_allclose(after[1], before[1])
    assert own.target_mass_g[t] == pytest.approx(mass_g)


def test_wrong_masses_decays_and_keys() -> None:
    with pytest.raises(InputError, match="a mass of 0"):
        s_values(MAN, "F-18", ["liver"], masses_g={"liver": 0.0})
    with pytest.raises(InputError, match="-1 decays"):
        s_values(MAN, {"F-18": -1}, ["liver"])
    with pytest.raises(InputError, match="no S value of 'tail'"):
        s_values(MAN, "F-18", ["liver"]).of("tail", "liver")


def test_doses_add_over_sources_and_activity() -> None:
    both = organ_doses_of_activity(MAN, {"liver": 2.0, "kidneys": 1.0}, "Lu-177")
    table = s_values(MAN, "Lu-177", ["liver", "kidneys"])
    expected = 2 * table.of("spleen", "liver") + table.of("spleen", "kidneys")
    assert both.dose_of("spleen") == pytest.approx(expected)
    assert both.relative_to == "MBq"
    absolute = organ_doses_of_activity(
        MAN, {"liver": 2.0, "kidneys": 1.0}, "Lu-177", activity_mbq=7400.0, mass_std_rel={"kidneys": 0.1}
    )
    assert absolute.dose_of("spleen") == pytest.approx(7400 * expected)
    t = absolute.organs.index("kidneys")
    assert absolute.systematic_std_mgy[t] == pytest.approx(0.1 * absolute.total_mgy[t], rel=0.02)
    assert absolute.systematic_std_mgy[absolute.organs.index("spleen")] == 0
    assert 0 < absolute.statistical_std_mgy[t] < 0.01 * absolute.total_mgy[t]


def test_progeny_that_move() -> None:
    """Bi-213 of Ac-225 in the kidneys while the parent is in the liver."""
    doses = organ_doses_of_activity(
        MAN,
        {},
        by_nuclide_h={"Ac-225": {"liver": 10.0}, "Bi-213": {"kidneys": 1.0}, "Po-213": {"kidneys": 0.98}},
    )
    assert doses.dose_mgy[doses.organs.index("kidneys"), 2] > 0
    assert doses.dose_mgy[doses.organs.index("liver"), 2] > 0
    assert doses.dose_mgy[doses.organs.index("spleen"), 2] == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"coefficients_h": {"liver": -1.0}, "nuclide": "F-18"}, "coefficient of -1"),
        ({"coefficients_h": {}, "nuclide": "F-18"}, "give coefficients"),
        ({"coefficients_h": {"liver": 1.0}, "nuclide": "F-18", "activity_mbq": 0.0}, "activity of 0"),
        ({"coefficients_h": {"liver": 1.0}, "nuclide": "F-18", "mass_std_rel": {"tail": 0.1}}, "'tail'"),
        ({"coefficients_h": {"liver": 1.0}, "nuclide": "F-18", "mass_std_rel": {"liver": -1}}, "-1"),
    ],
)
def test_bad_input(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        organ_doses_of_activity(MAN, **given)  # type: ignore[arg-type]


def test_effective_dose_only_for_diagnostics() -> None:
    hours = {"liver": 0.13, "remainder": 1.7}
    man = organ_doses_of_activity(MAN, hours, "F-18")
    woman = organ_doses_of_activity(adult("adult-female"), hours, "F-18")
    dose = effective_dose_of_activity(man, woman, purpose="diagnostic")
    assert 0.005 < float(dose.value.value) < 0.02
    for purpose in ("therapy", "fun"):
        with pytest.raises(InputError):
            effective_dose_of_activity(man, woman, purpose=purpose)
        with pytest.raises(InputError):
            effective_dose_icrp60_msv({}, {}, purpose=purpose)


def test_icrp60_of_a_uniform_dose_is_that_dose() -> None:
    organs = (*(key for key in ICRP60_WEIGHTS if key != "gonads"), "testes", "adrenals", "brain", "muscle")
    doses, masses = dict.fromkeys(organs, 2.0), dict.fromkeys(organs, 100.0)
    assert effective_dose_icrp60_msv(doses, masses, purpose="diagnostic") == pytest.approx(2.0)
    doses["brain"] = 50.0  # more than every weighted organ: half of the remainder is its own
    assert effective_dose_icrp60_msv(doses, masses, purpose="diagnostic") == pytest.approx(1.9 + 0.025 * 52)
    del doses["thyroid"]
    with pytest.raises(InputError, match="no dose of thyroid"):
        effective_dose_icrp60_msv(doses, masses, purpose="diagnostic")
