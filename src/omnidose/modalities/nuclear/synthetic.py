"""PET series as a scanner would write them, from a record and a body with known activity in its organs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel
from omnidose.dicom.files import make_uid, whole_file
from omnidose.dicom.pet_times import frame_factor
from omnidose.dicom.radiopharmaceutical import PET_IMAGE
from omnidose.dicom.synthetic_ct import SyntheticStudy, code_item, new_dataset
from omnidose.errors import InputError
from omnidose.modalities.nuclear.exposure import NuclearExam
from omnidose.volume import Volume

#: Shares of the seen activity in organs, where no map is given: roughly FDG an hour after the injection
#: (ours); the rest is spread over the body by mass.
SHARES = {"brain": 0.08, "bladder-contents": 0.06, "heart": 0.04, "liver": 0.05, "left-kidney": 0.008}
#: Codes of radionuclides (SNOMED CT, as in context group 4020 of PS3.16).
_CODES = {"F-18": "77004003", "Ga-68": "35337001", "C-11": "40565003", "Zr-89": "63360001"}


def activity_of(body: BodyModel, total_mbq: float, shares: Mapping[str, float] | None = None) -> Volume:
    """Return activity per voxel of a body: shares in organs, the rest over the body by mass.

    Parameters
    ----------
    total_mbq
        Sum of the map.
    shares
        Organ -> share of ``total_mbq``; default :data:`SHARES`. Organs that the body lacks are left out.
    """
    shares = SHARES if shares is None else shares
    present = {o.key: o.label for o in body.organs}
    used = {key: share for key, share in shares.items() if key in present}
    if sum(used.values()) > 1:
        raise InputError("shares of activity add up to more than 1", where="shares")
    inside = body.labels > 0
    mass = np.where(inside, body.density_g_cm3, 0).astype(np.float64)
    for key in used:
        mass[body.labels == present[key]] = 0.0
    activity = mass * ((1 - sum(used.values())) / mass.sum())
    for key, share in used.items():
        where = body.labels == present[key]
        activity[where] = share / where.sum()
    return Volume.on_grid((activity * total_mbq).astype(np.float32), body.grid)


def write_exam(
    exam: NuclearExam, body: BodyModel, folder: Path, *, study: SyntheticStudy | None = None
) -> tuple[Path, ...]:
    """Write the PET series of an administration: Bq/mL, beds from the feet up, decay corrected to the start.

    Parameters
    ----------
    exam
        Its ``activity`` is written if there is one; else the seen activity is spread by :func:`activity_of`.
    body
        Gives the person; and the place of the activity where the record has no map.

    Returns
    -------
    tuple of Path
        One object per slice.
    """
    activity = exam.activity or activity_of(body, exam.seen_mbq)
    study = study or SyntheticStudy(
        key=f"pet-{exam.key}",
        date=f"{exam.scan.first:%Y%m%d}",
        time=f"{exam.scan.first:%H%M%S}",
        manufacturer=exam.manufacturer or "omnidose",
        model=exam.model or "synthetic PET",
    )
    grid = activity.grid
    concentration = activity.array / np.float32(grid.voxel_volume_cm3 * 1e-6)
    folder.mkdir(parents=True, exist_ok=True)
    count = grid.shape_zyx[0]
    beds = max(1, exam.scan.bed_count)
    paths = []
    for plane in range(count):
        bed = min(beds - 1, plane * beds // count)
        step = (exam.scan.last - exam.scan.first) / max(1, beds - 1)
        dataset = _header(exam, body, study, exam.scan.first + bed * step, count)
        _pixels(dataset, concentration[plane], grid.spacing_mm)
        origin = (grid.origin_mm[0], grid.origin_mm[1], grid.axis_mm(2)[plane])
        dataset.ImagePositionPatient = [f"{v:.9g}"[:16] for v in origin]
        dataset.SliceThickness = f"{grid.spacing_mm[2]:.6g}"
        dataset.InstanceNumber, dataset.ImageIndex = plane + 1, plane + 1
        dataset.SOPInstanceUID = make_uid(study.key, "pet", str(plane))
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        path = folder / f"PT{plane + 1:05d}"
        with whole_file(path) as temporary:
            dataset.save_as(temporary, enforce_file_format=True)
        paths.append(path)
    return tuple(paths)


def _header(
    exam: NuclearExam, body: BodyModel, study: SyntheticStudy, acquired: datetime, slices: int
) -> Any:
    dataset = new_dataset(PET_IMAGE, study, body.person)
    dataset.Modality = "PT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.SeriesInstanceUID = make_uid(study.key, "series", "pet")
    dataset.SeriesNumber, dataset.SeriesDescription = 3, "synthetic PET"
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = study.frame_of_reference_uid, ""
    dataset.PatientPosition = "HFS"
    reference = exam.scan.first
    dataset.SeriesDate, dataset.SeriesTime = f"{reference:%Y%m%d}", f"{reference:%H%M%S.%f}"
    dataset.AcquisitionDate, dataset.AcquisitionTime = f"{acquired:%Y%m%d}", f"{acquired:%H%M%S.%f}"
    dataset.ContentDate, dataset.ContentTime = dataset.AcquisitionDate, dataset.AcquisitionTime
    offset = acquired.utcoffset() or timedelta(0)
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    dataset.TimezoneOffsetFromUTC = f"{sign}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"
    dataset.Units, dataset.CountsSource = "BQML", "EMISSION"
    dataset.SeriesType = ["WHOLE BODY", "IMAGE"]
    dataset.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "NORM"]
    dataset.AttenuationCorrectionMethod = "synthetic"
    dataset.DecayCorrection = "START"
    elapsed_s = (acquired - reference).total_seconds()
    constant = math.log(2) / (3600 * exam.half_life_h)
    factor = math.exp(constant * elapsed_s) * frame_factor(exam.scan.duration_s, exam.half_life_h)
    dataset.DecayFactor = f"{factor:.9g}"
    dataset.FrameReferenceTime = f"{1000 * (elapsed_s + exam.scan.duration_s / 2):.9g}"
    dataset.ActualFrameDuration = round(1000 * exam.scan.duration_s)
    dataset.NumberOfSlices = slices
    dataset.RadiopharmaceuticalInformationSequence = [_radiopharmaceutical(exam)]
    return dataset


def _radiopharmaceutical(exam: NuclearExam) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    given = exam.administration
    item.Radiopharmaceutical = exam.agent
    item.RadiopharmaceuticalStartTime = f"{given.injection_time:%H%M%S}"
    item.RadiopharmaceuticalStartDateTime = f"{given.injection_time:%Y%m%d%H%M%S}"
    item.RadionuclideTotalDose = f"{given.net_mbq * 1e6:.10g}"
    item.RadionuclideHalfLife = f"{exam.half_life_h * 3600:.9g}"
    if exam.nuclide in _CODES:
        item.RadionuclideCodeSequence = [code_item(_CODES[exam.nuclide], "SCT", exam.nuclide)]
    else:
        item.RadionuclideCodeSequence = [code_item(exam.nuclide, "99OMNIDOSE", exam.nuclide)]
    return item


def _pixels(dataset: Any, values: npt.NDArray[np.floating], spacing_mm: tuple[float, float, float]) -> None:
    top = float(values.max())
    slope = float(f"{top / 32000:.9g}") if top > 0 else 1.0
    stored = np.rint(values / slope).astype("<i2")
    dataset.Rows, dataset.Columns = stored.shape
    dataset.PixelSpacing = [f"{spacing_mm[1]:.9g}", f"{spacing_mm[0]:.9g}"]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 1
    dataset.RescaleIntercept, dataset.RescaleSlope = "0", f"{slope:.9g}"
    raw = stored.tobytes()
    dataset.PixelData = raw + b"\0" * (len(raw) % 2)
