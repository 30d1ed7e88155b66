"""The drawing of ``omnidose nuclide --plot``: activities over time as one SVG file."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

from omnidose.errors import OutputError
from omnidose.physics.decay import DecayNetwork, chain
from omnidose.physics.decay_equilibrium import equilibria
from omnidose.physics.nuclides import Library
from omnidose.physics.nuclides_catalogue import entry
from omnidose.report.charts import CHART, LINES_MAX, MARGIN, nice_ticks
from omnidose.report.words import tick

ArrayF8 = npt.NDArray[np.float64]

_COLOURS = ("#1b6fa8", "#d1495b", "#2b8a4b", "#8b5fbf", "#c77f0a", "#51606f", "#00868b")
_DASHES = ("", "8 4", "2 3", "12 3 3 3", "", "5 5", "14 5")
_POINTS = 240
_UNITS_H = ((365.2422 * 24, "a"), (24.0, "d"), (1.0, "h"), (1 / 60, "min"), (1 / 3600, "s"))
_LEGEND_PX = 20.0


def write_plot(name: str, path: Path, library: Library = "decay2012") -> None:
    """Write the activities of a nuclide and its progeny, or of the parent that makes it.

    Ingrowth is what people look at: of the progeny where they come to equilibrium, else in the generator.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    known, network = entry(name), chain(name, library=library)
    if known and known.made_by and all(e.kind == "none" for e in equilibria(network)):
        network = known.made_by[0].network()
    try:
        path.write_text(draw(network), "utf-8")
    except OSError as error:
        raise OutputError(
            f"cannot write the drawing: {error.strerror}", where=str(path), todo="choose another place"
        ) from None


def draw(network: DecayNetwork) -> str:
    """Return the SVG of activities over that of the pure first nuclide at 0."""
    hours, divisor, unit = _time_axis(network)
    activity = network.activity_mbq(hours)
    order = np.argsort(-activity[:, 1:].max(axis=0), kind="stable")[: LINES_MAX - 1] + 1
    shown = [0, *sorted(int(i) for i in order)]
    names = [network.states[i].nuclide for i in shown]
    title = f"Activity of {names[0]}" + (" and its progeny" if len(names) > 1 else "")
    x_ticks = [t for t in nice_ticks(float(hours[-1] / divisor)) if t <= hours[-1] / divisor * (1 + 1e-9)]
    y_ticks = nice_ticks(float(activity[:, shown].max()))
    width, height = CHART[0], CHART[1] + _LEGEND_PX * len(shown)
    left, top, right, bottom = MARGIN[0], MARGIN[1], width - MARGIN[2], CHART[1] - MARGIN[3]

    def place(x: ArrayF8 | float, y: ArrayF8 | float) -> tuple[ArrayF8, ArrayF8]:
        return (
            np.asarray(left + np.asarray(x) * divisor / hours[-1] * (right - left)),
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
    parts.append(f'<text x="{middle}" y="{CHART[1] - 6}" text-anchor="middle">time ({unit})</text>')
    parts.append(f'<text x="{left}" y="{top - 2}">MBq per MBq of {escape(names[0])} at 0</text>')
    for style, (i, label) in enumerate(zip(shown, names, strict=True)):
        px, py = place(hours / divisor, activity[:, i])
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(px, py, strict=True))
        stroke = f'stroke="{_COLOURS[style]}" stroke-dasharray="{_DASHES[style]}"'
        y_text = CHART[1] + _LEGEND_PX * style + 8
        parts.append(f'<polyline class="c" {stroke} points="{points}"/>')
        parts.append(
            f'<line class="c" {stroke} x1="{left}" x2="{left + 30}" y1="{y_text - 4}" y2="{y_text - 4}"/>'
        )
        parts.append(f'<text x="{left + 38}" y="{y_text}">{escape(label)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">'
        f"<title>{escape(title)}</title><style>text{{font:12px system-ui,sans-serif;fill:#222}}"
        ".a{stroke:#ccc}.c{fill:none;stroke-width:2.2;stroke-linejoin:round}</style>"
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>' + "".join(parts) + "</svg>\n"
    )


def _time_axis(network: DecayNetwork) -> tuple[ArrayF8, float, str]:
    """Return times (h), and the unit of the axis in hours with its name.

    Long enough for what grows in with the parent, or five of the parent's half-lives if that is done at once.
    """
    parent_h = float(np.log(2) / network.decay_per_s[0] / 3600)
    reached = [e.reached_h for e in equilibria(network) if np.isfinite(e.reached_h)]
    end = 1.5 * max(reached, default=0.0)
    if end < 0.05 * parent_h:
        end = 5 * parent_h
    end = min(end, 7 * parent_h)
    divisor, unit = next(((h, u) for h, u in _UNITS_H if end >= 3 * h), _UNITS_H[-1])
    return np.linspace(0.0, end, _POINTS), divisor, unit
