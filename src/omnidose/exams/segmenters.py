"""Segmenters besides the built-in one: entry points of the group ``omnidose.segmenters``."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.volume import Volume

#: A segmenter takes CT numbers along +L, +P, +S and returns masks by canonical organ name on their grid.
#: What it does not find comes from the built-in segmentation.
Segmenter = Callable[[Volume], dict[str, npt.NDArray[np.bool_]]]

GROUP = "omnidose.segmenters"
BUILT_IN = "built-in"


def check_segmenter(name: str) -> None:
    """Raise InputError with the known names if there is no such segmenter."""
    known = (BUILT_IN, *sorted(point.name for point in entry_points(group=GROUP)))
    if name not in known:
        raise InputError(f"there is no segmenter '{name}'", where="--segmenter", allowed=", ".join(known))


def segmenter(name: str) -> Segmenter:
    """Return a segmenter by the name of its entry point."""
    check_segmenter(name)
    (point,) = entry_points(group=GROUP, name=name)
    loaded: Segmenter = point.load()
    return loaded
