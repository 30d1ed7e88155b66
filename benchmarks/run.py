"""``make bench``: how fast is the engine, beside a plain one, with more threads, and in the whole job.

Times depend on the machine and on what else it does, so nothing here fails on a time. Ratios of two
programs timed in alternation travel better than times: compare these.

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
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from plain_engine import PlainBox
from plain_engine import run as run_plain

from omnidose.transport import tg195
from omnidose.transport.engine import simulate
from omnidose.transport.scene import Box, Scene
from omnidose.transport.sources import PyramidSource
from omnidose.transport.tally import Tally

BEAM = "120 kVp"
SLOPE = 195 / 1800
LOWER_MM, UPPER_MM = (-195.0, -195.0, 1550.0), (195.0, 195.0, 1750.0)
OUTPUT = Path(__file__).parent / "latest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One line of the table."""

    name: str
    value: float
    unit: str
    note: str = ""


def plain_box() -> PlainBox:
    """The block of TG-195 case 2, radiography."""
    return PlainBox(
        material=tg195.SOFT_TISSUE,
        lower_cm=(LOWER_MM[0] / 10, LOWER_MM[1] / 10, LOWER_MM[2] / 10),
        upper_cm=(UPPER_MM[0] / 10, UPPER_MM[1] / 10, UPPER_MM[2] / 10),
        slopes=(-SLOPE, SLOPE, -SLOPE, SLOPE),
        spectrum=tg195.spectrum(BEAM),
    )


def run_engine(histories: float, *, seed: int = 1, threads: int | None = None) -> Tally:
    """The same block and beam in omnidose's engine."""
    block = Box(key="body", material=tg195.SOFT_TISSUE, lower_mm=LOWER_MM, upper_mm=UPPER_MM)
    source = PyramidSource(
        position_mm=(0, 0, 0),
        direction=(0, 0, 1),
        up=(0, 1, 0),
        half_tangents=(-SLOPE, SLOPE, -SLOPE, SLOPE),
        spectrum=tg195.spectrum(BEAM),
    )
    return simulate(Scene(shapes=(block,)), source, histories=histories, seed=seed, threads=threads)


def compare_with_plain(scale: float) -> list[Measurement]:
    """Histories and efficiency per CPU-second of both, run in turn so that load hits them alike."""
    run_engine(4000, threads=1)  # compile
    start = time.process_time()
    run_engine(40, threads=1)
    set_up_s = time.process_time() - start
    rates: dict[str, list[float]] = {"plain": [], "engine": []}
    merit: dict[str, list[float]] = {"plain": [], "engine": []}
    for turn in range(3):
        plain = run_plain(plain_box(), int(4e5 * scale), seed=turn + 1)
        rates["plain"].append(plain.histories / plain.cpu_s)
        merit["plain"].append(1 / ((plain.std_kev / plain.energy_kev) ** 2 * plain.cpu_s))
        start = time.process_time()
        tally = run_engine(2e6 * scale, seed=turn + 1, threads=1)
        cpu_s = time.process_time() - start - set_up_s
        rates["engine"].append(tally.histories / cpu_s)
        merit["engine"].append(1 / (float(tally.std_rel[0]) ** 2 * cpu_s))
    middle = {name: float(np.median(values)) for name, values in rates.items()}
    gain = float(np.median(merit["engine"]) / np.median(merit["plain"]))
    per_s, beam = "histories/CPU-s", f"TG-195 case 2, {BEAM}"
    return [
        Measurement(name="plain engine", value=middle["plain"], unit=per_s, note=beam),
        Measurement(name="engine", value=middle["engine"], unit=per_s, note=f"{beam}, set-up subtracted"),
        Measurement(name="engine, set-up", value=set_up_s, unit="CPU-s", note="tables of the materials"),
        Measurement(
            name="engine / plain, histories", value=middle["engine"] / middle["plain"], unit="1", note=beam
        ),
        Measurement(
            name="engine / plain, 1/(variance x time)",
            value=gain,
            unit="1",
            note="energy in the whole block; uncertain by a fifth",
        ),
    ]


def scaling(scale: float) -> list[Measurement]:
    """Speed-up with threads (wall clock)."""
    cores = os.cpu_count() or 1
    counts = [n for n in (1, 2, 4, 8, 16, 32, 64) if n <= cores]
    walls: dict[int, list[float]] = {n: [] for n in counts}
    for _ in range(3):
        for n in counts:
            start = time.perf_counter()
            run_engine(1.5e6 * scale, threads=n)
            walls[n].append(time.perf_counter() - start)
    best = {n: min(values) for n, values in walls.items()}
    return [
        Measurement(
            name=f"speed-up with {n} threads", value=best[1] / best[n], unit="1", note="best of three"
        )
        for n in counts[1:]
    ]


def job() -> list[Measurement]:
    """The whole job on the demo exam, twice: the second time every cache is warm."""
    out = []
    command = [str(Path(sys.executable).with_name("omnidose"))]
    with tempfile.TemporaryDirectory() as folder:
        exam = Path(folder) / "demo"
        subprocess.run(
            [*command, "demo", "--only-write", "--out", str(exam)], check=True, capture_output=True
        )
        for name in ("first", "warm"):
            start = time.perf_counter()
            subprocess.run(
                [*command, "estimate", str(exam / "exam"), "--out", str(exam / name), "--json"],
                check=True,
                capture_output=True,
            )
            wall = time.perf_counter() - start
            out.append(Measurement(name=f"omnidose estimate, demo exam, {name}", value=wall, unit="s"))
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
    found = [*compare_with_plain(scale), *scaling(scale)]
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
