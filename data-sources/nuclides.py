"""Make the packaged tables ``nuclides`` and ``nuclides_pinned``: what radionuclides of medicine emit.

Run: ``python data-sources/nuclides.py EMISSIONS.json [FOLDER]``. The JSON holds 95 nuclides taken out of
``lines_decay_2012.min.json`` of the PyPI package actigamma 0.1.5 (UKAEA decay_2012, Apache-2.0): energies in
keV, numbers per decay. The file is not part of this repository.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from _write import write_csv, write_npz

from omnidose.physics.beta import MC2_KEV
from omnidose.physics.nuclides_names import parse, standard_name
from omnidose.physics.nuclides_spectra import split_positrons

#: Half-lives that decay_2012 has rounded or old (nuclide, seconds, where from).
HALF_LIVES = (
    ("Tc-99m", 6.0072 * 3600, "ENSDF, E. Browne and J. K. Tuli, Nucl. Data Sheets 145 (2017) 25"),
    ("Re-186", 3.7183 * 86400, "ICRP Publication 107 (2008), Table A.1"),
)
#: Decay energies over 2 % off today's: all end points of the mode move with them, and the evaluated mean,
#: which rests on the old one, is left to the shape (nuclide, keV in decay_2012, keV in its place, source).
DECAY_ENERGIES = (("Cu-67", 576.0, 560.8, "AME2020, M. Wang et al., Chinese Phys. C 45 (2021) 030003"),)
SULIMAN = "G. Suliman et al., Appl. Radiat. Isot. 77 (2013) 32"
#: Half-lives measured since decay_2012 that differ: told, not used (evaluations come first).
NEWER = (
    ("Tb-155", 5.2346 * 86400, "S. M. Collins et al., Appl. Radiat. Isot. 190 (2022) 110480"),
    ("Tb-161", 6.9637 * 86400, "three laboratories, Appl. Radiat. Isot. (2022), PubMed 35158282"),
    ("Ac-225", 9.920 * 86400, "Joint Research Centre of the European Commission, 2012, as quoted since"),
    ("Fr-221", 4.806 * 60, SULIMAN),
    ("Po-213", 3.708e-6, SULIMAN),
    ("Pb-209", 3.232 * 3600, SULIMAN),
)
#: Shares of a decay that end in an isomer with a life of its own: (parent, mode, isomer, share of the mode).
ICRP = "ICRP Publication 107 (2008), Table A.1"
LEVELS = "decay_2012: all transitions but those that feed the ground state past the isomer"
ISOMERS = (
    ("Mo-99", "beta-", "Tc-99m", 0.8773, ICRP),
    ("Zr-89", "ec", "Y-89m", 0.9987, LEVELS + " (1744.6 keV, 0.0013 per decay)"),
    ("In-111", "ec", "Cd-111m", 5.0e-5, ICRP),
    ("I-123", "ec", "Te-123m", 4.442e-5, ICRP),
    ("I-131", "beta-", "Xe-131m", 0.011759, ICRP),
    ("Lu-177m", "beta-", "Hf-177m", 1.0, LEVELS + " (its one beta branch, end point 152.5 keV)"),
)
#: Unique first-forbidden transitions (ENSDF: spin changes by 2, and parity): end point or Q within 1 keV.
UNIQUE = {
    ("Sr-89", 1495),
    ("Y-90", 2280),
    ("Y-90", 519),
    ("Ho-166", 1773),
    ("I-131", 807),
    ("Lu-177", 249),
    ("I-124", 3160),
    ("Y-86", 4163),
    ("Y-86", 3386),
    ("La-132", 4710),
    ("Tb-152", 3850),
}
CHANGE = {"beta-": (1, 0), "ec": (-1, 0), "alpha": (-2, -4), "it": (0, 0)}
KINDS = ("gamma", "x", "electron", "beta_minus", "positron", "alpha")


def make(emissions: dict[str, dict]) -> dict[str, np.ndarray]:
    """Return the arrays: one row per nuclide, and lines and branches with the number of their nuclide."""
    names = list(emissions)
    pinned = {name: seconds for name, seconds, _source in HALF_LIVES}
    z, a, isomer = zip(*(parse(name) for name in names), strict=True)
    found: dict[str, list[tuple[float, ...]]] = {kind: [] for kind in KINDS}
    progeny: list[tuple[int, str, str, float]] = []
    beta_mean, positron_mean, annihilation = [], [], []
    for number, name in enumerate(names):
        item = emissions[name]
        x = item.get("x_incl_annihilation", [])
        annihilation.append(sum(y for e, y in x if abs(e - MC2_KEV) < 0.1))
        for kind, lines in (
            ("gamma", item.get("gamma", [])),
            ("x", [line for line in x if abs(line[0] - MC2_KEV) >= 0.1]),
            ("electron", item.get("auger_and_conversion", [])),
            ("alpha", item.get("alpha", [])),
        ):
            found[kind] += [(number, e, y, 0) for e, y in sorted(lines) if y > 0]
        betas = [(e, y, _unique(name, e)) for e, y in sorted(item.get("beta_minus_endpoint", [])) if y > 0]
        shift = sum(new - old for n, old, new, _source in DECAY_ENERGIES if n == name)
        found["beta_minus"] += [(number, e + shift, y, unique) for e, y, unique in betas]
        per_decay = 0 if shift else item.get("beta_minus_endpoint_mean_keV_per_decay", 0)
        beta_mean.append(_mean(per_decay, betas))
        positrons = _positrons(name, z[number], a[number], item, 0.5 * annihilation[-1])
        found["positron"] += [(number, *branch) for branch in positrons]
        positron_mean.append(_mean(item.get("ec_and_beta_plus_Q_mean_keV_per_decay", 0), positrons))
        progeny += [(number, *daughter) for daughter in _progeny(name, item)]
    arrays = {
        "name": np.array(names),
        "z": np.array(z, np.int16),
        "a": np.array(a, np.int16),
        "isomer": np.array(isomer),
        "half_life_s": np.array([pinned.get(n, emissions[n]["half_life_s"]) for n in names]),
        "beta_minus_mean_kev": np.array(beta_mean, np.float32),
        "positron_mean_kev": np.array(positron_mean, np.float32),
        "annihilation_per_decay": np.array(annihilation, np.float32),
        "progeny_of": np.array([row[0] for row in progeny], np.int16),
        "progeny_name": np.array([row[1] for row in progeny]),
        "progeny_mode": np.array([row[2] for row in progeny]),
        "progeny_branching": np.array([row[3] for row in progeny]),
    }
    for kind, rows in found.items():
        columns = list(zip(*rows, strict=True))
        arrays[f"{kind}_of"] = np.array(columns[0], np.int16)
        arrays[f"{kind}_kev"] = np.array(columns[1], np.float32)
        arrays[f"{kind}_per_decay"] = np.array(columns[2], np.float32)
        if kind in ("beta_minus", "positron"):
            arrays[f"{kind}_unique"] = np.array(columns[3], bool)
    return arrays


def _unique(name: str, energy_kev: float) -> bool:
    return any(n == name and abs(energy_kev - e) < 1 for n, e in UNIQUE)


def _mean(per_decay_kev: float, branches: list[tuple]) -> float:
    """Mean energy of one particle: the evaluated energy per decay over the evaluated number."""
    number = sum(branch[1] for branch in branches)
    return per_decay_kev / number if number > 0 else 0.0


def _positrons(name: str, z: int, a: int, item: dict, number: float) -> list[tuple[float, float, bool]]:
    """Positron branches (end point, per decay, unique) out of the listed transitions."""
    listed = sorted(item.get("ec_and_beta_plus_Q", []))
    if not listed or number <= 0:
        return []
    q = np.array([e for e, _y in listed])
    unique = [_unique(name, e) for e in q]
    each = split_positrons(q, [y for _e, y in listed], unique, number, daughter_z=z - 1, mass_number=a)
    return [(e - 2 * MC2_KEV, p, u) for e, p, u in zip(q, each, unique, strict=True) if p > 0]


def _progeny(name: str, item: dict) -> list[tuple[str, str, float]]:
    """Daughters (name, mode, branching), from the intensities of each mode; they sum to 1."""
    modes = {
        "beta-": sum(y for _e, y in item.get("beta_minus_endpoint", [])),
        "ec": sum(y for _e, y in item.get("ec_and_beta_plus_Q", [])),
        "alpha": sum(y for _e, y in item.get("alpha", [])),
    }
    if name.endswith("m"):  # what is not told as beta or alpha is the isomeric transition
        modes["it"] = 1 - sum(modes.values())
    total = sum(modes.values())
    z, a, _isomer = parse(name)
    out = []
    for mode, intensity in modes.items():
        if intensity <= 0:
            continue
        branching = intensity / total
        ground = standard_name(z + CHANGE[mode][0], a + CHANGE[mode][1])
        rest = 1.0
        for parent, of_mode, isomer, share, _source in ISOMERS:
            if (parent, of_mode) == (name, mode):
                out.append((isomer, mode, branching * share))
                rest -= share
        if rest > 0:
            out.append((ground, mode, branching * rest))
    return out


def pinned() -> str:
    """Return what was put in place of decay_2012's own or added to it, as CSV."""
    lines = ["nuclide,quantity,value,unit,source"]
    lines += [f'{n},half-life,{seconds:.8g},s,"{source}"' for n, seconds, source in HALF_LIVES]
    lines += [
        f'{n},decay energy (was {old:g} keV),{new:g},keV,"{source}"' for n, old, new, source in DECAY_ENERGIES
    ]
    lines += [f'{n},half-life measured since,{seconds:.8g},s,"{source}"' for n, seconds, source in NEWER]
    lines += [f'{n},share of {mode} to {i},{share:.6g},1,"{source}"' for n, mode, i, share, source in ISOMERS]
    return "\n".join(lines) + "\n"


