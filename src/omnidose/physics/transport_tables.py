"""``PhotonTable``: the photon physics of a set of materials as flat arrays for transport kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError, RangeError
from omnidose.physics.elements import (
    ENERGY_MAX_KEV,
    ENERGY_MIN_KEV,
    PAIR_NUCLEAR_KEV,
    Process,
    cross_section_cm2_g,
    emission_lines,
    vacancy_probabilities,
)
from omnidose.physics.materials import Material
from omnidose.physics.photons import (
    HC_KEV_ANGSTROM,
    mass_attenuation_cm2_g,
    mass_energy_absorption_cm2_g,
    mass_energy_transfer_cm2_g,
    mean_compton_electron_kev,
    mixture_form_factor_squared,
    mixture_scattering_function,
)

F4 = npt.NDArray[np.float32]
I4 = npt.NDArray[np.int32]

#: Widest allowed step of the energy grid in ln E.
MAX_STEP_LN_E = 0.0025
N_RAYLEIGH = 512
N_COMPTON = 320
#: Smallest momentum transfer of the Compton table (1/Angstrom); S goes as x^2 below.
X_MIN_PER_A = 1e-3
N_LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotonTable:
    """Photon physics on one energy grid, equidistant in ln E.

    All energies in keV, coefficients in cm2/g, momentum transfer x = sin(theta/2)/lambda in
    1/Angstrom: ``x = E / hc_kev_angstrom * sqrt((1 - cos theta) / 2)``.

    *Looking up.* ``t = (ln E - ln_energy_0) * inv_d_ln_energy``, ``i = clip(int(t), 0, n_energy - 2)``,
    ``f = t - i``, value = ``(1 - f) * a[i] + f * a[i + 1]``. Node 0 is the cut-off, the last node the
    maximum energy. An absorption edge is smeared over the one step that holds it (at most 0.25 % of its
    energy: 0.08 keV at 33 keV); everywhere else the error of the linear interpolation is < 1e-5.

    Attributes
    ----------
    materials
        The n_material materials, in the order of every ``material`` axis.
    max_energy_kev, cutoff_kev
        Ends of the grid. A photon below ``cutoff_kev`` is to be absorbed where it is.
    fluorescence_cutoff_kev
        Lines below are not in the line tables; their energy is deposited locally.
    ln_energy_0, inv_d_ln_energy, n_energy
        The grid (see above).
    rows
        float32 [n_material, n_energy, 5]:

        0. mu/rho, total with coherent scattering (cm2/g);
        1. local deposition: photoelectric x (1 - mean fluorescence energy / E) + incoherent x (mean
           electron energy / E) + pair x (1 - 1022 / E) (cm2/g). Times E it is the mean energy left at
           the site per path length and density: what the kernel's own sampling deposits on average
           if it follows the rules below;
        2. P(photoelectric), 3. + P(incoherent), 4. + P(coherent): cumulative; the rest is pair
           (nuclear and electron together), 0 below 1022 keV.
    rayleigh_x2
        float32 [n_rayleigh] x^2 (Angstrom^-2): 0, then log spaced to beyond the largest possible.
    rayleigh_cumulative
        float32 [n_material, n_rayleigh] integral of F^2 d(x^2) from 0, divided by its last value;
        F^2 is that of independent atoms, up to 180 degrees ``x_max = E / hc`` and
        ``cos = 1 - 2 x^2 / x_max^2``; the cross section is this times the Thomson factor (1 + cos^2) / 2.
    compton_s
        float32 [n_material, n_compton] S(x) / S(infinity), rising from about 0 to 1, on a grid
        equidistant in ln x: ``t = (ln x - compton_ln_x_0) * compton_inv_d_ln_x``, linear in t, clipped
        to the last node above; below node 0 use S(node 0) * (x / x_0)^2 or 0. The cross section is
        Klein-Nishina times S; the electron's energy E - E' is left at the site.
    vacancy_offset
        int32 [n_material + 1]: material m has the vacancy entries
        ``vacancy_offset[m]:vacancy_offset[m + 1]``.
    vacancy_cumulative
        float32 [n_entry, n_energy], interpolated as all others: cumulative probability, over the
        entries of one material, that *a photoelectric event* in it leaves this vacancy (element and
        shell). Only vacancies that can emit a line above the fluorescence cut-off are listed. Sampling: one
        r; the first entry of the material with r < value gives the vacancy; none: no fluorescence.
    vacancy_set
        int32 [n_entry] line set of the entry.
    line_energy_kev
        float32 [n_set, 8] energy of each line of a set.
    line_cumulative
        float32 [n_set, 8] cumulative probability *per vacancy*. One new r: the first line with
        r < value is emitted, isotropically; none: the cascade ends (Auger electrons, soft lines: local).
    line_next
        int32 [n_set, 8] line set of the vacancy that the line leaves behind (K -> L lines), or -1.
        Go on with it: a photoelectric event emits two photons at most. The energy left at the site is
        E minus the energy of the emitted photons.
    vacancy_mean_kev
        float32 [n_set] mean emitted energy per vacancy, cascade included (what row 1 rests on).

    Notes
    -----
    Kept of the atomic cascade: K and L lines after photoelectric absorption, the L line after a K-L
    line, Coster-Kronig moves between L shells. Left out (local): L vacancies after K Auger electrons,
    M lines, fluorescence after Compton scattering. Pair: two photons of 510.999 keV, back to back,
    from the site, E - 1022 keV left there (positron in flight neglected).
    """

    materials: tuple[Material, ...]
    max_energy_kev: float
    cutoff_kev: float
    fluorescence_cutoff_kev: float
    ln_energy_0: float
    inv_d_ln_energy: float
    n_energy: int
    rows: F4
    rayleigh_x2: F4
    rayleigh_cumulative: F4
    compton_s: F4
    compton_ln_x_0: float
    compton_inv_d_ln_x: float
    vacancy_offset: I4
    vacancy_cumulative: F4
    vacancy_set: I4
    line_energy_kev: F4
    line_cumulative: F4
    line_next: I4
    vacancy_mean_kev: F4
    hc_kev_angstrom: float = HC_KEV_ANGSTROM

    @property
    def energy_kev(self) -> npt.NDArray[np.float64]:
        """[n_energy] energies of the nodes."""
        ln = self.ln_energy_0 + np.arange(self.n_energy) / self.inv_d_ln_energy
        return np.clip(np.exp(ln), self.cutoff_kev, self.max_energy_kev)


def build_photon_table(
    materials: Sequence[Material],
    max_energy_kev: float,
    cutoff_kev: float = 1.0,
    points: int | None = None,
    fluorescence_cutoff_kev: float | None = None,
) -> PhotonTable:
    """Tabulate the photon physics of materials for transport.

    Parameters
    ----------
    materials
        The mixtures, in the order in which the kernels number them.
    max_energy_kev, cutoff_kev
        Ends of the energy grid; 1 <= cutoff < max <= 20 000.
    points
        Number of energies; default and least: so many that no step in ln E exceeds 0.0025.
    fluorescence_cutoff_kev
        Softer lines are left at the site; default ``max(cutoff_kev, 1)``.

    Raises
    ------
    RangeError
        If the energies are outside 1 keV to 20 MeV or in the wrong order, or ``points`` is too small.
    InputError
        If there is no material.
    """
    if not materials:
        raise InputError("a photon table needs at least one material")
    if not ENERGY_MIN_KEV <= cutoff_kev < max_energy_kev <= ENERGY_MAX_KEV:
        raise RangeError(
            f"a photon table cannot reach from {cutoff_kev:g} to {max_energy_kev:g} keV",
            allowed=f"{ENERGY_MIN_KEV:g} <= cut-off < maximum <= {ENERGY_MAX_KEV:g} keV",
        )
    line_cutoff = max(cutoff_kev, 1.0) if fluorescence_cutoff_kev is None else fluorescence_cutoff_kev
    if line_cutoff < cutoff_kev:
        raise RangeError("fluorescence below the photon cut-off cannot be transported", allowed=">= cut-off")
    span = float(np.log(max_energy_kev / cutoff_kev))
    least = int(np.ceil(span / MAX_STEP_LN_E)) + 1
    n_energy = max(least, 2) if points is None else int(points)
    if n_energy < max(least, 2):
        raise RangeError(f"{n_energy} energies are too few", allowed=f"at least {least} for this span")
    energy = np.clip(
        np.exp(np.linspace(np.log(cutoff_kev), np.log(max_energy_kev), n_energy)), cutoff_kev, max_energy_kev
    )
    sets = _LineSets(materials, line_cutoff)
    offset, cumulative, which = _vacancies(materials, energy, sets)
    rows = np.empty((len(materials), n_energy, 5), np.float32)
    for m, material in enumerate(materials):
        emitted = _emitted_kev(cumulative[offset[m] : offset[m + 1]], which[offset[m] : offset[m + 1]], sets)
        rows[m] = _rows(material, energy, emitted)
    x2 = _rayleigh_grid(max_energy_kev)
    x_compton = np.geomspace(X_MIN_PER_A, max(10.0, max_energy_kev / HC_KEV_ANGSTROM), N_COMPTON)
    return PhotonTable(
        materials=tuple(materials),
        max_energy_kev=float(max_energy_kev),
        cutoff_kev=float(cutoff_kev),
        fluorescence_cutoff_kev=float(line_cutoff),
        ln_energy_0=float(np.log(cutoff_kev)),
        inv_d_ln_energy=(n_energy - 1) / span,
        n_energy=n_energy,
        rows=rows,
        rayleigh_x2=x2.astype(np.float32),
        rayleigh_cumulative=np.array([_rayleigh_cumulative(m, x2) for m in materials], np.float32),
        compton_s=np.array([mixture_scattering_function(m, x_compton) for m in materials], np.float32),
        compton_ln_x_0=float(np.log(X_MIN_PER_A)),
        compton_inv_d_ln_x=(N_COMPTON - 1) / float(np.log(x_compton[-1] / X_MIN_PER_A)),
        vacancy_offset=offset,
        vacancy_cumulative=np.asarray(cumulative, np.float32),
        vacancy_set=which,
        line_energy_kev=sets.energy_kev.astype(np.float32),
        line_cumulative=np.cumsum(sets.probability, axis=1).astype(np.float32),
        line_next=sets.after,
        vacancy_mean_kev=sets.mean_kev.astype(np.float32),
    )


def energy_absorption_row(material: Material, table: PhotonTable) -> F4:
    """Return float32 [n_energy] mu_en/rho (cm2/g) of a medium on the grid of ``table``.

    For the energy that a medium takes up in a photon fluence (charged-particle equilibrium). The medium
    need not be among the table's materials.
    """
    coarse = np.geomspace(table.cutoff_kev, table.max_energy_kev, 400)
    energy = table.energy_kev
    lost = mass_energy_absorption_cm2_g(material, np.clip(coarse, table.cutoff_kev, table.max_energy_kev))
    transfer = mass_energy_transfer_cm2_g(material, np.clip(coarse, table.cutoff_kev, table.max_energy_kev))
    kept = np.interp(np.log(energy), np.log(coarse), lost / transfer)  # 1 - g is smooth, also at edges
    return np.asarray(mass_energy_transfer_cm2_g(material, energy) * kept, dtype=np.float32)


class _LineSets:
    """The line tables of all (element, shell) that can emit above the cut-off."""

    def __init__(self, materials: Sequence[Material], cutoff_kev: float) -> None:
        self.index: dict[tuple[int, int], int] = {}
        energies: list[npt.NDArray[np.float64]] = []
        chances: list[npt.NDArray[np.float64]] = []
        shells_after: list[list[tuple[int, int]]] = []
        for z in sorted({z for m in materials for z in m.weight_fractions}):
            line_kev, chance, after = emission_lines(z)
            chance = np.where(line_kev >= cutoff_kev, chance, 0.0)
            for shell in range(4):
                if chance[shell].sum() > 0:
                    self.index[z, shell] = len(energies)
                    energies.append(line_kev[shell])
                    chances.append(chance[shell])
                    shells_after.append([(z, int(s)) for s in after[shell]])
        self.energy_kev = np.array(energies).reshape(-1, N_LINES)
        self.probability = np.array(chances).reshape(-1, N_LINES)
        self.after = np.array(
            [[self.index.get(key, -1) for key in keys] for keys in shells_after], np.int32
        ).reshape(-1, N_LINES)
        own = (self.energy_kev * self.probability).sum(axis=1)
        following = np.where(self.after >= 0, np.append(own, 0.0)[self.after], 0.0)
        self.mean_kev = own + (self.probability * following).sum(axis=1)


def _vacancies(
    materials: Sequence[Material], energy: npt.NDArray[np.float64], sets: _LineSets
) -> tuple[I4, npt.NDArray[np.float64], I4]:
    """Cumulative vacancy probabilities per photoelectric event, all materials one after the other."""
    offset, which = [0], []
    parts: list[npt.NDArray[np.float64]] = []
    for material in materials:
        shares = {
            z: weight * cross_section_cm2_g(z, energy, Process.PHOTOELECTRIC)
            for z, weight in material.weight_fractions.items()
        }
        total = np.sum(list(shares.values()), axis=0)
        running = np.zeros_like(energy)
        for z, share in shares.items():
            shells = [shell for shell in range(4) if (z, shell) in sets.index]
            probability = vacancy_probabilities(z, energy) if shells else None
            for shell in shells:
                assert probability is not None
                added = share / total * probability[shell]
                if not added.any():  # its edge is above the largest energy
                    continue
                running = running + added
                parts.append(running)
                which.append(sets.index[z, shell])
        offset.append(len(which))
    cumulative = np.array(parts).reshape(-1, energy.size)
    return np.array(offset, np.int32), cumulative, np.array(which, np.int32)


def _emitted_kev(
    cumulative: npt.NDArray[np.float64], which: I4, sets: _LineSets
) -> npt.NDArray[np.float64] | float:
    """Mean transported fluorescence energy per photoelectric event of one material."""
    if which.size == 0:
        return 0.0
    probability = np.diff(cumulative, axis=0, prepend=0.0)
    return np.asarray(sets.mean_kev[which] @ probability)


def _rows(
    material: Material, energy: npt.NDArray[np.float64], emitted_kev: npt.NDArray[np.float64] | float
) -> npt.NDArray[np.float64]:
    """The five columns of ``rows`` for one material."""
    photo, incoherent, coherent = (
        mass_attenuation_cm2_g(material, energy, p)
        for p in (Process.PHOTOELECTRIC, Process.INCOHERENT, Process.COHERENT)
    )
    pair = mass_attenuation_cm2_g(material, energy, Process.PAIR_NUCLEAR)
    pair = pair + mass_attenuation_cm2_g(material, energy, Process.PAIR_ELECTRON)
    total = photo + incoherent + coherent + pair
    coarse = np.geomspace(energy[0], energy[-1], 256)  # the mean electron energy is smooth
    ratio = mean_compton_electron_kev(material, np.clip(coarse, energy[0], energy[-1])) / coarse
    electron = np.interp(np.log(energy), np.log(coarse), ratio)
    local = photo * (1 - emitted_kev / energy) + incoherent * electron
    local = local + pair * np.maximum(1 - 2 * 510.99895 / energy, 0.0)
    columns = (
        total,
        local,
        photo / total,
        (photo + incoherent) / total,
        (photo + incoherent + coherent) / total,
    )
    rows = np.stack(columns, axis=1)
    rows[energy <= PAIR_NUCLEAR_KEV, 4] = 1.0
    return rows


def _rayleigh_grid(max_energy_kev: float) -> npt.NDArray[np.float64]:
    # 6 % more: tables of angles have nodes every 4 % in energy, the last one beyond the end
    x_max = 1.06 * max_energy_kev / HC_KEV_ANGSTROM
    return np.concatenate([[0.0], np.geomspace(1e-5, max(x_max, 0.1) ** 2, N_RAYLEIGH - 1)])


def _rayleigh_cumulative(material: Material, x2: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Integral of F^2 over x^2, Simpson with four intervals inside each bin, normalised to 1."""
    parts = np.linspace(0, 1, 5)
    inner = x2[:-1, None] + np.diff(x2)[:, None] * parts
    f2 = mixture_form_factor_squared(material, np.sqrt(inner))
    bins = f2 @ np.array([1, 4, 2, 4, 1]) / 12 * np.diff(x2)
    cumulative = np.concatenate([[0.0], np.cumsum(bins)])
    return np.asarray(cumulative / cumulative[-1])
