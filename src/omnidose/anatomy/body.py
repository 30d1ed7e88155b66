"""``BodyModel``: the patient or phantom as the transport engine and the dosimetry see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from omnidose.errors import GeometryError
from omnidose.physics.materials import Material
from omnidose.volume import Grid

#: What the key of a lesion begins with: a region of its own, inside an organ.
LESION = "lesion-"


class Origin(StrEnum):
    """Where an organ's shape comes from."""

    SEGMENTED = "segmented"
    ATLAS = "atlas"
    PHANTOM = "phantom"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organ:
    """One exclusive organ label of a body.

    Attributes
    ----------
    key
        Canonical organ name (see :mod:`omnidose.anatomy.organs`), for example ``left-kidney``.
    label
        Value in ``BodyModel.labels``.
    imaged_fraction
        Share of the organ's volume that lies in the patient's own images (1 for a phantom).
    """

    key: str
    label: int
    origin: Origin
    imaged_fraction: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyRegion:
    """A set of voxels that may overlap organs, or take only part of each voxel.

    Attributes
    ----------
    voxels
        Flat indices into the [z, y, x] arrays.
    weights
        Share of each voxel's *mass* that belongs to the region; None means all of it.
    response
        Name of the medium in which the dose is asked: empty for the voxel's own medium, or for
        example ``red-marrow``: then the photon fluence is weighted with that medium's mass
        energy-absorption coefficient.
    """

    key: str
    voxels: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32] | None = None
    response: str = ""
    origin: Origin = Origin.SEGMENTED
    imaged_fraction: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who the body belongs to, as far as dose and risk need it. No names, no identifiers.

    Attributes
    ----------
    sex
        ``F``, ``M`` or ``""`` if unknown.
    """

    sex: str = ""
    age_y: float | None = None
    height_cm: float | None = None
    weight_kg: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyModel:
    """Voxels of a body.

    Attributes
    ----------
    material_index
        uint8 [z, y, x], index into ``materials``; 0 is by convention the surrounding air.
    density_g_cm3
        float32 [z, y, x].
    labels
        uint8 [z, y, x]; 0 means no organ. Exclusive.
    regions
        Overlapping or fractional regions: marrow, skin, lens, lesions, walls and contents.
    completed
        bool [z, y, x], True where a voxel does not come from the images; None if all do.
    absent
        Canonical names of organs said to be removed: neither dose nor risk.
    """

    name: str
    grid: Grid
    materials: tuple[Material, ...]
    material_index: npt.NDArray[np.uint8]
    density_g_cm3: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    organs: tuple[Organ, ...]
    regions: tuple[BodyRegion, ...] = ()
    completed: npt.NDArray[np.bool_] | None = None
    absent: frozenset[str] = frozenset()
    person: Person = field(default_factory=Person)
    frame_of_reference_uid: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = self.grid.shape_zyx
        for name in ("material_index", "density_g_cm3", "labels", "completed"):
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise GeometryError(f"{name} of shape {array.shape} does not fit the body's grid {shape}")
        if int(self.material_index.max()) >= len(self.materials):
            raise GeometryError(
                f"a voxel has material {int(self.material_index.max())} but there are {len(self.materials)}"
            )
        keys = [organ.key for organ in self.organs]
        labels = [organ.label for organ in self.organs]
        if len(set(keys)) != len(keys) or len(set(labels)) != len(labels) or 0 in labels:
            raise GeometryError("organ keys and labels of a body must be unique, and label 0 means no organ")

    def organ(self, key: str) -> Organ:
        """Return the organ with this canonical name (KeyError if the body has none)."""
        for organ in self.organs:
            if organ.key == key:
                return organ
        raise KeyError(key)

    def mask(self, key: str) -> npt.NDArray[np.bool_]:
        """Return the voxels of one organ as a boolean array [z, y, x]."""
        return np.asarray(self.labels == self.organ(key).label)

    @property
    def lesions(self) -> tuple[BodyRegion, ...]:
        """Regions that are lesions."""
        return tuple(region for region in self.regions if region.key.startswith(LESION))

    def masses_g(self, region: BodyRegion) -> npt.NDArray[np.float64]:
        """Return the mass of a region in each of its voxels, [voxels]."""
        mass = self.density_g_cm3.ravel()[region.voxels].astype(np.float64) * self.grid.voxel_volume_cm3
        return mass if region.weights is None else mass * region.weights

    @property
    def organ_mass_g(self) -> dict[str, float]:
        """Mass of every labelled organ, from the voxels' densities."""
        sums = np.bincount(self.labels.ravel(), weights=self.density_g_cm3.ravel(), minlength=256)
        return {organ.key: float(sums[organ.label]) * self.grid.voxel_volume_cm3 for organ in self.organs}
