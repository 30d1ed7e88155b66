"""Noise of a Monte Carlo dose map, and a smoothing that keeps energy and the contrast of materials.

A voxel of 2 mm sees few photons, so a raw map is mostly noise, and a dose-volume histogram of noise is
wrong at both ends. What varies slowly in space is the photon fluence, not the dose: the dose jumps
from soft tissue to bone. The map is therefore divided by the material's mass energy-absorption
coefficient, smoothed, and multiplied again. Organ means never pass through here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from omnidose.anatomy.body import BodyModel
from omnidose.dosimetry.results import DoseMap
from omnidose.physics.photons import mass_energy_absorption_cm2_g

#: Noise per voxel aimed at, and the widest kernel used (standard deviation), mm.
TARGET_NOISE_REL, WIDEST_MM = 0.05, 8.0
#: Voxels below this density take no part in measuring noise.
SOLID_G_CM3 = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothing:
    """What was done to a dose map.

    Attributes
    ----------
    sigma_mm
        Standard deviation of the Gaussian kernel; 0 if the map was left as it is.
    noise_before_rel, noise_after_rel
        Relative standard deviation of the noise in a voxel of the irradiated body, measured before and
        expected after.
    """

    sigma_mm: float
    noise_before_rel: float
    noise_after_rel: float


def noise_rel(dose: npt.NDArray[np.float32], body: BodyModel) -> float:
    """Return the typical relative noise of a voxel, from differences of neighbours along x.

    Only pairs of solid voxels of one material and of similar density count, in the part of the body that
    gets at least a fifth of the mean dose of the most exposed tenth. Neighbours share a few histories, so
    the figure is a lower estimate.
    """
    solid = body.density_g_cm3 > SOLID_G_CM3
    if body.completed is not None:
        solid &= ~body.completed
    if not solid.any():
        return 0.0
    # local mean over 5 voxels decides where the beam was: single voxels are too noisy to say
    local = ndimage.uniform_filter(dose, size=5)
    level = np.quantile(local[solid], 0.9)
    used = solid & (local > 0.2 * level)
    pair = used[..., 1:] & used[..., :-1]
    pair &= body.material_index[..., 1:] == body.material_index[..., :-1]
    if np.count_nonzero(pair) < 100:
        return 0.0
    left, right = dose[..., :-1][pair], dose[..., 1:][pair]
    mean = 0.5 * (local[..., :-1][pair] + local[..., 1:][pair])
    return float(np.sqrt(np.mean(((left - right) / mean) ** 2) / 2))


def smooth(dose: DoseMap, body: BodyModel, *, energy_kev: float) -> tuple[DoseMap, Smoothing]:
    """Return a dose map with about 5 % noise per voxel, smoothed no wider than 8 mm.

    Layers that no image shows are left as they are.

    Parameters
    ----------
    energy_kev
        Typical photon energy in the body, at which the materials are compared.
    """
    layers = _imaged_layers(body)
    if layers is not None:
        part, done = smooth(
            _layers_of_map(dose, layers), _layers_of_body(body, layers), energy_kev=energy_kev
        )
        if done.sigma_mm == 0:
            return dose, done
        array = dose.volume.array.copy()
        array[layers] = part.volume.array
        return replace(dose, volume=replace(dose.volume, array=array)), done
    raw = dose.volume.array
    noise = noise_rel(raw, body)
    if noise <= TARGET_NOISE_REL:
        return dose, Smoothing(sigma_mm=0.0, noise_before_rel=noise, noise_after_rel=noise)
    voxel_mm3 = 1000.0 * body.grid.voxel_volume_cm3
    # averaging over a Gaussian: the noise falls with the square root of its effective volume
    volume_mm3 = voxel_mm3 * (noise / TARGET_NOISE_REL) ** 2
    sigma_mm = min((volume_mm3 / (4 * np.pi) ** 1.5) ** (1 / 3), WIDEST_MM)
    after = noise * min(1.0, float(np.sqrt(voxel_mm3 / ((4 * np.pi) ** 1.5 * sigma_mm**3))))
    coefficient = np.array(
        [float(mass_energy_absorption_cm2_g(m, energy_kev)) for m in body.materials], dtype=np.float32
    )[body.material_index]
    mass = body.density_g_cm3
    sigma = [sigma_mm / d for d in body.grid.spacing_mm[::-1]]
    energy = ndimage.gaussian_filter(raw * mass, sigma, truncate=3.0)
    uptake = ndimage.gaussian_filter(coefficient * mass, sigma, truncate=3.0)
    out = np.divide(energy, uptake, out=np.zeros_like(energy), where=uptake > 0) * coefficient
    smoothed = replace(dose, volume=replace(dose.volume, array=out.astype(np.float32)))
    return smoothed, Smoothing(sigma_mm=float(sigma_mm), noise_before_rel=noise, noise_after_rel=after)


def _imaged_layers(body: BodyModel) -> slice | None:
    """Return the layers that hold images, or None if all do (or none)."""
    if body.completed is None:
        return None
    imaged = np.flatnonzero(((body.labels > 0) & ~body.completed).any(axis=(1, 2)))
    if imaged.size == 0 or imaged.size == body.labels.shape[0]:
        return None
    return slice(int(imaged[0]), int(imaged[-1]) + 1)


def _layers_of_map(dose: DoseMap, layers: slice) -> DoseMap:
    return replace(dose, volume=replace(dose.volume, array=dose.volume.array[layers]))


def _layers_of_body(body: BodyModel, layers: slice) -> BodyModel:
    """Return some layers of a body, without its regions and without saying which voxels are completed."""
    nz = layers.stop - layers.start
    z = body.grid.origin_mm[2] + layers.start * body.grid.spacing_mm[2]
    grid = replace(
        body.grid,
        shape_zyx=(nz, *body.grid.shape_zyx[1:]),
        origin_mm=(*body.grid.origin_mm[:2], z),
    )
    return replace(
        body,
        grid=grid,
        material_index=body.material_index[layers],
        density_g_cm3=body.density_g_cm3[layers],
        labels=body.labels[layers],
        completed=None,
        regions=(),
    )
