"""Straight rays through spongiosa: the lengths of bone, endosteum and marrow that they cross in turn.

Every ray has the same order of pieces - bone, endosteum, deep marrow, endosteum, and again - with lengths
of 0 where it starts further on or misses the deep marrow. That keeps all rays in one rectangular array.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv
from scipy.stats import qmc

from omnidose.errors import InputError
from omnidose.transport.dose_kernels.media import MEDIA

ArrayF8 = npt.NDArray[np.float64]
#: Where activity is: a film on the bone, the endosteum, all of the cavities, the volume of bone.
Place = Literal["surface", "endosteum", "marrow", "bone"]

#: Depth of the target cells under bone surfaces, and tissue densities (ICRP Publication 116, annex D and G:
#: total shallow marrow; marrow 1.03 and mineral bone 1.92 g/cm3).
ENDOSTEUM_MM, MARROW_G_CM3, BONE_G_CM3 = 0.05, 1.03, 1.92
DEEP, ENDOSTEUM, BONE = 0, 1, 2
#: Order of the pieces, again and again.
PIECES = np.array([BONE, ENDOSTEUM, DEEP, ENDOSTEUM])
DENSITY_G_CM3 = np.array([MARROW_G_CM3, MARROW_G_CM3, BONE_G_CM3])
#: Water's g/cm2 per mm in each zone, for electrons: density times the scale of the dose kernels.
WATER_G_CM2_PER_MM = (
    DENSITY_G_CM3 * [MEDIA["soft tissue"].scale, MEDIA["soft tissue"].scale, MEDIA["bone"].scale] / 10
)
#: Mean chords of adult man (see `TrabecularBone`).
MARROW_CHORD_MM, BONE_CHORD_MM = 1.2, 0.23
_SEED = 20
#: Random numbers of the first pieces of a ray, those that matter most.
_SOBOL = 8
#: Trabeculae on a ray: memory.
_MOST_TURNS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TrabecularBone:
    """Spongiosa as random chords of marrow and of bone in turn.

    A ray enters a cavity at random (cosine law), crosses its endosteum, deep marrow and endosteum again, then
    a trabecula, the next cavity, and so on; each length is independent of those before. Cavities are spheres
    whose diameters, by surface, follow a gamma distribution. The chords of trabeculae have the same shape of
    distribution.

    Attributes
    ----------
    marrow_chord_mm, bone_chord_mm
        Mean chords, 4 x volume / surface. Defaults: cavities of 1.2 mm and 16 % of bone by volume in a man
        of 44 years (A. H. Beddoe, Calcif. Tissue Res. 25 (1978) 273, abstract), so that bone has
        1.2 x 16 / 84 = 0.23 mm.
    endosteum_mm
        Thickness of the layer of target cells, inside the cavity (ICRP Publication 116: 0.05 mm).
    diameter_shape
        Of the gamma distribution. 3 is our choice: a chord length l is then as likely as l exp(-l/b), a
        broad peak with a long tail; infinity makes all spheres equal.
    """

    marrow_chord_mm: float = MARROW_CHORD_MM
    bone_chord_mm: float = BONE_CHORD_MM
    endosteum_mm: float = ENDOSTEUM_MM
    diameter_shape: float = 3.0

    def __post_init__(self) -> None:
        _check_lengths(self.marrow_chord_mm, self.bone_chord_mm, self.endosteum_mm)
        if not self.diameter_shape >= 1:
            raise InputError(
                f"a gamma distribution of diameters with shape {self.diameter_shape:g}",
                allowed="1 or more; infinity for equal spheres",
            )

    @property
    def lengths_mm(self) -> tuple[float, float]:
        """Marrow and bone along a long ray, in proportion."""
        return self.marrow_chord_mm, self.bone_chord_mm


@dataclass(frozen=True, slots=True, kw_only=True)
class BoneSlabs:
    """Endless plates of bone and of marrow in turn, with endosteum on both sides of the marrow."""

    marrow_mm: float
    bone_mm: float
    endosteum_mm: float = ENDOSTEUM_MM

    def __post_init__(self) -> None:
        _check_lengths(self.marrow_mm, self.bone_mm, self.endosteum_mm)
        if 2 * self.endosteum_mm > self.marrow_mm:
            raise InputError(
                f"two layers of {self.endosteum_mm:g} mm in a plate of {self.marrow_mm:g} mm of marrow",
                allowed="an endosteum of at most half the marrow",
            )

    @property
    def lengths_mm(self) -> tuple[float, float]:
        """Marrow and bone along a long ray, in proportion."""
        return self.marrow_mm, self.bone_mm


Bone = TrabecularBone | BoneSlabs


def _check_lengths(marrow_mm: float, bone_mm: float, endosteum_mm: float) -> None:
    if not (0.05 <= marrow_mm <= 100 and 0.02 <= bone_mm <= 100):
        raise InputError(
            f"{marrow_mm:g} mm of marrow between {bone_mm:g} mm of bone",
            allowed="marrow of 0.05 to 100 mm, bone of 0.02 to 100 mm",
        )
    if not 0.001 <= endosteum_mm <= 1:
        raise InputError(f"an endosteum of {endosteum_mm:g} mm", allowed="0.001 to 1 mm")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rays:
    """Rays from a source.

    Attributes
    ----------
    length_mm
        [n, 4 k] lengths of the pieces, in the order of `PIECES`, as long as was asked for.
    weight
        [n] of the rays.
    stay
        Weight of starts so far inside their zone (deep marrow or bone) that nothing leaves it; with the
        weights of the rays it sums to 1.
    stay_zone
        That zone.
    """

    length_mm: ArrayF8
    weight: ArrayF8
    stay: float
    stay_zone: int

    @property
    def zone(self) -> npt.NDArray[np.int64]:
        """[4 k] the zone of each piece."""
        return np.tile(PIECES, self.length_mm.shape[1] // PIECES.size)


@lru_cache(maxsize=24)
def rays_from(source: Place, bone: Bone, reach_g_cm2: float, count: int) -> Rays:
    """Return rays that go at least a distance.

    Parameters
    ----------
    source
        A place; ``marrow`` is all of it, endosteum included.
    reach_g_cm2
        How far, on water's scale.
    count
        Number of rays, a power of 2. The seed is fixed: the same request gives the same rays.
    """
    marrow_mm, bone_mm = bone.lengths_mm
    turns = reach_g_cm2 / float(WATER_G_CM2_PER_MM[DEEP] * marrow_mm + WATER_G_CM2_PER_MM[BONE] * bone_mm)
    if turns > _MOST_TURNS:
        raise InputError(
            f"rays of {reach_g_cm2:.3g} g/cm2 cross {turns:.0f} trabeculae",
            where="bone",
            allowed=f"{_MOST_TURNS}: larger cavities, or particles of less energy",
        )
    walk = _SlabWalk(bone, count) if isinstance(bone, BoneSlabs) else _SphereWalk(bone, count)
    block, weight = walk.start(source, reach_g_cm2 / WATER_G_CM2_PER_MM)
    blocks, gone = [block], block @ WATER_G_CM2_PER_MM[PIECES]
    while gone.min() < reach_g_cm2:
        block = walk.turn()
        gone = gone + block @ WATER_G_CM2_PER_MM[PIECES]
        blocks.append(block)
    share = weight / count
    return Rays(
        length_mm=np.concatenate(blocks, axis=1),
        weight=share,
        stay=float(1 - share.sum()),
        stay_zone=BONE if source == "bone" else DEEP,
    )


class _Draws:
    """Numbers between 0 and 1: first columns of Sobol's points, later one from each of n equal intervals."""

    def __init__(self, count: int) -> None:
        self.generator = np.random.Generator(np.random.PCG64(_SEED))
        self.count = count
        points = qmc.Sobol(_SOBOL, scramble=False).random(count) + self.generator.random(_SOBOL)
        self.columns = iter(np.mod(points, 1.0).T)

    def __call__(self) -> ArrayF8:
        column = next(self.columns, None)
        if column is None:
            interval = self.generator.permutation(self.count)
            column = (interval + self.generator.random(self.count)) / self.count
        return np.asarray(column)


