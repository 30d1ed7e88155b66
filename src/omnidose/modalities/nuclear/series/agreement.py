"""Whether images and outlines lie on each other: would the outlines fit better somewhere near?

Nothing else tells that masks were drawn on the CT of another scan, that a SPECT lies beside its own CT, or
that a registration went wrong by a few centimetres: such doses look like others.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnidose.modalities.nuclear.series.alignment import AlignedSeries
from omnidose.modalities.nuclear.series.choosing import Chosen
from omnidose.modalities.nuclear.series.exam import SeriesExam
from omnidose.modalities.nuclear.series.recovery import ImageBlur
from omnidose.volume import Grid

ArrayF4 = npt.NDArray[np.float32]

#: Moves that are tried, along each axis, and what is worth a word: so far, and so much better. A best move at
#: the end of the range is none: there the outlines only come nearer to something that is hotter.
FAR_MM, WORTH_MM, BETTER_REL = 40.0, 8.0, 0.03
#: Mirror images are tried for three outlines and more (two kidneys are mirror images of each other), if so
#: much of an image is not explained; they are worth a word if they leave less than half. Scans of a simulated
#: patient leave 0.03 to 0.08, turned over 0.4 to 0.8.
LEAST_TO_TURN, MUCH_LEFT, MIRROR_BETTER, MIRROR_FAR_MM = 3, 0.15, 0.5, 80.0
#: Axes [z, y, x] -> words.
_MIRRORS = {
    (0,): "head and feet",
    (1,): "front and back",
    (2,): "left and right",
    (1, 2): "front and back, and left and right,",
    (0, 2): "head and feet, and left and right,",
    (0, 1): "head and feet, and front and back,",
}


def misplaced(exam: SeriesExam, aligned: AlignedSeries, chosen: Chosen, blur: ImageBlur) -> list[str]:
    """Return a sentence for every scan whose outlines would fit much better if they were moved together."""
    out = []
    grid, regions = aligned.grid, chosen.drawn.regions()
    for number, image in enumerate(aligned.maps):
        expected = np.zeros(grid.shape_zyx, np.float32)
        for name, sight in chosen.sights.items():
            total = float(regions[name].sum(dtype=np.float64))
            expected += regions[name] * np.float32(sight.activity_mbq[number] / total)
        if not expected.any():
            continue
        move, gain = best_move_mm(blur.applied(expected, grid.spacing_mm), image, grid)
        far = float(np.linalg.norm(move))
        if far >= max(WORTH_MM, 1.5 * min(grid.spacing_mm)) and gain > BETTER_REL:
            out.append(
                f"Scan {number + 1} ({exam.hours_to(exam.points[number]):.3g} h): the activity lies "
                f"{far:.0f} mm beside the outlines ({_words(move)}). Look whether the masks were drawn on "
                "the CT of the reference scan, and whether images and CT lie on each other; something hot "
                "that nobody drew may look the same."
            )
    return out


def turned_over(exam: SeriesExam, aligned: AlignedSeries, chosen: Chosen, blur: ImageBlur) -> list[str]:
    """Return a sentence for every scan that fits the outlines far better as its own mirror image.

    Slices in the wrong order, or a sign of the wrong side, turn a patient over. What is left over of an image
    once outlines and rest are fitted to it is compared.
    """
    if len(chosen.sights) < LEAST_TO_TURN:
        return []
    grid = aligned.grid
    shapes = [blur.applied(shape, grid.spacing_mm) for shape in chosen.drawn.regions().values()]
    out = []
    for number, image in enumerate(aligned.maps):
        here = _left_over(image, shapes)[0]
        if here < MUCH_LEFT:
            continue
        found = {axes: _left_over_mirrored(np.flip(image, axes), shapes, grid) for axes in _MIRRORS}
        best = min(found, key=lambda axes: found[axes])
        if found[best] < MIRROR_BETTER * here:
            out.append(
                f"Scan {number + 1} ({exam.hours_to(exam.points[number]):.3g} h) fits the outlines far "
                f"better with {_MIRRORS[best]} exchanged: its images may be stored the wrong way round, "
                "and no dose is right then."
            )
    return out


def _left_over(image: ArrayF4, shapes: list[ArrayF4]) -> tuple[float, npt.NDArray[np.float64]]:
    """Return the share of an image's squares that no sum of shapes explains, and their best amounts."""
    from scipy.optimize import nnls

    flat = np.array([shape.ravel() for shape in shapes], dtype=np.float64)
    scale = np.maximum(np.sqrt((flat**2).sum(axis=1)), 1e-300)
    flat /= scale[:, None]
    values = image.ravel().astype(np.float64)
    # least squares by the normal equations: a triangle with the same products is all that nnls needs
    products = flat @ flat.T + 1e-12 * np.eye(len(flat))
    root = np.linalg.cholesky(products).T
    amounts, _ = nnls(root, np.linalg.solve(root.T, flat @ values))
    rest = values - amounts @ flat
    return float(rest @ rest) / max(float(values @ values), 1e-300), amounts / scale


