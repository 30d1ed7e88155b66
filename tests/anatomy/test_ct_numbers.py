"""CT numbers to media: published nodes, every bin, contrast medium, metal, outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.anatomy.ct_numbers import (
    AIR_DENSITY_G_CM3,
    density_g_cm3,
    iodine_sensitivity_hu,
    material_of,
    media_from_ct,
    tissue_materials,
)
from omnidose.data import load
from omnidose.errors import GeometryError, InputError
from omnidose.physics.materials import Material
from omnidose.physics.photons import mass_attenuation_cm2_g
from omnidose.physics.spectra import Spectrum


@pytest.mark.parametrize(
    ("hu", "density"),
    [  # Schneider et al. 2000, as tabulated by GATE: density at the nodes
        (-1000, 0.00121),
        (-98, 0.9305),
        (14, 1.03),
        (22, 1.03),
        (23, 1.031),
        (100, 1.1199),
        (101, 1.0762),
        (1600, 1.9642),
        (3000, 2.8),
    ],
)
def test_density_nodes(hu: int, density: float) -> None:
    assert float(density_g_cm3(hu)) == pytest.approx(density, rel=3e-3, abs=1e-5)


def test_density_steps_down_only_between_100_and_101() -> None:
    hu = np.arange(-1000, 3072)
    step = np.diff(density_g_cm3(hu))
    assert hu[:-1][step < -2e-4].tolist() == [100]


@given(st.integers(-1024, 3071))
def test_bin_edges(hu: int) -> None:
    table = load("ct_number_media")
    index = int(material_of(hu))
    if hu > 3000:
        assert tissue_materials()[index].name == "titanium"
    elif hu < 1640 and hu >= -1050:
        assert table["hu_from"][index] <= hu < table["hu_to"][index]


def test_fifteen_bone_bins_with_rising_calcium() -> None:
    calcium = [m.weight_fractions[20] for m in tissue_materials() if m.name.startswith("bone")]
    assert len(calcium) == 15
    assert np.all(np.diff(calcium) > 0)
    assert calcium[-1] == pytest.approx(0.225, abs=5e-4)


def test_outside_is_air_and_metal_is_titanium() -> None:
    hu = np.full((2, 3, 4), 40, dtype=np.int16)
    hu[0, 0, 0] = 3071
    body = np.ones(hu.shape, dtype=bool)
    body[1] = False
    media = media_from_ct(hu, body_mask=body)
    assert media.materials[media.material_index[0, 0, 0]].name == "titanium"
    assert media.density_g_cm3[0, 0, 0] == pytest.approx(4.54)
    assert media.metal_voxels == 1
    assert np.all(media.material_index[1] == 0)
    assert media.density_g_cm3[1] == pytest.approx(AIR_DENSITY_G_CM3)
    assert media.density_g_cm3[0, 1, 1] == pytest.approx(1.003 + 1.169e-3 * 40, rel=1e-5)


def test_contrast_medium_keeps_the_ct_number() -> None:
    """Soft tissue with iodine has, at the spectrum's line, the attenuation its CT number says."""
    line = Spectrum.line(65.0)
    hu = np.full((1, 1, 3), 250, dtype=np.int16)
    soft = np.array([[[True, False, True]]])
    media = media_from_ct(hu, body_mask=np.ones(hu.shape, bool), soft_tissue_mask=soft, spectrum=line)
    assert media.contrast_voxels == 2
    assert media.materials[media.material_index[0, 0, 1]].name.startswith("bone")
    enhanced = media.materials[media.material_index[0, 0, 0]]
    plain = tissue_materials()[int(material_of(50))]
    assert 53 in enhanced.weight_fractions
    energy = np.array([65.0])
    mu = float(mass_attenuation_cm2_g(enhanced, energy)[0]) * float(media.density_g_cm3[0, 0, 0])
    mu_plain = float(mass_attenuation_cm2_g(plain, energy)[0]) * float(density_g_cm3(50))
    # 200 HU above plain tissue is 0.2 of water's attenuation
    h2o = Material(name="w", weight_fractions={1: 0.111894, 8: 0.888106}, density_g_cm3=1.0)
    assert (mu - mu_plain) / float(mass_attenuation_cm2_g(h2o, energy)[0]) == pytest.approx(0.2, rel=1e-3)


def test_without_contrast_medium_is_plain_tissue() -> None:
    hu = np.array([[[300, 300, 60]]], dtype=np.int16)
    mask = np.array([[[True, False, True]]])
    media = media_from_ct(hu, body_mask=np.ones(hu.shape, bool), contrast_mask=mask, contrast="without")
    assert media.contrast_voxels == 2
    assert media.material_index[0, 0, 0] == material_of(50)
    assert media.density_g_cm3[0, 0, 2] == pytest.approx(float(density_g_cm3(50)))
    assert media.material_index[0, 0, 1] == material_of(300)


def test_iodine_is_brighter_at_low_energy() -> None:
    low, high = iodine_sensitivity_hu(Spectrum.line(50.0)), iodine_sensitivity_hu(Spectrum.line(70.0))
    assert low > high
    # NIST XCOM at 70 keV: iodine 5.03 cm2/g, water 0.193 cm2/g
    assert high == pytest.approx(1000 * 1e-3 * 5.03 / 0.193, rel=0.01)


def test_bad_input_is_refused() -> None:
    hu = np.full((1, 2, 2), 200, dtype=np.int16)
    body = np.ones(hu.shape, dtype=bool)
    with pytest.raises(InputError, match="int16"):
        media_from_ct(hu.astype(np.float32), body_mask=body)  # type: ignore[arg-type]
    with pytest.raises(GeometryError):
        media_from_ct(hu, body_mask=body[:, :1])
    with pytest.raises(InputError, match="spectrum"):
        media_from_ct(hu, body_mask=body, soft_tissue_mask=body)
    with pytest.raises(InputError, match="density curve"):
        media_from_ct(hu, body_mask=body, density_curve=(np.array([1.0, 0.0]), np.array([1.0, 1.0])))


def test_scanner_curve_replaces_density() -> None:
    hu = np.full((1, 1, 1), 500, dtype=np.int16)
    curve = (np.array([-1000.0, 0.0, 1000.0]), np.array([0.0, 1.0, 1.6]))
    media = media_from_ct(hu, body_mask=np.ones(hu.shape, bool), density_curve=curve)
    assert media.density_g_cm3[0, 0, 0] == pytest.approx(1.3)
