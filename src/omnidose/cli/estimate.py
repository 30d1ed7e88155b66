"""``omnidose estimate``: from a folder of DICOM to organ doses, risk and a report."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from omnidose.anatomy.body import Person
    from omnidose.exams.options import EstimateOptions
    from omnidose.exams.plan import Plan

_PERSON, _SCAN, _RUN, _OUTPUT = "The person", "The scan and its anatomy", "Precision", "Output"
#: At most so many lines of what was found and left are shown; the report has all.
_MOST_LINES = 12
#: Remarks that repeat what the line about the person says.
_OF_PERSON = re.compile(r"(sex|age|height|weight) \S+.* from \w+")


def _list_keys(texts: list[str] | None) -> list[str] | None:
    """Print the keys of ``--given`` and stop, if somebody asks for help."""
    if not texts or "help" not in texts:
        return texts
    from omnidose.exams.said import known_fields

    console = Console()
    for item in known_fields().values():
        what = "|".join(item.choices) or (item.unit and f"NUMBER in {item.unit}") or "TEXT"
        words = f"{item.label}. {item.help}".rstrip()
        console.print(f"[bold]{item.key}[/bold]={escape(what)}", highlight=False, soft_wrap=True)
        console.print(f"    {escape(words)}", highlight=False, soft_wrap=True)
    raise typer.Exit


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
    given: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="What the data of a nuclear medicine exam do not say, e.g. injected_mbq=250; repeat. "
            "'help' lists the keys.",
            rich_help_panel=_SCAN,
            callback=_list_keys,
            is_eager=True,
            show_default=False,
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
    cluster: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Photons on the workers of a Dask scheduler, e.g. tcp://scheduler:8786.",
            rich_help_panel=_RUN,
            show_default=False,
        ),
    ] = "",
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
    from omnidose.exams.said import pairs

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
        cluster=cluster,
        absent=frozenset(k.strip() for k in absent.split(",") if k.strip()),
        segmenter=segmenter,
        contrast=chosen(contrast, Contrasts, "--contrast"),
        completion=completion,
        given=pairs(given or []),
    )
    estimate_exam(folder, options, out or default_folder(folder), as_json=as_json)


def default_folder(exam: Path) -> Path:
    """Return where the results of an exam go if nobody says: beside nothing of the exam's own."""
    name = exam.resolve().name
    return Path(f"{name.removesuffix('.zip') or 'exam'}-omnidose")


def estimate_exam(folder: Path, options: EstimateOptions, target: Path, *, as_json: bool = False) -> None:
    """Survey, plan, run and write one exam, telling stderr what happens and stdout what came out."""
    from omnidose.cli.progress import stage_progress
    from omnidose.cli.result_table import print_result
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
    print_result(out, result)
    out.print()
    names = ", ".join(path.name for key, path in files.items() if key != "report")
    out.print(f"[dim]In {escape(str(target))}: {escape(names)}[/dim]", highlight=False)
    out.print(
        f"Report: [bold]{escape(str(files['report'].resolve()))}[/bold]", soft_wrap=True, highlight=False
    )


def _print_plan(console: Console, decided: Plan) -> None:
    """Say what was found, what is used and what is left."""
    lines = [("dim", "found", text) for text in decided.found]
    lines += [("green", "used", item.exposure.title) for item in decided.exposures]
    lines += [("yellow", "found, not estimated", f"{i.what}: {i.reason}") for i in decided.left_out]
    lines.append(("dim", "person", person_line(decided.person)))
    lines += [("yellow", "note", text) for text in decided.notes if not _OF_PERSON.match(text)]
    lines += [("red", "problem", text) for text in decided.problems]
    shown: dict[str, int] = {}
    for style, label, text in lines:
        shown[label] = shown.get(label, 0) + 1
        if shown[label] <= _MOST_LINES:
            console.print(f"[{style}]{label}:[/{style}] {escape(text)}", highlight=False, soft_wrap=True)
    for label, count in shown.items():
        if count > _MOST_LINES:
            console.print(f"[dim]… and {count - _MOST_LINES} more '{label}', all in the report[/dim]")


def person_line(person: Person) -> str:
    """Return what is known of the person, and what is not."""
    words = [{"F": "female", "M": "male"}.get(person.sex, "sex unknown")]
    words.append("age unknown" if person.age_y is None else f"{person.age_y:.3g} years")
    words.append("height unknown" if person.height_cm is None else f"{person.height_cm:.0f} cm")
    words.append("weight unknown" if person.weight_kg is None else f"{person.weight_kg:.0f} kg")
    return ", ".join(words)
