"""From a stack of slices to a straight grid: gantry tilt, variable gaps, oblique planes.

Three cases, decided from ImageOrientation/ImagePosition alone:

1. straight and evenly spaced: axes are permuted and flipped to LPS, no value changes;
2. one in-plane axis along a patient axis, slices stacked along another, the third tilted towards the
   stack (gantry tilt, with shear), or uneven gaps: linear interpolation along the stack, row by row.
   The in-plane spacing along the tilted axis becomes spacing x cos(tilt), so that nothing has to be
   interpolated within the plane;
3. anything else (oblique planes): trilinear interpolation onto a straight grid around the stack.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.errors import GeometryError
from omnidose.volume import Volume

ArrayF8 = npt.NDArray[np.float64]

#: HU written where no image is: air.
OUTSIDE_HU = -1024
#: Coarsest spacing of a resampled stack; thicker slices are interpolated down to it.
MAX_RESAMPLED_STEP_MM = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Parallel slices of one size, sorted along their normal.

    Attributes
    ----------
    origins_mm
        [n, 3] centre of the first pixel of every slice.
    spacing_mm
        In-plane distance between (columns, rows).
    """

    origins_mm: ArrayF8
    row_direction: ArrayF8
    column_direction: ArrayF8
    spacing_mm: tuple[float, float]

    @property
    def normal(self) -> ArrayF8:
        """Unit vector along which the slices are sorted."""
        return np.cross(self.row_direction, self.column_direction)

    @property
    def positions_mm(self) -> ArrayF8:
        """[n] distance of every slice along the normal."""
        out: ArrayF8 = self.origins_mm @ self.normal
        return out

    @property
    def gaps_mm(self) -> ArrayF8:
        """[n - 1] distance between neighbouring slices along the normal."""
        return np.diff(self.positions_mm)

    def is_even(self) -> bool:
        """Return True if no slice is more than 2 % of a gap (or 0.02 mm) away from even spacing."""
        n = len(self.origins_mm)
        if n < 3:
            return True
        even = np.linspace(self.positions_mm[0], self.positions_mm[-1], n)
        step = abs(even[1] - even[0])
        return bool(np.max(np.abs(self.positions_mm - even)) <= max(0.02 * step, 0.02))


def straighten(
    array: npt.NDArray[np.int16], stack: Stack, slice_thickness_mm: float
) -> tuple[Volume, npt.NDArray[np.bool_] | None, str]:
    """Bring a stack to a straight LPS grid.

    Parameters
    ----------
    array
        HU [slice, row, column], in the order of the stack.
    slice_thickness_mm
        Used as the step of a single slice, and as the thickness of the first and last.

    Returns
    -------
    tuple
        Volume along +L, +P, +S; mask [z, y, x] of what is covered by the slices (None: everything);
        and what was done, in words (empty if only axes were permuted).
    """
    aligned = _is_aligned(stack, array.shape)
    if aligned and stack.is_even():
        return Volume(array=array, affine_lps_mm=_affine(stack, slice_thickness_mm)).to_lps(), None, ""
    sheared = _shear_axes(stack)
    if sheared is not None and len(stack.origins_mm) > 1:
        return _shear(array, stack, sheared, slice_thickness_mm)
    if len(stack.origins_mm) < 2:
        raise GeometryError(
            "a single oblique slice cannot be brought to a straight grid", todo="use axial images"
        )
    return _resample(array, stack)


def _affine(stack: Stack, slice_thickness_mm: float) -> ArrayF8:
    n = len(stack.origins_mm)
    affine = np.eye(4)
    affine[:3, 0] = stack.row_direction * stack.spacing_mm[0]
    affine[:3, 1] = stack.column_direction * stack.spacing_mm[1]
    step = (
        stack.normal * slice_thickness_mm
        if n == 1
        else (stack.origins_mm[-1] - stack.origins_mm[0]) / (n - 1)
    )
    affine[:3, 2] = step
    affine[:3, 3] = stack.origins_mm[0]
    snapped = np.zeros((3, 3))  # within tolerance of an axis (checked before): exactly along it
    for column in range(3):
        axis = int(np.argmax(np.abs(affine[:3, column])))
        length = np.linalg.norm(affine[:3, column])
        snapped[axis, column] = np.sign(affine[axis, column]) * length
    affine[:3, :3] = snapped
    return affine


