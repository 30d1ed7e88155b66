"""Dimensions of the Cristy-Eckerman phantoms at any age, and the rule that scales them to a person."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from omnidose.data import load
from omnidose.errors import InputError, RangeError
from omnidose.physics.materials import Material

#: Column of ``stylised_dimensions`` -> age in years. The adult column stands at 20 years.
COLUMNS = {"newborn": 0.0, "y1": 1.0, "y5": 5.0, "y10": 10.0, "y15": 15.0, "adult": 20.0}
SEXES = ("M", "F", "hermaphrodite")
#: The two published heads: of 1987 without a neck (masses, absorbed fractions), and of 1996 with one.
HEADS = ("1987", "1996")
SOFT_G_CM3, SKELETON_G_CM3, LUNG_G_CM3, FAT_G_CM3 = 1.04, 1.40, 0.296, 0.95
#: Newborn skeleton; the 1-year value and above is 1.40 (linear between).
NEWBORN_SKELETON_G_CM3 = 1.22
#: Volume of lungs and skeleton, cm3, at the ages of COLUMNS: masses of the family / density.
_LUNG_CM3 = (171.0, 483.0, 980.0, 1530.0, 2199.0, 3378.0)
_SKELETON_CM3 = (287.0, 814.0, 1929.0, 3286.0, 5429.0, 7143.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimensions:
    """All lengths of one phantom, and how it is scaled to a person.

    Attributes
    ----------
    values
        Name of ``stylised_dimensions`` -> length in cm, before scaling.
    along
        Scale along z, and of the head in all directions.
    across
        Scale of trunk and legs along x and y.
    fat_cm
        Layer of adipose tissue added around the scaled trunk and legs.
    head
        ``1987``: an elliptic head on the trunk; ``1996``: a round neck below a shorter head.
    """

    sex: str
    age_y: float
    values: dict[str, float]
    along: float = 1.0
    across: float = 1.0
    fat_cm: float = 0.0
    head: str = "1987"

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    @property
    def factors(self) -> tuple[float, float, float]:
        """Trunk size relative to the adult's along x, y, z: what "by rule" organs are scaled with."""
        return self["trunk_a"] / 20.0, self["trunk_b"] / 10.0, self["trunk_c"] / 70.0

    @property
    def has_neck(self) -> bool:
        """Whether the head is that of 1996."""
        return self.head == "1996"

    @property
    def head_base_cm(self) -> float:
        """Height of the lower side of the head above the trunk's base, before scaling."""
        return self["trunk_c"] + (self["neck_h"] if self.has_neck else 0.0)

    @property
    def brain_z_cm(self) -> float:
        """Height of the brain's centre, where the head's column ends and its dome begins, before scaling."""
        return self.head_base_cm + self["neck_head_h" if self.has_neck else "head_h"]

    @property
    def thyroid_y_cm(self) -> float:
        """Axis of thyroid and upper trachea, before scaling.

        With the neck: as far to the front as the neck's skin allows (our rule; the published value of 1996
        was not found).
        """
        if self.has_neck:
            return -(self["neck_r"] - self["skin"] / self.along - self["thyroid_out"])
        return -4.0 * self["head_b"] / 10.0

    @property
    def height_cm(self) -> float:
        """Body height after scaling."""
        return self.along * (self.brain_z_cm + self["head_top"] + self["leg_cl"])

    @property
    def skeleton_g_cm3(self) -> float:
        """Density of the homogenised skeleton."""
        share = min(1.0, max(0.0, self.age_y))
        return NEWBORN_SKELETON_G_CM3 + share * (SKELETON_G_CM3 - NEWBORN_SKELETON_G_CM3)

    @property
    def mass_kg(self) -> float:
        """Body mass from closed forms (arms down, without breasts and genitalia)."""
        s, z = self.across, self.along
        head = self.head_cm3 * z**3
        lean = self._exterior_cm3(0.0)
        lungs, bones = (float(np.interp(self.age_y, list(COLUMNS.values()), v)) for v in _TISSUES)
        inner = (LUNG_G_CM3 - SOFT_G_CM3) * lungs + (self.skeleton_g_cm3 - SOFT_G_CM3) * bones
        fat = self._exterior_cm3(self.fat_cm) - lean
        return (SOFT_G_CM3 * (head + lean) + inner * s * s * z + FAT_G_CM3 * fat) / 1000.0

    @property
    def head_cm3(self) -> float:
        """Volume of the head, with its neck if it has one, before scaling."""
        column = self.brain_z_cm - self.head_base_cm + 2 / 3 * self["head_top"]
        neck = self["neck_r"] ** 2 * (self.head_base_cm - self["trunk_c"])
        return math.pi * (self["head_a"] * self["head_b"] * column + neck)

    def _exterior_cm3(self, fat_cm: float) -> float:
        """Volume of trunk and legs with a layer of fat."""
        s, z, f = self.across, self.along, fat_cm
        a, b = self["trunk_a"] * s + f, self["trunk_b"] * s + f
        trunk = math.pi * a * b * self["trunk_c"] * z
        top = self["trunk_a"] / 2 * s + f
        bottom = self["trunk_a"] / 2 * (1 - self["leg_cl"] / self["leg_cp"]) * s + f
        legs = 2 * math.pi / 3 * self["leg_cl"] * z * (top * top + top * bottom + bottom * bottom)
        return trunk + legs


