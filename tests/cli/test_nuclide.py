"""``omnidose nuclide``: what it prints, its JSON, its drawing, its errors."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omnidose.cli.nuclide import duration
from omnidose.cli.nuclide_plot import draw
from omnidose.physics.decay import chain
from omnidose.physics.nuclides import nuclide_names
from omnidose.physics.nuclides_sheet import sheet


def test_it_shows_what_is_asked_for(cli: Callable[..., Any]) -> None:
    said = cli("nuclide", "177Lu")
    assert said.code == 0
    text = " ".join(said.out.split())
    for words in ("Lu-177", "6.647 d", "208.37", "beta- end point", "soft tissue", "Hf-177", "PSMA", "Ga-68"):
        assert words in text, words


def test_alphas_have_range_and_let(cli: Callable[..., Any]) -> None:
    text = " ".join(cli("nuclide", "Ac-225").out.split())
    assert "47.5 µm" in text
    assert "Growing in after pure Ac-225" in text
    assert "Ra-225" in text


def test_generators_are_told(cli: Callable[..., Any]) -> None:
    text = " ".join(cli("nuclide", "Tc-99m").out.split())
    assert "Generator: Mo-99" in text
    assert "highest after 22.84 h" in text


def test_newer_half_lives_are_told(cli: Callable[..., Any]) -> None:
    text = " ".join(cli("nuclide", "Tb-161").out.split())
    assert "half-life 6.89 d" in text
    assert "Measured since: 6.964 d" in text
    assert sheet("Lu-177")["half_life_measured_since"] is None
    assert sheet("Ac-225")["half_life_measured_since"]["half_life_s"] == pytest.approx(9.920 * 86400)


def test_doubtful_routes_are_told(cli: Callable[..., Any]) -> None:
    assert "Doubtful as printed" in cli("nuclide", "Bi-213").out


def test_without_a_name_it_lists_all(cli: Callable[..., Any]) -> None:
    text = cli("nuclide").out
    assert all(name in text for name in nuclide_names())
    rows = json.loads(cli("nuclide", "--json").out)["nuclides"]
    assert [row["name"] for row in rows][:4] == ["C-11", "N-13", "O-15", "F-18"]
    assert len(rows) == 95


@pytest.mark.parametrize("name", nuclide_names())
def test_every_sheet_is_plain_json(name: str) -> None:
    content = sheet(name)
    assert json.loads(json.dumps(content, allow_nan=False))["name"] == name
    strength = [line["per_decay"] for line in content["emissions"]]
    assert strength == sorted(strength, reverse=True)
    assert all(row["range_mm"] > 0 for row in content["ranges"])


def test_json_is_all_there_is_on_stdout(cli: Callable[..., Any]) -> None:
    content = json.loads(cli("nuclide", "Mo-99", "--json").out)
    assert content["half_life_s"] == pytest.approx(65.94 * 3600)
    assert content["in_equilibrium"][0]["highest_h"] == pytest.approx(22.84, abs=0.01)
    assert content["medicine"]["parent_of"] == ["Tc-99m"]


def test_the_drawing_is_an_svg(cli: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "tc.svg"
    assert cli("nuclide", "Tc-99m", "--plot", path).code == 0
    root = ET.fromstring(path.read_text("utf-8"))
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 2  # the parent and what it grows
    heights = [float(p.split(",")[1]) for p in lines[1].attrib["points"].split()]
    assert heights[0] == max(heights)  # nothing of the daughter at 0; SVG counts from the top
    assert all(12 <= y <= 274.1 for y in heights)


def test_a_nuclide_alone_is_drawn_too() -> None:
    assert draw(chain("F-18")).count("<polyline") == 1
    assert draw(chain("Ra-226")).count("<polyline") <= 7


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Lu-176",), "Lu-177, Lu-177m"),
        (("lutetium",), "no name of a nuclide"),
        (("--plot", "x.svg"), "a drawing of no nuclide"),
        (("F-18", "--library", "endf"), "decay2012, icrp107"),
        (("F-18", "--plot", "/no/such/folder/x.svg"), "cannot write the drawing"),
        (("F-18", "--plot", "x.png"), "cannot be written as '.png'"),
    ],
)
def test_errors_are_one_sentence(cli: Callable[..., Any], arguments: tuple[str, ...], words: str) -> None:
    said = cli("nuclide", *arguments)
    assert said.code == 2
    assert words in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (21625.92, "6.007 h"),
        (1600 * 365.2422 * 86400, "1600 a"),
        (0.0323, "32.3 ms"),
        (2.98e-7, "0.298 µs"),
        (76.38, "1.273 min"),
    ],
)
def test_times_are_written_as_people_do(seconds: float, text: str) -> None:
    assert duration(seconds) == text
