"""What PET and SPECT series share: slices in order, their values, an even stack, one patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.dicom.ct_frames import Frame, PixelReader
from omnidose.dicom.identities import identity_of
from omnidose.dicom.inventory import Series
from omnidose.errors import ContradictionError, DicomError, GeometryError

Progress = Callable[[int, int], None]

#: Distances of slices may differ this much from their mean (relative).
EVEN_REL = 0.05
#: Concentrations below 0 come from the reconstruction; more than this share of the sum is no such noise.
NEGATIVE_SHARE = 0.05


def check_one_patient(headers: Sequence[Any]) -> None:
    """Refuse slices of different patients.

    Raises
    ------
    ContradictionError
        If their IDs differ.
    """
    who = {identity_of(h)[:1] for h in headers} - {("",)}
    if len(who) > 1:
        raise ContradictionError(
            f"slices of one series belong to {len(who)} patients",
            where="PatientID (0010,0020)",
            todo="give the images of one patient",
        )


def check_same_patient(series: Sequence[Series]) -> None:
    """Refuse series (time points) of different patients.

    Raises
    ------
    ContradictionError
        If IDs or names, where both state them, differ.
    """
    first = identity_of(series[0].header)
    for position, item in enumerate(series[1:], start=2):
        other = identity_of(item.header)
        if any(a and b and a != b for a, b in zip(first, other, strict=True)):
            raise ContradictionError(
                f"time point {position} belongs to another patient than time point 1",
                where="PatientID (0010,0020), PatientName (0010,0010)",
                todo="give the images of one patient",
            )


def in_order(frames: list[Frame]) -> list[Frame]:
    """Return slices sorted along their normal.

    Raises
    ------
    GeometryError
        If they differ in matrix, pixel size or orientation.
    """
    normal = frames[0].normal
    frames = sorted(frames, key=lambda f: float(f.position_mm @ normal))
    for frame in frames[1:]:
        same = (frame.rows, frame.columns, frame.spacing_mm) == (
            frames[0].rows,
            frames[0].columns,
            frames[0].spacing_mm,
        )
        if not same or abs(float(frame.normal @ normal)) < 0.9999:
            raise GeometryError("slices of one series differ in matrix, pixel size or orientation")
    return frames


def even_affine(frames: list[Frame]) -> npt.NDArray[np.float64]:
    """Return the affine of an even stack.

    Raises
    ------
    GeometryError
        If slices are missing, doubled or shifted against each other.
    """
    if len(frames) < 2:
        raise GeometryError("one slice is no volume", todo="give the whole series")
    first, last = frames[0], frames[-1]
    step = (last.position_mm - first.position_mm) / (len(frames) - 1)
    size = float(np.linalg.norm(step))
    expected = first.position_mm + np.arange(len(frames))[:, None] * step
    off = np.linalg.norm(np.array([f.position_mm for f in frames]) - expected, axis=1)
    if size <= 0 or float(off.max()) > EVEN_REL * size + 0.01:
        raise GeometryError(
            f"the slices are not evenly spaced: one lies {off.max():.2f} mm from its place",
            where="ImagePositionPatient (0020,0032)",
            allowed=f"{EVEN_REL * size:.2f} mm",
            todo="slices may be missing or doubled: export the series again",
        )
    affine = np.eye(4)
    affine[:3, 0] = first.spacing_mm[0] * first.row_direction
    affine[:3, 1] = first.spacing_mm[1] * first.column_direction
    affine[:3, 2] = step
    affine[:3, 3] = first.position_mm
    return affine


def read_values(
    frames: list[Frame], factors: Sequence[float], progress: Progress | None = None
) -> npt.NDArray[np.float32]:
    """[slices, rows, columns] stored values by slope and intercept of their slice, times its factor.

    Raises
    ------
    DicomError
        If pixel data are missing or damaged, or hold nothing above 0.
    """
    array = np.empty((len(frames), frames[0].rows, frames[0].columns), dtype=np.float32)
    reader = PixelReader()
    for k, frame in enumerate(frames):
        values, padding = reader.read_hu(frame)  # slope and intercept of the slice
        if padding is not None:
            values[padding] = 0.0
        array[k] = values * np.float32(factors[k])
        if progress is not None:
            progress(k + 1, len(frames))
    if not np.isfinite(array).all() or not array.max() > 0:
        raise DicomError("the images hold no activity", where="PixelData", todo="export the series again")
    return array


def negative_fraction(array: npt.NDArray[np.float32]) -> float:
    """Return what lies below 0 over what lies above.

    Raises
    ------
    DicomError
        If it is more than noise.
    """
    negative = float(-array[array < 0].sum(dtype=np.float64))
    share = negative / float(array[array > 0].sum(dtype=np.float64))
    if share > NEGATIVE_SHARE:
        raise DicomError(
            f"values below 0 make up {100 * share:.0f} % of the image",
            where="PixelData",
            allowed=f"{100 * NEGATIVE_SHARE:g} %, which are set to 0",
            todo="check rescale slope, intercept and the reconstruction",
        )
    return share
