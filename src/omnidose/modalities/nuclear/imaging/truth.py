"""The truth of a simulated patient: decays and absorbed dose of every organ and lesion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.modalities.nuclear.imaging.patients import MEMBERS, NUCLIDE, ORGANS, REST, Patient
from omnidose.transport.dose_kernels.convolution import convolve
from omnidose.transport.dose_kernels.photon_transport import transport_photons
from omnidose.transport.dose_kernels.spheres import sphere_s
from omnidose.transport.dose_kernels.voxels import VoxelKernel, voxel_s
from omnidose.transport.scene import VoxelGrid
from omnidose.transport.tally import Region
from omnidose.volume import Grid, Volume

ArrayF4 = npt.NDArray[np.float32]
S_PER_H = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is true of one region.

    Attributes
    ----------
    photon_mgy, photon_std_rel
        Part of the dose that photons bring, followed through the whole body, and its standard error.
    """

    integral_mbq_h: float
    volume_cm3: float
    mass_g: float
    electron_mgy: float
    photon_mgy: float
    photon_std_rel: float

    @property
    def dose_mgy(self) -> float:
        """Absorbed dose."""
        return self.electron_mgy + self.photon_mgy


def truth_of(patient: Patient, shares: dict[str, ArrayF4], *, histories: float = 4e5) -> dict[str, Truth]:
    """Return the truth of every organ and lesion.

    Parameters
    ----------
    shares
        :meth:`.Patient.shares` on the patient's fine grid.

    Notes
    -----
    Electrons: energy per decay that stays, over mass. How much of it stays inside is exact for lesions
    (spheres) and from the voxel kernel for organs; by reciprocity the same share comes in from around. A map
    of fine voxels would mix what lies on both sides of a lesion's border: 8 % of the dose of 30 mL.
    Photons: Monte Carlo through the whole body from the activity of the whole body.
    """
    mass = _masses_g(patient, shares)
    kernel = voxel_s(
        NUCLIDE, patient.anatomy.grid.spacing_mm, reach_mm=2 * max(patient.anatomy.grid.spacing_mm)
    )
    energy = float(kernel.electron.sum(dtype=np.float64)) * kernel.voxel_g  # mGy g per MBq s
    decays = {key: S_PER_H * c.integral_mbq_h for key, c in patient.kinetics.items()}
    even = {key: energy * decays[key] / mass[key] for key in decays}  # nothing leaves
    lesions = {lesion.name: lesion for lesion in patient.lesions}
    photon = _photons(patient, histories)
    stays = {
        key: _stays_in_sphere(mass[key], energy) if key in lesions else _stays_in_voxels(shares[key], kernel)
        for key in patient.regions
    }
    out = {}
    for key in patient.regions:
        around = lesions[key].host if key in lesions and lesions[key].host in ORGANS else REST
        guests = (name for name, lesion in lesions.items() if lesion.host == key)
        escaped = sum((1 - stays[name]) * energy * decays[name] for name in guests)
        out[key] = Truth(
            integral_mbq_h=patient.kinetics[key].integral_mbq_h,
            volume_cm3=float(shares[key].sum(dtype=np.float64)) * patient.anatomy.grid.voxel_volume_cm3,
            mass_g=mass[key],
            electron_mgy=stays[key] * even[key] + (1 - stays[key]) * even[around] + escaped / mass[key],
            photon_mgy=photon[key][0],
            photon_std_rel=photon[key][1],
        )
    return out


def _masses_g(patient: Patient, shares: dict[str, ArrayF4]) -> dict[str, float]:
    """Return the mass of every region in the field of view; of the remainder, in the whole body."""
    cm3 = patient.anatomy.grid.voxel_volume_cm3
    mass = {
        key: float((share * patient.anatomy.density_g_cm3).sum(dtype=np.float64)) * cm3
        for key, share in shares.items()
    }
    mass[REST] = float(shares[REST].sum(dtype=np.float64)) * cm3 / visible_rest(patient, shares)
    return mass


def _stays_in_sphere(mass_g: float, energy: float) -> float:
    return sphere_s(NUCLIDE, mass_g).electron_mgy * mass_g / energy


def _stays_in_voxels(share: ArrayF4, kernel: VoxelKernel) -> float:
    """Return the share of electrons' energy that stays in voxels that belong to a region."""
    inside = (share > 0).astype(np.float32)
    grid = Grid.centred((inside.shape[0], inside.shape[1], inside.shape[2]), kernel.spacing_mm)
    electron = convolve(Volume.on_grid(inside, grid), kernel).electron
    return float((electron * inside).sum(dtype=np.float64) / electron.sum(dtype=np.float64))


def visible_rest(patient: Patient, shares: dict[str, ArrayF4]) -> float:
    """Return the share of the remainder that lies in the field of view."""
    body, grid = patient.anatomy.body, patient.anatomy.grid
    organs = sum(body.organ_mass_g[m] for members in MEMBERS.values() for m in members)
    whole = sum(body.organ_mass_g.values()) - organs
    return min(1.0, float(shares[REST].sum(dtype=np.float64)) * grid.voxel_volume_cm3 / whole)


def _photons(patient: Patient, histories: float) -> dict[str, tuple[float, float]]:
    """Region -> photon dose and its relative standard error, on the body's own grid."""
    body = patient.anatomy.body
    own = patient.shares(body.grid, body.labels, body.density_g_cm3)
    activity = np.zeros(body.grid.shape_zyx, np.float32)
    for key, share in own.items():
        total = S_PER_H * patient.kinetics[key].integral_mbq_h
        activity += share * np.float32(total / share.sum(dtype=np.float64))
    regions = []
    for key in (*ORGANS, *(lesion.name for lesion in patient.lesions)):
        flat = np.flatnonzero(own[key])
        regions.append(Region(key=key, voxels=flat, weights=own[key].ravel()[flat]))
    voxels = VoxelGrid(
        grid=body.grid,
        materials=body.materials,
        material_index=body.material_index,
        density_g_cm3=body.density_g_cm3,
    )
    dose = transport_photons(
        Volume.on_grid(activity, body.grid),
        NUCLIDE,
        voxels,
        regions=regions,
        histories=histories,
        voxel_map=False,
        seed=patient.seed + 1,
    )
    return {
        key: (float(dose.of(key)), float(dose.std_mgy[i] / dose.dose_mgy[i]))
        for i, key in enumerate(dose.keys)
        if key in own
    }
