"""What ``omnidose estimate`` prints in the end: organ doses, named quantities, risk, remarks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from omnidose.dosimetry.results import ExposureResult, OrganDoses
    from omnidose.exams.run import ExamResult

#: Organs with less of them in the images *and* less of the highest dose are only counted; the files have all.
LEAST_SHARE = 0.05
CAPTION = "95 %: interval of all that is known of; statistics: standard error of the random numbers alone"


def print_result(console: Console, result: ExamResult) -> None:
    """Print the doses, what they rest on in a line, and the risk or why there is none."""
    if result.total is not None:
        _print_doses(console, result.total, "Organ doses")
    else:  # a sum of absolute and relative doses would be no dose
        for number, part in enumerate(result.results, start=1):
            _print_doses(console, part.organ_doses, f"Organ doses of scan {number}: {part.title}")
    for part in result.results:
        _print_quantities(console, part)
    for warning in result.warnings:
        _note(console, "Note.", warning)
    if result.risk is None:
        _note(console, "No risk estimate.", result.risk_reason)
        return
    _print_risk(console, result)


def shown_rows(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """Return the rows worth a line on a screen, highest dose first, and the number of the others.

    Worth a line are tissues with an ICRP 103 weight and the eye lenses, as a whole (lungs, not each of them),
    and lesions.
    """
    from omnidose.anatomy.body import LESION
    from omnidose.anatomy.organs import organs

    vocabulary, present = organs(), {row["organ"] for row in rows}

    def counts(key: str) -> bool:
        item = vocabulary.get(key)
        return key.startswith(LESION) or (
            item is not None
            and (bool(item.tissue) or "lenses" in (key, item.parent))
            and item.parent not in present
        )

    finite = [row for row in rows if math.isfinite(row["dose_mgy"])]
    known = [row for row in finite if counts(row["organ"])] or finite
    organ_mgy = [row["dose_mgy"] for row in known if not row["organ"].startswith(LESION)]
    top_mgy = max(organ_mgy, default=0.0)
    shown = [
        row
        for row in known
        if row["dose_mgy"] >= LEAST_SHARE * top_mgy or row["imaged_fraction"] >= LEAST_SHARE
    ]
    return sorted(shown, key=lambda row: -row["dose_mgy"]), len(finite) - len(shown)


def _print_doses(console: Console, doses: OrganDoses, title: str) -> None:
    unit = f"mGy per {doses.relative_to}" if doses.relative_to else "mGy"
    table = Table(
        title=f"{title} ({unit})", title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("organ", overflow="fold")
    for name in ("dose", "95 %", "statistics"):
        table.add_column(name, justify="right")
    table.add_column("shape from")
    table.add_column("imaged", justify="right")
    rows, more = shown_rows(doses.rows())
    for row in rows:
        table.add_row(
            row["organ"],
            _digits(row["dose_mgy"], 3),
            f"{_digits(row['low95_mgy'], 2)} – {_digits(row['high95_mgy'], 2)}",
            _percent(row["std_statistical_mgy"], row["dose_mgy"]),
            row["origin"],
            _percent(row["imaged_fraction"], 1.0),
        )
    console.print(table)
    console.print(f"[dim]{CAPTION}[/dim]", highlight=False)
    if more:
        console.print(
            f"[dim]and {more} more in organ_doses.csv: bones, contents, sides, and organs outside the images "
            f"with less than {100 * LEAST_SHARE:.0f} % of the highest dose[/dim]",
            highlight=False,
        )


def _digits(value: float, count: int) -> str:
    """Return significant digits without a power of ten: 170, not 1.7e+02."""
    return f"{float(f'{value:.{count}g}'):.15g}"


def _percent(part: float, whole: float) -> str:
    if not math.isfinite(part) or whole <= 0:
        return "–"
    value = 100 * part / whole
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.1f} %"


def _print_quantities(console: Console, result: ExposureResult) -> None:
    words = []
    for name, quantity in result.quantities.items():
        phantom = getattr(quantity, "phantom_cm", None)
        words.append(f"{name} {quantity}" + (f" ({phantom} cm phantom)" if phantom else ""))
    if words:
        console.print(escape(f"{result.title}: {', '.join(words)}"), highlight=False)


def _print_risk(console: Console, result: ExamResult) -> None:
    assert result.risk is not None
    total = result.risk.total
    console.print(
        f"Lifetime risk of cancer from this exam (BEIR VII): about "
        f"{_digits(1e5 * total.central_fraction, 2)} in 100 000, 95 % interval "
        f"{_digits(1e5 * total.lower_fraction, 2)} to {_digits(1e5 * total.upper_fraction, 2)}; "
        f"without it {1e5 * result.risk.baseline_fraction:.0f} in 100 000.",
        highlight=False,
    )


def _note(console: Console, label: str, text: str) -> None:
    text = text[:1].upper() + text[1:].rstrip(".") + "."
    console.print(f"[yellow]{label}[/yellow] {escape(text)}", highlight=False)
