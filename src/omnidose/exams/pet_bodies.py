"""The body of a PET without a CT: the outline that the PET shows, and a phantom fitted to it.

The phantom is placed along the body by its profile, and stretched slice by slice to the width and depth of
head, trunk and legs. Organs that take up much (brain, bladder, heart) go where the PET shows them; all
others are where the phantom has them, some centimetres from their true place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel, Organ, Origin, Person
from omnidose.exams.pet_outline import see_body, see_hot_organ, shaved, trunk_of
from omnidose.volume import Grid, Volume

Mask = npt.NDArray[np.bool_]
ArrayF8 = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint8]

#: Width and depth of the phantom are stretched at most so much, and vary along the body no faster than this.
STRETCH, SMOOTH_MM = (0.7, 1.4), 25.0
#: Wall around a bladder that the PET shows: one voxel, at least this thick in the mean, mm.
PHANTOM_MM = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PetBody:
    """The part of a body that a PET shows.

    Attributes
    ----------
    body
        On the grid of the PET, without regions.
    outline
        bool [z, y, x], inside the skin.
    affine_to_phantom_mm
        4x4, point of the patient -> point of the phantom.
    seen
        Organs that the PET itself shows.
    shaved_mm
        What was taken off the outline, which blur widens, so that the body has the person's weight.
    """

    body: BodyModel
    outline: Mask
    phantom: BodyModel
    affine_to_phantom_mm: ArrayF8
    seen: tuple[str, ...]
    shaved_mm: float
    place_is_sure: bool


def body_from_pet(image: Volume, person: Person, *, phantom: BodyModel | None = None) -> PetBody:
    """Make a body from a PET.

    Parameters
    ----------
    image
        Activity per volume, float32 along +L, +P, +S, >= 0.
    phantom
        Default: the stylised phantom of the person's sex, age and size.

    Raises
    ------
    InputError
        If no body stands out.
    """
    grid = image.grid
    concentration = np.asarray(image.array, dtype=np.float32)
    outline = see_body(concentration, grid)
    trunk = trunk_of(outline, grid)
    phantom = phantom or _phantom(person)
    fit = _Fit.of(trunk, grid, phantom)
    shaved_mm = 0.0
    if person.weight_kg and phantom.person.weight_kg:
        wanted = fit.volume_cm3(grid, phantom) * person.weight_kg / phantom.person.weight_kg
        outline, shaved_mm = shaved(outline, grid, wanted)
        fit = fit.again(trunk_of(outline, grid), grid, phantom)
    labels = fit.labels(grid, phantom)
    label_of = {o.key: o.label for o in phantom.organs}
    rest = label_of["soft-tissue"]
    for key in ("adipose-tissue", "air-in-body"):  # nobody sees them in a PET
        if key in label_of:
            labels[labels == label_of[key]] = rest
    labels[~outline] = 0
    labels[outline & (labels == 0)] = rest
    seen = _place_hot_organs(labels, concentration, outline, label_of, grid)
    medium = np.zeros(256, dtype=np.uint8)
    density = np.full(256, phantom.materials[0].density_g_cm3, dtype=np.float32)
    flat, media, rho = phantom.labels.ravel(), phantom.material_index.ravel(), phantom.density_g_cm3.ravel()
    labels_present, first = np.unique(flat, return_index=True)
    medium[labels_present], density[labels_present] = media[first], rho[first]
    present = np.bincount(labels.ravel(), minlength=256) > 0
    organs = tuple(
        Organ(key=o.key, label=o.label, origin=Origin.SEGMENTED if o.key in seen else Origin.PHANTOM)
        for o in phantom.organs
        if present[o.label]
    )
    made = BodyModel(
        name="patient",
        grid=grid,
        materials=phantom.materials,
        material_index=medium[labels],
        density_g_cm3=density[labels],
        labels=labels,
        organs=organs,
        person=person,
        frame_of_reference_uid=image.frame_of_reference_uid,
        notes=(f"organs and densities of: {phantom.name}, fitted to the outline of the PET", *phantom.notes),
    )
    return PetBody(
        body=made,
        outline=outline,
        phantom=phantom,
        affine_to_phantom_mm=fit.affine(),
        seen=tuple(sorted(seen)),
        # An organ that shows itself where the fitted phantom has it settles the place along the body.
        shaved_mm=shaved_mm,
        place_is_sure=fit.is_sure or bool(seen & {"brain", "bladder-contents"}),
    )


def _phantom(person: Person) -> BodyModel:
    from omnidose.anatomy.stylised import make_phantom

    return make_phantom(
        person.sex if person.sex in ("M", "F") else "F",
        age_y=person.age_y,
        height_cm=person.height_cm,
        weight_kg=person.weight_kg,
        voxel_mm=PHANTOM_MM,
        arms="down",
        ct_like=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """Place along z, and for every slice middle and stretch along x and y.

    Attributes
    ----------
    scale, offset_mm
        z of the patient = scale * z of the phantom + offset.
    layers
        [nz, 2 (x, y), 3] middle of the patient, middle of the phantom, phantom length / patient length.
    """

    scale: float
    offset_mm: float
    layers: ArrayF8
    is_sure: bool

    @classmethod
    def of(cls, trunk: Mask, grid: Grid, phantom: BodyModel) -> _Fit:
        from omnidose.anatomy.segmentation.location import locate

        theirs = phantom.labels > 0
        place = locate(trunk.astype(np.uint8), grid, theirs.astype(np.uint8), phantom.grid)
        bare = cls(
            scale=place.scale, offset_mm=place.offset_mm, layers=np.zeros((0, 2, 3)), is_sure=place.is_sure
        )
        return bare.again(trunk, grid, phantom)

    def z_phantom_mm(self, grid: Grid) -> ArrayF8:
        """Return where the slices of the patient lie in the phantom."""
        return np.asarray((grid.axis_mm(2) - self.offset_mm) / self.scale)

    def volume_cm3(self, grid: Grid, phantom: BodyModel) -> float:
        """Return the volume of the part of the phantom that the images show, in the phantom's own size."""
        low, high = self.z_phantom_mm(grid)[[0, -1]]
        z = phantom.grid.axis_mm(2)
        inside = (z >= low) & (z <= high)
        return float((phantom.labels[inside] > 0).sum()) * phantom.grid.voxel_volume_cm3

    def again(self, trunk: Mask, grid: Grid, phantom: BodyModel) -> _Fit:
        """Return the fit at the same place with the widths of another outline."""
        z_phantom = self.z_phantom_mm(grid)
        ours, other = _spans(trunk, grid), _spans(phantom.labels > 0, phantom.grid)
        layers = np.full((grid.shape_zyx[0], 2, 3), np.nan)
        axis = phantom.grid.axis_mm(2)
        inside = np.flatnonzero((z_phantom >= axis[0]) & (z_phantom <= axis[-1]))
        for k in inside:
            j = int(np.clip(np.rint((z_phantom[k] - axis[0]) / (axis[1] - axis[0])), 0, axis.size - 1))
            for a in (0, 1):
                (a0, a1), (b0, b1) = ours[k, a], other[j, a]
                if np.isfinite([a0, a1, b0, b1]).all() and a1 - a0 > 20:
                    stretch = np.clip((b1 - b0) / (a1 - a0), 1 / STRETCH[1], 1 / STRETCH[0])
                    layers[k, a] = 0.5 * (a0 + a1), 0.5 * (b0 + b1), stretch
        return replace(self, layers=_smooth(layers, SMOOTH_MM / grid.spacing_mm[2]))

    def labels(self, grid: Grid, phantom: BodyModel) -> Labels:
        """Return the phantom's labels on the patient's grid."""
        out = np.zeros(grid.shape_zyx, dtype=np.uint8)
        theirs = phantom.grid
        z = self.z_phantom_mm(grid)
        plane = np.rint((z - theirs.origin_mm[2]) / theirs.spacing_mm[2]).astype(int)
        for k, j in enumerate(plane):
            if not 0 <= j < theirs.shape_zyx[0]:
                continue
            index, valid = [], []
            for a in (0, 1):
                ours, middle, stretch = self.layers[k, a]
                where = middle + (grid.axis_mm(a) - ours) * stretch
                i = np.rint((where - theirs.origin_mm[a]) / theirs.spacing_mm[a]).astype(int)
                n = theirs.shape_zyx[2 - a]
                valid.append((i >= 0) & (i < n))
                index.append(np.clip(i, 0, n - 1))
            layer = phantom.labels[j][np.ix_(index[1], index[0])].copy()
            layer[~(valid[1][:, None] & valid[0][None, :])] = 0
            out[k] = layer
        return out

    def affine(self) -> ArrayF8:
        """Return one 4x4 for what lies beyond the images: patient -> phantom."""
        matrix = np.eye(4)
        for a in (0, 1):
            ours, middle, stretch = np.median(self.layers[:, a], axis=0)
            matrix[a, a], matrix[a, 3] = stretch, middle - stretch * ours
        matrix[2, 2], matrix[2, 3] = 1 / self.scale, -self.offset_mm / self.scale
        return matrix


