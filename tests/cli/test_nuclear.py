"""``omnidose nuclear fit`` and ``kernel``: what they print, their JSON and files, their errors."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnidose.cli.nuclear_kernel import sides_mm
from omnidose.errors import InputError
from omnidose.kinetics.exponentials import Shape
from omnidose.transport.tally import MGY_PER_KEV_G

HEAD = "time_h,activity_mbq\n"


@pytest.fixture
def curve(tmp_path: Path) -> Path:
    """Mono-exponential of 60 h half-life, 100 MBq at the start."""
    path = tmp_path / "kidney.csv"
    times = (4.0, 24.0, 72.0, 120.0, 168.0)
    path.write_text(HEAD + "".join(f"{t},{100 * 2 ** (-t / 60)}\n" for t in times), "utf-8")
    return path


def test_a_fit_is_told(cli: Callable[..., Any], curve: Path) -> None:
    said = cli("nuclear", "fit", curve, "--nuclide", "Lu-177", "--std", "0.05", "--administered", "7400")
    assert said.code == 0, said.err
    text = " ".join(said.out.split())
    for words in ("kidney: 5 points", "retained", "taken", "Decays: 8656", "after the last scan", "1.17 h"):
        assert words in text, words


def test_a_fit_in_json(cli: Callable[..., Any], curve: Path) -> None:
    said = cli("nuclear", "fit", curve, "--half-life", "159.5", "--std", "0.05", "--json")
    content = json.loads(said.out)
    found = content["curves"][0]
    assert found["shape"] == "mono"
    assert found["time_integrated_activity_mbq_h"] == pytest.approx(100 * 60 / np.log(2), rel=1e-6)
    assert found["effective_half_lives_h"] == [pytest.approx(60.0)]
    assert found["tail_fraction"] == pytest.approx(2 ** (-168 / 60), rel=1e-6)
    assert {row["shape"] for row in found["shapes"]} == {s.value for s in Shape}


def test_decay_corrected_activities_are_taken_back(cli: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "corrected.csv"
    rows = "".join(f"{t},{100 * 2 ** (-t / 60 + t / 159.5)}\n" for t in (4.0, 24.0, 72.0, 120.0))
    path.write_text(HEAD + rows, "utf-8")
    said = cli("nuclear", "fit", path, "--half-life", "159.5", "--std", "0.05", "--decay-corrected", "--json")
    assert json.loads(said.out)["curves"][0]["effective_half_lives_h"] == [pytest.approx(60.0, rel=1e-6)]


def test_three_points_are_no_retention(cli: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "three.csv"
    path.write_text(HEAD + "".join(f"{t},{100 * 2 ** (-t / 50)}\n" for t in (24.0, 96.0, 168.0)), "utf-8")
    said = cli("nuclear", "fit", path, "--nuclide", "Lu-177", "--std", "0.05", "--json")
    assert json.loads(said.out)["curves"][0]["shape"] == "mono"


def test_regions_and_a_drawing(cli: Callable[..., Any], tmp_path: Path) -> None:
    path, drawing = tmp_path / "two.csv", tmp_path / "two.svg"
    rows = "".join(
        f"{region},{t},{a * 2 ** (-t / 60):.6f},{0.05 * a}\n"
        for region, a in (("left <kidney>", 100), ("liver", 400))
        for t in (4.0, 24.0, 72.0, 120.0)
    )
    path.write_text("region,time_h,activity_mbq,std_mbq\n" + rows, "utf-8")
    said = cli("nuclear", "fit", path, "--nuclide", "Lu-177", "--plot", drawing, "--average")
    assert said.code == 0, said.err
    assert "liver: 4 points" in said.out
    root = ET.fromstring(drawing.read_text("utf-8"))
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 2
    assert len(root.findall("{http://www.w3.org/2000/svg}circle")) == 10
    assert "left <kidney>" in "".join(root.itertext())


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (HEAD + "1,2\n2,1\n", (), "nothing says how certain"),
        (HEAD, ("--std", "0.1"), "holds no curve"),
        ("t,a\n1,2\n2,1\n", ("--std", "0.1"), "no column of time"),
        (HEAD + "1,two\n2,1\n", ("--std", "0.1"), "'two' is no number"),
        (HEAD + "1,2\n1,1\n", ("--std", "0.1"), "must rise"),
        ("time_h,activity_mbq,std_mbq\n1,2,0.1\n2,1,0.1\n", ("--std", "0.1"), "leave out one"),
        (HEAD + "5,2\n", ("--std", "0.1"), "--others 52:0.2"),
        (HEAD + "5,2\n", ("--std", "0.1", "--others", "52"), "no half-life with its spread"),
        (HEAD + "5,2\n", ("--std", "0.1", "--others", "300:0.2"), "longer than the physical"),
        (HEAD + "1,2\n2,1\n", ("--std", "0.1", "--others", "52:0.2"), "tell the half-life themselves"),
        ("time,activity_mbq\n1,2\n2,1\n", ("--std", "0.1"), "no column of time"),  # minutes, days?
        ("time_h,activity\n1,2\n2,1\n", ("--std", "0.1"), "no column of activity"),  # mCi, kBq?
        (HEAD + "1,2\n2,1\n", ("--std", "5"), "0.05 for 5 %"),
        (HEAD + "1,2\n2,1\n", ("--std", "0.1", "--administered", "0"), "administered activity of 0 MBq"),
        (HEAD + "1,2000\n99,900\n", ("--std", "0.1", "--administered", "7.4"), "check MBq against GBq"),
        (HEAD + "1,2\n2,1\n", ("--std", "0.1", "--plot", "x.png"), "allowed: .svg"),
    ],
)
def test_curves_that_are_none(
    cli: Callable[..., Any], tmp_path: Path, text: str, options: tuple[str, ...], words: str
) -> None:
    path = tmp_path / "curve.csv"
    path.write_text(text, "utf-8")
    said = cli("nuclear", "fit", path, "--nuclide", "Lu-177", *options)
    assert said.code == 2
    assert words in said.err
    assert said.out == ""


def test_a_fit_needs_one_half_life_and_a_file(cli: Callable[..., Any], curve: Path, tmp_path: Path) -> None:
    assert "either --nuclide or --half-life" in cli("nuclear", "fit", curve, "--std", "0.1").err
    missing = cli("nuclear", "fit", tmp_path / "no.csv", "--nuclide", "Lu-177", "--std", "0.1")
    assert "cannot be read" in missing.err
    nowhere = cli("nuclear", "fit", curve, "--nuclide", "Lu-177", "--std", "0.1", "--plot", "/no/such/x.svg")
    assert "cannot write the drawing" in nowhere.err


def test_a_kernel_shows_its_balance(cli: Callable[..., Any]) -> None:
    said = cli("nuclear", "kernel", "Lu-177", "--voxel", "4.8", "--reach", "60")
    assert said.code == 0, said.err
    text = " ".join(said.out.split())
    assert "voxels of 4.8 x 4.8 x 4.8 mm" in text
    assert "Electrons kept: 100.0" in text or "Electrons kept: 99.9" in text


def test_a_kernel_in_json(cli: Callable[..., Any]) -> None:
    said = cli("nuclear", "kernel", "Y-90", "--voxel", "4x4x8", "--medium", "lung", "--reach", "60", "--json")
    content = json.loads(said.out)
    assert content["spacing_mm"] == [4.0, 4.0, 8.0]
    assert content["electron_balance"] == pytest.approx(1.0, abs=0.005)
    values = {tuple(row["offset_xyz"]): row["mgy_per_mbq_s"] for row in content["values"]}
    assert values[(0, 0, 0)] > values[(1, 0, 0)] > values[(0, 0, 1)] > 0


@pytest.mark.parametrize("ending", ["npz", "csv"])
def test_a_kernel_is_written(cli: Callable[..., Any], tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"kernel.{ending}"
    said = cli("nuclear", "kernel", "Lu-177", "--voxel", "4.8", "--reach", "60", "--out", path, "--json")
    source = json.loads(said.out)["values"][0]["mgy_per_mbq_s"]
    if ending == "npz":
        with np.load(path) as archive:
            middle = tuple(n // 2 for n in archive["photon"].shape)
            near = tuple(n // 2 for n in archive["electron"].shape)
            total = float(archive["photon"][middle] + archive["electron"][near])
    else:
        first = path.read_text("utf-8").splitlines()[1].split(",")
        total = sum(float(x) for x in first[3:])
    assert total == pytest.approx(source, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Lu-177", "--voxel", "4x4"), "no size of a voxel"),
        (("Lu-177", "--voxel", "0.1"), "voxels of"),
        (("Lu-200", "--voxel", "4"), "no radionuclide"),
        (("Lu-177", "--voxel", "4.8", "--medium", "iron"), "no medium 'iron'"),
        (("Lu-177", "--voxel", "4.8", "--reach", "60", "--out", "x.txt"), "cannot be written"),
        (("Lu-177", "--voxel", "4.8", "--reach", "60", "--out", "/no/such/x.npz"), "cannot write the kernel"),
    ],
)
def test_kernels_that_are_none(cli: Callable[..., Any], arguments: tuple[str, ...], words: str) -> None:
    said = cli("nuclear", "kernel", *arguments)
    assert said.code == 2
    assert words in said.err


def test_sides() -> None:
    assert sides_mm("4.8") == (4.8, 4.8, 4.8)
    assert sides_mm("1x2×3") == (1.0, 2.0, 3.0)
    with pytest.raises(InputError):
        sides_mm("")


def test_a_kernel_holds_progeny_that_decays_at_once(cli: Callable[..., Any]) -> None:
    options = ("--voxel", "4", "--reach", "20", "--json")
    chain = json.loads(cli("nuclear", "kernel", "Ra-223", *options).out)
    alone = json.loads(cli("nuclear", "kernel", "Ra-223", *options, "--alone").out)
    assert chain["nuclide"].startswith("Ra-223 + ")
    alphas = [found["energy_per_decay_kev"]["alphas"]["sent_out"] for found in (chain, alone)]
    assert alphas[0] == pytest.approx(26_900, rel=0.01)  # ICRP 107: 26.38 MeV and 0.50 MeV of recoils
    assert alphas[1] < 5_900
    assert chain["notes"] == []
    assert "as you asked" in alone["notes"][0]


def test_a_kernel_says_what_comes_later(cli: Callable[..., Any]) -> None:
    said = cli("nuclear", "kernel", "Pb-212", "--voxel", "4", "--reach", "20")
    assert said.code == 0
    assert "not in these values: the progeny of Pb-212 decays later" in said.out
    assert "Bi-212" in said.out


def test_one_scan_takes_the_half_life_of_others(cli: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "kidney.csv"
    path.write_text(HEAD + "72,40\n", "utf-8")
    options = ("--nuclide", "Lu-177", "--std", "0.05", "--others", "50:0.2", "--administered", "7400")
    said = cli("nuclear", "fit", path, *options)
    assert said.code == 0, said.err
    assert "Haenscheid 2018" in said.out
    found = json.loads(cli("nuclear", "fit", path, *options, "--json").out)["curves"][0]
    by_hand = 40 * 2 ** (72 / 50) * 50 / np.log(2)
    assert found["time_integrated_activity_mbq_h"] == pytest.approx(by_hand, rel=1e-6)
    assert found["coefficient_h"] == pytest.approx(by_hand / 7400, rel=1e-6)
    assert found["methods"]["haenscheid"]["value_mbq_h"] == pytest.approx(40 * 2 * 72 / np.log(2), rel=1e-6)
    assert found["std_mbq_h"] > 0.05 * by_hand
    nothing = tmp_path / "nothing.csv"
    nothing.write_text("time_h,activity_mbq,std_mbq\n72,0,0.1\n", "utf-8")
    said = cli("nuclear", "fit", nothing, "--nuclide", "Lu-177", "--others", "50:0.2")
    assert said.code == 2
    assert "holds no activity" in said.err


def test_a_csv_holds_electrons_beyond_the_photon_kernel(cli: Callable[..., Any], tmp_path: Path) -> None:
    """Betas of Y-90 fly 11 mm: a photon kernel of 3 mm must not cut them off."""
    path = tmp_path / "short.csv"
    said = cli("nuclear", "kernel", "Y-90", "--voxel", "3", "--reach", "3", "--out", path, "--json")
    assert said.code == 0, said.err
    rows = np.loadtxt(path, delimiter=",", skiprows=1)
    images = 2.0 ** (rows[:, :3] > 0).sum(axis=1)
    found = json.loads(said.out)
    held_kev = float((rows[:, 3] * images).sum()) * found["voxel_g"] / (1e6 * MGY_PER_KEV_G)
    assert held_kev == pytest.approx(found["energy_per_decay_kev"]["electrons"]["in_kernel"], rel=1e-4)


def test_an_unknown_library_is_refused(cli: Callable[..., Any]) -> None:
    said = cli("nuclear", "kernel", "Lu-177", "--voxel", "4.8", "--library", "mird")
    assert said.code == 2
    assert "there is no library 'mird'" in said.err
