"""Scattering angles as tables: from the physics of Compton and Rayleigh scattering to quantiles.

Kernels draw an angle from these tables with one random number. Who wants other physics changes
:func:`compton_density` or :func:`rayleigh_weight`; both backends follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.physics.transport_tables import PhotonTable
from omnidose.transport.kernels._target import jit

F4 = npt.NDArray[np.float32]
F8 = npt.NDArray[np.float64]

MEC2_KEV = 510.99895
#: Fine energy steps (at most 0.25 %) for each step of the angle tables.
STRIDE = 16
#: Quantiles per energy, equidistant in the square root of the probability: the first has 1/N^2 of it.
N_QUANTILES = 256
#: Points of sin(theta/2) at which the Compton density is integrated.
N_COMPTON = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AngleTables:
    """Quantiles of ``t = 1 - cos(theta)`` at every STRIDE-th energy of a photon table.

    Attributes
    ----------
    compton
        float32 [n_material, n_coarse, N_QUANTILES + 1]: t below which lies the share
        ``(q / N_QUANTILES)^2``.
    rayleigh
        float32 [n_material, n_coarse, N_QUANTILES + 1]: t *above* which lies the share
        ``(q / N_QUANTILES)^2``; the tail of the form factor is long.
    """

    compton: F4
    rayleigh: F4


@jit
def compton_density(t, k, s):  # type: ignore[no-untyped-def]
    """Return the Compton cross section per unit of t = 1 - cos(theta), not normalised.

    Klein-Nishina for a photon of ``k`` electron masses, times the incoherent scattering function ``s`` at
    this momentum transfer.
    """
    ratio = 1.0 / (1.0 + k * t)  # E'/E
    return ratio * ratio * (ratio + 1.0 / ratio - t * (2.0 - t)) * s


@jit
def rayleigh_weight(t):  # type: ignore[no-untyped-def]
    """Return what multiplies F^2: the Thomson factor (1 + cos^2) / 2."""
    cosine = 1.0 - t
    return 0.5 * (1.0 + cosine * cosine)


@jit
def _quantiles(cumulative, t, upper, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` with t at shares (q/N)^2 of a running integral, from below or from above."""
    n = out.shape[0] - 1
    total = cumulative[-1]
    j = 0
    for step in range(n + 1):
        q = n - step if upper else step
        share = (q / n) ** 2
        wanted = (1.0 - share if upper else share) * total
        while j < t.shape[0] - 2 and cumulative[j + 1] < wanted:
            j += 1
        width = cumulative[j + 1] - cumulative[j]
        f = (wanted - cumulative[j]) / width if width > 0.0 else 0.0
        out[q] = t[j] + min(max(f, 0.0), 1.0) * (t[j + 1] - t[j])


@jit
def _compton(energy_kev, s_table, ln_x0, per_ln_x, hc, y, cumulative, t, out):  # type: ignore[no-untyped-def]
    """Fill [material, energy, quantile]; ``y`` are the values of sin(theta/2)."""
    last = s_table.shape[1] - 1
    for m in range(s_table.shape[0]):
        for e in range(energy_kev.shape[0]):
            k = energy_kev[e] / MEC2_KEV
            before = 0.0
            cumulative[0] = 0.0
            t[0] = 0.0
            for j in range(1, y.shape[0]):
                t[j] = 2.0 * y[j] * y[j]
                x = energy_kev[e] / hc * y[j]
                a = (np.log(x) - ln_x0) * per_ln_x
                if a < 0.0:  # S rises as x^2 near 0
                    s = s_table[m, 0] * np.exp(2.0 * a / per_ln_x)
                else:
                    i = min(int(a), last - 1)
                    f = min(a - i, 1.0)
                    s = s_table[m, i] * (1.0 - f) + s_table[m, i + 1] * f
                here = compton_density(t[j], k, s) * 4.0 * y[j]  # per unit of y
                cumulative[j] = cumulative[j - 1] + 0.5 * (here + before) * (y[j] - y[j - 1])
                before = here
            _quantiles(cumulative, t, False, out[m, e])


@jit
def _rayleigh(energy_kev, x2, table, hc, cumulative, t, out):  # type: ignore[no-untyped-def]
    """Fill [material, energy, quantile] from the running integral of F^2 over x^2."""
    for m in range(table.shape[0]):
        for e in range(energy_kev.shape[0]):
            x2_max = (energy_kev[e] / hc) ** 2
            n = 1
            cumulative[0] = 0.0
            t[0] = 0.0
            while n < x2.shape[0]:
                upper = min(x2[n], x2_max)
                inside = (upper - x2[n - 1]) / (x2[n] - x2[n - 1])
                low, high = 2.0 * x2[n - 1] / x2_max, 2.0 * upper / x2_max
                weight = (
                    rayleigh_weight(low) + 4.0 * rayleigh_weight(0.5 * (low + high)) + rayleigh_weight(high)
                ) / 6.0
                cumulative[n] = cumulative[n - 1] + inside * (table[m, n] - table[m, n - 1]) * weight
                t[n] = high
                n += 1
                if upper >= x2_max:
                    break
            _quantiles(cumulative[:n], t[:n], True, out[m, e])


def build_angle_tables(table: PhotonTable) -> AngleTables:
    """Return the angle tables of every material of a photon table."""
    n_coarse = (table.n_energy - 1) // STRIDE + 2
    nodes = np.arange(n_coarse) * STRIDE
    energy_kev = np.exp(table.ln_energy_0 + nodes / table.inv_d_ln_energy)
    n_material = table.rows.shape[0]
    shape = (n_material, n_coarse, N_QUANTILES + 1)
    compton, rayleigh = np.zeros(shape), np.zeros(shape)
    y = np.linspace(0.0, 1.0, N_COMPTON + 1)
    _compton(
        energy_kev,
        table.compton_s.astype(np.float64),
        table.compton_ln_x_0,
        table.compton_inv_d_ln_x,
        table.hc_kev_angstrom,
        y,
        np.zeros(y.size),
        np.zeros(y.size),
        compton,
    )
    x2 = table.rayleigh_x2.astype(np.float64)
    _rayleigh(
        energy_kev,
        x2,
        table.rayleigh_cumulative.astype(np.float64),
        table.hc_kev_angstrom,
        np.zeros(x2.size),
        np.zeros(x2.size),
        rayleigh,
    )
    return AngleTables(compton=compton.astype(np.float32), rayleigh=rayleigh.astype(np.float32))
