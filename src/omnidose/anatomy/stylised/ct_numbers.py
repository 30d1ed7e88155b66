"""CT numbers of a body from the attenuation of its media: for synthetic scans and for tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel
from omnidose.errors import RangeError
from omnidose.physics.materials import Material
from omnidose.physics.photons import mass_attenuation_cm2_g

#: Effective energy of a body CT beam by tube voltage (kV -> keV), rounded: 120 kV corresponds to about 70 keV
#: in water (water-equivalent monoenergetic images of dual-energy CT; our rounding between).
EFFECTIVE_KEV = {80: 54.0, 100: 62.0, 120: 70.0, 140: 77.0}
_WATER = Material(name="water", weight_fractions={1: 0.111894, 8: 0.888106}, density_g_cm3=1.0)


def effective_energy_kev(kv: float) -> float:
    """Return the photon energy at which media have about the CT numbers of a scan at this voltage."""
    if not 60 <= kv <= 160:
        raise RangeError(f"a tube voltage of {kv:g} kV is not one of a CT", allowed="60 to 160 kV")
    return float(np.interp(kv, list(EFFECTIVE_KEV), list(EFFECTIVE_KEV.values())))


def stylised_to_hu(
    body: BodyModel,
    kv: float = 120.0,
    *,
    noise_hu: float = 0.0,
    seed: int = 1,
) -> npt.NDArray[np.int16]:
    """Return the CT numbers of a body's voxels.

    Parameters
    ----------
    kv
        Tube voltage; sets the effective energy at which attenuation is taken.
    noise_hu
        Standard deviation of white noise in every voxel, air included.
    seed
        Seed of the noise.

    Returns
    -------
    int16 array [z, y, x]
        1000 (mu / mu_water - 1), clipped at -1024 and 3071.
    """
    energy_kev = effective_energy_kev(kv)
    water = float(mass_attenuation_cm2_g(_WATER, np.array([energy_kev]))[0])
    values = np.array(
        [float(mass_attenuation_cm2_g(m, np.array([energy_kev]))[0]) / water for m in body.materials],
        dtype=np.float32,
    )
    hu = values[body.material_index]
    hu *= body.density_g_cm3
    hu -= 1.0
    hu *= 1000.0
    if noise_hu > 0:
        random = np.random.default_rng(seed)
        for layer in hu:
            layer += noise_hu * random.standard_normal(layer.shape, dtype=np.float32)
    return np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
