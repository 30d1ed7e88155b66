"""Electrons without scattering in equal cavities on a face-centred lattice, followed in space.

No chord is drawn here: rays march through the real arrangement. What differs from random chords of the same
means is what chords that know nothing of each other cost.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from omnidose.physics.electron_stopping import csda_range_g_cm2
from omnidose.physics.material_library import material
from omnidose.transport.dose_kernels.bone import (
    BONE_G_CM3,
    ENDOSTEUM_MM,
    MARROW_G_CM3,
    Place,
    TrabecularBone,
)

ArrayF8 = npt.NDArray[np.float64]

RADIUS_MM, MARROW_BY_VOLUME = 0.9, 0.7
_STEP_MM = 0.01
_SITES = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]])
#: Side of the cube that holds four cavities.
_CUBE_MM = (16 / 3 * math.pi * RADIUS_MM**3 / MARROW_BY_VOLUME) ** (1 / 3)
_EMPTY_KEV = 1.0


def same_chords() -> TrabecularBone:
    """Return random chords with the lattice's means."""
    marrow_mm = 4 / 3 * RADIUS_MM
    return TrabecularBone(
        marrow_chord_mm=marrow_mm,
        bone_chord_mm=marrow_mm * (1 - MARROW_BY_VOLUME) / MARROW_BY_VOLUME,
        diameter_shape=math.inf,
    )


def shares_in_lattice(kev: float, source: Place, count: int) -> ArrayF8:
    """Return the shares of deep marrow, endosteum and bone of electrons that fly straight."""
    rng = np.random.default_rng(7)
    place, direction = _start(source, count, rng), _directions(count, rng)
    grid = np.geomspace(_EMPTY_KEV, 1.001 * kev, 400)
    ranges = [
        10 * csda_range_g_cm2(material(name), grid) / density
        for name, density in (("red marrow", MARROW_G_CM3), ("cortical bone", BONE_G_CM3))
    ]
    energy, shares = np.full(count, kev), np.zeros(3)
    place = place + direction * (_STEP_MM * rng.random(count))[:, None]  # steps know nothing of borders
    while energy.max() > 0:
        zone = _zones(place)
        for medium, inside in enumerate((zone < 2, zone == 2)):
            here = inside & (energy > 0)
            rest_mm = np.interp(energy[here], grid, ranges[medium]) - _STEP_MM
            after = np.interp(rest_mm, ranges[medium], grid, left=0.0)
            shares += np.bincount(zone[here], weights=energy[here] - after, minlength=3)
            energy[here] = after
        place += _STEP_MM * direction
    return np.asarray(shares / (count * kev))


def _zones(place_mm: ArrayF8) -> npt.NDArray[np.int64]:
    """0 deep marrow, 1 endosteum, 2 bone."""
    nearest = np.full(len(place_mm), np.inf)
    for site in _SITES:
        offset = place_mm / _CUBE_MM - site
        offset -= np.round(offset)
        nearest = np.minimum(nearest, np.sqrt((offset**2).sum(axis=1)) * _CUBE_MM)
    return np.asarray(np.digitize(nearest, [RADIUS_MM - ENDOSTEUM_MM, RADIUS_MM]), dtype=np.int64)


def _start(source: Place, count: int, rng: np.random.Generator) -> ArrayF8:
    if source == "surface":
        return RADIUS_MM * _directions(count, rng)
    many = rng.random((16 * count, 3)) * _CUBE_MM
    zone = _zones(many)
    wanted = {"bone": zone == 2, "endosteum": zone == 1, "marrow": zone < 2}[source]
    return np.asarray(many[wanted][:count])


def _directions(count: int, rng: np.random.Generator) -> ArrayF8:
    vector = rng.normal(size=(count, 3))
    return np.asarray(vector / np.linalg.norm(vector, axis=1)[:, None])
