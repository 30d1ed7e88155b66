"""Radiation dose structured reports -> :class:`DoseReport` with its :class:`IrradiationEvent` records.

CT reports (PS3.16 TID 10011, 10013) are read fully. Projection, mammography and radiopharmaceutical
reports are recognised, with their totals, so that they can be listed as found and not estimated. Codes:
coding scheme DCM; values converted from the units that the report states (:mod:`omnidose.dicom.units`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from omnidose.dicom.dose_events import (
    AcquisitionType,
    DoseReport,
    IrradiationEvent,
    ReportedTotal,
    ReportKind,
    TubeSource,
)
from omnidose.dicom.headers import parse_datetime, text, uid_name
from omnidose.dicom.inventory import ReportObject, Series, read_header
from omnidose.dicom.sr import Node
from omnidose.errors import ContradictionError, DicomError

__all__ = [
    "AcquisitionType",
    "DoseReport",
    "IrradiationEvent",
    "ReportKind",
    "ReportedTotal",
    "TubeSource",
    "belongs_to",
    "check_same_study",
    "latest_reports",
    "read_dose_report",
    "unique_events",
]

_TYPES = {
    "113804": AcquisitionType.SEQUENCED,
    "P5-08001": AcquisitionType.SPIRAL,
    "116152004": AcquisitionType.SPIRAL,
    "113805": AcquisitionType.CONSTANT_ANGLE,
    "113806": AcquisitionType.STATIONARY,
    "113807": AcquisitionType.FREE,
    "702569007": AcquisitionType.CONE_BEAM,
}
_TYPE_WORDS = (
    ("spiral", AcquisitionType.SPIRAL),
    ("helical", AcquisitionType.SPIRAL),
    ("sequenc", AcquisitionType.SEQUENCED),
    ("axial", AcquisitionType.SEQUENCED),
    ("constant angle", AcquisitionType.CONSTANT_ANGLE),
    ("stationary", AcquisitionType.STATIONARY),
    ("free", AcquisitionType.FREE),
    ("cone", AcquisitionType.CONE_BEAM),
)
_BOLUS_WORDS = ("monitoring", "bolus", "smartprep", "smart prep", "surestart", "tracker", "timing")
_PHANTOMS = {"113690": "16", "113691": "32"}


def read_dose_report(report: ReportObject | Path | str) -> DoseReport:
    """Read a radiation dose structured report of any SR class (GE writes Enhanced SR).

    Raises
    ------
    DicomError
        If the object is no structured report, or one about something else than dose; the message says what
        it is.
    """
    header = report.header if isinstance(report, ReportObject) else _header(Path(report))
    sop_class = text(header, "SOPClassUID")
    if not sop_class.startswith("1.2.840.10008.5.1.4.1.1.88."):
        raise DicomError(
            f"this is no structured report but {_name(sop_class)}",
            where="SOPClassUID (0008,0016)",
            allowed="a radiation dose structured report",
            todo="use it as an image, or leave it out",
        )
    root = Node.of(header)
    if root.concept == "113500":
        return _radiopharmaceutical(header, root)
    if root.concept != "113701":
        title = root.meaning or "without a title"
        raise DicomError(
            f"this structured report is no dose report (its title is '{title}')",
            where="ConceptNameCodeSequence (0040,A043)",
            allowed="X-Ray Radiation Dose Report (113701, DCM) or Radiopharmaceutical Radiation Dose Report",
            todo="nothing needs to be done: it is left out",
        )
    if any(child.concept in ("113811", "113819") for child in root.children):
        return _ct(header, root)
    return _projection(header, root)


def _header(path: Path) -> Any:
    try:
        return read_header(path)[0]
    except OSError as error:
        raise DicomError("the report cannot be read", where=path.name) from error
    except Exception as error:  # any fault of a damaged file
        raise DicomError(
            "the report is damaged or no DICOM file", where=path.name, todo="copy it again"
        ) from error


def _name(uid: str) -> str:
    return f"a '{uid_name(uid)}' object" if uid else "an object without SOP class"


def _common(header: Any, root: Node, kind: ReportKind) -> DoseReport:
    scope = root.first("113705")
    study = scope.text_value("110180") if scope is not None else ""
    created = text(header, "ContentDate") + text(header, "ContentTime").partition(".")[0]
    return DoseReport(
        kind=kind,
        sop_instance_uid=text(header, "SOPInstanceUID"),
        study_uid=study or text(header, "StudyInstanceUID"),
        manufacturer=root.text_value("113878") or root.text_value("121014") or text(header, "Manufacturer"),
        model=root.text_value("113879") or root.text_value("121015") or text(header, "ManufacturerModelName"),
        device_serial=root.text_value("113880")
        or root.text_value("121016")
        or text(header, "DeviceSerialNumber"),
        start=root.text_value("113809"),
        end=root.text_value("113810"),
        created=created,
    )


def _ct(header: Any, root: Node) -> DoseReport:
    report = _common(header, root, ReportKind.CT)
    begin, end = parse_datetime(report.start), parse_datetime(report.end)
    longest_s = (end - begin).total_seconds() if begin and end and end > begin else None
    events = tuple(_ct_event(child, longest_s) for child in root.children if child.concept == "113819")
    totals = root.first("113811")
    dlp = totals.number("113813", "mGy.cm") if totals is not None else None
    stated = totals.number("113812", "1") if totals is not None else None
    notes = []
    if stated is not None and int(stated) != len(events):
        notes.append(f"the report states {int(stated)} irradiation events but lists {len(events)}")
    summed = sum(e.dlp_mgy_cm for e in events if e.dlp_mgy_cm is not None)
    if dlp is not None and events and abs(summed - dlp) > 0.02 * dlp + 0.5:
        notes.append(
            f"the events' DLP add up to {summed:.1f} mGy.cm but the stated total is {dlp:.1f} mGy.cm"
        )
    return replace(
        report,
        events=events,
        stated_event_count=None if stated is None else int(stated),
        total_dlp_mgy_cm=dlp,
        totals=()
        if dlp is None
        else (ReportedTotal(name="CT dose length product", value=dlp, unit="mGy.cm"),),
        notes=tuple(notes),
    )


def _ct_event(node: Node, longest_s: float | None) -> IrradiationEvent:
    value, _, meaning = node.code_value("113820")
    kind = _TYPES.get(value) or next(
        (t for w, t in _TYPE_WORDS if w in meaning.lower()), AcquisitionType.UNKNOWN
    )
    protocol = node.text_value("125203")
    region = node.code_value("123014")
    notes: list[str] = []
    exposure_time_s = node.number("113824", "s")
    if exposure_time_s is not None and longest_s is not None and exposure_time_s > longest_s + 60.0:
        notes.append(
            f"the exposure time of {exposure_time_s:g} s is longer than the whole examination "
            f"({longest_s:.0f} s) and is not used"
        )
        exposure_time_s = None
    event = IrradiationEvent(
        uid=node.text_value("113769"),
        acquisition_type=kind,
        protocol=protocol,
        target_region=region[2],
        target_region_code=region[:2],
        procedure_context=node.code_value("G-C32C")[2] or node.code_value("408730004")[2],
        start=node.text_value("111526"),
        sources=_sources(node),
        exposure_time_s=exposure_time_s,
        single_collimation_mm=node.number("113826", "mm"),
        total_collimation_mm=node.number("113827", "mm"),
        pitch=node.number("113828", "1"),
        scanning_length_mm=node.number("113825", "mm"),
        exposed_range_mm=node.number("113899", "mm"),
        reconstruction_length_mm=node.number("113893", "mm"),
        reconstruction_top_z_mm=node.number("113895", "mm"),
        reconstruction_bottom_z_mm=node.number("113896", "mm"),
        scan_top_z_mm=node.number("113897", "mm"),
        scan_bottom_z_mm=node.number("113898", "mm"),
        frame_of_reference_uid=node.text_value("112227"),
        ctdivol_mgy=node.number("113830", "mGy"),
        ctdi_phantom=_PHANTOMS.get(node.code_value("113835")[0], ""),
        dlp_mgy_cm=node.number("113838", "mGy.cm"),
        mean_ctdi_free_air_mgy=node.number("113837", "mGy"),
        modulation=node.text_value("113842"),
        comment=node.text_value("121106"),
        bolus_tracking=kind is not AcquisitionType.CONSTANT_ANGLE
        and any(word in protocol.lower() for word in _BOLUS_WORDS),
    )
    notes.extend(_doubts(event))
    return replace(event, notes=tuple(notes))


def _sources(node: Node) -> tuple[TubeSource, ...]:
    return tuple(
        TubeSource(
            label=source.text_value("113832"),
            kvp_kv=source.number("113733", "kV"),
            mean_tube_current_ma=source.number("113734", "mA"),
            max_tube_current_ma=source.number("113833", "mA"),
            rotation_time_s=source.number("113834", "s"),
        )
        for source in node.all("113831")
    )


def _doubts(event: IrradiationEvent) -> list[str]:
    """Return what a physicist should know about an event before using it."""
    notes = []
    ctdivol, dlp, length = event.ctdivol_mgy, event.dlp_mgy_cm, event.scanning_length_mm
    if ctdivol and not event.ctdi_phantom:
        notes.append("the report does not say whether CTDIvol refers to the 16 or the 32 cm phantom")
    if event.acquisition_type is AcquisitionType.SPIRAL and ctdivol and dlp and length:
        ratio = dlp / (ctdivol * length / 10.0)
        if not 0.7 < ratio < 1.5:
            notes.append(f"DLP is {ratio:.2f} times CTDIvol x scanning length")
    collimation, single = event.total_collimation_mm, event.single_collimation_mm
    if event.acquisition_type is AcquisitionType.SPIRAL and collimation and single and event.pitch:
        slices = collimation / single
        if slices > 4 and abs(slices - round(slices)) > 0.05:
            notes.append(
                f"a total collimation of {collimation:g} mm is not a whole number of {single:g} mm slices: "
                "it may be the slice thickness, not the beam width"
            )
    if ctdivol is None and event.acquisition_type is not AcquisitionType.CONSTANT_ANGLE:
        notes.append("the report gives no CTDIvol for this event")
    return notes


def _projection(header: Any, root: Node) -> DoseReport:
    procedure = root.code_value("121058")
    breast = procedure[0] in ("P5-40010", "71651007") or "mammo" in procedure[2].lower()
    report = _common(header, root, ReportKind.MAMMOGRAPHY if breast else ReportKind.PROJECTION)
    events = tuple(
        IrradiationEvent(
            uid=child.text_value("113769"),
            protocol=child.text_value("125203"),
            target_region=child.code_value("123014")[2],
            start=child.text_value("111526"),
        )
        for child in root.children
        if child.concept == "113706"
    )
    totals = []
    wanted = (
        ("113722", "kerma area product", "Gy.cm2"),
        ("113725", "air kerma at the reference point", "mGy"),
        ("111637", "mean glandular dose", "mGy"),
        ("113730", "fluoroscopy time", "s"),
    )
    for accumulated in (c for c in root.children if c.concept == "113702"):
        plane = accumulated.code_value("113764")[2]
        suffix = f" ({plane})" if plane and plane.lower() != "single plane" else ""
        for concept, name, unit in wanted:
            for node in accumulated.all(concept):
                side = node.code_value("G-C171")[2] or node.code_value("272741003")[2]
                value = node.measured(unit)
                if value is not None:
                    side_words = f", {side.lower()}" if side else ""
                    totals.append(ReportedTotal(name=name + side_words + suffix, value=value, unit=unit))
    return replace(report, events=events, totals=tuple(totals))


def _radiopharmaceutical(header: Any, root: Node) -> DoseReport:
    report = _common(header, root, ReportKind.RADIOPHARMACEUTICAL)
    totals = []
    events = []
    for given in (c for c in root.children if c.concept == "113502"):
        agent = given.code_value("F-61FDB")[2] or given.code_value("349358000")[2]
        events.append(
            IrradiationEvent(uid=given.text_value("113503"), protocol=agent, start=given.text_value("123003"))
        )
        activity = given.number("113507", "MBq")
        if activity is not None:
            totals.append(ReportedTotal(name="administered activity", value=activity, unit="MBq"))
    return replace(report, events=tuple(events), totals=tuple(totals))


def latest_reports(reports: Iterable[DoseReport]) -> tuple[DoseReport, ...]:
    """Drop reports whose events all stand in another one.

    A study that accumulates sends several reports, of which the last one counts.
    """
    ordered = sorted(reports, key=lambda r: (len(r.events), r.end or r.created, r.created))
    kept: list[DoseReport] = []
    for position, report in enumerate(ordered):
        uids = {e.uid for e in report.events if e.uid}
        later = ordered[position + 1 :]
        covered = any(
            other.kind is report.kind and uids and uids <= {e.uid for e in other.events} for other in later
        )
        if not covered:
            kept.append(report)
    return tuple(kept)


def unique_events(reports: Iterable[DoseReport]) -> tuple[IrradiationEvent, ...]:
    """Return the CT events of several reports, each event UID once, as the latest report says."""
    found: dict[str, IrradiationEvent] = {}
    for number, report in enumerate(latest_reports(reports)):
        if report.kind is ReportKind.CT:
            for position, event in enumerate(report.events):
                found[event.uid or f"{number}-{position}"] = event
    return tuple(found.values())


def belongs_to(report: DoseReport, series: Iterable[Series]) -> bool:
    """Return True if a report is about the study, an irradiation or the frame of reference of the images."""
    events = {e.uid for e in report.events if e.uid}
    frames = {e.frame_of_reference_uid for e in report.events if e.frame_of_reference_uid}
    for item in series:
        if report.study_uid and report.study_uid == item.study_uid:
            return True
        if item.frame_of_reference_uid and item.frame_of_reference_uid in frames:
            return True
        if events & {text(i.header, "IrradiationEventUID") for i in item.instances}:
            return True
    return False


def check_same_study(report: DoseReport, series: Iterable[Series]) -> None:
    """Refuse a dose report of another study.

    Raises
    ------
    ContradictionError
        If nothing ties the report to the images.
    """
    if not belongs_to(report, series):
        raise ContradictionError(
            f"the dose report of the {report.device or 'device'} belongs to another study than the images: "
            "study, irradiation events and frame of reference all differ",
            where="StudyInstanceUID (0020,000D), Irradiation Event UID",
            allowed="the report of the same study",
            todo="add the right report, or remove this one",
        )