@lru_cache(maxsize=4)
def _gamma_quantiles(shape: float, count: int) -> ArrayF8:
    """Return the quantile in the middle of each of n equal intervals of probability."""
    return np.asarray(gammaincinv(shape, (np.arange(count) + 0.5) / count))


class _SphereWalk:
    """Chords of spheres of marrow and of bone in turn."""

    def __init__(self, bone: TrabecularBone, count: int) -> None:
        self.bone, self.draw, self.count = bone, _Draws(count), count

    def start(self, source: Place, reach_mm: ArrayF8) -> tuple[ArrayF8, ArrayF8]:
        """Return the first pieces [n, 4] and the weight of each ray (1: nothing stays)."""
        block = np.zeros((self.count, 4))
        if source == "surface":
            return self._from_surface(block), np.ones(self.count)
        cosine = 2 * self.draw() - 1
        if source == "bone":
            radius, weight = self._source_radius(self.bone.bone_chord_mm, float(reach_mm[BONE]))
            place, share = self._ball(np.maximum(radius - reach_mm[BONE], 0.0), radius)
            block[:, 0], _, _ = _through(radius, np.zeros(self.count), place, cosine)
            block[:, 1:] = self._cavity()
            return block, weight * share
        depth = 0.0 if source == "endosteum" else float(reach_mm[DEEP])
        radius, weight = self._source_radius(self.bone.marrow_chord_mm, self.bone.endosteum_mm + depth)
        inner = np.maximum(radius - self.bone.endosteum_mm, 0.0)
        place, share = self._ball(np.maximum(inner - depth, 0.0), radius)
        block[:, 1:] = _cavity_pieces(radius, inner, place, cosine)
        weight = weight * share
        return block, weight / weight.mean() if source == "endosteum" else weight

    def _from_surface(self, block: ArrayF8) -> ArrayF8:
        """Fill the first pieces of rays from surfaces: half of them go into bone, half into marrow."""
        into_bone, cosine = self.draw() < 0.5, self.draw()
        radius = self._radius(self.bone.marrow_chord_mm)
        inner = np.maximum(radius - self.bone.endosteum_mm, 0.0)
        into_marrow = _cavity_pieces(radius, inner, radius, -cosine)
        chord = 2 * self._radius(self.bone.bone_chord_mm) * cosine
        block[:, 0] = np.where(into_bone, chord, 0.0)
        block[:, 1:] = np.where(into_bone[:, None], self._cavity(), into_marrow)
        return block

    def turn(self) -> ArrayF8:
        """Return the next trabecula and cavity."""
        chord = 2 * self._radius(self.bone.bone_chord_mm) * np.sqrt(self.draw())
        return np.concatenate([chord[:, None], self._cavity()], axis=1)

    def _cavity(self) -> ArrayF8:
        """Pieces [n, 3] of cavities that rays enter at random: with the cosine law."""
        radius = self._radius(self.bone.marrow_chord_mm)
        inner = np.maximum(radius - self.bone.endosteum_mm, 0.0)
        return _cavity_pieces(radius, inner, radius, -np.sqrt(self.draw()))

    def _source_radius(self, mean_chord_mm: float, reach_mm: float) -> tuple[ArrayF8, ArrayF8]:
        """Radii of spheres that hold a source, and what makes them fair by volume.

        Where only a thin layer matters they are drawn by surface: large spheres would be drawn in vain.
        """
        if reach_mm > mean_chord_mm:
            return self._radius(mean_chord_mm, by_volume=True), np.ones(self.count)
        radius = self._radius(mean_chord_mm)
        return radius, radius / radius.mean()

    def _radius(self, mean_chord_mm: float, *, by_volume: bool = False) -> ArrayF8:
        """Radii of spheres met by surface, or by volume; the mean chord of a sphere is 4/3 of its radius."""
        shape = self.bone.diameter_shape
        if math.isinf(shape):
            return np.full(self.count, 0.75 * mean_chord_mm)
        value = _gamma_quantiles(shape + by_volume, self.count)[(self.draw() * self.count).astype(np.int64)]
        return np.asarray(0.75 * mean_chord_mm / shape * value)

    def _ball(self, low_mm: ArrayF8, high_mm: ArrayF8) -> tuple[ArrayF8, ArrayF8]:
        """Radii uniform by volume between two spheres, and the share of the whole ball between them."""
        inside = (low_mm / high_mm) ** 3
        return high_mm * np.cbrt(inside + (1 - inside) * self.draw()), 1 - inside


