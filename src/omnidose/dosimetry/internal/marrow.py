"""Electrons of red marrow: what stays in it of their energy, and what fat cells and bone take.

Active marrow is finely mixed with fat cells. An electron whose range is far above their size leaves its
energy to both in the proportion of their masses: the cellularity. Faster ones cross trabeculae too.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.skeleton import BONE_G_CM3, MARROW_G_CM3, MEDULLARY, target_mass_g
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


#: Trabecular bone of an adult: mean path through a marrow cavity, cm, and share of the volume that is bone
#: (Beddoe et al. 1976, Phys Med Biol 21:589, abstract).
CAVITY_CM, BONE_SHARE = 0.12, 0.16


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
        1 for slow electrons, falling to the share of red marrow in the mass of trabecular bone.

    Notes
    -----
    In a random mixture of two phases with exponential chords (Debye) a point at the distance s from one in
    the first lies in it with the probability c + (1 - c) exp(-s / L), where 1/L is the sum of both inverse
    chords and c the first phase's share; its mean over the electron's range is taken. Twice: red marrow and
    fat cells, then cavities and trabeculae, all lengths times density. That electrons turn is left out.
    """
    energy = np.asarray(energy_kev, dtype=np.float64)
    tissue = media()["soft-tissue"]
    range_g_cm2 = csda_range_g_cm2(tissue, np.maximum(energy, 1.0).ravel()).reshape(energy.shape)
    trabecula_cm = CAVITY_CM * BONE_SHARE / (1 - BONE_SHARE)
    in_cavities = _retained(range_g_cm2, CAVITY_CM * MARROW_G_CM3, trabecula_cm * BONE_G_CM3)
    in_marrow = np.zeros_like(energy)
    for cellularity, share in _sites(sex):
        marrow_chord_cm = cellularity / (1 - cellularity) * FAT_CHORD_CM
        in_marrow += share * _retained(
            range_g_cm2, marrow_chord_cm * MARROW_G_CM3, FAT_CHORD_CM * MARROW_G_CM3
        )
    return np.where(energy < 1.0, 1.0, in_marrow * in_cavities)


def _retained(range_g_cm2: ArrayF8, own_g_cm2: float, other_g_cm2: float) -> ArrayF8:
    """Return the share of a track that lies in its own phase, from the mean chords of both."""
    share = own_g_cm2 / (own_g_cm2 + other_g_cm2)
    x = range_g_cm2 * (1 / own_g_cm2 + 1 / other_g_cm2)
    return np.asarray(share + (1 - share) * -np.expm1(-x) / x)


@cache
def _sites(sex: str) -> tuple[tuple[float, float], ...]:
    """Return (cellularity, share of the red marrow) of every site."""
    masses = target_mass_g("red-marrow", sex if sex in ("M", "F") else "M")
    total = sum(masses.values())
    return tuple((CELLULARITY[site.removesuffix(MEDULLARY)], mass / total) for site, mass in masses.items())
