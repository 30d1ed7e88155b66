"""Write the packaged table ``nist_checks``: printed NIST values of mu/rho and mu_en/rho.

Run ``python data-sources/nist_checks.py [FOLDER]``. The numbers are published facts (Hubbell & Seltzer,
NISTIR 5632, v1.4, tables 3 and 4), typed from public transcriptions of NIST's pages.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from _write import write_csv

#: keV, mu/rho, mu_en/rho (cm2/g)
VALUES = {
    "water": """
1 4078 4065; 1.5 1376 1372; 2 617.3 615.2; 3 192.9 191.7; 4 82.78 81.91; 5 42.58 41.88; 6 24.64 24.05
8 10.37 9.915; 10 5.329 4.944; 15 1.673 1.374; 20 .8096 .5503; 30 .3756 .1557; 40 .2683 .06947
50 .2269 .04223; 60 .2059 .03190; 80 .1837 .02597; 100 .1707 .02546; 150 .1505 .02764; 200 .1370 .02967
300 .1186 .03192; 400 .1061 .03279; 500 .09687 .03299; 600 .08956 .03284; 800 .07865 .03206
1000 .07072 .03103; 1250 .06323 .02965; 1500 .05754 .02833; 2000 .04942 .02608; 3000 .03969 .02281
4000 .03403 .02066; 5000 .03031 .01915; 6000 .02770 .01806; 8000 .02429 .01658; 10000 .02219 .01566
15000 .01941 .01441; 20000 .01813 .01382""",
    "air": """
1 3606 3599; 1.5 1191 1188; 2 527.9 526.2; 3 162.5 161.4; 4 77.88 76.36; 5 40.27 39.31; 6 23.41 22.70
8 9.921 9.446; 10 5.120 4.742; 15 1.614 1.334; 20 .7779 .5389; 30 .3538 .1537; 40 .2485 .06833
50 .2080 .04098; 60 .1875 .03041; 80 .1662 .02407; 100 .1541 .02325; 150 .1356 .02496; 200 .1233 .02672
300 .1067 .02872; 400 .09549 .02949; 500 .08712 .02966; 600 .08055 .02953; 800 .07074 .02882
1000 .06358 .02789; 1250 .05687 .02666; 1500 .05175 .02547; 2000 .04447 .02345; 3000 .03581 .02057
4000 .03079 .01870; 5000 .02751 .01740; 6000 .02522 .01647; 8000 .02225 .01525; 10000 .02045 .01450
15000 .01810 .01353; 20000 .01705 .01311""",
    "iodine": """
1 9096 9078; 1.5 3919 3908; 2 1997 1988; 3 742.0 735.1; 4 360.7 354.8; 6 617.3 582.2; 8 292.2 277.7
10 162.6 154.8; 15 55.12 52.08; 20 25.43 23.63; 30 8.561 7.622; 40 22.10 9.616; 50 12.32 6.573
60 7.579 4.518; 80 3.510 2.331; 100 1.942 1.342; 150 .6978 .4742; 200 .3663 .2295; 300 .1771 .09257
400 .1217 .05650; 500 .09701 .04267; 600 .08313 .03598; 800 .06749 .02962; 1000 .05841 .02646
1250 .05111 .02399; 1500 .04647 .02243; 2000 .04124 .02092; 3000 .03716 .02059; 4000 .03607 .02142
5000 .03608 .02250; 6000 .03655 .02357; 8000 .03815 .02553; 10000 .04002 .02714; 15000 .04455 .02980
20000 .04823 .03101""",
}

INFO = {
    "quantity": "printed mass attenuation and mass energy-absorption coefficients",
    "unit": "keV; cm2/g",
    "source": "NIST (Hubbell & Seltzer, NISTIR 5632, v1.4, 2004), tables 3 and 4",
    "doi": "10.18434/T4D01F",
    "licence": "published facts (NIST public information)",
    "made_by": "data-sources/nist_checks.py",
    "verified": "B: public transcriptions of NIST's pages; mu/rho confirmed by our XCOM data",
}


def make() -> str:
    """Return the CSV text."""
    lines = ["material,energy_kev,mu_rho_cm2_g,mu_en_rho_cm2_g"]
    for name, text in VALUES.items():
        for entry in text.replace("\n", ";").split(";"):
            if entry.strip():
                energy, mu, mu_en = (float(v) for v in entry.split())
                lines.append(f"{name},{energy:g},{mu:g},{mu_en:g}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write_csv("nist_checks", make(), INFO, Path(sys.argv[1]) if len(sys.argv) > 1 else None)
