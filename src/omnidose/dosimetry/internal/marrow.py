"""Electrons of red marrow: what stays in it of their energy, and what fat cells take.

Active marrow is finely mixed with fat cells. An electron whose range is far above their size leaves its
energy to both in the proportion of their masses: the cellularity.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.skeleton import MEDULLARY, target_mass_g
from omnidose.anatomy.stylised import media
from omnidose.physics.electron_stopping import csda_range_g_cm2

ArrayF8 = npt.NDArray[np.float64]

#: Share of active marrow in the marrow of each site of the reference adult: ICRP Publication 70 (1995), kept
#: in ICRP 89 and ICRP 110.
CELLULARITY = {
    "cranium": 0.38,
    "mandible": 0.38,
    "scapulae": 0.38,
    "clavicles": 0.33,
    "sternum": 0.70,
    "ribs": 0.70,
    "cervical-spine": 0.70,
    "thoracic-spine": 0.70,
    "lumbar-spine": 0.70,
    "sacrum": 0.70,
    "pelvis": 0.48,
    "femora-upper": 0.25,
    "humeri-upper": 0.25,
}
#: Mean chord of a fat cell of the marrow, cm: two thirds of its diameter of 57 micrometres (Shah et al. 2003,
#: J Nucl Med 44:774; from memory). It matters below 100 keV alone.
FAT_CHORD_CM = 2 / 3 * 57e-4


def own_fraction(energy_kev: npt.ArrayLike, sex: str) -> ArrayF8:
    """Return the share of an electron's energy that red marrow takes up of electrons that start in it.

    Parameters
    ----------
    energy_kev
        Kinetic energies, any shape, 0 or more.
    sex
        ``M`` or ``F``: mean over the sites with the marrow masses of ICRP 116.

    Returns
    -------
    ndarray
        1 for slow electrons, falling to the cellularity.

    Notes
    -----
    In a random mixture of two phases with exponential chords (Debye) a point at the distance s from one in
    marrow lies in marrow with the probability c + (1 - c) exp(-s / L), where 1/L is the sum of both inverse
    chords and c the cellularity; its mean over the electron's range is taken. Left out: energy that goes into
    trabeculae (a tenth for 177Lu, more for 90Y), and that electrons turn.
    """
    energy = np.asarray(energy_kev, dtype=np.float64)
    density = media()["soft-tissue"].density_g_cm3
    safe = np.maximum(energy, 1.0)
    range_cm = csda_range_g_cm2(media()["soft-tissue"], safe.ravel()).reshape(energy.shape) / density
    total = np.zeros_like(energy)
    for cellularity, share in _sites(sex):
        marrow_chord_cm = cellularity / (1 - cellularity) * FAT_CHORD_CM
        length_cm = 1 / (1 / marrow_chord_cm + 1 / FAT_CHORD_CM)
        x = range_cm / length_cm
        total += share * (cellularity + (1 - cellularity) * -np.expm1(-x) / x)
    return np.where(energy < 1.0, 1.0, total)


@cache
def _sites(sex: str) -> tuple[tuple[float, float], ...]:
    """Return (cellularity, share of the red marrow) of every site."""
    masses = target_mass_g("red-marrow", sex if sex in ("M", "F") else "M")
    total = sum(masses.values())
    return tuple((CELLULARITY[site.removesuffix(MEDULLARY)], mass / total) for site, mass in masses.items())
