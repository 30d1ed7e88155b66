"""Claim ``organs-icrp110``: organ doses on the reference phantoms of the ICRP, where a user imported them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from omnidose.anatomy.body import BodyModel
from omnidose.anatomy.icrp110 import has_reference_phantom, load_reference_phantom
from omnidose.anatomy.stylised import media
from omnidose.data import load
from omnidose.dosimetry.internal.compute import compute_absorbed_fractions, energies_for
from omnidose.dosimetry.internal.doses import DIAGNOSTIC, effective_dose_of_activity, organ_doses_of_activity
from omnidose.dosimetry.internal.fractions import AbsorbedFractions
from omnidose.dosimetry.internal.regions import REMAINDER
from omnidose.dosimetry.internal.s_values import s_values
from omnidose.dosimetry.results import OrganDoses
from omnidose.dosimetry.weighting import weighted_sum
from omnidose.kinetics.biokinetics import biokinetic_model, time_integrated_coefficients_h
from omnidose.kinetics.bladder import ICRP_ADULT_VOIDING
from omnidose.physics.electron_stopping import csda_range_g_cm2
from omnidose.physics.nuclides import nuclide
from omnidose.validation import Context, Row, State, within

SELF_REL, FDG_REL = 0.05, 0.05
#: Cross fire in another phantom is a check of the order alone: distances between organs differ.
CROSS_FACTOR = 2.0
PHANTOMS = {"male": "AM", "female": "AF"}
#: Photons for each source and energy: of FDG, whose doses hang on cross fire, and of Lu-177.
FDG_HISTORIES, LU_HISTORIES = 1_000_000, 40_000
#: Source and target in the table of S values -> ours: what a region of its own, or its contents, gives it.
SELF = {
    ("Adrenals", "Adrenals"): ("adrenals", "adrenals"),
    ("Brain", "Brain"): ("brain", "brain"),
    ("Esophagus", "Esophagus"): ("oesophagus", "oesophagus"),
    ("StomCont", "Stomach Wall"): ("stomach-contents", "stomach"),
    ("SI Cont", "Small Intestine"): ("small-intestine-contents", "small-intestine"),
    ("GB Cont", "Gallbladder Wall"): ("gall-bladder-contents", "gall-bladder"),
    ("Hrt Wall", "Heart Wall"): ("heart", "heart"),
    ("HeartCon", "Heart Wall"): ("heart-contents", "heart"),
    ("Kidneys", "Kidneys"): ("kidneys", "kidneys"),
    ("Liver", "Liver"): ("liver", "liver"),
    ("Lungs", "Lungs"): ("lungs", "lungs"),
    ("Pancreas", "Pancreas"): ("pancreas", "pancreas"),
    ("Prostate", "Prostate"): ("prostate", "prostate"),
    ("Salivary", "Salivary Glands"): ("salivary-glands", "salivary-glands"),
    ("Red Mar.", "Red Marrow"): ("red-marrow", "red-marrow"),
    ("Red Mar.", "Osteogenic Cells"): ("red-marrow", "endosteum"),
    ("Spleen", "Spleen"): ("spleen", "spleen"),
    ("Testes", "Testes"): ("testes", "testes"),
    ("Thymus", "Thymus"): ("thymus", "thymus"),
    ("Thyroid", "Thyroid"): ("thyroid", "thyroid"),
    ("UB Cont", "Urinary Bladder Wall"): ("bladder-contents", "bladder"),
}
#: The same for cross fire between large organs.
CROSS = {
    ("Kidneys", "Liver"): ("kidneys", "liver"),
    ("Liver", "Kidneys"): ("liver", "kidneys"),
    ("Liver", "Lungs"): ("liver", "lungs"),
    ("Spleen", "Kidneys"): ("spleen", "kidneys"),
    ("Kidneys", "Spleen"): ("kidneys", "spleen"),
    ("Liver", "Pancreas"): ("liver", "pancreas"),
    ("Liver", "Red Marrow"): ("liver", "red-marrow"),
    ("Kidneys", "Red Marrow"): ("kidneys", "red-marrow"),
}
#: Masses of ICRP 89 where the ICRP 110 man has others: lungs with their blood (drawn apart), bile. g.
MASSES_G = {"lungs": 1200.0, "gall-bladder-contents": 58.0}
_NOTES = {
    "lungs": "at 1200 g with the blood, which ICRP 110 draws apart: 1050 g without",
    "gall-bladder": "at 58 g of bile; ICRP 110 has 54 g",
}
LU_SOURCE = "OLINDA/EXM 2 adult man (NURBS, masses of ICRP 89), as carried by a public code"


def check_icrp110(context: Context) -> Iterator[Row]:
    """Compare effective doses of FDG and S values of Lu-177 on the ICRP 110 phantoms with published ones."""
    missing = [name for name in PHANTOMS.values() if not has_reference_phantom(name)]
    if missing:
        yield _not_run(
            "18F-FDG and 177Lu on ICRP 110", "the phantoms are not imported: omnidose phantom import"
        )
        return
    yield from _fdg(context)
    if context.reference is None:
        yield _not_run("177Lu on ICRP 110", "needs the reference file of S values")
    else:
        path = context.reference / "nm" / "svalues_177Lu_adult_male_mGy_per_MBq_s.csv"
        yield from _lutetium(path, context)
    yield _not_run(
        "99mTc-pertechnetate on ICRP 110 beside IDAC-Dose 2.1",
        "the organ doses are published, the time-integrated activity behind them was not found",
    )


def _fdg(context: Context) -> Iterator[Row]:
    model = biokinetic_model("18F-FDG", recalled=True)
    hours = time_integrated_coefficients_h(model, nuclide("F-18").half_life_h, voiding=ICRP_ADULT_VOIDING)
    doses, averaged = {}, {}
    for person, name in PHANTOMS.items():
        fractions = phantom_fractions(name, list(hours), (500.0, 1000.0), FDG_HISTORIES, context)
        doses[person] = organ_doses_of_activity(fractions, hours, "F-18")
        averaged[person] = over_the_wall(doses[person], load_reference_phantom(name, folder=_folder(context)))
    published = {str(r["person"]): r for r in load("saf_checks_doses").rows() if r["set"] == "fdg-icrp110"}
    for person in ("mean", *PHANTOMS):
        yield within(
            f"18F-FDG on ICRP 110, {person}: effective dose (ICRP 103), positrons over all the bladder wall",
            _effective_msv(averaged, person),
            float(published[person]["value"]),
            unit="mSv/MBq",
            source=str(published[person]["source"]),
            tolerance_rel=FDG_REL,
            note=f"with the dose at the wall's surface, our rule and that of ICRP 30, "
            f"{_effective_msv(doses, person):.4f} mSv/MBq; voids every 3.5 h; coefficients from memory",
        )


def over_the_wall(doses: OrganDoses, body: BodyModel) -> OrganDoses:
    """Return the doses with the positrons of the bladder's contents averaged over the mass of its wall.

    Monte Carlo of electrons in voxels, with which the published doses were made, scores the mean of the wall
    (Hadid et al. 2010, Radiat. Prot. Dosim. 139:245: the rule of ICRP 30 is far above it); cells at risk are
    at its surface. Energy that straight tracks of range R carry through an area A out of a volume V with an
    even source: E A R / (8 V) for each of energy E.
    """
    labels = body.labels
    inside, wall = (body.organ(key).label for key in ("bladder-contents", "bladder"))
    dx, dy, dz = (side / 10 for side in body.grid.spacing_mm)
    area_cm2 = 0.0
    for axis, face_cm2 in enumerate((dx * dy, dx * dz, dy * dz)):
        first = np.moveaxis(labels, axis, 0)[:-1]
        second = np.moveaxis(labels, axis, 0)[1:]
        touching = ((first == inside) & (second == wall)) | ((first == wall) & (second == inside))
        area_cm2 += face_cm2 * float(np.count_nonzero(touching))
    item = nuclide("F-18")
    energy = item.positron_spectrum.middle_kev
    number = item.positron_spectrum.per_decay * energy
    mean_range_g_cm2 = float(number @ csda_range_g_cm2(media()["soft-tissue"], energy) / number.sum())
    mass_g = dict(zip(doses.organs, doses.mass_g.tolist(), strict=True))
    absorbed = area_cm2 * mean_range_g_cm2 / (8 * mass_g["bladder-contents"])
    surface_rule = 0.5 * mass_g["bladder"] / mass_g["bladder-contents"]
    i, j = doses.organs.index("bladder"), doses.qualities.index("electron")
    dose_mgy = doses.dose_mgy.copy()
    dose_mgy[i, j] *= absorbed / surface_rule
    return replace(doses, dose_mgy=dose_mgy)


def _effective_msv(doses: Mapping[str, OrganDoses], person: str) -> float:
    if person == "mean":
        mean = effective_dose_of_activity(doses["male"], doses["female"], purpose=DIAGNOSTIC)
        return float(mean.value.value)
    return float(weighted_sum(doses[person], sex="M" if person == "male" else "F").value.value)


def phantom_fractions(
    name: str, sources: Sequence[str], energies_kev: Sequence[float], histories: float, context: Context
) -> AbsorbedFractions:
    """Return absorbed fractions of an ICRP 110 phantom, from the user's cache or by Monte Carlo."""
    return compute_absorbed_fractions(
        load_reference_phantom(name, folder=_folder(context)),
        [*(key for key in sources if key != REMAINDER), *([REMAINDER] if REMAINDER in sources else [])],
        energies_kev=energies_kev,
        histories=histories,
        progress=context.progress,
    )


