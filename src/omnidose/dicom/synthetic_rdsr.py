"""A CT radiation dose report (PS3.16 TID 10011) from :class:`IrradiationEvent` records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omnidose.anatomy.body import Person
from omnidose.dicom.dose_report import AcquisitionType, IrradiationEvent, TubeSource
from omnidose.dicom.files import make_uid, whole_file
from omnidose.dicom.synthetic_ct import SyntheticStudy, code_item, new_dataset

XRAY_DOSE_SR = "1.2.840.10008.5.1.4.1.1.88.67"

_TYPE_CODES = {
    AcquisitionType.SEQUENCED: ("113804", "DCM", "Sequenced Acquisition"),
    AcquisitionType.SPIRAL: ("116152004", "SCT", "Spiral Acquisition"),
    AcquisitionType.CONSTANT_ANGLE: ("113805", "DCM", "Constant Angle Acquisition"),
    AcquisitionType.STATIONARY: ("113806", "DCM", "Stationary Acquisition"),
    AcquisitionType.FREE: ("113807", "DCM", "Free Acquisition"),
    AcquisitionType.CONE_BEAM: ("702569007", "SCT", "Cone Beam Acquisition"),
}
_UNIT_WORDS = {
    "mm": "mm", "s": "s", "kV": "kV", "mA": "mA", "mGy": "mGy", "mGy.cm": "mGy.cm", "{ratio}": "ratio",
    "{events}": "events", "{X-Ray sources}": "X-Ray sources",
}  # fmt: skip


def write_ct_rdsr(
    path: Path | str,
    events: Sequence[IrradiationEvent],
    *,
    study: SyntheticStudy | None = None,
    person: Person | None = None,
    start: str = "",
    end: str = "",
    series_number: int = 990,
) -> None:
    """Write an X-Ray Radiation Dose SR with the given CT events; their None values are left out.

    Parameters
    ----------
    start, end
        Start and end of irradiation as DICOM DT; default: the study's date and time.
    """
    study, person = study or SyntheticStudy(), person or Person()
    dataset = new_dataset(XRAY_DOSE_SR, study, person)
    dataset.Modality = "SR"
    dataset.SOPInstanceUID = make_uid(study.key, "rdsr", str(series_number), str(len(events)))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.SeriesInstanceUID = make_uid(study.key, "rdsr series", str(series_number))
    dataset.SeriesNumber, dataset.InstanceNumber = series_number, 1
    dataset.SeriesDescription = "Dose Report"
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.PerformedProcedureCodeSequence = []
    dataset.ContentDate, dataset.ContentTime = study.date, study.time
    dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.ConceptNameCodeSequence = [code_item("113701", "DCM", "X-Ray Radiation Dose Report")]
    template = code_item("", "", "")
    del template.CodeValue, template.CodingSchemeDesignator, template.CodeMeaning
    template.MappingResource, template.TemplateIdentifier = "DCMR", "10011"
    dataset.ContentTemplateSequence = [template]
    moment = study.date + study.time
    scope = _code("113705", "Scope of Accumulation", ("113014", "DCM", "Study"), relation="HAS OBS CONTEXT")
    scope.ContentSequence = [_uid("110180", "Study Instance UID", study.study_uid, relation="HAS PROPERTIES")]
    procedure = _code(
        "121058",
        "Procedure reported",
        ("77477000", "SCT", "Computed Tomography X-Ray"),
        relation="HAS CONCEPT MOD",
    )
    procedure.ContentSequence = [
        _code("363703001", "Has Intent", ("261004008", "SCT", "Diagnostic Intent"), scheme="SCT",
              relation="HAS CONCEPT MOD")
    ]  # fmt: skip
    dataset.ContentSequence = [
        procedure,
        _code("121005", "Observer Type", ("121007", "DCM", "Device"), relation="HAS OBS CONTEXT"),
        _uid("121012", "Device Observer UID", make_uid(study.key, "device"), relation="HAS OBS CONTEXT"),
        _text("121013", "Device Observer Name", study.station, relation="HAS OBS CONTEXT"),
        _text("121014", "Device Observer Manufacturer", study.manufacturer, relation="HAS OBS CONTEXT"),
        _text("121015", "Device Observer Model Name", study.model, relation="HAS OBS CONTEXT"),
        _text("121016", "Device Observer Serial Number", study.device_serial, relation="HAS OBS CONTEXT"),
        _datetime("113809", "Start of X-Ray Irradiation", start or moment),
        _datetime("113810", "End of X-Ray Irradiation", end or moment),
        scope,
        _accumulated(events),
        *(_event(event, study) for event in events),
        _code("113854", "Source of Dose Information", ("113856", "DCM", "Automated Data Collection")),
    ]
    with whole_file(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)


def _accumulated(events: Sequence[IrradiationEvent]) -> Any:
    total = sum(e.dlp_mgy_cm or 0.0 for e in events)
    return _container("113811", "CT Accumulated Dose Data", [
        _number("113812", "Total Number of Irradiation Events", float(len(events)), "{events}"),
        _number("113813", "CT Dose Length Product Total", total, "mGy.cm"),
    ])  # fmt: skip


def _event(event: IrradiationEvent, study: SyntheticStudy) -> Any:
    region = event.target_region_code if event.target_region_code[0] else ("38266002", "SCT")
    parameters = [
        _number("113824", "Exposure Time", event.exposure_time_s, "s"),
        _number("113825", "Scanning Length", event.scanning_length_mm, "mm"),
        _number("113893", "Length of Reconstructable Volume", event.reconstruction_length_mm, "mm"),
        _number("113899", "Exposed Range", event.exposed_range_mm, "mm"),
        _number("113895", "Top Z Location of Reconstructable Volume", event.reconstruction_top_z_mm, "mm"),
        _number(
            "113896", "Bottom Z Location of Reconstructable Volume", event.reconstruction_bottom_z_mm, "mm"
        ),
        _number("113897", "Top Z Location of Scanning Length", event.scan_top_z_mm, "mm"),
        _number("113898", "Bottom Z Location of Scanning Length", event.scan_bottom_z_mm, "mm"),
        _uid("112227", "Frame of Reference UID", event.frame_of_reference_uid),
        _number("113826", "Nominal Single Collimation Width", event.single_collimation_mm, "mm"),
        _number("113827", "Nominal Total Collimation Width", event.total_collimation_mm, "mm"),
        _number("113828", "Pitch Factor", event.pitch, "{ratio}"),
        _number("113823", "Number of X-Ray Sources", float(len(event.sources)) or None, "{X-Ray sources}"),
        *(_source(source, position) for position, source in enumerate(event.sources)),
    ]
    dose = []
    if event.ctdivol_mgy is not None:
        dose = [
            _number("113830", "Mean CTDIvol", event.ctdivol_mgy, "mGy"),
            _phantom(event.ctdi_phantom),
            _number("113838", "DLP", event.dlp_mgy_cm, "mGy.cm"),
            _number("113837", "Mean CTDIfreeair", event.mean_ctdi_free_air_mgy, "mGy"),
        ]
    kind = _TYPE_CODES.get(event.acquisition_type)
    device = _code("113876", "Device Role in Procedure", ("113859", "DCM", "Irradiating Device"))
    device.ContentSequence = [
        _text("113878", "Device Manufacturer", study.manufacturer, relation="HAS PROPERTIES"),
        _text("113879", "Device Model Name", study.model, relation="HAS PROPERTIES"),
        _text("113880", "Device Serial Number", study.device_serial, relation="HAS PROPERTIES"),
    ]
    return _container("113819", "CT Acquisition", [
        _text("125203", "Acquisition Protocol", event.protocol),
        _code("123014", "Target Region", (*region, event.target_region or "Entire body")),
        None if kind is None else _code("113820", "CT Acquisition Type", kind),
        _uid("113769", "Irradiation Event UID", event.uid),
        _container("113822", "CT Acquisition Parameters", parameters),
        _container("113829", "CT Dose", dose) if dose else None,
        _text("113842", "X-Ray Modulation Type", event.modulation),
        _text("121106", "Comment", event.comment),
        device,
    ])  # fmt: skip


def _phantom(phantom: str) -> Any:
    if phantom not in ("16", "32"):
        return None
    value, name = {"16": ("113690", "IEC Head"), "32": ("113691", "IEC Body")}[phantom]
    return _code("113835", "CTDIw Phantom Type", (value, "DCM", f"{name} Dosimetry Phantom"))


def _source(source: TubeSource, position: int) -> Any:
    return _container("113831", "CT X-Ray Source Parameters", [
        _text("113832", "Identification of the X-Ray Source", source.label or "AB"[position % 2]),
        _number("113733", "KVP", source.kvp_kv, "kV"),
        _number("113833", "Maximum X-Ray Tube Current", source.max_tube_current_ma, "mA"),
        _number("113734", "X-Ray Tube Current", source.mean_tube_current_ma, "mA"),
        _number("113834", "Exposure Time per Rotation", source.rotation_time_s, "s"),
    ])  # fmt: skip


def _item(value_type: str, concept: str, meaning: str, relation: str, scheme: str = "DCM") -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.RelationshipType, item.ValueType = relation, value_type
    item.ConceptNameCodeSequence = [code_item(concept, scheme, meaning)]
    return item


def _container(concept: str, meaning: str, children: Sequence[Any]) -> Any:
    item = _item("CONTAINER", concept, meaning, "CONTAINS")
    item.ContinuityOfContent = "SEPARATE"
    item.ContentSequence = [child for child in children if child is not None]
    return item


def _number(concept: str, meaning: str, value: float | None, unit: str) -> Any:
    if value is None:
        return None
    from pydicom.dataset import Dataset

    item = _item("NUM", concept, meaning, "CONTAINS")
    measured = Dataset()
    measured.NumericValue = f"{value:.10g}"[:16]
    measured.MeasurementUnitsCodeSequence = [code_item(unit, "UCUM", _UNIT_WORDS[unit])]
    item.MeasuredValueSequence = [measured]
    return item


def _text(concept: str, meaning: str, value: str, relation: str = "CONTAINS") -> Any:
    if not value:
        return None
    item = _item("TEXT", concept, meaning, relation)
    item.TextValue = value
    return item


def _uid(concept: str, meaning: str, value: str, relation: str = "CONTAINS") -> Any:
    if not value:
        return None
    item = _item("UIDREF", concept, meaning, relation)
    item.UID = value
    return item


def _datetime(concept: str, meaning: str, value: str) -> Any:
    item = _item("DATETIME", concept, meaning, "HAS OBS CONTEXT")
    item.DateTime = value
    return item


def _code(
    concept: str,
    meaning: str,
    value: tuple[str, str, str],
    *,
    scheme: str = "DCM",
    relation: str = "CONTAINS",
) -> Any:
    item = _item("CODE", concept, meaning, relation, scheme)
    item.ConceptCodeSequence = [code_item(*value)]
    return item
