"""What the electron kernels draw: lumped losses and deflections, single events, their constants."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from omnidose.physics.electron_stopping import MC2_KEV
from omnidose.physics.material_library import material
from omnidose.physics.materials import Material
from omnidose.transport.electrons import _interactions as kernels
from omnidose.transport.electrons import _records as col
from omnidose.transport.electrons import _tracking, simulate
from omnidose.transport.electrons._bremsstrahlung import photon_shape
from omnidose.transport.electrons.tables import build_physics, moller_moments

WATER = material("water")
GOLD = Material(name="gold", weight_fractions={79: 1.0}, density_g_cm3=19.3)
PHYSICS = build_physics(
    (WATER, GOLD),
    2000.0,
    absorb_kev=5.0,
    knock_on_cut_kev=20.0,
    photon_cut_kev=10.0,
    step_g_cm2=np.array([1.0, 1.0]),
)


@numba.njit
def _losses(mean, variance, r):  # type: ignore[no-untyped-def]
    out = np.empty(r.size)
    for i in range(r.size):
        out[i] = kernels.lumped_loss(mean, variance, r[i])
    return out


@numba.njit
def _cosines(first, second, length, r):  # type: ignore[no-untyped-def]
    out = np.empty(r.size)
    for i in range(r.size):
        out[i] = kernels.lumped_cosine(first, second, length, r[i])
    return out


@numba.njit
def _single(phys, m, energy, n):  # type: ignore[no-untyped-def]
    cosine, free, photon = np.empty(n), np.empty(n), np.empty(n)
    i, a = kernels.energy_bin(phys, energy)
    for k in range(n):
        r = (k + 0.5) / n
        cosine[k], _ = kernels.large_deflection(phys, m, i, a, r, np.uint64(k), 0, np.uint64(1))
        free[k], _ = kernels.knock_on(energy, phys.knock_on_cut, np.uint64(k), 10, np.uint64(1))
        photon[k] = kernels.photon_energy(phys, m, energy, r, 0.0)
    return cosine, free, photon


def test_kernels_and_tables_have_one_set_of_constants() -> None:
    """Kernels cannot import them from files that the compile cache does not know: they are written twice."""
    names = [name for name, number in vars(col).items() if name.isupper() and isinstance(number, int)]
    known = {name.lstrip("_"): number for name, number in vars(kernels).items() if isinstance(number, int)}
    assert {"RANGE", "SOFT_STOPPING", "MOTT_BOUND"} <= set(names)
    for name in set(names) - {"N_COLUMNS"}:
        assert known[name] == getattr(col, name), name
    assert _tracking._FIXED == simulate._COUNTS_PER_KEV
    assert _tracking._PHOTON_BINS_PER_LN == simulate._PHOTON_BINS_PER_LN
    assert kernels._MC2 == MC2_KEV


UNIT = (np.arange(200_000) + 0.5) / 200_000


@pytest.mark.parametrize("ratio", [0.01, 0.3, 0.5, 1.0, 5.0])
def test_lumped_loss_has_its_moments(ratio: float) -> None:
    loss = _losses(2.0, ratio * 4.0, UNIT)
    assert loss.min() >= 0
    assert loss.mean() == pytest.approx(2.0, rel=1e-4)
    assert loss.var() == pytest.approx(ratio * 4.0, rel=1e-3)


@pytest.mark.parametrize("length", [1e-4, 0.05, 0.5, 5.0])
def test_lumped_deflection_has_its_moments(length: float) -> None:
    cosine = _cosines(1.0, 2.6, length, UNIT)
    assert cosine.mean() == pytest.approx(math.exp(-length), abs=1e-4)
    second = (1.5 * cosine**2 - 0.5).mean()
    assert second == pytest.approx(math.exp(-2.6 * length), abs=2e-3)


@pytest.mark.parametrize("m", [0, 1])
def test_single_events_follow_their_cross_sections(m: int) -> None:
    """Means of sampled deflections, knock-ons and photons against integrals of the cross sections."""
    n, energy = 40_000, 1000.0
    cosine, free, photon = _single(PHYSICS, m, energy, n)
    i = round(math.log(energy) * PHYSICS.inv_d_ln_energy)
    row = PHYSICS.rows[m, i]
    mu = np.geomspace(row[col.ANGLE_CUT], 1, 20_001)
    mu = 0.5 * (mu[1:] + mu[:-1])
    weight = np.gradient(mu) / (mu + row[col.SCREENING]) ** 2
    weight *= 1 + sum(row[col.MOTT + j] * (2 * mu) ** ((j + 1) / 2) for j in range(5))
    expected = float((weight * mu).sum() / weight.sum())
    sampled = 0.5 * (1 - cosine)
    assert sampled.mean() == pytest.approx(expected, abs=5 * sampled.std() / math.sqrt(n) + 0.02 * expected)
    medium = WATER if m == 0 else GOLD
    number, loss, _ = moller_moments(medium, np.array([energy]), PHYSICS.knock_on_cut)
    assert free.min() >= PHYSICS.knock_on_cut
    assert free.max() <= energy / 2
    assert free.mean() == pytest.approx(float(loss[0] / number[0]), abs=5 * free.std() / math.sqrt(n))
    x, shape, width = photon_shape(energy, 8.0 if m == 0 else 79.0)
    hard = x * energy > PHYSICS.photon_cut
    mean = energy * (shape * width)[hard].sum() / (shape * width / x)[hard].sum()
    assert photon.mean() == pytest.approx(mean, rel=0.05)  # the table's row is the next one below 1 MeV


def test_moller_moments_add_up_to_the_whole() -> None:
    """Below 2 x cut everything is lumped; the loss above a cut falls as the cut rises."""
    energy = np.array([30.0, 1000.0])
    number, loss, variance = moller_moments(WATER, energy, 20.0)
    assert number[0] == 0
    assert loss[0] == 0
    _, more, less = moller_moments(WATER, energy, 10.0)
    assert more[1] > loss[1] > 0
    assert 0 < less[1] < variance[1]
