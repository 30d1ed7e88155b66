"""One administration: the activity that a goal asks for and the one that organs allow, and what decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from omnidose.errors import InputError
from omnidose.modalities.nuclear.planning.confidence import (
    PROBABILITY,
    UNLIMITED_MBQ,
    DosePerActivity,
    check_positive,
    check_probability,
)
from omnidose.modalities.nuclear.planning.limits import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Absorbed dose that a target should reach.

    Attributes
    ----------
    dose
        Dose of the target per activity.
    prescription_mgy
        What it should reach at least.
    source
        Who prescribed it, or a publication.
    """

    dose: DosePerActivity
    prescription_mgy: float
    source: str = ""

    def __post_init__(self) -> None:
        check_positive(**{f"prescription of {self.dose.name} in mGy": self.prescription_mgy})


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganAtRisk:
    """An organ, its dose per activity and its limit.

    Attributes
    ----------
    used_mgy
        What earlier administrations have used of the limit, in its kind (dose or BED), taken as certain;
        :mod:`~omnidose.modalities.nuclear.planning.cycles` takes their uncertainty with it.
    """

    dose: DosePerActivity
    limit: Limit
    used_mgy: float = 0.0

    @property
    def left_mgy(self) -> float:
        """Absorbed dose of one administration that fills what is left of the limit."""
        return float(self.limit.dose_mgy(np.asarray(self.limit.value_mgy - self.used_mgy)))

    def largest_mbq(self, probability_fraction: float) -> float:
        """Return the largest activity that keeps the limit with a probability."""
        return self.dose.largest_mbq(self.left_mgy, probability_fraction)


class Decides(StrEnum):
    """What the planned activity follows from."""

    GOAL = "goal"  # the goals are reached before any limit
    LIMIT = "limit"  # an organ allows less than the goals ask for, or there is no goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One goal or organ, with its activity and what it gets at the planned one.

    Attributes
    ----------
    activity_mbq
        Least one that reaches the goal, or largest one that keeps the limit, with the plan's probability.
    median_mgy, low95_mgy, high95_mgy
        Absorbed dose at the planned activity.
    probability_fraction
        That the goal is reached or the limit kept at the planned activity.
    """

    name: str
    decides: Decides
    wanted_mgy: float
    unit: str
    activity_mbq: float
    median_mgy: float
    low95_mgy: float
    high95_mgy: float
    probability_fraction: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityPlan:
    """The planned activity and all that bears on it.

    Attributes
    ----------
    activity_mbq
        What the goals ask for, or what the organs allow if that is less.
    decides, by
        Which kind of arm it follows from, and the name of that goal or organ.
    arms
        Goals first, then organs.
    """

    activity_mbq: float
    decides: Decides
    by: str
    probability_fraction: float
    arms: tuple[Arm, ...]

    @property
    def flags(self) -> tuple[str, ...]:
        """Sentences that a report must show."""
        out = []
        for arm in self.arms:
            if arm.decides is Decides.GOAL and arm.activity_mbq > self.activity_mbq * (1 + 1e-9):
                out.append(
                    f"{arm.name}: {arm.wanted_mgy / 1000:.4g} Gy need {arm.activity_mbq:.0f} MBq; {self.by} "
                    f"allows {self.activity_mbq:.0f} MBq, with which they are reached with a probability of "
                    f"{100 * arm.probability_fraction:.0f} %"
                )
            if arm.decides is Decides.LIMIT and arm.activity_mbq == 0:
                out.append(f"{arm.name}: nothing is left of its limit")
        return tuple(out)


def plan_activity(
    goals: Sequence[Goal], organs: Sequence[OrganAtRisk], *, probability_fraction: float = PROBABILITY
) -> ActivityPlan:
    """Plan one administration.

    Parameters
    ----------
    goals, organs
        At least one of either.
    probability_fraction
        With which every goal is reached and every limit kept, each by itself.

    Raises
    ------
    InputError
        Without goals and organs, or for a probability outside (0, 1).
    """
    check_probability(probability_fraction)
    if not goals and not organs:
        raise InputError("there is neither a goal nor an organ with a limit", todo="give one of them")
    wanted = [g.dose.least_mbq(g.prescription_mgy, probability_fraction) for g in goals]
    allowed = [o.largest_mbq(probability_fraction) for o in organs]
    asked_mbq = max(wanted, default=UNLIMITED_MBQ)
    most_mbq = min(allowed, default=UNLIMITED_MBQ)
    decides = Decides.GOAL if asked_mbq <= most_mbq else Decides.LIMIT
    activity_mbq = min(asked_mbq, most_mbq)
    if decides is Decides.GOAL:
        by = goals[wanted.index(asked_mbq)].dose.name
    else:
        by = organs[allowed.index(most_mbq)].dose.name
    arms = [_goal_arm(g, mbq, activity_mbq) for g, mbq in zip(goals, wanted, strict=True)]
    arms += [_organ_arm(o, mbq, activity_mbq) for o, mbq in zip(organs, allowed, strict=True)]
    return ActivityPlan(
        activity_mbq=activity_mbq,
        decides=decides,
        by=by,
        probability_fraction=probability_fraction,
        arms=tuple(arms),
    )


def _goal_arm(goal: Goal, needed_mbq: float, activity_mbq: float) -> Arm:
    low, high = goal.dose.interval_mgy(activity_mbq)
    return Arm(
        name=goal.dose.name,
        decides=Decides.GOAL,
        wanted_mgy=goal.prescription_mgy,
        unit="Gy",
        activity_mbq=needed_mbq,
        median_mgy=goal.dose.dose_mgy(activity_mbq),
        low95_mgy=low,
        high95_mgy=high,
        probability_fraction=1 - goal.dose.probability_below_fraction(activity_mbq, goal.prescription_mgy),
        source=goal.source,
    )


def _organ_arm(organ: OrganAtRisk, largest_mbq: float, activity_mbq: float) -> Arm:
    low, high = organ.dose.interval_mgy(activity_mbq)
    return Arm(
        name=organ.dose.name,
        decides=Decides.LIMIT,
        wanted_mgy=organ.limit.value_mgy,
        unit=organ.limit.unit,
        activity_mbq=largest_mbq,
        median_mgy=organ.dose.dose_mgy(activity_mbq),
        low95_mgy=low,
        high95_mgy=high,
        probability_fraction=organ.dose.probability_below_fraction(activity_mbq, organ.left_mgy),
        source=organ.limit.source,
    )
