"""Write a packaged table: the data file and the TOML beside it, byte-identical for equal numbers."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np

TABLES = Path(__file__).parent.parent / "src" / "omnidose" / "data" / "tables"


def write_npz(
    name: str, arrays: dict[str, np.ndarray], info: dict[str, str], folder: Path | None = None
) -> None:
    """Write ``name.npz`` and ``name.toml``. Time stamps are fixed so that the hash is reproducible."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for key in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[key]), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, member.getvalue())
    _write(name, "npz", buffer.getvalue(), info, folder)


def write_csv(name: str, text: str, info: dict[str, str], folder: Path | None = None) -> None:
    """Write ``name.csv`` and ``name.toml``."""
    _write(name, "csv", text.encode("utf-8"), info, folder)


def _write(name: str, extension: str, raw: bytes, info: dict[str, str], folder: Path | None) -> None:
    folder = folder or TABLES
    (folder / f"{name}.{extension}").write_bytes(raw)
    full = {**info, "sha256": hashlib.sha256(raw).hexdigest()}
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in full.items()]
    (folder / f"{name}.toml").write_text("\n".join(lines) + "\n", "utf-8")
    print(f"{name}.{extension}: {len(raw) / 1e6:.2f} MB")
