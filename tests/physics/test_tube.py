"""Tube spectra: interpolation against spekpy's own figures, filters, half-value layers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.errors import InputError, RangeError
from omnidose.physics.photons import mass_attenuation_cm2_g
from omnidose.physics.spectra import Spectrum
from omnidose.physics.tube import (
    filter_spectrum,
    half_value_layer_mm,
    tube_fluence,
    tube_spectrum,
    tune_to_hvl,
)


# spekpy 2.5.4, kqp, W, kV and angles between the table's nodes: photons per cm2 and mAs at 100 cm without
# filter, and the same spectrum's half-value layer (our cross sections) behind 3 mm Al
@pytest.mark.parametrize(
    ("kv", "angle_deg", "fluence", "hvl_mm"),
    [
        (52.5, 9.0, 4.2656e08, 2.0767),
        (67.0, 13.0, 6.3027e08, 2.5274),
        (85.0, 12.0, 7.1977e08, 3.2179),
        (105.0, 7.0, 6.1751e08, 4.4058),
        (125.0, 17.5, 1.1788e09, 4.5019),
        (145.0, 9.0, 9.3445e08, 5.905),
    ],
)
def test_interpolated_spectra_equal_spekpy(
    kv: float, angle_deg: float, fluence: float, hvl_mm: float
) -> None:
    _, per_kev = tube_fluence(kv, angle_deg)
    assert 0.5 * per_kev.sum() == pytest.approx(fluence, rel=0.006)
    ours = half_value_layer_mm(tube_spectrum(kv, angle_deg, [("aluminium", 3.0)]))
    assert ours == pytest.approx(hvl_mm, rel=0.005)


@settings(max_examples=40, deadline=None)
@given(kv=st.floats(40.0, 150.0), angle=st.floats(6.0, 20.0))
def test_spectra_are_sound_everywhere(kv: float, angle: float) -> None:
    energy, fluence = tube_fluence(kv, angle)
    assert np.all(np.isfinite(fluence))
    assert np.all(fluence >= 0)
    assert energy[-1] < kv
    spectrum = tube_spectrum(kv, angle)
    assert spectrum.weight.sum() == pytest.approx(1)
    assert 0.2 * kv < tube_spectrum(kv, angle, [("al", 2.5)]).mean_kev < 0.8 * kv
    # no step where a table node is crossed
    near = tube_fluence(float(np.clip(kv + 1e-6, 40, 150)), angle)[1]
    assert near.sum() == pytest.approx(fluence.sum(), rel=1e-3)


@settings(max_examples=15, deadline=None)
@given(kv=st.floats(50.0, 145.0))
def test_output_and_mean_energy_rise_with_kv(kv: float) -> None:
    low, high = tube_fluence(kv)[1].sum(), tube_fluence(kv + 5)[1].sum()
    assert high > low
    al = [("aluminium", 3.0)]
    assert tube_spectrum(kv + 5, filters=al).mean_kev > tube_spectrum(kv, filters=al).mean_kev


def test_k_lines_appear_above_the_k_edge_of_tungsten() -> None:
    def line_share(kv: float) -> float:
        energy, fluence = tube_fluence(kv)
        line = fluence[np.abs(energy - 59.25) < 0.01][0]
        beside = fluence[np.abs(np.abs(energy - 59.25) - 0.5) < 0.01].mean()
        return float(line / beside)

    assert line_share(69.0) == pytest.approx(1.0, abs=0.01)
    assert line_share(120.0) > 3


def test_a_line_has_its_textbook_half_value_layer() -> None:
    spectrum = Spectrum.line(60.0)
    mu_per_mm = 0.1 * 2.699 * float(mass_attenuation_cm2_g(_aluminium(), 60.0))
    assert half_value_layer_mm(spectrum) == pytest.approx(np.log(2) / mu_per_mm, rel=1e-6)
    assert half_value_layer_mm(spectrum, fraction=0.25) == pytest.approx(2 * np.log(2) / mu_per_mm, rel=1e-6)


def _aluminium():  # type: ignore[no-untyped-def]
    from omnidose.physics.material_library import material

    return material("aluminium")


def test_filters_add_up_and_harden() -> None:
    bare = tube_spectrum(100.0, filters=[("al", 1.0)])
    once = filter_spectrum(bare, "aluminium", 3.0)
    twice = filter_spectrum(filter_spectrum(bare, "Al", 1.0), "aluminum", 2.0)
    assert twice.weight == pytest.approx(once.weight)
    assert bare.mean_kev < once.mean_kev
    assert (
        half_value_layer_mm(bare) < half_value_layer_mm(once) < half_value_layer_mm(once, fraction=0.25) / 2
    )
    assert filter_spectrum(bare, "al", 0.0).weight == pytest.approx(bare.weight)


@pytest.mark.parametrize(
    ("kv", "tin_mm", "low_kev", "high_kev"), [(100.0, 0.4, 66, 74), (150.0, 0.6, 90, 101)]
)
def test_tin_filters_harden_as_known(kv: float, tin_mm: float, low_kev: float, high_kev: float) -> None:
    """Sn100 and Sn150 kV: mean energies near 70 and 95 keV; photons just above tin's K edge are gone."""
    spectrum = tube_spectrum(kv, filters=[("al", 3.0), ("tin", tin_mm)])
    assert low_kev < spectrum.mean_kev < high_kev
    below = spectrum.weight[np.abs(spectrum.energy_kev - 28.75) < 0.01][0]
    above = spectrum.weight[np.abs(spectrum.energy_kev - 29.75) < 0.01][0]
    assert above < 0.1 * below


@settings(max_examples=10, deadline=None)
@given(kv=st.sampled_from([70.0, 80.0, 100.0, 120.0, 140.0]), factor=st.floats(1.01, 2.0))
def test_tuning_meets_the_stated_hvl(kv: float, factor: float) -> None:
    start = tube_spectrum(kv, filters=[("al", 2.0)])
    wanted = factor * half_value_layer_mm(start)
    tuned, added = tune_to_hvl(start, wanted)
    assert half_value_layer_mm(tuned) == pytest.approx(wanted, rel=1e-5)
    assert added > 0
    again, nothing = tune_to_hvl(tuned, half_value_layer_mm(tuned))
    assert nothing == pytest.approx(0.0, abs=1e-4)
    assert again.mean_kev == pytest.approx(tuned.mean_kev, rel=1e-5)


def test_an_unreachable_hvl_is_refused() -> None:
    start = tube_spectrum(80.0, filters=[("al", 4.0)])
    with pytest.raises(RangeError, match="no added aluminium"):
        tune_to_hvl(start, 1.0)
    with pytest.raises(RangeError, match="no added aluminium"):
        tune_to_hvl(start, 30.0)


@pytest.mark.parametrize(("kv", "angle"), [(39.0, 12.0), (151.0, 12.0), (100.0, 5.0), (100.0, 21.0)])
def test_settings_outside_the_table_are_refused(kv: float, angle: float) -> None:
    with pytest.raises(RangeError):
        tube_spectrum(kv, angle)


def test_bad_filters_are_refused() -> None:
    with pytest.raises(RangeError, match="-1 mm"):
        tube_spectrum(100.0, filters=[("al", -1.0)])
    with pytest.raises(InputError, match="unobtainium"):
        tube_spectrum(100.0, filters=[("unobtainium", 1.0)])
