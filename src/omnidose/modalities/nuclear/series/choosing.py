"""Which organs get an outline of their own, and what every outline shows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import LESION, BodyModel, Organ, Origin
from omnidose.anatomy.organs import CONTENTS
from omnidose.anatomy.segmentation.location import bone_keys
from omnidose.errors import InputError
from omnidose.modalities.nuclear.series.alignment import AlignedSeries
from omnidose.modalities.nuclear.series.drawing import labels_on, outlines_on
from omnidose.modalities.nuclear.series.outlines import REST, Outlines
from omnidose.modalities.nuclear.series.recovery import ImageBlur
from omnidose.modalities.nuclear.series.sight import Errors, Sight, sights
from omnidose.modalities.nuclear.time_integrals import NO_ORGAN

Mask = npt.NDArray[np.bool_]

#: An organ gets an outline from this volume on, if its activity per volume is at least so many times that of
#: the rest of the body in the reference scan, and if so much of it lies in every scan.
LEAST_CM3, LEAST_CONTRAST, LEAST_COVERED = 20.0, 2.0, 0.98
#: An outline that shows less of its own activity is smaller than the camera resolves: its dose would be the
#: correction's error times ten and more (one voxel in a lesion: twelve times the lesion's dose).
LEAST_RECOVERY = 0.1
#: At most so many organs: the hottest. Lesions are not counted.
MOST_ORGANS = 12
#: Organs that are hot after nearly every radiopharmaceutical.
EXCRETING = frozenset({"left-kidney", "right-kidney", "kidneys"})
#: No outline: what fills and empties between scans, or is a wall beside contents.
_NO_OUTLINE = NO_ORGAN | set(CONTENTS) | set(CONTENTS.values()) | {"blood-vessels", "lungs", "skeleton"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen:
    """Outlines and what they show.

    Attributes
    ----------
    masks
        Name -> [z, y, x] on the body's grid, lesions taken out of organs.
    fitted_organs
        Organs that are hot, or a way of excretion, whose shape was fitted and not drawn.
    strict
        Whether these get no dose.
    dropped
        Name -> why an outline that was wanted is none.
    """

    drawn: Outlines = field(repr=False)
    sights: dict[str, Sight]
    masks: dict[str, Mask] = field(repr=False)
    fitted_organs: tuple[str, ...] = ()
    dropped: dict[str, str] = field(default_factory=dict)
    strict: bool = True

    @property
    def no_dose(self) -> tuple[str, ...]:
        """Organs and lesions whose mean over a map would be a wrong number that looks right."""
        return (*(self.fitted_organs if self.strict else ()), *self.dropped)


def choose(
    aligned: AlignedSeries,
    body: BodyModel,
    *,
    reference: int,
    blur: ImageBlur,
    errors: Errors,
    strict: bool = True,
) -> Chosen:
    """Choose organs by the rule of this module, take all lesions, and solve for their activities.

    Parameters
    ----------
    strict
        Refuse if nothing was drawn, and give hot organs with fitted shapes no dose: as a therapy needs it. A
        diagnosis takes them from the map, as one PET does.

    Raises
    ------
    InputError
        If no organ and no lesion was drawn that can be used.
    """
    organs, fitted = _hot_organs(aligned, body, reference)
    lesions = {region.key: _mask_of(region.voxels, body) for region in body.lesions}
    wanted = {organ.key: body.mask(organ.key) for organ in organs} | lesions
    dropped: dict[str, str] = {}
    covered = aligned.covered_on(body.grid)
    for name, mask in list(wanted.items()):
        share = float(covered[mask].mean()) if mask.any() else 0.0
        if share < LEAST_COVERED:
            dropped[name] = f"{100 * (1 - share):.0f} % of it lies outside of a scan"
            del wanted[name]
    while wanted or not strict:
        drawn = _seen_by_all(outlines_on(aligned.grid, body, wanted), aligned)
        small = _too_small(drawn, blur)
        if small:
            dropped |= small
            wanted = {name: mask for name, mask in wanted.items() if name not in small}
            continue
        try:
            found = sights(aligned.maps, drawn, blur, errors)
        except InputError as error:
            if error.where not in wanted:
                raise
            dropped[error.where] = "it shows no activity of its own once its neighbours' is taken off"
            del wanted[error.where]
            continue
        every = np.zeros(body.grid.shape_zyx, dtype=np.bool_)
        for key in lesions:
            if key in wanted:
                every |= lesions[key]
        own = {key: mask if key.startswith(LESION) else mask & ~every for key, mask in wanted.items()}
        return Chosen(
            drawn=drawn, sights=found, masks=own, fitted_organs=fitted, dropped=dropped, strict=strict
        )
    why = "; ".join(f"{name}: {reason}" for name, reason in dropped.items())
    raise InputError(
        f"no outline of an organ or lesion can be used ({why})"
        if why
        else "no organ and no lesion with uptake was drawn on the CT, and shapes that were only fitted to it "
        "may lie beside the organs",
        where="--masks",
        todo="give masks of kidneys, other organs with uptake and lesions with --masks, or a segmenter with "
        "--segmenter",
    )


def _seen_by_all(drawn: Outlines, aligned: AlignedSeries) -> Outlines:
    """Return outlines with the rest of the body only where every scan saw it.

    Else the rest of a scan that shows half of the body would look as if half of it were gone.
    """
    seen = aligned.covered_by_all
    return replace(drawn, share={**drawn.share, REST: drawn.share[REST] * seen.astype(np.float32)})


def _too_small(drawn: Outlines, blur: ImageBlur) -> dict[str, str]:
    """Return outlines of which nothing, or nearly nothing, can be seen, and why."""
    empty = [name for name in drawn.names if not drawn.share[name].any()]
    if empty:
        return dict.fromkeys(empty, "it lies outside of the body, or wholly in smaller outlines")
    own = np.diag(drawn.seen(blur))
    return {
        name: f"in images blurred by {blur.fwhm_mm:g} mm it shows {100 * share:.0f} % of its own activity: "
        "it is smaller than the camera resolves"
        for name, share in zip(drawn.share, own, strict=True)
        if name != REST and share < LEAST_RECOVERY
    }


def _mask_of(voxels: npt.NDArray[np.int64], body: BodyModel) -> Mask:
    mask = np.zeros(body.labels.size, dtype=np.bool_)
    mask[voxels] = True
    return mask.reshape(body.grid.shape_zyx)


def _hot_organs(
    aligned: AlignedSeries, body: BodyModel, reference: int
) -> tuple[tuple[Organ, ...], tuple[str, ...]]:
    """Return the organs that were drawn and are hot enough, hottest first, and hot ones that were fitted."""
    label = labels_on(aligned.grid, body).ravel()
    voxel_cm3 = aligned.grid.voxel_volume_cm3
    activity = np.bincount(label, weights=aligned.maps[reference].ravel(), minlength=256)
    volume = np.bincount(label, minlength=256) * voxel_cm3
    own_cm3 = body.grid.voxel_volume_cm3 * np.bincount(body.labels.ravel(), minlength=256)
    possible = [
        organ
        for organ in body.organs
        if organ.key not in _NO_OUTLINE | bone_keys()
        and organ.origin in (Origin.SEGMENTED, Origin.ATLAS)
        and own_cm3[organ.label] >= LEAST_CM3
        and volume[organ.label] > 0
    ]
    names = np.array([organ.label for organ in possible], dtype=np.intp)
    rest_mbq = activity[1:].sum() - activity[names].sum()
    rest_cm3 = volume[1:].sum() - volume[names].sum()
    if rest_cm3 <= 0:
        return (), ()
    least = LEAST_CONTRAST * max(rest_mbq, 0.0) / rest_cm3
    density = {organ.key: activity[organ.label] / volume[organ.label] for organ in possible}
    hot = sorted((o for o in possible if density[o.key] > least), key=lambda o: -density[o.key])
    drawn = [organ for organ in hot if organ.origin is Origin.SEGMENTED][:MOST_ORGANS]
    fitted = [o.key for o in possible if o.origin is Origin.ATLAS and (o in hot or o.key in EXCRETING)]
    return tuple(drawn), tuple(fitted)
