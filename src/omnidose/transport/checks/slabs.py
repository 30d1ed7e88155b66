"""Slabs and foils, where the answer is a formula: the engine against closed forms.

Thick slabs test the flight: unscattered photons must follow the exponential law through layers, gaps and
macro cells of any density. Foils so thin that a second collision is a small, calculable correction test what
happens at the first: every keV that leaves with a scattered photon, a fluorescence line or an annihilation
photon is missing in the foil.

References
----------
O. Klein and Y. Nishina, Z. Phys. 52 (1929) 853; F. H. Attix, Introduction to Radiological Physics and
Radiation Dosimetry (1986), chapter 7 (energy transferred to free electrons; the tests hold the formula used
here against the integral).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from omnidose.physics.elements import Process
from omnidose.physics.material_library import material
from omnidose.physics.materials import Material
from omnidose.physics.photons import (
    ELECTRON_REST_KEV,
    HC_KEV_ANGSTROM,
    mass_attenuation_cm2_g,
    mean_compton_electron_kev,
    mean_fluorescence_kev,
    mixture_form_factor_squared,
    mixture_scattering_function,
)
from omnidose.physics.spectra import Spectrum
from omnidose.transport.checks._rows import SIGMAS, TABLE_REL, known_row
from omnidose.transport.engine import simulate
from omnidose.transport.iodine_sphere import emitted_lines
from omnidose.transport.scene import AIR, VACUUM, Box, Scene, VoxelGrid
from omnidose.transport.sources import ParallelSource
from omnidose.transport.tally import Region, Tally
from omnidose.validation import Context, Row, within
from omnidose.volume import Grid

ArrayF8 = npt.NDArray[np.float64]

HYDROGEN = Material(name="hydrogen", weight_fractions={1: 1.0}, density_g_cm3=0.07)
CUTOFF_KEV = 1.0
#: Foil -> photon energy: Compton electrons alone, pair production, and K fluorescence of three elements.
FOILS: tuple[tuple[Material, float], ...] = (
    (HYDROGEN, 500.0),
    (material("lead"), 10_000.0),
    (material("iodine"), 40.0),
    (material("tungsten"), 90.0),
    (material("lead"), 120.0),
)
#: Thickness of a foil in mean free paths.
FOIL_MFP = 0.004


def _cosines() -> tuple[ArrayF8, ArrayF8]:
    """Return nodes and weights over -1 to 1, dense where photons run along the foil: cosine = +- u^4."""
    node, weight = np.polynomial.legendre.leggauss(200)
    u = 0.5 * (node + 1)
    cosine, weight = u**4, 2 * weight * u**3
    return np.concatenate([-cosine[::-1], cosine]), np.concatenate([weight[::-1], weight])


def attenuation_per_cm(of: Material, energy_kev: float) -> float:
    """Return the linear attenuation coefficient with coherent scattering."""
    return of.density_g_cm3 * float(mass_attenuation_cm2_g(of, energy_kev))


def kept_per_collision_kev(of: Material, energy_kev: npt.ArrayLike) -> ArrayF8:
    """Return the mean energy that a collision leaves at its place, fluorescence above 1 keV gone."""
    energy = np.asarray(energy_kev, dtype=np.float64)
    part = {p: mass_attenuation_cm2_g(of, energy, p) for p in Process}
    pair = part[Process.PAIR_NUCLEAR] + part[Process.PAIR_ELECTRON]
    kept = part[Process.PHOTOELECTRIC] * (energy - mean_fluorescence_kev(of, energy, CUTOFF_KEV))
    kept = kept + part[Process.INCOHERENT] * mean_compton_electron_kev(of, energy)
    kept = kept + pair * np.maximum(energy - 2 * ELECTRON_REST_KEV, 0.0)
    return np.asarray(kept / sum(part.values()))


def foil_deposit_kev(of: Material, energy_kev: float, thickness_cm: float) -> float:
    """Return the energy kept by a thin foil per photon that hits it at a right angle.

    First collision exactly, second to first order: a photon born anywhere in the foil at an angle to its
    normal collides before it leaves with probability 1 - (1 - exp(-a)) / a, a = mu t / |cosine|; there it
    leaves the mean energy of a collision. What is left out is of the order (mu t)^2 ln(1 / mu t)^2: 5e-4
    of the whole.
    """
    cosine, weight = _cosines()

    def again_kev(energy: npt.ArrayLike, density: ArrayF8) -> float:
        """Mean energy left by the second collision of photons with an angular density."""
        energies = np.broadcast_to(np.asarray(energy, dtype=np.float64), cosine.shape)
        mu = of.density_g_cm3 * mass_attenuation_cm2_g(of, energies)
        a = mu * thickness_cm / np.abs(cosine)
        share = 1 + np.expm1(-a) / a
        total = weight * density
        return float(np.sum(total * share * kept_per_collision_kev(of, energies)) / np.sum(total))

    isotropic = np.ones_like(cosine)
    part = {p: float(mass_attenuation_cm2_g(of, energy_kev, p)) for p in Process}
    pair = part[Process.PAIR_NUCLEAR] + part[Process.PAIR_ELECTRON]
    ratio = 1 / (1 + energy_kev / ELECTRON_REST_KEV * (1 - cosine))
    x = energy_kev / HC_KEV_ANGSTROM * np.sqrt(0.5 * (1 - cosine))
    klein_nishina = ratio**2 * (ratio + 1 / ratio - (1 - cosine**2)) * mixture_scattering_function(of, x)
    thomson = (1 + cosine**2) * mixture_form_factor_squared(of, x)
    kept = part[Process.INCOHERENT] * (
        float(mean_compton_electron_kev(of, energy_kev)) + again_kev(energy_kev * ratio, klein_nishina)
    )
    kept += part[Process.COHERENT] * again_kev(energy_kev, thomson)
    lines = emitted_lines(of, energy_kev)
    kept += part[Process.PHOTOELECTRIC] * (
        energy_kev + sum(number * (again_kev(line, isotropic) - line) for line, number in lines)
    )
    if pair > 0:
        annihilation = again_kev(ELECTRON_REST_KEV, isotropic)
        kept += pair * (energy_kev - 2 * ELECTRON_REST_KEV + 2 * annihilation)
    total = sum(part.values())
    return -math.expm1(-of.density_g_cm3 * total * thickness_cm) * kept / total


def klein_nishina_transfer_kev(energy_kev: float) -> float:
    """Return the mean energy of the electron in the Compton scattering of a free electron at rest."""
    a = energy_kev / ELECTRON_REST_KEV
    b = 1 + 2 * a
    log = math.log(b)
    total = 2 * ((1 + a) / a**2 * (2 * (1 + a) / b - log / a) + log / (2 * a) - (1 + 3 * a) / b**2)
    scattered = log / a**3 + 2 * (1 + a) * (2 * a**2 - 2 * a - 1) / (a**2 * b**2) + 8 * a**2 / (3 * b**3)
    return energy_kev * (1 - scattered / total)


def _beam(energy_kev: float, *, half_mm: float = 0.5, z_mm: float = -1.0) -> ParallelSource:
    return ParallelSource(
        centre_mm=(0, 0, z_mm),
        direction=(0, 0, 1),
        up=(0, 1, 0),
        half_widths_mm=(half_mm, half_mm),
        spectrum=Spectrum.line(energy_kev),
    )


def _slab(key: str, of: Material, low_mm: float, high_mm: float, half_mm: float = 200.0) -> Box:
    return Box(
        key=key, material=of, lower_mm=(-half_mm, -half_mm, low_mm), upper_mm=(half_mm, half_mm, high_mm)
    )


def _row(name: str, ours: float, std: float, reference: float, unit: str = "keV/history") -> Row:
    """Four standard errors, and what the tables cannot resolve."""
    return known_row(
        name,
        ours,
        std,
        reference,
        unit=unit,
        source="closed form (omnidose.transport.checks.slabs)",
        table_rel=TABLE_REL,
        note=f"{100 * (ours / reference - 1):+.3f} %, own standard error {100 * std / reference:.3f} %",
    )


def _primary(tally: Tally, key: str) -> tuple[float, float]:
    """Return energy from unscattered photons and its standard error."""
    batches = tally.batch_primary_kev[:, tally.index(key)]
    return float(batches.mean()), float(batches.std(ddof=1) / math.sqrt(batches.size))


def primary_kept_kev(of: Material, energy_kev: float, length_cm: float, reaching_fraction: float) -> float:
    """Return what first collisions leave in a length of a medium that a fraction of the photons reaches."""
    hit = -math.expm1(-attenuation_per_cm(of, energy_kev) * length_cm)
    return reaching_fraction * hit * float(kept_per_collision_kev(of, energy_kev))


def check_transmission(histories: float) -> Iterator[Row]:
    """Narrow beams through one slab, and through gaps of air and vacuum."""
    water = material("water")
    for of, energy_kev, thickness_mm in (
        (water, 60.0, 150.0),
        (material("cortical bone"), 1250.0, 100.0),
        (material("lead"), 150.0, 1.5),
    ):
        slab = _slab("slab", of, 0.0, thickness_mm)
        detector = _slab("detector", water, thickness_mm + 20, thickness_mm + 30)
        scene = Scene(shapes=(slab, detector), world=VACUUM)
        dense = {"detector": 5.0}  # many scores in a thin detector
        tally = simulate(
            scene, _beam(energy_kev), histories=histories, sampling_per_cm=dense, threads=1, backend="cpu"
        )
        mfp = attenuation_per_cm(of, energy_kev) * thickness_mm / 10
        yield _row(
            f"narrow beam of {energy_kev:g} keV behind {thickness_mm:g} mm of {of.name} ({mfp:.2f} mfp)",
            *_primary(tally, "detector"),
            primary_kept_kev(water, energy_kev, 1.0, math.exp(-mfp)),
        )
    energy_kev, gap_mm = 20.0, 1000.0
    for name, world, filling in (("air", AIR, None), ("vacuum", AIR, VACUUM), ("air in vacuum", VACUUM, AIR)):
        shapes = [_slab("first", water, 0.0, 10.0), _slab("detector", water, 10 + gap_mm, 20 + gap_mm)]
        if filling is not None:
            shapes.append(_slab("gap", filling, 10.0, 10.0 + gap_mm))
        scene = Scene(shapes=tuple(shapes), world=world)
        tally = simulate(
            scene,
            _beam(energy_kev, z_mm=-1e-3),
            histories=histories,
            sampling_per_cm={"detector": 5.0},
            threads=1,
            backend="cpu",
        )
        before = attenuation_per_cm(water, energy_kev) + attenuation_per_cm(filling or world, energy_kev) * (
            gap_mm / 10
        )
        yield _row(
            f"{energy_kev:g} keV behind 10 mm of water and a gap of 1 m of {name}",
            *_primary(tally, "detector"),
            primary_kept_kev(water, energy_kev, 1.0, math.exp(-before)),
        )


def layered_grid() -> tuple[VoxelGrid, tuple[Region, ...]]:
    """Return water and water vapour in layers, densities 1 and 0.001, one region per slice of voxels.

    The borders lie at voxels 5, 17, 18 and 31 of 40: where macro cells end by chance only, and one layer is
    a single voxel thick.
    """
    water = material("water")
    grid = Grid(shape_zyx=(40, 30, 30), spacing_mm=(10.0, 10.0, 3.5), origin_mm=(-145.0, -145.0, 1.75))
    density = np.full(grid.shape_zyx, 0.001, np.float32)
    density[5:17] = 1.0
    density[18:31] = 1.0
    regions = tuple(Region(key=f"slice {k}", voxels=np.arange(900) + 900 * k) for k in range(40))
    voxels = VoxelGrid(
        grid=grid,
        materials=(water,),
        material_index=np.zeros(grid.shape_zyx, np.uint8),
        density_g_cm3=density,
    )
    return voxels, regions


def check_layers(histories: float) -> Iterator[Row]:
    """Unscattered photons of a slanted beam through layers whose densities differ by 1000."""
    voxels, regions = layered_grid()
    water, energy_kev = material("water"), 60.0
    slope = np.array([0.3, -0.2, 1.0])
    source = ParallelSource(
        centre_mm=(-20.0, 15.0, -1.0),  # no corner of the small rectangle lies above z = 0
        direction=(0.3, -0.2, 1.0),
        up=(0, 1, 0),
        half_widths_mm=(1.0, 1.0),
        spectrum=Spectrum.line(energy_kev),
    )
    tally = simulate(
        Scene(voxels=voxels, world=VACUUM),
        source,
        regions=regions,
        histories=histories,
        threads=1,
        backend="cpu",
    )
    step_cm = 0.35 * float(np.linalg.norm(slope))
    depth = step_cm * attenuation_per_cm(water, energy_kev) * voxels.density_g_cm3[:, 0, 0].astype(np.float64)
    before = np.cumsum(depth) - depth
    kept = float(kept_per_collision_kev(water, energy_kev))
    expected = np.exp(-before) * -np.expm1(-depth) * kept
    columns = [tally.index(r.key) for r in regions]
    batches = tally.batch_primary_kev[:, columns]
    error = batches.std(axis=0, ddof=1) / math.sqrt(batches.shape[0])
    scored = (error > 0) & (error < 0.1 * expected)  # else no normal error
    where, batches, expected = np.flatnonzero(scored), batches[:, scored], expected[scored]
    ours, covariance = batches.mean(axis=0), np.cov(batches, rowvar=False) / batches.shape[0]
    std = np.sqrt(np.diag(covariance))
    z = (ours - expected) / np.hypot(std, TABLE_REL / SIGMAS * expected)
    worst = int(np.argmax(np.abs(z)))
    name = f"layers of densities 1 and 0.001, slanted beam, {z.size} slices known to 10 %"
    yield within(
        f"{name}: largest deviation",
        float(z[worst]),
        0.0,
        unit="standard errors",
        source="closed form (omnidose.transport.checks.slabs)",
        bounds=(-SIGMAS, SIGMAS),
        note=f"slice {where[worst]}: {100 * (ours[worst] / expected[worst] - 1):+.2f} %, standard error "
        f"{100 * std[worst] / expected[worst]:.2f} %",
    )
    spread = math.sqrt(2 * float(np.sum((covariance / np.outer(std, std)) ** 2))) / z.size
    yield within(
        f"{name}: chi-square / {z.size}",
        float(z @ z) / z.size,
        1.0,
        unit="1",
        source="closed form (omnidose.transport.checks.slabs)",
        bounds=(0.0, 1 + 3 * spread),
        note=f"standard deviation {spread:.2f}: slices share photons",
    )


def check_profile(histories: float) -> Iterator[Row]:
    """Kerma of unscattered photons along 20 cm of water in ten slabs."""
    water, energy_kev = material("water"), 100.0
    shapes = tuple(_slab(f"{k}", water, 20.0 * k, 20.0 * (k + 1)) for k in range(10))
    tally = simulate(
        Scene(shapes=shapes, world=VACUUM), _beam(energy_kev), histories=histories, threads=1, backend="cpu"
    )
    mu = attenuation_per_cm(water, energy_kev)
    for k in (0, 4, 9):
        yield _row(
            f"kerma of unscattered photons, {energy_kev:g} keV, {20 * k} to {20 * k + 20} mm deep in water",
            *_primary(tally, f"{k}"),
            primary_kept_kev(water, energy_kev, 2.0, math.exp(-2 * k * mu)),
        )


def check_foils(histories: float) -> Iterator[Row]:
    """What a thin foil keeps, analog and by expected values."""
    for of, energy_kev in FOILS:
        thickness_cm = FOIL_MFP / attenuation_per_cm(of, energy_kev)
        foil = _slab("foil", of, 0.0, 10 * thickness_cm, max(200.0, 1e4 * thickness_cm))
        dense = {"foil": min(1 / thickness_cm, 1e4)}  # a score for every photon or nearly so
        scene = Scene(shapes=(foil,), world=VACUUM)
        tally = simulate(
            scene, _beam(energy_kev), histories=histories, threads=1, backend="cpu", sampling_per_cm=dense
        )
        reference = foil_deposit_kev(of, energy_kev, thickness_cm)
        name = f"{of.name} foil of {FOIL_MFP:g} mfp, {energy_kev:g} keV"
        analog = tally.batch_analog_kev[:, 1]
        yield _row(
            f"{name}: energy kept, analog",
            float(analog.mean()),
            float(analog.std(ddof=1)) / math.sqrt(analog.size),
            reference,
        )
        yield _row(
            f"{name}: energy kept, expected values",
            float(tally.energy_kev[0]),
            float(tally.std_kev[0]),
            reference,
        )
    bound = float(mean_compton_electron_kev(HYDROGEN, 500.0))
    yield within(
        "mean energy of a Compton electron in hydrogen, 500 keV (reference of the hydrogen foil)",
        bound,
        klein_nishina_transfer_kev(500.0),
        unit="keV",
        source="Klein-Nishina, free electron, closed form",
        tolerance_rel=0.002,
    )


def check(context: Context) -> Iterator[Row]:
    """All slabs."""
    factor = 10 if context.full else 1
    context.progress("slabs")
    yield from check_transmission(1e6 * factor)
    yield from check_profile(1e6 * factor)
    context.progress("layers")
    yield from check_layers(1e6 * factor)
    context.progress("foils")
    yield from check_foils(4e6 * factor)
