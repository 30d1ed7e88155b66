"""The command line called as a shell does, and one small exam that is estimated once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from omnidose.cli import main
from omnidose.exams.bad_input import write_masks, write_trunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """A small exam, the options it was estimated with, and the folder of results."""

    exam: Path
    masks: Path
    options: tuple[str, ...]
    out: Path
    said: Said


def call(*arguments: object) -> int:
    """Run the command line in this process and return its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["omnidose", *map(str, arguments)])
        try:
            main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 1
    return 0


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Return a function that runs a command and returns code, stdout and stderr."""

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        code = call(*arguments)
        said = capsys.readouterr()
        return Said(code=code, out=said.out, err=said.err)

    return run


@pytest.fixture(scope="session", autouse=True)
def quick(organs_once: None) -> None:
    """Look for organs once in equal images."""


@pytest.fixture(scope="session")
def estimated(tmp_path_factory: pytest.TempPathFactory) -> Estimated:
    """Estimate a small exam with given masks, and keep what was said."""
    import contextlib
    import io

    folder = tmp_path_factory.mktemp("estimated")
    write_trunk(folder / "exam")
    masks = write_masks(folder / "masks")
    options = ("--masks", str(masks), "--histories", "20000", "--seed", "7")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = call("estimate", folder / "exam", *options, "--out", folder / "out")
    return Estimated(
        exam=folder / "exam",
        masks=masks,
        options=options,
        out=folder / "out",
        said=Said(code=code, out=out.getvalue(), err=err.getvalue()),
    )