def _cavity_pieces(radius_mm: ArrayF8, inner_mm: ArrayF8, place_mm: ArrayF8, cosine: ArrayF8) -> ArrayF8:
    """Return endosteum, deep marrow and endosteum [n, 3] on the way out of a cavity."""
    total, before, deep = _through(radius_mm, inner_mm, place_mm, cosine)
    return np.stack([before, deep, total - before - deep], axis=1)


def _through(
    radius_mm: ArrayF8, inner_mm: ArrayF8, place_mm: ArrayF8, cosine: ArrayF8
) -> tuple[ArrayF8, ArrayF8, ArrayF8]:
    """Return paths to the border of a sphere: all of it, before the inner sphere, inside it.

    From a distance to the centre, with the cosine to the outward radius.
    """
    along = place_mm * cosine
    offset2 = place_mm**2 * (1 - cosine**2)
    total = np.maximum(np.sqrt(np.maximum(radius_mm**2 - offset2, 0.0)) - along, 0.0)
    half = np.sqrt(np.maximum(inner_mm**2 - offset2, 0.0))
    enter, leave = np.maximum(-along - half, 0.0), np.maximum(half - along, 0.0)
    deep = np.where(inner_mm**2 > offset2, leave - enter, 0.0)
    before = np.where(deep > 0, enter, 0.0)
    return total, before, deep