def _spans(mask: Mask, grid: Grid) -> ArrayF8:
    """Return [nz, 2 (x, y), 2] where 3 and 97 % of each slice's area lie below; NaN without area."""
    out = np.full((mask.shape[0], 2, 2), np.nan)
    for k, layer in enumerate(mask):
        if layer.sum() < 20:
            continue
        for a in (0, 1):
            profile = np.cumsum(layer.sum(axis=a).astype(np.float64))
            out[k, a] = np.interp(np.array([0.03, 0.97]) * profile[-1], profile, grid.axis_mm(a))
    return out


def _smooth(layers: ArrayF8, sigma: float) -> ArrayF8:
    """Fill what is missing from the neighbours, and smooth along z."""
    from scipy import ndimage

    out = layers.copy()
    n = np.arange(layers.shape[0])
    for a in (0, 1):
        for column in range(3):
            known = np.flatnonzero(np.isfinite(layers[:, a, column]))
            neutral = 1.0 if column == 2 else 0.0
            values = np.interp(n, known, layers[known, a, column]) if known.size else np.full(n.size, neutral)
            out[:, a, column] = ndimage.gaussian_filter1d(values, sigma, mode="nearest")
    return out


def _place_hot_organs(
    labels: Labels,
    concentration: npt.NDArray[np.float32],
    outline: Mask,
    label_of: dict[str, int],
    grid: Grid,
) -> set[str]:
    """Put brain, bladder and heart where the PET shows them; return the keys of what it shows."""
    from scipy import ndimage

    rest = label_of["soft-tissue"]
    seen: set[str] = set()
    for key in ("brain", "bladder-contents", "heart"):
        if key not in label_of:
            continue
        expected = labels == label_of[key]
        found = see_hot_organ(key, concentration, outline, expected, grid)
        if found is None:
            continue
        if key == "heart":
            _shift_heart(labels, found, label_of, rest)
            continue
        wall = {"bladder-contents": "bladder"}.get(key)
        labels[expected] = rest
        if wall in label_of:
            labels[labels == label_of[wall]] = rest
            shell = ndimage.binary_dilation(found) & ~found & outline
            labels[shell] = label_of[wall]
            seen.add(wall)
        labels[found] = label_of[key]
        seen.add(key)
    return seen


def _shift_heart(labels: Labels, found: Mask, label_of: dict[str, int], rest: int) -> None:
    """Move wall and contents together so that the hot muscle lies in the phantom's left half of the wall."""
    own = [label_of[k] for k in ("heart", "heart-contents") if k in label_of]
    where = np.isin(labels, own)
    if not where.any():
        return
    target = np.argwhere(found).mean(axis=0)
    index = np.argwhere(where)
    step = np.rint(target - index[index[:, 2] >= index[:, 2].mean()].mean(axis=0)).astype(int)
    values = labels[where]
    moved = index + step
    inside = np.all((moved >= 0) & (moved < labels.shape), axis=1)
    labels[where] = rest
    labels[tuple(moved[inside].T)] = values[inside]
