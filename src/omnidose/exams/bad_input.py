"""What people give by mistake: the frame that ``omnidose validate exams.bad-input`` and the tests share.

Every case (:mod:`omnidose.exams.bad_input_cases`) writes a small exam of nobody with one thing wrong, tries
the job, and keeps the sentence it got and whatever was left behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from omnidose.anatomy.body import Person
from omnidose.dicom.synthetic_ct import CtTechnique, SyntheticStudy, write_ct_series
from omnidose.errors import OmnidoseError
from omnidose.volume import Grid

if TYPE_CHECKING:
    from omnidose.exams.run import ExamResult

#: A slab of a trunk: coarse, so that a case takes a fraction of a second.
GRID = Grid(shape_zyx=(24, 48, 64), spacing_mm=(7.0, 7.0, 8.0), origin_mm=(-220.5, -164.5, 1000.0))
TECHNIQUE = CtTechnique(
    kvp_kv=120.0,
    tube_current_ma=200.0,
    exposure_time_s=0.5,
    revolution_time_s=0.5,
    ctdivol_mgy=8.0,
    pitch=1.0,
    total_collimation_mm=40.0,
    filter_type="BODY FILTER",
)
PERSON = Person(sex="F", age_y=52.0, height_cm=166.0, weight_kg=71.0)
#: Photons of the cases that need some.
HISTORIES = 2_000.0
#: Longest sentence: a few lines of a terminal.
MOST_LETTERS = 480


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a user gave.

    Attributes
    ----------
    exam, out
        The exam, and where results should go.
    options
        By the names of :class:`omnidose.exams.options.EstimateOptions`.
    stop_at
        Beginning of the stage at which the user presses Ctrl-C; empty: never.
    """

    exam: Path
    out: Path
    options: dict[str, Any] = field(default_factory=dict)
    stop_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadInput:
    """One mistake.

    Attributes
    ----------
    prepare
        Called with an empty folder: writes the exam below it and returns the attempt.
    says
        Words that the sentence must hold (what, where, what to do).
    goes_on
        The job can go on without what is missing: the sentence then stands in the result.
    """

    name: str
    text: str
    prepare: Callable[[Path], Attempt] = field(repr=False)
    says: tuple[str, ...]
    goes_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an attempt.

    Attributes
    ----------
    sentence
        The refusal; empty if there was none.
    remarks
        Sentences in the result, if there is one.
    results
        Files of the result.
    leftovers
        Other files and folders below the case's folder that were not there before.
    """

    sentence: str = ""
    remarks: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()

    def answer(self, case: BadInput) -> str:
        """Return the sentence that answers the case: the refusal, or the remark with the words promised."""
        if not case.goes_on or self.sentence:
            return self.sentence
        return next((remark for remark in self.remarks if not _missing(remark, case.says)), "")

    def faults(self, case: BadInput) -> list[str]:
        """Return what is wrong with the answer, empty if it is as promised."""
        answer = self.answer(case)
        found = []
        if case.goes_on and self.sentence:
            found.append("it was refused")
        if case.goes_on and not self.results:
            found.append("there is no result")
        if not case.goes_on and self.results:
            found.append("it was accepted")
        if not answer:
            found.append("it does not say " + ", ".join(f"'{word}'" for word in case.says))
        elif not is_one_sentence(answer):
            found.append("the answer is not one sentence")
        missing = _missing(answer, case.says)
        if answer and missing:
            found.append("it does not say " + ", ".join(f"'{word}'" for word in missing))
        if self.leftovers:
            found.append("left behind: " + ", ".join(self.leftovers))
        return found


def _missing(text: str, words: tuple[str, ...]) -> list[str]:
    return [word for word in words if word.casefold() not in text.casefold()]


def is_one_sentence(text: str) -> bool:
    """Return True for one line that ends with its only full stop and fits a few lines of a terminal."""
    inner = re.sub(r"\b(e\.g|i\.e|No|ed)\. ", "", text)
    return (
        text.endswith(".")
        and "\n" not in text
        and len(text) <= MOST_LETTERS
        and re.search(r"[.!?] +[A-Z]", inner) is None
    )


def attempt(given: Attempt, root: Path) -> Outcome:
    """Do the whole job as the command line does, and keep the refusal instead of raising it."""
    from omnidose.exams.options import EstimateOptions
    from omnidose.exams.plan import plan, survey
    from omnidose.exams.run import run
    from omnidose.exams.write import check_output, write

    def progress(stage: str, _share: float, _text: str) -> None:
        if given.stop_at and stage.startswith(given.stop_at):
            raise KeyboardInterrupt

    before = set(_listing(root))
    sentence, remarks, results = "", tuple[str, ...](), set[str]()
    try:
        options = EstimateOptions(**({"histories": HISTORIES} | given.options))
        check_output(given.out)
        with survey(given.exam) as inventory:
            result = run(plan(inventory, options), progress=progress)
            files = write(result, given.out, progress=progress)
        remarks = remarks_of(result)
        results = {str(path.relative_to(root)) for path in files.values() if path.is_file()}
    except OmnidoseError as error:
        sentence = str(error)
    new = set(_listing(root)) - before - results
    if results:
        new.discard(str(given.out.relative_to(root)))
    return Outcome(
        sentence=sentence,
        remarks=remarks,
        results=tuple(sorted(results)),
        leftovers=tuple(sorted(new)),
    )


def remarks_of(result: ExamResult) -> tuple[str, ...]:
    """Return every sentence with which a result says what it could not do, or did with reservations."""
    left = tuple(f"{item.what}: {item.reason.rstrip('.')}." for item in result.left_out)
    return (*left, *result.warnings, *result.plan.notes, *result.plan.problems, result.risk_reason)


def try_case(case: BadInput, folder: Path) -> Outcome:
    """Prepare a case in an empty folder and try it."""
    return attempt(case.prepare(folder), folder)


def _listing(root: Path) -> Iterator[str]:
    return (str(path.relative_to(root)) for path in root.rglob("*"))


def trunk_hu(grid: Grid = GRID) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Return CT numbers [z, y, x] of an elliptical trunk with two lungs and a spine."""
    y, x = np.meshgrid(grid.axis_mm(1), grid.axis_mm(0), indexing="ij")
    middle = 0.5 * (grid.lower_mm + grid.upper_mm)
    x, y = x - middle[0], y - middle[1]
    plane = np.full(grid.shape_zyx[1:], -1000, dtype=np.int16)
    plane[(x / 170) ** 2 + (y / 115) ** 2 < 1] = 40
    for side in (-1, 1):
        plane[((x - side * 80) / 55) ** 2 + ((y + 5) / 75) ** 2 < 1] = -820
    plane[(x / 18) ** 2 + ((y - 75) / 18) ** 2 < 1] = 400
    # a view, not a copy: a series of a thousand planes needs no memory for its array
    return np.broadcast_to(plane, grid.shape_zyx)


