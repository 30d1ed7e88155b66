"""The mistakes themselves: every one that the project promises to answer with one clear sentence."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from omnidose.anatomy.body import Person
from omnidose.dicom.synthetic_ct import CtTechnique, SyntheticStudy, write_ct_series
from omnidose.dicom.synthetic_rdsr import write_ct_rdsr
from omnidose.exams.bad_input import (
    GRID,
    PERSON,
    TECHNIQUE,
    Attempt,
    BadInput,
    trunk_hu,
    write_masks,
    write_trunk,
)

#: Stages in the middle of which Ctrl-C is tried.
STAGES = ("Reading images", "Finding organs", "Photons", "Writing")


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


def _one_truncated(folder: Path) -> Attempt:
    given = _with_masks(folder)
    path = sorted(given.exam.iterdir())[11]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return given


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


def _read_only(folder: Path) -> Attempt:
    """Take every right to write from a folder; root has it all the same and gets a file as the parent."""
    write_trunk(folder / "exam")
    locked = folder / "locked"
    locked.mkdir(mode=0o555)
    if os.access(locked, os.W_OK):
        locked.rmdir()
        locked.write_text("in the way", "utf-8")
    return Attempt(exam=folder / "exam", out=locked / "deep" / "out")


def _out_is_a_file(folder: Path) -> Attempt:
    write_trunk(folder / "exam")
    (folder / "out").write_text("in the way", "utf-8")
    return Attempt(exam=folder / "exam", out=folder / "out")


def _other_ctdivol(folder: Path) -> Attempt:
    return _plain(folder, ctdivol_mgy=20.0)


def _with_masks(folder: Path, *, person: Person = PERSON, stop_at: str = "") -> Attempt:
    write_trunk(folder / "exam", person=person)
    masks = write_masks(folder / "masks")
    return Attempt(exam=folder / "exam", out=folder / "out", options={"masks": masks}, stop_at=stop_at)


def _foreign_report(folder: Path) -> Attempt:
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
    masks = write_masks(folder / "masks")
    return Attempt(exam=folder / "exam", out=folder / "out", options={"masks": masks})


def _interrupted(stage: str) -> BadInput:
    return BadInput(
        name=f"ctrl-c-{stage.split()[0].lower()}",
        text=f"Ctrl-C in the middle: {stage.lower()}",
        prepare=lambda folder: _with_masks(folder, stop_at=stage),
        says=("stopped", "nothing was written"),
    )


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
        name="one-truncated",
        text="One file truncated",
        prepare=_one_truncated,
        says=("IM02", "truncated", "left out", "copy it again"),
        goes_on=True,
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
        prepare=_read_only,
        says=("cannot be written", "--out", "give a folder with write rights"),
    ),
    BadInput(
        name="out-is-file",
        text="An output folder that is a file",
        prepare=_out_is_a_file,
        says=("is a file", "--out", "name a folder"),
    ),
    BadInput(
        name="foreign-report",
        text="A dose report of another study",
        prepare=_foreign_report,
        says=("another study", "is not used", "--ctdivol-mgy"),
        goes_on=True,
    ),
    BadInput(
        name="no-sex",
        text="Sex unknown",
        prepare=lambda folder: _with_masks(folder, person=replace(PERSON, sex="")),
        says=("sex", "unknown", "--sex"),
        goes_on=True,
    ),
    BadInput(
        name="no-age",
        text="Age unknown",
        prepare=lambda folder: _with_masks(folder, person=replace(PERSON, age_y=None)),
        says=("age", "unknown", "--age"),
        goes_on=True,
    ),
    *(_interrupted(stage) for stage in STAGES),
)
