"""Plausible ranges and limits of validity of a nuclear medicine estimate."""

from __future__ import annotations

import re

from omnidose.modalities.nuclear.exposure import NuclearExam

#: A share below this in the images is worth a word: extravasation, a small field of view, or a wrong number.
LEAST_SEEN = 0.4
#: Scans in which more than this share of the integral lies after the scan rest on the assumed half-life.
LONG_TAIL = 0.2
LIMITS = (
    "One time point: kinetics are assumed, not measured; of organs that fill or empty (bladder, bowel, "
    "kidneys) the dose may be wrong by a factor of two.",
    "A diagnostic estimate: not for planning or verifying a therapy.",
)
#: Without a correction of partial volume.
NOT_RECOVERED = (
    "Recovery is not corrected: small hot structures are blurred by the camera, and their dose is too low."
)
#: What goes to the surfaces or the mineral of bone, by nuclide and by words in an agent's name.
BONE_SEEKERS = frozenset({"Sr-85", "Sr-89", "Sr-90", "Ra-223", "Ra-224", "Ra-226", "P-32"})
_BONE_AGENTS = re.compile(
    r"phosphon|fluoride|\bNaF\b|\b(MDP|HDP|HMDP|DPD|PYP|HEDP|EDTMP|DOTMP)\b", re.IGNORECASE
)


def bone_warnings(nuclide: str, agent: str) -> tuple[str, ...]:
    """Return a sentence if activity lies on bone surfaces, which no image resolves."""
    if nuclide not in BONE_SEEKERS and not _BONE_AGENTS.search(agent):
        return ()
    return (
        "This agent goes to the surfaces of bone, which no image resolves: its activity is taken to be even "
        "in the bones, so the dose of endosteum is too low and that of red marrow uncertain. The organ level "
        "has surfaces (omnidose nuclear organ --source trabecular-bone-surface=H).",
    )


def limits(exam: NuclearExam) -> tuple[str, ...]:
    """Return the limits of validity of an estimate of this exam."""
    return LIMITS if exam.image_fwhm_mm is not None else (LIMITS[0], NOT_RECOVERED, *LIMITS[1:])


def plausibility_warnings(exam: NuclearExam) -> tuple[str, ...]:
    """Return sentences about values that are possible but unusual."""
    found = []
    if exam.seen_fraction > 1.02:
        found.append(
            f"The images hold {100 * exam.seen_fraction:.0f} % of what can be left of the given activity: "
            "calibration of camera and dose calibrator disagree, or the residue was not subtracted."
        )
    if exam.seen_fraction < LEAST_SEEN:
        found.append(
            f"The images hold only {100 * exam.seen_fraction:.0f} % of what is left of the given activity: a "
            "short field of view, extravasation, much excretion, or a wrong number."
        )
    if exam.administration.residual_time is None:
        found.append("No residue was measured: all of the activity in the syringe counts as given.")
    return (*found, *bone_warnings(exam.nuclide, exam.agent))