def write_trunk(
    folder: Path,
    *,
    grid: Grid = GRID,
    person: Person = PERSON,
    technique: CtTechnique = TECHNIQUE,
    study: SyntheticStudy | None = None,
    **options: Any,
) -> tuple[Path, ...]:
    """Write a small CT series; ``options`` go to :func:`omnidose.dicom.synthetic_ct.write_ct_series`."""
    return write_ct_series(
        folder, trunk_hu(grid), grid, person=person, technique=technique, study=study, **options
    )


def write_masks(path: Path, grid: Grid = GRID) -> Path:
    """Write organ masks of the trunk as one folder of NIfTI: both lungs, and all soft tissue as the liver.

    With them the job need not look for organs, which takes longer than the rest of a small exam.
    """
    from omnidose.dicom.nifti import write_nifti
    from omnidose.volume import Volume

    path.mkdir(parents=True)
    hu = trunk_hu(grid)
    left = np.broadcast_to(grid.axis_mm(0) > 0.5 * (grid.lower_mm + grid.upper_mm)[0], hu.shape)
    lungs = hu == -820
    for name, mask in (
        ("lung_upper_lobe_left", lungs & left),
        ("lung_upper_lobe_right", lungs & ~left),
        ("liver", hu == 40),
    ):
        write_nifti(path / f"{name}.nii.gz", Volume.on_grid(mask.astype(np.uint8), grid))
    return path
