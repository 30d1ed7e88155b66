"""Specific absorbed fractions of photons: the share of the energy that a target takes up, per mass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from omnidose.data import load
from omnidose.dosimetry.internal.regions import REMAINDER, TOTAL_BODY, Kind, unnamed_tissues
from omnidose.errors import InputError, RangeError

ArrayF8 = npt.NDArray[np.float64]

#: Energies of the packaged tables.
ENERGIES_KEV = (10.0, 15.0, 20.0, 30.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 1500.0, 2000.0, 4000.0)
#: Least value that is interpolated in logarithms, 1/kg: far below any that matters.
_FLOOR_PER_KG = 1e-12
#: A direct result with a smaller standard error than this is not improved by reciprocity.
GOOD_ENOUGH_REL = 0.02
#: Regions that are not made of soft tissue: reciprocity does not hold for them.
_BONE = ("skeleton", "red-marrow", "endosteum", "teeth", "cartilage")
#: Lung holds more oxygen and less carbon than soft tissue: below this energy it takes up to 12 % more from
#: the same photons, and the way back is no measure of the way there.
LUNG_KEV = 200.0
PHANTOMS = {"adult-male": "M", "adult-female": "F"}


@dataclass(frozen=True, kw_only=True, eq=False)
class AbsorbedFractions:
    """Specific absorbed fractions (SAF) of photons in one phantom.

    Attributes
    ----------
    phantom, sex
        Name for people, and ``M`` or ``F``.
    sources, kinds
        Source regions, length s, and how they are related to each other.
    targets
        Length t: organs as in the vocabulary, and ``total-body``.
    energies_kev
        [e] rising.
    saf_per_kg
        [s, e, t] energy absorbed in the target per energy emitted in the source and per target mass.
    std_rel
        [s, e, t] relative standard error; inf where nothing was scored.
    source_mass_g, target_mass_g
        [s], [t].
    tissues
        All regions of the phantom that are tissue and overlap no other: what a remainder is made of.
    remainder_without
        The regions that a source ``remainder`` leaves out, if it was computed as one.
    contact_cm2
        Contents -> area between them and their wall, where the body was voxels; empty for the packaged
        tables. Decides how electrons of contents reach a wall, see
        :func:`omnidose.dosimetry.internal.charged.charged_saf_per_kg`.
    """

    phantom: str
    sex: str
    sources: tuple[str, ...]
    kinds: tuple[Kind, ...]
    targets: tuple[str, ...]
    energies_kev: ArrayF8
    saf_per_kg: ArrayF8
    std_rel: ArrayF8
    source_mass_g: ArrayF8
    target_mass_g: ArrayF8
    tissues: tuple[str, ...]
    remainder_without: frozenset[str] = frozenset()
    contact_cm2: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.sources), self.energies_kev.size, len(self.targets))
        if self.saf_per_kg.shape != shape or self.std_rel.shape != shape:
            raise InputError(f"absorbed fractions of shape {self.saf_per_kg.shape}", allowed=f"{shape}")

    def source(self, key: str) -> int:
        """Return the place of a source region.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        return _place(self.sources, key, "source region", self.phantom)

    def target(self, key: str) -> int:
        """Return the place of a target.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        return _place(self.targets, key, "target", self.phantom)

    def at(self, source: str, energy_kev: npt.ArrayLike) -> tuple[ArrayF8, ArrayF8]:
        """Return SAF and relative standard errors of all targets at photon energies.

        Parameters
        ----------
        energy_kev
            [n] from the first to the last energy of the table.

        Returns
        -------
        tuple of ndarray
            [n, t] 1/kg, by monotone cubic interpolation of ln SAF in ln E; [n, t], linear in ln E.

        Raises
        ------
        RangeError
            Outside the table.
        """
        energy = np.atleast_1d(np.asarray(energy_kev, dtype=np.float64))
        low, high = float(self.energies_kev[0]), float(self.energies_kev[-1])
        if energy.size and not (low <= energy.min() and energy.max() <= high * (1 + 1e-9)):
            raise RangeError(
                f"no absorbed fraction of photons of {energy.min():g} to {energy.max():g} keV",
                where=self.phantom,
                allowed=f"{low:g} to {high:g} keV",
            )
        s, x = self.source(source), np.log(energy)
        value = np.exp(self._curves[s](x))
        nodes = np.log(self.energies_kev)
        right = np.clip(np.searchsorted(nodes, x), 1, nodes.size - 1)
        part = ((x - nodes[right - 1]) / (nodes[right] - nodes[right - 1]))[:, None]
        errors = np.minimum(self.std_rel[s], 1.0)
        return np.where(value > 2 * _FLOOR_PER_KG, value, 0.0), (1 - part) * errors[
            right - 1
        ] + part * errors[right]

    @cached_property
    def _curves(self) -> list[PchipInterpolator]:
        x = np.log(self.energies_kev)
        return [
            PchipInterpolator(x, np.log(np.maximum(one, _FLOOR_PER_KG)), axis=0) for one in self.saf_per_kg
        ]

    def with_reciprocity(self) -> AbsorbedFractions:
        """Return the fractions with noisy pairs improved by what the opposite direction says.

        Between soft tissues (and lung, at energies where its elements do not matter) the SAF from one organ
        to another is that of the way back; exactly so for photons that did not scatter. Where the direct
        result is worse than :data:`GOOD_ENOUGH_REL`, the mean of both is taken, weighted with the masses of
        the targets: of equal numbers of photons, as many interact in a target as its mass and the common SAF
        say. (In the packaged tables the ratio of both variances goes as the ratio of masses to the power
        0.97.) Weights from the observed errors would prefer results that are low by chance: a few weak scores
        look precise.
        """
        saf, std = self.saf_per_kg.copy(), self.std_rel.copy()
        for s, t, s_back, t_back in self.pairs():
            used = self.reciprocal(s, s_back)
            for here, back in (((s, t), (s_back, t_back)), ((s_back, t_back), (s, t))):
                first, second = (here[0], used, here[1]), (back[0], used, back[1])
                mass_g, mass_back_g = self.target_mass_g[here[1]], self.target_mass_g[back[1]]
                saf[first], std[first] = _mean(
                    self.saf_per_kg[first],
                    self.std_rel[first],
                    self.saf_per_kg[second],
                    self.std_rel[second],
                    float(mass_g / (mass_g + mass_back_g)),
                )
        return replace(self, saf_per_kg=saf, std_rel=std)

    def reciprocal(self, source: int, back: int) -> npt.NDArray[np.bool_]:
        """Return [e] whether the way back between two sources of :meth:`pairs` tells the way there."""
        lungs = "lungs" in (self.sources[source], self.sources[back])
        return self.energies_kev >= (LUNG_KEV if lungs else 0.0)

    def pairs(self) -> list[tuple[int, int, int, int]]:
        """Return (source, target, source back, target back) of every pair with both directions."""
        found = []
        for s, key in enumerate(self.sources):
            if key in _BONE or key not in self.targets or self.kinds[s] is Kind.OVERLAPPING:
                continue
            for s_back in range(s + 1, len(self.sources)):
                other = self.sources[s_back]
                if other in _BONE or other not in self.targets or self.kinds[s_back] is Kind.OVERLAPPING:
                    continue
                found.append((s, self.targets.index(other), s_back, self.targets.index(key)))
        return found

    def remainder(self, named: Sequence[str]) -> tuple[ArrayF8, ArrayF8, float]:
        """Return SAF and relative errors of activity in all tissue without the named regions, and its mass.

        The mean over the source regions that are tissue and not named, weighted with their masses: nothing is
        subtracted from the whole body, so no dose can be negative or counted twice.

        Returns
        -------
        tuple
            [e, t] 1/kg, [e, t], g.

        Raises
        ------
        InputError
            If the table's own remainder leaves out other regions, or no tissue is left.
        """
        if REMAINDER in self.sources:
            if frozenset(named) - {REMAINDER} != self.remainder_without:
                raise InputError(
                    f"the remainder of this table leaves out {', '.join(sorted(self.remainder_without))}",
                    where=self.phantom,
                    todo="compute the absorbed fractions for the named regions",
                )
            s = self.sources.index(REMAINDER)
            return self.saf_per_kg[s], self.std_rel[s], float(self.source_mass_g[s])
        left = unnamed_tissues(self.tissues, named)
        if missing := [key for key in left if key not in self.sources]:
            raise InputError(
                f"the remainder holds {', '.join(missing)}, from which no photons were followed",
                where=self.phantom,
                todo="compute the absorbed fractions with a source 'remainder'",
            )
        if not left:
            raise InputError("no tissue is left for the remainder of the body", where=self.phantom)
        return self._mean_of([self.sources.index(key) for key in left])

    def sum_of_parts(self) -> tuple[ArrayF8, ArrayF8, float]:
        """Return what :meth:`remainder` does for the whole body, contents included, from its parts."""
        parts = [s for s, kind in enumerate(self.kinds) if kind is not Kind.OVERLAPPING]
        return self._mean_of(parts)

    def _mean_of(self, parts: Sequence[int]) -> tuple[ArrayF8, ArrayF8, float]:
        mass = self.source_mass_g[list(parts)]
        share = (mass / mass.sum())[:, None, None]
        value = self.saf_per_kg[list(parts)]
        mean = (share * value).sum(axis=0)
        error = self.std_rel[list(parts)]
        scored = np.where(np.isfinite(error), error, 0.0) * value
        std = np.sqrt(((share * scored) ** 2).sum(axis=0))
        return mean, np.where(mean > 0, std / np.where(mean > 0, mean, 1.0), np.inf), float(mass.sum())

    def with_remainder(self, named: Sequence[str]) -> AbsorbedFractions:
        """Return the fractions with one more source, ``remainder``: the tissues without the named regions."""
        if REMAINDER in self.sources:
            self.remainder(named)
            return self
        value, std, mass_g = self.remainder(named)
        return replace(
            self,
            sources=(*self.sources, REMAINDER),
            kinds=(*self.kinds, Kind.OVERLAPPING),
            saf_per_kg=np.concatenate([self.saf_per_kg, value[None]]),
            std_rel=np.concatenate([self.std_rel, std[None]]),
            source_mass_g=np.append(self.source_mass_g, mass_g),
            remainder_without=frozenset(named) - {REMAINDER},
        )


def _place(names: Sequence[str], key: str, what: str, where: str) -> int:
    if key not in names:
        raise InputError(f"there is no {what} '{key}'", where=where, allowed=", ".join(names))
    return names.index(key)


def _mean(
    value: ArrayF8, std_rel: ArrayF8, back: ArrayF8, back_std_rel: ArrayF8, share: float
) -> tuple[ArrayF8, ArrayF8]:
    """Return the mean of both ways and its relative error, energy by energy, where the first is noisy.

    A way on which nothing was scored counts as 0 with its weight; its own error is not known and left out.
    """
    mean = share * value + (1 - share) * back
    parts = [
        weight * np.where(one > 0, one * np.where(one > 0, error, 0.0), 0.0)
        for weight, one, error in ((share, value, std_rel), (1 - share, back, back_std_rel))
    ]
    error = np.hypot(*parts) / np.where(mean > 0, mean, 1.0)
    noisy = (std_rel >= GOOD_ENOUGH_REL) & (mean > 0)
    return np.where(noisy, mean, value), np.where(noisy, error, std_rel)


@cache
def packaged(phantom: str) -> AbsorbedFractions:
    """Return the packaged fractions of the equation-based adults, one direction each, as computed.

    Parameters
    ----------
    phantom
        ``adult-male`` or ``adult-female``.

    Raises
    ------
    InputError
        For another phantom.
    """
    if phantom not in PHANTOMS:
        raise InputError(f"there are no absorbed fractions of '{phantom}'", allowed=", ".join(PHANTOMS))
    table = load(f"absorbed_fractions_{phantom.replace('-', '_')}")
    scored = table["std_rel"].astype(np.float64)
    return AbsorbedFractions(
        phantom=str(table["phantom"]),
        sex=PHANTOMS[phantom],
        sources=tuple(table["sources"].tolist()),
        kinds=tuple(Kind(k) for k in table["kinds"].tolist()),
        targets=tuple(table["targets"].tolist()),
        energies_kev=table["energies_kev"].astype(np.float64),
        saf_per_kg=table["saf_per_kg"].astype(np.float64),
        std_rel=np.where(scored > 0, scored, np.inf),
        source_mass_g=table["source_mass_g"].astype(np.float64),
        target_mass_g=table["target_mass_g"].astype(np.float64),
        tissues=tuple(table["sources"][table["kinds"] == Kind.TISSUE].tolist()),
        notes=(
            "equation-based adult of the Cristy-Eckerman family: photons by omnidose's own Monte Carlo on "
            "voxels of 4 mm",
        ),
    )


@cache
def adult(phantom: str) -> AbsorbedFractions:
    """Return the packaged fractions with reciprocity used where it helps; see :func:`packaged`."""
    return packaged(phantom).with_reciprocity()


__all__ = ["ENERGIES_KEV", "PHANTOMS", "TOTAL_BODY", "AbsorbedFractions", "adult", "packaged"]
