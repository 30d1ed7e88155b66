"""Alphas in one marrow cavity: the second way against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.errors import InputError, RangeError
from omnidose.modalities.nuclear.proofs import _one_cavity
from omnidose.modalities.nuclear.proofs._one_cavity import Cavity, alpha_shares
from omnidose.physics.alpha_stopping import alpha_range_g_cm2
from omnidose.transport.dose_kernels.bone import MARROW_G_CM3, Place


@given(
    st.floats(100.0, 9000.0),
    st.sampled_from(["surface", "endosteum", "marrow", "bone"]),
    st.floats(0.2, 2.0),
    st.floats(0.01, 0.1),
)
@settings(max_examples=25, deadline=None)
def test_all_energy_is_somewhere(energy_kev: float, source: Place, radius_mm: float, depth_mm: float) -> None:
    found = alpha_shares(energy_kev, source, cavity=Cavity(radius_mm=radius_mm, endosteum_mm=depth_mm))
    parts = (found.deep_marrow_fraction, found.endosteum_fraction, found.bone_fraction)
    assert all(p >= 0 for p in parts)
    assert sum(parts) == pytest.approx(1.0, abs=1e-6)


def test_a_flat_surface_sends_half_inwards() -> None:
    found = alpha_shares(5500.0, "surface", cavity=Cavity(radius_mm=10.0))
    assert found.marrow_fraction == pytest.approx(0.5, abs=0.002)
    # the range in marrow is 40 micrometres: nothing gets past the endosteum
    assert found.deep_marrow_fraction == 0.0


def test_a_layer_on_a_flat_surface_in_closed_form() -> None:
    """Inward alphas with a path d / cos in a layer of thickness d: integrate over cos by hand."""
    depth_mm, kev = 0.02, 6000.0
    found = alpha_shares(kev, "surface", cavity=Cavity(radius_mm=10.0, endosteum_mm=depth_mm))
    cosine = (np.arange(4000) + 0.5) / 4000
    grid = np.geomspace(1.0, kev, 3000)
    ranges = alpha_range_g_cm2(grid)
    left = np.interp(ranges[-1] - 0.1 * MARROW_G_CM3 * depth_mm / cosine, ranges, grid, left=0.0)
    assert found.endosteum_fraction == pytest.approx(0.5 * np.mean(1 - left / kev), rel=0.01)


def test_marrow_to_bone_is_bone_to_marrow_in_one_medium(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_one_cavity, "_TABLES", (("water", 1.0),) * 3)
    monkeypatch.setattr(_one_cavity, "BONE_G_CM3", 1.0)
    made = Cavity(radius_mm=0.5, trabecula_mm=0.4)
    out = alpha_shares(7000.0, "marrow", cavity=made).bone_fraction
    back = alpha_shares(7000.0, "bone", cavity=made).marrow_fraction
    assert back * made.trabecula_mm / 4 == pytest.approx(out * made.radius_mm / 3, rel=2e-3)


def test_bad_cavities_are_refused() -> None:
    with pytest.raises(InputError, match="radius 0 mm"):
        Cavity(radius_mm=0.0)
    with pytest.raises(InputError, match="endosteum"):
        Cavity(endosteum_mm=1.0)
    with pytest.raises(InputError, match="trabeculae"):
        Cavity(trabecula_mm=0.0)
    with pytest.raises(InputError, match="'lung' is no place"):
        alpha_shares(5000.0, "lung")  # type: ignore[arg-type]
    with pytest.raises(RangeError):
        alpha_shares(20_000.0, "marrow")
