"""Writing files whole or not at all, and making UIDs."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from omnidose.errors import OutputError


def make_uid(*parts: str) -> str:
    """Return a UID under 2.25 (PS3.5 B.2): of the parts' hash if there are any, else a random one."""
    if not parts:
        return f"2.25.{uuid.uuid4().int}"
    digest = hashlib.sha256("\0".join(parts).encode()).digest()[:16]
    return f"2.25.{uuid.UUID(bytes=digest, version=4).int}"


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside ``path``; it takes its place only if the block ends without an error.

    Raises
    ------
    OutputError
        If the folder does not exist, is read-only, or full.
    """
    path = Path(path)
    temporary = path.with_name(f".{uuid.uuid4().hex[:12]}-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(
            f"the file cannot be written ({error.strerror or type(error).__name__})",
            where=str(path),
            todo="choose a folder that exists, is writable and has room",
        ) from error
    finally:
        with suppress(OSError):  # what could not be made cannot be removed either
            temporary.unlink(missing_ok=True)
