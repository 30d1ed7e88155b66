"""Dose to blood and, through blood, to red marrow: radioiodine's limit of 2 Gy, and marrow in 177Lu therapy.

D / A = a u_blood + b M^(-2/3) u_body, with the decays u per administered activity in 1 mL of blood and in
the whole body, and the body mass M. The first term is the electron energy in blood; the second the photons
of the whole body, whose dose falls with M^(-2/3) (a larger body also keeps a larger share). Both come from
our own data: electrons per decay, and our photon Monte Carlo of uniform activity in the equation-based
adults (table ``therapy_body_photons``).

References
----------
Lassmann et al. 2008 *Eur J Nucl Med Mol Imaging* 35:1405 (EANM standard operational procedure: the
formula, with a = 108 Gy mL/(GBq h) and b = 0.0188 Gy kg^(2/3)/(GBq h) as remembered, not read again);
Hänscheid et al. 2009 *Endocr Relat Cancer* 16:1283 (one measurement of the whole body); Forrer et al.
2009 *Eur J Nucl Med Mol Imaging* 36:1138 (177Lu in marrow as in blood); Sgouros 1993 *J Nucl Med* 34:689
(marrow from blood); Nadler, Hidalgo and Bloch 1962 *Surgery* 51:224 (blood volume).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, log

import numpy as np
import numpy.typing as npt

from omnidose.data import Table, load
from omnidose.errors import InputError
from omnidose.kinetics.curves import TimeIntegratedActivity
from omnidose.modalities.nuclear.planning.confidence import DosePerActivity, check_positive, check_std
from omnidose.modalities.nuclear.planning.emitters import low_let_decays
from omnidose.modalities.nuclear.planning.plausible import check_blood, check_person
from omnidose.physics.nuclides import nuclide as load_nuclide
from omnidose.transport.tally import MGY_PER_KEV_G

#: Blood (ICRP 89).
BLOOD_G_CM3 = 1.06
#: Coefficients of EANM 2008 for 131I, as remembered, for comparison: mGy mL and mGy kg^(2/3) per MBq h.
EANM_2008 = (108.0, 0.0188)
#: Share of the whole body's decays that are in the blood (Hänscheid 2009, abstract).
BLOOD_SHARE = 0.14
#: The method deviates by 14 % on average (abstract): 0.798 standard deviations of a normal distribution.
SINGLE_STD_REL = 0.14 / 0.798
#: When that one measurement was tested: day 1 or 2.
TESTED_H = (20.0, 52.0)
_DECAYS_PER_MBQ_H = 3.6e9


@dataclass(frozen=True, slots=True, kw_only=True)
class BloodTerms:
    """Coefficients of the formula.

    Attributes
    ----------
    blood_mgy_cm3_per_mbq_h
        Dose to blood per decays (MBq h) in 1 mL; the same number in Gy mL/(GBq h).
    body_mgy_kg23_per_mbq_h
        Dose per decays (MBq h) in the whole body times M^(2/3), M in kg.
    source
        Where they come from.
    """

    blood_mgy_cm3_per_mbq_h: float
    body_mgy_kg23_per_mbq_h: float
    source: str

    def body_mgy_per_mbq_h(self, body_kg: float) -> float:
        """Return the dose per decays in the whole body for a body mass."""
        check_person(weight_kg=body_kg)
        return float(self.body_mgy_kg23_per_mbq_h * body_kg ** (-2 / 3))


def blood_terms(nuclide: str = "I-131", *, sex: str = "M", blood_g_cm3: float = BLOOD_G_CM3) -> BloodTerms:
    """Return the coefficients from electrons per decay and our Monte Carlo of a whole body.

    Parameters
    ----------
    nuclide
        Emitter of electrons and photons; progeny that decays with it is counted.
    sex
        Equation-based adult whose absorbed fractions are taken: ``M`` or ``F``.
    blood_g_cm3
        1 takes 1 mL as 1 g, as published coefficients of 177Lu do.

    Raises
    ------
    InputError
        For emitters of alpha particles, and progeny that decays later: see
        :mod:`omnidose.modalities.nuclear.planning.emitters`.
    """
    check_positive(blood_g_cm3=blood_g_cm3)
    members = low_let_decays(nuclide)
    mgy_g_per_kev = _DECAYS_PER_MBQ_H * MGY_PER_KEV_G  # per MBq h
    photons_kev = sum(
        number * float((lines.energy_kev * lines.per_decay * body_absorbs(lines.energy_kev, sex)).sum())
        for emitter, number in members
        for lines in (emitter.photon_lines, emitter.annihilation_lines)
    )
    electrons_kev = sum(number * emitter.electron_energy_per_decay_kev for emitter, number in members)
    names = " with ".join(emitter.name for emitter, _number in members)
    reference_g = body_reference_g(sex)
    body = mgy_g_per_kev * photons_kev / reference_g * (reference_g / 1000) ** (2 / 3)
    return BloodTerms(
        blood_mgy_cm3_per_mbq_h=mgy_g_per_kev * electrons_kev / blood_g_cm3,
        body_mgy_kg23_per_mbq_h=body,
        source=f"{names}: packaged emissions, photon Monte Carlo in the equation-based adult ({sex})",
    )


def eanm_2008() -> BloodTerms:
    """Return the coefficients of the EANM procedure for 131I, for comparison."""
    return BloodTerms(
        blood_mgy_cm3_per_mbq_h=EANM_2008[0],
        body_mgy_kg23_per_mbq_h=EANM_2008[1],
        source="EANM 2008, Eur J Nucl Med Mol Imaging 35:1405",
    )


def body_absorbs(energy_kev: npt.NDArray[np.float64], sex: str) -> npt.NDArray[np.float64]:
    """[n] share of photon energy that a body with uniform activity absorbs (by ln E between energies)."""
    table, mine = _body_table(sex)
    return np.asarray(
        np.interp(np.log(energy_kev), np.log(table["energy_kev"][mine]), table["absorbed_fraction"][mine])
    )


def body_reference_g(sex: str) -> float:
    """Return the mass of the body that :func:`body_absorbs` is of."""
    table, mine = _body_table(sex)
    return float(table["body_g"][mine][0])


def _body_table(sex: str) -> tuple[Table, npt.NDArray[np.bool_]]:
    table = load("therapy_body_photons")
    mine = table["sex"] == sex
    if not mine.any():
        raise InputError(f"there is no reference adult '{sex}'", where="sex", allowed="M or F")
    return table, mine


def blood_dose(
    blood: TimeIntegratedActivity,
    body: TimeIntegratedActivity,
    *,
    body_kg: float,
    terms: BloodTerms,
    extra_std_rel: float = 0.0,
    name: str = "blood",
) -> DosePerActivity:
    """Return the dose of blood per administered activity.

    Parameters
    ----------
    blood, body
        Decays per administered MBq (MBq h): in 1 mL of blood, and in the whole body.
    extra_std_rel
        Calibration of counters, tracer against therapy.

    Raises
    ------
    ContradictionError
        For blood with more decays than the body that it flows in.
    """
    check_std(extra_std_rel=extra_std_rel)
    check_blood(blood, body, body_kg=body_kg)
    parts = (
        (terms.blood_mgy_cm3_per_mbq_h * blood.value_mbq_h, blood.std_rel),
        (terms.body_mgy_per_mbq_h(body_kg) * body.value_mbq_h, body.std_rel),
    )
    total = sum(value for value, _std in parts)
    measured = hypot(*(value * std for value, std in parts)) / total
    return DosePerActivity(
        name=name, median_mgy_per_mbq=total, std_rel=hypot(measured, extra_std_rel), source=terms.source
    )


def marrow_dose(
    blood: TimeIntegratedActivity,
    body: TimeIntegratedActivity,
    *,
    body_kg: float,
    ratio: float,
    ratio_std_rel: float,
    nuclide: str = "Lu-177",
    sex: str = "M",
) -> DosePerActivity:
    """Return the dose of red marrow per administered activity, from blood.

    Electrons of marrow stay in marrow (bone's share of them is left out: an upper bound); its photons are
    those of the whole body.

    Parameters
    ----------
    ratio
        Marrow to blood: ratio of activity concentrations per gram. 1 for 177Lu-DOTATATE (Forrer 2009); about
        0.36 for large molecules that stay in plasma (Sgouros 1993, with a haematocrit near 0.47).
    """
    check_positive(ratio=ratio)
    check_std(ratio_std_rel=ratio_std_rel)
    own = blood_terms(nuclide, sex=sex)
    terms = BloodTerms(
        blood_mgy_cm3_per_mbq_h=own.blood_mgy_cm3_per_mbq_h * ratio,
        body_mgy_kg23_per_mbq_h=own.body_mgy_kg23_per_mbq_h,
        source=f"{own.source}; marrow to blood {ratio:g}",
    )
    dose = blood_dose(blood, body, body_kg=body_kg, terms=terms, name="red-marrow")
    from_blood = terms.blood_mgy_cm3_per_mbq_h * blood.value_mbq_h / dose.median_mgy_per_mbq
    return DosePerActivity(
        name=dose.name,
        median_mgy_per_mbq=dose.median_mgy_per_mbq,
        std_rel=hypot(dose.std_rel, from_blood * ratio_std_rel),
        source=dose.source,
    )


def blood_volume_cm3(sex: str, *, height_cm: float, weight_kg: float) -> float:
    """Return the blood volume of a person (Nadler 1962), mL."""
    check_person(height_cm=height_cm, weight_kg=weight_kg)
    cubic, linear, constant = {"M": (0.3669, 0.03219, 0.6041), "F": (0.3561, 0.03308, 0.1833)}.get(
        sex, (0.0, 0.0, 0.0)
    )
    if not cubic:
        raise InputError(f"blood volumes of '{sex}' are not known", where="sex", allowed="M or F")
    return float(1000 * (cubic * (height_cm / 100) ** 3 + linear * weight_kg + constant))


def from_one_retention(
    retained_fraction: float, time_h: float, *, blood_cm3: float
) -> tuple[TimeIntegratedActivity, TimeIntegratedActivity]:
    """Return decays per administered MBq in 1 mL of blood and in the whole body, from one measurement.

    One exponential through 1 at the start and the measurement; 14 % of the body's decays are in the blood
    (Hänscheid 2009). What is known of its uncertainty is that of the dose: see
    :func:`dose_from_one_retention`.

    Parameters
    ----------
    retained_fraction
        Share of the administered activity still in the body, not corrected for decay.
    time_h
        When; the method was tested for 1 to 2 days.

    Raises
    ------
    InputError
        For a share outside (0, 1), or a curve that falls slower than 131I decays.
    """
    if not 0 < retained_fraction < 1:
        raise InputError(
            f"a retention of {retained_fraction:g} cannot be used",
            where="retention",
            allowed="above 0 and below 1 (0.1 for 10 %)",
        )
    check_positive(time_h=time_h, blood_cm3=blood_cm3)
    body_h = -time_h / log(retained_fraction)
    longest_h = load_nuclide("I-131").half_life_h / log(2)
    if body_h > longest_h:
        raise InputError(
            f"{100 * retained_fraction:.3g} % after {time_h:g} h is more than decay alone would leave",
            where="retention",
            todo="give it without correction for decay",
        )
    blood_h = BLOOD_SHARE * body_h / blood_cm3

    def decays(value: float, what: str) -> TimeIntegratedActivity:
        return TimeIntegratedActivity(
            value_mbq_h=value,
            std_mbq_h=float("nan"),
            tail_fraction=retained_fraction,
            head_fraction=1 - retained_fraction,
            method=f"{what} from one whole-body measurement (Hänscheid 2009)",
        )

    return decays(blood_h, "blood"), decays(body_h, "whole body")


def dose_from_one_retention(
    retained_fraction: float,
    time_h: float,
    *,
    blood_cm3: float,
    body_kg: float,
    terms: BloodTerms,
    extra_std_rel: float = 0.0,
) -> DosePerActivity:
    """Return the dose of blood per administered activity from one whole-body measurement.

    Its relative uncertainty is 17.5 %: that of the method against complete blood dosimetry (Hänscheid 2009).

    Parameters
    ----------
    extra_std_rel
        Of the measurement itself, and of the tracer study against the therapy.
    """
    check_std(extra_std_rel=extra_std_rel)
    blood, body = from_one_retention(retained_fraction, time_h, blood_cm3=blood_cm3)
    total = terms.blood_mgy_cm3_per_mbq_h * blood.value_mbq_h
    total += terms.body_mgy_per_mbq_h(body_kg) * body.value_mbq_h
    return DosePerActivity(
        name="blood",
        median_mgy_per_mbq=total,
        std_rel=hypot(SINGLE_STD_REL, extra_std_rel),
        source=f"{body.method}; {terms.source}",
    )
