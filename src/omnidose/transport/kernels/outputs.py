"""What only some runs ask for: fluence spectra of regions, an image of the photons that leave, those photons.

Nothing here runs unless its array has a size.
"""

import numpy as np

from ._target import jit, jit_apart, tally_add
from .geometry import box_entry
from .interactions import mass_coefficient

i32 = np.int32
u32 = np.uint32
u64 = np.uint64
i64 = np.int64
f32 = np.float32
f64 = np.float64
_ZERO = np.float32(0.0)
_HALF = np.float32(0.5)
_NEXT = np.uint32(1)
_FIXED = np.float32(1048576.0)  # 2^20 counts per cm or keV
_TWO_MEC2 = np.float32(1021.9979)
_ONE_COUNT = np.int64(1)
_NOWHERE = np.int32(-1)
_CLASS = np.int32(3)
_INTERACTION = np.int32(4)

#: What a photon has been through: 4 times the number of its interactions, plus one of these classes. The last
#: is everything else: scattered more than once, or born in an interaction.
PRIMARY, COMPTON_ONCE, RAYLEIGH_ONCE, OTHER = 0, 1, 2, 3
#: Numbers kept of a photon that leaves: x, y, z, u, v, w, energy, what it has been through, history.
EXIT_NUMBERS = 9


@jit
def trail(phys, m, i, a, energy, r, past):
    """Return what a photon has been through after the interaction that ``r`` chooses (as in ``collide``)."""
    count = i32(i32(past & i32(~_CLASS)) + _INTERACTION)
    if past != 0 or r < mass_coefficient(phys, m, i, a, 2):
        return i32(count + i32(OTHER))
    if r < mass_coefficient(phys, m, i, a, 3):
        return i32(count + i32(COMPTON_ONCE))
    if r < mass_coefficient(phys, m, i, a, 4) or energy <= _TWO_MEC2:
        return i32(count + i32(RAYLEIGH_ONCE))
    return i32(count + i32(OTHER))


@jit
def find_bin(edges, energy):
    """Return the bin of an energy, the upper edge of the last included; -1 outside all."""
    low = i32(0)
    high = i32(edges.shape[0] - 1)
    if energy < edges[low] or energy > edges[high]:
        return _NOWHERE
    while high - low > 1:
        middle = i32((low + high) // 2)
        if energy < edges[middle]:
            high = middle
        else:
            low = middle
    return low


@jit_apart
def score_spectrum(geo, method, place, energy, track_cm, first, tally):
    """Score a track length into the energy bins of the regions at one point.

    ``place`` is (voxel, shape, kind, density). Region by region, all photons before primary ones.
    """
    voxel, shape, kind, _density = place
    if shape < 0 and voxel < 0:
        return
    n_bin = i32(method.bin_kev.shape[0] - 1)
    b = find_bin(method.bin_kev, energy)
    if b < 0:
        return
    if shape >= 0:
        add_track(tally, i64(geo.shape_region[u32(shape)]) * i64(n_bin) + i64(b), n_bin, track_cm, first)
        return
    for entry in range(geo.kind_first[u32(kind)], geo.kind_first[u32(kind) + _NEXT]):
        value = track_cm
        column = geo.kind_weight[u32(entry)]
        if column >= 0:
            value *= geo.weights[u64(voxel), u32(column)]
        add_track(tally, i64(geo.kind_region[u32(entry)]) * i64(n_bin) + i64(b), n_bin, value, first)


@jit
def add_track(tally, at, n_bin, track_cm, first):
    """Add a track length to one bin of all photons and, if it is asked, of the primary ones."""
    count = i64(track_cm * _FIXED + _HALF)
    tally_add(tally.spectra, u64(at), count)
    if first:
        at += i64(tally.energies.shape[0]) * i64(n_bin)
        if at < tally.spectra.size:
            tally_add(tally.spectra, u64(at), count)


@jit_apart
def leave_world(geo, method, x, y, z, u, v, w, energy, past, history, tally):
    """Score a photon that leaves: where its straight way meets the image plane, and in the list."""
    if tally.image.size > 0:
        score_image(method, x, y, z, u, v, w, energy, past, tally)
    if tally.exit_count.size > 0:
        keep_exit(geo, x, y, z, u, v, w, energy, past, history, tally)


@jit
def score_image(method, x, y, z, u, v, w, energy, past, tally):
    """Score a photon in the pixel that it flies through, from the front of the plane to its back.

    ``method.plane``: corner, normal, and the two directions in pixels per cm. Pixels [class, row, column].
    """
    p = method.plane
    towards = u * p[3] + v * p[4] + w * p[5]
    if towards <= _ZERO:
        return
    t = ((p[0] - x) * p[3] + (p[1] - y) * p[4] + (p[2] - z) * p[5]) / towards
    if t < _ZERO:
        return
    dx = x + u * t - p[0]
    dy = y + v * t - p[1]
    dz = z + w * t - p[2]
    column = dx * p[6] + dy * p[7] + dz * p[8]
    row = dx * p[9] + dy * p[10] + dz * p[11]
    n_column = i64(method.n_pixel[0])
    n_row = i64(method.n_pixel[1])
    if column < _ZERO or row < _ZERO or column >= f32(n_column) or row >= f32(n_row):
        return
    at = (i64(past & _CLASS) * n_row + i64(row)) * n_column + i64(column)
    tally_add(tally.image, u64(at), i64(energy * _FIXED + _HALF) if method.weigh != 0 else _ONE_COUNT)


@jit
def keep_exit(geo, x, y, z, u, v, w, energy, past, history, tally):
    """Put a photon into the list, at the place where it leaves the world; count it when the list is full."""
    place = tally_add(tally.exit_count, 0, _ONE_COUNT)
    at = i64(place) * i64(EXIT_NUMBERS)
    if at + i64(EXIT_NUMBERS) > tally.exits.size:
        return
    low = geo.world_lower
    high = geo.world_upper
    _near, far = box_entry(x, y, z, u, v, w, low[0], low[1], low[2], high[0], high[1], high[2])
    t = max(far, _ZERO)
    out = tally.exits
    out[at] = f64(x + u * t)
    out[at + 1] = f64(y + v * t)
    out[at + 2] = f64(z + w * t)
    out[at + 3] = f64(u)
    out[at + 4] = f64(v)
    out[at + 5] = f64(w)
    out[at + 6] = f64(energy)
    out[at + 7] = f64(past)
    out[at + 8] = f64(history)
