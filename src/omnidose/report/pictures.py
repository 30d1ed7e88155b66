"""CT and dose as small pictures: three planes, isotropic pixels, data URIs.

Views: axial and coronal with the patient's right on the left of the picture (radiological
convention), sagittal with the front on the left; head up.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from omnidose.errors import GeometryError
from omnidose.volume import Grid, Volume

ArrayF8 = npt.NDArray[np.float64]
ArrayU1 = npt.NDArray[np.uint8]

LEVEL_HU = 40.0
WIDTH_HU = 500.0
#: Doses below this share of the scale's top are left clear.
CLEAR_BELOW = 0.04
#: Air around the body is left clear: it meets so few photons that its dose is noise. Lungs are denser.
AIR_BELOW_HU = -950.0
CENTRE_PIXELS = 480
STACK_PIXELS = 256
STACK_FRAMES = 41
#: All frames together, as base64 text.
BUDGET_BYTES = 5_000_000

#: Anchors of the dose colours (0 to 1): dark violet to light yellow, lightness rising evenly.
COLOURS = ((46, 15, 92), (122, 28, 109), (189, 55, 84), (237, 105, 37), (251, 180, 26), (252, 255, 164))

#: Plane -> (axis across, axis down, step of the down axis, axis of the slices, marks left/right/top/bottom).
PLANES = {
    "axial": (0, 1, 1, 2, ("R", "L", "A", "P")),
    "coronal": (0, 2, -1, 1, ("R", "L", "H", "F")),
    "sagittal": (1, 2, -1, 0, ("A", "P", "H", "F")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One slice as two layers of the same size in pixels."""

    position_mm: float
    ct: str
    dose: str
    outline: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """One view: the centre slice in full size and a stack of smaller ones.

    Attributes
    ----------
    marks
        Letters at left, right, top, bottom.
    centre_index
        Place of the centre slice in ``frames``.
    """

    name: str
    width: int
    height: int
    marks: tuple[str, str, str, str]
    frames: tuple[Frame, ...]
    centre_index: int

    @property
    def centre(self) -> Frame:
        """The slice shown first."""
        return self.frames[self.centre_index]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """All planes with the scale of the dose colours (``top_mgy`` in the unit of the dose)."""

    planes: tuple[Plane, ...]
    top_mgy: float
    level_hu: float = LEVEL_HU
    half_width_hu: float = WIDTH_HU / 2


def make_pictures(ct: Volume | None, dose: Volume, labels: Volume | None = None) -> Pictures:
    """Draw the three planes through the dose-weighted centre.

    Parameters
    ----------
    ct
        CT numbers in HU; None draws the dose on black.
    dose
        Absorbed dose, any grid whose axes are those of the patient. With a CT it is shown, and sets the
        scale of the colours, only where there is an organ or something denser than air.
    labels
        Organ labels, for outlines.

    Raises
    ------
    GeometryError
        If a volume is oblique to the patient axes.
    """
    dose = dose.to_lps()
    base = ct.to_lps() if ct is not None else dose
    label_map = labels.to_lps() if labels is not None else None
    if ct is not None:
        dose = replace(dose, array=np.where(_matter(base, label_map, dose.grid), dose.array, 0.0))
    inside = dose.array[np.isfinite(dose.array) & (dose.array > 0)]
    top = float(np.percentile(inside, 99.8)) if inside.size else 1.0
    centre_mm = _dose_centre_mm(dose, base.grid)
    frames = STACK_FRAMES
    while True:
        planes = tuple(
            _plane(name, base, ct is not None, dose, label_map, centre_mm, top, frames) for name in PLANES
        )
        size = sum(len(f.ct) + len(f.dose) + len(f.outline) for p in planes for f in p.frames)
        if size <= BUDGET_BYTES or frames == 1:
            return Pictures(planes=planes, top_mgy=top)
        frames = max(1, min(frames - 1, int(frames * BUDGET_BYTES / size)))


