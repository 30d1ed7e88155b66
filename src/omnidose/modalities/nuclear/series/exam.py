"""``SeriesExam``: one administration, and the emission images that show it at one time or more."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from omnidose.dosimetry.internal_uncertainty import Calibration
from omnidose.errors import ContradictionError, InputError
from omnidose.kinetics.administration import Administration, hours_between
from omnidose.modalities.nuclear.exposure import MOST_SEEN, DoseMethod
from omnidose.provenance import Assumption
from omnidose.volume import Volume

#: Two scans that begin closer than this are one time point, h.
LEAST_APART_H = 0.25
KINDS = {"NM": "SPECT", "PT": "PET"}


class OnePoint(StrEnum):
    """How one time point is integrated if nobody knows an effective half-life.

    Physical: by physical decay alone, an upper bound where the organ empties. Haenscheid: A(t) 2 t / ln 2,
    within about 12 % if the scan was 0.75 to 2.5 effective half-lives after the injection.
    """

    PHYSICAL = "physical"
    HAENSCHEID = "haenscheid"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePoint:
    """One scan: activity per voxel, and the CT that was taken with it.

    Attributes
    ----------
    start
        Begin of the scan, with its time zone.
    duration_s
        From the begin of the scan to its end.
    activity
        float32 [z, y, x] MBq per voxel at ``start``; calibration, dead time and decay during the scan are
        applied.
    ct_hu
        CT numbers; None if there is no CT, or for the reference point, whose CT is the body's.
    frame_of_reference_uid
        Of the images of the activity.
    modality
        ``NM`` or ``PT``.
    """

    start: datetime
    duration_s: float
    activity: Volume = field(repr=False, compare=False)
    ct_hu: Volume | None = field(default=None, repr=False, compare=False)
    frame_of_reference_uid: str = ""
    modality: str = "NM"
    series_uid: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.start.utcoffset() is None:
            raise InputError(
                "the begin of a scan does not say its time zone", where="start", todo="attach the time zone"
            )
        if self.modality not in KINDS:
            raise InputError(f"images of '{self.modality}'", where="modality", allowed=", ".join(KINDS))
        if not (math.isfinite(self.duration_s) and self.duration_s >= 0):
            raise InputError(f"a scan of {self.duration_s:g} s", where="duration_s", allowed="0 s or more")
        if not (math.isfinite(self.seen_mbq) and self.seen_mbq > 0):
            raise InputError(
                "the images of a scan hold no activity, or values that are no numbers",
                where=f"scan of {self.start:%Y-%m-%d %H:%M}",
            )

    @property
    def seen_mbq(self) -> float:
        """Sum of the image, at ``start``."""
        return float(self.activity.array.sum(dtype="float64"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesExam:
    """One administration of one radiopharmaceutical and its scans.

    Attributes
    ----------
    key
        Administration event UID, or another key that all scans share.
    agent
        Radiopharmaceutical, as written.
    points
        In order of time.
    reference
        Number of the point (from 0) whose CT is the anatomy.
    calibration
        Of the camera; its standard uncertainty is common to all doses of this camera.
    image_fwhm_mm
        Blur of the reconstructed images; None: not known.
    method
        None: chosen by the program, which says so.
    effective_half_life_h
        For one time point: said by a person. With more points it is not used.
    one_point
        For one time point without that.
    therapy
        True if it was given to treat: no w_T-weighted sum, BED beside the doses.
    entered
        Keys that a person gave and the data did not.

    Raises
    ------
    InputError
        For no points, wrong order, points before the injection, or half-lives that cannot be.
    ContradictionError
        If the images hold more than can be left of what was given.
    """

    key: str
    nuclide: str
    half_life_h: float
    agent: str
    administration: Administration
    points: tuple[TimePoint, ...]
    reference: int = 0
    calibration: Calibration
    image_fwhm_mm: float | None = None
    method: DoseMethod | None = None
    effective_half_life_h: float | None = None
    one_point: OnePoint = OnePoint.PHYSICAL
    therapy: bool = False
    entered: tuple[str, ...] = ()
    manufacturer: str = ""
    model: str = ""
    assumptions: tuple[Assumption, ...] = ()
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.half_life_h) and self.half_life_h > 0):
            raise InputError("the half-life is not a positive number", where="half_life_h")
        if not self.points:
            raise InputError("there is no scan", where="points")
        if not 0 <= self.reference < len(self.points):
            raise InputError(
                f"there is no scan number {self.reference}",
                where="reference",
                allowed=f"0 to {len(self.points) - 1}",
            )
        if self.administration.nuclide != self.nuclide:
            raise ContradictionError(
                f"the images show {self.nuclide}, but {self.administration.nuclide} was given",
                where="nuclide",
            )
        fwhm = self.image_fwhm_mm
        if fwhm is not None and not 0 < fwhm <= 40:
            raise InputError(
                f"images blurred by {fwhm:g} mm", where="image_fwhm_mm", allowed="above 0, up to 40 mm"
            )
        self._check_half_life()
        self._check_times()
        for number, point in enumerate(self.points):
            self._check_amount(number, point)

    def _check_half_life(self) -> None:
        effective = self.effective_half_life_h
        if effective is not None and not 0 < effective <= self.half_life_h * (1 + 1e-9):
            raise InputError(
                f"an effective half-life of {effective:g} h is longer than the physical one of "
                f"{self.nuclide} ({self.half_life_h:.4g} h)"
                if effective > 0
                else f"an effective half-life of {effective:g} h",
                where="effective_half_life_h",
                allowed=f"above 0, up to {self.half_life_h:.4g} h",
            )

    def _check_times(self) -> None:
        hours = self.times_h
        if hours[0] < 0:
            raise InputError(
                f"a scan begins {-hours[0]:.2f} h before the injection",
                where="injection_time",
                todo="correct the time of injection",
            )
        for early, late in pairwise(hours):
            if late < early:
                raise InputError("the scans are not in order of time", where="points")
            if late - early < LEAST_APART_H:
                raise InputError(
                    f"two scans begin {60 * (late - early):.0f} minutes apart, {early:.2f} h after the "
                    "injection",
                    where="points",
                    allowed=f"at least {60 * LEAST_APART_H:.0f} minutes",
                    todo="give one reconstruction of every scan",
                )

    def _check_amount(self, number: int, point: TimePoint) -> None:
        share = self.seen_fraction(point)
        if share > MOST_SEEN:
            raise ContradictionError(
                f"the scan {self.hours_to(point):.3g} h after the injection shows {point.seen_mbq:.4g} MBq, "
                f"{100 * share:.0f} % of what can be left of the {self.administration.net_mbq:.4g} MBq that "
                "were given",
                where=f"time point {number + 1}: calibration, Units (0054,1001), RadionuclideTotalDose "
                "(0018,1074)",
                allowed=f"up to {100 * MOST_SEEN:.0f} %",
                todo="check calibration, units, times, and whether decay was corrected twice",
            )

    @property
    def kind(self) -> str:
        """SPECT or PET; both if the scans are of both."""
        return " and ".join(dict.fromkeys(KINDS[point.modality] for point in self.points))

    @property
    def title(self) -> str:
        """One line for a person."""
        words = self.agent or self.nuclide
        if self.agent and self.nuclide not in self.agent:
            words = f"{self.agent} ({self.nuclide})"
        count = f"{len(self.points)} time point{'s' if len(self.points) > 1 else ''}"
        return f"{self.kind}, {words}, {self.administration.net_mbq:.0f} MBq, {count}"

    @property
    def times_h(self) -> tuple[float, ...]:
        """From the injection to the begin of every scan."""
        return tuple(self.hours_to(point) for point in self.points)

    @property
    def device(self) -> str:
        """The camera, in words."""
        return f"{self.manufacturer} {self.model}".strip() or self.calibration.camera or "camera"

    def hours_to(self, point: TimePoint) -> float:
        """Return the hours from the injection to the begin of a scan."""
        return hours_between(self.administration.injection_time, point.start)

    def left_mbq(self, point: TimePoint) -> float:
        """Return what physical decay leaves of the net activity at the begin of a scan."""
        return self.administration.net_mbq * math.exp(-math.log(2) * self.hours_to(point) / self.half_life_h)

    def seen_fraction(self, point: TimePoint) -> float:
        """Return the share of that in the images."""
        return point.seen_mbq / self.left_mbq(point)
