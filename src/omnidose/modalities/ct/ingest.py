"""From a claim (images, dose report, what a person said) to the record of a CT scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from omnidose.dicom.dose_report import IrradiationEvent
from omnidose.errors import ContradictionError, DicomError, InputError
from omnidose.modalities import Claim, ClaimKind
from omnidose.modalities.ct.claims import Payload
from omnidose.modalities.ct.exposure import CtScan, ScaleSource
from omnidose.modalities.ct.form import checked_values, focus_for
from omnidose.modalities.ct.geometry import (
    Notes,
    agree,
    collimation_of_claim,
    geometry_of_claim,
    scan_type_of_claim,
)
from omnidose.modalities.ct.images import ImageFacts
from omnidose.modalities.ct.quirks import Quirk, quirk_of
from omnidose.modalities.ct.scale import DISPLAY_STD_REL, TABLE_STD_REL, nctdiw_mgy_per_100mas

#: Header isocentres farther from the middle of the images than this are not believed.
_MAX_OFF_CENTRE_MM = 150.0


def ingest(claim: Claim, given: Mapping[str, Any] | None = None) -> CtScan:
    """Return the scan of an exposure claim.

    Parameters
    ----------
    given
        What a person said: ``kv``, ``ctdivol_mgy``, ``phantom_cm``, ``pitch``, ``collimation_mm``,
        ``scan_type``, ``bowtie``, ``repeats`` (keys and ranges: :data:`omnidose.modalities.ct.form.FIELDS`).

    Raises
    ------
    InputError
        If the claim cannot be estimated, with the reason.
    DicomError
        If the tube voltage is missing everywhere.
    ContradictionError
        If what a person said contradicts the data.
    """
    payload = claim.payload
    if claim.modality != "ct" or claim.kind is not ClaimKind.EXPOSURE or not isinstance(payload, Payload):
        raise InputError("this is no CT exposure", allowed="an exposure claim of the modality 'ct'")
    if not claim.estimable or payload.facts is None:
        raise InputError(f"this CT exposure cannot be estimated: {claim.reason or 'it has no images'}")
    values = checked_values(given or {})
    notes = Notes()
    for sentence in payload.assumed:
        notes.assume("images", sentence)
    facts, event = payload.facts, payload.event
    quirk = quirk_of(payload.manufacturer)
    if payload.borrowed:
        notes.assume("borrowed", "no images of its own: the anatomy of another phase is used")
    kv = _kv(payload, values, notes)
    scan_type = scan_type_of_claim(payload, values, notes)
    collimation = collimation_of_claim(payload, scan_type, values, quirk, notes)
    geometry = geometry_of_claim(payload, scan_type, collimation, values, notes)
    rotation_s = _rotation_s(payload, quirk, geometry.pitch)
    phantom = _phantom(facts, event, values, notes)
    scale = _scale(payload, kv, phantom, geometry.pitch, rotation_s, quirk, values, notes)
    focus = _focus_mm(facts, payload.manufacturer, notes)
    profile = _profile(payload, notes)
    return CtScan(
        key=claim.key,
        scan_type=scan_type,
        kv=kv,
        collimation_mm=collimation,
        pitch=geometry.pitch,
        rotation_z_mm=geometry.rotations_mm,
        z_start_mm=geometry.start_mm,
        z_end_mm=geometry.end_mm,
        step_mm=geometry.step_mm,
        repeats=int(values.get("repeats", payload.repeats)),
        current_z_mm=facts.z_mm if profile else (),
        current_rel=profile,
        mean_current_ma=_mean_current_ma(payload),
        rotation_s=rotation_s or 0.0,
        phantom_cm=phantom,
        ctdivol_mgy=scale.ctdivol_mgy,
        scale=scale.source,
        scale_std_rel=scale.std_rel,
        dlp_mgy_cm=event.dlp_mgy_cm if event else values.get("dlp_mgy_cm"),
        isocentre_mm=_isocentre_mm(facts, quirk, notes),
        focus_mm=focus,
        bowtie=values.get("bowtie") or _bowtie(facts, phantom),
        tin_mm=facts.tin_mm,
        tilt_deg=facts.tilt_deg,
        imaged_z_mm=facts.imaged_z_mm,
        manufacturer=payload.manufacturer,
        model=payload.model,
        event_uid=event.uid if event else (claim.key if claim.key in facts.event_uids else ""),
        series_uid=facts.series_uid,
        protocol=(event.protocol if event else "") or facts.protocol,
        assumptions=tuple(notes.assumptions),
        warnings=tuple(notes.warnings) + (tuple(f"Dose report: {n}." for n in event.notes) if event else ()),
    )


def _kv(payload: Payload, values: Mapping[str, Any], notes: Notes) -> float:
    facts, event = payload.facts, payload.event
    assert facts is not None
    reported = event.kvp_kv if event else None
    # Borrowed images belong to another irradiation: the dose report's voltage is this one's.
    found = (reported or facts.kv) if payload.borrowed else (facts.kv or reported)
    if found is None and "kv" not in values:
        raise DicomError(
            "the tube voltage is missing, and nothing can be computed without it",
            where="KVP (0018,0060)",
            allowed="60 to 150 kV",
            todo="give it with --kv",
        )
    if found is None:
        return float(values["kv"])
    if "kv" in values:
        agree("the tube voltage", values["kv"], found, "kV", "KVP (0018,0060)")
    if len(facts.kvs) > 1:
        listed = ", ".join(f"{kv:g}" for kv in facts.kvs)
        notes.warnings.append(f"The images name several tube voltages ({listed} kV); {found:g} kV is used.")
    return found


def _mean_current_ma(payload: Payload) -> float:
    event, facts = payload.event, payload.facts
    own = facts.mean_current_ma if facts is not None and not payload.borrowed else None
    return (event.mean_tube_current_ma if event else None) or own or 0.0


def _rotation_s(payload: Payload, quirk: Quirk, pitch: float) -> float | None:
    facts, event = payload.facts, payload.event
    assert facts is not None
    reported = event.rotation_time_s if event else None
    if payload.borrowed:
        return reported
    found = facts.rotation_s or reported
    if found:
        return found
    if facts.exposure_time_s is None:
        return None
    return facts.exposure_time_s * (pitch if quirk.time_is_effective and pitch else 1.0)


def _phantom(
    facts: ImageFacts, event: IrradiationEvent | None, values: Mapping[str, Any], notes: Notes
) -> int:
    reported = int(event.ctdi_phantom) if event and event.ctdi_phantom else None
    found = reported or facts.phantom_cm
    if found and values.get("phantom_cm", found) != found:
        agree(
            "the CTDI phantom", values["phantom_cm"], found, "cm", "CTDIPhantomTypeCodeSequence (0018,9346)"
        )
    if found:
        return found
    if "phantom_cm" in values:
        return int(values["phantom_cm"])
    guess = 16 if facts.is_head else 32
    notes.assume(
        "phantom",
        f"the data do not name the CTDI phantom: {guess} cm taken "
        f"({'a head scan' if facts.is_head else 'no head scan'})",
        "the other phantom would change absolute doses by a factor of about 2",
    )
    return guess


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    ctdivol_mgy: float | None = None
    source: ScaleSource = ScaleSource.NONE
    std_rel: float = 0.0


def _scale(
    payload: Payload,
    kv: float,
    phantom: int,
    pitch: float,
    rotation_s: float | None,
    quirk: Quirk,
    values: Mapping[str, Any],
    notes: Notes,
) -> _Scale:
    """Walk down the chain: dose report, image header, the user, the named scanner's table, nothing."""
    facts, event = payload.facts, payload.event
    assert facts is not None
    found: _Scale | None = None
    repeats = int(values.get("repeats", payload.repeats))
    if event is not None and event.ctdivol_mgy:
        found = _Scale(ctdivol_mgy=event.ctdivol_mgy, source=ScaleSource.DOSE_REPORT, std_rel=DISPLAY_STD_REL)
    elif facts.ctdivol_mgy and not payload.borrowed:
        std = DISPLAY_STD_REL
        if quirk.slice_ctdivol_of_max_current and facts.current_rel and facts.current_source != "CTDIvol":
            std = TABLE_STD_REL
            notes.warnings.append(
                "CTDIvol in the image headers may be that of the maximum tube current (older software of "
                "this maker), so that doses may be too high."
            )
        found = _Scale(ctdivol_mgy=facts.ctdivol_mgy * repeats, source=ScaleSource.IMAGE_HEADER, std_rel=std)
    if "ctdivol_mgy" in values:
        if found is not None and found.ctdivol_mgy is not None:
            agree("CTDIvol", values["ctdivol_mgy"], found.ctdivol_mgy, "mGy", found.source.value)
            return found
        return _Scale(ctdivol_mgy=values["ctdivol_mgy"], source=ScaleSource.USER, std_rel=DISPLAY_STD_REL)
    if found is not None:
        return found
    nctdiw = nctdiw_mgy_per_100mas(payload.manufacturer, payload.model, kv, phantom)
    mas = _effective_mas(facts, event, quirk, pitch, rotation_s)
    if nctdiw is not None and mas is not None:
        notes.assume(
            "scale",
            f"no CTDIvol in the data: {nctdiw:.2f} mGy per 100 mAs of this scanner's name in other reports, "
            f"times {mas:.0f} effective mAs",
            f"standard uncertainty {100 * TABLE_STD_REL:.0f} %",
        )
        return _Scale(
            ctdivol_mgy=nctdiw * mas / 100 * repeats, source=ScaleSource.SCANNER_TABLE, std_rel=TABLE_STD_REL
        )
    notes.warnings.append(
        "The data give no CTDIvol and this scanner is not in our table: all doses are relative, in mGy per "
        "mGy of CTDIvol. Give the CTDIvol with --ctdivol-mgy for absolute doses."
    )
    return _Scale()


