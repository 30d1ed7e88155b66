"""``omnidose estimate`` from a folder to files: what it prints, what it writes, when it refuses."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnidose.anatomy.body import Person
from omnidose.cli.estimate import default_folder, person_line
from omnidose.cli.result_table import shown_rows
from omnidose.exams.bad_input import GRID, TECHNIQUE, trunk_hu, write_trunk

FILES = {
    "organ_doses.csv", "organ_doses.json", "history.json", "report.html", "dose.nii.gz", "dose.dcm",
    "organs.dcm",
}  # fmt: skip
TREATMENT_TERMS = {
    "PLAN",
    "MULTI_PLAN",
    "PLAN_OVERVIEW",
    "FRACTION",
    "BEAM",
    "BRACHY",
    "CONTROL_POINT",
    "RECORD",
}


def doses(document: dict[str, Any]) -> dict[str, float]:
    return {row["organ"]: row["dose_mgy"] for row in document["total"]}


def sites(document: dict[str, Any]) -> set[str]:
    return {site["site"] for site in document["risk"]["sites"]}


def test_everything_is_written_and_nothing_else(estimated: Any) -> None:
    assert estimated.said.code == 0, estimated.said.err
    assert {path.name for path in estimated.out.iterdir()} == FILES
    assert not [p.name for p in estimated.out.parent.iterdir() if p.name.startswith(".")]


def test_it_says_what_it_found_used_and_made(estimated: Any) -> None:
    err, out = estimated.said.err, estimated.said.out
    assert "found: CT series of 24 objects" in err
    assert "used: CT helical, 120 kV" in err
    assert "person: female, 52 years, 166 cm, 71 kg" in err
    for stage in ("Reading images", "Finding organs", "Photons", "Writing"):
        assert f"{stage} …" in err
    assert "lungs" in out
    assert "CTDIvol 8 mGy (32 cm phantom)" in out
    assert "Lifetime risk of cancer" in out
    assert "95 % interval" in re.sub(r"\s+", " ", out)
    assert "\x1b" not in err + out  # no terminal codes in a log
    assert str(estimated.out / "report.html") in out


def test_json_and_csv_say_the_same(estimated: Any) -> None:
    document = json.loads((estimated.out / "organ_doses.json").read_text("utf-8"))
    assert document["schema"] == "omnidose-exam-1"
    with (estimated.out / "organ_doses.csv").open(encoding="utf-8") as file:
        rows = {row["organ"]: row for row in csv.DictReader(file) if row["exposure"] == "all"}
    for row in document["total"]:
        if row["dose_mgy"] is not None:
            assert float(rows[row["organ"]]["dose_mgy"]) == pytest.approx(row["dose_mgy"], rel=1e-5)
            assert row["std_mgy"] >= row["std_statistical_mgy"]
    liver = next(row for row in document["total"] if row["organ"] == "liver")
    assert liver["origin"] == "segmented"  # from the given masks
    assert liver["unit"] == "mGy"
    assert liver["std_systematic_mgy"] > 0.05 * liver["dose_mgy"]  # CTDIvol is never known better
    total = document["risk"]["total"]
    assert 0 < total["lower_fraction"] < total["central_fraction"] < total["upper_fraction"] < 0.01
    assert document["files"]["report"] == "report.html"
    assert document["exposures"][0]["provenance"]["settings"]


def test_the_history_can_be_read_back(estimated: Any) -> None:
    from omnidose.ledger.events import history_from_json

    (event,) = history_from_json((estimated.out / "history.json").read_text("utf-8"))
    assert event.age_at_exposure_y == 52
    assert {"liver", "left-lung"} <= {dose.organ for dose in event.doses}


def test_the_dose_map_lies_on_the_patient_and_only_there(estimated: Any) -> None:
    import nibabel as nib

    image = nib.load(estimated.out / "dose.nii.gz")
    dose = np.asarray(image.dataobj)
    assert np.isfinite(dose).all()
    # the voxels of the images inside the map, which also holds the completed body
    corner = np.linalg.inv(image.affine) @ (-GRID.origin_mm[0], -GRID.origin_mm[1], GRID.origin_mm[2], 1)
    i, j, k = np.rint(corner[:3]).astype(int)
    nz, ny, nx = GRID.shape_zyx
    part = dose[i : i + nx, j : j + ny, k : k + nz].transpose(2, 1, 0)
    hu = trunk_hu()
    assert part.shape == hu.shape
    assert part[:, 0, 0].max() == 0  # air of the room
    assert (part[hu == 40] > 0).mean() > 0.99
    assert 3 < part[hu == 40].mean() < 30  # mGy, for 8 mGy CTDIvol


def test_the_dose_object_cannot_be_taken_for_a_treatment(estimated: Any) -> None:
    import pydicom

    source = pydicom.dcmread(next(estimated.exam.iterdir()))
    dataset = pydicom.dcmread(estimated.out / "dose.dcm")
    label = "IMAGING DOSE - NOT FOR TREATMENT"
    assert dataset.SeriesDescription == label
    assert dataset.DoseComment.startswith(label)
    assert dataset.ImageComments.startswith(label)
    assert "ReferencedRTPlanSequence" not in dataset
    assert dataset.DoseSummationType not in TREATMENT_TERMS
    assert dataset.StudyInstanceUID == source.StudyInstanceUID
    assert dataset.FrameOfReferenceUID == source.FrameOfReferenceUID


def test_the_seg_holds_the_organs_on_the_images(estimated: Any) -> None:
    import highdicom as hd
    import pydicom

    source = pydicom.dcmread(next(estimated.exam.iterdir()))
    seg = hd.seg.segread(estimated.out / "organs.dcm")
    labels = {item.SegmentLabel for item in seg.SegmentSequence}
    assert {"liver", "left-lung", "right-lung"} <= labels
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert seg.StudyInstanceUID == source.StudyInstanceUID
    left = next(n for n, item in enumerate(seg.SegmentSequence, 1) if item.SegmentLabel == "left-lung")
    volume = seg.get_volume(segment_numbers=[left], combine_segments=True)
    places = np.argwhere(np.asarray(volume.array) > 0)
    centre = volume.affine @ (*places.mean(axis=0), 1.0)
    assert centre[0] > 0.5 * (GRID.lower_mm + GRID.upper_mm)[0] + 50  # +x is the patient's left


class Links(HTMLParser):
    """Collect what a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [v for k, v in attrs if k in ("src", "href", "srcset", "data", "action") and v]


