"""Alphas and electrons in spongiosa."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.errors import InputError, RangeError
from omnidose.modalities.nuclear.proofs._one_cavity import Cavity, alpha_shares
from omnidose.physics.alpha_stopping import alpha_range_g_cm2
from omnidose.physics.electron_stopping import csda_range_g_cm2
from omnidose.physics.material_library import material
from omnidose.transport.dose_kernels import _bone_rays as bone_rays
from omnidose.transport.dose_kernels import bone as bones
from omnidose.transport.dose_kernels.bone import (
    BONE_G_CM3,
    MARROW_G_CM3,
    Bone,
    BoneShares,
    BoneSlabs,
    Place,
    TrabecularBone,
    absorbed_fractions,
    nuclide_in_bone,
)
from omnidose.transport.dose_kernels.nuclide_yields import yield_of

SOURCES: tuple[Place, ...] = ("surface", "endosteum", "marrow", "bone")
SLABS = BoneSlabs(marrow_mm=1.2, bone_mm=0.25)


@pytest.fixture
def one_medium(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Bone and marrow are both water."""
    for module in (bone_rays, bones):
        monkeypatch.setattr(module, "WATER_G_CM2_PER_MM", np.full(3, 0.1))
    monkeypatch.setattr(bones, "_MATERIALS", ("water",) * 3)
    monkeypatch.setattr(bones, "_stopping_weights", lambda _kev: np.ones(3))
    bone_rays.rays_from.cache_clear()
    yield
    bone_rays.rays_from.cache_clear()


def _parts(s: BoneShares) -> tuple[float, float, float, float]:
    return s.deep_marrow_fraction, s.endosteum_fraction, s.bone_fraction, s.radiated_fraction


@given(
    st.sampled_from([("alpha", "kernel", 50.0), ("electron", "kernel", 5.0), ("electron", "straight", 5.0)]),
    st.floats(1.0, 60.0),
    st.sampled_from(SOURCES),
    st.floats(0.3, 2.0),
    st.floats(0.1, 0.5),
    st.floats(0.01, 0.1),
    st.sampled_from([1.5, 3.0, math.inf, None]),
)
@settings(max_examples=25, deadline=None)
def test_all_energy_is_somewhere(
    kind: tuple[bones.Particle, bones.Model, float],
    factor: float,
    source: Place,
    marrow_mm: float,
    bone_mm: float,
    depth_mm: float,
    shape: float | None,
) -> None:
    made: Bone = (
        BoneSlabs(marrow_mm=marrow_mm, bone_mm=bone_mm, endosteum_mm=depth_mm)
        if shape is None
        else TrabecularBone(
            marrow_chord_mm=marrow_mm, bone_chord_mm=bone_mm, endosteum_mm=depth_mm, diameter_shape=shape
        )
    )
    particle, model, kev = kind
    parts = _parts(absorbed_fractions(particle, kev * factor, source, bone=made, model=model))
    assert all(p >= -1e-12 for p in parts)
    assert sum(parts) == pytest.approx(1.0, abs=1e-9)


def test_a_film_sends_half_into_bone_and_half_into_endosteum() -> None:
    for particle, kev in (("alpha", 5500.0), ("electron", 20.0)):
        found = absorbed_fractions(
            particle,  # type: ignore[arg-type]
            kev,
            "surface",
            bone=SLABS,
            model="straight",
        )
        assert found.bone_fraction == pytest.approx(0.5, abs=2e-3)
        assert found.endosteum_fraction == pytest.approx(0.5, abs=2e-3)


def test_bone_scatters_electrons_of_a_film_back() -> None:
    found = absorbed_fractions("electron", 20.0, "surface", bone=SLABS)
    assert found.endosteum_fraction == pytest.approx(bones.BORDER_MARROW_FRACTION, abs=2e-3)
    assert found.bone_fraction == pytest.approx(1 - bones.BORDER_MARROW_FRACTION, abs=2e-3)


@pytest.mark.parametrize("source", ["endosteum", "marrow", "bone"])
def test_a_short_range_stays_at_its_place(source: Place) -> None:
    found = absorbed_fractions("electron", 1.0, source)
    own = found.bone_fraction if source == "bone" else found.marrow_fraction
    assert own == pytest.approx(1.0, abs=0.002)
    if source == "endosteum":
        assert found.endosteum_fraction == pytest.approx(1.0, abs=0.002)


