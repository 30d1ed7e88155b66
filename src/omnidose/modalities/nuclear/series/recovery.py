"""Partial volume: recovery of spheres, the image's own blur, and what each outline sees of each region.

A recovery coefficient from spheres suits round lesions in a quiet background. Kidneys are flat, and a
lesion in the liver gains what the liver loses. So the blur of the image is taken from the same spheres; the
share of every region's activity that every outline sees follows from the outlines themselves; the activities
solve that system of equations (Rousset, Ma and Evans 1998 *J Nucl Med* 39:904). It is solved once: a
recovery coefficient on top of it would be the same correction again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, sqrt

import numpy as np
import numpy.typing as npt

from omnidose.dosimetry.internal_uncertainty import RecoveryCurve
from omnidose.errors import InputError

ArrayF4 = npt.NDArray[np.float32]
ArrayF8 = npt.NDArray[np.float64]
FWHM_PER_STD = 2 * sqrt(2 * log(2))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBlur:
    """Resolution of reconstructed images.

    Attributes
    ----------
    fwhm_mm
        Of the Gaussian that explains what spheres of a phantom lose.
    std_mm
        Its standard uncertainty.
    """

    fwhm_mm: float
    std_mm: float

    def applied(
        self,
        share: ArrayF4,
        spacing_mm: tuple[float, float, float],
        more_mm: float = 0.0,
        *,
        goes_on: bool = False,
    ) -> ArrayF4:
        """Return [z, y, x] blurred.

        ``more_mm`` is added to the FWHM; beyond the grid it ``goes_on`` as at its end, or there is 0.
        """
        from scipy.ndimage import gaussian_filter

        std = [(self.fwhm_mm + more_mm) / FWHM_PER_STD / s for s in spacing_mm[::-1]]
        return np.asarray(
            gaussian_filter(share, std, mode="nearest" if goes_on else "constant", truncate=3.5),
            dtype=np.float32,
        )


def seen_shares(
    regions: Mapping[str, ArrayF4],
    outlines: Mapping[str, ArrayF4],
    blur: ImageBlur,
    spacing_mm: tuple[float, float, float],
    *,
    more_mm: float = 0.0,
) -> ArrayF8:
    """[outlines, regions] share of each region's activity that each outline sees in a blurred image.

    Parameters
    ----------
    regions
        [z, y, x] where the activity of each region is, any scale.
    outlines
        [z, y, x] share of each voxel inside.
    """
    out = np.empty((len(outlines), len(regions)))
    for column, region in enumerate(regions.values()):
        blurred = blur.applied(region, spacing_mm, more_mm).ravel()
        total = float(region.sum(dtype=np.float64))
        out[:, column] = [float(np.dot(outline.ravel(), blurred)) / total for outline in outlines.values()]
    return out


def fit_recovery_curve(volume_cm3: ArrayF8, recovery: ArrayF8) -> RecoveryCurve:
    """Fit R = 1 - 1 / (1 + (v / b1)^b2) to spheres; uncertainties from the scatter about the curve.

    Raises
    ------
    InputError
        For fewer than three spheres, or a recovery outside 0 to 1.
    """
    from scipy.optimize import curve_fit

    if volume_cm3.size < 3 or volume_cm3.shape != recovery.shape:
        raise InputError("a recovery curve needs three spheres or more", where="volume_cm3")
    if not ((recovery > 0) & (recovery < 1)).all():
        raise InputError(f"recoveries from {recovery.min():.3g} to {recovery.max():.3g}", allowed="0 to 1")

    def odds(ln_volume: ArrayF8, ln_half: float, slope: float) -> ArrayF8:
        return np.asarray(1 - 1 / (1 + np.exp(slope * (ln_volume - ln_half))))

    found, covariance = curve_fit(odds, np.log(volume_cm3), recovery, p0=(0.0, 0.8))
    std = np.sqrt(np.diag(covariance))
    return RecoveryCurve(
        half_volume_cm3=float(np.exp(found[0])),
        half_volume_std_rel=float(std[0]),
        slope=float(found[1]),
        slope_std_rel=float(std[1] / found[1]),
        correlation_fraction=float(covariance[0, 1] / std[0] / std[1]),
    )


def fit_blur(
    image: ArrayF4,
    regions: Mapping[str, ArrayF4],
    activity_mbq: Mapping[str, float],
    spacing_mm: tuple[float, float, float],
    *,
    spheres: tuple[str, ...],
) -> tuple[ImageBlur, ArrayF8]:
    """Find the blur that explains what the spheres of a phantom show.

    Parameters
    ----------
    image
        MBq per voxel of the reconstructed phantom.
    regions
        True shapes; ``spheres`` are those that are compared, the rest may spill in.

    Returns
    -------
    ImageBlur, array
        And [spheres] recoveries: what each shows of its own activity, what spills in taken off.

    Notes
    -----
    The uncertainty is the scatter of the FWHM that each sphere alone would give: one Gaussian does not
    suit all, and an organ is no better known than a sphere.
    """
    outlines = {name: regions[name] for name in spheres}
    given = np.array([activity_mbq[name] for name in regions])
    columns = [list(regions).index(name) for name in spheres]
    seen = np.array([float((image * outline).sum(dtype=np.float64)) for outline in outlines.values()])
    widths = np.arange(4.0, 20.1, 1.0)
    shares = np.array(
        [seen_shares(regions, outlines, ImageBlur(fwhm_mm=w, std_mm=0), spacing_mm) for w in widths]
    )
    rows = np.arange(len(spheres))
    expected = shares @ given
    each = np.array([np.interp(-seen[i], -expected[:, i], widths) for i in rows])
    blur = ImageBlur(fwhm_mm=float(each.mean()), std_mm=float(each.std(ddof=1)))
    final = seen_shares(regions, outlines, blur, spacing_mm)
    spilled = final @ given - final[rows, columns] * given[columns]
    return blur, np.asarray((seen - spilled) / given[columns])
