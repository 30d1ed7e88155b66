"""Tables of the electron engine for a set of materials, from cross sections and stopping powers.

Everything small is lumped, everything large is a single event ("class II", after Berger 1963; elastic
scattering after Fernandez-Varea et al., Nucl. Instrum. Methods B 73 (1993) 447): collisions that set free
less than the knock-on cut, photons below the photon cut and small deflections act continuously, with the
mean loss of the full stopping power, the variance of the lumped losses, and the first two transport
coefficients of the lumped deflections.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from omnidose.data import load
from omnidose.physics.electron_stopping import (
    ALPHA,
    HIGHEST_KEV,
    LOWEST_KEV,
    MC2_KEV,
    TWO_PI_R2_MC2_NA,
    collision_mev_cm2_g,
    electrons_mol_g,
    radiative_mev_cm2_g,
    range_and_yield,
)
from omnidose.physics.elements import atomic_weight, form_factor, scattering_function
from omnidose.physics.materials import Material
from omnidose.transport.electrons import _records as col
from omnidose.transport.electrons._bremsstrahlung import QUANTILES, photon_shape
from omnidose.transport.electrons._records import ElectronPhysics

ArrayF8 = npt.NDArray[np.float64]

HC_KEV_A = 12.398419843
#: pi r_e^2 N_A in cm2/mol.
PI_R2_NA = 0.2494672 * 0.602214076
#: Grid points per unit of ln E.
DENSITY_OF_GRID = 50
#: A single deflection every ELASTIC_SHARE of the transport mean free path, if that is more than every one.
ELASTIC_SHARE = 0.1
#: Largest mean share of the energy lost in one step.
LOSS_SHARE = 0.06
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)


def build_physics(
    materials: Sequence[Material],
    max_energy_kev: float,
    *,
    absorb_kev: float,
    knock_on_cut_kev: float,
    photon_cut_kev: float,
    step_g_cm2: ArrayF8,
    reject_below_kev: float = np.inf,
    elastic_rel: float = ELASTIC_SHARE,
    loss_rel: float = LOSS_SHARE,
) -> ElectronPhysics:
    """Tabulate materials from 1 keV to the largest energy of a source.

    Parameters
    ----------
    step_g_cm2
        [n_material] longest step.
    elastic_rel, loss_rel
        Fineness of the steps; half of the defaults doubles the time.
    """
    top = min(1.02 * max(max_energy_kev, 2 * LOWEST_KEV), HIGHEST_KEV)
    n = int(np.ceil(np.log(top / LOWEST_KEV) * DENSITY_OF_GRID)) + 2
    energy = np.geomspace(LOWEST_KEV, top, n)
    rows = np.stack([_rows(m, energy, knock_on_cut_kev, photon_cut_kev, elastic_rel) for m in materials])
    coarse = np.geomspace(max(1.01 * photon_cut_kev, LOWEST_KEV), max(top, 1.1 * photon_cut_kev), 24)
    photons = np.stack([_photon_quantiles(m, coarse, photon_cut_kev) for m in materials])
    return ElectronPhysics(
        ln_energy_0=float(np.log(energy[0])),
        inv_d_ln_energy=float((n - 1) / np.log(top / LOWEST_KEV)),
        n_energy=n,
        rows=np.ascontiguousarray(rows),
        photon_cut=photon_cut_kev,
        knock_on_cut=knock_on_cut_kev,
        absorb=absorb_kev,
        reject_below=reject_below_kev,
        photon_table=np.ascontiguousarray(photons),
        photon_ln_0=float(np.log(coarse[0])),
        photon_inv_d_ln=float((coarse.size - 1) / np.log(coarse[-1] / coarse[0])),
        step=np.asarray(step_g_cm2, dtype=np.float64),
        loss=loss_rel,
    )


def _rows(material: Material, energy: ArrayF8, w_cut: float, k_cut: float, share: float) -> ArrayF8:
    out = np.zeros((energy.size, col.N_COLUMNS))
    collision = 1000 * collision_mev_cm2_g(material, energy)
    radiative = 1000 * radiative_mev_cm2_g(material, energy)
    knock_on, knock_on_loss, variance = moller_moments(material, energy, w_cut)
    photon, photon_loss, photon_variance = _photon_moments(material, energy, radiative, k_cut)
    soft_radiative = radiative - photon_loss
    soft = collision - knock_on_loss + soft_radiative
    fine, csda, radiated = range_and_yield(material)
    elastic = _elastic(material, energy, collision + radiative, w_cut, share)
    out[:, col.SOFT_STOPPING] = soft
    out[:, col.SOFT_RADIATED] = soft_radiative / soft
    out[:, col.STRAGGLING] = variance + photon_variance
    out[:, col.KNOCK_ON] = knock_on
    out[:, col.PHOTON] = photon
    out[:, col.ELASTIC] = elastic["single"]
    out[:, col.SOFT_FIRST] = elastic["first"]
    out[:, col.SOFT_SECOND] = elastic["second"]
    out[:, col.ANGLE_CUT] = elastic["angle_cut"]
    out[:, col.SCREENING] = elastic["screening"]
    out[:, col.MOTT : col.MOTT + 5] = elastic["mott"]
    out[:, col.MOTT_BOUND] = elastic["mott_bound"]
    out[:, col.RANGE] = np.exp(np.interp(np.log(energy), np.log(fine), np.log(csda)))
    out[:, col.YIELD] = np.interp(energy, fine, radiated)
    total = elastic["single"] + knock_on + photon
    reach = np.searchsorted(energy, 0.8 * energy)
    bound = [total[i : j + 2].max() for i, j in zip(reach, range(energy.size), strict=True)]
    out[:, col.TOTAL_BOUND] = bound
    return out


def moller_moments(
    material: Material, energy_kev: ArrayF8, cut_kev: float
) -> tuple[ArrayF8, ArrayF8, ArrayF8]:
    """Return events above the cut (cm2/g), their energy (keV cm2/g), variance below it (keV2 cm2/g).

    Moller's cross section for free electrons at rest (C. Moller, Ann. Phys. 14 (1932) 531); the slower
    of the two electrons counts as the one set free.
    """
    tau = energy_kev / MC2_KEV
    gamma = tau + 1
    beta2 = tau * (tau + 2) / gamma**2
    a = (tau / gamma) ** 2
    factor = TWO_PI_R2_MC2_NA * electrons_mol_g(material) / beta2  # keV cm2/g
    low = np.minimum(cut_kev / energy_kev, 0.5)

    def number(k: ArrayF8 | float) -> ArrayF8:
        return np.asarray(-1 / k + 1 / (1 - k) + a * k - (1 - a) * np.log(k / (1 - k)))

    def loss(k: ArrayF8 | float) -> ArrayF8:  # integral of k F(k)
        return np.asarray(np.log(k) + 1 / (1 - k) + np.log(1 - k) + a * k**2 / 2 + (1 - a) * np.log(1 - k))

    k = 0.5 * low[:, None] * (_NODES + 1)
    spread = 1 + (k / (1 - k)) ** 2 + a[:, None] * k**2 - (1 - a[:, None]) * k / (1 - k)
    variance = (0.5 * low[:, None] * _WEIGHTS * spread).sum(axis=1)
    return (
        np.maximum(factor / energy_kev * (number(0.5) - number(low)), 0.0),
        np.maximum(factor * (loss(0.5) - loss(low)), 0.0),
        factor * energy_kev * variance,
    )


def _effective_z(material: Material) -> float:
    weights = {z: w * z * z / atomic_weight(z) for z, w in material.weight_fractions.items()}
    return sum(z * n for z, n in weights.items()) / sum(weights.values())


def _photon_moments(
    material: Material, energy: ArrayF8, radiative: ArrayF8, cut: float
) -> tuple[ArrayF8, ArrayF8, ArrayF8]:
    number, loss, variance = np.zeros((3, energy.size))
    z = _effective_z(material)
    for i, e in enumerate(energy):
        x, shape, dx = photon_shape(float(e), z)
        scale = radiative[i] / (e * (shape * dx).sum())  # k dsigma/dk = scale * shape
        hard = x * e >= cut
        number[i] = scale * (shape * dx / x)[hard].sum()
        loss[i] = scale * e * (shape * dx)[hard].sum()
        variance[i] = scale * e * e * (shape * dx * x)[~hard].sum()
    return number, loss, variance


def _photon_quantiles(material: Material, energy: ArrayF8, cut: float) -> ArrayF8:
    z = _effective_z(material)
    out = np.zeros((energy.size, QUANTILES))
    for i, e in enumerate(energy):
        x, shape, _dx = photon_shape(float(e), z)
        ln_cut = np.log(cut / e)
        u = np.linspace(0.0, 1.0, 2001)  # ln x / ln cut: 1 at the cut, 0 at the tip
        density = np.interp(u * ln_cut, np.log(x), shape)
        mass = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
        out[i] = np.interp(np.linspace(0, mass[-1], QUANTILES), mass, u)
    return out


def mott_coefficients(material: Material, energy_kev: ArrayF8) -> ArrayF8:
    """[n_energy, 5] coefficients of Mott over Rutherford, elements weighted with Z^2."""
    table = load("electron_mott")
    grid = np.log(table["energy_kev"])
    out, total = np.zeros((energy_kev.size, 5)), 0.0
    for z, w in material.weight_fractions.items():
        share = w * z * z / atomic_weight(z)
        total += share
        for j in range(5):
            out[:, j] += share * np.interp(np.log(energy_kev), grid, table["coefficient"][z - 1, :, j])
    return out / total


def _mott(coefficients: ArrayF8, mu: ArrayF8) -> ArrayF8:
    """Return the ratio at mu = (1 - cos)/2; coefficients [n, 5], mu [n, k]."""
    root = np.sqrt(2 * mu)
    total = np.ones_like(mu)
    for j in range(5):
        total += coefficients[:, j : j + 1] * root ** (j + 1)
    return np.maximum(total, 0.0)


def _beyond_born(z: int, energy_kev: ArrayF8) -> ArrayF8:
    """Moliere's growth of the screening angle beyond the first Born approximation (his 1.13 + 3.76 a^2)."""
    tau = energy_kev / MC2_KEV
    a2 = (ALPHA * z) ** 2 * (tau + 1) ** 2 / (tau * (tau + 2))
    return np.asarray(1 + 3.76 / 1.13 * a2)


