"""When a GPU can be used, what it must hold, and what is said if it cannot."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from omnidose.errors import DependencyError, InputError, RangeError
from omnidose.physics.spectra import Spectrum
from omnidose.transport import cuda
from omnidose.transport.checks.small_scenes import small_problems, small_scene
from omnidose.transport.engine import simulate
from omnidose.transport.outputs import Asked
from omnidose.transport.problem import TRACED, Problem
from omnidose.transport.sources import IsotropicSource


@pytest.fixture(scope="module")
def problem() -> Problem:
    return small_problems()["60 keV"]


def test_without_a_gpu_the_reason_is_said(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "missing", lambda: "there is no NVIDIA GPU with a working driver")
    assert not cuda.available()
    with pytest.raises(DependencyError, match="no NVIDIA GPU with a working driver; use backend='cpu'"):
        cuda.CudaRunner(problem)


def test_a_reason_is_one_clause() -> None:
    for reason in (cuda.missing(), cuda.missing_compiler()):
        assert not reason.endswith(".")
        assert "\n" not in reason
    assert cuda.available() == (cuda.missing() == "")


def test_a_problem_too_large_for_the_card_is_refused_with_numbers(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "missing", lambda: "")
    monkeypatch.setattr(cuda, "free_bytes", lambda: 0.5e9)
    with pytest.raises(RangeError, match=r"needs 0\.54 GB on the GPU, 0\.50 GB are free"):
        cuda.CudaRunner(problem)
    assert "omnidose.transport._cuda_loop" not in sys.modules  # refused before anything is loaded


def test_outputs_that_a_gpu_does_not_make_are_refused(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "missing", lambda: "")
    with pytest.raises(InputError, match="not made on a GPU; use backend='cpu'"):
        cuda.CudaRunner(replace(problem, asked=Asked(exits=10)))


@pytest.mark.parametrize("what", ["room", "importance", "traced"])
def test_ways_that_a_gpu_does_not_go_are_refused(
    what: str, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "missing", lambda: "")
    changes: dict[str, Any] = {
        "room": {"room": object()},
        "importance": {"importance": object()},
        "traced": {"method": problem.method._replace(estimator=TRACED)},
    }
    with pytest.raises(InputError, match="rooms, importance and traced primaries are not made on a GPU"):
        cuda.CudaRunner(replace(problem, **changes[what]))


def test_auto_falls_back_to_the_cpu_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "missing", lambda: "")
    monkeypatch.setattr(cuda, "free_bytes", lambda: 0.5e9)
    scene, regions = small_scene()
    source = IsotropicSource(centre_mm=(0, 0, 0), spectrum=Spectrum.line(60.0))
    with pytest.warns(UserWarning, match="GB on the GPU.*CPU"):
        gpu = simulate(scene, source, regions=regions, histories=400)
    cpu = simulate(scene, source, regions=regions, histories=400, backend="cpu")
    assert np.array_equal(gpu.batch_energy_kev, cpu.batch_energy_kev)
    with pytest.warns(UserWarning, match="traced primaries are not made on a GPU.*CPU"):
        simulate(scene, source, regions=regions, histories=400, estimator="traced")
    with pytest.raises(RangeError, match="GB on the GPU"):
        simulate(scene, source, regions=regions, histories=400, backend="cuda")


def test_the_memory_counts_voxels_and_the_dose_map(problem: Problem) -> None:
    bare = replace(problem, voxel_shape=None)
    assert cuda.bytes_needed(problem) - cuda.bytes_needed(bare) == 8 * 512
    geometry = problem.geometry
    larger = geometry._replace(word=np.zeros(10**7, dtype=np.uint32))
    added = cuda.bytes_needed(replace(problem, geometry=larger)) - cuda.bytes_needed(problem)
    assert added == larger.word.nbytes - geometry.word.nbytes


def test_sums_of_a_launch_cannot_overflow(problem: Problem) -> None:
    runner = object.__new__(cuda.CudaRunner)
    runner._problem = problem
    histories = runner._histories_without_overflow()
    assert 60.0 * histories * cuda.COUNTS_PER_KEV * 60 < 2**63
    assert cuda.LEAST_ROWS * histories > 1e7  # and a launch still fills a card
