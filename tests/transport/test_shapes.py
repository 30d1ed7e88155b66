"""Shapes: volumes, bounds, what lies in what, and the same inside in Python and in the kernels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from omnidose.errors import GeometryError
from omnidose.physics.material_library import material
from omnidose.physics.photons import mass_energy_transfer_cm2_g
from omnidose.physics.spectra import Spectrum
from omnidose.transport.checks import sources as checks
from omnidose.transport.engine import simulate
from omnidose.transport.kernels.geometry import in_shape
from omnidose.transport.problem import compile_problem
from omnidose.transport.scene import Box, Capsule, Cylinder, Scene, Shape, Sphere
from omnidose.transport.shapes import (
    contains,
    inside_shape,
    mean_chord_cm,
    shape_bounds_mm,
    shape_volume_cm3,
    visible_volumes_cm3,
)
from omnidose.transport.sources import ParallelSource
from omnidose.validation import State

WATER = checks.WATER
SHAPES: tuple[Shape, ...] = (
    Box(key="box", material=WATER, lower_mm=(-5, -6, -7), upper_mm=(8, 4, 3)),
    Sphere(key="sphere", material=WATER, centre_mm=(1, 2, 3), radius_mm=8),
    Cylinder(key="rod", material=WATER, centre_mm=(1, 2, 3), radius_mm=4, length_mm=17, axis=0),
    Cylinder(
        key="oblique", material=WATER, centre_mm=(1, 2, 3), radius_mm=4, length_mm=17, direction=(1, -2, 3)
    ),
    Capsule(key="capsule", material=WATER, start_mm=(-4, -5, -6), end_mm=(5, 6, 1), radius_mm=3),
)


def test_the_mean_chord_is_that_of_isotropic_rays() -> None:
    """Parallel rays from all sides: mean path of those that hit is 4 V / S."""
    rng = np.random.default_rng(5)
    n = 1500
    for shape in SHAPES:
        lower, upper = shape_bounds_mm(shape)
        middle, reach = 0.5 * (lower + upper), 0.5 * float(np.linalg.norm(upper - lower))
        direction = rng.normal(size=(n, 3))
        direction /= np.linalg.norm(direction, axis=1)[:, None]
        offset = np.cross(direction, rng.normal(size=(n, 3)))
        offset *= (reach * np.sqrt(rng.uniform(size=n)) / np.linalg.norm(offset, axis=1))[:, None]
        step = np.linspace(-reach, reach, 201)
        points = middle + offset[:, None, :] + direction[:, None, :] * step[None, :, None]
        path_mm = inside_shape(shape, points.reshape(-1, 3)).reshape(n, -1).sum(axis=1) * (step[1] - step[0])
        assert path_mm[path_mm > 0].mean() / 10 == pytest.approx(mean_chord_cm(shape), rel=0.1), shape.key


def test_a_gas_is_seen_by_every_tenth_ray() -> None:
    """An air cavity alone would score once in ten thousand crossings, and its error would be luck."""
    cavity = Sphere(key="cavity", material=material("air"), centre_mm=(0, 0, 0), radius_mm=10)
    beam = ParallelSource(
        centre_mm=(0, 0, -50),
        direction=(0, 0, 1),
        up=(0, 1, 0),
        half_widths_mm=(10, 10),
        spectrum=Spectrum.line(60.0),
    )
    tally = simulate(Scene(shapes=(cavity,)), beam, histories=20_000, backend="cpu", threads=1)
    exact = 4 / 3 * math.pi / 4 * material("air").density_g_cm3 * 60.0  # path, g/cm2 x keV
    exact *= float(mass_energy_transfer_cm2_g(material("air"), 60.0))
    assert tally.std_rel[0] < 0.05
    assert tally.energy_kev[0] == pytest.approx(exact, rel=4 * tally.std_rel[0] + 0.01)


def test_thin_shapes_take_what_their_volume_says() -> None:
    for row in [*checks.thin_shapes(60_000), *checks.volumes()]:
        assert row.state is State.PASSED, row


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.key)
def test_volume_bounds_and_inside_agree(shape: Shape) -> None:
    lower, upper = shape_bounds_mm(shape)
    rng = np.random.default_rng(7)
    points = rng.uniform(lower - 2, upper + 2, (100_000, 3))
    inside = inside_shape(shape, points)
    volume = float(np.prod(upper - lower + 4)) / 1000
    share = shape_volume_cm3(shape) / volume
    assert abs(inside.mean() - share) < 4 * math.sqrt(share * (1 - share) / inside.size)
    assert np.all(points[inside] >= lower)
    assert np.all(points[inside] <= upper)
    # the bounds are tight: some point comes near every face
    assert np.all(points[inside].min(axis=0) < lower + 1.2)
    assert np.all(points[inside].max(axis=0) > upper - 1.2)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.key)
def test_kernels_know_the_same_inside(shape: Shape) -> None:
    problem = compile_problem(Scene(shapes=(shape,)), checks._pencil(1.0), seed=1)
    lower, upper = shape_bounds_mm(shape)
    points = np.random.default_rng(8).uniform(lower - 1, upper + 1, (3000, 3))
    origin = lower - 1e-4 * (upper - lower)
    kernel = [in_shape(problem.geometry, 0, *np.float32((p - origin) / 10)) for p in points]
    differ = np.flatnonzero(np.array(kernel) != inside_shape(shape, points))
    assert differ.size <= 1  # float32 may see a point at the surface otherwise


def test_what_lies_in_what() -> None:
    box, sphere, rod, oblique, capsule = SHAPES
    for shape in SHAPES:
        around = Sphere(key="a", material=WATER, centre_mm=(1, 2, 1), radius_mm=40)
        assert contains(around, shape)
        assert not contains(shape, around)
    assert not contains(box, sphere)
    hollow = Capsule(key="h", material=WATER, start_mm=(-4, -5, -6), end_mm=(5, 6, 1), radius_mm=2.5)
    assert contains(capsule, hollow)
    assert not contains(hollow, capsule)
    pin = Cylinder(
        key="p", material=WATER, centre_mm=(1, 2, 3), radius_mm=4, length_mm=10, direction=(-1, 2, -3)
    )
    assert contains(oblique, pin)
    assert not contains(rod, pin)


def test_a_shell_has_the_volume_of_both_less_the_core() -> None:
    shell, core = (
        Cylinder(key=k, material=WATER, centre_mm=(3, 4, 5), radius_mm=r, length_mm=60, direction=(1, 1, 1))
        for k, r in (("shell", 12.0), ("core", 10.0))
    )
    left = visible_volumes_cm3((shell, core))
    assert left == pytest.approx([math.pi * (1.44 - 1.0) * 6, math.pi * 6])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda **k: Box(lower_mm=(0, 0, 0), upper_mm=(1, 0, 1), **k), "no volume"),
        (lambda **k: Box(lower_mm=(0, 0, 0), upper_mm=(1, -1, 1), **k), "no volume"),
        (lambda **k: Box(lower_mm=(0, 0, np.nan), upper_mm=(1, 1, 1), **k), "no volume"),
        (lambda **k: Sphere(centre_mm=(0, 0, 0), radius_mm=0, **k), "radius of 0"),
        (lambda **k: Sphere(centre_mm=(0, 0, np.inf), radius_mm=1, **k), "radius of 1"),
        (lambda **k: Cylinder(centre_mm=(0, 0, 0), radius_mm=-1, length_mm=1, **k), "radius of -1"),
        (lambda **k: Cylinder(centre_mm=(0, 0, 0), radius_mm=1, length_mm=0, **k), "0 mm long"),
        (lambda **k: Cylinder(centre_mm=(0, 0, 0), radius_mm=1, length_mm=1, axis=3, **k), "axis 3"),
        (
            lambda **k: Cylinder(centre_mm=(0, 0, 0), radius_mm=1, length_mm=1, direction=(0, 0, 0), **k),
            "no length",
        ),
        (lambda **k: Capsule(start_mm=(0, 0, 0), end_mm=(0, 0, 0), radius_mm=1, **k), "no axis"),
        (lambda **k: Capsule(start_mm=(0, 0, 0), end_mm=(0, 0, np.nan), radius_mm=1, **k), "no axis"),
        (lambda **k: Capsule(start_mm=(0, 0, 0), end_mm=(0, 0, 1), radius_mm=np.nan, **k), "radius of nan"),
    ],
)
def test_shapes_without_volume_are_refused(make: Callable[..., Any], words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        make(key="s", material=WATER)
