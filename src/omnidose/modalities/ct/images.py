"""What the images of one acquisition say about how it was made."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.dicom.ct_frames import Frame, SliceHeader, frames_of
from omnidose.dicom.headers import code, number, numbers, text
from omnidose.dicom.inventory import Series
from omnidose.errors import DicomError
from omnidose.modalities.ct.exposure import ScanType

#: Relative variation from which a value counts as modulated.
_VARIES = 0.005
#: Words in body part, protocol or description that mean a head scan.
_HEAD_WORDS = ("HEAD", "BRAIN", "SKULL", "CRAN", "SINUS", "ORBIT", "KOPF", "SCHAEDEL", "NEURO")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """Facts read from the slices of one series; None or empty where the headers are silent.

    Attributes
    ----------
    z_mm
        Slice centres, rising, without repetitions.
    imaged_z_mm
        Lowest and highest slice face.
    current_rel
        Relative tube current at ``z_mm`` (mean 1); empty if constant or unknown.
    current_source
        Which attribute it was taken from.
    ctdivol_mgy
        Mean over the slices.
    pitch, collimation_mm, rotation_s
        As written; the maker's meaning of times is applied in :mod:`ingest`.
    centre_mm
        (x, y) of the middle of the images.
    data_centre_mm
        (x, y) of DataCollectionCenterPatient.
    """

    series_uid: str
    frame_of_reference_uid: str
    event_uids: frozenset[str]
    manufacturer: str
    model: str
    protocol: str
    is_head: bool
    z_mm: tuple[float, ...]
    imaged_z_mm: tuple[float, float]
    thickness_mm: float
    tilt_deg: float
    kv: float | None
    kvs: tuple[float, ...]
    current_rel: tuple[float, ...]
    current_source: str
    mean_current_ma: float | None
    max_current_ma: float | None
    mean_exposure_mas: float | None
    exposure_time_s: float | None
    rotation_s: float | None
    ctdivol_mgy: float | None
    phantom_cm: int | None
    pitch: float | None
    collimation_mm: float | None
    feed_mm: float | None
    scan_type: ScanType | None
    focus_mm: float | None
    filter_name: str
    tin_mm: float
    centre_mm: tuple[float, float]
    data_centre_mm: tuple[float, float] | None


def read_image_facts(series: Series) -> ImageFacts:
    """Read the facts of a series of CT slices (headers only).

    Raises
    ------
    DicomError
        If no slice says where it lies.
    """
    frames: list[Frame] = []
    fault: DicomError | None = None
    for instance in series.instances:
        try:
            frames.extend(frames_of(instance))
        except DicomError as error:
            fault = error
    if not frames:
        raise fault or DicomError("the series holds no CT slices", todo="give the series of slices")
    frames.sort(key=lambda frame: frame.slice.z_mm)
    slices = [frame.slice for frame in frames]
    header = frames[0].header
    z, columns = _by_position(slices)
    middle = frames[len(frames) // 2]
    half = 0.5 * (middle.columns - 1) * middle.spacing_mm[0] * middle.row_direction
    half = half + 0.5 * (middle.rows - 1) * middle.spacing_mm[1] * middle.column_direction
    centre = middle.position_mm + half
    spacing = float(np.median(np.diff(z))) if z.size > 1 else 0.0
    thickness = _median([s.slice_thickness_mm for s in slices]) or spacing or 1.0
    face = 0.5 * (min(thickness, spacing) if spacing > 0 else thickness)
    kvs = Counter(s.kvp_kv for s in slices if s.kvp_kv)
    current, current_source = _profile(columns)
    words = " ".join(
        text(header, k) for k in ("BodyPartExamined", "ProtocolName", "SeriesDescription", "StudyDescription")
    ).upper()
    phantoms = Counter(s.ctdi_phantom for s in slices if s.ctdi_phantom)
    data_centre = numbers(header, "DataCollectionCenterPatient")
    return ImageFacts(
        series_uid=series.series_uid,
        frame_of_reference_uid=series.frame_of_reference_uid,
        event_uids=frozenset(u for i in series.instances if (u := text(i.header, "IrradiationEventUID"))),
        manufacturer=text(header, "Manufacturer"),
        model=text(header, "ManufacturerModelName"),
        protocol=text(header, "ProtocolName"),
        is_head=any(word in words for word in _HEAD_WORDS) and "NECK" not in words,
        z_mm=tuple(float(v) for v in z),
        imaged_z_mm=(float(z[0]) - face, float(z[-1]) + face),
        thickness_mm=thickness,
        tilt_deg=_tilt_deg(frames[0].normal, number(header, "GantryDetectorTilt")),
        kv=kvs.most_common(1)[0][0] if kvs else None,
        kvs=tuple(sorted(kvs)),
        current_rel=current,
        current_source=current_source,
        mean_current_ma=_mean([s.tube_current_ma for s in slices]),
        max_current_ma=max((s.tube_current_ma for s in slices if s.tube_current_ma), default=None),
        mean_exposure_mas=_mean([s.exposure_mas for s in slices]),
        exposure_time_s=_median([s.exposure_time_s for s in slices]),
        rotation_s=_median([s.revolution_time_s for s in slices]),
        ctdivol_mgy=_mean([s.ctdivol_mgy for s in slices]),
        phantom_cm=int(phantoms.most_common(1)[0][0]) if phantoms else None,
        pitch=_median([s.pitch for s in slices]),
        collimation_mm=_positive(header, "TotalCollimationWidth"),
        feed_mm=_positive(header, "TableFeedPerRotation"),
        scan_type=scan_type_of(header, has_pitch=any(s.pitch for s in slices)),
        focus_mm=_focus_mm(header),
        filter_name=text(header, "FilterType").upper(),
        tin_mm=_tin_mm(header),
        centre_mm=(float(centre[0]), float(centre[1])),
        data_centre_mm=(data_centre[0], data_centre[1]) if len(data_centre) == 3 else None,
    )


def _by_position(slices: list[SliceHeader]) -> tuple[npt.NDArray[np.float64], dict[str, list[float | None]]]:
    """Average what slices at one position say (overlapping phases were split before)."""
    groups: dict[int, list[SliceHeader]] = {}
    for item in slices:
        groups.setdefault(round(item.z_mm * 100), []).append(item)
    order = sorted(groups)
    names = ("tube_current_ma", "exposure_mas", "ctdivol_mgy")
    columns = {name: [_mean([getattr(s, name) for s in groups[k]]) for k in order] for name in names}
    z = np.array([float(np.mean([s.z_mm for s in groups[k]])) for k in order])
    return z, columns


def _profile(columns: dict[str, list[float | None]]) -> tuple[tuple[float, ...], str]:
    """Return relative currents from the first attribute that varies: current, exposure, CTDIvol.

    Every one of them is only used for its *shape*: divided by its own mean, once.
    """
    names = {"tube_current_ma": "XRayTubeCurrent", "exposure_mas": "Exposure", "ctdivol_mgy": "CTDIvol"}
    for name, label in names.items():
        values = [v for v in columns[name] if v is not None]
        if len(values) != len(columns[name]) or len(values) < 2:
            continue
        mean = sum(values) / len(values)
        if max(values) - min(values) > _VARIES * mean:
            return tuple(v / mean for v in values), label
    known = any(v is not None for v in columns["tube_current_ma"])
    return (), "constant XRayTubeCurrent" if known else ""


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None


def _median(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.median(known)) if known else None


def _positive(header: Any, keyword: str) -> float | None:
    value = number(header, keyword)
    return value if value is not None and value > 0 else None


def _tilt_deg(normal: npt.NDArray[np.float64], written: float | None) -> float:
    """Return the gantry tilt: from the images' orientation, else what the header says."""
    lean = float(np.rad2deg(np.arcsin(np.clip(np.hypot(normal[0], normal[1]), 0.0, 1.0))))
    if lean > 0.5:
        return lean
    return abs(written) if written is not None and abs(written) > 0.5 and lean > 0.01 else 0.0


