"""The physics and the tracking of the plain engine: a photon from birth to its last deposit.

One function per subject, straight from the formulas; see :mod:`omnidose.transport.plain_engine`. Lengths in
cm, energies in keV, directions as unit vectors.
"""

# mypy: disable-error-code="no-any-return"
# (an element of an array is Any to mypy)

from __future__ import annotations

# ruff: noqa: NPY002 - inside numba the legacy calls are the generator of the thread
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

F8 = npt.NDArray[np.float64]
I8 = npt.NDArray[np.int64]
Direction = tuple[float, float, float]
Photon = tuple[float, float, float, float, float, float, float]

CUTOFF_KEV = 1.0
MEC2_KEV = 510.99895
HC_KEV_ANGSTROM = 12.398419843

#: Nothing here allocates: numba's counting of references to arrays, which took 60 % of the time, is off.
jit: Callable[..., Any] = numba.njit(cache=True, _nrt=False)


class Physics(NamedTuple):
    """The photon table in double precision; see ``PhotonTable`` for what the columns mean."""

    ln_e0: float
    per_ln_e: float
    total: F8
    photoelectric: F8
    incoherent: F8
    coherent: F8
    majorant: F8
    ln_x0: float
    per_ln_x: float
    s: F8
    x2: F8
    rayleigh: F8
    vacancy_first: I8
    vacancy: F8
    vacancy_set: I8
    line_kev: F8
    line: F8
    line_next: I8


class Geometry(NamedTuple):
    """Where what is (cm); region 0 collects what nobody asked for."""

    lower: F8
    upper: F8
    grid_lower: F8
    spacing: F8
    n_xyz: I8
    material: npt.NDArray[np.uint8]
    density: npt.NDArray[np.float32]
    region: npt.NDArray[np.uint8]
    shape_kind: I8  # 0 box, 1 cylinder, 2 capsule; a sphere is a capsule of no length
    shape_size: F8  # box: corners; others: centre, unit vector of the axis, half length, radius
    shape_material: I8
    shape_density: F8
    shape_region: I8
    world_material: int
    world_density: float


class Beam(NamedTuple):
    """A source (cm): ``kind`` 0 pyramid, 1 parallel, 2 isotropic, 3 rotating."""

    kind: int
    axes: F8  # three axes and a place
    limits: F8
    focus: float
    segments: F8
    segment_cdf: F8
    transmission: F8
    energy: F8
    width: float
    energy_cdf: F8


@jit
def look_up(table: F8, row: int, t: float) -> float:
    """Linear interpolation in one row of a table at the fractional index t."""
    i = min(max(int(t), 0), table.shape[1] - 2)
    f = min(max(t - i, 0.0), 1.0)
    return (1.0 - f) * table[row, i] + f * table[row, i + 1]


@jit
def isotropic() -> Direction:
    """Any direction."""
    w = 2.0 * np.random.random() - 1.0
    phi = 2.0 * math.pi * np.random.random()
    sine = math.sqrt(1.0 - w * w)
    return sine * math.cos(phi), sine * math.sin(phi), w


@jit
def turn(u: float, v: float, w: float, cosine: float) -> Direction:
    """Scatter a direction by a polar cosine and a random azimuth."""
    phi = 2.0 * math.pi * np.random.random()
    sine = math.sqrt(max(0.0, 1.0 - cosine * cosine))
    a, b = sine * math.cos(phi), sine * math.sin(phi)
    rho = math.sqrt(u * u + v * v)
    if rho < 1e-8:
        return a, b, cosine * w
    u, v, w = (
        u * cosine + (u * w * a - v * b) / rho,
        v * cosine + (v * w * a + u * b) / rho,
        w * cosine - rho * a,
    )
    norm = math.sqrt(u * u + v * v + w * w)
    return u / norm, v / norm, w / norm


@jit
def compton_cosine(phys: Physics, m: int, energy: float) -> float:
    """Klein-Nishina times S(x)/S_max, by rejection from an isotropic direction; S as x^2 below its table."""
    while True:
        cosine = 2.0 * np.random.random() - 1.0
        ratio = 1.0 / (1.0 + energy / MEC2_KEV * (1.0 - cosine))
        chance = 0.5 * ratio**2 * (ratio + 1.0 / ratio - (1.0 - cosine**2))
        x = energy / HC_KEV_ANGSTROM * math.sqrt(0.5 * (1.0 - cosine))
        t = (math.log(max(x, 1e-30)) - phys.ln_x0) * phys.per_ln_x
        chance *= look_up(phys.s, m, t) * (math.exp(2.0 * t / phys.per_ln_x) if t < 0.0 else 1.0)
        if np.random.random() < chance:
            return cosine


