"""Rows of ``exams.chest``, ``exams.head`` and ``exams.speed``: the command line on two real series.

The series come from the reference folder, packed; they carry no CTDIvol, so the result is relative. Every
job is a process of its own on two cores, once with few photons to warm up (compiled kernels, scale of the
scanner: both are kept between runs) and then as a user would call it, with nothing but the folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from omnidose.validation import Context, Row, State, within

#: Archives inside the reference folder.
SERIES = {
    "chest": "dicom/ct_chest_lidc_idri_0314_2mm.tar.xz",
    "head": "dicom/ct_head_ge_hispeed_tilt.tar.xz",
}
#: Largest relative standard error (statistics) of an organ.
PRECISION_REL = {
    "chest": {"lungs": 0.01, "heart": 0.01, "liver": 0.01},
    "head": {"brain": 0.01, "left-lens": 0.05, "right-lens": 0.05},
}
CORES = 2
MAX_WALL_S = 90.0
PROMISE = "promise of the project"
_COMMAND = """
import os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:int(sys.argv.pop(1))])
from omnidose.cli import main
main()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of the command line.

    Attributes
    ----------
    wall_s, cpu_s
        From start to end of the process; what its threads used together (NaN if the system does not tell).
    document
        The JSON it printed.
    """

    wall_s: float
    cpu_s: float
    document: dict[str, Any]

    def row(self, organ: str) -> dict[str, Any] | None:
        """Return the doses of one organ, None if the body has none."""
        rows = self.document["total"] or []
        return next((row for row in rows if row["organ"] == organ), None)


@cache
def job(archive: Path) -> Job:
    """Unpack a series, warm up, and run ``omnidose estimate`` on it as a user would."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with tarfile.open(archive) as packed:
            packed.extractall(folder / "exam", filter="data")
        estimate(folder / "exam", folder / "warm", "--histories", "1e4")
        return estimate(folder / "exam", folder / "out")


def estimate(exam: Path, out: Path, *options: str) -> Job:
    """Run ``omnidose estimate`` in a process of its own on two cores.

    Raises
    ------
    RuntimeError
        With the last line of the process if it fails.
    """
    arguments = ["estimate", str(exam), "--out", str(out), "--json", *options]
    start_s, cpu_start_s = time.monotonic(), _children_cpu_s()
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, str(CORES), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env=os.environ | {"NUMBA_NUM_THREADS": str(CORES)},
    )
    wall_s, cpu_s = time.monotonic() - start_s, _children_cpu_s() - cpu_start_s
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return Job(wall_s=wall_s, cpu_s=cpu_s, document=json.loads(done.stdout))


def _children_cpu_s() -> float:
    """Return the processor time of all child processes that have ended."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return float("nan")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _job(context: Context, name: str) -> Job:
    assert context.reference is not None
    context.progress(f"the whole job on the real {name}")
    return job(context.reference / SERIES[name])


def check_chest(context: Context) -> Iterator[Row]:
    """Yield the standard errors of the real chest CT."""
    yield from precision_rows("chest", _job(context, "chest"))


def check_head(context: Context) -> Iterator[Row]:
    """Yield the standard errors of the real tilted head CT."""
    yield from precision_rows("head", _job(context, "head"))


def check_speed(context: Context) -> Iterator[Row]:
    """Yield the wall times of both."""
    for name in SERIES:
        done = _job(context, name)
        yield within(
            f"{name}: omnidose estimate from start to end, warm, {CORES} cores",
            done.wall_s,
            MAX_WALL_S,
            unit="s",
            source=PROMISE,
            bounds=(0.0, MAX_WALL_S),
            note=f"whole process, with import and writing; {done.cpu_s:.0f} s of processor time"
            + (f"; load average at the end {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""),
        )


def precision_rows(name: str, done: Job) -> Iterator[Row]:
    """Yield the statistical standard error of every organ promised, at the default precision."""
    for organ, bound in PRECISION_REL[name].items():
        row = done.row(organ)
        title = f"{name}: standard error of {organ}"
        if row is None or not row["dose_mgy"]:
            yield Row(
                name=title,
                ours=None,
                unit="%",
                reference=100 * bound,
                source=PROMISE,
                tolerance=f"at most {100 * bound:g} %",
                state=State.FAILED,
                note="the result has no dose of this organ",
            )
            continue
        yield within(
            title,
            100 * row["std_statistical_mgy"] / row["dose_mgy"],
            100 * bound,
            unit="%",
            source=PROMISE,
            bounds=(1e-6, 100 * bound),
            note=f"{row['dose_mgy']:.3g} {row['unit']}, shape from {row['origin']}, "
            f"{100 * row['imaged_fraction']:.0f} % imaged, all uncertainties "
            f"{100 * row['std_mgy'] / row['dose_mgy']:.0f} %",
        )
