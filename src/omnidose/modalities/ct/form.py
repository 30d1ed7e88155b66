"""What a person must enter when there are no images: fields, and the record made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omnidose import data
from omnidose.errors import InputError, RangeError
from omnidose.modalities.ct.exposure import CtScan, ScaleSource, ScanType
from omnidose.modalities.ct.scale import DISPLAY_STD_REL
from omnidose.provenance import Assumption

#: Focus distance where the maker is unknown: between those of the big four (541 to 600 mm).
GENERIC_FOCUS_MM = 570.0
#: Over-scan at each end of a helix in rotations: middle of the 0.5 to 1 seen (docs/methods/ct.md).
OVERSCAN_ROTATIONS = 0.75
#: z of a range that starts and ends with a landmark is worth no more than this.
DEFAULT_PHANTOM_CM = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One thing to enter.

    Attributes
    ----------
    key
        Key in the mapping of values; also the name of what ``ingest`` accepts as ``given``.
    choices
        Allowed texts; empty for a number.
    low, high
        Range of a number in ``unit``.
    required
        Whether a scan can be described without it.
    """

    key: str
    label: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    required: bool = False
    help: str = ""


#: What a person can enter: localizers come from dose reports only.
SCAN_TYPES = tuple(t.value for t in ScanType if t is not ScanType.LOCALIZER)
FIELDS = (
    FormField(
        key="scan_type",
        label="Scan type",
        choices=SCAN_TYPES,
        required=True,
    ),
    FormField(key="kv", label="Tube voltage", unit="kV", low=60, high=150, required=True),
    FormField(
        key="collimation_mm", label="Total collimation (N x T)", unit="mm", low=0.3, high=200, required=True
    ),
    FormField(key="pitch", label="Pitch (helical)", low=0.02, high=4),
    FormField(key="z_low_mm", label="Lower end of the range", unit="mm", low=-3000, high=3000, required=True),
    FormField(
        key="z_high_mm", label="Upper end of the range", unit="mm", low=-3000, high=3000, required=True
    ),
    FormField(key="step_mm", label="Table step (axial)", unit="mm", low=0.3, high=200),
    FormField(key="phantom_cm", label="CTDI phantom", unit="cm", choices=("16", "32")),
    FormField(
        key="ctdivol_mgy",
        label="CTDIvol of the whole scan",
        unit="mGy",
        low=0.001,
        high=5000,
        help="Without it the result is relative: mGy per mGy CTDIvol.",
    ),
    FormField(key="dlp_mgy_cm", label="DLP", unit="mGy cm", low=0.001, high=100000),
    FormField(key="bowtie", label="Bow-tie", choices=("head", "body", "none")),
    FormField(key="manufacturer", label="Manufacturer"),
    FormField(key="repeats", label="Passes over the same range", low=1, high=500),
)


def checked_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as numbers and texts, refusing what is unknown or out of range."""
    known = {item.key: item for item in FIELDS}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if value is None or value == "":
            continue
        if key not in known:
            raise InputError(f"a CT scan has no '{key}'", allowed=", ".join(known))
        item = known[key]
        if item.choices:
            text = f"{value:g}" if isinstance(value, (int, float)) else str(value)
            if text not in item.choices:
                raise InputError(f"{item.label} '{text}'", where=key, allowed=", ".join(item.choices))
            values[key] = int(text) if key == "phantom_cm" else text
        elif item.high == item.low:
            values[key] = str(value)
        else:
            values[key] = _number(item, value)
    return values


def _number(item: FormField, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not item.low <= number <= item.high:
        raise RangeError(
            f"{item.label} of {value} {item.unit}".rstrip(),
            where=item.key,
            allowed=f"{item.low:g} to {item.high:g} {item.unit}".rstrip(),
        )
    return number


def focus_for(manufacturer: str) -> tuple[float, bool]:
    """Return the focus distance of a manufacturer in mm, and whether the name was known."""
    words = manufacturer.upper().split()
    for row in data.load("ct_geometry").rows():
        if words and words[0] == str(row["manufacturer"]):
            return float(row["focus_mm"]), True
    return GENERIC_FOCUS_MM, False


def scan_from_form(given: Mapping[str, Any], *, key: str = "entered by hand") -> CtScan:
    """Return the scan that a person described (range: the imaged one; over-scan is added here).

    Raises
    ------
    InputError
        If something required is missing, unknown or out of range.
    """
    values = checked_values(given)
    missing = [item.label for item in FIELDS if item.required and item.key not in values]
    if missing:
        raise InputError(f"the scan is not described: {', '.join(missing)} missing", todo="enter them")
    scan_type = ScanType(values["scan_type"])
    low, high = sorted((values["z_low_mm"], values["z_high_mm"]))
    collimation = values["collimation_mm"]
    phantom = values.get("phantom_cm", DEFAULT_PHANTOM_CM)
    focus, known = focus_for(values.get("manufacturer", ""))
    assumptions = []
    if not known:
        assumptions.append(
            Assumption(key="ct.focus", text=f"focus distance {focus:g} mm: the scanner's is not known")
        )
    ctdivol = values.get("ctdivol_mgy")
    pitch, step, rotations = 0.0, 0.0, tuple[float, ...]()
    if scan_type is ScanType.HELICAL:
        pitch = values.get("pitch", 0.0)
        if not pitch:
            raise InputError("a helical scan needs its pitch", where="pitch", todo="enter it")
        overscan = OVERSCAN_ROTATIONS * pitch * collimation
        start, end = low - overscan, high + overscan
        assumptions.append(overscan_assumption(overscan))
    elif scan_type is ScanType.AXIAL:
        step = values.get("step_mm", collimation)
        rotations = axial_positions_mm(low, high, step)
        start, end = rotations[0], rotations[-1]
    else:
        middle = 0.5 * (low + high)
        rotations, start, end = (middle,), middle, middle
    return CtScan(
        key=key,
        scan_type=scan_type,
        kv=values["kv"],
        collimation_mm=collimation,
        pitch=pitch,
        step_mm=step,
        rotation_z_mm=rotations,
        z_start_mm=start,
        z_end_mm=end,
        repeats=int(values.get("repeats", 1)),
        phantom_cm=phantom,
        ctdivol_mgy=ctdivol,
        scale=ScaleSource.USER if ctdivol is not None else ScaleSource.NONE,
        scale_std_rel=DISPLAY_STD_REL if ctdivol is not None else 0.0,
        dlp_mgy_cm=values.get("dlp_mgy_cm"),
        focus_mm=focus,
        bowtie=values.get("bowtie", "head" if phantom == 16 else "body"),
        imaged_z_mm=(low, high),
        manufacturer=values.get("manufacturer", ""),
        assumptions=tuple(assumptions),
    )


def axial_positions_mm(low_mm: float, high_mm: float, step_mm: float) -> tuple[float, ...]:
    """Return the centres of the rotations that cover a range, in steps, centred on it."""
    count = max(1, round((high_mm - low_mm) / step_mm))
    first = 0.5 * (low_mm + high_mm) - 0.5 * (count - 1) * step_mm
    return tuple(first + step_mm * i for i in range(count))


def overscan_assumption(length_mm: float) -> Assumption:
    """Return the assumption that goes with over-scan by rule."""
    return Assumption(
        key="ct.overscan",
        text=f"over-scan of {length_mm:.1f} mm ({OVERSCAN_ROTATIONS:g} rotations) added at each end",
        effect="organs at the ends of the scan; 0.5 to 1 rotation is usual",
    )
