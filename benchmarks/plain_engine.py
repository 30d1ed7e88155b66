"""The anchor of every speed figure: the plain engine on two scenes, the block of TG-195 case 2 and a chest.

The engine's figures are ratios to these rates, so neither the scenes nor
:mod:`omnidose.transport.plain_engine` may change any more.

    python benchmarks/plain_engine.py [case2|chest|stylised-chest] [histories]
"""

from __future__ import annotations

import sys

from scenes import ANCHORS, Anchor

from omnidose.transport.plain_engine import PlainTally, run_plain


def run(anchor: Anchor, histories: float, *, seed: int = 1) -> PlainTally:
    """Run an anchor scene on one thread; ``cpu_s`` of the result is the time of the histories alone."""
    return run_plain(anchor.scene, anchor.source, regions=anchor.regions, histories=histories, seed=seed)


def main() -> None:
    """Print the rate and the energy kept."""
    name = sys.argv[1] if len(sys.argv) > 1 else "case2"
    histories = float(sys.argv[2]) if len(sys.argv) > 2 else 1e6
    anchor = ANCHORS[name]()
    for seed in (1, 2, 3):
        tally = run(anchor, histories, seed=seed)
        emitted, kept, escaped = tally.batch_balance_kev.mean(axis=0)
        print(
            f"{anchor.name}: {tally.histories / tally.cpu_s:.4g} histories/CPU-s; per history "
            f"{emitted:.3f} keV emitted, {kept:.3f} kept, {escaped:.3f} escaped"
        )


if __name__ == "__main__":
    main()
