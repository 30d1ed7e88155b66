"""Birth of a photon: position, direction and energy from a source's flat record.

A history is born from at most eight uniforms, and every one of them has a fixed meaning, so that points of
a lattice can take their place:

===== ==================================== ==========================================
block first number(s)                      last two
===== ==================================== ==========================================
0     two of the direction (or of a beam's energy; place on the tube's path
      cross section)
1     three of the place in a volume, or two unused
      on a surface
===== ==================================== ==========================================

Everything is the inverse of a cumulative, tabulated or in closed form. Only where a transmission varies along
v, or over a round aperture, is a direction refused; the numbers for that come from Philox, beyond block 1.
"""

import math

import numpy as np

from ._target import jit
from .directions import isotropic, rotate
from .random import four, source_numbers

i32 = np.int32
f32 = np.float32
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_TWO = np.float32(2.0)
_ZERO = np.float32(0.0)
_TWO_PI = np.float32(6.283185307179586)
_THIRD = np.float32(1.0 / 3.0)

#: Kinds of source (``Beam.kind``).
PYRAMID, PARALLEL, BALL, ROTATING, CONE, MAP, SURFACE = 0, 1, 2, 3, 4, 5, 6
#: Kinds of patch (``Beam.patch_kind``); a dome is what else there is.
FLAT, ROUND, BARREL = 0, 1, 2
#: Laws of a surface (``Beam.law``).
COSINE, ISOTROPIC = 0, 1
#: Blocks of random numbers that belong to the source.
SOURCE_BLOCKS = 2
#: More refusals than this do not occur: a source whose transmission lets less than 1 % through is refused.
_MAX_TRIES = 100000


@jit
def invert(cumulative, guide, r):
    """Return (entry, fraction inside it) at which a tabulated cumulative reaches ``r`` in [0, 1).

    ``cumulative`` holds upper values; ``guide`` [2^k] the entry at which the search begins. Entries
    of no weight are never returned.
    """
    k = guide[i32(r * f32(guide.shape[0]))]
    while cumulative[k] <= r:
        k += 1
    low = cumulative[k - 1] if k > 0 else _ZERO
    return i32(k), (r - low) / (cumulative[k] - low)


@jit
def energy_of(beam, fu, r):
    """Return an energy; the spectrum is that of the fan bin in which the fraction ``fu`` lies."""
    rows = beam.energy_cumulative.shape[0]
    row = min(i32(fu * f32(rows)), i32(rows - 1))
    k, inside = invert(beam.energy_cumulative[row], beam.energy_guide[row], r)
    return beam.energy_low[k] + beam.energy_width[k] * inside


@jit
def fan_transmission(beam, fu, fv):
    """Return the relative fluence at the fractions (fu, fv) of the aperture, over its largest at fu."""
    table = beam.transmission
    nu, nv = table.shape
    a = min(max(fu * f32(nu) - _HALF, _ZERO), f32(nu - 1))
    b = min(max(fv * f32(nv) - _HALF, _ZERO), f32(nv - 1))
    i = i32(a)
    j = i32(b)
    i2 = min(i + 1, nu - 1)
    j2 = min(j + 1, nv - 1)
    a -= f32(i)
    b -= f32(j)
    low = table[i, j] * (_ONE - a) + table[i2, j] * a
    high = table[i, j2] * (_ONE - a) + table[i2, j2] * a
    top = beam.transmission_top[i] * (_ONE - a) + beam.transmission_top[i2] * a
    return low * (_ONE - b) + high * b, top


@jit
def slopes(beam, r1, r2, history, seed):
    """Return (cosine to u, to v, to w, fraction along u, block) of a ray through a rectangular aperture.

    The slope s along u comes from the marginal table. At one s the density of the slope t along v is
    (1 + s^2 + t^2)^(-3/2): the cosine y = t / sqrt(1 + s^2 + t^2) is uniform.
    """
    k, inside = invert(beam.slope_cumulative, beam.slope_guide, r1)
    fu = (f32(k) + inside) / f32(beam.slope_cumulative.shape[0])
    a_u = beam.aperture[0]
    a_v = beam.aperture[2]
    b_v = beam.aperture[3]
    s = a_u + (beam.aperture[1] - a_u) * fu
    c2 = _ONE + s * s
    low = a_v / math.sqrt(c2 + a_v * a_v)
    high = b_v / math.sqrt(c2 + b_v * b_v)
    y = low + (high - low) * r2
    block = i32(SOURCE_BLOCKS)
    if beam.transmission.shape[1] > 1:
        for _ in range(_MAX_TRIES):
            q1, q2, _q3, _q4 = four(history, block, seed)
            block += 1
            t = y * math.sqrt(c2 / (_ONE - y * y))
            here, top = fan_transmission(beam, fu, (t - a_v) / (b_v - a_v))
            if q1 * top < here:
                break
            y = low + (high - low) * q2
    rest = math.sqrt((_ONE - y * y) / c2)
    return s * rest, y, rest, fu, block


