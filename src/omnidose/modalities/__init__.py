"""Modalities: each a way to say *what was done*. One folder each; none knows another.

A modality is announced in the entry-point group ``omnidose.modalities`` and has six members
(:class:`Modality`). What passes between it and the job is a :class:`Claim` on something found in a
folder, an exposure record of its own, and an ``ExposureResult``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from omnidose.errors import InputError

if TYPE_CHECKING:
    from omnidose.anatomy.body import BodyModel
    from omnidose.dosimetry.results import ExposureResult
    from omnidose.transport.tally import Tally

#: Entry-point group of the modalities.
GROUP = "omnidose.modalities"

#: The engine's front door as a modality sees it (:func:`omnidose.transport.engine.simulate`).
Simulate = Callable[..., "Tally"]
#: Called with the share of work done (0 to 1) and one line of text.
Progress = Callable[[float, str], None]


class ClaimKind(StrEnum):
    """What a modality wants with something it found."""

    EXPOSURE = "exposure"
    ANATOMY = "anatomy"
    CONTEXT = "context"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A modality's claim on something in an inventory.

    Attributes
    ----------
    modality
        ``Modality.name`` of the claimant.
    key
        Stable key of what is claimed: the irradiation event UID if there is one, else a series or
        SOP instance UID. Exposure claims with equal keys describe one irradiation.
    title
        One line for a person, without identities.
    estimable
        False for an irradiation that can only be listed; ``reason`` says why.
    series_uids
        Image series that show the irradiated anatomy, best first.
    borrowed
        True if these images belong to another irradiation of the same body region.
    facts
        JSON values that can be said without an estimate (``ctdivol_mgy``, ``dlp_mgy_cm``, ``kv``).
    payload
        What the modality needs to ingest it; nobody else looks inside.
    """

    modality: str
    kind: ClaimKind
    key: str
    title: str
    estimable: bool = True
    reason: str = ""
    series_uids: tuple[str, ...] = ()
    borrowed: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    payload: Any = field(default=None, repr=False, compare=False)


class Exposure(Protocol):
    """What every exposure record has, whatever the modality.

    A record may also have ``therapy`` (True: given to treat; it is shown first and gets no lifetime risk) and
    ``points`` (scans of a time series: masks belong to the CT of their reference).
    """

    @property
    def key(self) -> str:
        """Irradiation event UID or another stable key."""
        ...

    @property
    def title(self) -> str:
        """One line for a person, without identities."""
        ...


@runtime_checkable
class Modality(Protocol):
    """The contract of a modality (checked by :func:`omnidose.testing.check_modality`).

    It may also have ``form``: the lines (key, label, unit, choices, help) that a person may say as ``given``.
    """

    @property
    def name(self) -> str:
        """Short stable name, for example ``ct``."""
        ...

    @property
    def title(self) -> str:
        """Name for a person, for example ``Computed tomography``."""
        ...

    def claims(self, inventory: Any) -> list[Claim]:
        """Return what of an inventory belongs to this modality (possibly nothing)."""
        ...

    def ingest(self, claim: Claim, given: Mapping[str, Any] | None = None) -> Any:
        """Return the exposure record of an exposure claim, or refuse with an ``InputError``.

        ``given`` holds what a person said (keys of the modality's form); it wins over silence in the
        data, and contradicting the data is an error.
        """
        ...

    def estimate(
        self,
        exposure: Any,
        body: BodyModel,
        *,
        simulate: Simulate | None = None,
        histories: int | None = None,
        precision: float | None = None,
        seed: int = 1,
        progress: Progress | None = None,
        cluster: Any = None,
    ) -> ExposureResult:
        """Return organ doses, dose map and named quantities of one exposure.

        ``cluster`` goes to the engine as it is: a ``distributed.Client``, or None for this machine.
        """
        ...

    def synthetic(self, exposure: Any, body: BodyModel, folder: Path) -> Sequence[Path]:
        """Write DICOM objects as a machine would write them for this exposure of this body."""
        ...


@cache
def modalities() -> dict[str, Modality]:
    """Return every registered modality by name.

    Raises
    ------
    InputError
        If an entry point does not hold a modality.
    """
    found: dict[str, Modality] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        candidate = point.load()
        if not isinstance(candidate, Modality) or candidate.name != point.name:
            raise InputError(
                f"the entry point '{point.name}' holds no modality of that name",
                where=f"entry-point group {GROUP}: {point.value}",
                allowed="an object with name, title, claims, ingest, estimate and synthetic",
            )
        found[candidate.name] = candidate
    return found