def _left_over_mirrored(image: ArrayF4, shapes: list[ArrayF4], grid: Grid) -> float:
    """Return what is left over of a mirrored image where it fits best: it may lie elsewhere then."""
    from scipy.ndimage import shift

    expected, least = np.asarray(sum(shapes[:-1]), np.float32), 1.0
    for _ in range(2):  # first all outlines alike, then with the amounts that were found
        move, _gain = best_move_mm(expected, image, grid, reach_mm=MIRROR_FAR_MM)
        steps = [-round(m / s) for m, s in zip(move[::-1], grid.spacing_mm[::-1], strict=True)]
        left, amounts = _left_over(np.asarray(shift(image, steps, order=0), np.float32), shapes)
        least = min(least, left)
        expected = np.tensordot(amounts[:-1].astype(np.float32), np.array(shapes[:-1]), axes=1)
        if not expected.any():
            break
    return least


def best_move_mm(
    expected: ArrayF4, image: ArrayF4, grid: Grid, *, reach_mm: float = FAR_MM
) -> tuple[tuple[float, float, float], float]:
    """Return the move of ``expected`` (mm along x, y, z, whole voxels) that fits best, and how much better.

    Parameters
    ----------
    expected, image
        [z, y, x] on ``grid``.

    Returns
    -------
    tuple
        Move, and relative gain of the sum of products over that without a move; both 0 if the best lies at
        the end of the range.
    """
    from scipy.fft import irfftn, next_fast_len, rfftn

    reach = [
        min(n - 1, int(reach_mm // step)) for n, step in zip(image.shape, grid.spacing_mm[::-1], strict=True)
    ]
    size = [next_fast_len(n + r, real=True) for n, r in zip(image.shape, reach, strict=True)]
    product = irfftn(rfftn(image, size) * np.conj(rfftn(expected, size)), size)
    steps = [np.arange(-r, r + 1) for r in reach]
    near = product[np.ix_(*(s % n for s, n in zip(steps, size, strict=True)))]
    here = float(near[tuple(reach)])
    best = np.unravel_index(int(near.argmax()), near.shape)
    if any(i in (0, n - 1) for i, n in zip(best, near.shape, strict=True)):
        return (0.0, 0.0, 0.0), 0.0
    gain = float(near[best]) / here - 1 if here > 0 else float("inf")
    z, y, x = (float(s[i]) * step for s, i, step in zip(steps, best, grid.spacing_mm[::-1], strict=True))
    return (x, y, z), gain


def _words(move_mm: tuple[float, float, float]) -> str:
    names = (("left", "right"), ("back", "front"), ("head", "feet"))
    parts = [
        f"{abs(step):.0f} mm to the {pair[step < 0]}"
        for step, pair in zip(move_mm, names, strict=True)
        if abs(step) >= 1
    ]
    return ", ".join(parts)
