"""Rows of the claim ``exams.bad-input``: one per mistake, two of them in a process of their own.

A real Ctrl-C is a signal that arrives while compiled code runs, and the peak memory of a large series can
only be told from a process that did nothing else.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from omnidose.exams.bad_input import BadInput, Outcome, is_one_sentence, try_case, write_masks, write_trunk
from omnidose.validation import Context, Row, State, within
from omnidose.volume import Grid

SOURCE = "the sentence must say what, where and what to do"
#: What the command line answers to Ctrl-C.
STOPPED_EXIT = 130
#: Ctrl-C must be obeyed within, seconds.
MAX_STOP_S = 10.0
MAX_MEMORY_GB = 4.0
LARGE = Grid(shape_zyx=(1000, 512, 512), spacing_mm=(0.8, 0.8, 0.7), origin_mm=(-204.4, -204.4, 0.0))
#: The command line in a fresh interpreter; Ctrl-C is heard even if the parent ignores it (a job with ``&``).
_COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from omnidose.cli import main; main()"
)


def check_bad_input(context: Context) -> Iterator[Row]:
    """Yield one row per mistake."""
    from omnidose.exams.bad_input_cases import CASES

    for case in CASES:
        context.progress(f"bad input: {case.name}")
        with tempfile.TemporaryDirectory() as name:
            yield _row(case, try_case(case, Path(name)), name)
    context.progress("bad input: a real Ctrl-C")
    yield from _interrupt_rows()
    context.progress("bad input: a series of 512x512x1000")
    yield memory_row(context)


def _row(case: BadInput, outcome: Outcome, folder: str) -> Row:
    faults = outcome.faults(case)
    answer = outcome.answer(case).replace(folder, "…")  # the same words at every run
    return Row(
        name=case.text,
        ours=answer or "no sentence",
        unit="",
        reference=("goes on and says " if case.goes_on else "stops and says ") + ", ".join(case.says),
        source=SOURCE,
        tolerance="one sentence with these words, nothing else left behind",
        state=State.FAILED if faults else State.PASSED,
        note="; ".join(faults),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """What a real Ctrl-C did: exit code, what was said afterwards, seconds until the end, what was left."""

    exit_code: int
    said: str
    stop_s: float
    leftovers: tuple[str, ...]


def interrupt(folder: Path, *, stage: str = "Photons", patience_s: float = 300.0) -> Interrupted:
    """Run ``omnidose estimate`` on a small exam and press Ctrl-C when a stage begins.

    Parameters
    ----------
    folder
        Empty; takes the exam and the results.
    patience_s
        The process is killed after this time.
    """
    write_trunk(folder / "exam")
    masks = write_masks(folder / "masks")
    before = set(folder.rglob("*"))
    # far more photons than can be done before the signal
    command = ["estimate", str(folder / "exam"), "--masks", str(masks), "--histories", "1e10"]
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, *command, "--out", str(folder / "out")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    guard = threading.Timer(patience_s, process.kill)
    guard.start()
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(stage):
                break
        time.sleep(1.0)  # into the middle of it
        start_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().strip()
        exit_code = process.wait()
        stop_s = time.monotonic() - start_s
    finally:
        guard.cancel()
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
    left = tuple(sorted(str(p.relative_to(folder)) for p in set(folder.rglob("*")) - before))
    return Interrupted(exit_code=exit_code, said=said, stop_s=stop_s, leftovers=left)


def _interrupt_rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        seen = interrupt(Path(name))
    sentence = seen.said.splitlines()[-1].removeprefix("Stopped: ") if seen.said else ""
    faults = []
    if seen.exit_code != STOPPED_EXIT:
        faults.append(f"exit code {seen.exit_code}")
    if not is_one_sentence(sentence) or "nothing was written" not in sentence:
        faults.append("no clear sentence")
    if seen.leftovers:
        faults.append("left behind: " + ", ".join(seen.leftovers))
    yield Row(
        name="Ctrl-C in the middle of the photons, a real signal",
        ours=sentence or "no sentence",
        unit="",
        reference=f"nothing was written, exit code {STOPPED_EXIT}",
        source=SOURCE,
        tolerance="one sentence with these words, nothing left behind",
        state=State.FAILED if faults else State.PASSED,
        note="; ".join(faults),
    )
    yield within(
        "from Ctrl-C to the end of the process",
        seen.stop_s,
        MAX_STOP_S,
        unit="s",
        source="promise of the project",
        bounds=(0.0, MAX_STOP_S),
    )


def memory_row(context: Context) -> Row:
    """Return the peak memory of the whole job on a series of 512x512x1000, organs looked for as usual."""
    name = f"a series of {'x'.join(str(n) for n in reversed(LARGE.shape_zyx))}: peak memory of the whole job"
    if not context.full or not hasattr(os, "wait4"):
        return Row(
            name=name,
            ours=None,
            unit="GB",
            reference=MAX_MEMORY_GB,
            source="promise of the project",
            tolerance=f"at most {MAX_MEMORY_GB:g} GB",
            state=State.NOT_RUN,
            note="a long comparison: run with --full" if not context.full else "needs a POSIX system",
        )
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        write_trunk(folder / "exam", grid=LARGE)
        exit_code, peak_gb = peak_memory_gb(
            ["estimate", str(folder / "exam"), "--histories", "1e6", "--out", str(folder / "out"), "--json"]
        )
    if exit_code != 0:
        raise RuntimeError(f"the job ended with exit code {exit_code}")
    return within(
        name,
        peak_gb,
        MAX_MEMORY_GB,
        unit="GB",
        source="promise of the project",
        bounds=(0.1, MAX_MEMORY_GB),
        note="largest resident set of the process, 1e6 photons (their number does not change it)",
    )


def peak_memory_gb(arguments: list[str]) -> tuple[int, float]:
    """Run the command line in a process of its own; return its exit code and largest resident set (GB).

    The figure is an upper bound: Linux counts what this process held when it started the other.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    return process.returncode, usage.ru_maxrss * unit / 1e9
