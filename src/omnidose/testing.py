"""Contract tests that every registered modality must pass; made to be called from pytest."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnidose.errors import OmnidoseError
from omnidose.modalities import Claim, ClaimKind, Modality

if TYPE_CHECKING:
    from omnidose.anatomy.body import BodyModel

#: Fields of a record that may differ after a round trip: keys made by the writer, and remarks.
IGNORED = frozenset({"key", "event_uid", "series_uid", "assumptions", "warnings", "scale", "dlp_mgy_cm"})


def check_modality(
    modality: Modality,
    exposure: Any,
    body: BodyModel,
    folder: Path,
    *,
    tolerance_rel: float = 0.02,
    ignored: Iterable[str] = IGNORED,
) -> Any:
    """Check the contract of a modality without running any transport.

    Synthetic objects are written, surveyed, claimed and ingested; the record must come back. Claims must be
    well formed, an exposure claim must be refused when it cannot be estimated, foreign claims must be
    refused, and nothing may be claimed in an empty folder.

    Parameters
    ----------
    exposure, body
        A record of the modality and a body that it fits.
    folder
        Empty folder for the synthetic objects.
    tolerance_rel
        Accepted relative difference of numbers (headers hold rounded values).
    ignored
        Fields that need not come back.

    Returns
    -------
    Any
        The record that was read back.

    Raises
    ------
    AssertionError
        With a sentence, at the first broken promise.
    """
    from omnidose.dicom.inventory import read_inventory

    if not isinstance(modality, Modality):
        raise AssertionError("the object lacks members of the Modality protocol")
    if not modality.name.isidentifier() or not modality.title:
        raise AssertionError(f"name '{modality.name}' or title '{modality.title}' is not usable")
    paths = modality.synthetic(exposure, body, folder / "exam")
    if not paths or not all(Path(path).is_file() for path in paths):
        raise AssertionError("synthetic() wrote no files, or named files that do not exist")
    with read_inventory(folder / "exam") as inventory:
        claims = modality.claims(inventory)
        _check_claims(modality, claims)
        # Besides the exposure that was written, an exam may hold others without images of their own (scouts).
        exposures = [c for c in claims if c.kind is ClaimKind.EXPOSURE and c.estimable and not c.borrowed]
        if len(exposures) != 1:
            raise AssertionError(f"one exposure was written, {len(exposures)} estimable ones were claimed")
        found = modality.ingest(exposures[0])
        again = modality.ingest(exposures[0])
        if found != again:
            raise AssertionError("ingesting one claim twice gives two different records")
        if found.key != exposures[0].key or not found.title:
            raise AssertionError("the record's key is not the claim's, or it has no title")
        differences = record_differences(exposure, found, tolerance_rel=tolerance_rel, ignored=ignored)
        if differences:
            raise AssertionError("the record did not come back: " + "; ".join(differences))
        _check_refusals(modality, claims)
    (folder / "empty").mkdir(exist_ok=True)
    with read_inventory(folder / "empty") as inventory:
        if modality.claims(inventory):
            raise AssertionError("something was claimed in an empty folder")
    return found


def _check_claims(modality: Modality, claims: list[Claim]) -> None:
    for claim in claims:
        if claim.modality != modality.name or not claim.key or not claim.title:
            raise AssertionError(f"claim '{claim.title}' lacks modality, key or title")
        if not claim.estimable and not claim.reason:
            raise AssertionError(f"claim '{claim.title}' cannot be estimated but does not say why")
    keys = [c.key for c in claims if c.kind is ClaimKind.EXPOSURE]
    if len(set(keys)) != len(keys):
        raise AssertionError("two exposure claims have the same key")
    if not any(c.kind is ClaimKind.ANATOMY for c in claims) and any(c.series_uids for c in claims):
        raise AssertionError("images were claimed, but none as anatomy")


def _check_refusals(modality: Modality, claims: list[Claim]) -> None:
    foreign = Claim(modality="none", kind=ClaimKind.EXPOSURE, key="1", title="foreign")
    refused = [c for c in claims if c.kind is not ClaimKind.EXPOSURE or not c.estimable]
    for claim in (foreign, *refused):
        try:
            modality.ingest(claim)
        except OmnidoseError:
            continue
        raise AssertionError(f"ingest() accepted the claim '{claim.title}', which is no estimable exposure")


def record_differences(
    a: Any, b: Any, *, tolerance_rel: float = 0.0, ignored: Iterable[str] = ()
) -> list[str]:
    """Return one sentence for every field in which two records of one kind differ."""
    if type(a) is not type(b) or not is_dataclass(a):
        return [f"{type(a).__name__} became {type(b).__name__}"]
    skip = frozenset(ignored)
    out = []
    for item in fields(a):
        if item.name in skip:
            continue
        left, right = getattr(a, item.name), getattr(b, item.name)
        if not _same(left, right, tolerance_rel):
            out.append(f"{item.name}: {_short(left)} became {_short(right)}")
    return out


def _same(a: Any, b: Any, tolerance_rel: float) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return bool(a == b)
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=tolerance_rel, abs_tol=1e-6)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(_same(x, y, tolerance_rel) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
