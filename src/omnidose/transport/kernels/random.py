"""Random numbers: Philox4x32-10, a stream for every history.

Reference: Salmon et al., SC11 (2011).
"""

import numpy as np

from ._target import jit

u32 = np.uint32
u64 = np.uint64
f32 = np.float32
_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint32(0x9E3779B9)
_W1 = np.uint32(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_DROP = np.uint32(9)
_TO_UNIT = np.float32(2.0**-23)
_HALF = np.float32(0.5)


@jit
def philox(c0, c1, c2, c3, k0, k1):
    """Return the four 32-bit words of Philox4x32-10 for a counter and a key."""
    for _ in range(10):
        p0 = _M0 * u64(c0)
        p1 = _M1 * u64(c2)
        n0 = u32(u32(p1 >> _SHIFT) ^ c1 ^ k0)
        n2 = u32(u32(p0 >> _SHIFT) ^ c3 ^ k1)
        c1 = u32(p1 & _LOW)
        c3 = u32(p0 & _LOW)
        c0 = n0
        c2 = n2
        k0 = u32(k0 + _W0)
        k1 = u32(k1 + _W1)
    return c0, c1, c2, c3


@jit
def unit(word):
    """Return a float32 in the open interval (0, 1) from 23 bits of a random word."""
    return (f32(u32(word) >> _DROP) + _HALF) * _TO_UNIT


@jit
def four(history, block, seed):
    """Return four uniforms of one history's stream; ``block`` counts the calls."""
    a, b, c, d = philox(
        u32(history & _LOW), u32(history >> _SHIFT), u32(block), u32(0), u32(seed & _LOW), u32(seed >> _SHIFT)
    )
    return unit(a), unit(b), unit(c), unit(d)


@jit
def source_numbers(history, block, seed):
    """Return four uniforms in [0, 1) for the birth of a photon: block 0 or 1 of its source."""
    return four(history, block, seed)
