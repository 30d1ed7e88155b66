"""Water-equivalent diameter and AAPM 204 factors."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose import data
from omnidose.anatomy.body import BodyModel
from omnidose.errors import RangeError
from omnidose.modalities.ct.ssde import size_factor, water_equivalent_diameter_cm


def test_fit_reproduces_the_report_s_table() -> None:
    rows = data.load("ssde_aapm204").rows()
    assert len(rows) > 60
    for row in rows:
        factor = float(size_factor(row["effective_diameter_cm"], round(row["phantom_cm"])))
        assert factor == pytest.approx(row["factor"], abs=0.0051)


@pytest.mark.parametrize(("diameter_cm", "phantom_cm"), [(5.0, 32), (46.0, 32), (70.0, 16)])
def test_outside_the_table_is_refused(diameter_cm: float, phantom_cm: int) -> None:
    with pytest.raises(RangeError):
        size_factor(diameter_cm, phantom_cm)


def test_diameter_of_water_is_geometric_and_of_lung_smaller(torso: BodyModel) -> None:
    diameter = water_equivalent_diameter_cm(torso)
    # below the lungs the trunk is water of 0.998 against 1.0 g/cm3: effective diameter sqrt(33 x 22)
    assert diameter[5] == pytest.approx(np.sqrt(33.0 * 22.0), rel=0.01)
    assert diameter[70] < 0.9 * diameter[5]