def test_what_leaves_a_plate_in_closed_form() -> None:
    """A quarter of the isotropic fluence crosses a surface: (1/2t) times the integral of the rest energy."""
    kev = 6000.0
    grid = np.geomspace(1.0, kev, 4000)
    ranges_mm = 10 * alpha_range_g_cm2(grid, "cortical bone ICRP") / BONE_G_CM3
    path = np.linspace(0.0, ranges_mm[-1], 4001)
    rest = np.interp(ranges_mm[-1] - path, ranges_mm, grid, left=0.0)
    wanted = float(np.trapezoid(rest, path)) / kev / (2 * SLABS.bone_mm)
    found = absorbed_fractions("alpha", kev, "bone", bone=SLABS)
    assert found.marrow_fraction == pytest.approx(wanted, rel=0.005)


def test_a_thin_endosteum_in_closed_form() -> None:
    depth_mm, kev = 0.02, 6000.0
    made = BoneSlabs(marrow_mm=1.0, bone_mm=0.5, endosteum_mm=depth_mm)
    cosine = (np.arange(4000) + 0.5) / 4000
    grid = np.geomspace(1.0, kev, 3000)
    ranges = alpha_range_g_cm2(grid)
    left = np.interp(ranges[-1] - 0.1 * MARROW_G_CM3 * depth_mm / cosine, ranges, grid, left=0.0)
    found = absorbed_fractions("alpha", kev, "surface", bone=made)
    assert found.endosteum_fraction == pytest.approx(0.5 * np.mean(1 - left / kev), rel=0.01)


@pytest.mark.usefixtures("one_medium")
@pytest.mark.parametrize("made", [TrabecularBone(), TrabecularBone(diameter_shape=math.inf), SLABS])
@pytest.mark.parametrize("kev", [60.0, 300.0, 1200.0])
def test_one_medium_is_reciprocal(made: Bone, kev: float) -> None:
    out = absorbed_fractions("electron", kev, "marrow", bone=made).bone_fraction
    back = absorbed_fractions("electron", kev, "bone", bone=made).marrow_fraction
    marrow, bone = made.lengths_mm
    assert out * marrow == pytest.approx(back * bone, rel=0.02)


@pytest.mark.parametrize("source", ["surface", "marrow", "bone"])
def test_a_long_range_ends_in_the_split_by_mass_and_stopping_power(source: Place) -> None:
    made = TrabecularBone(marrow_chord_mm=0.12, bone_chord_mm=0.05, endosteum_mm=0.01)
    found = absorbed_fractions("electron", 1000.0, source, bone=made)
    marrow, bone = (float(csda_range_g_cm2(material(m), 1000.0)) for m in ("red marrow", "cortical bone"))
    in_bone, in_marrow = 0.05 * BONE_G_CM3 / bone, 0.12 * MARROW_G_CM3 / marrow
    share = found.bone_fraction / (1 - found.radiated_fraction)
    assert share == pytest.approx(in_bone / (in_bone + in_marrow), rel=0.03)


@pytest.mark.parametrize("source", SOURCES)
def test_equal_spheres_far_apart_are_a_cavity(source: Place) -> None:
    made = TrabecularBone(marrow_chord_mm=1.0, bone_chord_mm=10.0, diameter_shape=math.inf)
    found = absorbed_fractions("alpha", 6500.0, source, bone=made)
    other = alpha_shares(6500.0, source, cavity=Cavity(radius_mm=0.75, trabecula_mm=10.0))
    assert found.bone_fraction == pytest.approx(other.bone_fraction, rel=0.01)
    assert found.endosteum_fraction == pytest.approx(other.endosteum_fraction, rel=0.01, abs=1e-4)


def test_more_energy_leaves_bone_with_more_range() -> None:
    for particle, energies in (("alpha", (1e3, 2e3, 4e3, 6e3, 9e3)), ("electron", (15, 40, 100, 200, 400))):
        out = [absorbed_fractions(particle, e, "bone").marrow_fraction for e in energies]  # type: ignore[arg-type]
        assert np.all(np.diff(out) > 0)


