"""Zip files that may come from anywhere, unpacked into a folder that removes itself."""

from __future__ import annotations

import shutil
import stat
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from omnidose.errors import InputError

#: Bounds against archives made to fill a disk.
MAX_TOTAL_BYTES = 32 * 2**30
MAX_MEMBERS = 200_000


class TemporaryFolder:
    """A folder that is removed when nothing refers to it any more, on :meth:`remove`, or at exit.

    Unlike :class:`tempfile.TemporaryDirectory` it may be dropped without a warning: the records that
    hold paths into it (series, reports) hold the folder too, and so keep it alive exactly long enough.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="omnidose-"))
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def remove(self) -> None:
        """Delete the folder now (idempotent)."""
        self._finalizer()


def is_zip(path: Path) -> bool:
    """Return True for a file that begins like a zip and ends like one."""
    try:
        with path.open("rb") as file:
            if file.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
                return False
        return zipfile.is_zipfile(path)
    except OSError:
        return False


def _is_safe(name: str) -> bool:
    pure = PurePosixPath(name.replace("\\", "/"))
    return not pure.is_absolute() and ".." not in pure.parts and ":" not in (pure.parts or ("",))[0]


def unpack(
    path: Path,
    folder: TemporaryFolder,
    *,
    wanted: Callable[[str, bytes], bool],
    max_total_bytes: int | None = None,
) -> tuple[list[Path], list[str]]:
    """Unpack the wanted members of a zip.

    Parameters
    ----------
    path, folder
        The zip, and the temporary folder that takes its members.
    wanted
        Called with a member's name and its first bytes (up to 132): members that answer False are left.
    max_total_bytes
        Bound on what is written, counted while writing: sizes declared in the archive are not believed.
        Default: 32 GiB or 90 % of the free space of the temporary disk, whichever is less.

    Returns
    -------
    tuple
        Paths of the files written (under numbers, never under names from the archive), and one sentence
        for every member that was refused.

    Raises
    ------
    InputError
        For a damaged archive, too many members, or more data than the bound.
    """
    bound = max_total_bytes
    if bound is None:
        bound = min(MAX_TOTAL_BYTES, int(0.9 * shutil.disk_usage(folder.path).free))
    target = Path(tempfile.mkdtemp(dir=folder.path))
    files: list[Path] = []
    refused: list[str] = []
    left = bound
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            if len(members) > MAX_MEMBERS:
                raise InputError(
                    f"the zip has {len(members)} members",
                    where=path.name,
                    allowed=f"at most {MAX_MEMBERS}",
                    todo="unpack it and give the folder",
                )
            for number, member in enumerate(members):
                reason = _refusal(member)
                if reason:
                    refused.append(reason)
                    continue
                with archive.open(member) as source:
                    first = source.read(132)
                    if not wanted(member.filename, first):
                        continue
                    out = _place(target / str(number), member.filename)
                    left = _copy(first, source, out, left)
                    if left < 0:
                        raise InputError(
                            f"the zip holds more than {bound / 2**30:.1f} GiB of images",
                            where=path.name,
                            todo="unpack it and give the folder",
                        )
                files.append(out)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError) as error:
        raise InputError(
            "the zip is damaged or of an unknown kind", where=path.name, todo="copy or send it again"
        ) from error
    return files, refused


def _refusal(member: zipfile.ZipInfo) -> str:
    if not _is_safe(member.filename) or stat.S_ISLNK(member.external_attr >> 16):
        return "a member that points outside the archive was left out"
    if member.flag_bits & 1:
        return "a member is protected by a password and was left out"
    return ""


def _place(folder: Path, name: str) -> Path:
    """Return where to write a member: NIfTI masks are told apart by their names, the rest gets a number."""
    folder.mkdir()
    last = PurePosixPath(name.replace("\\", "/")).name
    return folder / (last if last.lower().endswith((".nii", ".nii.gz")) else folder.name)


def _copy(first: bytes, source: IO[bytes], out: Path, left: int) -> int:
    """Write a member; return how many bytes may still be written (negative: it was stopped)."""
    with out.open("wb") as sink:
        block = first
        while block:
            left -= len(block)
            if left < 0:
                break
            sink.write(block)
            block = source.read(1 << 20)
    return left