@jit
def rayleigh_cosine(energy: float, x2: F8, cumulative: F8) -> float:
    """F^2(x) times Thomson: x^2 from the cumulative form factor up to 180 degrees, then rejection."""
    x2_max = (energy / HC_KEV_ANGSTROM) ** 2
    i = min(int(np.searchsorted(x2, x2_max)), x2.size - 1) - 1
    top = cumulative[i] + (x2_max - x2[i]) / (x2[i + 1] - x2[i]) * (cumulative[i + 1] - cumulative[i])
    while True:
        wanted = top * np.random.random()
        i = int(np.searchsorted(cumulative, wanted, side="right")) - 1
        f = (wanted - cumulative[i]) / (cumulative[i + 1] - cumulative[i])
        cosine = 1.0 - 2.0 * (x2[i] + f * (x2[i + 1] - x2[i])) / x2_max
        if np.random.random() < 0.5 * (1.0 + cosine**2):
            return cosine


@jit
def fluorescence(phys: Physics, m: int, t: float, energy: float) -> tuple[float, float]:
    """Energies of the up to two photons after a photoelectric event, 0 for none."""
    r = np.random.random()
    for k in range(phys.vacancy_first[m], phys.vacancy_first[m + 1]):
        if r < look_up(phys.vacancy, k, t):
            lines = phys.vacancy_set[k]
            first = np.searchsorted(phys.line[lines], np.random.random(), side="right")
            if first == phys.line.shape[1]:
                return 0.0, 0.0
            kev = phys.line_kev[lines, first]
            kev2 = 0.0
            lines = phys.line_next[lines, first]
            if lines >= 0:
                second = np.searchsorted(phys.line[lines], np.random.random(), side="right")
                if second < phys.line.shape[1]:
                    kev2 = phys.line_kev[lines, second]
            return (kev, kev2) if kev + kev2 <= energy else (0.0, 0.0)  # only in the step that holds an edge
    return 0.0, 0.0


@jit
def mix(a: float, p: Direction, b: float, q: Direction) -> Direction:
    """The vector a p + b q."""
    return a * p[0] + b * q[0], a * p[1] + b * q[1], a * p[2] + b * q[2]


@jit
def row_of(rows: F8, k: int) -> Direction:
    """One row of three as a vector."""
    return rows[k, 0], rows[k, 1], rows[k, 2]


@jit
def born(beam: Beam) -> Photon:
    """Position, direction and energy of a new photon."""
    place = row_of(beam.axes, 3)
    row = 0
    if beam.kind == 2:
        way = isotropic()
        place = mix(1.0, place, beam.limits[0] * np.random.random() ** (1.0 / 3.0), isotropic())
    else:
        across, up, way = row_of(beam.axes, 0), row_of(beam.axes, 1), row_of(beam.axes, 2)
        if beam.kind == 3:  # across, up: to the focus at 0 and at 90 degrees; way: the axis of rotation
            k = np.searchsorted(beam.segment_cdf, np.random.random(), side="right")
            part = np.random.random()
            angle = beam.segments[k, 0] + part * (beam.segments[k, 1] - beam.segments[k, 0])
            place = mix(
                1.0, place, beam.segments[k, 2] + part * (beam.segments[k, 3] - beam.segments[k, 2]), way
            )
            out = mix(math.cos(angle), across, math.sin(angle), up)
            place = mix(1.0, place, beam.focus, out)
            across, up, way = (
                mix(-math.sin(angle), across, math.cos(angle), up),
                way,
                mix(-1.0, out, 0.0, out),
            )
        while True:
            f, g = np.random.random(), np.random.random()
            s = beam.limits[0] + f * (beam.limits[1] - beam.limits[0])
            t = beam.limits[2] + g * (beam.limits[3] - beam.limits[2])
            if beam.kind == 1:
                place = mix(1.0, place, 1.0, mix(s, across, t, up))
                break
            length = math.sqrt(1.0 + s * s + t * t)  # uniform in solid angle, not on the plane
            if np.random.random() < transmission(beam.transmission, f, g) / length**3:
                way = mix(1.0 / length, way, 1.0 / length, mix(s, across, t, up))
                row = int(f * beam.energy_cdf.shape[0])
                break
    k = np.searchsorted(beam.energy_cdf[row], np.random.random(), side="right")
    energy = beam.energy[k] + beam.width * (np.random.random() - 0.5)
    return place[0], place[1], place[2], way[0], way[1], way[2], energy


@jit
def transmission(table: F8, f: float, g: float) -> float:
    """Bilinear between the bin centres of a table over the aperture; f and g in 0 to 1."""
    p = min(max(f * table.shape[0] - 0.5, 0.0), table.shape[0] - 1.0)
    q = min(max(g * table.shape[1] - 0.5, 0.0), table.shape[1] - 1.0)
    i, j = int(p), int(q)
    i2, j2 = min(i + 1, table.shape[0] - 1), min(j + 1, table.shape[1] - 1)
    low = (1.0 - (p - i)) * table[i, j] + (p - i) * table[i2, j]
    high = (1.0 - (p - i)) * table[i, j2] + (p - i) * table[i2, j2]
    return (1.0 - (q - j)) * low + (q - j) * high


