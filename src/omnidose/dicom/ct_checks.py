"""Are these Hounsfield units? Checks of a CT series' header and of the distribution of its values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnidose.dicom.ct_frames import Frame
from omnidose.dicom.headers import number, raw_value, text
from omnidose.dicom.inventory import Series
from omnidose.errors import DicomError

#: Rescale types (PS3.3 C.11.1.1.2) whose values are attenuation in HU. US (unspecified) is old practice.
_HU_TYPES = ("", "HU", "US", "NORMALIZED")
_TODO = "give the original axial CT images, not maps, secondary captures or converted copies"


def check_header(series: Series) -> None:
    """Refuse images whose header says that they are no CT numbers.

    Raises
    ------
    DicomError
        For colour images, MONOCHROME1, or a rescale type other than HU.
    """
    header = series.header
    photometric = text(header, "PhotometricInterpretation").upper()
    if photometric not in ("", "MONOCHROME2") or (number(header, "SamplesPerPixel") or 1) != 1:
        raise DicomError(
            f"the images are {photometric or 'in colour'}, which CT slices in Hounsfield units never are",
            where="PhotometricInterpretation (0028,0004)",
            allowed="MONOCHROME2",
            todo=_TODO,
        )
    kind = text(header, "RescaleType").upper()
    if kind not in _HU_TYPES:
        raise DicomError(
            f"the values of the images are '{kind}', not Hounsfield units",
            where="RescaleType (0028,1054)",
            allowed="HU",
            todo=_TODO,
        )


class ValueCheck:
    """Gathers every 7th pixel of every 7th row of each slice, and judges the sum of them."""

    _LOW, _HIGH = -4096, 32767

    def __init__(self) -> None:
        self.counts = np.zeros(self._HIGH - self._LOW + 1, dtype=np.int64)
        self.saturated = 0
        self.inside = 0
        self.top_hu = 0.0
        self.corner_min: npt.NDArray[np.float32] | None = None
        self.corner_max: npt.NDArray[np.float32] | None = None
        self.ring: npt.NDArray[np.intp] | None = None
        self.ring_filling = 0
        self.ring_total = 0

    def add(self, hu: npt.NDArray[np.float32], filling: npt.NDArray[np.bool_], frame: Frame) -> None:
        """Count one slice (HU before filling was replaced)."""
        sample = hu[::7, ::7][~filling[::7, ::7]]
        clipped = np.clip(np.nan_to_num(sample), self._LOW, self._HIGH).astype(np.int64)
        self.counts += np.bincount(clipped - self._LOW, minlength=len(self.counts))
        bits, signed = (
            number(frame.header, "BitsStored") or 16,
            number(frame.header, "PixelRepresentation") or 0,
        )
        top_hu = (2 ** (bits - signed) - 1) * frame.slope + frame.intercept
        if bits <= 12:
            self.top_hu = top_hu
            self.saturated += int(np.count_nonzero(hu >= top_hu))
        self.inside += int(filling.size - np.count_nonzero(filling))
        corners = _corners(hu)
        self.corner_min = corners if self.corner_min is None else np.minimum(self.corner_min, corners)
        if self.ring is None:
            self.ring = np.flatnonzero(_ring(hu.shape))
        near_edge = hu.ravel()[self.ring]
        self.ring_filling += int(np.count_nonzero(near_edge == corners[0, 0, 0]))
        self.ring_total += near_edge.size
        self.corner_max = corners if self.corner_max is None else np.maximum(self.corner_max, corners)

    @property
    def saturated_fraction(self) -> float:
        """Share of the pixels that stand at the largest value 12 bits can hold."""
        return self.saturated / self.inside if self.inside else 0.0

    def share(self, low_hu: float, high_hu: float) -> float:
        """Return the share of the sampled values from ``low_hu`` up to, not including, ``high_hu``."""
        total = self.counts.sum()
        part = self.counts[int(low_hu) - self._LOW : int(high_hu) - self._LOW]
        return float(part.sum() / total) if total else 0.0

    def verdict(self) -> None:
        """Refuse values that cannot be Hounsfield units.

        Raises
        ------
        DicomError
            Saying what was found and what a CT looks like.
        """
        found = np.flatnonzero(self.counts)
        reason = ""
        if len(found) == 0 or found[0] == found[-1]:
            reason = "all values are equal"
        elif self.share(-200, 250) < 0.002:
            reason = "nearly no value lies between -200 and 250, where soft tissue and water are"
        elif self.share(self._LOW, -150) < 0.001 and self.share(600, 1400) > 0.03:
            reason = (
                "no value is negative and many lie near 1000: stored values without their rescale intercept"
            )
        elif found[0] + self._LOW >= 0 and found[-1] + self._LOW <= 255:
            reason = "all values lie between 0 and 255, as in a picture of a window"
        if reason:
            raise DicomError(
                f"the CT numbers are not Hounsfield units: {reason}",
                where="PixelData with RescaleSlope (0028,1053) and RescaleIntercept (0028,1052)",
                allowed="air near -1000, water and soft tissue near 0",
                todo=_TODO,
            )

    def warnings(self) -> list[str]:
        """Return sentences about what is usable but not clean."""
        if self.saturated_fraction <= 0:
            return []
        return [
            f"{self.saturated} pixels stand at {self.top_hu:.0f} HU, the largest value 12 bits hold: metal "
            "or dense contrast medium there is denser than the image says."
        ]


def _corners(hu: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    rows, columns = hu.shape
    y, x = max(1, rows // 16), max(1, columns // 16)
    return np.stack([hu[:y, :x], hu[:y, -x:], hu[-y:, :x], hu[-y:, -x:]])


def _ring(shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Return the pixels just inside the circle that the matrix inscribes."""
    y, x = np.indices(shape, dtype=np.float32)
    radius = np.hypot((y - (shape[0] - 1) / 2) / (shape[0] / 2), (x - (shape[1] - 1) / 2) / (shape[1] / 2))
    return np.asarray((radius > 0.85) & (radius < 0.98))


def circular_field(check: ValueCheck, frame: Frame) -> npt.NDArray[np.bool_]:
    """Return the field of view [row, column] of images whose corners hold one constant filling value.

    Reconstructed air has noise; corners that hold one and the same value in every slice were never
    reconstructed, unless most of the air inside the circle holds that value too. The field is then the
    circle that the matrix (or ReconstructionDiameter) inscribes.
    """
    everything = np.ones((frame.rows, frame.columns), dtype=bool)
    if check.corner_min is None or check.corner_max is None or frame.rows < 32 or frame.columns < 32:
        return everything
    if float(check.corner_min.min()) != float(check.corner_max.max()) or check.corner_max.max() > -900:
        return everything
    if check.ring_filling > 0.5 * check.ring_total:
        return everything  # the same value inside the circle: noise-free air (a synthetic CT), no filling
    diameter = number(frame.header, "ReconstructionDiameter") or 0.0
    width = frame.columns * frame.spacing_mm[0]
    if (
        not 0.5 * width < diameter <= 1.001 * width
        or raw_value(frame.header, "ReconstructionDiameter") is None
    ):
        diameter = width
    y = (np.arange(frame.rows) - 0.5 * (frame.rows - 1)) * frame.spacing_mm[1]
    x = (np.arange(frame.columns) - 0.5 * (frame.columns - 1)) * frame.spacing_mm[0]
    return np.asarray(y[:, None] ** 2 + x[None, :] ** 2 <= (0.5 * diameter) ** 2)