def _effective_mas(
    facts: ImageFacts, event: IrradiationEvent | None, quirk: Quirk, pitch: float, rotation_s: float | None
) -> float | None:
    """Return mA x rotation time / pitch, dividing by the pitch exactly once."""
    current = (event.mean_tube_current_ma if event else None) or facts.mean_current_ma
    if current and rotation_s:
        return current * rotation_s / (pitch or 1.0)
    if facts.mean_exposure_mas:
        return facts.mean_exposure_mas / (1.0 if quirk.exposure_is_effective else pitch or 1.0)
    return None


def _focus_mm(facts: ImageFacts, manufacturer: str, notes: Notes) -> float:
    if facts.focus_mm:
        return facts.focus_mm
    focus, known = focus_for(manufacturer)
    why = "that of other scanners of this maker" if known else "generic"
    notes.assume(
        "focus",
        f"focus distance {focus:g} mm ({why}): the headers do not give it",
        "1 to 2 % near the surface",
    )
    return focus


def _isocentre_mm(facts: ImageFacts, quirk: Quirk, notes: Notes) -> tuple[float, float] | None:
    """Return the axis of rotation if the headers tell it believably; None leaves it to the body."""
    candidate = facts.data_centre_mm
    if candidate is None and quirk.isocentre_at_origin:
        candidate = (0.0, 0.0)
        notes.assume("isocentre", "this maker's image coordinates have the axis of rotation at x = y = 0")
    if candidate is None:
        return None
    off = np.subtract(candidate, facts.centre_mm)
    if float(np.hypot(*off)) > _MAX_OFF_CENTRE_MM:
        notes.warnings.append(
            f"The header's centre of rotation lies {float(np.hypot(*off)):.0f} mm from the middle of the "
            "images and is not used."
        )
        return None
    return candidate


