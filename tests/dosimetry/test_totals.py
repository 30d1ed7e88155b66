"""Doses of several exposures of one person, added."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.anatomy.body import Origin
from omnidose.dosimetry.results import Distribution, OrganDoses, UncertaintyComponent
from omnidose.dosimetry.totals import total_organ_doses
from omnidose.errors import QuantityKindError


def doses(
    organs: dict[str, float], origin: Origin, mass_g: float, *, std_rel: float = 0.1, relative_to: str = ""
) -> OrganDoses:
    n = len(organs)
    return OrganDoses(
        organs=tuple(organs),
        qualities=("photon",),
        dose_mgy=np.array(list(organs.values()))[:, None],
        covariance_mgy2=0.01 * np.eye(n),
        mass_g=np.full(n, mass_g),
        origin=(origin,) * n,
        imaged_fraction=np.ones(n),
        primary_fraction=np.full(n, 0.2),
        completion_share=np.zeros(n),
        components=(
            UncertaintyComponent(
                key="scale", distribution=Distribution.NORMAL, std_rel=(std_rel,) * n, text="scale"
            ),
        ),
        relative_to=relative_to,
    )


def test_the_exposure_that_gave_most_says_mass_and_origin() -> None:
    small = doses({"liver": 2.0, "spleen": 9.0}, Origin.ATLAS, 2600.0)
    large = doses({"spleen": 4.0, "liver": 2300.0}, Origin.SEGMENTED, 1750.0)
    for parts in ((small, large), (large, small)):
        total = total_organ_doses(parts)
        row = {name: i for i, name in enumerate(total.organs)}
        assert total.total_mgy[row["liver"]] == pytest.approx(2302.0)
        assert total.mass_g[row["liver"]] == 1750.0
        assert total.origin[row["liver"]] is Origin.SEGMENTED
        assert total.mass_g[row["spleen"]] == 2600.0
        assert total.origin[row["spleen"]] is Origin.ATLAS


def test_equal_components_add_and_random_errors_do_not() -> None:
    one = doses({"liver": 10.0}, Origin.SEGMENTED, 1000.0)
    total = total_organ_doses((one, one))
    assert total.covariance_mgy2[0, 0] == pytest.approx(0.02)
    assert total.components[0].std_rel == pytest.approx((0.1,))


def test_relative_doses_are_not_added() -> None:
    one = doses({"liver": 10.0}, Origin.SEGMENTED, 1000.0)
    with pytest.raises(QuantityKindError, match="cannot be added"):
        total_organ_doses((one, doses({"liver": 1.0}, Origin.SEGMENTED, 1000.0, relative_to="CTDIvol")))
