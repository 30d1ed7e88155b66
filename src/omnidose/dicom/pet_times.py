"""Clocks of a PET: when each bed was measured, which moment its values belong to, when the injection was.

Moments are those of the scanner's clock, without a time zone. A Decay Factor (0054,1321) tells the reference
moment better than Series Time, which later processing may change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from omnidose.dicom.headers import parse_datetime
from omnidose.errors import ContradictionError, DicomError, InputError

ArrayF8 = npt.NDArray[np.float64]

#: Reference moments of beds that differ by less than this are one moment, s.
SAME_MOMENT_S = 20.0
#: A scan later than this many half-lives after the injection shows nothing: a date must be wrong.
LATEST_HALF_LIVES = 7.0
#: Up to here a time of day without a date belongs to the scan's own day (or the evening before), h.
DATELESS_HALF_LIFE_H = 15.0
#: A scan may begin this much before the injection: clocks of scanner and hot laboratory, s.
CLOCKS_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceClock:
    """When one slice was measured.

    Attributes
    ----------
    acquired
        Start of its bed position.
    duration_s
        Of its bed position; None if unknown.
    decay_rel
        As written; None if absent.
    """

    acquired: datetime
    duration_s: float | None = None
    decay_rel: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What brings the values of all slices to one moment.

    Attributes
    ----------
    reference
        The moment.
    factors
        [slices] the values times these are those at ``reference``.
    """

    reference: datetime
    factors: ArrayF8
    notes: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


def frame_factor(duration_s: float | None, half_life_h: float) -> float:
    """Return activity at the start of a frame over its mean during the frame: l T / (1 - exp(-l T))."""
    x = math.log(2) / (3600 * half_life_h) * (duration_s or 0.0)
    return x / -math.expm1(-x) if x > 1e-9 else 1.0


def to_one_moment(
    clocks: Sequence[SliceClock],
    *,
    half_life_h: float,
    decay_correction: str,
    corrected_image: Sequence[str] = (),
    series: datetime | None = None,
    injection: datetime | None = None,
) -> Correction:
    """Find out to which moment the values were brought, and bring them to one.

    Parameters
    ----------
    clocks
        One per slice.
    decay_correction
        Decay Correction (0054,1102): START, ADMIN or NONE.
    corrected_image
        Corrected Image (0028,0051).
    series
        Series Date and Time.
    injection
        Needed for ADMIN.

    Raises
    ------
    ContradictionError
        If the headers say two things about decay: corrected and not, or twice.
    DicomError
        If they say nothing.
    """
    kind = decay_correction.upper()
    done = "DECY" in {word.upper() for word in corrected_image}
    factors = [c.decay_rel for c in clocks]
    stated = any(f is not None and abs(f - 1) > 1e-4 for f in factors)
    if kind == "NONE" and (done or stated):
        raise ContradictionError(
            "the images say that they are not corrected for decay, and "
            + (
                "that they are (DECY)"
                if done
                else f"that they were multiplied by up to {_largest(factors):g}"
            )
            + ": correcting them would do it twice",
            where="DecayCorrection (0054,1102), CorrectedImage (0028,0051), DecayFactor (0054,1321)",
            todo="export the original series again",
        )
    if kind == "NONE":
        return _uncorrected(clocks, half_life_h)
    if kind == "ADMIN":
        if injection is None:
            raise DicomError(
                "the images are corrected for decay to the injection, but nothing tells when it was",
                where="RadiopharmaceuticalStartTime (0018,1072)",
                todo="say it with --given injection_time=HH:MM",
            )
        _check_admin(clocks, injection, half_life_h)
        return Correction(reference=injection, factors=np.ones(len(clocks)))
    if kind == "START" or (not kind and (done or stated)):
        assumed = () if kind else ("the headers do not name the moment of decay correction: START is taken",)
        found = _start(clocks, half_life_h, series, injection)
        return Correction(
            reference=found.reference,
            factors=found.factors,
            notes=found.notes,
            assumed=(*assumed, *found.assumed),
        )
    raise DicomError(
        f"Decay Correction is '{kind}'" if kind else "the images do not say whether decay is corrected",
        where="DecayCorrection (0054,1102)",
        allowed="START, ADMIN or NONE",
        todo="export the original series again",
    )


