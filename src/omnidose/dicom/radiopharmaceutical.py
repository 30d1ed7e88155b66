"""What an image says about the radiopharmaceutical: agent, nuclide, activity, when it was given.

The unit of Radionuclide Total Dose (0018,1074) hangs on the object: Bq in PET images (PS3.3 C.8.9.2), MBq in
Enhanced PET (C.8.22.4) and in NM images (as their makers write it; the NM Isotope Module names no unit).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from omnidose.dicom.headers import code, number, sequence, text
from omnidose.errors import ContradictionError, DicomError, InputError

PET_IMAGE = "1.2.840.10008.5.1.4.1.1.128"
ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"
NM_IMAGE = "1.2.840.10008.5.1.4.1.1.20"
#: Administered activities that somebody can have been given, MBq. Outside, the unit or the number is wrong.
PLAUSIBLE_MBQ = (0.1, 40_000.0)
#: A stated half-life may differ this much from the library's: scanners keep older evaluations (Rb-82: 1.8 %).
HALF_LIFE_REL = 0.03
#: Without a name: how near half-life (relative) and positrons per decay must be.
NEAR_HALF_LIFE_REL, NEAR_POSITRONS = 0.01, 0.04
#: Agents that exist with one nuclide only, by what stands in their names.
_AGENTS = {"FDG": "F-18", "FLUORODEOXYGLUCOSE": "F-18", "FLUDEOXYGLUCOSE": "F-18"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Radiopharmaceutical:
    """One item of the Radiopharmaceutical Information Sequence.

    Attributes
    ----------
    agent
        Name as written, without persons.
    nuclide
        Standard name; empty if nothing tells it.
    half_life_h
        As written; None if absent.
    total_mbq
        Administered activity; None if absent.
    start
        Administration as DICOM digits: date and time, or six or more digits of a time of day, or empty.
    has_date
        Whether ``start`` holds a date.
    notes
        How the nuclide was found, if no code names it.
    """

    agent: str = ""
    nuclide: str = ""
    half_life_h: float | None = None
    positron_fraction: float | None = None
    total_mbq: float | None = None
    start: str = ""
    has_date: bool = False
    event_uid: str = ""
    notes: tuple[str, ...] = ()


def read_radiopharmaceutical(header: Any, *, sop_class: str = "") -> Radiopharmaceutical:
    """Read the radiopharmaceutical of an image.

    Parameters
    ----------
    header
        Header of a PET or NM image.
    sop_class
        Default: that of the header. It decides about Bq or MBq.

    Returns
    -------
    Radiopharmaceutical
        Empty where the image has none.

    Raises
    ------
    DicomError
        If two radiopharmaceuticals were given, or the activity is impossible in its unit.
    ContradictionError
        If code, name and half-life do not belong together.
    """
    items = sequence(header, "RadiopharmaceuticalInformationSequence")
    if len(items) > 1:
        raise DicomError(
            f"the images name {len(items)} radiopharmaceuticals, whose activities one image cannot separate",
            where="RadiopharmaceuticalInformationSequence (0054,0016)",
            allowed="one",
        )
    if not items:
        return Radiopharmaceutical()
    item = items[0]
    half_life_s = _positive(item, "RadionuclideHalfLife")
    positrons = _positive(item, "RadionuclidePositronFraction")
    agent = text(item, "Radiopharmaceutical") or _clean(code(item, "RadiopharmaceuticalCodeSequence")[2])
    nuclide, notes = _nuclide(item, agent, half_life_s, positrons, pet=text(header, "Modality") == "PT")
    whole = text(item, "RadiopharmaceuticalStartDateTime")
    start = whole if len(whole) >= 12 else text(item, "RadiopharmaceuticalStartTime")
    return Radiopharmaceutical(
        agent=agent,
        nuclide=nuclide,
        half_life_h=None if half_life_s is None else half_life_s / 3600,
        positron_fraction=positrons,
        total_mbq=_total_mbq(item, sop_class or text(header, "SOPClassUID")),
        start=start,
        has_date=len(whole) >= 12,
        event_uid=text(item, "RadiopharmaceuticalAdministrationEventUID"),
        notes=notes,
    )


def _positive(item: Any, keyword: str) -> float | None:
    value = number(item, keyword)
    return value if value is not None and value > 0 else None


def _total_mbq(item: Any, sop_class: str) -> float | None:
    written = _positive(item, "RadionuclideTotalDose")
    if written is None:
        return None
    per_mbq, unit = (1e6, "Bq") if sop_class == PET_IMAGE else (1.0, "MBq")
    mbq = written / per_mbq
    low, high = PLAUSIBLE_MBQ
    if low <= mbq <= high:
        return mbq
    raise DicomError(
        f"an administered activity of {written:g} {unit} is not possible: this number seems to be in another "
        "unit (mCi, MBq or kBq), which is not guessed",
        where="RadionuclideTotalDose (0018,1074)",
        allowed=f"{low * per_mbq:g} to {high * per_mbq:g} {unit}",
        todo="say it in MBq with --given injected_mbq=MBQ (1 mCi is 37 MBq)",
    )


def _clean(words: str) -> str:
    return " ".join(words.replace("^", " ").split())


def _nuclide(
    item: Any, agent: str, half_life_s: float | None, positrons: float | None, *, pet: bool
) -> tuple[str, tuple[str, ...]]:
    """Return the standard name and how it was found: by code, by the agent's name, or by half-life."""
    value, scheme, meaning = code(item, "RadionuclideCodeSequence")
    name = _parsed(meaning) or _of_code(value, scheme)
    if name:
        check_half_life(name, half_life_s, where="RadionuclideHalfLife (0018,1075)")
        return name, ()
    named = nuclide_of_agent(agent) or nuclide_of_agent(code(item, "RadiopharmaceuticalCodeSequence")[2])
    if named:
        check_half_life(named, half_life_s, where="RadionuclideHalfLife (0018,1075)")
        return named, (f"no code names the radionuclide: {named} follows from the agent's name '{agent}'",)
    near = nuclides_near(half_life_s, positrons, pet=pet) if half_life_s else ()
    if len(near) != 1:
        return "", ()
    share = f" and {positrons:g} positrons per decay" if positrons else ""
    return near[0], (
        f"no code names the radionuclide: {near[0]} is the only one of the library with a half-life of "
        f"{half_life_s:g} s{share}",
    )


