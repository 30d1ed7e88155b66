"""Names of radiopharmaceuticals: one agent under the ways that people write it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from omnidose.errors import InputError

_NAME = re.compile(r"(\d+m?)([A-Z][a-z]?)-(.+)")


def find_agent(text: str, names: Iterable[str]) -> str:
    """Return the name that a text means.

    Parameters
    ----------
    text
        ``18F-FDG``, ``F-18 FDG``, ``fdg``; spaces, hyphens and capitals do not matter.
    names
        Names as tables write them, ``18F-FDG``.

    Raises
    ------
    InputError
        If no name or more than one fits; the message lists them.
    """
    known = list(dict.fromkeys(names))
    wanted = _bare(text)
    found = [name for name in known if wanted in _spellings(name)[:2]]
    bare = [name for name in known if wanted == _spellings(name)[2]]
    # Iodine has several nuclides for one agent: it must be said which, even if the table has one alone.
    if not found and len(bare) == 1 and not _is_iodine(bare[0]):
        found = bare
    if len(found) == 1:
        return found[0]
    near = bare or [name for name in known if wanted and wanted in _bare(name)]
    if near:
        raise InputError(
            f"'{text}' does not say which agent is meant", allowed=", ".join(near), todo="write it so"
        )
    raise InputError(f"there is no agent '{text}' in the table", allowed=", ".join(sorted(known)))


def _is_iodine(name: str) -> bool:
    match = _NAME.fullmatch(name)
    return match is not None and match.group(2) == "I"


def _bare(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _spellings(name: str) -> tuple[str, str, str]:
    """Return mass first, element first, and the agent alone."""
    match = _NAME.fullmatch(name)
    if match is None:
        return _bare(name), _bare(name), _bare(name)
    mass, element, rest = match.groups()
    return _bare(name), _bare(f"{element}{mass}{rest}"), _bare(rest)
