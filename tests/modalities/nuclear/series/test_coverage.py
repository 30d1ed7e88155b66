"""The claim of coverage can fail: intervals that say too little are found out."""

from __future__ import annotations

import pytest

from omnidose.modalities.nuclear.proofs import coverage
from omnidose.modalities.nuclear.proofs._blurred_spheres import draw_outlines
from omnidose.modalities.nuclear.series.sight import Errors
from omnidose.validation import Context


def test_patients_come_from_their_seed() -> None:
    first, second = (draw_outlines(7, Errors()) for _ in range(2))
    assert [o.sight.activity_mbq.tolist() for o in first] == [o.sight.activity_mbq.tolist() for o in second]
    assert {o.kind for o in first} == {"kidneys", "spleen", "liver", "lesion"}


def test_an_uncertainty_left_out_fails_the_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "PATIENTS", 20)
    monkeypatch.setattr(coverage, "CALIBRATION_STD_REL", 0.01)
    assert not any(row.passed for row in coverage.check(Context()) if "lesion" not in row.name)
