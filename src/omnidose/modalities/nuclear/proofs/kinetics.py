"""Rows of kinetics: curves, single time points, biologically effective dose, the chain of uncertainty."""

from __future__ import annotations

from collections.abc import Iterator
from csv import DictReader
from math import inf, isfinite, log
from pathlib import Path
from time import perf_counter

import numpy as np

from omnidose.data import load
from omnidose.dosimetry.bed import DoseRate, Repair, bed, eqd2, lea_catcheside
from omnidose.kinetics.choice import choose_shape
from omnidose.kinetics.curves import TimeActivityCurve
from omnidose.kinetics.exponentials import Shape
from omnidose.kinetics.fits import Weights, fit_curve
from omnidose.kinetics.single_time_point import (
    HalfLifePopulation,
    haenscheid_mbq_h,
    population_half_life,
    population_mbq_h,
)
from omnidose.kinetics.voxels import fit_voxels
from omnidose.modalities.nuclear.proofs._kinetics_choice import choice_rows
from omnidose.modalities.nuclear.proofs.kinetics_models import check_biokinetics
from omnidose.modalities.nuclear.proofs.kinetics_uncertainty import check_uncertainty
from omnidose.modalities.nuclear.proofs.rows import LU177_H, said_row
from omnidose.quantities import AbsorbedDose
from omnidose.validation import Context, Row, within

__all__ = ["check_bed", "check_biokinetics", "check_fits", "check_single_time_point", "check_uncertainty"]

CURVES = "kinetics_curves, kinetics_fits: another program's fits"
CLOSED = "closed form"
_PATIENT = Path("nm") / "lu177_patient_tac.csv"


def shared_curves() -> dict[str, TimeActivityCurve]:
    """Return the packaged curves by name."""
    table = load("kinetics_curves")
    out = {}
    for name in dict.fromkeys(map(str, table["curve"])):
        rows = table["curve"] == name
        out[name] = TimeActivityCurve(
            time_h=table["time_h"][rows],
            activity_mbq=table["activity_mbq"][rows],
            std_mbq=table["std_mbq"][rows],
            name=name,
        )
    return out


def check_fits(context: Context) -> Iterator[Row]:
    """Integrals of fits, their uncertainty and choice; voxels; a patient of the reference folder."""
    yield from _shared_fits()
    yield from _physical_bound()
    yield from _coverage(1000 if context.full else 200)
    yield from choice_rows(200 if context.full else 20)
    yield from _voxels(1_000_000 if context.full else 100_000, timed=context.full)
    if context.reference is not None and (context.reference / _PATIENT).is_file():
        yield from _patient(context.reference / _PATIENT)


def _shared_fits() -> Iterator[Row]:
    curves = shared_curves()
    off = {"std_mbq_h": 0.0, "chi2": 0.0, "aicc": 0.0}
    for row in load("kinetics_fits").rows():
        name, shape = str(row["curve"]), Shape(str(row["shape"]))
        # the shared fits know no physical half-life
        fit = fit_curve(curves[name], shape, half_life_h=inf)
        yield within(
            f"curve {name}, {shape.value}: integral",
            fit.integral.value_mbq_h,
            float(row["integral_mbq_h"]),
            unit="MBq h",
            source=CURVES,
            tolerance_rel=0.005,
            note=f"rejected here: {fit.rejection}" if fit.rejection else "",
        )
        if fit.accepted:
            found = {"std_mbq_h": fit.integral.std_mbq_h, "chi2": fit.chi2, "aicc": fit.aicc}
            for key, value in found.items():
                expected = float(row[key])
                if isfinite(expected) or isfinite(value):
                    off[key] = max(off[key], abs(value / expected - 1))
    words = {"std_mbq_h": "uncertainty of the integral", "chi2": "chi-square", "aicc": "AICc"}
    for key, largest in off.items():
        yield within(
            f"accepted fits: largest relative difference of the {words[key]}",
            largest,
            0.0,
            unit="1",
            source=f"{CURVES}, printed to 3 or 4 digits",
            bounds=(0.0, 0.005),
        )
    for row in load("kinetics_fits").rows():
        if str(row["best"]) == "True":
            best = choose_shape(curves[str(row["curve"])], half_life_h=inf)
            yield said_row(
                f"curve {row['curve']}: shape taken",
                best.best.shape.value,
                str(row["shape"]),
                source=CURVES,
                note=best.reason,
            )


