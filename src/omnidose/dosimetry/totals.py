"""Organ doses of several exposures of one person in one examination, added with their correlations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from omnidose.anatomy.body import Origin
from omnidose.dosimetry.results import Distribution, OrganDoses, UncertaintyComponent
from omnidose.errors import QuantityKindError


def total_organ_doses(parts: Sequence[OrganDoses]) -> OrganDoses:
    """Add the organ doses of several exposures.

    Statistical errors of different runs are independent: covariances add. Components with equal keys
    are fully correlated: their absolute parts add linearly, organ by organ. Mass, origin and imaged share
    of an organ are those of the exposure that gave it most of its dose.

    Raises
    ------
    QuantityKindError
        If a part is relative (mGy per something) or has other radiation qualities.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    for part in parts:
        if part.relative_to:
            raise QuantityKindError(
                f"doses in mGy per {part.relative_to} cannot be added to others",
                todo="give the missing CTDIvol, then add",
            )
        if part.qualities != first.qualities:
            raise QuantityKindError("organ doses of different radiation qualities cannot be added here")
    organs = tuple(dict.fromkeys(organ for part in parts for organ in part.organs))
    n, q = len(organs), len(first.qualities)
    dose = np.zeros((n, q))
    covariance = np.zeros((n * q, n * q))
    mass, imaged = np.full(n, np.nan), np.full(n, np.nan)
    primary, completion, weight = np.zeros(n), np.zeros(n), np.zeros(n)
    origin: list[Origin] = [Origin.ABSENT] * n
    largest = np.full(n, -1.0)
    for part in parts:
        where = np.array([organs.index(o) for o in part.organs])
        known = np.isfinite(part.dose_mgy)
        dose[where] += np.where(known, part.dose_mgy, 0.0)
        flat = (where[:, None] * q + np.arange(q)).ravel()
        covariance[np.ix_(flat, flat)] += np.nan_to_num(part.covariance_mgy2)
        total = np.nan_to_num(part.total_mgy)
        more = total > largest[where]
        largest[where[more]] = total[more]
        mass[where[more]], imaged[where[more]] = part.mass_g[more], part.imaged_fraction[more]
        primary[where] += total * part.primary_fraction
        completion[where] += total * part.completion_share
        weight[where] += total
        for i in np.flatnonzero(more):
            origin[where[i]] = part.origin[i]
    with np.errstate(invalid="ignore", divide="ignore"):
        primary, completion = primary / weight, completion / weight
    return OrganDoses(
        organs=organs,
        qualities=first.qualities,
        dose_mgy=dose,
        covariance_mgy2=covariance,
        mass_g=mass,
        origin=tuple(origin),
        imaged_fraction=imaged,
        primary_fraction=primary,
        completion_share=completion,
        components=_joined(parts, organs, dose.sum(axis=1)),
    )


def _joined(
    parts: Sequence[OrganDoses],
    organs: tuple[str, ...],
    total_mgy: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> tuple[UncertaintyComponent, ...]:
    absolute: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    shape: dict[str, tuple[Distribution, str]] = {}
    for part in parts:
        where = np.array([organs.index(o) for o in part.organs])
        for component in part.components:
            spread = absolute.setdefault(component.key, np.zeros(len(organs)))
            spread[where] += np.asarray(component.std_rel) * np.nan_to_num(part.total_mgy)
            shape.setdefault(component.key, (component.distribution, component.text))
    out = []
    for key, spread in absolute.items():
        relative = np.divide(spread, total_mgy, out=np.zeros_like(spread), where=total_mgy > 0)
        distribution, text = shape[key]
        out.append(
            UncertaintyComponent(
                key=key, distribution=distribution, std_rel=tuple(float(v) for v in relative), text=text
            )
        )
    return tuple(out)
