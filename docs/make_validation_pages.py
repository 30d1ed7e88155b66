"""Write the validation pages from the output of ``omnidose validate --json``.

python docs/make_validation_pages.py                        # pages from docs/validation/results.json
python docs/make_validation_pages.py --full run.json ...    # take these outputs into results.json first

``results.json`` keeps the last run of every suite with its date, version and the texts of the claims, so that
the pages depend on nothing else: they can be written again without the long runs. A suite in a new output
replaces the old rows of that suite, but a short run does not replace a full one (take the suite out of
results.json first). A suite run in part is refused.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "validation"
NOTE = "<!-- written by docs/make_validation_pages.py from results.json: do not edit -->\n\n"
STATES = ("passed", "failed", "not built", "not run")
COLUMNS = ("name", "ours", "reference", "unit", "tolerance", "state", "source", "note")


def cell(value: Any) -> str:
    """Return a value as the cell of a Markdown table."""
    if value is None:
        return ""
    if isinstance(value, float | int) and not isinstance(value, bool):
        return f"{value:.6g}"
    return (
        re.sub(r"\s+", " ", str(value)).replace("|", "\\|").replace("<", "&lt;").replace("_", "\\_").strip()
    )


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def counts(rows: Iterable[dict[str, Any]]) -> str:
    """Return how many rows are in which state, in words."""
    found = Counter(row["state"] for row in rows)
    unknown = set(found) - set(STATES)
    if unknown:
        raise ValueError(f"states that no row can have: {sorted(unknown)}")
    return ", ".join(f"{found[state]} {state}" for state in STATES if found[state])


def take_in(
    results: dict[str, Any], rows: Sequence[dict[str, Any]], *, full: bool, date: str, version: str
) -> list[str]:
    """Put the rows of one output in the place of the old rows of their suites; return the suites kept."""
    from omnidose.validation import suites

    known, kept = suites(), []
    for name in dict.fromkeys(row["suite"] for row in rows):
        if not full and "--full" in results.get(name, {}).get("command", ""):
            kept.append(name)
            continue
        suite = known[name]
        ran = [row for row in rows if row["suite"] == name]
        missing = [claim.name for claim in suite.claims if claim.name not in {row["claim"] for row in ran}]
        if missing:
            raise ValueError(f"the output holds {name} only in part: {', '.join(missing)} not there")
        results[name] = {
            "title": suite.title,
            "command": f"omnidose validate {name}{' --full' if full else ''} --json",
            "date": date,
            "version": version,
            "claims": {claim.name: claim.text for claim in suite.claims},
            "rows": [{key: row[key] for key in ("claim", *COLUMNS)} for row in ran],
        }
    return kept


def index_page(results: dict[str, Any]) -> str:
    """Return the page with one line per suite and every row that did not pass."""
    out = [
        "# Validation\n",
        "`omnidose validate` compares omnidose with published values, closed forms, conservation laws and "
        "its own second estimators. Each row is one number of ours beside one of theirs, with the tolerance "
        "promised before. `failed` ends the command with exit code 1; `not built` is promised and missing; "
        "`not run` says what it would need (`--full`, a reference file). A tolerance is not changed to make "
        "a row pass.\n",
        table(
            ("suite", "what", "rows", "command", "date", "omnidose"),
            (
                (
                    f"[{name}]({name}.md)",
                    s["title"],
                    counts(s["rows"]),
                    f"`{s['command']}`",
                    s["date"],
                    s["version"],
                )
                for name, s in sorted(results.items())
            ),
        ),
    ]
    for state, heading in (("failed", "Failed"), ("not built", "Not built"), ("not run", "Not run here")):
        rows = [
            (name, row) for name, s in sorted(results.items()) for row in s["rows"] if row["state"] == state
        ]
        if rows:
            out.append(f"## {heading}\n")
            out.append(
                table(
                    ("suite", "name", "ours", "reference", "unit", "tolerance", "note"),
                    (
                        (
                            name,
                            *(row[key] for key in ("name", "ours", "reference", "unit", "tolerance", "note")),
                        )
                        for name, row in rows
                    ),
                )
            )
    return NOTE + "\n".join(out)


def suite_page(name: str, suite: dict[str, Any]) -> str:
    """Return the page of one suite: a table per claim."""
    out = [
        f"# Validation: {name}\n",
        f"{suite['title']}. {counts(suite['rows'])}.\n",
        f"`{suite['command']}`, {suite['date']}, omnidose {suite['version']}.\n",
    ]
    for claim, text in suite["claims"].items():
        rows = [row for row in suite["rows"] if row["claim"] == claim]
        sources = list(dict.fromkeys(row["source"] for row in rows if row["source"]))
        shared = len(sources) == 1
        shown = [key for key in COLUMNS if not (shared and key == "source")]
        out.append(f"## {claim}\n")
        out.append(f"{cell(text)}. {counts(rows)}.\n")
        if shared:
            out.append(f"Source: {cell(sources[0])}.\n")
        out.append(table(shown, ([row[key] for key in shown] for row in rows)))
    return NOTE + "\n".join(out)


def write_pages(results: dict[str, Any], folder: Path) -> None:
    """Write ``results.json`` and the pages; pages of suites that are gone are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dict(sorted(results.items())), indent=1, ensure_ascii=False)
    (folder / "results.json").write_text(text + "\n", "utf-8")
    for page in folder.glob("*.md"):
        if page.stem not in results and page.read_text("utf-8").startswith(NOTE):
            page.unlink()
    (folder / "index.md").write_text(index_page(results), "utf-8")
    for name, suite in results.items():
        (folder / f"{name}.md").write_text(suite_page(name, suite), "utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Take in outputs, if any, and write the pages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("outputs", nargs="*", type=Path, help="files with the output of validate --json")
    parser.add_argument("--full", action="store_true", help="the outputs come from --full")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the pages lie")
    chosen = parser.parse_args(arguments)
    stored = chosen.folder / "results.json"
    results = json.loads(stored.read_text("utf-8")) if stored.is_file() else {}
    for path in chosen.outputs:
        kept = take_in(
            results,
            json.loads(path.read_text("utf-8"))["rows"],
            full=chosen.full,
            date=datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat(),
            version=metadata.version("omnidose"),
        )
        for name in kept:
            print(f"{name}: the results of the full run stay")
    write_pages(results, chosen.folder)


if __name__ == "__main__":
    main()
