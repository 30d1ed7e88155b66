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

Vector = tuple[float, float, float]

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
        lowest, highest = int(self.material_index.min()), int(self.material_index.max())
        if lowest < 0 or highest >= len(self.materials):
            raise GeometryError(
                f"a voxel names material {lowest if lowest < 0 else highest}, which is not in the list",
                allowed=f"0 to {len(self.materials) - 1}",
            )
        # two passes over the voxels and no copy; a NaN is both the least and the largest
        lightest, heaviest = float(self.density_g_cm3.min()), float(self.density_g_cm3.max())
        if not (lightest >= 0 and np.isfinite(heaviest)):
            raise GeometryError(
                f"voxel densities run from {lightest:g} to {heaviest:g} g/cm3",
                where="density_g_cm3",
                allowed="finite numbers, 0 or more",
            )


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
    lower_mm: Vector
    upper_mm: Vector

    def __post_init__(self) -> None:
        if not (_finite(self.lower_mm, self.upper_mm) and np.all(np.less(self.lower_mm, self.upper_mm))):
            raise GeometryError(
                f"the box '{self.key}' from {self.lower_mm} to {self.upper_mm} mm has no volume",
                allowed="finite corners, the lower below the upper along every axis",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cylinder:
    """A finite cylinder along x, y, z or any direction.

    Attributes
    ----------
    centre_mm
        Its middle.
    axis
        0, 1 or 2 for x, y or z.
    direction
        A vector along the cylinder, of any length; if given, ``axis`` does not count.
    """

    key: str
    material: Material
    centre_mm: Vector
    radius_mm: float
    length_mm: float
    axis: int = 2
    direction: Vector | None = None

    def __post_init__(self) -> None:
        _check_round(self.key, self.centre_mm, self.radius_mm)
        if not (np.isfinite(self.length_mm) and self.length_mm > 0):
            raise GeometryError(
                f"the cylinder '{self.key}' is {self.length_mm} mm long", allowed="a length above 0"
            )
        if self.axis not in (0, 1, 2):
            raise GeometryError(
                f"axis {self.axis!r} of the cylinder '{self.key}'", allowed="0, 1 or 2", todo="use direction"
            )
        if self.direction is not None and not (_finite(self.direction) and np.any(self.direction)):
            raise GeometryError(
                f"the direction {self.direction} of the cylinder '{self.key}' has no length",
                todo="give a vector that is not (0, 0, 0)",
            )

    @property
    def unit_axis(self) -> npt.NDArray[np.float64]:
        """Unit vector along the cylinder."""
        if self.direction is None:
            return np.asarray(np.eye(3)[self.axis])
        vector = np.asarray(self.direction, dtype=np.float64)
        return np.asarray(vector / np.linalg.norm(vector))


@dataclass(frozen=True, slots=True, kw_only=True)
class Capsule:
    """A cylinder with a half ball at each end: a finger, a syringe, a vessel.

    Attributes
    ----------
    start_mm, end_mm
        Centres of the half balls; the capsule reaches one radius beyond.
    """

    key: str
    material: Material
    start_mm: Vector
    end_mm: Vector
    radius_mm: float

    def __post_init__(self) -> None:
        _check_round(self.key, self.start_mm, self.radius_mm)
        if not (_finite(self.end_mm) and self.length_mm > 0):
            raise GeometryError(
                f"the capsule '{self.key}' from {self.start_mm} to {self.end_mm} mm has no axis",
                allowed="two finite points apart",
                todo="use a sphere if it has no length",
            )

    @property
    def length_mm(self) -> float:
        """Distance between the centres of the half balls."""
        return float(np.linalg.norm(np.subtract(self.end_mm, self.start_mm)))

    @property
    def centre_mm(self) -> Vector:
        """Its middle."""
        x, y, z = 0.5 * np.add(self.start_mm, self.end_mm)
        return (float(x), float(y), float(z))

    @property
    def unit_axis(self) -> npt.NDArray[np.float64]:
        """Unit vector from start to end."""
        return np.asarray(np.subtract(self.end_mm, self.start_mm) / self.length_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sphere:
    """A sphere."""

    key: str
    material: Material
    centre_mm: Vector
    radius_mm: float

    def __post_init__(self) -> None:
        _check_round(self.key, self.centre_mm, self.radius_mm)


def _finite(*vectors: Vector) -> bool:
    return all(len(v) == 3 and bool(np.all(np.isfinite(v))) for v in vectors)


def _check_round(key: str, centre_mm: Vector, radius_mm: float) -> None:
    if not (_finite(centre_mm) and np.isfinite(radius_mm) and radius_mm > 0):
        raise GeometryError(
            f"the shape '{key}' at {centre_mm} mm has a radius of {radius_mm} mm",
            allowed="a finite place and a radius above 0",
        )


Shape = Box | Cylinder | Capsule | Sphere


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that photons can meet.

    Attributes
    ----------
    voxels
        Optional voxel grid.
    room
        A second, usually coarser and larger grid around it: a room, a vehicle. Inside the bounds of
        ``voxels`` those win. Regions score in it with ``grid="room"``.
    shapes
        Analytic shapes. Where shapes overlap each other or the grid, the *last* in the tuple wins.
    world
        Material everywhere else (AIR by default).
    world_margin_mm
        The world ends this far outside everything (grid, shapes, source); photons beyond escape.
    """

    voxels: VoxelGrid | None = None
    room: VoxelGrid | None = None
    shapes: tuple[Shape, ...] = ()
    world: Material = AIR
    world_margin_mm: float = 10.0

    def __post_init__(self) -> None:
        if self.room is not None and self.voxels is None:
            raise GeometryError(
                "a room needs a voxel grid inside it", where="room", todo="give the only grid as voxels"
            )
        if self.voxels is None and not self.shapes:
            raise GeometryError("a scene needs a voxel grid or at least one shape")
        if self.voxels is not None and self.room is not None:
            total = len(self.voxels.materials) + len(self.room.materials)
            if total > 255:
                raise GeometryError(f"voxels and room have {total} materials together", allowed="at most 255")

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