@jit
def along(frame, first, a, b, c):
    """Return a of the frame's vector ``first`` + b of the next + c of the next."""
    return (
        frame[first, 0] * a + frame[first + 1, 0] * b + frame[first + 2, 0] * c,
        frame[first, 1] * a + frame[first + 1, 1] * b + frame[first + 2, 1] * c,
        frame[first, 2] * a + frame[first + 1, 2] * b + frame[first + 2, 2] * c,
    )


@jit
def born_in_pyramid(beam, r1, r2, history, seed):
    """A point, into a rectangle of slopes."""
    a, b, c, fu, block = slopes(beam, r1, r2, history, seed)
    u, v, w = along(beam.vectors, 1, a, b, c)
    return beam.vectors[0, 0], beam.vectors[0, 1], beam.vectors[0, 2], u, v, w, fu, block


@jit
def born_parallel(beam, r1, r2):
    """A rectangle, all one way."""
    s = beam.aperture[0] + (beam.aperture[1] - beam.aperture[0]) * r1
    t = beam.aperture[2] + (beam.aperture[3] - beam.aperture[2]) * r2
    x, y, z = along(beam.vectors, 1, s, t, _ZERO)
    frame = beam.vectors
    x += frame[0, 0]
    y += frame[0, 1]
    z += frame[0, 2]
    return x, y, z, frame[3, 0], frame[3, 1], frame[3, 2], _ZERO, i32(SOURCE_BLOCKS)


@jit
def born_in_ball(beam, r1, r2, history, seed):
    """A point or a ball, isotropic."""
    x = beam.vectors[0, 0]
    y = beam.vectors[0, 1]
    z = beam.vectors[0, 2]
    radius = beam.aperture[0]
    if radius > _ZERO:
        q1, q2, q3, _q4 = source_numbers(history, i32(1), seed)
        a, b, c = isotropic(q1, q2)
        radius *= math.pow(q3, _THIRD)
        x += a * radius
        y += b * radius
        z += c * radius
    u, v, w = isotropic(r1, r2)
    return x, y, z, u, v, w, _ZERO, i32(SOURCE_BLOCKS)


@jit
def born_on_circle(beam, r1, r2, r4, history, seed):
    """A tube that turns and moves: a fan from the place on its path that ``r4`` says."""
    k, part = invert(beam.path_cumulative, beam.path_guide, r4)
    angle = beam.path[k, 0] + (beam.path[k, 1] - beam.path[k, 0]) * part
    height = beam.path[k, 2] + (beam.path[k, 3] - beam.path[k, 2]) * part
    ca = math.cos(angle)
    sa = math.sin(angle)
    focus = beam.aperture[4]
    x, y, z = along(beam.vectors, 1, focus * ca, focus * sa, height)
    a, b, c, fu, block = slopes(beam, r1, r2, history, seed)
    # the fan's u is the tangent (-sin, cos), its v the axis, its middle looks at the axis
    u, v, w = along(beam.vectors, 1, -sa * a - ca * c, ca * a - sa * c, b)
    frame = beam.vectors
    return x + frame[0, 0], y + frame[0, 1], z + frame[0, 2], u, v, w, fu, block


@jit
def born_in_cone(beam, r1, r2, history, seed):
    """A point, into a cone; with a transmission by refusal."""
    opening = beam.aperture[0]
    slope = beam.aperture[1]
    block = i32(SOURCE_BLOCKS)
    a = _ZERO
    b = _ZERO
    c = _ONE
    for _ in range(_MAX_TRIES):
        h = r1 * opening  # 1 - cosine: exact for narrow cones too
        sine = math.sqrt(h * (_TWO - h))
        a = sine * math.cos(_TWO_PI * r2)
        b = sine * math.sin(_TWO_PI * r2)
        c = _ONE - h
        if beam.transmission.shape[0] * beam.transmission.shape[1] == 1:
            break
        q1, r1, r2, _q4 = four(history, block, seed)
        block += 1
        here, _top = fan_transmission(beam, _HALF + _HALF * a / (c * slope), _HALF + _HALF * b / (c * slope))
        if q1 < here:
            break
    frame = beam.vectors
    u, v, w = along(frame, 1, a, b, c)
    return frame[0, 0], frame[0, 1], frame[0, 2], u, v, w, _ZERO, block


