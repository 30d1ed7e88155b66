"""Scans as DICOM: counts, place, times and what was given come back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pydicom
import pytest

from omnidose.anatomy.body import BodyModel, Organ, Origin
from omnidose.dicom.radiopharmaceutical import read_radiopharmaceutical
from omnidose.errors import InputError
from omnidose.modalities.nuclear.imaging.bodies import StretchedBody
from omnidose.modalities.nuclear.imaging.camera import Camera
from omnidose.modalities.nuclear.imaging.objects import write_scan
from omnidose.modalities.nuclear.imaging.patients import Lie, Patient
from omnidose.modalities.nuclear.imaging.scans import Scan, coarse_grid
from omnidose.physics.material_library import material
from omnidose.volume import Grid, Volume

GRID = Grid.centred((8, 16, 16), (3.0, 3.0, 3.0))
INJECTED = datetime(2025, 3, 29, 9, 30, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.fixture(scope="module")
def patient() -> Patient:
    index = np.zeros(GRID.shape_zyx, np.uint8)
    index[:, 4:12, 4:12] = 1
    body = BodyModel(
        name="box", grid=GRID, materials=(material("dry air"), material("water")), material_index=index,
        density_g_cm3=np.where(index, 1.0, 0.0012).astype(np.float32), labels=index,
        organs=(Organ(key="liver", label=1, origin=Origin.PHANTOM),),
    )  # fmt: skip
    still = Lie(shift_mm=(0.0, 0.0, 0.0), turn_deg=0.0)
    return Patient(
        seed=3, name="box", anatomy=StretchedBody(body=body, grid=GRID), lesions=(), kinetics={},
        lies=(still,) * 4, wander_mm=({},) * 4, calibration_error_rel=0.0, scatter_error_rel=(0.0,) * 4,
        administered_mbq=7400.0, assay_mbq=7350.0,
    )  # fmt: skip


def scan(image: np.ndarray) -> Scan:
    grid = coarse_grid(GRID)
    return Scan(
        image=Volume.on_grid(image, grid), attenuation=Volume.on_grid(np.zeros_like(image), grid),
        start_h=24.0, duration_s=1200.0, rate_per_s=5000.0,
    )  # fmt: skip


def test_a_scan_comes_back(patient: Patient, tmp_path: Path) -> None:
    image = np.random.default_rng(1).random((4, 8, 8), dtype=np.float32)
    paths = write_scan(tmp_path, patient, scan(image), 1, camera=Camera(), injected=INJECTED)
    assert len(paths) == 1 + 8
    nm = pydicom.dcmread(paths[0])
    counts = nm.pixel_array * float(nm.RescaleSlope)
    assert counts == pytest.approx(1200 * image, abs=1200 / 65535)
    assert nm.ImageType[2] == "RECON TOMO"
    assert [float(v) for v in nm.DetectorInformationSequence[0].ImagePositionPatient] == pytest.approx(
        coarse_grid(GRID).origin_mm
    )
    assert (float(nm.PixelSpacing[0]), float(nm.SpacingBetweenSlices)) == (6.0, 6.0)
    assert list(nm.SliceVector) == [1, 2, 3, 4]
    assert (nm.AcquisitionDate, nm.AcquisitionTime) == ("20250330", "103000")  # summer time
    assert nm.TimezoneOffsetFromUTC == "+0200"
    turn = nm.RotationInformationSequence[0]
    assert turn.ActualFrameDuration * turn.NumberOfFramesInRotation == 1_200_000
    assert "DECY" not in nm.CorrectedImage
    given = read_radiopharmaceutical(nm)
    assert (given.nuclide, given.total_mbq, given.start) == ("Lu-177", 7350.0, "20250329093000")

    ct = pydicom.dcmread(paths[4])
    assert ct.FrameOfReferenceUID == nm.FrameOfReferenceUID
    assert ct.StudyInstanceUID == nm.StudyInstanceUID
    hu = ct.pixel_array * float(ct.RescaleSlope) + float(ct.RescaleIntercept)
    assert hu[8, 8] == pytest.approx(0, abs=1)
    assert hu[0, 0] == pytest.approx(-999, abs=2)


def test_no_counts_are_refused(patient: Patient, tmp_path: Path) -> None:
    empty = scan(np.zeros((4, 8, 8), np.float32))
    with pytest.raises(InputError, match="counts"):
        write_scan(tmp_path, patient, empty, 1, camera=Camera(), injected=INJECTED)
    with pytest.raises(InputError, match="time zone"):
        write_scan(tmp_path, patient, empty, 1, camera=Camera(), injected=INJECTED.replace(tzinfo=None))


def test_a_whole_patient_is_read_back(tmp_path: Path) -> None:
    """Noise, scatter, dead time, decay and a wrong calibration: the sum of the images is the patient's."""
    from omnidose.dicom.inventory import read_inventory
    from omnidose.modalities.nuclear import MODALITY
    from omnidose.modalities.nuclear.imaging.objects import write_patient
    from omnidose.modalities.nuclear.imaging.patients import REST, draw_patient
    from omnidose.modalities.nuclear.imaging.truth import visible_rest
    from omnidose.modalities.nuclear.series.exam import SeriesExam

    drawn = draw_patient(3, grid=Grid.centred((80, 108, 108), (4.0,) * 3), phantom_voxel_mm=6.0)
    written = write_patient(tmp_path, drawn, camera=Camera(views=30), injected=INJECTED, points=(1, 2))
    assert [len(files) for files in written.files] == [81, 81]
    assert set(written.truth) == set(drawn.regions)
    with read_inventory(tmp_path) as inventory:
        exam = MODALITY.ingest(MODALITY.claims(inventory)[0], written.given | {"time_zone": "Europe/Berlin"})
    assert isinstance(exam, SeriesExam)
    assert exam.times_h == (24.0, 72.0)
    assert exam.administration.assay_mbq == pytest.approx(drawn.assay_mbq, abs=0.01)
    seen = visible_rest(drawn, written.shares)
    for point, hours in zip(exam.points, exam.times_h, strict=True):
        true = sum(k.activity_mbq(hours) * (seen if n == REST else 1) for n, k in drawn.kinetics.items())
        assert point.seen_mbq * (1 + drawn.calibration_error_rel) == pytest.approx(true, rel=0.02)