@jit
def inside(kind: int, size: F8, x: float, y: float, z: float) -> bool:
    """Is a point in a shape?"""
    if kind == 0:
        return size[0] <= x <= size[3] and size[1] <= y <= size[4] and size[2] <= z <= size[5]
    dx, dy, dz = x - size[0], y - size[1], z - size[2]
    along = dx * size[3] + dy * size[4] + dz * size[5]
    beyond = max(abs(along) - size[6], 0.0)
    if kind == 1 and beyond > 0.0:
        return False
    return dx * dx + dy * dy + dz * dz - along**2 + beyond**2 <= size[7] ** 2


@jit
def look_around(geo: Geometry, x: float, y: float, z: float) -> tuple[int, float, int]:
    """Material, density, region at a point: of the last shape that holds it, its voxel, or the world."""
    for k in range(geo.shape_kind.size - 1, -1, -1):
        if inside(geo.shape_kind[k], geo.shape_size[k], x, y, z):
            return geo.shape_material[k], geo.shape_density[k], geo.shape_region[k]
    i = math.floor((x - geo.grid_lower[0]) / geo.spacing[0])
    j = math.floor((y - geo.grid_lower[1]) / geo.spacing[1])
    k = math.floor((z - geo.grid_lower[2]) / geo.spacing[2])
    if 0 <= i < geo.n_xyz[0] and 0 <= j < geo.n_xyz[1] and 0 <= k < geo.n_xyz[2]:
        n = (k * geo.n_xyz[1] + j) * geo.n_xyz[0] + i
        return int(geo.material[n]), float(geo.density[n]), int(geo.region[n])
    return geo.world_material, geo.world_density, 0


@jit
def push(waiting: F8, n: int, x: float, y: float, z: float, u: float, v: float, w: float, kev: float) -> None:
    """Keep a secondary photon for later."""
    waiting[n, 0], waiting[n, 1], waiting[n, 2] = x, y, z
    waiting[n, 3], waiting[n, 4], waiting[n, 5], waiting[n, 6] = u, v, w, kev


@jit
def pull(waiting: F8, n: int) -> Photon:
    """Fetch a photon that was kept."""
    p = waiting[n]
    return p[0], p[1], p[2], p[3], p[4], p[5], p[6]


@jit
def run_batch(
    histories: int, seed: int, beam: Beam, geo: Geometry, phys: Physics, waiting: F8, kept: F8
) -> tuple[float, float]:
    """Add the energy kept to ``kept`` [1 + n_region] and return (emitted, escaped) in keV.

    ``waiting`` [n, 7] is room for secondary photons.
    """
    np.random.seed(seed)
    emitted = escaped = 0.0
    for _ in range(histories):
        x, y, z, u, v, w, energy = born(beam)
        emitted += energy
        n_waiting = 0
        while True:
            while energy > 0.0:
                t = (math.log(energy) - phys.ln_e0) * phys.per_ln_e
                majorant = look_up(phys.majorant, 0, t)
                step = -math.log(1.0 - np.random.random()) / majorant
                x, y, z = x + step * u, y + step * v, z + step * w
                if not (
                    geo.lower[0] <= x <= geo.upper[0]
                    and geo.lower[1] <= y <= geo.upper[1]
                    and geo.lower[2] <= z <= geo.upper[2]
                ):
                    escaped += energy
                    break
                m, density, region = look_around(geo, x, y, z)
                if np.random.random() * majorant >= density * look_up(phys.total, m, t):
                    continue  # a virtual collision
                r = np.random.random()
                if r < look_up(phys.photoelectric, m, t):
                    for line in fluorescence(phys, m, t, energy):
                        if line > 0.0:
                            a, b, c = isotropic()
                            push(waiting, n_waiting, x, y, z, a, b, c, line)
                            n_waiting += 1
                        energy -= line
                    kept[region] += energy
                    energy = 0.0
                elif r < look_up(phys.incoherent, m, t):
                    cosine = compton_cosine(phys, m, energy)
                    after = energy / (1.0 + energy / MEC2_KEV * (1.0 - cosine))
                    u, v, w = turn(u, v, w, cosine)
                    after = after if after >= CUTOFF_KEV else 0.0
                    kept[region] += energy - after
                    energy = after
                elif r < look_up(phys.coherent, m, t) or energy <= 2.0 * MEC2_KEV:
                    u, v, w = turn(u, v, w, rayleigh_cosine(energy, phys.x2, phys.rayleigh[m]))
                else:
                    kept[region] += energy - 2.0 * MEC2_KEV
                    u, v, w = isotropic()
                    push(waiting, n_waiting, x, y, z, -u, -v, -w, MEC2_KEV)
                    n_waiting += 1
                    energy = MEC2_KEV
            if n_waiting == 0:
                break
            n_waiting -= 1
            x, y, z, u, v, w, energy = pull(waiting, n_waiting)
    return emitted, escaped