@jit
def bisect(cumulative, r):
    """Return (entry, fraction inside it) at which a cumulative reaches ``r``, without a guide.

    The number of steps depends on the length only and nothing branches on the numbers: half the time.
    """
    last = i32(cumulative.shape[0] - 1)
    entry = i32(0)
    step = i32(1)
    while step <= last:
        step = i32(step << 1)
    while step > 0:
        further = i32(entry + step)
        entry = further if cumulative[min(i32(further - 1), last)] <= r else entry
        step = i32(step >> 1)
    below = cumulative[entry - 1] if entry > 0 else _ZERO
    return entry, (r - below) / (cumulative[entry] - below)


@jit
def born_in_map(beam, r1, r2, history, seed):
    """A voxel of a map, isotropic: slice, row and voxel by their shares, uniform inside."""
    q1, q2, q3, _q4 = source_numbers(history, i32(1), seed)
    k, c = bisect(beam.place_1, q1)
    j, b = bisect(beam.place_2[k], q2)
    i, a = bisect(beam.place_3[k, j], q3)
    frame = beam.vectors
    x = frame[0, 0] + frame[1, 0] * (f32(i) + a)
    y = frame[0, 1] + frame[2, 1] * (f32(j) + b)
    z = frame[0, 2] + frame[3, 2] * (f32(k) + c)
    u, v, w = isotropic(r1, r2)
    return x, y, z, u, v, w, _ZERO, i32(SOURCE_BLOCKS)


@jit
def born_on_surface(beam, r1, r2, history, seed):
    """A patch by its area, a place on it, a direction about its normal."""
    q1, q2, q3, q4 = source_numbers(history, i32(1), seed)
    group, _part = bisect(beam.place_1, q1)
    member, _part = bisect(beam.place_2[group], q2)
    patch = group * beam.place_2.shape[1] + member
    frame = beam.patch_vectors[patch]
    kind = beam.patch_kind[patch]
    a = math.cos(_TWO_PI * q4)
    b = math.sin(_TWO_PI * q4)
    c = q3
    if kind == FLAT:
        a = q3
        b = q4
        c = _ZERO
    elif kind == ROUND:
        radius = math.sqrt(q3)
        a *= radius
        b *= radius
        c = _ZERO
    elif kind != BARREL:
        sine = math.sqrt(_ONE - q3 * q3)
        a *= sine
        b *= sine
    x, y, z = along(frame, 1, a, b, c)
    if kind <= ROUND:
        nx = frame[3, 0]
        ny = frame[3, 1]
        nz = frame[3, 2]
    else:
        nx, ny, nz = along(frame, 1, a, b, _ZERO if kind == BARREL else c)
        norm = _ONE / math.sqrt(nx * nx + ny * ny + nz * nz)
        nx *= norm
        ny *= norm
        nz *= norm
    sign = f32(beam.side)
    if beam.side == 0:
        r1 += r1
        sign = _ONE
        if r1 >= _ONE:
            r1 -= _ONE
            sign = -_ONE
    cosine = _ONE
    if beam.law == COSINE:
        cosine = math.sqrt(r1)
    elif beam.law == ISOTROPIC:
        cosine = r1
    u, v, w = rotate(sign * nx, sign * ny, sign * nz, cosine, _TWO_PI * r2)
    return (
        x + frame[0, 0],
        y + frame[0, 1],
        z + frame[0, 2],
        u,
        v,
        w,
        _ZERO,
        i32(SOURCE_BLOCKS),
    )


@jit
def emit(beam, history, seed):
    """Return position, direction, energy of a new photon and the number of random blocks used."""
    r1, r2, r3, r4 = source_numbers(history, i32(0), seed)
    kind = beam.kind
    if kind == PYRAMID:
        x, y, z, u, v, w, fu, block = born_in_pyramid(beam, r1, r2, history, seed)
    elif kind == PARALLEL:
        x, y, z, u, v, w, fu, block = born_parallel(beam, r1, r2)
    elif kind == BALL:
        x, y, z, u, v, w, fu, block = born_in_ball(beam, r1, r2, history, seed)
    elif kind == ROTATING:
        x, y, z, u, v, w, fu, block = born_on_circle(beam, r1, r2, r4, history, seed)
    elif kind == CONE:
        x, y, z, u, v, w, fu, block = born_in_cone(beam, r1, r2, history, seed)
    elif kind == MAP:
        x, y, z, u, v, w, fu, block = born_in_map(beam, r1, r2, history, seed)
    else:
        x, y, z, u, v, w, fu, block = born_on_surface(beam, r1, r2, history, seed)
    return x, y, z, u, v, w, energy_of(beam, fu, r3), block


@jit
def emit_many(beam, first, seed, out):
    """Fill ``out`` [n, 7] with the births of the histories ``first`` on."""
    for k in range(out.shape[0]):
        x, y, z, u, v, w, energy, _block = emit(beam, first + np.uint64(k), seed)
        out[k, 0] = x
        out[k, 1] = y
        out[k, 2] = z
        out[k, 3] = u
        out[k, 4] = v
        out[k, 5] = w
        out[k, 6] = energy
