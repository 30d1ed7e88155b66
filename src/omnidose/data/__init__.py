"""Packaged tables and the one lazy loader for them.

Every table is a CSV or NPZ file with a TOML file of the same name beside it, which says what it
is, its unit, source, licence, how it was made, how far it was verified, and its sha256. The hash
is checked when the table is first read: a changed number is an error, not a surprise.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs

from omnidose.errors import DataError

#: Fields that every TOML must have.
REQUIRED_FIELDS = ("quantity", "unit", "source", "licence", "made_by", "verified", "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A packaged table.

    Attributes
    ----------
    columns
        Column (CSV) or array (NPZ) name -> array. CSV columns are float64 where every cell is a
        number, else str.
    info
        The TOML beside the table.
    """

    name: str
    columns: dict[str, npt.NDArray[Any]]
    info: dict[str, Any]

    def __getitem__(self, column: str) -> npt.NDArray[Any]:
        try:
            return self.columns[column]
        except KeyError:
            raise DataError(
                f"table {self.name} has no column '{column}'", allowed=", ".join(self.columns)
            ) from None

    @property
    def sha256(self) -> str:
        """Hash of the file's bytes."""
        return str(self.info["sha256"])

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of a CSV table as dictionaries."""
        names = list(self.columns)
        return [dict(zip(names, cells, strict=True)) for cells in zip(*self.columns.values(), strict=True)]


def table_names() -> list[str]:
    """Return the names of all packaged tables."""
    folder = files(__package__) / "tables"
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml"))


@cache
def load(name: str) -> Table:
    """Load the packaged table ``name`` (without extension), checking its hash.

    Raises
    ------
    DataError
        If the table is unknown, its TOML is incomplete, or its bytes changed.
    """
    folder = files(__package__) / "tables"
    try:
        info = tomllib.loads((folder / f"{name}.toml").read_text("utf-8"))
    except FileNotFoundError:
        raise DataError(f"there is no packaged table '{name}'", allowed=", ".join(table_names())) from None
    missing = [key for key in REQUIRED_FIELDS if not info.get(key)]
    if missing:
        raise DataError(
            "a table's description is incomplete", where=f"{name}.toml", allowed=f"also {missing}"
        )
    for extension in ("npz", "csv"):
        path = folder / f"{name}.{extension}"
        if path.is_file():
            raw = path.read_bytes()
            break
    else:
        raise DataError(f"the data of table '{name}' are missing", todo="reinstall omnidose")
    if hashlib.sha256(raw).hexdigest() != info["sha256"]:
        raise DataError(
            f"the bytes of table '{name}' differ from their recorded sha256",
            where=f"{name}.{extension}",
            todo="reinstall omnidose, or rerun the script named in 'made_by' and record the new hash",
        )
    columns = _read_npz(raw) if extension == "npz" else _read_csv(raw.decode("utf-8"))
    for array in columns.values():
        array.setflags(write=False)
    return Table(name=name, columns=columns, info=info)


def _read_npz(raw: bytes) -> dict[str, npt.NDArray[Any]]:
    with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def _read_csv(text: str) -> dict[str, npt.NDArray[Any]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    reader = csv.reader(lines)
    header = next(reader)
    cells = list(reader)
    columns: dict[str, npt.NDArray[Any]] = {}
    for index, name in enumerate(header):
        values = [row[index] for row in cells]
        try:
            columns[name] = np.array([float(v) for v in values])
        except ValueError:
            columns[name] = np.array(values)
    return columns


def user_data_dir() -> Path:
    """Return the folder for imported data (phantoms); ``OMNIDOSE_DATA_DIR`` wins. Not created here."""
    given = os.environ.get("OMNIDOSE_DATA_DIR")
    return Path(given) if given else Path(platformdirs.user_data_dir("omnidose", appauthor=False))


def user_cache_dir() -> Path:
    """Return the folder for compiled kernels and other things that can be made again."""
    given = os.environ.get("OMNIDOSE_CACHE_DIR")
    return Path(given) if given else Path(platformdirs.user_cache_dir("omnidose", appauthor=False))
