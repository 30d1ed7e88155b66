"""Where a source's photons start: to look at a source, to plot it, to check it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.transport.source_tables import compile_source, source_bounds_mm
from omnidose.transport.sources import Source

ArrayF8 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Births:
    """Photons as they leave a source.

    Attributes
    ----------
    place_mm, direction
        float64 [n, 3].
    energy_kev
        float64 [n].
    """

    place_mm: ArrayF8
    direction: ArrayF8
    energy_kev: ArrayF8


def births(source: Source, count: int, *, seed: int = 1) -> Births:
    """Return the first photons that a run with this seed would follow (of a pair only the first).

    Raises
    ------
    InputError
        If the count is not positive or the source cannot be compiled.
    """
    from omnidose.transport.kernels.sources import emit_many

    if count < 1:
        raise InputError(f"{count} photons", where="count", allowed="at least 1")
    lower, upper = source_bounds_mm(source)
    origin = 0.5 * (lower + upper)  # float32 lengths are best near 0
    out = np.empty((count, 7), dtype=np.float32)
    emit_many(compile_source(source, origin), np.uint64(0), np.uint64(seed), out)
    found = out.astype(np.float64)
    return Births(place_mm=10 * found[:, :3] + origin, direction=found[:, 3:6], energy_kev=found[:, 6])
