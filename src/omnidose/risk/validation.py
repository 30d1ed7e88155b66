"""Rows of the claim ``exams.risk``: BEIR VII sums beside the published ones."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from types import MappingProxyType

import numpy as np

from omnidose.ledger.events import DoseEvent, OrganDose
from omnidose.risk.beir7 import DDREF, Beir7, solid_kernel, solid_rows
from omnidose.risk.engine import lifetime_risk
from omnidose.risk.exposures import SiteExposure
from omnidose.risk.population import Population, population, us_survival
from omnidose.validation import Context, Row, within

TABLE = "BEIR VII table 12D-1, cases per 100 000 at 0.1 Gy, recalled and cross-checked (grade C)"
#: Female breast, published LAR by age at exposure, and the tolerance promised.
BREAST = {0: 1171, 5: 914, 10: 712, 15: 553, 20: 429, 30: 253, 40: 141, 50: 70, 60: 31}
ORGANS = (
    *("lungs", "red-marrow", "colon", "stomach", "liver", "breasts", "thyroid", "bladder", "ovaries"),
    *("uterus", "prostate", "kidneys", "brain", "pancreas", "oesophagus", "oral-mucosa", "remainder"),
)
PUBLISHED_INTERVAL = "BEIR VII table ES-1: 95 % interval over central value (grade C)"


def risk_rows(context: Context) -> Iterable[Row]:
    """Yield the rows of the risk claim; those that need the reference folder only if it is there."""
    yield from _breast_rows()
    yield from _interval_rows()
    folder = context.reference
    path = folder / "risk" / "beir7_12D_subset.csv" if folder else None
    if path is not None and path.is_file():
        with path.open(encoding="utf-8") as file:
            table = [row for row in csv.DictReader(file) if row["table"] == "12D-1"]
        yield from _table_rows(table)
        yield from _total_rows(table)


def _breast_rows() -> Iterator[Row]:
    us = Population(
        name="us-1999", text="", sex="F", survival=us_survival(1999, "F"), incidence=MappingProxyType({})
    )
    row = solid_rows("F")["breast"]
    for age_y, published in BREAST.items():
        ours = 1e5 * float(row["ear"]) * 0.1 / DDREF * solid_kernel(row, "ear", float(age_y), us)
        yield within(
            f"breast, female, exposed at {age_y}, US 1999 life table",
            ours,
            published,
            unit="1e-5 per 0.1 Gy",
            source=TABLE,
            tolerance_rel=0.02 if age_y <= 40 else 0.06,
            bounds=None if age_y <= 40 else (published * 0.94, (published + 0.5) * 1.06),
            note="the published number is rounded to one case" if age_y > 40 else "",
        )


def _interval_rows() -> Iterator[Row]:
    published = {
        ("M", "total"): (0.5, 2.0),
        ("F", "total"): (690 / 1300, 2500 / 1300),
        ("M", "leukaemia"): (0.3, 3.0),
        ("F", "leukaemia"): (20 / 70, 250 / 70),
    }
    for sex in ("M", "F"):
        doses = tuple(OrganDose(organ=organ, dose_mgy=100.0) for organ in ORGANS)
        event = DoseEvent(
            person_key="-", exposure_key="-", modality="-", age_at_exposure_y=30.0, doses=doses, signed=True
        )
        result = lifetime_risk((event,), sex=sex)
        for name in ("total", "leukaemia"):
            risk = result.total if name == "total" else result.site(name).risk
            for word, ours, theirs in zip(
                ("lower", "upper"),
                (risk.lower_fraction, risk.upper_fraction),
                published[(sex, name)],
                strict=True,
            ):
                yield within(
                    f"{word} bound over central value, {name}, sex {sex}",
                    ours / risk.central_fraction,
                    theirs,
                    unit="1",
                    source=PUBLISHED_INTERVAL,
                    tolerance_rel=0.25,
                    note="exposed at 30; theirs: population of all ages, solid cancers for 'total'",
                )


def _table_rows(table: list[dict[str, str]]) -> Iterator[Row]:
    """Yield age shapes against LAR at 30, and the level, for sites whose baseline changed little."""
    for sex, word in (("M", "male"), ("F", "female")):
        people = population("europe-north-america", sex)
        for site in ("stomach", "lung", "bladder"):
            rows = [row for row in table if row["site"] == site and row["sex"] == word]
            published = {float(row["age_at_exposure"]): float(row["lar_per_1e5_at_0.1Gy"]) for row in rows}
            ours = {age_y: _central(site, age_y, people) for age_y in published}
            for age_y, value in published.items():
                slack = 0.20 if age_y >= 70 else 0.08
                yield within(
                    f"{site}, sex {sex}: LAR({age_y:g}) / LAR(30)",
                    ours[age_y] / ours[30.0],
                    value / published[30.0],
                    unit="1",
                    source=TABLE,
                    bounds=(
                        (1 - slack) * (value - 0.5) / (published[30.0] + 0.5),
                        (1 + slack) * (value + 0.5) / (published[30.0] - 0.5),
                    ),
                    note="another baseline; shape depends on it little; published values rounded to 1",
                )
            yield within(
                f"{site}, sex {sex}: LAR(30)",
                ours[30.0],
                published[30.0],
                unit="1e-5 per 0.1 Gy",
                source=TABLE,
                bounds=(0.8 * published[30.0], 1.25 * published[30.0]),
                note="baseline Europe and North America around 2020 against US 1995-1999",
            )


def _total_rows(table: list[dict[str, str]]) -> Iterator[Row]:
    """Yield the sum over all sites beside BEIR VII's all solid cancers plus leukaemia, uniform 0.1 Gy."""
    for sex, word in (("M", "male"), ("F", "female")):
        people = population("europe-north-america", sex)
        for age_y in (10.0, 30.0, 50.0, 70.0):
            published = sum(
                float(row["lar_per_1e5_at_0.1Gy"])
                for row in table
                if row["sex"] == word
                and row["site"] in ("all_solid", "leukaemia")
                and float(row["age_at_exposure"]) == age_y
            )
            yield within(
                f"all sites, sex {sex}, exposed at {age_y:g}, whole body",
                sum(_central(site, age_y, people) for site in Beir7().sites(sex)),
                published,
                unit="1e-5 per 0.1 Gy",
                source=TABLE + ", all solid cancers plus leukaemia",
                tolerance_rel=0.25,
                note="another baseline and the sites of RadRAT instead of 'other'",
            )


def _central(site: str, age_y: float, people: Population) -> float:
    exposure = SiteExposure(age_y=age_y, dose_gy=0.1, dose_draws_gy=np.zeros(0))
    return 1e5 * Beir7().central(site, (exposure,), people)
