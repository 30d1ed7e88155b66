"""Arrays that can be made again, kept in the user's cache folder by a hash of what they were made from."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.data import load, user_cache_dir
from omnidose.transport.dose_kernels.emissions import RadiationYield

#: Raised whenever the method changes what a kernel holds.
METHOD = 2
_TABLES = ("dose_kernel_electrons", "dose_kernel_photons", "dose_kernel_photons_bone")


def key_of(emitted: RadiationYield, words: dict[str, Any]) -> str:
    """Return the hash of radiations, tables, method and the words (numbers, text) of a request."""
    digest = hashlib.sha256()
    digest.update(json.dumps([METHOD, *(load(t).sha256 for t in _TABLES)]).encode())
    digest.update(json.dumps(words, sort_keys=True).encode())
    for name in emitted.__slots__:
        value = getattr(emitted, name)
        digest.update(f"{name}:".encode())
        digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return digest.hexdigest()


def path_of(key: str) -> Path:
    """Return where the arrays of a key are kept."""
    return user_cache_dir() / "dose-kernels" / f"{key[:32]}.npz"


def read(key: str) -> dict[str, npt.NDArray[Any]] | None:
    """Return the arrays of a key; None if there are none, or if the file is damaged or another key's."""
    try:
        with path_of(key).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    return arrays if str(arrays.pop("key", "")) == key else None


def write(key: str, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Keep arrays under a key: a reader sees the whole file or none. A full disk costs only the cache."""
    path = path_of(key)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, key=np.array(key), allow_pickle=False, **arrays)
            os.replace(name, path)
        except OSError:
            os.unlink(name)
            raise
