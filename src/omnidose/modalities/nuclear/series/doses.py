"""From registered maps of activity at several times to the dose of every outline, with its interval.

Each outline shows some of its own activity and some of others'. At every time the system of these shares is
solved for the activities (partial volume is corrected there and nowhere else); a curve is fitted, its
integral goes through the EANM 2018 chain with the mass of the outline. How the dose depends on the size of
the outline is measured, by drawing it a little larger and smaller and doing all again: a larger one
holds more counts, is corrected less, is divided by more mass, and only the sum of the three matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import log

import numpy as np
import numpy.typing as npt

from omnidose.dosimetry.internal_uncertainty import (
    Calibration,
    DoseChain,
    DoseFactor,
    RecoveryCurve,
    SeenVolume,
)
from omnidose.errors import InputError
from omnidose.kinetics.choice import choose_shape
from omnidose.kinetics.curves import TimeActivityCurve
from omnidose.kinetics.fits import Fit
from omnidose.kinetics.voxels import fit_voxels, scale_shape
from omnidose.modalities.nuclear.doses import emitted_by
from omnidose.modalities.nuclear.series.curves import RegionCurve, curve_of_fit
from omnidose.modalities.nuclear.series.outlines import REST, Outlines
from omnidose.modalities.nuclear.series.recovery import ImageBlur
from omnidose.modalities.nuclear.series.results import OutlineDose, Part
from omnidose.modalities.nuclear.series.sight import Errors, Sight, sights
from omnidose.physics.nuclides import nuclide
from omnidose.transport.dose_kernels.convolution import DoseRate, convolve
from omnidose.transport.dose_kernels.media import medium_of
from omnidose.transport.dose_kernels.radial import RadialKernel, radial_kernel
from omnidose.transport.dose_kernels.spheres import sphere_s
from omnidose.transport.dose_kernels.voxels import voxel_s
from omnidose.volume import Volume

ArrayF4 = npt.NDArray[np.float32]
ArrayF8 = npt.NDArray[np.float64]
S_PER_H = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeriesDoses:
    """Doses of all outlines, and of the voxels.

    Attributes
    ----------
    integral_mbq_h
        Map of decays: every voxel with its outline's curve, as the image shows it.
    dose
        Of that map, by kernel and the voxels' densities: blurred like the image, not corrected.
    """

    outlines: dict[str, OutlineDose]
    integral_mbq_h: Volume
    dose: DoseRate


def fitted(sight: Sight, time_h: ArrayF8, half_life_h: float) -> Fit:
    """Fit the curve of an outline: the shape that :mod:`omnidose.kinetics.choice` takes.

    Raises
    ------
    InputError
        For a single point, or points that no shape describes.
    """
    curve = TimeActivityCurve(
        time_h=time_h,
        activity_mbq=sight.activity_mbq,
        std_mbq=sight.std_rel * sight.activity_mbq,
        name=sight.name,
    )
    return choose_shape(curve, half_life_h=half_life_h).best


def dose_factor(emitter: str, volume_cm3: float, density_g_cm3: float, std_rel: float) -> DoseFactor:
    """Return the electrons' S of a sphere: a power of its volume, through 0.8 and 1.25 times this one."""
    low, high = 0.8 * volume_cm3, 1.25 * volume_cm3
    kernel = _point_kernel(emitter)
    s_low, s_high = (
        S_PER_H * sphere_s(emitted_by(emitter), v * density_g_cm3, kernel=kernel).electron_mgy
        for v in (low, high)
    )
    slope = log(s_low / s_high) / log(high / low)
    return DoseFactor(one_cm3_mgy_per_mbq_h=s_low * low**slope, slope=slope, std_rel=std_rel)


@cache
def _point_kernel(emitter: str) -> RadialKernel:
    return radial_kernel(emitted_by(emitter), medium_of("soft tissue"))


def alpha_mgy_per_mbq_h(emitter: str, mass_g: float) -> float:
    """Return the absorbed dose of alpha particles and recoil in a sphere of this mass."""
    return S_PER_H * sphere_s(emitted_by(emitter), mass_g, kernel=_point_kernel(emitter)).alpha_mgy


def curve_of(sight: Sight, fit: Fit, errors: Errors) -> RegionCurve:
    """Return the curve of an outline."""
    moved = sight.moved_rel if sight.moved_rel.size else np.zeros(len(sight.activity_mbq))
    return curve_of_fit(fit, moved_rel=moved, shape_rel=errors.shape_rel)


