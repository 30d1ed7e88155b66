"""Which organ doses stand behind which cancer site.

A site lists alternatives in order of preference; the first whose organs all have a dose (or were
removed) is used. Parts are (organ, share of the tissue at risk), shares sum to 1; a removed part
contributes neither dose nor risk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from omnidose.anatomy.organs import organ
from omnidose.errors import InputError

Parts = tuple[tuple[str, float], ...]


def _halves(name: str) -> Parts:
    return ((f"left-{name}", 0.5), (f"right-{name}", 0.5))


#: Organs whose mean stands for "the rest of the body" if no dose named ``remainder`` is given.
REST = ("muscle", "adrenals", "heart", "spleen", "small-intestine", "thymus", "gall-bladder", "lymph-nodes")

SITE_ORGANS: dict[str, tuple[Parts, ...]] = {
    "oral": ((("oral-mucosa", 1.0),),),
    "oesophagus": ((("oesophagus", 1.0),),),
    "stomach": ((("stomach", 1.0),),),
    "colon": ((("colon", 1.0),),),
    "rectum": ((("rectum", 1.0),), (("colon", 1.0),)),
    "liver": ((("liver", 1.0),),),
    "pancreas": ((("pancreas", 1.0),),),
    "lung": ((("lungs", 1.0),), _halves("lung")),
    "breast": ((("breasts", 1.0),), _halves("breast")),
    "prostate": ((("prostate", 1.0),),),
    "uterus": ((("uterus", 1.0),),),
    "ovary": ((("ovaries", 1.0),), _halves("ovary")),
    "bladder": ((("bladder", 1.0),),),
    "kidney": ((("kidneys", 1.0),), _halves("kidney")),
    "brain": ((("brain", 1.0),),),
    "thyroid": ((("thyroid", 1.0),),),
    "leukaemia": ((("red-marrow", 1.0),),),
    "remainder": ((("remainder", 1.0),),),
}


@cache
def canonical(name: str) -> str:
    """Return the canonical organ name, or the name itself if the vocabulary has no such organ."""
    try:
        return organ(name).key
    except InputError:
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteTissue:
    """The organs used for a site, with the share of the tissue that is still there."""

    parts: Parts
    removed_fraction: float

    @property
    def organs(self) -> tuple[str, ...]:
        """Names of the organs used."""
        return tuple(name for name, _share in self.parts)


def site_tissue(
    site: str, known: frozenset[str], removed: frozenset[str], masses_g: Mapping[str, float]
) -> SiteTissue | None:
    """Choose the organs of a site.

    Parameters
    ----------
    site
        Cancer site.
    known
        Organs with a dose.
    removed
        Organs that the person no longer has; naming the whole (``breasts``) removes both sides.
    masses_g
        Organ -> mass; used for the shares of paired organs if both sides are given.

    Returns
    -------
    SiteTissue or None
        None if no alternative has all its doses. ``removed_fraction`` is 1 if nothing is left.
    """
    alternatives = SITE_ORGANS.get(site, ())
    wholes = {parts[0][0] for parts in alternatives if len(parts) == 1}
    if site != "rectum" and wholes & removed:
        return SiteTissue(parts=(), removed_fraction=1.0)
    pairs = [_with_masses(parts, masses_g) for parts in alternatives if len(parts) > 1]
    gone = sum(share for parts in pairs for name, share in parts if name in removed)
    if gone:  # one side or both are gone: the sides, if known, describe the person better
        left = tuple(part for parts in pairs for part in parts if part[0] not in removed)
        if all(name in known for name, _share in left):
            return SiteTissue(parts=left, removed_fraction=gone)
    for parts in alternatives:
        if all(name in known for name, _share in parts):
            used = _with_masses(parts, masses_g)
            return SiteTissue(parts=tuple((o, s * (1.0 - gone)) for o, s in used), removed_fraction=gone)
    if site == "remainder":
        rest = tuple(name for name in REST if name in known and name not in removed)
        if rest:
            return SiteTissue(parts=tuple((o, 1.0 / len(rest)) for o in rest), removed_fraction=0.0)
    return None


def _with_masses(parts: Parts, masses_g: Mapping[str, float]) -> Parts:
    if len(parts) > 1 and all(masses_g.get(name, 0.0) > 0 for name, _share in parts):
        total_g = sum(masses_g[name] for name, _share in parts)
        return tuple((name, masses_g[name] / total_g) for name, _share in parts)
    return parts
