"""Errors of voxels, fluence spectra, image and list of photons that leave, balance."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnidose.errors import GeometryError, InputError, RangeError
from omnidose.physics.spectra import Spectrum
from omnidose.transport import folding
from omnidose.transport.checks.cube import WATER, small_cube
from omnidose.transport.checks.exits import check_exits
from omnidose.transport.engine import simulate
from omnidose.transport.folding import FoldingRunner, groups
from omnidose.transport.outputs import Asked, EnergyBins, ImagePlane
from omnidose.transport.phase_space import PhaseSpace
from omnidose.transport.problem import compile_problem
from omnidose.transport.runner import VOXEL_COUNT, LocalRunner
from omnidose.transport.scene import VACUUM, Box, Scene
from omnidose.transport.sources import ParallelSource
from omnidose.transport.tally import Tally

PLANE = ImagePlane(
    centre_mm=(0, 0, 300), direction=(0, 0, 1), up=(0, 1, 0), size_mm=(200, 200), pixels=(10, 20)
)
BINS = EnergyBins(edges_kev=np.arange(0.0, 61.0, 2.0), primary=True)
EVERYTHING: dict[str, Any] = {
    "voxel_map": True,
    "voxel_error": True,
    "spectra": BINS,
    "image": PLANE,
    "phase_space": 100_000,
}


def run(histories: float = 4000, **options: Any) -> Tally:
    scene, beam, regions = small_cube()
    return simulate(scene, beam, regions=regions, histories=histories, backend="cpu", **options)


def test_groups_cover_the_batches() -> None:
    for first, n in ((0, 40), (0, 4000), (40, 33), (7, 1)):
        found = list(groups(first, n))
        assert found[0][0] == first
        assert found[-1][1] == first + n
        assert all(a[1] == b[0] for a, b in pairwise(found))
    assert len(list(groups(0, 40))) == 20
    assert len(list(groups(0, 4000))) == 120


def test_error_is_the_spread_of_unequal_groups() -> None:
    """The stated error of a run in three parts, groups of 1 to 6 batches, against plain sums of batches."""
    scene, beam, _regions = small_cube()
    problem = compile_problem(scene, beam, voxel_map=True, asked=Asked(voxel_error=True))
    runner = FoldingRunner(problem, 2)
    parts = [(0, 40), (40, 31), (71, 60)]
    bounds = []
    for first, n in parts:
        runner.run(first, n, 50)
        bounds += list(groups(first, n))
    sums, sizes = [], []
    for begin, end in bounds:
        plain = LocalRunner(problem, 1)
        plain.run(begin, end - begin, 50)
        counts = plain.voxel_counts()
        assert counts is not None
        sums.append(counts * VOXEL_COUNT)
        sizes.append(end - begin)
    c, n_batches = np.array(sums), np.array(sizes, dtype=float)[:, None]
    assert len(set(sizes)) > 3
    total = c.sum(axis=0)
    mean = total / n_batches.sum()
    of_batch = (n_batches * (c / n_batches - mean) ** 2).sum(axis=0) / (len(sizes) - 1)
    histories = int(50 * n_batches.sum())
    counts = runner.voxel_counts()
    assert counts is not None
    assert np.array_equal(counts * VOXEL_COUNT, total)
    expected = np.sqrt(of_batch * n_batches.sum()) / histories
    np.testing.assert_allclose(runner._std(0, 8000, histories), expected, rtol=2e-5)


def test_same_bits_for_any_threads_and_energies_do_not_change() -> None:
    plain = run(voxel_map=True, threads=1)
    one, two = (run(threads=n, **EVERYTHING) for n in (1, 2))
    assert np.array_equal(plain.batch_energy_kev, one.batch_energy_kev)
    assert plain.voxel_std_kev_g is None
    assert plain.phase_space is None
    pairs: list[tuple[Any, Any]] = [(one.voxel_dose_kev_g, two.voxel_dose_kev_g)]
    pairs += [(one.voxel_dose_kev_g, plain.voxel_dose_kev_g), (one.voxel_std_kev_g, two.voxel_std_kev_g)]
    for part in ("spectra", "image", "phase_space"):
        for name in getattr(one, part).__slots__:
            if name not in ("plane", "keys"):
                pairs.append((getattr(getattr(one, part), name), getattr(getattr(two, part), name)))
    for a, b in pairs:
        assert np.array_equal(a, b)


def test_a_run_to_a_precision_has_the_outputs_too() -> None:
    scene, beam, regions = small_cube()
    one, two = (
        simulate(
            scene,
            beam,
            regions=regions,
            precision={"all": 0.002},
            threads=n,
            backend="cpu",
            voxel_map=True,
            voxel_error=True,
        )
        for n in (1, 2)
    )
    assert one.stopped == "precision"
    assert one.histories == two.histories
    assert one.voxel_dose_kev_g is not None
    assert one.voxel_std_kev_g is not None
    assert two.voxel_std_kev_g is not None
    assert np.array_equal(one.voxel_std_kev_g, two.voxel_std_kev_g)
    sum_kev = float(one.voxel_dose_kev_g.sum(dtype=float))
    assert sum_kev == pytest.approx(one.energy_kev[one.index("all")], rel=1e-5)


def test_map_without_errors_beside_spectra() -> None:
    plain = run(voxel_map=True)
    beside = run(voxel_map=True, spectra=BINS, threads=2)
    assert beside.voxel_std_kev_g is None
    assert np.array_equal(plain.voxel_dose_kev_g, beside.voxel_dose_kev_g)  # type: ignore[arg-type]


def test_spectra_of_a_beam_through_nothing() -> None:
    """A box of vacuum: all photons are primary, in one bin, and their track is the length of the box."""
    box = Box(key="gap", material=VACUUM, lower_mm=(-50, -50, 0), upper_mm=(50, 50, 100))
    rear = Box(key="rear", material=WATER, lower_mm=(-50, -50, 100), upper_mm=(50, 50, 101))
    beam = ParallelSource(
        centre_mm=(0, 0, -5),
        direction=(0, 0, 1),
        up=(0, 1, 0),
        half_widths_mm=(10, 10),
        spectrum=Spectrum.line(60.0),
    )
    tally = simulate(
        Scene(shapes=(box, rear), world=VACUUM),
        beam,
        histories=20_000,
        spectra=BINS,
        sampling_per_cm={"gap": 1.0},
        backend="cpu",
    )
    spectra = tally.spectra
    assert spectra is not None
    assert spectra.primary_per_cm2 is not None
    assert spectra.primary_std_per_cm2 is not None
    gap = spectra.primary_per_cm2[tally.index("gap")]
    assert np.all(gap[:-1] == 0)
    # one photon per history over 100 cm2
    assert abs(gap[-1] - 0.01) < 4 * spectra.primary_std_per_cm2[tally.index("gap"), -1]
    assert np.all(spectra.fluence_per_cm2 >= spectra.primary_per_cm2)


def test_image_lies_as_said() -> None:
    """Columns along up x direction, rows along up; a thin beam meets one pixel, its energy is all there."""
    box = Box(key="box", material=VACUUM, lower_mm=(-50, -50, 0), upper_mm=(50, 50, 10))
    beam = ParallelSource(
        centre_mm=(35, -42, -5),
        direction=(0, 0, 1),
        up=(0, 1, 0),
        half_widths_mm=(1, 1),
        spectrum=Spectrum.line(60.0),
    )
    scene = Scene(shapes=(box,), world=VACUUM)
    for plane, unit in ((PLANE, 60.0), (replace(PLANE, weigh="photons"), 1.0)):
        image = simulate(scene, beam, histories=400, image=plane, backend="cpu").image
        assert image is not None
        x = np.cross((0, 1, 0), (0, 0, 1))[0] * 35  # up x direction is +x here
        column, row = int((x + 100) / 20), int((-42 + 100) / 10)
        assert image.primary[row, column] == pytest.approx(unit, rel=1e-6)
        assert image.total.sum() == pytest.approx(unit, rel=1e-6)
        assert image.std[0, row, column] == pytest.approx(0.0, abs=1e-6)
    behind = replace(PLANE, direction=(0, 0, -1))
    image = simulate(scene, beam, histories=400, image=behind, backend="cpu").image
    assert image is not None
    assert image.total.sum() == 0


def test_phase_space_is_the_first_of_them_and_can_be_written(tmp_path: Path) -> None:
    whole, short = run(phase_space=100_000).phase_space, run(phase_space=150, threads=2).phase_space
    assert whole is not None
    assert short is not None
    assert whole.complete
    assert not short.complete
    assert short.left == whole.left == whole.energy_kev.size
    assert np.array_equal(short.position_mm, whole.position_mm[:150])
    assert np.all(np.diff(whole.history) >= 0)
    assert np.array_equal(whole.kind == 0, whole.interactions == 0)
    assert np.all(whole.interactions[(whole.kind == 1) | (whole.kind == 2)] == 1)
    assert np.linalg.norm(whole.direction, axis=1) == pytest.approx(1.0, abs=1e-6)
    short.write(tmp_path / "exits.npz")
    again = PhaseSpace.read(tmp_path / "exits.npz")
    assert np.array_equal(again.direction, short.direction)
    assert (again.left, again.histories, again.seed) == (short.left, short.histories, short.seed)
    short.write(tmp_path / "exits.csv")
    table = np.genfromtxt(tmp_path / "exits.csv", delimiter=",", names=True, skip_header=1)
    assert np.array_equal(table["history"], short.history)
    assert table["energy_kev"] == pytest.approx(short.energy_kev, rel=1e-6)
    with pytest.raises(InputError, match=r"exits\.txt"):
        short.write(tmp_path / "exits.txt")
    with pytest.raises(InputError, match="no phase space can be read"):
        PhaseSpace.read(tmp_path / "exits.csv")


def test_balance() -> None:
    tally = run()
    balance = tally.balance
    assert balance.emitted_kev == pytest.approx(60.0)
    assert abs(balance.missing_rel) < 1e-6
    assert balance.deposited_std_kev == pytest.approx(balance.escaped_std_kev, rel=1e-3)


def test_exits_hold_against_closed_forms() -> None:
    rows = list(check_exits(50_000))
    assert len(rows) == 8
    assert [row.name for row in rows if not row.passed] == []


def test_a_run_can_be_stopped() -> None:
    def stop(_progress: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(1e7, threads=2, progress=stop, **EVERYTHING)


def test_bad_input() -> None:
    with pytest.raises(InputError, match="errors of voxels need the voxel map"):
        run(voxel_error=True)
    with pytest.raises(InputError, match="do not rise"):
        EnergyBins(edges_kev=[10.0, 5.0])
    with pytest.raises(InputError, match="do not rise"):
        EnergyBins(edges_kev=[0.0, float("nan")])
    with pytest.raises(RangeError, match="energy bins"):
        EnergyBins(edges_kev=np.arange(20_000.0))
    with pytest.raises(GeometryError, match="image plane"):
        replace(PLANE, up=(0, 0, 1))
    with pytest.raises(GeometryError, match="image plane"):
        replace(PLANE, size_mm=(0, 10))
    with pytest.raises(RangeError, match="pixels"):
        replace(PLANE, pixels=(0, 10))
    with pytest.raises(RangeError, match="phase space"):
        run(phase_space=-1)
    scene, beam, _regions = small_cube()
    with pytest.raises(InputError, match="this machine's CPU"):
        simulate(scene, beam, histories=400, backend="cuda", image=PLANE)


def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "free_bytes", lambda: 1e5)
    with pytest.raises(RangeError, match=r"GB are free"):
        run(voxel_map=True, voxel_error=True)


def test_importance_keeps_the_mean_of_spectra_and_voxels() -> None:
    plain, split = (
        run(100_000, seed=seed, voxel_map=True, voxel_error=True, spectra=BINS, importance_keys=keys)
        for seed, keys in ((1, ()), (2, ("corner",)))
    )
    assert plain.spectra is not None
    assert split.spectra is not None
    k = plain.index("corner")
    std = np.hypot(plain.spectra.std_per_cm2[k], split.spectra.std_per_cm2[k])
    z = (split.spectra.fluence_per_cm2[k] - plain.spectra.fluence_per_cm2[k])[std > 0] / std[std > 0]
    assert abs(z.mean()) * np.sqrt(z.size) < 4
    assert split.voxel_dose_kev_g is not None
    corner_kev = float(split.voxel_dose_kev_g[:5, :5, :5].sum(dtype=float))
    assert corner_kev == pytest.approx(split.energy_kev[k], rel=1e-5)
    with pytest.raises(InputError, match="importance gives them weights"):
        run(4000, image=PLANE, importance_keys=("corner",))
