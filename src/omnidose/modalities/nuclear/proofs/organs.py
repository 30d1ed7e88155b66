"""Claim ``organs-stylised``: organ doses on the equation-based adults."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from omnidose.data import load
from omnidose.dosimetry.internal.doses import (
    DIAGNOSTIC,
    effective_dose_icrp60_msv,
    effective_dose_of_activity,
    organ_doses_of_activity,
)
from omnidose.dosimetry.internal.fractions import adult
from omnidose.dosimetry.internal.s_values import MGY_PER_MBQ_H
from omnidose.dosimetry.results import OrganDoses
from omnidose.kinetics.biokinetics import (
    RENAL_TRANSIT_H,
    RENAL_URINE,
    BiokineticModel,
    biokinetic_model,
    measured_coefficients,
    time_integrated_coefficients_h,
)
from omnidose.kinetics.bladder import ICRP_ADULT_VOIDING
from omnidose.physics.nuclides import nuclide
from omnidose.validation import Context, Row, within

#: Organs whose doses hang on a model of their own.
_DRAWN_OTHERWISE = ("red-marrow", "gall-bladder")
#: Shares of electrons below 200 keV from bone surfaces, and masses: ICRP Publication 30 (1979), table 7.4,
#: from memory; red marrow of the equation-based adult of 1987.
_ICRP30_ENDOSTEUM, _ICRP30_MARROW = 0.25, 0.5
_ICRP30_ENDOSTEUM_G, _MARROW_1987_G = 120.0, 1120.0
_BONE = ("trabecular-bone-surface", "cortical-bone-surface")


def check_fdg_stylised(context: Context) -> Iterator[Row]:
    """Compare organ doses of 18F-FDG and another agent on the equation-based adults with published ones."""
    yield from _fdg()
    yield from _phosphonates()
    yield from _ah113804()
    if context.reference is not None:
        yield from _recalled_organs(context.reference)


def _ah113804() -> Iterator[Row]:
    """An agent whose coefficients and doses were both read, on the man and the woman of the same family."""
    doses = {
        person: organ_doses_of_activity(
            adult(f"adult-{person}"), measured_coefficients("18F-AH113804", person).coefficients_h, "F-18"
        )
        for person in ("male", "female")
    }
    mean, mass_g = _mean_person(doses)
    ours = {**mean, "effective-dose-icrp60": effective_dose_icrp60_msv(mean, mass_g, purpose=DIAGNOSTIC)}
    for row in load("saf_checks_doses").rows():
        if row["set"] == "ah113804":
            yield within(
                f"18F-AH113804: {row['quantity']}, mean of man and woman",
                ours[str(row["quantity"])],
                float(row["value"]),
                unit=str(row["unit"]),
                source=str(row["source"]),
                tolerance_rel=0.10,
                note="coefficients of table 2, voids every 3.5 h; published with OLINDA/EXM 1",
            )


def _recalled_organs(reference: Path) -> Iterator[Row]:
    """All organ doses of FDG that the man has, beside numbers that are from memory."""
    with (reference / "nm" / "organ_doses.csv").open(encoding="utf-8", newline="") as handle:
        rows = [r for r in csv.DictReader(handle) if r["model"].startswith("ICRP106/128")]
    model = biokinetic_model("18F-FDG", recalled=True)
    hours = _icrp_hours(model, nuclide("F-18").half_life_h)
    doses = organ_doses_of_activity(adult("adult-male"), hours, "F-18")
    pairs = []
    for row in rows:
        key = organ_key(row["organ"])
        if (
            row["quantity"] == "absorbed_dose"
            and key in doses.organs
            and key not in ("kidneys", *_DRAWN_OTHERWISE)
        ):
            pairs.append((doses.dose_of(key), float(row["value"]), key))
    ours, theirs, key = max(pairs, key=lambda pair: abs(pair[0] / pair[1] - 1))
    yield within(
        f"18F-FDG: worst of {len(pairs)} organs of the man, {key}",
        ours,
        theirs,
        unit="mGy/MBq",
        source="ICRP 106 (2008), from memory",
        tolerance_rel=0.15,
        note="kidneys have a row of their own; gall bladder and marrow are drawn otherwise than published",
    )


def organ_key(name: str) -> str:
    """Return our name of an organ as the reference file writes it."""
    known = {"bone_surfaces": "endosteum", "breast": "breasts", "heart_wall": "heart"}
    return known.get(
        name, name.removesuffix("_wall").replace("_", "-").replace("gallbladder", "gall-bladder")
    )


def _mean_person(doses: Mapping[str, OrganDoses]) -> tuple[dict[str, float], dict[str, float]]:
    """Return dose and mass of every organ, averaged over the persons who have it."""
    found: dict[str, list[tuple[float, float]]] = {}
    for result in doses.values():
        for key, dose_mgy, mass_g in zip(result.organs, result.total_mgy, result.mass_g, strict=True):
            found.setdefault(key, []).append((float(dose_mgy), float(mass_g)))
    mean = {key: float(np.mean([dose for dose, _mass in pairs])) for key, pairs in found.items()}
    return mean, {key: float(np.mean([mass for _dose, mass in pairs])) for key, pairs in found.items()}


def _fdg() -> Iterator[Row]:
    """Compare 18F-FDG on the equation-based adult with what ICRP 106 gives for the same model."""
    half_life_h = nuclide("F-18").half_life_h
    model = biokinetic_model("18F-FDG", recalled=True)
    hours = _icrp_hours(model, half_life_h)
    doses = organ_doses_of_activity(adult("adult-male"), hours, "F-18")
    without = time_integrated_coefficients_h(model, half_life_h, voiding=ICRP_ADULT_VOIDING)
    no_transit = organ_doses_of_activity(adult("adult-male"), without, "F-18")
    woman = organ_doses_of_activity(adult("adult-female"), hours, "F-18")
    note = "; ".join(model.flags) + "; voids every 3.5 h"
    published = {str(r["quantity"]): r for r in load("saf_checks_doses").rows() if r["set"] == "fdg-mird"}
    yield within(
        "18F-FDG: effective dose with the weights of ICRP 60",
        icrp60_of(doses, woman),
        float(published["effective-dose-icrp60"]["value"]),
        unit="mSv/MBq",
        source=str(published["effective-dose-icrp60"]["source"]),
        tolerance_rel=0.10,
        note=f"adult man, ovaries of the woman (the published adult has both gonads); {note}",
    )
    for organ in ("bladder", "liver", "spleen"):
        yield within(
            f"18F-FDG: dose to the {organ}",
            doses.dose_of(organ),
            float(published[organ]["value"]),
            unit="mGy/MBq",
            source=str(published[organ]["source"]),
            tolerance_rel=0.10,
            note=note,
        )
    yield within(
        "18F-FDG: dose to the kidneys, urine on its way for 5 min",
        doses.dose_of("kidneys"),
        float(published["kidneys"]["value"]),
        unit="mGy/MBq",
        source=str(published["kidneys"]["source"]),
        tolerance_rel=0.10,
        note=f"{hours[RENAL_URINE]:.4f} h of urine by the renal transit of ICRP 53; without it "
        f"{no_transit.dose_of('kidneys'):.4f} mGy/MBq. {note}",
    )


def _icrp_hours(model: BiokineticModel, half_life_h: float) -> dict[str, float]:
    """Return coefficients with the ICRP's model of kidneys and bladder."""
    return time_integrated_coefficients_h(
        model, half_life_h, voiding=ICRP_ADULT_VOIDING, renal_transit_h=RENAL_TRANSIT_H
    )


