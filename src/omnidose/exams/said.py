"""What a person says about exposures (``given``): which keys there are, and what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from omnidose.errors import InputError
from omnidose.modalities import modalities

#: Keys that tell of one administration: they cannot be said of several at once.
OF_ONE = frozenset({"nuclide", "injected_mbq", "residual_mbq", "injection_time"})


class Field(Protocol):
    """What is used here of a line of a modality's form."""

    @property
    def key(self) -> str:
        """Key in ``given``."""
        ...

    @property
    def label(self) -> str:
        """One line for a person."""
        ...

    @property
    def unit(self) -> str:
        """Unit of the number; empty for text."""
        ...

    @property
    def choices(self) -> tuple[str, ...]:
        """Words that are allowed; empty for a number or free text."""
        ...

    @property
    def help(self) -> str:
        """More words."""
        ...


def known_fields() -> dict[str, Field]:
    """Return the lines of all modalities' forms by key; a CT has options of its own (``kv``, …)."""
    found: dict[str, Field] = {}
    for modality in modalities().values():
        for item in getattr(modality, "form", ()):
            found.setdefault(item.key, item)
    return found


def check_keys(given: Mapping[str, Any]) -> None:
    """Refuse keys that no form has.

    Raises
    ------
    InputError
        With the keys that are allowed.
    """
    if not given:
        return
    known = known_fields()
    for key in given:
        if key not in known:
            raise InputError(
                f"there is nothing to be said as '{key}'", where="--given", allowed=", ".join(known)
            )


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """Return ``KEY=VALUE`` texts as a mapping.

    Raises
    ------
    InputError
        If a text is no pair, a key comes twice, or no form has it.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, mark, value = text.partition("=")
        key, value = key.strip().lower().replace("-", "_"), value.strip()
        if not mark or not key or not value:
            raise InputError(
                f"'{text}' is no pair of a key and a value",
                where="--given",
                allowed=", ".join(known_fields()),
                todo="say for example --given injected_mbq=250",
            )
        if key in found:
            raise InputError(f"{key} was said twice", where="--given", todo="say it once")
        found[key] = value
    check_keys(found)
    return found