def _is_aligned(stack: Stack, shape: tuple[int, ...]) -> bool:
    """Return True if no voxel of the stack is off a straight grid by more than half a pixel."""
    tolerance = 0.5 * min(stack.spacing_mm)
    extents = (shape[2] * stack.spacing_mm[0], shape[1] * stack.spacing_mm[1])
    for direction, extent in zip((stack.row_direction, stack.column_direction), extents, strict=True):
        if np.sqrt(max(0.0, 1.0 - np.max(np.abs(direction)) ** 2)) * extent > tolerance:
            return False
    along = stack.positions_mm - stack.positions_mm[0]
    drift = stack.origins_mm - stack.origins_mm[0] - along[:, None] * stack.normal
    return bool(np.max(np.linalg.norm(drift, axis=1)) <= tolerance)


def _shear_axes(stack: Stack) -> tuple[int, int, int, bool] | None:
    """Return the patient axes of the straight and the tilted in-plane direction and of the stack.

    The fourth value tells whether the row direction is the straight one. None if the stack
    is not of that kind.
    """
    travel = stack.origins_mm - stack.origins_mm[0]
    stack_axis = int(np.argmax(np.max(np.abs(travel), axis=0)))
    others = [a for a in range(3) if a != stack_axis]
    if np.max(np.abs(travel[:, others])) > 0.5 * min(stack.spacing_mm):
        return None
    for straight, tilted, row_is_straight in (
        (stack.row_direction, stack.column_direction, True),
        (stack.column_direction, stack.row_direction, False),
    ):
        axis = int(np.argmax(np.abs(straight)))
        if axis == stack_axis or 1.0 - abs(straight[axis]) > 1e-6:
            continue
        tilted_axis = 3 - axis - stack_axis
        if abs(tilted[tilted_axis]) > 0.5:
            return axis, tilted_axis, stack_axis, row_is_straight
    return None


def _shear(
    array: npt.NDArray[np.int16], stack: Stack, axes: tuple[int, int, int, bool], slice_thickness_mm: float
) -> tuple[Volume, npt.NDArray[np.bool_] | None, str]:
    straight_axis, tilted_axis, stack_axis, row_is_straight = axes
    if not row_is_straight:  # let the tilted direction be the rows' (second) index
        array = np.swapaxes(array, 1, 2)
    straight, tilted = stack.row_direction, stack.column_direction
    d_straight, d_tilted = stack.spacing_mm
    if not row_is_straight:
        straight, tilted, d_straight, d_tilted = tilted, straight, d_tilted, d_straight
    positions = stack.origins_mm[:, stack_axis]
    order = np.argsort(positions)
    positions, array = positions[order], array[order]
    shift = np.arange(array.shape[1]) * d_tilted * tilted[stack_axis]
    gaps = np.diff(positions)
    step = float(min(np.median(gaps), MAX_RESAMPLED_STEP_MM))
    low, high = positions[0] + shift.min(), positions[-1] + shift.max()
    count = int(np.floor((high - low) / step + 1e-6)) + 1
    targets = low + step * np.arange(count)
    out = np.full((count, *array.shape[1:]), OUTSIDE_HU, dtype=np.int16)
    covered = np.zeros((count, array.shape[1]), dtype=bool)
    edge = 0.5 * min(slice_thickness_mm, float(np.max(gaps)))
    for j, offset in enumerate(shift):
        z = targets - offset
        inside = (z >= positions[0] - edge) & (z <= positions[-1] + edge)
        covered[:, j] = inside
        k = np.clip(np.searchsorted(positions, z[inside], side="right") - 1, 0, len(positions) - 2)
        weight = np.clip((z[inside] - positions[k]) / gaps[k], 0.0, 1.0).astype(np.float32)[:, None]
        out[inside, j, :] = np.rint(array[k, j, :] * (1 - weight) + array[k + 1, j, :] * weight)
    affine = np.eye(4)
    affine[:3, :3] = 0.0
    affine[straight_axis, 0] = np.sign(straight[straight_axis]) * d_straight
    affine[tilted_axis, 1] = tilted[tilted_axis] * d_tilted
    affine[stack_axis, 2] = step
    affine[:3, 3] = stack.origins_mm[order[0]]
    affine[stack_axis, 3] = low
    mask = None
    if not covered.all():
        whole = np.ascontiguousarray(np.broadcast_to(covered[:, :, None], out.shape))
        mask = Volume(array=whole, affine_lps_mm=affine).to_lps().array
    tilt_deg = float(np.degrees(np.arcsin(abs(tilted[stack_axis]))))
    words = []
    if tilt_deg > 0.05:
        words.append(f"a tilt of {tilt_deg:.1f} deg")
    if not stack.is_even():
        words.append(f"gaps of {gaps.min():.2f} to {gaps.max():.2f} mm")
    note = f"{' and '.join(words)} were resampled to a straight grid of {step:.2f} mm by linear interpolation"
    return Volume(array=out, affine_lps_mm=affine).to_lps(), mask, note


