"""What a therapy plan does not give."""

from __future__ import annotations

from typing import NoReturn

from omnidose.errors import InputError


def effective_dose(*_arguments: object, **_options: object) -> NoReturn:
    """Refuse to give an effective dose of a therapy.

    Effective dose weighs stochastic effects in a reference person at low doses (ICRP 103, chapter 4.3);
    a therapy aims at deterministic effects in one patient.

    Raises
    ------
    InputError
        Always.
    """
    raise InputError(
        "a therapy has no effective dose, which weighs stochastic risks of a reference person at low doses",
        todo="look at the absorbed dose or BED of each organ instead",
    )
