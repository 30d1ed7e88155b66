"""Which things of an inventory are administrations of radiopharmaceuticals, and what is only listed."""

from __future__ import annotations

from dataclasses import dataclass

from omnidose.dicom.ct_frames import is_ct_image
from omnidose.dicom.ct_reconstructions import choose_reconstructions, split_series
from omnidose.dicom.dose_report import ReportKind, read_dose_report
from omnidose.dicom.inventory import Inventory, Series
from omnidose.dicom.pet_series import PetFacts, read_pet_facts, why_not
from omnidose.dicom.radiopharmaceutical import Radiopharmaceutical, read_radiopharmaceutical
from omnidose.errors import OmnidoseError
from omnidose.modalities import Claim, ClaimKind

NAME = "nuclear"
#: A CT shows the anatomy of a PET if it holds at least this share of its length.
COVERED_SHARE = 0.8
#: Series whose beds begin within this time show one scan (several reconstructions), s.
SAME_SCAN_S = 60.0


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


def claims(inventory: Inventory) -> list[Claim]:
    """Return the administrations of an inventory; what cannot be estimated is listed with the reason.

    PET series with one administration are one exposure. NM images (planar, projections, counts) and dose
    reports of radiopharmaceuticals without images are listed.
    """
    out: list[Claim] = []
    usable: list[Series] = []
    for series in inventory.series:
        if series.modality == "PT":
            reason = why_not(series)
            if reason:
                out.append(_listed(series, f"PET series, {series.description or 'unnamed'}", reason))
            else:
                usable.append(series)
        elif series.modality == "NM":
            out.append(_listed(series, _nm_title(series), _nm_reason(series)))
    for group in _groups(usable):
        out += _exposure(group, inventory)
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


def _nm_title(series: Series) -> str:
    try:
        given = read_radiopharmaceutical(series.header, sop_class=series.sop_class)
    except OmnidoseError:
        given = Radiopharmaceutical()
    words = " ".join(w for w in (given.nuclide, given.agent) if w)
    amount = f", {given.total_mbq:g} MBq" if given.total_mbq else ""
    return f"NM series, {words or series.description or 'unnamed'}{amount}"


def _nm_reason(series: Series) -> str:
    kinds = {word.upper() for word in series.image_type}
    if "RECON TOMO" in kinds:
        return "a SPECT in counts: no calibration of the camera is known to this version"
    if kinds & {"TOMO", "GATED TOMO"}:
        return "projections of a SPECT: the reconstructed and calibrated images are needed"
    return "a planar image has no third dimension: no dose is computed from it"


def _groups(series: list[Series]) -> list[list[Series]]:
    """Return the series of each administration (study, activity, start)."""
    groups: dict[tuple[str, ...], list[Series]] = {}
    for item in series:
        try:
            given = read_radiopharmaceutical(item.header, sop_class=item.sop_class)
            key: tuple[str, ...] = (item.study_uid, given.event_uid or f"{given.total_mbq} {given.start}")
        except OmnidoseError:
            key = (item.series_uid,)
        groups.setdefault(key, []).append(item)
    return list(groups.values())


def _exposure(group: list[Series], inventory: Inventory) -> list[Claim]:
    """Return the exposure claim of one administration, and its images as anatomy."""
    group = sorted(group, key=lambda s: (-len(s.instances), s.series_uid))
    pet = group[0]
    try:
        facts: PetFacts | None = read_pet_facts(pet)
    except OmnidoseError:
        facts = None  # ingest tells the reason
    ct = None if facts is None else _ct_of(pet, facts, inventory)
    title, key = _title(pet)
    uids = (*((ct.series_uid,) if ct else ()), *(s.series_uid for s in group))
    assumed = []
    if len(group) > 1:
        assumed.append(
            f"{len(group)} PET series show this administration: the one with the most slices is used "
            f"({len(pet.instances)} slices); further time points are not yet used"
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
    try:
        given = read_radiopharmaceutical(pet.header, sop_class=pet.sop_class)
    except OmnidoseError:
        return f"PET of {len(pet.instances)} slices", pet.series_uid
    words = given.agent or given.nuclide or "unknown radiopharmaceutical"
    amount = f", {given.total_mbq:.0f} MBq" if given.total_mbq else ""
    return f"PET of {len(pet.instances)} slices, {words}{amount}", given.event_uid or pet.series_uid


def _ct_of(pet: Series, facts: PetFacts, inventory: Inventory) -> Series | None:
    """Return the CT of the same frame of reference that covers most of the PET."""
    parts = [
        part
        for series in inventory.series
        if series.modality == "CT"
        and series.frame_of_reference_uid
        and series.frame_of_reference_uid == pet.frame_of_reference_uid
        and any(is_ct_image(i) for i in series.instances)
        for part in split_series(series)
    ]
    best: tuple[float, Series] | None = None
    low, high = facts.z_mm
    for group in choose_reconstructions(parts):
        z = _z_range(group.chosen)
        if z is None or high <= low:
            continue
        share = max(0.0, min(high, z[1]) - max(low, z[0])) / (high - low)
        if share >= COVERED_SHARE and (best is None or share > best[0] + 0.01):
            best = (share, group.chosen)
    return None if best is None else best[1]


def _z_range(series: Series) -> tuple[float, float] | None:
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
        try:
            report = read_dose_report(item)
        except OmnidoseError:
            continue
        if report.kind is not ReportKind.RADIOPHARMACEUTICAL or not study_uid or item.study_uid != study_uid:
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
        try:
            report = read_dose_report(item)
        except OmnidoseError:
            continue
        if report.kind is not ReportKind.RADIOPHARMACEUTICAL or item.study_uid in studies:
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
