"""The AAPM TG-195 cases 1, 2 and 4 as scenes: geometry, beams and scoring of the report.

Source: I. Sechopoulos et al., Med. Phys. 42 (2015) 5679; AAPM Report 195 (2015). All lengths of the
report are in cm; here mm. Results in eV per emitted photon (cases 2 and 4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from omnidose.data import load
from omnidose.physics.materials import Material
from omnidose.physics.spectra import Spectrum
from omnidose.transport.engine import ProgressCallback, simulate
from omnidose.transport.scene import AIR, Box, Cylinder, Scene, Shape, VoxelGrid
from omnidose.transport.sources import PyramidSource
from omnidose.transport.tally import FluenceResponse, Region, Tally
from omnidose.volume import Grid

SOFT_TISSUE = Material(
    name="TG-195 soft tissue",
    weight_fractions={
        1: 0.105, 6: 0.256, 7: 0.027, 8: 0.602, 11: 0.001, 15: 0.002, 16: 0.003, 17: 0.002, 19: 0.002,
    },
    density_g_cm3=1.03,
)  # fmt: skip
PMMA = Material(
    name="TG-195 PMMA",
    weight_fractions={1: 0.080541, 6: 0.599846, 8: 0.319613},
    density_g_cm3=1.19,
)
ALUMINIUM = Material(name="aluminium", weight_fractions={13: 1.0}, density_g_cm3=2.699)

#: VOI number -> centre relative to the middle of the body, cm.
VOI_CENTRES_CM = {
    1: (0, -15, 0),
    2: (-15, 0, 0),
    3: (0, 0, 0),
    4: (15, 0, 0),
    5: (0, 15, 0),
    6: (0, 0, -6),
    7: (0, 0, -3),
    8: (0, 0, 3),
    9: (0, 0, 6),
}
#: Filter thickness of case 1, mm of aluminium: beam -> (HVL, QVL).
FILTERS_MM = {
    "30 keV": (2.273, 4.546),
    "100 keV": (15.11, 30.22),
    "30 kVp": (0.3431, 0.7663),
    "100 kVp": (3.95, 9.84),
}
ANGLES_DEG = tuple(range(0, 360, 10))
CODES = ("EGSnrc", "Geant4", "MCNP", "Penelope")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published value: mean and range of EGSnrc, Geant4, MCNP and PENELOPE."""

    mean: float
    lower: float
    upper: float


def published(case: str, beam: str, mode: str, volume: str) -> Published:
    """Return one value of the report (KeyError if there is none)."""
    for row in load("tg195_results").rows():
        if (row["case"], row["beam"], row["mode"], str(row["volume"])) == (case, beam, mode, volume):
            return Published(mean=float(row["mean4"]), lower=float(row["min4"]), upper=float(row["max4"]))
    raise KeyError((case, beam, mode, volume))


def spectrum(beam: str) -> Spectrum:
    """Return the beam of a case by the report's name, for example ``120 kVp`` or ``56.4 keV``."""
    if beam.endswith("keV"):
        return Spectrum.line(float(beam.split()[0]))
    table = load(
        {"30": "tg195_spectrum_mo30", "100": "tg195_spectrum_w100", "120": "tg195_spectrum_w120"}[
            beam.split()[0]
        ]
    )
    return Spectrum(energy_kev=table["energy_kev"], weight=table["weight"], bin_width_kev=0.5, name=beam)


def _detector() -> tuple[VoxelGrid, Region]:
    """The air disc of case 1, 10 mm wide and thick at 1 m, in voxels; it scores the report's kerma.

    The kerma is fluence x energy x the coefficient of air that the report prescribes. That one interpolates
    NIST's coarse grid; with our own the ratios at 100 kVp would be higher by 0.14 % (HVL) and 0.19 % (QVL).
    """
    grid = Grid(shape_zyx=(1, 20, 20), spacing_mm=(0.5, 0.5, 10.0), origin_mm=(-4.75, -4.75, 1000.0))
    voxels = VoxelGrid(
        grid=grid,
        materials=(AIR,),
        material_index=np.zeros(grid.shape_zyx, np.uint8),
        density_g_cm3=np.full(grid.shape_zyx, AIR.density_g_cm3, np.float32),
    )
    disc = np.hypot(grid.axis_mm(1)[:, None], grid.axis_mm(0)[None, :]) < 5
    table = load("tg195_air_mu_en")
    kerma = FluenceResponse(
        name="TG-195 kerma of air",
        energy_kev=table["energy_kev"],
        response_kev_cm2_g=table["energy_kev"] * table["mu_en_rho_cm2_g"],
    )
    return voxels, Region(key="detector", voxels=np.flatnonzero(disc), medium=kerma)