def test_the_report_is_one_file(estimated: Any) -> None:
    page = (estimated.out / "report.html").read_text("utf-8")
    links = Links()
    links.feed(page)
    assert len(links.found) > 6
    assert not [link for link in links.found if not link.startswith(("data:", "#"))]
    assert "SYNTHETIC" not in page  # the patient's ID
    assert "Synthetic^Phantom" not in page
    for word in ("Assumptions", "Provenance", "Limits", "Lifetime", "CTDIvol"):
        assert word in page


def test_json_and_nothing_else_and_threads_do_not_matter(estimated: Any, tmp_path: Path) -> None:
    """A process of its own with two threads: stdout is JSON, and the doses are those of one thread."""
    done = subprocess.run(
        [sys.executable, "-c", "from omnidose.cli import main; main()", "estimate", str(estimated.exam)]
        + [*estimated.options, "--out", str(tmp_path / "out"), "--json"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
        env=os.environ | {"NUMBA_NUM_THREADS": "2", "PYTHONWARNINGS": "error::UserWarning:omnidose"},
    )
    document = json.loads(done.stdout)
    assert "Photons …" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    before = json.loads((estimated.out / "organ_doses.json").read_text("utf-8"))
    assert doses(document) == doses(before)
    assert document["risk"] == before["risk"]
    assert Path(document["files"]["report"]).is_file()


def test_without_ctdivol_the_result_is_relative_and_still_a_result(
    estimated: Any, cli: Callable[..., Any], tmp_path: Path
) -> None:
    write_trunk(tmp_path / "exam", technique=replace(TECHNIQUE, ctdivol_mgy=None))
    options = ("--masks", estimated.masks, "--histories", "2e4", "--seed", "7")
    said = cli("estimate", tmp_path / "exam", *options, "--out", tmp_path / "out", "--json")
    assert said.code == 0
    document = json.loads(said.out)
    assert document["exposures"][0]["relative_to"] == "mGy CTDIvol (32 cm)"
    assert document["risk"] is None
    assert "--ctdivol-mgy" in document["risk_reason"]
    absolute = json.loads((estimated.out / "organ_doses.json").read_text("utf-8"))
    assert doses(document)["liver"] * 8.0 == pytest.approx(doses(absolute)["liver"], rel=0.02)

    import pydicom

    assert pydicom.dcmread(tmp_path / "out" / "dose.dcm").DoseUnits == "RELATIVE"


def test_results_of_an_earlier_job_leave_other_files_stay(
    estimated: Any, cli: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine", "utf-8")
    (out / "dose_2.dcm").write_text("of an exam with two scans", "utf-8")
    archive = tmp_path / "exam.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in estimated.exam.iterdir():
            packed.write(path, f"deep/er/{path.name}")
        packed.writestr("DICOMDIR.txt", "not an image")
    options = ("--masks", estimated.masks, "--histories", "2e4", "--seed", "8", "--absent", "liver")
    said = cli("estimate", archive, *options, "--out", out)
    assert said.code == 0, said.err
    assert {path.name for path in out.iterdir()} == FILES | {"notes.txt"}
    document = json.loads((out / "organ_doses.json").read_text("utf-8"))
    first = json.loads((estimated.out / "organ_doses.json").read_text("utf-8"))
    assert doses(document)["left-lung"] != doses(first)["left-lung"]  # another seed
    assert doses(document)["left-lung"] == pytest.approx(doses(first)["left-lung"], rel=0.2)
    assert doses(document).get("liver") is None  # removed: neither dose …
    assert "liver" in sites(first)
    assert "liver" not in sites(document)  # … nor risk


REFUSED = {
    "both": (["--precision", "0.01", "--histories", "1e6"], "--precision and --histories"),
    "precision": (["--precision", "3"], "0.0001 to 0.5"),
    "histories": (["--histories", "5"], "1e3 to 1e11"),
    "ctdivol": (["--ctdivol-mgy", "-1"], "above 0"),
    "seed": (["--seed", "-1"], "0 to 2^63"),
    "masks": (["--masks", "no-such-folder"], "check --masks"),
    "absent": (["--absent", "kidny"], "left-kidney"),
    "sex": (["--sex", "x"], "F"),
    "age": (["--age", "300"], "age"),
    "height": (["--height-cm", "1.7"], "cm"),
    "contrast": (["--contrast", "some"], "without"),
    "segmenter": (["--segmenter", "magic"], "built-in"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_options_that_cannot_be(name: str, estimated: Any, cli: Callable[..., Any], tmp_path: Path) -> None:
    options, word = REFUSED[name]
    said = cli("estimate", estimated.exam, *options, "--out", tmp_path / "out", "--json")
    assert said.code == 2
    assert said.out == ""
    line = said.err.strip().splitlines()[-1]
    assert line.startswith("Error: ")
    assert word in line
    assert not (tmp_path / "out").exists()


def test_no_terminal_codes_and_no_traceback_for_a_missing_folder(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    said = cli("estimate", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert said.err.startswith("Error: ")


def test_where_results_go_if_nobody_says() -> None:
    assert default_folder(Path("/data/exam7")) == Path("exam7-omnidose")
    assert default_folder(Path("exam7.zip")) == Path("exam7-omnidose")


def test_the_person_in_a_line() -> None:
    assert person_line(Person()) == "sex unknown, age unknown, height unknown, weight unknown"
    assert person_line(Person(sex="M", age_y=0.25, height_cm=60.4, weight_kg=5)) == (
        "male, 0.25 years, 60 cm, 5 kg"
    )


def test_organs_worth_a_line() -> None:
    rows = [
        {"organ": "far", "dose_mgy": 0.1, "imaged_fraction": 0.0},
        {"organ": "imaged", "dose_mgy": 0.1, "imaged_fraction": 0.5},
        {"organ": "hot", "dose_mgy": 10.0, "imaged_fraction": 0.0},
        {"organ": "absent", "dose_mgy": float("nan"), "imaged_fraction": 0.0},
    ]
    shown, more = shown_rows(rows)
    assert [row["organ"] for row in shown] == ["hot", "imaged"]
    assert more == 1


def test_tissues_go_before_bones_and_sides() -> None:
    keys = ("ribs", "left-lung", "lungs", "left-lens", "stomach-contents")
    rows = [{"organ": key, "dose_mgy": 1.0, "imaged_fraction": 1.0} for key in keys]
    shown, more = shown_rows(rows)
    assert {row["organ"] for row in shown} == {"lungs", "left-lens"}
    assert more == 3
