"""``RegionCurve``: activity of one region against time, its integral, and what makes that uncertain."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, hypot, isfinite, log, nan, sqrt

import numpy as np
import numpy.typing as npt

from omnidose.dosimetry.bed import DoseRate
from omnidose.errors import InputError
from omnidose.kinetics.curves import TimeIntegratedActivity
from omnidose.kinetics.exponentials import integral_gradient, jacobian
from omnidose.kinetics.fits import Fit
from omnidose.kinetics.single_time_point import (
    HalfLifePopulation,
    haenscheid_mbq_h,
    one_sigma,
    population_mbq_h,
    relative_errors,
)
from omnidose.modalities.nuclear.series.exam import OnePoint

ArrayF8 = npt.NDArray[np.float64]

#: Spread of the half-lives of organs and lesions about the one that a person said for all (our assumption).
SAID_SPREAD_REL = 0.3
#: Half-lives where nobody knows one: log-normal about this share of the physical half-life, cut at it (expert
#: judgement: organs after 177Lu, 131I and 90Y compounds keep a fifth to all of the physical half-life).
UNKNOWN_SHARE, UNKNOWN_SPREAD_REL = 0.4, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionCurve:
    """Activity of one region against time.

    Attributes
    ----------
    time_h, activity_mbq, std_rel
        [times] what the scans show, and its relative standard uncertainty.
    amplitudes_mbq, half_lives_h
        [terms] of the curve, extrapolated to the injection; an uptake is negative.
    counting_rel, registration_rel, kinetics_rel
        Relative standard uncertainty of the integral from counts of the points, from their registration,
        and from what the points cannot tell of the curve.
    shape
        In one word or two.
    """

    name: str
    time_h: ArrayF8
    activity_mbq: ArrayF8
    std_rel: ArrayF8
    amplitudes_mbq: tuple[float, ...]
    half_lives_h: tuple[float, ...]
    integral: TimeIntegratedActivity
    counting_rel: float
    registration_rel: float
    kinetics_rel: float
    shape: str

    @property
    def curve_rel(self) -> float:
        """Uncertainty of the integral from points and kinetics, without registration."""
        return hypot(self.counting_rel, self.kinetics_rel)

    @property
    def std_rel_of_integral(self) -> float:
        """All three together."""
        return hypot(self.curve_rel, self.registration_rel)

    @property
    def rate(self) -> DoseRate:
        """Dose rate against time, up to a factor."""
        return DoseRate(amplitudes=self.amplitudes_mbq, half_lives_h=self.half_lives_h)

    @property
    def longest_half_life_h(self) -> float:
        """Effective half-life of the last phase."""
        return max(self.half_lives_h)

    def at_mbq(self, time_h: npt.ArrayLike) -> ArrayF8:
        """[times] the curve."""
        time = np.atleast_1d(np.asarray(time_h, dtype=np.float64))
        parts = np.exp2(-time[:, None] / np.array(self.half_lives_h))
        return np.asarray(parts @ np.array(self.amplitudes_mbq))

    def weights_h(self) -> ArrayF8:
        """[times] factors of images of activity: their sum is the decays with this curve's shape.

        Least squares for the amplitude, all images equally certain.
        """
        shape = self.at_mbq(self.time_h)
        return np.asarray(shape / float(shape @ shape) * self.integral.value_mbq_h)


def curve_of_fit(fit: Fit, *, moved_rel: ArrayF8, shape_rel: float) -> RegionCurve:
    """Return the curve of an accepted fit.

    Parameters
    ----------
    moved_rel
        [times] part of the points' relative uncertainty that comes from registration.
    shape_rel
        Of an integral because a few points cannot tell the shape before the first and after the last.
    """
    curve, integral = fit.curve, fit.integral
    std_rel = curve.std_mbq / np.maximum(curve.activity_mbq, 1e-300)
    # points that scatter more than they say are less certain than they say
    excess = sqrt(max(1.0, fit.chi2 / max(fit.degrees_of_freedom, 1)))
    share = _sensitivities(fit)
    moved = sqrt(float(((share * moved_rel) ** 2).sum())) * excess
    total = integral.std_rel * excess
    if not isfinite(total):
        total = moved = nan
    return RegionCurve(
        name=curve.name,
        time_h=curve.time_h,
        activity_mbq=curve.activity_mbq,
        std_rel=std_rel,
        amplitudes_mbq=tuple(float(a) for a in fit.amplitudes_mbq),
        half_lives_h=tuple(float(t) for t in fit.effective_half_lives_h),
        integral=integral,
        counting_rel=sqrt(max(0.0, total**2 - moved**2)) if isfinite(total) else nan,
        registration_rel=moved,
        kinetics_rel=shape_rel,
        shape=fit.shape.value,
    )


def _sensitivities(fit: Fit) -> ArrayF8:
    """[times] relative change of the integral per relative change of each point, first order."""
    physical = log(2) / fit.half_life_h
    gradient = integral_gradient(fit.shape, fit.free, physical)
    slope = jacobian(fit.shape, fit.free, fit.curve.time_h, physical)
    by_point = (gradient @ fit.covariance @ slope.T) / fit.curve.std_mbq**2
    return np.asarray(by_point * fit.curve.activity_mbq / fit.integral.value_mbq_h)


def curve_of_one_point(
    name: str,
    time_h: float,
    activity_mbq: float,
    *,
    half_life_h: float,
    effective_half_life_h: float | None,
    way: OnePoint,
    point_rel: float,
    moved_rel: float,
) -> RegionCurve:
    """Return the curve through one point.

    Parameters
    ----------
    half_life_h
        Physical.
    effective_half_life_h
        Said by a person for this patient; it wins over ``way``.
    way
        Without it: physical decay, or Haenscheid's approximation.

    Raises
    ------
    InputError
        For a point without activity.
    """
    if not activity_mbq > 0:
        raise InputError("a point holds no activity", where=name)
    unknown = HalfLifePopulation(
        median_h=UNKNOWN_SHARE * half_life_h, spread_rel=UNKNOWN_SPREAD_REL, half_life_h=half_life_h
    )
    if effective_half_life_h is not None:
        half_life, word = effective_half_life_h, "one point, half-life said"
        value = population_mbq_h(activity_mbq, time_h, half_life)
        population = HalfLifePopulation(
            median_h=half_life, spread_rel=SAID_SPREAD_REL, half_life_h=max(half_life_h, half_life)
        )
    elif way is OnePoint.HAENSCHEID:
        value, population, word = haenscheid_mbq_h(activity_mbq, time_h), unknown, "one point, Haenscheid"
        # A(t) 2 t / ln 2 is the integral of an exponential with half-life t through the point
        half_life = min(time_h, half_life_h)
    else:
        half_life, population, word = half_life_h, unknown, "one point, physical decay"
        value = population_mbq_h(activity_mbq, time_h, half_life)
    spread = one_sigma(relative_errors(value / activity_mbq, time_h, population))
    amplitude = value * log(2) / half_life
    total = hypot(spread, point_rel, moved_rel)
    return RegionCurve(
        name=name,
        time_h=np.array([time_h]),
        activity_mbq=np.array([activity_mbq]),
        std_rel=np.array([hypot(point_rel, moved_rel)]),
        amplitudes_mbq=(amplitude,),
        half_lives_h=(half_life,),
        integral=TimeIntegratedActivity(
            value_mbq_h=value,
            std_mbq_h=total * value,
            tail_fraction=min(1.0, exp(-log(2) * time_h / half_life)),
            head_fraction=1 - min(1.0, exp(-log(2) * time_h / half_life)),
            method=word,
        ),
        counting_rel=point_rel,
        registration_rel=moved_rel,
        kinetics_rel=spread,
        shape=word,
    )
