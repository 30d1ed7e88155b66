"""Radionuclides: half-life, progeny, and everything that one decay sends out.

Data: UKAEA decay_2012 (table ``nuclides``), with the half-lives and isomers of ``nuclides_pinned``. Every
number is per decay of the named nuclide alone: what its progeny sends out, isomers of seconds included
(Y-89m of Zr-89), belongs to the progeny and is never counted here again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal, cast, get_args

import numpy as np

from omnidose.data import load
from omnidose.errors import InputError
from omnidose.physics.beta import BetaBranch
from omnidose.physics.nuclides_icrp107 import has, load_icrp107
from omnidose.physics.nuclides_names import ELEMENTS, parse, standard_name
from omnidose.physics.nuclides_spectra import ArrayF8, Continuum, Lines, continuum

#: Mass number of the alpha particle: shares momentum with the rest of the nucleus.
_ALPHA_A = 4
Library = Literal["decay2012", "icrp107"]

#: Kinds of radiation of :attr:`Nuclide.energy_per_decay_kev`, in that order.
RADIATION_TYPES = ("gamma", "x", "annihilation", "beta-", "beta+", "electron", "alpha", "recoil")


@dataclass(frozen=True, slots=True, kw_only=True)
class Daughter:
    """One way down: daughter, share of decays, mode (``beta-``, ``ec`` with beta+, ``alpha``, ``it``)."""

    name: str
    branching_fraction: float
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nuclide:
    """A radionuclide and the radiation of one of its decays.

    Attributes
    ----------
    name, z, a, isomer
        ``Tc-99m``, 43, 99, ``m`` (empty for a ground state).
    progeny
        Daughters; their branchings sum to 1.
    gamma_lines, x_lines
        Photons of the nucleus and of the shells, without those of annihilation.
    annihilation_lines
        Photons of 511 keV: twice the positrons.
    electron_lines
        Auger and conversion electrons.
    beta_branches, positron_branches
        End points and numbers per decay of the transitions.
    beta_spectrum, positron_spectrum
        Continua, with the evaluated mean energies.
    alpha_lines
        Alpha particles: their own energies. ``recoil_lines`` are the daughters that they push away.
    """

    name: str
    z: int
    a: int
    isomer: str
    half_life_s: float
    progeny: tuple[Daughter, ...]
    gamma_lines: Lines
    x_lines: Lines
    annihilation_lines: Lines
    electron_lines: Lines
    beta_branches: Lines
    positron_branches: Lines
    beta_spectrum: Continuum
    positron_spectrum: Continuum
    alpha_lines: Lines

    @property
    def element(self) -> str:
        """English name of the element."""
        return ELEMENTS[self.z - 1]

    @property
    def decay_constant_per_s(self) -> float:
        """Decays per second of one atom."""
        return math.log(2) / self.half_life_s

    @property
    def half_life_h(self) -> float:
        """Half-life in hours."""
        return self.half_life_s / 3600

    @property
    def photon_lines(self) -> Lines:
        """Gamma and x together by energy, without annihilation photons (see ``positron_spectrum``)."""
        return _merged(self.gamma_lines, self.x_lines)

    @property
    def recoil_lines(self) -> Lines:
        """Recoil nuclei of the alpha lines: E x 4 / (A - 4), from equal and opposite momenta."""
        return Lines(
            energy_kev=self.alpha_lines.energy_kev * _ALPHA_A / (self.a - _ALPHA_A),
            per_decay=self.alpha_lines.per_decay,
        )

    @property
    def energy_per_decay_kev(self) -> dict[str, float]:
        """Energy by radiation type (:data:`RADIATION_TYPES`); neutrinos are not counted."""
        parts: tuple[Lines | Continuum, ...] = (
            self.gamma_lines,
            self.x_lines,
            self.annihilation_lines,
            self.beta_spectrum,
            self.positron_spectrum,
            self.electron_lines,
            self.alpha_lines,
            self.recoil_lines,
        )
        return {kind: part.energy_per_decay_kev for kind, part in zip(RADIATION_TYPES, parts, strict=True)}

    @property
    def electron_energy_per_decay_kev(self) -> float:
        """Energy of all electrons and positrons: betas, Auger, conversion."""
        energy = self.energy_per_decay_kev
        return energy["beta-"] + energy["beta+"] + energy["electron"]

    @property
    def photon_energy_per_decay_kev(self) -> float:
        """Energy of all photons, annihilation included."""
        energy = self.energy_per_decay_kev
        return energy["gamma"] + energy["x"] + energy["annihilation"]


def nuclide(name: str, library: Library = "decay2012") -> Nuclide:
    """Return a radionuclide by any of its names: ``Lu-177``, ``177Lu``, ``Tc-99m``, ``lutetium-177``.

    Parameters
    ----------
    library
        ``decay2012``: bundled. ``icrp107``: all of ICRP 107, from packages that a user installs
        (:mod:`omnidose.physics.nuclides_icrp107`); it lists no end points of betas.

    Raises
    ------
    InputError
        If the text is no name of a nuclide, or the library has no such nuclide; near ones are named.
    DependencyError
        If the packages of ICRP 107 are wanted and not there.
    """
    z, a, isomer = parse(name)
    wanted = standard_name(z, a, isomer)
    if is_radioactive(wanted, library) and library == "icrp107":
        return load_icrp107(wanted)
    names = nuclide_names()
    if wanted in names and library == "decay2012":
        return _load(names.index(wanted))
    same = [n for n in names if parse(n)[0] == z]
    near = same or sorted(names, key=lambda n: (abs(parse(n)[0] - z), abs(parse(n)[1] - a)))[:4]
    raise InputError(
        f"the library {library} has no radionuclide '{wanted}'",
        where=name if name != wanted else "",
        allowed=f"near ones: {', '.join(near)}",
        todo="`omnidose nuclide` lists all",
    )


def nuclide_names() -> tuple[str, ...]:
    """Return the standard names of all radionuclides of the library."""
    return tuple(load("nuclides")["name"].tolist())


def is_radioactive(name: str, library: Library = "decay2012") -> bool:
    """Whether a library has a nuclide of this (standard) name; ends of chains are stable or not in it.

    Raises
    ------
    InputError
        If there is no such library.
    """
    return has(name) if as_library(library) == "icrp107" else name in nuclide_names()


def as_library(text: str) -> Library:
    """Return the library of this name.

    Raises
    ------
    InputError
        If there is none.
    """
    for known in get_args(Library):
        if text == known:
            return cast(Library, known)
    raise InputError(f"there is no library '{text}'", allowed=", ".join(get_args(Library)))


def _merged(*parts: Lines) -> Lines:
    energy = np.concatenate([part.energy_kev for part in parts])
    order = np.argsort(energy, kind="stable")
    number = np.concatenate([part.per_decay for part in parts])
    return Lines(energy_kev=energy[order], per_decay=number[order])


@cache
def _load(row: int) -> Nuclide:
    table = load("nuclides")
    z, a = int(table["z"][row]), int(table["a"][row])
    daughters = np.nonzero(table["progeny_of"] == row)[0]
    progeny = tuple(
        Daughter(
            name=str(table["progeny_name"][i]),
            branching_fraction=float(table["progeny_branching"][i]),
            mode=str(table["progeny_mode"][i]),
        )
        for i in daughters
    )
    share = {m: sum(d.branching_fraction for d in progeny if d.mode == m) for m in ("beta-", "alpha")}
    return Nuclide(
        name=str(table["name"][row]),
        z=z,
        a=a,
        isomer=str(table["isomer"][row]),
        half_life_s=float(table["half_life_s"][row]),
        progeny=progeny,
        gamma_lines=_lines("gamma", row),
        x_lines=_lines("x", row),
        annihilation_lines=_annihilation(row),
        electron_lines=_lines("electron", row),
        beta_branches=_lines("beta_minus", row, share["beta-"]),
        positron_branches=_lines("positron", row),
        beta_spectrum=_continuum("beta_minus", row, z + 1, a, share["beta-"]),
        positron_spectrum=_continuum("positron", row, z - 1, a, 0.0),
        alpha_lines=_lines("alpha", row, share["alpha"]),
    )


def _lines(kind: str, row: int, total: float = 0.0) -> Lines:
    """Return the lines of a kind; ``total`` > 0: scaled to this number (a decay has one alpha, not 1.008)."""
    table = load("nuclides")
    used = table[f"{kind}_of"] == row
    energy = table[f"{kind}_kev"][used].astype(np.float64)
    number = table[f"{kind}_per_decay"][used].astype(np.float64)
    if total > 0:
        number *= total / number.sum()
    _read_only(energy, number)
    return Lines(energy_kev=energy, per_decay=number)


def _annihilation(row: int) -> Lines:
    from omnidose.physics.electron_stopping import MC2_KEV

    photons = float(load("nuclides")["annihilation_per_decay"][row])
    if photons == 0:
        return Lines()
    return Lines(energy_kev=np.array([MC2_KEV]), per_decay=np.array([photons]))


def _continuum(kind: str, row: int, daughter_z: int, a: int, total: float) -> Continuum:
    """Return betas or positrons; ``total`` > 0: scaled to this number per decay."""
    table = load("nuclides")
    used = table[f"{kind}_of"] == row
    if not used.any():
        return Continuum()
    number = table[f"{kind}_per_decay"][used].astype(np.float64)
    if total > 0:
        number *= total / number.sum()
    branches = [
        BetaBranch(
            endpoint_kev=float(e),
            intensity_rel=min(float(n), 1.0),
            shape="unique first" if unique else "allowed",
        )
        for e, n, unique in zip(
            table[f"{kind}_kev"][used], number, table[f"{kind}_unique"][used], strict=True
        )
    ]
    spectrum = continuum(
        branches,
        daughter_z=daughter_z,
        mass_number=a,
        mean_kev=float(table[f"{kind}_mean_kev"][row]),
        positron=kind == "positron",
    )
    _read_only(spectrum.edges_kev, spectrum.per_decay)
    return spectrum


def _read_only(*arrays: ArrayF8) -> None:
    for array in arrays:  # records are shared: nobody may change them
        array.setflags(write=False)