_TISSUES = (_LUNG_CM3, _SKELETON_CM3)


@cache
def _table() -> dict[str, PchipInterpolator]:
    table = load("stylised_dimensions")
    ages = list(COLUMNS.values())
    rows = np.array([table[column] for column in COLUMNS]).T
    return {str(name): PchipInterpolator(ages, row) for name, row in zip(table["name"], rows, strict=True)}


def reference_dimensions(
    sex: str, age_y: float | None = None, *, head: str = "1987", neck_share: float = 1.0
) -> Dimensions:
    """Return the unscaled dimensions of a sex and age.

    Parameters
    ----------
    sex
        ``M``, ``F`` or ``hermaphrodite`` (all gonads, as in the original family).
    age_y
        Age in years; None means adult. Between the six published ages every length is interpolated
        (PCHIP). The adult female has the 15-year phantom's body, as in the original family.
    head
        ``1987`` or ``1996`` (with a neck).
    neck_share
        Length of the neck relative to the published one.
    """
    if head not in HEADS:
        raise InputError(f"no phantom with a head '{head}'", allowed=", ".join(HEADS))
    if sex not in SEXES:
        raise InputError(f"no phantom for sex '{sex}'", allowed=", ".join(SEXES), todo="give --sex M or F")
    age = 20.0 if age_y is None else float(age_y)
    if not 0 <= age <= 130:
        raise RangeError(f"no phantom for an age of {age:g} years", allowed="0 to 130 years")
    column = min(age, 15.0 if sex == "F" else 20.0)
    values = {name: float(curve(column)) for name, curve in _table().items()}
    values["neck_h"] *= neck_share
    return Dimensions(sex=sex, age_y=column, values=values, head=head)


def fit_dimensions(
    sex: str,
    age_y: float | None = None,
    *,
    height_cm: float | None = None,
    weight_kg: float | None = None,
    fat_cm: float = 0.0,
    head: str = "1987",
    neck_share: float = 1.0,
) -> Dimensions:
    """Scale the phantom of a sex and age to a height and weight.

    Parameters
    ----------
    height_cm, weight_kg
        None keeps the phantom's own height, or its own build at the given height.
    fat_cm
        Least thickness of the adipose layer around trunk and legs.
    head
        ``1987`` or ``1996`` (with a neck, which the height includes).
    neck_share
        Length of the neck relative to the published one.

    Notes
    -----
    Height scales z everywhere, and the head in all directions. Trunk and legs scale with the height
    along x and y as well; a lighter person's trunk and legs shrink along x and y (organs with them), a
    heavier person gets the layer of adipose tissue around them that makes up the mass: organs do not
    grow with obesity.
    """
    plain = reference_dimensions(sex, age_y, head=head, neck_share=neck_share)
    along = 1.0 if height_cm is None else height_cm / plain.height_cm
    if not 0.7 <= along <= 1.35:
        raise RangeError(
            f"a height of {height_cm:g} cm does not go with this age and sex",
            allowed=f"{0.7 * plain.height_cm:.0f} to {1.35 * plain.height_cm:.0f} cm",
            todo="check height and age",
        )
    scaled = replace(plain, along=along, across=along, fat_cm=fat_cm)
    if weight_kg is None:
        return scaled
    name = "fat_cm" if weight_kg >= scaled.mass_kg else "across"
    low, high = (fat_cm, 25.0) if name == "fat_cm" else (0.5 * along, along)
    if not _with(scaled, name, low).mass_kg <= weight_kg <= _with(scaled, name, high).mass_kg:
        raise RangeError(
            f"a weight of {weight_kg:g} kg at {scaled.height_cm:.0f} cm is outside what the phantom can take",
            allowed=f"{_with(scaled, 'across', 0.5 * along).mass_kg:.0f} kg and more",
            todo="check height and weight",
        )
    for _step in range(60):
        middle = 0.5 * (low + high)
        if _with(scaled, name, middle).mass_kg < weight_kg:
            low = middle
        else:
            high = middle
    return _with(scaled, name, 0.5 * (low + high))


def _with(dimensions: Dimensions, name: str, value: float) -> Dimensions:
    return replace(dimensions, fat_cm=value) if name == "fat_cm" else replace(dimensions, across=value)


@cache
def media() -> dict[str, Material]:
    """Return the media of the family by name: soft-tissue, skeleton, lung, adipose."""
    numbers = {"H": 1, "C": 6, "N": 7, "O": 8, "Na": 11, "Mg": 12}
    numbers |= {"P": 15, "S": 16, "Cl": 17, "K": 19, "Ca": 20, "Fe": 26}
    table = load("stylised_media")
    found = {}
    for i, name in enumerate(table["medium"]):
        fractions = {z: float(table[symbol][i]) for symbol, z in numbers.items()}
        density = float(table["density_g_cm3"][i])
        found[str(name)] = Material(name=str(name), weight_fractions=fractions, density_g_cm3=density)
    return found