def run_case1(beam: str, filter_mm: float, *, histories: float, seed: int = 1) -> Tally:
    """Air kerma behind an aluminium filter in a narrow beam: the column ``detector``, an air disc at 1 m."""
    shapes: list[Shape] = []
    if filter_mm > 0:
        shapes.append(
            Cylinder(
                key="filter",
                material=ALUMINIUM,
                centre_mm=(0, 0, 100 + filter_mm / 2),
                radius_mm=20,
                length_mm=filter_mm,
            )
        )
    voxels, detector = _detector()
    half = 5 / 1000 * 1.001
    source = PyramidSource(
        position_mm=(0, 0, 0),
        direction=(0, 0, 1),
        up=(0, 1, 0),
        half_tangents=(-half, half, -half, half),
        spectrum=spectrum(beam),
    )
    return simulate(
        Scene(voxels=voxels, shapes=tuple(shapes)),
        source,
        regions=(detector,),
        histories=histories,
        seed=seed,
        sampling_per_cm={"detector": 5.0},
    )


def case2(
    beam: str, angle_deg: float, *, volumes: bool = True
) -> tuple[Scene, PyramidSource, dict[str, float]]:
    """Return scene, source and wanted density of scores of case 2; see :func:`run_case2`."""
    shapes: list[Shape] = [
        Box(key="body", material=SOFT_TISSUE, lower_mm=(-195, -195, 1550), upper_mm=(195, 195, 1750))
    ]
    for number, centre in VOI_CENTRES_CM.items() if volumes else ():
        x, y, z = (10 * c for c in centre)
        shapes.append(
            Box(
                key=f"VOI {number}",
                material=SOFT_TISSUE,
                lower_mm=(x - 15, y - 15, z + 1650 - 15),
                upper_mm=(x + 15, y + 15, z + 1650 + 15),
            )
        )
    shift = -1800 * math.tan(math.radians(angle_deg))
    source = PyramidSource(
        position_mm=(0, shift, 0),
        direction=(0, 0, 1),
        up=(0, 1, 0),
        half_tangents=(-195 / 1800, 195 / 1800, (-195 - shift) / 1800, (195 - shift) / 1800),
        spectrum=spectrum(beam),
    )
    dense = {f"VOI {number}": 3.0 for number in VOI_CENTRES_CM} if volumes else {}
    return Scene(shapes=tuple(shapes)), source, dense


def run_case2(
    beam: str,
    angle_deg: float,
    *,
    histories: float,
    seed: int = 1,
    volumes: bool = True,
    progress: ProgressCallback | None = None,
) -> Tally:
    """Radiography (0 deg) or tomosynthesis (15 deg) of a soft-tissue block.

    ``volumes``: score the nine volumes of interest too; without them the body total takes less time.
    """
    scene, source, dense = case2(beam, angle_deg, volumes=volumes)
    return simulate(scene, source, histories=histories, seed=seed, sampling_per_cm=dense, progress=progress)


def case2_energies_ev(tally: Tally) -> dict[str, tuple[float, float]]:
    """Return volume -> (eV per history, standard error); the body holds all its VOIs."""
    out = {}
    total = 1000 * tally.batch_energy_kev.sum(axis=1)
    out["Total body"] = (float(total.mean()), float(total.std(ddof=1) / math.sqrt(total.size)))
    for number in VOI_CENTRES_CM if len(tally.keys) > 1 else ():
        k = tally.index(f"VOI {number}")
        out[f"VOI {number}"] = (1000 * float(tally.energy_kev[k]), 1000 * float(tally.std_kev[k]))
    return out


def _fan(beam: str, collimation_mm: float) -> PyramidSource:
    in_plane = 16 / 60
    along = collimation_mm / 2 / 600
    return PyramidSource(
        position_mm=(-600, 0, 0),
        direction=(1, 0, 0),
        up=(0, 0, 1),
        half_tangents=(-in_plane, in_plane, -along, along),
        spectrum=spectrum(beam),
    )


