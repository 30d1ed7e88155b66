"""Measured time-activity curves, and what every way to integrate one returns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isfinite, isnan, log

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError

ArrayF8 = npt.NDArray[np.float64]

#: Share of an integral beyond the last measurement above which a report says so: what is extrapolated should
#: stay small beside what was measured (MIRD pamphlet 16, Siegel et al. 1999, J Nucl Med 40:37S).
LARGE_TAIL_FRACTION = 0.2
#: Nothing is left of an activity after so many half-lives (1e-9): times that far apart are wrong.
MOST_HALF_LIVES = 30.0


def decay_constant_per_h(half_life_h: float) -> float:
    """Return ln 2 / T for a half-life; 0 for an infinite one (data that are decay-corrected on purpose).

    Raises
    ------
    InputError
        If the half-life is not positive.
    """
    if isnan(half_life_h) or half_life_h <= 0:
        raise InputError(
            f"a half-life of {half_life_h} h cannot be used", where="half_life_h", allowed="more than 0 h"
        )
    return 0.0 if half_life_h == inf else log(2) / half_life_h


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeActivityCurve:
    """Activity in one volume at several times; not corrected for decay.

    Attributes
    ----------
    time_h
        [n] hours after the injection, rising.
    activity_mbq
        [n] activity at that time, 0 or more.
    std_mbq
        [n] standard uncertainty of each, more than 0: weights of a fit are 1 / std^2.
    name
        Organ or lesion, for messages.

    Raises
    ------
    InputError
        For no points, shapes that do not fit, times that are negative or do not rise, values that are not
        finite, negative activities, and uncertainties that are not positive.
    """

    time_h: ArrayF8
    activity_mbq: ArrayF8
    std_mbq: ArrayF8
    name: str = ""

    def __post_init__(self) -> None:
        for field in ("time_h", "activity_mbq", "std_mbq"):
            array = np.array(getattr(self, field), dtype=np.float64)  # a copy: ours is made read-only
            if array.ndim != 1 or array.size == 0:
                raise InputError("a curve needs one value per time, and at least one time", where=field)
            if not np.isfinite(array).all():
                raise InputError("a curve holds values that are not finite", where=self._place(field))
            array.setflags(write=False)
            object.__setattr__(self, field, array)
        if not self.time_h.size == self.activity_mbq.size == self.std_mbq.size:
            raise InputError(
                f"{self.time_h.size} times, {self.activity_mbq.size} activities and {self.std_mbq.size} "
                "uncertainties do not belong together",
                where=self.name,
            )
        if self.time_h[0] < 0 or (np.diff(self.time_h) <= 0).any():
            raise InputError(
                "the times of a curve must rise, from 0 or later",
                where=self._place("time_h"),
                todo="sort the scans by hours after the injection",
            )
        if (self.activity_mbq < 0).any():
            raise InputError(
                f"an activity of {self.activity_mbq.min():.4g} MBq is negative",
                where=self._place("activity_mbq"),
                allowed="0 or more",
                todo="check the background that was subtracted, or leave the point out",
            )
        if (self.std_mbq <= 0).any():
            raise InputError(
                "an uncertainty of a curve is not positive",
                where=self._place("std_mbq"),
                todo="give an absolute uncertainty where the activity is 0",
            )

    def _place(self, field: str) -> str:
        return f"{field} of {self.name}" if self.name else field

    @classmethod
    def with_relative_std(
        cls, time_h: npt.ArrayLike, activity_mbq: npt.ArrayLike, *, std_rel: float, name: str = ""
    ) -> TimeActivityCurve:
        """Make a curve whose points all have one relative uncertainty."""
        activity = np.asarray(activity_mbq, dtype=np.float64)
        return cls(
            time_h=np.asarray(time_h, dtype=np.float64),
            activity_mbq=activity,
            std_mbq=std_rel * np.abs(activity),
            name=name,
        )

    @classmethod
    def from_decay_corrected(
        cls,
        time_h: npt.ArrayLike,
        corrected_mbq: npt.ArrayLike,
        corrected_std_mbq: npt.ArrayLike,
        *,
        half_life_h: float,
        corrected_to_h: float = 0.0,
        name: str = "",
    ) -> TimeActivityCurve:
        """Make a curve from activities that were corrected for decay, by taking the correction out.

        Parameters
        ----------
        corrected_to_h
            Hours after the injection to which they were corrected (0: to the injection, as DICOM's ADMIN).
        """
        time = np.asarray(time_h, dtype=np.float64)
        decayed = np.exp(-decay_constant_per_h(half_life_h) * (time - corrected_to_h))
        return cls(
            time_h=time,
            activity_mbq=np.asarray(corrected_mbq, dtype=np.float64) * decayed,
            std_mbq=np.asarray(corrected_std_mbq, dtype=np.float64) * decayed,
            name=name,
        )

    def __len__(self) -> int:
        return int(self.time_h.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeIntegratedActivity:
    """Number of decays in a volume as MBq h, with its standard uncertainty.

    Attributes
    ----------
    std_mbq_h
        Standard uncertainty from the points of the curve (calibration and volume are not in it); NaN if the
        data cannot tell.
    tail_fraction
        Share of the integral after the last measurement.
    head_fraction
        Share before the first measurement; NaN where the method does not know.
    method
        In words.
    remark
        What a report must say about it besides; empty if nothing.
    """

    value_mbq_h: float
    std_mbq_h: float
    tail_fraction: float
    head_fraction: float
    method: str
    remark: str = ""

    @property
    def std_rel(self) -> float:
        """Relative standard uncertainty; NaN for an integral of 0."""
        return self.std_mbq_h / self.value_mbq_h if self.value_mbq_h > 0 else float("nan")

    @property
    def flags(self) -> tuple[str, ...]:
        """Sentences that a report must show."""
        out = []
        if self.tail_fraction > LARGE_TAIL_FRACTION:
            out.append(
                f"{100 * self.tail_fraction:.0f} % of the integral lies after the last measurement "
                f"(more than {100 * LARGE_TAIL_FRACTION:.0f} %)"
            )
        if not isfinite(self.std_mbq_h):
            out.append("the uncertainty of the integral cannot be told from these data")
        if self.remark:
            out.append(self.remark)
        return tuple(out)

    def per_activity(self, administered_mbq: float) -> TimeIntegratedActivity:
        """Return the same decays per administered MBq (MBq h per MBq), with everything said about them."""
        return replace(
            self,
            value_mbq_h=self.coefficient_h(administered_mbq),
            std_mbq_h=self.std_mbq_h / administered_mbq,
        )

    def coefficient_h(self, administered_mbq: float) -> float:
        """Return the time-integrated activity coefficient: decays per administered activity, hours."""
        if not administered_mbq > 0:
            raise InputError("the administered activity is not positive", where="administered_mbq")
        return self.value_mbq_h / administered_mbq
