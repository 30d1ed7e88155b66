"""RT Structure Set contours -> masks by scan conversion (even-odd rule: holes, keyholes and XOR contours)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.dicom.headers import number, numbers, quiet, sequence, text
from omnidose.errors import DicomError, GeometryError
from omnidose.volume import Grid

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "")


@dataclass(frozen=True, slots=True)
class RoiContours:
    """One region of interest.

    Attributes
    ----------
    planes
        z (mm) -> contours in that plane, each [n, 2] of (x, y) in LPS mm.
    """

    name: str
    frame_of_reference_uid: str
    planes: dict[float, list[npt.NDArray[np.float64]]]

    def plane_step_mm(self) -> float:
        """Return the usual distance of neighbouring planes (of a single plane: 0)."""
        z = np.array(sorted(self.planes))
        return float(np.median(np.diff(z))) if len(z) > 1 else 0.0

    def volume_mm3(self) -> float:
        """Return area times plane distance, with holes subtracted by the even-odd rule of nested contours."""
        step = self.plane_step_mm()
        total = 0.0
        for contours in self.planes.values():
            areas = sorted((_area_mm2(c) for c in contours), reverse=True)
            # exact for contours beside each other; nested ones are told apart by their first point
            signs = [(-1) ** _depth(c, contours) for c in sorted(contours, key=_area_mm2, reverse=True)]
            total += sum(s * a for s, a in zip(signs, areas, strict=True))
        return total * step

    def to_mask(self, grid: Grid, *, subsamples: int = 1) -> npt.NDArray[np.bool_]:
        """Fill the contours on a grid.

        Every plane of contours stands for the slab half-way to its neighbours (at the ends and across gaps:
        half the usual distance, at least half a voxel). A voxel belongs to the region if its centre lies
        inside, or with ``subsamples`` n > 1 if more than half of n x n points in the plane do.
        """
        out = np.zeros(grid.shape_zyx, dtype=bool)
        z_planes = np.array(sorted(self.planes))
        if len(z_planes) == 0:
            return out
        reach = max(0.5 * self.plane_step_mm(), 0.5 * grid.spacing_mm[2])
        layers: dict[float, list[int]] = defaultdict(list)
        for layer, z in enumerate(grid.axis_mm(2)):
            nearest = float(z_planes[np.argmin(np.abs(z_planes - z))])
            if abs(nearest - z) <= reach + 1e-3:
                layers[nearest].append(layer)
        for z, wanted in layers.items():
            out[wanted] = fill(self.planes[z], grid, subsamples)
        return out


def _area_mm2(contour: npt.NDArray[np.float64]) -> float:
    x, y = contour[:, 0], contour[:, 1]
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def _depth(contour: npt.NDArray[np.float64], others: list[npt.NDArray[np.float64]]) -> int:
    point = contour[0]
    return sum(1 for other in others if other is not contour and _contains(other, point))


def _contains(contour: npt.NDArray[np.float64], point: npt.NDArray[np.float64]) -> bool:
    x0, y0 = contour[:, 0], contour[:, 1]
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    crosses = (y0 <= point[1]) != (y1 <= point[1])
    if not crosses.any():
        return False
    x = x0[crosses] + (point[1] - y0[crosses]) / (y1[crosses] - y0[crosses]) * (x1 - x0)[crosses]
    return bool(np.count_nonzero(x > point[0]) % 2)


def fill(contours: list[npt.NDArray[np.float64]], grid: Grid, subsamples: int = 1) -> npt.NDArray[np.bool_]:
    """Scan-convert contours of one plane by the even-odd rule -> bool [y, x]."""
    n = subsamples
    ny, nx = grid.shape_zyx[1] * n, grid.shape_zyx[2] * n
    dx, dy = grid.spacing_mm[0] / n, grid.spacing_mm[1] / n
    x0 = grid.origin_mm[0] - 0.5 * grid.spacing_mm[0] + 0.5 * dx
    y0 = grid.origin_mm[1] - 0.5 * grid.spacing_mm[1] + 0.5 * dy
    toggles = np.zeros((ny, nx + 1), dtype=np.int32)
    for contour in contours:
        u, v = (contour[:, 0] - x0) / dx, (contour[:, 1] - y0) / dy
        _toggle(toggles, u, v)
    inside = (np.cumsum(toggles[:, :-1], axis=1) % 2).astype(bool)
    if n == 1:
        return inside
    votes = inside.reshape(grid.shape_zyx[1], n, grid.shape_zyx[2], n).sum(axis=(1, 3))
    return np.asarray(2 * votes > n * n)


def _toggle(toggles: npt.NDArray[np.int32], u: npt.NDArray[np.float64], v: npt.NDArray[np.float64]) -> None:
    """Add one toggle where each row's centre line crosses an edge of the polygon (u, v in pixel units)."""
    ny, width = toggles.shape
    u1, v1 = np.roll(u, -1), np.roll(v, -1)
    first = np.ceil(np.minimum(v, v1)).astype(np.intp)
    last = np.ceil(np.maximum(v, v1)).astype(np.intp)  # half open: a vertex on a centre line counts once
    first, last = np.clip(first, 0, ny), np.clip(last, 0, ny)
    counts = last - first
    edge = np.repeat(np.arange(len(u)), counts)
    if edge.size == 0:
        return
    rows = np.arange(edge.size) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    crossing = u[edge] + (rows - v[edge]) / (v1[edge] - v[edge]) * (u1[edge] - u[edge])
    columns = np.clip(np.ceil(crossing), 0, width - 1).astype(np.intp)
    np.add.at(toggles, (rows, columns), 1)


