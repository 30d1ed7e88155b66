"""The organ vocabulary: one canonical name per organ, and what other systems call it.

Names are kebab-case English; paired organs are ``left-…`` and ``right-…`` under a parent in the
plural (``left-kidney`` in ``kidneys``). Parents are *combined* organs: their dose is the
mass-weighted mean of their members, formed after the Monte Carlo run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from omnidose.data import load
from omnidose.errors import InputError

#: Other spellings that are accepted on input.
ALIASES = {
    "lens-left": "left-lens",
    "lens-right": "right-lens",
    "esophagus": "oesophagus",
    "urinary-bladder": "bladder",
    "gallbladder": "gall-bladder",
    "bone-surface": "endosteum",
    "active-marrow": "red-marrow",
    "red-bone-marrow": "red-marrow",
    "et-region": "extrathoracic",
}
LATERALITY = {"left": ("7771000", "Left"), "right": ("24028007", "Right")}


#: Wall and contents: a mask of the whole stands for both.
CONTENTS = {
    "heart-contents": "heart",
    "stomach-contents": "stomach",
    "bladder-contents": "bladder",
    "gall-bladder-contents": "gall-bladder",
    "colon-contents": "colon",
    "small-intestine-contents": "small-intestine",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganName:
    """One word of the vocabulary.

    Attributes
    ----------
    key
        Canonical name.
    name
        English name for people.
    parent
        Combined organ it belongs to; empty if none.
    tissue
        Tissue of table ``tissue_weights`` (ICRP 103); empty if it has no weight.
    snomed_code, snomed_meaning
        SNOMED CT code for DICOM (scheme SCT), without laterality; empty if none is certain.
    totalsegmentator
        Class names of TotalSegmentator whose union is (part of) this organ.
    """

    key: str
    name: str
    parent: str = ""
    tissue: str = ""
    snomed_code: str = ""
    snomed_meaning: str = ""
    totalsegmentator: tuple[str, ...] = ()

    @property
    def laterality(self) -> str:
        """``left``, ``right`` or empty."""
        side = self.key.split("-", 1)[0]
        return side if side in LATERALITY else ""


@cache
def organs() -> dict[str, OrganName]:
    """Return the whole vocabulary by canonical name, in the order of the table."""
    found: dict[str, OrganName] = {}
    for row in load("organs").rows():
        text = {column: str(value) for column, value in row.items()}
        found[text["key"]] = OrganName(
            key=text["key"],
            name=text["name"],
            parent=text["parent"],
            tissue=text["tissue"],
            snomed_code=text["snomed_code"],
            snomed_meaning=text["snomed_meaning"],
            totalsegmentator=tuple(text["totalsegmentator"].split()),
        )
    return found


def organ(key: str) -> OrganName:
    """Return one organ by its canonical name, an alias, or the same words written otherwise.

    Raises
    ------
    InputError
        If no organ has this name; the message lists close names.
    """
    known = organs()
    name = re.sub(r"[\s_]+", "-", key.strip().lower())
    name = ALIASES.get(name, name)
    if name in known:
        return known[name]
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=4, cutoff=0.5)
    raise InputError(
        f"there is no organ '{key}'",
        allowed=", ".join(close) if close else "a canonical name such as left-kidney, liver, red-marrow",
        todo="see the table 'organs'",
    )


@cache
def _by_totalsegmentator() -> dict[str, str]:
    return {name: item.key for item in organs().values() for name in item.totalsegmentator}


def from_totalsegmentator(name: str) -> str | None:
    """Return the canonical name for a TotalSegmentator class, or None if it is no organ of ours."""
    return _by_totalsegmentator().get(name.strip().lower()) or _by_totalsegmentator().get(name.strip())


def members(key: str) -> tuple[str, ...]:
    """Return the organs directly under a combined organ (empty if it has none)."""
    return tuple(item.key for item in organs().values() if item.parent == key)


@cache
def combined_organs() -> dict[str, tuple[str, ...]]:
    """Return every combined organ with its members, innermost first (``femora`` before ``skeleton``)."""
    parents = list(dict.fromkeys(item.parent for item in organs().values() if item.parent))

    def depth(key: str) -> int:
        parent = organs()[key].parent
        return 0 if not parent else 1 + depth(parent)

    return {key: members(key) for key in sorted(parents, key=depth, reverse=True)}


def organs_of_tissue(tissue: str) -> tuple[str, ...]:
    """Return the organs that belong to a weighted tissue of ICRP 103."""
    return tuple(item.key for item in organs().values() if item.tissue == tissue)
