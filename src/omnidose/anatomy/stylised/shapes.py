"""Shapes as small functions of x, y, z, and the outside of the body.

Coordinates inside this package are centimetres with the origin in the middle of the trunk's base,
x to the left, y to the back, z up (LPS). A shape is written for the unscaled phantom; ``scale`` and
``offset_cm`` carry it to the person: unscaled = (x - offset) / scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.stylised.dimensions import Dimensions

Array = npt.NDArray[Any]
Inside = Callable[[Array, Array, Array], Array]
Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A region of space.

    Attributes
    ----------
    key
        Canonical organ name.
    inside
        Function of open (broadcastable) coordinate arrays in cm -> bool array.
    lower_cm, upper_cm
        Box that holds the shape, unscaled.
    medium
        Name of the medium.
    """

    key: str
    inside: Inside
    lower_cm: Triple
    upper_cm: Triple
    medium: str = "soft-tissue"
    scale: Triple = (1.0, 1.0, 1.0)
    offset_cm: Triple = (0.0, 0.0, 0.0)


def box(centre: Triple, semi: Triple) -> tuple[Triple, Triple]:
    """Return the corners of a box around a centre."""
    low, high = (tuple(c + sign * s for c, s in zip(centre, semi, strict=True)) for sign in (-1, 1))
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def within(centre: Triple, semi: Triple) -> Inside:
    """Return the inside of an ellipsoid."""
    (cx, cy, cz), (a, b, c) = centre, semi
    return lambda x, y, z: ((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 + ((z - cz) / c) ** 2 <= 1


def ellipsoid(
    key: str, centre: Triple, semi: Triple, *, also: Inside | None = None, medium: str = "soft-tissue"
) -> Shape:
    """Return an ellipsoid, cut by a further condition if there is one."""
    inside = within(centre, semi)
    low, high = box(centre, semi)
    if also is None:
        return Shape(key=key, inside=inside, lower_cm=low, upper_cm=high, medium=medium)
    cut = also
    return Shape(
        key=key,
        inside=lambda x, y, z: inside(x, y, z) & cut(x, y, z),
        lower_cm=low,
        upper_cm=high,
        medium=medium,
    )


def rounded_cone(
    key: str, base: Triple, axis: Triple, radius_cm: float, fall_rel: float, length_cm: float
) -> Shape:
    """Return half a ball about ``base`` that goes on along a unit vector as a cone, its radius falling."""

    def inside(x: Array, y: Array, z: Array) -> Any:
        dx, dy, dz = x - base[0], y - base[1], z - base[2]
        along = axis[0] * dx + axis[1] * dy + axis[2] * dz
        distance2 = dx**2 + dy**2 + dz**2
        in_cone = (along <= length_cm) & (distance2 - along**2 <= (radius_cm - fall_rel * along) ** 2)
        return np.where(along < 0, distance2 <= radius_cm**2, in_cone)

    end = np.add(base, np.multiply(length_cm, axis))
    x0, y0, z0 = np.minimum(base, end) - radius_cm
    x1, y1, z1 = np.maximum(base, end) + radius_cm
    return Shape(key=key, inside=inside, lower_cm=(x0, y0, z0), upper_cm=(x1, y1, z1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of the body's outside, in scaled centimetres.

    Attributes
    ----------
    outside, inside_skin, lean
        The part, the part without its skin, and the part without its layer of fat.
    """

    outside: Inside
    inside_skin: Inside
    lean: Inside
    lower_cm: Triple
    upper_cm: Triple


def body_parts(d: Dimensions, arms: str) -> list[Part]:
    """Return trunk, legs, head and, where the sex or posture has them, breasts, genitalia, raised arms."""
    parts = [_trunk(d, arms), _leg(d, -1), _leg(d, 1), _head(d)]
    if arms == "up":
        parts += [_raised_arm(d, -1), _raised_arm(d, 1)]
    if d.sex != "F":
        parts.append(_genitalia(d))
    return parts + [_breast_outside(d, -1), _breast_outside(d, 1)]


def trunk_semi_axes(d: Dimensions) -> tuple[float, float, float]:
    """Return semi-axes and height of the scaled trunk with its fat, cm."""
    a, b = d["trunk_a"] * d.across + d.fat_cm, d["trunk_b"] * d.across + d.fat_cm
    return a, b, d["trunk_c"] * d.along


def _column(a: float, b: float, low: float, high: float) -> Inside:
    return lambda x, y, z: ((x / a) ** 2 + (y / b) ** 2 <= 1) & (z >= low) & (z <= high)


#: With the arms raised the trunk ends just outside ribs and skin: |x| <= 17.3 A / 20 (our choice; ribs 17.0).
ARMLESS_FRACTION = 17.3 / 20.0


def _trunk(d: Dimensions, arms: str) -> Part:
    a, b, c = trunk_semi_axes(d)
    t, f = d["skin"], d.fat_cm
    side = a + 1.0 if arms == "down" else ARMLESS_FRACTION * d["trunk_a"] * d.across + f
    top_a, top_b = (d[name] * d.along for name in (("neck_r",) * 2 if d.has_neck else ("head_a", "head_b")))

    def outside(x: Array, y: Array, z: Array) -> Any:
        return _column(a, b, 0.0, c)(x, y, z) & (abs(x) <= side)

    def inside_skin(x: Array, y: Array, z: Array) -> Any:
        below_head = (x / top_a) ** 2 + (y / top_b) ** 2 <= 1
        return _column(a - t, b - t, 0.0, c)(x, y, z) & (abs(x) <= side - t) & ((z <= c - t) | below_head)

    def lean(x: Array, y: Array, z: Array) -> Any:
        return _column(a - f, b - f, 0.0, c)(x, y, z) & (abs(x) <= side - f)

    return Part(
        outside=outside, inside_skin=inside_skin, lean=lean, lower_cm=(-a, -b, 0.0), upper_cm=(a, b, c)
    )


def _leg(d: Dimensions, sign: int) -> Part:
    half, length = d["trunk_a"] / 2, d["leg_cl"] * d.along
    f, t, cp = d.fat_cm, d["skin"], d["leg_cp"] * d.along

    def leg(thinner: float) -> Inside:
        def inside(x: Array, y: Array, z: Array) -> Any:
            radius = half * (1 + z / cp) * d.across + f
            around = (x - sign * radius) ** 2 + y**2 <= (radius - thinner) ** 2
            return around & (z < 0) & (z >= -length)

        return inside

    wide = 2 * (half * d.across + f)
    low, high = (0.0, -wide / 2, -length), (wide, wide / 2, 0.0)
    if sign < 0:
        low, high = (-wide, -wide / 2, -length), (0.0, wide / 2, 0.0)
    return Part(outside=leg(0.0), inside_skin=leg(t), lean=leg(f), lower_cm=low, upper_cm=high)


def _head(d: Dimensions) -> Part:
    """Return the head: an elliptic column with a dome, and the round neck of 1996 if it has one."""
    s, t, trunk = d.along, d["skin"], d["trunk_c"] * d.along
    base, zc = d.head_base_cm * s, d.brain_z_cm * s
    a, b, r, top = (d[name] * s for name in ("head_a", "head_b", "neck_r", "head_top"))

    def head(thinner: float) -> Inside:
        # The underside of the head around the neck is skin too.
        under = base + thinner if d.has_neck else base

        def inside(x: Array, y: Array, z: Array) -> Any:
            across = (x / (a - thinner)) ** 2 + (y / (b - thinner)) ** 2
            dome = np.maximum(z - zc, 0.0) / (top - thinner)
            neck = (x**2 + y**2 <= (r - thinner) ** 2) & (z > trunk) & (z <= under)
            return (across + dome**2 <= 1) & (z > under) | neck

        return inside

    low, high = (-a, -b, trunk), (a, b, zc + top)
    return Part(outside=head(0.0), inside_skin=head(t), lean=head(0.0), lower_cm=low, upper_cm=high)


#: Raised arms (not in the published family; our choice): cones beside the head. Adult: radius 4.6 cm at the
#: shoulder and 3.0 cm at the hand, 69 cm long (the length of the arm bones): 3.2 litres each.
RAISED_ARM_CM = (4.6, 3.0, 69.0)
RAISED_ARM_X_CM = 13.5


def raised_arm_axis(d: Dimensions) -> tuple[float, float, float]:
    """Return distance of a raised arm's axis from the midline, its base and its length, in scaled cm."""
    fx, _fy, fz = d.factors
    x = max(RAISED_ARM_X_CM * fx * d.across, d["head_a"] * d.along + RAISED_ARM_CM[0] * fx * d.across + 0.2)
    return x, d["trunk_c"] * d.along, RAISED_ARM_CM[2] * fz * d.along


def _raised_arm(d: Dimensions, sign: int) -> Part:
    fx, t = d.factors[0] * d.across, d["skin"]
    x0, base, length = raised_arm_axis(d)
    r0, r1 = RAISED_ARM_CM[0] * fx, RAISED_ARM_CM[1] * fx

    def arm(thinner: float) -> Inside:
        def inside(x: Array, y: Array, z: Array) -> Any:
            radius = r0 + (r1 - r0) * (z - base) / length - thinner
            return ((x - sign * x0) ** 2 + y**2 <= radius**2) & (z > base) & (z <= base + length)

        return inside

    low, high = (sign * x0 - r0, -r0, base), (sign * x0 + r0, r0, base + length)
    return Part(outside=arm(0.0), inside_skin=arm(t), lean=arm(0.0), lower_cm=low, upper_cm=high)


def _genitalia(d: Dimensions) -> Part:
    s, t, cp = d.across, d["skin"], d["leg_cp"] * d.along
    depth = (2 * d["testis_c"] + t) * d.along
    half, f = d["trunk_a"] / 2, d.fat_cm

    def genitalia(thinner: float) -> Inside:
        def inside(x: Array, y: Array, z: Array) -> Any:
            r = half * (1 + z / cp) * s
            bound = (abs(x) <= r - thinner) & (y >= -r + thinner) & (y <= 0)
            outside_legs = (abs(x) - r - f) ** 2 + y**2 > (r + f) ** 2
            return bound & outside_legs & (z < 0) & (z >= -depth + thinner)

        return inside

    low, high = (-half * s, -half * s, -depth), (half * s, 0.0, 0.0)
    return Part(
        outside=genitalia(0.0), inside_skin=genitalia(t), lean=genitalia(0.0), lower_cm=low, upper_cm=high
    )


def breast_ellipsoid(d: Dimensions, sign: int) -> tuple[Triple, Triple]:
    """Return centre and semi-axes of a breast in scaled cm.

    Women from about 15 years and the hermaphrodite have the published ellipsoid; children and men a small
    sphere on the trunk's surface (men: 12 cm3 each outside the trunk, ICRP 89; our shape).
    """
    a, b, _c = trunk_semi_axes(d)
    fx, _fy, fz = d.factors
    semi = (d["breast_a"], d["breast_b"], d["breast_c"])
    if d.sex == "M" and d.age_y > 10:
        semi = (1.79, 1.79, 1.79)
    s = d.across
    x = 10.0 * fx * s
    # The centre keeps its place relative to the surface: adult y = -8.66 where the surface is at -8.66.
    y = -b * float(np.sqrt(1 - min(0.9, (x / a) ** 2)))
    z = 52.0 * fz * d.along
    return (sign * x, y, z), (semi[0] * s, semi[1] * s, semi[2] * d.along)


def _breast_outside(d: Dimensions, sign: int) -> Part:
    a, b, c = trunk_semi_axes(d)
    centre, semi = breast_ellipsoid(d, sign)
    t = d["skin"] if semi[0] > 1 else 0.3 * semi[0]

    def breast(thinner: float) -> Inside:
        inner = within(centre, (semi[0] - thinner, semi[1] - thinner, semi[2] - thinner))
        return lambda x, y, z: inner(x, y, z) & ((x / a) ** 2 + (y / b) ** 2 > 1) & (z <= c)

    low, high = box(centre, semi)
    return Part(outside=breast(0.0), inside_skin=breast(t), lean=breast(0.0), lower_cm=low, upper_cm=high)
