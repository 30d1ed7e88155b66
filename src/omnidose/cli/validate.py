"""``omnidose validate``: ours beside theirs, and a failure when one is outside."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from omnidose.validation import Context, Row, State, Suite, reference_dir, run

_STYLE = {State.PASSED: "green", State.FAILED: "bold red", State.NOT_BUILT: "yellow", State.NOT_RUN: "dim"}


def _text(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:.6g}"


def validate(
    names: Annotated[
        list[str] | None, typer.Argument(help="Suites or claims, e.g. physics or transport.balance.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Run the long comparisons too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Compare omnidose with published values, closed forms and independent programs."""
    err = Console(stderr=True)
    context = Context(
        full=full,
        reference=reference_dir(),
        progress=lambda text: err.print(f"[dim]{text}[/dim]", highlight=False),
    )
    results: list[tuple[Suite, Row]] = list(run(names or [], context))
    if as_json:
        records: list[dict[str, Any]] = [{"suite": suite.name, **row.to_json()} for suite, row in results]
        print(json.dumps({"rows": records}, indent=1))
    else:
        _print_table(results)
    if any(row.state is State.FAILED for _suite, row in results):
        raise typer.Exit(1)


def _print_table(results: list[tuple[Suite, Row]]) -> None:
    table = Table(show_lines=False, pad_edge=False)
    for title in ("claim", "what", "ours", "theirs", "unit", "tolerance", "state", "note"):
        table.add_column(title, overflow="fold")
    for suite, row in results:
        table.add_row(
            f"{suite.name}.{row.claim}",
            row.name,
            _text(row.ours),
            _text(row.reference),
            row.unit,
            row.tolerance,
            f"[{_STYLE[row.state]}]{row.state.value}[/]",
            row.note,
        )
    console = Console()
    console.print(table)
    counts = {state: sum(row.state is state for _s, row in results) for state in State}
    console.print(", ".join(f"{count} {state.value}" for state, count in counts.items() if count))
