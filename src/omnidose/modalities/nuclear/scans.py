"""Which reconstructed SPECT and PET series show one administration, and which of them one scan.

Series belong to one administration if they name the same event, or the same nuclide given within minutes.
Where the moment is unknown, agent, activity and time of day must agree and the scans lie a few half-lives
apart at most. Several reconstructions of a scan are one time point.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from omnidose.dicom.headers import parse_datetime
from omnidose.dicom.inventory import Series
from omnidose.dicom.nm_series import NmFacts, read_nm_facts
from omnidose.dicom.nm_units import NmUnit
from omnidose.dicom.pet_series import PetFacts, read_pet_facts
from omnidose.dicom.radiopharmaceutical import Radiopharmaceutical, read_radiopharmaceutical
from omnidose.errors import DicomError, OmnidoseError

#: Two notes of one injection may differ by this, s.
SAME_MOMENT_S = 600.0
#: Two activities that differ by less are one (relative).
SAME_ACTIVITY_REL = 0.02
#: Series that begin within this time show one scan (several reconstructions), s.
SAME_SCAN_S = {"NM": 60.0, "PT": 900.0}
#: Scans of one administration whose moment nobody wrote lie within so many half-lives.
TOGETHER_HALF_LIVES = 5.0
#: Scans in one frame of reference that share less than this of their length show different parts of the body.
SAME_PART_SHARE = 0.5
#: Such scans are beds of one time point if they begin within this time, s.
BEDS_S = 7200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmissionScan:
    """One series of activity, as far as its headers tell.

    Attributes
    ----------
    facts
        None if ``fault`` says why they cannot be read.
    """

    series: Series = field(repr=False)
    given: Radiopharmaceutical
    facts: NmFacts | PetFacts | None = None
    fault: OmnidoseError | None = None

    @property
    def modality(self) -> str:
        """``NM`` or ``PT``."""
        return self.series.modality

    @property
    def start(self) -> datetime:
        """Begin of the scan by the camera's clock."""
        if isinstance(self.facts, NmFacts):
            return self.facts.start
        assert self.facts is not None  # scans with a fault are never asked
        return self.facts.first

    @property
    def injected(self) -> datetime | None:
        """Moment of the injection by the wall clock, if date and time are written."""
        return parse_datetime(self.given.start) if self.given.has_date else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanPoint:
    """One time point: the series that is used, and others that show the same scan.

    Attributes
    ----------
    apart
        SPECT series beside it that show another part of the body (beds that nobody joined).
    equal
        Those of ``others`` whose headers make them no worse than the one used.
    """

    used: EmissionScan
    others: tuple[EmissionScan, ...] = ()
    apart: tuple[EmissionScan, ...] = ()
    equal: tuple[EmissionScan, ...] = ()


def emission_scan(series: Series) -> EmissionScan:
    """Read the headers of a series; what is wrong with them is kept as ``fault``."""
    try:
        given = read_without_bad_activity(series)[0]
        facts = read_nm_facts(series) if series.modality == "NM" else read_pet_facts(series)
    except OmnidoseError as error:
        return EmissionScan(series=series, given=Radiopharmaceutical(), fault=error)
    return EmissionScan(series=series, given=given, facts=facts)


def read_without_bad_activity(series: Series) -> tuple[Radiopharmaceutical, DicomError | None]:
    """Return what was given, and the error about an activity that is impossible in its unit (then left out).

    Raises
    ------
    OmnidoseError
        For all other faults.
    """
    try:
        return read_radiopharmaceutical(series.header, sop_class=series.sop_class), None
    except DicomError as error:
        if "RadionuclideTotalDose" not in error.where:
            raise
        header: Any = deepcopy(series.header)
        del header.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose
        return read_radiopharmaceutical(header, sop_class=series.sop_class), error


def administrations(scans: Iterable[EmissionScan]) -> list[list[EmissionScan]]:
    """Group scans by administration, each group in order of time; scans with a fault stay alone."""
    groups: list[list[EmissionScan]] = []
    alone: list[list[EmissionScan]] = []
    good: list[EmissionScan] = []
    for scan in scans:
        if scan.fault is None:
            good.append(scan)
        else:
            alone.append([scan])
    for scan in sorted(good, key=lambda s: (s.start, s.series.series_uid)):
        homes = [g for g in groups if any(same_administration(scan, other) for other in g)]
        merged = [s for home in homes for s in home] + [scan]
        kept = [g for g in groups if not any(g is home for home in homes)]
        groups = [*kept, sorted(merged, key=lambda s: s.start)]
    return [*groups, *alone]


def same_administration(a: EmissionScan, b: EmissionScan) -> bool:
    """Return whether two scans show one administration."""
    if a.given.event_uid and b.given.event_uid:
        return a.given.event_uid == b.given.event_uid
    if a.given.nuclide and b.given.nuclide and a.given.nuclide != b.given.nuclide:
        return False
    if a.injected is not None and b.injected is not None:
        return _near(a.injected, b.injected, SAME_MOMENT_S) or _one_moment_on_two_clocks(a, b)
    return _may_be_one(a, b)


