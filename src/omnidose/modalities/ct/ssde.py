"""Water-equivalent diameter (AAPM 220) and size-specific dose estimate (AAPM 204)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from omnidose import data
from omnidose.beams.materials import WATER
from omnidose.errors import RangeError

if TYPE_CHECKING:
    from omnidose.anatomy.body import BodyModel

ArrayF8 = npt.NDArray[np.float64]

#: Effective energy of CT numbers at 120 kV, at which attenuation is compared with water.
EFFECTIVE_KEV = 70.0


def water_equivalent_diameter_cm(body: BodyModel) -> ArrayF8:
    """Return the water-equivalent diameter of every slice of a body, [nz].

    AAPM Report 220: the diameter of the water disc with the slice's area integral of attenuation
    relative to water, D_w = 2 sqrt(sum(mu / mu_water) A_pixel / pi), here with mu at 70 keV. Voxels with a
    label count (not the couch); a body without labels counts what is denser than 0.2 g/cm3.
    """
    from omnidose.physics.photons import mass_attenuation_cm2_g

    inside = body.labels > 0
    if not inside.any():
        inside = body.density_g_cm3 > 0.2
    per_density = np.array(
        [float(mass_attenuation_cm2_g(material, EFFECTIVE_KEV)) for material in body.materials]
    )
    water_per_cm = float(mass_attenuation_cm2_g(WATER, EFFECTIVE_KEV)) * WATER.density_g_cm3
    out = np.empty(body.grid.shape_zyx[0])
    pixel_cm2 = body.grid.spacing_mm[0] * body.grid.spacing_mm[1] / 100
    for k in range(out.size):
        mask = inside[k]
        relative = per_density[body.material_index[k][mask]] * body.density_g_cm3[k][mask] / water_per_cm
        out[k] = 2 * np.sqrt(relative.sum(dtype=np.float64) * pixel_cm2 / np.pi)
    return out


def size_factor(diameter_cm: npt.ArrayLike, phantom_cm: int) -> ArrayF8:
    """Return SSDE / CTDIvol for water-equivalent diameters (fit of AAPM Report 204, trunk).

    Raises
    ------
    RangeError
        Outside the diameters that the report tabulates.
    """
    for row in data.load("ssde_fit").rows():
        if round(row["phantom_cm"]) == phantom_cm:
            break
    else:
        raise RangeError(f"no size factors for a phantom of {phantom_cm} cm", allowed="16 or 32")
    diameter = np.asarray(diameter_cm, dtype=np.float64)
    low, high = float(row["min_diameter_cm"]), float(row["max_diameter_cm"])
    if np.any(diameter < low) or np.any(diameter > high):
        raise RangeError(
            f"no AAPM 204 size factor for a diameter of {np.min(diameter):.1f} to {np.max(diameter):.1f} cm",
            allowed=f"{low:g} to {high:g} cm for the {phantom_cm} cm phantom",
        )
    return np.asarray(float(row["a"]) * np.exp(-float(row["b_per_cm"]) * diameter))
