"""Write the packaged tables of therapy planning: a patient, and photons in a whole body.

Run: ``python data-sources/therapy.py [patient] [photons]`` (all without one; photons: minutes)
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Sequence

import numpy as np
from _write import write_csv

from omnidose.validation import reference_dir

SCRIPT = "data-sources/therapy.py"
ENERGIES_KEV = (
    15.0,
    20.0,
    30.0,
    50.0,
    80.0,
    120.0,
    200.0,
    300.0,
    400.0,
    500.0,
    700.0,
    1000.0,
    1500.0,
    2500.0,
)
HISTORIES = 4e5
VOXEL_MM = 8.0


def text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def patient() -> None:
    """Write the curves of one patient with 177Lu, as another program's regression test holds them."""
    folder = reference_dir()
    if folder is None:
        raise SystemExit("set OMNIDOSE_REFERENCE_DIR to the folder of reference files")
    rows = []
    with (folder / "nm" / "lu177_patient_tac.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            names = ("t_h", "activity_MBq", "volume_mL", "TIA_MBq_h")
            rows.append((row["region"].lower().replace("_", "-"), *(f"{float(row[n]):.7g}" for n in names)))
    write_csv(
        "therapy_patient",
        text(("region", "time_h", "activity_mbq", "volume_cm3", "integral_mbq_h"), rows),
        {
            "quantity": "activity in two organs of a patient after 7210.4 MBq of 177Lu, four SPECT/CT, and "
            "the time-integrated activity that the other program got",
            "unit": "h; MBq; mL; MBq h",
            "source": "validation test of PyTheranostics (github.com/qurit/PyTheranostics), read in 2026",
            "licence": "facts; repository Apache-2.0",
            "made_by": SCRIPT,
            "verified": "A: read in that repository",
            "notes": "Dose of the left kidney there 2.741 Gy, with a kernel that holds 3 to 7 % more "
            "energy than the decay sends out.",
        },
    )


def photons() -> None:
    """Write the share of photon energy that a body with uniform activity absorbs, by energy."""
    from omnidose.anatomy.stylised.make import make_phantom
    from omnidose.transport.dose_kernels.emissions import RadiationYield
    from omnidose.transport.dose_kernels.photon_transport import transport_photons
    from omnidose.transport.scene import VoxelGrid
    from omnidose.transport.tally import MGY_PER_KEV_G, Region
    from omnidose.volume import Volume

    rows = []
    for sex in ("M", "F"):
        body = make_phantom(sex, voxel_mm=VOXEL_MM)
        inside = body.labels > 0
        mass = np.where(inside, body.density_g_cm3, 0.0).astype(np.float64)
        mass_g = float(mass.sum()) * (VOXEL_MM / 10) ** 3
        voxels = VoxelGrid(
            grid=body.grid,
            materials=body.materials,
            material_index=body.material_index,
            density_g_cm3=body.density_g_cm3,
        )
        activity = Volume(array=mass / mass.sum(), affine_lps_mm=body.grid.affine_lps_mm)
        region = Region(key="body", voxels=np.flatnonzero(inside.ravel()))
        for energy in ENERGIES_KEV:
            line = RadiationYield(
                name=f"{energy:g} keV", photon_kev=np.array([energy]), photon_per_decay=np.ones(1)
            )
            found = transport_photons(
                activity, line, voxels, regions=[region], histories=HISTORIES, voxel_map=False, seed=7
            )
            share = found.of("body") * mass_g / (1e6 * MGY_PER_KEV_G * energy)
            rows.append((sex, energy, f"{share:.4f}", f"{mass_g:.0f}"))
            print(*rows[-1], flush=True)
    write_csv(
        "therapy_body_photons",
        text(("sex", "energy_kev", "absorbed_fraction", "body_g"), rows),
        {
            "quantity": "share of photon energy that a whole body absorbs of uniform activity in it",
            "unit": "keV; 1; g",
            "source": "omnidose's own photon Monte Carlo on its equation-based adults, run in 2026",
            "licence": "Apache-2.0",
            "made_by": SCRIPT,
            "verified": "D: derived here; beside published whole-body terms in the rows of nuclear.planning",
            "notes": f"{HISTORIES:.0f} photons for each energy, voxels of {VOXEL_MM:g} mm; uniform by mass.",
        },
    )


if __name__ == "__main__":
    asked = sys.argv[1:] or ["patient", "photons"]
    if "patient" in asked:
        patient()
    if "photons" in asked:
        photons()
