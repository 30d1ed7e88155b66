"""Which part of the body is in a scan: profiles along z of body, lungs and bone, against an atlas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel
from omnidose.anatomy.organs import organs as vocabulary
from omnidose.anatomy.segmentation.classical import Tissues
from omnidose.volume import Grid

#: Scales of the atlas along z that are tried.
SCALES = (0.88, 0.92, 0.96, 1.0, 1.04, 1.08, 1.12)
#: Step of the search along z, mm.
STEP_MM = 5.0
#: Weights of the profiles of body, lungs and bone. Profiles are square roots of areas relative to the
#: largest in the atlas: the tip of a lung says more about the place than its size.
WEIGHTS = (1.0, 2.0, 0.7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where the scan lies in the atlas.

    Attributes
    ----------
    scale
        Patient length / atlas length along z.
    offset_mm
        z of the patient = scale * z of the atlas + offset.
    misfit
        Mean weighted difference of the profiles (0 = equal, 1 = unrelated).
    second_misfit
        The best misfit of a place more than 100 mm away: close to ``misfit`` means the place is unsure.
    """

    scale: float
    offset_mm: float
    misfit: float
    second_misfit: float

    @property
    def is_sure(self) -> bool:
        """True if no other place fits nearly as well."""
        return self.second_misfit > 1.15 * self.misfit + 0.01


@cache
def bone_keys() -> frozenset[str]:
    """Return the canonical names that belong to the skeleton."""
    known = vocabulary()
    found = {"skeleton", "teeth"}
    for key in known:
        parent = key
        while parent:
            if parent == "skeleton":
                found.add(key)
            parent = known[parent].parent
    return frozenset(found)


#: The recess of a real lung reaches this far below the flat base of the stylised lung, to the first lumbar
#: vertebra, level with the upper poles of the kidneys (anatomy; the number is our choice), mm.
RECESS_MM = 70.0
#: How far a lung's tip may lie from its place before the misfit grows by TIP_MISFIT.
TIP_MM, TIP_MISFIT = 30.0, 0.02
LUNG_KEYS = frozenset({"left-lung", "right-lung", "lung-blood", "lungs"})


#: Bones of the arms: in the stylised phantom they lie inside the trunk's sides.
ARM_KEYS = ("humeri-upper", "humeri-lower", "forearm-bones", "hand-bones")


def class_image(
    labels: npt.NDArray[np.uint8], body: BodyModel, *, arms: bool = True
) -> npt.NDArray[np.uint8]:
    """Return 0 outside, 1 soft, 2 lung, 3 bone for an atlas; without ``arms``, their bones are soft."""
    table = np.ones(256, dtype=np.uint8)
    table[0] = 0
    for organ in body.organs:
        if organ.key in LUNG_KEYS:
            table[organ.label] = 2
        elif organ.key in bone_keys() and (arms or organ.key not in ARM_KEYS):
            table[organ.label] = 3
    return table[labels]


def tissue_classes(tissues: Tissues) -> npt.NDArray[np.uint8]:
    """Return the same classes for a scan, without arms beside the trunk."""
    classes = tissues.trunk.astype(np.uint8)
    classes[tissues.lungs] = 2
    classes[tissues.bone & ~tissues.limbs] = 3
    return classes


def profiles_cm2(classes: npt.NDArray[np.uint8], grid: Grid) -> npt.NDArray[np.float64]:
    """Return areas [3, nz] of body, lung and bone in each layer, cm2."""
    area = grid.spacing_mm[0] * grid.spacing_mm[1] / 100.0
    masks = (classes > 0, classes == 2, classes == 3)
    return np.array([mask.sum(axis=(1, 2)) * area for mask in masks])


def locate(
    classes: npt.NDArray[np.uint8],
    grid: Grid,
    atlas_classes: npt.NDArray[np.uint8],
    atlas_grid: Grid,
) -> Location:
    """Find the place of a scan along the atlas."""
    scan = np.sqrt(profiles_cm2(classes, grid))
    atlas = np.sqrt(profiles_cm2(atlas_classes, atlas_grid))
    z, za = grid.axis_mm(2), atlas_grid.axis_mm(2)
    weights = np.array(WEIGHTS)[:, None] / np.maximum(atlas.max(axis=1), 1.0)[:, None]
    tips = _lung_tips(scan[1], z, atlas[1], za)
    tried: list[tuple[float, float, float]] = []

    def score(scale: float, offset_mm: float) -> tuple[float, float, float]:
        misfit = _misfit(scan, atlas, weights, z, za, scale, offset_mm)
        misfit += sum(
            TIP_MISFIT * ((ours - offset_mm - scale * theirs) / TIP_MM) ** 2 for ours, theirs in tips
        )
        return misfit, scale, offset_mm

    span = float(z[-1] - z[0])
    for scale in SCALES:
        low, high = scale * za[0] + min(0.0, 0.3 * span), scale * za[-1] - span
        starts = np.arange(low - 0.2 * span, high + 0.2 * span + STEP_MM, STEP_MM)
        for start in starts:
            tried.append(score(scale, float(z[0] - start)))
    best = min(tried)
    fine = [score(best[1] + ds, best[2] + dt) for ds, dt in product((-0.02, 0.0, 0.02), (-2.5, 0.0, 2.5))]
    best = min([*fine, best])
    away = [t[0] for t in tried if abs((t[2] - best[2]) + (t[1] - best[1]) * za.mean()) > 100]
    return Location(scale=best[1], offset_mm=best[2], misfit=best[0], second_misfit=min(away, default=np.inf))


def _lung_tips(
    scan: npt.NDArray[Any], z: npt.NDArray[Any], atlas: npt.NDArray[Any], za: npt.NDArray[Any]
) -> list[tuple[float, float]]:
    """Return (z in the scan, z in the atlas) of the lowest and highest ends of the lungs that are seen."""
    seen, known = np.flatnonzero(scan > 0), np.flatnonzero(atlas > 0)
    tips: list[tuple[float, float]] = []
    if seen.size < 2 or known.size < 2 or scan.max() < 3.0:
        return tips
    if seen[0] > 1:
        # A flat base against one that tapers into a recess: profiles are square roots of areas.
        flat, tapers = atlas[known[0]] > 0.6 * atlas.max(), scan[seen[0]] < 0.6 * scan.max()
        recess = RECESS_MM if flat and tapers else 0.0
        tips.append((float(z[seen[0]]), float(za[known[0]]) - recess))
    if seen[-1] < z.size - 2:
        tips.append((float(z[seen[-1]]), float(za[known[-1]])))
    return tips


def _misfit(
    scan: npt.NDArray[Any],
    atlas: npt.NDArray[Any],
    weights: npt.NDArray[Any],
    z: npt.NDArray[Any],
    za: npt.NDArray[Any],
    scale: float,
    offset_mm: float,
) -> float:
    where = (z - offset_mm) / scale
    seen = np.array([np.interp(where, za, row, left=0.0, right=0.0) for row in atlas])
    difference = np.abs(weights * (scan - seen)).sum(axis=0)
    return float(difference.mean() * (1 + 4 * (scale - 1) ** 2) / sum(WEIGHTS))
