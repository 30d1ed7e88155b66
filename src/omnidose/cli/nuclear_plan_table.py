"""What the commands of ``omnidose nuclear plan`` print: arms of a plan, and JSON of records."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from omnidose.modalities.nuclear.planning.activity import ActivityPlan

NO_EFFECTIVE_DOSE = "No effective dose: it weighs stochastic risks of a reference person, not a therapy."


def print_json(content: dict[str, Any]) -> None:
    """Print records and numbers as JSON; what is not finite becomes null."""
    full = {**content, "effective_dose": None, "effective_dose_reason": NO_EFFECTIVE_DOSE}
    print(json.dumps(plain(full), indent=1, allow_nan=False, ensure_ascii=False))


def plain(value: Any) -> Any:
    """Return records, enumerations and numbers as plain JSON types."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def print_plan(console: Console, plan: ActivityPlan) -> None:
    """Print the arms, the activity and what decides."""
    table = new_table(("", "wanted", "activity, MBq", "dose, Gy", "95 %", "probability"))
    for arm in plan.arms:
        sign = "≥" if arm.decides.value == "goal" else "≤"
        table.add_row(
            escape(arm.name),
            f"{sign} {arm.wanted_mgy / 1000:.4g} {arm.unit}",
            f"{sign} {mbq(arm.activity_mbq)}",
            f"{arm.median_mgy / 1000:.3g}",
            f"{arm.low95_mgy / 1000:.3g} – {arm.high95_mgy / 1000:.3g}",
            f"{100 * arm.probability_fraction:.0f} %",
        )
    console.print(table)
    what = "its goal is reached" if plan.decides.value == "goal" else "its limit is kept"
    say(
        console,
        f"[bold]Activity: {mbq(plan.activity_mbq)} MBq[/bold], decided by {escape(plan.by)}: {what} with a "
        f"probability of {100 * plan.probability_fraction:.0f} %",
    )
    for flag in plan.flags:
        note(console, flag)


def mbq(activity_mbq: float) -> str:
    """Return an activity with four digits and no powers of ten."""
    if not math.isfinite(activity_mbq):
        return "–"
    if activity_mbq < 1000:
        return f"{activity_mbq:.4g}"
    return f"{float(f'{activity_mbq:.4g}'):.0f}"


def new_table(columns: tuple[str, ...]) -> Table:
    """Return an empty table; all columns but the first stand to the right."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", justify="left" if number == 0 else "right")
    return table


def say(console: Console, text: str) -> None:
    """Print a line of markup without wrapping it."""
    console.print(text, highlight=False, soft_wrap=True)


def note(console: Console, text: str) -> None:
    """Print a remark that must not be overlooked."""
    say(console, f"[yellow]Note.[/yellow] {escape(text)}.")


def print_end(console: Console, sources: tuple[str, ...]) -> None:
    """Print sources, and why there is no effective dose."""
    for source in dict.fromkeys(s for s in sources if s):
        say(console, f"[dim]{escape(source)}[/dim]")
    say(console, f"[dim]{NO_EFFECTIVE_DOSE}[/dim]")
