"""Where kerma is not dose: what the photon engine cannot say near borders, in small voxels, at high energies.

The engine leaves the energy of electrons where photons set them free. That is the dose where as many
electrons come in as go out: nowhere nearer than their range to a border.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omnidose.physics.electron_stopping import MC2_KEV, csda_range_g_cm2, range_and_yield
from omnidose.physics.materials import Material
from omnidose.transport.emission import Positrons, energy_bins
from omnidose.transport.scene import Box, Cylinder, Scene, Shape, VoxelGrid
from omnidose.transport.source_tables import source_spectra
from omnidose.transport.sources import Source

#: Voxels below the first are gas, below the second lung, above tissue.
GAS_G_CM3, LUNG_G_CM3 = 0.02, 0.6
#: Ranges below this (electrons of 200 keV in tissue) are not worth a word about borders.
BORDER_MM = 0.5
#: Share of the emitted energy that may lie above the energy that is judged.
IGNORED_SHARE = 0.05
#: Up to here photoelectrons, which take the whole energy, carry much of the dose.
PHOTOELECTRIC_KEV = 150.0
#: Bremsstrahlung that is not transported is told from this share of the electrons' energy on.
RADIATED_SHARE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Voxels of one class: gas, lung or tissue.

    Attributes
    ----------
    material
        The one with the most voxels.
    density_g_cm3
        Its mean density.
    """

    material: Material
    density_g_cm3: float

    def range_mm(self, energy_kev: float) -> float:
        """Range of an electron in continuous slowing down."""
        return float(csda_range_g_cm2(self.material, max(energy_kev, 1.0))) / self.density_g_cm3 * 10


def electron_kev(photon_kev: float) -> float:
    """Return the energy of the fastest electrons that a photon sets free in numbers.

    The whole energy below 150 keV (photoelectrons), the Compton edge above.
    """
    if photon_kev <= PHOTOELECTRIC_KEV:
        return photon_kev
    alpha = photon_kev / MC2_KEV
    return max(photon_kev * 2 * alpha / (1 + 2 * alpha), PHOTOELECTRIC_KEV)


def judged_energy_kev(source: Source) -> float:
    """Return the photon energy above which less than 5 % of the emitted energy lies (of all fan bins)."""
    largest = 0.0
    for spectrum in source_spectra(source):
        low, width, weight = energy_bins(spectrum)
        order = np.argsort(low + width)
        energy = (weight * (low + 0.5 * width))[order]
        enough = np.cumsum(energy) >= (1 - IGNORED_SHARE) * energy.sum()
        largest = max(largest, float((low + width)[order][int(np.argmax(enough))]))
    return largest


def strata(voxels: VoxelGrid) -> dict[str, Stratum]:
    """Return what represents "gas", "lung" and "tissue" among voxels that are not empty."""
    n = len(voxels.materials)
    counts, sums = np.zeros((3, n)), np.zeros((3, n))
    for material, density in zip(voxels.material_index, voxels.density_g_cm3, strict=True):  # slice by slice
        kind = (density >= GAS_G_CM3).astype(np.intp) + (density >= LUNG_G_CM3)
        where = np.ravel(kind * n + material)
        filled = np.ravel(density) > 0
        counts += np.bincount(where[filled], minlength=3 * n).reshape(3, n)
        sums += np.bincount(where[filled], np.ravel(density)[filled], minlength=3 * n).reshape(3, n)
    out = {}
    for row, name in enumerate(("gas", "lung", "tissue")):
        if counts[row].any():
            k = int(np.argmax(counts[row]))
            mean = float(sums[row, k] / counts[row, k])
            out[name] = Stratum(material=voxels.materials[k], density_g_cm3=mean)
    return out


