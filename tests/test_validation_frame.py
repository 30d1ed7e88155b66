"""The frame of ``omnidose validate`` reports honestly."""

from __future__ import annotations

import pytest

from omnidose.errors import InputError
from omnidose.validation import Claim, Context, Row, State, run, run_claim, suites, within


def test_claim_without_check_is_not_built() -> None:
    (row,) = run_claim(Claim(name="a", text="b"), Context())
    assert row.state is State.NOT_BUILT
    assert not row.passed


def test_crash_becomes_failed_row() -> None:
    def check(_context: Context) -> list[Row]:
        raise RuntimeError("broken")

    (row,) = run_claim(Claim(name="a", text="b", check=check), Context())
    assert row.state is State.FAILED
    assert "broken" in row.note


def test_check_without_rows_fails() -> None:
    (row,) = run_claim(Claim(name="a", text="b", check=lambda _c: []), Context())
    assert row.state is State.FAILED


def test_missing_reference_is_not_run() -> None:
    claim = Claim(name="a", text="b", check=lambda _c: [], needs_reference="x.csv")
    (row,) = run_claim(claim, Context(reference=None))
    assert row.state is State.NOT_RUN


@pytest.mark.parametrize(
    ("ours", "state"), [(1.004, State.PASSED), (1.02, State.FAILED), (float("nan"), State.FAILED)]
)
def test_within_relative(ours: float, state: State) -> None:
    assert within("x", ours, 1.0, unit="", source="", tolerance_rel=0.005).state is state


def test_within_bounds_or_tolerance() -> None:
    assert within("x", 1.4, 1.0, unit="", source="", tolerance_rel=0.01, bounds=(0.9, 1.5)).passed


def test_within_needs_a_criterion() -> None:
    with pytest.raises(ValueError, match="cannot fail"):
        within("x", 1.0, 1.0, unit="", source="")


def test_every_registered_suite_loads_and_unknown_is_refused() -> None:
    assert {"physics", "transport"} <= set(suites())
    with pytest.raises(InputError, match="no validation 'nonsense'"):
        list(run(["nonsense"], Context()))
