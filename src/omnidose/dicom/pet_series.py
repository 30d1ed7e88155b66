"""A PET series -> :class:`PetVolume`: activity concentration (Bq/mL) at one moment, along +L, +P, +S."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.dicom.ct_frames import Frame, frames_of
from omnidose.dicom.emission_slices import (
    Progress,
    check_one_patient,
    even_affine,
    in_order,
    negative_fraction,
    read_values,
)
from omnidose.dicom.headers import acquisition_time, number, parse_datetime, text, texts
from omnidose.dicom.inventory import Series
from omnidose.dicom.pet_times import SliceClock, to_one_moment
from omnidose.dicom.radiopharmaceutical import ENHANCED_PET, PET_IMAGE
from omnidose.errors import DicomError
from omnidose.volume import Volume

#: Philips writes counts and, in these private elements, what turns them into Bq/mL.
_PHILIPS, _PHILIPS_BQML = "Philips PET Private Group", (0x7053, 0x1009)
UNITS = ("BQML", "GML (body weight)", "CNTS with the maker's factor")


@dataclass(frozen=True, slots=True, kw_only=True)
class PetFacts:
    """What the headers of a PET series say, before any pixel is read.

    Attributes
    ----------
    first, last
        Start of the first and of the last bed, by the scanner's clock.
    bed_count
        Different acquisition times.
    duration_s
        Of a bed (the longest); None if unknown.
    dates_agree
        Whether study, series and acquisition have one date.
    corrected_image
        Corrected Image (0028,0051).
    """

    units: str
    first: datetime
    last: datetime
    series: datetime | None
    bed_count: int
    duration_s: float | None
    dates_agree: bool
    decay_correction: str
    corrected_image: tuple[str, ...]
    attenuation_corrected: bool
    time_zone: str = ""
    manufacturer: str = ""
    model: str = ""
    z_mm: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PetVolume:
    """A PET as the rest of the program uses it.

    Attributes
    ----------
    volume
        float32 Bq/mL [z, y, x] at ``reference``, on a straight grid along +L, +P, +S, never below 0.
    reference
        Moment of the values, by the scanner's clock.
    negative_fraction
        What was below 0 and set to 0, relative to the sum.
    """

    volume: Volume
    reference: datetime
    facts: PetFacts
    negative_fraction: float = 0.0
    notes: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    series_uid: str = ""


def is_pet_image(series: Series) -> bool:
    """Return True for PET slices, one per object."""
    return series.sop_class == PET_IMAGE


def why_not(series: Series) -> str:
    """Return why a series of modality PT cannot give activities; empty if it may."""
    header = series.header
    if series.sop_class == ENHANCED_PET:
        return "an enhanced (multi-frame) PET object, which is not read"
    if not is_pet_image(series):
        return "no PET slices"
    kinds = {word.upper() for word in texts(header, "SeriesType")}
    if kinds & {"DYNAMIC", "GATED"}:
        return f"a {' '.join(sorted(kinds & {'DYNAMIC', 'GATED'})).lower()} series: only static ones are read"
    if "REPROJECTION" in kinds:
        return "projections, not slices"
    corrected = {word.upper() for word in texts(header, "CorrectedImage")}
    if corrected and "ATTN" not in corrected:
        return "not corrected for attenuation, so that its values are no activities"
    return ""


def read_pet_facts(series: Series) -> PetFacts:
    """Read what the headers of a PET series say.

    Raises
    ------
    DicomError
        If units are missing or mixed, or no slice says when it was acquired.
    ContradictionError
        If slices belong to different patients.
    """
    headers = [i.header for i in series.instances]
    check_one_patient(headers)
    units = Counter(text(h, "Units").upper() for h in headers)
    if len(units) > 1:
        listed = ", ".join(f"{n} in {unit or 'no unit'}" for unit, n in units.most_common())
        raise DicomError(
            f"the slices of one series have different units: {listed}",
            where="Units (0054,1001)",
            allowed="one unit",
            todo="export the series again",
        )
    clocks = [acquisition_time(h) for h in headers]
    known = [c for c in clocks if c is not None]
    if len(known) < len(clocks):
        raise DicomError(
            f"{len(clocks) - len(known)} of {len(clocks)} images do not say when they were acquired",
            where="AcquisitionDate (0008,0022), AcquisitionTime (0008,0032)",
            todo="export the series again",
        )
    first_header = headers[0]
    z = [float(f.slice.z_mm) for i in series.instances for f in frames_of(i)]
    dates = {text(first_header, k) for k in ("StudyDate", "SeriesDate", "AcquisitionDate")} - {""}
    durations = [d for h in headers if (d := number(h, "ActualFrameDuration")) is not None and d > 0]
    corrected = tuple(word.upper() for word in texts(first_header, "CorrectedImage"))
    return PetFacts(
        units=next(iter(units)),
        first=min(known),
        last=max(known),
        series=parse_datetime(text(first_header, "SeriesDate") + text(first_header, "SeriesTime")),
        bed_count=len(set(known)),
        duration_s=max(durations) / 1000 if durations else None,
        dates_agree=len(dates) == 1,
        decay_correction=text(first_header, "DecayCorrection").upper(),
        corrected_image=corrected,
        attenuation_corrected="ATTN" in corrected or bool(text(first_header, "AttenuationCorrectionMethod")),
        time_zone=text(first_header, "TimezoneOffsetFromUTC"),
        manufacturer=text(first_header, "Manufacturer"),
        model=text(first_header, "ManufacturerModelName"),
        z_mm=(min(z), max(z)),
    )


def read_pet_series(
    series: Series,
    *,
    half_life_h: float,
    injection: datetime | None = None,
    net_mbq: float | None = None,
    weight_kg: float | None = None,
    progress: Progress | None = None,
) -> PetVolume:
    """Read a PET series.

    Parameters
    ----------
    half_life_h
        Of the nuclide: brings beds to one moment.
    injection
        By the scanner's clock; needed for images corrected to it and for SUV.
    net_mbq, weight_kg
        Activity at the injection and weight of the patient, needed for SUV only.
    progress
        Called with (slices done, slices in all).

    Raises
    ------
    DicomError
        If the values cannot be turned into activities, with the reason.
    ContradictionError
        See :func:`omnidose.dicom.pet_times.to_one_moment`.
    GeometryError
        If the slices form no even stack along a patient axis.
    """
    reason = why_not(series)
    if reason:
        raise DicomError(reason, where=series.description or "PET series")
    facts = read_pet_facts(series)
    frames = _frames(series)
    clocks = [_clock(f.header) for f in frames]
    correction = to_one_moment(
        clocks,
        half_life_h=half_life_h,
        decay_correction=facts.decay_correction,
        corrected_image=facts.corrected_image,
        series=facts.series,
        injection=injection,
    )
    scale, notes = _to_bqml(frames, facts, correction.reference, half_life_h, injection, net_mbq, weight_kg)
    array = read_values(frames, [s * f for s, f in zip(scale, correction.factors, strict=True)], progress)
    share = negative_fraction(array)
    if share > 0:
        np.maximum(array, 0, out=array)
        notes.append(f"Values below 0, {100 * share:.2g} % of the image, were set to 0.")
    volume = _volume(array, frames, series)
    return PetVolume(
        volume=volume,
        reference=correction.reference,
        facts=facts,
        negative_fraction=share,
        notes=(*correction.notes, *notes),
        assumed=correction.assumed,
        series_uid=series.series_uid,
    )


def read_pet_shape(series: Series, *, progress: Progress | None = None) -> Volume:
    """Read a PET series as it is, in its own unit at its own moments: enough to see a body in it.

    Returns
    -------
    Volume
        float32 along +L, +P, +S, values below 0 set to 0.

    Raises
    ------
    DicomError, GeometryError
        As :func:`read_pet_series`, as far as values do not matter.
    """
    frames = _frames(series)
    array = read_values(frames, [1.0] * len(frames), progress)
    return _volume(np.maximum(array, 0), frames, series)


def _volume(array: npt.NDArray[np.float32], frames: list[Frame], series: Series) -> Volume:
    return Volume(
        array=array,
        affine_lps_mm=even_affine(frames),
        frame_of_reference_uid=series.frame_of_reference_uid,
        source_uids=tuple(f.slice.source_uid for f in frames),
    ).to_lps()


def _clock(header: Any) -> SliceClock:
    moment = acquisition_time(header)
    assert moment is not None  # read_pet_facts refused the series otherwise
    duration = number(header, "ActualFrameDuration")
    return SliceClock(
        acquired=moment,
        duration_s=duration / 1000 if duration else None,
        decay_rel=number(header, "DecayFactor"),
    )


def _frames(series: Series) -> list[Frame]:
    return in_order([frame for instance in series.instances for frame in frames_of(instance)])


def _to_bqml(
    frames: list[Frame],
    facts: PetFacts,
    reference: datetime,
    half_life_h: float,
    injection: datetime | None,
    net_mbq: float | None,
    weight_kg: float | None,
) -> tuple[list[float], list[str]]:
    """Return what turns each slice's rescaled values into Bq/mL."""
    if facts.units == "BQML":
        return [1.0] * len(frames), []
    if facts.units == "CNTS":
        found = [_philips_bqml(f.header) for f in frames]
        if all(v is not None and v > 0 for v in found):
            return [float(v or 0.0) for v in found], [
                "Counts were turned into Bq/mL with the maker's factor (7053,1009)."
            ]
        raise DicomError(
            "the images are in counts, and no calibration tells their activity",
            where="Units (0054,1001) CNTS",
            allowed=", ".join(UNITS),
            todo="export the series in Bq/mL",
        )
    if facts.units == "GML":
        kind = text(frames[0].header, "SUVType").upper()
        if kind not in ("", "BW"):
            raise DicomError(f"the images are in SUV of the kind '{kind}'", where="SUVType", allowed="BW")
        if injection is None or not net_mbq or not weight_kg:
            raise DicomError(
                "the images are in SUV, which activity, time of injection and weight turn into activity, and "
                "one of them is unknown",
                where="Units (0054,1001) GML",
                todo="say --given injected_mbq=MBQ, --given injection_time=HH:MM and --weight-kg",
            )
        hours = (reference - injection).total_seconds() / 3600
        left_bq = 1e6 * net_mbq * math.exp(-math.log(2) * hours / half_life_h)
        return [left_bq / (1000 * weight_kg)] * len(frames), [
            f"SUV (body weight) were turned into Bq/mL with {net_mbq:g} MBq and {weight_kg:g} kg."
        ]
    raise DicomError(
        f"the unit of the images is '{facts.units}'" if facts.units else "the images have no unit",
        where="Units (0054,1001)",
        allowed=", ".join(UNITS),
        todo="export the series in Bq/mL",
    )


def _philips_bqml(header: Any) -> float | None:
    try:
        if str(header[0x7053, 0x0010].value).strip() != _PHILIPS:
            return None
        return float(header[_PHILIPS_BQML].value)
    except (KeyError, TypeError, ValueError):
        return None
