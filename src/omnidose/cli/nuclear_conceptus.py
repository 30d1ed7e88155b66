"""``omnidose nuclear conceptus``: dose of the conceptus from a radiopharmaceutical given to the mother."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from omnidose.cli.nuclear_organ import VOID_H
from omnidose.errors import InputError

if TYPE_CHECKING:
    from omnidose.cli.nuclear_organ import Asked
    from omnidose.modalities.nuclear.conceptus import ConceptusDose, PublishedDose, Stage

REMARK = (
    "95 %: from the lowest value known divided by 2 to the highest times 2 (expert judgement). A: read in "
    "the source, B: quoted by another, D: derived. The CT of a PET/CT or SPECT/CT comes on top."
)


def conceptus(
    agent: Annotated[
        str, typer.Argument(help="99mTc-pertechnetate, FDG …; none: list what is published.")
    ] = "",
    activity_mbq: Annotated[
        float | None, typer.Option("--activity", metavar="MBQ", help="Administered activity; else mGy/MBq.")
    ] = None,
    pregnancy_weeks: Annotated[
        float | None,
        typer.Option("--weeks", metavar="W", help="Weeks after the last period; else all stages."),
    ] = None,
    stage: Annotated[
        str, typer.Option(help="early, 3-months, 6-months or 9-months, instead of --weeks.")
    ] = "",
    nuclide: Annotated[str, typer.Option(help="Of --source: Tc-99m …")] = "",
    source: Annotated[
        list[str] | None,
        typer.Option(metavar="REGION=HOURS", help="Decays in the mother (MBq h/MBq), to compute; repeat."),
    ] = None,
    void_h: Annotated[
        float, typer.Option("--void", metavar="H", help="Hours between voids, for packaged models.")
    ] = VOID_H,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Give the dose of the conceptus: published values, and early in pregnancy that of the uterus."""
    from omnidose.modalities.nuclear.conceptus import published_agents

    if not agent and not source:
        names = published_agents()
        print(json.dumps(list(names), indent=1) if as_json else "\n".join(names))
        return
    wanted = _wanted(pregnancy_weeks, stage)
    content = content_of(agent, activity_mbq, wanted, _asked(agent, nuclide, source or [], void_h))
    if as_json:
        print(json.dumps(content, indent=1, allow_nan=False))
        return
    _print(Console(), content)


def _wanted(pregnancy_weeks: float | None, stage: str) -> tuple[Stage, ...]:
    from omnidose.modalities.nuclear.conceptus import Stage, stage_of

    if pregnancy_weeks is not None and stage:
        raise InputError("--weeks and --stage were both given", todo="give one of them")
    if pregnancy_weeks is not None:
        return (stage_of(pregnancy_weeks),)
    if not stage:
        return tuple(Stage)
    if stage not in {item.value for item in Stage}:
        raise InputError(
            f"there is no stage '{stage}'", where="--stage", allowed=", ".join(s.value for s in Stage)
        )
    return (Stage(stage),)


def _asked(agent: str, nuclide: str, source: list[str], void_h: float) -> Asked | None:
    """Return the mother's coefficients: given, of a packaged model, or published; None if there are none."""
    from omnidose.cli.nuclear_organ import asked_for
    from omnidose.data import load
    from omnidose.kinetics import biokinetics as bio
    from omnidose.kinetics.agents import find_agent

    if source:
        return asked_for(nuclide, source, "", void_h)
    measured = [str(r["model"]) for r in load(bio.COEFFICIENTS).rows() if r["person"] == "female"]
    names = [*bio.model_names(), *bio.model_names(recalled=True), *measured]
    try:
        name = find_agent(agent, names)
    except InputError:
        return None
    return asked_for("", [], name, void_h)


