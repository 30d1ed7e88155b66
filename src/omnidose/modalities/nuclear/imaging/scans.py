"""The scans of a simulated patient: projected on a fine grid, stored as a camera would, reconstructed."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.modalities.nuclear.imaging.camera import Camera
from omnidose.modalities.nuclear.imaging.noise import acquire
from omnidose.modalities.nuclear.imaging.osem import reconstruct
from omnidose.modalities.nuclear.imaging.patients import NUCLIDE, REST, Lie, Patient
from omnidose.modalities.nuclear.imaging.projector import Projector, project_once
from omnidose.modalities.nuclear.imaging.truth import visible_rest
from omnidose.physics.nuclides import nuclide
from omnidose.volume import Grid, Volume

ArrayF4 = npt.NDArray[np.float32]

#: Fine voxels per voxel of the image, along each axis.
FINER = 2
#: The clinic's model of the camera's FWHM is wrong by this.
MODEL_ERROR_MM = -1.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """One reconstructed scan with the CT that was taken with it.

    Attributes
    ----------
    image
        Counts per second and head, mean over the acquisition, not corrected for dead time or decay.
    attenuation
        [z, y, x] per cm, aligned with the image: stands for the CT.
    start_h
        From the injection to the first view.
    duration_s
        From the first view to the last, all heads together.
    rate_per_s
        Mean rate of all counts that a head recorded.
    """

    image: Volume
    attenuation: Volume
    start_h: float
    duration_s: float
    rate_per_s: float


def coarse_grid(fine: Grid) -> Grid:
    """Return the grid of the image over a fine one.

    Raises
    ------
    InputError
        If the fine grid cannot be divided.
    """
    if any(n % FINER for n in fine.shape_zyx):
        raise InputError(f"a grid of {fine.shape_zyx}", where="fine", allowed=f"multiples of {FINER}")
    nz, ny, nx = (n // FINER for n in fine.shape_zyx)
    dx, dy, dz = (FINER * s for s in fine.spacing_mm)
    x, y, z = (o + 0.5 * (FINER - 1) * s for o, s in zip(fine.origin_mm, fine.spacing_mm, strict=True))
    return Grid(shape_zyx=(nz, ny, nx), spacing_mm=(dx, dy, dz), origin_mm=(x, y, z))


def pooled(fine: ArrayF4) -> ArrayF4:
    """Sum blocks of fine voxels."""
    nz, ny, nx = (n // FINER for n in fine.shape)
    return np.asarray(fine.reshape(nz, FINER, ny, FINER, nx, FINER).sum(axis=(1, 3, 5)), dtype=np.float32)


def lying(array: ArrayF4, grid: Grid, lie: Lie) -> ArrayF4:
    """Return an array as the patient lies: turned about z through the middle of the grid, then shifted.

    What comes in at the ends of the field of view is what was there: the body goes on.
    """
    from scipy.ndimage import affine_transform

    if lie.turn_deg == 0 and not any(lie.shift_mm):
        return array
    angle = np.deg2rad(lie.turn_deg)
    back = np.eye(3)  # (z, y, x) of the patient from those of the scan
    back[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    middle = 0.5 * (np.array(grid.shape_zyx) - 1)
    shift = np.array(lie.shift_mm[::-1]) / np.array(grid.spacing_mm[::-1])
    moved = affine_transform(array, back, middle - back @ (middle + shift), order=1, mode="nearest")
    return np.asarray(moved, dtype=np.float32)


def wandered(share: ArrayF4, by_mm: tuple[float, float, float], grid: Grid) -> ArrayF4:
    """Return a region shifted by less than two voxels."""
    from scipy.ndimage import shift

    if not any(by_mm):
        return share
    where = np.nonzero(share)
    window = tuple(slice(max(0, int(w.min()) - 3), int(w.max()) + 4) for w in where)
    steps = np.array(by_mm[::-1]) / np.array(grid.spacing_mm[::-1])
    out = np.zeros_like(share)
    out[window] = shift(share[window], np.clip(steps, -2, 2), order=1)
    return out


def scan_patient(
    patient: Patient, shares: dict[str, ArrayF4], number: int, *, camera: Camera, view_s: float = 40.0
) -> Scan:
    """Scan a patient once.

    Parameters
    ----------
    shares
        :meth:`.Patient.shares` on the fine grid.
    number
        Of the scan, from 0.
    view_s
        Duration of a view; two heads take two at a time.
    """
    grid, start_h = patient.anatomy.grid, patient.scans_h[number]
    duration_s = 0.5 * camera.views * view_s
    seen = visible_rest(patient, shares)
    activity = np.zeros(grid.shape_zyx, np.float32)
    for key, share in shares.items():
        mbq = patient.kinetics[key].activity_mbq(start_h) * (seen if key == REST else 1.0)
        moved = wandered(share, patient.wander_mm[number].get(key, (0.0, 0.0, 0.0)), grid)
        activity += moved * np.float32(mbq / share.sum(dtype=np.float64))
    lie = patient.lies[number]
    return scan_map(
        lying(activity, grid, lie),
        lying(patient.anatomy.mu_per_cm(camera.photopeak_kev), grid, lie),
        grid,
        camera=camera,
        start_h=start_h,
        duration_s=duration_s,
        scatter_error_rel=patient.scatter_error_rel[number],
        seed=(patient.seed, number),
    )


def scan_map(
    activity_mbq: ArrayF4,
    mu_per_cm: ArrayF4,
    grid: Grid,
    *,
    camera: Camera,
    start_h: float,
    duration_s: float,
    scatter_error_rel: float = 0.0,
    seed: tuple[int, ...] = (0,),
) -> Scan:
    """Scan a map of activity, in MBq per fine voxel at the start of the scan."""
    view_s = duration_s / (0.5 * camera.views)
    decay_per_s = log(2) / (3600 * nuclide(NUCLIDE).half_life_h)
    stop = np.arange(camera.views) % (camera.views // 2)
    decayed = np.array([exp(-decay_per_s * view_s * (n + 0.5)) for n in stop], dtype=np.float32)
    fine = project_once(activity_mbq, camera, grid, mu_per_cm)
    views, n, nz = fine.shape
    primary = fine.reshape(views, n // FINER, FINER, nz // FINER, FINER).sum(axis=(2, 4))
    primary *= np.float32(camera.cps_per_mbq) * decayed[:, None, None]
    image_grid = coarse_grid(grid)
    projections = acquire(
        primary,
        camera,
        pixel_mm=image_grid.spacing_mm[0],
        view_s=view_s,
        rng=np.random.default_rng([*seed, 7]),
        estimate_error_rel=scatter_error_rel,
    )
    mu = pooled(mu_per_cm) / np.float32(FINER**3)
    model = Projector.around(camera.wrong_by(MODEL_ERROR_MM), image_grid, mu)
    return Scan(
        image=Volume.on_grid(reconstruct(projections, model), image_grid),
        attenuation=Volume.on_grid(mu, image_grid),
        start_h=start_h,
        duration_s=duration_s,
        rate_per_s=projections.rate_per_s,
    )
