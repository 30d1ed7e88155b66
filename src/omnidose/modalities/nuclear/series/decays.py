"""The map of all decays of a series in the body: outlines with what is theirs, the rest with what is left."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel
from omnidose.errors import InputError
from omnidose.kinetics.choice import choose_shape
from omnidose.kinetics.curves import TimeActivityCurve
from omnidose.kinetics.exponentials import Shape
from omnidose.kinetics.fits import Fit, fit_curve
from omnidose.modalities.nuclear.series.alignment import AlignedSeries
from omnidose.modalities.nuclear.series.choosing import Chosen
from omnidose.modalities.nuclear.series.curves import RegionCurve, curve_of_fit, curve_of_one_point
from omnidose.modalities.nuclear.series.doses import S_PER_H, curve_of, fitted
from omnidose.modalities.nuclear.series.drawing import labels_on
from omnidose.modalities.nuclear.series.exam import SeriesExam
from omnidose.modalities.nuclear.series.outlines import REST
from omnidose.modalities.nuclear.series.recovery import ImageBlur
from omnidose.modalities.nuclear.series.sight import Errors, Sight, solved
from omnidose.modalities.nuclear.time_integrals import NO_ORGAN, into_the_body, on_grid
from omnidose.volume import Volume

ArrayF4 = npt.NDArray[np.float32]
ArrayF8 = npt.NDArray[np.float64]

#: An organ without an outline gets its own curve from this volume and this share of the rest's decays on.
OWN_CURVE_CM3, OWN_CURVE_SHARE = 10.0, 0.01
#: Of a point of such a curve, whose partial volume is not corrected.
PLAIN_POINT_REL = 0.10
#: Of an integral because a few points do not tell the shape; where the best shape contradicts the points.
PLAIN_KINETICS_REL, CONTRADICTED_REL = 0.05, 0.25
#: Of a point of the rest of the body, and of what is there at the injection (spread by mass).
REST_POINT_REL, INJECTED_REL = 0.05, 0.3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeriesDecays:
    """Decays of the whole body.

    Attributes
    ----------
    mbq_s
        float32 [z, y, x] per voxel of the body's grid. Voxels of an outline are scaled, so that together they
        have its decays corrected for partial volume; from the rest what spilled out of outlines is taken off.
    curves
        Of outlines.
    rest
        Curve of the rest of the body in the field of view.
    organ_curves
        Of labelled organs without an outline that have one of their own (not corrected for partial volume).
    unseen_mbq_h
        Put into the body beyond the images.
    """

    mbq_s: Volume = field(repr=False)
    curves: dict[str, RegionCurve]
    rest: RegionCurve
    organ_curves: dict[str, RegionCurve]
    seen_mbq_h: float
    unseen_mbq_h: float
    sentences: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def decays(
    exam: SeriesExam, body: BodyModel, aligned: AlignedSeries, chosen: Chosen, blur: ImageBlur, errors: Errors
) -> SeriesDecays:
    """Integrate everything over time and put it into the body."""
    time_h = np.array(exam.times_h)
    curves = {name: _curve_of_outline(exam, sight, time_h, errors) for name, sight in chosen.sights.items()}
    activity, _shares = solved(aligned.maps, chosen.drawn, blur)
    rest_at = np.maximum(activity[list(chosen.drawn.share).index(REST)], 1e-9)
    rest = _rest_curve(exam, time_h, rest_at, curves, _mass_share(body, aligned, chosen))
    left = _without_spill(aligned, chosen, blur)
    label = labels_on(aligned.grid, body)
    organ_curves = _organ_curves(exam, body, left, label, chosen, time_h, rest, aligned.grid.voxel_volume_cm3)
    rest_map = _integrated(left, label, body, rest, organ_curves)
    pattern = _pattern(aligned.maps, chosen, curves)
    warnings: list[str] = []
    whole = _in_the_body(body, aligned, chosen, curves, rest, rest_map, pattern)
    seen = float(whole.sum(dtype=np.float64))
    unseen, sentence = _fill_unseen(whole, exam, body, aligned, seen)
    most = exam.administration.net_mbq * exam.half_life_h / log(2)
    if seen + unseen > most:
        warnings.append(
            f"All decays together ({seen + unseen:.3g} MBq h) are {100 * (seen + unseen) / most - 100:.0f} % "
            "more than the given activity can have: calibration of camera and activity meter disagree."
        )
    return SeriesDecays(
        mbq_s=Volume.on_grid(
            whole * np.float32(S_PER_H), body.grid, frame_of_reference_uid=body.frame_of_reference_uid
        ),
        curves=curves,
        rest=rest,
        organ_curves=organ_curves,
        seen_mbq_h=seen,
        unseen_mbq_h=unseen,
        sentences=(sentence,),
        warnings=tuple(warnings),
    )


def _curve_of_outline(exam: SeriesExam, sight: Sight, time_h: ArrayF8, errors: Errors) -> RegionCurve:
    if time_h.size == 1:
        moved = float(sight.moved_rel[0])
        return _one_point(
            exam, sight.name, float(time_h[0]), float(sight.activity_mbq[0]), errors.point_rel, moved
        )
    return curve_of(sight, fitted(sight, time_h, exam.half_life_h), errors)


def _one_point(
    exam: SeriesExam, name: str, time_h: float, activity_mbq: float, point_rel: float, moved_rel: float
) -> RegionCurve:
    return curve_of_one_point(
        name,
        time_h,
        activity_mbq,
        half_life_h=exam.half_life_h,
        effective_half_life_h=exam.effective_half_life_h,
        way=exam.one_point,
        point_rel=point_rel,
        moved_rel=moved_rel,
    )


def _rest_curve(
    exam: SeriesExam,
    time_h: ArrayF8,
    activity_mbq: ArrayF8,
    curves: dict[str, RegionCurve],
    mass_share: float,
) -> RegionCurve:
    """Return the curve of the rest of the body, with one more point that needs no scan: the injection.

    What leaves fast is gone before the first scan, and no fit can tell how much it was. But the given
    activity is known: at the injection what is in no outline is spread over the body, by mass.
    """
    if time_h.size == 1:
        return _one_point(exam, REST, float(time_h[0]), float(activity_mbq[0]), REST_POINT_REL, 0.0)
    in_outlines = sum(max(float(curve.at_mbq(0.0)[0]), 0.0) for curve in curves.values())
    first = max(exam.administration.net_mbq - in_outlines, 0.0) * mass_share
    time, activity = time_h, activity_mbq
    std = REST_POINT_REL * activity_mbq
    if time_h[0] > 0 and first > activity_mbq[0]:
        time, activity = np.insert(time_h, 0, 0.0), np.insert(activity_mbq, 0, first)
        std = np.insert(std, 0, INJECTED_REL * first)
    points = TimeActivityCurve(time_h=time, activity_mbq=activity, std_mbq=std, name=REST)
    fit = _best(points, exam.half_life_h)
    missing = CONTRADICTED_REL if fit.contradicted else PLAIN_KINETICS_REL
    curve = curve_of_fit(fit, moved_rel=np.zeros(time.size), shape_rel=missing)
    shown = time > 0 if time.size > time_h.size else np.ones(time.size, dtype=np.bool_)
    return replace(
        curve,
        time_h=curve.time_h[shown],
        activity_mbq=curve.activity_mbq[shown],
        std_rel=curve.std_rel[shown],
    )


def _mass_share(body: BodyModel, aligned: AlignedSeries, chosen: Chosen) -> float:
    """Return the share of the mass of the body outside of outlines that the images show."""
    rest = float((chosen.drawn.share[REST] * chosen.drawn.density_g_cm3).sum(dtype=np.float64))
    drawn = sum(chosen.drawn.mass_g(name) for name in chosen.sights)
    whole = float(body.density_g_cm3[body.labels > 0].sum(dtype=np.float64)) * body.grid.voxel_volume_cm3
    return min(1.0, rest * aligned.grid.voxel_volume_cm3 / max(whole - drawn, 1e-6))


def _best(points: TimeActivityCurve, half_life_h: float) -> Fit:
    try:
        return choose_shape(points, half_life_h=half_life_h).best
    except InputError:  # every shape was rejected
        return fit_curve(points, Shape.RETAINED, half_life_h=half_life_h)


def _organ_curve(exam: SeriesExam, name: str, time_h: ArrayF8, activity_mbq: ArrayF8) -> RegionCurve | None:
    """Return the curve of an organ without an outline; None if its points contradict every simple shape."""
    if time_h.size == 1:
        return None  # as the rest
    points = TimeActivityCurve.with_relative_std(time_h, activity_mbq, std_rel=PLAIN_POINT_REL, name=name)
    fit = _best(points, exam.half_life_h)
    if fit.contradicted or not fit.integral.std_rel < 1:
        return None
    return curve_of_fit(fit, moved_rel=np.zeros(time_h.size), shape_rel=PLAIN_KINETICS_REL)


def _without_spill(aligned: AlignedSeries, chosen: Chosen, blur: ImageBlur) -> ArrayF4:
    """[times, z, y, x] maps less what blur carries out of the outlines; 0 where a scan saw nothing."""
    left = aligned.maps.copy()
    regions = chosen.drawn.regions()
    for name, sight in chosen.sights.items():
        own = regions[name]
        spread = blur.applied(own, aligned.grid.spacing_mm) / np.float32(own.sum(dtype=np.float64))
        left -= sight.activity_mbq.astype(np.float32)[:, None, None, None] * spread
    left[:, ~aligned.covered_by_all] = 0
    return left


def _organ_curves(
    exam: SeriesExam,
    body: BodyModel,
    left: ArrayF4,
    label: npt.NDArray[np.uint8],
    chosen: Chosen,
    time_h: ArrayF8,
    rest: RegionCurve,
    voxel_cm3: float,
) -> dict[str, RegionCurve]:
    """Return curves of organs without an outline that show enough of it at all times."""
    flat = label.ravel()
    count = np.bincount(flat, minlength=256)
    sums = np.array([np.bincount(flat, weights=image.ravel(), minlength=256) for image in left])
    out = {}
    for organ in body.organs:
        if (
            organ.key in chosen.sights
            or organ.key in NO_ORGAN
            or count[organ.label] * voxel_cm3 < OWN_CURVE_CM3
        ):
            continue
        activity = sums[:, organ.label]
        if (activity <= 0).any():
            continue
        share = float(activity @ rest.weights_h()) / rest.integral.value_mbq_h
        curve = _organ_curve(exam, organ.key, time_h, activity) if share >= OWN_CURVE_SHARE else None
        if curve is not None:
            out[organ.key] = curve
    return out


def _integrated(
    left: ArrayF4,
    label: npt.NDArray[np.uint8],
    body: BodyModel,
    rest: RegionCurve,
    organ_curves: dict[str, RegionCurve],
) -> ArrayF4:
    """[z, y, x] MBq h, every voxel with the curve of its organ, else of the rest; not below 0."""
    out = np.tensordot(rest.weights_h().astype(np.float32), left, axes=1)
    for key, curve in organ_curves.items():
        here = label == body.organ(key).label
        out[here] = curve.weights_h().astype(np.float32) @ left[:, here]
    return np.maximum(out, 0)


def _pattern(maps: ArrayF4, chosen: Chosen, curves: dict[str, RegionCurve]) -> dict[str, ArrayF4]:
    """Outline -> [z, y, x] decays as the images show them, with the outline's curve."""
    return {
        name: np.maximum(np.tensordot(curve.weights_h().astype(np.float32), maps, axes=1), 0)
        for name, curve in curves.items()
    }


