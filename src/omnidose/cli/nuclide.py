"""``omnidose nuclide``: the catalogue of radionuclides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from omnidose.errors import InputError

_MODES = {"beta-": "β⁻", "ec": "EC, β⁺", "alpha": "α", "it": "IT"}
_UNITS_S = ((365.2422 * 86400, "a"), (86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
#: Emissions on the screen; the JSON has more.
SHOWN = 14


def nuclide(
    name: Annotated[str, typer.Argument(help="Lu-177, 177Lu, Tc-99m, lutetium-177; none: list all.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw ingrowth and decay over time into this SVG file.")
    ] = None,
    library: Annotated[
        str, typer.Option(help="decay2012 (bundled), or icrp107 (packages of its own to install).")
    ] = "decay2012",
) -> None:
    """Show a radionuclide: half-life, emissions, progeny, ranges, production, partners, use."""
    if not name:
        if plot is not None:
            raise InputError("a drawing of no nuclide", where="--plot", todo="name one: Lu-177")
        _list(as_json)
        return
    if plot is not None and plot.suffix.lower() != ".svg":
        raise InputError(f"a drawing cannot be written as '{plot.suffix}'", where="--plot", allowed=".svg")
    from omnidose.physics.nuclides import as_library
    from omnidose.physics.nuclides_sheet import sheet

    chosen = as_library(library)
    content = sheet(name, chosen)
    if plot is not None:
        from omnidose.cli.nuclide_plot import write_plot

        write_plot(name, plot, chosen)
    if as_json:
        print(json.dumps(content, indent=1, allow_nan=False))
        return
    console = Console()
    _print_head(console, content)
    _print_emissions(console, content)
    _print_ranges(console, content)
    _print_progeny(console, content)
    if content["medicine"]:
        _print_medicine(console, content["medicine"])
    console.print(f"[dim]{escape(content['source'])}[/dim]", highlight=False)
    if plot is not None:
        console.print(f"Drawn in {plot}", highlight=False)


def duration(time_s: float) -> str:
    """Return a time in the unit that people use for it: 6.01 h, 6.65 d, 1600 a."""
    for unit_s, unit in _UNITS_S:
        if time_s >= unit_s:
            return f"{time_s / unit_s:.4g} {unit}"
    return f"{1000 * time_s:.3g} ms" if time_s >= 1e-3 else f"{1e6 * time_s:.3g} µs"


def _list(as_json: bool) -> None:
    from omnidose.physics.nuclides import nuclide as load
    from omnidose.physics.nuclides import nuclide_names
    from omnidose.physics.nuclides_catalogue import entry

    rows: list[dict[str, Any]] = []
    for name in sorted(nuclide_names(), key=lambda n: (load(n).z, load(n).a, n)):
        item, known = load(name), entry(name)
        rows.append(
            {
                "name": name,
                "half_life_s": item.half_life_s,
                "decay": sorted({d.mode for d in item.progeny}),
                "modality": known.modality if known else "",
                "use": known.use if known else "",
            }
        )
    if as_json:
        print(json.dumps({"nuclides": rows}, indent=1))
        return
    table = _table("Radionuclides", ("nuclide", "half-life", "decay", "modality", "use"))
    for row in rows:
        modes = ", ".join(_MODES[m] for m in row["decay"])
        table.add_row(row["name"], duration(row["half_life_s"]), modes, row["modality"], row["use"])
    console = Console()
    console.print(table)
    console.print("More of one: omnidose nuclide Lu-177", highlight=False)


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print_head(console: Console, content: dict[str, Any]) -> None:
    console.print(
        f"[bold]{content['name']}[/bold]  {content['element']}, half-life {duration(content['half_life_s'])}",
        highlight=False,
    )
    newer = content["half_life_measured_since"]
    if newer:
        console.print(
            f"[yellow]Measured since:[/yellow] {duration(newer['half_life_s'])} ({escape(newer['source'])})",
            highlight=False,
        )
    energy = content["energy_per_decay_kev"]
    words = ", ".join(f"{kind} {value:.4g}" for kind, value in energy.items() if value >= 1e-3)
    console.print(f"Energy per decay, keV: {words}", highlight=False)


def _print_emissions(console: Console, content: dict[str, Any]) -> None:
    table = _table("Emissions, strongest first", ("radiation", "keV", "per 100 decays"))
    lines = content["emissions"]
    for line in lines[:SHOWN]:
        table.add_row(line["kind"], f"{line['energy_kev']:.5g}", f"{100 * line['per_decay']:.3g}")
    console.print(table)
    if len(lines) > SHOWN:
        console.print(f"[dim]and {len(lines) - SHOWN} weaker ones: --json[/dim]", highlight=False)


def _print_ranges(console: Console, content: dict[str, Any]) -> None:
    if not content["ranges"]:
        return
    table = _table("Ranges (continuous slowing down)", ("particle", "keV", "in", "range", "LET, keV/µm"))
    for row in content["ranges"]:
        mm = row["range_mm"]
        let = ""
        if "let_mean_kev_um" in row:
            let = f"{row['let_at_start_kev_um']:.3g} at first, {row['let_mean_kev_um']:.3g} on average"
        length = f"{mm:.3g} mm" if mm >= 0.1 else f"{1000 * mm:.3g} µm"
        table.add_row(row["what"], f"{row['energy_kev']:.5g}", row["medium"], length, let)
    console.print(table)


def _print_progeny(console: Console, content: dict[str, Any]) -> None:
    ways = ", ".join(
        f"{d['name']} ({_MODES[d['mode']]}, {100 * d['branching']:.5g} %)" for d in content["progeny"]
    )
    console.print(f"Becomes {ways}", highlight=False)
    if not content["in_equilibrium"]:
        return
    columns = ("progeny", "half-life", "equilibrium", "activity ratio", "reached after", "highest after")
    table = _table(f"Growing in after pure {content['name']}", columns)
    for row in content["in_equilibrium"]:
        table.add_row(row["name"], duration(row["half_life_s"]), row["kind"], *_times(row))
    console.print(table)


def _times(row: dict[str, Any]) -> tuple[str, str, str]:
    ratio, reached, highest = row["activity_ratio"], row["reached_h"], row["highest_h"]
    return (
        f"{ratio:.4g}" if ratio is not None else "–",
        duration(3600 * reached) if reached is not None else "never",
        duration(3600 * highest) if highest is not None else "–",
    )


def _print_medicine(console: Console, medicine: dict[str, Any]) -> None:
    lines = [f"Use ({medicine['modality']}): {medicine['use']}"]
    lines.append(f"Made by {'; '.join(medicine['production'])} ({medicine['production_source']})")
    if medicine["doubtful_as_printed"]:
        lines.append(f"Doubtful as printed: {medicine['doubtful_as_printed']}")
    for generator in medicine["generators"]:
        ratio, reached, highest = _times(generator)
        remark = f", {generator['remark']}" if generator["remark"] else ""
        lines.append(
            f"Generator: {generator['parent']} ({duration(generator['parent_half_life_s'])}{remark}), "
            f"{generator['kind']} equilibrium at an activity ratio of {ratio}, 99 % of it after {reached}, "
            f"highest after {highest}"
        )
    if medicine["parent_of"]:
        lines.append(f"Parent in the generator of {', '.join(medicine['parent_of'])}")
    for role in ("imaging", "therapy"):
        partners = [p for p in medicine["partners"] if p["role"] == role]
        if partners:
            sources = "; ".join(dict.fromkeys(p["source"] for p in partners))
            lines.append(f"Partner for {role}: {', '.join(p['name'] for p in partners)} ({sources})")
    for line in lines:
        console.print(escape(line), highlight=False)
