"""Results as DICOM objects of the source study: organs as SEG, dose as RT Dose that no plan can claim.

Why RT Dose, and how it is kept out of treatment planning: viewers read RT Dose, few read anything else that
holds dose. The object therefore says, in every place a system or a person looks, that it is none of a plan's:

- no Referenced RT Plan Sequence, and a Dose Summation Type of its own, ``IMAGING`` (the standard gives
  *defined* terms there, so that others are legal; all of its own need a referenced plan or record);
- Series Description, Dose Comment and Image Comments begin with
  ``IMAGING DOSE - NOT FOR TREATMENT``;
- Image Type DERIVED, SECONDARY, IMAGING_DOSE; Manufacturer and model are omnidose's;
- Dose Units GY, Dose Type PHYSICAL; or RELATIVE if the result is per mGy CTDIvol.

Patient and study attributes are copied from the source images, as the objects must be filed with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from omnidose import __version__
from omnidose.dicom.ct_frames import CT_IMAGE
from omnidose.dicom.files import make_uid, whole_file
from omnidose.dicom.headers import quiet, text
from omnidose.dicom.inventory import Series
from omnidose.dicom.masks import MaskSet
from omnidose.errors import GeometryError, InputError
from omnidose.volume import Volume

RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
_PLACE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness")
LABEL = "IMAGING DOSE - NOT FOR TREATMENT"
THERAPY_LABEL = "DOSE AFTER A THERAPY - NOT FOR TREATMENT"
_EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"

_COPIED = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge",
    "PatientSize", "PatientWeight", "PatientIdentityRemoved", "DeidentificationMethod", "StudyInstanceUID",
    "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyDescription",
    "SpecificCharacterSet", "PositionReferenceIndicator",
)  # fmt: skip
#: Type 2 attributes: present, empty if the source does not know them.
_NEEDED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator",
)  # fmt: skip


def write_rt_dose(
    path: Path | str,
    dose: Volume,
    source: Series,
    *,
    relative_to: str = "",
    comment: str = "",
    series_number: int = 9001,
    therapy: bool = False,
) -> None:
    """Write a dose grid as an RT Dose object that is none of a treatment.

    Parameters
    ----------
    path
        Written whole or not at all.
    dose
        Absorbed dose in mGy [z, y, x] along +L, +P, +S (or mGy per ``relative_to``). NaN and negative values
        become 0.
    source
        The CT series the dose was computed on; the object joins its study and frame of reference.
    relative_to
        Empty for absolute dose (written in Gy); else what one unit refers to (written as RELATIVE).
    comment
        Added behind the label in Image Comments; no names.
    therapy
        The dose of a radiopharmaceutical that was given to treat, seen in images afterwards.

    Raises
    ------
    GeometryError
        If the volume does not lie along the patient axes.
    OutputError
        If the file cannot be written.
    """
    grid = dose.grid
    factor = 1.0 if relative_to else 1e-3
    values = np.nan_to_num(np.maximum(dose.array.astype(np.float64), 0.0), posinf=0.0) * factor
    largest = float(values.max())
    scaling = largest / (2**32 - 2) if largest > 0 else 1.0
    scaling = float(f"{scaling * (1 + 1e-9):.9e}")
    stored = np.rint(values / scaling).astype("<u4")
    label = THERAPY_LABEL if therapy else LABEL
    dataset = _derived(source, RT_DOSE, "RTDOSE", series_number, label)
    dataset.ImageType = ["DERIVED", "SECONDARY", "THERAPY_DOSE" if therapy else "IMAGING_DOSE"]
    dataset.DoseUnits = "RELATIVE" if relative_to else "GY"
    dataset.DoseType = "PHYSICAL"
    dataset.DoseSummationType = "IMAGING"
    words = f"mGy per {relative_to}" if relative_to else "absorbed dose from imaging"
    words = "from images after it" if therapy else words
    dataset.DoseComment = f"{label} - {words}"[:64]
    dataset.ImageComments = " - ".join(w for w in (label, words, comment) if w)[:10240]
    dataset.TissueHeterogeneityCorrection = ["IMAGE"]
    dataset.DoseGridScaling = f"{scaling:.9e}"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = grid.shape_zyx
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 32, 32, 31, 0
    dataset.PixelSpacing = [_ds(grid.spacing_mm[1]), _ds(grid.spacing_mm[0])]
    dataset.SliceThickness = _ds(grid.spacing_mm[2])
    dataset.ImagePositionPatient = [_ds(v) for v in grid.origin_mm]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.FrameIncrementPointer = 0x3004000C
    dataset.GridFrameOffsetVector = [_ds(k * grid.spacing_mm[2]) for k in range(grid.shape_zyx[0])]
    dataset.PixelData = stored.tobytes()
    with whole_file(path) as temporary, quiet():
        dataset.save_as(temporary, enforce_file_format=True)


def read_rt_dose(path: Path | str) -> Volume:
    """Read a dose grid back, in mGy (or mGy per unit if relative), along +L, +P, +S.

    Raises
    ------
    InputError
        If the file is no RT Dose object.
    GeometryError
        If its frames do not lie along the patient axes with one spacing.
    """
    import pydicom

    with quiet():
        dataset = pydicom.dcmread(path, force=True)
        if text(dataset, "SOPClassUID") != RT_DOSE:
            raise InputError("this is no RT Dose object", where=Path(path).name)
        offsets = np.asarray(dataset.GridFrameOffsetVector, dtype=np.float64)
        orientation = np.asarray(dataset.ImageOrientationPatient, dtype=np.float64)
        spacing = [float(v) for v in dataset.PixelSpacing]
        origin = np.asarray(dataset.ImagePositionPatient, dtype=np.float64)
        array = dataset.pixel_array * float(dataset.DoseGridScaling)
    if dataset.DoseUnits == "GY":
        array = array * 1000.0
    steps = np.diff(offsets)
    if len(steps) and np.ptp(steps) > 1e-3:
        raise GeometryError("the planes of the dose grid are unevenly spaced", where="GridFrameOffsetVector")
    affine = np.eye(4)
    affine[:3, 0] = orientation[:3] * spacing[1]
    affine[:3, 1] = orientation[3:] * spacing[0]
    affine[:3, 2] = np.cross(orientation[:3], orientation[3:]) * (steps[0] if len(steps) else 1.0)
    affine[:3, 3] = origin
    return Volume(
        array=np.atleast_3d(array),
        affine_lps_mm=affine,
        frame_of_reference_uid=text(dataset, "FrameOfReferenceUID"),
    ).to_lps()


def write_seg(
    path: Path | str,
    masks: MaskSet,
    source: Series,
    *,
    codes: Mapping[str, tuple[str, str, str]] | None = None,
    automatic: bool = True,
    series_number: int = 9002,
) -> None:
    """Write organ labels as a DICOM segmentation.

    Parameters
    ----------
    codes
        Organ name -> (code value, scheme, meaning), for example SNOMED CT. Names without a code are written
        with the code of "organ" (113343008, SCT) and their name as the segment's label.
    automatic
        Whether the organs were segmented by software (else: given by the user).

    Raises
    ------
    InputError
        If no organ has a voxel.
    """
    import highdicom as hd
    from pydicom.sr.coding import Code

    counts = np.bincount(masks.labels.ravel(), minlength=max(masks.names) + 1)
    present = [label for label in sorted(masks.names) if counts[label] > 0]
    if not present:
        raise InputError("there is no organ to write into the segmentation")
    compact = np.zeros(len(counts), dtype=masks.labels.dtype)
    compact[present] = np.arange(1, len(present) + 1)
    # two steps: highdicom wants the labels without gaps, planes from the first position on
    array = compact[masks.labels]
    known = codes or {}
    algorithm = hd.AlgorithmIdentificationSequence(
        name="omnidose", version=__version__, family=Code("123110", "DCM", "Artificial Intelligence")
    )
    descriptions = [
        hd.seg.SegmentDescription(
            segment_number=position,
            segment_label=masks.names[label][:64],
            segmented_property_category=Code("123037004", "SCT", "Anatomical Structure"),
            segmented_property_type=Code(*known.get(masks.names[label], ("113343008", "SCT", "Organ"))),
            algorithm_type="AUTOMATIC" if automatic else "MANUAL",
            algorithm_identification=algorithm if automatic else None,
        )
        for position, label in enumerate(present, start=1)
    ]
    grid = masks.grid
    volume = hd.Volume.from_components(
        direction=np.eye(3)[:, ::-1],
        spacing=grid.spacing_mm[::-1],
        position=grid.origin_mm,
        array=array,
        coordinate_system="PATIENT",
        frame_of_reference_uid=_frame_uid(source),
    )
    with quiet():
        segmentation = hd.seg.Segmentation(
            source_images=[_stand_in(source)],
            pixel_array=volume,
            segmentation_type="BINARY",
            segment_descriptions=descriptions,
            series_instance_uid=make_uid(),
            series_number=series_number,
            sop_instance_uid=make_uid(),
            instance_number=1,
            manufacturer="omnidose",
            manufacturer_model_name="omnidose",
            software_versions=__version__,
            device_serial_number="0",
            content_label="ORGANS",
            content_description="Organs used for imaging dose",
        )
        segmentation.SeriesDescription = "Organs used for imaging dose"
        with whole_file(path) as temporary:
            segmentation.save_as(temporary)


def _ds(value: float) -> str:
    """Write a decimal string of at most 16 characters."""
    out = f"{value:.10g}"
    return out if len(out) <= 16 else f"{value:.8e}"


def _frame_uid(source: Series) -> str:
    return source.frame_of_reference_uid or make_uid("frame", source.series_uid, source.study_uid)


def _derived(source: Series, sop_class: str, modality: str, series_number: int, description: str) -> Any:
    """Start an object of the source's patient, study and frame of reference."""
    from pydicom.dataset import Dataset, FileMetaDataset

    now = datetime.now()
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    dataset.file_meta.TransferSyntaxUID = _EXPLICIT_LITTLE
    dataset.file_meta.ImplementationClassUID = make_uid("omnidose", "implementation")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = make_uid()
    _copy_context(source, dataset)
    dataset.Modality = modality
    dataset.Manufacturer = dataset.ManufacturerModelName = "omnidose"
    dataset.SoftwareVersions = __version__
    dataset.SeriesInstanceUID = make_uid()
    dataset.SeriesNumber, dataset.InstanceNumber = series_number, 1
    dataset.SeriesDescription = description
    dataset.InstanceCreationDate = dataset.ContentDate = now.strftime("%Y%m%d")
    dataset.InstanceCreationTime = dataset.ContentTime = now.strftime("%H%M%S")
    dataset.OperatorsName = ""
    return dataset


