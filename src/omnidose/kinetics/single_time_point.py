"""Time-integrated activity from one measurement, and what that costs.

All three methods take the curve after uptake as one exponential. What they do not know is its constant: the
spread of effective half-lives in a population, log-normal as seen in patients (PMC8882881), is the
uncertainty of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, log, nan

import numpy as np

from omnidose.errors import InputError
from omnidose.kinetics.curves import ArrayF8, TimeIntegratedActivity, decay_constant_per_h
from omnidose.kinetics.fits import Fit

#: Equally probable half-lives that stand for a log-normal population.
_POPULATION = 4001
#: Central share of a normal distribution within one standard deviation.
_ONE_SIGMA_FRACTION = 0.6826894921370859


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfLifePopulation:
    """Effective half-lives of one tissue in many patients: log-normal.

    Attributes
    ----------
    median_h
        Median effective half-life.
    spread_rel
        Standard deviation of its logarithm (0.2: about 20 %).
    half_life_h
        Physical half-life: draws above it are cut off, because nothing decays slower. Infinite: no cut.
    source
        Whose patients.
    """

    median_h: float
    spread_rel: float
    half_life_h: float
    source: str = ""

    def __post_init__(self) -> None:
        if not (isfinite(self.median_h) and self.median_h > 0):
            raise InputError("the median effective half-life is not positive", where="median_h")
        if not (isfinite(self.spread_rel) and self.spread_rel >= 0):
            raise InputError("the spread of half-lives is negative", where="spread_rel", allowed="0 or more")
        decay_constant_per_h(self.half_life_h)
        if self.median_h > self.half_life_h:
            raise InputError(
                f"a median effective half-life of {self.median_h:.4g} h is longer than the physical "
                f"{self.half_life_h:.4g} h",
                where="median_h",
                todo="check whether it is a biological half-life",
            )

    def equally_likely_h(self) -> ArrayF8:
        """[n] half-lives at the mid-points of n equally likely shares of the population."""
        from scipy.special import ndtr, ndtri

        # the cut at the physical half-life takes away the upper part and leaves the rest as it is
        top = 1.0
        if self.spread_rel > 0 and self.half_life_h < inf:
            top = float(ndtr(log(self.half_life_h / self.median_h) / self.spread_rel))
        share = top * (np.arange(_POPULATION) + 0.5) / _POPULATION
        return np.asarray(self.median_h * np.exp(self.spread_rel * ndtri(share)))


def _check(activity_mbq: float, std_rel: float, time_h: float) -> None:
    for name, value, low in (("activity_mbq", activity_mbq, 0.0), ("std_rel", std_rel, 0.0)):
        if not (isfinite(value) and value >= low):
            raise InputError(f"{value} cannot be used", where=name, allowed="0 or more")
    if not (isfinite(time_h) and time_h > 0):
        raise InputError(f"a scan at {time_h} h cannot be used", where="time_h", allowed="more than 0 h")


def haenscheid_mbq_h(activity_mbq: float, time_h: float) -> float:
    """Return A(t) 2 t / ln 2: within about 12 % for scans after 0.75 to 2.5 effective half-lives, exact after
    one and two.

    Haenscheid et al. 2018, J Nucl Med 59:75.
    """
    return activity_mbq * 2.0 * time_h / log(2)


def population_mbq_h(activity_mbq: float, time_h: float, effective_half_life_h: float) -> float:
    """Return A(t) exp(l t) / l with the constant of a population (Madsen et al. 2018, Med Phys 45:2318)."""
    return activity_mbq * float(integral_per_mbq_h(time_h, np.array([effective_half_life_h]))[0])


def haenscheid(
    activity_mbq: float, time_h: float, *, std_rel: float, population: HalfLifePopulation | None = None
) -> TimeIntegratedActivity:
    """Integrate one measurement by Haenscheid's approximation.

    Parameters
    ----------
    std_rel
        Relative standard uncertainty of the measurement.
    population
        Half-lives of this tissue; None leaves the uncertainty unknown (NaN), not small.
    """
    _check(activity_mbq, std_rel, time_h)
    value = haenscheid_mbq_h(activity_mbq, time_h)
    return _single(value, activity_mbq, time_h, std_rel, population, "one time point, Haenscheid 2018")


def population_half_life(
    activity_mbq: float, time_h: float, *, std_rel: float, population: HalfLifePopulation
) -> TimeIntegratedActivity:
    """Integrate one measurement with the median half-life of a population (Madsen 2018)."""
    _check(activity_mbq, std_rel, time_h)
    value = population_mbq_h(activity_mbq, time_h, population.median_h)
    return _single(value, activity_mbq, time_h, std_rel, population, "one time point, population half-life")


def _single(
    value: float,
    activity_mbq: float,
    time_h: float,
    std_rel: float,
    population: HalfLifePopulation | None,
    method: str,
) -> TimeIntegratedActivity:
    std = nan
    if population is not None:
        errors = (
            relative_errors(value / activity_mbq, time_h, population) if activity_mbq > 0 else np.zeros(1)
        )
        std = value * float(np.hypot(std_rel, one_sigma(errors)))
    tail = nan
    if activity_mbq > 0 and population is not None:
        tail = float(min(1.0, activity_mbq * population.median_h / log(2) / value))
    return TimeIntegratedActivity(
        value_mbq_h=value, std_mbq_h=std, tail_fraction=tail, head_fraction=nan, method=method
    )


def relative_errors(value_per_mbq_h: float, time_h: float, population: HalfLifePopulation) -> ArrayF8:
    """[n] true over estimated integral, less 1, over a population.

    Parameters
    ----------
    value_per_mbq_h
        Estimated integral per MBq at the time of the scan.

    Notes
    -----
    The true integral per activity at time t, T exp(t ln 2 / T) / ln 2, is least at T = t ln 2: the error is
    one-sided there and first-order propagation would say 0. For short half-lives it grows without bound (it
    has no mean over a log-normal population), hence quantiles and no moments.
    """
    half_lives = population.equally_likely_h()
    true = integral_per_mbq_h(time_h, half_lives)
    return np.asarray(true / value_per_mbq_h - 1.0)


def integral_per_mbq_h(time_h: float, half_lives_h: ArrayF8) -> ArrayF8:
    """[n] integral per MBq at the time of the scan for effective half-lives."""
    constant = np.log(2) / half_lives_h
    return np.asarray(np.exp(constant * time_h) / constant)


def one_sigma(errors: ArrayF8) -> float:
    """Return the half-width about 0 that holds 68.3 % of the errors: bias and spread together."""
    return float(np.quantile(np.abs(errors), _ONE_SIGMA_FRACTION))


def prior_cycle(
    activity_mbq: float, time_h: float, *, std_rel: float, prior: Fit, change_std_rel: float
) -> TimeIntegratedActivity:
    """Scale the curve of an earlier cycle to one measurement of this one.

    Parameters
    ----------
    prior
        Accepted fit of the earlier cycle, hours after its injection.
    change_std_rel
        Relative standard uncertainty of the integral because kinetics change between cycles; stated by the
        caller (0 only if it was looked at).

    Raises
    ------
    InputError
        If the earlier fit was rejected, or has no activity at that time.
    """
    _check(activity_mbq, std_rel, time_h)
    if not prior.accepted:
        raise InputError(f"the fit of the prior cycle was rejected: {prior.rejection}", where="prior")
    then = float(prior.activity_mbq(np.array([time_h]))[0])
    if not then > 0:
        raise InputError(f"the prior cycle has no activity at {time_h} h", where="prior")
    before = prior.integral
    value = before.value_mbq_h * activity_mbq / then
    after = prior.after_fraction(time_h)
    rel = np.sqrt(std_rel**2 + _shape_std_rel(prior, time_h) ** 2 + change_std_rel**2)
    return TimeIntegratedActivity(
        value_mbq_h=value,
        std_mbq_h=float(rel * value),
        tail_fraction=after,
        head_fraction=1.0 - after,
        method="one time point on the curve of a prior cycle",
    )


def _shape_std_rel(prior: Fit, time_h: float) -> float:
    """Relative uncertainty of integral over activity at ``time_h`` of a fit (its amplitude cancels)."""
    gradient = prior.log_gradient_of_ratio(time_h)
    variance = float(gradient @ prior.covariance @ gradient)
    return float(np.sqrt(max(0.0, variance))) if isfinite(variance) else nan
