"""Bad input: what is said about it, and how soon."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from omnidose.errors import GeometryError, InputError, OmnidoseError
from omnidose.physics.spectra import Spectrum
from omnidose.transport.checks._rows import judged_row
from omnidose.transport.checks.cube import WATER, small_cube
from omnidose.transport.engine import simulate
from omnidose.transport.scene import Box, Scene, VoxelGrid
from omnidose.transport.sources import ParallelSource, PyramidSource, RotatingSource, Source
from omnidose.validation import Context, Row

#: A refusal takes less than this; the photons asked for would take minutes.
SOON_S = 1.0
HISTORIES = 1e9

#: Two of these run at once on one empty compile cache. The short one compiles three functions that call each
#: other, the long one all kernels.
SHORT_CHILD = """
import numpy as np
from omnidose.transport.kernels.directions import isotropic, rotate
f = np.float32
a = rotate(f(0.6), f(0.0), f(0.8), f(0.5), f(1.0))
print([float(x).hex() for x in (*a, *isotropic(f(0.3), f(0.7)))])
"""
LONG_CHILD = """
import hashlib
from omnidose.transport.checks.cube import small_cube
from omnidose.transport.engine import simulate
scene, source, regions = small_cube()
t = simulate(scene, source, regions=regions, histories=4e4, voxel_map=True, backend="cpu")
print(hashlib.sha256(t.batch_energy_kev.tobytes() + t.voxel_dose_kev_g.tobytes()).hexdigest())
"""


def with_voxels(**changed: Any) -> Scene:
    """Return the small cube with other voxel arrays (made here: a bad grid is refused when it is made)."""
    scene, _source, _regions = small_cube()
    assert scene.voxels is not None
    return replace(scene, voxels=replace(scene.voxels, **changed))


def _one_voxel(value: float, kind: type = np.float32, others: float = 1.0) -> Any:
    array: np.ndarray[Any, Any] = np.full((20, 20, 20), others, dtype=kind)
    array[3, 4, 5] = value
    return array


def pyramid(direction: tuple[float, float, float]) -> PyramidSource:
    """Return a narrow beam from 50 cm above the cube."""
    return PyramidSource(
        position_mm=(0.0, 0.0, 500.0),
        direction=direction,
        up=(0.0, 1.0, 0.0),
        half_tangents=(-0.1, 0.1, -0.1, 0.1),
        spectrum=Spectrum.line(60.0),
    )


def tube(z_mm: float) -> RotatingSource:
    """Return a turning fan around the z axis at one height."""
    return RotatingSource(
        isocentre_mm=(0.0, 0.0),
        focus_mm=500.0,
        segments=np.array([[0.0, 2 * math.pi, z_mm, z_mm, 1.0]]),
        half_tangents=(-0.2, 0.2, -0.02, 0.02),
        spectra=(Spectrum.line(60.0),),
    )


def beam(**changed: Any) -> ParallelSource:
    """Return the beam of the small cube, changed."""
    return replace(small_cube()[1], **changed)


def request(**changed: Any) -> Callable[[], object]:
    """Return a call of the engine with the small cube, changed."""

    def call() -> object:
        scene, source, regions = small_cube()
        given: dict[str, Any] = {"histories": HISTORIES, "regions": regions}
        given |= changed
        return simulate(given.pop("scene", scene), given.pop("source", source), **given)

    return call


def bad_requests() -> dict[str, tuple[Callable[[], object], type[OmnidoseError], str]]:
    """Return what is wrong -> (call, kind of error, words that must be said)."""
    nan = math.nan

    def box(**changed: Any) -> Callable[[], object]:
        shape = {"lower_mm": (0.0, 0.0, 0.0), "upper_mm": (9.0, 9.0, 9.0)} | changed
        return lambda: request(scene=Scene(shapes=(Box(key="b", material=WATER, **shape),)), regions=())()

    def source(made: Callable[[], Source]) -> Callable[[], object]:
        return lambda: request(source=made())()

    return {
        "a negative density": (
            lambda: with_voxels(density_g_cm3=_one_voxel(-0.1)), GeometryError, "densities run from -0.1",
        ),
        "a density that is NaN": (
            lambda: with_voxels(density_g_cm3=_one_voxel(nan)), GeometryError, "densities run from nan",
        ),
        "an infinite density": (
            lambda: with_voxels(density_g_cm3=_one_voxel(math.inf)), GeometryError, "to inf g/cm3",
        ),
        "an unknown material": (
            lambda: with_voxels(material_index=_one_voxel(7, np.uint8, 0)), GeometryError, "names material 7",
        ),
        "a negative material": (
            lambda: with_voxels(material_index=_one_voxel(-1, np.int16, 0)), GeometryError, "material -1",
        ),
        "a shape with NaN": (box(lower_mm=(nan, 0.0, 0.0)), GeometryError, "box 'b'"),
        "a shape without volume": (box(upper_mm=(0.0, 9.0, 9.0)), GeometryError, "has no volume"),
        "a source outside the world": (
            source(lambda: beam(centre_mm=(0.0, 0.0, -3e8))), GeometryError, "3e+05 m from the scene",
        ),
        "a pyramid that points away": (source(lambda: pyramid((0.0, 0.0, 1.0))), GeometryError, "away"),
        "a pyramid that passes beside": (source(lambda: pyramid((1.0, 0.0, -1.0))), GeometryError, "beside"),
        "a parallel beam that flies away": (
            source(lambda: beam(direction=(0.0, 0.0, -1.0))), GeometryError, "points away",
        ),
        "a parallel beam beside everything": (
            source(lambda: beam(centre_mm=(300.0, 0.0, -200.0))), GeometryError, "beside everything",
        ),
        "a tube that turns beyond the body": (source(lambda: tube(200.0)), GeometryError, "beside"),
        "a source position with NaN": (
            source(lambda: beam(centre_mm=(nan, 0.0, 0.0))), GeometryError, "centre_mm",
        ),
        "a source direction with NaN": (
            source(lambda: beam(direction=(0.0, nan, 1.0))), GeometryError, "direction",
        ),
        "a source direction without length": (
            source(lambda: beam(direction=(0.0, 0.0, 0.0))), InputError, "no length",
        ),
        "zero histories": (request(histories=0), InputError, "0 histories"),
        "negative histories": (request(histories=-1e6), InputError, "-1e+06 histories"),
        "histories that are NaN": (request(histories=nan), InputError, "nan histories"),
        "a cap that is NaN": (
            request(histories=None, precision=0.01, max_histories=nan), InputError, "in max_histories",
        ),
        "a precision that is NaN": (request(histories=None, precision=nan), InputError, "no relative error"),
        "a precision for an unknown organ": (
            request(histories=None, precision={"spleen": 0.1}), InputError, "no region called spleen",
        ),
        "an energy above the tables": (
            source(lambda: beam(spectrum=Spectrum.line(20_001.0))), InputError, "cannot be simulated",
        ),
        "an energy below the tables": (
            source(lambda: beam(spectrum=Spectrum.line(0.5))), InputError, "cannot be simulated",
        ),
        "an energy that is NaN": (
            source(lambda: beam(spectrum=Spectrum.line(nan))), OmnidoseError, "energy_kev",
        ),
        "a sampling density that is NaN": (request(sampling_per_cm={"all": nan}), InputError, "per_cm"),
        "a negative seed": (request(seed=-1), InputError, "seed -1"),
        "no threads": (request(threads=0), InputError, "0 threads"),
        "an unknown backend": (request(backend="gpu"), InputError, "auto, cpu, cuda"),
        "an address instead of a client": (request(cluster="tcp://a:1"), InputError, "no client"),
    }  # fmt: skip


def refused(call: Callable[[], object], kind: type[OmnidoseError], words: str) -> tuple[str, bool, float]:
    """Return what was said, whether it was the right error in one sentence, and the seconds it took."""
    tick = time.perf_counter()
    try:
        call()
    except OmnidoseError as error:
        said = str(error)
        right = isinstance(error, kind) and words in said and "\n" not in said
    except Exception as error:
        said, right = f"{type(error).__name__}: {error}", False
    else:
        said, right = "nothing", False
    return said, right, time.perf_counter() - tick


def compile_twice(child: str, *, timeout_s: float = 300.0) -> list[str]:
    """Run two processes at once on one empty compile cache; return what each printed (or its error)."""
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, OMNIDOSE_CACHE_DIR=folder)
        children = [
            subprocess.Popen(
                [sys.executable, "-c", child],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        found = []
        for process in children:
            out, error = process.communicate(timeout=timeout_s)
            found.append(out.strip() if process.returncode == 0 else f"failed: {error.strip()[-200:]}")
    return found


def run_child_here(child: str) -> str:
    """Return what a child prints if it runs alone with the usual cache."""
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def check(context: Context) -> Iterator[Row]:
    """Yield the rows of the claim."""
    for name, (call, kind, words) in bad_requests().items():
        said, right, seconds_s = refused(call, kind, words)
        yield judged_row(
            name,
            said,
            right and seconds_s < SOON_S,
            tolerance=f"one sentence that says '{words}', within {SOON_S:g} s",
            note=f"{1000 * seconds_s:.0f} ms",
        )
    yield _large_grid_row()
    child = LONG_CHILD if context.full else SHORT_CHILD
    expected = run_child_here(child)
    found = compile_twice(child)
    yield judged_row(
        f"two processes that compile {'all' if context.full else 'some'} kernels into one empty cache",
        "same bits" if found == [expected, expected] else "; ".join(found),
        found == [expected, expected],
        tolerance="both give the bits of a process that runs alone",
    )


def _large_grid_row() -> Row:
    """Time what the look at every voxel costs in a body of 46 million."""
    scene, _source, _regions = small_cube()
    assert scene.voxels is not None
    shape = (450, 320, 320)
    density = np.ones(shape, dtype=np.float32)
    index = np.zeros(shape, dtype=np.uint8)
    grid = replace(scene.voxels.grid, shape_zyx=shape)
    tick = time.perf_counter()
    VoxelGrid(grid=grid, materials=(WATER,), material_index=index, density_g_cm3=density)
    seconds_s = time.perf_counter() - tick
    return judged_row(
        "looking at every voxel of a body of 46 million",
        round(seconds_s, 3),
        seconds_s < SOON_S,
        tolerance=f"below {SOON_S:g} s",
        unit="s",
    )