def _matter(ct: Volume, labels: Volume | None, grid: Grid) -> npt.NDArray[np.bool_]:
    """Return where a grid's voxels hold an organ or something denser than air; False outside the CT."""
    matter = ct.array > AIR_BELOW_HU
    if labels is not None and labels.array.shape == matter.shape:
        matter |= labels.array > 0
    places, inside = [], []
    for axis in (2, 1, 0):  # z, y, x
        place = (grid.axis_mm(axis) - ct.grid.origin_mm[axis]) / ct.grid.spacing_mm[axis]
        count = ct.grid.shape_zyx[2 - axis]
        places.append(np.clip(np.rint(place), 0, count - 1).astype(int))
        inside.append((place > -0.501) & (place < count - 0.499))
    return np.asarray(
        matter[np.ix_(*places)] & np.logical_and.outer(np.logical_and.outer(inside[0], inside[1]), inside[2])
    )


def _dose_centre_mm(dose: Volume, base: Grid) -> ArrayF8:
    """Return the dose-weighted centre, kept inside the base grid."""
    grid = dose.grid
    weights = np.where(np.isfinite(dose.array), dose.array, 0.0).astype(np.float64)
    total = weights.sum()
    centre = np.empty(3)
    for axis in range(3):
        profile = weights.sum(axis=tuple(a for a in range(3) if a != 2 - axis))
        places = grid.axis_mm(axis)
        centre[axis] = np.dot(profile, places) / total if total > 0 else places.mean()
    return np.clip(centre, base.lower_mm, base.upper_mm)


def _plane(
    name: str,
    base: Volume,
    has_ct: bool,
    dose: Volume,
    labels: Volume | None,
    centre_mm: ArrayF8,
    top: float,
    frame_count: int,
) -> Plane:
    across, down, step, through, marks = PLANES[name]
    grid = base.grid
    size_mm = grid.upper_mm - grid.lower_mm
    places = grid.axis_mm(through)
    middle = int(np.argmin(np.abs(places - centre_mm[through])))
    chosen = np.unique(np.linspace(0, places.size - 1, min(frame_count, places.size)).round().astype(int))
    chosen = np.unique(np.append(chosen, middle)) if frame_count > 1 else np.array([middle])
    frames = []
    for index in chosen:
        pixels = CENTRE_PIXELS if index == middle else STACK_PIXELS
        pitch = max(size_mm[across], size_mm[down]) / pixels
        points = {axis: _pixel_centres_mm(grid, axis, pitch) for axis in (across, down)}
        points[through] = np.array([places[index]])
        frames.append(
            Frame(
                position_mm=float(places[index]),
                ct=_ct_layer(_cut(base, points, name), step) if has_ct else _black(points, across, down),
                dose=_dose_layer(_cut(dose, points, name), step, top),
                outline=_outline_layer(_cut(labels, points, name, linear=False), step)
                if labels is not None
                else "",
            )
        )
    pitch = max(size_mm[across], size_mm[down]) / CENTRE_PIXELS
    return Plane(
        name=name,
        width=_pixel_centres_mm(grid, across, pitch).size,
        height=_pixel_centres_mm(grid, down, pitch).size,
        marks=marks,
        frames=tuple(frames),
        centre_index=int(np.flatnonzero(chosen == middle)[0]),
    )


def _pixel_centres_mm(grid: Grid, axis: int, pitch_mm: float) -> ArrayF8:
    low, high = grid.lower_mm[axis], grid.upper_mm[axis]
    count = max(round((high - low) / pitch_mm), 1)
    return np.asarray(low + (np.arange(count) + 0.5) * (high - low) / count)


def _cut(
    volume: Volume, points_mm: dict[int, ArrayF8], plane: str, *, linear: bool = True
) -> npt.NDArray[np.float32]:
    """Return a picture [down, across] at the points; NaN outside the volume.

    The slice is the nearest one; within it values are interpolated linearly, or taken from the
    nearest voxel (labels).
    """
    grid = volume.grid
    across, down, _step, through, _marks = PLANES[plane]
    place = (points_mm[through][0] - grid.origin_mm[through]) / grid.spacing_mm[through]
    if not -0.501 < place < grid.shape_zyx[2 - through] - 0.499:
        return np.full((points_mm[down].size, points_mm[across].size), np.nan, dtype=np.float32)
    index = int(np.clip(np.rint(place), 0, grid.shape_zyx[2 - through] - 1))
    # np.take keeps the order z, y, x: rows run along the slower axis, which is always "down"
    picture = np.asarray(np.take(volume.array, index, axis=2 - through), dtype=np.float32)
    for axis, direction in ((down, 0), (across, 1)):
        picture = _along(picture, direction, grid, axis, points_mm[axis], linear)
    return picture


