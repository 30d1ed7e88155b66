"""The scripts in data-sources make the packaged tables again (only where their sources are installed)."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from omnidose.data import _read_csv, load

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


def needs(*packages: str) -> None:
    for package in packages:
        pytest.importorskip(
            package, reason=f"{package} (extra 'tables') is not installed", exc_type=ImportError
        )


def test_photons_can_be_made_again() -> None:
    needs("xraylib", "xcom")
    made, packaged = script("photons").make(), load("photons")
    assert set(made) == set(packaged.columns)
    for name, array in made.items():
        if array.dtype.kind in "fi":
            np.testing.assert_allclose(array, packaged[name], rtol=1e-5, atol=1e-12, err_msg=name)
        else:
            assert array.tolist() == packaged[name].tolist()


def test_electron_stopping_can_be_made_again() -> None:
    needs("star")
    made, packaged = script("electrons").make(), load("electron_stopping")
    for name, array in made.items():
        np.testing.assert_allclose(array, packaged[name], rtol=1e-5, err_msg=name)


def test_electron_atoms_can_be_made_again() -> None:
    needs("star")
    for name, (text, _info) in script("electron_atoms").tables().items():
        made, packaged = _read_csv(text), load(name)
        assert set(made) == set(packaged.columns)
        for column, values in made.items():
            if values.dtype.kind == "f":
                np.testing.assert_allclose(values, packaged[column], rtol=1e-4, err_msg=f"{name}.{column}")
            else:
                assert values.tolist() == packaged[column].tolist()


@pytest.mark.parametrize(("z", "kev"), [(8, 1000.0), (53, 100.0), (79, 40.0)])
def test_mott_fits_its_partial_waves(z: int, kev: float) -> None:
    cosine = np.cos(np.radians([30.0, 60.0, 90.0, 120.0, 150.0]))
    table = load("electron_mott")
    (i,) = np.nonzero(table["energy_kev"] == kev)[0]
    fit = 1 + sum(table["coefficient"][z - 1, i, j] * (1 - cosine) ** ((j + 1) / 2) for j in range(5))
    np.testing.assert_allclose(fit, script("mott").ratio(z, kev, cosine), atol=0.04)


@pytest.mark.parametrize("name", ["materials", "nist_checks", "xcom_checks"])
def test_csv_tables_can_be_made_again(name: str, tmp_path: Path) -> None:
    if name == "xcom_checks":
        needs("xcom")
    module = script(name)
    module.write_csv(name, module.make(), module.INFO, tmp_path)
    info = tomllib.loads((tmp_path / f"{name}.toml").read_text("utf-8"))
    assert info["sha256"] == load(name).sha256


def test_a_tube_spectrum_can_be_made_again() -> None:
    needs("spekpy")
    energy, fluence = script("spectra").spectrum(60.0, 12.0, "bremsstrahlung")
    packaged = load("tube_spectra")
    i = int(np.flatnonzero(packaged["anode_angle_deg"] == 12)[0])
    j = int(np.flatnonzero(packaged["kv"] == 60)[0])
    ours = np.interp(energy, packaged["energy_kev"], packaged["bremsstrahlung"][i, j])
    np.testing.assert_allclose(ours, fluence, rtol=1e-5)


def test_no_source_library_is_imported_at_run_time() -> None:
    import subprocess

    code = (
        "import sys, omnidose.physics.transport_tables as t, omnidose.physics.tube as u;"
        "from omnidose.physics.material_library import material as m;"
        "t.build_photon_table([m('thyroid')], 100.0); u.tube_spectrum(100.0);"
        "bad = {'xraylib', 'xcom', 'star', 'spekpy', 'tables'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
