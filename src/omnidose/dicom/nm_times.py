"""When a SPECT was measured, for how long, and which corrections its values already have.

Acquisition Date and Time are the begin of the acquisition (PS3.3 C.7.6.1). The Rotation Information Sequence
(C.8.4.12) tells the nominal time per angular position and the number of views. A reconstruction has one
"detector" by rule (C.8.4.8.1.3), so that nothing tells how many heads turned: views of both heads may be
counted together. The angle that the views cover tells it once the number of heads is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omnidose.dicom.headers import number, sequence, text, texts
from omnidose.errors import DicomError

#: A SPECT lasts this long, s. Outside, the unit or the number is wrong.
PLAUSIBLE_S = (30.0, 4 * 3600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotations:
    """What the headers say about the views.

    Attributes
    ----------
    views
        Angular views of all rotations together.
    views_s
        Sum of views x time per view.
    covered_deg
        Views x angular step of the first rotation; 0 if unknown.
    step_deg
        Angular step.
    beds
        Different table positions.
    """

    views: int
    views_s: float
    covered_deg: float = 0.0
    step_deg: float = 0.0
    beds: int = 1

    def together(self, heads: int) -> bool:
        """Return whether the views of all heads are counted together: they cover the whole turn.

        Heads share one turn in clinics; if each of them makes a whole turn, the number of heads to say is 1.
        """
        return heads > 1 and abs(self.covered_deg - 360) <= max(self.step_deg, 1.0)

    def duration_s(self, heads: int = 1) -> float:
        """Return the time from the first view to the end of the last, for a camera with some heads."""
        return self.views_s / heads if self.together(heads) else self.views_s


def read_rotations(header: Any) -> Rotations | None:
    """Return what an NM object says about its views; None if it says nothing.

    Raises
    ------
    DicomError
        If the time that follows is impossible.
    """
    views, total_s, traverses = 0, 0.0, set()
    items = sequence(header, "RotationInformationSequence")
    for item in items:
        count, frame_ms = number(item, "NumberOfFramesInRotation"), number(item, "ActualFrameDuration")
        if not count or not frame_ms or count < 1 or frame_ms <= 0:
            return None
        views += int(count)
        total_s += count * frame_ms / 1000
        traverse = number(item, "TableTraverse")
        traverses.add(None if traverse is None else round(traverse))
    if not items:
        return None
    low, high = PLAUSIBLE_S
    if not low <= total_s <= high * len(items):
        raise DicomError(
            f"a scan of {views} views and {total_s:g} s in all is not possible",
            where="RotationInformationSequence (0054,0052): ActualFrameDuration (0018,1242) in ms, "
            "NumberOfFramesInRotation (0054,0053)",
            allowed=f"{low:g} to {high:g} s",
            todo="say it with --given scan_duration_s=S",
        )
    step = number(items[0], "AngularStep") or 0.0
    first = number(items[0], "NumberOfFramesInRotation") or 0.0
    return Rotations(
        views=views,
        views_s=total_s,
        covered_deg=first * abs(step),
        step_deg=abs(step),
        beds=len(traverses),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """Which corrections the values have.

    Attributes
    ----------
    stated
        Whether the object lists corrections at all: Corrected Image (0028,0051) is optional.
    decay, dead_time, attenuation, scatter
        DECY, DTIM, ATTN, SCAT are among them.
    decay_moment
        Decay Correction (0054,1102), which belongs to PET and which some makers write here: START, ADMIN,
        NONE, or empty. The NM Image IOD has nothing that names the moment.
    """

    stated: bool
    decay: bool
    dead_time: bool
    attenuation: bool
    scatter: bool
    decay_moment: str = ""


def read_corrections(header: Any) -> Corrections:
    """Return the corrections that an NM object lists (C.8.4.9)."""
    words = {word.upper().strip() for word in texts(header, "CorrectedImage")} - {""}
    return Corrections(
        stated=bool(words),
        decay="DECY" in words,
        dead_time="DTIM" in words,
        attenuation="ATTN" in words or bool(text(header, "AttenuationCorrectionMethod")),
        scatter="SCAT" in words or bool(text(header, "ScatterCorrectionMethod")),
        decay_moment=text(header, "DecayCorrection").upper(),
    )
