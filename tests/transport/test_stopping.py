"""When a run to a precision stops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from omnidose.errors import InputError
from omnidose.transport.checks.cube import small_cube
from omnidose.transport.checks.precision import normal, run_synthetic, stop_at_once, stop_by_bound, synthetic
from omnidose.transport.engine import BATCHES, Run, simulate
from omnidose.transport.problem import compile_problem
from omnidose.transport.runner import LocalRunner
from omnidose.transport.stopping import LEAST_SCORED, cap_message, errors_rel, next_look, targets

KEYS = ["heart", "left-lens", "right-lens", "liver"]


def test_targets_of_groups() -> None:
    wanted = targets({"heart": 0.01, ("left-lens", "right-lens"): 0.05, ("heart", "liver"): 0.02}, None, KEYS)
    assert dict(zip(wanted.keys, wanted.precision_rel)) == {
        "heart": 0.01, "left-lens": 0.05, "right-lens": 0.05, "liver": 0.02,
    }  # fmt: skip
    assert [KEYS[c] for c in wanted.columns] == list(wanted.keys)
    assert targets(0.02, None, KEYS).keys == tuple(KEYS)
    assert targets(0.02, ["liver"], KEYS).keys == ("liver",)


@pytest.mark.parametrize(
    ("precision", "keys", "words"),
    [
        (math.nan, None, "no relative error"),
        (0.0, None, "no relative error"),
        ({"heart": -0.1}, None, "no relative error"),
        ({"spleen": 0.1}, None, "no region called spleen"),
        ({"heart": 0.1}, ["heart"], "leave out precision_keys"),
        (0.1, ["spleen"], "no region called spleen"),
        ({}, None, "no region must reach"),
        (0.1, [], "no region must reach"),
    ],
)
def test_bad_targets(precision: object, keys: list[str] | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        targets(precision, keys, KEYS)  # type: ignore[arg-type]


def test_bound_of_normal_batches_is_the_chi_square_one() -> None:
    from scipy.stats import chi2

    rng = np.random.default_rng(1)
    x = rng.normal(1, 0.1, (100, 4000))
    std, upper = errors_rel(x)
    ideal = std * math.sqrt(99 / chi2.ppf(0.05, 99))
    assert np.median(upper / ideal) == pytest.approx(1.0, abs=0.02)
    # the true error is below the bound in 95 % of cases, up to the kurtosis being estimated too
    assert np.mean(upper * x.mean(axis=0) > 0.01) == pytest.approx(0.95, abs=0.02)


def test_heavy_tails_widen_the_bound() -> None:
    rng = np.random.default_rng(2)
    few = (rng.random((2000, 1)) < 0.05).astype(float)
    std, upper = errors_rel(few)
    normal_bound = 1 + 1.645 / math.sqrt(2 * 2000)
    assert upper[0] / std[0] > 1.5 * (normal_bound - 1) + 1


def test_regions_that_hardly_score_are_not_believed() -> None:
    x = np.zeros((1000, 2))
    x[: LEAST_SCORED - 1, 0] = 1.0
    x[:LEAST_SCORED, 1] = 1.0
    _std, upper = errors_rel(x)
    assert math.isinf(upper[0])
    assert math.isfinite(upper[1])
    std, upper = errors_rel(np.zeros((40, 1)))
    assert math.isinf(std[0])
    assert math.isinf(upper[0])


def test_looks_grow_but_not_without_bound() -> None:
    assert next_look(100, 1.001) == 111
    assert next_look(100, math.inf) == 400
    assert next_look(100, 1.5) == 230


def test_message_names_the_worst_first() -> None:
    wanted = targets({"heart": 0.01, ("left-lens", "right-lens"): 0.05}, None, KEYS)
    text = cap_message(wanted, np.array([0.009, math.inf, 0.08]), np.array([0.95, math.inf, 1.7]), 2_000_000)
    assert text.startswith("The cap of 2e+06 histories came before the precision")
    assert text.index("left-lens (nothing scored, wanted 5 %)") < text.index("right-lens (8 %, wanted 5 %)")
    assert "heart" not in text


def test_early_stops_are_rare_and_were_not() -> None:
    """Many runs of skewed batches: the bound keeps its promise, the first low estimate does not."""
    batches, target = synthetic()[3]
    ours = run_synthetic(batches, target, stop_by_bound, runs=60, seed=3)
    naive = run_synthetic(batches, target, stop_at_once, runs=60, seed=3)
    assert ours.early <= 0.15
    assert naive.early > 0.2
    assert ours.coverage > 0.85
    plain = run_synthetic(normal(0.1), 0.01, stop_by_bound, runs=100, seed=4)
    assert plain.early <= 0.05
    assert plain.cost_rel < 1.6


def test_cap_is_said_and_groups_are_met() -> None:
    scene, source, regions = small_cube()
    tally = simulate(
        scene, source, regions=regions, precision={"all": 0.01, "corner": 0.001}, max_histories=8e5, seed=1
    )
    assert tally.stopped == "cap"
    assert "corner (" in tally.message
    assert "all (" not in tally.message
    assert tally.histories == 800_000
    met = simulate(scene, source, regions=regions, precision={("all", "half"): 0.01}, seed=1)
    assert (met.stopped, met.message) == ("precision", "")
    fixed = simulate(scene, source, regions=regions, histories=1000, seed=1)
    assert (fixed.stopped, fixed.message) == ("histories", "")


def test_where_a_run_stops_depends_on_nobody_who_runs_it() -> None:
    scene, source, regions = small_cube()
    problem = compile_problem(scene, source, regions=regions, seed=5)
    wanted = targets({"half": 0.0008}, None, problem.keys)
    done = []
    for threads in (1, 3):
        run = Run(problem, LocalRunner(problem, threads))
        run.to_precision(wanted, 10**7, None)
        done.append(run.tally())
    assert done[0].stopped == "precision"
    assert done[0].batch_energy_kev.shape[0] > BATCHES  # it looked more than once
    assert np.array_equal(done[0].batch_energy_kev, done[1].batch_energy_kev)