def _physical_bound() -> Iterator[Row]:
    curve = shared_curves()["L2"]
    fit = fit_curve(curve, Shape.MONO, half_life_h=LU177_H)
    yield within(
        "an exponential forced on an uptake curve of 177Lu: effective half-life, at most the physical",
        float(fit.effective_half_lives_h[0]),
        LU177_H,
        unit="h",
        source="no decay is slower than the physical one",
        bounds=(0.0, LU177_H * (1 + 1e-9)),
    )
    yield said_row(
        "the same: said about it",
        "rejected" if fit.rejection else "accepted",
        "rejected",
        source="a fit that ends on a bound",
        note=fit.rejection,
    )


def _coverage(count: int) -> Iterator[Row]:
    """Share of true integrals inside 95 % intervals, with four scans and 5 % noise."""
    rng = np.random.default_rng(7)
    time_h = np.array([4.0, 24.0, 72.0, 168.0])
    inside = 0
    for half_life_h in rng.uniform(30.0, 90.0, count):
        true = np.exp(-log(2) / half_life_h * time_h)
        curve = TimeActivityCurve(
            time_h=time_h,
            activity_mbq=np.maximum(true * (1 + 0.05 * rng.standard_normal(4)), 0.0),
            std_mbq=0.05 * true,
        )
        integral = fit_curve(curve, Shape.MONO, half_life_h=LU177_H).integral
        inside += abs(integral.value_mbq_h - half_life_h / log(2)) <= 1.96 * integral.std_mbq_h
    # 4 standard errors of a share of 0.95
    reach = 4 * (0.95 * 0.05 / count) ** 0.5
    yield within(
        f"{count} made-up curves of four scans, noise 5 %: share of 95 % intervals that hold the truth",
        inside / count,
        0.95,
        unit="1",
        source="known curves",
        bounds=(0.95 - reach, min(1.0, 0.95 + reach)),
    )


def _voxels(count: int, *, timed: bool) -> Iterator[Row]:
    rng = np.random.default_rng(3)
    time_h = np.array([4.0, 24.0, 96.0, 168.0])
    half_life_h = rng.uniform(5.0, 155.0, count)
    images = rng.uniform(0.1, 2.0, count) * np.exp(-log(2) / half_life_h * time_h[:, None])
    true = images[0] * np.exp(log(2) / half_life_h * time_h[0]) * half_life_h / log(2)
    start = perf_counter()
    found = fit_voxels(images, time_h, half_life_h=LU177_H)
    seconds = perf_counter() - start
    yield within(
        f"{count} voxels without noise, half-lives 5 to 155 h: largest relative error of the integral",
        float(np.abs(found.integral_mbq_h / true - 1).max()),
        0.0,
        unit="1",
        source=CLOSED,
        bounds=(0.0, 1e-6),
    )
    if timed:
        yield within(
            f"{count} voxels x 4 images: time",
            seconds,
            5.0,
            unit="s",
            source="a few seconds",
            bounds=(0.0, 10.0),
        )


def _patient(path: Path) -> Iterator[Row]:
    """One 177Lu patient: uptake curves, not weighted, beside the regression values of another program."""
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(DictReader(handle))
    for region in dict.fromkeys(r["region"] for r in rows):
        mine = [r for r in rows if r["region"] == region]
        curve = TimeActivityCurve(
            time_h=np.array([float(r["t_h"]) for r in mine]),
            activity_mbq=np.array([float(r["activity_MBq"]) for r in mine]),
            std_mbq=np.ones(len(mine)),
            name=region,
        )
        fit = fit_curve(curve, Shape.UPTAKE, half_life_h=LU177_H, weights=Weights.RELATIVE)
        yield within(
            f"177Lu patient, {region.replace('_', ' ').lower()}: integral of the uptake curve",
            fit.integral.value_mbq_h,
            float(mine[0]["TIA_MBq_h"]),
            unit="MBq h",
            source="lu177_patient_tac.csv of the reference folder",
            tolerance_rel=0.005,
        )


