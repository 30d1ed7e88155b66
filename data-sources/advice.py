"""Write the packaged tables of advice: doses of the conceptus, and interruptions of breast-feeding.

Facts only, each with its source and how it was read. Run: ``python data-sources/advice.py``
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence

from _write import write_csv

SCRIPT = "data-sources/advice.py"

# --- conceptus -------------------------------------------------------------------------------------------

MECKEL = (
    "Russell, Stabin, Sparks 1997, Health Phys 73:747 and 756, as quoted in the guideline for Meckel's "
    "diverticulum, J Nucl Med Technol 2014;42:163"
)
FDG_2016 = "Zanotti-Fregonara et al. 2016, J Nucl Med 57 (suppl 2):1026, abstract"
FDG_2015 = "Zanotti-Fregonara, Laforest, Wallis 2015, J Nucl Med 56:1218, table of cases"
FDG_2010 = "Zanotti-Fregonara et al. 2010, J Nucl Med 51:803, doi 10.2967/jnumed.109.071878, abstract"
FDG_2012 = "Zanotti-Fregonara et al. 2012, Health Phys 102:217, doi 10.1097/HP.0b013e318226ebb4, abstract"
MDP_1988 = "Hedrick et al. 1988, Radiology 168:245, doi 10.1148/radiology.168.1.3380967, abstract"
LUNG = "Fetal dose variations in lung scintigraphy, Iran J Med Phys (article 20463), about 2022, abstract"
MAA_2021 = "World J Nucl Med 2021;20:342, doi 10.4103/wjnm.WJNM_122_20, abstract"
IODINE_2019 = "Eur Arch Med Res 2019;35:120, doi 10.4274/eamr.galenos.2018.04875, abstract"
IODINE_HPS = "Health Physics Society, Ask the Experts 8847 (2010)"
IODINE_1988 = "Basic et al. 1988, Int J Radiat Biol 54:167, doi 10.1080/09553008814551611, abstract"

#: Cases of 2015 of 5 to 10 weeks, 12 and 13 weeks, and 14 to 19 weeks, mGy/MBq.
CASES_2015 = {
    "early": (0.0173, 0.0314, 0.0223, 0.0221, 0.0208),
    "3-months": (0.00725, 0.00770, 0.00711, 0.00743, 0.00761),
    "6-months": (0.00369, 0.00387, 0.00388, 0.00410, 0.00472, 0.00352, 0.00410, 0.00459, 0.00546, 0.00528),
}
LATER = ("3-months", "6-months", "9-months")


def lung(agent: str, *doses_mgy_per_mbq: float) -> Iterator[tuple[object, ...]]:
    """Return the rows of an agent of the lungs in three stages."""
    for stage, dose in zip(LATER, doses_mgy_per_mbq, strict=True):
        yield agent, "Tc-99m", stage, "conceptus", dose, "A", LUNG, "hybrid phantom"


CONCEPTUS = (
    ("99mTc-pertechnetate", "Tc-99m", "early", "conceptus", 0.011, "B", MECKEL, "phantom, not gravid"),
    ("99mTc-pertechnetate", "Tc-99m", "3-months", "conceptus", 0.022, "B", MECKEL, "stylised phantom"),
    ("99mTc-pertechnetate", "Tc-99m", "6-months", "conceptus", 0.014, "B", MECKEL, "stylised phantom"),
    ("99mTc-pertechnetate", "Tc-99m", "9-months", "conceptus", 0.0093, "B", MECKEL, "stylised phantom"),
    ("18F-FDG", "F-18", "early", "conceptus", 0.025, "A", FDG_2016, "uterus of a phantom, uptake of PET"),
    ("18F-FDG", "F-18", "3-months", "conceptus", 0.013, "A", FDG_2016, "late first trimester, uptake of PET"),
    ("18F-FDG", "F-18", "6-months", "conceptus", 0.0085, "A", FDG_2016, "second trimester, uptake of PET"),
    ("18F-FDG", "F-18", "9-months", "conceptus", 0.0051, "A", FDG_2016, "third trimester, uptake of PET"),
    *(
        (
            "18F-FDG", "F-18", stage, "conceptus", round(math.fsum(values) / len(values), 5), "D", FDG_2015,
            f"mean of {len(values)} women, {weeks}, stylised phantom",
        )
        for (stage, values), weeks in zip(
            CASES_2015.items(), ("5 to 10 weeks", "12 and 13 weeks", "14 to 19 weeks"), strict=True
        )
    ),
    ("18F-FDG", "F-18", "early", "conceptus", 0.040, "A", FDG_2010, "one woman, 10 weeks"),
    ("18F-FDG", "F-18", "6-months", "conceptus", 0.0197, "A", FDG_2012, "one woman, second trimester"),
    ("99mTc-MDP", "Tc-99m", "early", "conceptus", 0.0046, "A", MDP_1988, "one woman, 8 weeks, measured"),
    ("99mTc-MDP", "Tc-99m", "3-months", "conceptus", 0.0026, "A", MDP_1988, "one woman, 18 weeks, measured"),
    *lung("99mTc-MAA", 0.0209, 0.00571, 0.00444),
    *(
        (
            "99mTc-MAA", "Tc-99m", stage, "conceptus", mgy_per_mbq, "D", MAA_2021,
            f"{which} of three trimesters ({200 * mgy_per_mbq:.2f} mGy from 200 MBq), which one is not told",
        )
        for stage in LATER
        for which, mgy_per_mbq in (("lowest", 0.00505), ("highest", 0.00985))
    ),
    *lung("99mTc-technegas", 0.000831, 0.000868, 0.00127),
    *lung("99mTc-DTPA-aerosol", 0.00785, 0.00242, 0.00266),
    (
        "131I-iodide", "I-131", "early", "conceptus", 0.072, "D", IODINE_2019,
        "34.63 mGy from 481 MBq and 266.64 mGy from 3700 MBq; no week and no fetal thyroid are told of",
    ),
    (
        "131I-iodide", "I-131", "early", "conceptus", 0.048, "D", IODINE_HPS,
        "7.1 mSv from 148 MBq, without a thyroid of the mother, at conception",
    ),
    (
        "131I-iodide", "I-131", "6-months", "fetal-thyroid", 430.0, "A", IODINE_1988,
        "greatest value, about the fifth month, from thyroids measured after 1986",
    ),
    (
        "131I-iodide", "I-131", "6-months", "fetal-thyroid", 582.0, "D", IODINE_2019,
        "215.34 Gy from 370 MBq; the month is not in the abstract",
    ),
)  # fmt: skip

# --- breast-feeding --------------------------------------------------------------------------------------

#: Institution, SNMMI/EANM, Stabin and Breitz, ICRP 106, Leide-Svegborn, ACMUI: columns of the tables of Naik
#: et al. 2023. "-" says nothing; 0 none; "stop"; "4h", "1-6d", ">3wk".
COLUMNS = ("ottawa", "snmmi-eanm", "stabin-breitz", "icrp106", "leide-svegborn", "acmui")
NAIK = """
131I-MIBG | I-131 | 37 | stop stop - >3wk - -
123I-MIBG | I-123 | 370 | 48h 48h 48h >3wk - -
99mTc-MDP | Tc-99m | 11/kg | 4h 4-24h 0 0 0 24h
18F-fluoride | F-18 | 185-370 | - - - - - 4h
18F-fluoride | F-18 | 2.22/kg | 0 - - - - 4h
99mTc-sulphur-colloid | Tc-99m | 555 | 4h - 0 0 - 24h
99mTc-sulphur-colloid | Tc-99m | 200 | 4h - 0 0 - 24h
99mTc-sulphur-colloid | Tc-99m | 18.5 | 4h - 0 0 - 24h
99mTc-ECD | Tc-99m | 555-1110 | 4h - - 0 - 24h
99mTc-HMPAO | Tc-99m | 555-1110 | 4h - - 0 - 24h
18F-florbetapir | F-18 | 370 | - 24h - - - -
18F-flutemetamol | F-18 | 185 | - 24h - - - -
18F-florbetaben | F-18 | 300 | - 24h - - - -
99mTc-sestamibi | Tc-99m | 300-600 | - 0 0 0 - 24h
99mTc-sestamibi | Tc-99m | 740 | 4h 0 0 0 - 24h
99mTc-sestamibi | Tc-99m | 1184 | 4h 4h 0 0 0 24h
99mTc-tetrofosmin | Tc-99m | 300-600 | - 0 - 0 - 24h
99mTc-tetrofosmin | Tc-99m | 1184 | 4h 4h - 0 - 24h
99mTc-PYP | Tc-99m | 740 | 4h - 0 0 - 24h
111In-DTPA | In-111 | 18-28 | 0 - - - - -
123I-ioflupane | I-123 | 111-185 | 3d 1-6d - - - -
18F-FDG | F-18 | 4.9/kg | 12h 12-24h - 0 0 4h
67Ga-citrate | Ga-67 | 148-333 | stop 2-4wk stop >3wk - 28d
99mTc-RBC-in-vitro | Tc-99m | 555-1110 | 4h 0 0 0 - 24h
99mTc-RBC-in-vivo | Tc-99m | 925 | 12h 24h 12h 12h 0 24h
99mTc-DISIDA | Tc-99m | 185 | 4h 0 0 0 - 24h
99mTc-mebrofenin | Tc-99m | 185 | 4h 0 - - - 24h
131I-iodide | I-131 | 0.37 | stop - stop >3wk stop stop
131I-iodide | I-131 | 185 | stop - stop >3wk stop stop
131I-iodide | I-131 | 185-1110 | stop stop stop >3wk stop stop
131I-iodide | I-131 | 1100-7400 | stop stop stop >3wk stop stop
123I-iodide | I-123 | 18.5 | 4d - 0 >3wk - 3d
123I-iodide | I-123 | 74-185 | 4d - stop >3wk - 3d
99mTc-MAA | Tc-99m | 74-185 | 12h - 12h 12h 12h 24h
99mTc-technegas | Tc-99m | 18-370 | - - - 0 - 24h
99mTc-DTPA-aerosol | Tc-99m | 20-40 | - - 0 - - 24h
99mTc-nanocolloid | Tc-99m | 3.7-370 | - 24h - - - 24h
99mTc-tilmanocept | Tc-99m | 3.7-370 | - 24h - - - 24h
177Lu-DOTATATE | Lu-177 | 3700 | stop 2.5mo - - - stop
99mTc-pertechnetate | Tc-99m | 75-150 | - 12h 4h 12h - 24h
99mTc-pertechnetate | Tc-99m | 370 | 12h - 4h 12h 12h 24h
99mTc-pertechnetate | Tc-99m | 555 | 12h 12h 4h 12h 12h 24h
201Tl-chloride | Tl-201 | 111 | 4d 48h 96h 48h - 4d
82Rb-chloride | Rb-82 | 1100-1850 | - - - - - 0
13N-ammonia | N-13 | 370-740 | - - - 0 - 1h
111In-octreotide | In-111 | 111 | 0 0 - 0 - 6d
99mTc-gluceptate | Tc-99m | 296 | 4h - 0 0 - 24h
99mTc-DMSA | Tc-99m | 111 | 4h - - 0 - 24h
99mTc-MAG3 | Tc-99m | 260 | 4h 4h 0 0 0 24h
99mTc-DTPA | Tc-99m | 370 | 4h 12h 0 0 0 24h
75Se-SeHCAT | Se-75 | 0.37 | >3wk - - >3wk - -
14C-urea | C-14 | 0.037 | 0 - - 0 - -
111In-oxine-WBC | In-111 | 10-40 | 0 - 0 0 - 6d
99mTc-HMPAO-WBC | Tc-99m | 370-740 | 24h - 48h 12h 0 24h
90Y-ibritumomab | Y-90 | 15/kg | - stop - - - -
"""
#: (agent, nuclide, MBq, source, advice)
MORE = """
99mTc-pertechnetate | Tc-99m | 1100 | nrc-lactmed | 24h
99mTc-pertechnetate | Tc-99m | 440 | nrc-lactmed | 12h
99mTc-RBC-in-vivo | Tc-99m | 740 | nrc-lactmed | 6h
99mTc-RBC-in-vitro | Tc-99m | 1000 | nrc-lactmed | 0
99mTc-HMPAO-WBC | Tc-99m | 440 | nrc-lactmed | 12h
99mTc-MDP | Tc-99m | 1000 | nrc-lactmed | 0
99mTc-DTPA | Tc-99m | | aap2013 | 0-4h
99mTc-MDP | Tc-99m | | aap2013 | 0-4h
99mTc-DMSA | Tc-99m | | aap2013 | 0-4h
99mTc-PYP | Tc-99m | | aap2013 | 0-4h
99mTc-tetrofosmin | Tc-99m | | aap2013 | 0-4h
99mTc-pertechnetate | Tc-99m | | aap2013 | 12-24h
99mTc-HMPAO-WBC | Tc-99m | | aap2013 | 12-24h
99mTc-sulphur-colloid | Tc-99m | | aap2013 | 6h
99mTc-RBC-in-vivo | Tc-99m | | aap2013 | 6h
14C-urea | C-14 | | aap2013 | 0
18F-FDG | F-18 | | aap2013 | 0
82Rb-chloride | Rb-82 | | aap2013 | 1h
111In-octreotide | In-111 | | aap2013 | 0
111In-oxine-WBC | In-111 | | aap2013 | 1wk
133Xe-gas | Xe-133 | | aap2013 | 0
81mKr-gas | Kr-81m | | aap2013 | 0
123I-MIBG | I-123 | | aap2013 | >3wk
123I-iodide | I-123 | | aap2013 | >3wk
131I-MIBG | I-131 | | aap2013 | >3wk
131I-iodide | I-131 | | aap2013 | >3wk
201Tl-chloride | Tl-201 | | aap2013 | 48h-2wk
67Ga-citrate | Ga-67 | | aap2013 | 1wk-1mo
"""
_NAIK = "as quoted in Naik et al. 2023, J Nucl Med Technol 51:239, doi 10.2967/jnmt.122.264910, tables 1 to 4"
SOURCES = {
    "ottawa": (
        "A",
        "Naik et al. 2023, J Nucl Med Technol 51:239, doi 10.2967/jnmt.122.264910: an institution",
    ),
    "snmmi-eanm": ("B", f"procedure guidelines of SNMMI and EANM, {_NAIK}"),
    "stabin-breitz": ("B", f"Stabin, Breitz 2000, J Nucl Med 41:863, {_NAIK}"),
    "icrp106": ("B", f"ICRP Publication 106 (2008), {_NAIK}"),
    "leide-svegborn": ("B", f"Leide-Svegborn et al. 2016, {_NAIK}"),
    "acmui": ("B", f"ACMUI of the US NRC, nursing mother guidelines (2019), {_NAIK}"),
    "nrc-lactmed": ("B", "US NRC, as quoted in LactMed (read in 2026)"),
    "aap2013": ("B", "AAP, Pediatrics 2013;132:e796, tables (after ICRP 106 and drug labels)"),
}
HOURS = {"h": 1.0, "d": 24.0, "wk": 168.0, "mo": 730.5}


def span_h(words: str) -> tuple[str, float, float]:
    """Return kind of advice, and the shortest and longest interruption in hours."""
    if words == "0":
        return "none", 0.0, 0.0
    if words == "stop":
        return "stop", math.inf, math.inf
    if words.startswith(">"):
        return "interrupt", span_h(words[1:])[1], math.inf
    match = re.fullmatch(r"([\d.]+)(h|d|wk|mo)?(?:-([\d.]+))?(h|d|wk|mo)?", words)
    assert match, words
    low, unit_low, high, unit = match.groups()
    last = unit or unit_low
    assert last, words
    return "interrupt", float(low) * HOURS[unit_low or last], float(high or low) * HOURS[last]


def activity(words: str) -> tuple[float, float, float]:
    """Return lowest and highest MBq, and MBq per kg; NaN for what is not said."""
    if not words:
        return math.nan, math.nan, math.nan
    if words.endswith("/kg"):
        return math.nan, math.nan, float(words[:-3])
    low, _, high = words.partition("-")
    return float(low), float(high or low), math.nan


def breastfeeding_rows() -> Iterator[tuple[object, ...]]:
    """Return one row for every agent, activity and source."""
    given = [line.split("|") for line in NAIK.strip().splitlines()]
    for agent, isotope, mbq, cells in given:
        words = cells.split()
        assert len(words) == len(COLUMNS), agent
        for source, cell in zip(COLUMNS, words, strict=True):
            if cell != "-":
                yield row(agent, isotope, mbq, source, cell)
    for line in MORE.strip().splitlines():
        agent, isotope, mbq, source, cell = (part.strip() for part in line.split("|"))
        yield row(agent, isotope, mbq, source, cell)


def row(agent: str, isotope: str, mbq: str, source: str, cell: str) -> tuple[object, ...]:
    """Return a row of the table."""
    low, high, per_kg = activity(mbq.strip())
    kind, least, most = span_h(cell)
    grade, text = SOURCES[source]
    return (agent.strip(), isotope.strip(), low, high, per_kg, kind, least, most, source, grade, text)


def text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def main() -> None:
    """Write both tables."""
    common = {"licence": "facts, with citation", "made_by": SCRIPT, "source": "papers per row"}
    write_csv(
        "conceptus_doses",
        text(
            ("agent", "nuclide", "stage", "target", "dose_mgy_per_mbq", "grade", "source", "note"), CONCEPTUS
        ),
        {
            "quantity": "absorbed dose of the conceptus, or of the fetal thyroid, per administered activity",
            "unit": "mGy/MBq",
            "verified": "A and B: read in abstracts and tables of the sources, or quoted by another; D: "
            "ratios and means made here of such numbers",
            "notes": "The first row of an agent and stage counts, further ones show the spread. early: up to "
            "10 weeks; 3, 6 and 9 months: to 19, to 32 and above 32 weeks.",
            **common,
        },
    )
    write_csv(
        "breastfeeding",
        text(
            (
                "agent", "nuclide", "activity_low_mbq", "activity_high_mbq", "activity_mbq_per_kg", "advice",
                "interruption_low_h", "interruption_high_h", "source_key", "grade", "source",
            ),
            breastfeeding_rows(),
        ),
        {
            "quantity": "advice on breast-feeding after a radiopharmaceutical: hours without it, by source",
            "unit": "MBq; MBq/kg; h",
            "verified": "A and B: read in the tables of the sources, or in tables that quote them",
            "notes": "inf: no end is said. Quoted cells that can be read in two ways are left out.",
            **common,
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
