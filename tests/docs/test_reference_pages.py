"""Pages that repeat what the program says are what the program says."""

from __future__ import annotations

import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from omnidose.cli.app import app

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
TODO = "run: python docs/make_reference_pages.py"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "make_reference_pages", ROOT / "docs" / "make_reference_pages.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_command_line_page_is_up_to_date(maker: ModuleType) -> None:
    assert (REFERENCE / "cli.md").read_text("utf-8") == maker.cli_page(), TODO


def test_data_page_is_up_to_date(maker: ModuleType) -> None:
    assert (REFERENCE / "data.md").read_text("utf-8") == maker.data_page(), TODO


def test_dependencies_page_names_every_direct_dependency(maker: ModuleType) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    direct = {re.split(r"[<>=!~\[ ]", d)[0].lower() for d in project["dependencies"]}
    assert direct == set(maker.PURPOSE)
    listed = {
        line.split("|")[1].strip().lower()
        for line in (REFERENCE / "dependencies.md").read_text("utf-8").splitlines()
        if line.startswith("| ")
    }
    assert direct - listed == set(), f"{TODO} --sizes"


def told_commands() -> Iterator[tuple[str, str]]:
    """Yield (page, command line) of every omnidose command that a page tells a reader to type."""
    pages = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    for page in sorted(pages):
        text = re.sub(r" \\\n\s*", " ", page.read_text("utf-8"))  # a command may go on in the next line
        lines = [m.group(1) for m in re.finditer(r"^ {4,}(omnidose .*)$", text, re.MULTILINE)]
        lines += re.findall(r"`(omnidose [a-z]+ [^`]*)`", " ".join(text.split()))
        for line in lines:
            if "OPTIONS" not in line and "|" not in line and "…" not in line and "[" not in line:
                yield page.relative_to(ROOT).as_posix(), line.split(">")[0].split("  #")[0].split(" # ")[0]


COMMANDS = sorted(set(told_commands()))


def test_pages_tell_commands() -> None:
    pages = {page for page, _line in COMMANDS}
    assert {"docs/tutorials/first-estimate.md", "docs/howto/masks.md", "docs/howto/phantoms.md"} <= pages


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_commands_in_pages_exist_with_these_options(page: str, line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    context = command.make_context("omnidose", list(words), resilient_parsing=True)
    while hasattr(command, "commands"):
        name = words.pop(0)
        assert name in command.commands, f"{page}: {line}"
        command = command.commands[name]
        context = type(context)(command, parent=context, info_name=name)
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
    given = {w.split("=")[0] for w in words if re.match(r"--[a-z]", w)}
    assert given <= known, f"{page}: {line}"
