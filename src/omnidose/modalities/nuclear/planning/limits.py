"""Limits of absorbed dose or BED: the conventions of practice, and how a dose counts against one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
        check_positive(**{f"limit of {self.organ} in mGy": float(self.value)})
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """A limit of practice: no physics, and no advice.

    Attributes
    ----------
    limit_gy
        Absorbed dose, or BED if ``alpha_beta_gy`` is above 0.
    repair_h
        Half-time of repair, for a BED.
    """

    key: str
    organ: str
    limit_gy: float
    meaning: str
    source: str
    alpha_beta_gy: float = 0.0
    repair_h: float = 0.0


_EMAMI = "Emami et al. 1991, Int J Radiat Oncol Biol Phys 21:109 (external beams)"
_KIDNEY_BED = "Barone et al. 2005, J Nucl Med 46:99S; Bodei et al. 2008, Eur J Nucl Med Mol Imaging 35:1847"
_SOP_Y90 = "EANM 2021, EJNMMI Physics 8:77"
_MARROW = "EANM 2022, Eur J Nucl Med Mol Imaging 49:1778"
_BLOOD = "Benua et al. 1962, Am J Roentgenol 87:171; EANM 2008, Eur J Nucl Med Mol Imaging 35:1405"
#: As the field quotes them; none was read again in the publication that is named.
CONVENTIONS = (
    Convention(
        key="kidneys", organ="kidneys", limit_gy=23.0, meaning="lower end of 23 to 29 Gy", source=_EMAMI
    ),
    Convention(
        key="kidneys-high", organ="kidneys", limit_gy=29.0, meaning="upper end of 23 to 29 Gy", source=_EMAMI
    ),
    Convention(
        key="kidneys-bed",
        organ="kidneys",
        limit_gy=40.0,
        alpha_beta_gy=2.6,
        repair_h=2.8,
        meaning="without risk factors",
        source=_KIDNEY_BED,
    ),
    Convention(
        key="kidneys-bed-risk",
        organ="kidneys",
        limit_gy=28.0,
        alpha_beta_gy=2.6,
        repair_h=2.8,
        meaning="with risk factors (hypertension, diabetes, earlier nephrotoxic therapy)",
        source=_KIDNEY_BED,
    ),
    Convention(
        key="red-marrow", organ="red-marrow", limit_gy=2.0, meaning="all cycles together", source=_MARROW
    ),
    Convention(key="blood", organ="blood", limit_gy=2.0, meaning="one therapy with 131I", source=_BLOOD),
    Convention(key="lungs", organ="lungs", limit_gy=30.0, meaning="one session", source=_SOP_Y90),
    Convention(
        key="lungs-cumulated", organ="lungs", limit_gy=50.0, meaning="all sessions together", source=_SOP_Y90
    ),
)


def limit_keys() -> tuple[str, ...]:
    """Return the names of the conventions."""
    return tuple(convention.key for convention in CONVENTIONS)


def usual_limit(
    key: str, *, effective_half_life_h: float | None = None, rate: DoseRate | None = None
) -> Limit:
    """Return a limit of :data:`CONVENTIONS`.

    Parameters
    ----------
    effective_half_life_h
        Dose rate of one administration as a single exponential, for a BED; or give ``rate``.

    Raises
    ------
    InputError
        For an unknown name, or a BED without half-life and dose rate.
    """
    found = next((c for c in CONVENTIONS if c.key == key), None)
    if found is None:
        raise InputError(f"there is no limit '{key}'", where="limit", allowed=", ".join(limit_keys()))
    value_mgy = MGY_PER_GY * found.limit_gy
    source = f"{found.organ}, {found.meaning}: {found.source}, as commonly quoted"
    if not found.alpha_beta_gy:
        return Limit(organ=found.organ, value=AbsorbedDose(value_mgy), meaning=found.meaning, source=source)
    if rate is None and effective_half_life_h is not None:
        check_positive(effective_half_life_h=effective_half_life_h)
        rate = DoseRate(amplitudes=(1.0,), half_lives_h=(effective_half_life_h,))
    return Limit(
        organ=found.organ,
        value=BiologicallyEffectiveDose(value_mgy, found.alpha_beta_gy),
        rate=rate,
        repair=Repair(half_times_h=(found.repair_h,), source=found.source),
        meaning=found.meaning,
        source=source,
    )
