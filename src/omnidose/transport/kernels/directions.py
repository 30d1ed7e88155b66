"""Directions: isotropic, and turned by a scattering angle."""

import math

import numpy as np

from ._target import jit

_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_TWO = np.float32(2.0)
_TWO_PI = np.float32(6.283185307179586)


@jit
def isotropic(r1, r2):
    """Return an isotropic direction."""
    w = _TWO * r1 - _ONE
    s = math.sqrt(max(_ZERO, _ONE - w * w))
    phi = _TWO_PI * r2
    return s * math.cos(phi), s * math.sin(phi), w


@jit
def rotate(u, v, w, cosine, phi):
    """Turn a direction by a polar cosine and an azimuth; the result is normalised."""
    sine = math.sqrt(max(_ZERO, _ONE - cosine * cosine))
    cp = sine * math.cos(phi)
    sp = sine * math.sin(phi)
    # Frisvad-like basis made stable at w = -1 by the sign (Duff et al., JCGT 6 (2017) 1)
    sign = _ONE if w >= _ZERO else -_ONE
    a = -_ONE / (sign + w)
    b = u * v * a
    nu = (_ONE + sign * u * u * a) * cp + b * sp + u * cosine
    nv = sign * b * cp + (sign + v * v * a) * sp + v * cosine
    nw = -sign * u * cp - v * sp + w * cosine
    norm = _ONE / math.sqrt(nu * nu + nv * nv + nw * nw)
    return nu * norm, nv * norm, nw * norm
