"""``omnidose nuclear plan lutetium`` and ``marrow``: cycles with 177Lu, and red marrow from blood."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from omnidose.cli.nuclear_plan import AsJson, Probability
from omnidose.cli.nuclear_plan_table import mbq, new_table, note, print_end, print_json, say
from omnidose.errors import InputError

if TYPE_CHECKING:
    from omnidose.modalities.nuclear.planning.confidence import DosePerActivity
    from omnidose.modalities.nuclear.planning.cycles import CyclePlan, GivenCycle
    from omnidose.modalities.nuclear.planning.limits import Limit

#: Cycles whose activities differ by more than this factor are not of one unit.
_MUCH = 20.0
COLUMNS = ("organ", "activity_mbq", "dose_gy", "std_rel")


def lutetium(
    limits: Annotated[
        list[str],
        typer.Option(
            "--limit",
            metavar="LIMIT",
            help="kidneys-bed, kidneys-bed-risk, kidneys, kidneys-high, red-marrow, or organ=GY. Repeat it.",
        ),
    ],
    cycles: Annotated[
        Path | None,
        typer.Argument(
            help="CSV of cycles given: organ,activity_mbq,dose_gy,std_rel (none before the first)."
        ),
    ] = None,
    planned_mbq: Annotated[float, typer.Option("--planned", metavar="MBQ", help="Usual activity.")] = 7400.0,
    half_life_h: Annotated[
        float | None,
        typer.Option("--half-life", metavar="H", help="Effective half-life in the kidneys, for a BED."),
    ] = None,
    expected: Annotated[
        list[str] | None,
        typer.Option(metavar="ORGAN:GY_PER_GBQ:REL", help="Before the first cycle: kidneys:0.43:0.3."),
    ] = None,
    common_std_rel: Annotated[
        float, typer.Option("--common-std", metavar="REL", help="Shared by all cycles: camera, volume.")
    ] = 0.10,
    change_std_rel: Annotated[
        float, typer.Option("--change-std", metavar="REL", help="Of a cycle to come against those given.")
    ] = 0.15,
    probability_fraction: Probability = 0.9,
    as_json: AsJson = False,
) -> None:
    """Plan the next cycle with 177Lu, and count those that remain.

    Uncertainties (--common-std, --change-std) are assumptions of ours unless you give yours.
    """
    from omnidose.modalities.nuclear.planning.confidence import DosePerActivity
    from omnidose.modalities.nuclear.planning.cycles import Course, plan_next_cycle

    _check_half_life(half_life_h)
    given = read_cycles(cycles) if cycles is not None else {}
    before = {}
    for text in expected or []:
        organ, _, numbers = text.partition(":")
        per_gbq, std_rel = _two_numbers(numbers, text)
        before[organ] = DosePerActivity(
            name=organ, median_mgy_per_mbq=per_gbq, std_rel=std_rel, source="given"
        )
    courses = []
    for text in limits:
        limit = limit_of(text, half_life_h)
        courses.append(
            Course(
                limit=limit,
                given=tuple(given.get(limit.organ, ())),
                common_std_rel=common_std_rel,
                change_std_rel=change_std_rel,
                expected=before.get(limit.organ),
            )
        )
    unused = (set(given) | set(before)) - {course.limit.organ for course in courses}
    if unused:
        raise InputError(
            f"there are doses but no limit of {', '.join(sorted(unused))}",
            where="--limit",
            todo="give one, or leave the organ out",
        )
    plan = plan_next_cycle(courses, planned_mbq=planned_mbq, probability_fraction=probability_fraction)
    assumed = {"common_std_rel": common_std_rel, "change_std_rel": change_std_rel}
    flags = (*plan.flags, *_doubts(given, before, planned_mbq))
    if as_json:
        print_json({"plan": plan, **assumed, "flags": flags})
        return
    _print_cycles(Console(), plan, assumed, flags)


def _doubts(
    given: dict[str, list[GivenCycle]], before: dict[str, DosePerActivity], planned_mbq: float
) -> list[str]:
    """Return what does not fit together: an expectation beside measured cycles, activities in two units."""
    found = [
        f"{organ}: cycles are given, so the expected dose per activity is not used"
        for organ in before
        if organ in given
    ]
    activities = [cycle.activity_mbq for cycles in given.values() for cycle in cycles]
    if activities and not min(activities) / _MUCH <= planned_mbq <= max(activities) * _MUCH:
        found.append(
            f"{mbq(planned_mbq)} MBq are planned and {mbq(activities[0])} MBq were given: check MBq against "
            "GBq"
        )
    return found


def _check_half_life(half_life_h: float | None) -> None:
    """Refuse an effective half-life that is longer than that of 177Lu."""
    from omnidose.physics.nuclides import nuclide

    physical_h = nuclide("Lu-177").half_life_h
    if half_life_h is not None and half_life_h > physical_h:
        raise InputError(
            f"an effective half-life of {half_life_h:g} h is longer than that of 177Lu, {physical_h:.4g} h",
            where="--half-life",
            todo="check whether it is the biological one",
        )


def read_cycles(path: Path) -> dict[str, list[GivenCycle]]:
    """Return the given cycles of each organ from a CSV file.

    Raises
    ------
    InputError
        If the file cannot be read, or lacks a column or a number.
    """
    from omnidose.modalities.nuclear.planning.cycles import GivenCycle

    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"the cycles cannot be read: {error.strerror}", where=str(path)) from None
    rows = list(csv.DictReader(line for line in text.splitlines() if line.strip()))
    missing = [c for c in COLUMNS if not rows or rows[0].get(c) is None]
    if missing:
        raise InputError(
            f"the cycles lack {', '.join(missing)}", where=str(path), allowed=f"columns {','.join(COLUMNS)}"
        )
    found: dict[str, list[GivenCycle]] = {}
    for number, row in enumerate(rows, start=2):
        try:
            activity, dose, std = (float(row[c]) for c in COLUMNS[1:])
        except (TypeError, ValueError):
            raise InputError(
                "a cycle holds something that is no number", where=f"{path}, row {number}"
            ) from None
        cycle = GivenCycle(activity_mbq=activity, dose_mgy=1000 * dose, own_std_rel=std)
        found.setdefault(row["organ"].strip(), []).append(cycle)
    return found


def _two_numbers(text: str, whole: str) -> tuple[float, float]:
    try:
        first, second = (float(x) for x in text.split(":"))
    except ValueError:
        raise InputError(
            f"'{whole}' says no dose per activity", where="--expected", allowed="kidneys:0.43:0.3"
        ) from None
    return first, second


def limit_of(text: str, half_life_h: float | None) -> Limit:
    """Return a usual limit by name, or ``organ=GY`` as an absorbed dose."""
    from omnidose.modalities.nuclear.planning.limits import Limit, usual_limit
    from omnidose.quantities import AbsorbedDose

    organ, sign, number = text.partition("=")
    if not sign:
        return usual_limit(text, effective_half_life_h=half_life_h)
    try:
        value_gy = float(number)
    except ValueError:
        raise InputError(
            f"'{text}' is no limit", where="--limit", allowed="for example spleen=20 (Gy)"
        ) from None
    return Limit(organ=organ.strip(), value=AbsorbedDose(1000 * value_gy))


def _print_cycles(
    console: Console, plan: CyclePlan, assumed: dict[str, float], flags: tuple[str, ...]
) -> None:
    table = new_table(("organ", "limit", "used", "95 %", "Gy/GBq", "next, MBq", "cycles"))
    for organ in plan.organs:
        table.add_row(
            escape(organ.organ),
            f"{organ.limit_mgy / 1000:.4g} {organ.unit}",
            f"{organ.used_mgy / 1000:.3g}",
            f"{organ.used_low95_mgy / 1000:.3g} – {organ.used_high95_mgy / 1000:.3g}",
            f"{organ.next_mgy_per_mbq:.3g}",
            f"≤ {mbq(organ.largest_mbq)}",
            str(organ.remaining),
        )
    console.print(table)
    p = f"{100 * plan.probability_fraction:.0f} %"
    say(
        console,
        f"[bold]Next cycle: {mbq(plan.activity_mbq)} MBq; {plan.remaining} of them keep every limit[/bold], "
        f"each with a probability of {p}; the fewest for {escape(plan.by)}",
    )
    for organ in plan.organs:
        if organ.protraction_fraction is not None:
            say(console, f"{escape(organ.organ)}: G = {organ.protraction_fraction:.3f}, cycles added as BED")
    if plan.limited:
        note(
            console, f"the planned {mbq(plan.planned_mbq)} MBq would exceed the limit of {plan.by} too likely"
        )
    for flag in flags:
        note(console, flag)
    say(
        console,
        f"Relative uncertainties: common to all cycles {assumed['common_std_rel']:g}, change of a cycle to "
        f"come {assumed['change_std_rel']:g}",
    )
    print_end(console, tuple(organ.source for organ in plan.organs))


def marrow(
    blood: Annotated[Path, typer.Argument(help="CSV: time_h,activity_mbq in 1 mL of blood.")],
    body: Annotated[Path, typer.Argument(help="CSV: time_h,activity_mbq in the whole body.")],
    administered_mbq: Annotated[float, typer.Option("--administered", metavar="MBQ")],
    body_kg: Annotated[float, typer.Option(help="Body mass, kg.")],
    sex: Annotated[str, typer.Option(metavar="F|M", help="Reference adult of the photons.")],
    nuclide: Annotated[str, typer.Option(help="Emitter of electrons and photons.")] = "Lu-177",
    ratio: Annotated[
        float, typer.Option(help="Marrow to blood, per gram: 1 for 177Lu-DOTATATE, 0.36 for antibodies.")
    ] = 1.0,
    ratio_std_rel: Annotated[float, typer.Option("--ratio-std", metavar="REL")] = 0.20,
    std_rel: Annotated[
        float | None, typer.Option("--std", metavar="REL", help="Of the points, without a column of it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the dose of red marrow from blood: Gy/GBq for --expected, Gy for the table of cycles.

    The uncertainty --ratio-std is an assumption of ours unless you give yours.
    """
    from omnidose.cli.nuclear_plan_iodine import decays_per_activity
    from omnidose.modalities.nuclear.planning.blood import marrow_dose

    curves = [
        decays_per_activity(path, administered_mbq, std_rel, nuclide_name=nuclide) for path in (blood, body)
    ]
    dose = marrow_dose(
        curves[0],
        curves[1],
        body_kg=body_kg,
        ratio=ratio,
        ratio_std_rel=ratio_std_rel,
        nuclide=nuclide,
        sex=sex,
    )
    flags = [
        f"{where}: {flag}" for where, c in zip(("blood", "body"), curves, strict=True) for flag in c.flags
    ]
    given_mgy = dose.dose_mgy(administered_mbq)
    if as_json:
        print_json(
            {"dose": dose, "administered_mbq": administered_mbq, "dose_mgy": given_mgy, "flags": flags}
        )
        return
    console = Console()
    say(
        console,
        f"[bold]Red marrow: {dose.median_mgy_per_mbq:.4g} Gy/GBq[/bold] ± {100 * dose.std_rel:.0f} %, "
        f"{given_mgy / 1000:.3g} Gy with {mbq(administered_mbq)} MBq",
    )
    for where, curve in zip(("1 mL of blood", "body"), curves, strict=True):
        say(
            console,
            f"Decays per activity in {where}: {curve.value_mbq_h:.4g} h ± {100 * curve.std_rel:.0f} %",
        )
    for flag in flags:
        note(console, flag)
    print_end(console, (dose.source,))
