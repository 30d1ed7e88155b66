"""The dose rate that a fitted curve stands for: what BED needs."""

from __future__ import annotations

from math import inf

from omnidose.dosimetry.bed import DoseRate
from omnidose.errors import InputError
from omnidose.kinetics.fits import Fit


def dose_rate(fit: Fit) -> DoseRate:
    """Return the relative dose rate of a tissue whose activity follows a fit.

    Dose from the tissue's own activity follows its curve; what comes from elsewhere is taken to do so too.

    Raises
    ------
    InputError
        If the fit was rejected, or a constant is 0.
    """
    if not fit.accepted:
        raise InputError(f"the fit was rejected: {fit.rejection}", where=fit.curve.name)
    half_lives = fit.effective_half_lives_h
    if inf in half_lives:
        raise InputError("a dose rate that never falls has no dose", where=fit.curve.name)
    return DoseRate(
        amplitudes=tuple(map(float, fit.amplitudes_mbq)), half_lives_h=tuple(map(float, half_lives))
    )
