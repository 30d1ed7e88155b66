"""The skeleton: homogenised bone and marrow, cut into the sites of ICRP 116 where the shapes allow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from omnidose.anatomy.stylised.dimensions import Dimensions
from omnidose.anatomy.stylised.shapes import Array, Inside, Shape, raised_arm_axis

#: Adult values of arm and leg lengths at which long bones are cut (our choice; shares of the bone's length
#: from its upper end): humerus 0 to 0.46 in two halves, forearm to 0.80, hand; femur 0 to 0.52, lower leg to
#: 0.93, foot.
ARM_CUTS = (
    ("humeri-upper", 0.0, 0.23),
    ("humeri-lower", 0.23, 0.46),
    ("forearm-bones", 0.46, 0.80),
    ("hand-bones", 0.80, 1.0),
)
LEG_CUTS = (
    ("femora-upper", 0.0, 0.26),
    ("femora-lower", 0.26, 0.52),
    ("lower-leg-bones", 0.52, 0.93),
    ("foot-bones", 0.93, 1.0),
)
#: Lower end of the thoracic spine in the adult phantom (ribs begin at 35.1), cm.
LUMBAR_TOP_CM = 35.1
#: The lowest part of the facial skeleton is called mandible: this share of its height (our choice).
MANDIBLE_SHARE = 0.35


def bones(d: Dimensions, arms: str) -> list[Shape]:
    """Return all bones, each with its scale."""
    head, trunk = _head_bones(d), _trunk_bones(d)
    limbs = _leg_bones(d) + (_raised_arm_bones(d) if arms == "up" else _arm_bones(d))
    return head + trunk + limbs


def head_scale(d: Dimensions) -> tuple[float, float, float]:
    """Scale of everything above the trunk."""
    return (d.along, d.along, d.along)


def trunk_scale(d: Dimensions) -> tuple[float, float, float]:
    """Scale of everything in the trunk."""
    return (d.across, d.across, d.along)


def by_rule(d: Dimensions) -> tuple[float, float, float]:
    """Scale of shapes that are written for the adult and have no numbers of their own at other ages."""
    return (d.factors[0] * d.across, d.factors[1] * d.across, d.factors[2] * d.along)


def _bone(
    key: str,
    inside: Inside,
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    scale: tuple[float, float, float],
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Shape:
    return Shape(
        key=key,
        inside=inside,
        lower_cm=low,
        upper_cm=high,
        medium="skeleton",
        scale=scale,
        offset_cm=offset,
    )


def _head_bones(d: Dimensions) -> list[Shape]:
    zc = d.brain_z_cm
    a, b, c, t = d["brain_a"], d["brain_b"], d["brain_c"], d["cranium_t"]

    def shell(x: Array, y: Array, z: Array) -> Any:
        inner = (x / a) ** 2 + (y / b) ** 2 + ((z - zc) / c) ** 2
        outer = (x / (a + t)) ** 2 + (y / (b + t)) ** 2 + ((z - zc) / (c + t)) ** 2
        return (inner > 1) & (outer <= 1)

    fa, fb, ft = d["face_a"], d["face_b"], d["face_t"]
    base, top = d.head_base_cm, zc + 1.68 * c / 5.75
    split = base + MANDIBLE_SHARE * (top - base)

    def face(low: float, high: float) -> Inside:
        def inside(x: Array, y: Array, z: Array) -> Any:
            ring = ((x / fa) ** 2 + (y / fb) ** 2 <= 1) & ((x / (fa - ft)) ** 2 + (y / (fb - ft)) ** 2 >= 1)
            outer = (x / (a + t)) ** 2 + (y / (b + t)) ** 2 + ((z - zc) / (c + t)) ** 2
            return ring & (y <= 0) & (outer > 1) & (z > low) & (z <= high)

        return inside

    s = head_scale(d)
    cranium = _bone("cranium", shell, (-a - t, -b - t, zc - c - t), (a + t, b + t, zc + c + t), s)
    mandible = _bone("mandible", face(base, split), (-fa, -fb, base), (fa, 0.0, split), s)
    upper = _bone("cranium", face(split, top), (-fa, -fb, split), (fa, 0.0, top), s)
    return [cranium, mandible, upper]


def _spine(key: str, low: float, high: float, scale: tuple[float, float, float]) -> Shape:
    def inside(x: Array, y: Array, z: Array) -> Any:
        return ((x / 2) ** 2 + ((y - 5.5) / 2.5) ** 2 <= 1) & (z > low) & (z <= high)

    return _bone(key, inside, (-2.0, 3.0, low), (2.0, 8.0, high), scale)


def _neck_spine(d: Dimensions) -> Shape:
    """Return the spine above the trunk.

    With the neck of 1996 it stands as far back as the neck's skin allows and reaches the skull (our rule: the
    published values were not found).
    """
    fx, fy, fz = d.factors
    if not d.has_neck:
        return _spine("cervical-spine", 70.0, 78.5, (fx * d.along, fy * d.along, fz * d.along))
    a, b, low, zc = 2.0 * fx, 2.5 * fy, d["trunk_c"], d.brain_z_cm
    y0 = d["neck_r"] - d["skin"] / d.along - b
    skull = tuple(d[f"brain_{axis}"] + d["cranium_t"] for axis in "abc")

    def inside(x: Array, y: Array, z: Array) -> Any:
        below = (x / skull[0]) ** 2 + (y / skull[1]) ** 2 + ((z - zc) / skull[2]) ** 2 > 1
        return ((x / a) ** 2 + ((y - y0) / b) ** 2 <= 1) & (z > low) & (z <= zc) & below

    return _bone("cervical-spine", inside, (-a, y0 - b, low), (a, y0 + b, zc), head_scale(d))


def _ribs(x: Array, y: Array, z: Array) -> Any:
    ring = ((x / 17) ** 2 + (y / 9.8) ** 2 <= 1) & ((x / 16.5) ** 2 + (y / 9.3) ** 2 >= 1)
    return ring & (np.floor((z - 35.1) / 1.4) % 2 == 0) & (z >= 35.1) & (z < 67.3)


def _scapulae(x: Array, y: Array, z: Array) -> Any:
    ring = ((x / 19) ** 2 + (y / 9.8) ** 2 <= 1) & ((x / 17) ** 2 + (y / 9.8) ** 2 > 1)
    return ring & (y > 0.25 * abs(x)) & (y < 0.80 * abs(x)) & (z >= 50.9) & (z <= 67.3)


def _clavicles(x: Array, y: Array, z: Array) -> Any:
    ring = (np.sqrt(x**2 + (y - 11.1) ** 2) - 20.0) ** 2 + (z - 68.25) ** 2 <= 0.7883**2
    return ring & (11.1 - y > 0.89415 * abs(x)) & (11.1 - y < 7.0342 * abs(x)) & (y < 11.1)


def _pelvis(x: Array, y: Array, z: Array) -> Any:
    ring = (x**2 + (y + 3) ** 2 <= 144) & (x**2 + (y + 3.8) ** 2 >= 11.3**2)
    return ring & (y >= -3) & (z >= 0) & (z <= 22) & ((z >= 14) | (y <= 5))


def _trunk_bones(d: Dimensions) -> list[Shape]:
    s = by_rule(d)
    return [
        _spine("lumbar-spine", 22.0, LUMBAR_TOP_CM, s),
        _spine("thoracic-spine", LUMBAR_TOP_CM, 70.0, s),
        _neck_spine(d),
        _bone("ribs", _ribs, (-17.0, -9.8, 35.1), (17.0, 9.8, 67.3), s),
        _bone("scapulae", _scapulae, (-19.0, 0.0, 50.9), (19.0, 9.8, 67.3), s),
        _bone("clavicles", _clavicles, (-16.0, -10.0, 67.4), (16.0, 0.0, 69.1), s),
        _bone("pelvis", _pelvis, (-12.0, -3.0, 0.0), (12.0, 9.0, 22.0), s),
    ]


def _arm_bones(d: Dimensions) -> list[Shape]:
    found = []
    for sign in (-1, 1):
        for key, start, stop in ARM_CUTS:
            low, high = 69.0 * (1 - stop), 69.0 * (1 - start)
            inside = _arm(sign * 18.4, low, high)
            box = (sign * 18.4 - 1.4, -2.7, low), (sign * 18.4 + 1.4, 2.7, high)
            found.append(_bone(key, inside, *box, by_rule(d)))
    return found


def _arm(x0: float, low: float, high: float) -> Inside:
    def inside(x: Array, y: Array, z: Array) -> Any:
        f = (138 + (z - 69)) / 138
        return ((x - x0) / (1.4 * f)) ** 2 + (y / (2.7 * f)) ** 2 <= np.where((z > low) & (z <= high), 1, -1)

    return inside


def _raised_arm_bones(d: Dimensions) -> list[Shape]:
    """Return the arm bones turned upwards about the shoulder, as round bones of the same cross-section."""
    x0, base, length = raised_arm_axis(d)
    fx, fy, _fz = by_rule(d)
    r = math.sqrt(1.4 * 2.7 * fx * fy)
    found = []
    for sign in (-1, 1):
        for key, start, stop in ARM_CUTS:
            low, high = base + start * length, base + stop * length
            inside = _raised(sign * x0, r, base, length, low, high)
            box = (sign * x0 - r, -r, low), (sign * x0 + r, r, high)
            found.append(_bone(key, inside, *box, (1.0, 1.0, 1.0)))
    return found


def _raised(x0: float, r: float, base: float, length: float, low: float, high: float) -> Inside:
    def inside(x: Array, y: Array, z: Array) -> Any:
        radius = r * (1 - 0.5 * (z - base) / length)
        return ((x - x0) ** 2 + y**2 <= radius**2) & (z > low) & (z <= high)

    return inside


def _leg_bones(d: Dimensions) -> list[Shape]:
    """Return the leg bones: cones along the axis of each leg."""
    half, cp, cl = d["trunk_a"] / 2, d["leg_cp"], d["leg_cl"]
    length, fx = 0.9975 * cl, d.factors[0]
    found = []
    for sign in (-1, 1):
        for key, start, stop in LEG_CUTS:
            low, high = -length * stop, -length * start
            inside = _leg_bone(sign, half, cp, length, fx, low, high)
            left, right = sorted((sign * (half - 3.5 * fx), sign * (half + 3.5 * fx)))
            left, right = (min(left, 0.0), right) if sign > 0 else (left, max(right, 0.0))
            box = (left, -3.5 * fx, low), (right, 3.5 * fx, high)
            found.append(_bone(key, inside, *box, trunk_scale(d), (sign * d.fat_cm, 0.0, 0.0)))
    return found


def _leg_bone(sign: int, half: float, cp: float, length: float, fx: float, low: float, high: float) -> Inside:
    def inside(x: Array, y: Array, z: Array) -> Any:
        radius = fx * (3.5 + 2.5 * z / length)
        axis = sign * half * (1 + z / cp)
        return ((x - axis) ** 2 + y**2 <= radius**2) & (z > low) & (z <= high)

    return inside
