"""Make the packaged AAPM TG-195 tables from the transcriptions in the reference folder.

Usage: ``python data-sources/tg195.py REFERENCE_DIR`` where REFERENCE_DIR/tg195 holds the CSV files.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from pathlib import Path

TABLES = Path(__file__).parent.parent / "src" / "omnidose" / "data" / "tables"
SOURCE = (
    "I. Sechopoulos et al., Monte Carlo reference data sets for imaging research: executive summary of the "
    "report of AAPM Research Committee Task Group 195, Med. Phys. 42 (2015) 5679, and AAPM Report 195"
)
KEEP = ("case", "beam", "mode", "volume", "mean4", "min4", "max4", "EGSnrc", "Geant4", "MCNP", "Penelope")


def write(name: str, header: tuple[str, ...], rows: list[tuple[str, ...]], quantity: str, unit: str) -> None:
    """Write one CSV and the TOML beside it."""
    text = ",".join(header) + "\n" + "".join(",".join(row) + "\n" for row in rows)
    (TABLES / f"{name}.csv").write_text(text, "utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()
    (TABLES / f"{name}.toml").write_text(
        f'quantity = "{quantity}"\nunit = "{unit}"\nsource = "{SOURCE}"\ndoi = "10.1118/1.4928676"\n'
        'licence = "published facts, cited"\nmade_by = "data-sources/tg195.py"\n'
        'verified = "B: from a public transcription; case 1 and the spectra reproduced analytically"\n'
        f'sha256 = "{digest}"\n',
        "utf-8",
    )


def main(reference: Path) -> None:
    """Write the results of cases 1, 2, 4, the three spectra and the coefficients of case 1."""
    rows: list[tuple[str, ...]] = []
    for case in (1, 2, 4):
        with (reference / "tg195" / f"results_case{case}.csv").open(newline="") as handle:
            rows += [tuple(row[key] for key in KEEP) for row in csv.DictReader(handle)]
    write(
        "tg195_results",
        KEEP,
        rows,
        "values of four Monte Carlo codes, their mean and range",
        "case 1: kerma in arbitrary scale; cases 2 and 4: eV per emitted photon",
    )
    for beam, file in (("mo30", "Mo30kVp_RQRM3"), ("w100", "W100kVp_RQR8"), ("w120", "W120kVp_RQR9")):
        with (reference / "tg195" / f"spectrum_{file}.csv").open(newline="") as handle:
            spectrum = [(r["bin_centre_keV"], r["relative_fluence"]) for r in csv.DictReader(handle)]
        write(
            f"tg195_spectrum_{beam}",
            ("energy_kev", "weight"),
            spectrum,
            "relative photon fluence per 0.5 keV bin, energies are bin centres",
            "keV, 1",
        )
    with (reference / "tg195" / "case1_air_mu_en_rho.csv").open(newline="") as handle:
        air = [(r["energy_keV"], r["mu_en_rho_cm2_per_g"]) for r in csv.DictReader(handle)]
    write(
        "tg195_air_mu_en",
        ("energy_kev", "mu_en_rho_cm2_g"),
        [row for row in air if float(row[1]) > 0],
        "mass energy-absorption coefficient of air that the report prescribes for the kerma of case 1",
        "keV (bin centres), cm2/g",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
