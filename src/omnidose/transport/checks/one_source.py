"""Claim ``one-source``: the kernels that run on the CPU are those that run on a GPU."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.transport import cuda, kernels
from omnidose.transport.checks._rows import judged_row, not_run_row
from omnidose.transport.checks.small_scenes import BATCHES, HISTORIES, small_problems
from omnidose.transport.kernels import interactions
from omnidose.transport.runner import LocalRunner
from omnidose.validation import Context, Row, within

ArrayF8 = npt.NDArray[np.float64]

SIMULATOR = "the same histories in numba's CUDA simulator"
#: float32 with the logarithms and cosines of two libraries.
TOLERANCE_REL = 1e-5
#: Energies below are compared as if they were so large.
SMALL_KEV = 1e-3
COMPUTE_CAPABILITIES = ("7.5", "9.0")
#: What the energy balance needs: it is summed in double precision, then turned into integers.
BALANCE_ONLY = ("add", "fma", "mov", "ld", "st", "cvt.ftz.f64.f32", "cvt.f64.f32", "cvt.rzi.s64.f64")


def child(*arguments: str, simulator: bool) -> dict[str, Any]:
    """Run ``_cuda_child`` in a process of its own and return what it printed."""
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_ENABLE_CUDASIM"}
    if simulator:
        environment["NUMBA_ENABLE_CUDASIM"] = "1"
    done = subprocess.run(
        [sys.executable, "-m", "omnidose.transport.checks._cuda_child", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:]
        raise RuntimeError(f"the child process ended with {done.returncode}: {' '.join(said)}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histories:
    """What each of some histories left: numbers [n, m] and the size to which each of them is compared."""

    values: ArrayF8
    size: ArrayF8
    n_region: int

    @classmethod
    def of(cls, energies: Any, primaries: Any, balance: Any) -> Histories:
        """Put the sums of batches of one history side by side.

        Energies of regions are compared to themselves. Deposits of the balance are differences of a photon's
        energies before and after, and rounded as these are: they are compared to the emitted energy.
        """
        energies, primaries, balance = (
            np.asarray(a, dtype=np.float64) for a in (energies, primaries, balance)
        )
        emitted = np.broadcast_to(balance[:, :1], (balance.shape[0], 4))
        return cls(
            values=np.hstack([energies, primaries, balance]),
            size=np.maximum(np.hstack([energies, primaries, emitted, balance[:, 4:]]), SMALL_KEV),
            n_region=energies.shape[1],
        )

    def equal_to(self, other: Histories) -> int:
        """Return how many histories agree in every number."""
        close = np.abs(self.values - other.values) <= TOLERANCE_REL * other.size
        return int(close.all(axis=1).sum())

    def largest_difference_rel(self, other: Histories) -> float:
        """Return the largest relative difference of a region's energy summed over histories."""
        ours, theirs = (h.values[:, : h.n_region].sum(axis=0) for h in (self, other))
        return float(np.max(np.abs(ours - theirs) / np.where(theirs > 0, theirs, SMALL_KEV)))


def check_simulator(answer: dict[str, Any]) -> Iterator[Row]:
    """Compare the simulator's histories with the CPU's, one by one.

    Two libraries of logarithms and cosines could part a history at a decision that lies within their
    rounding, about one in 1e5 histories. None of these does.
    """
    worst, other_voxels, voxels, exact = 0.0, 0, 0, True
    for name, problem in small_problems().items():
        runner = LocalRunner(problem, 1)
        sums = runner.run(0, HISTORIES, 1)
        cpu = Histories.of(sums.energies_kev, sums.primaries_kev, sums.balance)
        gpu = Histories.of(**answer[name]["single"])
        same = gpu.equal_to(cpu)
        difference = gpu.largest_difference_rel(cpu)
        yield judged_row(
            f"{name}: histories equal in every region, primary part, balance and number of collisions",
            float(same),
            same == HISTORIES,
            tolerance=f"all, each number to {TOLERANCE_REL:g}",
            unit=f"of {HISTORIES}",
            reference=float(HISTORIES),
            source=SIMULATOR,
            note=f"energies of regions to {difference:.1g}",
        )
        worst = max(worst, difference)
        cpu_map, gpu_map = runner.voxel_counts(), np.asarray(answer[name]["voxels"])
        assert cpu_map is not None
        # every score is rounded to whole counts
        other_voxels += int(np.count_nonzero(np.abs(gpu_map - cpu_map) > TOLERANCE_REL * cpu_map + HISTORIES))
        voxels += int(np.count_nonzero(cpu_map))
        batched = np.asarray(answer[name]["batches"]["energies"])
        single = gpu.values[:, : gpu.n_region].reshape(BATCHES, -1, gpu.n_region).sum(axis=1)
        exact &= np.array_equal(single / (HISTORIES // BATCHES), batched)
    yield within(
        "largest difference of a region's energy",
        worst,
        0.0,
        unit="relative",
        source=SIMULATOR,
        bounds=(0.0, TOLERANCE_REL),
    )
    yield judged_row(
        "voxels of the dose maps that differ",
        float(other_voxels),
        other_voxels == 0 and voxels > 0,
        tolerance="none",
        unit=f"of {voxels}",
        reference=0.0,
        source=SIMULATOR,
    )
    yield judged_row(
        "sums of batches, in several launches, have the bits of the sums of their histories",
        "equal" if exact else "different",
        exact,
        tolerance="bits",
        reference="equal",
        source="integer sums",
    )


def definitions(name: str) -> list[str]:
    """Return where in the kernels a function of this name is defined."""
    found = []
    for path in sorted(Path(kernels.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name == name:
                found.append(path.name)
    return found


def check_place(cuda_file: str) -> Row:
    """Compton scattering stands in one place, and both backends load that file."""
    places = definitions("compton")
    same = len(places) == 1 and Path(cuda_file) == Path(str(interactions.__file__))
    return judged_row(
        "Compton scattering: functions of that name in the kernels, one file for both backends",
        ", ".join(places),
        same,
        tolerance="one",
        reference="interactions.py",
        source="source code and loaded modules",
    )


def check_ptx(compute_capability: str) -> Row:
    """Compile for a GPU that is not there; double precision only where energies are balanced."""
    name = f"compiled to PTX for compute capability {compute_capability}: double precision beyond the balance"
    reason = cuda.missing_compiler()
    if reason:
        return not_run_row(name, reason)
    answer = child("ptx", compute_capability, simulator=False)
    double: dict[str, int] = answer["double"]
    stray = sum(
        n for op, n in double.items() if not any(op == o or op.startswith(f"{o}.") for o in BALANCE_ONLY)
    )
    balance = sum(double.values()) - stray
    note = f"{answer['lines']} lines, {answer['calls']} calls, double precision of the balance: {balance}"
    if answer["ptxas"]:
        note += f"; assembled: {answer['ptxas']}"
    return judged_row(
        name,
        float(stray),
        stray == 0 and answer["calls"] == 0,
        tolerance="none",
        unit="instructions",
        reference=0.0,
        source="NVVM",
        note=note,
    )


def check(context: Context) -> Iterator[Row]:
    """One source: where Compton scattering stands, the simulator, PTX."""
    if importlib.util.find_spec("numba.cuda") is None:
        yield not_run_row(
            "the same histories in the CUDA simulator", f"this numba has no CUDA; {cuda.INSTALL}"
        )
        return
    answer = child("simulate", simulator=True)
    yield check_place(answer["file"])
    yield from check_simulator(answer)
    for compute_capability in COMPUTE_CAPABILITIES if context.full else COMPUTE_CAPABILITIES[-1:]:
        yield check_ptx(compute_capability)