def case4_part1(beam: str, collimation_mm: float) -> tuple[Scene, PyramidSource]:
    """Return scene and source of case 4.1; see :func:`run_case4_part1`."""
    shapes: list[Shape] = [
        Cylinder(key="cylinder", material=PMMA, centre_mm=(0, 0, 0), radius_mm=160, length_mm=3000)
    ]
    for k in range(4):
        shapes.append(
            Cylinder(
                key=f"VOI {k + 1}", material=PMMA, centre_mm=(0, 0, 10.0 * k), radius_mm=160, length_mm=10
            )
        )
    return Scene(shapes=tuple(shapes)), _fan(beam, collimation_mm)


def run_case4_part1(beam: str, collimation_mm: float, *, histories: float, seed: int = 1) -> Tally:
    """A static CT fan on a PMMA cylinder: four slabs of 10 mm from the middle outwards."""
    return simulate(*case4_part1(beam, collimation_mm), histories=histories, seed=seed)


def case4_part2(beam: str, collimation_mm: float) -> tuple[Scene, PyramidSource, dict[str, float]]:
    """Return scene, source and wanted density of scores of case 4.2; see :func:`run_case4_part2`."""
    shapes: list[Shape] = [
        Cylinder(key="cylinder", material=PMMA, centre_mm=(0, 0, 0), radius_mm=160, length_mm=3000),
        Cylinder(key="Center", material=PMMA, centre_mm=(0, 0, 0), radius_mm=5, length_mm=100),
    ]
    for angle in ANGLES_DEG:
        a = math.pi - math.radians(angle)
        shapes.append(
            Cylinder(
                key=f"{angle}",
                material=PMMA,
                centre_mm=(150 * math.cos(a), 150 * math.sin(a), 0),
                radius_mm=5,
                length_mm=100,
            )
        )
    dense = {"Center": 5.0} | {f"{angle}": 5.0 for angle in ANGLES_DEG if 90 <= angle <= 270}
    dense["180"] = 15.0  # the fewest photons, and no mirror image
    return Scene(shapes=tuple(shapes)), _fan(beam, collimation_mm), dense


def run_case4_part2(
    beam: str,
    collimation_mm: float,
    *,
    histories: float,
    seed: int = 1,
    progress: ProgressCallback | None = None,
) -> Tally:
    """The fan of part 1 with scoring rods: the centre and, by symmetry, all 36 outer positions at once.

    In the report the source turns by ``angle`` around the cylinder and the outer rod stays at
    (-150, 0); here the source stays and the rod turns by ``-angle``. Tentative collisions are dense
    only in the rods that few photons reach.
    """
    scene, source, dense = case4_part2(beam, collimation_mm)
    return simulate(scene, source, histories=histories, seed=seed, sampling_per_cm=dense, progress=progress)


def case4_periphery_ev(tally: Tally) -> dict[str, tuple[float, float]]:
    """Return angle (as text) or ``Continuous`` -> (eV per history, standard error) of the outer rod.

    ``Continuous`` is the mean of the 36 angles. The scene is its own mirror image, so that an angle and its
    mirror image have one expectation: both get the mean of the two.
    """
    columns = [tally.index(f"{angle}") for angle in ANGLES_DEG]
    batches = 1000 * tally.batch_energy_kev[:, columns]
    batches = 0.5 * (batches + np.roll(batches[:, ::-1], 1, axis=1))  # column k with column -k
    n = batches.shape[0]
    out = {
        f"{angle}": (float(batches[:, k].mean()), float(batches[:, k].std(ddof=1) / math.sqrt(n)))
        for k, angle in enumerate(ANGLES_DEG)
    }
    mean = batches.mean(axis=1)
    out["Continuous"] = (float(np.mean(mean)), float(mean.std(ddof=1) / math.sqrt(n)))
    return out


def published_mean_of_angles(beam: str, mode: str) -> Published:
    """Return the mean of the 36 published angles of case 4.2 and the range of the codes' own means.

    The report also prints a line "Continuous" of two codes. It contradicts its own angles: the centre, which
    every angle sees alike, is 11.38 eV at 120 kVp and 10 mm at each angle of all four codes and 11.14 there.
    """
    rows = [
        row
        for row in load("tg195_results").rows()
        if (row["case"], row["beam"], row["mode"]) == ("Case 4.2", beam, mode)
        and str(row["volume"]) != "Continuous"
    ]
    if len(rows) != len(ANGLES_DEG):
        raise KeyError((beam, mode))
    codes = [np.mean([float(row[code]) for row in rows]) for code in CODES]
    mean = np.mean([float(row["mean4"]) for row in rows])
    return Published(mean=float(mean), lower=float(min(codes)), upper=float(max(codes)))