SOURCE = (
    "UKAEA decay_2012 (J.-Ch. Sublet et al., EASY-II and FISPACT-II) as carried by actigamma 0.1.5 "
    "(Copyright UKAEA, https://github.com/fispact/actigamma)"
)
INFO = {
    "quantity": (
        "95 radionuclides: half-life, progeny, photon, electron and alpha lines, beta branches; per decay"
    ),
    "unit": "keV; s; numbers per decay; beta_minus_kev and positron_kev: end points",
    "source": SOURCE + "; half-lives, isomers, one decay energy of table nuclides_pinned",
    "licence": "Apache-2.0 (notice in LICENSES)",
    "made_by": "data-sources/nuclides.py",
    "verified": "B: beta, gamma and alpha energies against ICRP 107 (omnidose validate nuclear.chains)",
    "notes": (
        "changed: 511 keV taken out of the x lines; EC and beta+ split per branch "
        "(physics/nuclides_spectra.py); branching from the intensities of the modes; unique shapes marked; "
        "float32"
    ),
}
INFO_PINNED = {
    "quantity": "half-lives and decay energies in place of decay_2012's own; shares of decays to isomers",
    "unit": "as the column says",
    "source": "named in each row: ENSDF, ICRP Publication 107 (2008), decay_2012",
    "licence": "facts",
    "made_by": "data-sources/nuclides.py",
    "verified": "A: ENSDF and abstracts read; B: ICRP 107 and AME2020 as radioactivedecay 0.6.1 carries "
    "them, Ac-225's 9.920 d as an encyclopaedia quotes it",
}

if __name__ == "__main__":
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    write_npz("nuclides", make(json.loads(Path(sys.argv[1]).read_text("utf-8"))), INFO, folder)
    write_csv("nuclides_pinned", pinned(), INFO_PINNED, folder)
