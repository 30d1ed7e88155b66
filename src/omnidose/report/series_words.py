"""The words of the report about time series and therapies (see :mod:`omnidose.report.words`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omnidose.anatomy.body import LESION
from omnidose.kinetics.curves import LARGE_TAIL_FRACTION
from omnidose.report.words import number, organ_name

SERIES = {
    "title": "From the images to the doses",
    "outlines_note": "Every outline has its own activity: what the camera's blur carries in from others is "
    "taken off, what it carries out is given back. The interval holds everything that is known of. 1 Gy is "
    "1000 mGy.",
    "after_note": "After last scan: share of all decays that no scan shows, from the curve alone. More than "
    f"{100 * LARGE_TAIL_FRACTION:.0f} % is marked with !: the dose rests on the curve's tail.",
    "activity_note": "Points: activity in the outline, corrected for blur, with its 95 % interval. Lines: "
    "the curve that was integrated. The scale is logarithmic: a straight line is one half-life.",
    "methods_note": "The same decays, three ways to the dose. They differ in how far electrons and photons "
    "carry energy; a difference of more than a few per cent is worth a look.",
    "effects_note": "BED: the dose that would have the same effect if it were given infinitely slowly. EQD2: "
    "the same in fractions of 2 Gy, as in external radiotherapy. Both rest on α/β and repair of the tissue, "
    "which are known poorly, and on a dose that is even within the organ. They are not measured doses.",
    "limits_note": "What this one administration uses of limits that clinics quote. Most come from external "
    "beams. No limit is a promise of safety, and earlier or later treatments add to it.",
    "alpha_note": "Alpha particles stand apart: Gy is never multiplied with a weight. The RBE-weighted dose "
    "is a labelled extra with an assumed RBE.",
}


#: Names of the parts of an uncertainty.
PARTS = {"recovery": "blur"}


def series_patient(outlines: Sequence[Mapping[str, Any]], limits: Sequence[Mapping[str, Any]]) -> str:
    """Say to the patient what was found."""
    said = [
        "The scans after your treatment show where the medicine went and how long it stayed there. From that "
        "the dose of radiation in each organ was worked out."
    ]
    organs = [row for row in outlines if not row["organ"].startswith(LESION)]
    lesions = [row for row in outlines if row["organ"].startswith(LESION)]
    seen = {row["organ"] for row in limits}
    if {row["organ"] for row in organs} & {"left-kidney", "right-kidney"} and "kidneys" in seen:
        row = next(limit for limit in limits if limit["organ"] == "kidneys" and "BED" not in limit["unit"])
        said.append(
            f"Your kidneys got about {number(row['value_mgy'] / 1000, 2)} gray (most likely between "
            f"{number(row['low95_mgy'] / 1000, 2)} and {number(row['high95_mgy'] / 1000, 2)}). Many clinics "
            f"try to stay below {row['limit_mgy'] / 1000:g} gray over all treatments together."
        )
    if lesions:
        doses = sorted(row["dose_mgy"] / 1000 for row in lesions)
        span = number(doses[0], 2)
        if len(doses) > 1:
            span += f" to {number(doses[-1], 2)}"
        what = "The marked spot" if len(doses) == 1 else f"The {len(doses)} marked spots"
        said.append(f"{what} got about {span} gray. There a high dose is wanted.")
    said.append(
        "A dose alone does not say how well the treatment works or whether there will be side effects. Your "
        "doctor puts it together with your blood tests and scans."
    )
    return " ".join(said)


def series_physician(outlines: Sequence[Mapping[str, Any]], late_keys: Sequence[str]) -> str:
    """Say to the physician the doses, how sure they are, and of which much lies after the last scan."""
    parts = [
        f"{organ_name(row['organ'])} {number(row['dose_mgy'] / 1000, 2)} Gy "
        f"({number(row['low95_mgy'] / 1000, 2)} to {number(row['high95_mgy'] / 1000, 2)}; "
        f"{number(row['per_gbq_mgy'] / 1000, 2)} Gy/GBq)"
        for row in outlines
    ]
    tails = [organ_name(row["organ"]) for row in outlines if row["organ"] in late_keys]
    late = f" A later scan would make these surer: {', '.join(tails)}." if tails else ""
    return f"Mean absorbed doses with 95 % intervals: {'; '.join(parts)}.{late}"


def series_physicist(outlines: Sequence[Mapping[str, Any]]) -> str:
    """Say to the physicist what the uncertainties are made of."""
    names: dict[str, list[str]] = {}
    for row in outlines:
        names.setdefault(PARTS.get(row["largest"], row["largest"]), []).append(organ_name(row["organ"]))
    parts = "; ".join(f"{key}: {', '.join(organs)}" for key, organs in names.items())
    return (
        "Uncertainty after the EANM guidance of 2018 (volume, blur, calibration, curve, registration, dose "
        f"factor, all independent). Largest contribution: {parts}."
    )
