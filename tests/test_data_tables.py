"""Every packaged table: complete description, right hash, named licence, regenerable, nothing recalled."""

from __future__ import annotations

import csv
import hashlib
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import omnidose
from omnidose.data import REQUIRED_FIELDS

ROOT = Path(__file__).parents[1]
TABLES = Path(omnidose.__file__).parent / "data" / "tables"
NAMES = sorted(path.stem for path in TABLES.glob("*.toml"))
#: Licences that a table may carry. All but facts and government data need a notice in LICENSES/.
LICENCE = re.compile(r"fact|public|MIT|BSD|Apache-2\.0", re.IGNORECASE)
#: Licences whose text forbids shipping with this package.
FORBIDDEN = re.compile(r"GPL|non-?commercial|\bNC\b|not redistributable|do not bundle", re.IGNORECASE)
#: Columns that grade single rows, and the letters: A the source itself, B a transcription or a
#: reproduction, C recalled, D derived here.
GRADE_COLUMNS = ("grade", "verified", "checked", "verification")
#: Tables with rows that rest on memory, and where that is told to the user.
SAID_UNVERIFIED = {
    "stylised_dimensions": "shapes of equation-based phantoms; phantom notes and report say so",
    "kinetics_models_recalled": "asked for by recalled=True; every result says so",
}
ADDRESS = re.compile(r"/(work|home|root|tmp)/|\bC:\\")


@cache
def info(name: str) -> dict[str, Any]:
    return tomllib.loads((TABLES / f"{name}.toml").read_text("utf-8"))


def data_file(name: str) -> Path:
    found = [TABLES / f"{name}.{ext}" for ext in ("csv", "npz") if (TABLES / f"{name}.{ext}").is_file()]
    assert len(found) == 1, f"{name}: exactly one data file, not {found}"
    return found[0]


def graded_rows(name: str) -> list[tuple[int, str]]:
    """(line, grade) of every row of a CSV that grades its rows."""
    path = data_file(name)
    if path.suffix != ".csv":
        return []
    lines = [t for t in path.read_text("utf-8").splitlines() if t.strip() and not t.startswith("#")]
    reader = csv.DictReader(lines)
    columns = [c for c in reader.fieldnames or () if c in GRADE_COLUMNS]
    return [(number, row[c].strip()) for number, row in enumerate(reader, 2) for c in columns]


def test_there_are_tables_and_no_stray_files() -> None:
    assert len(NAMES) > 20
    stray = [p.name for p in TABLES.iterdir() if p.suffix != ".toml" and p.stem not in NAMES]
    assert [name for name in stray if name != "__init__.py"] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_description_is_complete_and_the_hash_is_right(name: str) -> None:
    described = info(name)
    assert [key for key in REQUIRED_FIELDS if not str(described.get(key, "")).strip()] == []
    assert hashlib.sha256(data_file(name).read_bytes()).hexdigest() == described["sha256"]


@pytest.mark.parametrize("name", NAMES)
def test_the_source_can_be_looked_up(name: str) -> None:
    source = info(name)["source"]
    known = r"(19|20)\d\d|\b(XCOM|NIST|ICRP|ICRU|AAPM|BEIR|DICOM)\b|version|\d+\.\d+|per row|public .*headers"
    assert re.search(known, source), "a year, a report, a version, or 'per row' must stand in the source"
    if "per row" in source:
        assert "source" in data_file(name).read_text("utf-8").splitlines()[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_licence_allows_shipping_and_its_notice_is_here(name: str) -> None:
    licence = info(name)["licence"]
    assert LICENCE.search(licence), licence
    assert not FORBIDDEN.search(licence), licence
    notices = "".join(path.read_text("utf-8") for path in sorted((ROOT / "LICENSES").iterdir()))
    for mark, text in (("MIT", "MIT License"), ("BSD", "Redistributions in binary form")):
        if mark in licence:
            assert text in notices
    if re.search(r"MIT|BSD|Apache-2\.0 \(", licence):
        assert re.search(rf"\b{re.escape(name)}\b", notices), (
            f"LICENSES/ must name the table {name} beside the notice of its licence"
        )


@pytest.mark.parametrize("name", NAMES)
def test_who_made_it_can_make_it_again(name: str) -> None:
    made_by = info(name)["made_by"]
    script = re.search(r"data-sources/\w+\.py", made_by)
    assert script, f"no script named: {made_by}"
    assert (ROOT / script.group()).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_recalled_is_shipped_as_truth(name: str) -> None:
    assert not re.match(r"C\b|grade C", info(name)["verified"])
    recalled = [line for line, grade in graded_rows(name) if re.match(r"C", grade)]
    if name in SAID_UNVERIFIED:
        said = data_file(name).read_text("utf-8").splitlines()[0]
        assert recalled, f"{name} is verified now: take it out of SAID_UNVERIFIED"
        assert re.search("from memory", said), "a table with recalled rows must say so in its first line"
    else:
        assert recalled == [], f"rows of {name} that nobody has read in a source: lines {recalled}"


@pytest.mark.parametrize("name", NAMES)
def test_no_machine_path_is_in_a_table(name: str) -> None:
    text = (TABLES / f"{name}.toml").read_text("utf-8")
    if data_file(name).suffix == ".csv":
        text += data_file(name).read_text("utf-8")
    assert not ADDRESS.search(text)


def test_some_tables_grade_their_rows() -> None:
    assert sum(bool(graded_rows(name)) for name in NAMES) >= 3