def _folder(context: Context) -> Path | None:
    return context.reference / "icrp110" if context.reference is not None else None


def _lutetium(path: Path, context: Context) -> Iterator[Row]:
    sources = list(dict.fromkeys(source for source, _target in (*SELF.values(), *CROSS.values())))
    fractions = phantom_fractions("AM", sources, energies_for("Lu-177"), LU_HISTORIES, context)
    table = s_values(fractions, {"Lu-177": 1.0}, sources, masses_g=MASSES_G)
    published = _published(path)
    for theirs, (source, target) in SELF.items():
        yield within(
            f"177Lu on ICRP 110, male: S of {target} from {source}",
            table.of(target, source) / 3600,
            published[theirs],
            unit="mGy/(MBq s)",
            source=LU_SOURCE,
            tolerance_rel=SELF_REL,
            note=_NOTES.get(target, ""),
        )
    for theirs, (source, target) in CROSS.items():
        yield within(
            f"177Lu on ICRP 110, male: cross fire to {target} from {source}",
            table.of(target, source) / 3600,
            published[theirs],
            unit="mGy/(MBq s)",
            source=LU_SOURCE,
            bounds=(published[theirs] / CROSS_FACTOR, published[theirs] * CROSS_FACTOR),
            note="another phantom: the order alone",
        )


def _published(path: Path) -> dict[tuple[str, str], float]:
    """Return S values by (source, target) as written in the file."""
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return {
        (column.strip(), row["Target"].strip()): float(value)
        for row in rows
        for column, value in row.items()
        if column != "Target"
    }


def _not_run(name: str, reason: str) -> Row:
    return Row(
        name=name,
        ours=None,
        unit="",
        reference=None,
        source="",
        tolerance="",
        state=State.NOT_RUN,
        note=reason,
    )
