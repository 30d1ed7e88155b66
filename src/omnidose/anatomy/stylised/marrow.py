"""Red marrow and endosteum as shares of the homogenised bones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyRegion, Origin
from omnidose.anatomy.skeleton import MEDULLARY, STAND_IN, TARGETS, Target, target_mass_g
from omnidose.anatomy.stylised.dimensions import COLUMNS, Dimensions
from omnidose.volume import Grid

#: Active marrow and bone surface of the children, g (Cristy and Eckerman 1987, DCAL): newborn to 15 y.
CHILD_MASS_G: dict[str, tuple[float, ...]] = {
    "red-marrow": (47.0, 150.0, 320.0, 610.0, 1050.0),
    "endosteum": (15.0, 26.0, 37.0, 68.0, 120.0),
}
ADULT_Y = 20.0


def marrow_regions(
    labels: npt.NDArray[np.uint8],
    keys: list[str],
    density_g_cm3: npt.NDArray[np.float32],
    grid: Grid,
    d: Dimensions,
) -> list[BodyRegion]:
    """Return one region per target and skeletal site (``red-marrow/pelvis``).

    Weights are shares of the voxel's mass, equal within a bone. Adults have the site masses of ICRP
    Publication 116 (table 3.2). Children have the total of the 1987 family, shared between the adult's
    distribution and an even one over the bones' masses (all bones of a newborn hold red marrow): our rule.
    """
    bone_mass = _bone_masses(labels, keys, density_g_cm3, grid)
    found = []
    for target in TARGETS:
        for site, mass_g in _site_masses(target, d, bone_mass).items():
            label = keys.index(site) + 1
            voxels = np.flatnonzero(labels == label).astype(np.int64)
            share = min(1.0, mass_g / bone_mass[site])
            found.append(
                BodyRegion(
                    key=f"{target}/{site}",
                    voxels=voxels,
                    weights=np.full(voxels.size, share, dtype=np.float32),
                    response=f"{target}/{site}" if _has_response(target, site) else target,
                    origin=Origin.PHANTOM,
                )
            )
    return found


def _bone_masses(
    labels: npt.NDArray[np.uint8], keys: list[str], density: npt.NDArray[np.float32], grid: Grid
) -> dict[str, float]:
    sums = np.bincount(labels.ravel(), weights=density.ravel(), minlength=len(keys) + 1)
    sites = {site.removesuffix(MEDULLARY) for target in TARGETS for site in target_mass_g(target, "M")}
    return {
        key: float(sums[i + 1]) * grid.voxel_volume_cm3
        for i, key in enumerate(keys)
        if key in sites and sums[i + 1] > 0
    }


def _has_response(target: Target, site: str) -> bool:
    return site in target_mass_g(target, "M")


def _site_masses(target: Target, d: Dimensions, bone_mass: dict[str, float]) -> dict[str, float]:
    adult = dict.fromkeys(bone_mass, 0.0)
    for site, mass in target_mass_g(target, "F" if d.sex == "F" else "M").items():
        bone = STAND_IN.get(site, site.removesuffix(MEDULLARY))
        if bone in adult:
            adult[bone] += mass
    total = sum(adult.values())
    age = d.age_y
    if d.sex == "F" and age >= 15.0:
        even, wanted = 0.0, total
    else:
        even = max(0.0, 1.0 - age / ADULT_Y)
        ages = list(COLUMNS.values())
        wanted = float(np.interp(age, ages, [*CHILD_MASS_G[target], total]))
    bones_total = sum(bone_mass.values())
    size = (d.along * d.across**2) if age >= 15 else 1.0
    masses = {
        bone: wanted * size * ((1 - even) * adult[bone] / total + even * bone_mass[bone] / bones_total)
        for bone in bone_mass
    }
    return {bone: mass for bone, mass in masses.items() if mass > 0}
