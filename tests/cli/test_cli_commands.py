"""The other commands, and what any of them says when something goes wrong."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import omnidose
from omnidose.cli.progress import LOG_EVERY_S, log_lines, stage_progress
from omnidose.errors import CancelledError, InputError
from omnidose.validation import Claim, Row, State, Suite


def test_version(cli: Callable[..., Any]) -> None:
    said = cli("--version")
    assert (said.code, said.out, said.err) == (0, f"omnidose {omnidose.__version__}\n", "")


def test_without_a_command_it_shows_the_way(cli: Callable[..., Any]) -> None:
    said = cli()
    text = said.out + said.err
    for word in ("estimate", "demo", "validate", "doctor", "phantom"):
        assert word in text


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (InputError("no such thing", where="there"), 2, "Error: no such thing (in there).\n"),
        (CancelledError("the job was stopped; nothing was written"), 130, "Stopped: the job was stopped;"),
        (KeyboardInterrupt(), 130, "Stopped: the job was stopped; nothing was written.\n"),
        (MemoryError(), 2, "Error: there is not enough memory"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            2,
            "Error: a disk is full, so nothing was written;",
        ),
        (OSError(errno.EIO, "Input/output error", "/secret/name"), 3, "(OSError: Input/output error)"),
        (ZeroDivisionError("Doe^Jane"), 3, "Error: something unexpected happened (ZeroDivisionError) and"),
    ],
)
def test_every_error_is_one_sentence(
    error: BaseException,
    code: int,
    sentence: str,
    cli: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("omnidose.cli.estimate.estimate_exam", fail)
    monkeypatch.delenv("OMNIDOSE_DEBUG", raising=False)
    said = cli("estimate", tmp_path)
    assert said.code == code
    assert said.out == ""
    assert sentence in said.err
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    assert "Doe" not in said.err  # what a file contains stays in the file
    assert "secret" not in said.err


def test_developers_get_the_traceback(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError("here")

    monkeypatch.setattr("omnidose.cli.estimate.estimate_exam", fail)
    monkeypatch.setenv("OMNIDOSE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError, match="here"):
        cli("estimate", tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_with_one_sentence(number: signal.Signals) -> None:
    code = (
        "import os, signal, time; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import omnidose.cli.estimate as e\n"
        f"def wait(*a, **k): os.kill(os.getpid(), {int(number)}); time.sleep(30)\n"
        "e.estimate_exam = wait\n"
        "import sys; sys.argv = ['omnidose', 'estimate', '.']\n"
        "from omnidose.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 130
    assert done.stderr == "Stopped: the job was stopped; nothing was written.\n"


def test_doctor(cli: Callable[..., Any]) -> None:
    said = cli("doctor")
    assert said.code == 0
    assert "Everything is in order." in said.out
    assert "tables with the right hash" in said.out


def test_doctor_as_json(cli: Callable[..., Any]) -> None:
    said = cli("doctor", "--json")
    found = json.loads(said.out)
    assert said.code == 0
    assert found["faults"] == []
    assert 1 <= found["cores"] <= (os.cpu_count() or 1)
    assert found["omnidose"] == omnidose.__version__
    assert {"photons", "organs"} <= set(found["tables"])
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in found["tables"].values())


def test_doctor_names_what_is_wrong(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    monkeypatch.setenv("OMNIDOSE_DATA_DIR", str(tmp_path / "file" / "data"))
    said = cli("doctor", "--json")
    assert said.code == 1
    (fault,) = json.loads(said.out)["faults"]
    assert "cannot be written" in fault
    assert "OMNIDOSE_DATA_DIR" in fault
    assert "Fault: " in cli("doctor").out


def suite(state: State) -> Suite:
    row = Row(
        name="half [of it]",
        ours=0.5,
        unit="1",
        reference=0.51,
        source="a book",
        tolerance="3 %",
        state=state,
        note="own error 1 %",
    )
    lost = replace(row, name="lens", ours=None)
    return Suite(
        name="here",
        title="Test",
        claims=(
            Claim(name="half", text="A half", check=lambda _context: [row]),
            Claim(name="later", text="Not yet"),
            Claim(name="lost", text="An organ", check=lambda _context: [lost]),
        ),
    )


@pytest.mark.parametrize(("state", "code"), [(State.PASSED, 0), (State.FAILED, 1)])
def test_validate(state: State, code: int, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnidose.validation.suites", lambda: {"here": suite(state)})
    said = cli("validate")
    assert said.code == code
    for word in (
        "here.half A half",
        "half [of it]: 0.5 1",
        "against 0.51; 3 %",
        "own error",
        "here.later",
        "lens",
    ):
        assert word in said.out
    assert said.out.rstrip().endswith(f"2 {state.value}, 1 not built")
    assert said.out.count("Not yet") == 1
    said = cli("validate", "here.half", "--json")
    assert said.code == code
    (row,) = json.loads(said.out)["rows"]
    assert (row["suite"], row["claim"], row["state"]) == ("here", "half", state.value)
    assert row["passed"] is (state is State.PASSED)


def test_validate_refuses_what_it_does_not_know(cli: Callable[..., Any]) -> None:
    said = cli("validate", "nonsense")
    assert said.code == 2
    assert "no validation 'nonsense'" in said.err
    assert "exams.marker" in said.err


def test_demo_writes_an_exam_of_nobody(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import pydicom

    from omnidose.exams import demo

    fine = demo.make_phantom
    monkeypatch.setattr(demo, "make_phantom", lambda sex, **size: fine(sex, **(size | {"voxel_mm": 5.0})))
    (tmp_path / "demo" / "exam").mkdir(parents=True)
    (tmp_path / "demo" / "exam" / "old").write_text("an earlier demo", "utf-8")
    said = cli("demo", "--out", tmp_path / "demo", "--only-write")
    assert said.code == 0
    count = int(re.search(r"(\d+) DICOM objects", said.err)[1])  # type: ignore[index]
    paths = [path for path in (tmp_path / "demo" / "exam").rglob("*") if path.is_file()]
    assert len(paths) == count > 50
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
    assert {h.Modality for h in headers} == {"CT", "SR"}
    currents = {float(h.XRayTubeCurrent) for h in headers if h.Modality == "CT"}
    assert len(currents) > 10  # follows the size of the patient
    assert not list(tmp_path.glob(".*"))


def test_a_log_gets_few_lines() -> None:
    lines: list[str] = []
    now_s = 0.0
    tell = log_lines(lines.append, clock=lambda: now_s)
    tell("Photons", 0.0, "start")
    for now_s in (1.0, 2.0, LOG_EVERY_S + 1):
        tell("Photons", now_s / 100, "5 s left")
    tell("Writing", float("nan"), "")
    assert lines == ["Photons …", "Photons 31 %: 5 s left", "Writing …"]


def test_a_terminal_gets_bars_that_fit() -> None:
    import io

    from rich.console import Console

    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, color_system=None)
    with stage_progress(console) as tell:
        tell("Reading images", 0.5, "3 of 6 slices")
        tell("Photons", float("nan"), "a text of much more letters than fit into the line [of it]")
        tell("Photons", 1.0, "done")
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", file.getvalue())
    assert "Reading images" in shown
    assert "done" in shown
    assert max(len(line) for line in re.split(r"[\r\n]", shown)) <= 80
