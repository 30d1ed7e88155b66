"""Tables of docs/methods/segmentation.md: overlap and dose difference of the built-in segmentation.

Runs every case of ``omnidose validate exams.segmentation --full`` (about ten minutes on two cores) and
prints the tables in Markdown.

    python benchmarks/segmentation_table.py [--quick] [--reference FOLDER]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from omnidose.exams.segmentation_cases import SYNTHETIC, all_cases, synthetic_case
from omnidose.exams.validation_segmentation import (
    FULL_HISTORIES,
    ORGANS,
    QUICK_HISTORIES,
    OrganComparison,
    run_case,
)
from omnidose.validation import reference_dir

GROUPS = ("icrp110", "real", "synthetic")


def dice_table(found: list[OrganComparison]) -> Iterable[str]:
    """Yield mean Dice (range) and n per organ and group; expected: mean over ICRP 110 and the real CT."""
    yield "| organ | ICRP 110 | real CT | synthetic | expected |"
    yield "|---|---|---|---|---|"
    for organ in ORGANS:
        cells = []
        for group in GROUPS:
            values = [c.dice for c in found if c.organ == organ and c.group == group]
            if not values:
                cells.append("")
            elif len(values) == 1:
                cells.append(f"{values[0]:.2f}")
            else:
                low, high, n = min(values), max(values), len(values)
                cells.append(f"{np.mean(values):.2f} ({low:.2f} to {high:.2f}, n = {n})")
        people = [c.dice for c in found if c.organ == organ and c.group != "synthetic"]
        expected = f"{np.mean(people):.2f}" if people else ""
        if any(cells):
            yield f"| {organ} | {' | '.join(cells)} | {expected} |"


def dose_table(found: list[OrganComparison]) -> Iterable[str]:
    """Yield median and quantiles of the absolute dose difference per case and size of organ."""
    yield "| case | large: median (largest), n | small: median (largest), n | not found | inside |"
    yield "|---|---|---|---|---|"
    names = list(dict.fromkeys(c.case for c in found))
    whole = [(name, [c for c in found if c.case == name]) for name in names]
    whole += [(f"**{group}, all**", [c for c in found if c.group == group]) for group in GROUPS]
    for name, part in whole:
        if not part:
            continue
        cells = []
        for large in (True, False):
            values = [100 * abs(c.difference_rel) for c in part if c.is_large == large]
            cells.append(
                f"{np.median(values):.1f} % ({max(values):.0f} %), {len(values)}" if values else "none"
            )
        missed = sum(c.found_cm3 == 0 for c in part)
        inside = sum(c.is_inside for c in part)
        yield f"| {name} | {' | '.join(cells)} | {missed} | {inside} of {len(part)} |"


def organ_table(found: list[OrganComparison]) -> Iterable[str]:
    """Yield the dose differences per organ, ICRP 110 and real CT together."""
    yield "| organ | median | largest | n | stated standard uncertainty (median) |"
    yield "|---|---|---|---|---|"
    for organ in ORGANS:
        part = [c for c in found if c.organ == organ and c.group != "synthetic" and c.found_cm3 > 0]
        if part:
            values = [100 * abs(c.difference_rel) for c in part]
            stated = 100 * float(np.median([c.stated_std_rel for c in part]))
            middle, most = f"{np.median(values):.1f} %", f"{max(values):.0f} %"
            yield f"| {organ} | {middle} | {most} | {len(values)} | {stated:.0f} % |"


def main() -> None:
    """Run the cases and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one synthetic body only")
    parser.add_argument("--reference", type=Path, default=reference_dir())
    options = parser.parse_args()
    cases = [synthetic_case(*SYNTHETIC[0])] if options.quick else all_cases(options.reference)
    found: list[OrganComparison] = []
    for case in cases:
        print(f"running {case.name}", flush=True)
        found += run_case(case, QUICK_HISTORIES if options.quick else FULL_HISTORIES)
    print_tables(found)


def print_tables(found: list[OrganComparison]) -> None:
    """Print all tables."""
    for title, table in (
        ("Overlap (Dice)", dice_table),
        ("Dose difference by case", dose_table),
        ("Dose difference by organ", organ_table),
    ):
        print(f"\n{title}\n")
        print("\n".join(table(found)))


if __name__ == "__main__":
    main()
