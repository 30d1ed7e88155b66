"""From one image of activity to the time-integrated activity of every voxel of a body."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel
from omnidose.errors import GeometryError
from omnidose.modalities.nuclear.exposure import NuclearExam, Unseen
from omnidose.modalities.nuclear.partial_volume import NO_ORGAN as NO_ORGAN
from omnidose.modalities.nuclear.partial_volume import PartialVolume, correct
from omnidose.volume import Grid, Volume

#: A body must hold at least this share of the image's activity: else it is another body, or lies elsewhere.
LEAST_INSIDE = 0.5
#: Activity up to this far outside of tissue is the camera's blur, mm (two FWHM of a whole-body PET).
BLUR_MM, MOVED_WORTH_A_WORD = 15.0, 0.02
#: The sum of the image is kept to this by the correction of partial volume, or a word is said.
TOTAL_WORTH_A_WORD = 0.05
#: From this imaged share on, the unseen part of an organ is taken to be like the seen one.
CUT_FRACTION = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeIntegrals:
    """Time-integrated activity, 0 to infinity after the injection.

    Attributes
    ----------
    mbq_s
        float32 [z, y, x] per voxel of the body's grid.
    seen_mbq_h
        Part that comes from the images.
    unseen_mbq_h
        Part that was put into the unseen body.
    excreted_fraction
        Share of the net activity that is taken to have left the body before the scan.
    head_fraction, tail_fraction
        Shares of the seen part before the moment of the image and after the scan.
    outside_fraction
        Share of the image's activity that lies in no tissue of the body and far from it (noise).
    partial_volume
        What its correction did; None without one.
    """

    mbq_s: Volume
    seen_mbq_h: float
    unseen_mbq_h: float
    excreted_fraction: float
    head_fraction: float
    tail_fraction: float
    outside_fraction: float
    notes: tuple[str, ...] = ()
    partial_volume: PartialVolume | None = None


def hours_per_mbq(exam: NuclearExam) -> tuple[float, float]:
    """Return (before, after): time-integrated activity in MBq h per MBq at the moment of the image.

    Before the scan the place of activity does not change and only physical decay acts, back to the injection;
    after it the effective half-life if one was said, else physical decay. The scan is its middle.
    """
    physical = math.log(2) / exam.half_life_h
    effective = math.log(2) / (exam.effective_half_life_h or exam.half_life_h)
    at_scan = math.exp(-physical * (exam.hours_to_scan - exam.hours_to_reference))
    before = (math.exp(physical * exam.hours_to_reference) - at_scan) / physical
    return before, at_scan / effective


def on_grid(activity: Volume, grid: Grid) -> npt.NDArray[np.float32]:
    """Return activity per voxel of another grid, float32 [z, y, x].

    Grids of one spacing whose voxels coincide are copied; else the concentration is interpolated (trilinear),
    and scaled so that activity inside the new grid is kept.

    Raises
    ------
    GeometryError
        If the grids do not overlap.
    """
    own = activity.grid
    offset = (np.array(own.origin_mm) - np.array(grid.origin_mm)) / np.array(grid.spacing_mm)
    same = np.allclose(own.spacing_mm, grid.spacing_mm, rtol=1e-4) and np.allclose(
        offset, np.rint(offset), atol=0.02
    )
    if same:
        return _pasted(activity.array, np.rint(offset).astype(int)[::-1], grid.shape_zyx)
    from scipy.ndimage import map_coordinates

    axes = [
        (grid.axis_mm(a) - own.origin_mm[a]) / own.spacing_mm[a] for a in (2, 1, 0)
    ]  # in voxels of the image
    out = np.zeros(grid.shape_zyx, dtype=np.float32)
    y, x = np.meshgrid(axes[1], axes[2], indexing="ij")
    for k, z in enumerate(axes[0]):
        if -1 < z < own.shape_zyx[0]:
            points = np.stack([np.full(y.shape, z), y, x])
            out[k] = map_coordinates(activity.array, points, order=1, mode="constant", cval=0.0)
    ratio = grid.voxel_volume_cm3 / own.voxel_volume_cm3
    inside = np.ones(own.shape_zyx, dtype=bool)
    for a in (0, 1, 2):
        centres = own.axis_mm(a)
        within = (centres >= grid.lower_mm[a]) & (centres <= grid.upper_mm[a])
        shape = [1, 1, 1]
        shape[2 - a] = centres.size
        inside &= within.reshape(shape)
    kept = float(activity.array[inside].sum(dtype=np.float64))
    total = float(out.sum(dtype=np.float64)) * ratio
    if not total > 0:
        raise GeometryError("the images of the activity and the body do not overlap", todo="check the CT")
    return np.asarray(out * np.float32(ratio * kept / total))


def _pasted(
    array: npt.NDArray[np.floating], start_zyx: npt.NDArray[np.int64], shape: tuple[int, int, int]
) -> npt.NDArray[np.float32]:
    out = np.zeros(shape, dtype=np.float32)
    target, source = [], []
    for first, n, size in zip(start_zyx, array.shape, shape, strict=True):
        low, high = max(0, int(first)), min(size, int(first) + n)
        if low >= high:
            raise GeometryError("the images of the activity and the body do not overlap", todo="check the CT")
        target.append(slice(low, high))
        source.append(slice(low - int(first), high - int(first)))
    out[tuple(target)] = array[tuple(source)]
    return out


def integrate(exam: NuclearExam, body: BodyModel) -> TimeIntegrals:
    """Return the time-integrated activity of every voxel of a body.

    Raises
    ------
    GeometryError
        If less than half of the activity lies in the body.
    """
    if exam.activity is None:
        raise GeometryError("the record holds no image of the activity", todo="ingest the claim again")
    now = on_grid(exam.activity, body.grid)
    before, after = hours_per_mbq(exam)
    seen = float(now.sum(dtype=np.float64))
    tissue = body.labels > 0
    sharper: PartialVolume | None = None
    moved = 0.0
    if exam.image_fwhm_mm is None:
        moved = into_the_body(now, tissue, body.grid)
    else:
        now, sharper = correct(now, body, exam.image_fwhm_mm)
        seen = float(now.sum(dtype=np.float64))
    inside = float(now[tissue].sum(dtype=np.float64))
    if inside < LEAST_INSIDE * exam.seen_mbq:
        raise GeometryError(
            f"{100 * inside / exam.seen_mbq:.0f} % of the image's activity lies in the body",
            where="frame of reference, ImagePositionPatient",
            allowed=f"at least {100 * LEAST_INSIDE:.0f} %",
            todo="check that CT and PET belong together",
        )
    notes = [
        "One time point: until the scan every voxel had what the scan shows, corrected for physical decay; "
        + (
            f"after it the effective half-life of {exam.effective_half_life_h:g} h."
            if exam.effective_half_life_h
            else "after it physical decay alone (an upper bound: nothing is excreted after the scan)."
        )
    ]
    if moved > MOVED_WORTH_A_WORD * seen:
        notes.append(
            f"{100 * moved / seen:.0f} % of the image lay up to {BLUR_MM:g} mm outside of the skin, by the "
            "camera's blur, and were given back to the outermost tissue."
        )
    if sharper is not None:
        notes.append(sharper.note)
        if abs(sharper.total_rel - 1) > TOTAL_WORTH_A_WORD:
            notes.append(
                f"The correction of partial volume changes the activity in the images by "
                f"{100 * (sharper.total_rel - 1):+.0f} %: outlines and PET may not fit each other."
            )
    elsewhere = _fill_unseen(now, exam, body, seen, notes)
    lost = max(0.0, exam.left_mbq - seen - elsewhere) / exam.left_mbq
    now *= np.float32(3600 * (before + after))
    share = before / (before + after)
    return TimeIntegrals(
        mbq_s=Volume.on_grid(now, body.grid, frame_of_reference_uid=body.frame_of_reference_uid),
        seen_mbq_h=seen * (before + after),
        unseen_mbq_h=elsewhere * (before + after),
        excreted_fraction=lost,
        head_fraction=share,
        tail_fraction=1 - share,
        outside_fraction=1 - inside / seen,
        notes=tuple(notes),
        partial_volume=sharper,
    )


def into_the_body(now: npt.NDArray[np.float32], tissue: npt.NDArray[np.bool_], grid: Grid) -> float:
    """Give activity that blur carried across the skin back to the rim of the body; return how much, MBq.

    Slice by slice, in proportion to what the outermost tissue holds.
    """
    from scipy import ndimage

    stray = (now > 0) & ~tissue
    if not stray.any() or not tissue.any():
        return 0.0
    margin = [int(np.ceil(2 * BLUR_MM / d)) for d in grid.spacing_mm[::-1]]  # rim and air around it
    box = tuple(
        slice(max(0, part.start - m), part.stop + m)
        for part, m in zip(ndimage.find_objects(stray.view(np.uint8))[0], margin, strict=True)
    )
    own, mask, spacing = now[box], tissue[box], grid.spacing_mm[::-1]
    if not mask.any():
        return 0.0
    near = stray[box] & (ndimage.distance_transform_edt(~mask, sampling=spacing) <= BLUR_MM)
    rim = mask & (ndimage.distance_transform_edt(mask, sampling=spacing) <= BLUR_MM)
    total = 0.0
    for layer, outside, inside in zip(own, near, rim, strict=True):
        lost, held = float(layer[outside].sum()), float(layer[inside].sum())
        if lost > 0 and held > 0:
            layer[inside] *= np.float32(1 + lost / held)
            layer[outside] = 0.0
            total += lost
    return total


def _fill_unseen(
    now: npt.NDArray[np.float32], exam: NuclearExam, body: BodyModel, seen: float, notes: list[str]
) -> float:
    """Put what was given and not seen into the unseen body, by mass; return how much, MBq."""
    missing = exam.left_mbq - seen
    words = f"{100 * exam.seen_fraction:.0f} % of what physical decay leaves is in the images"
    if missing <= 0:
        notes.append(f"{words}: more than was given, within calibration; nothing is added.")
        return 0.0
    completed = None if body.completed is None else body.completed & (body.labels > 0)
    if completed is None or not completed.any() or exam.unseen is Unseen.EXCRETED:
        notes.append(f"{words}; the rest is taken to have left the body.")
        return 0.0
    voxel = body.grid.voxel_volume_cm3
    mass = np.where(completed, body.density_g_cm3, 0).astype(np.float64) * voxel
    total_g = float(mass.sum())
    if exam.unseen is Unseen.TISSUE:
        seen_tissue = (body.labels > 0) & ~completed & (body.density_g_cm3 > 0.5)
        typical = float(np.median(now[seen_tissue] / (body.density_g_cm3[seen_tissue] * voxel)))  # MBq per g
        mass *= typical * _cut_organs(now, body, completed, typical)
    filled = mass  # MBq, or in proportion to it
    wanted = float(filled.sum())
    added = missing if exam.unseen is Unseen.BODY else min(missing, wanted)
    now += (filled * (added / wanted)).astype(np.float32)
    notes.append(
        f"{words}; {100 * added / exam.left_mbq:.0f} % are put into the unseen body "
        f"({total_g / 1000:.1f} kg) "
        + (
            "with the typical (median) concentration of the seen tissue (organs that are cut: with their "
            "own), "
            if exam.unseen is Unseen.TISSUE
            else "evenly by mass, "
        )
        + f"and {100 * (missing - added) / exam.left_mbq:.0f} % are taken to have left the body."
    )
    return added


def _cut_organs(
    now: npt.NDArray[np.float32], body: BodyModel, completed: npt.NDArray[np.bool_], typical: float
) -> npt.NDArray[np.float32]:
    """Return each voxel's concentration over the typical one: an organ that is cut goes on as it is seen."""
    labels = body.labels[~completed]
    seen = np.bincount(labels, weights=now[~completed], minlength=256)
    density = np.bincount(labels, weights=body.density_g_cm3[~completed], minlength=256)
    mass = density * body.grid.voxel_volume_cm3
    ratio = np.ones(256, dtype=np.float32)
    for organ in body.organs:
        cut = CUT_FRACTION <= organ.imaged_fraction < 1
        if cut and organ.key not in NO_ORGAN and mass[organ.label] > 0 and typical > 0:
            ratio[organ.label] = seen[organ.label] / mass[organ.label] / typical
    return np.asarray(ratio[body.labels])
