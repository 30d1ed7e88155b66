"""The programs and commands that the documentation shows do what it says."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from omnidose.exams.bad_input import write_trunk

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PROGRAMS = sorted(p for folder in ("tutorials", "howto") for p in (DOCS / folder).glob("*.py"))
ENVIRONMENT = {**os.environ, "NUMBA_NUM_THREADS": "1", "COLUMNS": "120", "PYTHONUTF8": "1"}


def run(words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python as a reader would, with warnings as errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", *words],
        cwd=cwd,
        env=ENVIRONMENT,
        capture_output=True,
        encoding="utf-8",  # also where the locale is C
        timeout=600,
    )


def python(program: Path, *arguments: str, cwd: Path) -> str:
    """Run a program; return what it prints."""
    done = run([str(program), *arguments], cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_program_is_shown_on_a_page_and_tested() -> None:
    text = "".join(p.read_text("utf-8") for p in DOCS.rglob("*.md"))
    here = Path(__file__).read_text("utf-8")
    for program in PROGRAMS:
        assert f'--8<-- "{program.relative_to(ROOT).as_posix()}"' in text
        assert f'"{program.name}"' in here


def test_depth_dose_in_water(tmp_path: Path) -> None:
    out = python(DOCS / "tutorials" / "depth_dose_water.py", cwd=tmp_path)
    depth = {int(d): float(r) for d, r in re.findall(r"(\d+) mm: ([\d.]+) \+-", out)}
    assert sorted(depth) == list(range(0, 150, 10))
    values = [depth[d] for d in sorted(depth)]
    assert values == sorted(values, reverse=True)
    # 80 kV behind 3 mm Al, 10 x 10 cm, 70 cm: half the surface dose at 3 to 5 cm of water
    assert depth[30] > 0.5 > depth[50]


def test_half_value_layer_by_experiment(tmp_path: Path) -> None:
    out = python(DOCS / "tutorials" / "dose_behind_aluminium.py", cwd=tmp_path)
    simulated = re.search(r"simulated there: ([\d.]+)", out)
    assert simulated is not None
    assert float(simulated[1]) == pytest.approx(0.5, abs=0.02)  # the page says about one per cent


def test_phantom_in_a_beam(tmp_path: Path) -> None:
    out = python(DOCS / "howto" / "phantom_in_beam.py", cwd=tmp_path)
    dose = {name: float(value) for name, value in re.findall(r"([\w-]+): ([\d.]+) \+-", out)}
    assert set(dose) == {"breasts", "lungs", "heart", "liver", "kidneys", "red-marrow", "skin"}
    # from the front the breasts get more than the kidneys in the back; back-scatter keeps all below 2
    assert 2 > dose["breasts"] > dose["liver"] > dose["kidneys"] > 0.2


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the command of first-estimate.md was run, with few photons."""
    folder = tmp_path_factory.mktemp("reader")
    words = ["demo", "--out", "demo", "--histories", "1e5"]
    done = run(["-c", "from omnidose.cli import main; main()", *words], folder)
    assert done.returncode == 0, done.stderr
    assert "Report:" in done.stdout
    assert "CT localizer" in done.stdout
    return folder


@pytest.mark.slow
def test_first_estimate_writes_what_the_pages_list(demo: Path) -> None:
    listed = set(
        re.findall(
            r"^\| `([\w.]+)` \|", section("result-files.md", "# Result files", "## organ_doses.csv"), re.M
        )
    )
    written = {p.name for p in (demo / "demo" / "result").iterdir()}
    assert {re.sub(r"_2\.", ".", name) for name in written} == listed
    with (demo / "demo" / "result" / "organ_doses.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    columns = re.findall(
        r"^\| `([\w.]+)` \|", section("result-files.md", "## organ_doses.csv", "## organ_doses.json"), re.M
    )
    assert list(rows[0]) == columns
    document = json.loads((demo / "demo" / "result" / "organ_doses.json").read_text("utf-8"))
    told = section("result-files.md", "## organ_doses.json", "## history.json")
    for key in (*document, *document["exposures"][0]):
        assert f"`{key}`" in told, f"result-files.md does not explain {key}"


@pytest.mark.slow
def test_first_estimate_check_by_hand(demo: Path) -> None:
    document = json.loads((demo / "demo" / "result" / "organ_doses.json").read_text("utf-8"))
    lungs = next(r for r in document["total"] if r["organ"] == "lungs")
    ratio = lungs["dose_mgy"] / document["exposures"][0]["quantities"]["CTDIvol"]["value"]
    assert 1 < ratio < 2  # what the tutorial tells a reader to expect
    assert document["risk"] is not None


@pytest.mark.slow
def test_facts_from_headers_are_no_warnings_of_the_report(demo: Path) -> None:
    page = (demo / "demo" / "result" / "report.html").read_text("utf-8")
    assert page.count("sex F from PatientSex") == 1
    assert "PatientSex" not in page[: page.index("What this rests on")]


@pytest.mark.slow
def test_programs_about_exams_and_results(demo: Path) -> None:
    out = python(DOCS / "howto" / "dose_under_masks.py", "demo/result", cwd=demo)
    printed = dict(re.findall(r"([\w-]+): ([\d.]+) ±", out))
    mean = re.search(r"both lungs: ([\d.]+)", out)
    assert mean is not None
    assert float(mean[1]) == pytest.approx(float(printed["lungs"]), rel=0.05)


@pytest.mark.slow
def test_several_exams_in_python(tmp_path: Path) -> None:
    write_trunk(tmp_path / "small")  # a second whole demo would cost a minute
    (tmp_path / "empty").mkdir()
    done = run([str(DOCS / "howto" / "estimate_exams.py"), "empty", "small"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert {row["exam"] for row in rows} == {"small"}
    assert "lungs" in {row["organ"] for row in rows}
    assert done.stderr.startswith("empty: no images and no dose reports were found")
    assert (tmp_path / "results" / "small" / "report.html").is_file()
    assert not (tmp_path / "results" / "empty").exists()


def section(page: str, start: str, end: str) -> str:
    """Return the part of a reference page between two headings."""
    text = (DOCS / "reference" / page).read_text("utf-8")
    return text[text.index(f"{start}\n") : text.index(f"{end}\n")]
