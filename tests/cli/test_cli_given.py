"""``omnidose estimate --given``: keys are listed, wrong ones are refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_keys_are_listed_without_an_exam(cli: Callable[..., Any]) -> None:
    said = cli("estimate", "--given", "help")
    assert said.code == 0
    assert "injected_mbq=NUMBER in MBq" in said.out
    assert "unseen=tissue|body|excreted" in said.out


def test_a_wrong_key_is_refused_before_anything_is_read(cli: Callable[..., Any], tmp_path: Path) -> None:
    said = cli("estimate", tmp_path / "nothing", "--given", "activity=3")
    assert said.code == 2
    assert said.err.startswith("Error: there is nothing to be said as 'activity'")
    assert "injected_mbq" in said.err
    assert said.out == ""


def test_what_is_said_reaches_the_exam(cli: Callable[..., Any], tmp_path: Path) -> None:
    from omnidose.modalities.nuclear.proofs._small_exam import write_small

    write_small(tmp_path / "exam")
    said = cli("estimate", tmp_path / "exam", "--out", tmp_path / "out", "--given", "injected_mbq=300")
    assert said.code == 2
    assert "300 MBq were said, but the data give 200 MBq" in said.err
