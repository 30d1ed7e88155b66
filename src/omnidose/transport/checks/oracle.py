"""The engine against the plain engine on ten random scenes: one answer from two programs.

They share the photon table and nothing else (:mod:`omnidose.transport.plain_engine`). Each scene is drawn
from its own fixed seed: blocks of voxels, shapes that overlap, cross and stick out, foils of lead or
aluminium, gaps of air and vacuum, and every kind of source that the plain engine knows, 15 keV to 2 MeV.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.physics.material_library import material
from omnidose.physics.materials import Material
from omnidose.physics.spectra import Spectrum
from omnidose.transport import tg195
from omnidose.transport.engine import simulate
from omnidose.transport.scene import (
    AIR,
    VACUUM,
    Box,
    Capsule,
    Cylinder,
    Scene,
    Shape,
    Sphere,
    VoxelGrid,
)
from omnidose.transport.sources import IsotropicSource, ParallelSource, PyramidSource, RotatingSource, Source
from omnidose.transport.tally import Region
from omnidose.validation import Context, Row, within
from omnidose.volume import Grid

ArrayF8 = npt.NDArray[np.float64]

SCENES = 10
QUICK_HISTORIES, FULL_FACTOR = 2e4, 10
#: The engine runs so many more: it is faster, and then the plain engine's errors are those that count.
ENGINE_FACTOR = 4
#: Regions whose analog error is larger are left out: so few photons that their spread is no normal error.
LARGEST_STD_REL = 0.1
#: Half width of the block that holds everything, mm.
HALF_MM = 30.0
FOCUS_MM = 100.0
#: Scene -> energies are drawn from here (3, 4 and 5 have the X-ray spectra of TG-195).
RANGES_KEV = {
    0: (15.0, 20.0),
    1: (20.0, 33.0),
    2: (33.2, 45.0),  # above the K edge of iodine
    6: (88.1, 150.0),  # above that of lead
    7: (150.0, 511.0),
    8: (511.0, 1100.0),
    9: (1100.0, 2000.0),
}


def iodine_water(share: float) -> Material:
    """Return water with a mass share of iodine."""
    return Material(
        name=f"water with {100 * share:g} % iodine",
        weight_fractions={1: 0.1119 * (1 - share), 8: 0.8881 * (1 - share), 53: share},
        density_g_cm3=1.0 + share,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomScene:
    """One problem for both engines."""

    name: str
    scene: Scene
    source: Source
    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both answers in the regions that both know well enough.

    Attributes
    ----------
    z
        [n] difference over its standard error.
    correlation
        [n, n] of the deviations: regions of a scene share photons.
    left_out
        Number of regions that few photons reach.
    """

    name: str
    keys: tuple[str, ...]
    z: ArrayF8
    correlation: ArrayF8
    left_out: int

    @property
    def variance(self) -> float:
        """Variance that the sum of z^2 should have."""
        return 2 * float(np.sum(self.correlation**2))


def _spectrum(number: int, rng: np.random.Generator) -> Spectrum:
    """Return the photons of a scene: each has its own range, so that ten scenes hold every process."""
    if number == 3:
        return tg195.spectrum("100 kVp")
    if number in (4, 5):
        return tg195.spectrum("120 kVp")
    low, high = RANGES_KEV[number]
    energies = np.sort(rng.uniform(low, high, 2 if number % 2 else 1))
    if number == 9:
        energies[-1] = 2000.0
    return Spectrum(energy_kev=energies, weight=rng.uniform(0.3, 1.0, energies.size))


def _point(rng: np.random.Generator, half_mm: float = HALF_MM) -> tuple[float, float, float]:
    x, y, z = rng.uniform(-half_mm, half_mm, 3)
    return float(x), float(y), float(z)


