"""What a person may say about an exam."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from omnidose.anatomy.organs import CONTENTS, combined_organs, organ
from omnidose.errors import InputError
from omnidose.exams.said import check_keys
from omnidose.exams.segmenters import BUILT_IN, check_segmenter

Contrasts = Literal["both", "with", "without"]
#: Standard error that a run aims at when nothing is asked.
DEFAULT_PRECISION = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateOptions:
    """Options of one job; the same for command line, Python and web.

    Attributes
    ----------
    sex, age_y, height_cm, weight_kg
        What the headers do not say. Contradicting them stops the job.
    ctdivol_mgy
        CTDIvol of the scan, where the data give none.
    kv
        Tube voltage, where the data give none.
    masks
        Organ masks: DICOM SEG, RTSTRUCT, NIfTI, folder or zip.
    precision, histories
        Relative standard error to reach for the organs in the beam, or the number of photons.
    absent
        Organs that were removed: neither dose nor risk. Aliases become canonical names; a whole
        (``kidneys``) stands for all its members, and all members for the whole.
    segmenter
        Who finds the organs that no mask gives: our own ``built-in``, or an entry point of the group
        ``omnidose.segmenters`` such as ``totalsegmentator`` (an extra to install).
    cluster
        Address of a Dask scheduler whose workers follow the photons (``tcp://HOST:PORT`` or ``tls://…``);
        empty: this machine. Nothing is connected unless it is given.
    completion
        Continue the body beyond the images with a phantom.
    given
        What else a person says about exposures, by the keys of the modalities' forms (``injected_mbq``,
        ``injection_time``, …): it fills what the data do not say, and contradicting them stops the job.
    contrast
        Where soft tissue holds contrast medium: doses ``with`` its iodine, ``without`` (as plain tissue), or
        ``both`` (those with iodine count; those without are listed beside them).
    """

    sex: str = ""
    age_y: float | None = None
    height_cm: float | None = None
    weight_kg: float | None = None
    ctdivol_mgy: float | None = None
    kv: float | None = None
    masks: Path | None = None
    precision: float | None = None
    histories: float | None = None
    seed: int = 1
    cluster: str = ""
    absent: frozenset[str] = frozenset()
    completion: bool = True
    segmenter: str = BUILT_IN
    contrast: Contrasts = "both"
    population: str = "europe-north-america"
    given: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.precision is not None and self.histories is not None:
            raise InputError("--precision and --histories were both given", todo="give one of them")
        if self.precision is not None and not 1e-4 <= self.precision < 0.5:
            raise InputError(
                f"a precision of {self.precision:g}", where="--precision", allowed="0.0001 to 0.5, e.g. 0.01"
            )
        if self.histories is not None and not 1e3 <= self.histories <= 1e11:
            raise InputError(
                f"{self.histories:g} histories", where="--histories", allowed="1e3 to 1e11, e.g. 2e7"
            )
        if self.ctdivol_mgy is not None and not 0 < self.ctdivol_mgy < 5000:
            raise InputError(
                f"a CTDIvol of {self.ctdivol_mgy:g} mGy", where="--ctdivol-mgy", allowed="above 0, below 5000"
            )
        check_keys(self.given)
        chosen(self.contrast, Contrasts, "--contrast")
        check_segmenter(self.segmenter)
        if self.cluster:
            from omnidose.transport.workers import check_address

            check_address(self.cluster)
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed {self.seed}", where="--seed", allowed="0 to 2^63 - 1")
        if self.masks is not None and not self.masks.exists():
            raise InputError(
                "there is no such file or folder of masks", where=str(self.masks), todo="check --masks"
            )
        object.__setattr__(self, "absent", whole_organs(self.absent))


def chosen(word: str, kind: Any, where: str) -> Any:
    """Return a word of a ``Literal``, or raise InputError with the words that are allowed."""
    if word not in get_args(kind):
        raise InputError(f"'{word}' is not known", where=where, allowed=", ".join(get_args(kind)))
    return word


def whole_organs(names: Iterable[str]) -> frozenset[str]:
    """Return canonical names, with members of wholes, wholes of members, contents of walls, lenses of eyes.

    Raises
    ------
    InputError
        If a name is no organ; the message lists close names.
    """
    found = {organ(name).key for name in names}
    wholes = combined_organs()  # innermost first
    for whole in reversed(wholes):
        if whole in found:
            found.update(wholes[whole])
    found.update(contents for contents, wall in CONTENTS.items() if wall in found)
    found.update(f"{side}-lens" for side in ("left", "right") if f"{side}-eye" in found)
    for whole, members in wholes.items():
        if members and found.issuperset(members):
            found.add(whole)
    return frozenset(found)
