"""Scans of simulated patients as DICOM: the reconstructed SPECT as an NM object, and its CT.

The SPECT is what a camera stores that nobody has calibrated: counts per voxel over the whole scan, scaled to
16 bits. Dead time, decay and the camera's factor are left to whoever reads it. On request it is what a
calibrated camera stores: Bq/mL at the begin of the scan.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import Person
from omnidose.dicom.files import make_uid, whole_file
from omnidose.dicom.radiopharmaceutical import NM_IMAGE
from omnidose.dicom.synthetic_ct import CtTechnique, SyntheticStudy, code_item, new_dataset, write_ct_series
from omnidose.dosimetry.internal_uncertainty import Calibration
from omnidose.errors import InputError
from omnidose.modalities.nuclear.imaging.camera import Camera
from omnidose.modalities.nuclear.imaging.clinic import activity, wrong_calibration
from omnidose.modalities.nuclear.imaging.patients import NUCLIDE, Patient
from omnidose.modalities.nuclear.imaging.scans import Scan, lying, scan_patient
from omnidose.modalities.nuclear.imaging.truth import Truth, truth_of
from omnidose.physics.material_library import material
from omnidose.physics.nuclides import nuclide
from omnidose.physics.photons import mass_attenuation_cm2_g

#: Effective energy of a body CT at 120 kV.
_CT_KEV = 70.0
_SLICES = 0x00540080  # Slice Vector
#: The simulated camera has two heads (:class:`.Camera`).
HEADS = 2
#: A CT for attenuation and anatomy; its CTDIvol is our choice.
LOW_DOSE = CtTechnique(kvp_kv=120.0, ctdivol_mgy=1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenPatient:
    """A simulated patient as files, with what is true of it.

    Attributes
    ----------
    files
        Per scan: the SPECT's file, then the CT's.
    truth
        Region -> true doses (:func:`.truth_of`).
    shares
        Region -> [z, y, x] share of each voxel of the fine grid, as the patient lies in the second scan.
    given
        What the clinic would say because no header holds it: the camera's (wrong) calibration, its dead time.
    """

    patient: Patient
    files: tuple[tuple[Path, ...], ...]
    truth: dict[str, Truth]
    shares: dict[str, npt.NDArray[np.float32]]
    given: dict[str, float]


def write_patient(
    folder: Path | str,
    patient: Patient,
    *,
    camera: Camera,
    injected: datetime,
    calibrated: bool = False,
    points: tuple[int, ...] | None = None,
) -> WrittenPatient:
    """Scan a patient at all its times and write SPECT and CT of each into a folder of its own.

    Parameters
    ----------
    injected
        Moment of the injection, with its time zone.
    calibrated
        Write Bq/mL by the clinic's calibration instead of counts.
    points
        Numbers of the scans to make (from 0); None: all.

    Raises
    ------
    InputError
        For a moment without time zone.
    """
    anatomy = patient.anatomy
    shares = patient.shares(anatomy.grid, anatomy.labels, anatomy.density_g_cm3)
    wrong = wrong_calibration(camera, patient.calibration_error_rel)
    files = []
    for number in points if points is not None else range(len(patient.scans_h)):
        scan = scan_patient(patient, shares, number, camera=camera)
        files.append(
            write_scan(
                Path(folder) / f"scan{number + 1}",
                patient,
                scan,
                number,
                camera=camera,
                injected=injected,
                calibration=wrong if calibrated else None,
            )
        )
    given: dict[str, float] = {"calibration_std_rel": wrong.std_rel}
    if not calibrated:
        given |= {
            "calibration_cps_per_mbq": wrong.cps_per_mbq,
            "dead_time_s": camera.dead_time_s,
            "detector_heads": HEADS,
        }
    return WrittenPatient(
        patient=patient,
        files=tuple(files),
        truth=truth_of(patient, shares),
        shares=shares,
        given=given,
    )


def write_scan(
    folder: Path | str,
    patient: Patient,
    scan: Scan,
    number: int,
    *,
    camera: Camera,
    injected: datetime,
    calibration: Calibration | None = None,
) -> tuple[Path, ...]:
    """Write the SPECT and the CT of one scan into a folder.

    Parameters
    ----------
    number
        Of the scan, from 0: a study of its own, as on a day of its own.
    injected
        Moment of the injection, with its time zone.
    calibration
        Write Bq/mL by it, at the begin of the scan; None: counts.

    Returns
    -------
    tuple
        The SPECT's file, then the CT's.

    Raises
    ------
    InputError
        For a moment without time zone, or an image without counts.
    """
    if injected.tzinfo is None:
        raise InputError("the injection does not say its time zone", where="injected")
    # in UTC: hours on a hospital's wall clock are not hours where summer time begins
    start = (injected.astimezone(UTC) + timedelta(hours=scan.start_h)).astimezone(injected.tzinfo)
    study = SyntheticStudy(
        key=f"spect-{patient.seed}-{number}",
        patient_id=f"SPECT{patient.seed:04d}",
        patient_name=f"Synthetic^Spect{patient.seed}",
        date=start.strftime("%Y%m%d"),
        time=start.strftime("%H%M%S"),
        model="synthetic SPECT/CT",
        body_part="ABDOMEN",
    )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    person = patient.anatomy.body.person
    dataset = _spect(scan, study, person, camera, start)
    if calibration is None:
        counts = np.asarray(scan.image.array, dtype=np.float64) * scan.duration_s
        _pixels(dataset, counts)
    else:
        _calibrated(dataset, scan, camera, calibration)
    dataset.RadiopharmaceuticalInformationSequence = [_given(patient.assay_mbq, injected)]
    path = folder / f"NM{number + 1:02d}"
    with whole_file(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)
    grid = patient.anatomy.grid
    water = material("water")
    mu_water = float(mass_attenuation_cm2_g(water, _CT_KEV)) * water.density_g_cm3
    mu = lying(patient.anatomy.mu_per_cm(_CT_KEV), grid, patient.lies[number])
    ct = write_ct_series(
        folder,
        1000 * (mu / mu_water - 1),
        grid,
        person=person,
        study=study,
        technique=LOW_DOSE,
        description="low-dose CT",
    )
    return (path, *ct)


def _given(assay_mbq: float, injected: datetime) -> Any:
    """Return what was given, as the activity meter said."""
    from pydicom.dataset import Dataset

    item = Dataset()
    item.Radiopharmaceutical = "177Lu-DOTATATE"
    item.RadiopharmaceuticalStartDateTime = injected.strftime("%Y%m%d%H%M%S")
    item.RadiopharmaceuticalStartTime = injected.strftime("%H%M%S")
    item.RadionuclideTotalDose = f"{assay_mbq:.2f}"  # MBq: PS3.3 names no unit here, makers write MBq
    item.RadionuclideHalfLife = f"{3600 * nuclide(NUCLIDE).half_life_h:.6g}"
    item.RadionuclideCodeSequence = [code_item(NUCLIDE, "99OMNIDOSE", NUCLIDE)]
    return item


def _spect(scan: Scan, study: SyntheticStudy, person: Person, camera: Camera, start: datetime) -> Any:
    """Return the NM object without what was given (PS3.3 A.5, C.8.4)."""
    dataset = new_dataset(NM_IMAGE, study, person)
    dataset.Modality = "NM"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    dataset.SeriesInstanceUID = make_uid(study.key, "series", "nm")
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    dataset.SeriesDescription = "SPECT, OSEM, AC, SC, counts"
    dataset.SOPInstanceUID = make_uid(study.key, "nm")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = study.frame_of_reference_uid, ""
    dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = start.strftime("%Y%m%d")
    dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = start.strftime("%H%M%S")
    dataset.TimezoneOffsetFromUTC = start.strftime("%z")
    dataset.PatientPosition = "HFS"
    dataset.CountsAccumulated = round(HEADS * scan.rate_per_s * scan.duration_s)
    dataset.CorrectedImage = ["UNIF", "ATTN", "SCAT"]  # neither DECY nor DTIM
    _place(dataset, scan)
    _how(dataset, scan, camera)
    return dataset


def _place(dataset: Any, scan: Scan) -> None:
    """Say where the slices lie: one detector item holds the first one's place (C.8.4.11)."""
    from pydicom.dataset import Dataset

    grid = scan.image.grid
    head = Dataset()
    head.ImagePositionPatient = [f"{v:.9g}" for v in grid.origin_mm]
    head.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.DetectorInformationSequence = [head]
    dataset.PixelSpacing = [f"{grid.spacing_mm[1]:.9g}", f"{grid.spacing_mm[0]:.9g}"]
    dataset.SliceThickness = dataset.SpacingBetweenSlices = f"{grid.spacing_mm[2]:.9g}"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = grid.shape_zyx
    dataset.FrameIncrementPointer = _SLICES
    dataset.NumberOfSlices = grid.shape_zyx[0]
    dataset.SliceVector = list(range(1, grid.shape_zyx[0] + 1))


