"""Electron sources: a point, an activity map, a rectangle, the surface of an organ or of the skin.

Lengths in mm, LPS. Results are per emitted electron; times the electrons per decay for a nuclide. Positrons
slow down as electrons do here (their stopping powers differ by a few per cent): give their spectrum, and let
``ElectronTally.stops`` be the activity of a photon source with ``omnidose.transport.emission.Positrons``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from omnidose.errors import GeometryError, InputError
from omnidose.physics.spectra import Spectrum
from omnidose.transport.electrons._records import ElectronBeam
from omnidose.transport.emission import EmissionSpectrum, energy_bins
from omnidose.transport.source_tables import beam_frame
from omnidose.volume import Grid

ArrayF8 = npt.NDArray[np.float64]
Vector = tuple[float, float, float]
Directions = Literal["isotropic", "inward"]
#: A line or bins; or lines and a continuum of a nuclide, per decay (here of electrons, not photons).
ElectronSpectrum = Spectrum | EmissionSpectrum
_DIRECTIONS = ("isotropic", "inward", "parallel")


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectronPoint:
    """An isotropic point source."""

    position_mm: Vector
    spectrum: ElectronSpectrum


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectronVolume:
    """Isotropic emission from voxels, uniform inside each.

    Attributes
    ----------
    activity
        float [z, y, x] relative activity of each voxel of the scene's grid (not per volume).
    """

    activity: npt.NDArray[np.floating]
    spectrum: ElectronSpectrum


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectronRectangle:
    """A flat rectangle that emits electrons: a contamination, or a broad beam.

    Attributes
    ----------
    normal, up
        Direction across the plane, and the direction of the second side (made perpendicular).
    half_widths_mm
        Half sides along ``up x normal`` and along ``up``.
    directions
        ``isotropic``: everywhere; ``inward``: isotropic into the half-space that the normal points to;
        ``parallel``: along the normal.
    """

    centre_mm: Vector
    normal: Vector
    up: Vector
    half_widths_mm: tuple[float, float]
    spectrum: ElectronSpectrum
    directions: Literal["isotropic", "inward", "parallel"] = "isotropic"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectronFaces:
    """Emission from faces of voxels, uniform on each: activity on a skin (see ``exposed_faces``).

    Attributes
    ----------
    faces
        int64 [n, 2]: flat voxel index, and face 0 to 5 (low x, high x, low y, high y, low z, high z).
    weights
        [n] relative activity of each face.
    directions
        ``isotropic``, or ``inward``: only into the voxel's half-space.
    """

    faces: npt.NDArray[np.int64]
    weights: ArrayF8
    spectrum: ElectronSpectrum
    directions: Directions = "isotropic"


ElectronSource = ElectronPoint | ElectronVolume | ElectronRectangle | ElectronFaces


def exposed_faces(mask: npt.NDArray[np.bool_], grid: Grid) -> tuple[npt.NDArray[np.int64], ArrayF8]:
    """Return the faces between voxels of a mask and everything else, and their areas in mm2.

    Faces at the border of the grid count. The result fits :class:`ElectronFaces`: activity per area is
    then uniform.
    """
    if mask.shape != grid.shape_zyx:
        raise GeometryError(f"a mask {mask.shape} does not fit the grid {grid.shape_zyx}")
    padded = np.pad(mask, 1)
    inner = (slice(1, -1),) * 3
    dx, dy, dz = grid.spacing_mm
    faces, areas = [], []
    for face, (axis, shift, area) in enumerate(
        (
            (2, 1, dy * dz),
            (2, -1, dy * dz),
            (1, 1, dx * dz),
            (1, -1, dx * dz),
            (0, 1, dx * dy),
            (0, -1, dx * dy),
        )
    ):
        open_side = mask & ~np.roll(padded, shift, axis=axis)[inner]
        voxels = np.flatnonzero(open_side)
        faces.append(np.stack([voxels, np.full(voxels.size, face)], axis=1))
        areas.append(np.full(voxels.size, area))
    return np.concatenate(faces).astype(np.int64), np.concatenate(areas)


def compile_beam(source: ElectronSource, grid: Grid) -> ElectronBeam:
    """Turn a source into flat tables (lengths in cm from the lower corner of the grid)."""
    frame = np.zeros((4, 3))
    place = np.zeros((1, 2), dtype=np.int64)
    weights = np.ones(1)
    direction = 0
    if isinstance(source, ElectronPoint):
        kind = 0
        frame[0] = (np.asarray(source.position_mm) - grid.lower_mm) / 10
    elif isinstance(source, ElectronRectangle):
        kind = 2
        if source.directions not in _DIRECTIONS:
            raise InputError(f"unknown directions '{source.directions}'", allowed=", ".join(_DIRECTIONS))
        direction = _DIRECTIONS.index(source.directions)
        frame[0] = (np.asarray(source.centre_mm) - grid.lower_mm) / 10
        frame[1:] = _plane(source)
    elif isinstance(source, ElectronVolume):
        kind = 1
        activity = np.asarray(source.activity, dtype=np.float64)
        if activity.shape != grid.shape_zyx:
            raise GeometryError(f"an activity map {activity.shape} does not fit the grid {grid.shape_zyx}")
        weights = _checked_weights(activity.ravel())
        voxels = np.flatnonzero(weights)
        place, weights = np.stack([voxels, np.zeros_like(voxels)], axis=1), weights[voxels]
    else:
        kind = 3
        place = np.ascontiguousarray(source.faces, dtype=np.int64)
        weights = _checked_weights(np.asarray(source.weights, dtype=np.float64))
        if place.ndim != 2 or place.shape != (weights.size, 2):
            raise InputError(f"faces {place.shape} and weights {weights.shape}", allowed="(n, 2) and (n,)")
        if (
            place[:, 0].min() < 0
            or place[:, 0].max() >= grid.voxel_count
            or not np.isin(place[:, 1], range(6)).all()
        ):
            raise InputError("a face is not one of the grid's", allowed="voxels of the grid, faces 0 to 5")
        direction = int(source.directions == "inward")
    if not isinstance(source.spectrum, Spectrum | EmissionSpectrum):
        raise InputError(
            "the spectrum of an electron source is none of electrons", allowed="Spectrum, EmissionSpectrum"
        )
    energy, half_width, number = _energies(source.spectrum)
    prob, alias = _alias(weights)
    energy_prob, energy_alias = _alias(number)
    return ElectronBeam(
        kind=kind,
        direction=direction,
        frame=frame,
        place=place,
        place_prob=prob,
        place_alias=alias,
        energy=energy,
        half_width=half_width,
        energy_prob=energy_prob,
        energy_alias=energy_alias,
    )


def _alias(weights: ArrayF8) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Walker's alias table (A. J. Walker, Electronics Letters 10 (1974) 127), for any number of places.

    Built in one pass over sorted weights, so that a map of millions of voxels takes seconds.
    """
    n = weights.size
    scaled = (weights * (n / weights.sum())).tolist()
    prob, alias = np.ones(n, dtype=np.float32), np.arange(n, dtype=np.int32)
    small = [i for i, s in enumerate(scaled) if s < 1]
    large = [i for i, s in enumerate(scaled) if s >= 1]
    while small and large:
        low, high = small.pop(), large[-1]
        prob[low], alias[low] = scaled[low], high
        scaled[high] -= 1 - scaled[low]
        if scaled[high] < 1:
            small.append(large.pop())
    return prob, alias


def _checked_weights(weights: ArrayF8) -> ArrayF8:
    if weights.size == 0 or not np.all(np.isfinite(weights)) or weights.min() < 0 or not weights.sum() > 0:
        raise InputError("the activity of a source must be finite, not negative, and somewhere positive")
    return weights


def _energies(spectrum: ElectronSpectrum) -> tuple[ArrayF8, ArrayF8, ArrayF8]:
    low, width, number = energy_bins(spectrum)
    keep = number > 0
    return (low + 0.5 * width)[keep], 0.5 * width[keep], number[keep]


def _plane(source: ElectronRectangle) -> ArrayF8:
    """Return the half sides in cm and the normal, as rows."""
    if min(source.half_widths_mm) < 0:
        raise InputError("half widths of a source are negative", allowed="0 or more")
    half_u, half_v = source.half_widths_mm
    u, v, w = beam_frame(source.normal, source.up)
    return np.stack([u * half_u / 10, v * half_v / 10, w])