def _near(a: datetime, b: datetime, seconds: float) -> bool:
    return abs((a - b).total_seconds()) <= seconds


def _one_moment_on_two_clocks(a: EmissionScan, b: EmissionScan) -> bool:
    """Return whether clocks with different offsets from UTC name one moment."""
    one, two = _in_utc(a), _in_utc(b)
    return one is not None and two is not None and _near(one, two, SAME_MOMENT_S)


def _in_utc(scan: EmissionScan) -> datetime | None:
    offset = offset_of(scan.facts.time_zone) if scan.facts is not None else None
    return None if offset is None or scan.injected is None else scan.injected - offset


def offset_of(zone: str) -> timedelta | None:
    """Return Timezone Offset From UTC (0008,0201), ``+0100``, as a duration; None if it is none."""
    digits = zone.strip()
    if len(digits) != 5 or digits[0] not in "+-" or not digits[1:].isdigit():
        return None
    minutes = 60 * int(digits[1:3]) + int(digits[3:])
    if minutes >= 24 * 60:
        return None
    return timedelta(minutes=-minutes if digits[0] == "-" else minutes)


def _may_be_one(a: EmissionScan, b: EmissionScan) -> bool:
    """Compare what is written where the moment of the injection is not."""
    if a.given.agent and b.given.agent and a.given.agent.casefold() != b.given.agent.casefold():
        return False
    one, two = a.given.total_mbq, b.given.total_mbq
    if one and two and abs(one - two) > SAME_ACTIVITY_REL * max(one, two):
        return False
    if a.given.start and b.given.start and not _same_time_of_day(a.given, b.given):
        return False
    if a.series.study_uid and a.series.study_uid == b.series.study_uid:
        return True
    nuclide = a.given.nuclide or b.given.nuclide
    if not nuclide:
        return False
    from omnidose.physics.nuclides import is_radioactive
    from omnidose.physics.nuclides import nuclide as of_library

    if not is_radioactive(nuclide):
        return False
    return _near(a.start, b.start, TOGETHER_HALF_LIVES * of_library(nuclide).half_life_s)


def _same_time_of_day(a: Radiopharmaceutical, b: Radiopharmaceutical) -> bool:
    one, two = (parse_datetime("20000101" + (g.start[8:] if g.has_date else g.start)[:6]) for g in (a, b))
    return one is None or two is None or _near(one, two, SAME_MOMENT_S)


def time_points(group: list[EmissionScan]) -> list[ScanPoint]:
    """Return the time points of one administration, in order of time."""
    clusters: list[list[EmissionScan]] = []
    for scan in sorted(group, key=lambda s: s.start):
        home = next((c for c in clusters if _one_scan(c[0], scan)), None)
        if home is None:
            clusters.append([scan])
        else:
            home.append(scan)
    return [_point(cluster) for cluster in clusters]


def _one_scan(a: EmissionScan, b: EmissionScan) -> bool:
    if a.modality != b.modality:
        return False
    if _near(a.start, b.start, SAME_SCAN_S[a.modality]):
        return True
    return _other_part(a, b) and _near(a.start, b.start, BEDS_S)


def _other_part(a: EmissionScan, b: EmissionScan) -> bool:
    """Return whether two scans in one frame of reference show different parts of the body."""
    uid = a.series.frame_of_reference_uid
    if not uid or uid != b.series.frame_of_reference_uid or a.facts is None or b.facts is None:
        return False
    (low_a, high_a), (low_b, high_b) = a.facts.z_mm, b.facts.z_mm
    shorter = min(high_a - low_a, high_b - low_b)
    return shorter > 0 and min(high_a, high_b) - max(low_a, low_b) < SAME_PART_SHARE * shorter


def _point(cluster: list[EmissionScan]) -> ScanPoint:
    ranked = sorted(cluster, key=lambda s: (_rank(s), s.series.series_uid))
    used = ranked[0]
    apart = tuple(s for s in ranked[1:] if s.modality == "NM" and _other_part(used, s))
    others = tuple(s for s in ranked[1:] if s not in apart)
    equal = tuple(s for s in others if _rank(s) == _rank(used))
    return ScanPoint(used=used, others=others, apart=apart, equal=equal)


def _rank(scan: EmissionScan) -> tuple[int, ...]:
    """Return what makes a reconstruction better, best first."""
    facts = scan.facts
    if not isinstance(facts, NmFacts):
        return (-len(scan.series.instances),)
    done = facts.corrections
    return (
        _lack(done.attenuation, done.stated),
        int(facts.unit is not NmUnit.CONCENTRATION),
        _lack(done.scatter, done.stated),
        -facts.slice_count,
    )


def _lack(listed: bool, stated: bool) -> int:
    """Return 0 for a correction that is listed, 1 where nothing is listed, 2 where only others are."""
    return 0 if listed else 2 if stated else 1
