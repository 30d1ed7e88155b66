"""A reconstructed SPECT (NM image, RECON TOMO) -> :class:`NmVolume` along +L, +P, +S in its own unit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from omnidose.dicom.ct_frames import Frame
from omnidose.dicom.emission_slices import (
    Progress,
    check_one_patient,
    even_affine,
    negative_fraction,
    read_values,
)
from omnidose.dicom.headers import acquisition_time, number, numbers, sequence, text
from omnidose.dicom.inventory import Series
from omnidose.dicom.nm_geometry import frame_count, nm_frames, z_range_mm
from omnidose.dicom.nm_times import Corrections, Rotations, read_corrections, read_rotations
from omnidose.dicom.nm_units import NmScale, NmUnit, read_scale
from omnidose.dicom.radiopharmaceutical import NM_IMAGE
from omnidose.errors import DicomError
from omnidose.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class NmFacts:
    """What the headers of a SPECT say, before any pixel is read.

    Attributes
    ----------
    unit_said_by
        Where the unit was read; empty if the object says none.
    start
        Begin of the acquisition by the camera's clock.
    rotations
        None if the object does not say how long it lasted, or something impossible (``rotations_fault``).
    heads
        Heads of the camera, if the object tells them against the rule (two detectors); else None.
    counts_accumulated
        Sum of all events, over all heads; None if absent or 0.
    dates_agree
        Whether study, series and acquisition have one date.
    """

    unit: NmUnit
    unit_said_by: str
    start: datetime
    rotations: Rotations | None
    corrections: Corrections
    rotations_fault: DicomError | None = None
    heads: int | None = None
    counts_accumulated: int | None = None
    dates_agree: bool = True
    time_zone: str = ""
    manufacturer: str = ""
    model: str = ""
    device_serial: str = ""
    z_mm: tuple[float, float] = (0.0, 0.0)
    slice_count: int = 0

    @property
    def camera(self) -> str:
        """Maker, model and serial number: the same for all scans with one camera."""
        return " ".join(w for w in (self.manufacturer, self.model, self.device_serial) if w)


@dataclass(frozen=True, slots=True, kw_only=True)
class NmVolume:
    """A SPECT as its object states it.

    Attributes
    ----------
    volume
        float32 [z, y, x] in ``facts.unit`` (counts and counts per second: per voxel), never below 0; neither
        calibrated nor corrected for anything here.
    """

    volume: Volume
    facts: NmFacts
    notes: tuple[str, ...] = ()


def is_nm_image(series: Series) -> bool:
    """Return True for Nuclear Medicine images of any kind."""
    return series.sop_class == NM_IMAGE


def why_not(series: Series) -> str:
    """Return why a series of modality NM cannot give activities; empty if it may."""
    if not is_nm_image(series):
        return "no NM image"
    kinds = {word.upper().strip() for word in series.image_type}
    if kinds & {"RECON GATED TOMO", "GATED TOMO", "GATED"}:
        return "gated images: only those of the whole scan are read"
    if "TOMO" in kinds:
        return "projections of a SPECT: the reconstructed images are needed"
    if "RECON TOMO" not in kinds:
        return "a planar image has no third dimension: no dose is computed from it"
    if "TRANSMISSION" in kinds:
        return "a transmission image shows no activity"
    return ""


def read_nm_facts(series: Series) -> NmFacts:
    """Read what the headers of a reconstructed SPECT say.

    Raises
    ------
    DicomError
        If its unit is mixed or unusable, or nothing tells when it was acquired.
    ContradictionError
        If slices belong to different patients.
    GeometryError
        If the series is no single volume.
    """
    return _facts_and_frames(series)[0]


def read_nm_series(series: Series, *, progress: Progress | None = None) -> NmVolume:
    """Read a reconstructed SPECT.

    Parameters
    ----------
    progress
        Called with (slices done, slices in all).

    Raises
    ------
    DicomError
        If it is no reconstruction, or its values cannot be used, with the reason.
    ContradictionError, GeometryError
        As :func:`read_nm_facts`; and if the slices form no even stack along a patient axis.
    """
    reason = why_not(series)
    if reason:
        raise DicomError(reason, where=series.description or "NM series")
    facts, frames, scales = _facts_and_frames(series)
    array = read_values(frames, [1.0] * len(frames), progress)
    _check_limits(array, scales[0])
    notes = []
    share = negative_fraction(array)
    if share > 0:
        np.maximum(array, 0, out=array)
        notes.append(f"Values below 0, {100 * share:.2g} % of the image, were set to 0.")
    volume = Volume(
        array=array,
        affine_lps_mm=even_affine(frames),
        frame_of_reference_uid=series.frame_of_reference_uid,
        source_uids=tuple(dict.fromkeys(f.slice.source_uid for f in frames)),
    ).to_lps()
    return NmVolume(
        volume=volume,
        facts=facts,
        notes=tuple(notes),
    )


def _facts_and_frames(series: Series) -> tuple[NmFacts, list[Frame], list[NmScale]]:
    headers = [i.header for i in series.instances]
    check_one_patient(headers)
    scales = [read_scale(h) for h in headers]
    units = {scale.unit for scale in scales}
    if len(units) > 1:
        raise DicomError(
            f"the slices of one series have different units: {', '.join(sorted(units))}",
            where="Units (0054,1001), RealWorldValueMappingSequence (0040,9096)",
            allowed="one unit",
            todo="export the series again",
        )
    clocks = [clock for h in headers if (clock := acquisition_time(h)) is not None]
    if not clocks:
        raise DicomError(
            "the images do not say when they were acquired",
            where="AcquisitionDate (0008,0022), AcquisitionTime (0008,0032)",
            todo="export the series again",
        )
    frames = nm_frames(series, scales)
    header = headers[0]
    rotations, fault = None, None
    try:
        rotations = read_rotations(header)
    except DicomError as error:  # it may not matter, or a person knows better
        fault = error
    dates = {text(header, k) for k in ("StudyDate", "SeriesDate", "AcquisitionDate")} - {""}
    counts = number(header, "CountsAccumulated")
    facts = NmFacts(
        unit=scales[0].unit,
        unit_said_by=scales[0].said_by,
        start=min(clocks),
        rotations=rotations,
        rotations_fault=fault,
        corrections=read_corrections(header),
        heads=_heads(header),
        # per slice it would be the sum of one slice
        counts_accumulated=int(counts) if counts and counts > 0 and frame_count(header) > 1 else None,
        dates_agree=len(dates) == 1,
        time_zone=text(header, "TimezoneOffsetFromUTC"),
        manufacturer=text(header, "Manufacturer"),
        model=text(header, "ManufacturerModelName"),
        device_serial=text(header, "DeviceSerialNumber"),
        z_mm=z_range_mm(frames),
        slice_count=len(frames),
    )
    return facts, frames, scales


def _heads(header: object) -> int | None:
    """Return the number of detectors where a reconstruction names several, against C.8.4.8.1.3."""
    named = len(sequence(header, "DetectorInformationSequence"))
    said = numbers(header, "NumberOfDetectors")
    most = max(named, int(said[0]) if said else 0)
    return most if most > 1 else None


def _check_limits(array: np.ndarray, scale: NmScale) -> None:
    """Refuse values outside the range for which a mapping holds (C.7.6.16.2.11.1.2)."""
    if scale.limits is None:
        return
    low, high = (scale.slope * v + scale.intercept for v in scale.limits)
    slack = 1e-4 * abs(high - low) + abs(scale.slope)
    if float(array.max()) > high + slack or float(array.min()) < low - slack:
        raise DicomError(
            f"values from {float(array.min()):g} to {float(array.max()):g} lie outside the range of their "
            f"mapping to {scale.unit.value}",
            where="RealWorldValueFirstValueMapped (0040,9216), RealWorldValueLastValueMapped (0040,9211)",
            allowed=f"{low:g} to {high:g}",
            todo="export the series again",
        )
