"""Does a run to a precision stop on a lucky estimate? Synthetic batches, and runs of the engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.transport.checks._rows import judged_row
from omnidose.transport.checks.cube import small_cube
from omnidose.transport.engine import BATCH_HISTORIES, BATCHES, simulate
from omnidose.transport.stopping import CONFIDENCE, errors_rel, next_look
from omnidose.validation import Context, Row, within

ArrayF8 = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], ArrayF8]

#: A true error this far above the target counts as an early stop.
SLACK = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Synthetic batch means with mean 1 and a known spread.

    Attributes
    ----------
    draw
        (generator, n) -> n batch means.
    std_rel
        Their true relative standard deviation.
    """

    name: str
    draw: Draw
    std_rel: float


def normal(std_rel: float) -> Batches:
    """Return batches of many scores."""
    return Batches(
        name=f"normal, {100 * std_rel:g} % per batch",
        draw=lambda rng, n: rng.normal(1, std_rel, n),
        std_rel=std_rel,
    )


def rare(name: str, per_batch: float, score: Draw, mean: float, square: float) -> Batches:
    """Return batches with a Poisson number of scores of a known mean and mean square."""

    def draw(rng: np.random.Generator, n: int) -> ArrayF8:
        count = rng.poisson(per_batch, n)
        scores = score(rng, int(count.sum()))
        return np.bincount(np.repeat(np.arange(n), count), weights=scores, minlength=n) / (per_batch * mean)

    return Batches(name=name, draw=draw, std_rel=math.sqrt(square / per_batch) / mean)


def synthetic() -> tuple[tuple[Batches, float], ...]:
    """Return (batches, target): from many scores per batch to one in ten batches with a heavy tail."""
    spread, tail = 1.5, 2.5

    def exponential(rng: np.random.Generator, n: int) -> ArrayF8:
        return rng.exponential(1.0, n)

    def lognormal(rng: np.random.Generator, n: int) -> ArrayF8:
        return rng.lognormal(0.0, spread, n)

    def pareto(rng: np.random.Generator, n: int) -> ArrayF8:
        return 1 + rng.pareto(tail, n)

    return (
        (normal(0.1), 0.01),
        (rare("5 exponential scores per batch", 5, exponential, 1, 2), 0.05),
        (rare("0.3 exponential scores per batch", 0.3, exponential, 1, 2), 0.05),
        (
            rare(
                "1 log-normal score (sigma 1.5) per batch",
                1,
                lognormal,
                math.exp(spread**2 / 2),
                math.exp(2 * spread**2),
            ),
            0.05,
        ),
        (
            rare(
                "1 Pareto score (exponent 2.5: no fourth moment) per batch",
                1,
                pareto,
                tail / (tail - 1),
                tail / (tail - 2),
            ),
            0.05,
        ),
    )


def stop_by_bound(x: ArrayF8, target_rel: float) -> tuple[bool, int]:
    """Return (may stop, batches at the next look) by the engine's rule."""
    _std, upper = errors_rel(x[:, None])
    ratio = float(upper[0]) / target_rel
    return ratio <= 1, next_look(x.size, ratio)


