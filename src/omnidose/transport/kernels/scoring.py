"""Deposits into regions and voxels.

Reference: Williamson, Med. Phys. 14 (1987) 567 (expected-value kerma).
"""

import numpy as np

from ._target import energy_add, jit, tally_add

u32 = np.uint32
u64 = np.uint64
i64 = np.int64
f32 = np.float32
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_NEXT = np.uint32(1)
_FIXED = np.float32(1048576.0)  # 2^20 counts per keV/(g/cm3) in the voxel map


@jit
def score(geo, phys, place, i, a, flux_kev, deposit_kev, first, tally):
    """Score a deposit, or fluence times a medium's response, at one point.

    ``place`` is (voxel, shape, kind, density) of the point; ``deposit_kev`` the energy left behind
    (expected or real), ``flux_kev`` the energy times track length that goes with it (keV cm).
    """
    voxel, shape, kind, density = place
    if shape >= 0:
        r = u32(geo.shape_region[u32(shape)])
        energy_add(tally.energies, r, deposit_kev)
        if first:
            energy_add(tally.primaries, r, deposit_kev)
        return
    if voxel < 0:
        return
    for entry in range(geo.kind_first[u32(kind)], geo.kind_first[u32(kind) + _NEXT]):
        r = u32(geo.kind_region[u32(entry)])
        value = deposit_kev
        k = geo.region_response[r]
        if k >= 0:
            low = phys.response[u32(k), u32(i)]
            value = flux_kev * density * (low * (_ONE - a) + phys.response[u32(k), u32(i) + _NEXT] * a)
        column = geo.kind_weight[u32(entry)]
        if column >= 0:
            value *= geo.weights[u64(voxel), u32(column)]
        energy_add(tally.energies, r, value)
        if first:
            energy_add(tally.primaries, r, value)
    if voxel < tally.voxels.size and density > _ZERO:  # the map holds the body's voxels, or none
        tally_add(tally.voxels, u64(voxel), i64(deposit_kev / density * _FIXED + _HALF))
