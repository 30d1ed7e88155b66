"""Estimate several exams from Python and put their organ doses into one table.

python estimate_exams.py EXAM [EXAM ...]
"""

import csv
import sys
from pathlib import Path

from omnidose.errors import OmnidoseError
from omnidose.exams.options import EstimateOptions
from omnidose.exams.plan import plan, survey
from omnidose.exams.run import run
from omnidose.exams.write import write


def estimate(exam: Path, out: Path, options: EstimateOptions) -> list[dict[str, object]]:
    """Return one row per organ; the usual files go to ``out``."""
    with survey(exam) as inventory:  # reads headers only; zips are unpacked as long as it is open
        decided = plan(inventory, options)  # what will be estimated, and decided.left_out: what not
        result = run(decided)
        write(result, out)
    rows = result.total.rows() if result.total is not None else []  # None: absolute and relative scans mixed
    return [{"exam": exam.name, **row} for row in rows]


def main() -> None:
    """Estimate every folder or zip named on the command line."""
    options = EstimateOptions(histories=1e5, seed=1)  # few photons: quick and rough
    rows = []
    for name in sys.argv[1:]:
        exam = Path(name)
        try:
            rows += estimate(exam, Path("results") / exam.stem, options)
        except OmnidoseError as error:  # one clear sentence; the other exams go on
            print(f"{exam.name}: {error}", file=sys.stderr)
    if rows:
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
