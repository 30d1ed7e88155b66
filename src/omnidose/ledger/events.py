"""``DoseEvent`` and ``History``: what the ledger sums and the risk engine reads. One JSON schema."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from omnidose.dosimetry.results import Distribution, UncertaintyComponent
from omnidose.errors import InputError

SCHEMA = "omnidose-history-1"


class Duration(StrEnum):
    """How the dose was spread in time."""

    ACUTE = "acute"
    FRACTIONATED = "fractionated"
    PROTRACTED = "protracted"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganDose:
    """Dose of one organ and radiation quality in one event.

    Attributes
    ----------
    std_mgy
        Statistical standard error; systematic parts stand in the event's ``components``.
    """

    organ: str
    dose_mgy: float
    std_mgy: float = 0.0
    quality: str = "photon"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseEvent:
    """One exposure of one person, as the ledger keeps it.

    Attributes
    ----------
    person_key
        Pseudonymous key; never a name.
    start
        ISO date or date-time; empty if unknown.
    exposure_key
        Irradiation event UID or another stable key: several estimates may share it, one is current.
    signed
        True when a responsible person has approved the estimate.
    """

    person_key: str
    exposure_key: str
    modality: str
    age_at_exposure_y: float
    doses: tuple[OrganDose, ...]
    components: tuple[UncertaintyComponent, ...] = ()
    start: str = ""
    duration: Duration = Duration.ACUTE
    fractions: int = 1
    current: bool = True
    signed: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if self.age_at_exposure_y < 0 or self.fractions < 1:
            raise InputError(
                f"age {self.age_at_exposure_y} y or fractions {self.fractions} of a dose event is impossible",
                allowed="age at exposure >= 0 (the conceptus has its own path), fractions >= 1",
            )


History = tuple[DoseEvent, ...]


def history_to_json(history: History) -> str:
    """Write a history in the one schema."""
    events: list[dict[str, Any]] = []
    for event in history:
        record: dict[str, Any] = {
            "person_key": event.person_key,
            "exposure_key": event.exposure_key,
            "modality": event.modality,
            "start": event.start,
            "duration": event.duration.value,
            "fractions": event.fractions,
            "age_at_exposure_y": event.age_at_exposure_y,
            "current": event.current,
            "signed": event.signed,
            "note": event.note,
            "doses": [
                {"organ": d.organ, "quality": d.quality, "dose_mgy": d.dose_mgy, "std_mgy": d.std_mgy}
                for d in event.doses
            ],
            "components": [
                {
                    "key": c.key,
                    "distribution": c.distribution.value,
                    "std_rel": list(c.std_rel) if isinstance(c.std_rel, tuple) else c.std_rel,
                    "text": c.text,
                }
                for c in event.components
            ],
        }
        events.append(record)
    return json.dumps({"schema": SCHEMA, "events": events}, indent=1)


def history_from_json(text: str) -> History:
    """Read a history; anything that is not the schema is refused with a reason."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError("the history is not JSON", where=f"line {error.lineno}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError("this JSON is not a dose history", where="field 'schema'", allowed=SCHEMA)
    events = []
    for number, record in enumerate(document.get("events", [])):
        try:
            events.append(_event_from_record(record))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"event {number} of the history cannot be read: {error}", where=f"events[{number}]"
            ) from error
    return tuple(events)


def _event_from_record(record: dict[str, Any]) -> DoseEvent:
    doses = tuple(
        OrganDose(
            organ=str(d["organ"]),
            dose_mgy=float(d["dose_mgy"]),
            std_mgy=float(d.get("std_mgy", 0.0)),
            quality=str(d.get("quality", "photon")),
        )
        for d in record["doses"]
    )
    components = tuple(
        UncertaintyComponent(
            key=str(c["key"]),
            distribution=Distribution(c["distribution"]),
            std_rel=tuple(map(float, c["std_rel"]))
            if isinstance(c["std_rel"], list)
            else float(c["std_rel"]),
            text=str(c.get("text", "")),
        )
        for c in record.get("components", [])
    )
    return DoseEvent(
        person_key=str(record["person_key"]),
        exposure_key=str(record["exposure_key"]),
        modality=str(record["modality"]),
        start=str(record.get("start", "")),
        duration=Duration(record.get("duration", "acute")),
        fractions=int(record.get("fractions", 1)),
        age_at_exposure_y=float(record["age_at_exposure_y"]),
        current=bool(record.get("current", True)),
        signed=bool(record.get("signed", False)),
        note=str(record.get("note", "")),
        doses=doses,
        components=components,
    )
