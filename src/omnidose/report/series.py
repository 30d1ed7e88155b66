"""Time series of nuclear medicine in the report: curves, outlines, three ways, effects, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from omnidose.anatomy.body import LESION
from omnidose.dosimetry.results import ExposureResult, Figure
from omnidose.report import charts, series_words, words

MGY_PER_GY = 1000.0
#: Names of the methods, in the order of the table.
METHODS = {
    "local": "All energy stays",
    "convolution": "Kernels",
    "monte-carlo": "Monte Carlo photons",
}
#: Decades of activity that a chart shows at most.
DECADES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A measured point with its interval, in user units of the drawing."""

    x: float
    y: float
    low: float
    high: float
    style: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedChart:
    """A line chart with points."""

    chart: charts.LineChart
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitBar:
    """What of a limit is used; lengths are per cent of the width, the limit lies at ``limit_at``."""

    name: str
    text: str
    meaning: str
    source: str
    used: float
    low: float
    high: float
    limit_at: float


def section(result: ExposureResult) -> dict[str, Any] | None:
    """Return what the report shows of a series; None for any other exposure."""
    found = {figure.key: figure for figure in result.figures}
    if "series-outlines" not in found:
        return None
    outlines = found["series-outlines"].data["rows"]
    curves = found["series-activity"].data if "series-activity" in found else {"curves": []}
    effects = found["series-effects"].data if "series-effects" in found else {"rows": [], "limits": []}
    tails = {curve["name"]: curve for curve in curves["curves"]}
    late = [name for name, curve in tails.items() if curve["flagged"]]
    return {
        "outlines": [_outline(row, tails.get(row["organ"])) for row in outlines],
        "charts": activity_charts(found.get("series-activity")),
        "methods": _methods(found.get("series-methods")),
        "effects": [_effect(row) for row in effects["rows"]],
        "sources": _sources(effects["rows"]),
        "alpha": any(row["alpha_mgy"] > 0 for row in [*outlines, *effects["rows"]]),
        "limits": limit_bars(effects["limits"]),
        "patient": series_words.series_patient(outlines, effects["limits"]) if result.therapy else "",
        "physician": series_words.series_physician(outlines, late) if outlines else "",
        "physicist": series_words.series_physicist(outlines) if outlines else "",
        "text": series_words.SERIES,
    }


def therapy_facts(result: ExposureResult) -> list[tuple[str, str, str]]:
    """Return (name, value, remark) of what a reader of a therapy looks for first."""
    doses = result.organ_doses
    lesions = [key for key in doses.organs if key.startswith(LESION)]
    shown: list[str] = [key for key in ("kidneys", "red-marrow") if key in doses.organs]
    shown += sorted(lesions, key=lambda key: -doses.dose_of(key))[:1]
    out = []
    for key in shown:
        low, high = (float(v) for v in doses.interval_mgy[doses.organs.index(key)])
        most = " (the most of all lesions)" if key in lesions and len(lesions) > 1 else ""
        name = f"{words.organ_name(key)}{most}"
        out.append((name, f"{gray(doses.dose_of(key))} Gy", f"95 % interval {_range(low, high)} Gy"))
    return out


def gray(value_mgy: float) -> str:
    """Write a dose in Gy."""
    return words.number(value_mgy / MGY_PER_GY, 3)


def _range(low_mgy: float, high_mgy: float) -> str:
    return f"{words.number(low_mgy / MGY_PER_GY, 2)} to {words.number(high_mgy / MGY_PER_GY, 2)}"


def _outline(row: Mapping[str, Any], curve: Mapping[str, Any] | None) -> dict[str, Any]:
    parts = {series_words.PARTS.get(key, key): value for key, value in row["parts_rel"].items()}
    ordered = sorted(parts.items(), key=lambda pair: -pair[1])
    return {
        "name": words.organ_name(row["organ"]),
        "volume": words.number(row["volume_cm3"]),
        "dose": gray(row["dose_mgy"]),
        "range": _range(row["low95_mgy"], row["high95_mgy"]),
        "per_gbq": gray(row["per_gbq_mgy"]),
        "alpha": gray(row["alpha_mgy"]),
        "half_life": words.number(curve["half_life_h"]) if curve else "–",
        "tail": f"{100 * curve['tail_fraction']:.0f} %" if curve else "–",
        "flagged": bool(curve and curve["flagged"]),
        "recovery": f"{100 * row['recovery_fraction']:.0f} %",
        "spill_in": f"{100 * row['spill_in_fraction']:.0f} %",
        "largest": f"{ordered[0][0]} {100 * ordered[0][1]:.0f} %",
        "parts": ", ".join(f"{key} {100 * value:.1f} %" for key, value in ordered),
        "without": ", ".join(words.organ_name(key) for key in row["without"]),
    }


def activity_charts(figure: Figure | None) -> list[tuple[str, MarkedChart]]:
    """Return charts of activity against time: organs with the rest of the body, then lesions."""
    if figure is None:
        return []
    curves = figure.data["curves"]
    lesions = [curve for curve in curves if curve["name"].startswith(LESION)]
    organs = [curve for curve in curves if not curve["name"].startswith(LESION)]
    out = []
    for title, group in (("Organs and the rest of the body", organs), ("Lesions", lesions)):
        shown = sorted(group, key=lambda curve: -curve["integral_mbq_h"])[: charts.LINES_MAX]
        if shown:
            more = f" ({len(shown)} of {len(group)})" if len(group) > len(shown) else ""
            out.append((title + more, _activity_chart(title, shown, figure.data["end_h"])))
    return out


