"""Who was imaged, as far as dose and risk need it: sex, age, height, weight. Never names or identifiers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from omnidose.anatomy.body import Person
from omnidose.dicom.headers import number, parse_datetime, text
from omnidose.errors import ContradictionError, InputError, RangeError

if TYPE_CHECKING:
    from omnidose.dicom.inventory import Inventory

_AGE_UNITS_Y = {"Y": 1.0, "M": 1.0 / 12.0, "W": 7.0 / 365.25, "D": 1.0 / 365.25}
#: What is accepted for a person; outside it the value is a fault of the header or of the option.
#: Patients whose files are counted in a message; the others are only numbered.
MOST_LISTED = 4
_LIMITS = {"age_y": (0.0, 120.0), "height_cm": (30.0, 250.0), "weight_kg": (0.3, 400.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientInfo:
    """What the headers say about the patient.

    Attributes
    ----------
    sex
        ``F``, ``M`` or ``""``.
    notes
        Where each value comes from, and what was not usable.
    """

    sex: str = ""
    age_y: float | None = None
    height_cm: float | None = None
    weight_kg: float | None = None
    notes: tuple[str, ...] = ()


def single_patient(inventory: Inventory) -> PatientInfo:
    """Return what the headers say about the one patient of an inventory.

    Raises
    ------
    InputError
        If nothing readable was found.
    ContradictionError
        If the objects belong to two patients, or state two sexes for one.
    """
    _check_identities(inventory)
    headers = [i.header for s in inventory.series for i in s.instances]
    headers += [r.header for r in inventory.reports]
    notes: list[str] = []
    return PatientInfo(
        sex=_sex(headers, notes),
        age_y=_age_y(headers, notes),
        height_cm=_height_cm(headers, notes),
        weight_kg=_weight_kg(headers, notes),
        notes=tuple(notes),
    )


def _check_identities(inventory: Inventory) -> None:
    patients = inventory.patients
    if not patients:
        raise InputError("no readable DICOM object was found", todo="check the path, or copy the files again")
    if len(patients) == 1:
        return
    counts = ", ".join(
        f"patient {n}: {p.files} file{'' if p.files == 1 else 's'}"
        for n, p in enumerate(patients[:MOST_LISTED], start=1)
    ) + (f" and {len(patients) - MOST_LISTED} more" if len(patients) > MOST_LISTED else "")
    first = patients[0]
    same = all(
        (p.patient_id, p.name, p.birth_date) == (first.patient_id, first.name, first.birth_date)
        for p in patients
    )
    if same and first.patient_id and len({p.issuer for p in patients}) > 1:
        raise ContradictionError(
            "the patient IDs are equal but were issued by different institutions, so that they may name "
            f"different people ({counts})",
            where="IssuerOfPatientID (0010,0021)",
            allowed="objects of one patient",
            todo="keep the files of one issuer, or make the issuer the same once you know it is one person",
        )
    if same and len({p.sex for p in patients}) > 1:
        raise ContradictionError(
            f"the files of one patient state different sexes ({counts})",
            where="PatientSex (0010,0040)",
            todo="correct the headers or keep the files that are right",
        )
    raise ContradictionError(
        f"the files belong to {len(patients)} patients ({counts})",
        where="PatientID, PatientName, PatientBirthDate",
        allowed="objects of one patient",
        todo="give a folder that holds one patient only",
    )


def _sex(headers: list[Any], notes: list[str]) -> str:
    stated = {text(h, "PatientSex").upper() for h in headers}
    known = sorted(stated & {"F", "M"})
    if len(known) > 1:
        raise ContradictionError(
            "the headers state both sexes for one patient",
            where="PatientSex (0010,0040)",
            todo="correct the headers or keep the files that are right",
        )
    if known:
        notes.append(f"sex {known[0]} from PatientSex")
        return known[0]
    notes.append("the headers do not state the sex")
    return ""


def parse_age_y(value: str) -> float | None:
    """Read a DICOM age string (``043Y``, ``006M``, ``010W``, ``003D``); None if it is not one."""
    value = value.strip().upper()
    if len(value) < 2 or value[-1] not in _AGE_UNITS_Y or not value[:-1].isdigit():
        return None
    return int(value[:-1]) * _AGE_UNITS_Y[value[-1]]


def _age_y(headers: list[Any], notes: list[str]) -> float | None:
    stated = sorted({a for h in headers if (a := parse_age_y(text(h, "PatientAge"))) is not None})
    computed = sorted({a for h in headers if (a := _age_from_birth_y(h)) is not None})
    everything = stated + computed
    if not everything:
        notes.append("the headers do not state the age")
        return None
    # PatientAge counts completed years, so that 1 year apart from the birth date is no contradiction
    if max(everything) - min(everything) > 1.5:
        notes.append(
            "the headers contradict each other about the age ("
            + ", ".join(f"{a:.1f} y" for a in sorted(set(everything)))
            + "), so none is used: give --age"
        )
        return None
    age_y = computed[0] if computed else stated[0]
    if not _LIMITS["age_y"][0] <= age_y <= _LIMITS["age_y"][1]:
        notes.append(f"the age in the headers ({age_y:.1f} y) is impossible and not used")
        return None
    notes.append(
        f"age {age_y:.1f} y from " + ("PatientBirthDate and StudyDate" if computed else "PatientAge")
    )
    return age_y


def _age_from_birth_y(header: Any) -> float | None:
    birth, study = parse_datetime(text(header, "PatientBirthDate")), None
    for keyword in ("AcquisitionDate", "StudyDate", "SeriesDate", "ContentDate"):
        study = study or parse_datetime(text(header, keyword))
    if birth is None or study is None:
        return None
    days = (date(study.year, study.month, study.day) - date(birth.year, birth.month, birth.day)).days
    return days / 365.25


def _height_cm(headers: list[Any], notes: list[str]) -> float | None:
    for value in {v for h in headers if (v := number(h, "PatientSize"))}:
        if _LIMITS["height_cm"][0] <= 100.0 * value <= _LIMITS["height_cm"][1]:
            notes.append(f"height {100 * value:.0f} cm from PatientSize")
            return 100.0 * value
        notes.append(f"PatientSize {value:g} is not a height in metres and is not used")
    return None


def _weight_kg(headers: list[Any], notes: list[str]) -> float | None:
    for value in {v for h in headers if (v := number(h, "PatientWeight"))}:
        if _LIMITS["weight_kg"][0] <= value <= _LIMITS["weight_kg"][1]:
            notes.append(f"weight {value:g} kg from PatientWeight")
            return value
        notes.append(f"PatientWeight {value:g} is not a weight in kg and is not used")
    return None


def merge_person(
    info: PatientInfo,
    *,
    sex: str = "",
    age_y: float | None = None,
    height_cm: float | None = None,
    weight_kg: float | None = None,
) -> Person:
    """Join what the headers say with what the user says.

    The user fills what the headers leave open. A sex that differs, an age that differs by a year or
    more, a height or weight that differs by more than a fifth stops. Within these bounds the user wins.

    Raises
    ------
    RangeError
        For an option outside what a person can have.
    ContradictionError
        Naming both values.
    """
    letter = sex.strip().upper()[:1]
    if letter not in ("", "F", "M"):
        raise RangeError(
            f"'{sex}' is not a sex that dose and risk tables know", where="--sex", allowed="F or M"
        )
    given = {"age_y": age_y, "height_cm": height_cm, "weight_kg": weight_kg}
    for name, value in given.items():
        low, high = _LIMITS[name]
        if value is not None and not low <= value <= high:
            raise RangeError(
                f"{value:g} is impossible",
                where="--" + name.removesuffix("_y").replace("_", "-"),
                allowed=f"{low:g} to {high:g}",
            )
    if letter and info.sex and letter != info.sex:
        _contradiction("--sex", letter, info.sex, "PatientSex (0010,0040)")
    return Person(
        sex=letter or info.sex,
        age_y=_joined("--age", age_y, info.age_y, " y", "PatientAge or PatientBirthDate", absolute=1.0),
        height_cm=_joined("--height-cm", height_cm, info.height_cm, " cm", "PatientSize (0010,1020)"),
        weight_kg=_joined("--weight-kg", weight_kg, info.weight_kg, " kg", "PatientWeight (0010,1030)"),
    )


def _joined(
    option: str, given: float | None, stated: float | None, unit: str, tag: str, absolute: float | None = None
) -> float | None:
    if given is None or stated is None:
        return stated if given is None else given
    bound = absolute if absolute is not None else 0.2 * stated
    if abs(given - stated) >= bound:
        _contradiction(option, f"{given:g}{unit}", f"{stated:.3g}{unit}", tag)
    return given


def _contradiction(option: str, given: str, stated: str, tag: str) -> None:
    raise ContradictionError(
        f"{option} says {given} but the images say {stated}",
        where=tag,
        todo=f"leave {option} out, or check that these are the right images",
    )
