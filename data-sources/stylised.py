"""Write the packaged tables of the phantoms from equations.

``stylised_dimensions`` and ``stylised_media`` are typed by hand and only sealed; ``stylised_masses``
keeps the published organ masses of grade A and B of the developers' reference folder (numbers that
are only recalled from memory are left out).

Usage: ``python data-sources/stylised.py``
"""

from __future__ import annotations

import csv
import io

from _write import TABLES, write_csv

from omnidose.validation import reference_dir

REPORTS = (
    "Cristy and Eckerman 1987, ORNL/TM-8381/V1 (US government report), through public codes and data that "
    "use it (Geant4 human_phantom, ORNL DCAL region masses); the report itself was not seen"
)

INFO = {
    "stylised_dimensions": {
        "quantity": "Dimensions of the Cristy-Eckerman phantoms at six ages",
        "unit": "cm (adrenal_angle_deg: degrees)",
        "source": REPORTS,
        "licence": "facts from US government reports",
        "made_by": "typed by hand; sealed with data-sources/stylised.py",
        "verified": "row by row in the column 'checked'; volumes against the published masses by test",
    },
    "stylised_media": {
        "quantity": "Elemental mass fractions and densities of the media of the phantoms",
        "unit": "1 (density_g_cm3: g/cm3)",
        "source": REPORTS + "; adipose tissue: ICRU Report 44 (1989)",
        "licence": "facts",
        "made_by": "typed by hand; sealed with data-sources/stylised.py",
        "verified": "B: one public transcription; elements below 0.03 % other than those listed are left out",
    },
    "stylised_masses": {
        "quantity": "Published organ masses of the Cristy-Eckerman phantoms",
        "unit": "g",
        "source": "ORNL DCAL region-mass files for the 1987 phantoms as republished; public 15-year data",
        "licence": "facts",
        "made_by": "data-sources/stylised.py from the reference folder",
        "verified": "A two public sources, B one; those known only from memory are left out",
    },
}


def typed(name: str) -> str:
    """Return the text of a table that is typed by hand."""
    return (TABLES / f"{name}.csv").read_text("utf-8")


def published_masses() -> str:
    """Return the organ masses of grade A and B as CSV text."""
    folder = reference_dir()
    if folder is None:
        raise SystemExit("the reference folder is needed: set OMNIDOSE_REFERENCE_DIR")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["age", "organ", "mass_g", "grade"])
    with (folder / "stylised_phantom_masses.csv").open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            if row["grade"] in ("A", "B"):
                writer.writerow([row["age"], row["organ"], row["published_mass_g"], row["grade"]])
    return out.getvalue()


if __name__ == "__main__":
    for table in ("stylised_dimensions", "stylised_media"):
        write_csv(table, typed(table), INFO[table])
    write_csv("stylised_masses", published_masses(), INFO["stylised_masses"])
