"""``omnidose phantom import`` says what it did, or why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnidose.cli.phantom import phantom_app
from omnidose.errors import InputError


def test_import_names_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = tmp_path / "AM.npz"
    monkeypatch.setattr("omnidose.anatomy.icrp110.import_phantom", lambda _path, _to: (stored,))
    result = CliRunner().invoke(phantom_app, ["import", str(tmp_path)])
    assert result.exit_code == 0
    assert "ICRP 110 AM" in result.output
    assert "copyright ICRP" in result.output


def test_import_without_phantom_is_an_input_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(phantom_app, ["import", str(tmp_path)])
    assert isinstance(result.exception, InputError)
