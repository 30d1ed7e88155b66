"""Arrays that know where they are: ``Grid`` (axis-aligned, for transport) and ``Volume`` (any affine).

Coordinates are DICOM patient LPS in mm everywhere: +x to the patient's left, +y to the back,
+z to the head. Arrays are indexed ``[z, y, x]`` (slice, row, column), C order, so x runs fastest.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from omnidose.errors import GeometryError

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A regular grid whose axes are those of the patient (LPS).

    Attributes
    ----------
    shape_zyx
        Number of voxels (nz, ny, nx).
    spacing_mm
        Voxel size (dx, dy, dz), all positive.
    origin_mm
        Centre of voxel [0, 0, 0] as (x, y, z).
    """

    shape_zyx: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]

    def __post_init__(self) -> None:
        if min(self.shape_zyx) < 1 or min(self.spacing_mm) <= 0:
            raise GeometryError(
                f"a grid of shape {self.shape_zyx} with voxels of {self.spacing_mm} mm has no volume",
                allowed="at least one voxel along each axis and positive voxel sizes",
            )

    @property
    def voxel_count(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape_zyx))

    @property
    def voxel_volume_cm3(self) -> float:
        """Volume of one voxel."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    @property
    def lower_mm(self) -> npt.NDArray[np.float64]:
        """Corner of the grid with the smallest x, y, z (outer voxel faces)."""
        lower = np.asarray(self.origin_mm) - 0.5 * np.asarray(self.spacing_mm)
        return np.asarray(lower, dtype=np.float64)

    @property
    def upper_mm(self) -> npt.NDArray[np.float64]:
        """Corner of the grid with the largest x, y, z (outer voxel faces)."""
        upper = self.lower_mm + np.asarray(self.shape_zyx[::-1]) * np.asarray(self.spacing_mm)
        return np.asarray(upper, dtype=np.float64)

    @property
    def affine_lps_mm(self) -> npt.NDArray[np.float64]:
        """4x4 matrix from (i, j, k) = (column, row, slice) to (x, y, z)."""
        affine = np.diag([*self.spacing_mm, 1.0])
        affine[:3, 3] = self.origin_mm
        return np.asarray(affine, dtype=np.float64)

    def axis_mm(self, axis: int) -> npt.NDArray[np.float64]:
        """Return the voxel centres along x (0), y (1) or z (2)."""
        n = self.shape_zyx[2 - axis]
        return np.asarray(self.origin_mm[axis] + self.spacing_mm[axis] * np.arange(n), dtype=np.float64)

    @classmethod
    def centred(cls, shape_zyx: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Self:
        """Make a grid whose centre is the point (0, 0, 0)."""
        nz, ny, nx = shape_zyx
        dx, dy, dz = spacing_mm
        origin = (-(nx - 1) * dx / 2, -(ny - 1) * dy / 2, -(nz - 1) * dz / 2)
        return cls(shape_zyx=shape_zyx, spacing_mm=spacing_mm, origin_mm=origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """An array with its place in the patient.

    Attributes
    ----------
    array
        Indexed [z, y, x] = (slice k, row j, column i).
    affine_lps_mm
        4x4 matrix from (i, j, k, 1) to (x, y, z, 1), voxel centres, LPS mm.
    frame_of_reference_uid
        DICOM frame of reference; empty if there is none.
    source_uids
        SOP Instance UIDs (or other keys) of what the array was made from.
    """

    array: npt.NDArray[Any]
    affine_lps_mm: npt.NDArray[np.float64]
    frame_of_reference_uid: str = ""
    source_uids: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or self.affine_lps_mm.shape != (4, 4):
            raise GeometryError(
                f"a volume needs a 3-D array and a 4x4 affine, not {self.array.ndim}-D and "
                f"{self.affine_lps_mm.shape}"
            )
        if abs(np.linalg.det(self.affine_lps_mm[:3, :3])) < 1e-12:
            raise GeometryError(
                "the affine of a volume is singular", todo="check image orientation and spacing"
            )

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along column, row and slice index."""
        d = np.linalg.norm(self.affine_lps_mm[:3, :3], axis=0)
        return (float(d[0]), float(d[1]), float(d[2]))

    @property
    def is_axis_aligned(self) -> bool:
        """True if every index axis is parallel to a patient axis (within 1e-4)."""
        cosines = np.abs(self.affine_lps_mm[:3, :3] / np.asarray(self.spacing_mm))
        return bool(np.all((cosines < 1e-4) | (cosines > 1 - 1e-4)))

    def to_lps(self) -> Volume:
        """Return the same voxels with index axes along +L, +P, +S (permute and flip only).

        Raises
        ------
        GeometryError
            If the axes are oblique: resampling is then needed and must be asked for.
        """
        if not self.is_axis_aligned:
            raise GeometryError(
                "the volume is oblique to the patient axes",
                todo="resample it onto a straight grid first",
            )
        matrix = self.affine_lps_mm[:3, :3]
        order = [
            int(np.argmax(np.abs(matrix[axis]))) for axis in range(3)
        ]  # index axis that runs along x, y, z
        array = np.transpose(self.array, [2 - order[2], 2 - order[1], 2 - order[0]])
        affine = self.affine_lps_mm.copy()
        affine[:3, :3] = matrix[:, order]
        for axis in range(3):
            if affine[axis, axis] < 0:
                n = array.shape[2 - axis]
                affine[:3, 3] += affine[:3, axis] * (n - 1)
                affine[:3, axis] *= -1
                array = np.flip(array, 2 - axis)
        return replace(self, array=np.ascontiguousarray(array), affine_lps_mm=affine)

    @property
    def grid(self) -> Grid:
        """The grid, if the index axes run along +L, +P, +S."""
        diagonal = np.diag(self.affine_lps_mm)[:3]
        off = self.affine_lps_mm[:3, :3] - np.diag(diagonal)
        if np.any(diagonal <= 0) or np.max(np.abs(off)) > 1e-3 * np.min(np.abs(diagonal)):
            raise GeometryError(
                "the volume does not lie along +L, +P, +S", todo="call to_lps() or resample first"
            )
        nz, ny, nx = self.array.shape
        dx, dy, dz = (float(v) for v in diagonal)
        x, y, z = (float(v) for v in self.affine_lps_mm[:3, 3])
        return Grid(shape_zyx=(nz, ny, nx), spacing_mm=(dx, dy, dz), origin_mm=(x, y, z))

    @classmethod
    def on_grid(
        cls,
        array: npt.NDArray[Any],
        grid: Grid,
        *,
        frame_of_reference_uid: str = "",
        source_uids: tuple[str, ...] = (),
    ) -> Volume:
        """Place ``array`` on ``grid`` (shapes must agree)."""
        if array.shape != grid.shape_zyx:
            raise GeometryError(f"array of shape {array.shape} does not fit a grid of {grid.shape_zyx}")
        return cls(
            array=array,
            affine_lps_mm=grid.affine_lps_mm,
            frame_of_reference_uid=frame_of_reference_uid,
            source_uids=source_uids,
        )
