"""A CT series -> :class:`CtVolume`: int16 HU on a straight LPS grid, with the headers of its slices.

Place comes from ImageOrientation and ImagePosition only, never from slice order, SliceThickness or
SliceLocation. Slices are read one by one, so that the peak is one int16 volume plus what the straight grid
needs; ``in_plane_reduction`` averages pixels while reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from omnidose.dicom.ct_checks import ValueCheck, check_header, circular_field
from omnidose.dicom.ct_frames import (
    Frame,
    PixelReader,
    SliceHeader,
    frames_of,
    is_ct_image,
    is_dose_screen,
    is_localizer,
)
from omnidose.dicom.ct_geometry import OUTSIDE_HU, Stack, straighten
from omnidose.dicom.ct_reconstructions import ReconstructionGroup, choose_reconstructions, split_series
from omnidose.dicom.headers import text
from omnidose.dicom.inventory import Series
from omnidose.errors import DicomError, OmnidoseError
from omnidose.volume import Volume

__all__ = [
    "CtVolume",
    "ReconstructionGroup",
    "SliceHeader",
    "choose_reconstructions",
    "is_ct_image",
    "is_dose_screen",
    "is_localizer",
    "read_ct_series",
    "reduce_volume",
    "split_series",
]

Progress = Callable[[int, int], None]

#: Stored HU below this are no tissue: vendors' filling outside the reconstructed circle (-2000, -3024).
_FILLING_BELOW_HU = -1200
#: A series may lose this share of its slices to damage; more is refused.
_MAX_BAD_FRACTION = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class CtVolume:
    """A CT as the rest of the program uses it.

    Attributes
    ----------
    volume
        int16 HU [z, y, x] on a straight grid along +L, +P, +S (``volume.grid`` works). Where there is
        no image (padding, outside the field of view or the tilted stack) it holds -1024.
    slices
        Headers of the slices that were used, by ascending z. After resampling or reduction there are
        not as many as planes of the grid.
    imaged
        bool, broadcastable to the volume's shape ([1, y, x] or [z, y, x]): False where no image is.
    warnings
        Sentences for the user: what was resampled, interpolated, missing, saturated.
    """

    volume: Volume
    slices: tuple[SliceHeader, ...]
    imaged: npt.NDArray[np.bool_] = field(repr=False)
    series_uid: str = ""
    study_uid: str = ""
    patient_position: str = ""
    resampled: bool = False
    saturated_fraction: float = 0.0
    warnings: tuple[str, ...] = ()

    def imaged_mask(self) -> npt.NDArray[np.bool_]:
        """Return ``imaged`` as [z, y, x] (a read-only view)."""
        return np.broadcast_to(self.imaged, self.volume.array.shape)


def read_ct_series(
    series: Series,
    *,
    in_plane_reduction: int = 1,
    target_spacing_mm: float | None = None,
    max_voxels: int | None = None,
    progress: Progress | None = None,
) -> CtVolume:
    """Read a CT series.

    Parameters
    ----------
    series
        From :func:`omnidose.dicom.inventory.read_inventory`.
    in_plane_reduction
        Average blocks of that many pixels along rows and columns while reading.
    target_spacing_mm
        Also average (in the plane while reading, along z afterwards) as long as voxels stay at or below
        this size.
    max_voxels
        Raise the in-plane reduction until the stack has at most so many voxels.
    progress
        Called with (slices done, slices in all).

    Raises
    ------
    DicomError
        If the series has no slices, its values are no Hounsfield units, or too many files are damaged.
    GeometryError
        If the slices cannot be brought to one straight grid.
    """
    if all(is_localizer(i) for i in series.instances):
        raise DicomError(
            "the series is a localizer (scout view), which has no anatomy in three dimensions",
            where="ImageType (0008,0008)",
            allowed="a series of CT slices",
            todo="add the series of slices",
        )
    series, warnings = _largest_part(series)
    check_header(series)
    frames = _sorted_frames(series, warnings)
    factor = _factor(frames, in_plane_reduction, target_spacing_mm, max_voxels)
    array, valid, kept, check = _read_pixels(frames, factor, warnings, progress)
    check.verdict()
    warnings.extend(check.warnings())
    frames = [f for f, k in zip(frames, kept, strict=True) if k]
    stack = _stack(frames, factor)
    thickness_mm = frames[0].slice.slice_thickness_mm or 1.0
    _warn_about_gaps(stack, warnings)
    volume, covered, note = straighten(array, stack, thickness_mm)
    if note:
        warnings.append(note[0].upper() + note[1:] + ".")
    imaged = _imaged(valid, frames[0], volume, covered)
    if target_spacing_mm is not None:
        n = max(1, int(target_spacing_mm / volume.spacing_mm[2] + 1e-6))
        volume, imaged = reduce_volume(volume, (n, 1, 1)), _reduce_mask(imaged, n)
    headers = tuple(sorted((f.slice for f in frames), key=lambda s: s.z_mm))
    return CtVolume(
        volume=replace(
            volume,
            frame_of_reference_uid=series.frame_of_reference_uid,
            source_uids=tuple(dict.fromkeys(s.source_uid for s in headers)),
        ),
        slices=headers,
        imaged=imaged,
        series_uid=series.series_uid,
        study_uid=series.study_uid,
        patient_position=text(series.header, "PatientPosition"),
        resampled=bool(note),
        saturated_fraction=check.saturated_fraction,
        warnings=tuple(warnings),
    )


def reduce_volume(volume: Volume, factors_zyx: tuple[int, int, int]) -> Volume:
    """Average blocks of voxels; incomplete blocks at the far end are averaged over what they hold.

    The grid keeps its spacing x factor, so that an incomplete last block reaches beyond the images by
    less than one block.
    """
    array = volume.array
    for axis, n in enumerate(factors_zyx):
        if n > 1:
            array = _block_mean(array, n, axis)
    affine = volume.affine_lps_mm.copy()
    for axis, n in enumerate(factors_zyx):
        affine[:3, 3] += volume.affine_lps_mm[:3, 2 - axis] * (n - 1) / 2
        affine[:3, 2 - axis] *= n
    return replace(volume, array=array, affine_lps_mm=affine)


def _block_mean(array: npt.NDArray[np.int16], n: int, axis: int) -> npt.NDArray[np.int16]:
    size = array.shape[axis]
    starts = np.arange(0, size, n)
    lengths = np.minimum(n, size - starts).astype(np.float32)
    shape = [1, 1, 1]
    shape[axis] = len(starts)
    sums = np.add.reduceat(array, starts, axis=axis, dtype=np.int32)
    means: npt.NDArray[np.int16] = np.rint(sums / lengths.reshape(shape)).astype(np.int16)
    return means


def _reduce_mask(mask: npt.NDArray[np.bool_], n: int) -> npt.NDArray[np.bool_]:
    if n == 1 or mask.shape[0] == 1:
        return mask
    out: npt.NDArray[np.bool_] = np.logical_and.reduceat(mask, np.arange(0, mask.shape[0], n), axis=0)
    return out


def _largest_part(series: Series) -> tuple[Series, list[str]]:
    parts = split_series(series)
    if not parts:
        raise DicomError("the series holds no CT slices", where=series.modality or "Modality (0008,0060)")
    best = max(parts, key=lambda p: len(p.instances))
    warnings = []
    if len(parts) > 1:
        listed = ", ".join(f"{p.part} ({len(p.instances)} images)" for p in parts)
        warnings.append(f"The series holds several stacks: {listed}; {best.part} is used as anatomy.")
    return best, warnings


def _sorted_frames(series: Series, warnings: list[str]) -> list[Frame]:
    frames: list[Frame] = []
    faults: list[OmnidoseError] = []
    for instance in series.instances:
        try:
            frames.extend(frames_of(instance))
        except OmnidoseError as error:
            faults.append(error)
    if not frames:
        raise faults[0]
    if len(faults) > _MAX_BAD_FRACTION * len(series.instances):
        raise DicomError(
            f"{len(faults)} of {len(series.instances)} images cannot be placed: {faults[0].what}",
            where=faults[0].where,
            todo="export the series again",
        )
    if faults:
        warnings.append(f"{len(faults)} images cannot be placed and were left out: {faults[0].what}.")
    normal = frames[0].normal
    frames.sort(key=lambda f: float(f.position_mm @ normal))
    unique = [frames[0]]
    for frame in frames[1:]:
        if float((frame.position_mm - unique[-1].position_mm) @ normal) > 0.01:
            unique.append(frame)
    if len(unique) < len(frames):
        warnings.append(f"{len(frames) - len(unique)} slices lie at the place of another and were left out.")
    return unique


def _factor(
    frames: list[Frame], in_plane_reduction: int, target_spacing_mm: float | None, max_voxels: int | None
) -> int:
    factor = max(1, int(in_plane_reduction))
    if target_spacing_mm is not None:
        factor = max(factor, int(target_spacing_mm / max(frames[0].spacing_mm) + 1e-6))
    if max_voxels is not None:
        size = frames[0].rows * frames[0].columns * len(frames)
        factor = max(factor, int(np.ceil(np.sqrt(size / max_voxels))))
    return factor


def _read_pixels(
    frames: list[Frame], factor: int, warnings: list[str], progress: Progress | None
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_], list[bool], ValueCheck]:
    rows, columns = -(-frames[0].rows // factor), -(-frames[0].columns // factor)
    array = np.empty((len(frames), rows, columns), dtype=np.int16)
    valid = np.zeros((frames[0].rows, frames[0].columns), dtype=bool)
    check = ValueCheck()
    kept: list[bool] = []
    faults: list[OmnidoseError] = []
    reader = PixelReader()
    used = 0
    for done, frame in enumerate(frames, start=1):
        try:
            hu, padding = reader.read_hu(frame)
        except DicomError as error:
            faults.append(error)
            kept.append(False)
            if len(faults) > max(1.0, _MAX_BAD_FRACTION * len(frames)) or len(frames) == 1:
                raise
            continue
        filling = hu < _FILLING_BELOW_HU if padding is None else padding | (hu < _FILLING_BELOW_HU)
        check.add(hu, filling, frame)
        hu[filling] = OUTSIDE_HU
        np.clip(hu, OUTSIDE_HU, 32767, out=hu)
        valid |= ~filling
        array[used] = _reduce_slice(np.rint(hu).astype(np.int16), factor)
        kept.append(True)
        used += 1
        if progress is not None:
            progress(done, len(frames))
    if faults:
        warnings.append(f"{len(faults)} images are damaged and were interpolated: {faults[0].what}.")
    valid &= circular_field(check, frames[0])
    return array[:used], valid, kept, check


def _reduce_slice(hu: npt.NDArray[np.int16], factor: int) -> npt.NDArray[np.int16]:
    if factor == 1:
        return hu
    reduced: npt.NDArray[np.int16] = _block_mean(_block_mean(hu[None], factor, 1), factor, 2)[0]
    return reduced


def _stack(frames: list[Frame], factor: int) -> Stack:
    first = frames[0]
    dx, dy = first.spacing_mm
    shift = 0.5 * (factor - 1) * (dx * first.row_direction + dy * first.column_direction)
    return Stack(
        origins_mm=np.array([f.position_mm for f in frames]) + shift,
        row_direction=first.row_direction,
        column_direction=first.column_direction,
        spacing_mm=(dx * factor, dy * factor),
    )


def _warn_about_gaps(stack: Stack, warnings: list[str]) -> None:
    if len(stack.origins_mm) < 3 or stack.is_even():
        return
    gaps = stack.gaps_mm
    usual, count = Counter(np.round(gaps, 2)).most_common(1)[0]
    multiples = gaps / float(usual)
    missing = [round(m) - 1 for m in multiples if m > 1.5 and abs(m - round(m)) < 0.05]
    if count >= 0.8 * len(gaps) and missing:
        warnings.append(
            f"{sum(missing)} slices are missing ({len(missing)} gaps of up to {gaps.max():.1f} mm instead of "
            f"{float(usual):.2f} mm); the volume was interpolated across them."
        )


def _imaged(
    valid: npt.NDArray[np.bool_], first: Frame, volume: Volume, covered: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.bool_]:
    """Put the mask of the field of view (pixels of one slice) on the volume's grid, by nearest pixel."""
    field_of_view = np.ones((1, 1, 1), dtype=bool)
    if not valid.all() and abs(first.normal[2]) > 0.7:
        grid = volume.grid
        y, x = np.meshgrid(grid.axis_mm(1), grid.axis_mm(0), indexing="ij")
        basis = np.stack(
            [first.row_direction[:2] * first.spacing_mm[0], first.column_direction[:2] * first.spacing_mm[1]],
            axis=1,
        )  # (column, row) -> (x, y); a tilt shortens the column direction, which the inverse undoes
        offset = np.stack([x - first.position_mm[0], y - first.position_mm[1]], axis=-1)
        pixel = np.rint(offset @ np.linalg.inv(basis).T).astype(int)
        columns, rows = pixel[..., 0], pixel[..., 1]
        inside = (columns >= 0) & (columns < valid.shape[1]) & (rows >= 0) & (rows < valid.shape[0])
        seen = valid[np.clip(rows, 0, valid.shape[0] - 1), np.clip(columns, 0, valid.shape[1] - 1)]
        field_of_view = (seen & inside)[None]
    return field_of_view if covered is None else np.asarray(covered & field_of_view)
