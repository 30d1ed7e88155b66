"""The content tree of a structured report, walked tolerantly."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from omnidose.dicom.headers import code, raw_value, sequence, text
from omnidose.dicom.units import factor_to

_MAX_DEPTH = 40


@dataclass(frozen=True, slots=True)
class Node:
    """One content item.

    Attributes
    ----------
    concept, scheme, meaning
        Concept name: code value, coding scheme, words.
    """

    item: Any
    concept: str
    scheme: str
    meaning: str

    @classmethod
    def of(cls, item: Any) -> Node:
        """Read the concept name of a content item (or of the root data set)."""
        return cls(item, *code(item, "ConceptNameCodeSequence"))

    @property
    def children(self) -> tuple[Node, ...]:
        """Content items directly below."""
        return tuple(Node.of(child) for child in sequence(self.item, "ContentSequence"))

    def walk(self, depth: int = 0) -> Iterator[Node]:
        """Yield this node and all below it; a tree deeper than 40 levels is cut."""
        yield self
        if depth < _MAX_DEPTH:
            for child in self.children:
                yield from child.walk(depth + 1)

    def all(self, concept: str) -> Iterator[Node]:
        """Yield the nodes below with a concept code, in order."""
        for node in self.walk():
            if node.concept == concept and node is not self:
                yield node

    def first(self, concept: str) -> Node | None:
        """Return the first node below with a concept code."""
        return next(self.all(concept), None)

    def code_value(self, concept: str) -> tuple[str, str, str]:
        """Return (value, scheme, meaning) of a coded item; text instead of a code becomes the meaning."""
        node = self.first(concept)
        if node is None:
            return ("", "", "")
        found = code(node.item, "ConceptCodeSequence")
        return found if any(found) else ("", "", text(node.item, "TextValue"))

    def text_value(self, concept: str) -> str:
        """Return the text, UID or date-time of an item, or the meaning of its code."""
        node = self.first(concept)
        if node is None:
            return ""
        for keyword in ("TextValue", "UID", "DateTime"):
            if found := text(node.item, keyword):
                return found
        return code(node.item, "ConceptCodeSequence")[2]

    def number(self, concept: str, canonical_unit: str) -> float | None:
        """Return a numeric item in the canonical unit; None if it is absent or empty.

        Raises
        ------
        DicomError
            If the item's unit is unknown.
        """
        node = self.first(concept)
        return None if node is None else node.measured(canonical_unit)

    def measured(self, canonical_unit: str) -> float | None:
        """Return this numeric item in the canonical unit; None if it holds no number."""
        items = sequence(self.item, "MeasuredValueSequence")
        if not items:
            return None
        value = parse_number(raw_value(items[0], "NumericValue"))
        if value is None:
            return None
        unit = code(items[0], "MeasurementUnitsCodeSequence")[0]
        return value * factor_to(canonical_unit, unit, where=self.meaning or self.concept)


def parse_number(value: Any) -> float | None:
    """Read a numeric value; of a list in a string (one maker writes all pulses), the mean of those > 0."""
    if value is None:
        return None
    if isinstance(value, (str, bytes)) and str(value).lstrip().startswith("["):
        try:
            value = ast.literal_eval(str(value))
        except (ValueError, SyntaxError):
            return None
    if not isinstance(value, (str, bytes)) and hasattr(value, "__iter__"):
        found = [v for v in (parse_number(x) for x in value) if v is not None and v > 0]
        return sum(found) / len(found) if found else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < 1e300 else None
