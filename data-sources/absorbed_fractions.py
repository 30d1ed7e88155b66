"""Write the packaged absorbed fractions of the equation-based adults, and the published ones beside them.

The Monte Carlo takes about ten minutes a phantom on two cores; finished sources stay in the user's cache, so
that a stopped run goes on where it was.

Usage: ``python data-sources/absorbed_fractions.py [M] [F] [checks]`` (all without an argument)
"""

from __future__ import annotations

import csv
import io
import sys

import numpy as np
from _write import write_csv, write_npz

from omnidose.anatomy.stylised import make_phantom
from omnidose.dosimetry.internal.compute import HISTORIES, compute_absorbed_fractions
from omnidose.dosimetry.internal.regions import source_regions
from omnidose.validation import reference_dir

VOXEL_MM = 4.0
#: Sources without which no row can be made come first.
FIRST = (
    "liver", "kidneys", "lungs", "brain", "spleen", "bladder-contents", "thyroid", "pancreas",
    "heart-contents", "total-body", "adrenals", "heart", "soft-tissue", "skeleton", "red-marrow",
)  # fmt: skip
NAMES = {"M": "absorbed_fractions_adult_male", "F": "absorbed_fractions_adult_female"}

#: Name in the published tables -> ours.
ORGANS = {
    "Urin_Bladder_Wall": "bladder",
    "Gallbladder_Wall": "gall-bladder",
    "Heart_Wall": "heart",
    "Small_Intestine": "small-intestine",
    "Red_Marrow": "red-marrow",
    "Total_Body": "total-body",
}
#: Column of the published fractions -> what it is called there.
SETS = {
    "mird5": "MIRD5_adult",
    "male_1987": "ORNL1987_adult_male",
    "gate": "GATE_on_MIRD_adult",
    "female": "stylised_adult_female",
}
SAF_SOURCE = (
    "mird5: MIRD-5 adult (Snyder et al. 1978, MIRD Pamphlet 5 revised); male_1987: Cristy and Eckerman 1987, "
    "ORNL/TM-8381; gate: a recalculation on the MIRD-5 adult; female: an adult woman of the same family; all "
    "as carried in the documentation of a public code"
)
AH113804 = "Somer et al. 2016, EJNMMI Research 6, doi 10.1186/s13550-016-0239-y, abstract"
#: Effective doses of 18F-FDG and organ doses that were read where they are cited.
DOSES = (
    (
        "fdg-mird",
        "effective-dose-icrp60",
        "adult",
        0.019,
        "mSv/MBq",
        "ICRP 106 (2008), as cited by Andersson",
    ),
    ("fdg-mird", "bladder", "adult", 0.13, "mGy/MBq", "ICRP 106 (2008), as cited in EJNMMI Phys 8:51 (2021)"),
    ("fdg-mird", "kidneys", "adult", 0.017, "mGy/MBq", "ICRP 106 (2008), as cited"),
    ("fdg-mird", "liver", "adult", 0.021, "mGy/MBq", "ICRP 106 (2008), as cited"),
    ("fdg-mird", "spleen", "adult", 0.011, "mGy/MBq", "ICRP 106 (2008), as cited"),
    ("ah113804", "bladder", "mean", 0.351, "mGy/MBq", AH113804),
    ("ah113804", "kidneys", "mean", 0.052, "mGy/MBq", AH113804),
    ("ah113804", "uterus", "mean", 0.031, "mGy/MBq", AH113804),
    ("ah113804", "effective-dose-icrp60", "mean", 0.0298, "mSv/MBq", AH113804),
    ("phosphonates", "endosteum", "adult", 0.063, "mGy/MBq", "ICRP 53/80, as cited by J Nucl Med (read)"),
    (
        "phosphonates",
        "effective-dose-icrp60",
        "adult",
        0.0057,
        "mSv/MBq",
        "ICRP 53/80, as cited by J Nucl Med (read)",
    ),
    ("phosphonates", "bladder", "adult", 0.048, "mGy/MBq", "ICRP 80 (1998), from memory"),
    ("phosphonates", "kidneys", "adult", 0.0073, "mGy/MBq", "ICRP 80 (1998), from memory"),
    (
        "phosphonates",
        "effective-dose",
        "mean",
        0.0049,
        "mSv/MBq",
        "Andersson et al. 2014/2015 (ICRP 110, ICRP 103), as quoted",
    ),
    ("fdg-icrp110", "effective-dose", "male", 0.0153, "mSv/MBq", "Andersson 2015, erratum"),
    ("fdg-icrp110", "effective-dose", "female", 0.0188, "mSv/MBq", "Andersson 2015, erratum"),
    ("fdg-icrp110", "effective-dose", "mean", 0.0171, "mSv/MBq", "Andersson 2015, erratum"),
)


