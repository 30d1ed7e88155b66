"""Electrons and alpha particles from bone and marrow: the shares of red marrow and endosteum.

The shares in one spongiosa and beside one medullary cavity come from
:mod:`omnidose.transport.dose_kernels.bone` (packaged table ``bone_absorbed_fractions``). Here they are put
together for the whole skeleton of a reference adult, whose sites differ in what their marrow holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from omnidose.anatomy.skeleton import MEDULLARY, target_mass_g
from omnidose.data import load
from omnidose.dosimetry.internal.marrow import CELLULARITY
from omnidose.errors import InputError, RangeError

ArrayF8 = npt.NDArray[np.float64]

#: Source regions of mineral bone: volume and surface.
BONE_SOURCES = (
    "trabecular-bone",
    "cortical-bone",
    "trabecular-bone-surface",
    "cortical-bone-surface",
)
#: Bone surfaces of an adult, m2: trabecular and cortical, most of that inside Haversian canals (ICRP
#: Publication 70 (1995), kept in ICRP 89; from memory. 50 micrometres on the first are 541 g: ICRP 116 has
#: 537 g of endosteum in a man's spongiosa).
TRABECULAR_M2, CORTICAL_M2 = 10.5, 6.5
#: Compact bone over trabecular bone, by mass (ICRP Publication 70).
CORTICAL_PER_TRABECULAR = 4.0
#: Relative standard deviation of the marrow's shares over five geometries of spongiosa (docs/methods/bone.md:
#: 2 % for alphas on surfaces to 11 % for electrons of 200 keV from the volume). Cellularity is not in it.
GEOMETRY_STD_REL = 0.11
#: Of the table: mean chord of trabeculae (4 x volume / surface), thickness of compact bone beside a cavity.
_BONE_CHORD_MM, MEDULLARY_BONE_MM = 0.23, 33.0


def bone_fractions(source: str, particle: str, energy_kev: float, sex: str) -> tuple[float, float]:
    """Return the shares of the emitted energy that red marrow and endosteum take up.

    Parameters
    ----------
    source
        One of :data:`BONE_SOURCES` (even over the volume or the surface of the bone of the whole skeleton),
        or ``red-marrow`` (its share of endosteum alone; NaN for red marrow, see
        :func:`omnidose.dosimetry.internal.marrow.own_fraction`).
    particle
        ``electron`` (below 10 keV as at 10 keV) or ``alpha`` (below 100 keV as at 100 keV).
    energy_kev
        Kinetic energy.
    sex
        ``M`` or ``F``: whose masses of endosteum say how much of the bone lies in which site.

    Returns
    -------
    tuple of float
        Red marrow, endosteum (the outermost 50 micrometres of all marrow, red or not).

    Raises
    ------
    InputError
        For another source.
    RangeError
        For electrons above 4 MeV or alphas above 10 MeV.

    Notes
    -----
    Bone surface lies in a site in proportion to its endosteum, marrow of a site holds red marrow evenly by
    its cellularity; sites without red marrow have two fifths of the surface. Of compact bone, only what is
    near the medullary cavities of long bones reaches an endosteum (ICRP 116 counts none in Haversian canals),
    and nothing reaches red marrow: what crosses from compact bone into spongiosa is left out.
    """
    person = sex if sex in ("M", "F") else "M"
    red, medullary_rel = _skeleton(person)
    if source == "red-marrow":
        return np.nan, _share("marrow", particle, energy_kev)[1]
    if source in ("trabecular-bone", "trabecular-bone-surface"):
        deep, endosteum = _share(source, particle, energy_kev)
        return red * (deep + endosteum), endosteum
    medullary_m2 = medullary_rel * TRABECULAR_M2
    if source == "cortical-bone-surface":
        return 0.0, medullary_m2 / CORTICAL_M2 * _share("medullary-surface", particle, energy_kev)[1]
    if source == "cortical-bone":
        volume_mm_m2 = CORTICAL_PER_TRABECULAR * TRABECULAR_M2 * _BONE_CHORD_MM / 4
        thickness_mm = 2 * volume_mm_m2 / medullary_m2
        near = _share("medullary-bone", particle, energy_kev)[1]
        return 0.0, near * MEDULLARY_BONE_MM / thickness_mm
    raise InputError(f"'{source}' is no source in bone", allowed=", ".join((*BONE_SOURCES, "red-marrow")))


def bone_assumptions(sources: Iterable[str]) -> tuple[str, ...]:
    """Return what a result must say about activity in bone and marrow."""
    named, found = set(sources), []
    if named & {*BONE_SOURCES, "red-marrow"}:
        found.append(
            "endosteum: the outermost 50 micrometres of marrow, mean over the skeleton (ICRP 116); with the "
            "10 micrometres and 120 g of ICRP 30 its dose from bone surfaces is 2 to 5 times as high"
        )
    if any(key.startswith("trabecular") for key in named):
        found.append(
            "bone: even over the whole skeleton's volume or surface; two fifths of it hold no red marrow, "
            "and what red marrow of a site gets goes with its cellularity"
        )
    if any(key.startswith("cortical") for key in named):
        found.append(
            "compact bone: reaches no red marrow, and endosteum beside medullary cavities of long bones alone"
        )
    if "skeleton" in named:
        found.append(
            "skeleton: activity even in homogenised bone; for bone seekers give the surface or volume of "
            "trabecular and cortical bone"
        )
    return tuple(found)


def _share(source: str, particle: str, energy_kev: float) -> tuple[float, float]:
    """Return the shares of deep marrow and of endosteum from the table."""
    low_kev, high_kev, curve = _curve(source, particle)
    if not energy_kev <= high_kev:
        raise RangeError(
            f"no absorbed fraction of an {particle} of {energy_kev:g} keV in bone",
            allowed=f"up to {high_kev:g} keV",
        )
    deep, endosteum = curve(np.log(max(energy_kev, low_kev)))
    return max(float(deep), 0.0), max(float(endosteum), 0.0)


@cache
def _curve(source: str, particle: str) -> tuple[float, float, PchipInterpolator]:
    table = load("bone_absorbed_fractions")
    rows = (table["source"] == source) & (table["particle"] == particle)
    energy = table["energy_kev"][rows].astype(np.float64)
    shares = np.stack([table["deep_marrow"][rows], table["endosteum"][rows]], axis=1)
    return float(energy[0]), float(energy[-1]), PchipInterpolator(np.log(energy), shares, axis=0)


@cache
def _skeleton(sex: str) -> tuple[float, float]:
    """Return red marrow as share of all marrow beside trabeculae, and medullary over trabecular surface."""
    masses = target_mass_g("endosteum", sex)
    medullary = sum(mass for site, mass in masses.items() if site.endswith(MEDULLARY))
    trabecular = {site: mass for site, mass in masses.items() if not site.endswith(MEDULLARY)}
    total = sum(trabecular.values())
    red = sum(mass * CELLULARITY.get(site, 0.0) for site, mass in trabecular.items())
    return red / total, medullary / total
