"""What this room must show: the rows of ``omnidose validate ct``."""

from __future__ import annotations

from omnidose.validation import Claim, Suite

SUITE = Suite(
    name="ct",
    title="CT: source, scale and patients",
    claims=(
        Claim(
            name="water-cylinders",
            text="Absolute CT: water cylinders of 15 to 35 cm against AAPM 204 size factors within 15 %",
        ),
        Claim(
            name="ctdi-ratio",
            text="CTDI centre/periphery ratio of the fitted source within 3 % of its target",
        ),
        Claim(name="linear", text="Dose is linear in CTDIvol"),
        Claim(name="patient-ssde", text="Mid-scan slice mean of a real patient against SSDE within 20 %"),
        Claim(
            name="icrp110-ct",
            text=(
                "ICRP 110 phantoms scanned chest, abdomen, head: organ doses per CTDIvol beside published "
                "ones"
            ),
        ),
    ),
)