def dose_of(
    sight: Sight,
    curve: RegionCurve,
    *,
    emitter: str,
    photon_mgy: float,
    blur: ImageBlur,
    calibration: Calibration,
    errors: Errors,
) -> OutlineDose:
    """Take one outline through the EANM 2018 chain.

    Parameters
    ----------
    photon_mgy
        Of the whole map, mean over the outline.
    """
    seen = SeenVolume.from_volume(
        sight.volume_cm3, voxel_mm=errors.drawn_voxel_mm, fwhm_mm=errors.drawn_fwhm_mm
    )
    integral = curve.integral
    counts = integral.value_mbq_h * calibration.cps_per_mbq * sight.recovery_fraction
    chain = DoseChain(
        name=sight.name,
        volume=seen,
        recovery=_curve_through(sight),
        calibration=calibration,
        dose_factor=dose_factor(
            emitter, sight.volume_cm3, sight.mass_g / sight.volume_cm3, errors.dose_factor_rel
        ),
        counts_cps_h=counts,
        counts_std_rel=curve.curve_rel,
    )
    parts = {
        **chain.contributions_rel,
        "registration": curve.registration_rel,
        # what the redrawn outline shows stands for the chain's own rule, in which counts do not grow with it;
        # its own surface stands for a sphere's: kidneys have more
        "volume": abs(sight.size_rel_per_mm) * 0.5 * seen.diameter_std_mm,
        "recovery": abs(sight.blur_rel_per_mm) * blur.std_mm,
    }
    return OutlineDose(
        name=sight.name,
        integral_mbq_h=chain.integral_mbq_h,
        volume_cm3=sight.volume_cm3,
        mass_g=sight.mass_g,
        recovery_fraction=sight.recovery_fraction,
        spill_in_fraction=sight.spill_in_fraction,
        electron_mgy=float(chain.dose.value),
        photon_mgy=photon_mgy,
        alpha_mgy=chain.integral_mbq_h * alpha_mgy_per_mbq_h(emitter, sight.mass_g),
        parts=tuple(Part(name=k, std_rel=float(v)) for k, v in parts.items()),
        curve=curve.shape,
        without=sight.without,
        flags=(*integral.flags, *chain.flags),
    )


def _curve_through(sight: Sight) -> RecoveryCurve:
    """Return a recovery curve that gives this outline its own recovery: the chain then applies it, once."""
    share = min(max(sight.recovery_fraction, 1e-6), 1 - 1e-9)
    return RecoveryCurve(
        half_volume_cm3=sight.volume_cm3 * (1 / share - 1),
        half_volume_std_rel=0.0,
        slope=1.0,
        slope_std_rel=0.0,
    )


def series_doses(
    maps: ArrayF4,
    time_h: ArrayF8,
    drawn: Outlines,
    *,
    emitter: str,
    blur: ImageBlur,
    calibration: Calibration,
    errors: Errors | None = None,
    own_curves: bool = False,
) -> SeriesDoses:
    """Compute the doses of a time series.

    Parameters
    ----------
    maps
        [times, z, y, x] MBq per voxel on the grid of ``drawn``, registered, at ``time_h``.
    own_curves
        Fit every voxel by itself in the map of decays (biased by noise) instead of giving it the curve of its
        outline. Doses of outlines hang on it through photons only.

    Raises
    ------
    InputError
        For maps that do not fit, or an outline without activity of its own.
    """
    known = errors or Errors()
    if maps.shape[1:] != drawn.grid.shape_zyx or len(maps) != len(time_h):
        raise InputError(
            f"maps {maps.shape} do not fit {len(time_h)} times on {drawn.grid.shape_zyx}", where="maps"
        )
    half_life_h = nuclide(emitter).half_life_h
    seen = sights(maps, drawn, blur, known)
    fits = {name: fitted(sight, time_h, half_life_h) for name, sight in seen.items()}
    if own_curves:
        found_map = fit_voxels(maps, time_h, half_life_h=half_life_h).integral_mbq_h
        integral = np.asarray(found_map, dtype=np.float32)
    else:
        integral = _integral_map(maps, time_h, drawn, fits, half_life_h)
    kernel = voxel_s(emitted_by(emitter), drawn.grid.spacing_mm)
    dose = convolve(
        Volume.on_grid(integral * np.float32(S_PER_H), drawn.grid),
        kernel,
        density=Volume.on_grid(drawn.density_g_cm3, drawn.grid),
    )
    found = {}
    for name, sight in seen.items():
        weight = drawn.share[name]
        photon = float((weight * dose.photon).sum(dtype=np.float64) / weight.sum(dtype=np.float64))
        found[name] = dose_of(
            sight,
            curve_of(sight, fits[name], known),
            emitter=emitter,
            photon_mgy=photon,
            blur=blur,
            calibration=calibration,
            errors=known,
        )
    return SeriesDoses(outlines=found, integral_mbq_h=Volume.on_grid(integral, drawn.grid), dose=dose)


def _integral_map(
    maps: ArrayF4, time_h: ArrayF8, drawn: Outlines, fits: dict[str, Fit], half_life_h: float
) -> ArrayF4:
    """Give each voxel the curve of the outline that holds most of it."""
    total = maps.reshape(len(maps), -1) @ drawn.share[REST].ravel()
    rest = TimeActivityCurve.with_relative_std(time_h, np.maximum(total, 1e-9), std_rel=0.05, name=REST)
    shapes = {**fits, REST: choose_shape(rest, half_life_h=half_life_h).best}
    owner = np.argmax(np.stack([drawn.share[name] for name in shapes]), axis=0)
    out = np.zeros(drawn.grid.shape_zyx, np.float32)
    for i, fit in enumerate(shapes.values()):
        here = owner == i
        if here.any():
            out[here] = scale_shape(maps[:, here], time_h, fit=fit).integral_mbq_h
    return np.maximum(out, 0)
