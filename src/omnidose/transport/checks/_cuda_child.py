"""What needs a process of its own: kernels in numba's CUDA simulator, and compiled without a GPU.

Run as ``python -m omnidose.transport.checks._cuda_child``: ``simulate``, with NUMBA_ENABLE_CUDASIM=1 in the
environment, or ``ptx 9.0``. It prints one line of JSON.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from omnidose.transport import cuda
from omnidose.transport.checks.small_scenes import BATCHES, HISTORIES, small_problems
from omnidose.transport.runner import BatchSums

#: An instruction on double precision, such as ``add.f64`` or ``cvt.ftz.f64.f32``.
DOUBLE = re.compile(r"^\s+(?:@%p\d+ )?([a-z][\w.]*\.f64[\w.]*)", re.MULTILINE)


def _lists(sums: BatchSums) -> dict[str, Any]:
    return {
        "energies": sums.energies_kev.tolist(),
        "primaries": sums.primaries_kev.tolist(),
        "balance": sums.balance.tolist(),
    }


def simulate() -> dict[str, Any]:
    """Run the small problems in the simulator, history by history and in batches."""
    # 32-bit products of the random numbers are meant to wrap; NumPy, which plays the GPU here, warns
    warnings.filterwarnings("ignore", "overflow encountered", RuntimeWarning)
    cuda.FIRST_LAUNCH, cuda.LEAST_ROWS = 64, 2  # many launches, as in a long run
    out: dict[str, Any] = {}
    for name, problem in small_problems().items():
        runner = cuda.CudaRunner(problem)
        single = runner.run(0, HISTORIES, 1)
        counts = runner.voxel_counts()
        again = cuda.CudaRunner(problem).run(0, BATCHES, HISTORIES // BATCHES)
        out[name] = {
            "single": _lists(single),
            "batches": _lists(again),
            "voxels": None if counts is None else counts.tolist(),
        }
    out["file"] = sys.modules[f"{cuda.ALIAS}.interactions"].__file__
    return out


def compile_ptx(compute_capability: str) -> dict[str, Any]:
    """Compile the kernel of the small problems for a GPU that need not be there."""
    import numba.cuda.dispatcher as dispatcher
    from numba import cuda as numba_cuda
    from numba import typeof, types

    major, _, minor = compute_capability.partition(".")
    cc = (int(major), int(minor))
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=cc)  # it asks the driver
    problem = next(iter(small_problems().values()))
    records = [typeof(r) for r in (problem.method, problem.beam, problem.geometry, problem.physics)]
    sums, voxels = (types.Array(types.int64, n, "C") for n in (2, 1))
    signature = (*[types.int64] * 4, types.uint64, *records, sums, sums, sums, voxels)
    ptx, _ = numba_cuda.compile(
        cuda.load_kernel().py_func,
        signature,
        cc=cc,
        device=False,
        fastmath=True,
        abi="numba",
        output="ptx",
    )
    text = ptx if isinstance(ptx, str) else bytes(ptx).decode()
    return {
        "double": dict(Counter(DOUBLE.findall(text))),
        "calls": len(re.findall(r"^\s+call", text, re.MULTILINE)),
        "lines": len(text.splitlines()),
        "ptxas": _ptxas(text, f"sm_{cc[0]}{cc[1]}"),
    }


def _ptxas(ptx: str, gpu: str) -> str:
    """Return the registers and the stack that NVIDIA's assembler reports; empty without the assembler."""
    from omnidose.transport._cuda_target import MAX_REGISTERS

    candidates = [shutil.which("ptxas")]
    candidates += [str(p) for entry in sys.path for p in Path(entry).glob("nvidia/*/bin/ptxas")]
    for assembler in filter(None, reversed(candidates)):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "kernel.ptx"
            source.write_text(ptx)
            command = [assembler, "-v", "--gpu-name", gpu, "--maxrregcount", str(MAX_REGISTERS), str(source)]
            command += ["-o", str(source.with_suffix(".cubin"))]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            stack, spilled = re.findall(r"(\d+) bytes (?:stack frame|spill stores)", done.stderr)
            (registers,) = re.findall(r"Used (\d+) registers", done.stderr)
            return f"{registers} registers, {stack} bytes of stack of which {spilled} spilled"
    return ""


def main() -> None:
    """Do what the command line says."""
    result = simulate() if sys.argv[1] == "simulate" else compile_ptx(sys.argv[2])
    print(json.dumps(result))


if __name__ == "__main__":
    main()
