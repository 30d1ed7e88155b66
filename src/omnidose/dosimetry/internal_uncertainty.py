"""Uncertainty of the absorbed dose to a volume seen in emission images: the EANM chain of 2018.

Volume -> recovery -> calibration -> curve -> dose factor. Recovery and dose factor depend on the volume and
are propagated together: a volume drawn too large is corrected too little for partial volume *and* divided by
too much mass, and both lower the dose. Taking them as independent would say less than the truth.

The counts depend on the volume too: a larger outline holds more of them. With C, R and S ~ v^-c,

    d ln D / d ln v = d ln C / d ln v - d ln R / d ln v - c.

The guidance has the first term, from the counts of a blurred sphere within the outline. Here it is taken as
0: :class:`DoseChain` knows the counts as a number, not how they grow. The term lies between 0 (an outline
well outside the blurred source) and about 1 (well inside it) and c is near 1, so that the part of the volume
is an upper bound here, by far where the outline lies inside the source. Who has the image can measure the
whole derivative by drawing the outline larger and smaller, as :mod:`omnidose.modalities.nuclear.series` does.

References
----------
Gear et al. 2018 *Eur J Nucl Med Mol Imaging* 45:2456 (PMC6208822), EANM practical guidance on uncertainty
analysis for molecular radiotherapy absorbed dose calculations: volume from diameter, recovery and S-value
fits, counts within the outline (its figure 5), first-order propagation.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cbrt, isfinite, log, pi, sqrt

import numpy as np
import numpy.typing as npt

from omnidose.dosimetry.results import Distribution, UncertaintyComponent
from omnidose.errors import InputError
from omnidose.quantities import AbsorbedDose

ArrayF8 = npt.NDArray[np.float64]
MM3_PER_CM3 = 1000.0
#: Volumes known less well than this are beyond first order: their dose goes with about 1/v, twice as far up.
FIRST_ORDER_REL = 0.5


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (isfinite(value) and value > 0):
            raise InputError(f"{value} cannot be used", where=name, allowed="more than 0")


def _not_negative(**values: float) -> None:
    for name, value in values.items():
        if not (isfinite(value) and value >= 0):
            raise InputError(f"{value} cannot be used", where=name, allowed="0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenVolume:
    """A volume outlined in an image, as the sphere of equal volume.

    Attributes
    ----------
    diameter_mm
        Diameter of that sphere.
    voxel_mm
        Edge of the voxels the outline follows.
    fwhm_mm
        Spatial resolution of the image in which it was drawn (of the CT, if drawn there).
    """

    diameter_mm: float
    voxel_mm: float
    fwhm_mm: float

    def __post_init__(self) -> None:
        _positive(diameter_mm=self.diameter_mm, voxel_mm=self.voxel_mm)
        _not_negative(fwhm_mm=self.fwhm_mm)

    @classmethod
    def from_volume(cls, volume_cm3: float, *, voxel_mm: float, fwhm_mm: float) -> SeenVolume:
        """Make one from its volume."""
        _positive(volume_cm3=volume_cm3)
        return cls(diameter_mm=cbrt(6 / pi * MM3_PER_CM3 * volume_cm3), voxel_mm=voxel_mm, fwhm_mm=fwhm_mm)

    @property
    def volume_cm3(self) -> float:
        """Volume of the sphere."""
        return pi / 6 * self.diameter_mm**3 / MM3_PER_CM3

    @property
    def diameter_std_mm(self) -> float:
        """Standard uncertainty of the diameter.

        Both ends lie somewhere in a voxel (a^2 / 12 each) and in the blur: a^2 / 6 + FWHM^2 / (4 ln 2).
        """
        return sqrt(self.voxel_mm**2 / 6 + self.fwhm_mm**2 / (4 * log(2)))

    @property
    def std_rel(self) -> float:
        """Relative standard uncertainty of the volume, first order: three times that of the diameter."""
        return 3 * self.diameter_std_mm / self.diameter_mm


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCurve:
    """Recovery coefficient of a volume: R = 1 - 1 / (1 + (v / half_volume)^slope).

    Attributes
    ----------
    half_volume_cm3, half_volume_std_rel
        Volume with R = 0.5, from a phantom.
    slope, slope_std_rel
        Exponent.
    correlation_fraction
        Correlation of both in the fit to the phantom, -1 to 1.
    """

    half_volume_cm3: float
    half_volume_std_rel: float
    slope: float
    slope_std_rel: float
    correlation_fraction: float = 0.0

    def __post_init__(self) -> None:
        _positive(half_volume_cm3=self.half_volume_cm3, slope=self.slope)
        _not_negative(half_volume_std_rel=self.half_volume_std_rel, slope_std_rel=self.slope_std_rel)
        if not -1 <= self.correlation_fraction <= 1:
            raise InputError("a correlation lies between -1 and 1", where="correlation_fraction")

    def recovery_fraction(self, volume_cm3: float) -> float:
        """Return R of a volume."""
        _positive(volume_cm3=volume_cm3)
        return float(
            _recovery(np.asarray(volume_cm3), np.asarray(self.half_volume_cm3), np.asarray(self.slope))
        )

    def volume_exponent(self, volume_cm3: float) -> float:
        """Return d ln R / d ln v."""
        return self.slope * (1 - self.recovery_fraction(volume_cm3))

    def parameters_std_rel(self, volume_cm3: float) -> float:
        """Return the relative standard uncertainty of R from its two parameters, the volume known."""
        short = 1 - self.recovery_fraction(volume_cm3)
        by_half = -self.slope * short * self.half_volume_std_rel
        by_slope = short * log(volume_cm3 / self.half_volume_cm3) * self.slope * self.slope_std_rel
        return sqrt(by_half**2 + by_slope**2 + 2 * self.correlation_fraction * by_half * by_slope)


def _recovery(volume: ArrayF8, half_volume: ArrayF8, slope: ArrayF8) -> ArrayF8:
    # not 1 - 1 / (1 + x): that is 0 for what is much smaller than the half volume
    return np.asarray(1.0 / (1.0 + (half_volume / volume) ** slope))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Sensitivity of the camera for the nuclide.

    Attributes
    ----------
    cps_per_mbq
        Counts per second and MBq.
    camera
        Names the component: doses from one camera share its error.
    """

    cps_per_mbq: float
    std_rel: float
    camera: str

    def __post_init__(self) -> None:
        _positive(cps_per_mbq=self.cps_per_mbq)
        _not_negative(std_rel=self.std_rel)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseFactor:
    """Self-dose of a sphere per decay: S = s_1 v^-slope.

    Attributes
    ----------
    one_cm3_mgy_per_mbq_h
        S of 1 cm3.
    slope
        Exponent, near 1 for electrons.
    std_rel
        Relative standard uncertainty of the fit of S.
    """

    one_cm3_mgy_per_mbq_h: float
    slope: float
    std_rel: float

    def __post_init__(self) -> None:
        _positive(one_cm3_mgy_per_mbq_h=self.one_cm3_mgy_per_mbq_h, slope=self.slope)
        _not_negative(std_rel=self.std_rel)

    def mgy_per_mbq_h(self, volume_cm3: float) -> float:
        """Return S of a volume."""
        return float(self.one_cm3_mgy_per_mbq_h * volume_cm3**-self.slope)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseChain:
    """From counts to absorbed dose for one volume, every step with its uncertainty.

    Attributes
    ----------
    counts_cps_h
        Integral of the count rate in the outline over all time, counts per second times hours.
    counts_std_rel
        Its relative standard uncertainty from the fitted curve.
    name
        Organ or lesion.
    """

    volume: SeenVolume
    recovery: RecoveryCurve
    calibration: Calibration
    dose_factor: DoseFactor
    counts_cps_h: float
    counts_std_rel: float
    name: str = ""

    def __post_init__(self) -> None:
        _positive(counts_cps_h=self.counts_cps_h)
        _not_negative(counts_std_rel=self.counts_std_rel)

    @property
    def integral_mbq_h(self) -> float:
        """Time-integrated activity, corrected for recovery."""
        recovery = self.recovery.recovery_fraction(self.volume.volume_cm3)
        return self.counts_cps_h / self.calibration.cps_per_mbq / recovery

    @property
    def dose(self) -> AbsorbedDose:
        """Absorbed dose."""
        return AbsorbedDose(self.integral_mbq_h * self.dose_factor.mgy_per_mbq_h(self.volume.volume_cm3))

    @property
    def contributions_rel(self) -> dict[str, float]:
        """Relative standard uncertainty of the dose from each step, first order; counts fixed (see above)."""
        size = self.volume.volume_cm3
        both = self.recovery.volume_exponent(size) + self.dose_factor.slope
        return {
            "volume": both * self.volume.std_rel,
            "recovery": self.recovery.parameters_std_rel(size),
            "calibration": self.calibration.std_rel,
            "curve": self.counts_std_rel,
            "dose factor": self.dose_factor.std_rel,
        }

    @property
    def std_rel(self) -> float:
        """Relative standard uncertainty of the dose, first order."""
        return sqrt(sum(part**2 for part in self.contributions_rel.values()))

    @property
    def largest(self) -> str:
        """Step that contributes most."""
        parts = self.contributions_rel
        return max(parts, key=parts.__getitem__)

    @property
    def flags(self) -> tuple[str, ...]:
        """Sentences that a report must show."""
        if self.volume.std_rel <= FIRST_ORDER_REL:
            return ()
        return (
            f"the volume of {self.name or 'this outline'} is uncertain by {100 * self.volume.std_rel:.3g} %: "
            "propagation of first order does not hold, draw the doses (sampled_doses_mgy)",
        )

    def components(self) -> tuple[UncertaintyComponent, ...]:
        """Return the contributions as components; those of one camera are common to all its volumes.

        Raises
        ------
        InputError
            Without a name: components of two volumes with equal keys would count as one error.
        """
        if not self.name:
            raise InputError(
                "components of a volume without a name", where="name", todo="name the organ or lesion"
            )
        common = {
            "recovery": f"recovery:{self.calibration.camera}",
            "calibration": f"calibration:{self.calibration.camera}",
            "dose factor": "dose-factor:sphere-fit",
        }
        return tuple(
            UncertaintyComponent(
                key=common.get(step, f"{step}:{self.name}"),
                distribution=Distribution.LOGNORMAL,
                std_rel=part,
                text=f"{step} of {self.name}, EANM 2018 chain",
            )
            for step, part in self.contributions_rel.items()
        )

    def sampled_doses_mgy(
        self, *, draws: int = 100_000, seed: int = 1, counts_cps_h: ArrayF8 | None = None
    ) -> ArrayF8:
        """[draws] doses with every input drawn anew and nothing linearised.

        Parameters
        ----------
        counts_cps_h
            [draws] integrals of refitted curves; None draws them log-normal.

        Raises
        ------
        InputError
            If as many integrals as draws are not given.
        """
        if counts_cps_h is not None and counts_cps_h.shape != (draws,):
            raise InputError("give one integral per draw", where="counts_cps_h", allowed=f"{draws} of them")
        rng = np.random.default_rng(seed)
        diameter = _positive_normal(rng, self.volume.diameter_mm, self.volume.diameter_std_mm, draws)
        volume = pi / 6 * diameter**3 / MM3_PER_CM3
        first, second = rng.standard_normal((2, draws))
        r = self.recovery.correlation_fraction
        half = self.recovery.half_volume_cm3 * np.exp(self.recovery.half_volume_std_rel * first)
        slope = self.recovery.slope * np.exp(
            self.recovery.slope_std_rel * (r * first + sqrt(1 - r**2) * second)
        )
        rate, sensitivity, factor = rng.standard_normal((3, draws))
        counts = counts_cps_h
        if counts is None:
            counts = self.counts_cps_h * np.exp(self.counts_std_rel * rate)
        activity = counts / (self.calibration.cps_per_mbq * np.exp(self.calibration.std_rel * sensitivity))
        per_decay = self.dose_factor.one_cm3_mgy_per_mbq_h * volume**-self.dose_factor.slope
        per_decay = per_decay * np.exp(self.dose_factor.std_rel * factor)
        return np.asarray(activity / _recovery(volume, half, slope) * per_decay)


def _positive_normal(rng: np.random.Generator, mean: float, std: float, draws: int) -> ArrayF8:
    """Draw normal numbers anew until all are positive."""
    values = rng.normal(mean, std, draws)
    while (bad := values <= 0).any():
        values[bad] = rng.normal(mean, std, int(bad.sum()))
    return np.asarray(values)
