"""Telling patients apart by what the headers say about who an object belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from omnidose.dicom.headers import text


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientIdentity:
    """Who the headers say an object belongs to. Never printed: ``repr`` shows only the number of files."""

    patient_id: str = field(repr=False)
    issuer: str = field(repr=False)
    name: str = field(repr=False)
    birth_date: str = field(repr=False)
    sex: str = field(repr=False)
    files: int


def identity_of(header: Any) -> tuple[str, str, str, str, str]:
    """Return what identifies the patient, normalised so that spelling of empty parts does not matter."""
    name = text(header, "PatientName").replace("^", " ").strip()
    sex = text(header, "PatientSex").upper()
    return (
        text(header, "PatientID"),
        text(header, "IssuerOfPatientID"),
        " ".join(name.casefold().split()),
        text(header, "PatientBirthDate"),
        sex if sex in ("F", "M") else "",
    )


def _compatible(a: Sequence[str], b: Sequence[str]) -> bool:
    """Two identities may be one person: nothing that both state differs, and ID or name is shared."""
    if not all(x == y or not x or not y for x, y in zip(a, b, strict=True)):
        return False
    return is_anonymous(a) or is_anonymous(b) or any(a[k] and a[k] == b[k] for k in (0, 2))


def is_anonymous(identity: Sequence[str]) -> bool:
    """Whether an identity (see :func:`identity_of`) names nobody: neither an ID nor a name."""
    return not identity[0] and not identity[2]


def merge_identities(found: Counter[tuple[str, str, str, str, str]]) -> tuple[PatientIdentity, ...]:
    """Return one identity per person from the number of files of each, fullest identities first.

    Parts that one object leaves empty do not separate persons and are filled from the others.
    """
    groups: list[tuple[list[str], int]] = []
    for identity, count in sorted(found.items(), key=lambda item: (-sum(map(bool, item[0])), -item[1])):
        for position, (merged, files) in enumerate(groups):
            if _compatible(merged, identity):
                joined = [m or i for m, i in zip(merged, identity, strict=True)]
                groups[position] = (joined, files + count)
                break
        else:
            groups.append((list(identity), count))
    return tuple(
        PatientIdentity(patient_id=g[0], issuer=g[1], name=g[2], birth_date=g[3], sex=g[4], files=n)
        for g, n in groups
    )