def _activity_chart(title: str, curves: Sequence[Mapping[str, Any]], end_h: float) -> MarkedChart:
    width, height = charts.CHART
    left, top, right, bottom = charts.MARGIN
    measured = [value for curve in curves for value in curve["activity_mbq"] if value > 0]
    highest = max([*measured, *(max(curve["line_mbq"]) for curve in curves)])
    upper = ceil(log10(highest) - 1e-9)
    lower = max(floor(log10(min(measured)) - 0.3), upper - DECADES)
    days = end_h > 72
    unit_h, unit = (24.0, "days") if days else (1.0, "hours")
    ticks = [t for t in charts.nice_ticks(end_h / unit_h, 8) if t * unit_h <= end_h * 1.001]

    def place_x(hours: float) -> float:
        return left + hours / end_h * (width - left - right)

    def place_y(mbq: float) -> float:
        share = (log10(max(mbq, 10.0**lower)) - lower) / (upper - lower)
        return height - bottom - min(share, 1.0) * (height - top - bottom)

    lines, marks = [], []
    for style, curve in enumerate(curves):
        points = " ".join(
            f"{place_x(h):.1f},{place_y(a):.1f}"
            for h, a in zip(curve["line_h"], curve["line_mbq"], strict=True)
            if a >= 10.0**lower
        )
        name = words.organ_name(curve["name"])
        lines.append(charts.Line(name=name, points=points, style=style))
        for h, a, std in zip(curve["time_h"], curve["activity_mbq"], curve["std_mbq"], strict=True):
            marks.append(
                Mark(
                    x=place_x(h),
                    y=place_y(a),
                    low=place_y(max(a - 1.96 * std, 1e-12)),
                    high=place_y(a + 1.96 * std),
                    style=style,
                )
            )
    return MarkedChart(
        chart=charts.LineChart(
            title=title,
            lines=tuple(lines),
            x_ticks=tuple((place_x(t * unit_h), words.tick(t)) for t in ticks),
            y_ticks=tuple((place_y(10.0**k), words.tick(10.0**k)) for k in range(lower, upper + 1)),
            x_label=f"Time after the injection, {unit}",
            y_label="Activity, MBq",
        ),
        marks=tuple(marks),
    )


def _methods(figure: Figure | None) -> dict[str, Any] | None:
    """Return the table of the three ways: doses in Gy, and the difference to the one that is used."""
    if figure is None or not figure.data["organ"]:
        return None
    data = figure.data
    used = data["mgy"][data["used"]]
    rows = []
    for i, key in enumerate(data["organ"]):
        cells = []
        for method in METHODS:
            value = data["mgy"][method][i]
            change = 100 * (value / used[i] - 1) if used[i] > 0 else 0.0
            cells.append(
                {"dose": gray(value), "change": "" if method == data["used"] else f"{change:+.1f} %"}
            )
        rows.append({"name": words.organ_name(key), "cells": cells})
    return {
        "heads": [name + (" (used)" if method == data["used"] else "") for method, name in METHODS.items()],
        "rows": rows,
        "histories": words.whole(data["histories"]),
    }


def _effect(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": words.organ_name(row["organ"]),
        "dose": gray(row["dose_mgy"]),
        "alpha": gray(row["alpha_mgy"]),
        "rbe": f"{gray(row['rbe_weighted_mgy'])} (RBE {row['rbe']:g})" if "rbe_weighted_mgy" in row else "–",
        "bed": gray(row["bed_mgy"]),
        "bed_range": _range(row["bed_low95_mgy"], row["bed_high95_mgy"]),
        "eqd2": gray(row["eqd2_mgy"]),
        "alpha_beta": f"{row['alpha_beta_gy']:g}",
        "repair": f"{row['repair_h']:g}",
    }


def _sources(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return source -> organs, one line each."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["source"], []).append(words.organ_name(row["organ"]))
    return [f"{', '.join(names)}: {source}" for source, names in found.items()]


def limit_bars(limits: Sequence[Mapping[str, Any]]) -> list[LimitBar]:
    """Return one bar per limit; the scale ends where the largest interval or the limit ends."""
    out = []
    for row in limits:
        scale = max(1.1, 1.05 * row["high95_mgy"] / row["limit_mgy"])
        to_width = 100 / (scale * row["limit_mgy"])
        used = 100 * row["used_fraction"]
        out.append(
            LimitBar(
                name=words.organ_name(row["organ"]),
                text=f"{gray(row['value_mgy'])} of {gray(row['limit_mgy'])} {row['unit']}: "
                f"{words.number(used, 2)} %",
                meaning=row["meaning"],
                source=row["source"],
                used=row["value_mgy"] * to_width,
                low=row["low95_mgy"] * to_width,
                high=min(row["high95_mgy"] * to_width, 100.0),
                limit_at=100 / scale,
            )
        )
    return out
