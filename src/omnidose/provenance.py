"""What a result rests on: software, data, input, choices. Holds no names of persons."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from omnidose import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """One choice that was made because the input did not say.

    Attributes
    ----------
    key
        Short stable name, for example ``ct.bowtie``.
    text
        One sentence for a physicist.
    effect
        What it may change, in words or numbers; empty if unknown.
    """

    key: str
    text: str
    effect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Everything needed to run the same computation again.

    Attributes
    ----------
    inputs
        UIDs or file hashes of what was read (never patient names).
    tables
        Packaged table name -> sha256.
    settings
        Seed, histories, options: JSON types only.
    assumptions
        Choices made where the input was silent.
    """

    inputs: tuple[str, ...] = ()
    tables: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    assumptions: tuple[Assumption, ...] = ()
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    software: str = f"omnidose {__version__}"
    python: str = field(default_factory=lambda: sys.version.split()[0])
    system: str = field(default_factory=lambda: f"{platform.system()} {platform.machine()}")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)
