"""Dose to active (red) marrow and endosteum from the photon fluence in bone.

Marrow lies in cavities of 0.1 to 1 mm, far below any voxel. Following ICRP Publication 116
(annex D), the absorbed dose of the target in a skeletal site is the integral of the photon
fluence in the site's spongiosa (or medullary cavity) times a response function, which holds the
electrons that enter marrow from the trabeculae. The organ's dose is the mean over sites, weighted
with target mass. At 60 keV the marrow dose is about 0.6 of the mean dose of homogeneous spongiosa;
from 300 keV up the two agree. See docs/methods/organ_doses.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyRegion, Origin
from omnidose.data import load
from omnidose.errors import InputError

Target = Literal["red-marrow", "endosteum"]
TARGETS: tuple[Target, ...] = ("red-marrow", "endosteum")
MEDULLARY = "-medullary"

#: Sites that a body may not draw -> the bone that carries their marrow then.
STAND_IN = {"sternum": "ribs", "sacrum": "pelvis"}

#: 1 Gy m2 in keV cm2/g: 1e4 cm2/m2 and 1 Gy = 1e-3 J/g (exact, SI 2019).
KEV_CM2_G_PER_GY_M2 = 1e4 * 1e-3 / 1.602176634e-16


@dataclass(frozen=True, slots=True, kw_only=True)
class SkeletalResponse:
    """Dose of a target per photon fluence.

    Attributes
    ----------
    energy_kev
        [n] rising photon energies.
    response_kev_cm2_g
        [n] absorbed energy per mass and fluence; interpolate linearly in the logarithms.
    """

    name: str
    energy_kev: npt.NDArray[np.float64]
    response_kev_cm2_g: npt.NDArray[np.float64]

    def at(self, energy_kev: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the response in keV cm2/g at photon energies in keV (end values beyond the table)."""
        log_energy = np.log(np.asarray(energy_kev, dtype=np.float64))
        return np.exp(np.interp(log_energy, np.log(self.energy_kev), np.log(self.response_kev_cm2_g)))


@cache
def sites(target: Target) -> tuple[str, ...]:
    """Return the skeletal sites of a target; ``…-medullary`` are the cavities of long bones."""
    table = load("skeleton_response")
    return tuple(dict.fromkeys(str(s) for s in table["site"][table["target"] == target]))


def response(target: Target, site: str = "") -> SkeletalResponse:
    """Return the response function of a target in a site.

    Parameters
    ----------
    target
        ``red-marrow`` or ``endosteum``.
    site
        Skeletal site; empty for the mean over sites, weighted with the adult male's target masses,
        for bone whose site is not known.

    Raises
    ------
    InputError
        If the site holds no such target.

    References
    ----------
    ICRP Publication 116 (2010), annex D, table D.1.
    """
    known = sites(target)
    if not site:
        return _mean_response(target)
    if site not in known:
        raise InputError(f"there is no {target} in the skeletal site '{site}'", allowed=", ".join(known))
    table = load("skeleton_response")
    rows = (table["target"] == target) & (table["site"] == site)
    return SkeletalResponse(
        name=f"{target}/{site}",
        energy_kev=table["energy_kev"][rows],
        response_kev_cm2_g=table["gy_m2"][rows] * KEV_CM2_G_PER_GY_M2,
    )


@cache
def _mean_response(target: Target) -> SkeletalResponse:
    masses = target_mass_g(target, "M")
    functions = [(response(target, site), masses[site]) for site in sites(target)]
    total = sum(mass for _f, mass in functions)
    mean = np.sum([f.response_kev_cm2_g * (mass / total) for f, mass in functions], axis=0)
    return SkeletalResponse(
        name=target, energy_kev=functions[0][0].energy_kev, response_kev_cm2_g=np.asarray(mean)
    )


def target_mass_g(target: Target, sex: str) -> dict[str, float]:
    """Return the reference adult's target mass in each skeletal site, in grams.

    Parameters
    ----------
    target
        ``red-marrow`` or ``endosteum``.
    sex
        ``M`` or ``F``.

    References
    ----------
    ICRP Publication 116 (2010), table 3.2.
    """
    if sex not in ("M", "F"):
        raise InputError(f"no skeletal masses for sex '{sex}'", allowed="M or F")
    column = f"{'marrow' if target == 'red-marrow' else 'endosteum'}_{'male' if sex == 'M' else 'female'}_g"
    table = load("skeleton_masses")
    return {str(s): float(m) for s, m in zip(table["site"], table[column], strict=True) if m > 0}


