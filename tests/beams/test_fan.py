"""The fan beam: spectrum, hardening, heel, kerma free in air."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from omnidose.beams.bowtie import NO_BOWTIE, Bowtie
from omnidose.beams.fan import FanBeam, heel_transmission
from omnidose.beams.materials import ALUMINIUM
from omnidose.errors import RangeError
from omnidose.physics.photons import mass_attenuation_cm2_g, mass_energy_transfer_cm2_g
from omnidose.physics.tube import half_value_layer_mm
from omnidose.transport.scene import AIR
from omnidose.transport.tally import MGY_PER_KEV_G

BEAM = FanBeam(kv=120.0, focus_mm=570.0, collimation_mm=20.0, bowtie=NO_BOWTIE)
BODY = Bowtie(name="body", strength_mm_per_mm=0.2)


def test_half_value_layer_is_met_at_120_kv_and_follows_elsewhere() -> None:
    assert BEAM.hvl_mm == pytest.approx(7.75, abs=0.01)
    layers = [replace(BEAM, kv=kv).hvl_mm for kv in (80.0, 100.0, 120.0, 140.0)]
    assert np.all(np.diff(layers) > 0.5)
    assert replace(BEAM, tin_mm=0.6).hvl_mm > 11.0


def test_bowtie_lowers_and_hardens_the_edge_of_the_fan() -> None:
    transmission, spectra = replace(BEAM, bowtie=BODY).tables()
    middle = transmission.shape[0] // 2
    assert transmission.shape == (61, 1)
    assert transmission[middle, 0] == pytest.approx(transmission.max())
    assert transmission == pytest.approx(transmission[::-1])
    assert spectra[0].mean_kev > spectra[middle].mean_kev + 3
    # Beer-Lambert, bin by bin
    thickness = BODY.thickness_mm(replace(BEAM, bowtie=BODY).fan_slopes(), 570.0)[5]
    mu = mass_attenuation_cm2_g(ALUMINIUM, spectra[middle].energy_kev) * ALUMINIUM.density_g_cm3
    expected = float(spectra[middle].weight @ np.exp(-0.1 * thickness * mu))
    assert transmission[5, 0] / transmission[middle, 0] == pytest.approx(expected, rel=1e-6)
    assert half_value_layer_mm(spectra[5]) > half_value_layer_mm(spectra[middle])


def test_kerma_line_of_an_open_beam_is_fluence_times_coefficient() -> None:
    """Per photon spread over the solid angle of the aperture, integrated along the axis."""
    lower, upper, _, v = BEAM.half_tangents
    u = np.linspace(lower, upper, 4001)
    solid = np.trapezoid(2 * v / (1 + u**2) ** 1.5, u)  # v small
    spectrum = BEAM.spectrum
    kerma = float(
        spectrum.weight @ (spectrum.energy_kev * mass_energy_transfer_cm2_g(AIR, spectrum.energy_kev))
    )
    expected = kerma * MGY_PER_KEV_G * 2 * v / solid / 57.0
    assert BEAM.air_kerma_line_mgy_cm() == pytest.approx(expected, rel=2e-3)


def test_collimation_does_not_change_the_kerma_line() -> None:
    wide = replace(BEAM, collimation_mm=160.0)
    assert wide.air_kerma_line_mgy_cm() == pytest.approx(BEAM.air_kerma_line_mgy_cm(), rel=0.01)


def test_heel_falls_towards_the_anode_and_refuses_the_horizon() -> None:
    slopes = np.tan(np.deg2rad([-2.0, 0.0, 2.0]))
    toward, middle, away = heel_transmission(slopes, 7.0)
    assert middle == pytest.approx(1.0)
    # -mu d (cot 5 - cot 7), and so on
    assert toward == pytest.approx(
        math.exp(-0.0355 * (1 / math.tan(math.radians(5)) - 1 / math.tan(math.radians(7))))
    )
    assert toward < 1 < away
    with pytest.raises(RangeError, match="horizon"):
        heel_transmission(slopes, 2.0)


def test_heel_table_of_a_wide_beam() -> None:
    beam = replace(BEAM, collimation_mm=160.0, heel=True, anode_angle_deg=11.0)
    profile = beam.heel_profile()
    assert profile.size > 8
    assert np.all(np.diff(profile) > 0)
    assert profile.max() / profile.min() > 1.2


@pytest.mark.parametrize(
    "wrong",
    [{"kv": 200.0}, {"focus_mm": 100.0}, {"collimation_mm": 0.0}, {"fan_radius_mm": 900.0}],
)
def test_no_ct_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RangeError):
        replace(BEAM, **wrong)
    with pytest.raises(RangeError, match="no CT beam"):
        _ = replace(BEAM, hvl_120kv_mm=2.0).spectrum
