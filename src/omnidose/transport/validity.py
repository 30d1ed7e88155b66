"""Requests that cannot be simulated are refused here, in one sentence, before any time is spent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.errors import GeometryError, InputError, RangeError
from omnidose.transport.room import scene_bounds_mm, voxel_grids
from omnidose.transport.scene import Scene
from omnidose.transport.shapes import box_corners
from omnidose.transport.source_tables import beam_frame, rotation_frame, source_bounds_mm
from omnidose.transport.sources import FanSource, ParallelSource, PyramidSource, RotatingSource, Source

ArrayF8 = npt.NDArray[np.float64]

#: Farther from the scene nothing may start: float32 coordinates are good to 8 um there.
WORLD_MM = 1e5
#: A turning tube is looked at in pieces of an arc of at most so much.
ARC_RAD = math.radians(5)
#: Fans wider than this to one side are not judged.
WIDEST_RAD = math.radians(85)


def check_counts(**counts: float | None) -> None:
    """Refuse numbers of histories that are not positive and finite; None is not looked at.

    Raises
    ------
    InputError
        Naming the argument.
    """
    for name, value in counts.items():
        if value is not None and not (value >= 1 and math.isfinite(value)):
            raise InputError(f"{value:g} histories", where=name, allowed="a positive finite number, e.g. 1e6")


def check_seed(seed: int) -> None:
    """Refuse seeds that do not fit in 64 bits."""
    if not 0 <= seed < 2**64:
        raise InputError(f"seed {seed}", where="seed", allowed="0 to 2^64 - 1")


def check_sampling(sampling_per_cm: Mapping[str, float]) -> None:
    """Refuse negative and endless densities of tentative collisions."""
    for key, value in sampling_per_cm.items():
        if not 0 <= value <= 1e4:
            raise RangeError(
                f"{value:g} tentative collisions per cm in '{key}'",
                where="sampling_per_cm",
                allowed="0 to 1e4",
            )


def check_scene(scene: Scene) -> None:
    """Refuse numbers in a scene that are not finite (voxels are looked at when their grid is made).

    Raises
    ------
    GeometryError
        Naming the part and the field.
    """
    for index, shape in enumerate(scene.shapes):
        _refuse_not_finite(shape, f"shape {index} ('{shape.key}')")
    _refuse_not_finite(scene.world, "the world's material")
    for name, voxels in zip(("the voxel grid", "the room's grid"), voxel_grids(scene)):
        _refuse_not_finite(voxels.grid, name)
        for material in voxels.materials:
            _refuse_not_finite(material, f"material '{material.name}'")
    if not 0 < scene.world_margin_mm <= WORLD_MM:
        raise GeometryError(
            f"a world margin of {scene.world_margin_mm:g} mm", allowed=f"above 0, at most {WORLD_MM:g}"
        )


def check_source(scene: Scene, source: Source) -> None:
    """Refuse sources that are not finite, outside the world, or point away from everything.

    Raises
    ------
    GeometryError
        The last is said only where a plane parts the beam from the box around voxels and shapes, so that no
        straight line of the beam can meet them; beams that miss in other ways run.
    """
    _refuse_not_finite(source, "the source")
    lower, upper = scene_bounds_mm(scene)
    starts_lower, starts_upper = source_bounds_mm(source)
    distance_mm = float(np.max(np.maximum(lower - starts_lower, starts_upper - upper)))
    if distance_mm > WORLD_MM:
        raise GeometryError(
            f"the source lies {distance_mm / 1000:.4g} m from the scene, outside the world",
            where="source",
            allowed=f"at most {WORLD_MM / 1000:g} m from voxels and shapes",
        )
    if _points_away(source, lower, upper):
        box = ", ".join(f"{axis} {a:.0f} to {b:.0f}" for axis, a, b in zip("xyz", lower, upper))
        raise GeometryError(
            "the beam of the source cannot meet the scene: it points away from or passes beside everything",
            where="source",
            todo=f"check position and direction; voxels and shapes lie within {box} mm",
        )


def _refuse_not_finite(record: Any, name: str) -> None:
    found = _not_finite(record)
    if found:
        raise GeometryError(f"a number of {name} is not finite", where=found, allowed="finite numbers")


def _not_finite(value: Any, path: str = "") -> str:
    """Return the path to the first number in a record that is NaN or infinite, or nothing."""
    if isinstance(value, (bool, str)) or value is None:
        return ""
    if isinstance(value, (int, float, np.ndarray, np.number)):
        array = np.asarray(value)
        bad = array.dtype.kind in "fc" and not bool(np.isfinite(array).all())
        return (path or "value") if bad else ""
    if is_dataclass(value):
        inner = [(f.name, getattr(value, f.name)) for f in fields(value)]
    elif isinstance(value, Mapping):
        inner = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, Sequence):
        inner = [(str(index), item) for index, item in enumerate(value)]
    else:
        return ""
    for key, item in inner:
        found = _not_finite(item, f"{path}.{key}" if path else key)
        if found:
            return found
    return ""


def _points_away(source: Source, lower_mm: ArrayF8, upper_mm: ArrayF8) -> bool:
    """Return True if a plane parts every ray of the beam from a box (kinds without a direction: False)."""
    if isinstance(source, (PyramidSource, FanSource)):
        frame = beam_frame(source.direction, source.up)
        apex = np.asarray(source.position_mm, dtype=np.float64)
        return bool(_parted((box_corners(lower_mm, upper_mm) - apex) @ frame.T, source.half_tangents))
    if isinstance(source, ParallelSource):
        frame = beam_frame(source.direction, source.up)
        u, v, w = ((box_corners(lower_mm, upper_mm) - np.asarray(source.centre_mm)) @ frame.T).T
        half_u, half_v = source.half_widths_mm
        beside = np.all(u > half_u) or np.all(u < -half_u) or np.all(v > half_v) or np.all(v < -half_v)
        return bool(np.all(w <= 0) or beside)
    if isinstance(source, RotatingSource):
        return _turns_away(source, lower_mm, upper_mm)
    return False


def _parted(corners: ArrayF8, tangents: Sequence[float]) -> npt.NDArray[np.bool_]:
    """Return for corners [..., 8, 3] along (u, v, w) whether one face of the pyramid has them all outside."""
    u, v, w = corners[..., 0], corners[..., 1], corners[..., 2]
    u_low, u_high, v_low, v_high = tangents
    outside = [w <= 0, u < u_low * w, u > u_high * w, v < v_low * w, v > v_high * w]
    return np.asarray(np.any([np.all(side, axis=-1) for side in outside], axis=0))


def _turns_away(source: RotatingSource, lower_mm: ArrayF8, upper_mm: ArrayF8) -> bool:
    """Return True if no piece of the path can meet the box.

    The tube on a piece of arc is replaced by one in its middle with a fan that is wider by half the piece,
    and the box by one along the tube's own axes that is larger by the way to the ends of the piece: what the
    tube meets, this meets.
    """
    centre = np.array([*source.isocentre_mm, source.isocentre_z_mm])
    corners = (box_corners(lower_mm, upper_mm) - centre) @ rotation_frame(source).T
    lower_mm, upper_mm = corners.min(axis=0), corners.max(axis=0)
    start, end, z_start, z_end, weight = source.segments[source.segments[:, 4] > 0].T
    count = np.maximum(np.ceil(np.abs(end - start) / ARC_RAD), 1).astype(int)
    segment = np.repeat(np.arange(weight.size), count)
    piece = np.arange(segment.size) - np.repeat(np.cumsum(count) - count, count)
    share = (piece + 0.5) / count[segment]
    angle = start[segment] + share * (end - start)[segment]
    z = z_start[segment] + share * (z_end - z_start)[segment]
    half = float(np.max(np.abs(end - start) / count)) / 2
    reach = np.array([source.focus_mm * half] * 2 + [float(np.max(np.abs(z_end - z_start) / count)) / 2])
    u_low, u_high, v_low, v_high = source.half_tangents
    widest = math.atan(max(abs(u_low), abs(u_high)))
    if widest + half > WIDEST_RAD:
        return False
    slope = math.tan(widest + half)
    nearer, farther = (math.cos(widest + s * half) / math.cos(widest) for s in (1, -1))
    v_limits = min(v_low / nearer, v_low / farther), max(v_high / nearer, v_high / farther)
    cos, sin = np.cos(angle), np.sin(angle)
    focus = np.stack([source.focus_mm * cos, source.focus_mm * sin, z], axis=1)
    delta = box_corners(lower_mm - reach, upper_mm + reach)[None] - focus[:, None]
    along = np.stack(
        [
            delta[..., 1] * cos[:, None] - delta[..., 0] * sin[:, None],
            delta[..., 2],
            -delta[..., 0] * cos[:, None] - delta[..., 1] * sin[:, None],
        ],
        axis=-1,
    )
    return bool(np.all(_parted(along, (-slope, slope, *v_limits))))
