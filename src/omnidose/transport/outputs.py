"""What a run can give besides energies of regions: what is asked for, and what comes back.

All numbers are per history (per emitted photon; per annihilation for positrons) unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from omnidose.errors import GeometryError, InputError, RangeError
from omnidose.transport._records import Method
from omnidose.transport.shapes import upright_frame, visible_volumes_cm3

if TYPE_CHECKING:
    from omnidose.transport.scene import Scene, Vector
    from omnidose.transport.tally import Region

ArrayF8 = npt.NDArray[np.float64]
ArrayF4 = npt.NDArray[np.float32]

#: What a photon that leaves has been through. The last: scattered more than once, or born in an interaction
#: (fluorescence, annihilation).
CLASSES = ("primary", "Compton once", "Rayleigh once", "other")
MOST_BINS = 10_000
MOST_PIXELS = 64_000_000
MOST_EXITS = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnergyBins:
    """Energy bins of fluence spectra.

    Attributes
    ----------
    edges_kev
        [n_bin + 1] rising; a bin holds its lower edge, the last bin also its upper one. Photons outside are
        not in the spectra.
    primary
        Also keep the spectra of photons that had not yet interacted.
    """

    edges_kev: npt.ArrayLike
    primary: bool = False

    def __post_init__(self) -> None:
        edges = np.asarray(self.edges_kev, dtype=np.float64)
        rising = edges.ndim == 1 and edges.size > 1 and bool(np.all(np.isfinite(edges)) and edges[0] >= 0)
        # float32 is what the kernels compare with
        if not rising or not np.all(np.diff(edges.astype(np.float32)) > 0):
            raise InputError(
                "the edges of the energy bins do not rise",
                where="EnergyBins.edges_kev",
                allowed="two or more finite energies in keV, each above the one before",
            )
        if edges.size > MOST_BINS + 1:
            raise RangeError(f"{edges.size - 1} energy bins", allowed=f"at most {MOST_BINS}")

    @property
    def edges(self) -> ArrayF8:
        """[n_bin + 1] edges in keV as an array."""
        return np.asarray(self.edges_kev, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlane:
    """A rectangle that photons fly through after they have left: an ideal detector.

    A photon that leaves flies on straight, without attenuation, from where it left the box around voxels and
    shapes (the world's material up to the world's end was flown through for real). It counts if it meets the
    rectangle from the front.

    Attributes
    ----------
    direction
        Normal of the plane, the way photons fly through it.
    up
        Direction in which rows are counted (made perpendicular); columns are counted along
        ``up x direction``.
    size_mm
        Width (along the columns' direction) and height.
    pixels
        Columns and rows.
    weigh
        ``energy``: an ideal energy-integrating detector, keV; ``photons``: a counting one.
    """

    centre_mm: Vector
    direction: Vector
    up: Vector
    size_mm: tuple[float, float]
    pixels: tuple[int, int]
    weigh: Literal["energy", "photons"] = "energy"

    def __post_init__(self) -> None:
        vectors = np.array([self.centre_mm, self.direction, self.up], dtype=np.float64)
        if not np.all(np.isfinite(vectors)) or np.linalg.norm(np.cross(vectors[1], vectors[2])) < 1e-6 * (
            np.linalg.norm(vectors[1]) * np.linalg.norm(vectors[2]) + 1e-30
        ):
            raise GeometryError(
                f"an image plane at {self.centre_mm} mm with normal {self.direction} and up {self.up}",
                where="image",
                allowed="finite numbers, a normal and an up that are not zero and not parallel",
            )
        if not (np.all(np.isfinite(self.size_mm)) and min(self.size_mm) > 0):
            raise GeometryError(
                f"an image plane of {self.size_mm} mm", where="image", allowed="width and height above 0"
            )
        if min(self.pixels) < 1 or self.pixels[0] * self.pixels[1] > MOST_PIXELS:
            raise RangeError(
                f"an image of {self.pixels[0]} x {self.pixels[1]} pixels",
                where="image",
                allowed=f"1 to {MOST_PIXELS} pixels",
            )
        if self.weigh not in ("energy", "photons"):
            raise InputError(f"an image that weighs by '{self.weigh}'", allowed="energy, photons")

    @property
    def frame(self) -> ArrayF8:
        """[3, 3] unit vectors: along the columns' direction, along the rows', normal."""
        return upright_frame(self.direction, self.up)

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """Width and height of a pixel."""
        return self.size_mm[0] / self.pixels[0], self.size_mm[1] / self.pixels[1]

    @property
    def pixel_cm2(self) -> float:
        """Area of a pixel."""
        return self.pixel_mm[0] * self.pixel_mm[1] / 100

    def compiled(self, origin_mm: ArrayF8) -> ArrayF4:
        """[12] corner, normal and pixels per cm, lengths in cm from ``origin_mm`` (see ``Method.plane``)."""
        u, v, w = self.frame
        corner = np.asarray(self.centre_mm) - 0.5 * (self.size_mm[0] * u + self.size_mm[1] * v) - origin_mm
        width_mm, height_mm = self.pixel_mm
        return np.concatenate([corner / 10, w, 10 * u / width_mm, 10 * v / height_mm]).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """The outputs of one run; see ``omnidose.transport.engine.simulate``.

    Attributes
    ----------
    exits
        Photons to keep in the phase space; 0: none.
    origin_mm, volume_cm3
        Set when a problem is compiled: corner of the kernels' coordinates; volumes [n] of shapes and regions
        (empty without spectra).
    """

    voxel_error: bool = False
    spectra: EnergyBins | None = None
    image: ImagePlane | None = None
    exits: int = 0
    origin_mm: ArrayF8 | None = None
    volume_cm3: ArrayF8 | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.exits <= MOST_EXITS or int(self.exits) != self.exits:
            raise RangeError(
                f"a phase space of {self.exits:g} photons",
                where="phase_space",
                allowed=f"a whole number up to {MOST_EXITS}",
            )

    @property
    def anything(self) -> bool:
        """Whether anything is asked for."""
        return self.voxel_error or self.spectra is not None or self.image is not None or self.exits > 0

    @property
    def n_image(self) -> int:
        """Numbers in the image: classes x rows x columns."""
        return 0 if self.image is None else len(CLASSES) * self.image.pixels[0] * self.image.pixels[1]

    def n_spectra(self, n_region: int) -> int:
        """Numbers in the spectra: all photons and perhaps primary ones, x regions x bins."""
        if self.spectra is None:
            return 0
        return (2 if self.spectra.primary else 1) * n_region * (self.spectra.edges.size - 1)

    def method(self, estimator: int, origin_mm: ArrayF8) -> Method:
        """Return the record that the kernels read."""
        none = np.zeros(0, dtype=np.float32)
        return Method(
            estimator=estimator,
            follow=int(self.image is not None or self.exits > 0),
            bin_kev=none if self.spectra is None else self.spectra.edges.astype(np.float32),
            plane=none if self.image is None else self.image.compiled(origin_mm),
            n_pixel=np.array((0, 0) if self.image is None else self.image.pixels, dtype=np.int32),
            weigh=int(self.image is not None and self.image.weigh == "energy"),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FluenceSpectra:
    """Photon fluence of shapes and regions per history and energy bin, averaged over their volume.

    Attributes
    ----------
    edges_kev
        [n_bin + 1].
    fluence_per_cm2, std_per_cm2
        [n, n_bin] photons per cm2 and history in each bin, and the standard error.
    primary_per_cm2, primary_std_per_cm2
        The part of photons that had not yet interacted, or None.
    """

    keys: tuple[str, ...]
    edges_kev: ArrayF8
    fluence_per_cm2: ArrayF8
    std_per_cm2: ArrayF8
    primary_per_cm2: ArrayF8 | None = None
    primary_std_per_cm2: ArrayF8 | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExitImage:
    """What flew through the pixels of an image plane, per history.

    Attributes
    ----------
    mean, std
        [4, rows, columns] keV or photons per pixel and history, by what the photon had been through
        (``CLASSES``), and the standard error.
    """

    plane: ImagePlane
    mean: ArrayF8
    std: ArrayF8

    @property
    def primary(self) -> ArrayF8:
        """[rows, columns] photons that had not interacted."""
        return np.asarray(self.mean[0])

    @property
    def scatter(self) -> ArrayF8:
        """[rows, columns] all others."""
        return np.asarray(self.mean[1:].sum(axis=0))

    @property
    def total(self) -> ArrayF8:
        """[rows, columns] all photons."""
        return np.asarray(self.mean.sum(axis=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Where the energy went, in keV per history, with standard errors.

    Attributes
    ----------
    emitted_kev
        Of the source.
    deposited_kev
        Left behind in real interactions (regions, voxels and all else).
    escaped_kev
        Carried out of the world by photons; photons born below the cut-off count here.
    expected_kev
        The deposits once more, by the expected values at all tentative collisions: agrees with
        ``deposited_kev`` within the errors.
    """

    emitted_kev: float
    deposited_kev: float
    escaped_kev: float
    expected_kev: float
    emitted_std_kev: float
    deposited_std_kev: float
    escaped_std_kev: float
    expected_std_kev: float

    @classmethod
    def from_batches(cls, batches_kev: ArrayF8) -> Balance:
        """Make it from [n_batches, 4] means per history."""
        mean = batches_kev.mean(axis=0)
        std = batches_kev.std(axis=0, ddof=1) / np.sqrt(batches_kev.shape[0])
        names = ("emitted", "deposited", "escaped", "expected")
        values = {f"{name}_kev": float(mean[k]) for k, name in enumerate(names)}
        errors = {f"{name}_std_kev": float(std[k]) for k, name in enumerate(names)}
        return cls(**values, **errors)

    @property
    def missing_rel(self) -> float:
        """Share of the emitted energy that neither stayed nor left: rounding of float32."""
        return 1 - (self.deposited_kev + self.escaped_kev) / self.emitted_kev


def region_volumes_cm3(scene: Scene, shape_keys: Sequence[str], regions: Sequence[Region]) -> ArrayF8:
    """Return volumes in cm3: of shapes what later shapes leave of them, of regions voxels x weights."""
    volumes = dict.fromkeys(shape_keys, 0.0)
    for shape, volume_cm3 in zip(scene.shapes, visible_volumes_cm3(scene.shapes), strict=True):
        volumes[shape.key] += volume_cm3
    out = list(volumes.values())
    for region in regions:
        voxels = scene.room if region.grid == "room" else scene.voxels
        if voxels is not None:
            share = region.voxels.size if region.weights is None else float(region.weights.sum(dtype=float))
            out.append(share * voxels.grid.voxel_volume_cm3)
    return np.array(out)