def _resample(array: npt.NDArray[np.int16], stack: Stack) -> tuple[Volume, npt.NDArray[np.bool_] | None, str]:
    from scipy.ndimage import map_coordinates

    n, rows, columns = array.shape
    spread = [
        stack.origins_mm[k] + i * stack.spacing_mm[0] * stack.row_direction
        + j * stack.spacing_mm[1] * stack.column_direction
        for k in (0, n - 1) for j in (0, rows - 1) for i in (0, columns - 1)
    ]  # fmt: skip
    low, high = np.min(spread, axis=0), np.max(spread, axis=0)
    fine = float(min(stack.spacing_mm))
    step = float(min(np.median(stack.gaps_mm), MAX_RESAMPLED_STEP_MM))
    spacing = np.array([fine, fine, fine])
    stack_axis = int(np.argmax(np.abs(stack.normal)))
    spacing[stack_axis] = step
    size = np.floor((high - low) / spacing + 1e-6).astype(int) + 1
    if int(np.prod(size)) > 600_000_000:
        raise GeometryError(
            f"an oblique stack would need a straight grid of {size[0]} x {size[1]} x {size[2]} voxels",
            todo="use axial images or a coarser in-plane reduction",
        )
    out = np.full(size[::-1], OUTSIDE_HU, dtype=np.int16)
    mask = np.zeros(size[::-1], dtype=bool)
    index = np.arange(n, dtype=np.float64)
    y, x = np.meshgrid(
        low[1] + spacing[1] * np.arange(size[1]), low[0] + spacing[0] * np.arange(size[0]), indexing="ij"
    )
    origins = stack.origins_mm
    for layer in range(size[2]):
        points = np.stack([x, y, np.full_like(x, low[2] + spacing[2] * layer)], axis=-1)
        p = points @ stack.normal
        k = np.interp(p, stack.positions_mm, index)
        here = np.stack([np.interp(k, index, origins[:, a]) for a in range(3)], axis=-1)
        offset = points - here
        i = offset @ stack.row_direction / stack.spacing_mm[0]
        j = offset @ stack.column_direction / stack.spacing_mm[1]
        off_plane = np.abs(p - np.interp(k, index, stack.positions_mm))
        inside = (
            (off_plane <= 0.5 * step) & (i >= -0.5) & (i <= columns - 0.5) & (j >= -0.5) & (j <= rows - 0.5)
        )
        if inside.any():
            at = np.stack([k[inside], j[inside], i[inside]])
            values = map_coordinates(array, at, output=np.float32, order=1, mode="nearest", prefilter=False)
            out[layer][inside] = np.rint(values)
            mask[layer] = inside
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low
    note = "oblique images were resampled to a straight grid by trilinear interpolation"
    return Volume(array=out, affine_lps_mm=affine), mask, note
