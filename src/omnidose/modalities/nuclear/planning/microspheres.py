"""Microspheres in the liver (SIRT): partition model, one compartment, and the BSA formula beside them.

Activity stays where it lodges: a tissue with the share w of the activity and the mass m gets K w / m, with K
the electron energy of complete decay. Cross-fire between compartments and the bremsstrahlung that leaves
(0.4 % of the energy of 90Y) are left out.

References
----------
Ho et al. 1996 *Eur J Nucl Med* 23:947 (partition model); EANM standard operational procedure, 2021, *EJNMMI
Physics* 8:77 (90Y microspheres); Kao et al. 2011 *Ann Nucl Med* 25:455 (BSA formula and partition model
side by side).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, log

import numpy as np
import numpy.typing as npt

from omnidose.errors import ContradictionError, InputError
from omnidose.modalities.nuclear.planning.confidence import (
    DosePerActivity,
    check_positive,
    check_std,
)
from omnidose.modalities.nuclear.planning.emitters import low_let_decays
from omnidose.modalities.nuclear.planning.plausible import check_person
from omnidose.transport.tally import MGY_PER_KEV_G

ArrayF8 = npt.NDArray[np.float64]

TUMOUR, NORMAL_LIVER, LUNGS = "tumour", "normal liver", "lungs"
#: Mean tumour dose with which half of the tumours responded (mRECIST): glass microspheres, 90Y PET, primary
#: cancer and metastases, 89 lesions. A response of others' patients, no goal of ours.
TCP50_MGY = 292_000.0
TCP50_SOURCE = "Dewaraja et al. 2020, J Nucl Med 61:104, abstract"


def complete_decay_mgy_g_per_mbq(nuclide: str = "Y-90") -> float:
    """Return the electron energy of complete decay (mGy g per MBq; 1000 of them are 1 J/GBq).

    With the packaged data of 90Y (64.0 h, 930.6 keV) 49.56 J/GBq. Conventions: 49.67 (64.1 h and 931.2 keV,
    or 64.24 h and 929.2 keV), 49.38, 50 (rounded). Progeny that decays at once is counted.

    Raises
    ------
    InputError
        For emitters of alpha particles, and progeny that decays later: see
        :mod:`omnidose.modalities.nuclear.planning.emitters`.
    """
    members = low_let_decays(nuclide)
    kev_per_decay = sum(n * emitter.electron_energy_per_decay_kev for emitter, n in members)
    decays_per_mbq = 1e6 * members[0][0].half_life_s / log(2)
    return MGY_PER_KEV_G * kev_per_decay * decays_per_mbq


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionModel:
    """Tumour, normal liver and lungs, as a 99mTc-MAA study sees them.

    Attributes
    ----------
    lung_shunt_fraction, lung_shunt_std_rel
        Share of the activity that ends in the lungs, and its relative standard uncertainty.
    ratio, ratio_std_rel
        Tumour to normal liver: ratio of activity *concentrations* (not of activities).
    tumour_g, tumour_std_rel, normal_g, normal_std_rel
        Masses of tumour and normal liver in the perfused volume.
    lung_g, lung_std_rel
        Mass of the lungs.
    nuclide
        Of the microspheres.

    Raises
    ------
    InputError
        For numbers out of range.
    """

    lung_shunt_fraction: float
    ratio: float
    tumour_g: float
    normal_g: float
    lung_g: float
    lung_shunt_std_rel: float = 0.0
    ratio_std_rel: float = 0.0
    tumour_std_rel: float = 0.0
    normal_std_rel: float = 0.0
    lung_std_rel: float = 0.0
    nuclide: str = "Y-90"

    def __post_init__(self) -> None:
        if not 0 <= self.lung_shunt_fraction < 1:
            raise InputError(
                f"a lung shunt of {self.lung_shunt_fraction:g} cannot be used",
                where="lung_shunt_fraction",
                allowed="0 to below 1 (0.05 for 5 %)",
            )
        check_positive(
            ratio=self.ratio,
            tumour_g=self.tumour_g,
            normal_g=self.normal_g,
            lung_g=self.lung_g,
        )
        check_std(
            lung_shunt_std_rel=self.lung_shunt_std_rel,
            ratio_std_rel=self.ratio_std_rel,
            tumour_std_rel=self.tumour_std_rel,
            normal_std_rel=self.normal_std_rel,
            lung_std_rel=self.lung_std_rel,
        )

    @property
    def tumour_fraction(self) -> float:
        """Share of the liver's activity in the tumour."""
        weighted = self.ratio * self.tumour_g
        return weighted / (weighted + self.normal_g)

    @property
    def fractions(self) -> dict[str, float]:
        """Share of the whole activity in each compartment; they add up to 1."""
        liver = 1 - self.lung_shunt_fraction
        return {
            TUMOUR: liver * self.tumour_fraction,
            NORMAL_LIVER: liver * (1 - self.tumour_fraction),
            LUNGS: self.lung_shunt_fraction,
        }

    @property
    def _liver_std(self) -> float:
        """Of ln(1 - shunt)."""
        return self.lung_shunt_std_rel * self.lung_shunt_fraction / (1 - self.lung_shunt_fraction)

    def tumour(self) -> DosePerActivity:
        """Return the dose of the tumour, uncertainty to first order.

        A larger ratio or tumour takes a larger share of the activity: both enter with what is left over, 1
        - w and w, where w is the tumour's share of the liver's activity.
        """
        w = self.tumour_fraction
        per_mbq = complete_decay_mgy_g_per_mbq(self.nuclide) * self.fractions[TUMOUR] / self.tumour_g
        parts = (
            (1 - w) * self.ratio_std_rel,
            w * self.tumour_std_rel,
            (1 - w) * self.normal_std_rel,
            self._liver_std,
        )
        return DosePerActivity(
            name=TUMOUR, median_mgy_per_mbq=per_mbq, std_rel=hypot(*parts), source="partition model"
        )

    def normal_liver(self) -> DosePerActivity:
        """Return the dose of the normal liver, uncertainty to first order."""
        w = self.tumour_fraction
        per_mbq = complete_decay_mgy_g_per_mbq(self.nuclide) * self.fractions[NORMAL_LIVER] / self.normal_g
        parts = (
            w * self.ratio_std_rel,
            w * self.tumour_std_rel,
            (1 - w) * self.normal_std_rel,
            self._liver_std,
        )
        return DosePerActivity(
            name=NORMAL_LIVER, median_mgy_per_mbq=per_mbq, std_rel=hypot(*parts), source="partition model"
        )

    def lungs(self) -> DosePerActivity | None:
        """Return the dose of the lungs; None without a shunt."""
        if self.lung_shunt_fraction == 0:
            return None
        per_mbq = complete_decay_mgy_g_per_mbq(self.nuclide) * self.lung_shunt_fraction / self.lung_g
        return DosePerActivity(
            name=LUNGS,
            median_mgy_per_mbq=per_mbq,
            std_rel=hypot(self.lung_shunt_std_rel, self.lung_std_rel),
            source="partition model",
        )

    def sampled_mgy_per_mbq(self, *, draws: int = 20_000, seed: int = 1) -> dict[str, ArrayF8]:
        """[draws] dose per activity of each compartment, every input drawn log-normally."""
        rng = np.random.default_rng(seed)

        def draw(value: float, std_rel: float) -> ArrayF8:
            return np.asarray(value * np.exp(std_rel * rng.standard_normal(draws)))

        shunt = np.minimum(draw(self.lung_shunt_fraction, self.lung_shunt_std_rel), 1.0)
        ratio = draw(self.ratio, self.ratio_std_rel)
        tumour, normal = draw(self.tumour_g, self.tumour_std_rel), draw(self.normal_g, self.normal_std_rel)
        lung = draw(self.lung_g, self.lung_std_rel)
        liver = complete_decay_mgy_g_per_mbq(self.nuclide) * (1 - shunt) / (ratio * tumour + normal)
        return {
            TUMOUR: liver * ratio,
            NORMAL_LIVER: liver,
            LUNGS: complete_decay_mgy_g_per_mbq(self.nuclide) * shunt / lung,
        }


