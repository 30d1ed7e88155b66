"""Claims ``chains`` and ``catalogue``: decay chains and nuclides beside what others compute and print."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from omnidose.data import load
from omnidose.modalities.nuclear.proofs._closed_chains import closed_chains
from omnidose.physics import nuclides_catalogue as catalogue
from omnidose.physics.decay import DecayNetwork, Species, chain
from omnidose.physics.nuclides import Daughter, Nuclide, nuclide
from omnidose.physics.nuclides_spectra import Lines
from omnidose.validation import Context, Row, State, within

_ORACLE = "radioactivedecay 0.6.1, 320 digits, on the same half-lives and branchings (table decay_checks)"
_ICRP_CHAINS = "energies per parent decay in equilibrium, ICRP 107 (chain_energy.csv)"
#: Kinds of lines in the ICRP file that make each column.
_ICRP_PARTS = {
    "alpha": ("alpha",),
    "recoil": ("alpha_recoil",),
    "electrons": ("beta_minus_mean", "beta_plus_mean", "conversion", "auger"),
    "photons": ("gamma", "x", "annihilation"),
}
_COLUMNS = {
    "alpha": "alpha_MeV",
    "recoil": "recoil_MeV",
    "electrons": "electrons_MeV(beta+CE+Auger)",
    "photons": "gamma+x_MeV",
}
#: What a printed entry may differ from the bundled data: half-life, energy, intensity (or per 100 decays).
HALF_LIFE_REL, ENERGY_REL, ENERGY_KEV, INTENSITY_REL, INTENSITY_PERCENT = 0.015, 0.003, 1.5, 0.05, 0.5


def check_chains(context: Context) -> Iterator[Row]:
    """Compare chains with another program on its own data, closed forms, and published energies."""
    yield from _against_oracle()
    yield from closed_chains()
    if context.reference is None:
        yield _not_run("chain energies", "needs the reference files nm/chain_energy.csv and nuclides")
        return
    yield from _shared_integrals(context.reference / "nm" / "chain_tia.csv")
    yield from _chain_energies(context.reference)


def _against_oracle() -> Iterator[Row]:
    """One row per parent: the worst of all nuclides and times."""
    table = load("decay_checks")
    times = [name for name in table.columns if name.startswith("tia_")]
    for parent in dict.fromkeys(table["parent"].tolist()):
        rows = [row for row in table.rows() if row["parent"] == parent]
        network = DecayNetwork(species=_parents_first(rows))
        worst, ours, theirs, where = -1.0, math.nan, math.nan, ""
        for column in times:
            hours = float(column.split("_")[1])
            integral = network.cumulated_mbq_h(hours, {parent: 1.0})
            for row in rows:
                mine, expected = integral[network.index(row["nuclide"])], float(row[column])
                off = abs(mine / expected - 1) if expected else abs(mine)
                if off > worst:
                    worst, ours, theirs = off, float(mine), expected
                    where = f"{row['nuclide']} to {hours:g} h"
        yield within(
            f"time-integrated activity of {parent} and {len(rows) - 1} progeny",
            ours,
            theirs,
            unit="MBq h",
            source=_ORACLE,
            tolerance_rel=1e-6,
            note=f"worst of {len(rows) * len(times)}: {where}, {worst:.1e} off",
        )


def _parents_first(rows: list[dict[str, Any]]) -> tuple[Species, ...]:
    """Order the nuclides of a chain so that no daughter comes before a parent."""
    species = {
        row["nuclide"]: Species(
            name=row["nuclide"],
            half_life_s=float(row["half_life_s"]),
            progeny=tuple(
                Daughter(name=name, branching_fraction=float(share), mode="")
                for name, share in (part.split(":") for part in row["progeny"].split())
            ),
        )
        for row in rows
    }
    return _sorted(species)


def _sorted(species: Mapping[str, Species]) -> tuple[Species, ...]:
    out: dict[str, Species] = {}

    def visit(name: str) -> None:
        if name in out or name not in species:
            return
        for daughter in species[name].progeny:
            visit(daughter.name)
        out[name] = species[name]

    for name in species:
        visit(name)
    return tuple(reversed(out.values()))


def _shared_integrals(path: Path) -> Iterator[Row]:
    """Compare the six digits of the reference folder, on the same data; only three chains are in it."""
    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    table = load("decay_checks")
    for parent in dict.fromkeys(row["parent_1MBq_at_t0_no_bio"] for row in rows):
        network = DecayNetwork(species=_parents_first([r for r in table.rows() if r["parent"] == parent]))
        mine = [row for row in rows if row["parent_1MBq_at_t0_no_bio"] == parent]
        pairs = []
        for row in mine:
            hours, expected = float(row["integration_h"]), float(row["TIA_MBq_h"])
            value = network.cumulated_mbq_h(hours, {parent: 1.0})[network.index(row["nuclide"])]
            pairs.append((float(value), expected, f"{row['nuclide']} to {hours:g} h"))
        ours, theirs, where = max(pairs, key=lambda p: abs(p[0] / p[1] - 1))
        yield within(
            f"time-integrated activity of {parent}, shared file",
            ours,
            theirs,
            unit="MBq h",
            source="chain_tia.csv, six digits",
            tolerance_rel=6e-6,
            note=f"worst of {len(pairs)}: {where}; the file is rounded to 5e-6 of a number",
        )


def _chain_energies(reference: Path) -> Iterator[Row]:
    lines = (reference / "nm" / "chain_energy.csv").read_text("utf-8").splitlines()
    icrp = json.loads((reference / "nuclides" / "icrp107_emissions.json").read_text("utf-8"))
    for row in csv.DictReader(lines):
        parent = row["parent"]
        species = _sorted({name: _icrp_species(name, icrp[name]) for name in icrp})
        network = DecayNetwork(species=species)
        theirs_mev = {part: float(row[column]) for part, column in _COLUMNS.items()}
        from_icrp = _energy_mev(network, parent, lambda name: _icrp_energy_kev(icrp[name]))
        bundled = _energy_mev(chain(parent), parent, lambda name: _own_energy_kev(nuclide(name)))
        for part, expected in theirs_mev.items():
            digits = len(row[_COLUMNS[part]].partition(".")[2])
            half = 0.5 * 10.0**-digits
            yield within(
                f"{part} of {parent} and progeny, ICRP 107",
                from_icrp[part],
                expected,
                unit="MeV per decay of the parent",
                source=_ICRP_CHAINS,
                tolerance_rel=0.001,
                bounds=(expected - half, expected + half),
                note=f"printed to {half:g} MeV",
            )
            yield _bundled_row(parent, part, bundled[part], from_icrp[part])


#: How far decay_2012 and ICRP 107 are apart: what the evaluations of alpha emitters' chains allow.
_BUNDLED_REL = {"alpha": 0.005, "recoil": 0.005, "electrons": 0.05, "photons": 0.05}


def _bundled_row(parent: str, part: str, ours: float, theirs: float) -> Row:
    return within(
        f"{part} of {parent} and progeny, bundled data",
        ours,
        theirs,
        unit="MeV per decay of the parent",
        source="ICRP 107 on the same chain",
        tolerance_rel=_BUNDLED_REL[part],
        note=f"decay_2012 is another evaluation: {100 * (ours / theirs - 1):+.2f} %",
    )


def _energy_mev(network: DecayNetwork, parent: str, energy_kev: Any) -> dict[str, float]:
    """Energy per decay of the parent, progeny in equilibrium: decays of each for one of the parent."""
    decays = network.cumulated_mbq_h(start_mbq={parent: 1.0})
    decays = decays / decays[network.index(parent)]
    out = dict.fromkeys(_ICRP_PARTS, 0.0)
    for state, number in zip(network.states, decays, strict=True):
        if number > 0:
            for part, value in energy_kev(state.nuclide).items():
                out[part] += float(number) * value / 1000
    return out


def _icrp_species(name: str, item: Mapping[str, Any]) -> Species:
    progeny = tuple(
        Daughter(name=n, branching_fraction=share, mode=mode) for n, share, mode in item["progeny"]
    )
    return Species(name=name, half_life_s=item["half_life_s"], progeny=progeny)


def _icrp_energy_kev(item: Mapping[str, Any]) -> dict[str, float]:
    return {
        part: sum(e * y for kind in kinds for e, y in item.get(kind, ()))
        for part, kinds in _ICRP_PARTS.items()
    }


def _own_energy_kev(item: Nuclide) -> dict[str, float]:
    energy = item.energy_per_decay_kev
    return {
        "alpha": energy["alpha"],
        "recoil": energy["recoil"],
        "electrons": item.electron_energy_per_decay_kev,
        "photons": item.photon_energy_per_decay_kev,
    }


def check_catalogue(_context: Context) -> Iterator[Row]:
    """Compare every half-life and emission that SINFONIA prints with the bundled data.

    An entry that differs must be one whose cause is known (column ``doubt``); one that is called doubtful and
    agrees fails too.
    """
    printed = load("nuclides_sinfonia").rows()
    for name in dict.fromkeys(row["nuclide"] for row in printed):
        entries = [row for row in printed if row["nuclide"] == name]
        yield _printed_row(name, entries)
    yield _routes_row()


def _routes_row() -> Row:
    """Balance charge and mass of every production route; what does not add up must be called doubtful."""
    balanced, total, remarks, open_ = 0, 0, [], 0
    for item in catalogue.entries():
        for route in item.routes:
            made = catalogue.reaction_product(route, item.name)
            if made is None:
                continue
            total += 1
            balanced += made == item.name
            doubtful = f"{route}:" in item.doubt
            open_ += (made == item.name) == doubtful
            if made != item.name:
                remarks.append(f"{item.name} by {route}, as printed: makes {made or 'nothing so heavy'}")
    return Row(
        name="production routes that make their nuclide",
        ours=balanced,
        unit="routes",
        reference=total,
        source="charge and mass numbers; SINFONIA recommendations, Table 1, and IAEA reports",
        tolerance="all but those called doubtful",
        state=State.FAILED if open_ else State.PASSED,
        note="; ".join(remarks),
    )


def _printed_row(name: str, entries: list[dict[str, Any]]) -> Row:
    agreed, open_, remarks = 0, 0, []
    for entry in entries:
        same, found = _compare(nuclide(name), entry)
        agreed += same
        open_ += same == bool(entry["doubt"])
        if not same:
            remarks.append(f"{_printed(entry)}: bundled {found} ({entry['doubt'] or 'NO CAUSE KNOWN'})")
        elif entry["doubt"]:
            remarks.append(f"{_printed(entry)}: agrees, though noted as '{entry['doubt']}'")
    return Row(
        name=f"SINFONIA's {name}: entries that agree",
        ours=agreed,
        unit="entries",
        reference=len(entries),
        source="SINFONIA recommendations, Table 1, as printed",
        tolerance=(
            f"half-life {100 * HALF_LIFE_REL:g} %, energy {ENERGY_KEV:g} keV or {100 * ENERGY_REL:g} %, "
            f"intensity {INTENSITY_PERCENT:g} per 100 decays or {100 * INTENSITY_REL:g} %; what differs has "
            "a known cause"
        ),
        state=State.FAILED if open_ else State.PASSED,
        note="; ".join(remarks),
    )


def _printed(entry: Mapping[str, Any]) -> str:
    if entry["kind"] == "half-life":
        return f"half-life {entry['printed']:g} s"
    return f"{entry['kind']} {entry['energy_kev']:g} keV ({entry['printed']:g})"


def _compare(item: Nuclide, entry: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether a printed entry agrees, and what the bundled data say."""
    value = float(entry["printed"])
    if entry["kind"] == "half-life":
        off = abs(item.half_life_s / value - 1)
        return off <= HALF_LIFE_REL, f"{item.half_life_s:.6g} s"
    lines = _lines_of(item, str(entry["kind"]))
    if not len(lines):
        return False, "none"
    energy = float(entry["energy_kev"])
    distance = np.abs(lines.energy_kev - energy)
    # energies are printed to 1 keV: the strongest line that can be meant, or else the nearest
    meant = distance <= max(1.0, float(distance.min()))
    best = int(np.argmax(np.where(meant, lines.per_decay, -1.0)))
    kev, percent = float(lines.energy_kev[best]), 100 * float(lines.per_decay[best])
    same = abs(kev - energy) <= max(ENERGY_KEV, ENERGY_REL * energy) and (
        abs(percent - value) <= max(INTENSITY_PERCENT, INTENSITY_REL * value)
    )
    return same, f"{kev:.5g} keV ({percent:.3g})"


def _lines_of(item: Nuclide, kind: str) -> Lines:
    """Return lines of a kind; end points and intensities of the branches for betas and positrons."""
    if kind == "gamma":
        parts = (item.gamma_lines, item.x_lines, item.annihilation_lines)
        return Lines(
            energy_kev=np.concatenate([p.energy_kev for p in parts]),
            per_decay=np.concatenate([p.per_decay for p in parts]),
        )
    if kind == "alpha":
        return item.alpha_lines
    return item.beta_branches if kind == "beta-" else item.positron_branches


def _not_run(name: str, why: str) -> Row:
    return Row(
        name=name,
        ours=None,
        unit="",
        reference=None,
        source="",
        tolerance="",
        state=State.NOT_RUN,
        note=why,
    )
