"""Fit an atlas to a scan: place along z, affine, then a smooth deformation, on images of tissue classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel
from omnidose.anatomy.segmentation.grids import factors_for, reduce_mean, reduced_grid
from omnidose.anatomy.segmentation.location import Location, class_image, locate
from omnidose.volume import Grid

#: Brightness of air, soft tissue, lung, bone in the images that are matched.
BRIGHTNESS = np.array([0.0, 100.0, 30.0, 190.0], dtype=np.float32)
#: How far beyond the scan the fitted atlas is kept, for organs that are moved into it, mm.
BEYOND_MM = 140.0
#: Blur of the images, mm.
BLUR_MM = 5.0
#: Voxels of the deformation, the largest step per round, blur of a step, mm.
DEFORM_VOXEL_MM, STEP_MM, FORCE_MM = 7.0, 5.0, 10.0
#: (stiffness in mm, rounds): stiff first.
STIFFNESS = ((30.0, 25), (18.0, 25))


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """An atlas fitted to a scan.

    Attributes
    ----------
    labels
        Atlas labels on the scan's grid, after affine and deformation.
    labels_beyond
        The same with ``margin`` more layers at both ends, where the deformation of the ends goes on.
    affine_to_atlas_mm
        4x4, point of the patient (LPS mm) -> point of the atlas, without the deformation.
    misfit_before, misfit_after
        Mean squared difference of the images at the first guess and after the affine fit.
    """

    labels: npt.NDArray[np.uint8]
    labels_beyond: npt.NDArray[np.uint8]
    margin: int
    affine_to_atlas_mm: npt.NDArray[np.float64]
    location: Location
    misfit_before: float
    misfit_after: float


def register(
    classes: npt.NDArray[np.uint8],
    grid: Grid,
    atlas: BodyModel,
    *,
    deform: bool = True,
    arms: bool = True,
    progress: Callable[[str], None] = lambda _text: None,
) -> Registration:
    """Fit the atlas to the tissue classes of a scan.

    Parameters
    ----------
    classes
        uint8 [z, y, x]: 0 outside, 1 soft, 2 lung, 3 bone.
    deform
        Deform after the affine fit.
    arms
        False if the scan's arms were left out: the atlas's arm bones are then taken for soft tissue.
    """
    from scipy.ndimage import gaussian_filter

    atlas_classes = class_image(atlas.labels, atlas, arms=arms)
    progress("finding the scanned part of the body")
    location = locate(classes, grid, atlas_classes, atlas.grid)
    fixed = gaussian_filter(BRIGHTNESS[classes], [BLUR_MM / d for d in grid.spacing_mm[::-1]])
    moving = gaussian_filter(
        BRIGHTNESS[atlas_classes], [BLUR_MM / d for d in atlas.grid.spacing_mm[::-1]], mode="constant"
    )
    first = first_guess(classes, grid, atlas_classes, atlas.grid, location)
    progress("fitting the phantom: affine")
    affine, before, after = fit_affine(fixed, grid, moving, atlas.grid, first)
    shift = None
    if deform:
        progress("fitting the phantom: deformation")
        factors = factors_for(grid, DEFORM_VOXEL_MM)
        small = reduced_grid(grid, factors)
        flow = fit_deformation(reduce_mean(fixed, factors), small, moving, atlas.grid, affine)
        shift = _resize(flow, small, grid)
    margin = int(np.ceil(BEYOND_MM / grid.spacing_mm[2]))
    beyond = _longer(grid, margin)
    if shift is not None:
        shift = np.pad(shift, ((0, 0), (margin, margin), (0, 0), (0, 0)), mode="edge")
    labels = warp(atlas.labels, atlas.grid, beyond, affine, shift, order=0)
    return Registration(
        labels=labels[margin : margin + grid.shape_zyx[0]],
        labels_beyond=labels,
        margin=margin,
        affine_to_atlas_mm=affine,
        location=location,
        misfit_before=before,
        misfit_after=after,
    )


def _longer(grid: Grid, margin: int) -> Grid:
    """Return a grid with more layers at both ends."""
    nz, ny, nx = grid.shape_zyx
    x, y, z = grid.origin_mm
    return Grid(
        shape_zyx=(nz + 2 * margin, ny, nx),
        spacing_mm=grid.spacing_mm,
        origin_mm=(x, y, z - margin * grid.spacing_mm[2]),
    )


def first_guess(
    classes: npt.NDArray[np.uint8],
    grid: Grid,
    atlas_classes: npt.NDArray[np.uint8],
    atlas_grid: Grid,
    location: Location,
) -> npt.NDArray[np.float64]:
    """Return patient -> atlas as a 4x4 of scales and shifts: z from the profiles, x and y from the extents.

    Extents are those of the lungs where the scan holds both, else of bone and body in the same layers.
    """
    z = grid.axis_mm(2)
    za = atlas_grid.axis_mm(2)
    low, high = ((v - location.offset_mm) / location.scale for v in (z[0], z[-1]))
    seen = (za >= low) & (za <= high)
    matrix = np.eye(4)
    matrix[2, 2] = 1 / location.scale
    matrix[2, 3] = -location.offset_mm / location.scale
    if not seen.any():
        return matrix
    lungs = (classes == 2).sum() * grid.voxel_volume_cm3 > 800
    for axis in (0, 1):
        ours = _extent(classes == 2 if lungs else classes > 0, grid, axis)
        part = atlas_classes[seen]
        theirs = _extent(part == 2 if lungs else part > 0, atlas_grid, axis)
        scale = float(np.clip((theirs[1] - theirs[0]) / max(1.0, ours[1] - ours[0]), 0.7, 1.4))
        matrix[axis, axis] = scale
        matrix[axis, 3] = 0.5 * sum(theirs) - scale * 0.5 * sum(ours)
    return matrix


def _extent(mask: npt.NDArray[np.bool_], grid: Grid, axis: int) -> tuple[float, float]:
    """Return the 2 % and 98 % points of a mask along x (0) or y (1), mm."""
    other = tuple(i for i in range(3) if i != 2 - axis)
    profile = np.cumsum(mask.sum(axis=other).astype(float))
    where = np.interp(np.array([0.02, 0.98]) * profile[-1], profile, grid.axis_mm(axis))
    return float(where[0]), float(where[1])


#: Standard deviations that hold the affine fit near its first guess: shift (mm), logarithm of the scales,
#: turn and shear (rad). They matter where a scan holds little structure along an axis.
PRIOR_SHIFT_MM, PRIOR_SCALE, PRIOR_TURN = 40.0, 0.08, 0.06
#: Points of the scan that the affine fit compares.
AFFINE_POINTS = 10_000
AFFINE_ROUNDS = 15


def fit_affine(
    fixed: npt.NDArray[np.float32],
    grid: Grid,
    moving: npt.NDArray[np.float32],
    atlas_grid: Grid,
    first: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], float, float]:
    """Fit a 4x4 patient -> atlas by least squares on random points, with priors on every parameter.

    Returns the matrix and the mean squared difference before and after.
    """
    from scipy.ndimage import map_coordinates
    from scipy.optimize import least_squares

    points, values = _points(fixed, grid)
    centre = points.mean(axis=0)
    origin, spacing = np.array(atlas_grid.origin_mm), np.array(atlas_grid.spacing_mm)
    sigma = np.array([PRIOR_SHIFT_MM] * 3 + [PRIOR_SCALE] * 3 + [PRIOR_TURN] * 6)
    weight = 0.02 * np.sqrt(len(points))

    def matrix(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        change = np.diag(np.exp(p[3:6]))
        change[[0, 0, 1, 1, 2, 2], [1, 2, 0, 2, 0, 1]] = p[6:]
        out = np.eye(4)
        out[:3, :3] = first[:3, :3] @ change
        middle = first[:3, :3] @ centre + first[:3, 3] + p[:3]
        out[:3, 3] = middle - out[:3, :3] @ centre
        return out

    def residuals(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        m = matrix(p)
        index = (points @ m[:3, :3].T + m[:3, 3] - origin) / spacing
        seen = map_coordinates(moving, index.T[::-1], order=1, mode="constant", cval=0.0)
        return np.concatenate([(seen - values) / 100.0, weight * p / sigma])

    start = np.zeros(12)
    size = np.array([10.0] * 3 + [0.05] * 9)
    # MINPACK counts the evaluations for the slopes too: 13 per round
    fit = least_squares(residuals, start, x_scale=size, method="lm", max_nfev=13 * AFFINE_ROUNDS)
    n = len(points)
    before, after = (1e4 * float(np.mean(residuals(p)[:n] ** 2)) for p in (start, fit.x))
    return matrix(fit.x), before, after


def _points(
    fixed: npt.NDArray[np.float32], grid: Grid
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return random voxel centres (mm) inside and near the body, and their brightness."""
    inside = np.flatnonzero(fixed > 2.0)
    chosen = np.random.default_rng(20).choice(inside, size=min(AFFINE_POINTS, inside.size), replace=False)
    index = np.array(np.unravel_index(chosen, fixed.shape))[::-1].T
    points = index * np.array(grid.spacing_mm) + np.array(grid.origin_mm)
    return points, fixed.ravel()[chosen].astype(np.float64)


