"""What a person may say about a nuclear medicine exam, and what is asked for when the data are silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any

from omnidose.errors import InputError, RangeError
from omnidose.modalities.nuclear.exposure import DoseMethod, Unseen
from omnidose.modalities.nuclear.series.exam import OnePoint


class DecayMoment(StrEnum):
    """Moment to which the values of a SPECT were corrected for decay."""

    NONE = "none"
    START = "scan start"
    INJECTION = "injection"


class Purpose(StrEnum):
    """What a radiopharmaceutical was given for."""

    THERAPY = "therapy"
    DIAGNOSIS = "diagnosis"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One thing to enter.

    Attributes
    ----------
    key
        Key in the mapping of values, as ``ingest`` accepts it.
    choices
        Allowed texts; empty for a number or free text.
    limits
        Range of a number in ``unit``; None: free text.
    whole
        Whether the number counts things.
    """

    key: str
    label: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    limits: tuple[float, float] | None = None
    help: str = ""
    whole: bool = False


FIELDS = (
    FormField(key="nuclide", label="Radionuclide", help="F-18, 68Ga, … where no code names it."),
    FormField(
        key="injected_mbq",
        label="Activity in the syringe at the time of injection",
        unit="MBq",
        limits=(0.1, 40_000),
        help="1 mCi is 37 MBq.",
    ),
    FormField(
        key="residual_mbq", label="Residue in the syringe, at the injection", unit="MBq", limits=(0, 40_000)
    ),
    FormField(
        key="injection_time",
        label="Time of injection",
        help="2026-11-25 10:30, or 10:30 on the day of the scan; by the scanner's clock.",
    ),
    FormField(
        key="time_zone", label="Time zone of the scanner", help="Europe/Berlin: needed when clocks change."
    ),
    FormField(key="weight_kg", label="Weight", unit="kg", limits=(0.3, 400)),
    FormField(
        key="effective_half_life_h",
        label="Effective half-life after the scan",
        unit="h",
        limits=(0.001, 10_000),
        help="Without it: physical decay alone, which is the longest stay.",
    ),
    FormField(
        key="unseen",
        label="Activity that was given and is not in the images",
        choices=tuple(u.value for u in Unseen),
    ),
    FormField(key="method", label="Dose by", choices=tuple(m.value for m in DoseMethod)),
    FormField(
        key="calibration_cps_per_mbq",
        label="Calibration of the camera for this nuclide and reconstruction",
        unit="counts per s and MBq",
        limits=(0.01, 10_000),
        help="SPECT in counts: all counts of the reconstructed image of a known source, over the duration of "
        "that scan and over its activity.",
    ),
    FormField(
        key="calibration_std_rel",
        label="Relative standard uncertainty of the calibration",
        unit="1",
        limits=(0.001, 0.5),
        help="0.05 is 5 %, which is taken if nothing is said.",
    ),
    FormField(
        key="dead_time_s",
        label="Dead time of the camera (paralysable)",
        unit="s",
        limits=(0, 1e-4),
        help="SPECT in counts; needs detector_heads.",
    ),
    FormField(
        key="detector_heads",
        label="Heads of the camera that turned around the patient",
        unit="heads",
        limits=(1, 4),
        whole=True,
        help="Where views of all heads are counted together, the scan took the fewer seconds.",
    ),
    FormField(
        key="scan_duration_s",
        label="Duration of each SPECT, from the first view to the end of the last",
        unit="s",
        limits=(30, 14_400),
        help="Where the images do not say it; of one bed, if there are several.",
    ),
    FormField(
        key="image_fwhm_mm",
        label="Blur of the reconstructed images (full width at half maximum)",
        unit="mm",
        limits=(1, 40),
        help="With it the partial volume of organs is corrected; one PET needs its CT for that.",
    ),
    FormField(
        key="decay_corrected_to",
        label="Moment to which the SPECT was corrected for decay",
        choices=tuple(m.value for m in DecayMoment),
    ),
    FormField(
        key="attenuation_corrected",
        label="The reconstruction corrected for attenuation, though the images do not list it",
        choices=("yes",),
    ),
    FormField(key="purpose", label="Given for", choices=tuple(p.value for p in Purpose)),
    FormField(
        key="one_point",
        label="One time point without an effective half-life: integrated by",
        choices=tuple(o.value for o in OnePoint),
    ),
)
#: What is said of a SPECT or a time series, not of one PET.
SERIES_KEYS = (
    "calibration_cps_per_mbq",
    "calibration_std_rel",
    "dead_time_s",
    "detector_heads",
    "scan_duration_s",
    "decay_corrected_to",
    "attenuation_corrected",
    "purpose",
    "one_point",
)


