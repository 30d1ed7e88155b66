"""Progeny beside their parent: which decay with it, and how much of the energy comes later or elsewhere.

A dose per decay of a nuclide is whole only with the daughters that decay where and when it does. Those that
come later may have moved; a caller counts them on purpose or says that they are missing, never in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from omnidose.physics.decay import chain
from omnidose.physics.nuclides import Library, Nuclide, is_radioactive, nuclide

#: Progeny decays *when* its parent does if its half-life is not above this share of the parent's,
PROMPT_REL = 0.01
#: and *where* its parent does if it is not above so many hours: blood is cleared in hours (our choice).
PROMPT_H = 2.0
#: Later decays count up to one year, or ten half-lives of a parent that lives longer.
HORIZON_H = 8766.0
HORIZON_HALF_LIVES = 10.0
#: Share of the energy below which late progeny may be left out.
NOTABLE_FRACTION = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class LateProgeny:
    """Daughters that do not decay with their parent.

    Attributes
    ----------
    decays
        Nuclide -> decays per decay of the parent within the horizon, if nothing leaves.
    local_fraction, photon_fraction
        Their electrons, alpha particles and recoils over those of the parent and its prompt progeny, and
        their photons over all the energy of the latter.
    """

    parent: str
    decays: tuple[tuple[str, float], ...]
    local_fraction: float
    photon_fraction: float

    @property
    def notable(self) -> bool:
        """Whether a dose without them lacks more than :data:`NOTABLE_FRACTION`."""
        return max(self.local_fraction, self.photon_fraction) > NOTABLE_FRACTION

    @property
    def sentence(self) -> str:
        """Who they are and what a dose without them lacks."""
        names = ", ".join(name for name, _number in self.decays)
        return (
            f"the progeny of {self.parent} decays later and maybe elsewhere ({names}): if it stays, it adds "
            f"{self.local_fraction:.2g} times the energy of electrons and alpha particles, and as photons "
            f"{self.photon_fraction:.2g} times all energy"
        )


def local_kev(emitter: Nuclide) -> float:
    """Return the energy per decay of what has a short range: electrons, positrons, alphas and recoils."""
    energy = emitter.energy_per_decay_kev
    return emitter.electron_energy_per_decay_kev + energy["alpha"] + energy["recoil"]


def alpha_kev(emitter: Nuclide) -> float:
    """Return the energy per decay of alpha particles and recoils."""
    energy = emitter.energy_per_decay_kev
    return energy["alpha"] + energy["recoil"]


def prompt_progeny(parent: Nuclide | str, library: Library = "decay2012") -> dict[str, float]:
    """Return decays per parent decay of daughters that decay with it: Y-89m of Zr-89, none of F-18.

    Parameters
    ----------
    library
        Of the progeny, and of the parent if it is a name (:func:`omnidose.physics.nuclides.nuclide`). One
        library for both: ICRP 107 has folded into Zr-89 what decay_2012 gives to Y-89m.

    Raises
    ------
    InputError
        For an unknown nuclide.
    """
    first = nuclide(parent, library) if isinstance(parent, str) else parent
    longest_h = min(PROMPT_REL * first.half_life_h, PROMPT_H)
    found: dict[str, float] = {}
    waiting = [(first, 1.0)]
    while waiting:
        current, share = waiting.pop()
        for daughter in current.progeny:
            if not is_radioactive(daughter.name, library):
                continue
            item = nuclide(daughter.name, library)
            if item.half_life_h <= longest_h:
                number = share * daughter.branching_fraction
                found[item.name] = found.get(item.name, 0.0) + number
                waiting.append((item, number))
    return found


def together(parent: Nuclide | str, library: Library = "decay2012") -> tuple[tuple[Nuclide, float], ...]:
    """Return a nuclide and its prompt progeny, each with its decays per decay of the nuclide."""
    first = nuclide(parent, library) if isinstance(parent, str) else parent
    progeny = prompt_progeny(first, library).items()
    return ((first, 1.0), *((nuclide(name, library), number) for name, number in progeny))


@cache
def late_progeny(parent: str, library: Library = "decay2012") -> LateProgeny:
    """Return the daughters that do not decay with their parent, and what they carry.

    Raises
    ------
    InputError
        For an unknown nuclide.
    """
    first = nuclide(parent, library)
    prompt = prompt_progeny(first, library)
    network = chain(first.name, library=library)
    cumulated = network.cumulated_mbq_h(max(HORIZON_H, HORIZON_HALF_LIVES * first.half_life_h))
    own = float(cumulated[network.index(first.name)])
    # a daughter may be reached through prompt and through late ones: what is prompt of it is taken off
    late = {
        state.nuclide: float(value) / own - prompt.get(state.nuclide, 0.0)
        for state, value in zip(network.states, cumulated, strict=True)
        if state.nuclide != first.name
    }
    decays = tuple((name, number) for name, number in late.items() if number > 1e-9)
    members = together(first, library)
    local = sum(number * local_kev(item) for item, number in members)
    photons = sum(number * item.photon_energy_per_decay_kev for item, number in members)
    progeny = [(nuclide(name, library), number) for name, number in decays]
    late_local = sum(number * local_kev(item) for item, number in progeny)
    late_photons = sum(number * item.photon_energy_per_decay_kev for item, number in progeny)
    return LateProgeny(
        parent=first.name,
        decays=decays,
        local_fraction=_ratio(late_local, local),
        photon_fraction=_ratio(late_photons, local + photons),
    )


def _ratio(part_kev: float, whole_kev: float) -> float:
    if whole_kev > 0:
        return part_kev / whole_kev
    return float("inf") if part_kev > 0 else 0.0
