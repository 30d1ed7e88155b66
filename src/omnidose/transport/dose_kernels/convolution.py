"""Dose from a map of activity: convolution with a voxel kernel, or energy left where it is set free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.physics.material_library import material
from omnidose.physics.nuclides import Nuclide
from omnidose.transport.dose_kernels.emissions import RadiationYield
from omnidose.transport.dose_kernels.media import HIGHEST_G_CM3, medium_of
from omnidose.transport.dose_kernels.monoenergetic import radiated_share
from omnidose.transport.dose_kernels.nuclide_yields import yield_of
from omnidose.transport.dose_kernels.voxels import VoxelKernel, voxel_mass_g
from omnidose.transport.tally import MGY_PER_KEV_G
from omnidose.volume import Volume

ArrayF4 = npt.NDArray[np.float32]

#: Below this density energy over mass means nothing (air): the dose is set to 0.
LOWEST_G_CM3 = 0.1
_SPACING_REL = 1e-3
#: More MBq (or MBq s) than this in a voxel are no activity, and their sums would leave single precision.
_MOST_MBQ = 1e24


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DoseRate:
    """Dose in every voxel: mGy per s from a map in MBq, or mGy from time-integrated activity in MBq s.

    Attributes
    ----------
    electron, photon, alpha
        float32 [z, y, x]; alpha with recoil nuclei, a physical dose.
    activity
        The map that it was made from: affine, frame of reference, sources.
    cleared_voxels
        Voxels below 0.1 g/cm3, where the dose was set to 0.
    notes
        What the reader must know.
    """

    electron: ArrayF4
    photon: ArrayF4
    alpha: ArrayF4
    activity: Volume
    cleared_voxels: int = 0
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> Volume:
        """Sum of the absorbed doses, without weights, at the place of the activity."""
        return Volume(
            array=self.electron + self.photon + self.alpha,
            affine_lps_mm=self.activity.affine_lps_mm,
            frame_of_reference_uid=self.activity.frame_of_reference_uid,
            source_uids=self.activity.source_uids,
        )


def convolve(activity: Volume, kernel: VoxelKernel, *, density: Volume | None = None) -> DoseRate:
    """Convolve a map of activity with a voxel kernel.

    Parameters
    ----------
    activity
        MBq (or MBq s) per voxel, not per volume.
    kernel
        Made for the same voxels.
    density
        g/cm3 on the same grid. None: the kernel's medium everywhere.

    Returns
    -------
    DoseRate

    Raises
    ------
    InputError
        For activity below 0, not finite or beyond all measure, voxels other than the kernel's, oblique-angled
        voxels, maps that do not fit.

    Notes
    -----
    With a density the energy of electrons and alphas is divided by the voxel's own mass. Dose of photons is
    kept: the energy that they leave goes with the mass. Neither sees that electrons fly further in lung:
    within their range of a border this is an estimate. Fast Fourier transforms in single precision on arrays
    padded by half a kernel: nothing wraps around. What comes out below 0 (rounding) is 0.
    """
    given = _checked_activity(activity)
    _check_spacing(activity, kernel.spacing_mm)
    electron = _convolved(given, kernel.electron_octant)
    photon = _convolved(given, kernel.photon_octant)
    alpha = given * np.float32(kernel.alpha_mgy)
    notes: tuple[str, ...] = ()
    if not kernel.photon_octant.any():
        notes = ("The nuclide sends out no photons.",)
    elif any(n < size - 1 for n, size in zip(_half(kernel.photon_octant), given.shape, strict=True)):
        notes = (f"Photons are counted up to {kernel.reach_mm:g} mm from each source.",)
    if density is None:
        return DoseRate(electron=electron, photon=photon, alpha=alpha, activity=activity, notes=notes)
    rho = _checked_density(density, activity)
    factor = _mass_factor(rho, kernel.medium.density_g_cm3)
    solid = factor > 0
    return DoseRate(
        electron=electron * factor,
        photon=photon * solid,
        alpha=alpha * factor,
        activity=activity,
        cleared_voxels=int(solid.size - np.count_nonzero(solid)),
        notes=(*notes, *_cleared(solid)),
    )


def local_deposition(
    activity: Volume,
    emitted: RadiationYield | Nuclide | str,
    *,
    density: Volume | None = None,
    medium: str = "soft tissue",
) -> DoseRate:
    """Leave the energy of electrons and alphas in the voxel of the decay; photons are left out.

    Parameters
    ----------
    activity
        MBq (or MBq s) per voxel.
    emitted
        Radiations per decay, or a nuclide (without progeny).
    density
        g/cm3 on the same grid. None: that of the medium.

    Raises
    ------
    InputError
        As :func:`convolve`.

    Notes
    -----
    Right where activity varies little over the range of the electrons, and for images whose resolution has
    spread the activity by more than this range already. Bremsstrahlung is taken off.
    """
    given = _checked_activity(activity)
    made_of = medium_of(medium)
    if isinstance(emitted, Nuclide | str):
        emitted = yield_of(emitted)
    energy, number = emitted.electrons()
    kept_kev = float(energy @ (number * (1 - radiated_share(material(made_of.composition), energy))))
    factor = np.ones(given.shape, dtype=np.float32)
    if density is not None:
        factor = _mass_factor(_checked_density(density, activity), made_of.density_g_cm3)
    unit = 1e6 * MGY_PER_KEV_G / voxel_mass_g(activity.spacing_mm, made_of.density_g_cm3)
    solid = factor > 0
    return DoseRate(
        electron=given * factor * np.float32(unit * kept_kev),
        photon=np.zeros_like(given),
        alpha=given * factor * np.float32(unit * emitted.alpha_kev),
        activity=activity,
        cleared_voxels=int(solid.size - np.count_nonzero(solid)),
        notes=("Photons are left out.", *_cleared(solid)),
    )


def _cleared(solid: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    if solid.all():
        return ()
    return (
        f"The dose in {int(solid.size - np.count_nonzero(solid))} voxels below {LOWEST_G_CM3:g} g/cm3 was "
        "set to 0.",
    )


def _half(octant: ArrayF4) -> tuple[int, ...]:
    return tuple(n - 1 for n in octant.shape)


def _mass_factor(density_g_cm3: ArrayF4, kernel_g_cm3: float) -> ArrayF4:
    """Density of the kernel over that of the voxel; 0 in gas."""
    solid = density_g_cm3 >= LOWEST_G_CM3
    out = np.zeros(density_g_cm3.shape, dtype=np.float32)
    np.divide(np.float32(kernel_g_cm3), density_g_cm3, out=out, where=solid)
    return out


def _convolved(activity: ArrayF4, octant: ArrayF4) -> ArrayF4:
    """Linear convolution, cut to the map. The kernel is cut to what can reach across the map."""
    from scipy import fft

    half = [min(n, size - 1) for n, size in zip(_half(octant), activity.shape, strict=True)]
    octant = octant[tuple(slice(0, n + 1) for n in half)]
    if not octant.any():
        return np.zeros_like(activity)
    size = [fft.next_fast_len(n + h, real=True) for n, h in zip(activity.shape, half, strict=True)]
    with fft.set_workers(-1):
        spectrum = fft.rfftn(_wrapped(octant, size), overwrite_x=True)
        spectrum *= fft.rfftn(activity, s=size)
        dose = fft.irfftn(spectrum, s=size, overwrite_x=True)
    inside = dose[tuple(slice(0, n) for n in activity.shape)]
    return np.ascontiguousarray(np.maximum(inside, 0), dtype=np.float32)


def _wrapped(octant: ArrayF4, size: Sequence[int]) -> ArrayF4:
    """Whole kernel with its middle at index 0: negative offsets from the end.

    The padded array holds map + half a kernel along each axis: what leaves the map on one side comes in on
    the other beyond the map.
    """
    out = np.zeros(size, dtype=np.float32)
    index = [np.arange(n) for n in octant.shape]
    mirrored = [(-i) % n for i, n in zip(index, size, strict=True)]
    for z in (index[0], mirrored[0]):
        for y in (index[1], mirrored[1]):
            for x in (index[2], mirrored[2]):
                out[np.ix_(z, y, x)] = octant
    return out


def _checked_activity(activity: Volume) -> ArrayF4:
    array = np.asarray(activity.array)
    if array.size == 0 or array.dtype.kind not in "fiu":
        raise InputError("a map of activity holds no numbers", where="activity")
    if not np.all(np.isfinite(array)):
        raise InputError("a map of activity holds numbers that are not finite", where="activity")
    if array.max() > _MOST_MBQ:
        raise InputError(
            f"a map of activity goes up to {array.max():g} MBq",
            where="activity",
            allowed=f"up to {_MOST_MBQ:g} MBq (or MBq s) in a voxel",
            todo="check its unit",
        )
    given = np.ascontiguousarray(array, dtype=np.float32)
    if given.min() < 0:
        raise InputError(
            f"a map of activity goes down to {given.min():g} MBq",
            where="activity",
            allowed="0 or more",
            todo="reconstructed images with negative voxels must be clipped on purpose",
        )
    return given


def _check_spacing(activity: Volume, spacing_mm: tuple[float, float, float]) -> None:
    axes = activity.affine_lps_mm[:3, :3] / activity.spacing_mm
    if not np.allclose(axes.T @ axes, np.eye(3), atol=_SPACING_REL):
        raise InputError(
            "the axes of the activity are not at right angles",
            where="activity",
            todo="resample it onto a straight grid first",
        )
    if not np.allclose(activity.spacing_mm, spacing_mm, rtol=_SPACING_REL, atol=0):
        ours = " x ".join(f"{s:g}" for s in activity.spacing_mm)
        theirs = " x ".join(f"{s:g}" for s in spacing_mm)
        raise InputError(
            f"voxels of the activity measure {ours} mm, the kernel's {theirs} mm",
            where="kernel",
            todo="make the kernel with the spacing of the activity",
        )


def _checked_density(density: Volume, activity: Volume) -> ArrayF4:
    if density.array.shape != activity.array.shape or not np.allclose(
        density.affine_lps_mm, activity.affine_lps_mm, rtol=0, atol=1e-2 * min(activity.spacing_mm)
    ):
        raise InputError(
            f"densities {density.array.shape} do not lie on the grid of the activity {activity.array.shape}",
            where="density",
            todo="resample them onto it",
        )
    rho = np.asarray(density.array, dtype=np.float32)
    if not (np.all(np.isfinite(rho)) and rho.min() >= 0):
        raise InputError("densities that are not finite or below 0", where="density", allowed="g/cm3, >= 0")
    if rho.max() > HIGHEST_G_CM3:
        raise InputError(
            f"densities up to {rho.max():g} g/cm3",
            where="density",
            allowed=f"up to {HIGHEST_G_CM3:g} g/cm3",
            todo="give g/cm3, not kg/m3 and not CT numbers",
        )
    return rho