def _in_the_body(
    body: BodyModel,
    aligned: AlignedSeries,
    chosen: Chosen,
    curves: dict[str, RegionCurve],
    rest: RegionCurve,
    rest_map: ArrayF4,
    pattern: dict[str, ArrayF4],
) -> ArrayF4:
    """Return [z, y, x] MBq h on the body's grid."""
    grid, tissue = body.grid, body.labels > 0
    whole = on_grid(Volume.on_grid(rest_map, aligned.grid), grid)
    drawn = np.zeros(grid.shape_zyx, dtype=np.bool_)
    for mask in chosen.masks.values():
        drawn |= mask
    whole[drawn] = 0.0
    into_the_body(whole, tissue, grid)
    whole[~tissue] = 0.0
    total = float(whole.sum(dtype=np.float64))
    if total > 0:
        whole *= np.float32(rest.integral.value_mbq_h / total)
    for name, mask in chosen.masks.items():
        where = tuple(slice(int(w.min()), int(w.max()) + 1) for w in np.nonzero(mask))
        part = _looked_up(pattern[name], aligned, body, where)
        own = mask[where]
        shown = float(part[own].sum(dtype=np.float64))
        value = curves[name].integral.value_mbq_h
        even = value / float(own.sum())
        inside = part * np.float32(value / shown) if shown > 0 else np.full_like(part, even)
        target = whole[where]
        target[own] = inside[own]
    return whole


