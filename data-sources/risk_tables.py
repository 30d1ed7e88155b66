"""Write the packaged tables of the risk room.

The parameters stand in this file with their sources. The population and the life tables are read
from a folder of reference files (``OMNIDOSE_REFERENCE_DIR``, see ``omnidose.validation``): they
are facts of public statistics that R packages carry; the licences are named in each TOML.

Run: ``python data-sources/risk_tables.py``
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections import defaultdict
from pathlib import Path

from omnidose.validation import reference_dir

TABLES = Path(__file__).parents[1] / "src" / "omnidose" / "data" / "tables"
SCRIPT = "data-sources/risk_tables.py"
NAN = math.nan
INF = math.inf

PMC = "PMC3816370 table 1 (Berrington de Gonzalez et al. 2012)"
CODE = "RadRAT distribution as programmed in LARisk 1.0.0 (src/prac13.c)"

# site, form, weight on ERR, age cap of e* (y), distribution, grade, source,
# then per sex (M, F): (ERR beta, low, high), (EAR beta, low, high); then gamma, eta of ERR and of EAR.
# ERR per Gy, EAR per 1e4 person-years and Gy; low and high are the 2.5 and 97.5 % bounds.
NONE = (NAN, NAN, NAN)
SITES = [
    (
        "stomach",
        "power",
        0.7,
        30,
        "lognormal",
        "A",
        PMC,
        ((0.21, 0.11, 0.40), (4.9, 2.7, 8.9)),
        ((0.48, 0.31, 0.73), (4.9, 3.2, 7.3)),
        -0.30,
        -1.4,
        -0.41,
        2.8,
    ),
    (
        "colon",
        "power",
        0.7,
        30,
        "lognormal",
        "A",
        PMC,
        ((0.63, 0.37, 1.1), (3.2, 1.8, 5.6)),
        ((0.43, 0.19, 0.96), (1.6, 0.8, 3.2)),
        -0.30,
        -1.4,
        -0.41,
        2.8,
    ),
    (
        "liver",
        "power",
        0.7,
        30,
        "lognormal",
        "A",
        PMC,
        ((0.32, 0.16, 0.64), (2.2, 0.9, 5.3)),
        ((0.32, 0.10, 1.0), (1.0, 0.4, 2.5)),
        -0.30,
        -1.4,
        -0.41,
        4.1,
    ),
    (
        "lung",
        "power",
        0.3,
        30,
        "lognormal",
        "A",
        PMC,
        ((0.32, 0.15, 0.70), (2.3, 1.1, 5.0)),
        ((1.4, 0.94, 2.1), (3.4, 2.3, 4.9)),
        -0.30,
        -1.4,
        -0.41,
        5.2,
    ),
    (
        "breast",
        "breast",
        0.0,
        INF,
        "lognormal",
        "B",
        "BEIR VII preferred breast model; its closed sum over the US 1999 life table gives table "
        "12D-1 within "
        "2 % to age 40; relative interval as PMC3816370 table 1",
        (NONE, NONE),
        (NONE, (9.4, 6.7, 13.3)),
        NAN,
        NAN,
        -0.51,
        NAN,
    ),
    (
        "prostate",
        "power",
        0.7,
        30,
        "normal",
        "A",
        PMC,
        ((0.12, NAN, 0.69), (0.11, NAN, 1.0)),
        (NONE, NONE),
        -0.30,
        -1.4,
        -0.41,
        2.8,
    ),
    (
        "uterus",
        "power",
        0.7,
        30,
        "normal",
        "A",
        PMC,
        (NONE, NONE),
        ((0.055, NAN, 0.22), (1.2, NAN, 2.6)),
        -0.30,
        -1.4,
        -0.41,
        2.8,
    ),
    (
        "ovary",
        "power",
        0.7,
        30,
        "lognormal",
        "A",
        PMC,
        (NONE, NONE),
        ((0.38, 0.10, 1.4), (0.70, 0.2, 2.1)),
        -0.30,
        -1.4,
        -0.41,
        2.8,
    ),
    (
        "bladder",
        "power",
        0.7,
        30,
        "lognormal",
        "A",
        PMC,
        ((0.50, 0.18, 1.4), (1.2, 0.4, 3.7)),
        ((1.65, 0.69, 4.0), (0.75, 0.3, 1.7)),
        -0.30,
        -1.4,
        -0.41,
        6.0,
    ),
    (
        "thyroid",
        "power",
        1.0,
        INF,
        "lognormal",
        "A",
        PMC + "; e* not truncated at 30, as BEIR VII table 12D-1 requires",
        ((0.53, 0.14, 2.0), NONE),
        ((1.05, 0.28, 3.9), NONE),
        -0.83,
        0.0,
        NAN,
        NAN,
    ),
    (
        "oral",
        "power",
        0.7,
        30,
        "piecewise",
        "A",
        f"{PMC}; negative lower bounds: {CODE}",
        ((0.23, -0.0047, 0.66), (0.44, 0.08, 1.1)),
        ((0.53, 0.13, 1.24), (0.29, 0.06, 0.66)),
        -0.30,
        -1.4,
        -0.41,
        0.5,
    ),
    (
        "oesophagus",
        "power",
        0.7,
        30,
        "piecewise",
        "A",
        f"{PMC}; negative lower bounds: {CODE}",
        ((0.51, 0.093, 1.13), (0.88, 0.11, 2.1)),
        ((0.82, -0.10, 3.1), (0.14, -0.08, 0.63)),
        -0.30,
        -1.4,
        -0.41,
        2.8,
    ),
    (
        "rectum",
        "power",
        0.7,
        30,
        "piecewise",
        "A",
        f"{PMC}; negative lower bounds: {CODE}",
        ((0.12, -0.038, 0.38), (0.34, 0.09, 1.1)),
        ((0.12, -0.038, 0.38), (0.34, 0.09, 1.1)),
        -0.30,
        -1.4,
        -0.41,
        2.8,
    ),
    (
        "pancreas",
        "power",
        0.7,
        30,
        "piecewise",
        "A",
        f"{PMC}; negative lower bounds: {CODE}",
        ((0.36, -0.0055, 0.88), (0.49, 0.09, 1.1)),
        ((0.36, -0.0055, 0.88), (0.49, 0.09, 1.1)),
        -0.30,
        -1.4,
        -0.41,
        2.8,
    ),
    (
        "kidney",
        "power",
        0.7,
        30,
        "piecewise",
        "A",
        f"{PMC}; negative lower bounds: {CODE}",
        ((0.34, -0.012, 1.0), (0.31, 0.08, 0.68)),
        ((0.34, -0.012, 1.0), (0.31, 0.08, 0.68)),
        -0.30,
        -1.4,
        -0.41,
        2.8,
    ),
    (
        "brain",
        "power",
        1.0,
        30,
        "lognormal",
        "A",
        PMC,
        ((0.71, 0.26, 1.34), NONE),
        ((0.24, 0.09, 0.47), NONE),
        -0.30,
        -1.4,
        NAN,
        NAN,
    ),
    (
        "remainder",
        "power",
        0.7,
        30,
        "lognormal",
        "B",
        CODE,
        ((0.87, 0.449, 1.686), (2.73, 1.548, 4.814)),
        ((0.80, 0.331, 1.934), (0.943, 0.437, 2.035)),
        -0.30,
        -1.4,
        -0.41,
        2.8,
    ),
]

# Leukaemia (not CLL): beta D (1 + theta D) exp(gamma e* + delta ln(t/25) + phi e* ln(t/25)).
LEUKAEMIA = {
    "err": {"M": (1.1, 0.87, -0.40, -0.48, 0.42), "F": (1.2, 0.87, -0.40, -0.48, 0.42)},
    "ear": {"M": (1.62, 0.88, 0.29, 0.0, 0.56), "F": (0.93, 0.88, 0.29, 0.0, 0.56)},
}
# Covariance of (ln beta, theta, gamma, delta, phi), upper triangle row by row.
COVARIANCE = {
    ("err", "M"): (0.349923, -0.371562, 0.0279017, 0.0277847, 0.0206183, 0.542042, 0.0101649, 0.00150142,
                   -0.00642578, 0.0373066, 0.0169665, 0.0134684, 0.110026, 0.0578845, 0.0696666),
    ("err", "F"): (0.420773, -0.399592, 0.0270153, 0.0244283, 0.0188047, 0.542042, 0.0101649, 0.00150142,
                   -0.00642578, 0.0373066, 0.0169665, 0.0134684, 0.110026, 0.0578845, 0.0696666),
    ("ear", "M"): (0.677437, -0.545608, 0.0296734, 0.0, -0.00472918, 0.542886, 0.00169235, 0.0,
                   0.00737659, 0.0217357, 0.0, 0.0103813, 0.0, 0.0, 0.0158421),
    ("ear", "F"): (0.216888, -0.306358, 0.0150695, 0.0, -0.00201906, 0.542886, 0.00169235, 0.0,
                   0.00737659, 0.0217357, 0.0, 0.0103813, 0.0, 0.0, 0.0158421),
}  # fmt: skip

POPULATION_SITES = {
    "esophagus": "oesophagus", "stomach": "stomach", "colon": "colon", "liver": "liver",
    "pancreas": "pancreas", "lung": "lung", "breast": "breast", "prostate": "prostate",
    "bladder": "bladder", "brainCNS": "brain", "thyroid": "thyroid", "leukaemia": "leukaemia",
    # The source calls this column "allsolid-NMSC"; it holds all cancers but non-melanoma skin cancer:
    # at age 5 it equals all_cancer less 0.2 %, leukaemia included (checked over all ages).
    "allsolid-NMSC": "all",
}  # fmt: skip

REGION = "Aus-NZ Europe Northern America"


def write(name: str, header: list[str], rows: list[list[object]], info: dict[str, str]) -> None:
    """Write NAME.csv and NAME.toml."""
    path = TABLES / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    lines = [f'{key} = """{text}"""' for key, text in info.items()]
    lines += [f'made_by = "{SCRIPT}"', f'sha256 = "{digest}"']
    (TABLES / f"{name}.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_solid() -> None:
    """Write ``risk_beir7_solid``: site parameters of solid cancers."""
    rows: list[list[object]] = []
    for site, form, weight, cap, shape, grade, source, male, female, g_err, n_err, g_ear, n_ear in SITES:
        for sex, (err, ear) in (("M", male), ("F", female)):
            if math.isnan(err[0]) and math.isnan(ear[0]):
                continue
            rows.append(
                [site, sex, form, weight, cap, shape, *err, g_err, n_err, *ear, g_ear, n_ear, grade, source]
            )
    header = [
        "site",
        "sex",
        "form",
        "weight_err",
        "age_cap_y",
        "distribution",
        "err",
        "err_low",
        "err_high",
        "err_gamma",
        "err_eta",
    ]
    header += ["ear", "ear_low", "ear_high", "ear_gamma", "ear_eta", "grade", "source"]
    info = {
        "quantity": "excess relative and excess absolute risk of solid cancer incidence per absorbed dose",
        "unit": "err: 1/Gy; ear: cases per 1e4 person-years per Gy; ages in years",
        "source": "BEIR VII Phase 2 (National Research Council 2006), chapter 12, preferred models, "
        "as printed in "
        "Berrington de Gonzalez et al. 2012 (PMC3816370, table 1), with the sites that RadRAT adds; per row",
        "doi": "10.1088/0952-4746/32/3/205",
        "page": "PMC3816370 table 1",
        "licence": "published facts",
        "verified": "per row, column grade: A read in the source, B read in public code or reproduced",
        "notes": "low and high: 2.5 and 97.5 %. err_low NaN: normal distribution with the given upper bound.",
    }
    write("risk_beir7_solid", header, rows, info)


def write_leukaemia() -> None:
    """Write ``risk_beir7_leukaemia``: parameters and covariance."""
    rows: list[list[object]] = []
    for kind, by_sex in LEUKAEMIA.items():
        for sex, values in by_sex.items():
            rows.append([kind, sex, *values, *COVARIANCE[(kind, sex)]])
    names = ["ln_beta", "theta", "gamma", "delta", "phi"]
    header = ["kind", "sex", "beta", *names[1:]]
    header += [f"cov_{i}{j}" for i in range(5) for j in range(i, 5)]
    info = {
        "quantity": "linear-quadratic model of leukaemia incidence and the covariance of its parameters",
        "unit": "beta: 1/Gy (err), cases per 1e4 person-years per Gy (ear); theta: 1/Gy; others 1",
        "source": "BEIR VII Phase 2 (National Research Council 2006), chapter 12, preferred "
        "leukaemia models and "
        "annex on their covariance, as programmed in LARisk 1.0.0 (src/prac13.c)",
        "doi": "10.17226/11340",
        "licence": "published facts",
        "verified": "B: read in public code; the sum reproduces table 12D-1 to about 10 % on "
        "another baseline",
        "notes": "covariance of (ln beta, theta, gamma, delta, phi), indices 0 to 4, upper triangle",
    }
    write("risk_beir7_leukaemia", header, rows, info)


def write_population(folder: Path) -> None:
    """Write ``population_europe_north_america``: rates by completed age 0 to 99."""
    rates: dict[tuple[str, str], dict[int, tuple[float, float]]] = defaultdict(dict)
    with (folder / "baseline_euro_namer_iarc.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["region"] != REGION:
                continue
            pair = (float(row["rate_male"]), float(row["rate_female"]))
            rates[(row["endpoint"], row["site"])][int(row["age"])] = pair
    columns = {("mortality", "allcause"): "death"}
    columns |= {("incidence", theirs): ours for theirs, ours in POPULATION_SITES.items()}
    rows: list[list[object]] = []
    for index, sex in enumerate(("M", "F")):
        # The source's age is the upper end of the year: its 1 is our completed age 0.
        for age in range(100):
            rows.append([sex, age, *(rates[key][age + 1][index] for key in columns)])
    info = {
        "quantity": "all-cause death rate and cancer incidence rates by sex and completed year of age",
        "unit": "1 per person-year",
        "source": "IARC/WHO statistics for the region Australia-New Zealand, Europe, Northern "
        "America as compiled in "
        "the R package CanEpiRisk 1.0-0",
        "licence": "MIT (CanEpiRisk); cite IARC (Global Cancer Observatory) and WHO",
        "verified": "A: copied by script from the package's data; all-cancer column identified by its sums",
        "notes": "'leukaemia' leaves out chronic lymphocytic leukaemia; 'all' is all cancers but "
        "non-melanoma skin "
        "cancer (the package's column 'allsolid-NMSC', which includes blood cancers: at age 5 it is within "
        "0.3 % of its all-cancer column). No rates for ovary, uterus, kidney, rectum, oral cavity, "
        "gallbladder.",
    }
    write("population_europe_north_america", ["sex", "age", *columns.values()], rows, info)


def write_life_tables(folder: Path) -> None:
    """Write ``life_table_us``: death probabilities of 1999 and 2014."""
    rows: list[list[object]] = []
    with (folder / "life_tables.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["population"].startswith("USA_"):
                sex = {"male": "M", "female": "F"}[row["sex"]]
                rows.append([int(row["population"][4:]), sex, int(row["age"]), float(row["q"])])
    info = {
        "quantity": "probability of death within the year of age",
        "unit": "1",
        "source": "US National Center for Health Statistics, US life tables 1999 and 2014, as in "
        "the R package survival",
        "licence": "public domain (US government statistics)",
        "verified": "A: copied by script from the package's rate table",
        "notes": "1999 is the table of the BEIR VII tables; used to check the closed breast sum",
    }
    write("life_table_us", ["year", "sex", "age", "q"], rows, info)


if __name__ == "__main__":
    reference = reference_dir()
    if reference is None:
        raise SystemExit("set OMNIDOSE_REFERENCE_DIR to the folder of reference files")
    write_solid()
    write_leukaemia()
    write_population(reference / "risk")
    write_life_tables(reference / "risk")