def _bowtie(facts: ImageFacts, phantom: int) -> str:
    words = facts.filter_name
    if "HEAD" in words or "SMALL" in words:
        return "head"
    if "BODY" in words or "LARGE" in words:
        return "body"
    return "head" if phantom == 16 and facts.is_head else "body"


def _profile(payload: Payload, notes: Notes) -> tuple[float, ...]:
    facts = payload.facts
    assert facts is not None
    modulated = payload.event is not None and payload.event.modulation.upper() not in (
        "",
        "NONE",
        "FIXED",
        "OFF",
    )
    if payload.borrowed:
        if facts.current_rel:
            notes.assume("current", "constant tube current assumed for a scan without images of its own")
        return ()
    if not facts.current_rel and (modulated or not facts.current_source):
        notes.assume(
            "current",
            "the images do not give the tube current per slice: constant current assumed",
            "organ doses along the scan may shift by some 20 % where the current was modulated",
        )
    return facts.current_rel


def with_ctdivol(scan: CtScan, ctdivol_mgy: float) -> CtScan:
    """Return a relative scan made absolute by a CTDIvol that a person knows."""
    if scan.scale is not ScaleSource.NONE:
        raise ContradictionError("the scan has a CTDIvol already", where=scan.scale.value)
    return replace(scan, ctdivol_mgy=ctdivol_mgy, scale=ScaleSource.USER, scale_std_rel=DISPLAY_STD_REL)
