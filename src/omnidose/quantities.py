"""Kinds of radiation quantities as types, and the one canonical unit of each.

Two quantities may be added only if they are of the same kind *and* of the same qualifier
(CTDI phantom, depth of the personal dose equivalent, alpha/beta of a BED). Values are floats
or NumPy arrays in the canonical unit.

References
----------
ICRU Report 85 (2011) *Fundamental quantities and units for ionizing radiation*;
ICRP Publication 103 (2007), chapter 4, for protection quantities;
IEC 60601-2-44 and AAPM Reports 96, 204 for CT quantities.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np

from omnidose.errors import QuantityKindError

#: Unit suffix of a float's name -> (UCUM code, what it measures). One canonical unit per quantity.
UNIT_SUFFIXES: dict[str, tuple[str, str]] = {
    "mm": ("mm", "length"),
    "cm": ("cm", "length inside the transport engine"),
    "per_cm": ("cm-1", "linear attenuation coefficient"),
    "cm2": ("cm2", "area"),
    "cm2_g": ("cm2/g", "mass attenuation coefficient"),
    "cm3": ("cm3", "volume"),
    "mm3": ("mm3", "volume of a voxel"),
    "g": ("g", "mass"),
    "kg": ("kg", "mass of a person"),
    "g_cm3": ("g/cm3", "density"),
    "kev": ("keV", "photon energy"),
    "kev_cm2_g": ("keV.cm2/g", "energy times mass coefficient"),
    "kv": ("kV", "tube voltage"),
    "ma": ("mA", "tube current"),
    "mas": ("mA.s", "tube current-time product"),
    "s": ("s", "time in a scan"),
    "h": ("h", "time in kinetics"),
    "weeks": ("wk", "time in pregnancy"),
    "y": ("a", "age and latency"),
    "mgy": ("mGy", "absorbed dose, air kerma, CTDI"),
    "mgy_cm": ("mGy.cm", "dose length product"),
    "gy": ("Gy", "absorbed dose in risk models"),
    "gy_cm2": ("Gy.cm2", "kerma area product"),
    "msv": ("mSv", "equivalent and effective dose"),
    "mbq": ("MBq", "activity"),
    "deg": ("deg", "angle"),
    "rad": ("rad", "angle inside the transport engine"),
    "hu": ("[hnsf'U]", "CT number"),
    "rel": ("1", "relative standard uncertainty"),
    "fraction": ("1", "share between 0 and 1"),
    "per_a": ("1/Angstrom", "momentum transfer x = sin(theta/2)/lambda"),
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with a kind. Not used itself: its subclasses are the kinds.

    Attributes
    ----------
    value
        Number or array in the canonical unit ``unit``.
    """

    value: Any
    unit: ClassVar[str] = "1"
    symbol: ClassVar[str] = ""

    def _qualifiers(self) -> tuple[Any, ...]:
        return tuple(getattr(self, f.name) for f in fields(self) if f.name != "value")

    def _check(self, other: object, verb: str) -> Self:
        if type(other) is not type(self):
            raise QuantityKindError(
                f"cannot {verb} {type(self).__name__} and {type(other).__name__}",
                allowed=f"two values of kind {type(self).__name__}",
                todo="convert one of them on purpose, with the method and its assumptions named",
            )
        assert isinstance(other, type(self))
        if other._qualifiers() != self._qualifiers():
            raise QuantityKindError(
                f"cannot {verb} two {type(self).__name__} with different qualifiers "
                f"{self._qualifiers()} and {other._qualifiers()}",
                allowed="the same qualifiers (phantom, depth, alpha/beta) on both sides",
                todo="convert one of them on purpose",
            )
        return other

    def _with(self, value: Any) -> Self:
        return type(self)(value, *self._qualifiers())

    def __add__(self, other: object) -> Self:
        return self._with(self.value + self._check(other, "add").value)

    def __sub__(self, other: object) -> Self:
        return self._with(self.value - self._check(other, "subtract").value)

    def __mul__(self, factor: Any) -> Self:
        if isinstance(factor, Quantity):
            raise QuantityKindError("cannot multiply two quantities", todo="multiply by a plain number")
        return self._with(self.value * factor)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        """Divide by a number (same kind) or by the same kind (a plain ratio)."""
        if isinstance(other, Quantity):
            return self.value / self._check(other, "divide").value
        return self._with(self.value / other)

    def __lt__(self, other: object) -> Any:
        return self.value < self._check(other, "compare").value

    def __le__(self, other: object) -> Any:
        return self.value <= self._check(other, "compare").value

    def __gt__(self, other: object) -> Any:
        return self.value > self._check(other, "compare").value

    def __ge__(self, other: object) -> Any:
        return self.value >= self._check(other, "compare").value

    def __float__(self) -> float:
        return float(self.value)

    def __str__(self) -> str:
        if np.ndim(self.value) == 0:
            return f"{float(self.value):.3g} {self.unit}"
        return f"{self.value} {self.unit}"

    def to_json(self) -> dict[str, Any]:
        """Return kind, value, unit and qualifiers as plain JSON types."""
        out: dict[str, Any] = {"kind": type(self).__name__, "value": np.asarray(self.value).tolist()}
        out["unit"] = self.unit
        out.update({f.name: getattr(self, f.name) for f in fields(self) if f.name != "value"})
        return out


