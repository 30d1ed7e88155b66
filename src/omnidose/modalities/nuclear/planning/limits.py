"""Limits of absorbed dose or BED: the packaged conventions, and how a dose counts against one."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from omnidose.data import load
from omnidose.dosimetry.bed import DoseRate, Repair, lea_catcheside
from omnidose.errors import InputError
from omnidose.modalities.nuclear.planning.confidence import check_positive
from omnidose.quantities import AbsorbedDose, BiologicallyEffectiveDose

ArrayF8 = npt.NDArray[np.float64]
MGY_PER_GY = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What the dose of an organ must not exceed.

    Attributes
    ----------
    organ
        Name of the tissue.
    value
        An absorbed dose or a BED: its kind says how doses are counted.
    rate, repair
        Of a BED: dose rate of one administration and repair of the tissue; None for an absorbed dose.
    meaning, source
        For whom it was proposed, and where.

    Raises
    ------
    InputError
        For a limit that is not above 0, or a BED without dose rate or repair.
    """

    organ: str
    value: AbsorbedDose | BiologicallyEffectiveDose
    rate: DoseRate | None = None
    repair: Repair | None = None
    meaning: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        check_positive(**{f"limit of {self.organ}": float(self.value)})
        if self.is_bed and (self.rate is None or self.repair is None):
            raise InputError(
                f"a limit of BED of {self.organ} needs dose rate and repair",
                where="rate, repair",
                todo="give the effective half-life, or a limit of absorbed dose",
            )

    @property
    def is_bed(self) -> bool:
        """Whether BED counts."""
        return isinstance(self.value, BiologicallyEffectiveDose)

    @property
    def unit(self) -> str:
        """``Gy`` or ``Gy BED (α/β 2.6)``, alpha/beta in Gy."""
        if isinstance(self.value, BiologicallyEffectiveDose):
            return f"Gy BED (α/β {self.value.alpha_beta_gy:g})"
        return "Gy"

    @property
    def value_mgy(self) -> float:
        """The limit as a number."""
        return float(self.value)

    @property
    def protraction(self) -> float | None:
        """Protraction factor G of one administration; None for an absorbed dose."""
        if not self.is_bed or self.rate is None or self.repair is None:
            return None
        return lea_catcheside(self.rate, self.repair)

    @property
    def per_mgy(self) -> float:
        """G / (alpha/beta) in 1/mGy: BED = D (1 + this D); 0 for an absorbed dose."""
        protraction = self.protraction
        if protraction is None or not isinstance(self.value, BiologicallyEffectiveDose):
            return 0.0
        return protraction / (MGY_PER_GY * self.value.alpha_beta_gy)

    def effect_mgy(self, dose_mgy: ArrayF8) -> ArrayF8:
        """[n] dose or BED of absorbed doses of one administration."""
        dose = np.asarray(dose_mgy, dtype=np.float64)
        return np.asarray(dose * (1.0 + self.per_mgy * dose))

    def dose_mgy(self, effect_mgy: ArrayF8) -> ArrayF8:
        """[n] absorbed doses of one administration that make such effects; 0 for effects of 0 or less."""
        effect = np.maximum(np.asarray(effect_mgy, dtype=np.float64), 0.0)
        # the root of D + k D^2 = E in the form that also holds for k = 0
        return np.asarray(2.0 * effect / (1.0 + np.sqrt(1.0 + 4.0 * self.per_mgy * effect)))

    def one_dose_mgy(self) -> float:
        """Return the absorbed dose that fills the whole limit in one administration."""
        limit = self.value_mgy
        return 2.0 * limit / (1.0 + sqrt(1.0 + 4.0 * self.per_mgy * limit))


def limit_keys() -> tuple[str, ...]:
    """Return the names of the packaged limits."""
    return tuple(load("therapy_limits")["key"].tolist())


def packaged_limit(
    key: str, *, effective_half_life_h: float | None = None, rate: DoseRate | None = None
) -> Limit:
    """Return a limit of the table ``therapy_limits``.

    Parameters
    ----------
    effective_half_life_h
        Dose rate of one administration as a single exponential, for a BED; or give ``rate``.

    Raises
    ------
    InputError
        For an unknown name, or a BED without half-life and dose rate.
    """
    table = load("therapy_limits")
    keys = limit_keys()
    if key not in keys:
        raise InputError(f"there is no limit '{key}'", where="limit", allowed=", ".join(keys))
    row = keys.index(key)
    value_mgy = MGY_PER_GY * float(table["limit_gy"][row])
    organ, meaning, source = (str(table[name][row]) for name in ("organ", "meaning", "source"))
    if str(table["quantity"][row]) == "dose":
        return Limit(organ=organ, value=AbsorbedDose(value_mgy), meaning=meaning, source=source)
    if rate is None and effective_half_life_h is not None:
        check_positive(effective_half_life_h=effective_half_life_h)
        rate = DoseRate(amplitudes=(1.0,), half_lives_h=(effective_half_life_h,))
    repair = Repair(half_times_h=(float(table["repair_h"][row]),), source=source)
    value = BiologicallyEffectiveDose(value_mgy, float(table["alpha_beta_gy"][row]))
    return Limit(organ=organ, value=value, rate=rate, repair=repair, meaning=meaning, source=source)
