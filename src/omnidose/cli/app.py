"""The Typer application: one sub-command per verb, errors as one sentence."""

from __future__ import annotations

import errno
import os
import signal
import sys
from contextlib import suppress
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from omnidose import __version__
from omnidose.cli.demo import demo
from omnidose.cli.doctor import doctor
from omnidose.cli.estimate import estimate
from omnidose.cli.nuclear import nuclear_app
from omnidose.cli.nuclide import nuclide
from omnidose.cli.phantom import phantom_app
from omnidose.cli.phantom_make import list_phantoms, make
from omnidose.cli.validate import validate
from omnidose.errors import CancelledError, OmnidoseError

#: Exit codes: 1 a validation row or check failed, 2 the input or output cannot be used, 130 stopped.
INPUT, UNEXPECTED, STOPPED = 2, 3, 130
#: Set to 1 to see where an unexpected error comes from.
DEBUG = "OMNIDOSE_DEBUG"
STOPPED_SENTENCE = "the job was stopped; nothing was written"

app = typer.Typer(
    name="omnidose",
    help="Every dose of ionising radiation in medicine, in the patient's own anatomy.",
    epilog="Begin with: omnidose demo. Then: omnidose estimate FOLDER.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(estimate)
app.command()(demo)
app.command()(validate)
app.command()(doctor)
app.command()(nuclide)
phantom_app.command("make")(make)
phantom_app.command("list")(list_phantoms)
app.add_typer(phantom_app)
app.add_typer(nuclear_app)


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
    """Run the application; every error becomes one sentence on stderr, with a code of its own.

    With ``OMNIDOSE_DEBUG=1`` errors that nobody foresaw keep their traceback.
    """
    with suppress(ValueError):  # only the main thread may, and only there is it needed
        signal.signal(signal.SIGTERM, _terminate)
    try:
        app()
    except SystemExit as error:
        if error.code == STOPPED:  # Typer's way to say Ctrl-C
            _stop(STOPPED_SENTENCE)
        raise
    except (CancelledError, KeyboardInterrupt) as error:
        _stop(str(error) or STOPPED_SENTENCE)
    except OmnidoseError as error:
        _say("[bold red]Error:[/bold red]", str(error))
        sys.exit(INPUT)
    except MemoryError:
        _say("[bold red]Error:[/bold red]", "there is not enough memory for this exam; nothing was written.")
        sys.exit(INPUT)
    except Exception as error:  # whatever it is, a user gets a sentence, a developer the traceback on request
        if os.environ.get(DEBUG):
            raise
        _say("[bold red]Error:[/bold red]", unexpected(error))
        sys.exit(INPUT if _is_disk_full(error) else UNEXPECTED)


def unexpected(error: BaseException) -> str:
    """Return the sentence for an error that nobody foresaw; it never shows what a file contains."""
    if _is_disk_full(error):
        return "a disk is full, so nothing was written; free some space, or set TMPDIR to a larger disk."
    name = type(error).__name__
    reason = error.strerror if isinstance(error, OSError) and error.strerror else ""
    return (
        f"something unexpected happened ({name}{': ' + reason if reason else ''}) and nothing was written; "
        f"run it again with {DEBUG}=1 to see where, and report what it shows."
    )


def _is_disk_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno == errno.ENOSPC


def _say(label: str, sentence: str) -> None:
    Console(stderr=True).print(f"{label} {escape(sentence)}", highlight=False, soft_wrap=True)


def _stop(sentence: str) -> NoReturn:
    _say("[yellow]Stopped:[/yellow]", sentence.rstrip(".") + ".")
    sys.exit(STOPPED)


def _terminate(_number: int, _frame: object) -> NoReturn:
    """Turn a polite kill into the same clean stop as Ctrl-C."""
    raise KeyboardInterrupt
