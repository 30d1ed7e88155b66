"""Alphas and electrons in spongiosa: what marrow, endosteum and bone take up of each.

Bone and marrow alternate along straight rays (`TrabecularBone`: random chords; `BoneSlabs`: plates). Alphas
fly along them and slow down as ASTAR has it. Electrons scatter: a ray carries the radial point kernel of our
Monte Carlo, at distances scaled to water, which is exact where bone and marrow are one medium. The older
way, electrons that slow down along the ray without scattering, is there to compare (``model="straight"``).

The spongiosa has no end: what would leave it for compact bone stays. Photons and bremsstrahlung are not
followed; they cross whole bones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from omnidose.data import load
from omnidose.errors import InputError
from omnidose.physics.alpha_stopping import alpha_range_g_cm2
from omnidose.physics.electron_stopping import csda_range_g_cm2
from omnidose.physics.material_library import material
from omnidose.physics.nuclides import Nuclide, nuclide
from omnidose.transport.dose_kernels._bone_rays import (
    BONE,
    BONE_G_CM3,
    DEEP,
    DENSITY_G_CM3,
    ENDOSTEUM,
    ENDOSTEUM_MM,
    MARROW_G_CM3,
    WATER_G_CM2_PER_MM,
    Bone,
    BoneSlabs,
    Place,
    TrabecularBone,
    rays_from,
)
from omnidose.transport.dose_kernels.media import HIGHEST_ELECTRON_KEV, LOWEST_ELECTRON_KEV
from omnidose.transport.dose_kernels.monoenergetic import (
    electron_enclosed,
    electron_reach_g_cm2,
    radiated_share,
)
from omnidose.transport.dose_kernels.nuclide_yields import yield_of

__all__ = [
    "BONE_G_CM3",
    "ENDOSTEUM_MM",
    "MARROW_G_CM3",
    "Bone",
    "BoneEnergies",
    "BoneShares",
    "BoneSlabs",
    "Place",
    "TrabecularBone",
    "absorbed_fractions",
    "nuclide_in_bone",
]

ArrayF8 = npt.NDArray[np.float64]
Particle = Literal["alpha", "electron"]
Model = Literal["kernel", "straight"]

_RAYS = 2**13
_SHELLS = 480
#: Lowest energy of electrons without scattering: less than 0.1 micrometre is left.
_LEAST_KEV = 1.0
#: Longest range in bone over that in water: 1.18 (alphas) and 1.19 (electrons); rays go as far.
_LONGEST = 1.25
#: Share of an electron's energy that marrow gets from a flat border of bone and marrow: bone scatters back.
#: Our electron Monte Carlo of two half-spaces, standard error 0.002: 0.534, 0.536, 0.537, 0.536 and 0.533 at
#: 20, 50, 100, 300 and 1000 keV.
BORDER_MARROW_FRACTION = 0.536
#: Materials of the zones.
_MATERIALS = ("red marrow", "red marrow", "cortical bone")
_BINS_PER_LN = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BoneShares:
    """Shares of the emitted energy. Sum 1.

    Attributes
    ----------
    deep_marrow_fraction
        Marrow deeper than the endosteum.
    radiated_fraction
        Bremsstrahlung of electrons: it leaves the spongiosa.
    """

    deep_marrow_fraction: float
    endosteum_fraction: float
    bone_fraction: float
    radiated_fraction: float = 0.0

    @property
    def marrow_fraction(self) -> float:
        """All of the cavities: the endosteum is marrow too."""
        return self.deep_marrow_fraction + self.endosteum_fraction

    def red_marrow_fraction(self, cellularity_rel: float) -> float:
        """Return the share of red marrow, if fat is mixed evenly into it.

        Parameters
        ----------
        cellularity_rel
            Red over all marrow, 0 to 1 (ICRP Publication 70: 0.7 in an adult's vertebrae).

        Raises
        ------
        InputError
            For another number.
        """
        if not 0 <= cellularity_rel <= 1:
            raise InputError(f"a cellularity of {cellularity_rel:g}", allowed="0 to 1")
        return cellularity_rel * self.marrow_fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class BoneEnergies:
    """Energy per decay of a nuclide, and of the progeny that was asked for, by zone.

    Attributes
    ----------
    alpha_kev, electron_kev
        Energy left in deep marrow, endosteum and bone, by alphas with their recoil nuclei, and by electrons
        and betas: keep them apart, their effect differs.
    radiated_kev, photon_kev
        Bremsstrahlung and photons per decay, which leave the spongiosa.
    """

    name: str
    source: Place
    alpha_kev: tuple[float, float, float]
    electron_kev: tuple[float, float, float]
    radiated_kev: float
    photon_kev: float

    @property
    def alpha(self) -> BoneShares | None:
        """Shares of the energy of alphas and recoil nuclei, None if there are none."""
        return _shares_of(self.alpha_kev, 0.0)

    @property
    def electron(self) -> BoneShares | None:
        """Shares of the energy of electrons, None if there are none."""
        return _shares_of(self.electron_kev, self.radiated_kev)


def _shares_of(zones_kev: tuple[float, float, float], radiated_kev: float) -> BoneShares | None:
    total = sum(zones_kev) + radiated_kev
    return _shares(np.asarray(zones_kev) / total, radiated_kev / total) if total > 0 else None


def _shares(zones: ArrayF8, radiated: float = 0.0) -> BoneShares:
    return BoneShares(
        deep_marrow_fraction=float(zones[DEEP]),
        endosteum_fraction=float(zones[ENDOSTEUM]),
        bone_fraction=float(zones[BONE]),
        radiated_fraction=radiated,
    )


def absorbed_fractions(
    particle: Particle,
    energy_kev: float,
    source: Place,
    *,
    bone: Bone | None = None,
    model: Model = "kernel",
) -> BoneShares:
    """Return where an alpha particle or an electron leaves its energy.

    Parameters
    ----------
    particle
        ``alpha`` (1 keV to 10 MeV) or ``electron`` (to 4 MeV; below 10 keV it stays where it starts).
    source
        ``surface`` (a film on the bone), ``endosteum``, ``marrow`` (all of the cavities) or ``bone`` (its
        volume), uniform.
    bone
        `TrabecularBone` of a man, unless given.
    model
        Of electrons: ``kernel``, or ``straight`` (no scattering; 1 keV to 4 MeV; nothing is told apart as
        radiated).

    Raises
    ------
    InputError, RangeError
        For another word, an energy without stopping power, or more trabeculae than are followed.

    Notes
    -----
    docs/methods/bone.md says how far the kernel is from our electron Monte Carlo: 0.014 at most.
    """
    made = bone or TrabecularBone()
    _check_words(particle, source, model)
    if particle == "alpha":
        alpha_range_g_cm2(energy_kev)  # refuses energies without a range
        return _shares(_straight(float(energy_kev), source, made, _alpha_table()))
    if not 0 < energy_kev <= HIGHEST_ELECTRON_KEV:
        raise InputError(
            f"an electron of {energy_kev:g} keV",
            where="energy_kev",
            allowed=f"up to {HIGHEST_ELECTRON_KEV:g} keV",
        )
    if model == "straight":
        csda_range_g_cm2(material("water"), energy_kev)  # refuses energies without a range
        return _shares(_straight(float(energy_kev), source, made, _electron_table()))
    zones, radiated = _by_kernel(np.array([float(energy_kev)]), np.ones(1), source, made)
    return _shares(zones / energy_kev, radiated / energy_kev)


def nuclide_in_bone(
    emitter: Nuclide | str,
    source: Place,
    *,
    progeny: Mapping[str, float] | None = None,
    bone: Bone | None = None,
) -> BoneEnergies:
    """Return where a nuclide's alphas and electrons leave their energy, per decay.

    Parameters
    ----------
    emitter
        A nuclide or its name.
    source
        As in `absorbed_fractions`.
    progeny
        Decays of each daughter per decay of the nuclide at the same place; nothing is added unasked (see
        :func:`omnidose.transport.dose_kernels.nuclide_yields.yield_of`).

    Raises
    ------
    InputError
        As `absorbed_fractions` and `yield_of`.

    Notes
    -----
    Recoil nuclei (100 keV, 0.1 micrometre) stay where they start; on a surface half of them in bone.
    """
    made = bone or TrabecularBone()
    _check_words("alpha", source, "kernel")
    emitted = yield_of(emitter, progeny=progeny)
    energy, number = emitted.electrons()
    zones, radiated = _by_kernel(energy, number, source, made)
    parent = nuclide(emitter) if isinstance(emitter, str) else emitter
    members = [(parent, 1.0), *((nuclide(n), float(k)) for n, k in (progeny or {}).items())]
    alpha = np.zeros(3)
    for member, decays in members:
        alpha += decays * _alphas_of(member, source, made)
    return BoneEnergies(
        name=emitted.name,
        source=source,
        alpha_kev=(float(alpha[0]), float(alpha[1]), float(alpha[2])),
        electron_kev=(float(zones[0]), float(zones[1]), float(zones[2])),
        radiated_kev=radiated,
        photon_kev=emitted.emitted_photon_kev,
    )


def _check_words(particle: str, source: str, model: str) -> None:
    for word, known, where in (
        (particle, get_args(Particle), "particle"),
        (source, get_args(Place), "source"),
        (model, get_args(Model), "model"),
    ):
        if word not in known:
            raise InputError(f"unknown {where} '{word}'", where=where, allowed=", ".join(known))


def _alphas_of(emitter: Nuclide, source: Place, bone: Bone) -> ArrayF8:
    total = np.zeros(3)
    lines = emitter.alpha_lines
    for kev, number in zip(lines.energy_kev, lines.per_decay, strict=True):
        if number > 0:
            total += kev * number * _straight(float(kev), source, bone, _alpha_table())
    recoil_kev = emitter.recoil_lines.energy_per_decay_kev
    if recoil_kev > 0:
        total += recoil_kev * _own_zones(source, bone)
    return total


def _own_zones(source: Place, bone: Bone) -> ArrayF8:
    """Where what never leaves its place stays: in the first piece of each ray that has a length."""
    rays = rays_from(source, bone, 1e-6, _RAYS)
    first = np.argmax(rays.length_mm > 0, axis=1)
    zones = np.bincount(rays.zone[first], weights=rays.weight, minlength=3)
    zones[rays.stay_zone] += rays.stay
    return np.asarray(zones, dtype=np.float64)


def _by_kernel(energy_kev: ArrayF8, number: ArrayF8, source: Place, bone: Bone) -> tuple[ArrayF8, float]:
    """Return the energy in each zone and the radiated, from the point kernels of all electrons.

    Electrons are taken together in bins of the logarithm of energy.
    """
    used = number > 0
    energy, number = energy_kev[used], number[used]
    zones, radiated = np.zeros(3), 0.0
    group = np.floor(_BINS_PER_LN * np.log(np.maximum(energy, LOWEST_ELECTRON_KEV)))
    for k in np.unique(group):
        here = group == k
        emitted = energy[here] * number[here]
        share = _kernel_shares(energy[here], emitted / emitted.sum(), source, bone) * emitted.sum()
        for zone, name in enumerate(_MATERIALS):
            lost = float(emitted @ radiated_share(material(name), energy[here]) / emitted.sum())
            zones[zone] += (1 - lost) * share[zone]
            radiated += lost * float(share[zone])
    return zones, radiated


def _kernel_shares(energy_kev: ArrayF8, weight: ArrayF8, source: Place, bone: Bone) -> ArrayF8:
    """Return each zone's share, from the mean point kernel of electrons whose weights sum to 1.

    A piece of a ray gets what the kernel of water leaves between its scaled ends. The scale says how far
    electrons come, scattering included; what they leave per gram goes with the stopping power, which in bone
    is lower still. The pieces are therefore weighted with it, and each ray's sum is made 1 again.
    """
    reach = _rounded_up(max(electron_reach_g_cm2(float(energy_kev.max())), 1e-4))
    edge = np.concatenate([[0.0], np.geomspace(1e-6, reach, _SHELLS)])
    enclosed = weight @ electron_enclosed(energy_kev, edge)
    enclosed[0] = 0.0  # what never leaves its point is in the first piece
    rays = rays_from(source, bone, reach, _RAYS)
    scaled = rays.length_mm * WATER_G_CM2_PER_MM[rays.zone]
    inside = np.interp(np.cumsum(scaled, axis=1), edge, enclosed)
    in_piece = np.diff(inside, axis=1, prepend=0.0) * _stopping_weights(float(weight @ energy_kev))[rays.zone]
    fair = _with_border(rays.weight, rays.length_mm[:, 0] > 0) if source == "surface" else rays.weight
    shares = np.bincount(rays.zone, weights=(fair / in_piece.sum(axis=1)) @ in_piece, minlength=3)
    shares[rays.stay_zone] += rays.stay
    return np.asarray(shares, dtype=np.float64)


def _with_border(weight: ArrayF8, into_bone: npt.NDArray[np.bool_]) -> ArrayF8:
    """Let rays from a border into marrow carry what bone scatters back; the sum stays 1."""
    share = np.where(into_bone, (1 - BORDER_MARROW_FRACTION) / into_bone.mean(), 0.0)
    share[~into_bone] = BORDER_MARROW_FRACTION / (1 - into_bone.mean())
    return weight * share / float(weight @ share)


def _stopping_weights(energy_kev: float) -> ArrayF8:
    """Mean stopping power of each zone over water's while slowing down, over the scale of distances."""
    energy = max(energy_kev, LOWEST_ELECTRON_KEV)
    water = csda_range_g_cm2(material("water"), energy)
    stopping = [float(water / csda_range_g_cm2(material(name), energy)) for name in _MATERIALS]
    return np.asarray(np.asarray(stopping) / (10 * WATER_G_CM2_PER_MM / DENSITY_G_CM3))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Slowing:
    """Ranges of a particle in each zone, on one grid of energies."""

    energy_kev: ArrayF8
    range_g_cm2: tuple[ArrayF8, ArrayF8, ArrayF8]


@cache
def _alpha_table() -> _Slowing:
    """ASTAR: marrow slows alphas as water does."""
    table = load("decay_alpha_stopping")
    energy = table["energy_kev"][table["material"] == "water"]
    marrow, bone = (alpha_range_g_cm2(energy, name) for name in ("water", "cortical bone ICRP"))
    return _Slowing(energy_kev=energy, range_g_cm2=(marrow, marrow, bone))


@cache
def _electron_table() -> _Slowing:
    energy = np.geomspace(_LEAST_KEV, HIGHEST_ELECTRON_KEV, 400)
    marrow, _, bone = (csda_range_g_cm2(material(name), energy) for name in _MATERIALS)
    return _Slowing(energy_kev=energy, range_g_cm2=(marrow, marrow, bone))


def _straight(energy_kev: float, source: Place, bone: Bone, table: _Slowing) -> ArrayF8:
    """Return the shares of a particle that slows down along the ray."""
    marrow_g_cm2 = _interpolate(np.array([energy_kev]), table.energy_kev, table.range_g_cm2[DEEP])
    rays = rays_from(source, bone, _rounded_up(_LONGEST * float(marrow_g_cm2[0])), _RAYS)
    zones = np.zeros(3)
    energy = np.full(rays.weight.size, energy_kev)
    for k, zone in enumerate(rays.zone):
        moving = energy > 0
        if not moving.any():
            break
        ranges = table.range_g_cm2[zone]
        path_g_cm2 = 0.1 * DENSITY_G_CM3[zone] * rays.length_mm[moving, k]
        rest = _interpolate(energy[moving], table.energy_kev, ranges) - path_g_cm2
        after = _interpolate(np.maximum(rest, ranges[0]), ranges, table.energy_kev)
        after[rest <= ranges[0]] = 0.0
        zones[zone] += rays.weight[moving] @ (energy[moving] - after)
        energy[moving] = after
    zones[rays.stay_zone] += rays.stay * energy_kev
    return np.asarray(zones / energy_kev)


def _interpolate(value: ArrayF8, grid: ArrayF8, wanted: ArrayF8) -> ArrayF8:
    return np.asarray(np.exp(np.interp(np.log(value), np.log(grid), np.log(wanted))))


def _rounded_up(reach_g_cm2: float) -> float:
    """Round up to a quarter of an octave: neighbouring energies share their rays."""
    return float(2 ** (np.ceil(4 * np.log2(reach_g_cm2)) / 4))
