"""Continue a scanned part of a body with a fitted phantom: above, below and beside the images.

Organs outside the scan get dose from scatter, and organs that the scan cuts need their other part, or
their mean dose would be that of the scanned part alone. What is added is marked voxel by voxel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel, Organ, Origin
from omnidose.anatomy.organs import CONTENTS
from omnidose.anatomy.organs import organs as vocabulary
from omnidose.errors import InputError
from omnidose.volume import Grid

Mask = npt.NDArray[np.bool_]
#: The outline of the phantom is matched to the patient's at the cut; the match fades over this length, mm.
FADE_MM = 80.0
#: How far the outline may be stretched at the cut.
STRETCH = (0.75, 1.35)
#: A layer counts as truncated sideways if the body meets the edge of the image over at least this length, mm.
CUT_MM = 20.0
#: Bones that are made of others: their marrow lies in the members.
WHOLE_BONES = frozenset({"skeleton", "femora", "humeri"})
#: Labels of a phantom that become soft tissue of a patient in whom nobody has outlined fat or air.
NO_ORGANS = frozenset({"adipose-tissue", "air-in-body"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A completed body.

    Attributes
    ----------
    body
        On a larger grid of the same voxels; ``completed`` marks what does not come from the images.
    image_box
        Slices [z, y, x] of the images in the larger grid.
    truncated_slices
        Number of image slices in which the body is cut at the side.
    """

    body: BodyModel
    image_box: tuple[slice, slice, slice]
    truncated_slices: int
    notes: tuple[str, ...] = ()


def complete_body(
    body: BodyModel,
    phantom: BodyModel,
    affine_to_phantom_mm: npt.NDArray[np.float64],
    *,
    body_mask: Mask,
    imaged: Mask | None = None,
    whole_organs: Iterable[str] = (),
) -> Completion:
    """Continue a body with a phantom.

    Parameters
    ----------
    body
        The scanned part, on the grid of the images; no regions yet (they are made of the whole).
    phantom
        Fitted phantom.
    affine_to_phantom_mm
        4x4, patient point (LPS mm) -> phantom point.
    body_mask
        bool [z, y, x], True inside the skin.
    imaged
        bool, broadcastable to [z, y, x]; False where the grid holds no image (outside a circular field).
    whole_organs
        Organs whose masks hold wall and contents: the phantom's contents are added to them.

    Returns
    -------
    Completion
        Organs with origin and imaged fraction. An organ that is mostly outside the images has the origin
        *phantom*.

    Notes
    -----
    Beyond the first and last slice the phantom is followed along the fitted direction; its outline is
    stretched to the patient's at the cut and returns to its own within about 80 mm. Sideways, the phantom
    fills only what lies outside the image in layers where the body meets the edge of the image.
    """
    grid = body.grid
    seen = np.ones((1, 1, 1), dtype=np.bool_) if imaged is None else np.asarray(imaged)
    cut = _truncated(body_mask, seen, grid)
    mapping = _Mapping.of(affine_to_phantom_mm, grid, body_mask, phantom)
    whole = _whole_grid(grid, mapping, phantom, sideways=bool(cut.any()))
    box = _box(grid, whole)
    labels, material, density = _larger(body, whole, box)
    completed = np.zeros(whole.shape_zyx, dtype=np.bool_)
    key_map = _Keys(body, phantom, set(whole_organs))
    first, last = box[0].start, box[0].stop
    for k in range(whole.shape_zyx[0]):
        inside = first <= k < last
        if inside and not cut[k - first]:
            continue
        index = mapping.layer(whole, k)
        own = phantom.labels.ravel()[index]
        fill = own > 0
        if inside:
            outside = np.ones(fill.shape, dtype=np.bool_)
            outside[box[1:]] = ~np.broadcast_to(seen, grid.shape_zyx)[k - first]
            fill &= outside
        labels[k][fill] = key_map.labels[own[fill]]
        material[k][fill] = key_map.materials[phantom.material_index.ravel()[index[fill]]]
        density[k][fill] = phantom.density_g_cm3.ravel()[index[fill]]
        completed[k][fill] = True
    organs = _organs(body, key_map, labels, completed)
    truncated = int(cut.sum())
    notes = [f"the body is continued beyond the images with: {phantom.name}"]
    if truncated:
        notes.append(
            f"{truncated} of {cut.size} slices cut the body at the side: the rest comes from the phantom"
        )
    return Completion(
        body=replace(
            body,
            grid=whole,
            labels=labels,
            material_index=material,
            density_g_cm3=density,
            materials=key_map.all_materials,
            organs=organs,
            completed=completed,
            notes=(*body.notes, *notes),
        ),
        image_box=box,
        truncated_slices=truncated,
        notes=tuple(notes),
    )


