"""A small SPECT/CT series for rows and tests: exact counts, changed as a mistake needs."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel, Organ, Origin, Person
from omnidose.dosimetry.internal_uncertainty import Calibration
from omnidose.modalities.nuclear.imaging.bodies import StretchedBody
from omnidose.modalities.nuclear.imaging.camera import Camera
from omnidose.modalities.nuclear.imaging.noise import recorded_share
from omnidose.modalities.nuclear.imaging.objects import HEADS, write_scan
from omnidose.modalities.nuclear.imaging.patients import NUCLIDE, Lie, Patient
from omnidose.modalities.nuclear.imaging.scans import Scan, coarse_grid
from omnidose.modalities.nuclear.series.calibration import start_over_mean
from omnidose.physics.material_library import material
from omnidose.physics.nuclides import nuclide
from omnidose.volume import Grid, Volume

GRID = Grid.centred((16, 24, 24), (8.0, 8.0, 8.0))
CAMERA = Camera(cps_per_mbq=12.0, dead_time_s=2e-6)
ASSAY_MBQ, SEEN_MBQ, EFFECTIVE_H = 7400.0, 2000.0, 60.0
TIMES_H = (4.0, 24.0, 96.0)
DURATION_S = 1200.0
INJECTED = datetime(2026, 3, 4, 9, 30, tzinfo=ZoneInfo("Europe/Berlin"))
#: Changes one DICOM object of a series: (object, number of the scan, number of the object: 0 is the SPECT).
Change = Callable[[Any, int, int], None]
#: What a clinic must say about the camera.
GIVEN: Mapping[str, Any] = {"calibration_cps_per_mbq": CAMERA.cps_per_mbq}


def seen_mbq(time_h: float) -> float:
    """Return the activity that the images hold at the begin of a scan."""
    return SEEN_MBQ * math.exp(-math.log(2) * time_h / EFFECTIVE_H)


@cache
def ball_patient() -> Patient:
    """Return a cylinder of water that lies still."""
    z, y, x = np.meshgrid(*(GRID.axis_mm(a) for a in (2, 1, 0)), indexing="ij")
    labels = np.where((x / 80) ** 2 + (y / 60) ** 2 < 1, 1, 0).astype(np.uint8)
    labels[x**2 + y**2 + z**2 < 30**2] = 2
    body = BodyModel(
        name="small body",
        grid=GRID,
        materials=(material("dry air"), material("water")),
        material_index=(labels > 0).astype(np.uint8),
        density_g_cm3=np.where(labels > 0, 1.0, 0.0012).astype(np.float32),
        labels=labels,
        organs=(
            Organ(key="soft-tissue", label=1, origin=Origin.PHANTOM),
            Organ(key="liver", label=2, origin=Origin.PHANTOM),
        ),
        person=Person(sex="F", age_y=60.0, weight_kg=70.0),
    )
    count = len(TIMES_H)
    return Patient(
        seed=1,
        name="small",
        anatomy=StretchedBody(body=body, grid=GRID),
        lesions=(),
        kinetics={},
        lies=(Lie(shift_mm=(0.0, 0.0, 0.0), turn_deg=0.0),) * count,
        wander_mm=({},) * count,
        calibration_error_rel=0.0,
        scatter_error_rel=(0.0,) * count,
        administered_mbq=ASSAY_MBQ,
        assay_mbq=ASSAY_MBQ,
        scans_h=TIMES_H,
    )


def true_map() -> npt.NDArray[np.float64]:
    """[z, y, x] share of the activity per voxel: half of it in a ball to the left, the head and the back."""
    grid = coarse_grid(GRID)
    z, y, x = np.meshgrid(*(grid.axis_mm(a) for a in (2, 1, 0)), indexing="ij")
    body = np.where((x / 80) ** 2 + (y / 60) ** 2 < 1, 1.0, 0.0)
    ball = np.where((x - 32) ** 2 + (y - 24) ** 2 + (z - 24) ** 2 < 20**2, 1.0, 0.0)
    return np.asarray(0.5 * body / body.sum() + 0.5 * ball / ball.sum())


def exact_scan(time_h: float) -> Scan:
    """Return what the camera would count without noise or blur."""
    half_life_h = nuclide(NUCLIDE).half_life_h
    mean_mbq = seen_mbq(time_h) / start_over_mean(half_life_h, DURATION_S)
    true_rate = CAMERA.cps_per_mbq * mean_mbq
    alive = recorded_share(true_rate, CAMERA.dead_time_s)
    image = (true_map() * true_rate * alive).astype(np.float32)
    grid = coarse_grid(GRID)
    return Scan(
        image=Volume.on_grid(image, grid),
        attenuation=Volume.on_grid(np.zeros_like(image), grid),
        start_h=time_h,
        duration_s=DURATION_S,
        rate_per_s=true_rate * alive,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallSeries:
    """What is written.

    Attributes
    ----------
    points
        Numbers of the scans.
    calibrated
        Bq/mL instead of counts.
    """

    points: tuple[int, ...] = (0, 1, 2)
    calibrated: bool = False
    injected: datetime = INJECTED
    change: Change | None = None
    times_h: Mapping[int, float] = field(default_factory=dict)


def write_small_series(folder: Path, wanted: SmallSeries | None = None) -> None:
    """Write the small series, every object changed."""
    import pydicom

    wanted = wanted or SmallSeries()
    for number in wanted.points:
        hours = wanted.times_h.get(number, TIMES_H[number])
        place = folder / f"scan{number + 1}"
        place.mkdir(parents=True, exist_ok=True)
        for position, (name, content) in enumerate(
            _objects(number, hours, wanted.calibrated, wanted.injected)
        ):
            if wanted.change is None:
                (place / name).write_bytes(content)
                continue
            item = pydicom.dcmread(BytesIO(content))
            wanted.change(item, number, position)
            item.save_as(place / name, enforce_file_format=True)


@cache
def _objects(
    number: int, hours: float, calibrated: bool, injected: datetime
) -> tuple[tuple[str, bytes], ...]:
    """Return name and content of the files of one scan."""
    known = Calibration(cps_per_mbq=CAMERA.cps_per_mbq, std_rel=0.05, camera="camera")
    with tempfile.TemporaryDirectory() as name:
        paths = write_scan(
            Path(name),
            ball_patient(),
            exact_scan(hours),
            number,
            camera=CAMERA,
            injected=injected,
            calibration=known if calibrated else None,
        )
        return tuple((path.name, path.read_bytes()) for path in paths)


def with_dead_time() -> dict[str, Any]:
    """Return everything that a clinic would say about this camera."""
    return {**GIVEN, "dead_time_s": CAMERA.dead_time_s, "detector_heads": HEADS}
