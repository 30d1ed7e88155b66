"""``omnidose nuclear breastfeeding``: what published sources advise after a radiopharmaceutical."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from omnidose.kinetics.breastfeeding import BreastfeedingAdvice

#: Printed under every answer.
REMARK = (
    "Published advice, each source by itself; the rules of the hospital and of the country decide. A: read "
    "in the source, B: quoted by another."
)


def breastfeeding(
    agent: Annotated[
        str, typer.Argument(help="99mTc-pertechnetate, FDG, 'I-131 iodide' …; none: list all.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """List what sources advise on breast-feeding after a radiopharmaceutical."""
    from omnidose.kinetics.breastfeeding import agents, breastfeeding_advice

    if not agent:
        names = agents()
        print(json.dumps(list(names), indent=1) if as_json else "\n".join(names))
        return
    found = breastfeeding_advice(agent)
    content = content_of(found)
    if as_json:
        print(json.dumps(content, indent=1, allow_nan=False))
        return
    _print(Console(), content)


def content_of(found: tuple[BreastfeedingAdvice, ...]) -> dict[str, Any]:
    """Return what is printed, as plain JSON types; times without end are None."""
    from omnidose.cli.nuclear_plan_table import plain
    from omnidose.kinetics.breastfeeding import longest_interruption, sources_disagree

    longest = longest_interruption(found)
    return {
        "agent": found[0].agent,
        "nuclide": found[0].nuclide,
        "sources_disagree": sources_disagree(found),
        "most_careful": {"text": longest.text, "source_key": longest.source_key},
        "advice": [
            {
                **plain(item),
                "text": item.text,
                "activity_text": item.activity_text,
            }
            for item in found
        ],
        "remark": REMARK,
    }


def _print(console: Console, content: dict[str, Any]) -> None:
    table = Table(
        title=f"{content['agent']}: breast-feeding", title_justify="left", title_style="bold",
        box=SIMPLE_HEAD, pad_edge=False,
    )  # fmt: skip
    for name in ("administered", "advice", "source", "grade"):
        table.add_column(name)
    for row in content["advice"]:
        table.add_row(row["activity_text"] or "–", row["text"], row["source_key"], row["grade"])
    console.print(table)
    if content["sources_disagree"]:
        careful = content["most_careful"]
        console.print(
            f"The sources disagree. The most careful: {careful['text']} ({careful['source_key']}).",
            highlight=False,
        )
    for key, text in {row["source_key"]: row["source"] for row in content["advice"]}.items():
        console.print(f"[dim]- {escape(key)}: {escape(text)}[/dim]", highlight=False)
    console.print(f"[dim]{content['remark']}[/dim]", highlight=False)
