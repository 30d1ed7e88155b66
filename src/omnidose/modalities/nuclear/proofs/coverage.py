"""Do the 95 % intervals of doses hold the truth in 95 % of simulated patients?"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from numba import set_num_threads

from omnidose.dosimetry.internal_uncertainty import Calibration
from omnidose.modalities.nuclear.imaging.clinic import FULL
from omnidose.modalities.nuclear.imaging.patients import CALIBRATION_STD_REL, NUCLIDE, ORGANS, SCANS_H
from omnidose.modalities.nuclear.proofs._blurred_spheres import (
    BLUR,
    DENSITY_G_CM3,
    PHOTON_SHARE,
    Outline,
    draw_outlines,
)
from omnidose.modalities.nuclear.proofs._clinic import ERRORS, run_case
from omnidose.modalities.nuclear.series.doses import curve_of, dose_factor, dose_of, fitted
from omnidose.modalities.nuclear.series.results import OutlineDose
from omnidose.physics.nuclides import nuclide
from omnidose.transport.threads import thread_count
from omnidose.validation import Context, Row, within

#: With and without images.
PATIENTS = 200
PROMISED = (0.91, 0.99)
SOURCE = "the interval's own promise, 95 %; the claim: 91 to 99 %"


def check(context: Context) -> Iterator[Row]:
    """200 patients without images; in full 200 from projections too."""
    yield from _without_images()
    if context.full:
        yield from _from_projections(context)


def _without_images() -> Iterator[Row]:
    """All is drawn from what the clinic states: this proves the propagation, not the numbers stated."""
    inside: dict[str, list[bool]] = {}
    widths: dict[str, list[float]] = {}
    largest: dict[str, list[str]] = {}
    for seed in range(PATIENTS):
        rng = np.random.default_rng([179, seed])
        for outline in draw_outlines(seed, ERRORS):
            true_mgy, found = _both(outline, rng)
            low, high = found.interval_mgy
            inside.setdefault(outline.kind, []).append(low <= true_mgy <= high)
            widths.setdefault(outline.kind, []).append(found.std_rel)
            largest.setdefault(outline.kind, []).append(found.largest)
    for kind, values in inside.items():
        names, counts = np.unique(largest[kind], return_counts=True)
        yield within(
            f"{kind}: truth inside the 95 % interval, {PATIENTS} patients without images",
            float(np.mean(values)), 0.95, unit="1", source=SOURCE, bounds=PROMISED,
            note=f"{len(values)} outlines; median relative standard uncertainty "
            f"{100 * np.median(widths[kind]):.1f} %, mostly from {names[counts.argmax()]}",
        )  # fmt: skip


def _both(outline: Outline, rng: np.random.Generator) -> tuple[float, OutlineDose]:
    """Return the true dose (mGy) and what the clinic found."""
    share = PHOTON_SHARE["lesion" if outline.kind == "lesion" else "organ"]
    factor = dose_factor(NUCLIDE, outline.volume_cm3, DENSITY_G_CM3, 0.0)
    electron = outline.integral_mbq_h * factor.mgy_per_mbq_h(outline.volume_cm3)
    true_mgy = electron * (1 + ERRORS.dose_factor_rel * float(rng.standard_normal())) * (1 + share)
    sight = outline.sight
    fit = fitted(sight, np.array(SCANS_H), nuclide(NUCLIDE).half_life_h)
    calibration = Calibration(cps_per_mbq=10.0, std_rel=CALIBRATION_STD_REL, camera="camera")
    seen_share = share * (1 + 0.1 * float(rng.standard_normal()))
    own = fit.integral.value_mbq_h * dose_factor(NUCLIDE, sight.volume_cm3, DENSITY_G_CM3, 0.0).mgy_per_mbq_h(
        sight.volume_cm3
    )
    found = dose_of(
        sight,
        curve_of(sight, fit, ERRORS),
        emitter=NUCLIDE,
        photon_mgy=own * seen_share,
        blur=BLUR,
        calibration=calibration,
        errors=ERRORS,
    )
    return true_mgy, found


def intervals_of(seed: int) -> dict[str, list[tuple[float, float, float]]]:
    """Scan one patient: kind -> (true dose, lower end, upper end) in mGy of each outline as drawn."""
    case = run_case(seed, FULL)
    found: dict[str, list[tuple[float, float, float]]] = {}
    for name, dose in case.drawn.items():
        kind = name if name in ORGANS else "lesion"
        found.setdefault(kind, []).append((case.truth[name].dose_mgy, *dose.interval_mgy))
    return found


def _from_projections(context: Context) -> Iterator[Row]:
    """The same from camera, noise, reconstruction and outlines that are wrong: nothing is as stated."""
    groups: dict[str, list[tuple[float, float, float]]] = {}
    with ProcessPoolExecutor(
        max_workers=thread_count(),
        mp_context=get_context("spawn"),
        initializer=set_num_threads,
        initargs=(1,),
    ) as pool:
        for number, found in enumerate(pool.map(intervals_of, range(1, PATIENTS + 1)), start=1):
            context.progress(f"simulated patient {number} of {PATIENTS}")
            for kind, triples in found.items():
                groups.setdefault(kind, []).extend(triples)
    for kind, triples in groups.items():
        inside = [low <= true <= high for true, low, high in triples]
        below = float(np.mean([true < low for true, low, _ in triples]))
        yield within(
            f"{kind}: truth inside the 95 % interval, {PATIENTS} patients from projections",
            float(np.mean(inside)), 0.95, unit="1", source=SOURCE, bounds=PROMISED,
            note=f"{sum(inside)} of {len(inside)}; truth below the interval in {100 * below:.1f} %; first "
            f"{PATIENTS} seeds, none left out",
        )  # fmt: skip
