"""What the engine's kernels draw, against the densities of the tables: no transport, only sampling.

Angles of Compton scattering (Klein-Nishina x S(x)) and of coherent scattering (F^2(x) x Thomson) by
chi-square, the energy that a Compton electron gets, and the lines of iodine, tungsten and lead.

References
----------
W. Bambynek, in: X-84, Proc. X-Ray and Inner-Shell Processes in Atoms, Molecules and Solids, ed. A. Meisel
(Leipzig 1984): fit to measured yields of the K shell, as J. H. Hubbell et al. quote it in J. Phys. Chem. Ref.
Data 23 (1994) 339.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.physics.elements import emission_lines, shell_edges_kev, vacancy_probabilities
from omnidose.physics.material_library import material
from omnidose.physics.materials import Material
from omnidose.physics.photons import (
    ELECTRON_REST_KEV,
    HC_KEV_ANGSTROM,
    mean_compton_electron_kev,
    mixture_form_factor_squared,
    mixture_scattering_function,
)
from omnidose.transport._records import Physics
from omnidose.transport.physics_tables import compile_physics
from omnidose.validation import Context, Row, within

ArrayF8 = npt.NDArray[np.float64]

ENERGIES_KEV = (5.0, 20.0, 60.0, 150.0, 511.0, 2000.0)
MATERIALS = ("water", "cortical bone", "iodine", "lead")
#: A table that ends at the energy, as for a source of one line, and one that reaches further.
TABLE_ENDS_REL = (1.0, 1.3)
BINS = 64
SAMPLES = 1_000_000
#: Samples that show what chi-square of a million does not: interpolation between quantiles and energies. The
#: form factors themselves are known to some percent.
MANY_SAMPLES, LARGEST_RMS_REL = 10_000_000, 0.005
#: A cosine in single precision is a multiple of this near 1: bins end between two of them.
COSINE_STEP = 2.0**-24
#: Bambynek's polynomial in Z for (yield / (1 - yield))^(1/4) of the K shell.
BAMBYNEK = (0.0370, 0.03112, 5.44e-5, -1.25e-6)
TABLES = "tables of omnidose.physics.photons"


@dataclass(frozen=True, slots=True, kw_only=True)
class Angles:
    """Counts in bins of 1 - cosine beside what the density says.

    Attributes
    ----------
    counts, expected
        [n] of the same sum.
    """

    energy_kev: float
    counts: ArrayF8
    expected: ArrayF8

    @property
    def chi2(self) -> float:
        """Pearson's chi-square; n - 1 degrees of freedom."""
        return float(np.sum((self.counts - self.expected) ** 2 / self.expected))

    @property
    def reduced(self) -> float:
        """Chi-square per degree of freedom."""
        return self.chi2 / (self.counts.size - 1)

    @property
    def rms_rel(self) -> float:
        """Root mean square deviation of the probabilities (weighted by them) beyond chance."""
        beyond = self.chi2 - (self.counts.size - 1)
        return math.sqrt(max(beyond, 0.0) / float(self.expected.sum()))


def published_k_yield(z: int) -> float:
    """Return the fluorescence yield of the K shell by Bambynek's fit to measurements."""
    fourth = float(sum(c * z**k for k, c in enumerate(BAMBYNEK))) ** 4
    return fourth / (1 + fourth)


def compton_density(of: Material, energy_kev: float, one_minus_cosine: ArrayF8) -> ArrayF8:
    """Klein-Nishina x S(x), not normalised."""
    s = one_minus_cosine
    ratio = 1 / (1 + energy_kev / ELECTRON_REST_KEV * s)
    x = energy_kev / HC_KEV_ANGSTROM * np.sqrt(0.5 * s)
    return np.asarray(ratio**2 * (ratio + 1 / ratio - s * (2 - s)) * mixture_scattering_function(of, x))


