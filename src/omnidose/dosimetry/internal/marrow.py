"""Electrons and alpha particles of red marrow: what stays in it, and what fat cells and bone take.

Active marrow is finely mixed with fat cells. An electron whose range is far above their size leaves its
energy to both in the proportion of their masses: the cellularity. Faster ones cross trabeculae too.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.skeleton import BONE_G_CM3, MARROW_G_CM3, MEDULLARY, target_mass_g
from omnidose.anatomy.stylised import media
from omnidose.errors import InputError
from omnidose.physics.alpha_stopping import alpha_range_g_cm2
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


def own_fraction(energy_kev: npt.ArrayLike, sex: str, *, particle: str = "electron") -> ArrayF8:
    """Return the share of a particle's energy that red marrow takes up of particles that start in it.

    Parameters
    ----------
    energy_kev
        Kinetic energies, any shape, 0 or more.
    sex
        ``M`` or ``F``: mean over the sites with the marrow masses of ICRP 116.
    particle
        ``electron``, or ``alpha`` (to 10 MeV).

    Returns
    -------
    ndarray
        1 for slow particles; of fast electrons the share of red marrow in the mass of trabecular bone; of
        alpha particles of 4 to 9 MeV, whose ranges are those of fat cells, 0.79 to 0.62.

    Raises
    ------
    InputError
        For another particle.
    RangeError
        For alpha particles above 10 MeV.

    Notes
    -----
    In a random mixture of two phases with exponential chords (Debye) a point at the distance s from one in
    the first lies in it with the probability c + (1 - c) exp(-s / L), where 1/L is the sum of both inverse
    chords and c the first phase's share. Twice: red marrow and fat cells, then cavities and trabeculae, all
    lengths times density. Of electrons the mean of each over the range is taken, that they turn is left out;
    alpha particles lose energy along a straight track as ASTAR has it.
    """
    energy = np.asarray(energy_kev, dtype=np.float64)
    if particle == "alpha":
        return np.array([_alpha_retained(float(e), sex) for e in energy.ravel()]).reshape(energy.shape)
    if particle != "electron":
        raise InputError(f"no share of marrow for '{particle}'", allowed="electron, alpha")
    tissue = media()["soft-tissue"]
    range_g_cm2 = csda_range_g_cm2(tissue, np.maximum(energy, 1.0).ravel()).reshape(energy.shape)
    in_cavities = _retained(range_g_cm2, *_CAVITY_G_CM2)
    in_marrow = np.zeros_like(energy)
    for marrow_g_cm2, fat_g_cm2, share in _mixtures(sex):
        in_marrow += share * _retained(range_g_cm2, marrow_g_cm2, fat_g_cm2)
    return np.where(energy < 1.0, 1.0, in_marrow * in_cavities)


#: Mean paths through cavities and trabeculae.
_CAVITY_G_CM2 = (CAVITY_CM * MARROW_G_CM3, CAVITY_CM * BONE_SHARE / (1 - BONE_SHARE) * BONE_G_CM3)


def _mixtures(sex: str) -> list[tuple[float, float, float]]:
    """Return mean paths through red marrow and fat, and the share of the red marrow, of every site."""
    return [
        (
            cellularity / (1 - cellularity) * FAT_CHORD_CM * MARROW_G_CM3,
            FAT_CHORD_CM * MARROW_G_CM3,
            share,
        )
        for cellularity, share in _sites(sex)
    ]


def _retained(range_g_cm2: ArrayF8, own_g_cm2: float, other_g_cm2: float) -> ArrayF8:
    """Return the share of a track that lies in its own phase, from the mean chords of both."""
    share = own_g_cm2 / (own_g_cm2 + other_g_cm2)
    x = range_g_cm2 * (1 / own_g_cm2 + 1 / other_g_cm2)
    return np.asarray(share + (1 - share) * -np.expm1(-x) / x)


def _alpha_retained(energy_kev: float, sex: str) -> float:
    """Return the mean over the energy that an alpha particle loses of the chance to be in red marrow."""
    if energy_kev <= _LEAST_ALPHA_KEV:
        return 1.0
    rest = np.linspace(_LEAST_ALPHA_KEV, energy_kev, 400)
    path = alpha_range_g_cm2(energy_kev) - alpha_range_g_cm2(rest)
    chance = sum(share * _chance(path, own, fat) for own, fat, share in _mixtures(sex))
    lost = np.trapezoid(chance * _chance(path, *_CAVITY_G_CM2), rest)
    return float((lost + _LEAST_ALPHA_KEV) / energy_kev)


#: Alpha particles of this energy have a range of 1 micrometre.
_LEAST_ALPHA_KEV = 100.0


def _chance(path_g_cm2: ArrayF8, own_g_cm2: float, other_g_cm2: float) -> ArrayF8:
    """Return the chance to be in the phase of the start after a path."""
    share = own_g_cm2 / (own_g_cm2 + other_g_cm2)
    return np.asarray(share + (1 - share) * np.exp(-path_g_cm2 * (1 / own_g_cm2 + 1 / other_g_cm2)))


@cache
def _sites(sex: str) -> tuple[tuple[float, float], ...]:
    """Return (cellularity, share of the red marrow) of every site."""
    masses = target_mass_g("red-marrow", sex if sex in ("M", "F") else "M")
    total = sum(masses.values())
    return tuple((CELLULARITY[site.removesuffix(MEDULLARY)], mass / total) for site, mass in masses.items())


#: Blood, g/cm3 (ICRP Publication 89).
BLOOD_G_CM3 = 1.06
#: Extracellular fluid that plasma's large molecules fill, as share of red marrow (Sgouros 1993, J Nucl Med
#: 34:689; from memory).
MARROW_FLUID_FRACTION = 0.19


def plasma_ratio(haematocrit_fraction: float) -> float:
    """Return marrow to blood by concentration, of a substance that stays in plasma and outside cells.

    Parameters
    ----------
    haematocrit_fraction
        Volume of cells in blood, 0.2 to 0.7; 0.47 gives 0.36.

    Raises
    ------
    InputError
        For another number.
    """
    if not 0.2 <= haematocrit_fraction <= 0.7:
        raise InputError(
            f"a haematocrit of {haematocrit_fraction:g}",
            where="haematocrit_fraction",
            allowed="0.2 to 0.7 (0.45 for 45 %)",
        )
    return MARROW_FLUID_FRACTION / (1 - haematocrit_fraction)


def marrow_hours_from_blood(blood_h_per_cm3: float, ratio_rel: float, marrow_g: float) -> float:
    """Return the time-integrated activity coefficient of red marrow from that of blood.

    Parameters
    ----------
    blood_h_per_cm3
        Decays in 1 mL of blood per administered activity, MBq h/MBq/mL.
    ratio_rel
        Activity of a gram of red marrow over that of a gram of blood: 1 for 177Lu-DOTATATE (Forrer 2009),
        :func:`plasma_ratio` for what stays in plasma, more for what binds to marrow. No default: it decides.
    marrow_g
        Of the phantom whose S values are used. The dose of marrow to itself does not hang on it: a larger
        marrow holds more, and its S value is smaller by the same factor.

    Raises
    ------
    InputError
        For numbers that are not positive.
    """
    for name, value in (
        ("blood_h_per_cm3", blood_h_per_cm3),
        ("ratio_rel", ratio_rel),
        ("marrow_g", marrow_g),
    ):
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"a value of {value:g}", where=name, allowed="above 0")
    return blood_h_per_cm3 / BLOOD_G_CM3 * ratio_rel * marrow_g


def marrow_hours_from_image(hours_by_site: Mapping[str, float], sex: str) -> float:
    """Return the time-integrated activity coefficient of all red marrow from that of some bones.

    Parameters
    ----------
    hours_by_site
        Skeletal site of ICRP 116 (``lumbar-spine``, ``sacrum``) -> coefficient of the whole site in the
        images, h. All of it is taken as that of red marrow: bone, fat and blood of the site are counted with
        it.
    sex
        ``M`` or ``F``: whose distribution of red marrow is taken (lumbar spine 12.3 %).

    Raises
    ------
    InputError
        For no site, a site without red marrow, or hours below 0.
    """
    masses = target_mass_g("red-marrow", sex)
    if not hours_by_site:
        raise InputError("no bone was given", where="hours_by_site", todo="for example lumbar-spine")
    for site, hours in hours_by_site.items():
        if site not in masses:
            raise InputError(f"there is no red marrow in '{site}'", allowed=", ".join(masses))
        if not (np.isfinite(hours) and hours >= 0):
            raise InputError(f"a coefficient of {hours:g} h", where=site, allowed="0 or more")
    share = sum(masses[site] for site in hours_by_site) / sum(masses.values())
    return sum(hours_by_site.values()) / share