def check_half_life(nuclide: str, half_life_s: float | None, *, where: str) -> None:
    """Refuse a half-life that is not that of the nuclide.

    Raises
    ------
    ContradictionError
        If they differ by more than 3 %.
    """
    from omnidose.physics.nuclides import is_radioactive
    from omnidose.physics.nuclides import nuclide as of_library

    if half_life_s is None or not is_radioactive(nuclide):
        return
    ours = of_library(nuclide).half_life_s
    if abs(half_life_s - ours) > HALF_LIFE_REL * ours:
        raise ContradictionError(
            f"the half-life of {half_life_s:g} s is not that of {nuclide} ({ours:g} s)",
            where=where,
            allowed=f"within {100 * HALF_LIFE_REL:g} %",
            todo="say which nuclide was given with --given nuclide=NAME",
        )


def _parsed(words: str) -> str:
    from omnidose.physics.nuclides_names import standard

    try:
        return standard(words) if words else ""
    except InputError:
        return ""


def _of_code(value: str, scheme: str) -> str:
    """Return the nuclide of a code of context groups 18 and 4020, for items without a meaning."""
    from pydicom.sr._snomed_dict import mapping
    from pydicom.sr.codedict import codes

    if scheme in ("SRT", "SNM3", "99SDM"):
        value, scheme = str(mapping["SRT"].get(value, "")), "SCT"
    if not value or scheme not in ("SCT", "DCM"):
        return ""
    for group in (codes.cid4020, codes.cid18):
        for concept in group.concepts.values():
            if str(concept.value) == value:
                return _parsed(str(concept.meaning))
    return ""


def nuclide_of_agent(agent: str) -> str:
    """Return the nuclide in the name of an agent (``[18F]FDG``, ``Ga-68 PSMA``); empty if there is none."""
    words = agent.replace("^", "")
    pattern = r"\b(\d{1,3}m?)[ -]?([A-Z][a-z]?)\b|\b([A-Z][a-z]?)[ -]?(\d{1,3}m?)\b"
    for found in re.finditer(pattern, words):
        name = _parsed(f"{found[2]}-{found[1]}" if found[1] else f"{found[3]}-{found[4]}")
        if name in _library():
            return name
    glued = re.match(r"\[?(\d{1,3}m?)([A-Z][a-z]?)\]?", words)
    if glued and (name := _parsed(f"{glued[2]}-{glued[1]}")) in _library():
        return name
    upper = words.upper()
    return next((name for key, name in _AGENTS.items() if key in upper), "")


@cache
def _library() -> dict[str, tuple[float, float]]:
    """Half-life (s) and positrons per decay of every nuclide of the library."""
    from omnidose.physics.nuclides import nuclide, nuclide_names

    found = {}
    for name in nuclide_names():
        item = nuclide(name)
        found[name] = (item.half_life_s, float(item.positron_branches.per_decay.sum()))
    return found


def nuclides_near(
    half_life_s: float | None, positron_fraction: float | None = None, *, pet: bool = True
) -> tuple[str, ...]:
    """Return the nuclides that have this half-life (and share of positrons, if it is given).

    Parameters
    ----------
    pet
        Only those that emit positrons.
    """
    if half_life_s is None:
        return ()
    near = []
    for name, (ours_s, positrons) in _library().items():
        if abs(half_life_s - ours_s) > NEAR_HALF_LIFE_REL * ours_s or (pet and positrons <= 0):
            continue
        if positron_fraction is not None and abs(positron_fraction - positrons) > NEAR_POSITRONS:
            continue
        near.append(name)
    return tuple(near)
