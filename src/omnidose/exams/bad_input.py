"""What people give by mistake: one list that ``omnidose validate exams.bad-input`` and the tests share.

Every case writes a small exam of nobody with one thing wrong, tries the job, and keeps the sentence it
got and whatever was left behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from omnidose.anatomy.body import Person
from omnidose.dicom.synthetic_ct import CtTechnique, SyntheticStudy, write_ct_series
from omnidose.dicom.synthetic_rdsr import write_ct_rdsr
from omnidose.errors import CancelledError, OmnidoseError
from omnidose.volume import Grid

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a user gave: an exam, options by the names of ``EstimateOptions``, and where results should go."""

    exam: Path
    out: Path
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadInput:
    """One mistake.

    Attributes
    ----------
    prepare
        Called with an empty folder: writes the exam below it and returns the attempt.
    says
        Words that the sentence must hold (what, where, what to do).
    """

    name: str
    text: str
    prepare: Callable[[Path], Attempt] = field(repr=False)
    says: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an attempt.

    Attributes
    ----------
    sentence
        The refusal; empty if there was none.
    leftovers
        Files and folders below the case's folder that were not there before.
    """

    sentence: str
    leftovers: tuple[str, ...]

    def faults(self, says: tuple[str, ...]) -> list[str]:
        """Return what is wrong with the answer, empty if it is as promised."""
        found = []
        if not self.sentence:
            found.append("it was accepted")
        elif not is_one_sentence(self.sentence):
            found.append("the answer is not one sentence")
        missing = [word for word in says if word.casefold() not in self.sentence.casefold()]
        if self.sentence and missing:
            found.append("it does not say " + ", ".join(f"'{word}'" for word in missing))
        if self.leftovers:
            found.append("left behind: " + ", ".join(self.leftovers))
        return found


def is_one_sentence(text: str) -> bool:
    """Return True for one line that ends with its only full stop and fits a few lines of a terminal."""
    inner = re.sub(r"\b(e\.g|i\.e|No|ed)\. ", "", text)
    return (
        text.endswith(".")
        and "\n" not in text
        and len(text) <= 480
        and re.search(r"[.!?] +[A-Z]", inner) is None
    )


def attempt(given: Attempt, root: Path) -> Outcome:
    """Do the whole job as the command line does, and keep the refusal instead of raising it."""
    from omnidose.exams.options import EstimateOptions
    from omnidose.exams.plan import plan, survey
    from omnidose.exams.run import run
    from omnidose.exams.write import check_output, write

    before = set(_listing(root))
    sentence = ""
    try:
        options = EstimateOptions(**({"histories": HISTORIES} | given.options))
        check_output(given.out)
        with survey(given.exam) as inventory:
            write(run(plan(inventory, options)), given.out)
    except OmnidoseError as error:
        sentence = str(error)
    return Outcome(sentence=sentence, leftovers=tuple(sorted(set(_listing(root)) - before)))


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
    return np.repeat(plane[None], grid.shape_zyx[0], axis=0)


def write_trunk(
    folder: Path,
    *,
    person: Person = PERSON,
    technique: CtTechnique = TECHNIQUE,
    study: SyntheticStudy | None = None,
    **options: Any,
) -> tuple[Path, ...]:
    """Write a small CT series; ``options`` go to :func:`omnidose.dicom.synthetic_ct.write_ct_series`."""
    return write_ct_series(
        folder, trunk_hu(), GRID, person=person, technique=technique, study=study, **options
    )


def _with_tags(**tags: Any) -> CtTechnique:
    return replace(TECHNIQUE, extra=tags)


def _plain(folder: Path, **options: Any) -> Attempt:
    write_trunk(folder / "exam")
    return Attempt(exam=folder / "exam", out=folder / "out", options=options)


def _empty(folder: Path) -> Attempt:
    (folder / "exam").mkdir()
    (folder / "exam" / "notes.txt").write_text("no images here", "utf-8")
    return Attempt(exam=folder / "exam", out=folder / "out")


def _two_patients(folder: Path) -> Attempt:
    write_trunk(folder / "exam" / "a", study=SyntheticStudy(key="a", patient_id="A", patient_name="One^A"))
    write_trunk(folder / "exam" / "b", study=SyntheticStudy(key="b", patient_id="B", patient_name="Two^B"))
    return Attempt(exam=folder / "exam", out=folder / "out")


def _two_issuers(folder: Path) -> Attempt:
    for name in ("a", "b"):
        write_trunk(
            folder / "exam" / name,
            study=SyntheticStudy(key=name),
            technique=_with_tags(IssuerOfPatientID=f"HOSPITAL {name}"),
        )
    return Attempt(exam=folder / "exam", out=folder / "out")


def _localizer(folder: Path) -> Attempt:
    grid = replace(GRID, shape_zyx=(1, 48, 64))
    write_ct_series(
        folder / "exam",
        trunk_hu(grid),
        grid,
        person=PERSON,
        technique=_with_tags(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    )
    return Attempt(exam=folder / "exam", out=folder / "out")


def _no_kv(folder: Path) -> Attempt:
    write_trunk(folder / "exam", technique=replace(TECHNIQUE, kvp_kv=None))
    return Attempt(exam=folder / "exam", out=folder / "out")


def _no_hounsfield(folder: Path) -> Attempt:
    write_trunk(folder / "exam", technique=_with_tags(RescaleIntercept=0))
    return Attempt(exam=folder / "exam", out=folder / "out")


def _truncated(folder: Path) -> Attempt:
    for path in write_trunk(folder / "exam"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return Attempt(exam=folder / "exam", out=folder / "out")


def _partly_truncated(folder: Path) -> Attempt:
    for path in write_trunk(folder / "exam")[:8]:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return Attempt(exam=folder / "exam", out=folder / "out")


def _foreign_masks(folder: Path) -> Attempt:
    from omnidose.dicom.inventory import read_inventory
    from omnidose.dicom.masks import MaskSet
    from omnidose.dicom.writers import write_seg

    write_trunk(folder / "exam")
    write_trunk(folder / "other", study=SyntheticStudy(key="another study"))
    masks = MaskSet(labels=(trunk_hu() > 0).astype(np.uint8), grid=GRID, names={1: "liver"}, kind="SEG")
    with read_inventory(folder / "other") as inventory:
        write_seg(folder / "masks.dcm", masks, inventory.series[0])
    return Attempt(exam=folder / "exam", out=folder / "out", options={"masks": folder / "masks.dcm"})


def _masks_elsewhere(folder: Path) -> Attempt:
    from omnidose.dicom.nifti import write_nifti
    from omnidose.volume import Volume

    write_trunk(folder / "exam")
    far = replace(GRID, origin_mm=(GRID.origin_mm[0], GRID.origin_mm[1], 4000.0))
    (folder / "masks").mkdir()
    write_nifti(folder / "masks" / "liver.nii.gz", Volume.on_grid((trunk_hu() > 0).astype(np.uint8), far))
    return Attempt(exam=folder / "exam", out=folder / "out", options={"masks": folder / "masks"})


def _no_folder(folder: Path) -> Attempt:
    return Attempt(exam=folder / "exam", out=folder / "out")


def _out_below_a_file(folder: Path) -> Attempt:
    write_trunk(folder / "exam")
    (folder / "file").write_text("in the way", "utf-8")
    return Attempt(exam=folder / "exam", out=folder / "file" / "deep" / "out")


def _out_is_a_file(folder: Path) -> Attempt:
    write_trunk(folder / "exam")
    (folder / "out").write_text("in the way", "utf-8")
    return Attempt(exam=folder / "exam", out=folder / "out")


def _other_ctdivol(folder: Path) -> Attempt:
    return _plain(folder, ctdivol_mgy=20.0)


def write_foreign_report(folder: Path) -> Path:
    """Write an exam without CTDIvol beside the dose report of another study of the same person."""
    from omnidose.dicom.dose_report import AcquisitionType, IrradiationEvent, TubeSource

    write_trunk(folder / "exam", technique=replace(TECHNIQUE, ctdivol_mgy=None))
    other = SyntheticStudy(key="another study")
    event = IrradiationEvent(
        uid=other.event_uid("scan"),
        acquisition_type=AcquisitionType.SPIRAL,
        sources=(TubeSource(label="A", kvp_kv=120.0),),
        ctdivol_mgy=55.0,
        ctdi_phantom="32",
        dlp_mgy_cm=1000.0,
    )
    write_ct_rdsr(folder / "exam" / "report.dcm", (event,), study=other, person=PERSON)
    return folder / "exam"


CASES = (
    BadInput(
        name="no-such-folder",
        text="A path that does not exist",
        prepare=_no_folder,
        says=("no such file or folder", "exam", "check the path"),
    ),
    BadInput(
        name="no-images",
        text="A folder without images",
        prepare=_empty,
        says=("no images", "1 file of other kinds", "give the folder"),
    ),
    BadInput(
        name="two-patients",
        text="Two patients mixed",
        prepare=_two_patients,
        says=("2 patients", "24 files", "PatientID", "one patient only"),
    ),
    BadInput(
        name="two-issuers",
        text="Identities that differ only by issuer",
        prepare=_two_issuers,
        says=("issued by different institutions", "IssuerOfPatientID (0010,0021)", "keep the files"),
    ),
    BadInput(
        name="sex",
        text="--sex against the header",
        prepare=lambda folder: _plain(folder, sex="M"),
        says=("--sex says M", "images say F", "PatientSex", "leave --sex out"),
    ),
    BadInput(
        name="age",
        text="--age against the header",
        prepare=lambda folder: _plain(folder, age_y=20.0),
        says=("--age says 20", "say 52", "PatientAge", "leave --age out"),
    ),
    BadInput(
        name="localizer",
        text="A localizer only",
        prepare=_localizer,
        says=("localizer", "the given folder", "add the series of slices"),
    ),
    BadInput(
        name="no-kv",
        text="Tube voltage missing",
        prepare=_no_kv,
        says=("tube voltage is missing", "KVP (0018,0060)", "--kv"),
    ),
    BadInput(
        name="no-hounsfield",
        text="CT numbers that are not Hounsfield units",
        prepare=_no_hounsfield,
        says=("not Hounsfield units", "RescaleIntercept (0028,1052)", "give the original"),
    ),
    BadInput(
        name="truncated",
        text="All files truncated",
        prepare=_truncated,
        says=("truncated", "IM02", "copy or export"),
    ),
    BadInput(
        name="partly-truncated",
        text="A third of the files truncated",
        prepare=_partly_truncated,
        says=("8 of 24", "truncated", "IM02", "copy or export"),
    ),
    BadInput(
        name="foreign-masks",
        text="Masks on another frame of reference",
        prepare=_foreign_masks,
        says=("another frame of reference", "FrameOfReferenceUID (0020,0052)", "give the masks of this"),
    ),
    BadInput(
        name="masks-elsewhere",
        text="Masks that do not touch the images",
        prepare=_masks_elsewhere,
        says=("no mask touches the images", "NIfTI masks", "check"),
    ),
    BadInput(
        name="organ-name",
        text="An organ that does not exist",
        prepare=lambda folder: _plain(folder, absent=frozenset({"kidny"})),
        says=("no organ 'kidny'", "left-kidney"),
    ),
    BadInput(
        name="ctdivol",
        text="--ctdivol-mgy against the header",
        prepare=_other_ctdivol,
        says=("20", "8", "CTDIvol"),
    ),
    BadInput(
        name="read-only",
        text="An output folder that cannot be written",
        prepare=_out_below_a_file,
        says=("cannot be written", "--out", "give a folder with write rights"),
    ),
    BadInput(
        name="out-is-file",
        text="An output folder that is a file",
        prepare=_out_is_a_file,
        says=("is a file", "--out", "name a folder"),
    ),
)


def interrupted_sentence(exam: Path, out: Path, root: Path) -> Outcome:
    """Stop the job in the middle of the photons, as Ctrl-C does."""
    from omnidose.exams.options import EstimateOptions
    from omnidose.exams.plan import plan, survey
    from omnidose.exams.run import run
    from omnidose.exams.write import write

    before = set(_listing(root))
    sentence = ""

    def stop(stage: str, _share: float, _text: str) -> None:
        if stage.startswith("Photons"):
            raise KeyboardInterrupt

    try:
        with survey(exam) as inventory:
            write(run(plan(inventory, EstimateOptions(histories=HISTORIES)), progress=stop), out)
    except CancelledError as error:
        sentence = str(error)
    return Outcome(sentence=sentence, leftovers=tuple(sorted(set(_listing(root)) - before)))
