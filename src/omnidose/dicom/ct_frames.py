"""One CT slice at a time: header of a slice or frame -> :class:`Frame`, and its stored values in HU.

Single-frame CT, Enhanced CT and Legacy Converted Enhanced CT are brought to the same record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.dicom.headers import code, is_compressed, number, numbers, quiet, sequence, text, uid_name
from omnidose.dicom.inventory import Instance, Series
from omnidose.errors import DependencyError, DicomError

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
LEGACY_ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.2"
CT_CLASSES = (CT_IMAGE, ENHANCED_CT, LEGACY_ENHANCED_CT)


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceHeader:
    """What one slice says about place and exposure. None where the header is silent.

    Attributes
    ----------
    z_mm
        LPS z of the centre of the image (of a tilted slice too).
    tube_current_ma
        XRayTubeCurrent (0018,1151).
    exposure_mas
        Exposure (0018,1152) or ExposureInuAs / 1000, *as written*: Siemens and Philips divide by the
        pitch, GE does not. The CT modality interprets it.
    exposure_time_s
        ExposureTime (0018,1150) / 1000, as written (Philips: rotation time / pitch).
    ctdivol_mgy
        CTDIvol (0018,9345).
    ctdi_phantom
        ``16`` or ``32`` (cm), or empty.
    frame_number
        0 for a single-frame object, else the frame counted from 1.
    """

    z_mm: float
    source_uid: str
    kvp_kv: float | None = None
    tube_current_ma: float | None = None
    exposure_mas: float | None = None
    exposure_time_s: float | None = None
    revolution_time_s: float | None = None
    ctdivol_mgy: float | None = None
    ctdi_phantom: str = ""
    pitch: float | None = None
    slice_thickness_mm: float | None = None
    acquisition_number: int | None = None
    frame_number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One slice before its pixels are read.

    Attributes
    ----------
    position_mm
        Centre of the first pixel (x, y, z), LPS.
    row_direction, column_direction
        Unit vectors along a row (increasing column index) and down a column.
    spacing_mm
        Distance between (columns, rows): x-like first.
    """

    path: Path
    header: Any = field(repr=False)
    slice: SliceHeader
    position_mm: npt.NDArray[np.float64]
    row_direction: npt.NDArray[np.float64]
    column_direction: npt.NDArray[np.float64]
    spacing_mm: tuple[float, float]
    rows: int
    columns: int
    slope: float
    intercept: float
    rescale_type: str

    @property
    def normal(self) -> npt.NDArray[np.float64]:
        """Unit vector perpendicular to the slice."""
        return np.cross(self.row_direction, self.column_direction)


def is_localizer(item: Series | Instance) -> bool:
    """Return True for scout views (topograms, scanograms, surviews)."""
    header = item.header
    if isinstance(item, Series) and item.modality != "CT":
        return False
    kind = text(header, "ImageType").upper()
    return "LOCALIZER" in kind or "SCOUT" in kind or "SURVIEW" in kind


def is_ct_image(item: Series | Instance) -> bool:
    """Return True for CT images of slices: no localizer, no dose screen, no derived screen capture."""
    sop_class = text(item.header, "SOPClassUID")
    if not sop_class:
        sop_class = text(getattr(item.header, "file_meta", None) or {}, "MediaStorageSOPClassUID")
    return sop_class in CT_CLASSES and not is_localizer(item)


def is_dose_screen(series: Series) -> bool:
    """Return True for secondary captures in which a CT shows its dose table or planned ranges."""
    kind = text(series.header, "ImageType").upper()
    words = f"{series.description} {text(series.header, 'ProtocolName')}".upper()
    secondary = not is_ct_image(series) and series.modality == "CT" and not is_localizer(series)
    captured = series.sop_class.startswith("1.2.840.10008.5.1.4.1.1.7")
    return (
        (secondary and captured)
        or "DOSE_INFO" in kind
        or "SCREEN SAVE" in kind
        or (captured and "DOSE" in words)
    )


