"""One shape fitted to one time-activity curve: parameters, covariance, integral, and a reason to reject it.

Least squares with weights 1 / std^2. Start: the best of a grid of constants, with the best amplitudes of 0 or
more for each (they enter linearly); then a bounded Gauss-Newton (trust region) step with analytic derivatives
in all parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from math import inf, isfinite, nan

import numpy as np

from omnidose.errors import InputError
from omnidose.kinetics import exponentials as exponential
from omnidose.kinetics.curves import (
    ArrayF8,
    TimeActivityCurve,
    TimeIntegratedActivity,
    decay_constant_per_h,
)
from omnidose.kinetics.exponentials import Shape

#: A constant is on its bound if it changes nothing over the measured time, or nothing is left of it at the
#: first.
ON_BOUND = 1e-6
#: A misfit that the uncertainties of the points explain less often than this contradicts the curve.
LEAST_PROBABILITY = 1e-3
#: An amplitude below this share of the largest measured activity is nothing.
NO_AMPLITUDE = 1e-9
#: Said of an integral whose shape no criterion could compare.
UNTESTED = (
    "the points are too few to test the shape of the curve: another shape may have an integral outside the "
    "uncertainty"
)
_GRID_POINTS = 15
_STARTS = 4
_FEW, _MANY = 40, 400


class Weights(StrEnum):
    """What the uncertainties of the points mean."""

    ABSOLUTE = "absolute"  # standard uncertainties
    RELATIVE = "relative"  # only their ratios: the scale comes from the scatter about the curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A shape fitted to a curve.

    Attributes
    ----------
    free
        [k] amplitudes (MBq) and differences of constants (per h), see :mod:`omnidose.kinetics.exponentials`.
    covariance
        [k, k] of ``free``; NaN where the data cannot tell.
    half_life_h
        Physical half-life; infinite where it was left out of account.
    rejection
        Why this fit must not be used; empty if nothing speaks against it.
    loss_std_mbq_h
        Of a shape without loss that stands for one whose loss was not seen: how uncertain the integral is
        because of that loss. 0 where the shape was asked for: then it is a claim.
    untested
        Among shapes to choose from, AICc was not defined for this one.
    """

    curve: TimeActivityCurve
    shape: Shape
    half_life_h: float
    weights: Weights
    free: ArrayF8
    covariance: ArrayF8
    rejection: str = ""
    loss_std_mbq_h: float = 0.0
    untested: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the fit may be used."""
        return not self.rejection

    @property
    def _physical_per_h(self) -> float:
        return decay_constant_per_h(self.half_life_h)

    @property
    def parameter_count(self) -> int:
        """Number of free parameters k."""
        return exponential.parameter_count(self.shape)

    @property
    def degrees_of_freedom(self) -> int:
        """Points less parameters."""
        return len(self.curve) - self.parameter_count

    @property
    def constants_per_h(self) -> ArrayF8:
        """[terms] effective constants, slowest first."""
        return exponential.constants_per_h(self.shape, self.free, self._physical_per_h)

    @property
    def constants_std_per_h(self) -> ArrayF8:
        """[terms] standard uncertainties of the effective constants; 0 for pure retention."""
        slopes = exponential.constant_gradient(self.shape)
        variance = np.einsum("ti,ij,tj->t", slopes, self.covariance, slopes)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))

    @property
    def amplitudes_mbq(self) -> ArrayF8:
        """[terms] amplitudes; the uptake of :attr:`Shape.UPTAKE` is negative."""
        return exponential.amplitudes_mbq(self.shape, self.free)

    @property
    def effective_half_lives_h(self) -> ArrayF8:
        """[terms] effective half-lives, longest first."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(2) / self.constants_per_h)

    def activity_mbq(self, time_h: ArrayF8) -> ArrayF8:
        """[times] the fitted curve."""
        time = np.atleast_1d(np.asarray(time_h, dtype=np.float64))
        return exponential.activity_mbq(self.shape, self.free, time, self._physical_per_h)

    @property
    def residuals_mbq(self) -> ArrayF8:
        """[n] measured less fitted."""
        return np.asarray(self.curve.activity_mbq - self.activity_mbq(self.curve.time_h))

    @property
    def chi2(self) -> float:
        """Sum of the squared residuals over their variances."""
        return float(((self.residuals_mbq / self.curve.std_mbq) ** 2).sum())

    @property
    def contradicted(self) -> bool:
        """Whether the points lie further from the curve than their standard uncertainties explain.

        Never with relative weights: these know no scale. A curve with as many parameters as points should
        pass through them and is judged as if it had one fewer.
        """
        if self.weights is Weights.RELATIVE:
            return False
        from scipy.special import chdtrc

        return bool(chdtrc(max(self.degrees_of_freedom, 1), self.chi2) < LEAST_PROBABILITY)

    @property
    def r_squared(self) -> float:
        """Coefficient of determination, without weights; NaN if all points are equal."""
        measured = self.curve.activity_mbq
        total = float(((measured - measured.mean()) ** 2).sum())
        return 1.0 - float((self.residuals_mbq**2).sum()) / total if total > 0 else nan

    @property
    def aicc(self) -> float:
        """Akaike's criterion corrected for few points; NaN where it is not defined (n <= k + 1).

        chi^2 + 2 k + 2 k (k + 1) / (n - k - 1) with absolute weights. With relative ones the scale of the
        scatter is one more parameter: n ln(chi^2 / n) + the same with k + 1 (Burnham and Anderson 2002,
        *Model selection and multimodel inference*, chapter 2).

        The correction is that for an unknown scatter; with known uncertainties chi^2 + 2 k would do (Maier
        2013, arXiv:1305.5493). It is kept for both, as in the field: in our simulations of 3 to 6 points it
        has the smaller error of the integral.
        """
        n, k = len(self.curve), self.parameter_count
        misfit = self.chi2
        if self.weights is Weights.RELATIVE:
            k += 1
            misfit = n * np.log(misfit / n) if misfit > 0 else -inf
        if n <= k + 1:
            return nan
        return float(misfit + 2 * k + 2 * k * (k + 1) / (n - k - 1))

    @property
    def integral(self) -> TimeIntegratedActivity:
        """Time-integrated activity from 0 to infinity, its uncertainty to first order in the covariance."""
        value = exponential.integral_mbq_h(self.shape, self.free, self._physical_per_h)
        gradient = exponential.integral_gradient(self.shape, self.free, self._physical_per_h)
        variance = float(gradient @ self.covariance @ gradient) + self.loss_std_mbq_h**2
        first_h, last_h = float(self.curve.time_h[0]), float(self.curve.time_h[-1])
        return TimeIntegratedActivity(
            value_mbq_h=value,
            std_mbq_h=float(np.sqrt(variance)) if variance >= 0 and isfinite(variance) else nan,
            tail_fraction=self.after_fraction(last_h),
            head_fraction=1.0 - self.after_fraction(first_h),
            method=f"{self.shape.value} fit",
            remark=self._remark,
        )

    @property
    def _remark(self) -> str:
        said = [UNTESTED] if self.untested else []
        if self.contradicted:
            said.append(self._contradiction)
        return "; ".join(said)

    @property
    def _contradiction(self) -> str:
        return (
            f"the points lie further from the {self.shape.value} curve than their uncertainties explain "
            f"(chi^2 {self.chi2:.3g} with {self.degrees_of_freedom} degrees of freedom): the curve or the "
            "uncertainties are wrong"
        )

    def after_fraction(self, from_h: float) -> float:
        """Share of the integral after a time; NaN for an integral of 0."""
        value = exponential.integral_mbq_h(self.shape, self.free, self._physical_per_h)
        after = exponential.integral_mbq_h(self.shape, self.free, self._physical_per_h, from_h)
        return after / value if value > 0 else nan

    def log_gradient_of_ratio(self, time_h: float) -> ArrayF8:
        """[k] derivatives of ln(integral / activity at a time)."""
        physical, time = self._physical_per_h, np.array([time_h])
        value = exponential.integral_mbq_h(self.shape, self.free, physical)
        of_integral = exponential.integral_gradient(self.shape, self.free, physical) / value
        of_activity = exponential.jacobian(self.shape, self.free, time, physical)[0]
        return np.asarray(of_integral - of_activity / self.activity_mbq(time)[0])

    def sampled_integrals_mbq_h(self, *, draws: int = 4000, seed: int = 1) -> ArrayF8:
        """[up to draws] integrals of parameters drawn from their normal distribution, impossible ones left
        out.

        Beside the first-order uncertainty of :attr:`integral`: where both differ, the curve is poorly
        determined.

        Raises
        ------
        InputError
            If the covariance is not known.
        """
        if not np.isfinite(self.covariance).all():
            raise InputError("a fit without a covariance cannot be sampled", where=self.curve.name)
        rng = np.random.default_rng(seed)
        free = rng.multivariate_normal(self.free, self.covariance, size=draws, method="eigh")
        possible = free[(free >= 0).all(axis=1)]
        values = [exponential.integral_mbq_h(self.shape, x, self._physical_per_h) for x in possible]
        return np.array([v for v in values if isfinite(v)])


