# ruff: noqa: E501 (a table, one material a line)
"""Write the packaged table ``materials``: named compositions with a source for every row.

Run ``python data-sources/materials.py [FOLDER]``. The numbers are published facts, typed here; where a
formula is given the weights are computed from the atomic weights that XCOM uses.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from _write import write_csv

NIST = "NIST X-ray mass attenuation tables (Hubbell & Seltzer, NISTIR 5632, v1.4), table 2"
NIST_1 = "NIST X-ray mass attenuation tables (Hubbell & Seltzer, NISTIR 5632, v1.4), table 1"
ICRU_44 = "ICRU Report 44 (1989), through the material files of EGSnrc and spekpy"
TG195 = "AAPM TG-195 (Sechopoulos et al. 2015, Med. Phys. 42, 5679)"
NOMINAL = "nominal: chemical formula and a typical density, no measured couch"

#: name; other names; Z:per cent; g/cm3; source; grade
ROWS: list[tuple[str, str, str, float, str, str]] = [
    ("water", "water, liquid;h2o", "1:11.1898 8:88.8102", 1.0, NIST, "B"),
    ("air", "dry air", "6:0.0124 7:75.5268 8:23.1781 18:1.2827", 0.001205, NIST, "B"),
    ("adipose tissue", "fat", "1:11.4 6:59.8 7:0.7 8:27.8 11:0.1 16:0.1 17:0.1", 0.95, NIST, "B"),
    ("blood", "whole blood", "1:10.2 6:11 7:3.3 8:74.5 11:0.1 15:0.1 16:0.2 17:0.3 19:0.2 26:0.1", 1.06, NIST, "B"),
    ("cortical bone", "bone", "1:3.4 6:15.5 7:4.2 8:43.5 11:0.1 12:0.2 15:10.3 16:0.3 20:22.5", 1.92, NIST, "B"),
    ("brain", "", "1:10.7 6:14.5 7:2.2 8:71.2 11:0.2 15:0.4 16:0.2 17:0.3 19:0.3", 1.04, NIST, "B"),
    ("breast tissue", "mammary gland", "1:10.6 6:33.2 7:3 8:52.7 11:0.1 15:0.1 16:0.2 17:0.1", 1.02, NIST, "B"),
    ("eye lens", "lens", "1:9.6 6:19.5 7:5.7 8:64.6 11:0.1 15:0.1 16:0.3 17:0.1", 1.07, NIST, "B"),
    ("lung tissue", "lung", "1:10.3 6:10.5 7:3.1 8:74.9 11:0.2 15:0.2 16:0.3 17:0.3 19:0.2", 1.05, NIST, "B"),
    ("skeletal muscle", "muscle", "1:10.2 6:14.3 7:3.4 8:71 11:0.1 15:0.2 16:0.3 17:0.1 19:0.4", 1.05, NIST, "B"),
    ("ovary", "", "1:10.5 6:9.3 7:2.4 8:76.8 11:0.2 15:0.2 16:0.2 17:0.2 19:0.2", 1.05, NIST, "B"),
    ("testis", "", "1:10.6 6:9.9 7:2 8:76.6 11:0.2 15:0.1 16:0.2 17:0.2 19:0.2", 1.04, NIST, "B"),
    ("soft tissue", "icru-44 soft tissue", "1:10.2 6:14.3 7:3.4 8:70.8 11:0.2 15:0.3 16:0.3 17:0.2 19:0.3", 1.06, NIST, "B"),
    ("soft tissue, four components", "icru tissue", "1:10.1174 6:11.1 7:2.6 8:76.1826", 1.0, NIST, "B"),
    ("liver", "", "1:10.2 6:13.9 7:3 8:71.6 11:0.2 15:0.3 16:0.3 17:0.2 19:0.3", 1.06, ICRU_44, "B"),
    ("thyroid", "", "1:10.4 6:11.9 7:2.4 8:74.5 11:0.2 15:0.1 16:0.1 17:0.2 19:0.1 53:0.1", 1.05, ICRU_44, "B"),
    ("kidney", "", "1:10.3 6:13.2 7:3 8:72.4 11:0.2 15:0.2 16:0.2 17:0.2 19:0.2 20:0.1", 1.05, ICRU_44, "B"),
    ("spleen", "", "1:10.3 6:11.3 7:3.2 8:74.1 11:0.1 15:0.3 16:0.2 17:0.2 19:0.3", 1.06, ICRU_44, "B"),
    ("pancreas", "", "1:10.6 6:16.9 7:2.2 8:69.4 11:0.2 15:0.2 16:0.1 17:0.2 19:0.2", 1.04, ICRU_44, "B"),
    ("heart, blood filled", "", "1:10.3 6:12.1 7:3.2 8:73.4 11:0.1 15:0.1 16:0.2 17:0.3 19:0.2 26:0.1", 1.06, ICRU_44, "B"),
    ("skin", "", "1:10 6:20.4 7:4.2 8:64.5 11:0.2 15:0.1 16:0.2 17:0.3 19:0.1", 1.09, ICRU_44, "B"),
    ("intestine", "", "1:10.6 6:11.5 7:2.2 8:75.1 11:0.1 15:0.1 16:0.1 17:0.2 19:0.1", 1.03, ICRU_44, "B"),
    ("red marrow", "", "1:10.5 6:41.4 7:3.4 8:43.9 15:0.1 16:0.2 17:0.2 19:0.2 26:0.1", 1.03, ICRU_44, "B"),
    ("yellow marrow", "", "1:11.5 6:64.4 7:0.7 8:23.1 11:0.1 16:0.1 17:0.1", 0.98, ICRU_44, "B"),
    ("cartilage", "", "1:9.6 6:9.9 7:2.2 8:74.4 11:0.5 15:2.2 16:0.9 17:0.3", 1.1, ICRU_44, "B"),
    ("spongiosa", "", "1:8.5 6:40.4 7:2.8 8:36.7 11:0.1 12:0.1 15:3.4 16:0.2 17:0.2 19:0.1 20:7.4 26:0.1", 1.18, ICRU_44, "B"),
    ("pmma", "acrylic;lucite;perspex", "1:8.0541 6:59.9846 8:31.9613", 1.19, NIST, "B"),
    ("polyethylene", "", "1:14.3716 6:85.6284", 0.93, NIST, "B"),
    ("polystyrene", "", "1:7.7421 6:92.2579", 1.06, NIST, "B"),
    ("polytetrafluoroethylene", "teflon;ptfe", "6:24.0183 9:75.9817", 2.25, NIST, "B"),
    ("polyvinyl chloride", "pvc", "1:4.8382 6:38.4361 17:56.7257", 1.406, NIST, "B"),
    ("mylar", "", "1:4.196 6:62.5016 8:33.3024", 1.38, NIST, "B"),
    ("a-150 plastic", "", "1:10.133 6:77.5498 7:3.5057 8:5.2315 9:1.7423 20:1.8377", 1.127, NIST, "B"),
    ("caesium iodide", "csi", "53:48.8451 55:51.1549", 4.51, NIST, "B"),
    ("ordinary concrete", "concrete", "1:2.21 6:0.2484 8:57.493 11:1.5208 12:0.1266 13:1.9953 14:30.4627 19:1.0045 20:4.2951 26:0.6435", 2.3, NIST, "B"),
    ("lead glass", "", "8:15.6453 14:8.0866 22:0.8092 33:0.2651 82:75.1938", 6.22, NIST, "B"),
    ("tg-195 soft tissue", "", "1:10.5 6:25.6 7:2.7 8:60.2 11:0.1 15:0.2 16:0.3 17:0.2 19:0.2", 1.03, TG195, "B"),
    ("carbon fibre", "", "6:100", 1.6, NOMINAL, "D"),
    ("polymethacrylimide foam", "couch foam", "1:7.2381 6:62.7285 7:9.1439 8:20.8896", 0.052, NOMINAL, "D"),
    ("carbon", "c;graphite", "6:100", 1.7, NIST_1, "B"),
    ("beryllium", "be", "4:100", 1.848, NIST_1, "B"),
    ("aluminium", "al;aluminum", "13:100", 2.699, NIST_1, "B"),
    ("titanium", "ti", "22:100", 4.54, NIST_1, "B"),
    ("iron", "fe", "26:100", 7.874, NIST_1, "B"),
    ("copper", "cu", "29:100", 8.96, NIST_1, "B"),
    ("molybdenum", "mo", "42:100", 10.22, NIST_1, "B"),
    ("rhodium", "rh", "45:100", 12.41, NIST_1, "B"),
    ("silver", "ag", "47:100", 10.5, NIST_1, "B"),
    ("tin", "sn", "50:100", 7.31, NIST_1, "B"),
    ("iodine", "i", "53:100", 4.93, NIST_1, "B"),
    ("gadolinium", "gd", "64:100", 7.9, NIST_1, "B"),
    ("tungsten", "w", "74:100", 19.3, NIST_1, "B"),
    ("gold", "au", "79:100", 19.32, NIST_1, "B"),
    ("lead", "pb", "82:100", 11.35, NIST_1, "B"),
]  # fmt: skip

INFO = {
    "quantity": "elemental composition and density of materials",
    "unit": "weights_percent: Z:per cent by mass; density_g_cm3: g/cm3",
    "source": f"per row: {NIST}; ICRU Report 44 (1989); {TG195}; nominal",
    "licence": "published facts",
    "made_by": "data-sources/materials.py",
    "verified": "per row (verified): B public compilations that cite the source; D nominal. Row sums 100 within 0.1",
    "notes": "names are lower case; 'also' holds other names, separated by semicolons",
}


def make() -> str:
    """Return the CSV text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["name", "also", "weights_percent", "density_g_cm3", "source", "verified"])
    for name, also, weights, density, source, grade in ROWS:
        total = sum(float(part.split(":")[1]) for part in weights.split())
        if abs(total - 100) > 0.1:
            raise ValueError(f"{name}: weights sum to {total}")
        writer.writerow([name, also, weights, density, source, grade])
    return out.getvalue()


if __name__ == "__main__":
    write_csv("materials", make(), INFO, Path(sys.argv[1]) if len(sys.argv) > 1 else None)