def check_single_time_point(_context: Context) -> Iterator[Row]:
    """Errors of one time point, and what a population says about them."""
    table = load("kinetics_single_time").rows()
    largest = {"haenscheid_percent": 0.0, "population_percent": 0.0}
    for row in table:
        half_life_h, scan_h = float(row["half_life_h"]), float(row["scan_h"])
        activity, true = 2 ** (-scan_h / half_life_h), half_life_h / log(2)
        found = {
            "haenscheid_percent": haenscheid_mbq_h(activity, scan_h),
            "population_percent": population_mbq_h(activity, scan_h, 50.0),
        }
        for key, value in found.items():
            largest[key] = max(largest[key], abs(100 * (value / true - 1) - float(row[key])))
    words = {"haenscheid_percent": "Haenscheid 2018", "population_percent": "half-life of a population"}
    for key, difference in largest.items():
        yield within(
            f"{words[key]}: largest difference of {len(table)} errors to the shared table, percentage points",
            difference,
            0.0,
            unit="%",
            source="kinetics_single_time, printed to 0.01",
            bounds=(0.0, 0.0051),
        )
    yield from _population()


def _population() -> Iterator[Row]:
    """The quantile lattice against drawn patients, and against closed quantiles."""
    population = HalfLifePopulation(median_h=51.6, spread_rel=0.25, half_life_h=LU177_H)
    rng = np.random.default_rng(5)
    drawn = population.median_h * np.exp(population.spread_rel * rng.standard_normal(400_000))
    drawn = drawn[drawn <= LU177_H]
    for scan_h in (24.0, 96.0):
        estimate = population_half_life(1.0, scan_h, std_rel=0.0, population=population)
        true = np.exp(np.log(2) / drawn * scan_h) * drawn / np.log(2)
        wide = float(np.quantile(np.abs(true / estimate.value_mbq_h - 1), 0.6827))
        yield within(
            f"kidney at {scan_h:g} h, half-life 51.6 h with a spread of 25 %: uncertainty of the integral",
            estimate.std_rel,
            wide,
            unit="1",
            source="400 000 drawn patients",
            tolerance_rel=0.02,
        )


def check_bed(_context: Context) -> Iterator[Row]:
    """Protraction, BED and EQD2."""
    for row in load("kinetics_bed").rows():
        rate = DoseRate(
            amplitudes=tuple(map(float, str(row["amplitudes"]).split(";"))),
            half_lives_h=tuple(map(float, str(row["half_lives_h"]).split(";"))),
        )
        repair = Repair(half_times_h=(float(row["repair_h"]),))
        dose = AbsorbedDose(1000 * float(row["dose_gy"]))
        effect = bed(dose, alpha_beta_gy=float(row["alpha_beta_gy"]), rate=rate, repair=repair)
        found = {
            "g": (lea_catcheside(rate, repair), "1"),
            "bed_gy": (effect.value / 1000, "Gy"),
            "eqd2_gy": (eqd2(effect).value / 1000, "Gy"),
        }
        for key, (value, unit) in found.items():
            yield within(
                f"{str(row['case']).replace('_', ' ')}: {key.removesuffix('_gy').upper()}",
                value,
                float(row[key]),
                unit=unit,
                source="kinetics_bed",
                tolerance_rel=0.002,
            )
    yield from _double_integral()


def _double_integral() -> Iterator[Row]:
    """G of an uptake curve with two repair half-times, integrated twice over time."""
    rate = DoseRate(amplitudes=(1.0, -1.0), half_lives_h=(88.0, 6.0))
    repair = Repair(half_times_h=(0.5, 4.0), weights=(0.4, 0.6))
    yield within(
        "uptake and clearance, repair with 0.5 and 4 h: G",
        lea_catcheside(rate, repair),
        protraction_by_steps(rate, repair, end_h=1500.0, steps=400_000),
        unit="1",
        source="double integral over time, 400 000 steps",
        tolerance_rel=0.0005,
    )


def protraction_by_steps(rate: DoseRate, repair: Repair, *, end_h: float, steps: int) -> float:
    """Return G by summing over time: the damage that waits for repair is carried from step to step."""
    from scipy.signal import lfilter

    width = end_h / steps
    time = (np.arange(steps) + 0.5) * width
    dose_rate = np.zeros(steps)
    for amplitude, half_life_h in zip(rate.amplitudes, rate.half_lives_h, strict=True):
        dose_rate += amplitude * np.exp(-log(2) / half_life_h * time)
    total = 0.0
    for half_time_h, weight in zip(repair.half_times_h, repair.weights, strict=True):
        keep = float(np.exp(-log(2) / half_time_h * width))
        # half of a step meets the damage of its own time
        waiting = lfilter([0.0, 1.0], [1.0, -keep], dose_rate) * keep * width + 0.5 * dose_rate * width
        total += weight * float((dose_rate * waiting).sum()) * width
    dose = float(dose_rate.sum()) * width
    return 2.0 * total / dose**2
