"""CT numbers to density and composition, voxel by voxel.

References
----------
W. Schneider, T. Bortfeld, W. Schlegel, Phys. Med. Biol. 45 (2000) 459-478: 24 bins of composition
(table 6; all 15 bone bins are kept, because calcium and phosphorus drive absorption at CT energies)
and the piecewise density, with its step from 1.1199 to 1.0768 g/cm3 between 100 and 101 HU.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from omnidose.data import load
from omnidose.errors import GeometryError, InputError
from omnidose.physics.materials import Material
from omnidose.physics.photons import mass_attenuation_cm2_g
from omnidose.physics.spectra import Spectrum

#: Above this CT number (12-bit images saturate at 3071) a voxel is metal: titanium.
METAL_HU = 3000
#: Soft tissue with a CT number in this range holds contrast medium.
CONTRAST_HU = (150, 400)
#: Soft tissue and blood without contrast medium, HU: where enhancement is counted from.
PLAIN_HU = 50
#: Enhancement is tabulated in steps of this many HU (one material each).
CONTRAST_STEP_HU = 50
AIR_DENSITY_G_CM3 = 0.001205
WATER_PATH_CM = 20.0
_ELEMENTS = {"H": 1, "C": 6, "N": 7, "O": 8, "Na": 11, "Mg": 12, "P": 15, "S": 16, "Cl": 17, "Ar": 18}
_ELEMENTS |= {"K": 19, "Ca": 20}
_WATER = Material(name="water", weight_fractions={1: 0.111894, 8: 0.888106}, density_g_cm3=1.0)
_IODINE = Material(name="iodine", weight_fractions={53: 1.0}, density_g_cm3=4.93)

Contrast = Literal["with", "without"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CtMedia:
    """What the voxels of a CT are made of.

    Attributes
    ----------
    material_index
        uint8 [z, y, x], index into ``materials``; 0 is air.
    density_g_cm3
        float32 [z, y, x].
    contrast_voxels, metal_voxels
        Number of voxels taken for contrast medium and for metal.
    notes
        What was assumed, one sentence each.
    """

    materials: tuple[Material, ...]
    material_index: npt.NDArray[np.uint8]
    density_g_cm3: npt.NDArray[np.float32]
    contrast_voxels: int = 0
    metal_voxels: int = 0
    notes: tuple[str, ...] = ()


@cache
def tissue_materials() -> tuple[Material, ...]:
    """Return the 24 materials of Schneider et al. (bin 0 is air) and titanium, by index."""
    table = load("ct_number_media")
    out = []
    for i, name in enumerate(_names()):
        fractions = {z: float(table[symbol][i]) / 100 for symbol, z in _ELEMENTS.items()}
        total = sum(fractions.values())
        lower, upper = table["hu_from"][i], table["hu_to"][i]
        density = AIR_DENSITY_G_CM3 if i == 0 else float(density_g_cm3(np.array([(lower + upper) / 2]))[0])
        out.append(
            Material(
                name=name,
                weight_fractions={z: w / total for z, w in fractions.items()},
                density_g_cm3=density,
            )
        )
    out.append(Material(name="titanium", weight_fractions={22: 1.0}, density_g_cm3=4.54))
    return tuple(out)


def _names() -> list[str]:
    soft = ["air", "lung", *(f"adipose {k}" for k in range(1, 6)), "soft tissue", "connective tissue"]
    return [*soft, *(f"bone {k}" for k in range(1, 16))]


def density_g_cm3(hu: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the mass density at CT numbers in HU (air below -1000, bone line continued above 1600)."""
    table = load("ct_number_density")
    value = np.clip(np.asarray(hu, dtype=np.float64), -1000, None)
    piece = np.clip(np.searchsorted(table["hu_from"], value, side="right") - 1, 0, len(table["hu_from"]) - 1)
    return np.asarray(
        table["at_lower_g_cm3"][piece]
        + table["slope_g_cm3_per_hu"][piece] * (value - table["hu_from"][piece])
    )


