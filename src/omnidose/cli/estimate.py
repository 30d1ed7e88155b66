"""``omnidose estimate``: from a folder of DICOM to organ doses, risk and a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from omnidose.exams.plan import Plan
    from omnidose.exams.run import ExamResult


def estimate(
    folder: Annotated[Path, typer.Argument(help="Folder, file or zip with the DICOM objects of one exam.")],
    sex: Annotated[str, typer.Option(help="F or M, where the headers do not say.")] = "",
    age: Annotated[float | None, typer.Option(help="Age in years.")] = None,
    height_cm: Annotated[float | None, typer.Option(help="Height in cm.")] = None,
    weight_kg: Annotated[float | None, typer.Option(help="Weight in kg.")] = None,
    ctdivol_mgy: Annotated[
        float | None, typer.Option(help="CTDIvol in mGy, where the data give none.")
    ] = None,
    kv: Annotated[float | None, typer.Option(help="Tube voltage in kV, where the data give none.")] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Organ masks: SEG, RTSTRUCT, NIfTI, folder or zip.")
    ] = None,
    absent: Annotated[str, typer.Option(help="Removed organs, e.g. uterus,left-kidney.")] = "",
    precision: Annotated[
        float | None, typer.Option(help="Relative standard error for organs in the beam, e.g. 0.01.")
    ] = None,
    histories: Annotated[float | None, typer.Option(help="Number of photons instead, e.g. 2e7.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same result.")] = 1,
    completion: Annotated[
        bool, typer.Option(help="Continue the body beyond the images with a phantom.")
    ] = True,
    out: Annotated[Path | None, typer.Option(help="Folder for the results.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
) -> None:
    """Estimate organ doses and risk from the patient's own images."""
    from omnidose.cli.progress import stage_progress
    from omnidose.exams.options import EstimateOptions
    from omnidose.exams.plan import plan, survey
    from omnidose.exams.run import run
    from omnidose.exams.write import check_output, result_to_json, write

    err = Console(stderr=True)
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
        completion=completion,
    )
    target = out or Path(f"{folder.resolve().stem or 'exam'}-omnidose")
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
    _print_result(Console(), result)
    Console().print(f"\nReport: [bold]{files['report'].resolve()}[/bold]", soft_wrap=True, highlight=False)


def _print_plan(console: Console, decided: Plan) -> None:
    for line in decided.found:
        console.print(f"[dim]found[/dim]  {line}", highlight=False, markup=True)
    for item in decided.exposures:
        console.print(f"[green]used[/green]   {item.exposure.title}", highlight=False)
    for left in decided.left_out:
        console.print(f"[yellow]found, not estimated[/yellow]  {left.what}: {left.reason}", highlight=False)
    for problem in decided.problems:
        console.print(f"[red]problem[/red]  {problem}", highlight=False)


def _print_result(console: Console, result: ExamResult) -> None:
    doses = result.total or result.results[0].organ_doses
    unit = f"mGy per {doses.relative_to}" if doses.relative_to else "mGy"
    table = Table(title=f"Organ doses ({unit})", pad_edge=False)
    for name, justify in (
        ("organ", "left"),
        ("dose", "right"),
        ("± all", "right"),
        ("± statistics", "right"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("shape from")
    table.add_column("imaged", justify="right")
    rows = sorted(doses.rows(), key=lambda r: -r["dose_mgy"])
    for row in rows:
        if row["dose_mgy"] == row["dose_mgy"]:
            table.add_row(
                row["organ"],
                f"{row['dose_mgy']:.3g}",
                f"{row['std_mgy']:.2g}",
                f"{row['std_statistical_mgy']:.1g}",
                row["origin"],
                f"{100 * row['imaged_fraction']:.0f} %",
            )
    console.print(table)
    for warning in result.warnings:
        console.print(f"[yellow]Note.[/yellow] {warning}", highlight=False)
    if result.risk is None:
        console.print(f"[yellow]No risk estimate.[/yellow] {result.risk_reason}", highlight=False)
