"""From counts per second to MBq at a stated time: dead time, decay during the scan, the camera's factor."""

from __future__ import annotations

from dataclasses import replace
from math import exp, expm1, isfinite

import numpy as np

from omnidose.dosimetry.internal_uncertainty import Calibration
from omnidose.errors import InputError, RangeError
from omnidose.kinetics.curves import decay_constant_per_h
from omnidose.volume import Volume

S_PER_H = 3600.0


def true_rate_per_s(recorded_per_s: float, dead_time_s: float) -> float:
    """Return the rate of a paralysable system that records ``recorded_per_s``: m = n exp(-n t), the lower n.

    Raises
    ------
    InputError
        For rates or dead times below 0.
    RangeError
        For a rate that no true rate explains (above 1 / (e t)).
    """
    if not (isfinite(recorded_per_s) and recorded_per_s >= 0 and isfinite(dead_time_s) and dead_time_s >= 0):
        raise InputError(
            f"a rate of {recorded_per_s:g} per s with a dead time of {dead_time_s:g} s", allowed="0 or more"
        )
    if recorded_per_s * dead_time_s > exp(-1):
        raise RangeError(
            f"a system with a dead time of {dead_time_s:g} s cannot record {recorded_per_s:g} per s",
            allowed=f"up to {exp(-1) / dead_time_s:g} per s",
            todo="check dead time and count rate",
        )
    from scipy.special import lambertw

    load = -float(lambertw(-recorded_per_s * dead_time_s).real)  # n t of the lower solution
    return recorded_per_s * exp(load)


def start_over_mean(half_life_h: float, duration_s: float) -> float:
    """Return the activity at the start of a scan over its mean during the scan, physical decay."""
    decays = decay_constant_per_h(half_life_h) * duration_s / S_PER_H
    return decays / -expm1(-decays) if decays > 0 else 1.0


def activity_at_start(
    counts_cps: Volume,
    calibration: Calibration,
    *,
    rate_per_s: float,
    dead_time_s: float,
    duration_s: float,
    half_life_h: float,
) -> Volume:
    """Turn an image of counts per second into MBq per voxel at the start of the scan.

    Parameters
    ----------
    counts_cps
        Mean over the scan, neither corrected for dead time nor for decay.
    rate_per_s
        Mean rate of all counts that a head recorded.
    duration_s
        From the start of the scan to its end.

    Raises
    ------
    InputError, RangeError
        For a duration or rate that cannot be.
    """
    if not (isfinite(duration_s) and duration_s > 0):
        raise InputError(f"a scan of {duration_s:g} s", where="duration_s", allowed="more than 0 s")
    lost = true_rate_per_s(rate_per_s, dead_time_s) / rate_per_s if rate_per_s > 0 else 1.0
    factor = lost * start_over_mean(half_life_h, duration_s) / calibration.cps_per_mbq
    return replace(counts_cps, array=counts_cps.array * np.float32(factor))