def rayleigh_density(of: Material, energy_kev: float, one_minus_cosine: ArrayF8) -> ArrayF8:
    """F^2(x) x Thomson, not normalised."""
    s = one_minus_cosine
    x = energy_kev / HC_KEV_ANGSTROM * np.sqrt(0.5 * s)
    return np.asarray((1 + (1 - s) ** 2) * mixture_form_factor_squared(of, x))


def bins_of(density: Callable[[ArrayF8], ArrayF8]) -> tuple[ArrayF8, ArrayF8]:
    """Return edges in 1 - cosine of about equal probability, and the probabilities of the bins.

    Integral over ln(1 - cosine) on 8000 nodes, from 1e-12 on (below, the density is flat).
    """
    s = np.concatenate([[0.0], np.geomspace(1e-12, 2.0, 8001)])
    values = density(s) * s
    steps = 0.5 * (values[2:] + values[1:-1]) * np.diff(np.log(s[1:]))
    cumulative = np.concatenate([[0.0, values[1]], values[1] + np.cumsum(steps)])
    cumulative /= cumulative[-1]
    inner = np.interp(np.arange(1, BINS) / BINS, cumulative, s)
    inner = (np.floor(inner / COSINE_STEP) + 0.5) * COSINE_STEP
    edges = np.unique(np.concatenate([[-COSINE_STEP], inner, [2 + COSINE_STEP]]))
    edges = edges[(edges < 2.0) | (edges > 2.0 + 0.9 * COSINE_STEP)]
    probability = np.diff(np.interp(edges, s, cumulative))
    return edges, np.asarray(probability)


def compton_angles(
    of: Material, energy_kev: float, samples: int, seed: int = 1, end_rel: float = 1.0
) -> tuple[Angles, float, float]:
    """Return the angles, and the electron's mean energy with its standard error (keV)."""
    from omnidose.transport.checks._kernel_samples import count_compton

    edges, probability = bins_of(lambda s: compton_density(of, energy_kev, s))
    counts, sums = np.zeros(probability.size, np.int64), np.zeros(2)
    count_compton(_physics(of, end_rel * energy_kev), 0, energy_kev, samples, seed, edges, counts, sums)
    mean = sums[0] / samples
    error = math.sqrt(max(sums[1] / samples - mean**2, 0.0) / samples)
    found = Angles(energy_kev=energy_kev, counts=counts.astype(np.float64), expected=samples * probability)
    return found, float(mean), error


def rayleigh_angles(
    of: Material, energy_kev: float, samples: int, seed: int = 1, end_rel: float = 1.0
) -> Angles:
    """Return the angles of coherent scattering."""
    from omnidose.transport.checks._kernel_samples import count_rayleigh

    edges, probability = bins_of(lambda s: rayleigh_density(of, energy_kev, s))
    counts = np.zeros(probability.size, np.int64)
    count_rayleigh(_physics(of, end_rel * energy_kev), 0, energy_kev, samples, seed, edges, counts)
    return Angles(energy_kev=energy_kev, counts=counts.astype(np.float64), expected=samples * probability)


def _physics(of: Material, energy_kev: float) -> Physics:
    return compile_physics([of], [], energy_kev, 1.0)


def _angle_rows(process: str, density: str, found: dict[str, list[Angles]]) -> Iterator[Row]:
    """One row per material, and the pooled one."""
    for name, angles in found.items():
        worst = max(angles, key=lambda a: a.reduced)
        freedom = worst.counts.size - 1
        listed = ", ".join(f"{a.energy_kev:g}: {a.reduced:.2f}" for a in angles)
        yield within(
            f"{process}, {name}: largest reduced chi-square of {len(angles)} cases",
            worst.reduced,
            1.0,
            unit="1",
            source=f"{density}, {TABLES}",
            bounds=(0.0, 1 + 4.5 * math.sqrt(2 / freedom)),
            note=f"{worst.counts.sum():.0f} samples, {worst.counts.size} bins; keV: chi-square (tables to "
            f"this energy, and to 1.3 times it) {listed}",
        )
    every = [a for angles in found.values() for a in angles]
    freedom = sum(a.counts.size - 1 for a in every)
    yield within(
        f"{process}: pooled reduced chi-square",
        sum(a.chi2 for a in every) / freedom,
        1.0,
        unit="1",
        source=f"{density}, {TABLES}",
        bounds=(1 - 4 * math.sqrt(2 / freedom), 1 + 4 * math.sqrt(2 / freedom)),
        note=f"{freedom} degrees of freedom",
    )


