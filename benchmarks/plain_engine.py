"""The plainest photon Monte Carlo that is right: an anchor for speed and a check of the real engine.

A box of one material in air, a point source collimated to a pyramid. Double precision, analog deposits, delta
tracking with one majorant for the whole world, rejection sampling straight from the formulas. It shares with
:mod:`omnidose.transport` the photon table and nothing else: no random numbers, tracking, sampling or scoring.
Photoelectric events deposit everything (no fluorescence): for water and soft tissue only.
"""

from __future__ import annotations

# ruff: noqa: NPY002 - inside numba the legacy calls are the fast generator of the thread
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from omnidose.physics.materials import Material
from omnidose.physics.spectra import Spectrum
from omnidose.physics.transport_tables import build_photon_table
from omnidose.transport.scene import AIR

F8 = npt.NDArray[np.float64]
BATCHES = 40
CUTOFF_KEV = 1.0
MARGIN_CM = 1.0
MEC2_KEV = 510.99895
HC_KEV_ANGSTROM = 12.398419843

jit: Callable[..., Any] = numba.njit(cache=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainBox:
    """A box (cm) of one material in air, seen from a point source at the origin that fires along +z.

    Attributes
    ----------
    slopes
        (x_lower, x_upper, y_lower, y_upper): the pyramid's limits of dx/dz and dy/dz.
    """

    material: Material
    lower_cm: tuple[float, float, float]
    upper_cm: tuple[float, float, float]
    slopes: tuple[float, float, float, float]
    spectrum: Spectrum


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainResult:
    """Energy kept in the box per photon, its standard error, and the CPU time without compilation."""

    energy_kev: float
    std_kev: float
    histories: int
    cpu_s: float


@jit
def look_up(values: F8, t: float) -> float:
    """Linear interpolation at the fractional index t."""
    i = min(max(int(t), 0), values.size - 2)
    f = min(max(t - i, 0.0), 1.0)
    return (1.0 - f) * values[i] + f * values[i + 1]


@jit
def scattering_function(s_table: F8, ln_x0: float, per_ln_x: float, x: float) -> float:
    """S(x)/S_max; as x^2 below the table."""
    if x <= 0.0:
        return 0.0
    t = (math.log(x) - ln_x0) * per_ln_x
    return s_table[0] * math.exp(2.0 * t / per_ln_x) if t < 0.0 else look_up(s_table, t)


@jit
def compton_cosine(energy: float, s_table: F8, ln_x0: float, per_ln_x: float) -> float:
    """Klein-Nishina times S(x), by rejection from an isotropic direction."""
    while True:
        cosine = 2.0 * np.random.random() - 1.0
        ratio = 1.0 / (1.0 + energy / MEC2_KEV * (1.0 - cosine))
        klein_nishina = 0.5 * ratio**2 * (ratio + 1.0 / ratio - (1.0 - cosine**2))
        x = energy / HC_KEV_ANGSTROM * math.sqrt(0.5 * (1.0 - cosine))
        if np.random.random() < klein_nishina * scattering_function(s_table, ln_x0, per_ln_x, x):
            return cosine


@jit
def rayleigh_cosine(energy: float, x2: F8, cumulative: F8) -> float:
    """F^2(x) times Thomson: x^2 from the cumulative form factor up to 180 degrees, then rejection."""
    x2_max = (energy / HC_KEV_ANGSTROM) ** 2
    top = np.interp(x2_max, x2, cumulative)
    while True:
        cosine = 1.0 - 2.0 * np.interp(np.random.random() * top, cumulative, x2) / x2_max
        if np.random.random() < 0.5 * (1.0 + cosine**2):
            return cosine


@jit
def turn(u: F8, cosine: float) -> F8:
    """Scatter a direction by a polar cosine and a random azimuth."""
    phi = 2.0 * math.pi * np.random.random()
    helper = np.array([1.0, 0.0, 0.0]) if abs(u[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    e1 = np.cross(u, helper)
    e1 /= np.linalg.norm(e1)
    e2 = np.cross(u, e1)
    sine = math.sqrt(max(0.0, 1.0 - cosine**2))
    v = cosine * u + sine * (math.cos(phi) * e1 + math.sin(phi) * e2)
    return v / np.linalg.norm(v)


@jit
def pyramid(slopes: F8) -> F8:
    """A direction uniform in solid angle inside the pyramid, by rejection on the plane z = 1."""
    while True:
        x = slopes[0] + (slopes[1] - slopes[0]) * np.random.random()
        y = slopes[2] + (slopes[3] - slopes[2]) * np.random.random()
        n2 = 1.0 + x * x + y * y
        if np.random.random() < n2**-1.5:
            return np.array([x, y, 1.0]) / math.sqrt(n2)


@jit
def run_batch(
    histories: int,
    seed: int,
    lower: F8,
    upper: F8,
    slopes: F8,
    density: F8,
    energies: F8,
    width: float,
    cdf: F8,
    grid: F8,
    rows: F8,
    compton_grid: F8,
    compton_s: F8,
    x2: F8,
    rayleigh: F8,
) -> float:
    """Return the mean energy kept in the box; material 0 is the box, 1 the air."""
    np.random.seed(seed)
    world_lower = np.minimum(lower, 0.0) - MARGIN_CM
    world_upper = np.maximum(upper, 0.0) + MARGIN_CM
    kept = 0.0
    for _ in range(histories):
        place = np.zeros(3)
        u = pyramid(slopes)
        k = np.searchsorted(cdf, np.random.random())
        energy = energies[k] + width * (np.random.random() - 0.5)
        while energy >= CUTOFF_KEV:
            t = (math.log(energy) - grid[0]) * grid[1]
            majorant = density[0] * look_up(rows[0, :, 0], t)  # air is thinner at every energy
            place = place - math.log(np.random.random()) / majorant * u
            if np.any(place < world_lower) or np.any(place > world_upper):
                break
            m = 0 if np.all(place >= lower) and np.all(place <= upper) else 1
            if np.random.random() * majorant >= density[m] * look_up(rows[m, :, 0], t):
                continue
            r = np.random.random()
            if r < look_up(rows[m, :, 2], t):
                after = 0.0
            elif r < look_up(rows[m, :, 3], t):
                cosine = compton_cosine(energy, compton_s[m], compton_grid[0], compton_grid[1])
                after = energy / (1.0 + energy / MEC2_KEV * (1.0 - cosine))
                u = turn(u, cosine)
            else:
                after = energy
                u = turn(u, rayleigh_cosine(energy, x2, rayleigh[m]))
            after = after if after >= CUTOFF_KEV else 0.0
            if m == 0:
                kept += energy - after
            energy = after
    return kept / histories


def run(box: PlainBox, histories: int, *, seed: int = 1) -> PlainResult:
    """Run BATCHES batches of ``histories / BATCHES`` photons on one thread."""
    max_kev = box.spectrum.max_kev
    if max_kev >= 2 * MEC2_KEV:
        raise ValueError("the plain engine knows no pair production: photons below 1022 keV only")
    table = build_photon_table([box.material, AIR], 1.001 * max_kev, CUTOFF_KEV)
    arguments = (
        np.array(box.lower_cm),
        np.array(box.upper_cm),
        np.array(box.slopes),
        np.array([box.material.density_g_cm3, AIR.density_g_cm3]),
        box.spectrum.energy_kev,
        box.spectrum.bin_width_kev,
        np.cumsum(box.spectrum.weight) * (1 - 1e-15),
        np.array([table.ln_energy_0, table.inv_d_ln_energy]),
        table.rows.astype(np.float64),
        np.array([table.compton_ln_x_0, table.compton_inv_d_ln_x]),
        table.compton_s.astype(np.float64),
        table.rayleigh_x2.astype(np.float64),
        table.rayleigh_cumulative.astype(np.float64),
    )
    run_batch(1, 0, *arguments)  # compile
    each = math.ceil(histories / BATCHES)
    start = time.process_time()
    means = np.array([run_batch(each, seed * BATCHES + b, *arguments) for b in range(BATCHES)])
    return PlainResult(
        energy_kev=float(means.mean()),
        std_kev=float(means.std(ddof=1) / math.sqrt(BATCHES)),
        histories=each * BATCHES,
        cpu_s=time.process_time() - start,
    )
