"""Materials: an element composition by weight and a density."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from omnidose.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A mixture of elements.

    Attributes
    ----------
    weight_fractions
        Atomic number Z -> fraction of the mass; they sum to 1 (checked to 0.5 %, then normalised).
    density_g_cm3
        Density that goes with the composition; voxels may carry their own.
    """

    name: str
    weight_fractions: Mapping[int, float]
    density_g_cm3: float

    def __post_init__(self) -> None:
        total = sum(self.weight_fractions.values())
        bad = [z for z, w in self.weight_fractions.items() if not (1 <= z <= 98) or w < 0]
        if bad or abs(total - 1) > 0.005 or self.density_g_cm3 < 0:
            raise InputError(
                f"material '{self.name}' is not a mixture: fractions sum to {total:.4f}, bad elements {bad}",
                allowed="Z from 1 to 98, fractions >= 0 that sum to 1 within 0.5 %, density >= 0",
            )
        normalised = {int(z): w / total for z, w in sorted(self.weight_fractions.items()) if w > 0}
        object.__setattr__(self, "weight_fractions", MappingProxyType(normalised))