def frames_of(instance: Instance) -> Iterator[Frame]:
    """Yield the slices of one object.

    Raises
    ------
    DicomError
        If place, size or rescaling of a slice is missing or impossible.
    """
    header = instance.header
    groups = sequence(header, "PerFrameFunctionalGroupsSequence")
    if not groups:
        yield _frame(instance, _Layers((header,)), 0)
        return
    shared = sequence(header, "SharedFunctionalGroupsSequence")
    for number_, group in enumerate(groups, start=1):
        yield _frame(
            instance, _Layers((*_flatten(group), *(_flatten(shared[0]) if shared else ()), header)), number_
        )


def _flatten(group: Any) -> tuple[Any, ...]:
    """Return the single items of all macros of a functional group."""
    found: list[Any] = []
    for element in group:
        if element.VR == "SQ" and len(element.value) == 1:
            found.append(element.value[0])
    return tuple(found)


class _Layers:
    """Looks an attribute up in the macros of a frame, then the shared ones, then the object."""

    def __init__(self, layers: tuple[Any, ...]) -> None:
        self.layers = layers

    def get(self, keyword: str) -> Any:
        for layer in self.layers:
            value = layer.get(keyword)
            if value is not None and not (hasattr(value, "__len__") and len(value) == 0):
                return value
        return None


def _frame(instance: Instance, header: Any, frame_number: int) -> Frame:
    place = f"instance {text(header, 'InstanceNumber') or '?'}" + (
        f" frame {frame_number}" if frame_number else ""
    )
    orientation = np.asarray(numbers(header, "ImageOrientationPatient"), dtype=np.float64)
    position = np.asarray(numbers(header, "ImagePositionPatient"), dtype=np.float64)
    if orientation.shape != (6,) or position.shape != (3,):
        raise DicomError(
            "an image does not say where it lies in the patient",
            where=f"ImageOrientationPatient (0020,0037) or ImagePositionPatient (0020,0032), {place}",
            allowed="six and three numbers",
            todo="export the original images again",
        )
    row, column = orientation[:3], orientation[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if min(lengths) < 0.9 or max(lengths) > 1.1 or abs(row @ column) > 0.02:
        raise DicomError(
            "the image orientation is not two perpendicular unit vectors",
            where=f"ImageOrientationPatient (0020,0037), {place}",
        )
    row = row / lengths[0]
    column = column - (column @ row) * row
    column /= np.linalg.norm(column)
    spacing = numbers(header, "PixelSpacing")
    rows, columns = number(header, "Rows") or 0, number(header, "Columns") or 0
    if len(spacing) != 2 or min(spacing) <= 0 or max(spacing) > 20 or rows < 1 or columns < 1:
        raise DicomError(
            "an image does not give its pixel size or matrix",
            where=f"PixelSpacing (0028,0030), Rows, Columns, {place}",
            allowed="two numbers between 0 and 20 mm",
        )
    slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
    half_mm = 0.5 * (columns - 1) * spacing[1] * row + 0.5 * (rows - 1) * spacing[0] * column
    return Frame(
        path=instance.path,
        header=instance.header,
        slice=_slice_header(header, instance.sop_instance_uid, frame_number, float((position + half_mm)[2])),
        position_mm=position,
        row_direction=row,
        column_direction=column,
        spacing_mm=(spacing[1], spacing[0]),
        rows=int(rows),
        columns=int(columns),
        slope=1.0 if slope is None else slope,
        intercept=0.0 if intercept is None else intercept,
        rescale_type=text(header, "RescaleType").upper(),
    )


def _slice_header(header: Any, uid: str, frame_number: int, z_mm: float) -> SliceHeader:
    def positive(keyword: str, factor: float = 1.0) -> float | None:
        value = number(header, keyword)
        return factor * value if value is not None and value > 0 else None

    acquisition = number(header, "AcquisitionNumber")
    return SliceHeader(
        z_mm=z_mm,
        source_uid=uid,
        kvp_kv=positive("KVP"),
        tube_current_ma=positive("XRayTubeCurrent")
        or positive("XRayTubeCurrentInmA")
        or positive("XRayTubeCurrentInuA", 1e-3),
        exposure_mas=positive("ExposureInmAs") or positive("Exposure") or positive("ExposureInuAs", 1e-3),
        exposure_time_s=positive("ExposureTimeInms", 1e-3)
        or positive("ExposureTime", 1e-3)
        or positive("ExposureTimeInuS", 1e-6),
        revolution_time_s=positive("RevolutionTime"),
        ctdivol_mgy=positive("CTDIvol"),
        ctdi_phantom={"113690": "16", "113691": "32"}.get(code(header, "CTDIPhantomTypeCodeSequence")[0], ""),
        pitch=positive("SpiralPitchFactor"),
        slice_thickness_mm=positive("SliceThickness"),
        acquisition_number=None if acquisition is None else int(acquisition),
        frame_number=frame_number,
    )


@dataclass(slots=True)
class PixelReader:
    """Reads stored values slice by slice and turns them into HU. Keeps at most one file open in memory."""

    _path: Path | None = None
    _dataset: Any = None

    def read_hu(self, frame: Frame) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_] | None]:
        """Return HU [row, column] and the mask of padding (None if the header names no padding value).

        Raises
        ------
        DicomError
            If the pixel data are missing, truncated or damaged, or are no CT numbers by kind.
        DependencyError
            If no decoder for the compression is installed.
        """
        with quiet():
            if self._path != frame.path:
                self._path, self._dataset = None, self._open(frame.path)
                self._path = frame.path
            stored, rescaled = self._decode(frame)
        if stored.shape != (frame.rows, frame.columns):
            raise DicomError(
                f"the pixel data have the shape {stored.shape}, not {(frame.rows, frame.columns)}",
                where=_place(frame),
            )
        padding = None if rescaled else _padding(self._dataset, stored)
        hu = np.asarray(stored, dtype=np.float32)
        if not rescaled:
            hu = hu * np.float32(frame.slope) + np.float32(frame.intercept)
        return hu, padding

    @staticmethod
    def _open(path: Path) -> Any:
        import pydicom

        try:
            dataset = pydicom.dcmread(path, force=True)
            if not text(dataset.file_meta, "TransferSyntaxUID"):  # a bare data set: as it was read
                implicit, little = dataset.original_encoding
                dataset.file_meta.TransferSyntaxUID = (
                    "1.2.840.10008.1.2" if implicit else f"1.2.840.10008.1.2.{1 if little else 2}"
                )
            return dataset
        except Exception as error:  # any fault of a damaged file
            raise DicomError("an image cannot be read again", where=path.name) from error

    def _decode(self, frame: Frame) -> tuple[npt.NDArray[Any], bool]:
        from pydicom.pixels import pixel_array

        if "PixelData" not in self._dataset:
            raise DicomError(
                "an image has no pixel data", where=_place(frame), todo="export the images again"
            )
        index = frame.slice.frame_number - 1 if frame.slice.frame_number else None
        try:
            return np.asarray(pixel_array(self._dataset, index=index, raw=True)), False
        except Exception as error:  # decoders raise many kinds; a second decoder gets a try
            if is_compressed(self._dataset) and index is None:
                return _decode_with_gdcm(frame), True
            raise DicomError(
                "the pixel data of an image are damaged or truncated",
                where=_place(frame),
                todo="copy it again",
            ) from error