def refuse_foreign(values: Mapping[str, Any], keys: tuple[str, ...], kind: str) -> None:
    """Refuse what was said and has no meaning for a kind of exam, so that nobody believes it was used.

    Raises
    ------
    InputError
        Naming the first such key.
    """
    for key in keys:
        if key in values:
            raise InputError(
                f"'{key}' was said, which has no meaning for {kind}", where=key, todo="leave it out"
            )


def checked_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as numbers and texts.

    Raises
    ------
    InputError, RangeError
        If a key is unknown, or a value out of range.
    """
    known = {item.key: item for item in FIELDS}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if value is None or value == "":
            continue
        if key not in known:
            raise InputError(f"there is nothing to be said as '{key}'", allowed=", ".join(known))
        item = known[key]
        if item.choices:
            if str(value) not in item.choices:
                raise InputError(f"{item.label} '{value}'", where=key, allowed=", ".join(item.choices))
            values[key] = str(value)
        elif item.limits is None:
            values[key] = value if isinstance(value, datetime) else str(value).strip()
        else:
            values[key] = _number(item, value)
    return values


def _number(item: FormField, value: Any) -> float:
    words = str(value).strip()
    if words.lower().endswith("ci"):
        raise InputError(
            f"{item.label}: '{words}' is in curie",
            where=item.key,
            allowed=f"a number in {item.unit}",
            todo="multiply mCi by 37 for MBq",
        )
    try:
        number = float(words)
    except ValueError:
        number = float("nan")
    low, high = item.limits or (0.0, 0.0)
    if not low <= number <= high or (item.whole and not number.is_integer()):
        raise RangeError(
            f"{item.label} of {value} {item.unit}".rstrip(),
            where=item.key,
            allowed=f"{low:g} to {high:g} {item.unit}".rstrip() + (", whole" if item.whole else ""),
        )
    return number


def given_moment(value: Any, *, scan: datetime) -> datetime:
    """Return the moment that a person typed: date and time, or a time of day on the day of the scan.

    Parameters
    ----------
    scan
        Start of the scan by the scanner's clock, without a time zone.
    """
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    words = str(value).strip()
    for kind in ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"):
        try:
            return datetime.strptime(words, kind)
        except ValueError:
            continue
    for kind in ("%H:%M", "%H:%M:%S"):
        try:
            moment = datetime.strptime(words, kind)
        except ValueError:
            continue
        return datetime.combine(scan.date(), moment.time())
    raise InputError(
        f"'{words}' is no time of injection",
        where="injection_time",
        allowed="2026-11-25 10:30, or 10:30 on the day of the scan",
    )


def zone_of(offset: str, given: str = "") -> tuple[tzinfo, bool]:
    """Return the time zone of a scanner's clock, and whether it is known.

    Parameters
    ----------
    offset
        Timezone Offset From UTC (0008,0201), ``+0100``; may be empty.
    given
        IANA name that a person said; it wins, because it knows when clocks change.

    Raises
    ------
    InputError
        If there is no such zone.
    """
    from datetime import timezone
    from zoneinfo import ZoneInfo

    from omnidose.modalities.nuclear.scans import offset_of

    if given:
        try:
            return ZoneInfo(given), True
        except Exception as error:  # several kinds for names that are no zone
            raise InputError(
                f"there is no time zone '{given}'", where="time_zone", allowed="an IANA name, Europe/Berlin"
            ) from error
    found = offset_of(offset)
    return (UTC, False) if found is None else (timezone(found), True)
