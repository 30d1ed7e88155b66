"""Which things of an inventory are CT irradiations, which are their images, and what is only listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from omnidose.dicom.ct_frames import is_ct_image, is_localizer
from omnidose.dicom.ct_reconstructions import ReconstructionGroup, choose_reconstructions, split_series
from omnidose.dicom.dose_report import (
    AcquisitionType,
    DoseReport,
    IrradiationEvent,
    ReportKind,
    belongs_to,
    latest_reports,
    read_dose_report,
)
from omnidose.dicom.headers import text
from omnidose.dicom.inventory import Inventory, Series
from omnidose.errors import OmnidoseError
from omnidose.modalities import Claim, ClaimKind
from omnidose.modalities.ct.images import ImageFacts, read_image_facts

#: Makers whose objects of modality CT are cone-beam images of a treatment machine.
_CONE_BEAM = ("VARIAN", "ELEKTA")
#: Ranges that differ by less than this are the same range (repeated passes, phases).
_SAME_RANGE_MM = 3.0
#: Images may reach this far beyond the reported scanning length.
_LENGTH_SLACK_MM = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What a CT exposure claim carries to :func:`omnidose.modalities.ct.ingest.ingest`.

    Attributes
    ----------
    series
        Images of this irradiation, or borrowed from another phase; None without images.
    repeats
        Passes over the same range that the images show (without a dose report).
    assumed
        Sentences about how report and images were brought together.
    """

    series: Series | None = None
    facts: ImageFacts | None = None
    event: IrradiationEvent | None = None
    manufacturer: str = ""
    model: str = ""
    borrowed: bool = False
    repeats: int = 1
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pass:
    """One acquisition that has images."""

    group: ReconstructionGroup
    facts: ImageFacts
    repeats: int = 1


def claims(inventory: Inventory) -> list[Claim]:
    """Return the CT exposures and the anatomy of an inventory.

    Every acquisition with images is one exposure, whatever number of reconstructions it has; events of a
    dose report without images are exposures too. What cannot be estimated is listed with the reason.
    """
    series = [s for s in inventory.series if s.modality == "CT"]
    parts = [p for s in series if any(is_ct_image(i) for i in s.instances) for p in split_series(s)]
    cone_beam = [p for p in parts if _is_cone_beam(p)]
    passes = _passes([p for p in parts if not _is_cone_beam(p)])
    reports = _reports(inventory, series)
    events = [(event, report) for report in reports for event in report.events]
    matched = _match(passes, events)
    out: list[Claim] = []
    for item in passes:
        out.append(_image_claim(item, matched.get(id(item))))
    used = {id(event) for event, _report, _words in matched.values()}
    for event, report in _unique(events, used):
        out.append(_event_claim(event, report, passes))
    out.extend(_localizer_claim(s) for s in series if _lone_localizer(s, events))
    out.extend(_cone_beam_claim(s) for s in cone_beam)
    out.extend(_anatomy_claim(item) for item in passes)
    return out


def _is_cone_beam(series: Series) -> bool:
    maker = text(series.header, "Manufacturer").upper()
    return maker.startswith(_CONE_BEAM) or text(series.header, "AcquisitionType").upper() == "CONEBEAM"


def _passes(parts: list[Series]) -> list[_Pass]:
    found = []
    for group in choose_reconstructions(parts):
        try:
            found.append(_Pass(group, read_image_facts(group.chosen)))
        except OmnidoseError:
            continue  # the reader of the volume names the fault; here it is no CT acquisition
    return _merge_repeats(found)


def _merge_repeats(passes: list[_Pass]) -> list[_Pass]:
    """Count passes of one series over the same range (perfusion) as one exposure with repeats.

    Passes with irradiation event UIDs stay as they are: their dose report tells each one's CTDIvol.
    """
    merged: list[_Pass] = []
    for item in passes:
        same = [i for i, other in enumerate(merged) if _repeats(other.facts, item.facts)]
        if same:
            merged[same[0]] = replace(merged[same[0]], repeats=merged[same[0]].repeats + 1)
        else:
            merged.append(item)
    return merged


def _repeats(a: ImageFacts, b: ImageFacts) -> bool:
    near = np.abs(np.subtract(a.imaged_z_mm, b.imaged_z_mm)).max() <= _SAME_RANGE_MM
    return bool(near) and a.series_uid == b.series_uid and a.kv == b.kv and not (a.event_uids or b.event_uids)


def _reports(inventory: Inventory, series: list[Series]) -> list[DoseReport]:
    """Return the CT dose reports that belong to the images (all, if there are no images)."""
    found = []
    for item in inventory.reports:
        try:
            report = read_dose_report(item)
        except OmnidoseError:
            continue
        if report.kind is ReportKind.CT and (not series or belongs_to(report, series)):
            found.append(report)
    return list(latest_reports(found))


