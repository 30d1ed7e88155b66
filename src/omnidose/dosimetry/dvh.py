"""Dose-volume histograms and hot spots from a dose map.

Voxel doses of a Monte Carlo run carry noise, which broadens histograms and raises hot spots: the
1 cm3 hot spot averages over a cube, so it suffers least; D2 % of small organs suffers most.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnidose.dosimetry.results import DoseVolumeHistogram
from omnidose.errors import InputError
from omnidose.volume import Grid

ArrayF8 = npt.NDArray[np.float64]


def cumulative_histogram(
    dose_mgy: npt.ArrayLike, *, weights: npt.ArrayLike | None = None, bins: int = 200
) -> DoseVolumeHistogram:
    """Return the cumulative dose-volume histogram of voxels.

    Parameters
    ----------
    dose_mgy
        [n] dose of every voxel of the organ.
    weights
        [n] share of each voxel that belongs to the organ; None means all.
    bins
        Number of bins between 0 and the largest dose.

    Returns
    -------
    DoseVolumeHistogram
        ``bins + 1`` edges from 0 to the largest dose; the share of volume at or above each edge, exact at the
        edges.
    """
    dose, weight = _checked(dose_mgy, weights)
    order = np.argsort(dose)
    dose, weight = dose[order], weight[order]
    below = np.concatenate([[0.0], np.cumsum(weight)])
    edges = np.linspace(0.0, dose[-1] if dose[-1] > 0 else 1.0, bins + 1)
    first = np.searchsorted(dose, edges, side="left")
    return DoseVolumeHistogram(dose_mgy=edges, volume_fraction=1.0 - below[first] / below[-1])


def mean_of_histogram_mgy(histogram: DoseVolumeHistogram) -> float:
    """Return the mean dose as the area under the cumulative histogram (trapezoids), in mGy."""
    return float(np.trapezoid(histogram.volume_fraction, histogram.dose_mgy))


def dose_at_volume_mgy(
    dose_mgy: npt.ArrayLike, volume_fraction: float, *, weights: npt.ArrayLike | None = None
) -> float:
    """Return the dose that the hottest ``volume_fraction`` of the organ gets at least (D2 % for 0.02)."""
    if not 0 < volume_fraction <= 1:
        raise InputError(f"a volume share of {volume_fraction} is not possible", allowed="above 0, at most 1")
    dose, weight = _checked(dose_mgy, weights)
    order = np.argsort(dose)[::-1]
    taken = np.cumsum(weight[order]) / weight.sum()
    index = int(np.searchsorted(taken, volume_fraction - 1e-12))
    return float(dose[order][min(index, dose.size - 1)])


def hot_spot_mgy(
    dose_map_mgy: npt.NDArray[np.floating],
    voxels: npt.NDArray[np.int64],
    grid: Grid,
    *,
    volume_cm3: float = 1.0,
) -> float:
    """Return the largest mean dose of a box of about ``volume_cm3`` that lies in the organ.

    Parameters
    ----------
    dose_map_mgy
        [z, y, x] dose.
    voxels
        Flat indices of the organ's voxels.
    grid
        Grid of the dose.
    volume_cm3
        Volume over which the dose is averaged. The box is as near to a cube as voxels allow.

    Returns
    -------
    float
        In mGy. Boxes that are less than 90 % organ do not count; if there is none, the organ's mean
        (it is then too small or thin for a hot spot of this volume).
    """
    if dose_map_mgy.shape != grid.shape_zyx:
        raise InputError(f"a dose of {dose_map_mgy.shape} does not fit the grid {grid.shape_zyx}")
    if voxels.size == 0:
        return float("nan")
    where = np.unravel_index(voxels, grid.shape_zyx)
    low = [int(w.min()) for w in where]
    high = [int(w.max()) + 1 for w in where]
    inside = np.zeros([h - n for n, h in zip(low, high, strict=True)], dtype=np.bool_)
    inside[tuple(w - n for w, n in zip(where, low, strict=True))] = True
    part = dose_map_mgy[tuple(slice(n, h) for n, h in zip(low, high, strict=True))]
    dose = np.where(inside, part, 0.0).astype(np.float64)
    side_mm = (volume_cm3 * 1000.0) ** (1 / 3)
    size = [max(1, round(side_mm / grid.spacing_mm[axis])) for axis in (2, 1, 0)]
    if any(n > extent for n, extent in zip(size, inside.shape, strict=True)):
        return float(dose.sum() / inside.sum())
    count = _box_sums(inside.astype(np.float64), size)
    total = _box_sums(dose, size)
    usable = count >= 0.9 * np.prod(size)
    if not usable.any():
        return float(dose.sum() / inside.sum())
    return float(np.max(total[usable] / count[usable]))


def _box_sums(array: ArrayF8, size: list[int]) -> ArrayF8:
    """Return the sum over every box of ``size`` voxels that fits, by cumulative sums along each axis."""
    for axis, n in enumerate(size):
        moved = np.moveaxis(array, axis, 0)
        summed = np.zeros((moved.shape[0] + 1, *moved.shape[1:]))
        np.cumsum(moved, axis=0, out=summed[1:])
        array = np.moveaxis(summed[n:] - summed[:-n], 0, axis)
    return array


def _checked(dose_mgy: npt.ArrayLike, weights: npt.ArrayLike | None) -> tuple[ArrayF8, ArrayF8]:
    dose = np.asarray(dose_mgy, dtype=np.float64).ravel()
    weight = np.ones(dose.size) if weights is None else np.asarray(weights, dtype=np.float64).ravel()
    if dose.size == 0 or weight.shape != dose.shape or not weight.sum() > 0 or np.any(weight < 0):
        raise InputError("a histogram needs at least one voxel, and weights >= 0 with a positive sum")
    return dose, weight