def _along(
    picture: npt.NDArray[np.float32],
    direction: int,
    grid: Grid,
    axis: int,
    points_mm: ArrayF8,
    linear: bool,
) -> npt.NDArray[np.float32]:
    """Resample one direction of a picture at points along a patient axis."""
    count = grid.shape_zyx[2 - axis]
    raw = (points_mm - grid.origin_mm[axis]) / grid.spacing_mm[axis]
    inside = np.clip(raw, 0, count - 1)
    if linear:
        low = np.minimum(np.floor(inside).astype(int), max(count - 2, 0))
        high = np.minimum(low + 1, count - 1)
        shape = (-1, 1) if direction == 0 else (1, -1)
        weight = (inside - low).astype(np.float32).reshape(shape)
        out = np.take(picture, low, axis=direction) * (1 - weight)
        out = out + np.take(picture, high, axis=direction) * weight
    else:
        out = np.take(picture, np.rint(inside).astype(int), axis=direction)
    outside = (raw <= -0.501) | (raw >= count - 0.499)
    if direction == 0:
        out[outside] = np.nan
    else:
        out[:, outside] = np.nan
    return np.asarray(out, dtype=np.float32)


def _uri(image: Image.Image, kind: str) -> str:
    buffer = io.BytesIO()
    if kind == "jpeg":
        image.save(buffer, "JPEG", quality=82, optimize=True)
    else:
        image.save(buffer, "PNG", optimize=True)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _ct_layer(picture: npt.NDArray[np.float32], step: int) -> str:
    low = LEVEL_HU - WIDTH_HU / 2
    grey = np.clip((np.nan_to_num(picture, nan=-1000.0) - low) / WIDTH_HU, 0, 1) * 255
    return _uri(Image.fromarray(grey[::step].astype(np.uint8), "L"), "jpeg")


def _black(points_mm: dict[int, ArrayF8], across: int, down: int) -> str:
    return _uri(Image.new("L", (points_mm[across].size, points_mm[down].size)), "png")


def palette() -> ArrayU1:
    """Return the dose colours as [256, 3]."""
    anchors = np.array(COLOURS, dtype=float)
    places = np.linspace(0, 1, len(anchors))
    x = np.linspace(0, 1, 256)
    return np.stack([np.interp(x, places, anchors[:, c]) for c in range(3)], axis=1).round().astype(np.uint8)


def _dose_layer(picture: npt.NDArray[np.float32], step: int, top: float) -> str:
    """Colour the dose in 64 steps with a clear colour, as a palette PNG (small)."""
    share = np.clip(np.nan_to_num(picture, nan=0.0)[::step] / top, 0.0, 1.0)
    index = np.where(share < CLEAR_BELOW, 0, 1 + np.rint(share * 62)).astype(np.uint8)
    colours = np.zeros((64, 3), dtype=np.uint8)
    colours[1:] = palette()[np.linspace(0, 255, 63).round().astype(int)]
    image = Image.fromarray(index, "P")
    image.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True, transparency=0)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _outline_layer(picture: npt.NDArray[np.float32], step: int) -> str:
    """White lines where the organ label changes, clear elsewhere."""
    label = np.nan_to_num(picture, nan=0.0)[::step]
    edge = np.zeros(label.shape, dtype=np.uint8)
    edge[:, 1:] |= label[:, 1:] != label[:, :-1]
    edge[1:, :] |= label[1:, :] != label[:-1, :]
    image = Image.fromarray(edge, "P")
    image.putpalette(bytes([0, 0, 0, 255, 255, 255]))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True, transparency=0, bits=1)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def try_pictures(
    ct: Volume | None, dose: Volume | None, labels: Volume | None
) -> tuple[Pictures | None, str]:
    """Return the pictures, or None with the reason in one sentence."""
    if dose is None:
        return None, ""
    try:
        return make_pictures(ct, dose, labels), ""
    except GeometryError as error:
        return None, str(error)