@dataclass(frozen=True, slots=True)
class AbsorbedDose(Quantity):
    """Energy imparted per mass, mGy."""

    unit: ClassVar[str] = "mGy"
    symbol: ClassVar[str] = "D"


@dataclass(frozen=True, slots=True)
class EquivalentDose(Quantity):
    """Organ dose weighted with ICRP radiation weighting factors, mSv."""

    unit: ClassVar[str] = "mSv"
    symbol: ClassVar[str] = "H_T"


@dataclass(frozen=True, slots=True)
class EffectiveDose(Quantity):
    """Tissue-weighted, sex-averaged dose of a *reference person*, mSv (ICRP 103)."""

    unit: ClassVar[str] = "mSv"
    symbol: ClassVar[str] = "E"


@dataclass(frozen=True, slots=True)
class WeightedOrganSum(Quantity):
    """The w_T-weighted sum of one patient's organ doses, mSv. Never an input to risk."""

    unit: ClassVar[str] = "mSv"
    symbol: ClassVar[str] = "sum(w_T D_T)"


@dataclass(frozen=True, slots=True)
class RbeWeightedDose(Quantity):
    """Absorbed dose times a relative biological effectiveness, mGy (RBE)."""

    unit: ClassVar[str] = "mGy"
    symbol: ClassVar[str] = "D_RBE"


@dataclass(frozen=True, slots=True)
class BiologicallyEffectiveDose(Quantity):
    """BED for one alpha/beta, mGy."""

    alpha_beta_gy: float
    unit: ClassVar[str] = "mGy"
    symbol: ClassVar[str] = "BED"


@dataclass(frozen=True, slots=True)
class EquivalentDose2Gy(Quantity):
    """EQD2 for one alpha/beta, mGy."""

    alpha_beta_gy: float
    unit: ClassVar[str] = "mGy"
    symbol: ClassVar[str] = "EQD2"


@dataclass(frozen=True, slots=True)
class AirKerma(Quantity):
    """Air kerma free in air, mGy."""

    unit: ClassVar[str] = "mGy"
    symbol: ClassVar[str] = "K_a"


@dataclass(frozen=True, slots=True)
class KermaAreaProduct(Quantity):
    """Air kerma-area product P_KA, Gy cm2."""

    unit: ClassVar[str] = "Gy.cm2"
    symbol: ClassVar[str] = "P_KA"


@dataclass(frozen=True, slots=True)
class CtdiVol(Quantity):
    """Volume CT dose index in the 16 or 32 cm PMMA phantom, mGy (IEC 60601-2-44)."""

    phantom_cm: int
    unit: ClassVar[str] = "mGy"
    symbol: ClassVar[str] = "CTDIvol"


@dataclass(frozen=True, slots=True)
class DoseLengthProduct(Quantity):
    """Dose-length product for the 16 or 32 cm PMMA phantom, mGy cm."""

    phantom_cm: int
    unit: ClassVar[str] = "mGy.cm"
    symbol: ClassVar[str] = "DLP"


@dataclass(frozen=True, slots=True)
class SizeSpecificDoseEstimate(Quantity):
    """SSDE, mGy (AAPM Reports 204, 220, 293)."""

    unit: ClassVar[str] = "mGy"
    symbol: ClassVar[str] = "SSDE"


@dataclass(frozen=True, slots=True)
class AmbientDoseEquivalent(Quantity):
    """H*(10), mSv."""

    unit: ClassVar[str] = "mSv"
    symbol: ClassVar[str] = "H*(10)"


@dataclass(frozen=True, slots=True)
class PersonalDoseEquivalent(Quantity):
    """Hp(0.07), Hp(3) or Hp(10), mSv."""

    depth_mm: float
    unit: ClassVar[str] = "mSv"
    symbol: ClassVar[str] = "Hp"
