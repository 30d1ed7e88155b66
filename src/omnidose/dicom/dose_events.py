"""Records of a radiation dose report: what the device says about every irradiation."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class AcquisitionType(StrEnum):
    """CT acquisition types of PS3.16 CID 10013."""

    SEQUENCED = "sequenced"
    SPIRAL = "spiral"
    CONSTANT_ANGLE = "constant angle"
    STATIONARY = "stationary"
    FREE = "free"
    CONE_BEAM = "cone beam"
    UNKNOWN = ""


class ReportKind(StrEnum):
    """What a dose report is about."""

    CT = "ct"
    PROJECTION = "projection"
    MAMMOGRAPHY = "mammography"
    RADIOPHARMACEUTICAL = "radiopharmaceutical"


@dataclass(frozen=True, slots=True, kw_only=True)
class TubeSource:
    """One X-ray source of a CT event (a dual-source scanner has two)."""

    label: str = ""
    kvp_kv: float | None = None
    mean_tube_current_ma: float | None = None
    max_tube_current_ma: float | None = None
    rotation_time_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IrradiationEvent:
    """One irradiation as the device reported it; None or empty where it is silent.

    Attributes
    ----------
    uid
        Irradiation Event UID.
    ctdi_phantom
        ``16`` or ``32`` (cm PMMA), or empty.
    scanning_length_mm
        Table travel with the beam on, without the beam width at the ends (PS3.16: scanning length).
    exposed_range_mm
        Irradiated length including over-scan and collimation, where given.
    scan_top_z_mm, scan_bottom_z_mm, reconstruction_top_z_mm, reconstruction_bottom_z_mm
        LPS z in the frame of reference ``frame_of_reference_uid``.
    modulation
        X-Ray Modulation Type as written (``XYZ_EC``, ``NONE``, …).
    mean_ctdi_free_air_mgy
        Mean CTDI free in air, where given.
    bolus_tracking
        True for monitoring and test bolus scans.
    notes
        What was doubtful in this event and how it was treated.
    """

    uid: str
    acquisition_type: AcquisitionType = AcquisitionType.UNKNOWN
    protocol: str = ""
    target_region: str = ""
    target_region_code: tuple[str, str] = ("", "")
    procedure_context: str = ""
    start: str = ""
    sources: tuple[TubeSource, ...] = ()
    exposure_time_s: float | None = None
    single_collimation_mm: float | None = None
    total_collimation_mm: float | None = None
    pitch: float | None = None
    scanning_length_mm: float | None = None
    exposed_range_mm: float | None = None
    reconstruction_length_mm: float | None = None
    scan_top_z_mm: float | None = None
    scan_bottom_z_mm: float | None = None
    reconstruction_top_z_mm: float | None = None
    reconstruction_bottom_z_mm: float | None = None
    frame_of_reference_uid: str = ""
    ctdivol_mgy: float | None = None
    ctdi_phantom: str = ""
    dlp_mgy_cm: float | None = None
    mean_ctdi_free_air_mgy: float | None = None
    modulation: str = ""
    comment: str = ""
    bolus_tracking: bool = False
    notes: tuple[str, ...] = ()

    @property
    def kvp_kv(self) -> float | None:
        """Tube voltage of the first source."""
        return self.sources[0].kvp_kv if self.sources else None

    @property
    def mean_tube_current_ma(self) -> float | None:
        """Mean tube current of the first source."""
        return self.sources[0].mean_tube_current_ma if self.sources else None

    @property
    def max_tube_current_ma(self) -> float | None:
        """Largest tube current of the first source."""
        return self.sources[0].max_tube_current_ma if self.sources else None

    @property
    def rotation_time_s(self) -> float | None:
        """Exposure time per rotation of the first source."""
        return self.sources[0].rotation_time_s if self.sources else None

    @property
    def is_localizer(self) -> bool:
        """True for scout views (constant angle)."""
        return self.acquisition_type is AcquisitionType.CONSTANT_ANGLE


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedTotal:
    """A total that the report states, in the canonical unit ``unit``."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseReport:
    """One radiation dose structured report.

    Attributes
    ----------
    study_uid
        Study whose dose the report accumulates (its scope, else its header).
    created
        Content date and time, ``YYYYMMDDHHMMSS``; later reports of one study replace earlier ones.
    """

    kind: ReportKind
    sop_instance_uid: str
    study_uid: str
    manufacturer: str = ""
    model: str = ""
    device_serial: str = field(default="", repr=False)
    start: str = ""
    end: str = ""
    created: str = ""
    events: tuple[IrradiationEvent, ...] = ()
    stated_event_count: int | None = None
    total_dlp_mgy_cm: float | None = None
    totals: tuple[ReportedTotal, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def device(self) -> str:
        """Maker and model, for messages."""
        return f"{self.manufacturer} {self.model}".strip()
