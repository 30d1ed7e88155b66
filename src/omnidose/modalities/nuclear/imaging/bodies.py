"""Bodies of simulated patients: the equation-based adult, stretched, on the grids of camera and transport."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel
from omnidose.anatomy.stylised.make import make_phantom
from omnidose.errors import InputError
from omnidose.physics.photons import mass_attenuation_cm2_g
from omnidose.volume import Grid

ArrayF4 = npt.NDArray[np.float32]
ArrayF8 = npt.NDArray[np.float64]
Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sphere:
    """A lesion.

    Attributes
    ----------
    host
        Organ in which it lies, or ``soft-tissue``.
    """

    name: str
    centre_mm: Point
    volume_cm3: float
    host: str

    @property
    def radius_mm(self) -> float:
        """Radius."""
        return float((3000 * self.volume_cm3 / (4 * np.pi)) ** (1 / 3))

    def depth_mm(self, grid: Grid) -> ArrayF4:
        """[z, y, x] distance of each voxel's middle from the surface, inside positive."""
        x, y, z = (grid.axis_mm(axis) - self.centre_mm[axis] for axis in range(3))
        away = np.sqrt(z[:, None, None] ** 2 + y[None, :, None] ** 2 + x[None, None, :] ** 2)
        return np.asarray(self.radius_mm - away, dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class StretchedBody:
    """An equation-based adult stretched along z and across.

    Attributes
    ----------
    body
        The stretched phantom on its own grid (voxels stretched with it), whole.
    grid
        Grid of the fine truth: cubic voxels, what the camera sees, the body's middle on its axis.
    """

    body: BodyModel
    grid: Grid

    @cached_property
    def _index(self) -> tuple[npt.NDArray[np.intp], ...]:
        """Voxel of the body for each plane, row, column of the grid; -1 outside."""
        found = []
        for axis in (2, 1, 0):
            own = self.body.grid
            place = (self.grid.axis_mm(axis) - own.origin_mm[axis]) / own.spacing_mm[axis]
            index = np.rint(place).astype(np.intp)
            index[(index < 0) | (index >= own.shape_zyx[2 - axis])] = -1
            found.append(index)
        return tuple(found)

    def _on_grid(self, array: npt.NDArray[np.generic], outside: float) -> npt.NDArray[np.generic]:
        z, y, x = self._index
        out = array[np.ix_(z, y, x)].copy()
        out[z < 0], out[:, y < 0], out[:, :, x < 0] = outside, outside, outside
        return out

    @cached_property
    def labels(self) -> npt.NDArray[np.uint8]:
        """[z, y, x] labels of the body on the grid."""
        return np.asarray(self._on_grid(self.body.labels, 0), dtype=np.uint8)

    @cached_property
    def density_g_cm3(self) -> ArrayF4:
        """[z, y, x] on the grid; air outside."""
        return np.asarray(self._on_grid(self.body.density_g_cm3, 0.0012), dtype=np.float32)

    def mask(self, key: str) -> npt.NDArray[np.bool_]:
        """[z, y, x] one organ on the grid."""
        return np.asarray(self.labels == self.body.organ(key).label)

    def mu_per_cm(self, energy_kev: float) -> ArrayF4:
        """[z, y, x] attenuation on the grid, coherent scattering included."""
        per_g = np.array([float(mass_attenuation_cm2_g(m, energy_kev)) for m in self.body.materials])
        index = np.asarray(self._on_grid(self.body.material_index, 0), dtype=np.uint8)
        return np.asarray(per_g[index] * self.density_g_cm3, dtype=np.float32)


@cache
def plain_phantom(sex: str, voxel_mm: float) -> BodyModel:
    """Return the adult of a sex as the equations have it; made once."""
    return make_phantom(sex, voxel_mm=voxel_mm)


def stretched(
    sex: str,
    *,
    factors: tuple[float, float],
    grid: Grid,
    middle_z_mm: float,
    phantom_voxel_mm: float = 3.0,
) -> StretchedBody:
    """Stretch the adult of a sex; organs grow by along x across^2.

    Parameters
    ----------
    factors
        Along z and across.
    grid
        What the camera sees, around its own middle.
    middle_z_mm
        Height above the trunk's base, before stretching, that comes to lie in the camera's middle.

    Raises
    ------
    InputError
        For factors outside 0.7 to 1.35.
    """
    along, across = factors
    if not (0.7 <= along <= 1.35 and 0.7 <= across <= 1.35):
        raise InputError(f"factors {along:g} along and {across:g} across", allowed="0.7 to 1.35")
    plain = plain_phantom(sex, phantom_voxel_mm)
    dx, dy, dz = plain.grid.spacing_mm
    x, y, z = plain.grid.origin_mm
    own = Grid(
        shape_zyx=plain.grid.shape_zyx,
        spacing_mm=(dx * across, dy * across, dz * along),
        origin_mm=(x * across, y * across, (z - middle_z_mm) * along),
    )
    return StretchedBody(body=replace(plain, grid=own), grid=grid)


def sphere_shares(sphere: Sphere, grid: Grid, samples: int = 4) -> tuple[npt.NDArray[np.int64], ArrayF4]:
    """Return flat voxels and the share of each that lies in a sphere, from sub-voxels."""
    first, last = [], []
    for axis in range(3):
        step, low = grid.spacing_mm[axis], grid.lower_mm[axis]
        reach = sphere.radius_mm
        first.append(max(0, int((sphere.centre_mm[axis] - reach - low) // step)))
        last.append(min(grid.shape_zyx[2 - axis], int((sphere.centre_mm[axis] + reach - low) // step) + 1))
    offset = (np.arange(samples) + 0.5) / samples
    x, y, z = (
        (grid.lower_mm[a] + grid.spacing_mm[a] * (np.arange(first[a], last[a])[:, None] + offset)).ravel()
        - sphere.centre_mm[a]
        for a in range(3)
    )
    inside = z[:, None, None] ** 2 + y[None, :, None] ** 2 + x[None, None, :] ** 2 <= sphere.radius_mm**2
    n = [last[a] - first[a] for a in range(3)]
    share = inside.reshape(n[2], samples, n[1], samples, n[0], samples).mean(axis=(1, 3, 5))
    where = np.argwhere(share > 0)
    flat = np.ravel_multi_index(tuple((where + [first[2], first[1], first[0]]).T), grid.shape_zyx)
    return np.asarray(flat, dtype=np.int64), share[share > 0].astype(np.float32)
