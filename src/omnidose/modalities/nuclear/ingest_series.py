"""From the scans of one administration (SPECT, PET, their CTs) to a :class:`SeriesExam`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from omnidose.dicom.ct_series import read_ct_series
from omnidose.dicom.emission_slices import check_same_patient
from omnidose.dicom.headers import number, parse_datetime
from omnidose.dicom.inventory import Series
from omnidose.dicom.nm_series import NmFacts, read_nm_series
from omnidose.dicom.nm_units import NmUnit
from omnidose.dicom.pet_series import PetFacts, read_pet_series
from omnidose.dicom.radiopharmaceutical import Radiopharmaceutical
from omnidose.dosimetry.internal_uncertainty import Calibration
from omnidose.errors import ContradictionError, DicomError
from omnidose.kinetics.administration import Administration, hours_between
from omnidose.modalities.nuclear.claims import PointPayload, SeriesPayload, z_range
from omnidose.modalities.nuclear.exposure import DoseMethod
from omnidose.modalities.nuclear.form import Purpose, refuse_foreign
from omnidose.modalities.nuclear.ingest_choices import check_beds, check_equals, check_units, say_choices
from omnidose.modalities.nuclear.ingest_spect import activity_of_spect, say_start, state_of
from omnidose.modalities.nuclear.ingest_times import Clock, clocks_of, injection_of
from omnidose.modalities.nuclear.ingest_values import (
    ASSAY_STD_REL,
    Notes,
    activity_of,
    differ,
    nuclide_of,
    radiopharmaceutical_of,
    with_report,
)
from omnidose.modalities.nuclear.scans import SAME_MOMENT_S
from omnidose.modalities.nuclear.series.exam import OnePoint, SeriesExam, TimePoint
from omnidose.volume import Volume

#: Standard uncertainty of a camera's calibration where nobody says one (5 %; EANM accepts up to 10 %).
CALIBRATION_STD_REL = 0.05
#: CTs that only serve registration are read with voxels up to this size.
REGISTRATION_MM = 2.0
#: Activity of the reference scan outside its CT that is worth a word, as a share of all.
OUTSIDE_CT_SHARE = 0.02
#: Given to treat whatever the amount; I-131 from this activity on.
THERAPY_NUCLIDES = frozenset(
    {
        *("Lu-177", "Y-90", "Tb-161", "Cu-67", "Ho-166", "Re-186", "Re-188", "Sm-153", "Sr-89", "P-32"),
        *("Ra-223", "Ac-225", "Bi-213", "At-211", "Pb-212", "Th-227"),
    }
)
IODINE_THERAPY_MBQ = 200.0


def ingest_series(key: str, payload: SeriesPayload, values: Mapping[str, Any]) -> SeriesExam:
    """Return the record of a time series, or of one SPECT; the images are read.

    Parameters
    ----------
    key
        Of the claim.
    values
        Checked answers (:func:`omnidose.modalities.nuclear.form.checked_values`).

    Raises
    ------
    DicomError
        If something is missing that nobody said, or images cannot be used; the message names it.
    ContradictionError
        If data, or data and person, contradict each other.
    """
    refuse_foreign(values, ("unseen",), "a SPECT or a time series")
    notes = Notes()
    points = payload.points
    for point in points:
        if point.scan.used.fault is not None:
            raise point.scan.used.fault
    series = [p.scan.used.series for p in points]
    check_same_patient(series)
    facts: list[NmFacts | PetFacts] = [f for p in points if (f := p.scan.used.facts) is not None]
    reference = _reference(payload, facts)
    check_beds(points)
    check_equals(points)
    say_choices(points, notes)
    check_units(facts)
    given = _given(series, payload, values, notes)
    pet = all(s.modality == "PT" for s in series)
    nuclide, half_life_h = nuclide_of(given, values, notes, pet=pet)
    clocks = clocks_of(facts, str(values.get("time_zone", "")))
    injection = injection_of(given, clocks, half_life_h, values, notes)
    activity_mbq = activity_of(given, values, notes)
    residual = float(values.get("residual_mbq", 0.0))
    administration = Administration(
        nuclide=nuclide,
        half_life_h=half_life_h,
        assay_mbq=activity_mbq,
        assay_time=injection,
        injection_time=injection,
        residual_mbq=residual,
        residual_time=injection if residual else None,
        assay_std_rel=ASSAY_STD_REL,
    )
    calibration = _calibration(facts, values, notes)
    found = tuple(
        _point(
            point,
            fact,
            clock,
            administration,
            calibration,
            values,
            notes,
            with_ct=position != reference,
        )
        for position, (point, fact, clock) in enumerate(zip(points, facts, clocks, strict=True))
    )
    _say_outside(found[reference], points[reference], notes)
    order = sorted(range(len(found)), key=lambda n: found[n].start)  # clocks may have changed
    return SeriesExam(
        key=key,
        nuclide=nuclide,
        half_life_h=half_life_h,
        agent=given.agent,
        administration=administration,
        points=tuple(found[n] for n in order),
        reference=order.index(reference),
        calibration=calibration,
        image_fwhm_mm=_said_blur(values, notes),
        method=DoseMethod(values["method"]) if "method" in values else None,
        effective_half_life_h=values.get("effective_half_life_h"),
        one_point=OnePoint(values.get("one_point", OnePoint.PHYSICAL)),
        therapy=_is_therapy(nuclide, activity_mbq, values, notes),
        entered=tuple(sorted(notes.entered)),
        manufacturer=facts[reference].manufacturer,
        model=facts[reference].model,
        assumptions=tuple(notes.assumptions),
        warnings=tuple(dict.fromkeys(notes.warnings)),
    )


def _reference(payload: SeriesPayload, facts: list[NmFacts | PetFacts]) -> int:
    if payload.reference is not None:
        return payload.reference
    count = len(payload.points)
    raise DicomError(
        f"no CT shows the anatomy of {'the scan' if count == 1 else f'any of the {count} scans'} (in its "
        "frame of reference, over at least half of its length)",
        where="FrameOfReferenceUID (0020,0052), SpacingBetweenSlices (0018,0088): its sign turns a SPECT "
        "upside down",
        allowed="SPECT/CT or PET/CT",
        todo="add the CT that was taken with it",
    )


def _given(
    series: list[Series], payload: SeriesPayload, values: Mapping[str, Any], notes: Notes
) -> Radiopharmaceutical:
    """Return what all time points together say was given."""
    items = [radiopharmaceutical_of(s, values, notes) for s in series]
    nuclides = dict.fromkeys(i.nuclide for i in items if i.nuclide)
    if len(nuclides) > 1:
        raise ContradictionError(
            f"the time points of one administration show {len(nuclides)} radionuclides: "
            f"{', '.join(nuclides)}",
            where="RadionuclideCodeSequence (0054,0300)",
            todo="give the images of one radionuclide",
        )
    amounts = [i.total_mbq for i in items if i.total_mbq]
    if amounts and "injected_mbq" not in values and differ(min(amounts), max(amounts)):
        raise ContradictionError(
            f"the time points give different activities: {', '.join(f'{a:g}' for a in amounts)} MBq",
            where="RadionuclideTotalDose (0018,1074)",
            allowed="one activity",
            todo="say it with --given injected_mbq=MBQ",
        )
    _check_moments(series, items)
    first = items[0]
    said = values.get("injected_mbq")
    agreeing = [a for a in amounts if said is not None and not differ(a, said)]
    total_mbq = next(iter((*agreeing, *amounts)), None)
    merged = replace(
        first,
        nuclide=next(iter(nuclides), ""),
        agent=next((i.agent for i in items if i.agent), ""),
        total_mbq=total_mbq,
        half_life_h=next((i.half_life_h for i in items if i.half_life_h), None),
        notes=next((i.notes for i in items if i.nuclide), ()),
    )
    timed = next((i for i in items if i.has_date), next((i for i in items if i.start), first))
    merged = replace(merged, start=timed.start, has_date=timed.has_date)
    return with_report(merged, payload.reported, notes)


def _check_moments(series: list[Series], items: list[Radiopharmaceutical]) -> None:
    """Refuse time points that give different moments of one injection; a changed clock is none."""
    found = [parse_datetime(i.start) for i in items if i.has_date]
    moments = [m for m in found if m is not None]
    spread_s = (max(moments) - min(moments)).total_seconds() if moments else 0.0
    if spread_s > SAME_MOMENT_S and abs(spread_s - 3600) > SAME_MOMENT_S:
        raise ContradictionError(
            f"the {len(series)} time points give moments of injection that lie {spread_s / 3600:.1f} h apart",
            where="RadiopharmaceuticalStartDateTime (0018,1078)",
            allowed=f"within {SAME_MOMENT_S / 60:g} minutes",
            todo="export the original series again",
        )


def _calibration(facts: list[NmFacts | PetFacts], values: Mapping[str, Any], notes: Notes) -> Calibration:
    """Return the calibration that all images share; its factor is 1 where images are in Bq/mL."""
    spect = [f for f in facts if isinstance(f, NmFacts)]
    counts = [f for f in spect if f.unit is not NmUnit.CONCENTRATION]
    said = values.get("calibration_cps_per_mbq")
    if said is not None and not counts:
        raise ContradictionError(
            "a calibration was said, but the images are in Bq/mL already",
            where="calibration_cps_per_mbq; Units (0054,1001), RealWorldValueMappingSequence (0040,9096)",
            todo="leave calibration_cps_per_mbq out",
        )
    if said is None and counts:
        raise DicomError(
            "the SPECT is in counts, and no header tells how many counts per second are one MBq",
            where="Units (0054,1001), RealWorldValueMappingSequence (0040,9096)",
            allowed="counts with a calibration, or Bq/mL",
            todo="say it with --given calibration_cps_per_mbq=NUMBER",
        )
    if said is not None:
        notes.enter("calibration_cps_per_mbq", f"{said:g} counts per s and MBq")
    cameras = list(dict.fromkeys(f.camera for f in spect if f.camera))
    if len(cameras) > 1:
        notes.warnings.append(
            f"The scans were made with {len(cameras)} cameras; one calibration and its uncertainty are used "
            "for all."
        )
    std = values.get("calibration_std_rel")
    if std is None:
        notes.assume(
            "calibration_std_rel",
            f"the calibration of the camera is taken to be known to {100 * CALIBRATION_STD_REL:g} % (one "
            "standard deviation)",
        )
    else:
        notes.enter("calibration_std_rel", f"calibration known to {100 * std:g} %")
    pet = [f for f in facts if isinstance(f, PetFacts)]
    name = cameras[0] if cameras else f"{pet[0].manufacturer} {pet[0].model}".strip() if pet else ""
    return Calibration(
        cps_per_mbq=said if said is not None else 1.0,
        std_rel=CALIBRATION_STD_REL if std is None else std,
        camera=name or "camera",
    )


def _point(
    point: PointPayload,
    facts: NmFacts | PetFacts,
    clock: Clock,
    administration: Administration,
    calibration: Calibration,
    values: Mapping[str, Any],
    notes: Notes,
    *,
    with_ct: bool,
) -> TimePoint:
    series = point.scan.used.series
    half_life_h = administration.half_life_h
    hours = hours_between(administration.injection_time, clock.start)
    if isinstance(facts, NmFacts):
        state = state_of(facts, values, notes)
        say_start(facts, state.duration_s, half_life_h, notes)
        image = read_nm_series(series)
        said, scan_s = list(image.notes), state.duration_s
        activity = activity_of_spect(
            image, state, calibration, half_life_h=half_life_h, hours_after_injection_h=hours
        )
    else:
        activity, said = _pet_activity(series, facts, clock, administration, values, notes)
        scan_s = (facts.last - facts.first).total_seconds() + (facts.duration_s or 0.0)
    ct: Volume | None = None
    if with_ct and point.ct is not None:
        ct = read_ct_series(point.ct, target_spacing_mm=REGISTRATION_MM).volume
    notes.warnings += [f"Scan {hours:.3g} h after the injection: {s[0].lower()}{s[1:]}" for s in said]
    return TimePoint(
        start=clock.start,
        duration_s=scan_s,
        activity=activity,
        ct_hu=ct,
        frame_of_reference_uid=series.frame_of_reference_uid,
        modality=series.modality,
        series_uid=series.series_uid,
        notes=tuple(said),
    )


def _pet_activity(
    series: Series,
    facts: PetFacts,
    clock: Clock,
    administration: Administration,
    values: Mapping[str, Any],
    notes: Notes,
) -> tuple[Volume, list[str]]:
    """Return MBq per voxel at the begin of the first bed."""
    injection = administration.injection_time.astimezone(clock.zone).replace(tzinfo=None)
    image = read_pet_series(
        series,
        half_life_h=administration.half_life_h,
        injection=injection,
        net_mbq=administration.net_mbq,
        weight_kg=values.get("weight_kg") or number(series.header, "PatientWeight"),
    )
    for sentence in image.assumed:
        notes.assume("images", sentence)
    if not facts.attenuation_corrected:
        notes.warnings.append("The PET does not say that it is corrected for attenuation.")
    hours = (facts.first - image.reference).total_seconds() / 3600
    factor = 1e-6 * image.volume.grid.voxel_volume_cm3
    factor *= math.exp(-math.log(2) * hours / administration.half_life_h)
    array = np.asarray(image.volume.array * np.float32(factor), dtype=np.float32)
    return replace(image.volume, array=array), list(image.notes)


def _say_outside(point: TimePoint, payload: PointPayload, notes: Notes) -> None:
    """Say how much of the reference scan's activity lies beyond its CT along the body."""
    z = None if payload.ct is None else z_range(payload.ct)
    if z is None:
        return
    grid = point.activity.grid
    planes = grid.axis_mm(2)
    half = 0.5 * grid.spacing_mm[2]
    beyond = (planes < z[0] - half) | (planes > z[1] + half)
    share = float(point.activity.array[beyond].sum(dtype=np.float64)) / point.seen_mbq
    if share > OUTSIDE_CT_SHARE:
        notes.warnings.append(
            f"{100 * share:.0f} % of the activity in the images of the reference scan lies beyond its CT."
        )


def _said_blur(values: Mapping[str, Any], notes: Notes) -> float | None:
    said = values.get("image_fwhm_mm")
    if said is not None:
        notes.enter("image_fwhm_mm", f"images blurred by {said:g} mm (FWHM)")
    return said


def _is_therapy(nuclide: str, activity_mbq: float, values: Mapping[str, Any], notes: Notes) -> bool:
    if "purpose" in values:
        notes.enter("purpose", f"given for {values['purpose']}")
        return bool(values["purpose"] == Purpose.THERAPY)
    found = nuclide in THERAPY_NUCLIDES or (nuclide == "I-131" and activity_mbq >= IODINE_THERAPY_MBQ)
    notes.assume(
        "purpose",
        f"{activity_mbq:.4g} MBq of {nuclide} are taken to be given for "
        f"{'therapy' if found else 'diagnosis'}: no image says it",
    )
    return found
