"""Rows of biokinetic models: the bladder, conservation of activity, coefficients as published."""

from __future__ import annotations

from collections.abc import Iterator
from csv import DictReader
from math import inf, log
from pathlib import Path

import numpy as np

from omnidose.data import table_names
from omnidose.kinetics.biokinetics import (
    BLADDER,
    RECALLED_MODELS,
    REMAINDER,
    biokinetic_model,
    measured_coefficients,
    time_integrated_coefficients_h,
)
from omnidose.kinetics.bladder import (
    ICRP_ADULT_VOIDING,
    Filling,
    Voiding,
    contents_fraction,
    time_integrated_coefficient_h,
)
from omnidose.validation import Context, Row, State, within

#: 18F: 109.77 min (ICRP 107).
F18_H = 109.77 / 60
_DOSES = Path("nm") / "organ_doses.csv"
#: Words of the reference file -> regions.
_REGIONS = {
    "heart_wall": "heart",
    "urinary_bladder_contents": BLADDER,
    "other_organs_and_tissues": REMAINDER,
    "gallbladder": "gall-bladder",
    "left_colon": "descending-colon",
    "right_colon": "ascending-colon",
    "small_intestine": "small-intestine",
    "red_marrow": "red-marrow",
}
_FDG, _MJ9 = "18F-FDG", "68Ga-NODAGA-MJ9"


def check_biokinetics(context: Context) -> Iterator[Row]:
    """Bladder and conservation always; coefficients beside the reference folder if it is there."""
    yield from _bladder()
    yield from _conservation()
    if context.reference is not None and (context.reference / _DOSES).is_file():
        yield from _published(context.reference / _DOSES)


def _bladder() -> Iterator[Row]:
    filling = [Filling(fraction=0.06, half_life_h=0.2), Filling(fraction=0.18, half_life_h=1.5)]
    step_h = 1e-4
    middle = np.asarray((np.arange(round(40.0 / step_h)) + 0.5) * step_h, dtype=np.float64)
    for first_h, interval_h in ((3.5, 3.5), (1.0, 2.3), (2.0, inf)):
        voiding = Voiding(first_h=first_h, interval_h=interval_h)
        summed = float(contents_fraction(filling, voiding, F18_H, middle).sum() * step_h)
        yield within(
            f"bladder, first void at {first_h:g} h, then every {interval_h:g} h: decays per activity",
            time_integrated_coefficient_h(filling, voiding, F18_H),
            summed,
            unit="h",
            source="contents summed over 400 000 steps",
            tolerance_rel=1e-5,
        )


def _conservation() -> Iterator[Row]:
    """Regions of a published set add up to the physical decays if the bladder is never emptied."""
    without_voids_h = {"male": 1.02, "female": 1.12}
    for person, bladder_h in without_voids_h.items():
        known = measured_coefficients("18F-AH113804", person)
        others = sum(v for region, v in known.coefficients_h.items() if region != BLADDER)
        yield within(
            f"18F-AH113804, {person}: all regions with a bladder never emptied, beside the decays of 18F",
            others + bladder_h,
            F18_H / log(2),
            unit="h",
            source=known.source,
            tolerance_rel=0.02,
            note="published to three digits, and fitted",
        )


def _published(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as handle:
        rows = [r for r in DictReader(handle) if r["quantity"] == "TIAC"]
    known = measured_coefficients(_MJ9, "male").coefficients_h
    theirs = {_region(r): float(r["value"]) for r in rows if r["radiopharmaceutical"] == _MJ9}
    yield within(
        f"{_MJ9}: largest relative difference of {len(theirs)} packaged coefficients to the reference folder",
        max(abs(known.get(region, 0.0) / value - 1) for region, value in theirs.items()),
        0.0,
        unit="1",
        source="organ_doses.csv, both read in the published table",
        bounds=(0.0, 1e-9),
    )
    if RECALLED_MODELS not in table_names():
        yield Row(
            name=f"{_FDG}: coefficients of the model beside those of ICRP 106",
            ours=None,
            unit="h",
            reference=None,
            source="organ_doses.csv",
            tolerance="",
            state=State.NOT_RUN,
            note="the model of ICRP 106 is not packaged: nobody has read its numbers in a print",
        )
        return
    model = biokinetic_model(_FDG, recalled=True)
    found = time_integrated_coefficients_h(model, F18_H, voiding=ICRP_ADULT_VOIDING)
    for row in rows:
        if row["radiopharmaceutical"] == _FDG:
            value, digits = float(row["value"]), len(row["value"].partition(".")[2])
            half = 0.5 * 10.0**-digits
            yield within(
                f"{_FDG}, {_region(row).replace('-', ' ')}: coefficient",
                found[_region(row)],
                value,
                unit="h",
                source="organ_doses.csv, from memory of ICRP 106",
                bounds=(value - half * (1 + 1e-9), value + half * (1 + 1e-9)),
                note="to the printed digits; the model is from memory too",
            )


def _region(row: dict[str, str]) -> str:
    return _REGIONS.get(row["organ"], row["organ"])
