"""Which series show the same irradiation, and which of them is the best anatomy."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from omnidose.dicom.ct_frames import Frame, frames_of, is_ct_image
from omnidose.dicom.headers import acquisition_time, number, text
from omnidose.dicom.inventory import Instance, Series
from omnidose.errors import OmnidoseError

#: A hole of more than this between two slices separates two ranges (chest and pelvis in one series).
_RANGE_GAP_MM = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconstructionGroup:
    """All series made from one acquisition, of which one is the anatomy.

    Attributes
    ----------
    reason
        Why these count once and why this one was chosen, in one sentence (empty for a single series).
    """

    chosen: Series
    others: tuple[Series, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Facts:
    series: Series
    events: frozenset[str]
    acquisitions: frozenset[str]
    start: datetime | None
    end: datetime | None
    low_mm: float
    high_mm: float
    axial: bool
    width_mm: float
    thickness_mm: float
    sharpness: float
    derived: bool
    kvp_kv: float


def split_series(series: Series) -> tuple[Series, ...]:
    """Split one series into stacks of parallel slices that do not lie on each other.

    Other orientations or matrices, several phases or reconstructions under one series UID, and ranges
    far apart become parts with a name in ``part``; localizers and other images that are no slices are
    left out. A series that is one stack comes back alone, with ``part`` empty.
    """
    placed: list[tuple[Instance, Frame]] = []
    unplaced: list[Instance] = []
    for instance in series.instances:
        if not is_ct_image(instance):
            continue
        try:
            placed.append((instance, next(frames_of(instance))))
        except (OmnidoseError, StopIteration):
            unplaced.append(instance)
    if not placed:
        return (_part(series, unplaced, series.part),) if unplaced else ()
    stacks: list[list[tuple[Instance, Frame]]] = []
    for group in _grouped(placed, lambda p: _shape_key(p[1])):
        for phase in _split_phases(group):
            stacks.extend(_split_ranges(phase))
    stacks.sort(key=len, reverse=True)
    if len(stacks) == 1:
        return (_part(series, [i for i, _ in stacks[0]] + unplaced, series.part),)
    return tuple(
        _part(series, [i for i, _ in stack], f"stack {n}") for n, stack in enumerate(stacks, start=1)
    )


def _part(series: Series, instances: Iterable[Instance], name: str) -> Series:
    return replace(series, instances=tuple(instances), part=name)


def _grouped(
    items: list[tuple[Instance, Frame]], key: Callable[[tuple[Instance, Frame]], Hashable]
) -> list[list[tuple[Instance, Frame]]]:
    groups: dict[Hashable, list[tuple[Instance, Frame]]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return list(groups.values())


def _shape_key(frame: Frame) -> Hashable:
    direction = tuple(np.round(np.concatenate([frame.row_direction, frame.column_direction]), 2) + 0.0)
    return (
        *direction,
        frame.rows,
        frame.columns,
        round(frame.spacing_mm[0], 3),
        round(frame.spacing_mm[1], 3),
    )


def _place_mm(item: tuple[Instance, Frame]) -> float:
    return float(item[1].position_mm @ item[1].normal)


def _has_duplicates(items: list[tuple[Instance, Frame]]) -> bool:
    places = np.sort([_place_mm(i) for i in items])
    return bool(np.any(np.diff(places) < 0.01))


def _split_phases(items: list[tuple[Instance, Frame]]) -> list[list[tuple[Instance, Frame]]]:
    """Split slices that lie on each other by the first attribute that tells them apart."""
    if not _has_duplicates(items):
        return [items]
    keywords = (
        "AcquisitionNumber", "IrradiationEventUID", "TemporalPositionIdentifier", "TemporalPositionIndex",
        "ConvolutionKernel", "SliceThickness", "KVP", "ReconstructionDiameter", "ImageType",
        "SeriesDescription", "AcquisitionTime", "ContentTime",
    )  # fmt: skip
    for keyword in keywords:
        groups = _grouped(items, lambda p, k=keyword: text(p[0].header, k))  # type: ignore[misc]
        if 1 < len(groups) <= len(items) // 2 and not any(_has_duplicates(g) for g in groups):
            return groups
    # nothing tells them apart as a whole: the n-th image at each place, in order of instance number
    passes: list[list[tuple[Instance, Frame]]] = []
    seen: dict[int, int] = defaultdict(int)
    for item in sorted(items, key=lambda p: number(p[0].header, "InstanceNumber") or 0.0):
        place = round(_place_mm(item) * 50)
        if seen[place] == len(passes):
            passes.append([])
        passes[seen[place]].append(item)
        seen[place] += 1
    return passes


def _split_ranges(items: list[tuple[Instance, Frame]]) -> list[list[tuple[Instance, Frame]]]:
    ordered = sorted(items, key=_place_mm)
    places = np.array([_place_mm(i) for i in ordered])
    gaps = np.diff(places)
    if len(gaps) == 0:
        return [ordered]
    bound = max(_RANGE_GAP_MM, 3.0 * float(np.median(gaps)))
    cuts = np.flatnonzero(gaps > bound) + 1
    return [ordered[a:b] for a, b in zip([0, *cuts], [*cuts, len(ordered)], strict=True)]


def choose_reconstructions(series: Iterable[Series]) -> tuple[ReconstructionGroup, ...]:
    """Group CT series by acquisition and choose one per group as the anatomy.

    Series are of one acquisition if they share an irradiation event UID, or else the study and frame of
    reference, overlap along z, and were acquired at the same time (acquisition times overlapping to 1 s;
    where the times were removed: the same acquisition numbers). Chosen is: axial before other planes,
    original before derived, the longest range (within 5 %), the widest field of view (within 2 %), the
    softest kernel, then the slice thickness nearest to 3 mm. Series that hold several stacks are split first.
    """
    parts = [part for s in series if _holds_slices(s) for part in split_series(s)]
    facts = [f for s in parts if (f := _facts(s)) is not None]
    groups: list[list[_Facts]] = []
    for fact in facts:
        home = next((g for g in groups if any(_same_acquisition(fact, other) for other in g)), None)
        if home is None:
            groups.append([fact])
        else:
            home.append(fact)
    return tuple(_choose(group) for group in groups)


def _holds_slices(series: Series) -> bool:
    return any(is_ct_image(i) for i in series.instances)


def _facts(series: Series) -> _Facts | None:
    frames: list[Frame] = []
    for instance in series.instances:
        try:
            frames.extend(frames_of(instance))
        except OmnidoseError:
            continue
    if not frames:
        return None
    headers = [i.header for i in series.instances]
    times = [t for h in headers if (t := acquisition_time(h)) is not None]
    z = [corner for f in frames for corner in _z_extent(f)]
    first = frames[0]
    return _Facts(
        series=series,
        events=frozenset(u for h in headers if (u := text(h, "IrradiationEventUID"))),
        acquisitions=frozenset(a for h in headers if (a := text(h, "AcquisitionNumber"))),
        start=min(times, default=None),
        end=max(times, default=None),
        low_mm=min(z),
        high_mm=max(z),
        axial=abs(first.normal[2]) > 0.7,
        width_mm=min(first.columns * first.spacing_mm[0], first.rows * first.spacing_mm[1]),
        thickness_mm=first.slice.slice_thickness_mm or 1.0,
        sharpness=kernel_sharpness(
            text(series.header, "Manufacturer"), text(series.header, "ConvolutionKernel")
        ),
        derived="DERIVED" in series.image_type,
        kvp_kv=first.slice.kvp_kv or 0.0,
    )


def _z_extent(frame: Frame) -> tuple[float, float]:
    corners = [
        frame.position_mm[2]
        + i * (frame.columns - 1) * frame.spacing_mm[0] * frame.row_direction[2]
        + j * (frame.rows - 1) * frame.spacing_mm[1] * frame.column_direction[2]
        for i in (0, 1)
        for j in (0, 1)
    ]
    return float(min(corners)), float(max(corners))


def _same_acquisition(a: _Facts, b: _Facts) -> bool:
    if a.events and b.events:
        return bool(a.events & b.events)
    if a.series.study_uid != b.series.study_uid:
        return False
    if a.series.frame_of_reference_uid != b.series.frame_of_reference_uid:
        return False
    overlap = min(a.high_mm, b.high_mm) - max(a.low_mm, b.low_mm)
    if overlap < 0.3 * min(a.high_mm - a.low_mm, b.high_mm - b.low_mm):
        return False
    if a.kvp_kv and b.kvp_kv and a.kvp_kv != b.kvp_kv and not (a.derived or b.derived):
        return False
    if a.start and b.start and a.end and b.end:
        slack = timedelta(seconds=1)
        return a.start <= b.end + slack and b.start <= a.end + slack
    if a.acquisitions and b.acquisitions:
        return bool(a.acquisitions & b.acquisitions)
    return True


def _choose(group: list[_Facts]) -> ReconstructionGroup:
    if len(group) == 1:
        return ReconstructionGroup(chosen=group[0].series)
    axial = [f for f in group if f.axial] or group
    original = [f for f in axial if not f.derived] or axial
    longest = max(f.high_mm - f.low_mm for f in original)
    long = [f for f in original if f.high_mm - f.low_mm >= 0.95 * longest - 5.0]
    widest = max(f.width_mm for f in long)
    wide = [f for f in long if f.width_mm >= 0.98 * widest]
    best = min(wide, key=lambda f: (f.sharpness, abs(f.thickness_mm - 3.0), -len(f.series.instances)))
    others = tuple(f.series for f in group if f is not best)
    reason = (
        f"{len(group)} series show one acquisition and count once; '{best.series.description}' is used: "
        f"{best.high_mm - best.low_mm:.0f} mm long, field of view {best.width_mm:.0f} mm, "
        f"kernel '{text(best.series.header, 'ConvolutionKernel')}', {best.thickness_mm:g} mm"
    )
    return ReconstructionGroup(chosen=best.series, others=others, reason=reason)


def kernel_sharpness(manufacturer: str, kernel: str) -> float:
    """Rank a reconstruction kernel from soft (0) to sharp (1); 0.5 if its name says nothing.

    Vendors' naming: Siemens B/Br/I/Bf + number 10-80 (the higher the sharper), Canon FC01-19 body, 30 bone,
    50 and more lung, GE SOFT, STANDARD, DETAIL, LUNG, BONE, EDGE, Philips A to C soft, D, E and L sharp.
    """
    name = kernel.split("\\")[0].strip().upper()
    vendor = manufacturer.upper()
    if "GE" in vendor.split() or vendor.startswith("GE"):
        order = ("SOFT", "STAND", "STD", "DETAIL", "CHEST", "LUNG", "BONE", "EDGE", "ULTRA")
        return next((k / 9.0 for k, word in enumerate(order) if name.startswith(word)), 0.5)
    match = re.match(r"([A-Z]+)\s*(\d{2})", name)
    if match and match.group(1) == "FC":
        return min(1.0, int(match.group(2)) / 60.0) if int(match.group(2)) >= 20 else 0.2
    if match:
        return min(1.0, int(match.group(2)) / 80.0)
    if "PHILIPS" in vendor and name[:1] in tuple("ABCDEL"):
        return {"A": 0.1, "B": 0.2, "C": 0.3, "D": 0.6, "E": 0.8, "L": 0.8}[name[0]]
    return 0.5