def _calibrated(dataset: Any, scan: Scan, camera: Camera, calibration: Calibration) -> None:
    """Store Bq/mL at the begin of the scan, and say so as makers do (Units) and as the standard does."""
    from pydicom.dataset import Dataset

    found = activity(scan, camera, calibration)
    bq_ml = np.asarray(found.array, dtype=np.float64) * 1e6 / scan.image.grid.voxel_volume_cm3
    _pixels(dataset, bq_ml)
    dataset.Units = "BQML"
    item = Dataset()
    item.RealWorldValueSlope, item.RealWorldValueIntercept = float(dataset.RescaleSlope), 0.0
    item.RealWorldValueFirstValueMapped, item.RealWorldValueLastValueMapped = 0, 65535
    item.LUTExplanation, item.LUTLabel = "activity concentration", "BQML"
    item.MeasurementUnitsCodeSequence = [code_item("Bq/ml", "UCUM", "Becquerels/milliliter")]
    dataset.RealWorldValueMappingSequence = [item]
    dataset.CorrectedImage = ["UNIF", "ATTN", "SCAT", "DECY", "DTIM"]
    dataset.DecayCorrection = "START"
    dataset.SeriesDescription = "SPECT, OSEM, AC, SC, Bq/mL"


def _pixels(dataset: Any, values: npt.NDArray[np.float64]) -> None:
    """Store values per voxel in 16 bits with a slope."""
    largest = float(values.max())
    if not (np.isfinite(largest) and largest > 0 and values.min() >= 0):
        raise InputError("an image of counts holds none, or some below 0", where="scan")
    slope = float(f"{largest / 65535 * (1 + 1e-9):.9e}")
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.RescaleIntercept, dataset.RescaleSlope = 0, f"{slope:.9e}"
    dataset.PixelData = np.clip(np.rint(values / slope), 0, 65535).astype("<u2").tobytes()


