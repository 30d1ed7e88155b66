"""What a built-in outline is worth: the overlap to expect, and what that means for a dose."""

from __future__ import annotations

import numpy as np

#: Mean Dice coefficient over the scans of the two ICRP 110 phantoms and the one real CT (2 to 9 scans per
#: organ): the table in docs/methods/segmentation.md, made by benchmarks/segmentation_table.py. The rest (soft
#: tissue, fat) was not measured.
EXPECTED_DICE = {
    "lung": 0.96,
    "bone": 0.90,
    "rest": 0.8,
    "brain": 0.96,
    "liver": 0.82,
    "bladder": 0.76,
    "left-kidney": 0.73,
    "spleen": 0.65,
    "heart": 0.62,
    "right-kidney": 0.60,
    "stomach": 0.51,
    "gall-bladder": 0.40,
    "pancreas": 0.25,
    "colon": 0.19,
    "small-intestine": 0.13,
}
#: For every other organ (mean of 37 organs and scans): its place is right within centimetres, its outline is
#: not.
EXPECTED_DICE_SMALL = 0.15
#: Dice coefficient -> root mean square difference of the dose from that of the reference mask, from the same
#: scans (116 organs found in 9 scans, in six groups of 11 to 27; noise left in).
_DICE = (0.05, 0.2, 0.45, 0.7, 0.88, 0.96)
_RMS_REL = (0.20, 0.16, 0.053, 0.037, 0.022, 0.017)


def expected_dice(key: str) -> float:
    """Return the overlap to expect for an organ, or for ``lung``, ``bone`` or ``rest``."""
    return EXPECTED_DICE.get(key, EXPECTED_DICE_SMALL)


def mask_std_rel(dice: float) -> float:
    """Return the relative standard uncertainty of a dose in the scan from an outline of a given overlap.

    Linear between the measured points, constant beyond them. It contains the effect of the organ's place
    in those scans, which were cut 2 cm beyond their landmarks.
    """
    return float(np.interp(dice, _DICE, _RMS_REL))
