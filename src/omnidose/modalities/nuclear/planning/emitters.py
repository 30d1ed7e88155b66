"""Which decays a plan may turn into dose: electrons and photons of a nuclide and of what decays with it.

Limits and goals of a plan were found with electrons and photons. A sum with the dose of alpha particles in
it would stand beside them as if both did the same, and progeny that decays later may have left: both are
refused.
"""

from __future__ import annotations

from omnidose.errors import InputError
from omnidose.physics.nuclides import Nuclide
from omnidose.physics.progeny import NOTABLE_FRACTION, alpha_kev, late_progeny, local_kev, together

_TODO = "take organ doses, which keep alpha particles apart and progeny by region: organ_doses_of_activity"


def low_let_decays(name: str) -> tuple[tuple[Nuclide, float], ...]:
    """Return a nuclide and its prompt progeny, each with its decays per decay of the nuclide.

    Raises
    ------
    InputError
        For alpha particles among their radiations (above 1 % of the energy that stays local), or progeny that
        decays later and carries more than 1 % of the energy.
    """
    members = together(name)
    emitter = members[0][0].name
    alphas = sum(number * alpha_kev(item) for item, number in members)
    if alphas > NOTABLE_FRACTION * sum(number * local_kev(item) for item, number in members):
        raise InputError(
            f"{emitter} sends out alpha particles: their dose does not count against limits of electrons and "
            "photons",
            where="nuclide",
            allowed="emitters of electrons and photons",
            todo=_TODO,
        )
    late = late_progeny(emitter)
    if late.notable:
        raise InputError(
            late.sentence,
            where="nuclide",
            allowed="nuclides whose progeny decays with them or carries less than 1 % of the energy",
            todo=_TODO,
        )
    return members