def _truncated(body: Mask, seen: Mask, grid: Grid) -> Mask:
    """Return for every layer whether the body meets the edge of the image over a length worth mending."""
    edge = np.zeros(body.shape[1:], dtype=np.bool_)
    edge[[0, -1], :] = True
    edge[:, [0, -1]] = True
    length = CUT_MM / grid.spacing_mm[0]
    if seen.all():
        return np.asarray((body & edge).sum(axis=(1, 2)) >= length)
    from scipy import ndimage

    full = np.broadcast_to(seen, (seen.shape[0], *body.shape[1:]))
    near = np.stack([edge | ndimage.binary_dilation(~layer) for layer in full])
    return np.asarray((body & near & full).sum(axis=(1, 2)) >= length)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mapping:
    """From voxels of the whole grid to voxels of the phantom."""

    affine: npt.NDArray[np.float64]
    phantom: Grid
    z_mm: tuple[float, float]
    #: For the lower and the upper cut: (middle of patient, middle of phantom, stretch) along x and y.
    stretch: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]

    @classmethod
    def of(cls, affine: npt.NDArray[np.float64], grid: Grid, mask: Mask, phantom: BodyModel) -> _Mapping:
        z = grid.axis_mm(2)
        plain = cls(
            affine=affine,
            phantom=phantom.grid,
            z_mm=(float(z[0]), float(z[-1])),
            stretch=(np.tile([0.0, 0.0, 1.0], (2, 1)), np.tile([0.0, 0.0, 1.0], (2, 1))),
        )
        found = []
        for k in (0, mask.shape[0] - 1):
            theirs = phantom.labels.ravel()[plain.layer(grid, k)] > 0
            found.append(_match(mask[k], theirs, grid))
        return replace(plain, stretch=(found[0], found[1]))

    def layer(self, grid: Grid, k: int) -> npt.NDArray[np.int64]:
        """Return flat indices [ny, nx] into the phantom; 0, a corner of air, where there is no phantom."""
        z = grid.origin_mm[2] + k * grid.spacing_mm[2]
        low, high = self.z_mm
        edge = min(max(z, low), high)
        beyond = z - edge
        fade = np.exp(-abs(beyond) / FADE_MM)
        # Slant (x and y depending on z) must not carry the far end of the body away.
        slant_z = edge + np.sign(beyond) * FADE_MM * (1 - fade)
        points = []
        for axis in (0, 1):
            p = grid.axis_mm(axis)
            if beyond != 0:
                ours, theirs, scale = self.stretch[int(beyond > 0)][axis]
                p = p + fade * (theirs + (p - ours) * scale - p)
            points.append(p[None, :] if axis == 0 else p[:, None])
        x, y = points
        a = self.affine
        index: list[npt.NDArray[np.int64]] = []
        valid: npt.NDArray[np.bool_] = np.ones((y.shape[0], x.shape[1]), dtype=np.bool_)
        for axis in (0, 1, 2):
            along = z if axis == 2 else slant_z
            where = a[axis, 0] * x + a[axis, 1] * y + a[axis, 2] * along + a[axis, 3]
            i = np.rint((where - self.phantom.origin_mm[axis]) / self.phantom.spacing_mm[axis])
            i = i.astype(np.int64)
            valid = valid & (i >= 0) & (i < self.phantom.shape_zyx[2 - axis])
            index.append(i)
        _nz, ny, nx = self.phantom.shape_zyx
        flat = (index[2] * ny + index[1]) * nx + index[0]
        return np.where(valid, flat, 0)


def _match(ours: Mask, theirs: Mask, grid: Grid) -> npt.NDArray[np.float64]:
    """Return (middle of ours, middle of theirs, theirs / ours) along x and y from two outlines.

    Only outlines of one piece are matched: shoulders are no match for a head between two raised arms.
    """
    out = np.tile([0.0, 0.0, 1.0], (2, 1))
    if not (_is_one_piece(ours) and _is_one_piece(theirs)):
        return out
    for axis in (0, 1):
        spans = []
        for layer in (ours, theirs):
            profile = np.cumsum(layer.sum(axis=axis).astype(np.float64))
            spans.append(np.interp(np.array([0.03, 0.97]) * profile[-1], profile, grid.axis_mm(axis)))
        (a0, a1), (b0, b1) = spans
        scale = float(np.clip((b1 - b0) / max(1.0, a1 - a0), 1 / STRETCH[1], 1 / STRETCH[0]))
        out[axis] = 0.5 * (a0 + a1), 0.5 * (b0 + b1), scale
    return out


def _is_one_piece(outline: Mask) -> bool:
    """Tell whether nine tenths of an outline hang together."""
    from scipy import ndimage

    label, _count = ndimage.label(outline)
    sizes = np.bincount(label.ravel())[1:]
    return bool(sizes.size and sizes.sum() >= 50 and sizes.max() >= 0.9 * sizes.sum())


