"""Response functions of marrow and endosteum against independent physics and ICRP 89."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.anatomy import skeleton
from omnidose.data import load
from omnidose.errors import InputError
from omnidose.physics.materials import Material
from omnidose.physics.photons import mass_energy_absorption_cm2_g

#: Red marrow, ICRU Report 44 (percent by mass).
RED_MARROW = Material(
    name="red marrow",
    weight_fractions={
        1: 0.105,
        6: 0.414,
        7: 0.034,
        8: 0.439,
        15: 0.001,
        16: 0.002,
        17: 0.002,
        19: 0.002,
        26: 0.001,
    },
    density_g_cm3=1.03,
)


def test_reference_masses() -> None:
    """ICRP 89: 1170 g and 900 g of active marrow."""
    assert sum(skeleton.target_mass_g("red-marrow", "M").values()) == pytest.approx(1170, rel=1e-3)
    assert sum(skeleton.target_mass_g("red-marrow", "F").values()) == pytest.approx(900, rel=2e-3)
    assert sum(skeleton.target_mass_g("endosteum", "M").values()) == pytest.approx(544, rel=1e-3)
    with pytest.raises(InputError):
        skeleton.target_mass_g("endosteum", "")


@pytest.mark.parametrize("site", skeleton.sites("red-marrow"))
def test_equilibrium_from_300_kev(site: str) -> None:
    """Secondary electrons are in equilibrium: the response is E mu_en/rho of marrow within 5 %."""
    energy = np.array([300.0, 500.0, 1000.0, 2000.0])
    expected = energy * mass_energy_absorption_cm2_g(RED_MARROW, energy)
    assert skeleton.response("red-marrow", site).at(energy) == pytest.approx(expected, rel=0.05)


def test_low_energy_is_kerma_of_marrow_and_100_kev_is_enhanced() -> None:
    function = skeleton.response("red-marrow", "pelvis")
    ten, hundred = np.array([10.0]), np.array([100.0])
    kerma = ten * mass_energy_absorption_cm2_g(RED_MARROW, ten)
    assert function.at(ten) == pytest.approx(kerma, rel=0.08)
    ratio = float((function.at(hundred) / (hundred * mass_energy_absorption_cm2_g(RED_MARROW, hundred)))[0])
    assert 1.0 < ratio < 1.15


@pytest.mark.parametrize("target", skeleton.TARGETS)
def test_mean_lies_inside_the_sites(target: skeleton.Target) -> None:
    mean = skeleton.response(target)
    sites = [skeleton.response(target, s).response_kev_cm2_g for s in skeleton.sites(target)]
    assert np.all(mean.response_kev_cm2_g >= np.min(sites, axis=0))
    assert np.all(mean.response_kev_cm2_g <= np.max(sites, axis=0))
    assert np.array_equal(skeleton.parse_response(target).response_kev_cm2_g, mean.response_kev_cm2_g)  # type: ignore[union-attr]


def test_unit() -> None:
    """1 Gy m2 = 1 J/kg m2 = 6.2415e15 keV / 1000 g x 1e4 cm2."""
    function = skeleton.response("red-marrow", "cranium")
    table = load("skeleton_response")
    row = (table["site"] == "cranium") & (table["target"] == "red-marrow") & (table["energy_kev"] == 60)
    expected = float(table["gy_m2"][row][0]) * 6.241509074e15 / 1000 * 1e4
    assert function.at(60.0) == pytest.approx(expected, rel=1e-9)


def test_names() -> None:
    assert skeleton.parse_response("") is None
    assert skeleton.parse_response("muscle") is None
    with pytest.raises(InputError, match="medullary"):
        skeleton.response("endosteum", "nose")
    with pytest.raises(InputError):
        skeleton.response("red-marrow", "hand-bones")


def test_marrow_of_a_ct_follows_the_marrow_space() -> None:
    density = np.array([1.0, 1.46, 1.92, 1.0, 1.1, 0.9], dtype=np.float32)
    sites = {"pelvis": np.array([0, 1, 2]), "nose": np.array([3]), "foot-bones": np.array([4, 5])}
    regions = {
        r.key: r
        for r in skeleton.regions_from_density(
            sites, density, 1000.0, sex="M", present_fraction={"pelvis": 0.5}
        )
    }
    assert set(regions) == {"red-marrow/pelvis", "endosteum/pelvis", "endosteum/foot-bones"}
    pelvis = regions["red-marrow/pelvis"]
    assert pelvis.voxels.tolist() == [0, 1]  # compact bone holds none
    assert pelvis.weights is not None
    grams = pelvis.weights * density[pelvis.voxels] * 1000.0
    male = skeleton.target_mass_g("red-marrow", "M")
    assert male["pelvis"] == pytest.approx(205.2)
    # No sacrum is drawn: its marrow is counted with the pelvis.
    assert grams.sum() == pytest.approx(0.5 * (205.2 + male["sacrum"]), rel=1e-5)
    assert grams[0] / grams[1] == pytest.approx(2.0, rel=1e-5)
    assert pelvis.response == "red-marrow/pelvis"
