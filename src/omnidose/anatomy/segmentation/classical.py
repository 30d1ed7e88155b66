"""What CT numbers alone tell: body, couch, lungs, airways, gas, bone.

All functions take CT numbers on a grid of 2 to 4 mm (block means) and return masks on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from omnidose.errors import InputError
from omnidose.volume import Grid

Mask = npt.NDArray[np.bool_]
#: Thresholds, HU. Between air and fat; between lung and soft tissue; gas that is no lung parenchyma.
BODY_HU, LUNG_HU, GAS_HU = -300.0, -400.0, -930.0
#: Bone: the surest voxels, and what grows from them.
BONE_SEED_HU, BONE_HU = 350.0, 170.0
#: Half the thickness of what counts as a plate of the couch where it touches the patient, mm.
COUCH_HALF_MM = 5.0
#: Openings narrower than twice this (nostrils, the cut edge of a lung) do not let air into the body, mm.
CLOSE_MM = 10.0
#: Spongy bone between the plates of a vertebra: what a closing by this many mm may add above this CT number.
SPONGY_MM, SPONGY_HU = 12.0, 70.0
#: What touches bone and is brighter than this belongs to it (voxels of 2 to 4 mm average over its edge).
EDGE_HU = 120.0
#: Holes larger than this in an axial layer of bone hold the brain; layers this near hold the skull, mm.
HOLE_CM2, SKULL_REACH_MM = 25.0, 40.0
#: Mean CT number of a hole that may be the spinal canal or brain rather than marrow.
GREY_HU = (10.0, 60.0)
#: Half the width of the strip in which a grey hole may be the spinal canal, mm.
MIDLINE_MM = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tissues:
    """Masks on one grid, bool [z, y, x].

    Attributes
    ----------
    body
        Everything inside the skin, air included.
    couch
        What is solid outside the body.
    gas
        Air inside the body that is neither lung nor airway (bowel, sinuses).
    limbs
        Arms that lie beside the trunk.
    """

    body: Mask
    couch: Mask
    left_lung: Mask
    right_lung: Mask
    airway: Mask
    gas: Mask
    bone: Mask
    limbs: Mask

    @property
    def trunk(self) -> Mask:
        """The body without arms that lie beside it."""
        return np.asarray(self.body & ~self.limbs)

    @property
    def lungs(self) -> Mask:
        """Both lungs."""
        return np.asarray(self.left_lung | self.right_lung)


def find_tissues(hu: npt.NDArray[np.float32], grid: Grid) -> Tissues:
    """Return all masks.

    Parameters
    ----------
    hu
        CT numbers [z, y, x], float32.

    Raises
    ------
    InputError
        If nothing in the image looks like a body.
    """
    body, couch = find_body(hu, grid)
    left, right, airway, gas = find_lungs(hu, body, grid)
    bone = find_bone(hu, body, grid)
    return Tissues(
        body=body,
        couch=couch,
        left_lung=left,
        right_lung=right,
        airway=airway,
        gas=gas,
        bone=bone,
        limbs=find_limbs(body, grid),
    )


def find_body(hu: npt.NDArray[np.float32], grid: Grid) -> tuple[Mask, Mask]:
    """Return the body with its air, and the couch with other things outside the body.

    The body is the largest solid component after an opening in the axial plane, which cuts the thin
    plates of a couch off the back; it then grows back to its own edge.
    """
    solid = hu > BODY_HU
    radius = max(1, round(COUCH_HALF_MM / grid.spacing_mm[0]))
    disc = _disc(radius)
    core = ndimage.binary_opening(solid, structure=disc[None])
    label, count = ndimage.label(core)
    if count == 0:
        raise InputError(
            "no body was found in the image",
            allowed="CT numbers in Hounsfield units with tissue near 0 and air near -1000",
            todo="check the series and its rescale values",
        )
    sizes = np.bincount(label.ravel())
    sizes[0] = 0
    biggest = sizes.max() * grid.voxel_volume_cm3
    # Arms and legs can be components of their own: keep what is large and not a slab of couch.
    keep = [
        i
        for i in range(1, count + 1)
        if sizes[i] == sizes.max()
        or (sizes[i] * grid.voxel_volume_cm3 > 0.04 * biggest and _limb(label == i))
    ]
    core = np.isin(label, keep)
    grown = ndimage.binary_dilation(core, structure=disc[None]) & solid
    # Growing back may climb a little onto the couch: only what another opening by one voxel keeps.
    body = core | ndimage.binary_opening(grown, structure=_disc(1)[None])
    closed = ndimage.binary_closing(
        np.pad(body, ((0, 0), (8, 8), (8, 8)), mode="edge"),
        structure=_disc(max(1, round(CLOSE_MM / grid.spacing_mm[0])))[None],
    )[:, 8:-8, 8:-8]
    holes = _fill_layers(closed) & ~closed
    body = _fill_layers(body) | ndimage.binary_dilation(holes, iterations=1) & closed | holes
    couch = solid & ~ndimage.binary_dilation(body, iterations=1)
    return body, couch


def _limb(mask: Mask) -> bool:
    """Tell a limb from a couch: compact in the axial plane (area against its bounding box)."""
    where = np.argwhere(mask.any(axis=0))
    height, width = np.ptp(where, axis=0) + 1
    layers = int(mask.any(axis=(1, 2)).sum())
    fill = float(mask.sum()) / float(height * width * layers)
    return bool(fill > 0.35 and 0.25 < height / width < 4.0)


#: Arms are this much smaller than the trunk in an axial layer; legs are not. Neck between body and arm, mm.
LIMB_SHARE, LIMB_NECK_MM = 0.3, 10.0


def find_limbs(body: Mask, grid: Grid) -> Mask:
    """Return the parts of the body that lie beside the trunk in axial layers: arms, not legs.

    An opening separates arms that touch the trunk; a piece counts as an arm if its centre lies beside the
    trunk's and it is much smaller.
    """
    disc = _disc(max(1, round(LIMB_NECK_MM / grid.spacing_mm[0])))
    padded = np.pad(body, ((0, 0), (8, 8), (8, 8)), mode="edge")
    core = ndimage.binary_opening(padded, structure=disc[None])[:, 8:-8, 8:-8]
    out = np.zeros_like(body)
    for k, layer in enumerate(core):
        label, count = ndimage.label(layer)
        if count < 2:
            continue
        sizes = np.bincount(label.ravel())[1:]
        trunk = 1 + int(np.argmax(sizes))
        columns = np.flatnonzero((label == trunk).any(axis=0))
        for i in range(1, count + 1):
            if i == trunk or sizes[i - 1] > LIMB_SHARE * sizes[trunk - 1]:
                continue
            x = ndimage.center_of_mass(label == i)[1]
            if not columns[0] <= x <= columns[-1]:
                out[k] |= label == i
        if out[k].any():
            # what the opening took off goes back to the nearer of the two
            nearer = ndimage.distance_transform_edt(~out[k]) < ndimage.distance_transform_edt(label != trunk)
            out[k] = body[k] & nearer
    return out


def _disc(radius: int) -> Mask:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(x * x + y * y <= radius * radius + 0.5)


def _fill_layers(mask: Mask) -> Mask:
    """Fill holes in every axial layer; openings to the image's border count as closed if narrow."""
    out = np.empty_like(mask)
    for k, layer in enumerate(mask):
        out[k] = ndimage.binary_fill_holes(layer)
    return out


