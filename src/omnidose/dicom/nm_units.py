"""What the values of an NM image are: counts, counts per second, or Bq/mL, and what stored values are times.

The NM Image IOD stores counts and knows no unit (PS3.3 A.5, C.8.4). Calibrated images say it in two ways.
Units (0054,1001) belongs to PET (C.8.9.1); makers borrow it together with Rescale Slope. A Real World Value
Mapping (C.7.6.1, C.7.6.16.2.11) is of the standard: real value = slope x *stored* value + intercept, with a
UCUM unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from omnidose.dicom.headers import code, number, sequence, text
from omnidose.errors import ContradictionError, DicomError


class NmUnit(StrEnum):
    """Unit of the values of an NM image."""

    COUNTS = "counts"
    RATE = "counts per second"
    CONCENTRATION = "Bq/mL"


#: Units (0054,1001) of PS3.3 C.8.9.1.1.3 that can give activities.
_UNITS = {"BQML": NmUnit.CONCENTRATION, "CNTS": NmUnit.COUNTS, "CPS": NmUnit.RATE}
#: UCUM (case sensitive; litre is l or L) -> unit and factor to it.
_UCUM = {
    "Bq/ml": (NmUnit.CONCENTRATION, 1.0),
    "kBq/ml": (NmUnit.CONCENTRATION, 1e3),
    "MBq/ml": (NmUnit.CONCENTRATION, 1e6),
    "Bq/cm3": (NmUnit.CONCENTRATION, 1.0),
    "kBq/cm3": (NmUnit.CONCENTRATION, 1e3),
    "MBq/cm3": (NmUnit.CONCENTRATION, 1e6),
    "{counts}": (NmUnit.COUNTS, 1.0),
    "{counts}/s": (NmUnit.RATE, 1.0),
}
#: Two ways to the same unit may differ this much.
AGREE_REL = 1e-3
ALLOWED = "Units BQML, CNTS or CPS, or a Real World Value Mapping in Bq/ml"


@dataclass(frozen=True, slots=True, kw_only=True)
class NmScale:
    """From stored values to the unit: value = slope x stored + intercept.

    Attributes
    ----------
    slope, intercept
        In ``unit``.
    limits
        Lowest and highest stored value that the mapping holds for; None: all.
    said_by
        Where the unit was read; empty if the object says none and counts were taken, as the IOD means it.
    """

    unit: NmUnit
    slope: float
    intercept: float
    limits: tuple[float, float] | None = None
    said_by: str = ""


def read_scale(header: Any) -> NmScale:
    """Return unit and scale of one NM object.

    Raises
    ------
    DicomError
        For a unit that is no activity, a mapping that is no line, or several of them.
    ContradictionError
        If Units and mapping both give Bq/mL and differ.
    """
    named = text(header, "Units").upper()
    if named and named not in _UNITS:
        raise DicomError(
            f"the unit of the images is '{named}'",
            where="Units (0054,1001)",
            allowed=ALLOWED,
            todo="export the series in Bq/mL or counts",
        )
    plain = NmScale(
        unit=_UNITS.get(named, NmUnit.COUNTS),
        slope=_or(number(header, "RescaleSlope"), 1.0),
        intercept=_or(number(header, "RescaleIntercept"), 0.0),
        said_by="Units (0054,1001)" if named else "",
    )
    mapped = _mapped(header)
    if mapped is None:
        return plain
    if mapped.unit is NmUnit.CONCENTRATION and plain.unit is NmUnit.CONCENTRATION:
        off = abs(mapped.slope - plain.slope)
        if off > AGREE_REL * abs(plain.slope):
            raise ContradictionError(
                f"the images give Bq/mL twice, with slopes of {plain.slope:g} and {mapped.slope:g}",
                where="RescaleSlope (0028,1053), RealWorldValueSlope (0040,9225)",
                todo="export the series again",
            )
    if plain.unit is NmUnit.CONCENTRATION and mapped.unit is not NmUnit.CONCENTRATION:
        return plain
    return mapped


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _mapped(header: Any) -> NmScale | None:
    """Return the mapping to Bq/mL or counts; mappings to other units (SUV) beside it do not matter."""
    found: list[NmScale] = []
    others: list[str] = []
    for item in sequence(header, "RealWorldValueMappingSequence"):
        unit = code(item, "MeasurementUnitsCodeSequence")[0].replace("L", "l")
        if unit not in _UCUM:
            others.append(unit)
            continue
        kind, factor = _UCUM[unit]
        found.append(_line(item, kind, factor))
    found.sort(key=lambda scale: scale.unit is not NmUnit.CONCENTRATION)
    best = [scale for scale in found if scale.unit is found[0].unit] if found else []
    if len(best) > 1:
        raise DicomError(
            f"the images have {len(best)} mappings of their values to {best[0].unit.value}",
            where="RealWorldValueMappingSequence (0040,9096)",
            allowed="one",
            todo="export the series again",
        )
    return best[0] if best else None


def _line(item: Any, unit: NmUnit, factor: float) -> NmScale:
    slope = number(item, "RealWorldValueSlope")
    if slope is None or not slope > 0:
        raise DicomError(
            "the images map their values by a table, or by no usable slope",
            where="RealWorldValueMappingSequence (0040,9096)",
            allowed="a positive Real World Value Slope (0040,9225)",
            todo="export the series with a slope",
        )
    first = number(item, "RealWorldValueFirstValueMapped")
    last = number(item, "RealWorldValueLastValueMapped")
    if first is None or last is None:
        first = number(item, "DoubleFloatRealWorldValueFirstValueMapped")
        last = number(item, "DoubleFloatRealWorldValueLastValueMapped")
    return NmScale(
        unit=unit,
        slope=factor * slope,
        intercept=factor * _or(number(item, "RealWorldValueIntercept"), 0.0),
        limits=None if first is None or last is None else (min(first, last), max(first, last)),
        said_by="RealWorldValueMappingSequence (0040,9096)",
    )
