"""Which things of an inventory are administrations of radiopharmaceuticals, and what is only listed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from omnidose.dicom import nm_series, pet_series
from omnidose.dicom.ct_frames import is_ct_image
from omnidose.dicom.ct_reconstructions import choose_reconstructions, split_series
from omnidose.dicom.dose_report import ReportKind, read_dose_report
from omnidose.dicom.inventory import Inventory, Series
from omnidose.dicom.radiopharmaceutical import Radiopharmaceutical
from omnidose.errors import OmnidoseError
from omnidose.modalities import Claim, ClaimKind
from omnidose.modalities.nuclear.scans import (
    EmissionScan,
    ScanPoint,
    administrations,
    emission_scan,
    read_without_bad_activity,
    time_points,
)

NAME = "nuclear"
#: A CT shows the anatomy of a scan if it holds at least this share of its length. A SPECT is reconstructed in
#: a cube of which the camera sees the middle.
COVERED_SHARE = {"PT": 0.8, "NM": 0.5}
#: The anatomy of a time series is the CT nearest this time after the injection.
REFERENCE_H = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What a radiopharmaceutical dose report says of an administration.

    Attributes
    ----------
    start
        Date and time as DICOM digits; may be empty.
    """

    agent: str = ""
    total_mbq: float | None = None
    start: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What an exposure claim carries to :func:`omnidose.modalities.nuclear.ingest.ingest`.

    Attributes
    ----------
    pet
        The images of the activity.
    series
        The images that the body is made from: a CT of the study, else the PET itself.
    others
        Further PET series of the administration.
    reported
        The dose report of the same study, if it tells of one administration.
    """

    pet: Series
    series: Series
    has_ct: bool
    others: tuple[Series, ...] = ()
    assumed: tuple[str, ...] = ()
    reported: Reported | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PointPayload:
    """One time point of a series: its images and the CT taken with them, if there is one."""

    scan: ScanPoint
    ct: Series | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPayload:
    """What the claim of a time series (or of one SPECT) carries to ``ingest``.

    Attributes
    ----------
    points
        In order of time.
    reference
        Number of the point (from 0) whose CT is the anatomy; None: no point has a CT.
    series
        The images that the body is made from: the CT of the reference; without one the first scan, which
        ``ingest`` refuses.
    reported
        The dose report of one of the studies, if it tells of one administration.
    """

    points: tuple[PointPayload, ...]
    reference: int | None
    series: Series
    reported: Reported | None = None


def claims(inventory: Inventory) -> list[Claim]:
    """Return the administrations of an inventory; what cannot be estimated is listed with the reason.

    Reconstructed SPECT and PET of one administration are one exposure, over all studies. Planar images,
    projections and dose reports of radiopharmaceuticals without images are listed.
    """
    out: list[Claim] = []
    usable: list[Series] = []
    for series in inventory.series:
        if series.modality not in ("PT", "NM"):
            continue
        nm = series.modality == "NM"
        reason = nm_series.why_not(series) if nm else pet_series.why_not(series)
        if reason:
            words = _nm_title(series) if nm else f"PET series, {series.description or 'unnamed'}"
            out.append(_listed(series, words, reason))
        else:
            usable.append(series)
    for group in administrations(emission_scan(s) for s in usable):
        out += _administration(group, inventory)
    out += _reports(inventory, usable)
    return out


def _listed(series: Series, title: str, reason: str) -> Claim:
    return Claim(
        modality=NAME,
        kind=ClaimKind.EXPOSURE,
        key=series.series_uid,
        title=title,
        estimable=False,
        reason=reason,
        series_uids=(series.series_uid,),
    )


def _given_of(series: Series) -> Radiopharmaceutical:
    try:
        return read_without_bad_activity(series)[0]
    except OmnidoseError:
        return Radiopharmaceutical()


def _nm_title(series: Series) -> str:
    given = _given_of(series)
    words = " ".join(w for w in (given.nuclide, given.agent) if w)
    amount = f", {given.total_mbq:g} MBq" if given.total_mbq else ""
    return f"NM series, {words or series.description or 'unnamed'}{amount}"


def _administration(group: list[EmissionScan], inventory: Inventory) -> list[Claim]:
    """Return the claims of one administration: a time series, or one PET as it is."""
    if group[0].fault is not None:  # ingest tells the reason
        return _exposure(group, inventory) if group[0].modality == "PT" else [_faulty(group[0])]
    points = time_points(group)
    has_spect = any(p.used.modality == "NM" for p in points)
    if has_spect or len(_as_long(points)) > 1:
        found = tuple(PointPayload(scan=p, ct=_ct_of(p.used, inventory)) for p in points)
        if has_spect or any(p.ct is not None for p in found):
            return _series(found, inventory)
    return _exposure(group, inventory)


def _as_long(points: list[ScanPoint]) -> list[ScanPoint]:
    """Return the time points that show as much as the longest: a late scan of the head alone does not."""
    lengths = [0.0 if p.used.facts is None else float(np.ptp(p.used.facts.z_mm)) for p in points]
    return [p for p, mm in zip(points, lengths, strict=True) if mm >= COVERED_SHARE["PT"] * max(lengths)]


def _faulty(scan: EmissionScan) -> Claim:
    """Return the claim of a SPECT whose headers cannot be read, for ``ingest`` to refuse."""
    series, point = scan.series, PointPayload(scan=ScanPoint(used=scan))
    return Claim(
        modality=NAME,
        kind=ClaimKind.EXPOSURE,
        key=series.series_uid,
        title=_nm_title(series),
        series_uids=(series.series_uid,),
        payload=SeriesPayload(points=(point,), reference=None, series=series),
    )


def _series(points: tuple[PointPayload, ...], inventory: Inventory) -> list[Claim]:
    """Return the exposure claim of a time series, and the CT of its reference as anatomy."""
    reference = _reference(points)
    ct = None if reference is None else points[reference].ct
    first = points[0].scan.used
    given = next((p.scan.used.given for p in points if p.scan.used.given.agent), first.given)
    words = given.agent or given.nuclide or "unknown radiopharmaceutical"
    amount = f", {given.total_mbq:.0f} MBq" if given.total_mbq else ""
    kinds = " and ".join(dict.fromkeys("SPECT" if p.scan.used.modality == "NM" else "PET" for p in points))
    count = f"{len(points)} time point{'s' if len(points) > 1 else ''}"
    series = [s.series for p in points for s in (p.scan.used, *p.scan.others, *p.scan.apart)]
    uids = (*((ct.series_uid,) if ct else ()), *(s.series_uid for s in series))
    studies = dict.fromkeys(s.study_uid for s in series)
    payload = SeriesPayload(
        points=points,
        reference=reference,
        series=ct or first.series,
        reported=next((r for s in studies if (r := _reported(inventory, s)) is not None), None),
    )
    exposure = Claim(
        modality=NAME,
        kind=ClaimKind.EXPOSURE,
        key=given.event_uid or first.series.series_uid,
        title=f"{kinds}, {words}{amount}, {count}",
        series_uids=uids,
        payload=payload,
    )
    if ct is None:
        return [exposure]
    anatomy = Claim(
        modality=NAME,
        kind=ClaimKind.ANATOMY,
        key=f"{ct.series_uid}/anatomy",
        title="CT of the reference time point",
        series_uids=uids[:1],
        payload=payload,
    )
    return [exposure, anatomy]


def _reference(points: tuple[PointPayload, ...]) -> int | None:
    """Return the point with a CT that is nearest 24 h after the injection (unknown: after the first scan)."""
    with_ct = [n for n, p in enumerate(points) if p.ct is not None]
    if not with_ct:
        return None
    known = [i for p in points if (i := p.scan.used.injected) is not None]
    wanted = (known[0] if known else points[0].scan.used.start) + timedelta(hours=REFERENCE_H)
    return min(with_ct, key=lambda n: abs(points[n].scan.used.start - wanted))


def _exposure(scans: list[EmissionScan], inventory: Inventory) -> list[Claim]:
    """Return the exposure claim of one PET, and its images as anatomy."""
    scan = min(scans, key=lambda s: (-len(s.series.instances), s.series.series_uid))
    pet = scan.series
    group = [pet, *(s.series for s in scans if s is not scan)]
    ct = None if scan.fault is not None else _ct_of(scan, inventory)
    title, key = _title(pet)
    uids = (*((ct.series_uid,) if ct else ()), *(s.series_uid for s in group))
    assumed = []
    if len(group) > 1:
        assumed.append(
            f"{len(group)} PET series show this administration: the one with the most slices is used "
            f"({len(pet.instances)} slices); a series of time points needs scans at different times and a CT"
        )
    payload = Payload(
        pet=pet,
        series=ct or pet,
        has_ct=ct is not None,
        others=tuple(group[1:]),
        assumed=tuple(assumed),
        reported=_reported(inventory, pet.study_uid),
    )
    return [
        Claim(
            modality=NAME, kind=ClaimKind.EXPOSURE, key=key, title=title, series_uids=uids, payload=payload
        ),
        Claim(
            modality=NAME,
            kind=ClaimKind.ANATOMY,
            key=f"{(ct or pet).series_uid}/anatomy",
            title="CT of the study" if ct else "outline of the PET",
            series_uids=uids[:1],
            payload=payload,
        ),
    ]


def _title(pet: Series) -> tuple[str, str]:
    given = _given_of(pet)
    if given == Radiopharmaceutical():
        return f"PET of {len(pet.instances)} slices", pet.series_uid
    words = given.agent or given.nuclide or "unknown radiopharmaceutical"
    amount = f", {given.total_mbq:.0f} MBq" if given.total_mbq else ""
    return f"PET of {len(pet.instances)} slices, {words}{amount}", given.event_uid or pet.series_uid


def _ct_of(scan: EmissionScan, inventory: Inventory) -> Series | None:
    """Return the CT of the same frame of reference that covers most of a scan."""
    uid = scan.series.frame_of_reference_uid
    parts = [
        part
        for series in inventory.series
        if series.modality == "CT"
        and series.frame_of_reference_uid
        and series.frame_of_reference_uid == uid
        and any(is_ct_image(i) for i in series.instances)
        for part in split_series(series)
    ]
    best: tuple[float, Series] | None = None
    low, high = scan.facts.z_mm if scan.facts is not None else (0.0, 0.0)
    for group in choose_reconstructions(parts):
        z = z_range(group.chosen)
        if z is None or high <= low:
            continue
        share = max(0.0, min(high, z[1]) - max(low, z[0])) / (high - low)
        if share >= COVERED_SHARE[scan.modality] and (best is None or share > best[0] + 0.01):
            best = (share, group.chosen)
    return None if best is None else best[1]


def z_range(series: Series) -> tuple[float, float] | None:
    """Return the lowest and the highest slice of a CT, LPS mm; None if it does not say where they lie."""
    from omnidose.dicom.ct_frames import frames_of

    try:
        z = [frame.slice.z_mm for instance in series.instances for frame in frames_of(instance)]
    except OmnidoseError:
        return None
    return (min(z), max(z)) if z else None


def _reported(inventory: Inventory, study_uid: str) -> Reported | None:
    """Return the one administration that the dose reports of a study tell of."""
    found: dict[str, Reported] = {}
    for item in inventory.reports:
        if not study_uid or item.study_uid != study_uid:
            continue
        try:
            report = read_dose_report(item)
        except OmnidoseError:
            continue
        if report.kind is not ReportKind.RADIOPHARMACEUTICAL:
            continue
        total = next((t.value for t in report.totals if t.name == "administered activity"), None)
        for event in report.events:
            found[event.uid or item.sop_instance_uid] = Reported(
                agent=event.protocol.replace("^", ""), total_mbq=total, start=event.start
            )
    return next(iter(found.values())) if len(found) == 1 else None


def _reports(inventory: Inventory, used: list[Series]) -> list[Claim]:
    """Return administrations that only a dose report tells of (those of images are not repeated)."""
    out = []
    studies = {s.study_uid for s in used}
    for item in inventory.reports:
        if item.study_uid in studies:
            continue
        try:
            report = read_dose_report(item)
        except OmnidoseError:
            continue
        if report.kind is not ReportKind.RADIOPHARMACEUTICAL:
            continue
        total = next((t.value for t in report.totals if t.name == "administered activity"), None)
        for event in report.events:
            agent = event.protocol.replace("^", "") or "radiopharmaceutical"
            out.append(
                Claim(
                    modality=NAME,
                    kind=ClaimKind.EXPOSURE,
                    key=event.uid or item.sop_instance_uid,
                    title=f"{agent}" + (f", {total:g} MBq" if total else "") + ", dose report without images",
                    estimable=False,
                    reason="no images show where the activity went",
                    facts={"administered_mbq": total} if total else {},
                )
            )
    return out
