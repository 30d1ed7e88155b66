"""Whole plans of one administration: microspheres, radioiodine for the thyroid and for its cancer."""

from __future__ import annotations

from math import isfinite

from omnidose.errors import InputError
from omnidose.kinetics.curves import TimeIntegratedActivity
from omnidose.modalities.nuclear.planning.activity import (
    ActivityPlan,
    Goal,
    OrganAtRisk,
    plan_activity,
)
from omnidose.modalities.nuclear.planning.confidence import PROBABILITY, DosePerActivity
from omnidose.modalities.nuclear.planning.limits import Limit, usual_limit
from omnidose.modalities.nuclear.planning.microspheres import NORMAL_LIVER, PartitionModel
from omnidose.modalities.nuclear.planning.thyroid import thyroid_dose
from omnidose.quantities import AbsorbedDose


def plan_microspheres(
    model: PartitionModel,
    *,
    normal_limit_mgy: float,
    goal_mgy: float | None = None,
    lungs_before_mgy: float = 0.0,
    probability_fraction: float = PROBABILITY,
) -> ActivityPlan:
    """Plan microspheres: a goal of the tumour against the limits of normal liver and lungs.

    Parameters
    ----------
    normal_limit_mgy
        Mean dose of the normal liver: no default, it depends on the microspheres, the liver's function and
        how much of it is spared.
    goal_mgy
        Mean dose that the tumour should reach; None plans up to the limits.
    lungs_before_mgy
        Lung dose of earlier sessions: then 50 Gy of all together count beside 30 Gy of this one.
    """
    if not (isfinite(lungs_before_mgy) and lungs_before_mgy >= 0):
        raise InputError(
            f"earlier sessions gave the lungs {lungs_before_mgy / 1000:g} Gy",
            where="lungs_before",
            allowed="0 or more",
        )
    normal = Limit(organ=NORMAL_LIVER, value=AbsorbedDose(normal_limit_mgy))
    organs = [OrganAtRisk(dose=model.normal_liver(), limit=normal)]
    lungs = model.lungs()
    if lungs is not None:
        organs.append(OrganAtRisk(dose=lungs, limit=usual_limit("lungs")))
        if lungs_before_mgy > 0:
            cumulated = usual_limit("lungs-cumulated")
            organs.append(OrganAtRisk(dose=lungs, limit=cumulated, used_mgy=lungs_before_mgy))
    goals = [] if goal_mgy is None else [Goal(dose=model.tumour(), prescription_mgy=goal_mgy)]
    return plan_activity(goals, organs, probability_fraction=probability_fraction)


def plan_thyroid(
    integral: TimeIntegratedActivity,
    *,
    mass_g: float,
    mass_std_rel: float,
    goal_mgy: float,
    probability_fraction: float = PROBABILITY,
) -> ActivityPlan:
    """Plan radioiodine for benign thyroid disease: the activity with which a dose is reached.

    Parameters
    ----------
    integral
        Decays in the thyroid per administered MBq (MBq h), see
        :mod:`~omnidose.modalities.nuclear.planning.thyroid`.
    """
    dose = thyroid_dose(integral, mass_g, mass_std_rel=mass_std_rel)
    goal = Goal(dose=dose, prescription_mgy=goal_mgy, source=integral.method)
    return plan_activity([goal], [], probability_fraction=probability_fraction)


def plan_blood(
    dose: DosePerActivity, *, limit_mgy: float | None = None, probability_fraction: float = PROBABILITY
) -> ActivityPlan:
    """Plan radioiodine for thyroid cancer: the largest activity that keeps a limit of the blood.

    Parameters
    ----------
    dose
        Of the blood, see :mod:`~omnidose.modalities.nuclear.planning.blood`.
    limit_mgy
        None: 2 Gy (Benua 1962, EANM 2008).
    """
    limit = usual_limit("blood")
    if limit_mgy is not None:
        limit = Limit(organ="blood", value=AbsorbedDose(limit_mgy))
    return plan_activity([], [OrganAtRisk(dose=dose, limit=limit)], probability_fraction=probability_fraction)