def _largest(factors: Sequence[float | None]) -> float:
    return max((f for f in factors if f is not None), default=1.0)


def _uncorrected(clocks: Sequence[SliceClock], half_life_h: float) -> Correction:
    first = min(c.acquired for c in clocks)
    constant = math.log(2) / (3600 * half_life_h)
    values = [
        frame_factor(c.duration_s, half_life_h) * math.exp(constant * (c.acquired - first).total_seconds())
        for c in clocks
    ]
    note = "The images are not corrected for decay: each bed was brought to the start of the scan."
    return Correction(reference=first, factors=np.array(values), notes=(note,))


def _implied_s(clocks: Sequence[SliceClock], half_life_h: float, origin: datetime) -> ArrayF8 | None:
    """[slices] reference moments that the decay factors imply, s after ``origin``; None without factors.

    The factor of most makers also undoes the decay during the frame.
    """
    if any(c.decay_rel is None or c.decay_rel < 1 - 1e-6 for c in clocks):
        return None
    if all(abs((c.decay_rel or 1.0) - 1) < 1e-7 for c in clocks):
        return None
    constant = math.log(2) / (3600 * half_life_h)
    return np.array(
        [
            (c.acquired - origin).total_seconds()
            - (math.log(c.decay_rel or 1.0) - math.log(frame_factor(c.duration_s, half_life_h))) / constant
            for c in clocks
        ]
    )


def _check_admin(clocks: Sequence[SliceClock], injection: datetime, half_life_h: float) -> None:
    implied = _implied_s(clocks, half_life_h, injection)
    if implied is None:
        return
    off_s = float(np.abs(implied).max())
    longest = max(c.duration_s or 0.0 for c in clocks)
    if off_s > SAME_MOMENT_S + longest:
        raise ContradictionError(
            f"the decay factors do not lead to the injection but to a moment {off_s / 60:.0f} min from it",
            where="DecayFactor (0054,1321), DecayCorrection ADMIN",
            todo="check the time of injection, or export the original series again",
        )


def _start(
    clocks: Sequence[SliceClock], half_life_h: float, series: datetime | None, injection: datetime | None
) -> Correction:
    first = min(c.acquired for c in clocks)
    ones = np.ones(len(clocks))
    implied = _implied_s(clocks, half_life_h, first)
    beds = len({c.acquired for c in clocks})
    if implied is None:
        assumed = "no decay factors: the values are taken to be those at the start of the first bed"
        if series is not None and abs((series - first).total_seconds()) > SAME_MOMENT_S:
            assumed += f" ({first:%H:%M:%S}; the series says {series:%H:%M:%S})"
        return Correction(reference=first, factors=ones, assumed=(assumed,) if beds > 1 else ())
    spread_s = float(np.ptp(implied))
    middle_s = float(np.median(implied))
    longest = max(c.duration_s or 0.0 for c in clocks)
    if spread_s <= SAME_MOMENT_S:
        reference = first + timedelta(seconds=middle_s)
        if (
            injection is not None
            and _near(reference, injection, SAME_MOMENT_S + longest)
            and not _near(reference, first, SAME_MOMENT_S + longest)
        ):
            raise ContradictionError(
                "Decay Correction says START, but the decay factors lead to the injection",
                where="DecayCorrection (0054,1102), DecayFactor (0054,1321)",
                todo="export the original series again",
            )
        for candidate in (first, series):
            if candidate is not None and _near(reference, candidate, SAME_MOMENT_S):
                return Correction(reference=candidate, factors=ones)
        if _near(reference, first, longest + SAME_MOMENT_S):
            return Correction(reference=reference, factors=ones)
        raise ContradictionError(
            f"the decay factors lead to {reference:%H:%M:%S}, which is neither the start of the scan "
            f"({first:%H:%M:%S}) nor of the series: the images may be corrected for decay twice",
            where="DecayFactor (0054,1321)",
            todo="export the original series again",
        )
    own = np.array([(c.acquired - first).total_seconds() for c in clocks])
    if float(np.abs(implied - own).max()) <= SAME_MOMENT_S + longest:
        constant = math.log(2) / (3600 * half_life_h)
        note = "Each bed was corrected for decay to its own start: all were brought to that of the first."
        return Correction(reference=first, factors=np.exp(constant * own), notes=(note,))
    raise ContradictionError(
        "times and decay factors of the beds contradict each other",
        where="AcquisitionTime (0008,0032), DecayFactor (0054,1321)",
        todo="export the original series again",
    )


