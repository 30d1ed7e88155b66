"""Which shape a time-activity curve has: what may compete, Akaike's criterion, and averaging.

A shape without loss (``retained``, ``uptake retained``) is its falling parent on the physical constant. It
does not compete with it, but stands for it where the parent's own fit was rejected, as it is if it ends on
that constant. AICc would take retention until the points prove a loss: with four points of 5 % a half-life of
140 h would be called the physical 160 h, 9 % too many decays in an interval that misses the truth nine times
of ten. The uncertainty of the loss that was not seen stays in the integral.

Shapes that the points contradict are passed over; among the others the lowest AICc is taken. Where it is
defined for none of them (n <= k + 1) the simplest is, and the integral says that its shape was not tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, nan, sqrt

import numpy as np

from omnidose.errors import InputError
from omnidose.kinetics.curves import ArrayF8, TimeActivityCurve, TimeIntegratedActivity
from omnidose.kinetics.exponentials import Shape, parameter_count, stays
from omnidose.kinetics.fits import Fit, Weights, fit_curve

#: Retention has one parameter and one exponential two: with two points that one passes through both, and
#: retention would be a claim about the body that the second point was made to test.
_SIMPLEST = (Shape.MONO, Shape.UPTAKE_RETAINED, Shape.UPTAKE, Shape.BI, Shape.RETAINED)
#: Shapes without loss, and the shapes that they are a bound of.
_PARENT = {Shape.RETAINED: Shape.MONO, Shape.UPTAKE_RETAINED: Shape.UPTAKE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """All shapes that were tried on one curve, and the one that was taken.

    Attributes
    ----------
    fits
        Every fit, rejected ones too (each says why).
    best
        The accepted fit with the lowest AICc among those that the points do not contradict (all, if they
        contradict all). Where AICc is defined for none of these but pure retention (n <= k + 1), the
        simplest, a falling exponential before pure retention.
    reason
        Why, in words.
    not_tried
        Shapes with more parameters than points, and those without loss whose falling parent is one.
    """

    fits: tuple[Fit, ...]
    best: Fit
    reason: str
    not_tried: tuple[Shape, ...] = ()

    @property
    def candidates(self) -> tuple[Fit, ...]:
        """Accepted fits that AICc compares; if there are none, the best alone."""
        return _comparable(self.fits) or (self.best,)

    def why_not(self, fit: Fit) -> str:
        """Say why a fit was not taken; empty for the best, and for those that only have a higher AICc."""
        if fit is self.best or fit.rejection:
            return fit.rejection
        parent = _PARENT.get(fit.shape)
        if any(f.shape is parent and f.accepted for f in self.fits):
            return f"a bound of {parent}, which the points allow"
        return "the points contradict it" if fit.contradicted else ""

    @property
    def akaike_weights(self) -> ArrayF8:
        """[candidates] exp(-(AICc - lowest) / 2), normalised."""
        if len(self.candidates) == 1:
            return np.ones(1)
        criterion = np.array([f.aicc for f in self.candidates])
        weight = np.exp(-(criterion - criterion.min()) / 2)
        return np.asarray(weight / weight.sum())

    @property
    def integral(self) -> TimeIntegratedActivity:
        """Integral of the best fit; points that scatter more than they say make it less certain.

        Its uncertainty is multiplied with the square root of chi^2 per degree of freedom where that is above
        1 (with absolute weights; relative ones do so in both directions).
        """
        return _with_scatter(self.best)

    @property
    def averaged(self) -> TimeIntegratedActivity:
        """Integral averaged over the candidates by their Akaike weights.

        Its variance is that of the mixture: within each shape and between them (Burnham and Anderson 2002,
        chapter 4).
        """
        if len(self.candidates) == 1:
            return self.integral
        weight = self.akaike_weights
        integrals = [_with_scatter(f) for f in self.candidates]
        value = float(weight @ [i.value_mbq_h for i in integrals])
        variance = sum(
            w * (i.std_mbq_h**2 + (i.value_mbq_h - value) ** 2)
            for w, i in zip(weight, integrals, strict=True)
        )
        names = ", ".join(f"{f.shape.value} {w:.2f}" for f, w in zip(self.candidates, weight, strict=True))
        return TimeIntegratedActivity(
            value_mbq_h=value,
            std_mbq_h=sqrt(variance),
            tail_fraction=float(weight @ [i.tail_fraction * i.value_mbq_h for i in integrals]) / value,
            head_fraction=float(weight @ [i.head_fraction * i.value_mbq_h for i in integrals]) / value,
            method=f"average by Akaike weights: {names}",
            remark="; ".join(dict.fromkeys(i.remark for i in integrals if i.remark)),
        )


def _with_scatter(fit: Fit) -> TimeIntegratedActivity:
    found = fit.integral
    if fit.weights is Weights.RELATIVE or fit.degrees_of_freedom == 0:
        return found
    excess = sqrt(max(1.0, fit.chi2 / fit.degrees_of_freedom))
    return replace(found, std_mbq_h=found.std_mbq_h * excess)


def choose_shape(
    curve: TimeActivityCurve,
    *,
    half_life_h: float,
    weights: Weights = Weights.ABSOLUTE,
    shapes: Sequence[Shape] | None = None,
) -> Choice:
    """Fit several shapes and take the best.

    Parameters
    ----------
    shapes
        Those to try; by default all. With an infinite half-life those without loss are left out.

    Raises
    ------
    InputError
        If there are fewer points than the simplest shape has parameters, or every fit was rejected (the
        message says why each).
    """
    wanted = tuple(shapes or Shape)
    if half_life_h == inf:
        wanted = tuple(s for s in wanted if not stays(s))
    fitting = tuple(s for s in wanted if parameter_count(s) <= len(curve))
    # without its falling parent, that nothing leaves is a claim and no choice
    tried = tuple(s for s in fitting if _PARENT.get(s) not in wanted or _PARENT[s] in fitting)
    if not tried:
        raise InputError(
            f"{len(curve)} point{'s are' if len(curve) != 1 else ' is'} too few for any of "
            f"{', '.join(s.value for s in wanted)}",
            where=curve.name,
            todo="use a method for a single time point (omnidose.kinetics.single_time_point)",
        )
    fits = _as_candidates(tuple(fit_curve(curve, s, half_life_h=half_life_h, weights=weights) for s in tried))
    best, reason = _best(fits)
    return Choice(fits=fits, best=best, reason=reason, not_tried=tuple(s for s in wanted if s not in tried))


def _as_candidates(fits: tuple[Fit, ...]) -> tuple[Fit, ...]:
    """Say where AICc is not defined, and give shapes without loss the uncertainty of their parent's."""
    by_shape = {f.shape: f for f in fits}
    out = []
    for fit in (replace(f, untested=not isfinite(f.aicc)) for f in fits):
        parent = by_shape.get(_PARENT.get(fit.shape, fit.shape))
        if parent is None or parent.shape is fit.shape:
            out.append(fit)
            continue
        own, whole = fit.integral.std_mbq_h, parent.integral.std_mbq_h
        loss = sqrt(max(whole**2 - own**2, 0.0)) if isfinite(whole) else nan
        out.append(replace(fit, loss_std_mbq_h=loss))
    return tuple(out)