def _log_nodes(low: ArrayF8, high: ArrayF8, shift: ArrayF8) -> tuple[ArrayF8, ArrayF8]:
    """Gauss nodes and weights in ln(mu + shift) between low and high, each [n, 96]."""
    a, b = np.log(low + shift)[:, None], np.log(high + shift)[:, None]
    y = 0.5 * (b - a) * (_NODES + 1) + a
    return np.exp(y) - shift[:, None], 0.5 * (b - a) * _WEIGHTS * np.exp(y)


def _screening(wanted: ArrayF8, mott: ArrayF8) -> ArrayF8:
    """Return A for which the integral of 2 mu R(mu) / (mu + A)^2 from 0 to 1 is the wanted one."""
    low, high = np.full(wanted.size, -25.0), np.full(wanted.size, 5.0)
    one, zero = np.ones_like(wanted), np.zeros_like(wanted)
    for _ in range(40):
        middle = 0.5 * (low + high)
        a = np.exp(middle)
        mu, dmu = _log_nodes(zero, one, a)
        found = (2 * mu * _mott(mott, mu) / (mu + a[:, None]) ** 2 * dmu).sum(axis=1)
        low = np.where(found > wanted, middle, low)
        high = np.where(found > wanted, high, middle)
    return np.asarray(np.exp(0.5 * (low + high)))