def fit_deformation(
    fixed: npt.NDArray[np.float32],
    grid: Grid,
    moving: npt.NDArray[np.float32],
    atlas_grid: Grid,
    affine: npt.NDArray[np.float64],
) -> npt.NDArray[np.float32]:
    """Return displacements [3 (x, y, z), nz, ny, nx] in mm, added to patient points before the affine.

    Optical flow with a regular (Gaussian-smoothed) displacement, stiff first, softer later. (SimpleITK's
    B-spline fit gives the same agreement on the chest but takes twenty times longer.)

    References
    ----------
    Thirion 1998, Med Image Anal 2:243 (demons); Vercauteren et al. 2009, NeuroImage 45:S61.
    """
    from scipy.ndimage import gaussian_filter

    spacing_zyx = np.array(grid.spacing_mm[::-1])
    shift = np.zeros((3, *fixed.shape), dtype=np.float32)
    for stiffness_mm, rounds in STIFFNESS:
        sigma = stiffness_mm / spacing_zyx
        for _round in range(rounds):
            seen = warp(moving, atlas_grid, grid, affine, shift, order=1)
            difference = (seen - fixed) / 100.0
            slope = np.stack([_gradient(seen / 100.0, spacing_zyx[2 - a], 2 - a) for a in range(3)])
            norm = (slope**2).sum(axis=0) + (difference / STEP_MM) ** 2 + 1e-6
            force = -difference * slope / norm
            shift += np.stack([gaussian_filter(f, FORCE_MM / spacing_zyx) for f in force])
            shift = np.stack([gaussian_filter(u, 0.25 * sigma) for u in shift])
    return shift


