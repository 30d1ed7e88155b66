"""Rows of absorbed fractions: the published errors, the judgement, and marrow that lies elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.modalities.nuclear.proofs import _published_marrow, absorbed_fractions
from omnidose.modalities.nuclear.proofs.absorbed_fractions import (
    _off,
    _roughness,
    published_std_rel,
)
from omnidose.validation import Context, State


def test_roughness_is_the_error_of_one_value() -> None:
    """A smooth series has none; noise on it comes back with its size."""
    rng = np.random.default_rng(5)
    x = np.log([30.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 1500.0, 2000.0, 4000.0])
    line = np.stack([x, 0.1 + 0.02 * x, 0 * x, 0 * x + 0.01], axis=1)
    assert max(abs(square) for _absorbed, square in _roughness(line)) < 1e-12
    found = []
    for _ in range(400):
        noisy = line.copy()
        noisy[:, 1] += rng.normal(0.0, 0.06, x.size)
        noisy[:, 2] = 0.03**2  # half of it known to be ours
        found += [square for _absorbed, square in _roughness(noisy)]
    assert np.sqrt(np.mean(found)) == pytest.approx(np.sqrt(0.06**2 - 0.03**2), rel=0.05)


def test_published_errors_grow_where_little_is_absorbed() -> None:
    for phantom in ("adult-male", "adult-female"):
        little, more, most = published_std_rel(phantom)
        assert 0.10 > little > more > most >= 0


def test_both_errors_count() -> None:
    assert _off(1.2, 0.0, 1.0, 0.0, "adult-female") == pytest.approx(0.195)  # half of the third digit of 1.00
    assert _off(1.2, 0.0, 1.0, 0.05, "adult-female") == pytest.approx(0.095)
    assert _off(1.2, 0.05, 1.0, 0.0, "adult-female") == pytest.approx(0.075)
    assert _off(0.9, 0.1, 1.0, 0.1, "adult-female") == 0.0


def test_marrow_of_another_age_weighs_the_same_bones() -> None:
    """From the brain far more of it is seen: the skull holds 10 % in place of 8 %."""
    assert 90 < sum(_published_marrow.AT_15_Y_PERCENT.values()) <= 100
    value, std_rel = _published_marrow.saf_per_kg("F", "brain", 500.0)
    assert 0 < std_rel < 0.03
    from omnidose.dosimetry.internal.fractions import adult

    own = adult("adult-female")
    ours = own.saf_per_kg[own.source("brain"), own.energies_kev.searchsorted(500.0), own.target("red-marrow")]
    assert 1.05 < value / ours < 1.30


def test_what_cannot_agree_is_judged_in_the_full_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_published_marrow, "HISTORIES", 4000)
    monkeypatch.setattr(absorbed_fractions, "_published_sources", lambda *_: ["brain"])
    quick, full = (
        {row.name: row for row in absorbed_fractions.check_absorbed_fractions(Context(full=full))}
        for full in (False, True)
    )
    (waiting,) = [name for name, row in quick.items() if row.state is State.NOT_RUN]
    assert "red-marrow" in waiting
    assert "full run" in quick[waiting].note
    assert full[waiting].state is State.FAILED
    assert [name for name in quick if "as at 15 years" in name]
    assert not [r.name for n, r in quick.items() if r.state is State.FAILED and "15 years" not in n]
