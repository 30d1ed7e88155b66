"""Organ doses from time-integrated activity coefficients, and the effective dose of a reference person."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import Origin
from omnidose.dosimetry.internal.bone import BONE_SOURCES, GEOMETRY_STD_REL
from omnidose.dosimetry.internal.charged import all_targets
from omnidose.dosimetry.internal.fractions import AbsorbedFractions
from omnidose.dosimetry.internal.s_values import QUALITIES, decays_in_place, s_values
from omnidose.dosimetry.results import Distribution, OrganDoses, UncertaintyComponent
from omnidose.dosimetry.weighting import WeightedDose, effective_dose
from omnidose.errors import InputError
from omnidose.quantities import EffectiveDose

ArrayF8 = npt.NDArray[np.float64]

#: Tissue weighting factors of ICRP Publication 60 (1991), table 2: for comparison with old tables alone.
ICRP60_WEIGHTS = {
    "gonads": 0.20, "red-marrow": 0.12, "colon": 0.12, "lungs": 0.12, "stomach": 0.12, "bladder": 0.05,
    "breasts": 0.05, "liver": 0.05, "oesophagus": 0.05, "thyroid": 0.05, "skin": 0.01, "endosteum": 0.01,
}  # fmt: skip
#: The remainder of ICRP 60, of weight 0.05, is the mean of these, weighted with mass (upper large intestine
#: belongs to the colon since ICRP Publication 69).
ICRP60_REMAINDER = (
    "adrenals", "brain", "small-intestine", "kidneys", "muscle", "pancreas", "spleen", "thymus", "uterus",
)  # fmt: skip
ICRP60_REMAINDER_WEIGHT = 0.05
DIAGNOSTIC, THERAPY = "diagnostic", "therapy"


def organ_doses_of_activity(
    fractions: AbsorbedFractions,
    coefficients_h: Mapping[str, float],
    nuclide: str = "",
    *,
    by_nuclide_h: Mapping[str, Mapping[str, float]] | None = None,
    activity_mbq: float | None = None,
    masses_g: Mapping[str, float] | None = None,
    mass_std_rel: Mapping[str, float] | None = None,
) -> OrganDoses:
    """Return the dose of every organ from activity in source regions.

    Parameters
    ----------
    coefficients_h
        Source region -> time-integrated activity per administered activity, hours; ``remainder`` is all
        tissue without the others. Empty if ``by_nuclide_h`` is given.
    nuclide
        The nuclide of the coefficients; its short-lived progeny decay where they are made.
    by_nuclide_h
        Nuclide -> the same, where progeny move: each nuclide stands for itself alone.
    activity_mbq
        Administered activity; None: doses in mGy per MBq.
    masses_g
        Masses of the person's organs; see :func:`~omnidose.dosimetry.internal.s_values.s_values`.
    mass_std_rel
        Region -> relative standard uncertainty of its mass.

    Returns
    -------
    OrganDoses
        By photon, electron and alpha particle. The statistical covariance is that of the photon Monte Carlo,
        organ by organ (photons of one source reach several organs; their correlation is left out).
        Components: ``mass:<organ>`` where given, ``bone-geometry`` for sources in bone.

    Raises
    ------
    InputError
        For coefficients that are negative or no numbers, unknown regions or nuclides.
    """
    if activity_mbq is not None and not (isfinite(activity_mbq) and activity_mbq > 0):
        raise InputError(f"an activity of {activity_mbq} MBq", where="activity_mbq", allowed="above 0")
    if bool(coefficients_h) == bool(by_nuclide_h):
        raise InputError("give coefficients of one nuclide, or coefficients by nuclide")
    parts = by_nuclide_h or {nuclide: coefficients_h}
    scale = 1.0 if activity_mbq is None else activity_mbq
    targets, mass_g = all_targets(fractions), np.zeros(0)
    dose = np.zeros((len(targets), len(QUALITIES)))
    variance, own_mgy, bone_mgy = (np.zeros(len(targets)) for _ in range(3))
    for name, given in parts.items():
        hours = _hours(given)
        decays = {name: 1.0} if by_nuclide_h else decays_in_place(name)
        table = s_values(fractions, decays, list(given), masses_g=masses_g)
        dose += scale * np.einsum("s,stq->tq", hours, table.s_mgy_per_mbq_h)
        variance += (scale * hours) ** 2 @ table.std_mgy_per_mbq_h**2
        each = scale * hours[:, None] * table.s_mgy_per_mbq_h.sum(axis=2)
        for s, key in enumerate(table.sources):
            if key in targets:
                own_mgy[targets.index(key)] += each[s, targets.index(key)]
            if key in BONE_SOURCES:
                bone_mgy += scale * hours[s] * table.s_mgy_per_mbq_h[s, :, 1:].sum(axis=1)
        mass_g = table.target_mass_g
    n, q = dose.shape
    covariance = np.zeros((n, q, n, q))
    covariance[np.arange(n), 0, np.arange(n), 0] = variance
    return OrganDoses(
        organs=targets,
        qualities=QUALITIES,
        dose_mgy=dose,
        covariance_mgy2=covariance.reshape(n * q, n * q),
        mass_g=mass_g,
        origin=(Origin.PHANTOM,) * n,
        imaged_fraction=np.zeros(n),
        primary_fraction=np.full(n, np.nan),
        completion_share=np.full(n, np.nan),
        components=(
            *_mass_components(targets, dose.sum(axis=1), own_mgy, mass_std_rel or {}),
            *_bone_component(targets, dose.sum(axis=1), bone_mgy),
        ),
        relative_to="" if activity_mbq is not None else "MBq",
    )


def _hours(coefficients_h: Mapping[str, float]) -> ArrayF8:
    for key, value in coefficients_h.items():
        if not (isfinite(value) and value >= 0):
            raise InputError(f"a coefficient of {value} h", where=key, allowed="a finite number, 0 or more")
    return np.array(list(coefficients_h.values()), dtype=np.float64)


def _mass_components(
    targets: tuple[str, ...], dose_mgy: ArrayF8, own_mgy: ArrayF8, std_rel: Mapping[str, float]
) -> tuple[UncertaintyComponent, ...]:
    found = []
    for key, value in std_rel.items():
        if key not in targets:
            raise InputError(f"an uncertainty of the mass of '{key}'", allowed=", ".join(targets))
        if not (isfinite(value) and value >= 0):
            raise InputError(f"a relative uncertainty of {value}", where=key, allowed="0 or more")
        t = targets.index(key)
        part = np.zeros(len(targets))
        part[t] = value * own_mgy[t] / dose_mgy[t] if dose_mgy[t] > 0 else 0.0
        found.append(
            UncertaintyComponent(
                key=f"mass:{key}",
                distribution=Distribution.LOGNORMAL,
                std_rel=tuple(part.tolist()),
                text=f"mass of {key} known to {100 * value:g} %: its own activity's dose goes as 1/mass",
            )
        )
    return tuple(found)


def _bone_component(
    targets: tuple[str, ...], dose_mgy: ArrayF8, bone_mgy: ArrayF8
) -> tuple[UncertaintyComponent, ...]:
    """Return what the shape of spongiosa makes uncertain in doses from electrons and alphas of bone."""
    part = np.zeros(len(targets))
    for key in ("red-marrow", "endosteum"):
        if key in targets and dose_mgy[targets.index(key)] > 0:
            t = targets.index(key)
            part[t] = GEOMETRY_STD_REL * bone_mgy[t] / dose_mgy[t]
    if not part.any():
        return ()
    return (
        UncertaintyComponent(
            key="bone-geometry",
            distribution=Distribution.LOGNORMAL,
            std_rel=tuple(part.tolist()),
            text=f"shape of spongiosa: {100 * GEOMETRY_STD_REL:g} % of what marrow and endosteum get from "
            "bone",
        ),
    )


def effective_dose_of_activity(
    male: OrganDoses, female: OrganDoses, *, purpose: str
) -> WeightedDose[EffectiveDose]:
    """Return the effective dose (ICRP 103) of a diagnostic administration to the reference person.

    Parameters
    ----------
    male, female
        Organ doses of the same administration in both phantoms.
    purpose
        ``diagnostic``. For ``therapy`` there is no effective dose: its weights are for the stochastic effects
        of small doses.

    Raises
    ------
    InputError
        For therapy, or anything else.
    """
    _refuse_therapy(purpose)
    return effective_dose(male, female)


def effective_dose_icrp60_msv(
    dose_mgy: Mapping[str, float], mass_g: Mapping[str, float], *, purpose: str
) -> float:
    """Return the effective dose with the weights of ICRP 60, for comparison with tables made with them.

    Parameters
    ----------
    dose_mgy
        Organ -> dose of photons and electrons; ``testes`` and ``ovaries`` are averaged where both are there.
    mass_g
        Organ -> mass, for the remainder.

    Raises
    ------
    InputError
        For therapy, or if a weighted organ has no dose.

    References
    ----------
    ICRP Publication 60 (1991), table 2 with its footnotes: if a tissue of the remainder gets more than every
    weighted organ, half of the remainder's weight is its own.
    """
    _refuse_therapy(purpose)
    gonads = [dose_mgy[key] for key in ("testes", "ovaries") if key in dose_mgy]
    known = {**dose_mgy, **({"gonads": float(np.mean(gonads))} if gonads else {})}
    if missing := [key for key in ICRP60_WEIGHTS if key not in known]:
        raise InputError(f"no dose of {', '.join(missing)}", allowed="all organs with a weight of ICRP 60")
    total = sum(weight * known[key] for key, weight in ICRP60_WEIGHTS.items())
    rest = [key for key in ICRP60_REMAINDER if key in known and key in mass_g]
    highest = max(rest, key=lambda key: known[key])
    if known[highest] > max(known[key] for key in ICRP60_WEIGHTS):
        others = [key for key in rest if key != highest]
        return total + 0.5 * ICRP60_REMAINDER_WEIGHT * (known[highest] + _mean(known, mass_g, others))
    return total + ICRP60_REMAINDER_WEIGHT * _mean(known, mass_g, rest)


def _mean(dose_mgy: Mapping[str, float], mass_g: Mapping[str, float], keys: list[str]) -> float:
    return sum(dose_mgy[k] * mass_g[k] for k in keys) / sum(mass_g[k] for k in keys)


def _refuse_therapy(purpose: str) -> None:
    if purpose == THERAPY:
        raise InputError(
            "there is no effective dose of a therapy",
            where="purpose",
            allowed=DIAGNOSTIC,
            todo="use the organ doses, and BED where the dose rate matters",
        )
    if purpose != DIAGNOSTIC:
        raise InputError(f"purpose '{purpose}'", allowed=DIAGNOSTIC)
