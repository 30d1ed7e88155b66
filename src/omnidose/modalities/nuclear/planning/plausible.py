"""What no person and no administration can be: units that were mixed up are found before they make a plan."""

from __future__ import annotations

from math import log

from omnidose.errors import ContradictionError, InputError
from omnidose.kinetics.curves import TimeIntegratedActivity

#: Bodies from newborn to very large.
HEIGHT_CM = (30.0, 250.0)
WEIGHT_KG = (1.0, 400.0)
#: The smallest blood volume per body mass that anyone has, mL/kg (adults about 70, very obese ones about 45).
LEAST_BLOOD_CM3_PER_KG = 40.0
#: By how much measured decays may exceed what was administered, because of noise and calibration.
EXCESS = 1.2


def check_person(*, height_cm: float | None = None, weight_kg: float | None = None) -> None:
    """Refuse a height or a weight that nobody has.

    Raises
    ------
    InputError
        For numbers outside :data:`HEIGHT_CM` and :data:`WEIGHT_KG`.
    """
    for what, value, (low, high), unit in (
        ("height", height_cm, HEIGHT_CM, "cm"),
        ("weight", weight_kg, WEIGHT_KG, "kg"),
    ):
        if value is not None and not low <= value <= high:
            raise InputError(
                f"nobody has a {what} of {value:g} {unit}",
                where=what,
                allowed=f"{low:g} to {high:g} {unit}",
                todo="check the unit",
            )


def check_decays(coefficient_h: float, *, half_life_h: float, where: str) -> None:
    """Refuse more decays than the administered activity has.

    Parameters
    ----------
    coefficient_h
        Decays per administered activity (MBq h per MBq).
    half_life_h
        Physical; infinite half-lives allow everything.

    Raises
    ------
    ContradictionError
        If there are more than the half-life over ln 2, by 20 %.
    """
    most_h = half_life_h / log(2)
    if coefficient_h > EXCESS * most_h:
        raise ContradictionError(
            f"{coefficient_h:.4g} h of decays per administered activity are more than all of it has "
            f"({most_h:.4g} h)",
            where=where,
            todo="check MBq against GBq, and the administered activity",
        )


def check_blood(blood: TimeIntegratedActivity, body: TimeIntegratedActivity, *, body_kg: float) -> None:
    """Refuse blood that holds more decays than the body it flows in.

    Raises
    ------
    ContradictionError
        If 40 mL of blood per kg of the body have more decays than the body, by 20 %.
    """
    in_blood = blood.value_mbq_h * LEAST_BLOOD_CM3_PER_KG * body_kg
    if in_blood > EXCESS * body.value_mbq_h:
        raise ContradictionError(
            f"the blood holds more decays ({in_blood:.3g} h, with {LEAST_BLOOD_CM3_PER_KG:g} mL per kg) than "
            f"the whole body ({body.value_mbq_h:.3g} h)",
            where="blood, body",
            todo="check which curve is which, and that the blood's is for 1 mL in MBq",
        )
