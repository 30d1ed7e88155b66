"""Make the packaged tables ``dose_kernel_electrons`` and ``dose_kernel_photons[_bone]`` by our Monte Carlo.

``python data-sources/dose_kernels.py [electrons|photons|bone] [FOLDER]``; five minutes each on one thread.
``python data-sources/dose_kernels.py checks FILE [FOLDER]`` picks published voxel S values for the checks.

Electrons: ``omnidose.transport.electrons.point_kernel`` in water, energy inside a radius as a share of what
is left, on a grid of r/X90. Photons: ``omnidose.transport.engine.simulate``, a point in endless water, or in
endless cortical bone, with concentric spheres around it; scattered over unscattered kerma on a grid of mean
free paths.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from scipy.interpolate import PchipInterpolator

sys.path.insert(0, str(Path(__file__).parent))
from _write import write_csv, write_npz

from omnidose.physics.electron_stopping import csda_range_g_cm2
from omnidose.physics.material_library import material
from omnidose.physics.materials import Material
from omnidose.physics.photons import (
    mass_attenuation_cm2_g,
    mass_energy_transfer_cm2_g,
)
from omnidose.physics.spectra import Spectrum
from omnidose.transport.electrons.point_kernel import PointKernel, point_kernel
from omnidose.transport.engine import simulate
from omnidose.transport.scene import Scene, Sphere
from omnidose.transport.sources import IsotropicSource

ELECTRON_KEV = np.array(
    [10, 12, 15, 18, 22, 27, 33, 40, 50, 60, 75, 90, 110, 135, 165, 200, 250, 300, 370, 450, 550]
    + [680, 840, 1000, 1250, 1500, 1900, 2400, 3000, 4000],
    dtype=float,
)
#: Grid of r/X90; beyond the last point (1.2 CSDA ranges or more) there is nothing.
U = np.linspace(0.0, 1.5, 121)
ELECTRON_HISTORIES = 320_000
#: ICRU four-component soft tissue and ICRU cortical bone: how far their kernels scale as water's.
MEDIA = ("soft tissue, four components", "cortical bone")
SCALED_KEV = (100.0, 300.0, 1000.0)

PHOTON_KEV = np.array(
    [2, 3, 5, 7, 10, 12, 15, 18, 22, 27, 33, 40, 50, 65, 80, 100, 130, 170, 220, 300, 400, 511, 662]
    + [850, 1100, 1500, 2000, 2600, 3000, 4000, 5000],
    dtype=float,
)
#: Radii of the spheres in mean free paths, and the points of the table.
SHELLS = np.concatenate([[0.0], np.geomspace(0.05, 16.0, 28)])
X = np.concatenate([[0.0], np.geomspace(0.02, 16.0, 60)])
PHOTON_HISTORIES = 1_500_000
#: Table of a medium, and the curve through its shells (``smooth_scatter``).
PHOTON_TABLES = {
    "water": ("dose_kernel_photons", 1.0, 5),
    "cortical bone": ("dose_kernel_photons_bone", 0.05, 6),
}


def enclosed(kernel: PointKernel) -> np.ndarray:
    """Share of the energy left inside r/X90 = U; shells smoothed by a parabola through seven."""
    energy = kernel.energy_kev / kernel.energy_kev.sum()
    inside = np.concatenate([[0.0], np.cumsum(_smooth(energy))])
    share = PchipInterpolator(kernel.edge_g_cm2, inside / inside[-1])
    reach = kernel.edge_g_cm2[-1]
    return np.asarray(np.clip(share(np.minimum(kernel.x90_g_cm2 * U, reach)), 0.0, 1.0))


def _smooth(energy: np.ndarray) -> np.ndarray:
    """Least-squares parabola of seven shells around each; the first and last three are left alone."""
    weights = np.array([-2, 3, 6, 7, 6, 3, -2]) / 21
    out = energy.copy()
    out[3:-3] = np.convolve(energy, weights, mode="valid")
    return np.maximum(out, 0.0)


def electrons(folder: Path | None) -> None:
    """Write ``dose_kernel_electrons``."""
    water = material("water")
    inside, x90 = [], []
    for kev in ELECTRON_KEV:
        reach = 1.2 * float(csda_range_g_cm2(water, kev))
        kernel = point_kernel(kev, histories=ELECTRON_HISTORIES, shells=120, reach_g_cm2=reach, seed=31)
        inside.append(enclosed(kernel))
        x90.append(kernel.x90_g_cm2)
        print(f"{kev:g} keV: X90 {x90[-1]:.5g} g/cm2, {x90[-1] / kernel.csda_g_cm2:.4f} ranges", flush=True)
    scale = np.array([[_scaling(material(name), kev) for kev in SCALED_KEV] for name in MEDIA])
    print("X90 of water over that of tissue and bone:", scale)
    write_npz(
        "dose_kernel_electrons",
        {
            "energy_kev": ELECTRON_KEV,
            "r_over_x90": U,
            "enclosed": np.asarray(inside, dtype=np.float32),
            "x90_g_cm2": np.asarray(x90),
            "scaled_kev": np.asarray(SCALED_KEV),
            "scaling_soft_bone": scale,
        },
        {
            "quantity": "point kernels of electrons in water: share of the energy left inside r/X90",
            "unit": "keV; g/cm2; shares; enclosed[energy, r/X90]; scaling_soft_bone[soft tissue, cortical "
            "bone; energy]: X90 of water over that of the medium",
            "source": "omnidose's own electron Monte Carlo, run in 2026 (docs/methods/electrons.md)",
            "licence": "Apache-2.0",
            "made_by": "data-sources/dose_kernels.py electrons",
            "verified": "D: derived here; kernels of 100 keV and 1 MeV within 1.4 % of the peak of EGSnrc's",
            "notes": f"{ELECTRON_HISTORIES} histories per energy; shells of 0.01 ranges, seven smoothed by a "
            "parabola; below 20 keV the shape is off EGSnrc's by 7 % of the peak, over micrometres",
        },
        folder,
    )


def _scaling(medium: Material, kev: float) -> float:
    x90 = [
        point_kernel(kev, medium=m, histories=40_000, shells=400, seed=32).x90_g_cm2
        for m in (material("water"), medium)
    ]
    return x90[0] / x90[1]


def scatter(kev: float, medium: Material) -> tuple[np.ndarray, np.ndarray, float]:
    """Scattered over unscattered kerma per shell, its standard error, and what conservation corrects."""
    mu = float(mass_attenuation_cm2_g(medium, kev)) * medium.density_g_cm3
    transfer = float(mass_energy_transfer_cm2_g(medium, kev)) * medium.density_g_cm3
    radius_mm = 10 * SHELLS[1:] / mu
    shapes = tuple(
        Sphere(key=f"{i:02d}", material=medium, centre_mm=(0.0, 0.0, 0.0), radius_mm=float(r))
        for i, r in reversed(list(enumerate(radius_mm)))
    )
    tally = simulate(
        Scene(shapes=shapes, world=medium, world_margin_mm=40 / mu),
        IsotropicSource(centre_mm=(0.0, 0.0, 0.0), spectrum=Spectrum.line(kev)),
        histories=PHOTON_HISTORIES,
        seed=33,
        cutoff_kev=1.0,
        backend="cpu",
    )
    order = [tally.keys.index(f"{i:02d}") for i in range(radius_mm.size)]
    batch = (tally.batch_energy_kev - tally.batch_primary_kev)[:, order]
    unscattered = kev * transfer / mu * -np.diff(np.exp(-SHELLS))
    total = unscattered.sum() + batch.mean(axis=0).sum()
    ratio = batch.mean(axis=0) / unscattered
    std = batch.std(axis=0, ddof=1) / np.sqrt(batch.shape[0]) / unscattered
    return ratio, std, kev / total


def shell_centres() -> np.ndarray:
    """Mean of x over the unscattered energy of each shell: it stands for the shell."""
    low, high = SHELLS[:-1], SHELLS[1:]
    inner, outer = np.exp(-low), np.exp(-high)
    return np.asarray(((1 + low) * inner - (1 + high) * outer) / (inner - outer))


def smooth_scatter(
    ratio: np.ndarray, std: np.ndarray, *, begin: float, degree: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scattered over unscattered kerma at X, and how many standard errors the shells are off.

    ratio / x is exp(polynomial in ln(begin + x)), weighted: single scattering makes a ratio that rises from 0
    in proportion to the radius. In bone x rays of calcium and phosphorus are absorbed close by and make it
    rise steeply at first: that needs a small ``begin``.
    """
    centre = shell_centres()
    used = (ratio > 0) & (std < 0.3 * ratio)
    x, y = centre[used], np.log(ratio[used] / centre[used])
    error = np.maximum(std[used] / ratio[used], 1e-3)
    fit = np.polynomial.Polynomial.fit(np.log(begin + x), y, degree, w=1 / error)
    inside = np.minimum(X, x[-1])
    return np.exp(fit(np.log(begin + inside))) * inside, (y - fit(np.log(begin + x))) / error


