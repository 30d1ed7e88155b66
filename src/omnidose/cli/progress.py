"""Progress with time left, on stderr, so that stdout stays clean for ``--json``.

A terminal gets one bar per stage. Anything else (a log file, a pipe) gets a plain line when a stage
begins and then at most one line in half a minute.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from omnidose.exams.plan import StageProgress

#: Least time between two lines of one stage in a log, seconds.
LOG_EVERY_S = 30.0
#: A terminal line: stage, bar, text, time. The text gets what the other columns leave.
STAGE_WIDTH, BAR_WIDTH, OTHER_WIDTH, LEAST_TEXT_WIDTH = 16, 16, 14, 12


@contextmanager
def stage_progress(console: Console, *, quiet: bool = False) -> Iterator[StageProgress]:
    """Yield a callback (stage, share done or NaN, text) that shows progress on the console."""
    if quiet:
        yield lambda _stage, _share, _text: None
    elif console.is_terminal:
        with _bars(console) as tell:
            yield tell
    else:
        yield log_lines(lambda line: console.print(escape(line), highlight=False, soft_wrap=True))


def log_lines(emit: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic) -> StageProgress:
    """Return a callback that tells a log about every new stage, and rarely about its progress.

    Parameters
    ----------
    emit
        Called with one line.
    clock
        Seconds that only grow.
    """
    current, last_s = "", -math.inf

    def tell(stage: str, share: float, text: str) -> None:
        nonlocal current, last_s
        now_s = clock()
        if stage == current and now_s - last_s < LOG_EVERY_S:
            return
        if stage != current:
            emit(f"{stage} …")
        else:
            done = f" {100 * share:.0f} %" if math.isfinite(share) else ""
            emit(f"{stage}{done}{': ' if text else ''}{text}")
        current, last_s = stage, now_s

    return tell


@contextmanager
def _bars(console: Console) -> Iterator[StageProgress]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=BAR_WIDTH),
        TextColumn("{task.fields[text]}", markup=False),
        TimeElapsedColumn(),
    )
    bars = Progress(*columns, console=console)
    width = max(LEAST_TEXT_WIDTH, console.width - STAGE_WIDTH - BAR_WIDTH - OTHER_WIDTH)
    tasks: dict[str, TaskID] = {}

    def tell(stage: str, share: float, text: str) -> None:
        text = text if len(text) <= width else text[: width - 1] + "…"
        if stage not in tasks:
            _finish(bars, tasks)
            bars.start()  # not before there is something to show: an error may come first
            tasks[stage] = bars.add_task(escape(stage.ljust(STAGE_WIDTH)), total=None, text=text)
        known = math.isfinite(share)
        bars.update(tasks[stage], total=1.0 if known else None, completed=share if known else 0.0, text=text)

    try:
        yield tell
        _finish(bars, tasks)
    finally:
        if tasks:
            bars.stop()


def _finish(bars: Progress, tasks: dict[str, TaskID]) -> None:
    for task in tasks.values():
        bars.update(task, total=1.0, completed=1.0)