def _shapes(rng: np.random.Generator, materials: Sequence[Material], foil: Material) -> tuple[Shape, ...]:
    """Return five shapes and a foil; one material may come twice, and the last shape is never hidden."""
    shapes: list[Shape] = []
    for k in range(5):
        of = materials[int(rng.integers(len(materials)))]
        centre, radius = _point(rng, 0.8 * HALF_MM), float(rng.uniform(5, 15))
        length = float(rng.uniform(10, 50))
        kind = (k + rng.integers(2)) % 5
        if kind == 0:
            half = rng.uniform(4, 20, 3)
            low, high = np.array(centre) - half, np.array(centre) + half
            shapes.append(
                Box(
                    key=f"box {k}",
                    material=of,
                    lower_mm=(float(low[0]), float(low[1]), float(low[2])),
                    upper_mm=(float(high[0]), float(high[1]), float(high[2])),
                )
            )
        elif kind == 1:
            shapes.append(Sphere(key=f"sphere {k}", material=of, centre_mm=centre, radius_mm=radius))
        elif kind == 2:
            end = tuple(float(v) for v in np.array(centre) + rng.normal(0, 15, 3))
            shapes.append(
                Capsule(
                    key=f"capsule {k}",
                    material=of,
                    start_mm=centre,
                    end_mm=(end[0], end[1], end[2]),
                    radius_mm=0.5 * radius,
                )
            )
        else:
            shapes.append(
                Cylinder(
                    key=f"cylinder {k}",
                    material=of,
                    centre_mm=centre,
                    radius_mm=radius,
                    length_mm=length,
                    axis=int(rng.integers(3)),
                    direction=_point(rng) if kind == 4 else None,
                )
            )
    z, thickness = float(rng.uniform(-20, 20)), float(rng.uniform(0.1, 0.5))
    x, y = (float(v) for v in rng.uniform(10, 30, 2))
    shapes.append(Box(key="foil", material=foil, lower_mm=(-x, -y, z), upper_mm=(x, y, z + thickness)))
    return tuple(shapes)


