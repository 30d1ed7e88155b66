"""Biologically effective dose of a changing dose rate: Lea-Catcheside, BED, EQD2, alpha emitters.

BED and EQD2 are kinds of their own (:mod:`omnidose.quantities`): no sum with an absorbed dose is possible,
and two BED add only with equal alpha/beta. Doses are mGy here as everywhere; alpha/beta is in Gy, as the
field writes it.

References
----------
Dale 1985 *Br J Radiol* 58:515 (dose rates that fall exponentially); Sachs, Hahnfeldt and Brenner 1997 *Int J
Radiat Biol* 72:351 (the protraction factor); Baechler et al. 2008 *Med Phys* 35:1123 (sums of exponentials);
Dale and Jones 1999 *Int J Radiat Oncol Biol Phys* 43:639 (high LET).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isclose, isfinite
from typing import Any

import numpy as np

from omnidose.errors import InputError, QuantityKindError
from omnidose.quantities import AbsorbedDose, BiologicallyEffectiveDose, EquivalentDose2Gy

MGY_PER_GY = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseRate:
    """Dose rate as a sum of exponentials, up to a factor.

    Attributes
    ----------
    amplitudes
        [n] relative initial dose rates; an uptake is negative.
    half_lives_h
        [n] effective half-lives.

    Raises
    ------
    InputError
        For lengths that differ, half-lives that are not positive, a total dose that is not positive, or a
        rate that falls below 0.
    """

    amplitudes: tuple[float, ...]
    half_lives_h: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.amplitudes or len(self.amplitudes) != len(self.half_lives_h):
            raise InputError("a dose rate needs one half-life per amplitude", where="half_lives_h")
        if not all(isfinite(t) and t > 0 for t in self.half_lives_h):
            raise InputError("a half-life of a dose rate is not positive", where="half_lives_h")
        if not (all(map(isfinite, self.amplitudes)) and self._total() > 0):
            raise InputError("the dose rate adds up to no dose", where="amplitudes")
        if self._falls_below_zero():
            raise InputError(
                "the dose rate falls below 0",
                where="amplitudes",
                allowed="a sum of exponentials that is 0 or more at all times",
                todo="check signs: what is subtracted (uptake) must have the shorter half-life",
            )

    def _falls_below_zero(self) -> bool:
        if min(self.amplitudes) >= 0:
            return False
        ends = 1e-3 * min(self.half_lives_h), 50 * max(self.half_lives_h)
        time_h = np.concatenate([[0.0], np.geomspace(*ends, 400)])
        parts = np.array(self.amplitudes) * np.exp2(-time_h[:, None] / np.array(self.half_lives_h))
        return bool((parts.sum(axis=1) < -1e-9 * np.abs(parts).sum(axis=1)).any())

    def _total(self) -> float:
        return sum(a * t for a, t in zip(self.amplitudes, self.half_lives_h, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Repair of sublethal damage by one or two exponentials.

    Attributes
    ----------
    half_times_h
        One half-time, or a fast and a slow one.
    weights
        Share of damage repaired with each; they add up to 1.
    source
        Tissue and publication.
    """

    half_times_h: tuple[float, ...]
    weights: tuple[float, ...] = (1.0,)
    source: str = ""

    def __post_init__(self) -> None:
        if not self.half_times_h or len(self.weights) != len(self.half_times_h):
            raise InputError("repair needs one share per half-time", where="weights")
        if not all(isfinite(t) and t > 0 for t in self.half_times_h):
            raise InputError("a half-time of repair is not positive", where="half_times_h")
        if min(self.weights) < 0 or not isclose(sum(self.weights), 1.0, abs_tol=1e-6):
            raise InputError("the shares of repair do not add up to 1", where="weights")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rbe:
    """Relative biological effectiveness of alpha particles, for one end point.

    Attributes
    ----------
    ratio
        RBE at low dose (RBE max).
    endpoint
        For which effect in which tissue.
    source
        Who measured it, or "assumed".
    """

    ratio: float
    endpoint: str
    source: str

    def __post_init__(self) -> None:
        if not (isfinite(self.ratio) and self.ratio >= 1):
            raise InputError(f"an RBE of {self.ratio} cannot be used", where="ratio", allowed="1 or more")
        if not (self.endpoint and self.source):
            raise InputError("an RBE without end point and source means nothing", where="endpoint, source")


def lea_catcheside(rate: DoseRate, repair: Repair) -> float:
    """Return the protraction factor G, between 0 (all repaired) and 1 (acute).

    For the rate sum_i a_i exp(-l_i t) and repair with the constant m,
    G = (2 / D^2) sum_ij a_i a_j / ((l_i + l_j) (l_i + m)); for bi-exponential repair the weighted mean of
    both.
    """
    # with half-lives for mean lives ln 2 cancels: all is rational, and exact whatever an uptake takes away
    a = [Fraction(x) for x in rate.amplitudes]
    decay = [1 / Fraction(t) for t in rate.half_lives_h]
    dose = sum((first / one for first, one in zip(a, decay, strict=True)), Fraction())
    total = Fraction()
    for half_time_h, weight in zip(repair.half_times_h, repair.weights, strict=True):
        repairing = 1 / Fraction(half_time_h)
        for first, one in zip(a, decay, strict=True):
            for second, other in zip(a, decay, strict=True):
                total += Fraction(weight) * first * second / ((one + other) * (one + repairing))
    return float(2 * total / dose**2)


