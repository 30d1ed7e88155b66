"""All scans of a series on the grid of the one whose CT is the anatomy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil, degrees

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel
from omnidose.anatomy.ct_numbers import density_g_cm3
from omnidose.errors import GeometryError
from omnidose.modalities.nuclear.series.drawing import AIR_G_CM3, cropped_grid, nearest
from omnidose.modalities.nuclear.series.exam import SeriesExam, TimePoint
from omnidose.modalities.nuclear.series.registration import RigidMotion, bring, looked_up, register_rigid
from omnidose.volume import Grid, Volume

ArrayF4 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

#: CTs are matched on voxels of about this edge; bone counts up to this density (metal would count more).
MATCH_MM, MOST_G_CM3 = 4.0, 1.6
#: Correlation of the densities inside both bodies after registration: below the first a person should look,
#: below the second it is another patient, another part of the body, or a registration that failed.
DOUBTFUL, REFUSED = 0.6, 0.25
#: Two scans that share less of the smaller one's box than this do not lie in one place; two scans of one
#: region share at least this of the body.
LEAST_OVERLAP, MOST_SHARED = 0.3, 0.6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlignedSeries:
    """Activity of all scans on one grid.

    Attributes
    ----------
    maps
        float32 [times, z, y, x] MBq per voxel; undershoots below 0 stay.
    covered
        [times, z, y, x] what each scan saw.
    sentences
        How each scan was brought there, one sentence per scan.
    warnings
        What a person should look at.
    """

    grid: Grid
    maps: ArrayF4 = field(repr=False)
    covered: Mask = field(repr=False)
    motions: tuple[RigidMotion | None, ...]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def covered_by_all(self) -> Mask:
        """[z, y, x] what every scan saw."""
        return np.asarray(self.covered.all(axis=0))

    def covered_on(self, grid: Grid) -> Mask:
        """[z, y, x] voxels of another grid that every scan saw."""
        return nearest(self.covered_by_all, self.grid, [grid.axis_mm(axis) for axis in (2, 1, 0)], False)


def align(
    exam: SeriesExam, body: BodyModel, *, progress: Callable[[str], None] | None = None
) -> AlignedSeries:
    """Bring every scan onto the reference scan.

    A scan with a CT is registered by it, rigidly, to the CT of the reference scan (the body). Without a CT it
    is taken as it lies if it has the frame of reference of the reference scan.

    Raises
    ------
    GeometryError
        For a scan without a CT in another frame of reference, or a CT that shows something else.
    """
    first = exam.points[exam.reference]
    grid, box = cropped_grid(first.activity.to_lps().grid, body)
    onto = Volume.on_grid(
        np.zeros(grid.shape_zyx, np.float32),
        grid,
        frame_of_reference_uid=first.activity.frame_of_reference_uid,
    )
    fixed = _fixed(body)
    maps, covered, motions, said, warned = [], [], [], [], []
    for number, point in enumerate(exam.points):
        name = f"scan {number + 1} ({exam.hours_to(point):.3g} h)"
        upright = point.activity.to_lps()
        if number == exam.reference:
            motion = None
            own, seen = np.asarray(upright.array[box], np.float32), np.ones(grid.shape_zyx, np.bool_)
            said.append(f"{name}: its CT is the anatomy")
            if _frames_differ(point.frame_of_reference_uid, body.frame_of_reference_uid):
                warned.append(
                    f"The images of {name} have another frame of reference than the CT: both are taken as "
                    "they lie. Look whether they fit."
                )
        elif point.ct_hu is not None:
            if progress is not None:
                progress(f"registering {name}")
            motion = _registered(point.ct_hu, fixed, name, warned)
            own, seen = _brought(upright, motion, onto)
            said.append(f"{name}: registered by its CT, {_moved(motion)}")
        else:
            motion = _as_it_lies(point, first, onto, name)
            own, seen = _brought(upright, motion, onto)
            said.append(f"{name}: no CT; taken as it lies in the frame of reference of the anatomy")
        maps.append(own)
        covered.append(seen)
        motions.append(motion)
    return AlignedSeries(
        grid=grid,
        maps=np.asarray(maps, dtype=np.float32),
        covered=np.asarray(covered),
        motions=tuple(motions),
        sentences=tuple(said),
        warnings=tuple(warned),
    )


def _frames_differ(one: str, other: str) -> bool:
    return bool(one and other and one != other)


def _as_it_lies(point: TimePoint, first: TimePoint, onto: Volume, name: str) -> RigidMotion:
    if not point.frame_of_reference_uid or point.frame_of_reference_uid != first.frame_of_reference_uid:
        raise GeometryError(
            f"{name} has no CT and lies in another frame of reference than the anatomy",
            where="FrameOfReferenceUID (0020,0052)",
            todo="add the CT of this scan (over at least half of its length), or leave the scan out",
        )
    centre = onto.affine_lps_mm[:3, 3]
    return RigidMotion(
        turns_rad=(0.0, 0.0, 0.0),
        shift_mm=(0.0, 0.0, 0.0),
        centre_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
        misfit=0.0,
    )


def _brought(activity: Volume, motion: RigidMotion, onto: Volume) -> tuple[ArrayF4, Mask]:
    found = bring(replace(activity, array=np.asarray(activity.array, np.float32)), motion, onto)
    return np.asarray(found.array, np.float32), _seen(activity, motion, onto)


def _seen(image: Volume, motion: RigidMotion, onto: Volume) -> Mask:
    """[z, y, x] voxels of ``onto`` that a moved image shows."""
    ones = replace(image, array=np.ones(image.array.shape, np.float32))
    return np.asarray(looked_up(ones, motion, onto).array > 0.5)


def _moved(motion: RigidMotion) -> str:
    shift = float(np.linalg.norm(motion.shift_mm))
    turn = degrees(float(np.linalg.norm(motion.turns_rad)))
    return f"shifted by {shift:.1f} mm and turned by {turn:.1f} degrees"


def _fixed(body: BodyModel) -> Volume:
    """Return the densities of the imaged part of the body, on coarser voxels."""
    density = np.where(body.labels > 0, body.density_g_cm3, np.float32(AIR_G_CM3))
    box = tuple(slice(None) for _ in range(3))
    if body.completed is not None:
        own = (body.labels > 0) & ~body.completed
        if own.any():
            box = tuple(slice(int(w.min()), int(w.max()) + 1) for w in np.nonzero(own))
        density = np.where(body.completed, np.float32(AIR_G_CM3), density)
    affine = body.grid.affine_lps_mm.copy()
    start = [part.start or 0 for part in box][::-1]
    affine[:3, 3] += affine[:3, :3] @ np.array(start, dtype=np.float64)
    return _coarser(
        Volume(
            array=np.minimum(density[box], np.float32(MOST_G_CM3)),
            affine_lps_mm=affine,
            frame_of_reference_uid=body.frame_of_reference_uid,
        )
    )


def _coarser(volume: Volume) -> Volume:
    """Average blocks of voxels up to :data:`MATCH_MM`; planes that fill no block are left out."""
    count = [max(1, ceil(MATCH_MM / step - 0.3)) for step in volume.spacing_mm]  # x, y, z
    nz, ny, nx = (n // c for n, c in zip(volume.array.shape, count[::-1], strict=True))
    if min(nz, ny, nx) < 2 or max(count) == 1:
        return volume
    part = volume.array[: nz * count[2], : ny * count[1], : nx * count[0]]
    blocks = part.reshape(nz, count[2], ny, count[1], nx, count[0]).mean(axis=(1, 3, 5))
    affine = volume.affine_lps_mm.copy()
    affine[:3, 3] += affine[:3, :3] @ (0.5 * (np.array(count) - 1))
    affine[:3, :3] *= np.array(count)
    return replace(volume, array=np.asarray(blocks, dtype=np.float32), affine_lps_mm=affine)


def _registered(ct_hu: Volume, fixed: Volume, name: str, warned: list[str]) -> RigidMotion:
    """Register a CT from every likely start; the one whose densities agree best counts."""
    density = np.minimum(density_g_cm3(ct_hu.array), MOST_G_CM3).astype(np.float32)
    moving = _coarser(replace(ct_hu, array=density))
    best, agreement = None, -1.0
    for start in _starts_mm(fixed, moving):
        found = register_rigid(fixed, moving, start_mm=start)
        fit = correlation(fixed, moving, found)
        if fit > agreement:
            best, agreement = found, fit
    if best is None or agreement < REFUSED:
        raise GeometryError(
            f"the CT of {name} does not fit the CT of the anatomy (correlation {agreement:.2f})",
            where="CT of the time point",
            allowed="CTs of the same patient and part of the body",
            todo="leave this scan out, or look whether it belongs to another patient",
        )
    if agreement < DOUBTFUL:
        warned.append(
            f"The CT of {name} fits the CT of the anatomy poorly (correlation {agreement:.2f} inside the "
            "body): look at both before using these doses."
        )
    return best


def _starts_mm(fixed: Volume, moving: Volume) -> list[tuple[float, float, float]]:
    """Return shifts to begin from: as both lie, if they overlap, and middle of mass on middle of mass."""
    middle = _middle_mm(moving) - _middle_mm(fixed)
    by_mass = (float(middle[0]), float(middle[1]), float(middle[2]))
    if _overlap_share(fixed, moving) < LEAST_OVERLAP:
        return [by_mass]
    as_they_lie = (0.0, 0.0, 0.0)
    return [as_they_lie] if float(np.linalg.norm(middle)) < MATCH_MM else [as_they_lie, by_mass]


def _overlap_share(one: Volume, other: Volume) -> float:
    """Return the volume that both boxes share, over the smaller one's."""
    (low, high), (first, last) = _box_mm(one), _box_mm(other)
    common = np.maximum(np.minimum(high, last) - np.maximum(low, first), 0).prod()
    return float(common / min((high - low).prod(), (last - first).prod()))


