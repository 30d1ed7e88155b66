"""From nuclides of the library to what their dose kernels need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.physics.nuclides import Library, Nuclide, nuclide
from omnidose.physics.nuclides_spectra import Continuum, Lines
from omnidose.transport.dose_kernels.emissions import RadiationYield

ArrayF8 = npt.NDArray[np.float64]


def yield_of(
    emitter: Nuclide | str,
    *,
    progeny: Mapping[str, float] | None = None,
    library: Library = "decay2012",
) -> RadiationYield:
    """Return the radiations of a nuclide, if asked for with those of its progeny.

    Parameters
    ----------
    emitter
        A nuclide or its name.
    progeny
        Decays of each daughter per decay of the nuclide at the same place: 1 x branching in equilibrium, less
        where it leaves or outlives the stay. Nothing is added unasked: Zr-89 needs Y-89m, Lu-177m needs
        Hf-177m, alpha chains need all their daughters (:func:`omnidose.physics.progeny.prompt_progeny`).
    library
        Of the progeny, and of the emitter if it is a name. Mixed libraries count Y-89m twice: ICRP 107 has it
        in Zr-89.

    Returns
    -------
    RadiationYield
        Per decay of the nuclide. Annihilation photons start where the positron is born.

    Raises
    ------
    InputError
        For an unknown nuclide, or decays of a daughter that are not finite or below 0.
    """
    parent = nuclide(emitter, library) if isinstance(emitter, str) else emitter
    members: list[tuple[Nuclide, float]] = [(parent, 1.0)]
    for name, number in (progeny or {}).items():
        if not (np.isfinite(number) and number >= 0):
            raise InputError(
                f"{number:g} decays of {name} per decay of {parent.name}",
                where="progeny",
                allowed="a finite number >= 0",
            )
        members.append((nuclide(name, library), float(number)))
    electron_kev, electrons = _lines([(n.electron_lines, k) for n, k in members])
    photon_kev, photons = _lines(
        [(lines, k) for n, k in members for lines in (n.photon_lines, n.annihilation_lines)]
    )
    edges_kev, betas = _continua([(c, k) for n, k in members for c in (n.beta_spectrum, n.positron_spectrum)])
    alpha_line_kev, alphas = _lines([(n.alpha_lines, k) for n, k in members])
    alpha_kev = sum(
        k * (n.alpha_lines.energy_per_decay_kev + n.recoil_lines.energy_per_decay_kev) for n, k in members
    )
    used = [n.name for n, k in members if k > 0]
    return RadiationYield(
        name=" + ".join(used),
        electron_kev=electron_kev,
        electron_per_decay=electrons,
        beta_edges_kev=edges_kev,
        beta_per_decay=betas,
        photon_kev=photon_kev,
        photon_per_decay=photons,
        alpha_kev=float(alpha_kev),
        alpha_line_kev=alpha_line_kev,
        alpha_per_decay=alphas,
    )


def _lines(parts: Sequence[tuple[Lines, float]]) -> tuple[ArrayF8, ArrayF8]:
    energy = np.concatenate([lines.energy_kev for lines, _ in parts])
    return energy, np.concatenate([lines.per_decay * number for lines, number in parts])


def _continua(parts: Sequence[tuple[Continuum, float]]) -> tuple[ArrayF8, ArrayF8]:
    """Put continua on the union of their edges: bins are uniform, so that numbers and energies stay."""
    present = [(continuum, number) for continuum, number in parts if continuum and number > 0]
    if not present:
        return np.zeros(0), np.zeros(0)
    edges = np.unique(np.concatenate([continuum.edges_kev for continuum, _ in present]))
    inside = np.zeros(edges.size)
    for continuum, number in present:
        total = np.concatenate([[0.0], np.cumsum(continuum.per_decay)])
        inside += number * np.interp(edges, continuum.edges_kev, total)
    return edges, np.maximum(np.diff(inside), 0.0)
