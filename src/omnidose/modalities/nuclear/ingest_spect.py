"""One SPECT -> MBq per voxel at the begin of its scan: what its header says, what must be asked for.

Counts need the camera's calibration. Duration, dead time, decay and attenuation come from the header where it
says them; a person fills what it does not say, and contradicts nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from omnidose.dicom.nm_series import NmFacts, NmVolume
from omnidose.dicom.nm_times import Corrections, Rotations
from omnidose.dicom.nm_units import NmUnit
from omnidose.dosimetry.internal_uncertainty import Calibration
from omnidose.errors import ContradictionError, DicomError
from omnidose.modalities.nuclear.form import DecayMoment
from omnidose.modalities.nuclear.ingest_values import AGREE_REL, Notes
from omnidose.modalities.nuclear.series.calibration import activity_at_start, start_over_mean
from omnidose.volume import Volume

#: Decay during a scan that is worth a word (relative).
MUCH_DECAY_REL = 0.01
_DECAY_TAG = "CorrectedImage (0028,0051) DECY, DecayCorrection (0054,1102)"
_MOMENTS = {"NONE": DecayMoment.NONE, "START": DecayMoment.START, "ADMIN": DecayMoment.INJECTION}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectState:
    """What must be undone or applied to the values of one SPECT.

    Attributes
    ----------
    duration_s
        0 if it is unknown and does not matter.
    decay
        Moment of the values.
    rate_per_s
        Counts per second and head that the camera recorded; 0 if dead time is not corrected here.
    """

    duration_s: float
    decay: DecayMoment
    rate_per_s: float = 0.0
    dead_time_s: float = 0.0


def decay_moment(done: Corrections, said: str | None, notes: Notes) -> DecayMoment:
    """Return the moment to which the values of a SPECT were corrected for decay.

    Parameters
    ----------
    said
        ``decay_corrected_to``, or None.

    Raises
    ------
    ContradictionError
        If the header says two things, or another one than the person: decay would be corrected twice or not
        at all.
    DicomError
        If nobody says it.
    """
    wanted = None if said is None else DecayMoment(said)
    written = _MOMENTS.get(done.decay_moment)
    if written is not None and done.stated and done.decay != (written is not DecayMoment.NONE):
        raise ContradictionError(
            f"the images say two things about decay: it is {'' if done.decay else 'not '}among the "
            f"corrections, and it was corrected to '{written.value}'",
            where=_DECAY_TAG,
            todo="export the original series again",
        )
    if written is None and done.stated and not done.decay:
        written = DecayMoment.NONE
    if written is not None:
        if wanted is not None and wanted is not written:
            raise ContradictionError(
                f"it was said that decay was corrected to '{wanted.value}', but the images say "
                f"'{written.value}': it would be corrected twice, or not at all",
                where=f"decay_corrected_to; {_DECAY_TAG}",
                todo="leave decay_corrected_to out, or export the images again",
            )
        if written is DecayMoment.NONE:
            notes.assume(
                "decay", "the images do not list a correction for decay (DECY): it is corrected here"
            )
        return written
    if wanted is None:
        raise DicomError(
            "the images are corrected for decay, but nothing tells to which moment"
            if done.decay
            else "nothing tells whether the images are corrected for decay",
            where="CorrectedImage (0028,0051); NM images have no attribute for the moment",
            allowed=", ".join(m.value for m in DecayMoment),
            todo="say it with --given decay_corrected_to=MOMENT",
        )
    if done.decay and wanted is DecayMoment.NONE:
        raise ContradictionError(
            "it was said that decay is not corrected, but the images list it (DECY): it would be corrected "
            "twice",
            where=f"decay_corrected_to; {_DECAY_TAG}",
            allowed="scan start, injection",
        )
    notes.enter("decay_corrected_to", f"images corrected for decay to: {wanted.value}")
    return wanted


def check_attenuation(done: Corrections, values: Mapping[str, Any], notes: Notes) -> None:
    """Refuse images that are not corrected for attenuation; say what is not known.

    Raises
    ------
    DicomError
        If corrections are listed and attenuation is not among them, and nobody says that it was done.
    """
    if done.stated and not done.attenuation:
        if values.get("attenuation_corrected") != "yes":
            raise DicomError(
                "the images list their corrections, and attenuation is not among them, so that their values "
                "are no activities",
                where="CorrectedImage (0028,0051)",
                allowed="ATTN among the values",
                todo="give the series with attenuation correction; if it was done and is not listed, say "
                "--given attenuation_corrected=yes",
            )
        notes.enter("attenuation_corrected", "attenuation is corrected")
    if not done.stated and not done.attenuation:
        notes.warnings.append("The SPECT does not say that it is corrected for attenuation.")
    if not done.scatter:
        notes.warnings.append("The SPECT does not say that it is corrected for scatter.")


def heads_of(facts: NmFacts, values: Mapping[str, Any], notes: Notes) -> int | None:
    """Return how many heads turned; None if nobody says it.

    Raises
    ------
    ContradictionError
        If header and person differ.
    """
    said = values.get("detector_heads")
    if said is None:
        return facts.heads
    if facts.heads is not None and facts.heads != int(said):
        raise ContradictionError(
            f"{int(said)} heads were said, but the images name {facts.heads} detectors",
            where="detector_heads; NumberOfDetectors (0054,0021)",
        )
    if facts.heads is None:
        notes.enter("detector_heads", f"camera with {int(said)} heads")
    return int(said)


def duration_s(facts: NmFacts, values: Mapping[str, Any], notes: Notes, *, needed: bool) -> float:
    """Return the time from the first view to the end of the last; 0 if it is unknown and not needed.

    Parameters
    ----------
    needed
        False for calibrated images whose decay is corrected.

    Raises
    ------
    ContradictionError
        If header and person differ.
    DicomError
        If it is needed and unknown, or the same views may have taken the whole time or a part of it.
    """
    heads = heads_of(facts, values, notes)
    rotations, said = facts.rotations, values.get("scan_duration_s")
    counts = facts.unit is NmUnit.COUNTS
    if rotations is None or (rotations.beds > 1 and counts):
        if said is not None:
            notes.enter("scan_duration_s", f"each SPECT lasted {said:g} s")
            return float(said)
        if not needed:
            return 0.0
        if facts.rotations_fault is not None:
            raise facts.rotations_fault
        raise DicomError(
            "nothing tells how long the scan lasted"
            if rotations is None
            else f"the scan has {rotations.beds} beds, and counts of one bed belong to its own time alone",
            where="RotationInformationSequence (0054,0052): ActualFrameDuration, NumberOfFramesInRotation",
            todo="say it with --given scan_duration_s=S",
        )
    found = _of_rotations(rotations, heads, counts=counts, notes=notes)
    if said is not None and abs(said - found) > AGREE_REL * found:
        raise ContradictionError(
            f"a scan of {said:g} s was said, but the images give {found:g} s",
            where="scan_duration_s; RotationInformationSequence (0054,0052)",
            allowed=f"within {100 * AGREE_REL:g} %",
        )
    return found


def _of_rotations(rotations: Rotations, heads: int | None, *, counts: bool, notes: Notes) -> float:
    if heads is None and rotations.together(2):
        if counts:
            raise DicomError(
                f"the {rotations.views} views cover the whole turn: if several heads shared it, the scan "
                "took a part of the time only",
                where="RotationInformationSequence (0054,0052): NumberOfFramesInRotation, AngularStep",
                todo="say it with --given detector_heads=NUMBER",
            )
        notes.assume(
            "scan_duration_s",
            "the views cover the whole turn and are taken as those of one head (detector_heads says more)",
        )
    found = rotations.duration_s(heads or 1)
    shared = f", shared by {heads} heads" if heads and rotations.together(heads) else ""
    notes.assume("scan_duration_s", f"a scan of {rotations.views} views{shared} lasts {found:g} s")
    return found


def dead_time(facts: NmFacts, scan_s: float, values: Mapping[str, Any], notes: Notes) -> tuple[float, float]:
    """Return counts per second and head, and the dead time (s); both 0 if it is not corrected here.

    Parameters
    ----------
    scan_s
        Duration of the scan.

    Raises
    ------
    ContradictionError
        If it was corrected already.
    DicomError
        If counts or heads are unknown.
    """
    said = values.get("dead_time_s")
    done = facts.corrections.dead_time
    if facts.unit is NmUnit.CONCENTRATION or done:
        if said:
            raise ContradictionError(
                "a dead time was said, but the images are "
                + ("corrected for it (DTIM)" if done else "calibrated already")
                + ": it would be corrected twice",
                where="dead_time_s; CorrectedImage (0028,0051), Units (0054,1001)",
                todo="leave dead_time_s out",
            )
        return 0.0, 0.0
    if not said:
        notes.assume(
            "dead_time_s",
            "dead time of the camera is not corrected",
            "early scans of a therapy show too little if the camera saturates",
        )
        return 0.0, 0.0
    heads = heads_of(facts, values, notes)
    if heads is None or facts.counts_accumulated is None:
        raise DicomError(
            "dead time hangs on the counts per second of a head, and nothing tells "
            + ("the number of heads" if heads is None else "how many counts the camera recorded"),
            where="CountsAccumulated (0018,0070), NumberOfDetectors (0054,0021)",
            todo="say it with --given detector_heads=NUMBER" if heads is None else "leave dead_time_s out",
        )
    notes.enter("dead_time_s", f"dead time of {said:g} s")
    return facts.counts_accumulated / heads / scan_s, float(said)


def state_of(facts: NmFacts, values: Mapping[str, Any], notes: Notes) -> SpectState:
    """Return what must be done to the values of one SPECT.

    Raises
    ------
    DicomError, ContradictionError
        With what is missing or does not fit.
    """
    check_attenuation(facts.corrections, values, notes)
    moment = decay_moment(facts.corrections, values.get("decay_corrected_to"), notes)
    needed = facts.unit is not NmUnit.CONCENTRATION or moment is DecayMoment.NONE
    scan_s = duration_s(facts, values, notes, needed=needed)
    rate, dead_s = dead_time(facts, scan_s, values, notes)
    return SpectState(duration_s=scan_s, decay=moment, rate_per_s=rate, dead_time_s=dead_s)


def say_start(facts: NmFacts, scan_s: float, half_life_h: float, notes: Notes) -> None:
    """Say that software of one maker is documented to write the end of the scan where its begin belongs.

    Acquisition Time is the begin (PS3.3 C.7.6.1). GE's conformance statement of GENIE Acquisition R3.0
    (2333758-100, table 3.5-10) calls it the completion; later software is not known to us.
    """
    if not facts.manufacturer.upper().startswith("GE"):
        return
    off = math.expm1(math.log(2) * scan_s / 3600 / half_life_h)
    notes.assume(
        "scan_start",
        "Acquisition Time is taken to be the begin of the scan; older software of this maker writes the end",
        f"if it is the end, activities are {100 * off:.2g} % too high",
    )
    if off > MUCH_DECAY_REL:
        notes.warnings.append(
            "Acquisition Time may be the end of the scan with this maker's software: activities would be "
            f"{100 * off:.2g} % too high. Compare it with the camera's log."
        )


def activity_of_spect(
    image: NmVolume,
    state: SpectState,
    calibration: Calibration,
    *,
    half_life_h: float,
    hours_after_injection_h: float,
) -> Volume:
    """Return float32 [z, y, x] MBq per voxel at the begin of the scan.

    Parameters
    ----------
    calibration
        For counts; images in Bq/mL have their own.
    hours_after_injection_h
        From the injection to the begin of the scan.

    Raises
    ------
    InputError, RangeError
        For a rate that no true rate explains.
    """
    unit, during = image.facts.unit, start_over_mean(half_life_h, state.duration_s)
    if unit is NmUnit.CONCENTRATION:
        factor = 1e-6 * image.volume.grid.voxel_volume_cm3
        found = image.volume
        if state.decay is DecayMoment.NONE:
            factor *= during
    else:
        factor = 1.0
        per_s = np.float32(1 / state.duration_s if unit is NmUnit.COUNTS else 1.0)
        found = activity_at_start(
            replace(image.volume, array=image.volume.array * per_s),
            calibration,
            rate_per_s=state.rate_per_s,
            dead_time_s=state.dead_time_s,
            duration_s=state.duration_s,
            half_life_h=half_life_h,
        )
        if state.decay is not DecayMoment.NONE:
            factor /= during
    if state.decay is DecayMoment.INJECTION:
        factor *= math.exp(-math.log(2) * hours_after_injection_h / half_life_h)
    return replace(found, array=np.asarray(found.array * np.float32(factor), dtype=np.float32))