def _whole_grid(grid: Grid, mapping: _Mapping, phantom: BodyModel, *, sideways: bool) -> Grid:
    """Return the grid of the images, continued so that it holds the phantom."""
    straight = mapping.affine.copy()
    straight[:2, 3] += straight[:2, 2] * np.mean(mapping.z_mm)
    straight[:2, 2] = 0.0  # as in ``_Mapping.layer``, the slant does not go on
    back = np.linalg.inv(straight)
    corners = np.array(np.meshgrid(*zip(phantom.grid.lower_mm, phantom.grid.upper_mm, strict=True)))
    points = back[:3, :3] @ corners.reshape(3, -1) + back[:3, 3:]
    low, high = points.min(axis=1), points.max(axis=1)
    before, after = np.zeros(3, dtype=int), np.zeros(3, dtype=int)
    for axis in (0, 1, 2):
        # Across, a margin for the stretched outline; without truncation too: hips and shoulders are wider.
        margin = 30.0 if axis < 2 and sideways else 0.0
        before[axis] = max(0, np.ceil((grid.lower_mm[axis] - low[axis] + margin) / grid.spacing_mm[axis]))
        after[axis] = max(0, np.ceil((high[axis] + margin - grid.upper_mm[axis]) / grid.spacing_mm[axis]))
    shape = np.array(grid.shape_zyx) + (before + after)[::-1]
    origin = np.array(grid.origin_mm) - before * np.array(grid.spacing_mm)
    return Grid(
        shape_zyx=(int(shape[0]), int(shape[1]), int(shape[2])),
        spacing_mm=grid.spacing_mm,
        origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
    )


def _box(grid: Grid, whole: Grid) -> tuple[slice, slice, slice]:
    start = [
        round((grid.origin_mm[axis] - whole.origin_mm[axis]) / grid.spacing_mm[axis]) for axis in (2, 1, 0)
    ]
    z, y, x = (slice(s, s + n) for s, n in zip(start, grid.shape_zyx, strict=True))
    return z, y, x


def _larger(
    body: BodyModel, whole: Grid, box: tuple[slice, slice, slice]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Return labels, materials and densities of the images in the larger grid, air elsewhere."""
    labels = np.zeros(whole.shape_zyx, dtype=np.uint8)
    material = np.zeros(whole.shape_zyx, dtype=np.uint8)
    density = np.full(whole.shape_zyx, body.materials[0].density_g_cm3, dtype=np.float32)
    labels[box], material[box], density[box] = body.labels, body.material_index, body.density_g_cm3
    return labels, material, density


class _Keys:
    """Labels and materials of the phantom in terms of the body's.

    A part of an organ that the body knows only as a whole joins the whole (``ascending-colon`` joins
    ``colon``), as do the contents of an organ whose mask holds them.
    """

    def __init__(self, body: BodyModel, phantom: BodyModel, whole_organs: set[str]) -> None:
        self.label_of = {organ.key: organ.label for organ in body.organs}
        self.labels = np.zeros(256, dtype=np.uint8)
        for organ in phantom.organs:
            key = self._name(organ.key, whole_organs)
            if key not in self.label_of:
                self.label_of[key] = self._free_label()
            self.labels[organ.label] = self.label_of[key]
        self.all_materials = (*body.materials, *phantom.materials[1:])
        self.materials = np.arange(256) + len(body.materials) - 1
        self.materials[0] = 0
        self.materials = self.materials.astype(np.uint8)

    def _free_label(self) -> int:
        used = set(self.label_of.values())
        free = next((n for n in range(1, 256) if n not in used), None)
        if free is None:
            raise InputError("body and phantom have more than 255 organs together", allowed="255 labels")
        return free

    def _name(self, key: str, whole_organs: set[str]) -> str:
        known = vocabulary()
        if key in NO_ORGANS and key not in self.label_of:
            return "soft-tissue"
        whole = CONTENTS.get(key, "")
        if whole in whole_organs:
            key = whole
        name = key
        while name and name not in self.label_of:
            name = known[name].parent if name in known else ""
        # A whole of bones (skeleton, femora) is no stand-in for a bone: marrow needs its site.
        return name if name and name not in WHOLE_BONES else key


def _organs(
    body: BodyModel, keys: _Keys, labels: npt.NDArray[np.uint8], completed: Mask
) -> tuple[Organ, ...]:
    """Return every organ that is present, with the share of its voxels in the images."""
    total = np.bincount(labels.ravel(), minlength=256)
    added = np.bincount(labels[completed], minlength=256)
    own = {organ.key: organ for organ in body.organs}
    found = []
    for key, label in keys.label_of.items():
        if not total[label]:
            continue
        imaged = 1.0 - float(added[label]) / float(total[label])
        origin = own[key].origin if key in own and imaged >= 0.5 else Origin.PHANTOM
        found.append(Organ(key=key, label=label, origin=origin, imaged_fraction=imaged))
    return tuple(found)
