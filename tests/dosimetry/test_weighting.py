"""Weighted sums against ICRP 103."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.anatomy.body import Origin
from omnidose.anatomy.organs import organs
from omnidose.dosimetry.results import OrganDoses
from omnidose.dosimetry.weighting import effective_dose, remainder_weight, tissues, weighted_sum
from omnidose.errors import InputError
from omnidose.quantities import EffectiveDose, WeightedOrganSum


def make_doses(values: dict[str, float], quality: str = "photon", relative_to: str = "") -> OrganDoses:
    n = len(values)
    return OrganDoses(
        organs=tuple(values),
        qualities=(quality,),
        dose_mgy=np.array(list(values.values()))[:, None],
        covariance_mgy2=np.diag(np.full(n, 0.01)),
        mass_g=np.ones(n),
        origin=(Origin.PHANTOM,) * n,
        imaged_fraction=np.ones(n),
        primary_fraction=np.ones(n),
        completion_share=np.zeros(n),
        relative_to=relative_to,
    )


def whole(sex: str, dose: float = 1.0) -> dict[str, float]:
    return {t.organ[sex]: dose for t in tissues()}


def test_weights_sum_to_one_with_13_remainder_tissues() -> None:
    assert sum(t.weight for t in tissues()) + remainder_weight() == pytest.approx(1)
    assert sum(t.in_remainder for t in tissues()) == 13
    assert len(tissues()) == 27
    for tissue in tissues():
        for organ in tissue.organ.values():
            assert organs()[organ].tissue == tissue.key


@pytest.mark.parametrize("sex", ["M", "F"])
def test_uniform_dose_gives_itself(sex: str) -> None:
    result = weighted_sum(make_doses(whole(sex, 3.0)), sex=sex)
    assert isinstance(result.value, WeightedOrganSum)
    assert float(result.value) == pytest.approx(3.0)
    assert result.missing == ()


def test_effective_dose_is_the_mean_of_the_sexes() -> None:
    result = effective_dose(make_doses(whole("M", 1.0)), make_doses(whole("F", 3.0)))
    assert isinstance(result.value, EffectiveDose)
    assert float(result.value) == pytest.approx(2.0)
    assert result.tissue_msv["gonads"] == pytest.approx(2.0)


def test_breast_of_both_sexes_and_sex_specific_tissues() -> None:
    male, female = whole("M", 0.0), whole("F", 0.0)
    female["breasts"] = 2.0
    assert float(effective_dose(make_doses(male), make_doses(female)).value) == pytest.approx(0.12)
    female["breasts"], female["uterus"], male["prostate"] = 0.0, 13.0, 26.0
    expected = 0.12 * (13 / 13 + 26 / 13) / 2
    assert float(effective_dose(make_doses(male), make_doses(female)).value) == pytest.approx(expected)
    assert "prostate" not in whole("F")


def test_missing_tissues_are_named_and_remainder_is_a_mean_of_the_rest() -> None:
    values = whole("F", 1.0)
    for gone in ("thyroid", "thymus", "uterus"):
        del values[gone]
    result = weighted_sum(make_doses(values), sex="F")
    assert set(result.missing) == {"thyroid", "thymus", "prostate-or-uterus"}
    assert float(result.value) == pytest.approx(1 - 0.04)
    values["spleen"] = 12.0
    assert float(weighted_sum(make_doses(values), sex="F").value) == pytest.approx(0.96 + 0.12 * 11 / 11)


def test_nan_counts_as_missing() -> None:
    values = whole("M", 1.0)
    values["colon"] = float("nan")
    result = weighted_sum(make_doses(values), sex="M")
    assert result.missing == ("colon",)
    assert float(result.value) == pytest.approx(0.88)


def test_statistical_error_uses_weights() -> None:
    doses = make_doses(whole("M", 1.0))
    weights = [t.weight if not t.in_remainder else 0.12 / 13 for t in tissues()]
    expected = 0.1 * np.sqrt(np.sum(np.square(weights)))
    assert weighted_sum(doses, sex="M").std_statistical_msv == pytest.approx(expected)


def test_radiation_weighting() -> None:
    assert float(weighted_sum(make_doses(whole("M"), "alpha"), sex="M").value) == pytest.approx(20)
    with pytest.raises(InputError, match="neutron"):
        weighted_sum(make_doses(whole("M"), "neutron"), sex="M")


def test_bad_input() -> None:
    with pytest.raises(InputError, match="sex"):
        weighted_sum(make_doses(whole("M")), sex="")
    with pytest.raises(InputError, match="relative"):
        effective_dose(make_doses(whole("M")), make_doses(whole("F"), relative_to="mGy CTDIvol"))
