"""What a time series may be of: emitters of electrons and photons, progeny that decays at once counted."""

from __future__ import annotations

import pytest

from omnidose.errors import InputError
from omnidose.modalities.nuclear.series.doses import dose_factor


@pytest.mark.parametrize("name", ["Ac-225", "Ra-223", "At-211"])
def test_alpha_particles_have_no_column(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} sends out alpha particles"):
        dose_factor(name, 10.0, 1.04, 0.02)


def test_progeny_that_comes_later_is_refused() -> None:
    with pytest.raises(InputError, match="decays later"):
        dose_factor("Pb-212", 10.0, 1.04, 0.02)
