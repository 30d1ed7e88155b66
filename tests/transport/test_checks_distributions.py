"""The densities behind the checks of sampling, and that a wrong density is seen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from omnidose.physics.material_library import material
from omnidose.transport.checks import distributions
from omnidose.validation import State


def test_bins_are_equally_likely_and_cover_everything() -> None:
    of = material("water")
    edges, probability = distributions.bins_of(lambda s: distributions.compton_density(of, 60.0, s))
    assert edges[0] < 0
    assert edges[-1] > 2
    assert math.isclose(probability.sum(), 1.0, rel_tol=1e-12)
    assert np.allclose(probability, 1 / distributions.BINS, rtol=1e-3)


def test_bins_of_a_narrow_density_end_between_cosines_of_single_precision() -> None:
    of = material("water")
    edges, probability = distributions.bins_of(lambda s: distributions.rayleigh_density(of, 2000.0, s))
    steps = edges[1:-1] / distributions.COSINE_STEP
    assert np.allclose(steps - np.floor(steps), 0.5)
    assert np.all(probability > 0)
    assert edges[distributions.BINS // 2] < 1e-4  # half of the photons turn by less than a degree


@pytest.mark.parametrize(("name", "energy_kev"), [("water", 20.0), ("lead", 511.0)])
def test_the_kernels_draw_the_densities(name: str, energy_kev: float) -> None:
    of = material(name)
    angles, mean, error = distributions.compton_angles(of, energy_kev, 100_000)
    assert angles.counts.sum() == 100_000
    assert angles.reduced < 1.8
    assert 0 < error < 0.01 * mean
    assert distributions.rayleigh_angles(of, energy_kev, 100_000).reduced < 1.8


def test_a_wrong_density_is_seen() -> None:
    """Free electrons instead of bound ones, 20 keV in water."""
    of = material("water")
    right, _mean, _error = distributions.compton_angles(of, 20.0, 100_000)
    s = np.linspace(0, 2, 20_001)
    ratio = 1 / (1 + 20.0 / 510.99895 * s)
    free = ratio**2 * (ratio + 1 / ratio - s * (2 - s))
    edges, _probability = distributions.bins_of(lambda x: distributions.compton_density(of, 20.0, x))
    share = np.diff(np.interp(edges, s, np.cumsum(free) / free.sum()))
    wrong = distributions.Angles(energy_kev=20.0, counts=right.counts, expected=100_000 * share)
    assert wrong.reduced > 10


def test_fluorescence_rows_pass() -> None:
    rows = list(distributions.check_fluorescence(100_000))
    assert [row.name for row in rows if row.state is not State.PASSED] == []
    assert len(rows) == 12


@pytest.mark.parametrize(("z", "published"), [(29, 0.44), (53, 0.88), (82, 0.96)])
def test_published_yields(z: int, published: float) -> None:
    """Copper, iodine and lead: M. O. Krause, J. Phys. Chem. Ref. Data 8 (1979) 307; figures from memory."""
    assert abs(distributions.published_k_yield(z) - published) < 0.015
