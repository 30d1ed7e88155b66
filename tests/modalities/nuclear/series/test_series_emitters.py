"""What a time series may be of: progeny that decays at once is counted, alpha particles are kept apart."""

from __future__ import annotations

import pytest

from omnidose.errors import InputError
from omnidose.modalities.nuclear.doses import emitted_by
from omnidose.modalities.nuclear.series.doses import alpha_mgy_per_mbq_h, dose_factor
from omnidose.transport.dose_kernels.spheres import sphere_s


@pytest.mark.parametrize(("name", "alpha_mev"), [("Ac-225", 27.48 + 0.51), ("Ra-223", 26.38 + 0.50)])
def test_alpha_particles_of_the_chain_stay_in_the_outline(name: str, alpha_mev: float) -> None:
    """ICRP 107 chain energies in equilibrium (alpha and recoil), shared notes of the project."""
    mgy = alpha_mgy_per_mbq_h(name, 10.0)
    # MeV per decay x decays per MBq h over 10 g
    assert mgy == pytest.approx(alpha_mev * 1.602176634e-13 * 3.6e9 / 0.010 * 1e3, rel=0.005)
    assert mgy == pytest.approx(3600 * sphere_s(emitted_by(name), 10.0).alpha_mgy, rel=1e-9)
    # the electrons of progeny are among the electrons, alphas are not
    assert 0 < dose_factor(name, 10.0, 1.04, 0.02).mgy_per_mbq_h(10.0) < 0.1 * mgy


def test_electrons_and_photons_alone() -> None:
    assert alpha_mgy_per_mbq_h("Lu-177", 10.0) == 0.0


def test_progeny_that_comes_later_is_refused() -> None:
    with pytest.raises(InputError, match="decays later"):
        dose_factor("Pb-212", 10.0, 1.04, 0.02)
