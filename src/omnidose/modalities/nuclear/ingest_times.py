"""The clocks of a time series, and the moment of the injection by one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Any

from omnidose.dicom.headers import parse_datetime
from omnidose.dicom.nm_series import NmFacts
from omnidose.dicom.pet_series import PetFacts
from omnidose.dicom.pet_times import CLOCKS_S, LATEST_HALF_LIVES, injection_moment
from omnidose.dicom.radiopharmaceutical import Radiopharmaceutical
from omnidose.errors import ContradictionError, DicomError
from omnidose.modalities.nuclear.form import given_moment, zone_of
from omnidose.modalities.nuclear.ingest_values import Notes
from omnidose.modalities.nuclear.scans import SAME_MOMENT_S, offset_of

#: Clocks are changed on Sundays of these months, in both hemispheres.
_MONTHS_OF_CHANGE = (3, 4, 9, 10, 11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The clock of one scan.

    Attributes
    ----------
    start
        Begin of the scan with its time zone.
    zone
        UTC if nobody knows it.
    """

    start: datetime
    zone: tzinfo
    known: bool


def clocks_of(facts: list[NmFacts | PetFacts], zone_name: str) -> list[Clock]:
    """Return the clock of every scan; a scan that does not say its zone has that of the others."""
    zones = [zone_of(f.time_zone, zone_name) for f in facts]
    known = [zone for zone, sure in zones if sure]
    out = []
    for fact, (zone, sure) in zip(facts, zones, strict=True):
        used = zone if sure or not known else known[0]
        start = fact.start if isinstance(fact, NmFacts) else fact.first
        out.append(Clock(start=start.replace(tzinfo=used), zone=used, known=sure or bool(known)))
    return out


def injection_of(
    given: Radiopharmaceutical,
    clocks: list[Clock],
    half_life_h: float,
    values: Mapping[str, Any],
    notes: Notes,
) -> datetime:
    """Return when it was injected, with the time zone."""
    first = clocks[0].start.replace(tzinfo=None)
    moment, zone = _written(given, first, half_life_h, values, notes), clocks[0].zone
    if "injection_time" in values:
        said = given_moment(values["injection_time"], scan=first)
        _check_order(said, first, half_life_h)
        if moment is not None and abs((said - moment).total_seconds()) > SAME_MOMENT_S:
            raise ContradictionError(
                f"an injection at {said:%Y-%m-%d %H:%M} was said, but the data give {moment:%Y-%m-%d %H:%M}",
                where="injection_time; RadiopharmaceuticalStartDateTime (0018,1078)",
                allowed=f"within {SAME_MOMENT_S / 60:g} minutes",
            )
        if moment is None:
            notes.enter("injection_time", f"injection at {said:%Y-%m-%d %H:%M}")
        moment = said
    elif given.has_date and "time_zone" not in values:
        zone = _zone_of_injection(given.start, clocks, notes)
    assert moment is not None  # the data gave one, a person did, or it was refused
    if "time_zone" not in values:
        _say_clocks(moment, clocks, notes)
    return moment.replace(tzinfo=zone)


def _written(
    given: Radiopharmaceutical,
    first: datetime,
    half_life_h: float,
    values: Mapping[str, Any],
    notes: Notes,
) -> datetime | None:
    """Return the moment that the data give; None if they give none that can be and a person says one.

    Dates that do not fit are not mended, as they are for one PET: every study may have been shifted by
    another number of days.
    """
    try:
        moment = parse_datetime(given.start) if given.has_date else None
        if moment is not None:
            _check_order(moment, first, half_life_h)
            return moment
        moment, assumed = injection_moment(given.start, has_date=False, scan=first, half_life_h=half_life_h)
    except DicomError:
        if "injection_time" in values:
            return None
        raise
    if "injection_time" in values:  # a time of day is no statement about the day
        return None
    for sentence in assumed:
        notes.assume("injection_time", sentence)
        notes.warnings.append(sentence[0].upper() + sentence[1:] + ".")
    return moment


def _check_order(moment: datetime, first: datetime, half_life_h: float) -> None:
    """Refuse a first scan before the injection, or so late that nothing would be left to see."""
    hours = (first - moment).total_seconds() / 3600
    if -CLOCKS_S / 3600 <= hours <= LATEST_HALF_LIVES * half_life_h:
        return
    raise DicomError(
        f"the injection ({moment:%Y-%m-%d %H:%M}) is after the first scan ({first:%Y-%m-%d %H:%M})"
        if hours < 0
        else f"the first scan ({first:%Y-%m-%d %H:%M}) is {hours / half_life_h:.0f} half-lives after the "
        f"injection ({moment:%Y-%m-%d %H:%M}): nothing would be left to see",
        where="RadiopharmaceuticalStartDateTime (0018,1078), AcquisitionTime (0008,0032)",
        allowed=f"0 to {LATEST_HALF_LIVES:g} half-lives",
        todo="if the header is wrong, say --given injection_time='YYYY-MM-DD HH:MM'",
    )


def _zone_of_injection(start: str, clocks: list[Clock], notes: Notes) -> tzinfo:
    """Return the zone of the injection's wall clock: its own offset, else that of the earliest scan.

    Strictly the offset of an object holds for every time in it (PS3.3 C.12.1). Makers copy the wall clock of
    the injection into objects that were made after clocks were changed; such objects differ from each other.
    """
    own = re.search(r"([+-]\d{4})$", start.strip())
    if own and (offset := offset_of(own[1])) is not None:
        return timezone(offset)
    if len({c.start.utcoffset() for c in clocks}) > 1:
        notes.assume(
            "injection_time",
            "clocks were changed between the scans: the time of injection is taken to be by the clock of the "
            "first scan",
            "say --given time_zone=ZONE to settle it",
        )
    return clocks[0].zone


def _say_clocks(moment: datetime, clocks: list[Clock], notes: Notes) -> None:
    """Say that times may be wrong by an hour where clocks may have been changed after the injection."""
    days = {moment.date(), *(c.start.date() for c in clocks)}
    if len(days) > 1 and not any(c.known for c in clocks):
        notes.warnings.append(
            "The time zone is unknown and scans and injection were on different days: if clocks were changed "
            "between them, times are wrong by one hour (say --given time_zone=ZONE)."
        )
    elif _may_have_changed(moment.date(), clocks[0].start.date()):
        notes.warnings.append(
            "Clocks may have been changed between the injection and the first scan, and the images give one "
            "offset from UTC for both: if they were, times are wrong by one hour (say --given "
            "time_zone=ZONE)."
        )


def _may_have_changed(first: date, last: date) -> bool:
    """Return whether a Sunday of a month in which countries change their clocks lies after the first day."""
    days = (first + timedelta(days=n) for n in range(1, (last - first).days + 1))
    return any(day.weekday() == 6 and day.month in _MONTHS_OF_CHANGE for day in days)
