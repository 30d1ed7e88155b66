"""``omnidose nuclear plan verify``: what a therapy reached beside its plan, and the next cycle."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from omnidose.cli.nuclear_plan import AsJson, Probability
from omnidose.cli.nuclear_plan_table import mbq, new_table, note, print_end, print_json, say
from omnidose.errors import InputError

if TYPE_CHECKING:
    from omnidose.modalities.nuclear.planning.cycles import Course
    from omnidose.modalities.nuclear.planning.verification import Change, Delivered, Verification


def verify_(
    planned_mgy_per_mbq: Annotated[
        float, typer.Option("--planned", metavar="GY/GBQ", help="Dose per activity of the plan.")
    ],
    planned_std_rel: Annotated[
        float, typer.Option("--planned-std", metavar="REL", help="Its relative uncertainty.")
    ],
    administered_mbq: Annotated[float, typer.Option("--administered", metavar="MBQ", help="What was given.")],
    achieved_gy: Annotated[
        float | None, typer.Option("--achieved", metavar="GY", help="Dose measured afterwards.")
    ] = None,
    achieved_std_rel: Annotated[
        float | None, typer.Option("--achieved-std", metavar="REL", help="Its relative uncertainty.")
    ] = None,
    curve: Annotated[
        Path | None,
        typer.Option(help="Or CSV: time_h, activity_mbq, if known std_mbq of the tissue (with --mass-g)."),
    ] = None,
    mass_g: Annotated[float | None, typer.Option(help="Mass of the tissue, with --curve.")] = None,
    nuclide: Annotated[str, typer.Option(help="Of the therapy.")] = "Lu-177",
    point_std_rel: Annotated[
        float | None, typer.Option("--point-std", metavar="REL", help="Of points, without a column of it.")
    ] = None,
    mass_std_rel: Annotated[float, typer.Option("--mass-std", metavar="REL", help="With --curve.")] = 0.10,
    calibration_std_rel: Annotated[
        float, typer.Option("--calibration-std", metavar="REL", help="Of the camera, with --curve.")
    ] = 0.05,
    correlation_fraction: Annotated[
        float, typer.Option("--correlation", metavar="R", help="Of both errors: same camera, same volume.")
    ] = 0.0,
    planned_mbq: Annotated[
        float | None, typer.Option("--planned-activity", metavar="MBQ", help="What should have been given.")
    ] = None,
    planned_half_life_h: Annotated[
        float | None, typer.Option("--planned-half-life", metavar="H", help="Effective, of the plan.")
    ] = None,
    half_life_h: Annotated[
        float | None, typer.Option("--half-life", metavar="H", help="Effective, measured (or from --curve).")
    ] = None,
    prescription_gy: Annotated[
        float | None, typer.Option("--prescription", metavar="GY", help="Dose that all cycles should reach.")
    ] = None,
    limit: Annotated[
        str, typer.Option(metavar="LIMIT", help="kidneys-bed, red-marrow … or ORGAN=GY, of all cycles.")
    ] = "",
    cycles: Annotated[
        Path | None, typer.Option(help="CSV of earlier cycles: organ,activity_mbq,dose_gy,std_rel.")
    ] = None,
    common_std_rel: Annotated[
        float | None,
        typer.Option(
            "--common-std",
            metavar="REL",
            help="Part of it that all cycles share; with --curve that of mass and camera, else none.",
        ),
    ] = None,
    change_std_rel: Annotated[
        float, typer.Option("--change-std", metavar="REL", help="Of a cycle to come against those given.")
    ] = 0.15,
    probability_fraction: Probability = 0.9,
    name: Annotated[str, typer.Option(help="Organ or lesion.")] = "dose",
    as_json: AsJson = False,
) -> None:
    """Compare a plan with the dose measured after the therapy, and find the activity of the next cycle.

    With --prescription the least activity that reaches it, with --limit the largest that keeps it, both for
    all cycles together. --mass-std, --calibration-std and --change-std are assumptions of ours unless you
    give yours.
    """
    from omnidose.modalities.nuclear.planning.confidence import DosePerActivity
    from omnidose.modalities.nuclear.planning.verification import verify

    delivered = None
    if curve is not None:
        if achieved_gy is not None or achieved_std_rel is not None:
            raise InputError("give either --achieved with --achieved-std, or --curve with --mass-g")
        delivered = _delivered(
            curve, mass_g, nuclide, point_std_rel, mass_std_rel, calibration_std_rel, administered_mbq
        )
        achieved_mgy, achieved_std_rel = delivered.dose_mgy, delivered.std_rel
        half_life_h = half_life_h or delivered.half_life_h
    elif achieved_gy is None or achieved_std_rel is None:
        raise InputError("give either --achieved with --achieved-std, or --curve with --mass-g")
    else:
        achieved_mgy = 1000 * achieved_gy
    found = verify(
        DosePerActivity(name=name, median_mgy_per_mbq=planned_mgy_per_mbq, std_rel=planned_std_rel),
        administered_mbq=administered_mbq,
        achieved_mgy=achieved_mgy,
        achieved_std_rel=achieved_std_rel,
        correlation_fraction=correlation_fraction,
    )
    change = _change(found, nuclide, planned_half_life_h, half_life_h, administered_mbq, planned_mbq)
    if common_std_rel is None:
        common_std_rel = math.hypot(mass_std_rel, calibration_std_rel) if delivered is not None else 0.0
    next_mbq: dict[str, float] = {}
    reached_fraction = None
    for key, course in _courses(
        name, limit, prescription_gy, cycles, half_life_h,
        (administered_mbq, achieved_mgy, achieved_std_rel), common_std_rel, change_std_rel,
    ).items():  # fmt: skip
        if key == "prescription":
            next_mbq[key] = course.least_mbq(probability_fraction)
            reached_fraction = course.reached_fraction
        else:
            next_mbq[key] = course.largest_mbq(probability_fraction)
    assumptions = delivered.assumptions if delivered is not None else ()
    if next_mbq:
        assumptions += (
            f"change of a cycle to come {change_std_rel:g}, common to cycles {common_std_rel:.2g}",
        )
    flags = delivered.integral.flags if delivered is not None else ()
    if as_json:
        print_json(
            {
                "verification": found,
                "ratio": found.ratio,
                "sentence": found.sentence,
                "delivered": delivered,
                "change": change,
                "reached_fraction": reached_fraction,
                "next_cycle_mbq": next_mbq,
                "probability_fraction": probability_fraction,
                "assumptions": assumptions,
                "flags": flags,
            }
        )
        return
    console = Console()
    _print(console, found, delivered, change)
    if reached_fraction is not None:
        say(
            console,
            f"The cycles given reach the prescription with a probability of {100 * reached_fraction:.0f} %",
        )
    _print_next(console, next_mbq, probability_fraction)
    for flag in flags:
        note(console, flag)
    print_end(console, assumptions)


def _delivered(
    path: Path,
    mass_g: float | None,
    nuclide: str,
    point_std_rel: float | None,
    mass_std_rel: float,
    calibration_std_rel: float,
    administered_mbq: float,
) -> Delivered:
    from omnidose.cli.nuclear_curves import read_curve
    from omnidose.modalities.nuclear.planning.plausible import check_decays
    from omnidose.modalities.nuclear.planning.verification import delivered_dose
    from omnidose.physics.nuclides import nuclide as load_nuclide

    if mass_g is None:
        raise InputError("decays are no dose without the mass", where="--mass-g")
    found = delivered_dose(
        read_curve(path, std_rel=point_std_rel),
        nuclide=nuclide,
        mass_g=mass_g,
        mass_std_rel=mass_std_rel,
        calibration_std_rel=calibration_std_rel,
    )
    coefficient_h = found.integral.coefficient_h(administered_mbq)
    check_decays(coefficient_h, half_life_h=load_nuclide(nuclide).half_life_h, where=str(path))
    return found


def _change(
    found: Verification,
    nuclide: str,
    planned_half_life_h: float | None,
    half_life_h: float | None,
    administered_mbq: float,
    planned_mbq: float | None,
) -> Change | None:
    from omnidose.modalities.nuclear.planning.verification import split_change
    from omnidose.physics.nuclides import nuclide as load_nuclide

    if planned_half_life_h is None:
        return None
    if half_life_h is None:
        raise InputError(
            "a planned half-life needs the measured one", where="--half-life", todo="give it, or --curve"
        )
    return split_change(
        found,
        planned_half_life_h=planned_half_life_h,
        half_life_h=half_life_h,
        physical_half_life_h=load_nuclide(nuclide).half_life_h,
        activity_rel=1.0 if planned_mbq is None else administered_mbq / planned_mbq,
    )


def _courses(
    name: str,
    limit: str,
    prescription_gy: float | None,
    cycles: Path | None,
    half_life_h: float | None,
    this: tuple[float, float, float],
    common_std_rel: float,
    change_std_rel: float,
) -> dict[str, Course]:
    """Return what the next cycle must reach or keep; ``this``: activity, dose and its uncertainty."""
    from omnidose.cli.nuclear_plan_cycles import limit_of, read_cycles
    from omnidose.modalities.nuclear.planning.cycles import Course, GivenCycle
    from omnidose.modalities.nuclear.planning.limits import Limit
    from omnidose.quantities import AbsorbedDose

    wanted = {}
    if prescription_gy is not None:
        wanted["prescription"] = Limit(organ=name, value=AbsorbedDose(1000 * prescription_gy))
    if limit:
        wanted["limit"] = limit_of(limit, half_life_h)
        if wanted["limit"].organ != name:
            raise InputError(
                f"the limit is of {wanted['limit'].organ} and the dose of {name}",
                where="--limit, --name",
                todo=f"say --name {wanted['limit'].organ}, if it is",
            )
    if cycles is not None and not wanted:
        raise InputError("earlier cycles need a --prescription or a --limit", where="--cycles")
    earlier = read_cycles(cycles) if cycles is not None else {}
    if cycles is not None and name not in earlier:
        raise InputError(f"there is no cycle of {name}", where=str(cycles), allowed=", ".join(earlier))
    activity_mbq, dose_mgy, std_rel = this
    if common_std_rel > std_rel * (1 + 1e-9):
        raise InputError(
            f"cycles cannot share an uncertainty of {common_std_rel:g} where this one has {std_rel:g}",
            where="--common-std",
            allowed="not more than the whole",
        )
    own_std_rel = math.sqrt(max(std_rel**2 - common_std_rel**2, 0.0))
    given = (
        *earlier.get(name, ()),
        GivenCycle(activity_mbq=activity_mbq, dose_mgy=dose_mgy, own_std_rel=own_std_rel),
    )
    return {
        key: Course(limit=value, given=given, common_std_rel=common_std_rel, change_std_rel=change_std_rel)
        for key, value in wanted.items()
    }


def _print(console: Console, found: Verification, delivered: Delivered | None, change: Change | None) -> None:
    table = new_table(("", "Gy", "95 %"))
    rows: dict[str, Any] = {
        "planned": (found.planned_mgy, found.planned_low95_mgy, found.planned_high95_mgy),
        "achieved": (found.achieved_mgy, found.achieved_low95_mgy, found.achieved_high95_mgy),
    }
    for row, (value, low, high) in rows.items():
        table.add_row(row, f"{value / 1000:.3g}", f"{low / 1000:.3g} – {high / 1000:.3g}")
    console.print(table)
    say(console, escape(found.sentence))
    if delivered is not None:
        say(
            console,
            f"Measured: {delivered.integral.value_mbq_h:.4g} MBq h ± {100 * delivered.integral.std_rel:.0f} "
            f"% ({delivered.integral.method}), effective half-life {delivered.half_life_h:.3g} h",
        )
    if change is not None:
        say(console, f"Against the plan: {change.sentence}")


def _print_next(console: Console, next_mbq: dict[str, float], probability_fraction: float) -> None:
    p = f"with a probability of {100 * probability_fraction:.0f} %"
    if "prescription" in next_mbq:
        say(
            console,
            f"[bold]Next cycle: at least {mbq(next_mbq['prescription'])} MBq[/bold] reach the prescription, "
            f"all cycles together, {p}",
        )
    if "limit" in next_mbq:
        say(
            console,
            f"[bold]Next cycle: at most {mbq(next_mbq['limit'])} MBq[/bold] keep the limit of all cycles "
            f"together, {p}",
        )
    if len(next_mbq) > 1 and next_mbq["prescription"] > next_mbq["limit"]:
        note(console, "the limit does not allow what the prescription asks for")
