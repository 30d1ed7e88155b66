"""What a camera adds to the primary photons: scatter, its noisy estimate, dead time, counting statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.modalities.nuclear.imaging.camera import Camera

ArrayF4 = npt.NDArray[np.float32]

#: Scattered counts in the photopeak window over primary ones, and how far they are spread: orders of
#: magnitude of 177Lu at 208 keV in an adult, chosen by us.
SCATTER_SHARE, SCATTER_STD_MM = 0.25, 35.0
#: Blur of the estimate before it is used, as clinics do.
ESTIMATE_STD_MM = 12.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projections:
    """What the camera stores of one acquisition.

    Attributes
    ----------
    counts
        float32 [views, u, z] in the photopeak window.
    scatter_counts
        The same shape: the triple-energy-window estimate of scatter among them.
    view_s
        Duration of each view.
    rate_per_s
        Mean rate of all recorded counts per head.
    """

    counts: ArrayF4
    scatter_counts: ArrayF4
    view_s: float
    rate_per_s: float


def acquire(
    primary_cps: ArrayF4,
    camera: Camera,
    *,
    pixel_mm: float,
    view_s: float,
    rng: np.random.Generator,
    estimate_error_rel: float = 0.0,
) -> Projections:
    """Count primary and scattered photons, and estimate scatter as a clinic does.

    Parameters
    ----------
    primary_cps
        [views, u, z] mean rates of photons that were not scattered, at the time of each view.
    estimate_error_rel
        Systematic error of the two-window estimate: the trapezoid under the peak is not the scatter.

    Raises
    ------
    InputError
        For a duration that is not positive.
    """
    from scipy.ndimage import gaussian_filter

    if not view_s > 0:
        raise InputError(f"a view of {view_s} s", where="view_s", allowed="more than 0 s")
    width = SCATTER_STD_MM / pixel_mm
    scatter = SCATTER_SHARE * gaussian_filter(primary_cps, (0, width, width), mode="constant")
    total = primary_cps + scatter
    alive = recorded_share(float(total.sum(axis=(1, 2)).mean()), camera.dead_time_s)
    mean = np.maximum(total * alive * view_s, 0.0)
    counts = rng.poisson(mean)
    share = camera.window_share_fraction
    side = rng.poisson(np.maximum(scatter * alive * view_s * 2 * share, 0.0))
    estimate = (1 + estimate_error_rel) * side / (2 * share)
    soft = ESTIMATE_STD_MM / pixel_mm
    smooth = gaussian_filter(estimate.astype(np.float32), (0, soft, soft), mode="constant")
    return Projections(
        counts=counts.astype(np.float32),
        scatter_counts=np.asarray(smooth, dtype=np.float32),
        view_s=view_s,
        rate_per_s=float(counts.sum() / camera.views / view_s),
    )


def recorded_share(true_per_s: float, dead_time_s: float) -> float:
    """Return the share of events that a paralysable system records at a true rate."""
    return float(np.exp(-true_per_s * dead_time_s))
