"""What the risk engine returns."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from omnidose.provenance import Assumption


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskEstimate:
    """A probability with its interval.

    Attributes
    ----------
    central_fraction
        The model's own formula at its central parameters and doses, no random numbers.
    mean_fraction
        Mean over the draws; above ``central_fraction`` where the distribution leans to high values.
    lower_fraction, upper_fraction
        2.5 and 97.5 % of the draws. A negative lower bound is legitimate: the data do not exclude it.
    """

    central_fraction: float
    mean_fraction: float
    lower_fraction: float
    upper_fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRisk:
    """Lifetime attributable risk of one cancer site.

    Attributes
    ----------
    site
        Name of the cancer site (``lung``, ``leukaemia``, …).
    dose_mgy
        Dose of the organs behind it, summed over the history.
    baseline_fraction
        Chance of this cancer without the exposure, from the age at the first exposure on; None if
        the population has no statistics for it.
    relative_transfer
        False where only the absolute transfer could be used, for lack of baseline statistics.
    """

    site: str
    organs: tuple[str, ...]
    dose_mgy: float
    risk: RiskEstimate
    baseline_fraction: float | None
    relative_transfer: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskResult:
    """Lifetime attributable risk of cancer incidence of one person.

    Attributes
    ----------
    total
        Sum over the sites, draw by draw.
    baseline_fraction
        Chance of any cancer (but non-melanoma skin cancer) from ``age_y`` to 100 without the exposure.
    age_y
        Age at the first counted exposure: all risks count from it.
    not_estimated
        (site, reason) of every site left out of the total.
    """

    model: str
    model_source: str
    population: str
    population_text: str
    sex: str
    age_y: float
    sites: tuple[SiteRisk, ...]
    total: RiskEstimate
    baseline_fraction: float
    not_estimated: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    draws: int
    seed: int
    tables: dict[str, str] = field(default_factory=dict)

    def site(self, name: str) -> SiteRisk:
        """Return one site (KeyError if it was not estimated)."""
        for site in self.sites:
            if site.site == name:
                return site
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)
