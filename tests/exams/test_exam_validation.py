"""The checks of ``omnidose validate exams``: they run, and they can fail."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnidose.exams import validation_install as install
from omnidose.exams import validation_marker as marker
from omnidose.exams import validation_patients as patients
from omnidose.exams.validation import SUITE
from omnidose.exams.validation_bad_input import interrupt, memory_row, peak_memory_gb
from omnidose.validation import Context, State, run_claim


def claim(name: str) -> Any:
    return next(c for c in SUITE.claims if c.name == name)


def test_every_promise_has_a_check() -> None:
    assert {c.name for c in SUITE.claims if c.check is None} <= {"segmentation"}


def test_install_rows_pass() -> None:
    rows = list(run_claim(claim("install"), Context()))
    assert [row.state for row in rows] == [State.PASSED, State.PASSED]
    assert rows[0].unit == "s"
    assert "simpleitk" in rows[1].note


def test_the_closure_holds_what_is_needed_and_no_extras() -> None:
    found = install.closure()
    assert {"numpy", "scipy", "numba", "llvmlite", "simpleitk", "pydicom", "markupsafe"} <= set(found)
    assert not {"pytest", "mypy", "mkdocs", "totalsegmentator", "omnidose"} & set(found)
    assert install.size_mb(found["numpy"]) > 10


@pytest.mark.parametrize(
    ("text", "extras", "expected"),
    [
        ("numpy>=2.0", set(), ("numpy", set(), True)),
        ("Some_Thing [fast, Big] (>=1)", set(), ("some-thing", {"fast", "Big"}, True)),
        ("pytest>=8; extra == 'test'", set(), ("pytest", set(), False)),
        ("h5py; extra == 'fast'", {"fast"}, ("h5py", set(), None)),
        ('colorama; platform_system == "Windows"', set(), ("colorama", set(), None)),
    ],
)
def test_requirements(text: str, extras: set[str], expected: tuple[str, set[str], bool | None]) -> None:
    name, asked, needed = install._wanted(text, frozenset(extras))
    assert (name, set(asked), needed) == expected


def test_risk_rows_pass_without_the_reference_folder() -> None:
    rows = list(run_claim(claim("risk"), Context()))
    assert len(rows) > 10
    assert {row.state for row in rows} == {State.PASSED}


@pytest.mark.parametrize("name", ["chest", "head", "speed"])
def test_long_comparisons_wait_to_be_asked(name: str) -> None:
    (row,) = run_claim(claim(name), Context())
    assert row.state is State.NOT_RUN
    assert memory_row(Context()).state is State.NOT_RUN


def document(**doses: tuple[float, float]) -> patients.Job:
    rows = [
        {
            "organ": organ.replace("_", "-"),
            "dose_mgy": dose,
            "std_statistical_mgy": std,
            "std_mgy": 0.1 * dose,
            "unit": "mGy",
            "origin": "atlas",
            "imaged_fraction": 1.0,
        }
        for organ, (dose, std) in doses.items()
    ]
    return patients.Job(wall_s=1.0, cpu_s=1.0, document={"total": rows})


def test_precision_rows_fail_for_noise_and_for_an_organ_that_is_not_there() -> None:
    done = document(brain=(2.0, 0.019), left_lens=(2.0, 0.11))
    states = [row.state for row in patients.precision_rows("head", done)]
    assert states == [State.PASSED, State.FAILED, State.FAILED]


def test_a_failed_job_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="check the path"):
        patients.estimate(tmp_path / "missing", tmp_path / "out")


@pytest.fixture(scope="module")
def prone_feet_first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("marker")
    marker.run_job(folder, "FFP")
    return folder / "out"


@pytest.mark.parametrize("name", list(marker.READERS))
def test_the_marker_is_found_where_it_is(prone_feet_first: Path, name: str) -> None:
    found = marker.READERS[name](prone_feet_first)
    assert np.linalg.norm(found - marker.MARKER_MM) < marker.TOLERANCE_MM


def test_a_mirrored_output_is_noticed(prone_feet_first: Path, tmp_path: Path) -> None:
    import nibabel as nib
    import pydicom

    image = nib.load(prone_feet_first / "dose.nii.gz")
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[::-1], image.affine), tmp_path / "dose.nii.gz")
    dataset = pydicom.dcmread(prone_feet_first / "dose.dcm")
    dataset.ImageOrientationPatient = [-1, 0, 0, 0, -1, 0]
    dataset.save_as(tmp_path / "dose.dcm")
    page = (prone_feet_first / "report.html").read_text("utf-8")
    for old, new in (("m0", "m9"), ("m1", "m0"), ("m9", "m1")):
        page = page.replace(f'<span class="mark {old}"', f'<span class="mark {new}"')
    (tmp_path / "report.html").write_text(page, "utf-8")
    for name, read in marker.READERS.items():
        if "SEG" not in name:
            assert np.linalg.norm(read(tmp_path) - marker.MARKER_MM) > 100, name


def test_a_real_ctrl_c(tmp_path: Path) -> None:
    seen = interrupt(tmp_path, stage="Finding organs")  # omnidose validate waits for the photons
    assert seen.exit_code == 130
    assert seen.said.splitlines()[-1] == "Stopped: the job was stopped; nothing was written."
    assert "Traceback" not in seen.said
    assert seen.leftovers == ()
    assert seen.stop_s < 10


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX system")
def test_peak_memory_of_a_process() -> None:
    exit_code, peak_gb = peak_memory_gb(["--version"])
    assert exit_code == 0
    assert 0.01 < peak_gb < 4


def test_a_row_is_json() -> None:
    (row,) = run_claim(claim("chest"), Context())
    assert json.loads(json.dumps(row.to_json()))["state"] == "not run"