def find_lungs(hu: npt.NDArray[np.float32], body: Mask, grid: Grid) -> tuple[Mask, Mask, Mask, Mask]:
    """Return left lung, right lung, airway and other gas."""
    inner = ndimage.binary_erosion(body, iterations=1, border_value=1)
    air = (hu < LUNG_HU) & inner
    airway = _airway(hu, air, body, grid)
    rest = air & ~ndimage.binary_dilation(airway, iterations=1)
    label, count = ndimage.label(rest)
    lungs = np.zeros_like(air)
    if count:
        index = np.arange(1, count + 1)
        volume = ndimage.sum_labels(rest, label, index) * grid.voxel_volume_cm3
        median = ndimage.median(hu, label, index)
        spread = ndimage.standard_deviation(hu, label, index)
        # Lung parenchyma: large, not pure gas (bowel is near -1000 and even).
        ends = np.isin(index, np.unique(label[-2:]))
        large = (volume > 60) | (ends & (volume > 8) & (np.asarray(median) > -920))
        lung_like = (np.asarray(median) > -900) | ((np.asarray(median) > -945) & (np.asarray(spread) > 15))
        good = large & lung_like
        lungs = np.isin(label, index[good])
    left, right = (_with_vessels(side, hu, grid) for side in _split(lungs, body, grid))
    right &= ~left
    gas = air & ~left & ~right & ~airway
    return left, right, airway, np.asarray(gas)


