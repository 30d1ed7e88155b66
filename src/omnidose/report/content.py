"""``ReportContent``: everything the report shows, and nothing that names a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from omnidose.anatomy.body import Person
from omnidose.dosimetry.results import ExposureResult
from omnidose.provenance import Provenance
from omnidose.risk.results import RiskResult
from omnidose.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundItem:
    """One line of what was found among the input.

    Attributes
    ----------
    what
        In words: series, dose report, event.
    use
        What it was used for, or why it was not estimated.
    """

    what: str
    use: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """What one report shows.

    Attributes
    ----------
    person
        Sex and age are shown, nothing else.
    exam_date
        ISO date of the examination, if the user wants it in the report; empty otherwise.
    ct
        CT numbers, int16 HU, index axes along +L, +P, +S (or turnable to them).
    base
        What ``ct`` is for a reader: a CT, or the densities of a body model where there is none.
    dose
        Absorbed dose in mGy, or relative as ``results`` say; may lie on another grid than ``ct``.
    labels, organ_names
        Organ labels on the grid of ``ct`` and their names, for outlines.
    found, not_estimated
        What was used, and "found, not estimated" with the reason.
    risk
        Lifetime risk, or None with ``risk_reason`` in one sentence.
    background_msv_per_y
        Natural background for comparing an *effective* dose: UNSCEAR 2008 world average by default.
    """

    title: str
    results: tuple[ExposureResult, ...]
    person: Person = field(default_factory=Person)
    exam_date: str = ""
    ct: Volume | None = None
    base: str = "CT"
    dose: Volume | None = None
    labels: Volume | None = None
    organ_names: Mapping[int, str] = field(default_factory=dict)
    found: tuple[FoundItem, ...] = ()
    not_estimated: tuple[FoundItem, ...] = ()
    risk: RiskResult | None = None
    risk_reason: str = ""
    warnings: tuple[str, ...] = ()
    provenance: Provenance | None = None
    limits: tuple[str, ...] = ()
    background_msv_per_y: float = 2.4

    @property
    def relative_to(self) -> str:
        """What doses of the pictures and of the first exposure refer to; empty if they are absolute."""
        return self.results[0].organ_doses.relative_to if self.results else ""

    @property
    def others_relative(self) -> tuple[str, ...]:
        """Titles of the exposures that are relative where the first is not."""
        if self.relative_to:
            return ()
        return tuple(result.title for result in self.results if result.organ_doses.relative_to)

    @property
    def therapy(self) -> bool:
        """Whether one of the exposures was meant to treat."""
        return any(result.therapy for result in self.results)

    @property
    def unit(self) -> str:
        """Unit of the doses, for example ``mGy`` or ``mGy per mGy CTDIvol (32 cm)``."""
        return f"mGy per {self.relative_to}" if self.relative_to else "mGy"
