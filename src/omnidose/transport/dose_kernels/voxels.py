"""``voxel_s``: dose in voxels around a voxel with activity, for any nuclide, voxel and medium."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.physics.nuclides import Nuclide
from omnidose.transport.dose_kernels import cache
from omnidose.transport.dose_kernels.boxes import (
    Octant,
    near_voxels_kev,
    octant_sum_kev,
    voxels_kev,
)
from omnidose.transport.dose_kernels.emissions import RadiationYield
from omnidose.transport.dose_kernels.media import Medium, medium_of
from omnidose.transport.dose_kernels.nuclide_yields import yield_of
from omnidose.transport.dose_kernels.radial import PHOTON_REACH_MM, RadialKernel, radial_kernel
from omnidose.transport.tally import MGY_PER_KEV_G

ArrayF4 = npt.NDArray[np.float32]

#: The photon kernel has at most so many voxels on either side, unless asked otherwise.
PHOTON_VOXELS = 128
SMALLEST_MM, LARGEST_MM = 0.5, 30.0
#: Voxels in an octant of the kernel that fit into memory without a thought.
_MOST_VOXELS = 40_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoxelKernel:
    """Dose around a voxel with uniform activity, in an endless medium.

    Attributes
    ----------
    spacing_mm
        Voxel sides (x, y, z).
    electron_octant, photon_octant
        float32 [z, y, x] mGy per MBq s at offsets from 0 on; the same in all eight octants.
    alpha_mgy
        Of alphas and recoil nuclei in the source voxel, per MBq s: a physical dose, no weight.
    emitted_electron_kev, emitted_photon_kev, alpha_kev
        Energy per decay, bremsstrahlung not counted among the photons.
    radiated_kev
        What the electrons turn into bremsstrahlung, which the photon kernel holds.
    electron_kev, photon_kev
        Energy per decay that the kernels hold: what is missing lies beyond ``reach_mm`` or was
        radiated again.
    reach_mm
        Half width of the photon kernel.
    """

    name: str
    medium: Medium
    spacing_mm: tuple[float, float, float]
    electron_octant: ArrayF4
    photon_octant: ArrayF4
    alpha_mgy: float
    emitted_electron_kev: float
    emitted_photon_kev: float
    alpha_kev: float
    radiated_kev: float
    electron_kev: float
    photon_kev: float
    reach_mm: float

    @property
    def electron(self) -> ArrayF4:
        """[z, y, x] mGy per MBq s of electrons, source voxel in the middle."""
        return unfold(self.electron_octant)

    @property
    def photon(self) -> ArrayF4:
        """[z, y, x] mGy per MBq s of photons with bremsstrahlung, source voxel in the middle."""
        return unfold(self.photon_octant)

    @property
    def voxel_g(self) -> float:
        """Mass of a voxel."""
        return voxel_mass_g(self.spacing_mm, self.medium.density_g_cm3)

    def total_mgy(self, offset_zyx: tuple[int, int, int]) -> float:
        """Return the dose per MBq s of all radiations at an offset in voxels; 0 beyond the kernels."""
        place = tuple(abs(n) for n in offset_zyx)
        total = self.alpha_mgy if place == (0, 0, 0) else 0.0
        for octant in (self.electron_octant, self.photon_octant):
            if all(n < size for n, size in zip(place, octant.shape, strict=True)):
                total += float(octant[place])
        return total


def unfold(octant: ArrayF4) -> ArrayF4:
    """Return the whole kernel of an octant."""
    whole = octant
    for axis in range(3):
        mirrored = np.flip(np.delete(whole, 0, axis=axis), axis=axis)
        whole = np.concatenate([mirrored, whole], axis=axis)
    return whole


def voxel_mass_g(spacing_mm: tuple[float, float, float], density_g_cm3: float) -> float:
    """Return the mass of a voxel."""
    return float(np.prod(spacing_mm)) / 1000 * density_g_cm3


def voxel_s(
    emitted: RadiationYield | Nuclide | str,
    spacing_mm: tuple[float, float, float],
    *,
    medium: Medium | str = "soft tissue",
    reach_mm: float | None = None,
    use_cache: bool = True,
) -> VoxelKernel:
    """Compute the voxel S values of a nuclide.

    Parameters
    ----------
    emitted
        Radiations per decay, or a nuclide (without progeny; see :func:`.nuclide_yields.yield_of`).
    spacing_mm
        Sides (x, y, z) of the voxel, 0.5 to 30 mm.
    medium
        Water, soft tissue, bone or lung by name, or a :class:`Medium`.
    reach_mm
        Half width of the photon kernel, at most 400 mm. Default: 400 mm or 128 of the smallest side,
        whichever is less. Electrons are followed to the end of their range.
    use_cache
        Read and keep the kernel in the user's cache folder.

    Returns
    -------
    VoxelKernel

    Raises
    ------
    InputError
        For voxels or a reach outside the limits, and a gas that does not stop the electrons.

    Notes
    -----
    Electrons: kernels of water with scaled distances (:class:`Medium`). Photons: coefficients of the
    medium, scattered over unscattered as in water. See ``docs/methods/dose-kernels.md``.
    """
    made_of = medium_of(medium)
    if isinstance(emitted, Nuclide | str):
        emitted = yield_of(emitted)
    sides, reach = _checked(spacing_mm, reach_mm)
    last = tuple(int(np.ceil(reach / side - 1e-9)) for side in sides[::-1])
    if np.prod([n + 1 for n in last]) > _MOST_VOXELS:
        raise InputError(
            f"a kernel of {last[::-1]} voxels on either side does not fit into memory",
            where="reach_mm",
            todo="give a shorter reach, or larger voxels",
        )
    words = {
        "spacing": sides,
        "reach": reach,
        "medium": [made_of.name, made_of.density_g_cm3, made_of.scale, made_of.composition],
    }
    key = cache.key_of(emitted, words)
    arrays = cache.read(key) if use_cache else None
    if arrays is None:
        arrays = _arrays(radial_kernel(emitted, made_of), sides, made_of, (last[0], last[1], last[2]))
        if use_cache:
            cache.write(key, arrays)
    numbers = [float(x) for x in arrays["numbers_kev"]]
    return VoxelKernel(
        name=emitted.name,
        medium=made_of,
        spacing_mm=sides,
        electron_octant=arrays["electron"],
        photon_octant=arrays["photon"],
        alpha_mgy=emitted.alpha_kev * _unit_mgy(sides, made_of),
        emitted_electron_kev=emitted.emitted_electron_kev,
        emitted_photon_kev=emitted.emitted_photon_kev,
        alpha_kev=emitted.alpha_kev,
        radiated_kev=numbers[0],
        electron_kev=numbers[1],
        photon_kev=numbers[2],
        reach_mm=reach,
    )


def _checked(
    spacing_mm: tuple[float, float, float], reach_mm: float | None
) -> tuple[tuple[float, float, float], float]:
    if len(spacing_mm) != 3 or not all(SMALLEST_MM <= s <= LARGEST_MM for s in spacing_mm):
        raise InputError(
            f"voxels of {tuple(spacing_mm)} mm",
            where="spacing_mm",
            allowed=f"three sides of {SMALLEST_MM:g} to {LARGEST_MM:g} mm",
        )
    x, y, z = (float(s) for s in spacing_mm)
    reach = min(PHOTON_REACH_MM, PHOTON_VOXELS * min(x, y, z)) if reach_mm is None else float(reach_mm)
    if not max(x, y, z) <= reach <= PHOTON_REACH_MM:
        raise InputError(
            f"a kernel that reaches {reach:g} mm",
            where="reach_mm",
            allowed=f"one voxel to {PHOTON_REACH_MM:g} mm",
        )
    return (x, y, z), reach


def _unit_mgy(sides: tuple[float, float, float], medium: Medium) -> float:
    """Dose per MBq s of 1 keV per decay in a voxel."""
    return 1e6 * MGY_PER_KEV_G / voxel_mass_g(sides, medium.density_g_cm3)


def _arrays(
    kernel: RadialKernel, sides: tuple[float, float, float], medium: Medium, last: Octant
) -> dict[str, npt.NDArray[Any]]:
    """Make what the cache keeps: two octants and the energies they hold."""
    x, y, z = (side / 10 * medium.density_g_cm3 for side in sides)
    scaled = (x * medium.scale, y * medium.scale, z * medium.scale)
    far_end = kernel.electron.edge_g_cm2[-1]
    around = tuple(int(np.ceil(far_end / side)) for side in scaled[::-1])
    if np.prod([n + 2.0 for n in around]) > _MOST_VOXELS:
        raise InputError(
            f"electrons of {kernel.name} fly over {max(around)} voxels in {medium.name}: their kernel does "
            "not fit into memory",
            where="medium",
            allowed="a medium that stops them within some hundred voxels",
            todo="larger voxels, or follow the electrons (omnidose.transport.electrons)",
        )
    electron = near_voxels_kev(kernel.electron, scaled, (around[0], around[1], around[2]))
    photon = voxels_kev(kernel.photon, (x, y, z), last)
    unit = _unit_mgy(sides, medium)
    return {
        "electron": (electron * unit).astype(np.float32),
        "photon": (photon * unit).astype(np.float32),
        "numbers_kev": np.array([kernel.radiated_kev, octant_sum_kev(electron), octant_sum_kev(photon)]),
    }
