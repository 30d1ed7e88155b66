"""Sources: the checks of the claim with fewer photons, reproducibility, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from omnidose.errors import GeometryError, InputError
from omnidose.physics.spectra import Spectrum
from omnidose.transport.births import births
from omnidose.transport.checks import sources as checks
from omnidose.transport.cumulatives import cumulative_table, nested_table, slope_weights
from omnidose.transport.emission import EmissionSpectrum, Positrons
from omnidose.transport.engine import simulate
from omnidose.transport.kernels import geometry as kernel_geometry
from omnidose.transport.kernels import sources as kernel_sources
from omnidose.transport.scene import Box, Capsule, Cylinder, Scene, Sphere
from omnidose.transport.shapes import shape_kind
from omnidose.transport.source_tables import Kind, source_bounds_mm
from omnidose.transport.sources import (
    ActivitySource,
    ConeSource,
    EmissionLaw,
    FanSource,
    IsotropicSource,
    ParallelSource,
    PyramidSource,
    RotatingSource,
    Source,
    SurfaceSource,
)
from omnidose.transport.surfaces import Disc, PatchKind, Rectangle, VoxelSurface
from omnidose.validation import State
from omnidose.volume import Grid

LINE = Spectrum.line(60.0)
GRID = Grid.centred((4, 5, 6), (1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    "check", [checks.beams, checks.tubes, checks.emissions, checks.activity, checks.surfaces]
)
def test_births_follow_closed_forms(check: Callable[[int], Any]) -> None:
    for row in check(50_000):
        assert row.state is State.PASSED, row


def test_pairs_leave_back_to_back() -> None:
    for row in checks.pairs(4000):
        assert row.state is State.PASSED, row


def test_distances() -> None:
    for row in checks.distances(100_000):
        assert row.state is State.PASSED, row


def test_kernels_and_tables_use_the_same_numbers() -> None:
    for kind in Kind:
        assert getattr(kernel_sources, kind.name) == kind
    assert [PatchKind.FLAT, PatchKind.ROUND, PatchKind.BARREL] == [
        kernel_sources.FLAT, kernel_sources.ROUND, kernel_sources.BARREL,
    ]  # fmt: skip
    laws = list(EmissionLaw)
    assert (laws.index(EmissionLaw.COSINE), laws.index(EmissionLaw.ISOTROPIC)) == (
        kernel_sources.COSINE, kernel_sources.ISOTROPIC,
    )  # fmt: skip
    water = checks.WATER
    shapes = {
        "BOX": Box(key="b", material=water, lower_mm=(0, 0, 0), upper_mm=(1, 1, 1)),
        "CYLINDER": Cylinder(key="c", material=water, centre_mm=(0, 0, 0), radius_mm=1, length_mm=1),
        "SPHERE": Sphere(key="s", material=water, centre_mm=(0, 0, 0), radius_mm=1),
        "CAPSULE": Capsule(key="p", material=water, start_mm=(0, 0, 0), end_mm=(0, 0, 1), radius_mm=1),
    }
    for name, shape in shapes.items():
        assert shape_kind(shape) == getattr(kernel_geometry, name)


def test_indexed_search_agrees_with_searchsorted() -> None:
    weights = np.array([0, 0, 3, 1e-6, 0, 5, 2, 0], dtype=np.float64)
    cumulative, guide = cumulative_table(weights)
    assert guide.size == 8
    for r in np.concatenate([[0.0, 1 - 2.0**-24], np.random.default_rng(1).uniform(0, 1, 2000)]):
        number = np.float32(r) if r < 1 - 2.0**-24 else np.float32(1 - 2.0**-24)
        number = min(number, np.float32(1 - 2.0**-24))
        k, inside = kernel_sources.invert(cumulative, guide, number)
        assert k == np.searchsorted(cumulative, number, side="right")
        assert weights[k] > 0
        assert 0 <= inside <= 1


def test_slope_table_has_kinks_on_its_steps_and_skips_closed_parts() -> None:
    table = np.array([[0.0], [0.0], [1.0], [2.0], [0.0]])
    weights = slope_weights((-1.0, 1.0, -0.1, 0.1), table)
    step = np.arange(weights.size) / weights.size
    assert not np.any(weights[step < 0.3 - 1e-9])  # transmission rises from the centre of the second bin on
    assert np.all(weights[(step >= 0.3) & (step < 0.9 - 1e-9)] > 0)


def test_a_large_map_is_read_to_its_voxels() -> None:
    """2 million voxels, nearly all of them faint: float32 cumulatives must not lose them."""
    activity = np.full((128, 128, 128), 1e-3, dtype=np.float32)
    activity[3, 4, 5] = 1000.0
    grid = Grid.centred(activity.shape, (2.0, 2.0, 2.0))
    born = births(ActivitySource(grid=grid, activity=activity, spectrum=LINE), 200_000)
    index = np.floor((born.place_mm - grid.lower_mm) / 2).astype(int)
    hot = np.all(index == [5, 4, 3], axis=1)
    share = 1000.0 / activity.sum(dtype=float)
    assert abs(hot.mean() - share) < 4 * np.sqrt(share * (1 - share) / hot.size)
    counts = np.bincount(index[~hot][:, 2] // 8, minlength=16)
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 50  # 15 degrees of freedom


def test_nested_table_ends_at_one_where_the_weight_ends() -> None:
    weights = np.zeros((2, 3, 4))
    weights[0, 1, 1:3] = 2.0, 1.0
    one, two, three = nested_table(weights)
    assert one.tolist() == [1.0, 1.0]
    assert two[0].tolist() == [0.0, 1.0, 1.0]
    assert three[0, 1].tolist() == [0.0, np.float32(2 / 3), 1.0, 1.0]
    assert np.all(three[1] == 1.0)


def test_every_birth_lies_in_the_bounds() -> None:
    water = checks.WATER
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    mask[1:3, 2:4, 1:5] = True
    surfaces = [
        Disc(centre_mm=(1, 2, 3), normal=(1, 2, 3), radius_mm=4),
        Rectangle(centre_mm=(1, 2, 3), normal=(1, 0, 1), up=(0, 1, 0), half_widths_mm=(3, 4)),
        VoxelSurface(grid=GRID, inside=mask),
        Capsule(key="p", material=water, start_mm=(0, 0, 0), end_mm=(3, 0, 1), radius_mm=2),
        Sphere(key="p", material=water, centre_mm=(0, 0, 0), radius_mm=2),
        Box(key="p", material=water, lower_mm=(0, 0, 0), upper_mm=(3, 4, 5)),
    ]
    tube = RotatingSource(
        isocentre_mm=(1, 2), focus_mm=500, segments=np.array([[0, 6, -20, 30, 1.0]]),
        half_tangents=(-0.1, 0.1, -0.1, 0.1), spectra=(LINE,), axis=(1, 2, 3), zero=(0, 1, 0),
    )  # fmt: skip
    several: list[Source] = [SurfaceSource(surface=s, spectrum=LINE) for s in surfaces]
    for source in [*several, tube, IsotropicSource(centre_mm=(1, 1, 1), spectrum=LINE, radius_mm=5)]:
        lower, upper = source_bounds_mm(source)
        place = births(source, 2000).place_mm
        assert np.all(place >= lower - 1e-3)
        assert np.all(place <= upper + 1e-3)


def test_surface_photons_start_on_the_surface_and_leave_it() -> None:
    ball = Sphere(key="p", material=checks.WATER, centre_mm=(7, 8, 9), radius_mm=20)
    for side, sign in (("out", 1), ("in", -1)):
        born = births(SurfaceSource(surface=ball, spectrum=LINE, side=side), 5000)  # type: ignore[arg-type]
        normal = (born.place_mm - [7, 8, 9]) / 20
        np.testing.assert_allclose(np.linalg.norm(normal, axis=1), 1, atol=1e-6)
        assert np.all(sign * np.sum(normal * born.direction, axis=1) > 0)
    both = births(SurfaceSource(surface=ball, spectrum=LINE, side="both"), 5000)  # type: ignore[arg-type]
    outwards = np.sum((both.place_mm - [7, 8, 9]) * both.direction, axis=1) > 0
    assert abs(outwards.mean() - 0.5) < 4 * 0.5 / np.sqrt(5000)
    along = births(SurfaceSource(surface=ball, spectrum=LINE, law="normal"), 100)  # type: ignore[arg-type]
    np.testing.assert_allclose(20 * along.direction, along.place_mm - [7, 8, 9], atol=1e-4)


def test_same_seed_same_births() -> None:
    source = IsotropicSource(centre_mm=(1, 1, 1), spectrum=LINE, radius_mm=5)
    one, two, other = (births(source, 10, seed=s).place_mm for s in (4, 4, 5))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_emission_per_decay() -> None:
    lu177 = EmissionSpectrum(
        line_kev=np.array([208.366, 112.950]), line_per_decay=np.array([0.1036, 0.0617]),
        edges_kev=np.array([0.0, 10.0, 20.0]), bin_per_decay=np.array([0.02, 0.01]),
    )  # fmt: skip
    assert lu177.photons_per_decay == pytest.approx(0.1953)
    assert lu177.energy_per_decay_kev == pytest.approx(208.366 * 0.1036 + 112.95 * 0.0617 + 0.1 + 0.15)
    assert lu177.max_kev == 208.366
    part = lu177.above(15.0)
    assert part.edges_kev.tolist() == [15.0, 20.0]
    assert part.photons_per_decay == pytest.approx(0.1036 + 0.0617 + 0.005)
    assert lu177.above(150.0).line_kev.tolist() == [208.366]
    assert Positrons(per_decay=0.967).photons_per_decay == pytest.approx(1.934)
    with pytest.raises(InputError, match="nothing to emit"):
        lu177.above(300.0)


def pyramid(limits: Any) -> Source:
    return PyramidSource(
        position_mm=(0, 0, 0), direction=(0, 0, 1), up=(0, 1, 0), half_tangents=limits, spectrum=LINE
    )


def fan(**changes: Any) -> Source:
    standard: dict[str, Any] = {
        "position_mm": (0, 0, 0), "direction": (0, 0, 1), "up": (0, 1, 0),
        "half_tangents": (-0.1, 0.1, -0.1, 0.1), "spectra": (LINE,),
    }  # fmt: skip
    return FanSource(**{**standard, **changes})


def cone(transmission: Any) -> Source:
    return ConeSource(
        position_mm=(0, 0, 0), direction=(0, 0, 1), up=(0, 1, 0), half_angle_deg=20, spectrum=LINE,
        transmission=transmission,
    )  # fmt: skip


def activity(value: float, where: tuple[int, int, int] | None = None) -> Source:
    array = np.zeros(GRID.shape_zyx) if where is not None else np.full(GRID.shape_zyx, value)
    if where is not None:
        array[where] = value
    return ActivitySource(grid=GRID, activity=array, spectrum=LINE)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: pyramid((0.1, 0.1, -1, 1)), "is empty"),
        (lambda: pyramid((0.2, 0.1, -1, 1)), "is empty"),
        (lambda: pyramid((-1, np.nan, -1, 1)), "is empty"),
        (lambda: fan(transmission=np.zeros((3, 1))), "not all 0"),
        (lambda: fan(transmission=np.array([[1.0, np.nan]])), "finite"),
        (lambda: fan(transmission=-np.ones((3, 1))), ">= 0"),
        (lambda: fan(spectra=(LINE, LINE), transmission=np.ones((3, 1))), "2 spectra for 3 fan bins"),
        (lambda: fan(spectra=(LINE, Spectrum.line(50.0)), transmission=np.ones((2, 1))), "same energies"),
        (lambda: fan(transmission=np.eye(1, 200)), "0.5 % of the directions"),
        (lambda: cone(np.eye(20)[:1].T * np.eye(20)[:1]), "0 % of the directions"),  # a corner outside it
        (
            lambda: ConeSource(position_mm=(0, 0, 0), direction=(0, 0, 1), half_angle_deg=0, spectrum=LINE),
            "half angle",
        ),
        (
            lambda: ParallelSource(
                centre_mm=(0, 0, 0), direction=(0, 0, 1), up=(0, 1, 0), half_widths_mm=(0, 1), spectrum=LINE
            ),
            "is empty",
        ),
        (lambda: IsotropicSource(centre_mm=(0, 0, 0), spectrum=LINE, radius_mm=-1), "radius"),
        (lambda: IsotropicSource(centre_mm=(0, 0, 0), spectrum=LINE, radius_mm=np.nan), "radius"),
        (lambda: activity(0.0), "no distribution"),
        (lambda: activity(-1.0, (1, 2, 3)), "no distribution"),
        (lambda: activity(np.nan, (1, 2, 3)), "no distribution"),
        (lambda: activity(np.inf, (1, 2, 3)), "no distribution"),
        (lambda: ActivitySource(grid=GRID, activity=np.ones((2, 2, 2)), spectrum=LINE), "does not fit"),
        (lambda: EmissionSpectrum(line_kev=[60.0], line_per_decay=[0.0]), "nothing to emit"),  # type: ignore[arg-type]
        (lambda: EmissionSpectrum(line_kev=[60.0], line_per_decay=[np.nan]), "no energies"),  # type: ignore[arg-type]
        (lambda: EmissionSpectrum(line_kev=[0.0], line_per_decay=[1.0]), "no energies"),  # type: ignore[arg-type]
        (lambda: EmissionSpectrum(line_kev=[60.0]), "1 lines with 0"),  # type: ignore[arg-type]
        (lambda: EmissionSpectrum(edges_kev=[5.0, 5.0], bin_per_decay=[1.0]), "must rise"),  # type: ignore[arg-type]
        (lambda: Positrons(per_decay=0.0), "positrons per decay"),
        (
            lambda: SurfaceSource(
                surface=Disc(centre_mm=(0, 0, 0), normal=(0, 0, 1), radius_mm=1), spectrum=Positrons()
            ),
            "both sides",
        ),
    ],
)
def test_sources_that_cannot_be_are_refused(make: Callable[[], Source], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


def test_rotating_sources_that_cannot_be_are_refused() -> None:
    standard: dict[str, Any] = {
        "isocentre_mm": (0, 0), "focus_mm": 500.0, "segments": np.array([[0, 1, 0, 0, 1.0]]),
        "half_tangents": (-0.1, 0.1, -0.1, 0.1), "spectra": (LINE,),
    }  # fmt: skip
    for change, words in (
        ({"segments": np.array([[0, 1, 0, 0, 0.0]])}, "positive sum"),
        ({"segments": np.array([[0, np.nan, 0, 0, 1.0]])}, "not finite"),
        ({"focus_mm": 0.0}, "focal spot"),
        ({"half_tangents": (0.1, -0.1, -0.1, 0.1)}, "is empty"),
    ):
        with pytest.raises(InputError, match=words):
            RotatingSource(**{**standard, **change})
    with pytest.raises(InputError, match="no length"):
        births(RotatingSource(**standard, axis=(0, 0, 0)), 1)
    with pytest.raises(InputError, match="parallel"):
        births(RotatingSource(**standard, zero=(0, 0, 1)), 1)
    with pytest.raises(InputError, match="not finite"):
        births(RotatingSource(**{**standard, "isocentre_mm": (np.nan, 0)}), 1)


def test_surfaces_that_cannot_be_are_refused() -> None:
    with pytest.raises(GeometryError, match="no area"):
        Disc(centre_mm=(0, 0, 0), normal=(0, 0, 1), radius_mm=0)
    with pytest.raises(GeometryError, match="no area"):
        Disc(centre_mm=(0, 0, 0), normal=(0, 0, 0), radius_mm=1)
    with pytest.raises(GeometryError, match="no area"):
        Rectangle(centre_mm=(0, np.nan, 0), normal=(0, 0, 1), up=(0, 1, 0), half_widths_mm=(1, 1))
    with pytest.raises(GeometryError, match="parallel"):
        Rectangle(centre_mm=(0, 0, 0), normal=(0, 0, 1), up=(0, 0, 1), half_widths_mm=(1, 1))
    with pytest.raises(GeometryError, match="no voxel"):
        VoxelSurface(grid=GRID, inside=np.zeros(GRID.shape_zyx, dtype=bool))
    with pytest.raises(GeometryError, match="does not fit"):
        VoxelSurface(grid=GRID, inside=np.ones((2, 2, 2), dtype=bool))


def test_a_tube_about_another_axis_may_meet_the_scene() -> None:
    """What a tube about x irradiates is what the same tube about z irradiates in the turned scene."""
    common: dict[str, Any] = {
        "isocentre_mm": (0, 0), "focus_mm": 500.0, "segments": np.array([[0.2, 0.9, 100, 140, 1.0]]),
        "half_tangents": (-0.1, 0.1, -0.1, 0.1), "spectra": (LINE,),
    }  # fmt: skip
    upright = Box(key="b", material=checks.WATER, lower_mm=(-30, -40, 90), upper_mm=(30, 40, 150))
    lying = Box(key="b", material=checks.WATER, lower_mm=(90, -30, -40), upper_mm=(150, 30, 40))
    turned = RotatingSource(**common, axis=(1, 0, 0), zero=(0, 1, 0))
    one = simulate(Scene(shapes=(upright,)), RotatingSource(**common), histories=120_000, backend="cpu")
    two = simulate(Scene(shapes=(lying,)), turned, histories=120_000, seed=2, backend="cpu")
    std_kev = np.hypot(one.std_kev[0], two.std_kev[0])
    assert abs(two.energy_kev[0] - one.energy_kev[0]) < 4 * std_kev
    assert 4 * std_kev < 0.03 * one.energy_kev[0]
    away = Box(key="b", material=checks.WATER, lower_mm=(90, 2000, -40), upper_mm=(150, 2100, 40))
    with pytest.raises(GeometryError, match="cannot meet"):
        simulate(Scene(shapes=(away,)), turned, histories=20_000, backend="cpu")
