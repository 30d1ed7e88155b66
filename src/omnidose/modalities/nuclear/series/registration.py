"""Rigid registration of one scan to another, by their CTs; activity is moved, not concentration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.volume import Volume

if TYPE_CHECKING:
    import SimpleITK

ArrayF8 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RigidMotion:
    """Where a point of the fixed scan lies in the moving one: turn about a centre, then shift.

    Attributes
    ----------
    turns_rad
        About x, y, z (Z-X-Y order of SimpleITK's Euler transform).
    shift_mm, centre_mm
        (x, y, z).
    misfit
        Mean squared difference of the images that were matched.
    """

    turns_rad: tuple[float, float, float]
    shift_mm: tuple[float, float, float]
    centre_mm: tuple[float, float, float]
    misfit: float

    def moved_mm(self, points_mm: ArrayF8) -> ArrayF8:
        """Return [n, 3] points of the fixed scan as points of the moving one."""
        transform = _transform(self)
        return np.array([transform.TransformPoint([float(v) for v in p]) for p in np.atleast_2d(points_mm)])


def register_rigid(
    fixed: Volume,
    moving: Volume,
    *,
    seed: int = 1,
    start_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> RigidMotion:
    """Find the motion between two images of one kind (two CTs, or their attenuation).

    Parameters
    ----------
    start_mm
        Shift (x, y, z) from which the search begins.

    Raises
    ------
    InputError
        If an image is the same everywhere.
    """
    import SimpleITK as sitk

    for name, volume in (("fixed", fixed), ("moving", moving)):
        if float(volume.array.max()) <= float(volume.array.min()):
            raise InputError("an image without contrast cannot be registered", where=name)
    one, other = _image(fixed), _image(moving)
    start = sitk.Euler3DTransform()
    start.SetCenter(one.TransformContinuousIndexToPhysicalPoint([0.5 * (n - 1) for n in one.GetSize()]))
    start.SetTranslation(start_mm)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.3, seed)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.005, 120, 0.6, 1e-9)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([6.0, 2.0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetNumberOfThreads(1)  # the same sums in the same order: the same motion on every machine
    method.SetInitialTransform(start, inPlace=True)
    method.Execute(one, other)
    angles = (start.GetAngleX(), start.GetAngleY(), start.GetAngleZ())
    return RigidMotion(
        turns_rad=angles,
        shift_mm=tuple(start.GetTranslation()),
        centre_mm=tuple(start.GetCenter()),
        misfit=float(method.GetMetricValue()),
    )


def bring(activity: Volume, motion: RigidMotion, onto: Volume) -> Volume:
    """Bring a map of activity (MBq per voxel) onto the grid of the fixed scan.

    Activity per *volume* is looked up (cubic splines) and multiplied with the new voxels' volume, so that the
    sum stays whatever the two grids are. Splines undershoot beside steep edges: values below 0 stay, because
    cutting them off would add activity.
    """
    import SimpleITK as sitk

    ratio = abs(np.linalg.det(onto.affine_lps_mm[:3, :3]) / np.linalg.det(activity.affine_lps_mm[:3, :3]))
    found = sitk.Resample(_image(activity), _image(onto), _transform(motion), sitk.sitkBSpline, 0.0)
    return Volume(
        array=sitk.GetArrayFromImage(found) * np.float32(ratio),
        affine_lps_mm=onto.affine_lps_mm,
        frame_of_reference_uid=onto.frame_of_reference_uid,
        source_uids=activity.source_uids,
    )


def looked_up(moving: Volume, motion: RigidMotion, onto: Volume) -> Volume:
    """Return a moving image of densities on the grid of the fixed one, interpolated linearly, 0 beyond it."""
    import SimpleITK as sitk

    found = sitk.Resample(_image(moving), _image(onto), _transform(motion), sitk.sitkLinear, 0.0)
    return Volume(
        array=sitk.GetArrayFromImage(found),
        affine_lps_mm=onto.affine_lps_mm,
        frame_of_reference_uid=onto.frame_of_reference_uid,
        source_uids=moving.source_uids,
    )


def _transform(motion: RigidMotion) -> SimpleITK.Euler3DTransform:
    import SimpleITK as sitk

    transform = sitk.Euler3DTransform()
    transform.SetCenter(motion.centre_mm)
    transform.SetRotation(*motion.turns_rad)
    transform.SetTranslation(motion.shift_mm)
    return transform


def _image(volume: Volume) -> SimpleITK.Image:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.array, dtype=np.float32))
    matrix = volume.affine_lps_mm[:3, :3] / np.asarray(volume.spacing_mm)
    image.SetSpacing(volume.spacing_mm)
    image.SetOrigin([float(v) for v in volume.affine_lps_mm[:3, 3]])
    image.SetDirection([float(v) for v in matrix.ravel()])
    return image
