"""Microspheres, thyroid, blood and marrow, verification."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.errors import ContradictionError, InputError
from omnidose.kinetics.curves import TimeIntegratedActivity
from omnidose.modalities.nuclear.planning import blood, microspheres, thyroid
from omnidose.modalities.nuclear.planning.confidence import DosePerActivity
from omnidose.modalities.nuclear.planning.verification import dose_rate_mgy_per_h, verify
from omnidose.physics.nuclides import nuclide
from omnidose.physics.nuclides_spectra import Lines
from omnidose.transport.tally import MGY_PER_KEV_G


def partition(**changes: Any) -> microspheres.PartitionModel:
    what: dict[str, Any] = {
        "lung_shunt_fraction": 0.05,
        "ratio": 4.0,
        "tumour_g": 200.0,
        "normal_g": 1300.0,
        "lung_g": 1000.0,
    }
    return microspheres.PartitionModel(**{**what, **changes})


@given(
    shunt=st.floats(0.0, 0.5),
    ratio=st.floats(0.5, 20.0),
    tumour=st.floats(5.0, 800.0),
    normal=st.floats(100.0, 2000.0),
)
def test_no_energy_is_lost(shunt: float, ratio: float, tumour: float, normal: float) -> None:
    model = partition(lung_shunt_fraction=shunt, ratio=ratio, tumour_g=tumour, normal_g=normal)
    in_tumour, in_normal, lungs = model.tumour(), model.normal_liver(), model.lungs()
    energy = in_tumour.median_mgy_per_mbq * tumour + in_normal.median_mgy_per_mbq * normal
    energy += lungs.median_mgy_per_mbq * 1000.0 if lungs else 0.0
    assert energy == pytest.approx(microspheres.complete_decay_mgy_g_per_mbq(), rel=1e-12)
    assert in_tumour.median_mgy_per_mbq / in_normal.median_mgy_per_mbq == pytest.approx(ratio)
    assert sum(model.fractions.values()) == pytest.approx(1.0)


def test_first_order_as_draws() -> None:
    model = partition(
        lung_shunt_std_rel=0.2, ratio_std_rel=0.2, tumour_std_rel=0.1, normal_std_rel=0.1, lung_std_rel=0.1
    )
    drawn, lungs = model.sampled_mgy_per_mbq(), model.lungs()
    assert lungs is not None
    for dose in (model.tumour(), model.normal_liver(), lungs):
        assert np.log(drawn[dose.name]).std() == pytest.approx(dose.std_rel, rel=0.04)
        assert np.median(drawn[dose.name]) == pytest.approx(dose.median_mgy_per_mbq, rel=0.01)


def test_one_compartment_is_the_mean_of_the_partition() -> None:
    model = partition()
    one = microspheres.one_compartment(1500.0, perfused_std_rel=0.1, lung_shunt_fraction=0.05)
    mean = (
        model.tumour().median_mgy_per_mbq * 200.0 + model.normal_liver().median_mgy_per_mbq * 1300.0
    ) / 1500.0
    assert one.median_mgy_per_mbq == pytest.approx(mean)
    half = microspheres.one_compartment(
        1500.0, perfused_std_rel=0.1, lung_shunt_fraction=0.05, residue_fraction=0.5
    )
    assert half.median_mgy_per_mbq == pytest.approx(mean / 2)


def test_surface_and_the_bsa_formula() -> None:
    assert microspheres.body_surface_m2(170.0, 70.0) == pytest.approx(1.81, abs=0.01)
    activity = microspheres.bsa_activity_mbq(height_cm=170, weight_kg=70, tumour_cm3=300, liver_cm3=1500)
    assert activity == pytest.approx(1000 * (1.81 - 0.2 + 0.2), abs=10)
    with pytest.raises(ContradictionError, match="larger than the liver"):
        microspheres.bsa_activity_mbq(height_cm=170, weight_kg=70, tumour_cm3=1600, liver_cm3=1500)


def test_the_ratio_is_one_of_concentrations() -> None:
    assert microspheres.tumour_to_normal(200.0, 100.0, 500.0, 1000.0) == pytest.approx(4.0)


@pytest.mark.parametrize(
    "change",
    [
        {"lung_shunt_fraction": 1.0},
        {"lung_shunt_fraction": -0.1},
        {"ratio": 0.0},
        {"normal_g": -1.0},
        {"ratio_std_rel": -0.1},
    ],
)
def test_partitions_that_are_none(change: dict[str, float]) -> None:
    with pytest.raises(InputError):
        partition(**change)


def test_marinelli() -> None:
    integral = thyroid.integral_from_uptake(0.5, 132.0, uptake_std_rel=0.03, half_life_std_rel=0.04)
    assert integral.value_mbq_h == pytest.approx(0.5 * 132 / log(2))
    assert integral.std_rel == pytest.approx(0.05)
    dose = thyroid.thyroid_dose(integral, 20.0, mass_std_rel=0.12)
    # A (MBq) = c D (Gy) m (g) / (U (%) T (d))
    by_hand = thyroid.marinelli_constant(20.0) * 150 * 20 / (50 * 132 / 24)
    assert dose.least_mbq(150_000.0, 0.5) == pytest.approx(by_hand)
    assert dose.std_rel == pytest.approx((0.05**2 + 0.12**2 + 0.02**2) ** 0.5)
    assert integral.flags == ()


def test_photons_add_more_in_a_larger_thyroid() -> None:
    small, large = (thyroid.thyroid_mgy_g_per_mbq_h(m) for m in (10.0, 80.0))
    assert 1.0 < large / small < 1.1


@pytest.mark.parametrize(
    ("uptake", "half_life", "words"),
    [
        (45.0, 130.0, "uptake of 45"),
        (0.0, 130.0, "uptake of 0"),
        (0.4, 300.0, "longer than the physical"),
        (0.4, 0.0, "more than 0"),
    ],
)
def test_uptakes_that_are_none(uptake: float, half_life: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        thyroid.integral_from_uptake(uptake, half_life)


def test_several_uptakes() -> None:
    time = np.array([2.0, 6.0, 24.0, 48.0, 120.0])
    shares = 0.6 * (2 ** (-time / 120.0) - 2 ** (-time / 4.0))
    found = thyroid.integral_from_uptakes(time.tolist(), shares.tolist(), std_rel=0.03)
    assert found.value_mbq_h == pytest.approx(0.6 * 116.0 / log(2), rel=0.002)
    with pytest.raises(InputError, match="above 1"):
        thyroid.integral_from_uptakes([4.0, 24.0], [20.0, 45.0], std_rel=0.05)


def decays(value: float, std_rel: float = 0.0) -> TimeIntegratedActivity:
    return TimeIntegratedActivity(
        value_mbq_h=value, std_mbq_h=value * std_rel, tail_fraction=0.0, head_fraction=0.0, method="given"
    )


def test_blood_adds_two_terms() -> None:
    terms = blood.eanm_2008()
    dose = blood.blood_dose(decays(5e-4, 0.1), decays(20.0, 0.05), body_kg=64.0, terms=terms)
    first, second = 108.0 * 5e-4, 0.0188 / 16 * 20
    assert dose.median_mgy_per_mbq == pytest.approx(first + second)
    assert dose.std_rel == pytest.approx(np.hypot(0.1 * first, 0.05 * second) / (first + second))


def test_one_retention() -> None:
    in_blood, in_body = blood.from_one_retention(0.1, 48.0, blood_cm3=5000.0)
    assert in_body.value_mbq_h == pytest.approx(48 / log(10))
    assert in_blood.value_mbq_h == pytest.approx(0.14 * 48 / log(10) / 5000)
    dose = blood.dose_from_one_retention(
        0.1, 48.0, blood_cm3=5000.0, body_kg=70.0, terms=blood.eanm_2008(), extra_std_rel=0.0
    )
    # 0.14 x 108 = 15.12: the numbers of the published one-measurement formula
    assert dose.median_mgy_per_mbq == pytest.approx(48 / log(10) * (15.12 / 5000 + 0.0188 / 70 ** (2 / 3)))
    assert dose.std_rel == pytest.approx(0.175, abs=0.001)


@pytest.mark.parametrize(
    ("share", "hours", "words"),
    [
        (10.0, 48.0, "retention of 10"),
        (1.0, 48.0, "retention"),
        (0.95, 48.0, "decay alone"),
        (0.1, 0.0, "more than 0"),
    ],
)
def test_retentions_that_are_none(share: float, hours: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        blood.from_one_retention(share, hours, blood_cm3=5000.0)


def test_blood_volumes() -> None:
    assert blood.blood_volume_cm3("M", height_cm=176, weight_kg=73) == pytest.approx(4954, abs=2)
    assert blood.blood_volume_cm3("F", height_cm=163, weight_kg=60) == pytest.approx(3710, abs=2)
    with pytest.raises(InputError, match="F"):
        blood.blood_volume_cm3("O", height_cm=163, weight_kg=60)


def test_a_body_keeps_fewer_photons_of_higher_energy() -> None:
    kept = blood.body_absorbs(np.array([20.0, 100.0, 1500.0]), "M")
    assert (np.diff(kept) < 0).all()
    assert (blood.body_absorbs(np.array([20.0, 100.0, 1500.0]), "F") < kept).all()
    with pytest.raises(InputError, match="reference adult"):
        blood.blood_terms(sex="X")


def test_marrow_from_blood() -> None:
    lu = blood.blood_terms("Lu-177")
    dose = blood.marrow_dose(
        decays(2e-4, 0.05), decays(30.0, 0.05), body_kg=70.0, ratio=1.0, ratio_std_rel=0.2
    )
    from_blood = lu.blood_mgy_cm3_per_mbq_h * 2e-4
    assert dose.median_mgy_per_mbq == pytest.approx(from_blood + lu.body_mgy_per_mbq_h(70.0) * 30.0)
    assert 0.01 < dose.median_mgy_per_mbq < 0.05  # Gy/GBq, as cohorts of 177Lu-DOTATATE
    assert dose.std_rel > 0.2 * from_blood / dose.median_mgy_per_mbq
    less = blood.marrow_dose(decays(2e-4), decays(30.0), body_kg=70.0, ratio=0.36, ratio_std_rel=0.0)
    assert less.median_mgy_per_mbq < dose.median_mgy_per_mbq


def planned() -> DosePerActivity:
    return DosePerActivity(name="kidneys", median_mgy_per_mbq=0.4, std_rel=0.2)


def test_a_therapy_as_planned() -> None:
    found = verify(
        planned(), administered_mbq=7000, achieved_mgy=2900, achieved_std_rel=0.1, correlation_fraction=0.0
    )
    assert found.ratio == pytest.approx(2900 / 2800)
    assert found.ratio_std_rel == pytest.approx(0.05**0.5)
    assert "within what the uncertainties explain" in found.sentence
    assert found.achieved_low95_mgy < 2900 < found.achieved_high95_mgy


def test_a_therapy_that_went_otherwise() -> None:
    found = verify(
        planned(),
        administered_mbq=7000,
        achieved_mgy=4200,
        achieved_std_rel=0.1,
        correlation_fraction=0.8,
    )
    assert found.deviations > 2
    assert "look for the cause" in found.sentence
    with pytest.raises(InputError, match="correlation"):
        verify(planned(), administered_mbq=1, achieved_mgy=1, achieved_std_rel=0.1, correlation_fraction=1.0)


def test_certain_doses_that_differ() -> None:
    certain = DosePerActivity(name="x", median_mgy_per_mbq=1.0, std_rel=0.0)
    found = verify(
        certain, administered_mbq=1, achieved_mgy=2, achieved_std_rel=0.0, correlation_fraction=0.0
    )
    assert found.deviations == float("inf")


def test_the_dose_rate_adds_up_to_the_dose() -> None:
    hours = np.linspace(0, 2000, 200_001)
    rates = [dose_rate_mgy_per_h(1000.0, 50.0, t) for t in (0.0, 50.0)]
    assert rates[0] / rates[1] == pytest.approx(2.0)
    decay = log(2) / 50.0
    assert np.trapezoid(rates[0] * np.exp(-decay * hours), hours) == pytest.approx(1000.0, rel=1e-4)


@pytest.mark.parametrize("name", ["Ra-223", "Ac-225", "At-211", "Tb-149"])
def test_alpha_emitters_do_not_stand_beside_limits_of_electrons(name: str) -> None:
    for call in (blood.blood_terms, microspheres.complete_decay_mgy_g_per_mbq):
        with pytest.raises(InputError, match=f"{name} sends out alpha particles"):
            call(name)


@pytest.mark.parametrize("name", ["Pb-212", "Th-227", "Mo-99", "Lu-177m"])
def test_progeny_that_comes_later_is_never_left_out_in_silence(name: str) -> None:
    for call in (blood.blood_terms, microspheres.complete_decay_mgy_g_per_mbq):
        with pytest.raises(InputError, match=r"alpha particles|decays later"):
            call(name)


def test_progeny_that_decays_at_once_is_counted() -> None:
    """Zr-89: the 909 keV of Y-89m are most of its photons beside annihilation."""

    def kept_kev(*parts: Lines) -> float:
        return sum(
            float((p.energy_kev * p.per_decay * blood.body_absorbs(p.energy_kev, "M")).sum()) for p in parts
        )

    terms = blood.blood_terms("Zr-89")
    alone, isomer = nuclide("Zr-89"), nuclide("Y-89m")
    kept = kept_kev(alone.photon_lines, alone.annihilation_lines)
    added = kept_kev(isomer.photon_lines)
    mass_g = blood.body_reference_g("M")
    per_kev = 3.6e9 * MGY_PER_KEV_G / mass_g * (mass_g / 1000) ** (2 / 3)
    assert added > 0.4 * kept
    assert terms.body_mgy_kg23_per_mbq_h == pytest.approx(per_kev * (kept + 0.9987 * added), rel=2e-3)
    assert "Zr-89 with Y-89m" in terms.source
