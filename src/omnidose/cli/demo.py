"""``omnidose demo``: write a realistic exam made from equations, so that everything can be tried."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape


class Exam(StrEnum):
    """Kinds of demo exams."""

    CT = "ct"
    THERAPY = "therapy"


def demo(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the exam and its results.")] = Path(
        "demo"
    ),
    exam: Annotated[
        Exam, typer.Option(help="A chest CT, or SPECT/CT on four days after 177Lu-DOTATATE.")
    ] = Exam.CT,
    histories: Annotated[float, typer.Option(metavar="N", help="Number of photons.")] = 4e6,
    only_write: Annotated[
        bool, typer.Option("--only-write", help="Write the exam, do not estimate it.")
    ] = False,
) -> None:
    """Write a demo exam and estimate it.

    A chest CT of an equation-based woman, with tube current per slice and dose report; or a therapy: a
    simulated patient, four SPECT/CT, masks of organs and lesions, and the true doses. Nobody's data.
    """
    from omnidose.exams.options import EstimateOptions
    from omnidose.exams.write import check_output

    err = Console(stderr=True)
    check_output(out)
    err.print("Writing a demo exam from an equation-based phantom …", highlight=False)
    if exam is Exam.CT:
        from omnidose.exams.demo import write_demo_exam

        write_demo_exam(out / "exam")
        options = EstimateOptions(histories=histories)
    else:
        from omnidose.exams.demo_therapy import write_demo_therapy

        written = write_demo_therapy(out)
        person = written.patient.anatomy.body.person
        options = EstimateOptions(
            histories=histories, sex=person.sex, masks=out / "masks", given=dict(written.given)
        )
        given = " ".join(f"--given {key}={value:g}" for key, value in written.given.items())
        err.print(f"To repeat: omnidose estimate {escape(str(out / 'exam'))} --sex {person.sex} --masks "
                  f"{escape(str(out / 'masks'))} {given}", highlight=False, soft_wrap=True)  # fmt: skip
    count = sum(1 for path in (out / "exam").rglob("*") if path.is_file())
    err.print(f"{count} DICOM objects in {escape(str(out / 'exam'))}", highlight=False, soft_wrap=True)
    if only_write:
        return
    from omnidose.cli.estimate import estimate_exam

    estimate_exam(out / "exam", options, out / "result")
