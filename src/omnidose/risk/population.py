"""Populations: survival and cancer incidence by sex and age, from packaged tables."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.data import load
from omnidose.errors import InputError

ArrayF8 = npt.NDArray[np.float64]

#: Last attained age of the sums (BEIR VII stops at 100).
LAST_AGE = 100

#: Name -> (packaged table, words for the report).
POPULATIONS = {
    "europe-north-america": (
        "population_europe_north_america",
        "Australia-New Zealand, Europe and Northern America taken together (IARC/WHO statistics)",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Survival and cancer incidence of one sex.

    Attributes
    ----------
    survival
        [102] share of newborn alive at age 0 to 101.
    incidence
        Site -> [101] new cases per person-year in completed years of age 0 to 100; ``all`` is all
        cancers but non-melanoma skin cancer. Sites without statistics are missing.
    table, sha256
        Packaged table it came from.
    """

    name: str
    text: str
    sex: str
    survival: ArrayF8
    incidence: MappingProxyType[str, ArrayF8]
    table: str = ""
    sha256: str = ""

    def survival_at(self, age_y: Any) -> ArrayF8:
        """Return the share alive at an age, log-linear between birthdays.

        Parameters
        ----------
        age_y
            One age or an array of ages from 0 to 101.
        """
        log_survival = np.log(np.maximum(self.survival, 1e-300))
        grid = np.arange(self.survival.size)
        return np.asarray(np.exp(np.interp(np.asarray(age_y, dtype=float), grid, log_survival)))

    def incidence_at(self, site: str, age_y: Any) -> ArrayF8:
        """Return new cases per person-year, linear between birthdays (KeyError if not known).

        At a whole age it is the rate of that completed year, as in the sums of BEIR VII.
        """
        ages_y = np.asarray(age_y, dtype=float)
        return np.asarray(np.interp(ages_y, np.arange(LAST_AGE + 1), self.incidence[site]))

    def lifetime_incidence(self, site: str, age_y: float) -> float | None:
        """Return the chance to get this cancer from ``age_y`` to 100, given alive at ``age_y``.

        The sum over years of incidence times survival, the same sum as the attributable risk, so
        that both stand on one denominator. None if the population has no statistics for the site.
        """
        if site not in self.incidence:
            return None
        ages_y = attained_ages_y(age_y)
        if ages_y.size == 0:
            return 0.0
        ratio = self.survival_at(ages_y) / self.survival_at(age_y)
        return float(np.sum(self.incidence_at(site, ages_y) * ratio))

    def with_mortality(self, ratio: float) -> Population:
        """Return the population with every death rate multiplied by ``ratio`` (sicker or fitter)."""
        if not ratio > 0:
            raise InputError("a mortality ratio must be above zero", where="mortality_ratio")
        return Population(
            name=self.name,
            text=f"{self.text}, death rates times {ratio:g}",
            sex=self.sex,
            survival=np.asarray(self.survival**ratio),
            incidence=self.incidence,
            table=self.table,
            sha256=self.sha256,
        )


def attained_ages_y(start_y: float) -> ArrayF8:
    """Return ``start_y``, ``start_y + 1``, … up to 100 inclusive (empty above)."""
    if start_y > LAST_AGE:
        return np.empty(0)
    return np.asarray(start_y + np.arange(int(np.floor(LAST_AGE - start_y + 1e-9)) + 1), dtype=np.float64)


def check_sex(sex: str) -> str:
    """Return ``F`` or ``M``; anything else is refused, because every risk model needs it."""
    if sex not in ("F", "M"):
        raise InputError(
            f"the risk needs the sex of the person, got '{sex}'"
            if sex
            else "the sex of the person is unknown",
            where="sex",
            allowed="F or M, the sex whose organs were exposed",
            todo="give --sex F or --sex M",
        )
    return sex


def population(name: str, sex: str) -> Population:
    """Load a packaged population.

    Parameters
    ----------
    name
        A key of :data:`POPULATIONS`.
    sex
        ``F`` or ``M``.

    Raises
    ------
    InputError
        If the population or the sex is unknown.
    """
    check_sex(sex)
    if name not in POPULATIONS:
        raise InputError(f"there is no population '{name}'", allowed=", ".join(POPULATIONS))
    table_name, text = POPULATIONS[name]
    table = load(table_name)
    rows = table["sex"] == sex
    hazard = table["death"][rows]
    hazard = np.append(hazard, hazard[-1])  # age 100: the last year with statistics goes on
    survival = np.exp(-np.concatenate([[0.0], np.cumsum(hazard)]))
    incidence = {}
    for site, column in table.columns.items():
        if site in ("sex", "age", "death") or not np.any(column[rows] > 0):
            continue
        incidence[site] = np.append(column[rows], column[rows][-1])
    return Population(
        name=name,
        text=text,
        sex=sex,
        survival=survival,
        incidence=MappingProxyType(incidence),
        table=table_name,
        sha256=table.sha256,
    )


def us_survival(year: int, sex: str) -> ArrayF8:
    """Return [102] survival of the US life table of 1999 or 2014 (to check closed sums)."""
    table = load("life_table_us")
    rows = (table["year"] == year) & (table["sex"] == check_sex(sex))
    if not np.any(rows):
        raise InputError(f"there is no US life table of {year}", allowed="1999, 2014")
    death = table["q"][rows][: LAST_AGE + 1]
    return np.concatenate([[1.0], np.cumprod(1.0 - death)])
