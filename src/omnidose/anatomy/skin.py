"""Skin as an outer shell, thinner than a voxel.

The skin of the reference adults weighs 3.3 kg (male) and 2.3 kg (female) on 1.9 and 1.66 m2
(ICRP 89): about 1.6 mm and 1.3 mm thick. Voxels of a CT are about that size across and larger along the axis,
so a shell of whole voxels would be too thick. ``skin_region`` takes the outermost voxels of the
body and gives each the share of its mass that lies within the skin's thickness.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyRegion, Origin
from omnidose.errors import GeometryError, InputError
from omnidose.volume import Grid

#: Mean skin thickness of reference adults, mm: mass / (1.09 g/cm3 x body surface), ICRP 89 (2002),
#: tables 2.9 and 2.8: 3.3 kg on 1.90 m2 and 2.3 kg on 1.66 m2.
SKIN_G_CM3 = 1.09
THICKNESS_MM = {"M": 1.6, "F": 1.3, "": 1.45}


def skin_region(
    body_mask: npt.NDArray[np.bool_],
    grid: Grid,
    *,
    thickness_mm: float = THICKNESS_MM[""],
    cut_faces: tuple[bool, bool, bool, bool, bool, bool] = (False, False, False, False, True, True),
    imaged_fraction: float = 1.0,
) -> BodyRegion:
    """Return the skin as a fractional region.

    Parameters
    ----------
    body_mask
        bool [z, y, x], True inside the body (fill airways and bowel gas first: only what touches the
        outside becomes skin).
    grid
        Grid of the mask.
    thickness_mm
        Skin thickness.
    cut_faces
        For the faces of the grid (-x, +x, -y, +y, -z, +z): True where the image cuts through the body,
        so that the border of the grid is not skin. The default suits a scan of a part of the body.
    imaged_fraction
        Share of the person's skin that is in the images.

    Returns
    -------
    BodyRegion
        Key ``skin``, weights = share of the voxel's mass.

    Notes
    -----
    A voxel with n open faces along an axis (0, 1 or 2) of size d has the skin share
    ``1 - prod over axes of max(0, 1 - n t / d)``: exact for a shell of thickness t on a body with
    faces along the grid. On a sloping surface the stair-cased area is up to 1.7 times the true one,
    so the region's mass is too large; its dose, a mean over the shell, hardly changes.
    """
    if body_mask.shape != grid.shape_zyx:
        raise GeometryError(f"a mask of {body_mask.shape} does not fit the grid {grid.shape_zyx}")
    if not thickness_mm > 0:
        raise InputError(f"a skin of {thickness_mm} mm is not possible", allowed="a positive thickness")
    if not body_mask.any():
        raise InputError("the body mask is empty: there is no skin", todo="check the body segmentation")
    remaining = np.ones(body_mask.shape, dtype=np.float32)
    for array_axis, axis in enumerate((2, 1, 0)):
        spacing = grid.spacing_mm[axis]
        open_faces = _open_faces(body_mask, array_axis, cut_faces[2 * axis], cut_faces[2 * axis + 1])
        remaining *= np.maximum(0.0, 1.0 - open_faces * np.float32(thickness_mm / spacing))
    share = np.where(body_mask, 1.0 - remaining, 0.0).astype(np.float32).ravel()
    voxels = np.flatnonzero(share > 0).astype(np.int64)
    return BodyRegion(
        key="skin",
        voxels=voxels,
        weights=share[voxels],
        origin=Origin.SEGMENTED,
        imaged_fraction=imaged_fraction,
    )


def body_surface_m2(height_cm: float, weight_kg: float) -> float:
    """Return the body surface area in m2.

    References
    ----------
    D. Du Bois, E. F. Du Bois, Arch. Intern. Med. 17 (1916) 863.
    """
    return float(0.007184 * height_cm**0.725 * weight_kg**0.425)


def with_whole_skin(
    region: BodyRegion,
    completed: npt.NDArray[np.bool_],
    density_g_cm3: npt.NDArray[np.float32],
    voxel_volume_cm3: float,
    *,
    mass_g: float,
) -> BodyRegion:
    """Return the skin with its completed part scaled so that the whole skin has a given mass.

    A stylised phantom has less surface than a person (no arms beside the trunk, cones for legs, no ears):
    its skin would be too small, and the mean dose of the whole skin too high. The imaged part stays.

    Parameters
    ----------
    completed, density_g_cm3
        [z, y, x] of the body.
    mass_g
        Mass of the person's whole skin.
    """
    if region.weights is None:
        raise InputError("the skin region has no weights")
    beyond = completed.ravel()[region.voxels]
    grams = region.weights * density_g_cm3.ravel()[region.voxels] * voxel_volume_cm3
    seen, added = float(grams[~beyond].sum()), float(grams[beyond].sum())
    if added <= 0 or mass_g <= seen:
        return region
    weights = region.weights.copy()
    weights[beyond] = np.minimum(1.0, weights[beyond] * np.float32((mass_g - seen) / added))
    return replace(region, weights=weights)


def _open_faces(
    mask: npt.NDArray[np.bool_], axis: int, cut_lower: bool, cut_upper: bool
) -> npt.NDArray[np.float32]:
    """Count the faces along one array axis (0 to 2) through which each voxel sees the outside."""
    moved = np.moveaxis(mask, axis, 0)
    count = np.zeros(moved.shape, dtype=np.float32)
    count[1:] += ~moved[:-1]
    count[:-1] += ~moved[1:]
    count[0] += 0.0 if cut_lower else 1.0
    count[-1] += 0.0 if cut_upper else 1.0
    return np.moveaxis(count, 0, axis)


def lens_region(
    eye_mask: npt.NDArray[np.bool_],
    grid: Grid,
    *,
    key: str,
    front_mm: float = 3.0,
    semi_axes_mm: tuple[float, float] = (4.8, 2.0),
    samples: int = 4,
) -> BodyRegion:
    """Return an eye lens as a sub-voxel region at the front of an eye.

    Parameters
    ----------
    eye_mask
        bool [z, y, x] of one eye ball.
    grid
        Grid of the mask.
    key
        ``left-lens`` or ``right-lens``.
    front_mm
        Depth of the lens's front pole behind the foremost point of the eye: the depth for which
        Hp(3) stands for the lens.
    semi_axes_mm
        Semi-axes of the ellipsoid across and along the line of sight (taken as straight ahead, -y);
        the default has 0.19 cm3, the lens of ICRP 110 has 0.18 cm3.
    samples
        Sub-voxels along each axis for the partial volumes.
    """
    where = np.argwhere(eye_mask)
    if where.size == 0:
        raise InputError(f"the eye of '{key}' is empty: the lens has no place", todo="check the eye's mask")
    centre_zyx = where.mean(axis=0)
    spacing = np.asarray(grid.spacing_mm)
    origin = np.asarray(grid.origin_mm)
    centre = origin + centre_zyx[::-1] * spacing
    front_y = origin[1] + (where[:, 1].min() - 0.5) * spacing[1]
    across, along = semi_axes_mm
    centre[1] = front_y + front_mm + along
    half = np.array([across, along, across])
    low, high = centre - half, centre + half
    first = np.maximum(0, np.floor((low - grid.lower_mm) / spacing)).astype(int)
    last = np.minimum(
        np.asarray(grid.shape_zyx[::-1]) - 1, np.floor((high - grid.lower_mm) / spacing)
    ).astype(int)
    offsets = (np.arange(samples) + 0.5) / samples
    axes = [
        (grid.lower_mm[a] + spacing[a] * (np.arange(first[a], last[a] + 1)[:, None] + offsets)).ravel()
        for a in range(3)
    ]
    x, y, z = axes
    inside = (
        ((x - centre[0]) / across)[None, None, :] ** 2
        + ((y - centre[1]) / along)[None, :, None] ** 2
        + ((z - centre[2]) / across)[:, None, None] ** 2
    ) <= 1
    shape = [n // samples for n in inside.shape]
    share = inside.reshape(shape[0], samples, shape[1], samples, shape[2], samples).mean(axis=(1, 3, 5))
    nz, ny, nx = np.nonzero(share)
    flat = np.ravel_multi_index((nz + first[2], ny + first[1], nx + first[0]), grid.shape_zyx)
    return BodyRegion(key=key, voxels=flat.astype(np.int64), weights=share[nz, ny, nx].astype(np.float32))
