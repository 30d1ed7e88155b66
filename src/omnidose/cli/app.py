"""The Typer application: one sub-command per verb, errors as one sentence."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from omnidose import __version__
from omnidose.cli.demo import demo
from omnidose.cli.doctor import doctor
from omnidose.cli.estimate import estimate
from omnidose.cli.phantom import phantom_app
from omnidose.cli.phantom_make import list_phantoms, make
from omnidose.cli.validate import validate
from omnidose.errors import CancelledError, OmnidoseError

app = typer.Typer(
    name="omnidose",
    help="Every dose of ionising radiation in medicine, in the patient's own anatomy.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(estimate)
app.command()(demo)
app.command()(validate)
app.command()(doctor)
phantom_app.command("make")(make)
phantom_app.command("list")(list_phantoms)
app.add_typer(phantom_app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"omnidose {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Every dose of ionising radiation in medicine, in the patient's own anatomy."""


def run() -> None:
    """Run the application; a known error becomes one sentence on stderr and exit code 2."""
    err = Console(stderr=True)
    try:
        app()
    except CancelledError as error:
        err.print(f"[yellow]Stopped.[/yellow] {error}", highlight=False)
        sys.exit(130)
    except OmnidoseError as error:
        err.print(f"[bold red]Error.[/bold red] {error}", highlight=False, soft_wrap=True)
        sys.exit(2)
