"""Make the packaged table ``tube_spectra``: unfiltered tungsten spectra from spekpy.

Run with the extra ``tables`` installed: ``python data-sources/spectra.py [FOLDER]`` (some minutes).

Bremsstrahlung and characteristic lines are stored apart, so that each can be interpolated in kV as its
physics asks (see ``physics/tube.py``). Nothing but the anode itself has filtered the photons.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from _write import write_npz

KV = np.array([40, 45, 50, 55, 60, 65, 70, 75, 80, 90, 100, 110, 120, 130, 140, 150], float)
ANGLES_DEG = np.array([6, 8, 10, 12, 15, 20], float)
BIN_KEV = 0.5


def spectrum(kv: float, angle_deg: float, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return bin centres (keV) and photons per keV, cm2 and mAs at 100 cm of one part of a spectrum."""
    import spekpy

    tube = spekpy.Spek(
        kvp=kv, th=angle_deg, dk=BIN_KEV, physics="kqp", targ="W", z=100, mas=1,
        char=part == "lines", brem=part == "bremsstrahlung",
    )  # fmt: skip
    energy, fluence = tube.get_spectrum()
    return np.asarray(energy), np.asarray(fluence)


def make() -> dict[str, np.ndarray]:
    """Compute the arrays of the table."""
    n = round(KV.max() / BIN_KEV)
    centres = (np.arange(n) + 0.5) * BIN_KEV
    parts = {}
    for part in ("bremsstrahlung", "lines"):
        values = np.zeros((ANGLES_DEG.size, KV.size, n))
        for i, angle in enumerate(ANGLES_DEG):
            for j, kv in enumerate(KV):
                energy, fluence = spectrum(kv, angle, part)
                first = round(energy[0] / BIN_KEV - 0.5)
                if not np.allclose(energy, centres[first : first + energy.size]):
                    raise ValueError("spekpy's bins are not ours")
                values[i, j, first : first + energy.size] = fluence
        parts[part] = values
        print(part, "done")
    used = np.flatnonzero(parts["lines"].max(axis=(0, 1)) > 0)
    return {
        "kv": KV,
        "anode_angle_deg": ANGLES_DEG,
        "energy_kev": centres,
        "bremsstrahlung": parts["bremsstrahlung"].astype(np.float32),
        "line_bin": used.astype(np.int32),
        "lines": parts["lines"][:, :, used].astype(np.float32),
    }


INFO = {
    "quantity": "X-ray spectra of tungsten anodes without any filter: bremsstrahlung and lines",
    "unit": "photons per keV, cm2 and mAs at 100 cm; keV; kV; degrees; arrays [angle, kV, bin]",
    "source": (
        f"spekpy {version('spekpy')}, physics model kqp (Poludniowski, Omar, Bujila, Andreo 2021, Med. Phys. "
        "48, 3630; Omar et al. 2020, Phys. Med. 75, 44)"
    ),
    "doi": "10.1002/mp.14945",
    "licence": "spekpy: MIT (see LICENSES)",
    "made_by": "data-sources/spectra.py",
    "verified": "B: as spekpy computes them; interpolation checked against spekpy between the nodes (tests)",
    "notes": "bins of 0.5 keV at their centres; lines are stored only in the bins line_bin that hold some",
}

if __name__ == "__main__":
    write_npz("tube_spectra", make(), INFO, Path(sys.argv[1]) if len(sys.argv) > 1 else None)
