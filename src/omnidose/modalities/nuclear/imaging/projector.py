"""Forward and back projection of a camera around a body."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.modalities.nuclear.imaging import _projection as kernels
from omnidose.modalities.nuclear.imaging.camera import FWHM_PER_STD, Camera
from omnidose.transport.threads import share_out, thread_count
from omnidose.volume import Grid

ArrayF4 = npt.NDArray[np.float32]
ArrayF8 = npt.NDArray[np.float64]

#: Variance that a bilinear look-up adds along one axis, voxels^2: mean of t (1 - t).
LOOKUP_VARIANCE = 1 / 6
#: Gap between the body and the collimator's face.
GAP_MM = 20.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projector:
    """One camera around one body; arrays of activity are [z, y, x], projections [views, u, z].

    Attributes
    ----------
    through
        float32 [views, depth, u, z] share of photons that leaves the body towards the head.
    steps
        [views, depth] variance that the blur gains from each plane to the next, voxels^2.
    """

    camera: Camera
    grid: Grid
    through: ArrayF4 = field(repr=False)
    steps: ArrayF8 = field(repr=False)
    radius_mm: ArrayF8 = field(repr=False)

    @classmethod
    def around(
        cls, camera: Camera, grid: Grid, mu_per_cm: ArrayF4, *, radius_mm: ArrayF8 | None = None
    ) -> Projector:
        """Place a camera around a body.

        Parameters
        ----------
        grid
            Cubic voxels; the axis of rotation runs along z through its middle.
        mu_per_cm
            [z, y, x] attenuation at the photopeak.
        radius_mm
            [views] distance of the collimator's face from the axis. None follows the body, as a camera does:
            an ellipse :data:`GAP_MM` outside it.

        Raises
        ------
        InputError
            For voxels that are not cubic or a map that does not fit.
        """
        if max(grid.spacing_mm) - min(grid.spacing_mm) > 1e-3 * grid.spacing_mm[0]:
            raise InputError(f"voxels of {grid.spacing_mm} mm", where="grid", allowed="cubic voxels")
        if mu_per_cm.shape != grid.shape_zyx:
            raise InputError(
                f"attenuation {mu_per_cm.shape} does not fit the grid {grid.shape_zyx}", where="mu_per_cm"
            )
        radius = contour_mm(camera, grid, mu_per_cm) if radius_mm is None else np.asarray(radius_mm)
        per_voxel = inward(mu_per_cm) * np.float32(grid.spacing_mm[0] / 10)
        n = max(grid.shape_zyx[1:])
        through = np.empty((camera.views, n, n, grid.shape_zyx[0]), np.float32)
        size, angles = _size(grid), camera.angles_rad
        share_out(
            camera.views,
            thread_count(),
            lambda v, _thread: kernels.passing(per_voxel, angles[v], size, through[v]),
        )
        return cls(
            camera=camera, grid=grid, through=through, steps=_steps(camera, grid, radius), radius_mm=radius
        )

    def forward(self, activity: npt.NDArray[np.floating], views: slice = slice(None)) -> ArrayF4:
        """Project [z, y, x] to [views, u, z]: sums along the rays, what is absorbed left out, blurred."""
        image, size = inward(activity), _size(self.grid)
        chosen = range(*views.indices(self.camera.views))
        out = np.empty((len(chosen), self.through.shape[2], self.through.shape[3]), np.float32)
        angles = self.camera.angles_rad

        def one(place: int, _thread: int) -> None:
            v = chosen[place]
            kernels.forward(image, self.through[v], angles[v], self.steps[v], size, out[place])

        share_out(len(chosen), thread_count(), one)
        return out

    def backward(self, projections: ArrayF4, views: slice = slice(None)) -> ArrayF4:
        """Project [views, u, z] back to [z, y, x]: exactly the transpose of :meth:`forward`."""
        nz, ny, nx = self.grid.shape_zyx
        given, size = np.ascontiguousarray(projections, dtype=np.float32), _size(self.grid)
        chosen = range(*views.indices(self.camera.views))
        out = np.zeros((len(chosen), ny, nx, nz), np.float32)
        angles = self.camera.angles_rad

        def one(place: int, _thread: int) -> None:
            v = chosen[place]
            kernels.backward(given[place], self.through[v], angles[v], self.steps[v], size, out[place])

        share_out(len(chosen), thread_count(), one)
        return np.ascontiguousarray(out.sum(axis=0).transpose(2, 0, 1))


def project_once(
    activity: npt.NDArray[np.floating], camera: Camera, grid: Grid, mu_per_cm: ArrayF4
) -> ArrayF4:
    """Project [z, y, x] of a fine grid to [views, u, z] without keeping what only a second time would need.

    The same numbers as ``Projector.around(camera, grid, mu_per_cm).forward(activity)``.
    """
    n, nz = max(grid.shape_zyx[1:]), grid.shape_zyx[0]
    out = np.empty((camera.views, n, nz), np.float32)
    per_voxel, image, size = (
        inward(mu_per_cm) * np.float32(grid.spacing_mm[0] / 10),
        inward(activity),
        _size(grid),
    )
    steps, angles = _steps(camera, grid, contour_mm(camera, grid, mu_per_cm)), camera.angles_rad

    def one(v: int, _thread: int) -> None:
        through = np.empty((n, n, nz), np.float32)
        kernels.passing(per_voxel, angles[v], size, through)
        kernels.forward(image, through, angles[v], steps[v], size, out[v])

    share_out(camera.views, thread_count(), one)
    return out


def inward(array: npt.NDArray[np.floating]) -> ArrayF4:
    """Return [z, y, x] as the kernels want it, float32 [y, x, z]."""
    return np.ascontiguousarray(np.asarray(array).transpose(1, 2, 0), dtype=np.float32)


def contour_mm(camera: Camera, grid: Grid, mu_per_cm: ArrayF4) -> ArrayF8:
    """[views] distance of the collimator from the axis: the ellipse around the body, with a gap."""
    inside = (mu_per_cm > 0.01).any(axis=0)
    x, y = np.meshgrid(*(grid.axis_mm(axis) for axis in (0, 1)))
    middle = 0.5 * (grid.lower_mm + grid.upper_mm)
    if not inside.any():
        return np.full(camera.views, GAP_MM)
    half_x_mm = float(np.abs(x - middle[0])[inside].max())
    half_y_mm = float(np.abs(y - middle[1])[inside].max())
    angle = camera.angles_rad
    return np.asarray(np.hypot(half_x_mm * np.cos(angle), half_y_mm * np.sin(angle)) + GAP_MM)


def _size(grid: Grid) -> ArrayF8:
    return np.array([grid.spacing_mm[0], grid.shape_zyx[1], grid.shape_zyx[2]], dtype=np.float64)


def _steps(camera: Camera, grid: Grid, radius_mm: ArrayF8) -> ArrayF8:
    """[views, depth] variance added behind each plane; behind the nearest, all that is left of it.

    Turning the image adds a blur of its own, which is taken off once: off the blur at the collimator.
    """
    side = grid.spacing_mm[0]
    n = max(grid.shape_zyx[1:])
    depth = (np.arange(n) - 0.5 * (n - 1)) * side
    away = np.maximum(radius_mm[:, None] - depth[None, :], 0.0)
    variance = (camera.fwhm_mm(away) / FWHM_PER_STD / side) ** 2
    variance = np.maximum(variance - LOOKUP_VARIANCE, 0.0)
    return np.asarray(np.concatenate([variance[:, :-1] - variance[:, 1:], variance[:, -1:]], axis=1))