def _match(
    passes: list[_Pass], events: list[tuple[IrradiationEvent, DoseReport]]
) -> dict[int, tuple[IrradiationEvent, DoseReport, str]]:
    """Bring acquisitions and events together: by event UID, else by the only event that fits.

    Returns
    -------
    dict
        ``id(pass)`` -> event, report, and a sentence if the match is an assumption.
    """
    found: dict[int, tuple[IrradiationEvent, DoseReport, str]] = {}
    taken: set[int] = set()
    for item in passes:
        for event, report in events:
            if event.uid and event.uid in item.facts.event_uids:
                found[id(item)] = (event, report, "")
                taken.add(id(event))
                break
    left = [item for item in passes if id(item) not in found and not item.facts.event_uids]
    for item in left:
        fitting = [(e, r) for e, r in events if id(e) not in taken and _fits(item.facts, e)]
        rivals = [
            other for other in left if other is not item and any(_fits(other.facts, e) for e, _ in fitting)
        ]
        if len(fitting) == 1 and not rivals:
            event, report = fitting[0]
            found[id(item)] = (
                event,
                report,
                "the images carry no irradiation event UID; they were matched to the only event of the dose "
                "report with this tube voltage and range",
            )
            taken.add(id(event))
    return found


def _fits(facts: ImageFacts, event: IrradiationEvent) -> bool:
    if event.is_localizer or event.bolus_tracking:
        return False
    if facts.kv and event.kvp_kv and abs(facts.kv - event.kvp_kv) > 0.5:
        return False
    length = event.scanning_length_mm or event.exposed_range_mm
    imaged = facts.imaged_z_mm[1] - facts.imaged_z_mm[0]
    width = event.total_collimation_mm or 0.0
    return length is None or imaged <= length + width + _LENGTH_SLACK_MM


def _unique(
    events: list[tuple[IrradiationEvent, DoseReport]], used: set[int]
) -> list[tuple[IrradiationEvent, DoseReport]]:
    """Return events without images, each UID once (reports of one study may repeat them)."""
    known = {event.uid for event, _ in events if id(event) in used and event.uid}
    out = []
    for event, report in events:
        if id(event) in used or (event.uid and event.uid in known):
            continue
        known.add(event.uid)
        out.append((event, report))
    return out


def _event_facts(event: IrradiationEvent) -> dict[str, Any]:
    facts = {
        "kv": event.kvp_kv,
        "ctdivol_mgy": event.ctdivol_mgy,
        "ctdi_phantom_cm": int(event.ctdi_phantom) if event.ctdi_phantom else None,
        "dlp_mgy_cm": event.dlp_mgy_cm,
        "acquisition_type": event.acquisition_type.value or None,
        "protocol": event.protocol or None,
        "start": event.start or None,
    }
    return {key: value for key, value in facts.items() if value is not None}


def _image_claim(item: _Pass, match: tuple[IrradiationEvent, DoseReport, str] | None) -> Claim:
    facts = item.facts
    event, report, words = match if match else (None, None, "")
    stated: dict[str, Any] = {"kv": facts.kv, "ctdivol_mgy": facts.ctdivol_mgy, "protocol": facts.protocol}
    stated = {key: value for key, value in stated.items() if value}
    if event is not None:
        stated |= _event_facts(event)
    key = event.uid if event is not None and event.uid else ""
    if not key and len(facts.event_uids) == 1:
        key = next(iter(facts.event_uids))
    if not key:
        key = facts.series_uid + (f"/{item.group.chosen.part}" if item.group.chosen.part else "")
    length = facts.imaged_z_mm[1] - facts.imaged_z_mm[0]
    passes = f"the images show {item.repeats} passes over the same range" if item.repeats > 1 else ""
    assumed = tuple(sentence for sentence in (words, item.group.reason, passes) if sentence)
    return Claim(
        modality="ct",
        kind=ClaimKind.EXPOSURE,
        key=key,
        title=f"CT of {length / 10:.0f} cm, {len(facts.z_mm)} slices"
        + (f", {facts.kv:g} kV" if facts.kv else ""),
        series_uids=(facts.series_uid, *(s.series_uid for s in item.group.others)),
        facts=stated,
        payload=Payload(
            series=item.group.chosen,
            facts=facts,
            event=event,
            manufacturer=facts.manufacturer or (report.manufacturer if report else ""),
            model=facts.model or (report.model if report else ""),
            assumed=assumed,
            repeats=item.repeats,
        ),
    )


