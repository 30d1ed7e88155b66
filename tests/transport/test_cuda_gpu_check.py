"""The comparison of a GPU with the CPU, on numbers that need no GPU."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from omnidose.transport import cuda
from omnidose.transport.checks.gpu import agreement, agreement_rows, check
from omnidose.transport.runner import BatchSums
from omnidose.validation import Context, State

KEYS = ("lungs", "heart", "unknown", "breast")


def sums(random: np.random.Generator, scale: npt.ArrayLike = 1.0) -> BatchSums:
    """Batches of four regions that share a part of their scatter; the third is hardly ever hit."""
    n_batches = 200
    common = random.normal(0, 0.05, (n_batches, 1))
    values = np.array([10.0, 5.0, 1e-3, 2.0]) * (1 + common + random.normal(0, 0.05, (n_batches, 4)))
    values[:, 2] = random.exponential(1e-3, n_batches) * (random.random(n_batches) < 0.05)
    zeros = np.zeros((n_batches, 6))
    return BatchSums(energies_kev=values * scale, primaries_kev=values, balance=zeros)


def test_equal_engines_agree_as_often_as_they_should() -> None:
    random = np.random.default_rng(5)
    found = [agreement(KEYS, sums(random), sums(random)) for _ in range(300)]
    assert {f.n for f in found} == {3}  # the region that nobody knows is left out
    chi_square = np.mean([f.chi_square for f in found])
    assert abs(chi_square - 3 * 199 / 195) < 4 * np.sqrt(6 / 300)  # Hotelling: dof n / (dof - n - 1)
    assert abs(np.mean([f.p < 0.1 for f in found]) - 0.1) < 4 * np.sqrt(0.09 / 300)
    assert all(row.state is State.PASSED for row in agreement_rows(found[0]))


def test_a_wrong_organ_is_found() -> None:
    """5 % in one organ: 7 standard errors, more with what the organs share taken out."""
    random = np.random.default_rng(6)
    found = agreement(KEYS, sums(random), sums(random, scale=[1.0, 1.05, 1.0, 1.0]))
    assert found.worst == "heart"
    assert [row.state for row in agreement_rows(found)] == [State.FAILED, State.FAILED]


def test_without_a_gpu_the_claim_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "missing", lambda: "there is no NVIDIA GPU with a working driver")
    (row,) = check(Context())
    assert row.state is State.NOT_RUN
    assert row.note == "there is no NVIDIA GPU with a working driver"