def _how(dataset: Any, scan: Scan, camera: Camera) -> None:
    """Describe windows and rotation."""
    from pydicom.dataset import Dataset

    half = 0.1 * camera.photopeak_kev
    side = 2 * half * camera.window_share_fraction
    windows = []
    for name, low, high in (
        ("peak", camera.photopeak_kev - half, camera.photopeak_kev + half),
        ("lower", camera.photopeak_kev - half - side, camera.photopeak_kev - half),
        ("upper", camera.photopeak_kev + half, camera.photopeak_kev + half + side),
    ):
        limits, window = Dataset(), Dataset()
        limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = f"{low:.2f}", f"{high:.2f}"
        window.EnergyWindowName, window.EnergyWindowRangeSequence = name, [limits]
        windows.append(window)
    dataset.EnergyWindowInformationSequence = windows
    dataset.NumberOfEnergyWindows = len(windows)
    turn = Dataset()
    turn.RotationDirection, turn.ScanArc = "CC", "180"
    turn.AngularStep = f"{360 / camera.views:g}"
    turn.NumberOfFramesInRotation = camera.views // 2
    turn.ActualFrameDuration = round(1000 * scan.duration_s / (camera.views // 2))
    turn.StartAngle = "0"
    dataset.RotationInformationSequence, dataset.NumberOfRotations = [turn], 1
    dataset.NumberOfDetectors = 1  # of a reconstruction, whatever turned (C.8.4.8.1.3)
