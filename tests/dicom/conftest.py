"""Shared by the tests of the DICOM room: reference archives unpacked once, and a small one-sided phantom."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from omnidose.validation import reference_dir
from omnidose.volume import Grid


@pytest.fixture(scope="session")
def reference_dicom(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that unpacks one archive of the reference folder, once a session."""
    unpacked: dict[str, Path] = {}

    def unpack(name: str) -> Path:
        root = reference_dir()
        if root is None or not (root / "dicom").is_dir():
            pytest.skip("needs the folder of published reference files")
        if name not in unpacked:
            folder = tmp_path_factory.mktemp(name)
            with tarfile.open(root / "dicom" / f"{name}.tar.xz") as archive:
                archive.extractall(folder, filter="data")
            unpacked[name] = folder
        return unpacked[name]

    return unpack


@pytest.fixture(scope="session")
def marker_grid() -> Grid:
    return Grid(shape_zyx=(6, 40, 50), spacing_mm=(4.0, 3.0, 2.0), origin_mm=(-70.5, -30.0, 100.0))


@pytest.fixture(scope="session")
def marker_hu(marker_grid: Grid) -> np.ndarray:
    """A box of soft tissue with a bright voxel on the patient's left, in front, near the head."""
    hu = np.full(marker_grid.shape_zyx, -1000, dtype=np.int16)
    hu[:, 5:-5, 5:-5] = 40
    hu[4, 10, 40] = 1000
    return hu
