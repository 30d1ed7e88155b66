"""What images, dose report and a person say of an administration, brought together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from omnidose.dicom.headers import parse_datetime
from omnidose.dicom.inventory import Series
from omnidose.dicom.radiopharmaceutical import Radiopharmaceutical, check_half_life, nuclides_near
from omnidose.errors import ContradictionError, DicomError
from omnidose.modalities.nuclear.claims import Reported
from omnidose.modalities.nuclear.scans import read_without_bad_activity
from omnidose.provenance import Assumption

#: What a person says and what the data say may differ this much (relative).
AGREE_REL = 0.02
#: Times of injection that differ by more are worth a word, s.
DIFFERENT_CLOCKS_S = 120.0
#: Standard uncertainty of the activity in the syringe (dose calibrators: 5 % by most regulations; ours).
ASSAY_STD_REL = 0.05


class Notes:
    """Collects assumptions, warnings and what a person entered while a record is made."""

    __slots__ = ("assumptions", "entered", "warnings")

    def __init__(self) -> None:
        self.assumptions: list[Assumption] = []
        self.warnings: list[str] = []
        self.entered: set[str] = set()

    def assume(self, key: str, text: str, effect: str = "") -> None:
        """Note an assumption once."""
        found = Assumption(key=f"nuclear.{key}", text=text, effect=effect)
        if found not in self.assumptions:
            self.assumptions.append(found)

    def enter(self, key: str, words: str) -> None:
        """Note what a person entered and the data do not say."""
        self.entered.add(key)
        self.assume(key, f"{words}: entered by a person, not in the data")


def radiopharmaceutical_of(series: Series, values: Mapping[str, Any], notes: Notes) -> Radiopharmaceutical:
    """Return what images say was given; an impossible activity does not matter if a person says the true one.

    Raises
    ------
    DicomError, ContradictionError
        See :func:`omnidose.dicom.radiopharmaceutical.read_radiopharmaceutical`.
    """
    found, fault = read_without_bad_activity(series)
    if fault is not None:
        if "injected_mbq" not in values:
            raise fault
        notes.warnings.append("The activity in the headers is impossible in its unit and was not used.")
    return found


def with_report(rp: Radiopharmaceutical, report: Reported | None, notes: Notes) -> Radiopharmaceutical:
    """Fill what the images do not say from the study's dose report; the images win, differences are said."""
    if report is None:
        return rp
    if rp.total_mbq is None and report.total_mbq:
        rp = replace(rp, total_mbq=report.total_mbq)
        notes.assume("injected_mbq", f"{report.total_mbq:g} MBq: from the dose report of the study")
    elif rp.total_mbq and report.total_mbq and differ(rp.total_mbq, report.total_mbq):
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


def nuclide_of(
    rp: Radiopharmaceutical, values: Mapping[str, Any], notes: Notes, *, pet: bool = True
) -> tuple[str, float]:
    """Return name and half-life (h) of the nuclide.

    Parameters
    ----------
    pet
        Whether a hint may name emitters of positrons only.

    Raises
    ------
    ContradictionError
        If a person names another one than the data.
    DicomError
        If nothing names it.
    """
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
        seconds = rp.half_life_h * 3600 if rp.half_life_h else None
        near = nuclides_near(seconds, rp.positron_fraction, pet=pet)
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


def activity_of(rp: Radiopharmaceutical, values: Mapping[str, Any], notes: Notes) -> float:
    """Return the activity in the syringe, MBq.

    Raises
    ------
    ContradictionError
        If a person says another one than the data.
    DicomError
        If nobody says one.
    """
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
    elif differ(rp.total_mbq, said):
        raise ContradictionError(
            f"{said:g} MBq were said, but the data give {rp.total_mbq:g} MBq",
            where="RadionuclideTotalDose (0018,1074)",
            allowed=f"within {100 * AGREE_REL:g} %",
        )
    return float(said)


def differ(found_mbq: float, other_mbq: float) -> bool:
    """Return whether two activities are not one."""
    return abs(other_mbq - found_mbq) > AGREE_REL * found_mbq
