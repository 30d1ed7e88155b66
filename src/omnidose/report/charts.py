"""Geometry of the drawings: bars, histograms, dots. The templates only place it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import LESION, Origin
from omnidose.anatomy.organs import organs
from omnidose.dosimetry.results import Figure, OrganDoses
from omnidose.report import words

BARS_MAX = 24
LINES_MAX = 7
#: Width and height of line charts in user units, and the margins left, top, right, bottom.
CHART = (720.0, 320.0)
MARGIN = (66.0, 12.0, 16.0, 46.0)
DOTS_MAX = 10_000
#: From this dose on a histogram is in Gy.
GRAY_FROM_MGY = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One organ's bar; lengths are per cent of the width."""

    name: str
    text: str
    length: float
    stat_from: float
    stat_to: float
    all_from: float
    all_to: float
    origin: str
    row: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a chart: points as an SVG list, number of its style."""

    name: str
    points: str
    style: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart:
    """A chart with ticks as (place, text)."""

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    x_label: str
    y_label: str
    width: float = CHART[0]
    height: float = CHART[1]
    left: float = MARGIN[0]
    top: float = MARGIN[1]
    right: float = CHART[0] - MARGIN[2]
    bottom: float = CHART[1] - MARGIN[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dots:
    """A group of people as dots: SVG paths of the three kinds on a grid of ``columns``."""

    group: int
    columns: int
    rows: int
    baseline: int
    extra: int
    further: int
    baseline_path: str
    extra_path: str
    further_path: str
    rest_path: str
    text: str


def organ_rows(doses: OrganDoses) -> list[dict[str, Any]]:
    """Return the rows of the present organs, highest dose first."""
    rows = [r for r in doses.rows() if r["origin"] != Origin.ABSENT.value and np.isfinite(r["dose_mgy"])]
    return sorted(rows, key=lambda r: -float(r["dose_mgy"]))


def _has_weight(row: dict[str, Any]) -> bool:
    known = organs().get(str(row["organ"]))
    if str(row["organ"]).startswith(LESION):
        return True
    return known is not None and (bool(known.tissue) or "lenses" in (known.key, known.parent))


def _whole_of(key: str) -> str:
    known = organs().get(key)
    return known.parent if known is not None else ""


def weighted_rows(doses: OrganDoses) -> list[dict[str, Any]]:
    """Return the rows that a reader looks for: tissues with an ICRP 103 weight, eye lenses, lesions.

    Bones and contents get higher doses than the organs that matter and would push them out of sight.
    Parts stand under their whole (``lungs``) if it is listed. If nothing is left, all rows.
    """
    rows = organ_rows(doses)
    present = {str(r["organ"]) for r in rows}
    chosen = [r for r in rows if _has_weight(r) and _whole_of(str(r["organ"])) not in present]
    return chosen or rows


def organ_bars(doses: OrganDoses) -> tuple[Bar, ...]:
    """Return bars of the tissues with a weight, in per cent of the scale."""
    rows = [row for row in weighted_rows(doses) if not str(row["organ"]).startswith(LESION)]
    return _bars(rows[:BARS_MAX])


def lesion_bars(doses: OrganDoses) -> tuple[Bar, ...]:
    """Return bars of the lesions, on a scale of their own: they get more than any organ should."""
    rows = [row for row in organ_rows(doses) if str(row["organ"]).startswith(LESION)]
    return _bars(rows[:BARS_MAX])


def _bars(rows: list[dict[str, Any]]) -> tuple[Bar, ...]:
    top = _scale_end(rows)
    bars = []
    for row in rows:
        dose, stat = float(row["dose_mgy"]), float(row["std_statistical_mgy"])
        name = words.organ_name(str(row["organ"]))
        text = (
            f"{name}: {words.number(dose)} {row['unit']}, 95 % interval {words.number(row['low95_mgy'])} to "
            f"{words.number(row['high95_mgy'])}; statistics alone ± {words.number(2 * stat, 2)}"
        )
        bars.append(
            Bar(
                name=name,
                text=text,
                length=100 * dose / top,
                stat_from=100 * max(dose - 2 * stat, 0) / top,
                stat_to=min(100 * (dose + 2 * stat) / top, 100.0),
                all_from=100 * float(row["low95_mgy"]) / top,
                all_to=min(100 * float(row["high95_mgy"]) / top, 100.0),
                origin=str(row["origin"]),
                row=row,
            )
        )
    return tuple(bars)


def _scale_end(rows: list[dict[str, Any]]) -> float:
    """Return the dose at the end of the scale: an interval over a factor may run off it, others may not."""
    ends = [float(r["high95_mgy"]) for r in rows if r["high95_mgy"] < 2 * r["dose_mgy"]]
    return max([*ends, *(1.3 * float(r["dose_mgy"]) for r in rows)], default=0.0) or 1.0


def nice_ticks(top: float, count: int = 5) -> list[float]:
    """Return ticks from 0 up to at least ``top`` in steps of 1, 2 or 5 times a power of ten."""
    if not top > 0:
        return [0.0, 1.0]
    raw = top / count
    power = 10.0 ** floor(log10(raw))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= raw * (1 - 1e-9))
    return [i * step for i in range(ceil(top / step - 1e-9) + 1)]


def _chart(
    title: str,
    series: list[tuple[str, npt.NDArray[np.float64], npt.NDArray[np.float64]]],
    x_label: str,
    y_label: str,
    y_ticks: list[float],
    y_text: list[str],
    x_span: tuple[float, float],
    x_ticks: list[float],
) -> LineChart:
    width, height = CHART
    left, top, right, bottom = MARGIN
    y_top = y_ticks[-1]

    def place_x(value: Any) -> Any:
        return left + (value - x_span[0]) / (x_span[1] - x_span[0]) * (width - left - right)

    def place_y(value: Any) -> Any:
        return height - bottom - value / y_top * (height - top - bottom)

    lines = []
    for style, (name, x, y) in enumerate(series):
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(place_x(x), place_y(y), strict=True))
        lines.append(Line(name=name, points=points, style=style))
    return LineChart(
        title=title,
        lines=tuple(lines),
        x_ticks=tuple((float(place_x(t)), words.tick(t)) for t in x_ticks),
        y_ticks=tuple((float(place_y(t)), text) for t, text in zip(y_ticks, y_text, strict=True)),
        x_label=x_label,
        y_label=y_label,
    )


def dvh_chart(doses: OrganDoses, unit: str) -> LineChart | None:
    """Return the dose-volume histograms of the highest doses to tissues with a weight, or None.

    Histograms belong to parts (left and right lung), not to wholes. If no tissue with a weight has one,
    the other organs are drawn.
    """
    rows = [r for r in organ_rows(doses) if r["organ"] in doses.dvh]
    names = [r["organ"] for r in ([r for r in rows if _has_weight(r)] or rows)][:LINES_MAX]
    if not names:
        return None
    ends = []
    for name in names:
        dvh = doses.dvh[name]
        above = dvh.dose_mgy[dvh.volume_fraction > 0.002]
        ends.append(float(above.max()) if above.size else 0.0)
    factor, unit = (0.001, "Gy") if unit == "mGy" and max(ends) >= GRAY_FROM_MGY else (1.0, unit)
    x_ticks = nice_ticks(factor * max(ends))
    series = []
    for name in names:
        dvh = doses.dvh[name]
        keep = factor * dvh.dose_mgy <= x_ticks[-1]
        x, y = factor * dvh.dose_mgy[keep], dvh.volume_fraction[keep]
        thin = max(len(x) // 240, 1)
        series.append((words.organ_name(name), x[::thin], y[::thin]))
    y_ticks = [0.0, 0.25, 0.5, 0.75, 1.0]
    y_text = [f"{100 * t:.0f} %" for t in y_ticks]
    span = (0.0, x_ticks[-1])
    return _chart(
        "Dose-volume histograms", series, f"Dose ({unit})", "Volume", y_ticks, y_text, span, x_ticks
    )


def figure_chart(figure: Figure) -> LineChart | None:
    """Return a figure that is a line (``x`` and ``y`` in its data), or None."""
    try:
        x = np.asarray(figure.data["x"], dtype=float)
        y = np.asarray(figure.data["y"], dtype=float)
    except (KeyError, TypeError, ValueError):
        return None
    if x.ndim != 1 or x.shape != y.shape or x.size < 2 or not np.all(np.isfinite(x) & np.isfinite(y)):
        return None
    if np.ptp(x) == 0 or y.min() < 0:
        return None
    y_ticks = nice_ticks(float(y.max()))
    low, high = float(x.min()), float(x.max())
    step = nice_ticks(high - low)[1]
    x_ticks = [t * step for t in range(ceil(low / step), floor(high / step) + 1)]
    return _chart(
        figure.title,
        [(figure.title, x, y)],
        str(figure.data.get("x_label", "")),
        str(figure.data.get("y_label", "")),
        y_ticks,
        [words.tick(t) for t in y_ticks],
        (low, high),
        x_ticks,
    )


def _run(start: int, stop: int, columns: int) -> str:
    """Return the outline of the cells start..stop-1 of a grid filled row by row, as an SVG path."""
    out = []
    while start < stop:
        row, column = divmod(start, columns)
        if column == 0 and stop - start >= columns:
            rows = (stop - start) // columns
            out.append(f"M0 {row}h{columns}v{rows}h-{columns}z")
            start += rows * columns
        else:
            end = min(stop, (row + 1) * columns)
            out.append(f"M{column} {row}h{end - start}v1h-{end - start}z")
            start = end
    return "".join(out)


def people_dots(counts: words.Counts, extra_fraction: float, upper_fraction: float) -> Dots:
    """Return the dots of a group of at most 10 000 people.

    Parameters
    ----------
    counts
        The numbers told in words: they name the group and the rounded baseline.
    extra_fraction, upper_fraction
        Central and upper extra risk. These dots come first, where they are seen.
    """
    group = min(counts.group, DOTS_MAX)
    columns = 100 if group > 1000 else 50
    baseline = min(round(counts.baseline * group / counts.group), group)
    extra = min(round(extra_fraction * group), group - baseline)
    further = max(min(round(upper_fraction * group) - extra, group - baseline - extra), 0)
    less = "" if extra else " (less than one dot)"
    text = (
        f"Of {words.whole(group)} people, {words.whole(baseline)} get cancer without the exposure and "
        f"{words.whole(extra)} more because of it{less}; up to {words.whole(further)} further if the upper "
        "end of the interval is true."
    )
    return Dots(
        group=group,
        columns=columns,
        rows=-(-group // columns),
        baseline=baseline,
        extra=extra,
        further=further,
        extra_path=_run(0, extra, columns),
        further_path=_run(extra, extra + further, columns),
        baseline_path=_run(extra + further, extra + further + baseline, columns),
        rest_path=_run(baseline + extra + further, group, columns),
        text=text,
    )
