"""Nuclear medicine: what was given to a patient, and the doses of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omnidose.anatomy.body import BodyModel
    from omnidose.dosimetry.results import ExposureResult
    from omnidose.modalities import Claim, Progress, Simulate
    from omnidose.modalities.nuclear.exposure import NuclearExam
    from omnidose.modalities.nuclear.form import FormField
    from omnidose.modalities.nuclear.series.exam import SeriesExam


class NuclearModality:
    """Nuclear medicine (see :class:`omnidose.modalities.Modality`); its modules load when used."""

    name = "nuclear"
    title = "Nuclear medicine"

    @property
    def form(self) -> tuple[FormField, ...]:
        """What a person may say of an exam beside the images."""
        from omnidose.modalities.nuclear.form import FIELDS

        return FIELDS

    def claims(self, inventory: Any) -> list[Claim]:
        """Return the administrations of an inventory and what shows their anatomy."""
        from omnidose.modalities.nuclear.claims import claims

        return claims(inventory)

    def ingest(self, claim: Claim, given: Mapping[str, Any] | None = None) -> NuclearExam | SeriesExam:
        """Return the record of an exposure claim."""
        from omnidose.modalities.nuclear.ingest import ingest

        return ingest(claim, given)

    def estimate(
        self,
        exposure: NuclearExam | SeriesExam,
        body: BodyModel,
        *,
        simulate: Simulate | None = None,
        histories: int | None = None,
        precision: float | None = None,
        seed: int = 1,
        progress: Progress | None = None,
        cluster: Any = None,
    ) -> ExposureResult:
        """Return the organ doses of an administration to a body."""
        from omnidose.modalities.nuclear.estimate import estimate
        from omnidose.modalities.nuclear.series.estimate import estimate_series
        from omnidose.modalities.nuclear.series.exam import SeriesExam

        options: dict[str, Any] = {
            "simulate": simulate,
            "histories": histories,
            "precision": precision,
            "seed": seed,
            "progress": progress,
            "cluster": cluster,
        }
        if isinstance(exposure, SeriesExam):
            return estimate_series(exposure, body, **options)
        return estimate(exposure, body, **options)

    def synthetic(self, exposure: NuclearExam, body: BodyModel, folder: Path) -> Sequence[Path]:
        """Write the PET series as a scanner would."""
        from omnidose.modalities.nuclear.synthetic import write_exam

        return write_exam(exposure, body, folder)


#: What the entry point ``nuclear`` of ``omnidose.modalities`` holds.
MODALITY = NuclearModality()
