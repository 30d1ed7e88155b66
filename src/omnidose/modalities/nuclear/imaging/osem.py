"""Reconstruction by ordered subsets, with attenuation, scatter and a model of the resolution."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.modalities.nuclear.imaging.noise import Projections
from omnidose.modalities.nuclear.imaging.projector import Projector

ArrayF4 = npt.NDArray[np.float32]


def reconstruct(
    seen: Projections, projector: Projector, *, iterations: int = 8, subsets: int = 10
) -> ArrayF4:
    """Reconstruct [z, y, x] in counts per second and head (sum over the image: as if nothing were absorbed).

    Parameters
    ----------
    projector
        The model of the camera: its resolution need not be the true one.
    subsets
        Must divide the number of views.

    Raises
    ------
    InputError
        For subsets that do not divide the views.

    References
    ----------
    Hudson and Larkin 1994 *IEEE Trans Med Imaging* 13:601 (ordered subsets); scatter stands in the
    denominator, so that counts stay Poisson.
    """
    views = projector.camera.views
    if views % subsets:
        raise InputError(f"{subsets} subsets do not divide {views} views", where="subsets")
    parts = [slice(first, None, subsets) for first in _spread(subsets)]
    ones = np.ones((views // subsets, *seen.counts.shape[1:]), np.float32)
    norms = [projector.backward(ones, part) for part in parts]
    floor = 1e-6 * max(float(norm.max()) for norm in norms)
    image = np.where(sum(norms) > floor, np.float32(1.0), np.float32(0.0))
    image *= np.float32(max(float(seen.counts.sum()), 1.0) / seen.view_s / views / image.sum())
    for _ in range(iterations):
        for part, norm in zip(parts, norms, strict=True):
            expected = projector.forward(image, part) * np.float32(seen.view_s) + seen.scatter_counts[part]
            ratio = np.divide(seen.counts[part], expected, out=np.zeros_like(expected), where=expected > 1e-9)
            image *= projector.backward(ratio, part) / np.maximum(norm, floor)
    return image


def _spread(subsets: int) -> list[int]:
    """Order subsets so that each is far from the ones before it."""
    left, order = list(range(subsets)), [0]
    left.remove(0)
    while left:
        order.append(max(left, key=lambda s: min(abs(s - t) % subsets for t in order[-2:])))
        left.remove(order[-1])
    return order
