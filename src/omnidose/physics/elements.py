"""Photon data of single elements: what the packaged table ``photons`` says, nothing computed.

Source: NIST XCOM for partial cross sections, xraylib for form factors, scattering functions, shells
and fluorescence; see ``data/tables/photons.toml`` and ``data-sources/photons.py``.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache

import numpy as np
import numpy.typing as npt

from omnidose.data import load
from omnidose.errors import RangeError

ArrayF8 = npt.NDArray[np.float64]

ENERGY_MIN_KEV = 1.0
ENERGY_MAX_KEV = 20_000.0
#: Thresholds of pair production as XCOM has them: in the field of the nucleus, of an electron.
PAIR_NUCLEAR_KEV = 1022.007
PAIR_ELECTRON_KEV = 2044.014
#: Avogadro's number times 1e-24: barn per atom to cm2/g, divided by the atomic weight (XCOM's value).
BARN_CM2_G = 0.60221367
#: Shells whose vacancies are followed, in the order of every shell axis.
SHELLS = ("K", "L1", "L2", "L3")


class Process(StrEnum):
    """What a photon can do."""

    COHERENT = "coherent"
    INCOHERENT = "incoherent"
    PHOTOELECTRIC = "photoelectric"
    PAIR_NUCLEAR = "pair_nuclear"
    PAIR_ELECTRON = "pair_electron"


def check_energy(energy_kev: npt.ArrayLike) -> ArrayF8:
    """Return the energies as float64.

    Raises
    ------
    RangeError
        If one is outside 1 keV to 20 MeV (NaN included).
    """
    energy = np.asarray(energy_kev, dtype=np.float64)
    if not np.all((energy >= ENERGY_MIN_KEV) & (energy <= ENERGY_MAX_KEV)):
        raise RangeError(
            "a photon energy is outside the packaged cross sections",
            where=f"energies from {np.min(energy):.6g} to {np.max(energy):.6g} keV",
            allowed=f"{ENERGY_MIN_KEV:g} to {ENERGY_MAX_KEV:g} keV",
        )
    return energy


def check_element(z: int) -> int:
    """Return ``z`` if it is an element of the table.

    Raises
    ------
    RangeError
        If it is not 1 to 98.
    """
    if not 1 <= z <= 98:
        raise RangeError(f"there are no photon data for Z = {z}", allowed="Z from 1 to 98")
    return int(z)


@cache
def _rows(z: int) -> dict[str, ArrayF8]:
    table = load("photons")
    low, high = table["offset"][check_element(z) - 1 : z + 1]
    rows = {name: table[name][low:high].astype(np.float64) for name in _COLUMNS.values()}
    rows["energy"] = np.asarray(table["energy_kev"][low:high])
    rows["ln_energy"] = np.log(rows["energy"])
    for process in (Process.COHERENT, Process.INCOHERENT, Process.PHOTOELECTRIC):
        rows[_COLUMNS[process]] = np.log(rows[_COLUMNS[process]])
    return rows


_COLUMNS = {
    Process.COHERENT: "coherent_b",
    Process.INCOHERENT: "incoherent_b",
    Process.PHOTOELECTRIC: "photoelectric_b",
    Process.PAIR_NUCLEAR: "pair_nuclear_reduced_b",
    Process.PAIR_ELECTRON: "pair_electron_reduced_b",
}
_THRESHOLDS = {Process.PAIR_NUCLEAR: PAIR_NUCLEAR_KEV, Process.PAIR_ELECTRON: PAIR_ELECTRON_KEV}


def atomic_weight(z: int) -> float:
    """Return the atomic weight (g/mol) that XCOM uses for element ``z``."""
    return float(load("photons")["atomic_weight"][check_element(z) - 1])


def cross_section_cm2_g(z: int, energy_kev: npt.ArrayLike, process: Process) -> ArrayF8:
    """Partial mass attenuation coefficient of an element, cm2/g, shape of ``energy_kev``.

    Straight ln-ln lines on the table's dense grid (2.5 % steps); at an edge itself the value is the
    upper one. Pair is interpolated as its ratio to (1 - E0/E)^3.

    Raises
    ------
    RangeError
        For an energy outside 1 keV to 20 MeV or an unknown element.
    """
    energy = check_energy(energy_kev)
    rows = _rows(z)
    # found by energy, not by its logarithm, so that both sides of an edge are told apart to the last bit
    i = np.clip(np.searchsorted(rows["energy"], energy, side="right") - 1, 0, rows["energy"].size - 2)
    ln_low, ln_high = rows["ln_energy"][i], rows["ln_energy"][i + 1]
    share = (np.log(energy) - ln_low) / (ln_high - ln_low)
    y = rows[_COLUMNS[process]]
    values = (1 - share) * y[i] + share * y[i + 1]
    if process in _THRESHOLDS:
        values = values * np.maximum(1 - _THRESHOLDS[process] / energy, 0.0) ** 3
    else:
        values = np.exp(values)
    return np.asarray(values * (BARN_CM2_G / atomic_weight(z)))


def edges_kev(z: int) -> dict[str, float]:
    """Return shell name -> edge energy of the edges at 1 keV or above, as XCOM has them."""
    table = load("photons")
    low, high = table["edge_offset"][check_element(z) - 1 : z + 1]
    names = table["edge_shell"][low:high]
    return {str(name): float(edge) for name, edge in zip(names, table["edge_kev"][low:high], strict=True)}


def shell_edges_kev(z: int) -> ArrayF8:
    """Return [4] edge energies of K, L1, L2, L3 (0 where the atom has no such shell)."""
    return np.asarray(load("photons")["shell_edge_kev"][check_element(z) - 1])


def vacancy_probabilities(z: int, energy_kev: npt.ArrayLike) -> ArrayF8:
    """Return [4, n]: probability that a photoelectric event at each energy empties K, L1, L2, L3.

    Source: at the edge from XCOM's jump, elsewhere ratios of Kissel's partial cross sections
    (xraylib), held constant above about 200 keV where these end.
    """
    energy = np.ravel(check_energy(energy_kev))
    table = load("photons")
    edges = shell_edges_kev(z)
    rest = np.ones_like(energy)
    out = np.zeros((4, energy.size))
    for i, edge in enumerate(edges):
        if edge <= 0:
            continue
        ln_ratio = np.log(energy / max(edge, ENERGY_MIN_KEV))
        share = np.interp(ln_ratio, table["shell_ln_ratio"], table["shell_share"][z - 1, i])
        out[i] = np.where(energy >= edge, share * rest, 0.0)
        rest = rest - out[i]
    return out


def emission_lines(z: int) -> tuple[ArrayF8, ArrayF8, npt.NDArray[np.int64]]:
    """Return what a vacancy in K, L1, L2, L3 emits: (energy_kev, probability, next), each [4, 8].

    One vacancy gives at most one of its lines; ``next`` is the shell index (1, 2, 3) left empty by
    a K-L line, else -1. Moves between L shells (Coster-Kronig) are folded into the probabilities.
    Lines to M and to outer shells are grouped at their rate-weighted mean energies.
    """
    table = load("photons")
    i = check_element(z) - 1
    return (
        table["line_energy_kev"][i].astype(np.float64),
        table["line_probability"][i].astype(np.float64),
        table["line_next"][i].astype(np.int64),
    )


def form_factor(z: int, x_per_a: npt.ArrayLike) -> ArrayF8:
    """Atomic form factor F(x) at momentum transfer x = sin(theta/2)/lambda (1/Angstrom)."""
    table = load("photons")
    f = np.interp(np.log1p(1e3 * np.asarray(x_per_a)), *_ln_grid(check_element(z), "form_factor"))
    return np.minimum(np.exp(f), float(table["form_factor"][z - 1, 0]))


def scattering_function(z: int, x_per_a: npt.ArrayLike) -> ArrayF8:
    """Incoherent scattering function S(x) per atom; it rises from 0 to Z."""
    x = np.asarray(x_per_a, dtype=np.float64)
    grid = load("photons")["x_per_a"]
    ln_x, ln_s = _ln_s(check_element(z))
    low = float(grid[1])
    inner = np.exp(np.interp(np.log(np.maximum(x, low)), ln_x, ln_s))
    return np.where(x >= low, inner, inner * (x / low) ** 2)  # S goes as x^2 at its beginning


@cache
def _ln_grid(z: int, name: str) -> tuple[ArrayF8, ArrayF8]:
    table = load("photons")
    return np.log1p(1e3 * table["x_per_a"]), np.log(table[name][z - 1].astype(np.float64))


@cache
def _ln_s(z: int) -> tuple[ArrayF8, ArrayF8]:
    table = load("photons")
    return np.log(table["x_per_a"][1:]), np.log(table["scattering_function"][z - 1, 1:].astype(np.float64))