def _elastic(
    material: Material, energy: ArrayF8, stopping: ArrayF8, w_cut: float, share: float
) -> dict[str, ArrayF8]:
    """Elastic scattering by atoms, and deflection by lumped collisions with their electrons.

    Atoms scatter with (Z - F)^2 / mu^2 times Mott's ratio, their electrons with S / mu^2 up to the largest
    lumped energy: F and S are the atomic form factor and the incoherent scattering function, so that the
    screening of both is the real atom's (U. Fano, Phys. Rev. 93 (1954) 117: electrons deflect at smaller
    angles than the screened nucleus). For sampling, the atoms' part is a screened Mott cross section
    R(mu)/(mu + A)^2 with the A that has the same first transport coefficient.
    """
    tau = energy / MC2_KEV
    y = tau * (tau + 2)
    strength = PI_R2_NA * (tau + 1) ** 2 / y**2  # pi r_e^2 N_A / (beta^4 gamma^2)
    x_scale = (MC2_KEV * np.sqrt(y) / HC_KEV_A)[:, None]  # x = sin(theta/2)/lambda at mu = 1
    mott = mott_coefficients(material, energy)
    one, zero = np.ones_like(energy), np.zeros_like(energy)
    start = np.full_like(energy, 1e-10)
    # an electron deflects by this much when it sets free the largest lumped energy
    w = np.minimum(w_cut, energy / 2)
    cosine = np.sqrt((energy - w) * (energy + 2 * MC2_KEV) / (energy * (energy - w + 2 * MC2_KEV)))
    by_electrons = np.maximum(0.5 * (1 - cosine), 2e-10)
    mu, dmu = _log_nodes(start, one, zero)
    nu, dnu = _log_nodes(start, by_electrons, zero)
    ratio = _mott(mott, mu)
    first, grown, electron_first, electron_second = np.zeros((4, energy.size))
    z2 = 0.0
    for z, weight in material.weight_fractions.items():
        mol = weight / atomic_weight(z)
        bare = (z - form_factor(z, x_scale * np.sqrt(mu))) ** 2
        first += mol * (2 / mu * bare * ratio * dmu).sum(axis=1)
        z2 += mol * z * z
        grown += mol * z * z * np.log(_beyond_born(z, energy))
        free = scattering_function(z, x_scale * np.sqrt(nu))
        electron_first += mol * strength * (2 / nu * free * dnu).sum(axis=1)
        electron_second += mol * strength * (6 * (1 - nu) / nu * free * dnu).sum(axis=1)
    a = _screening(first / z2, mott) * np.exp(grown / z2)
    amplitude = z2 * strength
    mu, dmu = _log_nodes(zero, one, a)
    dcs = amplitude[:, None] / (mu + a[:, None]) ** 2 * _mott(mott, mu) * dmu
    total = dcs.sum(axis=1)
    first = (2 * mu * dcs).sum(axis=1)
    second = (6 * mu * (1 - mu) * dcs).sum(axis=1)
    # from this angle on a deflection is an event of its own; all of them where the mean free path is long
    wanted = 1 / np.maximum(1 / total, np.minimum(share / first, share * energy / stopping))
    cut = 1 / (np.minimum(wanted / amplitude, 1 / a - 1 / (1 + a)) + 1 / (1 + a)) - a
    cut = np.maximum(cut, 0.0)
    mu, dmu = _log_nodes(cut, one, a)
    dcs = amplitude[:, None] / (mu + a[:, None]) ** 2 * _mott(mott, mu) * dmu
    grid = np.linspace(0, 1, 201)[None, :] * (one - cut)[:, None] + cut[:, None]
    return {
        "single": dcs.sum(axis=1),
        "first": np.maximum(first - (2 * mu * dcs).sum(axis=1), 0.0) + electron_first,
        "second": np.maximum(second - (6 * mu * (1 - mu) * dcs).sum(axis=1), 0.0) + electron_second,
        "angle_cut": cut,
        "screening": a,
        "mott": mott,
        "mott_bound": 1.001 * _mott(mott, grid).max(axis=1),
    }
