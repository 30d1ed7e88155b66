"""``make bench``: how fast is the engine, beside a plain one, with more threads, and in the whole job.

Times depend on the machine and on what else it does, so nothing here fails on a time. Ratios of two
programs timed in alternation travel better than times: compare these. CPU time counts where it is given, so
that other programs disturb less.

    python benchmarks/run.py [--quick] [--job]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from plain_engine import run as run_plain
from scenes import BEAM, Chest, plain_box, run_engine

from omnidose.transport.checks.scaling import time_over_histories, time_over_voxels
from omnidose.transport.engine import BATCHES
from omnidose.transport.tally import Tally

OUTPUT = Path(__file__).parent / "latest.json"
PER_S = "histories/CPU-s"
CASE2 = f"TG-195 case 2, {BEAM}"
_IMPORT = "import time; t = time.perf_counter(); import omnidose; print(time.perf_counter() - t)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One line of the table."""

    name: str
    value: float
    unit: str
    note: str = ""


def _cpu_s(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def compare_with_plain(scale: float) -> list[Measurement]:
    """Histories and efficiency per CPU-second of both, run in turn so that load hits them alike."""
    run_engine(4000, threads=1)  # compile
    set_up_s = _cpu_s(lambda: run_engine(BATCHES, threads=1))
    rates: dict[str, list[float]] = {"plain": [], "engine": []}
    merit: dict[str, list[float]] = {"plain": [], "engine": []}
    for turn in range(3):
        plain = run_plain(plain_box(), int(4e5 * scale), seed=turn + 1)
        rates["plain"].append(plain.histories / plain.cpu_s)
        merit["plain"].append(1 / (float(plain.std_kev[0] / plain.energy_kev[0]) ** 2 * plain.cpu_s))
        start = time.process_time()
        tally = run_engine(2e6 * scale, seed=turn + 1, threads=1)
        cpu_s = time.process_time() - start - set_up_s
        rates["engine"].append(tally.histories / cpu_s)
        merit["engine"].append(1 / (float(tally.std_rel[0]) ** 2 * cpu_s))
    middle = {name: float(np.median(values)) for name, values in rates.items()}
    gain = float(np.median(merit["engine"]) / np.median(merit["plain"]))
    return [
        Measurement(name="plain engine", value=middle["plain"], unit=PER_S, note=CASE2),
        Measurement(name="engine", value=middle["engine"], unit=PER_S, note=f"{CASE2}, set-up subtracted"),
        Measurement(name="engine, set-up", value=set_up_s, unit="CPU-s", note="tables of the materials"),
        Measurement(
            name="engine / plain, histories", value=middle["engine"] / middle["plain"], unit="1", note=CASE2
        ),
        Measurement(
            name="engine / plain, 1/(variance x time)",
            value=gain,
            unit="1",
            note="energy in the whole block; uncertain by a fifth",
        ),
        *work_counts(tally, "case 2"),
    ]


def work_counts(tally: Tally, name: str) -> list[Measurement]:
    """Tentative and real collisions per history: the same on every machine."""
    return [
        Measurement(name=f"{name}, {what}", value=tally.counters[key] / tally.histories, unit="1/history")
        for what, key in (("tentative collisions", "tentative"), ("collisions", "collisions"))
    ]


def chest(scale: float) -> list[Measurement]:
    """The voxel chest: rate, and what the map of every voxel costs."""
    scan = Chest.make()
    scan.run(4000, threads=1)
    both = (False, True)
    set_up_s = {m: _cpu_s(lambda m=m: scan.run(BATCHES, threads=1, voxel_map=m)) for m in both}  # type: ignore[misc]
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(3):
        for voxel_map in both:
            start = time.process_time()
            tally = scan.run(1e6 * scale, seed=turn + 1, threads=1, voxel_map=voxel_map)
            seconds[voxel_map].append(time.process_time() - start - set_up_s[voxel_map])
    rate = {key: 1e6 * scale / float(np.median(values)) for key, values in seconds.items()}
    voxels = scan.scene.voxels
    assert voxels is not None
    millions = voxels.grid.voxel_count / 1e6
    note = f"stylised woman, {millions:.1f} million voxels, helical chest scan, {BEAM}"
    return [
        Measurement(name="voxel chest", value=rate[False], unit=PER_S, note=note),
        Measurement(name="voxel chest with dose map", value=rate[True], unit=PER_S),
        Measurement(
            name="voxel chest, set-up",
            value=set_up_s[False],
            unit="CPU-s",
            note="regions, tables, cells",
        ),
        *work_counts(tally, "voxel chest"),
        *(
            Measurement(
                name=f"voxel chest, error of {organ} at 1e6 histories",
                value=100 * float(tally.std_rel[tally.index(organ)]) * math.sqrt(tally.histories / 1e6),
                unit="%, one sigma",
            )
            for organ in ("left-lung", "liver", "thyroid")
        ),
    ]


def scaling(scale: float) -> list[Measurement]:
    """Threads: wall clock against one thread, and the CPU time of a history against one thread.

    The first falls behind the number of threads when other programs hold the cores; the second tells what the
    threads cost each other (caches, memory, clock).
    """
    cores = os.cpu_count() or 1
    counts = [n for n in (1, 2, 4, 8, 16, 32, 64) if n <= cores]
    wall_s: dict[int, list[float]] = {n: [] for n in counts}
    cpu_s: dict[int, list[float]] = {n: [] for n in counts}
    for _ in range(3):
        for n in counts:
            start, cpu_start = time.perf_counter(), time.process_time()
            run_engine(3e6 * scale, threads=n)
            wall_s[n].append(time.perf_counter() - start)
            cpu_s[n].append(time.process_time() - cpu_start)
    out = []
    for n in counts[1:]:
        out.append(
            Measurement(
                name=f"speed-up with {n} threads",
                value=min(wall_s[1]) / min(wall_s[n]),
                unit="1",
                note=f"{CASE2}, wall clock with set-up, best of three",
            )
        )
        out.append(
            Measurement(
                name=f"CPU time of a history with {n} threads",
                value=min(cpu_s[n]) / min(cpu_s[1]),
                unit="1",
                note="of that with one thread",
            )
        )
    return out


def sizes() -> list[Measurement]:
    """Time against histories and voxels: a cylinder of tissue in air, one thread."""
    curve = [
        Measurement(name=f"a history in {n / 1e6:.3g} million voxels", value=us, unit="us", note="one body")
        for n, us in time_over_voxels().items()
    ]
    ratio = time_over_histories()
    return [*curve, Measurement(name="time of 16 times the histories / 16", value=ratio, unit="1")]


def import_time() -> list[Measurement]:
    """``import omnidose`` in a fresh interpreter, best of five."""
    seconds = [
        float(
            subprocess.run([sys.executable, "-c", _IMPORT], check=True, capture_output=True, text=True).stdout
        )
        for _ in range(5)
    ]
    return [Measurement(name="import omnidose", value=min(seconds), unit="s", note="best of five")]


def stages_s(command: list[str]) -> dict[str, float]:
    """Run a command that tells "Stage ..." on stderr; return seconds by stage.

    "all" is the whole, "all, CPU time" what it cost on all cores: the second bears other load better.
    """
    start, cpu_start = time.perf_counter(), os.times()
    marks = [("Starting", start)]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    ) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if line.rstrip().endswith(" …"):
                marks.append((line.strip().removesuffix(" …"), time.perf_counter()))
    end = time.perf_counter()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {''.join(said[-3:])}")
    ends = [when for _name, when in marks[1:]] + [end]
    cpu_end = os.times()
    cpu_s = sum(cpu_end[2:4]) - sum(cpu_start[2:4])  # of children that have ended
    out: dict[str, float] = {"all": end - start, "all, CPU time": cpu_s}
    for (name, begin), finish in zip(marks, ends, strict=True):
        out[name] = out.get(name, 0.0) + finish - begin
    return out


