"""The error tree: every message says what, where, what is allowed and what to do next."""

from __future__ import annotations


class OmnidoseError(Exception):
    """Base of all errors that omnidose raises on purpose.

    Parameters
    ----------
    what
        What is wrong, as the beginning of a sentence, without a full stop.
    where
        The file, DICOM tag, field or option that holds the fault.
    allowed
        What would have been accepted.
    todo
        What the user can do next.

    Notes
    -----
    ``str(error)`` is one sentence made from the four parts; the parts stay available as
    attributes so that a page or a JSON answer can show them apart.
    """

    def __init__(self, what: str, *, where: str = "", allowed: str = "", todo: str = "") -> None:
        self.what = what.rstrip(". ")
        self.where = where
        self.allowed = allowed
        self.todo = todo.rstrip(". ")
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        text = self.what
        if self.where:
            text += f" (in {self.where})"
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        if self.todo:
            text += f"; {self.todo}"
        return text + "."

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.allowed, self.todo))


def _rebuild(kind: type[OmnidoseError], what: str, where: str, allowed: str, todo: str) -> OmnidoseError:
    return kind(what, where=where, allowed=allowed, todo=todo)


class InputError(OmnidoseError):
    """Something the user gave cannot be used."""


class DicomError(InputError):
    """A DICOM object is missing, damaged, or says something that cannot be used."""


class ContradictionError(InputError):
    """Two statements about the same thing disagree, and neither may win in silence."""


class RangeError(InputError):
    """A number lies outside the range in which the method or table is valid."""


class QuantityKindError(OmnidoseError, TypeError):
    """Two quantities of different kinds were added or compared."""


class DataError(OmnidoseError):
    """A packaged or imported data file is missing, changed, or malformed."""


class GeometryError(OmnidoseError):
    """Grids, frames of reference or orientations do not fit together."""


class DependencyError(OmnidoseError):
    """An optional package or system program that this step needs is absent."""


class OutputError(OmnidoseError):
    """A result cannot be written where the user wants it."""


class CancelledError(OmnidoseError):
    """The user stopped the job."""