def _looked_up(image: ArrayF4, aligned: AlignedSeries, body: BodyModel, where: tuple[slice, ...]) -> ArrayF4:
    """Interpolate an image (per voxel of the image) at a box of the body's voxels."""
    from scipy.ndimage import map_coordinates

    axes = []
    for axis, part in zip((2, 1, 0), where, strict=True):
        centres = body.grid.axis_mm(axis)[part]
        axes.append((centres - aligned.grid.origin_mm[axis]) / aligned.grid.spacing_mm[axis])
    points = np.meshgrid(*axes, indexing="ij")
    return np.asarray(map_coordinates(image, points, order=1, mode="nearest"), dtype=np.float32)


def _fill_unseen(
    whole: ArrayF4, exam: SeriesExam, body: BodyModel, aligned: AlignedSeries, seen_mbq_h: float
) -> tuple[float, str]:
    """Put activity into tissue that no scan saw: per mass what the typical seen tissue has."""
    covered = aligned.covered_on(body.grid)
    tissue = body.labels > 0
    unseen = tissue & ~covered
    if not unseen.any():
        return 0.0, "All of the body lies in all scans."
    mass = body.density_g_cm3.astype(np.float64) * body.grid.voxel_volume_cm3
    seen = tissue & covered & (body.density_g_cm3 > 0.5)
    typical = float(np.median(whole[seen] / mass[seen])) if seen.any() else 0.0
    already = float(whole[unseen].sum(dtype=np.float64))
    wanted = typical * float(mass[unseen].sum())
    most = exam.administration.net_mbq * exam.half_life_h / log(2) - (seen_mbq_h - already)
    added = max(0.0, min(wanted, most))
    whole[unseen] = (mass[unseen] * (added / float(mass[unseen].sum()))).astype(np.float32)
    return added - already, (
        f"{float(mass[unseen].sum()) / 1000:.1f} kg of the body lie in no scan, or not in all: they are "
        f"given the typical (median) decays per mass of the seen tissue, {added:.3g} MBq h together"
        + (" (less than that: no more was given)." if added < wanted else ".")
    )
