"""Work shared out to threads of this process; compiled loops run without Python's global lock."""

from __future__ import annotations

import collections
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def thread_count(threads: int | None = None) -> int:
    """Return how many threads to use: as told, else ``NUMBA_NUM_THREADS``, else one for every processor."""
    return max(1, threads or int(os.environ.get("NUMBA_NUM_THREADS", "0")) or os.cpu_count() or 1)


def share_out(n: int, threads: int, work: Callable[[int, int], None]) -> None:
    """Call ``work(item, thread)`` for the items 0 to n - 1; every thread takes the next one when it is free.

    The first exception is raised again, and no further item is begun.
    """
    items = iter(range(n))

    def take(thread: int) -> None:
        for item in items:  # shared: next() of an iterator over a range is atomic
            work(item, thread)

    count = min(threads, n)
    if count <= 1:
        take(0)
        return
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(take, thread) for thread in range(count)]
        try:
            for future in futures:
                future.result()
        except BaseException:
            collections.deque(items, maxlen=0)  # nothing is left for the others to begin
            raise
