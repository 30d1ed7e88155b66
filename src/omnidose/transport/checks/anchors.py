"""The two scenes that put speed figures of different programs on one scale, and a helical chest scan."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from omnidose.transport import tg195
from omnidose.transport.scene import AIR, Scene, VoxelGrid
from omnidose.transport.sources import RotatingSource, Source
from omnidose.transport.tally import Region
from omnidose.volume import Grid

if TYPE_CHECKING:
    from omnidose.anatomy.body import BodyModel

BEAM = "120 kVp"
FOCUS_MM, FAN_RADIUS_MM, COLLIMATION_MM = 600.0, 250.0, 40.0
#: The chest CT: voxels, and how far the scan reaches beyond the lungs.
CT_SHAPE_ZYX = (150, 256, 256)
CT_OVERSCAN_MM = 20.0
#: Small organs of the chest CT, in the beam, at its edge and far away.
SMALL_ORGANS = (
    "thyroid",
    "left-adrenal",
    "right-adrenal",
    "left-lens",
    "right-lens",
    "left-ovary",
    "right-ovary",
)
#: The anchor chest: voxels of 1 mm, and the slice of the turning fan at the axis.
ANCHOR_SHAPE_ZYX = (300, 300, 500)
ANCHOR_COLLIMATION_MM = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A scene that both the plain engine and the real one run."""

    name: str
    scene: Scene
    source: Source
    regions: tuple[Region, ...] = ()


def plain_box() -> Anchor:
    """The block of TG-195 case 2, radiography."""
    scene, source, _dense = tg195.case2(BEAM, 0.0, volumes=False)
    return Anchor(name=f"TG-195 case 2, {BEAM}", scene=scene, source=source)


def icrp_chest() -> Anchor:
    """The chest of the ICRP 110 male, 500x300x300 voxels of 1 mm; needs the imported phantom.

    Raises
    ------
    InputError
        If the phantom is not installed.
    """
    from omnidose.anatomy.icrp110 import load_reference_phantom

    return anchor_chest(load_reference_phantom("AM"), "ICRP 110 male, chest of 1 mm")


def stylised_chest() -> Anchor:
    """The chest of the stylised man (made of 3 mm voxels), 500x300x300 voxels of 1 mm: anybody has it."""
    from omnidose.anatomy.stylised.make import make_phantom

    return anchor_chest(make_phantom("M", voxel_mm=3.0, arms="down"), "stylised man, chest of 1 mm")


def chest() -> Anchor:
    """The chest of the ICRP 110 male if the phantom is installed, else that of the stylised man."""
    from omnidose.anatomy.icrp110 import has_reference_phantom

    return icrp_chest() if has_reference_phantom("AM") else stylised_chest()


def anchor_chest(body: BodyModel, name: str) -> Anchor:
    """Crop a body to 300 mm around the middle of its lungs, resampled to 1 mm (nearest voxel).

    A 120 kVp fan as wide as the chest at the axis, 10 mm thick, turns once around the middle of the
    chest, focus at 600 mm. Regions are the organs that the crop touches. The arrays take 0.3 GB and the
    voxel lists of the regions 8 bytes per voxel of the body, 0.25 GB.
    """
    lungs = np.isin(body.labels, [body.organ(f"{side}-lung").label for side in ("left", "right")])
    z_mm = _middle_mm(np.asarray(lungs.any(axis=(1, 2))), body.grid, 2)
    slab = body.material_index[np.abs(body.grid.axis_mm(2) - z_mm) <= ANCHOR_SHAPE_ZYX[0] / 2] > 0
    x_mm = _middle_mm(np.asarray(slab.any(axis=(0, 1))), body.grid, 0)
    y_mm = _middle_mm(np.asarray(slab.any(axis=(0, 2))), body.grid, 1)
    nz, ny, nx = ANCHOR_SHAPE_ZYX
    origin = (x_mm - (nx - 1) / 2, y_mm - (ny - 1) / 2, z_mm - (nz - 1) / 2)
    grid = Grid(shape_zyx=ANCHOR_SHAPE_ZYX, spacing_mm=(1.0, 1.0, 1.0), origin_mm=origin)
    voxels, labels = _resample(body, grid)
    across, along = FAN_RADIUS_MM / FOCUS_MM, ANCHOR_COLLIMATION_MM / 2 / FOCUS_MM
    return Anchor(
        name=name,
        scene=Scene(voxels=voxels),
        source=RotatingSource(
            isocentre_mm=(x_mm, y_mm),
            focus_mm=FOCUS_MM,
            segments=np.array([[0.0, 2 * math.pi, z_mm, z_mm, 1.0]]),
            half_tangents=(-across, across, -along, along),
            spectra=(tg195.spectrum(BEAM),),
        ),
        regions=organ_regions(body, labels),
    )


