"""``lifetime_risk``: from a history of organ doses to a lifetime attributable risk with an interval."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from omnidose.dosimetry.results import ExposureResult
from omnidose.errors import InputError
from omnidose.ledger.events import DoseEvent, History
from omnidose.provenance import Assumption
from omnidose.risk.exposures import (
    DoseSampler,
    SiteExposure,
    absent_organs,
    current_events,
    deliveries,
    dose_event,
    event_dose_mgy,
)
from omnidose.risk.models import RiskModel, load_model
from omnidose.risk.population import Population, check_sex
from omnidose.risk.population import population as load_population
from omnidose.risk.results import RiskEstimate, RiskResult, SiteRisk
from omnidose.risk.sites import SiteTissue, canonical, site_tissue

ArrayF8 = npt.NDArray[np.float64]

NO_MASSES: Mapping[str, float] = MappingProxyType({})


def lifetime_risk(
    history: History,
    *,
    sex: str,
    population: str | Population = "europe-north-america",
    model: str | RiskModel = "beir7",
    draws: int = 10000,
    seed: int = 1,
    removed: frozenset[str] = frozenset(),
    masses_g: Mapping[str, float] = NO_MASSES,
    mortality_ratio: float = 1.0,
) -> RiskResult:
    """Return the lifetime attributable risk of cancer incidence per organ and in total.

    Organ doses are the only dosimetric input: an effective dose or a w_T-weighted sum never enters.

    Parameters
    ----------
    history
        Dose events of one person; those that are not current are left out.
    sex
        ``F`` or ``M``.
    population
        Name of a packaged population, or one of your own.
    model
        Name of a registered risk model, or one of your own.
    draws, seed
        Number of Monte Carlo draws for the interval and their seed. One parameter vector per draw
        is shared by all organs and events. ``draws = 0`` gives the central values only (the bounds
        are then NaN).
    removed
        Organs that the person no longer has: no risk.
    masses_g
        Organ masses, to weight paired organs; halves if not given.
    mortality_ratio
        Factor on all death rates, for a person with a shorter life expectancy than the population.

    Raises
    ------
    InputError
        If the sex or an age is unknown, or the history cannot be used.
    """
    check_sex(sex)
    if draws < 0 or 0 < draws < 100:
        raise InputError(f"{draws} draws give no interval", where="draws", allowed="0, or 100 and more")
    events = current_events(history)
    _check_ages(events)
    engine = load_model(model) if isinstance(model, str) else model
    people = load_population(population, sex) if isinstance(population, str) else population
    if people.sex != sex:
        raise InputError(
            f"the population is of sex {people.sex}, the person of sex {sex}", where="population"
        )
    if mortality_ratio != 1.0:
        people = people.with_mortality(mortality_ratio)
    removed = frozenset(canonical(name) for name in removed)
    masses_g = {canonical(name): mass_g for name, mass_g in masses_g.items()}
    rng = np.random.default_rng(seed)
    sampler = DoseSampler(rng, draws, events)
    parameters = engine.sample(rng, draws, sex)
    age_y = events[0].age_at_exposure_y
    known = frozenset.intersection(*(frozenset(event_dose_mgy(event)) for event in events))

    found: list[SiteRisk] = []
    left: list[tuple[str, str]] = []
    total_draws = np.zeros(draws)
    for site in engine.sites(sex):
        tissue = site_tissue(site, known, removed, masses_g)
        reason = _why_not(site, tissue, engine, people, events)
        if reason or tissue is None:
            left.append((site, reason))
            continue
        exposures = tuple(_site_exposure(n, event, tissue, sampler) for n, event in enumerate(events))
        site_draws = engine.drawn(site, exposures, people, parameters)
        total_draws += site_draws
        found.append(
            SiteRisk(
                site=site,
                organs=tissue.organs,
                dose_mgy=_tissue_dose_mgy(events, tissue),
                risk=_estimate(engine.central(site, exposures, people), site_draws),
                baseline_fraction=people.lifetime_incidence(site, age_y),
                relative_transfer=site in people.incidence or engine.relative_share(site, sex) == 0.0,
            )
        )
    if not found:
        raise InputError(
            "no organ of the history belongs to a cancer site of the model",
            where="organ doses",
            allowed="canonical organ names such as lungs, liver, red-marrow",
        )
    return RiskResult(
        model=engine.name,
        model_source=engine.source,
        population=people.name,
        population_text=people.text,
        sex=sex,
        age_y=age_y,
        sites=tuple(found),
        total=_estimate(sum(s.risk.central_fraction for s in found), total_draws),
        baseline_fraction=people.lifetime_incidence("all", age_y) or 0.0,
        not_estimated=tuple(left),
        warnings=_warnings(events, left, age_y),
        assumptions=(*engine.assumptions(), *_assumptions(found, people, events, tuple(sorted(removed)))),
        draws=draws,
        seed=seed,
        tables={**engine.tables(), **({people.table: people.sha256} if people.table else {})},
    )


def exposure_risk(
    result: ExposureResult,
    *,
    sex: str = "",
    age_y: float | None = None,
    population: str | Population = "europe-north-america",
    draws: int = 10000,
    seed: int = 1,
) -> RiskResult:
    """Return the lifetime risk of one exposure, with sex, age, removed organs and masses from the result.

    Parameters
    ----------
    result
        Absolute organ doses; relative ones are refused.
    sex, age_y
        Win over ``result.person`` if given.
    population, draws, seed
        As in :func:`lifetime_risk`.

    Raises
    ------
    InputError
        If sex or age is unknown or the doses are relative; the message says what to give.
    """
    event = dose_event(result, person_key="-", age_y=age_y)
    doses = result.organ_doses
    return lifetime_risk(
        (event,),
        sex=sex or result.person.sex,
        population=population,
        draws=draws,
        seed=seed,
        removed=absent_organs(result),
        masses_g={o: float(m) for o, m in zip(doses.organs, doses.mass_g, strict=True) if m > 0},
    )


def _check_ages(events: tuple[DoseEvent, ...]) -> None:
    for event in events:
        if not np.isfinite(event.age_at_exposure_y):
            raise InputError(
                "the age at an exposure is unknown", where="age_at_exposure_y", todo="give --age YEARS"
            )


def _tissue_dose_mgy(events: tuple[DoseEvent, ...], tissue: SiteTissue) -> float:
    """Return the mean dose of what is left of the tissue, summed over events."""
    kept = sum(share for _organ, share in tissue.parts)
    weighted = sum(share * event_dose_mgy(event)[organ] for event in events for organ, share in tissue.parts)
    return weighted / kept


def _site_exposure(number: int, event: DoseEvent, tissue: SiteTissue, sampler: DoseSampler) -> SiteExposure:
    doses = event_dose_mgy(event)
    return SiteExposure(
        age_y=event.age_at_exposure_y,
        dose_gy=sum(share * doses[organ] for organ, share in tissue.parts) / 1000.0,
        dose_draws_gy=sampler.draw_gy(number, event, dict(tissue.parts)),
        fractions=deliveries(event),
    )


def _why_not(
    site: str,
    tissue: SiteTissue | None,
    engine: RiskModel,
    people: Population,
    events: tuple[DoseEvent, ...],
) -> str:
    """Return why a site cannot be estimated, or an empty string."""
    if tissue is None:
        return "no dose for this organ in every exposure of the history"
    if not tissue.parts:
        return "organ removed: no risk"
    if engine.needs_baseline(site, people.sex) and site not in people.incidence:
        return "the model needs baseline statistics that this population does not have"
    dose_mgy = _tissue_dose_mgy(events, tissue)
    if dose_mgy > engine.limit_mgy:
        return (
            f"dose of {dose_mgy:.0f} mGy is above the {engine.limit_mgy:.0f} mGy for which the model "
            "was made: cell killing changes the risk"
        )
    return ""


def _estimate(central_fraction: float, draws: ArrayF8) -> RiskEstimate:
    if draws.size == 0:
        nan = float("nan")
        return RiskEstimate(
            central_fraction=central_fraction, mean_fraction=nan, lower_fraction=nan, upper_fraction=nan
        )
    lower, upper = np.percentile(draws, [2.5, 97.5])
    return RiskEstimate(
        central_fraction=float(central_fraction),
        mean_fraction=float(draws.mean()),
        lower_fraction=float(lower),
        upper_fraction=float(upper),
    )


def _warnings(events: tuple[DoseEvent, ...], left: list[tuple[str, str]], age_y: float) -> tuple[str, ...]:
    out = []
    high = [site for site, reason in left if "was made" in reason]
    if high:
        out.append(f"Not in the total, dose too high for the model: {', '.join(high)}.")
    missing = [site for site, reason in left if reason.startswith("no dose")]
    if missing:
        out.append(f"Not in the total, no organ dose: {', '.join(missing)}.")
    if age_y >= 95:
        out.append("At this age latency leaves no years in which an excess could appear.")
    return tuple(out)


def _assumptions(
    found: list[SiteRisk], people: Population, events: tuple[DoseEvent, ...], removed: tuple[str, ...]
) -> tuple[Assumption, ...]:
    out = [
        Assumption(
            key="risk.population",
            text=f"Baseline cancer and survival of {people.text}: not the person's own country, habits or "
            "illness.",
            effect="smoking, family history and a disease that shortens life change both numbers",
        )
    ]
    absolute = [site.site for site in found if not site.relative_transfer]
    if absolute:
        out.append(
            Assumption(
                key="risk.absolute-transfer",
                text=f"No baseline statistics for {', '.join(absolute)} in this population: absolute "
                "transfer only.",
                effect="the uncertainty of the transfer is not in the interval of these sites",
            )
        )
    if any(not event.signed for event in events):
        out.append(
            Assumption(
                key="risk.unsigned",
                text="Not every dose estimate behind this risk has been signed by a responsible person.",
            )
        )
    if removed:
        out.append(Assumption(key="risk.removed", text=f"Said to be removed, no risk: {', '.join(removed)}."))
    return tuple(out)
