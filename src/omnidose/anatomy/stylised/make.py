"""``make_phantom``: a body of any size from the equations of the Cristy-Eckerman family."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel, BodyRegion, Organ, Origin, Person
from omnidose.anatomy.stylised.bones import bones, head_scale
from omnidose.anatomy.stylised.dimensions import Dimensions, fit_dimensions, media
from omnidose.anatomy.stylised.head_organs import OWN_SHAPES, eye_centre_cm, eye_radius_cm
from omnidose.anatomy.stylised.marrow import marrow_regions
from omnidose.anatomy.stylised.shapes import Part, Shape, body_parts, ellipsoid, raised_arm_axis
from omnidose.anatomy.stylised.soft_organs import organs
from omnidose.anatomy.stylised.voxelise import (
    Share,
    best_voxels,
    share_inside,
    share_of,
    shares,
    sub_voxels,
)
from omnidose.errors import InputError
from omnidose.physics.materials import Material
from omnidose.volume import Grid

#: Sub-voxel step for organs and for the (large) outside, mm.
ORGAN_STEP_MM, BODY_STEP_MM, SMALL_STEP_MM = 1.0, 1.5, 0.5
#: Dry air near sea level by weight (ICRU Report 37); the same numbers as the transport's world.
_AIR = Material(
    name="air",
    weight_fractions={6: 0.000124, 7: 0.755268, 8: 0.231781, 18: 0.012827},
    density_g_cm3=0.001205,
)
#: Length of the neck of a person lying in a scanner, relative to the published neck (ours): with it the jaw
#: begins 6 cm above the lungs' tips. In the ICRP 110 phantoms it does 4.4 (woman) and 6.4 cm (man) above.
LYING_NECK = 0.4
_MEDIA = ("air", "soft-tissue", "lung", "skeleton", "adipose")
#: Adult age from which the published phantom is used as it is.
ADULT_Y = 18.0


@dataclass(slots=True)
class _Canvas:
    """Arrays being filled."""

    grid: Grid
    labels: npt.NDArray[np.uint8]
    medium: npt.NDArray[np.uint8]
    keys: list[str]

    def label(self, key: str) -> int:
        """Return the label of an organ, adding it."""
        if key not in self.keys:
            self.keys.append(key)
        return self.keys.index(key) + 1


def make_phantom(
    sex: str,
    *,
    age_y: float | None = None,
    height_cm: float | None = None,
    weight_kg: float | None = None,
    voxel_mm: float = 3.0,
    arms: str = "down",
    ct_like: bool = False,
    head: str | None = None,
) -> BodyModel:
    """Make a stylised body of a given sex, age and size.

    Parameters
    ----------
    sex
        ``M``, ``F``, or ``hermaphrodite`` (all gonads and breasts, as in the published family).
    age_y
        Age in years; None means adult (as does 18 and above).
    height_cm, weight_kg
        None keeps the family's own size; see :func:`fit_dimensions` for the scaling rule.
    voxel_mm
        Edge of the cubic voxels.
    arms
        ``down`` (arm bones at the sides of the trunk, as published) or ``up`` (our own shape).
    ct_like
        Add what a CT shows and the family lacks: at least 12 mm of subcutaneous fat around the trunk and
        legs, and a trachea filled with air; the thyroid lies at the lungs' tips, as in ICRP Publication 110.
    head
        ``1987``, which sits on the trunk without a neck and belongs to the published masses, or ``1996``
        with a neck. None: 1996 for ``ct_like``, else 1987.

    Returns
    -------
    BodyModel
        Origin (0, 0, 0) mm in the middle of the trunk's base. Exclusive labels for organs; fractional
        regions for skin, lenses, red marrow and endosteum. ``notes`` say what is unverified.

    Raises
    ------
    InputError, RangeError
        For a sex, posture or size that the phantom cannot take.

    References
    ----------
    Cristy and Eckerman (1987) ORNL/TM-8381/V1: geometry with the head without a neck ("1987").
    Eckerman, Cristy and Ryman (1996), ORNL mathematical phantom series: head with a neck ("1996").
    """
    if arms not in ("down", "up"):
        raise InputError(f"arms '{arms}' are not known", allowed="down, up")
    if not 1.0 <= voxel_mm <= 20.0:
        raise InputError(f"voxels of {voxel_mm:g} mm are not possible", allowed="1 to 20 mm")
    adult = age_y is None or age_y >= ADULT_Y
    d = fit_dimensions(
        sex,
        None if adult else age_y,
        height_cm=height_cm,
        weight_kg=weight_kg,
        fat_cm=1.2 if ct_like else 0.0,
        head=head or ("1996" if ct_like else "1987"),
        neck_share=LYING_NECK if ct_like else 1.0,
    )
    grid = _grid(d, voxel_mm, arms)
    canvas = _Canvas(
        grid=grid,
        labels=np.zeros(grid.shape_zyx, dtype=np.uint8),
        medium=np.zeros(grid.shape_zyx, dtype=np.uint8),
        keys=[],
    )
    skin = _fill_body(canvas, body_parts(d, arms))
    _fill_organs(canvas, d, arms, ct_like)
    _fill_rest(canvas)
    return _assemble(canvas, d, skin, arms=arms, adult=adult, age_y=age_y, ct_like=ct_like)


def _grid(d: Dimensions, voxel_mm: float, arms: str) -> Grid:
    """Return a grid, symmetric in x, that holds the body and one voxel of air."""
    parts = body_parts(d, arms)
    low = np.min([part.lower_cm for part in parts], axis=0) * 10 - voxel_mm
    high = np.max([part.upper_cm for part in parts], axis=0) * 10 + voxel_mm
    low[0], high[0] = -max(-low[0], high[0]), max(-low[0], high[0])
    n = np.ceil((high - low) / voxel_mm).astype(int)
    n[0] += n[0] % 2
    start = low + 0.5 * voxel_mm
    start[0] = -0.5 * voxel_mm * (n[0] - 1)
    return Grid(
        shape_zyx=(int(n[2]), int(n[1]), int(n[0])),
        spacing_mm=(voxel_mm, voxel_mm, voxel_mm),
        origin_mm=(float(start[0]), float(start[1]), float(start[2])),
    )


def _fill_body(canvas: _Canvas, parts: list[Part]) -> npt.NDArray[np.float32]:
    """Mark body and fat; return the share of each voxel that is skin, float32 [z, y, x]."""
    grid = canvas.grid
    samples = sub_voxels(grid, BODY_STEP_MM)
    outside = _total(grid, parts, "outside", samples)
    lean = _total(grid, parts, "lean", samples)
    inner = _total(grid, parts, "inside_skin", sub_voxels(grid, ORGAN_STEP_MM))
    outer = _total(grid, parts, "outside", sub_voxels(grid, ORGAN_STEP_MM))
    everywhere = (slice(None), slice(None), slice(None))
    total = 1000
    whole = Share(window=everywhere, count=np.minimum(outside, total).astype(np.uint16), total=total)
    body = best_voxels(whole, np.ones(grid.shape_zyx, dtype=np.bool_), whole.voxels)
    canvas.medium[body] = _MEDIA.index("soft-tissue")
    fat = Share(window=everywhere, count=np.clip(outside - lean, 0, total).astype(np.uint16), total=total)
    if fat.voxels > 0:
        canvas.medium[best_voxels(fat, body, fat.voxels)] = _MEDIA.index("adipose")
    skin = np.clip(outer - inner, 0, total).astype(np.float32) / total
    wanted = float(skin.sum(dtype=np.float64))
    skin[~body] = 0.0
    kept = float(skin.sum(dtype=np.float64))
    # Skin in voxels that became air is moved to the body's own surface voxels: the mass stays.
    moved: npt.NDArray[np.float32] = np.minimum(skin * np.float32(wanted / kept), np.float32(1.0))
    return moved


def _total(grid: Grid, parts: list[Part], name: str, samples: int) -> npt.NDArray[np.int16]:
    """Return the sum over the (disjoint) parts of the share of each voxel, in thousandths."""
    total = np.zeros(grid.shape_zyx, dtype=np.int16)
    for part in parts:
        share = share_inside(grid, getattr(part, name), part.lower_cm, part.upper_cm, samples)
        if share is not None:
            total[share.window] += np.rint(share.count * (1000.0 / share.total)).astype(np.int16)
    return total


def _fill_organs(canvas: _Canvas, d: Dimensions, arms: str, ct_like: bool) -> None:
    """Label organs in order: eyes, bones, then soft organs; later shapes get what is left."""
    soft = [replace(shape, scale=scale) for shape, scale in organs(d, airways=ct_like)]
    eyes = [shape for shape in soft if shape.key.endswith("-eye")]
    rest = [shape for shape in soft if not shape.key.endswith("-eye")]
    for shape in [*eyes, *bones(d, arms), *rest]:
        small = max(shape.upper_cm[i] - shape.lower_cm[i] for i in range(3)) < 12
        samples = sub_voxels(canvas.grid, SMALL_STEP_MM if small else ORGAN_STEP_MM)
        for _shape, share in shares(canvas.grid, [shape], samples):
            _place(canvas, shape, share)


def _place(canvas: _Canvas, shape: Shape, share: Share) -> None:
    labels, medium = canvas.labels[share.window], canvas.medium[share.window]
    chosen = best_voxels(share, (labels == 0) & (medium > 0), share.voxels)
    labels[chosen] = canvas.label(shape.key)
    medium[chosen] = _MEDIA.index(shape.medium)


def _fill_rest(canvas: _Canvas) -> None:
    """Label fat and the soft tissue that belongs to no organ."""
    free = canvas.labels == 0
    for name, key in (("soft-tissue", "soft-tissue"), ("adipose", "adipose-tissue")):
        where = free & (canvas.medium == _MEDIA.index(name))
        if where.any():
            canvas.labels[where] = canvas.label(key)


def _densities(d: Dimensions) -> npt.NDArray[np.float32]:
    known = media()
    values = [_AIR.density_g_cm3] + [known[name].density_g_cm3 for name in _MEDIA[1:]]
    values[_MEDIA.index("skeleton")] = d.skeleton_g_cm3
    return np.array(values, dtype=np.float32)


def _lenses(canvas: _Canvas, d: Dimensions) -> list[BodyRegion]:
    """Return the lenses: spheres of 0.19 cm3 whose front is 3 mm behind the front of the eye."""
    found = []
    radius = 0.357 * eye_radius_cm(d) / 1.2
    for side, sign in (("right", -1), ("left", 1)):
        x, y, z = eye_centre_cm(d, sign)
        centre = (x, y - eye_radius_cm(d) + 0.3 + radius, z)
        sphere = ellipsoid(f"{side}-lens", centre, (radius, radius, radius))
        share = share_of(canvas.grid, replace(sphere, scale=head_scale(d)), 8)
        if share is None:
            continue
        start = [s.start for s in share.window]
        where = np.argwhere(share.count > 0)
        flat = np.ravel_multi_index(tuple((where + start).T), canvas.grid.shape_zyx)
        weights = (share.count[share.count > 0] / share.total).astype(np.float32)
        found.append(
            BodyRegion(
                key=f"{side}-lens",
                voxels=flat.astype(np.int64),
                weights=weights,
                origin=Origin.PHANTOM,
            )
        )
    return found


def _assemble(
    canvas: _Canvas,
    d: Dimensions,
    skin: npt.NDArray[np.float32],
    *,
    arms: str,
    adult: bool,
    age_y: float | None,
    ct_like: bool,
) -> BodyModel:
    density = _densities(d)[canvas.medium]
    voxels = np.flatnonzero(skin > 0).astype(np.int64)
    regions = [
        BodyRegion(key="skin", voxels=voxels, weights=skin.ravel()[voxels], origin=Origin.PHANTOM),
        *_lenses(canvas, d),
        *marrow_regions(canvas.labels, canvas.keys, density, canvas.grid, d),
    ]
    organs_ = tuple(Organ(key=key, label=i + 1, origin=Origin.PHANTOM) for i, key in enumerate(canvas.keys))
    mass_kg = float(density[canvas.medium > 0].sum(dtype=np.float64)) * canvas.grid.voxel_volume_cm3 / 1000
    sex = d.sex if d.sex in ("M", "F") else ""
    known = media()
    return BodyModel(
        name=_name(d, adult, age_y),
        grid=canvas.grid,
        materials=(_AIR, *(known[name] for name in _MEDIA[1:])),
        material_index=canvas.medium,
        density_g_cm3=density,
        labels=canvas.labels,
        organs=organs_,
        regions=tuple(regions),
        person=Person(sex=sex, age_y=age_y, height_cm=round(d.height_cm, 1), weight_kg=round(mass_kg, 1)),
        notes=_notes(d, canvas.keys, arms=arms, adult=adult, ct_like=ct_like),
    )


def _name(d: Dimensions, adult: bool, age_y: float | None) -> str:
    words = {"M": "male", "F": "female", "hermaphrodite": "hermaphrodite"}[d.sex]
    age = "adult" if adult else f"{age_y:g}-year"
    neck = ", head and neck of 1996" if d.has_neck else ""
    return f"stylised {age} {words} (Cristy-Eckerman 1987{neck})"


def _notes(d: Dimensions, keys: list[str], *, arms: str, adult: bool, ct_like: bool) -> tuple[str, ...]:
    own = ", ".join(key for key in OWN_SHAPES if key in keys)
    head = "1996 head and neck" if d.has_neck else "1987 head (no neck)"
    notes = [
        f"geometry of the Cristy-Eckerman family with the {head}; positions of some organs and "
        "the shape of heart, gall bladder and bones of children are unverified",
        f"shapes of our own, not of the published family: {own}",
        "sternum and sacrum are not drawn: their marrow is counted with ribs and pelvis",
        f"height {d.height_cm:.0f} cm; scaled by {d.along:.3f} along and {d.across:.3f} across, with "
        f"{10 * d.fat_cm:.0f} mm of added subcutaneous fat",
    ]
    if not adult:
        notes.append(
            "child phantom: UNVERIFIED (positions and some organs by the scaling rule; marrow by our rule)"
        )
    if d.has_neck:
        notes.append(
            "dimensions of the neck from memory; thyroid and cervical spine are moved into it and the spine "
            "goes on to the skull (our rule: the published places were not found)"
        )
    if arms == "up":
        x, _base, _length = raised_arm_axis(d)
        notes.append(f"arms raised beside the head (our own shape, axis at {10 * x:.0f} mm)")
    if ct_like:
        notes.append(
            "with a trachea and subcutaneous fat, which the published family does not have; thyroid lowered "
            "to the lungs' tips, where ICRP Publication 110 has it"
        )
        if d.has_neck:
            notes.append(
                f"neck of {LYING_NECK:g} times the published length, as of a person lying in a scanner (ours)"
            )
    return tuple(notes)