def _resample(body: BodyModel, grid: Grid) -> tuple[VoxelGrid, npt.NDArray[np.uint8]]:
    """Return a body's voxels and labels on another grid (nearest voxel), air outside."""
    axes = [_nearest(body.grid, grid, axis) for axis in (2, 1, 0)]
    place = np.ix_(*[np.maximum(found, 0) for found in axes])
    beyond = [found < 0 for found in axes]
    outside = beyond[0][:, None, None] | beyond[1][None, :, None] | beyond[2][None, None, :]
    material, density, labels = body.material_index[place], body.density_g_cm3[place], body.labels[place]
    material[outside], density[outside], labels[outside] = 0, AIR.density_g_cm3, 0
    voxels = VoxelGrid(grid=grid, materials=body.materials, material_index=material, density_g_cm3=density)
    return voxels, labels


def _middle_mm(present: npt.NDArray[np.bool_], grid: Grid, axis: int) -> float:
    """Return the middle of the voxels that are True along an axis."""
    where = grid.axis_mm(axis)[present]
    return 0.5 * float(where[0] + where[-1])


def _nearest(coarse: Grid, fine: Grid, axis: int) -> npt.NDArray[np.intp]:
    """Return for every fine voxel the coarse one that holds its centre, -1 outside."""
    inside = (fine.axis_mm(axis) - coarse.lower_mm[axis]) / coarse.spacing_mm[axis]
    found = np.floor(inside).astype(np.intp)
    found[(found < 0) | (found >= coarse.shape_zyx[2 - axis])] = -1
    return np.asarray(found, dtype=np.intp)


def organ_regions(body: BodyModel, labels: npt.NDArray[np.uint8]) -> tuple[Region, ...]:
    """Return the organs that occur; one sort instead of one search per organ."""
    order = np.argsort(labels, axis=None, kind="stable")
    last = np.cumsum(np.bincount(labels.ravel(), minlength=256))
    return tuple(
        Region(key=o.key, voxels=order[last[o.label - 1] : last[o.label]])
        for o in body.organs
        if last[o.label] > last[o.label - 1]
    )


def helix(z_mm: tuple[float, float]) -> RotatingSource:
    """Return a 120 kVp tube that turns around the origin while the table moves 40 mm a turn."""
    turns = (z_mm[1] - z_mm[0]) / COLLIMATION_MM
    angles = np.linspace(0, 2 * math.pi * turns, math.ceil(36 * turns) + 1)
    z = np.linspace(*z_mm, angles.size)
    across, along = FAN_RADIUS_MM / FOCUS_MM, COLLIMATION_MM / 2 / FOCUS_MM
    return RotatingSource(
        isocentre_mm=(0, 0),
        focus_mm=FOCUS_MM,
        segments=np.stack([angles[:-1], angles[1:], z[:-1], z[1:], np.ones(angles.size - 1)], axis=1),
        half_tangents=(-across, across, -along, along),
        spectra=(tg195.spectrum(BEAM),),
    )


def chest_ct() -> Anchor:
    """The ICRP 110 female from the lenses to the ovaries in 256x256x150 voxels, a helical scan of the lungs.

    Raises
    ------
    InputError
        If the phantom is not installed.
    """
    from omnidose.anatomy.icrp110 import load_reference_phantom

    body = load_reference_phantom("AF")
    top = _extent_mm(body, ("left-lens", "right-lens"))[1] + 15
    bottom = _extent_mm(body, ("left-ovary", "right-ovary"))[0] - 25
    nz, ny, nx = CT_SHAPE_ZYX
    dx = body.grid.shape_zyx[2] * body.grid.spacing_mm[0] / nx
    dz = (top - bottom) / nz
    origin = (-dx * (nx - 1) / 2, -dx * (ny - 1) / 2, bottom + dz / 2)
    grid = Grid(shape_zyx=CT_SHAPE_ZYX, spacing_mm=(dx, dx, dz), origin_mm=origin)
    voxels, labels = _resample(body, grid)
    lungs = _extent_mm(body, ("left-lung", "right-lung"))
    return Anchor(
        name="ICRP 110 female, helical chest CT of 256x256x150 voxels",
        scene=Scene(voxels=voxels),
        source=helix((lungs[0] - CT_OVERSCAN_MM, lungs[1] + CT_OVERSCAN_MM)),
        regions=organ_regions(body, labels),
    )


def _extent_mm(body: BodyModel, keys: tuple[str, ...]) -> tuple[float, float]:
    """Return the lowest and the highest slice of some organs."""
    inside = np.isin(body.labels, [body.organ(key).label for key in keys])
    z = body.grid.axis_mm(2)[inside.any(axis=(1, 2))]
    return float(z[0]), float(z[-1])
