"""Rows of the chain of uncertainty (EANM 2018): first order beside another program and beside Monte Carlo."""

from __future__ import annotations

from collections.abc import Iterator
from math import hypot

import numpy as np

from omnidose.data import load
from omnidose.dosimetry.internal_uncertainty import (
    Calibration,
    DoseChain,
    DoseFactor,
    RecoveryCurve,
    SeenVolume,
)
from omnidose.kinetics.curves import ArrayF8, TimeActivityCurve
from omnidose.kinetics.exponentials import Shape
from omnidose.kinetics.fits import fit_curve
from omnidose.kinetics.voxels import fit_voxels
from omnidose.modalities.nuclear.proofs.rows import LU177_H, said_row
from omnidose.validation import Context, Row, within


def _case_chain(values: dict[str, float]) -> tuple[DoseChain, TimeActivityCurve]:
    curve = TimeActivityCurve.with_relative_std(
        [values[f"t_{i}"] for i in range(1, 5)],
        [values[f"counts_{i}"] for i in range(1, 5)],
        std_rel=values["uc"],
    )
    integral = fit_curve(curve, Shape.MONO, half_life_h=LU177_H).integral
    chain = DoseChain(
        name="lesion",
        volume=SeenVolume(diameter_mm=values["d_mm"], voxel_mm=values["a_mm"], fwhm_mm=values["fwhm_mm"]),
        recovery=RecoveryCurve(
            half_volume_cm3=values["b1"],
            half_volume_std_rel=values["ub1"] / values["b1"],
            slope=values["b2"],
            slope_std_rel=values["ub2"] / values["b2"],
        ),
        calibration=Calibration(cps_per_mbq=values["Q"], std_rel=values["uQ"], camera="example"),
        dose_factor=DoseFactor(
            one_cm3_mgy_per_mbq_h=1000 * values["c1"], slope=values["c2"], std_rel=values["us_fit"]
        ),
        counts_cps_h=integral.value_mbq_h,
        counts_std_rel=integral.std_rel,
    )
    return chain, curve


def check_uncertainty(_context: Context) -> Iterator[Row]:
    """The chain of EANM 2018: numbers of a worked case, first order beside Monte Carlo."""
    table = load("kinetics_uncertainty")
    values = {str(n): float(v) for n, v in zip(table["name"], table["value"], strict=True)}
    chain, curve = _case_chain(values)
    volume = chain.volume.volume_cm3
    recovery_rel = hypot(
        chain.recovery.volume_exponent(volume) * chain.volume.std_rel,
        chain.recovery.parameters_std_rel(volume),
    )
    found = (
        ("volume", volume, "v_mL", "mL", 0.001),
        ("relative uncertainty of the volume", chain.volume.std_rel, "u_v_rel", "1", 0.001),
        ("recovery", chain.recovery.recovery_fraction(volume), "R", "1", 0.001),
        ("relative uncertainty of the recovery", recovery_rel, "u_R_rel", "1", 0.005),
        ("integral", chain.integral_mbq_h, "TIA_MBq_h", "MBq h", 0.005),
        ("relative uncertainty of the curve", chain.counts_std_rel, "u_TIAfit_rel", "1", 0.01),
        ("dose", chain.dose.value / 1000, "D_Gy", "Gy", 0.005),
        ("relative uncertainty of the dose, first order", chain.std_rel, "u_D_rel_linear", "1", 0.005),
    )
    for name, ours, key, unit, tolerance_rel in found:
        yield within(
            f"lesion of 32 mm: {name}",
            ours,
            values[key],
            unit=unit,
            source="kinetics_uncertainty",
            tolerance_rel=tolerance_rel,
        )
    yield said_row(
        "lesion of 32 mm: largest contribution", chain.largest, "volume", source="notes of the case"
    )
    yield from _sampled(chain, curve, values)
    yield from _better_seen(chain)


def _half_width(doses_mgy: ArrayF8) -> float:
    """Half the central 68.3 % interval of the logarithm."""
    low, high = np.quantile(np.log(doses_mgy), [0.15866, 0.84134])
    return float(high - low) / 2


def _sampled(chain: DoseChain, curve: TimeActivityCurve, values: dict[str, float]) -> Iterator[Row]:
    draws = 100_000
    rng = np.random.default_rng(11)
    noisy = curve.activity_mbq[:, None] + curve.std_mbq[:, None] * rng.standard_normal((len(curve), draws))
    refitted = fit_voxels(noisy, curve.time_h, half_life_h=LU177_H, std_mbq=curve.std_mbq)
    doses = chain.sampled_doses_mgy(draws=draws, counts_cps_h=refitted.integral_mbq_h)
    yield within(
        "lesion of 32 mm: relative uncertainty of the dose, first order beside Monte Carlo",
        chain.std_rel,
        _half_width(doses),
        unit="1",
        source="100 000 draws, every curve fitted anew: half of the 68 % interval of ln D",
        tolerance_rel=0.05,
        note=f"standard deviation of ln D {np.log(doses).std():.3f}: diameters near 0 have a tail",
    )
    yield within(
        "lesion of 32 mm: median of the dose by Monte Carlo",
        float(np.median(doses)) / 1000,
        values["MC_median_D_Gy"],
        unit="Gy",
        source="kinetics_uncertainty, another program's draws",
        tolerance_rel=0.02,
    )


def _better_seen(chain: DoseChain) -> Iterator[Row]:
    """The same chain for volumes that are seen better: there the standard deviation itself must agree."""
    for name, volume in (
        ("lesion of 32 mm drawn in a CT", SeenVolume(diameter_mm=32.0, voxel_mm=1.0, fwhm_mm=1.5)),
        ("organ of 300 mL drawn in SPECT", SeenVolume.from_volume(300.0, voxel_mm=4.42, fwhm_mm=11.0)),
    ):
        better = DoseChain(
            volume=volume,
            recovery=chain.recovery,
            calibration=chain.calibration,
            dose_factor=chain.dose_factor,
            counts_cps_h=chain.counts_cps_h,
            counts_std_rel=chain.counts_std_rel,
            name=name,
        )
        yield within(
            f"{name}: relative uncertainty of the dose, first order beside Monte Carlo",
            better.std_rel,
            float(np.log(better.sampled_doses_mgy(draws=100_000)).std()),
            unit="1",
            source="100 000 draws: standard deviation of ln D",
            tolerance_rel=0.05,
        )
