"""The frame of ``omnidose validate``: claims, the rows that measure them, and their states.

Each room with published numbers to meet has a ``validation.py`` with one ``SUITE``, announced in
the entry-point group ``omnidose.validation``. A claim without a check is *not built*.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from omnidose.errors import InputError


class State(StrEnum):
    """State of a validation row."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_BUILT = "not built"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number of ours beside one of theirs.

    Attributes
    ----------
    claim
        Name of the claim that this row measures.
    tolerance
        In words or numbers, as promised; ``state`` says whether it was met.
    note
        Own uncertainty, reason for not running, remarks.
    """

    name: str
    ours: float | str | None
    unit: str
    reference: float | str | None
    source: str
    tolerance: str
    state: State
    note: str = ""
    claim: str = ""

    @property
    def passed(self) -> bool:
        """True only for a row that was run and met its tolerance."""
        return self.state is State.PASSED

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types, with ``passed`` beside ``state``."""
        out = asdict(self)
        out["state"] = self.state.value
        out["passed"] = self.passed
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a check may use.

    Attributes
    ----------
    full
        Run the long comparisons too.
    reference
        Folder with published reference files that are not part of the package, or None.
    progress
        Called with one line of text.
    """

    full: bool = False
    reference: Path | None = None
    progress: Callable[[str], None] = field(default=lambda _text: None)


Check = Callable[[Context], Iterable[Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Something omnidose must show.

    Attributes
    ----------
    needs_reference
        Path inside the reference folder without which the check cannot run.
    only_full
        Run only with ``--full``.
    """

    name: str
    text: str
    check: Check | None = None
    needs_reference: str = ""
    only_full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """All claims of one room."""

    name: str
    title: str
    claims: tuple[Claim, ...]


def reference_dir() -> Path | None:
    """Return the folder of published reference files, or None if there is none.

    ``OMNIDOSE_REFERENCE_DIR`` wins; else ``../shared/reference`` beside the working directory.
    """
    given = os.environ.get("OMNIDOSE_REFERENCE_DIR")
    path = Path(given) if given else Path.cwd().parent / "shared" / "reference"
    return path if path.is_dir() else None


def within(
    name: str,
    ours: float,
    reference: float,
    *,
    unit: str,
    source: str,
    tolerance_rel: float | None = None,
    bounds: tuple[float, float] | None = None,
    note: str = "",
) -> Row:
    """Make a row that passes if ``ours`` is within a relative tolerance *or* inside ``bounds``.

    A value that is not finite fails.
    """
    ok = False
    words = []
    if tolerance_rel is not None:
        words.append(f"{100 * tolerance_rel:g} %")
        ok = abs(ours - reference) <= tolerance_rel * abs(reference)
    if bounds is not None:
        words.append(f"inside [{bounds[0]:.6g}, {bounds[1]:.6g}]")
        ok = ok or bounds[0] <= ours <= bounds[1]
    if not words:
        raise ValueError("a check that cannot fail is a defect: give tolerance_rel or bounds")
    ok = ok and math.isfinite(ours)
    return Row(
        name=name,
        ours=ours,
        unit=unit,
        reference=reference,
        source=source,
        tolerance=" or ".join(words),
        state=State.PASSED if ok else State.FAILED,
        note=note,
    )


def suites() -> dict[str, Suite]:
    """Return every registered suite by name, in the order of the entry points' names."""
    found = {}
    for point in sorted(entry_points(group="omnidose.validation"), key=lambda p: p.name):
        found[point.name] = point.load()
    return found


def _without_number(claim: Claim, state: State, note: str) -> Row:
    return Row(
        name=claim.text,
        ours=None,
        unit="",
        reference=None,
        source="",
        tolerance="",
        state=state,
        note=note,
        claim=claim.name,
    )


def run_claim(claim: Claim, context: Context) -> Iterator[Row]:
    """Yield the rows of one claim; an exception becomes a failed row, never a silent gap."""
    if claim.check is None:
        yield _without_number(claim, State.NOT_BUILT, "")
        return
    if claim.only_full and not context.full:
        yield _without_number(claim, State.NOT_RUN, "a long comparison: run with --full")
        return
    if claim.needs_reference and (
        context.reference is None or not (context.reference / claim.needs_reference).exists()
    ):
        yield _without_number(claim, State.NOT_RUN, f"needs the reference file {claim.needs_reference}")
        return
    count = 0
    try:
        for row in claim.check(context):
            count += 1
            yield replace(row, claim=claim.name)
    except Exception as error:  # a crash is a finding: it becomes a failed row and the run goes on
        count += 1
        yield _without_number(claim, State.FAILED, f"{type(error).__name__}: {error}")
    if count == 0:
        yield _without_number(claim, State.FAILED, "the check gave no row")


def run(names: Iterable[str], context: Context) -> Iterator[tuple[Suite, Row]]:
    """Run suites (``physics``) or single claims (``physics.xcom``); no names means all."""
    known = suites()
    wanted = list(names) or list(known)
    for name in wanted:
        suite_name, _, claim_name = name.partition(".")
        suite = known.get(suite_name)
        claims = [c for c in suite.claims if claim_name in ("", c.name)] if suite else []
        if suite is None or not claims:
            listed = ", ".join(f"{s.name}.{c.name}" for s in known.values() for c in s.claims)
            raise InputError(
                f"there is no validation '{name}'", allowed=f"{', '.join(known)}, or one of {listed}"
            )
        for claim in claims:
            context.progress(f"{suite.name}.{claim.name}")
            for row in run_claim(claim, context):
                yield suite, row
