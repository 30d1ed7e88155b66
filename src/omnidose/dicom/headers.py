"""Reading single values out of DICOM headers that may be empty, malformed or missing.

pydicom converts values lazily: a malformed decimal string raises (or warns) only when somebody looks at
it. Everything in this room therefore reads attributes through these helpers, which answer ``None`` or
``""`` for what cannot be read, or raise one :class:`~omnidose.errors.DicomError` if the caller needs it.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from pydicom.datadict import dictionary_description, tag_for_keyword

from omnidose.errors import DicomError

_PYDICOM_LOG = logging.getLogger("pydicom")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence pydicom's remarks about values outside their VR.

    We judge the values ourselves, and the remarks quote them: names of persons must not reach a log.
    """
    level = _PYDICOM_LOG.level
    _PYDICOM_LOG.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _PYDICOM_LOG.setLevel(level)


def raw_value(header: Any, keyword: str) -> Any:
    """Return the value of an attribute, or None if it is absent, empty or cannot be converted."""
    try:
        with quiet():
            value = header.get(keyword)
    except Exception:  # any decoding fault of one attribute is the same finding: no usable value
        return None
    if value is None or (hasattr(value, "__len__") and len(value) == 0):
        return None
    return value


def text(header: Any, keyword: str) -> str:
    """Return an attribute as stripped text; empty if absent. Several values are joined by a backslash."""
    value = raw_value(header, keyword)
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode("latin-1", "replace")
    elif not isinstance(value, str) and hasattr(value, "__iter__") and not hasattr(value, "family_name"):
        value = "\\".join(str(v).strip() for v in value)
    clean = "".join(c if c.isprintable() else " " for c in str(value))  # one line, whatever a device wrote
    return clean.strip()


def texts(header: Any, keyword: str) -> tuple[str, ...]:
    """Return the values of a multi-valued attribute as text."""
    joined = text(header, keyword)
    return tuple(joined.split("\\")) if joined else ()


def numbers(header: Any, keyword: str) -> tuple[float, ...]:
    """Return the finite numbers of an attribute; empty if absent or if one of them is not a number."""
    value = raw_value(header, keyword)
    if value is None:
        return ()
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        value = (value,)
    try:
        found = tuple(float(v) for v in value)
    except (TypeError, ValueError):
        return ()
    return found if all(math.isfinite(v) for v in found) else ()


def number(header: Any, keyword: str) -> float | None:
    """Return the first number of an attribute, or None."""
    found = numbers(header, keyword)
    return found[0] if found else None


def sequence(header: Any, keyword: str) -> tuple[Any, ...]:
    """Return the items of a sequence; empty if absent or damaged."""
    value = raw_value(header, keyword)
    if value is None or isinstance(value, (str, bytes)):
        return ()
    try:
        return tuple(value)
    except TypeError:
        return ()


def code(header: Any, keyword: str) -> tuple[str, str, str]:
    """Return (value, scheme, meaning) of the first code of a code sequence, empty strings if absent."""
    items = sequence(header, keyword)
    if not items:
        return ("", "", "")
    item = items[0]
    value = text(item, "CodeValue") or text(item, "LongCodeValue") or text(item, "URNCodeValue")
    return (value, text(item, "CodingSchemeDesignator"), text(item, "CodeMeaning"))


def header_value(header: Any, keyword: str, *, needed_for: str, todo: str = "") -> float:
    """Return a number that the caller cannot do without.

    Raises
    ------
    DicomError
        Naming the attribute, its tag and what it is needed for.
    """
    value = number(header, keyword)
    if value is None:
        raise DicomError(
            f"the images do not give a usable '{describe(keyword)}', which is needed for {needed_for}",
            where=describe_tag(keyword),
            allowed="a number",
            todo=todo or "give the value by hand or use images with complete headers",
        )
    return value


def describe(keyword: str) -> str:
    """Return the name of an attribute as the standard writes it."""
    tag = tag_for_keyword(keyword)
    return dictionary_description(tag) if tag is not None else keyword


def describe_tag(keyword: str) -> str:
    """Return keyword and tag, for example ``KVP (0018,0060)``."""
    tag = tag_for_keyword(keyword)
    return keyword if tag is None else f"{keyword} ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def parse_datetime(value: str) -> datetime | None:
    """Read a DICOM DT (or DA + TM pasted together), without its time zone; None if it is not one."""
    digits = value.strip()
    for sign in "+-":
        digits = digits.split(sign)[0] if len(digits) > 8 else digits
    whole, _, fraction = digits.partition(".")
    if not whole.isdigit() or len(whole) < 8:
        return None
    whole = whole[:14].ljust(14, "0")
    try:
        moment = datetime.strptime(whole, "%Y%m%d%H%M%S")
    except ValueError:
        return None
    if fraction.isdigit():
        moment += timedelta(seconds=float("0." + fraction))
    return moment


def acquisition_time(header: Any) -> datetime | None:
    """Return when an image was acquired, or None if the header does not say it to the second."""
    combined = text(header, "AcquisitionDateTime")
    if len(combined) >= 14:
        return parse_datetime(combined)
    date = text(header, "AcquisitionDate") or text(header, "SeriesDate") or text(header, "StudyDate")
    time = text(header, "AcquisitionTime")
    return parse_datetime(date + time) if len(date) == 8 and len(time) >= 6 else None


def uid_name(uid: str) -> str:
    """Return the registered name of a UID, or the UID itself."""
    from pydicom.uid import UID

    with quiet():
        return str(UID(uid).name)


def is_compressed(header: Any) -> bool:
    """Return True if the transfer syntax says that the pixel data are compressed."""
    from pydicom.uid import UID

    syntax = text(getattr(header, "file_meta", None) or {}, "TransferSyntaxUID")
    try:
        with quiet():
            return bool(syntax) and bool(UID(syntax).is_compressed)
    except ValueError:  # no transfer syntax at all: a damaged UID
        return False
