"""What is used of several series of one time point, and what cannot be chosen."""

from __future__ import annotations

import numpy as np

from omnidose.dicom.nm_geometry import describe
from omnidose.dicom.nm_series import NmFacts, read_nm_series
from omnidose.dicom.nm_units import NmUnit
from omnidose.dicom.pet_series import PetFacts
from omnidose.errors import ContradictionError, DicomError
from omnidose.modalities.nuclear.claims import PointPayload
from omnidose.modalities.nuclear.ingest_values import Notes

#: Sums of reconstructions of one scan may differ this much (relative).
SAME_SUM_REL = 0.05


def check_beds(points: tuple[PointPayload, ...]) -> None:
    """Refuse beds that nobody joined.

    Raises
    ------
    DicomError
        If SPECT of one time point show different parts of the body.
    """
    for place, point in enumerate(points, start=1):
        if point.scan.apart:
            names = ", ".join(describe(s.series) for s in (point.scan.used, *point.scan.apart))
            raise DicomError(
                f"time point {place} has {1 + len(point.scan.apart)} SPECT series of different parts of the "
                f"body, which nobody joined: {names}",
                where="ImagePositionPatient (0020,0032)",
                allowed="one volume per time point",
                todo="give the joined volume, or one of them",
            )


def say_choices(points: tuple[PointPayload, ...], notes: Notes) -> None:
    """Say which of several reconstructions is used."""
    for place, point in enumerate(points, start=1):
        if point.scan.others:
            notes.assume(
                "images",
                f"time point {place} has {1 + len(point.scan.others)} reconstructions: "
                f"{describe(point.scan.used.series)} is used",
            )


def check_equals(points: tuple[PointPayload, ...]) -> None:
    """Refuse reconstructions that headers cannot tell apart and that show different activities.

    One of them may be a map of attenuation, or of another energy window.

    Raises
    ------
    DicomError
        Naming them.
    """
    for place, point in enumerate(points, start=1):
        if point.scan.used.modality != "NM" or not point.scan.equal:
            continue
        series = [s.series for s in (point.scan.used, *point.scan.equal)]
        sums = [float(read_nm_series(s).volume.array.sum(dtype=np.float64)) for s in series]
        if max(sums) > (1 + SAME_SUM_REL) * min(sums):
            names = ", ".join(describe(s) for s in series)
            raise DicomError(
                f"time point {place} has {len(series)} reconstructions that their headers do not tell apart, "
                f"and that hold different amounts: {names}",
                where="CorrectedImage (0028,0051), SeriesDescription (0008,103E)",
                allowed=f"sums within {100 * SAME_SUM_REL:g} %",
                todo="give one of them",
            )


def check_units(facts: list[NmFacts | PetFacts]) -> None:
    """Refuse SPECT of which some are calibrated and some are not.

    Raises
    ------
    ContradictionError
        Naming the unit of every time point.
    """
    units = {n: f.unit for n, f in enumerate(facts, start=1) if isinstance(f, NmFacts)}
    if NmUnit.CONCENTRATION in units.values() and len(set(units.values())) > 1:
        listed = ", ".join(f"time point {n} in {unit.value}" for n, unit in units.items())
        raise ContradictionError(
            f"the time points have different units: {listed}",
            where="Units (0054,1001), RealWorldValueMappingSequence (0040,9096)",
            allowed="all in Bq/mL, or all in counts",
            todo="export all time points in one unit",
        )
