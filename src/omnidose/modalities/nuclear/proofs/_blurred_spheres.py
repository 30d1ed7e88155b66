"""Patients without images: what blurred spheres show, in closed form. Thousands of outlines in a second."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
import numpy.typing as npt

from omnidose.dosimetry.internal_uncertainty import SeenVolume
from omnidose.modalities.nuclear.imaging.camera import FWHM_PER_STD
from omnidose.modalities.nuclear.imaging.patients import (
    CALIBRATION_STD_REL,
    LESION_CM3,
    ORGANS,
    REST,
    SCANS_H,
    Clearance,
    draw_kinetics,
    draw_lesion,
)
from omnidose.modalities.nuclear.series.recovery import ImageBlur
from omnidose.modalities.nuclear.series.sight import Errors, Sight

ArrayF8 = npt.NDArray[np.float64]

#: Volume (cm3) and surface over volume (per mm) of the plain adult's organs, measured on its voxels.
ORGAN_SHAPES = {"kidneys": (290.0, 0.115), "spleen": (180.0, 0.105), "liver": (1870.0, 0.055)}
BODY_CM3, DENSITY_G_CM3 = 70_000.0, 1.04
BLUR = ImageBlur(fwhm_mm=9.0, std_mm=1.0)
#: Dose of photons over that of electrons, organs and lesions: orders of magnitude of the simulated patients.
PHOTON_SHARE = {"organ": 0.03, "lesion": 0.012}
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)


def share_inside(outline_mm: ArrayF8, sphere_mm: ArrayF8, std_mm: ArrayF8) -> ArrayF8:
    """Return the share of a sphere's activity that an outline about the same middle shows after blurring.

    Parameters
    ----------
    outline_mm, sphere_mm
        Radii.
    std_mm
        Of the Gaussian blur.

    Notes
    -----
    The profile of a blurred sphere is closed (error functions); Gauss-Legendre along the radius.
    """
    from scipy.special import erf

    outline, sphere, std = (
        np.asarray(a, dtype=np.float64)[..., None] for a in (outline_mm, sphere_mm, std_mm)
    )
    r = 0.5 * outline * (_NODES + 1)
    near, far = (sphere - r) / (sqrt(2) * std), (sphere + r) / (sqrt(2) * std)
    profile = 0.5 * (erf(far) + erf(near))
    profile -= std / (sqrt(2 * np.pi) * r) * (np.exp(-(near**2)) - np.exp(-(far**2)))
    return np.asarray((3 * r**2 * profile * 0.5 * outline * _WEIGHTS).sum(axis=-1) / sphere[..., 0] ** 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One outline of one patient: true activity, volume, and what a clinic saw.

    Attributes
    ----------
    kind
        Organ, or ``lesion``.
    calibration_error_rel
        Already in the activities of ``sight``.
    """

    kind: str
    integral_mbq_h: float
    volume_cm3: float
    sight: Sight
    calibration_error_rel: float


def draw_outlines(seed: int, errors: Errors) -> list[Outline]:
    """Draw one patient and see all its organs and lesions with errors."""
    rng = np.random.default_rng([178, seed])
    scale = float(np.clip(rng.normal(0.98, 0.04), 0.88, 1.06) * np.clip(rng.normal(1, 0.05), 0.88, 1.1) ** 2)
    administered = 7400.0 * float(rng.normal(1, 0.03))
    kinetics = draw_kinetics(rng, administered, scale=scale)
    calibration = float(rng.normal(0, CALIBRATION_STD_REL))
    around = {
        "liver": _concentration(kinetics["liver"], ORGAN_SHAPES["liver"][0] * scale),
        REST: _concentration(kinetics[REST], BODY_CM3 * scale),
    }
    out = []
    for organ in ORGANS:
        volume, surface_per_mm = ORGAN_SHAPES[organ]
        radius = 3 / (surface_per_mm * scale ** (-1 / 3))
        out.append(
            _seen(rng, organ, kinetics[organ], volume * scale, radius, around[REST], calibration, errors)
        )
    for _number in range(int(rng.integers(1, 4))):
        volume = float(np.exp(rng.uniform(*np.log(LESION_CM3))))
        host = "liver" if rng.random() < 0.7 else REST
        clearance = draw_lesion(rng, administered, volume)
        radius = (3000 * volume / (4 * np.pi)) ** (1 / 3)
        out.append(_seen(rng, "lesion", clearance, volume, radius, around[host], calibration, errors))
    return out


