"""Alphas in one marrow cavity in endless bone, by quadrature: a second way that shares the ranges alone.

The endosteum is the outermost layer of the marrow. Alphas fly straight and lose energy as ASTAR has it in
water and in cortical bone. Their ranges (40 to 90 micrometres in tissue) are short beside cavities and
trabeculae.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from omnidose.data import load
from omnidose.errors import InputError
from omnidose.physics.alpha_stopping import alpha_range_g_cm2
from omnidose.transport.dose_kernels.bone import (
    BONE_G_CM3,
    ENDOSTEUM_MM,
    MARROW_G_CM3,
    BoneShares,
    Place,
)

ArrayF8 = npt.NDArray[np.float64]

#: Radius of a cavity with a mean chord of 1 mm, and mean chord of trabeculae: about what F. W. Spiers's
#: school measured in adult vertebrae (recalled: grade C).
CAVITY_MM, TRABECULA_MM = 0.75, 0.25
_LEAST_KEV = 1.0
_RADII, _COSINES = 48, 256
_DEEP, _ENDOSTEUM, _BONE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cavity:
    """A marrow cavity.

    Attributes
    ----------
    radius_mm
        Of the cavity: 0.75 of its mean chord.
    endosteum_mm
        Thickness of the layer of target cells on the bone surface, inside the cavity.
    trabecula_mm
        Mean chord of the bone between cavities (4 x volume / surface): what share of a source in the
        volume of bone lies near a surface.
    """

    radius_mm: float = CAVITY_MM
    endosteum_mm: float = ENDOSTEUM_MM
    trabecula_mm: float = TRABECULA_MM

    def __post_init__(self) -> None:
        if not (0.1 <= self.radius_mm <= 10 and 0 < self.endosteum_mm < self.radius_mm):
            raise InputError(
                f"a cavity of radius {self.radius_mm:g} mm with {self.endosteum_mm:g} mm of endosteum",
                allowed="a radius of 0.1 to 10 mm, an endosteum thinner than it",
            )
        if not 0.1 <= self.trabecula_mm <= 10:
            raise InputError(f"trabeculae of {self.trabecula_mm:g} mm", allowed="0.1 to 10 mm")


def alpha_shares(energy_kev: float, source: Place, *, cavity: Cavity | None = None) -> BoneShares:
    """Return where an alpha particle leaves its energy.

    Parameters
    ----------
    energy_kev
        1 keV to 10 MeV.
    source
        ``surface`` (a film on the bone), ``endosteum``, ``marrow`` (all of the cavity) or ``bone`` (its
        volume), uniform.

    Raises
    ------
    InputError, RangeError
        For another place, or an energy without stopping power.
    """
    made = cavity or Cavity()
    if source not in get_args(Place):
        raise InputError(
            f"'{source}' is no place of a cavity", where="source", allowed=", ".join(get_args(Place))
        )
    outer, inner = made.radius_mm, made.radius_mm - made.endosteum_mm
    if source == "bone":
        return _from_bone(energy_kev, made)
    if source == "surface":
        shares = _mean_shares(energy_kev, np.array([outer]), np.ones(1), made)
    else:
        radius, weight = _ball(inner if source == "endosteum" else 0.0, outer)
        shares = _mean_shares(energy_kev, radius, weight, made)
    return _as_shares(shares)


def _from_bone(energy_kev: float, cavity: Cavity) -> BoneShares:
    """Uniform in bone: only the layer of one range under the surface reaches the cavity."""
    depth_mm = 10 * float(alpha_range_g_cm2(energy_kev, _TABLES[_BONE][0])) / BONE_G_CM3
    radius, weight = _ball(cavity.radius_mm, cavity.radius_mm + depth_mm)
    shares = _mean_shares(energy_kev, radius, weight, cavity)
    # share of all bone that lies in the layer: surface per volume is 4 / mean chord
    r = cavity.radius_mm
    layer = ((r + depth_mm) ** 3 - r**3) / (3 * r**2) * 4 / cavity.trabecula_mm
    shares[:2] *= layer
    return _as_shares(np.array([shares[0], shares[1], 1 - shares[0] - shares[1]]))


def _as_shares(shares: ArrayF8) -> BoneShares:
    return BoneShares(
        deep_marrow_fraction=float(shares[_DEEP]),
        endosteum_fraction=float(shares[_ENDOSTEUM]),
        bone_fraction=float(shares[_BONE]),
    )


def _ball(low_mm: float, high_mm: float) -> tuple[ArrayF8, ArrayF8]:
    """Radii and weights (sum 1) of a source uniform between two spheres."""
    node, weight = np.polynomial.legendre.leggauss(_RADII)
    radius = low_mm + 0.5 * (high_mm - low_mm) * (node + 1)
    share = weight * radius**2
    return radius, share / share.sum()


def _mean_shares(energy_kev: float, radius_mm: ArrayF8, weight: ArrayF8, cavity: Cavity) -> ArrayF8:
    """Mean shares of the three zones over starts and directions."""
    node, half = np.polynomial.legendre.leggauss(_COSINES // 2)
    # two halves: from the surface the directions outwards and inwards have nothing in common
    cosine = np.concatenate([0.5 * (node - 1), 0.5 * (node + 1)])
    length, zone = _segments(radius_mm[:, None], cosine[None, :], cavity)
    energy = np.full(length.shape[:-1], float(energy_kev))
    total = np.zeros(3)
    directions = np.tile(half, 2) / 4
    for i in range(length.shape[-1]):
        after = np.empty_like(energy)
        for z in (_DEEP, _ENDOSTEUM, _BONE):
            here = zone[..., i] == z
            after[here] = _energy_after(energy[here], length[..., i][here], z)
        lost = weight[:, None] * directions * (energy - after)
        total += np.bincount(zone[..., i].ravel(), weights=lost.ravel(), minlength=3)
        energy = after
    return total / energy_kev


def _segments(radius: ArrayF8, cosine: ArrayF8, cavity: Cavity) -> tuple[ArrayF8, npt.NDArray[np.int64]]:
    """Return lengths (mm) and zones of the pieces of rays between spheres [..., 5]; the last has no end."""
    inner, outer = cavity.radius_mm - cavity.endosteum_mm, cavity.radius_mm
    shape = np.broadcast_shapes(radius.shape, cosine.shape)
    cuts = [np.zeros(shape)]
    for sphere in (inner, outer):
        root2 = sphere**2 - radius**2 * (1 - cosine**2)
        root = np.sqrt(np.maximum(root2, 0.0))
        for sign in (-1, 1):
            distance = np.where(root2 > 0, -radius * cosine + sign * root, 0.0)
            cuts.append(np.broadcast_to(np.maximum(distance, 0.0), shape))
    ordered = np.sort(np.stack(cuts, axis=-1), axis=-1)
    end = np.concatenate([ordered[..., 1:], ordered[..., -1:] + _ENDLESS_MM], axis=-1)
    middle = 0.5 * (ordered + end)
    place = np.sqrt(middle**2 + 2 * (radius * cosine)[..., None] * middle + (radius**2)[..., None])
    return end - ordered, np.digitize(place, [inner, outer])


#: Longer than any range.
_ENDLESS_MM = 1.0
#: Table of stopping powers and density of each zone.
_TABLES = (("water", MARROW_G_CM3), ("water", MARROW_G_CM3), ("cortical bone ICRP", BONE_G_CM3))


def _energy_after(energy_kev: ArrayF8, length_mm: ArrayF8, zone: int) -> ArrayF8:
    """Return the energy left after a path; below 1 keV it is 0."""
    name, density = _TABLES[zone]
    alive = energy_kev > _LEAST_KEV
    left = np.zeros_like(energy_kev)
    table = load("decay_alpha_stopping")
    rows = table["material"] == name
    grid, ranges = np.log(table["energy_kev"][rows]), table["csda_g_cm2"][rows]
    rest = alpha_range_g_cm2(energy_kev[alive], name) - 0.1 * density * length_mm[alive]
    some = rest > ranges[0]
    value = np.zeros(rest.shape)
    value[some] = np.exp(np.interp(np.log(rest[some]), np.log(ranges), grid))
    left[alive] = value
    return left
