"""The command line: ``omnidose``."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from omnidose.cli.app import run

    run()
