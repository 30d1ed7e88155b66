"""Where the slices of a reconstructed SPECT lie: NM multi-frame objects, or one object per slice.

Place and orientation of the first slice stand in the Detector Information Sequence (PS3.3 C.8.4.11); the
others follow at Spacing Between Slices along the normal (row x column), whose *sign* tells to which side
(C.8.4.15).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.dicom.ct_frames import Frame, SliceHeader
from omnidose.dicom.emission_slices import in_order
from omnidose.dicom.headers import number, numbers, sequence, text
from omnidose.dicom.inventory import Instance, Series
from omnidose.dicom.nm_units import NmScale
from omnidose.errors import DicomError, GeometryError

ArrayF8 = npt.NDArray[np.float64]

#: Vectors that give a frame another meaning than its slice (C.8.4.8), in words.
_OTHER_VECTORS = {
    "EnergyWindowVector": "energy windows",
    "DetectorVector": "detectors",
    "RotationVector": "rotations",
    "PhaseVector": "phases",
    "RRIntervalVector": "R-R intervals",
    "TimeSlotVector": "time slots",
    "TimeSliceVector": "time slices",
    "AngularViewVector": "angular views",
}


def frame_count(header: Any) -> int:
    """Return the number of frames of an object."""
    return int(number(header, "NumberOfFrames") or 1)


def nm_frames(series: Series, scales: list[NmScale]) -> list[Frame]:
    """Return the slices of a series in order along their normal.

    Parameters
    ----------
    scales
        One per object.

    Raises
    ------
    DicomError
        If place, spacing or matrix is missing, or frames differ in more than their slice.
    GeometryError
        If one series holds several volumes.
    """
    volumes = [i for i in series.instances if frame_count(i.header) > 1]
    if len(volumes) > 1 or (volumes and len(series.instances) > 1):
        raise GeometryError(
            f"one series holds {len(series.instances)} objects, {len(volumes)} of them whole volumes",
            where=series.description or "NM series",
            allowed="one volume in one object, or one object per slice",
            todo="give one of them",
        )
    frames = [
        frame
        for instance, scale in zip(series.instances, scales, strict=True)
        for frame in _of_object(instance, scale)
    ]
    return in_order(frames)


def _of_object(instance: Instance, scale: NmScale) -> Iterator[Frame]:
    header = instance.header
    count = frame_count(header)
    _check_vectors(header, count)
    row, column, position = _place(header)
    spacing = numbers(header, "PixelSpacing")
    rows, columns = number(header, "Rows") or 0, number(header, "Columns") or 0
    if len(spacing) != 2 or min(spacing) <= 0 or max(spacing) > 40 or rows < 1 or columns < 1:
        raise DicomError(
            "the images do not give their pixel size or matrix",
            where="PixelSpacing (0028,0030), Rows, Columns",
            allowed="two numbers between 0 and 40 mm",
        )
    step = _step_mm(header) if count > 1 else 0.0
    normal = np.cross(row, column)
    half_mm = 0.5 * (columns - 1) * spacing[1] * row + 0.5 * (rows - 1) * spacing[0] * column
    for number_ in range(count):
        place = position + number_ * step * normal
        yield Frame(
            path=instance.path,
            header=header,
            slice=SliceHeader(
                z_mm=float((place + half_mm)[2]),
                source_uid=instance.sop_instance_uid,
                frame_number=number_ + 1 if count > 1 else 0,
            ),
            position_mm=place,
            row_direction=row,
            column_direction=column,
            spacing_mm=(spacing[1], spacing[0]),
            rows=int(rows),
            columns=int(columns),
            slope=scale.slope,
            intercept=scale.intercept,
            rescale_type="",
        )


def _check_vectors(header: Any, count: int) -> None:
    """Refuse frames that differ in more than their slice, and slices out of order."""
    for keyword, words in _OTHER_VECTORS.items():
        different = len(set(numbers(header, keyword)))
        if different > 1:
            raise DicomError(
                f"the frames of one object show {different} {words}, not only slices",
                where=f"{keyword}",
                allowed="one volume",
                todo="export the reconstruction of one of them, without gates",
            )
    order = [int(v) for v in numbers(header, "SliceVector")]
    if order and order != list(range(1, count + 1)):
        raise DicomError(
            "the frames of the object are not the slices 1, 2, 3, … in order",
            where="SliceVector (0054,0080)",
            todo="export the series again",
        )


def _place(header: Any) -> tuple[ArrayF8, ArrayF8, ArrayF8]:
    """Return row and column direction and the place of the first pixel of the first slice."""
    detectors = sequence(header, "DetectorInformationSequence")
    for source in (*detectors[:1], header):  # makers without the sequence write it into the object itself
        orientation = np.asarray(numbers(source, "ImageOrientationPatient"), dtype=np.float64)
        position = np.asarray(numbers(source, "ImagePositionPatient"), dtype=np.float64)
        if orientation.shape == (6,) and position.shape == (3,):
            break
    else:
        raise DicomError(
            "the images do not say where they lie in the patient",
            where="DetectorInformationSequence (0054,0022): ImageOrientationPatient (0020,0037), "
            "ImagePositionPatient (0020,0032)",
            allowed="six and three numbers",
            todo="export the reconstruction with its place",
        )
    row, column = orientation[:3], orientation[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if min(lengths) < 0.9 or max(lengths) > 1.1 or abs(row @ column) > 0.02:
        raise DicomError(
            "the image orientation is not two perpendicular unit vectors",
            where="ImageOrientationPatient (0020,0037)",
        )
    row = row / lengths[0]
    column = column - (column @ row) * row
    return row, column / np.linalg.norm(column), position


def _step_mm(header: Any) -> float:
    """Return the distance from slice to slice along the normal, with its sign."""
    step = number(header, "SpacingBetweenSlices")
    if step is None or not 0 < abs(step) <= 40:
        raise DicomError(
            "the images do not say how far their slices lie apart, and to which side",
            where="SpacingBetweenSlices (0018,0088)",
            allowed="a number of mm, negative if slices follow in front of the first",
            todo="export the series again",
        )
    return step


def z_range_mm(frames: list[Frame]) -> tuple[float, float]:
    """Return the lowest and the highest voxel centre, LPS."""
    z: list[float] = []
    for frame in (frames[0], frames[-1]):
        across = (frame.columns - 1) * frame.spacing_mm[0] * frame.row_direction[2]
        down = (frame.rows - 1) * frame.spacing_mm[1] * frame.column_direction[2]
        z += [float(frame.position_mm[2] + a * across + b * down) for a in (0, 1) for b in (0, 1)]
    return min(z), max(z)


def describe(series: Series) -> str:
    """Return a name of a series for a person, without identities."""
    count = sum(frame_count(i.header) for i in series.instances)
    words = text(series.header, "SeriesDescription") or "unnamed"
    return f"'{words}' ({count} slices)"
