"""Photon sources. Each is a frozen record; the engine turns it into flat tables.

All lengths in mm, LPS; directions need not be normalised. Every source is normalised *per history*: one
photon that leaves it (after collimator and bow-tie), or one annihilation with its two photons. For what
counts decays, ``source.spectrum.histories_per_decay`` is the number of histories that stand for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.physics.spectra import Spectrum
from omnidose.transport.emission import Emission, Positrons
from omnidose.transport.scene import Vector
from omnidose.transport.surfaces import Surface
from omnidose.volume import Grid

Limits = tuple[float, float, float, float]

#: A transmission that the kernels apply by refusing directions lets at least this share of them through.
LEAST_SHARE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class PyramidSource:
    """A point source collimated to a rectangular pyramid, uniform in solid angle.

    Attributes
    ----------
    direction, up
        Central ray, and the direction of the pyramid's second side (made perpendicular).
    half_tangents
        (u_lower, u_upper, v_lower, v_upper): limits of the ray's slope along the first side
        (``up x direction``) and along ``up``.
    """

    position_mm: Vector
    direction: Vector
    up: Vector
    half_tangents: Limits
    spectrum: Spectrum

    def __post_init__(self) -> None:
        _check_aperture(self.half_tangents)


@dataclass(frozen=True, slots=True, kw_only=True)
class FanSource:
    """A point source behind a rectangular collimator whose fluence and spectrum vary over the aperture.

    A bow-tie filter along u, the heel of an anode along v (or both the other way round).

    Attributes
    ----------
    direction, up, half_tangents
        As in :class:`PyramidSource`.
    transmission
        float64 [n_u, n_v] relative fluence per solid angle on a regular lattice of bin centres over the
        aperture; bilinear in between, constant beyond the outermost. None means uniform.
    spectra
        One spectrum for the whole fan, or one per u bin of ``transmission`` (all with the same energies).
    """

    position_mm: Vector
    direction: Vector
    up: Vector
    half_tangents: Limits
    spectra: tuple[Spectrum, ...]
    transmission: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        _check_aperture(self.half_tangents)
        _check_transmission(self.transmission, self.spectra)
        _check_share(_share_of_rectangle(self.transmission))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConeSource:
    """A point source behind a round collimator, uniform in solid angle or with a heel.

    Attributes
    ----------
    half_angle_deg
        Between the central ray and the edge; 180 is an isotropic point.
    up
        Direction of v of ``transmission``; not needed without it.
    transmission
        As in :class:`FanSource`, over the square of slopes around the cone (half angle below 80 degrees).
    """

    position_mm: Vector
    direction: Vector
    half_angle_deg: float
    spectrum: Spectrum
    up: Vector | None = None
    transmission: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.half_angle_deg <= 180:
            raise InputError(
                f"a cone of half angle {self.half_angle_deg:g} degrees",
                where="half_angle_deg",
                allowed="above 0, at most 180 degrees",
            )
        if self.transmission is not None:
            _check_transmission(self.transmission, (self.spectrum,))
            if self.half_angle_deg > 80 or self.up is None:
                raise InputError(
                    "a transmission needs a cone of at most 80 degrees and the direction of its v",
                    where="ConeSource",
                    todo="give up=, or leave the transmission out",
                )
            _check_share(_share_of_cone(self.transmission, self.half_angle_deg))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelSource:
    """A broad parallel beam: a rectangle of photons that all fly one way.

    For a round beam see :class:`SurfaceSource` with a disc and the law "normal".

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

    def __post_init__(self) -> None:
        half_u, half_v = self.half_widths_mm
        _check_aperture((-half_u, half_u, -half_v, half_v))


@dataclass(frozen=True, slots=True, kw_only=True)
class IsotropicSource:
    """An isotropic source: a point, or uniform in a sphere of ``radius_mm``."""

    centre_mm: Vector
    spectrum: Emission
    radius_mm: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.radius_mm) and self.radius_mm >= 0):
            raise InputError(f"a source with a radius of {self.radius_mm:g} mm", allowed="0 or more")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActivitySource:
    """An isotropic source in voxels: decays in proportion to a map, uniform inside every voxel.

    The map has a grid of its own, which need not be the scene's.

    Attributes
    ----------
    activity
        [z, y, x] relative number of decays in each voxel (not per volume), finite, >= 0, not all 0.
    """

    grid: Grid
    activity: npt.NDArray[np.floating]
    spectrum: Emission

    def __post_init__(self) -> None:
        activity = self.activity
        if activity.shape != self.grid.shape_zyx:
            raise InputError(
                f"an activity map of shape {activity.shape} does not fit its grid",
                where="activity",
                allowed=f"{self.grid.shape_zyx}",
            )
        # NaN compares false
        least, largest = float(activity.min()), float(activity.max())
        if not (least >= 0 and 0 < largest < np.inf):
            raise InputError(
                f"an activity map from {least:g} to {largest:g} is no distribution of decays",
                where="activity",
                allowed="finite numbers >= 0, at least one above 0",
            )


class EmissionLaw(StrEnum):
    """Directions of a surface source about the normal of each place.

    Cosine: as many photons per solid angle as cos(theta) says, the law of radiation that an isotropic field
    sends through a surface. Isotropic: the same in all directions of the half-space. Normal: all along
    the normal.
    """

    COSINE = "cosine"
    ISOTROPIC = "isotropic"
    NORMAL = "normal"


