"""Small exams and what is estimated from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from omnidose.exams.bad_input import HISTORIES
from omnidose.exams.options import EstimateOptions
from omnidose.exams.plan import plan, survey
from omnidose.exams.run import ExamResult, run


@pytest.fixture(scope="session")
def estimate(organs_once: None) -> Callable[..., ExamResult]:
    """Return a function (exam, **options) -> result; few photons unless said otherwise."""

    def do(exam: Any, **options: Any) -> ExamResult:
        if "precision" not in options:
            options.setdefault("histories", HISTORIES)
        with survey(exam) as inventory:
            return run(plan(inventory, EstimateOptions(**options)))

    return do
