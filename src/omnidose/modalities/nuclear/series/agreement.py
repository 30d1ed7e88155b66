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


def best_move_mm(expected: ArrayF4, image: ArrayF4, grid: Grid) -> tuple[tuple[float, float, float], float]:
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
        min(n - 1, int(FAR_MM // step)) for n, step in zip(image.shape, grid.spacing_mm[::-1], strict=True)
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
