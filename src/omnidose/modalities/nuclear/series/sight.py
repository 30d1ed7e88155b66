"""What outlines show of their own activity, and how that hangs on their size, blur and registration."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.modalities.nuclear.series.outlines import REST, Outlines
from omnidose.modalities.nuclear.series.recovery import ImageBlur

ArrayF4 = npt.NDArray[np.float32]
ArrayF8 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Standard uncertainties that the images themselves do not tell.

    Attributes
    ----------
    point_rel
        Of an activity at one time, from counting, scatter and reconstruction, independent from scan to scan.
    position_mm
        Of each scan's registration along each axis.
    shape_rel
        Of an integral because four points cannot tell the curve's shape before the first and after the last.
    drawn_voxel_mm, drawn_fwhm_mm
        Voxels and resolution of the image in which outlines were drawn.
    dose_factor_rel
        Of energy per decay, mass density and photon dose.
    """

    point_rel: float = 0.03
    position_mm: float = 1.0
    shape_rel: float = 0.02
    drawn_voxel_mm: float = 1.5
    drawn_fwhm_mm: float = 1.0
    dose_factor_rel: float = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one outline shows at all times, and how that hangs on its size.

    Attributes
    ----------
    activity_mbq, std_rel
        [times] own activity, partial volume corrected, and its relative standard uncertainty.
    size_rel_per_mm
        Relative change of activity per volume when the border is drawn 1 mm further out.
    blur_rel_per_mm
        Relative change of the activity when the blur is taken 1 mm wider (FWHM).
    moved_rel
        [times] the part of ``std_rel`` that comes from registration.
    """

    name: str
    activity_mbq: ArrayF8
    std_rel: ArrayF8
    volume_cm3: float
    mass_g: float
    recovery_fraction: float
    spill_in_fraction: float
    size_rel_per_mm: float
    blur_rel_per_mm: float
    without: tuple[str, ...] = ()
    moved_rel: ArrayF8 = field(default_factory=lambda: np.zeros(0))


def sights(maps: ArrayF4, drawn: Outlines, blur: ImageBlur, errors: Errors) -> dict[str, Sight]:
    """Solve for the activities of all outlines at all times.

    Parameters
    ----------
    maps
        [times, z, y, x] MBq per voxel, registered, at the start of each scan.

    Raises
    ------
    InputError
        If an outline shows no activity of its own at some time.
    """
    plain, shares = solved(maps, drawn, blur)
    names = list(drawn.share)
    for name, activity in zip(names, plain, strict=True):
        if name != REST and not (activity > 0).all():
            raise InputError(
                "an outline shows no activity of its own once its neighbours' is taken off",
                where=name,
                todo="check the outline, or leave the scan out",
            )
    wide, _ = solved(maps, drawn, blur, more_mm=BLUR_STEP_MM)
    narrow, _ = solved(maps, drawn, blur, more_mm=-BLUR_STEP_MM)
    by_blur = np.log(wide / narrow).mean(axis=1) / (2 * BLUR_STEP_MM)
    out = {}
    for i, name in enumerate(names):
        if name == REST:
            continue
        shown = shares[i] @ plain
        own = shares[i, i] * plain[i]
        moved = _position_std_rel(maps, drawn.share[name], own, drawn, errors.position_mm)
        out[name] = Sight(
            name=name,
            activity_mbq=plain[i],
            std_rel=np.hypot(errors.point_rel, moved),
            volume_cm3=drawn.volume_cm3(name),
            mass_g=drawn.mass_g(name),
            recovery_fraction=float(shares[i, i]),
            spill_in_fraction=float(1 - (own / shown).mean()),
            size_rel_per_mm=_size_rel_per_mm(maps, drawn, blur, name),
            blur_rel_per_mm=float(by_blur[i]),
            without=drawn.without.get(name, ()),
            moved_rel=moved,
        )
    return out


#: Step of the derivative by the blur.
BLUR_STEP_MM = 0.5


def solved(
    maps: ArrayF4, drawn: Outlines, blur: ImageBlur, *, more_mm: float = 0.0
) -> tuple[ArrayF8, ArrayF8]:
    """[names, times] activities, and the matrix of shares they were solved with."""
    shares = drawn.seen(blur, more_mm=more_mm)
    flat = maps.reshape(len(maps), -1)
    shown = np.array([flat @ outline.ravel() for outline in drawn.share.values()], dtype=np.float64)
    return np.asarray(np.linalg.solve(shares, shown), dtype=np.float64), shares


def _size_rel_per_mm(maps: ArrayF4, drawn: Outlines, blur: ImageBlur, name: str) -> float:
    """Redraw an outline larger and smaller: how activity per volume follows the border."""
    index = list(drawn.share).index(name)
    found = []
    for larger in (True, False):
        changed = drawn.redrawn(name, larger=larger)
        activity = float(solved(maps, changed, blur)[0][index].mean())
        found.append(log(max(activity, 1e-12) / changed.volume_cm3(name)))
    return (found[0] - found[1]) / (2 * drawn.step_mm)


def _position_std_rel(
    maps: ArrayF4, outline: ArrayF4, own_mbq: ArrayF8, drawn: Outlines, position_mm: float
) -> ArrayF8:
    """[times] relative change of what the outline shows when the scan is shifted by its uncertainty."""
    total = np.zeros(len(maps))
    for axis in range(3):
        step = position_mm / drawn.grid.spacing_mm[2 - axis]
        there, back = np.roll(outline, 1, axis).ravel(), np.roll(outline, -1, axis).ravel()
        flat = maps.reshape(len(maps), -1)
        first = 0.5 * (flat @ there - flat @ back) * step
        second = 0.5 * (flat @ there + flat @ back - 2 * (flat @ outline.ravel())) * step**2
        total += (first / own_mbq) ** 2 + (second / own_mbq) ** 2
    return np.asarray(np.sqrt(total), dtype=np.float64)