def fit_curve(
    curve: TimeActivityCurve, shape: Shape, *, half_life_h: float, weights: Weights = Weights.ABSOLUTE
) -> Fit:
    """Fit one shape to a curve.

    Parameters
    ----------
    half_life_h
        Physical half-life: no effective constant falls below its. ``math.inf`` leaves it out of account.
    weights
        Whether ``curve.std_mbq`` are standard uncertainties or only weights.

    Raises
    ------
    InputError
        For fewer points than parameters, or if no point holds any activity.
    """
    physical = decay_constant_per_h(half_life_h)
    k = exponential.parameter_count(shape)
    if len(curve) < k:
        raise InputError(
            f"{len(curve)} points cannot determine the {k} parameters of a {shape.value} curve",
            where=curve.name,
            allowed=f"at least {k} points",
            todo="take a simpler curve, or a method for a single time point",
        )
    if not curve.activity_mbq.any():
        raise InputError("no point of the curve holds any activity", where=curve.name)
    free = _solve(curve, shape, physical)
    scaled = exponential.jacobian(shape, free, curve.time_h, physical) / curve.std_mbq[:, None]
    covariance = _covariance(scaled)
    determined = bool(np.isfinite(covariance).all())
    fit = Fit(
        curve=curve, shape=shape, half_life_h=half_life_h, weights=weights, free=free, covariance=covariance
    )
    if weights is Weights.RELATIVE:
        dof = fit.degrees_of_freedom
        covariance = covariance * (fit.chi2 / dof if dof > 0 else nan)
    return Fit(
        curve=curve,
        shape=shape,
        half_life_h=half_life_h,
        weights=weights,
        free=free,
        covariance=covariance,
        rejection=_rejection(curve, shape, free, covariance if determined else None, physical),
    )