def _voxels(rng: np.random.Generator, materials: Sequence[Material]) -> tuple[VoxelGrid, tuple[Region, ...]]:
    """Return blocks of voxels with densities of their own, in five regions of slabs and corners."""
    shape = tuple(int(n) for n in rng.integers(5, 24, 3))
    spacing = tuple(2 * HALF_MM / n for n in shape[::-1])
    grid = Grid.centred((shape[0], shape[1], shape[2]), (spacing[0], spacing[1], spacing[2]))
    coarse = rng.integers(0, len(materials), (3, 3, 3))
    where = np.ix_(*[np.arange(n) * 3 // n for n in shape])
    index = coarse[where].astype(np.uint8)
    usual = np.array([m.density_g_cm3 for m in materials])
    density = (usual[index] * rng.uniform(0.7, 1.2, shape)).astype(np.float32)
    region = rng.integers(0, 5, (3, 3, 3))[where].ravel()
    regions = [Region(key=f"voxels {k}", voxels=np.flatnonzero(region == k)) for k in range(5)]
    voxels = VoxelGrid(grid=grid, materials=tuple(materials), material_index=index, density_g_cm3=density)
    return voxels, tuple(r for r in regions if r.voxels.size)


def _source(number: int, rng: np.random.Generator, spectrum: Spectrum) -> Source:
    out = np.array(_point(rng))
    out = FOCUS_MM * out / np.linalg.norm(out)
    place = (float(out[0]), float(out[1]), float(out[2]))
    back = (-place[0], -place[1], -place[2])
    if number % 4 == 0:
        return ParallelSource(
            centre_mm=place, direction=back, up=_point(rng), half_widths_mm=(25.0, 35.0), spectrum=spectrum
        )
    if number % 4 == 1:
        return PyramidSource(
            position_mm=place,
            direction=back,
            up=_point(rng),
            half_tangents=(-0.3, 0.25, -0.1, 0.4),
            spectrum=spectrum,
        )
    if number % 4 == 2:
        return IsotropicSource(
            centre_mm=_point(rng),
            spectrum=spectrum,
            radius_mm=float(rng.uniform(0, 15)),
        )
    angles = rng.uniform(0, 6, 3)
    return RotatingSource(
        isocentre_mm=(5.0, -3.0),
        focus_mm=FOCUS_MM,
        segments=np.array([[a, a + 1.5, 10 * k - 15, 10 * k, 1.0 + k] for k, a in enumerate(angles)]),
        half_tangents=(-0.35, 0.3, -0.15, 0.2),
        spectra=(spectrum,),
        transmission=rng.uniform(0.2, 1.0, (6, 3)),
    )


def random_scene(number: int) -> RandomScene:
    """Return scene ``number`` (0 to 9): always the same."""
    rng = np.random.default_rng(19500 + number)
    spectrum = _spectrum(number, rng)
    bone, lung = material("cortical bone"), material("lung tissue")
    lung = Material(name="inflated lung", weight_fractions=lung.weight_fractions, density_g_cm3=0.26)
    iodine = iodine_water(float(rng.uniform(0.005, 0.02)))
    materials = [
        material("water"),
        lung,
        material("water"),
        lung,
        iodine,
        bone,
        AIR if number % 2 else VACUUM,
    ]
    # Lead far below its K edge would give the plain engine's one majorant millions of virtual collisions.
    foil = material("lead") if spectrum.energy_kev[0] > 80 else material("aluminium")
    voxels, regions = _voxels(rng, materials) if number % 3 != 1 else (None, ())
    shapes = _shapes(rng, materials, foil)
    source = _source(number, rng, spectrum)
    first, last = spectrum.energy_kev[[0, -1]]
    energies = f"{first:.4g} keV" if first == last else f"{first:.4g} to {last:.4g} keV"
    return RandomScene(
        name=f"{number}: {type(source).__name__}, {energies}, {'voxels and ' if voxels else ''}shapes",
        scene=Scene(voxels=voxels, shapes=shapes, world=VACUUM if number == 4 else AIR),
        source=source,
        regions=regions,
    )


def compare(number: int, *, histories: float, seed: int = 1) -> Comparison:
    """Run one scene in both engines; ``histories`` of the plain one."""
    from omnidose.transport.plain_engine import run_plain

    problem = random_scene(number)
    plain = run_plain(problem.scene, problem.source, regions=problem.regions, histories=histories, seed=seed)
    tally = simulate(
        problem.scene,
        problem.source,
        regions=problem.regions,
        histories=ENGINE_FACTOR * histories,
        seed=seed,
        threads=1,
        backend="cpu",
    )
    columns = [tally.index(key) for key in plain.keys]
    ours, our_std = tally.energy_kev[columns], tally.std_kev[columns]
    solid = (plain.energy_kev > 0) & (plain.std_kev < LARGEST_STD_REL * plain.energy_kev)
    std = np.hypot(plain.std_kev, our_std)[solid]
    z = (ours - plain.energy_kev)[solid] / std
    batches = plain.batch_energy_kev
    covariance = np.cov(batches[:, solid], rowvar=False) / batches.shape[0]
    covariance = covariance + tally.covariance_kev2[np.ix_(columns, columns)][np.ix_(solid, solid)]
    return Comparison(
        name=problem.name,
        keys=tuple(key for key, good in zip(plain.keys, solid, strict=True) if good),
        z=z,
        correlation=covariance / np.outer(std, std),
        left_out=int(np.sum(~solid)),
    )


def check(context: Context) -> Iterator[Row]:
    """Every scene: its worst region; all scenes: the pooled chi-square."""
    histories = QUICK_HISTORIES * (FULL_FACTOR if context.full else 1)
    found = []
    for number in range(SCENES):
        context.progress(f"random scene {number}")
        one = compare(number, histories=histories)
        found.append(one)
        worst = int(np.argmax(np.abs(one.z)))
        yield within(
            f"scene {one.name}: largest deviation of {one.z.size} regions",
            float(one.z[worst]),
            0.0,
            unit="standard errors",
            source="plain engine (omnidose.transport.plain_engine)",
            bounds=(-4.0, 4.0),
            note=f"{one.keys[worst]}; chi-square {float(one.z @ one.z):.1f} of {one.z.size}; "
            f"{one.left_out} regions left out, of fewer photons than 10 % needs",
        )
    chi2 = sum(float(one.z @ one.z) for one in found)
    n = sum(one.z.size for one in found)
    spread = math.sqrt(sum(one.variance for one in found)) / n
    yield within(
        f"{SCENES} random scenes: pooled chi-square of {n} regions / {n}",
        chi2 / n,
        1.0,
        unit="1",
        source="plain engine (omnidose.transport.plain_engine)",
        bounds=(1 - 3 * spread, 1 + 3 * spread),
        note=f"chi-square {chi2:.1f}; standard deviation {spread:.2f}: regions of a scene share photons",
    )
