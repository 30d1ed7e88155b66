"""Make the packaged tables of the CT source.

``python data-sources/ct_sources.py tables --reference DIR`` transcribes the small tables of published
facts (``ssde_fit``, ``ssde_aapm204``, ``ct_nctdiw``, ``ct_geometry``, ``ct_published_organ_doses``).
``python data-sources/ct_sources.py bowtie`` fits the generic bow-ties with omnidose's own engine
(``ct_bowtie``; about ten minutes on two cores).
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from _write import write_csv

MADE_BY = "data-sources/ct_sources.py"
FACTS = "facts, with citation"

#: name, material, radius_mm, phantom_cm, target, lowest and highest ratio of the class. Body: what the open
#: 'large' bow-tie of XCIST (GE HealthCare, BSD-3; github.com/xcist/main, gecatsim/bowtie) gives in our own
#: CTDI phantom at a half-value layer of 7.75 mm Al: 0.511 +- 0.005 (0.49 to 0.53 for 7.0 to 8.5 mm). Head:
#: equal centre and periphery, as head filters are made for; XCIST's 'small' gives 0.99 to 1.01.
BOWTIES = (
    ("head", "aluminium", 125.0, 16, 1.00, 0.95, 1.05),
    ("body", "aluminium", 250.0, 32, 0.51, 0.48, 0.60),
)


def rows_of(path: Path) -> list[dict[str, str]]:
    """Read a CSV with comment lines."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return list(csv.DictReader(lines))


def text_of(header: list[str], rows: list[list[object]]) -> str:
    """Return CSV text."""
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def ssde(reference: Path) -> None:
    """AAPM 204 size factors: the fit that is used and the table it must reproduce."""
    fit = rows_of(reference / "monitoring" / "ssde_fit.csv")
    write_csv(
        "ssde_fit",
        text_of(
            ["phantom_cm", "a", "b_per_cm", "min_diameter_cm", "max_diameter_cm"],
            [
                [int(r["ctdi_phantom_cm"]), r["a"], r["b_per_cm"], *r["domain_cm"].split()[0].split("-")]
                for r in fit
            ],
        ),
        {
            "quantity": "size-specific dose estimate: SSDE = a exp(-b D) CTDIvol",
            "unit": "a: 1; b: 1/cm; D: cm",
            "source": "AAPM Report 204 (2011); D is the water-equivalent diameter of AAPM Report 220 (2014)",
            "licence": FACTS,
            "made_by": MADE_BY,
            "verified": "B: the fit reproduces every factor of ssde_aapm204 within 0.005 (tests/modalities)",
        },
    )
    table = rows_of(reference / "monitoring" / "ssde_table_aapm204.csv")
    wanted = [
        [int(r["ctdi_phantom_cm"]), r["effective_diameter_cm"], r["f_size"]]
        for r in table
        if r["dimension_kind"] == "eff" and r["f_size"]
    ]
    write_csv(
        "ssde_aapm204",
        text_of(["phantom_cm", "effective_diameter_cm", "factor"], wanted),
        {
            "quantity": "size factor against effective diameter",
            "unit": "cm; 1",
            "source": "AAPM Report 204 (2011), tables 1D and 2D",
            "licence": FACTS,
            "made_by": MADE_BY,
            "verified": "B: public transcription of the report's tables",
        },
    )


def scanners(reference: Path) -> None:
    """Normalised CTDIw of named scanners, and focus distances."""
    rows = []
    for r in rows_of(reference / "ct_nctdiw_from_headers.csv"):
        phantom = 16 if "16" in r["phantom"] else 32
        rows.append(
            [
                r["manufacturer"].upper(),
                r["model"],
                float(r["kVp"]),
                r["total_collimation_mm"],
                phantom,
                r["nCTDIw_mGy_per_100mAs"],
            ]
        )
    write_csv(
        "ct_nctdiw",
        text_of(["manufacturer", "model", "kv", "collimation_mm", "phantom_cm", "mgy_per_100mas"], rows),
        {
            "quantity": "normalised weighted CTDI of named scanners",
            "unit": "mGy per 100 mAs",
            "source": "derived from displayed values in public dose reports and image headers: "
            "CTDIvol x pitch / (mean mA x rotation time)",
            "licence": FACTS,
            "made_by": MADE_BY,
            "verified": "A: read in the headers; the tube current is the mean of the event, so +-5 to 10 %",
            "notes": "two rows of one scanner are two protocols; the collimation of the GE rows is the "
            "written value and may be the slice thickness",
        },
    )
    write_csv(
        "ct_geometry",
        text_of(
            ["manufacturer", "focus_mm", "header"],
            [
                ["GE", 541, "HiSpeed Dual"],
                ["SIEMENS", 595, "Biograph40_mCT"],
                ["PHILIPS", 570, "Ingenuity CT"],
            ],
        ),
        {
            "quantity": "distance from focal spot to isocentre by manufacturer",
            "unit": "mm",
            "source": "DistanceSourceToPatient (0018,1111) in public image headers of the named scanners",
            "licence": FACTS,
            "made_by": MADE_BY,
            "verified": "A: read in the headers; other models of a maker differ by up to 15 %",
        },
    )


