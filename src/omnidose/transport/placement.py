"""Tables side by side in memory.

The many small arrays of a problem, allocated one by one, may begin at addresses that share their place in the
processor's nearest cache: put there on purpose, they cost an eighth of the rate. One block avoids that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.transport.problem import Problem

#: Arrays up to this size (bytes) move together; voxels stay where they are.
LARGEST_BYTES = 1 << 20
VOXELS = ("word", "weights")
LINE_BYTES = 64
PAGE_BYTES = 4096


def side_by_side(problem: Problem) -> Problem:
    """Return the problem with its small arrays copied into one block."""
    records = {name: getattr(problem, name) for name in ("method", "geometry", "physics", "beam")}
    small = {
        (name, field): value
        for name, record in records.items()
        for field, value in record._asdict().items()
        if isinstance(value, np.ndarray) and value.nbytes <= LARGEST_BYTES and field not in VOXELS
    }
    block = np.empty(sum(_padded(a) for a in small.values()) + PAGE_BYTES, dtype=np.uint8)
    start = -block.ctypes.data % PAGE_BYTES
    moved: dict[str, dict[str, Any]] = {name: {} for name in records}
    for (name, field), array in small.items():
        place = block[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
        place[...] = array
        moved[name][field] = place
        start += _padded(array)
    return replace(problem, **{name: record._replace(**moved[name]) for name, record in records.items()})


def _padded(array: npt.NDArray[Any]) -> int:
    return -(-array.nbytes // LINE_BYTES) * LINE_BYTES
