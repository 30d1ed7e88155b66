"""Claim ``sources``: every source and shape against a closed form."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from omnidose.physics.material_library import material
from omnidose.physics.materials import Material
from omnidose.physics.spectra import Spectrum
from omnidose.physics.transport_tables import build_photon_table
from omnidose.transport.births import Births, births
from omnidose.transport.checks import _rows
from omnidose.transport.checks._rows import SIGMAS
from omnidose.transport.cumulatives import cumulative_table, slope_weights
from omnidose.transport.emission import ANNIHILATION_KEV, EmissionSpectrum, Positrons
from omnidose.transport.engine import simulate
from omnidose.transport.problem import compile_problem
from omnidose.transport.runner import LocalRunner
from omnidose.transport.scene import VACUUM, Box, Capsule, Cylinder, Scene, Shape, Sphere
from omnidose.transport.shapes import shape_volume_cm3, visible_volumes_cm3
from omnidose.transport.sources import (
    ActivitySource,
    ConeSource,
    EmissionLaw,
    FanSource,
    IsotropicSource,
    ParallelSource,
    PyramidSource,
    RotatingSource,
    Side,
    Source,
    SurfaceSource,
)
from omnidose.transport.surfaces import Disc, Rectangle, Surface, VoxelSurface, patches
from omnidose.validation import Context, Row, within
from omnidose.volume import Grid

ArrayF8 = npt.NDArray[np.float64]

CLOSED = "closed form"
LINE = Spectrum.line(60.0)
WATER = material("water")
#: So thin that a photon crosses decimetres of it undisturbed.
THIN = Material(name="thin water", weight_fractions=dict(WATER.weight_fractions), density_g_cm3=1e-4)
DIRECTION, UP = (1.0, 2.0, 3.0), (0.0, 1.0, 0.0)


def check(context: Context) -> Iterator[Row]:
    """All sources by their births, then shapes and pairs through the engine."""
    count = 4_000_000 if context.full else 400_000
    context.progress("births of every source")
    yield from beams(count)
    yield from tubes(count)
    yield from emissions(count)
    yield from activity(count)
    yield from surfaces(count)
    context.progress("shapes and pairs through the engine")
    yield from distances(2 * count)
    yield from thin_shapes(2 * count)
    yield from volumes()
    yield from pairs(40_000)


def chi_square(name: str, found: npt.ArrayLike, shares: npt.ArrayLike, source: str = CLOSED) -> Row:
    """Compare counts with expected shares; few expected counts are put together."""
    counts, expected = np.ravel(found).astype(float), np.ravel(np.asarray(shares, dtype=float))
    expected = expected / expected.sum() * counts.sum()
    many = expected >= 10
    rest = np.append(counts[many], counts[~many].sum()), np.append(expected[many], expected[~many].sum())
    counts, expected = (r if rest[1][-1] > 0 else r[:-1] for r in rest)
    impossible = rest[1][-1] == 0 and rest[0][-1] > 0
    free = counts.size - 1
    value = math.inf if impossible else float(np.sum((counts - expected) ** 2 / expected))
    reach = SIGMAS * math.sqrt(2 * free)
    return within(
        name,
        value,
        free,
        unit="chi-square",
        source=f"{source}, {free} degrees of freedom",
        bounds=(free - reach, free + reach + 5),
        note=f"{int(counts.sum())} photons",
    )


def mean_row(name: str, values: ArrayF8, expected: float, unit: str) -> Row:
    """Compare the mean of independent values with a closed form."""
    std = float(values.std(ddof=1) / math.sqrt(values.size))
    return known_row(name, float(values.mean()), std, expected, unit)


def known_row(name: str, ours: float, std: float, expected: float, unit: str) -> Row:
    """Compare a number of known standard error with a closed form."""
    return _rows.known_row(
        name, ours, std, expected, unit=unit, source=CLOSED, note=f"standard error {std:.2g}"
    )


def largest_row(name: str, ours: float, limit: float, unit: str) -> Row:
    """Say that something stays below a limit."""
    return within(name, ours, 0.0, unit=unit, source=CLOSED, bounds=(0.0, limit))


def local(born: Births, direction: tuple[float, ...], up: tuple[float, ...]) -> ArrayF8:
    """Return directions along (up x direction, up, direction)."""
    w = np.asarray(direction) / np.linalg.norm(direction)
    v = np.asarray(up) - (np.asarray(up) @ w) * w
    v = v / np.linalg.norm(v)
    return np.asarray(born.direction @ np.stack([np.cross(v, w), v, w]).T)


def rectangle_shares(u: ArrayF8, v: ArrayF8) -> ArrayF8:
    """Return the solid angles of cells of slopes between edges u and v."""
    corner = np.arctan(u[:, None] * v / np.sqrt(1 + u[:, None] ** 2 + v**2))
    return np.diff(np.diff(corner, axis=0), axis=1)


def beams(count: int) -> Iterator[Row]:
    """Pyramid, fan with bow-tie and spectra, parallel beam, cone, cone with heel."""
    u, v = np.linspace(-1, 0.5, 21), np.linspace(-0.2, 2, 16)
    pyramid = PyramidSource(
        position_mm=(10, 20, 30), direction=DIRECTION, up=UP, half_tangents=(-1, 0.5, -0.2, 2), spectrum=LINE
    )
    shares = rectangle_shares(u, v)
    yield _slope_table(v)
    along = local(births(pyramid, count), DIRECTION, UP)
    slopes = along[:, :2] / along[:, 2:]
    counts = np.histogram2d(slopes[:, 0], slopes[:, 1], [u, v])[0]
    yield chi_square("pyramid, oblique and lopsided, photons per solid angle", counts, shares)
    yield from _fan(count)
    parallel = ParallelSource(
        centre_mm=(1, 2, 3), direction=(0, 0, 2), up=UP, half_widths_mm=(30, 10), spectrum=LINE
    )
    born = births(parallel, count)
    edges = [np.linspace(-29, 31, 13), np.linspace(-8, 12, 9)]
    counts = np.histogram2d(born.place_mm[:, 0], born.place_mm[:, 1], edges)[0]
    yield chi_square("parallel beam, photons per area", counts, np.ones(counts.shape))
    cone = ConeSource(position_mm=(0, 0, 0), direction=DIRECTION, half_angle_deg=12, spectrum=LINE)
    w = np.asarray(DIRECTION) / math.sqrt(14)
    angle = np.degrees(np.arccos(np.clip(births(cone, count).direction @ w, -1, 1)))
    edges_deg = np.linspace(0, 12, 13)
    counts = np.histogram(angle, edges_deg)[0]
    yield chi_square("cone of 12 degrees, photons per ring", counts, -np.diff(np.cos(np.radians(edges_deg))))
    yield from _heel(count)


def _slope_table(v: ArrayF8) -> Row:
    """The table as the kernels read it (float32, linear inside a step) between and at its steps."""
    table = cumulative_table(slope_weights((-1, 0.5, float(v[0]), float(v[-1])), None))[0]
    fine = np.linspace(-1, 0.5, 16 * table.size + 1)
    exact = np.cumsum(rectangle_shares(fine, v[[0, -1]]).ravel())
    read = np.interp(fine[1:], np.linspace(-1, 0.5, table.size + 1), np.concatenate([[0], table]))
    apart = float(np.abs(read - exact / exact[-1]).max())
    return largest_row("pyramid, table of slopes, largest error of the cumulative", apart, 1e-5, "1")


def _fan(count: int) -> Iterator[Row]:
    """A bow-tie that falls to both sides, with three spectra."""
    bow = np.array([0.2, 1.0, 0.6])[:, None]
    spectra = tuple(
        Spectrum(energy_kev=np.array([40.0, 60.0, 80.0]), weight=np.array(w), bin_width_kev=20.0)
        for w in ([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [0.0, 1.0, 4.0])
    )
    fan = FanSource(
        position_mm=(0, 0, 0),
        direction=(0, -1, 0),
        up=(0, 0, 1),
        half_tangents=(-0.6, 0.3, -0.05, 0.05),
        spectra=spectra,
        transmission=bow,
    )
    born = births(fan, count)
    along = local(born, (0, -1, 0), (0, 0, 1))
    s = along[:, 0] / along[:, 2]
    edges = np.linspace(-0.6, 0.3, 37)
    fine = np.linspace(-0.6, 0.3, 36 * 100 + 1)
    middle = 0.5 * (fine[1:] + fine[:-1])
    weight = np.interp(middle, [-0.45, -0.15, 0.15], bow[:, 0]) * 0.1 / (1 + middle**2)
    weight /= np.sqrt(1 + middle**2 + 0.05**2)
    counts = np.histogram(s, edges)[0]
    yield chi_square(
        "fan, bow-tie along u", counts, weight.reshape(36, 100).sum(axis=1), "quadrature of the same table"
    )
    for k, spectrum in enumerate(spectra):
        own = (s > -0.6 + 0.3 * k + 1e-4) & (s < -0.3 + 0.3 * k - 1e-4)
        yield mean_row(
            f"fan, mean energy in bin {k + 1}", born.energy_kev[own], spectrum.mean_kev, "keV/photon"
        )


def _heel(count: int) -> Iterator[Row]:
    """Fluence proportional to 1 + v in a cone and in a rectangle: the mean slope in closed form."""
    knots = (np.arange(8) + 0.5) / 4 - 1
    reach = 0.2
    table = np.tile(1 + 0.5 * knots, (2, 1))
    cone = ConeSource(
        position_mm=(0, 0, 0), direction=(0, 0, 1), up=UP, half_angle_deg=math.degrees(math.atan(reach)),
        spectrum=LINE, transmission=table,
    )  # fmt: skip
    fan = FanSource(
        position_mm=(0, 0, 0), direction=(0, 0, 1), up=UP, half_tangents=(-reach, reach, -reach, reach),
        spectra=(LINE,), transmission=table,
    )  # fmt: skip
    lattice = (np.arange(400) + 0.5) / 200 - 1
    s, t = np.meshgrid(reach * lattice, reach * lattice, indexing="ij")
    weight = (1 + 0.5 * np.clip(t / reach, knots[0], knots[-1])) / (1 + s**2 + t**2) ** 1.5
    edges = np.linspace(-reach, reach, 21)
    for name, source, seen in (("cone", cone, s**2 + t**2 <= reach**2), ("rectangle", fan, True)):
        direction = births(source, count).direction
        counts = np.histogram(direction[:, 1] / direction[:, 2], edges)[0]
        shares = np.histogram(t, edges, weights=weight * seen)[0]
        yield chi_square(f"heel along v, {name}", counts, shares, "quadrature of the same table")


def tubes(count: int) -> Iterator[Row]:
    """A turning tube: along its path, and the same about another axis."""
    segments = np.array([[0.0, 2.0, 0.0, 40.0, 1.0], [2.0, 3.0, 40.0, -20.0, 3.0]])
    common = {
        "isocentre_mm": (5.0, -6.0), "focus_mm": 600.0, "segments": segments,
        "half_tangents": (-0.4, 0.4, -0.03, 0.03), "spectra": (LINE,),
    }  # fmt: skip
    upright = births(RotatingSource(**common), count)  # type: ignore[arg-type]
    delta = upright.place_mm - [5, -6, 0]
    off = np.abs(np.hypot(delta[:, 0], delta[:, 1]) - 600).max()
    yield largest_row("turning tube, focus off its circle", float(off), 1e-3, "mm")
    angle = np.arctan2(delta[:, 1], delta[:, 0])
    z = np.interp(angle, [0, 2, 3], [0, 40, -20])
    yield largest_row("turning tube, table off its way", float(np.abs(z - delta[:, 2]).max()), 1e-3, "mm")
    edges = np.concatenate([np.linspace(0, 2, 9), np.linspace(2, 3, 9)[1:]])
    shares = np.repeat([1.0, 3.0], 8)
    yield chi_square("turning tube, photons along the path", np.histogram(angle, edges)[0], shares)
    tilted = RotatingSource(**common, axis=DIRECTION, zero=(0, 0, 1), isocentre_z_mm=7.0)  # type: ignore[arg-type]
    turned = births(tilted, count)
    axis = np.asarray(DIRECTION) / math.sqrt(14)
    first = np.array([0, 0, 1]) - axis[2] * axis
    first /= np.linalg.norm(first)
    frame = np.stack([first, np.cross(axis, first), axis])
    place = (turned.place_mm - [5, -6, 7]) @ frame.T
    apart = np.abs(place - delta).max(), np.abs(turned.direction @ frame.T - upright.direction).max()
    yield largest_row("tube about another axis, places apart", float(apart[0]), 1e-3, "mm")
    yield largest_row("tube about another axis, directions apart", float(apart[1]), 1e-5, "1")


def emissions(count: int) -> Iterator[Row]:
    """Lines beside a continuum."""
    spectrum = EmissionSpectrum(
        line_kev=np.array([208.0, 113.0, 55.0]), line_per_decay=np.array([0.104, 0.064, 0.0]),
        edges_kev=np.array([10.0, 50.0, 300.0]), bin_per_decay=np.array([0.03, 0.002]),
    )  # fmt: skip
    energy = births(IsotropicSource(centre_mm=(0, 0, 0), spectrum=spectrum), count).energy_kev
    edges = [10, 30, 50, 112.9, 113.1, 207.9, 208.1, 300]
    counts = np.histogram(energy, edges)[0]
    small = np.array([0.2, 0.2])
    wide = np.array([62.9, 94.8, 91.9]) * 0.002 / 250
    shares = [0.015, 0.015, wide[0], 0.064 + small[0] * 8e-6, wide[1], 0.104 + small[1] * 8e-6, wide[2]]
    yield chi_square("lines and continuum, photons per energy", counts, shares)
    yield within(
        "lines and continuum, photons per decay", spectrum.photons_per_decay, 0.2, unit="1/decay",
        source="sum of the intensities", tolerance_rel=1e-12,
    )  # fmt: skip


def activity(count: int) -> Iterator[Row]:
    """Centroid and second moments of a map; shares of voxels; isotropy."""
    rng = np.random.default_rng(5)
    shape = (7, 9, 11)
    weights = rng.uniform(0, 1, shape).astype(np.float32) * (rng.uniform(size=shape) < 0.4)
    weights[0] = 0
    grid = Grid.centred(shape, (2.0, 3.0, 5.0))
    born = births(ActivitySource(grid=grid, activity=weights, spectrum=LINE), count)
    index = np.floor((born.place_mm - grid.lower_mm) / grid.spacing_mm).astype(int)
    counts = np.zeros(shape)
    np.add.at(counts, tuple(index[:, ::-1].T), 1)
    yield chi_square("activity map, photons per voxel", counts, weights)
    share = weights.astype(float) / weights.sum(dtype=float)
    for axis, name in enumerate("xyz"):
        at = grid.axis_mm(axis)
        marginal = share.sum(axis=tuple({0, 1, 2} - {2 - axis}))
        centre = float(marginal @ at)
        spread = float(marginal @ (at - centre) ** 2) + grid.spacing_mm[axis] ** 2 / 12
        values = born.place_mm[:, axis]
        yield mean_row(f"activity map, centroid {name}", values, centre, "mm")
        yield mean_row(f"activity map, second moment {name}", (values - centre) ** 2, spread, "mm2")
    cells = np.histogram2d(
        born.direction[:, 2], np.arctan2(born.direction[:, 1], born.direction[:, 0]),
        [np.linspace(-1, 1, 11), np.linspace(-math.pi, math.pi, 13)],
    )[0]  # fmt: skip
    yield chi_square("activity map, directions", cells, np.ones(cells.shape))


def surfaces(count: int) -> Iterator[Row]:
    """Disc to disc by the view factor; half-space laws; areas; voxel faces."""
    disc = Disc(centre_mm=(10, 0, -5), normal=DIRECTION, radius_mm=40)
    axis = np.asarray(DIRECTION) / math.sqrt(14)
    for law, power in ((EmissionLaw.COSINE, 2), (EmissionLaw.ISOTROPIC, 1)):
        born = births(SurfaceSource(surface=disc, spectrum=LINE, law=law), count)
        counts = np.histogram(born.direction @ axis, np.linspace(0, 1, 11))[0]
        yield chi_square(f"disc, {law} law", counts, np.diff(np.linspace(0, 1, 11) ** power))
        if law is EmissionLaw.COSINE:
            yield _view_factor(born, disc, axis)
    away = np.linalg.norm(born.place_mm - disc.centre_mm, axis=1)
    shares = np.diff(np.linspace(0, 40, 9) ** 2)
    yield chi_square("disc, photons per area", np.histogram(away, np.linspace(0, 40, 9))[0], shares)
    capsule = Capsule(key="c", material=WATER, start_mm=(0, 0, 0), end_mm=(20, 30, 60), radius_mm=15)
    rod = Cylinder(
        key="r", material=WATER, centre_mm=(0, 0, 0), radius_mm=15, length_mm=70, direction=DIRECTION
    )
    areas: tuple[tuple[str, Surface, float], ...] = (
        ("disc", disc, math.pi * 1600),
        ("rectangle", Rectangle(centre_mm=(0, 0, 0), normal=(1, 1, 0), up=UP, half_widths_mm=(3, 5)), 60),
        ("sphere", Sphere(key="s", material=WATER, centre_mm=(0, 0, 0), radius_mm=7), 196 * math.pi),
        ("cylinder", rod, 2 * math.pi * (15 * 70 + 225)),
        ("capsule", capsule, 2 * math.pi * 15 * 70 + 4 * math.pi * 225),
    )
    for name, surface, area in areas:
        ours = float(patches(surface).area_mm2.sum())
        yield within(f"area, {name}", ours, area, unit="mm2", source=CLOSED, tolerance_rel=1e-12)
    inside = np.zeros((5, 6, 7), dtype=bool)
    inside[1:4, 2:, 3:6] = True
    skin = VoxelSurface(grid=Grid.centred((5, 6, 7), (1.0, 2.0, 3.0)), inside=inside)
    faces = float(patches(skin).area_mm2.sum())
    yield within("area, block of voxels", faces, 2 * (3 * 8 + 3 * 9 + 8 * 9), unit="mm2", source=CLOSED,
                 tolerance_rel=1e-12)  # fmt: skip


def _view_factor(born: Births, disc: Disc, axis: ArrayF8) -> Row:
    """Howell, A Catalog of Radiation Heat Transfer Configuration Factors, C-41: coaxial parallel discs."""
    gap, radius = 50.0, 60.0
    delta = born.place_mm - disc.centre_mm
    step = gap / (born.direction @ axis)
    landed = delta + step[:, None] * born.direction - gap * axis
    hit = (np.linalg.norm(landed, axis=1) < radius).astype(float)
    r1, r2 = disc.radius_mm / gap, radius / gap
    x = 1 + (1 + r2**2) / r1**2
    factor = 0.5 * (x - math.sqrt(x**2 - 4 * (r2 / r1) ** 2))
    return mean_row("disc, cosine law, share that meets a coaxial disc", hit, factor, "1")


def _deposit_kev_cm2_g() -> float:
    """Return the expected deposit of a 60 keV photon per g/cm2 of water crossed."""
    table = build_photon_table([WATER], 100.0)
    return 60.0 * float(np.interp(math.log(60.0), np.log(table.energy_kev), table.rows[0, :, 1]))


def _energies(
    source: Source, shapes: tuple[Shape, ...], histories: int, seed: int
) -> tuple[ArrayF8, ArrayF8]:
    """Return keV per photon and standard errors of shapes in vacuum, with about one score per cm."""
    tally = simulate(
        Scene(shapes=shapes, world=VACUUM), source, histories=histories, seed=seed, backend="cpu",
        sampling_per_cm={shape.key: 1.0 for shape in shapes},
    )  # fmt: skip
    return tally.energy_kev, tally.std_kev


def distances(count: int) -> Iterator[Row]:
    """An isotropic point in vacuum: the mean of 1/r^2 over two balls."""
    radius, where = 30.0, (60.0, 150.0)
    balls = tuple(
        Sphere(key=f"{d:g}", material=THIN, centre_mm=(d * x, d * y, d * z), radius_mm=radius)
        for d, (x, y, z) in zip(where, ((0, 0.6, 0.8), (0, -0.8, 0.6)), strict=True)
    )
    source = IsotropicSource(centre_mm=(0, 0, 0), spectrum=LINE)
    energy, std = _energies(source, balls, count, 11)
    deposit = _deposit_kev_cm2_g() * THIN.density_g_cm3
    for k, d in enumerate(where):
        fluence_cm = (radius - (d**2 - radius**2) / (2 * d) * math.log((d + radius) / (d - radius))) / 20
        name = f"isotropic point, energy in a ball {d:g} mm away, 1/r2"
        yield known_row(name, float(energy[k]), float(std[k]), deposit * fluence_cm, "keV/photon")


def thin_shapes(count: int) -> Iterator[Row]:
    """Energy of a parallel beam in a thin shape: deposit x density x volume / area of the beam.

    And of a cosine-law field that enters through the whole surface: the mean chord 4 V / S (Cauchy).
    """
    shapes: dict[str, tuple[Shape, ...]] = {
        "box": (Box(key="s", material=THIN, lower_mm=(-20, -30, -10), upper_mm=(25, 10, 40)),),
        "sphere": (Sphere(key="s", material=THIN, centre_mm=(5, 0, 3), radius_mm=40),),
        "cylinder along y": (
            Cylinder(key="s", material=THIN, centre_mm=(1, 2, 3), radius_mm=20, length_mm=70, axis=1),
        ),
        "oblique cylinder": (
            Cylinder(
                key="s", material=THIN, centre_mm=(1, 2, 3), radius_mm=20, length_mm=70, direction=DIRECTION
            ),
        ),
        "capsule": (
            Capsule(key="s", material=THIN, start_mm=(-20, -10, 0), end_mm=(15, 25, 50), radius_mm=15),
        ),
        "hollow capsule": (
            Capsule(key="s", material=THIN, start_mm=(-20, -10, 0), end_mm=(15, 25, 50), radius_mm=15),
            Capsule(key="hole", material=VACUUM, start_mm=(-20, -10, 0), end_mm=(15, 25, 50), radius_mm=12),
        ),
    }
    deposit = _deposit_kev_cm2_g() * THIN.density_g_cm3
    half = 50.0
    for seed, (name, made) in enumerate(shapes.items()):
        volume = visible_volumes_cm3(made)[0]
        energy, std = _energies(_pencil(half), made, count, 20 + seed)
        expected = deposit * volume / (half / 5) ** 2
        yield known_row(
            f"{name}, thin, in a parallel beam: mu rho V / A",
            float(energy[0]), float(std[0]), expected, "keV/photon",
        )  # fmt: skip
        if len(made) == 1:
            field = SurfaceSource(surface=made[0], spectrum=LINE, side=Side.IN)
            energy, std = _energies(field, made, count // 4, 40 + seed)
            area_cm2 = float(patches(made[0]).area_mm2.sum()) / 100
            yield known_row(
                f"{name}, thin, cosine field through its surface: 4 V / S",
                float(energy[0]), float(std[0]), deposit * 4 * volume / area_cm2, "keV/photon",
            )  # fmt: skip


def volumes() -> Iterator[Row]:
    """What later shapes leave of earlier ones."""
    rod = Cylinder(
        key="a", material=WATER, centre_mm=(0, 0, 0), radius_mm=20, length_mm=80, direction=DIRECTION
    )
    core = Capsule(key="b", material=WATER, start_mm=(-4, -8, -12), end_mm=(4, 8, 12), radius_mm=15)
    left = visible_volumes_cm3((rod, core))
    expected = math.pi * 4 * 8 - shape_volume_cm3(core)
    yield within("capsule in an oblique cylinder, what is left", left[0], expected, unit="cm3",
                 source=CLOSED, tolerance_rel=1e-9)  # fmt: skip
    half = Sphere(key="c", material=WATER, centre_mm=(0, 0, 0), radius_mm=20)
    other = Sphere(key="d", material=WATER, centre_mm=(20, 0, 0), radius_mm=20)
    lens = math.pi * (4 * 2 + 2) * (2 * 2 - 2) ** 2 / 12
    whole = shape_volume_cm3(half)
    yield within("two balls that overlap, what is left", visible_volumes_cm3((half, other))[0],
                 whole - lens, unit="cm3", source="closed form (lens of two balls)",
                 tolerance_rel=2e-3)  # fmt: skip


def pairs(count: int) -> Iterator[Row]:
    """Positrons between two slabs of lead: every history is looked at by itself."""
    slabs = tuple(
        Box(key=k, material=material("lead"), lower_mm=(-400, -400, z), upper_mm=(400, 400, z + 100))
        for k, z in (("up", 50.0), ("down", -150.0))
    )
    source = IsotropicSource(centre_mm=(0, 0, 0), spectrum=Positrons(), radius_mm=2.0)
    runner = LocalRunner(compile_problem(Scene(shapes=slabs, world=VACUUM), source, seed=3), threads=1)
    sums = runner.run(0, count, 1)
    emitted = sums.balance[:, 0]
    yield within("positrons, photon energy of a history, least", float(emitted.min()), 2 * ANNIHILATION_KEV,
                 unit="keV", source="2 m c2", tolerance_rel=1e-6)  # fmt: skip
    yield within("positrons, photon energy of a history, largest", float(emitted.max()),
                 2 * ANNIHILATION_KEV, unit="keV", source="2 m c2", tolerance_rel=1e-6)  # fmt: skip
    met = sums.primaries_kev > 0
    share = float((met[:, 0] & met[:, 1]).sum() / max((met[:, 0] | met[:, 1]).sum(), 1))
    yield within("positrons, both slabs met by unscattered photons, of histories that meet one", share, 1.0,
                 unit="1", source="back to back", bounds=(0.995, 1.0))  # fmt: skip
    balance = sums.balance.mean(axis=0)
    yield within("positrons, deposited + escaped", float(balance[1] + balance[2]), float(balance[0]),
                 unit="keV/history", source="emitted", tolerance_rel=1e-6)  # fmt: skip


def _pencil(half_mm: float) -> ParallelSource:
    return ParallelSource(
        centre_mm=(0, 0, -100), direction=(0, 0, 1), up=UP, half_widths_mm=(half_mm, half_mm), spectrum=LINE
    )