def published() -> None:
    """Write the published fractions and doses that ours are compared with."""
    folder = reference_dir()
    if folder is None:
        raise SystemExit("the reference folder is needed: set OMNIDOSE_REFERENCE_DIR")
    found: dict[tuple[str, str, float], dict[str, str]] = {}
    columns = {theirs: ours for ours, theirs in SETS.items()}
    with (folder / "xray" / "saf_stylised_photon.csv").open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            source, target = (ORGANS.get(row[k], row[k].lower()) for k in ("source", "target"))
            key = (source, target, 1000 * float(row["energy_mev"]))
            found.setdefault(key, {})[columns[row["data_set"]]] = row["saf_per_kg"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["source", "target", "energy_kev", *(f"{name}_per_kg" for name in SETS)])
    for (source, target, energy), values in found.items():
        writer.writerow([source, target, f"{energy:g}", *(values.get(name, "nan") for name in SETS)])
    write_csv(
        "saf_checks",
        out.getvalue(),
        {
            "quantity": "published specific absorbed fractions of photons in equation-based adults",
            "unit": "1/kg, keV",
            "source": SAF_SOURCE,
            "licence": "facts, with citation",
            "made_by": "data-sources/absorbed_fractions.py checks",
            "verified": "B: transcriptions; the reports were not seen. Two digits in male_1987",
        },
    )
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["set", "quantity", "person", "value", "unit", "source"])
    writer.writerows(DOSES)
    write_csv(
        "saf_checks_doses",
        out.getvalue(),
        {
            "quantity": "published doses of 18F-FDG with the model of ICRP 106, of 99mTc-phosphonates with "
            "that of ICRP 53, and of 18F-AH113804",
            "unit": "in the column 'unit'",
            "source": "ICRP Publication 106 (2008), as cited by others; Andersson et al. 2014, EJNMMI Phys "
            "1:9, erratum 2015; Somer et al. 2016, EJNMMI Research 6",
            "licence": "facts, with citation",
            "made_by": "data-sources/absorbed_fractions.py checks",
            "verified": "B: read in papers that cite them, or C where it says from memory or quoted; "
            "18F-AH113804 A: read in its abstract",
        },
    )


def fractions(sex: str) -> None:
    """Compute and write the table of one phantom."""
    body = make_phantom(sex, voxel_mm=VOXEL_MM)
    known = [key for key in source_regions(body) if key != "endosteum"]
    sources = [*FIRST, *(key for key in known if key not in FIRST)]
    found = compute_absorbed_fractions(body, sources, progress=lambda text: print(text, flush=True))
    scored = np.where(np.isfinite(found.std_rel), found.std_rel, 0.0)
    write_npz(
        NAMES[sex],
        {
            "phantom": np.array(found.phantom),
            "sources": np.array(found.sources),
            "kinds": np.array([kind.value for kind in found.kinds]),
            "targets": np.array(found.targets),
            "energies_kev": found.energies_kev,
            "saf_per_kg": found.saf_per_kg.astype(np.float32),
            "std_rel": scored.astype(np.float16),
            "source_mass_g": found.source_mass_g.astype(np.float32),
            "target_mass_g": found.target_mass_g.astype(np.float32),
        },
        {
            "quantity": "specific absorbed fractions of photons [source, energy, target] and their relative "
            "standard errors (0: nothing scored)",
            "unit": "1/kg; keV; g",
            "source": "omnidose's own photon Monte Carlo of 2026 on its equation-based adult "
            "(docs/methods/organ-level.md)",
            "licence": "Apache-2.0",
            "made_by": "data-sources/absorbed_fractions.py",
            "verified": "D: derived here; beside published values in saf_checks",
            "notes": f"{HISTORIES} photons for each source and energy, voxels of {VOXEL_MM:g} mm; each "
            "direction as computed, without reciprocity",
        },
    )


if __name__ == "__main__":
    asked = sys.argv[1:] or ["M", "F", "checks"]
    for sex in ("M", "F"):
        if sex in asked:
            fractions(sex)
    if "checks" in asked:
        published()