def _per_alpha_beta(dose_mgy: Any, alpha_beta_gy: float) -> Any:
    if not (isfinite(alpha_beta_gy) and alpha_beta_gy > 0):
        raise InputError(
            f"an alpha/beta of {alpha_beta_gy} Gy cannot be used",
            where="alpha_beta_gy",
            allowed="more than 0",
        )
    return dose_mgy / (MGY_PER_GY * alpha_beta_gy)


def bed(
    dose: AbsorbedDose, *, alpha_beta_gy: float, rate: DoseRate, repair: Repair
) -> BiologicallyEffectiveDose:
    """Return the BED of low-LET radiation: D (1 + G D / (alpha/beta)).

    Parameters
    ----------
    dose
        Absorbed dose, a number or an array (voxels that share one dose rate's shape).

    Raises
    ------
    QuantityKindError
        If ``dose`` is not an absorbed dose.
    InputError
        For negative doses or an alpha/beta that is not positive.
    """
    value = _absorbed(dose)
    protraction = lea_catcheside(rate, repair)
    relative = _per_alpha_beta(value, alpha_beta_gy)
    return BiologicallyEffectiveDose(value * (1.0 + protraction * relative), alpha_beta_gy)


def eqd2(effect: BiologicallyEffectiveDose) -> EquivalentDose2Gy:
    """Return the dose in fractions of 2 Gy with the same BED: BED / (1 + 2 Gy / (alpha/beta))."""
    if not isinstance(effect, BiologicallyEffectiveDose):
        raise QuantityKindError(
            f"EQD2 follows from a BED, not from {type(effect).__name__}", todo="compute the BED first"
        )
    return EquivalentDose2Gy(effect.value / (1.0 + 2.0 / effect.alpha_beta_gy), effect.alpha_beta_gy)


def total_bed(cycles: Sequence[BiologicallyEffectiveDose]) -> BiologicallyEffectiveDose:
    """Add the BED of cycles far apart: what could be repaired was repaired in between. Repopulation is left
    out.

    Raises
    ------
    QuantityKindError
        If their alpha/beta differ, or one is no BED.
    """
    if not cycles:
        raise InputError("there is no cycle to add", where="cycles")
    total = cycles[0]
    for cycle in cycles[1:]:
        total = total + cycle
    return total


def _absorbed(dose: AbsorbedDose) -> Any:
    if not isinstance(dose, AbsorbedDose):
        raise QuantityKindError(
            f"BED follows from an absorbed dose, not from {type(dose).__name__}",
            todo="give the physical dose; alpha particles through alpha_bed",
        )
    if np.any(np.asarray(dose.value) < 0) or not np.isfinite(dose.value).all():
        raise InputError("an absorbed dose is negative or not finite", where="dose")
    return dose.value


@dataclass(frozen=True, slots=True, kw_only=True)
class AlphaEffect:
    """Effect of alpha particles and low-LET radiation in one tissue, beside the physical doses.

    Attributes
    ----------
    alpha_dose, low_let_dose
        Absorbed doses: never multiplied with an RBE.
    effect
        BED of both together.
    """

    alpha_dose: AbsorbedDose
    low_let_dose: AbsorbedDose
    rbe: Rbe
    effect: BiologicallyEffectiveDose

    @property
    def absorbed_dose(self) -> AbsorbedDose:
        """Physical dose of both together, without RBE."""
        return self.alpha_dose + self.low_let_dose


def alpha_bed(
    alpha_dose: AbsorbedDose,
    low_let_dose: AbsorbedDose,
    *,
    rbe: Rbe,
    alpha_beta_gy: float,
    rate: DoseRate,
    repair: Repair,
) -> AlphaEffect:
    """Return the BED of alpha particles with their low-LET company: RBE D_alpha + D_low (1 + G D_low /
    (alpha/beta)).

    Damage by alpha particles is taken as linear in dose and beyond repair; no cross term with low LET.

    Parameters
    ----------
    rate, repair
        Of the low-LET dose.
    """
    low = bed(low_let_dose, alpha_beta_gy=alpha_beta_gy, rate=rate, repair=repair)
    high = BiologicallyEffectiveDose(rbe.ratio * _absorbed(alpha_dose), alpha_beta_gy)
    return AlphaEffect(alpha_dose=alpha_dose, low_let_dose=low_let_dose, rbe=rbe, effect=high + low)
