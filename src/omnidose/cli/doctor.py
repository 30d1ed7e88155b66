"""``omnidose doctor``: is everything here that omnidose needs?"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from omnidose import __version__, data
from omnidose.errors import OmnidoseError
from omnidose.validation import reference_dir

_LIBRARIES = ("numpy", "scipy", "numba", "pydicom", "highdicom", "nibabel", "SimpleITK", "pillow", "typer")


def _writable(folder: Path) -> str:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"{folder} cannot be written ({error.strerror}): set OMNIDOSE_DATA_DIR or OMNIDOSE_CACHE_DIR"


def cores() -> int:
    """Return the processors that this process may use: a container often has fewer than the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def examine() -> dict[str, Any]:
    """Return versions, data, folders, processors and every fault found, as JSON types."""
    faults: list[str] = []
    tables = {}
    for name in data.table_names():
        try:
            tables[name] = data.load(name).sha256
        except OmnidoseError as error:
            faults.append(str(error))
    versions = {}
    for library in _LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            faults.append(f"the library {library} is missing: reinstall omnidose")
    for folder in (data.user_data_dir(), data.user_cache_dir()):
        fault = _writable(folder)
        if fault:
            faults.append(fault)
    phantoms = sorted(p.stem for p in data.user_data_dir().glob("**/A[MF].npz"))
    return {
        "omnidose": __version__,
        "python": sys.version.split()[0],
        "system": f"{platform.system()} {platform.machine()}",
        "cores": cores(),
        "gpu": "not used by this version",
        "libraries": versions,
        "tables": tables,
        "data_dir": str(data.user_data_dir()),
        "cache_dir": str(data.user_cache_dir()),
        "imported_phantoms": phantoms,
        "reference_dir": str(reference_dir() or ""),
        "totalsegmentator": importlib.util.find_spec("totalsegmentator") is not None,
        "faults": faults,
    }


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Check versions, packaged data, write rights and processors."""
    found = examine()
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        console = Console(highlight=False)
        console.print(f"omnidose {found['omnidose']}, Python {found['python']}, {found['system']}")
        console.print(f"{found['cores']} cores; GPU: {found['gpu']}")
        console.print("libraries: " + ", ".join(f"{k} {v}" for k, v in found["libraries"].items()))
        console.print(f"{len(found['tables'])} packaged tables with the right hash")
        console.print(
            f"data in {escape(found['data_dir'])}, compiled kernels in {escape(found['cache_dir'])}",
            soft_wrap=True,
        )
        console.print(f"imported phantoms: {', '.join(found['imported_phantoms']) or 'none'}")
        console.print(f"TotalSegmentator: {'installed' if found['totalsegmentator'] else 'not installed'}")
        console.print(
            f"published reference files: {escape(found['reference_dir']) or 'none'} (only omnidose validate "
            "needs them: OMNIDOSE_REFERENCE_DIR)",
            soft_wrap=True,
        )
        for fault in found["faults"]:
            console.print(f"[bold red]Fault:[/bold red] {escape(fault)}", soft_wrap=True)
        if not found["faults"]:
            console.print("[green]Everything is in order.[/green]")
    if found["faults"]:
        raise typer.Exit(1)