def _focus_mm(header: Any) -> float | None:
    value = number(header, "DistanceSourceToPatient")
    if value is None or not 300 <= value <= 1000:
        value = number(header, "DistanceSourceToDataCollectionCenter")
    return value if value is not None and 300 <= value <= 1000 else None


def _tin_mm(header: Any) -> float:
    if "TIN" not in text(header, "FilterMaterial").upper().split("\\"):
        return 0.0
    thickness = number(header, "FilterThicknessMaximum") or number(header, "FilterThicknessMinimum")
    return thickness if thickness and 0 < thickness < 2 else 0.6


def scan_type_of(header: Any, *, has_pitch: bool) -> ScanType | None:
    """Return the scan type that the headers state, or None if they do not."""
    acquisition = text(header, "AcquisitionType").upper()
    if acquisition in ("SPIRAL", "SEQUENCED", "STATIONARY", "CONSTANT_ANGLE"):
        return {"SPIRAL": ScanType.HELICAL, "SEQUENCED": ScanType.AXIAL}.get(acquisition, ScanType.VOLUME)
    words = f"{text(header, 'ScanOptions')} {text(header, 'ImageType')}".upper().replace("\\", " ").split()
    if any(word in ("HELIX", "HELICAL", "HELICAL_CT", "SPI", "SPIRAL") for word in words):
        return ScanType.HELICAL
    if any(word in ("SEQ", "AXIAL_CT", "CINE", "SEQUENCE") for word in words) or (
        "AXIAL" in text(header, "ScanOptions").upper()
    ):
        return ScanType.AXIAL
    if any(word.startswith("VOLUME") for word in words):
        return ScanType.VOLUME
    return ScanType.HELICAL if has_pitch else None


def phantom_from_code(header: Any, keyword: str) -> int | None:
    """Return 16 or 32 from a CTDI phantom code (DCM 113690, 113691), or None."""
    return {"113690": 16, "113691": 32}.get(code(header, keyword)[0])
