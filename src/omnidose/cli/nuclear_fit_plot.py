"""The drawing of ``omnidose nuclear fit --plot``: measured points and the curves taken, as one SVG file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

from omnidose.errors import OutputError
from omnidose.kinetics.choice import Choice
from omnidose.report.charts import CHART, MARGIN, nice_ticks
from omnidose.report.words import tick

ArrayF8 = npt.NDArray[np.float64]

_COLOURS = ("#1b6fa8", "#d1495b", "#2b8a4b", "#8b5fbf", "#c77f0a", "#51606f", "#00868b")
_POINTS = 200
_LEGEND_PX = 20.0
#: The axis goes on after the last scan, so that the tail is seen.
_LONGER = 1.3


def write_fit_plot(choices: Sequence[Choice], path: Path) -> None:
    """Write the drawing.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    try:
        path.write_text(draw_fits(choices), "utf-8")
    except OSError as error:
        raise OutputError(
            f"cannot write the drawing: {error.strerror}", where=str(path), todo="choose another place"
        ) from None


def draw_fits(choices: Sequence[Choice]) -> str:
    """Return the SVG of points with one standard uncertainty, and of the fitted curves."""
    end_h = _LONGER * max(float(c.best.curve.time_h[-1]) for c in choices)
    hours = np.linspace(0.0, end_h, _POINTS)
    curves = [c.best.activity_mbq(hours) for c in choices]
    tops = [float((c.best.curve.activity_mbq + c.best.curve.std_mbq).max()) for c in choices]
    y_ticks = nice_ticks(max(*tops, *(float(y.max()) for y in curves)))
    x_ticks = [t for t in nice_ticks(end_h) if t <= end_h]
    width, height = CHART[0], CHART[1] + _LEGEND_PX * len(choices)
    left, top, right, bottom = MARGIN[0], MARGIN[1], width - MARGIN[2], CHART[1] - MARGIN[3]

    def place(x: ArrayF8 | float, y: ArrayF8 | float) -> tuple[ArrayF8, ArrayF8]:
        return (
            np.asarray(left + np.asarray(x) / end_h * (right - left)),
            np.asarray(bottom - np.asarray(y) / y_ticks[-1] * (bottom - top)),
        )

    parts = []
    for y in y_ticks:
        _, py = place(0.0, y)
        parts.append(f'<line class="a" x1="{left}" x2="{right}" y1="{py:.1f}" y2="{py:.1f}"/>')
        parts.append(f'<text x="{left - 8}" y="{py + 4:.1f}" text-anchor="end">{tick(y)}</text>')
    for x in x_ticks:
        px, _ = place(x, 0.0)
        parts.append(f'<line class="a" x1="{px:.1f}" x2="{px:.1f}" y1="{bottom}" y2="{bottom + 5}"/>')
        parts.append(f'<text x="{px:.1f}" y="{bottom + 19}" text-anchor="middle">{tick(x)}</text>')
    middle = (left + right) / 2
    parts.append(f'<text x="{middle}" y="{CHART[1] - 6}" text-anchor="middle">time (h)</text>')
    parts.append(f'<text x="{left}" y="{top - 2}">MBq</text>')
    for row, (choice, fitted) in enumerate(zip(choices, curves, strict=True)):
        colour = _COLOURS[row % len(_COLOURS)]
        px, py = place(hours, fitted)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(px, py, strict=True))
        parts.append(f'<polyline class="c" stroke="{colour}" points="{points}"/>')
        measured = choice.best.curve
        x_at, y_at = place(measured.time_h, measured.activity_mbq)
        _, low = place(0.0, np.maximum(measured.activity_mbq - measured.std_mbq, 0.0))
        _, high = place(0.0, measured.activity_mbq + measured.std_mbq)
        for x, y, y1, y2 in zip(x_at, y_at, low, high, strict=True):
            parts.append(
                f'<line stroke="{colour}" x1="{x:.1f}" x2="{x:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
            )
        y_text = CHART[1] + _LEGEND_PX * row + 8
        parts.append(f'<circle cx="{left + 8}" cy="{y_text - 4}" r="4" fill="{colour}"/>')
        label = f"{measured.name}: {choice.best.shape.value}, {choice.best.integral.value_mbq_h:.4g} MBq h"
        parts.append(f'<text x="{left + 20}" y="{y_text}">{escape(label)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">'
        "<title>Activity over time</title><style>text{font:12px system-ui,sans-serif;fill:#222}"
        ".a{stroke:#ccc}.c{fill:none;stroke-width:2.2;stroke-linejoin:round}</style>"
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>' + "".join(parts) + "</svg>\n"
    )