class _SlabWalk:
    """Plates in turn: a ray keeps its cosine."""

    def __init__(self, bone: BoneSlabs, count: int) -> None:
        self.bone, self.draw, self.count = bone, _Draws(count), count
        self.cosine = self.draw()
        thickness = bone.endosteum_mm
        deep = bone.marrow_mm - 2 * thickness
        self.plates_mm = np.array([bone.bone_mm, thickness, deep, thickness])

    def start(self, source: Place, reach_mm: ArrayF8) -> tuple[ArrayF8, ArrayF8]:
        """Return the first pieces [n, 4] and the weight of each ray (1: nothing stays)."""
        block = np.tile(self.plates_mm, (self.count, 1))
        outwards = self.draw() < 0.5  # towards the nearer border
        if source == "surface":
            block[outwards, 0] = 0.0
            return block / self.cosine[:, None], np.ones(self.count)
        first, thickness = self.plates_mm[0], self.plates_mm[1]
        whole = first if source == "bone" else self.bone.marrow_mm
        deepest = {
            "bone": min(first / 2, float(reach_mm[BONE])),
            "marrow": min(whole / 2, thickness + float(reach_mm[DEEP])),
            "endosteum": thickness,
        }[source]
        depth = deepest * self.draw()
        ahead = np.where(outwards, depth, whole - depth)
        if source == "bone":
            block[:, 0] = ahead
        else:  # what is ahead fills the last endosteum first, then deep marrow
            deep = self.plates_mm[2]
            block[:, 0] = 0.0
            block[:, 3] = np.minimum(ahead, thickness)
            block[:, 2] = np.clip(ahead - thickness, 0.0, deep)
            block[:, 1] = np.maximum(ahead - thickness - deep, 0.0)
        weight = 1.0 if source == "endosteum" else 2 * deepest / whole
        return block / self.cosine[:, None], np.full(self.count, weight)

    def turn(self) -> ArrayF8:
        """Return the next plates."""
        return self.plates_mm / self.cosine[:, None]
