"""Lifetime attributable risk (first version: BEIR VII), with an interval and the baseline beside it.

The door is :func:`omnidose.risk.engine.lifetime_risk`; a model is anything that keeps the protocol
:class:`omnidose.risk.models.RiskModel` and is announced in the entry-point group
``omnidose.risk_models``.
"""

from __future__ import annotations

from omnidose.risk.engine import exposure_risk, lifetime_risk
from omnidose.risk.exposures import dose_event
from omnidose.risk.population import Population, population
from omnidose.risk.results import RiskEstimate, RiskResult, SiteRisk

__all__ = [
    "Population",
    "RiskEstimate",
    "RiskResult",
    "SiteRisk",
    "dose_event",
    "exposure_risk",
    "lifetime_risk",
    "population",
]
