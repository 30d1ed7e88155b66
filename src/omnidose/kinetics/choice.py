"""Which shape a time-activity curve has: Akaike's criterion, its limits with few points, and averaging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt

import numpy as np

from omnidose.errors import InputError
from omnidose.kinetics.curves import ArrayF8, TimeActivityCurve, TimeIntegratedActivity
from omnidose.kinetics.exponentials import Shape, parameter_count
from omnidose.kinetics.fits import Fit, Weights, fit_curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """All shapes that were tried on one curve, and the one that was taken.

    Attributes
    ----------
    fits
        Every fit, rejected ones too (each says why).
    best
        The accepted fit with the lowest AICc. Where AICc is defined for no falling exponential (n <= k + 1),
        the accepted one with the fewest parameters, a falling exponential before pure retention.
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
        Those to try; by default all. Pure retention is tried only with a finite half-life.

    Raises
    ------
    InputError
        If there are fewer points than the simplest shape has parameters, or every fit was rejected (the
        message says why each).
    """
    wanted = tuple(shapes or Shape)
    if half_life_h == inf:
        wanted = tuple(s for s in wanted if s is not Shape.RETAINED)
    tried = tuple(s for s in wanted if parameter_count(s) <= len(curve))
    if not tried:
        raise InputError(
            f"{len(curve)} points are too few for any of {', '.join(s.value for s in wanted)}",
            where=curve.name,
            todo="use a method for a single time point (omnidose.kinetics.single_time_point)",
        )
    fits = tuple(fit_curve(curve, s, half_life_h=half_life_h, weights=weights) for s in tried)
    best, reason = _best(fits)
    return Choice(fits=fits, best=best, reason=reason, not_tried=tuple(s for s in wanted if s not in tried))


def _comparable(fits: Sequence[Fit]) -> tuple[Fit, ...]:
    """Return the accepted fits that AICc compares: none where it knows pure retention alone.

    With three points AICc is defined for the one parameter of retention only, which would then win whatever
    the points say.
    """
    accepted = [f for f in fits if f.accepted]
    defined = tuple(f for f in accepted if isfinite(f.aicc))
    falling = any(f.shape is not Shape.RETAINED for f in accepted)
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
    # RETAINED has one parameter and MONO two: with two points MONO passes through both, and retention would
    # be a claim about the body that the second point was made to test
    falling = [f for f in accepted if f.shape is not Shape.RETAINED] or accepted
    best = min(falling, key=lambda f: f.parameter_count)
    return best, "too few points for AICc (n <= k + 1): the simplest falling curve"