def _box_mm(volume: Volume) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    nz, ny, nx = volume.array.shape
    corners = np.array([[i, j, k, 1] for i in (0, nx - 1) for j in (0, ny - 1) for k in (0, nz - 1)])
    places = (volume.affine_lps_mm @ corners.T)[:3]
    return places.min(axis=1), places.max(axis=1)


def correlation(fixed: Volume, moving: Volume, motion: RigidMotion) -> float:
    """Return the correlation of two densities inside the fixed body, times the share of it that both show.

    Where one body is and the other is not counts against a motion.
    """
    moved = looked_up(moving, motion, fixed).array
    body = fixed.array > 0.15
    inside = body & _seen(moving, motion, fixed)
    if inside.sum() < 0.1 * max(int(body.sum()), 1):
        return 0.0
    one, other = fixed.array[inside].astype(np.float64), moved[inside].astype(np.float64)
    if one.std() == 0 or other.std() == 0:
        return 0.0
    share = min(1.0, float(inside.sum() / body.sum()) / MOST_SHARED)
    return float(np.corrcoef(one, other)[0, 1]) * share


def _middle_mm(volume: Volume) -> npt.NDArray[np.float64]:
    """Return the centre of mass, LPS."""
    solid = np.where(volume.array > 0.15, volume.array, 0).astype(np.float64)
    total = solid.sum()
    place = [
        float((solid.sum(axis=tuple(a for a in range(3) if a != 2 - axis)) * np.arange(n)).sum() / total)
        for axis, n in enumerate(volume.array.shape[::-1])
    ]
    return np.asarray((volume.affine_lps_mm @ np.array([*place, 1.0]))[:3], dtype=np.float64)
