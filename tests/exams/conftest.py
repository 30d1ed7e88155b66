"""Small exams, and the search for organs done once for equal images: it takes longer than all the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from omnidose.exams import bodies
from omnidose.exams.bad_input import HISTORIES
from omnidose.exams.options import EstimateOptions
from omnidose.exams.plan import plan, survey
from omnidose.exams.run import ExamResult, run


@pytest.fixture(scope="session")
def organs_once() -> Iterator[None]:
    """Keep what the segmentation found, by images: the person changes only the phantom that is fitted."""
    found: dict[Any, Any] = {}
    real = bodies.segment

    def segment(ct: Any, **options: Any) -> Any:
        key = (ct.array.tobytes(), ct.affine_lps_mm.tobytes())
        if key not in found:
            found[key] = real(ct, **options)
        return found[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bodies, "segment", segment)
        yield


@pytest.fixture(scope="session")
def estimate(organs_once: None) -> Callable[..., ExamResult]:
    """Return a function (exam, **options) -> result; few photons unless said otherwise."""

    def do(exam: Any, **options: Any) -> ExamResult:
        if "precision" not in options:
            options.setdefault("histories", HISTORIES)
        with survey(exam) as inventory:
            return run(plan(inventory, EstimateOptions(**options)))

    return do
