"""CT images as a scanner would write them, from an array on a grid. Used by tests, demo and tutorials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import Person
from omnidose.dicom.ct_frames import CT_IMAGE
from omnidose.dicom.files import make_uid, whole_file
from omnidose.errors import InputError
from omnidose.volume import Grid

#: Row and column direction (LPS) of an image for each patient position: the image is fixed to the gantry,
#: seen from the foot end of the table for head first (PS3.3 C.7.3.1.1.2).
ORIENTATIONS: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "HFS": ((1, 0, 0), (0, 1, 0)),
    "FFS": ((-1, 0, 0), (0, 1, 0)),
    "HFP": ((-1, 0, 0), (0, -1, 0)),
    "FFP": ((1, 0, 0), (0, -1, 0)),
    "HFDL": ((0, -1, 0), (1, 0, 0)),
    "HFDR": ((0, 1, 0), (-1, 0, 0)),
    "FFDL": ((0, 1, 0), (1, 0, 0)),
    "FFDR": ((0, -1, 0), (-1, 0, 0)),
}
_EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticStudy:
    """UIDs and dates that the objects of one made-up study share.

    Attributes
    ----------
    key
        The same key gives the same UIDs.
    """

    key: str = "omnidose-synthetic"
    patient_id: str = "SYNTHETIC"
    patient_name: str = "Synthetic^Phantom"
    date: str = "20250102"
    time: str = "101500"
    manufacturer: str = "omnidose"
    model: str = "synthetic CT"
    device_serial: str = "0"
    station: str = "SYNTH"
    body_part: str = "WHOLEBODY"

    @property
    def study_uid(self) -> str:
        """Study Instance UID."""
        return make_uid(self.key, "study")

    @property
    def frame_of_reference_uid(self) -> str:
        """Frame of Reference UID."""
        return make_uid(self.key, "frame")

    def event_uid(self, name: str) -> str:
        """Irradiation Event UID of a named irradiation."""
        return make_uid(self.key, "event", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class CtTechnique:
    """Exposure tags of a CT series; None leaves a tag out, a sequence gives one value per plane of the grid.

    Attributes
    ----------
    exposure_mas, exposure_time_s
        As the maker writes them (see :class:`omnidose.dicom.ct_frames.SliceHeader`).
    ctdi_phantom
        ``16``, ``32`` or empty.
    """

    kvp_kv: float | None = 120.0
    tube_current_ma: float | Sequence[float] | None = None
    exposure_mas: float | Sequence[float] | None = None
    exposure_time_s: float | None = None
    revolution_time_s: float | None = None
    ctdivol_mgy: float | Sequence[float] | None = None
    ctdi_phantom: str = "32"
    pitch: float | None = None
    single_collimation_mm: float | None = None
    total_collimation_mm: float | None = None
    filter_type: str = ""
    kernel: str = ""
    modulation: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def at(self, name: str, plane: int) -> float | None:
        """Return the value of a tag for one plane of the grid."""
        value = getattr(self, name)
        if value is None or isinstance(value, (int, float)):
            return None if value is None else float(value)
        return float(value[plane])


def write_ct_series(
    folder: Path | str,
    hu: npt.NDArray[Any],
    grid: Grid,
    *,
    person: Person | None = None,
    technique: CtTechnique | None = None,
    study: SyntheticStudy | None = None,
    patient_position: str = "HFS",
    series_number: int = 2,
    description: str = "synthetic CT",
    slice_thickness_mm: float | None = None,
    event: str = "scan",
    bits_stored: int = 12,
) -> tuple[Path, ...]:
    """Write one CT image per plane of the grid.

    Parameters
    ----------
    folder
        Made if it does not exist.
    hu
        [z, y, x] CT numbers along +L, +P, +S; clipped to what ``bits_stored`` bits hold above -1024.
    patient_position
        One of :data:`ORIENTATIONS`: pixels are turned as a scanner would see the patient.
    event
        Name of the irradiation; the report written with the same name and study has the same event UID.

    Returns
    -------
    tuple
        Paths in the order of instance number: scanned from the head down for head first, from the feet up
        for feet first.
    """
    person, technique, study = person or Person(), technique or CtTechnique(), study or SyntheticStudy()
    if patient_position not in ORIENTATIONS:
        raise InputError(f"'{patient_position}' is no patient position", allowed=", ".join(ORIENTATIONS))
    if hu.shape != grid.shape_zyx:
        raise InputError(f"an array of shape {hu.shape} does not fit a grid of {grid.shape_zyx}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    planes = range(grid.shape_zyx[0])
    order = planes if patient_position.startswith("FF") else reversed(planes)
    paths = []
    for number, plane in enumerate(order, start=1):
        dataset = _base(person, technique, study, patient_position, series_number, description, event)
        _place(dataset, hu[plane], grid, plane, patient_position, bits_stored)
        dataset.SliceThickness = (
            f"{grid.spacing_mm[2] if slice_thickness_mm is None else slice_thickness_mm:.6g}"
        )
        dataset.InstanceNumber = number
        dataset.SOPInstanceUID = make_uid(
            study.key, "ct", str(series_number), str(number), f"{grid.axis_mm(2)[plane]:.3f}"
        )
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        _expose(dataset, technique, plane)
        moment = datetime.strptime(study.date + study.time, "%Y%m%d%H%M%S") + timedelta(seconds=0.1 * number)
        dataset.AcquisitionTime = dataset.ContentTime = moment.strftime("%H%M%S.%f")
        for keyword, value in technique.extra.items():
            setattr(dataset, keyword, value)
        path = folder / f"IM{series_number:02d}{number:05d}"
        with whole_file(path) as temporary:
            dataset.save_as(temporary, enforce_file_format=True)
        paths.append(path)
    return tuple(paths)


def new_dataset(sop_class: str, study: SyntheticStudy, person: Person) -> Any:
    """Return a data set with file meta information and the patient and study modules filled."""
    from pydicom.dataset import Dataset, FileMetaDataset

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.TransferSyntaxUID = _EXPLICIT_LITTLE
    dataset.file_meta.ImplementationClassUID = make_uid("omnidose", "implementation")
    dataset.SOPClassUID = sop_class
    dataset.PatientName = study.patient_name
    dataset.PatientID = study.patient_id
    dataset.PatientSex = person.sex
    dataset.PatientBirthDate = ""
    if person.age_y is not None:
        dataset.PatientAge = age_string(person.age_y)
    if person.height_cm is not None:
        dataset.PatientSize = f"{person.height_cm / 100:.4g}"
    if person.weight_kg is not None:
        dataset.PatientWeight = f"{person.weight_kg:.5g}"
    dataset.StudyInstanceUID = study.study_uid
    dataset.StudyDate, dataset.StudyTime = study.date, study.time
    dataset.StudyID, dataset.AccessionNumber, dataset.ReferringPhysicianName = "1", "", ""
    dataset.Manufacturer, dataset.ManufacturerModelName = study.manufacturer, study.model
    dataset.DeviceSerialNumber, dataset.StationName = study.device_serial, study.station
    dataset.SoftwareVersions = "synthetic"
    return dataset


def age_string(age_y: float) -> str:
    """Write an age as DICOM does: years from 2 on, months below, days below one month."""
    if age_y >= 2:
        return f"{int(age_y):03d}Y"
    if age_y * 12 >= 1:
        return f"{int(age_y * 12):03d}M"
    return f"{int(age_y * 365.25):03d}D"


def _base(
    person: Person,
    technique: CtTechnique,
    study: SyntheticStudy,
    position: str,
    number: int,
    words: str,
    event: str,
) -> Any:
    dataset = new_dataset(CT_IMAGE, study, person)
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesInstanceUID = make_uid(study.key, "series", str(number))
    dataset.SeriesNumber, dataset.SeriesDescription = number, words
    dataset.SeriesDate, dataset.SeriesTime = study.date, study.time
    dataset.AcquisitionDate = dataset.ContentDate = study.date
    dataset.AcquisitionNumber = 1
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = study.frame_of_reference_uid, ""
    dataset.PatientPosition = position
    dataset.BodyPartExamined = study.body_part
    dataset.IrradiationEventUID = study.event_uid(event)
    dataset.ConvolutionKernel = technique.kernel
    return dataset


def _place(
    dataset: Any, hu: npt.NDArray[Any], grid: Grid, plane: int, patient_position: str, bits_stored: int
) -> None:
    row, column = (np.array(d) for d in ORIENTATIONS[patient_position])
    pixels = np.asarray(hu)
    row_axis, column_axis = int(np.argmax(np.abs(row))), int(np.argmax(np.abs(column)))
    if row_axis == 1:  # decubitus: the image's rows run along the patient's y
        pixels = pixels.T
    if row[row_axis] < 0:
        pixels = pixels[:, ::-1]
    if column[column_axis] < 0:
        pixels = pixels[::-1, :]
    origin = np.array([grid.axis_mm(0)[0], grid.axis_mm(1)[0], grid.axis_mm(2)[plane]])
    for axis, direction in ((row_axis, row), (column_axis, column)):
        if direction[axis] < 0:
            origin[axis] = grid.axis_mm(axis)[-1]
    stored = np.clip(np.rint(pixels + 1024), 0, 2**bits_stored - 1).astype("<u2")
    dataset.ImagePositionPatient = [f"{v:.9g}"[:16] for v in origin]
    dataset.ImageOrientationPatient = [int(v) for v in (*row, *column)]
    dataset.SliceLocation = f"{origin[2]:.9g}"[:16]
    dataset.PixelSpacing = [f"{grid.spacing_mm[column_axis]:.9g}", f"{grid.spacing_mm[row_axis]:.9g}"]
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits_stored, bits_stored - 1
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = -1024, 1, "HU"
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    raw = stored.tobytes()
    dataset.PixelData = raw + b"\0" * (len(raw) % 2)


def _expose(dataset: Any, technique: CtTechnique, plane: int) -> None:
    dataset.KVP = "" if technique.kvp_kv is None else f"{technique.kvp_kv:g}"
    for keyword, value in (
        ("XRayTubeCurrent", technique.at("tube_current_ma", plane)),
        ("Exposure", technique.at("exposure_mas", plane)),
        ("ExposureTime", None if technique.exposure_time_s is None else 1000.0 * technique.exposure_time_s),
    ):
        if value is not None:
            setattr(dataset, keyword, round(value))
    for keyword, value in (
        ("RevolutionTime", technique.revolution_time_s),
        ("CTDIvol", technique.at("ctdivol_mgy", plane)),
        ("SpiralPitchFactor", technique.pitch),
        ("SingleCollimationWidth", technique.single_collimation_mm),
        ("TotalCollimationWidth", technique.total_collimation_mm),
    ):
        if value is not None:
            setattr(dataset, keyword, float(value))
    if technique.filter_type:
        dataset.FilterType = technique.filter_type
    if technique.modulation:
        dataset.ExposureModulationType = technique.modulation
    if technique.ctdivol_mgy is not None and technique.ctdi_phantom:
        dataset.CTDIPhantomTypeCodeSequence = [phantom_code(technique.ctdi_phantom)]


def phantom_code(phantom: str) -> Any:
    """Return the code item of the 16 or 32 cm CTDI phantom."""
    value, meaning = {
        "16": ("113690", "IEC Head Dosimetry Phantom"),
        "32": ("113691", "IEC Body Dosimetry Phantom"),
    }[phantom]
    return code_item(value, "DCM", meaning)


def code_item(value: str, scheme: str, meaning: str) -> Any:
    """Return one item of a code sequence."""
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