def _gradient(image: npt.NDArray[Any], spacing_mm: float, axis: int) -> npt.NDArray[Any]:
    """Return the slope along an axis; zero where the image has one layer."""
    if image.shape[axis] < 2:
        return np.zeros_like(image)
    out: npt.NDArray[Any] = np.gradient(image, spacing_mm, axis=axis)
    return out


def warp(
    moving: npt.NDArray[Any],
    atlas_grid: Grid,
    grid: Grid,
    affine: npt.NDArray[np.float64],
    shift: npt.NDArray[np.float32] | None,
    *,
    order: Literal[0, 1],
) -> npt.NDArray[Any]:
    """Return the atlas's array on the patient's grid (0 outside the atlas)."""
    from scipy.ndimage import map_coordinates

    x, y, z = (grid.axis_mm(axis).astype(np.float32) for axis in range(3))
    points = [x[None, None, :], y[None, :, None], z[:, None, None]]
    if shift is not None:
        points = [p + u for p, u in zip(points, shift, strict=True)]
    index = []
    for axis in (2, 1, 0):
        row = affine[axis].astype(np.float32)
        where = row[0] * points[0] + row[1] * points[1] + row[2] * points[2] + row[3]
        index.append((where - atlas_grid.origin_mm[axis]) / atlas_grid.spacing_mm[axis])
    coordinates = np.stack([np.broadcast_to(i, grid.shape_zyx) for i in index])
    kind = moving.astype(np.float32) if order else moving
    out: npt.NDArray[Any] = map_coordinates(
        kind, coordinates, order=1 if order else 0, mode="constant", cval=0.0
    )
    return out


def _resize(shift: npt.NDArray[np.float32], small: Grid, grid: Grid) -> npt.NDArray[np.float32]:
    """Return displacements of a small grid on a finer one."""
    return np.stack([warp(u, small, grid, np.eye(4), None, order=1) for u in shift]).astype(np.float32)
