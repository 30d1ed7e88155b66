"""Outlines of a simulated patient as somebody draws them: borders too far out or in, all a bit beside."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from omnidose.modalities.nuclear.imaging.patients import ORGANS, Patient
from omnidose.modalities.nuclear.imaging.scans import FINER, pooled

ArrayF4 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Name -> [z, y, x] share of each voxel of the image inside, and inside a border a step out and in."""

    share: dict[str, ArrayF4]
    larger: dict[str, ArrayF4]
    smaller: dict[str, ArrayF4]
    step_mm: float


def true_outlines(patient: Patient, shares: dict[str, ArrayF4]) -> Drawn:
    """Return the outlines as they are; organs whole, with the lesions in them."""
    depth = _depths_mm(patient, shares)
    whole = _whole(patient, shares)
    return Drawn(
        share={name: _pooled(whole[name]) for name in depth},
        larger={name: _inside(d, STEP_MM, patient) for name, d in depth.items()},
        smaller={name: _inside(d, -STEP_MM, patient) for name, d in depth.items()},
        step_mm=STEP_MM,
    )


def drawn_outlines(
    patient: Patient, shares: dict[str, ArrayF4], *, border_std_mm: float, beside_std_mm: float
) -> Drawn:
    """Return outlines that are wrong.

    Parameters
    ----------
    border_std_mm
        Standard deviation of how far the whole border of an organ or lesion lies too far out: an even
        distribution, so at most 1.73 times as far.
    beside_std_mm
        The same of its place along each axis.
    """
    rng = np.random.default_rng([177, patient.seed, 3])
    border, depth = {}, {}
    for name, true in _depths_mm(patient, shares).items():
        border[name] = float(rng.uniform(-1, 1)) * sqrt(3) * border_std_mm
        depth[name] = _shifted(true, rng.normal(0, beside_std_mm, 3), patient.anatomy.grid.spacing_mm)
    return Drawn(
        share={name: _inside(d, border[name], patient) for name, d in depth.items()},
        larger={name: _inside(d, border[name] + STEP_MM, patient) for name, d in depth.items()},
        smaller={name: _inside(d, border[name] - STEP_MM, patient) for name, d in depth.items()},
        step_mm=STEP_MM,
    )


#: Step by which a border is moved to see what follows from it.
STEP_MM = 0.5


def _depths_mm(patient: Patient, shares: dict[str, ArrayF4]) -> dict[str, ArrayF4]:
    """Name -> [z, y, x] distance from the border, inside positive."""
    grid, whole = patient.anatomy.grid, _whole(patient, shares)
    depth = {organ: _depth_mm(whole[organ] > 0.5, grid.spacing_mm) for organ in ORGANS}
    return depth | {lesion.name: lesion.depth_mm(grid) for lesion in patient.lesions}


def _whole(patient: Patient, shares: dict[str, ArrayF4]) -> dict[str, ArrayF4]:
    """Region -> its share with the lesions in it."""
    whole = {name: shares[name] for name in patient.regions}
    for lesion in patient.lesions:
        if lesion.host in whole:
            whole[lesion.host] = whole[lesion.host] + shares[lesion.name]
    return whole


def _inside(depth_mm: ArrayF4, border_mm: float, patient: Patient) -> ArrayF4:
    step = np.float32(patient.anatomy.grid.spacing_mm[0])
    return _pooled(np.clip(0.5 + (depth_mm + np.float32(border_mm)) / step, 0, 1))


def _pooled(fine: ArrayF4) -> ArrayF4:
    return pooled(fine) / np.float32(FINER**3)


def _depth_mm(inside: npt.NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> ArrayF4:
    """[z, y, x] distance from the border, inside positive; cut off at 20 mm."""
    from scipy.ndimage import distance_transform_edt

    window = tuple(slice(max(0, int(w.min()) - 8), int(w.max()) + 9) for w in np.nonzero(inside))
    part, step = inside[window], spacing_mm[::-1]
    half = 0.5 * spacing_mm[0]
    found = np.where(
        part,
        distance_transform_edt(part, step) - half,
        half - distance_transform_edt(~part, step),
    )
    out = np.full(inside.shape, -20.0, np.float32)
    out[window] = np.clip(found, -20, 20)
    return out


def _shifted(
    array: ArrayF4, by_mm: npt.NDArray[np.float64], spacing_mm: tuple[float, float, float]
) -> ArrayF4:
    from scipy.ndimage import shift

    steps = by_mm[::-1] / np.array(spacing_mm[::-1])
    return np.asarray(shift(array, steps, order=1, mode="nearest"), dtype=np.float32)