def parse_response(name: str) -> SkeletalResponse | None:
    """Return the response function that a ``BodyRegion.response`` names, or None if it is no skeletal one.

    ``red-marrow`` and ``endosteum`` are means over sites; ``red-marrow/pelvis`` is one site.
    """
    target, _, site = name.partition("/")
    for known in TARGETS:
        if target == known:
            return response(known, site)
    return None


#: Densities between which a bone voxel is taken for a mixture: marrow (red 1.03, yellow 0.98) and
#: mineral bone (ICRU Report 44), g/cm3.
MARROW_G_CM3, BONE_G_CM3 = 1.0, 1.92


def regions_from_density(
    site_voxels: Mapping[str, npt.NDArray[np.int64]],
    density_g_cm3: npt.NDArray[np.floating[Any]],
    voxel_volume_cm3: float,
    *,
    sex: str,
    present_fraction: Mapping[str, float] | None = None,
    origin: Origin = Origin.SEGMENTED,
) -> tuple[BodyRegion, ...]:
    """Return marrow and endosteum regions of a body whose bones are known by density only (a CT).

    Parameters
    ----------
    site_voxels
        Skeletal site (``pelvis``, ``lumbar-spine``, …) -> flat indices of all its bone voxels, marrow
        included. Sites without a response function are left out.
    density_g_cm3
        [z, y, x] of the body.
    voxel_volume_cm3
        Volume of a voxel.
    sex
        ``M`` or ``F``: whose reference masses are distributed.
    present_fraction
        Site -> share of the site that is in the body (1 where not given): half a femur holds half
        of the femur's marrow.
    origin
        Of the regions.

    Returns
    -------
    tuple of BodyRegion
        Keys ``red-marrow/<site>``, ``endosteum/<site>`` with the site's response function.

    Notes
    -----
    Within a site the reference mass of the target follows the marrow space of each voxel,
    ``1 - (rho - rho_marrow) / (rho_bone - rho_marrow)``: nothing in compact bone, most where
    trabeculae are thin. Only this distribution is taken from the image; the masses are those of
    the reference adult, so that a large patient's absolute marrow mass is not claimed to be known. The
    endosteum of medullary cavities is counted with its bone, the marrow of a sternum or sacrum that has no
    voxels with ribs and pelvis.
    """
    density = np.asarray(density_g_cm3).ravel()
    out = []
    for target in TARGETS:
        masses = _masses_of_drawn(target, sex, site_voxels)
        for site, voxels in site_voxels.items():
            mass_g = masses.get(site, 0.0) * (present_fraction or {}).get(site, 1.0)
            rho = density[voxels].astype(np.float64)
            space = np.clip(1 - (rho - MARROW_G_CM3) / (BONE_G_CM3 - MARROW_G_CM3), 0.0, 1.0)
            if mass_g <= 0 or site not in sites(target) or not space.sum() > 0:
                continue
            used = space > 1e-6  # float32 rounding of compact bone
            share = mass_g * space[used] / space.sum() / (rho[used] * voxel_volume_cm3)
            out.append(
                BodyRegion(
                    key=f"{target}/{site}",
                    voxels=np.asarray(voxels[used], dtype=np.int64),
                    weights=np.minimum(share, 1.0).astype(np.float32),
                    response=f"{target}/{site}",
                    origin=origin,
                )
            )
    return tuple(out)


def _masses_of_drawn(target: Target, sex: str, drawn: Mapping[str, Any]) -> dict[str, float]:
    """Return the reference masses by the bones that a body draws."""
    masses: dict[str, float] = {}
    for site, mass_g in target_mass_g(target, sex).items():
        bone = site.removesuffix(MEDULLARY)
        if bone not in drawn:
            bone = STAND_IN.get(bone, bone)
        masses[bone] = masses.get(bone, 0.0) + mass_g
    return masses
