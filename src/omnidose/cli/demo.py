"""``omnidose demo``: write a realistic exam made from equations, so that everything can be tried."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape


def demo(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the exam and its results.")] = Path(
        "demo"
    ),
    histories: Annotated[float, typer.Option(metavar="N", help="Number of photons.")] = 4e6,
    only_write: Annotated[
        bool, typer.Option("--only-write", help="Write the exam, do not estimate it.")
    ] = False,
) -> None:
    """Write a demo CT exam and estimate it.

    A chest CT of an equation-based woman, with tube current per slice and dose report: nobody's data.
    """
    from omnidose.exams.demo import write_demo_exam
    from omnidose.exams.options import EstimateOptions
    from omnidose.exams.write import check_output

    options = EstimateOptions(histories=histories)
    err = Console(stderr=True)
    check_output(out)
    exam = out / "exam"
    err.print("Writing a demo exam from an equation-based phantom …", highlight=False)
    count = len(write_demo_exam(exam))
    err.print(f"{count} DICOM objects in {escape(str(exam))}", highlight=False, soft_wrap=True)
    if only_write:
        return
    from omnidose.cli.estimate import estimate_exam

    estimate_exam(exam, options, out / "result")
