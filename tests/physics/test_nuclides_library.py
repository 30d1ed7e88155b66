"""The optional library of ICRP 107: refused without its packages, read from made-up and from real ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from omnidose.errors import DependencyError, InputError
from omnidose.physics import nuclides_icrp107
from omnidose.physics.decay import chain
from omnidose.physics.nuclides import nuclide
from omnidose.physics.progeny import late_progeny, prompt_progeny, together
from omnidose.transport.dose_kernels.nuclide_yields import yield_of

REAL = all(find_spec(name) for name in ("icrp107_database", "radioactivedecay"))
RADIOACTIVEDECAY = """
class Nuclide:
    def __init__(self, name):
        self.name = name
    def half_life(self, unit):
        return {"Cu-64": 45720.0, "Zn-64": 1.0, "Cf-246": 128520.0}[self.name]
    def progeny(self):
        return {"Cu-64": ["Ni-64", "Zn-64"], "Cf-246": ["Cm-242", "SF"]}[self.name]
    def branching_fractions(self):
        return {"Cu-64": [0.61, 0.39], "Cf-246": [0.999998, 2e-6]}[self.name]
    def decay_modes(self):
        return {"Cu-64": ["β+ & EC", "β-"], "Cf-246": ["α", "SF"]}[self.name]
"""


def clear() -> None:
    nuclides_icrp107._folder.cache_clear()
    nuclides_icrp107._load.cache_clear()


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two packages as the real ones are built, with two nuclides and round numbers."""
    folder = tmp_path / "icrp107_database" / "icrp107"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    (tmp_path / "radioactivedecay.py").write_text(RADIOACTIVEDECAY, "utf-8")
    copper = {
        "gamma": [[1.34577, 0.0047]],
        "X": [[0.0075, 0.14], [0.00083, 0.5]],
        "annihilation": [[0.511, 0.35]],
        "auger": [[0.0065, 0.22]],
        "IE": [[1.337, 5e-7]],
        "beta-": [[0.19, 0.39]],
        "beta+": [[0.278, 0.175]],
        "b-spectra": [[0.0, 0.9], [0.2, 1.1], [0.4, 0.8], [0.57, 0.2], [0.6531, 0.0]],
    }
    fission = {"alpha": [[6.75, 0.8]], "fission": [[80.0, 2e-6]], "b-spectra": [[0.0, 1e-5], [4.0, 0.0]]}
    for name, emissions in (("Cu-64", copper), ("Cf-246", fission), ("Sb-124n", {})):
        text = json.dumps({"emissions": emissions, "name": name, "half_life": 1.0, "time_unit": "d"})
        (folder / f"{name}.json").write_text(json.dumps(text), "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    clear()
    yield
    clear()


def test_without_its_packages_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    clear()
    monkeypatch.setattr(nuclides_icrp107, "find_spec", lambda _name: None)
    with pytest.raises(DependencyError, match="icrp107_database and radioactivedecay"):
        nuclide("Lu-177", library="icrp107")
    clear()


def test_an_unknown_library_is_refused() -> None:
    with pytest.raises(InputError, match="no library 'endf'"):
        nuclide("Lu-177", library="endf")  # type: ignore[arg-type]


@pytest.mark.skipif(REAL, reason="the real packages are installed")
def test_records_are_made_of_what_the_packages_say(made_up: None) -> None:
    item = nuclide("64Cu", library="icrp107")
    assert item.half_life_s == 45720.0
    assert [(d.name, d.mode) for d in item.progeny] == [("Ni-64", "ec"), ("Zn-64", "beta-")]
    energy = item.energy_per_decay_kev
    assert energy["beta-"] == pytest.approx(190 * 0.39)
    assert energy["beta+"] == pytest.approx(278 * 0.175, rel=1e-3)
    assert energy["annihilation"] == pytest.approx(511 * 0.35)
    assert energy["electron"] == pytest.approx(6.5 * 0.22 + 1337 * 5e-7)
    assert item.x_lines.energy_kev.tolist() == pytest.approx([0.83, 7.5])
    assert item.positron_spectrum.max_kev == pytest.approx(653, abs=15)
    assert [s.nuclide for s in chain("Cu-64", library="icrp107").states] == ["Cu-64"]


@pytest.mark.skipif(REAL, reason="the real packages are installed")
def test_fission_is_left_out_and_second_isomers_are_not_named(made_up: None) -> None:
    item = nuclide("Cf-246", library="icrp107")
    assert not item.beta_spectrum
    assert [d.name for d in item.progeny] == ["Cm-242"]
    assert not nuclides_icrp107.has("Sb-124n")
    with pytest.raises(InputError, match="the library icrp107 has no"):
        nuclide("Lu-177", library="icrp107")


@pytest.mark.skipif(not REAL, reason="icrp107-database and radioactivedecay are not installed")
def test_the_real_library() -> None:
    clear()
    item = nuclide("I-125", library="icrp107")
    assert item.electron_energy_per_decay_kev == pytest.approx(19.24, rel=1e-3)
    copper = nuclide("Cu-64", library="icrp107")
    assert copper.energy_per_decay_kev["beta-"] == pytest.approx(74.27, rel=1e-3)
    assert copper.energy_per_decay_kev["beta+"] == pytest.approx(48.43, rel=1e-3)
    tia = chain("Ac-225", library="icrp107").cumulated_mbq_h(24.0)
    assert tia[-1] == pytest.approx(17.6312982629, rel=1e-9)  # Pb-209, radioactivedecay
    caesium = chain("Cs-137", library="icrp107")
    assert [s.nuclide for s in caesium.states] == ["Cs-137", "Ba-137m"]


@pytest.mark.skipif(REAL, reason="the real packages are installed")
def test_progeny_and_yields_stay_in_one_library(made_up: None) -> None:
    """ICRP 107's Cu-64 has its own numbers, and no progeny is taken from the bundled library."""
    assert prompt_progeny("Cu-64", "icrp107") == {}
    late_progeny.cache_clear()
    assert late_progeny("Cu-64", "icrp107").decays == ()
    assert together("Cu-64", "icrp107")[0][0] is nuclide("Cu-64", library="icrp107")
    emitted = yield_of("Cu-64", library="icrp107")
    assert emitted.emitted_photon_kev == pytest.approx(
        0.35 * 511 + 1345.77 * 0.0047 + 7.5 * 0.14 + 0.83 * 0.5
    )
    with pytest.raises(InputError, match="icrp107 has no"):
        yield_of("Cu-64", progeny={"Y-89m": 1.0}, library="icrp107")
    late_progeny.cache_clear()


@pytest.mark.skipif(not REAL, reason="icrp107-database and radioactivedecay are not installed")
def test_chains_outside_the_bundled_library_have_kernels_too() -> None:
    assert prompt_progeny("Zr-89", "icrp107") == {}  # Y-89m is in Zr-89 there
    emitted = yield_of("Ra-224", progeny=prompt_progeny("Ra-224", "icrp107"), library="icrp107")
    assert emitted.name == "Ra-224 + Rn-220 + Po-216"
    assert emitted.alpha_kev == pytest.approx(5789 + 6405 + 6906, rel=2e-3)  # decay energies of the alphas
