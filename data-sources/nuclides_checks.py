"""Make the table ``decay_checks``: chains of radioactivedecay with the data they were made with.

Run where radioactivedecay is installed (an oracle only, no dependency):
``python data-sources/nuclides_checks.py [FOLDER]``. 1 MBq of the parent at 0, no biological removal;
InventoryHP works with 320 significant digits.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from _write import write_csv

PARENTS = ("Ac-225", "Ra-223", "Th-227", "Ra-226", "Mo-99", "Lu-177m", "At-211", "Pb-212", "Tb-149")
TIMES_H = (0.1, 24.0, 240.0, 2400.0, 240000.0)
_DECAYS_PER_MBQ_H = 3.6e9


def chains() -> str:
    """Return half-life, progeny and time-integrated activity (MBq h) of every nuclide, as CSV."""
    import radioactivedecay as rd

    lines = ["parent,nuclide,half_life_s,progeny," + ",".join(f"tia_{t:g}_h_mbq_h" for t in TIMES_H)]
    for parent in PARENTS:
        start = rd.InventoryHP({parent: 1.0}, "MBq")
        by_time = [start.cumulative_decays(t, "h") for t in TIMES_H]
        for name in by_time[0]:
            item = rd.Nuclide(name)
            progeny = " ".join(
                f"{n}:{float(b)!r}" for n, b in zip(item.progeny(), item.branching_fractions(), strict=True)
            )
            numbers = ",".join(f"{float(decays[name]) / _DECAYS_PER_MBQ_H:.12g}" for decays in by_time)
            lines.append(f"{parent},{name},{float(item.half_life('s'))!r},{progeny},{numbers}")
    return "\n".join(lines) + "\n"


def info() -> dict[str, str]:
    """Return the description of the table."""
    return {
        "quantity": "time-integrated activity in decay chains of 1 MBq, with half-lives and branchings used",
        "unit": "half_life_s: s; progeny: daughter:branching; tia_*: MBq h from 0 to the time in the name",
        "source": (
            f"radioactivedecay {version('radioactivedecay')} (A. Malins, T. Lemoine, J. Open Source Softw. 7 "
            "(2022) 3318), InventoryHP, with its data set icrp107_ame2020_nubase2020"
        ),
        "doi": "10.21105/joss.03318",
        "licence": "facts, computed for comparison (see LICENSES)",
        "made_by": "data-sources/nuclides_checks.py",
        "verified": "B: another program's results, 12 digits",
    }


if __name__ == "__main__":
    write_csv("decay_checks", chains(), info(), Path(sys.argv[1]) if len(sys.argv) > 1 else None)
