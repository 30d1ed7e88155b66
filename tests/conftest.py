"""Fixtures that several folders of tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def organs_once() -> Iterator[None]:
    """Look for organs once in equal images of one person: that takes longer than the rest of a small exam."""
    from omnidose.exams import bodies

    found: dict[Any, Any] = {}
    real = bodies.segment

    def segment(ct: Any, **options: Any) -> Any:
        person = tuple(sorted((name, value) for name, value in options.items() if name != "progress"))
        key = (ct.array.tobytes(), ct.affine_lps_mm.tobytes(), person)
        if key not in found:
            found[key] = real(ct, **options)
        return found[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bodies, "segment", segment)
        yield
