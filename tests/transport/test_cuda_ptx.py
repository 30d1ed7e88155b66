"""The kernels compiled for GPUs that need not be there; skipped where the compiler is not installed."""

from __future__ import annotations

import pytest

from omnidose.transport import cuda
from omnidose.transport.checks.one_source import COMPUTE_CAPABILITIES, check_ptx
from omnidose.validation import State


@pytest.mark.parametrize("compute_capability", COMPUTE_CAPABILITIES)
def test_kernels_compile_without_a_gpu_and_without_stray_double_precision(compute_capability: str) -> None:
    if reason := cuda.missing_compiler():
        pytest.skip(f"NOT TESTED, {reason}")
    row = check_ptx(compute_capability)
    assert row.state is State.PASSED, f"{row.ours} {row.unit} ({row.note})"


def test_without_the_compiler_the_row_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "missing_compiler", lambda: "the compiler NVVM is not installed")
    row = check_ptx("9.0")
    assert row.state is State.NOT_RUN
    assert row.note == "the compiler NVVM is not installed"
