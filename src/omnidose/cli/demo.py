"""``omnidose demo``: write a realistic exam made from equations, so that everything can be tried."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the exam and its results.")] = Path("demo"),
    histories: Annotated[float, typer.Option(help="Number of photons.")] = 4e6,
    only_write: Annotated[
        bool, typer.Option("--only-write", help="Write the exam, do not estimate it.")
    ] = False,
) -> None:
    """Write a demo CT exam (chest, per-slice tube current, dose report) and estimate it."""
    from omnidose.exams.demo import write_demo_exam
    from omnidose.exams.write import check_output

    err = Console(stderr=True)
    check_output(out)
    exam = out / "exam"
    err.print("Writing a demo exam from an equation-based phantom…", highlight=False)
    count = len(write_demo_exam(exam))
    err.print(f"{count} DICOM objects in {exam}", highlight=False)
    if only_write:
        return
    from omnidose.cli.estimate import estimate

    estimate(exam, histories=histories, out=out / "result")
