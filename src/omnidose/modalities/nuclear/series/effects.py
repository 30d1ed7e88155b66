"""What a therapy's doses may mean: BED, EQD2, alpha particles with an RBE, and the limits of practice.

None of these numbers is a measurement: alpha/beta and repair come from external beams and small series of
patients, and every row says whose they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from omnidose.anatomy.body import LESION
from omnidose.dosimetry.bed import DoseRate, Rbe, Repair, alpha_bed, bed, eqd2
from omnidose.dosimetry.results import OrganDoses
from omnidose.modalities.nuclear.planning.limits import CONVENTIONS, usual_limit
from omnidose.quantities import AbsorbedDose, BiologicallyEffectiveDose

LOW_LET = ("electron", "photon")
#: Labelled extra for alpha emitters: deterministic effects, range 1 to 10 in the literature (recalled).
ALPHA_RBE = Rbe(ratio=5.0, endpoint="deterministic effects", source="assumed; 1 to 10 are in use")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tissue:
    """How a tissue answers to dose rate.

    Attributes
    ----------
    alpha_beta_gy, repair_h
        Of the linear-quadratic model, and the half-time of repair.
    source
        As the field quotes it; not read again in the publication unless it says so.
    """

    alpha_beta_gy: float
    repair_h: float
    source: str


_QUOTED = "as commonly quoted, not read again"
_MGH = "parameters of the program MIRDCalculation (Massachusetts General Hospital), no publication read"
TISSUES = {
    "kidneys": Tissue(
        alpha_beta_gy=2.6,
        repair_h=2.8,
        source=f"Barone et al. 2005, J Nucl Med 46:99S, {_QUOTED}",
    ),
    "liver": Tissue(alpha_beta_gy=2.75, repair_h=2.5, source=_MGH),
    "red-marrow": Tissue(
        alpha_beta_gy=10.0, repair_h=0.5, source="early effects of bone marrow, recalled, no source read"
    ),
    "lesion": Tissue(alpha_beta_gy=10.0, repair_h=1.5, source=f"tumours in general: {_MGH}"),
}


def tissue_of(key: str) -> Tissue | None:
    """Return the tissue of an organ or lesion, None if no numbers are in use for it."""
    if key.startswith(LESION):
        return TISSUES["lesion"]
    return TISSUES.get({"left-kidney": "kidneys", "right-kidney": "kidneys"}.get(key, key))


def effect_rows(doses: OrganDoses, rates: dict[str, DoseRate]) -> list[dict[str, Any]]:
    """Return BED and EQD2 of every organ that has a dose rate and a tissue, JSON types.

    Parameters
    ----------
    rates
        Organ -> dose rate against time.
    """
    rows = []
    for key in _in_order(doses):
        i, tissue = doses.organs.index(key), tissue_of(key)
        if tissue is None or key not in rates or not doses.total_mgy[i] > 0:
            continue
        parts = dict(zip(doses.qualities, (float(v) for v in doses.dose_mgy[i]), strict=True))
        low_let = sum(parts.get(quality, 0.0) for quality in LOW_LET)
        alpha = parts.get("alpha", 0.0)
        low, high = (float(v) / float(doses.total_mgy[i]) for v in doses.interval_mgy[i])
        effect, least, most = (_effect(low_let * f, alpha * f, tissue, rates[key]) for f in (1.0, low, high))
        row = {
            "organ": key,
            "dose_mgy": low_let + alpha,
            "alpha_mgy": alpha,
            "bed_mgy": float(effect.value),
            "bed_low95_mgy": float(least.value),
            "bed_high95_mgy": float(most.value),
            "eqd2_mgy": float(eqd2(effect).value),
            "alpha_beta_gy": tissue.alpha_beta_gy,
            "repair_h": tissue.repair_h,
            "source": tissue.source,
        }
        if alpha > 0:
            row["rbe_weighted_mgy"] = low_let + ALPHA_RBE.ratio * alpha
            row["rbe"] = ALPHA_RBE.ratio
            row["rbe_source"] = f"{ALPHA_RBE.endpoint}: {ALPHA_RBE.source}"
        rows.append(row)
    return rows


def _in_order(doses: OrganDoses) -> list[str]:
    """Return organs by the order of :data:`TISSUES`, then lesions; kidneys together if they are."""
    lesions = [key for key in doses.organs if key.startswith(LESION)]
    sides = () if "kidneys" in doses.organs else ("left-kidney", "right-kidney")
    return [key for key in (*TISSUES, *sides) if key in doses.organs] + lesions


def _effect(
    low_let_mgy: float, alpha_mgy: float, tissue: Tissue, rate: DoseRate
) -> BiologicallyEffectiveDose:
    repair = Repair(half_times_h=(tissue.repair_h,), source=tissue.source)
    ratio, low_let = tissue.alpha_beta_gy, AbsorbedDose(low_let_mgy)
    if alpha_mgy > 0:
        return alpha_bed(
            AbsorbedDose(alpha_mgy), low_let, rbe=ALPHA_RBE, alpha_beta_gy=ratio, rate=rate, repair=repair
        ).effect
    return bed(low_let, alpha_beta_gy=ratio, rate=rate, repair=repair)


def limit_rows(doses: OrganDoses, rates: dict[str, DoseRate], nuclide: str) -> list[dict[str, Any]]:
    """Return what one administration uses of the limits of practice, JSON types.

    Limits of the lungs are those of microspheres, those of the blood of iodine: they are compared with these.
    Alpha emitters are not compared: no limit was made for them.
    """
    if "alpha" in doses.qualities:
        return []
    rows = []
    for convention in CONVENTIONS:
        if convention.organ not in doses.organs or convention.organ not in rates:
            continue
        if convention.organ == "lungs" and nuclide not in ("Y-90", "Ho-166", "Re-188"):
            continue
        limit = usual_limit(convention.key, rate=rates[convention.organ])
        i = doses.organs.index(convention.organ)
        triple = np.array([doses.total_mgy[i], *doses.interval_mgy[i]])
        effect = [float(v) for v in limit.effect_mgy(triple)]
        rows.append(
            {
                "organ": convention.organ,
                "limit_mgy": limit.value_mgy,
                "unit": limit.unit,
                "value_mgy": effect[0],
                "low95_mgy": effect[1],
                "high95_mgy": effect[2],
                "used_fraction": effect[0] / limit.value_mgy,
                "meaning": convention.meaning,
                "source": convention.source,
            }
        )
    return rows