def published(reference: Path) -> None:
    """Organ doses per CTDIvol to stand beside ours; only rows read in the source or its abstract."""
    rows: list[list[object]] = []
    for r in rows_of(reference / "xray" / "ct_organ_dose.csv"):
        if r["verification"].startswith("recalled"):
            continue
        if r["source"].startswith("Li X") and "normal" in r["population"]:
            value = round(float(r["value"]) / 6.01, 3)
            rows.append(
                [
                    r["scan"],
                    r["population"],
                    r["organ"],
                    32,
                    value,
                    value,
                    "Li 2012",
                    "Li et al. 2012 Med Phys 39:6550 table 11 / 6.01 mGy per 100 mAs; "
                    + r["note"].split(";")[0],
                ]
            )
        elif r["source"].startswith("Huda") and r["quantity"] == "organ dose / CTDIvol":
            rows.append(
                [
                    r["scan"].split(",")[0],
                    r["population"],
                    r["organ"],
                    32,
                    r["value"],
                    r["value"],
                    "Huda 2010",
                    "Huda et al. 2010 Med Phys 37:842 abstract; " + r["note"],
                ]
            )
        elif r["source"].startswith("Suzuki"):
            low, high = r["value"].split("-")
            rows.append(
                [
                    "head",
                    r["population"],
                    "lenses",
                    16,
                    low,
                    high,
                    "Suzuki 2010",
                    "Suzuki et al. 2010 AJNR 31:822 abstract; at the eyelid, 8 scanners",
                ]
            )
    write_csv(
        "ct_published_organ_doses",
        text_of(
            ["scan", "population", "organ", "phantom_cm", "low_mgy_mgy", "high_mgy_mgy", "short", "source"],
            rows,
        ),
        {
            "quantity": "organ dose per CTDIvol, published",
            "unit": "mGy/mGy",
            "source": "papers per row",
            "licence": FACTS,
            "made_by": MADE_BY,
            "verified": "A: read in the source table or abstract",
            "notes": "phantoms, scan ranges and scanners differ from ours: dose calculators differ by up to "
            "60 % for organs in the field (Gao et al. 2017 BMC Med. Imaging 17:28)",
        },
    )


def bowties(histories: int) -> None:
    """Fit the generic bow-ties at 120 kV, 20 mm, 570 mm."""
    from omnidose.beams.bowtie import Bowtie
    from omnidose.beams.ctdi import fit_bowtie
    from omnidose.beams.fan import FanBeam

    rows = []
    for name, material, radius, phantom, target, low, high in BOWTIES:
        start = Bowtie(name=name, material=material, radius_mm=radius)
        beam = FanBeam(kv=120.0, focus_mm=570.0, collimation_mm=20.0, bowtie=start)
        found, result = fit_bowtie(beam, phantom, target, tolerance_rel=0.003, histories=histories)
        print(name, found.strength_mm_per_mm, result)
        rows.append(
            [
                name,
                material,
                radius,
                round(found.strength_mm_per_mm, 5),
                phantom,
                target,
                low,
                high,
                round(result.ratio, 4),
                round(result.ratio_std_rel, 4),
            ]
        )
    write_csv(
        "ct_bowtie",
        text_of(
            [
                "name",
                "material",
                "radius_mm",
                "strength_mm_per_mm",
                "phantom_cm",
                "target_ratio",
                "low_ratio",
                "high_ratio",
                "fitted_ratio",
                "fitted_std_rel",
            ],
            rows,
        ),
        {
            "quantity": "generic equivalent bow-ties and the CTDI100 centre/periphery ratio of their fit",
            "unit": "mm; mm per mm of missing path; 1",
            "source": "own fit at 120 kV (method of Turner et al. 2009 Med. Phys. 36:2154). Targets: body, "
            "the ratio of the open 'large' bow-tie of XCIST (GE HealthCare, BSD-3) in the same simulation; "
            "head, equal doses in centre and periphery",
            "licence": "Apache-2.0",
            "made_by": MADE_BY,
            "verified": "validation claim ct.ctdi-ratio; the range low_ratio to high_ratio is carried as an "
            "uncertainty of the source",
        },
    )


def main() -> None:
    """Run one of the two parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["tables", "bowtie"])
    parser.add_argument("--reference", type=Path, default=Path("../shared/reference"))
    parser.add_argument("--histories", type=int, default=8_000_000)
    given = parser.parse_args()
    if given.part == "bowtie":
        bowties(given.histories)
        return
    ssde(given.reference)
    scanners(given.reference)
    published(given.reference)


if __name__ == "__main__":
    main()
