"""Progress with time left, on stderr, so that stdout stays clean for ``--json``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from omnidose.exams.plan import StageProgress


@contextmanager
def stage_progress(console: Console, *, quiet: bool = False) -> Iterator[StageProgress]:
    """Yield a callback that shows one line per stage; a terminal gets a bar, a log gets a line."""
    if quiet:
        yield lambda _stage, _share, _text: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=False) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(stage: str, share: float, text: str) -> None:
            if stage not in tasks:
                for earlier in tasks.values():
                    bars.update(earlier, total=1.0, completed=1.0)
                tasks[stage] = bars.add_task(stage, total=None, text=text)
            known = math.isfinite(share)
            bars.update(
                tasks[stage], total=1.0 if known else None, completed=share if known else 0.0, text=text
            )

        yield tell
        for task in tasks.values():
            bars.update(task, total=1.0, completed=1.0)