def _phosphonates() -> Iterator[Row]:
    """Bone scintigraphy: as published with ICRP 30's fractions in bone, and with ours."""
    model = biokinetic_model("99mTc-phosphonates", recalled=True)
    hours = _icrp_hours(model, nuclide("Tc-99m").half_life_h)
    doses = {
        person: organ_doses_of_activity(adult(f"adult-{person}"), hours, "Tc-99m")
        for person in ("male", "female")
    }
    man, woman = doses["male"], doses["female"]
    old = _with_icrp30(man, hours)
    published = {str(r["quantity"]): r for r in load("saf_checks_doses").rows() if r["set"] == "phosphonates"}
    note = "; ".join(model.flags) + "; voids every 3.5 h"
    rule = (
        f"electrons from bone by ICRP 30 (endosteum {_ICRP30_ENDOSTEUM_G:g} g, marrow {_MARROW_1987_G:g} g)"
    )
    for name, value, key, why in (
        ("dose to the endosteum, " + rule, old.dose_of("endosteum"), "endosteum",
         f"ours, 50 micrometres: {man.dose_of('endosteum'):.4f} mGy/MBq. {note}"),
        ("effective dose with the weights of ICRP 60, " + rule, icrp60_of(old, woman),
         "effective-dose-icrp60", f"with ours {icrp60_of(man, woman):.4f} mSv/MBq. {note}"),
        ("dose to the bladder", man.dose_of("bladder"), "bladder", note),
        ("dose to the kidneys", man.dose_of("kidneys"), "kidneys", note),
        ("effective dose (ICRP 103), mean of man and woman",
         float(effective_dose_of_activity(man, woman, purpose=DIAGNOSTIC).value.value), "effective-dose",
         f"published on other phantoms. {note}"),
    ):  # fmt: skip
        yield within(
            f"99mTc-phosphonates: {name}",
            value,
            float(published[key]["value"]),
            unit=str(published[key]["unit"]),
            source=str(published[key]["source"]),
            tolerance_rel=0.10,
            note=why,
        )


def _with_icrp30(doses: OrganDoses, hours: Mapping[str, float]) -> OrganDoses:
    """Return the doses with electrons from bone surfaces shared out by the rule of ICRP 30."""
    on_bone = {key: hours[key] for key in _BONE}
    ours = organ_doses_of_activity(adult("adult-male"), on_bone, "Tc-99m")
    electron = doses.qualities.index("electron")
    per_g = MGY_PER_MBQ_H * 1000 * nuclide("Tc-99m").electron_energy_per_decay_kev
    dose_mgy = doses.dose_mgy.copy()
    for target, emitted_h, share, mass_g in (
        ("endosteum", sum(on_bone.values()), _ICRP30_ENDOSTEUM, _ICRP30_ENDOSTEUM_G),
        ("red-marrow", on_bone["trabecular-bone-surface"], _ICRP30_MARROW, _MARROW_1987_G),
    ):
        t = doses.organs.index(target)
        dose_mgy[t, electron] += per_g * emitted_h * share / mass_g - ours.dose_mgy[t, electron]
    return replace(doses, dose_mgy=dose_mgy)


def icrp60_of(man: OrganDoses, woman: OrganDoses) -> float:
    """Return the effective dose (ICRP 60) of the man with the ovaries and uterus of the woman."""
    dose_mgy = dict(zip(man.organs, man.total_mgy.tolist(), strict=True))
    mass_g = dict(zip(man.organs, man.mass_g.tolist(), strict=True))
    for organ in ("ovaries", "uterus"):
        dose_mgy[organ] = woman.dose_of(organ)
        mass_g[organ] = float(woman.mass_g[woman.organs.index(organ)])
    return effective_dose_icrp60_msv(dose_mgy, mass_g, purpose=DIAGNOSTIC)
