"""From a claim (images, what a person said) to the record of an administration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from omnidose.dicom.emission_slices import check_same_patient
from omnidose.dicom.headers import number
from omnidose.dicom.pet_series import PetFacts, PetVolume, read_pet_facts, read_pet_series
from omnidose.dicom.pet_times import injection_moment
from omnidose.dicom.radiopharmaceutical import Radiopharmaceutical
from omnidose.errors import InputError
from omnidose.kinetics.administration import Administration
from omnidose.modalities import Claim, ClaimKind
from omnidose.modalities.nuclear.claims import NAME, Payload, SeriesPayload
from omnidose.modalities.nuclear.exposure import DoseMethod, NuclearExam, PetScan, Unseen
from omnidose.modalities.nuclear.form import (
    SERIES_KEYS,
    checked_values,
    given_moment,
    refuse_foreign,
    zone_of,
)
from omnidose.modalities.nuclear.ingest_series import ingest_series
from omnidose.modalities.nuclear.ingest_values import (
    ASSAY_STD_REL,
    Notes,
    activity_of,
    nuclide_of,
    radiopharmaceutical_of,
    with_report,
)
from omnidose.modalities.nuclear.series.exam import SeriesExam


def ingest(claim: Claim, given: Mapping[str, Any] | None = None) -> NuclearExam | SeriesExam:
    """Return the record of an exposure claim; the images are read.

    One PET gives a :class:`.NuclearExam`; a SPECT, or scans at several times, a :class:`.SeriesExam`.

    Parameters
    ----------
    given
        What a person said (:data:`omnidose.modalities.nuclear.form.FIELDS`). It fills what the data do not
        say; against the data it is an error.

    Raises
    ------
    InputError
        If the claim cannot be estimated, or something is missing that nobody said; the message names it.
    ContradictionError
        If data, or data and person, contradict each other.
    """
    payload = claim.payload
    if claim.modality != NAME or claim.kind is not ClaimKind.EXPOSURE:
        raise InputError(
            "this is no administration of a radiopharmaceutical", allowed=f"an exposure claim of '{NAME}'"
        )
    if not claim.estimable or not isinstance(payload, Payload | SeriesPayload):
        raise InputError(f"this exposure cannot be estimated: {claim.reason or 'it has no images'}")
    values = checked_values(given or {})
    if isinstance(payload, SeriesPayload):
        return ingest_series(claim.key, payload, values)
    return _one_pet(claim, payload, values)


def _one_pet(claim: Claim, payload: Payload, values: Mapping[str, Any]) -> NuclearExam:
    refuse_foreign(values, SERIES_KEYS, "one PET scan in Bq/mL")
    notes = Notes()
    check_same_patient((payload.pet, *payload.others))
    facts = read_pet_facts(payload.pet)
    if not facts.attenuation_corrected:
        notes.warnings.append("The images do not say that they are corrected for attenuation.")
    if "SCAT" not in facts.corrected_image:
        notes.warnings.append("The images do not say that they are corrected for scatter.")
    rp = with_report(radiopharmaceutical_of(payload.pet, values, notes), payload.reported, notes)
    nuclide, half_life_h = nuclide_of(rp, values, notes)
    injection = _injection(rp, facts, half_life_h, values, notes)
    activity_mbq = activity_of(rp, values, notes)
    residual = float(values.get("residual_mbq", 0.0))
    image = read_pet_series(
        payload.pet,
        half_life_h=half_life_h,
        injection=injection,
        net_mbq=activity_mbq - residual,
        weight_kg=values.get("weight_kg") or number(payload.pet.header, "PatientWeight"),
    )
    notes.warnings += image.notes
    for sentence in (*payload.assumed, *image.assumed):
        notes.assume("images", sentence)
    zone, known = zone_of(facts.time_zone, str(values.get("time_zone", "")))
    if not known and injection.date() != facts.first.date():
        notes.warnings.append(
            "The time zone is unknown and the injection was on another day than the scan: if clocks were "
            "changed between them, the times are wrong by one hour (say --given time_zone=ZONE)."
        )
    if "image_fwhm_mm" in values:
        notes.enter("image_fwhm_mm", f"images blurred by {values['image_fwhm_mm']:g} mm (FWHM)")
    volume = replace(
        image.volume,
        array=np.asarray(image.volume.array * np.float32(image.volume.grid.voxel_volume_cm3 * 1e-6)),
    )
    return NuclearExam(
        key=claim.key,
        nuclide=nuclide,
        half_life_h=half_life_h,
        agent=rp.agent,
        administration=Administration(
            nuclide=nuclide,
            half_life_h=half_life_h,
            assay_mbq=activity_mbq,
            assay_time=injection.replace(tzinfo=zone),
            injection_time=injection.replace(tzinfo=zone),
            residual_mbq=residual,
            residual_time=injection.replace(tzinfo=zone) if residual else None,
            assay_std_rel=ASSAY_STD_REL,
        ),
        scan=_scan(facts, image, zone),
        seen_mbq=float(volume.array.sum(dtype=np.float64)),
        effective_half_life_h=values.get("effective_half_life_h"),
        unseen=Unseen(values.get("unseen", Unseen.TISSUE)),
        method=DoseMethod(values["method"]) if "method" in values else None,
        has_ct=payload.has_ct,
        image_fwhm_mm=values.get("image_fwhm_mm"),
        entered=tuple(sorted(notes.entered)),
        manufacturer=facts.manufacturer,
        model=facts.model,
        series_uid=payload.pet.series_uid,
        assumptions=tuple(notes.assumptions),
        warnings=tuple(notes.warnings),
        activity=volume,
    )


def _injection(
    rp: Radiopharmaceutical, facts: PetFacts, half_life_h: float, values: Mapping[str, Any], notes: Notes
) -> datetime:
    if "injection_time" in values:
        moment = given_moment(values["injection_time"], scan=facts.first)
        found, _assumed = injection_moment(
            f"{moment:%Y%m%d%H%M%S}",
            has_date=True,
            scan=facts.first,
            half_life_h=half_life_h,
            dates_agree=False,
        )
        notes.enter("injection_time", f"injection at {found:%H:%M}")
        return found
    moment, assumed = injection_moment(
        rp.start,
        has_date=rp.has_date,
        scan=facts.first,
        half_life_h=half_life_h,
        dates_agree=facts.dates_agree,
    )
    for sentence in assumed:
        notes.assume("injection_time", sentence)
        notes.warnings.append(sentence[0].upper() + sentence[1:] + ".")
    return moment


def _scan(facts: PetFacts, image: PetVolume, zone: Any) -> PetScan:
    return PetScan(
        first=facts.first.replace(tzinfo=zone),
        last=facts.last.replace(tzinfo=zone),
        reference=image.reference.replace(tzinfo=zone),
        duration_s=facts.duration_s or 0.0,
        bed_count=facts.bed_count,
        z_mm=facts.z_mm,
    )
