"""Decay chains in regions: how much of each nuclide is where, when, and how many decays that makes.

A state is a nuclide in a region. It loses atoms by decay and, where a biological half-life is given, by
removal; a decay leaves the daughter in its region unless a :class:`Move` sends it elsewhere or out. Atoms of
later generations never come back to earlier ones, so the equations are solved state by state, exactly
(:mod:`omnidose.physics.decay_exponential`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.physics.decay_exponential import exponential
from omnidose.physics.nuclides import Daughter, Library, is_radioactive, nuclide
from omnidose.physics.nuclides_names import standard

ArrayF8 = npt.NDArray[np.float64]

#: The region of a chain for which none is named.
WHOLE = "whole"
_S_PER_H = 3600.0
_PER_S_PER_MBQ = 1e6
#: Printed shares of decays are rounded: together they may be above 1 by this (ICRP 107: Tb-151 by 9.5e-5).
_PRINTED = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class State:
    """A nuclide in a region."""

    nuclide: str
    region: str = WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """Biological removal from a region, out of the network.

    Attributes
    ----------
    nuclide
        Standard name (``Bi-213``), or ``*`` for every nuclide of the chain that is not named itself.
    """

    nuclide: str
    region: str
    half_life_h: float

    def __post_init__(self) -> None:
        if not 0 < self.half_life_h < math.inf:
            raise InputError(
                f"a biological half-life of {self.half_life_h:g} h of {self.nuclide} in {self.region}",
                allowed="a finite time above 0; leave the removal out if nothing is removed",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Where a daughter goes when its parent decays in a region; without a move it stays there.

    Attributes
    ----------
    daughter
        Standard name, or ``*`` for every daughter that is not named itself.
    region
        Where the parent decays.
    shares
        Region -> share of the daughters, at most 1 together; the rest leaves the network.
    """

    daughter: str
    region: str
    shares: Mapping[str, float]

    def __post_init__(self) -> None:
        total = math.fsum(self.shares.values())
        if any(not 0 <= share <= 1 for share in self.shares.values()) or total > 1 + 1e-12:
            raise InputError(
                f"shares {dict(self.shares)} of {self.daughter} out of {self.region}",
                allowed="each from 0 to 1, at most 1 together",
            )
        object.__setattr__(self, "shares", MappingProxyType(dict(self.shares)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Species:
    """Half-life and progeny of a nuclide of a network: our library's, or what a comparison prescribes."""

    name: str
    half_life_s: float
    progeny: tuple[Daughter, ...] = ()

    def __post_init__(self) -> None:
        if not self.half_life_s > 0:
            raise InputError(f"a half-life of {self.half_life_s:g} s of {self.name}", allowed="above 0")
        shares = [daughter.branching_fraction for daughter in self.progeny]
        if not (all(share >= 0 for share in shares) and math.fsum(shares) <= 1 + _PRINTED):
            raise InputError(
                f"{self.name} decays to its daughters in shares of {', '.join(f'{x:g}' for x in shares)}",
                allowed="each 0 or more, at most 1 together",
            )


Start = Mapping[State, float] | Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class DecayNetwork:
    """States and the rates between them.

    Attributes
    ----------
    species
        Nuclides of the network, parents before their daughters. A daughter that is not among them is an end:
        its atoms are not followed.
    regions
        Names of the regions; every nuclide has a state in each.
    removals, moves
        What happens besides decay.
    """

    species: tuple[Species, ...]
    regions: tuple[str, ...] = (WHOLE,)
    removals: tuple[Removal, ...] = ()
    moves: tuple[Move, ...] = ()
    states: tuple[State, ...] = field(init=False)

    def __post_init__(self) -> None:
        order = [item.name for item in self.species]
        if not order or len(set(order)) < len(order) or len(set(self.regions)) < len(self.regions):
            raise InputError(
                f"a network of nuclides {', '.join(order)} in regions {', '.join(self.regions)}",
                allowed="at least one of each, none twice",
            )
        if not self.regions:
            raise InputError("a network without a region", allowed="at least one")
        for place, item in enumerate(self.species):
            for daughter in item.progeny:
                if daughter.name in order[: place + 1]:
                    raise InputError(
                        f"{daughter.name} stands before its parent {item.name}", allowed="parents first"
                    )
        self._check_names(order)
        states = (State(nuclide=name, region=region) for name in order for region in self.regions)
        object.__setattr__(self, "states", tuple(states))

    def _check_names(self, order: Sequence[str]) -> None:
        ends = {daughter.name for item in self.species for daughter in item.progeny}
        keys = [(r.nuclide, r.region) for r in self.removals]
        moved = [(m.daughter, m.region) for m in self.moves]
        if len(set(keys)) < len(keys) or len(set(moved)) < len(moved):
            raise InputError(
                "two removals or two moves of the same nuclide in the same region", allowed="one each"
            )
        for name, region in [*keys, *moved]:
            if name != "*" and name not in order and name not in ends:
                raise InputError(f"{name} is not in this network", allowed=", ".join(["*", *order]))
            self._check_region(region)
        for move in self.moves:
            for region in move.shares:
                self._check_region(region)

    def _check_region(self, region: str) -> None:
        if region not in self.regions:
            raise InputError(f"there is no region '{region}'", allowed=", ".join(self.regions))

    @cached_property
    def decay_per_s(self) -> ArrayF8:
        """[states] decays per second of one atom."""
        each = [math.log(2) / item.half_life_s for item in self.species]
        return np.repeat(np.array(each), len(self.regions))

    @cached_property
    def loss_per_s(self) -> ArrayF8:
        """[states] decays and removals per second of one atom."""
        out = self.decay_per_s.copy()
        removals = {(r.nuclide, r.region): math.log(2) / (r.half_life_h * _S_PER_H) for r in self.removals}
        for i, state in enumerate(self.states):
            key = (state.nuclide, state.region)
            out[i] += removals.get(key, removals.get(("*", state.region), 0.0))
        return out

    @cached_property
    def gain_per_s(self) -> ArrayF8:
        """[states, states]: [i, j] is what one atom of state j sends to i per second; below the diagonal."""
        place = {state: i for i, state in enumerate(self.states)}
        moves = {(m.daughter, m.region): m.shares for m in self.moves}
        out = np.zeros((len(self.states), len(self.states)))
        for item in self.species:
            rate = math.log(2) / item.half_life_s
            for daughter in item.progeny:
                for region in self.regions:
                    shares = moves.get((daughter.name, region), moves.get(("*", region), {region: 1.0}))
                    source = place[State(nuclide=item.name, region=region)]
                    for to, share in shares.items():
                        target = place.get(State(nuclide=daughter.name, region=to))
                        if target is not None:
                            out[target, source] += rate * daughter.branching_fraction * share
        return out

    def atoms(
        self, t_h: npt.ArrayLike, start_mbq: Start | None = None, produced_per_s: Start | None = None
    ) -> ArrayF8:
        """Return atoms of every state at every time.

        Parameters
        ----------
        t_h
            Times after the start, finite and >= 0, any shape.
        start_mbq
            Activity at 0 by state, or by nuclide in the first region. Default: 1 MBq of the first nuclide.
        produced_per_s
            Atoms made per second from 0 on (a generator's parent that lives for ever, a beam).

        Returns
        -------
        ndarray
            [times..., states] in the order of :attr:`states`.
        """
        start, made = self._start_atoms(start_mbq, produced_per_s), self._vector(produced_per_s)
        times = _times(t_h)
        loss, gain = self._with_source(made)
        first = np.append(start, 1.0)
        rows = [(exponential(loss, gain, t) @ first)[:-1] for t in times.ravel() * _S_PER_H]
        return np.array(rows).reshape(*times.shape, start.size)

    def activity_mbq(
        self, t_h: npt.ArrayLike, start_mbq: Start | None = None, produced_per_s: Start | None = None
    ) -> ArrayF8:
        """Return the activity of every state at every time, [times..., states]; see :meth:`atoms`."""
        return np.asarray(self.atoms(t_h, start_mbq, produced_per_s) * self.decay_per_s / _PER_S_PER_MBQ)

    def cumulated_mbq_h(
        self, to_h: float = math.inf, start_mbq: Start | None = None, produced_per_s: Start | None = None
    ) -> ArrayF8:
        """Return the time-integrated activity of every state from 0 to ``to_h``, [states].

        Raises
        ------
        InputError
            For an endless production without an end of the integral.
        """
        start, made = self._start_atoms(start_mbq, produced_per_s), self._vector(produced_per_s)
        if math.isinf(to_h) and to_h > 0:
            if made.any():
                raise InputError(
                    "the time integral of a production that never ends", where="to_h", allowed="a finite time"
                )
            atoms_s = self._endless(start)
        else:
            atoms_s = self._integral(start, made, float(_times(to_h)) * _S_PER_H)
        return np.asarray(atoms_s * self.decay_per_s / _PER_S_PER_MBQ / _S_PER_H)

    def index(self, nuclide_name: str, region: str | None = None) -> int:
        """Return the place of a state; without a region that of the first one."""
        return self._place(State(nuclide=standard(nuclide_name), region=region or self.regions[0]))

    def _place(self, wanted: State) -> int:
        try:
            return self.states.index(wanted)
        except ValueError:
            raise InputError(
                f"{wanted.nuclide} in {wanted.region} is not in this network",
                allowed=", ".join(f"{s.nuclide} in {s.region}" for s in self.states),
            ) from None

    def _endless(self, start: ArrayF8) -> ArrayF8:
        """Solve A x = -start from the top: sums of products >= 0, nothing cancels."""
        gain, loss = self.gain_per_s, self.loss_per_s
        out = np.zeros_like(start)
        for i in range(start.size):
            gained = start[i] + gain[i, :i] @ out[:i]
            out[i] = gained / loss[i] if loss[i] > 0 else 0.0  # stable: no decays, however many atoms
        return out

    def _integral(self, start: ArrayF8, made: ArrayF8, time_s: float) -> ArrayF8:
        """Integrate atoms over time: one more state for each, which collects them and loses nothing."""
        loss, gain = self._with_source(made)
        size = loss.size
        wide = np.zeros((2 * size, 2 * size))
        wide[:size, :size] = gain
        wide[size:, :size] = np.eye(size)
        collected = exponential(np.append(loss, np.zeros(size)), wide, time_s)[size:, :size]
        return np.asarray((collected @ np.append(start, 1.0))[:-1])

    def _with_source(self, made: ArrayF8) -> tuple[ArrayF8, ArrayF8]:
        """Return losses and gains with one more state, never empty, that makes what is produced."""
        size = made.size
        gain = np.zeros((size + 1, size + 1))
        gain[:size, :size] = self.gain_per_s
        gain[:size, size] = made
        return np.append(self.loss_per_s, 0.0), gain

    def _start_atoms(self, start_mbq: Start | None, produced: Start | None) -> ArrayF8:
        if start_mbq is None:
            start_mbq = {} if produced else {self.states[0]: 1.0}
        activity = self._vector(start_mbq) * _PER_S_PER_MBQ
        if np.any(activity[self.decay_per_s == 0] > 0):
            raise InputError("an activity of a stable nuclide", where="start_mbq", allowed="radioactive ones")
        return np.divide(activity, self.decay_per_s, out=np.zeros_like(activity), where=activity > 0)

    def _vector(self, given: Start | None) -> ArrayF8:
        out = np.zeros(len(self.states))
        for key, value in (given or {}).items():
            if not 0 <= value < math.inf:
                raise InputError(f"{value:g} of {key}", allowed="a finite number >= 0")
            place = self._place(key) if isinstance(key, State) else self.index(key)
            out[place] += value
        return out


def _times(t_h: npt.ArrayLike) -> ArrayF8:
    times = np.asarray(t_h, dtype=np.float64)
    if not np.all(np.isfinite(times) & (times >= 0)):
        raise InputError("a time that is negative or no number", where="t_h", allowed="finite hours >= 0")
    return times


def chain(
    parent: str,
    *,
    regions: Sequence[str] = (WHOLE,),
    removals: Iterable[Removal] = (),
    moves: Iterable[Move] = (),
    stop: Collection[str] = (),
    library: Library = "decay2012",
) -> DecayNetwork:
    """Return the network of a nuclide and everything that it becomes.

    Parameters
    ----------
    regions, removals, moves
        See :class:`DecayNetwork`; one region and decay alone by default. Nuclides by any of their names.
    stop
        Nuclides that are not followed (``["Bi-207"]`` for At-211, ``["Tc-99"]``), nor what they become.
    library
        See :func:`omnidose.physics.nuclides.nuclide`.

    Notes
    -----
    Ends are stable nuclides. The bundled library also ends at Rn-217 (1.2e-4 of At-217's decays) and At-215
    (4e-6 of Po-215's), which it does not hold.

    Raises
    ------
    InputError
        If the library has no such nuclide, or names and regions do not fit.
    """
    left_out = {standard(name) for name in stop}
    found: dict[str, Species] = {}
    _collect(nuclide(parent, library).name, left_out, library, found)
    return DecayNetwork(
        species=tuple(reversed(found.values())),
        regions=tuple(regions),
        removals=tuple(replace(r, nuclide=_spelt(r.nuclide)) for r in removals),
        moves=tuple(replace(m, daughter=_spelt(m.daughter)) for m in moves),
    )


def _spelt(name: str) -> str:
    return name if name == "*" else standard(name)


def _collect(name: str, left_out: Collection[str], library: Library, found: dict[str, Species]) -> None:
    """Depth first, daughters before their parent: reversed, every parent stands before its daughters."""
    if name in found or name in left_out or not is_radioactive(name, library):
        return
    item = nuclide(name, library)
    for daughter in reversed(item.progeny):
        _collect(daughter.name, left_out, library, found)
    found[name] = Species(name=name, half_life_s=item.half_life_s, progeny=item.progeny)
