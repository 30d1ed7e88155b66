"""The packaged tables of therapy planning are what their script writes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from omnidose.data import load

SOURCES = Path(__file__).parents[4] / "data-sources"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SOURCES))
    spec = importlib.util.spec_from_file_location("therapy_tables", SOURCES / "therapy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules.pop("_write", None)
    return module


def test_photons_of_the_body_are_shares(script: ModuleType) -> None:
    table = load("therapy_body_photons")
    assert (table["absorbed_fraction"] > 0).all()
    assert (table["absorbed_fraction"] < 1).all()
    for sex in ("M", "F"):
        energies = table["energy_kev"][table["sex"] == sex]
        assert np.array_equal(energies, np.array(script.ENERGIES_KEV))


def test_the_patient_has_two_organs() -> None:
    table = load("therapy_patient")
    assert set(table["region"].tolist()) == {"kidney-left", "liver"}
    assert (np.diff(table["time_h"][table["region"] == "liver"]) > 0).all()
