"""The small PET exam, written and ingested."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omnidose.anatomy.body import BodyModel
from omnidose.modalities.nuclear.exposure import NuclearExam
from omnidose.modalities.nuclear.proofs._small_exam import ingest_folder, small_body, write_small


@pytest.fixture(scope="session")
def small() -> BodyModel:
    """A cylinder of water with a hot ball."""
    return small_body()


@pytest.fixture
def ingested(tmp_path: Path) -> Callable[..., NuclearExam]:
    """Return a function (change, **given) -> record of the small exam."""

    def do(change: Any = None, **given: Any) -> NuclearExam:
        write_small(tmp_path / "exam", change)
        return ingest_folder(tmp_path / "exam", given)

    return do
