"""A hook of MkDocs: an entry such as ``validation/*.md`` in the navigation stands for all pages not named.

The validation pages are written by a program, which then need not edit ``mkdocs.yml``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def named(entries: Any) -> Iterator[str]:
    """Yield every page that a navigation names."""
    if isinstance(entries, str):
        yield entries
    elif isinstance(entries, dict):
        for value in entries.values():
            yield from named(value)
    elif isinstance(entries, list):
        for entry in entries:
            yield from named(entry)


def fill(entries: list[Any], docs: Path, known: set[str]) -> list[Any]:
    """Return a navigation with the pages that patterns stand for, in alphabetical order."""
    out: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            out.append({k: fill(v, docs, known) if isinstance(v, list) else v for k, v in entry.items()})
        elif "*" in entry:
            out += sorted({p.relative_to(docs).as_posix() for p in docs.glob(entry)} - known)
        else:
            out.append(entry)
    return out


def on_config(config: Any) -> Any:
    """Fill the patterns before MkDocs reads the navigation."""
    config["nav"] = fill(config["nav"], Path(config["docs_dir"]), set(named(config["nav"])))
    return config
