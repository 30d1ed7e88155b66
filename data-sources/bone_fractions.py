"""Write the packaged absorbed fractions of alphas and electrons in bone, for S values of organs.

Half a minute. Run: ``python data-sources/bone_fractions.py``
"""

from __future__ import annotations

import csv
import io

from _write import write_csv

from omnidose.dosimetry.internal.bone import MEDULLARY_BONE_MM
from omnidose.transport.dose_kernels.bone import (
    Bone,
    BoneSlabs,
    Particle,
    Place,
    TrabecularBone,
    absorbed_fractions,
)

#: Long bones around their medullary cavity: a plate of twice the volume of compact bone over the cavities'
#: surface in a man (2290 cm3, 1380 cm2; the share of near bone goes as 1/thickness), cavities of 10 mm.
MEDULLARY = BoneSlabs(marrow_mm=10.0, bone_mm=MEDULLARY_BONE_MM)
SPONGIOSA = TrabecularBone()
SOURCES: dict[str, tuple[Bone, Place]] = {
    "trabecular-bone": (SPONGIOSA, "bone"),
    "trabecular-bone-surface": (SPONGIOSA, "surface"),
    "marrow": (SPONGIOSA, "marrow"),
    "medullary-bone": (MEDULLARY, "bone"),
    "medullary-surface": (MEDULLARY, "surface"),
}
ENERGIES_KEV: dict[Particle, tuple[float, ...]] = {
    "electron": (
        10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 100, 120, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1250,
        1500, 2000, 2500, 3000, 4000,
    ),
    "alpha": (
        100, 300, 1000, 2000, 3000, 4000, 5000, 5500, 6000, 6250, 6500, 6750, 7000, 7500, 8000, 8500, 9000,
        10_000,
    ),
}  # fmt: skip


def write() -> None:
    """Compute and write the table."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["particle", "source", "energy_kev", "deep_marrow", "endosteum", "bone", "radiated"])
    for particle, energies in ENERGIES_KEV.items():
        for source, (bone, place) in SOURCES.items():
            for energy_kev in energies:
                found = absorbed_fractions(particle, float(energy_kev), place, bone=bone)
                shares = (
                    found.deep_marrow_fraction,
                    found.endosteum_fraction,
                    found.bone_fraction,
                    found.radiated_fraction,
                )
                writer.writerow([particle, source, energy_kev, *(f"{max(x, 0.0):.5g}" for x in shares)])
    write_csv(
        "bone_absorbed_fractions",
        out.getvalue(),
        {
            "quantity": "share of the energy of electrons and alpha particles from places in bone that "
            "marrow deeper than 50 micrometres, the endosteum (50 micrometres) and bone take up, or that is "
            "radiated",
            "unit": "1; keV",
            "source": "omnidose's own rays through spongiosa (docs/methods/bone.md): mean chords of marrow "
            f"{SPONGIOSA.marrow_chord_mm:g} mm and of bone {SPONGIOSA.bone_chord_mm:g} mm; medullary "
            f"cavities of {MEDULLARY.marrow_mm:g} mm beside {MEDULLARY.bone_mm:g} mm of compact bone",
            "licence": "Apache-2.0",
            "made_by": "data-sources/bone_fractions.py",
            "verified": "D: derived here; see omnidose validate nuclear.bone",
        },
    )


if __name__ == "__main__":
    write()
