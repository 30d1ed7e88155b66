"""``omnidose estimate``: from a folder of DICOM to organ doses, risk and a report."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from omnidose.dosimetry.results import OrganDoses
    from omnidose.exams.options import EstimateOptions
    from omnidose.exams.plan import Plan
    from omnidose.exams.run import ExamResult

_PERSON, _SCAN, _RUN, _OUTPUT = "The person", "The scan and its anatomy", "Precision", "Output"
#: At most so many lines of what was found and left are shown; the report has all.
_MOST_LINES = 12


def estimate(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="Folder (nested or mixed), file or zip with the DICOM objects of one exam."
        ),
    ],
    sex: Annotated[
        str,
        typer.Option(
            metavar="F|M",
            help="Sex, where the headers do not say.",
            rich_help_panel=_PERSON,
            show_default=False,
        ),
    ] = "",
    age: Annotated[
        float | None,
        typer.Option(metavar="YEARS", help="Age, where the headers do not say.", rich_help_panel=_PERSON),
    ] = None,
    height_cm: Annotated[
        float | None, typer.Option(metavar="CM", help="Height in cm.", rich_help_panel=_PERSON)
    ] = None,
    weight_kg: Annotated[
        float | None, typer.Option(metavar="KG", help="Weight in kg.", rich_help_panel=_PERSON)
    ] = None,
    absent: Annotated[
        str,
        typer.Option(
            metavar="ORGANS",
            help="Removed organs, e.g. uterus,left-kidney: neither dose nor risk.",
            rich_help_panel=_PERSON,
            show_default=False,
        ),
    ] = "",
    ctdivol_mgy: Annotated[
        float | None,
        typer.Option(metavar="MGY", help="CTDIvol in mGy, where the data give none.", rich_help_panel=_SCAN),
    ] = None,
    kv: Annotated[
        float | None,
        typer.Option(
            metavar="KV", help="Tube voltage in kV, where the data give none.", rich_help_panel=_SCAN
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Organ masks of your own: SEG, RTSTRUCT, NIfTI, folder or zip.",
            rich_help_panel=_SCAN,
        ),
    ] = None,
    segmenter: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="built-in, or totalsegmentator (an extra to install).",
            rich_help_panel=_SCAN,
        ),
    ] = "built-in",
    contrast: Annotated[
        str,
        typer.Option(
            metavar="WHICH",
            help="Doses with contrast medium, without, or both, where there is some.",
            rich_help_panel=_SCAN,
        ),
    ] = "both",
    completion: Annotated[
        bool,
        typer.Option(help="Continue the body beyond the images with a phantom.", rich_help_panel=_SCAN),
    ] = True,
    precision: Annotated[
        float | None,
        typer.Option(
            metavar="REL",
            help="Relative standard error of organs in the beam [0.01 if nothing is said].",
            rich_help_panel=_RUN,
        ),
    ] = None,
    histories: Annotated[
        float | None,
        typer.Option(metavar="N", help="Number of photons instead, e.g. 2e7.", rich_help_panel=_RUN),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Same seed, same result.", rich_help_panel=_RUN)] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where the results go [FOLDER-omnidose in the working folder].",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON on stdout and nothing else.", rich_help_panel=_OUTPUT),
    ] = False,
) -> None:
    """Estimate organ doses and risk from the patient's own images."""
    from omnidose.exams.options import Contrasts, EstimateOptions, chosen

    options = EstimateOptions(
        sex=sex,
        age_y=age,
        height_cm=height_cm,
        weight_kg=weight_kg,
        ctdivol_mgy=ctdivol_mgy,
        kv=kv,
        masks=masks,
        precision=precision,
        histories=histories,
        seed=seed,
        absent=frozenset(k.strip() for k in absent.split(",") if k.strip()),
        segmenter=segmenter,
        contrast=chosen(contrast, Contrasts, "--contrast"),
        completion=completion,
    )
    estimate_exam(folder, options, out or default_folder(folder), as_json=as_json)


def default_folder(exam: Path) -> Path:
    """Return where the results of an exam go if nobody says: beside nothing of the exam's own."""
    name = exam.resolve().name
    return Path(f"{name.removesuffix('.zip') or 'exam'}-omnidose")