def photons(medium: str, folder: Path | None) -> None:
    """Write ``dose_kernel_photons`` (water) or ``dose_kernel_photons_bone`` (cortical bone)."""
    name, begin, degree = PHOTON_TABLES[medium]
    table = []
    for kev in PHOTON_KEV:
        ratio, std, factor = scatter(kev, material(medium))
        smooth, off = smooth_scatter(ratio, std, begin=begin, degree=degree)
        table.append(smooth)
        print(
            f"{kev:g} keV: closes to {factor - 1:+.4f}; chi2 {np.sum(off**2) / (off.size - degree - 1):.2f}, "
            f"shells used {off.size}, largest error of the dose "
            f"{np.max((std / (1 + ratio))[SHELLS[1:] < 6]):.4f} up to 6 mean free paths",
            flush=True,
        )
    write_npz(
        name,
        {
            "energy_kev": PHOTON_KEV,
            "mean_free_paths": X,
            "scattered_over_unscattered": np.asarray(table, dtype=np.float32),
        },
        {
            "quantity": f"point kernels of photons in {medium}: kerma of scattered over kerma of "
            "unscattered photons",
            "unit": "keV; mean free paths; dimensionless [energy, mean free paths]",
            "source": "omnidose's own photon Monte Carlo, run in 2026 (docs/methods/dose-kernels.md)",
            "licence": "Apache-2.0",
            "made_by": f"data-sources/dose_kernels.py {'photons' if medium == 'water' else 'bone'}",
            "verified": "D: derived here; kerma closes to 0.2 % of the emitted energy at 2 keV, 0.1 % from "
            "5 keV on",
            "notes": f"{PHOTON_HISTORIES} histories per energy; polynomial of degree {degree} in "
            f"ln({begin:g} + mean free paths)",
        },
        folder,
    )


