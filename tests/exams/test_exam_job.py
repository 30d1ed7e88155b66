"""Survey, plan, run and write on small exams: several scans, what is left out, and a disk that refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnidose.errors import CancelledError, InputError, OutputError
from omnidose.exams import write as writing
from omnidose.exams.bad_input import TECHNIQUE, write_masks, write_trunk
from omnidose.exams.demo import AGE_Y, CTDIVOL_MGY, HIGH_MM, LOW_MM, demo_scan
from omnidose.exams.options import EstimateOptions, whole_organs
from omnidose.exams.plan import plan, survey
from omnidose.exams.run import ExamResult, body_key
from omnidose.exams.write import check_output, organ_csv, result_to_json, write

Estimate = Callable[..., ExamResult]


@pytest.fixture(scope="module")
def two_scans(tmp_path_factory: pytest.TempPathFactory, estimate: Estimate) -> ExamResult:
    """Two series of one study with irradiations of their own, and an MR series that nobody estimates."""
    folder = tmp_path_factory.mktemp("two")
    write_trunk(folder / "exam" / "a", event="first", series_number=2)
    late = replace(TECHNIQUE, ctdivol_mgy=4.0, extra={"AcquisitionNumber": 2, "AcquisitionTime": "103000"})
    write_trunk(folder / "exam" / "b", event="second", series_number=3, technique=late)
    other = replace(TECHNIQUE, extra={"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"})
    write_trunk(folder / "exam" / "c", event="none", series_number=4, technique=other, description="T1")
    return estimate(folder / "exam", masks=write_masks(folder / "masks"))


def test_every_scan_counts_and_their_sum_is_the_total(two_scans: ExamResult) -> None:
    first, second = (result.organ_doses for result in two_scans.results)
    assert two_scans.total is not None
    for organ in ("liver", "left-lung"):
        assert second.dose_of(organ) == pytest.approx(0.5 * first.dose_of(organ), rel=0.2)
        both = first.dose_of(organ) + second.dose_of(organ)
        assert two_scans.total.dose_of(organ) == pytest.approx(both, rel=1e-9)
    assert len(two_scans.history) == 2


def test_what_nobody_estimates_is_listed(two_scans: ExamResult) -> None:
    (left,) = [item for item in two_scans.left_out if "MR series of 24" in item.what]
    assert "T1" in left.what
    assert "no modality" in left.reason


def test_each_scan_gets_its_files(two_scans: ExamResult, tmp_path: Path) -> None:
    files = write(two_scans, tmp_path / "out")
    names = {path.name for path in files.values()}
    assert {"dose.nii.gz", "dose_2.nii.gz", "dose.dcm", "dose_2.dcm", "organs.dcm", "organs_2.dcm"} <= names
    assert names == {path.name for path in (tmp_path / "out").iterdir()}
    lines = organ_csv(two_scans).splitlines()
    assert {line.split(",")[0] for line in lines} == {"exposure", "scan 1", "scan 2", "all"}
    document = json.loads(json.dumps(result_to_json(two_scans, files), allow_nan=False))
    assert len(document["exposures"]) == 2
    assert "Synthetic^Phantom" not in json.dumps(document)  # the name of the patient


def test_one_ctdivol_for_two_scans_is_refused(tmp_path: Path) -> None:
    bare = replace(TECHNIQUE, ctdivol_mgy=None)
    late = replace(bare, extra={"AcquisitionNumber": 2, "AcquisitionTime": "103000"})
    write_trunk(tmp_path / "exam" / "a", event="first", series_number=2, technique=bare)
    write_trunk(tmp_path / "exam" / "b", event="second", series_number=3, technique=late)
    with (
        survey(tmp_path / "exam") as inventory,
        pytest.raises(InputError, match="2 scans were found and each has its own"),
    ):
        plan(inventory, EstimateOptions(ctdivol_mgy=8.0))


def test_a_folder_that_others_can_read(two_scans: ExamResult, tmp_path: Path) -> None:
    write(two_scans, tmp_path / "out")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o777 & ~mask


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("when", ["write_seg", "render", "publish"])
def test_a_disk_that_refuses_leaves_the_earlier_results(
    error: BaseException,
    when: str,
    two_scans: ExamResult,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "new" / "out" if when == "render" else tmp_path / "out"
    if when != "render":
        out.mkdir()
        (out / "report.html").write_text("earlier", "utf-8")
        (out / "dose_3.dcm").write_text("earlier", "utf-8")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    if when == "publish":
        real, calls = os.replace, []

        def replace_some(source: Any, target: Any) -> None:
            calls.append(target)
            if len(calls) == 5:  # in the middle of moving
                raise error
            real(source, target)

        monkeypatch.setattr(writing.os, "replace", replace_some)
    else:
        monkeypatch.setattr(writing, when, fail)
    expected = OutputError if isinstance(error, OSError) else CancelledError
    with pytest.raises(expected) as caught:
        write(two_scans, out)
    if isinstance(error, OSError):
        assert "No space left on device" in str(caught.value)
        assert "none are kept" in str(caught.value)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert not (tmp_path / "new").exists()


def test_a_mixture_of_absolute_and_relative_has_no_total(
    tmp_path: Path, estimate: Estimate, two_scans: ExamResult
) -> None:
    write_trunk(tmp_path / "exam" / "a", event="first", series_number=2)
    late = replace(TECHNIQUE, ctdivol_mgy=None, extra={"AcquisitionNumber": 2, "AcquisitionTime": "103000"})
    write_trunk(tmp_path / "exam" / "b", event="second", series_number=3, technique=late)
    result = estimate(tmp_path / "exam", masks=write_masks(tmp_path / "masks"))
    assert [r.organ_doses.relative_to for r in result.results] == ["", "mGy CTDIvol (32 cm)"]
    assert result.total is None
    assert result.risk is None
    assert "relative" in result.risk_reason


def test_masks_beside_the_images_are_named_but_not_used(tmp_path: Path) -> None:
    write_trunk(tmp_path / "exam")
    write_masks(tmp_path / "exam" / "masks")
    seen: list[str] = []
    with survey(tmp_path / "exam", progress=lambda stage, _share, _text: seen.append(stage)) as inventory:
        decided = plan(inventory)
    assert any("--masks" in note for note in decided.notes)
    assert set(seen) == {"Reading headers"}
    assert len(decided.exposures) == 1
    assert body_key(decided.exposures[0].series) == decided.exposures[0].series.series_uid


def test_where_results_may_go(tmp_path: Path) -> None:
    check_output(tmp_path / "new" / "er")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(OutputError, match="is a file"):
        check_output(tmp_path / "file")


def test_a_whole_organ_stands_for_its_members() -> None:
    assert {"kidneys", "left-kidney", "right-kidney"} == whole_organs({"kidneys"})
    assert {"kidneys", "left-kidney", "right-kidney"} == whole_organs({"left-kidney", "right_kidney"})
    assert whole_organs({"left-kidney"}) == {"left-kidney"}


def test_the_demo_scan_is_a_plausible_chest() -> None:
    scan = demo_scan()
    assert AGE_Y > 18
    assert scan.ctdivol_mgy == CTDIVOL_MGY
    assert scan.z_start_mm < LOW_MM < HIGH_MM < scan.z_end_mm
    current = np.asarray(scan.current_rel)
    assert current.mean() == pytest.approx(1.0)
    assert 1.2 < current.max() / current.min() < 10


def test_a_scan_that_fails_does_not_stop_the_others(
    tmp_path: Path, organs_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from omnidose.exams import run as running

    write_trunk(tmp_path / "exam" / "a", event="first", series_number=2)
    late = replace(TECHNIQUE, extra={"AcquisitionNumber": 2, "AcquisitionTime": "103000"})
    write_trunk(tmp_path / "exam" / "b", event="second", series_number=3, technique=late)
    real = running.body_of
    calls: list[str] = []

    def body_of(series: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(series.series_uid)
        if len(calls) == 1:
            raise InputError("no body was found in the image")
        return real(series, *args, **kwargs)

    monkeypatch.setattr(running, "body_of", body_of)
    with survey(tmp_path / "exam") as inventory:
        result = running.run(plan(inventory, EstimateOptions(histories=2000)))
    assert len(result.results) == len(result.plan.exposures) == 1
    assert any("no body was found" in item.reason for item in result.left_out)
    assert any("leave out 1 of 2 scans" in warning for warning in result.warnings)
    assert write(result, tmp_path / "out")

    monkeypatch.setattr(running, "body_of", lambda *a, **k: (_ for _ in ()).throw(InputError("no body")))
    with survey(tmp_path / "exam") as inventory, pytest.raises(InputError, match="no body"):
        running.run(plan(inventory, EstimateOptions(histories=2000)))


def test_earlier_results_survive_a_failure_while_they_are_moved_away(
    two_scans: ExamResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write(two_scans, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    real, calls = os.replace, []

    def replace_(source: Any, target: Any) -> None:
        calls.append(source)
        if len(calls) == 2:
            raise OSError(13, "Permission denied")
        real(source, target)

    monkeypatch.setattr(writing.os, "replace", replace_)
    with pytest.raises(OutputError):
        write(two_scans, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
