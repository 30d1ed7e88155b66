"""Brain, eyes, thyroid, and small organs of head and neck.

Own shapes (position and form are our choice, volumes after ICRP 89): eyes, salivary glands, oral mucosa,
extrathoracic airways. They exist because effective dose and risk ask for these tissues.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from omnidose.anatomy.stylised.dimensions import Dimensions
from omnidose.anatomy.stylised.shapes import Array, Shape, ellipsoid

#: Own shapes, for the phantom's notes.
OWN_SHAPES = ("left-eye", "right-eye", "salivary-glands", "oral-mucosa", "extrathoracic", "prostate")
#: Eyeball radius (7.5 g each, ICRP 89) and eye height above the brain's centre (below it), adult, cm.
EYE_R_CM, EYE_X_CM, EYE_BELOW_CM = 1.2, 3.2, 3.4
#: In the voxels of ICRP Publication 110 the thyroid begins 0.8 cm (man) and 1.5 cm (woman) below the lungs'
#: tips.
THYROID_BELOW_APEX_CM = 1.0
#: Salivary glands of the adult: height of the centre above the mouth's, and half their height, cm.
SALIVARY_ABOVE_CM, SALIVARY_HALF_CM = 0.3, 2.96


def eye_centre_cm(d: Dimensions, sign: int) -> tuple[float, float, float]:
    """Return the centre of an eye, unscaled cm: 2 mm below the face's surface."""
    f = d["head_a"] / 8.0
    x = EYE_X_CM * f
    front = -d["head_b"] * math.sqrt(1 - (x / d["head_a"]) ** 2)
    z = d.brain_z_cm - EYE_BELOW_CM * d["brain_c"] / 5.75
    return sign * x, front + 0.2 + eye_radius_cm(d), z


def eye_radius_cm(d: Dimensions) -> float:
    """Return the radius of an eyeball, unscaled cm."""
    return EYE_R_CM * (0.7 + 0.3 * min(1.0, d.age_y / 10))


def head_organs(d: Dimensions, *, airways: bool) -> list[Shape]:
    """Return brain, eyes, thyroid and the small organs of the head, unscaled.

    Parameters
    ----------
    airways
        Draw the upper trachea filled with air (with a neck: up to the mouth), and the thyroid where CTs
        show it, round the trachea at the lungs' tips, not above the trunk as published.
    """
    zc, c, f = d.brain_z_cm, d["trunk_c"], d["head_a"] / 8.0
    r = eye_radius_cm(d)
    found = [
        ellipsoid("brain", (0.0, 0.0, zc), (d["brain_a"], d["brain_b"], d["brain_c"])),
        ellipsoid("right-eye", eye_centre_cm(d, -1), (r, r, r)),
        ellipsoid("left-eye", eye_centre_cm(d, 1), (r, r, r)),
        _thyroid(d, lung_apex_cm(d) - THYROID_BELOW_APEX_CM * d.factors[2] if airways else c),
    ]
    mouth = _mouth_z_cm(d)
    front = -d["face_b"] + d["face_t"]
    half = (1.5 * f, 2.2 * f, 1.0 * f)
    nose = (0.0, front + 2.4 * f, min(mouth + 3.4 * f, zc - d["brain_c"] - d["cranium_t"] - 1.1 * f))
    found += [
        ellipsoid("oral-mucosa", (0.0, front + 3.0 * f, mouth), (2.0 * f, 2.6 * f, 1.6 * f)),
        ellipsoid("extrathoracic", nose, half),
    ]
    # Salivary glands: 85 g (adult, ICRP 89) as one ellipsoid of 41 cm3 on each side within the jaw.
    for sign in (-1, 1):
        place = (sign * 3.9 * f, -0.2 * f, mouth + SALIVARY_ABOVE_CM * f)
        found.append(ellipsoid("salivary-glands", place, (1.5 * f, 2.2 * f, SALIVARY_HALF_CM * f)))
    if airways:
        high = mouth if d.has_neck else c + d["thyroid_h"]
        found.append(_airway(0.0, d.thyroid_y_cm, c, high, 0.8 * f))
    return found


def _mouth_z_cm(d: Dimensions) -> float:
    """Return the height of the mouth's centre between the head's base and the brain (our choice)."""
    f, base = d["head_a"] / 8.0, d.head_base_cm
    above = 0.42 * (d.brain_z_cm - d["brain_c"] - base)
    if d.has_neck:
        return base + max(above, (SALIVARY_HALF_CM - SALIVARY_ABOVE_CM) * f)
    return base + above + 1.2 * f


def _airway(x: float, y: float, low: float, high: float, r: float) -> Shape:
    def inside(px: Array, py: Array, pz: Array) -> Any:
        return ((px - x) ** 2 + (py - y) ** 2 <= r * r) & (pz >= low) & (pz <= high)

    return Shape(
        key="air-in-body",
        inside=inside,
        lower_cm=(x - r, y - r, low),
        upper_cm=(x + r, y + r, high),
        medium="air",
    )


def lung_apex_cm(d: Dimensions) -> float:
    """Return the height of the lungs' tips, unscaled cm."""
    return 43.5 * d.factors[2] + d["lung_c"]


def _thyroid(d: Dimensions, low: float) -> Shape:
    out, inner, h = d["thyroid_out"], d["thyroid_in"], d["thyroid_h"]
    y0 = d.thyroid_y_cm

    def inside(x: Array, y: Array, z: Array) -> Any:
        v, t = y - y0, z - low
        r2 = x**2 + v**2
        tau = np.where(
            t <= h / 4,
            1 - 0.2929 * t / (h / 4),
            0.7071 + 0.2929 * (t - h / 4) / (0.75 * h),
        )
        lobes = (v - abs(x)) ** 2 >= 2 * r2 * tau**2
        return (r2 >= inner**2) & (r2 <= out**2) & (v <= 0) & (t >= 0) & (t <= h) & lobes

    return Shape(key="thyroid", inside=inside, lower_cm=(-out, y0 - out, low), upper_cm=(out, y0, low + h))