#: What the checks need of the voxel tables: nuclide, sides in mm, offsets.
_SOURCE_AND_NEIGHBOUR = ((0, 0, 0), (0, 0, 1))
_TAIL = ((0, 0, 3), (0, 0, 4), (0, 0, 5), (3, 3, 3), (5, 5, 5))
LANCONELLI = {
    "90Y": ((2.21, 3.0, 4.42, 6.8), (*_SOURCE_AND_NEIGHBOUR, (5, 5, 5))),
    "89Sr": ((2.21, 3.0, 4.42, 6.8), _SOURCE_AND_NEIGHBOUR),
    "131I": ((3.0, 4.42), (*_SOURCE_AND_NEIGHBOUR, *_TAIL)),
    "177Lu": ((3.0, 4.42), (*_SOURCE_AND_NEIGHBOUR, (0, 0, 3))),
    "153Sm": ((3.0, 4.42), (*_SOURCE_AND_NEIGHBOUR, (0, 0, 3))),
}
#: MIRD Pamphlet 17 (W. E. Bolch et al., J. Nucl. Med. 40 (1999) 11S), 3 mm, as quoted in public code.
MIRD17 = (
    ("32P", 0, 0, 0, 1.65),
    ("89Sr", 0, 0, 0, 1.55),
    ("90Y", 0, 0, 0, 1.61),
    ("131I", 0, 0, 0, 0.92),
    ("131I", 5, 5, 5, 2.63e-5),
    ("99mTc", 0, 0, 0, 0.0902),
)


def checks(published: Path, folder: Path | None) -> None:
    """Write ``dose_kernel_checks_voxels`` from the voxel table of Lanconelli et al. as a CSV."""
    lines = ["table,nuclide,side_mm,k,j,i,s_mgy_mbq_s"]
    with published.open() as file:
        for row in csv.DictReader(file):
            offset = (int(row["i"]), int(row["j"]), int(row["k"]))
            sides, offsets = LANCONELLI.get(row["nuclide"], ((), ()))
            if row["tissue"] == "soft" and float(row["voxel_mm"]) in sides and offset in offsets:
                lines.append(
                    f"Lanconelli,{_standard(row['nuclide'])},{row['voxel_mm']},"
                    f"{offset[0]},{offset[1]},{offset[2]},{row['S_mGy_per_MBq_s']}"
                )
    lines += [f"MIRD 17,{_standard(n)},3,{k},{j},{i},{s:g}" for n, k, j, i, s in MIRD17]
    write_csv(
        "dose_kernel_checks_voxels",
        "\n".join(lines) + "\n",
        {
            "quantity": "published voxel S values in soft tissue, the few that checks need",
            "unit": "mm; offsets in voxels; mGy per MBq s",
            "source": "N. Lanconelli et al., Phys. Med. Biol. 57 (2012) 517-533 (free database); "
            "W. E. Bolch et al., MIRD Pamphlet No. 17, J. Nucl. Med. 40 (1999) 11S-36S",
            "doi": "10.1088/0031-9155/57/2/517",
            "licence": "facts; the authors' database is free",
            "made_by": "data-sources/dose_kernels.py checks FILE",
            "verified": "B: Lanconelli from a public copy of the database (MGHPhysicsResearch/"
            "MIRDCalculation); MIRD 17 as quoted in llekiMnitsuJ/resample_radial_dose_point_kernels",
            "notes": "Lanconelli's Lu-177 and Sm-153 hold betas and photons only, no conversion and Auger "
            "electrons",
        },
        folder,
    )


def _standard(name: str) -> str:
    """Lu-177 from 177Lu."""
    mass = name.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    if name.endswith("mTc"):
        return f"Tc-{mass}m"
    return f"{name[len(mass) :]}-{mass}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["checks"]:
        checks(Path(sys.argv[2]), Path(sys.argv[3]) if sys.argv[3:] else None)
        sys.exit()
    every = ("electrons", "photons", "bone")
    todo = [a for a in sys.argv[1:] if a in every] or list(every)
    rest = [a for a in sys.argv[1:] if a not in every]
    into = Path(rest[0]) if rest else None
    if "electrons" in todo:
        electrons(into)
    if "photons" in todo:
        photons("water", into)
    if "bone" in todo:
        photons("cortical bone", into)