class Side(StrEnum):
    """To which side of a surface photons start."""

    OUT = "out"
    IN = "in"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceSource:
    """A contaminated or radiating surface, uniform per area.

    Attributes
    ----------
    surface
        A disc, a rectangle, the surface of a shape, or all outer faces of voxels.
    law, side
        Directions relative to the outward normal.
    """

    surface: Surface
    spectrum: Emission
    law: EmissionLaw = EmissionLaw.COSINE
    side: Side = Side.OUT

    def __post_init__(self) -> None:
        object.__setattr__(self, "law", EmissionLaw(self.law))
        object.__setattr__(self, "side", Side(self.side))
        if isinstance(self.spectrum, Positrons) and (self.law, self.side) != ("isotropic", "both"):
            raise InputError(
                "the two photons of a positron leave to both sides of a surface",
                where="SurfaceSource",
                todo='use law="isotropic" and side="both"',
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RotatingSource:
    """A tube that turns around an axis: axial, helical or stationary CT, the arc of a C-arm.

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
    transmission, spectra
        As in :class:`FanSource`; bow-tie along u, heel along v.
    axis, zero
        For another axis of rotation: its direction takes the place of +z, and the direction of angle 0 (made
        perpendicular) that of +x; "z" in ``segments`` is then the way along the axis from the isocentre.
    isocentre_z_mm
        z of the isocentre: the zero of the segments' "z".
    """

    isocentre_mm: tuple[float, float]
    focus_mm: float
    segments: npt.NDArray[np.float64]
    half_tangents: Limits
    spectra: tuple[Spectrum, ...]
    transmission: npt.NDArray[np.float64] | None = None
    axis: Vector = (0.0, 0.0, 1.0)
    zero: Vector = (1.0, 0.0, 0.0)
    isocentre_z_mm: float = 0.0

    def __post_init__(self) -> None:
        segments = self.segments
        if segments.ndim != 2 or segments.shape[1] != 5 or segments.shape[0] < 1:
            raise InputError(f"segments of a rotating source have shape {segments.shape}", allowed="(n, 5)")
        if not np.all(np.isfinite(segments)):
            raise InputError("segments of a rotating source hold numbers that are not finite")
        if np.any(segments[:, 4] < 0) or not segments[:, 4].sum() > 0:
            raise InputError("segment weights of a rotating source must be >= 0 with a positive sum")
        if not (np.isfinite(self.focus_mm) and self.focus_mm > 0):
            raise InputError(f"a focal spot {self.focus_mm:g} mm from the axis", allowed="above 0")
        _check_aperture(self.half_tangents)
        _check_transmission(self.transmission, self.spectra)
        _check_share(_share_of_rectangle(self.transmission))


def _check_aperture(limits: Limits) -> None:
    a_u, b_u, a_v, b_v = limits
    if not (np.all(np.isfinite(limits)) and a_u < b_u and a_v < b_v):
        raise InputError(
            f"the aperture {tuple(limits)} of a source is empty",
            allowed="finite limits, the lower below the upper",
        )


def _check_transmission(table: npt.NDArray[np.float64] | None, spectra: Sequence[Spectrum]) -> None:
    n_u = 1
    if table is not None:
        if table.ndim != 2 or not np.all(np.isfinite(table)) or np.any(table < 0) or not np.any(table > 0):
            raise InputError("a transmission table must be [n_u, n_v], finite, >= 0, not all 0")
        n_u = table.shape[0]
    if len(spectra) not in (1, n_u):
        raise InputError(f"{len(spectra)} spectra for {n_u} fan bins", allowed=f"one spectrum, or {n_u}")
    if any(not np.array_equal(s.energy_kev, spectra[0].energy_kev) for s in spectra):
        raise InputError("all spectra of a fan must share the same energies")


def _share_of_rectangle(table: npt.NDArray[np.float64] | None) -> float:
    """Return the least share of directions that are not refused in any u bin (along u none is)."""
    if table is None:
        return 1.0
    rows = table[table.max(axis=1) > 0]
    return float((rows.mean(axis=1) / rows.max(axis=1)).min())


def _share_of_cone(table: npt.NDArray[np.float64], half_angle_deg: float) -> float:
    """Return the share of directions in a cone that are not refused, from a lattice over its slopes."""
    from scipy.ndimage import map_coordinates

    step = (np.arange(64) + 0.5) / 64
    u, v = np.meshgrid(step, step, indexing="ij")
    radius2 = (2 * u - 1) ** 2 + (2 * v - 1) ** 2
    solid_angle = (radius2 < 1) / (1 + np.tan(np.radians(half_angle_deg)) ** 2 * radius2) ** 1.5
    place = [u * table.shape[0] - 0.5, v * table.shape[1] - 0.5]
    here = map_coordinates(np.asarray(table, dtype=np.float64), place, order=1, mode="nearest")
    return float(np.sum(here * solid_angle) / np.sum(solid_angle) / table.max())


def _check_share(share: float) -> None:
    if share < LEAST_SHARE:
        raise InputError(
            f"a transmission table lets {100 * share:.2g} % of the directions through",
            where="transmission",
            allowed=f"at least {100 * LEAST_SHARE:g} % of its largest value, on average over the aperture",
            todo="narrow the aperture to where photons come through",
        )


Source = (
    PyramidSource
    | FanSource
    | ConeSource
    | ParallelSource
    | IsotropicSource
    | ActivitySource
    | SurfaceSource
    | RotatingSource
)