def stop_at_once(x: ArrayF8, target_rel: float) -> tuple[bool, int]:
    """Return the same by the rule that nobody should use: stop at the first low estimate."""
    std, _upper = errors_rel(x[:, None])
    return float(std[0]) <= target_rel, math.ceil(1.05 * x.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """What many synthetic runs to a precision came to.

    Attributes
    ----------
    early
        Share of runs whose true error at the end was above ``SLACK`` times the target.
    coverage
        Share of runs whose stated 95 % interval (1.96 standard errors) held the true mean.
    cost_rel
        Mean number of batches over the least that reach the target (never below ``BATCHES``).
    """

    early: float
    coverage: float
    cost_rel: float


def run_synthetic(
    batches: Batches,
    target_rel: float,
    rule: Callable[[ArrayF8, float], tuple[bool, int]],
    *,
    runs: int,
    seed: int,
) -> Stops:
    """Stop ``runs`` runs of synthetic batches by a rule."""
    rng = np.random.default_rng(seed)
    least = max((batches.std_rel / target_rel) ** 2, BATCHES)
    sizes, held = [], 0
    for _ in range(runs):
        x = batches.draw(rng, BATCHES)
        while True:
            stop, goal = rule(x, target_rel)
            if stop:
                break
            x = np.concatenate([x, batches.draw(rng, goal - x.size)])
        sizes.append(x.size)
        held += abs(x.mean() - 1) <= 1.96 * x.std(ddof=1) / math.sqrt(x.size)
    n = np.array(sizes)
    true_rel = batches.std_rel / np.sqrt(n)
    return Stops(
        early=float(np.mean(true_rel > SLACK * target_rel)),
        coverage=held / runs,
        cost_rel=float(n.mean() / least),
    )


def _synthetic_rows(context: Context) -> Iterator[Row]:
    runs = 2000 if context.full else 100
    for batches, target_rel in synthetic():
        ours = run_synthetic(batches, target_rel, stop_by_bound, runs=runs, seed=1)
        naive = run_synthetic(batches, target_rel, stop_at_once, runs=min(runs, 100), seed=1)
        promised = 1 - CONFIDENCE
        noise = math.sqrt(promised * (1 - promised) / runs)
        yield within(
            f"{batches.name}, target {100 * target_rel:g} %: share of runs stopped early",
            ours.early,
            promised,
            unit="",
            source="synthetic batches of known spread",
            bounds=(0.0, promised + 3 * noise),
            note=(
                f"true error above {SLACK:g} times the target; {runs} runs; {ours.cost_rel:.2f} times the "
                f"least batches; stopping at the first low estimate: {naive.early:.2f} early"
            ),
        )
        yield within(
            f"{batches.name}, target {100 * target_rel:g} %: coverage of stated 95 % intervals",
            ours.coverage,
            0.95,
            unit="",
            source="synthetic batches of known spread",
            bounds=(0.92 - 3 * math.sqrt(0.05 * 0.95 / runs), 1.0),
            note="skewed scores cost up to 3 % of coverage with any rule",
        )


def _engine_rows(context: Context) -> Iterator[Row]:
    scene, source, regions = small_cube()
    cap = 2 * BATCHES * BATCH_HISTORIES
    tally = simulate(
        scene,
        source,
        regions=regions,
        precision={"all": 0.01, ("corner", "half"): 0.001},
        max_histories=cap,
        backend="cpu",
    )
    named = "corner (" in tally.message and "all (" not in tally.message
    yield judged_row(
        "a cap before the precision: the message names who fell short, not who arrived",
        tally.message,
        named and tally.stopped == "cap",
        tolerance="stopped at the cap; corner named, the whole cube not",
        source="run of a water cube",
    )
    if not context.full:
        return
    target_rel, runs = 0.01, 30
    tallies = [
        simulate(scene, source, regions=regions, precision={"corner": target_rel}, seed=s, backend="cpu")
        for s in range(1, runs + 1)
    ]
    column = tallies[0].index("corner")
    values = np.array([t.energy_kev[column] for t in tallies])
    spread_rel = float(values.std(ddof=1) / values.mean())
    yield within(
        f"{runs} seeds of a small region to {100 * target_rel:g} %: spread of the results",
        spread_rel,
        target_rel,
        unit="",
        source="run of a water cube",
        bounds=(0.0, target_rel * (1 + 3 / math.sqrt(2 * (runs - 1)))),
        note=f"mean of {np.mean([t.histories for t in tallies]):.3g} histories",
    )


def check(context: Context) -> Iterator[Row]:
    """Yield the rows of the claim."""
    yield from _synthetic_rows(context)
    yield from _engine_rows(context)
