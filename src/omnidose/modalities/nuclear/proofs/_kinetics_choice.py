"""Rows of the choice of a shape: made-up curves whose integral is known, few points, noise."""

from __future__ import annotations

from collections.abc import Iterator
from math import log

import numpy as np

from omnidose.kinetics.choice import choose_shape
from omnidose.kinetics.curves import TimeActivityCurve
from omnidose.modalities.nuclear.proofs.rows import LU177_H
from omnidose.validation import Row, within

#: Name -> (amplitude, effective half-life in hours) of each term.
TRUE = {
    "140 h, near the physical 159.5 h": ((1.0, 140.0),),
    "50 h": ((1.0, 50.0),),
    "two phases of 3 h and 60 h": ((0.5, 3.0), (0.5, 60.0)),
    "uptake of 10 h, then 140 h": ((1.0, 140.0), (-1.0, 10.0)),
}
SCANS_H = (4.0, 24.0, 72.0, 168.0)
NOISE_REL = 0.05


def choice_rows(count: int) -> Iterator[Row]:
    """Bias of the integral, and how often its 95 % interval holds the truth."""
    rng = np.random.default_rng(23)
    time_h = np.array(SCANS_H)
    inside = []
    for name, terms in TRUE.items():
        true = sum(a * 2 ** (-time_h / half_life_h) for a, half_life_h in terms)
        whole = sum(a * half_life_h for a, half_life_h in terms) / log(2)
        off = []
        for _ in range(count):
            measured = true * (1 + NOISE_REL * rng.standard_normal(time_h.size))
            curve = TimeActivityCurve.with_relative_std(time_h, measured, std_rel=NOISE_REL)
            found = choose_shape(curve, half_life_h=LU177_H).integral
            off.append(found.value_mbq_h / whole - 1)
            inside.append(abs(found.value_mbq_h - whole) <= 1.96 * found.std_mbq_h)
        # 1 %, and 3 standard errors of a median of so many
        reach = 0.01 + 3 * 1.25 * float(np.std(off)) / count**0.5
        yield within(
            f"shape chosen from four scans, noise 5 %, true curve {name}: integral, median relative error",
            float(np.median(off)),
            0.0,
            unit="1",
            source=f"{count} made-up curves",
            bounds=(-reach, reach),
        )
    share, reach = float(np.mean(inside)), 4 * (0.95 * 0.05 / len(inside)) ** 0.5
    yield within(
        "the same: share of 95 % intervals that hold the truth",
        share,
        0.95,
        unit="1",
        source=f"{len(inside)} made-up curves",
        bounds=(0.95 - reach, min(1.0, 0.95 + reach)),
        note="AICc among all shapes, retention too, held 11 % of those of 140 h",
    )