def check_angles(context: Context, samples: int) -> Iterator[Row]:
    """Both kinds of scattering, and the energy of Compton electrons."""
    compton: dict[str, list[Angles]] = {}
    rayleigh: dict[str, list[Angles]] = {}
    means: list[Row] = []
    for m, name in enumerate(MATERIALS):
        context.progress(f"angles in {name}")
        of = material(name)
        compton[name], rayleigh[name] = [], []
        worst, listed = (0.0, 0.0, 0.0, 0.0), []
        cases = [(energy_kev, end) for energy_kev in ENERGIES_KEV for end in TABLE_ENDS_REL]
        for k, (energy_kev, end) in enumerate(cases):
            seed = 100 * m + 2 * k + 1
            angles, mean, error = compton_angles(of, energy_kev, samples, seed, end)
            compton[name].append(angles)
            reference = float(mean_compton_electron_kev(of, energy_kev))
            deviation, error = mean / reference - 1, error / reference
            listed.append(f"{energy_kev:g}: {100 * deviation:+.3f}({100 * error:.3f})")
            reach = max(0.001, 4 * error)
            if abs(deviation) / reach >= abs(worst[0]) / (worst[1] or 1):
                worst = (deviation, reach, energy_kev, reference)
            rayleigh[name].append(rayleigh_angles(of, energy_kev, samples, seed + 1, end))
        deviation, reach, energy_kev, reference = worst
        means.append(
            within(
                f"energy of the Compton electron, {name}: worst of {len(cases)}, {energy_kev:g} keV",
                reference * (1 + deviation),
                reference,
                unit="keV",
                source="deposit table: Gauss-Legendre integral (mean_compton_electron_kev)",
                tolerance_rel=reach,
                note=f"0.1 % or 4 standard errors; keV: deviation (error) in % {', '.join(listed)}",
            )
        )
    yield from _angle_rows("Compton scattering", "Klein-Nishina x S(x)", compton)
    yield from _angle_rows("coherent scattering", "F^2(x) x Thomson", rayleigh)
    yield from means