def read_contours(path: Path) -> list[RoiContours]:
    """Read the closed planar contours of an RT Structure Set.

    Raises
    ------
    DicomError
        If the object is damaged or holds no closed contour.
    GeometryError
        If contours do not lie in axial planes.
    """
    import pydicom

    try:
        with quiet():
            dataset = pydicom.dcmread(path, force=True)
    except Exception as error:  # any fault of a damaged file
        raise DicomError("the structure set cannot be read", where=path.name, todo="copy it again") from error
    names: dict[int, tuple[str, str]] = {}
    for item in sequence(dataset, "StructureSetROISequence"):
        key = number(item, "ROINumber")
        if key is not None:
            names[int(key)] = (text(item, "ROIName"), text(item, "ReferencedFrameOfReferenceUID"))
    rois = []
    for item in sequence(dataset, "ROIContourSequence"):
        key = number(item, "ReferencedROINumber")
        name, frame = names.get(int(key) if key is not None else -1, ("", ""))
        planes = _planes(item, name)
        if planes:
            rois.append(
                RoiContours(name or f"ROI {key}", frame or text(dataset, "FrameOfReferenceUID"), planes)
            )
    if not rois:
        raise DicomError("the structure set holds no closed contours", where="ROIContourSequence (3006,0039)")
    return rois


def _planes(item: Any, name: str) -> dict[float, list[npt.NDArray[np.float64]]]:
    planes: dict[float, list[npt.NDArray[np.float64]]] = defaultdict(list)
    for contour in sequence(item, "ContourSequence"):
        if text(contour, "ContourGeometricType").upper() not in _CLOSED:
            continue
        data = np.asarray(numbers(contour, "ContourData"), dtype=np.float64)
        if data.size < 9 or data.size % 3:
            continue
        points = data.reshape(-1, 3)
        if np.ptp(points[:, 2]) > 0.1:
            raise GeometryError(
                f"the contours of '{name}' do not lie in axial planes",
                where="ContourData (3006,0050)",
                todo="export the structures as a segmentation (SEG or NIfTI)",
            )
        planes[round(float(points[0, 2]), 2)].append(points[:, :2])
    return dict(planes)
