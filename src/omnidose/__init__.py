"""omnidose: every dose of ionising radiation in medicine, in the patient's own anatomy."""

from __future__ import annotations

__version__ = "0.1.0.dev0"
__all__ = ["__version__"]
