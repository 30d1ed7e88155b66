"""Which shape a time-activity curve has: Akaike's criterion, its limits with few points, and averaging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt

import numpy as np

from omnidose.errors import InputError
from omnidose.kinetics.curves import ArrayF8, TimeActivityCurve, TimeIntegratedActivity
from omnidose.kinetics.exponentials import Shape, parameter_count, stays
from omnidose.kinetics.fits import Fit, Weights, fit_curve

#: Retention has one parameter and one exponential two: with two points that one passes through both, and
#: retention would be a claim about the body that the second point was made to test.
_SIMPLEST = (Shape.MONO, Shape.UPTAKE_RETAINED, Shape.UPTAKE, Shape.BI, Shape.RETAINED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """All shapes that were tried on one curve, and the one that was taken.

    Attributes
    ----------
    fits
        Every fit, rejected ones too (each says why).
    best
        The accepted fit with the lowest AICc among those that the points do not contradict (all, if they
        contradict all). Where AICc is defined for none of these but pure retention (n <= k + 1), the one with
        the fewest parameters, a falling exponential before pure retention.
    reason
        Why, in words.
    not_tried
        Shapes with more parameters than points.
    """

    fits: tuple[Fit, ...]
    best: Fit
    reason: str
    not_tried: tuple[Shape, ...] = ()

    @property
    def candidates(self) -> tuple[Fit, ...]:
        """Accepted fits that AICc compares; if there are none, the best alone."""
        return _comparable(self.fits) or (self.best,)

    @property
    def akaike_weights(self) -> ArrayF8:
        """[candidates] exp(-(AICc - lowest) / 2), normalised."""
        if len(self.candidates) == 1:
            return np.ones(1)
        criterion = np.array([f.aicc for f in self.candidates])
        weight = np.exp(-(criterion - criterion.min()) / 2)
        return np.asarray(weight / weight.sum())

    @property
    def averaged(self) -> TimeIntegratedActivity:
        """Integral averaged over the candidates by their Akaike weights.

        Its variance is that of the mixture: within each shape and between them (Burnham and Anderson 2002,
        chapter 4).
        """
        weight = self.akaike_weights
        integrals = [f.integral for f in self.candidates]
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
        )


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
    tried = tuple(s for s in wanted if parameter_count(s) <= len(curve))
    if not tried:
        raise InputError(
            f"{len(curve)} point{'s are' if len(curve) != 1 else ' is'} too few for any of "
            f"{', '.join(s.value for s in wanted)}",
            where=curve.name,
            todo="use a method for a single time point (omnidose.kinetics.single_time_point)",
        )
    fits = tuple(fit_curve(curve, s, half_life_h=half_life_h, weights=weights) for s in tried)
    best, reason = _best(fits)
    return Choice(fits=fits, best=best, reason=reason, not_tried=tuple(s for s in wanted if s not in tried))


def _possible(fits: Sequence[Fit]) -> list[Fit]:
    """Return the accepted fits that the points do not contradict, or all accepted ones if they all are.

    With few points AICc is defined for the shapes with few parameters only, and a curve that rises would be
    taken for one that falls. Uptake that stays competes only where an uptake that leaves ended on the
    physical constant: with five points AICc wants a chi^2 lower by 20 before it sees that something leaves.
    """
    accepted = [f for f in fits if f.accepted]
    if any(f.shape is Shape.UPTAKE for f in accepted):
        accepted = [f for f in accepted if f.shape is not Shape.UPTAKE_RETAINED]
    return [f for f in accepted if not f.contradicted] or accepted


def _comparable(fits: Sequence[Fit]) -> tuple[Fit, ...]:
    """Return the possible fits that AICc compares: none where it knows pure retention alone.

    With three points AICc is defined for the one parameter of retention only, which would then win whatever
    the points say.
    """
    possible = _possible(fits)
    defined = tuple(f for f in possible if isfinite(f.aicc))
    falling = any(f.shape is not Shape.RETAINED for f in possible)
    if falling and all(f.shape is Shape.RETAINED for f in defined):
        return ()
    return defined


def _best(fits: Sequence[Fit]) -> tuple[Fit, str]:
    accepted = [f for f in fits if f.accepted]
    if not accepted:
        why = "; ".join(f"{f.shape.value}: {f.rejection}" for f in fits)
        raise InputError(
            f"no shape describes the curve ({why})",
            where=fits[0].curve.name,
            todo="check times and half-life, or integrate by trapezoids",
        )
    defined = _comparable(accepted)
    if defined:
        best = min(defined, key=lambda f: f.aicc)
        return best, f"lowest AICc ({best.aicc:.1f}) of {len(defined)} accepted shapes"
    best = min(_possible(accepted), key=lambda f: _SIMPLEST.index(f.shape))
    return best, "too few points for AICc (n <= k + 1): the simplest curve that they allow"