def _concentration(clearance: Clearance, volume_cm3: float) -> ArrayF8:
    return np.array([clearance.activity_mbq(t) for t in SCANS_H]) / volume_cm3


def _seen(
    rng: np.random.Generator,
    kind: str,
    clearance: Clearance,
    volume_cm3: float,
    radius_mm: float,
    around_mbq_cm3: ArrayF8,
    calibration: float,
    errors: Errors,
) -> Outline:
    """See one outline: an organ is as many equal spheres as give its volume and its surface.

    Drawn: the border, the true blur (of which the clinic knows the mean), the registration and the counts of
    each scan.
    """
    true_mbq = np.array([clearance.activity_mbq(t) for t in SCANS_H])
    seen_volume = SeenVolume(
        diameter_mm=2 * radius_mm, voxel_mm=errors.drawn_voxel_mm, fwhm_mm=errors.drawn_fwhm_mm
    )
    drawn_mm = radius_mm + float(rng.uniform(-1, 1)) * sqrt(3) * 0.5 * seen_volume.diameter_std_mm
    std_mm = (BLUR.fwhm_mm + BLUR.std_mm * float(rng.standard_normal())) / FWHM_PER_STD
    beside_mm2 = (errors.position_mm * rng.standard_normal((len(SCANS_H), 3))) ** 2
    # a shift within an outline about the same middle acts like more blur: to second order, the same
    blurred_mm = np.sqrt(std_mm**2 + beside_mm2.sum(axis=1) / 3)
    counted = 1 + errors.point_rel * rng.standard_normal(len(SCANS_H))
    around_counted = around_mbq_cm3 * (1 + errors.point_rel * rng.standard_normal(len(SCANS_H)))
    known_mm = BLUR.fwhm_mm / FWHM_PER_STD

    def solved(outline_mm: float, blur_mm: float) -> ArrayF8:
        ones = np.ones(len(SCANS_H))
        shown = share_inside(outline_mm * ones, radius_mm * ones, blurred_mm)
        size = volume_cm3 * (outline_mm / radius_mm) ** 3
        image = (true_mbq * shown + around_mbq_cm3 * (size - volume_cm3 * shown)) * counted
        recovery = float(share_inside(*(np.array(v) for v in (outline_mm, outline_mm, blur_mm))))
        return np.asarray((image - around_counted * size * (1 - recovery)) / recovery)

    own = solved(drawn_mm, known_mm)
    step, wider = 0.5, 0.5 / FWHM_PER_STD
    more, less = (solved(drawn_mm + s, known_mm).mean() for s in (step, -step))
    recovery = float(share_inside(*(np.array(v) for v in (drawn_mm, drawn_mm, known_mm))))
    moved = float(
        share_inside(*(np.array(v) for v in (drawn_mm, drawn_mm, np.hypot(known_mm, errors.position_mm))))
    )
    size = volume_cm3 * (drawn_mm / radius_mm) ** 3
    sight = Sight(
        name=kind,
        activity_mbq=np.maximum(own, 1e-6) / (1 + calibration),
        std_rel=np.full(len(SCANS_H), sqrt(errors.point_rel**2 + 2 / 3 * (1 - moved / recovery) ** 2)),
        volume_cm3=size,
        mass_g=size * DENSITY_G_CM3,
        recovery_fraction=recovery,
        spill_in_fraction=0.0,
        size_rel_per_mm=(log(more / less) - 3 * log((drawn_mm + step) / (drawn_mm - step))) / (2 * step),
        blur_rel_per_mm=log(solved(drawn_mm, known_mm + wider).mean() / own.mean()) / 0.5,
    )
    return Outline(
        kind=kind,
        integral_mbq_h=clearance.integral_mbq_h,
        volume_cm3=volume_cm3,
        sight=sight,
        calibration_error_rel=calibration,
    )