def kerma_warnings(scene: Scene, source: Source) -> tuple[str, ...]:
    """Say where the engine's result, kerma, is not the absorbed dose.

    Judged by the range (continuous slowing down) of the fastest electrons that photons of the source set
    free. Means over regions much larger than the range are not touched by any of this.

    Parameters
    ----------
    scene, source
        As in ``simulate``.

    Returns
    -------
    tuple of str
        One sentence for each doubt; empty where kerma is dose for all practical purposes.
    """
    energy_kev = electron_kev(judged_energy_kev(source))
    found: dict[str, Stratum] = {}
    if scene.voxels is not None:
        # slow electrons in large voxels give no cause: the looking (12 ns a voxel) is saved
        slow = energy_kev <= PHOTOELECTRIC_KEV and min(scene.voxels.grid.spacing_mm) >= BORDER_MM
        found = {} if slow else strata(scene.voxels)
    told = []
    if scene.voxels is not None and "tissue" in found:
        told += _voxel_warnings(found, min(scene.voxels.grid.spacing_mm), energy_kev)
    told += _shape_warnings(scene.shapes, energy_kev)
    judged = [found["tissue"].material] if "tissue" in found else []
    if scene.shapes:
        judged.append(max((s.material for s in scene.shapes), key=lambda m: m.density_g_cm3))
    told += _radiation_warnings(judged, energy_kev)
    if any(isinstance(s, Positrons) for s in source_spectra(source)):
        told.append(
            "Positrons annihilate where they are born and their own energy is left out: add it, and blur by "
            "their range (mean 0.6 mm for F-18, 3 mm for Rb-82 in water)."
        )
    return tuple(told)


def _voxel_warnings(found: dict[str, Stratum], voxel_mm: float, energy_kev: float) -> list[str]:
    tissue = found["tissue"]
    reach = tissue.range_mm(energy_kev)
    name = f"{tissue.material.name} of {tissue.density_g_cm3:.3g} g/cm3"
    speed = f"electrons of up to {energy_kev:.0f} keV travel up to {reach:.2g} mm in {name}"
    told = []
    if reach > voxel_mm:
        told.append(
            f"Single voxels of {voxel_mm:g} mm show kerma, not dose: {speed}; means over regions larger "
            "than that are right."
        )
    if reach > BORDER_MM:
        told.append(
            f"Within {reach:.2g} mm below surfaces that photons enter, skin above all, kerma exceeds the "
            f"dose (no build-up): {speed}."
        )
        if "gas" in found:
            told.append(
                f"Air in the body and tissue within {reach:.2g} mm of it show kerma, not dose: electrons "
                "travel about a thousand times as far in air."
            )
        if "lung" in found:
            far = found["lung"].range_mm(energy_kev)
            told.append(
                f"In lung electrons travel up to {far:.2g} mm: within that distance of its border, and in "
                "small lesions in it, kerma is not dose."
            )
    return told


def _shape_warnings(shapes: tuple[Shape, ...], energy_kev: float) -> list[str]:
    thin = []
    for shape in shapes:
        density = shape.material.density_g_cm3
        if density < GAS_G_CM3:
            continue
        reach = Stratum(material=shape.material, density_g_cm3=density).range_mm(energy_kev)
        size = smallest_size_mm(shape)
        if reach > max(size / 2, BORDER_MM):
            thin.append(f"'{shape.key}' ({size:.3g} mm thick, range {reach:.2g} mm)")
    if not thin:
        return []
    more = f" and {len(thin) - 3} more" if len(thin) > 3 else ""
    return [
        f"Shapes thinner than twice the range of electrons of up to {energy_kev:.0f} keV show kerma, not "
        f"dose: {', '.join(thin[:3])}{more}."
    ]


def smallest_size_mm(shape: Shape) -> float:
    """Return the smallest thickness of a shape."""
    if isinstance(shape, Box):
        return float(np.subtract(shape.upper_mm, shape.lower_mm).min())
    if isinstance(shape, Cylinder):
        return min(2 * shape.radius_mm, shape.length_mm)
    return 2 * shape.radius_mm


def _radiation_warnings(judged: list[Material], energy_kev: float) -> list[str]:
    told = []
    for material in judged:
        if material.density_g_cm3 <= 0:
            continue
        grid, _range, radiated = range_and_yield(material)
        share = float(np.interp(energy_kev, grid, radiated))
        if share > RADIATED_SHARE:
            told.append(
                f"Electrons of {energy_kev:.0f} keV turn up to {100 * share:.2g} % of their energy into "
                f"bremsstrahlung in {material.name}, which is not transported: it stays where they are "
                "set free."
            )
    return told
