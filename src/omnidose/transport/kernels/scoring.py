"""Expected and analog deposits into regions and voxels.

Reference: Williamson, Med. Phys. 14 (1987) 567 (expected-value kerma).
"""

import numpy as np

from ._target import jit, tally_add

i32 = np.int32
i64 = np.int64
f64 = np.float64
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_FIXED = np.float32(1048576.0)  # 2^20 counts per keV/(g/cm3) in the voxel map


@jit
def score(geo, phys, voxel, shape, i, a, flux_kev, deposit_kev, density, first, energies, primaries, voxels):
    """Score one tentative collision: expected deposit, or fluence times a medium's response.

    ``flux_kev`` is E/majorant (keV cm), ``deposit_kev`` the expected energy left behind.
    """
    if shape >= 0:
        r = geo.shape_region[shape]
        energies[r] += f64(deposit_kev)
        if first:
            primaries[r] += f64(deposit_kev)
        return
    if voxel < 0:
        return
    for layer in range(geo.layers.shape[1]):
        label = i32(geo.layers[voxel, layer])
        if label > 0:
            r = geo.layer_base[layer] + label - 1
            value = deposit_kev
            k = geo.region_response[r]
            if k >= 0:
                value = flux_kev * density * (phys.response[k, i] * (_ONE - a) + phys.response[k, i + 1] * a)
            column = geo.layer_weight[layer]
            if column >= 0:
                value *= geo.weights[voxel, column]
            energies[r] += f64(value)
            if first:
                primaries[r] += f64(value)
    if voxels.size > 0 and density > _ZERO:
        tally_add(voxels, voxel, i64(deposit_kev / density * _FIXED + _HALF))


@jit
def deposit_here(geo, voxel, shape, energy, energies, voxels, density):
    """Add a deposit that the expected-value scores do not know (a photon below the cut-off)."""
    if shape >= 0:
        energies[geo.shape_region[shape]] += f64(energy)
    elif voxel >= 0:
        for layer in range(geo.layers.shape[1]):
            label = i32(geo.layers[voxel, layer])
            if label > 0:
                column = geo.layer_weight[layer]
                share = geo.weights[voxel, column] if column >= 0 else _ONE
                energies[geo.layer_base[layer] + label - 1] += f64(energy * share)
        if voxels.size > 0 and density > _ZERO:
            tally_add(voxels, voxel, i64(energy / density * _FIXED + _HALF))