def _event_claim(event: IrradiationEvent, report: DoseReport, passes: Sequence[_Pass]) -> Claim:
    """Return the claim of an event without images of its own."""
    payload = Payload(event=event, manufacturer=report.manufacturer, model=report.model)
    claim = Claim(
        modality="ct",
        kind=ClaimKind.EXPOSURE,
        key=event.uid or f"{report.sop_instance_uid}/{event.protocol}",
        title=_event_title(event),
        estimable=False,
        facts=_event_facts(event),
        payload=payload,
    )
    if event.ctdivol_mgy is None:
        return replace(claim, reason="the dose report gives no CTDIvol for it")
    top, bottom = z_range_of(event)
    if (top is None or bottom is None) and event.is_localizer and localizer_length_mm(event) and passes:
        # A localizer shows what is scanned next: its length is laid around the images.
        middle = 0.5 * sum(passes[0].facts.imaged_z_mm)
        top, bottom = middle + 1.0, middle - 1.0
    if top is None or bottom is None or top <= bottom:
        return replace(
            claim, reason="no images, and the dose report does not say where along the patient it was"
        )
    for item in passes:
        facts = item.facts
        same_frame = (
            not event.frame_of_reference_uid or event.frame_of_reference_uid == facts.frame_of_reference_uid
        )
        if same_frame and bottom < facts.imaged_z_mm[1] and top > facts.imaged_z_mm[0]:
            return replace(
                claim,
                estimable=True,
                series_uids=(facts.series_uid,),
                borrowed=True,
                payload=replace(payload, series=item.group.chosen, facts=facts, borrowed=True),
            )
    return replace(claim, reason="no images show the part of the patient that it scanned")


def _event_title(event: IrradiationEvent) -> str:
    if event.is_localizer:
        kind = "localizer"
    elif event.bolus_tracking:
        kind = "bolus tracking"
    else:
        kind = event.acquisition_type.value or "scan"
    return f"CT {kind} without images" + (f", {event.protocol}" if event.protocol else "")


def z_range_of(event: IrradiationEvent) -> tuple[float | None, float | None]:
    """Return (top, bottom) z of an event: of the scan, else of the reconstructed volume; None if unknown."""
    pairs = (
        (event.scan_top_z_mm, event.scan_bottom_z_mm),
        (event.reconstruction_top_z_mm, event.reconstruction_bottom_z_mm),
    )
    for top, bottom in pairs:
        if top is not None and bottom is not None:
            return max(top, bottom), min(top, bottom)
    return None, None


def localizer_length_mm(event: IrradiationEvent) -> float | None:
    """Return the length of a localizer from its DLP, else its scanning length; None if unknown."""
    if event.dlp_mgy_cm and event.ctdivol_mgy:
        return 10 * event.dlp_mgy_cm / event.ctdivol_mgy
    return event.scanning_length_mm or event.exposed_range_mm


def _lone_localizer(series: Series, events: list[tuple[IrradiationEvent, DoseReport]]) -> bool:
    """Return True for a localizer series that no event of a dose report stands for."""
    if not all(is_localizer(i) for i in series.instances) or "DERIVED" in series.image_type:
        return False  # a derived one is a picture of planned ranges, not an irradiation
    return not any(
        event.is_localizer or event.acquisition_type is AcquisitionType.UNKNOWN for event, _ in events
    )


def _localizer_claim(series: Series) -> Claim:
    return Claim(
        modality="ct",
        kind=ClaimKind.EXPOSURE,
        key=text(series.header, "IrradiationEventUID") or series.series_uid,
        title="CT localizer",
        estimable=False,
        reason="no dose report tells its CTDIvol",
        series_uids=(series.series_uid,),
        payload=Payload(series=series),
    )


def _cone_beam_claim(series: Series) -> Claim:
    return Claim(
        modality="ct",
        kind=ClaimKind.EXPOSURE,
        key=series.series_uid,
        title="Cone-beam CT of a treatment machine",
        estimable=False,
        reason="cone-beam CT has a wide beam and another normalisation, which this modality does not model",
        series_uids=(series.series_uid,),
        payload=Payload(series=series),
    )


def _anatomy_claim(item: _Pass) -> Claim:
    return Claim(
        modality="ct",
        kind=ClaimKind.ANATOMY,
        key=item.facts.series_uid + (f"/{item.group.chosen.part}" if item.group.chosen.part else ""),
        title=f"CT slices, {len(item.facts.z_mm)} positions",
        series_uids=(item.facts.series_uid,),
        payload=Payload(series=item.group.chosen, facts=item.facts),
    )