def content_of(
    agent: str, activity_mbq: float | None, wanted: tuple[Stage, ...], asked: Asked | None
) -> dict[str, Any]:
    """Return what is printed, as plain JSON types.

    Raises
    ------
    InputError
        If nothing is known of the agent at any of the stages.
    """
    from omnidose.modalities.nuclear.conceptus import Stage, conceptus_dose, uterus_dose

    given = 1.0 if activity_mbq is None else activity_mbq
    found: list[ConceptusDose] = []
    faults: list[InputError] = []
    for item in wanted:
        try:
            if agent:
                found.append(conceptus_dose(agent, given, item))
        except InputError as error:
            faults.append(error)
        if asked is not None and item is Stage.EARLY:
            found.append(uterus_dose(asked.hours("F"), asked.nuclide, given, agent=agent))
    thyroid = _thyroid(agent) if any(item is not Stage.EARLY for item in wanted) else ()
    if not found and not thyroid:
        raise (
            faults[0]
            if faults
            else InputError(
                "only the dose up to the 10th week can be computed", where="--weeks, --stage", allowed="early"
            )
        )
    return {
        "agent": next(filter(None, [*(d.agent for d in found), *(d.agent for d in thyroid)]), agent),
        "activity_mbq": activity_mbq,
        "unit": "mGy/MBq" if activity_mbq is None else "mGy",
        "doses": [_row(item) for item in found],
        "fetal_thyroid_mgy_per_mbq": [_published(item) for item in thyroid],
        "notes": _notes(found, faults, asked, thyroid),
        "remark": REMARK,
    }


def _thyroid(agent: str) -> tuple[PublishedDose, ...]:
    """Return the published doses of the fetal thyroid; none if the table has no such agent."""
    from omnidose.modalities.nuclear.conceptus import Target, published_doses

    try:
        return tuple(d for d in published_doses(agent) if d.target is Target.FETAL_THYROID) if agent else ()
    except InputError:
        return ()


def _notes(
    found: list[ConceptusDose],
    faults: list[InputError],
    asked: Asked | None,
    thyroid: tuple[PublishedDose, ...],
) -> list[str]:
    from omnidose.modalities.nuclear.conceptus import THYROID

    notes = [f"{faults[0].what}." if faults and not found else ""]
    for item in found:
        notes += [*asked.notes, item.notes[0]] if item.computed and asked is not None else []
        notes += item.notes[1:]
    notes.append(THYROID if thyroid else "")
    return [note for note in dict.fromkeys(notes) if note]


def _row(item: ConceptusDose) -> dict[str, Any]:
    return {
        "stage": item.stage.value,
        "dose": item.dose_mgy,
        "low95": item.low95_mgy,
        "high95": item.high95_mgy,
        "computed": item.computed,
        "grade": item.grade,
        "source": item.source,
        "about": item.notes[0],
        "others_mgy_per_mbq": [_published(other) for other in item.others],
    }


def _published(item: PublishedDose) -> dict[str, Any]:
    return {
        "stage": item.stage.value,
        "dose_mgy_per_mbq": item.dose_mgy_per_mbq,
        "grade": item.grade,
        "source": item.source,
        "note": item.note,
    }


def _print(console: Console, content: dict[str, Any]) -> None:
    table = Table(
        title=f"{content['agent'] or 'sources given'}: dose of the conceptus ({content['unit']})",
        title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False,
    )  # fmt: skip
    for name in ("stage", "dose", "95 %", "from", ""):
        table.add_column(name, justify="right" if name == "dose" else "left")
    for row in content["doses"]:
        origin = "computed: uterus" if row["computed"] else f"published ({row['grade']})"
        interval = f"{row['low95']:.2g} – {row['high95']:.2g}"
        table.add_row(row["stage"], f"{row['dose']:.3g}", interval, origin, row["about"])
    if content["doses"]:
        console.print(table)
    shown = {(row["source"], row["stage"]) for row in content["doses"]}
    others = {(o["source"], o["stage"]): o for row in content["doses"] for o in row["others_mgy_per_mbq"]}
    left = [other for key, other in others.items() if key not in shown]
    for other in left:
        console.print(
            f"also published: {other['dose_mgy_per_mbq']:.3g} mGy/MBq, {other['stage']}, {other['note']} "
            f"({other['grade']})",
            highlight=False,
        )
    for item in content["fetal_thyroid_mgy_per_mbq"]:
        console.print(
            f"[bold]fetal thyroid[/bold]: {item['dose_mgy_per_mbq']:.3g} mGy/MBq, {item['note']} "
            f"({item['grade']})",
            highlight=False,
        )
    sources = [row["source"] for row in content["doses"]]
    sources += [o["source"] for o in left] + [t["source"] for t in content["fetal_thyroid_mgy_per_mbq"]]
    for note in content["notes"]:
        console.print(f"- {escape(note)}", highlight=False)
    for text in dict.fromkeys(sources):
        console.print(f"[dim]- {escape(text)}[/dim]", highlight=False)
    console.print(f"[dim]{content['remark']}[/dim]", highlight=False)