def test_rays_have_the_mean_chords_and_the_endosteum_its_volume() -> None:
    made = TrabecularBone(endosteum_mm=0.1)
    rays = bone_rays.rays_from("bone", made, 0.5, 4096)
    bone, first, deep, last = (rays.length_mm[:, 4 + k : 16 : 4].mean() for k in range(4))
    assert bone == pytest.approx(made.bone_chord_mm, rel=0.02)
    assert first + deep + last == pytest.approx(made.marrow_chord_mm, rel=0.02)
    # by volume diameters have shape 4 and scale 1.5 x mean chord / 3
    diameter = np.random.default_rng(1).gamma(4.0, 0.5 * made.marrow_chord_mm, 400_000)
    volume = np.mean(1 - np.maximum(1 - 0.2 / diameter, 0.0) ** 3)
    assert (first + last) / (first + deep + last) == pytest.approx(volume, rel=0.02)
    local = absorbed_fractions("electron", 0.5, "marrow", bone=made)
    assert local.endosteum_fraction == pytest.approx(volume, rel=0.01)


def test_a_nuclide_keeps_its_energy_and_that_of_its_progeny() -> None:
    progeny = {"Rn-219": 0.5}
    emitted = yield_of("Ra-223", progeny=progeny)
    found = nuclide_in_bone("Ra-223", "surface", progeny=progeny)
    assert sum(found.alpha_kev) == pytest.approx(emitted.alpha_kev, rel=1e-6)
    assert sum(found.electron_kev) + found.radiated_kev == pytest.approx(
        emitted.emitted_electron_kev, rel=1e-6
    )
    assert found.photon_kev == emitted.emitted_photon_kev
    assert found.alpha is not None
    assert sum(_parts(found.alpha)) == pytest.approx(1.0)
    beta = nuclide_in_bone("Lu-177", "bone")
    assert beta.alpha is None
    assert beta.alpha_kev == (0.0, 0.0, 0.0)
    assert beta.electron is not None
    assert 0.3 < beta.electron.marrow_fraction < 0.5


def test_one_line_is_the_nuclide_of_that_line() -> None:
    alone = absorbed_fractions("electron", 80.0, "bone")
    zones, radiated = bones._by_kernel(
        np.array([80.0, 300.0]), np.array([2.0, 0.0]), "bone", TrabecularBone()
    )
    assert zones[bone_rays.ENDOSTEUM] / 160 == pytest.approx(alone.endosteum_fraction)
    assert radiated / 160 == pytest.approx(alone.radiated_fraction)
    assert bones._by_kernel(np.zeros(0), np.zeros(0), "bone", TrabecularBone())[1] == 0.0


def test_red_marrow_is_a_share_of_marrow() -> None:
    shares = BoneShares(deep_marrow_fraction=0.5, endosteum_fraction=0.1, bone_fraction=0.4)
    assert shares.red_marrow_fraction(0.7) == pytest.approx(0.42)
    with pytest.raises(InputError, match="cellularity"):
        shares.red_marrow_fraction(1.2)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="0 mm of marrow"):
        TrabecularBone(marrow_chord_mm=0.0)
    with pytest.raises(InputError, match="endosteum"):
        TrabecularBone(endosteum_mm=math.nan)
    with pytest.raises(InputError, match="shape 0"):
        TrabecularBone(diameter_shape=0.0)
    with pytest.raises(InputError, match="two layers"):
        BoneSlabs(marrow_mm=0.1, bone_mm=0.2, endosteum_mm=0.06)
    with pytest.raises(InputError, match="unknown source 'lung'"):
        absorbed_fractions("alpha", 5000.0, "lung")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown particle"):
        absorbed_fractions("proton", 5000.0, "bone")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="an electron of 5000 keV"):
        absorbed_fractions("electron", 5000.0, "bone")
    with pytest.raises(RangeError):
        absorbed_fractions("alpha", 20_000.0, "bone")
    with pytest.raises(RangeError):
        absorbed_fractions("electron", 0.5, "bone", model="straight")
    with pytest.raises(InputError, match="unknown source"):
        nuclide_in_bone("Lu-177", "lung")  # type: ignore[arg-type]
    tiny = TrabecularBone(marrow_chord_mm=0.05, bone_chord_mm=0.02, endosteum_mm=0.001)
    with pytest.raises(InputError, match="trabeculae"):
        absorbed_fractions("electron", 4000.0, "bone", bone=tiny)
