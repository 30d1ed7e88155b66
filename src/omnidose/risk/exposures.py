"""From dose events to the doses of a cancer site, with draws that keep what is correlated correlated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from omnidose.anatomy.body import Origin
from omnidose.dosimetry.results import Distribution, ExposureResult, UncertaintyComponent
from omnidose.errors import InputError
from omnidose.ledger.events import DoseEvent, Duration, History, OrganDose
from omnidose.risk.sites import canonical

ArrayF8 = npt.NDArray[np.float64]

#: Radiation qualities for which a Gy of the risk models (low LET) is a Gy of the dose.
LOW_LET = frozenset({"photon", "electron"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteExposure:
    """One event as a risk model sees it.

    Attributes
    ----------
    dose_gy
        Central dose times the share of the tissue that is still there.
    dose_draws_gy
        [draws] of the same.
    fractions
        Number of separate deliveries; 0 means protracted (the quadratic term vanishes).
    """

    age_y: float
    dose_gy: float
    dose_draws_gy: ArrayF8
    fractions: int = 1


def dose_event(result: ExposureResult, *, person_key: str, age_y: float | None = None) -> DoseEvent:
    """Turn the result of one exposure into a dose event.

    Parameters
    ----------
    result
        What a modality said about the exposure.
    person_key
        Pseudonymous key of the person.
    age_y
        Age at exposure; default is the age in ``result.person``.

    Raises
    ------
    InputError
        If the doses are relative (mGy per mGy CTDIvol) or the age is unknown: neither is guessed.
    """
    doses = result.organ_doses
    if doses.relative_to:
        raise InputError(
            f"the organ doses are relative (mGy per {doses.relative_to}), so no risk can be stated",
            where="organ doses",
            allowed="doses in mGy",
            todo="give the displayed CTDIvol with --ctdivol-mgy, or the dose report of the exam",
        )
    age_y = result.person.age_y if age_y is None else age_y
    if age_y is None:
        raise InputError(
            "the age of the person at the exposure is unknown",
            where="age",
            allowed="0 to 120 years",
            todo="give --age YEARS",
        )
    n, q = doses.dose_mgy.shape
    std = np.sqrt(np.maximum(np.diag(doses.covariance_mgy2), 0.0)).reshape(n, q)
    records = []
    keep = []
    for i, organ in enumerate(doses.organs):
        for j, quality in enumerate(doses.qualities):
            if np.isfinite(doses.dose_mgy[i, j]):
                keep.append(i)
                records.append(
                    OrganDose(
                        organ=organ,
                        quality=quality,
                        dose_mgy=float(doses.dose_mgy[i, j]),
                        std_mgy=float(std[i, j]),
                    )
                )
    components = tuple(_restrict(component, keep) for component in doses.components)
    return DoseEvent(
        person_key=person_key,
        exposure_key=result.exposure_key,
        modality=result.modality,
        age_at_exposure_y=age_y,
        doses=tuple(records),
        components=components,
    )


def absent_organs(result: ExposureResult) -> frozenset[str]:
    """Return the organs that the result says the person does not have."""
    doses = result.organ_doses
    pairs = zip(doses.organs, doses.origin, strict=True)
    return frozenset(organ for organ, origin in pairs if origin is Origin.ABSENT)


def _restrict(component: UncertaintyComponent, keep: list[int]) -> UncertaintyComponent:
    if not isinstance(component.std_rel, tuple):
        return component
    return UncertaintyComponent(
        key=component.key,
        distribution=component.distribution,
        std_rel=tuple(component.std_rel[i] for i in keep),
        text=component.text,
    )


def current_events(history: History) -> tuple[DoseEvent, ...]:
    """Return the events that count, oldest age first; refuse what would count twice or not fit."""
    events = sorted((e for e in history if e.current), key=lambda e: e.age_at_exposure_y)
    if not events:
        raise InputError("the history holds no current dose event", todo="estimate an exposure first")
    if len({e.person_key for e in events}) > 1:
        raise InputError("the history mixes two persons", where="person_key", allowed="events of one person")
    keys = [e.exposure_key for e in events]
    if len(set(keys)) != len(keys):
        raise InputError(
            "one exposure stands twice in the history as current",
            where="exposure_key",
            allowed="one current estimate for each exposure",
            todo="mark the older estimate as not current",
        )
    for event in events:
        alien = sorted({d.quality for d in event.doses if d.dose_mgy > 0} - LOW_LET)
        if alien:
            raise InputError(
                f"the risk model is for low-LET radiation and the history holds {', '.join(alien)}",
                allowed=", ".join(sorted(LOW_LET)),
                todo="state an RBE-weighted dose on purpose before asking for a risk",
            )
        if any(d.dose_mgy < 0 for d in event.doses):
            raise InputError("a dose below zero cannot be used", where="doses", allowed="dose >= 0")
        for component in event.components:
            if isinstance(component.std_rel, tuple) and len(component.std_rel) != len(event.doses):
                raise InputError(
                    f"component '{component.key}' has {len(component.std_rel)} values for "
                    f"{len(event.doses)} organ doses",
                    where="components",
                    allowed="one number, or one for each dose of the event in the same order",
                )
    return tuple(events)


def event_dose_mgy(event: DoseEvent) -> dict[str, float]:
    """Return organ -> dose in mGy of one event, qualities summed; doses that are not numbers left out."""
    sums: dict[str, float] = {}
    for dose in event.doses:
        if np.isfinite(dose.dose_mgy):
            name = canonical(dose.organ)
            sums[name] = sums.get(name, 0.0) + dose.dose_mgy
    return sums


class DoseSampler:
    """Draws doses: statistical errors independent, equal component keys fully correlated.

    One standard normal vector is drawn for each component key and shared by all organs and events.
    """

    def __init__(self, rng: np.random.Generator, draws: int, events: tuple[DoseEvent, ...]) -> None:
        self._draws = draws
        keys = sorted({c.key for event in events for c in event.components})
        self._shared = {key: rng.standard_normal(draws) for key in keys}
        self._own: dict[tuple[int, int], ArrayF8] = {}
        for e, event in enumerate(events):
            for d, dose in enumerate(event.doses):
                if dose.std_mgy > 0:
                    self._own[(e, d)] = rng.standard_normal(draws)

    def draw_gy(self, number: int, event: DoseEvent, shares: Mapping[str, float]) -> ArrayF8:
        """Return [draws] of the share-weighted sum of organ doses of event ``number`` in Gy."""
        total_mgy = np.zeros(self._draws)
        for d, dose in enumerate(event.doses):
            share = shares.get(canonical(dose.organ), 0.0)
            if share == 0.0 or not np.isfinite(dose.dose_mgy):
                continue
            values = np.full(self._draws, dose.dose_mgy)
            if (number, d) in self._own:
                values = np.maximum(values + dose.std_mgy * self._own[(number, d)], 0.0)
            for component in event.components:
                std = component.std_rel[d] if isinstance(component.std_rel, tuple) else component.std_rel
                values = values * factor(component.distribution, std, self._shared[component.key])
            total_mgy += share * values
        return total_mgy / 1000.0


def factor(distribution: Distribution, std_rel: float, normal: ArrayF8) -> ArrayF8:
    """Turn standard normal numbers into factors with mean 1 and the given relative standard deviation.

    A normal factor is cut at zero; the others are exact in mean and standard deviation.
    """
    if std_rel <= 0:
        return np.ones_like(normal)
    if distribution is Distribution.LOGNORMAL:
        log_std = np.sqrt(np.log1p(std_rel**2))
        return np.asarray(np.exp(log_std * normal - 0.5 * log_std**2))
    if distribution is Distribution.NORMAL:
        return np.asarray(np.maximum(1.0 + std_rel * normal, 0.0))
    uniform = ndtr(normal)
    if distribution is Distribution.UNIFORM:
        return np.asarray(np.maximum(1.0 + std_rel * np.sqrt(3.0) * (2.0 * uniform - 1.0), 0.0))
    half = std_rel * np.sqrt(6.0)  # symmetric triangle from 1 - half to 1 + half
    low = np.sqrt(2.0 * uniform) - 1.0
    high = 1.0 - np.sqrt(2.0 * (1.0 - uniform))
    cut: ArrayF8 = np.maximum(1.0 + half * np.where(uniform < 0.5, low, high), 0.0)
    return cut


def deliveries(event: DoseEvent) -> int:
    """Return the number of separate deliveries; 0 for a protracted exposure."""
    if event.duration is Duration.PROTRACTED:
        return 0
    return event.fractions if event.duration is Duration.FRACTIONATED else 1
