"""Sums of organ doses weighted with the tissue weighting factors of ICRP 103.

``effective_dose`` is for a reference person: the mean of a male and a female phantom.
``weighted_sum`` is the same sum over one patient's organs. It is a way to compare exposures; it is not
that person's effective dose and never an input to risk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from omnidose.data import load
from omnidose.dosimetry.results import OrganDoses
from omnidose.errors import InputError
from omnidose.quantities import EffectiveDose, WeightedOrganSum

#: Radiation weighting factors of ICRP 103, table 2. Neutrons depend on energy and are refused.
RADIATION_WEIGHTS = {"photon": 1.0, "electron": 1.0, "proton": 2.0, "alpha": 20.0}
REMAINDER = "remainder"
Kind = TypeVar("Kind", EffectiveDose, WeightedOrganSum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tissue:
    """A weighted tissue.

    Attributes
    ----------
    organ
        ``M`` or ``F`` -> canonical organ whose dose stands for the tissue.
    """

    key: str
    weight: float
    in_remainder: bool
    organ: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedDose(Generic[Kind]):
    """A weighted sum with what went into it.

    Attributes
    ----------
    value
        The sum, as a quantity with its kind.
    std_statistical_msv
        Statistical standard error, with the covariance between organs.
    tissue_msv
        Tissue -> equivalent dose used (sex-averaged for effective dose); remainder members too.
    missing
        Tissues without a dose: a main tissue adds nothing to the sum (it is then too small by what
        the tissue got times its weight), a remainder tissue is left out of the remainder's mean.
    relative_to
        As in ``OrganDoses``.
    """

    value: Kind
    std_statistical_msv: float
    tissue_msv: dict[str, float] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    relative_to: str = ""


@cache
def tissues() -> tuple[Tissue, ...]:
    """Return the tissues of ICRP 103: 14 with a weight of their own, then the 13 of the remainder."""
    out = []
    for row in load("tissue_weights").rows():
        if row["tissue"] != REMAINDER:
            out.append(
                Tissue(
                    key=str(row["tissue"]),
                    weight=float(row["weight"]),
                    in_remainder=bool(row["remainder"]),
                    organ={"M": str(row["organ_male"]), "F": str(row["organ_female"])},
                )
            )
    return tuple(out)


@cache
def remainder_weight() -> float:
    """Return w_T of the remainder tissues together."""
    return next(float(r["weight"]) for r in load("tissue_weights").rows() if r["tissue"] == REMAINDER)


def weighted_sum(doses: OrganDoses, *, sex: str) -> WeightedDose[WeightedOrganSum]:
    """Return the w_T-weighted sum of one person's organ doses.

    Parameters
    ----------
    doses
        Organ doses with combined organs (``lungs``, ``colon``, …).
    sex
        ``M`` or ``F``: decides on testes or ovaries, prostate or uterus.

    Returns
    -------
    WeightedDose
        With a ``WeightedOrganSum`` in mSv.
    """
    part = _one(doses, sex)
    return WeightedDose(
        value=WeightedOrganSum(part.total_msv),
        std_statistical_msv=part.std_msv,
        tissue_msv=part.tissue_msv,
        missing=part.missing,
        relative_to=doses.relative_to,
    )


def effective_dose(male: OrganDoses, female: OrganDoses) -> WeightedDose[EffectiveDose]:
    """Return the effective dose of the reference person from the two reference phantoms.

    Parameters
    ----------
    male, female
        Organ doses of independent runs in the male and the female phantom.

    Returns
    -------
    WeightedDose
        E = sum over tissues of w_T (H_male + H_female) / 2; the remainder is the arithmetic mean of its 13
        tissues in each sex (ICRP 103, equation 4.5 and paragraph 139).

    Raises
    ------
    InputError
        If the two results refer to different things.
    """
    if male.relative_to != female.relative_to:
        raise InputError(
            f"the two results are relative to '{male.relative_to}' and '{female.relative_to}'",
            allowed="both absolute, or relative to the same quantity",
        )
    one, other = _one(male, "M"), _one(female, "F")
    tissue = {
        key: (one.tissue_msv[key] + other.tissue_msv[key]) / 2
        for key in one.tissue_msv
        if key in other.tissue_msv
    }
    return WeightedDose(
        value=EffectiveDose((one.total_msv + other.total_msv) / 2),
        std_statistical_msv=float(np.hypot(one.std_msv, other.std_msv)) / 2,
        tissue_msv=tissue,
        missing=tuple(dict.fromkeys((*one.missing, *other.missing))),
        relative_to=male.relative_to,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sum:
    total_msv: float
    std_msv: float
    tissue_msv: dict[str, float]
    missing: tuple[str, ...]


def _one(doses: OrganDoses, sex: str) -> _Sum:
    if sex not in ("M", "F"):
        raise InputError(f"the weighted sum needs a sex, not '{sex}'", allowed="M or F")
    equivalent, covariance = _equivalent(doses)
    index = {organ: i for i, organ in enumerate(doses.organs)}
    present = [t for t in tissues() if t.organ[sex] in index and np.isfinite(equivalent[index[t.organ[sex]]])]
    missing = tuple(t.key for t in tissues() if t not in present)
    members = sum(t.in_remainder for t in present)
    weights = np.zeros(len(doses.organs))
    for tissue in present:
        weight = remainder_weight() / members if tissue.in_remainder else tissue.weight
        weights[index[tissue.organ[sex]]] += weight
    if members == 0:
        missing = (*missing, REMAINDER)
    used = weights > 0
    variance = float(weights[used] @ covariance[np.ix_(used, used)] @ weights[used])
    return _Sum(
        total_msv=float(weights[used] @ equivalent[used]),
        std_msv=float(np.sqrt(max(variance, 0.0))),
        tissue_msv={t.key: float(equivalent[index[t.organ[sex]]]) for t in present},
        missing=missing,
    )


def _equivalent(doses: OrganDoses) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return equivalent dose (mSv) of every organ and its covariance."""
    unknown = [q for q in doses.qualities if q not in RADIATION_WEIGHTS]
    if unknown:
        raise InputError(
            f"no single radiation weighting factor for {', '.join(unknown)}",
            allowed=", ".join(RADIATION_WEIGHTS),
        )
    factors = np.array([RADIATION_WEIGHTS[q] for q in doses.qualities])
    n, q = doses.dose_mgy.shape
    covariance = np.einsum("iajb,a,b->ij", doses.covariance_mgy2.reshape(n, q, n, q), factors, factors)
    return doses.dose_mgy @ factors, covariance
