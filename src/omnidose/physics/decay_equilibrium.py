"""When a pure parent and its progeny are in equilibrium, and when a daughter's activity is highest."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from omnidose.physics.decay import ArrayF8, DecayNetwork
from omnidose.physics.decay_exponential import exponential

#: Share of the activity ratio in equilibrium at which it counts as reached.
REACHED = 0.99
#: A parent that lives so many times longer than all below it hardly changes while they grow in.
SECULAR = 100.0
#: Half-lives of what decays slowest that are looked ahead.
_LATEST = 600
#: Relative differences below this are rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Equilibrium:
    """One of the progeny of a pure parent.

    Attributes
    ----------
    kind
        ``secular`` (the parent lives over 100 times longer), ``transient``, or ``none`` (something on the way
        lives longer than the parent).
    ratio
        Activity over that of the parent in equilibrium; nan if there is none.
    reached_h
        Time until the ratio is 99 % of that; inf if never.
    highest_h
        Time of the highest activity; inf if something on the way lives over 1e12 times longer than the
        parent (Gd-152 of Tb-152).
    """

    name: str
    kind: str
    ratio: float
    reached_h: float
    highest_h: float


def equilibria(network: DecayNetwork) -> tuple[Equilibrium, ...]:
    """Return one entry for each of the progeny of the first nuclide; one region, decay alone."""
    constants = network.decay_per_s
    ratios = _ratios(network)
    out = []
    for place in range(1, len(network.states)):
        # what can hold it up: itself, and whatever stands between it and the parent
        slowest = min(constants[i] for i in range(1, place + 1) if _leads_to(network, i, place))
        ratio = float(ratios[place])
        kind = "none" if math.isnan(ratio) else "transient"
        if slowest > SECULAR * constants[0]:
            kind = "secular"
        out.append(
            Equilibrium(
                name=network.states[place].nuclide,
                kind=kind,
                ratio=ratio,
                reached_h=_reached_h(network, place, ratio),
                highest_h=_highest_h(network, place),
            )
        )
    return tuple(out)


def _leads_to(network: DecayNetwork, start: int, end: int) -> bool:
    """Whether atoms of ``start`` become ``end``."""
    reach = {start}
    for i in range(start, end + 1):
        if any(network.gain_per_s[i, j] > 0 for j in reach):
            reach.add(i)
    return end in reach


def _ratios(network: DecayNetwork) -> ArrayF8:
    """Activities over the parent's after a long time: atoms that all fall as the parent does."""
    constants = network.decay_per_s
    atoms = np.zeros(constants.size)
    atoms[0] = 1.0
    for i in range(1, constants.size):
        comes = network.gain_per_s[i, :i] > 0  # what has no equilibrium itself spoils only what it becomes
        gained = network.gain_per_s[i, :i][comes] @ atoms[:i][comes]
        spare = constants[i] - constants[0]
        atoms[i] = gained / spare if spare > 0 else np.nan
    return np.asarray(atoms * constants / constants[0])


def _reached_h(network: DecayNetwork, place: int, ratio: float) -> float:
    """Bisect: the ratio to the parent grows monotonically towards its limit."""
    if math.isnan(ratio):
        return math.inf

    def reached(time_h: float) -> bool:
        activity = network.activity_mbq(time_h)
        return bool(activity[place] >= REACHED * ratio * activity[0])

    return _first_h(network, reached, _LATEST * math.log(2) / float(network.decay_per_s[0]) / 3600)


def _highest_h(network: DecayNetwork, place: int) -> float:
    """Bisect: the activity rises, then falls.

    Its derivative comes from that of the start, exp(A t) A n(0): what the first daughters have become against
    what the parent has. Gain less loss of the state itself would drown in rounding where a daughter of
    microseconds follows one of days.
    """
    loss, gain = network.loss_per_s, network.gain_per_s

    def falls(time_h: float) -> bool:
        became = exponential(loss, gain, time_h * 3600)[place]
        return bool(became[1:] @ gain[1:, 0] <= (1 + _ROUNDING) * loss[0] * became[0])

    # after the parent has gone, the longest lived on the way still feeds what is below it
    slowest = float(min(loss[i] for i in range(place) if _leads_to(network, i, place)))
    if slowest < _ROUNDING * loss[0]:
        return math.inf
    return _first_h(network, falls, _LATEST * math.log(2) / slowest / 3600)


def _first_h(network: DecayNetwork, true_from: Callable[[float], bool], latest_h: float) -> float:
    """Time (h) from which something holds that does not before; inf if it does not by the latest."""
    low, high = 1e-6 * math.log(2) / float(network.decay_per_s.max()) / 3600, latest_h
    if not true_from(high):
        return math.inf
    while high / low > 1 + 1e-6:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if true_from(middle) else (middle, high)
    return high