def _near(a: datetime, b: datetime, seconds: float) -> bool:
    return abs((a - b).total_seconds()) <= seconds


def injection_moment(
    start: str, *, has_date: bool, scan: datetime, half_life_h: float, dates_agree: bool = True
) -> tuple[datetime, tuple[str, ...]]:
    """Return when the injection was, by the scanner's clock, and what was assumed.

    Parameters
    ----------
    start
        DICOM digits: date and time, or a time of day.
    scan
        Start of the first bed.
    dates_agree
        Whether study, series and acquisition have one date: only then may a shifted date be mended.

    Raises
    ------
    DicomError
        If there is no usable time, or the scan lies before the injection or too long after it.
    """
    latest_h = LATEST_HALF_LIVES * half_life_h
    day = f"{scan:%Y%m%d}"
    if has_date:
        moment = parse_datetime(start)
        if moment is None:
            raise _no_time(start)
        if -CLOCKS_S / 3600 <= _hours(moment, scan) <= latest_h:
            return moment, ()
        if moment.date() == scan.date():
            raise _wrong_order(moment, scan, half_life_h)
        if not dates_agree:
            raise DicomError(
                f"injection ({moment:%Y-%m-%d}) and scan ({scan:%Y-%m-%d}) have dates that cannot both be "
                "right, and the dates of the series do not agree either",
                where="RadiopharmaceuticalStartDateTime (0018,1078)",
                todo="say it with --given injection_time='YYYY-MM-DD HH:MM'",
            )
        kept, _ = injection_moment(
            f"{moment:%H%M%S}", has_date=False, scan=scan, half_life_h=half_life_h, dates_agree=True
        )
        return kept, (
            f"the date of the injection does not fit that of the scan (shifted when the names were removed): "
            f"the times of day count, {_hours(kept, scan):.2f} h from injection to scan",
        )
    digits = start.partition(".")[0]
    moment = parse_datetime(day + start) if len(digits) >= 4 and digits.isdigit() else None
    if moment is None:
        raise _no_time(start)
    if half_life_h > DATELESS_HALF_LIFE_H:
        raise DicomError(
            f"the injection has a time of day but no date, and with a half-life of {half_life_h:.0f} h it "
            "may have been days before the scan",
            where="RadiopharmaceuticalStartTime (0018,1072)",
            todo="say it with --given injection_time='YYYY-MM-DD HH:MM'",
        )
    if _hours(moment, scan) >= -CLOCKS_S / 3600:
        if _hours(moment, scan) > latest_h:
            raise _wrong_order(moment, scan, half_life_h)
        return moment, ()
    before = moment - timedelta(days=1)
    if _hours(before, scan) <= latest_h:
        return before, (
            f"the injection ({moment:%H:%M}) is taken to have been the evening before the scan "
            f"({scan:%H:%M}), {_hours(before, scan):.2f} h earlier",
        )
    raise _wrong_order(moment, scan, half_life_h)


def _hours(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() / 3600


def _no_time(start: str) -> InputError:
    return DicomError(
        "nothing tells when the radiopharmaceutical was given" + (f" ('{start}')" if start else ""),
        where="RadiopharmaceuticalStartDateTime (0018,1078), RadiopharmaceuticalStartTime (0018,1072)",
        todo="say it with --given injection_time=HH:MM",
    )


def _wrong_order(moment: datetime, scan: datetime, half_life_h: float) -> InputError:
    hours = _hours(moment, scan)
    if hours < 0:
        what = f"the injection ({moment:%H:%M:%S}) is after the start of the scan ({scan:%H:%M:%S})"
    else:
        what = (
            f"the scan starts {hours:.1f} h after the injection, {hours / half_life_h:.0f} half-lives: "
            "nothing would be left to see"
        )
    return DicomError(
        what,
        where="RadiopharmaceuticalStartTime (0018,1072), AcquisitionTime (0008,0032)",
        allowed=f"0 to {LATEST_HALF_LIVES:g} half-lives",
        todo="if the header is wrong, say --given injection_time='YYYY-MM-DD HH:MM'",
    )
