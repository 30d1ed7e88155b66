"""Spectra of tungsten X-ray tubes: from the packaged table, filtered with our own data, tuned to an HVL.

Method of interpolation between the table's tube voltages: bremsstrahlung divided by (kV - E), which
thick-target theory (Kramers 1923) makes nearly independent of kV, and lines divided by
(kV / E_edge - 1)^1.63 (Green & Cosslett 1961) are taken linear in kV; both linear in the anode angle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from omnidose.data import load
from omnidose.errors import RangeError
from omnidose.physics.material_library import material as library_material
from omnidose.physics.materials import Material
from omnidose.physics.photons import mass_attenuation_cm2_g, mass_energy_transfer_cm2_g
from omnidose.physics.spectra import Spectrum

ArrayF8 = npt.NDArray[np.float64]

#: Tungsten edges that the lines of the table belong to (keV): K, and L3 for everything softer.
_K_EDGE_KEV, _L3_EDGE_KEV = 69.525, 10.2068
_LINE_POWER = 1.63
#: Below this energy the table's photons are dropped: our cross sections begin at 1 keV.
_LOWEST_KEV = 1.0


def tube_fluence(kv: float, anode_angle_deg: float = 12.0) -> tuple[ArrayF8, ArrayF8]:
    """Unfiltered spectrum with its absolute scale, as spekpy gives it.

    Returns
    -------
    energy_kev, fluence
        Bin centres (0.5 keV wide) and photons per keV, cm2 and mAs at 100 cm from the focus.

    Raises
    ------
    RangeError
        If kV is outside 40 to 150 or the angle outside 6 to 20 degrees.
    """
    table = load("tube_spectra")
    kvs, angles, energy = table["kv"], table["anode_angle_deg"], table["energy_kev"]
    if not kvs[0] <= kv <= kvs[-1]:
        raise RangeError(
            f"{kv:g} kV is outside the tube spectra", allowed=f"{kvs[0]:g} to {kvs[-1]:g} kV (tungsten)"
        )
    if not angles[0] <= anode_angle_deg <= angles[-1]:
        raise RangeError(
            f"an anode angle of {anode_angle_deg:g} degrees is outside the tube spectra",
            allowed=f"{angles[0]:g} to {angles[-1]:g} degrees",
        )
    j = int(np.clip(np.searchsorted(kvs, kv, side="right") - 1, 0, kvs.size - 2))
    i = int(np.clip(np.searchsorted(angles, anode_angle_deg, side="right") - 1, 0, angles.size - 2))
    f_kv = (kv - kvs[j]) / (kvs[j + 1] - kvs[j])
    f_angle = (anode_angle_deg - angles[i]) / (angles[i + 1] - angles[i])
    brem = _mix(table["bremsstrahlung"][i : i + 2].astype(np.float64), f_angle)
    lines = _mix(table["lines"][i : i + 2].astype(np.float64), f_angle)
    fluence = _bremsstrahlung(energy, kv, kvs[j : j + 2], brem[j : j + 2], f_kv)
    bins = table["line_bin"]
    edge = np.where(energy[bins] > 20.0, _K_EDGE_KEV, _L3_EDGE_KEV)
    fluence[bins] += _lines(edge, kv, kvs[j : j + 2], lines[j : j + 2], f_kv)
    keep = (energy > _LOWEST_KEV) & (energy < kv)
    return energy[keep], fluence[keep]


def _mix(pair: ArrayF8, fraction: float) -> ArrayF8:
    return np.asarray((1 - fraction) * pair[0] + fraction * pair[1])


def _bremsstrahlung(energy: ArrayF8, kv: float, nodes: ArrayF8, values: ArrayF8, fraction: float) -> ArrayF8:
    """Interpolate in kV; beyond the lower node's tip the upper node's shape alone counts."""
    gap = nodes[:, None] - energy
    inside = gap > 0.25  # a whole bin below the tip
    shape = np.where(inside, values / np.where(inside, gap, 1.0), 0.0)
    last = np.flatnonzero(inside[1])[-1]
    shape[1, last + 1 :] = shape[1, last]
    lower = np.where(inside[0], shape[0], shape[1] * _tip_ratio(shape, inside))
    mixed = (1 - fraction) * lower + fraction * shape[1]
    low, high = energy - 0.25, np.minimum(energy + 0.25, kv)  # the last bin may be cut by the tip
    inside_bin = np.clip(high - low, 0.0, 0.5) / 0.5
    return np.asarray(mixed * np.maximum(kv - 0.5 * (low + high), 0.0) * inside_bin)


def _tip_ratio(shape: ArrayF8, inside: npt.NDArray[np.bool_]) -> float:
    """Ratio of the lower to the upper node's shape just below the lower node's tip."""
    last = np.flatnonzero(inside[0])[-1]
    window = slice(last - 5, last - 1)
    return float(shape[0, window].sum() / shape[1, window].sum())


def _lines(edge_kev: ArrayF8, kv: float, nodes: ArrayF8, values: ArrayF8, fraction: float) -> ArrayF8:
    over = np.maximum(nodes[:, None] / edge_kev - 1, 0.0) ** _LINE_POWER
    shape = np.where(over > 0, values / np.where(over > 0, over, 1.0), 0.0)
    lower = np.where(over[0] > 0, shape[0], shape[1])
    mixed = (1 - fraction) * lower + fraction * shape[1]
    return np.asarray(mixed * np.maximum(kv / edge_kev - 1, 0.0) ** _LINE_POWER)


def tube_spectrum(
    kv: float,
    anode_angle_deg: float = 12.0,
    filters: Sequence[tuple[Material | str, float]] = (),
) -> Spectrum:
    """Spectrum of a tungsten tube behind filters.

    Parameters
    ----------
    kv
        Tube voltage, 40 to 150 kV (constant potential).
    anode_angle_deg
        6 to 20 degrees.
    filters
        (material or its library name, thickness in mm) one after the other; none: only the anode itself
        has filtered the photons.

    Raises
    ------
    RangeError
        Outside the table, or for a negative thickness.
    """
    energy, fluence = tube_fluence(kv, anode_angle_deg)
    bare = Spectrum(
        energy_kev=energy, weight=fluence, bin_width_kev=0.5, name=f"{kv:g} kV W, {anode_angle_deg:g} degrees"
    )
    for item, thickness_mm in filters:
        bare = filter_spectrum(bare, item, thickness_mm)
    return bare


def filter_spectrum(spectrum: Spectrum, material: Material | str, thickness_mm: float) -> Spectrum:
    """Attenuate a spectrum (narrow beam) and normalise it again.

    Raises
    ------
    RangeError
        For a negative thickness.
    """
    if not thickness_mm >= 0:
        raise RangeError(f"a filter of {thickness_mm:g} mm is not possible", allowed=">= 0 mm")
    item = library_material(material) if isinstance(material, str) else material
    weight = spectrum.weight * _transmission(spectrum, item, thickness_mm)
    return replace(spectrum, weight=weight, name=f"{spectrum.name} + {thickness_mm:g} mm {item.name}")


def _transmission(spectrum: Spectrum, material: Material, thickness_mm: float) -> ArrayF8:
    mu_per_cm = mass_attenuation_cm2_g(material, spectrum.energy_kev) * material.density_g_cm3
    return np.asarray(np.exp(-0.1 * thickness_mm * mu_per_cm))


def air_kerma_weights(spectrum: Spectrum) -> ArrayF8:
    """Relative contribution of each bin to air kerma (sum 1)."""
    transfer = mass_energy_transfer_cm2_g(library_material("air"), spectrum.energy_kev)
    weights = spectrum.weight * spectrum.energy_kev * transfer
    return np.asarray(weights / weights.sum())


def half_value_layer_mm(
    spectrum: Spectrum, material: Material | str = "aluminium", fraction: float = 0.5
) -> float:
    """Thickness (mm) that reduces air kerma to ``fraction`` in a narrow beam (0.5: the first HVL)."""
    item = library_material(material) if isinstance(material, str) else material
    kerma = air_kerma_weights(spectrum)
    mu_per_mm = 0.1 * mass_attenuation_cm2_g(item, spectrum.energy_kev) * item.density_g_cm3
    low, high = 0.0, -np.log(fraction) / float(mu_per_mm[kerma > 0].min())
    return float(
        brentq(lambda t: float(kerma @ np.exp(-mu_per_mm * t)) - fraction, low, high * 1.0001, xtol=1e-9)
    )


def tune_to_hvl(spectrum: Spectrum, hvl_mm_al: float) -> tuple[Spectrum, float]:
    """Add aluminium until the first half-value layer has the stated value.

    Returns
    -------
    spectrum, added_mm_al
        The filtered spectrum and the aluminium that was added.

    Raises
    ------
    RangeError
        If the spectrum is already harder than that, or no aluminium (up to 100 mm) makes it so hard.
    """
    softest = half_value_layer_mm(spectrum)
    hardest = half_value_layer_mm(filter_spectrum(spectrum, "aluminium", 100.0))
    if not softest <= hvl_mm_al <= hardest:
        raise RangeError(
            f"no added aluminium gives '{spectrum.name}' a half-value layer of {hvl_mm_al:g} mm",
            allowed=f"{softest:.3g} to {hardest:.3g} mm Al",
            todo="check the tube voltage and the filters",
        )
    if np.isclose(hvl_mm_al, softest, rtol=1e-9):
        return spectrum, 0.0
    added = float(
        brentq(
            lambda t: half_value_layer_mm(filter_spectrum(spectrum, "aluminium", t)) - hvl_mm_al,
            0.0,
            100.0,
            xtol=1e-6,
        )
    )
    return filter_spectrum(spectrum, "aluminium", added), added
