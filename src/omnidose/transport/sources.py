"""Photon sources. Each is a frozen record; the engine turns it into flat tables.

All lengths in mm, LPS; directions need not be normalised. Every source is normalised *per photon
that leaves it* (after collimator and bow-tie).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.physics.spectra import Spectrum

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PyramidSource:
    """A point source collimated to a rectangular pyramid, uniform in solid angle.

    Attributes
    ----------
    direction, up
        Central ray, and the direction of the pyramid's second side (made perpendicular).
    half_tangents
        (u_lower, u_upper, v_lower, v_upper): limits of the ray's slope along the first side
        (``direction x up``... see Notes) and along ``up``.

    Notes
    -----
    The slopes are u along ``up x direction`` and v along ``up``.
    """

    position_mm: Vector
    direction: Vector
    up: Vector
    half_tangents: tuple[float, float, float, float]
    spectrum: Spectrum


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelSource:
    """A broad parallel beam: a rectangle of photons that all fly one way.

    Attributes
    ----------
    centre_mm
        Middle of the rectangle the photons start from.
    half_widths_mm
        Half sides along ``up x direction`` and along ``up``.
    """

    centre_mm: Vector
    direction: Vector
    up: Vector
    half_widths_mm: tuple[float, float]
    spectrum: Spectrum


@dataclass(frozen=True, slots=True, kw_only=True)
class IsotropicSource:
    """An isotropic source: a point, or uniform in a sphere of ``radius_mm``."""

    centre_mm: Vector
    spectrum: Spectrum
    radius_mm: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RotatingSource:
    """A tube that turns around an axis along z: axial, helical or stationary CT.

    Attributes
    ----------
    isocentre_mm
        (x, y) of the axis of rotation.
    focus_mm
        Distance from the focal spot to the axis.
    segments
        float64 [n, 5]: start angle (rad), end angle (rad), start z (mm), end z (mm), weight.
        Along a segment angle and z change linearly together; weights are relative photon numbers.
        The focal spot is at ``isocentre + focus * (cos a, sin a)``: angle 0 is the patient's left,
        pi/2 the back, -pi/2 the front.
    half_tangents
        (u_lower, u_upper, v_lower, v_upper): slopes of the rays seen from the focal spot; u in the
        plane of rotation (positive towards rising angle), v along +z.
    transmission
        float64 [n_u, n_v] relative fluence per solid angle on a regular lattice of bin centres over
        the aperture (bow-tie along u, heel along v); bilinear in between. None means uniform.
    spectra
        One spectrum for the whole fan, or one per u bin of ``transmission`` (all with the same
        energies): the bow-tie hardens the beam.
    """

    isocentre_mm: tuple[float, float]
    focus_mm: float
    segments: npt.NDArray[np.float64]
    half_tangents: tuple[float, float, float, float]
    spectra: tuple[Spectrum, ...]
    transmission: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        segments = self.segments
        if segments.ndim != 2 or segments.shape[1] != 5 or segments.shape[0] < 1:
            raise InputError(f"segments of a rotating source have shape {segments.shape}", allowed="(n, 5)")
        if np.any(segments[:, 4] < 0) or not segments[:, 4].sum() > 0:
            raise InputError("segment weights of a rotating source must be >= 0 with a positive sum")
        if self.transmission is not None:
            t = self.transmission
            if t.ndim != 2 or np.any(t < 0) or not np.any(t > 0) or not np.all(np.isfinite(t)):
                raise InputError("a transmission table must be [n_u, n_v], finite, >= 0, not all 0")
        n_u = 1 if self.transmission is None else self.transmission.shape[0]
        if len(self.spectra) not in (1, n_u):
            raise InputError(
                f"{len(self.spectra)} spectra for {n_u} fan bins", allowed=f"one spectrum, or {n_u}"
            )


Source = PyramidSource | ParallelSource | IsotropicSource | RotatingSource
