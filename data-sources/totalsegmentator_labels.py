"""Make the packaged class map of TotalSegmentator's task ``total`` (version 2): label number -> name.

Usage: ``python data-sources/totalsegmentator_labels.py totalsegmentator_classes.csv``
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from _write import write_csv

INFO = {
    "quantity": "label number and class name of TotalSegmentator's task 'total', version 2",
    "unit": "1",
    "source": "repository wasserth/TotalSegmentator, version 2.18, class map",
    "doi": "10.1148/ryai.230024",
    "licence": "Apache-2.0 (names)",
    "made_by": "data-sources/totalsegmentator_labels.py",
    "verified": "A: read in the source itself",
}


def main(path: Path) -> None:
    """Write the table from the list of all tasks."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    rows = [(int(r["label"]), r["class"]) for r in csv.DictReader(lines) if r["task"] == "total"]
    text = "label,name\n" + "".join(f"{label},{name}\n" for label, name in sorted(rows))
    write_csv("totalsegmentator_labels", text, INFO)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
