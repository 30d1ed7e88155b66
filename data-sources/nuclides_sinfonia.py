"""Make the table ``nuclides_sinfonia``: the radionuclides of SINFONIA's recommendations, as printed.

Run: ``python data-sources/nuclides_sinfonia.py TABLE1.csv [FOLDER]``. The CSV is a transcription of
Table 1 of the report and not part of this repository. What we found out about entries that differ from
evaluated data stands here and goes into the column ``doubt``; nothing is corrected.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from _write import write_csv

from omnidose.physics.nuclides_names import standard

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
KINDS = {"g": "gamma", "b-": "beta-", "b+": "beta+", "a": "alpha"}
_RELATIVE = "relative to the 931 keV line as 100; per 100 decays that has 75"
_CAPTURES = "per 100 electron captures, not per 100 decays: 83.3 % of the decays"
_OTHER = "another evaluation"
_ICRP = "another evaluation, near ICRP 107"
#: AME2020 (M. Wang et al., Chinese Phys. C 45 (2021) 030003) decides which decay energies are old.
_TB152 = "bundled decay energy 3850 keV is old: AME2020 3990 keV"
_BI213 = "bundled decay energy 1432 keV is old: AME2020 1421.8 keV"
_LA132 = "end point from an older decay energy: AME2020 4711 keV gives the bundled one"
#: (nuclide, kind, energy as printed; 0: half-life) -> why it differs from decay_2012.
DOUBTS = {
    ("Cu-61", "half-life", 0): "3.333 h rounded up",
    ("Cu-67", "half-life", 0): "61.9 h is 2.58 d; 2.7 d is Y-90's",
    ("Co-55", "beta+", 2535): "energy of the transition; the end point is 1022 keV less (1498 keV)",
    ("Co-55", "beta+", 2059): "energy of the transition; the end point is 1022 keV less (1021 keV)",
    ("Co-55", "gamma", 477): _RELATIVE,
    ("Co-55", "gamma", 931): _RELATIVE,
    ("Co-55", "gamma", 1408): _RELATIVE,
    ("Cu-61", "beta+", 1215): "all positrons, not those of this branch (51)",
    ("Zr-89", "gamma", 909): "of Y-89m in equilibrium, which the bundled data keep apart",
    ("In-111", "gamma", 17.3): "misprint of 171.3 keV",
    ("Sn-117m", "gamma", 156): "intensity of the 158.6 keV line",
    ("La-132", "beta+", 3203): _LA132,
    ("La-132", "beta+", 2636): _LA132,
    ("Sm-153", "beta-", 641): "AME2020 807.4 keV less the level, 172.9 keV, gives 634.5 keV",
    ("Sm-153", "beta-", 694): "AME2020 807.4 keV less the level, 103.2 keV, gives 704.2 keV",
    ("Tb-149", "beta+", 1409): _OTHER,
    ("Tb-149", "gamma", 165): _CAPTURES,
    ("Tb-149", "gamma", 352): _CAPTURES,
    ("Tb-149", "gamma", 389): _CAPTURES,
    ("Tb-149", "gamma", 511): "twice the positrons of one branch",
    ("Tb-149", "gamma", 652): _CAPTURES,
    ("Tb-149", "gamma", 853): _CAPTURES,
    ("Tb-152", "beta+", 2968): _TB152,
    ("Tb-152", "beta+", 2624): _TB152,
    ("Tb-152", "gamma", 511): _OTHER,
    ("Tb-161", "beta-", 460): _ICRP,
    ("Tb-161", "beta-", 522): _ICRP,
    ("Tb-161", "gamma", 26): _ICRP,
    ("Tb-161", "gamma", 49): _ICRP,
    ("Tb-161", "gamma", 75): _ICRP,
    ("Er-169", "beta-", 343): _ICRP,
    ("Er-169", "beta-", 351): _ICRP,
    ("Re-188", "beta-", 965): "misprint of 1965 keV",
    ("Pb-212", "beta-", 590): "more than the decay energy: AME2020 569 keV",
    ("Bi-213", "beta-", 983): _BI213,
    ("Bi-213", "beta-", 1423): _BI213,
    ("Ra-223", "alpha", 5607): _OTHER,
    ("Ra-223", "alpha", 5716): _OTHER,
    ("Ra-223", "alpha", 5747): _OTHER,
    ("Ac-225", "gamma", 99): _ICRP,
}


def entries(path: Path) -> str:
    """Return one line per printed number, as CSV."""
    text = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    lines = ["nuclide,kind,energy_kev,printed,unit,doubt"]
    unused = dict(DOUBTS)
    for row in csv.DictReader(text):
        name = standard(row["nuclide"])
        number, unit = row["half_life"].split()
        numbers = [("half-life", 0.0, float(number) * SECONDS[unit], "s")]
        for entry in row["emissions_keV_percent"].split(";"):
            found = re.match(r"\s*(\S+) ([\d.]+) \(([\d.]+)\)", entry)
            if found is None:
                raise ValueError(entry)
            numbers.append((KINDS[found[1]], float(found[2]), float(found[3]), "per 100 decays"))
        for kind, energy, value, unit in numbers:
            doubt = unused.pop((name, kind, energy), "")
            lines.append(f'{name},{kind},{energy:g},{value:.6g},{unit},"{doubt}"')
    if unused:
        raise ValueError(f"no such entries: {list(unused)}")
    return "\n".join(lines) + "\n"


INFO = {
    "quantity": "half-lives and main emissions of 33 radionuclides as printed; what is doubtful and why",
    "unit": "energy_kev: keV (end points of betas); printed: as column unit says",
    "source": "SINFONIA (Euratom Horizon 2020, grant 945196), recommendations report, Table 1, as printed",
    "licence": "facts",
    "made_by": "data-sources/nuclides_sinfonia.py",
    "verified": "B: transcription; compared with decay_2012 (omnidose validate nuclear.catalogue)",
}

if __name__ == "__main__":
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    write_csv("nuclides_sinfonia", entries(Path(sys.argv[1])), INFO, folder)
