"""How tube and table moved: scan type, collimation, pitch, range and over-scan of a claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np

from omnidose.dicom.dose_report import AcquisitionType, IrradiationEvent
from omnidose.errors import ContradictionError
from omnidose.modalities.ct.claims import Payload, localizer_length_mm, z_range_of
from omnidose.modalities.ct.exposure import ScanType
from omnidose.modalities.ct.form import OVERSCAN_ROTATIONS, axial_positions_mm, overscan_assumption
from omnidose.modalities.ct.quirks import Quirk
from omnidose.provenance import Assumption

#: What a person says may differ this much from the header before it is a contradiction.
_SAME_REL = 0.02
#: Collimation and pitch of a helix about which nothing is known.
GENERIC_COLLIMATION_MM = 20.0
GENERIC_PITCH = 1.0
_EVENT_TYPES = {
    AcquisitionType.SPIRAL: ScanType.HELICAL,
    AcquisitionType.SEQUENCED: ScanType.AXIAL,
    AcquisitionType.STATIONARY: ScanType.VOLUME,
}


@dataclass(slots=True)
class Notes:
    """Assumptions and warnings collected on the way."""

    assumptions: list[Assumption] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def assume(self, key: str, text: str, effect: str = "") -> None:
        """Add an assumption ``ct.<key>``."""
        self.assumptions.append(Assumption(key=f"ct.{key}", text=text, effect=effect))


def agree(name: str, said: float, found: float, unit: str, where: str) -> None:
    """Refuse (``ContradictionError``) a stated value more than 2 % from the data's (both in ``unit``)."""
    if abs(said - found) > _SAME_REL * abs(found):
        raise ContradictionError(
            f"{name} was given as {said:g} {unit} but the data say {found:g} {unit}",
            where=where,
            allowed="one value",
            todo="leave the option out, or correct the data",
        )


def scan_type_of_claim(payload: Payload, values: Mapping[str, Any], notes: Notes) -> ScanType:
    """Return the scan type from the given values, the dose report, the images, or by rule (said so)."""
    event, facts = payload.event, payload.facts
    if event is not None and event.is_localizer:
        return ScanType.LOCALIZER
    if "scan_type" in values:
        return ScanType(values["scan_type"])
    assert facts is not None
    if event is not None and event.acquisition_type in _EVENT_TYPES:
        return _EVENT_TYPES[event.acquisition_type]
    if facts.scan_type is not None:
        return facts.scan_type
    gaps = np.diff(facts.z_mm)
    even = gaps.size > 20 and float(np.ptp(gaps)) < 0.1
    guess = ScanType.HELICAL if even and facts.tilt_deg == 0 else ScanType.AXIAL
    why = "many even slices without tilt" if guess is ScanType.HELICAL else "few or uneven slices, or a tilt"
    notes.assume(
        "scan-type",
        f"the images do not say how they were scanned: {guess.value} assumed ({why})",
        "over-scan at the ends only",
    )
    return guess