def job() -> list[Measurement]:
    """The whole job on the demo exam, twice: the second time every cache is warm."""
    program = str(Path(sys.executable).with_name("omnidose"))
    out = []
    with tempfile.TemporaryDirectory() as folder:
        demo = Path(folder) / "demo"
        subprocess.run([program, "demo", "--only-write", "--out", str(demo)], check=True, capture_output=True)
        for name in ("first", "warm"):
            seconds = stages_s([program, "estimate", str(demo / "exam"), "--out", str(demo / name)])
            out += [
                Measurement(name=f"estimate, demo exam, {name}: {stage}", value=value, unit="s")
                for stage, value in seconds.items()
                if name == "warm" or stage.startswith("all")
            ]
    return out


def machine() -> dict[str, Any]:
    """What the times depend on; no name of the machine or of its owner."""
    memory = math.nan
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "architecture": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory),
        "load_before": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "numba": version("numba"),
        "numpy": version("numpy"),
        "omnidose": version("omnidose"),
    }


def main() -> None:
    """Measure, print, and write ``latest.json``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the histories")
    parser.add_argument("--job", action="store_true", help="also time the whole job on the demo exam")
    chosen = parser.parse_args()
    scale = 0.1 if chosen.quick else 1.0
    described = machine()
    found = [*import_time(), *compare_with_plain(scale), *chest(scale), *scaling(scale), *sizes()]
    if chosen.job:
        found += job()
    width = max(len(m.name) for m in found)
    for m in found:
        print(f"{m.name:<{width}}  {m.value:>10.4g} {m.unit:<16} {m.note}")
    OUTPUT.write_text(
        json.dumps({"machine": described, "measurements": [asdict(m) for m in found]}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
