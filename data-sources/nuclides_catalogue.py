"""Make the tables ``nuclides_catalogue`` and ``nuclides_generators``: production, partners, medical use.

Run: ``python data-sources/nuclides_catalogue.py TABLE1.csv [FOLDER]`` with the transcription of SINFONIA's
Table 1 (see ``nuclides_sinfonia.py``), whose routes are kept as printed. Routes of the other nuclides are
those that the IAEA reports named in each row treat. Every reaction is balanced; those that do not
add up are named in ``doubt``, never corrected.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from _write import write_csv

from omnidose.physics.nuclides_names import standard

SINFONIA = "SINFONIA recommendations, Table 1"
TRS468 = "IAEA Technical Reports Series 468 (2009)"
TEC1340 = "IAEA-TECDOC-1340 (2003)"
#: Routes that SINFONIA's table does not have: nuclide, modality, production, source.
ROUTES = (
    ("P-32", "therapy", "32S(n,p); 31P(n,g)", TEC1340),
    ("C-11", "PET", "14N(p,a)", TRS468),
    ("N-13", "PET", "16O(p,a)", TRS468),
    ("O-15", "PET", "14N(d,n); 15N(p,n)", TRS468),
    ("F-18", "PET", "18O(p,n); 20Ne(d,a)", TRS468),
    ("Ga-67", "SPECT", "68Zn(p,2n)", TRS468),
    ("Rb-82", "PET", "82Sr generator", TRS468),
    ("Sr-89", "therapy", "88Sr(n,g); 89Y(n,p)", TEC1340),
    ("I-123", "SPECT", "124Xe(p,2n)123Cs; 123Te(p,n)", TRS468),
    ("I-124", "PET", "124Te(p,n)", TRS468),
    ("I-125", "therapy (seeds), laboratory", "124Xe(n,g)125Xe", TEC1340),
    ("I-131", "therapy, SPECT", "130Te(n,g)131Te; 235U(n,f)", TEC1340),
    ("Xe-131m", "SPECT (research)", "131I decay", TEC1340),
    ("Xe-133", "SPECT", "235U(n,f)", TEC1340),
    ("Lu-177m", "impurity of 177Lu", "176Lu(n,g)", TEC1340),
    ("Tl-201", "SPECT", "203Tl(p,3n)201Pb", TRS468),
    ("At-211", "therapy", "209Bi(a,2n)", TRS468),
    ("Bi-212", "therapy", "224Ra generator; 212Pb decay", "S. M. Qaim, Nucl. Med. Biol. 44 (2017) 31"),
    ("Ra-226", "target, historical therapy", "238U decay", "S. M. Qaim, Nucl. Med. Biol. 44 (2017) 31"),
)
BJR = "C. Mueller et al., Br. J. Radiol. 91 (2018) 20180074"
RARE = "A. W. E. Sadler et al., EJNMMI Radiopharm. Chem. 7 (2022) 21"
ALPHA = "B. J. B. Nelson et al., Pharmaceuticals 16 (2023) 1622"
QAIM = "S. M. Qaim, Nucl. Med. Biol. 44 (2017) 31"
#: For imaging | for therapy | where it is treated. A nuclide may be both.
PAIRS = (
    ("Sc-43 Sc-44", "Sc-47", BJR),
    ("Cu-61 Cu-64", "Cu-67", QAIM),
    ("Y-86", "Y-90", QAIM),
    ("I-123 I-124", "I-131", QAIM),
    ("I-123 I-124", "At-211", ALPHA),
    ("Tb-152 Tb-155", "Tb-149 Tb-161", BJR),
    ("La-132", "La-135", RARE),
    ("La-132", "Ac-225", ALPHA),
    ("Ga-68", "Lu-177 Ac-225", "other elements, same ligands: " + BJR),
    ("In-111", "Y-90 Lu-177", "other elements, same ligands: " + BJR),
    ("Zr-89", "Y-90 Lu-177 Th-227", "other elements, same antibodies: " + ALPHA),
    ("Tc-99m", "Re-186 Re-188", "neighbours with like chemistry: " + QAIM),
)
USES = {
    "Sc-43": "PET with the chemistry of Lu-177, fewer gammas than Sc-44",
    "Sc-44": "PET with the chemistry of Lu-177",
    "Sc-47": "beta therapy, SPECT of it",
    "Mn-52": "PET over days (cell tracking, research)",
    "Co-55": "PET over a day (research)",
    "Cu-61": "PET",
    "Cu-64": "PET (somatostatin receptors, PSMA)",
    "Cu-67": "beta therapy, SPECT of it",
    "Ga-68": "PET (somatostatin receptors, PSMA, FAPI)",
    "Y-86": "PET for the dosimetry of Y-90",
    "Y-90": "radioembolisation of the liver, receptor and antibody therapy, radiosynovectomy",
    "Zr-89": "PET of antibodies over days",
    "Mo-99": "parent of the Tc-99m generator",
    "Tc-99m": "planar imaging and SPECT of bone, heart, kidneys, thyroid, lungs, sentinel nodes",
    "In-111": "SPECT of receptors, antibodies and leucocytes; Auger therapy (research)",
    "Sn-117m": "bone pain, conversion electrons of short range",
    "La-132": "PET for the dosimetry of Ac-225 and La-135 (research)",
    "La-135": "Auger therapy (research)",
    "Sm-153": "bone pain (EDTMP)",
    "Tb-149": "alpha therapy with PET of it (research)",
    "Tb-152": "PET for the other terbiums (research)",
    "Tb-155": "SPECT for the other terbiums (research)",
    "Tb-161": "beta therapy with conversion and Auger electrons (receptors, PSMA)",
    "Ho-166": "radioembolisation of the liver, imaged by SPECT and MRI",
    "Er-169": "radiosynovectomy of small joints",
    "Lu-177": "therapy of neuroendocrine tumours (somatostatin receptors) and prostate cancer (PSMA), SPECT",
    "Re-186": "bone pain, radiosynovectomy",
    "Re-188": "radioembolisation, skin cancer, bone pain",
    "Pb-212": "alpha therapy through its daughter Bi-212",
    "Bi-213": "alpha therapy",
    "Ra-223": "bone metastases of prostate cancer",
    "Ac-225": "alpha therapy (PSMA, somatostatin receptors)",
    "Th-227": "alpha therapy with antibodies (research)",
    "P-32": "polycythaemia, radiosynovectomy, brachytherapy of cysts",
    "C-11": "PET (choline, methionine, acetate)",
    "N-13": "PET of myocardial perfusion (ammonia)",
    "O-15": "PET of blood flow and oxygen (water, gas)",
    "F-18": "PET (FDG, PSMA, amyloid, fluoride and many more)",
    "Ga-67": "SPECT of inflammation and lymphoma (citrate)",
    "Rb-82": "PET of myocardial perfusion",
    "Sr-89": "bone pain (chloride)",
    "I-123": "SPECT and planar imaging (thyroid, MIBG, dopamine transporters)",
    "I-124": "PET for the dosimetry of I-131",
    "I-125": "brachytherapy seeds, laboratory assays, glomerular filtration",
    "I-131": "hyperthyroidism and thyroid cancer, MIBG",
    "Xe-131m": "SPECT of ventilation (research)",
    "Xe-133": "lung ventilation",
    "Lu-177m": "none: long-lived impurity of Lu-177 made from Lu-176, a matter of waste",
    "Tl-201": "SPECT of myocardial perfusion",
    "At-211": "alpha therapy (research)",
    "Bi-212": "alpha therapy, mostly as daughter of Pb-212",
    "Ra-226": "target for Ac-225; once brachytherapy needles",
}
#: Printed routes whose charges and masses do not add up to the product: (nuclide, route) -> what they give.
DOUBTS = {
    ("Cu-64", "68Zn(p,a)"): "gives Cu-65; Cu-64 needs one neutron more out (p,an)",
    ("Y-86", "67Zn(p,n)"): "gives Ga-67",
    ("Sn-117m", "natIn(a,xn)"): "gives antimony, which decays past the isomer",
    ("Bi-213", "209Bi(a,2n)"): "gives At-211",
    (
        "Ra-223",
        "235U(n,f)",
    ): "no fission product is so heavy; it is in the decay series of U-235",
}
ICRP = "ICRP Publication 107 (2008), Table A.1"
#: Daughter, parent, half-life of the parent (s; 0: in table nuclides), branching, remark, source.
GENERATORS = (
    ("Sc-44", "Ti-44", 1893415564.8, 1.0, "", ICRP),
    ("Ga-68", "Ge-68", 23410080.0, 1.0, "", ICRP),
    ("Rb-82", "Sr-82", 2191104.0, 1.0, "", ICRP),
    ("Y-90", "Sr-90", 908523901.8432, 1.0, "", ICRP),
    ("Tc-99m", "Mo-99", 0.0, 0.8773, "", ICRP),
    ("Re-188", "W-188", 6028992.0, 1.0, "", ICRP),
    ("Pb-212", "Ra-224", 316224.0, 1.0, "through Rn-220 (56 s) and Po-216 (0.15 s)", ICRP),
    ("Bi-212", "Pb-212", 0.0, 1.0, "", ICRP),
    ("Bi-213", "Ac-225", 0.0, 1.0, "through Fr-221 (5 min) and At-217", ICRP),
    ("Ac-225", "Ra-225", 0.0, 1.0, "milked from Th-229 (7340 a)", ICRP),
    ("Th-227", "Ac-227", 687057394.61, 0.9862, "", ICRP),
    ("Ra-223", "Th-227", 0.0, 1.0, "milked from Ac-227 (21.8 a)", ICRP),
)


def catalogue(table1: Path) -> str:
    """Return nuclide, modality, production, doubts, use and sources, as CSV."""
    text = [line for line in table1.read_text("utf-8").splitlines() if not line.startswith("#")]
    rows = []
    for row in csv.DictReader(text):
        routes = row["production"].replace(" [as printed]", "")
        modality = row["medical_application"].replace("Therapy Auger", "therapy (Auger)")
        rows.append((standard(row["nuclide"]), modality.replace("Therapy", "therapy"), routes, SINFONIA))
    lines = ["nuclide,modality,production,doubt,use,source"]
    left = dict(DOUBTS)
    for name, modality, routes, source in (*rows, *ROUTES):
        found = [f"{r}: {left.pop((name, r))}" for r in routes.split("; ") if (name, r) in DOUBTS]
        cells = (name, modality, routes, "; ".join(found), USES[name], source)
        lines.append(",".join(f'"{cell}"' for cell in cells))
    if left or len(lines) - 1 != len(USES):
        raise ValueError(f"no such routes {list(left)}, or {len(lines) - 1} rows for {len(USES)} uses")
    return "\n".join(lines) + "\n"


def pairs() -> str:
    """Return imaging and therapy partners, as CSV."""
    return "imaging,therapy,source\n" + "".join(f'{i},{t},"{s}"\n' for i, t, s in PAIRS)


def generators() -> str:
    """Return the generators, as CSV."""
    lines = ["daughter,parent,parent_half_life_s,branching,remark,source"]
    lines += [f'{d},{p},{h:.12g},{b:g},"{r}","{s}"' for d, p, h, b, r, s in GENERATORS]
    return "\n".join(lines) + "\n"


COMMON = {"licence": "facts", "made_by": "data-sources/nuclides_catalogue.py"}
TABLES = {
    "nuclides_catalogue": {
        "quantity": "radionuclides of medicine: modality, production routes, use",
        "unit": "words; routes as target(in,out)product",
        "source": "named per row (column source); uses: general knowledge of the field, our words",
        **COMMON,
        "verified": "B: SINFONIA's transcribed; every reaction balanced; IAEA reports not read row by row",
    },
    "nuclides_pairs": {
        "quantity": "matched radionuclides for imaging and for therapy",
        "unit": "names",
        "source": "named per row (column source)",
        **COMMON,
        "verified": "B: the reviews named treat them (abstracts read)",
    },
    "nuclides_generators": {
        "quantity": "radionuclide generators: parent, half-life, branching",
        "unit": "parent_half_life_s: s (0: the parent is in table nuclides); branching: 1",
        "source": "named per row (column source)",
        **COMMON,
        "verified": "B: ICRP 107 as radioactivedecay 0.6.1 carries it",
    },
}

if __name__ == "__main__":
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    texts = (catalogue(Path(sys.argv[1])), pairs(), generators())
    for (name, info), text in zip(TABLES.items(), texts, strict=True):
        write_csv(name, text, info, folder)
