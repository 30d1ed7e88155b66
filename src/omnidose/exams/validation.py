"""What this room must show: the rows of ``omnidose validate exams``."""

from __future__ import annotations

from collections.abc import Iterable

from omnidose.exams.validation_bad_input import check_bad_input
from omnidose.exams.validation_completion import check_completion
from omnidose.exams.validation_install import check_install
from omnidose.exams.validation_marker import check_marker
from omnidose.exams.validation_patients import SERIES, check_chest, check_head, check_speed
from omnidose.exams.validation_segmentation import check_segmentation
from omnidose.validation import Claim, Context, Row, Suite


def check_risk(context: Context) -> Iterable[Row]:
    """Yield lifetime risks beside those of BEIR VII."""
    from omnidose.risk.validation import risk_rows

    return risk_rows(context)


SUITE = Suite(
    name="exams",
    title="The whole job: omnidose estimate",
    claims=(
        Claim(
            name="chest",
            text="Real chest CT (138 slices): standard error <= 1 % for lungs, heart, liver",
            check=check_chest,
            needs_reference=SERIES["chest"],
            only_full=True,
        ),
        Claim(
            name="head",
            text="Real tilted head CT: standard error <= 1 % for brain, <= 5 % for the lens",
            check=check_head,
            needs_reference=SERIES["head"],
            only_full=True,
        ),
        Claim(
            name="speed",
            text="Whole job <= 90 s on two cores when warm, segmentation included (figure by make bench)",
            check=check_speed,
            needs_reference="dicom",
            only_full=True,
        ),
        Claim(
            name="segmentation",
            text=(
                "Organ doses with built-in against reference masks: median difference <= 5 % for large "
                "organs, <= 15 % for small ones, inside the stated interval"
            ),
            check=check_segmentation,
        ),
        Claim(
            name="completion",
            text=(
                "Organs beyond the images: doses in the completed body against the whole ICRP 110 phantom, "
                "inside the stated interval"
            ),
            check=check_completion,
            needs_reference="icrp110",
            only_full=True,
        ),
        Claim(
            name="marker",
            text=(
                "A one-sided marker survives CT -> NIfTI -> SEG -> dose object -> report, feet first and "
                "prone too"
            ),
            check=check_marker,
        ),
        Claim(
            name="bad-input",
            text="Each bad input gets one clear sentence and leaves nothing half-written",
            check=check_bad_input,
        ),
        Claim(
            name="risk",
            text=(
                "BEIR VII lifetime attributable risk per organ with age, sex and 95 % interval on a "
                "bundled population"
            ),
            check=check_risk,
        ),
        Claim(name="install", text="Install under 1 GB, import omnidose under 0.3 s", check=check_install),
    ),
)
