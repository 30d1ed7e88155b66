"""What this room must show: the rows of ``omnidose validate physics``."""

from __future__ import annotations

from omnidose.validation import Claim, Suite

SUITE = Suite(
    name="physics",
    title="Photon interaction data",
    claims=(
        Claim(
            name="xcom",
            text=(
                "mu/rho within 0.3 % of XCOM away from edges, 1 keV to 20 MeV: water, ICRU tissues, I, "
                "Al, Cu, W, Pb"
            ),
        ),
    ),
)
