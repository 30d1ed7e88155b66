"""From shells to voxels: conservation, symmetry, a brute-force integral, the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.errors import InputError
from omnidose.transport.dose_kernels import cache
from omnidose.transport.dose_kernels.boxes import (
    far_voxels_kev,
    middle_voxels_kev,
    near_voxels_kev,
    octant_directions,
    octant_sum_kev,
    voxels_kev,
)
from omnidose.transport.dose_kernels.emissions import RadiationYield
from omnidose.transport.dose_kernels.media import Medium
from omnidose.transport.dose_kernels.nuclide_yields import yield_of
from omnidose.transport.dose_kernels.radial import Shells
from omnidose.transport.dose_kernels.voxels import VoxelKernel, voxel_s

SMALL = {"reach_mm": 24.0}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OMNIDOSE_CACHE_DIR", str(tmp_path))
    return tmp_path


def shells(slope: float = 2.0, reach: float = 1.0, count: int = 120) -> Shells:
    edge = np.concatenate([[0.0], np.geomspace(1e-3, reach, count)])
    return Shells(edge_g_cm2=edge, energy_kev=-np.diff(np.exp(-slope * edge)))


def test_directions_are_alike_under_permutations_and_integrate_low_powers() -> None:
    points, weights = octant_directions(8)
    assert weights.sum() == pytest.approx(1.0)
    assert np.allclose(np.linalg.norm(points, axis=1), 1.0)
    assert weights @ points[:, 0] ** 2 == pytest.approx(1 / 3, abs=1e-12)
    assert weights @ points[:, 0] == pytest.approx(0.5, abs=1e-6)
    assert weights @ (points[:, 0] * points[:, 1]) == pytest.approx(2 / (3 * np.pi), abs=1e-6)


@given(st.tuples(*[st.floats(0.1, 0.5)] * 3), st.floats(0.5, 20.0))
@settings(max_examples=15, deadline=None)
def test_energy_is_kept_exactly(side: tuple[float, float, float], slope: float) -> None:
    source = shells(slope, reach=0.6, count=40)
    last = tuple(int(np.ceil(0.6 / s)) for s in side[::-1])
    octant = near_voxels_kev(source, side, (last[0], last[1], last[2]))
    assert np.all(octant >= 0)
    assert octant_sum_kev(octant) == pytest.approx(source.total_kev, rel=1e-12)


def test_a_cubic_voxel_is_symmetric_and_a_turned_one_turns() -> None:
    octant = near_voxels_kev(shells(), (0.3, 0.3, 0.3), (3, 3, 3))
    for axes in ((0, 2, 1), (1, 0, 2), (2, 1, 0), (1, 2, 0)):
        assert np.allclose(octant, octant.transpose(axes), rtol=1e-12)
    one = near_voxels_kev(shells(), (0.2, 0.3, 0.5), (2, 3, 4))
    other = near_voxels_kev(shells(), (0.5, 0.3, 0.2), (4, 3, 2))
    assert np.allclose(one, other.transpose(2, 1, 0), rtol=1e-12)


def test_against_random_pairs_of_points() -> None:
    rng = np.random.default_rng(4)
    source, side = shells(), np.array([0.2, 0.3, 0.5])
    octant = near_voxels_kev(source, (0.2, 0.3, 0.5), (2, 3, 4))
    chosen = rng.choice(source.energy_kev.size, 400_000, p=source.energy_kev / source.total_kev)
    r = rng.uniform(source.edge_g_cm2[chosen], source.edge_g_cm2[chosen + 1])
    direction = rng.normal(size=(r.size, 3))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    end = (rng.uniform(size=(r.size, 3)) * side + r[:, None] * direction) / side
    offset = np.floor(end).astype(int)
    for z, y, x in ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 0, 2), (1, 1, 1)):
        share = np.mean(np.all(np.abs(offset) == (x, y, z), axis=1)) / 2 ** np.count_nonzero((x, y, z))
        std = np.sqrt(share / r.size)
        assert octant[z, y, x] / source.total_kev == pytest.approx(share, abs=5 * std)


def test_the_three_ways_to_a_voxel_join() -> None:
    source = shells(slope=0.1, reach=10.0, count=300)
    near = near_voxels_kev(source, (0.3, 0.3, 0.4), (1, 1, 5))
    middle = middle_voxels_kev(source, (0.3, 0.3, 0.4), (2, 2, 13))
    far = far_voxels_kev(source, (0.3, 0.3, 0.4), (2, 2, 13))
    assert np.allclose(middle[:2, :2, 4:6], near[:2, :2, 4:6], rtol=1e-3)
    assert np.allclose(middle[..., 11:], far[..., 11:], rtol=1e-3)
    together = voxels_kev(source, (0.3, 0.3, 0.4), (2, 2, 13))
    assert np.array_equal(together[:2, :2, :4], near_voxels_kev(source, (0.3, 0.3, 0.4), (2, 2, 3))[:2, :2])
    assert np.array_equal(together[..., 13], middle[..., 13])


@pytest.mark.parametrize("spacing_mm", [(3.0, 3.0, 3.0), (1.5, 2.0, 4.0)])
def test_electrons_of_a_kernel_keep_their_energy(spacing_mm: tuple[float, float, float]) -> None:
    kernel = voxel_s("Lu-177", spacing_mm, **SMALL)
    emitted = yield_of("Lu-177")
    kept = float(kernel.electron.sum(dtype=np.float64)) * kernel.voxel_g / (1e6 * 1.602176634e-10)
    assert kept + kernel.radiated_kev == pytest.approx(emitted.emitted_electron_kev, rel=1e-5)
    middle = tuple(n // 2 for n in kernel.electron.shape)
    assert kernel.electron[middle] == kernel.electron_octant[0, 0, 0]
    assert kernel.electron.argmax() == np.ravel_multi_index(middle, kernel.electron.shape)


def test_a_large_voxel_holds_nearly_all_and_a_dense_one_more() -> None:
    soft, bone = (voxel_s("Y-90", (8.0,) * 3, medium=m, **SMALL) for m in ("soft tissue", "bone"))
    share = [float(k.electron_octant[0, 0, 0]) * k.voxel_g for k in (soft, bone)]
    assert share[1] > share[0]


def test_alphas_stay_in_the_source_voxel() -> None:
    kernel = voxel_s("Ra-223", (3.0,) * 3, **SMALL)
    emitted = yield_of("Ra-223")
    expected = emitted.alpha_kev * 1e6 * 1.602176634e-10 / (0.027 * 1.04)
    assert kernel.alpha_mgy == pytest.approx(expected)
    without = kernel.total_mgy((0, 0, 0)) - kernel.alpha_mgy
    assert 0 < without < kernel.alpha_mgy
    assert kernel.total_mgy((0, 0, 1)) == kernel.total_mgy((0, -1, 0)) > 0
    assert kernel.total_mgy((0, 0, 999)) == 0


def same(one: VoxelKernel, other: VoxelKernel) -> bool:
    return (
        np.array_equal(one.electron_octant, other.electron_octant)
        and np.array_equal(one.photon_octant, other.photon_octant)
        and (one.radiated_kev, one.electron_kev, one.photon_kev)
        == (other.radiated_kev, other.electron_kev, other.photon_kev)
    )


def test_what_the_cache_gives_is_what_was_computed(own_cache: Path) -> None:
    cold = voxel_s("I-131", (4.0,) * 3, **SMALL, use_cache=False)
    assert not list(own_cache.rglob("*.npz"))
    first, second = (voxel_s("I-131", (4.0,) * 3, **SMALL) for _ in range(2))
    (kept,) = own_cache.rglob("*.npz")
    assert same(cold, first)
    assert same(cold, second)
    kept.write_bytes(kept.read_bytes()[:500])  # cut off
    assert same(cold, voxel_s("I-131", (4.0,) * 3, **SMALL))
    assert not list(own_cache.rglob("*.part"))


def test_the_cache_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    first = voxel_s("I-131", (4.0,) * 3, **SMALL)
    monkeypatch.setattr("omnidose.transport.dose_kernels.voxels.radial_kernel", None)
    assert same(first, voxel_s("I-131", (4.0,) * 3, **SMALL))


def test_anything_that_changes_a_kernel_changes_its_key() -> None:
    one = RadiationYield(name="a", electron_kev=[100.0], electron_per_decay=[1.0])  # type: ignore[arg-type]
    other = RadiationYield(name="a", photon_kev=[100.0], photon_per_decay=[1.0])  # type: ignore[arg-type]
    keys = {cache.key_of(e, {"spacing": s}) for e in (one, other) for s in ((1.0, 1.0, 1.0), (1.0, 1.0, 2.0))}
    assert len(keys) == 4


def test_another_keys_file_is_not_taken() -> None:
    cache.write("a" * 64, {"x": np.zeros(1)})
    assert cache.read("a" * 64) is not None
    assert cache.read("a" * 32 + "b" * 32) is None  # same file name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"spacing_mm": (0.0, 1.0, 1.0)}, "voxels of"),
        ({"spacing_mm": (1.0, 1.0)}, "voxels of"),
        ({"spacing_mm": (float("nan"), 1.0, 1.0)}, "voxels of"),
        ({"spacing_mm": (3.0, 3.0, 3.0), "reach_mm": 1.0}, "reaches 1 mm"),
        ({"spacing_mm": (3.0, 3.0, 3.0), "reach_mm": 900.0}, "reaches 900 mm"),
        ({"spacing_mm": (0.6, 0.6, 0.6), "reach_mm": 400.0}, "does not fit into memory"),
        ({"spacing_mm": (3.0, 3.0, 3.0), "medium": "jelly"}, "jelly"),
    ],
)
def test_bad_requests_are_refused(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        voxel_s("Y-90", **arguments)  # type: ignore[arg-type]


def test_a_gas_in_which_betas_fly_for_metres_is_refused() -> None:
    air = Medium(name="air", density_g_cm3=0.0012)
    with pytest.raises(InputError, match="does not fit into memory"):
        voxel_s("Y-90", (3.0, 3.0, 3.0), medium=air, reach_mm=30.0, use_cache=False)