def _possible(fits: Sequence[Fit]) -> list[Fit]:
    """Return the accepted fits that the points do not contradict, or all accepted ones if they all are.

    Shapes without loss are among them only where their parent was not accepted, or not tried.
    """
    accepted = {f.shape: f for f in fits if f.accepted}
    standing = [f for shape, f in accepted.items() if _PARENT.get(shape) not in accepted]
    return [f for f in standing if not f.contradicted] or standing


def _comparable(fits: Sequence[Fit]) -> tuple[Fit, ...]:
    """Return the possible fits that AICc compares: none where it knows pure retention alone.

    With three points (four, with relative weights) AICc is defined for the one parameter of retention only,
    which would then win whatever the points say.
    """
    possible = _possible(fits)
    defined = tuple(f for f in possible if isfinite(f.aicc))
    falling = any(f.shape is not Shape.RETAINED for f in possible)
    if falling and all(f.shape is Shape.RETAINED for f in defined):
        return ()
    return defined


def _best(fits: Sequence[Fit]) -> tuple[Fit, str]:
    if not any(f.accepted for f in fits):
        why = "; ".join(f"{f.shape.value}: {f.rejection}" for f in fits)
        raise InputError(
            f"no shape describes the curve ({why})",
            where=fits[0].curve.name,
            todo="check times and half-life, or integrate by trapezoids",
        )
    possible, defined = _possible(fits), _comparable(fits)
    if not defined:
        best = min(possible, key=lambda f: _SIMPLEST.index(f.shape))
        return best, "too few points for AICc (n <= k + 1): the simplest curve that they allow"
    best = min(defined, key=lambda f: f.aicc)
    if len(defined) == 1:
        return best, "the only one that the points allow and AICc is defined for"
    return best, f"lowest AICc ({best.aicc:.1f}) of {len(defined)} shapes"
