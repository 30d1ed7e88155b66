"""What an installation costs: time of ``import omnidose`` and size of what a plain install brings."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import omnidose
from omnidose.validation import Context, Row, within

MAX_IMPORT_S = 0.3
MAX_INSTALL_MB = 1000.0
#: Fresh interpreters that are timed: the machine may be busy, so the quickest counts.
TRIES = 5
_TIMER = (
    "import time; start = time.perf_counter(); import omnidose; print(time.perf_counter() - start); "
    "import os; print(os.path.dirname(omnidose.__file__))"
)
_REQUIREMENT = re.compile(r"\s*(?P<name>[\w.-]+)\s*(?:\[(?P<extras>[^]]*)])?[^;]*(?:;(?P<marker>.*))?")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def check_install(_context: Context) -> Iterator[Row]:
    """Yield the import time of a fresh interpreter and the size of everything a plain install brings."""
    times_s = [import_time_s() for _ in range(TRIES)]
    yield within(
        "import omnidose in a fresh interpreter",
        min(times_s),
        MAX_IMPORT_S,
        unit="s",
        source="promise of the project",
        bounds=(0.0, MAX_IMPORT_S),
        note=f"best of {TRIES}, slowest {max(times_s):.3f} s",
    )
    found = closure()
    sizes_mb = {name: size_mb(distribution) for name, distribution in found.items()}
    sizes_mb["omnidose"] = own_size_mb()
    largest = sorted(sizes_mb, key=lambda name: -sizes_mb[name])[:5]
    yield within(
        "a plain install, unpacked",
        sum(sizes_mb.values()),
        MAX_INSTALL_MB,
        unit="MB",
        source="promise of the project",
        bounds=(1.0, MAX_INSTALL_MB),
        note=f"{len(sizes_mb)} packages, without Python; most: "
        + ", ".join(f"{name} {sizes_mb[name]:.0f}" for name in largest),
    )


def import_time_s() -> float:
    """Return how long ``import omnidose`` takes in a fresh interpreter, without the interpreter's own start.

    Raises
    ------
    RuntimeError
        If that interpreter finds another omnidose than this one.
    """
    done = subprocess.run([sys.executable, "-c", _TIMER], capture_output=True, text=True, check=True)
    seconds, folder = done.stdout.splitlines()
    if Path(folder).resolve() != Path(omnidose.__file__).resolve().parent:
        raise RuntimeError("a fresh interpreter imports another omnidose")
    return float(seconds)


def closure(root: str = "omnidose") -> dict[str, metadata.Distribution]:
    """Return every distribution that a plain install of ``root`` brings, by normalised name.

    A requirement under a condition (an operating system, a version of Python) counts if it is installed
    here: an installer has evaluated the condition already, and what something else brought makes the sum
    an upper bound.

    Raises
    ------
    importlib.metadata.PackageNotFoundError
        If a requirement without condition is missing.
    """
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = [(root, frozenset[str]())]
    while queue:
        name, extras = queue.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        distribution = metadata.distribution(name)
        if name != root:
            found[name] = distribution
        for text in distribution.requires or ():
            child, asked, needed = _wanted(text, extras)
            if needed or (needed is None and _is_installed(child)):
                queue.append((child, asked))
    return found


def _wanted(text: str, extras: frozenset[str]) -> tuple[str, frozenset[str], bool | None]:
    """Return (name, its extras, whether it is needed: None if a condition decides) of one requirement."""
    match = _REQUIREMENT.match(text)
    assert match is not None, text
    name = re.sub(r"[-_.]+", "-", match["name"]).lower()
    asked = frozenset(part.strip() for part in (match["extras"] or "").split(",") if part.strip())
    marker = match["marker"] or ""
    of_extras = set(_EXTRA.findall(marker))
    if of_extras and not of_extras & extras:
        return name, asked, False
    return name, asked, None if marker.strip() else True


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def size_mb(distribution: metadata.Distribution) -> float:
    """Return the size of a distribution's files as they are installed, in units of 1e6 bytes.

    Raises
    ------
    RuntimeError
        If the distribution has no list of its files: its size would count as nothing.
    """
    if distribution.files is None:
        raise RuntimeError(f"{distribution.metadata['Name']} has no list of its files")
    files = (Path(str(distribution.locate_file(file))) for file in distribution.files)
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def own_size_mb() -> float:
    """Return the size of this package, also where it is installed in place, without compiled bytecode."""
    files = Path(omnidose.__file__).parent.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file() and file.suffix != ".pyc") / 1e6
