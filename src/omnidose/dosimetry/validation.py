"""What this room must show: the rows of ``omnidose validate dosimetry``."""

from __future__ import annotations

from omnidose.validation import Claim, Suite

SUITE = Suite(
    name="dosimetry",
    title="Organ doses in the reference phantoms",
    claims=(
        Claim(
            name="icrp116",
            text=(
                "ICRP 110 male and female in broad parallel beams AP, PA, LLAT: effective dose per "
                "fluence within 3 % of ICRP 116 from 40 keV to 2 MeV, 5 % from 20 keV, marrow, endosteum "
                "and skin included"
            ),
        ),
    ),
)
