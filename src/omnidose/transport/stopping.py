"""When a run to a precision may stop: the rule, and what it says when the cap comes first.

A standard error is itself an estimate. Stopping as soon as it looks small enough picks the looks at which it
came out low. The rule therefore asks its *upper* confidence bound, see docs/methods/engine.md, "Stopping".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError

ArrayF8 = npt.NDArray[np.float64]

#: One relative standard error for all keys, or one for each key or tuple of keys.
Precision = float | Mapping[str | tuple[str, ...], float]

#: One-sided confidence of the bound on the standard error that has to meet the target.
CONFIDENCE = 0.95
#: Batches that must have scored anything at all in a region before its error is believed.
LEAST_SCORED = 20
#: From one look to the next the number of batches grows at least and at most by these factors.
LEAST_GROWTH, MOST_GROWTH = 1.1, 4.0
#: Keys named in a message.
NAMED = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Targets:
    """What a run has to reach.

    Attributes
    ----------
    columns
        [n] positions of the regions in the tally.
    precision_rel
        [n] relative standard error that each must reach.
    """

    keys: tuple[str, ...]
    columns: npt.NDArray[np.intp]
    precision_rel: ArrayF8


def targets(precision: Precision, precision_keys: Sequence[str] | None, keys: Sequence[str]) -> Targets:
    """Turn what the user asked for into one target for each region.

    Parameters
    ----------
    precision
        A number for all ``precision_keys`` (None: all ``keys``), or a mapping from a key or a tuple of keys
        to the number that each of them must reach. Where a key stands in several groups the smallest counts.
    keys
        All regions of the tally.

    Raises
    ------
    InputError
        If a number is no relative error or a key is unknown.
    """
    wanted: dict[str, float] = {}
    if isinstance(precision, Mapping):
        if precision_keys is not None:
            raise InputError(
                "precision was given by organ and precision_keys too", todo="leave out precision_keys"
            )
        groups: Iterable[tuple[Sequence[str], float]] = (
            ((group,) if isinstance(group, str) else group, value) for group, value in precision.items()
        )
    else:
        groups = [(keys if precision_keys is None else precision_keys, precision)]
    for group, value in groups:
        if not 0 < value < 1:
            raise InputError(f"precision {value:g} is no relative error", allowed="between 0 and 1")
        for key in group:
            wanted[key] = min(value, wanted.get(key, 1.0))
    unknown = [key for key in wanted if key not in keys]
    if unknown or not wanted:
        raise InputError(
            f"no region called {', '.join(unknown)}" if unknown else "no region must reach the precision",
            where="precision",
            allowed=", ".join(keys),
        )
    return Targets(
        keys=tuple(wanted),
        columns=np.array([keys.index(key) for key in wanted], dtype=np.intp),
        precision_rel=np.array(list(wanted.values()), dtype=np.float64),
    )


def errors_rel(batches: ArrayF8) -> tuple[ArrayF8, ArrayF8]:
    """Return the relative standard error of the mean and its upper confidence bound.

    Parameters
    ----------
    batches
        [n_batches, n] means of batches.

    Returns
    -------
    std_rel, upper_rel
        [n]; inf where nothing scored, and an infinite bound where fewer than ``LEAST_SCORED`` batches did.

    Notes
    -----
    For normal batch means the bound is s sqrt((n-1) / chi2(5 %, n-1)). Batch means of small regions are
    skewed and heavy-tailed: the spread of s^2 grows with the fourth moment,
    Var(s^2) = sigma^4 (kappa - (n-3)/(n-1)) / n (Mood, Graybill and Boes, Introduction to the Theory of
    Statistics, 3rd ed., 1974, on the sample variance), so that the degrees of freedom become
    2 n / (kappa - (n-3)/(n-1)); for kappa = 3 that is n - 1.
    """
    from scipy.special import chdtri

    n = batches.shape[0]
    mean = batches.mean(axis=0)
    squares = (batches - mean) ** 2
    variance = squares.sum(axis=0) / (n - 1)
    scored = mean > 0
    std_rel = np.full(mean.shape, np.inf)
    np.divide(np.sqrt(variance / n), mean, out=std_rel, where=scored)
    population = squares.mean(axis=0)
    kurtosis = np.full(mean.shape, 3.0)
    np.divide((squares**2).mean(axis=0), population**2, out=kurtosis, where=population > 0)
    freedom = 2 * n / np.maximum(kurtosis - (n - 3) / (n - 1), 2 * n / (n - 1))
    upper_rel = std_rel * np.sqrt(freedom / chdtri(freedom, CONFIDENCE))
    enough = np.count_nonzero(batches, axis=0) >= LEAST_SCORED
    return std_rel, np.where(enough, upper_rel, np.inf)


def next_look(n_batches: int, ratio: float) -> int:
    """Return the number of batches at which to look again.

    Parameters
    ----------
    ratio
        Largest bound over target at this look, above 1.
    """
    wanted = 1.02 * ratio**2 if math.isfinite(ratio) else math.inf
    return math.ceil(n_batches * min(max(wanted, LEAST_GROWTH), MOST_GROWTH))


def ratios(batches: ArrayF8, wanted: Targets) -> tuple[ArrayF8, ArrayF8]:
    """Return the standard errors [n] of what is wanted, and their bounds over the targets [n].

    ``batches`` [n_batches, n_region] are all regions' batch means.
    """
    std_rel, upper_rel = errors_rel(batches[:, wanted.columns])
    return std_rel, upper_rel / wanted.precision_rel


def cap_message(wanted: Targets, std_rel: ArrayF8, ratio: ArrayF8, histories: int) -> str:
    """Say in one sentence which regions did not reach their precision, worst first."""
    order = np.argsort(-ratio, kind="stable")
    missed = [k for k in order if ratio[k] > 1]
    words = []
    for k in missed[:NAMED]:
        has = f"{100 * std_rel[k]:.2g} %" if math.isfinite(std_rel[k]) else "nothing scored"
        words.append(f"{wanted.keys[k]} ({has}, wanted {100 * wanted.precision_rel[k]:.3g} %)")
    if len(missed) > NAMED:
        words.append(f"and {len(missed) - NAMED} more")
    return (
        f"The cap of {histories:.3g} histories came before the precision; standard errors that are not "
        f"surely as small as asked: {', '.join(words)}."
    )
