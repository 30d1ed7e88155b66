"""From a claim (images, what a person said) to the record of an administration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from omnidose.dicom.emission_slices import check_same_patient
from omnidose.dicom.headers import number, parse_datetime
from omnidose.dicom.pet_series import PetFacts, PetVolume, read_pet_facts, read_pet_series
from omnidose.dicom.pet_times import injection_moment
from omnidose.dicom.radiopharmaceutical import (
    Radiopharmaceutical,
    check_half_life,
    nuclides_near,
    read_radiopharmaceutical,
)
from omnidose.errors import ContradictionError, DicomError, InputError
from omnidose.kinetics.administration import Administration
from omnidose.modalities import Claim, ClaimKind
from omnidose.modalities.nuclear.claims import NAME, Payload, Reported
from omnidose.modalities.nuclear.exposure import DoseMethod, NuclearExam, PetScan, Unseen
from omnidose.modalities.nuclear.form import checked_values, given_moment, zone_of
from omnidose.provenance import Assumption

#: What a person says and what the data say may differ this much (relative).
AGREE_REL = 0.02
#: Times of injection that differ by more are worth a word, s.
DIFFERENT_CLOCKS_S = 120.0
#: Standard uncertainty of the activity in the syringe (dose calibrators: 5 % by most regulations; ours).
ASSAY_STD_REL = 0.05


def ingest(claim: Claim, given: Mapping[str, Any] | None = None) -> NuclearExam:
    """Return the record of an exposure claim; the images are read.

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
    if not claim.estimable or not isinstance(payload, Payload):
        raise InputError(f"this exposure cannot be estimated: {claim.reason or 'it has no images'}")
    values = checked_values(given or {})
    notes = _Notes(values)
    check_same_patient((payload.pet, *payload.others))
    facts = read_pet_facts(payload.pet)
    if not facts.attenuation_corrected:
        notes.warnings.append("The images do not say that they are corrected for attenuation.")
    if "SCAT" not in facts.corrected_image:
        notes.warnings.append("The images do not say that they are corrected for scatter.")
    rp = _with_report(_radiopharmaceutical(payload, values, notes), payload.reported, notes)
    nuclide, half_life_h = _nuclide(rp, values, notes)
    injection = _injection(rp, facts, half_life_h, values, notes)
    activity_mbq = _activity(rp, values, notes)
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
        entered=tuple(sorted(notes.entered)),
        manufacturer=facts.manufacturer,
        model=facts.model,
        series_uid=payload.pet.series_uid,
        assumptions=tuple(notes.assumptions),
        warnings=tuple(notes.warnings),
        activity=volume,
    )


@dataclass(slots=True)
class _Notes:
    values: Mapping[str, Any]
    assumptions: list[Assumption]
    warnings: list[str]
    entered: set[str]

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values, self.assumptions, self.warnings, self.entered = values, [], [], set()

    def assume(self, key: str, text: str, effect: str = "") -> None:
        self.assumptions.append(Assumption(key=f"nuclear.{key}", text=text, effect=effect))

    def enter(self, key: str, words: str) -> None:
        self.entered.add(key)
        self.assume(key, f"{words}: entered by a person, not in the data")


def _radiopharmaceutical(payload: Payload, values: Mapping[str, Any], notes: _Notes) -> Radiopharmaceutical:
    try:
        return read_radiopharmaceutical(payload.pet.header, sop_class=payload.pet.sop_class)
    except DicomError as error:
        # An impossible activity does not matter if a person says the true one.
        if "injected_mbq" not in values or "RadionuclideTotalDose" not in error.where:
            raise
        from copy import deepcopy

        header = deepcopy(payload.pet.header)
        del header.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose
        notes.warnings.append("The activity in the headers is impossible in its unit and was not used.")
        return read_radiopharmaceutical(header, sop_class=payload.pet.sop_class)