def _place(frame: Frame) -> str:
    return f"instance {text(frame.header, 'InstanceNumber') or frame.path.name}"


def _decode_with_gdcm(frame: Frame) -> npt.NDArray[Any]:
    """Decode one file with the GDCM inside SimpleITK (JPEG lossless, JPEG-LS); the result is rescaled."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(frame.path))
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        decoded: npt.NDArray[Any] = np.asarray(sitk.GetArrayFromImage(reader.Execute()))[0]
        return decoded
    except Exception as error:  # ITK raises RuntimeError for a damaged file and for an unknown compression
        syntax = text(frame.header.file_meta, "TransferSyntaxUID")
        raise DependencyError(
            f"an image compressed with '{uid_name(syntax)}' cannot be decoded",
            where=_place(frame),
            todo="copy the file again, or export the series without compression",
        ) from error


def _padding(dataset: Any, stored: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
    low = number(dataset, "PixelPaddingValue")
    if low is None:
        return None
    high = number(dataset, "PixelPaddingRangeLimit")
    high = low if high is None else high
    if number(dataset, "PixelRepresentation") == 1:  # written as unsigned by some: 63536 is -2000
        low, high = (v - 65536 if v > 32767 else v for v in (low, high))
    return np.asarray((stored >= min(low, high)) & (stored <= max(low, high)))
