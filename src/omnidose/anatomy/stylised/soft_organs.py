"""Organs of soft tissue and lungs in the trunk: the equations of the family, and an own prostate.

Position and form of the prostate are our choice, its volume is that of ICRP 89.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from omnidose.anatomy.stylised.bones import by_rule, head_scale, trunk_scale
from omnidose.anatomy.stylised.dimensions import Dimensions
from omnidose.anatomy.stylised.head_organs import head_organs
from omnidose.anatomy.stylised.shapes import (
    Array,
    Inside,
    Shape,
    breast_ellipsoid,
    ellipsoid,
    rounded_cone,
    within,
)


def organs(d: Dimensions, *, airways: bool) -> list[tuple[Shape, tuple[float, float, float]]]:
    """Return shapes with their scale, first come first served where voxels are shared.

    Parameters
    ----------
    airways
        Draw a trachea filled with air (not in the published family).
    """
    head, trunk, rule = head_scale(d), trunk_scale(d), by_rule(d)
    found = [(shape, head) for shape in head_organs(d, airways=airways)]
    found += [(shape, trunk) for shape in _trunk_organs(d, airways)]
    found += [(shape, rule) for shape in _rule_organs()]
    found += [(shape, (1.0, 1.0, 1.0)) for shape in _breasts(d)]
    return found


def _trunk_organs(d: Dimensions, airways: bool) -> list[Shape]:
    fx, fy, fz = d.factors
    found = _small_organs(d) + _pelvic_organs(d) + _heart(d)
    if airways:
        found.append(_slanted_airway(d))
    stomach = (8 * fx, -4 * fy, 35 * fz)
    semi = (d["stomach_a"], d["stomach_b"], d["stomach_c"])
    found += _walled("stomach", "stomach-contents", stomach, semi, d["stomach_t"])
    found += _gall_bladder(d)
    cut = d["kidney_cut"]
    for side, sign in (("right", -1), ("left", 1)):
        found.append(
            ellipsoid(
                f"{side}-kidney",
                (sign * 6 * fx, 6 * fy, 32.5 * fz),
                (d["kidney_a"], d["kidney_b"], d["kidney_c"]),
                also=lambda x, y, z: abs(x) >= cut,
            )
        )
    spleen = (d["spleen_x"], d["spleen_y"], d["spleen_z"])
    found.append(ellipsoid("spleen", spleen, (d["spleen_a"], d["spleen_b"], d["spleen_c"])))
    return [*found, _liver(d), *_lungs(d)]


def _small_organs(d: Dimensions) -> list[Shape]:
    fx, fy, fz = d.factors
    thymus = (0.0, d["thymus_y"], d["thymus_z"])
    x0, zp, step = -1.0 * fx, 37 * fz, d["pancreas_a"] / 4
    pancreas = ellipsoid(
        "pancreas",
        (x0, 0.0, zp),
        (d["pancreas_a"], d["pancreas_b"], d["pancreas_c"]),
        also=lambda x, y, z: (x >= x0) & ((z >= zp) | (x <= x0 + step)),
    )
    gullet = (0.42 * fy, 2.575 * fy)

    def oesophagus(x: Array, y: Array, z: Array) -> Any:
        tube = (x / (1.17 * fx)) ** 2 + ((y - gullet[1]) / gullet[0]) ** 2 <= 1
        return tube & (z >= 42.3 * fz) & (z <= d["trunk_c"])

    return [
        _adrenal(d, "right", -1),
        _adrenal(d, "left", 1),
        ellipsoid("thymus", thymus, (d["thymus_a"], d["thymus_b"], d["thymus_c"])),
        pancreas,
        Shape(
            key="oesophagus",
            inside=oesophagus,
            lower_cm=(-1.17 * fx, gullet[1] - gullet[0], 42.3 * fz),
            upper_cm=(1.17 * fx, gullet[1] + gullet[0], d["trunk_c"]),
        ),
    ]


def _slanted_airway(d: Dimensions) -> Shape:
    """Return the trachea from the larynx to the carina, filled with air (our shape)."""
    fx, fy, fz = d.factors
    low, high, r = 55.0 * fz, d["trunk_c"], 0.8 * fx
    y_low, y_high = 0.6 * fy, d.thyroid_y_cm

    def inside(x: Array, y: Array, z: Array) -> Any:
        axis = y_low + (y_high - y_low) * (z - low) / (high - low)
        return (x**2 + (y - axis) ** 2 <= r * r) & (z >= low) & (z <= high)

    return Shape(
        key="air-in-body",
        inside=inside,
        lower_cm=(-r, y_high - r, low),
        upper_cm=(r, y_low + r, high),
        medium="air",
    )


def _adrenal(d: Dimensions, side: str, sign: int) -> Shape:
    angle = sign * math.radians(d["adrenal_angle_deg"])
    cos, sin = math.cos(angle), math.sin(angle)
    x0, y0, z0 = sign * d["adrenal_x"], d["adrenal_y"], d["adrenal_z"]
    a, b, c = d["adrenal_a"], d["adrenal_b"], d["adrenal_c"]

    def inside(x: Array, y: Array, z: Array) -> Any:
        u, v = cos * (x - x0) + sin * (y - y0), -sin * (x - x0) + cos * (y - y0)
        return ((u / a) ** 2 + (v / b) ** 2 + ((z - z0) / c) ** 2 <= 1) & (z >= z0)

    low, high = (x0 - a, y0 - a, z0), (x0 + a, y0 + a, z0 + c)
    return Shape(key=f"{side}-adrenal", inside=inside, lower_cm=low, upper_cm=high)


def _walled(
    wall: str,
    contents: str,
    centre: tuple[float, float, float],
    semi: tuple[float, float, float],
    thickness: float,
) -> list[Shape]:
    inner = within(centre, (semi[0] - thickness, semi[1] - thickness, semi[2] - thickness))
    filling = ellipsoid(contents, centre, (semi[0] - thickness, semi[1] - thickness, semi[2] - thickness))
    return [filling, ellipsoid(wall, centre, semi, also=lambda x, y, z: ~inner(x, y, z))]


#: Gall bladder of the adult (cm): a ball's half whose flat side goes on as a blunt cone along an axis, its
#: radii outside and inside the wall, the fall of the radius along the axis, the cone's length.
GALL_AXIS = (0.2687, 0.2090, 0.9403)
GALL_R, GALL_R_IN, GALL_FALL, GALL_LENGTH = 2.12, 2.0, 0.2275, 8.0
#: Radii of balls with the adult's volumes: the table of dimensions scales volumes by them.
GALL_BALL_R, GALL_BALL_R_IN = 2.480, 2.338


def _gall_bladder(d: Dimensions) -> list[Shape]:
    """Return bile and wall (Cristy and Eckerman 1987, from memory; its volumes are 53.6 and 10.1 cm3)."""
    fx, fy, fz = d.factors
    base = (-4.5 * fx, -3.2 * fy, 30 * fz)
    outer, inner = d["gall_r"] / GALL_BALL_R, d["gall_r_in"] / GALL_BALL_R_IN
    bile = rounded_cone(
        "gall-bladder-contents", base, GALL_AXIS, GALL_R_IN * inner, GALL_FALL, GALL_LENGTH * inner
    )
    whole = rounded_cone("gall-bladder", base, GALL_AXIS, GALL_R * outer, GALL_FALL, GALL_LENGTH * outer)
    return [bile, replace(whole, inside=lambda x, y, z: whole.inside(x, y, z) & ~bile.inside(x, y, z))]


def _pelvic_organs(d: Dimensions) -> list[Shape]:
    fx, fy, fz = d.factors
    bladder = (0.0, -4.5 * fy, 8 * fz)
    semi = (d["bladder_a"], d["bladder_b"], d["bladder_c"])
    found = _walled("bladder", "bladder-contents", bladder, semi, d["bladder_t"])
    a, b, c = d["testis_a"], d["testis_b"], d["testis_c"]
    if d.sex != "F":
        # The adult's y = -8; children's testes must stay in front of the legs but inside the skin.
        room = d["trunk_a"] / 2 * (1 - 2 * c / d["leg_cp"]) - d["skin"] - b
        y_testis = -min(8 * fy, room)
        found += [
            ellipsoid(f"{side}-testis", (sign * a, y_testis, -c), (a, b, c))
            for side, sign in (("right", -1), ("left", 1))
        ]
    if d.sex == "M":
        # Prostate: 17 g in the adult (ICRP 89), below the bladder; our shape, scaled by trunk length.
        r = 1.57 * fz
        found.append(ellipsoid("prostate", (0.0, bladder[1] + 0.4 * r, bladder[2] - semi[2] - r), (r, r, r)))
    if d.sex != "M":
        ovary = (d["ovary_a"], d["ovary_b"], d["ovary_c"])
        found += [
            ellipsoid(f"{side}-ovary", (sign * 6 * fx, 0.0, 15 * fz), ovary)
            for side, sign in (("right", -1), ("left", 1))
        ]
        y0 = -2.0 * fy
        low = y0 - d["uterus_cut"]
        uterus = (d["uterus_a"], d["uterus_b"], d["uterus_c"])
        found.append(ellipsoid("uterus", (0.0, y0, 14 * fz), uterus, also=lambda x, y, z: y >= low))
    return found


def _liver(d: Dimensions) -> Shape:
    a, b, xm, ym = d["liver_a"], d["liver_b"], d["liver_xm"], d["liver_ym"]
    z1, z2 = d["liver_z1"], d["liver_z2"]

    def inside(x: Array, y: Array, z: Array) -> Any:
        plane = x / xm + y / ym - z / z2 <= -1
        return ((x / a) ** 2 + (y / b) ** 2 <= 1) & plane & (z >= z1) & (z <= z2)

    return Shape(key="liver", inside=inside, lower_cm=(-a, -b, z1), upper_cm=(a, b, z2))


def _lungs(d: Dimensions) -> list[Shape]:
    fx, fy, fz = d.factors
    shift = d["lung_shift"]
    base, semi = 43.5 * fz, (d["lung_a"], d["lung_b"], d["lung_c"])

    def right(x: Array, y: Array, z: Array) -> Any:
        cut = (x > -(5.4 + shift) * fx) & (y < 1.5 * fy) & (z >= 46 * fz) & (z <= 54 * fz)
        return (z >= base) & ~cut

    def left(x: Array, y: Array, z: Array) -> Any:
        cut = (x < (8.0 + shift) * fx) & (y < 1.0 * fy) & (z <= 55 * fz)
        return (z >= base) & ~cut

    return [
        ellipsoid("right-lung", (-8.5 * fx, 0.0, base), semi, also=right, medium="lung"),
        ellipsoid("left-lung", (8.5 * fx, 0.0, base), semi, also=left, medium="lung"),
    ]


#: Rows of the rotation from body axes to heart axes (adult; taken for all ages).
_HEART_M = ((0.6751, -0.4727, -0.5664), (-0.4640, 0.3249, -0.8241), (0.5736, 0.8191, 0.0))


def _heart(d: Dimensions) -> list[Shape]:
    vx, vy, laz, raz, ax = (d[f"heart_{n}"] for n in ("vx", "y", "laz", "raz", "ax"))
    lv, rv, at = d["heart_t_lv"], d["heart_t_rv"], d["heart_t_at"]
    centre = (d["heart_x0"], d["heart_y0"], d["heart_z0"])

    def axes(x: Array, y: Array, z: Array) -> list[Array]:
        p = (x - centre[0], y - centre[1], z - centre[2])
        return [row[0] * p[0] + row[1] * p[1] + row[2] * p[2] for row in _HEART_M]

    def ball(u: list[Array], a: float, b: float, c: float) -> Any:
        return (u[0] / a) ** 2 + (u[1] / b) ** 2 + (u[2] / c) ** 2 <= 1

    def whole(u: list[Array]) -> Any:
        third = np.where(u[2] >= 0, laz, raz)
        first = np.where(u[0] >= 0, vx, ax)
        return (u[0] / first) ** 2 + (u[1] / vy) ** 2 + (u[2] / third) ** 2 <= 1

    def blood(x: Array, y: Array, z: Array) -> Any:
        u = axes(x, y, z)
        ventricle, below = u[0] >= 0, u[2] < 0
        left = ball(u, vx - lv, vy - lv, laz - lv)
        right = ball(u, vx - rv, vy - rv, raz - rv) & below & ~ball(u, vx, vy, laz)
        la_third = np.where(below, laz - lv + at, laz - at)
        l_atrium = (u[0] / (ax - at)) ** 2 + (u[1] / (vy - at)) ** 2 + (u[2] / la_third) ** 2 <= 1
        r_atrium = ball(u, ax - at, vy - at, raz - at) & below & ~ball(u, ax, vy, laz - lv + 2 * at)
        return np.where(ventricle, left | right, l_atrium | r_atrium)

    def wall(x: Array, y: Array, z: Array) -> Any:
        return whole(axes(x, y, z)) & ~blood(x, y, z)

    reach = max(vx, raz)
    low = (centre[0] - reach, centre[1] - reach, centre[2] - reach)
    high = (centre[0] + reach, centre[1] + reach, centre[2] + reach)
    return [
        Shape(key="heart-contents", inside=blood, lower_cm=low, upper_cm=high),
        Shape(key="heart", inside=wall, lower_cm=low, upper_cm=high),
    ]


def _rule_organs() -> list[Shape]:
    """Return the intestines, written for the adult."""
    found = []
    for key, inside, low, high in (
        ("ascending-colon", _ascending, (-11.0, -4.86, 14.45), (-6.0, 0.14, 24.0)),
        ("transverse-colon", _transverse, (-10.5, -4.86, 24.0), (10.5, 0.14, 27.0)),
        ("descending-colon", _descending, (6.0, -4.7, 8.72), (12.0, 2.2, 24.0)),
        ("sigmoid-colon", _sigmoid, (-1.6, -1.57, 0.0), (10.4, 1.57, 8.72)),
    ):
        lumen, tube = inside(True), inside(False)
        found.append(Shape(key="colon-contents", inside=lumen, lower_cm=low, upper_cm=high))
        found.append(Shape(key=key, inside=_minus(tube, lumen), lower_cm=low, upper_cm=high))

    def small(x: Array, y: Array, z: Array) -> Any:
        loop = (x**2 + (y + 3.8) ** 2 <= 11.3**2) & (y >= -4.86) & (y <= 2.20) & (z >= 17) & (z <= 27)
        colon = [f(False)(x, y, z) for f in (_ascending, _transverse, _descending)]
        return loop & ~(colon[0] | colon[1] | colon[2])

    intestine = Shape(
        key="small-intestine", inside=small, lower_cm=(-11.3, -4.86, 17.0), upper_cm=(11.3, 2.2, 27.0)
    )
    return [*found, intestine]


def _minus(tube: Inside, lumen: Inside) -> Inside:
    return lambda x, y, z: tube(x, y, z) & ~lumen(x, y, z)


def _ascending(lumen: bool) -> Inside:
    r = 2.5 - (0.7085 if lumen else 0)
    return lambda x, y, z: ((x + 8.5) ** 2 + (y + 2.36) ** 2 <= r * r) & (z >= 14.45) & (z <= 24)


def _transverse(lumen: bool) -> Inside:
    t = 0.527 if lumen else 0.0
    a, b = 2.5 - t, 1.5 - t
    return lambda x, y, z: (((y + 2.36) / a) ** 2 + ((z - 25.5) / b) ** 2 <= 1) & (abs(x) <= 10.5)


def _descending(lumen: bool) -> Inside:
    """Return the descending colon: from the transverse colon (y = -2.5) to the sigmoid's plane (y = 0).

    That it meets both fixes the sign of the tilt along y, which the public sources do not settle.
    """
    t = 0.54 if lumen else 0.0

    def inside(x: Array, y: Array, z: Array) -> Any:
        u = (24 - z) / 15.28
        tube = ((x - 9.36 + 0.7778 * u) / (1.88 - t)) ** 2 + ((y + 2.5 - 2.5 * u) / (2.13 - t)) ** 2 <= 1
        return tube & (z >= 8.72) & (z <= 24)

    return inside


def _sigmoid(lumen: bool) -> Inside:
    r = 1.57 - (0.66 if lumen else 0.0)

    def inside(x: Array, y: Array, z: Array) -> Any:
        upper = (np.sqrt((x - 3) ** 2 + (z - 8.72) ** 2) - 5.72) ** 2 + y**2 <= r * r
        lower = (np.sqrt((x - 3) ** 2 + z**2) - 3.0) ** 2 + y**2 <= r * r
        return np.where(x >= 3, upper & (z <= 8.72), lower & (z >= 0))

    return inside


def _breasts(d: Dimensions) -> list[Shape]:
    """Return the breasts outside the trunk (skin included; the skin is also a region of its own)."""
    a, b = d["trunk_a"] * d.across + d.fat_cm, d["trunk_b"] * d.across + d.fat_cm
    found = []
    for side, sign in (("right", -1), ("left", 1)):
        centre, semi = breast_ellipsoid(d, sign)
        found.append(
            ellipsoid(f"{side}-breast", centre, semi, also=lambda x, y, z: (x / a) ** 2 + (y / b) ** 2 > 1)
        )
    return found
