"""Dose of the conceptus from a radiopharmaceutical given to the mother.

Early in pregnancy the conceptus gets about the dose of the uterus, which is computed for any agent whose
time-integrated activity is known. Later the agent may cross the placenta and gather in the fetus: this cannot
be computed without measurements, and only published values are given (table ``conceptus_doses``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from omnidose.data import load
from omnidose.errors import InputError
from omnidose.kinetics.agents import find_agent

TABLE = "conceptus_doses"
#: The conceptus is taken as the uterus up to here, weeks after the last period (as in Zanotti-Fregonara
#: et al. 2016); the fetal thyroid takes up iodine from the 11th week on (ICRP Publication 88, as told by
#: Berkovski et al. 2003, Radiat Prot Dosimetry 105:265).
EARLY_WEEKS = 10.0
#: A stage counts up to this week: halfway between the phantoms of 3, 6 and 9 months.
LAST_WEEK = {"3-months": 19.0, "6-months": 32.0, "9-months": 42.0}
#: Factor of the 95 % interval around what is known of one value (expert judgement, grade D): stylised models
#: of the fetus differ from realistic ones by up to a factor of 2 (Rafat Motavali et al. 2016, Phys Med Biol
#: 61:3596), and persons differ from phantoms.
FACTOR_95 = 2.0
#: Words of the fetal thyroid, where there is iodine.
THYROID = (
    "From the 11th week on the fetal thyroid takes up iodide that the mother has in her blood, also what is "
    "split from other iodine compounds: its dose may be thousands of times that of the whole conceptus."
)


class Stage(StrEnum):
    """Stage of pregnancy, as the published phantoms have them."""

    EARLY = "early"
    MONTHS_3 = "3-months"
    MONTHS_6 = "6-months"
    MONTHS_9 = "9-months"


class Target(StrEnum):
    """What gets the dose."""

    CONCEPTUS = "conceptus"
    FETAL_THYROID = "fetal-thyroid"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedDose:
    """One published value.

    Attributes
    ----------
    grade
        A: read in the source; B: quoted by another; D: derived here from numbers of the source.
    """

    agent: str
    nuclide: str
    stage: Stage
    target: Target
    dose_mgy_per_mbq: float
    grade: str
    source: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptusDose:
    """Dose of the conceptus with what it rests on.

    Attributes
    ----------
    computed
        Whether it is the dose of the uterus in the equation-based woman, instead of a published value.
    low95_mgy, high95_mgy
        Interval of 95 %: from the lowest value known divided by :data:`FACTOR_95` to the highest times it.
    others
        Further published values of this stage.
    thyroid
        Published doses of the fetal thyroid, any stage.
    """

    agent: str
    nuclide: str
    stage: Stage
    activity_mbq: float
    dose_mgy: float
    low95_mgy: float
    high95_mgy: float
    computed: bool
    grade: str
    source: str
    notes: tuple[str, ...]
    others: tuple[PublishedDose, ...] = ()
    thyroid: tuple[PublishedDose, ...] = ()


def stage_of(pregnancy_weeks: float) -> Stage:
    """Return the stage of a pregnancy by its weeks after the last period.

    Raises
    ------
    InputError
        For weeks outside 0 to 42.
    """
    if not (isfinite(pregnancy_weeks) and 0 <= pregnancy_weeks <= LAST_WEEK["9-months"]):
        raise InputError(
            f"a pregnancy of {pregnancy_weeks:g} weeks", where="pregnancy_weeks", allowed="0 to 42"
        )
    if pregnancy_weeks <= EARLY_WEEKS:
        return Stage.EARLY
    return next(Stage(name) for name, last in LAST_WEEK.items() if pregnancy_weeks <= last)


def published_agents() -> tuple[str, ...]:
    """Return the agents of which something is published in the table."""
    return tuple(dict.fromkeys(map(str, load(TABLE)["agent"])))


def published_doses(agent: str) -> tuple[PublishedDose, ...]:
    """Return all published values of an agent, in the order of the table.

    Raises
    ------
    InputError
        If the table has no such agent, or several.
    """
    name = find_agent(agent, published_agents())
    return tuple(
        PublishedDose(
            agent=name,
            nuclide=str(row["nuclide"]),
            stage=Stage(str(row["stage"])),
            target=Target(str(row["target"])),
            dose_mgy_per_mbq=float(row["dose_mgy_per_mbq"]),
            grade=str(row["grade"]),
            source=str(row["source"]),
            note=str(row["note"]),
        )
        for row in load(TABLE).rows()
        if row["agent"] == name
    )


def conceptus_dose(agent: str, activity_mbq: float, stage: Stage | str) -> ConceptusDose:
    """Return the published dose of a conceptus.

    Parameters
    ----------
    agent
        ``99mTc-pertechnetate``, ``FDG``, …

    Returns
    -------
    ConceptusDose
        The first published value of the stage counts (the table names the mean of several women before single
        ones); the others widen the interval.

    Raises
    ------
    InputError
        If nothing is published for the agent at this stage, or the activity is not above 0.
    """
    activity_mbq, stage = _checked(activity_mbq, stage)
    known = published_doses(agent)
    here = [item for item in known if item.stage is stage and item.target is Target.CONCEPTUS]
    if not here:
        stages = dict.fromkeys(i.stage.value for i in known if i.target is Target.CONCEPTUS)
        raise InputError(
            f"no dose of the conceptus is published in the table for {known[0].agent} at the stage "
            f"'{stage.value}'",
            allowed=", ".join(stages),
            todo="up to the 10th week it can be computed from decays in the mother (--source, uterus_dose)",
        )
    best, values = here[0], [item.dose_mgy_per_mbq for item in here]
    return ConceptusDose(
        agent=best.agent,
        nuclide=best.nuclide,
        stage=stage,
        activity_mbq=activity_mbq,
        dose_mgy=activity_mbq * best.dose_mgy_per_mbq,
        low95_mgy=activity_mbq * min(values) / FACTOR_95,
        high95_mgy=activity_mbq * max(values) * FACTOR_95,
        computed=False,
        grade=best.grade,
        source=best.source,
        notes=(best.note, *_thyroid_words(best.nuclide, stage)),
        others=tuple(here[1:]),
        thyroid=tuple(item for item in known if item.target is Target.FETAL_THYROID),
    )


def uterus_dose(
    coefficients_h: Mapping[str, float], nuclide: str, activity_mbq: float, *, agent: str = ""
) -> ConceptusDose:
    """Return the dose of the conceptus up to the 10th week: that of the uterus without a pregnancy.

    Parameters
    ----------
    coefficients_h
        Source region of the mother -> time-integrated activity per administered activity, h.

    Raises
    ------
    InputError
        For unknown regions or nuclides, or an activity that is not above 0.
    """
    from omnidose.dosimetry.internal.doses import organ_doses_of_activity
    from omnidose.dosimetry.internal.fractions import adult

    activity_mbq, stage = _checked(activity_mbq, Stage.EARLY)
    doses = organ_doses_of_activity(adult("adult-female"), coefficients_h, nuclide, activity_mbq=activity_mbq)
    dose_mgy = float(doses.dose_of("uterus"))
    try:
        known = published_doses(agent) if agent else ()
    except InputError:
        known = ()
    here = [item for item in known if item.stage is stage and item.target is Target.CONCEPTUS]
    values = [dose_mgy, *(activity_mbq * item.dose_mgy_per_mbq for item in here)]
    return ConceptusDose(
        agent=agent,
        nuclide=nuclide,
        stage=stage,
        activity_mbq=activity_mbq,
        dose_mgy=dose_mgy,
        low95_mgy=min(values) / FACTOR_95,
        high95_mgy=max(values) * FACTOR_95,
        computed=True,
        grade="D",
        source="uterus of the equation-based woman, absorbed fractions of our own",
        notes=(
            "the conceptus is taken as the uterus, and to hold as much of the agent as the uterus does",
            *_thyroid_words(nuclide, stage),
        ),
        others=tuple(here),
        thyroid=tuple(item for item in known if item.target is Target.FETAL_THYROID),
    )


def _checked(activity_mbq: float, stage: Stage | str) -> tuple[float, Stage]:
    if not (isfinite(activity_mbq) and activity_mbq > 0):
        raise InputError(f"an activity of {activity_mbq:g} MBq", where="activity_mbq", allowed="above 0")
    try:
        return float(activity_mbq), Stage(stage)
    except ValueError:
        raise InputError(
            f"there is no stage '{stage}'", where="stage", allowed=", ".join(item.value for item in Stage)
        ) from None


def _thyroid_words(nuclide: str, stage: Stage) -> tuple[str, ...]:
    if not nuclide.startswith("I-"):
        return ()
    if stage is Stage.EARLY:
        return ("No fetal thyroid takes up iodine before the 11th week.", THYROID)
    return (THYROID,)
