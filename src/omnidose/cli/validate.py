"""``omnidose validate``: ours beside theirs, and a failure when one is outside."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
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
    results: list[tuple[Suite, Row]] = []
    out = Console(highlight=False)
    heading = ""
    for suite, row in run(names or [], context):
        results.append((suite, row))
        if as_json:
            continue
        claim = f"{suite.name}.{row.claim}"
        if claim != heading:
            heading = claim
            out.print(f"\n[bold]{claim}[/bold] {escape(_promise(suite, row.claim))}")
        out.print(_lines(row, _promise(suite, row.claim)))  # as they come: the long comparisons take hours
    if as_json:
        records: list[dict[str, Any]] = [{"suite": suite.name, **row.to_json()} for suite, row in results]
        print(json.dumps({"rows": records}, indent=1))
    else:
        counts = {state: sum(row.state is state for _suite, row in results) for state in State}
        out.print("\n" + ", ".join(f"{count} {state.value}" for state, count in counts.items() if count))
    if any(row.state is State.FAILED for _suite, row in results):
        raise typer.Exit(1)


def _promise(suite: Suite, name: str) -> str:
    return next((claim.text for claim in suite.claims if claim.name == name), "")


def _lines(row: Row, promise: str) -> Table:
    """Return a row as its state beside a few lines: what, ours against theirs, remarks."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=max(len(state.value) for state in State), no_wrap=True)
    grid.add_column(overflow="fold")
    words = []
    if row.ours is not None:
        words.append(escape(f"{row.name}: {_text(row.ours)} {row.unit}".rstrip()))
    elif row.name != promise:  # a row without a number usually repeats the promise
        words.append(escape(row.name))
    against = f"against {_text(row.reference)}" if row.reference is not None else ""
    bound = "; ".join(text for text in (against, row.tolerance) if text)
    words += [f"[dim]{escape(text)}[/dim]" for text in (bound, row.note) if text]
    grid.add_row(f"[{_STYLE[row.state]}]{row.state.value}[/]", "\n".join(words))
    return grid
