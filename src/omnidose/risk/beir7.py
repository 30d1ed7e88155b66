"""BEIR VII lifetime attributable risk of cancer incidence, with the extra sites of RadRAT.

``LAR(D, e) = sum over a = e + L .. 100 of M(D, e, a) S(a) / S(e)`` with latency L = 5 years (solid)
or 2 years (leukaemia), M = ERR times baseline incidence (relative transfer) or EAR (absolute
transfer), and S the survival, conditional on being alive *at the age of exposure*.

Solid:     beta D exp(gamma e*) (a/60)^eta, e* = (min(e, 30) - 30)/10, divided by the DDREF
Breast:    EAR only, 9.4e-4 exp(-0.051 (e - 30)) (a/60)^3.5 below 50 and (a/60)^1.1 from 50 on
Thyroid:   ERR only, e* not cut at 30
Leukaemia: beta D (1 + theta D) exp(gamma e* + delta ln(t/25) + phi e* ln(t/25)), t = max(a - e, 5)

The two transfers are combined as LAR_R^w LAR_A^(1 - w).

References
----------
National Research Council (2006) *Health Risks from Exposure to Low Levels of Ionizing Radiation:
BEIR VII Phase 2*, chapter 12. doi:10.17226/11340.
Berrington de Gonzalez A et al. (2012) RadRAT: a radiation risk assessment tool for lifetime cancer
risk projection. J Radiol Prot 32:205, table 1 (PMC3816370).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from omnidose.data import load
from omnidose.errors import InputError
from omnidose.provenance import Assumption
from omnidose.risk.exposures import SiteExposure
from omnidose.risk.population import Population, attained_ages_y

ArrayF8 = npt.NDArray[np.float64]

SOLID = "risk_beir7_solid"
LEUKAEMIA = "risk_beir7_leukaemia"
SOLID_LATENCY_Y = 5.0
LEUKAEMIA_LATENCY_Y = 2.0
#: Below this time since exposure the leukaemia excess is held constant (no data below it).
LEUKAEMIA_FLOOR_Y = 5.0
LEUKAEMIA_WEIGHT = 0.7
DDREF = 1.5
#: BEIR VII: variance of ln DDREF 0.09; RadRAT: lognormal with a geometric standard deviation of 1.35.
DDREF_LOG_STD = 0.30
PER_1E4 = 1e-4
Z975 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Parameters:
    """One draw vector of everything, shared by all sites and events.

    Attributes
    ----------
    beta
        (site, kind) -> [draws].
    relative
        Site -> [draws] bool: True where the draw takes the relative transfer.
    leukaemia
        Kind -> [draws, 5] of (beta, theta, gamma, delta, phi).
    """

    ddref: ArrayF8
    beta: dict[tuple[str, str], ArrayF8]
    relative: dict[str, npt.NDArray[np.bool_]]
    leukaemia: dict[str, ArrayF8]


@cache
def solid_rows(sex: str) -> dict[str, dict[str, Any]]:
    """Return the parameter rows of the solid sites of one sex, by site."""
    return {row["site"]: row for row in load(SOLID).rows() if row["sex"] == sex}


@cache
def leukaemia_row(kind: str, sex: str) -> dict[str, Any]:
    """Return the parameter row of the ``err`` or ``ear`` leukaemia model."""
    for row in load(LEUKAEMIA).rows():
        if row["kind"] == kind and row["sex"] == sex:
            return row
    raise KeyError((kind, sex))


def solid_kernel(row: dict[str, Any], kind: str, age_y: float, people: Population) -> float:
    """Return the lifetime sum for unit ``beta D`` of one solid site (no DDREF).

    Parameters
    ----------
    row
        A row of the packaged table ``risk_beir7_solid``.
    kind
        ``err`` (weighted with the population's incidence) or ``ear``.
    age_y
        Age at exposure.
    people
        Survival and incidence.
    """
    ages_y = attained_ages_y(age_y + SOLID_LATENCY_Y)
    if ages_y.size == 0:
        return 0.0
    survival = people.survival_at(ages_y) / people.survival_at(age_y)
    e_star = (min(age_y, float(row["age_cap_y"])) - 30.0) / 10.0
    if row["form"] == "breast":
        exponent = np.where(ages_y < 50.0, 3.5, 1.1)
    else:
        exponent = np.full(ages_y.size, float(row[f"{kind}_eta"]))
    excess = np.exp(float(row[f"{kind}_gamma"]) * e_star) * (ages_y / 60.0) ** exponent
    if kind == "err":
        excess = excess * people.incidence_at(str(row["site"]), ages_y)
    else:
        excess = excess * PER_1E4
    return float(np.sum(excess * survival))


def leukaemia_sum(
    kind: str, parameters: ArrayF8, exposure: SiteExposure, dose_gy: ArrayF8, people: Population
) -> ArrayF8:
    """Return [draws] of the lifetime excess of leukaemia for one exposure.

    Parameters
    ----------
    kind
        ``err`` or ``ear``.
    parameters
        [draws, 5] of (beta, theta, gamma, delta, phi).
    exposure
        Age at exposure and number of deliveries.
    dose_gy
        [draws]; given in ``exposure.fractions`` equal parts, or protracted.
    people
        Survival and incidence.
    """
    ages_y = attained_ages_y(exposure.age_y + LEUKAEMIA_LATENCY_Y)
    if ages_y.size == 0:
        return np.zeros(dose_gy.size)
    beta, theta, gamma, delta, phi = parameters.T
    e_star = (min(exposure.age_y, 30.0) - 30.0) / 10.0
    log_t = np.log(np.maximum(ages_y - exposure.age_y, LEUKAEMIA_FLOOR_Y) / 25.0)
    weight = people.survival_at(ages_y) / people.survival_at(exposure.age_y)
    weight = weight * (people.incidence_at("leukaemia", ages_y) if kind == "err" else PER_1E4)
    power = delta + phi * e_star
    # sum over ages of weight (t/25)^power, for every draw
    shape = np.exp(power[:, None] * log_t[None, :]) @ weight
    quadratic = theta * dose_gy / exposure.fractions if exposure.fractions else 0.0
    response = beta * dose_gy * np.maximum(1.0 + quadratic, 0.0)
    return np.asarray(response * np.exp(gamma * e_star) * shape)


class Beir7:
    """BEIR VII, incidence. Keeps :class:`omnidose.risk.models.RiskModel`."""

    name = "BEIR VII (incidence), sites of RadRAT"
    source = (
        "NRC 2006, BEIR VII Phase 2, chapter 12; Berrington de Gonzalez et al. 2012 (RadRAT), table 1; "
        "DDREF 1.5"
    )
    limit_mgy = 1000.0

    def sites(self, sex: str) -> tuple[str, ...]:
        """Return the cancer sites of this sex, leukaemia last."""
        return (*solid_rows(sex), "leukaemia")

    def needs_baseline(self, site: str, sex: str) -> bool:
        """Return True for thyroid and brain: they have no absolute model."""
        return site != "leukaemia" and bool(np.isnan(solid_rows(sex)[site]["ear"]))

    def relative_share(self, site: str, sex: str) -> float:
        """Return the weight of the relative transfer."""
        return LEUKAEMIA_WEIGHT if site == "leukaemia" else float(solid_rows(sex)[site]["weight_err"])

    def _weight(self, site: str, people: Population) -> float:
        # Without baseline statistics the relative model cannot be used; the engine says so.
        return self.relative_share(site, people.sex) if site in people.incidence else 0.0

    def central(self, site: str, exposures: tuple[SiteExposure, ...], people: Population) -> float:
        """Return the excess probability at central parameters and doses, events added."""
        weight = self._weight(site, people)
        total = 0.0
        for exposure in exposures:
            if exposure.dose_gy == 0.0:
                continue
            relative, absolute = self._both(site, exposure, people, weight)
            if 0.0 < weight < 1.0:
                total += relative**weight * absolute ** (1.0 - weight)
            else:
                total += relative if weight == 1.0 else absolute
        return total

    def _both(
        self, site: str, exposure: SiteExposure, people: Population, weight: float
    ) -> tuple[float, float]:
        values = {"err": 0.0, "ear": 0.0}
        dose_gy = np.array([exposure.dose_gy])
        for kind in _kinds(weight):
            if site == "leukaemia":
                row = leukaemia_row(kind, people.sex)
                names = ("beta", "theta", "gamma", "delta", "phi")
                parameters = np.array([[float(row[name]) for name in names]])
                values[kind] = float(leukaemia_sum(kind, parameters, exposure, dose_gy, people)[0])
            else:
                row = solid_rows(people.sex)[site]
                kernel = solid_kernel(row, kind, exposure.age_y, people)
                values[kind] = float(row[kind]) * exposure.dose_gy * kernel / DDREF
        return values["err"], values["ear"]

    def sample(self, rng: np.random.Generator, draws: int, sex: str) -> Parameters:
        """Draw every parameter once.

        The ERR and EAR slopes of a site come from the same cohort and share one normal number; the
        transfer is relative with probability w, else absolute, which has BEIR VII's variance
        w (1 - w) (ln LAR_R / LAR_A)^2.
        """
        beta = {}
        relative = {}
        for site, row in solid_rows(sex).items():
            normal = rng.standard_normal(draws)
            uniform = rng.random(draws)
            for kind in ("err", "ear"):
                if not np.isnan(row[kind]):
                    beta[(site, kind)] = _slope(row, kind, normal)
            relative[site] = uniform < float(row["weight_err"])
        normals = rng.standard_normal((draws, 5))
        relative["leukaemia"] = rng.random(draws) < LEUKAEMIA_WEIGHT
        leukaemia = {kind: _leukaemia_draws(kind, sex, normals) for kind in ("err", "ear")}
        ddref = DDREF * np.exp(DDREF_LOG_STD * rng.standard_normal(draws))
        return Parameters(ddref, beta, relative, leukaemia)

    def drawn(
        self, site: str, exposures: tuple[SiteExposure, ...], people: Population, parameters: object
    ) -> ArrayF8:
        """Return [draws] of the excess probability, events added."""
        if not isinstance(parameters, Parameters):
            raise InputError("these parameters are not draws of the BEIR VII model")
        draws = parameters.ddref.size
        weight = self._weight(site, people)
        totals = {kind: np.zeros(draws) for kind in _kinds(weight)}
        for exposure in exposures:
            dose_gy = exposure.dose_draws_gy
            for kind, total in totals.items():
                if site == "leukaemia":
                    total += leukaemia_sum(kind, parameters.leukaemia[kind], exposure, dose_gy, people)
                else:
                    row = solid_rows(people.sex)[site]
                    kernel = solid_kernel(row, kind, exposure.age_y, people)
                    total += parameters.beta[(site, kind)] * dose_gy * kernel / parameters.ddref
        if len(totals) == 1:
            return next(iter(totals.values()))
        return np.where(parameters.relative[site], totals["err"], totals["ear"])

    def assumptions(self) -> tuple[Assumption, ...]:
        """Return what the model takes for granted."""
        return (
            Assumption(
                key="risk.lnt",
                text="Solid cancer: linear without threshold, divided by a dose and dose-rate effectiveness "
                "factor of 1.5 (lognormal, geometric standard deviation 1.35). Leukaemia: linear-quadratic.",
                effect="below about 100 mGy an excess is not directly observed: it could be smaller, also "
                "zero, or larger",
            ),
            Assumption(
                key="risk.latency",
                text="No excess in the first 5 years (solid) or 2 years (leukaemia); the leukaemia excess "
                "before 5 years is held at its value at 5 years.",
            ),
            Assumption(
                key="risk.transfer",
                text="Relative and absolute transfer from the Japanese cohort are weighted as in BEIR VII; "
                "age dependence (gamma, eta) is taken without uncertainty.",
                effect="the interval leaves out the uncertainty of gamma and eta",
            ),
        )

    def tables(self) -> dict[str, str]:
        """Return packaged table name -> sha256."""
        return {name: load(name).sha256 for name in (SOLID, LEUKAEMIA)}


def _kinds(weight: float) -> tuple[str, ...]:
    if weight == 0.0:
        return ("ear",)
    return ("err",) if weight == 1.0 else ("err", "ear")


def _slope(row: dict[str, Any], kind: str, normal: ArrayF8) -> ArrayF8:
    """Draw a slope from its published 95 % interval."""
    middle, low, high = float(row[kind]), float(row[f"{kind}_low"]), float(row[f"{kind}_high"])
    if row["distribution"] == "lognormal":
        log_std = np.log(high / low) / (2.0 * Z975)
        return np.asarray(middle * np.exp(log_std * normal))
    if row["distribution"] == "normal":
        return np.asarray(middle + (high - middle) / Z975 * normal)
    # RadRAT: a cumulative distribution that is linear between its 2.5, 50 and 97.5 % points and on
    # to both ends.
    probability = ndtr(normal) - 0.5
    slope = np.where(probability < 0.0, middle - low, high - middle) / 0.475
    return np.asarray(middle + slope * probability)


def _leukaemia_draws(kind: str, sex: str, normals: ArrayF8) -> ArrayF8:
    """Turn standard normals [draws, 5] into correlated (beta, theta, gamma, delta, phi)."""
    row = leukaemia_row(kind, sex)
    covariance = np.zeros((5, 5))
    for i in range(5):
        for j in range(i, 5):
            covariance[i, j] = covariance[j, i] = float(row[f"cov_{i}{j}"])
    values, vectors = np.linalg.eigh(covariance)  # semi-definite: delta of the EAR model is fixed
    root = vectors @ np.diag(np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    middle = np.array([np.log(row["beta"]), row["theta"], row["gamma"], row["delta"], row["phi"]])
    out = middle + normals @ root
    out[:, 0] = np.exp(out[:, 0])
    return np.asarray(out)
