"""The chi-square of claims: what it says of honest and of dishonest errors."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.transport.checks import statistics
from omnidose.transport.checks.statistics import Honesty
from omnidose.validation import State


def test_volumes_are_apart_and_in_the_block() -> None:
    volumes = np.array(statistics.VOLUMES_MM)
    assert len(volumes) >= 12
    centre, half = volumes[:, :3], volumes[:, 3:] / 2
    assert np.all(np.abs(centre[:, :2]) + half < 195)
    assert np.all((centre[:, 2:] - half > 0) & (centre[:, 2:] + half < 200))
    for i in range(len(volumes)):
        for j in range(i):
            assert np.any(np.abs(centre[i] - centre[j]) > half[i] + half[j])


def test_few_histories_give_honest_errors_of_independent_tallies() -> None:
    found = statistics.honesty(histories=2e4)
    assert len(found.keys) == found.reduced.size == len(statistics.VOLUMES_MM)
    counted = found.reduced[found.std_rel < statistics.RARE_REL]
    assert counted.size >= 5
    assert 0.7 < counted.mean() < 1.5
    assert found.correlation < 2 * found.noise


@pytest.mark.parametrize(("factor", "state"), [(1.0, State.PASSED), (2.0, State.FAILED), (0.5, State.FAILED)])
def test_rows_judge_the_stated_errors(factor: float, state: State) -> None:
    """Errors stated too large or too small by a factor of two change the sum by four."""
    rng = np.random.default_rng(5)
    reduced = rng.chisquare(39, 20) / 39 * factor**2
    found = Honesty(
        keys=tuple(f"{k}" for k in range(20)),
        reduced=reduced,
        pairs=np.full(190, 0.02),
        n_batches=2500,
        std_rel=np.full(20, 0.02),
    )
    rows = list(statistics._rows("mode", found, 40))
    assert rows[0].state is state
    assert rows[3].state is State.PASSED


def test_rare_tallies_are_counted_apart() -> None:
    found = Honesty(
        keys=("a", "b", "c"),
        reduced=np.array([1.0, 1.1, 5.0]),
        pairs=np.zeros(3),
        n_batches=1600,
        std_rel=np.array([0.01, 0.02, 0.3]),
    )
    rows = list(statistics._rows("mode", found, 40))
    assert "1 rarer tallies: 5.00" in rows[0].note
    assert rows[2].ours == 1.1
    assert rows[3].state is State.FAILED  # two are not ten