def estimate_exam(folder: Path, options: EstimateOptions, target: Path, *, as_json: bool = False) -> None:
    """Survey, plan, run and write one exam, telling stderr what happens and stdout what came out."""
    from omnidose.cli.progress import stage_progress
    from omnidose.exams.plan import plan, survey
    from omnidose.exams.run import run
    from omnidose.exams.write import check_output, result_to_json, write

    err = Console(stderr=True)
    check_output(target)
    with stage_progress(err) as progress:
        inventory = survey(folder, progress=progress)
    with inventory:
        decided = plan(inventory, options)
        _print_plan(err, decided)
        with stage_progress(err) as progress:
            result = run(decided, progress=progress)
            files = write(result, target, progress=progress)
    if as_json:
        print(json.dumps(result_to_json(result, files), indent=1))
        return
    out = Console()
    _print_result(out, result)
    out.print()
    for key, path in files.items():
        if key not in ("report", "history"):
            out.print(f"[dim]{escape(str(path))}[/dim]", soft_wrap=True, highlight=False)
    out.print(
        f"Report: [bold]{escape(str(files['report'].resolve()))}[/bold]", soft_wrap=True, highlight=False
    )


def _print_plan(console: Console, decided: Plan) -> None:
    """Say what was found, what is used and what is left."""
    lines = [("dim", "found", text) for text in decided.found]
    lines += [("green", "used", item.exposure.title) for item in decided.exposures]
    lines += [("yellow", "found, not estimated", f"{i.what}: {i.reason}") for i in decided.left_out]
    lines += [("yellow", "note", text) for text in decided.notes]
    lines += [("red", "problem", text) for text in decided.problems]
    shown: dict[str, int] = {}
    for style, label, text in lines:
        shown[label] = shown.get(label, 0) + 1
        if shown[label] <= _MOST_LINES:
            console.print(f"[{style}]{label}:[/{style}] {escape(text)}", highlight=False, soft_wrap=True)
    for label, count in shown.items():
        if count > _MOST_LINES:
            console.print(f"[dim]… and {count - _MOST_LINES} more '{label}', all in the report[/dim]")


def _print_result(console: Console, result: ExamResult) -> None:
    if result.total is not None:
        _print_doses(console, result.total, "Organ doses")
    else:  # a sum of absolute and relative doses would be no dose
        for number, part in enumerate(result.results, start=1):
            _print_doses(console, part.organ_doses, f"Organ doses of scan {number}")
    for warning in result.warnings:
        _note(console, "Note.", warning)
    if result.risk is None:
        _note(console, "No risk estimate.", result.risk_reason)
        return
    _print_risk(console, result)


def _print_doses(console: Console, doses: OrganDoses, title: str) -> None:
    unit = f"mGy per {doses.relative_to}" if doses.relative_to else "mGy"
    table = Table(title=f"{title} ({unit})", pad_edge=False, title_justify="left")
    table.add_column("organ", overflow="fold")
    for name in ("dose", "± all", "± statistics"):
        table.add_column(name, justify="right")
    table.add_column("shape from")
    table.add_column("imaged", justify="right")
    rows = [row for row in doses.rows() if math.isfinite(row["dose_mgy"])]
    for row in sorted(rows, key=lambda r: -r["dose_mgy"]):
        table.add_row(
            row["organ"],
            f"{row['dose_mgy']:.3g}",
            f"{row['std_mgy']:.2g}",
            f"{row['std_statistical_mgy']:.1g}",
            row["origin"],
            f"{100 * row['imaged_fraction']:.0f} %",
        )
    console.print(table)
    if doses.relative_to:
        _note(
            console,
            "Relative result.",
            f"No CTDIvol is known, so doses are in mGy per {doses.relative_to}: multiply by the displayed "
            "CTDIvol, or give it with --ctdivol-mgy.",
        )


def _print_risk(console: Console, result: ExamResult) -> None:
    assert result.risk is not None
    total = result.risk.total
    console.print(
        f"Lifetime risk of cancer from this exam (BEIR VII): about {1e5 * total.central_fraction:.2g} "
        f"in 100 000, 95 % interval {1e5 * total.lower_fraction:.2g} to {1e5 * total.upper_fraction:.2g}; "
        f"without it {1e5 * result.risk.baseline_fraction:.0f} in 100 000.",
        highlight=False,
    )


def _note(console: Console, label: str, text: str) -> None:
    console.print(f"[yellow]{label}[/yellow] {escape(text)}", highlight=False)
