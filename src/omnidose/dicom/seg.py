"""DICOM segmentation objects, read frame by frame: binary, fractional and label map."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.dicom.headers import number, numbers, quiet, sequence, text
from omnidose.errors import DicomError, GeometryError
from omnidose.volume import Volume

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"
SEG_CLASSES = (SEGMENTATION, LABEL_MAP_SEGMENTATION)


@dataclass(frozen=True, slots=True)
class _SegFrame:
    index: int
    segment: int
    position_mm: npt.NDArray[np.float64]
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, float]


def read_segments(path: Path) -> Iterator[tuple[str, Volume]]:
    """Yield (segment label, volume of uint8 0 or 1) of a segmentation.

    Fractional segments count where the fraction is at least one half.

    Raises
    ------
    DicomError
        If the object is damaged or has no segments.
    GeometryError
        If its frames are not parallel, or unevenly spaced.
    """
    import pydicom
    from pydicom.pixels import pixel_array

    try:
        with quiet():
            dataset = pydicom.dcmread(path, force=True)
            pixels = np.atleast_3d(np.asarray(pixel_array(dataset, raw=True)))
            if int(number(dataset, "NumberOfFrames") or 1) == 1:
                pixels = pixels.reshape(1, *pixels.shape[:2])
    except Exception as error:  # any fault of a damaged file
        raise DicomError("the segmentation cannot be read", where=path.name, todo="copy it again") from error
    labels = {
        int(number(s, "SegmentNumber") or 0): text(s, "SegmentLabel") or text(s, "SegmentDescription")
        for s in sequence(dataset, "SegmentSequence")
    }
    frames = _frames(dataset)
    if not labels or len(frames) != len(pixels):
        raise DicomError(
            "the segmentation names no segments or does not describe its frames", where=path.name
        )
    threshold = 1.0
    if text(dataset, "SegmentationType").upper() == "FRACTIONAL":
        threshold = 0.5 * (number(dataset, "MaximumFractionalValue") or 255.0)
    if text(dataset, "SOPClassUID") == LABEL_MAP_SEGMENTATION:
        whole = _assemble(frames, pixels)
        for segment, label in labels.items():
            if label.lower() != "background":
                yield (
                    label,
                    Volume(
                        array=(whole.array == segment).astype(np.uint8), affine_lps_mm=whole.affine_lps_mm
                    ),
                )
        return
    by_segment: dict[int, list[_SegFrame]] = defaultdict(list)
    for frame in frames:
        by_segment[frame.segment].append(frame)
    for segment, own in by_segment.items():
        volume = _assemble(own, pixels, every=frames)
        array = (volume.array >= threshold).astype(np.uint8)
        yield (
            labels.get(segment, f"segment {segment}"),
            Volume(array=array, affine_lps_mm=volume.affine_lps_mm),
        )


def _frames(dataset: Any) -> list[_SegFrame]:
    shared = next(iter(sequence(dataset, "SharedFunctionalGroupsSequence")), None)
    found = []
    for index, group in enumerate(sequence(dataset, "PerFrameFunctionalGroupsSequence")):

        def macro(name: str, keyword: str, own: Any = group) -> tuple[float, ...]:
            for layer in (own, shared):
                items = sequence(layer, name) if layer is not None else ()
                if items and (values := numbers(items[0], keyword)):
                    return values
            return ()

        position = macro("PlanePositionSequence", "ImagePositionPatient")
        orientation = macro("PlaneOrientationSequence", "ImageOrientationPatient")
        spacing = macro("PixelMeasuresSequence", "PixelSpacing")
        if len(position) != 3 or len(orientation) != 6 or len(spacing) != 2:
            raise DicomError(
                f"frame {index + 1} of the segmentation does not say where it lies",
                where="PlanePositionSequence, PlaneOrientationSequence, PixelMeasuresSequence",
            )
        segment = macro("SegmentIdentificationSequence", "ReferencedSegmentNumber")
        found.append(
            _SegFrame(
                index,
                int(segment[0]) if segment else 0,
                np.array(position),
                orientation,
                (spacing[1], spacing[0]),
            )
        )
    return found


def _travel(frames: list[_SegFrame], normal: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.float64]:
    """Return the vector from one plane to the next (not along the normal if the images were tilted)."""
    ordered = sorted(frames, key=lambda f: float(f.position_mm @ normal))
    whole = ordered[-1].position_mm - ordered[0].position_mm
    along = float(whole @ normal)
    travel: npt.NDArray[np.float64] = whole * (step / along) if along > 1e-6 else normal * step
    return travel


def _assemble(
    frames: list[_SegFrame], pixels: npt.NDArray[Any], every: list[_SegFrame] | None = None
) -> Volume:
    """Stack frames by position; frames left out because they are empty become zeros.

    ``every`` are the frames of all segments, which tell the distance of the planes.
    """
    first = frames[0]
    row, column = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    normal = np.cross(row, column)
    if any(np.max(np.abs(np.subtract(f.orientation, first.orientation))) > 1e-3 for f in frames):
        raise GeometryError(
            "the frames of the segmentation are not parallel", where="PlaneOrientationSequence"
        )
    reference = every or frames
    places = np.unique(np.round([float(f.position_mm @ normal) for f in reference], 3))
    step = float(np.min(np.diff(places))) if len(places) > 1 else 1.0
    own = np.array([float(f.position_mm @ normal) for f in frames])
    order = np.rint((own - own.min()) / step).astype(int)
    if np.max(np.abs(own - own.min() - order * step)) > 0.2 * step:
        raise GeometryError(
            "the planes of the segmentation are unevenly spaced",
            where="PlanePositionSequence",
            todo="resample it to the images' regular grid first",
        )
    array = np.zeros((int(order.max()) + 1, *pixels.shape[1:]), dtype=pixels.dtype)
    for place, frame in zip(order, frames, strict=True):
        array[place] = np.maximum(array[place], pixels[frame.index])
    affine = np.eye(4)
    affine[:3, 0] = row * first.spacing_mm[0]
    affine[:3, 1] = column * first.spacing_mm[1]
    affine[:3, 2] = _travel(reference, normal, step)
    affine[:3, 3] = frames[int(np.argmin(own))].position_mm
    return Volume(array=array, affine_lps_mm=affine)
