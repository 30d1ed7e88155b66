"""Exponentials of decay matrices, every entry to about 1e-13 of itself, whatever the half-lives.

A decay matrix is lower triangular when its states are ordered parents first: losses on the diagonal,
gains below it, which are never negative. Then nothing has to be subtracted: exp(A h) for a short step
h is a sum of matrices without negative entries, exp(A t) the product of such matrices, and the diagonal of
every product is known beforehand, exp(-loss t). Rounding errors of an entry therefore add up only along the
few decays between its two states and over the squarings (about 60 for 0.1 us and 1600 a in one chain);
equal half-lives are no special case. That non-negative matrices keep the accuracy of each entry:
J. Xue and Q. Ye, *Math. Comp.* 82 (2013) 1577.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

ArrayF8 = npt.NDArray[np.float64]

#: Largest loss of the first step: the series of exp(A h) then needs 20 terms more than there are states.
_FIRST_STEP = 0.5


def exponential(loss_per_s: ArrayF8, gain_per_s: ArrayF8, time_s: float) -> ArrayF8:
    """Return exp(A t) of A = gain - diag(loss).

    Parameters
    ----------
    loss_per_s
        [n] losses of the states, >= 0.
    gain_per_s
        [n, n] strictly lower triangular, >= 0: [i, j] is what j sends to i.
    time_s
        Any finite time >= 0.

    Returns
    -------
    ndarray
        [n, n], lower triangular: [i, j] is what one atom of j at 0 has become in i at t.
    """
    largest = float(loss_per_s.max(initial=0.0)) * time_s
    squarings = max(0, math.ceil(math.log2(largest / _FIRST_STEP))) if largest > 0 else 0
    step_s = math.ldexp(time_s, -squarings)
    power = _short_step(loss_per_s, gain_per_s, step_s)
    for _ in range(squarings):
        power = power @ power
        step_s *= 2
        np.fill_diagonal(power, np.exp(-loss_per_s * step_s))
    return power


def _short_step(loss_per_s: ArrayF8, gain_per_s: ArrayF8, step_s: float) -> ArrayF8:
    """Sum exp(A h) = exp(-q h) exp((A + q) h) with q the largest loss: no term is negative.

    A state k decays down is first reached by the k-th term, and after it the terms fall as (q h)^n / n!,
    however large the gains are.
    """
    size = loss_per_s.size
    q = float(loss_per_s.max())
    shifted = (gain_per_s + np.diag(q - loss_per_s)) * step_s
    term = np.eye(size)
    total = np.eye(size)
    for k in range(1, size + 20):
        term = term @ shifted / k
        total += term
    total *= math.exp(-q * step_s)
    np.fill_diagonal(total, np.exp(-loss_per_s * step_s))
    return total
