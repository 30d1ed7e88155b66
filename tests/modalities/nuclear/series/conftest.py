"""A small body with organs and a lesion, scanned without noise at known times: everything is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import log
from typing import Any

import numpy as np
import pytest

from omnidose.anatomy.body import BodyModel, BodyRegion, Organ, Origin, Person
from omnidose.beams.materials import WATER
from omnidose.dosimetry.internal_uncertainty import Calibration
from omnidose.kinetics.administration import Administration
from omnidose.modalities.nuclear.series.exam import SeriesExam, TimePoint
from omnidose.modalities.nuclear.series.recovery import ImageBlur
from omnidose.physics.nuclides import nuclide
from omnidose.transport.scene import AIR
from omnidose.volume import Grid, Volume

GRID = Grid.centred((36, 44, 56), (4.0, 4.0, 4.0))
BLUR = ImageBlur(fwhm_mm=9.0, std_mm=0.0)
INJECTED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
#: Region -> MBq extrapolated to the injection, effective half-life in hours.
TRUE = {
    "left-kidney": (80.0, 50.0),
    "right-kidney": (70.0, 50.0),
    "liver": (150.0, 80.0),
    "lesion-1": (40.0, 100.0),
    "rest": (300.0, 40.0),
}
LABELS = {"soft-tissue": 1, "left-kidney": 2, "right-kidney": 3, "liver": 4, "stomach": 5, "lumbar-spine": 6}


def small_body(**origins: Origin) -> BodyModel:
    """Return a cylinder with kidneys, liver, stomach and spine; keywords change origins (``liver=…``)."""
    z, y, x = np.meshgrid(*(GRID.axis_mm(a) for a in (2, 1, 0)), indexing="ij")
    labels = np.where((x / 100) ** 2 + (y / 75) ** 2 < 1, 1, 0).astype(np.uint8)
    labels[((x - 55) / 20) ** 2 + ((y - 30) / 20) ** 2 + (z / 40) ** 2 < 1] = LABELS["left-kidney"]
    labels[((x + 55) / 20) ** 2 + ((y - 30) / 20) ** 2 + (z / 40) ** 2 < 1] = LABELS["right-kidney"]
    labels[(x + 40) ** 2 + (y + 20) ** 2 + (z - 5) ** 2 < 38**2] = LABELS["liver"]
    labels[(x - 45) ** 2 + (y + 30) ** 2 + z**2 < 22**2] = LABELS["stomach"]
    labels[(x**2 + (y - 50) ** 2 < 14**2) & (np.cos(z / 9) > -0.6)] = LABELS["lumbar-spine"]
    density = np.where(labels > 0, 1.0, AIR.density_g_cm3).astype(np.float32)
    density[labels == LABELS["lumbar-spine"]] = 1.35
    lesion = (x + 45) ** 2 + (y + 25) ** 2 + (z - 5) ** 2 < 15**2
    named = {key.replace("_", "-"): origin for key, origin in origins.items()}
    return BodyModel(
        name="small body",
        grid=GRID,
        materials=(AIR, WATER),
        material_index=(labels > 0).astype(np.uint8),
        density_g_cm3=density,
        labels=labels,
        organs=tuple(
            Organ(key=key, label=label, origin=named.get(key, _origin(key))) for key, label in LABELS.items()
        ),
        regions=(BodyRegion(key="lesion-1", voxels=np.flatnonzero(lesion).astype(np.int64)),),
        person=Person(sex="F", age_y=50.0),
        frame_of_reference_uid="1.2.1",
    )


def _origin(key: str) -> Origin:
    return Origin.ATLAS if key == "stomach" else Origin.SEGMENTED


def density_hu(body: BodyModel, steps_zyx: tuple[int, int, int] = (0, 0, 0)) -> Volume:
    """Return rough CT numbers of the body, shifted by voxels, as a scan of its own."""
    hu = np.where(body.labels > 0, 1000 * (body.density_g_cm3 - 1), -1000).astype(np.float32)
    return Volume.on_grid(np.roll(hu, steps_zyx, (0, 1, 2)), GRID)


def image(body: BodyModel, time_h: float, steps_zyx: tuple[int, int, int] = (0, 0, 0)) -> Volume:
    """Return MBq per voxel, as a blurred camera without noise sees the body."""
    lesion = np.zeros(body.labels.size, np.bool_)
    lesion[body.lesions[0].voxels] = True
    lesion = lesion.reshape(GRID.shape_zyx)
    activity = np.zeros(GRID.shape_zyx, np.float32)
    for key, (mbq, half_life_h) in TRUE.items():
        if key == "rest":
            own = np.isin(body.labels, [LABELS[k] for k in ("soft-tissue", "stomach", "lumbar-spine")])
            share = own * body.density_g_cm3
        elif key == "lesion-1":
            share = lesion.astype(np.float32)
        else:
            share = ((body.labels == LABELS[key]) & ~lesion).astype(np.float32)
        activity += share * np.float32(mbq * 2 ** (-time_h / half_life_h) / share.sum(dtype=np.float64))
    blurred = BLUR.applied(np.roll(activity, steps_zyx, (0, 1, 2)), GRID.spacing_mm)
    return Volume.on_grid(blurred, GRID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A body, and how records of it are made."""

    body: BodyModel

    def true_mbq_h(self, key: str) -> float:
        """Time-integrated activity of a region."""
        mbq, half_life_h = TRUE[key]
        return mbq * half_life_h / log(2)

    def point(
        self,
        time_h: float,
        *,
        steps_zyx: tuple[int, int, int] = (0, 0, 0),
        ct: bool = False,
        frame: str = "1.2.1",
    ) -> TimePoint:
        """Return one scan."""
        return TimePoint(
            start=INJECTED + timedelta(hours=time_h),
            duration_s=600.0,
            activity=image(self.body, time_h, steps_zyx),
            ct_hu=density_hu(self.body, steps_zyx) if ct else None,
            frame_of_reference_uid=frame,
            series_uid=f"1.2.3.{time_h:g}",
        )

    def exam(self, *points: TimePoint, name: str = "Lu-177", **changes: Any) -> SeriesExam:
        """Return a record."""
        half_life_h = nuclide(name).half_life_h
        fields: dict[str, Any] = {
            "key": "small",
            "nuclide": name,
            "half_life_h": half_life_h,
            "agent": "177Lu-TEST",
            "administration": Administration(
                nuclide=name,
                half_life_h=half_life_h,
                assay_mbq=800.0,
                assay_time=INJECTED,
                injection_time=INJECTED,
            ),
            "points": points,
            "calibration": Calibration(cps_per_mbq=10.0, std_rel=0.05, camera="camera A"),
            "image_fwhm_mm": BLUR.fwhm_mm,
            "therapy": True,
        }
        return SeriesExam(**(fields | changes))


@pytest.fixture(scope="session")
def case() -> Case:
    """The small body."""
    return Case(body=small_body())


@pytest.fixture(scope="session")
def series(case: Case) -> SeriesExam:
    """Four scans; in the third the patient lies elsewhere and has a CT, the others lie in one frame."""
    return case.exam(
        case.point(4.0),
        case.point(24.0),
        case.point(72.0, steps_zyx=(1, -2, 1), ct=True, frame="1.2.9"),
        case.point(168.0),
        reference=1,
    )


@pytest.fixture(scope="session")
def body_with() -> Callable[..., BodyModel]:
    """Return a function that makes the body with other origins."""
    return small_body
