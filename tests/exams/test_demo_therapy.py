"""The demo of a therapy: what is written, and that it is what the job reads."""

from __future__ import annotations

import csv
from pathlib import Path

from omnidose.exams.demo_therapy import write_therapy
from omnidose.exams.options import EstimateOptions
from omnidose.exams.plan import plan, survey
from omnidose.modalities.nuclear.imaging.clinic import SMALL
from omnidose.modalities.nuclear.series.exam import SeriesExam


def test_the_demo_is_one_administration_with_four_scans(tmp_path: Path) -> None:
    written = write_therapy(1, SMALL, tmp_path)
    person = written.patient.anatomy.body.person
    options = EstimateOptions(sex=person.sex, masks=tmp_path / "masks", given=dict(written.given))
    with survey(tmp_path / "exam") as inventory:
        planned = plan(inventory, options)
        exposures = [item.exposure for item in planned.exposures if item.modality.name == "nuclear"]
    assert len(exposures) == 1
    exam = exposures[0]
    assert isinstance(exam, SeriesExam)
    assert len(exam.points) == 4
    with (tmp_path / "truth.csv").open() as file:
        rows = {row["organ"]: float(row["dose_mgy"]) for row in csv.DictReader(file)}
    assert rows["kidneys"] > 1000
    for mask in (tmp_path / "masks").iterdir():
        key = mask.name.removesuffix(".nii.gz")
        assert key in rows or key in ("left-kidney", "right-kidney")
