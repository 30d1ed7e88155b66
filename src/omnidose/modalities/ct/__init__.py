"""Computed tomography: axial, helical, volume and repeated scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omnidose.anatomy.body import BodyModel
    from omnidose.dosimetry.results import ExposureResult
    from omnidose.modalities import Claim, Progress, Simulate
    from omnidose.modalities.ct.exposure import CtScan


class CtModality:
    """The CT modality (see :class:`omnidose.modalities.Modality`); its modules load when used."""

    name = "ct"
    title = "Computed tomography"

    def claims(self, inventory: Any) -> list[Claim]:
        """Return the CT exposures and anatomies of an inventory."""
        from omnidose.modalities.ct.claims import claims

        return claims(inventory)

    def ingest(self, claim: Claim, given: Mapping[str, Any] | None = None) -> CtScan:
        """Return the scan of an exposure claim."""
        from omnidose.modalities.ct.ingest import ingest

        return ingest(claim, given)

    def estimate(
        self,
        exposure: CtScan,
        body: BodyModel,
        *,
        simulate: Simulate | None = None,
        histories: int | None = None,
        precision: float | None = None,
        seed: int = 1,
        progress: Progress | None = None,
        cluster: Any = None,
    ) -> ExposureResult:
        """Return the organ doses of a scan of a body."""
        from omnidose.modalities.ct.estimate import estimate

        return estimate(
            exposure,
            body,
            simulate=simulate,
            histories=histories,
            precision=precision,
            seed=seed,
            progress=progress,
            cluster=cluster,
        )

    def synthetic(self, exposure: CtScan, body: BodyModel, folder: Path) -> Sequence[Path]:
        """Write the CT series and its dose report as a scanner would."""
        from omnidose.modalities.ct.synthetic import write_exam

        return write_exam(exposure, body, folder)


#: What the entry point ``ct`` of ``omnidose.modalities`` holds.
MODALITY = CtModality()