def collimation_of_claim(
    payload: Payload, scan_type: ScanType, values: Mapping[str, Any], quirk: Quirk, notes: Notes
) -> float:
    """Return the total collimation N x T in mm from images, dose report or given values, or by rule."""
    facts, event = payload.facts, payload.event
    assert facts is not None
    reported = event.total_collimation_mm if event else None
    if reported and quirk.collimation_may_be_thickness and reported <= 1.01 * facts.thickness_mm:
        notes.warnings.append(
            f"The reported collimation of {reported:g} mm equals the slice thickness and may not be the beam."
        )
    own = None if payload.borrowed else facts.collimation_mm
    found = own or reported
    if "collimation_mm" in values:
        if found:
            agree(
                "the collimation", values["collimation_mm"], found, "mm", "TotalCollimationWidth (0018,9307)"
            )
        return float(values["collimation_mm"])
    if found:
        return float(found)
    if scan_type is ScanType.AXIAL:
        notes.assume(
            "collimation",
            f"collimation unknown: the slice thickness of {facts.thickness_mm:g} mm is taken as one rotation",
            "small after normalisation to CTDIvol",
        )
        return facts.thickness_mm
    notes.assume(
        "collimation",
        f"collimation unknown: {GENERIC_COLLIMATION_MM:g} mm taken",
        "only at the ends of the scan, after normalisation to CTDIvol",
    )
    return GENERIC_COLLIMATION_MM


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Where the beam went.

    Attributes
    ----------
    start_mm, end_mm
        Travel of the beam's centre, over-scan included.
    rotations_mm
        z of every rotation of an axial or volume scan.
    """

    pitch: float = 0.0
    start_mm: float
    end_mm: float
    rotations_mm: tuple[float, ...] = ()
    step_mm: float = 0.0


def geometry_of_claim(
    payload: Payload, scan_type: ScanType, collimation: float, values: Mapping[str, Any], notes: Notes
) -> Geometry:
    """Return pitch, range and rotations of a claim whose beam is ``collimation`` mm wide."""
    facts, event = payload.facts, payload.event
    assert facts is not None
    low, high = facts.imaged_z_mm
    if scan_type is ScanType.LOCALIZER and event is not None:
        return _localizer(event, low, high, notes)
    if payload.borrowed and event is not None:
        top, bottom = z_range_of(event)
        assert top is not None
        assert bottom is not None
        low, high = bottom, top
    if scan_type is ScanType.HELICAL:
        return _helix(payload, low, high, collimation, values, notes)
    if scan_type is ScanType.VOLUME or high - low <= 1.05 * collimation:
        middle = 0.5 * (low + high)
        step = collimation if scan_type is ScanType.AXIAL else 0.0
        return Geometry(start_mm=middle, end_mm=middle, rotations_mm=(middle,), step_mm=step)
    spacing = float(np.median(np.diff(facts.z_mm))) if len(facts.z_mm) > 1 else collimation
    if collimation > 1.5 * spacing or payload.borrowed:
        count = ceil((high - low) / collimation - 0.05)
        rotations = axial_positions_mm(low, high, (high - low) / count)
    else:
        rotations = facts.z_mm
    step = (high - low) / len(rotations)
    return Geometry(start_mm=rotations[0], end_mm=rotations[-1], rotations_mm=rotations, step_mm=step)


def _localizer(event: IrradiationEvent, low: float, high: float, notes: Notes) -> Geometry:
    """Return the travel of a localizer: as reported, else its length around the middle of the images."""
    notes.assume(
        "localizer",
        "the tube of the localizer is taken to stand in front of the patient",
        "a tube behind or beside the patient shares the localizer's dose differently, by a factor of 2 or so",
    )
    top, bottom = z_range_of(event)
    if top is not None and bottom is not None:
        return Geometry(start_mm=bottom, end_mm=top)
    length = localizer_length_mm(event)
    assert length is not None
    middle = 0.5 * (low + high)
    notes.assume(
        "localizer-range",
        f"the dose report does not place the localizer: its {length / 10:.0f} cm are centred on the images",
    )
    return Geometry(start_mm=middle - 0.5 * length, end_mm=middle + 0.5 * length)


def _helix(
    payload: Payload, low: float, high: float, collimation: float, values: Mapping[str, Any], notes: Notes
) -> Geometry:
    facts, event = payload.facts, payload.event
    assert facts is not None
    pitch = facts.pitch if not payload.borrowed else None
    pitch = pitch or (event.pitch if event else None)
    if not pitch and facts.feed_mm and not payload.borrowed:
        pitch = facts.feed_mm / collimation
    if "pitch" in values:
        if pitch:
            agree("the pitch", values["pitch"], pitch, "", "SpiralPitchFactor (0018,9311)")
        pitch = values["pitch"]
    if not pitch:
        pitch = GENERIC_PITCH
        notes.assume(
            "pitch", f"pitch unknown: {pitch:g} taken", "none on the mean dose after normalisation to CTDIvol"
        )
    feed = pitch * collimation
    imaged = high - low
    travel = _reported_travel_mm(event, collimation)
    stated = _stated_travel_mm(payload)
    if stated is not None:
        return Geometry(pitch=pitch, start_mm=stated[0], end_mm=stated[1])
    if travel is not None and -0.05 * imaged <= travel - imaged <= max(5 * feed, 60.0):
        extra = 0.5 * (travel - imaged)
        notes.assume(
            "overscan",
            f"the reported scan is {travel - imaged:.0f} mm longer than the images; half of it at each end",
        )
        return Geometry(pitch=pitch, start_mm=low - extra, end_mm=high + extra)
    if travel is not None and not payload.borrowed:
        notes.warnings.append(
            f"The images cover {imaged / 10:.1f} cm of a scan of {travel / 10:.1f} cm: what the rest of the "
            "scan gives is missing."
        )
    overscan = OVERSCAN_ROTATIONS * feed
    notes.assumptions.append(overscan_assumption(overscan))
    return Geometry(pitch=pitch, start_mm=low - overscan, end_mm=high + overscan)


def _stated_travel_mm(payload: Payload) -> tuple[float, float] | None:
    """Return (bottom, top) of the scanning length if the report gives them in the images' coordinates."""
    facts, event = payload.facts, payload.event
    if event is None or facts is None or event.scan_top_z_mm is None or event.scan_bottom_z_mm is None:
        return None
    bottom, top = sorted((event.scan_bottom_z_mm, event.scan_top_z_mm))
    same = event.frame_of_reference_uid == facts.frame_of_reference_uid != ""
    covers = bottom <= facts.imaged_z_mm[0] + 15.0 and top >= facts.imaged_z_mm[1] - 15.0
    return (bottom, top) if top > bottom and (payload.borrowed or (same and covers)) else None


def _reported_travel_mm(event: IrradiationEvent | None, collimation: float) -> float | None:
    """Return the table travel with the beam on: DLP / CTDIvol, else scanning length, else exposed range."""
    if event is None:
        return None
    if event.dlp_mgy_cm and event.ctdivol_mgy:
        return 10 * event.dlp_mgy_cm / event.ctdivol_mgy
    if event.scanning_length_mm:
        return event.scanning_length_mm
    if event.exposed_range_mm and event.exposed_range_mm > collimation:
        return event.exposed_range_mm - collimation
    return None
