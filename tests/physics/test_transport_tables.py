"""``PhotonTable``: its arrays against the exact functions, and sampled as a kernel would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.errors import InputError, RangeError
from omnidose.physics.materials import Material
from omnidose.physics.photons import (
    Process,
    mass_attenuation_cm2_g,
    mean_compton_electron_kev,
    mean_fluorescence_kev,
    mixture_form_factor_squared,
)
from omnidose.physics.transport_tables import PhotonTable, build_photon_table

WATER = Material(name="water", weight_fractions={1: 0.111894, 8: 0.888106}, density_g_cm3=1.0)
IODINE = Material(name="iodine", weight_fractions={1: 0.1, 8: 0.8, 53: 0.1}, density_g_cm3=1.1)
LEAD = Material(name="lead", weight_fractions={82: 1.0}, density_g_cm3=11.35)
HC = 12.398419843320026


@pytest.fixture(scope="module")
def table() -> PhotonTable:
    return build_photon_table([WATER, IODINE, LEAD], 3000.0)


def look_up(table: PhotonTable, array: np.ndarray, energy_kev: float) -> np.ndarray:
    t = np.float32((np.log(energy_kev) - table.ln_energy_0) * table.inv_d_ln_energy)
    i = int(np.clip(int(t), 0, table.n_energy - 2))
    return (1 - (t - i)) * array[..., i] + (t - i) * array[..., i + 1]


@pytest.mark.parametrize("energy_kev", [1.0, 7.77, 33.0, 33.3, 61.3, 140.5, 661.7, 1500.0, 3000.0])
@pytest.mark.parametrize("m", [0, 1, 2])
def test_rows_equal_the_exact_functions(table: PhotonTable, m: int, energy_kev: float) -> None:
    material = table.materials[m]
    row = look_up(table, table.rows[m].T, energy_kev)
    parts = {p: float(mass_attenuation_cm2_g(material, energy_kev, p)) for p in Process}
    total = sum(parts.values())
    assert row[0] == pytest.approx(total, rel=3e-4)
    assert row[2] == pytest.approx(parts[Process.PHOTOELECTRIC] / total, abs=2e-4)
    assert row[3] - row[2] == pytest.approx(parts[Process.INCOHERENT] / total, abs=2e-4)
    assert 1 - row[4] == pytest.approx(
        (parts[Process.PAIR_NUCLEAR] + parts[Process.PAIR_ELECTRON]) / total, abs=2e-4
    )
    local = parts[Process.PHOTOELECTRIC] * (1 - mean_fluorescence_kev(material, energy_kev, 1.0) / energy_kev)
    local += parts[Process.INCOHERENT] * mean_compton_electron_kev(material, energy_kev) / energy_kev
    pair = parts[Process.PAIR_NUCLEAR] + parts[Process.PAIR_ELECTRON]
    local += pair * max(1 - 1021.9979 / energy_kev, 0)
    assert row[1] == pytest.approx(float(local), rel=5e-4)


def sample_fluorescence(table: PhotonTable, m: int, energy_kev: float, n: int, seed: int) -> np.ndarray:
    """Mean emitted energy per photoelectric event, sampled by the rules of the docstring."""
    rng = np.random.default_rng(seed)
    low, high = table.vacancy_offset[m : m + 2]
    cumulative = look_up(table, table.vacancy_cumulative[low:high], energy_kev)
    entry = np.searchsorted(cumulative, rng.random(n), side="right")
    current = np.where(entry < high - low, np.append(table.vacancy_set[low:high], -1)[entry], -1)
    emitted = np.zeros(n)
    for _ in range(2):
        lines = table.line_cumulative[current]
        choice = (rng.random(n)[:, None] >= lines).sum(axis=1)
        ok = (current >= 0) & (choice < lines.shape[1])
        pick = np.minimum(choice, lines.shape[1] - 1)
        emitted += np.where(ok, table.line_energy_kev[current, pick], 0.0)
        current = np.where(ok, table.line_next[current, pick], -1)
    return emitted


@pytest.mark.parametrize(("m", "energy_kev"), [(1, 40.0), (1, 120.0), (2, 60.0), (2, 100.0)])
def test_sampled_fluorescence_energy_equals_the_mean(table: PhotonTable, m: int, energy_kev: float) -> None:
    n = 400_000
    emitted = sample_fluorescence(table, m, energy_kev, n, seed=1)
    expected = float(mean_fluorescence_kev(table.materials[m], energy_kev, 1.0))
    error = emitted.std() / np.sqrt(n)
    assert emitted.mean() == pytest.approx(expected, abs=4 * error)
    assert 4 * error < 0.01 * expected


def sample_compton(table: PhotonTable, m: int, energy_kev: float, n: int, seed: int) -> np.ndarray:
    """Energies of Compton electrons: Klein-Nishina by rejection, then S(x) / S(x at 180 degrees)."""
    rng = np.random.default_rng(seed)
    alpha = energy_kev / 510.99895

    def s_of(x: np.ndarray) -> np.ndarray:
        t = (np.log(np.maximum(x, 1e-9)) - table.compton_ln_x_0) * table.compton_inv_d_ln_x
        return np.interp(t, np.arange(table.compton_s.shape[1]), table.compton_s[m])

    cos = rng.uniform(-1, 1, n)
    ratio = 1 / (1 + alpha * (1 - cos))
    kn = ratio**2 * (ratio + 1 / ratio - 1 + cos**2)
    accepted = rng.random(n) * 2 < kn
    x = energy_kev / HC * np.sqrt((1 - cos) / 2)
    accepted &= rng.random(n) < s_of(x) / s_of(np.array([energy_kev / HC]))
    return energy_kev * (1 - ratio[accepted])


@pytest.mark.parametrize(("m", "energy_kev"), [(0, 10.0), (0, 60.0), (2, 80.0), (0, 500.0)])
def test_sampled_compton_energy_equals_the_mean(table: PhotonTable, m: int, energy_kev: float) -> None:
    electron = sample_compton(table, m, energy_kev, 1_500_000, seed=2)
    expected = float(mean_compton_electron_kev(table.materials[m], energy_kev))
    error = electron.std() / np.sqrt(electron.size)
    assert electron.mean() == pytest.approx(expected, abs=4 * error)
    assert 4 * error < 0.006 * expected


def test_rayleigh_table_samples_form_factor(table: PhotonTable) -> None:
    """The mean x^2 of the inverse sampling (before the dipole rejection) against quadrature."""
    rng = np.random.default_rng(3)
    for m, energy_kev in ((0, 20.0), (2, 60.0)):
        x2_max = (energy_kev / HC) ** 2
        cumulative = table.rayleigh_cumulative[m].astype(float)
        top = np.interp(x2_max, table.rayleigh_x2, cumulative)
        x2 = np.interp(rng.random(200_000) * top, cumulative, table.rayleigh_x2)
        fine = np.linspace(0, x2_max, 40_001)
        f2 = mixture_form_factor_squared(table.materials[m], np.sqrt(fine))
        expected = np.trapezoid(f2 * fine, fine) / np.trapezoid(f2, fine)
        assert x2.mean() == pytest.approx(expected, rel=0.01)


def test_tables_are_monotone(table: PhotonTable) -> None:
    assert np.all(np.diff(table.rows[:, :, 2:], axis=2) >= 0)
    assert np.all(table.rows[:, :, 4] <= 1)
    assert np.all(np.diff(table.rayleigh_cumulative, axis=1) >= 0)
    assert np.all(np.diff(table.compton_s, axis=1) >= 0)
    assert np.all(np.diff(table.line_cumulative, axis=1) >= 0)
    assert table.line_cumulative.max() < 1
    for low, high in zip(table.vacancy_offset[:-1], table.vacancy_offset[1:], strict=True):
        assert np.all(np.diff(table.vacancy_cumulative[low:high], axis=0) >= 0)
    assert table.vacancy_cumulative.max() <= 1


def test_no_pair_below_its_threshold(table: PhotonTable) -> None:
    assert np.all(table.rows[:, table.energy_kev < 1022, 4] == 1.0)
    assert np.all(table.rows[:, table.energy_kev > 1100, 4] < 1.0)


def test_a_higher_fluorescence_cutoff_leaves_more_energy_behind() -> None:
    soft = build_photon_table([IODINE], 100.0)
    hard = build_photon_table([IODINE], 100.0, fluorescence_cutoff_kev=10.0)
    none = build_photon_table([IODINE], 100.0, fluorescence_cutoff_kev=40.0)
    assert np.all(soft.rows[0, :, 1] <= hard.rows[0, :, 1])
    assert np.all(hard.rows[0, :, 1] <= none.rows[0, :, 1])
    assert none.vacancy_set.size == 0
    assert hard.line_energy_kev[hard.line_energy_kev > 0].size > 0
    lost_cm2_g = float(none.rows[0, -1, 1] - hard.rows[0, -1, 1])
    k_lines_kev = 0.8819 * (0.52872 * 28.6123 + 0.28491 * 28.3173 + 0.18637 * 32.47)  # xraylib 4.3
    photo_cm2_g = 0.1 * 1.7248  # xraylib 4.3, iodine at 100 keV; the K shell has 0.86 of it
    assert lost_cm2_g == pytest.approx(photo_cm2_g * 0.8603 * k_lines_kev / 100, rel=0.01)


@settings(max_examples=15, deadline=None)
@given(
    z=st.lists(st.integers(1, 98), min_size=1, max_size=4, unique=True),
    max_kev=st.floats(20.0, 20_000.0),
    cutoff_kev=st.floats(1.0, 10.0),
)
def test_any_material_gives_a_valid_table(z: list[int], max_kev: float, cutoff_kev: float) -> None:
    material = Material(name="m", weight_fractions=dict.fromkeys(z, 1 / len(z)), density_g_cm3=1.0)
    table = build_photon_table([material], max_kev, cutoff_kev)
    rows = table.rows[0]
    assert np.all(np.isfinite(rows))
    assert np.all(rows[:, :2] > 0)
    assert np.all(rows[:, 1] <= rows[:, 0])
    assert np.all((rows[:, 2:] >= 0) & (rows[:, 2:] <= 1))
    assert np.all(np.diff(rows[:, 2:], axis=1) >= -1e-6)
    assert 1 / table.inv_d_ln_energy <= 0.0025 + 1e-12
    assert table.energy_kev[-1] == pytest.approx(max_kev)


@pytest.mark.parametrize(("low", "high"), [(0.5, 100.0), (1.0, 25_000.0), (50.0, 40.0)])
def test_energies_out_of_range_are_refused(low: float, high: float) -> None:
    with pytest.raises(RangeError):
        build_photon_table([WATER], high, low)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(InputError):
        build_photon_table([], 100.0)
    with pytest.raises(RangeError):
        build_photon_table([WATER], 100.0, points=10)
    with pytest.raises(RangeError):
        build_photon_table([WATER], 100.0, 5.0, fluorescence_cutoff_kev=2.0)