def _solve(curve: TimeActivityCurve, shape: Shape, physical: float) -> ArrayF8:
    from scipy.optimize import OptimizeResult, least_squares

    def misfit(free: ArrayF8) -> ArrayF8:
        fitted = exponential.activity_mbq(shape, free, curve.time_h, physical)
        return np.asarray((fitted - curve.activity_mbq) / curve.std_mbq)

    def slope(free: ArrayF8) -> ArrayF8:
        return exponential.jacobian(shape, free, curve.time_h, physical) / curve.std_mbq[:, None]

    def run(start: ArrayF8, evaluations: int) -> OptimizeResult:
        return least_squares(
            misfit,
            start,
            jac=slope,
            bounds=(0.0, inf),
            x_scale=np.maximum(start, 1e-12),
            xtol=1e-12,
            ftol=1e-12,
            gtol=1e-12,
            max_nfev=evaluations,
        )

    # a few steps from each start tell which valley is the deepest; only there is it worth to go to the bottom
    tried = [run(start, _FEW) for start in _starts(curve, shape, physical)]
    best = min(tried, key=lambda found: float(found.cost))
    if best.status == 0:  # the evaluations were used up
        best = run(np.maximum(best.x, 1e-300), _MANY)
    return np.asarray(best.x, dtype=np.float64)


def _starts(curve: TimeActivityCurve, shape: Shape, physical: float) -> list[ArrayF8]:
    """Return the best points of a grid of constants, amplitudes fitted for each."""
    from scipy.optimize import nnls

    first_h = curve.time_h[curve.time_h > 0][:1]
    shortest_h = float(first_h[0]) if first_h.size else 1.0
    longest_h = max(float(curve.time_h[-1]), shortest_h)
    grid = np.geomspace(0.03 / longest_h, 6.0 / shortest_h, _GRID_POINTS)
    measured = curve.activity_mbq / curve.std_mbq
    found: list[tuple[float, ArrayF8]] = []
    for rates in product(grid, repeat=exponential.rate_count(shape)):
        columns = exponential.basis(shape, np.array(rates), curve.time_h, physical)
        amplitudes, misfit = nnls(columns / curve.std_mbq[:, None], measured)
        # strictly inside: a trust region cannot leave a bound it starts on
        inside = np.maximum(amplitudes, 1e-3 * curve.activity_mbq.max())
        found.append((float(misfit), np.concatenate([inside, rates])))
    found.sort(key=lambda pair: pair[0])
    return [free for _misfit, free in found[:_STARTS]]


def _covariance(scaled_jacobian: ArrayF8) -> ArrayF8:
    """Return (J^T J)^-1, NaN if the columns of J depend on each other."""
    k = scaled_jacobian.shape[1]
    size = np.sqrt((scaled_jacobian**2).sum(axis=0))
    if not (size > 0).all():
        return np.full((k, k), nan)
    _u, values, rows = np.linalg.svd(scaled_jacobian / size, full_matrices=False)
    if values[-1] < 1e-10 * values[0]:
        return np.full((k, k), nan)
    half = rows.T / values / size[:, None]
    return np.asarray(half @ half.T)


def _rejection(
    curve: TimeActivityCurve, shape: Shape, free: ArrayF8, covariance: ArrayF8 | None, physical: float
) -> str:
    """Say what speaks against a fit; ``covariance``: None if singular, NaN if its scale is not known."""
    amplitudes, rates = exponential.split(shape, free)
    last_h = curve.time_h[-1]
    if (amplitudes < NO_AMPLITUDE * curve.activity_mbq.max()).any():
        return "an amplitude is 0: a simpler curve says the same"
    if not exponential.stays(shape) and rates[0] * last_h < ON_BOUND:
        if physical > 0:
            return "the slowest constant ended on the physical one: nothing leaves but by decay"
        return "the slowest constant is 0: the curve never falls"
    if exponential.term_count(shape) > 1:
        if rates[-1] * last_h < ON_BOUND:
            return "both constants are the same"
        if covariance is None or covariance[-1, -1] >= rates[-1] ** 2:
            return "the faster constant is not determined by these times"
    if covariance is None:
        return ""
    gradient = exponential.integral_gradient(shape, free, physical)
    variance = float(gradient @ covariance @ gradient)
    if variance > exponential.integral_mbq_h(shape, free, physical) ** 2:
        return "the integral is less certain than its own value"
    return ""
