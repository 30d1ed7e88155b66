"""All that is known of a nuclide in plain types: what ``omnidose nuclide --json`` prints."""

from __future__ import annotations

import math
from typing import Any

from omnidose.data import load
from omnidose.physics.alpha_stopping import alpha_let_kev_um, alpha_range_g_cm2, mean_alpha_let_kev_um
from omnidose.physics.decay import DecayNetwork, chain
from omnidose.physics.decay_equilibrium import equilibria
from omnidose.physics.electron_stopping import LOWEST_KEV, csda_range_g_cm2
from omnidose.physics.material_library import material
from omnidose.physics.nuclides import Library, Nuclide, nuclide
from omnidose.physics.nuclides_catalogue import Entry, Generator, entry
from omnidose.physics.nuclides_spectra import Lines

TISSUE = "soft tissue"
SOURCES = {"icrp107": "ICRP Publication 107 (2008) through icrp107-database and radioactivedecay"}
#: Lines listed per kind of radiation, and the least number per decay of one that is.
LINES_MAX, LEAST_PER_DECAY = 12, 1e-4
#: Least betas or positrons per decay whose range is told.
LEAST_BETAS = 1e-3


def sheet(name: str, library: Library = "decay2012") -> dict[str, Any]:
    """Return half-life, emissions, energies, progeny, ranges, production, partners and use of a nuclide.

    Units stand in the keys; what is not there is None or an empty list.

    Raises
    ------
    InputError, DependencyError
        As :func:`omnidose.physics.nuclides.nuclide`.
    """
    item = nuclide(name, library)
    known = entry(name)
    return {
        "name": item.name,
        "element": item.element,
        "z": item.z,
        "a": item.a,
        "half_life_s": item.half_life_s,
        "half_life_measured_since": _measured_since(item.name),
        "energy_per_decay_kev": item.energy_per_decay_kev,
        "emissions": _emissions(item),
        "ranges": _ranges(item),
        "progeny": [
            {"name": d.name, "branching": d.branching_fraction, "mode": d.mode} for d in item.progeny
        ],
        "in_equilibrium": _chain(chain(item.name, library=library)),
        "medicine": _medicine(known) if known else None,
        "source": SOURCES.get(library) or str(load("nuclides").info["source"]),
    }


def _measured_since(name: str) -> dict[str, Any] | None:
    """Newer measurement of the half-life that the evaluations behind the library do not know."""
    for row in load("nuclides_pinned").rows():
        if row["nuclide"] == name and row["quantity"] == "half-life measured since":
            return {"half_life_s": float(row["value"]), "source": str(row["source"])}
    return None


def _emissions(item: Nuclide) -> list[dict[str, Any]]:
    """Lines and branches, strongest first."""
    kinds: tuple[tuple[str, Lines], ...] = (
        ("gamma", item.gamma_lines),
        ("x", item.x_lines),
        ("annihilation", item.annihilation_lines),
        ("beta- end point", item.beta_branches),
        ("beta+ end point", item.positron_branches),
        ("electron", item.electron_lines),
        ("alpha", item.alpha_lines),
    )
    out = []
    for kind, lines in kinds:
        best = lines.strongest(LINES_MAX)
        out += [
            {"kind": kind, "energy_kev": round(float(e), 3), "per_decay": float(f"{n:.6g}")}
            for e, n in zip(best.energy_kev, best.per_decay, strict=True)
            if n >= LEAST_PER_DECAY or n == best.per_decay[0]
        ]
    return sorted(out, key=lambda line: -line["per_decay"])


def _ranges(item: Nuclide) -> list[dict[str, Any]]:
    """Ranges in continuous slowing down: electrons in soft tissue, alphas in water."""
    tissue = material(TISSUE)

    def electron_mm(energy_kev: float) -> float:
        return float(csda_range_g_cm2(tissue, energy_kev)) / tissue.density_g_cm3 * 10

    out: list[dict[str, Any]] = []
    for kind, spectrum in (("beta-", item.beta_spectrum), ("beta+", item.positron_spectrum)):
        if spectrum.number_per_decay < LEAST_BETAS:
            continue
        for which, energy in (("mean", spectrum.mean_kev), ("highest", spectrum.max_kev)):
            if energy >= LOWEST_KEV:
                out.append(_range(f"{kind}, {which} energy", energy, TISSUE, electron_mm(energy)))
    lines = item.electron_lines.strongest(3)
    for energy in lines.energy_kev:
        if energy >= 10.0:  # Bethe's formula is beyond its proof below
            out.append(_range("electron line", float(energy), TISSUE, electron_mm(float(energy))))
    for energy in item.alpha_lines.strongest(1).energy_kev:
        mm = 10 * float(alpha_range_g_cm2(energy))
        out.append(
            {
                **_range("alpha, strongest line", float(energy), "water", mm),
                "let_at_start_kev_um": float(alpha_let_kev_um(energy)),
                "let_mean_kev_um": mean_alpha_let_kev_um(float(energy)),
            }
        )
    return out


def _range(what: str, energy_kev: float, medium: str, range_mm: float) -> dict[str, Any]:
    return {"what": what, "energy_kev": energy_kev, "medium": medium, "range_mm": range_mm}


def _chain(network: DecayNetwork) -> list[dict[str, Any]]:
    """Progeny of the pure nuclide, with the time until they are in equilibrium with it."""
    half_life_s = {item.name: item.half_life_s for item in network.species}
    return [
        {
            "name": one.name,
            "half_life_s": half_life_s[one.name],
            "kind": one.kind,
            "activity_ratio": _finite(one.ratio),
            "reached_h": _finite(one.reached_h),
            "highest_h": _finite(one.highest_h),
        }
        for one in equilibria(network)
    ]


def _medicine(known: Entry) -> dict[str, Any]:
    return {
        "modality": known.modality,
        "use": known.use,
        "production": list(known.routes),
        "doubtful_as_printed": known.doubt,
        "production_source": known.source,
        "partners": [{"name": p.name, "role": p.role, "source": p.source} for p in known.partners],
        "generators": [generator_sheet(g) for g in known.made_by],
        "parent_of": list(known.makes),
    }


def generator_sheet(generator: Generator) -> dict[str, Any]:
    """Return a generator in plain types: equilibrium, and when the daughter's activity is highest."""
    last = equilibria(generator.network())[-1]
    return {
        "parent": generator.parent,
        "parent_half_life_s": generator.parent_half_life_s,
        "branching": generator.branching_fraction,
        "remark": generator.remark,
        "kind": last.kind,
        "activity_ratio": _finite(last.ratio),
        "reached_h": _finite(last.reached_h),
        "highest_h": _finite(last.highest_h),
        "source": generator.source,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