def tumour_to_normal(tumour_mbq: float, tumour_cm3: float, normal_mbq: float, normal_cm3: float) -> float:
    """Return the ratio of concentrations from activities (or counts) of a 99mTc-MAA study in two volumes."""
    check_positive(tumour_mbq=tumour_mbq, tumour_cm3=tumour_cm3, normal_mbq=normal_mbq, normal_cm3=normal_cm3)
    return (tumour_mbq / tumour_cm3) / (normal_mbq / normal_cm3)


def one_compartment(
    perfused_g: float,
    *,
    perfused_std_rel: float,
    lung_shunt_fraction: float,
    residue_fraction: float = 0.0,
    nuclide: str = "Y-90",
) -> DosePerActivity:
    """Return the mean dose of a perfused volume taken as one, per activity in the vial.

    Parameters
    ----------
    residue_fraction
        Share of the vial that is not delivered.
    """
    check_positive(perfused_g=perfused_g)
    for name, value in (("lung_shunt_fraction", lung_shunt_fraction), ("residue_fraction", residue_fraction)):
        if not 0 <= value < 1:
            raise InputError(f"{value:g} cannot be used", where=name, allowed="0 to below 1")
    arrives = (1 - lung_shunt_fraction) * (1 - residue_fraction)
    return DosePerActivity(
        name="perfused volume",
        median_mgy_per_mbq=complete_decay_mgy_g_per_mbq(nuclide) * arrives / perfused_g,
        std_rel=perfused_std_rel,
        source="one compartment (MIRD)",
    )


def body_surface_m2(height_cm: float, weight_kg: float) -> float:
    """Return the body surface in m2 (Du Bois and Du Bois 1916, Arch Intern Med 17:863)."""
    check_person(height_cm=height_cm, weight_kg=weight_kg)
    return float(0.20247 * (height_cm / 100) ** 0.725 * weight_kg**0.425)


def bsa_activity_mbq(*, height_cm: float, weight_kg: float, tumour_cm3: float, liver_cm3: float) -> float:
    """Return the activity of the BSA formula for resin microspheres: for comparison only, it knows no dose.

    A (GBq) = BSA (m2) - 0.2 + tumour volume / liver volume (with the tumour).

    Raises
    ------
    ContradictionError
        If the tumour is larger than the liver that holds it.
    """
    check_positive(tumour_cm3=tumour_cm3, liver_cm3=liver_cm3)
    if tumour_cm3 > liver_cm3:
        raise ContradictionError(
            f"a tumour of {tumour_cm3:g} cm3 is larger than the liver of {liver_cm3:g} cm3 that holds it",
            where="tumour_cm3, liver_cm3",
        )
    return 1000 * max(body_surface_m2(height_cm, weight_kg) - 0.2 + tumour_cm3 / liver_cm3, 0.0)
