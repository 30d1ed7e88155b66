"""What this room must show: the rows of ``omnidose validate transport``."""

from __future__ import annotations

from omnidose.validation import Claim, Suite

SUITE = Suite(
    name="transport",
    title="The Monte Carlo engine",
    claims=(
        Claim(name="tg195-case1", text="TG-195 case 1: HVL and QVL ratios within 0.3 %"),
        Claim(
            name="tg195-case2",
            text=(
                "TG-195 case 2: body totals within 0.15 % of the four codes' mean or inside their range; "
                "VOIs within 1 % (6, 7, 9: 1.5 %) or inside the range; own sigma at most a third of the "
                "tolerance"
            ),
        ),
        Claim(
            name="tg195-case4",
            text=(
                "TG-195 case 4: bins above 1 eV/history within 1 % or inside the range, others 2 %, "
                "continuous as the mean of 36 angles; own sigma at most a third of the tolerance"
            ),
        ),
        Claim(
            name="balance",
            text=(
                "Analog balance: emitted = deposited + escaped to 1e-6; the expected-value total agrees "
                "within 3 sigma"
            ),
        ),
        Claim(
            name="iodine-sphere",
            text=(
                "A 10 cm3 sphere with 0.1 % iodine against a deterministic integral with fluorescence "
                "escape: 1 %"
            ),
        ),
    ),
)
