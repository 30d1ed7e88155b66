"""Spheres in a warm body of water: how a clinic measures recovery with its own camera."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnidose.modalities.nuclear.imaging.bodies import Sphere, sphere_shares
from omnidose.modalities.nuclear.imaging.camera import Camera
from omnidose.modalities.nuclear.imaging.scans import Scan, pooled, scan_map
from omnidose.physics.material_library import material
from omnidose.physics.photons import mass_attenuation_cm2_g
from omnidose.volume import Grid

ArrayF4 = npt.NDArray[np.float32]

VOLUMES_CM3 = (2.0, 5.0, 10.0, 20.0, 40.0, 100.0)
RING_MM, HALF_X_MM, HALF_Y_MM = 75.0, 170.0, 110.0
#: Activity per volume of spheres over that of the water around.
CONTRAST = 10.0
WATER_MBQ_PER_CM3 = 0.08


def scan_spheres(
    grid: Grid, camera: Camera, *, seed: int = 1, duration_s: float = 3600.0
) -> tuple[Scan, dict[str, ArrayF4], dict[str, float]]:
    """Scan the phantom.

    Returns
    -------
    Scan, shares, activities
        [z, y, x] share of each voxel of the image in each sphere and in the water, and their MBq.
    """
    fine: dict[str, ArrayF4] = {}
    x, y = np.meshgrid(grid.axis_mm(0), grid.axis_mm(1))
    inside = np.broadcast_to((x / HALF_X_MM) ** 2 + (y / HALF_Y_MM) ** 2 < 1, grid.shape_zyx)
    water = inside.astype(np.float32)
    for number, volume in enumerate(VOLUMES_CM3):
        angle = 2 * np.pi * (number + 0.25) / len(VOLUMES_CM3)
        centre = (RING_MM * float(np.cos(angle)), 0.8 * RING_MM * float(np.sin(angle)), 0.0)
        sphere = Sphere(name=f"{volume:g} mL", centre_mm=centre, volume_cm3=volume, host="")
        flat, share = sphere_shares(sphere, grid)
        mine = np.zeros(grid.voxel_count, np.float32)
        mine[flat] = share
        fine[sphere.name] = mine.reshape(grid.shape_zyx)
        water = water - fine[sphere.name]
    fine["water"] = np.maximum(water, 0)
    per_voxel = WATER_MBQ_PER_CM3 * grid.voxel_volume_cm3
    activity = sum((CONTRAST if name != "water" else 1.0) * per_voxel * share for name, share in fine.items())
    mu = float(mass_attenuation_cm2_g(material("water"), camera.photopeak_kev))
    scan = scan_map(
        np.asarray(activity, dtype=np.float32),
        np.where(inside, mu, 0).astype(np.float32),
        grid,
        camera=camera,
        start_h=0.0,
        duration_s=duration_s,
        seed=(177, seed),
    )
    cells = {name: pooled(share) / np.float32(8) for name, share in fine.items()}
    given = {
        name: (CONTRAST if name != "water" else 1.0) * per_voxel * float(share.sum(dtype=np.float64))
        for name, share in fine.items()
    }
    return scan, cells, given
