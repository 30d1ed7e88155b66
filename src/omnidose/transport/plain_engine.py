"""The plainest photon Monte Carlo that is right: the oracle of the engine, and the fixed unit of its speed.

Double precision, analog deposits, delta tracking with one majorant for the whole world, rejection sampling
straight from the formulas, numpy's Mersenne Twister; tracking and physics are in
:mod:`omnidose.transport._plain_kernels`. It shares with the engine the records that define a problem (scene,
source, regions) and the packaged photon table; no random numbers, tracking, sampling or scoring.

The speed figures of the engine are multiples of this one's rate: do not make it faster, nor slower.

References
----------
E. R. Woodcock et al., ANL-7050 (1965) 557 (delta tracking); O. Klein and Y. Nishina, Z. Phys. 52 (1929) 853.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from omnidose.errors import InputError, RangeError
from omnidose.physics.spectra import Spectrum
from omnidose.physics.transport_tables import build_photon_table
from omnidose.transport._plain_kernels import CUTOFF_KEV, F8, Beam, Geometry, Physics, run_batch
from omnidose.transport.scene import Box, Cylinder, Scene, Sphere
from omnidose.transport.sources import (
    IsotropicSource,
    ParallelSource,
    PyramidSource,
    RotatingSource,
    Source,
)
from omnidose.transport.tally import Region

BATCHES = 40
#: Room for secondary photons: two per generation at most, each softer than the one before.
WAITING = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlainTally:
    """Analog deposits per emitted photon.

    Attributes
    ----------
    keys
        Shapes' keys first, then the regions', length n.
    batch_energy_kev
        [n_batches, n] mean energy kept per photon in each batch.
    batch_balance_kev
        [n_batches, 3] emitted, kept anywhere, escaped.
    cpu_s
        CPU time of the histories alone, without tables and compilation.
    """

    keys: tuple[str, ...]
    histories: int
    batch_energy_kev: F8
    batch_balance_kev: F8
    cpu_s: float

    @property
    def energy_kev(self) -> F8:
        """[n] mean energy kept per emitted photon."""
        return np.asarray(self.batch_energy_kev.mean(axis=0))

    @property
    def std_kev(self) -> F8:
        """[n] standard error of it, from the spread of the batches."""
        n_batches = self.batch_energy_kev.shape[0]
        return np.asarray(self.batch_energy_kev.std(axis=0, ddof=1) / math.sqrt(n_batches))


def run_plain(
    scene: Scene,
    source: Source,
    *,
    regions: Sequence[Region] = (),
    histories: float,
    seed: int = 1,
    batches: int = BATCHES,
) -> PlainTally:
    """Run photons through a scene on one thread.

    Parameters
    ----------
    regions
        Voxels that are scored together, besides the shapes; whole voxels of one region at most.
    histories
        Rounded up to whole batches.

    Raises
    ------
    InputError, RangeError
        For what it does not know: other sources, media, weights, regions that overlap, energies below 1 keV.
    """
    keys = (*dict.fromkeys(shape.key for shape in scene.shapes), *(region.key for region in regions))
    beam = _beam(source)
    if beam.energy[0] - beam.width / 2 < CUTOFF_KEV:
        raise RangeError("the plain engine starts no photon below its cut-off", allowed="1 keV and more")
    geometry = _geometry(scene, keys, regions, beam)
    phys = _physics(scene, float(beam.energy[-1] + beam.width / 2))
    waiting = np.zeros((WAITING, 7))
    run_batch(1, 0, beam, geometry, phys, waiting, np.zeros(len(keys) + 1))  # compile
    each = math.ceil(histories / batches)
    kept, ends = np.zeros((batches, len(keys) + 1)), np.zeros((batches, 2))
    start = time.process_time()
    for b in range(batches):
        ends[b] = run_batch(each, (seed * batches + b) % 2**32, beam, geometry, phys, waiting, kept[b])
    return PlainTally(
        keys=keys,
        histories=each * batches,
        batch_energy_kev=kept[:, 1:] / each,
        batch_balance_kev=np.stack([ends[:, 0], kept.sum(axis=1), ends[:, 1]], axis=1) / each,
        cpu_s=time.process_time() - start,
    )


def _physics(scene: Scene, max_kev: float) -> Physics:
    voxels = scene.voxels
    materials = (*(voxels.materials if voxels else ()), *(s.material for s in scene.shapes), scene.world)
    table = build_photon_table(materials, min(1.001 * max_kev, 20_000.0), CUTOFF_KEV)
    total, photo, incoherent, coherent = (table.rows[:, :, k].astype(np.float64) for k in (0, 2, 3, 4))
    densest = np.array([m.density_g_cm3 for m in materials])
    for m in range(len(voxels.materials) if voxels else 0):
        assert voxels is not None
        densest[m] = np.max(voxels.density_g_cm3, where=voxels.material_index == m, initial=0.0)
    return Physics(
        ln_e0=table.ln_energy_0,
        per_ln_e=table.inv_d_ln_energy,
        total=total,
        photoelectric=photo,
        incoherent=incoherent,
        coherent=coherent,
        majorant=np.maximum(np.max(densest[:, None] * total, axis=0, keepdims=True), 1e-9),
        ln_x0=table.compton_ln_x_0,
        per_ln_x=table.compton_inv_d_ln_x,
        s=table.compton_s.astype(np.float64),
        x2=table.rayleigh_x2.astype(np.float64),
        rayleigh=table.rayleigh_cumulative.astype(np.float64),
        vacancy_first=table.vacancy_offset.astype(np.int64),
        vacancy=table.vacancy_cumulative.astype(np.float64),
        vacancy_set=table.vacancy_set.astype(np.int64),
        line_kev=table.line_energy_kev.astype(np.float64),
        line=table.line_cumulative.astype(np.float64),
        line_next=table.line_next.astype(np.int64),
    )


def _geometry(scene: Scene, keys: Sequence[str], regions: Sequence[Region], beam: Beam) -> Geometry:
    if len(keys) > 255 or len(set(keys)) < len(keys):
        raise InputError("the plain engine scores up to 255 regions of different names")
    size = np.zeros((len(scene.shapes), 8))
    kinds: list[int] = []
    lower: list[F8] = []
    upper: list[F8] = []
    for row, shape in zip(size, scene.shapes, strict=True):
        if isinstance(shape, Box):
            kinds.append(0)
            row[:6] = np.array([*shape.lower_mm, *shape.upper_mm]) / 10
            lower, upper = [*lower, row[:3]], [*upper, row[3:6]]
            continue
        kinds.append(1 if isinstance(shape, Cylinder) else 2)
        axis = np.array([0.0, 0.0, 1.0]) if isinstance(shape, Sphere) else shape.unit_axis
        half = 0.0 if isinstance(shape, Sphere) else shape.length_mm / 20
        centre, radius = np.array(shape.centre_mm) / 10, shape.radius_mm / 10
        row[:] = [*centre, *axis, half, radius]
        disc = radius * np.sqrt(np.maximum(1 - axis**2, 0)) if isinstance(shape, Cylinder) else radius
        reach = np.abs(axis) * half + disc
        lower, upper = [*lower, centre - reach], [*upper, centre + reach]
    voxels = scene.voxels
    region = np.zeros(voxels.grid.voxel_count if voxels else 1, np.uint8)
    for item in regions:
        if item.weights is not None or item.medium is not None or np.any(region[item.voxels]):
            raise InputError(f"the plain engine takes whole, separate voxels, not those of '{item.key}'")
        region[item.voxels] = 1 + keys.index(item.key)
    if voxels:
        lower, upper = [*lower, voxels.grid.lower_mm / 10], [*upper, voxels.grid.upper_mm / 10]
    first, last = _starts(beam)
    first_shape = len(voxels.materials) if voxels else 0
    n = len(scene.shapes)
    return Geometry(
        lower=np.min([*lower, first], axis=0) - scene.world_margin_mm / 10,
        upper=np.max([*upper, last], axis=0) + scene.world_margin_mm / 10,
        grid_lower=voxels.grid.lower_mm / 10 if voxels else np.zeros(3),
        spacing=np.array(voxels.grid.spacing_mm) / 10 if voxels else np.ones(3),
        n_xyz=np.array(voxels.grid.shape_zyx[::-1] if voxels else (0, 0, 0), np.int64),
        material=np.ascontiguousarray(voxels.material_index).ravel() if voxels else np.zeros(1, np.uint8),
        density=np.ascontiguousarray(voxels.density_g_cm3).ravel() if voxels else np.zeros(1, np.float32),
        region=region,
        shape_kind=np.array(kinds, np.int64),
        shape_size=size,
        shape_material=np.arange(first_shape, first_shape + n),
        shape_density=np.array([s.material.density_g_cm3 for s in scene.shapes], np.float64),
        shape_region=np.array([1 + keys.index(s.key) for s in scene.shapes], np.int64),
        world_material=first_shape + n,
        world_density=scene.world.density_g_cm3,
    )


def _beam(source: Source) -> Beam:
    kinds = (PyramidSource, ParallelSource, IsotropicSource, RotatingSource)
    given = source.spectra if isinstance(source, RotatingSource) else (getattr(source, "spectrum", None),)
    spectra = [s for s in given if isinstance(s, Spectrum)]
    if not isinstance(source, kinds) or len(spectra) < len(given):
        raise InputError(f"the plain engine knows no {type(source).__name__} of such photons")
    axes, segments, weights, shares, focus = np.eye(3), np.zeros((1, 4)), np.ones(1), np.ones((1, 1)), 0.0
    if isinstance(source, RotatingSource):
        place, limits = [*source.isocentre_mm, source.isocentre_z_mm], np.array(source.half_tangents)
        axis, first = _perpendicular(source.axis, source.zero)
        axes, focus = np.array([first, np.cross(axis, first), axis]), source.focus_mm / 10
        segments, weights = source.segments[:, :4] / np.array([1, 1, 10, 10]), source.segments[:, 4]
        if source.transmission is not None:
            shares = source.transmission / source.transmission.max()
    elif isinstance(source, IsotropicSource):
        place, limits = [*source.centre_mm], np.full(4, source.radius_mm / 10)
    else:
        along, up = _perpendicular(source.direction, source.up)
        axes = np.array([np.cross(up, along), up, along])
        if isinstance(source, PyramidSource):
            place, limits = [*source.position_mm], np.array(source.half_tangents)
        else:
            a, b = np.array(source.half_widths_mm) / 10
            place, limits = [*source.centre_mm], np.array([-a, a, -b, b])
    return Beam(
        kind=kinds.index(type(source)),
        axes=np.vstack([axes, np.array(place) / 10]),
        limits=limits.astype(np.float64),
        focus=focus,
        segments=segments.astype(np.float64),
        segment_cdf=_cdf(weights),
        transmission=np.ascontiguousarray(shares, np.float64),
        energy=spectra[0].energy_kev,
        width=float(spectra[0].bin_width_kev),
        energy_cdf=np.array([_cdf(s.weight) for s in spectra]),
    )


def _perpendicular(direction: Sequence[float], up: Sequence[float]) -> tuple[F8, F8]:
    """Unit vectors along the first, and along the part of the second that is perpendicular to it."""
    along = np.array(direction) / np.linalg.norm(direction)
    side = np.array(up) - np.dot(up, along) * along
    return along, side / np.linalg.norm(side)


def _cdf(weights: F8) -> F8:
    """Cumulative shares, with the last one above any random number."""
    total = np.cumsum(weights)
    return np.asarray(np.append(total[:-1] / total[-1], 1.0))


def _starts(beam: Beam) -> tuple[F8, F8]:
    """A box (cm) that holds every place photons start from."""
    place, reach = beam.axes[3], np.zeros(3)
    if beam.kind == 1:
        reach = np.abs(beam.axes[0]) * beam.limits[1] + np.abs(beam.axes[1]) * beam.limits[3]
    elif beam.kind == 2:
        reach = np.full(3, beam.limits[0])
    elif beam.kind == 3:
        ends = place + np.outer([beam.segments[:, 2:].min(), beam.segments[:, 2:].max()], beam.axes[2])
        circle = beam.focus * np.sqrt(np.maximum(1 - beam.axes[2] ** 2, 0))
        return ends.min(axis=0) - circle, ends.max(axis=0) + circle
    return place - reach, place + reach
