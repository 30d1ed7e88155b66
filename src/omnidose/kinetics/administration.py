"""What was given: assay, residue, and the net activity at the moment of injection.

Clocks are aware datetimes and every difference is taken in UTC: two times of one zone would otherwise be
subtracted as wall clock, which is wrong by an hour over a change of daylight saving time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import exp, hypot, isfinite, log, nan, sqrt
from typing import SupportsFloat

from omnidose.errors import ContradictionError, InputError
from omnidose.kinetics.curves import MOST_HALF_LIVES

#: 1 mCi is 37 MBq by definition of the curie (3.7e10 per second).
MBQ_PER_MCI = 37.0
#: An assay up to this long after the injection may be two clocks that differ; more must be said on purpose.
CLOCK_TOLERANCE_H = 0.25


class Route(StrEnum):
    """How an activity enters the body."""

    INTRAVENOUS = "intravenous"
    INTRA_ARTERIAL = "intra-arterial"
    ORAL = "oral"
    INHALED = "inhaled"
    INTRACAVITARY = "intracavitary"
    SUBCUTANEOUS = "subcutaneous"


def from_mci(activity: SupportsFloat) -> float:
    """Return an activity given in millicurie in MBq; nothing else accepts millicurie.

    Raises
    ------
    InputError
        If it is not a finite number of 0 or more.
    """
    try:
        value = float(activity)
    except (TypeError, ValueError):
        value = nan
    if not (isfinite(value) and value >= 0):
        raise InputError(f"{activity!r} is no activity in mCi", allowed="a number, 0 or more, without unit")
    return MBQ_PER_MCI * value


def hours_between(start: datetime, end: datetime) -> float:
    """Return the elapsed hours from ``start`` to ``end``, over midnight and changes of the clock.

    Raises
    ------
    InputError
        If one of them does not say its time zone.
    """
    for moment in (start, end):
        if moment.utcoffset() is None:
            raise InputError(
                f"the time {moment.isoformat()} does not say its time zone",
                allowed="a datetime with a time zone",
                todo="attach the time zone of the hospital (zoneinfo.ZoneInfo) before using it",
            )
    return (end.astimezone(UTC) - start.astimezone(UTC)).total_seconds() / 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """One administration of one radiopharmaceutical.

    Attributes
    ----------
    nuclide
        Name as the caller writes it; not looked up here.
    half_life_h
        Physical half-life that decays assay and residue to the injection.
    assay_mbq, assay_time
        Activity measured in the syringe or vial, and when.
    residual_mbq, residual_time
        What was measured in syringe and tubing afterwards, and when. No residue measured: 0 and None.
    injection_time
        Reference time of every later hour.
    extravasated_fraction
        Share of the net activity that stayed at the injection site; None if nobody looked.
    assay_std_rel, residual_std_rel
        Relative standard uncertainties of the two measurements.
    calibrator_correlated
        Assay and residue come from one calibrator, whose error (the smaller of both uncertainties) moves
        both. False takes them as independent.
    assay_after_injection
        Say so when the assay is on purpose later than the injection (a calibration time in the future).

    Raises
    ------
    InputError
        For naive times, activities that are no numbers, negative or not finite, a share outside [0, 1], a
        residue measured before the injection, an assay more than ``CLOCK_TOLERANCE_H`` after the injection
        without saying so, or a measurement more than ``MOST_HALF_LIVES`` away from the injection.
    ContradictionError
        If the residue exceeds the assay.
    """

    nuclide: str
    half_life_h: float
    assay_mbq: float
    assay_time: datetime
    injection_time: datetime
    residual_mbq: float = 0.0
    residual_time: datetime | None = None
    route: Route = Route.INTRAVENOUS
    extravasated_fraction: float | None = None
    assay_std_rel: float = 0.0
    residual_std_rel: float = 0.0
    calibrator_correlated: bool = True
    assay_after_injection: bool = False

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_times()
        if self.residual_at_injection_mbq >= self.assay_at_injection_mbq:
            raise ContradictionError(
                f"the residue ({self.residual_at_injection_mbq:.4g} MBq) is not below the assay "
                f"({self.assay_at_injection_mbq:.4g} MBq), both at the time of injection",
                where="residual_mbq",
                todo="check units, times and which of the two was typed where",
            )

    def _check_numbers(self) -> None:
        for name in ("half_life_h", "assay_mbq", "residual_mbq", "assay_std_rel", "residual_std_rel"):
            value = getattr(self, name)
            if isinstance(value, bool | str) or not isinstance(value, SupportsFloat):
                raise InputError(
                    f"{value!r} is no number",
                    where=name,
                    allowed="a plain number in the unit that the name says (mCi: from_mci)",
                )
        if not (isfinite(self.half_life_h) and self.half_life_h > 0):
            raise InputError("the half-life is not a positive number", where="half_life_h")
        if not (isfinite(self.assay_mbq) and self.assay_mbq > 0):
            raise InputError(
                f"an assay of {self.assay_mbq} MBq cannot be used",
                where="assay_mbq",
                allowed="more than 0 MBq (millicurie only through from_mci)",
            )
        for name in ("residual_mbq", "assay_std_rel", "residual_std_rel"):
            value = getattr(self, name)
            if not (isfinite(value) and value >= 0):
                raise InputError(f"{value} cannot be used", where=name, allowed="0 or more")
        share = self.extravasated_fraction
        if share is not None and not 0 <= share <= 1:
            raise InputError(
                f"a share of {share} cannot be extravasated",
                where="extravasated_fraction",
                allowed="0 to 1, or None if nobody looked",
            )

    def _check_times(self) -> None:
        late_h = hours_between(self.injection_time, self.assay_time)
        if late_h > CLOCK_TOLERANCE_H and not self.assay_after_injection:
            raise InputError(
                f"the assay is {late_h:.2f} h after the injection",
                where="assay_time",
                allowed=f"up to {CLOCK_TOLERANCE_H} h (clocks differ)",
                todo="correct the time, or say assay_after_injection=True if it is a calibration time",
            )
        self._check_near("assay_time", late_h)
        if self.residual_time is None:
            if self.residual_mbq > 0:
                raise InputError(
                    "a residue was measured but not when", where="residual_time", todo="give the time"
                )
            return
        early_h = hours_between(self.residual_time, self.injection_time)
        if early_h > CLOCK_TOLERANCE_H:
            raise InputError(
                f"the residue was measured {early_h:.2f} h before the injection",
                where="residual_time",
                allowed=f"up to {CLOCK_TOLERANCE_H} h (clocks differ)",
                todo="correct the time",
            )
        self._check_near("residual_time", early_h)

    def _check_near(self, where: str, apart_h: float) -> None:
        if abs(apart_h) > MOST_HALF_LIVES * self.half_life_h:
            raise InputError(
                f"it is {abs(apart_h):.4g} h away from the injection, {abs(apart_h) / self.half_life_h:.3g} "
                "half-lives",
                where=where,
                allowed=f"up to {MOST_HALF_LIVES:g} half-lives",
                todo="check day, month and year, and the half-life",
            )

    def _at_injection(self, activity_mbq: float, measured: datetime) -> float:
        return activity_mbq * exp(-log(2) / self.half_life_h * hours_between(measured, self.injection_time))

    @property
    def assay_at_injection_mbq(self) -> float:
        """Assay decayed (or grown back) to the time of injection."""
        return self._at_injection(self.assay_mbq, self.assay_time)

    @property
    def residual_at_injection_mbq(self) -> float:
        """Residue decayed back to the time of injection."""
        if self.residual_time is None:
            return 0.0
        return self._at_injection(self.residual_mbq, self.residual_time)

    @property
    def net_mbq(self) -> float:
        """Activity that left the syringe, at the time of injection."""
        return self.assay_at_injection_mbq - self.residual_at_injection_mbq

    @property
    def net_std_rel(self) -> float:
        """Relative standard uncertainty of the net activity.

        One calibrator: the smaller of both relative uncertainties is its own and moves assay and residue by
        the same factor, hence the net activity too; what either has above it (counting, geometry) is
        independent.
        """
        common = min(self.assay_std_rel, self.residual_std_rel) if self.calibrator_correlated else 0.0
        first = sqrt(self.assay_std_rel**2 - common**2) * self.assay_at_injection_mbq
        second = sqrt(self.residual_std_rel**2 - common**2) * self.residual_at_injection_mbq
        return hypot(common, hypot(first, second) / self.net_mbq)

    @property
    def systemic_mbq(self) -> float:
        """Net activity less what is known to have stayed at the injection site."""
        return self.net_mbq * (1.0 - (self.extravasated_fraction or 0.0))

    @property
    def flags(self) -> tuple[str, ...]:
        """Sentences that a report must show."""
        out = []
        if self.extravasated_fraction:
            out.append(
                f"{100 * self.extravasated_fraction:.3g} % of the activity stayed at the injection site: "
                "organ doses are of the rest, and the tissue there has a dose of its own"
            )
        if self.residual_time is None:
            out.append("no residue was measured: the net activity is the assay")
        return tuple(out)

    def hours_after_injection(self, moment: datetime) -> float:
        """Return the hours from the injection to ``moment`` (negative before it)."""
        return hours_between(self.injection_time, moment)
