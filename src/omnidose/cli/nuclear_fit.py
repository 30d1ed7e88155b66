"""``omnidose nuclear fit``: a measured curve to decays, with every shape that was tried."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from omnidose.cli.nuclear_fit_point import content_of_point, one_point, print_point
from omnidose.errors import InputError

if TYPE_CHECKING:
    from omnidose.kinetics.choice import Choice
    from omnidose.kinetics.curves import TimeIntegratedActivity


def fit(
    curve: Annotated[
        Path,
        typer.Argument(
            help="CSV: time_h, activity_mbq and, if known, std_mbq, region. Hours after injection."
        ),
    ],
    nuclide: Annotated[str, typer.Option(metavar="NAME", help="Its half-life is the physical one.")] = "",
    half_life_h: Annotated[
        float | None, typer.Option("--half-life", metavar="H", help="Physical half-life in hours instead.")
    ] = None,
    std_rel: Annotated[
        float | None, typer.Option("--std", metavar="REL", help="Relative uncertainty of points, e.g. 0.05.")
    ] = None,
    decay_corrected: Annotated[
        bool, typer.Option("--decay-corrected", help="The activities were corrected to the injection.")
    ] = False,
    administered_mbq: Annotated[
        float | None, typer.Option("--administered", metavar="MBQ", help="Show decays per activity as well.")
    ] = None,
    others: Annotated[
        str, typer.Option(metavar="H:REL", help="For one scan: half-life of others and its spread, 52:0.2.")
    ] = "",
    average: Annotated[
        bool, typer.Option("--average", help="Average the shapes by their Akaike weights.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw points and curve into this SVG file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Fit a time-activity curve: shapes tried, decays (MBq h) with uncertainty, share after the last scan.

    One scan takes the half-life of others (--others): by Madsen, with Haenscheid's rule beside it.
    """
    from omnidose.cli.nuclear_curves import read_curves
    from omnidose.kinetics.choice import choose_shape
    from omnidose.modalities.nuclear.planning.plausible import check_decays

    physical_h = physical_half_life_h(nuclide, half_life_h)
    _check_options(administered_mbq, plot)
    curves = read_curves(
        curve, std_rel=std_rel, corrected_half_life_h=physical_h if decay_corrected else None
    )
    if others and all(len(c) > 1 for c in curves):
        raise InputError("several scans tell the half-life themselves", where="--others", todo="leave it out")
    points = {c.name: one_point(c, others, physical_h) for c in curves if len(c) == 1}
    choices = {c.name: choose_shape(c, half_life_h=physical_h) for c in curves if len(c) > 1}
    if administered_mbq is not None:
        found = {name: choice.integral for name, choice in choices.items()}
        found |= {name: both["population"] for name, both in points.items()}
        for name, integral in found.items():
            check_decays(integral.coefficient_h(administered_mbq), half_life_h=physical_h, where=name)
    if plot is not None:
        if points:
            raise InputError("a curve of one scan cannot be drawn", where="--plot")
        from omnidose.cli.nuclear_fit_plot import write_fit_plot

        write_fit_plot(list(choices.values()), plot)
    content = [
        content_of_point(c, points[c.name], administered_mbq)
        if c.name in points
        else _content(choices[c.name], average, administered_mbq)
        for c in curves
    ]
    if as_json:
        print(json.dumps({"half_life_h": number(physical_h), "curves": content}, indent=1, allow_nan=False))
        return
    console = Console()
    for each in content:
        if each["region"] in points:
            print_point(console, each)
        else:
            _print(console, choices[each["region"]], average, administered_mbq)
    if plot is not None:
        console.print(f"Drawn in {plot}", highlight=False)


def _check_options(administered_mbq: float | None, plot: Path | None) -> None:
    """Refuse options that cannot be met before anything is printed."""
    if administered_mbq is not None and not (math.isfinite(administered_mbq) and administered_mbq > 0):
        raise InputError(
            f"an administered activity of {administered_mbq:g} MBq",
            where="--administered",
            allowed="more than 0",
        )
    if plot is not None and plot.suffix.lower() != ".svg":
        raise InputError(f"a drawing cannot be written as '{plot.suffix}'", where="--plot", allowed=".svg")


def physical_half_life_h(name: str, half_life_h: float | None) -> float:
    """Return the half-life of a nuclide or the one that was given; exactly one of both must be there."""
    if bool(name) == (half_life_h is not None):
        raise InputError("give either --nuclide or --half-life", todo="for example --nuclide Lu-177")
    if half_life_h is not None:
        return half_life_h
    from omnidose.physics.nuclides import nuclide

    return nuclide(name).half_life_h


def number(value: Any) -> float | None:
    """Return a number for JSON: None where it is not finite."""
    return float(value) if math.isfinite(value) else None


def _integral(choice: Choice, average: bool) -> TimeIntegratedActivity:
    return choice.averaged if average else choice.integral


def _content(choice: Choice, average: bool, administered_mbq: float | None) -> dict[str, Any]:
    taken = _integral(choice, average)
    return {
        "region": choice.best.curve.name,
        "shape": choice.best.shape.value,
        "reason": choice.reason,
        "time_integrated_activity_mbq_h": number(taken.value_mbq_h),
        "std_mbq_h": number(taken.std_mbq_h),
        "tail_fraction": number(taken.tail_fraction),
        "head_fraction": number(taken.head_fraction),
        "coefficient_h": None if administered_mbq is None else taken.coefficient_h(administered_mbq),
        "method": taken.method,
        "flags": list(taken.flags),
        "effective_half_lives_h": [number(t) for t in choice.best.effective_half_lives_h],
        "amplitudes_mbq": [number(a) for a in choice.best.amplitudes_mbq],
        "shapes": [
            {
                "shape": f.shape.value,
                "chi2": number(f.chi2),
                "aicc": number(f.aicc),
                "time_integrated_activity_mbq_h": number(f.integral.value_mbq_h),
                "rejection": f.rejection,
                "why_not": choice.why_not(f),
            }
            for f in choice.fits
        ],
        "not_tried": [s.value for s in choice.not_tried],
    }


def _print(console: Console, choice: Choice, average: bool, administered_mbq: float | None) -> None:
    curve = choice.best.curve
    console.print(
        f"[bold]{escape(curve.name)}[/bold]: {len(curve)} points, "
        f"{curve.time_h[0]:.3g} to {curve.time_h[-1]:.4g} h after the injection",
        highlight=False,
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("shape", "MBq h", "χ²", "AICc", "half-lives, h", ""):
        table.add_column(name, overflow="fold")
    for f in choice.fits:
        table.add_row(
            f.shape.value,
            _text(f.integral.value_mbq_h),
            _text(f.chi2),
            _text(f.aicc),
            ", ".join(_text(t) for t in f.effective_half_lives_h),
            "[green]taken[/green]" if f is choice.best else escape(choice.why_not(f)),
        )
    console.print(table)
    console.print(f"Taken: {choice.best.shape.value}, {choice.reason}.", highlight=False)
    taken = _integral(choice, average)
    console.print(
        f"[bold]Decays: {taken.value_mbq_h:.5g} MBq h[/bold] ± {_text(taken.std_mbq_h)} "
        f"({escape(taken.method)}); {100 * taken.tail_fraction:.1f} % after the last scan",
        highlight=False,
        soft_wrap=True,
    )
    if administered_mbq is not None:
        console.print(
            f"Per administered activity: {taken.coefficient_h(administered_mbq):.4g} h", highlight=False
        )
    for flag in taken.flags:
        console.print(f"[yellow]Note.[/yellow] {escape(flag)}.", highlight=False, soft_wrap=True)


def _text(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "–"