def check_fluorescence(samples: int) -> Iterator[Row]:
    """Lines of three elements: frequencies against the tables, K yields against published ones."""
    from omnidose.transport.checks._kernel_samples import sample_lines

    for name, z in (("iodine", 53), ("tungsten", 74), ("lead", 82)):
        energy_kev = 1.2 * float(shell_edges_kev(z)[0])
        first, second = np.zeros(samples, np.float32), np.zeros(samples, np.float32)
        sample_lines(_physics(material(name), energy_kev), 0, energy_kev, 1, first, second)
        line_kev, probability, after = emission_lines(z)
        vacancy = vacancy_probabilities(z, energy_kev)[:, 0]
        counts, expected = [], []
        for shell in range(4):
            for k in np.flatnonzero(line_kev[shell] >= 1.0):
                counts.append(np.count_nonzero(first == np.float32(line_kev[shell, k])))
                expected.append(samples * vacancy[shell] * probability[shell, k])
        # lines of different shells may have one energy: count such lines together
        energies = np.float32(np.concatenate([line_kev[s][line_kev[s] >= 1.0] for s in range(4)]))
        same = np.unique(energies, return_inverse=True)[1]
        table = np.bincount(same, weights=expected)
        found = np.array([counts[int(np.flatnonzero(same == k)[0])] for k in range(table.size)], float)
        rare = table < 25
        found, table = found[~rare], table[~rare]
        none = samples - found.sum(), samples - table.sum()
        chi2 = float(np.sum((found - table) ** 2 / table)) + (none[0] - none[1]) ** 2 / none[1]
        yield within(
            f"{name}, {energy_kev:.1f} keV: reduced chi-square of {table.size} lines",
            chi2 / table.size,
            1.0,
            unit="1",
            source="emission_lines x vacancy_probabilities",
            bounds=(0.0, 1 + 4.5 * math.sqrt(2 / table.size)),
            note=f"{samples} photoelectric events",
        )
        alpha_lines = np.float32(line_kev[0][after[0] > 0])
        beta_lines = np.float32(line_kev[0][(after[0] <= 0) & (line_kev[0] > 0)])
        alpha = int(np.count_nonzero(np.isin(first, alpha_lines)))
        beta = int(np.count_nonzero(np.isin(first, beta_lines)))
        yields_k = (alpha + beta) / (samples * float(vacancy[0]))
        error = math.sqrt((alpha + beta) * (1 - (alpha + beta) / samples)) / (samples * float(vacancy[0]))
        yield within(
            f"{name}: fluorescence yield of the K shell as drawn",
            yields_k,
            published_k_yield(z),
            unit="1",
            source="Bambynek 1984 in Hubbell et al., J. Phys. Chem. Ref. Data 23 (1994) 339",
            tolerance_rel=0.005,
            note=f"own standard error {error:.4f}; table {float(probability[0].sum()):.4f}",
        )
        ratio = beta / alpha
        table_ratio = float(probability[0][after[0] <= 0].sum() / probability[0][after[0] > 0].sum())
        error = ratio * math.sqrt(1 / alpha + 1 / beta)
        yield within(
            f"{name}: K beta / K alpha as drawn",
            ratio,
            table_ratio,
            unit="1",
            source="emission_lines (xraylib)",
            bounds=(table_ratio - 4 * error, table_ratio + 4 * error),
            note=f"own standard error {error:.4f}",
        )
        following = np.isin(first, alpha_lines)
        mean = float(second[following].mean())
        table_mean, square = 0.0, 0.0
        for k in np.flatnonzero(after[0] > 0):
            share = probability[0, k] / probability[0][after[0] > 0].sum()
            soft = line_kev[after[0, k]] >= 1.0
            lines, chance = line_kev[after[0, k]][soft], probability[after[0, k]][soft]
            table_mean += share * float(lines @ chance)
            square += share * float(lines**2 @ chance)
        error = math.sqrt((square - table_mean**2) / alpha)
        yield within(
            f"{name}: mean energy of the L line after a K alpha line",
            mean,
            table_mean,
            unit="keV",
            source="emission_lines",
            bounds=(table_mean - 4 * error, table_mean + 4 * error),
            note=f"own standard error {error:.4f}",
        )


def check_interpolation(context: Context) -> Iterator[Row]:
    """How far the tables of quantiles are from the densities, from many samples."""
    seeds = itertools.count(1000)  # equal random numbers would fall into the same bins at every energy
    for name in MATERIALS:
        context.progress(f"many angles in {name}")
        of = material(name)
        for process in ("Compton", "coherent"):
            found: list[Angles] = []
            for energy_kev in ENERGIES_KEV:
                case = of, energy_kev, MANY_SAMPLES, next(seeds), TABLE_ENDS_REL[1]
                found.append(compton_angles(*case)[0] if process == "Compton" else rayleigh_angles(*case))
            worst = max(found, key=lambda a: a.rms_rel)
            listed = ", ".join(f"{a.energy_kev:g}: {100 * a.rms_rel:.2f}" for a in found)
            yield within(
                f"{process} scattering, {name}: rms deviation of {BINS} bins beyond chance",
                worst.rms_rel,
                0.0,
                unit="1",
                source=TABLES,
                bounds=(0.0, LARGEST_RMS_REL),
                note=f"{MANY_SAMPLES} samples; chance alone gives up to 0.0007; keV: % {listed}",
            )


def check(context: Context) -> Iterator[Row]:
    """All distributions."""
    yield from check_angles(context, SAMPLES)
    context.progress("fluorescence")
    yield from check_fluorescence(SAMPLES)
    if context.full:
        yield from check_interpolation(context)
