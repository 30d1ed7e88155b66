"""Write the packaged tables of the kinetics room: reference cases of our own, and biokinetic data with their
sources.

The cases (curves and their fits, BED, single time points, the chain of uncertainty) were generated and
cross-checked for this project; they are read from a folder of reference files (``OMNIDOSE_REFERENCE_DIR``,
see ``omnidose.validation``), subfolder ``nm``. The biokinetic data stand in this file.

Run: ``python data-sources/kinetics.py``; with ``--recalled`` also the models whose numbers are from memory.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence

from _write import write_csv

from omnidose.validation import reference_dir

SCRIPT = "data-sources/kinetics.py"
OWN = {
    "source": "generated for omnidose, 2026",
    "licence": "facts: our own numbers",
    "made_by": SCRIPT,
}
INF = "inf"

# model, region, fraction, biological half-life (h), half-time of uptake (h), excretion, grade
MDP_SOURCE = "Calcif Tissue Int 44:322 (1989), doi 10.1007/BF02556311, abstract"
MDP_NOTE = (
    "99mTc-MDP: whole-body retention of three young men, its slow part taken as bone, half of it on "
    "trabecular and half on cortical surfaces (rule of ICRP 30 for surface seekers); kidneys and blood are "
    "in the remainder"
)
# retention at 24 h is 31.0 % with half-times of about 1 h and 44 h: the slow share follows
MDP_SLOW = (0.310 - 2 ** (-24 / 1.0)) / (2 ** (-24 / 44.0) - 2 ** (-24 / 1.0))
MDP_END = ("urine", "D", MDP_SOURCE, MDP_NOTE)
MDP_HALF = round(MDP_SLOW / 2, 3)
MODELS = [
    ("99mTc-MDP", "trabecular-bone-surface", MDP_HALF, 44.0, 0.0, *MDP_END),
    ("99mTc-MDP", "cortical-bone-surface", MDP_HALF, 44.0, 0.0, *MDP_END),
    ("99mTc-MDP", "remainder", round(1 - 2 * MDP_HALF, 3), 1.0, 0.0, *MDP_END),
]

# Whole body without bladder: 0.3 (0.5 h), 0.3 (2 h), 0.4 (72 h); bone 0.5 with an uptake of 15 min: 0.3
# (2 h), 0.7 (72 h); kidneys 0.02 as the whole body. The remainder is the difference. Coefficients as
# remembered: bone 3.01 h, kidneys 0.12 h (urine on its way included), bladder 1.15 h.
BONE_SOURCE = "ICRP Publication 53 (1988), 99mTc-phosphates and phosphonates, kept in ICRP 80 and 128"
BONE_NOTE = (
    "99mTc-phosphonates of ICRP 53: normal uptake and excretion, adults; bone half on trabecular and half on "
    "cortical surfaces"
)
BONE_PARTS = [
    *(
        (f"{bone}-bone-surface", 0.25 * share, half_life_h, 0.25)
        for bone in ("trabecular", "cortical")
        for share, half_life_h in ((0.3, 2.0), (0.7, 72.0))
    ),
    ("kidneys", 0.02 * 0.3, 0.5, 0.0),
    ("kidneys", 0.02 * 0.3, 2.0, 0.0),
    ("kidneys", 0.02 * 0.4, 72.0, 0.0),
    ("remainder", 0.98 * 0.3, 0.5, 0.0),
    ("remainder", 0.98 * 0.3 - 0.15, 2.0, 0.0),
    ("remainder", 0.98 * 0.4 - 0.35, 72.0, 0.0),
]

FDG_SOURCE = "ICRP Publication 106 (2008), 18F-FDG, kept in ICRP 128 (2015)"
FDG_NOTE = "18F-FDG of ICRP 106: adults, resting, fasting"
RECALLED = [
    ("18F-FDG", "brain", 0.08, INF, 0.0, "none", "C", FDG_SOURCE, FDG_NOTE),
    ("18F-FDG", "heart", 0.04, INF, 0.0, "none", "C", FDG_SOURCE, FDG_NOTE),
    ("18F-FDG", "lungs", 0.03, INF, 0.0, "none", "C", FDG_SOURCE, FDG_NOTE),
    ("18F-FDG", "liver", 0.05, INF, 0.0, "none", "C", FDG_SOURCE, FDG_NOTE),
    ("18F-FDG", "remainder", 0.06, 0.2, 0.0, "urine", "C", FDG_SOURCE, FDG_NOTE),
    ("18F-FDG", "remainder", 0.18, 1.5, 0.0, "urine", "C", FDG_SOURCE, FDG_NOTE),
    ("18F-FDG", "remainder", 0.56, INF, 0.0, "none", "C", FDG_SOURCE, FDG_NOTE),
    *(
        ("99mTc-phosphonates", key, round(share, 4), out_h, in_h, "urine", "C", BONE_SOURCE, BONE_NOTE)
        for key, share, out_h, in_h in BONE_PARTS
    ),
]

# region, coefficient (h), standard deviation between persons (h)
AH_SOURCE = "EJNMMI Research 6 (2016), doi 10.1186/s13550-016-0239-y, table 2, columns Mean"
AH_MALE = [
    ("brain", 9.78e-3), ("gall-bladder-contents", 2.23e-3), ("heart-contents", 3.04e-2), ("heart", 5.38e-3),
    ("kidneys", 5.02e-2), ("liver", 1.34e-1), ("lungs", 5.71e-2), ("small-intestine-contents", 1.64e-3),
    ("spleen", 1.71e-2), ("thyroid", 8.20e-4), ("bladder-contents", 5.66e-1), ("remainder", 1.30),
]  # fmt: skip
AH_FEMALE = [
    ("brain", 7.81e-3), ("gall-bladder-contents", 5.64e-4), ("heart-contents", 2.40e-2), ("heart", 1.52e-2),
    ("kidneys", 9.52e-2), ("liver", 1.19e-1), ("lungs", 4.60e-2), ("small-intestine-contents", 1.35e-3),
    ("spleen", 1.52e-2), ("thyroid", 6.95e-4), ("bladder-contents", 6.34e-1), ("remainder", 1.17),
]  # fmt: skip
# wall or contents: a footnote of the table that could not be read marks gall bladder, small intestine,
# stomach, heart
MJ9_SOURCE = "EJNMMI Research 8 (2018), doi 10.1186/s13550-018-0462-9, table 2, residence times"
MJ9_MALE = [
    ("adrenals", 2.48e-4, 8.49e-5), ("brain", 1.53e-3, 1.05e-3), ("gall-bladder", 3.60e-3, 1.27e-3),
    ("descending-colon", 6.73e-3, 3.33e-3), ("small-intestine", 4.01e-2, 1.71e-2), ("stomach", 4.79e-3,
    2.45e-3), ("ascending-colon", 1.35e-2, 6.66e-3), ("rectum", 6.73e-3, 3.33e-3), ("heart", 2.16e-2,
    5.45e-3), ("kidneys", 2.14e-2, 2.23e-3), ("liver", 3.79e-2, 2.93e-3), ("lungs", 2.88e-2, 5.98e-3),
    ("pancreas", 8.13e-2, 1.95e-2), ("red-marrow", 7.10e-3, 8.59e-4),
]  # fmt: skip


def text(header: Sequence[str], rows: Iterable[Sequence[object]], first_line: str = "") -> str:
    """Return a CSV, with a comment before it if given."""
    buffer = io.StringIO()
    if first_line:
        buffer.write(f"# {first_line}\n")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def reference_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a file of the reference folder."""
    folder = reference_dir()
    if folder is None:
        raise SystemExit("set OMNIDOSE_REFERENCE_DIR to the folder of reference files")
    with (folder / "nm" / name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def write_curves() -> None:
    """Write the curves and what fits to them give."""
    rows = [(r["curve"], r["t_h"], r["activity_MBq"], r["u_MBq"]) for r in reference_rows("tac_data.csv")]
    write_csv(
        "kinetics_curves",
        text(("curve", "time_h", "activity_mbq", "std_mbq"), rows),
        {
            "quantity": "activity in a volume at several times, each with a standard uncertainty of 3 %",
            "unit": "MBq",
            **OWN,
            "verified": "D: made from known curves of one or two exponentials",
        },
    )
    keys = ("curve", "fit_model", "chi2", "AICc", "fit_TIA_MBq_h", "u_TIA_linear", "AICc_best")
    rows = [tuple(r[k] for k in keys) for r in reference_rows("tac_expected.csv")]
    write_csv(
        "kinetics_fits",
        text(("curve", "shape", "chi2", "aicc", "integral_mbq_h", "std_mbq_h", "best"), rows),
        {
            "quantity": "least-squares fits to kinetics_curves, weights 1/u^2, without a physical bound",
            "unit": "MBq h",
            **OWN,
            "verified": "D: fitted and cross-checked by another program than this, absolute uncertainties",
            "notes": "AICc = chi2 + 2k + 2k(k+1)/(n-k-1). Fits whose constant ran to 0 are left out.",
        },
    )


def write_bed() -> None:
    """Write cases of protraction, BED and EQD2."""
    keys = (
        "case", "D_Gy", "rel_amplitudes", "Teff_h", "alpha_beta_Gy", "Trepair_h", "G", "BED_Gy", "EQD2_Gy",
    )  # fmt: skip
    names = (
        "case", "dose_gy", "amplitudes", "half_lives_h", "alpha_beta_gy", "repair_h", "g", "bed_gy",
        "eqd2_gy",
    )  # fmt: skip
    rows = [tuple(r[k] for k in keys) for r in reference_rows("bed_cases.csv")]
    write_csv(
        "kinetics_bed",
        text(names, rows),
        {
            "quantity": "protraction factor G, BED and EQD2 of falling dose rates",
            "unit": "1, Gy",
            **OWN,
            "verified": "D: generated and cross-checked by another program than this",
        },
    )


def write_single_time() -> None:
    """Write the errors of single time points."""
    keys = ("Teff_true_h", "t_scan_h", "Hanscheid_err_pct", "Madsen_err_pct_Tpop50h")
    rows = [tuple(r[k] for k in keys) for r in reference_rows("single_timepoint_errors.csv")]
    write_csv(
        "kinetics_single_time",
        text(("half_life_h", "scan_h", "haenscheid_percent", "population_percent"), rows),
        {
            "quantity": "error of the integral from one time point, population half-life 50 h",
            "unit": "%",
            **OWN,
            "verified": "D: generated by another program than this, printed to 0.01 %",
        },
    )


def write_uncertainty() -> None:
    """Write the worked case of the EANM chain."""
    folder = reference_dir()
    assert folder is not None
    case = json.loads((folder / "nm" / "uncertainty_case.json").read_text("utf-8"))
    rows: list[tuple[str, float]] = []
    for kind in ("inputs", "outputs"):
        for key, value in case[kind].items():
            if isinstance(value, list):
                rows += [(f"{key}_{i + 1}", round(float(v), 6)) for i, v in enumerate(value)]
            else:
                rows.append((key, float(value)))
    write_csv(
        "kinetics_uncertainty",
        text(("name", "value"), rows),
        {
            "quantity": "a lesion of 32 mm in SPECT: inputs and results of the EANM 2018 chain",
            "unit": "as named: mm, mL, MBq h, Gy",
            **OWN,
            "verified": "D: first order and Monte Carlo by another program than this",
            "notes": "d, a, fwhm: mm; Q: counts/s/MBq; b1, b2: recovery; c1, c2: S = c1 v^-c2 in Gy/(MBq h).",
        },
    )


COLUMNS = (
    "model", "region", "fraction", "half_life_h", "uptake_half_time_h", "excretion", "grade", "source",
    "note",
)  # fmt: skip


def write_models(recalled: bool) -> None:
    """Write the biokinetic models, those from memory only if asked for."""
    info = {
        "quantity": "share of the administered activity that a region receives, and its biological half-life",
        "unit": "1, h",
        "licence": "facts, with citation",
        "made_by": SCRIPT,
    }
    write_csv(
        "kinetics_models",
        text(COLUMNS, MODELS),
        {
            **info,
            "source": "papers per row",
            "verified": "D: derived from retention read in an abstract",
        },
    )
    if recalled:
        write_csv(
            "kinetics_models_recalled",
            text(COLUMNS, RECALLED, "from memory: nobody has compared these numbers with a print"),
            {
                **info,
                "source": "ICRP Publications 53 (1988), 106 (2008), 128 (2015)",
                "verified": "mixed: no number was read in its source; shares, half-lives and coefficients "
                "agree with each other",
            },
        )


def write_coefficients() -> None:
    """Write published coefficients."""
    rows: list[tuple[object, ...]] = []
    for person, values in (("male", AH_MALE), ("female", AH_FEMALE)):
        rows += [("18F-AH113804", person, r, c, "nan", "yes", "A", AH_SOURCE) for r, c in values]
    rows += [("68Ga-NODAGA-MJ9", "male", r, c, s, "no", "A", MJ9_SOURCE) for r, c, s in MJ9_MALE]
    write_csv(
        "kinetics_coefficients",
        text(("model", "person", "region", "coefficient_h", "std_h", "complete", "grade", "source"), rows),
        {
            "quantity": "time-integrated activity coefficients, as published",
            "unit": "h",
            "source": "papers per row",
            "licence": "facts, with citation",
            "made_by": SCRIPT,
            "verified": "A: read in the source tables",
            "notes": "18F-AH113804: bladder with voids every 3.5 h; without voids the table has 1.02 (male) "
            "and 1.12 h (female). 68Ga-NODAGA-MJ9: bladder and remainder are not in the table, and whether "
            "gall bladder, small intestine, stomach and heart mean walls or contents stands in a footnote "
            "that was not read; left and right colon stand here as descending and ascending.",
        },
    )


if __name__ == "__main__":
    write_curves()
    write_bed()
    write_single_time()
    write_uncertainty()
    write_coefficients()
    write_models("--recalled" in sys.argv[1:])
