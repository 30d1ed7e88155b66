"""``omnidose nuclear fit`` of one scan: decays by the half-lives of others, with what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from omnidose.errors import InputError

if TYPE_CHECKING:
    from omnidose.kinetics.curves import TimeActivityCurve, TimeIntegratedActivity


def others_of(text: str) -> tuple[float, float]:
    """Return median half-life (hours) and spread of ``52:0.2``.

    Raises
    ------
    InputError
        If the text is no such pair.
    """
    try:
        median_h, spread_rel = (float(part) for part in text.split(":"))
    except ValueError:
        raise InputError(
            f"'{text}' is no half-life with its spread", where="--others", allowed="for example 52:0.2"
        ) from None
    return median_h, spread_rel


def one_point(curve: TimeActivityCurve, others: str, half_life_h: float) -> dict[str, TimeIntegratedActivity]:
    """Return the decays of a curve of one point by both methods, that of the population first.

    Parameters
    ----------
    others
        Median effective half-life of other patients and the spread of its logarithm, ``52:0.2``.

    Raises
    ------
    InputError
        Without others, for a curve of several points, or what the methods refuse.
    """
    from omnidose.kinetics.single_time_point import HalfLifePopulation, haenscheid, population_half_life

    if not others:
        raise InputError(
            "one scan does not say how long the activity stays",
            where=curve.name,
            todo="give the effective half-life of others and its spread, --others 52:0.2, or more scans",
        )
    median_h, spread_rel = others_of(others)
    population = HalfLifePopulation(
        median_h=median_h, spread_rel=spread_rel, half_life_h=half_life_h, source="given"
    )
    activity_mbq, time_h = float(curve.activity_mbq[0]), float(curve.time_h[0])
    if not activity_mbq > 0:
        raise InputError("the one scan holds no activity", where=curve.name, todo="leave the region out")
    std_rel = float(curve.std_mbq[0]) / activity_mbq
    return {
        "population": population_half_life(activity_mbq, time_h, std_rel=std_rel, population=population),
        "haenscheid": haenscheid(activity_mbq, time_h, std_rel=std_rel, population=population),
    }


def content_of_point(
    curve: TimeActivityCurve, found: dict[str, TimeIntegratedActivity], administered_mbq: float | None
) -> dict[str, Any]:
    """Return what is printed, as plain JSON types."""
    taken = found["population"]
    return {
        "region": curve.name,
        "shape": "one point",
        "time_h": float(curve.time_h[0]),
        "time_integrated_activity_mbq_h": taken.value_mbq_h,
        "std_mbq_h": taken.std_mbq_h,
        "coefficient_h": None if administered_mbq is None else taken.coefficient_h(administered_mbq),
        "method": taken.method,
        "flags": list(taken.flags),
        "methods": {
            name: {"value_mbq_h": each.value_mbq_h, "std_mbq_h": each.std_mbq_h, "method": each.method}
            for name, each in found.items()
        },
    }


def print_point(console: Console, content: dict[str, Any]) -> None:
    """Print both results and which is taken."""
    console.print(
        f"[bold]{escape(content['region'])}[/bold]: one scan, {content['time_h']:.4g} h after the injection",
        highlight=False,
    )
    for each in content["methods"].values():
        console.print(
            f"{each['value_mbq_h']:.5g} MBq h ± {each['std_mbq_h']:.3g} ({each['method']})",
            highlight=False,
            soft_wrap=True,
        )
    console.print(
        f"[bold]Decays: {content['time_integrated_activity_mbq_h']:.5g} MBq h[/bold] ± "
        f"{content['std_mbq_h']:.3g}; bias of the method and spread of half-lives are in it",
        highlight=False,
        soft_wrap=True,
    )
    if content["coefficient_h"] is not None:
        console.print(f"Per administered activity: {content['coefficient_h']:.4g} h", highlight=False)
    for flag in content["flags"]:
        console.print(f"[yellow]Note.[/yellow] {escape(flag)}.", highlight=False, soft_wrap=True)
