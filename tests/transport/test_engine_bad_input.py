"""Bad input to the engine: one sentence each, before any time is spent; and what may not be refused."""

from __future__ import annotations

import contextlib
import io
import math
from dataclasses import replace

import numpy as np
import pytest

from omnidose.errors import GeometryError
from omnidose.transport.checks.bad_input import (
    SHORT_CHILD,
    bad_requests,
    beam,
    compile_twice,
    pyramid,
    refused,
    tube,
)
from omnidose.transport.checks.cube import small_cube
from omnidose.transport.sources import IsotropicSource, RotatingSource, Source
from omnidose.transport.validity import check_source


@pytest.mark.parametrize("name", list(bad_requests()))
def test_refused_in_one_sentence_at_once(name: str) -> None:
    call, kind, words = bad_requests()[name]
    said, right, seconds_s = refused(call, kind, words)
    assert right, said
    assert seconds_s < 2


def turned(degrees: float, height_mm: float = 0.0, start: float = 0.0) -> RotatingSource:
    return replace(
        tube(height_mm),
        segments=np.array([[start, start + math.radians(degrees), height_mm, height_mm + 5, 1.0]]),
    )


@pytest.mark.parametrize(
    "source",
    [
        pyramid((0, 0, -1)),
        pyramid((0.2, 0, -1)),  # its edge meets a corner of the cube
        beam(),
        beam(centre_mm=(105.0, 0.0, -200.0)),  # 5 mm of it
        tube(0.0),
        tube(110.0),  # 10 mm above, but the beam widens to 12 mm behind
        turned(1.0),
        turned(360.0, -100.0),
        turned(33.0, 0.0, 2.0),
        replace(tube(0.0), half_tangents=(-20.0, 20.0, -0.02, 0.02)),  # too wide to be judged
        IsotropicSource(centre_mm=(0, 0, 900), spectrum=beam().spectrum),
    ],
)
def test_beams_that_meet_the_scene_are_not_refused(source: Source) -> None:
    scene, _source, _regions = small_cube()
    check_source(scene, source)


def test_beams_away_are_refused_only_if_no_ray_meets_the_scene() -> None:
    """Rays drawn at random: where one meets the box, the source must pass."""
    scene, _source, _regions = small_cube()
    rng = np.random.default_rng(1)
    refusals = 0
    for _ in range(300):
        centre = rng.uniform(-150, 150, 2)
        z = rng.uniform(-250, 250)
        start, arc = rng.uniform(-math.pi, math.pi), rng.uniform(-1.0, 1.0)
        low, high = np.sort(rng.uniform(-0.6, 0.6, 2)), np.sort(rng.uniform(-0.3, 0.3, 2))
        source = RotatingSource(
            isocentre_mm=tuple(centre),
            focus_mm=400.0,
            segments=np.array([[start, start + arc, z, z + rng.uniform(-40, 40), 1.0]]),
            half_tangents=(low[0], low[1] + 0.01, high[0], high[1] + 0.01),
            spectra=tube(0.0).spectra,
        )
        if _any_ray_meets_cube(source, rng):
            check_source(scene, source)
        else:
            try:
                check_source(scene, source)
            except GeometryError:
                refusals += 1
    assert refusals > 20


def _any_ray_meets_cube(source: RotatingSource, rng: np.random.Generator) -> bool:
    n = 4000
    a0, a1, z0, z1, _w = source.segments[0]
    share = rng.random(n)
    angle, z = a0 + share * (a1 - a0), z0 + share * (z1 - z0)
    u = rng.uniform(*source.half_tangents[:2], n)
    v = rng.uniform(*source.half_tangents[2:], n)
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = source.isocentre_mm
    start = np.stack([x + source.focus_mm * cos, y + source.focus_mm * sin, z], axis=1)
    ray = np.stack([-cos - u * sin, -sin + u * cos, v], axis=1)
    near, far = (-100 - start) / ray, (100 - start) / ray
    enter = np.minimum(near, far).max(axis=1)
    leave = np.maximum(near, far).min(axis=1)
    return bool(np.any((leave > 0) & (enter < leave)))


def test_two_processes_compile_into_one_cache() -> None:
    here = io.StringIO()
    with contextlib.redirect_stdout(here):
        exec(SHORT_CHILD, {})
    expected = here.getvalue().strip()
    assert expected
    assert compile_twice(SHORT_CHILD) == [expected, expected]