def _copy_context(source: Series, dataset: Any) -> None:
    header = source.header
    with quiet():
        _copy(header, dataset, _COPIED)
        for keyword in _NEEDED:
            if keyword not in dataset:
                setattr(dataset, keyword, "")
        if not text(dataset, "StudyInstanceUID"):
            dataset.StudyInstanceUID = make_uid("study", source.series_uid)
        dataset.FrameOfReferenceUID = _frame_uid(source)


def _stand_in(source: Series) -> Any:
    """Return a complete header for highdicom, which wants UIDs that some de-identified images lack."""
    from pydicom.dataset import Dataset

    header = source.header
    dataset = Dataset()
    _copy_context(source, dataset)
    dataset.SOPClassUID = text(header, "SOPClassUID") or CT_IMAGE
    instance = source.instances[0].sop_instance_uid
    dataset.SOPInstanceUID = make_uid(instance) if instance.startswith("no-uid-") else instance
    series = source.series_uid
    dataset.SeriesInstanceUID = make_uid(series) if series.startswith("no-uid-") else series
    dataset.Modality = source.modality or "CT"
    dataset.Rows, dataset.Columns = header.Rows, header.Columns
    _copy(
        header, dataset, ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness")
    )
    return dataset


def _copy(header: Any, dataset: Any, keywords: Sequence[str]) -> None:
    """Copy attributes; those that cannot be read are left out."""
    for keyword in keywords:
        with suppress(Exception):  # pydicom raises many kinds for damaged values
            if keyword in header:
                dataset[keyword] = header[keyword]


__all__: Sequence[str] = ("LABEL", "RT_DOSE", "THERAPY_LABEL", "read_rt_dose", "write_rt_dose", "write_seg")
