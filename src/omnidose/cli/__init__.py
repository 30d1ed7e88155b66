"""The command line: ``omnidose``."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    try:
        from omnidose.cli.app import run
    except KeyboardInterrupt:  # stopped while libraries load
        raise SystemExit(130) from None

    run()
