"""``CtScan``: what was done, in one CT irradiation."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError, RangeError
from omnidose.provenance import Assumption


class ScanType(StrEnum):
    """How tube and table move."""

    AXIAL = "axial"
    HELICAL = "helical"
    VOLUME = "volume"
    LOCALIZER = "localizer"


class ScaleSource(StrEnum):
    """Where the absolute scale comes from, in order of preference."""

    DOSE_REPORT = "dose report (RDSR CTDIvol)"
    IMAGE_HEADER = "image header (CTDIvol per slice)"
    USER = "given by the user"
    SCANNER_TABLE = "named scanner: nCTDIw x mAs / pitch"
    NONE = "none: relative to CTDIvol"


@dataclass(frozen=True, slots=True, kw_only=True)
class CtScan:
    """One CT irradiation: everything the source and the scale need.

    Attributes
    ----------
    key
        Irradiation event UID if there is one, else the series UID or another stable key.
    collimation_mm
        Total nominal collimation N x T.
    pitch
        Table feed per rotation / collimation; helical scans only, else 0.
    rotation_z_mm
        Axial and volume scans: z of the beam's centre for each rotation. Empty for helical scans and
        localizers.
    z_start_mm, z_end_mm
        Helical scans and localizers: travel of the beam's centre while the tube is on, over-scan included,
        ``z_start_mm < z_end_mm``. Axial and volume scans: first and last entry of ``rotation_z_mm``.
    step_mm
        Axial scans: table step between rotations (collimation if there is one rotation only).
    repeats
        How often the same range was scanned (perfusion, shuttle). ``ctdivol_mgy`` covers all of them.
    current_z_mm, current_rel
        Tube-current profile: positions (rising) and relative currents (mean about 1). Empty: constant.
    mean_current_ma, rotation_s
        0 if unknown; not needed for the dose.
    phantom_cm
        CTDI phantom that ``ctdivol_mgy`` refers to, 16 or 32.
    ctdivol_mgy
        Of the whole exposure, None if there is no scale.
    scale_std_rel
        Relative standard uncertainty of that scale.
    dlp_mgy_cm
        As displayed, None if not reported. A cross-check and the irradiated length, not the scale.
    isocentre_mm
        (x, y) of the axis of rotation; None: the body's centroid is taken, and said so.
    tilt_deg
        Gantry tilt. The source turns about z; a tilt is an assumption with a warning.
    bowtie
        Name of the bow-tie (table ``ct_bowtie``).
    imaged_z_mm
        (lowest, highest) z of the reconstructed images, slice faces; equal if there are none.
    """

    key: str
    scan_type: ScanType
    kv: float
    collimation_mm: float
    pitch: float = 0.0
    rotation_z_mm: tuple[float, ...] = ()
    z_start_mm: float
    z_end_mm: float
    step_mm: float = 0.0
    repeats: int = 1
    current_z_mm: tuple[float, ...] = ()
    current_rel: tuple[float, ...] = ()
    mean_current_ma: float = 0.0
    rotation_s: float = 0.0
    phantom_cm: int
    ctdivol_mgy: float | None = None
    scale: ScaleSource = ScaleSource.NONE
    scale_std_rel: float = 0.0
    dlp_mgy_cm: float | None = None
    isocentre_mm: tuple[float, float] | None = None
    focus_mm: float
    bowtie: str = "body"
    tin_mm: float = 0.0
    tilt_deg: float = 0.0
    imaged_z_mm: tuple[float, float] = (0.0, 0.0)
    manufacturer: str = ""
    model: str = ""
    event_uid: str = ""
    series_uid: str = ""
    protocol: str = ""
    assumptions: tuple[Assumption, ...] = field(default=())
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.phantom_cm not in (16, 32):
            raise InputError(f"CTDI phantom of {self.phantom_cm} cm", allowed="16 (head) or 32 (body)")
        if self.scan_type is ScanType.HELICAL:
            if not self.pitch > 0 or not self.z_end_mm > self.z_start_mm or self.rotation_z_mm:
                raise InputError(
                    "a helical scan needs a pitch and a travel z_start_mm < z_end_mm, no list of rotations",
                    where=f"pitch {self.pitch:g}, {self.z_start_mm:g} to {self.z_end_mm:g} mm",
                )
        elif self.scan_type is ScanType.LOCALIZER:
            if not self.z_end_mm > self.z_start_mm or self.rotation_z_mm or self.pitch:
                raise InputError("a localizer needs a travel z_start_mm < z_end_mm, no rotations, no pitch")
        elif not self.rotation_z_mm:
            raise InputError(f"an {self.scan_type.value} scan needs the z of each rotation")
        if self.scan_type is ScanType.AXIAL and not self.step_mm > 0:
            raise InputError("an axial scan needs its table step", todo="give step_mm")
        if self.ctdivol_mgy is not None and not 0 < self.ctdivol_mgy < 5000:
            raise RangeError(f"CTDIvol of {self.ctdivol_mgy:g} mGy", allowed="above 0 and below 5000 mGy")
        if (self.ctdivol_mgy is None) != (self.scale is ScaleSource.NONE):
            raise InputError("a CTDIvol needs to say where it comes from, and nothing else may")
        if len(self.current_z_mm) != len(self.current_rel) or any(value < 0 for value in self.current_rel):
            raise InputError("the tube-current profile needs as many positions as currents, all >= 0")
        if np.any(np.diff(self.current_z_mm) <= 0) or (self.current_rel and not sum(self.current_rel) > 0):
            raise InputError("the tube-current profile needs rising positions and a positive current")
        if self.repeats < 1:
            raise InputError(f"{self.repeats} repeats of a scan", allowed="1 or more")

    @property
    def title(self) -> str:
        """One line for a person, without identities."""
        parts = [f"CT {self.scan_type.value}, {self.kv:g} kV", f"{self.collimation_mm:g} mm"]
        if self.pitch:
            parts.append(f"pitch {self.pitch:g}")
        if self.protocol:
            parts.append(self.protocol)
        return ", ".join(parts)

    @property
    def device(self) -> str:
        """Manufacturer and model, for keys of uncertainty components."""
        return " ".join(word for word in (self.manufacturer, self.model) if word) or "unknown scanner"

    @property
    def feed_mm(self) -> float:
        """Table feed per rotation (helical) or step between rotations."""
        return self.pitch * self.collimation_mm if self.scan_type is ScanType.HELICAL else self.step_mm

    @property
    def length_mm(self) -> float:
        """Length L with DLP = CTDIvol x L (IEC 60601-2-44): travel, n x step, or one beam width."""
        if self.scan_type in (ScanType.HELICAL, ScanType.LOCALIZER):
            return self.z_end_mm - self.z_start_mm
        if self.scan_type is ScanType.AXIAL:
            return len(self.rotation_z_mm) * self.step_mm
        return self.collimation_mm

    @property
    def irradiated_z_mm(self) -> tuple[float, float]:
        """Lowest and highest z that the direct beam reaches on the axis."""
        half = 0.5 * self.collimation_mm
        return (self.z_start_mm - half, self.z_end_mm + half)

    def current_at(self, z_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the relative tube current at positions; constant beyond the ends of the profile."""
        z = np.asarray(z_mm, dtype=np.float64)
        if not self.current_rel:
            return np.ones_like(z)
        return np.asarray(np.interp(z, self.current_z_mm, self.current_rel))