def material_of(hu: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Return the index into :func:`tissue_materials` at CT numbers in HU."""
    value = np.asarray(hu)
    lower = load("ct_number_media")["hu_from"]
    index = np.clip(np.searchsorted(lower, value, side="right") - 1, 0, len(lower) - 1)
    return np.where(value > METAL_HU, len(lower), index).astype(np.uint8)


def iodine_sensitivity_hu(spectrum: Spectrum) -> float:
    """Return the rise of the CT number per mg/cm3 of iodine, in HU, for a tube spectrum.

    The attenuations of iodine and water are averaged over the energy-weighted spectrum behind
    20 cm of water (an energy-integrating detector in the middle of a body).
    """
    energy = spectrum.energy_kev
    water = mass_attenuation_cm2_g(_WATER, energy)
    signal = spectrum.weight * energy * np.exp(-water * WATER_PATH_CM)
    iodine = mass_attenuation_cm2_g(_IODINE, energy)
    return float(1000 * 1e-3 * (signal @ iodine) / (signal @ water))


def media_from_ct(
    hu: npt.NDArray[np.int16],
    *,
    body_mask: npt.NDArray[np.bool_],
    contrast_mask: npt.NDArray[np.bool_] | None = None,
    soft_tissue_mask: npt.NDArray[np.bool_] | None = None,
    contrast: Contrast = "with",
    spectrum: Spectrum | None = None,
    density_curve: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None,
) -> CtMedia:
    """Assign density and composition to every voxel of a CT.

    Parameters
    ----------
    hu
        int16 [z, y, x].
    body_mask
        True inside the body. Outside is air: add the couch as shapes, or leave its voxels in the mask.
    contrast_mask
        Voxels known to hold contrast medium (whatever their CT number above 50 HU).
    soft_tissue_mask
        Voxels of organs without bone: those between 150 and 400 HU hold contrast medium.
    contrast
        ``with``: soft tissue and as much iodine as its CT number says; ``without``: plain soft tissue,
        the dose the patient would have had without the medium.
    spectrum
        Tube spectrum behind filter, for the iodine content; needed for ``with`` where there is contrast.
    density_curve
        (rising CT numbers in HU, densities in g/cm3) of the scanner, instead of the published curve.

    Returns
    -------
    CtMedia

    Raises
    ------
    InputError
        If the image is no int16, or iodine is asked for and no spectrum is given.
    """
    if hu.dtype != np.int16:
        raise InputError(f"CT numbers of type {hu.dtype}", allowed="int16", todo="round them to whole HU")
    for mask in (body_mask, contrast_mask, soft_tissue_mask):
        if mask is not None and mask.shape != hu.shape:
            raise GeometryError(f"a mask of {mask.shape} does not fit the image {hu.shape}")
    index_table, density_table = _lookup(density_curve)
    pattern = hu.view(np.uint16)  # the bit pattern is the index: no copy of the image
    index = index_table[pattern]
    density = density_table[pattern]
    materials = tissue_materials()
    metal = int(np.count_nonzero((hu > METAL_HU) & body_mask))
    notes = [f"{metal} voxels above {METAL_HU} HU are taken for titanium"] if metal else []
    enhanced = _enhanced(hu, body_mask, contrast_mask, soft_tissue_mask)
    count = 0 if enhanced is None else int(np.count_nonzero(enhanced))
    if enhanced is not None and count:
        if contrast == "with":
            if spectrum is None:
                raise InputError(
                    f"{count} voxels hold contrast medium, but no tube spectrum is given",
                    todo="give the spectrum, or ask for the dose without contrast medium",
                )
            materials, index[enhanced], density[enhanced] = _iodine(hu[enhanced], spectrum)
            notes.append(f"{count} voxels hold contrast medium: soft tissue with iodine by CT number")
        else:
            index[enhanced] = int(material_of(PLAIN_HU))
            density[enhanced] = float(density_g_cm3(PLAIN_HU))
            notes.append(f"{count} voxels with contrast medium are taken for plain soft tissue")
    outside = ~body_mask
    index[outside] = 0
    density[outside] = AIR_DENSITY_G_CM3
    return CtMedia(
        materials=materials,
        material_index=index,
        density_g_cm3=density,
        contrast_voxels=count,
        metal_voxels=metal,
        notes=tuple(notes),
    )


def _lookup(
    curve: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Return material and density for all 65536 bit patterns of an int16."""
    hu = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int64)
    index = material_of(hu)
    if curve is None:
        density = density_g_cm3(hu)
    else:
        nodes, values = (np.asarray(c, dtype=np.float64) for c in curve)
        if (
            nodes.ndim != 1
            or nodes.shape != values.shape
            or np.any(np.diff(nodes) <= 0)
            or np.any(values < 0)
        ):
            raise InputError("a density curve needs rising CT numbers and as many densities >= 0")
        density = np.interp(hu, nodes, values)
    metal = index == len(tissue_materials()) - 1
    density = np.where(metal, tissue_materials()[-1].density_g_cm3, density)
    return index, density.astype(np.float32)


def _enhanced(
    hu: npt.NDArray[np.int16],
    body: npt.NDArray[np.bool_],
    contrast: npt.NDArray[np.bool_] | None,
    soft: npt.NDArray[np.bool_] | None,
) -> npt.NDArray[np.bool_] | None:
    out: npt.NDArray[np.bool_] | None = None
    if soft is not None:
        out = soft & (hu >= CONTRAST_HU[0]) & (hu <= CONTRAST_HU[1])
    if contrast is not None:
        known = contrast & (hu > PLAIN_HU) & (hu <= METAL_HU)
        out = known if out is None else out | known
    return None if out is None else np.asarray(out & body)


def _iodine(
    hu: npt.NDArray[Any], spectrum: Spectrum
) -> tuple[tuple[Material, ...], npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Return all materials, then index and density of voxels with contrast medium."""
    base = tissue_materials()
    plain = base[int(material_of(PLAIN_HU))]
    rho = float(density_g_cm3(PLAIN_HU))
    per_mg = iodine_sensitivity_hu(spectrum)
    level = np.clip(np.round((hu.astype(np.float64) - PLAIN_HU) / CONTRAST_STEP_HU), 1, 100).astype(np.int64)
    used = np.unique(level)
    added, densities = [], []
    for step in used:
        iodine = int(step) * CONTRAST_STEP_HU / per_mg / 1000  # g/cm3
        density = rho + iodine
        fractions = {z: w * rho / density for z, w in plain.weight_fractions.items()}
        fractions[53] = iodine / density
        name = f"soft tissue with {1000 * iodine:.1f} mg/cm3 iodine"
        added.append(Material(name=name, weight_fractions=fractions, density_g_cm3=density))
        densities.append(density)
    which = np.searchsorted(used, level)
    index = (len(base) + which).astype(np.uint8)
    return (*base, *added), index, np.asarray(densities, dtype=np.float32)[which]
