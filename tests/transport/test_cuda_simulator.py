"""The kernels as CUDA would run them, in numba's simulator and in a process of its own."""

from __future__ import annotations

from typing import Any

import pytest

from omnidose.transport.checks.one_source import (
    Histories,
    check_place,
    check_simulator,
    child,
    definitions,
)
from omnidose.transport.checks.small_scenes import small_sources
from omnidose.validation import State


@pytest.fixture(scope="module")
def answer() -> dict[str, Any]:
    pytest.importorskip("numba.cuda", reason="this numba has no CUDA simulator: pip install numba-cuda")
    return child("simulate", simulator=True)


def test_the_simulated_gpu_follows_the_histories_of_the_cpu(answer: dict[str, Any]) -> None:
    """Every history alone, the sums, the dose map, and batches in several launches."""
    rows = list(check_simulator(answer))
    assert len(rows) == len(small_sources()) + 1 + 3
    assert [f"{row.name}: {row.ours} {row.unit}" for row in rows if row.state is not State.PASSED] == []


def test_a_wrong_history_is_seen(answer: dict[str, Any]) -> None:
    single = {k: [list(row) for row in v] for k, v in answer["60 keV"]["single"].items()}
    hit = next(k for k, row in enumerate(single["energies"]) if row[3] > 1)
    single["energies"][hit][3] *= 1 + 3e-5
    wrong = {**answer, "60 keV": {**answer["60 keV"], "single": single}}
    failed = [row.name for row in check_simulator(wrong) if row.state is State.FAILED]
    assert len(failed) == 2
    assert failed[0].startswith("60 keV: ")
    assert failed[1].startswith("sums of batches")


def test_compton_scattering_stands_in_one_place(answer: dict[str, Any]) -> None:
    assert definitions("compton") == ["interactions.py"]
    assert check_place(answer["file"]).state is State.PASSED
    assert check_place("elsewhere/interactions.py").state is State.FAILED


def test_a_balance_is_compared_to_the_emitted_energy() -> None:
    regions, balance = [[0.0, 1e-4]], [[60.0, 0.5, 59.5, 0.4, 3.0, 1.0]]
    theirs = Histories.of(regions, regions, balance)
    assert Histories.of([[0.0, 1e-4 + 5e-9]], regions, balance).equal_to(theirs) == 1
    assert Histories.of([[0.0, 1e-4 + 5e-8]], regions, balance).equal_to(theirs) == 0
    assert Histories.of(regions, regions, [[60.0, 0.5004, 59.4996, 0.4, 3.0, 1.0]]).equal_to(theirs) == 1
    assert Histories.of(regions, regions, [[60.0, 0.501, 59.499, 0.4, 3.0, 1.0]]).equal_to(theirs) == 0
    assert Histories.of(regions, regions, [[60.0, 0.5, 59.5, 0.4, 4.0, 1.0]]).equal_to(theirs) == 0
