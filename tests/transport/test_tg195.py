"""The TG-195 scenes: their kerma against attenuation by hand, their symmetries, their references."""

from __future__ import annotations

import math

import numpy as np
import pytest

from omnidose.physics.photons import mass_attenuation_cm2_g
from omnidose.transport import tg195
from omnidose.transport.scene import AIR


def test_kerma_behind_aluminium_is_attenuated() -> None:
    """Narrow beam, one energy: exp(-mu d) of aluminium instead of air."""
    open_beam = tg195.run_case1("30 keV", 0.0, histories=2e5, seed=1)
    filtered = tg195.run_case1("30 keV", 2.273, histories=2e5, seed=2)
    ratio = filtered.energy_kev[-1] / open_beam.energy_kev[-1]
    std = ratio * math.hypot(filtered.std_rel[-1], open_beam.std_rel[-1])
    mu_al, mu_air = (float(mass_attenuation_cm2_g(m, 30.0)) * m.density_g_cm3 for m in (tg195.ALUMINIUM, AIR))
    assert std / ratio < 0.005
    assert abs(ratio - math.exp(-(mu_al - mu_air) * 0.2273)) < 4 * std


def test_an_angle_and_its_mirror_image_share_one_value() -> None:
    tally = tg195.run_case4_part2("56.4 keV", 80, histories=4000)
    outer = tg195.case4_periphery_ev(tally)
    assert outer["10"] == outer["350"]
    raw = 1000 * tally.energy_kev[[tally.index("10"), tally.index("350")]]
    assert outer["10"][0] == pytest.approx(raw.mean())
    assert outer["0"][0] == pytest.approx(1000 * tally.energy_kev[tally.index("0")])
    angles = [outer[f"{a}"][0] for a in tg195.ANGLES_DEG]
    assert outer["Continuous"][0] == pytest.approx(np.mean(angles))


def test_the_block_alone_has_a_body_total_and_nothing_else() -> None:
    tally = tg195.run_case2("56.4 keV", 0.0, histories=40_000, volumes=False)
    energies = tg195.case2_energies_ev(tally)
    assert list(energies) == ["Total body"]
    ours, std = energies["Total body"]
    assert abs(ours - tg195.published("Case 2", "56.4 keV", "radiography", "Total body").mean) < 4 * std


def test_published_mean_of_angles() -> None:
    """All four codes see the centre alike from every angle; their spread is below 1 %."""
    centre = tg195.published_mean_of_angles("120 kVp", "Center 10mm collimation")
    assert centre.lower < centre.mean < centre.upper
    assert centre.upper / centre.lower < 1.011
    with pytest.raises(KeyError):
        tg195.published_mean_of_angles("120 kVp", "Center 11mm collimation")
