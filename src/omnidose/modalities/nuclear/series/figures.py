"""Figures of a series as data: curves, outlines, methods side by side, effects, histograms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from omnidose.dosimetry.results import Figure, OrganDoses
from omnidose.kinetics.curves import LARGE_TAIL_FRACTION
from omnidose.modalities.nuclear.exposure import DoseMethod
from omnidose.modalities.nuclear.series.curves import RegionCurve
from omnidose.modalities.nuclear.series.effects import effect_rows, limit_rows
from omnidose.modalities.nuclear.series.outlines import REST

if TYPE_CHECKING:
    from omnidose.modalities.nuclear.series.estimate import SeriesWork

#: Points of a drawn curve.
_POINTS = 61


def figures(work: SeriesWork, doses: OrganDoses) -> tuple[Figure, ...]:
    """Return everything that a report draws beside the organ doses."""
    out = [_activity(work), _outlines(work, doses), _methods(work)]
    if work.exam.therapy:
        out.append(_effects(work, doses))
    return tuple(out)


def _activity(work: SeriesWork) -> Figure:
    """Time-activity points of every outline and of the rest, with the fitted curve."""
    exam = work.exam
    last_h = max(exam.times_h)
    longest = max(curve.longest_half_life_h for curve in (*work.decays.curves.values(), work.decays.rest))
    end_h = last_h + min(2 * longest, max(last_h, 24.0))
    return Figure(
        key="series-activity",
        title="Activity against time",
        data={
            "curves": [
                _curve(curve, end_h, own=curve.name != REST)
                for curve in (*work.decays.curves.values(), work.decays.rest)
            ],
            "scans_h": list(exam.times_h),
            "end_h": end_h,
            "large_tail_fraction": LARGE_TAIL_FRACTION,
            "half_life_h": exam.half_life_h,
        },
    )


def _curve(curve: RegionCurve, end_h: float, *, own: bool) -> dict[str, Any]:
    line_h = np.linspace(0.0, end_h, _POINTS)
    return {
        "name": curve.name,
        "outline": own,
        "time_h": curve.time_h.tolist(),
        "activity_mbq": curve.activity_mbq.tolist(),
        "std_mbq": (curve.std_rel * curve.activity_mbq).tolist(),
        "line_h": line_h.tolist(),
        "line_mbq": np.maximum(curve.at_mbq(line_h), 0.0).tolist(),
        "shape": curve.shape,
        "half_life_h": curve.longest_half_life_h,
        "integral_mbq_h": curve.integral.value_mbq_h,
        "tail_fraction": curve.integral.tail_fraction,
        "flagged": bool(curve.integral.tail_fraction > LARGE_TAIL_FRACTION),
    }


def _outlines(work: SeriesWork, doses: OrganDoses) -> Figure:
    """Every outline: what it shows, its dose, its interval, and what makes it uncertain."""
    rows = []
    for name, found in work.outlines[work.method].items():
        i = doses.organs.index(name)
        low, high = (float(v) for v in doses.interval_mgy[i])
        rows.append(
            {
                "organ": name,
                "volume_cm3": found.volume_cm3,
                "mass_g": found.mass_g,
                "integral_mbq_h": found.integral_mbq_h,
                "coefficient_h": found.integral_mbq_h / work.exam.administration.net_mbq,
                "recovery_fraction": found.recovery_fraction,
                "spill_in_fraction": found.spill_in_fraction,
                "electron_mgy": found.electron_mgy,
                "photon_mgy": found.photon_mgy,
                "alpha_mgy": found.alpha_mgy,
                "dose_mgy": float(doses.total_mgy[i]),
                "low95_mgy": low,
                "high95_mgy": high,
                "per_gbq_mgy": float(doses.total_mgy[i]) / work.exam.administration.net_mbq * 1000,
                "parts_rel": {part.name: part.std_rel for part in found.parts},
                "largest": found.largest,
                "curve": found.curve,
                "without": list(found.without),
                "flags": list(found.flags),
            }
        )
    return Figure(key="series-outlines", title="Organs and lesions with an outline", data={"rows": rows})


def _methods(work: SeriesWork) -> Figure:
    """The three ways side by side; one of them is the result."""
    names = list(work.outlines[work.method])
    tally = work.voxels[DoseMethod.MONTE_CARLO].tally
    return Figure(
        key="series-methods",
        title="Three ways to the same doses",
        data={
            "organ": names,
            "used": work.method.value,
            "histories": tally.histories if tally is not None else 0,
            "mgy": {
                way.value: [float(work.outlines[way][name].dose.value) for name in names]
                for way in DoseMethod
            },
            "photon_mgy": {
                way.value: [work.outlines[way][name].photon_mgy for name in names] for way in DoseMethod
            },
        },
    )


def _effects(work: SeriesWork, doses: OrganDoses) -> Figure:
    """BED and EQD2, and the limits of practice."""
    rates = work.rates
    return Figure(
        key="series-effects",
        title="BED, EQD2 and limits of practice",
        data={
            "rows": effect_rows(doses, rates),
            "limits": limit_rows(doses, rates, work.exam.nuclide),
        },
    )
