"""``omnidose phantom``: reference phantoms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

phantom_app = typer.Typer(
    name="phantom", help="Import, make and list reference phantoms.", no_args_is_help=True
)


@phantom_app.callback()
def phantom() -> None:
    """Import, make and list reference phantoms."""  # also keeps `import` a sub-command while it is alone


@phantom_app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="Zip file or folder of ICRP Publication 110 from the ICRP.")],
    destination: Annotated[
        Path | None, typer.Option("--to", help="Folder to store them in (default: your data folder).")
    ] = None,
) -> None:
    """Import the ICRP 110 adult phantoms that you downloaded from the ICRP.

    Counts, organ numbers and masses are checked. The phantoms stay on this machine; they are
    copyright ICRP.
    """
    from omnidose.anatomy.icrp110 import import_phantom
    from omnidose.anatomy.icrp110_files import NOTICE

    console = Console()
    with console.status("Reading and checking …"):
        written = import_phantom(path, destination)
    for file in written:
        console.print(
            f"[green]Stored[/green] ICRP 110 {file.stem} in {file}", highlight=False, soft_wrap=True
        )
    console.print(f"[dim]{NOTICE.strip()}[/dim]", highlight=False)
