"""``Scene``: what the photons fly through - a voxel grid, analytic shapes around or in it, a world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from omnidose.errors import GeometryError
from omnidose.physics.materials import Material
from omnidose.volume import Grid

if TYPE_CHECKING:
    from omnidose.anatomy.body import BodyModel

#: Dry air near sea level (ICRU 37 composition by weight, 20 degC, 101.325 kPa; as in AAPM TG-195).
AIR = Material(
    name="air",
    weight_fractions={6: 0.000124, 7: 0.755268, 8: 0.231781, 18: 0.012827},
    density_g_cm3=0.001205,
)
VACUUM = Material(name="vacuum", weight_fractions={1: 1.0}, density_g_cm3=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoxelGrid:
    """Materials and densities on a regular grid."""

    grid: Grid
    materials: tuple[Material, ...]
    material_index: npt.NDArray[np.uint8]
    density_g_cm3: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        for array in (self.material_index, self.density_g_cm3):
            if array.shape != self.grid.shape_zyx:
                raise GeometryError(f"array {array.shape} does not fit the grid {self.grid.shape_zyx}")
        if int(self.material_index.max()) >= len(self.materials):
            raise GeometryError("a voxel names a material that is not in the list")


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box with faces parallel to the axes.

    Attributes
    ----------
    key
        Name of the region that scores its energy; shapes with equal keys score together.
    """

    key: str
    material: Material
    lower_mm: tuple[float, float, float]
    upper_mm: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cylinder:
    """A finite cylinder along x, y or z.

    Attributes
    ----------
    centre_mm
        Its middle.
    axis
        0, 1 or 2 for x, y or z.
    """

    key: str
    material: Material
    centre_mm: tuple[float, float, float]
    radius_mm: float
    length_mm: float
    axis: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sphere:
    """A sphere."""

    key: str
    material: Material
    centre_mm: tuple[float, float, float]
    radius_mm: float


Shape = Box | Cylinder | Sphere


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that photons can meet.

    Attributes
    ----------
    voxels
        Optional voxel grid.
    shapes
        Analytic shapes. Where shapes overlap each other or the grid, the *last* in the tuple wins.
    world
        Material everywhere else (AIR by default).
    world_margin_mm
        The world ends this far outside everything (grid, shapes, source); photons beyond escape.
    """

    voxels: VoxelGrid | None = None
    shapes: tuple[Shape, ...] = ()
    world: Material = AIR
    world_margin_mm: float = 10.0

    def __post_init__(self) -> None:
        if self.voxels is None and not self.shapes:
            raise GeometryError("a scene needs a voxel grid or at least one shape")

    @classmethod
    def from_body(cls, body: BodyModel, *, shapes: tuple[Shape, ...] = ()) -> Scene:
        """Make the scene of a body in air, with shapes (a couch, a shield) around it."""
        voxels = VoxelGrid(
            grid=body.grid,
            materials=body.materials,
            material_index=body.material_index,
            density_g_cm3=body.density_g_cm3,
        )
        return cls(voxels=voxels, shapes=shapes)
