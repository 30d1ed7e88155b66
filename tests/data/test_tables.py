"""The loader of packaged tables: every table as packaged, and every way a table can be bad."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import omnidose.data
from omnidose.data import REQUIRED_FIELDS, load, table_names
from omnidose.errors import DataError


@pytest.mark.parametrize("name", table_names())
def test_every_packaged_table_loads(name: str) -> None:
    table = load(name)
    assert table.columns
    assert all(table.info[field] for field in REQUIRED_FIELDS)
    assert not table.info["verified"].startswith("C")
    assert len(table.sha256) == 64


def test_arrays_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        load("photons")["energy_kev"][0] = 1


def test_an_unknown_table_names_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"'photon'.*photons"):
        load("photon")


def test_an_unknown_column_names_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"'mass'.*density_g_cm3"):
        load("materials")["mass"]


def write_table(folder: Path, data: str | None, **changes: str) -> None:
    info = dict.fromkeys(REQUIRED_FIELDS, "x")
    if data is not None:
        (folder / "tables" / "t.csv").write_text(data, "utf-8")
        info["sha256"] = hashlib.sha256(data.encode()).hexdigest()
    info |= changes
    text = "".join(f'{key} = "{value}"\n' for key, value in info.items())
    (folder / "tables" / "t.toml").write_text(text, "utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tables").mkdir()
    monkeypatch.setattr(omnidose.data, "files", lambda _package: tmp_path)
    load.cache_clear()
    yield tmp_path
    load.cache_clear()


def test_csv_columns_are_numbers_where_all_cells_are(folder: Path) -> None:
    write_table(folder, "# a comment\nname,value\na,1\nb,2.5\n")
    table = load("t")
    assert table["name"].tolist() == ["a", "b"]
    assert table["value"].dtype == np.float64
    assert table.rows() == [{"name": "a", "value": 1.0}, {"name": "b", "value": 2.5}]


def test_changed_bytes_are_refused(folder: Path) -> None:
    write_table(folder, "value\n1\n")
    (folder / "tables" / "t.csv").write_text("value\n2\n", "utf-8")
    with pytest.raises(DataError, match="sha256"):
        load("t")


@pytest.mark.parametrize("field", REQUIRED_FIELDS)
def test_an_incomplete_description_is_refused(folder: Path, field: str) -> None:
    write_table(folder, "value\n1\n", **{field: ""})
    with pytest.raises(DataError, match=field):
        load("t")


def test_missing_data_are_refused(folder: Path) -> None:
    write_table(folder, None)
    with pytest.raises(DataError, match="missing"):
        load("t")
