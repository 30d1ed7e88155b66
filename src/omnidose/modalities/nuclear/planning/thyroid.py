"""Radioiodine for benign thyroid disease: activity for a prescribed dose from mass, uptake and half-life.

A = D m / (E(m) u) with the decays u per administered activity and the energy E(m) that a thyroid of the
mass m absorbs of one decay. Marinelli's formula takes u = U24 T / ln 2; several uptakes are fitted instead.

References
----------
Marinelli, Quimby and Hine 1948 *Am J Roentgenol* 59:260; Hänscheid et al. 2013 *Eur J Nucl Med Mol Imaging*
40:1126 (EANM standard operational procedure, pre-therapeutic dosimetry of benign thyroid disease).
"""

from __future__ import annotations

from math import hypot, log

import numpy as np

from omnidose.errors import InputError
from omnidose.kinetics.choice import choose_shape
from omnidose.kinetics.curves import TimeActivityCurve, TimeIntegratedActivity
from omnidose.kinetics.exponentials import Shape
from omnidose.modalities.nuclear.planning.confidence import DosePerActivity, check_positive, check_std
from omnidose.physics.nuclides import nuclide
from omnidose.transport.dose_kernels.spheres import sphere_s

IODINE = "I-131"
S_PER_H = 3600.0
#: Decays of measured uptakes that are less certain than this make no plan.
MOST_STD_REL = 1.0
#: Effective half-lives below this are taken for a mix-up of units, and said so.
SHORT_H = 24.0
#: Photons are about 8 % of the dose of a sphere of 20 g; two lobes keep up to a quarter less of them.
SHAPE_STD_REL = 0.02


def thyroid_mgy_g_per_mbq_h(mass_g: float) -> float:
    """Return the energy that a thyroid absorbs of its own decays (mGy g per MBq h), as a sphere of soft
    tissue.

    Electrons and photons from the point kernel; 20 g: 118.46, which is 2.843 Gy g per MBq d (EANM 2013, as
    remembered: 2.808).
    """
    return sphere_s(IODINE, mass_g).total_mgy * S_PER_H * mass_g


def marinelli_constant(mass_g: float = 20.0) -> float:
    """Return c of A (MBq) = c D (Gy) m (g) / (U (%) T (d)); guidelines, as remembered: 24.7 to 25."""
    per_mbq_d = thyroid_mgy_g_per_mbq_h(mass_g) * 24 / 1000
    return 100 * log(2) / per_mbq_d


def integral_from_uptake(
    uptake_fraction: float,
    effective_half_life_h: float,
    *,
    uptake_std_rel: float = 0.0,
    half_life_std_rel: float = 0.0,
) -> TimeIntegratedActivity:
    """Return the decays per administered MBq (MBq h) as Marinelli takes them: U24 T / ln 2.

    The curve is taken as U24 exp(-t ln 2 / T) from the start: the rise is left out (too many decays), and
    so is what was lost in the first day (too few).

    Raises
    ------
    InputError
        For an uptake outside (0, 1], or a half-life longer than the physical one.
    """
    if not 0 < uptake_fraction <= 1:
        raise InputError(
            f"an uptake of {uptake_fraction:g} cannot be used",
            where="uptake",
            allowed="above 0 to 1 (0.45 for 45 %)",
        )
    check_positive(effective_half_life_h=effective_half_life_h)
    check_std(uptake_std_rel=uptake_std_rel, half_life_std_rel=half_life_std_rel)
    physical_h = nuclide(IODINE).half_life_h
    if effective_half_life_h > physical_h:
        raise InputError(
            f"an effective half-life of {effective_half_life_h:.4g} h is longer than the physical one, "
            f"{physical_h:.4g} h",
            where="effective_half_life_h",
            todo="check whether days were given, or the biological half-life",
        )
    value = uptake_fraction * effective_half_life_h / log(2)
    return TimeIntegratedActivity(
        value_mbq_h=value,
        std_mbq_h=value * hypot(uptake_std_rel, half_life_std_rel),
        tail_fraction=float("nan"),  # nothing was measured after the uptake
        head_fraction=float("nan"),
        method="Marinelli: uptake at 24 h and effective half-life",
        remark=_short(effective_half_life_h),
    )


def _short(effective_half_life_h: float) -> str:
    if effective_half_life_h >= SHORT_H:
        return ""
    return (
        f"an effective half-life of {effective_half_life_h:g} h is short for a thyroid (2 to 8 days are "
        "usual): days may have been given for hours"
    )


def integral_from_uptakes(
    time_h: list[float], uptake_fractions: list[float], *, std_rel: float
) -> TimeIntegratedActivity:
    """Return the decays per administered MBq (MBq h) of several uptakes, fitted.

    Parameters
    ----------
    time_h, uptake_fractions
        At least two; not corrected for decay. With three and more, one in the first hours, the rise is
        fitted where one exponential is contradicted by them.
    std_rel
        Relative standard uncertainty of each.

    Raises
    ------
    InputError
        For one uptake alone, uptakes above 1, and those that leave the decays uncertain by 100 % and more.
    """
    curve = TimeActivityCurve.with_relative_std(
        time_h, np.asarray(uptake_fractions), std_rel=std_rel, name="thyroid"
    )
    if (curve.activity_mbq > 1).any():
        raise InputError("an uptake is above 1", where="uptakes", allowed="shares, 0.45 for 45 %")
    if len(curve) < 2:
        raise InputError(
            "one uptake does not say how long it stays",
            where="uptakes",
            todo="give several, or one with the effective half-life",
        )
    shapes = (Shape.RETAINED, Shape.MONO, Shape.UPTAKE_RETAINED, Shape.UPTAKE)
    found = choose_shape(curve, half_life_h=nuclide(IODINE).half_life_h, shapes=shapes).integral
    if not found.std_rel < MOST_STD_REL:
        raise InputError(
            f"these uptakes leave the decays uncertain by {100 * found.std_rel:.0f} %: no plan can rest on "
            "them",
            where="uptakes",
            todo="check them, or measure later as well",
        )
    return found


def thyroid_dose(
    integral: TimeIntegratedActivity, mass_g: float, *, mass_std_rel: float, extra_std_rel: float = 0.0
) -> DosePerActivity:
    """Return the dose of the thyroid per administered activity.

    Parameters
    ----------
    integral
        Decays per administered MBq (MBq h).
    extra_std_rel
        Between tracer and therapy, or calibration of the probe.
    """
    check_positive(mass_g=mass_g)
    check_std(mass_std_rel=mass_std_rel, extra_std_rel=extra_std_rel)
    return DosePerActivity(
        name="thyroid",
        median_mgy_per_mbq=thyroid_mgy_g_per_mbq_h(mass_g) * integral.value_mbq_h / mass_g,
        std_rel=hypot(mass_std_rel, integral.std_rel, extra_std_rel, SHAPE_STD_REL),
        source=integral.method,
    )
