"""S values: the dose to a target per decay in a source region, of any nuclide and what it becomes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.dosimetry.internal.charged import (
    ALPHA,
    ANY_KEV,
    ELECTRON,
    all_targets,
    by_energy,
    charged_saf_per_kg,
    self_mass_kg,
)
from omnidose.dosimetry.internal.fractions import AbsorbedFractions
from omnidose.dosimetry.internal.regions import REMAINDER, TOTAL_BODY, drawn_source
from omnidose.errors import InputError
from omnidose.physics.decay import chain
from omnidose.physics.nuclides import Nuclide, nuclide

ArrayF8 = npt.NDArray[np.float64]

QUALITIES = ("photon", ELECTRON, ALPHA)
#: 1 keV/kg per decay in mGy per MBq h: 1.602176634e-16 J/keV (exact), 1000 mGy/Gy, 3.6e9 decays in 1 MBq h.
MGY_PER_MBQ_H = 1.602176634e-16 * 1000 * 3.6e9
#: Softer photons are absorbed within about 2 mm of where they start, as electrons are.
LOCAL_KEV = 10.0
MARROW = "red-marrow"
#: Electrons of bone and marrow are taken together between these energies.
EDGES_KEV = tuple(np.geomspace(2.0, 10_000.0, 45).tolist())
#: A daughter that lives longer than so many half-lives of its parent has not decayed when the parent is gone.
LONG_LIVED = 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class SValues:
    """S values of one nuclide, or of a nuclide with its progeny, in one phantom.

    Attributes
    ----------
    decays
        Nuclide -> decays per decay of the parent.
    sources, targets
        Lengths s and t.
    s_mgy_per_mbq_h
        [s, t, 3] by :data:`QUALITIES`: dose to the target per time-integrated activity of the parent in the
        source. Divide by 3600 for mGy/(MBq s).
    std_mgy_per_mbq_h
        [s, t] standard error of the photon Monte Carlo.
    target_mass_g
        [t], of the person if masses were given.
    """

    phantom: str
    decays: Mapping[str, float]
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    s_mgy_per_mbq_h: ArrayF8
    std_mgy_per_mbq_h: ArrayF8
    target_mass_g: ArrayF8

    def of(self, target: str, source: str) -> float:
        """Return S(target <- source) of all qualities in mGy per MBq h.

        Raises
        ------
        InputError
            For a target or source that is not in the table.
        """
        for names, key in ((self.targets, target), (self.sources, source)):
            if key not in names:
                raise InputError(f"no S value of '{key}'", where=self.phantom, allowed=", ".join(names))
        return float(self.s_mgy_per_mbq_h[self.sources.index(source), self.targets.index(target)].sum())


def decays_in_place(parent: str) -> dict[str, float]:
    """Return the decays of a nuclide and its progeny per decay of the nuclide, if nothing leaves the region.

    Progeny that live more than :data:`LONG_LIVED` times as long as the parent are left out, with what
    they become: their decays are years away (Bi-207 of At-211, Tc-99 of Tc-99m).
    """
    first = nuclide(parent)
    whole = chain(first.name)
    stop = [s.name for s in whole.species if s.half_life_s > LONG_LIVED * first.half_life_s]
    network = chain(first.name, stop=stop)
    cumulated = network.cumulated_mbq_h()
    each = {s.nuclide: float(c) for s, c in zip(network.states, cumulated, strict=True)}
    return {name: value / each[first.name] for name, value in each.items() if value > 0}


def s_values(
    fractions: AbsorbedFractions,
    decays: Mapping[str, float] | str,
    sources: Sequence[str],
    *,
    masses_g: Mapping[str, float] | None = None,
) -> SValues:
    """Return S values for every target of a phantom.

    Parameters
    ----------
    decays
        A nuclide (with its short-lived progeny, see :func:`decays_in_place`), or nuclide -> decays per decay
        of the parent.
    sources
        Source regions; ``remainder`` is all tissue without the others.
    masses_g
        Region -> mass of the person's organ where it is known. The dose of electrons and alpha particles in
        it scales with (reference mass / mass), that of its own photons with the same to the power 2/3 (the
        absorbed fraction grows with the diameter), that of photons from elsewhere not at all.

    Returns
    -------
    SValues

    Raises
    ------
    InputError
        For unknown regions or nuclides, a mass that is not positive, or the whole body beside its parts.
    RangeError
        For photons outside the table's energies.
    """
    if isinstance(decays, str):
        decays = decays_in_place(decays)
    check_sources(fractions, sources)
    if REMAINDER in sources:
        fractions = fractions.with_remainder(sources)
    targets = all_targets(fractions)
    shape = (len(sources), len(targets))
    total, std = np.zeros((*shape, len(QUALITIES))), np.zeros(shape)
    for name, number in decays.items():
        if not (np.isfinite(number) and number >= 0):
            raise InputError(f"{number} decays of {name}", allowed="a finite number, 0 or more")
        item = nuclide(name)
        for s, source in enumerate(sources):
            photon, error = _photons(fractions, item, source, sources)
            total[s, :, 0] += number * photon
            std[s] += number * error  # the same absorbed fractions: fully correlated
            total[s, :, 1] += number * _electrons(fractions, item, source, sources)
            total[s, :, 2] += number * _alphas(fractions, item, source, sources)
    masses = _with_muscle(fractions, fractions.target_mass_g[None])[0]
    scaled = _scaled(
        fractions, total * MGY_PER_MBQ_H, std * MGY_PER_MBQ_H, sources, targets, masses, masses_g or {}
    )
    return SValues(
        phantom=fractions.phantom,
        decays=dict(decays),
        sources=tuple(sources),
        targets=targets,
        s_mgy_per_mbq_h=scaled[0],
        std_mgy_per_mbq_h=scaled[1],
        target_mass_g=scaled[2],
    )


def check_sources(fractions: AbsorbedFractions, sources: Sequence[str]) -> None:
    """Refuse sources that are unknown, or that hold the same activity twice."""
    drawn = [drawn_source(k, fractions.sources, fractions.phantom) for k in sources if k != REMAINDER]
    if TOTAL_BODY in sources and len(sources) > 1:
        raise InputError(
            "the whole body holds the other regions: their activity would count twice",
            where=TOTAL_BODY,
            todo="give what is outside the named regions as 'remainder'",
        )
    if len(set(sources)) < len(sources) or {"muscle", "soft-tissue"} <= set(sources):
        raise InputError("a source region is named twice", where=", ".join(sources), allowed="each once")
    if "skeleton" in drawn and "skeleton" in sources and drawn.count("skeleton") > 1:
        raise InputError("the skeleton holds its cortical and trabecular bone", allowed="one or the others")


def _with_muscle(fractions: AbsorbedFractions, values: ArrayF8) -> ArrayF8:
    """Append the column of muscle, for which soft tissue stands, if the phantom draws none."""
    if len(all_targets(fractions)) == len(fractions.targets):
        return values
    return np.concatenate([values, values[:, [fractions.targets.index("soft-tissue")]]], axis=1)


def _photons(
    fractions: AbsorbedFractions, item: Nuclide, source: str, named: Collection[str]
) -> tuple[ArrayF8, ArrayF8]:
    """Return keV/kg per decay in every target, and its error; the softest photons stay local."""
    lines = [item.gamma_lines, item.x_lines, item.annihilation_lines]
    energy = np.concatenate([part.energy_kev for part in lines])
    number = np.concatenate([part.per_decay for part in lines])
    soft = energy < LOCAL_KEV
    # in marrow they stay; from bone and contents they come 0.05 to 2 mm far, as electrons of this energy do
    slow_kev = 0.0 if source == MARROW else ANY_KEV
    local = charged_saf_per_kg(fractions, source, energy_kev=slow_kev, named=named)
    value = float(energy[soft] @ number[soft]) * local
    if soft.all():
        return value, np.zeros_like(value)
    weight = energy[~soft] * number[~soft]
    drawn = source if source == REMAINDER else drawn_source(source, fractions.sources, fractions.phantom)
    saf, rel = (_with_muscle(fractions, part) for part in fractions.at(drawn, energy[~soft]))
    return value + weight @ saf, weight @ (saf * rel)


def _electrons(fractions: AbsorbedFractions, item: Nuclide, source: str, named: Collection[str]) -> ArrayF8:
    """Return keV/kg per decay of betas, positrons, Auger and conversion electrons."""
    energy = np.concatenate(
        [item.electron_lines.energy_kev, item.beta_spectrum.middle_kev, item.positron_spectrum.middle_kev]
    )
    number = np.concatenate(
        [item.electron_lines.per_decay, item.beta_spectrum.per_decay, item.positron_spectrum.per_decay]
    )
    return _by_energy(fractions, energy, energy * number, source, named, ELECTRON)


def _alphas(fractions: AbsorbedFractions, item: Nuclide, source: str, named: Collection[str]) -> ArrayF8:
    """Return keV/kg per decay of alpha particles, and of the recoil nuclei that go with them."""
    energy = np.concatenate([item.alpha_lines.energy_kev, item.recoil_lines.energy_kev])
    number = np.concatenate([item.alpha_lines.per_decay, item.recoil_lines.per_decay])
    return _by_energy(fractions, energy, energy * number, source, named, ALPHA)


def _by_energy(
    fractions: AbsorbedFractions,
    energy_kev: ArrayF8,
    carried_kev: ArrayF8,
    source: str,
    named: Collection[str],
    particle: str,
) -> ArrayF8:
    """Return keV/kg per decay of particles of many energies, taken together where shares change little."""
    edges = EDGES_KEV if by_energy(fractions, source) else (ANY_KEV,)
    group = np.searchsorted(edges, energy_kev, side="right")
    out = np.zeros(len(all_targets(fractions)))
    for g in np.unique(group):
        total_kev = float(carried_kev[group == g].sum())
        if total_kev > 0:
            mean_kev = float(energy_kev[group == g] @ carried_kev[group == g]) / total_kev
            out += total_kev * charged_saf_per_kg(
                fractions, source, particle=particle, energy_kev=mean_kev, named=named
            )
    return out


def _scaled(
    fractions: AbsorbedFractions,
    value: ArrayF8,
    std: ArrayF8,
    sources: Sequence[str],
    targets: Sequence[str],
    target_mass_g: ArrayF8,
    masses_g: Mapping[str, float],
) -> tuple[ArrayF8, ArrayF8, ArrayF8]:
    """Scale to a person's masses."""
    value, std, mass = value.copy(), std.copy(), target_mass_g.copy()
    for key, mass_g in masses_g.items():
        if not (np.isfinite(mass_g) and mass_g > 0):
            raise InputError(f"a mass of {mass_g} g", where=key, allowed="more than 0 g")
        drawn = drawn_source(key, fractions.sources, fractions.phantom)
        ratio = 1000 * self_mass_kg(fractions, drawn) / mass_g
        if key in targets:
            mass[targets.index(key)] = mass_g
        others = np.arange(len(targets)) != targets.index(TOTAL_BODY)
        for s, source in enumerate(sources):
            if source != key and (source, key) != ("kidneys-urine", "kidneys"):
                continue
            value[s][others, 1:] *= ratio
            if key in targets:
                t = targets.index(key)
                value[s, t, 0] *= ratio ** (2 / 3)
                std[s, t] *= ratio ** (2 / 3)
    return value, std, mass


__all__ = ["QUALITIES", "SValues", "check_sources", "decays_in_place", "s_values"]
