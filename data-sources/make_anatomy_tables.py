"""Write or seal the packaged tables of anatomy and organ dosimetry.

Tables that are typed by hand (organs, tissue_weights, skeleton_response, skeleton_masses) only get
the sha256 of their CSV written into the TOML beside it. The others are made from the developers'
reference folder (see ``omnidose.validation.reference_dir``).

Usage: ``python data-sources/make_anatomy_tables.py``
"""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

from omnidose.validation import reference_dir

TABLES = Path(__file__).parents[1] / "src" / "omnidose" / "data" / "tables"
TYPED = ("organs", "tissue_weights", "skeleton_response", "skeleton_masses")


def seal(name: str) -> None:
    """Write the hash of NAME.csv into NAME.toml."""
    digest = hashlib.sha256((TABLES / f"{name}.csv").read_bytes()).hexdigest()
    path = TABLES / f"{name}.toml"
    path.write_text(re.sub(r'sha256 = "[0-9a-f]*"', f'sha256 = "{digest}"', path.read_text("utf-8")), "utf-8")


def rows_of(path: Path) -> list[dict[str, str]]:
    """Read a CSV with comment lines."""
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(line for line in handle if not line.startswith("#")))


def write(name: str, header: list[str], rows: list[list[str]]) -> None:
    """Write NAME.csv and seal it."""
    with (TABLES / f"{name}.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    seal(name)


def make_ct_number_media(folder: Path) -> None:
    """Keep the 24 tissue bins of Schneider et al. (2000), table 6; metal is handled apart."""
    elements = ["H", "C", "N", "O", "Na", "Mg", "P", "S", "Cl", "Ar", "K", "Ca"]
    rows = []
    for row in rows_of(folder / "hu_materials.csv"):
        if int(row["bin"]) <= 23:
            rows.append([row["bin"], row["hu_from"], row["hu_to"], *(row[e] for e in elements)])
    write("ct_number_media", ["bin", "hu_from", "hu_to", *elements], rows)


def make_icrp116(folder: Path) -> None:
    """Effective dose per fluence and per air kerma, AP, PA, LLAT, 10 keV to 20 MeV."""
    rows = []
    for row in rows_of(folder / "xray" / "icrp116_photon_effective_dose.csv"):
        uncorrected = row["E_per_fluence_uncorrected_table_psv_cm2"] or "nan"
        energy = f"{float(row['energy_mev']) * 1000:g}"
        rows.append(
            [
                energy,
                row["geometry"],
                row["E_per_fluence_psv_cm2"],
                row["E_per_air_kerma_sv_per_gy"],
                uncorrected,
            ]
        )
    header = ["energy_kev", "geometry", "psv_cm2", "sv_per_gy", "uncorrected_psv_cm2"]
    write("icrp116", header, rows)


def main() -> None:
    """Make what can be made here, seal the rest."""
    folder = reference_dir()
    if folder is not None:
        make_ct_number_media(folder)
        make_icrp116(folder)
    for name in (*TYPED, "ct_number_density"):
        seal(name)


if __name__ == "__main__":
    main()