def _with_report(rp: Radiopharmaceutical, report: Reported | None, notes: _Notes) -> Radiopharmaceutical:
    """Fill what the images do not say from the study's dose report; the images win, differences are said."""
    if report is None:
        return rp
    if rp.total_mbq is None and report.total_mbq:
        rp = replace(rp, total_mbq=report.total_mbq)
        notes.assume("injected_mbq", f"{report.total_mbq:g} MBq: from the dose report of the study")
    elif rp.total_mbq and report.total_mbq and _differ(rp.total_mbq, report.total_mbq):
        notes.warnings.append(
            f"Images and dose report say {rp.total_mbq:g} and {report.total_mbq:g} MBq: the images count."
        )
    if not rp.start and len(report.start) >= 12:
        rp = replace(rp, start=report.start, has_date=True)
        notes.assume("injection_time", "time of injection: from the dose report of the study")
    elif rp.has_date and len(report.start) >= 12:
        ours, theirs = parse_datetime(rp.start), parse_datetime(report.start)
        if ours and theirs and abs((ours - theirs).total_seconds()) > DIFFERENT_CLOCKS_S:
            notes.warnings.append(
                f"Images and dose report say that the injection was at {ours:%H:%M} and {theirs:%H:%M}: the "
                "images count."
            )
    return rp if rp.agent else replace(rp, agent=report.agent)


def _nuclide(rp: Radiopharmaceutical, values: Mapping[str, Any], notes: _Notes) -> tuple[str, float]:
    from omnidose.physics.nuclides import nuclide as of_library

    name = rp.nuclide
    if "nuclide" in values:
        said = of_library(values["nuclide"]).name
        if name and said != name:
            raise ContradictionError(
                f"{said} was said, but the data name {name}", where="RadionuclideCodeSequence (0054,0300)"
            )
        if not name:
            check_half_life(said, rp.half_life_h and rp.half_life_h * 3600, where="RadionuclideHalfLife")
            notes.enter("nuclide", f"radionuclide {said}")
        name = said
    if not name:
        near = nuclides_near(rp.half_life_h * 3600, rp.positron_fraction) if rp.half_life_h else ()
        hint = f"; the half-life would fit {', '.join(near)}" if near else ""
        raise DicomError(
            f"nothing tells which radionuclide was given{hint}",
            where="RadionuclideCodeSequence (0054,0300), RadionuclideHalfLife (0018,1075)",
            todo="say it with --given nuclide=NAME, for example nuclide=F-18",
        )
    if name == rp.nuclide:
        for sentence in rp.notes:
            notes.assume("nuclide", sentence)
    return name, of_library(name).half_life_h


def _injection(
    rp: Radiopharmaceutical, facts: PetFacts, half_life_h: float, values: Mapping[str, Any], notes: _Notes
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


def _activity(rp: Radiopharmaceutical, values: Mapping[str, Any], notes: _Notes) -> float:
    said = values.get("injected_mbq")
    if rp.total_mbq is None and said is None:
        raise DicomError(
            "nothing tells how much activity was given",
            where="RadionuclideTotalDose (0018,1074)",
            todo="say it with --given injected_mbq=MBQ",
        )
    if said is None:
        return float(rp.total_mbq or 0.0)
    if rp.total_mbq is None:
        notes.enter("injected_mbq", f"{said:g} MBq")
    elif _differ(rp.total_mbq, said):
        raise ContradictionError(
            f"{said:g} MBq were said, but the data give {rp.total_mbq:g} MBq",
            where="RadionuclideTotalDose (0018,1074)",
            allowed=f"within {100 * AGREE_REL:g} %",
        )
    return float(said)


def _differ(found_mbq: float, other_mbq: float) -> bool:
    return abs(other_mbq - found_mbq) > AGREE_REL * found_mbq


def _scan(facts: PetFacts, image: PetVolume, zone: Any) -> PetScan:
    return PetScan(
        first=facts.first.replace(tzinfo=zone),
        last=facts.last.replace(tzinfo=zone),
        reference=image.reference.replace(tzinfo=zone),
        duration_s=facts.duration_s or 0.0,
        bed_count=facts.bed_count,
        z_mm=facts.z_mm,
    )
