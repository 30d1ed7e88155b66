"""Where activity goes in a reference person: models as data, and the coefficients that follow from them.

A model is a list of retentions: a share of the administered activity arrives in a region, at once or with a
half-time, and leaves it with a biological half-life. What leaves with the urine passes through the bladder,
so that its shares are not stated twice; what has not arrived yet is in the remainder of the body. A second
kind of data are coefficients that somebody measured and integrated: those are read, not computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf, isfinite, isnan, log

import numpy as np

from omnidose.data import Table, load
from omnidose.errors import InputError
from omnidose.kinetics.bladder import Filling, Voiding, time_integrated_coefficient_h
from omnidose.kinetics.curves import ArrayF8, decay_constant_per_h

#: Region of the bladder's contents and of all that has no region of its own.
BLADDER = "bladder-contents"
REMAINDER = "remainder"
#: Urine in the kidneys on its way to the bladder, and how long it stays there (adults; model of kidneys and
#: bladder of ICRP Publication 53 (1988), from memory), h.
RENAL_URINE = "kidneys-urine"
RENAL_TRANSIT_H = 5 / 60
#: Packaged tables: what somebody read in its source, and what nobody has (asked for by name only).
MODELS, RECALLED_MODELS, COEFFICIENTS = "kinetics_models", "kinetics_models_recalled", "kinetics_coefficients"


#: A half-time of uptake below this (4 ms) is none.
AT_ONCE_H = 1e-6


class Excretion(StrEnum):
    """Where the activity of a region goes when it leaves it."""

    NONE = "none"  # it stays
    URINE = "urine"
    NOT_FOLLOWED = "not followed"  # exhaled, sweat, bowel: a report must say so


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """One exponential of one region.

    Attributes
    ----------
    region
        Key of the organ vocabulary, or ``remainder``.
    fraction
        Share of the administered activity that arrives.
    half_life_h
        Biological half-life of leaving; infinite: it stays.
    uptake_half_time_h
        Half-time of arriving; 0: at once.
    grade
        A read in the source, B a transcription or abstract, C from memory, D derived.
    """

    region: str
    fraction: float
    half_life_h: float = inf
    uptake_half_time_h: float = 0.0
    excretion: Excretion = Excretion.NONE
    grade: str = "A"

    def __post_init__(self) -> None:
        if not (isfinite(self.fraction) and 0 <= self.fraction <= 1):
            raise InputError(f"a share of {self.fraction} cannot arrive", where=self.region, allowed="0 to 1")
        if isnan(self.half_life_h) or self.half_life_h <= 0:
            raise InputError("a biological half-life is not positive", where=self.region)
        if not (isfinite(self.uptake_half_time_h) and self.uptake_half_time_h >= 0):
            raise InputError("a half-time of uptake is negative", where=self.region, allowed="0 or more")
        if (self.excretion is Excretion.NONE) != (self.half_life_h == inf):
            raise InputError(
                "what stays has an infinite biological half-life, and what leaves must say where to",
                where=self.region,
            )

    def _constants(self) -> tuple[float, float]:
        """Return the constants of arriving and of leaving, equal ones kept apart by a relative 1e-6."""
        arriving = log(2) / self.uptake_half_time_h
        leaving = decay_constant_per_h(self.half_life_h)
        if abs(arriving - leaving) < 1e-6 * arriving:
            arriving *= 1 + 1e-6
        return arriving, leaving

    def _rates(self) -> list[tuple[float, float]]:
        """Return (share, biological constant) of the exponentials of this region's contents."""
        if self.uptake_half_time_h < AT_ONCE_H:
            return [(self.fraction, decay_constant_per_h(self.half_life_h))]
        arriving, leaving = self._constants()
        share = self.fraction * arriving / (arriving - leaving)
        return [(share, leaving), (-share, arriving)]

    def contents_fraction(self, time_h: ArrayF8, half_life_h: float) -> ArrayF8:
        """[times] share of the administered activity in the region, decay included."""
        physical = decay_constant_per_h(half_life_h)
        time = np.atleast_1d(np.asarray(time_h, dtype=np.float64))
        return np.asarray(sum(share * np.exp(-(physical + rate) * time) for share, rate in self._rates()))

    def coefficient_h(self, half_life_h: float) -> float:
        """Decays in the region per administered activity, hours."""
        physical = decay_constant_per_h(half_life_h)
        return sum(share / (physical + rate) for share, rate in self._rates())

    def waiting_h(self, half_life_h: float) -> float:
        """Decays before arrival per administered activity, hours."""
        if self.uptake_half_time_h < AT_ONCE_H:
            return 0.0
        return self.fraction / (decay_constant_per_h(half_life_h) + log(2) / self.uptake_half_time_h)

    def excreted_fraction(self, half_life_h: float) -> float:
        """Return the share of the administered activity that leaves with the urine before it decays."""
        if self.excretion is not Excretion.URINE:
            return 0.0
        return decay_constant_per_h(self.half_life_h) * self.coefficient_h(half_life_h)

    def fillings(self) -> list[Filling]:
        """Return how the activity of this region fills the bladder; empty if it goes elsewhere.

        What has left by t is the fraction less what is still there or still to come.
        """
        if self.excretion is not Excretion.URINE:
            return []
        if self.uptake_half_time_h < AT_ONCE_H:
            return [Filling(fraction=self.fraction, half_life_h=self.half_life_h)]
        arriving, leaving = self._constants()
        slow = self.fraction * arriving / (arriving - leaving)
        fast = -self.fraction * leaving / (arriving - leaving)
        return [
            Filling(fraction=slow, half_life_h=self.half_life_h),
            Filling(fraction=fast, half_life_h=log(2) / arriving),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class BiokineticModel:
    """Biokinetics of one radiopharmaceutical in a reference person.

    Attributes
    ----------
    source
        Publication and place.
    note
        What a report must say about it.

    Raises
    ------
    InputError
        If the shares add up to more than 1, or to less without a remainder.
    """

    name: str
    retentions: tuple[Retention, ...]
    source: str
    note: str = ""

    def __post_init__(self) -> None:
        total = sum(r.fraction for r in self.retentions)
        if abs(total - 1) > 0.005:
            raise InputError(
                f"the regions hold {100 * total:.4g} % of the administered activity",
                where=self.name,
                allowed="100 %, the remainder of the body and what is excreted included",
            )

    @property
    def grade(self) -> str:
        """Worst grade of verification of its numbers: A, B, D, and C last (from memory)."""
        return max((r.grade for r in self.retentions), key="ABDC".index)

    @property
    def flags(self) -> tuple[str, ...]:
        """Sentences that a report must show."""
        out = [self.note] if self.note else []
        if self.grade == "C":
            out.append(
                f"the numbers of the model {self.name} are from memory: nobody compared them with a print"
            )
        if any(r.excretion is Excretion.NOT_FOLLOWED for r in self.retentions):
            out.append(f"part of the activity of {self.name} leaves on ways that are not followed")
        return tuple(out)


def time_integrated_coefficients_h(
    model: BiokineticModel, half_life_h: float, *, voiding: Voiding, renal_transit_h: float = 0.0
) -> dict[str, float]:
    """Return the decays per administered activity in every region, hours.

    What is still on its way to a region (in blood) decays in the remainder of the body, which ICRP 53 takes
    as the whole body without its named regions.

    Parameters
    ----------
    half_life_h
        Physical half-life, finite.
    voiding
        When the bladder is emptied (no default: it decides the dose to its wall);
        :data:`omnidose.kinetics.bladder.ICRP_ADULT_VOIDING` is what the ICRP models take.
    renal_transit_h
        How long urine is in the kidneys before it reaches the bladder (:data:`RENAL_TRANSIT_H` in the ICRP's
        model); 0: not followed. These decays are in the region :data:`RENAL_URINE`; they are part of the
        retention of the whole body without its bladder, hence of the remainder, and are taken from it.

    Raises
    ------
    InputError
        For an infinite physical half-life, or a transit time below 0.
    """
    if not (isfinite(renal_transit_h) and renal_transit_h >= 0):
        raise InputError(
            f"a transit of {renal_transit_h:g} h through the kidneys",
            where="renal_transit_h",
            allowed="0 or more",
        )
    if half_life_h == inf:
        raise InputError("activity that stays and never decays has no integral", where="half_life_h")
    out: dict[str, float] = {}
    filling: list[Filling] = []
    for retention in model.retentions:
        out[retention.region] = out.get(retention.region, 0.0) + retention.coefficient_h(half_life_h)
        filling += retention.fillings()
        waiting_h = retention.waiting_h(half_life_h)
        if waiting_h > 0:
            out[REMAINDER] = out.get(REMAINDER, 0.0) + waiting_h
    if filling:
        in_bladder = time_integrated_coefficient_h(filling, voiding, half_life_h)
        out[BLADDER] = out.get(BLADDER, 0.0) + in_bladder
    if filling and renal_transit_h > 0:
        in_kidneys = renal_transit_h * sum(r.excreted_fraction(half_life_h) for r in model.retentions)
        out[RENAL_URINE] = min(in_kidneys, out.get(REMAINDER, 0.0))
        out[REMAINDER] = out.get(REMAINDER, 0.0) - out[RENAL_URINE]
    return out


def remainder_coefficient_h(whole_body_h: float, regions_h: Mapping[str, float]) -> float:
    """Return what is left of the whole body's coefficient for the body without its named regions.

    Raises
    ------
    InputError
        If the regions hold more than the whole body, or the remainder is among them.
    """
    if REMAINDER in regions_h:
        raise InputError("the remainder is already among the regions", where=REMAINDER)
    rest = whole_body_h - sum(regions_h.values())
    if rest < -1e-6 * abs(whole_body_h):
        raise InputError(
            f"the regions hold {sum(regions_h.values()):.4g} h, the whole body {whole_body_h:.4g} h",
            where="regions_h",
            todo="check for regions inside others (left kidney and kidneys), and for excreta",
        )
    return max(rest, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCoefficients:
    """Time-integrated activity coefficients as published.

    Attributes
    ----------
    coefficients_h, std_h
        Region -> hours; standard deviation between persons, NaN if not given.
    complete
        Whether they cover the whole body.
    """

    name: str
    person: str
    coefficients_h: dict[str, float]
    std_h: dict[str, float]
    complete: bool
    source: str


def model_names(*, recalled: bool = False) -> list[str]:
    """Return the names of the packaged models; with ``recalled``, of those from memory."""
    return list(dict.fromkeys(map(str, load(RECALLED_MODELS if recalled else MODELS)["model"])))


def biokinetic_model(name: str, *, recalled: bool = False) -> BiokineticModel:
    """Return a packaged model.

    Parameters
    ----------
    recalled
        Look among the models whose numbers are from memory. They must be asked for: nobody has compared them
        with a print, and every result says so.

    Raises
    ------
    InputError
        If there is none of that name.
    DataError
        If this installation has no table of recalled models.
    """
    table = load(RECALLED_MODELS if recalled else MODELS)
    rows = [r for r in table.rows() if r["model"] == name]
    if not rows:
        raise InputError(
            f"there is no biokinetic model '{name}'", allowed=", ".join(model_names(recalled=recalled))
        )
    return BiokineticModel(
        name=name,
        retentions=tuple(
            Retention(
                region=str(r["region"]),
                fraction=float(r["fraction"]),
                half_life_h=float(r["half_life_h"]),
                uptake_half_time_h=float(r["uptake_half_time_h"]),
                excretion=Excretion(str(r["excretion"])),
                grade=str(r["grade"]),
            )
            for r in rows
        ),
        source=str(rows[0]["source"]),
        note=str(rows[0]["note"]),
    )


def measured_coefficients(name: str, person: str) -> MeasuredCoefficients:
    """Return published coefficients of a radiopharmaceutical.

    Parameters
    ----------
    person
        ``male`` or ``female``, as published.

    Raises
    ------
    InputError
        If there are none.
    """
    table: Table = load(COEFFICIENTS)
    rows = [r for r in table.rows() if r["model"] == name and r["person"] == person]
    if not rows:
        known = dict.fromkeys(f"{r['model']} ({r['person']})" for r in table.rows())
        raise InputError(f"there are no coefficients of '{name}' ({person})", allowed=", ".join(known))
    return MeasuredCoefficients(
        name=name,
        person=person,
        coefficients_h={str(r["region"]): float(r["coefficient_h"]) for r in rows},
        std_h={str(r["region"]): float(r["std_h"]) for r in rows},
        complete=str(rows[0]["complete"]) == "yes",
        source=str(rows[0]["source"]),
    )