def _with_vessels(lung: Mask, hu: npt.NDArray[np.float32], grid: Grid) -> Mask:
    """Add vessels inside a lung (ICRP counts their blood to the lung), not the chest wall."""
    radius = max(1, round(5.0 / grid.spacing_mm[0]))
    closed = _fill_layers(ndimage.binary_closing(lung, structure=_disc(radius)[None]))
    return np.asarray(lung | (closed & (hu < 100) & ndimage.binary_dilation(lung, iterations=radius)))


def _airway(hu: npt.NDArray[np.float32], air: Mask, body: Mask, grid: Grid) -> Mask:
    """Follow the trachea from the highest layer where it is seen down to where it joins the lungs."""
    gas = air & (hu < -850)
    columns = np.arange(body.shape[2])
    middle = float((body.sum(axis=(0, 1)) * columns).sum() / max(1, int(body.sum())))
    area = grid.spacing_mm[0] * grid.spacing_mm[1] / 100.0
    found = np.zeros_like(air)
    previous: Mask | None = None
    for k in range(air.shape[0] - 1, -1, -1):
        label, count = ndimage.label(gas[k])
        if count == 0:
            continue
        sizes = np.bincount(label.ravel())[1:] * area
        if previous is None:
            chosen = _trachea_seed(label, sizes, middle, grid)
        else:
            chosen = [
                i
                for i in range(1, count + 1)
                if 0.3 <= sizes[i - 1] <= 7.0 and bool((previous & (label == i)).any())
            ]
        if not chosen:
            if previous is not None and found.any():
                break
            continue
        found[k] = np.isin(label, chosen)
        previous = ndimage.binary_dilation(found[k], iterations=1)
    # A trachea is longer than 3 cm; anything shorter is a sinus, a bronchus or bowel.
    length = found.any(axis=(1, 2)).sum() * grid.spacing_mm[2]
    return found if length > 30 else np.zeros_like(found)


def _trachea_seed(label: npt.NDArray[Any], sizes: npt.NDArray[Any], middle: float, grid: Grid) -> list[int]:
    """Return the round gas region of 0.8 to 6 cm2 nearest to the midline, if one is within 35 mm."""
    seeds = []
    for i, size in enumerate(sizes, start=1):
        if not 0.8 <= size <= 6.0:
            continue
        where = np.argwhere(label == i)
        extent = (np.ptp(where, axis=0) + 1) * (grid.spacing_mm[1], grid.spacing_mm[0])
        if extent.max() < 2.2 * extent.min() and size * 100 > 0.5 * extent[0] * extent[1]:
            aside = abs(float(where[:, 1].mean()) - middle)
            if aside * grid.spacing_mm[0] < 35:
                seeds.append((aside, i))
    return [min(seeds)[1]] if seeds else []


def _split(lungs: Mask, body: Mask, grid: Grid) -> tuple[Mask, Mask]:
    """Split air of the lungs into left (+x) and right: eroded cores, then the nearest core."""
    empty = np.zeros_like(lungs)
    if not lungs.any():
        return empty, empty
    columns = np.arange(lungs.shape[2])
    middle = float((body.sum(axis=(0, 1)) * columns).sum() / body.sum())
    for erosion in range(7):
        core = ndimage.binary_erosion(lungs, iterations=erosion) if erosion else lungs
        label, count = ndimage.label(core)
        if count == 0:
            break
        sizes = np.bincount(label.ravel())
        sizes[0] = 0
        big = [i for i in range(1, count + 1) if sizes[i] > 0.08 * sizes.sum()]
        centres = {i: float(ndimage.center_of_mass(label == i)[2]) for i in big}
        spans = {i: columns[(label == i).any(axis=(0, 1))] for i in big}
        crossing = [
            i
            for i in big
            if (label[:, :, : int(middle)] == i).sum() > 0.15 * sizes[i]
            and (label[:, :, int(middle) :] == i).sum() > 0.15 * sizes[i]
            and np.ptp(spans[i]) * grid.spacing_mm[0] > 180
        ]
        if crossing:
            continue
        sides = np.zeros(label.shape, dtype=np.int8)
        for i in range(1, count + 1):
            x = centres.get(i, float(ndimage.center_of_mass(label == i)[2]))
            sides[label == i] = 2 if x < middle else 1
        nearest = ndimage.distance_transform_edt(
            sides == 0, sampling=grid.spacing_mm[::-1], return_distances=False, return_indices=True
        )
        full = sides[tuple(nearest)]
        return np.asarray(lungs & (full == 1)), np.asarray(lungs & (full == 2))
    left_side = (columns >= middle)[None, None, :]
    return np.asarray(lungs & left_side), np.asarray(lungs & ~left_side)


def find_bone(hu: npt.NDArray[np.float32], body: Mask, grid: Grid) -> Mask:
    """Return bone with its marrow, without the brain and (mostly) without the spinal canal."""
    grows = (hu > BONE_HU) & body
    label, count = ndimage.label(grows)
    if count == 0:
        return np.zeros_like(body)
    index = np.arange(1, count + 1)
    seeds = ndimage.sum_labels(hu > BONE_SEED_HU, label, index)
    volume = ndimage.sum_labels(grows, label, index)
    # Vessels with contrast medium and noise have few voxels of dense bone in them.
    bone = np.isin(label, index[(seeds > 0.04 * volume) & (volume * grid.voxel_volume_cm3 > 0.1)])
    # Edges of thin bones are partly soft tissue in voxels of 2 to 4 mm.
    bone |= ndimage.binary_dilation(bone, iterations=1) & (hu > EDGE_HU) & body
    smooth = ndimage.uniform_filter(hu, 3)
    reach = max(1, round(SPONGY_MM / grid.spacing_mm[0]))
    spongy = ndimage.binary_closing(bone, structure=_disc(reach)[None])
    spongy &= (smooth > SPONGY_HU) & (hu > SPONGY_HU - 20)
    closed = (ndimage.binary_closing(bone, structure=_disc(1)[None]) | spongy) & body
    return np.asarray(_with_marrow(closed, hu, body, grid) & (hu > -150))


def _with_marrow(bone: Mask, hu: npt.NDArray[np.float32], body: Mask, grid: Grid) -> Mask:
    """Fill the marrow spaces that bone encloses in axial layers.

    Fat and what is denser than soft tissue is marrow. A hole as grey as soft tissue is marrow only away
    from the midline (the spinal canal) and from layers of the skull (the brain's lobes and tip).
    """
    area = grid.spacing_mm[0] * grid.spacing_mm[1] / 100.0
    found: list[tuple[int, npt.NDArray[Any], npt.NDArray[Any]]] = []
    skull = np.zeros(bone.shape[0], dtype=np.bool_)
    reach = int(SKULL_REACH_MM / grid.spacing_mm[2]) + 1
    for k in range(bone.shape[0]):
        hole, n = ndimage.label(ndimage.binary_fill_holes(bone[k]) & ~bone[k])
        if n:
            sizes = ndimage.sum_labels(np.ones_like(hole), hole, np.arange(1, n + 1)) * area
            found.append((k, hole, sizes))
            if sizes.max() > HOLE_CM2:
                skull[max(0, k - reach) : k + reach + 1] = True
    columns = np.arange(body.shape[2])
    middle = float((body.sum(axis=(0, 1)) * columns).sum() / max(1, int(body.sum())))
    aside = np.abs(columns - middle)[None, :] * grid.spacing_mm[0] > MIDLINE_MM
    out = bone.copy()
    for k, hole, sizes in found:
        mean = ndimage.mean(hu[k], hole, np.arange(1, sizes.size + 1))
        grey = (mean >= GREY_HU[0]) & (mean <= GREY_HU[1])
        out[k] |= np.isin(hole, 1 + np.flatnonzero((sizes < HOLE_CM2) & ~grey))
        if not skull[k]:
            out[k] |= np.isin(hole, 1 + np.flatnonzero((sizes < HOLE_CM2) & grey)) & aside
    return out
